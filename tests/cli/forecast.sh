#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg forecast on the stored curves. The golden file holds layout and words, every number as
# '#'; `make golden` makes it anew.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
# shellcheck source=tests/support/curves.sh
. "$here/support/curves.sh"
cd "$curves" || exit 1
export SOURCE_DATE_EPOCH=1700000000
sh_in() { sh -c "$1"; }
hide_numbers='s/[-+]?[0-9]+(\.[0-9]+)?(e[-+]?[0-9]+)?/#/g; s/  +/  /g; s/ +$//'
wsd='wsd:peak=0.004,warmup=100,ramp=(s+1)/w,total=3000,decay=600,end=0.0004'
fit=$tmp/fit.h5

# ---- numbers: those of analyses/demo-curves/fit.py, which shares no code with the command ------
# seed, then PredE in per cent and R2 of wsd, wsd-linear, wsd-1-sqrt, wsdcon, cosine-long
while read -r k scores; do
    expect "seed $k is fitted" 0 - thalweg fit annealing -q -b 0 --profile none --no-model-error \
        --warmup skip --from 300 "constant-seed$k.csv" "cosine-seed$k.csv" --schedules schedules.csv \
        -o "$tmp/fit$k.h5"
    json "seed $k is forecast" 0 thalweg forecast -q --json "$tmp/fit$k.h5" --from 300 \
        --schedules schedules.csv -a "wsd-seed$k.csv" -a "wsd-linear-seed$k.csv" \
        -a "wsd-1-sqrt-seed$k.csv" -a "wsdcon-seed$k.csv" -a "cosine-long-seed$k.csv"
    i=0
    for score in $scores; do
        near "seed $k, curve $i: PredE" "result.curves[$i].pred_e" "${score%,*}e-2" 6e-5
        near "seed $k, curve $i: R2" "result.curves[$i].r2" "${score#*,}" 6e-5
        i=$((i + 1))
    done
done <<END
1 0.54,0.9945 0.43,0.9965 0.53,0.9949 0.65,0.9953 0.56,0.9965
2 0.56,0.9940 0.45,0.9955 0.54,0.9944 0.83,0.9918 0.60,0.9959
3 0.51,0.9955 0.39,0.9972 0.49,0.9958 0.89,0.9907 0.75,0.9940
END

# ---- with a bootstrap ------------------------------------------------------------------------------
expect 'a fit of three curves' 0 - thalweg fit annealing -q -b 50 --seed 3 --from 300 \
    constant-seed1.csv cosine-seed1.csv wsd-seed1.csv --schedules schedules.csv -o "$fit"
forecast() { thalweg forecast -q "$fit" "$@"; }
json 'schedules and measured curves' 0 forecast --json --from 300 --points 20 -s "$wsd" \
    -s constant:peak=0.004,total=4000 -a wsd-linear-seed1.csv@"$wsd",shape=linear
has 'the keys that scripts rely on' result.law 'result.curves[0].name' 'result.curves[0].role' \
    'result.curves[0].n' 'result.curves[0].mae' 'result.curves[0].rmse' 'result.curves[0].r2' \
    'result.curves[0].pred_e' 'result.curves[0].worst_e' 'result.curves[0].final_error' \
    'result.curves[0].coverage.p68' 'result.curves[0].coverage.p95' result.coverage.p68 \
    result.coverage.p95 result.mean_mae
has 'the keys of the manual page' 'result.curves[1].schedule' 'result.curves[1].at' \
    'result.curves[1].loss' 'result.curves[1].lo68' 'result.curves[1].hi68' \
    'result.curves[1].lo95' 'result.curves[1].hi95' 'result.curves[1].line.x[0]' \
    'result.curves[1].line.loss[0]' 'result.curves[1].line.lo95[19]' \
    'result.curves[1].line.hi68[19]'
page=$root/src/man/thalweg-forecast.1.scd
undocumented=$(cut -f 1 "$tmp/flat" | sed -n 's/\[[0-9]*\]//g; s/^result\.//p' | tr . '\n' |
    sort -u | while read -r key; do
        grep -q -e "[_,{.]${key}[],}_.[]" "$page" || printf ' %s' "$key"
    done)
