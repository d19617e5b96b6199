/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shapes, strides, attributes: what the operators of the reference interpreter share. */
#include "reference.h"

#include <string.h>

enum tw_status tw_ref_fail(const struct tw_ref *r, const char *fmt, ...)
{
    struct tw_str s = { 0 };
    va_list ap;

    va_start(ap, fmt);
    tw_str_vaddf(&s, fmt, ap);
    va_end(ap);
    (void)tw_err_set(r->err, TW_EFORMAT, "node '%s' (%s): %s", r->node->name ? r->node->name : "",
                     r->node->op, s.s ? s.s : fmt);
    tw_str_release(&s);
    return TW_EFORMAT;
}

const struct tw_array *tw_ref_in(const struct tw_ref *r, size_t i)
{
    return i < r->nin ? r->in[i] : NULL;
}

/* ---- outputs --------------------------------------------------------------------------------- */

enum tw_status tw_ref_out(struct tw_ref *r, size_t k, enum tw_dtype t, int rank, const size_t *dims)
{
    const size_t most = (size_t)1 << 31;
    size_t n = 1;

    if (k >= r->nout)
        return tw_ref_fail(r, "output %zu is not asked for", k);
    if (rank > TW_MAX_RANK)
        return tw_ref_fail(r, "the result has %d dimensions; at most %d are supported", rank,
                           TW_MAX_RANK);
    for (int i = 0; i < rank; i++) {
        if (dims[i] > 0 && n > most / dims[i])
            return tw_ref_fail(r, "the result has more than 2^31 elements");
        n *= dims[i] > 0 ? dims[i] : 1;
    }
    return tw_array_make(&r->out[k], t, rank, dims, r->err);
}

enum tw_status tw_ref_out_like(struct tw_ref *r, size_t k, const struct tw_array *a)
{
    return tw_ref_out(r, k, a->dtype, a->rank, a->dims);
}

enum tw_status tw_ref_out_copy(struct tw_ref *r, size_t k, const struct tw_array *a, int rank,
                               const size_t *dims)
{
    const enum tw_status rc = tw_ref_out(r, k, a->dtype, rank, dims);

    if (rc != TW_OK)
        return rc;
    if (r->out[k].n != a->n)
        return tw_ref_fail(r, "%zu elements do not fit a shape of %zu", a->n, r->out[k].n);
    memcpy(r->out[k].data, a->data, a->n * tw_dtype_size(a->dtype));
    return TW_OK;
}

enum tw_status tw_ref_need_real(const struct tw_ref *r, const struct tw_array *a)
{
    if (!tw_dtype_is_real(a->dtype))
        return tw_ref_fail(r, "expected real numbers, found %s", tw_dtype_name(a->dtype));
    return TW_OK;
}

enum tw_status tw_ref_need_type(const struct tw_ref *r, const struct tw_array *a,
                                const struct tw_array *b)
{
    if (a->dtype != b->dtype)
        return tw_ref_fail(r, "inputs of different types: %s and %s", tw_dtype_name(a->dtype),
                           tw_dtype_name(b->dtype));
    return TW_OK;
}

/* ---- axes and lists -------------------------------------------------------------------------- */

enum tw_status tw_ref_axis(const struct tw_ref *r, int64_t given, int rank, int *axis)
{
    if (given < -rank || given >= rank)
        return tw_ref_fail(r, "axis %lld of an array with %d dimensions", (long long)given, rank);
    *axis = (int)(given < 0 ? given + rank : given);
    return TW_OK;
}

enum tw_status tw_ref_list(const struct tw_ref *r, const char *attr, int input,
                           struct tw_ref_list *list)
{
    const struct tw_attr *a = attr ? tw_node_attr(r->node, attr) : NULL;
    const struct tw_array *in = input >= 0 ? tw_ref_in(r, (size_t)input) : NULL;
    const size_t room = sizeof list->v / sizeof *list->v;
    size_t n;

    memset(list, 0, sizeof *list);
    if (in && (tw_dtype_is_real(in->dtype) || in->rank > 1))
        return tw_ref_fail(r, "input %d is %s of rank %d; expected a list of integers", input,
                           tw_dtype_name(in->dtype), in->rank);
    if (!in && a && a->kind != TW_ATTR_INTS && a->kind != TW_ATTR_INT)
        return tw_ref_fail(r, "attribute '%s' is not a list of integers", attr);
    if (!in && !a)
        return TW_OK;
    n = in ? in->n : a->kind == TW_ATTR_INT ? 1 : a->n;
    if (n > room)
        return tw_ref_fail(r, "a list of %zu integers; at most %zu are supported", n, room);
    list->given = true;
    list->n = n;
    for (size_t i = 0; i < n; i++)
        list->v[i] = in ? tw_array_int(in, i) : a->kind == TW_ATTR_INT ? a->i : a->ints[i];
    return TW_OK;
}

