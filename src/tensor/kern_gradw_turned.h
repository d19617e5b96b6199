/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_gradw_turned.h - for TILE_ROWS rows of GY and TILE_VECS vectors of W rows of X, which lie
 * turned (lane after lane, the rows of X side by side): sums over n vectors of columns. Included
 * once for each pair. */
#define TILE_NAME3(r, v) turned_##r##x##v
#define TILE_NAME2(r, v) TILE_NAME3(r, v)
#define TILE_NAME        TILE_NAME2(TILE_ROWS, TILE_VECS)

static void TILE_NAME(size_t n, const real *const *rows_g, const long *go, const real *x,
                      real sums[][TURNED_WIDEST * W])
{
    const real *g[TILE_ROWS];
    vec s[TILE_ROWS][TILE_VECS];

    KERN_UNROLL
    for (int r = 0; r < TILE_ROWS; r++) {
        g[r] = rows_g[r];
        KERN_UNROLL
        for (int v = 0; v < TILE_VECS; v++)
            s[r][v] = K(0.0);
    }
    for (size_t c = 0; c < n; c++) {
        const long begin = go[c], next = go[c + 1 < n ? c + 1 : c];

        KERN_UNROLL
        for (int r = 0; r < TILE_ROWS; r++)
            __builtin_prefetch(g[r] + next);
        for (long l = begin; l < begin + W; l++, x += TURNED_WIDEST * W) {
            vec b[TILE_VECS];

            KERN_UNROLL
            for (int v = 0; v < TILE_VECS; v++)
                b[v] = vload(x + v * W);
            KERN_UNROLL
            for (int r = 0; r < TILE_ROWS; r++) {
                const real a = g[r][l];

                KERN_UNROLL
                for (int v = 0; v < TILE_VECS; v++)
                    s[r][v] += a * b[v];
            }
        }
    }
    KERN_UNROLL
    for (int r = 0; r < TILE_ROWS; r++) {
        KERN_UNROLL
        for (int v = 0; v < TILE_VECS; v++)
            vstore(sums[r] + v * W, s[r][v]);
    }
}

#undef TILE_NAME
#undef TILE_NAME2
#undef TILE_NAME3
#undef TILE_VECS
