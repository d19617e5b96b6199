/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Complex softmax, normalisation of rows, attention. */
#include "attention.h"
#include "complex.h"

/* ---- softmax ------------------------------------------------------------------------------- */

/* Of n numbers with stride s from x on: log sum exp(x_k - x_top), top being the largest at t = 0;
 * with y (which may be x, stride s) also exp(x_k - x_top) over the sum, or its logarithm. */
static void soften(struct tw_complex *c, size_t number, size_t row, size_t n, size_t s, bool log,
                   const struct tw_cx *x, struct tw_cx *y)
{
    size_t *top = cx_pieces(c, number) + row;
    struct tw_cx sum = cx(0.0, 0.0), at, total;
    double most = -HUGE_VAL;

    if (n == 0)
        return;
    if (c->choosing) {
        *top = 0;
        for (size_t k = 1; k < n; k++)
            if (x[k * s].re > x[*top * s].re)
                *top = k;
    }
    at = x[*top * s];
    for (size_t k = 0; k < n; k++)
        most = fmax(most, x[k * s].re - at.re);
    for (size_t k = 0; k < n; k++) {
        const struct tw_cx u = cx_sub(x[k * s], at);

        sum = cx_add(sum, tw_cx_exp(cx(u.re - most, u.im)));
    }
    total = tw_cx_log(sum);
    total.re += most;
    total = cx_watch(c, number, row, total);
    for (size_t k = 0; k < n; k++) {
        const struct tw_cx u = cx_sub(cx_sub(x[k * s], at), total);

        y[k * s] = log ? u : tw_cx_exp(u);
    }
}

static struct cx_room softmax_room(const struct tw_graph *g, const struct tw_instr *in)
{
    const struct tw_softmax_data *d = in->data;
    const size_t rows = d->outer * d->inner;

    (void)g;
    return (struct cx_room){ .watches = rows, .pieces = rows, .what = "softmax" };
}

static void softmax_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_softmax_data *d = in->data;

    for (size_t row = 0; row < d->outer * d->inner; row++) {
        const size_t at = row / d->inner * d->n * d->inner + row % d->inner;

        soften(c, number, row, d->n, d->inner, d->log, cx_val(c, in->in[0]) + at,
               cx_val(c, in->out[0]) + at);
    }
}

/* ---- normalisation ------------------------------------------------------------------------- */

static struct cx_room normalize_room(const struct tw_graph *g, const struct tw_instr *in)
{
    const struct tw_normalize_data *d = in->data;

    (void)g;
    return (struct cx_room){ .watches = d->rows,
                             .what = d->rms ? "RMS normalisation" : "layer normalisation" };
}

static void normalize_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_normalize_data *d = in->data;
    const struct tw_cx *scale = in->nin > 1 && in->in[1] >= 0 ? cx_val(c, in->in[1]) : NULL;
    const struct tw_cx *shift = in->nin > 2 && in->in[2] >= 0 ? cx_val(c, in->in[2]) : NULL;
    const double each = 1.0 / (double)d->n;

    for (size_t row = 0; row < d->rows; row++) {
        const struct tw_cx *x = cx_val(c, in->in[0]) + row * d->n;
        struct tw_cx *y = cx_val(c, in->out[0]) + row * d->n;
        struct tw_cx mean = cx(0.0, 0.0), v = cx(0.0, 0.0), q;

        for (size_t k = 0; !d->rms && k < d->n; k++)
            mean = cx_add(mean, cx_scale(each, x[k]));
        for (size_t k = 0; k < d->n; k++) {
            y[k] = cx_sub(x[k], mean);
            cx_fma(&v, y[k], y[k]);
        }
        v = cx(each * v.re + d->eps, each * v.im);
        q = tw_cx_exp(cx_scale(-0.5, cx_watch(c, number, row, tw_cx_log(v))));
        for (size_t k = 0; k < d->n; k++) {
            y[k] = cx_mul(y[k], q);
            if (scale)
                y[k] = cx_mul(y[k], scale[k]);
            if (shift)
                y[k] = cx_add(y[k], shift[k]);
        }
    }
}

/* ---- attention ----------------------------------------------------------------------------- */

static struct cx_room attention_room(const struct tw_graph *g, const struct tw_instr *in)
{
    const struct tw_attention_data *a = in->data;
    const size_t rows = tw_attention_heads(a) * a->score.ni;

    (void)g;
    return (struct cx_room){
        .watches = rows, .pieces = rows, .scratch = a->score.nj, .what = "attention"
    };
}

static void attend(struct tw_complex *c, const struct tw_instr *in, size_t number, size_t h,
                   size_t i)
{
    const struct tw_attention_data *a = in->data;
    const struct tw_matmul_data *s = &a->score, *m = &a->mix;
    const struct tw_cx *q = cx_val(c, in->in[0]) + s->a_at +
                            tw_loop_offset(&s->batch, s->batch.sa, h) + (long)i * s->ai;
    const struct tw_cx *key =
        cx_val(c, in->in[1]) + s->b_at + tw_loop_offset(&s->batch, s->batch.sb, h);
    const struct tw_cx *v =
        cx_val(c, in->in[2]) + m->b_at + tw_loop_offset(&m->batch, m->batch.sb, h);
    const struct tw_cx *mask = in->in[3] >= 0 ? cx_val(c, in->in[3]) + i * s->nj : NULL;
    struct tw_cx *y =
        cx_val(c, in->out[0]) + tw_loop_offset(&m->batch, m->batch.sy, h) + (long)i * m->yi;
    struct tw_cx *share = c->scratch;

    for (size_t j = 0; j < s->nj; j++) {
        struct tw_cx sum = cx(0.0, 0.0);

        for (size_t k = 0; k < s->nk; k++)
            cx_fma(&sum, q[(long)k * s->ak], key[(long)j * s->bj + (long)k * s->bk]);
        share[j] = cx_scale(a->scale, sum);
        if (mask)
            share[j] = cx_add(share[j], mask[j]);
    }
    soften(c, number, h * s->ni + i, s->nj, 1, false, share, share);
    for (size_t f = 0; f < m->nj; f++) {
        struct tw_cx sum = cx(0.0, 0.0);

        for (size_t j = 0; j < s->nj; j++)
            cx_fma(&sum, share[j], v[(long)j * m->bk + (long)f * m->bj]);
        y[(long)f * m->yj] = sum;
    }
}

static void attention_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_attention_data *a = in->data;

    for (size_t h = 0; h < tw_attention_heads(a); h++)
        for (size_t i = 0; i < a->score.ni; i++)
            attend(c, in, number, h, i);
}

const struct cx_op cx_rows[] = { { &tw_op_softmax, softmax_room, softmax_run },
                                 { &tw_op_normalize, normalize_room, normalize_run },
                                 { &tw_op_attention, attention_room, attention_run },
                                 { NULL, NULL, NULL } };
