/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Kernels along rows - reductions, softmax, normalization, pooling, tables, samples into lanes -
 * against plain loops in double. */
#include "kernels_test.h"

/* ---- reductions -------------------------------------------------------------------------- */

static double merge(int f, double a, double b)
{
    return f == TW_B_ADD                ? a + b
           : f == TW_B_MUL              ? a * b
           : isnan(a) || isnan(b)       ? (double)NAN
           : (f == TW_B_MAX) == (a > b) ? a
                                        : b;
}

/* A of 3 x 150 x 4, reduced along the first, the middle, the last two, all axes, none. */
static const long kept[][3] = { { 0, 4, 1 }, { 4, 0, 1 }, { 1, 0, 0 }, { 0, 0, 0 }, { 600, 4, 1 } };
enum { A0 = 3, A1 = 150, A2 = 4, NA = A0 * A1 * A2 };

static void reductions_agree_with_loops(void **state)
{
    static const int f[] = { TW_B_ADD, TW_B_MUL, TW_B_MAX, TW_B_MIN };

    (void)state;
    FOR_TABLES(t)
    for (size_t op = 0; op < 4; op++)
        for (size_t c = 0; c < sizeof kept / sizeof kept[0]; c++)
            for (size_t lanes = 1; lanes <= 32; lanes += lanes == 1 ? 15 : 16) {
                struct reals a = reals_random(t, NA * lanes, 1, 0.95, 1.05);
                struct reals y = reals_random(t, NA * lanes, 2, 0.9, 1.1);
                struct reals want = reals_random(t, NA * lanes, 2, 0.9, 1.1);
                const struct tw_loop l = { .nd = 3,
                                           .n = { A0, A1, A2 },
                                           .sa = { A1 * A2, A2, 1 },
                                           .sy = { kept[c][0], kept[c][1], kept[c][2] } };

                if (op > 1)
                    put(&a, 77 * lanes + lanes / 2, NAN);
                t->reduce((enum tw_binary)f[op], &l, a.p, lanes, y.p);
                for (size_t s = 0; s < lanes; s++) {
                    double sum[NA];

                    for (size_t i = 0; i < NA; i++)
                        sum[i] = get(&want, i * lanes + s);
                    for (size_t i = 0; i < NA; i++) {
                        const long to = (long)(i / (A1 * A2)) * kept[c][0] +
                                        (long)(i / A2 % A1) * kept[c][1] +
                                        (long)(i % A2) * kept[c][2];

                        sum[to] = merge(f[op], sum[to], get(&a, i * lanes + s));
                    }
                    for (size_t i = 0; i < NA; i++)
                        assert_near(t, get(&y, i * lanes + s), sum[i],
                                    (op == 0   ? 100.0
                                     : op == 1 ? 2000.0
                                               : 0.0) *
                                        fabs(sum[i]));
                }
                reals_free(&a);
                reals_free(&y);
                reals_free(&want);
            }
}

static void sums_over_lanes_agree_with_loops(void **state)
{
    (void)state;
    FOR_TABLES(t)
    for (size_t c = 0; c < sizeof kept / sizeof kept[0]; c++)
        for (size_t kind = 0; kind < 3; kind++) {
            enum { L = 32 };
            const size_t bl = kind == 1 ? L : 1;
            struct reals a = reals_random(t, NA * L, 1, -1.0, 1.0);
            struct reals b = reals_random(t, A1 * bl, 2, -1.0, 1.0);
            const struct tw_loop l = { .nd = 3,
                                       .n = { A0, A1, A2 },
                                       .sa = { A1 * A2, A2, 1 },
                                       .sb = { 0, 1, 0 },
                                       .sy = { kept[c][0], kept[c][1], kept[c][2] } };
            static double y[NA], want[NA];

            memset(y, 0, sizeof y);
            memset(want, 0, sizeof want);
            y[0] = want[0] = 3.0;
            t->reduce_lanes(&l, a.p, bl, kind ? b.p : NULL, L, y);
            for (size_t i = 0; i < NA; i++)
                for (size_t s = 0; s < L; s++) {
                    const size_t j = i / A2 % A1;
                    const long to = (long)(i / (A1 * A2)) * kept[c][0] + (long)j * kept[c][1] +
                                    (long)(i % A2) * kept[c][2];

                    want[to] +=
                        get(&a, i * L + s) * (kind ? get(&b, bl == 1 ? j : j * L + s) : 1.0);
                }
            for (size_t i = 0; i < NA; i++)
                assert_near(t, y[i], want[i], 20000.0);
            reals_free(&a);
            reals_free(&b);
        }
}

