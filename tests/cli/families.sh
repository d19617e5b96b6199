#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Families of runs under one law through the command: what they share, how they differ, what one
# saves.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets them
shared=${TW_SHARED:-$root/../shared}/data/scaling
# shellcheck disable=SC2154
cd "$tmp" || exit 1

# table NAME E A B SHIFT: 30 runs with exponents .25 and .22, give or take some 1e-3.
table() {
    awk -v name="$1" -v e="$2" -v a="$3" -v b="$4" -v k="$5" 'BEGIN {
        print "N,D,arch,loss"
        for (i = 0; i < 30; i++) {
            n = 6e7 * 2 ^ (i % 6); d = 1e9 * 3 ^ int(i / 6)
            l = e + a * n ^ -0.25 + b * d ^ -0.22 + (((i + k) * 7919) % 13 - 6) * 1e-3
            printf "%.9g,%.9g,%s,%.9g\n", n, d, name, l
        } }' >"$1.csv"
}
table plain 1.6 95 95 0
table better 1.6 95 80 4
table same 1.6 95 95 7
{ cat plain.csv; sed 1d better.csv; } >both.csv
fit() { thalweg fit chinchilla "$@"; }
# value PARAMETER FAMILY: of the table that was printed last.
value() { awk -v p="$1" -v f="$2" '$1 == p && $2 == f { print $3; exit }' "$tmp/out"; }
within() { # NAME WANT TOLERANCE GOT
    awk -v a="$2" -v t="$3" -v b="$4" 'BEGIN { d = a - b; exit !(b != "" && d * d <= t * t) }'
    status=$?
    report $status "$1"
    [ $status -eq 0 ] || echo "# $1: got '$4', want $2 to $3" >&2
}
shape() { sh -c '"$@" -q | sed "s/[-+]*[0-9][0-9.]*\(e[-+]*[0-9]*\)*/#/g; s/  */ /g; s/ *$//"' sh "$@"; }

# ---- the fit ----------------------------------------------------------------------------------
expect 'shared exponents' 0 - fit plain.csv better.csv --shared alpha,beta -b 200
within 'are those of both' 0.25 0.05 "$(value alpha all)"
within 'B of the one' 1.19 0.05 "$(value B plain | awk -v b="$(value B better)" '{ print $1 / b }')"
expect_out 'a difference is called one' 0 '^B +better .*differ$' \
    fit plain.csv better.csv --shared E,A,alpha,beta -b 200
expect_out 'so is none' 0 '^B +same .*no difference shown' \
    fit plain.csv same.csv --shared alpha,beta -b 200
expect_out 'equal grids are paired' 0 'paired, for the families ran the same grid' \
    fit plain.csv better.csv --shared none -b 20
sed '$d' better.csv >short.csv
expect_out 'others are not' 0 'drawn on their own, for their grids differ' \
    fit plain.csv short.csv --shared none -b 20
run 0 fit plain.csv better.csv --shared alpha -b 50 && mv "$tmp/out" files.txt
expect 'a column tells them apart' 0 - fit both.csv --family arch --shared alpha -b 50
cmp -s files.txt "$tmp/out"
report $? 'as two files do'
expect 'layout' 0 "$GOLDEN/families.txt" shape thalweg fit chinchilla plain.csv better.csv \
    --shared alpha,beta --savings --target-loss 3.2 --at-size 1e9 --at-size 1e10 --budget 1e21 -b 100

# ---- savings ----------------------------------------------------------------------------------
savings() { fit "$@" --shared E,A,alpha,beta --savings -b 200; }
expect_out 'a saving is said' 0 '^tokens: the interval excludes 1 at every size: better needs less than plain' \
    savings plain.csv better.csv --target-loss 3.2
truth=$(awk 'BEGIN { print (95 / 80) ^ (1 / 0.22) }') # D* = (B / what is left)^(1 / beta)
within 'as large as it was made' "$truth" 0.25 "$(awk '$2 == "better" && $5 + 0 > 0 { print $5; exit }' "$tmp/out")"
expect_out 'no saving too' 0 'the interval includes 1 at every size: these runs do not show that same' \
    savings plain.csv same.csv --target-loss 3.2
