/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Softmax and normalisation of rows: one kernel for plain numbers, and the same from elementary
 * operations for any number type. */
#include "rows.h"

/* ---- softmax ----------------------------------------------------------------------------- */

/* With tangents t: y' = y (t - sum y t), and for log y: t - sum exp(y) t. */
static void softmax_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_softmax_data *d = in->data;
    struct tw_rows w = rows_of(d->outer, d->n, d->inner);
    struct tw_planes x, y, e, part, s;
    size_t used = 0;

    (void)number;
    tw_planes_of(r, in->in[0], &x);
    tw_planes_of(r, in->out[0], &y);
    r->k->softmax(d->log, d->outer, (long)(d->n * d->inner), d->n, (long)d->inner, d->inner,
                  r->lanes, x.p[0], y.p[0]);
    if (is_plain(r, in->out[0]))
        return;
    tw_planes_scratch(r, w.all, &used, &e);
    tw_planes_scratch(r, w.all, &used, &part);
    tw_planes_scratch(r, w.few, &used, &s);
    if (d->log)
        r->k->unary(TW_U_EXP, 0, 0.0, 0.0, w.all * r->lanes, y.p[0], e.p[0]);
    for (int p = 1; p < r->alg->planes; p++) {
        const void *prob = d->log ? e.p[0] : y.p[0];

        if (!y.p[p])
            continue;
        if (!x.p[p]) {
            r->k->fill(w.all * r->lanes, 0.0, y.p[p]);
            continue;
        }
        r->k->binary(TW_B_MUL, &w.full, r->lanes, prob, r->lanes, x.p[p], TW_SET, r->lanes,
                     part.p[0]);
        r->k->fill(w.few * r->lanes, 0.0, s.p[0]);
        r->k->reduce(TW_B_ADD, &w.sum, part.p[0], r->lanes, s.p[0]);
        r->k->binary(TW_B_SUB, &w.spread, r->lanes, x.p[p], r->lanes, s.p[0], TW_SET, r->lanes,
                     d->log ? y.p[p] : part.p[0]);
        if (!d->log)
            r->k->binary(TW_B_MUL, &w.full, r->lanes, y.p[0], r->lanes, part.p[0], TW_SET, r->lanes,
                         y.p[p]);
    }
}

/* gx += y (g - sum y g); for the logarithm gx += g - exp(y) sum g. */
static void softmax_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_softmax_data *d = in->data;
    struct tw_rows w = rows_of(d->outer, d->n, d->inner);
    struct tw_planes y, g, e, part, s;
    size_t used = 0;

    (void)number;
    if (!tw_wants_grad(r, in->in[0]))
        return;
    tw_planes_of(r, in->out[0], &y);
    tw_planes_grad(r, in->out[0], &g);
    tw_planes_scratch(r, w.all, &used, &e);
    tw_planes_scratch(r, w.all, &used, &part);
    tw_planes_scratch(r, w.few, &used, &s);
    if (d->log) {
        tw_alg_unary(r, TW_U_EXP, 0, 0.0, 0.0, w.all, &y, &e);
        sum_rows(r, &w, &g, &s);
        tw_alg_binary(r, TW_B_MUL, &w.spread, &e, &s, TW_SET, &part);
        tw_alg_binary(r, TW_B_SUB, &w.full, &g, &part, TW_SET, &part);
        tw_alg_into(r, &w.full, &part, NULL, in->in[0]);
    } else {
        tw_alg_binary(r, TW_B_MUL, &w.full, &y, &g, TW_SET, &part);
        sum_rows(r, &w, &part, &s);
        tw_alg_binary(r, TW_B_SUB, &w.spread, &g, &s, TW_SET, &part);
        tw_alg_into(r, &w.full, &part, &y, in->in[0]);
    }
}

static size_t softmax_scratch(const struct tw_graph *g, const struct tw_instr *in,
                              const struct tw_alg *alg)
{
    const struct tw_softmax_data *d = in->data;

    (void)g;
    return (size_t)alg->planes * (2 * d->outer * d->n * d->inner + d->outer * d->inner);
}

const struct tw_op tw_op_softmax = {
    .name = "softmax", .forward = softmax_forward, .vjp = softmax_vjp, .scratch = softmax_scratch
};

/* ---- normalisation of rows ----------------------------------------------------------------- */

/* y = (x - mean) v^(-1/2), v = mean (x - mean)^2 + eps; rms: without the mean (Ba, Kiros &
 * Hinton 2016; Zhang & Sennrich 2019). d: x - mean; q: v^(-1/2), one for each row. */
static void normal_parts(const struct tw_run *r, const struct tw_normalize_data *d,
                         const struct tw_rows *w, const struct tw_planes *x,
                         const struct tw_planes *c, const struct tw_planes *q,
                         const struct tw_planes *part)
{
    double n = (double)d->n;
    struct tw_planes v = { .lanes = r->lanes };
    struct tw_loop few = { .nd = 1, .n = { w->few }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };

    for (int p = 0; p < r->alg->planes; p++) /* the variance: behind the squares */
        v.p[p] = tw_at(r, part->p[p], (long)w->all, r->lanes);
    if (d->rms) {
        tw_alg_binary(r, TW_B_FIRST, &w->full, x, x, TW_SET, c);
    } else {
        sum_rows(r, w, x, q);
        tw_alg_scale(r, w->few, 1.0 / n, q);
        tw_alg_binary(r, TW_B_SUB, &w->spread, x, q, TW_SET, c);
    }
    tw_alg_binary(r, TW_B_MUL, &w->full, c, c, TW_SET, part);
    sum_rows(r, w, part, &v);
    tw_alg_scale(r, w->few, 1.0 / n, &v);
    {
        union tw_real eps;

        few.sb[0] = 0;
        r->k->binary(TW_B_ADD, &few, r->lanes, v.p[0], 1, tw_constant(r->k, d->eps, &eps), TW_SET,
                     r->lanes, v.p[0]);
    }
    tw_alg_unary(r, TW_U_RSQRT, 0, 0.0, 0.0, w->few, &v, q);
}

