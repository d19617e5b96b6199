/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/mpl_kernel.h - what nearly all of the multi-power law's time goes into. */
#ifndef TW_LAW_MPL_KERNEL_H
#define TW_LAW_MPL_KERNEL_H

#include "falls.h"

struct tw_mpl_shape {
    double c, beta, gamma;
};
/* For each point of a curve, the sum over nodes of weight G(C eta^-gamma S), where G(x) = 1 -
 * (1 + x)^-beta, and its derivatives by C, beta and gamma. (f->n) each. */
struct tw_mpl_sums {
    double *g, *dc, *dbeta, *dgamma;
};
/* `scratch` (nodes). */
void tw_mpl_kernel(const struct tw_falls *f, const struct tw_mpl_shape *p, double *scratch,
                   const struct tw_mpl_sums *out);

#endif
