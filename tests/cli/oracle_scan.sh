#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Lines through weights by PyTorch, planes of trajectories by NumPy: thalweg scan agrees.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
python=$(command -v /usr/bin/python3 || command -v python3)
if ! "$python" -c 'import torch, h5py, numpy' 2>/dev/null; then
    skip 'PyTorch computes the same' 'no python3 with torch and h5py'
    done_testing
    exit
fi
oracle() { PYTHONDONTWRITEBYTECODE=1 "$python" "$root/tests/oracle/scan.py" "$@"; }

expect 'PyTorch writes networks' 0 - oracle make
for end in w1 s1; do
    thalweg scan -q w0.h5 $end.h5 --data d.npz --range -1:1 --mesh 21 -o line-$end.h5 >/dev/null
done
thalweg scan -q w0.h5 s1.h5 --data d.npz --range -1:1 --mesh 5 --bn recalibrate -o anew-s1.h5 >/dev/null
thalweg scan -q p?.h5 --trajectory --data d.npz --mesh 3x3 -o path.h5 >/dev/null
expect_out 'a filter-normalised line has its losses' 0 '^line-w1.h5: .* good$' \
    oracle compare line-w1.h5 line-s1.h5 anew-s1.h5 path.h5
grep -q '^line-s1.h5: .* good$' out
report $? 'and one of states'
grep -q '^anew-s1.h5: .* good$' out
report $? 'and one whose statistics are taken anew'
grep -q '^path.h5: .* good$' out
report $? 'a trajectory has the same plane'
done_testing
