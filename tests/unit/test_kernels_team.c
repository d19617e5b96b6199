/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernels whose work threads share: the same bits as from one thread, at any number of them. */
#include <omp.h>

#include "kernels_test.h"

enum { MOST = 40000, DOUBLES = 4000, LANES = 16, OWN = 65536 };

/* What a case reads and writes. */
struct field {
    struct reals a, b, y;
    double *d;
    char *own;
};

typedef void (*team_case)(const struct tw_kernels *k, const struct field *f);

static void start(const struct tw_kernels *t, struct field *f)
{
    f->a = reals_random(t, MOST, 1, -1.0, 1.0);
    f->b = reals_random(t, MOST, 2, -1.0, 1.0);
    f->y = reals_random(t, MOST, 3, -1.0, 1.0);
    f->d = tw_alloc(DOUBLES, sizeof *f->d);
    assert_non_null(f->d);
}

static void finish(struct field *f)
{
    reals_free(&f->a);
    reals_free(&f->b);
    reals_free(&f->y);
    free(f->d);
}

/* By one thread, then by teams of 2 and 3. */
static void check_case(team_case run)
{
    FOR_TABLES(t)
    {
        struct field one, many;

        start(t, &one);
        one.own = tw_alloc(OWN, 1);
        run(t, &one);
        free(one.own);
        for (size_t n = 2; n <= 3; n++) {
            struct tw_team team;

            start(t, &many);
            tw_team_begin(&team);
#pragma omp parallel num_threads((int)n)
            {
                struct field mine = many;

#pragma omp single
                team.of = (size_t)omp_get_num_threads();
                mine.own = tw_alloc(OWN, 1);
                tw_team_join(&team, (size_t)omp_get_thread_num());
                run(t->team, &mine);
                tw_team_join(NULL, 0);
                free(mine.own);
            }
            tw_team_end(&team);
            assert_memory_equal(one.y.p, many.y.p, MOST * t->size);
            assert_memory_equal(one.d, many.d, DOUBLES * sizeof *one.d);
            finish(&many);
        }
        finish(&one);
    }
}

/* ---- products ----------------------------------------------------------------------------------
 */

static void gemm(const struct tw_kernels *k, const struct field *f)
{
    static const long meet[12] = { 0, 1, 2, 6, 7, 8, 12, 13, 14, 18, 19, 20 };
    long taps[48];
    struct tw_gemm g = { .m = 20,
                         .k = 12,
                         .a = at(&f->b, 100),
                         .bias = f->b.p,
                         .x = f->a.p,
                         .kstride = 1,
                         .y = f->y.p,
                         .mstride = 1,
                         .nc = { 1, 3, 11 },
                         .xc = { 0, 132, 12 },
                         .yc = { 0, 220, 20 },
                         .lanes = LANES,
                         .act = TW_U_TANH };

    k->gemm(&g); /* by columns */
    g.bias = NULL;
    g.act = TW_U_COPY;
    g.store = TW_ADD;
    g.m = 45;
    g.nc[1] = g.nc[2] = 1;
    g.lanes = 4 * LANES;
    k->gemm(&g); /* by rows */
    g.m = 12;
    g.moff = meet;
    g.nc[2] = 9;
    g.yc[2] = 1;
    g.lanes = LANES;
    k->gemm(&g); /* columns meet */
    for (size_t c = 0; c < 16; c++)
        for (size_t i = 0; i < 3; i++)
            taps[c * 3 + i] = (long)(c * 40 + 2 * i);
    g.m = 48;
    g.moff = taps;
    g.apart = 3;
    k->gemm(&g); /* of one channel alone */
    g.k = 128;
    k->gemm(&g); /* some of which would fit into the cache */
}

static void gradw(const struct tw_kernels *k, const struct field *f)
{
    static const size_t shape[4][4] = {
        { 40, 30, 2, 1 }, { 8, 190, 2, 1 }, { 9, 13, 60, 1 }, { 3, 50, 20, 0 }
    };

    for (int i = 0; i < 4; i++)
        k->gradw(&(struct tw_gradw){ .m = shape[i][0],
                                     .k = shape[i][1],
                                     .gy = f->a.p,
                                     .mstride = (long)shape[i][2],
                                     .x = f->b.p,
                                     .kstride = (long)shape[i][2],
                                     .nc = { 1, 1, shape[i][2] },
                                     .gyc = { 0, 0, 1 },
                                     .xc = { 0, 0, 1 },
                                     .lanes = LANES,
                                     .da = f->d,
                                     .dam = (long)shape[i][1],
                                     .dak = (long)shape[i][3],
                                     .set = i == 1,
                                     .by = i == 2 ? 0.25 : 1.0 });
}

static void products_of_lanes(const struct tw_kernels *k, const struct field *f)
{
    struct tw_bmm b = { .ni = 13,
                        .nj = 7,
                        .nk = 5,
                        .a = f->a.p,
                        .ai = 5,
                        .ak = 1,
                        .alanes = LANES,
                        .b = f->b.p,
                        .bk = 7,
                        .bj = 1,
                        .blanes = LANES,
                        .y = f->y.p,
                        .yi = 7,
                        .yj = 1,
                        .lanes = LANES };

    k->bmm(&b);
    b.ni = 3;
    b.blanes = 1;
    b.store = TW_ADD;
    k->bmm(&b);
    b.yi = 0; /* all into one row */
    k->bmm(&b);
    k->attention(&(struct tw_attention){ .nq = 30,
                                         .nk = 32,
                                         .d = 3,
                                         .dv = 2,
                                         .q = f->a.p,
                                         .k = f->b.p,
                                         .v = at(&f->b, 32L * 3 * LANES),
                                         .qi = 3,
                                         .qd = 1,
                                         .kj = 3,
                                         .kd = 1,
                                         .vj = 2,
                                         .vd = 1,
                                         .y = at(&f->y, 2000),
                                         .yi = 2,
                                         .yd = 1,
                                         .scale = 0.6,
                                         .causal = true,
                                         .lanes = LANES,
                                         .scratch = f->own });
}

