/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <float.h>
#include <gsl/gsl_blas.h>
#include <gsl/gsl_multifit_nlinear.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "newton.h"
#include "thalweg/fit.h"

/* ---- bounds ----------------------------------------------------------------------------- */

/* |u| beyond this is an end of the range: exp(+-700) still fits a double. */
enum { U_MAX = 700 };

double tw_fit_to_u(const struct tw_fit_param *q, double theta)
{
    switch (q->bound) {
    case TW_FIT_FREE:
        return theta;
    case TW_FIT_POSITIVE:
        return log(fmax(theta, DBL_MIN));
    case TW_FIT_BETWEEN: {
        const double f = fmin(fmax((theta - q->lo) / (q->hi - q->lo), 1e-12), 1.0 - 1e-12);

        return log(f / (1.0 - f));
    }
    case TW_FIT_BELOW_ONE:
        return fmin(log(fmax(1.0 - theta, DBL_MIN)), -1e-12);
    }
    return theta;
}

double tw_fit_from_u(const struct tw_fit_param *q, double u, double *slope)
{
    switch (q->bound) {
    case TW_FIT_FREE:
        *slope = 1.0;
        return u;
    case TW_FIT_POSITIVE:
        u = fmin(fmax(u, -U_MAX), U_MAX);
        return *slope = exp(u);
    case TW_FIT_BETWEEN: {
        const double e = exp(-fabs(u));
        const double f = u >= 0.0 ? 1.0 / (1.0 + e) : e / (1.0 + e);

        *slope = (q->hi - q->lo) * e / ((1.0 + e) * (1.0 + e));
        return q->lo + (q->hi - q->lo) * f;
    }
    case TW_FIT_BELOW_ONE: {
        const double e = exp(fmax(fmin(u, 0.0), log(1.0 - q->hi)));

        *slope = u < 0.0 && u > log(1.0 - q->hi) ? -e : 0.0;
        return 1.0 - e;
    }
    }
    *slope = 1.0;
    return u;
}

static bool at_bound(const struct tw_fit_param *q, double theta)
{
    switch (q->bound) {
    case TW_FIT_FREE:
        return false;
    case TW_FIT_POSITIVE:
        return theta <= q->lo * (1.0 + 1e-9) || theta >= q->hi * (1.0 - 1e-9);
    case TW_FIT_BETWEEN: {
        const double f = (theta - q->lo) / (q->hi - q->lo);

        return f < 1e-4 || f > 1.0 - 1e-4;
    }
    case TW_FIT_BELOW_ONE:
        return theta <= q->lo || 1.0 - theta <= (1.0 - q->hi) * (1.0 + 1e-6);
    }
    return false;
}

/* ---- the objective ---------------------------------------------------------------------- */

static double objective(enum tw_fit_loss loss, double delta, const double *weight, const double *r,
                        size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++) {
        const double a = fabs(r[i]), w = weight ? weight[i] : 1.0;

        if (loss == TW_FIT_LAD)
            sum += w * a;
        else if (loss == TW_FIT_SQUARES || a <= delta)
            sum += w * 0.5 * a * a;
        else
            sum += w * delta * (a - 0.5 * delta);
    }
    return sum;
}

double tw_fit_objective(enum tw_fit_loss loss, double delta, const double *r, size_t n)
{
    return objective(loss, delta, NULL, r, n);
}

/* ---- GSL: residuals whose squares sum to twice the objective ------------------------------ */

struct tw_fit_ws {
    size_t n, p;
    struct tw_newton newton;
    gsl_multifit_nlinear_workspace *gsl[TW_FIT_MAX_PARAMS + 1]; /* by number of free parameters */
};

struct tw_fit_ws *tw_fit_ws_alloc(size_t n, size_t p)
{
    struct tw_fit_ws *ws = p <= TW_FIT_MAX_PARAMS ? tw_alloc(1, sizeof *ws) : NULL;

    if (!ws)
        return NULL;
    ws->n = n;
    ws->p = p;
    ws->newton.r = tw_alloc(n, sizeof(double));
    ws->newton.jac = tw_alloc(n, p * sizeof(double));
    if (!ws->newton.r || !ws->newton.jac) {
        tw_fit_ws_free(ws);
        return NULL;
    }
    return ws;
}

void tw_fit_ws_free(struct tw_fit_ws *ws)
{
    if (!ws)
        return;
    for (size_t i = 0; i <= TW_FIT_MAX_PARAMS; i++)
        if (ws->gsl[i])
            gsl_multifit_nlinear_free(ws->gsl[i]);
    free(ws->newton.r);
    free(ws->newton.jac);
    free(ws);
}

/* r and dr/du become f and df/du with f^2 / 2 = rho(r) / scale^2. */
static int gsl_residuals(const gsl_vector *u, void *ctx, gsl_vector *f, gsl_matrix *jac)
{
    struct tw_newton *nt = ctx;
    const double d = nt->delta, s = nt->scale;

    for (size_t j = 0; j < nt->nfree; j++)
        nt->u[j] = gsl_vector_get(u, j);
    tw_newton_evaluate(nt, jac != NULL);
    for (size_t i = 0; i < nt->prob->n; i++) {
        const double r = nt->r[i], a = fabs(r);
        double value = r / s, slope = 1.0 / s;

        if (!isfinite(r))
            return GSL_EDOM;
        if (a > d) {
            value = sqrt(2.0 * d * a - d * d) / s;
            slope = d / (s * s * value);
            value = copysign(value, r);
        }
        if (nt->prob->weight) { /* the square root: squares are summed */
            value *= sqrt(nt->prob->weight[i]);
            slope *= sqrt(nt->prob->weight[i]);
        }
        if (f)
            gsl_vector_set(f, i, value);
        if (jac)
            for (size_t j = 0; j < nt->nfree; j++)
                gsl_matrix_set(jac, i, j, slope * nt->jac[i * nt->prob->p + j]);
    }
    return GSL_SUCCESS;
}

