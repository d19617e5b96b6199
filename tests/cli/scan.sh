#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg scan and export: lines, planes, files that are continued, other programs' files.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# shellcheck disable=SC2154  # tap.sh sets it
cd "$tmp" || exit 1
export SOURCE_DATE_EPOCH=1700000000
cp "$data/digits-mlp-1.h5" a.h5 && cp "$data/digits-mlp-2.h5" b.h5

# scan ARG...: of the digits' test images.
scan() { thalweg scan --data "$data/digits.h5" --scale 0.0625 --split test --threads 1 -q "$@"; }
value() { sed -n "s/.*\"result\":{.*\"$1\":\([^,}]*\).*/\1/p" out; }
# loss FILE X [Y]: of a table.
loss() { awk -F, -v x="$2" -v y="${3-}" '$1 == x && (y == "" || $2 == y) { print y == "" ? $2 : $3 }' "$1"; }

# near A B: the same but for rounding.
near() { awk -v a="$1" -v b="$2" 'BEGIN { d = a - b; exit !((d < 0 ? -d : d) <= 1e-6 * b) }'; }

# Lines.
expect_out 'a line between two checkpoints' 0 '^21 points, loss 0\.[0-9]* at [01.]* to .* at 0\.5, ' \
    scan a.h5 b.h5 --mesh 21 -o line.h5
expect 'as a table' 0 - thalweg export line.h5 --csv line.csv -q
for end in 0:a 1:b; do
    want=$(thalweg eval -d "$data/digits.h5" --scale 0.0625 --split test --json "${end#*:}.h5" |
        sed 's/.*"loss":\([^,]*\).*/\1/')
    near "$(loss line.csv "${end%:*}")" "$want"
    report $? "its end ${end%:*} has the loss of checkpoint ${end#*:}"
done
head -c 307300 /dev/zero >wide.bin
thalweg train 'mlp(3072,10)' -q --data wide.bin --lr 1e-2 --steps 1 --validation none -o wide.h5 >/dev/null
expect_err 'what it keeps of wide layers, if asked' 0 'at the anchors 0\.[0-9]*[1-9] MB were kept' \
    thalweg scan wide.h5:0 wide.h5:1 --data wide.bin --mesh 3 -v
expect_json 'beyond its ends, in JSON' 0 scan a.h5 b.h5 --mesh 5 --range -0.5:1.5 -o far.h5 --json
[ "$(value points)" = 5 ] && [ "$(value evaluations)" = 5 ] && [ "$(value kind)" = '"scan-1d"' ]
report $? 'with what was done'
thalweg export far.h5 --csv far.csv -q
[ "$(loss far.csv 0.5)" = "$(loss line.csv 0.5)" ]
report $? 'and the same bits at the same place'

# Directions as loss-landscape keeps them.
expect_err 'directions over the scan itself' 2 'name the same file' \
    thalweg scan -q a.h5 --data d.npz --mesh 5x5 --save-directions same.h5 -o same.h5
expect 'directions are written' 0 - scan a.h5 --mesh 5x5 --seed 3 --save-directions dir.h5 -o drawn.h5
expect_out 'a tensor each, by their numbers' 0 '^/ydirection/2 *float32 *10 x 32' thalweg info dir.h5
expect 'and read' 0 - scan a.h5 --mesh 5x5 --direction-file dir.h5 -o given.h5
thalweg export drawn.h5 --csv drawn.csv -q && thalweg export given.h5 --csv given.csv -q
expect 'to the same bits' 0 - cmp drawn.csv given.csv
scan a.h5 --mesh 5 --seed 4 --save-directions dir1.h5 -o drawn1.h5 >/dev/null
scan a.h5 --mesh 5 --direction-file dir1.h5 -o given1.h5 >/dev/null
expect_out 'a finished scan of theirs' 0 '^5 points' scan a.h5 --mesh 5 --direction-file dir1.h5 -o given1.h5
expect_err 'another file is another scan' 2 'made with other settings' \
    scan a.h5 --mesh 5 --direction-file dir.h5 -o given1.h5
expect_err 'one direction is a line' 2 'no ydirection.* --mesh=51' \
    scan a.h5 --mesh 5x5 --direction-file dir1.h5 -o x.h5
expect_err 'a scan has none' 3 'no xdirection' scan a.h5 --mesh 5 --direction-file line.h5 -o x.h5
expect_err 'those of another network' 3 'has 4 tensors, but the network has 8' \
    scan "$root/tests/samples/pairs/deep-1.h5" --mesh 5 --direction-file dir1.h5 -o x.h5
