/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that move numbers: cut, put together, spread, choose by place. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

enum tw_status tw_lower_transpose(struct tw_build *b, const struct tw_node *node)
{
    const struct tw_attr *a = tw_node_attr(node, "perm");
    int v = tw_b_need(b, 0), perm[TW_MAX_RANK], rank;
    bool seen[TW_MAX_RANK] = { false };

    if (v < 0)
        return b->err->code;
    rank = tw_b_val(b, v)->rank;
    if (a && (a->kind != TW_ATTR_INTS || a->n != (size_t)rank))
        return tw_b_fail(b, "has a perm of %zu axes for an input of rank %d", a->n, rank);
    for (int i = 0; i < rank; i++) {
        int64_t p = a ? a->ints[i] : rank - 1 - i;

        if (p < 0 || p >= rank || seen[p])
            return tw_b_fail(b, "attribute perm is no permutation");
        seen[p] = true;
        perm[i] = (int)p;
    }
    tw_b_out(b, 0, tw_b_transpose(b, v, perm));
    return b->err->code;
}

int tw_b_box(struct tw_build *b, int v, const int64_t *start, const int64_t *step,
             const size_t *dims)
{
    struct tw_assemble_data *d = tw_alloc(1, sizeof *d + sizeof d->piece[0]);
    const struct tw_val *x = v < 0 ? NULL : tw_b_val(b, v);
    long s[TW_MAX_RANK] = { 0 }, from = 0;
    struct tw_loop *l;
    int rank = x ? x->rank : 0;

    if (!d || !x) {
        free(d);
        return -1;
    }
    d->covered = true;
    d->npiece = 1;
    l = &d->piece[0].loop;
    l->nd = rank;
    tw_strides(rank, x->dims, false, s);
    for (int i = 0; i < rank; i++) {
        from += start ? s[i] * (long)start[i] : 0;
        l->n[i] = dims[i];
        l->sa[i] = s[i] * (step ? (long)step[i] : 1);
    }
    tw_strides(rank, dims, false, l->sy);
    d->piece[0].from = (size_t)from;
    tw_loop_collapse(l);
    return tw_b_instr(b, &tw_op_assemble, 1, &v, tw_b_temp(b, x->dtype, rank, dims), d, 0.0);
}

static int64_t clamp(int64_t x, int64_t lo, int64_t hi)
{
    return x < lo ? lo : x > hi ? hi : x;
}

enum tw_status tw_lower_slice(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0), rank;
    int64_t *x[4] = { NULL }, start[TW_MAX_RANK] = { 0 }, step[TW_MAX_RANK] = { 0 };
    static const char *const names[] = { "starts", "ends", "axes", "steps" };
    size_t n[4], dims[TW_MAX_RANK];
    enum tw_status st = TW_OK;

    (void)node;
    for (size_t i = 0; i < 4 && !st; i++)
        st = tw_b_ints_or_attr(b, i + 1, names[i], &n[i], &x[i]);
    rank = v < 0 ? 0 : tw_b_val(b, v)->rank;
    for (int i = 0; i < rank; i++) {
        start[i] = 0;
        step[i] = 1;
        dims[i] = tw_b_val(b, v)->dims[i];
    }
    if (!st && (n[1] != n[0] || (x[2] && n[2] != n[0]) || (x[3] && n[3] != n[0])))
        st = tw_b_fail(b, "has %zu starts and %zu ends", n[0], n[1]);
    for (size_t i = 0; !st && v >= 0 && i < n[0]; i++) {
        int axis = tw_b_axis(b, x[2] ? x[2][i] : (int64_t)i, rank);
        int64_t size, s, e, k = x[3] ? x[3][i] : 1;

        if (axis < 0 || k == 0) {
            st = axis < 0 ? b->err->code : tw_b_fail(b, "has a step of 0");
            break;
        }
        size = (int64_t)tw_b_val(b, v)->dims[axis];
        s = x[0][i] < 0 ? x[0][i] + size : x[0][i];
        e = x[1][i] < 0 && x[1][i] >= -size ? x[1][i] + size : x[1][i];
        if (k > 0) {
            s = clamp(s, 0, size);
            e = clamp(e, 0, size);
        } else {
            s = clamp(s, 0, size - 1);
            e = clamp(e, -1, size - 1);
        }
        start[axis] = s;
        /* Steps may be as large as numbers go: no sums with them. */
        dims[axis] = k > 0 ? (e > s ? 1 + (size_t)((e - s - 1) / k) : 0)
                           : (s > e && size ? 1 + (size_t)(s - e - 1) / (0 - (size_t)k) : 0);
        step[axis] = dims[axis] > 1 ? k : 1;
    }
    for (size_t i = 0; i < 4; i++)
        free(x[i]);
    if (st || v < 0)
        return b->err->code;
    tw_b_out(b, 0, tw_b_box(b, v, start, step, dims));
    return b->err->code;
}

