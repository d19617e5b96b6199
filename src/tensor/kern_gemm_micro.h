/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_gemm_micro.h - the innermost product, for TILE_ROWS rows of a panel and TILE_VECS vectors
 * of columns; included once for each pair. Both must be literals: only then do the sums stay in
 * registers. */
#define TILE_NAME3(r, v) gemm_##r##x##v
#define TILE_NAME2(r, v) TILE_NAME3(r, v)
#define TILE_NAME        TILE_NAME2(TILE_ROWS, TILE_VECS)

static void TILE_NAME(const struct gemm_tile *t, const real *a, const real *bias, const long *yrow,
                      const long *xcol, const long *ycol)
{
    const long *ko = t->ko, *const end = ko + t->k;
    const real *x[TILE_VECS];
    vec s[TILE_ROWS][TILE_VECS];

    KERN_UNROLL
    for (int v = 0; v < TILE_VECS; v++)
        x[v] = t->x + xcol[v];
    KERN_UNROLL
    for (int r = 0; r < TILE_ROWS; r++) {
        const vec start = bias ? splat(bias[r]) : K(0.0);

        KERN_UNROLL
        for (int v = 0; v < TILE_VECS; v++)
            s[r][v] = start;
    }
    for (; ko < end; ko++, a += TW_PANEL) {
        vec b[TILE_VECS];

        KERN_UNROLL
        for (int v = 0; v < TILE_VECS; v++)
            b[v] = vload(x[v] + *ko);
        KERN_UNROLL
        for (int r = 0; r < TILE_ROWS; r++) {
            const real c = a[r];

            KERN_UNROLL
            for (int v = 0; v < TILE_VECS; v++)
                s[r][v] += c * b[v];
        }
    }
    if (t->store == TW_SUBTRACT) {
        KERN_UNROLL
        for (int r = 0; r < TILE_ROWS; r++) {
            KERN_UNROLL
            for (int v = 0; v < TILE_VECS; v++)
                s[r][v] = -s[r][v];
        }
    }
    /* One after the other: rows of different columns may meet in memory. */
    KERN_UNROLL
    for (int v = 0; v < TILE_VECS; v++) {
        KERN_UNROLL
        for (int r = 0; r < TILE_ROWS; r++) {
            real *y = t->y + ycol[v] + yrow[r];
            vec out = t->store == TW_SET ? s[r][v] : vload(y) + s[r][v];

            if (t->relu)
                out = vsel(out <= K(0.0), K(0.0), out);
            vstore(y, out);
        }
    }
}

#undef TILE_NAME
#undef TILE_NAME2
#undef TILE_NAME3
#undef TILE_VECS
