#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg convert, and checkpoints of all formats in the other commands.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
samples=$root/tests/samples/checkpoints

expect_out 'PyTorch to safetensors' 0 '^a.safetensors: 20 tensors, 75 numbers$' \
    thalweg convert "$samples/types.pt" a.safetensors
expect_err 'a file that is there stays' 3 'a.safetensors exists; use --force' \
    thalweg convert "$samples/types.pt" a.safetensors
expect_out 'unless told otherwise' 0 '20 tensors' \
    thalweg convert --force "$samples/types-old.pt" a.safetensors
expect_out 'and on to HDF5' 0 '20 tensors' thalweg convert a.safetensors b.h5
expect_out 'the notes say how' 0 '^notes *thalweg_command: thalweg convert --force .*types-old.pt' \
    thalweg info a.safetensors
expect_out 'bfloat16 stays' 0 '^bf16 *bfloat16\[2\]  *3.0041e.38' thalweg info --stats b.h5
expect_out 'so do names with slashes' 0 '^a/b.c *float32\[2\] .* 1$' thalweg info --stats b.h5
expect_out 'norms of layers' 0 '^shared *14 *[0-9.]* *0$' thalweg info --stats a.safetensors
expect_out 'other reals on request' 0 '20 tensors' thalweg convert --dtype bf16 a.safetensors c.safetensors
expect_out 'which are these' 0 '^f64 *bfloat16' thalweg info c.safetensors
expect_err 'with a warning' 0 'number. beyond the range of float16 became infinite' \
    thalweg convert --dtype f16 a.safetensors d.h5
expect_out 'another suffix' 0 '' thalweg convert --to hdf5 a.safetensors e.weights

expect_err 'the part with the weights' 0 "took what is under 'state_dict', 9 of 27 tensors" \
    thalweg convert "$samples/nested.pt" n.safetensors
expect_out 'another part' 0 ': 18 tensors' \
    thalweg convert --state-key optimizer.state "$samples/nested.pt" o.h5
expect_out 'all parts' 0 ': 27 tensors' thalweg convert --all "$samples/nested.pt" p.h5
expect_err 'a part that is not there' 3 "no tensors under 'x'; the names in it begin with state_dict" \
    thalweg convert --state-key x "$samples/nested.pt" q.h5
expect_json 'in JSON' 0 thalweg convert --json "$samples/nested.pt" r.h5
expect_json 'info in JSON' 0 thalweg info --json --stats "$samples/nested.pt" r.h5

printf x >a.distcp
expect_err 'a part of many' 3 'dcp_to_torch_save' thalweg convert a.distcp x.h5
expect_out 'a network by name' 0 '' thalweg convert "$data/digits-mlp-1.h5" m.safetensors
expect_out 'goes along' 0 '^loss 0.08' \
    thalweg eval m.safetensors --data "$data/digits.h5" --scale 0.0625 --limit 50

thalweg train 'mlp(64,8,10)' -q -d "$data/digits.h5" --scale 0.0625 --lr 0.1 --steps 2 -o run.h5 >log
expect_out 'a checkpoint of a run' 0 '^l.safetensors: 4 tensors, 610 numbers$' \
    thalweg convert run.h5:last l.safetensors
expect_out 'with its network' 0 '^ *model: mlp\(64,8,10' thalweg info l.safetensors

expect_err 'no operand' 2 'expected IN and OUT' thalweg convert a.safetensors
expect_err 'no suffix' 2 'neither .safetensors nor .h5; give --to' thalweg convert a.safetensors x
expect_err 'a wrong format' 2 "safetensors or hdf5, not 'npz'" thalweg convert --to npz a.safetensors x
expect_err 'a wrong type' 2 "f32, f16 or bf16, not 'f8'" thalweg convert --dtype f8 a.safetensors x.h5
expect_err 'no such folder' 3 'no file can be made in none' \
    thalweg convert a.safetensors none/x.h5
printf 'version https://git-lfs.github.com/spec/v1\n' >lfs.pt
expect_err 'a pointer of Git LFS' 3 'git lfs pull' thalweg convert lfs.pt x.h5
expect 'nothing is left behind' 1 - sh -c 'ls -A | grep -E "^x|tmp$"'

# A network takes its weights from any of them.
for f in net.safetensors net.safetensors.index.json module.pt module-old.pt nested.pt net.gguf net.msgpack; do
    expect_out "weights from $f" 0 '^4 of 4 tensors' \
        thalweg info -m 'mlp(6,5,3)' "$samples/$f"
done
done_testing