expect_err 'nor of other shapes' 3 'xdirection/0 has not the shape of fc1.weight' \
    scan --model 'mlp(64,16,10)' --mesh 5 --direction-file dir1.h5 -o x.h5
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cat >spoil.py <<'PY'
import h5py, shutil
for name, where, bad in (("nan", (3, 5), "nan"), ("inf", (31, 63), "-inf"), ("huge", (0, 1), "1e39")):
    shutil.copy("dir1.h5", name + "-dir.h5")
    with h5py.File(name + "-dir.h5", "r+") as f:
        a = f["xdirection/0"][()].astype("f8")
        a[where] = float(bad)
        del f["xdirection/0"]
        f["xdirection/0"] = a
shutil.copy("dir1.h5", "gap-dir.h5")
with h5py.File("gap-dir.h5", "r+") as f:
    f.move("xdirection/3", "xdirection/4")
PY
    /usr/bin/python3 spoil.py || exit 1
    expect_err 'no direction has a NaN' 3 'nan-dir.h5: number 197 of xdirection/0 .*fc1.weight.* is NaN' \
        scan a.h5 --mesh 5 --direction-file nan-dir.h5 -o x.h5
    expect_err 'nor an infinite number' 3 'inf-dir.h5: number 2047 of xdirection/0 .* is infinite' \
        scan a.h5 --mesh 5 --direction-file inf-dir.h5 -o x.h5
    expect_err 'also as the float32 that it becomes' 3 'huge-dir.h5: number 1 of xdirection/0 .*too large' \
        scan a.h5 --mesh 5 --direction-file huge-dir.h5 -o x.h5
    expect_err 'a gap in the numbers is named' 3 \
        'gap-dir.h5 has no data set xdirection/3 for the network.s parameter fc2.bias: .* 0 to 3' \
        scan a.h5 --mesh 5 --direction-file gap-dir.h5 -o x.h5
    [ ! -e x.h5 ]
    report $? 'and none of them leaves a file'
else
    skip 'spoilt directions' 'no python3-h5py'
fi
expect_err 'nor between checkpoints' 2 'from one checkpoint' scan a.h5 b.h5 --direction-file dir.h5 -o x.h5

# Planes.
expect_out 'a plane along random directions' 0 '^9×7 points' \
    scan a.h5 --mesh 9x7 --radius 0.5 --seed 7 -o plane.h5
scan a.h5 --mesh 9 --radius 0.5 --seed 7 -o row.h5 >/dev/null
thalweg export plane.h5 --csv plane.csv -q && thalweg export row.h5 --csv row.csv -q
awk -F, '$2 == 0 { print $3 }' plane.csv >in-plane
awk -F, 'NR > 1 { print $2 }' row.csv | paste -d ' ' - in-plane >both
[ "$(wc -l <both)" -eq 9 ] && awk '$1 != $2 { exit 1 }' both
report $? 'its middle row is the line along the first direction, to the bit'
near "$(loss plane.csv 0 0)" "$(loss line.csv 0)"
report $? 'its middle is the checkpoint'
scan a.h5 --mesh 9x7 --radius 0.5 --seed 8 -o other.h5 >/dev/null
thalweg export other.h5 --csv other.csv -q && ! cmp -s other.csv plane.csv
report $? 'another seed, another plane'
for threads in 1 2 4; do # enough samples that threads share them
    thalweg scan --data "$data/digits.h5" --scale 0.0625 -q a.h5 --mesh 4x4 --threads $threads \
        -o threads.h5 --force >/dev/null
    thalweg export threads.h5 --csv threads$threads.csv -q
done
thalweg info -v threads.h5 | awk '/^input / { on = 1; next } !NF { on = 0 } on { print $2 "  " $1 }' >inputs
[ "$(wc -l <inputs)" -eq 2 ] && sha256sum -c --status inputs
report $? 'inputs have the digests of their files, whoever computed them'
cmp -s threads1.csv threads2.csv && cmp -s threads1.csv threads4.csv
report $? 'the same bits with one thread, two and four'
for how in layer weight none; do
    expect_out "directions scaled by $how" 0 '^3×3 points' \
        scan a.h5 --mesh 3x3 --normalize $how --biases random -o "$how.h5"
done
expect_out 'more samples for a smaller standard error' 0 ', n 29[0-9]$' \
    scan a.h5 --mesh 3x3 --target-error 0.035 -o pilot.h5

