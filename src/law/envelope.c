/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Approach 1 of Hoffmann et al. 2022, arXiv:2203.15556, section 3.1: training curves of several
 * sizes, and at each of 1,500 budgets the size whose curve is lowest there. */
#include <math.h>
#include <stdlib.h>

#include "frontier.h"

enum { BUDGETS = 1500 };

/* Rows of one size with growing tokens are a curve; C grows with them. */
static void split(struct tw_frontier_data *d)
{
    for (size_t i = 0; i < d->n; i++) {
        if (i == 0 || d->table[i] != d->table[i - 1] || d->log_n[i] != d->log_n[i - 1] ||
            !(d->log_c[i] > d->log_c[i - 1]))
            d->first[d->groups++] = i;
        d->index[i] = i;
    }
    d->first[d->groups] = d->n;
}

/* The loss of curve g at log budget c, straight between its rows; NAN beyond them. */
static double loss_at(const struct tw_frontier_data *d, size_t g, double c)
{
    size_t a = d->first[g], b = d->first[g + 1] - 1;
    double t;

    if (c < d->log_c[a] || c > d->log_c[b])
        return NAN;
    while (b - a > 1) {
        const size_t mid = a + (b - a) / 2;

        if (d->log_c[mid] <= c)
            a = mid;
        else
            b = mid;
    }
    if (a == b)
        return d->y[a];
    t = (c - d->log_c[a]) / (d->log_c[b] - d->log_c[a]);
    return d->y[a] + t * (d->y[b] - d->y[a]);
}

static double size_of(const struct tw_frontier_data *d, size_t g)
{
    return d->log_n[d->first[g]];
}

/* The widest range of budgets whose ends curves of two sizes reach. */
static bool range(const struct tw_frontier_data *d, double *lo, double *hi)
{
    *lo = INFINITY;
    *hi = -INFINITY;
    for (size_t g = 0; g < d->groups; g++)
        for (size_t h = 0; h < g; h++) {
            const double a = fmax(d->log_c[d->first[g]], d->log_c[d->first[h]]);
            const double b = fmin(d->log_c[d->first[g + 1] - 1], d->log_c[d->first[h + 1] - 1]);

            if (fabs(size_of(d, g) - size_of(d, h)) > 0.01 && a < b) {
                *lo = fmin(*lo, a);
                *hi = fmax(*hi, b);
            }
        }
    return *lo < *hi;
}

enum tw_status tw_frontier_curves(struct tw_frontier_data *d, struct tw_err *err)
{
    double lo, hi;

    d->first = tw_alloc(d->n + 1, sizeof *d->first);
    d->index = tw_alloc(d->n, sizeof *d->index);
    d->log_at = tw_alloc(BUDGETS, sizeof *d->log_at);
    if (!d->first || !d->index || !d->log_at)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    split(d);
    if (!range(d, &lo, &hi))
        return tw_err_set(err, TW_EDOMAIN,
                          "no budget is reached by training curves of two sizes (%zu curves of %zu "
                          "rows): approach 1 needs the rows along each run, in order",
                          d->groups, d->n);
    d->loss_at = tw_alloc(d->groups, BUDGETS * sizeof *d->loss_at);
    if (!d->loss_at)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    d->budgets = BUDGETS;
    for (size_t b = 0; b < BUDGETS; b++)
        d->log_at[b] = lo + (hi - lo) * (double)b / (BUDGETS - 1);
    for (size_t g = 0; g < d->groups; g++)
        for (size_t b = 0; b < BUDGETS; b++)
            d->loss_at[g * BUDGETS + b] = loss_at(d, g, d->log_at[b]);
    return TW_OK;
}

void tw_frontier_best(const struct tw_frontier_data *d, size_t b, const double *weight,
                      struct tw_frontier_point *p)
{
    double least = INFINITY, lo = INFINITY, hi = -INFINITY;
    size_t best = d->groups;

    for (size_t g = 0; g < d->groups; g++) {
        const double y = d->loss_at[g * d->budgets + b];

        if (weight && !(weight[g] > 0.0))
            continue;
        lo = fmin(lo, size_of(d, g));
        hi = fmax(hi, size_of(d, g));
        if (y < least) {
            least = y;
            best = g;
        }
    }
    *p = (struct tw_frontier_point){ .flops = exp(d->log_at[b]) };
    p->size = p->tokens = p->loss = NAN;
    if (best == d->groups) {
        p->why = "no curve there";
        return;
    }
    if (!d->ends && size_of(d, best) <= lo)
        p->why = "the smallest size is best there";
    else if (!d->ends && size_of(d, best) >= hi)
        p->why = "the largest size is best there";
    p->size = exp(size_of(d, best));
    p->tokens = p->flops / 6.0 / p->size;
    p->loss = least;
}
