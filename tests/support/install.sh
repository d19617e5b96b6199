#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Install into an empty folder, build and run a program against what is there, uninstall, and
# see that nothing is left.
set -eu
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
root=$scratch/root
prefix=/opt/thalweg
${MAKE:-make} DESTDIR="$root" prefix=$prefix install

cat >"$scratch/example.c" <<'END'
#include <stdio.h>
#include <thalweg/thalweg.h>

int main(void)
{
    const double x[] = { 0.25, 0.5, 1.0 };

    tw_library_init();
    printf("thalweg %s: %g\n", tw_version(), tw_sum(x, 3));
    return 0;
}
END
export PKG_CONFIG_PATH="$root$prefix/lib/pkgconfig" PKG_CONFIG_SYSROOT_DIR="$root"
flags=$(pkg-config --cflags --libs thalweg)
# shellcheck disable=SC2086  # words
${CC:-cc} -std=c11 -Wall -Wextra -Werror "$scratch/example.c" $flags -o "$scratch/example"
LD_LIBRARY_PATH=$root$prefix/lib "$scratch/example" | grep -x 'thalweg .*: 1.75'
"$root$prefix/bin/thalweg" version
test -s "$root$prefix/share/bash-completion/completions/thalweg"

${MAKE:-make} DESTDIR="$root" prefix=$prefix uninstall
left=$(find "$root" -not -type d)
if [ -n "$left" ]; then
    printf 'left behind:\n%s\n' "$left"
    exit 1
fi
