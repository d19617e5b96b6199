/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The best learning rate and batch size of the runs of one N and D. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "least.h"
#include "sweep.h"

enum { MIN_USED = 9 }; /* runs for the six coefficients of a quadratic in two variables */

/* The runs of a group near its best one, about which logarithms are taken. */
struct near {
    size_t n, k; /* runs; coefficients: 6, or 3 when there is one batch */
    const struct tw_sweep_run **run;
    double *u, *v, *loss; /* (n) log lr, log batch over the best run's; losses */
    double *x, *y, *fit;  /* (n x k), (n), (n) */
    double u_lo, u_hi, v_lo, v_hi;
    double spread; /* residuals times this have the noise's variance */
};

static void columns(const struct near *q, double *x)
{
    for (size_t i = 0; i < q->n; i++) {
        const double u = q->u[i], v = q->v[i];
        const double c[6] = { 1.0, u, u * u, v, u * v, v * v };

        for (size_t j = 0; j < q->k; j++)
            x[j * q->n + i] = c[j];
    }
}

/* The minimum of the quadratic, if it has one among the runs. */
static bool minimum(const struct near *q, const double *c, double *u, double *v, double *loss)
{
    if (q->k == 3) {
        *u = -c[1] / (2.0 * c[2]);
        *v = 0.0;
        *loss = c[0] + 0.5 * c[1] * *u;
        return c[2] > 0.0 && *u >= q->u_lo && *u <= q->u_hi;
    }
    /* [2 c2, c4; c4, 2 c5] (u, v)' = -(c1, c3)' */
    const double det = 4.0 * c[2] * c[5] - c[4] * c[4];

    *u = (-2.0 * c[5] * c[1] + c[4] * c[3]) / det;
    *v = (-2.0 * c[2] * c[3] + c[4] * c[1]) / det;
    *loss = c[0] + 0.5 * (c[1] * *u + c[3] * *v);
    return c[2] > 0.0 && det > 0.0 && *u >= q->u_lo && *u <= q->u_hi && *v >= q->v_lo &&
           *v <= q->v_hi;
}

static int by_loss(const void *a, const void *b)
{
    const struct tw_sweep_run *const *p = a, *const *q = b;

    if ((*p)->loss < (*q)->loss || (*p)->loss > (*q)->loss)
        return (*p)->loss < (*q)->loss ? -1 : 1;
    return (*p > *q) - (*p < *q);
}

/* Sort finite losses first; the runs within the share of the best, or as many as a quadratic
 * needs. */
static void choose(const struct tw_sweep *s, const struct tw_sweep_group *g, bool one_batch,
                   struct near *q)
{
    const size_t least = one_batch ? 5 : MIN_USED;
    size_t finite = 0;

    for (size_t i = 0; i < g->n; i++)
        if (isfinite(s->run[g->first + i].loss))
            q->run[finite++] = &s->run[g->first + i];
    qsort(q->run, finite, sizeof *q->run, by_loss);
    while (q->n < finite &&
           (q->n < least || q->run[q->n]->loss <= q->run[0]->loss * (1.0 + s->opts.within)))
        q->n++;
    q->k = one_batch ? 3 : 6;
    q->u_lo = q->v_lo = INFINITY;
    q->u_hi = q->v_hi = -INFINITY;
    for (size_t i = 0; i < q->n; i++) {
        q->u[i] = log(q->run[i]->lr / q->run[0]->lr);
        q->v[i] = log(q->run[i]->batch / q->run[0]->batch);
        q->loss[i] = q->run[i]->loss;
        q->u_lo = fmin(q->u_lo, q->u[i]);
        q->u_hi = fmax(q->u_hi, q->u[i]);
        q->v_lo = fmin(q->v_lo, q->v[i]);
        q->v_hi = fmax(q->v_hi, q->v[i]);
    }
}

