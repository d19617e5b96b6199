#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The multi-power law against numpy and scipy's L-BFGS-B for the same objective and data, in one
# run: scipy from one start (it needs tens of them to be sure of the optimum), we from one and 16.
here=$(cd "$(dirname "$0")/.." && pwd)
build=${TW_BUILD:-$here/../build/release}
shared=${TW_SHARED:-$here/../../shared}
python=$(command -v /usr/bin/python3 || command -v python3)
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT

if ! "$python" -c 'import numpy, scipy.optimize' 2>/dev/null; then
    echo 'multi-power law: no peer, for want of python3 with scipy'
    exit 0
elif [ ! -r "$shared/data/scaling/mpl_25M/schedules.csv" ]; then
    echo 'multi-power law: no peer, for want of ../shared/data/scaling (set TW_SHARED)'
    exit 0
fi
TW_SHARED=$shared "$build/bench/bench_mpl" --json >"$tmp/ours" &&
    PYTHONDONTWRITEBYTECODE=1 "$python" "$here/oracle/mpl.py" time "$shared/data/scaling" 25M \
        >"$tmp/scipy" || exit 1
"$python" - "$tmp/ours" "$tmp/scipy" <<'END'
import json, os, sys
import scipy

ours, peer = (json.load(open(name)) for name in sys.argv[1:])
print(f"multi-power law, load {os.getloadavg()[0]:.1f}, {ours['threads']} threads")
print(f"  thalweg, 16 starts: {ours['fit_s']:.2f} s (processor {ours['fit_cpu_s']:.2f}), "
      f"objective {ours['objective']:.7e}")
print(f"  thalweg, 1 start: {ours['one_s']:.2f} s (processor {ours['one_cpu_s']:.2f}), "
      f"objective {ours['one_objective']:.7e}")
print(f"  scipy {scipy.__version__}, 1 start: {peer['wall_s']:.1f} s (processor "
      f"{peer['cpu_s']:.1f}), objective {peer['objective']:.7e}")
print(f"  one evaluation with derivatives: {1e3 * ours['evaluation_cpu_s']:.2f} ms, "
      f"numpy {1e3 * peer['evaluation_cpu_s']:.1f} ms")
print(f"  1000 bootstrap replicates, restricted: {ours['bootstrap_s']:.1f} s "
      f"(processor {ours['bootstrap_cpu_s']:.1f})")
print(f"  scipy / thalweg, processor time: one start {peer['cpu_s'] / ours['one_cpu_s']:.1f}, "
      f"evaluation {peer['evaluation_cpu_s'] / ours['evaluation_cpu_s']:.1f}")
END
