/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Approach 2 of Hoffmann et al. 2022, arXiv:2203.15556, section 3.2: budgets at which runs of
 * several sizes were made, and a parabola of the loss in log N for each. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "frontier.h"

/* ---- budgets --------------------------------------------------------------------------------- */

struct run {
    double log_c, log_n;
    size_t i;
};

static int by_budget(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    if (x->log_c != y->log_c)
        return x->log_c < y->log_c ? -1 : 1;
    return x->i < y->i ? -1 : 1;
}

static int by_size(const void *a, const void *b)
{
    const struct run *x = a, *y = b;

    if (x->log_n != y->log_n)
        return x->log_n < y->log_n ? -1 : 1;
    return x->i < y->i ? -1 : 1;
}

/* Sizes that differ by more than 1 % among n runs by size. */
static size_t sizes(const struct run *run, size_t n)
{
    size_t count = n > 0;

    for (size_t i = 1; i < n; i++)
        count += run[i].log_n - run[i - 1].log_n > 0.01;
    return count;
}

/* A stretch [a, b) of runs by budget, taken as a group: by size into d. */
static void take(struct tw_frontier_data *d, const struct run *run, size_t a, size_t b,
                 struct run *scratch)
{
    const size_t at = d->first[d->groups];
    double sum = 0.0;

    memcpy(scratch, run + a, (b - a) * sizeof *run);
    qsort(scratch, b - a, sizeof *scratch, by_size);
    for (size_t i = 0; i < b - a; i++) {
        d->index[at + i] = scratch[i].i;
        sum += scratch[i].log_c;
    }
    d->flops[d->groups] = exp(sum / (double)(b - a));
    d->first[++d->groups] = at + (b - a);
}

/* Where the budgets are not given: the stretch of runs, not wider than the tolerance allows, that
 * holds the most of them becomes one, then again among the rest; of equals the narrowest, then the
 * first. */
struct stretch {
    size_t a, b;
};

static struct stretch fullest(const struct run *run, const bool *taken, size_t n, double width)
{
    struct stretch best = { 0, 0 };
    size_t b = 0;

    for (size_t a = 0; a < n; a++) {
        if (taken[a])
            continue;
        b = b > a ? b : a;
        while (b < n && !taken[b] && run[b].log_c - run[a].log_c <= width)
            b++;
        if (b - a > best.b - best.a ||
            (b - a == best.b - best.a && b > a &&
             run[b - 1].log_c - run[a].log_c < run[best.b - 1].log_c - run[best.a].log_c))
            best = (struct stretch){ a, b };
    }
    return best;
}

static int by_start(const void *a, const void *b)
{
    const struct stretch *x = a, *y = b;

    return x->a < y->a ? -1 : x->a > y->a;
}

static size_t search(const struct run *run, size_t n, double width, bool *taken,
                     struct run *scratch, struct stretch *out)
{
    size_t found = 0;

    for (;;) {
        const struct stretch s = fullest(run, taken, n, width);

        if (s.b - s.a < TW_FRONTIER_MIN_SIZES)
            break;
        for (size_t i = s.a; i < s.b; i++)
            taken[i] = true;
        memcpy(scratch, run + s.a, (s.b - s.a) * sizeof *run);
        qsort(scratch, s.b - s.a, sizeof *scratch, by_size);
        if (sizes(scratch, s.b - s.a) >= TW_FRONTIER_MIN_SIZES)
            out[found++] = s;
    }
    qsort(out, found, sizeof *out, by_start);
    return found;
}

static enum tw_status given(struct tw_frontier_data *d, const struct run *run,
                            const struct tw_frontier_opts *opts, struct run *scratch, bool *taken,
                            struct tw_err *err)
{
    const double reach = log1p(opts->tolerance);

    for (size_t k = 0; k < opts->nbudgets; k++) {
        const double at = log(opts->budget[k]);
        size_t a = 0, b;

        while (a < d->n && run[a].log_c < at - reach)
            a++;
        for (b = a; b < d->n && run[b].log_c <= at + reach; b++) {
            if (taken[b])
                return tw_err_set(err, TW_EDOMAIN,
                                  "the budget %g shares runs with another one: give budgets "
                                  "further apart or a smaller tolerance",
                                  opts->budget[k]);
            taken[b] = true;
        }
        if (b == a)
            return tw_err_set(err, TW_EDOMAIN, "no run within %g %% of the budget %g",
                              100.0 * opts->tolerance, opts->budget[k]);
        take(d, run, a, b, scratch);
    }
    return TW_OK;
}

