/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Matrix products. With a uniform factor (a layer's weights) they go to the packed kernel, all
 * positions and samples as columns; else each lane has a product of its own. */
#include <string.h>

#include "ir.h"

enum side { NEITHER, A_IS_WEIGHT, B_IS_WEIGHT };

static enum side weight_side(const struct tw_graph *g, const struct tw_instr *in)
{
    bool a = g->val[in->in[0]].varying, b = g->val[in->in[1]].varying;

    return a == b ? NEITHER : a ? B_IS_WEIGHT : A_IS_WEIGHT;
}

/* The batch indices that the kernel's columns cannot take in: all of them when each has weights
 * of its own, or when there are more than two nested loops. */
static bool loops_outside(const struct tw_matmul_data *d, enum side side)
{
    if (side == NEITHER || d->batch.nd > 2)
        return true;
    for (int i = 0; i < d->batch.nd; i++)
        if ((side == B_IS_WEIGHT ? d->batch.sb[i] : d->batch.sa[i]) != 0)
            return true;
    return false;
}

struct at {
    long a, b, y;
};

static struct at batch_at(const struct tw_matmul_data *d, size_t index)
{
    const struct tw_loop *l = &d->batch;
    struct at at = { d->a_at, d->b_at, 0 };

    for (int i = l->nd - 1; i >= 0; i--) {
        long j = (long)(index % l->n[i]);

        index /= l->n[i];
        at.a += j * l->sa[i];
        at.b += j * l->sb[i];
        at.y += j * l->sy[i];
    }
    return at;
}

/* The product as seen by the packed kernel: W[m,k] with strides wm, wk; columns. */
struct shape {
    size_t m, k;
    long wm, wk; /* of the weights */
    long xk, ym; /* of the other factor, of the product */
    size_t nc[3];
    long xc[3], yc[3];
};

static struct shape shape_of(const struct tw_matmul_data *d, enum side side, bool outside)
{
    bool b = side == B_IS_WEIGHT;
    struct shape s = { .m = b ? d->nj : d->ni,
                       .k = d->nk,
                       .wm = b ? d->bj : d->ai,
                       .wk = b ? d->bk : d->ak,
                       .xk = b ? d->ak : d->bk,
                       .ym = b ? d->yj : d->yi,
                       .nc = { 1, 1, b ? d->ni : d->nj },
                       .xc = { 0, 0, b ? d->ai : d->bj },
                       .yc = { 0, 0, b ? d->yi : d->yj } };

    for (int i = 0; i < d->batch.nd && !outside; i++) {
        int c = 2 - d->batch.nd + i;

        s.nc[c] = d->batch.n[i];
        s.xc[c] = b ? d->batch.sa[i] : d->batch.sb[i];
        s.yc[c] = d->batch.sy[i];
    }
    return s;
}

static size_t batches(const struct tw_matmul_data *d, bool outside)
{
    return outside ? tw_loop_count(&d->batch) : 1;
}

/* ---- packed weights ------------------------------------------------------------------------ */

static bool uses_pack(const struct tw_graph *g, const struct tw_instr *in)
{
    const struct tw_matmul_data *d = in->data;
    enum side side = weight_side(g, in);

    return d->ni && d->nj && d->nk && side != NEITHER && !loops_outside(in->data, side);
}

static size_t matmul_keep(const struct tw_graph *g, const struct tw_instr *in,
                          const struct tw_kernels *k, const struct tw_alg *alg, bool gradient)
{
    enum side side = weight_side(g, in);
    const struct tw_val *w = &g->val[in->in[side == B_IS_WEIGHT]];
    struct shape s;

    if (!uses_pack(g, in))
        return 0;
    s = shape_of(in->data, side, false);
    return (w->active ? (size_t)alg->planes : 1) *
           (k->packed_size(s.m, s.k) + (gradient ? k->packed_size(s.k, s.m) : 0));
}

/* Panels of plane p: forward ones first, then those of the transpose. */
static void *panels(const struct tw_run *r, const struct tw_instr *in, size_t number,
                    const struct shape *s, int p, bool transposed)
{
    const struct tw_val *w = tw_val_of(r, in->in[weight_side(r->g, in) == B_IS_WEIGHT]);
    size_t planes = w->active ? (size_t)r->alg->planes : 1;
    size_t forward = r->k->packed_size(s->m, s->k), back = r->k->packed_size(s->k, s->m);
    size_t at = transposed ? planes * forward + (size_t)p * back : (size_t)p * forward;

    return (char *)r->kept[number] + at * r->k->size;
}

static void matmul_prepare(const struct tw_run *r, const struct tw_instr *in, size_t number,
                           bool gradient)
{
    enum side side = weight_side(r->g, in);
    struct shape s = shape_of(in->data, side, false);

    if (!uses_pack(r->g, in))
        return;
    for (int p = 0; p < r->alg->planes; p++) {
        const void *w = tw_plane(r, in->in[side == B_IS_WEIGHT], p);

        if (!w)
            continue;
        r->k->pack(s.m, s.k, w, s.wm, s.wk, panels(r, in, number, &s, p, false));
        if (gradient)
            r->k->pack(s.k, s.m, w, s.wk, s.wm, panels(r, in, number, &s, p, true));
    }
}

/* ---- forward ------------------------------------------------------------------------------- */

static void bias_alone(const struct tw_run *r, const struct tw_instr *in, int p, void *y)
{
    const struct tw_matmul_data *d = in->data;
    const void *bias = in->nin > 2 ? tw_plane(r, in->in[2], p) : NULL;
    size_t n = tw_val_of(r, in->out[0])->n;
    struct tw_loop l = {
        .nd = 2, .n = { d->nj ? n / d->nj : 0, d->nj }, .sa = { 0, 1 }, .sy = { (long)d->nj, 1 }
    };

    if (bias)
        r->k->binary(TW_B_FIRST, &l, 1, bias, 1, bias, TW_SET, r->lanes, y);
    else
        r->k->fill(n * r->lanes, 0.0, y);
}

static void packed_forward(const struct tw_run *r, const struct tw_instr *in, size_t number,
                           enum side side)
{
    struct shape s = shape_of(in->data, side, false);
    bool written[TW_MAX_PLANES] = { false };
    int w = in->in[side == B_IS_WEIGHT], x = in->in[side != B_IS_WEIGHT];

    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        const void *xp = tw_plane(r, x, t->j);
        void *y = tw_plane(r, in->out[0], t->k);
        struct tw_gemm g = { .m = s.m,
                             .k = s.k,
                             .x = xp,
                             .kstride = s.xk,
                             .y = y,
                             .mstride = s.ym,
                             .lanes = r->lanes,
                             .store = written[t->k] ? TW_ADD : TW_SET,
                             .act = r->act ? r->act[number] : TW_U_COPY };

        if (!tw_plane(r, w, t->i) || !xp || !y)
            continue;
        for (int c = 0; c < 3; c++) {
            g.nc[c] = s.nc[c];
            g.xc[c] = s.xc[c];
            g.yc[c] = s.yc[c];
        }
        g.a = panels(r, in, number, &s, t->i, false);
        g.bias = !written[t->k] && in->nin > 2 ? tw_plane(r, in->in[2], t->k) : NULL;
        r->k->gemm(&g);
        written[t->k] = true;
    }
    for (int p = 0; p < r->alg->planes; p++)
        if (!written[p] && tw_plane(r, in->out[0], p))
            bias_alone(r, in, p, tw_plane(r, in->out[0], p));
}