enum tw_status tw_lower_split(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0), axis;
    size_t n, dims[TW_MAX_RANK], each, used = 0;
    int64_t *sizes, start[TW_MAX_RANK] = { 0 }, step[TW_MAX_RANK] = { 0 };
    enum tw_status st = tw_b_ints_or_attr(b, 1, "split", &n, &sizes);

    axis = st || v < 0 ? -1 : tw_b_axis(b, tw_node_int(node, "axis", 0), tw_b_val(b, v)->rank);
    if (axis < 0 || !node->nout) {
        free(sizes);
        return b->err->code ? b->err->code : tw_b_fail(b, "has no outputs");
    }
    each = (tw_b_val(b, v)->dims[axis] + node->nout - 1) / node->nout;
    for (int i = 0; i < tw_b_val(b, v)->rank; i++) {
        step[i] = 1;
        dims[i] = tw_b_val(b, v)->dims[i];
    }
    for (size_t i = 0; i < node->nout && !st; i++) {
        size_t left = tw_b_val(b, v)->dims[axis] - used;
        size_t here = i < n ? (size_t)(sizes[i] < 0 ? 0 : sizes[i]) : each < left ? each : left;

        if (here > left || (n && i >= n)) {
            tw_b_fail(b, "splits %zu into more than there is", tw_b_val(b, v)->dims[axis]);
            break;
        }
        start[axis] = (int64_t)used;
        dims[axis] = here;
        tw_b_out(b, i, tw_b_box(b, v, start, step, dims));
        used += here;
    }
    free(sizes);
    return b->err->code;
}

enum tw_status tw_lower_concat(struct tw_build *b, const struct tw_node *node)
{
    int *v = tw_alloc(node->nin, sizeof *v), axis = -1;
    size_t n = 0;

    if (!v)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    for (size_t i = 0; i < node->nin; i++)
        if (tw_b_in(b, i) >= 0)
            v[n++] = tw_b_in(b, i);
    if (n)
        axis = tw_b_axis(b, tw_node_int(node, "axis", 1), tw_b_val(b, v[0])->rank);
    for (size_t i = 1; i < n && axis >= 0; i++) {
        const struct tw_val *x = tw_b_val(b, v[0]), *y = tw_b_val(b, v[i]);

        for (int j = 0; j < x->rank; j++)
            if (x->rank != y->rank || (j != axis && x->dims[j] != y->dims[j])) {
                tw_b_fail(b, "puts together inputs of different shapes");
                axis = -1;
                break;
            }
    }
    if (axis >= 0)
        tw_b_out(b, 0, tw_b_stack(b, axis, n, v));
    free(v);
    return b->err->code ? b->err->code : n ? TW_OK : tw_b_fail(b, "has no inputs");
}

static double constant_real(struct tw_build *b, size_t i, double absent)
{
    int v = tw_b_in(b, i);

    return v >= 0 && tw_b_is_const(b, v) && tw_b_val(b, v)->n == 1
               ? tw_array_real(&tw_b_val(b, v)->constant, 0)
               : absent;
}

/* Where output place o (from the start of the padding) of an axis of n comes from; -1: fill. */
static long source(const char *mode, long o, long n)
{
    if (o >= 0 && o < n)
        return o;
    if (n < 1)
        return -1;
    if (!strcmp(mode, "edge"))
        return o < 0 ? 0 : n - 1;
    if (!strcmp(mode, "wrap"))
        return ((o % n) + n) % n;
    if (!strcmp(mode, "reflect") && n > 1) {
        long period = 2 * (n - 1), m = ((o % period) + period) % period;

        return m < n ? m : period - m;
    }
    return !strcmp(mode, "reflect") ? 0 : -1;
}

enum { MOST_PIECES = 1 << 16 };

/* How long the source of place o goes on in step, or the fill goes on. */
static long run_of(const char *mode, long o, long n, long left)
{
    long from = source(mode, o, n), run = 1;

    while (run < left && source(mode, o + run, n) == (from < 0 ? -1 : from + run))
        run++;
    return run;
}

