#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg ghost: steps, directions, trajectories and logits from elsewhere, as a user has them.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
one=$data/digits-mlp-1.h5 two=$data/digits-mlp-2.h5
ghost() { thalweg ghost -q --threads 1 "$@" -d "$data/digits.h5" --scale 0.0625 --limit 100; }
# value KEY [FILE]: its first value.
value() { grep -o "\"$1\":[^,}]*" "${2:-out}" | head -n 1 | cut -d : -f 2; }

expect_out 'the step between two checkpoints' 0 \
    "^to .*digits-mlp-2.h5: step 23.89, rho_a [0-9.]*, exact linearised radius [0-9.]*, r = 2[0-9.]* \(above pi / spread of 100 of 100 samples, above the exact radius of 100 of 100\)" \
    ghost "$one" "$two"
cp out step
expect 'named by --direction it is the same' 0 step ghost "$one" --direction "$two"
expect_out 'a shorter step stays within every radius' 0 'r = 0.0[0-9]* \(above pi / spread of none samples' \
    ghost "$one" "$two" --tau 0.05
expect_out 'it has parts in the layers' 0 '^fc1 +20.8[0-9]* +[0-9.]+ +[0-9.]+$' ghost "$one" "$two"
expect_out 'kinks lie inside it' 0 '^fc1 +Relu +[0-9.e-]+ +[0-9.]+ +[0-9]+$' ghost "$one" "$two" --inside
expect_out 'r is no promise' 0 'does not promise a low loss' ghost "$one" "$two"
for t in 1 3; do
    ghost "$one" "$two" --json --threads $t -o r$t.h5 | sed 's/.*"result"//' >threads$t
done
expect 'the same bits with one thread and three' 0 - cmp threads1 threads3
expect_out 'the result file has every softmax' 0 '^/softmax/rho_star *float64 *1 x 100' thalweg info r1.h5
expect_out 'and knows its inputs' 0 'digits.h5 .*same' thalweg info --check r1.h5
expect_json 'JSON' 0 ghost "$one" "$two" --json
awk -v tau="$(value tau)" -v rho="$(value rho_a)" -v r="$(value r)" -v star="$(value rho_star)" \
    'BEGIN { exit !((tau / rho - r) ^ 2 < 1e-18 * r * r && star > rho) }'
report $? 'r is tau over rho_a, and the zero lies beyond rho_a'
awk -v a="$(value rho_a)" -v b1="$(value b1)" -v b2="$(value b2)" -v b3="$(value b3)" \
    -v star="$(value rho_star)" 'BEGIN { exit !(a <= b1 && b1 <= b2 && b2 <= star && b1 < b3 && b3 <= star) }'
report $? 'the bounds lie between'
expect_json 'the zeros that matter' 0 ghost "$one" "$two" --tau 0.05 --json --exact nearest
awk -v star="$(value rho_star)" -v solved="$(value solved)" -v low="$(value bound)" \
    -v all="$(value rho_star threads1)" \
    'BEGIN { exit !(star == all && solved < 50 && low == star) }'
report $? 'are few, and the nearest is among them'
expect_json 'temperature 2' 0 ghost "$one" "$two" --json --temperature 2
awk -v a="$(value rho_a)" -v b="$(value rho_a threads1)" \
    'BEGIN { exit !(a / b > 1.999999 && a / b < 2.000001) }'
report $? 'doubles rho_a'

# The network as it is.
expect_out 'true radii' 0 '^ +133 +6\.15[0-9]* +3\.88 +1\.2 +the softmax +2\.99 +counted$' \
    ghost "$one" "$two" --tau 0.05 --true 3 -o true.h5 --plot true.svg
expect_out 'are in the file' 0 '^/true/radius *float64 *1 x 3' thalweg info true.h5
expect_out 'and how each was found' 0 '^/true/state *float64 *1 x 3' thalweg info true.h5
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cp true.h5 many.h5
    /usr/bin/python3 - <<'PY'
import h5py, numpy as np
with h5py.File("many.h5", "r+") as f:
    for name in "re", "im":
        x, kept = f["true/" + name][()], dict(f["true/" + name].attrs)
        del f["true/" + name]
        f["true/" + name] = np.repeat(x, 200, axis=1)
        f["true/" + name].attrs.update(kept)
PY
    expect 'many of them' 0 - thalweg plot -q many.h5 -o many.svg
    [ "$(sed -n '/^# layer 6: true/,$p' many.dat | grep -c '^ *[0-9-]')" = 600 ]
    report $? 'are all drawn'
else
    skip 'many of them' 'no python3-h5py'
