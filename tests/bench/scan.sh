#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# thalweg scan against PyTorch on lines of 51 points (arguments as scan.py has them: names of networks,
# --threads N); without arguments also: is a scan that is killed 20 times the same?
set -u
here=$(cd "$(dirname "$0")/.." && pwd)
data=$(dirname "$here")/data
PATH=${TW_BUILD:-$(dirname "$here")/build/release}/bin:$PATH
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT
cd "$tmp" || exit 1
# As tests/bench/engine.sh runs it: what makes PyTorch faster on Debian.
blas=$(dirname "$(find /usr/lib -path '*openblas-openmp/libblas.so.3' 2>/dev/null | head -n 1)" 2>/dev/null)
if /usr/bin/python3 -c 'import torch, h5py' 2>/dev/null; then
    LD_LIBRARY_PATH=$blas MALLOC_TRIM_THRESHOLD_=10000000000 MALLOC_MMAP_THRESHOLD_=4294967296 \
        PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$here/bench/scan.py" "$@" || exit 1
else
    echo 'scan: no python3 with torch and h5py to compare with'
fi
[ $# -eq 0 ] || exit 0

export SOURCE_DATE_EPOCH=1700000000
scan="thalweg scan -q $data/digits-mlp-1.h5 --data $data/digits.h5 --scale 0.0625 --mesh 65x65 --threads 1 -o scan.h5"
mkdir whole parts
(cd whole && $scan >/dev/null)
cd parts || exit 1
kills=0
for ms in 11 23 35 47 59 71 83 95 13 27 39 43 57 61 79 81 97 19 33 53; do
    $scan >/dev/null 2>&1 &
    sleep "0.0$ms" && sleep 0.08
    kill -9 $! 2>/dev/null && kills=$((kills + 1))
    wait $! 2>/dev/null
done
$scan >/dev/null && cmp scan.h5 ../whole/scan.h5 &&
    echo "a plane of 65 x 65 points, killed $kills times: the same bytes as without"
