#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg plot: fits, forecasts and logs, in every format; its side files; what can be wrong.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
# shellcheck source=tests/support/curves.sh
. "$here/support/curves.sh"
cd "$tmp" || exit 1
sh_in() { sh -c "$1"; }
wsd='wsd:peak=0.004,warmup=100,ramp=(s+1)/w,total=3000,decay=600,end=0.0004'
cosine=$curves/cosine-seed1.csv
constant=$curves/constant-seed1.csv

expect 'a fit to draw' 0 - thalweg fit annealing -q -b 50 --from 300 "$cosine" "$constant" \
    --schedules "$curves/schedules.csv" -o fit.h5
expect 'a forecast to draw' 0 - thalweg forecast -q fit.h5 -s "$wsd" -a "$curves/wsd-seed1.csv" \
    -o forecast.h5
expect 'a fit without profiles' 0 - thalweg fit annealing -q -b 0 --profile none --no-model-error \
    --from 300 "$cosine" "$constant" -o bare.h5

# ---- what can be wrong ---------------------------------------------------------------------------
plot() { thalweg plot -q "$@"; }
says 'nothing to plot' 2 'nothing to plot: give a result file or loss logs' thalweg plot
says 'a missing file' 3 'nowhere.h5: No such file or directory' plot nowhere.h5
says 'a directory' 3 'this is a directory' plot .
says 'two results' 2 'fit.h5 is a result file, and those are drawn one at a time' plot fit.h5 forecast.h5
says 'a log and a result' 2 'fit.h5 is a result file, and those are drawn one at a time' plot "$cosine" fit.h5
says 'no suffix' 2 'figure: a figure ends in .pdf, .png, .svg, .tex or .eps' plot fit.h5 -o figure
says 'an unknown suffix' 2 'figure.gif: a figure ends in' plot fit.h5 -o figure.gif
says 'an unknown venue' 2 "--venue: 'icmm' is none of icml|neurips" plot fit.h5 --venue icmm
says 'an unknown width' 2 "'wide' is neither full, half nor 1 to 40 inches" plot fit.h5 --width wide
says 'too low' 2 '--height: 0.1 is outside 0.8 to 40' plot fit.h5 --height 0.1
says 'profiles of a log' 2 '--profiles draws a fit, and' plot "$cosine" --profiles
says 'profiles of a fit that has none' 2 'the fit has no profiles: fit with --profile=alpha,lambda' \
    plot bare.h5 --profiles
head -c 5000 fit.h5 >cut.h5
says 'a result cut short' 3 'cut.h5' plot cut.h5
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    cp fit.h5 other.h5
    /usr/bin/python3 -c 'import h5py; h5py.File("other.h5", "r+").attrs["kind"] = "oracle"'
    says 'a result of another kind' 3 "expected a fit, found a file of kind 'oracle'" plot other.h5
else
    skip 'a result of another kind' 'no python3-h5py'
fi

# ---- files that are not finished, or whose numbers make no figure --------------------------------
if /usr/bin/python3 -c 'import h5py' 2>/dev/null; then
    net() { c=$1 && shift && thalweg "$c" -q --data "$data/digits.h5" --scale 0.0625 --threads 1 "$@" >/dev/null; }
    net train 'mlp(64,4,10)' --lr 0.1 --steps 2 --checkpoint every=1 --spawn 0 -o pair.h5
    net scan pair.h5:a:last --mesh 3x3 --limit 20 -o plane.h5
    net barrier --spawned pair.h5 --limit 20 -o spawned.h5
    net barrier pair.h5:a:1 pair.h5:a:last pair.h5:b:last --limit 20 -o matrix.h5
    net ghost pair.h5:a:1 pair.h5:a:last --limit 20 -o ghost.h5
    net ghost pair.h5:a:1 --direction random:2 --onset 'loss*2' --limit 20 -o damage.h5
    cat >spoil.py <<'PY'
import h5py, numpy as np, shutil
def spoil(source, name, change):
    shutil.copy(source + ".h5", name + ".h5")
    with h5py.File(name + ".h5", "r+") as f:
        change(f)
def put(f, name, x):
    kept = dict(f[name].attrs)
    del f[name]
    f[name] = x
    for k in kept:
        f[name].attrs[k] = kept[k]
def undone(f): # as a kill before the first row leaves it
    f["status"][...] = 0
def no_steps(f):
    for run in f["runs"].values():
        run["log/status"][...] = 0
def no_softmax(f):
    for name, x in list(f["softmax"].items()):
        put(f, "softmax/" + name, np.zeros(x.shape[:-1] + (0,)))
def endless(f):
    f["line/tau"][...] = np.inf
