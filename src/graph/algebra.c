/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arithmetic on planes. The tangents of a sum of products follow Leibniz' rule, those of a
 * function the chain rule (Griewank & Walther, "Evaluating Derivatives", 2nd ed., chapter 3). */
#include "ir.h"

void tw_alg_tangents(struct tw_alg *a, int t)
{
    a->planes = 1 + t;
    a->back = false;
    a->nterm = 0;
    a->term[a->nterm++] = (struct tw_term){ 0, 0, 0 };
    for (int i = 1; i <= t; i++) {
        a->term[a->nterm++] = (struct tw_term){ i, 0, i };
        a->term[a->nterm++] = (struct tw_term){ 0, i, i };
    }
}

void tw_planes_of(const struct tw_run *r, int v, struct tw_planes *x)
{
    x->lanes = tw_lanes_of(r, v);
    for (int p = 0; p < r->alg->planes; p++)
        x->p[p] = tw_plane(r, v, p);
}

void tw_planes_grad(const struct tw_run *r, int v, struct tw_planes *g)
{
    g->lanes = tw_lanes_of(r, v);
    for (int p = 0; p < r->alg->planes; p++)
        g->p[p] = tw_grad(r, v, p);
}

void tw_planes_scratch(const struct tw_run *r, size_t n, size_t *used, struct tw_planes *x)
{
    x->lanes = r->lanes;
    for (int p = 0; p < r->alg->planes; p++) {
        x->p[p] = r->scratch + *used * r->lanes * r->k->size;
        *used += n;
    }
}

void tw_alg_zero(const struct tw_run *r, size_t n, const struct tw_planes *y)
{
    for (int p = 0; p < r->alg->planes; p++)
        if (y->p[p])
            r->k->fill(n * y->lanes, 0.0, y->p[p]);
}

/* The elements that a nest writes: a stride of 0 in y walks on the spot. */
static void zero_loop(const struct tw_run *r, const struct tw_loop *l, size_t lanes, void *y)
{
    static const double zero; /* of either type all bits are 0 */
    struct tw_loop c = *l;

    for (int i = 0; i < c.nd; i++)
        c.sa[i] = c.sb[i] = 0;
    r->k->binary(TW_B_FIRST, &c, 1, &zero, 1, &zero, TW_SET, lanes, y);
}

static void linear(const struct tw_run *r, enum tw_binary f, const struct tw_loop *l,
                   const struct tw_planes *a, const struct tw_planes *b, enum tw_store store,
                   const struct tw_planes *y)
{
    struct tw_loop swapped = *l;

    for (int i = 0; i < l->nd; i++) {
        swapped.sa[i] = l->sb[i];
        swapped.sb[i] = l->sa[i];
    }
    for (int p = 0; p < r->alg->planes; p++) {
        const void *ap = a->p[p], *bp = f == TW_B_FIRST ? NULL : b->p[p];
        enum tw_store other = store;

        if (!y->p[p])
            continue;
        if (ap && bp) {
            r->k->binary(f, l, a->lanes, ap, b->lanes, bp, store, y->lanes, y->p[p]);
        } else if (ap) {
            r->k->binary(TW_B_FIRST, l, a->lanes, ap, a->lanes, ap, store, y->lanes, y->p[p]);
        } else if (bp) {
            if (f == TW_B_SUB) {
                if (store == TW_SET)
                    zero_loop(r, l, y->lanes, y->p[p]);
                other = store == TW_SUBTRACT ? TW_ADD : TW_SUBTRACT;
            }
            r->k->binary(TW_B_FIRST, &swapped, b->lanes, bp, b->lanes, bp, other, y->lanes,
                         y->p[p]);
        } else if (store == TW_SET) {
            zero_loop(r, l, y->lanes, y->p[p]);
        }
    }
}

void tw_alg_binary(const struct tw_run *r, enum tw_binary f, const struct tw_loop *l,
                   const struct tw_planes *a, const struct tw_planes *b, enum tw_store store,
                   const struct tw_planes *y)
{
    bool written[TW_MAX_PLANES] = { false };

    if (f != TW_B_MUL) {
        linear(r, f, l, a, b, store, y);
        return;
    }
    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        const void *ap = a->p[t->i], *bp = b->p[t->j];
        enum tw_store s = store == TW_SET && written[t->k] ? TW_ADD : store;

        if (!ap || !bp || !y->p[t->k])
            continue;
        r->k->binary(TW_B_MUL, l, a->lanes, ap, b->lanes, bp, s, y->lanes, y->p[t->k]);
        written[t->k] = true;
    }
    for (int p = 0; p < r->alg->planes; p++)
        if (store == TW_SET && y->p[p] && !written[p])
            zero_loop(r, l, y->lanes, y->p[p]);
}

void tw_alg_unary(const struct tw_run *r, enum tw_unary f, int order, double p0, double p1,
                  size_t n, const struct tw_planes *x, const struct tw_planes *y)
{
    size_t m = n * y->lanes;

    r->k->unary(f, order, p0, p1, m, x->p[0], y->p[0]);
    for (int p = 1; p < r->alg->planes; p++) {
        if (!y->p[p])
            continue;
        if (x->p[p])
            r->k->unary_grad(f, order + 1, p0, p1, m, x->p[0], x->p[p], TW_SET, y->p[p]);
        else
            r->k->fill(m, 0.0, y->p[p]);
    }
}

void tw_alg_reduce(const struct tw_run *r, const struct tw_loop *l, const struct tw_planes *a,
                   const struct tw_planes *y)
{
    for (int p = 0; p < r->alg->planes; p++)
        if (a->p[p] && y->p[p])
            r->k->reduce(TW_B_ADD, l, a->p[p], a->lanes, y->p[p]);
}

void tw_alg_into(const struct tw_run *r, const struct tw_loop *l, const struct tw_planes *a,
                 const struct tw_planes *b, int v)
{
    bool uniform = tw_lanes_of(r, v) == 1 && a->lanes > 1;
    struct tw_planes y;

    if (!tw_wants_grad(r, v))
        return;
    if (!uniform) {
        tw_planes_grad(r, v, &y);
        tw_alg_binary(r, b ? TW_B_MUL : TW_B_FIRST, l, a, b, TW_ADD, &y);
        return;
    }
    if (!b) {
        for (int p = 0; p < r->alg->planes; p++)
            if (a->p[p] && tw_ugrad(r, v, p))
                r->k->reduce_lanes(l, a->p[p], 1, NULL, a->lanes, tw_ugrad(r, v, p));
        return;
    }
    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        double *y0 = tw_ugrad(r, v, t->k);

        if (a->p[t->i] && b->p[t->j] && y0)
            r->k->reduce_lanes(l, a->p[t->i], b->lanes, b->p[t->j], a->lanes, y0);
    }
}

void tw_alg_scale(const struct tw_run *r, size_t n, double s, const struct tw_planes *y)
{
    union tw_real real;
    const void *c = tw_constant(r->k, s, &real);
    struct tw_loop l = { .nd = 1, .n = { n }, .sa = { 1 }, .sy = { 1 } };

    for (int p = 0; p < r->alg->planes; p++)
        if (y->p[p])
            r->k->binary(TW_B_MUL, &l, y->lanes, y->p[p], 1, c, TW_SET, y->lanes, y->p[p]);
}
