/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Complex numbers moved about, summed and pooled. */
#include "complex.h"

static struct cx_room nothing(const struct tw_graph *g, const struct tw_instr *in)
{
    (void)g;
    (void)in;
    return (struct cx_room){ 0 };
}

static void assemble_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_assemble_data *d = in->data;
    struct tw_cx *y = cx_val(c, in->out[0]);

    (void)number;
    for (size_t i = 0; !d->covered && i < c->g->val[in->out[0]].n; i++)
        y[i] = cx(d->fill, 0.0);
    for (size_t i = 0; i < d->npiece; i++) {
        const struct tw_piece *s = &d->piece[i];
        const struct tw_cx *x = cx_val(c, in->in[s->input]) + s->from;
        struct cx_walk w = { .l = &s->loop };

        if (!tw_loop_count(&s->loop))
            continue;
        do {
            y[(long)s->to + w.y] = x[w.a];
        } while (cx_next(&w));
    }
}

/* Row k of n, counted from the end where negative; false if out of range. */
static bool index_of(double k, size_t n, size_t *row)
{
    if (!(k >= -(double)n && k < (double)n))
        return false;
    *row = (size_t)(k < 0.0 ? k + (double)n : k);
    return true;
}

static void lookup_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_lookup_data *d = in->data;
    const struct tw_cx *table = cx_val(c, in->in[0]), *index = cx_val(c, in->in[1]);
    struct tw_cx *y = cx_val(c, in->out[0]);
    size_t row = 0;

    (void)number;
    for (size_t i = 0; i < d->n; i++) {
        const bool good = index_of(index[i].re, d->rows, &row);

        for (size_t k = 0; k < d->width; k++)
            y[i * d->width + k] = good ? table[row * d->width + k] : cx((double)NAN, 0.0);
    }
}

static void pick_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_pick_data *d = in->data;
    const struct tw_cx *x = cx_val(c, in->in[0]), *index = cx_val(c, in->in[1]);
    struct tw_cx *y = cx_val(c, in->out[0]);

    (void)number;
    for (size_t k = 0; k < d->outer * d->m * d->inner; k++) {
        const size_t i = k % d->inner, j = k / d->inner % d->m, o = k / d->inner / d->m;
        size_t row = 0;

        y[k] = index_of(index[o * d->so + j * d->sj + i * d->si].re, d->n, &row)
                   ? x[(o * d->n + row) * d->inner + i]
                   : cx((double)NAN, 0.0);
    }
}

/* ---- sums and extremes --------------------------------------------------------------------- */

static struct cx_room reduce_room(const struct tw_graph *g, const struct tw_instr *in)
{
    const struct tw_reduce_data *d = in->data;
    const bool extreme = d->f == TW_B_MAX || d->f == TW_B_MIN;

    return (struct cx_room){ .pieces = extreme ? g->val[in->out[0]].n : 0 };
}

/* The extreme at t = 0, and what comes next to it. */
static void extremes(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_reduce_data *d = in->data;
    const double sign = d->f == TW_B_MAX ? 1.0 : -1.0;
    const struct tw_cx *x = cx_val(c, in->in[0]);
    struct tw_cx *y = cx_val(c, in->out[0]);
    size_t *piece = cx_pieces(c, number);
    struct cx_walk w = { .l = &d->loop };

    for (size_t i = 0; c->choosing && i < c->g->val[in->out[0]].n; i++)
        piece[i] = SIZE_MAX;
    do {
        if (c->choosing && (piece[w.y] == SIZE_MAX || sign * x[w.a].re > sign * x[piece[w.y]].re))
            piece[w.y] = (size_t)w.a;
    } while (cx_next(&w));
    do {
        y[w.y] = x[piece[w.y]];
        if ((size_t)w.a != piece[w.y])
            cx_margin(c, cx_scale(sign, cx_sub(x[piece[w.y]], x[w.a])));
    } while (cx_next(&w));
}

