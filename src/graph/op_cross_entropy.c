/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Cross-entropy. */
#include "rows.h"

/* loss = - (1 - s) log p[y] - s mean_c log p[c] (Szegedy et al. 2016, section 7; torch's
 * convention), 0 where the target is to be ignored. Linear in log p, whose tangents are
 * t - sum p t. */

/* Of one pass: places of the targets among the logits of their row, and 1 where they count. */
struct targets {
    void *place, *counts;
};

/* Logits [outer, classes, inner]: the place of class c at position i is c * inner + i. An ignored
 * target is at place -1, where nothing is picked and nothing is put. */
static void find_targets(const struct tw_run *r, const struct tw_instr *in, struct targets *t)
{
    const struct tw_cross_entropy_data *d = in->data;
    size_t few = d->outer * d->inner, lanes = tw_lanes_of(r, in->in[1]);
    const void *y = tw_plane(r, in->in[1], 0);
    struct tw_loop l = {
        .nd = 1, .n = { few }, .sa = { 1 }, .sb = { 0 }, .sc = { 1 }, .sy = { 1 }
    };
    union tw_real c;

    r->k->binary(TW_B_MUL, &l, lanes, y, 1, tw_constant(r->k, (double)d->inner, &c), TW_SET,
                 r->lanes, t->place);
    for (size_t i = 1; i < d->inner; i++) {
        struct tw_loop at = { .nd = 1,
                              .n = { d->outer },
                              .sa = { (long)d->inner },
                              .sb = { 0 },
                              .sy = { (long)d->inner } };
        void *place = tw_at(r, t->place, (long)i, r->lanes);

        r->k->binary(TW_B_ADD, &at, r->lanes, place, 1, tw_constant(r->k, (double)i, &c), TW_SET,
                     r->lanes, place);
    }
    r->k->fill(few * r->lanes, 1.0, t->counts);
    if (!d->has_ignore)
        return;
    r->k->binary(TW_B_EQ, &l, lanes, y, 1, tw_constant(r->k, d->ignore, &c), TW_SET, r->lanes,
                 t->counts);
    r->k->unary(TW_U_NOT, 0, 0.0, 0.0, few * r->lanes, t->counts, t->counts);
    r->k->select(&l, r->lanes, t->counts, r->lanes, t->place, 1, tw_constant(r->k, -1.0, &c),
                 TW_SET, r->lanes, t->place);
}

/* One plane of the loss from that plane of log p. */
static void take_loss(const struct tw_run *r, const struct tw_cross_entropy_data *d,
                      const struct tw_rows *w, const struct targets *t, const void *logp, void *y)
{
    size_t n = w->few * r->lanes;
    struct tw_planes one = { .p = { y }, .lanes = r->lanes };
    struct tw_loop few = { .nd = 1, .n = { w->few }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };

    r->k->pick(d->outer, d->classes * d->inner, d->inner, r->lanes, t->place, logp, y);
    if (d->smoothing != 0.0) { /* (1 - s) y + s / C sum: as C (1 - s) / s y + sum, times s / C */
        double share = d->smoothing / (double)d->classes;

        tw_alg_scale(r, w->few, (1.0 - d->smoothing) / share, &one);
        r->k->reduce(TW_B_ADD, &w->sum, logp, r->lanes, y);
        tw_alg_scale(r, w->few, share, &one);
        if (d->has_ignore)
            r->k->binary(TW_B_MUL, &few, r->lanes, y, r->lanes, t->counts, TW_SET, r->lanes, y);
    }
    r->k->unary(TW_U_NEG, 0, 0.0, 0.0, n, y, y);
}

/* The tangent t of logits to that of log p: t - sum p t. */
static void log_tangent(const struct tw_run *r, const struct tw_rows *w, const void *prob,
                        const void *t, void *sum, void *out)
{
    r->k->binary(TW_B_MUL, &w->full, r->lanes, prob, r->lanes, t, TW_SET, r->lanes, out);
    r->k->fill(w->few * r->lanes, 0.0, sum);
    r->k->reduce(TW_B_ADD, &w->sum, out, r->lanes, sum);
    r->k->binary(TW_B_SUB, &w->spread, r->lanes, t, r->lanes, sum, TW_SET, r->lanes, out);
}

static void softmax_of(const struct tw_run *r, const struct tw_cross_entropy_data *d, bool log,
                       const void *x, void *y)
{
    r->k->softmax(log, d->outer, (long)(d->classes * d->inner), d->classes, (long)d->inner,
                  d->inner, r->lanes, x, y);
}

