#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# fuzz.sh TARGET SECONDS: run one libFuzzer program from the seeds in tests/fuzz/corpus.
name=$(basename "$1")
seeds=tests/fuzz/corpus/$name
found=$(dirname "$1")/corpus/$name
mkdir -p "$found"
[ -d "$seeds" ] || seeds=
echo "$name: $2 seconds"
# No block of a gigabyte: HDF5 asks for what a damaged file says, in a process that may not have it.
ASAN_OPTIONS=max_allocation_size_mb=1024:allocator_may_return_null=1 OMP_NUM_THREADS=1 \
    "$1" -max_total_time="$2" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 -verbosity=0 -artifact_prefix="$found-" "$found" ${seeds:+"$seeds"} ||
    {
        echo "$name: failed; the input is $found-*" >&2
        exit 1
    }
