/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The fitting engine against closed forms, brute force and other algorithms. */
#include "fit_test.h"

/* Rosenbrock's valley as residuals: 10 (v - u^2) and 1 - u; and x = exp(u) variants. */
static void valley_residual(void *ctx, const double *theta, double *r, double *jac)
{
    const double scale = *(const double *)ctx;

    r[0] = scale * (theta[1] - theta[0] * theta[0]);
    r[1] = 1.0 - theta[0];
    if (jac) {
        jac[0] = -2.0 * scale * theta[0];
        jac[1] = scale;
        jac[2] = -1.0;
        jac[3] = 0.0;
    }
}

/* ---- squares --------------------------------------------------------------------------------- */

static void a_line_by_least_squares_has_its_closed_form(void **state)
{
    double theta[2] = { 14.0, -9.0 }, sx = 0, sy = 0, sxx = 0, sxy = 0, a, b, rss = 0;
    struct line d = { N, 2, xs, ys };
    struct tw_fit_problem p;
    struct tw_fit_result res;

    (void)state;
    draw_points(1, 0.3);
    for (size_t i = 0; i < N; i++) {
        sx += xs[i];
        sy += ys[i];
        sxx += xs[i] * xs[i];
        sxy += xs[i] * ys[i];
    }
    b = (N * sxy - sx * sy) / (N * sxx - sx * sx);
    a = (sy - b * sx) / N;
    for (size_t i = 0; i < N; i++)
        rss += 0.5 * pow(ys[i] - a - b * xs[i], 2.0);
    for (int thorough = 0; thorough < 2; thorough++) {
        theta[0] = 14.0;
        theta[1] = -9.0;
        p = problem(&d, TW_FIT_SQUARES, 0.0);
        res = minimised(&p, theta, thorough);
        assert_true(res.converged);
        check_close(theta[0], a, 1e-8, 0.0);
        check_close(theta[1], b, 1e-8, 0.0);
        check_close(res.objective, rss, 1e-13, 0.0);
        assert_true(res.gradient < 1e-6);
    }
}

static void the_curved_valley_is_followed_to_its_end(void **state)
{
    static const double starts[][2] = { { -1.2, 1.0 }, { -7.3, 5.0 }, { 4.0, -11.0 } };
    static const double scales[] = { 10.0, 300.0 };

    (void)state;
    for (size_t k = 0; k < 2; k++)
        for (size_t i = 0; i < 3; i++) {
            double theta[2] = { starts[i][0], starts[i][1] }, scale = scales[k];
            struct tw_fit_problem p = { .n = 2,
                                        .p = 2,
                                        .params = free_params,
                                        .loss = TW_FIT_SQUARES,
                                        .residual = valley_residual,
                                        .ctx = &scale };
            struct tw_fit_result res = minimised(&p, theta, true);

            /* the steep one takes more than the hundred iterations: it must say so */
            assert_true(res.converged || (scale > 100.0 && res.iterations >= 100));
            if (!res.converged)
                continue;
            check_close(theta[0], 1.0, 1e-7, 0.0);
            check_close(theta[1], 1.0, 1e-7, 0.0);
        }
}

/* ---- Huber and LAD --------------------------------------------------------------------------- */

/* Huber's estimate by iteratively reweighted least squares: slow, simple, another road. */
static void irls(double delta, double theta[2])
{
    for (int it = 0; it < 20000; it++) {
        double s = 0, sx = 0, sy = 0, sxx = 0, sxy = 0, det;

        for (size_t i = 0; i < N; i++) {
            const double r = fabs(ys[i] - theta[0] - theta[1] * xs[i]);
            const double w = r <= delta ? 1.0 : delta / r;

            s += w;
            sx += w * xs[i];
            sy += w * ys[i];
            sxx += w * xs[i] * xs[i];
            sxy += w * xs[i] * ys[i];
        }
        det = s * sxx - sx * sx;
        theta[0] = (sxx * sy - sx * sxy) / det;
        theta[1] = (s * sxy - sx * sy) / det;
    }
}

static void hubers_line_is_that_of_reweighted_squares(void **state)
{
    static const double deltas[] = { 0.01, 0.07, 0.5, 40.0 };
    struct line d = { N, 2, xs, ys };

    (void)state;
    for (uint64_t item = 2; item < 6; item++)
        for (size_t k = 0; k < 4; k++) {
            double theta[2] = { 3.0, 3.0 }, want[2] = { 0.0, 0.0 };
            struct tw_fit_problem p = problem(&d, TW_FIT_HUBER, deltas[k]);
            struct tw_fit_result res;

            draw_points(item, 0.1);
            irls(deltas[k], want);
            res = minimised(&p, theta, true);
            assert_true(res.converged);
            check_close(theta[0], want[0], 1e-6, 1e-7);
            check_close(theta[1], want[1], 1e-6, 1e-7);
        }
}

