/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_bmm_micro.h - the innermost product of matrices that differ between lanes, or of which one
 * is uniform: TILE_I x TILE_J elements of one vector of lanes. TILE_A, TILE_B: how an element of
 * A and of B becomes a vector, vload or splat of what p points to. */
#define TILE_NAME3(kind, i, j) bmm_##kind##_##i##x##j
#define TILE_NAME2(kind, i, j) TILE_NAME3(kind, i, j)
#define TILE_NAME              TILE_NAME2(TILE_KIND, TILE_I, TILE_J)

static void TILE_NAME(const struct bmm_tile *t, const real *pa, const real *pb, real *py)
{
    const real *a[TILE_I], *b[TILE_J];
    vec s[TILE_I][TILE_J];
    long ka = 0, kb = 0;

    KERN_UNROLL
    for (int i = 0; i < TILE_I; i++) {
        a[i] = pa + i * t->ai;
        KERN_UNROLL
        for (int j = 0; j < TILE_J; j++)
            s[i][j] = K(0.0);
    }
    KERN_UNROLL
    for (int j = 0; j < TILE_J; j++)
        b[j] = pb + j * t->bj;
    for (size_t k = 0; k < t->nk; k++, ka += t->ak, kb += t->bk) {
        vec x[TILE_J];

        KERN_UNROLL
        for (int j = 0; j < TILE_J; j++)
            x[j] = TILE_B(b[j] + kb);
        KERN_UNROLL
        for (int i = 0; i < TILE_I; i++) {
            const vec c = TILE_A(a[i] + ka);

            KERN_UNROLL
            for (int j = 0; j < TILE_J; j++)
                s[i][j] += c * x[j];
        }
    }
    KERN_UNROLL
    for (int i = 0; i < TILE_I; i++) {
        KERN_UNROLL
        for (int j = 0; j < TILE_J; j++)
            vput(t->store, py + i * t->yi + j * t->yj, s[i][j]);
    }
}

#undef TILE_NAME
#undef TILE_NAME2
#undef TILE_NAME3
#undef TILE_I
#undef TILE_J
