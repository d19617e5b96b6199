/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that take numbers from places given by other numbers, and what is made of that. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"

int tw_b_pick(struct tw_build *b, int x, int index, int out, const struct tw_pick_data *how)
{
    const bool rows = how->outer == 1 && how->so == 0 && how->sj == 1 && how->si == 0;
    struct tw_pick_data *d;
    struct tw_lookup_data *l;
    int in[2] = { x, index };

    if (x < 0 || index < 0 || out < 0)
        return -1;
    if (rows && !tw_b_val(b, x)->varying && tw_b_val(b, index)->varying) { /* there is a kernel */
        l = tw_alloc(1, sizeof *l);
        if (l)
            *l = (struct tw_lookup_data){ how->m, how->n, how->inner };
        return l ? tw_b_instr(b, &tw_op_lookup, 2, in, out, l, 0.0) : -1;
    }
    d = tw_alloc(1, sizeof *d);
    if (d)
        *d = *how;
    return d ? tw_b_instr(b, &tw_op_pick, 2, in, out, d, 0.0) : -1;
}

/* Constant indices: a piece for each. Varying ones: rows of a uniform table, or whatever lies
 * there. */
enum tw_status tw_lower_gather(struct tw_build *b, const struct tw_node *node)
{
    int in[2] = { tw_b_in(b, 0), tw_b_in(b, 1) }, axis, rank = 0, y;
    size_t dims[TW_MAX_RANK], outer = 1, inner = 1, size, count;

    if (in[0] < 0 || in[1] < 0)
        return tw_b_fail(b, "needs data and indices");
    axis = tw_b_axis(b, tw_node_int(node, "axis", 0), tw_b_val(b, in[0])->rank);
    if (axis < 0)
        return b->err->code;
    size = tw_b_val(b, in[0])->dims[axis];
    count = tw_b_val(b, in[1])->n;
    if (tw_b_val(b, in[0])->rank - 1 + tw_b_val(b, in[1])->rank > TW_MAX_RANK)
        return tw_b_fail(b, "makes a value of too high a rank");
    for (int i = 0; i < axis; i++) {
        dims[rank++] = tw_b_val(b, in[0])->dims[i];
        outer *= tw_b_val(b, in[0])->dims[i];
    }
    for (int i = 0; i < tw_b_val(b, in[1])->rank; i++)
        dims[rank++] = tw_b_val(b, in[1])->dims[i];
    for (int i = axis + 1; i < tw_b_val(b, in[0])->rank; i++) {
        dims[rank++] = tw_b_val(b, in[0])->dims[i];
        inner *= tw_b_val(b, in[0])->dims[i];
    }
    if (tw_b_is_const(b, in[1])) {
        struct tw_assemble_data *d = tw_alloc(1, sizeof *d + count * sizeof d->piece[0]);

        if (!d)
            return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
        d->covered = true;
        d->npiece = count;
        for (size_t i = 0; i < count; i++) {
            int64_t j = tw_array_int(&tw_b_val(b, in[1])->constant, i);

            j = j < 0 ? j + (int64_t)size : j;
            if (j < 0 || j >= (int64_t)size) {
                free(d);
                return tw_b_fail(b, "takes row %lld of %zu", (long long)j, size);
            }
            d->piece[i] = (struct tw_piece){ .from = (size_t)j * inner,
                                             .to = i * inner,
                                             .loop = { .nd = 2,
                                                       .n = { outer, inner },
                                                       .sa = { (long)(size * inner), 1 },
                                                       .sy = { (long)(count * inner), 1 } } };
            tw_loop_collapse(&d->piece[i].loop);
        }
        y = tw_b_instr(b, &tw_op_assemble, 1, in,
                       tw_b_temp(b, tw_b_val(b, in[0])->dtype, rank, dims), d, 0.0);
    } else {
        int out = tw_b_temp(b, tw_b_val(b, in[0])->dtype, rank, dims);

        y = tw_b_pick(b, in[0], in[1], out,
                      &(struct tw_pick_data){ outer, size, inner, count, 0, 1, 0 });
    }
    tw_b_out(b, 0, y);
    return b->err->code;
}

