/* SPDX-License-Identifier: GPL-3.0-or-later */
/* bench_barrier_coverage FILE...: how often intervals of barriers hold the truth. Each file is
 * a result of `thalweg eval --per-sample` of even points on a line, from its first end to its
 * second. 200 subsamples of a half, a quarter and a tenth of the samples against the barrier of all
 * of them (data-set interval), and 200 samples drawn from them with replacement (population
 * interval). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/landscape_barrier.h"
#include "thalweg/store_result.h"

enum { TIMES = 200 };

struct rows {
    size_t m, n;
    double *x[TW_LINE_NCURVES]; /* (m, n): losses, misses */
};

/* A line whose samples are rows pick[0 .. n) of all. */
static void measure(const struct rows *r, size_t n, const size_t *pick, size_t all, uint64_t seed,
                    struct tw_barrier out[TW_LINE_NCURVES][2])
{
    const struct tw_line_options lo = { .hi = 1.0, .max_points = r->m, .even = true };
    const struct tw_barrier_options o = { .seed = seed, .replicates = 500 };
    struct tw_line l;
    double *x[TW_LINE_NCURVES], *weight = tw_alloc(n, sizeof *weight);
    struct tw_err err = { 0 };

    if (tw_line_init(&l, &lo, &err) != TW_OK || !weight)
        exit(3);
    for (int c = 0; c < TW_LINE_NCURVES; c++) {
        x[c] = tw_alloc(r->m, n * sizeof *x[c]);
        for (size_t k = 0; x[c] && k < r->m; k++)
            for (size_t i = 0; i < n; i++)
                x[c][k * n + i] = r->x[c][k * r->n + pick[i]];
    }
    for (size_t i = 0; i < n; i++)
        weight[i] = 1.0;
    l.samples = n;
    l.loss = x[0];
    l.miss = x[1];
    l.weight = weight;
    for (size_t k = 0; k < r->m; k++) {
        struct tw_line_point p = { .t = (double)k / (double)(r->m - 1), .slope = (double)NAN };

        p.values.loss = tw_estimate_ratio(n, x[0] + k * n, weight, (double)NAN, all);
        p.values.error = tw_estimate_ratio(n, x[1] + k * n, weight, (double)NAN, all);
        if (tw_line_add(&l, &p, &err) != TW_OK)
            exit(3);
    }
    for (int c = 0; c < TW_LINE_NCURVES; c++)
        for (int k = 0; k < 2; k++)
            if (tw_barrier_measure(&l, (enum tw_line_curve)c, (enum tw_barrier_kind)k, all, &o,
                                   &out[c][k], &err) != TW_OK)
                exit(3);
    free(x[0]);
    free(x[1]);
    free(weight);
    tw_line_release(&l);
}

static void draw(size_t n, size_t all, bool replace, uint64_t seed, size_t *pick)
{
    struct tw_rng rng = tw_rng_stream(seed, TW_RNG_TEST, replace);

    for (size_t i = 0; i < all; i++)
        pick[i] = i;
    for (size_t i = 0; i < n; i++) {
        const size_t k = i + tw_rng_below(&rng, all - i), swap = pick[i];

        if (replace) {
            pick[i] = tw_rng_below(&rng, all);
        } else {
            pick[i] = pick[k];
            pick[k] = swap;
        }
    }
}

static void study(const struct rows *r, size_t n, bool replace)
{
    struct tw_barrier truth[TW_LINE_NCURVES][2], b[TW_LINE_NCURVES][2];
    double held[4] = { 0 }, bias[4] = { 0 }, se[4] = { 0 };
    size_t *pick = tw_alloc(r->n, sizeof *pick);

    draw(0, r->n, false, 0, pick);
    measure(r, r->n, pick, r->n, 1, truth);
    for (size_t s = 0; s < TIMES; s++) {
        draw(n, r->n, replace, s, pick);
        measure(r, n, pick, replace ? n : r->n, s, b);
        for (int i = 0; i < 4; i++) {
            const struct tw_barrier *x = &b[i / 2][i % 2], *t = &truth[i / 2][i % 2];
            const double lo = replace ? x->lo : x->lo_data, hi = replace ? x->hi : x->hi_data;

            held[i] += (lo <= t->value && t->value <= hi) * 100.0 / TIMES;
            bias[i] += (x->value - t->value) / TIMES;
            se[i] += (replace ? x->se : x->se_data) / TIMES;
        }
    }
    printf("  n %5zu %-10s", n, replace ? "population" : "data set");
    for (int i = 0; i < 4; i++)
        printf("  %5.1f (%+.1e, se %.1e)", held[i], bias[i], se[i]);
    printf("\n");
    free(pick);
}

int main(int argc, char **argv)
{
    printf("share of intervals (%%) that hold the truth (mean error, mean se): loss Entezari, loss "
           "Frankle, error Entezari, error Frankle\n");
    for (int i = 1; i < argc; i++) {
        struct tw_err err = { 0 };
        struct tw_result *f = tw_result_open(argv[i], "eval", &err);
        struct rows r = { 0 };
        size_t dims[2];

        if (!f || tw_result_get_reals(f, "/loss", 2, dims, &r.x[0], &err) != TW_OK ||
            tw_result_get_reals(f, "/correct", 2, dims, &r.x[1], &err) != TW_OK) {
            (void)fprintf(stderr, "bench_barrier_coverage: %s\n", err.msg);
            return 3;
        }
        r.m = dims[0];
        r.n = dims[1];
        for (size_t k = 0; k < r.m * r.n; k++)
            r.x[1][k] = 1.0 - r.x[1][k];
        printf("%s: %zu points, %zu samples\n", argv[i], r.m, r.n);
        study(&r, r.n / 2, false);
        study(&r, r.n / 4, false);
        study(&r, r.n / 10, false);
        study(&r, r.n / 2, true);
        study(&r, r.n / 10, true);
        tw_result_done(f);
        free(r.x[0]);
        free(r.x[1]);
    }
    return 0;
}
