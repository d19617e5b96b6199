/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Autocorrelation, long-run variance and block length against theory. */
#include <stdlib.h>

#include "curves.h"
#include "num.h"

static void autocorrelation_has_its_closed_form(void **state)
{
    /* mean 3; deviations -2, 1, 4, -3: squares 30; lag 1: -2 + 4 - 12; lag 2: -8 - 3; lag 3: 6 */
    static const double r[] = { 1, 4, 7, 0 }, flat[] = { 2.5, 2.5, 2.5 };

    (void)state;
    check_close(tw_fit_autocorrelation(r, 4, 0), 1.0, 1e-15, 0.0);
    check_close(tw_fit_autocorrelation(r, 4, 1), -10.0 / 30.0, 1e-15, 0.0);
    check_close(tw_fit_autocorrelation(r, 4, 2), -11.0 / 30.0, 1e-15, 0.0);
    check_close(tw_fit_autocorrelation(r, 4, 3), 6.0 / 30.0, 1e-15, 0.0);
    assert_true(isnan(tw_fit_autocorrelation(r, 4, 4)));
    assert_true(isnan(tw_fit_autocorrelation(r, 0, 0)));
    assert_true(isnan(tw_fit_autocorrelation(flat, 3, 1)));
}

/* Means over many series of long-run variance, block length and lag-1 autocorrelation. */
static void simulate(double phi, size_t n, size_t series, double *long_run, double *block,
                     double *lag1)
{
    double *e = calloc(n, sizeof *e);

    assert_non_null(e);
    *long_run = *block = *lag1 = 0.0;
    for (size_t k = 0; k < series; k++) {
        ar1(1000 + k, 0.37, phi, e, n);
        *long_run += tw_fit_long_run(e, n) / (double)series;
        *block += (double)tw_fit_block_length(e, n) / (double)series;
        *lag1 += tw_fit_autocorrelation(e, n, 1) / (double)series;
    }
    free(e);
}

static void white_noise_has_no_memory(void **state)
{
    double long_run, block, lag1;

    (void)state;
    simulate(0.0, 4000, 40, &long_run, &block, &lag1);
    check_close(lag1, 0.0, 0.0, 0.01);
    check_close(long_run, 1.0, 0.0, 0.12); /* at least 1 each: the mean lies a little above */
    assert_true(block < 6.0);
}

/* (1 + phi) / (1 - phi) for a first-order autoregression. */
static void an_autoregression_has_its_long_run_variance(void **state)
{
    static const double phis[] = { 0.3, 0.6, 0.8 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        double long_run, block, lag1;

        simulate(phis[i], 8000, 40, &long_run, &block, &lag1);
        check_close(lag1, phis[i], 0.02, 0.0);
        check_close(long_run, (1.0 + phis[i]) / (1.0 - phis[i]), 0.08, 0.0);
    }
}

/* Patton, Politis & White 2009: b = (2 G^2 / D n)^(1/3) with G = 2 phi / ((1 - phi^2)^...)
 * in units of the variance: G = 2 phi / (1 - phi)^2 and the long-run variance as above. */
static void an_autoregression_has_its_block_length(void **state)
{
    static const double phis[] = { 0.3, 0.6, 0.8 };
    enum { LENGTH = 8000 };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        const double phi = phis[i], g = 2.0 * phi / ((1.0 - phi) * (1.0 - phi));
        const double v = (1.0 + phi) / (1.0 - phi);
        const double want = cbrt(2.0 * g * g / (4.0 / 3.0 * v * v) * LENGTH);
        double long_run, block, lag1;

        simulate(phi, LENGTH, 40, &long_run, &block, &lag1);
        check_close(block, want, 0.15, 0.0);
    }
}

static void short_and_flat_series_are_no_trouble(void **state)
{
    static const double r[] = { 1, -1, 0.5, 0.25, -0.1, 0.7 };
    static const double flat[20] = { 0 };

    (void)state;
    for (size_t n = 0; n <= 6; n++) {
        const size_t b = tw_fit_block_length(r, n);

        assert_true(b >= 1 && b <= (n < 3 ? 1 : n / 3));
        assert_true(tw_fit_long_run(r, n) >= 1.0);
    }
    assert_int_equal(tw_fit_block_length(flat, 20), 1);
    check_close(tw_fit_long_run(flat, 20), 1.0, 0.0, 0.0);
}

/* A drift is one long memory: the block is nearly as long as it may be, a third. */
static void a_trend_takes_a_long_block(void **state)
{
    double r[90];

    (void)state;
    for (size_t i = 0; i < 90; i++)
        r[i] = 0.01 * (double)i + (i % 2 ? 0.003 : -0.002);
    assert_in_range(tw_fit_block_length(r, 90), 20, 30);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(autocorrelation_has_its_closed_form),
        cmocka_unit_test(white_noise_has_no_memory),
        cmocka_unit_test(an_autoregression_has_its_long_run_variance),
        cmocka_unit_test(an_autoregression_has_its_block_length),
        cmocka_unit_test(short_and_flat_series_are_no_trouble),
        cmocka_unit_test(a_trend_takes_a_long_block),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
