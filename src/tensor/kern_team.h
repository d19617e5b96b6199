/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_team.h - the same kernels for a team: all its threads call one with equal arguments, each
 * makes the results of its own part, and nobody goes on before all are done. A
 * result is made by the same operations in the same order as by one thread, so its bits are the
 * same. Where a part would not be worth it or results meet, the first thread does it all. */
#ifndef TENSOR_KERN_TEAM_H
#define TENSOR_KERN_TEAM_H

#include "kern_binary.h"
#include "kern_bmm.h"
#include "kern_gradw.h"
#include "kern_move.h"
#include "kern_pool.h"
#include "kern_winograd.h"

struct part {
    size_t from, to;
};

/* This thread's part of n in steps of `unit`. */
static inline struct part team_part(size_t n, size_t unit)
{
    const size_t steps = (n + unit - 1) / unit, of = tw_team_of();
    const size_t me = tw_team_me(), to = steps * (me + 1) / of * unit;

    return (struct part){ steps * me / of * unit, to < n ? to : n };
}

static inline struct part team_whole(size_t n)
{
    return (struct part){ 0, tw_team_me() == 0 ? n : 0 };
}

static inline bool has(struct part p)
{
    return p.from < p.to;
}

/* ---- parts of nests -------------------------------------------------------------------------- */

static inline size_t magnitude(long s)
{
    return (size_t)(s < 0 ? -s : s);
}

/* Whether no two indices lead to the same y, but along levels of stride 0. */
static bool apart(int nd, const size_t *n, const long *sy)
{
    for (int d = 0; d < nd; d++) {
        size_t below = 0;

        for (int e = 0; e < nd && sy[d] && n[d] > 1; e++)
            if (e != d && sy[e] && n[e] > 1 && magnitude(sy[e]) <= magnitude(sy[d]))
                below += magnitude(sy[e]) * (n[e] - 1);
        if (sy[d] && n[d] > 1 && below >= magnitude(sy[d]))
            return false;
    }
    return true;
}

/* The level to share out: the first that is long enough, else the longest, of those along which
 * results differ; -1: none. */
static int team_level(int nd, const size_t *n, const long *sy)
{
    const size_t enough = 8 * tw_team_of();
    int best = -1;

    if (!apart(nd, n, sy))
        return -1;
    for (int d = 0; d < nd; d++) {
        if (!sy[d] || n[d] < 2 || (best >= 0 && n[d] <= n[best]))
            continue;
        best = d;
        if (n[d] >= enough)
            break;
    }
    return best;
}

/* Cuts this thread's part out of a nest: *level from index *from on; false if it has none. At least
 * two indices: a level of one is left out, and sums inside what was outside it are rounded in
 * another order. */
static bool team_nest(struct tw_loop *l, int *level, long *from)
{
    struct part t;
    size_t pairs;

    *level = team_level(l->nd, l->n, l->sy);
    *from = 0;
    if (*level < 0) {
        *level = 0;
        return tw_team_me() == 0;
    }
    pairs = l->n[*level] / 2;
    t = team_part(pairs, 1);
    *from = (long)(2 * t.from);
    l->n[*level] = t.to == pairs ? l->n[*level] - 2 * t.from : 2 * (t.to - t.from);
    return has(t);
}

/* The place of index `from` of a level. */
static inline const void *nest_at(const void *p, long from, long stride, size_t lanes)
{
    return p && from ? (const real *)p + from * stride * (long)lanes : p;
}

static inline void *nest_out(void *p, long from, long stride, size_t lanes)
{
    return from ? (real *)p + from * stride * (long)lanes : p;
}

/* ---- elementwise, sums ------------------------------------------------------------------------
 */

enum { TEAM_UNIT = 64 / KERN_REAL_BYTES };

static void team_unary(enum tw_unary f, int order, double p0, double p1, size_t n, const void *x,
                       void *y)
{
    const struct part t = team_part(n, TEAM_UNIT);

    if (has(t))
        unary(f, order, p0, p1, t.to - t.from, (const real *)x + t.from, (real *)y + t.from);
    tw_team_wait();
}

static void team_unary_grad(enum tw_unary f, int order, double p0, double p1, size_t n,
                            const void *x, const void *g, enum tw_store store, void *gx)
{
    const struct part t = team_part(n, TEAM_UNIT);

    if (has(t))
        unary_grad(f, order, p0, p1, t.to - t.from, (const real *)x + t.from,
                   (const real *)g + t.from, store, (real *)gx + t.from);
    tw_team_wait();
}

