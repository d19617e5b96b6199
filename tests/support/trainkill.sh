#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Kill training KILLS times at random moments, go on each time, and compare with a run that was left
# alone: the files are equal but for their times. After each kill, what had been finished before is
# still there.
# usage: trainkill.sh KILLS SECONDS NET OPTION...   (in an empty folder; SECONDS: the longest life)
set -eu
kills=$1 longest=$2 && shift 2
export SOURCE_DATE_EPOCH=1000000000 OMP_NUM_THREADS=1

# Rows and checkpoints that are there, as "rows checkpoints" of all runs.
finished() {
    thalweg log --json "$1" 2>/dev/null | tr '{' '\n' | sed -n 's/.*"name":"loss".*"n":\([0-9]*\).*/\1/p' |
        awk '{ n += $1 } END { printf "%d ", n }'
    thalweg info --json "$1" | grep -o '"checkpoints":\[[^]]*\]' | tr -cd ',\n[0-9' |
        awk -F, '{ n += /[0-9]/ ? NF : 0 } END { printf "%d\n", n }'
}

thalweg train "$@" -q -o kept.h5 >/dev/null
cp kept.h5 whole.h5 && rm kept.h5
rows=0 checkpoints=0 lost=0 done=0
for kill in $(seq "$kills"); do
    thalweg train "$@" -q -o kept.h5 >/dev/null 2>&1 &
    pid=$!
    sleep "$(awk -v k="$kill" -v s="$longest" 'BEGIN { srand(k * 7919 + 17); printf "%.4f", s * rand() }')"
    kill -9 "$pid" 2>/dev/null || :
    wait "$pid" 2>/dev/null || :
    [ -e kept.h5 ] || continue
    now=$(finished kept.h5)
    [ "${now% *}" -ge "$rows" ] && [ "${now#* }" -ge "$checkpoints" ] || lost=$((lost + 1))
    rows=${now% *} checkpoints=${now#* }
    # A finished run begins anew, so that every kill hits one that is at work.
    if cmp -s kept.h5 whole.h5; then
        done=$((done + 1))
        rm kept.h5
        rows=0 checkpoints=0
    fi
done
thalweg train "$@" -q -o kept.h5 >/dev/null
cmp kept.h5 whole.h5
echo "$kills kills, $done came too late, $lost times something finished was lost"
[ "$lost" -eq 0 ]
