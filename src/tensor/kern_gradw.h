/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_gradw.h - gradients of uniform matrices: sums over columns and lanes of products of rows.
 * Within a block of columns in the table's type, from block to block in double. Two ways: with
 * sums in the lanes, added up at the end of a block (many columns, few rows); or with X turned,
 * so that the lanes are rows of X and nothing is left to add up (few columns, many rows). */
#ifndef TENSOR_KERN_GRADW_H
#define TENSOR_KERN_GRADW_H

#include "kern_gemm.h"

#if KERN_BYTES == 64
enum { GRADW_I = 4, GRADW_J = 4 };
#else
enum { GRADW_I = 2, GRADW_J = 4 };
#endif
enum { GRADW_COLUMNS = 64 }; /* vectors in a block */

#define TILE_I 1
#include "kern_gradw_micro.h"
#define TILE_I 2
#include "kern_gradw_micro.h"
#if KERN_BYTES == 64
#define TILE_I 3
#include "kern_gradw_micro.h"
#define TILE_I 4
#include "kern_gradw_micro.h"
#endif

typedef void (*gradw_micro)(size_t n, const real *const *g, const long *go, const real *const *x,
                            const long *xo, real *sums);
static const gradw_micro gradw_micros[GRADW_I + 1] = {
    NULL,    gradw_1, gradw_2,
#if KERN_BYTES == 64
    gradw_3, gradw_4,
#endif
};

/* What becomes of the sums of a block. */
struct gradw_end {
    bool set;
    double by;
};

/* One block of n columns. */
static void gradw_block(const struct tw_gradw *p, struct gradw_end e, size_t n, const long *go,
                        const long *xo)
{
    for (size_t k = 0; k < p->k; k += GRADW_J) {
        const size_t nj = p->k - k < GRADW_J ? p->k - k : GRADW_J;
        const real *x[GRADW_J];

        /* Beyond the last row it is taken again, and what comes of it left out. */
        for (size_t j = 0; j < GRADW_J; j++)
            x[j] = (const real *)p->x +
                   element_offset(p->koff, p->kstride, k + (j < nj ? j : 0), p->lanes);
        for (size_t m = 0; m < p->m; m += GRADW_I) {
            const size_t ni = p->m - m < GRADW_I ? p->m - m : GRADW_I;
            const real *g[GRADW_I];
            real sums[GRADW_I * GRADW_J + W];

            for (size_t i = 0; i < ni; i++)
                g[i] = (const real *)p->gy + element_offset(p->moff, p->mstride, m + i, p->lanes);
            gradw_micros[ni](n, g, go, x, xo, sums);
            for (size_t i = 0; i < ni; i++)
                for (size_t j = 0; j < nj; j++) {
                    double *da = p->da + (long)(m + i) * p->dam + (long)(k + j) * p->dak;

                    *da = ((e.set ? 0.0 : *da) + (double)sums[i * GRADW_J + j]) * e.by;
                }
        }
    }
}

/* ---- with X turned ------------------------------------------------------------------------ */

/* TURNED_TILES tiles of rows of X are turned together, so that GY is read less often. */
enum { TURNED_WIDEST = 3, TURNED_COLUMNS = 16, TURNED_TILES = 2 };
#define TILE_ROWS 1
#include "kern_gradw_widths.h"
#define TILE_ROWS 2
#include "kern_gradw_widths.h"
#define TILE_ROWS 3
#include "kern_gradw_widths.h"
#define TILE_ROWS 4
#include "kern_gradw_widths.h"
#if KERN_BYTES == 64
#define TILE_ROWS 5
#include "kern_gradw_widths.h"
#define TILE_ROWS 6
#include "kern_gradw_widths.h"
#define TILE_ROWS 7
#include "kern_gradw_widths.h"
#define TILE_ROWS 8
#include "kern_gradw_widths.h"
#endif

typedef void (*turned_micro)(size_t n, const real *const *g, const long *go, const real *x,
                             real sums[][TURNED_WIDEST * W]);
#define TURNED_ENTRY(r)                                                                            \
    {                                                                                              \
        NULL, turned_##r##x1, turned_##r##x2, turned_##r##x3                                       \
    }
static const turned_micro turned_micros[GEMM_ROWS + 1][TURNED_WIDEST + 1] = {
    { NULL },        TURNED_ENTRY(1), TURNED_ENTRY(2), TURNED_ENTRY(3), TURNED_ENTRY(4),
#if KERN_BYTES == 64
    TURNED_ENTRY(5), TURNED_ENTRY(6), TURNED_ENTRY(7), TURNED_ENTRY(8),
#endif
};

/* Rows k .. k + nk of X, turned: real j of lane l of column c at [(c * W + l) * TURNED_WIDEST * W
 * + j]. Beyond the last row it is taken again. */
