#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Train small networks, fit a law to two of their loss curves and forecast a third, and look at the
# line between two networks that were one, at the surface around one and at the steps that led there;
# figures go to plots/. Runs that are there already are not
# made again; one that was stopped goes on.
# usage: run.sh [THALWEG [FOLDER]]
set -eu
cd "$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)/../.."
thalweg=${1:-build/release/bin/thalweg}
out=${2:-plots}
runs=$out/runs
mkdir -p "$runs"

# ---- training -------------------------------------------------------------------------------------

# Two sizes of a byte-level GPT under three schedules of 2000 steps. Updates of so few samples are for
# one processor, so the runs are spread instead.
commands() {
    for size in 32,heads=2 64,heads=4; do
        for schedule in constant:peak=3e-3,warmup=100,total=2000 \
            cosine:peak=3e-3,warmup=100,total=2000,end=3e-4 \
            wsd:peak=3e-3,warmup=100,total=2000,decay=400,shape=linear,end=3e-4; do
            echo "'$thalweg' train 'gpt(layers=2,d=$size,ctx=32,vocab=128)' --quiet --threads 1" \
                "--data data/text.txt --batch 16 --schedule $schedule --log-every 10" \
                "--eval-every 40 -o '$runs/gpt${size%,*}-${schedule%%:*}.h5'"
        done
    done
}
mlp='mlp(64,32,10)'
digits='--data data/digits.h5 --scale 0.0625'

echo '== Trained: a byte-level GPT in two sizes under three schedules, and networks on the digits'
echo
commands | xargs -P "${DEMO_JOBS:-2}" -d '\n' -n 1 sh -c >"$runs/gpt.txt"
# shellcheck disable=SC2086 # options are words
"$thalweg" train "$mlp" $digits --quiet --schedule cosine:peak=1e-2,warmup=20,total=500 \
    --checkpoint every=50 --sweep seed=1..2 -o "$runs/digits.h5" >"$runs/digits.txt"
# shellcheck disable=SC2086
"$thalweg" train "$mlp" $digits --quiet --schedule cosine:peak=1e-2,warmup=20,total=500 \
    --spawn 100 -o "$runs/pair.h5" >>"$runs/digits.txt"
for size in 32 64; do
    for schedule in constant cosine wsd; do
        printf 'gpt d=%s %-9s ' "$size" "$schedule"
        "$thalweg" log --json "$runs/gpt$size-$schedule.h5" |
            sed 's/.*"name":"val_loss"[^}]*"y_last":\([0-9.]*\).*/\1/' |
            awk '{ printf "validation loss %.3f\n", $1 }'
    done
done
sed -n '1p; /^[a-z=0-9]* *500/p' "$runs/digits.txt"

# ---- loss curves ----------------------------------------------------------------------------------

for size in 32 64; do
    echo
    echo "== d=$size: the law fitted to the constant and the cosine rate forecasts the third schedule"
    echo
    set -- --from 500 --quiet --force
    "$thalweg" fit annealing "$runs/gpt$size-constant.h5" "$runs/gpt$size-cosine.h5" "$@" \
        -o "$out/fit$size.h5" --plot "$out/fit$size.pdf" --residuals | sed -n '1,/^curve/p' | head -n -2
    echo
    "$thalweg" forecast "$out/fit$size.h5" --against "$runs/gpt$size-wsd.h5" "$@" \
        -o "$out/forecast$size.h5" --plot "$out/forecast$size.pdf" | sed -n '/^measured/,$p'
done

# ---- landscapes -----------------------------------------------------------------------------------

echo
echo '== The line between two networks that were one for 100 of 500 steps, and between two seeds'
echo
barrier() { # FIGURE CHECKPOINT CHECKPOINT
    # shellcheck disable=SC2086
    "$thalweg" barrier "$2" "$3" $digits --split test --quiet --force -o "$out/$1.h5" \
        --plot "$out/$1.pdf" | sed -n "1s/^/$1: /p; 2s/^/  /p"
}
barrier pair "$runs/pair.h5:a:last" "$runs/pair.h5:b:last"
barrier seeds "$runs/digits.h5:seed=1:last" "$runs/digits.h5:seed=2:last"

echo
echo '== The surface around the network of seed 1, along two filter-normalised random directions'
echo
# shellcheck disable=SC2086
"$thalweg" scan "$runs/digits.h5:seed=1:last" $digits --split test --mesh 41x41 --quiet --force \
    -o "$out/surface.h5" --plot "$out/surface.pdf" --figure surface

echo
echo '== Its steps of 50 updates against rho_a, where the Taylor series of the loss may end'
echo
# shellcheck disable=SC2086
"$thalweg" ghost --trajectory "$runs/digits.h5:seed=1:*" $digits --split train --exact none --quiet \
    --force -o "$out/ghost.h5" --plot "$out/ghost.pdf" |
    awk 'NR > 1 { r = $(NF - 1); if (NR == 2) first = r; past += r > 1 }
        END { printf "step / rho_a: %s at first, %s at last; above 1 in %d of %d\n",
            first, r, past, NR - 1 }'

cat <<EOF

== Files in $out/
runs/                        the runs: 'thalweg info', 'log', 'eval FILE:last' read them
fit32.pdf, fit64.pdf         measured points, the law, its residuals, the learning rates
forecast32.pdf, forecast64.pdf   forecasts with 68 and 95 % bands, and the curve they were made without
pair.pdf, seeds.pdf          loss along the lines between the digits networks
surface.pdf                  loss around one of them
ghost.pdf                    its steps and their radii
EOF
