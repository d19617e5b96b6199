#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The annealing law against scipy's L-BFGS-B for the same objective and data, in one run:
# scipy from 108 starts for each of 9 memories, analytic gradient; we with 16 starts and the
# memory free. Medians; scipy once, as it takes seconds.
here=$(cd "$(dirname "$0")/.." && pwd)
build=${TW_BUILD:-$here/../build/release}
shared=${TW_SHARED:-$here/../../shared}
python=$(command -v /usr/bin/python3 || command -v python3)
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT

if ! "$python" -c 'import numpy, scipy.optimize' 2>/dev/null; then
    echo 'annealing law: no peer, for want of python3 with scipy'
    exit 0
elif [ ! -r "$shared/data/scaling/mpl_25M/schedules.csv" ]; then
    echo 'annealing law: no peer, for want of ../shared/data/scaling (set TW_SHARED)'
    exit 0
fi
TW_SHARED=$shared "$build/bench/bench_annealing" --json >"$tmp/ours" &&
    PYTHONDONTWRITEBYTECODE=1 "$python" "$here/oracle/annealing.py" time "$shared/data/scaling" 25M \
        >"$tmp/scipy" || exit 1
"$python" - "$tmp/ours" "$tmp/scipy" <<'END'
import json, os, sys
import scipy

ours, peer = (json.load(open(name)) for name in sys.argv[1:])
model = [row.split(": ")[1].strip() for row in open("/proc/cpuinfo") if row.startswith("model name")]
print(f"  machine: {len(os.sched_getaffinity(0))} cores, {model[0] if model else 'unknown'}, "
      f"load {os.getloadavg()[0]:.1f}")
print(f"  thalweg: {1e3 * ours['fit_s']:.1f} ms, median of {ours['runs']} on {ours['threads']} "
      f"threads (least {1e3 * ours['fit_least_s']:.1f}, processor {1e3 * ours['fit_cpu_s']:.1f}), "
      f"objective {ours['objective']:.6e}")
print(f"  thalweg: 1000 bootstrap replicates {ours['bootstrap_s']:.2f} s "
      f"(processor {ours['bootstrap_cpu_s']:.2f})")
print(f"  scipy {scipy.__version__}: {peer['wall_s']:.2f} s (processor {peer['cpu_s']:.2f}), "
      f"{peer['starts']} starts for {peer['lambdas']} memories, objective {peer['objective']:.6e}")
print(f"  scipy / thalweg: {peer['wall_s'] / ours['fit_s']:.0f} by the clock, "
      f"{peer['cpu_s'] / ours['fit_cpu_s']:.0f} by processor time")
END
