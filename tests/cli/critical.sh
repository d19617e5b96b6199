#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg fit critical-batch: trajectories at several batch sizes, and one that was not run.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
# shellcheck source=tests/support/curves.sh
. "$here/support/curves.sh"

# L = (8.8e13/N)^0.076 + (2100 (1 + 2e8/(B L^(1/0.21))) / S)^0.76, solved by bisection.
solve='function loss(N, S, B,    lo, hi, L, k) { lo = 0.5; hi = 50
    for (k = 0; k < 80; k++) { L = (lo + hi) / 2
        if ((8.8e13 / N) ^ 0.076 + (2100 * (1 + 2e8 / (B * L ^ (1 / 0.21))) / S) ^ 0.76 > L) lo = L
        else hi = L }
    return L }'
awk "$solve"'BEGIN { print "N,steps,batch,loss"
    for (n = 0; n < 3; n++) for (b = 0; b < 3; b++) for (s = 0; s < 12; s++) {
        N = 1e7 * 5 ^ n; B = 1e5 * 4 ^ b; S = 3000 * 1.4 ^ s
        printf "%g,%d,%d,%.6f\n", N, S, B, loss(N, int(S), B) * (1 + 0.001 * sin(7 * n + 5 * b + 3 * s)) } }' \
    >"$tmp/runs.csv"
json 'a fit' 0 thalweg fit -q --json -b 200 critical-batch "$tmp/runs.csv" -o "$tmp/f.h5"
near 'aB' 'result.parameters.aB.value' 0.21 0.04
near 'aS' 'result.parameters.aS.value' 0.76 0.1
json 'the trajectory at another batch size' 0 thalweg forecast -q --json "$tmp/f.h5" \
    --run N=1e8,S=5000,B=8e5 --run N=1e8,S=50000,B=8e5
for k in 0 1; do
    near "is the law's, point $k" "result.runs[$k].loss" \
        "$(awk "$solve BEGIN { print loss(1e8, 5000 * 10 ^ $k, 8e5) }")" 0.02
done
awk -F , 'NR == 1 || $3 == 100000' "$tmp/runs.csv" >"$tmp/one.csv"
expect_err 'one batch size' 0 'all runs have one batch size B' \
    thalweg fit -b 0 --profile none critical-batch "$tmp/one.csv"
sed '3s/^[^,]*,[^,]*,[^,]*/1e7,4200,0/' "$tmp/runs.csv" >"$tmp/zero.csv"
says 'a batch size of 0' 3 "line 3: '0' in column batch: batch size must be a positive number" \
    thalweg fit -q critical-batch "$tmp/zero.csv"

# No public set of trajectories at several batch sizes is at hand; the step-law grid has whole runs,
# here those of the best rate for each N, D and batch size.
steplaw=${TW_SHARED:-$root/../shared}/data/scaling/steplaw_dense_lr_bs.csv
if [ -f "$steplaw" ]; then
    awk -F , 'NR > 1 { k = $1 "," $2 "," $8
        if (!(k in best) || $11 < best[k]) { best[k] = $11
            row[k] = sprintf("%s,%s,%.8g,%s", $1, $9, $2 / $9, $11) } }
        END { print "N,S,B,loss"; for (k in row) print row[k] }' "$steplaw" | sort >"$tmp/best.csv"
    sed -n '/^N/p' "$tmp/best.csv" >"$tmp/grid.csv"
    sed '/^N/d' "$tmp/best.csv" >>"$tmp/grid.csv"
    json 'runs of the step-law grid' 0 thalweg fit -q --json -b 200 critical-batch "$tmp/grid.csv"
    # Measured; what is asked is that no change makes it worse unseen.
    near 'are met to half a per cent' 'result.curves[0].pred_e' 0.0049 0.0005
else
    skip 'the step-law grid' '../shared/data/scaling is not there (set TW_SHARED)'
fi
done_testing
