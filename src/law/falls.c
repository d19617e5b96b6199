/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "falls.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "law_parts.h"

enum { NODES = TW_FALL_NODES };

static const double tolerances[] = { 1e-10, 1e-7 }; /* the second where rates are rounded */
static const size_t budget = 1u << 16;              /* blocks over all points before it is tried */
static const double lebesgue_limit = 50.0;          /* a larger norm: the nodes lie badly */
static const double width = 0.5; /* of a block in S: how far off its points are */

/* The changes of a rate, in order. */
struct change {
    size_t step;
    double fall, log_rate, before;
};

struct block {
    size_t begin, end; /* changes */
    size_t half[2];    /* blocks; 0 in a leaf (block 0 is nobody's half) */
    bool rule;
    size_t n; /* nodes */
    size_t node[NODES];
    double weight[NODES];
    unsigned number; /* among those used, from 1; 0: not used yet */
};

struct tree {
    const struct change *change;
    struct block *block;
    size_t n, cap;
    size_t warm_end; /* changes of the warm-up */
    double tolerance;
};

/* ---- changes and points --------------------------------------------------------------------- */

/* Fills f->s1, at (n steps of the points) and change (as many as steps); *count of them. */
static enum tw_status scan(struct tw_falls *f, const struct tw_law_curve *c, enum tw_warmup warmup,
                           size_t *at, struct change *change, size_t *count, struct tw_err *err)
{
    const struct tw_schedule *s = c->schedule;
    size_t next = 0;
    double sum = 0.0;

    *count = 0;
    for (size_t i = 0; i < c->n; i++)
        if (!tw_schedule_index(s, c->x[i], &at[i]) || (i && at[i] < at[i - 1]))
            return tw_law_no_step(c, c->x[i], err);
    for (size_t k = 0; next < c->n && k < s->n; k++) {
        const bool counts = k && (k > s->warm_end || warmup == TW_WARMUP_KEEP);
        const double fall = counts ? s->lr[k - 1] - s->lr[k] : 0.0;

        if (fall != 0.0) { /* exactly: a constant rate */
            change[(*count)++] = (struct change){ k, fall, log(fmax(s->lr[k], DBL_MIN)), sum };
            if (k > s->warm_end)
                f->moved += fabs(fall);
        }
        sum += s->lr[k];
        for (; next < c->n && at[next] == k; next++)
            f->s1[next] = sum;
    }
    if (c->n && !(f->s1[0] > 0.0))
        return tw_law_no_rate(c, c->x[0], err);
    return TW_OK;
}

/* ---- blocks -----------------------------------------------------------------------------------
 */

/* NODES different changes of a block, near the Chebyshev points of its order. */
static void choose_nodes(struct block *b)
{
    const size_t n = b->end - b->begin;

    for (size_t j = 0; j < NODES; j++) {
        const double c = cos(3.14159265358979323846 * ((double)j + 0.5) / NODES);

        b->node[j] = (size_t)floor(0.5 * (1.0 - c) * (double)(n - 1) + 0.5);
        if (j && b->node[j] <= b->node[j - 1])
            b->node[j] = b->node[j - 1] + 1;
    }
    for (size_t j = NODES, last = n - 1; j-- > 0; last = b->node[j] - 1) {
        if (b->node[j] > last)
            b->node[j] = last;
        if (j == 0)
            break;
    }
    for (size_t j = 0; j < NODES; j++)
        b->node[j] += b->begin;
    b->n = NODES;
}

/* Barycentric weights of the nodes' steps, in units of a quarter of their span (so that they
 * neither overflow nor vanish). */
static void barycentric(const struct tree *t, const struct block *b, double *w)
{
    const double first = (double)t->change[b->node[0]].step;
    const double unit = 0.25 * ((double)t->change[b->node[NODES - 1]].step - first);

    for (size_t j = 0; j < NODES; j++) {
        w[j] = 1.0;
        for (size_t i = 0; i < NODES; i++)
            if (i != j)
                w[j] *= unit /
                        ((double)t->change[b->node[j]].step - (double)t->change[b->node[i]].step);
    }
}

/* The values at change k of the polynomials that are 1 at one node and 0 at the others. */
static void cardinal(const struct tree *t, const struct block *b, const double *w, size_t k,
                     double *out)
{
    double sum = 0.0;

    for (size_t j = 0; j < NODES; j++)
        if (b->node[j] == k) {
            memset(out, 0, NODES * sizeof *out);
            out[j] = 1.0;
            return;
        }
    for (size_t j = 0; j < NODES; j++) {
        out[j] = w[j] / ((double)t->change[k].step - (double)t->change[b->node[j]].step);
        sum += out[j];
    }
    for (size_t j = 0; j < NODES; j++)
        out[j] /= sum;
}

/* A rule for block b from those of its halves; false if b is not smooth. */
static bool join(const struct tree *t, struct block *b)
{
    double w[NODES], value[NODES];

    choose_nodes(b);
    barycentric(t, b, w);
    memset(b->weight, 0, sizeof b->weight);
    for (int h = 0; h < 2; h++) {
        const struct block *half = &t->block[b->half[h]];

        for (size_t i = 0; i < half->n; i++) {
            double rate = 0.0, size = 0.0;

            cardinal(t, b, w, half->node[i], value);
            for (size_t j = 0; j < NODES; j++) {
                b->weight[j] += half->weight[i] * value[j];
                rate += value[j] * t->change[b->node[j]].log_rate;
                size += fabs(value[j]);
            }
            rate -= t->change[half->node[i]].log_rate;
            if (!(fabs(rate) <= t->tolerance) || size > lebesgue_limit)
                return false;
        }
    }
    return true;
}

