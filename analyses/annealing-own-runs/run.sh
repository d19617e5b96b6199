#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The annealing law fitted to two schedules of a network trained here, against six others.
# usage: run.sh [THALWEG [FOLDER]]   (three minutes of one processor; goes on where it was)
set -eu
cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/../.."
thalweg=${1:-build/release/bin/thalweg}
out=${2:-plots/annealing-own-runs}
mkdir -p "$out"

schedules='constant constant:peak=3e-3,warmup=100,total=2000
cosine cosine:peak=3e-3,warmup=100,total=2000,end=3e-4
wsd wsd:peak=3e-3,warmup=100,total=2000,decay=400,shape=linear,end=3e-4
wsdcon wsdcon:peak=3e-3,warmup=100,total=2000,stage=1000,end=1e-3
linear linear:peak=3e-3,warmup=100,total=2000,end=3e-4
cyclic cyclic:peak=3e-3,warmup=100,total=2000,period=700,end=3e-4
low cosine:peak=1.5e-3,warmup=100,total=2000,end=1.5e-4
long cosine:peak=3e-3,warmup=100,total=3000,end=3e-4'
echo "$schedules" | while read -r name spec; do
    echo "'$thalweg' train 'gpt(layers=2,d=64,heads=4,ctx=32,vocab=128)' --data data/text.txt" \
        "--batch 16 --schedule $spec --quiet --threads 1 --log-every 10 --eval-every 40" \
        "-o '$out/$name.h5'"
done | xargs -P "${JOBS:-2}" -d '\n' -n 1 sh -c >"$out/runs.txt"

# The rate of every step by the formula; the logs count from 1.
curve() { echo "$out/$1.h5@$(echo "$schedules" | sed -n "s/^$1 //p"),base=1"; }
set -- --from 500 --quiet --force
"$thalweg" fit annealing "$(curve constant)" "$(curve cosine)" "$@" -o "$out/fit.h5" \
    --plot "$out/fit.pdf" --residuals
echo
"$thalweg" forecast "$out/fit.h5" --against "$(curve wsd)" --against "$(curve wsdcon)" \
    --against "$(curve linear)" --against "$(curve cyclic)" --against "$(curve low)" \
    --against "$(curve long)" "$@" -o "$out/forecast.h5" --plot "$out/forecast.pdf"
