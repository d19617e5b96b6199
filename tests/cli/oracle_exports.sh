#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Networks exported from PyTorch give what PyTorch gives: logits, losses, derivatives.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

python=$(command -v /usr/bin/python3 || command -v python3)
if ! "$python" -c 'import torch, h5py, numpy' 2>/dev/null; then
    skip 'exported networks agree with PyTorch' 'no python3 with torch and h5py'
elif [ ! -x "$build/test/test_exports" ]; then
    skip 'exported networks agree with PyTorch' 'test_exports is not built'
else
    # shellcheck disable=SC2154  # tap.sh sets it
    OMP_NUM_THREADS=1 PYTHONDONTWRITEBYTECODE=1 \
        "$python" -W ignore "$root/tests/oracle/exports.py" "$tmp" 2>"$tmp/log"
    status=$?
    [ $status -eq 0 ] || tail -n 3 "$tmp/log" | sed 's/^/# /' >&2
    report $status 'networks are exported'
    (cd "$root" && TW_EXPORTS=$tmp "$build/test/test_exports") >"$tmp/out" 2>&1
    status=$?
    grep -E '^[a-z0-9-]+ +(double|single):|ERROR|error' "$tmp/out" | sed 's/^/# /'
    report $status 'exported networks agree with PyTorch'
fi
done_testing
