#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Run one test file for prove: a script by sh, a program as it is (under $TW_WRAP if set).
# What a failing program says goes to stderr as well, where prove shows it.
case $1 in
*.sh) exec sh "$1" ;;
esac
out=$(mktemp) && trap 'rm -f "$out"' EXIT
${TW_WRAP:-} "$1" >"$out"
status=$?
# cmocka calls a skipped test "not ok".
sed 's/^not ok \([0-9]*\) # SKIP \(.*\)/ok \1 - \2 # SKIP/' "$out"
[ $status -eq 0 ] || grep '^#' "$out" >&2
exit $status
