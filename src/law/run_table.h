/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/run_table.h - what laws of runs share: their inputs, and starts for the many laws that
 * are linear in some of their parameters once the others are given. */
#ifndef TW_LAW_RUN_TABLE_H
#define TW_LAW_RUN_TABLE_H

#include "law_parts.h"
#include "thalweg/law.h"

/* The model of a law of runs: all groups' inputs, stacked. */
struct tw_run_table {
    size_t n, ninputs;
    double *value[TW_LAW_MAX_INPUTS], *log[TW_LAW_MAX_INPUTS]; /* (n) each */
};
/* NULL with *err set if out of memory or an input is not positive and finite. */
struct tw_run_table *tw_run_table_alloc(const struct tw_law_input *inputs, size_t ninputs,
                                        const struct tw_law_curve *runs, size_t n,
                                        struct tw_err *err);
void tw_run_table_free(void *table); /* NULL is fine */
/* All runs have the same value of input k. */
bool tw_run_table_constant(const struct tw_run_table *t, size_t k);

/* For tw_law: nothing is remembered from one prediction to the next. */
void *tw_run_memo_alloc(const void *model);
void tw_run_memo_free(void *memo);

/* The law is a sum of theta[param[j]] >= 0 times column j; the columns depend on the other
 * parameters, of which `shape` (nshape) are positive. `relative`: it is fitted on log loss. */
struct tw_law_linear {
    size_t k, param[TW_LAW_MAX_COLUMNS];
    size_t nshape, shape[TW_LAW_MAX_COLUMNS];
    bool relative;
    void (*columns)(const struct tw_run_table *t, const double *theta, double *const *column);
};
/* The objective at theta, of which it may better all but the shape parameters. */
typedef double tw_law_project_fn(void *ctx, double *theta);
/* From any start to one worth minimising from: multiples of the shape parameters, which are
 * positive, that lower the objective; a pattern search (Hooke & Jeeves 1961, J. ACM 8) on what
 * Golub & Pereyra 1973 (SIAM Journal on Numerical Analysis 10) call the variable projection. */
void tw_law_pattern_search(tw_law_project_fn *project, void *ctx, const size_t *shape,
                           size_t nshape, size_t nparams, double *theta);
/* The same for a linear law. False when out of memory. */
bool tw_law_linear_project(const struct tw_law_linear *law, const struct tw_run_table *t,
                           const double *y, size_t nparams, double *theta) TW_CHECKED;

struct tw_law_axis {
    size_t param, n;
    const double *value;
};
/* The best `max` points of a grid, each projected; returns how many, SIZE_MAX when out of
 * memory. */
size_t tw_law_linear_starts(const struct tw_law_linear *law, const struct tw_law_axis *axis,
                            size_t naxes, size_t nparams, const struct tw_run_table *t,
                            const double *y, double *theta, size_t max);

#endif
