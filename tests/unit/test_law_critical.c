/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The law with a critical batch size: its equation, the stages its search starts from, and
 * trajectories at batch sizes that were not run. */
#include "law/critical_batch.h"
#include "runs.h"

static const double truth[TW_CB_NPARAMS] = { 8.8e13, 0.076, 2.1e3, 0.76, 2e8, 0.21 };

static const struct tw_law *law(void)
{
    return tw_law_find("critical-batch");
}

/* Trajectories of four sizes at four batch sizes, 18 points each. */
static void make(double sd, uint64_t item, struct runs *d)
{
    struct tw_rng rng = tw_rng_stream(12, TW_RNG_TEST, item);

    *d = (struct runs){ 0 };
    for (size_t n = 0; n < 4; n++)
        for (size_t b = 0; b < 4; b++)
            for (size_t s = 0; s < 18; s++, d->n++) {
                d->input[TW_CB_N][d->n] = 1e7 * pow(4.0, (double)n);
                d->input[TW_CB_B][d->n] = 6.5e4 * pow(4.0, (double)b);
                d->input[TW_CB_S][d->n] = 2e3 * pow(1.3, (double)s);
            }
    runs_predict(law(), truth, sd, &rng, d);
}

/* L = (Nc/N)^aN + (Sc/Smin)^aS with S = Smin (1 + Bcrit(L)/B), put in word for word; the hyperbola
 * of S and E = B S; Emin = E / (1 + B/Bcrit). */
static void the_prediction_solves_its_equation(void **state)
{
    static struct runs d;

    (void)state;
    make(0.0, 0, &d);
    for (size_t i = 0; i < d.n; i++) {
        const double n = d.input[TW_CB_N][i], s = d.input[TW_CB_S][i], b = d.input[TW_CB_B][i];
        const double bcrit = truth[TW_CB_BSTAR] / pow(d.y[i], 1.0 / truth[TW_CB_AB]);
        const double smin = s / (1.0 + bcrit / b), emin = b * s / (1.0 + b / bcrit);

        check_close(d.y[i],
                    pow(truth[TW_CB_NC] / n, truth[TW_CB_AN]) +
                        pow(truth[TW_CB_SC] / smin, truth[TW_CB_AS]),
                    1e-12, 0.0);
        check_close((s / smin - 1.0) * (b * s / emin - 1.0), 1.0, 1e-12, 0.0);
    }
}

static void a_larger_batch_learns_more_a_step_and_less_a_token(void **state)
{
    static struct runs d;
    const size_t m = 60;

    (void)state;
    d = (struct runs){ .n = 2 * m };
    for (size_t i = 0; i < d.n; i++) {
        const double b = 1e3 * pow(1.3, (double)(i % m));

        d.input[TW_CB_N][i] = 1e9;
        d.input[TW_CB_B][i] = b;
        d.input[TW_CB_S][i] = i < m ? 2e4 : 2e10 / b; /* steps, then tokens, alike */
    }
    runs_predict(law(), truth, 0.0, NULL, &d);
    for (size_t i = 1; i < m; i++) {
        assert_true(d.y[i] < d.y[i - 1]);
        assert_true(d.y[m + i] > d.y[m + i - 1]);
    }
}

/* From exact losses, straight lines between the logged points being the only error. */
static void the_first_stages_find_the_line(void **state)
{
    static struct runs d;
    struct tw_run_table *t;
    double bstar = 0.0, ab = 0.0;

    (void)state;
    make(0.0, 0, &d);
    t = tw_run_table_alloc(law()->inputs, TW_CB_NINPUTS, runs_group(&d), 1, NULL);
    assert_non_null(t);
    assert_int_equal(tw_critical_batch_line(t, d.y, &bstar, &ab), 1);
    check_close(ab, truth[TW_CB_AB], 0.05, 0.0);
    check_close(log(bstar), log(truth[TW_CB_BSTAR]), 0.02, 0.0);
    tw_run_table_free(t);
    for (size_t i = 0; i < d.n; i++) /* one batch size: there is no line */
        d.input[TW_CB_B][i] = 1e5;
    t = tw_run_table_alloc(law()->inputs, TW_CB_NINPUTS, runs_group(&d), 1, NULL);
    assert_int_equal(tw_critical_batch_line(t, d.y, &bstar, &ab), 0);
    tw_run_table_free(t);
}

static void intervals_hold_the_truth(void **state)
{
    size_t inside = 0;

    (void)state;
    for (uint64_t item = 1; item <= 10; item++) {
        static struct runs d;
        struct tw_law_fit_opts opts = runs_opts(law());
        struct tw_law_fit fit;

        make(2e-3, item, &d);
        opts.bootstrap = 200;
        fit = runs_fit(law(), &d, &opts);
        assert_int_equal(fit.min.at_bounds, 0);
        for (size_t j = 0; j < TW_CB_NPARAMS; j++)
            inside += fit.lo[j] <= truth[j] && truth[j] <= fit.hi[j];
        tw_law_fit_release(&fit);
    }
    print_message("# %zu of 60 intervals\n", inside);
    assert_in_range(inside, 49, 60); /* 57 expected; those of one fit go together */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_prediction_solves_its_equation),
        cmocka_unit_test(a_larger_batch_learns_more_a_step_and_less_a_token),
        cmocka_unit_test(the_first_stages_find_the_line),
        cmocka_unit_test(intervals_hold_the_truth),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
