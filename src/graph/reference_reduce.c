/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Reductions along axes: sums, norms, extremes and their places; running sums. */
#include "reference.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum kind { SUM, MEAN, MAX, MIN, PROD, L1, L2, LOG_SUM, LOG_SUM_EXP, SUM_SQUARE };

/* Of one result: the sum (product, extreme) so far, and for LOG_SUM_EXP the largest term. */
struct part {
    double x, largest;
    int64_t k;
    size_t n;
};

static void take(enum kind kind, bool is_unsigned, struct part *p, double x, int64_t k)
{
    const bool first = p->n++ == 0;
    const uint64_t u = (uint64_t)k;

    switch (kind) {
    case PROD:
        p->x *= x;
        p->k = (int64_t)((uint64_t)p->k * u);
        break;
    case MAX:
        p->x = first || isnan(x) || x > p->x ? x : p->x;
        if (first || (is_unsigned ? u > (uint64_t)p->k : k > p->k))
            p->k = k;
        break;
    case MIN:
        p->x = first || isnan(x) || x < p->x ? x : p->x;
        if (first || (is_unsigned ? u < (uint64_t)p->k : k < p->k))
            p->k = k;
        break;
    case L1:
        p->x += fabs(x);
        p->k = (int64_t)((uint64_t)p->k + (k < 0 && !is_unsigned ? 0U - u : u));
        break;
    case L2:
    case SUM_SQUARE:
        p->x += x * x;
        p->k = (int64_t)((uint64_t)p->k + u * u);
        break;
    case LOG_SUM_EXP: /* e^x relative to the largest so far */
        if (isnan(x) || x > p->largest) {
            p->x = (isinf(p->largest) ? 0.0 : p->x * exp(p->largest - x)) + 1.0;
            p->largest = x;
        } else {
            p->x += isinf(x) ? (x == p->largest && x > 0.0 ? 1.0 : 0.0) : exp(x - p->largest);
        }
        break;
    default:
        p->x += x;
        p->k = (int64_t)((uint64_t)p->k + u);
        break;
    }
}

static void finish(enum kind kind, struct tw_array *y, size_t i, const struct part *p)
{
    const bool real = tw_dtype_is_real(y->dtype);

    switch (kind) {
    case MEAN:
        tw_array_set_real(y, i, p->x / (double)p->n);
        break;
    case L2:
        tw_array_set_real(y, i, sqrt(p->x));
        break;
    case LOG_SUM:
        tw_array_set_real(y, i, log(p->x));
        break;
    case LOG_SUM_EXP:
        tw_array_set_real(y, i, p->largest + log(p->x));
        break;
    default:
        if (real)
            tw_array_set_real(y, i, p->x);
        else
            tw_array_set_int(y, i, p->k);
        break;
    }
}

/* The shape without the flagged axes, or with ones in their place; and for each axis of x the
 * stride in the result, 0 where it is reduced. */
static int reduced(const struct tw_array *x, const bool *gone, bool keep, size_t *dims,
                   size_t *stride)
{
    size_t s = 1;
    int rank = 0;

    for (int i = 0; i < x->rank; i++)
        if (keep || !gone[i])
            dims[rank++] = gone[i] ? 1 : x->dims[i];
    for (int i = x->rank; i-- > 0;) {
        stride[i] = gone[i] ? 0 : s;
        s *= gone[i] ? 1 : x->dims[i];
    }
    return rank;
}

static enum tw_status run(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const enum kind kind = (enum kind)r->row->which;
    /* an input for ReduceSum from opset 13 on, for the others from 18 */
    const bool input = r->opset >= (kind == SUM ? 13 : 18);
    struct tw_ref_list axes;
    bool gone[TW_MAX_RANK];
    size_t dims[TW_MAX_RANK], stride[TW_MAX_RANK];
    struct part *part;
    int rank;
    enum tw_status rc = tw_ref_list(r, "axes", input ? 1 : -1, &axes);

    if (rc == TW_OK)
        rc = tw_ref_flags(r, &axes, x->rank, gone);
    if (rc != TW_OK)
        return rc;
    if (axes.n == 0 && tw_node_int(r->node, "noop_with_empty_axes", 0) != 0)
        return tw_ref_out_copy(r, 0, x, x->rank, x->dims);
    for (int i = 0; axes.n == 0 && i < x->rank; i++)
        gone[i] = true;
    rank = reduced(x, gone, tw_node_int(r->node, "keepdims", 1) != 0, dims, stride);
    rc = tw_ref_out(r, 0, x->dtype, rank, dims);
    if (rc != TW_OK)
        return rc;
    part = tw_alloc(r->out[0].n, sizeof *part);
    if (!part)
        return tw_err_set(r->err, TW_ENOMEM, "out of memory for %zu sums", r->out[0].n);
    for (size_t i = 0; i < r->out[0].n; i++)
        part[i] = (struct part){ .x = kind == PROD  ? 1.0
                                      : kind == MAX ? -(double)INFINITY
                                      : kind == MIN ? (double)INFINITY
                                                    : 0.0,
                                 .largest = -HUGE_VAL,
                                 .k = kind == PROD };
    for (size_t i = 0; i < x->n; i++)
        take(kind, x->dtype == TW_U64, &part[tw_ref_at(i, x->rank, x->dims, stride)],
             tw_array_real(x, i), tw_array_int(x, i));
    for (size_t i = 0; i < r->out[0].n; i++)
        finish(kind, &r->out[0], i, &part[i]);
    free(part);
    return TW_OK;
}

