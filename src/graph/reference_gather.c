/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elements by index: Gather and its relatives, OneHot, TopK. */
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static enum tw_status bad_index(const struct tw_ref *r, int64_t i, size_t n)
{
    return tw_ref_fail(r, "index %lld into %zu elements", (long long)i, n);
}

static enum tw_status need_integers(const struct tw_ref *r, const struct tw_array *a)
{
    if (tw_dtype_is_real(a->dtype))
        return tw_ref_fail(r, "indices must be integers, not %s", tw_dtype_name(a->dtype));
    return TW_OK;
}

static enum tw_status run_gather(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0], *at = r->in[1];
    size_t dims[2 * TW_MAX_RANK], inner;
    int axis, rank;
    enum tw_status rc = tw_ref_axis(r, tw_node_int(r->node, "axis", 0), x->rank, &axis);

    if (rc == TW_OK)
        rc = need_integers(r, at);
    if (rc != TW_OK)
        return rc;
    rank = x->rank + at->rank - 1;
    for (int i = 0; i < rank; i++)
        dims[i] = i < axis              ? x->dims[i]
                  : i < axis + at->rank ? at->dims[i - axis]
                                        : x->dims[i - at->rank + 1];
    rc = tw_ref_out(r, 0, x->dtype, rank, dims);
    inner = tw_ref_product(x->dims, axis + 1, x->rank);
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        const int64_t given = tw_array_int(at, i / inner % at->n);
        size_t k;

        if (!tw_ref_index(given, x->dims[axis], &k))
            return bad_index(r, given, x->dims[axis]);
        tw_ref_copy(&r->out[0], i, x, (i / inner / at->n * x->dims[axis] + k) * inner + i % inner);
    }
    return rc;
}

static enum tw_status run_gather_elements(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0], *at = r->in[1];
    size_t stride[TW_MAX_RANK];
    int axis;
    enum tw_status rc = tw_ref_axis(r, tw_node_int(r->node, "axis", 0), x->rank, &axis);

    if (rc == TW_OK)
        rc = need_integers(r, at);
    if (rc == TW_OK && at->rank != x->rank)
        rc = tw_ref_fail(r, "indices of rank %d, data of rank %d", at->rank, x->rank);
    for (int i = 0; rc == TW_OK && i < x->rank; i++)
        if (i != axis && at->dims[i] > x->dims[i])
            rc = tw_ref_fail(r, "more indices than data along axis %d", i);
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, x->dtype, at->rank, at->dims);
    if (rc != TW_OK)
        return rc;
    tw_ref_strides(x->rank, x->dims, stride);
    for (size_t i = 0; i < at->n; i++) {
        const int64_t given = tw_array_int(at, i);
        size_t rest = i, from = 0, k;

        if (!tw_ref_index(given, x->dims[axis], &k))
            return bad_index(r, given, x->dims[axis]);
        for (int d = at->rank; d-- > 0; rest /= at->dims[d])
            from += (d == axis ? k : rest % at->dims[d]) * stride[d];
        tw_ref_copy(&r->out[0], i, x, from);
    }
    return TW_OK;
}

/* The last dimension of the indices holds places in x after `batch_dims` common dimensions. */
static enum tw_status run_gather_nd(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0], *at = r->in[1];
    const int64_t batch = tw_node_int(r->node, "batch_dims", 0);
    size_t dims[2 * TW_MAX_RANK], stride[TW_MAX_RANK], depth, inner, per_batch, whole;
    int rank, nb;
    enum tw_status rc = need_integers(r, at);

    if (rc == TW_OK && (at->rank < 1 || batch < 0 || batch >= at->rank || batch >= x->rank))
        rc = tw_ref_fail(r, "batch_dims %lld for ranks %d and %d", (long long)batch, x->rank,
                         at->rank);
    if (rc != TW_OK)
        return rc;
    nb = (int)batch;
    depth = at->dims[at->rank - 1];
    if (depth > (size_t)(x->rank - nb))
        return tw_ref_fail(r, "%zu indices into %d dimensions", depth, x->rank - nb);
    for (int i = 0; i < nb; i++)
        if (x->dims[i] != at->dims[i])
            return tw_ref_fail(r, "batches of %zu and %zu", x->dims[i], at->dims[i]);
    rank = at->rank - 1;
    memcpy(dims, at->dims, sizeof at->dims);
    for (int i = nb + (int)depth; i < x->rank; i++)
        dims[rank++] = x->dims[i];
    rc = tw_ref_out(r, 0, x->dtype, rank, dims);
    tw_ref_strides(x->rank, x->dims, stride);
    inner = tw_ref_product(x->dims, nb + (int)depth, x->rank);
    whole = tw_ref_product(x->dims, nb, x->rank);
    per_batch = tw_ref_product(at->dims, nb, at->rank - 1);
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        const size_t tuple = i / inner;
        size_t from = tuple / per_batch * whole + i % inner;

        for (size_t d = 0; d < depth; d++) {
            const int64_t given = tw_array_int(at, tuple * depth + d);
            const size_t n = x->dims[(size_t)nb + d];
            size_t k;

            if (!tw_ref_index(given, n, &k))
                return bad_index(r, given, n);
            from += k * stride[(size_t)nb + d];
        }
        tw_ref_copy(&r->out[0], i, x, from);
    }
    return rc;
}

