/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_tables.h - the tables of kernels there may be; the x86 ones exist on x86-64 alone. */
#ifndef TENSOR_KERN_TABLES_H
#define TENSOR_KERN_TABLES_H

#include "thalweg/tensor_kernels.h"

extern const struct tw_kernels tw_kernels_avx512_f32, tw_kernels_avx512_f64;
extern const struct tw_kernels tw_kernels_avx2_f32, tw_kernels_avx2_f64;
extern const struct tw_kernels tw_kernels_generic_f32, tw_kernels_generic_f64;

#endif
