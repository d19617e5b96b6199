/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Softmax and the normalisations. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

enum tw_status tw_lower_softmax(struct tw_build *b, const struct tw_node *node)
{
    bool old = b->net->opset < 13; /* then the axes from `axis` on were one */
    int v = tw_b_vary(b, tw_b_in(b, 0)), axis;
    struct tw_softmax_data *d;
    struct tw_val x;

    if (v < 0)
        return tw_b_fail(b, "has no input");
    x = *tw_b_val(b, v);
    axis = tw_b_axis(b, tw_node_int(node, "axis", old ? 1 : -1), x.rank);
    if (axis < 0)
        return b->err->code;
    d = tw_alloc(1, sizeof *d);
    if (!d)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    *d = (struct tw_softmax_data){
        .log = !strcmp(node->op, "LogSoftmax"), .outer = 1, .n = 1, .inner = 1
    };
    for (int i = 0; i < x.rank; i++)
        *(i < axis ? &d->outer : i == axis || old ? &d->n : &d->inner) *= x.dims[i];
    tw_b_out(b, 0,
             tw_b_instr(b, &tw_op_softmax, 1, &v, tw_b_temp(b, x.dtype, x.rank, x.dims), d,
                        5.0 * (double)x.n));
    return b->err->code;
}

/* One number for each channel as [C, 1, 1]. */
static int per_channel(struct tw_build *b, int v, int rank)
{
    size_t dims[TW_MAX_RANK];

    if (v < 0)
        return -1;
    dims[0] = tw_b_val(b, v)->n;
    for (int i = 1; i < rank - 1; i++)
        dims[i] = 1;
    return tw_b_alias(b, v, rank - 1, dims);
}

/* The convolution or product that makes x, if it is uniform in its weights, was the last
 * instruction and nothing else can have read it: then what multiplies x's channels can
 * multiply the weights instead. */
static struct tw_instr *producer(struct tw_build *b, int x)
{
    struct tw_instr *p = tw_b_last(b, &tw_op_conv, x);

    if (!p || b->g->val[p->in[1]].varying || !b->g->val[p->in[0]].varying)
        return NULL;
    return tw_b_readers(b, x) == 1 ? p : NULL;
}

/* The mean of each channel over space and the samples of the batch. */
static int batch_mean(struct tw_build *b, int x)
{
    bool axes[TW_MAX_RANK];
    struct tw_batch_mean_data *d;
    struct tw_val m;
    size_t each;
    int v;

    if (x < 0)
        return -1;
    for (int i = 0; i < tw_b_val(b, x)->rank; i++)
        axes[i] = i != 1;
    v = tw_b_vary(b, tw_b_reduce(b, TW_B_ADD, true, x, axes, true));
    if (v < 0)
        return -1;
    m = *tw_b_val(b, v);
    each = m.n ? tw_b_val(b, x)->n / m.n : 0;
    d = tw_alloc(1, sizeof *d);
    if (!d)
        return -1;
    d->each = each;
    b->g->mixes = true;
    v = tw_b_instr(b, &tw_op_batch_mean, 1, &v, tw_b_temp(b, m.dtype, m.rank, m.dims), d, 0.0);
    if (v >= 0) /* linear, though its way back is not its own (exec_batch.c) */
        b->g->val[v].active = m.active;
    return v;
}

/* A running mean or variance that is a buffer, and the value that the batch has in its place. */
static bool note_statistic(struct tw_build *b, int buffer, enum tw_statistic kind, int value)
{
    struct tw_graph *g = b->g;

    if (tw_b_val(b, buffer)->origin != TW_V_BUFFER)
        return true;
    if (!tw_grow(&g->stat, g->nstat, &g->cap_stat, sizeof *g->stat)) {
        tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
        return false;
    }
    g->stat[g->nstat++] =
        (struct tw_stat){ .buffer = tw_b_val(b, buffer)->index, .kind = kind, .value = value };
    return true;
}

/* From the statistics of the batch (algorithm 1 of the same). */
static int by_batch(struct tw_build *b, const int v[5], double eps)
{
    int rank = tw_b_val(b, v[0])->rank;
    int mean = batch_mean(b, v[0]), c = tw_b_binary(b, TW_B_SUB, v[0], mean);
    int var = batch_mean(b, tw_b_unary(b, TW_U_SQUARE, 0, 0, c)), q;

    if (mean < 0 || var < 0 || !note_statistic(b, v[3], TW_STATISTIC_MEAN, mean) ||
        !note_statistic(b, v[4], TW_STATISTIC_VARIANCE, var))
        return -1;
    q = tw_b_unary(b, TW_U_RSQRT, 0, 0, tw_b_binary(b, TW_B_ADD, var, tw_b_const_real(b, eps)));
    q = tw_b_binary(b, TW_B_MUL, q, per_channel(b, v[1], rank));
    return tw_b_binary(b, TW_B_ADD, tw_b_binary(b, TW_B_MUL, c, q), per_channel(b, v[2], rank));
}

