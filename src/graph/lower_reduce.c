/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reductions and the losses that networks may end in. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"

enum tw_status tw_lower_reduce(struct tw_build *b, const struct tw_node *node)
{
    const char *kind = node->op + strlen("Reduce");
    int v = tw_b_in(b, 0), y;
    bool mask[TW_MAX_RANK], keep = tw_node_int(node, "keepdims", 1) != 0;
    size_t n;
    int64_t *axes;
    enum tw_status st = tw_b_ints_or_attr(b, 1, "axes", &n, &axes);

    if (!st && v < 0)
        st = tw_b_fail(b, "has no input");
    if (!st)
        st = tw_b_axes(b, n, axes, tw_b_val(b, v)->rank,
                       tw_node_int(node, "noop_with_empty_axes", 0) != 0, mask);
    free(axes);
    if (st)
        return st;
    if (!strcmp(kind, "SumSquare") || !strcmp(kind, "L2"))
        v = tw_b_unary(b, TW_U_SQUARE, 0, 0, v);
    else if (!strcmp(kind, "L1"))
        v = tw_b_unary(b, TW_U_ABS, 0, 0, v);
    if (!strcmp(kind, "LogSumExp")) { /* behind the largest, which counts as a constant */
        int top = tw_b_reduce(b, TW_B_MAX, false, v, mask, true);
        int e = tw_b_unary(b, TW_U_EXP, 0, 0, tw_b_binary(b, TW_B_SUB, v, top));

        y = tw_b_unary(b, TW_U_LOG, 0, 0, tw_b_reduce(b, TW_B_ADD, false, e, mask, true));
        y = tw_b_binary(b, TW_B_ADD, y, top);
        if (y >= 0 && !keep) {
            size_t dims[TW_MAX_RANK];
            int rank = 0;

            for (int i = 0; i < tw_b_val(b, y)->rank; i++)
                if (!mask[i])
                    dims[rank++] = tw_b_val(b, y)->dims[i];
            y = tw_b_alias(b, y, rank, dims);
        }
    } else {
        enum tw_binary f = !strcmp(kind, "Max")    ? TW_B_MAX
                           : !strcmp(kind, "Min")  ? TW_B_MIN
                           : !strcmp(kind, "Prod") ? TW_B_MUL
                                                   : TW_B_ADD;

        y = tw_b_reduce(b, f, !strcmp(kind, "Mean"), v, mask, keep);
    }
    if (!strcmp(kind, "L2"))
        y = tw_b_unary(b, TW_U_SQRT, 0, 0, y);
    else if (!strcmp(kind, "LogSum"))
        y = tw_b_unary(b, TW_U_LOG, 0, 0, y);
    tw_b_out(b, 0, y);
    return b->err->code;
}

static int argmax(struct tw_build *b, const struct tw_node *node, int v, int axis, bool keep)
{
    const struct tw_val x = *tw_b_val(b, v);
    struct tw_argmax_data *d = tw_alloc(1, sizeof *d);
    size_t dims[TW_MAX_RANK];
    int rank = 0;

    if (!d)
        return -1;
    *d = (struct tw_argmax_data){ .outer = 1,
                                  .n = x.dims[axis],
                                  .inner = 1,
                                  .min = !strcmp(node->op, "ArgMin"),
                                  .last = tw_node_int(node, "select_last_index", 0) != 0 };
    for (int i = 0; i < x.rank; i++) {
        if (i != axis)
            *(i < axis ? &d->outer : &d->inner) *= x.dims[i];
        if (i != axis || keep)
            dims[rank++] = i == axis ? 1 : x.dims[i];
    }
    return tw_b_instr(b, &tw_op_argmax, 1, &v, tw_b_temp(b, TW_I64, rank, dims), d, 0.0);
}

