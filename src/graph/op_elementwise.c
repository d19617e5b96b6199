/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Functions of one and of two numbers, and choice between two. */
#include "ir.h"

/* ---- one ------------------------------------------------------------------------------- */

static void unary_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_unary_data *d = in->data;
    struct tw_planes x, y;

    (void)number;
    tw_planes_of(r, in->in[0], &x);
    tw_planes_of(r, in->out[0], &y);
    tw_alg_unary(r, d->f, 0, d->p0, d->p1, tw_val_of(r, in->out[0])->n, &x, &y);
}

static size_t unary_scratch(const struct tw_graph *g, const struct tw_instr *in,
                            const struct tw_alg *alg)
{
    return alg->planes > 1 ? g->val[in->out[0]].n : 0;
}

/* gx += f'(x) g, where the tangents of f'(x) are f''(x) times those of x. */
static void unary_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_unary_data *d = in->data;
    size_t m = tw_val_of(r, in->out[0])->n * r->lanes;
    struct tw_loop flat = { .nd = 1, .n = { m / r->lanes }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };
    const void *x = tw_plane(r, in->in[0], 0), *g = tw_grad(r, in->out[0], 0);

    (void)number;
    if (!tw_wants_grad(r, in->in[0]) || !g)
        return;
    for (int p = 0; p < r->alg->planes; p++) {
        const void *gp = tw_grad(r, in->out[0], p), *xp = tw_plane(r, in->in[0], p);
        void *gx = tw_grad(r, in->in[0], p);

        if (gx && gp)
            r->k->unary_grad(d->f, 1, d->p0, d->p1, m, x, gp, TW_ADD, gx);
        if (gx && p && xp) {
            r->k->unary_grad(d->f, 2, d->p0, d->p1, m, x, xp, TW_SET, r->scratch);
            r->k->binary(TW_B_MUL, &flat, r->lanes, r->scratch, r->lanes, g, TW_ADD, r->lanes, gx);
        }
    }
}

const struct tw_op tw_op_unary = {
    .name = "unary", .forward = unary_forward, .vjp = unary_vjp, .scratch = unary_scratch
};

/* ---- two ------------------------------------------------------------------------------- */

/* Values are made from plain numbers alone where no derivative exists or none is defined here. */
static bool is_bilinear(enum tw_binary f)
{
    return f == TW_B_ADD || f == TW_B_SUB || f == TW_B_MUL || f == TW_B_FIRST;
}

static struct tw_loop swap_ab(const struct tw_loop *l)
{
    struct tw_loop s = *l;

    for (int i = 0; i < l->nd; i++) {
        s.sa[i] = l->sb[i];
        s.sb[i] = l->sa[i];
    }
    return s;
}

/* Where a wins, for max and min; half where they are equal, as torch's maximum has it. */
static void winner(const struct tw_run *r, const struct tw_instr *in, void *mask)
{
    const struct tw_binary_data *d = in->data;
    struct tw_planes a, b;

    tw_planes_of(r, in->in[0], &a);
    tw_planes_of(r, in->in[1], &b);
    r->k->binary(d->f == TW_B_MAX ? TW_B_GT : TW_B_LT, &d->loop, a.lanes, a.p[0], b.lanes, b.p[0],
                 TW_SET, r->lanes, mask);
    r->k->binary(d->f == TW_B_MAX ? TW_B_GE : TW_B_LE, &d->loop, a.lanes, a.p[0], b.lanes, b.p[0],
                 TW_ADD, r->lanes, mask);
    tw_alg_scale(r, tw_val_of(r, in->out[0])->n, 0.5,
                 &(struct tw_planes){ .p = { mask }, .lanes = r->lanes });
}

static struct tw_loop with_y_as_a(const struct tw_loop *l, bool b_is_b)
{
    struct tw_loop s = *l;

    for (int i = 0; i < l->nd; i++) {
        s.sa[i] = l->sy[i];
        s.sb[i] = b_is_b ? l->sb[i] : l->sa[i];
    }
    return s;
}