/* Rows against one number for each element of a row: a and y rows, b that. */
static struct tw_loop by_element(const struct tw_normalize_data *d)
{
    return (struct tw_loop){ .nd = 2,
                             .n = { d->rows, d->n },
                             .sa = { (long)d->n, 1 },
                             .sb = { 0, 1 },
                             .sy = { (long)d->n, 1 } };
}

static const void *uniform(const struct tw_run *r, const struct tw_instr *in, size_t i)
{
    return i < in->nin && in->in[i] >= 0 ? tw_plane(r, in->in[i], 0) : NULL;
}

/* in: x, and what each element is then multiplied with and added to, or -1. */
static void normalize_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_normalize_data *d = in->data;
    struct tw_rows w = rows_of(d->rows, d->n, 1);
    struct tw_loop l = by_element(d);
    struct tw_planes x, y, c, q, part, b;
    size_t used = 0;

    (void)number;
    tw_planes_of(r, in->in[0], &x);
    tw_planes_of(r, in->out[0], &y);
    if (is_plain(r, in->out[0])) {
        r->k->normalize(d->rms, d->rows, (long)d->n, d->n, 1, d->eps, uniform(r, in, 1),
                        uniform(r, in, 2), r->lanes, x.p[0], y.p[0], NULL);
        return;
    }
    tw_planes_scratch(r, w.all, &used, &c);
    tw_planes_scratch(r, w.few, &used, &q);
    tw_planes_scratch(r, w.all + w.few, &used, &part);
    normal_parts(r, d, &w, &x, &c, &q, &part);
    tw_alg_binary(r, TW_B_MUL, &w.spread, &c, &q, TW_SET, &y);
    if (uniform(r, in, 1)) {
        tw_planes_of(r, in->in[1], &b);
        tw_alg_binary(r, TW_B_MUL, &l, &y, &b, TW_SET, &part);
        tw_alg_binary(r, TW_B_FIRST, &w.full, &part, &part, TW_SET, &y);
    }
    if (uniform(r, in, 2)) {
        tw_planes_of(r, in->in[2], &b);
        tw_alg_binary(r, TW_B_ADD, &l, &y, &b, TW_SET, &y);
    }
}

/* gx += q (h - mean h - z mean(h z)) with z the normalised row, h = scale g; rms: without mean h.
 */
static void normalize_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_normalize_data *d = in->data;
    struct tw_rows w = rows_of(d->rows, d->n, 1);
    struct tw_loop l = by_element(d), into = l;
    struct tw_planes x, z, g, h, c, q, part, s, b;
    size_t used = 0;

    (void)number;
    tw_planes_of(r, in->in[0], &x);
    tw_planes_grad(r, in->out[0], &g);
    tw_planes_scratch(r, w.all, &used, &c);
    tw_planes_scratch(r, w.few, &used, &q);
    tw_planes_scratch(r, w.all + w.few, &used, &part);
    tw_planes_scratch(r, w.few, &used, &s);
    tw_planes_scratch(r, w.all, &used, &z);
    tw_planes_scratch(r, w.all, &used, &h);
    normal_parts(r, d, &w, &x, &c, &q, &part);
    tw_alg_binary(r, TW_B_MUL, &w.spread, &c, &q, TW_SET, &z);
    into.sb[0] = into.sa[0];
    into.sy[0] = 0;
    if (uniform(r, in, 2))
        tw_alg_into(r, &into, &g, NULL, in->in[2]);
    if (uniform(r, in, 1)) {
        tw_alg_into(r, &into, &g, &z, in->in[1]);
        tw_planes_of(r, in->in[1], &b);
        tw_alg_binary(r, TW_B_MUL, &l, &g, &b, TW_SET, &h);
    } else {
        h = g;
    }
    if (!tw_wants_grad(r, in->in[0]))
        return;
    tw_alg_binary(r, TW_B_MUL, &w.full, &h, &z, TW_SET, &part);
    sum_rows(r, &w, &part, &s);
    tw_alg_scale(r, w.few, 1.0 / (double)d->n, &s);
    tw_alg_binary(r, TW_B_MUL, &w.spread, &z, &s, TW_SET, &part);
    tw_alg_binary(r, TW_B_SUB, &w.full, &h, &part, TW_SET, &c);
    if (!d->rms) {
        sum_rows(r, &w, &h, &s);
        tw_alg_scale(r, w.few, 1.0 / (double)d->n, &s);
        tw_alg_binary(r, TW_B_SUB, &w.spread, &c, &s, TW_SET, &c);
    }
    tw_alg_into(r, &w.spread, &c, &q, in->in[0]);
}

static size_t normalize_scratch(const struct tw_graph *g, const struct tw_instr *in,
                                const struct tw_alg *alg)
{
    const struct tw_normalize_data *d = in->data;

    (void)g;
    return (size_t)alg->planes * (4 * d->rows * d->n + 3 * d->rows);
}

const struct tw_op tw_op_normalize = { .name = "normalize",
                                       .forward = normalize_forward,
                                       .vjp = normalize_vjp,
                                       .scratch = normalize_scratch };
