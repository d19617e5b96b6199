/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Shapes, strides, and the instructions that most lowerings are made of. */
#include <stdlib.h>
#include <string.h>

#include "ir.h"

bool tw_broadcast(int ra, const size_t *da, int rb, const size_t *db, int *r, size_t *d)
{
    *r = ra > rb ? ra : rb;
    for (int i = 0; i < *r; i++) {
        size_t x = i < *r - ra ? 1 : da[i - (*r - ra)], y = i < *r - rb ? 1 : db[i - (*r - rb)];

        if (x != y && x != 1 && y != 1)
            return false;
        d[i] = x == 1 ? y : x;
    }
    return true;
}

void tw_strides(int rank, const size_t *dims, bool zero_ones, long *s)
{
    long at = 1;

    for (int i = rank - 1; i >= 0; i--) {
        s[i] = zero_ones && dims[i] == 1 ? 0 : at;
        at *= (long)dims[i];
    }
}

size_t tw_loop_count(const struct tw_loop *l)
{
    size_t n = 1;

    for (int i = 0; i < l->nd; i++)
        n *= l->n[i];
    return n;
}

long tw_loop_offset(const struct tw_loop *l, const long *s, size_t index)
{
    long at = 0;

    for (int i = l->nd - 1; i >= 0; i--) {
        at += (long)(index % l->n[i]) * s[i];
        index /= l->n[i];
    }
    return at;
}

static bool joins(long outer, long inner, size_t n)
{
    return outer == inner * (long)n;
}

void tw_loop_collapse(struct tw_loop *l)
{
    int nd = 0;

    for (int i = 0; i < l->nd; i++) {
        if (l->n[i] == 1)
            continue;
        l->n[nd] = l->n[i];
        l->sa[nd] = l->sa[i];
        l->sb[nd] = l->sb[i];
        l->sc[nd] = l->sc[i];
        l->sy[nd] = l->sy[i];
        if (nd && joins(l->sa[nd - 1], l->sa[nd], l->n[nd]) &&
            joins(l->sb[nd - 1], l->sb[nd], l->n[nd]) &&
            joins(l->sc[nd - 1], l->sc[nd], l->n[nd]) &&
            joins(l->sy[nd - 1], l->sy[nd], l->n[nd])) {
            nd--;
            l->n[nd] *= l->n[nd + 1];
            l->sa[nd] = l->sa[nd + 1];
            l->sb[nd] = l->sb[nd + 1];
            l->sc[nd] = l->sc[nd + 1];
            l->sy[nd] = l->sy[nd + 1];
        }
        nd++;
    }
    l->nd = nd;
}

size_t tw_b_readers(const struct tw_build *b, int v)
{
    size_t n = 0;

    for (size_t i = 0; i < b->net->nnode; i++)
        for (size_t j = 0; j < b->net->node[i].nin; j++)
            n += b->net->node[i].in[j] >= 0 && b->of[b->net->node[i].in[j]] == v;
    for (size_t i = 0; i < b->net->noutput; i++)
        n += b->of[b->net->output[i]] == v;
    return n;
}

struct tw_instr *tw_b_last(struct tw_build *b, const struct tw_op *op, int v)
{
    for (size_t i = b->g->ninstr; i-- > 0;) {
        struct tw_instr *in = &b->g->instr[i];

        if (in->out[0] == v)
            return in->op == op && !in->uniform ? in : NULL;
        if (!in->uniform)
            return NULL;
    }
    return NULL;
}

bool tw_loop_map(const struct tw_loop *l, size_t n, long s, long *used, long *mapped)
{
    *mapped = 0;
    if (n <= 1)
        return true;
    for (int i = 0; i < l->nd; i++) { /* outermost first: the largest stride that divides s */
        if (l->sy[i] <= 0 || s < l->sy[i])
            continue;
        if (s % l->sy[i])
            return false;
        used[i] += s / l->sy[i] * (long)(n - 1);
        *mapped = s / l->sy[i] * l->sa[i];
        return used[i] < (long)l->n[i];
    }
    return false;
}

int tw_b_unary(struct tw_build *b, enum tw_unary f, double p0, double p1, int x)
{
    struct tw_unary_data *d = tw_alloc(1, sizeof *d);
    const struct tw_val *v = x < 0 ? NULL : tw_b_val(b, x);
    size_t dims[TW_MAX_RANK] = { 0 };
    int rank = v ? v->rank : 0;
    double n = v ? (double)v->n : 0.0;
    enum tw_dtype t = v ? v->dtype : TW_NONE;

    if (!v || !d) {
        free(d);
        return -1;
    }
    memcpy(dims, v->dims, sizeof dims);
    *d = (struct tw_unary_data){ f, p0, p1 };
    return tw_b_instr(b, &tw_op_unary, 1, &x,
                      tw_b_temp(b, f == TW_U_NOT || f == TW_U_ISNAN ? TW_BOOL : t, rank, dims), d,
                      n);
}

