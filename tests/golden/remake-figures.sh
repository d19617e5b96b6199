#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Rewrites the golden figures of tests/unit/test_figure.c. Needs gnuplot 5.4 patchlevel 4;
# look at the pictures before committing the difference.
set -eu
cd "$(dirname "$0")/../.."
build=${BUILD:-release}
make -s "build/$build/test/test_figure"
TW_REMAKE=1 "build/$build/test/test_figure"
git --no-pager diff --stat -- tests/golden
