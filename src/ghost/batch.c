/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Many samples: each bounded, few solved. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "thalweg/ghost_batch.h"

struct work {
    const struct tw_ghost_samples *s;
    size_t threads;
    struct tw_ghost **g; /* one a thread */
    double *rho_a, *low, *rho, *re, *im, *spread;
    double *b[3]; /* B1, B2, B3 */
    uint8_t *open;
    const struct tw_ghost_each *each;
};

static bool set(const struct work *w, struct tw_ghost *g, size_t i)
{
    const struct tw_ghost_samples *s = w->s;

    return tw_ghost_set(g, s->classes, s->logits + i * s->classes, s->slopes + i * s->classes,
                        s->temperature, NULL) == TW_OK;
}

static void release(struct work *w)
{
    for (size_t t = 0; w->g && t < w->threads; t++)
        tw_ghost_free(w->g[t]);
    free(w->g);
    free(w->rho_a);
    free(w->low);
    free(w->rho);
    free(w->re);
    free(w->im);
    free(w->spread);
    for (size_t k = 0; k < 3; k++)
        free(w->b[k]);
    free(w->open);
}

static enum tw_status make(struct work *w, struct tw_err *err)
{
    const size_t n = w->s->n;
    bool failed;

    w->g = tw_alloc(w->threads, sizeof(struct tw_ghost *));
    w->rho_a = tw_alloc(n, sizeof *w->rho_a);
    w->low = tw_alloc(n, sizeof *w->low);
    w->rho = tw_alloc(n, sizeof *w->rho);
    w->re = tw_alloc(n, sizeof *w->re);
    w->im = tw_alloc(n, sizeof *w->im);
    w->spread = tw_alloc(n, sizeof *w->spread);
    w->open = tw_alloc(n, sizeof *w->open);
    for (size_t k = 0; k < 3; k++)
        w->b[k] = tw_alloc(n, sizeof *w->b[k]);
    failed = !w->g || !w->rho_a || !w->low || !w->rho || !w->re || !w->im || !w->spread ||
             !w->open || !w->b[0] || !w->b[1] || !w->b[2];
    for (size_t t = 0; !failed && t < w->threads; t++) {
        w->g[t] = tw_ghost_alloc(w->s->classes);
        failed = !w->g[t];
    }
    return failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : TW_OK;
}

/* ---- passes over the samples --------------------------------------------------------------- */

static enum tw_status bound_all(struct work *w, size_t first, struct tw_err *err)
{
    const struct tw_ghost_samples *s = w->s;
    size_t bad = SIZE_MAX;

#pragma omp parallel for schedule(static) num_threads((int)w->threads) reduction(min : bad)
    for (size_t i = 0; i < s->n; i++) {
        const double *z = s->logits + i * s->classes, *a = s->slopes + i * s->classes;
        struct tw_ghost *g = w->g[omp_get_thread_num()];
        struct tw_ghost_bounds b;

        if (!set(w, g, i)) {
            bad = i < bad ? i : bad;
            continue;
        }
        b = tw_ghost_bounds(g);
        w->spread[i] = b.spread;
        w->rho_a[i] = b.rho_a;
        w->low[i] = b.b1;
        w->rho[i] = w->re[i] = w->im[i] = (double)NAN;
        if (w->each && w->each->flip)
            w->each->flip[i] = tw_ghost_shift(s->classes, z, a, 0, s->temperature, 0.0).flip;
        if (w->each && w->each->variance)
            w->each->variance[i] = b.variance;
    }
    if (bad == SIZE_MAX)
        return TW_OK;
    return tw_err_ctx(err,
                      tw_ghost_set(w->g[0], s->classes, s->logits + bad * s->classes,
                                   s->slopes + bad * s->classes, s->temperature, err),
                      "sample %zu", first + bad);
}

static void solve(struct work *w, size_t i)
{
    struct tw_ghost *g = w->g[omp_get_thread_num()];
    struct tw_ghost_zero q;

    (void)set(w, g, i);
    q = tw_ghost_nearest(g);
    w->rho[i] = q.rho;
    w->re[i] = q.re;
    w->im[i] = q.im;
    w->low[i] = fmax(w->low[i], q.proof == TW_GHOST_OPEN ? q.low : q.rho);
    w->open[i] = q.proof == TW_GHOST_OPEN;
}

/* The three bounds of a sample, whatever is known of its zero. */
static void bound(struct work *w, size_t i)
{
    struct tw_ghost *g = w->g[omp_get_thread_num()];

    (void)set(w, g, i);
    w->b[0][i] = tw_ghost_bounds(g).b1;
    w->b[1][i] = hypot(tw_ghost_half_mass(g), w->rho_a[i]);
    w->b[2][i] = tw_ghost_b3(g);
}

static struct tw_ghost_nearest_of least(const double *x, size_t n)
{
    struct tw_ghost_nearest_of o = { HUGE_VAL, 0 };

    for (size_t i = 0; i < n; i++)
        if (x[i] < o.value)
            o = (struct tw_ghost_nearest_of){ x[i], i };
    return o;
}

