/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that move elements: transposed, joined, cut, repeated, padded. */
#include "reference.h"

#include <string.h>

static enum tw_status run_transpose(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    struct tw_ref_list perm;
    bool seen[TW_MAX_RANK];
    size_t dims[TW_MAX_RANK], own[TW_MAX_RANK], stride[TW_MAX_RANK];
    enum tw_status rc = tw_ref_list(r, "perm", -1, &perm);

    if (rc == TW_OK && !perm.given)
        for (perm.n = 0; perm.n < (size_t)x->rank; perm.n++)
            perm.v[perm.n] = x->rank - 1 - (int)perm.n;
    if (rc == TW_OK && perm.n != (size_t)x->rank)
        rc = tw_ref_fail(r, "%zu axes for %d dimensions", perm.n, x->rank);
    if (rc == TW_OK)
        rc = tw_ref_flags(r, &perm, x->rank, seen);
    if (rc != TW_OK)
        return rc;
    tw_ref_strides(x->rank, x->dims, own);
    for (int i = 0; i < x->rank; i++) {
        const int64_t from = perm.v[i] < 0 ? perm.v[i] + x->rank : perm.v[i];

        dims[i] = x->dims[from];
        stride[i] = own[from];
    }
    rc = tw_ref_out(r, 0, x->dtype, x->rank, dims);
    for (size_t i = 0; rc == TW_OK && i < x->n; i++)
        tw_ref_copy(&r->out[0], i, x, tw_ref_at(i, x->rank, dims, stride));
    return rc;
}

static enum tw_status run_concat(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    size_t dims[TW_MAX_RANK], outer, inner, done = 0;
    int axis;
    enum tw_status rc = tw_ref_axis(r, tw_node_int(r->node, "axis", 1), x->rank, &axis);

    if (rc != TW_OK)
        return rc;
    memcpy(dims, x->dims, sizeof dims);
    dims[axis] = 0;
    for (size_t j = 0; j < r->nin; j++) {
        const struct tw_array *a = r->in[j];

        if (!a || a->rank != x->rank)
            return tw_ref_fail(r, "inputs of different ranks");
        for (int i = 0; i < x->rank; i++)
            if (i != axis && a->dims[i] != x->dims[i])
                return tw_ref_fail(r, "input %zu has extent %zu at axis %d, not %zu", j, a->dims[i],
                                   i, x->dims[i]);
        rc = tw_ref_need_type(r, x, a);
        if (rc != TW_OK)
            return rc;
        dims[axis] += a->dims[axis];
    }
    rc = tw_ref_out(r, 0, x->dtype, x->rank, dims);
    if (rc != TW_OK)
        return rc;
    outer = tw_ref_product(dims, 0, axis);
    inner = tw_ref_product(dims, axis + 1, x->rank);
    for (size_t j = 0; j < r->nin; j++) {
        const size_t row = r->in[j]->dims[axis] * inner;

        for (size_t i = 0; i < outer * row; i++)
            tw_ref_copy(&r->out[0], i / row * dims[axis] * inner + done + i % row, r->in[j], i);
        done += row;
    }
    return TW_OK;
}

/* Lengths of the parts: given, or equal; with num_outputs the last one may be shorter. */
static enum tw_status split_lengths(const struct tw_ref *r, size_t extent, size_t part,
                                    size_t *length)
{
    const struct tw_array *in = tw_ref_in(r, 1);
    const struct tw_attr *attr = in ? NULL : tw_node_attr(r->node, "split");
    const size_t n = in ? in->n : attr ? attr->n : r->nout;
    size_t even;
    int64_t given;

    if (n != r->nout || (in && tw_dtype_is_real(in->dtype)) || (attr && attr->kind != TW_ATTR_INTS))
        return tw_ref_fail(r, "%zu lengths for %zu outputs", n, r->nout);
    if (!in && !attr) {
        even = extent / n + (extent % n != 0);
        if (extent % n != 0 && r->opset < 18)
            return tw_ref_fail(r, "%zu cannot be cut into %zu equal parts", extent, n);
        *length = even * part >= extent         ? 0
                  : extent - even * part < even ? extent - even * part
                                                : even;
        return TW_OK;
    }
    given = in ? tw_array_int(in, part) : attr->ints[part];
    if (given < 0 || (uint64_t)given > extent)
        return tw_ref_fail(r, "a part of length %lld of %zu", (long long)given, extent);
    *length = (size_t)given;
    return TW_OK;
}

