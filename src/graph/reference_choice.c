/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elementwise operators that choose or bound: Where, Clip, PRelu; and changes of type. */
#include "reference.h"

#include <math.h>
#include <string.h>

static enum tw_status run_where(struct tw_ref *r)
{
    size_t dims[TW_MAX_RANK], s[3][TW_MAX_RANK];
    int rank;
    enum tw_status rc = tw_ref_need_type(r, r->in[1], r->in[2]);

    if (rc == TW_OK)
        rc = tw_ref_broadcast(r, 3, r->in, &rank, dims);
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, r->in[1]->dtype, rank, dims);
    if (rc != TW_OK)
        return rc;
    for (size_t j = 0; j < 3; j++)
        tw_ref_spread(r->in[j], rank, s[j]);
    for (size_t i = 0; i < r->out[0].n; i++) {
        const size_t j = tw_array_int(r->in[0], tw_ref_at(i, rank, dims, s[0])) ? 1 : 2;

        tw_ref_copy(&r->out[0], i, r->in[j], tw_ref_at(i, rank, dims, s[j]));
    }
    return TW_OK;
}

/* The bounds were attributes before opset 11. */
static enum tw_status bound(const struct tw_ref *r, size_t input, const char *attr, double *x,
                            int64_t *i, bool *given)
{
    const struct tw_array *a = r->opset < 11 ? NULL : tw_ref_in(r, input);

    *given = a || (r->opset < 11 && tw_node_attr(r->node, attr));
    if (a && (a->n != 1 || a->dtype != r->in[0]->dtype))
        return tw_ref_fail(r, "%s must be one number of the input's type", attr);
    *x = a ? tw_array_real(a, 0) : tw_node_real(r->node, attr, 0.0);
    *i = a ? tw_array_int(a, 0) : 0;
    return TW_OK;
}

static enum tw_status run_clip(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool real = tw_dtype_is_real(x->dtype), is_unsigned = x->dtype == TW_U64;
    double lo = 0.0, hi = 0.0;
    int64_t ilo = 0, ihi = 0;
    bool least = false, most = false;
    enum tw_status rc = bound(r, 1, "min", &lo, &ilo, &least);

    if (rc == TW_OK)
        rc = bound(r, 2, "max", &hi, &ihi, &most);
    if (rc == TW_OK && !real && r->opset < 11)
        rc = tw_ref_need_real(r, x);
    if (rc == TW_OK)
        rc = tw_ref_out_like(r, 0, x);
    if (rc != TW_OK)
        return rc;
    for (size_t i = 0; i < x->n; i++) {
        double v = tw_array_real(x, i);
        int64_t k = tw_array_int(x, i);

        /* min first: where the two cross, max wins */
        if (least && v < lo)
            v = lo;
        if (most && v > hi)
            v = hi;
        if (least && (is_unsigned ? (uint64_t)k < (uint64_t)ilo : k < ilo))
            k = ilo;
        if (most && (is_unsigned ? (uint64_t)k > (uint64_t)ihi : k > ihi))
            k = ihi;
        if (real)
            tw_array_set_real(&r->out[0], i, v);
        else
            tw_array_set_int(&r->out[0], i, k);
    }
    return TW_OK;
}

/* One slope, one a channel, or (opset 7) anything that spreads over x. */
static enum tw_status run_prelu(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    struct tw_array slope = *r->in[1];
    const struct tw_array *both[] = { x, &slope };
    size_t dims[TW_MAX_RANK], s[TW_MAX_RANK];
    int rank;
    enum tw_status rc = tw_ref_need_type(r, x, &slope);

    if (r->opset < 7 && slope.rank == 1 && slope.n > 1 && x->rank > 2) {
        slope.rank = x->rank - 1;
        for (int i = 1; i < slope.rank; i++)
            slope.dims[i] = 1;
    }
    if (rc == TW_OK)
        rc = tw_ref_broadcast(r, 2, both, &rank, dims);
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, x->dtype, rank, dims);
    if (rc == TW_OK && !tw_array_same_shape(x, &r->out[0]))
        rc = tw_ref_fail(r, "the slope does not spread over the input");
    if (rc != TW_OK)
        return rc;
    tw_ref_spread(&slope, rank, s);
    for (size_t i = 0; i < x->n; i++) {
        const size_t at = tw_ref_at(i, rank, dims, s);
        const double v = tw_array_real(x, i);

        if (!tw_dtype_is_real(x->dtype)) {
            const int64_t k = tw_array_int(x, i);

            tw_array_set_int(&r->out[0], i,
                             k < 0 && x->dtype != TW_U64
                                 ? (int64_t)((uint64_t)k * (uint64_t)tw_array_int(&slope, at))
                                 : k);
            continue;
        }
        tw_array_set_real(&r->out[0], i, v < 0.0 ? v * tw_array_real(&slope, at) : v);
    }
    return TW_OK;
}

static enum tw_status convert(struct tw_ref *r, enum tw_dtype t)
{
    const enum tw_status rc = tw_ref_out(r, 0, t, r->in[0]->rank, r->in[0]->dims);

    if (rc != TW_OK) /* too large */
        return rc;
    tw_array_release(&r->out[0]);
    return tw_array_convert(&r->out[0], t, r->in[0], r->err);
}

static enum tw_status run_cast(struct tw_ref *r)
{
    const int64_t to = tw_node_int(r->node, "to", 0);

    if (tw_ref_dtype(to) == TW_NONE)
        return tw_ref_fail(r, "type %lld is not supported", (long long)to);
    return convert(r, tw_ref_dtype(to));
}

static enum tw_status run_cast_like(struct tw_ref *r)
{
    return convert(r, r->in[1]->dtype);
}

const struct tw_ref_op tw_ref_choice[] = {
    { .op = "Where", .least = 3, .most = 3, .run = run_where },
    { .op = "Clip", .least = 1, .most = 3, .run = run_clip },
    { .op = "PRelu", .least = 2, .most = 2, .run = run_prelu },
    { .op = "Cast", .least = 1, .most = 1, .run = run_cast },
    { .op = "CastLike", .least = 2, .most = 2, .run = run_cast_like },
    { .op = NULL },
};
