/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "solve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "resample.h"

/* ---- the problem -------------------------------------------------------------------------- */

static enum tw_status stack(struct tw_law_problem *p, const struct tw_law_curve *curves,
                            struct tw_err *err)
{
    p->x = tw_alloc(p->n, sizeof *p->x);
    p->y = tw_alloc(p->n, sizeof *p->y);
    p->target = tw_alloc(p->n, sizeof *p->target);
    if (!p->x || !p->y || !p->target)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t c = 0; c < p->ncurves; c++)
        for (size_t i = 0; i < curves[c].n; i++) {
            const double y = curves[c].y[i];

            const double x = p->law->ninputs ? curves[c].input[0][i] : curves[c].x[i];

            if (!isfinite(y) || (!p->law->plain && !(y > 0.0)))
                return tw_err_set(err, TW_EDOMAIN,
                                  "%s: loss %g at %s = %g: a loss must be positive to be fitted "
                                  "on its logarithm",
                                  curves[c].name, y, p->law->ninputs ? p->law->inputs[0].name : "x",
                                  x);
            p->x[p->first[c] + i] = x;
            p->y[p->first[c] + i] = y;
            p->target[p->first[c] + i] = p->law->plain ? y : log(y);
        }
    return TW_OK;
}

enum tw_status tw_law_problem_init(struct tw_law_problem *p, const struct tw_law *law,
                                   const struct tw_law_curve *curves, size_t n,
                                   const struct tw_law_fit_opts *opts, struct tw_err *err)
{
    struct tw_err own = { 0 };
    enum tw_status rc;

    if (!err) /* model_alloc says what was wrong nowhere else */
        err = &own;
    *p = (struct tw_law_problem){ .law = law, .opts = opts, .ncurves = n };
    p->first = tw_alloc(n + 1, sizeof *p->first);
    if (!p->first)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t c = 0; c < n; c++)
        p->first[c + 1] = p->first[c] + curves[c].n;
    p->n = p->first[n];
    if (p->n < law->nparams)
        return tw_err_set(err, TW_EDOMAIN,
                          "%zu point%s cannot determine the %zu parameters of the law %s: %zu more "
                          "needed, and some for the intervals",
                          p->n, tw_plural(p->n), law->nparams, law->name, law->nparams - p->n);
    rc = stack(p, curves, err);
    if (rc != TW_OK)
        return rc;
    if (law->ninputs) {
        p->cluster = tw_alloc(p->n, sizeof *p->cluster);
        if (!p->cluster ||
            !tw_resample_clusters(curves, n, law->ninputs, p->cluster, &p->nclusters))
            return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    p->model = tw_law_model(law, curves, n, opts->warmup, err);
    return p->model ? TW_OK : err->code;
}

void tw_law_problem_release(struct tw_law_problem *p)
{
    if (p->law)
        p->law->model_free(p->model);
    free(p->first);
    free(p->x);
    free(p->y);
    free(p->target);
    free(p->cluster);
    *p = (struct tw_law_problem){ 0 };
}

/* ---- residuals ------------------------------------------------------------------------------ */

/* log of a prediction, continued by its tangent below a thousandth of the loss: a search may
 * pass through parameters that predict a negative loss, and must find its way back. */
static double safe_log(double yhat, double log_y, double *slope)
{
    const double floor_log = log_y - 6.907755278982137; /* ln 1000 */
    double floor_y;

    if (yhat > 0.0) {
        const double value = log(yhat);

        if (value >= floor_log) {
            *slope = 1.0 / yhat;
            return value;
        }
    }
    floor_y = exp(floor_log);
    *slope = 1.0 / floor_y;
    return floor_log + (yhat - floor_y) / floor_y;
}

static void residual(void *ctx, const double *theta, double *r, double *jac)
{
    const struct tw_law_worker *w = ctx;
    const struct tw_law_problem *p = w->problem;
    const size_t np = p->law->nparams;

    p->law->predict(p->model, w->memo, theta, r, jac);
    for (size_t i = 0; i < p->n; i++) {
        double slope = 1.0;

        r[i] = w->target[i] - (p->law->plain ? r[i] : safe_log(r[i], w->target[i], &slope));
        if (jac)
            for (size_t j = 0; j < np; j++)
                jac[i * np + j] *= -slope;
    }
}

