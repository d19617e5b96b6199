/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/solve.h - one law, one set of curves: minimise from starts. The parts of a fit (the
 * parameters, profiles, bootstrap, curves left out) are all made of this. */
#ifndef TW_LAW_SOLVE_H
#define TW_LAW_SOLVE_H

#include <math.h>

#include "thalweg/law.h"

struct tw_law_problem {
    const struct tw_law *law;
    const struct tw_law_fit_opts *opts;
    void *model;
    size_t ncurves, n;
    size_t *first;              /* (ncurves + 1) */
    double *x, *y;              /* (n) stacked; x is the first input of a law of runs */
    double *target;             /* (n) log y, or y if law->plain */
    size_t nclusters, *cluster; /* (n) of a law of runs: of each its cluster, below nclusters */
};

/* The scale on which residuals are taken. */
static inline double tw_law_to_scale(const struct tw_law *law, double y)
{
    return law->plain ? y : log(fmax(y, 1e-300));
}

static inline double tw_law_from_scale(const struct tw_law *law, double v)
{
    return law->plain ? v : exp(v);
}

/* y must be positive and finite: TW_EDOMAIN names the point. Release even after a failure. */
enum tw_status tw_law_problem_init(struct tw_law_problem *p, const struct tw_law *law,
                                   const struct tw_law_curve *curves, size_t n,
                                   const struct tw_law_fit_opts *opts,
                                   struct tw_err *err) TW_CHECKED;
void tw_law_problem_release(struct tw_law_problem *p);

/* What one thread needs to minimise: a workspace, the law's memo, and the values that are
 * fitted (p->target at first; a bootstrap puts its own there). */
struct tw_law_worker {
    const struct tw_law_problem *problem;
    struct tw_fit_problem fit;
    struct tw_fit_ws *ws;
    void *memo;
    const double *target;
};
/* False when out of memory. `w` must stay where it is. Release even after a failure. */
bool tw_law_worker_init(struct tw_law_worker *w, const struct tw_law_problem *p) TW_CHECKED;
void tw_law_worker_release(struct tw_law_worker *w);

/* Minimise from the law's starts, over all threads; theta is the best. *tried starts, of which
 * *at_optimum ended at the best objective to 1e-6. TW_ENOCONV if none converged. */
enum tw_status tw_law_solve(const struct tw_law_problem *p, double *theta,
                            struct tw_fit_result *res, size_t *tried, size_t *at_optimum,
                            struct tw_err *err) TW_CHECKED;

/* Parameters, fitted values and scores into the fit; no intervals. */
enum tw_status tw_law_fit_once(const struct tw_law_problem *p, struct tw_law_fit *fit,
                               struct tw_err *err) TW_CHECKED;

/* From fit->theta: the points, fitted values, residuals and scores. */
enum tw_status tw_law_fit_describe(const struct tw_law_problem *p, struct tw_law_fit *fit,
                                   struct tw_err *err) TW_CHECKED;

/* Hold what restriction k (0: none) of the fit's law holds. */
void tw_law_restrict(struct tw_law_fit *fit, size_t k);
/* Fill fit->trials and take the best; see there. */
enum tw_status tw_law_restrict_choose(const struct tw_law_curve *curves, size_t n,
                                      struct tw_law_fit *fit, struct tw_err *err) TW_CHECKED;

/* Profiles, replicates and curves left out, into the fit; each its own file. */
enum tw_status tw_law_profile_run(const struct tw_law_problem *p, struct tw_law_fit *fit,
                                  struct tw_err *err) TW_CHECKED;
enum tw_status tw_law_bootstrap_run(const struct tw_law_problem *p, struct tw_law_fit *fit,
                                    struct tw_err *err) TW_CHECKED;
/* The kind of bootstrap that suits runs of so many configurations. */
enum tw_bootstrap tw_law_bootstrap_kind(const struct tw_law_fit_opts *opts, size_t nparams,
                                        size_t clusters);
/* From fit->theta_boot: percentile intervals and correlations of the replicates that converged.
 * False when out of memory. */
bool tw_law_bootstrap_summary(struct tw_law_fit *fit) TW_CHECKED;
enum tw_status tw_law_leave_out_run(const struct tw_law_curve *curves, struct tw_law_fit *fit,
                                    struct tw_err *err) TW_CHECKED;

/* The annealed part of the predicted loss of one curve over that loss, at its points; zeros for
 * a law without such a part. False when out of memory. */
bool tw_law_annealed_share(const struct tw_law *law, const struct tw_law_curve *curve,
                           const double *theta, const double *yhat, double *share) TW_CHECKED;

/* From fit->r, fit->left_out and the sum of the squared mean residuals of the curves left out. */
/* ... and the same of the relative errors of the annealed part. */
void tw_law_model_error(struct tw_law_fit *fit, double squares, double annealed_squares);

#endif