/* One axis at a time by a list of places, so that any mode is a set of copies. */
static int pad_axis(struct tw_build *b, int v, int axis, long before, long after, const char *mode,
                    double fill)
{
    const struct tw_val *x = tw_b_val(b, v);
    size_t dims[TW_MAX_RANK], outer = 1, inner = 1, np = 0;
    long n = (long)x->dims[axis], total = n + before + after;
    struct tw_assemble_data *d;

    if (total < 0 || total > 1L << 28) {
        tw_b_fail(b, "pads an axis of %ld to %ld", n, total);
        return -1;
    }
    memcpy(dims, x->dims, sizeof dims);
    for (int i = 0; i < x->rank; i++) {
        outer *= i < axis ? dims[i] : 1;
        inner *= i > axis ? dims[i] : 1;
    }
    for (long o = 0; o < total; o += run_of(mode, o - before, n, total - o))
        np++;
    if (np > MOST_PIECES) {
        tw_b_fail(b, "pads in %zu pieces; at most %d are supported", np, MOST_PIECES);
        return -1;
    }
    d = tw_alloc(1, sizeof *d + (np + 1) * sizeof d->piece[0]);
    np = 0;
    if (!d)
        return -1;
    d->fill = fill;
    for (long o = 0; o < total;) {
        long from = source(mode, o - before, n), run = run_of(mode, o - before, n, total - o);

        if (from >= 0) {
            d->piece[np++] = (struct tw_piece){ .from = (size_t)from * inner,
                                                .to = (size_t)o * inner,
                                                .loop = { .nd = 2,
                                                          .n = { outer, (size_t)run * inner },
                                                          .sa = { n * (long)inner, 1 },
                                                          .sy = { total * (long)inner, 1 } } };
            tw_loop_collapse(&d->piece[np - 1].loop);
        }
        o += run;
    }
    d->npiece = np;
    dims[axis] = (size_t)total;
    return tw_b_instr(b, &tw_op_assemble, 1, &v, tw_b_temp(b, x->dtype, x->rank, dims), d, 0.0);
}

enum tw_status tw_lower_pad(struct tw_build *b, const struct tw_node *node)
{
    const char *mode = tw_node_text(node, "mode", "constant");
    int v = tw_b_need(b, 0), rank;
    size_t n, naxes;
    int64_t *pads, *axes;
    double fill = constant_real(b, 2, tw_node_real(node, "value", 0.0));
    enum tw_status st =
        tw_b_ints_or_attr(b, 1, tw_node_attr(node, "pads") ? "pads" : "paddings", &n, &pads);

    if (st)
        return st;
    st = tw_b_ints(b, 3, &naxes, &axes);
    rank = v < 0 ? 0 : tw_b_val(b, v)->rank;
    if (!st && v >= 0 && n != 2 * (axes ? naxes : (size_t)rank))
        st = tw_b_fail(b, "has %zu paddings for an input of rank %d", n, rank);
    for (size_t i = 0; !st && v >= 0 && i < n / 2; i++) {
        int axis = axes ? tw_b_axis(b, axes[i], rank) : (int)i;
        int64_t before = clamp(pads[i], -(1 << 28), 1 << 28);
        int64_t after = clamp(pads[i + n / 2], -(1 << 28), 1 << 28);

        if (axis < 0)
            break;
        if (before || after)
            v = pad_axis(b, v, axis, (long)before, (long)after, mode, fill);
    }
    free(pads);
    free(axes);
    if (!b->err->code)
        tw_b_out(b, 0, v);
    return b->err->code;
}

static enum tw_status dims_of(struct tw_build *b, size_t n, const int64_t *x, size_t *dims)
{
    if (n > TW_MAX_RANK)
        return tw_b_fail(b, "asks for rank %zu; at most %d is supported", n, TW_MAX_RANK);
    for (size_t i = 0; i < n; i++) {
        if (x[i] < 0 || x[i] > (int64_t)1 << 31)
            return tw_b_fail(b, "asks for an extent of %lld", (long long)x[i]);
        dims[i] = (size_t)x[i];
    }
    return TW_OK;
}

enum tw_status tw_lower_expand(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0), rank;
    size_t n, dims[TW_MAX_RANK], all[TW_MAX_RANK];
    int64_t *shape;
    enum tw_status st = tw_b_ints(b, 1, &n, &shape);

    (void)node;
    if (!st)
        st = dims_of(b, n, shape, dims);
    free(shape);
    if (st || v < 0)
        return b->err->code;
    if (!tw_broadcast(tw_b_val(b, v)->rank, tw_b_val(b, v)->dims, (int)n, dims, &rank, all))
        return tw_b_fail(b, "cannot spread its input to the shape asked for");
    tw_b_out(b, 0, tw_b_expand(b, v, rank, all));
    return b->err->code;
}

