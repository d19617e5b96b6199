#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg sensitivity: tables of sweeps, what cannot be right in them, alarms.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
# shellcheck source=tests/support/curves.sh
. "$here/support/curves.sh"

# The best rate is 0.5 N^-0.6 D^0.25, the best batch 0.6 D^0.57 tokens; logits grow with N.
awk 'BEGIN { print "N,D,lr,batch,loss,max_attn_logit,grad_rms"
    split("1e8 3e8 1e9 2e9", N); split("4e9 16e9 64e9", D)
    for (a = 1; a <= 4; a++) for (b = 1; b <= 3; b++)
        for (i = -3; i <= 3; i++) for (j = -2; j <= 2; j++) {
            lr = 1e-3 * 1.5 ^ i; n = N[a] + 0; d = D[b] + 0; batch = 3e5 * 2 ^ j
            u = log(lr / (0.5 * n ^ -0.6 * d ^ 0.25)); v = log(batch / (0.6 * d ^ 0.57))
            printf "%g,%g,%.6g,%g,%.6f,%.4g,%.4g\n", n, d, lr, batch,
                2.4 + 0.03 * u * u + 0.01 * v * v + 0.0005 * sin(11 * a + 7 * b + 5 * i + 3 * j),
                900 * lr / 1e-3 * (n / 1e8) ^ 0.6 * (1 + 0.01 * sin(a + b)),
                2e-7 * (n / 1e8) ^ -0.5 * (1 + 0.01 * cos(a + b)) } }' >"$tmp/sweep.csv"
sense() { thalweg sensitivity "$@"; }

expect 'a sweep' 0 "$GOLDEN/sensitivity.txt" sense "$tmp/sweep.csv" --at N=1e10,D=2e11
says 'an alarm in words' 0 'the largest attention logit is predicted at' \
    sense -b 20 "$tmp/sweep.csv" --at N=3e9,D=2e11
json 'as JSON' 0 sense -q --json "$tmp/sweep.csv" --at N=1e10,D=2e11
near 'the exponent of N' 'result.step_law.lr.N.value' -0.6 0.1
near 'the exponent of D' 'result.step_law.lr.D.value' 0.25 0.1
near 'the exponent of batch' 'result.step_law.batch.D.value' 0.57 0.1
has 'with its keys' 'result.sensitivity[0].value' 'result.sensitivity[0].of_best_run' \
    'result.optima[0].lr.lo' 'result.optima[0].by' 'result.at[0].lr.value' \
    'result.at[0].batch.hi' 'result.logit[0].crossing' 'result.grad[0].alarm' \
    'result.step_law.lr.log_factor.hi' 'result.runs' 'result.repeats'
# 900 (100)^0.6 at lr 1e-3: 1.4e4
near 'a logit far out' 'result.logit[3].value' 14264 900
is 'is alarming' 'result.logit[3].alarm' predicted
near 'crosses where the law does' 'result.logit[3].crossing' 5.5e9 5e8
near 'a gradient far out' 'result.grad[0].value' 2e-8 2e-9
expect_out 'every batch' 0 '^2e\+09 +6\.4e\+10 +7\.5e\+04 ' sense -q -b 0 --every-batch "$tmp/sweep.csv"

sed 's/^\([^,]*,[^,]*,[^,]*,[^,]*\),[^,]*/\1,nan/;1s/nan/loss/' "$tmp/sweep.csv" |
    head -3 >"$tmp/nan.csv"
tail -n +4 "$tmp/sweep.csv" >>"$tmp/nan.csv"
says 'diverged runs' 4 'give the loss at initialisation (--initial-loss)' \
    sense -q "$tmp/nan.csv"
json 'and their loss' 0 sense -q --json --initial-loss 11 "$tmp/nan.csv"
is 'are counted' 'result.sensitivity[0].diverged' 1
awk -F , -v OFS=, 'NR > 1 { $1 = 1e8 } { print }' "$tmp/sweep.csv" | cut -d , -f 1-5 >"$tmp/one.csv"
expect_err 'one size' 0 'all runs have one size N' sense -b 20 "$tmp/one.csv"
expect_err 'repeats' 0 'rows repeat the N, D, batch and rate' sense -b 20 "$tmp/one.csv"
expect_err 'billions' 0 'N is 2 at most: is it in millions or billions' \
    sense -b 20 --scale N=1e-9 "$tmp/sweep.csv"
sed '5s/^[^,]*/0/' "$tmp/sweep.csv" >"$tmp/zero.csv"
says 'a size of 0' 3 "line 5: '0' in column N: parameters N must be a positive number" \
    sense "$tmp/zero.csv"
sed '5s/^[^,]*,[^,]*,[^,]*/1e8,4e9,-1e-3/' "$tmp/sweep.csv" >"$tmp/minus.csv"
says 'a negative rate' 3 'the learning rate must be a positive number' sense "$tmp/minus.csv"
says 'no column' 3 'no column for the learning rate' sense --column lr=eta "$tmp/sweep.csv"
says 'an unknown name' 2 'NAME one of N, D, lr' sense --column x=lr "$tmp/sweep.csv"
says 'a point without D' 2 'D= is missing' sense --at N=1e9 "$tmp/sweep.csv"
says 'no table' 2 'no table given' sense
says 'two sizes of logits' 4 'a quadratic in log N needs them' \
    sense -q -b 0 --where N=1e+08 "$tmp/sweep.csv"

steplaw=${TW_SHARED:-$root/../shared}/data/scaling/steplaw_dense_lr_bs.csv
if [ -f "$steplaw" ]; then
    json 'the step-law grid' 0 sense -q --json --y loss_smooth --initial-loss 11.09 "$steplaw"
    published() { # NAME KEY VALUE: within the interval
        awk -v lo="$(value "$2.lo")" -v hi="$(value "$2.hi")" -v x="$3" \
            'BEGIN { exit !(lo <= x && x <= hi) }'
        report $? "$1"
    }
    # Li et al. 2025: lr = 1.79 N^-0.713 D^0.307, batch = 0.58 D^0.571 from many more runs.
    published 'exponent of N' result.step_law.lr.N -0.713
    published 'exponent of D' result.step_law.lr.D 0.307
    published 'exponent of the batch' result.step_law.batch.D 0.571
else
    skip 'the step-law grid' '../shared/data/scaling is not there (set TW_SHARED)'
fi
done_testing
