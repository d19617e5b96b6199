#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Evaluator processes as a user has them: thalweg eval, thalweg evaluator check.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
good="'$build/test/evaluator' 5 40"
if [ ! -x "$build/test/evaluator" ] || [ ! -x "$build/test/faulty_evaluator" ]; then
    skip 'evaluators' 'test/evaluator is not built'
    done_testing
    exit
fi
faulty() { # FAULT [FILE]
    echo "'$build/test/faulty_evaluator' $1 ${2:--}"
}

expect_out 'eval: the loss at its own checkpoints' 0 '^checkpoint 1 +0\.[0-9]+ ' \
    thalweg eval --evaluator "$good"
expect_json 'JSON' 0 thalweg eval --evaluator "$good" --json --workers 2
loss=$(sed -n 's/.*"file":"checkpoint 0",[^}]*"loss":\([^,]*\),.*/\1/p' out)
expect 'a loss that is expected' 1 - \
    thalweg eval -q --evaluator "$good" --expect-loss "$loss" --tol 1e-12
expect_err 'of two, the other is not' 1 'checkpoint 1: loss .*expected' \
    thalweg eval --evaluator "$good" --expect-loss "$loss" --tol 1e-12
expect_err 'no more data with it' 2 'brings its own network, checkpoints and data' \
    thalweg eval --evaluator "$good" -d "$data/digits.h5"
expect_err 'no file of samples' 2 'do not go with --evaluator' \
    thalweg eval --evaluator "$good" --per-sample s.h5
expect_err 'nor one without checkpoints' 3 'has no checkpoints of its own' thalweg eval --evaluator \
    "printf '{\"twep\":1,\"can\":[\"loss\"],\"tensors\":[{\"name\":\"w\",\"shape\":[2]}]}\n{\"id\":1}\n' >&4; cat <&3"

# What goes wrong is said, with what the evaluator printed.
expect_err 'a traceback is shown' 3 '\| ModuleNotFoundError: torch' \
    thalweg eval --evaluator 'echo "ModuleNotFoundError: torch" >&2; exit 1'
expect_err 'and the reason' 3 'ended with exit code 1 before it greeted' \
    thalweg eval --evaluator 'echo "ModuleNotFoundError: torch" >&2; exit 1'
expect_err 'nothing that a terminal would obey' 3 '\| \?\[31mred' \
    thalweg eval --evaluator 'printf "\033[31mred\n"; exit 1'
expect_err 'a failed point' 4 'checkpoint 0: the evaluator says: CUDA out of memory' \
    thalweg eval --evaluator "$(faulty oom)"
expect_out 'beside one that did not fail' 4 '^checkpoint 1 .*0\.' \
    thalweg eval -q --evaluator "$(faulty oom)"
expect_err 'three lost workers' 4 'checkpoint 1: 3 times in a row the evaluator was killed by signal 9' \
    thalweg eval --evaluator "$(faulty kill)"
expect 'a worker that dies is replaced' 0 - thalweg eval -q --evaluator "$(faulty kill first)"
expect_err 'losses that are NaN' 4 'have a loss that is not finite' \
    thalweg eval --evaluator "$(faulty nan)"
expect 'what it prints goes to a file' 0 - \
    thalweg eval -q --evaluator "$(faulty chatter)" --evaluator-log log
grep -q '^{"id":3,"loss":7} chatter$' log
report $? 'that is kept'

# Scans: whoever dies, every point is computed, and what is done is kept.
expect 'scan' 0 - thalweg scan -q --evaluator "$good" --mesh 31 -o good.h5
expect 'by workers that die' 0 - \
    thalweg scan -q --evaluator "$(faulty mortal)" --workers 3 --mesh 31 -o mortal.h5
thalweg export -q good.h5 --csv=good.csv && thalweg export -q mortal.h5 --csv=mortal.csv
expect 'gives the same' 0 - cmp good.csv mortal.csv
# Runs a slow scan, and ends it half a second after a condition holds.
interrupt() { # CONDITION WORKERS
    thalweg scan --evaluator "$(faulty slow)" --mesh 901 -o slow.h5 --workers "$2" 2>said &
    pid=$! tries=0
    while ! eval "$1" && [ $tries -lt 400 ]; do
        sleep 0.05
        tries=$((tries + 1))
    done
    sleep 0.5
    kill -TERM $pid
    wait $pid
    code=$?
    cat said >&2
    return $code
}
expect_err 'stopped' 5 'stopped with [0-9]* of 901 points; the same command goes on' \
    interrupt '[ -s slow.h5 ]' 2
expect_err 'it goes on' 5 'slow.h5 has [0-9]* of 901 points already' \
    interrupt 'grep -q already said' 3
expect_out 'a barrier between its checkpoints' 0 '^by layer .*fc1 ' \
    thalweg barrier --evaluator "$good"
