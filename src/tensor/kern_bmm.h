/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_bmm.h - products of matrices that differ between lanes, and attention, which is made of
 * two of them with a softmax between. */
#ifndef TENSOR_KERN_BMM_H
#define TENSOR_KERN_BMM_H

#include "kern_reduce.h"

/* Strides in reals. */
struct bmm_tile {
    size_t nk;
    long ai, ak, bk, bj, yi, yj;
    enum tw_store store;
};

#define LOAD_SPREAD(p) splat(*(p))
#define TILE_KIND      varying
#define TILE_A         vload
#define TILE_B         vload
#include "kern_bmm_shapes.h"
#define TILE_KIND left
#define TILE_A    LOAD_SPREAD
#define TILE_B    vload
#include "kern_bmm_shapes.h"
#define TILE_KIND right
#define TILE_A    vload
#define TILE_B    LOAD_SPREAD
#include "kern_bmm_shapes.h"

typedef void (*bmm_micro)(const struct bmm_tile *t, const real *a, const real *b, real *y);
enum bmm_kind { BMM_VARYING, BMM_LEFT, BMM_RIGHT }; /* which operand is uniform */
#if KERN_BYTES == 64
enum { BMM_I = 4, BMM_J = 4 };
#define BMM_ENTRY(kind)                                                                            \
    {                                                                                              \
        { bmm_##kind##_1x1, bmm_##kind##_1x4 },                                                    \
        {                                                                                          \
            bmm_##kind##_4x1, bmm_##kind##_4x4                                                     \
        }                                                                                          \
    }
#else
enum { BMM_I = 3, BMM_J = 4 };
#define BMM_ENTRY(kind)                                                                            \
    {                                                                                              \
        { bmm_##kind##_1x1, bmm_##kind##_1x4 },                                                    \
        {                                                                                          \
            bmm_##kind##_3x1, bmm_##kind##_3x4                                                     \
        }                                                                                          \
    }
#endif
static const bmm_micro bmm_micros[3][2][2] = { BMM_ENTRY(varying), BMM_ENTRY(left),
                                               BMM_ENTRY(right) };

/* One vector of lanes. */
static void bmm_vector(enum bmm_kind kind, const struct bmm_tile *t, size_t ni, size_t nj,
                       const real *a, const real *b, real *y)
{
    for (size_t j = 0; j < nj;) {
        const size_t dj = nj - j >= BMM_J ? BMM_J : 1;

        for (size_t i = 0; i < ni;) {
            const size_t di = ni - i >= BMM_I ? BMM_I : 1;

            bmm_micros[kind][di > 1][dj > 1](t, a + (long)i * t->ai, b + (long)j * t->bj,
                                             y + (long)i * t->yi + (long)j * t->yj);
            i += di;
        }
        j += dj;
    }
}

/* All three uniform. */
static void bmm_uniform(const struct tw_bmm *p)
{
    const real *a = p->a, *b = p->b;
    real *y = p->y;

    for (long i = 0; i < (long)p->ni; i++)
        for (long j = 0; j < (long)p->nj; j++) {
            real s = (real)0.0, *to = y + i * p->yi + j * p->yj;

            for (long k = 0; k < (long)p->nk; k++)
                s += a[i * p->ai + k * p->ak] * b[k * p->bk + j * p->bj];
            *to = p->store == TW_SET ? s : p->store == TW_ADD ? *to + s : *to - s;
        }
}

static void bmm(const struct tw_bmm *p)
{
    const long al = (long)p->alanes, bl = (long)p->blanes, yl = (long)p->lanes;
    const enum bmm_kind kind = al == 1 && bl > 1   ? BMM_LEFT
                               : bl == 1 && al > 1 ? BMM_RIGHT
                                                   : BMM_VARYING;
    const struct bmm_tile t = { .nk = p->nk,
                                .ai = p->ai * al,
                                .ak = p->ak * al,
                                .bk = p->bk * bl,
                                .bj = p->bj * bl,
                                .yi = p->yi * yl,
                                .yj = p->yj * yl,
                                .store = p->store };

    if (yl == 1) {
        bmm_uniform(p);
        return;
    }
    for (long v = 0; v < yl; v += W)
        bmm_vector(kind, &t, p->ni, p->nj, (const real *)p->a + (al == 1 ? 0 : v),
                   (const real *)p->b + (bl == 1 ? 0 : v), (real *)p->y + v);
}

/* Queries at a time: the scores of so many are kept, and each key and value serves them all. */
enum { QUERIES = 12 };

static size_t attention_scratch(size_t nk, size_t d, size_t dv, size_t lanes)
{
    (void)d;
    (void)dv;
    (void)lanes;
    return QUERIES * nk * W;
}

/* Queries i0 .. i0 + n of one vector of lanes. */
static void attend(const struct tw_attention *p, size_t i0, size_t n, const real *q, const real *k,
                   const real *v, real *y)
{
    const long step = (long)p->lanes;
    real *s = p->scratch;
    const long row = (long)p->nk * W;
    /* Keys that some query of the block sees; a query that sees none gives NaN. */
    const long reach = p->causal ? (long)(i0 + n) + (long)p->nk - (long)p->nq : (long)p->nk;
    const size_t keys = reach < 1 ? p->nk > 0 : (size_t)reach;
    const struct bmm_tile scores = { .nk = p->d,
                                     .ai = p->qi * step,
                                     .ak = p->qd * step,
                                     .bk = p->kd * step,
                                     .bj = p->kj * step,
                                     .yi = row,
                                     .yj = W };
    const struct bmm_tile values = { .nk = keys,
                                     .ai = row,
                                     .ak = W,
                                     .bk = p->vj * step,
                                     .bj = p->vd * step,
                                     .yi = p->yi * step,
                                     .yj = p->yd * step };

    bmm_vector(BMM_VARYING, &scores, n, keys, q, k, s);
    for (size_t i = 0; i < n; i++) {
        const long sees = p->causal ? (long)(i0 + i) + 1 + (long)p->nk - (long)p->nq : (long)keys;
        const real *bias = p->bias ? (const real *)p->bias + (long)(i0 + i) * p->bi : NULL;
        real *to = s + (long)i * row;

        for (long j = 0; j < (long)keys; j++) {
            vec x = K(p->scale) * vload(to + j * W);

            if (bias)
                x += splat(bias[j]);
            vstore(to + j * W, j < sees ? x : K(-INFINITY));
        }
        softmax_row(false, keys, W, to, to);
    }
    bmm_vector(BMM_VARYING, &values, n, p->dv, s, v, y);
}

/* Block `first` of queries, and every `each`th after it. */
static void attention_blocks(const struct tw_attention *p, size_t first, size_t each)
{
    const long step = (long)p->lanes;

    for (long l = 0; l < step; l += W)
        for (size_t i = first * QUERIES; i < p->nq; i += each * QUERIES)
            attend(p, i, p->nq - i < QUERIES ? p->nq - i : QUERIES,
                   (const real *)p->q + (long)i * p->qi * step + l, (const real *)p->k + l,
                   (const real *)p->v + l, (real *)p->y + (long)i * p->yi * step + l);
}

static void attention(const struct tw_attention *p)
{
    attention_blocks(p, 0, 1);
}

#endif