/* y = (x - mean) scale / sqrt(var + eps) + shift with the running statistics (Ioffe & Szegedy
 * 2015, algorithm 2). After a convolution, scale and shift go into its weights and bias: these
 * are uniform instructions, so derivatives by scale, shift and weights stay exact. */
enum tw_status tw_lower_batch_norm(struct tw_build *b, const struct tw_node *node)
{
    int v[5], rank, factor, offset;
    double eps = tw_node_real(node, "epsilon", 1e-5);
    struct tw_instr *conv;
    bool batch = (b->o && b->o->batch_statistics) || tw_node_int(node, "training_mode", 0);

    for (size_t i = 0; i < 5; i++)
        if ((v[i] = tw_b_in(b, i)) < 0)
            return tw_b_fail(b, "needs five inputs");
    rank = tw_b_val(b, v[0])->rank;
    if (rank < 2)
        return tw_b_fail(b, "needs an input with channels");
    for (int i = 1; i < 5; i++)
        if (tw_b_val(b, v[i])->n != tw_b_val(b, v[0])->dims[1])
            return tw_b_fail(b, "has %zu statistics for %zu channels", tw_b_val(b, v[i])->n,
                             tw_b_val(b, v[0])->dims[1]);
    if (batch) {
        tw_b_out(b, 0, by_batch(b, v, eps));
        return b->err->code;
    }
    if (!note_statistic(b, v[3], TW_STATISTIC_MEAN, -1) ||
        !note_statistic(b, v[4], TW_STATISTIC_VARIANCE, -1))
        return b->err->code;
    factor = tw_b_binary(b, TW_B_ADD, v[4], tw_b_const_real(b, eps));
    factor = tw_b_binary(b, TW_B_MUL, tw_b_unary(b, TW_U_RSQRT, 0, 0, factor), v[1]);
    offset = tw_b_binary(b, TW_B_SUB, v[2], tw_b_binary(b, TW_B_MUL, v[3], factor));
    if (factor < 0 || offset < 0)
        return b->err->code;
    conv = producer(b, v[0]);
    if (conv && !tw_b_val(b, factor)->varying) {
        size_t at = (size_t)(conv - b->g->instr);
        struct tw_instr moved = *conv;
        int in[3] = { moved.in[0], moved.in[1], moved.nin > 2 ? moved.in[2] : -1 };
        int w = per_channel(b, factor, rank + 1);

        in[1] = tw_b_binary(b, TW_B_MUL, in[1], w);
        if (in[2] >= 0)
            offset = tw_b_binary(b, TW_B_ADD, offset, tw_b_binary(b, TW_B_MUL, in[2], factor));
        in[2] = offset;
        if (in[1] < 0 || in[2] < 0)
            return b->err->code;
        /* Take the old instruction out and put it behind its new weights. */
        memmove(&b->g->instr[at], &b->g->instr[at + 1], (b->g->ninstr - at - 1) * sizeof moved);
        b->g->ninstr--;
        free(moved.in);
        tw_b_out(b, 0, tw_b_instr(b, moved.op, 3, in, moved.out[0], moved.data, moved.flops));
        return b->err->code;
    }
    factor = per_channel(b, factor, rank);
    offset = per_channel(b, offset, rank);
    tw_b_out(b, 0, tw_b_binary(b, TW_B_ADD, tw_b_binary(b, TW_B_MUL, v[0], factor), offset));
    return b->err->code;
}

/* Whether v is absent, or one number for each of the n elements of a row. */
static bool is_row(const struct tw_build *b, int v, size_t n)
{
    return v < 0 || (!tw_b_val(b, v)->varying && tw_b_val(b, v)->n == n);
}

/* Rows of the last n elements, times scale plus shift (rows themselves, or -1). */
static int normalize_by(struct tw_build *b, int v, bool rms, size_t n, double eps, int scale,
                        int shift)
{
    struct tw_normalize_data *d = tw_alloc(1, sizeof *d);
    const int in[3] = { tw_b_vary(b, v), scale, shift };
    struct tw_val x;

    if (v < 0 || !d) {
        free(d);
        return -1;
    }
    x = *tw_b_val(b, v);
    *d = (struct tw_normalize_data){ rms, n ? x.n / n : 0, n, eps };
    return tw_b_instr(b, &tw_op_normalize, 3, in, tw_b_temp(b, x.dtype, x.rank, x.dims), d,
                      8.0 * (double)x.n);
}

