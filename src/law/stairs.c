/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Laws of annealing reward abrupt falls: the best schedules under them have a handful, so
 * stairs are searched directly. Each of their evaluations costs a few operations per fall
 * instead of one per step.
 */
#include "stairs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RISE = 64 }; /* stretches of a warm-up, and of a longest fall, if not exact */

static double peak_of(const struct tw_law_best_problem *p)
{
    return p->rise[p->first];
}

bool tw_stairs_init(struct tw_stairs_ws *ws, const struct tw_law_best_problem *p, bool exact)
{
    const size_t first = p->first;
    const size_t parts = p->warmup == TW_WARMUP_SKIP ? 1 : RISE;

    *ws = (struct tw_stairs_ws){ .p = p, .stride = exact ? 1 : p->fall / RISE + 1 };
    ws->nrise = exact || first < parts ? first : parts;
    ws->lr = tw_alloc(p->n, sizeof *ws->lr);
    ws->grad = tw_alloc(p->n, sizeof *ws->grad);
    ws->len = tw_alloc(p->n, sizeof *ws->len);
    if (!ws->lr || !ws->grad || !ws->len)
        return false;
    for (size_t j = 0; j < ws->nrise; j++) {
        const size_t from = first * j / ws->nrise, to = first * (j + 1) / ws->nrise;

        ws->len[j] = to - from;
        ws->lr[j] = tw_sum(p->rise + from, to - from) / (double)(to - from);
    }
    ws->s = (struct tw_law_stairs){ .warm_end = ws->nrise, .lr = ws->lr, .len = ws->len };
    return true;
}

void tw_stairs_release(struct tw_stairs_ws *ws)
{
    free(ws->lr);
    free(ws->grad);
    free(ws->len);
}

static void push(struct tw_stairs_ws *ws, double lr, size_t len)
{
    if (len == 0)
        return;
    ws->lr[ws->s.n] = lr;
    ws->len[ws->s.n++] = len;
}

/* The stretches of these stairs into ws->s. */
static void expand(struct tw_stairs_ws *ws, const struct tw_stairs *st)
{
    const struct tw_law_best_problem *p = ws->p;
    const double fastest = (peak_of(p) - p->floor) / (double)p->fall;
    double lr = peak_of(p), target = lr;
    size_t at = p->first;

    ws->s.n = ws->nrise;
    for (size_t j = 0; j <= st->n; j++) {
        const size_t next = j < st->n ? st->at[j] : p->n;

        while (p->fall > 1 && lr > target && at < next) {
            const size_t len = ws->stride < next - at ? ws->stride : next - at;

            lr = fmax(target, lr - fastest * (double)len);
            push(ws, lr, len);
            at += len;
        }
        push(ws, p->fall > 1 ? lr : target, next - at);
        at = next;
        if (j < st->n)
            target = fmax(target - st->drop[j], p->floor);
    }
}

double tw_stairs_loss(struct tw_stairs_ws *ws, const struct tw_stairs *st, double *grad)
{
    const struct tw_law_best_problem *p = ws->p;
    double loss, sum = 0.0;

    expand(ws, st);
    loss = p->law->final(p->theta, &ws->s, p->warmup, grad ? ws->grad : NULL);
    for (size_t j = st->n; grad && j-- > 0;) {
        sum += ws->grad[ws->nrise + 1 + j];
        grad[j] = -sum;
    }
    return loss;
}

void tw_stairs_rates(struct tw_stairs_ws *ws, const struct tw_stairs *st, double *lr)
{
    const struct tw_law_best_problem *p = ws->p;
    size_t at = p->first;

    memcpy(lr, p->rise, p->first * sizeof *lr);
    expand(ws, st);
    for (size_t j = ws->nrise; j < ws->s.n; j++)
        for (size_t k = 0; k < ws->len[j]; k++)
            lr[at++] = ws->lr[j];
}

/* ---- improving ------------------------------------------------------------------------------- */

