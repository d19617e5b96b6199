#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg barrier: pairs, files that go on after a kill, matrices, figures.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
a=$data/digits-mlp-1.h5 b=$data/digits-mlp-2.h5
pairs=$root/tests/samples/pairs
barrier() {
    thalweg barrier -q -d "$data/digits.h5" --scale 0.0625 "$@"
}

# value KEY: the number "value" under the first such key of the JSON in $tmp/out.
value() { grep -o "\"$1\":{\"value\":[-0-9.e]*" out | head -n 1 | sed 's/.*://'; }

expect_out 'two models' 0 '^verdict: separated \(error barrier above 2 %\)$' barrier "$a" "$b"
# By PyTorch 1.13.1, 1,001 places on the line, in double precision: 0.407148 at t = 0.496.
expect_json 'JSON' 0 barrier "$a" "$b" --json
value entezari | awk '{ exit !($1 > 0.40710 && $1 < 0.40720) }'
report $? 'the barrier that PyTorch finds'
expect_out 'parts of layers with their residual' 0 'nats: fc1 0\.21[0-9]*, fc2 0\.19[0-9]* \(sum 0\.40[67]' \
    barrier "$a" "$b"
expect 'connected is required' 1 - barrier "$a" "$b" --no-split --require-connected
expect 'and is there' 0 - barrier "$pairs/spawned-1.h5" "$pairs/spawned-2.h5" --no-split \
    --require-connected
expect_out 'too few samples do not decide' 0 'samples would decide' \
    barrier "$a" "$b" --no-split --limit 60 --threshold-error 15
expect_out 'layers alone have no barrier' 0 '^fc2 *[0-9.]* *0 *0 ' barrier "$a" "$b" --swap
expect_out 'curvature' 0 'excess at t = 1/2: 0\.40' barrier "$a" "$b" --no-split --predict
expect_out 'running statistics have a row' 0 'running statistics .* not checked' \
    barrier "$pairs/norm-1.h5" "$pairs/norm-2.h5"
expect_out 'or are measured anew, and then the split is not exact' 0 'not exact' \
    barrier "$pairs/norm-1.h5" "$pairs/norm-2.h5" --bn recalibrate
expect_err 'where there are some' 2 'no running statistics' barrier "$a" "$b" --bn recalibrate
expect_out 'a loss that falls all the way' 0 '^monotone' \
    barrier "$pairs/spawned-0.h5" "$pairs/spawned-1.h5" --mli --no-split
expect_out 'one that does not' 0 '^not monotone: the loss rises by 0\.4' \
    barrier "$a" "$b" --mli --no-split
expect_out 'a fixed grid' 0 ' 11 points, 11 evaluations' barrier "$a" "$b" --no-split --points 11
for threads in 1 2 4; do
    barrier "$a" "$b" --json --threads $threads --limit 700 --swap | sed 's/.*"result"//' >threads$threads
done
expect 'the same bits with one thread and two' 0 - cmp threads1 threads2
expect 'and with four' 0 - cmp threads1 threads4

# Files.
expect 'a result file' 0 - barrier "$a" "$b" -o b.h5 --swap
expect_err 'that is finished' 0 'nothing to compute' \
    thalweg barrier -d "$data/digits.h5" --scale 0.0625 "$a" "$b" -o b.h5 --swap
expect_err 'or of something else' 3 'other models, data or options' barrier "$a" "$b" -o b.h5
expect 'unless forced' 0 - barrier "$a" "$b" -o b.h5 --force --json
cp out whole
# A run that is killed again and again, every few milliseconds more, ends as one that is not.
for ms in 01 02 03 04 05 06 08 10 15 20; do
    timeout -s KILL 0.$ms thalweg barrier -q -d "$data/digits.h5" --scale 0.0625 "$a" "$b" -o k.h5 \
        >/dev/null 2>&1
done
expect_json 'after kills' 0 barrier "$a" "$b" -o k.h5 --json
sed 's/.*"result"/"result"/' whole >whole.result
sed 's/.*"result"/"result"/' out | diff - whole.result >/dev/null 2>&1
report $? 'the same numbers'

# Matrices.
expect_out 'a matrix' 0 '^cluster 2, 2 models: .*spawned-1.h5 .*spawned-2.h5$' \
    barrier "$pairs"/spawned-[012].h5 -o m.h5
expect_json 'its JSON, from the file' 0 barrier "$pairs"/spawned-[012].h5 -o m.h5 --json
expect 'not all are connected' 1 - barrier "$pairs"/spawned-[012].h5 --require-connected