# Several losses in one pass.
scan a.h5 b.h5 --mesh 5 --loss 'cross-entropy(label_smoothing=0.1)' -o smooth.h5 >/dev/null
expect 'another loss in the same pass' 0 - \
    scan a.h5 b.h5 --mesh 5 --also 'cross-entropy(label_smoothing=0.1)' -o also.h5
thalweg export smooth.h5 --csv smooth.csv -q && thalweg export also.h5 --csv also.csv -q
[ "$(awk -F, '$1 == 0.5 { print $2 }' smooth.csv)" = "$(awk -F, '$1 == 0.5 { print $6 }' also.csv)" ]
report $? 'is what it is alone'

# A file goes on where it was left.
whole="a.h5 --mesh 41x41 --seed 3 -o killed.h5"
mkdir kill && cp a.h5 kill && cd kill || exit 1
for wait in 0.01 0.04 0.08; do
    # shellcheck disable=SC2086
    thalweg scan --data "$data/digits.h5" --scale 0.0625 --split test --threads 1 -q $whole \
        >/dev/null 2>&1 &
    until [ -e killed.h5 ] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
    sleep $wait
    kill -9 $! 2>/dev/null
    wait $! 2>/dev/null
done
# shellcheck disable=SC2086
expect_out 'a killed scan is finished by the same command' 0 '^41×41 points' scan $whole
cd .. && mkdir once && cp a.h5 once && cd once || exit 1
# shellcheck disable=SC2086
scan $whole >/dev/null
cd .. && cmp kill/killed.h5 once/killed.h5 2>/dev/null
report $? 'and has the bytes of one that was not killed'
# Stopped by a signal: exit code 5, and what there is says how to go on.
mkdir stop && cp a.h5 stop && cd stop || exit 1
thalweg scan --data "$data/digits.h5" --scale 0.0625 --threads 1 a.h5 --mesh 300x300 -o stop.h5 \
    >/dev/null 2>said &
until [ -e stop.h5 ] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
sleep 0.05
kill -TERM $!
wait $!
[ $? -eq 5 ] && grep -q 'of 90000 points; the same command goes on' said
report $? 'a signal stops it with exit code 5'
cd ..
expect_json 'once more: nothing is left to do' 0 scan a.h5 --mesh 9x7 --radius 0.5 --seed 7 \
    -o plane.h5 --json
[ "$(value evaluations)" = 0 ] && [ "$(value computed)" = 63 ]
report $? 'and nothing is done'
expect_err 'other settings are refused' 2 'plane.h5 was made with other settings \(--radius=0.5 there, --radius=1 now\)' \
    scan a.h5 --mesh 9x7 --seed 7 -o plane.h5
expect_err 'another kind too' 2 "of kind 'scan-2d', and this one would be 'scan-1d'" \
    scan a.h5 --mesh 9 -o plane.h5
expect_err 'and another checkpoint' 2 'input 2=' \
    scan b.h5 --mesh 9x7 --radius 0.5 --seed 7 -o plane.h5
expect 'but with --force' 0 - scan a.h5 --mesh 9x7 --seed 7 -o plane.h5 --force

# Few points.
expect_json 'a tolerance' 0 scan a.h5 --mesh 65x65 --tol 0.01 -o few.h5 --json --limit 100
awk -v n="$(value evaluations)" -v e="$(value stated_error)" \
    'BEGIN { exit !(n > 100 && n * 8 <= 4225 && e > 0 && e <= 0.01) }'
report $? 'takes an eighth of the points, and tells its error'
scan a.h5 --mesh 65x65 -o many.h5 --limit 100 >/dev/null
thalweg export few.h5 --csv few.csv -q && thalweg export many.h5 --csv many.csv -q
paste -d, few.csv many.csv | awk -F, 'NR > 1 {
    d = log($3 / $10); d = d < 0 ? -d : d; most = d > most ? d : most
    lo = NR == 2 || $10 < lo ? $10 : lo; hi = $10 > hi ? $10 : hi
} END { exit !(most <= 0.01 * log(hi / lo)) }'
report $? 'which is true of every point'

expect_json 'on a line too' 0 scan a.h5 b.h5 --mesh 101 --tol 0.01 -o bent.h5 --json
awk -v n="$(value computed)" -v e="$(value stated_error)" 'BEGIN { exit !(n < 40 && e <= 0.01001) }'
report $? 'takes fewer points'
[ "$(($(value computed) + $(value interpolated)))" = 101 ] &&
    [ "$(($(value computed) + $(value beside)))" = "$(value evaluations)" ] && [ "$(value beside)" -gt 0 ]