static void lanewise_forward(const struct tw_run *r, const struct tw_instr *in)
{
    const struct tw_matmul_data *d = in->data;
    size_t al = tw_lanes_of(r, in->in[0]), bl = tw_lanes_of(r, in->in[1]);

    bool reached[TW_MAX_PLANES] = { false };

    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];

        if (tw_plane(r, in->in[0], t->i) && tw_plane(r, in->in[1], t->j))
            reached[t->k] = true;
    }
    for (int p = 0; p < r->alg->planes; p++)
        if (tw_plane(r, in->out[0], p) && (in->nin > 2 || !reached[p] || !d->nk))
            bias_alone(r, in, p, tw_plane(r, in->out[0], p));
    for (size_t n = 0; n < batches(d, true) && d->nk; n++) {
        struct at at = batch_at(d, n);
        bool written[TW_MAX_PLANES] = { false };

        for (int i = 0; i < r->alg->nterm; i++) {
            const struct tw_term *t = &r->alg->term[i];
            const void *a = tw_plane(r, in->in[0], t->i), *b = tw_plane(r, in->in[1], t->j);
            void *y = tw_plane(r, in->out[0], t->k);

            if (a && b && y)
                r->k->bmm(
                    &(struct tw_bmm){ .ni = d->ni,
                                      .nj = d->nj,
                                      .nk = d->nk,
                                      .a = tw_at(r, a, at.a, al),
                                      .ai = d->ai,
                                      .ak = d->ak,
                                      .alanes = al,
                                      .b = tw_at(r, b, at.b, bl),
                                      .bk = d->bk,
                                      .bj = d->bj,
                                      .blanes = bl,
                                      .y = tw_at(r, y, at.y, r->lanes),
                                      .yi = d->yi,
                                      .yj = d->yj,
                                      .lanes = r->lanes,
                                      .store = in->nin > 2 || written[t->k] ? TW_ADD : TW_SET });
            written[t->k] = written[t->k] || (a && b && y);
        }
    }
}

