#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg fit and forecast: from a log's x to steps when the learning rates are logged.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
cd "$tmp" || exit 1
fit() { thalweg fit annealing -b 0 --profile none --no-model-error --warmup skip "$@"; }

# log NAME=WORD... : a log of a run whose rates halve linearly; see the variables of the program.
log() {
    awk -v first=0 -v every=1 -v n=200 -v unit=1 -v name=step "$@" '
        BEGIN {
            print name ",loss,lr"
            for (k = 0; k < n; k++) {
                s = first + k * every
                lr = 0.01 * (1 - 0.5 * k / n)
                sum += lr * every
                printf "%.10g,%.6f,%.8g\n", s * unit, 2 + 0.5 * sum ^ -0.5 + 0.001 * (k * 7919 % 13), lr
            }
        }' </dev/null
}

# ---- tokens are no steps ------------------------------------------------------------------------
log -v name=tokens -v first=10 -v every=10 -v unit=400000 >tokens.csv
expect_err 'tokens are not taken for steps' 3 \
    'x counts tokens: give --batch=TOKENS_PER_STEP \(or the schedule with batch=\)' fit tokens.csv
expect_err 'with their number a step they are' 0 'rates of 200[01] steps' fit tokens.csv --batch 400000
sed 1s/tokens/samples/ tokens.csv >samples.csv
expect_err 'nor are samples' 3 'give --batch=SAMPLES_PER_STEP' fit samples.csv
log -v name=x -v every=200000 -v first=200000 -v n=20 >unnamed.csv
expect_err 'an x without a name that grows like tokens' 0 \
    'x rises by 2e\+05 .*if it counts tokens or samples' fit --x x unnamed.csv
log -v name=x -v first=1 -v every=1e8 -v n=20 >large.csv
expect_err 'too many steps' 3 'give the units per step \(--batch' fit --x x large.csv

# ---- what one constant rate cannot tell ------------------------------------------------------------
constant=$data/loss-curves/constant-seed1.csv
expect_out 'C is not determined by a constant rate' 0 '^C .*not determined' thalweg fit annealing -q \
    -b 20 --from 300 "$constant" -o flat.h5
expect_out 'nor is its memory' 0 '^lambda .*not determined' fit -q --from 300 "$constant"
grep -q 'warm-up differences skipped' "$tmp/out"
report $? 'the rise of the warm-up is not taken for annealing'
expect_out 'even where the warm-up is fitted' 0 '^C .*not determined' thalweg fit annealing -q -b 20 \
    --profile none "$constant"
expect_err 'warnings are printed with -q' 0 'warning: no curve.s learning rate changes' fit -q "$constant"
! grep -v warning "$tmp/err"
report $? 'and nothing else is'
expect_err 'a forecast repeats what the fit does not know' 0 'cannot be told apart' \
    thalweg forecast -q flat.h5 -s constant:peak=0.004,total=3000

# ---- a first point before any learning ----------------------------------------------------------
log >zero.csv
expect_err 'points whose rates sum to 0 are left out' 0 '1 of 200 points are left out' \
    fit "zero.csv@constant:peak=0.01,warmup=5,ramp=s/w,total=200"

# ---- steps counted from 1, from 0 -----------------------------------------------------------------
log -v first=1 >one.csv
expect_err 'logged rates from 1 are those of 200 steps' 0 "rates of 200 steps from 'lr'" fit one.csv
grep -v '^one ' "$tmp/out" >one.txt
expect_err 'as are those from 0' 0 "rates of 200 steps from 'lr'" fit zero.csv
grep -v '^zero ' "$tmp/out" >zero.txt
expect 'and it is the same fit' 0 - diff one.txt zero.txt
grep -q '^L0 ' one.txt
report $? 'which has been printed'
cut -d , -f 1,3 one.csv >rates.csv
expect_err 'a file of rates from 1' 0 "rates of 200 steps from 'file:rates.csv'" \
    fit one.csv@file:rates.csv
! grep -q 'are left out' err
report $? 'loses no point'
hint='seems to count its steps from 1, the schedule from 0: if so, add base=1 to'
expect_err 'a log that counts from 1' 0 "one: the log $hint 'linear:peak=0.01,total=200,end=0.005'" \
    fit one.csv@linear:peak=0.01,total=200,end=0.005
