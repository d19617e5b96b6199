#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# From runs of at most 1.4 billion parameters to the loss and the error of larger or longer ones.
# usage: run.sh TESTBED.csv [THALWEG [FOLDER]]
set -eu
[ $# -ge 1 ] || { echo 'usage: run.sh TESTBED.csv [THALWEG [FOLDER]]' >&2; exit 2; }
testbed=$1
thalweg=${2:-build/release/bin/thalweg}
out=${3:-plots}
mkdir -p "$out"

# The paper's choice for training set rpj: four models at 20 tokens a parameter, the smallest at
# 320 as well; for the error also the 1.4 billion model at 20.
rows() { # AWK-CONDITION
    awk -F, "NR == 1 || \$2 == \"rpj\" && ($1)" "$testbed"
}
# shellcheck disable=SC2016 # awk's own fields
small='$3 ~ /^d=/ && $7 == 1 || $3 ~ /^d=96_/ && $7 == 16'
rows "$small" >"$out/over-training-loss.csv"
rows "$small || \$3 == \"open_lm_1b\" && \$7 == 1" >"$out/over-training-error.csv"
# shellcheck disable=SC2016
rows '$3 == "open_lm_1b" && $7 == 32 || $3 == "open_lm_7b"' >"$out/over-training-large.csv"

echo '== Loss on C4 from parameters and tokens per parameter'
"$thalweg" fit overtraining "$out/over-training-loss.csv" --y=loss_c4_val --profile=all \
    -o "$out/over-training-loss.h5" --force
echo
echo '== Mean error over 17 tasks from that loss'
"$thalweg" fit error-exp "$out/over-training-error.csv" --y=err_avg17 --column=L=loss_c4_val \
    --profile=all -o "$out/over-training-error.h5" --force
echo
echo '== Runs that took no part: 1.4 billion at 640 tokens a parameter, 6.9 billion at 20'
"$thalweg" forecast "$out/over-training-loss.h5" --against="$out/over-training-large.csv" \
    --y=loss_c4_val --run=N=1439795200,M=640 --run=N=6889410560,M=20