static void matmul_forward(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    if (uses_pack(r->g, in))
        packed_forward(r, in, number, weight_side(r->g, in));
    else
        lanewise_forward(r, in);
}

/* ---- back ------------------------------------------------------------------------------------ */

/* gX[k][c] += sum over m of W[m,k] gY[m][c]. */
static void packed_back(const struct tw_run *r, const struct tw_instr *in, size_t number,
                        const struct shape *s, int w, int x)
{
    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        const void *gy = tw_grad(r, in->out[0], t->j);
        void *gx = tw_grad(r, x, t->k);
        struct tw_gemm g = { .m = s->k,
                             .k = s->m,
                             .x = gy,
                             .kstride = s->ym,
                             .y = gx,
                             .mstride = s->xk,
                             .lanes = r->lanes,
                             .store = TW_ADD,
                             .act = TW_U_COPY };

        if (!tw_plane(r, w, t->i) || !gy || !gx)
            continue;
        for (int c = 0; c < 3; c++) {
            g.nc[c] = s->nc[c];
            g.xc[c] = s->yc[c];
            g.yc[c] = s->xc[c];
        }
        g.a = panels(r, in, number, s, t->i, true);
        r->k->gemm(&g);
    }
}

/* gW[m,k] += sum over columns and lanes of gY[m][c] X[k][c], for one batch index or all. */
static void weight_back(const struct tw_run *r, const struct tw_instr *in, const struct shape *s,
                        int w, int x, long wat, long xat, long yat)
{
    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        const void *gy = tw_grad(r, in->out[0], t->i), *xp = tw_plane(r, x, t->j);
        double *gw = tw_ugrad(r, w, t->k);
        struct tw_gradw g = { .m = s->m,
                              .k = s->k,
                              .mstride = s->ym,
                              .kstride = s->xk,
                              .lanes = r->lanes,
                              .dam = s->wm,
                              .dak = s->wk,
                              .by = 1.0 };

        if (!gy || !xp || !gw)
            continue;
        g.gy = tw_at(r, gy, yat, r->lanes);
        g.x = tw_at(r, xp, xat, r->lanes);
        g.da = gw + wat;
        for (int c = 0; c < 3; c++) {
            g.nc[c] = s->nc[c];
            g.gyc[c] = s->yc[c];
            g.xc[c] = s->xc[c];
        }
        r->k->gradw(&g);
    }
}

bool tw_matmul_packed(const struct tw_graph *g, const struct tw_instr *in, int *weights,
                      size_t *rows)
{
    struct shape s;

    if (in->op != &tw_op_matmul || in->uniform || !uses_pack(g, in))
        return false;
    s = shape_of(in->data, weight_side(g, in), false);
    *weights = in->in[weight_side(g, in) == B_IS_WEIGHT];
    *rows = s.k;
    return (s.wm == 1 && s.wk == (long)s.m) || (s.wk == 1 && s.wm == (long)s.k);
}

void tw_matmul_weights(const struct tw_run *r, const struct tw_instr *in, bool zero, bool set,
                       double by, size_t k, size_t nk, double *gw)
{
    enum side side = weight_side(r->g, in);
    struct shape s = shape_of(in->data, side, false);

    if (zero) {
        const bool rows = s.wm == 1; /* which way they lie side by side */

        for (size_t i = 0; i < (rows ? nk : s.m); i++)
            memset(rows ? gw + (long)(k + i) * s.wk : gw + (long)i * s.wm + (long)k, 0,
                   (rows ? s.m : nk) * sizeof *gw);
        return;
    }
    r->k->gradw(&(struct tw_gradw){
        .m = s.m,
        .k = nk,
        .gy = tw_grad(r, in->out[0], 0),
        .mstride = s.ym,
        .x = tw_at(r, tw_plane(r, in->in[side != B_IS_WEIGHT], 0), (long)k * s.xk, r->lanes),
        .kstride = s.xk,
        .nc = { s.nc[0], s.nc[1], s.nc[2] },
        .gyc = { s.yc[0], s.yc[1], s.yc[2] },
        .xc = { s.xc[0], s.xc[1], s.xc[2] },
        .lanes = r->lanes,
        .da = gw + (long)k * s.wk,
        .dam = s.wm,
        .dak = s.wk,
        .set = set,
        .by = by });
}

