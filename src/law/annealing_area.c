/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The features of the annealing law (annealing.c):
 *
 *     S1(s) = sum_{i<=s} eta_i
 *     S2(s) = sum_{i<=s} m_i,   m_i = lambda m_{i-1} + (eta_{i-1} - eta_i),   m_0 = 0
 *
 * S1 once, S2 for each memory lambda that a search asks for.
 */
#include "annealing_area.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "law_parts.h"

/* Steps of a schedule in which the rate does not move need no recursion: a curve is a list of
 * stretches, alternately `moving` steps with their differences and `still` steps. Stretches
 * end at observed steps too. */
struct stretch {
    size_t steps;
    bool moving;
    bool observed; /* its last step is a measured point */
    bool packed;   /* the first of LANES moving stretches of equal length, interleaved */
    size_t diff;   /* of a moving stretch: its first difference */
};
enum { LANES = 8 };

struct tw_area_track {
    size_t n; /* points */
    struct stretch *st;
    size_t nst, cap;
    double *diff; /* eta_{i-1} - eta_i of the moving steps, in order */
    size_t ndiff;
    double area; /* sum of |diff|: 0 for a curve whose rate never moves */
};

void tw_area_free(void *area)
{
    struct tw_area *m = area;

    if (!m)
        return;
    for (size_t c = 0; m->tracks && c < m->ncurves; c++) {
        free(m->tracks[c].st);
        free(m->tracks[c].diff);
    }
    free(m->tracks);
    free(m->log_s1);
    free(m);
}

/* The difference that step i adds to the momentum; 0 where the convention leaves it out. */
static double difference(const struct tw_schedule *s, size_t i, enum tw_warmup warmup)
{
    if (i == 0 || (warmup == TW_WARMUP_SKIP && i <= s->warm_end))
        return 0.0;
    return s->lr[i - 1] - s->lr[i];
}

static bool add_step(struct tw_area_track *t, double d, bool observed)
{
    struct stretch *last = t->nst ? &t->st[t->nst - 1] : NULL;
    const bool moving = d != 0.0; /* exactly: a constant rate */

    if (!last || last->observed || last->moving != moving) {
        if (!tw_grow(&t->st, t->nst, &t->cap, sizeof *t->st))
            return false;
        last = &t->st[t->nst++];
        *last = (struct stretch){ .moving = moving, .diff = t->ndiff };
    }
    last->steps++;
    last->observed = observed;
    if (moving)
        t->diff[t->ndiff++] = d;
    t->area += fabs(d);
    return true;
}

static bool alike(const struct stretch *st, size_t n)
{
    if (n < LANES)
        return false;
    for (size_t k = 0; k < LANES; k++)
        if (!st[k].moving || st[k].steps != st[0].steps)
            return false;
    return true;
}

/* Loss is logged every so many steps, so most stretches are of one length: LANES of them can
 * run side by side instead of each waiting for its own last sum. Their differences are
 * interleaved, step by step. */
static bool pack(struct tw_area_track *t)
{
    double *room = tw_alloc(t->ndiff, sizeof *room);

    if (!room)
        return false;
    for (size_t i = 0; i < t->nst;) {
        struct stretch *st = &t->st[i];

        if (!alike(st, t->nst - i)) {
            i++;
            continue;
        }
        st->packed = true;
        for (size_t k = 0; k < LANES; k++)
            for (size_t j = 0; j < st->steps; j++)
                room[j * LANES + k] = t->diff[st->diff + k * st->steps + j];
        memcpy(t->diff + st->diff, room, LANES * st->steps * sizeof *room);
        i += LANES;
    }
    free(room);
    return true;
}

static enum tw_status build(struct tw_area_track *t, const struct tw_law_curve *curve,
                            enum tw_warmup warmup, double *log_s1, struct tw_err *err)
{
    const struct tw_schedule *s = curve->schedule;
    size_t last = 0, next = 0;
    double s1 = 0.0;

    t->n = curve->n;
    if (curve->n && !tw_schedule_index(s, curve->x[curve->n - 1], &last))
        return tw_law_no_step(curve, curve->x[curve->n - 1], err);
    t->diff = tw_alloc(last + 1, sizeof *t->diff);
    if (!t->diff)
        return tw_err_set(err, TW_ENOMEM, "%s: out of memory", curve->name);
    for (size_t i = 0; i <= last && next < curve->n; i++) {
        size_t at;
        bool observed;

        if (!tw_schedule_index(s, curve->x[next], &at) || at < i)
            return tw_law_no_step(curve, curve->x[next], err);
        observed = at == i;
        s1 += s->lr[i];
        if (!add_step(t, difference(s, i, warmup), observed))
            return tw_err_set(err, TW_ENOMEM, "%s: out of memory", curve->name);
        if (observed) {
            if (!(s1 > 0.0))
                return tw_law_no_rate(curve, curve->x[next], err);
            log_s1[next++] = log(s1);
        }
    }
    if (next < curve->n)
        return tw_err_set(err, TW_EINVAL, "%s: x = %.17g comes twice", curve->name, curve->x[next]);
    if (!pack(t))
        return tw_err_set(err, TW_ENOMEM, "%s: out of memory", curve->name);
    return TW_OK;
}

struct tw_area *tw_area_alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                              struct tw_err *err)
{
    struct tw_area *m = tw_alloc(1, sizeof *m);
    size_t at = 0;

