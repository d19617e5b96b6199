/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Products - gemm, gradw, bmm, attention - against triple loops in double. */
#include "kernels_test.h"

/* ---- gemm ------------------------------------------------------------------------------- */

struct gemm_case {
    size_t m, k, nc[3], lanes;
    bool conv; /* koff: taps of a window; columns: rows and columns of an image */
    bool bias;
    int act;
};

static double activation(int act, double x)
{
    return act == TW_U_RELU ? (x > 0.0 ? x : 0.0) : act == TW_U_TANH ? tanh(x) : x;
}

/* Offsets of X: k-th tap of a 3 x 3 window of channels of (nc[1] + 2) x (nc[2] + 2). */
static void taps(const struct gemm_case *c, long *koff)
{
    const long wide = (long)c->nc[2] + 2, plane = wide * ((long)c->nc[1] + 2);

    for (long k = 0; k < (long)c->k; k++)
        koff[k] = k / 9 * plane + k % 9 / 3 * wide + k % 3;
}

static void check_gemm(const struct tw_kernels *t, const struct gemm_case *c, enum tw_store store)
{
    const size_t ncol = c->nc[0] * c->nc[1] * c->nc[2];
    const long wide = (long)c->nc[2] + 2, plane = wide * ((long)c->nc[1] + 2);
    const size_t nx = (c->conv ? (c->k / 9 + c->nc[0]) * (size_t)plane : c->k * ncol) + 1;
    struct reals a = reals_random(t, c->m * c->k + 1, 1, -1.0, 1.0);
    struct reals packed = reals_new(t, t->packed_size(c->m, c->k));
    struct reals x = reals_random(t, nx * c->lanes, 2, -1.0, 1.0);
    struct reals bias = reals_random(t, c->m, 3, -1.0, 1.0);
    struct reals y = reals_random(t, c->m * ncol * c->lanes, 4, -1.0, 1.0), old, twice;
    long *koff = calloc(c->k + 1, sizeof *koff), *moff = calloc(c->m, sizeof *moff);
    struct tw_gemm g = {
        .m = c->m,
        .k = c->k,
        .a = packed.p,
        .bias = c->bias ? bias.p : NULL,
        .x = x.p,
        .kstride = 1,
        .y = y.p,
        .mstride = 1,
        .nc = { c->nc[0], c->nc[1], c->nc[2] },
        .xc = { (long)(c->nc[1] * c->nc[2] * c->k), (long)(c->nc[2] * c->k), (long)c->k },
        .yc = { (long)(c->nc[1] * c->nc[2] * c->m), (long)(c->nc[2] * c->m), (long)c->m },
        .lanes = c->lanes,
        .store = store,
        .act = store == TW_SET ? c->act : TW_U_COPY,
    };

    assert_non_null(koff);
    assert_non_null(moff);
    old = reals_random(t, y.n, 4, -1.0, 1.0);
    twice = reals_random(t, y.n, 4, -1.0, 1.0);
    t->pack(c->m, c->k, a.p, 1, (long)c->m, packed.p); /* A is k x m in memory */
    if (c->conv) {
        taps(c, koff);
        g.koff = koff;
        g.xc[0] = plane;
        g.xc[1] = wide;
        g.xc[2] = 1;
        for (size_t m = 0; m < c->m; m++)
            moff[m] = (long)(m * ncol);
        g.moff = moff;
        g.yc[0] = (long)(c->nc[1] * c->nc[2]);
        g.yc[1] = (long)c->nc[2];
        g.yc[2] = 1;
    }
    t->gemm(&g);
    g.y = twice.p;
    t->gemm(&g);
    assert_memory_equal(y.p, twice.p, y.n * t->size);
    for (size_t m = 0; m < c->m; m++)
        for (size_t col = 0; col < ncol; col++)
            for (size_t l = 0; l < c->lanes; l++) {
                const size_t i[3] = { col / c->nc[2] / c->nc[1], col / c->nc[2] % c->nc[1],
                                      col % c->nc[2] };
                long xo = 0, yo = g.moff ? g.moff[m] : (long)m;
                double s = c->bias ? get(&bias, m) : 0.0, size = 2.0;
                size_t at_y;

                for (int d = 0; d < 3; d++) {
                    xo += (long)i[d] * g.xc[d];
                    yo += (long)i[d] * g.yc[d];
                }
                for (size_t k = 0; k < c->k; k++) {
                    const long e = xo + (g.koff ? koff[k] : (long)k);
                    const double p = get(&a, k * c->m + m) * get(&x, (size_t)e * c->lanes + l);

                    s += p;
                    size += fabs(p);
                }
                at_y = (size_t)yo * c->lanes + l;
                assert_near(t, get(&y, at_y), activation(g.act, stored(store, get(&old, at_y), s)),
                            (3.0 + sqrt((double)c->k)) * size);
            }
    free(koff);
    free(moff);
    reals_free(&a);
    reals_free(&packed);
    reals_free(&x);
    reals_free(&bias);
    reals_free(&y);
    reals_free(&old);
    reals_free(&twice);
}