static void team_binary(enum tw_binary f, const struct tw_loop *l, size_t alanes, const void *a,
                        size_t blanes, const void *b, enum tw_store store, size_t lanes, void *y)
{
    struct tw_loop m = *l;
    long from;
    int d;

    if (team_nest(&m, &d, &from))
        binary(f, &m, alanes, nest_at(a, from, m.sa[d], alanes), blanes,
               f == TW_B_FIRST ? b : nest_at(b, from, m.sb[d], blanes), store, lanes,
               nest_out(y, from, m.sy[d], lanes));
    tw_team_wait();
}

static void team_choose(const struct tw_loop *l, size_t clanes, const void *c, size_t alanes,
                        const void *a, size_t blanes, const void *b, enum tw_store store,
                        size_t lanes, void *y)
{
    struct tw_loop m = *l;
    long from;
    int d;

    if (team_nest(&m, &d, &from))
        choose(&m, clanes, nest_at(c, from, m.sc[d], clanes), alanes,
               nest_at(a, from, m.sa[d], alanes), blanes, nest_at(b, from, m.sb[d], blanes), store,
               lanes, nest_out(y, from, m.sy[d], lanes));
    tw_team_wait();
}

static void team_fill(size_t n, double value, void *y)
{
    const struct part t = team_part(n, TEAM_UNIT);

    if (has(t))
        fill(t.to - t.from, value, (real *)y + t.from);
    tw_team_wait();
}

static void team_axpy(size_t n, double s, const void *x, void *y)
{
    const struct part t = team_part(n, TEAM_UNIT);

    if (has(t))
        axpy(t.to - t.from, s, (const real *)x + t.from, (real *)y + t.from);
    tw_team_wait();
}

static void team_reduce(enum tw_binary f, const struct tw_loop *l, const void *a, size_t lanes,
                        void *y)
{
    struct tw_loop m = *l;
    long from;
    int d;

    if (team_nest(&m, &d, &from))
        reduce(f, &m, nest_at(a, from, m.sa[d], lanes), lanes, nest_out(y, from, m.sy[d], lanes));
    tw_team_wait();
}

static void team_reduce_lanes(const struct tw_loop *l, const void *a, size_t blanes, const void *b,
                              size_t lanes, double *y)
{
    struct tw_loop m = *l;
    long from;
    int d;

    if (team_nest(&m, &d, &from))
        reduce_lanes(&m, nest_at(a, from, m.sa[d], lanes), blanes,
                     nest_at(b, from, m.sb[d], blanes), lanes, y + from * m.sy[d]);
    tw_team_wait();
}

/* ---- products ----------------------------------------------------------------------------------
 */

static void team_gemm_columns(const struct tw_gemm *g, int d)
{
    const struct part t = team_part(g->nc[d], 1);
    struct tw_gemm m = *g;

    m.nc[d] = t.to - t.from;
    m.x = (const real *)g->x + (long)t.from * g->xc[d] * (long)g->lanes;
    m.y = (real *)g->y + (long)t.from * g->yc[d] * (long)g->lanes;
    if (has(t))
        gemm(&m);
}

static void team_gemm_rows(const struct tw_gemm *g, struct part t)
{
    struct tw_gemm m = *g;

    m.m = t.to - t.from;
    m.whole = g->m;
    m.a = (const real *)g->a + t.from * g->k;
    m.bias = g->bias ? (const real *)g->bias + t.from : NULL;
    m.moff = g->moff ? g->moff + t.from : NULL;
    if (!g->moff)
        m.y = (real *)g->y + (long)t.from * g->mstride * (long)g->lanes;
    if (has(t))
        gemm(&m);
}

/* Panels lie one after the other. */
static void team_pack(size_t m, size_t k, const void *a, long sm, long sk, void *packed)
{
    const struct part t = team_part(m, TW_PANEL);

    if (has(t))
        pack(t.to - t.from, k, (const real *)a + (long)t.from * sm, sm, sk,
             (real *)packed + t.from * k);
    tw_team_wait();
}

static void team_winograd_pack(size_t m, size_t k, const void *a, long sm, long sk, bool turned,
                               void *packed)
{
    const struct part t = team_part(m, TW_PANEL);

    if (has(t))
        winograd_pack_rows(t.from, t.to, m, k, a, sm, sk, turned, packed);
    tw_team_wait();
}

/* Columns, so that threads keep to their positions, or panels of rows where there are more; where
 * rows may meet, those of whole panels after which others begin that meet none of them. */
