#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg train: runs, what is kept of them, going on, sweeps and branches.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
export SOURCE_DATE_EPOCH=1000000000 OMP_NUM_THREADS=1
digits=$data/digits.h5
net='mlp(64,16,10)'
train() { thalweg train "$net" -q -d "$digits" --scale 0.0625 "$@"; }
# Of the first run in the JSON in $tmp/out.
value() { sed -n "s/.*\"runs\":\[{[^}]*\"$1\":\([^,}]*\).*/\1/p" out; }
loss() { thalweg eval -q "$1" -d "$digits" --scale 0.0625 --split test --json |
    sed -n 's/.*"loss":\([^,}]*\).*/\1/p'; }

# A run, its log and its checkpoints.
schedule=cosine:peak=1e-2,warmup=5,total=60
expect_out 'a run' 0 '^run *60 ' train --schedule $schedule --checkpoint 10,every=25 -o run.h5
expect_out 'is a log' 0 '^run  val_loss  *loss  *validation  *30 ' thalweg log run.h5
expect_out 'with its checkpoints' 0 '^run  mlp.64,16,10.* 0  *5  *60$' thalweg info run.h5
expect_out 'which are evaluated' 0 '^run.h5:10 ' \
    thalweg eval -q 'run.h5:*' -d "$digits" --scale 0.0625 --split test
expect_out 'and looked at' 0 '^fc1.weight .*16,64' thalweg info run.h5:last
expect_json 'the same in JSON' 0 train --schedule $schedule --checkpoint 10,every=25 -o run.h5 --json
[ "$(value val_loss)" = "$(loss run.h5:last)" ]
report $? 'the last validation is the last checkpoint'
expect_out 'validation of the parts of the file' 0 'samples *1498' thalweg info -v run.h5
for threads in 1 3; do
    expect "on $threads threads" 0 - train --schedule $schedule --batch full --optimizer sgd \
        -o "threads.h5" --force --threads $threads
    thalweg log --json threads.h5 | sed 's/.*"runs"//' >log$threads
    loss threads.h5:last >>log$threads
done
expect 'the same bits' 0 - cmp log1 log3

# Going on.
expect 'the same command again' 0 - train --schedule $schedule --checkpoint 10,every=25 -o run.h5
expect_err 'with other options' 3 'was made with other options' train --lr 1e-3 --steps 5 -o run.h5
expect 'but with --force' 0 - train --lr 1e-3 --steps 5 -o run.h5 --force
expect_err 'another kind of file' 3 'expected a result of kind' sh -c "
    thalweg eval -q -m '$net' -d '$digits' --limit 9 --per-sample s.h5 >/dev/null &&
    thalweg train '$net' -q -d '$digits' --lr 1 --steps 1 -o s.h5"
long="--schedule constant:peak=1e-3,total=4000 --checkpoint every=1000"
# shellcheck disable=SC2086 # words
sh -c "thalweg train '$net' -q -d '$digits' --scale 0.0625 $long -o stop.h5 & pid=\$!
    while [ ! -e stop.h5 ]; do sleep 0.02; done; kill -TERM \$pid; wait \$pid" >out 2>err
[ $? -eq 5 ] || [ -n "${TW_WRAP:-}" ]
report $? 'a signal stops it'
cp stop.h5 rest.h5
# shellcheck disable=SC2086 # words
expect_out 'it goes on with the same command' 0 '^run *4000 ' train $long -o stop.h5
expect_out 'or by the file alone' 0 '^run *4000 ' thalweg train -q --resume rest.h5
expect 'to the same end' 0 - cmp rest.h5 stop.h5
cp rest.h5 base.h5
from="--weights base.h5:last --lr 1e-3 --steps 4000"
# At once: before its first update, mostly, where all that it has to go on with is what it read.
# shellcheck disable=SC2086 # words
sh -c "thalweg train '$net' -q -d '$digits' --scale 0.0625 $from -o from.h5 & pid=\$!
    while [ ! -e from.h5 ]; do :; done; kill -TERM \$pid; wait \$pid" >out 2>err
cp from.h5 gone.h5 && cp from.h5 other.h5 && cp run.h5 base.h5
# shellcheck disable=SC2086 # words
expect_err 'other weights where those were that it began with' 3 \
    'from.h5 exists, and was made when base.h5 held something else; use --force' train $from -o from.h5
expect_err 'going on by the file alone warns of them' 0 \
    'base.h5 holds other weights than other.h5 began with; it goes on with its own' \
    thalweg train --resume other.h5
