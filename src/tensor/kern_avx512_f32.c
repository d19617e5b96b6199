/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "kern_tables.h"

#ifdef __x86_64__
#define KERN_BYTES 64
#include "kern.h"

static const struct tw_kernels team = KERN_TEAM("avx512");
const struct tw_kernels tw_kernels_avx512_f32 = KERN_TABLE("avx512");
#endif
