/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Problems: estimates from samples against worked numbers, closed forms against differences. */
#include "thalweg/problem.h"

#include "num.h"

static void a_mean_has_the_usual_standard_error(void **state)
{
    static const double l[] = { 1.0, 3.0, 5.0, 5.2, 3.2 };
    const struct tw_estimate e = tw_estimate_ratio(5, l, NULL, 1.0, 20);
    const double sum = 17.4, mean = 3.48;
    const double squares = 2.48 * 2.48 + 0.48 * 0.48 + 1.52 * 1.52 + 1.72 * 1.72 + 0.28 * 0.28;

    (void)state;
    check_close(e.value, sum / 5.0, 1e-15, 0.0);
    check_close(e.value, mean, 1e-15, 0.0);
    check_close(e.se, sqrt(squares / 4.0 / 5.0), 1e-14, 0.0);
    check_close(e.se_data, e.se * sqrt(0.75), 1e-14, 0.0);
    check_ulp(tw_estimate_ratio(5, l, NULL, 1.0, 5).se_data, 0.0, 0);
    /* Six elements a sample: sums and weights both six times as large. */
    check_close(tw_estimate_ratio(5, l, NULL, 6.0, 5).value, mean / 6.0, 1e-15, 0.0);
    check_close(tw_estimate_ratio(5, l, NULL, 6.0, 5).se, e.se / 6.0, 1e-14, 0.0);
}

static void samples_of_several_positions_are_clusters(void **state)
{
    static const double l[] = { 6.0, 1.0, 8.0 }, w[] = { 3.0, 0.0, 2.0 };
    const struct tw_estimate e = tw_estimate_ratio(3, l, w, NAN, 3);

    (void)state;
    /* L = 15/5 = 3; residuals -3, 1, 2: se^2 = 3/2 * 14 / 25. */
    check_close(e.value, 3.0, 1e-15, 0.0);
    check_close(e.se, sqrt(1.5 * 14.0) / 5.0, 1e-14, 0.0);
}

static void what_is_not_defined_is_nan(void **state)
{
    static const double l[] = { 6.0, NAN }, none[] = { 0.0, 0.0 };

    (void)state;
    assert_true(isnan(tw_estimate_ratio(0, NULL, NULL, 1.0, 0).value));
    assert_true(isnan(tw_estimate_ratio(2, l, none, 0.0, 2).value));
    check_ulp(tw_estimate_ratio(1, l, NULL, 1.0, 1).value, 6.0, 0);
    assert_true(isnan(tw_estimate_ratio(1, l, NULL, 1.0, 1).se));
    assert_true(isnan(tw_estimate_ratio(2, l, NULL, 1.0, 2).value));
    assert_true(isnan(tw_estimate_ratio(2, l, NULL, 1.0, 2).se));
    assert_true(isnan(tw_estimate_ratio(2, l, NULL, 1.0, 2).se_data));
}

/* The reported standard error is the spread of means over repeated draws. */
static void the_standard_error_of_clusters_is_the_spread_of_repetitions(void **state)
{
    enum { N = 400, TIMES = 600 };
    double l[N], w[N], means[TIMES], se = 0.0, m = 0.0, spread = 0.0;

    (void)state;
    for (size_t t = 0; t < TIMES; t++) {
        struct tw_rng rng = tw_rng_stream(7, TW_RNG_TEST, t);
        struct tw_estimate e;

        for (size_t i = 0; i < N; i++) {
            const double shared = tw_rng_normal(&rng);

            w[i] = (double)(1 + tw_rng_below(&rng, 9));
            l[i] = 0.0;
            for (double k = 0.0; k < w[i]; k += 1.0)
                l[i] += 2.0 + shared + 0.5 * tw_rng_normal(&rng);
        }
        e = tw_estimate_ratio(N, l, w, NAN, N);
        means[t] = e.value;
        m += e.value / TIMES;
        se += e.se / TIMES;
    }
    for (size_t t = 0; t < TIMES; t++)
        spread += (means[t] - m) * (means[t] - m) / (TIMES - 1);
    /* The spread's own relative error is 1/sqrt(2 TIMES) = 0.029. */
    check_close(se, sqrt(spread), 0.1, 0.0);
    check_close(m, 2.0, 0.0, 4.0 * se / sqrt((double)TIMES));
}

