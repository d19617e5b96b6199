#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Tables of runs through the command: fit, forecast, optimum; on a table made here, and on the
# published ones if they lie beside the project.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets them
shared=${TW_SHARED:-$root/../shared}/data/scaling
# shellcheck disable=SC2154
cd "$tmp" || exit 1

# 36 runs under E 1.8, A 480, alpha .35, B 2100, beta .37, give or take some 1e-4.
awk 'BEGIN {
    print "name,params,tokens,C,set,loss"
    for (i = 0; i < 36; i++) {
        n = 5e7 * 2 ^ (i % 6); d = 1e9 * 2.5 ^ int(i / 6)
        l = 1.8 + 480 * n ^ -0.35 + 2100 * d ^ -0.37 + ((i * 7919) % 13 - 6) * 1e-4
        printf "r%d,%.9g,%.9g,%.9g,%s,%.9g\n", i, n, d, 6 * n * d, i % 9 == 4 ? "test" : "train", l
    }
}' >runs.csv

# has NAME EXIT PATTERN COMMAND...: a line of stdout or stderr matches.
has() {
    what=$1 code=$2 pattern=$3 && shift 3
    if ! run "$code" "$@"; then
        wrong_exit "$what"
    elif cat "$tmp/out" "$tmp/err" | grep -Eq -e "$pattern"; then
        report 0 "$what"
    else
        report 1 "$what"
        echo "# $what: no line matches $pattern in:" >&2
        comment "$tmp/out" "$tmp/err"
    fi
}
# within NAME WANT TOLERANCE GOT
within() {
    awk -v a="$2" -v t="$3" -v b="$4" 'BEGIN { d = a - b; exit !(b != "" && d * d <= t * t) }'
    status=$?
    report $status "$1"
    [ $status -eq 0 ] || echo "# $1: got '$4', want $2 to $3" >&2
}
# value NAME: a parameter in the table that was printed last.
value() { awk -v name="$1" '$1 == name { print $2; exit }' "$tmp/out"; }
objective() { sed -n 's/^objective \([^;]*\);.*/\1/p' "$tmp/out"; }
fit() { thalweg fit chinchilla "$@"; }
either() { quick chinchilla "$@" || :; } # converged or not
quick() { thalweg fit "$@" -b 0 --profile=none; }

# ---- fitting ------------------------------------------------------------------------------------

expect_err 'columns are found by their other names' 0 '36 runs, loss .loss.*: 0 without' \
    quick chinchilla runs.csv
within 'E comes back' 1.8 0.02 "$(value E)"
within 'alpha too' 0.35 0.02 "$(value alpha)"
within 'and beta' 0.37 0.02 "$(value beta)"
whole=$(objective)
expect_out 'all starts agree' 0 '16 of 16 starts agree' quick chinchilla runs.csv
has 'a guess is said' 0 'N is column params' quick chinchilla runs.csv

awk -F, -v OFS=, 'NR == 1 { $2 = "size"; $3 = "seen" } 1' runs.csv >other.csv
has 'unknown names are refused' 3 'other.csv: no column for parameters; name it with --column; there are: name, size' \
    quick chinchilla other.csv
expect '--column names them' 0 - quick chinchilla other.csv --column=N=size --column=D=seen
within 'and the fit is the same' "$whole" 0 "$(objective)"
has '--column of another input' 2 '--column=X=size: expected INPUT=..., an input of the law chinchilla' \
    fit other.csv --column=X=size
has '--column of a column that is not there' 3 'no column for parameters' \
    fit runs.csv --column=N=sizes

awk -F, -v OFS=, '{ $3 = ""; sub(/,,/, ","); print }' runs.csv >flops.csv
has 'tokens are made from FLOPs' 0 'no column for training tokens: taken as C / \(6 N\)' \
    quick chinchilla flops.csv
expect 'so they fit' 0 - quick chinchilla flops.csv
within 'nearly the same' 0.37 0.02 "$(value beta)"

awk -F, -v OFS=, 'NR > 1 { $2 /= 1e9; $3 /= 1e9 } 1' runs.csv >billions.csv
has 'units are doubted' 0 'N is 1.6 at most: is it in millions or billions' quick chinchilla billions.csv
expect '--scale puts them right' 0 - quick chinchilla billions.csv --scale=N=1e9 --scale=D=1e9
within 'to rounding' "$whole" 1e-8 "$(objective)"
has 'a scale must be a number' 2 '--scale=N=x: expected a positive number' \
    fit billions.csv --scale=N=x

has '--where leaves out the rest' 0 '32 runs, .* 0 without a finite loss, 4 by --where' \
    quick chinchilla runs.csv --where=set=train
