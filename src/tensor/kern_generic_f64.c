/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Vectors of 16 bytes, which every processor has in some form or compilers take apart. */
#define KERN_BYTES 16
#define KERN_REAL64
#include "kern.h"

static const struct tw_kernels team = KERN_TEAM("generic");
const struct tw_kernels tw_kernels_generic_f64 = KERN_TABLE("generic");