/* ---- softmax, normalization --------------------------------------------------------------- */

static void softmax_agrees_with_loops(void **state)
{
    enum { OUTER = 2, N = 131, INNER = 3, L = 32 };

    (void)state;
    FOR_TABLES(t)
    for (int log_ = 0; log_ < 2; log_++) {
        struct reals x = reals_random(t, OUTER * N * INNER * L, 1, -30.0, 30.0);
        struct reals y = reals_new(t, x.n);

        put(&x, 5 * INNER * L + 7, NAN);
        put(&x, 4 * INNER * L + 9, -INFINITY);
        t->softmax(log_, OUTER, N * INNER, N, INNER, INNER, L, x.p, y.p);
        for (size_t r = 0; r < OUTER * INNER * L; r++) {
            const size_t base = r / (INNER * L) * N * INNER * L + r % (INNER * L);
            double top = -INFINITY, sum = 0.0;

            for (size_t i = 0; i < N; i++)
                top = fmax(top, get(&x, base + i * INNER * L));
            for (size_t i = 0; i < N; i++)
                sum += exp(get(&x, base + i * INNER * L) - top);
            for (size_t i = 0; i < N; i++) {
                const double e = get(&x, base + i * INNER * L) - top;
                const double want = log_ ? e - log(sum) : exp(e) / sum;

                assert_near(t, get(&y, base + i * INNER * L), want,
                            log_ ? 8.0 + 2.0 * fabs(e) : (16.0 + fabs(e)) * want);
            }
        }
        t->softmax(log_, OUTER, N * INNER, N, INNER, INNER, L, x.p, x.p); /* in place */
        assert_memory_equal(x.p, y.p, x.n * t->size);
        reals_free(&x);
        reals_free(&y);
    }
}

static void normalization_agrees_with_loops(void **state)
{
    enum { ROWS = 5, N = 77, L = 16 };

    (void)state;
    FOR_TABLES(t)
    for (int kind = 0; kind < 4; kind++) {
        const bool rms = kind & 1, affine = kind & 2;
        struct reals x = reals_random(t, ROWS * N * L, 1, -1.0, 2.0), y = reals_new(t, x.n);
        struct reals stats = reals_new(t, 2 * ROWS * L);
        struct reals scale = reals_random(t, N, 2, 0.5, 1.5),
                     shift = reals_random(t, N, 3, -1.0, 1.0);

        /* Elements of a row are ROWS apart, rows 1. */
        t->normalize(rms, ROWS, 1, N, ROWS, 1e-5, affine ? scale.p : NULL, affine ? shift.p : NULL,
                     L, x.p, y.p, affine ? stats.p : NULL);
        for (size_t r = 0; r < ROWS; r++)
            for (size_t l = 0; l < L; l++) {
                double mean = 0.0, var = 0.0, rstd;

                for (size_t i = 0; i < N && !rms; i++)
                    mean += get(&x, (i * ROWS + r) * L + l) / N;
                for (size_t i = 0; i < N; i++)
                    var += pow(get(&x, (i * ROWS + r) * L + l) - mean, 2.0) / N;
                rstd = 1.0 / sqrt(var + 1e-5);
                for (size_t i = 0; i < N; i++) {
                    double want = (get(&x, (i * ROWS + r) * L + l) - mean) * rstd;

                    if (affine)
                        want = want * get(&scale, i) + get(&shift, i);
                    assert_near(t, get(&y, (i * ROWS + r) * L + l), want, 30.0);
                }
                if (affine) {
                    assert_near(t, get(&stats, 2 * r * L + l), mean, 10.0);
                    assert_near(t, get(&stats, (2 * r + 1) * L + l), rstd, 10.0 * rstd);
                }
            }
        reals_free(&x);
        reals_free(&y);
        reals_free(&stats);
        reals_free(&scale);
        reals_free(&shift);
    }
}

/* ---- pooling ------------------------------------------------------------------------------ */

