/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Forecasts with bands, curves left out, the warm-up rule, and noise that runs share. */
#include <stdlib.h>

#include "curves.h"
#include "num.h"

enum { NP = 5, MAX = 400 };
static const double truth[NP] = { 2.7, 0.52, 0.51, 0.83, 0.985 };

static struct tw_law_fit fitted(const struct tw_law_curve *curves, size_t n,
                                const struct tw_law_fit_opts *opts)
{
    struct tw_law_fit fit = { 0 };
    struct tw_err err = { 0 };

    if (tw_law_fit_run(tw_law_find("annealing"), curves, n, opts, &fit, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return fit;
}

/* Three schedules to fit and one to forecast; each with noise of its own of size sd, plus
 * `common` (by point). */
static const char *const specs[] = {
    "cosine:peak=3e-3,end=3e-4,total=2400,warmup=200",
    "constant:peak=3e-3,total=2400,warmup=200",
    "wsdcon:peak=3e-3,end=9e-4,total=2400,stage=1300,warmup=200",
    "wsd:peak=3e-3,end=1e-4,total=2400,decay=700,warmup=200",
};

static void make_four(uint64_t item, double sd, const double *common, enum tw_warmup warmup,
                      struct ref_data *d, struct tw_law_curve *curves)
{
    for (size_t c = 0; c < 4; c++) {
        const struct made m = { specs[c], 200, 20, sd, 0.3, 100 * item + c, common };

        assert_true(made_curve(&m, truth, warmup, &d[c]));
        assert_true(d[c].n <= MAX);
        curves[c] = d[c].curve;
    }
}

struct bands {
    double v[5][MAX];
};

static void forecast(const struct tw_law_fit *fit, const struct tw_law_curve *curve,
                     const struct tw_law_forecast_opts *opts, struct bands *b)
{
    const struct tw_law_band band = { b->v[0], b->v[1], b->v[2], b->v[3], b->v[4] };
    struct tw_err err = { 0 };

    if (tw_law_forecast(fit, curve, opts, &band, &err) != TW_OK)
        fail_msg("%s", err.msg);
}

/* ---- bands --------------------------------------------------------------------------------- */

static void bands_are_nested_and_hold_a_new_run_as_often_as_they_say(void **state)
{
    enum { SETS = 12 };
    const struct tw_law_forecast_opts how = { .seed = 3 };
    double wide = 0.0, narrow = 0.0;

    (void)state;
    for (uint64_t k = 0; k < SETS; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        struct ref_data d[4];
        struct tw_law_curve curves[4];
        static struct bands b;
        struct tw_law_fit fit;
        size_t n;

        make_four(k, 2e-3, NULL, TW_WARMUP_SKIP, d, curves);
        n = curves[3].n;
        opts.bootstrap = 100;
        fit = fitted(curves, 3, &opts);
        forecast(&fit, &curves[3], &how, &b);
        for (size_t i = 0; i < n; i++) {
            assert_true(b.v[3][i] <= b.v[1][i] && b.v[1][i] < b.v[2][i] && b.v[2][i] <= b.v[4][i]);
            assert_true(b.v[1][i] < b.v[0][i] && b.v[0][i] < b.v[2][i]);
        }
        narrow += tw_law_coverage(curves[3].y, b.v[1], b.v[2], n) / SETS;
        wide += tw_law_coverage(curves[3].y, b.v[3], b.v[4], n) / SETS;
        tw_law_fit_release(&fit);
        ref_release(d, 4);
    }
    print_message("# new runs: %.3f of points within 68 %%, %.3f within 95 %%\n", narrow, wide);
    assert_true(narrow > 0.60 && narrow < 0.76);
    assert_true(wide > 0.91 && wide < 0.99);
}

static void a_forecast_is_the_law_at_its_parameters(void **state)
{
    static const struct tw_law_forecast_opts how = { .seed = 3 };
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    const struct tw_law *law = tw_law_find("annealing");
    struct ref_data d[4];
    struct tw_law_curve curves[4];
    static double y[MAX], want[MAX], shift[MAX];
    const struct tw_law_band only = { .y = y };
    struct tw_law_forecast_opts shifted = how;
    struct tw_law_fit fit;
    void *model, *memo;

    (void)state;
    make_four(50, 1e-3, NULL, TW_WARMUP_SKIP, d, curves);
    fit = fitted(curves, 3, &opts);
    model = law->model_alloc(&curves[3], 1, TW_WARMUP_SKIP, NULL);
    memo = law->memo_alloc(model);
    law->predict(model, memo, fit.theta, want, NULL);
    assert_int_equal(tw_law_forecast(&fit, &curves[3], &how, &only, NULL), TW_OK);
    check_vec(y, want, curves[3].n, 0.0, 0.0);
    for (size_t i = 0; i < curves[3].n; i++) {
        shift[i] = 0.01 * sin((double)i);
        want[i] *= exp(shift[i]);
    }
    shifted.shift = shift;
    assert_int_equal(tw_law_forecast(&fit, &curves[3], &shifted, &only, NULL), TW_OK);
    check_vec(y, want, curves[3].n, 1e-14, 0.0);
    law->memo_free(memo);
    law->model_free(model);
    tw_law_fit_release(&fit);
    ref_release(d, 4);
}

/* A band made of given noise alone: its quantiles are those of the noise. */
static void given_noise_is_what_the_band_is_made_of(void **state)
{
    static double noise[1000];
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    const struct tw_law_forecast_opts how = { .seed = 3, .noise = noise, .nnoise = 1000 };
    struct ref_data d[4];
    struct tw_law_curve curves[4];
    static struct bands b;
    struct tw_law_fit fit;

    (void)state;
    for (size_t i = 0; i < 1000; i++)
        noise[i] = 1e-3 * (double)i; /* 0 to 1: the q-quantile is q */
    make_four(51, 0.0, NULL, TW_WARMUP_SKIP, d, curves);
    fit = fitted(curves, 3, &opts);
    forecast(&fit, &curves[3], &how, &b);
    for (size_t i = 0; i < curves[3].n; i += 17) {
        check_close(log(b.v[3][i] / b.v[0][i]), 0.025, 0.0, 0.01);
        check_close(log(b.v[1][i] / b.v[0][i]), 0.16, 0.0, 0.025);
        check_close(log(b.v[2][i] / b.v[0][i]), 0.84, 0.0, 0.025);
        check_close(log(b.v[4][i] / b.v[0][i]), 0.975, 0.0, 0.01);
    }
    tw_law_fit_release(&fit);
    ref_release(d, 4);
}

/* A fit is a plain struct: with residuals and a model error put into it by hand the band of a
 * noise-free fit is known. */
static void bands_hold_the_noise_of_left_out_curves_and_the_model_error(void **state)
{
    static const struct tw_law_forecast_opts how = { .seed = 3 };
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[4];
    struct tw_law_curve curves[4];
    static struct bands b;
    struct tw_law_fit fit;

    (void)state;
    make_four(55, 0.0, NULL, TW_WARMUP_SKIP, d, curves);
    opts.model_error = true;
    fit = fitted(curves, 3, &opts);
    for (size_t i = 0; i < fit.n; i++) {
        fit.r[i] = 0.0;
        fit.left_out_r[i] = i % 2 ? 0.5 : -0.5;
    }
    for (size_t c = 0; c < 3; c++) /* an odd point would shift a curve's mean */
        if ((fit.first[c + 1] - fit.first[c]) % 2)
            fit.left_out_r[fit.first[c]] = 0.0;
    fit.model_error = 0.0;
    forecast(&fit, &curves[3], &how, &b);
    check_close(log(b.v[4][9] / b.v[0][9]), 0.5, 0.05, 0.0);
    check_close(log(b.v[3][9] / b.v[0][9]), -0.5, 0.05, 0.0);

    /* Student's t with 3 + 3 degrees of freedom: 2.447 at 97.5 %, 1.084 at 84 % */
    fit.model_error = 0.3;
    for (size_t i = 0; i < fit.n; i++)
        fit.left_out_r[i] = 0.0;
    forecast(&fit, &curves[3], &how, &b);
    check_close(log(b.v[4][9] / b.v[0][9]), 0.3 * 2.447, 0.1, 0.0);
    check_close(log(b.v[2][9] / b.v[0][9]), 0.3 * 1.084, 0.1, 0.0);
    check_close(log(b.v[3][9] / b.v[0][9]), -0.3 * 2.447, 0.1, 0.0);
    tw_law_fit_release(&fit);
    ref_release(d, 4);
}

static void a_forecast_beyond_its_schedule_is_refused(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    const struct tw_law_forecast_opts how = { 0 };
    static const double beyond[] = { 100, 2400 };
    double y[2];
    const struct tw_law_band band = { .y = y };
    struct ref_data d[4];
    struct tw_law_curve curves[4];
    struct tw_law_fit fit;
    struct tw_err err = { 0 };

    (void)state;
    make_four(52, 1e-3, NULL, TW_WARMUP_SKIP, d, curves);
    fit = fitted(curves, 3, &opts);
    curves[3].n = 2;
    curves[3].x = beyond;
    assert_int_equal(tw_law_forecast(&fit, &curves[3], &how, &band, &err), TW_EINVAL);
    assert_non_null(strstr(err.msg, "x = 2400 is no step"));
    assert_int_equal(tw_law_forecast(&fit, &curves[3], &how, &band, NULL), TW_EINVAL);
    tw_law_fit_release(&fit);
    ref_release(d, 4);
}

static void coverage_counts_the_ends(void **state)
{
    static const double y[] = { 1, 2, 3, 4, 5 }, lo[] = { 1, 2.5, 2, 0, 0 },
                        hi[] = { 3, 3, 3, 3.5, 9 };

    (void)state;
    check_close(tw_law_coverage(y, lo, hi, 5), 0.6, 1e-15, 0.0);
    assert_true(isnan(tw_law_coverage(y, lo, hi, 0)));
}

/* ---- curves left out ------------------------------------------------------------------------ */

/* Mean square of the mean residual of each tenth of a curve. */
static double misfit_of_tenths(const struct tw_law_fit *fit)
{
    double sum = 0.0;

    for (size_t c = 0; c < fit->ncurves; c++) {
        const size_t n = fit->first[c + 1] - fit->first[c];

        for (size_t k = 0; k < 10; k++) {
            double mean = 0.0;
            size_t m = 0;

            for (size_t i = 0; i < n; i++)
                if (i >= k * n / 10 && i < (k + 1) * n / 10) {
                    mean += fit->r[fit->first[c] + i];
                    m++;
                }
            sum += pow(mean / (double)m, 2.0) / (10.0 * (double)fit->ncurves);
        }
    }
    return sum;
}

static void a_curve_left_out_is_predicted_from_the_others(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[4];
    struct tw_law_curve curves[4];
    struct tw_law_fit fit;
    double square = 0.0;

    (void)state;
    make_four(53, 1e-3, NULL, TW_WARMUP_SKIP, d, curves);
    opts.model_error = true;
    fit = fitted(curves, 4, &opts);
    assert_int_equal(fit.left_out, 4);
    for (size_t c = 0; c < 4; c++) {
        struct tw_law_curve rest[3];
        struct tw_law_fit other;
        static double y[MAX];
        const struct tw_law_band band = { .y = y };
        const struct tw_law_forecast_opts how = { 0 };
        double bias = 0.0, mae = 0.0;
        size_t k = 0;

        for (size_t i = 0; i < 4; i++)
            if (i != c)
                rest[k++] = curves[i];
        opts.model_error = false;
        other = fitted(rest, 3, &opts);
        assert_int_equal(tw_law_forecast(&other, &curves[c], &how, &band, NULL), TW_OK);
        for (size_t i = 0; i < curves[c].n; i++) {
            const double r = log(curves[c].y[i] / y[i]);

            check_close(fit.left_out_r[fit.first[c] + i], r, 1e-9, 1e-12);
            bias += r / (double)curves[c].n;
            mae += fabs(curves[c].y[i] - y[i]) / (double)curves[c].n;
        }
        check_close(fit.left_out_mae[c], mae, 1e-9, 0.0);
        square += bias * bias / 4.0;
        tw_law_fit_release(&other);
    }
    /* Four curves left out, and the prior of three at twice the misfit of tenths. */
    check_close(fit.model_error, sqrt((4.0 * square + 3.0 * 4.0 * misfit_of_tenths(&fit)) / 7.0),
                1e-8, 0.0);
    tw_law_fit_release(&fit);
    ref_release(d, 4);
}

static void a_curve_that_alone_tells_the_annealing_cannot_be_left_out(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[4];
    struct tw_law_curve curves[4];
    struct tw_law_fit fit;

    (void)state;
    make_four(54, 1e-3, NULL, TW_WARMUP_SKIP, d, curves);
    opts.model_error = true;
    fit = fitted(curves, 2, &opts);    /* the cosine and the constant */
    assert_int_equal(fit.left_out, 0); /* a cosine alone hardly tells alpha from lambda */
    assert_true(isnan(fit.left_out_mae[0]) && isnan(fit.left_out_r[0]));
    check_close(fit.model_error, 2.0 * sqrt(misfit_of_tenths(&fit)), 1e-8, 0.0);
    tw_law_fit_release(&fit);
    fit = fitted(curves + 1, 2, &opts); /* the constant and one that steps down */
    assert_true(isnan(fit.left_out_mae[1]));
    tw_law_fit_release(&fit);
    ref_release(d, 4);
}

/* ---- the warm-up rule ------------------------------------------------------------------------ */

static void the_convention_that_made_the_curves_is_chosen(void **state)
{
    (void)state;
    for (int warmup = 0; warmup < 2; warmup++)
        for (size_t n = 1; n <= 4; n += 3) { /* by the objective, and by curves left out */
            struct tw_law_fit_opts opts = tw_law_fit_defaults();
            struct ref_data d[4];
            struct tw_law_curve curves[4];
            struct tw_law_fit fit, held;

            make_four(60, 1e-5, NULL, (enum tw_warmup)warmup, d, curves);
            opts.choose_warmup = true;
            opts.warmup = warmup ? TW_WARMUP_SKIP : TW_WARMUP_KEEP; /* to be ignored */
            fit = fitted(curves, n, &opts);
            assert_int_equal(fit.opts.warmup, warmup);
            assert_int_equal(fit.warmup_by_curves, n > 1);
            assert_true(fit.warmup_score[warmup] < fit.warmup_score[!warmup]);
            opts.choose_warmup = false;
            opts.warmup = (enum tw_warmup)warmup;
            held = fitted(curves, n, &opts);
            check_vec(fit.theta, held.theta, NP, 0.0, 0.0);
            assert_true(isnan(held.warmup_score[0]));
            if (n == 1)
                check_close(fit.warmup_score[warmup], held.min.objective, 0.0, 0.0);
            tw_law_fit_release(&held);
            tw_law_fit_release(&fit);
            ref_release(d, 4);
        }
}

/* ---- common noise ------------------------------------------------------------------------------
 */

static double mean_error(const double *y, const double *yhat, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += fabs(log(y[i] / yhat[i])) / (double)n;
    return sum;
}

static void shared_noise_is_seen_and_taken_out(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    static double common[MAX], shift[MAX], y[MAX];
    struct ref_data d[4];
    struct tw_law_curve curves[4];
    const struct tw_law_band band = { .y = y };
    struct tw_law_forecast_opts how = { .seed = 3 };
    double plain, shifted, correlation, *noise, sd = 0.0;
    size_t nnoise;
    struct tw_law_fit fit;

    (void)state;
    ar1(7000, 4e-3, 0.5, common, MAX);
    make_four(70, 5e-4, common, TW_WARMUP_SKIP, d, curves);
    fit = fitted(curves, 3, &opts);
    assert_int_equal(tw_law_forecast(&fit, &curves[3], &how, &band, NULL), TW_OK);
    plain = mean_error(curves[3].y, y, curves[3].n);
    assert_int_equal(tw_law_common_mode(&fit, curves[3].x, curves[3].n, shift, &noise, &nnoise,
                                        &correlation, NULL),
                     TW_OK);
    how.shift = shift;
    how.noise = noise;
    how.nnoise = nnoise;
    assert_int_equal(tw_law_forecast(&fit, &curves[3], &how, &band, NULL), TW_OK);
    shifted = mean_error(curves[3].y, y, curves[3].n);
    print_message("# mean error %.2e without, %.2e with the common part; correlation %.3f\n", plain,
                  shifted, correlation);
    assert_true(shifted < 0.3 * plain);
    assert_true(correlation > 0.9 && correlation <= 1.0);
    assert_int_equal(nnoise, fit.n);
    for (size_t i = 0; i < nnoise; i++)
        sd += noise[i] * noise[i] / (double)nnoise;
    /* own noise and the mean of two others' */
    check_close(sqrt(sd), 5e-4 * sqrt(1.5), 0.25, 0.0);
    free(noise);
    tw_law_fit_release(&fit);
    ref_release(d, 4);
}

static void noise_of_their_own_is_not_taken_for_shared(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    static double shift[MAX];
    struct ref_data d[4];
    struct tw_law_curve curves[4];
    double correlation, *noise;
    size_t nnoise;
    struct tw_law_fit fit;

    (void)state;
    make_four(71, 2e-3, NULL, TW_WARMUP_SKIP, d, curves);
    fit = fitted(curves, 3, &opts);
    assert_int_equal(tw_law_common_mode(&fit, curves[3].x, curves[3].n, shift, &noise, &nnoise,
                                        &correlation, NULL),
                     TW_OK);
    assert_true(fabs(correlation) < 0.25);
    free(noise);
    tw_law_fit_release(&fit);
    ref_release(d, 4);
}

static void one_curve_shifts_by_its_own_residuals_on_straight_lines(void **state)
{
    static const double x[] = { 100, 200, 210, 230, 2380, 2390 };
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    double shift[6], correlation, *noise;
    struct ref_data d[4];
    struct tw_law_curve curves[4];
    struct tw_law_fit fit;
    size_t nnoise;

    (void)state;
    make_four(72, 2e-3, NULL, TW_WARMUP_SKIP, d, curves);
    fit = fitted(curves, 1, &opts); /* points at 200, 220, ..., 2380 */
    assert_int_equal(tw_law_common_mode(&fit, x, 6, shift, &noise, &nnoise, &correlation, NULL),
                     TW_OK);
    check_close(shift[0], 0.0, 0.0, 0.0);
    check_close(shift[1], fit.r[0], 1e-14, 0.0);
    check_close(shift[2], 0.5 * (fit.r[0] + fit.r[1]), 1e-12, 1e-18);
    check_close(shift[3], 0.5 * (fit.r[1] + fit.r[2]), 1e-12, 1e-18);
    check_close(shift[4], fit.r[fit.n - 1], 1e-14, 0.0);
    check_close(shift[5], 0.0, 0.0, 0.0);
    assert_true(isnan(correlation));
    assert_int_equal(nnoise, fit.n - 1);
    check_close(noise[3], (fit.r[4] - fit.r[3]) / sqrt(2.0), 1e-14, 0.0);
    free(noise);
    tw_law_fit_release(&fit);
    ref_release(d, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bands_are_nested_and_hold_a_new_run_as_often_as_they_say),
        cmocka_unit_test(a_forecast_is_the_law_at_its_parameters),
        cmocka_unit_test(given_noise_is_what_the_band_is_made_of),
        cmocka_unit_test(bands_hold_the_noise_of_left_out_curves_and_the_model_error),
        cmocka_unit_test(a_forecast_beyond_its_schedule_is_refused),
        cmocka_unit_test(coverage_counts_the_ends),
        cmocka_unit_test(a_curve_left_out_is_predicted_from_the_others),
        cmocka_unit_test(a_curve_that_alone_tells_the_annealing_cannot_be_left_out),
        cmocka_unit_test(the_convention_that_made_the_curves_is_chosen),
        cmocka_unit_test(shared_noise_is_seen_and_taken_out),
        cmocka_unit_test(noise_of_their_own_is_not_taken_for_shared),
        cmocka_unit_test(one_curve_shifts_by_its_own_residuals_on_straight_lines),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