bool tw_law_worker_init(struct tw_law_worker *w, const struct tw_law_problem *p)
{
    *w = (struct tw_law_worker){ .problem = p, .target = p->target };
    w->fit = (struct tw_fit_problem){
        .n = p->n,
        .p = p->law->nparams,
        .params = p->law->params,
        .loss = p->opts->loss,
        .delta = p->opts->delta,
        .residual = residual,
        .ctx = w,
    };
    memcpy(w->fit.fixed, p->opts->fixed, sizeof w->fit.fixed);
    w->ws = tw_fit_ws_alloc(p->n, p->law->nparams);
    w->memo = p->law->memo_alloc(p->model);
    return w->ws && w->memo;
}

void tw_law_worker_release(struct tw_law_worker *w)
{
    tw_fit_ws_free(w->ws);
    if (w->problem)
        w->problem->law->memo_free(w->memo);
    *w = (struct tw_law_worker){ 0 };
}

bool tw_law_predict(const struct tw_law *law, const void *model, const double *theta, double *y)
{
    void *memo = law->memo_alloc(model);

    if (memo)
        law->predict(model, memo, theta, y, NULL);
    law->memo_free(memo);
    return memo != NULL;
}

bool tw_law_optimum(const struct tw_law *law, const double *theta, double flops, double *input,
                    double *loss)
{
    const double *column[TW_LAW_MAX_INPUTS];
    const struct tw_law_curve run = { .name = "optimum", .n = 1, .input = column };
    void *model;
    bool ok;

    law->optimum(theta, flops, input);
    for (size_t k = 0; k < law->ninputs; k++)
        column[k] = &input[k];
    model = tw_law_model(law, &run, 1, TW_WARMUP_SKIP, NULL);
    ok = model && tw_law_predict(law, model, theta, loss);
    law->model_free(model);
    return ok;
}

#define WIDE     1.0 /* log losses that differ by more are not residuals of a fit */
#define NARROWER 0.1

/* ---- from starts to the optimum ---------------------------------------------------------------
 */

/* From afar by a loss that is nearly least squares, whose valley is wide; then Huber's delta
 * comes down and the minimum is followed. */
static bool descend(struct tw_law_worker *w, double *theta, struct tw_fit_result *res)
{
    struct tw_fit_problem wide = w->fit;

    wide.loss = TW_FIT_HUBER;
    wide.enough = 1e-9; /* only on the way */
    for (wide.delta = WIDE; w->fit.loss != TW_FIT_SQUARES && wide.delta > w->fit.delta;
         wide.delta *= NARROWER)
        if (tw_fit_minimize(w->ws, &wide, theta, wide.delta == WIDE, res, NULL) != TW_OK)
            return false;
    return tw_fit_minimize(w->ws, &w->fit, theta, w->fit.loss == TW_FIT_SQUARES, res, NULL) ==
           TW_OK;
}

/* The straight way from `start`, if it ends better than theta. */
static void straight(struct tw_law_worker *w, const double *start, double *theta,
                     struct tw_fit_result *res)
{
    double other[TW_FIT_MAX_PARAMS];
    struct tw_fit_result found;

    memcpy(other, start, w->fit.p * sizeof *other);
    if (tw_fit_minimize(w->ws, &w->fit, other, false, &found, NULL) != TW_OK ||
        !(found.objective < res->objective))
        return;
    memcpy(theta, other, w->fit.p * sizeof *theta);
    *res = found;
}

/* What run_starts does with each start. */
enum way { DESCEND, STRAIGHT };

/* `start` and theta (k rows): where each began and has come to. */
static enum tw_status run_starts(const struct tw_law_problem *p, enum way way, const double *start,
                                 double *theta, struct tw_fit_result *res, size_t k)
{
    const size_t np = p->law->nparams;
    enum tw_status rc = TW_OK;

#pragma omp parallel
    {
        struct tw_law_worker w;
        const bool ready = tw_law_worker_init(&w, p);

        if (!ready) {
#pragma omp atomic write
            rc = TW_ENOMEM;
        }
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < k; i++) {
            if (way == DESCEND && (!ready || !descend(&w, theta + i * np, &res[i])))
                res[i] = (struct tw_fit_result){ .objective = INFINITY };
            /* A slow law goes straight only where descending ended badly. */
            if (way == STRAIGHT && ready &&
                !(p->law->slow && res[i].converged && !res[i].at_bounds))
                straight(&w, start + i * np, theta + i * np, &res[i]);
        }
        tw_law_worker_release(&w);
    }
    return rc;
}

