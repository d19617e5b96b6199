/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The annealing law with model size: its formula, derivatives, recovery of made-up curves of
 * several sizes, and what it refuses. */
#include <stdlib.h>

#include "curves.h"
#include "num.h"

enum { L0, A, ALPHA, B, BETA, C, R, LAMBDA, NP };
enum { SIZES = 4, SHAPES = 2, CURVES = SIZES * SHAPES, ROOM = 4000 };

static const double truth[NP] = { 1.9, 0.7, 0.42, 0.98, 0.25, 0.67, 0.18, 0.99 };
static const double sizes[SIZES] = { 1.9e8, 3.7e8, 7.6e8, 1.28e9 };
static const char *const shapes[SHAPES] = {
    "cosine:peak=3e-3,end=3e-4,total=3000,warmup=200",
    "wsd:peak=3e-3,end=3e-4,total=2000,decay=500,warmup=200",
};

static const struct tw_law *law(void)
{
    return tw_law_find("annealing-size");
}

/* A curve of each size and shape, times exp of noise from stream `item`. */
static void make(const double *theta, double sd, uint64_t item, struct ref_data *d,
                 struct tw_law_curve *curves)
{
    static double s1[ROOM], s2[ROOM];

    for (size_t c = 0; c < CURVES; c++) {
        struct tw_rng rng = tw_rng_stream(77, TW_RNG_TEST, item * CURVES + c);
        const double n = sizes[c / SHAPES] / 1e9;

        d[c] = (struct ref_data){ 0 };
        assert_int_equal(tw_schedule_parse(shapes[c % SHAPES], NULL, NULL, &d[c].schedule, NULL),
                         TW_OK);
        assert_true(d[c].schedule.n <= ROOM);
        d[c].x = calloc(ROOM, sizeof *d[c].x);
        d[c].y = calloc(ROOM, sizeof *d[c].y);
        tw_law_annealing_features(&d[c].schedule, TW_WARMUP_SKIP, theta[LAMBDA], s1, s2);
        for (size_t i = 200; i < d[c].schedule.n; i += 25) {
            d[c].x[d[c].n] = (double)i;
            d[c].y[d[c].n++] =
                (theta[L0] + theta[A] * pow(s1[i], -theta[ALPHA]) +
                 theta[B] * pow(n, -theta[BETA]) - theta[C] * s2[i] * pow(n, theta[R])) *
                exp(sd * tw_rng_normal(&rng));
        }
        curves[c] = (struct tw_law_curve){ .name = shapes[c % SHAPES],
                                           .n = d[c].n,
                                           .x = d[c].x,
                                           .y = d[c].y,
                                           .schedule = &d[c].schedule,
                                           .size = sizes[c / SHAPES] };
    }
}