static void turn(const struct tw_gradw *p, size_t k, size_t nk, size_t n, const long *xo, real *to)
{
    for (size_t v = 0; v < nk; v += W) {
        const real *row[W];

        for (size_t i = 0; i < W; i++)
            row[i] = (const real *)p->x +
                     element_offset(p->koff, p->kstride, k + (v + i < nk ? v + i : v), p->lanes);
        for (size_t c = 0; c < n; c++) {
            vec t[W];

            KERN_UNROLL
            for (int i = 0; i < W; i++)
                t[i] = vload(row[i] + xo[c]);
            vtranspose(t);
            KERN_UNROLL
            for (int l = 0; l < W; l++)
                vstore(to + (c * W + (size_t)l) * TURNED_WIDEST * W + v, t[l]);
        }
    }
}

static inline void add_row(struct gradw_end e, size_t n, const real *s, double *da, long dak)
{
    if (dak == 1 && e.set)
        for (size_t j = 0; j < n; j++)
            da[j] = (double)s[j] * e.by;
    else if (dak == 1)
        for (size_t j = 0; j < n; j++)
            da[j] = (da[j] + (double)s[j]) * e.by;
    else
        for (size_t j = 0; j < n; j++, da += dak)
            *da = ((e.set ? 0.0 : *da) + (double)s[j]) * e.by;
}

/* Rows m .. of GY with one tile of turned rows of X. */
static void turned_tile(const struct tw_gradw *p, struct gradw_end e, size_t m, size_t k, size_t nk,
                        size_t n, const long *go, const real *x)
{
    const size_t rows = p->m - m < GEMM_ROWS ? p->m - m : GEMM_ROWS;
    double *da = p->da + (long)m * p->dam + (long)k * p->dak;
    real sums[GEMM_ROWS][TURNED_WIDEST * W] __attribute__((aligned(64)));
    const real *g[GEMM_ROWS];

    for (size_t r = 0; r < rows; r++) {
        g[r] = (const real *)p->gy + element_offset(p->moff, p->mstride, m + r, p->lanes);
        /* What will be added to comes nearer meanwhile. */
        for (size_t j = 0; j < nk && p->dak == 1 && !e.set; j += 64 / sizeof *da)
            __builtin_prefetch(da + (long)r * p->dam + (long)j, 1);
    }
    turned_micros[rows][(nk + W - 1) / W](n, g, go, x, sums);
    for (size_t r = 0; r < rows; r++)
        add_row(e, nk, sums[r], da + (long)r * p->dam, p->dak);
}

static void turned_block(const struct tw_gradw *p, struct gradw_end e, size_t n, const long *go,
                         const long *xo)
{
    enum { TILE = TURNED_WIDEST * W };
    real x[TURNED_TILES][TURNED_COLUMNS * W * TILE] __attribute__((aligned(64)));

    for (size_t k = 0; k < p->k; k += TURNED_TILES * TILE) {
        const size_t left = p->k - k, all = left < TURNED_TILES * TILE ? left : TURNED_TILES * TILE;

        for (size_t j = 0; j < all; j += TILE)
            turn(p, k + j, all - j < TILE ? all - j : TILE, n, xo, x[j / TILE]);
        for (size_t m = 0; m < p->m; m += GEMM_ROWS)
            for (size_t j = 0; j < all; j += TILE)
                turned_tile(p, e, m, k + j, all - j < TILE ? all - j : TILE, n, go, x[j / TILE]);
    }
}

/* Sums left in lanes cost some steps a block, turned rows some steps a column. */
static bool gradw_turns(const struct tw_gradw *p)
{
    const size_t n = p->nc[0] * p->nc[1] * p->nc[2] * (p->lanes / W);
    const size_t block = n < GRADW_COLUMNS ? n : GRADW_COLUMNS;
    const bool apart = p->nc[2] > 1 && (p->gyc[2] != 1 || p->xc[2] != 1);

    return p->m >= TW_PANEL && (apart || 5 * block < 4 * p->m);
}

static void gradw_by(const struct tw_gradw *p, bool turns)
{
    const size_t most = turns ? TURNED_COLUMNS : GRADW_COLUMNS;
    size_t left = p->nc[0] * p->nc[1] * p->nc[2] * (p->lanes / W), n;
    struct gradw_end e = { .set = p->set, .by = 1.0 };
    struct columns at = { { 0 }, 0 };
    long go[GRADW_COLUMNS], xo[GRADW_COLUMNS];

    if (p->nc[1] == 0 || p->nc[2] == 0)
        return;
    while ((n = next_columns(&at, p->nc, p->lanes, p->gyc, p->xc, most, go, xo)) > 0) {
        left -= n;
        e.by = left ? 1.0 : p->by;
        if (turns)
            turned_block(p, e, n, go, xo);
        else
            gradw_block(p, e, n, go, xo);
        e.set = false;
    }
}

static void gradw(const struct tw_gradw *p)
{
    gradw_by(p, gradw_turns(p));
}

#endif
