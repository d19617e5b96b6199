/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/memory.h - residuals that remember, and that curves share: what intervals need of it. */
#ifndef TW_LAW_MEMORY_H
#define TW_LAW_MEMORY_H

#include "solve.h"

/* The derivative psi of the loss at a residual. */
double tw_law_psi(const struct tw_law_fit_opts *o, double r);

/* Residuals k points apart in a curve correlate as phi^k, those of psi as weight phi^k; those of
 * two curves at the same x as `shared`, psi of them as `shared_psi`. All 0 for runs. */
struct tw_law_memory {
    double phi, weight, shared, shared_psi;
};
/* False when out of memory. */
bool tw_law_memory_measure(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                           struct tw_law_memory *m) TW_CHECKED;

/* The variance of sum_i z_i psi(r_i) over what it were if residuals were independent, at least 1:
 * by the model above, or from the products z_i psi(r_i) themselves where they say more. False when
 * out of memory. */
bool tw_law_inflation(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                      const struct tw_law_memory *m, const double *z, double *inflation) TW_CHECKED;

/* What is left of `worth` independent residuals after the fit; at least 2 and a quarter of them,
 * as beyond that the rule says nothing. */
double tw_law_freedom(const struct tw_law_problem *p, double worth);

/* The share of the long-run variance that blocks of this many points lose: sum_k |k| c_k over b
 * sum_k c_k (Kuensch 1989, Annals of Statistics 17), as closed form for phi^k. */
double tw_law_memory_torn(const struct tw_law_memory *m, size_t block);

/* By how much residuals are to grow before they are drawn in blocks: fitting k free parameters
 * took k / m of their variance, m the number of independent residuals that they are worth, and
 * tearing them apart takes part of their memory. */
double tw_law_resample_scale(const struct tw_law_problem *p, const struct tw_law_memory *m,
                             size_t block);

#endif
