/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bounded and fixed parameters, and the gradient in their unbounded coordinates. */
#include "fit/newton.h"
#include "fit_test.h"

/* ---- bounds and fixed parameters ---------------------------------------------------------------
 */

static const struct tw_fit_param each_bound[] = {
    { "free", TW_FIT_FREE, 0, 0 },
    { "positive", TW_FIT_POSITIVE, 1e-9, 1e9 },
    { "between", TW_FIT_BETWEEN, -2.0, 5.0 },
    { "memory", TW_FIT_BELOW_ONE, 1e-6, 1.0 - 1e-6 },
};

static void coordinates_go_there_and_back_with_the_right_slope(void **state)
{
    static const double values[][4] = {
        { -3.7, 0.0, 2.9, 1e5 },
        { 1e-7, 0.31, 1.0, 4e6 },
        { -1.99, 0.3, 1.5, 4.9 },
        { 0.01, 0.5, 0.999, 0.99999 },
    };

    (void)state;
    for (size_t q = 0; q < 4; q++)
        for (size_t i = 0; i < 4; i++) {
            const double u = tw_fit_to_u(&each_bound[q], values[q][i]), h = 1e-6;
            double slope, ignored, up, down;

            check_close(tw_fit_from_u(&each_bound[q], u, &slope), values[q][i], 1e-10, 0.0);
            up = tw_fit_from_u(&each_bound[q], u + h, &ignored);
            down = tw_fit_from_u(&each_bound[q], u - h, &ignored);
            check_close(slope, (up - down) / (2.0 * h), 1e-5, 1e-12);
        }
}

/* Beyond the ends of a range the coordinate still gives a number in it. */
static void no_coordinate_leaves_the_range(void **state)
{
    static const double far[] = { -1e300, -1e4, 1e4, 1e300 };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        double slope, x;

        x = tw_fit_from_u(&each_bound[1], far[i], &slope);
        assert_true(x > 0.0 && isfinite(x) && isfinite(slope));
        x = tw_fit_from_u(&each_bound[2], far[i], &slope);
        assert_true(x >= -2.0 && x <= 5.0 && isfinite(slope));
        x = tw_fit_from_u(&each_bound[3], far[i], &slope);
        assert_true(x >= 0.0 && x < 1.0 && isfinite(slope));
    }
}

static void a_parameter_pushed_against_its_bound_stays_and_is_named(void **state)
{
    static const struct tw_fit_param bounded[] = {
        { "a", TW_FIT_FREE, 0, 0 },
        { "b", TW_FIT_BETWEEN, -0.2, 3.0 }, /* the line's slope is about -0.6 */
    };
    struct line d = { N, 2, xs, ys };
    struct tw_fit_problem p = problem(&d, TW_FIT_SQUARES, 0.0);
    double theta[2] = { 0.0, 1.0 }, mean = 0.0;
    struct tw_fit_result res;

    (void)state;
    draw_points(20, 0.05);
    p.params = bounded;
    res = minimised(&p, theta, true);
    assert_true(theta[1] >= -0.2);
    check_close(theta[1], -0.2, 1e-3, 0.0);
    assert_int_equal(res.at_bounds, 1u << 1);
    for (size_t i = 0; i < N; i++)
        mean += (ys[i] + 0.2 * xs[i]) / N;
    check_close(theta[0], mean, 1e-3, 0.0);
}

static void a_fixed_parameter_keeps_its_value_and_the_others_adapt(void **state)
{
    struct line d = { N, 3, xs, ys }, rest = { N, 2, xs, NULL };
    struct tw_fit_problem p = problem(&d, TW_FIT_HUBER, 0.1), q;
    double theta[3] = { 0.0, 0.0, 0.37 }, pair[2] = { 0.0, 0.0 }, without[N];
    struct tw_fit_result res, want;

    (void)state;
    draw_points(21, 0.1);
    p.fixed[2] = true;
    res = minimised(&p, theta, true);
    check_close(theta[2], 0.37, 0.0, 0.0);
    for (size_t i = 0; i < N; i++)
        without[i] = ys[i] - 0.37 * xs[i] * xs[i];
    rest.y = without;
    q = problem(&rest, TW_FIT_HUBER, 0.1);
    want = minimised(&q, pair, true);
    check_close(res.objective, want.objective, 1e-12, 0.0);
    check_vec(theta, pair, 2, 1e-7, 1e-9);

    p.fixed[0] = p.fixed[1] = true;
    res = minimised(&p, theta, true);
    assert_true(res.converged);
    check_close(res.objective, want.objective, 1e-12, 0.0);
    check_close(res.condition, 1.0, 0.0, 0.0);
}

/* ---- the gradient -------------------------------------------------------------------------- */

/* The engine's expansion of F at random points, by the iteration's own header: with no
 * iterations to run, the reported gradient is the start's. */
static void the_reported_gradient_is_that_of_finite_differences(void **state)
{
    struct tw_rng rng = tw_rng_stream(5, TW_RNG_TEST, 31);
    struct line d = { N, 3, xs, ys };
    double r[N], jac[3 * N];

    (void)state;
    for (size_t trial = 0; trial < 30; trial++) {
        struct tw_fit_problem p = problem(&d, trial % 2 ? TW_FIT_HUBER : TW_FIT_SQUARES, 0.2);
        struct tw_newton nt = { .prob = &p, .nfree = 3, .free = { 0, 1, 2 }, .r = r, .jac = jac };
        double u[3], f = 0.0, want = 0.0;
        struct tw_fit_result res = { 0 };

        draw_points(300 + trial, 0.1);
        p.params = each_bound;
        p.residual = decay_residual;
        nt.delta = nt.scale = 0.2;
        if (p.loss == TW_FIT_SQUARES) {
            nt.delta = (double)INFINITY;
            nt.scale = 1.0;
        }
        for (size_t j = 0; j < 3; j++)
            u[j] = nt.u[j] = 0.5 * tw_rng_normal(&rng);
        tw_newton_finish(&nt, &res);
        f = tw_fit_objective(p.loss, p.delta, r, N);
        for (size_t j = 0; j < 3; j++) {
            double side[2];

            for (size_t k = 0; k < 2; k++) {
                nt.u[j] = u[j] + (k ? 1e-6 : -1e-6);
                tw_newton_evaluate(&nt, false);
                side[k] = tw_fit_objective(p.loss, p.delta, r, N);
            }
            nt.u[j] = u[j];
            want = fmax(want, fabs(side[1] - side[0]) / 2e-6 / f);
        }
        check_close(res.gradient, want, 1e-5, 1e-7);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(coordinates_go_there_and_back_with_the_right_slope),
        cmocka_unit_test(no_coordinate_leaves_the_range),
        cmocka_unit_test(a_parameter_pushed_against_its_bound_stays_and_is_named),
        cmocka_unit_test(a_fixed_parameter_keeps_its_value_and_the_others_adapt),
        cmocka_unit_test(the_reported_gradient_is_that_of_finite_differences),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