thalweg barrier -q --evaluator "$good" >good.txt
thalweg barrier -q --evaluator "$(faulty mortal)" >mortal.txt
expect 'by workers that die it is the same' 0 - cmp good.txt mortal.txt
expect_err 'a point that it needs and that fails' 4 'says: CUDA out of memory' \
    thalweg barrier --evaluator "$(faulty oom)"

# No worker answers before another one is asked for the same, so one point after another would fail.
expect 'a barrier, and its parts, ask for several points at once' 0 - \
    thalweg barrier -q --evaluator "$(faulty meet met1)" --workers 3
cp out met.txt
expect 'for the same numbers' 0 - cmp good.txt met.txt
# Lines that begin with 3 points, and with 5 for a layer, keep five workers at most if they are alone.
thalweg barrier -q --evaluator "$good" --start 3 --no-split --swap --predict --json |
    sed 's/.*result//' >swap1
thalweg barrier -q --evaluator "$(faulty meet met2)" --workers 6 --start 3 --no-split --swap --predict \
    --json | sed 's/.*result//' >swap6
[ -s swap1 ] && cmp -s swap1 swap6
report $? 'layers alone and curvature too'
grep -q ' 5$' met2
report $? 'and layers side by side'
thalweg scan -q --evaluator "$good" --mesh 101 --tol 1e-4 -o one.h5
expect 'and a line with a tolerance' 0 - thalweg scan -q --evaluator "$(faulty meet met3)" --workers 3 \
    --mesh 101 --tol 1e-4 -o three.h5
thalweg export -q one.h5 --csv=one.csv && thalweg export -q three.h5 --csv=three.csv
expect 'which is the same too' 0 - cmp one.csv three.csv
expect 'and a plane' 0 - thalweg scan -q --evaluator "$(faulty single met4)" --workers 3 \
    --mesh 17x17 --tol 0.1 -o plane3.h5
[ ! -s "$tmp/err" ]
report $? 'no point of which fails'
thalweg scan -q --evaluator "$(faulty single met4)" --mesh 17x17 --tol 0.1 -o plane1.h5 # they have met
thalweg export -q plane1.h5 --csv=plane1.csv && thalweg export -q plane3.h5 --csv=plane3.csv
expect 'so is a plane' 0 - cmp plane1.csv plane3.csv

# A line of three points keeps three workers at most; the fourth is asked only if pairs go side by side.
thalweg barrier -q --evaluator "$(faulty three asked1)" --no-split --predict --json | sed 's/.*result//' >matrix1
thalweg barrier -q --evaluator "$(faulty three asked3)" --no-split --predict --json --workers 3 |
    sed 's/.*result//' >matrix3
[ -s matrix1 ] && cmp -s matrix1 matrix3
report $? 'a matrix is the same with three workers'
expect 'pairs side by side' 0 - thalweg barrier -q --evaluator "$(faulty three asked4)" --no-split \
    --points 3 --workers 4 -o pairs.h5
grep -q ' 3$' asked4
report $? 'keep four workers busy'
expect_err 'a pair that fails' 4 'a gap' thalweg barrier -q --evaluator "$(faulty gap asked5)" \
    --no-split --points 3 --workers 3 -o gap.h5
expect_out 'leaves those beside it' 0 '^points *2 done' thalweg info gap.h5

# Radii: a softmax of logits 0 and z + a t has its zeros at (+-i pi - z) / a.
expect_json 'ghost: the step between its checkpoints' 0 \
    thalweg ghost --evaluator "$good" --json --onset 'loss*2,acc-5' -o ghost.h5
value() { grep -o "\"$1\":[^,}]*" out | head -n 1 | cut -d : -f 2; }
awk -v tau="$(value tau)" -v rho="$(value rho_a)" -v star="$(value rho_star)" -v loss="$(value loss)" '
    function z(i, k,    s, j) {
        s = 0.5 * cos((k + 1) * 6)
        for (j = 0; j < 5; j++)
            s += 0.5 * cos((k + 1) * (j + 1)) * sin(1 + 7.1 * i + 3.3 * j)
        return s
    }
    function off(a, b) { return (a / b - 1) ^ 2 > 1e-20 }
    BEGIN {
        pi = atan2(0, -1)
        near = 1e300
        for (j = 1; j <= 6; j++)
            length2 += (0.5 * (cos(2 * j) - cos(j))) ^ 2
        for (i = 0; i < 40; i++) {
            a = (z(i, 1) - z(i, 0)) / sqrt(length2)
            y = sin(2.7 * i) > 0.3 ? 1 : -1
            spread = a > spread ? a : -a > spread ? -a : spread
            r = sqrt(z(i, 0) ^ 2 + pi ^ 2) / (a < 0 ? -a : a)
            near = r < near ? r : near
            mean += log(1 + exp(-y * z(i, 0))) / 40
        }
        exit off(tau, sqrt(length2)) || off(rho, pi / spread) || off(star, near) || off(loss, mean)
    }'
report $? 'has the radii and the loss of the formula'
expect_out 'with every softmax in the file' 0 '^/softmax/rho_star *float64 *1 x 40' \
    thalweg info ghost.h5
