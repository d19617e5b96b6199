/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The scaling law with learning-rate annealing: Tissue, Wang, Wang 2024, arXiv:2408.11029,
 * equation (1):
 *
 *     L(s) = L0 + A S1(s)^-alpha - C S2(s)
 *     S1(s) = sum_{i<=s} eta_i
 *     S2(s) = sum_{i<=s} m_i,   m_i = lambda m_{i-1} + (eta_{i-1} - eta_i),   m_0 = 0
 *
 * Both sums need the rate eta of every step. lambda is fitted: the memory of annealing,
 * 1 / (1 - lambda) steps long.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "final.h"
#include "law_parts.h"
#include "thalweg/law.h"

enum { L0, A, ALPHA, C, LAMBDA, NPARAMS };

static const struct tw_fit_param params[NPARAMS] = {
    [L0] = { "L0", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [A] = { "A", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-3, 1e2 },
    [C] = { "C", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [LAMBDA] = { "lambda", TW_FIT_BELOW_ONE, 1e-6, 1.0 - 1e-6 },
};
static const char *const meanings[NPARAMS] = {
    [L0] = "irreducible loss (nats, or the log's unit)",
    [A] = "size of the power-law part (loss x rate-sum^alpha)",
    [ALPHA] = "exponent of the sum of learning rates",
    [C] = "gain per unit of annealing area (loss / rate)",
    [LAMBDA] = "memory of annealing: it lasts 1/(1-lambda) steps",
};

/* ---- features ----------------------------------------------------------------------------- */

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

struct track {
    size_t n;       /* points */
    double *log_s1; /* (n) */
    struct stretch *st;
    size_t nst, cap;
    double *diff; /* eta_{i-1} - eta_i of the moving steps, in order */
    size_t ndiff;
    double area; /* sum of |diff|: 0 for a curve whose rate never moves */
};

struct model {
    size_t ntracks, n;
    struct track *tracks;
};

static void model_free(void *p)
{
    struct model *m = p;

    if (!m)
        return;
    for (size_t c = 0; m->tracks && c < m->ntracks; c++) {
        free(m->tracks[c].log_s1);
        free(m->tracks[c].st);
        free(m->tracks[c].diff);
    }
    free(m->tracks);
    free(m);
}

/* The difference that step i adds to the momentum; 0 where the convention leaves it out. */
static double difference(const struct tw_schedule *s, size_t i, enum tw_warmup warmup)
{
    if (i == 0 || (warmup == TW_WARMUP_SKIP && i <= s->warm_end))
        return 0.0;
    return s->lr[i - 1] - s->lr[i];
}

static bool add_step(struct track *t, double d, bool observed)
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
static bool pack(struct track *t)
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

static enum tw_status build(struct track *t, const struct tw_law_curve *curve,
                            enum tw_warmup warmup, struct tw_err *err)
{
    const struct tw_schedule *s = curve->schedule;
    size_t last = 0, next = 0;
    double s1 = 0.0;

    t->n = curve->n;
    if (curve->n && !tw_schedule_index(s, curve->x[curve->n - 1], &last))
        return tw_law_no_step(curve, curve->x[curve->n - 1], err);
    t->log_s1 = tw_alloc(t->n, sizeof *t->log_s1);
    t->diff = tw_alloc(last + 1, sizeof *t->diff);
    if (!t->log_s1 || !t->diff)
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
            t->log_s1[next++] = log(s1);
        }
    }
    if (next < curve->n)
        return tw_err_set(err, TW_EINVAL, "%s: x = %.17g comes twice", curve->name, curve->x[next]);
    if (!pack(t))
        return tw_err_set(err, TW_ENOMEM, "%s: out of memory", curve->name);
    return TW_OK;
}