has '--where of no column' 2 '--where=sets=train: expected COLUMN=VALUE, a column of runs.csv' \
    fit runs.csv --where=sets=train
has '--where that nothing meets' 3 'no run is left of 36 rows' fit runs.csv --where=set=none

{ cat runs.csv; printf 'bad,1e8,1e9,0,train,99\nnan,1e8,1e9,0,train,nan\nblank,1e8,1e9,0,train,\n'; } \
    >outliers.csv
has 'losses that are not finite are counted' 0 '37 runs, .* 2 without a finite loss' \
    quick chinchilla outliers.csv
expect '--drop-highest' 0 - quick chinchilla outliers.csv --drop-highest=1
within 'leaves out the one' "$whole" 0 "$(objective)"
{ cat runs.csv; sed -n 2,4p runs.csv; } >twice.csv
has 'repeated rows are noticed' 0 'warning: twice.csv: 3 rows repeat an earlier one: such runs count twice' \
    quick chinchilla twice.csv
grep -e ',50000000,' -e '^name' runs.csv >one.csv
has 'tables of one size are called so' 0 'warning: all runs have one N: A and alpha' \
    either one.csv

# ---- errors ----------------------------------------------------------------------------------

sed '5s/,[0-9.]*$/,x/' runs.csv >word.csv
has 'a loss that is a word' 3 "word.csv: line 5: 'x' in column loss is not a number" fit word.csv
sed '7s/^r5,[^,]*/r5,-3/' runs.csv >negative.csv
has 'a negative size' 3 "negative.csv: line 7: '-3' in column params: parameters must be a positive" \
    fit negative.csv
has 'a lost file' 3 'none.csv: No such file' fit none.csv
head -4 runs.csv >few.csv
has 'too few runs' 4 '3 points cannot determine the 5 parameters of the law chinchilla' fit few.csv
head -2 runs.csv >single.csv
has 'one run is no runs' 4 '1 point cannot determine the 5 parameters' fit single.csv
grep -q 'single.csv: 1 run, loss' "$tmp/err"
report $? 'and is counted as one'
cat runs.csv >once.csv && sed -n 5p runs.csv >>once.csv
has 'one row comes again' 0 'warning: once.csv: 1 row repeats an earlier one' quick chinchilla once.csv
head -1 runs.csv >head.csv
has 'no runs' 3 'head.csv' fit head.csv
has 'a loss to name' 3 'no column for foo; name it with --y' fit runs.csv --y=foo
has 'a parameter must lie in its range' 2 '--fix=alpha=0: alpha lies between' \
    fit runs.csv --fix=alpha=0

# ---- files and JSON ------------------------------------------------------------------------------

expect_json 'JSON of a fit' 0 fit runs.csv -b 20 --json
expect 'a fit is kept' 0 - fit runs.csv -b 100 --where=set=train -o f.h5
expect_out 'and read again' 0 '^ *1e\+10 +1e\+12 ' thalweg forecast f.h5 --run=N=1e10,D=1e12
truth=$(awk 'BEGIN { printf "%.4f", 1.8 + 480 * 1e10 ^ -0.35 + 2100 * 1e12 ^ -0.37 }')
within 'as what it was made from' "$truth" 0.01 "$(awk 'NR == 2 { print $3 }' "$tmp/out")"
has 'far runs are warned of' 0 'N = 1e\+10 is 6 times|D = 1e\+12 is 10 times' \
    thalweg forecast f.h5 --run=N=1e10,D=1e12
expect_json 'JSON of a forecast' 0 thalweg forecast f.h5 --run=N=1e10,D=1e12 --json
has 'runs left out are scored' 0 '^runs +4 ' thalweg forecast f.h5 --against=runs.csv --where=set=test
! grep -q 'took part' "$tmp/err"
report $? 'they took no part in the fit'
has 'runs that did are told' 0 'runs: 32 of its 36 points took part in the fit' \
    thalweg forecast f.h5 --against=runs.csv
has 'a run lacks an input' 2 "run 'N=1e10': D= \(training tokens\) is missing" \
    thalweg forecast f.h5 --run=N=1e10
has 'a run has too many' 2 "run 'N=1,D=2,x=3': expected INPUT=NUMBER" \
    thalweg forecast f.h5 --run=N=1,D=2,x=3
expect_out 'the optimum of a budget' 0 '^1e\+21 ' thalweg optimum f.h5 --flops=1e21
within 'spends it' 1 0.002 "$(awk 'NR == 2 { print 6 * $2 * $5 / $1 }' "$tmp/out")"
expect_json 'JSON of an optimum' 0 thalweg optimum f.h5 --flops=1e21 --flops=1e24 --json
has 'a budget is a number' 2 '--flops=-1: expected a positive number' \
    thalweg optimum f.h5 --flops=-1
