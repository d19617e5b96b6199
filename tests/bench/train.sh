#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# An update of `thalweg train` against one of PyTorch's with the same network, batch and optimizer, on
# one thread each, by processor time (from the difference of a long and a short run); and the largest
# memory of both processes. PyTorch is run well, as in engine.sh.
here=$(cd "$(dirname "$0")/.." && pwd)
build=${TW_BUILD:-$here/../build/release}
python=$(command -v /usr/bin/python3 || command -v python3)
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT

if ! "$python" -c 'import torch, h5py, numpy' 2>/dev/null; then
    echo 'training: no peer, for want of python3 with torch and h5py'
    exit 0
fi
export PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
blas=$(dirname "$(find /usr/lib -path '*openblas-openmp/libblas.so.3' 2>/dev/null | head -n 1)" 2>/dev/null)
export LD_LIBRARY_PATH="$blas" MALLOC_TRIM_THRESHOLD_=10000000000 MALLOC_MMAP_THRESHOLD_=4294967296
"$python" "$here/oracle/train.py" data "$tmp" &&
    "$python" - "$build/bin/thalweg" "$here/oracle/train.py" "$tmp" <<'END'
import json, os, resource, subprocess, sys

thalweg, oracle, tmp = sys.argv[1:]
cases = [
    ("mlp(64,128,128,10,norm=layer,act=gelu)", "samples", 64, 3000,
     "Mlp(64, 128, 128, 10, norm='layer', act='gelu')"),
    ("resnet20(in=1x8x8,width=8)", "samples", 64, 100, "ResNet(20, 1, 10, width=8)"),
    ("gpt(layers=2,d=64,heads=4,ctx=16,vocab=32)", "tokens", 16, 400, "Gpt(2, 64, 4, 16, 32)"),
]


def run(*command):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime, out


def peak(*command):
    """MB of one process, started by a process of its own."""
    code = ("import resource, subprocess, sys; "
            "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL); "
            "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)")
    return float(run(sys.executable, "-c", code, *command)[1])


print(f"  load {os.getloadavg()[0]:.1f}")
for spec, data, batch, steps, module in cases:
    def train(n):
        return [thalweg, "train", spec, "-q", "-d", f"{tmp}/{data}.npz", "--validation", "none",
                "--lr", "1e-3", "--batch", str(batch), "--steps", str(n), "--threads", "1",
                "--log-every", str(n), "-o", f"{tmp}/run.h5", "--force"]
    short, long = run(*train(steps // 10))[0], run(*train(steps))[0]
    ours = (long - short) / (steps - steps // 10)
    peer = [sys.executable, oracle, "time", f"{tmp}/run.h5", f"{tmp}/{data}.npz",
            f"torch.optim.AdamW(p, lr=1e-3);{module}", str(batch), str(steps)]
    theirs = json.loads(run(*peer)[1])["user"]
    print(f"  {spec}, batch {batch}: {1e3 * ours:.3f} ms an update, PyTorch {1e3 * theirs:.3f} ms: "
          f"{theirs / ours:.1f}; memory {peak(*train(steps)):.0f} and {peak(*peer):.0f} MB")
END