fi
ln() { thalweg ghost -q -m 'mlp(64,16,16,10,act=gelu,norm=layer)' -d "$data/digits.h5" --scale 0.0625 --limit 60 "$@"; }
expect_out 'the linearised bound is none of random weights under layer normalisation' 0 \
    'least true radius is 0\.[0-9]* times rho_a: the linearised bound is no bound of the true loss' \
    ln --direction gradient --rate 1 --true 2
expect_out 'the step and the true radius' 0 '^The step is [0-9.]+ times the least true radius' \
    ln --direction gradient --tau 5 --true 2
expect_json 'in JSON' 0 ln --direction gradient --true 2 --json
awk -v least="$(value true_radius)" -v one="$(value radius)" -v low="$(value low)" \
    'BEGIN { exit !(least <= one && low <= one && low > 0.998 * one) }'
report $? 'the least of them, and how sure it is'
expect_err 'of logits from elsewhere' 2 '--logits gives none' thalweg ghost --logits lz.npz --true 2

# Directions without a length; measured damage.
expect_out 'down the gradient' 0 '^measured: loss\*2 +0\.[0-9]+ +[0-9.]+$' \
    ghost "$one" --onset 'loss*2,loss+0.1,acc-5' --rate 0.1
expect_out 'random directions' 0 '^random 2 +0\.[0-9]+ +[0-9.]+ +[0-9.]+ +[0-9.]+ +[0-9.]+$' \
    ghost "$one" --direction random:3 --onset 'loss*2'
cp out random
expect_out 'and what predicts damage along them' 0 '^loss\*2 +2 over the curvature +[0-9.]+' cat random
expect 'drawn by the seed' 1 - sh -c "thalweg ghost -q '$one' --direction random:3 --onset 'loss*2' \
    -d '$data/digits.h5' --scale 0.0625 --limit 100 --seed 1 | cmp -s - random"

# A run.
expect_out 'a trajectory' 0 'digits-mlp-2.h5 +0\.[0-9]+ +23.89 .* 2[0-9.]+ +[0-9.]+$' \
    ghost "$one" "$two" "$one" --trajectory --plot run.svg -o run.h5
expect_out 'has a line for each step in its file' 0 '^/line/tau *float64 *2 ' thalweg info run.h5
expect 'and a figure' 0 - test -s run.svg -a -s run.gp -a -s run.dat
expect 'a figure of zeros' 0 - ghost "$one" "$two" --tau 3 --plot zeros.svg
thalweg ghost -q --threads 1 "$one" -d "$data/digits.h5" --scale 0.0625 --limit 300 --plot band.svg >/dev/null
awk '/^# layer 1: 80 %/ { on = 1; next } on && NF == 3 && $1 != "#" { n++; bad += !($2 < $3) } /^# layer 2/ { exit }
    END { exit !(n > 0 && !bad) }' band.dat
report $? 'with a band where there are most of them'
expect 'of layers' 0 - ghost "$one" "$two" --figure layers --plot layers.svg
expect 'of damage' 0 - ghost "$one" --direction random:2 --onset 'loss*2' --plot damage.svg

# Drawn again from their files.
ghost "$one" "$two" --tau 3 -o zeros.h5 >out
ghost "$one" "$two" --figure layers --plot layers.svg -o layers.h5 >out
ghost "$one" --direction random:2 --onset 'loss*2' --plot damage.svg -o damage.h5 >out
for f in zeros layers run damage true; do
    expect "'plot' draws $f" 0 - thalweg plot -q $f.h5 -o again.svg
    cmp again.dat $f.dat
    report $? 'from the same numbers'
done
expect 'its layers too' 0 - thalweg plot -q zeros.h5 --figure layers -o again.svg
grep -q 'fc1' again.dat && grep -q 'set ytics 1; set mytics 1;' again.gp
report $? 'by their names, and counted in whole numbers'
expect_err 'but no map' 2 'zeros or layers' thalweg plot -q run.h5 --figure map -o again.svg

# In training: what the controller keeps is what the checkpoints show.
small() { thalweg train -q --threads 1 'mlp(64,16,10)' -d "$data/digits.h5" --scale 0.0625 --steps 4 --lr 0.1 "$@"; }
expect 'training with steps of 0.3 radii' 0 - \
    small --ghost-rate 0.3 --ghost-on all --checkpoint every=1 -o rate.h5
expect_out 'its steps are that' 0 '^rate.h5:3 .* 0\.3 +0\.[0-9]+$' \
    thalweg ghost -q rate.h5 --trajectory -d "$data/digits.h5" --scale 0.0625 --split train