static const struct tw_pool pools[] = {
    { 3,
      { 1, 6, 8 },
      { 1, 3, 4 },
      { 1, 2, 2 },
      { 1, 2, 2 },
      { 0, 0, 0 },
      { 0, 0, 0 },
      { 1, 1, 1 },
      false,
      16 },
    { 2,
      { 1, 7, 5 },
      { 1, 4, 3 },
      { 1, 3, 3 },
      { 1, 2, 2 },
      { 0, 1, 1 },
      { 0, 1, 1 },
      { 1, 1, 1 },
      true,
      32 },
    { 1,
      { 4, 5, 9 },
      { 3, 5, 3 },
      { 2, 3, 3 },
      { 1, 1, 2 },
      { 0, 2, 1 },
      { 0, 2, 1 },
      { 1, 2, 3 },
      false,
      16 },
    { 1,
      { 1, 1, 2 },
      { 1, 1, 5 },
      { 1, 1, 1 },
      { 1, 1, 1 },
      { 0, 0, 2 },
      { 0, 0, 2 },
      { 1, 1, 1 },
      true,
      16 },
};

/* The elements of a window in order; how many. */
static size_t window(const struct tw_pool *p, size_t out, size_t *e)
{
    const size_t o[3] = { out / p->out[2] / p->out[1], out / p->out[2] % p->out[1],
                          out % p->out[2] };
    const size_t all = p->window[0] * p->window[1] * p->window[2];
    size_t n = 0;

    for (size_t w = 0; w < all; w++) {
        const size_t i[3] = { w / p->window[2] / p->window[1], w / p->window[2] % p->window[1],
                              w % p->window[2] };
        long at_ = 0;
        bool inside = true;

        for (int d = 0; d < 3; d++) {
            const long x = (long)o[d] * p->stride[d] - p->pad[d] + (long)i[d] * p->dilation[d];

            inside = inside && x >= 0 && x < (long)p->in[d];
            at_ = at_ * (long)p->in[d] + x;
        }
        if (inside)
            e[n++] = (size_t)at_;
    }
    return n;
}

static void check_pool(const struct tw_kernels *t, const struct tw_pool *p)
{
    const size_t nin = p->in[0] * p->in[1] * p->in[2], nout = p->out[0] * p->out[1] * p->out[2];
    const size_t L = p->lanes, all = p->window[0] * p->window[1] * p->window[2];
    struct reals x = reals_random(t, p->planes * nin * L, 1, -1.0, 1.0);
    struct reals y = reals_new(t, p->planes * nout * L), index = reals_new(t, y.n);
    struct reals mean = reals_new(t, y.n), g = reals_random(t, y.n, 2, -1.0, 1.0);
    struct reals picked = reals_new(t, y.n), gmax = reals_new(t, x.n), gmean = reals_new(t, x.n);
    double *wmax = calloc(x.n, sizeof *wmax), *wmean = calloc(x.n, sizeof *wmean);
    size_t e[64];

    assert_non_null(wmax);
    assert_non_null(wmean);
    put(&x, L + 3, NAN);
    t->maxpool(p, x.p, y.p, index.p);
    t->maxpool(p, x.p, picked.p, NULL);
    assert_memory_equal(y.p, picked.p, y.n * t->size);
    t->avgpool(p, x.p, mean.p);
    t->pick(p->planes, nin, nout, L, index.p, x.p, picked.p);
    t->unpick(p->planes, nin, nout, L, index.p, g.p, gmax.p);
    t->avgpool_grad(p, g.p, gmean.p);
    for (size_t i = 0; i < y.n; i++) {
        const size_t l = i % L, plane = i / L / nout, n = window(p, i / L % nout, e);
        const double by = p->count_pad ? (double)all : (double)n;
        double top = -INFINITY, sum = 0.0;
        long who = -1;

        for (size_t w = 0; w < n; w++) {
            const double v = get(&x, (plane * nin + e[w]) * L + l);

            sum += v;
            if (who < 0 || v > top || (isnan(v) && !isnan(top))) {
                top = v;
                who = (long)e[w];
            }
            wmean[(plane * nin + e[w]) * L + l] += get(&g, i) / by;
        }
        if (who >= 0)
            wmax[(plane * nin + (size_t)who) * L + l] += get(&g, i);
        assert_near(t, get(&y, i), top, 0.0);
        assert_near(t, get(&index, i), (double)who, 0.0);
        assert_near(t, get(&picked, i), who < 0 ? 0.0 : top, 0.0);
        assert_near(t, get(&mean, i), sum / by, 8.0);
    }
    for (size_t i = 0; i < x.n; i++) {
        assert_near(t, get(&gmax, i), wmax[i], 16.0);
        assert_near(t, get(&gmean, i), wmean[i], 16.0);
    }
    free(wmax);
    free(wmean);
    reals_free(&x);
    reals_free(&y);
    reals_free(&index);
    reals_free(&mean);
    reals_free(&g);
    reals_free(&picked);
    reals_free(&gmax);
    reals_free(&gmean);
}

