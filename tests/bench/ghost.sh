#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The nearest zero against numpy.roots, where that can do it: for slopes 0 .. 9 the partition
# function is a polynomial in exp(t). Same samples, same run, processor time of one core.
here=$(cd "$(dirname "$0")/.." && pwd)
build=${TW_BUILD:-$here/../build/release}
python=$(command -v /usr/bin/python3 || command -v python3)
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT

if ! "$python" -c 'import numpy' 2>/dev/null; then
    echo 'ghost: no peer, for want of python3 with numpy'
    exit 0
fi
"$build/bench/bench_ghost" --lattice >"$tmp/ours" || exit 1
OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 "$python" - "$tmp/ours" <<'END'
import sys, time
import numpy as np

lines = open(sys.argv[1]).read().split("\n")
ours, rows = float(lines[0]), np.array([[float(x) for x in r.split()] for r in lines[1:] if r])
worst, start = 0.0, time.process_time()
nearest = np.empty(len(rows))
for i, row in enumerate(rows):
    z = row[:-1]
    # Highest power first; every branch of the logarithm but the nearest is farther.
    nearest[i] = np.abs(np.log(np.roots(np.exp(z[::-1] - z.max())))).min()
peer = 1e6 * (time.process_time() - start) / len(rows)
worst = np.abs(nearest / rows[:, -1] - 1.0).max()
print(f"ghost, slopes 0 .. 9: {ours:.1f} us a sample with proof, numpy.roots {peer:.1f} us without; "
      f"ratio {peer / ours:.1f}; they differ by {worst:.1e} at most")
END
