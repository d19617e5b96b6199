/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The best schedule. Seen as falls d_i of the rate after the peak it is a point of a polytope,
 *
 *     0 <= d_i <= (peak - floor) / fall,   sum_i d_i <= peak - floor,
 *
 * whose corners have their falls at `fall` steps (one step, if a fall may be abrupt). From the
 * gradient at a point the best corner is read off, and with it the gap of Frank & Wolfe 1956.
 * Abrupt falls: known schedules cut into stairs are improved (stairs.c), then the corner's
 * step is added to the best and all falls are fitted anew, until the gap is closed or nothing
 * is gained. Limited falls: from the stairs that the rate can follow, projected gradients over
 * all steps (descend.c).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "stairs.h"

#define CLOSED 1e-11 /* a gap that counts as none */

double tw_law_final(const struct tw_law *law, const double *theta, enum tw_warmup warmup,
                    const double *lr, size_t n, size_t warm_end, double *grad)
{
    const struct tw_law_stairs s = { .n = n, .warm_end = warm_end, .lr = lr };

    return law->final(theta, &s, warmup, grad);
}

bool tw_law_rewards_idling(const struct tw_law *law, const double *theta, enum tw_warmup warmup,
                           double peak, size_t n)
{
    double *lr = tw_alloc(n + 1, sizeof *lr);
    size_t *len = tw_alloc(n + 1, sizeof *len);
    bool yes = false;

    for (size_t i = 0; lr && len && i <= n; i++) {
        lr[i] = peak * (double)(n - i) / (double)n;
        len[i] = i < n ? 1 : n / 10 + 1;
    }
    if (lr && len) {
        struct tw_law_stairs s = { .n = n, .lr = lr, .len = len };
        const double before = law->final(theta, &s, warmup, NULL);

        s.n++;
        yes = law->final(theta, &s, warmup, NULL) < before - 1e-12 * fabs(before);
    }
    free(lr);
    free(len);
    return yes;
}

/* ---- all steps ------------------------------------------------------------------------------- */

struct dense {
    const struct tw_law_best_problem *p;
    size_t m; /* falls: at the steps first + 1 .. n - 1 */
    double total, cap;
    double *lr, *grad;          /* (n) */
    double *drop, *slope, *top; /* (m) falls, dloss/dfall, scratch */
    double *room;               /* (4 m) */
};

static bool dense_init(struct dense *d, const struct tw_law_best_problem *p)
{
    const size_t n = p->n, m = n - p->first - 1;

    *d = (struct dense){ .p = p, .m = m, .total = p->rise[p->first] - p->floor };
    d->cap = d->total / (double)p->fall;
    d->lr = tw_alloc(n, 9 * sizeof *d->lr);
    if (!d->lr)
        return false;
    d->grad = d->lr + n;
    d->drop = d->grad + n;
    d->slope = d->drop + m;
    d->top = d->slope + m;
    d->room = d->top + m; /* 2 n + 7 m <= 9 n */
    memcpy(d->lr, p->rise, (p->first + 1) * sizeof *d->lr);
    return true;
}

static double by_falls(void *ctx, const double *drop, double *slope)
{
    struct dense *d = ctx;
    const struct tw_law_best_problem *p = d->p;
    double *lr = d->lr + p->first + 1, sum = 0.0, loss;

    for (size_t i = 0; i < d->m; i++)
        lr[i] = fmax(lr[i - 1] - drop[i], p->floor);
    loss = tw_law_final(p->law, p->theta, p->warmup, d->lr, p->n, p->first, slope ? d->grad : NULL);
    for (size_t i = d->m; slope && i-- > 0;) {
        sum += d->grad[p->first + 1 + i];
        slope[i] = -sum;
    }
    return loss;
}

/* d->lr is given. Its falls, their slopes and the gap; *most: the slope at or below which a
 * fall is in the best corner. */
static double gap_of(struct dense *d, double *most)
{
    const double *lr = d->lr + d->p->first + 1;
    double gap = 0.0;

    for (size_t i = 0; i < d->m; i++)
        d->drop[i] = lr[i - 1] - lr[i];
    (void)by_falls(d, d->drop, d->slope);
    memcpy(d->top, d->slope, d->m * sizeof *d->top);
    tw_sort_reals(d->top, d->m);
    *most = -INFINITY;
    for (size_t i = 0; i < d->m; i++) {
        gap += d->drop[i] * d->slope[i];
        if (i < d->p->fall && d->top[i] < 0.0) {
            gap -= d->cap * d->top[i];
            *most = d->top[i];
        }
    }
    return gap;
}

