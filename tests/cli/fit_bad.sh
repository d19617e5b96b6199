#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg fit and what can be wrong: one sentence that says what, where and what to do; the
# exit code; nothing half-written.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
# shellcheck source=tests/support/curves.sh
. "$here/support/curves.sh"
cd "$tmp" || exit 1
sh_in() { sh -c "$1"; }

# log NAME [COMMAND]: 60 rows of a cosine run, changed by an awk command.
log() {
    awk 'BEGIN { print "step,lr,loss"
        for (i = 0; i < 60; i++) {
            s = 10 * i + 9; lr = 0.001 * (s < 100 ? (s + 1) / 100 : 0.5 + 0.5 * cos((s - 100) / 159.2))
            l = 2 + 3 / sqrt(s + 1) + 0.001 * (i % 3); '"${2:-}"'
            printf "%d,%.9g,%s\n", s, lr, l
        } }' >"$1.csv"
}
log good
fit() { thalweg fit annealing -q -b 0 --profile none --no-model-error "$@"; }
bad() { # NAME EXIT WORDS ARGUMENT...
    name=$1 code=$2 words=$3 && shift 3
    says "$name" "$code" "$words" fit "$@"
}

# ---- the command line --------------------------------------------------------------------------
says 'no law' 2 'no law given' thalweg fit
says 'two files' 2 "' is a file, and the law comes first: 'thalweg fit annealing " \
    thalweg fit "$curves/cosine-seed1.csv" "$curves/wsd-seed1.csv"
says 'no curve' 2 'no file given' thalweg fit annealing
says 'a slip of the law' 2 "'anealing' is not a law; did you mean 'annealing'?" \
    thalweg fit anealing good.csv
says 'a file where the law should be' 2 "'good.csv' is a file, and the law comes first: 'thalweg fit annealing good.csv'" \
    thalweg fit good.csv annealing
says 'a file and no law' 2 "'thalweg fit annealing good.csv@constant:peak=1,total=9'" \
    thalweg fit good.csv@constant:peak=1,total=9
bad 'a slip of a parameter' 2 "--fix=alphaa=1: 'alphaa' is no parameter of annealing; did you mean 'alpha'?" \
    good.csv --fix alphaa=1
bad 'no such parameter' 2 "--profile: 'beta9' is no parameter of annealing; it has L0 A alpha C lambda" \
    good.csv --profile alpha,beta9
bad 'an empty name' 2 "--profile: '' is no parameter" good.csv --profile alpha,,C
bad 'no value' 2 '--fix=lambda: expected NAME=NUMBER' good.csv --fix lambda
bad 'a value that is no number' 2 '--fix=C=1x: expected NAME=NUMBER' good.csv --fix C=1x
bad 'a value out of range' 2 '--fix=lambda=2: lambda lies between 1e-06 and 0.999999' good.csv \
    --fix lambda=2
bad 'a value that is NaN' 2 'lambda lies between' good.csv --fix lambda=nan
bad 'no such loss' 2 "--loss: 'cauchy' is none of huber|squares|lad" good.csv --loss cauchy
bad 'a level of 1' 2 '--level: 1 is outside 0.01 to 0.9999' good.csv --level 1
bad 'too many starts' 2 '--starts' good.csv --starts 1001
bad 'profiles to draw and none to have' 2 '--profile-plot draws profiles, and --profile=none asks for none' \
    good.csv --profile-plot=p.pdf
bad 'a figure without a suffix' 2 'figure: a figure ends in .pdf, .png, .svg, .tex or .eps' good.csv \
    --plot=figure
bad 'a width that is none' 2 "'wide' is neither full, half nor 1 to 40 inches" good.csv -p x.pdf \
    --width wide
expect 'and nothing was drawn' 1 - test -e x.gp

# ---- files ---------------------------------------------------------------------------------------
bad 'a missing file' 3 'nowhere.csv: No such file or directory' nowhere.csv
bad 'a directory' 3 '.: this is a directory; name a log file in it' .
: >empty.csv
bad 'an empty file' 3 'empty.csv: the file is empty' empty.csv
echo step,lr,loss >header.csv
bad 'a header only' 3 'header.csv: line 1 is a header of 3 columns and no row follows it' header.csv
head -2 good.csv >one.csv
bad 'one point' 3 'one.csv: run' one.csv
log flat 'l = 2.5'
bad 'a constant loss' 3 "'loss' is 2.5 at all 60 points" flat.csv
log nan 'l = "nan"'
bad 'all NaN' 3 "nan.csv: run 'nan'" nan.csv
log inf 'if (i == 30) l = "inf"'
expect_err 'an infinite loss is left out, and told' 0 '1 NaN or infinite left out' thalweg fit \
    annealing -b 0 --profile none --no-model-error inf.csv --fix lambda=0.9 --fix C=1
