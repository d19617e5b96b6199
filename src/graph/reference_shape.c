/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that change or ask for a shape and leave the elements where they are. */
#include "reference.h"

#include <string.h>

static enum tw_status run_identity(struct tw_ref *r)
{
    return tw_ref_out_copy(r, 0, r->in[0], r->in[0]->rank, r->in[0]->dims);
}

static enum tw_status run_flatten(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const int64_t given = tw_node_int(r->node, "axis", 1);
    size_t dims[2];
    int axis = x->rank;

    if (given != x->rank) {
        const enum tw_status rc = tw_ref_axis(r, given, x->rank, &axis);

        if (rc != TW_OK)
            return rc;
    }
    dims[0] = tw_ref_product(x->dims, 0, axis);
    dims[1] = tw_ref_product(x->dims, axis, x->rank);
    return tw_ref_out_copy(r, 0, x, 2, dims);
}

/* 0 stands for the input's extent (unless allowzero), -1 for what is left over. */
static enum tw_status run_reshape(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool allow_zero = tw_node_int(r->node, "allowzero", 0) != 0;
    struct tw_ref_list shape;
    size_t dims[TW_MAX_RANK], known = 1;
    int free = -1;
    enum tw_status rc = tw_ref_list(r, "shape", 1, &shape);

    if (rc == TW_OK && (!shape.given || shape.n > TW_MAX_RANK))
        rc = tw_ref_fail(r, shape.given ? "the shape is too long" : "without a shape");
    if (rc != TW_OK)
        return rc;
    for (size_t i = 0; i < shape.n; i++) {
        if (shape.v[i] < -1 || (shape.v[i] == -1 && free >= 0) ||
            (shape.v[i] == 0 && !allow_zero && (int)i >= x->rank))
            return tw_ref_fail(r, "extent %lld at %zu of the shape is wrong", (long long)shape.v[i],
                               i);
        if (shape.v[i] == -1)
            free = (int)i;
        dims[i] = shape.v[i] == -1                 ? 1
                  : shape.v[i] == 0 && !allow_zero ? x->dims[i]
                                                   : (size_t)shape.v[i];
        if (dims[i] && known > SIZE_MAX / dims[i])
            return tw_ref_fail(r, "the shape is too large");
        known *= dims[i];
    }
    if (free >= 0) {
        if (known == 0 || x->n % known != 0)
            return tw_ref_fail(r, "%zu elements are no multiple of %zu", x->n, known);
        dims[free] = x->n / known;
    }
    return tw_ref_out_copy(r, 0, x, (int)shape.n, dims);
}

static enum tw_status run_shape(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const int64_t rank = x->rank;
    int64_t from = tw_node_int(r->node, "start", 0), to = tw_node_int(r->node, "end", rank);
    size_t n;
    enum tw_status rc;

    from = from < -rank ? 0 : from < 0 ? from + rank : from > rank ? rank : from;
    to = to < -rank ? 0 : to < 0 ? to + rank : to > rank ? rank : to;
    n = to > from ? (size_t)(to - from) : 0;
    rc = tw_ref_out(r, 0, TW_I64, 1, &n);
    for (size_t i = 0; rc == TW_OK && i < n; i++)
        tw_array_set_int(&r->out[0], i, (int64_t)x->dims[(size_t)from + i]);
    return rc;
}

static enum tw_status run_size(struct tw_ref *r)
{
    const enum tw_status rc = tw_ref_out(r, 0, TW_I64, 0, NULL);

    if (rc == TW_OK)
        tw_array_set_int(&r->out[0], 0, (int64_t)r->in[0]->n);
    return rc;
}

static enum tw_status run_unsqueeze(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    struct tw_ref_list axes;
    bool added[TW_MAX_RANK];
    size_t dims[TW_MAX_RANK];
    int rank, from = 0;
    enum tw_status rc = tw_ref_list(r, "axes", 1, &axes);

    if (rc == TW_OK && !axes.given)
        rc = tw_ref_fail(r, "without axes");
    if (rc == TW_OK && (size_t)x->rank + axes.n > TW_MAX_RANK)
        rc = tw_ref_fail(r, "the result has more than %d dimensions", TW_MAX_RANK);
    if (rc != TW_OK)
        return rc;
    rank = x->rank + (int)axes.n;
    rc = tw_ref_flags(r, &axes, rank, added);
    if (rc != TW_OK)
        return rc;
    for (int i = 0; i < rank; i++)
        dims[i] = added[i] ? 1 : x->dims[from++];
    return tw_ref_out_copy(r, 0, x, rank, dims);
}

static enum tw_status run_squeeze(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    struct tw_ref_list axes;
    bool gone[TW_MAX_RANK];
    size_t dims[TW_MAX_RANK];
    int rank = 0;
    enum tw_status rc = tw_ref_list(r, "axes", 1, &axes);

    if (rc == TW_OK)
        rc = tw_ref_flags(r, &axes, x->rank, gone);
    if (rc != TW_OK)
        return rc;
    for (int i = 0; i < x->rank; i++) {
        if (!axes.given)
            gone[i] = x->dims[i] == 1;
        else if (gone[i] && x->dims[i] != 1)
            return tw_ref_fail(r, "axis %d has extent %zu, not 1", i, x->dims[i]);
        if (!gone[i])
            dims[rank++] = x->dims[i];
    }
    return tw_ref_out_copy(r, 0, x, rank, dims);
}

/* Evaluated networks drop nothing out. Before opset 7 `is_test` said so, which exporters often
 * left at training; from opset 12 training_mode is an input, and training at ratio 0 is exact. */
static enum tw_status run_dropout(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0], *ratio = tw_ref_in(r, 1), *training = tw_ref_in(r, 2);
    enum tw_status rc;

    if (training && training->n == 1 && tw_array_int(training, 0) != 0 &&
        !(ratio && ratio->n == 1 && tw_array_real(ratio, 0) == 0.0))
        return tw_ref_fail(r, "training mode draws random numbers; export it for evaluation");
    rc = run_identity(r);
    if (rc != TW_OK || r->nout < 2)
        return rc;
    rc = tw_ref_out(r, 1, r->opset < 10 ? x->dtype : TW_BOOL, x->rank, x->dims);
    for (size_t i = 0; rc == TW_OK && i < x->n; i++)
        tw_array_set_int(&r->out[1], i, 1);
    return rc;
}

const struct tw_ref_op tw_ref_shape[] = {
    { .op = "Identity", .least = 1, .most = 1, .run = run_identity },
    { .op = "Flatten", .least = 1, .most = 1, .run = run_flatten },
    { .op = "Reshape", .least = 1, .most = 2, .run = run_reshape },
    { .op = "Shape", .least = 1, .most = 1, .run = run_shape },
    { .op = "Size", .least = 1, .most = 1, .run = run_size },
    { .op = "Unsqueeze", .least = 1, .most = 2, .run = run_unsqueeze },
    { .op = "Squeeze", .least = 1, .most = 2, .run = run_squeeze },
    { .op = "Dropout", .least = 1, .most = 3, .run = run_dropout },
    { .op = NULL },
};