static enum tw_status run_split(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    size_t dims[TW_MAX_RANK], outer, inner, done = 0;
    int axis;
    enum tw_status rc = tw_ref_axis(r, tw_node_int(r->node, "axis", 0), x->rank, &axis);

    if (rc != TW_OK)
        return rc;
    memcpy(dims, x->dims, sizeof dims);
    outer = tw_ref_product(dims, 0, axis);
    inner = tw_ref_product(dims, axis + 1, x->rank);
    for (size_t k = 0; k < r->nout; k++) {
        size_t length = 0, row;

        rc = split_lengths(r, x->dims[axis], k, &length);
        if (rc == TW_OK && length > x->dims[axis] - done)
            rc = tw_ref_fail(r, "the parts are longer than the whole, %zu", x->dims[axis]);
        dims[axis] = length;
        if (rc == TW_OK)
            rc = tw_ref_out(r, k, x->dtype, x->rank, dims);
        if (rc != TW_OK)
            return rc;
        row = length * inner;
        for (size_t i = 0; i < outer * row; i++)
            tw_ref_copy(&r->out[k], i, x, (i / row * x->dims[axis] + done) * inner + i % row);
        done += length;
    }
    if (done != x->dims[axis])
        return tw_ref_fail(r, "the parts add up to %zu, not %zu", done, x->dims[axis]);
    return TW_OK;
}

/* ---- Slice ----------------------------------------------------------------------------------- */

struct cut {
    int64_t from, step;
    size_t n;
};

/* As in Python: out-of-range ends are cut to the range. */
static struct cut cut(int64_t extent, int64_t from, int64_t to, int64_t step)
{
    const int64_t least = step < 0 ? -1 : 0, most = step < 0 ? extent - 1 : extent;
    struct cut c = { .step = step };

    from += from < 0 ? extent : 0;
    to += to < 0 ? extent : 0;
    from = from < least ? least : from > most ? most : from;
    to = to < least ? least : to > most ? most : to;
    c.from = from;
    if (step > 0 && to > from)
        c.n = (size_t)((to - from - 1) / step + 1);
    if (step < 0 && to < from)
        c.n = (size_t)((from - to - 1) / -step + 1);
    return c;
}

/* The cut of each axis: inputs from opset 10 on, attributes before. */
static enum tw_status read_cuts(const struct tw_ref *r, struct cut *cuts)
{
    const struct tw_array *x = r->in[0];
    const bool inputs = r->opset >= 10;
    struct tw_ref_list from, to = { 0 }, axes = { 0 }, steps = { 0 };
    bool seen[TW_MAX_RANK];
    enum tw_status rc = tw_ref_list(r, "starts", inputs ? 1 : -1, &from);

    if (rc == TW_OK)
        rc = tw_ref_list(r, "ends", inputs ? 2 : -1, &to);
    if (rc == TW_OK)
        rc = tw_ref_list(r, "axes", inputs ? 3 : -1, &axes);
    if (rc == TW_OK)
        rc = tw_ref_list(r, NULL, inputs ? 4 : -1, &steps);
    if (rc == TW_OK && !axes.given)
        for (axes.n = 0; axes.n < from.n; axes.n++)
            axes.v[axes.n] = (int64_t)axes.n;
    if (rc == TW_OK &&
        (!from.given || to.n != from.n || axes.n != from.n || (steps.given && steps.n != from.n)))
        rc = tw_ref_fail(r, "starts, ends, axes, steps differ in length");
    if (rc == TW_OK)
        rc = tw_ref_flags(r, &axes, x->rank, seen);
    if (rc != TW_OK)
        return rc;
    for (int i = 0; i < x->rank; i++)
        cuts[i] = cut((int64_t)x->dims[i], 0, (int64_t)x->dims[i], 1);
    for (size_t k = 0; k < axes.n; k++) {
        const int64_t axis = axes.v[k] < 0 ? axes.v[k] + x->rank : axes.v[k];
        const int64_t step = steps.given ? steps.v[k] : 1;

        if (step == 0 || step == INT64_MIN)
            return tw_ref_fail(r, "step %lld", (long long)step);
        cuts[axis] = cut((int64_t)x->dims[axis], from.v[k], to.v[k], step);
    }
    return TW_OK;
}

