/* SPDX-License-Identifier: GPL-3.0-or-later */
/* landscape/sums.h - private: sums over long vectors of floats, in double. */
#ifndef TW_LANDSCAPE_SUMS_H
#define TW_LANDSCAPE_SUMS_H

#include "thalweg/base.h"

/* sum of (a - o) (b - o), o NULL: 0. Chunks of fixed length in order: the same bits at any number
 * of threads. */
double tw_dot_from(size_t n, const float *a, const float *b, const float *o);
/* sum of (a - o - x u - y v)^2; v NULL: none. */
double tw_square_off(size_t n, const float *a, const float *o, double x, const float *u, double y,
                     const float *v);
/* sum of (a - o) u */
double tw_dot_along(size_t n, const float *a, const float *o, const float *u);

#endif