def near(f):
    f["loss"][...] = 1 + 1e-15 * np.arange(9).reshape(3, 3)
spoil("spawned", "spawned0", undone)
spoil("matrix", "matrix0", undone)
spoil("plane", "plane0", undone)
spoil("plane", "near", near)
spoil("pair", "pair0", no_steps)
spoil("damage", "onsets", lambda f: f.__delitem__("onset"))
spoil("ghost", "softmax", no_softmax)
spoil("ghost", "endless", endless)
with h5py.File("surface10.h5", "w") as f:
    f["xcoordinates"], f["ycoordinates"] = np.zeros(1), np.zeros(0)
    f["train_loss"], f["train_acc"] = np.zeros((1, 0)), np.zeros((1, 0))
PY
    /usr/bin/python3 spoil.py || exit 1
    again='run the same command again to go on'
    says 'spawned runs without a pair' 3 "plot: spawned0.h5: no pair is computed yet; $again" plot spawned0.h5
    says 'a matrix without a pair' 3 "plot: matrix0.h5: no pair is computed yet; $again" plot matrix0.h5
    says 'a plane without a point' 2 'plot: plane0.h5: no point has a loss yet; ' plot plane0.h5
    says 'a run without a step' 3 'plot: pair0.h5: no step is logged in it yet; ' plot pair0.h5
    says 'damage without onsets' 2 'plot: onsets.h5: there is no measured damage' plot onsets.h5
    says 'zeros without a softmax' 2 'plot: softmax.h5: there are no zeros to draw: it has no softmax' plot softmax.h5
    says 'a step without an end' 2 'plot: endless.h5: there is no step to draw: its length is infinite' plot endless.h5
    says 'a surface without points' 3 'plot: surface10.h5: 1 x 0 coordinates make no surface' plot surface10.h5
    says 'a surface of one height, but for rounding' 2 "plot: near.h5: 'loss' goes from 1 to 1.000000000000008, too little" \
        plot near.h5
else
    skip 'files that make no figure' 'no python3-h5py'
fi
awk 'BEGIN { print "step,loss"; for (i = 1; i < 9; i++) print i "," i "e-308" }' >least.csv
says 'numbers too small for gnuplot' 2 "plot: least.csv: 'loss' goes from 7.2e-309 to 8.28e-308, too small" \
    plot least.csv
says 'also on a log axis' 2 'and a log axis from 1e-100 to 1e+100: scale it first' \
    plot least.csv --log-y
says 'a missing folder' 3 'nowhere/x.svg: no file can be made in nowhere' plot fit.h5 -o nowhere/x.svg
[ -z "$(find . -name '*.gp' -o -name '*.dat')" ]
report $? 'nothing was drawn so far'
if [ -z "${TW_WRAP:-}" ]; then
    mkdir alone && ln -s "$(command -v thalweg)" alone/thalweg
    says 'no gnuplot' 3 'cannot start gnuplot' env PATH="$tmp/alone" thalweg plot -q fit.h5 -o x.svg
    grep -q 'apt-get install gnuplot-nox' "$tmp/err"
    report $? 'what to do is said'
    expect 'the script is kept for later' 0 - test -s x.gp -a -s x.dat
else
    skip 'no gnuplot' 'the wrapper needs its PATH'
fi
if ! command -v gnuplot >/dev/null; then
    skip 'figures' 'no gnuplot'
    done_testing
    exit
fi

# ---- every kind in every format ----------------------------------------------------------------------
for input in fit.h5 forecast.h5 "$cosine"; do
    for format in pdf png svg tex eps; do
        name=$(basename "$input" | sed 's/[.].*//')-$format
        expect "$(basename "$input") as $format" 0 - plot "$input" -o "$name.$format"
        case $format in
        pdf) magic='%PDF' ;; png) magic='PNG' ;; svg) magic='<svg' ;;
        tex) magic='includegraphics' ;; eps) magic='%!PS-Adobe' ;;
        esac
        expect "it is $format" 0 - grep -aq -e "$magic" "$name.$format"
    done
done
expect 'a training run to draw' 0 - thalweg train -q --threads 1 'mlp(64,4,10)' -d "$data/digits.h5" \
    --scale 0.0625 --lr 0.1 --steps 3 --log loss,r -o run.h5
expect 'any of its series' 0 - plot run.h5 -y r -o run.svg
expect 'is drawn as a log is' 0 - grep -q '^3 [0-9.]* NaN 1' run.dat
expect 'a .tex figure has its lines beside it' 0 - grep -aq '%PDF' fit-tex.pdf

