/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kern_tables.h"

#ifdef __x86_64__
#define KERN_BYTES 32
#define KERN_REAL64
#include "kern.h"

static const struct tw_kernels team = KERN_TEAM("avx2");
const struct tw_kernels tw_kernels_avx2_f64 = KERN_TABLE("avx2");
#endif
