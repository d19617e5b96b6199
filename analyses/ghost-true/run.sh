#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# True radii of trained networks beside linearised ones, a minute or so. README.md has the
# table.
# usage: run.sh [THALWEG [FOLDER [NETWORK...]]]
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.."
thalweg=${1:-build/release/bin/thalweg}
out=${2:-$(mktemp -d)}
mkdir -p "$out"
[ $# -lt 1 ] || shift
[ $# -lt 1 ] || shift
exec python3 "$here/tables.py" "$thalweg" "$out" data/digits.h5 "$@"
