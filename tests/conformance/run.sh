#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# ONNX's own tests as one test; `make conformance` prints the table.
here=$(cd "$(dirname "$0")" && pwd)
build=${TW_BUILD:-$here/../../build/release}
data=${TW_ONNX_DATA:-/usr/share/libonnx-testdata/data}

echo 1..1
if [ ! -d "$data/node" ]; then
    echo "ok 1 - ONNX's tests # SKIP no $data: install libonnx-testdata"
    exit 0
fi
out=$(mktemp) && trap 'rm -f "$out"' EXIT
if "$build/test/conformance" -v "$here/rules.txt" "$data" >"$out"; then
    echo "ok 1 - ONNX's tests: $(tail -n 1 "$out")"
else
    grep -E '^failed: |^the rule |^no tests' "$out" | sed 's/^/# /' >&2
    tail -n 1 "$out" | sed 's/^/# /' >&2
    echo "not ok 1 - ONNX's tests"
    exit 1
fi
