#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# A program under valgrind; exit 99 if it misuses or loses memory. Two threads: libgomp's
# spinning workers share valgrind's one core.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-2}" OMP_WAIT_POLICY=passive
exec valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite \
    --suppressions="$(dirname "$0")/valgrind.supp" "$@"
