/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one family saves against another: quantities of two fits, replicate by replicate. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/law_families.h"

/* The quantile of sorted values of which some may be infinite. */
static double quantile(const double *x, size_t n, double q)
{
    const double h = n ? q * (double)(n - 1) : 0.0;
    const size_t i = (size_t)h;

    if (n == 0)
        return (double)NAN;
    if (i + 1 < n && isinf(x[i + 1]) && h > (double)i)
        return x[i + 1];
    return isinf(x[i]) ? x[i] : tw_quantile_sorted(x, n, q);
}

/* Sorts v. */
static void interval(double *v, size_t n, double level, struct tw_family_value *d)
{
    tw_sort_reals(v, n);
    d->lo = n > 1 ? quantile(v, n, 0.5 - 0.5 * level) : (double)NAN;
    d->hi = n > 1 ? quantile(v, n, 0.5 + 0.5 * level) : (double)NAN;
}

/* A quantity of the first family's and another's parameters; NAN: not defined. */
typedef double pair_fn(void *ctx, const double *first, const double *other);

static enum tw_status over_replicates(const struct tw_families *f, size_t k, pair_fn *fn, void *ctx,
                                      struct tw_family_value *d, struct tw_err *err)
{
    const size_t np = f->law->nparams;
    double *v = tw_alloc(f->replicates, sizeof *v);
    size_t n = 0;

    if (!v)
        return tw_err_set(err, TW_ENOMEM, "differences of families: out of memory");
    d->value = fn(ctx, f->fit[0].theta, f->fit[k].theta);
    for (size_t b = 0; b < f->replicates; b++) {
        const double *first = f->fit[0].theta_boot + b * np, *other = f->fit[k].theta_boot + b * np;

        if (isnan(first[0]))
            continue;
        v[n] = fn(ctx, first, other);
        n += isnan(v[n]) ? 0 : 1;
    }
    interval(v, 2 * n >= f->replicates - f->failed ? n : 0, f->fit[0].opts.level, d);
    free(v);
    return TW_OK;
}

static double difference(void *ctx, const double *first, const double *other)
{
    const size_t *j = ctx;

    return other[*j] - first[*j];
}

enum tw_status tw_families_difference(const struct tw_families *f, size_t k, size_t j,
                                      struct tw_family_value *d, struct tw_err *err)
{
    return over_replicates(f, k, difference, &j, d, err);
}

/* ---- tokens and compute at equal loss -------------------------------------------------------- */

struct need {
    const struct tw_law *law;
    double target, size;
    size_t infeasible_first, infeasible_other;
};

static double needed(const struct need *q, const double *theta)
{
    return q->size > 0.0 ? q->law->tokens(theta, q->size, q->target)
                         : q->law->compute(theta, q->target);
}

static double factor(void *ctx, const double *first, const double *other)
{
    struct need *q = ctx;
    const double a = needed(q, first), b = needed(q, other);

    q->infeasible_first += isinf(a) ? 1 : 0;
    q->infeasible_other += isinf(b) ? 1 : 0;
    return a / b; /* INFINITY / INFINITY is no number */
}

enum tw_status tw_families_savings(const struct tw_families *f, size_t k, double target,
                                   double size, struct tw_family_savings *s, struct tw_err *err)
{
    struct need q = { .law = f->law, .target = target, .size = size };
    enum tw_status rc;

    *s = (struct tw_family_savings){ .size = size };
    if (!f->law->tokens || !f->law->compute)
        return tw_err_set(err, TW_EINVAL, "the law %s cannot say what a loss needs; chinchilla can",
                          f->law->name);
    s->first = needed(&q, f->fit[0].theta);
    s->other = needed(&q, f->fit[k].theta);
    rc = over_replicates(f, k, factor, &q, &s->factor, err);
    s->infeasible_first = q.infeasible_first - (isinf(s->first) ? 1 : 0);
    s->infeasible_other = q.infeasible_other - (isinf(s->other) ? 1 : 0);
    s->replicates = f->replicates - f->failed;
    return rc;
}

/* ---- loss of a budget ------------------------------------------------------------------------ */

struct budget {
    const struct tw_law *law;
    double flops, loss[2];
    bool ok;
};

static double budget_difference(void *ctx, const double *first, const double *other)
{
    double input[TW_LAW_MAX_INPUTS];
    struct budget *q = ctx;

    q->ok = tw_law_optimum(q->law, first, q->flops, input, &q->loss[0]) &&
            tw_law_optimum(q->law, other, q->flops, input, &q->loss[1]) && q->ok;
    return q->loss[1] - q->loss[0];
}

enum tw_status tw_families_budget(const struct tw_families *f, size_t k, double flops,
                                  double loss[2], struct tw_family_value *d, struct tw_err *err)
{
    struct budget q = { .law = f->law, .flops = flops, .ok = true };
    enum tw_status rc;

    if (!f->law->optimum)
        return tw_err_set(err, TW_EINVAL, "the law %s has no optimum for a budget; chinchilla has",
                          f->law->name);
    (void)budget_difference(&q, f->fit[0].theta, f->fit[k].theta);
    memcpy(loss, q.loss, 2 * sizeof *loss);
    rc = over_replicates(f, k, budget_difference, &q, d, err);
    if (rc == TW_OK && !q.ok)
        rc = tw_err_set(err, TW_ENOMEM, "the loss of a budget: out of memory");
    return rc;
}
