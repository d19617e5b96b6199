/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_gradw.h - gradients of uniform matrices: sums over columns and lanes of products of rows.
 * Within a block of columns in the table's type, from block to block in double. */
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

/* One block of n columns. */
static void gradw_block(const struct tw_gradw *p, size_t n, const long *go, const long *xo)
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
                for (size_t j = 0; j < nj; j++)
                    p->da[(long)(m + i) * p->dam + (long)(k + j) * p->dak] +=
                        (double)sums[i * GRADW_J + j];
        }
    }
}

static void gradw(const struct tw_gradw *p)
{
    struct columns at = { { 0 }, 0 };
    long go[GRADW_COLUMNS], xo[GRADW_COLUMNS];
    size_t n;

    if (p->nc[1] == 0 || p->nc[2] == 0)
        return;
    while ((n = next_columns(&at, p->nc, p->lanes, p->gyc, p->xc, GRADW_COLUMNS, go, xo)) > 0)
        gradw_block(p, n, go, xo);
}

#endif
