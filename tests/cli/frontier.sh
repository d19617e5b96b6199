#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# fit chinchilla --approach: the best size without a law, on runs made here whose best sizes are
# known, and on published ones.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets them
shared=${TW_SHARED:-$root/../shared}/data/scaling
# shellcheck disable=SC2154
cd "$tmp" || exit 1

# make ALPHA BETA HALF DRIFT: six budgets of nine sizes over HALF in log N about the best one,
# moved by DRIFT from budget to budget; a ripple of 1e-4.
make_runs() {
    awk -v al="$1" -v be="$2" -v half="$3" -v drift="$4" 'BEGIN {
        print "N,D,loss"
        for (g = 0; g < 6; g++) {
            c = 1e18 * 4 ^ g
            best = (al * 480 / (be * 2100)) ^ (1 / (al + be)) * (c / 6) ^ (be / (al + be))
            for (i = -4; i <= 4; i++) {
                n = best * exp(half * i / 4 + drift * g); d = c / 6 / n
                printf "%.12g,%.12g,%.12g\n", n, d, 1.8 + 480 * n ^ -al + 2100 * d ^ -be + \
                    ((g * 31 + i * 17 + 80) % 7 - 3) * 1e-4
            }
        }
    }'
}
fit() { thalweg fit chinchilla --approach "$@"; }
# value NAME: the number behind it in the table that was printed last.
value() { awk -v name="$1" 'index($0, name " ") == 1 { sub(name, ""); print $1; exit }' "$tmp/out"; }
within() { # NAME WANT TOLERANCE GOT
    awk -v a="$2" -v t="$3" -v b="$4" 'BEGIN { d = a - b; exit !(b != "" && d * d <= t * t) }'
    status=$?
    report $status "$1"
    [ $status -eq 0 ] || echo "# $1: got '$4', want $2 to $3" >&2
}
silent() { # NAME PATTERN: the last command's messages have no such line
    ! grep -E "$2" "$tmp/err" >"$tmp/diff"
    status=$?
    report $status "$1"
    [ $status -eq 0 ] || comment "$tmp/diff"
}

# ---- parabolas ----------------------------------------------------------------------------------

make_runs 0.34 0.34 1 0 >even.csv
expect_out 'budgets are found' 0 'at 6 budgets; 95 % intervals' fit 2 even.csv -b 200
within 'equal exponents: a half' 0.5 0.005 "$(value a)"
silent 'and no warning' warning
make_runs 0.42 0.28 1.3 0 >uneven.csv
expect_err 'other exponents bias the minimum' 0 \
    "alpha - beta = 0\.1[0-9]* .*not 0: where they differ, a parabola's minimum is above the best" \
    fit 2 uneven.csv -b 200
make_runs 0.28 0.42 1.3 0 >other.csv
expect_err 'to the other side' 0 "alpha - beta = -0\.1.* a parabola's minimum is below the best" \
    fit 2 other.csv -b 200
make_runs 0.34 0.34 2.4 0.38 >drift.csv
expect_err 'off-centre sizes are warned of' 0 '[1-6] of 6 budgets have their minimum more than half' \
    fit 2 drift.csv -b 0
expect_err 'wide ones too' 0 'the sizes of 6 of 6 budgets span more than a factor of 16' \
    fit 2 drift.csv -b 0
expect_err 'and what they do to the exponent' 0 'would find a = 0\.5[0-9]* at these .*; that surface has 0\.5[0-9]*: a bias' \
    fit 2 drift.csv -b 0
make_runs 0.34 0.34 0.8 0.22 >off.csv
expect_err 'minima outside are left out' 0 '[12] of 6 budgets have no minimum within their sizes' \
    fit 2 off.csv -b 0
expect_out 'and named' 0 'the minimum lies outside the sizes$' fit 2 off.csv -b 0
expect_out 'budgets may be given' 0 'at 3 budgets' \
    fit 2 even.csv --budget 1e18 --budget 1.6e19 --budget 1e21 --tolerance 0.05 -b 0
