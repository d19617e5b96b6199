#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The Chinchilla law against scipy's L-BFGS-B from the grid of 4,500 starts that its authors and
# others use, same points and objective, in one run: a random twentieth of the starts is timed and
# its time taken twentyfold.
here=$(cd "$(dirname "$0")/.." && pwd)
build=${TW_BUILD:-$here/../build/release}
shared=${TW_SHARED:-$here/../../shared}
table=$shared/data/scaling/chinchilla_245.csv
python=$(command -v /usr/bin/python3 || command -v python3)
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT

if ! "$python" -c 'import numpy, scipy.optimize' 2>/dev/null; then
    echo 'chinchilla: no peer, for want of python3 with scipy'
    exit 0
elif [ ! -r "$table" ]; then
    echo 'chinchilla: no peer, for want of ../shared/data/scaling (set TW_SHARED)'
    exit 0
fi
TW_SHARED=$shared "$build/bench/bench_chinchilla" --json >"$tmp/ours" &&
    OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 \
        "$python" "$here/oracle/chinchilla.py" time "$table" 0.05 >"$tmp/scipy" || exit 1
"$python" - "$tmp/ours" "$tmp/scipy" <<'END'
import json, os, sys
import scipy

ours, peer = (json.load(open(name)) for name in sys.argv[1:])
whole = peer["grid"] / peer["starts"]
print(f"chinchilla, {ours['points']} points, load {os.getloadavg()[0]:.1f}, "
      f"{ours['threads']} threads")
print(f"  thalweg, 16 starts: {1e3 * ours['fit_s']:.1f} ms (processor "
      f"{1e3 * ours['fit_cpu_s']:.1f}), objective {ours['objective']:.11g}")
print(f"  with 4000 bootstrap replicates: {ours['bootstrap_s']:.2f} s (processor "
      f"{ours['bootstrap_cpu_s']:.2f})")
print(f"  scipy {scipy.__version__}, {peer['starts']} of {peer['grid']} starts: {peer['wall_s']:.1f} s "
      f"(processor {peer['cpu_s']:.1f}); so the grid takes {whole * peer['wall_s']:.0f} s "
      f"({whole * peer['cpu_s']:.0f}); best objective {peer['objective']:.11g}, reached by "
      f"{peer['arrived']}")
print(f"  scipy's grid / thalweg, processor time: {whole * peer['cpu_s'] / ours['fit_cpu_s']:.0f}")
END