static enum tw_status run_slice(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    struct cut cuts[TW_MAX_RANK];
    size_t dims[TW_MAX_RANK], stride[TW_MAX_RANK];
    enum tw_status rc = read_cuts(r, cuts);

    if (rc != TW_OK)
        return rc;
    for (int i = 0; i < x->rank; i++)
        dims[i] = cuts[i].n;
    rc = tw_ref_out(r, 0, x->dtype, x->rank, dims);
    tw_ref_strides(x->rank, x->dims, stride);
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        size_t rest = i, at = 0;

        for (int k = x->rank; k-- > 0;)
            at += (size_t)(cuts[k].from + (int64_t)tw_ref_digit(&rest, dims[k]) * cuts[k].step) *
                  stride[k];
        tw_ref_copy(&r->out[0], i, x, at);
    }
    return rc;
}

/* ---- Expand, Tile, Pad ----------------------------------------------------------------------- */

static enum tw_status run_expand(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    struct tw_ref_list shape;
    struct tw_array like = { .dtype = TW_U8 };
    const struct tw_array *both[] = { x, &like };
    size_t dims[TW_MAX_RANK], stride[TW_MAX_RANK];
    int rank = 0;
    enum tw_status rc = tw_ref_list(r, NULL, 1, &shape);

    if (rc == TW_OK && shape.n > TW_MAX_RANK)
        rc = tw_ref_fail(r, "the shape is too long");
    for (size_t i = 0; rc == TW_OK && i < shape.n; i++) {
        if (shape.v[i] < 0)
            rc = tw_ref_fail(r, "extent %lld", (long long)shape.v[i]);
        like.dims[i] = (size_t)shape.v[i];
    }
    like.rank = (int)shape.n;
    if (rc == TW_OK)
        rc = tw_ref_broadcast(r, 2, both, &rank, dims);
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, x->dtype, rank, dims);
    if (rc != TW_OK)
        return rc;
    tw_ref_spread(x, rank, stride);
    for (size_t i = 0; i < r->out[0].n; i++)
        tw_ref_copy(&r->out[0], i, x, tw_ref_at(i, rank, dims, stride));
    return TW_OK;
}

static enum tw_status run_tile(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    struct tw_ref_list repeats;
    size_t dims[TW_MAX_RANK] = { 0 }, stride[TW_MAX_RANK];
    enum tw_status rc = tw_ref_list(r, NULL, 1, &repeats);

    if (rc == TW_OK && repeats.n != (size_t)x->rank)
        rc = tw_ref_fail(r, "%zu repeats for %d dimensions", repeats.n, x->rank);
    for (int i = 0; rc == TW_OK && i < x->rank; i++) {
        if (repeats.v[i] < 0 || repeats.v[i] > INT32_MAX ||
            x->dims[i] > SIZE_MAX / ((size_t)repeats.v[i] + 1))
            rc = tw_ref_fail(r, "%lld repeats", (long long)repeats.v[i]);
        else
            dims[i] = x->dims[i] * (size_t)repeats.v[i];
    }
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, x->dtype, x->rank, dims);
    if (rc != TW_OK)
        return rc;
    tw_ref_strides(x->rank, x->dims, stride);
    for (size_t i = 0; i < r->out[0].n; i++) {
        size_t rest = i, at = 0;

        for (int k = x->rank; k-- > 0;)
            at += tw_ref_digit(&rest, dims[k]) % x->dims[k] * stride[k];
        tw_ref_copy(&r->out[0], i, x, at);
    }
    return TW_OK;
}

