/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Sweeps: optima, the step law, sensitivities and trends against what made-up runs were made of. */
#include <stdlib.h>

#include "law/least.h"
#include "num.h"
#include "thalweg/law_sweep.h"

enum { GROUPS = 9, RATES = 9, BATCHES = 7, RUNS = GROUPS * RATES * BATCHES };

static const double sizes[3] = { 1e8, 3e8, 1e9 }, tokens[3] = { 4e9, 1.6e10, 6.4e10 };
static const double lr_law[3] = { 2.0, -0.6, 0.25 }, batch_law[3] = { -0.5, 0.0, 0.57 };

static double power(const double *c, double n, double d)
{
    return exp(c[0] + c[1] * log(n) + c[2] * log(d));
}

/* Loss is a tilted quadratic about the laws' rate and batch size, in steps of the grid that do
 * not meet it. */
static void make(double sd, uint64_t item, struct tw_sweep_run *run)
{
    struct tw_rng rng = tw_rng_stream(3, TW_RNG_TEST, item);
    size_t k = 0;

    for (size_t g = 0; g < GROUPS; g++)
        for (size_t i = 0; i < RATES; i++)
            for (size_t j = 0; j < BATCHES; j++) {
                const double n = sizes[g / 3], d = tokens[g % 3];
                const double u = 0.35 * ((double)i - 4.2), v = 0.5 * ((double)j - 2.7);

                run[k++] = (struct tw_sweep_run){
                    .size = n,
                    .tokens = d,
                    .lr = power(lr_law, n, d) * exp(u),
                    .batch = power(batch_law, n, d) * exp(v),
                    .loss = 2.5 + 0.02 * u * u + 0.008 * u * v + 0.01 * v * v +
                            sd * tw_rng_normal(&rng),
                    .logit = NAN,
                    .grad = NAN,
                };
            }
}