/* The zero under the least bound is an upper limit of the least zero: what lies above it, and above
 * `reach`, need not be solved. */
static void solve_some(struct work *w, double reach)
{
    const size_t n = w->s->n;
    const struct tw_ghost_nearest_of start = least(w->low, n);
    double limit;

    solve(w, start.at);
    limit = fmax(reach, w->rho[start.at]);
#pragma omp parallel for schedule(dynamic, 64) num_threads((int)w->threads)
    for (size_t i = 0; i < n; i++)
        if (w->low[i] < limit && isnan(w->rho[i])) {
            struct tw_ghost *g = w->g[omp_get_thread_num()];

            (void)set(w, g, i);
            w->low[i] = fmax(w->low[i], tw_ghost_b3(g));
            if (w->low[i] < limit)
                solve(w, i);
        }
}

static void hand_over(const struct work *w)
{
    const struct tw_ghost_each *e = w->each;

    for (size_t i = 0; e && i < w->s->n; i++) {
        if (e->rho_a)
            e->rho_a[i] = w->rho_a[i];
        if (e->low)
            e->low[i] = w->low[i];
        if (e->rho)
            e->rho[i] = w->rho[i];
        if (e->re)
            e->re[i] = w->re[i];
        if (e->im)
            e->im[i] = w->im[i];
    }
}

enum tw_status tw_ghost_batch(const struct tw_ghost_samples *s, enum tw_ghost_exact exact,
                              double reach, size_t threads, size_t first,
                              const struct tw_ghost_each *each, struct tw_ghost_batch *out,
                              struct tw_err *err)
{
    struct work w = { .s = s,
                      .threads = threads ? threads : (size_t)omp_get_max_threads(),
                      .each = each };
    enum tw_status rc = make(&w, err);

    *out = (struct tw_ghost_batch){ 0 };
    if (rc == TW_OK)
        rc = bound_all(&w, first, err);
    if (rc == TW_OK) {
        if (exact == TW_GHOST_NEAREST && s->n)
            solve_some(&w, reach);
#pragma omp parallel for schedule(dynamic, 64) num_threads((int)w.threads)
        for (size_t i = 0; i < (exact == TW_GHOST_ALL ? s->n : 0); i++) {
            bound(&w, i);
            solve(&w, i);
        }
        hand_over(&w);
        out->rho_a = least(w.rho_a, s->n);
        out->low = least(w.low, s->n);
        out->rho = least(w.rho, s->n);
        out->b1 = least(w.b[0], exact == TW_GHOST_ALL ? s->n : 0);
        out->b2 = least(w.b[1], exact == TW_GHOST_ALL ? s->n : 0);
        out->b3 = least(w.b[2], exact == TW_GHOST_ALL ? s->n : 0);
        if (exact != TW_GHOST_ALL)
            out->b1.value = out->b2.value = out->b3.value = (double)NAN;
        for (size_t i = 0; i < s->n; i++) {
            out->spread = fmax(out->spread, w.spread[i]);
            out->solved += isnan(w.rho[i]) ? 0u : 1u;
            out->open += w.open[i];
        }
        if (exact == TW_GHOST_BOUNDS)
            out->rho.value = (double)NAN;
    }
    release(&w);
    return rc;
}

static void keep(struct tw_ghost_nearest_of *all, const struct tw_ghost_nearest_of *part,
                 size_t first)
{
    if (part->value < all->value || (first == 0 && !(part->value >= all->value)))
        *all = (struct tw_ghost_nearest_of){ part->value, part->at + first };
}

void tw_ghost_batch_add(struct tw_ghost_batch *all, const struct tw_ghost_batch *part, size_t first)
{
    if (first == 0) {
        *all = *part;
        return;
    }
    all->spread = fmax(all->spread, part->spread);
    keep(&all->rho_a, &part->rho_a, first);
    keep(&all->low, &part->low, first);
    keep(&all->b1, &part->b1, first);
    keep(&all->b2, &part->b2, first);
    keep(&all->b3, &part->b3, first);
    keep(&all->rho, &part->rho, first);
    all->solved += part->solved;
    all->open += part->open;
}

/* ---- mini-batches -------------------------------------------------------------------------- */

enum tw_status tw_ghost_mini_batches(size_t n, const double *radius, size_t size, size_t times,
                                     uint64_t seed, double *out, struct tw_err *err)
{
    size_t *order = tw_alloc(n, sizeof *order);

    if (!order)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t t = 0; t < times; t++) {
        struct tw_rng rng = tw_rng_stream(seed, TW_RNG_GHOST_BATCH, t);

        out[t] = HUGE_VAL;
        for (size_t i = 0; i < size && i < n; i++) { /* Fisher and Yates, as far as needed */
            const size_t k = i + tw_rng_below(&rng, n - i), swap = order[k];

            order[k] = order[i];
            order[i] = swap;
            out[t] = fmin(out[t], radius[swap]);
        }
    }
    free(order);
    return TW_OK;
}
