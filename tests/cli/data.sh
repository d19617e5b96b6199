#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Data sets in the files that people have.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
gpt='gpt(layers=1,d=8,heads=2,ctx=15,vocab=256)'

head -c 1000 "$root/LICENSE" >a.txt
expect_out 'text, cut to windows of 16 bytes' 0 ', perplexity 25[0-9.]*, n 62$' \
    thalweg eval -q -m "$gpt" --data a.txt
expect_out 'the same under another name' 0 ', n 62$' \
    thalweg eval -q -m "$gpt" --data text:"$root/LICENSE" --limit 62
expect_err 'a network without tokens' 3 'does not take a fixed number of tokens' \
    thalweg eval -q -m lenet --data a.txt
printf '\1\0\2\0\3\0\4\0' >val.bin
expect_out 'tokens' 0 ', n 2$' \
    thalweg eval -q -m 'gpt(layers=1,d=8,heads=2,ctx=1,vocab=5)' --data val.bin
printf 'a,b,kind\n1,2,cat\n3,4,dog\n5,6,cat\n' >t.csv
expect_out 'a table' 0 'error [0-9.]* %, n 3$' \
    thalweg eval -q -m 'mlp(2,2)' --data t.csv --label-column kind
expect_err 'whose words are told' 0 "classes of column 'kind' are 0 cat, 1 dog" \
    thalweg eval -m 'mlp(2,2)' --data t.csv --label-column kind
expect_err 'and whose column must be known' 3 'label-column' \
    thalweg eval -q -m 'mlp(2,2)' --data t.csv
printf '\0\0\10\3\0\0\0\2\0\0\0\1\0\0\0\2\1\2\3\4' >train-images-idx3-ubyte
printf '\0\0\10\1\0\0\0\2\0\1' >train-labels-idx1-ubyte
gzip train-images-idx3-ubyte train-labels-idx1-ubyte
expect 'pictures of MNIST with their labels' 0 - \
    thalweg eval -q -m 'mlp(2,2)' --data train-images-idx3-ubyte.gz --per-sample s.h5
expect_out 'both of which are recorded' 0 'train-labels-idx1-ubyte.gz .*same' \
    thalweg info --check s.h5
expect_err 'a model in the place of data' 3 'a model of Keras' \
    thalweg eval -q -m 'mlp(2,2)' --data "$root/tests/samples/keras/mlp.h5"
expect_err 'or in an archive' 3 'a model of Keras' \
    thalweg eval -q -m 'mlp(2,2)' --data "$root/tests/samples/keras/mlp.keras"
expect_err 'a folder' 3 'pictures in a folder are put into arrays first' \
    thalweg eval -q -m 'mlp(2,2)' --data .
expect_err 'nothing that is known' 3 'its kind is not known' \
    thalweg eval -q -m 'mlp(2,2)' --data "$root/README.md"
done_testing
