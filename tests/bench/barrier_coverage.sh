#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Coverage of the intervals of barriers over subsamples of the digits: 200 each, on lines of 17 points
# between the stored pairs. Needs python3-h5py. TW_BUILD is the build's folder.
set -e
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${TW_BUILD:-$root/build/release}
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
for pair in "$root/data/digits-mlp" "$root/tests/samples/pairs/deep" \
    "$root/tests/samples/pairs/tanh" "$root/tests/samples/pairs/spawned"; do
    name=$(basename "$pair")
    mkdir "$tmp/$name"
    /usr/bin/python3 - "$pair-1.h5" "$pair-2.h5" "$tmp/$name" <<'PY'
import sys
import h5py
a, b = (h5py.File(p, "r") for p in sys.argv[1:3])
for k in range(17):
    t = k / 16
    with h5py.File(f"{sys.argv[3]}/{k:02}.h5", "w") as out:
        out.attrs["model"] = a.attrs["model"]
        for key in a:
            out[key] = ((1 - t) * a[key][()].astype("f8") + t * b[key][()].astype("f8")).astype("f4")
PY
    "$build/bin/thalweg" eval -q -d "$root/data/digits.h5" --scale 0.0625 \
        --per-sample "$tmp/$name.h5" "$tmp/$name"/*.h5 >"$tmp/out"
    "$build/bench/bench_barrier_coverage" "$tmp/$name.h5"
done