static struct tw_law_fit fitted(const struct tw_law_curve *curves, size_t n,
                                const struct tw_law_fit_opts *opts)
{
    struct tw_law_fit fit = { 0 };
    struct tw_err err = { 0 };

    if (tw_law_fit_run(law(), curves, n, opts, &fit, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return fit;
}

static void predictions_are_the_formula_and_derivatives_its_differences(void **state)
{
    static double y[ROOM], up[ROOM], down[ROOM], jac[ROOM * NP];
    struct ref_data d[CURVES];
    struct tw_law_curve curves[CURVES];
    double theta[NP];
    void *model, *memo;
    size_t k = 0;

    (void)state;
    make(truth, 0.0, 0, d, curves);
    memcpy(theta, truth, sizeof theta);
    model = law()->model_alloc(curves, CURVES, TW_WARMUP_SKIP, NULL);
    assert_non_null(model);
    memo = law()->memo_alloc(model);
    assert_non_null(memo);
    law()->predict(model, memo, theta, y, jac);
    for (size_t c = 0; c < CURVES; c++)
        for (size_t i = 0; i < d[c].n; i++)
            check_close(y[k++], d[c].y[i], 1e-12, 0.0);
    for (size_t j = 0; j < NP; j++) {
        const double h = j == LAMBDA ? 1e-5 * (1.0 - truth[j]) : 1e-6;

        theta[j] = truth[j] + h;
        law()->predict(model, memo, theta, up, NULL);
        theta[j] = truth[j] - h;
        law()->predict(model, memo, theta, down, NULL);
        theta[j] = truth[j];
        for (size_t i = 0; i < k; i++)
            check_close(jac[i * NP + j], (up[i] - down[i]) / (2.0 * h), 1e-6, 1e-14 / h);
    }
    law()->memo_free(memo);
    law()->model_free(model);
    ref_release(d, CURVES);
}

static void noise_free_curves_give_their_parameters_back(void **state)
{
    static const double others[][NP] = {
        { 1.9, 0.7, 0.42, 0.98, 0.25, 0.67, 0.18, 0.99 },
        { 1.2, 0.3, 0.8, 0.5, 0.4, 2.0, -0.1, 0.97 },
        { 2.4, 1.1, 0.3, 0.3, 0.15, 0.4, 0.0, 0.995 },
    };
    struct tw_law_fit_opts opts = tw_law_fit_defaults();

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct ref_data d[CURVES];
        struct tw_law_curve curves[CURVES];
        struct tw_law_fit fit;

        make(others[k], 0.0, 0, d, curves);
        fit = fitted(curves, CURVES, &opts);
        check_vec(fit.theta, others[k], NP, 1e-4, 1e-4);
        assert_int_equal(fit.min.at_bounds, 0);
        tw_law_fit_release(&fit);
        ref_release(d, CURVES);
    }
}

/* The truth in each of 95 % intervals; and r = 0 is found wrong by curves left out. */
static void intervals_of_noisy_curves_hold_the_truth(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    size_t inside = 0;

    (void)state;
    opts.bootstrap = 100;
    for (uint64_t item = 0; item < 5; item++) {
        struct ref_data d[CURVES];
        struct tw_law_curve curves[CURVES];
        struct tw_law_fit fit;

        make(truth, 2e-3, 1 + item, d, curves);
        fit = fitted(curves, CURVES, &opts);
        for (size_t j = 0; j < NP; j++)
            inside += fit.lo[j] <= truth[j] && truth[j] <= fit.hi[j];
        tw_law_fit_release(&fit);
        ref_release(d, CURVES);
    }
    assert_true(inside >= 32); /* of 40, of which 38 are expected */
}

static void a_steep_truth_is_not_taken_for_a_flat_one(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[CURVES];
    struct tw_law_curve curves[CURVES];
    double steep[NP];
    struct tw_law_fit fit;

    (void)state;
    memcpy(steep, truth, sizeof steep);
    steep[R] = 0.5;
    make(steep, 1e-3, 9, d, curves);
    opts.choose_restriction = true;
    fit = fitted(curves, CURVES, &opts);
    assert_int_equal(fit.ntrials, 2);
    assert_int_equal(fit.opts.restriction, 0);
    check_close(fit.theta[R], 0.5, 0.1, 0.0);
    tw_law_fit_release(&fit);
    ref_release(d, CURVES);
}

static void what_the_sizes_cannot_tell_is_said(void **state)
{
    struct ref_data d[CURVES];
    struct tw_law_curve curves[CURVES];
    struct tw_err err = { 0 };
    void *model;

    (void)state;
    make(truth, 0.0, 0, d, curves);
    model = law()->model_alloc(curves, SHAPES, TW_WARMUP_SKIP, &err);
    assert_non_null(strstr(law()->unidentified(model), "all curves are of one size"));
    law()->model_free(model);
    model = law()->model_alloc(curves, 2 * SHAPES, TW_WARMUP_SKIP, &err);
    assert_non_null(strstr(law()->unidentified(model), "two sizes"));
    law()->model_free(model);
    model = law()->model_alloc(curves, 3 * SHAPES, TW_WARMUP_SKIP, &err);
    assert_null(law()->unidentified(model));
    law()->model_free(model);
    for (int k = 0; k < 3; k++) {
        curves[1].size = k == 0 ? 0.0 : k == 1 ? -1e9 : (double)NAN;
        err = (struct tw_err){ 0 };
        assert_null(law()->model_alloc(curves, CURVES, TW_WARMUP_SKIP, &err));
        assert_int_equal(err.code, TW_EDOMAIN);
        assert_non_null(strstr(err.msg, "the law needs the parameters N"));
    }
    ref_release(d, CURVES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_are_the_formula_and_derivatives_its_differences),
        cmocka_unit_test(noise_free_curves_give_their_parameters_back),
        cmocka_unit_test(intervals_of_noisy_curves_hold_the_truth),
        cmocka_unit_test(a_steep_truth_is_not_taken_for_a_flat_one),
        cmocka_unit_test(what_the_sizes_cannot_tell_is_said),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
