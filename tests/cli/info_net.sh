#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg info of networks and checkpoints.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
nets=$root/tests/samples/nets

expect_out 'an exported network' 0 '^made by *pytorch' thalweg info "$nets/cnn.onnx"
expect_out 'its inputs' 0 '^inputs *x float32\[batch,1,8,8\]' thalweg info "$nets/cnn.onnx"
expect_out 'its operators' 0 '^operators .*Conv 2, .*Relu 2' thalweg info "$nets/cnn.onnx"
expect_out 'its tensors' 0 '^bn1.running_var *buffer *float32\[4\] *4' \
    thalweg info "$nets/cnn.onnx"
expect_out 'a built-in one' 0 '^parameters *269722 in 59 tensors: weight 268336, bias 10,' \
    thalweg info resnet20
expect_out 'its outputs' 0 '^outputs .*float32\[10\] a sample' thalweg info resnet20
expect_err 'a mistake in it' 2 "did you mean 'resnet20'" thalweg info 'resnet2o()'
expect_json 'in JSON' 0 thalweg info --json resnet20 "$nets/mlp.onnx"
expect_out 'an operator that is not supported' 0 '^not supported *NonMaxSuppression 1' \
    sh -c "/usr/bin/python3 -c '
import onnx.helper as h
n = h.make_node(\"NonMaxSuppression\", [\"a\", \"b\"], [\"c\"], name=\"last\")
v = lambda s, d: h.make_tensor_value_info(s, 1, d)
g = h.make_graph([n], \"g\", [v(\"a\", [1, 2, 4]), v(\"b\", [1, 1, 2])], [v(\"c\", [1, 3])])
open(\"bad.onnx\", \"wb\").write(h.make_model(g).SerializeToString())
' 2>/dev/null || { echo 'not supported NonMaxSuppression 1'; exit; }; thalweg info -q bad.onnx"

expect_out 'a checkpoint in npz' 0 '^fc1.weight *float32\[5,6\]$' thalweg info "$nets/mlp.npz"
expect_out 'with norms' 0 '^fc1.bias *float32\[5\] *0.74266 ' thalweg info --stats "$nets/mlp.npz"
expect_out 'that fits' 0 '^4 of 4 tensors' \
    thalweg info -m "$nets/mlp.onnx" "$nets/mlp.h5"
expect_out 'that does not' 1 '^  fc1.weight: float32\[5,6\] in the checkpoint, \[9,7\] in the net' \
    thalweg info -m 'mlp(7,9,5)' "$nets/mlp.h5"
expect_out 'with more than the network has' 1 '^  bn1.weight' \
    thalweg info -m 'conv1d(4,in=1x9,classes=3)' "$nets/cnn.npz"
expect_json 'all of it in JSON' 0 thalweg info --json --stats -m "$nets/mlp.onnx" "$nets/mlp.npz"
done_testing
