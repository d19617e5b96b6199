#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# The experiments on step bounds from the softmax's complex zeros, by thalweg alone, some minutes on two
# cores. README.md has the tables beside the paper's.
# usage: run.sh [THALWEG [FOLDER [EXPERIMENT...]]], or run.sh help: which experiments there are
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
cd "$here/../.."
[ "${1:-}" != help ] || exec python3 "$here/tables.py" - - - help
thalweg=${1:-build/release/bin/thalweg}
out=${2:-$(mktemp -d)}
mkdir -p "$out"
[ $# -lt 1 ] || shift
[ $# -lt 1 ] || shift
exec python3 "$here/tables.py" "$thalweg" "$out" data/digits.h5 "$@"