expect 'a fit of another law' 0 - thalweg fit kaplan runs.csv -b 0 --profile=none -o k.h5
has 'has no optimum' 2 'k.h5: the law kaplan has no optimum' thalweg optimum k.h5 --flops=1e21
expect 'the same table, seed and law' 0 - fit runs.csv -b 100 --where=set=train -o g.h5
expect 'give the same forecast' 0 - sh -c 'thalweg forecast f.h5 --run=N=1e10,D=1e12 >1
    thalweg forecast g.h5 --run=N=1e10,D=1e12 >2; cmp 1 2'

# ---- how runs are drawn, and how many more ----------------------------------------------------------

expect_out 'enough configurations are drawn as cases' 0 'replicates of the case bootstrap, 0 failed; 36 runs of 36' \
    fit runs.csv -b 50
awk -F, 'NR == 1 || NR % 2 == 0' runs.csv >half.csv
expect_out 'few are drawn wild' 0 'replicates of the wild-cluster bootstrap, .*; 18 runs of 18 conf.*few, so' \
    fit half.csv -b 50
expect_out 'or as asked' 0 'of the case bootstrap' fit half.csv -b 50 --resample case
expect_out 'clusters by a column' 0 'wild-cluster .*; 36 runs of 6 configurations' \
    fit runs.csv -b 50 --cluster params
expect_out 'drawn whole' 0 'case .*; 36 runs of 6 configurations, each drawn whole' \
    fit runs.csv -b 50 --cluster tokens --resample case
has 'no such column' 3 'no column for nonsense; name it with --cluster' fit runs.csv --cluster nonsense
expect_out 'what is identified' 0 '^identified by these data: all of E, A, alpha, B, beta$' \
    fit runs.csv -b 50
expect_out 'and what is not' 0 '^these data do not tell the parameters apart|^A is not identified by these data' \
    either one.csv
expect_out 'how many more runs' 0 '^alpha: its interval is [0-9.]* wide with 36 runs; for 0.001 about [0-9]+ more' \
    fit runs.csv -b 100 --want alpha=0.001 --want E=9
expect_out 'or none' 0 '^E: .*: narrow enough for 9$' fit runs.csv -b 100 --want alpha=0.001 --want E=9
expect_json 'as JSON' 0 fit runs.csv -b 50 --want E=0.1 --json
has 'want what' 2 '--want=E: expected NAME=WIDTH' fit runs.csv --want E
has 'want whom' 2 "--want: 'e' is no parameter" fit runs.csv --want e=1
has 'points are not runs' 2 '--want counts runs, and mpl is a law of curves' \
    thalweg fit mpl runs.csv --want alpha=1

for alias in '--params 1e10 --tokens 1e12' '--params 1e10 --flops 6e22' '--tokens 1e12 --flops 6e22'; do
    # shellcheck disable=SC2086  # words
    expect "forecast $alias" 0 - sh -c "thalweg forecast f.h5 --run=N=1e10,D=1e12 >1
        thalweg forecast f.h5 $alias >2; cmp 1 2"
done
thalweg optimum f.h5 --flops=1e24 >opt 2>&1
run 0 thalweg forecast f.h5 --flops=1e24
within 'compute alone is spent best' "$(awk 'NR == 2 { print $11 }' opt)" 5e-5 \
    "$(awk 'NR == 2 { print $3 }' "$tmp/out")"
expect_out 'runs that a forecast wants' 0 "^run 1: the law's loss is known to .* 32 runs; for 0.0001 about" \
    thalweg forecast f.h5 --params 1e10 --tokens 1e12 --want 0.0001
expect_json 'their JSON' 0 thalweg forecast f.h5 --params 1e10 --tokens 1e12 --want 0.1 --json
has 'one is missing' 2 'takes D .training tokens., which what was given' \
    thalweg forecast f.h5 --params 1e10
has 'one too many' 2 'one too many: C = 6 N D' \
    thalweg forecast f.h5 --params 1 --tokens 1 --flops 6

# ---- figures -----------------------------------------------------------------------------------------

