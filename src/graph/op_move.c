/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that move numbers without changing them: pieces of inputs put together (transpose,
 * slice, concatenate, pad, expand), and rows of a table by index. Linear in each plane. */
#include <math.h>

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

/* ---- any place of anything ------------------------------------------------------------------- */

/* Calls do(from, to, lane) for each number that is taken; `from` is SIZE_MAX out of range. */
struct taken {
    const struct tw_run *r;
    const void *from;
    void *to;
    double *sums; /* where the source is uniform and the way is back */
    size_t lanes; /* of the source */
};

static void each_pick(const struct tw_run *r, const struct tw_instr *in, struct taken *t,
                      void (*take)(const struct taken *t, size_t x, size_t y, size_t lane))
{
    const struct tw_pick_data *d = in->data;
    const void *index = tw_plane(r, in->in[1], 0);
    size_t ilanes = tw_lanes_of(r, in->in[1]);

    for (size_t y = 0; !r->me && y < d->outer * d->m * d->inner; y++) {
        size_t i = y % d->inner, j = y / d->inner % d->m, o = y / d->inner / d->m;
        size_t at = (o * d->so + j * d->sj + i * d->si) * ilanes;

        for (size_t s = 0; s < r->lanes; s++) {
            double k = tw_get_real(r->k, index, at + (ilanes > 1 ? s : 0)), n = (double)d->n;
            bool good = k >= -n && k < n;

            take(t, good ? (o * d->n + (size_t)(k < 0.0 ? k + n : k)) * d->inner + i : SIZE_MAX, y,
                 s);
        }
    }
    tw_run_wait(r);
}

static void take_forward(const struct taken *t, size_t x, size_t y, size_t lane)
{
    double value = x == SIZE_MAX
                       ? (double)NAN
                       : tw_get_real(t->r->k, t->from, x * t->lanes + (t->lanes > 1 ? lane : 0));

    tw_put_real(t->r->k, t->to, y * t->r->lanes + lane, value);
}

static void take_back(const struct taken *t, size_t x, size_t y, size_t lane)
{
    double g = tw_get_real(t->r->k, t->from, y * t->r->lanes + lane);

    if (x == SIZE_MAX)
        return;
    if (t->sums)
        t->sums[x] += g;
    else
        tw_put_real(t->r->k, t->to, x * t->lanes + lane,
                    tw_get_real(t->r->k, t->to, x * t->lanes + lane) + g);
}

static void pick_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    struct taken t = { .r = r, .lanes = tw_lanes_of(r, in->in[0]) };

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        t.from = tw_plane(r, in->in[0], p);
        t.to = tw_plane(r, in->out[0], p);
        if (t.to && t.from)
            each_pick(r, in, &t, take_forward);
        else if (t.to)
            r->k->fill(tw_val_of(r, in->out[0])->n * r->lanes, 0.0, t.to);
    }
}

static void pick_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    struct taken t = { .r = r, .lanes = tw_lanes_of(r, in->in[0]) };

    (void)number;
    for (int p = 0; p < r->alg->planes; p++) {
        t.from = tw_grad(r, in->out[0], p);
        t.to = tw_grad(r, in->in[0], p);
        t.sums = t.lanes == r->lanes ? NULL : tw_ugrad(r, in->in[0], p);
        if (t.from && (t.to || t.sums))
            each_pick(r, in, &t, take_back);
    }
}

const struct tw_op tw_op_pick = { .name = "pick", .forward = pick_forward, .vjp = pick_vjp };
