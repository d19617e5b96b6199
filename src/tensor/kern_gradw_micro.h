/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_gradw_micro.h - sums over n vectors of columns of the products of TILE_I rows of GY with
 * GRADW_J rows of X; included once for each TILE_I. */
#define TILE_NAME2(i) gradw_##i
#define TILE_NAME1(i) TILE_NAME2(i)
#define TILE_NAME     TILE_NAME1(TILE_I)

static void TILE_NAME(size_t n, const real *const *rows_g, const long *go,
                      const real *const *rows_x, const long *xo, real *sums)
{
    enum { SUMS = (TILE_I * GRADW_J + W - 1) / W * W };
    const real *g[TILE_I], *x[GRADW_J];
    vec s[TILE_I][GRADW_J], flat[SUMS];

    KERN_UNROLL
    for (int i = 0; i < TILE_I; i++) {
        g[i] = rows_g[i];
        KERN_UNROLL
        for (int j = 0; j < GRADW_J; j++)
            s[i][j] = K(0.0);
    }
    KERN_UNROLL
    for (int j = 0; j < GRADW_J; j++)
        x[j] = rows_x[j];
    for (size_t c = 0; c < n; c++) {
        const long gc = go[c], xc = xo[c];
        vec b[GRADW_J];

        KERN_UNROLL
        for (int j = 0; j < GRADW_J; j++)
            b[j] = vload(x[j] + xc);
        KERN_UNROLL
        for (int i = 0; i < TILE_I; i++) {
            const vec a = vload(g[i] + gc);

            KERN_UNROLL
            for (int j = 0; j < GRADW_J; j++)
                s[i][j] += a * b[j];
        }
    }
    KERN_UNROLL
    for (int i = 0; i < SUMS; i++)
        flat[i] = i < TILE_I * GRADW_J ? s[i / GRADW_J][i % GRADW_J] : K(0.0);
    KERN_UNROLL
    for (int i = 0; i < SUMS; i += W)
        vstore(sums + i, vsums(flat + i));
}

#undef TILE_NAME
#undef TILE_NAME1
#undef TILE_NAME2
#undef TILE_I
