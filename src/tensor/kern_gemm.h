/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_gemm.h - products of a uniform matrix with varying columns. Columns are vectors of lanes;
 * a block of columns and of k at a time, so that its part of X stays in the second-level cache
 * and a panel of A in the first. */
#ifndef TENSOR_KERN_GEMM_H
#define TENSOR_KERN_GEMM_H

#include "kern_unary.h"

/* Rows at once, and vectors for each number of rows: as many sums as registers hold. */
#if KERN_BYTES == 64
enum { GEMM_ROWS = 8 };
static const unsigned char gemm_width[GEMM_ROWS + 1] = { 0, 4, 4, 4, 4, 4, 4, 3, 3 };
#elif KERN_BYTES == 32
enum { GEMM_ROWS = 4 };
static const unsigned char gemm_width[GEMM_ROWS + 1] = { 0, 4, 4, 4, 3 };
#else
enum { GEMM_ROWS = 4 };
static const unsigned char gemm_width[GEMM_ROWS + 1] = { 0, 4, 4, 3, 2 };
#endif
enum { GEMM_WIDEST = 4 };

enum {
    GEMM_K = 512,            /* steps of k in a block, at most */
    GEMM_COLUMNS = 96,       /* vectors in a block, at most */
    GEMM_BLOCK = 256 * 1024, /* bytes of X in a block */
    GEMM_SMALL_A = 16 * 1024 /* bytes of A that stay in the first-level cache beside X */
};

struct gemm_tile {
    size_t k;
    const long *ko; /* in reals, as all offsets here */
    const real *x;
    real *y;
    enum tw_store store;
    bool relu;
};

#define TILE_ROWS 1
#include "kern_gemm_widths.h"
#define TILE_ROWS 2
#include "kern_gemm_widths.h"
#define TILE_ROWS 3
#include "kern_gemm_widths.h"
#define TILE_ROWS 4
#include "kern_gemm_widths.h"
#if KERN_BYTES == 64
#define TILE_ROWS 5
#include "kern_gemm_widths.h"
#define TILE_ROWS 6
#include "kern_gemm_widths.h"
#define TILE_ROWS 7
#include "kern_gemm_widths.h"
#define TILE_ROWS 8
#include "kern_gemm_widths.h"
#endif

typedef void (*gemm_micro)(const struct gemm_tile *t, const real *a, const real *bias,
                           const long *yrow, const long *xcol, const long *ycol);
#define GEMM_ENTRY(r)                                                                              \
    {                                                                                              \
        NULL, gemm_##r##x1, gemm_##r##x2, gemm_##r##x3, gemm_##r##x4                               \
    }
static const gemm_micro gemm_micros[GEMM_ROWS + 1][GEMM_WIDEST + 1] = {
    { NULL },      GEMM_ENTRY(1), GEMM_ENTRY(2), GEMM_ENTRY(3), GEMM_ENTRY(4),
#if KERN_BYTES == 64
    GEMM_ENTRY(5), GEMM_ENTRY(6), GEMM_ENTRY(7), GEMM_ENTRY(8),
#endif
};

/* Vectors to take of n left: whole widths, then two nearly equal parts. */
static inline size_t next_width(size_t n, size_t width)
{
    return n >= 2 * width || n == width ? width : n > width ? (n + 1) / 2 : n;
}

/* The columns' vectors in order: three loops, then the vectors of an element. */
struct columns {
    size_t i[3], lane;
};

/* The offsets of the next vectors, at most `most`, for two operands; how many there are. */
static size_t next_columns(struct columns *c, const size_t nc[3], size_t lanes, const long *xc,
                           const long *yc, size_t most, long *xo, long *yo)
{
    size_t n = 0;

    while (n < most && c->i[0] < nc[0]) {
        long x = 0, y = 0;

        for (int d = 0; d < 3; d++) {
            x += (long)c->i[d] * xc[d];
            y += (long)c->i[d] * yc[d];
        }
        for (; n < most && c->lane < lanes; c->lane += W, n++) {
            xo[n] = x * (long)lanes + (long)c->lane;
            yo[n] = y * (long)lanes + (long)c->lane;
        }
        if (c->lane < lanes)
            break;
        c->lane = 0;
        if (++c->i[2] == nc[2]) {
            c->i[2] = 0;
            if (++c->i[1] == nc[1]) {
                c->i[1] = 0;
                c->i[0]++;
            }
        }
    }
    return n;
}

/* The offset of element i of a dimension, in reals. */
static inline long element_offset(const long *table, long stride, size_t i, size_t lanes)
{
    return (table ? table[i] : (long)i * stride) * (long)lanes;
}

/* An activation without a form of its own in the tile: on the tile's result, still in cache. */
static void activate(int act, real *y, size_t rows, const long *yrow, size_t n, const long *ycol)
{
    const unary_loop f = unary_loops[act][0];

    for (size_t r = 0; r < rows; r++)
        for (size_t v = 0; v < n;) {
            size_t end = v + 1;

            while (end < n && ycol[end] == ycol[end - 1] + W)
                end++;
            f((end - v) * W, 0.0, 0.0, y + yrow[r] + ycol[v], y + yrow[r] + ycol[v]);
            v = end;
        }
}

/* All rows of one panel by n vectors. */
static void gemm_panel(const struct gemm_tile *t, size_t rows, const real *a, const real *bias,
                       const long *yrow, size_t n, const long *xcol, const long *ycol)
{
    for (size_t r = 0; r < rows; r += GEMM_ROWS) {
        const size_t some = rows - r < GEMM_ROWS ? rows - r : GEMM_ROWS;

        for (size_t v = 0; v < n;) {
            const size_t width = next_width(n - v, gemm_width[some]);

            gemm_micros[some][width](t, a + r, bias ? bias + r : NULL, yrow + r, xcol + v,
                                     ycol + v);
            v += width;
        }
    }
}