static void cross_entropy_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_cross_entropy_data *d = in->data;
    struct tw_rows w = rows_of(d->outer, d->classes, d->inner);
    struct targets t = { .place = r->scratch };
    char *sum, *logp, *prob, *part;
    struct tw_planes x, y;

    (void)number;
    t.counts = tw_at(r, t.place, (long)w.few, r->lanes);
    sum = tw_at(r, t.counts, (long)w.few, r->lanes);
    logp = tw_at(r, sum, (long)w.few, r->lanes);
    tw_planes_of(r, in->in[0], &x);
    tw_planes_of(r, in->out[0], &y);
    find_targets(r, in, &t);
    if (!d->log_probabilities)
        softmax_of(r, d, true, x.p[0], logp);
    take_loss(r, d, &w, &t, d->log_probabilities ? x.p[0] : logp, y.p[0]);
    if (is_plain(r, in->out[0]))
        return;
    prob = tw_at(r, logp, (long)w.all, r->lanes);
    part = tw_at(r, prob, (long)w.all, r->lanes);
    if (!d->log_probabilities)
        r->k->unary(TW_U_EXP, 0, 0.0, 0.0, w.all * r->lanes, logp, prob);
    for (int p = 1; p < r->alg->planes; p++) {
        if (!y.p[p])
            continue;
        if (!x.p[p]) {
            r->k->fill(w.few * r->lanes, 0.0, y.p[p]);
            continue;
        }
        if (!d->log_probabilities)
            log_tangent(r, &w, prob, x.p[p], sum, part);
        take_loss(r, d, &w, &t, d->log_probabilities ? x.p[p] : part, y.p[p]);
    }
}

/* gx -= (1 - s) g at the target, and s / C g everywhere. */
static void take_targets(const struct tw_run *r, const struct tw_cross_entropy_data *d,
                         const struct tw_rows *w, const struct targets *t, void *sum,
                         const struct tw_planes *g, const struct tw_planes *gx)
{
    struct tw_loop few = { .nd = 1, .n = { w->few }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };
    struct tw_loop every = w->spread;

    for (int i = 0; i < 3; i++) {
        every.sa[i] = w->spread.sb[i];
        every.sb[i] = 0;
    }
    for (int p = 0; p < r->alg->planes; p++) {
        struct tw_planes one = { .p = { sum }, .lanes = r->lanes };

        if (!g->p[p] || !gx->p[p])
            continue;
        r->k->binary(TW_B_FIRST, &few, r->lanes, g->p[p], r->lanes, g->p[p], TW_SET, r->lanes, sum);
        tw_alg_scale(r, w->few, d->smoothing - 1.0, &one);
        r->k->unpick(d->outer, d->classes * d->inner, d->inner, r->lanes, t->place, sum, gx->p[p]);
        if (d->smoothing == 0.0)
            continue;
        r->k->binary(TW_B_FIRST, &few, r->lanes, g->p[p], r->lanes, g->p[p], TW_SET, r->lanes, sum);
        tw_alg_scale(r, w->few, d->smoothing / (double)d->classes, &one);
        r->k->binary(TW_B_FIRST, &every, r->lanes, sum, r->lanes, sum, TW_SUBTRACT, r->lanes,
                     gx->p[p]);
    }
}

/* gx += g p - (1 - s) g at the target - s / C g, with g = 0 where the target is ignored. */
static void cross_entropy_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_cross_entropy_data *d = in->data;
    struct tw_rows w = rows_of(d->outer, d->classes, d->inner);
    struct targets t = { .place = r->scratch };
    struct tw_loop few = { .nd = 1, .n = { w.few }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };
    struct tw_planes x, g, prob, gx;
    size_t used = 3 * w.few;
    void *sum;

    (void)number;
    if (!tw_wants_grad(r, in->in[0]))
        return;
    t.counts = tw_at(r, t.place, (long)w.few, r->lanes);
    sum = tw_at(r, t.counts, (long)w.few, r->lanes);
    tw_planes_of(r, in->in[0], &x);
    tw_planes_grad(r, in->out[0], &g);
    tw_planes_grad(r, in->in[0], &gx);
    find_targets(r, in, &t);
    if (d->has_ignore) /* this cotangent is not read again */
        for (int p = 0; p < r->alg->planes; p++)
            if (g.p[p])
                r->k->binary(TW_B_MUL, &few, r->lanes, g.p[p], r->lanes, t.counts, TW_SET, r->lanes,
                             g.p[p]);
    if (!d->log_probabilities) {
        tw_planes_scratch(r, w.all, &used, &prob);
        softmax_of(r, d, false, x.p[0], prob.p[0]);
        for (int p = 1; p < r->alg->planes; p++) {
            if (!x.p[p]) {
                prob.p[p] = NULL;
                continue;
            }
            log_tangent(r, &w, prob.p[0], x.p[p], sum, prob.p[p]);
            r->k->binary(TW_B_MUL, &w.full, r->lanes, prob.p[p], r->lanes, prob.p[0], TW_SET,
                         r->lanes, prob.p[p]);
        }
        tw_alg_binary(r, TW_B_MUL, &w.spread, &prob, &g, TW_ADD, &gx);
    }
    take_targets(r, d, &w, &t, sum, &g, &gx);
}

static size_t cross_entropy_scratch(const struct tw_graph *g, const struct tw_instr *in,
                                    const struct tw_alg *alg)
{
    const struct tw_cross_entropy_data *d = in->data;
    size_t all = d->outer * d->classes * d->inner, few = d->outer * d->inner;
    size_t planes = alg->planes > 1 ? (size_t)alg->planes + 2 : 1;

    (void)g;
    return planes * all + 3 * few;
}

const struct tw_op tw_op_cross_entropy = { .name = "cross-entropy",
                                           .forward = cross_entropy_forward,
                                           .vjp = cross_entropy_vjp,
                                           .scratch = cross_entropy_scratch };