/* The part of x that indices of the extents `dims` reach along all axes but one. */
static int reached(struct tw_build *b, int x, int axis, const size_t *dims)
{
    const struct tw_val *v = tw_b_val(b, x);
    size_t cut[TW_MAX_RANK];
    bool whole = true;

    for (int k = 0; k < v->rank; k++) {
        cut[k] = k == axis ? v->dims[k] : dims[k];
        whole = whole && cut[k] == v->dims[k];
        if (cut[k] > v->dims[k]) {
            tw_b_fail(b, "has %zu indices along axis %d of extent %zu", cut[k], k, v->dims[k]);
            return -1;
        }
    }
    return whole ? x : tw_b_box(b, x, NULL, NULL, cut);
}

enum tw_status tw_lower_gather_elements(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0), index = tw_b_in(b, 1), axis, out;
    struct tw_pick_data d = { .outer = 1, .inner = 1 };
    struct tw_val v;

    if (x < 0 || index < 0 || tw_b_val(b, x)->rank != tw_b_val(b, index)->rank)
        return tw_b_fail(b, "needs data and indices of the same rank");
    v = *tw_b_val(b, index);
    axis = tw_b_axis(b, tw_node_int(node, "axis", 0), v.rank);
    if (axis < 0)
        return b->err->code;
    d.n = tw_b_val(b, x)->dims[axis];
    d.m = v.dims[axis];
    for (int i = 0; i < v.rank; i++)
        if (i != axis)
            *(i < axis ? &d.outer : &d.inner) *= v.dims[i];
    d.so = d.m * d.inner;
    d.sj = d.inner;
    d.si = 1;
    x = reached(b, x, axis, v.dims);
    if (x < 0)
        return b->err->code;
    out = tw_b_temp(b, tw_b_val(b, x)->dtype, v.rank, v.dims);
    tw_b_out(b, 0, tw_b_pick(b, x, index, out, &d));
    return b->err->code;
}

/* Indices of several axes become one of all of them, each counted from its start. */
static int flat_index(struct tw_build *b, int index, size_t count, const size_t *extents)
{
    const struct tw_val v = *tw_b_val(b, index);
    struct tw_array size = { 0 }, step = { 0 };
    bool last[TW_MAX_RANK] = { false };
    int64_t at = 1;
    int s, t;

    if (tw_array_make(&size, TW_I64, 1, &count, b->err))
        return -1;
    if (tw_array_make(&step, TW_I64, 1, &count, b->err)) {
        tw_array_release(&size);
        return -1;
    }
    for (size_t i = count; i-- > 0;) {
        tw_array_set_int(&size, i, (int64_t)extents[i]);
        tw_array_set_int(&step, i, at);
        at *= (int64_t)extents[i];
    }
    s = tw_b_const(b, &size);
    t = tw_b_const(b, &step);
    last[v.rank - 1] = true;
    index = tw_b_binary(b, TW_B_MUL, tw_b_binary(b, TW_B_MOD, index, s), t);
    return tw_b_reduce(b, TW_B_ADD, false, index, last, false);
}

enum tw_status tw_lower_gather_nd(struct tw_build *b, const struct tw_node *node)
{
    int64_t batch = tw_node_int(node, "batch_dims", 0);
    int x = tw_b_in(b, 0), index = tw_b_in(b, 1), rank = 0, given;
    struct tw_pick_data d = { .outer = 1, .n = 1, .inner = 1, .m = 1, .sj = 1 };
    size_t dims[2 * TW_MAX_RANK], count;
    struct tw_val v, w;

