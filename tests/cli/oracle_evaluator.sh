#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# PyTorch networks behind the Python adapter: they agree with our engine.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

python=$(command -v /usr/bin/python3 || command -v python3)
if ! "$python" -c 'import torch, h5py, numpy' 2>/dev/null; then
    skip 'PyTorch behind the adapter agrees' 'no python3 with torch and h5py'
elif [ ! -x "$build/test/test_evaluator_torch" ]; then
    skip 'PyTorch behind the adapter agrees' 'test_evaluator_torch is not built'
else
    # shellcheck disable=SC2154  # tap.sh sets it
    export PYTHONDONTWRITEBYTECODE=1 PYTHONPATH="$root/src/share:$root/tests/oracle" \
        OMP_NUM_THREADS=1 TW_TORCH_EVALUATOR="$python '$root/tests/oracle/evaluator.py'"
    "$build/test/test_evaluator_torch" >"$tmp/out" 2>&1
    status=$?
    grep -E '^[a-z0-9]+: loss|rror|off by' "$tmp/out" | sed 's/^/# /'
    report $status 'PyTorch behind the adapter agrees with the engine, and passes the checks'
fi
done_testing
