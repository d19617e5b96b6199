#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# What every text file we write keeps to: a licence line in sources, no blanks at line ends, a
# newline at the end of the file, no tabs in C.
cd "$(dirname "$0")/../.." || exit 1
status=0
sources=$(find src tests analyses .ci Makefile -type f \( -name '*.[ch]' -o -name '*.sh' -o \
    -name '*.gp' -o -name '*.py' -o -name run -o -name Makefile \) 2>/dev/null | sort)
c_sources=$(find src tests -name '*.[ch]')
texts="$sources $(find . -maxdepth 2 -name '*.md' -not -path './build/*') $(find src -name '*.scd')"

# The patterns and names have no blanks: words are split on purpose.
# shellcheck disable=SC2086
{
    missing=$(for f in $sources; do
        head -n 3 "$f" | grep -q 'SPDX-License-Identifier: GPL-3.0-or-later' || echo "$f"
    done)
    [ -z "$missing" ] || { printf 'no SPDX line:\n%s\n' "$missing"; status=1; }
    ! grep -nE '[[:blank:]]+$' $texts || { echo 'blanks at line ends'; status=1; }
    ! grep -n "$(printf '\t')" $c_sources || { echo 'tabs in C'; status=1; }
    for f in $texts; do
        [ -z "$(tail -c 1 "$f")" ] || { echo "$f: no newline at the end"; status=1; }
    done
}
exit $status