rm base.h5
# shellcheck disable=SC2086 # words
expect_out 'that they are gone is no matter' 0 '^run *4000 ' train $from -o from.h5
expect_out 'of both ways' 0 '^run *4000 ' thalweg train -q --resume gone.h5
cmp from.h5 gone.h5 && cmp from.h5 other.h5
report $? 'and all come to the same end'
cp run.h5 base.h5
expect_err 'a run that stops before it has a state' 4 'not finite after update' \
    thalweg train 'mlp(64,16,10,act=identity)' -d "$digits" --weights base.h5:last --lr 1e6 \
    --optimizer sgd --steps 60 -o young.h5
rm base.h5
expect_err 'needs the weights that it begins with' 3 \
    ": young.h5: run 'run' has no state yet, and base.h5:last, which it begins with, is gone" \
    thalweg train --resume young.h5
cp "$digits" mine.h5
mine() { thalweg train "$net" -q -d mine.h5 --scale 0.0625 --lr 1e-3 --steps 2 -o mine-run.h5; }
expect 'a run on data' 0 - mine
chmod u+w mine.h5 && printf 'x' >>mine.h5
expect_err 'that have changed since' 3 'was made when mine.h5 held something else' mine
expect_err 'which is not why a command is wrong' 2 "no network 'mpl'" thalweg train 'mpl(64,16,10)' -q \
    -d mine.h5 --scale 0.0625 --lr 1e-3 --steps 2 -o mine-run.h5
expect_err 'nor why other data are' 3 'nosuch.h5: No such file' thalweg train "$net" -q -d nosuch.h5 \
    --scale 0.0625 --lr 1e-3 --steps 2 -o mine-run.h5
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cp "$digits" mine.h5
    /usr/bin/python3 - <<'PY'
import h5py
with h5py.File("mine-run.h5", "r+") as f:
    x = f["provenance/input_digests"]
    few, kept = x[:-1], dict(x.attrs)
    del f["provenance/input_digests"]
    f["provenance"].create_dataset("input_digests", data=few, dtype=h5py.string_dtype())
    f["provenance/input_digests"].attrs.update(kept)
PY
    expect_err 'without the digest of an input' 3 \
        'mine-run.h5: /provenance has 1 paths of inputs and 0 digests, .*use --force' mine
else
    skip 'without the digest of an input' 'no python3-h5py'
fi
mkdir kills && cd kills || exit 1
[ -n "${TW_WRAP:-}" ] || expect_out 'kill -9 loses nothing that was finished' 0 '0 times something' \
    sh "$here/support/trainkill.sh" 4 0.4 "$net" --data "$digits" --scale 0.0625 \
    --lr 1e-3 --steps 2500 --checkpoint every=100 --spawn 1200
cd ..

# Branches share what comes before.
expect_out 'branches' 0 '^b *40 ' train --lr 1e-2 --steps 40 --spawn 20 --checkpoint 20 -o pair.h5
[ "$(loss pair.h5:a:20)" = "$(loss pair.h5:b:20)" ] &&
    [ "$(loss pair.h5:a:last)" != "$(loss pair.h5:b:last)" ]
report $? 'part where they should'
expect 'a run without branches' 0 - train --lr 1e-2 --steps 40 --checkpoint 20 -o alone.h5
[ "$(loss pair.h5:b:20)" = "$(loss alone.h5:20)" ]
report $? 'is the same before'
SOURCE_DATE_EPOCH=1 train --lr 1e-2 --steps 40 --checkpoint 20 -o done.h5 >/dev/null && cp done.h5 once.h5
expect_out 'a finished run again' 0 '^run *40 ' train --lr 1e-2 --steps 40 --checkpoint 20 -o done.h5
cmp done.h5 once.h5
report $? 'is left as it is'
expect_out 'they may share the initial values alone' 0 '^b *40 ' \
    train --lr 1e-2 --steps 40 --spawn 0 -o apart.h5
[ "$(loss apart.h5:a:init)" = "$(loss apart.h5:b:init)" ] &&
    [ "$(loss apart.h5:a:last)" != "$(loss apart.h5:b:last)" ]
report $? 'and part at the first update'

# A sweep.
expect_out 'a sweep' 0 '^lr=1e-2,seed=1 *10 ' \
    train --steps 10 --sweep lr=1e-3,1e-2 --sweep seed=0..2 -o sweep.h5 --threads 3
