#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg laws. `make golden` makes the golden files anew.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"
# shellcheck source=tests/support/curves.sh
. "$here/support/curves.sh"

expect 'the laws are listed' 0 "$GOLDEN/laws.txt" thalweg laws
expect 'a law is explained' 0 "$GOLDEN/laws_annealing.txt" thalweg laws annealing
json 'as JSON' 0 thalweg laws --json
has 'with its keys' 'result.laws[0].name' 'result.laws[0].title' 'result.laws[0].formula' \
    'result.laws[0].source' 'result.laws[0].about' 'result.laws[0].parameters[0].name' \
    'result.laws[0].parameters[4].meaning' 'result.laws[0].parameters[4].lo' \
    'result.laws[0].parameters[4].hi'
listed=$(thalweg laws | awk 'NR > 1 { print $1 }')
for law in $listed; do
    json "one law as JSON: $law" 0 thalweg laws --json "$law"
    is 'is that law' 'result.laws[0].name' "$law"
    is 'and no other' 'result.laws[1].name' ''
    grep -q "$law" "$root/src/man/thalweg-laws.1.scd"
    report $? 'the manual page knows it'
done
says 'a slip of the name' 2 "'anealing' is not a law; did you mean 'annealing'?" thalweg laws anealing
says 'an unknown name' 2 "'x' is not a law; 'thalweg laws' lists them" thalweg laws x
says 'two laws' 2 'one law at a time' thalweg laws annealing annealing
says 'an unknown option' 2 '--jason' thalweg laws --jason
done_testing
