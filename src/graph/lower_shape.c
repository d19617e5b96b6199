/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that look at shapes, or give the same numbers another one. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

int tw_b_axis(struct tw_build *b, int64_t axis, int rank)
{
    if (axis < -rank || axis >= rank) {
        tw_b_fail(b, "has axis %lld for an input of rank %d", (long long)axis, rank);
        return -1;
    }
    return (int)(axis < 0 ? axis + rank : axis);
}

enum tw_status tw_b_axes(struct tw_build *b, size_t n, const int64_t *axes, int rank,
                         bool none_is_none, bool mask[TW_MAX_RANK])
{
    for (int i = 0; i < rank; i++)
        mask[i] = !n && !none_is_none;
    for (size_t i = 0; i < n; i++) {
        int axis = tw_b_axis(b, axes[i], rank);

        if (axis < 0)
            return b->err->code;
        mask[axis] = true;
    }
    return TW_OK;
}

enum tw_status tw_b_ints(struct tw_build *b, size_t i, size_t *n, int64_t **x)
{
    int v = tw_b_in(b, i);

    *n = 0;
    *x = NULL;
    if (v < 0)
        return TW_OK;
    if (!tw_b_is_const(b, v))
        return tw_b_fail(b, "input %zu depends on the data; only constants are supported there", i);
    *n = tw_b_val(b, v)->n;
    *x = tw_alloc(*n, sizeof **x);
    if (!*x)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    for (size_t j = 0; j < *n; j++)
        (*x)[j] = tw_array_int(&tw_b_val(b, v)->constant, j);
    return TW_OK;
}

enum tw_status tw_b_ints_or_attr(struct tw_build *b, size_t i, const char *name, size_t *n,
                                 int64_t **x)
{
    const struct tw_attr *a = tw_node_attr(b->node, name);

    if (tw_b_in(b, i) >= 0 || !a || a->kind != TW_ATTR_INTS)
        return tw_b_ints(b, i, n, x);
    *n = a->n;
    *x = tw_alloc(a->n, sizeof **x);
    if (!*x)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    memcpy(*x, a->ints, a->n * sizeof **x);
    return TW_OK;
}

int tw_b_need(struct tw_build *b, size_t i)
{
    int v = tw_b_in(b, i);

    if (v < 0)
        tw_b_fail(b, "input %zu is missing", i);
    return v;
}

/* ---- another shape of the same numbers ---------------------------------------------------------
 */

enum tw_status tw_lower_identity(struct tw_build *b, const struct tw_node *node)
{
    (void)node;
    tw_b_out(b, 0, tw_b_need(b, 0));
    return b->err->code;
}

enum tw_status tw_lower_reshape(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0), free_axis = -1;
    size_t n, dims[TW_MAX_RANK], known = 1;
    int64_t *shape;
    enum tw_status st = tw_b_ints_or_attr(b, 1, "shape", &n, &shape);

    if (st || v < 0) {
        free(shape);
        return b->err->code;
    }
    for (size_t i = 0; i < n && i < TW_MAX_RANK; i++) {
        dims[i] = 1;
        if (shape[i] == -1 && free_axis < 0) {
            free_axis = (int)i;
            continue;
        }
        if (shape[i] == 0 && !tw_node_int(node, "allowzero", 0))
            dims[i] = (int)i < tw_b_val(b, v)->rank ? tw_b_val(b, v)->dims[i] : 0;
        else if (shape[i] >= 0)
            dims[i] = (size_t)shape[i];
        else
            st = tw_b_fail(b, "asks for an extent of %lld", (long long)shape[i]);
        if (dims[i] && known > ((size_t)1 << 40) / dims[i])
            st = tw_b_fail(b, "asks for more elements than there are");
        known *= dims[i];
    }
    free(shape);
    if (st)
        return st;
    if (n > TW_MAX_RANK)
        return tw_b_fail(b, "asks for rank %zu; at most %d is supported", n, TW_MAX_RANK);
    if (free_axis >= 0) {
        if (!known || tw_b_val(b, v)->n % known)
            return tw_b_fail(b, "cannot divide %zu elements by %zu", tw_b_val(b, v)->n, known);
        dims[free_axis] = tw_b_val(b, v)->n / known;
    } else if (known != tw_b_val(b, v)->n) {
        return tw_b_fail(b,
                         "reshapes %zu elements to %zu: was the network exported for a fixed "
                         "batch? Export it with a free one",
                         tw_b_val(b, v)->n, known);
    }
    tw_b_out(b, 0, tw_b_alias(b, v, (int)n, dims));
    return b->err->code;
}