/* The objective of residuals as small as rounding makes them: below it all fits are perfect. */
static double noise_floor(const struct tw_law_problem *p)
{
    static const double r = 1e-11;

    return (double)p->n * tw_fit_objective(p->opts->loss, p->opts->delta, &r, 1);
}

/* Fixed parameters in place; are there any? */
static bool hold(const struct tw_law_fit_opts *opts, size_t np, double *theta)
{
    bool any = false;

    for (size_t j = 0; j < np; j++)
        if (opts->fixed[j]) {
            theta[j] = opts->fixed_value[j];
            any = true;
        }
    return any;
}

/* Starts into theta (max rows), fixed parameters in place; how many, SIZE_MAX: no memory. */
static size_t find_starts(const struct tw_law_problem *p, double *theta, size_t max)
{
    const size_t np = p->law->nparams;
    size_t n = p->opts->ngiven;

    if (n == 0) {
        n = p->law->starts(p->model, p->y, theta, max);
        if (n == SIZE_MAX)
            return n;
    } else {
        memcpy(theta, p->opts->given, n * np * sizeof *theta);
    }
    for (size_t i = 0; i < n; i++) {
        const bool moved = hold(p->opts, np, theta + i * np) || p->opts->ngiven;

        if (moved && p->law->project && !p->law->project(p->model, p->y, theta + i * np))
            return SIZE_MAX;
        (void)hold(p->opts, np, theta + i * np);
    }
    return n;
}

static size_t count_best(const struct tw_law_problem *p, const struct tw_fit_result *each, size_t n,
                         size_t *best)
{
    size_t at = 0;

    *best = 0;
    for (size_t i = 1; i < n; i++)
        if (each[i].objective < each[*best].objective)
            *best = i;
    for (size_t i = 0; i < n; i++)
        at += each[i].objective <= each[*best].objective * (1.0 + 1e-6) + noise_floor(p);
    return at;
}

/* Few points may have a minimum that the wide loss leads away from: then, and where starts
 * disagree, the straight way is tried too. */
static bool settled(const struct tw_law_problem *p, const struct tw_fit_result *each, size_t n)
{
    enum { MANY = 20 }; /* points for each parameter */
    size_t best;

    return n > 1 && p->n >= MANY * p->law->nparams && count_best(p, each, n, &best) == n &&
           each[best].converged && !each[best].at_bounds;
}

enum tw_status tw_law_solve(const struct tw_law_problem *p, double *theta,
                            struct tw_fit_result *res, size_t *tried, size_t *at_optimum,
                            struct tw_err *err)
{
    const size_t np = p->law->nparams, own = p->opts->starts ? p->opts->starts : 1;
    const size_t max = p->opts->ngiven ? p->opts->ngiven : own;
    double *all = tw_alloc(max, np * sizeof *all), *start = tw_alloc(max, np * sizeof *start);
    struct tw_fit_result *each = tw_alloc(max, sizeof *each);
    enum tw_status rc = TW_ENOMEM;
    size_t best = 0;

    if (!all || !start || !each)
        goto out;
    *tried = find_starts(p, all, max);
    if (*tried == SIZE_MAX)
        goto out;
    memcpy(start, all, *tried * np * sizeof *start);
    rc = run_starts(p, DESCEND, start, all, each, *tried);
    if (rc == TW_OK && !settled(p, each, *tried))
        rc = run_starts(p, STRAIGHT, start, all, each, *tried);
    if (rc != TW_OK)
        goto out;
    *at_optimum = count_best(p, each, *tried, &best);
    rc = TW_ENOCONV;
    if (*tried == 0 || !isfinite(each[best].objective))
        goto out;
    memcpy(theta, all + best * np, np * sizeof *theta);
    *res = each[best];
    rc = TW_OK;
out:
    free(all);
    free(start);
    free(each);
    if (rc == TW_ENOMEM)
        return tw_err_set(err, rc, "out of memory");
    if (rc != TW_OK)
        return tw_err_set(err, rc, "the law %s did not converge from any of %zu starts",
                          p->law->name, *tried);
    return rc;
}
