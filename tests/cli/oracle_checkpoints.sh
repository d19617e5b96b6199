#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What PyTorch saves is what thalweg convert writes, to the bit.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

python=$(command -v /usr/bin/python3 || command -v python3)
if ! "$python" -c 'import torch, h5py, numpy' 2>/dev/null; then
    skip 'round trips of PyTorch checkpoints' 'no python3 with torch and h5py'
else
    # shellcheck disable=SC2154  # tap.sh sets it
    OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 \
        "$python" -W ignore "$root/tests/oracle/checkpoints.py" thalweg "$tmp" >"$tmp/out" 2>"$tmp/log"
    status=$?
    sed 's/^/# /' "$tmp/out"
    [ $status -eq 0 ] || tail -n 5 "$tmp/log" | sed 's/^/# /' >&2
    report $status 'round trips of PyTorch checkpoints'
fi
done_testing
