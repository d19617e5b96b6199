/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The annealing law against its definition, and fits of curves that it made. */
#include <stdlib.h>

#include "curves.h"
#include "num.h"

enum { L0, A, ALPHA, C, LAMBDA, NP };

static const struct tw_law *law(void)
{
    const struct tw_law *q = tw_law_find("annealing");

    assert_non_null(q);
    return q;
}

static struct tw_schedule parsed(const char *spec)
{
    struct tw_schedule s = { 0 };
    struct tw_err err = { 0 };

    if (tw_schedule_parse(spec, NULL, NULL, &s, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return s;
}

static const char *const shapes[] = {
    "cosine:peak=0.31,end=0.02,total=240,warmup=37",
    "wsd:peak=0.31,end=0.02,total=240,decay=61,warmup=20,ramp=(s+1)/w",
    "wsdcon:peak=0.31,end=0.11,total=240,stage=120,warmup=9",
    "cyclic:peak=0.31,end=0.05,total=240,period=77",
    "rewarmup:peak=0.31,end=0.05,total=240,warmup=20,restart=110,rewarm=21",
    "constant:peak=0.31,total=240",
};
enum { NSHAPES = sizeof shapes / sizeof shapes[0] };

/* ---- features -------------------------------------------------------------------------------- */

/* S2(s) = sum_{i<=s} sum_{k<=i} (eta_{k-1} - eta_k) lambda^{i-k}, word for word. */
static double double_sum(const struct tw_schedule *s, size_t at, enum tw_warmup warmup,
                         double lambda)
{
    double sum = 0.0;

    for (size_t i = 1; i <= at; i++)
        for (size_t k = 1; k <= i; k++)
            if (warmup == TW_WARMUP_KEEP || k > s->warm_end)
                sum += (s->lr[k - 1] - s->lr[k]) * pow(lambda, (double)(i - k));
    return sum;
}

static void the_recursion_is_the_double_sum(void **state)
{
    static const double lambdas[] = { 0.0, 0.37, 0.9, 0.99, 0.99999 };
    double s1[240], s2[240];

    (void)state;
    for (size_t k = 0; k < NSHAPES; k++)
        for (size_t j = 0; j < 5; j++)
            for (int warmup = 0; warmup < 2; warmup++) {
                struct tw_schedule s = parsed(shapes[k]);
                double sum = 0.0;

                tw_law_annealing_features(&s, (enum tw_warmup)warmup, lambdas[j], s1, s2);
                for (size_t i = 0; i < s.n; i++) {
                    sum += s.lr[i];
                    check_close(s1[i], sum, 1e-14, 0.0);
                }
                for (size_t i = 3; i < s.n; i += 29)
                    check_close(s2[i], double_sum(&s, i, (enum tw_warmup)warmup, lambdas[j]), 1e-11,
                                1e-14);
                tw_schedule_release(&s);
            }
}

/* Log positions with long runs of one spacing (where stretches are packed) and ragged ones. */
static size_t draw_positions(struct tw_rng *rng, size_t last, double *x)
{
    size_t n = 0;

    for (size_t i = 1 + (size_t)tw_rng_below(rng, 40); i <= last;) {
        const size_t gap = 1 + (size_t)tw_rng_below(rng, 30);
        const size_t run = tw_rng_below(rng, 3) ? 1 : 8 + (size_t)tw_rng_below(rng, 20);

        for (size_t k = 0; k < run && i <= last; k++, i += gap)
            x[n++] = (double)i;
    }
    return n;
}

static void predict(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                    const double *theta, double *y, double *jac)
{
    struct tw_err err = { 0 };
    void *model = law()->model_alloc(curves, n, warmup, &err), *memo;

    if (!model)
        fail_msg("%s", err.msg);
    memo = law()->memo_alloc(model);
    assert_non_null(memo);
    law()->predict(model, memo, theta, y, jac);
    law()->memo_free(memo);
    law()->model_free(model);
}

static void predictions_at_ragged_positions_are_those_of_every_step(void **state)
{
    static const char *const specs[] = {
        "cosine:peak=0.031,end=0.002,total=3000,warmup=311",
        "wsd:peak=0.031,end=0.002,total=3000,decay=900,warmup=200",
        "cyclic:peak=0.031,end=0.005,total=3000,period=500,warmup=33",
        "rewarmup:peak=0.031,end=0.005,total=3000,warmup=200,restart=1700,rewarm=210",
    };
    static const double lambdas[] = { 1e-6, 0.31, 0.97, 0.9991, 0.99999 };
    static double x[3000], y[3000], s1[3000], s2[3000];
    struct tw_rng rng = tw_rng_stream(9, TW_RNG_TEST, 1);

    (void)state;
    for (size_t trial = 0; trial < 80; trial++) {
        struct tw_schedule s = parsed(specs[trial % 4]);
        struct tw_law_curve curve = {
            .name = "c", .n = draw_positions(&rng, s.n - 1, x), .x = x, .schedule = &s
        };
        const double theta[NP] = { 2.3, 0.71, 0.43, 1.9, lambdas[trial / 4 % 5] };
        const enum tw_warmup warmup = trial % 2 ? TW_WARMUP_KEEP : TW_WARMUP_SKIP;

        predict(&curve, 1, warmup, theta, y, NULL);
        tw_law_annealing_features(&s, warmup, theta[LAMBDA], s1, s2);
        for (size_t i = 0; i < curve.n; i++) {
            const size_t at = (size_t)x[i];

            check_close(y[i], 2.3 + 0.71 * pow(s1[at], -0.43) - 1.9 * s2[at], 1e-12, 1e-13);
        }
        tw_schedule_release(&s);
    }
}

/* Two curves stacked, two memories in turn with one memo: the memo must notice. */
static void curves_stack_and_the_memo_notices_a_new_lambda(void **state)
{
    static const double xa[] = { 5, 50, 130, 239 }, xb[] = { 1, 200 };
    struct tw_schedule s[2] = { parsed(shapes[0]), parsed(shapes[2]) };
    const struct tw_law_curve curves[2] = { { .name = "a", .n = 4, .x = xa, .schedule = &s[0] },
                                            { .name = "b", .n = 2, .x = xb, .schedule = &s[1] } };
    double theta[NP] = { 2.3, 0.71, 0.43, 1.9, 0.5 }, one[6], two[6], again[6];
    void *model = law()->model_alloc(curves, 2, TW_WARMUP_KEEP, NULL), *memo;

    (void)state;
    assert_non_null(model);
    memo = law()->memo_alloc(model);
    law()->predict(model, memo, theta, one, NULL);
    theta[LAMBDA] = 0.98;
    law()->predict(model, memo, theta, two, NULL);
    assert_true(fabs(two[3] - one[3]) > 0.01);
    theta[LAMBDA] = 0.5;
    law()->predict(model, memo, theta, again, NULL);
    check_vec(again, one, 6, 0.0, 0.0);
    predict(&curves[1], 1, TW_WARMUP_KEEP, theta, two, NULL);
    check_vec(two, one + 4, 2, 0.0, 0.0);
    law()->memo_free(memo);
    law()->model_free(model);
    tw_schedule_release(&s[0]);
    tw_schedule_release(&s[1]);
}

static void derivatives_are_those_of_finite_differences(void **state)
{
    static const double lambdas[] = { 1e-4, 0.3, 0.9, 0.999, 0.99999 };
    static double x[240], y[240], up[240], down[240], jac[240 * NP];
    struct tw_rng rng = tw_rng_stream(9, TW_RNG_TEST, 2);

    (void)state;
    for (size_t trial = 0; trial < 5 * NSHAPES * 2; trial++) {
        struct tw_schedule s = parsed(shapes[trial % NSHAPES]);
        const size_t from = trial % 2 ? 1 : 2;
        struct tw_law_curve curve = {
            .name = "c", .n = draw_positions(&rng, s.n - from, x), .x = x, .schedule = &s
        };
        /* small L0 and A: differences of S2 are not lost in the rest */
        double theta[NP] = { 0.02, 0.013, 0.43, 1.9, lambdas[trial / NSHAPES % 5] };

        predict(&curve, 1, TW_WARMUP_KEEP, theta, y, jac);
        for (size_t j = 0; j < NP; j++) {
            const double t = theta[j], h = j == LAMBDA ? 1e-5 * (1.0 - t) : 1e-6 * t;
            double scale = 0.0;

            theta[j] = t + h;
            predict(&curve, 1, TW_WARMUP_KEEP, theta, up, NULL);
            theta[j] = t - h;
            predict(&curve, 1, TW_WARMUP_KEEP, theta, down, NULL);
            theta[j] = t;
            for (size_t i = 0; i < curve.n; i++)
                scale = fmax(scale, fabs(y[i]));
            for (size_t i = 0; i < curve.n; i++)
                check_close(jac[i * NP + j], (up[i] - down[i]) / (2.0 * h), 1e-6,
                            2e-15 * scale / h);
        }
        tw_schedule_release(&s);
    }
}

/* ---- fits ---------------------------------------------------------------------------------- */

static const struct made trains[] = {
    { "cosine:peak=3e-3,end=3e-4,total=3000,warmup=200", 200, 25, 0, 0, 0, NULL },
    { "constant:peak=3e-3,total=3000,warmup=200", 200, 25, 0, 0, 0, NULL },
    { "wsdcon:peak=3e-3,end=9e-4,total=2400,stage=1300,warmup=200", 200, 25, 0, 0, 0, NULL },
};

static void make_curves(const double *theta, enum tw_warmup warmup, struct ref_data *d,
                        struct tw_law_curve *curves)
{
    for (size_t c = 0; c < 3; c++) {
        assert_true(made_curve(&trains[c], theta, warmup, &d[c]));
        curves[c] = d[c].curve;
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

static void the_parameters_of_noise_free_curves_are_recovered(void **state)
{
    static const double truths[][NP] = {
        { 2.7, 0.52, 0.51, 0.83, 0.991 },
        { 1.3, 1.9, 0.22, 0.17, 0.9987 },
        { 3.1, 0.08, 0.93, 6.1, 0.93 },
        { 0.4, 0.31, 0.37, 1.1, 0.97 },
    };

    (void)state;
    for (size_t k = 0; k < 4; k++)
        for (int warmup = 0; warmup < 2; warmup++) {
            struct tw_law_fit_opts opts = tw_law_fit_defaults();
            struct ref_data d[3];
            struct tw_law_curve curves[3];
            struct tw_law_fit fit;

            opts.warmup = (enum tw_warmup)warmup;
            make_curves(truths[k], opts.warmup, d, curves);
            fit = fitted(curves, 3, &opts);
            check_vec(fit.theta, truths[k], NP, 1e-6, 0.0);
            assert_true(fit.min.converged);
            assert_int_equal(fit.min.at_bounds, 0);
            assert_true(fit.at_optimum >= 1 && fit.at_optimum <= fit.starts);
            for (size_t c = 0; c < 3; c++)
                assert_true(fit.score[c].mae < 1e-7 && fit.score[c].r2 > 0.999999);
            tw_law_fit_release(&fit);
            ref_release(d, 3);
        }
}

static void every_loss_recovers_the_same_law(void **state)
{
    static const double truth[NP] = { 2.7, 0.52, 0.51, 0.83, 0.991 };
    static const enum tw_fit_loss losses[] = { TW_FIT_HUBER, TW_FIT_SQUARES, TW_FIT_LAD };
    struct ref_data d[3];
    struct tw_law_curve curves[3];

    (void)state;
    make_curves(truth, TW_WARMUP_SKIP, d, curves);
    /* one wild point: squares feel it, Huber and absolute deviations hardly do */
    d[1].y[40] *= 1.3;
    for (size_t k = 0; k < 3; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        struct tw_law_fit fit;

        opts.loss = losses[k];
        fit = fitted(curves, 3, &opts);
        check_vec(fit.theta, truth, NP, k == 1 ? 0.2 : k == 2 ? 1e-5 : 5e-3, 0.0);
        if (k == 1)
            assert_true(fabs(fit.theta[L0] - truth[L0]) > 1e-4);
        tw_law_fit_release(&fit);
    }
    ref_release(d, 3);
}

static void a_parameter_held_at_its_true_value_leaves_the_others_true(void **state)
{
    static const double truth[NP] = { 2.7, 0.52, 0.51, 0.83, 0.991 };
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    struct tw_law_fit fit;

    (void)state;
    make_curves(truth, TW_WARMUP_SKIP, d, curves);
    opts.fixed[LAMBDA] = true;
    opts.fixed_value[LAMBDA] = truth[LAMBDA];
    fit = fitted(curves, 3, &opts);
    check_close(fit.theta[LAMBDA], truth[LAMBDA], 0.0, 0.0);
    check_vec(fit.theta, truth, NP, 1e-6, 0.0);
    tw_law_fit_release(&fit);
    opts.fixed_value[LAMBDA] = 0.95;
    fit = fitted(curves, 3, &opts);
    check_close(fit.theta[LAMBDA], 0.95, 0.0, 0.0);
    assert_true(fit.min.objective > 1e-6);
    tw_law_fit_release(&fit);
    ref_release(d, 3);
}

static void scores_are_their_definitions(void **state)
{
    static const double y[] = { 4.0, 2.0, 2.5, 1.6 }, yhat[] = { 3.8, 2.1, 2.5, 1.2 };
    const struct tw_law_score s = tw_law_score_of(y, yhat, 4), none = tw_law_score_of(y, yhat, 0);

    (void)state;
    /* e = .2, -.1, 0, .4; mean of y 2.525, squares about it 3.3075 */
    assert_int_equal(s.n, 4);
    check_close(s.mae, 0.175, 1e-14, 0.0);
    check_close(s.bias, 0.125, 1e-14, 0.0);
    check_close(s.rmse, sqrt(0.21 / 4), 1e-14, 0.0);
    check_close(s.pred_e, (0.05 + 0.05 + 0.25) / 4, 1e-14, 0.0);
    check_close(s.worst_e, 0.25, 1e-14, 0.0);
    check_close(s.final_error, 0.4, 1e-14, 0.0);
    check_close(s.r2, 1.0 - 0.21 / 3.3075, 1e-14, 0.0);
    assert_int_equal(none.n, 0);
    assert_true(isnan(none.mae) && isnan(none.r2));
}

/* ---- what cannot be fitted ------------------------------------------------------------------ */

static void check_fails(const struct tw_law_curve *curves, size_t n, enum tw_status want,
                        const char *words)
{
    const struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct tw_law_fit fit = { 0 };
    struct tw_err err = { 0 };

    assert_int_equal(tw_law_fit_run(law(), curves, n, &opts, &fit, &err), want);
    if (!strstr(err.msg, words))
        fail_msg("'%s' is not in: %s", words, err.msg);
    tw_law_fit_release(&fit);
    assert_int_equal(tw_law_fit_run(law(), curves, n, &opts, &fit, NULL), want);
    tw_law_fit_release(&fit);
}

static void what_cannot_be_fitted_is_said(void **state)
{
    static const double truth[NP] = { 2.7, 0.52, 0.51, 0.83, 0.991 };
    struct ref_data d[3];
    struct tw_law_curve curves[3], few;
    struct tw_schedule zero = parsed("constant:peak=0,total=3000");

    (void)state;
    make_curves(truth, TW_WARMUP_SKIP, d, curves);
    few = curves[0];
    few.n = 4;
    check_fails(&few, 1, TW_EDOMAIN, "4 points cannot determine the 5 parameters");
    d[1].y[7] = 0.0;
    check_fails(curves, 3, TW_EDOMAIN, "loss 0 at x = 375");
    d[1].y[7] = (double)NAN;
    check_fails(curves, 3, TW_EDOMAIN, "loss nan at x = 375");
    d[1].y[7] = 3.0;
    d[1].x[d[1].n - 1] = 3000.0;
    check_fails(curves, 3, TW_EINVAL, "x = 3000 is no step of the schedule");
    d[1].x[d[1].n - 1] = 2990.5;
    check_fails(curves, 3, TW_EINVAL, "x = 2990.5 is no step");
    d[1].x[d[1].n - 1] = d[1].x[d[1].n - 2];
    check_fails(curves, 3, TW_EINVAL, "comes twice");
    curves[1].schedule = &zero;
    d[1].x[d[1].n - 1] = 2990.0;
    check_fails(curves, 3, TW_EDOMAIN, "sum to 0");
    tw_schedule_release(&zero);
    ref_release(d, 3);
}

static void constant_rates_alone_leave_the_law_unidentified(void **state)
{
    static const double truth[NP] = { 2.7, 0.52, 0.51, 0.83, 0.991 };
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    void *model;

    (void)state;
    make_curves(truth, TW_WARMUP_SKIP, d, curves);
    model = law()->model_alloc(&curves[1], 1, TW_WARMUP_SKIP, NULL);
    assert_non_null(model);
    assert_non_null(strstr(law()->unidentified(model), "no curve's learning rate changes"));
    law()->model_free(model);
    model = law()->model_alloc(curves, 2, TW_WARMUP_SKIP, NULL);
    assert_null(law()->unidentified(model));
    law()->model_free(model);
    law()->model_free(NULL);
    law()->memo_free(NULL);
    assert_null(tw_law_find("anealing"));
    ref_release(d, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_recursion_is_the_double_sum),
        cmocka_unit_test(predictions_at_ragged_positions_are_those_of_every_step),
        cmocka_unit_test(curves_stack_and_the_memo_notices_a_new_lambda),
        cmocka_unit_test(derivatives_are_those_of_finite_differences),
        cmocka_unit_test(the_parameters_of_noise_free_curves_are_recovered),
        cmocka_unit_test(every_loss_recovers_the_same_law),
        cmocka_unit_test(a_parameter_held_at_its_true_value_leaves_the_others_true),
        cmocka_unit_test(scores_are_their_definitions),
        cmocka_unit_test(what_cannot_be_fitted_is_said),
        cmocka_unit_test(constant_rates_alone_leave_the_law_unidentified),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