static void *model_alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    struct model *m = tw_alloc(1, sizeof *m);

    if (m)
        m->tracks = tw_alloc(n, sizeof *m->tracks);
    if (!m || !m->tracks) {
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        model_free(m);
        return NULL;
    }
    m->ntracks = n;
    for (size_t c = 0; c < n; c++) {
        if (build(&m->tracks[c], &curves[c], warmup, err) != TW_OK) {
            model_free(m);
            return NULL;
        }
        m->n += curves[c].n;
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

static void track_s2(const struct track *t, double lambda, double *s2, double *ds2)
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

/* ---- prediction ----------------------------------------------------------------------------- */

/* S2 of every point for the last lambda asked for: most steps of a search leave it alone. */
struct memo {
    double lambda;
    double *s2, *ds2; /* (n) each */
};

static void memo_free(void *p)
{
    struct memo *memo = p;

    if (memo)
        free(memo->s2);
    free(memo);
}

static void *memo_alloc(const void *model)
{
    const struct model *m = model;
    struct memo *memo = tw_alloc(1, sizeof *memo);

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

static void recall(const struct model *m, struct memo *memo, double lambda)
{
    size_t k = 0;

    if (memo->lambda == lambda) // NOLINT: the same number, not a near one
        return;
    for (size_t c = 0; c < m->ntracks; c++) {
        track_s2(&m->tracks[c], lambda, memo->s2 + k, memo->ds2 + k);
        k += m->tracks[c].n;
    }
    memo->lambda = lambda;
}

static void predict(const void *model, void *memory, const double *theta, double *y, double *jac)
{
    const struct model *m = model;
    struct memo *memo = memory;
    size_t k = 0;

    recall(m, memo, theta[LAMBDA]);
    for (size_t c = 0; c < m->ntracks; c++)
        for (size_t i = 0; i < m->tracks[c].n; i++, k++) {
            const double log_s1 = m->tracks[c].log_s1[i];
            const double power = exp(-theta[ALPHA] * log_s1);

            y[k] = theta[L0] + theta[A] * power - theta[C] * memo->s2[k];
            if (jac) {
                double *row = jac + k * NPARAMS;

                row[L0] = 1.0;
                row[A] = power;
                row[ALPHA] = -theta[A] * power * log_s1;
                row[C] = -memo->s2[k];
                row[LAMBDA] = -theta[C] * memo->ds2[k];
            }
        }
}

/* The model skips the warm-up, so that S2 counts falls of the rate alone. */
static void annealed(const void *model, void *memory, const double *theta, double *part)
{
    const struct model *m = model;
    struct memo *memo = memory;

    recall(m, memo, theta[LAMBDA]);
    for (size_t k = 0; k < m->n; k++)
        part[k] = fmax(0.0, theta[C] * memo->s2[k]);
}

/* ---- starts -----------------------------------------------------------------------------------
 */

/* For given alpha and lambda the law is linear in (L0, A, C): weighted least squares on the
 * relative error, C and L0 kept positive. The grid covers exponents and memories of every
 * published fit; for each memory the best exponent is a start. */
static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double alphas[] = { 0.15, 0.3, 0.45, 0.6, 0.8, 1.1, 1.5 };
    enum { NALPHA = sizeof alphas / sizeof alphas[0], NLAMBDA = 16 };
    const struct model *m = model;
    struct memo *memo = memo_alloc(m);
    double *power = tw_alloc(m->n, sizeof *power);
    struct tw_law_start found[NLAMBDA];
    const bool ready = memo && power;
    size_t n = 0;

    for (size_t l = 0; ready && l < NLAMBDA; l++) {
        const double lambda = 1.0 - pow(10.0, -0.5 - 4.0 * (double)l / (NLAMBDA - 1));
        struct tw_law_start best = { .objective = INFINITY };

        recall(m, memo, lambda);
        for (size_t a = 0; a < NALPHA; a++) {
            struct tw_law_start s;
            size_t k = 0;

            for (size_t c = 0; c < m->ntracks; c++)
                for (size_t i = 0; i < m->tracks[c].n; i++)
                    power[k++] = exp(-alphas[a] * m->tracks[c].log_s1[i]);
            if (!tw_law_linear_start(power, memo->s2, y, m->n, &s) || s.objective >= best.objective)
                continue;
            best = s;
            best.theta[ALPHA] = alphas[a];
            best.theta[LAMBDA] = lambda;
        }
        if (isfinite(best.objective))
            found[n++] = best;
    }
    free(power);
    memo_free(memo);
    return ready ? tw_law_best_starts(found, n, NPARAMS, theta, max) : SIZE_MAX;
}

static const char *unidentified(const void *model)
{
    const struct model *m = model;

    for (size_t c = 0; c < m->ntracks; c++)
        if (m->tracks[c].area > 0.0)
            return NULL;
    return "no curve's learning rate changes: C and lambda cannot be told from these data, and a "
           "forecast of a schedule that anneals would be a guess; add a curve that decays";
}

const struct tw_law tw_law_annealing = {
    .name = "annealing",
    .title = "scaling law with learning-rate annealing",
    .formula = "L(s) = L0 + A S1^-alpha - C S2",
    .source = "Tissue, Wang, Wang 2024, arXiv:2408.11029, eq. (1)",
    .about = "S1 is the sum of the learning rates up to step s. S2 sums a momentum m_i = lambda "
             "m_{i-1} + (eta_{i-1} - eta_i) of the falls of the rate: the area under annealing, "
             "with a memory of 1/(1-lambda) steps. Fitted on one or two schedules it forecasts "
             "others. lambda is fitted and profiled. Known limits: steps at rate zero appended to "
             "a schedule lower the predicted loss, and scaling a whole schedule up always lowers "
             "it; so compare schedules of equal length and peak.",
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .model_alloc = model_alloc,
    .model_free = model_free,
    .memo_alloc = memo_alloc,
    .memo_free = memo_free,
    .predict = predict,
    .annealed = annealed,
    .profile = 1u << ALPHA | 1u << LAMBDA,
    .starts = starts,
    .unidentified = unidentified,
    .final = tw_law_annealing_final,
    .final_convex = true,
};