# ---- names -------------------------------------------------------------------------------------------
expect_err 'a figure is called like its input' 0 'drew fit\.pdf \(edit fit\.gp and run gnuplot' \
    thalweg plot fit.h5
expect_err 'profiles have a name of their own' 0 'drew fit-profiles\.pdf' thalweg plot fit.h5 --profiles
expect_err '--format gives the suffix' 0 'drew fit\.svg' thalweg plot fit.h5 --format svg
expect_err 'standard input' 0 'drew stdin\.pdf' sh_in "thalweg plot - <'$cosine'"
grep -v "^#" "$cosine" >mine.dat
cp mine.dat keep
says 'a log called NAME.dat is not drawn over' 3 'mine.dat is there and is no figure' plot mine.dat
expect 'and stays as it was' 0 - cmp mine.dat keep
json 'JSON' 0 plot --json forecast.h5 -o named.svg
is 'names the figure' result.figure named.svg

# ---- sizes and panels -----------------------------------------------------------------------------------
size() { sed -n 's/.*<svg[^>]*width="\([0-9.]*\)"[^>]*height="\([0-9.]*\)".*/\1 \2/p; /^ width=/s/.*width="\([0-9.]*\)" height="\([0-9.]*\)".*/\1 \2/p' "$1" | head -1; }
expect 'a half column' 0 - plot fit.h5 -o half.svg
expect 'a full page' 0 - plot fit.h5 -o full.svg --width full --height 3 --venue neurips
expect 'inches' 0 - plot fit.h5 -o inches.svg --width 4 --height 2
[ -n "$(size half.svg)" ] && [ "$(size half.svg)" != "$(size full.svg)" ]
report $? 'have their sizes'
expect 'inches are inches' 0 - grep -q '^TW_W = 4; TW_H = 2 ' inches.gp
expect 'residuals' 0 - plot fit.h5 -o residuals.svg --residuals --log-x --log-y
expect 'several logs' 0 - plot "$curves"/*-seed1.csv -o logs.svg --from 300
for n in constant-seed1 cosine-long-seed1 wsdcon-seed1; do
    grep -q "$n" logs.gp
    report $? "each is named: $n"
done
expect 'the law of a forecast has its bands' 0 - grep -q 'wsd-seed1' forecast-svg.gp

# ---- numbers that are very small, very large, or both ------------------------------------------------
awk 'BEGIN { print "step,loss"; for (i = 1; i < 9; i++) print i "," i "e-100" }' >small.csv
awk 'BEGIN { print "step,loss"; for (i = -320; i < 309; i += 20) print i + 321 ",1e" i }' >wide.csv
expect 'small numbers' 0 - plot small.csv -o small.svg
expect 'have powers of ten on the axis' 0 - grep -q "set format y '%.0t·10^{%T}'" small.gp
expect 'also on a log axis' 0 - plot small.csv -o small-log.svg --log-y
expect 'numbers from the least to the largest' 0 - plot wide.csv -o wide.svg --log-y
expect 'have labels that lie apart' 0 - grep -q '^set logscale y; set ytics 1e-120, 1e+40;' wide.gp
expect 'and a range that gnuplot can draw' 0 - grep -q '^YMIN = 1e-100; YMAX = 1e+100' wide.gp

# ---- the side files make the figure again, with gnuplot alone --------------------------------------------
for name in fit-svg forecast-svg cosine-seed1-svg; do
    mkdir "again-$name" && cp "$name.gp" "$name.dat" "again-$name"
    expect "$name.gp runs by itself" 0 - sh_in "cd 'again-$name' && gnuplot -d '$name.gp'"
    expect "$name: the same picture" 0 - cmp "$name.svg" "again-$name/$name.svg"
done
expect 'another format by hand' 0 - sh_in "cd again-fit-svg && gnuplot -d -e 'TW_FORMAT=\"png\"' fit-svg.gp && test -s fit-svg.png"
for k in 1 2; do
    echo "# mine, $k" >>fit-svg.gp
    expect_err "edited script $k: where it went" 0 "warning: ./fit-svg.gp was edited by hand; your version is ./fit-svg.gp.~$k~ now" \
        plot fit.h5 -o fit-svg.svg
done
for k in 1 2; do
    expect "edited script $k is kept" 0 - grep -q "# mine, $k" "fit-svg.gp.~$k~"
done
expect 'drawn again, there is nothing to say' 0 - plot fit.h5 -o fit-svg.svg
[ ! -s err ] && [ ! -e fit-svg.gp.~3~ ]
report $? 'and nothing to keep'
[ -z "$(find . -name '.thalweg*' -o -name '*.tmp*')" ]
report $? 'no temporary file is left'
done_testing