static int gsl_f(const gsl_vector *u, void *ctx, gsl_vector *f)
{
    return gsl_residuals(u, ctx, f, NULL);
}

static int gsl_df(const gsl_vector *u, void *ctx, gsl_matrix *jac)
{
    return gsl_residuals(u, ctx, NULL, jac);
}

static void run_gsl(struct tw_fit_ws *ws, size_t n)
{
    struct tw_newton *nt = &ws->newton;
    gsl_multifit_nlinear_parameters par = gsl_multifit_nlinear_default_parameters();
    gsl_multifit_nlinear_fdf fdf = {
        .f = gsl_f,
        .df = gsl_df,
        .n = n,
        .p = nt->nfree,
        .params = nt,
    };
    gsl_multifit_nlinear_workspace **w = &ws->gsl[nt->nfree];
    gsl_vector_view start;
    double u[TW_FIT_MAX_PARAMS];
    int info;

    if (n < nt->nfree)
        return;
    par.solver = gsl_multifit_nlinear_solver_cholesky;
    if (!*w)
        *w = gsl_multifit_nlinear_alloc(gsl_multifit_nlinear_trust, &par, n, nt->nfree);
    if (!*w)
        return; /* Newton alone then, from the same start */
    memcpy(u, nt->u, sizeof u);
    start = gsl_vector_view_array(u, nt->nfree);
    if (gsl_multifit_nlinear_init(&start.vector, &fdf, *w) != GSL_SUCCESS ||
        gsl_multifit_nlinear_driver(100, 1e-3, 1e-6, 0.0, NULL, NULL, &info, *w) == GSL_EDOM) {
        memcpy(nt->u, u, sizeof u);
        return;
    }
    for (size_t j = 0; j < nt->nfree; j++)
        nt->u[j] = gsl_vector_get((*w)->x, j);
}

/* ---- the minimisation -------------------------------------------------------------------- */

/* LAD: Huber's minimum for a falling delta, each from the last; the final one is LAD's to
 * about delta times the number of parameters. */
static void run_lad(struct tw_fit_ws *ws, struct tw_fit_result *res)
{
    struct tw_newton *nt = &ws->newton;
    double scale = 0.0;

    tw_newton_evaluate(nt, false);
    for (size_t i = 0; i < nt->prob->n; i++)
        scale += fabs(nt->r[i]);
    scale /= (double)nt->prob->n;
    for (double d = scale; d > 1e-8 * scale; d *= 0.1) {
        nt->delta = nt->scale = d;
        tw_newton_run(nt, 60, res);
    }
}

enum tw_status tw_fit_minimize(struct tw_fit_ws *ws, const struct tw_fit_problem *prob,
                               double *theta, bool thorough, struct tw_fit_result *res,
                               struct tw_err *err)
{
    struct tw_newton *nt = &ws->newton;

    *res = (struct tw_fit_result){ 0 };
    if (prob->n != ws->n || prob->p != ws->p)
        return tw_err_set(err, TW_EINVAL,
                          "fit: %zu residuals and %zu parameters, workspace has %zu, %zu", prob->n,
                          prob->p, ws->n, ws->p);
    nt->prob = prob;
    nt->nfree = 0;
    memcpy(nt->theta, theta, prob->p * sizeof *theta);
    for (size_t j = 0; j < prob->p; j++)
        if (!prob->fixed[j]) {
            nt->free[nt->nfree] = j;
            nt->u[nt->nfree++] = tw_fit_to_u(&prob->params[j], theta[j]);
        }
    nt->delta = prob->loss == TW_FIT_HUBER ? prob->delta : (double)INFINITY;
    nt->scale = prob->loss == TW_FIT_HUBER ? prob->delta : 1.0;
    tw_newton_evaluate(nt, false);
    for (size_t i = 0; i < prob->n; i++)
        if (!isfinite(nt->r[i]))
            return tw_err_set(err, TW_EDOMAIN, "fit: residual %zu is not finite at the start", i);
    if (nt->nfree && thorough)
        run_gsl(ws, prob->n);
    tw_newton_run(nt, 100, res);
    if (prob->loss == TW_FIT_LAD)
        run_lad(ws, res);
    if (prob->enough == 0.0)
        tw_newton_finish(nt, res);
    memcpy(theta, nt->theta, prob->p * sizeof *theta);
    res->objective = objective(prob->loss, prob->delta, prob->weight, nt->r, prob->n);
    for (size_t k = 0; k < nt->nfree; k++) {
        const size_t j = nt->free[k];

        if (at_bound(&prob->params[j], theta[j]))
            res->at_bounds |= 1u << j;
    }
    return TW_OK;
}