enum tw_status tw_lower_argmax(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_in(b, 0), axis;

    if (v < 0)
        return tw_b_fail(b, "has no input");
    axis = tw_b_axis(b, tw_node_int(node, "axis", 0), tw_b_val(b, v)->rank);
    if (axis >= 0)
        tw_b_out(b, 0, argmax(b, node, v, axis, tw_node_int(node, "keepdims", 1) != 0));
    return b->err->code;
}

/* 1 at the first of the largest, else 0; before opset 13 the axes from `axis` on are one. */
enum tw_status tw_lower_hardmax(struct tw_build *b, const struct tw_node *node)
{
    bool old = b->net->opset < 13;
    int v = tw_b_in(b, 0), y, axis;
    struct tw_array places = { 0 };
    size_t dims[3] = { 1, 1, 1 };
    struct tw_val x;

    if (v < 0)
        return tw_b_fail(b, "has no input");
    x = *tw_b_val(b, v);
    axis = tw_b_axis(b, tw_node_int(node, "axis", old ? 1 : -1), x.rank);
    if (axis < 0)
        return b->err->code;
    for (int i = 0; i < x.rank; i++)
        dims[i < axis ? 0 : i == axis || old ? 1 : 2] *= x.dims[i];
    if (tw_array_make(&places, TW_I64, 2, (const size_t[]){ dims[1], 1 }, b->err))
        return b->err->code;
    for (size_t i = 0; i < dims[1]; i++)
        tw_array_set_int(&places, i, (int64_t)i);
    v = tw_b_alias(b, v, 3, dims);
    y = v < 0 ? -1 : argmax(b, node, v, 1, true);
    y = tw_b_cast(b, tw_b_binary(b, TW_B_EQ, y, tw_b_const(b, &places)), x.dtype);
    tw_b_out(b, 0, tw_b_alias(b, y, x.rank, x.dims));
    return b->err->code;
}

/* ---- losses -------------------------------------------------------------------------------------
 */

/* SoftmaxCrossEntropyLoss, NegativeLogLikelihoodLoss and tw.CrossEntropy: logits (or log p)
 * [N, C, ...] and targets [N, ...]; tw.CrossEntropy has the classes along `axis`. */
enum tw_status tw_lower_cross_entropy(struct tw_build *b, const struct tw_node *node)
{
    bool ours = !strcmp(node->op, "tw.CrossEntropy");
    bool nll = !strcmp(node->op, "NegativeLogLikelihoodLoss") || tw_node_int(node, "log", 0);
    const char *reduction = ours ? "none" : tw_node_text(node, "reduction", "mean");
    const struct tw_attr *ignore = tw_node_attr(node, "ignore_index");
    int in[2] = { tw_b_in(b, 0), tw_b_in(b, 1) }, axis, rank = 0, y, w = tw_b_in(b, 2),
        weights = -1;
    struct tw_cross_entropy_data *d;
    size_t dims[TW_MAX_RANK];
    bool all[TW_MAX_RANK];
    struct tw_val x;

