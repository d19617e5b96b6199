#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg log as a user sees it: what it prints for each format, and what it says of bad files.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
cd "$(dirname "$0")/../samples/logs" || exit 1

# says NAME EXIT WORDS COMMAND...: the exit code, and WORDS on stderr.
says() {
    what=$1 want=$2 words=$3 && shift 3
    count=$((count + 1))
    "$@" >"$tmp/out" 2>"$tmp/err"
    got=$?
    if [ "$got" -eq "$want" ] && grep -qF -e "$words" "$tmp/err"; then
        echo "ok $count - $what"
    else
        echo "not ok $count - $what"
        echo "# exit $got, expected $want; expected words: $words"
        sed 's/^/# /' "$tmp/err"
    fi
}

skip() {
    count=$((count + 1))
    echo "ok $count - $1 # SKIP $2"
}

sh_in() { sh -c "$1"; }

expect 'every format is described' 0 "$GOLDEN/log_samples.txt" \
    thalweg log plain.csv semicolon.csv sparse.tsv numpy.txt wandb.csv lightning.csv keras.csv \
    runs.csv resumed.csv trainer_state.json history.json metrics.jsonl nanogpt.log llmc.log \
    megatron.log olmo.log runs.h5
expect 'a rule of the user is applied' 0 "$GOLDEN/log_regex.txt" thalweg log own.txt \
    --regex '^\[(?<run>\w)\] at (?<step>\d+) the loss was (?<loss>\S+)'
expect_out 'TensorBoard, by the names of folders' 0 \
    '^tensorboard +validation/loss +loss +validation +3 +0 +40 +5 ' \
    sh_in 'thalweg log -q tensorboard/*/events*'
expect_out 'a run of it is fitted to as any' 0 '^tensorboard +train/lr +learning rate' \
    sh_in 'thalweg log -q tensorboard/*/events*'
expect 'formats are listed' 0 "$GOLDEN/log_formats.txt" thalweg log --formats
expect 'JSON has the same contents' 0 "$GOLDEN/log_json.txt" \
    sh_in 'thalweg log -q --json trainer_state.json | sed "s/\"seconds\":[^,]*/\"seconds\":0/; s/\"version\":\"[^\"]*\"/\"version\":\"\"/"'
expect 'the choice of series is shown' 0 "$GOLDEN/log_choice.txt" \
    thalweg log lightning.csv --y train_loss --x epoch

for f in plain.csv wandb.csv metrics.jsonl nanogpt.log runs.h5; do
    thalweg log -q "$f" 2>/dev/null | sed 1d >"$tmp/want"
    expect "standard input reads $f alike" 0 - \
        sh_in "thalweg log -q - <'$f' | sed '1d; s/^stdin/${f%.*}/' | tr -s ' ' >'$tmp/a'; tr -s ' ' <'$tmp/want' | diff - '$tmp/a'"
    gzip -c "$f" >"$tmp/$f"
    expect "gzip is unpacked: $f" 0 "$tmp/want" \
        sh_in "thalweg log -q '$tmp/$f' | sed 1d"
done

mkfifo "$tmp/pipe" && cat plain.csv >"$tmp/pipe" &
expect 'a named pipe is read' 0 - sh_in "sleep 0.1; thalweg log -q '$tmp/pipe' | grep -q 0.00015"

# ---- bad files ---------------------------------------------------------------------------
: >"$tmp/empty.csv"
says 'an empty file' 3 'empty.csv: the file is empty' thalweg log "$tmp/empty.csv"
echo step,loss >"$tmp/header.csv"
says 'a header only' 3 'header of 2 columns and no row' thalweg log "$tmp/header.csv"
printf 'step,loss\n1,2.5\n' >"$tmp/one.csv"
says 'one point is told' 0 'a curve needs 2' thalweg log "$tmp/one.csv"
printf 'step,loss\n1,nan\n2,nan\n' >"$tmp/nan.csv"
says 'all NaN is told' 0 '0 finite values of 2 (2 NaN, 0 infinite)' thalweg log "$tmp/nan.csv"
printf 'step,loss\n1,2.5\n2,2.5\n' >"$tmp/flat.csv"
says 'a constant loss is told' 0 "'loss' is 2.5 at all 2 points" thalweg log "$tmp/flat.csv"
printf 'step,loss\n4,1\n3,2\n2,3\n1,4\n' >"$tmp/back.csv"
says 'steps in no order are told' 0 "'step' runs backwards 3 times in 4 values" \
    thalweg log "$tmp/back.csv"
says 'a missing file' 3 'nowhere.csv: No such file or directory' thalweg log nowhere.csv
says 'a directory' 3 'this is a directory' thalweg log .
says 'no file given' 2 'no file given' thalweg log
says 'a column that is not there' 3 "no column 'tokens' for the x axis; there are: step, lr, loss" \
    thalweg log plain.csv --x tokens
says 'a run that is not there' 3 "no run fits --run 'z*'" thalweg log runs.csv --run 'z*'
says 'a broken rule' 2 "at character 5" thalweg log plain.csv --regex '(?<s'
if [ "$(id -u)" -eq 0 ]; then
    skip 'a file without permission' 'root may read everything'
else
    cp plain.csv "$tmp/secret.csv" && chmod 0 "$tmp/secret.csv"
    says 'a file without permission' 3 'Permission denied' thalweg log "$tmp/secret.csv"
fi
gzip -c metrics.jsonl | head -c 150 >"$tmp/cut.gz"
says 'a gzip stream cut short' 3 'the gzip stream ends early' thalweg log "$tmp/cut.gz"
head -c 3000 runs.h5 >"$tmp/cut.h5"
says 'an HDF5 file cut short' 3 'HDF5 cannot open it' thalweg log "$tmp/cut.h5"
printf 'PK\003\004rest' >"$tmp/zip"
says 'a ZIP archive' 3 'a ZIP archive' thalweg log "$tmp/zip"

endless='yes x | tr -d "\n" | head -c 10G'
case $build${TW_WRAP:-} in
*asan* | *valgrind*)
    says 'a line of 10 GB' 3 'line 1 is longer than 16 MiB' sh_in "$endless | thalweg log -"
    skip 'a line of 10 GB in little memory' 'the checkers need more address space' ;;
*)
    says 'a line of 10 GB' 3 'line 1 is longer than 16 MiB' sh_in "$endless | thalweg log -"
    says 'a line of 10 GB in little memory' 3 'line 1 is longer than 16 MiB' \
        sh_in "ulimit -v 400000; $endless | thalweg log -"
    says 'too little memory is told' 3 'out of memory' \
        sh_in "ulimit -v 250000; yes 1,2.5 | head -c 400M | thalweg log -" ;;
esac
says 'a packed line of 100 MB' 3 'line 1 is longer than 16 MiB' \
    sh_in "head -c 100M /dev/zero | tr '\0' 7 | gzip -1 | thalweg log -"

# ---- published curves, where they are at hand ----------------------------------------------
data=$here/../../shared/data/scaling
[ -d "$data" ] || data=$here/../../../shared/data/scaling
if [ -d "$data" ]; then
    for f in "$data"/*.csv "$data"/mpl_25M/*.csv; do
        expect "published: $(basename "$f")" 0 - thalweg log -q "$f"
    done
    says 'several losses ask for a choice' 0 '4 series could be the loss: loss_c4, loss_pile' \
        thalweg log "$data/olmo_ladder_190M_1B.csv"
else
    skip 'published curves' 'the data are not here'
fi
done_testing