struct sizes {
    struct tw_stairs_ws *ws;
    struct tw_stairs st;
};

static double by_drops(void *ctx, const double *x, double *grad)
{
    struct sizes *s = ctx;

    memcpy(s->st.drop, x, s->st.n * sizeof *x);
    return tw_stairs_loss(s->ws, &s->st, grad);
}

/* The best drops at these places. */
static void fit_drops(struct tw_stairs_ws *ws, struct tw_stairs *st, size_t iterations)
{
    const double total = peak_of(ws->p) - ws->p->floor;
    double room[4 * TW_STAIRS_MAX];
    struct sizes s = { ws, *st };
    const struct tw_descend d = { st->n, iterations, total, total, 1e-13, by_drops, &s, room };

    if (ws->p->fall == 1 && st->n > 0)
        st->loss = tw_descend(&d, st->drop);
}

static void prune(struct tw_stairs *st, double least)
{
    size_t k = 0;

    for (size_t j = 0; j < st->n; j++)
        if (st->drop[j] > least) {
            st->at[k] = st->at[j];
            st->drop[k++] = st->drop[j];
        }
    st->n = k;
}

/* Take a trial if it is better. */
static bool take(struct tw_stairs_ws *ws, struct tw_stairs *st, struct tw_stairs *trial)
{
    trial->loss = tw_stairs_loss(ws, trial, NULL);
    if (!(trial->loss < st->loss - 1e-13))
        return false;
    *st = *trial;
    return true;
}

/* Each fall h steps earlier or later. */
static bool move_places(struct tw_stairs_ws *ws, struct tw_stairs *st, size_t h)
{
    bool any = false;

    for (size_t j = 0; j < st->n; j++)
        for (int later = 0; later < 2; later++) {
            const size_t lo = j ? st->at[j - 1] + 1 : ws->p->first + 1;
            const size_t hi = j + 1 < st->n ? st->at[j + 1] - 1 : ws->p->n - 1;
            struct tw_stairs trial = *st;

            if (later ? hi - st->at[j] < h : st->at[j] - lo < h)
                continue;
            trial.at[j] = later ? st->at[j] + h : st->at[j] - h;
            any |= take(ws, st, &trial);
        }
    return any;
}

/* Each drop larger or smaller by a share h: alone, and at the cost of the next. */
static bool move_drops(struct tw_stairs_ws *ws, struct tw_stairs *st, double h)
{
    const double total = peak_of(ws->p) - ws->p->floor;
    bool any = false;

    for (size_t j = 0; j < st->n; j++)
        for (int k = 0; k < 4; k++) {
            struct tw_stairs trial = *st;
            const double d = (k & 1 ? h : -h) * st->drop[j];

            trial.drop[j] += d;
            if (k & 2) {
                if (j + 1 == st->n || st->drop[j + 1] < d)
                    continue;
                trial.drop[j + 1] -= d;
            } else if (tw_sum(trial.drop, trial.n) > total) {
                continue;
            }
            any |= take(ws, st, &trial);
        }
    return any;
}

void tw_stairs_improve(struct tw_stairs_ws *ws, struct tw_stairs *st)
{
    const double least = 1e-9 * peak_of(ws->p);
    const int rounds = ws->p->fall > 1 ? 4 : 30;
    size_t h = 1;

    st->loss = tw_stairs_loss(ws, st, NULL);
    fit_drops(ws, st, 1000);
    prune(st, least);
    while (h < ws->p->n / 32)
        h *= 2;
    for (; h > 0; h /= 2)
        for (int round = 0; round < rounds; round++) {
            bool any = move_places(ws, st, h);

            if (ws->p->fall > 1)
                any |= move_drops(ws, st, (double)h / (double)ws->p->n);
            if (!any)
                break;
            fit_drops(ws, st, 20);
        }
    fit_drops(ws, st, 500);
    prune(st, least);
    st->loss = tw_stairs_loss(ws, st, NULL);
}