/* ---- closed forms ------------------------------------------------------------------------------
 */

enum { N = 4 };

static double loss_at(struct tw_problem *p, const double *x)
{
    struct tw_values v;
    struct tw_err err = { 0 };

    if (tw_problem_eval(p, &(struct tw_request){ .at = { NULL, x }, .values = &v }, &err) != TW_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(v.n, 1);
    return v.loss.value;
}

/* Slope, gradient and Hessian product against central differences. */
static void check_derivatives(struct tw_problem *p)
{
    static const double x[N] = { 0.7, -1.2, 0.3, 1.9 }, v[N] = { 0.5, 0.2, -1.1, 0.4 };
    static const float vf[N] = { 0.5F, 0.25F, -1.0F, 0.5F };
    const struct tw_vector directions[2] = { { NULL, v }, { vf, NULL } };
    double g[N], g_up[N], g_down[N], up[N], down[N], h0[N], h1[N], slopes[2];
    double *const hvp[2] = { h0, h1 };
    const double e = 1e-5;
    struct tw_err err = { 0 };

    assert_int_equal(tw_problem_eval(p,
                                     &(struct tw_request){ .at = { NULL, x },
                                                           .ndirections = 2,
                                                           .directions = directions,
                                                           .gradient = g,
                                                           .slopes = slopes,
                                                           .hvp = hvp },
                                     &err),
                     TW_OK);
    for (size_t i = 0; i < N; i++) {
        memcpy(up, x, sizeof up);
        memcpy(down, x, sizeof down);
        up[i] += e;
        down[i] -= e;
        check_close(g[i], (loss_at(p, up) - loss_at(p, down)) / (2.0 * e), 1e-8, 1e-6);
    }
    for (size_t i = 0; i < N; i++) {
        up[i] = x[i] + e * v[i];
        down[i] = x[i] - e * v[i];
    }
    check_close(slopes[0], (loss_at(p, up) - loss_at(p, down)) / (2.0 * e), 1e-8, 1e-6);
    check_close(slopes[1], g[0] * 0.5 + g[1] * 0.25 - g[2] + g[3] * 0.5, 1e-14, 0.0);
    assert_int_equal(
        tw_problem_eval(p, &(struct tw_request){ .at = { NULL, up }, .gradient = g_up }, &err),
        TW_OK);
    assert_int_equal(
        tw_problem_eval(p, &(struct tw_request){ .at = { NULL, down }, .gradient = g_down }, &err),
        TW_OK);
    for (size_t i = 0; i < N; i++)
        check_close(h0[i], (g_up[i] - g_down[i]) / (2.0 * e), 1e-7, 1e-6);
    tw_problem_free(p);
}

static void the_quadratic_has_its_derivatives(void **state)
{
    static const double a[N * N] = { 2, 1, 0, .5, 1, 3, -1, 0, 0, -1, 4, .25, .5, 0, .25, 1 };
    static const double c[N] = { 0.1, 0.2, -0.3, 0.4 }, x[N] = { 1.1, 0.2, -0.3, 0.4 };
    struct tw_problem *p = tw_problem_quadratic(N, a, c, NULL);

    (void)state;
    assert_non_null(p);
    check_ulp(loss_at(p, c), 0.0, 0);
    check_close(loss_at(p, x), 1.0, 1e-14, 0.0);
    check_derivatives(p);
}

static void rosenbrock_has_its_minimum_and_derivatives(void **state)
{
    static const double one[N] = { 1, 1, 1, 1 }, start[2] = { -1.2, 1.0 };
    struct tw_problem *p = tw_problem_rosenbrock(N, NULL), *two = tw_problem_rosenbrock(2, NULL);
    struct tw_err err = { 0 };

    (void)state;
    check_ulp(loss_at(p, one), 0.0, 0);
    check_close(loss_at(two, start), 24.2, 1e-14, 0.0); /* More, Garbow, Hillstrom 1981 */
    check_derivatives(p);
    tw_problem_free(two);
    assert_null(tw_problem_rosenbrock(1, &err));
    assert_int_equal(err.code, TW_EINVAL);
}

static void what_a_closed_form_cannot_give_is_refused(void **state)
{
    static const double x[2] = { 0.5, 0.5 };
    struct tw_problem *p = tw_problem_rosenbrock(2, NULL);
    struct tw_err err = { 0 };
    double out[2];

    (void)state;
    assert_int_equal(
        tw_problem_eval(p, &(struct tw_request){ .at = { NULL, x }, .slopes = out }, &err),
        TW_EINVAL);
    assert_int_equal(
        tw_problem_eval(p, &(struct tw_request){ .at = { NULL, x }, .correct = out }, NULL),
        TW_EINVAL);
    tw_problem_free(p);
}

/* ---- points between anchors ---------------------------------------------------------------- */

static double loss_mixed(struct tw_problem *p, double u, double v, double *gradient)
{
    const double weights[2] = { u, v };
    struct tw_values values;
    struct tw_err err = { 0 };

    if (tw_problem_eval(
            p, &(struct tw_request){ .weights = weights, .values = &values, .gradient = gradient },
            &err) != TW_OK)
        fail_msg("%s", err.msg);
    return values.loss.value;
}

static void weights_mean_sums_of_the_anchors(void **state)
{
    static const double a[2] = { -1.2, 1.0 }, b[2] = { 0.3, NAN };
    static const float c[2] = { 0.1F, 0.7F };
    const struct tw_vector ends[2] = { { NULL, a }, { c, NULL } },
                           bad[2] = { { NULL, a }, { NULL, b } };
    const double middle[2] = { 0.25 * -1.2 + 0.75 * (double)0.1F, 0.25 + 0.75 * (double)0.7F };
    struct tw_problem *p = tw_problem_rosenbrock(2, NULL);
    struct tw_err err = { 0 };
    const double weights[2] = { 1.0, 0.0 };
    double g[2];

    (void)state;
    assert_int_equal(
        tw_problem_eval(p, &(struct tw_request){ .weights = weights, .gradient = g }, &err),
        TW_EINVAL);
    assert_int_equal(tw_problem_anchor(p, 2, ends, NULL, &err), TW_OK);
    check_ulp(loss_mixed(p, 1.0, 0.0, NULL), loss_at(p, a), 0);
    check_ulp(loss_mixed(p, 0.25, 0.75, g), loss_at(p, middle), 0);
    check_close(g[1], 200.0 * (middle[1] - middle[0] * middle[0]), 1e-14, 0.0);
    /* What has no weight is not looked at, even if it is NaN. */
    assert_int_equal(tw_problem_anchor(p, 2, bad, NULL, &err), TW_OK);
    check_ulp(loss_mixed(p, 1.0, 0.0, NULL), loss_at(p, a), 0);
    assert_true(isnan(loss_mixed(p, 0.5, 0.5, NULL)));
    tw_problem_free(p);
}

static void a_mixture_of_floats_is_rounded_once(void **state)
{
    static const float a[1] = { 1.0F }, b[1] = { 1.0F + 0x1p-23F };
    const struct tw_vector v[2] = { { a, NULL }, { b, NULL } };
    const double to_a[2] = { 0.51, 0.49 }, to_b[2] = { 0.0, 1.0 };
    float out;
    double exact;

    (void)state;
    tw_mix(2, v, to_a, 1, &out, NULL);
    assert_true(out == a[0]);
    tw_mix(2, v, to_b, 1, &out, NULL);
    assert_true(out == b[0]);
    tw_mix(2, v, to_a, 1, NULL, &exact);
    check_ulp(exact, 0.51 + 0.49 * (1.0 + 0x1p-23), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_mean_has_the_usual_standard_error),
        cmocka_unit_test(samples_of_several_positions_are_clusters),
        cmocka_unit_test(what_is_not_defined_is_nan),
        cmocka_unit_test(the_standard_error_of_clusters_is_the_spread_of_repetitions),
        cmocka_unit_test(the_quadratic_has_its_derivatives),
        cmocka_unit_test(rosenbrock_has_its_minimum_and_derivatives),
        cmocka_unit_test(what_a_closed_form_cannot_give_is_refused),
        cmocka_unit_test(weights_mean_sums_of_the_anchors),
        cmocka_unit_test(a_mixture_of_floats_is_rounded_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
