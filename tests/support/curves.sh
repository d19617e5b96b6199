# shellcheck shell=sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What the tests of fit, forecast, plot and laws share; sourced after tap.sh.
#
#   says    NAME EXIT WORDS COMMAND...   exit code, WORDS on stderr, and no more than one line
#                                        there that is neither a warning nor the usage
#   json    NAME EXIT COMMAND...         exit code and valid JSON, flattened to $tmp/flat
#   value   KEY                          a value of the last json
#   has     NAME KEY...                  the last json has these keys
#   near    NAME KEY WANT TOLERANCE      a number of the last json
#   is      NAME KEY TEXT                a text of the last json
# shellcheck disable=SC2034,SC2154  # tap.sh's variables; the tests use ours
curves=$data/loss-curves
tab=$(printf '\t')

says() {
    what=$1 code=$2 words=$3 && shift 3
    if ! run "$code" "$@"; then
        wrong_exit "$what"
    elif ! grep -qF -e "$words" "$tmp/err"; then
        report 1 "$what"
        echo "# $what: '$words' is not in:" >&2
        comment "$tmp/err"
    elif [ "$(grep -vc -e 'warning: ' -e '^usage: ' "$tmp/err")" -gt 1 ]; then
        report 1 "$what"
        echo "# $what: more than one sentence:" >&2
        comment "$tmp/err"
    else
        report 0 "$what"
    fi
}

json() {
    what=$1 code=$2 && shift 2
    if ! run "$code" "$@"; then
        wrong_exit "$what"
    elif awk -f "$here/support/json.awk" "$tmp/out" >"$tmp/flat" 2>"$tmp/diff"; then
        report 0 "$what"
    else
        report 1 "$what"
        comment "$tmp/diff" "$tmp/out"
    fi
}

value() { awk -F "$tab" -v key="$1" '$1 == key { print $2 }' "$tmp/flat"; }

has() {
    what=$1 missing='' && shift
    for key; do
        cut -f 1 "$tmp/flat" | grep -qxF -e "$key" || missing="$missing $key"
    done
    [ -z "$missing" ]
    report $? "$what"
    [ -z "$missing" ] || echo "# $what: missing:$missing" >&2
}

near() {
    found=$(value "$2")
    awk -v x="$found" -v want="$3" -v tol="$4" \
        'BEGIN { d = x - want; exit !(x != "" && x != "null" && d <= tol && -d <= tol) }'
    status=$?
    report $status "$1"
    [ $status -eq 0 ] || echo "# $1: $2 is '$found', expected $3 within $4" >&2
}

is() {
    found=$(value "$2")
    [ "$found" = "$3" ]
    report $? "$1"
    [ "$found" = "$3" ] || echo "# $1: $2 is '$found', expected '$3'" >&2
}