static void max_forward(const struct tw_run *r, const struct tw_instr *in)
{
    const struct tw_binary_data *d = in->data;
    struct tw_loop la = with_y_as_a(&d->loop, false), lb = with_y_as_a(&d->loop, true);
    bool any = false;

    for (int p = 1; p < r->alg->planes; p++)
        any = any || tw_plane(r, in->out[0], p);
    if (!any)
        return;
    winner(r, in, r->scratch);
    for (int p = 1; p < r->alg->planes; p++) {
        void *y = tw_plane(r, in->out[0], p);
        const void *a = tw_plane(r, in->in[0], p), *b = tw_plane(r, in->in[1], p);
        size_t al = tw_lanes_of(r, in->in[0]), bl = tw_lanes_of(r, in->in[1]);
        struct tw_loop lc = swap_ab(&d->loop);

        if (!y)
            continue;
        r->k->fill(tw_val_of(r, in->out[0])->n * r->lanes, 0.0, y);
        if (a)
            r->k->binary(TW_B_MUL, &la, r->lanes, r->scratch, al, a, TW_ADD, r->lanes, y);
        if (b) { /* (1 - mask) b */
            r->k->binary(TW_B_FIRST, &lc, bl, b, bl, b, TW_ADD, r->lanes, y);
            r->k->binary(TW_B_MUL, &lb, r->lanes, r->scratch, bl, b, TW_SUBTRACT, r->lanes, y);
        }
    }
}

static void binary_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_binary_data *d = in->data;
    struct tw_planes a, b, y;

    (void)number;
    tw_planes_of(r, in->in[0], &a);
    tw_planes_of(r, in->in[1], &b);
    tw_planes_of(r, in->out[0], &y);
    if (is_bilinear(d->f)) {
        tw_alg_binary(r, d->f, &d->loop, &a, &b, TW_SET, &y);
        return;
    }
    r->k->binary(d->f, &d->loop, a.lanes, a.p[0], b.lanes, b.p[0], TW_SET, y.lanes, y.p[0]);
    if (d->f == TW_B_MAX || d->f == TW_B_MIN)
        max_forward(r, in);
}

static size_t binary_scratch(const struct tw_graph *g, const struct tw_instr *in,
                             const struct tw_alg *alg)
{
    const struct tw_binary_data *d = in->data;

    (void)alg;
    return d->f == TW_B_MAX || d->f == TW_B_MIN ? 2 * g->val[in->out[0]].n : 0;
}

/* From the loop of y = a op b: reading the cotangent where y was, and the other factor, writing
 * where a was. */
static struct tw_loop back(const struct tw_loop *l, bool to_a)
{
    struct tw_loop s = *l;

    for (int i = 0; i < l->nd; i++) {
        s.sa[i] = l->sy[i];
        s.sb[i] = to_a ? l->sb[i] : l->sa[i];
        s.sy[i] = to_a ? l->sa[i] : l->sb[i];
    }
    return s;
}

static void max_vjp(const struct tw_run *r, const struct tw_instr *in, const struct tw_planes *g)
{
    const struct tw_binary_data *d = in->data;
    size_t n = tw_val_of(r, in->out[0])->n;
    struct tw_planes mask = { .p = { r->scratch }, .lanes = r->lanes };
    struct tw_loop flat = { .nd = 1, .n = { n }, .sa = { 1 }, .sb = { 1 }, .sy = { 1 } };
    void *part = tw_at(r, r->scratch, (long)n, r->lanes);

    winner(r, in, r->scratch);
    for (int side = 0; side < 2; side++) {
        struct tw_loop l = back(&d->loop, side == 0);

        for (int p = 0; p < r->alg->planes; p++) {
            struct tw_planes one = { .lanes = r->lanes };

            if (!g->p[p])
                continue;
            r->k->binary(TW_B_MUL, &flat, r->lanes, mask.p[0], r->lanes, g->p[p], TW_SET, r->lanes,
                         part);
            if (side) {
                r->k->binary(TW_B_SUB, &flat, r->lanes, g->p[p], r->lanes, part, TW_SET, r->lanes,
                             part);
            }
            one.p[p] = part;
            tw_alg_into(r, &l, &one, NULL, in->in[side]);
        }
    }
}