enum pad_mode { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP };

/* Before and after each axis; from opset 18 only the axes that are named. */
static enum tw_status read_pads(const struct tw_ref *r, int rank, int64_t *before, int64_t *after)
{
    struct tw_ref_list pads, axes;
    bool seen[TW_MAX_RANK];
    const bool inputs = r->opset >= 11;
    enum tw_status rc = tw_ref_list(r, r->opset < 2 ? "paddings" : "pads", inputs ? 1 : -1, &pads);

    if (rc == TW_OK)
        rc = tw_ref_list(r, NULL, inputs ? 3 : -1, &axes);
    if (rc == TW_OK && !axes.given)
        for (axes.n = 0; axes.n < (size_t)rank; axes.n++)
            axes.v[axes.n] = (int64_t)axes.n;
    if (rc == TW_OK && pads.n != 2 * axes.n)
        rc = tw_ref_fail(r, "%zu pads for %zu axes", pads.n, axes.n);
    if (rc == TW_OK)
        rc = tw_ref_flags(r, &axes, rank, seen);
    for (int i = 0; i < rank; i++)
        before[i] = after[i] = 0;
    for (size_t k = 0; rc == TW_OK && k < axes.n; k++) {
        const int64_t axis = axes.v[k] < 0 ? axes.v[k] + rank : axes.v[k];

        before[axis] = pads.v[k];
        after[axis] = pads.v[k + axes.n];
        if (before[axis] < INT32_MIN || before[axis] > INT32_MAX || after[axis] < INT32_MIN ||
            after[axis] > INT32_MAX)
            rc = tw_ref_fail(r, "pads of 2^31 and more");
    }
    return rc;
}

/* Where position i of an axis of n elements is taken from; -1: the constant. */
static int64_t pad_source(enum pad_mode mode, int64_t i, int64_t n)
{
    if (i >= 0 && i < n)
        return i;
    switch (mode) {
    case PAD_EDGE:
        return i < 0 ? 0 : n - 1;
    case PAD_WRAP:
        return (i % n + n) % n;
    case PAD_REFLECT:
        if (n == 1)
            return 0;
        i = (i % (2 * (n - 1)) + 2 * (n - 1)) % (2 * (n - 1));
        return i < n ? i : 2 * (n - 1) - i;
    default:
        return -1;
    }
}

static enum tw_status run_pad(struct tw_ref *r)
{
    static const char *const modes[] = { "constant", "edge", "reflect", "wrap" };
    const struct tw_array *x = r->in[0], *value = r->opset >= 11 ? tw_ref_in(r, 2) : NULL;
    const char *name = tw_node_text(r->node, "mode", "constant");
    int64_t before[TW_MAX_RANK], after[TW_MAX_RANK];
    size_t dims[TW_MAX_RANK], stride[TW_MAX_RANK], mode = 0;
    enum tw_status rc = read_pads(r, x->rank, before, after);

    while (mode < 4 && strcmp(name, modes[mode]) != 0)
        mode++;
    if (rc == TW_OK && mode == 4)
        rc = tw_ref_fail(r, "unknown mode '%s'", name);
    if (rc == TW_OK && value && (value->n != 1 || value->dtype != x->dtype))
        rc = tw_ref_fail(r, "the constant must be one number of the input's type");
    for (int i = 0; rc == TW_OK && i < x->rank; i++) {
        const int64_t n = (int64_t)x->dims[i] + before[i] + after[i];

        if (n < 0 || (n > 0 && x->dims[i] == 0 && mode != PAD_CONSTANT))
            rc = tw_ref_fail(r, "axis %d of extent %zu cannot be padded so", i, x->dims[i]);
        dims[i] = (size_t)n;
    }
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, x->dtype, x->rank, dims);
    if (rc != TW_OK)
        return rc;
    tw_ref_strides(x->rank, x->dims, stride);
    for (size_t i = 0; i < r->out[0].n; i++) {
        size_t rest = i, at = 0;
        bool inside = true;

        for (int k = x->rank; k-- > 0;) {
            const int64_t from =
                pad_source((enum pad_mode)mode, (int64_t)tw_ref_digit(&rest, dims[k]) - before[k],
                           (int64_t)x->dims[k]);

            inside = inside && from >= 0;
            at += inside ? (size_t)from * stride[k] : 0;
        }
        if (inside)
            tw_ref_copy(&r->out[0], i, x, at);
        else if (value)
            tw_ref_copy(&r->out[0], i, value, 0);
        else if (r->opset < 11)
            tw_array_set_real(&r->out[0], i, tw_node_real(r->node, "value", 0.0));
    }
    return TW_OK;
}