static int normalize(struct tw_build *b, int v, bool rms, size_t n, double eps)
{
    return normalize_by(b, v, rms, n, eps, -1, -1);
}

/* The mean and the inverse deviation as outputs of their own, where something wants them. */
static void layer_statistics(struct tw_build *b, const struct tw_node *node, int v, int axis)
{
    bool axes[TW_MAX_RANK];
    int mean, x;

    if (!(node->nout > 1 && node->out[1] >= 0) && !(node->nout > 2 && node->out[2] >= 0))
        return;
    for (int i = 0; i < tw_b_val(b, v)->rank; i++)
        axes[i] = i >= axis;
    mean = tw_b_reduce(b, TW_B_ADD, true, v, axes, true);
    tw_b_out(b, 1, mean);
    x = tw_b_unary(b, TW_U_SQUARE, 0, 0, tw_b_binary(b, TW_B_SUB, v, mean));
    x = tw_b_reduce(b, TW_B_ADD, true, x, axes, true);
    x = tw_b_binary(b, TW_B_ADD, x, tw_b_const_real(b, tw_node_real(node, "epsilon", 1e-5)));
    tw_b_out(b, 2, tw_b_unary(b, TW_U_RSQRT, 0, 0, x));
}

enum tw_status tw_lower_layer_norm(struct tw_build *b, const struct tw_node *node)
{
    bool rms = !strcmp(node->op, "RMSNormalization");
    int v = tw_b_in(b, 0), axis, y;
    size_t n = 1;

    if (v < 0)
        return tw_b_fail(b, "has no input");
    axis = tw_b_axis(b, tw_node_int(node, "axis", -1), tw_b_val(b, v)->rank);
    if (axis < 0)
        return b->err->code;
    for (int i = axis; i < tw_b_val(b, v)->rank; i++)
        n *= tw_b_val(b, v)->dims[i];
    if (!rms)
        layer_statistics(b, node, v, axis);
    if (is_row(b, tw_b_in(b, 1), n) && is_row(b, tw_b_in(b, 2), n)) {
        y = normalize_by(b, v, rms, n, tw_node_real(node, "epsilon", 1e-5), tw_b_in(b, 1),
                         tw_b_in(b, 2));
        tw_b_out(b, 0, y);
        return b->err->code;
    }
    y = normalize(b, v, rms, n, tw_node_real(node, "epsilon", 1e-5));
    if (tw_b_in(b, 1) >= 0)
        y = tw_b_binary(b, TW_B_MUL, y, tw_b_in(b, 1));
    if (tw_b_in(b, 2) >= 0)
        y = tw_b_binary(b, TW_B_ADD, y, tw_b_in(b, 2));
    tw_b_out(b, 0, y);
    return b->err->code;
}

enum tw_status tw_lower_instance_norm(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_in(b, 0), scale, shift, y;
    const struct tw_val *x;

    if (v < 0 || tw_b_in(b, 1) < 0 || tw_b_in(b, 2) < 0 || tw_b_val(b, v)->rank < 3)
        return tw_b_fail(b, "needs an input with spatial axes, a scale and a shift");
    x = tw_b_val(b, v);
    scale = per_channel(b, tw_b_in(b, 1), x->rank);
    x = tw_b_val(b, v);
    shift = per_channel(b, tw_b_in(b, 2), x->rank);
    x = tw_b_val(b, v);
    y = normalize(b, v, false, x->dims[0] && x->dims[1] ? x->n / (x->dims[0] * x->dims[1]) : 0,
                  tw_node_real(node, "epsilon", 1e-5));
    tw_b_out(b, 0, tw_b_binary(b, TW_B_ADD, tw_b_binary(b, TW_B_MUL, y, scale), shift));
    return b->err->code;
}

/* Scale and shift for each group (before opset 21) or for each channel. */
enum tw_status tw_lower_group_norm(struct tw_build *b, const struct tw_node *node)
{
    int64_t groups = tw_node_int(node, "num_groups", 1);
    int v = tw_b_in(b, 0), scale = tw_b_in(b, 1), shift = tw_b_in(b, 2), y;
    size_t dims[TW_MAX_RANK], n;
    struct tw_val x;