expect_out 'random directions from the first' 0 '^random 1 +0\.79084 ' \
    thalweg ghost --evaluator "$good" --direction random:2 --workers 2
expect_out 'its gradient' 0 '^down the gradient: step 0.02781, ' \
    thalweg ghost --evaluator "$good" --direction gradient --rate 0.1
expect_err 'no such checkpoint' 2 'x: the evaluator has no checkpoint of this name' \
    thalweg ghost --evaluator "$good" --direction x
expect_err 'no look inside' 2 'do not go with --evaluator' thalweg ghost --evaluator "$good" --inside
expect_err 'no data with it' 2 'brings its own network' \
    thalweg ghost --evaluator "$good" -d "$data/digits.h5"
expect_err 'nor without logits' 2 'does not offer logits' thalweg ghost --evaluator \
    "printf '{\"twep\":1,\"can\":[\"loss\"],\"tensors\":[{\"name\":\"w\",\"shape\":[2]}]}\n{\"id\":1}\n' >&4; cat <&3"

# Checks.
expect_out 'check: all is well' 0 '^gradient, fc1.weight  *good ' thalweg evaluator check "$good"
expect_out 'and what a call costs' 0 '^hvp +[0-9.]+$' thalweg evaluator check "$good"
expect_json 'in JSON' 0 thalweg evaluator check --json "$good"
expect_err 'a gradient one per cent off in one tensor' 1 \
    'warning: gradient, fc1.bias: the gradient is not the derivative of the loss' \
    thalweg evaluator check "$(faulty gradient)"
expect_err 'a loss that has a memory' 1 'depends on the point that was asked before' \
    thalweg evaluator check "$(faulty stateful)"
expect_err 'a loss that is random' 1 'the same point asked twice has two losses' \
    thalweg evaluator check "$(faulty random)"
expect_err 'no such checkpoint' 2 'there is no number 2' \
    thalweg evaluator check "$good" --checkpoint 2
expect_err 'words without quotes' 2 'quoted as one word' thalweg evaluator check python3 x.py
expect_err 'no action' 2 'neither check nor adapter' thalweg evaluator try x

expect_out 'the adapter' 0 '^def torch\(' thalweg evaluator adapter
thalweg evaluator adapter >thalweg_eval.py
expect 'is the one in the source' 0 - cmp thalweg_eval.py "$root/src/share/thalweg_eval.py"
python=$(command -v /usr/bin/python3 || command -v python3)
if "$python" -c 'import numpy' 2>/dev/null; then
    cp "$root/analyses/evaluator/numpy_eval.py" .
    expect_out 'serves a model in NumPy' 0 '^parameters matter  *good' \
        thalweg evaluator check "$python numpy_eval.py"
    sed 's/return {"loss": .*/raise MemoryError("CUDA out of memory")/' numpy_eval.py >oom.py
    expect_err 'an exception is a failed point' 4 'says: MemoryError: CUDA out of memory' \
        thalweg eval --evaluator "$python oom.py"
    expect_err 'and its story is shown' 4 '\| Traceback' thalweg eval --evaluator "$python oom.py"
    # Softmaxes of two classes, logits 0 and w.x; one with a slope of 10 does not count.
    cat >positions.py <<'EOF'
import numpy as np
import thalweg_eval
r = 2 ** 0.5
x = np.array([[[0, 10 * r], [0, r / 2]], [[0, r / 2], [2, 2 + r]], [[0, 0], [r / 2, 0]]])
y = np.array([[-100, 0], [1, 1], [0, 1]])
def logits(p, b):
    z = x @ p[0]
    return np.stack([0 * z, z], 2)
def loss(p, b):
    z = logits(p, b)
    each = np.log(np.exp(z).sum(2)) - np.where(y == 1, z[:, :, 1], 0)
    each[y < 0] = 0
    return {"loss": each.sum() / 5, "samples": each.sum(1), "weights": (y >= 0).sum(1)}
thalweg_eval.serve([thalweg_eval.Tensor("w", (2,), "bias")], loss, n=3, weights=True, width=4,
                   classes=2, get=lambda i: ([[1.0 - i, 1.0 * i]], []), checkpoints=["a", "b"],
                   logits=logits, logit_jvp=lambda p, b, v: logits(v, b), labels=lambda: y)
EOF
    expect_out 'several softmaxes a sample' 0 \
        '^to b: step 1\.414, rho_a 3\.142, exact linearised radius 3\.724, .* of none' \
        thalweg ghost --evaluator "$python positions.py"
    cp out own
    expect_out 'of which one does not count' 0 '^loss 0\.521441, 5 samples' cat own
    expect_out 'by sample' 0 '^bottleneck samples 1, ' cat own
    expect 'without a curvature' 1 - grep -q curvature own
    expect_err 'run by itself it says what it is' 1 'this is an evaluator' "$python" numpy_eval.py
else
    skip 'the adapter serves' 'no python3 with numpy'
fi
done_testing
