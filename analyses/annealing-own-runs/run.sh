#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The annealing law fitted to two schedules of a network trained here, against six others.
# usage: run.sh [THALWEG [FOLDER]]   (about four minutes of one processor; goes on where it was)
set -eu
cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/../.."
thalweg=${1:-build/release/bin/thalweg}
out=${2:-plots/annealing-own-runs}
mkdir -p "$out"

schedules='constant:peak=3e-3,warmup=100,total=2000
cosine:peak=3e-3,warmup=100,total=2000,end=3e-4
wsd:peak=3e-3,warmup=100,total=2000,decay=400,shape=linear,end=3e-4
wsdcon:peak=3e-3,warmup=100,total=2000,stage=1000,end=1e-3
linear:peak=3e-3,warmup=100,total=2000,end=3e-4
cyclic:peak=3e-3,warmup=100,total=2000,period=700,end=3e-4
low:peak=1.5e-3,warmup=100,total=2000,end=1.5e-4
long:peak=3e-3,warmup=100,total=3000,end=3e-4'
echo "$schedules" | sed "s|^\([a-z]*\):\(.*\)|\1 \1:\2|; s|^\(l[ow][a-z]*\) l[a-z]*:|\1 cosine:|" |
    while read -r name spec; do
        echo "'$thalweg' train 'gpt(layers=2,d=64,heads=4,ctx=32,vocab=128)' --data data/text.txt" \
            "--batch 16 --schedule $spec --quiet --threads 1 --log-every 10 --eval-every 40" \
            "-o '$out/$name.h5'"
    done | xargs -P "${JOBS:-2}" -d '\n' -n 1 sh -c >"$out/runs.txt"

set -- --from 500 --quiet --force
"$thalweg" fit annealing "$out/constant.h5" "$out/cosine.h5" "$@" -o "$out/fit.h5" \
    --plot "$out/fit.pdf" --residuals
against=
for name in wsd wsdcon linear cyclic low long; do
    against="$against --against $out/$name.h5"
done
# shellcheck disable=SC2086 # words
"$thalweg" forecast "$out/fit.h5" $against "$@" -o "$out/forecast.h5" --plot "$out/forecast.pdf"
