#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg fit on the stored curves: its numbers, its files, and how it reads schedules. What it
# says of bad input is in fit_bad.sh. The golden files hold layout and words, every number as
# '#'; `make golden` makes them anew.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
# shellcheck source=tests/support/curves.sh
. "$here/support/curves.sh"
cd "$curves" || exit 1
export SOURCE_DATE_EPOCH=1700000000

quick='-b 0 --profile none --no-model-error'
# shellcheck disable=SC2086  # words
fit() { thalweg fit annealing $quick "$@"; }
sh_in() { sh -c "$1"; }
hide_numbers='s/[-+]?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/#/g; s/  +/  /g; s/ +$//'
cosine='cosine:peak=0.004,warmup=100,ramp=(s+1)/w,total=3000,end=0.0004'
wsd='wsd:peak=0.004,warmup=100,ramp=(s+1)/w,total=3000,decay=600,end=0.0004'

# ---- numbers: those of analyses/demo-curves/fit.py, which shares no code with the command ------
# seed L0 A alpha C lambda, and PredE of the two curves in per cent
while read -r k l0 a alpha c lambda flat down; do
    json "seed $k is fitted" 0 fit -q --json --warmup skip --from 300 "constant-seed$k.csv" \
        "cosine-seed$k.csv" --schedules schedules.csv
    near "seed $k: L0" result.parameters.L0.value "$l0" 6e-5
    near "seed $k: A" result.parameters.A.value "$a" 6e-5
    near "seed $k: alpha" result.parameters.alpha.value "$alpha" 6e-5
    near "seed $k: C" result.parameters.C.value "$c" 6e-5
    near "seed $k: lambda" result.parameters.lambda.value "$lambda" 6e-6
    near "seed $k: error of the constant run" 'result.curves[0].pred_e' "$flat" 6e-5
    near "seed $k: error of the cosine run" 'result.curves[1].pred_e' "$down" 6e-5
done <<END
1 1.3480 0.7922 0.7182 0.6004 0.98736 0.0036 0.0024
2 1.3161 0.8450 0.6589 0.4613 0.99072 0.0039 0.0031
3 1.2944 0.8054 0.5998 0.3623 0.99296 0.0034 0.0026
END

# ---- the JSON's keys, and what is printed --------------------------------------------------------
all='constant-seed1.csv cosine-seed1.csv wsd-seed1.csv --schedules schedules.csv --from 300'
# shellcheck disable=SC2086
json 'a fit with everything' 0 thalweg fit annealing -q --json -b 50 $all
has 'the keys that scripts rely on' result.law result.objective result.parameters.L0.value \
    result.parameters.A.lo result.parameters.alpha.hi result.parameters.C.value \
    result.parameters.lambda.hi 'result.curves[2].name' 'result.curves[2].role' \
    'result.curves[2].n' 'result.curves[2].mae' 'result.curves[2].rmse' 'result.curves[2].r2' \
    'result.curves[2].pred_e' 'result.curves[2].worst_e' 'result.curves[2].final_error' \
    result.certificate.starts result.certificate.share_at_optimum result.certificate.condition \
    result.certificate.at_bounds command version seconds warnings
has 'the keys of the manual page' result.loss result.warmup 'result.warmup_score[1]' \
    result.parameters.alpha.fixed result.parameters.alpha.profile_lo \
    result.parameters.alpha.profile_hi result.parameters.alpha.inflation \
    'result.curves[0].path' 'result.curves[0].series' 'result.curves[0].schedule' \
    'result.curves[0].bias' 'result.curves[0].autocorrelation' 'result.curves[0].left_out_mae' \
    result.certificate.gradient result.certificate.converged result.bootstrap.replicates \
    result.bootstrap.failed result.bootstrap.block 'result.bootstrap.correlation[4][4]' \
    result.model_error.value result.model_error.left_out
page=$root/src/man/thalweg-fit.1.scd
undocumented=$(cut -f 1 "$tmp/flat" | sed -n 's/\[[0-9]*\]//g; s/^result\.//p' | tr . '\n' |
    sort -u | while read -r key; do
        case $key in L0 | A | alpha | C | lambda) continue ;; esac
        grep -q -e "[_,{.]${key}[],}_.[]" "$page" || printf ' %s' "$key"
    done)
