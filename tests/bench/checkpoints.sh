#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# How long thalweg takes to look at a large checkpoint and to convert it, beside cp, and with how much
# memory. The size in MiB: TW_MIB [256]. Processor time counts where others use the machine too.
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${TW_BUILD:-$root/build/release}
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
cd "$tmp"

if ! command -v python3 >/dev/null; then
    echo 'checkpoints: no python3 to make one with'
    exit 0
fi
python3 - "${TW_MIB:-256}" "$build/bin/thalweg" <<'END'
import json, os, struct, subprocess, sys, time
n, size, thalweg = int(sys.argv[1]) // 4, 1 << 22, sys.argv[2]
header = {"layer.%d.weight" % i: {"dtype": "F32", "shape": [1024, 1024],
                                  "data_offsets": [i * size, (i + 1) * size]} for i in range(n)}
text = json.dumps(header).encode()
with open("in.safetensors", "wb") as f:
    f.write(struct.pack("<Q", len(text)) + text)
    for _ in range(n):
        f.write(os.urandom(size))


def measure(what, *command):
    os.sync()
    start = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, what
    print("%-24s %6.2f s, %5.2f s of processor, %4.0f MiB of memory; the file has %s MiB" % (
        what, time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024,
        sys.argv[1]))


measure("cp", "cp", "in.safetensors", "copy.safetensors")
measure("cp, then sync", "sh", "-c", "cp in.safetensors copy.safetensors && sync copy.safetensors")
measure("info", thalweg, "info", "in.safetensors")
measure("info --stats", thalweg, "info", "--stats", "in.safetensors")
measure("convert to safetensors", thalweg, "convert", "-q", "in.safetensors", "out.safetensors")
measure("convert to HDF5", thalweg, "convert", "-q", "in.safetensors", "out.h5")
measure("convert to bf16", thalweg, "convert", "-q", "--dtype", "bf16", "out.h5", "half.safetensors")
END