static struct tw_sweep computed(const struct tw_sweep_run *run, size_t n,
                                const struct tw_sweep_opts *opts)
{
    struct tw_sweep s = { 0 };
    struct tw_err err = { 0 };

    if (tw_sweep_compute(run, n, opts, &s, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return s;
}

static void exact_quadratics_give_exact_optima_and_laws(void **state)
{
    struct tw_sweep_run run[RUNS];
    struct tw_sweep_opts opts = tw_sweep_defaults();
    struct tw_sweep s;

    (void)state;
    make(0.0, 0, run);
    opts.bootstrap = 50;
    s = computed(run, RUNS, &opts);
    assert_int_equal(s.ngroups, GROUPS);
    assert_int_equal(s.nlines, GROUPS * BATCHES);
    for (size_t g = 0; g < GROUPS; g++) {
        const struct tw_sweep_group *q = &s.group[g];

        assert_int_equal(q->how, TW_SWEEP_QUADRATIC);
        assert_false(q->edge);
        check_close(q->lr, power(lr_law, q->size, q->tokens), 1e-9, 0.0);
        check_close(q->batch, power(batch_law, q->size, q->tokens), 1e-9, 0.0);
        check_close(q->loss, 2.5, 1e-9, 0.0);
    }
    check_vec(s.lr.coef, lr_law, 3, 1e-7, 1e-9);
    check_vec(s.batch.coef, batch_law, 3, 1e-7, 1e-9);
    assert_true(s.lr.has_size && s.lr.has_tokens && !s.batch.has_size);
    tw_sweep_release(&s);
}

static void intervals_hold_the_truth(void **state)
{
    struct tw_sweep_opts opts = tw_sweep_defaults();
    size_t inside = 0, optima = 0;

    (void)state;
    opts.bootstrap = 300;
    for (uint64_t item = 1; item <= 20; item++) {
        struct tw_sweep_run run[RUNS];
        struct tw_sweep s;

        make(1e-3, item, run);
        s = computed(run, RUNS, &opts);
        inside += s.lr.lo[1] <= lr_law[1] && lr_law[1] <= s.lr.hi[1];
        inside += s.lr.lo[2] <= lr_law[2] && lr_law[2] <= s.lr.hi[2];
        inside += s.batch.lo[2] <= batch_law[2] && batch_law[2] <= s.batch.hi[2];
        for (size_t g = 0; g < GROUPS; g++) {
            const double lr = power(lr_law, s.group[g].size, s.group[g].tokens);

            optima += s.group[g].lr_lo <= lr && lr <= s.group[g].lr_hi;
        }
        tw_sweep_release(&s);
    }
    assert_in_range(inside, 50, 60);   /* of 60, 57 expected */
    assert_in_range(optima, 155, 180); /* of 180, 171 expected */
}

/* A surface without a minimum among the runs: the best run, and the edge is noticed. */
static void without_a_minimum_the_best_run_is_taken(void **state)
{
    struct tw_sweep_run run[RUNS];
    struct tw_sweep_opts opts = tw_sweep_defaults();
    struct tw_sweep s;
    const size_t n = RATES * BATCHES;

    (void)state;
    make(0.0, 0, run);
    for (size_t i = 0; i < n; i++)
        run[i].loss = 3.0 - 0.01 * log(run[i].lr) + 0.01 * pow(log(run[i].batch / 3e5), 2.0);
    opts.bootstrap = 20;
    s = computed(run, n, &opts);
    assert_int_equal(s.ngroups, 1);
    assert_int_equal(s.group[0].how, TW_SWEEP_NO_MINIMUM);
    assert_true(s.group[0].edge);
    check_close(s.group[0].lr, s.run[s.group[0].best].lr, 0.0, 0.0);
    assert_false(s.lr.fitted);
    assert_false(s.batch.fitted);
    tw_sweep_release(&s);
    s = computed(run, 4, &opts);
    assert_int_equal(s.group[0].how, TW_SWEEP_FEW);
    tw_sweep_release(&s);
}

/* mean of min(loss, initial loss) less the best, by hand; a diverged run counts as initial. */
static void sensitivity_is_its_definition(void **state)
{
    static const double loss[] = { 3.0, 2.0, 2.5, 40.0, (double)NAN };
    struct tw_sweep_run run[7];
    struct tw_sweep_opts opts = tw_sweep_defaults();
    struct tw_err err = { 0 };
    struct tw_sweep s = { 0 };

    (void)state;
    for (size_t i = 0; i < 5; i++)
        run[i] =
            (struct tw_sweep_run){ 1e8, 1e9, 1e-3 * pow(2.0, (double)i), 1e5, loss[i], NAN, NAN };
    assert_int_equal(tw_sweep_compute(run, 5, &opts, &s, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "run 5"));
    tw_sweep_release(&s);
    opts.initial_loss = 11.0;
    s = computed(run, 5, &opts);
    assert_int_equal(s.nlines, 1);
    check_close(s.line[0].sensitivity, (3.0 + 2.0 + 2.5 + 11.0 + 11.0) / 5.0 - 2.0, 1e-14, 0.0);
    assert_int_equal(s.line[0].diverged, 1);
    check_close(s.line[0].unevenness, 1.0, 1e-9, 0.0);
    tw_sweep_release(&s);
    run[5] = run[0]; /* a repeat: the mean, 3.5; and rates ten times apart */
    run[5].loss = 4.0;
    run[6] = run[0];
    run[6].lr = 1e-4;
    s = computed(run, 7, &opts);
    assert_int_equal(s.repeats, 1);
    check_close(s.line[0].sensitivity, (3.0 + 3.5 + 2.0 + 2.5 + 22.0) / 6.0 - 2.0, 1e-14, 0.0);
    assert_true(s.line[0].unevenness > 3.0);
    tw_sweep_release(&s);
}

static void what_cannot_be_is_refused_by_number(void **state)
{
    struct tw_sweep_run run[RUNS];
    struct tw_sweep_opts opts = tw_sweep_defaults();
    double *const field[] = { &run[2].size, &run[2].tokens, &run[2].lr, &run[2].batch,
                              &run[2].loss };

    (void)state;
    for (size_t k = 0; k < 5; k++)
        for (int bad = 0; bad < 2; bad++) {
            struct tw_sweep s = { 0 };
            struct tw_err err = { 0 };

            make(0.0, 0, run);
            *field[k] = bad ? -1.0 : 0.0;
            assert_int_equal(tw_sweep_compute(run, RUNS, &opts, &s, &err), TW_EDOMAIN);
            assert_non_null(strstr(err.msg, "run 3"));
            tw_sweep_release(&s);
        }
}

static void the_law_elsewhere_is_the_law(void **state)
{
    struct tw_sweep_run run[RUNS];
    struct tw_sweep_opts opts = tw_sweep_defaults();
    struct tw_sweep s;
    double y, lo, hi;

    (void)state;
    make(5e-4, 7, run);
    s = computed(run, RUNS, &opts);
    assert_true(tw_step_law_at(&s.lr, &opts, 1e10, 1e12, &y, &lo, &hi));
    check_close(y, power(s.lr.coef, 1e10, 1e12), 1e-12, 0.0);
    assert_true(lo < y && y < hi);
    check_close(y, power(lr_law, 1e10, 1e12), 0.3, 0.0);
    tw_sweep_release(&s);
}

/* ---- least squares and trends --------------------------------------------------------------- */

/* The leverages of the points sum to the number of columns (the trace of the hat matrix). */
static void leverages_sum_to_the_columns(void **state)
{
    enum { N = 11 };
    struct tw_rng rng = tw_rng_stream(4, TW_RNG_TEST, 0);
    double x[3 * N], q[3 * N], y[N], sum = 0.0;
    struct tw_least fit;

    (void)state;
    for (size_t i = 0; i < N; i++) {
        x[i] = 1.0;
        x[N + i] = 30.0 + tw_rng_normal(&rng);
        x[2 * N + i] = x[N + i] * x[N + i];
        y[i] = 2.0 - 0.3 * x[N + i] + 0.01 * x[2 * N + i];
    }
    memcpy(q, x, sizeof q);
    assert_true(tw_least_fit(q, 3, y, N, &fit));
    check_close(fit.coef[1], -0.3, 1e-8, 0.0);
    check_close(fit.coef[2], 0.01, 1e-8, 0.0);
    for (size_t i = 0; i < N; i++)
        sum += tw_least_leverage(&fit, (double[]){ x[i], x[N + i], x[2 * N + i] });
    check_close(sum, 3.0, 1e-9, 0.0);
    for (size_t i = 0; i < N; i++)
        q[N + i] = 2.0 * (q[i] = 1.0);
    assert_false(tw_least_fit(q, 2, y, N, &fit)); /* one column twice */
}

static double logit_of(const struct tw_sweep_run *run)
{
    return run->logit;
}

static void make_logits(double sd, uint64_t item, struct tw_sweep_run *run, size_t n)
{
    struct tw_rng rng = tw_rng_stream(6, TW_RNG_TEST, item);

    for (size_t i = 0; i < n; i++) {
        const double x = log(1e7 * pow(3.0, (double)i) / 1e8);

        run[i] = (struct tw_sweep_run){
            .size = 1e8 * exp(x), .tokens = 1e9, .lr = 1e-2, .batch = 1, .loss = 3
        };
        run[i].logit = exp(4.0 + 0.5 * x + 0.08 * x * x + sd * tw_rng_normal(&rng));
    }
}

static void trends_are_extrapolated_and_judged(void **state)
{
    struct tw_sweep_run run[8];
    struct tw_trends t;
    struct tw_err err = { 0 };
    struct tw_trend_ask ask = { logit_of, 1e3, 4.8e9, 0.95, true };
    const double x = log(4.8e9 / 1e8), y = exp(4.0 + 0.5 * x + 0.08 * x * x);

    (void)state;
    make_logits(0.0, 0, run, 5);
    run[5] = run[0];
    run[5].lr = 0.3; /* a rate of one size */
    assert_int_equal(tw_trends_fit(run, 6, &ask, &t, &err), TW_OK);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.skipped, 1);
    check_close(t.v[0].y, y, 1e-9, 0.0);
    assert_int_equal(t.v[0].alarm, TW_ALARM_PREDICTED);
    /* 4 + x / 2 + 0.08 x^2 = log 1e3 */
    check_close(log(t.v[0].crossing / 1e8),
                (-0.5 + sqrt(0.25 + 4.0 * 0.08 * (log(1e3) - 4.0))) / 0.16, 1e-8, 0.0);
    tw_trends_release(&t);
    ask.threshold = 1e9;
    assert_int_equal(tw_trends_fit(run, 5, &ask, &t, &err), TW_OK);
    assert_int_equal(t.v[0].alarm, TW_ALARM_NONE);
    tw_trends_release(&t);
    ask.threshold = 30.0;
    assert_int_equal(tw_trends_fit(run, 5, &ask, &t, &err), TW_OK);
    assert_int_equal(t.v[0].alarm, TW_ALARM_MEASURED);
    tw_trends_release(&t);
    assert_int_equal(tw_trends_fit(run, 2, &ask, &t, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "three sizes"));
    tw_trends_release(&t);
    run[1].logit = 0.0;
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_trends_fit(run, 5, &ask, &t, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "run 2"));
    tw_trends_release(&t);
}