static void binary_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_binary_data *d = in->data;
    struct tw_planes g, a, b;
    struct tw_loop la = back(&d->loop, true), lb = back(&d->loop, false);

    (void)number;
    tw_planes_grad(r, in->out[0], &g);
    tw_planes_of(r, in->in[0], &a);
    tw_planes_of(r, in->in[1], &b);
    switch (d->f) {
    case TW_B_ADD:
    case TW_B_FIRST:
        tw_alg_into(r, &la, &g, NULL, in->in[0]);
        if (d->f == TW_B_ADD)
            tw_alg_into(r, &lb, &g, NULL, in->in[1]);
        break;
    case TW_B_SUB:
        tw_alg_into(r, &la, &g, NULL, in->in[0]);
        if (tw_wants_grad(r, in->in[1])) {
            size_t n = tw_val_of(r, in->out[0])->n;

            /* The cotangent of y is not read again: turn its sign in place. */
            tw_alg_scale(r, n, -1.0, &g);
            tw_alg_into(r, &lb, &g, NULL, in->in[1]);
        }
        break;
    case TW_B_MUL:
        tw_alg_into(r, &la, &g, &b, in->in[0]);
        tw_alg_into(r, &lb, &g, &a, in->in[1]);
        break;
    case TW_B_MAX:
    case TW_B_MIN:
        max_vjp(r, in, &g);
        break;
    default:
        break;
    }
}

const struct tw_op tw_op_binary = {
    .name = "binary", .forward = binary_forward, .vjp = binary_vjp, .scratch = binary_scratch
};

/* ---- choice ------------------------------------------------------------------------------ */

static void select_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_loop *l = &((const struct tw_binary_data *)in->data)->loop;
    static const double zero;

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        struct tw_loop m = *l;
        const void *a = tw_plane(r, in->in[1], p), *b = tw_plane(r, in->in[2], p);
        size_t al = tw_lanes_of(r, in->in[1]), bl = tw_lanes_of(r, in->in[2]);

        if (!tw_plane(r, in->out[0], p))
            continue;
        for (int i = 0; i < m.nd; i++) {
            m.sa[i] = a ? m.sa[i] : 0;
            m.sb[i] = b ? m.sb[i] : 0;
        }
        r->k->select(&m, tw_lanes_of(r, in->in[0]), tw_plane(r, in->in[0], 0), a ? al : 1,
                     a ? a : &zero, b ? bl : 1, b ? b : &zero, TW_SET, r->lanes,
                     tw_plane(r, in->out[0], p));
    }
}

static size_t select_scratch(const struct tw_graph *g, const struct tw_instr *in,
                             const struct tw_alg *alg)
{
    (void)alg;
    return g->val[in->out[0]].n;
}

static void select_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_loop *l = &((const struct tw_binary_data *)in->data)->loop;
    static const double zero;

    (void)number;
    for (int side = 1; side <= 2; side++) {
        struct tw_loop m = *l, to = *l;

        if (!tw_wants_grad(r, in->in[side]))
            continue;
        for (int i = 0; i < l->nd; i++) {
            m.sa[i] = side == 1 ? l->sy[i] : 0;
            m.sb[i] = side == 2 ? l->sy[i] : 0;
            to.sa[i] = l->sy[i];
            to.sy[i] = side == 1 ? l->sa[i] : l->sb[i];
        }
        for (int p = 0; p < r->alg->planes; p++) {
            const void *g = tw_grad(r, in->out[0], p);
            struct tw_planes one = { .lanes = r->lanes };

            if (!g)
                continue;
            r->k->select(&m, tw_lanes_of(r, in->in[0]), tw_plane(r, in->in[0], 0),
                         side == 1 ? r->lanes : 1, side == 1 ? g : &zero, side == 2 ? r->lanes : 1,
                         side == 2 ? g : &zero, TW_SET, r->lanes, r->scratch);
            one.p[p] = r->scratch;
            tw_alg_into(r, &to, &one, NULL, in->in[side]);
        }
    }
}

const struct tw_op tw_op_select = {
    .name = "select", .forward = select_forward, .vjp = select_vjp, .scratch = select_scratch
};