    if (x < 0 || index < 0 || tw_b_val(b, index)->rank < 1)
        return tw_b_fail(b, "needs data and indices");
    v = *tw_b_val(b, x);
    w = *tw_b_val(b, index);
    count = w.dims[w.rank - 1];
    if (batch < 0 || batch >= w.rank || count < 1 || (size_t)batch + count > (size_t)v.rank ||
        v.rank - (int)count - 1 + w.rank - (int)batch > TW_MAX_RANK)
        return tw_b_fail(b, "has %zu indices a place for an input of rank %d", count, v.rank);
    for (int i = 0; i < batch; i++)
        if (v.dims[i] != w.dims[i])
            return tw_b_fail(b, "has %zu and %zu along batch axis %d", v.dims[i], w.dims[i], i);
    given = (int)batch + (int)count;
    for (int i = 0; i < w.rank - 1; i++) {
        *(i < batch ? &d.outer : &d.m) *= w.dims[i];
        dims[rank++] = w.dims[i];
    }
    for (int i = (int)batch; i < v.rank; i++)
        *(i < given ? &d.n : &d.inner) *= v.dims[i];
    for (int i = given; i < v.rank; i++)
        dims[rank++] = v.dims[i];
    d.so = d.m;
    if (d.n > (size_t)1 << 24)
        return tw_b_fail(b, "picks from more than 2^24 places");
    index = flat_index(b, index, count, v.dims + batch);
    tw_b_out(b, 0, tw_b_pick(b, x, index, tw_b_temp(b, v.dtype, rank, dims), &d));
    return b->err->code;
}

/* off + (on - off) [index = place], both counted from the start. */
enum tw_status tw_lower_one_hot(struct tw_build *b, const struct tw_node *node)
{
    int index = tw_b_in(b, 0), values = tw_b_in(b, 2), axis, rank, hit, pair[2], places, depth;
    size_t n, dims[TW_MAX_RANK], ones[TW_MAX_RANK];
    int64_t *given;
    struct tw_array a = { 0 };
    enum tw_dtype type;
    enum tw_status st = tw_b_ints(b, 1, &n, &given);

    if (st)
        return st;
    n = n && given[0] > 0 && given[0] < 1 << 24 ? (size_t)given[0] : 0;
    free(given);
    if (!n || index < 0 || values < 0 || tw_b_val(b, values)->n != 2 ||
        tw_b_val(b, values)->rank != 1 || tw_b_val(b, index)->rank >= TW_MAX_RANK)
        return tw_b_fail(b, "needs indices, a depth and two values");
    rank = tw_b_val(b, index)->rank + 1;
    type = tw_b_val(b, values)->dtype;
    axis = tw_b_axis(b, tw_node_int(node, "axis", -1), rank);
    if (axis < 0 || tw_array_make(&a, TW_F64, 1, &n, b->err))
        return b->err->code;
    for (size_t i = 0; i < n; i++)
        tw_array_set_real(&a, i, (double)i);
    for (int i = 0, k = 0; i < rank; i++) {
        ones[i] = i == axis ? n : 1;
        dims[i] = i == axis ? 1 : tw_b_val(b, index)->dims[k++];
    }
    places = tw_b_alias(b, tw_b_const(b, &a), rank, ones);
    depth = tw_b_const_real(b, (double)n);
    index = tw_b_alias(b, index, rank, dims);
    hit = tw_b_binary(b, TW_B_ADD, tw_b_binary(b, TW_B_EQ, index, places),
                      tw_b_binary(b, TW_B_EQ, tw_b_binary(b, TW_B_ADD, index, depth), places));
    for (int k = 0; k < 2; k++) {
        const int64_t start[1] = { k }, step[1] = { 1 };

        pair[k] = tw_b_box(b, values, start, step, (const size_t[]){ 1 });
    }
    hit = tw_b_cast(b, hit, type);
    pair[1] = tw_b_binary(b, TW_B_MUL, hit, tw_b_binary(b, TW_B_SUB, pair[1], pair[0]));
    tw_b_out(b, 0, tw_b_cast(b, tw_b_binary(b, TW_B_ADD, pair[1], pair[0]), type));
    return b->err->code;
}