/* ---- blocks between channels and space ------------------------------------------------------- */

/* Both are a reshape to six dimensions and a transposition of those. */
static enum tw_status run_blocks(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool to_space = r->row->which != 0;
    const bool by_column = strcmp(tw_node_text(r->node, "mode", "DCR"), "CRD") == 0;
    const int64_t block = tw_node_int(r->node, "blocksize", 0);
    size_t b, dims[4], six[6], own[6], stride[6];
    /* which of the six dimensions of x each of the result's comes from */
    static const int order[3][6] = { { 0, 3, 5, 1, 2, 4 },   /* space to depth: n c h b w b */
                                     { 0, 3, 4, 1, 5, 2 },   /* depth to space: n b b c h w */
                                     { 0, 1, 4, 2, 5, 3 } }; /* column first:   n c b b h w */
    const int *from = order[to_space ? 1 + by_column : 0];
    enum tw_status rc;

    if (x->rank != 4 || block < 1 || block > INT32_MAX)
        return tw_ref_fail(r, "expected 4 dimensions and a block size of 1 or more");
    b = (size_t)block;
    if (to_space ? x->dims[1] % (b * b) != 0 : x->dims[2] % b != 0 || x->dims[3] % b != 0)
        return tw_ref_fail(r, "the extents are no multiples of the block size %zu", b);
    dims[0] = six[0] = x->dims[0];
    if (to_space) {
        dims[1] = x->dims[1] / (b * b);
        dims[2] = x->dims[2] * b;
        dims[3] = x->dims[3] * b;
        six[1] = by_column ? dims[1] : b;
        six[2] = b;
        six[3] = by_column ? b : dims[1];
        six[4] = x->dims[2];
        six[5] = x->dims[3];
    } else {
        dims[1] = x->dims[1] * b * b;
        six[1] = x->dims[1];
        six[2] = dims[2] = x->dims[2] / b;
        six[4] = dims[3] = x->dims[3] / b;
        six[3] = six[5] = b;
    }
    rc = tw_ref_out(r, 0, x->dtype, 4, dims);
    if (rc != TW_OK)
        return rc;
    tw_ref_strides(6, six, own);
    {
        size_t turned[6];

        for (int i = 0; i < 6; i++) {
            turned[i] = six[from[i]];
            stride[i] = own[from[i]];
        }
        for (size_t i = 0; i < x->n; i++)
            tw_ref_copy(&r->out[0], i, x, tw_ref_at(i, 6, turned, stride));
    }
    return TW_OK;
}

const struct tw_ref_op tw_ref_layout[] = {
    { .op = "Transpose", .least = 1, .most = 1, .run = run_transpose },
    { .op = "Concat", .least = 1, .most = TW_REF_ANY, .run = run_concat },
    { .op = "Split", .least = 1, .most = 2, .run = run_split },
    { .op = "Slice", .least = 1, .most = 5, .run = run_slice },
    { .op = "Expand", .least = 2, .most = 2, .run = run_expand },
    { .op = "Tile", .least = 2, .most = 2, .run = run_tile },
    { .op = "Pad", .least = 1, .most = 4, .run = run_pad },
    { .op = "SpaceToDepth", .least = 1, .most = 1, .run = run_blocks },
    { .op = "DepthToSpace", .least = 1, .most = 1, .run = run_blocks, .which = 1 },
    { .op = NULL },
};
