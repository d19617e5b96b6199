#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The shared library: its name, and what it exports.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

lib=$build/lib/libthalweg.so
nm -D --defined-only "$lib" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort >"$tmp/exported"
grep -oh 'tw_[a-z0-9_]*' "$root"/src/include/thalweg/*.h | sort -u >"$tmp/public"

grep -qx tw_version "$tmp/exported"
report $? 'the library exports its functions'
comm -23 "$tmp/exported" "$tmp/public" >"$tmp/extra"
[ ! -s "$tmp/extra" ]
report $? 'nothing is exported that no public header mentions'
comment "$tmp/extra"
objdump -p "$lib" | grep -q 'SONAME *libthalweg\.so\.[0-9]*$'
report $? 'it has a soname'

# A library must leave printing and the end of the program to its caller.
nm -u "$build/lib/libthalweg.a" | grep -wE 'exit|abort|printf|puts|putchar|perror' >"$tmp/extra"
if grep -q . "$tmp/extra" && ! nm -u "$build/lib/libthalweg.a" | grep -q __asan; then
    report 1 'the library neither prints nor exits'
    comment "$tmp/extra"
else
    report 0 'the library neither prints nor exits'
fi
done_testing
