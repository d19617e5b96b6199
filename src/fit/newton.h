/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fit/newton.h - a damped Newton iteration on the robust objective, in the unbounded
 * coordinates of the free parameters. */
#ifndef TW_FIT_NEWTON_H
#define TW_FIT_NEWTON_H

#include "thalweg/fit.h"

struct tw_newton {
    const struct tw_fit_problem *prob;
    double delta; /* of Huber's loss; INFINITY for least squares */
    double scale; /* residuals are divided by it, so that the objective is of order n */
    size_t nfree;
    size_t free[TW_FIT_MAX_PARAMS]; /* parameter number of each coordinate */
    double u[TW_FIT_MAX_PARAMS], theta[TW_FIT_MAX_PARAMS];
    double *r, *jac; /* (n), (n x p): the first nfree columns are dr/du */
};

/* theta, r and, if wanted, jac at u. */
void tw_newton_evaluate(struct tw_newton *nt, bool want_jac);
/* Iterate; u, theta and r are the best point on return. */
void tw_newton_run(struct tw_newton *nt, size_t max_iterations, struct tw_fit_result *res);
/* Gradient and condition at the minimum; leaves r there. */
void tw_newton_finish(struct tw_newton *nt, struct tw_fit_result *res);

#endif