log minus 'if (i == 30) l = -1'
bad 'a negative loss' 3 "minus.csv: 'loss' is -1 at x = 309: a loss must be positive" minus.csv
bad 'what helps is said' 3 'choose another series (--y) or leave that place out (--from, --to)' minus.csv
log zero 'if (i == 30) l = 0'
bad 'a loss of zero' 3 "zero.csv: 'loss' is 0 at x = 309" zero.csv
log down 'if (i == 30) lr = -0.001'
bad 'a negative rate' 3 "down.csv: 'lr': learning rate -0.001 at x = 309: a learning rate lies between 0 and 1e6" down.csv
cut -d, -f1,3 good.csv >norate.csv
bad 'no rate and no schedule' 3 "no learning rate in the log" norate.csv
bad 'how to give one is said' 3 "'norate.csv@cosine:peak=3e-4,warmup=2000,total=24000,end=3e-5'" norate.csv
log back 's = 600 - s'
bad 'steps in no order' 3 "'step' runs backwards 59 times in 60 values" back.csv
log resumed 'if (i >= 30) s -= 50'
expect_err 'a resumed run is told' 0 'replaced by later rows of the same x, 1 time resumed' thalweg fit \
    annealing -b 0 --profile none --no-model-error resumed.csv --fix lambda=0.9 --fix C=1
log twice 'if (i == 30) s -= 10'
expect_err 'a step given twice is told' 0 '1 replaced by later rows of the same x' thalweg fit \
    annealing -b 0 --profile none --no-model-error twice.csv --fix lambda=0.9 --fix C=1
head -4 good.csv >few.csv
bad 'too few points' 4 '3 points cannot determine the 5 parameters of the law annealing: 2 more needed' \
    few.csv
printf 'x' >secret.csv && chmod 0 secret.csv
if [ "$(id -u)" -eq 0 ]; then
    skip 'a file without permission' 'root may read everything'
else
    bad 'a file without permission' 3 'secret.csv: Permission denied' secret.csv
fi
bad 'nothing in the range' 3 'good.csv' good.csv --from 1000

# ---- schedules -------------------------------------------------------------------------------------
bad 'a slip of the kind' 2 "schedule 'cosin:peak=1': unknown kind 'cosin'; did you mean 'cosine'?" \
    good.csv@cosin:peak=1
bad 'a kind alone' 2 "schedule 'cosine': cosine needs peak=" good.csv@cosine
bad 'the same with --schedule' 2 "did you mean 'cosine'?" good.csv -s cosin:peak=1
bad 'a missing key' 2 "schedule 'cosine:peak=1': cosine needs total= (number of steps)" good.csv@cosine:peak=1
bad 'a slip of a key' 2 "unknown key pek; did you mean peak?" good.csv@cosine:pek=1,total=3
bad 'an @ in a missing file' 3 'a@b.csv: No such file or directory' a@b.csv
cp good.csv a@b.csv
expect 'an @ in a file that is there' 0 - fit -q a@b.csv --fix lambda=0.9 --fix C=1
expect_err 'a schedule shorter than the log' 0 \
    "warning: good: 20 of 60 points lie past 399, the last step of the schedule 'cosine:peak=0.001,total=400', and are left out" \
    thalweg fit annealing -b 0 --profile none --no-model-error good.csv@cosine:peak=0.001,total=400 \
    --fix lambda=0.9 --fix C=1
bad 'a schedule for another log' 3 "good.csv: only 0 of 60 points are at steps of the schedule 'cosine:peak=0.001,total=5', which runs from 0 to 4" \
    good.csv@cosine:peak=0.001,total=5
bad 'a missing table' 3 'table.csv: No such file or directory' good.csv --schedules table.csv
bad 'a folder for a table' 3 'is a folder' good.csv --schedules .
: >table.csv
bad 'an empty table' 3 'table.csv: expected a header line with column names, found an empty file' good.csv \
    --schedules table.csv
printf 'curve,spec\n' >table.csv
bad 'a table without a row' 3 "table.csv: none of its 0 rows has the curve 'good' (of good.csv) in the column 'curve'" \
    good.csv --schedules table.csv
printf 'name,spec\n' >table.csv
bad 'a table without a name' 3 'table.csv: expected a column named curve or file' good.csv --schedules table.csv
printf 'curve,peak\ngood,1\n' >table.csv
bad 'a table without a kind' 3 'table.csv: expected a column named spec, or one named kind' good.csv \
    --schedules table.csv
printf 'curve,spec\ngood,\n' >table.csv
bad 'a row without a schedule' 3 'table.csv: line 2 has neither a spec nor a kind' good.csv \
    --schedules table.csv
printf 'curve,spec\ngood,cosine:peak=1,total=3\n' >table.csv
bad 'a spec without quotes' 3 "table.csv: line 2 has 3 cells, the header 2: a cell that holds ',' needs quotes" \
    good.csv --schedules table.csv
printf 'curve,spec\ngood,"cosine:peak=1,total=3\n' >table.csv
bad 'a quote that is not closed' 3 'table.csv: line 2: a quote (") is not closed' good.csv \
    --schedules table.csv
