#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Models of Keras: architecture, weights and loss from one file (tests/samples/keras/make.py).
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
keras=$root/tests/samples/keras

loss_of() { sed -n "s/^$1 [^ ]* //p" "$keras/expected.txt"; }

while read -r model npz loss; do
    expect "$model has the loss that definitions give" 0 - \
        thalweg eval -q --double "$keras/$model" --data "$keras/$npz" --expect-loss "$loss" \
        --tol 2e-7
done <"$keras/expected.txt"

expect 'numbered weights go to the network they are of' 0 - \
    thalweg eval -q --double -m "$keras/mlp.h5" "$keras/mlp.weights.h5" -d "$keras/mlp.npz" \
    --expect-loss "$(loss_of mlp.h5)" --tol 1e-8
expect 'layers that a later session numbered otherwise are the same layers' 0 - \
    thalweg eval -q --double -m "$keras/mlp.h5" "$keras/mlp-later.h5" -d "$keras/mlp.npz" \
    --expect-loss "$(loss_of mlp-later.h5)" --tol 1e-8
expect_err 'numbered weights alone are no network' 2 'does not say what network it is of' \
    thalweg eval -q "$keras/mlp.weights.h5" -d "$keras/mlp.npz"
expect_err 'nor are they one by name' 3 'weights alone; the architecture is in the .keras file' \
    thalweg eval -q -m "$keras/mlp.weights.h5" -d "$keras/mlp.npz"
expect_err 'weights of another network' 3 "the network's begin with 'batch_normalization/beta', the checkpoint's with 'conv1d" \
    thalweg eval -q -m "$keras/mlp.h5" "$keras/conv1d.h5" -d "$keras/mlp.npz"

expect_out 'the network is described' 0 '^made by *Keras 2' thalweg info "$keras/mlp.h5"
expect_out 'with its loss' 0 '^loss *huber\(delta=0.5\)' thalweg info "$keras/acts.h5"
expect_out 'and its tensors by Keras names' 0 '^c2/kernel *weight *float32\[3,3,2,4\] *72' \
    thalweg info "$keras/cnn.keras"
expect_json 'in JSON' 0 thalweg info --json "$keras/text.keras"
expect_out 'norms of its tensors' 0 '^dense_3/kernel *float32\[6,5\] *[0-9.]+ ' \
    thalweg info --stats "$keras/mlp.keras"
expect_out 'another loss may be asked for' 0 '"objective":"mse"' \
    thalweg eval -q --json "$keras/cnn.keras" -d "$keras/cnn.npz" --loss mse

expect 'it is trained' 0 - thalweg train -q "$keras/mlp.h5" --data "$keras/mlp.npz" --lr 1e-2 --steps 3 \
    -o run.h5
expect 'from what the file holds' 0 - thalweg eval -q --double run.h5:init -d "$keras/mlp.npz" \
    --expect-loss "$(loss_of mlp.h5)" --tol 1e-8

# Channels first in the data, last in the network.
cat >turn.py <<EOF2
import numpy as np
d = np.load("$keras/cnn.npz")
np.savez("turned.npz", x=d["x"].transpose(0, 3, 1, 2), y=d["y"])
np.savez("shares.npz", x=d["x"], y=d["y"] * 0.5 + 0.125)
EOF2
if /usr/bin/python3 turn.py 2>turn.err; then
    expect 'pictures are turned to the shape that the network takes' 0 - \
        thalweg eval -q --double "$keras/cnn.keras" --data turned.npz \
        --expect-loss "$(loss_of cnn.keras)" --tol 2e-7
    expect_err 'shares of classes are refused' 3 'row 0 of the targets is not 1 for one class' \
        thalweg eval -q "$keras/cnn.keras" --data shares.npz
else
    skip 'turned pictures, shares of classes' 'no python3 with numpy'
fi
done_testing
