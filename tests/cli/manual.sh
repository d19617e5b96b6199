#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Every command has a manual page, and help, pages and tables agree.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# The section of a page's source under a heading.
section() { # FILE HEADING
    sed -n "/^# $2\$/,/^# /p" "$1"
}

for c in $(thalweg help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'); do
    page=$root/src/man/thalweg-$c.1.scd
    missing=
    for heading in '# NAME' '# SYNOPSIS' '# DESCRIPTION' '@OPTIONS@' '# EXIT STATUS' '# EXAMPLES'; do
        grep -qx "$heading" "$page" || missing="$missing '$heading'"
    done
    [ -z "$missing" ]
    report $? "$c: its page has every section"
    [ -z "$missing" ] || echo "# missing in src/man/thalweg-$c.1.scd:$missing" >&2

    thalweg help "$c" >"$tmp/help"
    thalweg help --scdoc-options "$c" | sed -n 's/^[^	]*\*--\([a-z0-9-]*\)\*.*/\1/p' >"$tmp/options"
    absent=
    while read -r o; do
        grep -q -e "--$o\\([ =[]\\|\$\\)" "$tmp/help" || absent="$absent --$o"
    done <"$tmp/options"
    [ -s "$tmp/options" ] && [ -z "$absent" ]
    report $? "$c: its help lists every option"
    [ -z "$absent" ] || echo "# absent from 'thalweg help $c':$absent" >&2

    wrong=
    for o in $(section "$page" SYNOPSIS | grep -o -e '--[a-z][a-z0-9-]*' | sort -u); do
        grep -qx -e "${o#--}" "$tmp/options" || wrong="$wrong $o"
    done
    [ -z "$wrong" ]
    report $? "$c: its synopsis has only options that exist"
    [ -z "$wrong" ] || echo "# no such option:$wrong" >&2
done

# Keys that the code writes, and those of the page's section.
for c in scan barrier ghost; do
    section "$root/src/man/thalweg-$c.1.scd" JSON | grep -o '[a-z0-9_]*[a-z0-9]' | sed 's/^_//' >"$tmp/told"
    absent=
    sed -n 's/.*tw_json_[a-z]*(j, "\([a-z0-9_]*\)".*/\1/p' "$root/src/cli/cmd_$c.c" \
        "$root/src/cli/$c"*.c | sort -u >"$tmp/keys"
    while read -r key; do
        grep -qx "$key" "$tmp/told" || absent="$absent $key"
    done <"$tmp/keys"
    [ -s "$tmp/keys" ] && [ -z "$absent" ]
    report $? "$c: its page has every key of its JSON"
    [ -z "$absent" ] || echo "# absent from src/man/thalweg-$c.1.scd:$absent" >&2
done
section "$root/src/man/thalweg-scan.1.scd" JSON | tr '\n' ' ' | grep -q 'chart. ([^)]*directions'
report $? 'scan: directions from a file are one of its charts'

for source in "$root"/src/man/*.scd; do
    name=$(basename "$source" .scd)
    page=$build/man/$name
    if [ ! -s "$page" ]; then
        skip "$name renders" 'scdoc was missing when this was built'
        continue
    fi
    grep -q '@[A-Z]*@' "$page"
    [ $? -eq 1 ]
    report $? "$name: every placeholder is filled in"
    if command -v mandoc >/dev/null; then
        expect "$name has no errors" 0 - mandoc -T lint -W error "$page"
    else
        skip "$name has no errors" 'no mandoc to check it with'
    fi
done
done_testing