report $? 'and every point of the mesh counts once'
expect_out 'as it does in words' 0 \
    "^$(value computed) computed, $(value interpolated) interpolated, $(value beside) more computed between" \
    scan a.h5 b.h5 --mesh 101 --tol 0.01 -o bent.h5
scan a.h5 b.h5 --mesh 101 -o straight.h5 >/dev/null
thalweg export bent.h5 --csv bent.csv -q && thalweg export straight.h5 --csv straight.csv -q
paste -d, bent.csv straight.csv | awk -F, 'NR > 1 {
    d = $2 - $8; d = d < 0 ? -d : d; most = d > most ? d : most
    lo = NR == 2 || $8 < lo ? $8 : lo; hi = $8 > hi ? $8 : hi
} END { exit !(NR == 102 && most <= 0.01 * (hi - lo)) }'
report $? 'and is true of all'
mkdir bent && cp a.h5 b.h5 bent && cd bent || exit 1
thalweg scan --data "$data/digits.h5" --scale 0.0625 --split test --threads 1 -q a.h5 b.h5 --mesh 101 \
    --tol 0.01 -o bent.h5 >/dev/null 2>&1 &
until [ -e bent.h5 ] || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
sleep 0.02
kill -9 $! 2>/dev/null
wait $! 2>/dev/null
scan a.h5 b.h5 --mesh 101 --tol 0.01 -o bent.h5 >/dev/null
cd ..
thalweg export bent/bent.h5 --csv killed.csv -q && cmp -s killed.csv bent.csv
report $? 'a killed one goes on to the same numbers'

# Three checkpoints, a trajectory.
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cat >make.py <<'PY'
import h5py, numpy as np
a, b = (h5py.File(f, "r") for f in ("a.h5", "b.h5"))
names = []
a.visititems(lambda n, o: names.append(n) if isinstance(o, h5py.Dataset) else None)
def put(path, f):
    with h5py.File(path, "w") as w:
        w.attrs["model"] = a.attrs["model"]
        for n in names:
            w[n] = f(n, a[n][()], b[n][()]).astype("f4")
rng = np.random.default_rng(0)
put("c.h5", lambda n, x, y: x + 0.3 * rng.standard_normal(x.shape) * abs(x))
for k in range(5):
    t = k / 4
    put(f"t{k}.h5", lambda n, x, y: (1 - t) * x + t * y + t * (1 - t) * np.sin(x + y))
PY
    /usr/bin/python3 make.py
    expect_json 'the plane of three checkpoints' 0 \
        scan a.h5 b.h5 c.h5 --mesh 9x9 --margin 0 -o tri.h5 --json
    [ "$(value chart)" = '"triangle"' ]
    report $? 'is what three make'
    expect_out 'the plane of a trajectory' 0 '^5 checkpoints up to .* off the plane, which explains 9' \
        scan t0.h5 t1.h5 t2.h5 t3.h5 t4.h5 --trajectory --mesh 5x5 -o traj.h5
    expect_out 'its path is in the file' 0 '^/trajectory/off_plane *float64 *5 ' thalweg info traj.h5
    expect 'a figure of it' 0 - thalweg plot traj.h5 -q -o traj.svg
    # Files of loss-landscape: not square ones declare the wrong shape.
    cat >theirs.py <<'PY'
import h5py, numpy as np
x, y = np.linspace(-1, 1, 5), np.linspace(0, 1, 3)
X, Y = np.meshgrid(x, y)
with h5py.File("theirs.h5", "w") as f:
    f["dir_file"] = "d.h5"
    f["xcoordinates"], f["ycoordinates"] = x, y
    f["train_loss"] = (10 * X + Y).ravel().reshape(5, 3)
with h5py.File("scalars.h5", "w") as f:
    for i in range(4):
        for j in range(5):
            f[f"loss_{i}_{j}"] = 1.0 + i * j
ours, out = h5py.File("square.h5", "r"), h5py.File("out.h5", "r")
assert sorted(out) == ["dir_file", "train_acc", "train_loss", "xcoordinates", "ycoordinates"]
assert out["train_loss"].dtype == "f8" and h5py.check_string_dtype(out["dir_file"].dtype)
for f in (ours, out):
    assert (f["train_loss"][()] == ours["loss"][()]).all()
    assert (f["train_acc"][()] == 100 * (1 - ours["error"][()])).all()
    assert (f["xcoordinates"][()] == ours["x"][()]).all()