[ -z "$undocumented" ]
report $? 'every key is in the manual page'
[ -z "$undocumented" ] || echo "# not in thalweg-fit.1.scd:$undocumented" >&2
is 'three curves can be left out in turn' result.model_error.left_out 3
is 'a curve of a fit is a training curve' 'result.curves[1].role' train
near 'the bootstrap has its replicates' result.bootstrap.replicates 50 0
# shellcheck disable=SC2086
expect 'the tables and remarks' 0 "$GOLDEN/fit.txt" \
    sh_in "thalweg fit annealing -b 50 $all 2>&1 | sed -E '$hide_numbers'"
expect_out 'held parameters are marked' 0 '^lambda +0\.99 .*held$' fit -q --fix lambda=0.99 \
    --from 300 cosine-seed1.csv constant-seed1.csv

# ---- equal runs, equal files ---------------------------------------------------------------------
for t in 1 2; do
    # shellcheck disable=SC2086
    expect "a file is written ($t)" 0 - \
        sh_in "mkdir '$tmp/$t' && cp *seed1.csv schedules.csv '$tmp/$t' && cd '$tmp/$t' && thalweg fit annealing -q -b 50 --seed 7 --threads 2 $all -o fit.h5"
done
expect 'equal runs write equal bytes' 0 - cmp "$tmp/1/fit.h5" "$tmp/2/fit.h5"
# shellcheck disable=SC2086
json 'one thread' 0 thalweg fit annealing -q --json -b 50 --seed 7 --threads 1 $all
grep -v '^seconds' "$tmp/flat" >"$tmp/one"
# shellcheck disable=SC2086
json 'two threads' 0 thalweg fit annealing -q --json -b 50 --seed 7 --threads 2 $all
expect 'have the same numbers' 0 - sh_in "grep -v ^seconds '$tmp/flat' | cmp '$tmp/one'"
# shellcheck disable=SC2086
json 'another seed' 0 thalweg fit annealing -q --json -b 50 --seed 8 $all
expect 'has another bootstrap' 1 - sh_in "grep -v ^seconds '$tmp/flat' | cmp -s '$tmp/one'"
expect_out 'the file says what it is' 0 '^kind +fit' thalweg info "$tmp/1/fit.h5"
expect 'its inputs have not changed' 0 - sh_in "cd '$tmp/1' && thalweg info --check fit.h5"
says 'a file that is there is kept' 3 'fit.h5 exists; use --force to replace it' \
    fit -q cosine-seed1.csv -o "$tmp/1/fit.h5"
expect 'and nothing is computed before that is told' 0 - test ! -s "$tmp/out"
expect 'it is as it was' 0 - cmp "$tmp/1/fit.h5" "$tmp/2/fit.h5"
expect '--force replaces it' 0 - fit -q --from 300 cosine-seed1.csv constant-seed1.csv \
    -o "$tmp/1/fit.h5" --force

# ---- where rates come from ------------------------------------------------------------------------
# objective NAME COMMAND...: of a fit without its warm-up rule
objective() {
    what=$1 && shift
    json "$what" 0 fit -q --json --warmup keep --from 300 "$@"
    obtained=$(value result.objective)
}
same() { # NAME
    [ -n "$obtained" ] && [ "$obtained" = "$wanted" ]
    report $? "$1: the same fit"
    [ "$obtained" = "$wanted" ] || echo "# $1: objective '$obtained', expected '$wanted'" >&2
}
two='cosine-seed1.csv wsd-seed1.csv'
objective 'FILE@SPEC' "cosine-seed1.csv@$cosine" "wsd-seed1.csv@$wsd"
wanted=$obtained
# shellcheck disable=SC2086
objective 'a table with specs' $two --schedules schedules.csv && same 'a table with specs'
cat >"$tmp/wide.csv" <<'END'
curve,kind,peak,warmup,ramp,total,end,stage,notes
cosine-seed1,cosine,0.004,100,(s+1)/w,3000,0.0004,,"stage is not for this kind, and empty"
wsd-seed1,wsd,0.004,100,(s+1)/w,3000,0.0004,2400,begins to fall at 2400
END
# shellcheck disable=SC2086
objective 'a table with kinds' $two --schedules "$tmp/wide.csv" && same 'a table with kinds'
tr , '\t' <<'END' | sed 's/;/,/g' >"$tmp/tab.tsv"
# a comment
file,spec
./cosine-seed1.csv,cosine:peak=0.004;warmup=100;ramp=(s+1)/w;total=3000;end=0.0004

elsewhere/wsd-seed1.csv,wsd:peak=0.004;warmup=100;ramp=(s+1)/w;total=3000;decay=600;end=0.0004
END
# shellcheck disable=SC2086
objective 'a table with tabs' $two --schedules "$tmp/tab.tsv" && same 'a table with tabs'
objective 'an @SPEC goes before the table' "cosine-seed1.csv@$cosine" \
    "wsd-seed1.csv@wsd:peak=0.004,total=3000,decay=300,end=0.0004" --schedules schedules.csv