/* ---- what the reference interpreter knows of the places ----------------------------------------
 */

/* What the current node makes of x, its other inputs as they are. */
static enum tw_status interpret(struct tw_build *b, const struct tw_array *x, struct tw_array *out)
{
    const struct tw_array *in[8] = { x };
    const struct tw_node *node = b->node;

    for (size_t i = 1; i < node->nin; i++) {
        const int v = tw_b_in(b, i);

        if (i >= 8 || (v >= 0 && !tw_b_is_const(b, v)))
            return tw_b_fail(b, "input %zu depends on the data; only constants are supported there",
                             i);
        in[i] = v < 0 ? NULL : &tw_b_val(b, v)->constant;
    }
    return tw_reference_node(node, b->net->opset, node->nin, in, 1, out, b->err);
}

/* An axis taken at the places `at`, between two of its elements where they are no whole numbers. */
static int between(struct tw_build *b, int x, int axis, size_t m, const double *at)
{
    struct tw_array part[4] = { { 0 } }; /* lower and upper place, weight of each */
    struct tw_pick_data d = { .outer = 1, .inner = 1, .m = m, .sj = 1 };
    size_t dims[TW_MAX_RANK], ones[TW_MAX_RANK];
    int v[4], end[2], rank = tw_b_val(b, x)->rank;
    bool whole = true;

    d.n = tw_b_val(b, x)->dims[axis];
    for (int i = 0; i < rank; i++) {
        dims[i] = i == axis ? m : tw_b_val(b, x)->dims[i];
        ones[i] = i == axis ? m : 1;
        if (i != axis)
            *(i < axis ? &d.outer : &d.inner) *= dims[i];
    }
    for (int k = 0; k < 4; k++) {
        if (tw_array_make(&part[k], TW_F64, 1, &m, b->err))
            break;
        for (size_t o = 0; o < m; o++) {
            double low = floor(at[o] + 1e-9), p = at[o] - low;

            p = p < 1e-9 ? 0.0 : p;
            whole = whole && p == 0.0;
            tw_array_set_real(&part[k], o,
                              k == 0   ? low
                              : k == 1 ? (p > 0.0 ? low + 1.0 : low)
                              : k == 2 ? 1.0 - p
                                       : p);
        }
    }
    for (int k = 0; k < 4; k++)
        v[k] = b->err->code ? -1 : tw_b_const(b, &part[k]);
    for (int k = 0; k < 4; k++)
        tw_array_release(&part[k]);
    for (int k = 0; k < 2; k++) {
        end[k] = v[k] < 0 || (k && whole)
                     ? -1
                     : tw_b_pick(b, x, v[k], tw_b_temp(b, tw_b_val(b, x)->dtype, rank, dims), &d);
        if (whole)
            return end[0];
        end[k] = tw_b_binary(b, TW_B_MUL, end[k], tw_b_alias(b, v[2 + k], rank, ones));
    }
    return tw_b_binary(b, TW_B_ADD, end[0], end[1]);
}

/* Nearest and linear act on one axis after another. Where an axis' outputs lie in the input is
 * what the interpreter makes of its coordinates. */
