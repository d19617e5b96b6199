/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that move numbers without changing them: pieces of inputs put together (transpose,
 * slice, concatenate, pad, expand), and rows of a table by index. Linear in each plane. */
#include "ir.h"

static void assemble_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_assemble_data *d = in->data;

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        char *y = tw_plane(r, in->out[0], p);

        if (!y)
            continue;
        if (!d->covered)
            r->k->fill(tw_val_of(r, in->out[0])->n * r->lanes, p ? 0.0 : d->fill, y);
        for (size_t i = 0; i < d->npiece; i++) {
            const struct tw_piece *s = &d->piece[i];
            int v = in->in[s->input];
            const char *x = tw_plane(r, v, p);
            static const double zero;
            struct tw_loop l = s->loop;
            size_t lanes = tw_lanes_of(r, v);

            if (!x && !d->covered)
                continue;
            for (int j = 0; j < l.nd && !x; j++)
                l.sa[j] = 0;
            x = x ? tw_at(r, x, (long)s->from, lanes) : (const char *)&zero;
            if (!tw_plane(r, v, p))
                lanes = 1;
            r->k->binary(TW_B_FIRST, &l, lanes, x, lanes, x, TW_SET, r->lanes,
                         tw_at(r, y, (long)s->to, r->lanes));
        }
    }
}

static void assemble_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_assemble_data *d = in->data;

    (void)number;
    for (size_t i = 0; i < d->npiece; i++) {
        const struct tw_piece *s = &d->piece[i];
        int v = in->in[s->input];
        size_t lanes = tw_lanes_of(r, v);
        struct tw_loop l = s->loop;

        if (!tw_wants_grad(r, v))
            continue;
        for (int j = 0; j < l.nd; j++) {
            l.sa[j] = s->loop.sy[j];
            l.sb[j] = 0;
            l.sy[j] = s->loop.sa[j];
        }
        for (int p = 0; p < r->alg->planes; p++) {
            const void *g = tw_grad(r, in->out[0], p);

            if (!g)
                continue;
            g = tw_at(r, g, (long)s->to, r->lanes);
            if (lanes == r->lanes)
                r->k->binary(TW_B_FIRST, &l, lanes, g, lanes, g, TW_ADD, lanes,
                             tw_at(r, tw_grad(r, v, p), (long)s->from, lanes));
            else
                r->k->reduce_lanes(&l, g, 1, NULL, r->lanes, tw_ugrad(r, v, p) + s->from);
        }
    }
}

const struct tw_op tw_op_assemble = { .name = "assemble",
                                      .forward = assemble_forward,
                                      .vjp = assemble_vjp };

/* in[0]: the table, uniform; in[1]: row numbers. */
static void lookup_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_lookup_data *d = in->data;

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        const void *table = tw_plane(r, in->in[0], p);
        void *y = tw_plane(r, in->out[0], p);

        if (y && table)
            r->k->lookup(d->n, tw_plane(r, in->in[1], 0), d->rows, d->width, table, r->lanes, y);
        else if (y)
            r->k->fill(d->n * d->width * r->lanes, 0.0, y);
    }
}

static void lookup_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_lookup_data *d = in->data;

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        const void *g = tw_grad(r, in->out[0], p);
        double *table = tw_ugrad(r, in->in[0], p);

        if (g && table)
            r->k->lookup_grad(d->n, tw_plane(r, in->in[1], 0), d->rows, d->width, g, r->lanes,
                              table);
    }
}

const struct tw_op tw_op_lookup = { .name = "lookup",
                                    .forward = lookup_forward,
                                    .vjp = lookup_vjp };