    if (v < 0 || scale < 0 || shift < 0 || tw_b_val(b, v)->rank < 2)
        return tw_b_fail(b, "needs an input with channels, a scale and a shift");
    x = *tw_b_val(b, v);
    if (!x.n || groups < 1 || x.dims[1] % (size_t)groups)
        return tw_b_fail(b, "has %lld groups for %zu channels", (long long)groups, x.dims[1]);
    y = normalize(b, v, false, x.n / (x.dims[0] * (size_t)groups),
                  tw_node_real(node, "epsilon", 1e-5));
    if (tw_b_val(b, scale)->n == x.dims[1]) {
        scale = per_channel(b, scale, x.rank);
        shift = per_channel(b, shift, x.rank);
        tw_b_out(b, 0, tw_b_binary(b, TW_B_ADD, tw_b_binary(b, TW_B_MUL, y, scale), shift));
        return b->err->code;
    }
    n = tw_b_val(b, scale)->n;
    if (n != (size_t)groups || tw_b_val(b, shift)->n != n)
        return tw_b_fail(b, "has %zu scales for %lld groups", n, (long long)groups);
    dims[0] = x.dims[0];
    dims[1] = n;
    dims[2] = x.n / (x.dims[0] * n);
    y = tw_b_alias(b, y, 3, dims);
    dims[0] = n;
    dims[1] = 1;
    scale = tw_b_alias(b, scale, 2, dims);
    shift = tw_b_alias(b, shift, 2, dims);
    y = tw_b_binary(b, TW_B_ADD, tw_b_binary(b, TW_B_MUL, y, scale), shift);
    tw_b_out(b, 0, tw_b_alias(b, y, x.rank, x.dims));
    return b->err->code;
}

/* Over the axes (all but the channels), with the epsilon of the definition. */
enum tw_status tw_lower_mvn(struct tw_build *b, const struct tw_node *node)
{
    static const int64_t usual[] = { 0, 2, 3 };
    const struct tw_attr *a = tw_node_attr(node, "axes");
    int v = tw_b_in(b, 0), y;
    bool axes[TW_MAX_RANK];
    enum tw_status st;

    if (v < 0)
        return tw_b_fail(b, "has no input");
    st = a && a->kind == TW_ATTR_INTS
             ? tw_b_axes(b, a->n, a->ints, tw_b_val(b, v)->rank, false, axes)
             : tw_b_axes(b, 3, usual, tw_b_val(b, v)->rank, false, axes);
    if (st)
        return st;
    v = tw_b_binary(b, TW_B_SUB, v, tw_b_reduce(b, TW_B_ADD, true, v, axes, true));
    y = tw_b_reduce(b, TW_B_ADD, true, tw_b_unary(b, TW_U_SQUARE, 0, 0, v), axes, true);
    y = tw_b_binary(b, TW_B_ADD, tw_b_unary(b, TW_U_SQRT, 0, 0, y), tw_b_const_real(b, 1e-9));
    tw_b_out(b, 0, tw_b_binary(b, TW_B_MUL, v, tw_b_unary(b, TW_U_RECIP, 0, 0, y)));
    return b->err->code;
}

/* x / (bias + alpha / size * sum of x^2 over `size` channels)^beta (Krizhevsky et al. 2012,
 * section 3.3). */
enum tw_status tw_lower_lrn(struct tw_build *b, const struct tw_node *node)
{
    double alpha = tw_node_real(node, "alpha", 1e-4), beta = tw_node_real(node, "beta", 0.75);
    int64_t size = tw_node_int(node, "size", 0);
    int v = tw_b_in(b, 0), y;
    struct tw_pool_data *d;
    struct tw_val x;

    if (v < 0 || tw_b_val(b, v)->rank < 2 || size < 1 || size > 1 << 20)
        return tw_b_fail(b, "needs an input with channels and a size");
    x = *tw_b_val(b, v);
    d = tw_alloc(1, sizeof *d);
    if (!d)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    /* The channels and what lies behind them as the two axes of one plane a sample. */
    d->pool = (struct tw_pool){ .planes = x.dims[0],
                                .in = { 1, x.dims[1], 1 },
                                .window = { 1, (size_t)size, 1 },
                                .stride = { 1, 1, 1 },
                                .pad = { 0, (long)(size - 1) / 2, 0 },
                                .pad_end = { 0, (long)size - 1 - (long)(size - 1) / 2, 0 },
                                .dilation = { 1, 1, 1 },
                                .count_pad = true };
    d->pool.in[2] = x.dims[0] && x.dims[1] ? x.n / (x.dims[0] * x.dims[1]) : 0;
    memcpy(d->pool.out, d->pool.in, sizeof d->pool.out);
    y = tw_b_unary(b, TW_U_SQUARE, 0, 0, v);
    y = tw_b_instr(b, &tw_op_avgpool, 1, &y, tw_b_temp(b, x.dtype, x.rank, x.dims), d, (double)x.n);
    y = tw_b_binary(b, TW_B_MUL, y, tw_b_const_real(b, alpha));
    y = tw_b_binary(b, TW_B_ADD, y, tw_b_const_real(b, tw_node_real(node, "bias", 1.0)));
    tw_b_out(b, 0, tw_b_binary(b, TW_B_MUL, v, tw_b_unary(b, TW_U_POWC, -beta, 0, y)));
    return b->err->code;
}