enum tw_status tw_lower_resize(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0);
    struct tw_val v;

    (void)node;
    if (x < 0 || !tw_b_val(b, x)->n)
        return tw_b_fail(b, "has no input, or an empty one");
    v = *tw_b_val(b, x);
    for (int axis = 0; axis < v.rank; axis++) {
        struct tw_array ramp = { 0 }, out = { 0 };
        size_t inner = 1, step = 1;
        double *at = NULL;

        if (tw_array_make(&ramp, TW_F64, v.rank, v.dims, b->err))
            return b->err->code;
        for (int i = axis + 1; i < v.rank; i++)
            inner *= v.dims[i];
        for (size_t i = 0; i < ramp.n; i++)
            tw_array_set_real(&ramp, i, (double)(i / inner % v.dims[axis]));
        if (interpret(b, &ramp, &out) == TW_OK)
            at = tw_alloc(out.dims[axis], sizeof *at);
        for (int i = axis + 1; i < v.rank; i++)
            step *= out.dims[i];
        for (size_t o = 0; at && o < out.dims[axis]; o++)
            at[o] = tw_array_real(&out, o * step);
        if (at)
            x = between(b, x, axis, out.dims[axis], at);
        free(at);
        tw_array_release(&ramp);
        tw_array_release(&out);
        if (!at || x < 0)
            return b->err->code ? b->err->code
                                : tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    }
    tw_b_out(b, 0, x);
    return b->err->code;
}

/* A product with a triangle of ones. */
enum tw_status tw_lower_cumsum(struct tw_build *b, const struct tw_node *node)
{
    bool exclusive = tw_node_int(node, "exclusive", 0) != 0;
    bool reverse = tw_node_int(node, "reverse", 0) != 0;
    int x = tw_b_in(b, 0), axis, triangle, in[2];
    int64_t *given;
    size_t n, outer = 1, inner = 1;
    struct tw_array a = { 0 };
    struct tw_matmul_data *d;
    struct tw_val v;
    enum tw_status st = tw_b_ints(b, 1, &n, &given);

    if (st)
        return st;
    axis = x < 0 || n != 1 ? -1 : tw_b_axis(b, given[0], tw_b_val(b, x)->rank);
    free(given);
    if (axis < 0)
        return b->err->code ? b->err->code : tw_b_fail(b, "needs an input and an axis");
    v = *tw_b_val(b, x);
    n = v.dims[axis];
    for (int i = 0; i < v.rank; i++)
        if (i != axis)
            *(i < axis ? &outer : &inner) *= v.dims[i];
    if (n > 1 << 15)
        return tw_b_fail(b, "sums along an axis of %zu; at most 32768 is supported", n);
    if (tw_array_make(&a, TW_F32, 2, (const size_t[]){ n, n }, b->err))
        return b->err->code;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            tw_array_set_real(&a, i * n + j,
                              i == j                      ? !exclusive
                              : (reverse ? j > i : j < i) ? 1.0
                                                          : 0.0);
    triangle = tw_b_const(b, &a);
    d = tw_alloc(1, sizeof *d);
    if (triangle < 0 || !d) {
        free(d);
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    }
    *d = (struct tw_matmul_data){ .batch = { .nd = 1,
                                             .n = { outer },
                                             .sb = { (long)(n * inner) },
                                             .sy = { (long)(n * inner) } },
                                  .ni = n,
                                  .nj = inner,
                                  .nk = n,
                                  .ai = (long)n,
                                  .ak = 1,
                                  .bk = (long)inner,
                                  .bj = 1,
                                  .yi = (long)inner,
                                  .yj = 1 };
    in[0] = triangle;
    in[1] = x;
    tw_b_out(b, 0,
             tw_b_instr(b, &tw_op_matmul, 2, in, tw_b_temp(b, v.dtype, v.rank, v.dims), d,
                        2.0 * (double)v.n * (double)n));
    return b->err->code;
}

/* The shape alone matters. */
enum tw_status tw_lower_eye_like(struct tw_build *b, const struct tw_node *node)
{
    struct tw_array like = { 0 }, out = { 0 };
    int x = tw_b_in(b, 0);

    (void)node;
    if (x < 0)
        return tw_b_fail(b, "has no input");
    if (tw_array_make(&like, tw_b_val(b, x)->dtype, tw_b_val(b, x)->rank, tw_b_val(b, x)->dims,
                      b->err))
        return b->err->code;
    if (interpret(b, &like, &out) == TW_OK)
        tw_b_out(b, 0, tw_b_const(b, &out));
    tw_array_release(&like);
    return b->err->code;
}
