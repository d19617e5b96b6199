#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The completion scripts complete.
# shellcheck source=tests/support/tap.sh
. "$(dirname "$0")/../support/tap.sh"

# Candidates for the last of some words, one a line, as bash would find them.
cat >"$tmp/complete.bash" <<'END'
source "$1" && shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_thalweg
printf '%s\n' "${COMPREPLY[@]}"
END

completes() { # NAME WANTED WORD...
    what=$1 wanted=$2 && shift 2
    got=$(bash "$tmp/complete.bash" "$build/completion/thalweg.bash" "$@" | tr '\n' ' ')
    [ "$got" = "$wanted " ]
    report $? "$what"
    [ "$got" = "$wanted " ] || echo "# wanted '$wanted', got '$got'" >&2
}

if command -v bash >/dev/null; then
    expect 'bash reads its script' 0 - bash -n "$build/completion/thalweg.bash"
    completes 'a command' version thalweg ver
    completes 'a command after help' doctor thalweg help doc
    completes 'an option' --build thalweg version --bu
    completes 'a common option' --json thalweg cite --js
    completes 'an option after an operand' --verbose thalweg doctor x --verb
    completes 'nothing of our own for an operand: bash fills in files' '' thalweg doctor x
else
    skip 'bash completion' 'no bash'
fi
for shell in zsh fish; do
    script=$build/completion/_thalweg
    [ $shell = fish ] && script=$build/completion/thalweg.fish
    if command -v $shell >/dev/null; then
        expect "$shell reads its script" 0 - $shell -n "$script"
    else
        skip "$shell reads its script" "no $shell"
    fi
done
if command -v fish >/dev/null; then
    export HOME="$tmp"
    expect_out 'fish completes a command' 0 '^version' \
        fish -c "source '$build/completion/thalweg.fish'; complete -C 'thalweg ver'"
    expect_out 'fish completes an option' 0 '^--build' \
        fish -c "source '$build/completion/thalweg.fish'; complete -C 'thalweg version --bu'"
else
    skip 'fish completes' 'no fish'
fi
for c in $(thalweg help | sed -n 's/^  \([a-z][a-z-]*\) .*/\1/p'); do
    grep -q "seen_subcommand_from $c' .*-l help" "$build/completion/thalweg.fish" &&
        grep -q "^    $c)" "$build/completion/_thalweg"
    report $? "$c is known to zsh and fish"
done
expect 'an unknown shell is refused' 2 - thalweg help --completion csh
done_testing