[ "$(thalweg info sweep.h5 | grep -c '^lr=')" -eq 6 ]
report $? 'has a run for each pair'
expect 'one of them alone' 0 - train --steps 10 --lr 1e-2 --seed 2 -o alone.h5 --force
[ "$(loss alone.h5:last)" = "$(loss sweep.h5:lr=1e-2,seed=2:last)" ]
report $? 'is the same'
expect_out 'optimizers with arguments' 0 '^optimizer=adam.beta1=0.8,wd=0.1. ' train --lr 1e-3 \
    --steps 3 --sweep 'optimizer=sgd,adam(beta1=0.8,wd=0.1)' -o o.h5
expect_err 'what cannot be swept' 2 "'data=a,b' is not of the form" \
    train --lr 1 --steps 1 --sweep data=a,b -o x.h5

# Settings.
printf 'step,lr\n0,1e-3\n9,1e-2\n' >rates.csv
expect_out 'rates from a table' 0 '^run *10 ' train --schedule file:rates.csv -o file.h5
expect_out 'which is an input' 0 '^rates.csv .*same' thalweg info --check file.h5
expect_out 'epochs, with a short last batch' 0 '^run *48 ' train --lr 1e-3 --epochs 2 -o e.h5
expect_out 'without it' 0 '^run *46 ' train --lr 1e-3 --epochs 2 --drop-last -o e.h5 --force
expect 'a frozen layer' 0 - train --lr 1e-2 --steps 5 --freeze 'fc1.*' -o f.h5
for step in 0 last; do thalweg info --stats f.h5:$step | grep '^fc' >f$step; done
[ "$(grep fc1 f0)" = "$(grep fc1 flast)" ] && [ "$(grep fc2 f0)" != "$(grep fc2 flast)" ]
report $? 'stays as it was'
expect 'a good network' 0 - train --schedule cosine:peak=1e-2,total=400 -o good.h5
expect_json 'on wrong labels' 0 train --weights good.h5:last --lr 0 --steps 1 --batch full \
    --label-noise 0.4 -o noise.h5 --json
value acc | awk '{ exit !($1 > 0.55 && $1 < 0.65) }'
report $? 'is wrong as often as they are'
for t in 1 2; do
    expect_json "temperature $t" 0 train --weights good.h5:last --lr 0 --steps 1 --temperature $t \
        -o t$t.h5 --json
    value val_acc >acc$t && value val_loss >loss$t