[ "$obtained" != "$wanted" ]
report $? 'and gives another fit'
objective 'one curve, FILE@SPEC' "cosine-seed1.csv@$cosine" --fix lambda=0.99
wanted=$obtained
objective '--schedule' cosine-seed1.csv --schedule "$cosine" --fix lambda=0.99 && same '--schedule'
objective 'standard input' - -s "$cosine" --fix lambda=0.99 <cosine-seed1.csv && same 'standard input'
gzip -c cosine-seed1.csv >"$tmp/cosine-seed1.csv.gz"
objective 'gzip' "$tmp/cosine-seed1.csv.gz" --schedules schedules.csv --fix lambda=0.99 && same 'gzip'
{
    echo tokens,val_loss
    awk -F , '/^[0-9]/ { print $1 * 2048 "," $4 }' cosine-seed1.csv
} >"$tmp/tokens.csv"
objective 'tokens' "$tmp/tokens.csv@$cosine,batch=2048" --fix lambda=0.99 --from 614400 && same 'tokens'
cp cosine-seed1.csv "$tmp/lr0.1.csv" && cp wsd-seed1.csv "$tmp/lr0.2.csv"
printf 'curve,spec\nlr0.1,"%s"\nlr0.2,"%s"\n' "$cosine" "$wsd" >"$tmp/dots.csv"
json 'a dot in a name is part of it' 0 fit -q --json --from 300 "$tmp/lr0.1.csv" "$tmp/lr0.2.csv" \
    --schedules "$tmp/dots.csv"
is 'so that each curve has its own row' 'result.curves[1].schedule' "$wsd"

expect_err 'logged rates: what was used is said' 0 \
    "constant-seed1: csv, 'val_loss' over 'step' 19 to 2999, 150 points; rates of 3000 steps from 'lr', straight lines between logged points, exact here" \
    fit constant-seed1.csv --fix lambda=0.99 --fix C=1
expect_err 'logged rates that may be off are warned of' 0 \
    'warning: cosine-seed1: learning rates .* by up to 0\.13 %; give the schedule \(cosine-seed1.csv@KIND' \
    fit cosine-seed1.csv --from 300 --fix lambda=0.99
awk -F , '!/^#/ { print $1 "," ($1 == "step" ? "lr" : 0.004) }' cosine-seed1.csv >"$tmp/rates.csv"
expect_err 'rates from a file' 0 "rates of 3000 steps from 'file:$tmp/rates.csv'" \
    fit "cosine-seed1.csv@file:$tmp/rates.csv" --from 300 --fix lambda=0.99 -o "$tmp/rates.h5"
expect_out 'which is one of the inputs' 0 'rates\.csv +[0-9a-f]{64}|[0-9a-f]{64}.*rates\.csv|rates\.csv' \
    thalweg info "$tmp/rates.h5"

# ---- which points, which runs ----------------------------------------------------------------------
json '--from, --to' 0 fit -q --json --from 300 --to 2000 cosine-seed1.csv --fix lambda=0.99
is 'take a part' 'result.curves[0].n' 85
json '--every' 0 fit -q --json --every 3 --from 300 cosine-seed1.csv --fix lambda=0.99
is 'takes every third' 'result.curves[0].n' 45
json '--smooth' 0 fit -q --json --smooth 30 --from 300 cosine-seed1.csv constant-seed1.csv
near 'leaves residuals that follow one another' 'result.curves[0].autocorrelation' 0.75 0.2
json '--group' 0 fit -q --json --from 300 --schedules schedules.csv --group constant-seed[123].csv \
    cosine-seed[123].csv
is 'seeds of one schedule become one curve' 'result.curves[0].name' constant
is 'of two schedules, two' 'result.curves[1].name' cosine
is 'and no more' 'result.curves[2].name' ''
{
    echo run,step,lr,val_loss
    awk -F , '/^[0-9]/ { print "down," $1 "," $2 "," $4 }' cosine-seed1.csv
    awk -F , '/^[0-9]/ { print "flat," $1 "," $2 "," $4 }' constant-seed1.csv
} >"$tmp/runs.csv"
json 'several runs in one file' 0 fit -q --json --from 300 "$tmp/runs.csv"
is 'are curves of their own' 'result.curves[1].name' runs:flat
json 'one of them' 0 fit -q --json --from 300 "$tmp/runs.csv" --run 'd*' --fix lambda=0.99
is 'is taken by name' 'result.curves[1].name' ''
printf 'curve,spec\nruns:down,"%s"\nruns:flat,"%s,total=3000"\n' "$cosine" constant:peak=0.004,warmup=100 \
    >"$tmp/two.csv"