PY
    scan a.h5 --mesh 5x5 -o square.h5 >/dev/null
    expect 'written for loss-landscape' 0 - thalweg export square.h5 --loss-landscape out.h5 -q
    expect 'as its scripts read it, and our own file too' 0 - /usr/bin/python3 theirs.py
    expect 'theirs are read' 0 - thalweg export theirs.h5 --csv theirs.csv -q
    [ "$(loss theirs.csv 0.5 1)" = 6 ] && [ "$(loss theirs.csv 0.5 0)" = 5 ]
    report $? 'with the values where they belong'
    expect 'and drawn' 0 - thalweg plot theirs.h5 -q -o theirs.svg
    expect 'numbers without coordinates too' 0 - thalweg plot scalars.h5 -q -o scalars.svg
else
    skip 'checkpoints and surfaces of others' 'no h5py to make them with'
fi
expect_err 'a plane that is not square is not written for it' 2 'only square planes' \
    thalweg export plane.h5 --loss-landscape no.h5
expect 'a file for ParaView' 0 - thalweg export plane.h5 --vtp plane.vtp -q
[ "$(grep -c 'DataArray type' plane.vtp)" = 11 ] && grep -q 'NumberOfPolys="48"' plane.vtp
report $? 'has points and quadrilaterals'
expect_err 'which is not overwritten' 3 'plane.vtp exists' thalweg export plane.h5 --vtp plane.vtp
expect_err 'a line has no surface' 2 'a line has no surface' thalweg export line.h5 --vtp line.vtp
expect_err 'a file that is no scan' 3 'a.h5' thalweg export a.h5 --csv no.csv

# Figures.
expect 'a map with the scan' 0 - scan a.h5 --mesh 9x9 --plot map.svg
grep -q 'filter-normalised' map.gp && [ -s map.h5 ] && [ -s map.bin ]
report $? 'says how it was made, and keeps its numbers'
grep -q '^LOG = 1 ' map.gp && cp map.svg map-first.svg
report $? 'has logarithmic colours where the loss spans much'
if command -v gnuplot >/dev/null; then
    gnuplot map.gp 2>said && cmp -s map.svg map-first.svg
    report $? 'and its script draws it again'
else
    skip 'its script draws it again' 'no gnuplot'
fi
expect 'the surface from above' 0 - thalweg plot map.h5 --figure surface -q -o relief.svg
expect 'a line' 0 - thalweg plot line.h5 -q -o line.svg
expect_err 'a figure that a scan has not' 2 'map or surface' thalweg plot map.h5 --figure isoflop

# Runs in a plane: of a trunk and two ends, each run ends at a corner.
thalweg train 'mlp(64,32,10)' --data "$data/digits.h5" --scale 0.0625 --lr 1e-2 --steps 12 --spawn 4 \
    --checkpoint every=2 --threads 1 -q -o pair.h5 >/dev/null
thalweg train 'mlp(64,16,10)' --data "$data/digits.h5" --scale 0.0625 --lr 1e-2 --steps 2 --threads 1 \
    -q -o narrow.h5 >/dev/null
pair='pair.h5:a:4 pair.h5:a:last pair.h5:b:last'
# shellcheck disable=SC2086
expect_out 'runs that part, in the plane of trunk and ends' 0 \
    '^path pair.h5:b: 7 checkpoints up to .* from the plane.s origin and [0-9.]* off the plane \(step [0-9]*\)$' \
    scan $pair --mesh 5x5 --paths pair.h5:a --paths pair.h5:b -o pair-scan.h5 \
    --plot pair.svg
# shellcheck disable=SC2086
expect_json 'the same runs with a comma go on' 0 \
    scan $pair --mesh 5x5 --paths pair.h5:a,pair.h5:b -o pair-scan.h5 --json
[ "$(grep -o '"off_plane_step"' out | wc -l)" -eq 2 ] && [ "$(value paths_off_plane)" != null ]
report $? 'their JSON says how far off they are'
# shellcheck disable=SC2086
expect_out 'or as a file of both: done already' 0 '"evaluations":0,' \
    scan $pair --mesh 5x5 --paths pair.h5 -o pair-scan.h5 --json
# shellcheck disable=SC2086
expect_err 'other runs are other settings' 2 'path 2=b of input 2 there, fewer now' \
    scan $pair --mesh 5x5 --paths pair.h5:a -o pair-scan.h5