static void gemm_agrees_with_loops(void **state)
{
    (void)state;
    FOR_TABLES(t)
    {
        static const struct gemm_case extra[] = {
            { 23, 401, { 1, 1, 1 }, 48, false, true, TW_U_TANH },
            { 9, 850, { 2, 1, 3 }, 16, false, true, TW_U_RELU },
            { 16, 18, { 1, 7, 5 }, 16, true, false, TW_U_COPY },
            { 5, 27, { 1, 3, 41 }, 32, true, true, TW_U_RELU },
            { 64, 64, { 3, 5, 7 }, 16, false, false, TW_U_COPY },
            { 3, 0, { 1, 1, 2 }, 16, false, true, TW_U_COPY },
        };

        for (int store = TW_SET; store <= TW_SUBTRACT; store++) {
            for (size_t m = 1; m <= 17; m++)
                for (size_t n = 1; n <= 7; n++) {
                    const struct gemm_case c = {
                        m, 5 + n, { 1, 1, n }, 16, false, n & 1, TW_U_RELU
                    };

                    check_gemm(t, &c, (enum tw_store)store);
                }
            for (size_t i = 0; i < sizeof extra / sizeof extra[0]; i++)
                check_gemm(t, &extra[i], (enum tw_store)store);
        }
    }
}

/* The gradient of a convolution by its input: each column adds to where its window lies. */
static void gemm_adds_where_columns_meet(void **state)
{
    enum { IN = 9, OUT = 7, TAPS = 3, CHANNELS = 4 };

    (void)state;
    FOR_TABLES(t)
    {
        struct reals a = reals_random(t, TAPS * CHANNELS, 1, -1.0, 1.0);
        struct reals packed = reals_new(t, t->packed_size(TAPS, CHANNELS));
        struct reals gy = reals_random(t, CHANNELS * OUT * TW_LANES, 2, -1.0, 1.0);
        struct reals gx = reals_new(t, IN * TW_LANES);
        const long moff[TAPS] = { 0, 1, 2 };
        const struct tw_gemm g = { .m = TAPS,
                                   .k = CHANNELS,
                                   .a = packed.p,
                                   .x = gy.p,
                                   .kstride = OUT,
                                   .y = gx.p,
                                   .moff = moff,
                                   .nc = { 1, 1, OUT },
                                   .xc = { 0, 0, 1 },
                                   .yc = { 0, 0, 1 },
                                   .lanes = TW_LANES,
                                   .store = TW_ADD,
                                   .act = TW_U_COPY };

        t->pack(TAPS, CHANNELS, a.p, CHANNELS, 1, packed.p);
        t->gemm(&g);
        for (size_t l = 0; l < TW_LANES; l++)
            for (size_t i = 0; i < IN; i++) {
                double s = 0.0;

                for (size_t m = 0; m < TAPS; m++)
                    for (size_t k = 0; k < CHANNELS; k++)
                        if (i >= m && i - m < OUT)
                            s += get(&a, m * CHANNELS + k) *
                                 get(&gy, (k * OUT + i - m) * TW_LANES + l);
                assert_near(t, get(&gx, i * TW_LANES + l), s, 40.0);
            }
        reals_free(&a);
        reals_free(&packed);
        reals_free(&gy);
        reals_free(&gx);
    }
}

static void gemm_passes_nan_on(void **state)
{
    (void)state;
    FOR_TABLES(t)
    {
        struct reals a = reals_random(t, 10, 1, -1.0, 1.0), x = reals_random(t, 16, 2, -1.0, 1.0);
        struct reals packed = reals_new(t, t->packed_size(10, 1)), y = reals_new(t, 160);
        const struct tw_gemm g = { .m = 10,
                                   .k = 1,
                                   .a = packed.p,
                                   .x = x.p,
                                   .y = y.p,
                                   .mstride = 1,
                                   .nc = { 1, 1, 1 },
                                   .lanes = 16,
                                   .act = TW_U_RELU };

        put(&x, 3, NAN);
        t->pack(10, 1, a.p, 1, 1, packed.p);
        t->gemm(&g);
        for (size_t i = 0; i < 160; i++)
            assert_int_equal(isnan(get(&y, i)), i % 16 == 3);
        reals_free(&a);
        reals_free(&x);
        reals_free(&packed);
        reals_free(&y);
    }
}

/* ---- gradw ------------------------------------------------------------------------------ */