static void intervals_of_trends_cover(void **state)
{
    size_t inside = 0;

    (void)state;
    for (uint64_t item = 0; item < 400; item++) {
        struct tw_trend_ask ask = { logit_of, 1e4, 0.0, 0.9, true };
        struct tw_sweep_run run[8];
        struct tw_trends t;

        make_logits(0.1, item, run, 8); /* seven to fit, the largest to predict */
        ask.at = run[7].size;
        assert_int_equal(tw_trends_fit(run, 7, &ask, &t, NULL), TW_OK);
        inside += t.v[0].lo <= run[7].logit && run[7].logit <= t.v[0].hi;
        tw_trends_release(&t);
    }
    assert_in_range(inside, 340, 380); /* 360 expected, standard deviation 6 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(exact_quadratics_give_exact_optima_and_laws),
        cmocka_unit_test(intervals_hold_the_truth),
        cmocka_unit_test(without_a_minimum_the_best_run_is_taken),
        cmocka_unit_test(sensitivity_is_its_definition),
        cmocka_unit_test(what_cannot_be_is_refused_by_number),
        cmocka_unit_test(the_law_elsewhere_is_the_law),
        cmocka_unit_test(leverages_sum_to_the_columns),
        cmocka_unit_test(trends_are_extrapolated_and_judged),
        cmocka_unit_test(intervals_of_trends_cover),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