enum tw_status tw_ref_flags(const struct tw_ref *r, const struct tw_ref_list *list, int rank,
                            bool *flags)
{
    memset(flags, 0, TW_MAX_RANK * sizeof *flags);
    for (size_t i = 0; i < list->n; i++) {
        int axis = 0;
        const enum tw_status rc = tw_ref_axis(r, list->v[i], rank, &axis);

        if (rc != TW_OK)
            return rc;
        if (flags[axis])
            return tw_ref_fail(r, "axis %d twice", axis);
        flags[axis] = true;
    }
    return TW_OK;
}

/* ---- strides --------------------------------------------------------------------------------- */

void tw_ref_strides(int rank, const size_t *dims, size_t *stride)
{
    size_t s = 1;

    for (int i = rank; i-- > 0;) {
        stride[i] = s;
        s *= dims[i];
    }
}

void tw_ref_spread(const struct tw_array *a, int rank, size_t *stride)
{
    size_t s = 1;

    for (int i = rank; i-- > 0;) {
        const int k = i - (rank - a->rank);

        stride[i] = k < 0 || a->dims[k] == 1 ? 0 : s;
        s *= k < 0 ? 1 : a->dims[k];
    }
}

size_t tw_ref_at(size_t i, int rank, const size_t *dims, const size_t *stride)
{
    size_t at = 0;

    for (int k = rank; k-- > 0;) {
        at += i % dims[k] * stride[k];
        i /= dims[k];
    }
    return at;
}

enum tw_status tw_ref_broadcast(const struct tw_ref *r, size_t n, const struct tw_array *const *a,
                                int *rank, size_t *dims)
{
    *rank = 0;
    for (size_t j = 0; j < n; j++)
        if (a[j] && a[j]->rank > *rank)
            *rank = a[j]->rank;
    for (int i = 0; i < *rank; i++) {
        dims[i] = 1;
        for (size_t j = 0; j < n; j++) {
            const int k = a[j] ? i - (*rank - a[j]->rank) : -1;

            if (k < 0 || a[j]->dims[k] == 1 || a[j]->dims[k] == dims[i])
                continue;
            if (dims[i] != 1)
                return tw_ref_fail(r, "shapes do not match: extents %zu and %zu", dims[i],
                                   a[j]->dims[k]);
            dims[i] = a[j]->dims[k];
        }
    }
    return TW_OK;
}

enum tw_status tw_ref_legacy(const struct tw_ref *r, const struct tw_array *a,
                             const struct tw_array *b, struct tw_array *view)
{
    const int64_t axis = tw_node_int(r->node, "axis", a->rank - b->rank);

    *view = *b;
    if (r->opset >= 7 || b->rank > a->rank || b->rank == 0)
        return TW_OK;
    if (axis < 0 || axis + b->rank > a->rank)
        return tw_ref_fail(r, "axis %lld does not suit ranks %d and %d", (long long)axis, a->rank,
                           b->rank);
    view->rank = a->rank;
    for (int i = 0; i < a->rank; i++)
        view->dims[i] = i < axis || i >= axis + b->rank ? 1 : b->dims[i - axis];
    return TW_OK;
}

size_t tw_ref_digit(size_t *rest, size_t n)
{
    const size_t i = *rest % n;

    *rest /= n;
    return i;
}

void tw_ref_copy(struct tw_array *to, size_t i, const struct tw_array *from, size_t j)
{
    const size_t size = tw_dtype_size(from->dtype);

    memcpy((char *)to->data + i * size, (const char *)from->data + j * size, size);
}

size_t tw_ref_product(const size_t *dims, int from, int to)
{
    size_t n = 1;

    for (int i = from; i < to; i++)
        n *= dims[i];
    return n;
}

bool tw_ref_index(int64_t given, size_t n, size_t *index)
{
    if (given < -(int64_t)n || given >= (int64_t)n)
        return false;
    *index = (size_t)(given < 0 ? given + (int64_t)n : given);
    return true;
}

enum tw_dtype tw_ref_dtype(int64_t code)
{
    static const enum tw_dtype types[] = {
        TW_NONE, TW_F32, TW_U8,  TW_I8,  TW_U16, TW_I16,  TW_I32,  TW_I64,  TW_NONE,
        TW_BOOL, TW_F16, TW_F64, TW_U32, TW_U64, TW_NONE, TW_NONE, TW_BF16,
    };

    return code >= 0 && code < (int64_t)(sizeof types / sizeof *types) ? types[code] : TW_NONE;
}
