#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg compare-laws on the stored curves: annealing beats the power law of steps.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets data and tmp
curves=$data/loss-curves
three="$curves/wsd-seed1.csv $curves/cosine-seed1.csv $curves/constant-seed1.csv"
compare() { thalweg compare-laws --from 300 "$@"; }

# shellcheck disable=SC2086  # three words
{
    expect_out 'annealing predicts a curve left out better' 0 \
        '^annealing predicts held-out curves better than steps: 0\..*AICc agrees, BIC agrees' \
        compare --laws steps,annealing $three
    expect_out 'three curves are too few for an interval' 0 'an interval needs 6 schedules, not 3' \
        compare --laws steps,annealing $three
    expect_out 'it continues curves better too' 0 \
        '^annealing predicts the held-out ends of the curves better than steps: 0\.' \
        compare --laws steps,annealing --hold-out tail $three
    expect_json 'JSON' 0 compare --json -q --laws steps,annealing $three
}
expect_out 'all of them: an interval' 0 \
    '^annealing .* better than steps.*95 % interval (0\.[1-9]|[1-9])' \
    compare --laws steps,annealing "$curves"/*-seed1.csv
expect_out 'one row of the table a law' 0 '^steps +7/7 ' \
    compare --laws steps,annealing "$curves"/*-seed1.csv
expect_err 'seeds go together' 0 '4 curves of 2 schedules' \
    compare --laws steps "$curves"/cosine-seed[12].csv "$curves"/wsd-seed[12].csv
expect_out 'what cannot be told is said' 0 'annealing cannot predict cosine-seed1: no curve.s learning' \
    compare --warmup skip --laws steps,annealing "$curves/constant-seed1.csv" \
    "$curves/cosine-seed1.csv"
expect_out 'and is not counted' 0 'on the 1 of 2 schedules that both could predict' \
    compare --warmup skip --laws steps,annealing "$curves/constant-seed1.csv" \
    "$curves/cosine-seed1.csv"
# The only fall of a rate is in what is held out.
expect_err 'a lower objective is not a lower held-out error' 0 \
    'annealing has the lowest training objective and steps the lowest error' \
    compare --hold-out tail --laws steps,annealing "$curves/constant-seed1.csv" \
    "$curves/wsd-seed1.csv"

# A table of runs of L = 1.8 + 400 N^-0.34 + 1200 D^-0.33 with a ripple.
awk 'BEGIN { print "N,D,loss"
    for (i = 0; i < 5; i++) for (k = 0; k < 7; k++) {
        n = 1e8 * 2 ^ i; d = 1e9 * 2 ^ k
        printf "%g,%g,%.10g\n", n, d,
            (1.8 + 400 * n ^ -0.34 + 1200 * d ^ -0.33) * (1 + 0.001 * sin(7 * i + 3 * k)) } }' \
    >"$tmp/runs.csv"
expect_out 'runs: the largest size' 0 '^chinchilla predicts the held-out largest runs to 0\.' \
    thalweg compare-laws --laws chinchilla "$tmp/runs.csv"

expect_err 'no file' 2 'no file given' thalweg compare-laws
expect_err 'an unknown law' 2 "did you mean 'steps'" thalweg compare-laws --laws step a.csv
expect_err 'a law twice' 2 'steps comes twice' thalweg compare-laws --laws steps,steps a.csv
expect_err 'laws of two kinds' 2 'chinchilla is a law of runs, steps one of curves' \
    thalweg compare-laws --laws steps,chinchilla a.csv
expect_err 'sizes of curves' 2 'the size of its model is not known' \
    thalweg compare-laws --laws steps --hold-out largest "$curves/cosine-seed1.csv"
expect_err 'curves of runs' 2 'is for curves' \
    thalweg compare-laws --laws chinchilla --hold-out curve a.csv
expect_err 'a lost file' 3 'none.csv' thalweg compare-laws "$tmp/none.csv"

# shellcheck disable=SC2086  # three words
expect 'a file is written' 0 - compare -q --laws steps,annealing $three -o "$tmp/cmp.h5"
expect_out 'which says what it is' 0 '^kind  *compare$' thalweg info "$tmp/cmp.h5"
expect_out 'and what is in it' 0 '^/unit/pred_e  *float64  *2 x 3 ' thalweg info "$tmp/cmp.h5"
# shellcheck disable=SC2086
expect_err 'it is not overwritten' 3 'cmp.h5 exists; use --force' \
    compare -q --laws steps,annealing $three -o "$tmp/cmp.h5"
expect_err 'it is no fit' 3 "expected a fit, found a file of kind 'compare'" \
    thalweg forecast "$tmp/cmp.h5" -s constant:peak=0.004,total=3000
expect_err 'it has no profiles' 2 'draws a fit, and .*cmp.h5 is none' \
    thalweg plot --profiles "$tmp/cmp.h5" -o "$tmp/cmp.svg"
if command -v gnuplot >/dev/null; then
    expect 'it is drawn' 0 - thalweg plot -q "$tmp/cmp.h5" -o "$tmp/cmp.svg"
    expect 'law by law' 0 - grep -q '^# measured 2: steps' "$tmp/cmp.dat"
else
    skip 'it is drawn' 'no gnuplot'
fi

done_testing