/* Some best line by absolute deviations passes through two of the points: try all pairs. */
static double best_pair(size_t n)
{
    double best = INFINITY;

    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < i; j++) {
            const double b = (ys[i] - ys[j]) / (xs[i] - xs[j]), a = ys[i] - b * xs[i];
            double sum = 0.0;

            for (size_t k = 0; k < n; k++)
                sum += fabs(ys[k] - a - b * xs[k]);
            best = fmin(best, sum);
        }
    return best;
}

static void the_line_of_least_absolute_deviations_is_as_good_as_any_pair(void **state)
{
    (void)state;
    for (uint64_t item = 10; item < 18; item++)
        for (size_t n = 7; n <= N; n += 17) {
            struct line d = { n, 2, xs, ys };
            struct tw_fit_problem p = problem(&d, TW_FIT_LAD, 0.0);
            double theta[2] = { 0.0, 0.0 };
            struct tw_fit_result res;

            draw_points(item, 0.1);
            res = minimised(&p, theta, true);
            check_close(res.objective, best_pair(n), 1e-6, 0.0);
        }
}

static void the_objective_is_its_definition(void **state)
{
    static const double r[] = { 0.3, -0.2, 0.5, -1.7, 0.0 };

    (void)state;
    check_close(tw_fit_objective(TW_FIT_SQUARES, 0.5, r, 5), 0.5 * (0.09 + 0.04 + 0.25 + 2.89),
                1e-15, 0.0);
    check_close(tw_fit_objective(TW_FIT_HUBER, 0.5, r, 5),
                0.5 * (0.09 + 0.04 + 0.25) + 0.5 * (1.7 - 0.25), 1e-15, 0.0);
    check_close(tw_fit_objective(TW_FIT_LAD, 0.5, r, 5), 2.7, 1e-15, 0.0);
    check_close(tw_fit_objective(TW_FIT_LAD, 0.5, r, 0), 0.0, 0.0, 0.0);
}

/* ---- what can go wrong ---------------------------------------------------------------------- */

/* From any start, with any loss, the end is not above the start; and there the gradient is
 * that of finite differences: none. */
static void no_minimisation_ends_above_its_start(void **state)
{
    static const struct tw_fit_param params[] = {
        { "a", TW_FIT_POSITIVE, 1e-9, 1e9 },
        { "b", TW_FIT_BETWEEN, 0.0, 20.0 },
        { "c", TW_FIT_FREE, 0, 0 },
    };
    struct tw_rng rng = tw_rng_stream(5, TW_RNG_TEST, 30);
    struct line d = { N, 3, xs, ys };
    double r[N];

    (void)state;
    for (size_t trial = 0; trial < 150; trial++) {
        const enum tw_fit_loss loss = (enum tw_fit_loss)(trial % 3);
        double theta[3] = { exp(3.0 * tw_rng_normal(&rng)), 20.0 * tw_rng_real(&rng),
                            4.0 * tw_rng_normal(&rng) };
        struct tw_fit_problem p = problem(&d, loss, 0.05);
        struct tw_fit_result res;
        double start;

        draw_points(100 + trial, 0.1);
        p.params = params;
        p.residual = decay_residual;
        decay_residual(&d, theta, r, NULL);
        start = tw_fit_objective(loss, 0.05, r, N);
        res = minimised(&p, theta, trial % 2);
        if (!(res.objective <= start * (1.0 + 1e-12)))
            fail_msg("trial %zu: from %.17g up to %.17g", trial, start, res.objective);
        decay_residual(&d, theta, r, NULL);
        check_close(tw_fit_objective(loss, 0.05, r, N), res.objective, 1e-13, 0.0);
    }
}