static void packing(const struct tw_kernels *k, const struct field *f)
{
    k->pack(37, 29, f->a.p, 29, 1, f->y.p);
    k->pack(29, 37, f->a.p, 1, 29, at(&f->y, 2000));
    k->pack(21, 5, f->a.p, 7, 3, at(&f->y, 4000));
}

/* ---- elementwise, sums ------------------------------------------------------------------------
 */

static void elementwise(const struct tw_kernels *k, const struct field *f)
{
    struct tw_loop l = {
        .nd = 2, .n = { 9, 14 }, .sa = { 14, 1 }, .sb = { 0, 1 }, .sc = { 1, 0 }, .sy = { 14, 1 }
    };
    struct tw_loop meet = { .nd = 2, .n = { 9, 14 }, .sa = { 14, 1 }, .sy = { 1, 1 } };

    k->fill(5L * LANES, 3.0, f->y.p);
    k->axpy(77L * LANES, 0.3, f->a.p, at(&f->y, 32));
    k->unary(TW_U_SIGMOID, 0, 0.0, 0.0, 70L * LANES, f->a.p, at(&f->y, 1600));
    k->unary_grad(TW_U_TANH, 1, 0.0, 0.0, 70L * LANES, f->a.p, f->b.p, TW_ADD, f->y.p);
    k->binary(TW_B_SUB, &l, LANES, f->a.p, LANES, f->b.p, TW_ADD, LANES, at(&f->y, 3200));
    k->binary(TW_B_MUL, &l, LANES, f->a.p, 1, f->b.p, TW_SET, LANES, at(&f->y, 8000));
    k->binary(TW_B_FIRST, &meet, LANES, f->a.p, LANES, f->a.p, TW_ADD, LANES, at(&f->y, 12000));
    k->select(&l, LANES, at(&f->y, 0), LANES, f->a.p, 1, f->b.p, TW_SET, LANES, at(&f->y, 16000));
}

/* A part of one column must not join what is outside it. */
static void sums(const struct tw_kernels *k, const struct field *f)
{
    for (size_t n = 1; n < 8; n++) {
        const long w = (long)n;
        struct tw_loop l = {
            .nd = 2, .n = { 70, n }, .sa = { w, 1 }, .sb = { w, 1 }, .sy = { 0, 1 }
        };

        k->reduce(TW_B_ADD, &l, f->a.p, LANES, at(&f->y, n * 500));
        k->reduce_lanes(&l, f->a.p, LANES, f->b.p, LANES, f->d + n * 50);
        l.sy[0] = 1;
        l.sy[1] = 0;
        k->reduce(TW_B_MAX, &l, f->a.p, LANES, at(&f->y, 8000 + n * 1500));
        k->reduce_lanes(&l, f->a.p, 1, NULL, LANES, f->d + 1000 + n * 80);
    }
}

static void rows(const struct tw_kernels *k, const struct field *f)
{
    k->softmax(true, 11, 18, 6, 3, 3, LANES, f->a.p, f->y.p);
    k->softmax(false, 1, 0, 6, 9, 9, LANES, f->a.p, at(&f->y, 4000));
    k->normalize(false, 13, 7, 7, 1, 1e-5, f->b.p, at(&f->b, 8), LANES, f->a.p, at(&f->y, 8000),
                 at(&f->y, 12000));
    k->argmax(false, true, 5, 7, 3, LANES, f->a.p, at(&f->y, 16000));
}

/* ---- windows, tables, samples ------------------------------------------------------------------
 */

static void windows(const struct tw_kernels *k, const struct field *f)
{
    const struct tw_pool p = { .planes = 7,
                               .in = { 1, 6, 6 },
                               .out = { 1, 3, 3 },
                               .window = { 1, 3, 3 },
                               .stride = { 1, 2, 2 },
                               .pad = { 0, 1, 1 },
                               .pad_end = { 0, 1, 1 },
                               .dilation = { 1, 1, 1 },
                               .lanes = LANES };
    void *index = at(&f->y, 4000);

    k->maxpool(&p, f->a.p, f->y.p, index);
    k->pick(7, 36, 9, LANES, index, f->b.p, at(&f->y, 8000));
    k->unpick(7, 36, 9, LANES, index, f->b.p, at(&f->y, 12000));
    k->avgpool(&p, f->a.p, at(&f->y, 20000));
    k->avgpool_grad(&p, f->b.p, at(&f->y, 24000));
}

static void tables(const struct tw_kernels *k, const struct field *f)
{
    const float *row[LANES];
    float x[3 * LANES];
    void *index = at(&f->y, 36000);

    for (size_t i = 0; i < 3 * LANES; i++)
        x[i] = (float)(i % 11);
    for (size_t i = 0; i < LANES; i++)
        row[i] = x + 3 * i;
    k->load_f32(3, LANES, row, index);
    k->lookup(3, index, 11, 21, f->a.p, LANES, f->y.p);
    k->lookup_grad(3, index, 11, 21, f->b.p, LANES, f->d);
}

static void a_team_gives_the_same_bits(void **state)
{
    static const team_case cases[] = { gemm, gradw, products_of_lanes, packing, elementwise,
                                       sums, rows,  windows,           tables };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_case(cases[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_team_gives_the_same_bits) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