/* Where to halve: where the rate rested long, at the end of the warm-up, or in the middle, such
 * that leaves are full. */
static size_t split(const struct tree *t, size_t begin, size_t end)
{
    const struct change *change = t->change;
    const size_t span = change[end - 1].step - change[begin].step, leaves = (end - begin) / NODES;
    size_t widest = begin + 1;

    for (size_t i = begin + 1; i < end; i++)
        if (change[i].step - change[i - 1].step > change[widest].step - change[widest - 1].step)
            widest = i;
    if (change[widest].step - change[widest - 1].step > span / 8)
        return widest;
    if (t->warm_end > begin && t->warm_end < end)
        return t->warm_end;
    return begin + (leaves + 1) / 2 * NODES;
}

/* Blocks of changes begin .. end; *index of the whole. False when out of memory. */
static bool grow(struct tree *t, size_t begin, size_t end, size_t *index)
{
    struct block b = { .begin = begin, .end = end };
    const size_t self = t->n;

    if (!tw_grow(&t->block, t->n, &t->cap, sizeof *t->block))
        return false;
    t->n++;
    if (end - begin <= NODES) {
        b.rule = true;
        for (; b.n < end - begin; b.n++) {
            b.node[b.n] = begin + b.n;
            b.weight[b.n] = t->change[begin + b.n].fall;
        }
    } else {
        const size_t middle = split(t, begin, end);

        if (!grow(t, begin, middle, &b.half[0]) || !grow(t, middle, end, &b.half[1]))
            return false;
        b.rule = t->block[b.half[0]].rule && t->block[b.half[1]].rule && join(t, &b);
    }
    t->block[self] = b;
    *index = self;
    return true;
}

/* ---- which blocks serve a point ---------------------------------------------------------------
 */

struct list {
    unsigned *v;
    size_t n, cap;
    unsigned used;
};

static bool serve(struct tree *t, size_t index, size_t at, double s1, struct list *out)
{
    struct block *b = &t->block[index];
    const struct change *first = &t->change[b->begin], *last = &t->change[b->end - 1];
    const bool leaf = b->end - b->begin <= NODES;

    if (first->step > at)
        return true;
    if (!leaf &&
        (!b->rule || last->step > at || s1 - last->before < width * (last->before - first->before)))
        return serve(t, b->half[0], at, s1, out) && serve(t, b->half[1], at, s1, out);
    if (!tw_grow(&out->v, out->n, &out->cap, sizeof *out->v))
        return false;
    if (!b->number)
        b->number = ++out->used;
    out->v[out->n++] = b->number - 1;
    return true;
}

static void free_blocks(struct tw_falls *f)
{
    free(f->before);
    free(f->log_rate);
    free(f->weight);
    free(f->block);
    f->before = f->log_rate = f->weight = NULL;
    f->block = NULL;
}

static bool copy_nodes(struct tw_falls *f, const struct tree *t, size_t used)
{
    f->nblocks = used;
    f->before = tw_alloc(used + 1, NODES * sizeof *f->before);
    f->log_rate = tw_alloc(used + 1, NODES * sizeof *f->log_rate);
    f->weight = tw_alloc(used + 1, NODES * sizeof *f->weight);
    if (!f->before || !f->log_rate || !f->weight)
        return false;
    for (size_t i = 0; i < t->n; i++) {
        const struct block *b = &t->block[i];

        for (size_t j = 0; b->number && j < b->n; j++) {
            const size_t k = (b->number - 1) * NODES + j;

            f->before[k] = t->change[b->node[j]].before;
            f->log_rate[k] = t->change[b->node[j]].log_rate;
            f->weight[k] = b->weight[j];
        }
    }
    return true;
}

static bool plan(struct tw_falls *f, const struct change *change, size_t nchange, size_t warm,
                 const size_t *at, double tolerance, bool *dear)
{
    struct tree t = { .change = change, .warm_end = warm, .tolerance = tolerance };
    struct list list = { 0 };
    size_t root;
    bool ok = !nchange || grow(&t, 0, nchange, &root);

    for (size_t i = 0; ok && i < f->n; i++) {
        f->first[i] = list.n;
        ok = !nchange || serve(&t, 0, at[i], f->s1[i], &list);
    }
    f->first[f->n] = list.n;
    *dear = list.n > budget;
    free_blocks(f);
    f->block = list.v;
    ok = ok && copy_nodes(f, &t, list.used);
    free(t.block);
    return ok;
}

enum tw_status tw_falls_init(struct tw_falls *f, const struct tw_law_curve *curve,
                             enum tw_warmup warmup, struct tw_err *err)
{
    struct change *change = tw_alloc(curve->schedule->n, sizeof *change);
    size_t *at = tw_alloc(curve->n, sizeof *at), nchange;
    enum tw_status rc = TW_OK;
    bool ok, dear = true;
    size_t warm = 0;

    f->n = curve->n;
    f->s1 = tw_alloc(curve->n, sizeof *f->s1);
    f->first = tw_alloc(curve->n + 1, sizeof *f->first);
    ok = change && at && f->s1 && f->first;
    if (ok)
        rc = scan(f, curve, warmup, at, change, &nchange, err);
    while (ok && rc == TW_OK && warm < nchange && change[warm].step <= curve->schedule->warm_end)
        warm++;
    for (size_t i = 0; ok && rc == TW_OK && dear && i < 2; i++)
        ok = plan(f, change, nchange, warm, at, tolerances[i], &dear);
    free(change);
    free(at);
    return ok ? rc : tw_err_set(err, TW_ENOMEM, "%s: out of memory", curve->name);
}

void tw_falls_release(struct tw_falls *f)
{
    free_blocks(f);
    free(f->s1);
    free(f->first);
    *f = (struct tw_falls){ 0 };
}