static void check_gradw(const struct tw_kernels *t, size_t m, size_t k, const size_t nc[3],
                        size_t lanes, bool turned)
{
    const size_t ncol = nc[0] * nc[1] * nc[2];
    struct reals gy = reals_random(t, m * ncol * lanes, 1, -1.0, 1.0);
    struct reals x = reals_random(t, k * ncol * lanes, 2, -1.0, 1.0);
    double *da = calloc(m * k, sizeof *da), *twice = calloc(m * k, sizeof *twice);
    struct tw_gradw p = {
        .m = m,
        .k = k,
        .gy = gy.p,
        .mstride = 1,
        .x = x.p,
        .kstride = (long)ncol,
        .nc = { nc[0], nc[1], nc[2] },
        .gyc = { (long)(m * nc[1] * nc[2]), (long)(m * nc[2]), (long)m },
        .xc = { (long)(nc[1] * nc[2]), (long)nc[2], 1 },
        .lanes = lanes,
        .da = da,
        .dam = turned ? 1 : (long)k,
        .dak = turned ? (long)m : 1,
        .by = 1.0,
    };

    assert_non_null(da);
    assert_non_null(twice);
    da[0] = twice[0] = 5.0;
    t->gradw(&p);
    p.da = twice;
    t->gradw(&p);
    assert_memory_equal(da, twice, m * k * sizeof *da);
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j < k; j++) {
            double s = i + j == 0 ? 5.0 : 0.0, size = 5.0;

            for (size_t c = 0; c < ncol; c++)
                for (size_t l = 0; l < lanes; l++) {
                    const double a =
                        get(&gy, (c * m + i) * lanes + l) * get(&x, (j * ncol + c) * lanes + l);

                    s += a;
                    size += fabs(a);
                }
            assert_near(t, da[turned ? j * m + i : i * k + j], s,
                        (1.0 + sqrt((double)(ncol * lanes))) * size);
        }
    free(da);
    free(twice);
    reals_free(&gy);
    reals_free(&x);
}

static void gradw_agrees_with_loops(void **state)
{
    (void)state;
    FOR_TABLES(t)
    {
        for (size_t m = 1; m <= 19; m += 3)
            for (size_t k = 1; k <= 70; k += 7)
                check_gradw(t, m, k, (size_t[]){ 1, 1, 1 }, 48, m & 1);
        check_gradw(t, 6, 25, (size_t[]){ 2, 9, 11 }, 16, false);
        check_gradw(t, 21, 40, (size_t[]){ 1, 9, 13 }, 16, true);
        check_gradw(t, 70, 33, (size_t[]){ 1, 1, 37 }, 16, false);
        check_gradw(t, 2, 3, (size_t[]){ 1, 0, 7 }, 16, false);
    }
}

/* ---- bmm -------------------------------------------------------------------------------- */

static void check_bmm(const struct tw_kernels *t, size_t ni, size_t nj, size_t nk, size_t al,
                      size_t bl, enum tw_store store)
{
    const size_t lanes = al > bl ? al : bl;
    struct reals a = reals_random(t, ni * nk * al, 1, -1.0, 1.0);
    struct reals b = reals_random(t, nk * nj * bl, 2, -1.0, 1.0);
    struct reals y = reals_random(t, ni * nj * lanes, 3, -1.0, 1.0);
    struct reals old = reals_random(t, ni * nj * lanes, 3, -1.0, 1.0);
    const struct tw_bmm p = { .ni = ni,
                              .nj = nj,
                              .nk = nk,
                              .a = a.p,
                              .ai = 1,
                              .ak = (long)ni,
                              .alanes = al,
                              .b = b.p,
                              .bk = (long)nj,
                              .bj = 1,
                              .blanes = bl,
                              .y = y.p,
                              .yi = (long)nj,
                              .yj = 1,
                              .lanes = lanes,
                              .store = store };

    t->bmm(&p);
    for (size_t i = 0; i < ni; i++)
        for (size_t j = 0; j < nj; j++)
            for (size_t l = 0; l < lanes; l++) {
                const size_t e = (i * nj + j) * lanes + l;
                double s = 0.0, size = 2.0;

                for (size_t k = 0; k < nk; k++) {
                    const double x = get(&a, (k * ni + i) * al + (al == 1 ? 0 : l)) *
                                     get(&b, (k * nj + j) * bl + (bl == 1 ? 0 : l));

                    s += x;
                    size += fabs(x);
                }
                assert_near(t, get(&y, e), stored(store, get(&old, e), s), 3.0 * size);
            }
    reals_free(&a);
    reals_free(&b);
    reals_free(&y);
    reals_free(&old);
}

static void bmm_agrees_with_loops(void **state)
{
    (void)state;
    FOR_TABLES(t)
    for (int store = TW_SET; store <= TW_SUBTRACT; store++)
        for (size_t ni = 1; ni <= 9; ni += 2)
            for (size_t nj = 1; nj <= 9; nj++) {
                check_bmm(t, ni, nj, 11, 32, 32, (enum tw_store)store);
                check_bmm(t, ni, nj, 11, 1, 16, (enum tw_store)store);
                check_bmm(t, ni, nj, 11, 16, 1, (enum tw_store)store);
                check_bmm(t, ni, nj, 11, 1, 1, (enum tw_store)store);
            }
}