static void residuals_not_finite_at_the_start_are_refused(void **state)
{
    struct line d = { N, 2, xs, ys };
    struct tw_fit_problem p = problem(&d, TW_FIT_SQUARES, 0.0);
    struct tw_fit_ws *ws = tw_fit_ws_alloc(N, 2), *small = tw_fit_ws_alloc(3, 2);
    double theta[2] = { (double)NAN, 0.0 };
    struct tw_fit_result res;
    struct tw_err err = { 0 };

    (void)state;
    draw_points(40, 0.1);
    assert_true(ws && small);
    assert_int_equal(tw_fit_minimize(ws, &p, theta, true, &res, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "residual 0 is not finite"));
    err = (struct tw_err){ 0 };
    theta[0] = 0.0;
    assert_int_equal(tw_fit_minimize(small, &p, theta, true, &res, &err), TW_EINVAL);
    assert_non_null(strstr(err.msg, "workspace has 3, 2"));
    tw_fit_ws_free(ws);
    tw_fit_ws_free(small);
    tw_fit_ws_free(NULL);
    assert_null(tw_fit_ws_alloc(5, TW_FIT_MAX_PARAMS + 1));
}

/* Two parameters of which only the sum matters, and one that matters not at all. */
static void twins_residual(void *ctx, const double *theta, double *r, double *jac)
{
    const struct line *d = ctx;

    for (size_t i = 0; i < d->n; i++) {
        r[i] = d->y[i] - theta[0] - theta[1];
        if (jac) {
            jac[3 * i] = jac[3 * i + 1] = -1.0;
            jac[3 * i + 2] = 0.0;
        }
    }
}

static void a_singular_problem_says_so(void **state)
{
    struct line d = { N, 3, xs, ys };
    struct tw_fit_problem p = problem(&d, TW_FIT_SQUARES, 0.0);
    double theta[3] = { 0.3, -0.9, 0.77 }, mean = 0.0;
    struct tw_fit_result res;

    (void)state;
    draw_points(41, 0.1);
    for (size_t i = 0; i < N; i++)
        mean += ys[i] / N;
    p.residual = twins_residual;
    for (int thorough = 0; thorough < 2; thorough++) {
        res = minimised(&p, theta, thorough);
        assert_true(isinf(res.condition));
        check_close(theta[0] + theta[1], mean, 1e-7, 0.0);
        check_close(theta[2], 0.77, 1e-12, 0.0);
    }
    p.fixed[2] = true;
    res = minimised(&p, theta, true);
    assert_true(res.condition > 1e12);
    p.fixed[1] = true;
    res = minimised(&p, theta, true);
    check_close(res.condition, 1.0, 1e-12, 0.0);
}

/* Fewer residuals than parameters: Newton alone, and no crash. */
static void too_few_residuals_are_fitted_exactly(void **state)
{
    struct line d = { 2, 3, xs, ys };
    struct tw_fit_problem p = problem(&d, TW_FIT_SQUARES, 0.0);
    double theta[3] = { 0.0, 0.0, 0.0 };
    struct tw_fit_result res;

    (void)state;
    draw_points(42, 0.1);
    res = minimised(&p, theta, true);
    assert_true(res.objective < 1e-18);
    assert_true(res.condition > 1e12);
}

static void the_condition_of_a_line_is_that_of_its_correlation(void **state)
{
    struct line d = { N, 2, xs, ys };
    struct tw_fit_problem p = problem(&d, TW_FIT_SQUARES, 0.0);
    double theta[2] = { 0.0, 0.0 }, sx = 0.0, sxx = 0.0, c;
    struct tw_fit_result res;

    (void)state;
    draw_points(43, 0.1);
    for (size_t i = 0; i < N; i++) {
        xs[i] += 3.1;
        sx += xs[i];
        sxx += xs[i] * xs[i];
    }
    c = sx / sqrt(N * sxx); /* the eigenvalues of [1 c; c 1] are 1 + c and 1 - c */
    res = minimised(&p, theta, true);
    check_close(res.condition, (1.0 + c) / (1.0 - c), 1e-9, 0.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_by_least_squares_has_its_closed_form),
        cmocka_unit_test(the_curved_valley_is_followed_to_its_end),
        cmocka_unit_test(hubers_line_is_that_of_reweighted_squares),
        cmocka_unit_test(the_line_of_least_absolute_deviations_is_as_good_as_any_pair),
        cmocka_unit_test(the_objective_is_its_definition),
        cmocka_unit_test(no_minimisation_ends_above_its_start),
        cmocka_unit_test(residuals_not_finite_at_the_start_are_refused),
        cmocka_unit_test(a_singular_problem_says_so),
        cmocka_unit_test(too_few_residuals_are_fitted_exactly),
        cmocka_unit_test(the_condition_of_a_line_is_that_of_its_correlation),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