[ -z "$undocumented" ]
report $? 'every key is in the manual page'
[ -z "$undocumented" ] || echo "# not in thalweg-forecast.1.scd:$undocumented" >&2
is 'a measured curve is for testing' 'result.curves[0].role' test
is 'the schedule of its place was its own' 'result.curves[0].schedule' "$wsd,shape=linear"
is 'the others are forecasts' 'result.curves[1].role' forecast
near 'at their last step' 'result.curves[1].at' 3999 0
awk -v y="$(value 'result.curves[1].loss')" -v a="$(value 'result.curves[1].lo95')" \
    -v b="$(value 'result.curves[1].lo68')" -v c="$(value 'result.curves[1].hi68')" \
    -v d="$(value 'result.curves[1].hi95')" 'BEGIN { exit !(a < b && b < y && y < c && c < d) }'
report $? 'the bands nest'
near 'nearly all points are in the wide band' result.coverage.p95 1 0.06
expect 'the tables and remarks' 0 "$GOLDEN/forecast.txt" sh_in \
    "thalweg forecast '$fit' --schedules schedules.csv -s constant:peak=0.004,total=30000 -s constant:peak=0.004,total=30000 -a wsdcon-seed1.csv -a cosine-long-seed1.csv -s '$wsd' --from 300 2>&1 | sed -E '$hide_numbers'"

# ---- where a curve's schedule comes from ----------------------------------------------------------
json 'the row of a table' 0 forecast --json --points 5 -a wsd-seed1.csv --schedules schedules.csv
is 'is taken' 'result.curves[0].schedule' "$wsd"
mae=$(value result.mean_mae)
json '--schedule of the same place' 0 forecast --json --points 5 -a wsd-seed1.csv -s "$wsd"
is 'is taken, too' 'result.curves[0].schedule' "$wsd"
is 'and is no forecast of its own' 'result.curves[1].name' ''
[ -n "$mae" ] && [ "$(value result.mean_mae)" = "$mae" ]
report $? 'with the same score'
json 'without a schedule' 0 forecast --json --points 5 -a wsd-seed1.csv
is 'the log has the rates' 'result.curves[0].schedule' logged
json '--group' 0 forecast --json --points 5 --group --schedules schedules.csv -a wsd-seed1.csv \
    -a wsd-seed2.csv -a wsdcon-seed1.csv --from 300
is 'averages seeds' 'result.curves[0].name' wsd
is 'and leaves others alone' 'result.curves[1].name' wsdcon-seed1
expect_err 'points before the fit are told' 0 \
    'warning: 15 measured points before x = 319, where the fit begins, count in the scores: leave such points out \(--from=319\)' \
    thalweg forecast "$fit" -a wsd-seed1.csv --schedules schedules.csv --from 0
expect_err 'a far forecast is told' 0 'its learning rates sum to 10\.2 times the largest fitted sum' \
    thalweg forecast "$fit" -s constant:peak=0.004,total=30000
expect_err 'a fit without bootstrap is told' 0 'the bands hold no parameter error' \
    thalweg forecast "$tmp/fit1.h5" -s "$wsd"

# ---- --at, --transfer-residual ---------------------------------------------------------------------
json '--at' 0 forecast --json --at 2000 -s "$wsd"
near 'is the position' 'result.curves[0].at' 2000 0
near 'of the loss' 'result.curves[0].loss' 1.53 0.02
says 'a position past the end' 2 '--at=3000 is no step of this schedule, which runs from 0 to 2999' \
    forecast --at 3000 -s "$wsd"
says 'a position between steps' 2 '--at=2.5 is no step of this schedule' forecast --at 2.5 -s "$wsd"
says 'a negative position' 2 '--at' forecast --at=-1 -s "$wsd"
json '--transfer-residual' 0 forecast --json --from 300 --transfer-residual -a wsd-linear-seed1.csv \
    --schedules schedules.csv
with=$(value result.mean_mae)
json 'and without' 0 forecast --json --from 300 -a wsd-linear-seed1.csv --schedules schedules.csv
awk -v with="$with" -v without="$(value result.mean_mae)" 'BEGIN { exit !(with < without) }'
report $? 'runs with the same data order are forecast better with it'
expect_err 'the correlation is told' 0 "the fitted curves' residuals correlate by 0\.[0-9]+; their mean is added" \
    thalweg forecast "$fit" --transfer-residual -s "$wsd"