static void reduce_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_reduce_data *d = in->data;
    const struct tw_cx *x = cx_val(c, in->in[0]);
    struct tw_cx *y = cx_val(c, in->out[0]);
    struct cx_walk w = { .l = &d->loop };

    if (c->place[number].room.pieces && tw_loop_count(&d->loop)) {
        extremes(c, in, number);
        return;
    }
    for (size_t i = 0; i < c->g->val[in->out[0]].n; i++)
        y[i] = cx(d->f == TW_B_MUL ? 1.0 : 0.0, 0.0);
    if (!tw_loop_count(&d->loop))
        return;
    do {
        y[w.y] = d->f == TW_B_MUL ? cx_mul(y[w.y], x[w.a]) : cx_add(y[w.y], x[w.a]);
    } while (cx_next(&w));
    for (size_t i = 0; d->mean && i < c->g->val[in->out[0]].n; i++)
        y[i] = cx_scale(1.0 / (double)d->count, y[i]);
}

/* ---- windows ------------------------------------------------------------------------------- */

static size_t volume(const size_t n[3])
{
    return n[0] * n[1] * n[2];
}

/* The element of the plane that tap t of output o reads; false outside. */
static bool tap_at(const struct tw_pool *p, size_t o, size_t t, size_t *at)
{
    const size_t out[3] = { o / p->out[2] / p->out[1], o / p->out[2] % p->out[1], o % p->out[2] };
    const size_t tap[3] = { t / p->window[2] / p->window[1], t / p->window[2] % p->window[1],
                            t % p->window[2] };

    *at = 0;
    for (int i = 0; i < 3; i++) {
        const long k = (long)out[i] * p->stride[i] - p->pad[i] + (long)tap[i] * p->dilation[i];

        if (k < 0 || k >= (long)p->in[i])
            return false;
        *at = *at * p->in[i] + (size_t)k;
    }
    return true;
}

static struct cx_room maxpool_room(const struct tw_graph *g, const struct tw_instr *in)
{
    return (struct cx_room){ .pieces = g->val[in->out[0]].n };
}

/* out[0]: the largest, out[1]: its place. */
static void maxpool_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_pool *p = &((const struct tw_pool_data *)in->data)->pool;
    const size_t each = volume(p->in), outs = volume(p->out);
    size_t *piece = cx_pieces(c, number);

    for (size_t i = 0; i < p->planes * outs; i++) {
        const struct tw_cx *x = cx_val(c, in->in[0]) + i / outs * each;
        size_t at;

        if (c->choosing)
            piece[i] = SIZE_MAX;
        for (size_t t = 0; c->choosing && t < volume(p->window); t++)
            if (tap_at(p, i % outs, t, &at) && (piece[i] == SIZE_MAX || x[at].re > x[piece[i]].re))
                piece[i] = at;
        for (size_t t = 0; t < volume(p->window); t++)
            if (tap_at(p, i % outs, t, &at) && at != piece[i])
                cx_margin(c, cx_sub(x[piece[i]], x[at]));
        cx_val(c, in->out[0])[i] = piece[i] == SIZE_MAX ? cx(-HUGE_VAL, 0.0) : x[piece[i]];
        if (in->nout > 1 && in->out[1] >= 0)
            cx_val(c, in->out[1])[i] = cx(piece[i] == SIZE_MAX ? -1.0 : (double)piece[i], 0.0);
    }
}

static void avgpool_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_pool *p = &((const struct tw_pool_data *)in->data)->pool;
    const size_t each = volume(p->in), outs = volume(p->out);

    (void)number;
    for (size_t i = 0; i < p->planes * outs; i++) {
        const struct tw_cx *x = cx_val(c, in->in[0]) + i / outs * each;
        struct tw_cx sum = cx(0.0, 0.0);
        size_t n = 0, at;

        for (size_t t = 0; t < volume(p->window); t++)
            if (tap_at(p, i % outs, t, &at)) {
                sum = cx_add(sum, x[at]);
                n++;
            }
        cx_val(c, in->out[0])[i] =
            cx_scale(1.0 / (double)(p->count_pad ? volume(p->window) : n), sum);
    }
}

const struct cx_op cx_moves[] = {
    { &tw_op_assemble, nothing, assemble_run },
    { &tw_op_lookup, nothing, lookup_run },
    { &tw_op_pick, nothing, pick_run },
    { &tw_op_reduce, reduce_room, reduce_run },
    { &tw_op_maxpool, maxpool_room, maxpool_run },
    { &tw_op_avgpool, nothing, avgpool_run },
    { NULL, NULL, NULL },
};