/* ---- attention -------------------------------------------------------------------------- */

static void check_attention(const struct tw_kernels *t, size_t nq, size_t nk, size_t d, size_t dv,
                            bool causal, bool biased)
{
    enum { L = 32 };
    struct reals q = reals_random(t, nq * d * L, 1, -2.0, 2.0);
    struct reals k = reals_random(t, nk * d * L, 2, -2.0, 2.0);
    struct reals v = reals_random(t, nk * dv * L, 3, -1.0, 1.0);
    struct reals bias = reals_random(t, nq * nk, 4, -1.0, 1.0), y = reals_new(t, nq * dv * L);
    struct reals scratch = reals_new(t, t->attention_scratch(nk, d, dv, L));
    const struct tw_attention p = { .nq = nq,
                                    .nk = nk,
                                    .d = d,
                                    .dv = dv,
                                    .q = q.p,
                                    .k = k.p,
                                    .v = v.p,
                                    .qi = (long)d,
                                    .qd = 1,
                                    .kj = 1,
                                    .kd = (long)nk,
                                    .vj = (long)dv,
                                    .vd = 1,
                                    .y = y.p,
                                    .yi = (long)dv,
                                    .yd = 1,
                                    .scale = 0.7,
                                    .causal = causal,
                                    .bias = biased ? bias.p : NULL,
                                    .bi = (long)nk,
                                    .lanes = L,
                                    .scratch = scratch.p };
    double *w = calloc(nk, sizeof *w);

    assert_non_null(w);
    t->attention(&p);
    for (size_t i = 0; i < nq; i++)
        for (size_t l = 0; l < L; l++) {
            const long sees = causal ? (long)(i + nk + 1) - (long)nq : (long)nk;
            double top = -INFINITY, sum = 0.0;

            for (long j = 0; j < sees; j++) {
                w[j] = 0.0;
                for (size_t e = 0; e < d; e++)
                    w[j] += get(&q, (i * d + e) * L + l) * get(&k, (e * nk + (size_t)j) * L + l);
                w[j] = 0.7 * w[j] + (biased ? get(&bias, i * nk + (size_t)j) : 0.0);
                top = fmax(top, w[j]);
            }
            for (long j = 0; j < sees; j++)
                sum += w[j] = exp(w[j] - top);
            for (size_t e = 0; e < dv; e++) {
                double s = sees > 0 ? 0.0 : (double)NAN;

                for (long j = 0; j < sees; j++)
                    s += w[j] / sum * get(&v, ((size_t)j * dv + e) * L + l);
                assert_near(t, get(&y, (i * dv + e) * L + l), s, 60.0);
            }
        }
    free(w);
    reals_free(&q);
    reals_free(&k);
    reals_free(&v);
    reals_free(&bias);
    reals_free(&y);
    reals_free(&scratch);
}

static void attention_agrees_with_loops(void **state)
{
    (void)state;
    FOR_TABLES(t)
    for (int i = 0; i < 4; i++) {
        check_attention(t, 29, 29, 8, 5, i & 1, i & 2);
        check_attention(t, 5, 33, 3, 9, i & 1, i & 2);
        check_attention(t, 40, 7, 4, 4, i & 1, i & 2);
        check_attention(t, 1, 1, 1, 1, i & 1, i & 2);
    }
}

/* ---- the choice of a table --------------------------------------------------------------- */

static void tables_are_found_by_name(void **state)
{
    (void)state;
    assert_null(tw_kernels_find("sse9", TW_REAL32));
    assert_string_equal(tw_kernels_find("generic", TW_REAL64)->isa, "generic");
    (void)setenv("THALWEG_ISA", "generic", 1);
    assert_string_equal(tw_kernels_find(NULL, TW_REAL32)->isa, "generic");
    (void)setenv("THALWEG_ISA", "sse9", 1);
    assert_null(tw_kernels_find(NULL, TW_REAL32));
    (void)unsetenv("THALWEG_ISA");
    assert_non_null(tw_kernels_find(NULL, TW_REAL32));
    FOR_TABLES(t)
    {
        assert_int_equal(t->size, t->type == TW_REAL32 ? sizeof(float) : sizeof(double));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gemm_agrees_with_loops),   cmocka_unit_test(gemm_adds_where_columns_meet),
        cmocka_unit_test(gemm_passes_nan_on),       cmocka_unit_test(gradw_agrees_with_loops),
        cmocka_unit_test(bmm_agrees_with_loops),    cmocka_unit_test(attention_agrees_with_loops),
        cmocka_unit_test(tables_are_found_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
