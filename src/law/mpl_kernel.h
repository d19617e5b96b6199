/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/mpl_kernel.h - what nearly all of the multi-power law's time goes into. */
#ifndef TW_LAW_MPL_KERNEL_H
#define TW_LAW_MPL_KERNEL_H

#include "falls.h"

/* For each point of a curve, sum over nodes of weight G(x), G(x) = 1 - (1 + x)^-beta with
 * x = factor S_k, and its derivatives by log x (dx), by beta, and by gamma if factor goes as
 * rate^-gamma. (f->n) each; factor (nodes) is at most 1e200. */
struct tw_mpl_sums {
    double *g, *dx, *dbeta, *dgamma;
};
void tw_mpl_kernel(const struct tw_falls *f, const double *factor, double beta,
                   const struct tw_mpl_sums *out);

#endif