/* depth, then values off and on; an index out of range gives a row of offs. */
static enum tw_status run_one_hot(struct tw_ref *r)
{
    const struct tw_array *at = r->in[0], *values = r->in[2];
    size_t dims[TW_MAX_RANK + 1], n, inner;
    int64_t depth;
    int axis;
    enum tw_status rc = tw_ref_axis(r, tw_node_int(r->node, "axis", -1), at->rank + 1, &axis);

    if (rc == TW_OK && (r->in[1]->n != 1 || values->n != 2))
        rc = tw_ref_fail(r, "expected one depth and two values");
    if (rc != TW_OK)
        return rc;
    depth = tw_array_int(r->in[1], 0);
    if (depth < 1)
        return tw_ref_fail(r, "depth %lld", (long long)depth);
    n = (size_t)depth;
    for (int i = 0; i <= at->rank; i++)
        dims[i] = i < axis ? at->dims[i] : i == axis ? n : at->dims[i - 1];
    rc = tw_ref_out(r, 0, values->dtype, at->rank + 1, dims);
    inner = tw_ref_product(at->dims, axis, at->rank);
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        const size_t from = i / inner / n * inner + i % inner;
        size_t k;
        const bool hot = tw_ref_index(tw_array_int(at, from), n, &k) && k == i / inner % n;

        tw_ref_copy(&r->out[0], i, values, hot);
    }
    return rc;
}

/* ---- TopK ------------------------------------------------------------------------------------ */

struct item {
    double x; /* negated for the smallest; NaN counts as the largest */
    int64_t k;
    size_t at;
    bool real, is_unsigned;
};

/* Larger first; of equals the first one. */
static int by_value(const void *a, const void *b)
{
    const struct item *p = a, *q = b;
    const double x = p->x, y = q->x;

    if (p->real) {
        if (isnan(x) != isnan(y))
            return isnan(x) ? -1 : 1;
        if (x > y || x < y)
            return x > y ? -1 : 1;
    } else if (p->k != q->k) {
        const bool larger = p->is_unsigned ? (uint64_t)p->k > (uint64_t)q->k : p->k > q->k;

        return larger ? -1 : 1;
    }
    return p->at < q->at ? -1 : 1;
}

static enum tw_status run_topk(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool largest = tw_node_int(r->node, "largest", 1) != 0;
    struct tw_ref_list k;
    struct item *row;
    size_t dims[TW_MAX_RANK], n, m, inner;
    int axis;
    enum tw_status rc = tw_ref_axis(r, tw_node_int(r->node, "axis", -1), x->rank, &axis);

    if (rc == TW_OK)
        rc = tw_ref_list(r, "k", r->opset >= 10 ? 1 : -1, &k);
    if (rc != TW_OK)
        return rc;
    n = x->dims[axis];
    if (k.n != 1 || k.v[0] < 0 || (uint64_t)k.v[0] > n)
        return tw_ref_fail(r, "k must be one number up to %zu", n);
    m = (size_t)k.v[0];
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = m;
    rc = tw_ref_out(r, 0, x->dtype, x->rank, dims);
    if (rc == TW_OK && r->nout > 1)
        rc = tw_ref_out(r, 1, TW_I64, x->rank, dims);
    if (rc != TW_OK)
        return rc;
    row = tw_alloc(n, sizeof *row);
    if (!row)
        return tw_err_set(r->err, TW_ENOMEM, "out of memory for %zu elements", n);
    inner = tw_ref_product(dims, axis + 1, x->rank);
    for (size_t i = 0; n > 0 && m > 0 && i < x->n / n; i++) {
        const size_t from = i / inner * n * inner + i % inner;
        const size_t to = i / inner * m * inner + i % inner;

        for (size_t j = 0; j < n; j++) {
            const double v = tw_array_real(x, from + j * inner);
            const int64_t w = tw_array_int(x, from + j * inner);

            row[j] = (struct item){ largest ? v : -v, largest ? w : ~w, j,
                                    tw_dtype_is_real(x->dtype), x->dtype == TW_U64 };
        }
        qsort(row, n, sizeof *row, by_value);
        for (size_t j = 0; j < m; j++) {
            tw_ref_copy(&r->out[0], to + j * inner, x, from + row[j].at * inner);
            if (r->nout > 1)
                tw_array_set_int(&r->out[1], to + j * inner, (int64_t)row[j].at);
        }
    }
    free(row);
    return TW_OK;
}

const struct tw_ref_op tw_ref_gather[] = {
    { .op = "Gather", .least = 2, .most = 2, .run = run_gather },
    { .op = "GatherElements", .least = 2, .most = 2, .run = run_gather_elements },
    { .op = "GatherND", .least = 2, .most = 2, .run = run_gather_nd },
    { .op = "OneHot", .least = 3, .most = 3, .run = run_one_hot },
    { .op = "TopK", .least = 1, .most = 2, .run = run_topk },
    { .op = NULL },
};