printf 'curve,spec\ngood,"constant:peak=1,total=600"\ngood.csv,"constant:peak=2,total=600"\ngood.csv,"constant:peak=3,total=600"\n' >table.csv
bad 'two rows for one curve' 3 "table.csv: lines 3 and 4 give the curve 'good' different schedules" good.csv \
    --schedules table.csv
printf 'curve,kind,peak,total,warmpu\ngood,constant,0.001,600,50\n' >table.csv
expect_err 'a slip of a column is told' 0 "warning: table.csv: the column 'warmpu' is not used; did you mean 'warmup'?" \
    thalweg fit annealing -b 0 --profile none --no-model-error good.csv --schedules table.csv --fix lambda=0.9 --fix C=1
printf 'curve,kind,peak,total\ngood,wdd,0.001,600\n' >table.csv
bad 'a slip of a kind in a table' 2 "unknown kind 'wdd'; did you mean 'wsd'?" good.csv --schedules table.csv

# ---- output -------------------------------------------------------------------------------------
held='--fix lambda=0.9 --fix C=1'
# shellcheck disable=SC2086
expect 'a fit is saved' 0 - fit good.csv $held -o fit.h5
cp fit.h5 before.h5
bad 'it is not replaced unasked' 3 'fit.h5 exists; use --force to replace it' good.csv -o fit.h5
expect 'nor changed' 0 - cmp fit.h5 before.h5
bad 'a missing folder' 3 'nowhere/fit.h5: no file can be made in nowhere' good.csv -o nowhere/fit.h5
bad 'a folder' 3 'this is a directory; give a file name' good.csv -o . --force
bad 'a device' 3 '/dev/full: this is a device or a pipe, and a result needs a plain file' good.csv \
    -o /dev/full --force
if [ -w /dev/full ]; then
    # shellcheck disable=SC2086
    says 'a full standard output' 3 'standard output' sh_in \
        "thalweg fit annealing -q -b 0 --profile none --no-model-error good.csv $held >/dev/full"
    says 'the same with --json' 3 'standard output' sh_in \
        "thalweg fit annealing -q -b 0 --profile none --no-model-error good.csv $held --json >/dev/full"
else
    skip 'a full standard output' 'no /dev/full'
fi

# late NAME WORDS KEY COMMAND...: a failure after the numbers, which stay, as a table and as JSON.
late() {
    name=$1 words=$2 && shift 2
    says "$name: told" 3 "$words" "$@"
    grep -q '^lambda' "$tmp/out"
    report $? "$name: the table is printed"
    json "$name: JSON" 3 "$@" --json
    has "$name: the JSON has the numbers" result.parameters.lambda.value
    grep '^warnings' "$tmp/flat" | grep -qF -e "$words"
    report $? "$name: and the message"
}
echo mine >taken.gp
# shellcheck disable=SC2086
late 'a figure over a file of others' 'taken.gp is there and is no' fit good.csv $held --plot=taken.pdf
mkdir alone && ln -s "$(command -v thalweg)" alone/thalweg
case ${TW_WRAP:-} in
'')
    # shellcheck disable=SC2086
    late 'no gnuplot' 'cannot start gnuplot' env PATH="$tmp/alone" thalweg fit annealing -q -b 0 \
        --profile none --no-model-error good.csv $held --plot=x.pdf
    # shellcheck disable=SC2086
    says 'no gnuplot, and a file' 3 'apt-get install gnuplot-nox' env PATH="$tmp/alone" thalweg fit \
        annealing -q -b 0 --profile none --no-model-error good.csv $held --plot=x.pdf -o saved.h5
    expect 'which is saved' 0 - thalweg info saved.h5 ;;
*)
    skip 'no gnuplot' 'the wrapper needs its PATH' ;;
esac

# ---- a fit that stops before its minimum: rates that have nothing to do with the losses -----------
wrong=good.csv@cosine:peak=0.001,total=300,warmup=10
fit $wrong >"$tmp/out" 2>&1
if [ $? -eq 4 ]; then
    says 'no convergence' 4 'stopped before its minimum' fit $wrong
    grep -q '^lambda' "$tmp/out"
    report $? 'the table is printed all the same'
    json 'no convergence, JSON' 4 fit $wrong --json
    is 'which says so' result.certificate.converged false
    has 'with the numbers' result.parameters.lambda.value 'warnings[0]'
else
    skip 'no convergence' 'this fit converges here'
fi

# ---- signals ----------------------------------------------------------------------------------------
for signal in INT TERM; do
    mkdir "run$signal"
    # A child of a script ignores SIGINT unless it has a process group of its own.
    # shellcheck disable=SC2086
    ! timeout -s "$signal" -k 20 1 thalweg fit annealing -q -b 9000000 good.csv $held \
        -o "run$signal/fit.h5" >/dev/null 2>&1 && [ -z "$(find "run$signal" -type f)" ]
    report $? "SIG$signal ends a bootstrap and leaves no file behind"
done
done_testing
