#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What holds for the program and for every command: help, exit codes, output that cannot be
# written, JSON.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

commands=$(thalweg help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p')

expect_err 'no command is a usage error' 2 '^usage: thalweg COMMAND' thalweg
expect_out 'help lists the commands' 0 '^  version ' thalweg help
expect_out '--help does too' 0 '^  version ' thalweg --help
expect_out '--version is a command' 0 '^thalweg [0-9]' thalweg --version
expect_err 'a mistyped command is guessed' 2 "'verison' is not a command; did you mean 'version'" \
    thalweg verison
expect_err 'help of one too' 2 "did you mean 'doctor'" thalweg help docter
expect_err 'a strange command is not guessed' 2 "'thalweg help' lists them" thalweg xyzzyxyzzy
expect_err 'an empty command is refused' 2 "'' is not a command" thalweg ''
expect_err 'a mistyped option is guessed' 2 'unknown option --biuld; did you mean --build' \
    thalweg version --biuld
expect_err 'a usage error says how it is used' 2 '^usage: thalweg version .*thalweg help version' \
    thalweg version -x
expect_err 'a stray operand is refused' 2 "takes no operands, found 'x'" thalweg version x
expect_err 'a flag takes no value' 2 '--build takes no value' thalweg version --build=1
expect_err 'a common option that has no use is unknown' 2 'unknown option --seed' \
    thalweg version --seed=1

for c in $commands; do
    expect_out "$c: --help shows its usage" 0 "^usage: thalweg $c " thalweg "$c" --help
    cp "$tmp/out" "$tmp/first"
    expect "$c: help of it says the same" 0 "$tmp/first" thalweg help "$c"
    awk 'length($0) > 80 { bad = 1; print } END { exit bad }' "$tmp/first" >"$tmp/diff"
    report $? "$c: help fits 80 columns"
    expect_err "$c: a full disk is reported" 3 'standard output: No space left' \
        sh -c "thalweg $c --help >/dev/full"
    expect_err "$c: a closed output is reported" 3 'standard output: Bad file' \
        sh -c "thalweg $c --help >&-"
    expect_err "$c: an unknown option is a usage error" 2 'unknown option' \
        thalweg "$c" --no-such-option-at-all
done

expect_err 'version: a full disk' 3 'standard output: No space left' \
    sh -c 'thalweg version >/dev/full'
expect_err 'the overview: a full disk' 3 'standard output: No space left' \
    sh -c 'thalweg help >/dev/full'
for c in 'version' 'version --build' 'cite' 'doctor'; do
    # shellcheck disable=SC2086  # words on purpose
    expect_json "$c --json is JSON" 0 thalweg $c --json
done
expect_out 'JSON names command, version, result' 0 \
    '^\{"command":"version","version":"[^"]+","seconds":[^,]+,"warnings":\[\],"result":\{' \
    thalweg version --json
expect_out 'the build is described' 0 '^HDF5 +1\.' thalweg version --build
expect_out 'cite prints BibTeX' 0 '^@misc\{thalweg,' thalweg cite
expect_out 'doctor counts threads' 0 'threads by default +3$' \
    env OMP_NUM_THREADS=3 thalweg doctor

# Outputs that cannot be are refused before anything is computed.
cd "$tmp" && mkdir a-folder || exit 1
a=$data/digits-mlp-1.h5 b=$data/digits-mlp-2.h5 log=$data/loss-curves/cosine-seed1.csv
for c in "scan $a" "barrier $a $b" "ghost $a --rate 1" 'train mlp(64,10) --lr 1 --steps 1' \
    "fit annealing $log --bootstrap 0"; do
    case $c in fit*) set -- ;; *) set -- --data "$data/digits.h5" --scale 0.0625 ;; esac
    for o in 'a-folder: this is a directory' '/dev/null: this is [^;]*plain file' \
        'none/a.h5: no file can be made in none: No such file'; do
        # shellcheck disable=SC2086  # words on purpose
        expect_err "${c%% *} -o ${o%%: *}" 3 "^thalweg ${c%% *}: $o" thalweg $c "$@" -o "${o%%: *}"
        [ ! -s out ]
        report $? 'is said at once'
    done
    case $c in train*) continue ;; esac
    # shellcheck disable=SC2086  # words on purpose
    expect_err "${c%% *} --plot none/a.svg" 3 'none/a.svg: no file can be made in none: No such file' \
        thalweg $c "$@" --plot none/a.svg
    [ ! -s out ]
    report $? 'is said at once'
done
done_testing