json 'a row for each run' 0 fit -q --json --from 300 "$tmp/runs.csv" --schedules "$tmp/two.csv"
is 'gives each its schedule' 'result.curves[1].schedule' constant:peak=0.004,warmup=100,total=3000
if /usr/bin/env python3 -c 'import h5py' 2>/dev/null; then
    python3=python3
elif /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    python3=/usr/bin/python3
else
    python3=
fi
if [ -n "$python3" ]; then
    grep '^[0-9]' cosine-seed1.csv | "$python3" -c '
import sys, h5py
rows = [[float(x) for x in line.split(",")] for line in sys.stdin]
with h5py.File(sys.argv[1], "w") as f:
    for name, j in (("step", 0), ("lr", 1), ("val_loss", 3)):
        f["runs/cosine/log/" + name] = [r[j] for r in rows]
' "$tmp/log.h5"
    objective 'a log in HDF5' "$tmp/log.h5" -s "$cosine" --fix lambda=0.99 && same 'a log in HDF5'
else
    skip 'a log in HDF5' 'no python3 with h5py to make it'
fi

# ---- losses, warm-up, profiles ---------------------------------------------------------------------
both='--from 300 cosine-seed1.csv constant-seed1.csv --schedules schedules.csv'
for loss in squares lad huber; do
    # shellcheck disable=SC2086
    json "--loss $loss" 0 fit -q --json --loss $loss $both
    is 'is recorded' result.loss $loss
    near 'and finds nearly the same law' result.parameters.lambda.value 0.99 0.006
done
# shellcheck disable=SC2086
json '--warmup keep' 0 fit -q --json --warmup keep $both
is 'is taken' result.warmup keep
is 'without a comparison' 'result.warmup_score[0]' null
# shellcheck disable=SC2086
json '--warmup auto' 0 fit -q --json $both
awk -v w="$(value result.warmup)" -v s="$(value 'result.warmup_score[0]')" \
    -v k="$(value 'result.warmup_score[1]')" 'BEGIN { exit w != (k < s ? "keep" : "skip") }'
report $? 'takes the convention with the better score'
# shellcheck disable=SC2086
json '--profile all' 0 fit -q --json --profile all $both
has 'has five profiles' result.parameters.L0.profile_lo result.parameters.A.profile_lo \
    result.parameters.alpha.profile_lo result.parameters.C.profile_lo \
    result.parameters.lambda.profile_lo
# shellcheck disable=SC2086
json '--profile A,C' 0 fit -q --json --profile A,C $both
has 'has those two' result.parameters.A.profile_lo result.parameters.C.profile_hi
is 'and no other' result.parameters.alpha.profile_lo ''
# shellcheck disable=SC2086
json '--fix' 0 fit -q --json --fix lambda=0.99 --fix alpha=0.7 $both
is 'holds a parameter' result.parameters.alpha.value 0.69999999999999996
is 'and says so' result.parameters.lambda.fixed true

# A wrong schedule drives C to zero: no minimum, but nothing that stopped early either.
expect_err 'a parameter at an end of its range is a warning' 0 \
    'warning: .*lambda ran to an end of its range: these curves do not determine it' fit --from 300 \
    --warmup keep "cosine-seed1.csv@$cosine" "wsd-seed1.csv@wsd:peak=0.004,total=3000,decay=300,end=0.0004"

# ---- figures --------------------------------------------------------------------------------------
if command -v gnuplot >/dev/null; then
    # shellcheck disable=SC2086
    json 'both figures' 0 thalweg fit annealing -q --json -b 50 $both --plot "$tmp/f.svg" \
        --profile-plot "$tmp/p.svg"
    is 'the first is named' result.figure "$tmp/f.svg"
    is 'the second too' result.profile_figure "$tmp/p.svg"
    expect 'x in tokens' 0 - fit -q "$tmp/tokens.csv@$cosine,batch=2048" --fix lambda=0.99 \
        --from 614400 --plot "$tmp/tokens.svg"
    expect 'is named so' 0 - grep -q 'tokens or samples' "$tmp/tokens.gp"
    expect 'both are there' 0 - test -s "$tmp/f.svg" -a -s "$tmp/p.svg"
else
    skip 'both figures' 'no gnuplot'
fi
done_testing