# The block of path k: its checkpoints, the trunk in the third row, the ends in the last.
block() { awk -v k="# path 00$1" '$0 == k { on = 1; next } on && NF == 0 { exit } on && !/^#/' pair.dat; }
marks() { awk '$0 == "# marks" { on = 1; next } on && NF == 0 { exit } on && !/^#/' pair.dat; }
[ "$(block 0 | wc -l)" -eq 7 ] && { block 0 && block 1 && marks; } | awk '
    { x[NR] = $1; y[NR] = $2 }
    function far(i, k) { return (x[i] - x[k]) ^ 2 + (y[i] - y[k]) ^ 2 > 1e-8 }
    END { exit NR != 17 || far(3, 15) || far(10, 15) || far(7, 16) || far(14, 17) || !far(7, 14) }'
report $? 'the figure has them where the checkpoints are'
grep -q '^# chord' pair.dat && grep -q 'index "path 001"' pair.gp && grep -q "title 'b'" pair.gp
report $? 'with the chord and their names'
expect 'drawn again from its file' 0 - thalweg plot pair-scan.h5 -q -o again.svg
sed -n '/^# marks/,$p' pair.dat >first && sed -n '/^# marks/,$p' again.dat | cmp -s - first
report $? 'with the same paths'
expect_out 'in a random plane' 0 '^path pair.h5:a: .* off the plane' \
    scan pair.h5:a:last --mesh 3x3 --paths pair.h5:a -o random-paths.h5
# shellcheck disable=SC2086
expect_err 'a run of another network' 3 'narrow.h5:0: .*another shape' \
    scan $pair --mesh 5x5 --paths narrow.h5 -o no.h5
[ ! -e no.h5 ]
report $? 'is refused before anything is written'
# shellcheck disable=SC2086
expect_err 'a run that is none' 3 'no such run; there are a, b' scan $pair --mesh 5x5 --paths pair.h5:c -o no.h5
# shellcheck disable=SC2086
expect_err 'a file that holds no run' 3 'a.h5 is neither a file of training runs' \
    scan $pair --mesh 5x5 --paths a.h5 -o no.h5
expect_err 'paths on a line' 2 'drawn in planes' scan a.h5 b.h5 --mesh 5 --paths pair.h5 -o no.h5

# An evaluator instead of a network.
own="'$build/test/evaluator' 5 40"
if [ -x "$build/test/evaluator" ] && [ -x "$build/test/faulty_evaluator" ]; then
    expect_out 'the line between an evaluator'"'"'s checkpoints' 0 '^7 points, loss 0\.' \
        thalweg scan -q --evaluator "$own" --mesh 7 -o own.h5
    expect 'with two of it at once' 0 - \
        thalweg scan -q --evaluator "$own" --mesh 7 -o own2.h5 --workers 2
    thalweg export own.h5 --csv own.csv -q && thalweg export own2.h5 --csv own2.csv -q
    cmp -s own.csv own2.csv
    report $? 'the same numbers'
    expect_err 'and no data beside it' 2 'brings its own network' \
        thalweg scan --evaluator "$own" --data "$data/digits.h5"
    expect_err 'points that fail are told' 0 'CUDA out of memory' \
        thalweg scan --evaluator "'$build/test/faulty_evaluator' oom -" --mesh 3 -o oom.h5
    expect_out 'and recorded' 0 '^0.*,2$' sh -c 'thalweg export oom.h5 -q --csv oom.csv; cat oom.csv'
else
    skip 'evaluators' 'test/evaluator is not built'
fi

# What is wrong is said.
expect_err 'no data' 2 'no data given' thalweg scan a.h5
expect_err 'a mesh that is none' 2 "'4xx' is not like 51 or 51x51" scan a.h5 --mesh 4xx
expect_err 'a plane of two' 2 'two checkpoints make a line' scan a.h5 b.h5 --mesh 5x5
expect_err 'four checkpoints' 2 '4 checkpoints: .* more a --trajectory' scan a.h5 b.h5 a.h5 b.h5
expect_err 'a trajectory of two' 2 'at least 3 checkpoints, not 2' scan a.h5 b.h5 --trajectory
expect_err 'three on a line' 4 'on one line' scan a.h5 b.h5 a.h5 --mesh 5x5
expect_err 'a range that is none' 2 "'1:0' is not like -0.5:1.5" scan a.h5 b.h5 --range 1:0
expect_err 'kept statistics between two' 2 'of neither are right' scan a.h5 b.h5 --bn keep
done_testing