# Runs that were one up to a step.
for spawn in 4:2 40:3; do
    thalweg train 'mlp(64,8,10)' -q -d "$data/digits.h5" --scale 0.0625 --batch 50 --optimizer adamw \
        --schedule constant:peak=0.01,total=80 --checkpoint 60 --spawn ${spawn%:*} \
        --branches ${spawn#*:} -o s${spawn%:*}.h5 >train.out 2>&1
done
expect_out 'spawned runs at each step that both have' 0 '^ *40 +80 .* (connected|separated|undecided)$' \
    barrier --spawned s4.h5 s40.h5 -o s.h5
[ "$(grep -c '^ *4' "$tmp/out")" = 8 ] && [ "$(grep -c '^ *40 .* 2-3 ' "$tmp/out")" = 2 ]
report $? 'two steps for each of two trunks, and every pair of three runs'
expect_json 'their JSON, from the file' 0 barrier --spawned s4.h5 s40.h5 -o s.h5 --json
grep -q '"trunk":40,"step":60,.*"angle":[1-9].*"run_a":1,"run_b":2' out
report $? 'has angles and runs'
expect 'all must be connected' 0 - barrier --spawned s4.h5 s40.h5 --require-connected --threshold-error 90
expect_err 'runs without a trunk' 3 'no file of training runs' \
    barrier --spawned "$a"

# Figures.
if command -v gnuplot >/dev/null 2>&1; then
    expect 'figures of a line and its layers' 0 - thalweg plot -q b.h5 -o line.svg
    [ -s line.svg ] && [ -s line-layers.svg ] && grep -q 'layer 10' line.dat
    report $? 'two panels of five layers, and bars'
    for spawn in 1 2 3 4 5 6 7; do
        thalweg train 'mlp(64,2,10)' -q -d "$data/digits.h5" --scale 0.0625 --batch 10 \
            --schedule constant:peak=0.01,total=8 --checkpoint 8 --spawn $spawn -o t$spawn.h5 >train.out 2>&1
    done
    barrier --spawned t[1-7].h5 --limit 100 --plot=ways.svg >/dev/null
    [ "$(grep -c '# .*together to [1-7]$' ways.dat)" = 7 ]
    report $? 'a figure of seven trunks has them all'
    expect 'a figure of a matrix' 0 - thalweg plot -q m.h5 -o matrix.svg
    grep -q 'spawned-2' matrix.gp && [ "$(grep -c ' NaN' matrix.dat)" = 3 ]
    report $? 'with an empty diagonal'
else
    skip 'figures' 'no gnuplot'
fi

# What is wrong is said.
expect_err 'one model' 2 'between two checkpoints' barrier "$a"
expect_err 'no data' 2 'no data given' thalweg barrier "$a" "$b"
expect_err 'another network' 3 'fc1.weight' barrier "$a" "$pairs/deep-1.h5"
expect_err 'mli of three' 2 'about two checkpoints' barrier "$a" "$b" "$a" --mli
expect_err 'fewer points than a start' 2 'less than --start' barrier "$a" "$b" --max-points 5

if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cat >make.py <<'PY'
import sys
import h5py
import numpy as np
f = h5py.File(sys.argv[1], "r")
w = {k: f[k][()] for k in f}
order = np.random.RandomState(0).permutation(len(w["fc1.bias"]))
for name, part in (("copy", {"fc1.weight": w["fc1.weight"][order], "fc1.bias": w["fc1.bias"][order],
                             "fc2.weight": w["fc2.weight"][:, order]}),
                   ("nan", {"fc2.bias": np.full_like(w["fc2.bias"], np.nan)})):
    with h5py.File(name + ".h5", "w") as out:
        out.attrs["model"] = f.attrs["model"]
        for k in w:
            out[k] = part.get(k, w[k])
PY
    expect 'copies are made' 0 - /usr/bin/python3 make.py "$a"
    expect 'the copy has the same loss' 0 - thalweg eval -q -d "$data/digits.h5" --scale 0.0625 \
        copy.h5 --expect-loss "$(thalweg eval -q -d "$data/digits.h5" --scale 0.0625 "$a" --json |
            sed 's/.*"loss":\([^,]*\).*/\1/')"
    expect_out 'a permuted copy is behind a barrier' 0 '^verdict: separated' \
        barrier "$a" copy.h5 --no-split
    expect 'ends that are not finite' 4 - barrier "$a" nan.h5
else
    skip 'a permuted copy' 'no python3-h5py'
fi
done_testing
