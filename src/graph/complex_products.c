/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Complex matrix products and convolutions. */
#include "complex.h"

static struct cx_room nothing(const struct tw_graph *g, const struct tw_instr *in)
{
    (void)g;
    (void)in;
    return (struct cx_room){ 0 };
}

/* sum of a[k sa] b[k sb]; four sums at once, as each waits for itself. */
static struct tw_cx dot(size_t n, const struct tw_cx *a, long sa, const struct tw_cx *b, long sb)
{
    struct tw_cx s[4] = { { 0.0, 0.0 } };
    size_t k = 0;

    for (; k + 4 <= n; k += 4, a += 4 * sa, b += 4 * sb)
        for (int i = 0; i < 4; i++)
            cx_fma(&s[i], a[i * sa], b[i * sb]);
    for (; k < n; k++, a += sa, b += sb)
        cx_fma(&s[0], *a, *b);
    return cx_add(cx_add(s[0], s[1]), cx_add(s[2], s[3]));
}

static void matmul_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_matmul_data *d = in->data;
    const struct tw_cx *bias = in->nin > 2 && in->in[2] >= 0 ? cx_val(c, in->in[2]) : NULL;
    struct cx_walk w = { .l = &d->batch };

    (void)number;
    if (!tw_loop_count(&d->batch))
        return;
    do {
        const struct tw_cx *a = cx_val(c, in->in[0]) + d->a_at + w.a;
        const struct tw_cx *b = cx_val(c, in->in[1]) + d->b_at + w.b;
        struct tw_cx *y = cx_val(c, in->out[0]) + w.y;

        for (size_t i = 0; i < d->ni; i++)
            for (size_t j = 0; j < d->nj; j++) {
                const struct tw_cx sum =
                    dot(d->nk, a + (long)i * d->ai, d->ak, b + (long)j * d->bj, d->bk);

                y[(long)i * d->yi + (long)j * d->yj] = bias ? cx_add(sum, bias[j]) : sum;
            }
    } while (cx_next(&w));
}

/* ---- convolution --------------------------------------------------------------------------- */

static size_t volume(const size_t n[3])
{
    return n[0] * n[1] * n[2];
}

static struct cx_room conv_room(const struct tw_graph *g, const struct tw_instr *in)
{
    const struct tw_conv_data *d = in->data;

    (void)g;
    return (struct cx_room){ .scratch = d->cin * volume(d->room) };
}

/* The input with its border of zeros. */
static void pad(const struct tw_conv_data *d, const struct tw_cx *x, struct tw_cx *to)
{
    for (size_t i = 0; i < d->cin * volume(d->room); i++) {
        const size_t at[3] = { i / d->room[2] / d->room[1] % d->room[0],
                               i / d->room[2] % d->room[1], i % d->room[2] };
        size_t from = i / volume(d->room);
        bool inside = true;

        for (int k = 0; k < 3; k++) {
            const long p = (long)at[k] - d->pad[k];

            inside = inside && p >= 0 && p < (long)d->in[k];
            from = from * d->in[k] + (size_t)p;
        }
        to[i] = inside ? x[from] : cx(0.0, 0.0);
    }
}

static void conv_run(struct tw_complex *c, const struct tw_instr *in, size_t number)
{
    const struct tw_conv_data *d = in->data;
    const size_t rows = d->cout / d->groups, channels = d->cin / d->groups;
    const size_t inner = channels * volume(d->window), outs = volume(d->out);
    const struct tw_cx *bias = in->nin > 2 && in->in[2] >= 0 ? cx_val(c, in->in[2]) : NULL;
    struct tw_cx *y = cx_val(c, in->out[0]);

    (void)number;
    pad(d, cx_val(c, in->in[0]), c->scratch);
    for (size_t m = 0; m < d->cout; m++) {
        const struct tw_cx *w = cx_val(c, in->in[1]) + m * inner;
        const struct tw_cx *x = c->scratch + m / rows * channels * volume(d->room);

        for (size_t o = 0; o < outs; o++) {
            const long at = ((long)(o / d->out[2] / d->out[1]) * d->stride[0] * (long)d->room[1] +
                             (long)(o / d->out[2] % d->out[1]) * d->stride[1]) *
                                (long)d->room[2] +
                            (long)(o % d->out[2]) * d->stride[2];
            struct tw_cx sum = bias ? bias[m] : cx(0.0, 0.0);

            for (size_t k = 0; k < inner; k++)
                cx_fma(&sum, w[k], x[at + d->koff[k]]);
            y[m * outs + o] = sum;
        }
    }
}

const struct cx_op cx_products[] = { { &tw_op_matmul, nothing, matmul_run },
                                     { &tw_op_conv, conv_room, conv_run },
                                     { NULL, NULL, NULL } };
