#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The README is true: blocks under <!-- run --> run, in an empty folder with data/ beside them.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

awk -v out="$tmp/block" '
    /^<!-- run -->$/ { wanted = 1; next }
    wanted && /^```sh$/ { inside = 1; wanted = 0; n++; next }
    /^```$/ { inside = 0 }
    inside { print > (out "-" n ".sh") }
' "$root/README.md"
mkdir "$tmp/work"
[ ! -d "$data" ] || ln -s "$data" "$tmp/work/data"

cd "$tmp/work" || exit 1
for block in "$tmp"/block-*.sh; do
    n=${block##*-}
    expect "block ${n%.sh} of the README runs: $(head -n 1 "$block")" 0 - sh -e "$block"
done
for goal in demo test; do
    grep -q "^make deps $goal" "$root/README.md" && grep -q "^$goal:.*##" "$root/Makefile"
    report $? "the README says how to make $goal"
done
for page in $(grep -o '](\([A-Z][A-Za-z.]*\))' "$root/README.md" | tr -d ']()'); do
    [ -s "$root/$page" ]
    report $? "the README's link to $page leads somewhere"
done
done_testing