# ---- files ------------------------------------------------------------------------------------------
for t in 1 2; do
    expect "a file is written ($t)" 0 - sh_in "mkdir '$tmp/$t' && cp '$fit' wsd-seed1.csv '$tmp/$t' && cd '$tmp/$t' && thalweg forecast -q fit.h5 --threads 2 -a wsd-seed1.csv -o forecast.h5"
done
expect 'equal runs write equal bytes' 0 - cmp "$tmp/1/forecast.h5" "$tmp/2/forecast.h5"
json 'one thread' 0 forecast --json --threads 1 -s "$wsd"
grep -v '^seconds' "$tmp/flat" >"$tmp/one"
json 'two threads' 0 forecast --json --threads 2 -s "$wsd"
expect 'have the same numbers' 0 - sh_in "grep -v ^seconds '$tmp/flat' | cmp '$tmp/one'"
says 'a file that is there is kept' 3 'forecast.h5 exists; use --force to replace it' \
    forecast -s "$wsd" -o "$tmp/1/forecast.h5"
expect 'as it was' 0 - cmp "$tmp/1/forecast.h5" "$tmp/2/forecast.h5"
expect '--force replaces it' 0 - forecast -s "$wsd" -o "$tmp/1/forecast.h5" --force
expect_out 'it holds the fit, and says so' 0 '^kind +forecast' thalweg info "$tmp/1/forecast.h5"
json 'so that it can be forecast from' 0 thalweg forecast -q --json "$tmp/1/forecast.h5" --threads 1 \
    -s "$wsd"
expect 'alike' 0 - sh_in "grep -v ^seconds '$tmp/flat' | cmp '$tmp/one'"
# A parameter that was held is held in the copy.
expect 'a fit with a held parameter' 0 - thalweg fit annealing -q -b 0 --profile none \
    --no-model-error --fix lambda=0.99 --from 300 constant-seed1.csv cosine-seed1.csv -o "$tmp/held.h5"
expect 'is forecast from' 0 - thalweg forecast -q "$tmp/held.h5" -s "$wsd" -o "$tmp/held2.h5"
if command -v h5dump >/dev/null; then
    for f in held held2; do
        h5dump -d /settings/fixed "$tmp/$f.h5" | sed 1d >"$tmp/$f.txt"
    done
    expect 'and the copy says which' 0 - cmp "$tmp/held.txt" "$tmp/held2.txt"
else
    skip 'and the copy says which' 'no h5dump'
fi

# ---- what can be wrong --------------------------------------------------------------------------------
says 'no fit' 2 'no fit given' thalweg forecast
says 'two fits' 2 'one fit at a time' thalweg forecast a b -s "$wsd"
says 'nothing to forecast' 2 'nothing to forecast: give --schedule, --run or --against' forecast
says 'a missing fit' 3 'nowhere.h5: No such file or directory' thalweg forecast nowhere.h5 -s "$wsd"
says 'a log for a fit' 3 "wsd-seed1.csv: expected a fit, a file that 'thalweg fit LAW FILE... -o FIT.h5' writes; this is not an HDF5 file" thalweg forecast wsd-seed1.csv -s "$wsd"
head -c 5000 "$fit" >"$tmp/cut.h5"
says 'a fit cut short' 3 "$tmp/cut.h5" thalweg forecast "$tmp/cut.h5" -s "$wsd"
says 'a slip of a kind' 2 "unknown kind 'wdd'; did you mean 'wsd'?" forecast -s wdd:peak=1
says 'a missing curve' 3 'nowhere.csv: No such file or directory' forecast -a nowhere.csv
says 'a missing table' 3 'nowhere.csv: No such file or directory' forecast -a wsd-seed1.csv \
    --schedules nowhere.csv
says 'one point' 2 '--points' forecast -s "$wsd" --points 1
says 'a figure without a suffix' 2 'a figure ends in .pdf' forecast -s "$wsd" --plot=figure
says 'a missing folder' 3 'no file can be made in nowhere' forecast -s "$wsd" -o nowhere/x.h5
says 'a figure in a missing folder' 3 'nowhere/x.pdf: no file can be made in nowhere' forecast \
    -s "$wsd" --plot=nowhere/x.pdf
