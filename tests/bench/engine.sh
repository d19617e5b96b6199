#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The engine against PyTorch on the same networks and data, in one run. PyTorch is run well: as
# many threads, OpenBLAS for OpenMP if it is installed, and malloc told to keep its memory (both
# make it faster; Debian's defaults are slower). With --cpu before the names: processor seconds of
# one thread, for a machine that is busy with other things.
here=$(cd "$(dirname "$0")/.." && pwd)
build=${TW_BUILD:-$here/../build/release}
python=$(command -v /usr/bin/python3 || command -v python3)
threads=${OMP_NUM_THREADS:-$(nproc)}
[ "$1" = --cpu ] && threads=1
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT

if ! "$python" -c 'import torch, h5py' 2>/dev/null; then
    echo 'engine: no peer, for want of python3-torch'
    exit 0
fi
blas=$(dirname "$(find /usr/lib -path '*openblas-openmp/libblas.so.3' 2>/dev/null | head -n 1)" 2>/dev/null)
OMP_NUM_THREADS=$threads "$build/bench/bench_engine" --json "$@" >"$tmp/ours" || exit 1
LD_LIBRARY_PATH=$blas OMP_NUM_THREADS=$threads MALLOC_TRIM_THRESHOLD_=10000000000 \
    MALLOC_MMAP_THRESHOLD_=4294967296 PYTHONDONTWRITEBYTECODE=1 \
    "$python" "$here/oracle/engine.py" "$threads" "$@" >"$tmp/torch" || exit 1
"$python" - "$tmp/ours" "$tmp/torch" "$threads" "$blas" <<'END'
import json, os, sys

ours, peer = (json.load(open(name)) for name in sys.argv[1:3])
blas = "OpenBLAS (OpenMP)" if "openblas" in sys.argv[4] else "the system's BLAS"
print(f"engine, load {os.getloadavg()[0]:.1f}, {sys.argv[3]} threads; torch {peer['torch']} with {blas}")
for name, t in ours.items():
    p = peer[name]
    p["line"] = p["loss"]
    print(f"  {name:9}" + "".join(
        f"  {what} {1e3 * t[what]:.3g} ms, torch {1e3 * p[what]:.3g}: {p[what] / t[what]:.2f}x"
        for what in ("loss", "line", "jvp", "gradient", "step")))
END
