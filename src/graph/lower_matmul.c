/* SPDX-License-Identifier: GPL-3.0-or-later */
/* MatMul and Gemm. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

/* Matrices with their batch axes; a vector becomes a matrix of one row or column. */
static int as_matrix(struct tw_build *b, int v, bool row)
{
    size_t dims[2];

    if (v < 0 || tw_b_val(b, v)->rank != 1)
        return v;
    dims[row ? 0 : 1] = 1;
    dims[row ? 1 : 0] = tw_b_val(b, v)->n;
    return tw_b_alias(b, v, 2, dims);
}

/* A uniform matrix that is the transpose of another can be read from that one: torch writes a
 * linear layer on rank 3 as Transpose and MatMul. Gives the other matrix, or v itself. */
static int untransposed(struct tw_build *b, int v, bool *swapped)
{
    *swapped = false;
    if (tw_b_val(b, v)->rank != 2 || tw_b_val(b, v)->varying)
        return v;
    for (size_t i = b->g->ninstr; i-- > 0;) {
        const struct tw_instr *in = &b->g->instr[i];
        const struct tw_assemble_data *d = in->data;
        const struct tw_loop *l;

        if (in->out[0] != v)
            continue;
        if (in->op != &tw_op_assemble || d->npiece != 1 || !d->covered)
            return v;
        l = &d->piece[0].loop;
        if (l->nd != 2 || d->piece[0].from || d->piece[0].to || l->sa[0] != 1 ||
            l->sa[1] != (long)l->n[0] || tw_b_val(b, in->in[0])->n != tw_b_val(b, v)->n)
            return v;
        *swapped = true;
        return in->in[0];
    }
    return v;
}

/* One factor of a product: the value it is read from, and how. */
struct factor {
    int v;
    long at;
    int n; /* walks */
    size_t extent[TW_LOOP_MAX + 2];
    long *stride[TW_LOOP_MAX + 2];
};

/* A factor that was only moved (transposed, sliced, split) can be read where it came from. */
static void look_through(struct tw_build *b, struct factor *f)
{
    for (size_t i = b->g->ninstr; i-- > 0;) {
        const struct tw_instr *in = &b->g->instr[i];
        const struct tw_assemble_data *d = in->data;
        long mapped[TW_LOOP_MAX + 2], used[TW_LOOP_MAX] = { 0 }, at, rest = f->at;
        const struct tw_loop *l;
        bool fits = true;

        if (in->out[0] != b->g->val[f->v].root)
            continue;
        if (in->op != &tw_op_assemble || d->npiece != 1 || !d->covered)
            return;
        l = &d->piece[0].loop;
        at = (long)d->piece[0].from;
        for (int k = 0; k < l->nd; k++) { /* where the walks begin */
            used[k] = l->sy[k] > 0 ? rest / l->sy[k] : 0;
            rest -= used[k] * l->sy[k];
            at += used[k] * l->sa[k];
        }
        for (int k = 0; k < f->n; k++)
            fits = fits && tw_loop_map(l, f->extent[k], *f->stride[k], used, &mapped[k]);
        if (!fits || rest)
            return;
        for (int k = 0; k < f->n; k++)
            *f->stride[k] = mapped[k];
        f->at = at;
        f->v = in->in[0];
    }
}

/* Both factors depend on the data: each may be read where it was before it was moved. */
static void read_moved(struct tw_build *b, struct tw_matmul_data *d, int in[2])
{
    struct factor x = { .v = in[0] }, y = { .v = in[1] };

    for (int i = 0; i < d->batch.nd; i++) {
        x.extent[x.n] = y.extent[y.n] = d->batch.n[i];
        if (d->batch.sa[i])
            x.stride[x.n++] = &d->batch.sa[i];
        if (d->batch.sb[i])
            y.stride[y.n++] = &d->batch.sb[i];
    }
    x.extent[x.n] = d->ni;
    x.stride[x.n++] = &d->ai;
    x.extent[x.n] = d->nk;
    x.stride[x.n++] = &d->ak;
    y.extent[y.n] = d->nj;
    y.stride[y.n++] = &d->bj;
    y.extent[y.n] = d->nk;
    y.stride[y.n++] = &d->bk;
    look_through(b, &x);
    look_through(b, &y);
    in[0] = x.v;
    in[1] = y.v;
    d->a_at = x.at;
    d->b_at = y.at;
}

/* Extents and strides of the product x y; dims: its shape, of rank *rank. */
static enum tw_status lay_out(struct tw_build *b, const struct tw_val *x, const struct tw_val *y,
                              struct tw_matmul_data *d, int *rank, size_t *dims)
{
    long sx[TW_MAX_RANK], sy[TW_MAX_RANK], so[TW_MAX_RANK];
    int nb;

    if (x->dims[x->rank - 1] != y->dims[y->rank - 2])
        return tw_b_fail(b, "multiplies matrices with %zu columns and %zu rows",
                         x->dims[x->rank - 1], y->dims[y->rank - 2]);
    if (!tw_broadcast(x->rank - 2, x->dims, y->rank - 2, y->dims, &nb, dims))
        return tw_b_fail(b, "the batch axes of its inputs do not go together");
    *d = (struct tw_matmul_data){ .ni = x->dims[x->rank - 2],
                                  .nj = y->dims[y->rank - 1],
                                  .nk = x->dims[x->rank - 1],
                                  .ak = 1,
                                  .bj = 1,
                                  .yj = 1 };
    *rank = nb + 2;
    dims[nb] = d->ni;
    dims[nb + 1] = d->nj;
    d->ai = (long)d->nk;
    d->bk = d->yi = (long)d->nj;
    tw_strides(x->rank, x->dims, true, sx);
    tw_strides(y->rank, y->dims, true, sy);
    tw_strides(*rank, dims, false, so);
    d->batch.nd = nb;
    for (int i = 0; i < nb; i++) {
        int ix = i - (nb - (x->rank - 2)), iy = i - (nb - (y->rank - 2));

        d->batch.n[i] = dims[i];
        d->batch.sa[i] = ix >= 0 ? sx[ix] : 0;
        d->batch.sb[i] = iy >= 0 ? sy[iy] : 0;
        d->batch.sy[i] = so[i];
    }
    tw_loop_collapse(&d->batch);
    return TW_OK;
}