expect_json 'JSON' 0 fit 2 even.csv -b 50 --json
expect 'the same at any number of threads' 0 - sh -c '
    thalweg fit chinchilla --approach 2 even.csv -b 100 --threads 1 >1
    thalweg fit chinchilla --approach 2 even.csv -b 100 --threads 3 >3; cmp 1 3'
if command -v gnuplot >/dev/null; then
    expect_err 'the valleys are drawn' 0 'drew v.pdf' fit 2 even.csv -b 0 --plot=v.pdf
    grep -q '1.0e18 FLOPs' v.gp
    report $? 'with their budgets'
else
    skip 'the valleys are drawn' 'no gnuplot'
fi

# ---- curves --------------------------------------------------------------------------------------

awk 'BEGIN {
    print "N,D,loss"
    for (s = 0; s < 12; s++) for (i = 0; i < 12; i++) {
        n = 1e7 * 1.6 ^ s; d = 2 * n * 1.7 ^ i
        printf "%.9g,%.9g,%.9g\n", n, d, 1.8 + 480 * n ^ -0.34 + 2100 * d ^ -0.34
    }
}' >curves.csv
expect_out 'the lowest curves' 0 'the best of 12 curves at 1500 budgets' fit 1 curves.csv -b 100
within 'a half too' 0.5 0.02 "$(value a)"
expect_err 'the ends are left out' 0 'the smallest size was best at .* the line leaves them out' \
    fit 1 curves.csv -b 0
expect_json 'JSON of curves' 0 fit 1 curves.csv -b 20 --json

# ---- mistakes ------------------------------------------------------------------------------------

expect_err 'another law' 2 '--approach=2 is for the law chinchilla' \
    thalweg fit kaplan --approach=2 even.csv
expect_err 'nothing to keep' 2 '-o: approach 2 finds the best sizes and no law' fit 2 even.csv -o f.h5
expect_err 'nothing to hold' 2 '--fix: approach 1' fit 1 curves.csv --fix=E=1
expect_err 'a budget of approach 3' 2 '--budget is for --approach=2' fit 3 even.csv --budget 1e18
expect_err 'a budget that is none' 2 '--budget=x: expected a positive number' \
    fit 2 even.csv --budget x
expect_err 'a budget without runs' 4 'no run within 10 % of the budget 1e\+30' \
    fit 2 even.csv --budget 1e30
expect_err 'one run a size is no curve' 4 'no budget is reached by training curves of two sizes' \
    fit 1 even.csv
head -9 even.csv >one.csv
expect_err 'one budget is no line' 4 '1 of 1 budgets have a minimum within their sizes: a line needs two' \
    fit 2 one.csv

# ---- published runs --------------------------------------------------------------------------------

# The paper's own approach 2 finds a = 0.49 (0.462 to 0.534).
if [ -r "$shared/chinchilla_245.csv" ]; then
    expect_out "the paper's nine budgets" 0 'at 9 budgets' fit 2 "$shared/chinchilla_245.csv" \
        --budget 6e18 --budget 1e19 --budget 3e19 --budget 6e19 --budget 1e20 --budget 3e20 \
        --budget 6e20 --budget 1e21 --budget 3e21
    within "and the paper's exponent" 0.49 0.01 "$(value a)"
else
    skip "the paper's nine budgets" 'shared/data/scaling is not there (set TW_SHARED)'
fi
if [ -r "$shared/olmo_ladder_190M_1B.csv" ]; then
    expect_out 'training curves of four sizes' 0 'the best of 24 curves' \
        fit 1 "$shared/olmo_ladder_190M_1B.csv" --column=D=tokens --y=loss_c4 -b 0
else
    skip 'training curves of four sizes' 'shared/data/scaling is not there (set TW_SHARED)'
fi
done_testing