/* From falls x towards the best corner, as far as the loss falls. */
static void step_to_corner(struct dense *d, double most)
{
    double *x = d->room, *y = d->room + d->m, least = by_falls(d, d->drop, NULL);
    size_t left = d->p->fall;

    for (size_t i = 0; i < d->m; i++) {
        x[i] = left && d->slope[i] <= most ? d->cap : 0.0;
        left -= x[i] > 0.0;
    }
    for (double part = 1.0; part > 1e-12; part *= 0.7) {
        for (size_t i = 0; i < d->m; i++)
            y[i] = d->drop[i] + part * (x[i] - d->drop[i]);
        if (by_falls(d, y, NULL) < least) {
            memcpy(d->drop, y, d->m * sizeof *y);
            return;
        }
    }
}

/* Improve d->lr over all steps; returns the gap. */
static double descend(struct dense *d, struct tw_law_best *best)
{
    const struct tw_descend how = { d->m, 200, d->cap, d->total, 1e-10, by_falls, d, d->room };
    const size_t rounds = d->p->law->final_convex ? 8 : 2;
    double most, gap = gap_of(d, &most), last = INFINITY;

    for (size_t round = 0; gap > 1e-9 && round < rounds; round++) {
        double loss;

        if (round)
            step_to_corner(d, most);
        loss = tw_descend(&how, d->drop);
        (void)by_falls(d, d->drop, NULL);
        gap = gap_of(d, &most);
        best->rounds++;
        if (!(loss < last - 1e-9))
            break;
        last = loss;
    }
    return gap;
}

/* ---- stairs ---------------------------------------------------------------------------------- */

/* The share of the way from peak to floor that remains at share f of the steps. */
static double shape(size_t kind, double f)
{
    switch (kind) {
    case 0:
        return 0.5 * (1.0 + cos(3.14159265358979323846 * f));
    case 1:
        return 1.0 - f;
    default:
        return fmin(1.0, 5.0 * (1.0 - f)); /* wsd whose last fifth falls */
    }
}

/* Start k: one of three shapes on one of four grids, even or ever finer towards the end. */
static void start(const struct tw_law_best_problem *p, size_t k, struct tw_stairs *st)
{
    static const size_t sizes[] = { 16, 48, 12, 24 };
    const double total = p->rise[p->first] - p->floor, m = (double)(p->n - p->first - 1);
    const size_t grid = k / 3;
    double from = 1.0;

    st->n = 0;
    for (size_t j = 0; j < sizes[grid]; j++) {
        const double f = ((double)j + 0.5) / (double)sizes[grid];
        const double back = grid < 2 ? m * (1.0 - f) : pow(m, 1.0 - f); /* steps to the end */
        const size_t at = p->n - (size_t)fmin(fmax(ceil(back), 1.0), m);

        if (st->n && at <= st->at[st->n - 1])
            continue;
        st->at[st->n++] = at;
    }
    for (size_t j = 0; j < st->n; j++) {
        const double next = j + 1 < st->n ? (double)st->at[j + 1] : (double)p->n;
        const double mid = 0.5 * ((double)st->at[j] + next) - (double)p->first;
        const double to = j + 1 < st->n ? shape(k % 3, mid / (m + 1.0)) : 0.0;

        st->drop[j] = total * (from - to);
        from = to;
    }
}

static bool try_starts(const struct tw_law_best_problem *p, struct tw_stairs *st)
{
    bool ok = true;

#pragma omp parallel
    {
        struct tw_stairs_ws ws;
        const bool ready = tw_stairs_init(&ws, p, false);

        if (!ready) {
#pragma omp atomic write
            ok = false;
        }
#pragma omp for schedule(dynamic, 1)
        for (size_t k = 0; k < TW_LAW_BEST_STARTS; k++) {
            if (!ready)
                continue;
            start(p, k, &st[k]);
            tw_stairs_improve(&ws, &st[k]);
        }
        tw_stairs_release(&ws);
    }
    return ok;
}

/* Add a fall of nothing at this step; false if there is one or no room. */
static bool insert(struct tw_stairs *st, size_t at)
{
    size_t j = st->n;

    if (st->n == TW_STAIRS_MAX)
        return false;
    for (size_t i = 0; i < st->n; i++)
        if (st->at[i] == at)
            return false;
    for (; j > 0 && st->at[j - 1] > at; j--) {
        st->at[j] = st->at[j - 1];
        st->drop[j] = st->drop[j - 1];
    }
    st->at[j] = at;
    st->drop[j] = 0.0;
    st->n++;
    return true;
}