/* One block of columns and of k: k0 .. k0 + t->k. */
static void gemm_block(const struct tw_gemm *g, const struct gemm_tile *t, size_t k0, bool last,
                       size_t n, const long *xcol, const long *ycol)
{
    const size_t m = g->whole ? g->whole : g->m;
    const bool small = m * t->k * sizeof(real) <= GEMM_SMALL_A;
    const size_t group = small ? (m % TW_PANEL && m < TW_PANEL ? GEMM_WIDEST : 6) : n;
    const int act = last && !t->relu ? g->act : TW_U_COPY;

    for (size_t v = 0; v < n;) {
        const size_t some = n - v < group ? n - v : group;

        for (size_t row = 0; row < g->m; row += TW_PANEL) {
            const size_t rows = g->m - row < TW_PANEL ? g->m - row : TW_PANEL;
            const real *bias = g->bias && k0 == 0 ? (const real *)g->bias + row : NULL;
            long yrow[TW_PANEL];

            for (size_t r = 0; r < rows; r++)
                yrow[r] = element_offset(g->moff, g->mstride, row + r, g->lanes);
            gemm_panel(t, rows, (const real *)g->a + row * g->k + k0 * TW_PANEL, bias, yrow, some,
                       xcol + v, ycol + v);
            if (act != TW_U_COPY)
                activate(act, t->y, rows, yrow, some, ycol + v);
        }
        v += some;
    }
}

static void gemm(const struct tw_gemm *g)
{
    const size_t kblocks = g->k ? (g->k + GEMM_K - 1) / GEMM_K : 1;
    const size_t kblock = (g->k + kblocks - 1) / kblocks;
    size_t most = GEMM_BLOCK / KERN_BYTES / (kblock ? kblock : 1), n;
    struct columns at = { { 0 }, 0 };
    long xcol[GEMM_COLUMNS], ycol[GEMM_COLUMNS], ko[GEMM_K];

    if (g->m == 0 || g->nc[1] == 0 || g->nc[2] == 0)
        return;
    most = most > GEMM_COLUMNS ? GEMM_COLUMNS : most < 12 ? 12 : most / 12 * 12;
    while ((n = next_columns(&at, g->nc, g->lanes, g->xc, g->yc, most, xcol, ycol)) > 0)
        for (size_t b = 0; b < kblocks; b++) {
            const size_t k0 = b * kblock, k = g->k - k0 < kblock ? g->k - k0 : kblock;
            const bool last = b + 1 == kblocks;
            const struct gemm_tile t = {
                .k = k,
                .ko = ko,
                .x = g->x,
                .y = g->y,
                .store = b > 0 && g->store == TW_SET ? TW_ADD : g->store,
                .relu = last && g->act == TW_U_RELU,
            };

            for (size_t i = 0; i < k; i++)
                ko[i] = element_offset(g->koff, g->kstride, k0 + i, g->lanes);
            gemm_block(g, &t, k0, last, n, xcol, ycol);
        }
}

/* Panels one after the other; within one, the rows of each k side by side. The last is filled up
 * with zeros. */
static size_t packed_size(size_t m, size_t k)
{
    return (m + TW_PANEL - 1) / TW_PANEL * TW_PANEL * k;
}

/* One element. */
static inline real *packed_at(real *packed, size_t k, size_t row, size_t i)
{
    return packed + row / TW_PANEL * TW_PANEL * k + i * TW_PANEL + row % TW_PANEL;
}

/* W rows from `row` on that run through memory, their elements from i on. */
static inline void pack_square(size_t k, const real *a, long sm, size_t row, size_t i, real *packed)
{
    enum { PIECE = (int)W < (int)TW_PANEL ? (int)W : (int)TW_PANEL };
    vec v[W];

    KERN_UNROLL
    for (int r = 0; r < W; r++)
        v[r] = vload(a + (long)(row + (size_t)r) * sm + (long)i);
    vtranspose(v);
    for (size_t l = 0; l < W; l++)
        for (size_t r = 0; r < W; r += PIECE)
            memcpy(packed_at(packed, k, row + r, i + l), (const real *)&v[l] + r,
                   PIECE * sizeof(real));
}

static void pack(size_t m, size_t k, const void *va, long sm, long sk, void *packed)
{
    const real *a = va;
    const size_t whole = sk == 1 ? m / W * W : 0;

    for (size_t row = 0; row < whole; row += W) {
        size_t i = 0;

        for (; i + W <= k; i += W)
            pack_square(k, a, sm, row, i, packed);
        for (; i < k; i++)
            for (size_t r = row; r < row + W; r++)
                *packed_at(packed, k, r, i) = a[(long)r * sm + (long)i];
    }
    for (size_t row = whole; row < m; row = (row / TW_PANEL + 1) * TW_PANEL) {
        const size_t end = (row / TW_PANEL + 1) * TW_PANEL, real_end = end < m ? end : m;

        for (size_t i = 0; i < k; i++) {
            real *to = packed_at(packed, k, row, i);
            const real *from = a + (long)row * sm + (long)i * sk;

            if (sm == 1 && end - row == TW_PANEL && real_end == end)
                memcpy(to, from, TW_PANEL * sizeof *to);
            else
                for (size_t r = row; r < end; r++, from += sm)
                    *to++ = r < real_end ? *from : (real)0.0;
        }
    }
}

#endif
