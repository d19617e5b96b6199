#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg info: result files, other HDF5 files, files that are neither; and what h5py sees.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
cp "$GOLDEN/result-v1.h5" r.h5
printf 'step,loss\n1,2\n' >in.csv

# has NAME EXIT PATTERN COMMAND...: the pattern is in stdout or stderr.
has() {
    name=$1 code=$2 pattern=$3 && shift 3
    # shellcheck disable=SC2016
    expect "$name" 0 - sh -c 'code=$1 pattern=$2; shift 2; "$@" >has.out 2>&1
        [ $? -eq "$code" ] && grep -q -e "$pattern" has.out || { cat has.out >&2; exit 1; }' \
        sh "$code" "$pattern" "$@"
}

expect 'a result file' 0 "$GOLDEN/info-result.txt" thalweg info r.h5
expect 'its inputs are the same' 0 "$GOLDEN/info-check.txt" thalweg info --check r.h5
has 'options with -v' 0 '^options *--points=5 --seed=1' thalweg info -v r.h5
has 'JSON: points' 0 '"points":{"done":2,"failed":1,"todo":2}' thalweg info --json r.h5
has 'JSON: not finished' 0 '"end_time":null' thalweg info --json r.h5
printf 'step,loss\n1,3\n' >in.csv
has 'a changed input' 1 '^in.csv .*changed' thalweg info --check r.h5
has 'in JSON too' 1 '"now":"changed"' thalweg info --check --json r.h5
has 'the answer is a remark as well' 1 'r.h5: made from inputs' thalweg info --check r.h5
rm in.csv
has 'a lost input' 1 '^in.csv .*unreadable' thalweg info --check r.h5
has 'which matters to --check only' 0 '^in.csv' thalweg info r.h5
has 'the second file too' 3 'none.h5: No such file' thalweg info r.h5 none.h5

has 'no file is a usage error' 2 'no file given' thalweg info
has 'a folder' 3 'directory' thalweg info .
: >empty
has 'an empty file' 3 'thalweg info: empty: ' thalweg info empty
head -c 9000 r.h5 >cut.h5
has 'a file cut short' 3 'cut short, copy it again: 9000 bytes of' thalweg info cut.h5

# Logs: every sample, the example curves, and a fit's and a forecast's files.
samples=$root/tests/samples/logs
for log in history.json keras.csv lightning.csv llmc.log megatron.log metrics.jsonl nanogpt.log \
    numpy.txt olmo.log plain.csv resumed.csv runs.csv semicolon.csv sparse.tsv trainer_state.json \
    wandb.csv; do
    thalweg info "$samples/$log" 2>/dev/null | sed "s|$samples/||" >>logs.out
    expect_json "$log in JSON" 0 thalweg info -q --json "$samples/$log"
done
expect 'what it says of the samples' 0 "$GOLDEN/info-logs.txt" cat logs.out
has 'an HDF5 log is shown as HDF5' 0 '/runs/seed 1/log/train loss *float64' \
    thalweg info "$samples/runs.h5"
has 'text that is no log' 3 "own.txt: line 1, 'hello': not a log" thalweg info "$samples/own.txt"
# shellcheck disable=SC2154  # tap.sh sets it
for curve in "$data"/loss-curves/*-seed?.csv; do
    has "$(basename "$curve")" 0 'val_loss *loss *validation *[0-9]' thalweg info "$curve"
done
printf 'step,lo\033[31mss\n1,2\n2,3\n' >escape.csv
has 'nothing that a terminal would obey' 0 'lo?\[31mss' thalweg info escape.csv
has 'by log either' 0 'lo?\[31mss' thalweg log escape.csv

curves="$data/loss-curves/cosine-seed1.csv $data/loss-curves/wsd-seed1.csv"
# shellcheck disable=SC2086  # two words
has 'a fit is made' 0 . thalweg fit annealing $curves "--schedules=$data/loss-curves/schedules.csv" \
    -b0 --profile=none --no-model-error --starts=1 -o fit.h5
has 'and described' 0 '^/parameters/value *float64 *5 .*minimum' thalweg info fit.h5
has 'its inputs are the same' 0 'cosine-seed1.csv .*same' thalweg info --check fit.h5
has 'a forecast is made' 0 . thalweg forecast fit.h5 --schedule=cosine:peak=1e-3,total=1000 \
    -o forecast.h5
has 'and described' 0 '^kind *forecast' thalweg info forecast.h5
expect_json 'both in JSON' 0 thalweg info --json fit.h5 forecast.h5

if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cat >make.py <<'PY'
import h5py
f = h5py.File("other.h5", "w")
f["w/x"] = [[1.0, 2.0]]
f["w"].attrs["note"] = "bell \a here"
f["far"] = h5py.ExternalLink("secret.h5", "/x")
f["near"] = h5py.SoftLink("/w/x")
f.close()
f = h5py.File("new.h5", "w")
f.attrs["format"] = "thalweg"
f.attrs["format_version"] = 2
f.attrs["kind"] = "fit"
f.close()
PY
    cat >read.py <<'PY'
import h5py
import math
f = h5py.File("r.h5", "r")
assert dict(f.attrs) == {"format": "thalweg", "format_version": 1, "kind": "scan-1d"}
assert f["loss"].attrs["unit"] == "nats" and f["loss"].attrs["meaning"] == "mean loss"
x = f["loss"][:]
assert list(x[:2]) == [3.0, 2.5] and all(math.isnan(v) for v in x[2:])
assert list(f["status"][:]) == [1, 1, 2, 0, 0] and f["provenance/seed"][()] == 1
text = f["label"].asstr()[()]
assert text == "line" and type(text) is str
assert list(f["provenance/input_paths"].asstr()[:]) == ["in.csv", "-"]
PY
    expect 'h5py reads a result' 0 - /usr/bin/python3 read.py
    expect 'h5py makes files' 0 - /usr/bin/python3 make.py
    expect 'another HDF5 file' 0 "$GOLDEN/info-tree.txt" thalweg info other.h5
    has 'a newer version is refused' 3 'format version 2 is newer than 1' thalweg info new.h5
    has 'and the file named' 3 'new.h5: ' thalweg info --json new.h5
else
    count=$((count + 1))
    echo "ok $count # SKIP python3-h5py is not installed"
fi
done_testing
