/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What grows or shrinks with the model at one learning rate: quadratics in the logarithms, as the
 * figures of arXiv:2309.14322, sections 3.3 and 3.4, draw them. */
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#include "least.h"
#include "sweep.h"

static bool passes(const struct tw_trend_ask *q, double y)
{
    return q->above ? y > q->threshold : y < q->threshold;
}

static double prediction(const struct tw_trend *t, double size)
{
    const double x = log(size / t->centre);

    return exp(t->coef[0] + t->coef[1] * x + t->coef[2] * x * x);
}

/* In steps of 1 %, then bisected. */
static double crossing(const struct tw_trend_ask *q, const struct tw_trend *t)
{
    double lo = t->to, hi;

    for (hi = lo; hi < 1000.0 * t->to && !passes(q, prediction(t, hi)); hi *= 1.01)
        lo = hi;
    if (!passes(q, prediction(t, hi)))
        return NAN;
    for (int i = 0; i < 60; i++) {
        const double mid = sqrt(lo * hi);

        if (passes(q, prediction(t, mid)))
            hi = mid;
        else
            lo = mid;
    }
    return hi;
}

static void judge(const struct tw_trend_ask *q, const struct tw_sweep_run *const *run,
                  struct tw_trend *t)
{
    t->alarm = TW_ALARM_NONE;
    if (passes(q, q->above ? t->hi : t->lo))
        t->alarm = TW_ALARM_POSSIBLE;
    if (passes(q, t->y))
        t->alarm = TW_ALARM_PREDICTED;
    for (size_t i = 0; i < t->n; i++)
        if (passes(q, q->value(run[i])))
            t->alarm = TW_ALARM_MEASURED;
}

/* The runs of one rate, by size. False: out of memory. */
static bool fit_one(const struct tw_trend_ask *q, const struct tw_sweep_run *const *run,
                    struct tw_trend *t)
{
    const size_t n = t->n;
    double *x = tw_alloc(n, 4 * sizeof *x), *y = x ? x + 3 * n : NULL;
    struct tw_least fit;

    if (!x)
        return false;
    t->from = run[0]->size;
    t->to = run[n - 1]->size;
    t->centre = sqrt(t->from * t->to);
    t->lo = t->hi = NAN;
    for (size_t i = 0; i < n; i++) {
        const double u = log(run[i]->size / t->centre);

        x[i] = 1.0;
        x[n + i] = u;
        x[2 * n + i] = u * u;
        y[i] = log(q->value(run[i]));
    }
    if (tw_least_fit(x, 3, y, n, &fit)) {
        const double u = log(q->at / t->centre), row[3] = { 1.0, u, u * u };

        for (size_t j = 0; j < 3; j++)
            t->coef[j] = fit.coef[j];
        t->y = prediction(t, q->at);
        if (n > 3) {
            const double freedom = (double)(n - 3), scale = sqrt(fit.rss / freedom);
            const double wide = gsl_cdf_tdist_Pinv(0.5 + 0.5 * q->level, freedom) * scale *
                                sqrt(1.0 + tw_least_leverage(&fit, row));

            t->lo = t->y * exp(-wide);
            t->hi = t->y * exp(wide);
        }
        t->crossing = crossing(q, t);
        judge(q, run, t);
    } else {
        t->sizes = 0;
    }
    free(x);
    return true;
}

static int by_rate(const void *p, const void *q)
{
    const struct tw_sweep_run *a = *(const struct tw_sweep_run *const *)p,
                              *b = *(const struct tw_sweep_run *const *)q;

    if (a->lr < b->lr || a->lr > b->lr)
        return a->lr < b->lr ? -1 : 1;
    return (a > b) - (a < b);
}

static int by_size(const void *p, const void *q)
{
    const struct tw_sweep_run *a = *(const struct tw_sweep_run *const *)p,
                              *b = *(const struct tw_sweep_run *const *)q;

    if (a->size < b->size || a->size > b->size)
        return a->size < b->size ? -1 : 1;
    return (a > b) - (a < b);
}

static enum tw_status collect(const struct tw_sweep_run *runs, size_t n,
                              const struct tw_trend_ask *q, const struct tw_sweep_run **run,
                              size_t *m, struct tw_err *err)
{
    *m = 0;
    for (size_t i = 0; i < n; i++) {
        const double y = q->value(&runs[i]);

        if (isnan(y))
            continue;
        if (!(y > 0.0) || !isfinite(y))
            return tw_err_set(err, TW_EDOMAIN,
                              "run %zu (N = %g, learning rate %g) has a value of %g: its logarithm "
                              "is extrapolated, and it must be positive",
                              i + 1, runs[i].size, runs[i].lr, y);
        run[(*m)++] = &runs[i];
    }
    qsort(run, *m, sizeof *run, by_rate);
    return TW_OK;
}

/* The rate that begins at run[i]: its quadratic, or that it has too few sizes. */
static bool take_rate(const struct tw_trend_ask *q, const struct tw_sweep_run **run, size_t n,
                      struct tw_trends *out, size_t *used)
{
    struct tw_trend t = { .lr = run[0]->lr, .n = 1, .sizes = 1 };

    while (t.n < n && tw_sweep_alike(run[t.n]->lr, run[0]->lr))
        t.n++;
    qsort(run, t.n, sizeof *run, by_size);
    for (size_t k = 1; k < t.n; k++)
        t.sizes += tw_sweep_alike(run[k]->size, run[k - 1]->size) ? 0 : 1;
    *used = t.n;
    if (t.sizes < 3) {
        out->skipped++;
        return true;
    }
    if (!fit_one(q, run, &t))
        return false;
    out->v[out->n++] = t;
    return true;
}

enum tw_status tw_trends_fit(const struct tw_sweep_run *runs, size_t n,
                             const struct tw_trend_ask *ask, struct tw_trends *out,
                             struct tw_err *err)
{
    const struct tw_sweep_run **run = tw_alloc(n, sizeof *run);
    enum tw_status rc = TW_ENOMEM;
    size_t m = 0;

    *out = (struct tw_trends){ .v = tw_alloc(n, sizeof *out->v) };
    if (run && out->v)
        rc = collect(runs, n, ask, run, &m, err);
    else
        (void)tw_err_set(err, rc, "out of memory");
    for (size_t i = 0, used = 0; rc == TW_OK && i < m; i += used)
        if (!take_rate(ask, run + i, m - i, out, &used))
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    free(run);
    if (rc == TW_OK && out->n == 0)
        rc = tw_err_set(err, TW_EDOMAIN,
                        "no learning rate was run at three sizes: a quadratic in log N needs them "
                        "(%zu rates with fewer)",
                        out->skipped);
    return rc;
}

void tw_trends_release(struct tw_trends *t)
{
    free(t->v);
    *t = (struct tw_trends){ 0 };
}