    if (in[0] < 0 || in[1] < 0 || tw_b_val(b, in[0])->rank < 1)
        return tw_b_fail(b, "needs logits and targets");
    x = *tw_b_val(b, in[0]);
    axis = tw_b_axis(b, ours ? tw_node_int(node, "axis", -1) : 1, x.rank);
    if (axis < 0)
        return b->err->code;
    d = tw_alloc(1, sizeof *d);
    if (!d)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    *d = (struct tw_cross_entropy_data){ .outer = 1,
                                         .classes = x.dims[axis],
                                         .inner = 1,
                                         .has_ignore = ignore != NULL,
                                         .ignore = ignore ? (double)ignore->i : 0.0,
                                         .smoothing = tw_node_real(node, "label_smoothing", 0.0),
                                         .log_probabilities = nll };
    for (int i = 0; i < x.rank; i++) {
        if (i != axis) {
            *(i < axis ? &d->outer : &d->inner) *= x.dims[i];
            dims[rank++] = x.dims[i];
        }
    }
    if (tw_b_val(b, in[1])->n != d->outer * d->inner) {
        size_t have = tw_b_val(b, in[1])->n, want = d->outer * d->inner;

        free(d);
        return tw_b_fail(b, "has %zu targets for %zu positions", have, want);
    }
    y = tw_b_instr(b, &tw_op_cross_entropy, 2, in, tw_b_temp(b, TW_F32, rank, dims), d,
                   5.0 * (double)x.n);
    if (node->nout > 1 && node->out[1] >= 0) { /* log p as a second output */
        struct tw_softmax_data *s = tw_alloc(1, sizeof *s);

        if (!s)
            return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
        *s = (struct tw_softmax_data){ true, 1, x.dims[axis], 1 };
        for (int i = 0; i < x.rank; i++)
            if (i != axis)
                *(i < axis ? &s->outer : &s->inner) *= x.dims[i];
        tw_b_out(b, 1,
                 tw_b_instr(b, &tw_op_softmax, 1, in, tw_b_temp(b, x.dtype, x.rank, x.dims), s,
                            5.0 * (double)x.n));
    }
    /* Weights: of the classes, and 0 where the target is ignored. */
    if (w >= 0) {
        const struct tw_pick_data row = { 1, tw_b_val(b, w)->n, 1, tw_b_val(b, in[1])->n, 0, 1, 0 };

        weights = tw_b_pick(b, w, in[1], tw_b_temp(b, TW_F32, rank, dims), &row);
    }
    if (ignore) {
        int keep =
            tw_b_unary(b, TW_U_NOT, 0, 0,
                       tw_b_binary(b, TW_B_EQ, in[1], tw_b_const_real(b, (double)ignore->i)));
        int zero = tw_b_const_real(b, 0.0);

        keep = tw_b_cast(b, keep, TW_F32);
        keep = tw_b_alias(b, keep, rank, dims);
        if (weights < 0) {
            weights = keep;
        } else { /* an ignored target may be no class at all: choose, do not multiply */
            int v[3] = { keep, weights, zero };
            struct tw_binary_data *s = tw_alloc(1, sizeof *s);
            size_t n = tw_b_val(b, weights)->n;

            if (!s)
                return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
            s->loop = (struct tw_loop){
                .nd = 1, .n = { n }, .sc = { 1 }, .sa = { 1 }, .sb = { 0 }, .sy = { 1 }
            };
            weights = tw_b_instr(b, &tw_op_select, 3, v, tw_b_temp(b, TW_F32, rank, dims), s, 0.0);
        }
    }
    if (weights >= 0 && w >= 0)
        y = tw_b_binary(b, TW_B_MUL, y, weights);
    for (int i = 0; i < rank; i++)
        all[i] = true;
    if (!strcmp(reduction, "sum") || !strcmp(reduction, "mean")) {
        bool mean = !strcmp(reduction, "mean");

        y = tw_b_reduce(b, TW_B_ADD, mean && weights < 0, y, all, false);
        if (mean && weights >= 0) {
            int total = tw_b_reduce(b, TW_B_ADD, false, weights, all, false);

            y = tw_b_binary(b, TW_B_MUL, y, tw_b_unary(b, TW_U_RECIP, 0, 0, total));
        }
    } else if (strcmp(reduction, "none") != 0) {
        return tw_b_fail(b, "has an unknown reduction '%s'", reduction);
    }
    tw_b_out(b, 0, y);
    return b->err->code;
}

/* tw.BCEWithLogits: softplus(x) - x y, for each element. */
enum tw_status tw_lower_bce(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0), y = tw_b_in(b, 1);

    (void)node;
    tw_b_out(b, 0,
             tw_b_binary(b, TW_B_SUB, tw_b_unary(b, TW_U_SOFTPLUS, 0, 0, x),
                         tw_b_binary(b, TW_B_MUL, x, y)));
    return b->err->code;
}
