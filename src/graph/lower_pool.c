/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pooling. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

static struct tw_pool_data *pool_data(const struct tw_window *w, size_t planes)
{
    struct tw_pool_data *d = tw_alloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->pool.planes = planes;
    memcpy(d->pool.in, w->in, sizeof d->pool.in);
    memcpy(d->pool.out, w->out, sizeof d->pool.out);
    memcpy(d->pool.window, w->window, sizeof d->pool.window);
    memcpy(d->pool.stride, w->stride, sizeof d->pool.stride);
    memcpy(d->pool.pad, w->pad, sizeof d->pool.pad);
    memcpy(d->pool.dilation, w->dilation, sizeof d->pool.dilation);
    memcpy(d->pool.pad_end, w->pad_end, sizeof d->pool.pad_end);
    return d;
}

static enum tw_status pool_window(struct tw_build *b, const struct tw_node *node, int v,
                                  struct tw_window *w)
{
    const struct tw_attr *shape = tw_node_attr(node, "kernel_shape");
    enum tw_status st;
    long window[3];

    if (v < 0 || tw_b_val(b, v)->rank < 3 || tw_b_val(b, v)->rank > 5)
        return tw_b_fail(b, "needs an input of one to three spatial axes");
    w->nd = tw_b_val(b, v)->rank - 2;
    if (!shape)
        return tw_b_fail(b, "has no kernel_shape");
    if ((st = tw_window_attr(b, node, "kernel_shape", w->nd, 1, window)))
        return st;
    for (int i = 0; i < 3; i++)
        w->window[i] = window[i] < 1 ? 0 : (size_t)window[i];
    return tw_window_place(b, node, v, w);
}

/* Places are reals: beyond 2^24 neighbours would be one. */
static bool too_large(struct tw_build *b, const struct tw_window *w)
{
    if (w->in[0] * w->in[1] * w->in[2] <= (size_t)1 << 24)
        return false;
    tw_b_fail(b, "takes the largest of planes of more than 2^24 elements");
    return true;
}

static int add_maxpool(struct tw_build *b, int v, const struct tw_window *w)
{
    struct tw_pool_data *d = pool_data(w, tw_b_val(b, v)->dims[0] * tw_b_val(b, v)->dims[1]);
    int y = tw_window_temp(b, v, tw_b_val(b, v)->dims[1], w), index;

    v = tw_b_vary(b, v);
    if (!d || y < 0 || v < 0 || too_large(b, w)) {
        free(d);
        return -1;
    }
    y = tw_b_instr(b, &tw_op_maxpool, 1, &v, y, d, 0.0);
    index = y < 0 ? -1 : tw_window_temp(b, v, tw_b_val(b, v)->dims[1], w);
    if (index < 0)
        return -1;
    b->g->val[index].dtype = TW_I64;
    b->g->val[index].varying = b->g->val[y].varying;
    b->g->instr[b->g->ninstr - 1].nout = 2;
    b->g->instr[b->g->ninstr - 1].out[1] = index;
    return y;
}

/* The winners' places, which count within a plane, counted through the whole input. */
static int places(struct tw_build *b, int index, const struct tw_window *w)
{
    const struct tw_val *v = tw_b_val(b, index);
    size_t dims[TW_MAX_RANK] = { v->dims[0], v->dims[1] };
    struct tw_array start = { 0 };

    for (int i = 2; i < v->rank; i++)
        dims[i] = 1;
    if (tw_array_make(&start, TW_I64, v->rank, dims, b->err))
        return -1;
    for (size_t i = 0; i < start.n; i++)
        tw_array_set_int(&start, i, (int64_t)(i * w->in[0] * w->in[1] * w->in[2]));
    return tw_b_binary(b, TW_B_ADD, index, tw_b_const(b, &start));
}

enum tw_status tw_lower_maxpool(struct tw_build *b, const struct tw_node *node)
{
    struct tw_window w = { 0 };
    enum tw_status st = pool_window(b, node, tw_b_in(b, 0), &w);

    if (st)
        return st;
    if (node->nout > 1 && node->out[1] >= 0 && tw_node_int(node, "storage_order", 0))
        return tw_b_fail(b, "counts the places of the maxima by columns, which is not supported");
    tw_b_out(b, 0, add_maxpool(b, tw_b_in(b, 0), &w));
    if (!b->err->code && node->nout > 1 && node->out[1] >= 0)
        tw_b_out(b, 1, places(b, b->g->instr[b->g->ninstr - 1].out[1], &w));
    return b->err->code;
}

static int add_avgpool(struct tw_build *b, int v, const struct tw_window *w, bool count_pad)
{
    struct tw_pool_data *d = pool_data(w, tw_b_val(b, v)->dims[0] * tw_b_val(b, v)->dims[1]);

    if (!d)
        return -1;
    d->pool.count_pad = count_pad;
    v = tw_b_vary(b, v);
    if (v < 0) {
        free(d);
        return -1;
    }
    return tw_b_instr(b, &tw_op_avgpool, 1, &v, tw_window_temp(b, v, tw_b_val(b, v)->dims[1], w), d,
                      (double)tw_b_val(b, v)->n);
}

enum tw_status tw_lower_avgpool(struct tw_build *b, const struct tw_node *node)
{
    struct tw_window w = { 0 };
    enum tw_status st = pool_window(b, node, tw_b_in(b, 0), &w);

    if (st)
        return st;
    tw_b_out(b, 0,
             add_avgpool(b, tw_b_in(b, 0), &w, tw_node_int(node, "count_include_pad", 0) != 0));
    return b->err->code;
}

enum tw_status tw_lower_global_pool(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_in(b, 0);
    bool axes[TW_MAX_RANK] = { false };

    if (v < 0 || tw_b_val(b, v)->rank < 3)
        return tw_b_fail(b, "needs an input with spatial axes");
    for (int i = 2; i < tw_b_val(b, v)->rank; i++)
        axes[i] = true;
    tw_b_out(b, 0,
             strcmp(node->op, "GlobalMaxPool") ? tw_b_reduce(b, TW_B_ADD, true, v, axes, true)
                                               : tw_b_reduce(b, TW_B_MAX, false, v, axes, true));
    return b->err->code;
}