enum tw_status tw_lower_flatten(struct tw_build *b, const struct tw_node *node)
{
    int64_t axis = tw_node_int(node, "axis", 1);
    size_t dims[2] = { 1, 1 };
    int v = tw_b_need(b, 0), rank;

    if (v < 0)
        return b->err->code;
    rank = tw_b_val(b, v)->rank;
    if (axis < -rank || axis > rank)
        return tw_b_fail(b, "has axis %lld for an input of rank %d", (long long)axis, rank);
    axis = axis < 0 ? axis + rank : axis;
    for (int i = 0; i < rank; i++)
        dims[i >= axis] *= tw_b_val(b, v)->dims[i];
    tw_b_out(b, 0, tw_b_alias(b, v, 2, dims));
    return b->err->code;
}

enum tw_status tw_lower_squeeze(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0), rank = 0;
    bool mask[TW_MAX_RANK] = { false };
    size_t n, dims[TW_MAX_RANK];
    int64_t *axes;
    enum tw_status st = tw_b_ints_or_attr(b, 1, "axes", &n, &axes);

    (void)node;
    if (!st && v >= 0)
        st = tw_b_axes(b, n, axes, tw_b_val(b, v)->rank, true, mask);
    free(axes);
    if (st || v < 0)
        return b->err->code;
    for (int i = 0; i < tw_b_val(b, v)->rank; i++) {
        size_t d = tw_b_val(b, v)->dims[i];

        if (n ? !mask[i] : d != 1)
            dims[rank++] = d;
        else if (d != 1)
            return tw_b_fail(b, "takes away axis %d, which has extent %zu", i, d);
    }
    tw_b_out(b, 0, tw_b_alias(b, v, rank, dims));
    return b->err->code;
}

enum tw_status tw_lower_unsqueeze(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0), rank, from = 0;
    bool mask[TW_MAX_RANK] = { false };
    size_t n, dims[TW_MAX_RANK];
    int64_t *axes;
    enum tw_status st = tw_b_ints_or_attr(b, 1, "axes", &n, &axes);

    (void)node;
    rank = v < 0 ? 0 : tw_b_val(b, v)->rank + (int)(n < TW_MAX_RANK ? n : TW_MAX_RANK);
    if (!st && rank > TW_MAX_RANK)
        st = tw_b_fail(b, "makes a value of rank %d; at most %d is supported", rank, TW_MAX_RANK);
    if (!st)
        st = tw_b_axes(b, n, axes, rank, true, mask);
    free(axes);
    if (st || v < 0)
        return b->err->code;
    for (int i = 0; i < rank; i++)
        dims[i] = mask[i] ? 1 : tw_b_val(b, v)->dims[from++];
    tw_b_out(b, 0, tw_b_alias(b, v, rank, dims));
    return b->err->code;
}

/* ---- shapes as numbers: known when the network is compiled
 * ---------------------------------------- */

enum tw_status tw_lower_shape(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0);
    int64_t rank, first, last;
    struct tw_array a = { 0 };
    size_t n;

    if (v < 0)
        return b->err->code;
    rank = tw_b_val(b, v)->rank;
    first = tw_node_int(node, "start", 0);
    last = tw_node_int(node, "end", rank);
    first = first < 0 ? first + rank : first;
    last = last < 0 ? last + rank : last;
    first = first < 0 ? 0 : first > rank ? rank : first;
    last = last < first ? first : last > rank ? rank : last;
    n = (size_t)(last - first);
    if (tw_array_make(&a, TW_I64, 1, &n, b->err))
        return b->err->code;
    for (size_t i = 0; i < n; i++)
        tw_array_set_int(&a, i, (int64_t)tw_b_val(b, v)->dims[(size_t)first + i]);
    tw_b_out(b, 0, tw_b_const(b, &a));
    return b->err->code;
}

enum tw_status tw_lower_size(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0);
    struct tw_array a = { 0 };

    (void)node;
    if (v < 0 || tw_array_make(&a, TW_I64, 0, NULL, b->err))
        return b->err->code;
    tw_array_set_int(&a, 0, (int64_t)tw_b_val(b, v)->n);
    tw_b_out(b, 0, tw_b_const(b, &a));
    return b->err->code;
}