if command -v gnuplot >/dev/null; then
    for figure in iso-loss reducible agreement; do
        expect "figure $figure" 0 - thalweg plot f.h5 --figure "$figure" -o "$figure.svg"
        grep -q '</svg>' "$figure.svg"
        report $? "is a picture of $figure"
    done
    expect 'the law has its own' 0 - thalweg plot f.h5 -o own.svg
    cmp -s own.svg iso-loss.svg
    report $? 'which is the first'
    grep -q "title 'optimum'" iso-loss.gp
    report $? 'lines of equal loss with the optimum'
    # The data of the line named optimum obey the law's own optimum.
    awk '/^# layer/ { on = /optimum/ } on && NF == 2 && $1 + 0 > 0 { print 6 * $1 * $2, $1; exit }' \
        iso-loss.dat >point
    thalweg optimum f.h5 --flops="$(cut -d' ' -f1 point)" >opt 2>&1
    within 'which is right' "$(cut -d' ' -f2 point)" 1e4 "$(awk 'NR == 2 { print $2 }' opt)"
    awk '/^# layer/ { on = /runs/ } on && NF >= 2 && $1 + 0 > 0' reducible.dat | wc -l >rows
    within 'every run is in the reducible loss' 32 0 "$(cat rows)"
    has 'equal compute needs runs of it' 2 'no four runs were made at one budget' \
        thalweg plot f.h5 --figure isoflop -o x.svg
    awk 'BEGIN { print "N,D,loss"; for (c = 1e18; c < 5e18; c *= 2) for (i = 0; i < 6; i++) {
        n = 5e7 * 2 ^ i; d = c / 6 / n
        printf "%.9g,%.9g,%.9g\n", n, d, 1.8 + 480 * n ^ -0.35 + 2100 * d ^ -0.37 + (i % 3) * 1e-4 } }' \
        >valleys.csv
    expect 'equal compute' 0 - fit valleys.csv -b 0 --figure isoflop --plot=v.svg
    within 'three valleys' 3 0 "$(grep -c 'FLOPs$' v.dat)"
    grep -q ' 1e18 FLOPs$' v.dat
    report $? 'the first is 1e18, not 10.0e17'
    expect_json 'best allocation' 0 thalweg optimum f.h5 --flops 1e21 --flops 1e24 --plot=o.svg --json
    grep -q '</svg>' o.svg
    report $? 'is a picture'
    has 'a law without optimum' 2 'the law kaplan has iso-loss, agreement' \
        thalweg plot k.h5 --figure reducible -o x.svg
else
    skip 'figures' 'no gnuplot'
fi
has 'a figure of curves' 2 'the law mpl has none of these' \
    thalweg fit mpl runs.csv --figure iso-loss --plot=x.svg
has 'a figure must have a format' 2 'a figure ends in' thalweg optimum f.h5 --flops 1e21 --plot=x.txt

# ---- other laws ---------------------------------------------------------------------------------

has 'power: which column is x' 0 'x is taken from column C; params could be meant|x is taken from' \
    quick power runs.csv
expect 'power: no constant' 0 - quick power runs.csv --column=x=C --fix=Linf=0
within 'is held' 0 0 "$(value Linf)"
awk -F, -v OFS=, 'NR == 1 { print "loss,error" } NR > 1 { print $6, 0.9 - 2 * exp(-0.8 * $6) }' \
    runs.csv >error.csv
expect 'error-exp: its own column' 0 - quick error-exp error.csv
within 'gamma comes back' 0.8 1e-4 "$(value gamma)"
has 'error-exp: no error there' 3 'name it with --y' thalweg fit error-exp runs.csv

# ---- published tables ------------------------------------------------------------------------------

if [ -r "$shared/chinchilla_245.csv" ]; then
    expect 'the published points' 0 - quick chinchilla "$shared/chinchilla_245.csv" --drop-highest=5
    within 'reach the best known objective' 0.00101827402 2e-11 "$(objective)"
    expect 'all of them' 0 - quick chinchilla "$shared/chinchilla_245.csv"
    within 'do so too' 0.00182601052 2e-11 "$(objective)"
else
    skip 'the published points' 'shared/data/scaling is not there (set TW_SHARED)'
fi
if [ -r "$shared/overtrain_testbed.csv" ]; then
    # Four models at 20 tokens a parameter; the smallest at 320 as well.
    awk -F, 'NR == 1 || $2 == "rpj" && (($7 == 1 && $3 ~ /^d=/) || ($7 == 16 && $3 ~ /^d=96_/))' \
        "$shared/overtrain_testbed.csv" | grep -v '^rpj-d=\(144\|448\)' >five.csv
    expect 'over-trained models' 0 - quick overtraining five.csv --y=loss_c4_val
    within 'E' 1.8366 1e-4 "$(value E)"
    within 'a' 166.2 0.05 "$(value a)"
    within 'b' 366.7 0.05 "$(value b)"
else
    skip 'over-trained models' 'shared/data/scaling is not there (set TW_SHARED)'
fi
done_testing