enum tw_status tw_frontier_budgets(struct tw_frontier_data *d, const struct tw_frontier_opts *opts,
                                   struct tw_err *err)
{
    const size_t most = d->n + opts->nbudgets;
    struct run *run = tw_alloc(d->n, 2 * sizeof *run), *scratch = run ? run + d->n : NULL;
    struct stretch *found = tw_alloc(d->n, sizeof *found);
    bool *taken = tw_alloc(d->n, sizeof *taken);
    enum tw_status rc = TW_OK;

    d->first = tw_alloc(most + 1, sizeof *d->first);
    d->index = tw_alloc(d->n, sizeof *d->index);
    d->flops = tw_alloc(most, sizeof *d->flops);
    if (!run || !found || !taken || !d->first || !d->index || !d->flops) {
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < d->n; i++)
        run[i] = (struct run){ d->log_c[i], d->log_n[i], i };
    qsort(run, d->n, sizeof *run, by_budget);
    if (opts->nbudgets) {
        rc = given(d, run, opts, scratch, taken, err);
    } else {
        const size_t n = search(run, d->n, 2.0 * log1p(opts->tolerance), taken, scratch, found);

        for (size_t k = 0; k < n; k++)
            take(d, run, found[k].a, found[k].b, scratch);
    }
out:
    free(run);
    free(found);
    free(taken);
    return rc;
}

/* ---- parabolas ------------------------------------------------------------------------------- */

/* Weighted least squares of y on 1, z, z^2 by Gram-Schmidt; z lies within [-1, 1]. False if there
 * are not three sizes. */
static bool parabola(const struct tw_frontier_data *d, size_t g, const double *weight, double mid,
                     double half, double *coef)
{
    double w = 0.0, mz = 0.0, mq = 0.0, my = 0.0, zz = 0.0, zq = 0.0, zy = 0.0, qq = 0.0, qy = 0.0;

    for (size_t k = d->first[g]; k < d->first[g + 1]; k++) {
        const size_t i = d->index[k];
        const double z = (d->log_n[i] - mid) / half, one = weight ? weight[i] : 1.0;

        w += one;
        mz += one * z;
        mq += one * z * z;
        my += one * d->y[i];
    }
    mz /= w;
    mq /= w;
    my /= w;
    for (size_t k = d->first[g]; k < d->first[g + 1]; k++) {
        const size_t i = d->index[k];
        const double x = (d->log_n[i] - mid) / half, one = weight ? weight[i] : 1.0;
        const double z = x - mz, q = x * x - mq;

        zz += one * z * z;
        zq += one * z * q;
        zy += one * z * (d->y[i] - my);
        qq += one * q * q;
        qy += one * q * (d->y[i] - my);
    }
    if (!(zz > 1e-9 * w) || !(qq - zq * zq / zz > 1e-9 * w))
        return false;
    coef[2] = (qy - zq * zy / zz) / (qq - zq * zq / zz);
    coef[1] = (zy - zq * coef[2]) / zz;
    coef[0] = my - coef[1] * mz - coef[2] * mq;
    return true;
}

void tw_frontier_valley(const struct tw_frontier_data *d, size_t g, const double *weight,
                        struct tw_frontier_point *p)
{
    const size_t a = d->first[g], n = d->first[g + 1] - a;
    const double lo = d->log_n[d->index[a]], hi = d->log_n[d->index[a + n - 1]];
    const double mid = 0.5 * (lo + hi), half = 0.5 * (hi - lo);

    *p = (struct tw_frontier_point){ .flops = d->flops[g], .n = n, .lo = exp(lo), .hi = exp(hi) };
    p->size = p->tokens = p->loss = p->aside = NAN;
    p->half_width = half;
    if (!(half > 0.0) || !parabola(d, g, weight, mid, half, p->coef)) {
        p->why = "too few sizes";
        return;
    }
    if (!(p->coef[2] > 0.0)) {
        p->why = "no minimum: the parabola opens downwards";
    } else {
        p->aside = -0.5 * p->coef[1] / p->coef[2];
        p->loss = p->coef[0] + 0.5 * p->coef[1] * p->aside;
        p->size = exp(mid + half * p->aside);
        p->tokens = p->flops / 6.0 / p->size;
        if (!(fabs(p->aside) <= 1.0))
            p->why = "the minimum lies outside the sizes";
    }
    p->coef[1] /= half;
    p->coef[2] /= half * half;
}
