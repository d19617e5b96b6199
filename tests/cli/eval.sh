#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg eval: networks, checkpoints and data as a user has them.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
digits=$data/digits.h5
net='mlp(64,16,10,seed=3)'

# value KEY: of the first result of the JSON in $tmp/out.
value() { sed -n "s/.*\"result\":\[{[^}]*\"$1\":\([^,}]*\).*/\1/p" out; }

expect_out 'a built-in network at its initial values' 0 \
    '^loss 2\.[0-9]* ± 0\.[0-9]*, error [0-9.]* %, n 1797$' \
    thalweg eval -q --model "$net" --data "$digits" --scale 0.0625
expect_out 'a split' 0 ', n 299$' \
    thalweg eval -q -m "$net" -d "$digits" --scale 0.0625 --split test
expect_out 'the classes' 0 '^ *9 .* 30$' \
    thalweg eval -q -m "$net" -d "$digits" --scale 0.0625 --split test --per-class
expect_json 'JSON' 0 thalweg eval -m "$net" -d "$digits" --scale 0.0625 --json
loss=$(value loss)
expect 'the loss it has is what is expected' 0 - \
    thalweg eval -q -m "$net" -d "$digits" --scale 0.0625 --expect-loss "$loss" --tol 1e-9
expect_err 'another is not' 1 'expected 2 within 1e-06' \
    thalweg eval -m "$net" -d "$digits" --scale 0.0625 --expect-loss 2
expect_out 'in double precision' 0 "^loss $(printf %.4s "$loss")" \
    thalweg eval -q -m "$net" -d "$digits" --scale 0.0625 --double
for threads in 1 3; do
    thalweg eval -q -m "$net" -d "$digits" --json --threads $threads --limit 500 |
        sed 's/.*"result"//' >threads$threads
done
expect 'the same bits with one thread and three' 0 - cmp threads1 threads3
expect_json 'a subset' 0 thalweg eval -q -m "$net" -d "$digits" --json --limit 500 --subset-seed 1
[ "$(value n)" = 500 ] && [ "$(value n_data)" = 1797 ]
report $? 'of 500 of 1797 samples'
expect 'by another seed' 1 - cmp -s out threads1

# Files of samples, and their checks.
expect 'the loss of every sample' 0 - \
    thalweg eval -q -m "$net" -d "$digits" --limit 20 --per-sample s.h5
expect_out 'is a result file' 0 '^/loss *float64 *1 x 20 .*nats' thalweg info s.h5
expect_out 'that knows its inputs' 0 'digits.h5 .*same' thalweg info --check s.h5
expect_err 'and is not overwritten' 3 's.h5' \
    thalweg eval -q -m "$net" -d "$digits" --limit 20 --per-sample s.h5
expect 'but with --force' 0 - \
    thalweg eval -q -m "$net" -d "$digits" --limit 20 --per-sample s.h5 --force

# What is wrong is said.
expect_err 'no data' 2 'no data given' thalweg eval -m "$net"
expect_err 'no network' 2 'no network: give --model' thalweg eval -d "$digits"
printf '' >empty.h5 && mkdir a-folder
for file in 'none.h5: No such file' 'empty.h5: the file is empty' 'a-folder: this is a directory' \
    '/dev/null: this is not a plain file' 'noise.csv: its kind is not known; safetensors, '; do
    echo a,b >noise.csv
    expect_err "no checkpoint: $file" 3 "^thalweg eval: $file" thalweg eval "${file%%: *}" -d "$digits"
done
expect_err 'no data set' 3 'noise.x: its kind is not known; HDF5, npz, .*tokens:FILE) are read' \
    sh -c "echo 1 >noise.x && thalweg eval -m '$net' -d noise.x"
expect_err 'a spec with a mistake' 2 "unknown argument 'atc'; did you mean 'act'" \
    thalweg eval -m 'mlp(64,10,atc=relu)' -d "$digits"
expect_err 'neither file nor network' 3 'none.onnx' thalweg eval -m none.onnx -d "$digits"
expect_err 'data of another shape' 3 'takes float32\[63\] a sample, the data.s x is uint8\[1,8,8\]' \
    thalweg eval -q -m 'mlp(63,10)' -d "$digits"
expect_err 'more classes than outputs' 3 'holds [5-9], but the network has 5 classes' \
    thalweg eval -q -m 'mlp(64,5)' -d "$digits"
expect_err 'a loss that does not fit' 3 'loss mse: the network gives float32\[10\]' \
    thalweg eval -q -m "$net" -d "$digits" --loss mse
expect_err 'a loss that does not exist' 2 "did you mean 'huber'" \
    thalweg eval -q -m "$net" -d "$digits" --loss hubber
expect_err 'numbers that are none' 2 "mean: 'x' is not a number" \
    thalweg eval -q -m "$net" -d "$digits" --mean 1,x
expect_err 'too little memory' 3 'memory' \
    thalweg eval -q -m 'mlp(64,4096,4096,10)' -d "$digits" --memory-limit 1
expect_err 'a checkpoint of something else' 3 'no array of the checkpoint' \
    thalweg eval -q -m "$net" -d "$digits" "$digits"

# Checkpoints: what PyTorch's modules of these names gave.
families=$root/tests/samples/families
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cat >make.py <<'PY'
import sys
import h5py
import numpy as np
for name, spec in (("mlp", "mlp(7,9,6,5,act=gelu,norm=layer)"), ("gpt", "gpt(2,8,2,6,11)")):
    f = h5py.File(f"{sys.argv[1]}/{name}.h5", "r")
    with h5py.File(f"{name}.h5", "w") as w:
        w.attrs["model"] = spec
        for k in f["weights"]:
            w[f"state_dict/module.{k}"] = f["weights"][k][()]
    x, y = f["input"][()], f["target"][()].astype("i8")
    np.savez(f"{name}-data.npz", x=x.astype("i8") if name == "gpt" else x, y=y)
    with open(f"{name}.loss", "w") as t:
        t.write(repr(float(f["loss"][()].sum() / (y != -100).sum())))
nan = {k: v[()] for k, v in h5py.File("mlp.h5", "r")["state_dict"].items()}
nan["module.fc1.bias"] = np.full(9, np.nan, "f4")
np.savez("nan.npz", **nan)
PY
    expect 'checkpoints are made' 0 - /usr/bin/python3 make.py "$families"
    expect_out "PyTorch's loss of an MLP" 0 'n 5$' thalweg eval -q mlp.h5 -d mlp-data.npz \
        --expect-loss "$(cat mlp.loss)" --tol 1e-6
    expect_out 'of a language model, whose name the checkpoint says' 0 'perplexity' \
        thalweg eval -q gpt.h5 -d gpt-data.npz --expect-loss "$(cat gpt.loss)" --tol 1e-6
    expect_out 'two in a table' 0 '^mlp.h5 ' thalweg eval -q -w mlp.h5 mlp.h5 -d mlp-data.npz
    expect_err 'NaN is counted' 4 'nan.npz: 5 of 5 samples have a loss that is not finite' \
        thalweg eval -m 'mlp(7,9,6,5,act=gelu,norm=layer)' -w nan.npz -d mlp-data.npz
    expect_out 'and shown beside what is finite' 0 '^nan.npz .* 5$' \
        thalweg eval -q -w mlp.h5 nan.npz -d mlp-data.npz
    expect_err 'weights of another network' 3 'fc1.weight' \
        thalweg eval -m 'mlp(7,8,6,5,norm=layer)' -w mlp.h5 -d mlp-data.npz
else
    skip 'checkpoints' 'no python3-h5py'
fi
done_testing