expect_err 'its last step, too, is said to be lost' 0 '1 of 200 points lie past 199, the last step' \
    fit one.csv@linear:peak=0.01,total=200,end=0.005
log -v first=10 -v every=10 -v n=20 >tens.csv
expect_err 'a log every ten steps that ends one past the schedule' 0 "$hint" \
    fit tens.csv@linear:peak=0.01,total=200,end=0.005
for base in 0 1; do
    expect "with base=$base" 0 - fit "one.csv@linear:peak=0.01,total=200,end=0.005,base=$base"
    ! grep -q 'count its steps from 1' err
    report $? 'there is nothing to say'
done
! grep -q 'are left out' err
report $? 'with base=1 no point is left out'
expect_err 'a log from 0 under a schedule from 1 loses a point' 0 \
    '1 of 200 points lie before 1, the first step of' \
    fit "zero.csv@linear:peak=0.01,total=200,end=0.005,base=1"

# ---- losses that follow the last logged rate --------------------------------------------------------
log -v every=5 -v n=40 | awk -F , 'NR == 1 || !(NR % 2) { print; next } { print $1 "," $2 "," }' >sparse.csv
tail -n 1 sparse.csv | grep -q ',$'
report $? 'a log whose last loss has no rate'
expect_err 'the last logged rate holds up to it' 0 "40 points.*; rates of 196 steps from 'lr'" fit sparse.csv
! grep -q 'are left out' err
report $? 'and no point is left out'

# ---- what a file of rates does not say ------------------------------------------------------------
sum='learning rates between logged points may be off: their sum by up to'
printf 'step,lr\n30,0.01\n60,0.002\n90,0.01\n199,0.001\n' >rough.csv
expect_err 'a file of few rates' 0 "warning: file:rough.csv: $sum [0-9.e+]+ %; give more of its rows" \
    fit zero.csv one.csv -s file:rough.csv
[ "$(grep -c "$sum" err)" = 1 ]
report $? 'is warned of once, whatever the number of curves'
[ "$(grep -c "rates of 200 steps from 'file:rough.csv', straight lines between logged points$" err)" = 1 ]
report $? 'each curve is told how its rates were had'
printf 'step,lr\n20,0.01\n25,0.01\n30,0.01\n199,0.002\n' >begin.csv
expect_err 'nor does it say how it began' 0 \
    'warning: file:begin.csv: the log begins 20 steps in; the rates before' fit zero.csv -s file:begin.csv
expect 'a fit to forecast from' 0 - fit zero.csv -o zero.h5
expect_err 'a forecast warns of it too' 0 'warning: file:begin.csv: the log begins 20 steps in' \
    thalweg forecast -q zero.h5 -s file:begin.csv
expect_err 'a file of every rate' 0 "from 'file:rates.csv', logged at every step" fit one.csv@file:rates.csv
! grep -q "warning: file:rates" err
report $? 'is nothing to warn of'

# ---- what counts more often than it should --------------------------------------------------------
cp zero.csv copy.csv
expect_err 'a file given twice' 0 'warning: zero.csv is given twice: its points count twice' \
    fit zero.csv zero.csv
expect_err 'a copy of it' 0 'warning: zero.csv and copy.csv are the same file: its points count twice' \
    fit zero.csv one.csv copy.csv
expect 'two files' 0 - fit zero.csv one.csv
! grep -q 'twice' err
report $? 'do not'
expect_err 'a forecast of what was fitted' 0 \
    'warning: copy: 200 of its 200 points took part in the fit: its scores are no test of the law' \
    thalweg forecast -q zero.h5 --against copy.csv --from 0
expect 'a fit of its first half' 0 - fit zero.csv --to 99 -o half.h5
expect_err 'of which the forecast repeats a part' 0 '50 of its 150 points took part in the fit' \
    thalweg forecast -q half.h5 --against zero.csv --from 50
expect 'and of its second half there is nothing to say' 0 - \
    thalweg forecast -q half.h5 --against zero.csv --from 100
! grep -q 'took part' err
report $? 'nothing is said'
done_testing