/* Strides of an operand in the shape it is spread to. */
static void spread(const struct tw_val *v, int rank, long *s)
{
    int skip = rank - v->rank;

    for (int i = 0; i < skip; i++)
        s[i] = 0;
    tw_strides(v->rank, v->dims, true, s + skip);
}

int tw_b_binary(struct tw_build *b, enum tw_binary f, int x, int y)
{
    struct tw_binary_data *d;
    size_t dims[TW_MAX_RANK];
    int rank, in[2] = { x, y }, out;
    enum tw_dtype t;
    double n = 1.0;

    if (x < 0 || y < 0)
        return -1;
    if (!tw_broadcast(tw_b_val(b, x)->rank, tw_b_val(b, x)->dims, tw_b_val(b, y)->rank,
                      tw_b_val(b, y)->dims, &rank, dims)) {
        tw_b_fail(b, "the shapes of its inputs do not go together");
        return -1;
    }
    d = tw_alloc(1, sizeof *d);
    if (!d)
        return -1;
    d->f = f;
    d->loop.nd = rank;
    for (int i = 0; i < rank; i++) {
        d->loop.n[i] = dims[i];
        n *= (double)dims[i];
    }
    spread(tw_b_val(b, x), rank, d->loop.sa);
    spread(tw_b_val(b, y), rank, d->loop.sb);
    tw_strides(rank, dims, false, d->loop.sy);
    tw_loop_collapse(&d->loop);
    t = f >= TW_B_EQ && f <= TW_B_XOR ? TW_BOOL : tw_b_val(b, x)->dtype;
    if (f < TW_B_EQ && tw_b_val(b, y)->varying && !tw_b_val(b, x)->varying)
        t = tw_b_val(b, y)->dtype;
    if (f < TW_B_EQ && !tw_dtype_is_real(t)) { /* mixed here alone: the lowerings' own */
        t = tw_dtype_is_real(tw_b_val(b, x)->dtype)   ? tw_b_val(b, x)->dtype
            : tw_dtype_is_real(tw_b_val(b, y)->dtype) ? tw_b_val(b, y)->dtype
                                                      : t;
    }
    out = tw_b_temp(b, t, rank, dims);
    return tw_b_instr(b, &tw_op_binary, 2, in, out, d, n);
}

/* One piece: y[...] = x at the given strides of x. */
static int copy_with(struct tw_build *b, int v, int rank, const size_t *dims, const long *strides,
                     size_t from)
{
    struct tw_assemble_data *d = tw_alloc(1, sizeof *d + sizeof d->piece[0]);
    struct tw_loop *l;

    if (v < 0 || !d) {
        free(d);
        return -1;
    }
    d->covered = true;
    d->npiece = 1;
    d->piece[0] = (struct tw_piece){ .from = from, .loop = { .nd = rank } };
    l = &d->piece[0].loop;
    for (int i = 0; i < rank; i++) {
        l->n[i] = dims[i];
        l->sa[i] = strides[i];
    }
    tw_strides(rank, dims, false, l->sy);
    tw_loop_collapse(l);
    return tw_b_instr(b, &tw_op_assemble, 1, &v, tw_b_temp(b, tw_b_val(b, v)->dtype, rank, dims), d,
                      0.0);
}

int tw_b_vary(struct tw_build *b, int v)
{
    long s[TW_MAX_RANK] = { 0 };
    struct tw_val x;
    int y;

    if (v < 0 || tw_b_val(b, v)->varying)
        return v;
    x = *tw_b_val(b, v);
    tw_strides(x.rank, x.dims, false, s);
    y = copy_with(b, v, x.rank, x.dims, s, 0);
    if (y >= 0) {
        b->g->instr[b->g->ninstr - 1].uniform = false;
        b->g->val[y].varying = true;
    }
    return y;
}

/* A product of two values that both vary can be written in any order of axes: then nothing need
 * be moved afterwards. s: the strides of the product's axes after the move. The value in the new
 * order, or -1 if the product cannot take it in. */