static void team_gemm(const struct tw_gemm *g)
{
    const size_t n[4] = { g->m, g->nc[0], g->nc[1], g->nc[2] };
    const long s[4] = { g->mstride, g->yc[0], g->yc[1], g->yc[2] };
    const size_t panels = (g->m + TW_PANEL - 1) / TW_PANEL;
    const int d = g->moff ? -1 : team_level(3, g->nc, g->yc);
    size_t unit = g->apart;

    while (unit % TW_PANEL)
        unit += g->apart;
    if (g->moff && unit)
        team_gemm_rows(g, team_part(g->m, unit));
    else if (g->moff || !g->mstride || !apart(4, n, s))
        team_gemm_rows(g, team_whole(g->m));
    else if (d >= 0 && (g->nc[d] >= 4 * tw_team_of() || g->nc[d] >= panels))
        team_gemm_columns(g, d);
    else
        team_gemm_rows(g, team_part(g->m, TW_PANEL));
    tw_team_wait();
}

static void team_gradw(const struct tw_gradw *p)
{
    const bool turns = gradw_turns(p);
    const size_t mu = turns ? GEMM_ROWS : GRADW_I;
    const size_t ku = turns ? TURNED_TILES * TURNED_WIDEST * W : GRADW_J;
    struct tw_gradw q = *p;
    struct part t;

    if (!p->dam || !p->dak || !apart(2, (size_t[]){ p->m, p->k }, (long[]){ p->dam, p->dak })) {
        t = team_whole(p->m);
        q.m = t.to;
    } else if (p->m / mu >= p->k / ku) {
        t = team_part(p->m, mu);
        q.m = t.to - t.from;
        q.moff = p->moff ? p->moff + t.from : NULL;
        q.gy = p->moff ? p->gy : (const real *)p->gy + (long)t.from * p->mstride * (long)p->lanes;
        q.da = p->da + (long)t.from * p->dam;
    } else {
        t = team_part(p->k, ku);
        q.k = t.to - t.from;
        q.koff = p->koff ? p->koff + t.from : NULL;
        q.x = p->koff ? p->x : (const real *)p->x + (long)t.from * p->kstride * (long)p->lanes;
        q.da = p->da + (long)t.from * p->dak;
    }
    if (has(t))
        gradw_by(&q, turns);
    tw_team_wait();
}

static void team_bmm(const struct tw_bmm *p)
{
    const bool rows = p->ni >= p->nj;
    struct tw_bmm q = *p;
    struct part t;

    if (!apart(2, (size_t[]){ p->ni, p->nj }, (long[]){ p->yi, p->yj }) || !(rows ? p->yi : p->yj))
        t = team_whole(rows ? p->ni : p->nj);
    else
        t = team_part(rows ? p->ni : p->nj, rows ? BMM_I : BMM_J);
    if (rows) {
        q.ni = t.to - t.from;
        q.a = (const real *)p->a + (long)t.from * p->ai * (long)p->alanes;
        q.y = (real *)p->y + (long)t.from * p->yi * (long)p->lanes;
    } else {
        q.nj = t.to - t.from;
        q.b = (const real *)p->b + (long)t.from * p->bj * (long)p->blanes;
        q.y = (real *)p->y + (long)t.from * p->yj * (long)p->lanes;
    }
    if (has(t))
        bmm(&q);
    tw_team_wait();
}

/* Blocks of queries in turn: later ones see more keys. Each thread has scratch of its own. */
static void team_attention(const struct tw_attention *p)
{
    attention_blocks(p, tw_team_me(), tw_team_of());
    tw_team_wait();
}

/* ---- rows ---------------------------------------------------------------------------------------
 */

static void team_softmax(bool log, size_t outer, long outer_stride, size_t n, long s, size_t inner,
                         size_t lanes, const void *x, void *y)
{
    const bool by_outer = outer > 1;
    const struct part t = team_part(by_outer ? outer : inner, 1);
    const long at = (long)t.from * (by_outer ? outer_stride : 1) * (long)lanes;

    if (has(t))
        softmax(log, by_outer ? t.to - t.from : outer, outer_stride, n, s,
                by_outer ? inner : t.to - t.from, lanes, (const real *)x + at, (real *)y + at);
    tw_team_wait();
}

static void team_normalize(bool rms, size_t rows, long row, size_t n, long s, double eps,
                           const void *scale, const void *shift, size_t lanes, const void *x,
                           void *y, void *stats)
{
    const struct part t = team_part(rows, 1);
    const long at = (long)t.from * row * (long)lanes;

    if (has(t))
        normalize(rms, t.to - t.from, row, n, s, eps, scale, shift, lanes, (const real *)x + at,
                  (real *)y + at, stats ? (real *)stats + 2 * t.from * lanes : NULL);
    tw_team_wait();
}

static void team_argmax(bool min, bool last, size_t outer, size_t n, size_t inner, size_t lanes,
                        const void *x, void *y)
{
    const struct part t = team_part(outer, 1);

    if (has(t))
        argmax(min, last, t.to - t.from, n, inner, lanes,
               (const real *)x + t.from * n * inner * lanes, (real *)y + t.from * inner * lanes);
    tw_team_wait();
}

