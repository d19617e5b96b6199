/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arrays made from attributes, shapes and numbers. */
#include "reference.h"

#include <math.h>
#include <string.h>

/* The value under one of several names, by kind. */
static enum tw_status run_constant(struct tw_ref *r)
{
    const struct tw_attr *a = NULL;
    const size_t one = 1;
    enum tw_status rc;

    for (size_t i = 0; i < r->node->nattr && !a; i++)
        if (strncmp(r->node->attr[i].name, "value", 5) == 0)
            a = &r->node->attr[i];
    if (!a || (a->kind == TW_ATTR_ARRAY && a->array.dtype == TW_NONE) || a->kind == TW_ATTR_TEXT)
        return tw_ref_fail(r, "without a value of numbers");
    if (a->kind == TW_ATTR_ARRAY)
        return tw_ref_out_copy(r, 0, &a->array, a->array.rank, a->array.dims);
    rc = tw_ref_out(r, 0, a->kind == TW_ATTR_INT || a->kind == TW_ATTR_INTS ? TW_I64 : TW_F32,
                    a->kind == TW_ATTR_INTS || a->kind == TW_ATTR_REALS, a->n ? &a->n : &one);
    if (rc == TW_OK && (a->kind == TW_ATTR_INTS || a->kind == TW_ATTR_REALS) && a->n == 0) {
        const size_t none = 0;

        tw_array_release(&r->out[0]);
        rc = tw_ref_out(r, 0, a->kind == TW_ATTR_INTS ? TW_I64 : TW_F32, 1, &none);
    }
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        if (a->kind == TW_ATTR_INT || a->kind == TW_ATTR_INTS)
            tw_array_set_int(&r->out[0], i, a->kind == TW_ATTR_INT ? a->i : a->ints[i]);
        else
            tw_array_set_real(&r->out[0], i, a->kind == TW_ATTR_REAL ? a->r : a->reals[i]);
    }
    return rc;
}

static enum tw_status run_constant_of_shape(struct tw_ref *r)
{
    const struct tw_attr *value = tw_node_attr(r->node, "value");
    const bool given = value && value->kind == TW_ATTR_ARRAY && value->array.n == 1;
    struct tw_ref_list shape;
    size_t dims[2 * TW_MAX_RANK];
    enum tw_status rc = tw_ref_list(r, NULL, 0, &shape);

    for (size_t i = 0; rc == TW_OK && i < shape.n; i++) {
        if (shape.v[i] < 0)
            rc = tw_ref_fail(r, "extent %lld", (long long)shape.v[i]);
        dims[i] = (size_t)shape.v[i];
    }
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, given ? value->array.dtype : TW_F32, (int)shape.n, dims);
    for (size_t i = 0; rc == TW_OK && given && i < r->out[0].n; i++)
        tw_ref_copy(&r->out[0], i, &value->array, 0);
    return rc;
}

/* max(ceil((limit - start) / delta), 0) numbers from start on. */
static enum tw_status run_range(struct tw_ref *r)
{
    const struct tw_array *from = r->in[0], *to = r->in[1], *by = r->in[2];
    double count;
    size_t n;
    enum tw_status rc = tw_ref_need_type(r, from, to);

    if (rc == TW_OK)
        rc = tw_ref_need_type(r, from, by);
    if (rc == TW_OK && (from->n != 1 || to->n != 1 || by->n != 1))
        rc = tw_ref_fail(r, "expected three numbers");
    if (rc == TW_OK && tw_array_real(by, 0) == 0.0)
        rc = tw_ref_fail(r, "a step of 0");
    if (rc != TW_OK)
        return rc;
    count = ceil((tw_array_real(to, 0) - tw_array_real(from, 0)) / tw_array_real(by, 0));
    if (!(count < 0x1p32))
        return tw_ref_fail(r, "%g elements", count);
    n = count > 0.0 ? (size_t)count : 0;
    rc = tw_ref_out(r, 0, from->dtype, 1, &n);
    for (size_t i = 0; rc == TW_OK && i < n; i++) {
        if (tw_dtype_is_real(from->dtype))
            tw_array_set_real(&r->out[0], i,
                              tw_array_real(from, 0) + (double)i * tw_array_real(by, 0));
        else
            tw_array_set_int(&r->out[0], i,
                             (int64_t)((uint64_t)tw_array_int(from, 0) +
                                       (uint64_t)i * (uint64_t)tw_array_int(by, 0)));
    }
    return rc;
}

static enum tw_status run_eye_like(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const int64_t k = tw_node_int(r->node, "k", 0), code = tw_node_int(r->node, "dtype", -1);
    const enum tw_dtype t = code < 0 ? x->dtype : tw_ref_dtype(code);
    enum tw_status rc;

    if (x->rank != 2 || t == TW_NONE || k < INT32_MIN || k > INT32_MAX)
        return tw_ref_fail(r, "expected a matrix, a supported type and a small k");
    rc = tw_ref_out(r, 0, t, 2, x->dims);
    for (size_t i = 0; rc == TW_OK && i < x->n; i++)
        if ((int64_t)(i % x->dims[1]) - (int64_t)(i / x->dims[1]) == k)
            tw_array_set_int(&r->out[0], i, 1);
    return rc;
}

/* Upper: the elements with column - row >= k are kept; lower: <= k. */
static enum tw_status run_trilu(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0], *diagonal = tw_ref_in(r, 1);
    const bool upper = tw_node_int(r->node, "upper", 1) != 0;
    const int64_t k = diagonal && diagonal->n == 1 ? tw_array_int(diagonal, 0) : 0;
    enum tw_status rc;

    if (x->rank < 2)
        return tw_ref_fail(r, "expected matrices");
    rc = tw_ref_out_like(r, 0, x);
    for (size_t i = 0; rc == TW_OK && i < x->n; i++) {
        const size_t columns = x->dims[x->rank - 1], rows = x->dims[x->rank - 2];
        const int64_t d = (int64_t)(i % columns) - (int64_t)(i / columns % rows);

        if (upper ? d >= k : d <= k)
            tw_ref_copy(&r->out[0], i, x, i);
    }
    return rc;
}

const struct tw_ref_op tw_ref_make_ops[] = {
    { .op = "Constant", .least = 0, .most = 0, .run = run_constant },
    { .op = "ConstantOfShape", .least = 1, .most = 1, .run = run_constant_of_shape },
    { .op = "Range", .least = 3, .most = 3, .run = run_range },
    { .op = "EyeLike", .least = 1, .most = 1, .run = run_eye_like },
    { .op = "Trilu", .least = 1, .most = 2, .run = run_trilu },
    { .op = NULL },
};
