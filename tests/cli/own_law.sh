#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A law of the user's own, from --law to the forecast of its file.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets them
shared=${TW_SHARED:-$root/../shared}/data/scaling
# shellcheck disable=SC2154
cd "$tmp" || exit 1

# 36 runs under E 1.8, A 480, a .35, B 2100, b .37, give or take some 1e-4.
awk 'BEGIN {
    print "name,params,tokens,rate,loss"
    for (i = 0; i < 36; i++) {
        n = 5e7 * 2 ^ (i % 6); d = 1e9 * 2.5 ^ int(i / 6)
        l = 1.8 + 480 * n ^ -0.35 + 2100 * d ^ -0.37 + ((i * 7919) % 13 - 6) * 1e-4
        printf "r%d,%.9g,%.9g,%g,%.9g\n", i, n, d, i % 3 - 1, l
    }
}' >runs.csv
law='E + A/N^a + B/D^b'
own() { thalweg fit --law "$law" "$@" runs.csv -b 0 --profile=none; }
objective() { sed -n 's/^objective \([^;]*\);.*/\1/p' "$tmp/out"; }
same() { # NAME WANT GOT
    [ -n "$2" ] && [ "$2" = "$3" ]
    status=$?
    report $status "$1"
    [ $status -eq 0 ] || echo "# $1: got '$3', want '$2'" >&2
}

# ---- fits ---------------------------------------------------------------------------------------

expect 'the law of the table' 0 - thalweg fit chinchilla runs.csv -b 0 --profile=none
known=$(objective)
expect_out 'the same law written down' 0 '16 of 16 starts agree' own
same 'has the same minimum' "$known" "$(objective)"
expect_err 'what is an input is said' 0 "'E \+ A/N\^a \+ B/D\^b': inputs N, D; parameters E, A, a, B, b" \
    own
expect_out 'parameters have a range' 0 '^a +0\.3[0-9]+ +- +- +positive$' own
expect_out '--bound gives another' 0 '^a +0\.3[0-9]+ .* within its bounds$' own --bound a=0:2
same 'with the same minimum' "$known" "$(objective)"
expect_out '--start is a start' 0 '1 of 1 start agrees' own --start a=0.3 --start b=0.5
same 'for the same minimum' "$known" "$(objective)"
expect_err 'a bound that is in the way' 0 'warning: a ran to an end of its range.*--bound' \
    own --bound a=0.1:0.2
expect_out '--fix holds' 0 '^a +0\.35 .* held$' own --fix a=0.35
expect_out '--residual=linear' 0 '^squares on loss; ' own --residual=linear
# The column rate is 0 and -1 in places, and no law of the table would take it.
expect_out 'an input may be any number' 0 '^c +-?[0-9.e-]+ .*any number' \
    thalweg fit --law 'E + A/N^a + B/D^b + c*rate' --bound c=: runs.csv -b 0 --profile=none
expect_json 'JSON' 0 thalweg fit --law "$law" runs.csv -b 20 --json

# ---- its file ------------------------------------------------------------------------------------

expect 'it is kept' 0 - thalweg fit --law "$law" --bound a=0:2 runs.csv -b 50 -o f.h5
expect_out 'with its expression' 0 '/law_own/expression' thalweg info f.h5
expect_out 'for a forecast' 0 '^1e\+10 +1e\+12 +2\.0[0-9]+ ' thalweg forecast f.h5 \
    --run=N=1e10,D=1e12
expect_out 'and scores' 0 '^runs +36 ' thalweg forecast f.h5 --against=runs.csv
if command -v gnuplot >/dev/null; then
    expect 'and figures' 0 - thalweg plot f.h5 -o f.pdf
else
    skip 'and figures' 'no gnuplot'
fi
expect_err 'an optimum it has not' 2 'the law own has no optimum' thalweg optimum f.h5 --flops=1e21

# ---- comparison -----------------------------------------------------------------------------------

