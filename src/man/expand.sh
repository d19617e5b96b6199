#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# expand.sh PROGRAM PAGE < page.scd: replace the lines @OPTIONS@, @COMMANDS@ and @EXIT@ of a
# manual page by what the program's tables say.
set -eu
program=$1
command=${2#thalweg-}
command=${command%.*}
while IFS= read -r line; do
    case $line in
    @OPTIONS@) "$program" help --scdoc-options "$command" ;;
    @COMMANDS@) "$program" help --scdoc-commands ;;
    @EXIT@) "$program" help --scdoc-exit ;;
    *) printf '%s\n' "$line" ;;
    esac
done