    for (size_t c = 0; m && c < n; c++)
        m->n += curves[c].n;
    if (m) {
        m->tracks = tw_alloc(n, sizeof *m->tracks);
        m->log_s1 = tw_alloc(m->n, sizeof *m->log_s1);
    }
    if (!m || !m->tracks || !m->log_s1) {
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        tw_area_free(m);
        return NULL;
    }
    m->ncurves = n;
    for (size_t c = 0; c < n; c++) {
        if (build(&m->tracks[c], &curves[c], warmup, m->log_s1 + at, err) != TW_OK) {
            tw_area_free(m);
            return NULL;
        }
        m->falls = m->falls || m->tracks[c].area > 0.0;
        at += curves[c].n;
    }
    return m;
}

/* ---- S2 and its derivative in lambda -------------------------------------------------------- */

struct momentum {
    double m, s2;   /* m_i, S2 */
    double dm, ds2; /* their derivatives in lambda */
};

/* n steps with differences d. */
static void move(struct momentum *p, const double *d, size_t n, double lambda)
{
    struct momentum q = *p;

    for (size_t i = 0; i < n; i++) {
        q.dm = lambda * q.dm + q.m;
        q.m = lambda * q.m + d[i];
        q.s2 += q.m;
        q.ds2 += q.dm;
    }
    *p = q;
}

/*
 * What n steps do to a momentum that comes in, whatever their differences: lambda^n, and the
 * sums g = sum_{k=1..n} lambda^k and dg = dg/dlambda in closed form.
 */
struct passage {
    size_t n;
    double power, dpower, g, dg;
};

static struct passage passage(size_t n, double lambda)
{
    const double one_minus = 1.0 - lambda, k = (double)n;
    struct passage q = { .n = n, .power = 1.0 };

    if (n < 8 || one_minus * k < 0.05) { /* the closed form of dg would cancel */
        for (size_t i = 0; i < n; i++) {
            q.dpower = lambda * q.dpower + q.power;
            q.power *= lambda;
            q.g += q.power;
            q.dg += q.dpower;
        }
        return q;
    }
    q.power = exp(k * log1p(-one_minus));
    q.dpower = k * q.power / lambda;
    q.g = lambda * (1.0 - q.power) / one_minus;
    q.dg = (1.0 - q.power * (1.0 + k * one_minus)) / (one_minus * one_minus);
    return q;
}

/* The momentum after a passage; `own` is what its differences make of a momentum of zero. */
static void pass(struct momentum *p, const struct passage *q, const struct momentum *own)
{
    p->ds2 += q->dg * p->m + q->g * p->dm + own->ds2;
    p->s2 += q->g * p->m + own->s2;
    p->dm = q->power * p->dm + q->dpower * p->m + own->dm;
    p->m = q->power * p->m + own->m;
}

/* LANES interleaved stretches of n steps, each from a momentum of zero. */
static void move_side_by_side(struct momentum own[LANES], const double *d, size_t n, double lambda)
{
    double m[LANES] = { 0 }, s2[LANES] = { 0 }, dm[LANES] = { 0 }, ds2[LANES] = { 0 };

    for (size_t i = 0; i < n; i++, d += LANES)
        for (size_t k = 0; k < LANES; k++) {
            dm[k] = lambda * dm[k] + m[k];
            m[k] = lambda * m[k] + d[k];
            s2[k] += m[k];
            ds2[k] += dm[k];
        }
    for (size_t k = 0; k < LANES; k++)
        own[k] = (struct momentum){ m[k], s2[k], dm[k], ds2[k] };
}

static void track_s2(const struct tw_area_track *t, double lambda, double *s2, double *ds2)
{
    static const struct momentum none = { 0 };
    struct momentum p = { 0 }, own[LANES];
    struct passage q = { 0 };
    size_t lane = LANES, k = 0;

    for (size_t i = 0; i < t->nst; i++) {
        const struct stretch *st = &t->st[i];

        if (st->packed) {
            move_side_by_side(own, t->diff + st->diff, st->steps, lambda);
            lane = 0;
        }
        if (st->moving && lane == LANES) {
            move(&p, t->diff + st->diff, st->steps, lambda);
        } else {
            if (q.n != st->steps)
                q = passage(st->steps, lambda);
            pass(&p, &q, st->moving ? &own[lane++] : &none);
        }
        if (st->observed) {
            s2[k] = p.s2;
            ds2[k++] = p.ds2;
        }
    }
}

void tw_law_annealing_features(const struct tw_schedule *s, enum tw_warmup warmup, double lambda,
                               double *s1, double *s2)
{
    struct momentum p = { 0 };
    double sum = 0.0;

    for (size_t i = 0; i < s->n; i++) {
        const double d = difference(s, i, warmup);

        sum += s->lr[i];
        move(&p, &d, 1, lambda);
        if (s1)
            s1[i] = sum;
        if (s2)
            s2[i] = p.s2;
    }
}

/* ---- S2 at every point ------------------------------------------------------------------------
 */

void tw_area_memo_free(void *p)
{
    struct tw_area_memo *memo = p;

    if (memo)
        free(memo->s2);
    free(memo);
}

void *tw_area_memo_alloc(const void *area)
{
    const struct tw_area *m = area;
    struct tw_area_memo *memo = tw_alloc(1, sizeof *memo);

    if (!memo)
        return NULL;
    memo->lambda = NAN;
    memo->s2 = tw_alloc(m->n, 2 * sizeof *memo->s2);
    if (!memo->s2) {
        free(memo);
        return NULL;
    }
    memo->ds2 = memo->s2 + m->n;
    return memo;
}

void tw_area_recall(const struct tw_area *m, struct tw_area_memo *memo, double lambda)
{
    size_t k = 0;

    if (memo->lambda == lambda) // NOLINT: the same number, not a near one
        return;
    for (size_t c = 0; c < m->ncurves; c++) {
        track_s2(&m->tracks[c], lambda, memo->s2 + k, memo->ds2 + k);
        k += m->tracks[c].n;
    }
    memo->lambda = lambda;
}
