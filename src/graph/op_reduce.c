/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sums, means, products, extremes along axes; the place of the largest. */
#include <math.h>

#include "ir.h"

static void scale_plane(const struct tw_run *r, size_t n, double s, void *y)
{
    tw_alg_scale(r, n, s, &(struct tw_planes){ .p = { y }, .lanes = r->lanes });
}

static double start_of(enum tw_binary f)
{
    return f == TW_B_MUL ? 1.0 : f == TW_B_MAX ? -HUGE_VAL : f == TW_B_MIN ? HUGE_VAL : 0.0;
}

/* Which inputs are the extreme, shared out if there are several: as torch's amax has it. */
static void share(const struct tw_run *r, const struct tw_instr *in, void *mask, void *count)
{
    const struct tw_reduce_data *d = in->data;
    struct tw_loop l = d->loop, c = d->loop, q = d->loop;
    size_t m = tw_val_of(r, in->out[0])->n;

    for (int i = 0; i < l.nd; i++) {
        l.sb[i] = d->loop.sy[i];
        l.sy[i] = q.sy[i] = q.sa[i] = d->loop.sa[i];
        q.sb[i] = d->loop.sy[i];
    }
    r->k->binary(TW_B_EQ, &l, r->lanes, tw_plane(r, in->in[0], 0), r->lanes,
                 tw_plane(r, in->out[0], 0), TW_SET, r->lanes, mask);
    r->k->fill(m * r->lanes, 0.0, count);
    r->k->reduce(TW_B_ADD, &c, mask, r->lanes, count);
    r->k->binary(TW_B_DIV, &q, r->lanes, mask, r->lanes, count, TW_SET, r->lanes, mask);
}

static void reduce_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_reduce_data *d = in->data;
    size_t n = tw_val_of(r, in->in[0])->n, m = tw_val_of(r, in->out[0])->n;
    bool shared = false;

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        const void *x = tw_plane(r, in->in[0], p);
        void *y = tw_plane(r, in->out[0], p);

        if (!y)
            continue;
        r->k->fill(m * r->lanes, p ? 0.0 : start_of(d->f), y);
        if (!x)
            continue;
        if (!p || d->f == TW_B_ADD) {
            r->k->reduce(p ? TW_B_ADD : d->f, &d->loop, x, r->lanes, y);
            if (d->mean)
                scale_plane(r, m, 1.0 / (double)d->count, y);
        } else {
            void *mask = r->scratch, *part = tw_at(r, mask, (long)n, r->lanes);
            struct tw_loop flat = { .nd = 1, .n = { n }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };

            if (!shared)
                share(r, in, mask, part);
            shared = true;
            r->k->binary(TW_B_MUL, &flat, r->lanes, mask, r->lanes, x, TW_SET, r->lanes, part);
            r->k->reduce(TW_B_ADD, &d->loop, part, r->lanes, y);
        }
    }
}

static size_t reduce_scratch(const struct tw_graph *g, const struct tw_instr *in,
                             const struct tw_alg *alg)
{
    (void)alg;
    return 2 * (g->val[in->in[0]].n + g->val[in->out[0]].n);
}

static void reduce_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_reduce_data *d = in->data;
    size_t n = tw_val_of(r, in->in[0])->n, m = tw_val_of(r, in->out[0])->n;
    struct tw_loop l = d->loop;
    struct tw_planes g, mask = { .p = { r->scratch }, .lanes = r->lanes };

    (void)number;
    if (d->f == TW_B_MUL || !tw_wants_grad(r, in->in[0]))
        return;
    for (int i = 0; i < l.nd; i++) {
        l.sa[i] = d->loop.sy[i];
        l.sb[i] = l.sy[i] = d->loop.sa[i];
    }
    tw_planes_grad(r, in->out[0], &g);
    if (d->mean)
        tw_alg_scale(r, m, 1.0 / (double)d->count, &g);
    if (d->f != TW_B_ADD)
        share(r, in, r->scratch, tw_at(r, r->scratch, (long)n, r->lanes));
    tw_alg_into(r, &l, &g, d->f == TW_B_ADD ? NULL : &mask, in->in[0]);
}

const struct tw_op tw_op_reduce = {
    .name = "reduce", .forward = reduce_forward, .vjp = reduce_vjp, .scratch = reduce_scratch
};

static void argmax_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_argmax_data *d = in->data;

    (void)number;
    r->k->argmax(d->min, d->last, d->outer, d->n, d->inner, r->lanes, tw_plane(r, in->in[0], 0),
                 tw_plane(r, in->out[0], 0));
}

const struct tw_op tw_op_argmax = { .name = "argmax", .forward = argmax_forward };