expect_out 'it takes part in a comparison' 0 '^own +5 ' thalweg compare-laws --law "$law" \
    --laws kaplan runs.csv
expect_out 'several do' 0 '^own2 +4 ' thalweg compare-laws --law "$law" --law 'E + A/N^a + B/D^a' \
    runs.csv
expect_err 'laws of curves do not go with it' 2 'own is a law of runs, steps one of curves' \
    thalweg compare-laws --law "$law" --laws steps runs.csv

# ---- mistakes -------------------------------------------------------------------------------------

bad() { thalweg fit --law "$@" runs.csv; }
expect_err 'a mistake has a place' 2 "column 7: expected a number, a name or \(, found '\*'" \
    bad 'E + A/*N'
expect_err 'and a mark' 2 '^thalweg fit:       \^$' bad 'E + A/*N'
expect_err 'an unknown function' 2 "column 5: expected a function .*found 'sin'" bad 'E + sin(N)'
expect_err 'no column among the names' 3 'no column for any name of the expression' bad 'E + A*x'
expect_err 'nothing to find' 2 'every name in it is a column' bad 'params/tokens'
expect_err 'a division by zero' 4 "run 2: division by zero at column 6 of 'E \+ A/rate'" \
    bad 'E + A/rate'
expect_err 'a logarithm of what has none' 4 'run 1: log of -1 at column 7' bad 'E + A*log(rate)'
expect_err 'the loss itself' 2 'column loss is loss and what is fitted as well' bad 'E*loss'
head -4 runs.csv >few.csv
expect_err 'too few points' 4 '3 points cannot determine the 5 parameters of the law own: 2 more' \
    thalweg fit --law "$law" few.csv
expect_err 'two laws at once' 2 'one --law at a time' thalweg fit --law "$law" --law 'E*N' runs.csv
expect_err 'no file' 2 'no file given' thalweg fit --law "$law"
expect_err 'a bound of nothing' 2 "'beta' is no parameter of own; it has E A a B b" own --bound beta=0:1
expect_err 'a bound that is none' 2 '--bound=a=2:1: 2 is not below 1' own --bound a=2:1
expect_err 'half a bound' 2 '--bound=a=1:: expected NAME=LO:HI' own --bound a=1:
expect_err 'a start outside' 2 "--start=a=-1: expected a number inside a's range" own --start a=-1
expect_err 'a bound without a law' 2 '--bound=a=0:1 is for a law of your own: give --law' \
    thalweg fit chinchilla runs.csv --bound a=0:1
expect_err 'residuals without a law' 2 '--residual is for a law of your own' \
    thalweg fit chinchilla runs.csv --residual=log

# ---- figures ---------------------------------------------------------------------------------------

awk 'BEGIN { print "x,y,loss"; for (i = 0; i < 40; i++) {
    x = i % 8 - 3; y = 0.37 * i
    print x "," y "," 2 + 0.1 * x * x + exp(-y / 5) + 1e-3 * (i * 7919 % 13 - 6) } }' >signs.csv
signs() { thalweg fit --law 'E + A*x^2 + B*exp(-y/t)' signs.csv -b 0 --force "$@"; }
expect 'inputs of any sign' 0 - signs --plot=signs.svg
grep -q 'measured loss' signs.svg
report $? 'are drawn as measured against predicted'
expect_err 'as the axes of the other are logarithmic' 2 "not every run's x and y are positive" \
    signs --plot=signs.svg --figure=iso-loss

# ---- published runs --------------------------------------------------------------------------------

if [ -r "$shared/chinchilla_245.csv" ]; then
    expect_out "the paper's points" 0 '^objective 0.001018274; 16 of 16 starts agree' \
        thalweg fit --law "$law" "$shared/chinchilla_245.csv" --drop-highest=5 -b 0 --profile=none
else
    skip "the paper's points" 'shared/data/scaling is not there (set TW_SHARED)'
fi
done_testing
