#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg schedule as a user sees it.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
cd "$tmp" || exit 1

thalweg fit annealing "$data"/loss-curves/cosine-seed1.csv "$data"/loss-curves/wsd-seed1.csv \
    --schedules "$data/loss-curves/schedules.csv" --from 300 --bootstrap 50 -q -o fit.h5 \
    >/dev/null 2>&1
best() { thalweg schedule fit.h5 --steps 3000 --peak 0.003 --warmup 200 "$@"; }

expect_out 'the optimum of a convex law is proved' 0 'no allowed schedule is better by more than' \
    best -q
expect_out 'a row for each schedule' 0 '^best wsd .*0\.0' best -q
expect_err 'the default floor is told' 0 'floor: ' best
expect_err 'how far out it is, is told' 0 'where the law is least tested' best
expect_json 'JSON' 0 best --json -q
expect 'files are written' 0 - best -q -o best.h5 --csv lr.csv --fall 100
expect_err 'a table is not overwritten' 3 'lr.csv: .*--force' best -q --csv lr.csv
expect_out 'the file says what it is' 0 'kind *schedule' thalweg info best.h5
best -q --fall 100 | awk '/^best of any/ { print substr($5, 1, 5) }' >first
thalweg forecast fit.h5 -q -s file:lr.csv | awk '/^file:/ { print substr($3, 1, 5) }' >again
expect 'the table is a schedule' 0 - cmp first again
expect 'there is a number in it' 0 - grep -q '[0-9][.][0-9]' first
cat >limits.awk <<'EOF'
NR == 1 { if ($0 != "step,lr") exit 1; next }
$1 != NR - 2 || $2 > 0.003 || ($1 > 199 && $2 > last) { exit 1 }
{ last = $2 }
END { if (NR != 3001) exit 1 }
EOF
expect 'every rate keeps the limits' 0 - awk -F, -f limits.awk lr.csv
expect 'the file holds the fit' 0 - thalweg forecast -q best.h5 -s constant:peak=0.003,total=3000
expect_out 'a family keeps to its shape' 0 'the best is wsd:decay=[0-9]+,end=' best -q --family wsd
expect_out 'a family of the user' 0 'the best is wsd:decay=[0-9]+,end=3e-4,shape=1-sqrt' \
    best -q --family 'wsd:decay=?,end=3e-4,shape=1-sqrt' --floor 3e-4
expect_out 'a family may rise again' 0 'the best is rewarmup:' best -q --family rewarmup --floor 1e-4
if command -v gnuplot >/dev/null; then
    expect 'a figure' 0 - best -q --plot best.svg --points 50
    expect 'the same from the file' 0 - thalweg plot -q best.h5 -o again.svg
    expect 'each schedule is in it' 0 - grep -q '^# law 4: best wsd' again.dat
else
    skip 'a figure' 'no gnuplot'
fi

expect_err 'no number of steps is no question' 2 'a longer run always predicts less loss' \
    thalweg schedule fit.h5 --peak 1e-3
expect_err 'no peak is no question' 2 'scaling a whole schedule up' \
    thalweg schedule fit.h5 --steps 3000
expect_err 'a floor of zero is no question' 2 'rate zero, in which nothing is learnt' \
    best --floor 0
expect_err 'a floor above the peak' 2 'is not below --peak' best --floor 1
expect_err 'a warm-up that leaves nothing' 2 'leaves no step' best --warmup 2999
expect_err 'a fall that is too slow' 2 'does not fit' best --fall 2900
expect_err 'an open value that may not be' 2 'a [?] stands for' best --family 'cosine:base=?'
expect_err 'an unknown family' 2 'unknown kind' best --family sine
expect_err 'no fit' 2 'no fit given' thalweg schedule --steps 10 --peak 1
expect_err 'not a fit' 3 'lr.csv' thalweg schedule lr.csv --steps 10 --peak 1

done_testing