awk '/^rate/ && $6 != "0.3" { bad = 1 } END { exit bad }' out
report $? 'every one'
expect 'at most 0.3 of the batch' 0 - small --optimizer sgd --ghost-cap 0.3 -o cap.h5
expect_out 'leaves short steps alone' 0 '^[a-z]+ +lr .* 0\.1 +0\.1 ' thalweg log -q cap.h5
expect_err 'a radius of all samples under normalisation by the batch' 2 "the batch's only" \
    thalweg train -q 'mlp(64,16,10,norm=batch)' -d "$data/digits.h5" --steps 2 --lr 0.1 \
    --ghost-cap 1 --ghost-on all -o norm.h5
expect 'the radius of the batch itself' 0 - \
    thalweg train -q 'mlp(64,16,10,norm=batch)' -d "$data/digits.h5" --steps 2 --lr 0.1 \
    --ghost-cap 1 -o norm.h5 --force

# A scanned line.
thalweg scan -q "$one" "$two" -d "$data/digits.h5" --scale 0.0625 --limit 50 --mesh 5 -o scan.h5 >/dev/null
expect_out 'the step of a scan, from its other end' 0 "^to .*digits-mlp-1.h5: step 23.89" \
    ghost "$two" --on scan.h5 --plot on.svg
expect 'its loss is drawn in the order of the step' 0 - grep -q '^ *23.8[0-9]* 0' on.dat
ghost "$two" --on scan.h5 --plot on.svg -o on.h5 >out
expect 'and again by plot' 0 - thalweg plot -q on.h5 -o again.svg
cmp again.dat on.dat
report $? 'from the file alone'
expect_err 'a checkpoint off the line' 2 'is neither' ghost r1.h5 --on scan.h5

# Zeros that another branch has are none of this network's: none lies where nothing is.
thalweg ghost -q -m 'mlp(64,6,6,10,act=softplus)' -d "$data/digits.h5" --scale 0.0625 --limit 40 \
    --direction random:1 --seed 0 --true 12 --json >out
grep -o '"state":"[a-z]*","radius":[0-9.]*,"low":[0-9.]*' out | tr ':,' '  ' |
    awk '{ n++; bad += !($4 >= $6 && $4 < 1.01 * $6) } END { exit !(n == 12 && !bad) }'
report $? 'true radii are beyond what was counted empty'

# What is wrong is said.
expect_err 'no data' 2 'no data given' thalweg ghost "$one"
expect_err 'no step' 2 'the same weights' ghost "$one" "$one"
expect_err 'too many checkpoints' 2 '3 checkpoints; .*--trajectory' ghost "$one" "$two" "$one"
expect_err 'too few' 3 'no file of training runs' ghost --trajectory "$one"
expect_err 'a direction that is none' 2 'not random:N' ghost "$one" --direction random:0
expect_err 'damage that is none' 2 "'loss' is none of" ghost "$one" --onset 'loss*2,loss'
expect_err 'a loss without classes' 3 'class targets' \
    ghost -m 'mlp(64,8,1)' --loss mse
expect_err 'a figure of no zeros' 2 'computes none' ghost "$one" "$two" --exact none --plot x.svg

# Logits made elsewhere.
if /usr/bin/python3 -c 'import numpy' 2>/dev/null; then
    cat >make.py <<'PY'
import numpy as np
z = np.array([[2.0, 0.0, -50.0], [0.0, 0.0, 0.0]])
a = np.array([[0.5, -0.5, 0.0], [-1.0, 0.0, 1.0]])
np.savez("lz.npz", logits=z, slopes=a, labels=np.array([0, 1]), tau=2.0)
np.savez("bent.npz", logits=z, slopes=a, bends=0.05 * a)
np.savez("few.npz", logits=z)
np.savez("other.npz", logits=z, slopes=a[:1])
a[1, 2] = np.nan
np.savez("nan.npz", logits=z, slopes=a)
PY
    /usr/bin/python3 make.py
    # Zeros at sqrt(2^2 + pi^2) and at 2 pi / 3; rho_a = pi / 2.
    expect_out 'logits of elsewhere' 0 \
        'step 2, rho_a 1.571, exact linearised radius 2.094, r = 1.27 \(above pi / spread of 1 of 2 samples, above the exact radius of none\)' \
        thalweg ghost --logits lz.npz
    expect_out 'bends shorten the radius' 0 '^quadratic logits \(bound\) +1.55' thalweg ghost --logits bent.npz
    expect_err 'an array is missing' 3 "few.npz: no array 'slopes'" thalweg ghost --logits few.npz
    expect_err 'shapes differ' 3 "another shape" thalweg ghost --logits other.npz
    expect_err 'not finite' 4 'nan.npz: sample 1: the slope of class 2 is nan' thalweg ghost --logits nan.npz
    expect_err 'logits and a network' 2 'takes the place' thalweg ghost --logits lz.npz "$one"
else
    skip 'logits of elsewhere' 'no numpy'
fi
done_testing