/* The cotangent of a factor that has the lanes of the product: gA = gY B', gB = A' gY. */
static void lanewise_back(const struct tw_run *r, const struct tw_instr *in, int side, struct at at)
{
    const struct tw_matmul_data *d = in->data;
    int other = in->in[!side];
    size_t ol = tw_lanes_of(r, other);

    for (int i = 0; i < r->alg->nterm; i++) {
        const struct tw_term *t = &r->alg->term[i];
        const void *gy = tw_grad(r, in->out[0], t->i), *o = tw_plane(r, other, t->j);
        void *g = tw_grad(r, in->in[side], t->k);
        struct tw_bmm m = { .lanes = r->lanes, .store = TW_ADD };

        if (!gy || !o || !g)
            continue;
        gy = tw_at(r, gy, at.y, r->lanes);
        g = tw_at(r, g, side ? at.b : at.a, r->lanes);
        o = tw_at(r, o, side ? at.a : at.b, ol);
        m.y = g;
        if (side == 0) { /* [i,k] = sum_j gY[i,j] B[k,j] */
            m.ni = d->ni, m.nj = d->nk, m.nk = d->nj;
            m.a = gy, m.ai = d->yi, m.ak = d->yj, m.alanes = r->lanes;
            m.b = o, m.bk = d->bj, m.bj = d->bk, m.blanes = ol;
            m.yi = d->ai, m.yj = d->ak;
        } else { /* [k,j] = sum_i A[i,k] gY[i,j] */
            m.ni = d->nk, m.nj = d->nj, m.nk = d->ni;
            m.a = o, m.ai = d->ak, m.ak = d->ai, m.alanes = ol;
            m.b = gy, m.bk = d->yi, m.bj = d->yj, m.blanes = r->lanes;
            m.yi = d->bk, m.yj = d->bj;
        }
        r->k->bmm(&m);
    }
}

static void matmul_vjp(const struct tw_run *r, const struct tw_instr *in, size_t number)
{
    const struct tw_matmul_data *d = in->data;
    enum side side = weight_side(r->g, in);
    bool packed = uses_pack(r->g, in);
    int w = in->in[side == B_IS_WEIGHT], x = in->in[side != B_IS_WEIGHT];

    if (in->nin > 2 && tw_wants_grad(r, in->in[2])) {
        struct tw_loop l = { .nd = 2,
                             .n = { d->nj ? tw_val_of(r, in->out[0])->n / d->nj : 0, d->nj },
                             .sa = { (long)d->nj, 1 },
                             .sy = { 0, 1 } };
        struct tw_planes g;

        tw_planes_grad(r, in->out[0], &g);
        tw_alg_into(r, &l, &g, NULL, in->in[2]);
    }
    if (packed) {
        struct shape s = shape_of(d, side, false);

        if (tw_wants_grad(r, x))
            packed_back(r, in, number, &s, w, x);
        if (tw_wants_grad(r, w))
            weight_back(r, in, &s, w, x, 0, 0, 0);
        return;
    }
    for (size_t n = 0; n < batches(d, true); n++) {
        struct at at = batch_at(d, n);

        for (int i = 0; i < 2; i++) {
            struct shape s;

            if (!tw_wants_grad(r, in->in[i]))
                continue;
            if (side == NEITHER || in->in[i] == x) {
                lanewise_back(r, in, i, at);
                continue;
            }
            s = shape_of(d, side, true);
            weight_back(r, in, &s, w, x, i ? at.b : at.a, i ? at.a : at.b, at.y);
        }
    }
}

const struct tw_op tw_op_matmul = { .name = "matmul",
                                    .forward = matmul_forward,
                                    .bias = bias_alone,
                                    .vjp = matmul_vjp,
                                    .keep = matmul_keep,
                                    .prepare = matmul_prepare };