done
cmp -s acc1 acc2 && ! cmp -s loss1 loss2
report $? 'changes the loss alone'
for part in 0.2:1438:359 first:0.25:1348:449; do
    which=${part%:*:*} rest=${part#"$which":}
    expect "validation $which" 0 - train --validation "$which" --lr 1e-3 --steps 1 -o v.h5 --force
    thalweg info -v v.h5 | grep -q "samples ${rest%:*}\$"
    report $? "leaves ${rest%:*} of 1797"
done
expect_err 'a rate that is too large' 4 'not finite after update [0-9]*, and stopped there' \
    thalweg train 'mlp(64,16,10,act=identity)' -d "$digits" --lr 1e6 --optimizer sgd --steps 60 \
    -o nan.h5
expect 'is recorded if asked for' 0 - \
    thalweg train 'mlp(64,16,10,act=identity)' -q -d "$digits" --lr 1e6 --optimizer sgd --steps 60 \
    --on-nan record -o nan2.h5
expect_out 'as the NaNs they are' 0 '"name":"loss",[^}]*"n":60,[^}]*"nan":[1-9]' thalweg log --json nan2.h5

# A folder of files.
mkdir cifar && head -c 122920 /dev/zero >cifar/data_batch_1.bin &&
    head -c 30730 /dev/zero >cifar/test_batch.bin
expect_out 'a folder' 0 '^run *2 .* 100 ' thalweg train 'mlp(3072,10)' -q -d cifar --lr 1e-3 --steps 2 \
    -o cifar.h5
expect_out 'of which the files are inputs' 0 '^cifar/test_batch.bin .*same' thalweg info --check cifar.h5

# Text.
gpt='gpt(layers=1,d=16,heads=2,ctx=16,vocab=128)'
expect_out 'a text' 0 '^run *6 ' thalweg train "$gpt" -q -d "$data/text.txt" --lr 3e-3 --steps 6 \
    --batch 8 -o gpt.h5
expect_err 'with bytes beyond the classes' 3 \
    'text.txt: token 21 is 71, but the network has 64 classes.*vocab=256 takes all' \
    thalweg train 'gpt(layers=1,d=16,heads=2,ctx=16,vocab=64)' -d "$data/text.txt" --lr 1 --steps 1 \
    -o x.h5
# The bytes of a text as tokens of 16 bits, without a header and behind that of llm.c.
head -c 3000 "$data/text.txt" >short.txt
# shellcheck disable=SC2059 # the bytes are the format
printf "$(od -An -v -to1 short.txt | sed 's/ *\([0-7][0-7]*\)/\\\1\\0/g' | tr -d '\n')" >tokens.bin
{
    printf '\210\330\64\1\1\0\0\0\270\13\0\0' && head -c 1012 /dev/zero && cat tokens.bin
} >llmc.bin
for part in 0.2 first:0.2 none; do
    for file in short.txt tokens.bin llmc.bin tokens:tokens.bin; do
        thalweg train "$gpt" -q -d $file --lr 3e-3 --steps 3 --batch 8 --validation $part -o t.h5 \
            --force --json | sed -n 's/.*\("loss".*\)/\1/p'
    done | uniq -c >losses
    grep -q '^ *4 "loss"' losses
    report $? "tokens in files of their own are as those of a text, validation $part"
done
expect 'a run on tokens' 0 - thalweg train "$gpt" -q -d tokens.bin --lr 3e-3 --steps 2 -o tokens.h5
printf '\310\0' >>tokens.bin
for way in "$gpt -q -d tokens.bin --lr 3e-3 --steps 2 -o tokens.h5" '--resume tokens.h5'; do
    # shellcheck disable=SC2086 # words
    expect_err "that got another since it was begun (${way%% *})" 3 \
        'train: tokens.h5 exists, and was made when tokens.bin held something else; use --force' \
        thalweg train $way
done
expect_err 'one that the network has not' 3 \
    'tokens.bin: token 3000 is 200, but the network has 128 classes.*vocab=201 takes all' \
    thalweg train "$gpt" -d tokens.bin --lr 1 --steps 1 -o x.h5
expect_err 'too few' 3 'val.bin: 16 tokens are too few for windows of 16, with 1 for' sh -c \
    "head -c 32 tokens.bin >val.bin && thalweg train '$gpt' -d val.bin --lr 1 --steps 1 -o x.h5"
expect_err 'a part that no file of tokens names' 3 'does not say which samples are for training' \
    thalweg train "$gpt" -d tokens.bin --validation split --lr 1 --steps 1 -o x.h5
expect_err 'nor a scale' 2 'have no split, labels or scale' \
    thalweg train "$gpt" -d tokens.bin --scale 2 --lr 1 --steps 1 -o x.h5
expect_err 'nor wrong labels' 2 'tokens have no labels' \
    thalweg train "$gpt" -d tokens.bin --label-noise 0.1 --lr 1 --steps 1 -o x.h5
expect_err 'for a network without tokens' 2 'takes no tokens' \
    thalweg train "$net" -d "$data/text.txt" --lr 1 --steps 1 -o x.h5

# What is wrong is said.
expect_err 'no rate' 2 'no learning rate: give --lr' train -o x.h5
expect_err 'no end' 2 'how long' train --lr 1 -o x.h5
expect_err 'two lengths' 2 '7 steps were asked for, and the schedule' \
    train --schedule $schedule --steps 7 -o x.h5
expect_err 'no such series' 2 "no series 'losses'" train --lr 1 --steps 2 --log losses -o x.h5
expect_err 'no such checkpoint' 2 "'70' is neither a step up to 60" \
    train --schedule $schedule --checkpoint 70 -o x.h5
expect_err 'no spike' 2 'is not STEP:FACTOR' train --lr 1 --steps 2 --spike 3 -o x.h5
expect_err 'no batch' 2 'neither a whole number nor full' train --lr 1 --steps 2 --batch 0 -o x.h5
expect_err 'no seed' 2 "data-seed: 'x'" train --lr 1 --steps 2 --data-seed x -o x.h5
expect_err 'no such validation' 2 'is none of split, none' \
    train --lr 1 --steps 2 --validation 2 -o x.h5
expect_err 'no such answer to NaN' 2 'is none of stop|record' \
    train --lr 1 --steps 2 --on-nan go -o x.h5
expect_err 'no file' 2 'no file given' train --lr 1 --steps 2
expect_err 'no network' 2 'no network given' thalweg train -d "$digits" -o x.h5
[ ! -e x.h5 ]
report $? 'and nothing is left behind'
done_testing