/* ---- pooling, tables, samples ------------------------------------------------------------------
 */

static void team_maxpool(const struct tw_pool *p, const void *x, void *y, void *index)
{
    const size_t in = volume(p->in) * p->lanes, out = volume(p->out) * p->lanes;
    const struct part t = team_part(p->planes, 1);
    struct tw_pool q = *p;

    q.planes = t.to - t.from;
    if (has(t))
        maxpool(&q, (const real *)x + t.from * in, (real *)y + t.from * out,
                index ? (real *)index + t.from * out : NULL);
    tw_team_wait();
}

static void team_avgpool(const struct tw_pool *p, const void *x, void *y)
{
    const struct part t = team_part(p->planes, 1);
    struct tw_pool q = *p;

    q.planes = t.to - t.from;
    if (has(t))
        avgpool(&q, (const real *)x + t.from * volume(p->in) * p->lanes,
                (real *)y + t.from * volume(p->out) * p->lanes);
    tw_team_wait();
}

static void team_avgpool_grad(const struct tw_pool *p, const void *gy, void *gx)
{
    const struct part t = team_part(p->planes, 1);
    struct tw_pool q = *p;

    q.planes = t.to - t.from;
    if (has(t))
        avgpool_grad(&q, (const real *)gy + t.from * volume(p->out) * p->lanes,
                     (real *)gx + t.from * volume(p->in) * p->lanes);
    tw_team_wait();
}

static void team_pick(size_t planes, size_t nin, size_t nout, size_t lanes, const void *index,
                      const void *x, void *y)
{
    const struct part t = team_part(planes, 1);
    const size_t in = t.from * nin * lanes, out = t.from * nout * lanes;

    if (has(t))
        pick(t.to - t.from, nin, nout, lanes, (const real *)index + out, (const real *)x + in,
             (real *)y + out);
    tw_team_wait();
}

static void team_unpick(size_t planes, size_t nin, size_t nout, size_t lanes, const void *index,
                        const void *g, void *gx)
{
    const struct part t = team_part(planes, 1);
    const size_t in = t.from * nin * lanes, out = t.from * nout * lanes;

    if (has(t))
        unpick(t.to - t.from, nin, nout, lanes, (const real *)index + out, (const real *)g + out,
               (real *)gx + in);
    tw_team_wait();
}

static void team_lookup(size_t n, const void *index, size_t rows, size_t width, const void *table,
                        size_t lanes, void *y)
{
    const struct part t = team_part(n, 1);

    if (has(t))
        lookup(t.to - t.from, (const real *)index + t.from * lanes, rows, width, table, lanes,
               (real *)y + t.from * width * lanes);
    tw_team_wait();
}

static void team_lookup_grad(size_t n, const void *index, size_t rows, size_t width, const void *gy,
                             size_t lanes, double *gtable)
{
    const struct part t = team_part(width, 8);

    lookup_grad_part(n, index, rows, width, gy, lanes, gtable, t.from, t.to);
    tw_team_wait();
}

static void team_load_f32(size_t e, size_t lanes, const float *const *x, void *y)
{
    const struct part t = team_part(e, TEAM_UNIT);

    load_part(t.from, t.to, lanes, x, y);
    tw_team_wait();
}

static void team_store_f64(size_t e, size_t lanes, size_t nsamples, const void *x, double *const *y)
{
    if (tw_team_me() == 0)
        store_f64(e, lanes, nsamples, x, y);
    tw_team_wait();
}

#define KERN_TEAM(ISA)                                                                             \
    {                                                                                              \
        .isa = (ISA), .type = KERN_TYPE, .size = sizeof(real), .unary = team_unary,                \
        .unary_grad = team_unary_grad, .binary = team_binary, .select = team_choose,               \
        .fill = team_fill, .axpy = team_axpy, .reduce = team_reduce,                               \
        .reduce_lanes = team_reduce_lanes, .packed_size = packed_size, .pack = team_pack,          \
        .gemm = team_gemm, .gradw = team_gradw, .winograd_pack = team_winograd_pack,               \
        .bmm = team_bmm, .attention_scratch = attention_scratch, .attention = team_attention,      \
        .softmax = team_softmax, .normalize = team_normalize, .maxpool = team_maxpool,             \
        .pick = team_pick, .unpick = team_unpick, .avgpool = team_avgpool,                         \
        .avgpool_grad = team_avgpool_grad, .lookup = team_lookup, .lookup_grad = team_lookup_grad, \
        .load_f32 = team_load_f32, .store_f64 = team_store_f64, .argmax = team_argmax,             \
    }

#endif