static void pooling_agrees_with_loops(void **state)
{
    (void)state;
    FOR_TABLES(t)
    for (size_t i = 0; i < sizeof pools / sizeof pools[0]; i++)
        check_pool(t, &pools[i]);
}

/* ---- tables, samples, arrays ---------------------------------------------------------------- */

static void tables_are_looked_up_by_lane(void **state)
{
    enum { N = 3, ROWS = 7, WIDTH = 5, L = 16 };

    (void)state;
    FOR_TABLES(t)
    {
        struct reals table = reals_random(t, ROWS * WIDTH, 1, -1.0, 1.0);
        struct reals index = reals_random(t, N * L, 2, -8.5, 8.5), y = reals_new(t, N * WIDTH * L);
        struct reals g = reals_random(t, y.n, 3, -1.0, 1.0);
        double grad[ROWS * WIDTH] = { 0 }, want[ROWS * WIDTH] = { 0 };

        for (size_t i = 0; i < index.n; i++)
            put(&index, i, floor(get(&index, i)));
        put(&index, 3, NAN);
        t->lookup(N, index.p, ROWS, WIDTH, table.p, L, y.p);
        t->lookup_grad(N, index.p, ROWS, WIDTH, g.p, L, grad);
        for (size_t i = 0; i < y.n; i++) {
            const double k = get(&index, i / L / WIDTH * L + i % L);
            const double row = k < 0.0 ? k + ROWS : k;

            if (row >= 0.0 && row < ROWS) {
                const size_t e = (size_t)row * WIDTH + i / L % WIDTH;

                assert_near(t, get(&y, i), get(&table, e), 0.0);
                want[e] += get(&g, i);
            } else {
                assert_true(isnan(get(&y, i)));
            }
        }
        for (size_t i = 0; i < ROWS * WIDTH; i++)
            assert_true(fabs(grad[i] - want[i]) < 1e-12);
        reals_free(&table);
        reals_free(&index);
        reals_free(&y);
        reals_free(&g);
    }
}

static void samples_go_into_lanes_and_back(void **state)
{
    enum { E = 37, L = 32, SAMPLES = 21 };

    (void)state;
    FOR_TABLES(t)
    {
        static float in[SAMPLES][E];
        static double out[SAMPLES][E];
        const float *from[L] = { NULL };
        double *to[L] = { NULL };
        struct reals x = reals_random(t, E * L, 1, 1.0, 2.0);

        for (size_t s = 0; s < SAMPLES; s++) {
            for (size_t e = 0; e < E; e++) {
                in[s][e] = (float)(s * 100 + e);
                out[s][e] = -1.0;
            }
            if (s != 4) {
                from[s] = in[s];
                to[s] = out[s];
            }
        }
        t->load_f32(E, L, from, x.p);
        t->store_f64(E, L, SAMPLES, x.p, to);
        for (size_t s = 0; s < L; s++)
            for (size_t e = 0; e < E; e++) {
                assert_true(get(&x, e * L + s) == (from[s] ? (double)in[s][e] : 0.0));
                if (s < SAMPLES)
                    assert_true(out[s][e] == (to[s] ? (double)in[s][e] : -1.0));
            }
        reals_free(&x);
    }
}

static void arrays_are_filled_and_added(void **state)
{
    enum { N = 45 };

    (void)state;
    FOR_TABLES(t)
    {
        struct reals d = reals_random(t, N, 2, -1.0, 1.0), y = reals_new(t, N);

        t->fill(N, 1.5, y.p);
        t->axpy(N, -0.25, d.p, y.p);
        for (size_t i = 0; i < N; i++)
            assert_near(t, get(&y, i), 1.5 - 0.25 * get(&d, i), 2.0);
        t->fill(N, 1.5, y.p);
        for (size_t i = 0; i < N; i++)
            assert_true(get(&y, i) == 1.5);
        reals_free(&d);
        reals_free(&y);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reductions_agree_with_loops),
        cmocka_unit_test(sums_over_lanes_agree_with_loops),
        cmocka_unit_test(softmax_agrees_with_loops),
        cmocka_unit_test(normalization_agrees_with_loops),
        cmocka_unit_test(pooling_agrees_with_loops),
        cmocka_unit_test(tables_are_looked_up_by_lane),
        cmocka_unit_test(samples_go_into_lanes_and_back),
        cmocka_unit_test(arrays_are_filled_and_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