static int write_moved(struct tw_build *b, int v, int rank, const size_t *dims, const long *s)
{
    struct tw_instr *in = tw_b_last(b, &tw_op_matmul, v);
    struct tw_matmul_data *d, moved;
    long used[TW_LOOP_MAX] = { 0 };
    struct tw_loop l = { .nd = tw_b_val(b, v)->rank };
    size_t at;
    int y;

    if (!in || in->nin > 2 || tw_b_readers(b, v) > 1 || !tw_b_val(b, in->in[0])->varying ||
        !tw_b_val(b, in->in[1])->varying)
        return -1;
    at = (size_t)(in - b->g->instr);
    d = in->data;
    moved = *d;
    for (int i = 0; i < l.nd; i++) {
        l.n[i] = tw_b_val(b, v)->dims[i];
        l.sa[i] = s[i];
    }
    tw_strides(l.nd, l.n, false, l.sy);
    for (int i = 0; i < l.nd; i++) /* an axis of one has no say in where a walk belongs */
        if (l.n[i] == 1)
            l.sy[i] = 0;
    for (int i = 0; i < d->batch.nd; i++)
        if (!tw_loop_map(&l, d->batch.n[i], d->batch.sy[i], used, &moved.batch.sy[i]))
            return -1;
    if (!tw_loop_map(&l, d->ni, d->yi, used, &moved.yi) ||
        !tw_loop_map(&l, d->nj, d->yj, used, &moved.yj))
        return -1;
    y = tw_b_temp(b, tw_b_val(b, v)->dtype, rank, dims);
    if (y < 0)
        return -1;
    *d = moved;
    b->g->instr[at].out[0] = y;
    b->g->val[y].varying = true;
    b->g->val[y].active = b->g->val[v].active;
    return y;
}

int tw_b_transpose(struct tw_build *b, int v, const int *perm)
{
    size_t dims[TW_MAX_RANK];
    long s[TW_MAX_RANK], strides[TW_MAX_RANK], to[TW_MAX_RANK];
    bool same = true;
    int rank, last = -1;

    if (v < 0)
        return -1;
    rank = tw_b_val(b, v)->rank;
    tw_strides(rank, tw_b_val(b, v)->dims, false, s);
    for (int i = 0; i < rank; i++) {
        dims[i] = tw_b_val(b, v)->dims[perm[i]];
        strides[i] = s[perm[i]];
        if (dims[i] != 1) { /* the order of the others decides whether anything moves */
            same = same && perm[i] > last;
            last = perm[i];
        }
    }
    if (!same) {
        int moved;

        tw_strides(rank, dims, false, s); /* of the new order, by the old axes */
        for (int i = 0; i < rank; i++)
            to[perm[i]] = s[i];
        moved = write_moved(b, v, rank, dims, to);
        if (moved >= 0 || b->err->code)
            return moved;
    }
    return same ? tw_b_alias(b, v, rank, dims) : copy_with(b, v, rank, dims, strides, 0);
}

int tw_b_expand(struct tw_build *b, int v, int rank, const size_t *dims)
{
    long s[TW_MAX_RANK];
    bool same;

    if (v < 0)
        return -1;
    spread(tw_b_val(b, v), rank, s);
    same = tw_b_val(b, v)->rank == rank;
    for (int i = 0; i < rank && same; i++)
        same = tw_b_val(b, v)->dims[i] == dims[i];
    return same ? v : copy_with(b, v, rank, dims, s, 0);
}

int tw_b_reduce(struct tw_build *b, enum tw_binary f, bool mean, int v, const bool *axes, bool keep)
{
    struct tw_reduce_data *d;
    size_t dims[TW_MAX_RANK], out[TW_MAX_RANK], kept[TW_MAX_RANK];
    int rank, nout = 0, y;
    double n;

    if (v < 0)
        return -1;
    d = tw_alloc(1, sizeof *d);
    if (!d)
        return -1;
    rank = tw_b_val(b, v)->rank;
    n = (double)tw_b_val(b, v)->n;
    memcpy(dims, tw_b_val(b, v)->dims, sizeof dims);
    d->f = f;
    d->mean = mean;
    d->count = 1;
    d->loop.nd = rank;
    for (int i = 0; i < rank; i++) {
        d->loop.n[i] = dims[i];
        kept[i] = axes[i] ? 1 : dims[i];
        d->count *= axes[i] ? dims[i] : 1;
        if (!axes[i] || keep)
            out[nout++] = kept[i];
    }
    tw_strides(rank, dims, false, d->loop.sa);
    tw_strides(rank, kept, true, d->loop.sy);
    for (int i = 0; i < rank; i++)
        d->loop.sb[i] = 0;
    tw_loop_collapse(&d->loop);
    y = tw_b_temp(b, tw_b_val(b, v)->dtype, nout, out);
    return tw_b_instr(b, &tw_op_reduce, 1, &v, y, d, n);
}
