#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# ONNX's own tests as one test; `make conformance` prints the table.
here=$(cd "$(dirname "$0")" && pwd)
build=${TW_BUILD:-$here/../../build/release}
data=${TW_ONNX_DATA:-/usr/share/libonnx-testdata/data}

if [ ! -d "$data/node" ]; then
    echo "1..0 # SKIP no $data: install libonnx-testdata"
    exit 0
fi
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
conformance() { # DATA PATTERN...
    ${TW_WRAP:-} "$build/test/conformance" -v "$here/rules.txt" "$@" >"$tmp/out"
}

echo 1..3
if conformance "$data"; then
    echo "ok 1 - ONNX's tests: $(tail -n 1 "$tmp/out")"
else
    grep -E '^failed: |^the rule |^no tests|failed$' "$tmp/out" | sed 's/^/# /' >&2
    echo "not ok 1 - ONNX's tests"
fi

# A wrong answer must be noticed, and so must a wrong shape.
mkdir -p "$tmp/node"
cp -r "$data/node/test_add" "$tmp/node"
cp "$data/node/test_sub/test_data_set_0/output_0.pb" "$tmp/node/test_add/test_data_set_0"
status=ok
conformance "$tmp" && status='not ok'
for how in reference compiled derivatives; do
    grep -q "^failed: node/test_add ($how): element " "$tmp/out" || status='not ok'
done
grep -q '^0 passed, 3 failed$' "$tmp/out" || status='not ok'
echo "$status 2 - a wrong answer is noticed"

cp "$data/node/test_add_bcast/test_data_set_0/input_1.pb" \
    "$tmp/node/test_add/test_data_set_0/output_0.pb"
status=ok
conformance "$tmp" 'node/*' && status='not ok'
grep -q '^failed: .*want float32\[5\]$' "$tmp/out" || status='not ok'
echo "$status 3 - a wrong shape is noticed"
