/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reductions, and the places of extremes. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"

/* Factor by factor, so that each has the product of the others as its derivative, zeros or not. */
static int product(struct tw_build *b, int v, const bool *axes, bool keep)
{
    size_t dims[TW_MAX_RANK], kept[TW_MAX_RANK];
    int rank = tw_b_val(b, v)->rank, nkept = 0;

    memcpy(dims, tw_b_val(b, v)->dims, sizeof dims);
    for (int axis = 0; axis < rank; axis++) {
        size_t n = dims[axis];
        int64_t start[TW_MAX_RANK] = { 0 };
        int y = -1;

        if (!axes[axis] || keep)
            kept[nkept++] = axes[axis] ? 1 : n;
        if (!axes[axis] || n == 1)
            continue;
        if (n == 0 || n > 4096) {
            tw_b_fail(b, "multiplies %zu numbers; derivatives are supported for 1 to 4096", n);
            return -1;
        }
        dims[axis] = 1;
        for (size_t i = 0; i < n; i++) {
            int factor;

            start[axis] = (int64_t)i;
            factor = tw_b_box(b, v, start, NULL, dims);
            y = i ? tw_b_binary(b, TW_B_MUL, y, factor) : factor;
        }
        v = y;
    }
    return tw_b_alias(b, v, nkept, kept);
}

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

        y = f == TW_B_MUL && v >= 0 && tw_b_val(b, v)->active
                ? product(b, v, mask, keep)
                : tw_b_reduce(b, f, !strcmp(kind, "Mean"), v, mask, keep);
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
    if (!x.dims[axis]) {
        free(d);
        tw_b_fail(b, "looks for an extreme of no numbers");
        return -1;
    }
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