/* which: 1 largest, -1 smallest. NaN counts as the extreme, as in NumPy. */
static bool before(const struct tw_array *x, size_t a, size_t b, int which, bool equal)
{
    if (tw_dtype_is_real(x->dtype)) {
        const double p = which * tw_array_real(x, a), q = which * tw_array_real(x, b);

        if (isnan(p) || isnan(q))
            return isnan(p) && (equal || !isnan(q));
        return p > q || (equal && p == q);
    }
    if (tw_array_int(x, a) == tw_array_int(x, b))
        return equal;
    if (x->dtype == TW_U64)
        return ((uint64_t)tw_array_int(x, a) > (uint64_t)tw_array_int(x, b)) == (which > 0);
    return (tw_array_int(x, a) > tw_array_int(x, b)) == (which > 0);
}

static enum tw_status run_arg(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool last = tw_node_int(r->node, "select_last_index", 0) != 0;
    bool gone[TW_MAX_RANK] = { false };
    size_t dims[TW_MAX_RANK], stride[TW_MAX_RANK], n, inner;
    int axis, rank;
    enum tw_status rc = tw_ref_axis(r, tw_node_int(r->node, "axis", 0), x->rank, &axis);

    if (rc != TW_OK)
        return rc;
    gone[axis] = true;
    rank = reduced(x, gone, tw_node_int(r->node, "keepdims", 1) != 0, dims, stride);
    rc = tw_ref_out(r, 0, TW_I64, rank, dims);
    n = x->dims[axis];
    inner = tw_ref_product(x->dims, axis + 1, x->rank);
    if (rc == TW_OK && n == 0)
        return tw_ref_fail(r, "axis %d is empty", axis);
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        const size_t from = i / inner * n * inner + i % inner;
        size_t best = 0;

        for (size_t k = 1; k < n; k++)
            if (before(x, from + k * inner, from + best * inner, r->row->which, last))
                best = k;
        tw_array_set_int(&r->out[0], i, (int64_t)best);
    }
    return rc;
}

static enum tw_status run_cumsum(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool exclusive = tw_node_int(r->node, "exclusive", 0) != 0;
    const bool reverse = tw_node_int(r->node, "reverse", 0) != 0;
    size_t n, inner;
    int axis;
    enum tw_status rc;

    if (r->in[1]->n != 1)
        return tw_ref_fail(r, "expected one axis");
    rc = tw_ref_axis(r, tw_array_int(r->in[1], 0), x->rank, &axis);
    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    if (rc != TW_OK || x->n == 0)
        return rc;
    n = x->dims[axis];
    inner = tw_ref_product(x->dims, axis + 1, x->rank);
    for (size_t i = 0; i < x->n / n; i++) {
        const size_t from = i / inner * n * inner + i % inner;
        double s = 0.0;
        uint64_t k = 0;

        for (size_t j = 0; j < n; j++) {
            const size_t at = from + (reverse ? n - 1 - j : j) * inner;
            const double before_s = s;
            const uint64_t before_k = k;

            s += tw_array_real(x, at);
            k += (uint64_t)tw_array_int(x, at);
            if (tw_dtype_is_real(x->dtype))
                tw_array_set_real(&r->out[0], at, exclusive ? before_s : s);
            else
                tw_array_set_int(&r->out[0], at, (int64_t)(exclusive ? before_k : k));
        }
    }
    return TW_OK;
}

const struct tw_ref_op tw_ref_reduce[] = {
    { .op = "ReduceSum", .least = 1, .most = 2, .run = run, .which = SUM },
    { .op = "ReduceMean", .least = 1, .most = 2, .run = run, .which = MEAN },
    { .op = "ReduceMax", .least = 1, .most = 2, .run = run, .which = MAX },
    { .op = "ReduceMin", .least = 1, .most = 2, .run = run, .which = MIN },
    { .op = "ReduceProd", .least = 1, .most = 2, .run = run, .which = PROD },
    { .op = "ReduceL1", .least = 1, .most = 2, .run = run, .which = L1 },
    { .op = "ReduceL2", .least = 1, .most = 2, .run = run, .which = L2 },
    { .op = "ReduceLogSum", .least = 1, .most = 2, .run = run, .which = LOG_SUM },
    { .op = "ReduceLogSumExp", .least = 1, .most = 2, .run = run, .which = LOG_SUM_EXP },
    { .op = "ReduceSumSquare", .least = 1, .most = 2, .run = run, .which = SUM_SQUARE },
    { .op = "ArgMax", .least = 1, .most = 1, .run = run_arg, .which = 1 },
    { .op = "ArgMin", .least = 1, .most = 1, .run = run_arg, .which = -1 },
    { .op = "CumSum", .least = 2, .most = 2, .run = run_cumsum },
    { .op = NULL },
};