/* Close the gap of the best stairs; returns what remains. */
static double correct(struct tw_stairs_ws *ws, struct dense *d, struct tw_stairs *st,
                      struct tw_law_best *best)
{
    double gap, most;

    for (;; best->rounds++) {
        struct tw_stairs trial = *st;
        size_t i = 0;

        tw_stairs_rates(ws, st, d->lr);
        gap = gap_of(d, &most);
        if (gap <= CLOSED || best->rounds == 30)
            return gap;
        while (i < d->m && d->slope[i] > most)
            i++;
        if (i == d->m || !insert(&trial, d->p->first + 1 + i))
            return gap;
        tw_stairs_improve(ws, &trial);
        if (!(trial.loss < st->loss - 1e-13))
            return gap;
        *st = trial;
    }
}

/* ---- the whole ------------------------------------------------------------------------------- */

static enum tw_status check(const struct tw_law_best_problem *p, struct tw_err *err)
{
    const double peak = p->first + 1 < p->n ? p->rise[p->first] : 0.0;

    if (!p->law->final)
        return tw_err_set(err, TW_EINVAL, "the %s law cannot rank schedules", p->law->name);
    if (p->first + 1 >= p->n)
        return tw_err_set(err, TW_EINVAL, "a warm-up of %zu step%s leaves none of %zu", p->first,
                          tw_plural(p->first), p->n);
    if (!(p->floor > 0.0) || !(p->floor < peak) || !isfinite(peak))
        return tw_err_set(err, TW_EINVAL, "the floor %g is not between 0 and the peak %g", p->floor,
                          peak);
    if (p->fall == 0 || p->fall >= p->n - p->first)
        return tw_err_set(err, TW_EINVAL, "a fall of %zu step%s does not fit into %zu", p->fall,
                          tw_plural(p->fall), p->n - p->first - 1);
    return TW_OK;
}

static void summarise(const struct dense *d, struct tw_law_best *best)
{
    const size_t first = d->p->first;

    memcpy(best->lr, d->lr, d->p->n * sizeof *best->lr);
    best->global = d->p->law->final_convex;
    best->starts = TW_LAW_BEST_STARTS;
    for (size_t k = 0; k < best->starts; k++)
        best->at_best += best->start_loss[k] <= best->loss + 1e-6;
    for (size_t i = first + 1; i < d->p->n; i++)
        best->falls += best->lr[i] < best->lr[i - 1];
    best->gap = fmax(best->gap, 0.0);
}

enum tw_status tw_law_best_schedule(const struct tw_law_best_problem *p, struct tw_law_best *best,
                                    struct tw_err *err)
{
    struct tw_stairs *st = tw_alloc(TW_LAW_BEST_STARTS, sizeof *st);
    struct tw_stairs_ws ws = { 0 };
    struct dense d = { 0 };
    enum tw_status rc = check(p, err);
    size_t least = 0;

    if (rc != TW_OK)
        goto out;
    best->lr = tw_alloc(p->n, sizeof *best->lr);
    if (!st || !best->lr || !tw_stairs_init(&ws, p, true) || !dense_init(&d, p) ||
        !try_starts(p, st)) {
        rc = tw_err_set(err, TW_ENOMEM, "a schedule of %zu steps: out of memory", p->n);
        goto out;
    }
    for (size_t k = 0; k < TW_LAW_BEST_STARTS; k++) {
        best->start_loss[k] = st[k].loss = tw_stairs_loss(&ws, &st[k], NULL);
        if (st[k].loss < st[least].loss)
            least = k;
    }
    if (p->fall == 1) {
        best->gap = correct(&ws, &d, &st[least], best);
    } else {
        tw_stairs_rates(&ws, &st[least], d.lr);
        best->gap = descend(&d, best);
    }
    best->loss = tw_law_final(p->law, p->theta, p->warmup, d.lr, p->n, p->first, NULL);
    if (isfinite(best->loss))
        summarise(&d, best);
    else
        rc = tw_err_set(err, TW_EDOMAIN, "the %s law's loss is not finite", p->law->name);
out:
    tw_stairs_release(&ws);
    free(d.lr);
    free(st);
    return rc;
}

void tw_law_best_release(struct tw_law_best *best)
{
    free(best->lr);
    *best = (struct tw_law_best){ 0 };
}