expect_out 'a loss out of reach' 0 'infeasible +infeasible.* 100 % +100 %' \
    savings plain.csv better.csv --target-loss 1.5
expect_out 'is said to be so' 0 'compute: .*out of reach whatever the compute' \
    savings plain.csv better.csv --target-loss 1.5
expect_json 'JSON' 0 savings plain.csv better.csv --budget 1e21 --json

# ---- files ------------------------------------------------------------------------------------
expect 'a file for each' 0 - fit plain.csv better.csv --shared alpha -b 50 -o out.h5
expect_out 'that optimum reads' 0 '^1e\+21 ' thalweg optimum out-better.h5 --flops 1e21
expect_out 'and forecast' 0 '^ *1e\+10' thalweg forecast out-plain.h5 --run N=1e10,D=1e11
expect_err 'none is overwritten' 3 'out-plain.h5' fit plain.csv better.csv --shared alpha -b 0 -o out.h5

# ---- a law of the user's own ------------------------------------------------------------------
own() { thalweg fit --law 'E + A/N^a + B/D^b' "$@"; }
expect 'families under it' 0 - own plain.csv better.csv --shared a,b -b 50 -o own.h5
within 'are those of the law of the table' 0.25 0.05 "$(value a all)"
expect_out 'a run of one by its names' 0 '^ *7e\+09 +1e\+12' \
    thalweg forecast own-better.h5 --params 7e9 --tokens 1e12
expect_out 'beside one by its inputs' 0 '^ *7e\+09 +1e\+12' \
    thalweg forecast own-better.h5 --run N=1e9,D=1e11 --params 7e9 --tokens 1e12
expect_err 'it has no best size' 2 'the law own takes N .* does not say: give --run=N=' \
    thalweg forecast own-better.h5 --flops 1e24
expect_err 'nor savings' 2 'the law own cannot say what a loss needs' \
    own plain.csv better.csv --shared a,b --savings

# ---- bad input --------------------------------------------------------------------------------
expect_err 'one family' 2 'one family alone: give a file for each' fit plain.csv --shared none
expect_err 'an unknown parameter' 2 "'alhpa' is no parameter of chinchilla; did you mean 'alpha'" \
    fit plain.csv better.csv --shared alhpa
expect_err 'savings of what' 2 'families are compared where --shared' fit plain.csv better.csv --savings
expect_err 'a target for what' 2 'say where --savings compares: give it too' \
    fit plain.csv better.csv --shared none --target-loss 3
expect_err 'a budget for what' 2 '--budget is for --approach=2 and for --savings' \
    fit plain.csv better.csv --shared none --budget 1e21
expect_err 'two questions at once' 2 '--approach=2 finds the best sizes of one table' \
    fit plain.csv better.csv --shared none --approach=2
expect_err 'a family given twice' 0 'warning: plain.csv is given twice' \
    fit plain.csv plain.csv --shared alpha -b 0
expect_err 'a law that cannot say' 2 'the law kaplan cannot say what a loss needs' \
    thalweg fit kaplan plain.csv better.csv --shared none --savings
expect_err 'a law of curves' 2 'families are tables of runs, and mpl is a law of curves' \
    thalweg fit mpl plain.csv better.csv --shared none
expect_err 'no such column' 3 "no column 'arhc' .--family" fit both.csv --family arhc
expect_err 'a size' 2 '--at-size=-1: expected a positive number' \
    fit plain.csv better.csv --shared none --savings --at-size=-1
head -4 better.csv >few.csv
expect_err 'too few runs' 4 'few: .*3 points cannot determine the 5 parameters' \
    fit plain.csv few.csv --shared none

# ---- published tables -------------------------------------------------------------------------
if [ -r "$shared/overtrain_testbed.csv" ]; then
    expect_out 'three data sets' 0 '^E +rw_original .*differ$' fit "$shared/overtrain_testbed.csv" \
        --family train_set --y loss_c4_val --shared alpha,beta -b 200
    within 'under common exponents' 0.244951 1e-5 "$(value alpha all)"
else
    skip 'three data sets' 'shared/data/scaling is not there (set TW_SHARED)'
fi
done_testing