echo mine >"$tmp/taken.gp"
says 'a figure over a file of others' 3 'taken.gp is there and is no figure' forecast -s "$wsd" \
    --plot="$tmp/taken.pdf"
grep -q '^wsd:' "$tmp/out"
report $? 'the table is printed all the same'
json 'the JSON too' 3 forecast --json -s "$wsd" --plot="$tmp/taken.pdf"
has 'with the numbers' 'result.curves[0].loss' 'warnings[0]'
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    # hurt NAME WORDS CODE: the fit, changed by a line of Python.
    hurt() {
        cp "$fit" "$tmp/hurt.h5"
        printf 'import h5py, sys, numpy as np\nf = h5py.File(sys.argv[1], "r+")\ndef put(k, v):\n    a = dict(f[k].attrs); del f[k]; f[k] = v\n    for n in a: f[k].attrs[n] = a[n]\n%s\n' \
            "$3" >"$tmp/hurt.py"
        /usr/bin/python3 "$tmp/hurt.py" "$tmp/hurt.h5" || echo "# $1: not made" >&2
        says "hurt: $1" 3 "$2" thalweg forecast -q "$tmp/hurt.h5" -s "$wsd"
    }
    hurt 'another kind' "expected a fit, found a file of kind 'barrier'" 'f.attrs["kind"] = "barrier"'
    hurt 'a newer format' 'newer' 'f.attrs["format_version"] = np.uint8(9)'
    hurt 'a law of the future' "unknown law 'cubic'" 'put("law", np.bytes_("cubic"))'
    hurt 'a parameter that is NaN' "/parameters/value is outside the law's range" 'f["parameters/value"][0] = np.nan'
    hurt 'an infinite memory' "/parameters/value is outside the law's range" 'f["parameters/value"][4] = 1.5'
    hurt 'a parameter too few' '/parameters/value has 4 values, expected 5' 'put("parameters/value", np.ones(4))'
    hurt 'a replicate that is half NaN' '/parameters/replicates' 'f["parameters/replicates"][3, 2] = np.nan'
    hurt 'replicates of another law' '/parameters/replicates' 'put("parameters/replicates", np.ones((50, 4)))'
    hurt 'a curve without points' '/curves/points' 'f["curves/points"][0] = 0'
    hurt 'a count that is none' '/curves/points' 'f["curves/points"][0] = 1.5'
    hurt 'counts that overflow' '/points/x has' 'f["curves/points"][0] = 1e15'
    hurt 'points that are not there' '/points/x has 405 values, expected 406' 'f["curves/points"][0] = 136'
    hurt 'a schedule too long' '/curves/steps' 'f["curves/steps"][0] = 1e9'
    hurt 'a schedule too short' '/curves/rates' 'f["curves/steps"][0] = 2999'
    hurt 'a negative rate' '/curves/rates' 'f["curves/rates"][7] = -1'
    hurt 'a warm-up too long' '/curves/warm_end' 'f["curves/warm_end"][0] = 99999'
    hurt 'no batch' '/curves/batch' 'f["curves/batch"][0] = 0'
    hurt 'names of other curves' '/curves/names has 2 texts, expected 3' \
        'put("curves/names", np.array([b"a", b"b"]))'
    hurt 'steps that go back' '/points/x does not increase' 'f["points/x"][3] = 0'
    hurt 'a residual that is NaN' 'no number' 'f["points/residual"][3] = np.nan'
    hurt 'a loss of zero' 'no number' 'f["points/loss"][3] = 0'
    hurt 'gaps in what was left out' '/points/left_out_residual' 'f["points/left_out_residual"][3] = np.nan'
    hurt 'an infinite model error' '/model_error/value' 'f["model_error/value"][()] = np.inf'
    hurt 'an unknown loss' '/settings/loss' 'put("settings/loss", np.bytes_("cauchy"))'
    hurt 'a missing part' '/points/fitted' 'del f["points/fitted"]'
else
    skip 'fits made by hand' 'no python3-h5py'
fi
done_testing
