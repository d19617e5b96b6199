#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# When does the noise of SGD no longer decide where training ends? Pairs of networks that were one up
# to a step, and the barriers between them. README.md has the numbers.
# usage: run.sh [THALWEG [FOLDER [NET]]]   (a minute of one processor; goes on where it was)
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.."
thalweg=${1:-build/release/bin/thalweg}
out=${2:-plots/spawned-barriers}
net=${3:-mlp(64,32,32,10)}
mkdir -p "$out"

seeds='1 2 3 4 5 6 7 8 9 10'
spawns='0 5 10 20 50 100 200 400 800 1600'
data='--data data/digits.h5 --scale 0.0625 --quiet --threads 1'
for seed in $seeds; do
    for spawn in $spawns; do
        echo "'$thalweg' train '$net' $data --optimizer momentum --batch 16 --schedule" \
            "cosine:peak=0.1,total=2000 --checkpoint 50,100,200,400,800,1200,1600 --seed $seed" \
            "--spawn $spawn -o '$out/seed$seed-spawn$spawn.h5'"
    done
done | xargs -P "${JOBS:-2}" -d '\n' -n 1 sh -c >"$out/runs.txt"

for seed in $seeds; do
    set --
    for spawn in $spawns; do
        set -- "$@" "'$out/seed$seed-spawn$spawn.h5'"
    done
    echo "'$thalweg' barrier --spawned $* $data --split test --no-split --json" \
        "-o '$out/seed$seed.h5' --plot '$out/seed$seed.pdf' >'$out/seed$seed.json'"
done | xargs -P "${JOBS:-2}" -d '\n' -n 1 sh -c

# The plane through the last step together and the two ends: an early and a late trunk.
for spawn in 10 400; do
    pair=$out/seed1-spawn$spawn.h5
    # shellcheck disable=SC2086 # options are words
    "$thalweg" scan "$pair:a:$spawn" "$pair:a:last" "$pair:b:last" $data --split test --mesh 31x31 \
        --force -o "$out/plane$spawn.h5" --plot "$out/plane$spawn.pdf" >"$out/plane$spawn.txt"
done
exec python3 "$here/tables.py" "$out"
