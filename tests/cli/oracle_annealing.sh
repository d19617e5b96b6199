#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The annealing law: scipy, from its own starts with its own optimiser, ends where we end.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

python=$(command -v /usr/bin/python3 || command -v python3)
shared=${TW_SHARED:-$root/../shared}
if ! "$python" -c 'import numpy, scipy.optimize' 2>/dev/null; then
    skip 'scipy finds the same fits' 'no python3 with scipy'
elif [ ! -r "$shared/data/scaling/mpl_25M/schedules.csv" ]; then
    skip 'scipy finds the same fits' 'no ../shared/data/scaling (set TW_SHARED)'
elif [ ! -x "$build/test/test_law_reference" ]; then
    skip 'scipy finds the same fits' 'test_law_reference is not built'
else
    (cd "$root" && TW_SHARED=$shared "$build/test/test_law_reference" --json) >"$tmp/mine.json" &&
        OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 \
            "$python" "$root/tests/oracle/annealing.py" check "$shared/data/scaling" "$tmp/mine.json"
    exit
fi
done_testing