/* [d0, d1] times [r0, r1]: as [1, d0, 1, d1] spread to [r0, d0, r1, d1]. */
enum tw_status tw_lower_tile(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_need(b, 0), rank;
    size_t n, repeats[TW_MAX_RANK] = { 0 }, one[TW_MAX_RANK], all[TW_MAX_RANK], out[TW_MAX_RANK];
    int64_t *x;
    enum tw_status st = tw_b_ints(b, 1, &n, &x);

    (void)node;
    if (!st)
        st = dims_of(b, n, x, repeats);
    free(x);
    if (st || v < 0)
        return b->err->code;
    rank = tw_b_val(b, v)->rank;
    if (n != (size_t)rank || 2 * rank > TW_MAX_RANK)
        return tw_b_fail(b, "repeats %zu axes of an input of rank %d", n, rank);
    for (int i = 0; i < rank; i++) {
        one[2 * i] = 1;
        all[2 * i] = repeats[i];
        one[2 * i + 1] = all[2 * i + 1] = tw_b_val(b, v)->dims[i];
        out[i] = repeats[i] * tw_b_val(b, v)->dims[i];
    }
    v = tw_b_expand(b, tw_b_alias(b, v, 2 * rank, one), 2 * rank, all);
    tw_b_out(b, 0, tw_b_alias(b, v, rank, out));
    return b->err->code;
}

/* Times a constant mask of ones and zeros (NaN above the diagonal would stay: so a choice). */
enum tw_status tw_lower_trilu(struct tw_build *b, const struct tw_node *node)
{
    bool upper = tw_node_int(node, "upper", 1) != 0;
    double k = constant_real(b, 1, 0.0);
    int v = tw_b_need(b, 0), in[3];
    struct tw_binary_data *d;
    struct tw_array mask = { 0 };
    size_t rows, cols, dims[2];

    if (v < 0 || tw_b_val(b, v)->rank < 2)
        return b->err->code ? b->err->code : tw_b_fail(b, "needs a matrix");
    rows = tw_b_val(b, v)->dims[tw_b_val(b, v)->rank - 2];
    cols = tw_b_val(b, v)->dims[tw_b_val(b, v)->rank - 1];
    dims[0] = rows;
    dims[1] = cols;
    if (tw_array_make(&mask, TW_BOOL, 2, dims, b->err))
        return b->err->code;
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++) {
            double diagonal = (double)j - (double)i;

            tw_array_set_int(&mask, i * cols + j, upper ? diagonal >= k : diagonal <= k);
        }
    in[0] = tw_b_const(b, &mask);
    in[1] = v;
    in[2] = tw_b_const_real(b, 0.0);
    d = tw_alloc(1, sizeof *d);
    if (in[0] < 0 || in[2] < 0 || !d) {
        free(d);
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    }
    d->loop = (struct tw_loop){ .nd = 2,
                                .n = { rows && cols ? tw_b_val(b, v)->n / (rows * cols) : 0,
                                       rows * cols },
                                .sc = { 0, 1 },
                                .sa = { (long)(rows * cols), 1 },
                                .sy = { (long)(rows * cols), 1 } };
    {
        const struct tw_val x = *tw_b_val(b, v);

        tw_b_out(
            b, 0,
            tw_b_instr(b, &tw_op_select, 3, in, tw_b_temp(b, x.dtype, x.rank, x.dims), d, 0.0));
    }
    return b->err->code;
}

enum tw_status tw_lower_depth_to_space(struct tw_build *b, const struct tw_node *node)
{
    bool to_space = !strcmp(node->op, "DepthToSpace");
    bool crd = !strcmp(tw_node_text(node, "mode", "DCR"), "CRD");
    size_t s = (size_t)clamp(tw_node_int(node, "blocksize", 1), 1, 1 << 20), d[6], out[4];
    static const int dcr[] = { 0, 3, 4, 1, 5, 2 }, crdp[] = { 0, 1, 4, 2, 5, 3 },
                     depth[] = { 0, 3, 5, 1, 2, 4 };
    const size_t *x;
    int v = tw_b_need(b, 0);

    if (v < 0 || tw_b_val(b, v)->rank != 4)
        return b->err->code ? b->err->code : tw_b_fail(b, "needs an input of rank 4");
    x = tw_b_val(b, v)->dims;
    if (to_space ? x[1] % (s * s) != 0 : x[2] % s != 0 || x[3] % s != 0)
        return tw_b_fail(b, "cannot cut its input into blocks of %zu", s);
    d[0] = out[0] = x[0];
    if (to_space) {
        d[1] = crd ? x[1] / (s * s) : s;
        d[2] = s;
        d[3] = crd ? s : x[1] / (s * s);
        d[4] = x[2];
        d[5] = x[3];
        out[1] = x[1] / (s * s);
        out[2] = x[2] * s;
        out[3] = x[3] * s;
    } else {
        d[1] = x[1];
        d[2] = x[2] / s;
        d[3] = s;
        d[4] = x[3] / s;
        d[5] = s;
        out[1] = x[1] * s * s;
        out[2] = x[2] / s;
        out[3] = x[3] / s;
    }
    v = tw_b_transpose(b, tw_b_alias(b, v, 6, d), !to_space ? depth : crd ? crdp : dcr);
    tw_b_out(b, 0, tw_b_alias(b, v, 4, out));
    return b->err->code;
}