/* Losses into coefficients; the residuals go to q->y. */
static bool solve(struct near *q, const double *loss, struct tw_least *fit)
{
    columns(q, q->x);
    memcpy(q->y, loss, q->n * sizeof *loss);
    return tw_least_fit(q->x, q->k, q->y, q->n, fit);
}

static size_t least_of(const double *x, size_t n)
{
    size_t best = 0;

    for (size_t i = 1; i < n; i++)
        if (x[i] < x[best])
            best = i;
    return best;
}

/* Residuals drawn anew about the quadratic, which is fitted again; where that has no minimum
 * among the runs, the run of least loss. */
static void replicate(const struct tw_sweep *s, struct tw_sweep_group *g, struct near *q,
                      const double *residual)
{
    const size_t index = (size_t)(g - s->group);

    for (size_t b = 0; b < s->opts.bootstrap; b++) {
        struct tw_rng rng =
            tw_rng_stream(s->opts.seed, TW_RNG_SWEEP, index * s->opts.bootstrap + b);
        struct tw_least fit;
        double u, v, loss;

        for (size_t i = 0; i < q->n; i++)
            q->loss[i] = q->fit[i] + q->spread * residual[tw_rng_below(&rng, q->n)];
        if (!solve(q, q->loss, &fit) || !minimum(q, fit.coef, &u, &v, &loss)) {
            const size_t best = least_of(q->loss, q->n);

            u = q->u[best];
            v = q->v[best];
        }
        g->log_lr[b] = log(q->run[0]->lr) + u;
        g->log_batch[b] = log(q->run[0]->batch) + v;
    }
}

/* The best run: its replicates are all itself. */
static void take_best(const struct tw_sweep *s, struct tw_sweep_group *g)
{
    const struct tw_sweep_run *best = &s->run[g->best];

    g->lr = best->lr;
    g->batch = best->batch;
    g->loss = best->loss;
    for (size_t b = 0; b < s->opts.bootstrap; b++) {
        g->log_lr[b] = log(best->lr);
        g->log_batch[b] = log(best->batch);
    }
}

static void fit_group(const struct tw_sweep *s, struct tw_sweep_group *g, struct near *q,
                      double *residual)
{
    struct tw_least fit;
    double u, v, loss;

    take_best(s, g);
    g->how = TW_SWEEP_FEW;
    if (q->n <= q->k || !solve(q, q->loss, &fit))
        return;
    g->used = q->n;
    g->rms = sqrt(fit.rss / (double)q->n);
    q->spread = sqrt((double)q->n / (double)(q->n - q->k));
    g->how = TW_SWEEP_NO_MINIMUM;
    memcpy(residual, q->y, q->n * sizeof *residual);
    for (size_t i = 0; i < q->n; i++)
        q->fit[i] = q->loss[i] - residual[i];
    if (minimum(q, fit.coef, &u, &v, &loss)) {
        g->how = TW_SWEEP_QUADRATIC;
        g->lr = q->run[0]->lr * exp(u);
        g->batch = q->run[0]->batch * exp(v);
        g->loss = loss;
    }
    replicate(s, g, q, residual);
}

bool tw_sweep_optimum(const struct tw_sweep *s, struct tw_sweep_group *g)
{
    const struct tw_sweep_run *run = s->run + g->first;
    double *room = tw_alloc(g->n, 12 * sizeof *room);
    struct near q = { .run = tw_alloc(g->n, sizeof *q.run) };
    const bool ok = room && q.run;
    bool one_batch = true;

    if (ok) {
        q.u = room;
        q.v = room + g->n;
        q.loss = room + 2 * g->n;
        q.y = room + 3 * g->n;
        q.fit = room + 4 * g->n;
        q.x = room + 6 * g->n;
        for (size_t i = 1; i < g->n; i++)
            one_batch = one_batch && tw_sweep_alike(run[i].batch, run[0].batch);
        choose(s, g, one_batch, &q);
        fit_group(s, g, &q, room + 5 * g->n);
    }
    free(room);
    free(q.run);
    return ok;
}