enum tw_status tw_lower_matmul(struct tw_build *b, const struct tw_node *node)
{
    int in[2] = { tw_b_in(b, 0), tw_b_in(b, 1) }, rank = 0, out, nout = 0;
    size_t dims[TW_MAX_RANK], kept[TW_MAX_RANK];
    struct tw_matmul_data *d;
    bool vector_x, vector_y, swapped;
    enum tw_dtype type;
    double flops;

    (void)node;
    if (in[0] < 0 || in[1] < 0 || !tw_b_val(b, in[0])->rank || !tw_b_val(b, in[1])->rank)
        return tw_b_fail(b, "needs two matrices");
    vector_x = tw_b_val(b, in[0])->rank == 1;
    vector_y = tw_b_val(b, in[1])->rank == 1;
    in[0] = as_matrix(b, in[0], true);
    in[1] = as_matrix(b, in[1], false);
    d = tw_alloc(1, sizeof *d);
    if (in[0] < 0 || in[1] < 0 || !d) {
        free(d);
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    }
    if (lay_out(b, tw_b_val(b, in[0]), tw_b_val(b, in[1]), d, &rank, dims) != TW_OK) {
        free(d);
        return b->err->code;
    }
    type = tw_b_val(b, in[0])->dtype;
    in[1] = untransposed(b, in[1], &swapped);
    if (swapped) {
        d->bk = 1;
        d->bj = (long)d->nk;
    }
    /* Rows of a batch that follow each other are rows of one matrix. */
    if (d->batch.nd == 1 && d->batch.sb[0] == 0 && d->batch.sa[0] == (long)(d->ni * d->nk)) {
        d->ni *= d->batch.n[0];
        d->batch.nd = 0;
    }
    if (tw_b_val(b, in[0])->varying && tw_b_val(b, in[1])->varying)
        read_moved(b, d, in);
    for (int i = 0; i < rank; i++)
        if (!(vector_x && i == rank - 2) && !(vector_y && i == rank - 1))
            kept[nout++] = dims[i];
    flops = 2.0 * (double)d->ni * (double)d->nj * (double)d->nk * (double)tw_loop_count(&d->batch);
    out = tw_b_temp(b, type, nout, kept);
    tw_b_out(b, 0, tw_b_instr(b, &tw_op_matmul, 2, in, out, d, flops));
    return b->err->code;
}

/* alpha op(A) op(B) + beta C. */
enum tw_status tw_lower_gemm(struct tw_build *b, const struct tw_node *node)
{
    int in[3] = { tw_b_in(b, 0), tw_b_in(b, 1), tw_b_in(b, 2) }, out, c = in[2];
    bool ta = tw_node_int(node, "transA", 0) != 0, tb = tw_node_int(node, "transB", 0) != 0;
    double alpha = tw_node_real(node, "alpha", 1.0), beta = tw_node_real(node, "beta", 1.0);
    size_t dims[2], k, nin = 2;
    struct tw_matmul_data *d;
    const struct tw_val *x, *y;

    if (in[0] < 0 || in[1] < 0 || tw_b_val(b, in[0])->rank != 2 || tw_b_val(b, in[1])->rank != 2)
        return tw_b_fail(b, "needs two matrices");
    x = tw_b_val(b, in[0]);
    y = tw_b_val(b, in[1]);
    k = x->dims[ta ? 0 : 1];
    if (k != y->dims[tb ? 1 : 0])
        return tw_b_fail(b, "multiplies matrices with %zu columns and %zu rows", k,
                         y->dims[tb ? 1 : 0]);
    d = tw_alloc(1, sizeof *d);
    if (!d)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    dims[0] = d->ni = x->dims[ta ? 1 : 0];
    dims[1] = d->nj = y->dims[tb ? 0 : 1];
    d->nk = k;
    d->ai = ta ? 1 : (long)k;
    d->ak = ta ? (long)d->ni : 1;
    d->bk = tb ? 1 : (long)d->nj;
    d->bj = tb ? (long)k : 1;
    d->yi = (long)d->nj;
    d->yj = 1;
    if (c >= 0 && alpha == 1.0 && beta == 1.0 && x->varying && !y->varying &&
        !tw_b_val(b, c)->varying && tw_b_val(b, c)->rank > 0 && tw_b_val(b, c)->n == d->nj &&
        tw_b_val(b, c)->dims[tw_b_val(b, c)->rank - 1] == d->nj) {
        nin = 3; /* a bias: the kernel adds it */
        c = -1;
    }
    out = tw_b_temp(b, x->dtype, 2, dims);
    out = tw_b_instr(b, &tw_op_matmul, nin, in, out, d,
                     2.0 * (double)d->ni * (double)d->nj * (double)d->nk);
    if (alpha != 1.0)
        out = tw_b_binary(b, TW_B_MUL, out, tw_b_const_real(b, alpha));
    if (c >= 0) {
        if (beta != 1.0)
            c = tw_b_binary(b, TW_B_MUL, c, tw_b_const_real(b, beta));
        out = tw_b_binary(b, TW_B_ADD, out, c);
    }
    tw_b_out(b, 0, out);
    return b->err->code;
}
