/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Laws of runs: the Chinchilla law on the points of Hoffmann et al. 2022 as read off their
 * figure by Besiroglu et al. 2024 (arXiv:2404.10102), and on made-up runs. The numbers of the
 * published points are scipy's, thousands of starts, other code. */
#include <omp.h>

#include "runs.h"

enum { E, A, ALPHA, B, BETA, NP };
enum { N, D };
static const double truth[NP] = { 1.82, 480.0, 0.35, 2100.0, 0.37 };

static const struct tw_law *chinchilla(void)
{
    return tw_law_find("chinchilla");
}

/* The published points without the `drop` largest losses; false if they are not there. */
static bool load(size_t drop, struct runs *d)
{
    FILE *f = runs_open("chinchilla_245.csv");
    char line[256];

    *d = (struct runs){ 0 };
    if (!f)
        return false;
    if (!fgets(line, sizeof line, f))
        abort();
    while (d->n < RUNS_MAX && fgets(line, sizeof line, f)) {
        char *p = line;

        d->input[N][d->n] = strtod(p, &p);
        d->input[D][d->n] = strtod(p + 1, &p);
        (void)strtod(p + 1, &p);
        d->y[d->n++] = strtod(p + 1, &p);
    }
    (void)fclose(f);
    for (; drop > 0; drop--) {
        size_t worst = 0;

        for (size_t i = 1; i < d->n; i++)
            if (d->y[i] > d->y[worst])
                worst = i;
        d->n--;
        d->y[worst] = d->y[d->n];
        d->input[N][worst] = d->input[N][d->n];
        d->input[D][worst] = d->input[D][d->n];
    }
    return true;
}

/* Runs of 8 sizes and 8 lengths under the true parameters. */
static void make(uint64_t item, double sd, struct runs *d)
{
    struct tw_rng rng = tw_rng_stream(20220329, TW_RNG_TEST, item);

    *d = (struct runs){ .n = 64 };
    for (size_t i = 0; i < d->n; i++) {
        d->input[N][i] = 5e7 * pow(2.0, (double)(i % 8));
        d->input[D][i] = 1e9 * pow(2.0, (double)(i / 8));
    }
    runs_predict(chinchilla(), truth, sd, &rng, d);
}

/* ---- published points ------------------------------------------------------------------------ */

static const struct {
    size_t drop;
    double objective;
} want[] = { { 5, 0.00101827402 }, { 0, 0.00182601052 } };

static void the_best_known_objective_is_reached_from_every_start(void **state)
{
    static struct runs d;

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct tw_law_fit_opts opts = runs_opts(chinchilla());
        struct tw_law_fit fit;

        if (!load(want[k].drop, &d))
            runs_skip();
        fit = runs_fit(chinchilla(), &d, &opts);
        print_message("# %zu points: objective %.11f, %zu of %zu starts, gradient %.1e\n", d.n,
                      fit.min.objective, fit.at_optimum, fit.starts, fit.min.gradient);
        check_close(fit.min.objective, want[k].objective, 1e-8, 0.0);
        assert_true(fit.min.converged && fit.min.at_bounds == 0);
        assert_int_equal(fit.at_optimum, fit.starts);
        tw_law_fit_release(&fit);
    }
}

/* A plain minimisation ends in a corner from two thirds of the starts of their grid. */
static void random_starts_of_the_published_grids_box_all_arrive(void **state)
{
    enum { STARTS = 200 };
    static double given[STARTS * NP];
    static struct runs d;

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct tw_rng rng = tw_rng_stream(7, TW_RNG_TEST, k);
        struct tw_law_fit_opts opts = runs_opts(chinchilla());
        struct tw_law_fit fit;

        if (!load(want[k].drop, &d))
            runs_skip();
        for (size_t i = 0; i < STARTS; i++) {
            double *t = given + i * NP;

            t[E] = exp(runs_between(&rng, -1.0, 1.0));
            t[A] = exp(runs_between(&rng, 0.0, 25.0));
            t[B] = exp(runs_between(&rng, 0.0, 25.0));
            t[ALPHA] = runs_between(&rng, 0.0, 2.0);
            t[BETA] = runs_between(&rng, 0.0, 2.0);
        }
        opts.given = given;
        opts.ngiven = STARTS;
        fit = runs_fit(chinchilla(), &d, &opts);
        print_message("# %zu points: %zu of %zu random starts\n", d.n, fit.at_optimum, fit.starts);
        assert_int_equal(fit.starts, STARTS);
        assert_int_equal(fit.at_optimum, STARTS);
        check_close(fit.min.objective, want[k].objective, 1e-8, 0.0);
        assert_true(fit.opts.given == NULL && fit.opts.ngiven == 0);
        tw_law_fit_release(&fit);
    }
}

/* Besiroglu et al. report what is the optimum of the sum of |r|. */
static void least_absolute_deviations_agree_with_the_published_estimate(void **state)
{
    static const double lad[NP] = { 1.816862, 481.999, 0.347812, 2085.393, 0.365853 };
    static struct runs d;
    struct tw_law_fit_opts opts = runs_opts(chinchilla());
    struct tw_law_fit fit;

    (void)state;
    if (!load(5, &d))
        runs_skip();
    opts.loss = TW_FIT_LAD;
    fit = runs_fit(chinchilla(), &d, &opts);
    check_vec(fit.theta, lad, NP, 1e-4, 0.0);
    tw_law_fit_release(&fit);
}

/* 95 % intervals of 4,000 replicates of the published re-analysis, and of ours. */
static void bootstrap_intervals_agree_with_the_published_ones(void **state)
{
    static const struct {
        size_t param;
        double lo, hi;
    } published[] = { { E, 1.769, 1.871 },
                      { ALPHA, 0.317, 0.373 },
                      { BETA, 0.331, 0.415 },
                      { A, 285.2, 743.6 },
                      { B, 1042.0, 5810.0 } };
    static struct runs d;
    struct tw_law_fit_opts opts = runs_opts(chinchilla());
    struct tw_law_fit fit;

    (void)state;
    if (!load(5, &d))
        runs_skip();
    opts.bootstrap = 2000;
    opts.seed = 4;
    fit = runs_fit(chinchilla(), &d, &opts);
    assert_int_equal(fit.failed, 0);
    for (size_t k = 0; k < sizeof published / sizeof published[0]; k++) {
        const size_t j = published[k].param;
        const double width = published[k].hi - published[k].lo;

        print_message("# %s: %.5g to %.5g, published %.5g to %.5g\n", chinchilla()->params[j].name,
                      fit.lo[j], fit.hi[j], published[k].lo, published[k].hi);
        check_close(fit.lo[j], published[k].lo, 0.0, 0.06 * width);
        check_close(fit.hi[j], published[k].hi, 0.0, 0.10 * width);
    }
    tw_law_fit_release(&fit);
}

/* Hoffmann et al. 2022, eq. (4): on the line C = 6 N D no neighbour is better. */
static void the_optimum_of_a_budget_is_the_least_loss_on_its_line(void **state)
{
    static struct runs d;
    double best[2];

    (void)state;
    for (double flops = 1e18; flops < 1e27; flops *= 97.0) {
        chinchilla()->optimum(truth, flops, best);
        check_close(6.0 * best[N] * best[D], flops, 1e-12, 0.0);
        d = (struct runs){ .n = 3 };
        for (size_t i = 0; i < 3; i++) {
            d.input[N][i] = best[N] * pow(1.02, (double)i - 1.0);
            d.input[D][i] = flops / 6.0 / d.input[N][i];
        }
        runs_predict(chinchilla(), truth, 0.0, NULL, &d);
        assert_true(d.y[1] < d.y[0] && d.y[1] < d.y[2]);
    }
}

/* ---- made-up runs ------------------------------------------------------------------------------
 */

static void derivatives_are_those_of_differences(void **state)
{
    struct tw_rng rng = tw_rng_stream(1, TW_RNG_TEST, 0);
    static struct runs d;

    (void)state;
    make(1, 0.0, &d);
    for (size_t k = 0; k < 50; k++) {
        const double theta[NP] = { runs_between(&rng, 0.1, 3.0), exp(runs_between(&rng, 0, 9)),
                                   runs_between(&rng, 0.05, 1.5), exp(runs_between(&rng, 0, 9)),
                                   runs_between(&rng, 0.05, 1.5) };

        runs_check_jacobian(chinchilla(), &d, theta);
    }
}

static void parameters_are_recovered(void **state)
{
    static struct runs d;
    struct tw_law_fit_opts opts = runs_opts(chinchilla());
    struct tw_law_fit fit;

    (void)state;
    make(2, 0.0, &d);
    fit = runs_fit(chinchilla(), &d, &opts);
    check_vec(fit.theta, truth, NP, 1e-5, 0.0);
    tw_law_fit_release(&fit);
    make(3, 1e-3, &d);
    d.y[17] *= 3.0; /* a run gone wrong, which Huber's loss bears */
    opts.bootstrap = 200;
    fit = runs_fit(chinchilla(), &d, &opts);
    check_close(fit.theta[E], truth[E], 0.02, 0.0);
    check_close(fit.theta[ALPHA], truth[ALPHA], 0.05, 0.0);
    check_close(fit.theta[BETA], truth[BETA], 0.05, 0.0);
    for (size_t j = 0; j < NP; j++)
        assert_true(fit.lo[j] < fit.theta[j] && fit.theta[j] < fit.hi[j]);
    tw_law_fit_release(&fit);
}

static void case_bootstrap_intervals_hold_the_truth_as_often_as_they_say(void **state)
{
    enum { SETS = 60 };
    static struct runs d;
    size_t in[NP] = { 0 }, all = 0;

    (void)state;
    for (uint64_t k = 0; k < SETS; k++) {
        struct tw_law_fit_opts opts = runs_opts(chinchilla());
        struct tw_law_fit fit;

        make(100 + k, 3e-3, &d);
        opts.bootstrap = 200;
        opts.starts = 3;
        opts.seed = k;
        fit = runs_fit(chinchilla(), &d, &opts);
        for (size_t j = 0; j < NP; j++)
            in[j] += fit.lo[j] <= truth[j] && truth[j] <= fit.hi[j];
        tw_law_fit_release(&fit);
    }
    for (size_t j = 0; j < NP; j++) {
        print_message("# %s: %zu of %d\n", chinchilla()->params[j].name, in[j], (int)SETS);
        assert_true(in[j] >= SETS * 3 / 4);
        all += in[j];
    }
    assert_true(all >= NP * SETS * 85 / 100 && all < NP * SETS);
}

/* Each run twice is each with weight two: the same parameters, twice the objective. */
static void repeated_runs_count_twice(void **state)
{
    static struct runs d;
    struct tw_law_fit_opts opts = runs_opts(chinchilla());
    struct tw_law_fit once, twice;

    (void)state;
    make(4, 5e-3, &d);
    once = runs_fit(chinchilla(), &d, &opts);
    for (size_t i = 0; i < 64; i++) {
        d.input[N][64 + i] = d.input[N][i];
        d.input[D][64 + i] = d.input[D][i];
        d.y[64 + i] = d.y[i];
    }
    d.n = 128;
    twice = runs_fit(chinchilla(), &d, &opts);
    check_close(twice.min.objective, 2.0 * once.min.objective, 1e-9, 0.0);
    check_vec(twice.theta, once.theta, NP, 1e-4, 0.0);
    tw_law_fit_release(&once);
    tw_law_fit_release(&twice);
}

static void a_held_parameter_stays(void **state)
{
    static struct runs d;
    struct tw_law_fit_opts opts = runs_opts(chinchilla());
    struct tw_law_fit free_fit, held;

    (void)state;
    make(5, 5e-3, &d);
    free_fit = runs_fit(chinchilla(), &d, &opts);
    opts.fixed[BETA] = true;
    opts.fixed_value[BETA] = 0.3;
    held = runs_fit(chinchilla(), &d, &opts);
    check_close(held.theta[BETA], 0.3, 0.0, 0.0);
    assert_true(held.min.objective > free_fit.min.objective);
    tw_law_fit_release(&held);
    opts.fixed_value[BETA] = free_fit.theta[BETA];
    held = runs_fit(chinchilla(), &d, &opts);
    check_close(held.min.objective, free_fit.min.objective, 1e-9, 0.0);
    tw_law_fit_release(&held);
    tw_law_fit_release(&free_fit);
}

/* ---- bad inputs --------------------------------------------------------------------------------
 */

static void inputs_that_are_not_positive_are_refused_by_name(void **state)
{
    static const double bad[] = { 0.0, -1.0, (double)NAN, (double)INFINITY };
    static struct runs d;
    struct tw_law_fit_opts opts = runs_opts(chinchilla());

    (void)state;
    for (size_t k = 0; k < 4; k++)
        for (size_t input = N; input <= D; input++) {
            struct tw_law_fit fit = { 0 };
            struct tw_err err = { 0 };

            make(6, 0.0, &d);
            d.input[input][11] = bad[k];
            assert_int_equal(tw_law_fit_run(chinchilla(), runs_group(&d), 1, &opts, &fit, &err),
                             TW_EDOMAIN);
            assert_non_null(strstr(err.msg, input == N ? "run 12 has N" : "run 12 has D"));
            tw_law_fit_release(&fit);
        }
}

static void bad_losses_and_too_few_runs_are_refused(void **state)
{
    static struct runs d;
    struct tw_law_fit_opts opts = runs_opts(chinchilla());
    struct tw_law_fit fit = { 0 };
    struct tw_err err = { 0 };

    (void)state;
    make(7, 0.0, &d);
    d.y[3] = -1.0;
    assert_int_equal(tw_law_fit_run(chinchilla(), runs_group(&d), 1, &opts, &fit, &err),
                     TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "loss -1"));
    tw_law_fit_release(&fit);
    make(7, 0.0, &d);
    d.n = NP - 1;
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_law_fit_run(chinchilla(), runs_group(&d), 1, &opts, &fit, &err),
                     TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "4 points cannot determine the 5 parameters"));
    tw_law_fit_release(&fit);
}

static void tables_of_one_size_or_length_are_called_so(void **state)
{
    static struct runs d;
    void *model;

    (void)state;
    make(8, 0.0, &d);
    model = chinchilla()->model_alloc(runs_group(&d), 1, TW_WARMUP_SKIP, NULL);
    assert_null(chinchilla()->unidentified(model));
    chinchilla()->model_free(model);
    for (size_t input = N; input <= D; input++) {
        make(8, 0.0, &d);
        for (size_t i = 0; i < d.n; i++)
            d.input[input][i] = 1e9;
        model = chinchilla()->model_alloc(runs_group(&d), 1, TW_WARMUP_SKIP, NULL);
        assert_non_null(strstr(chinchilla()->unidentified(model), input == N ? "one N" : "one D"));
        chinchilla()->model_free(model);
    }
}

/* ---- threads ----------------------------------------------------------------------------------
 */

static void the_same_seed_gives_the_same_bits_on_any_number_of_threads(void **state)
{
    const int before = omp_get_max_threads();
    static struct runs d;
    struct tw_law_fit fit[3];

    (void)state;
    make(9, 5e-3, &d);
    for (int k = 0; k < 3; k++) {
        struct tw_law_fit_opts opts = runs_opts(chinchilla());

        omp_set_num_threads(k + 1);
        opts.bootstrap = 40;
        opts.profile = 1u << E | 1u << ALPHA;
        opts.seed = 11;
        fit[k] = runs_fit(chinchilla(), &d, &opts);
    }
    omp_set_num_threads(before);
    for (int k = 1; k < 3; k++) {
        assert_memory_equal(fit[0].theta, fit[k].theta, sizeof fit[0].theta);
        assert_memory_equal(fit[0].theta_boot, fit[k].theta_boot, 40 * NP * sizeof(double));
        assert_memory_equal(fit[0].correlation, fit[k].correlation, NP * NP * sizeof(double));
        for (size_t q = 0; q < 2; q++)
            assert_memory_equal(fit[0].profiles[q].rise, fit[k].profiles[q].rise,
                                fit[0].profiles[q].n * sizeof(double));
    }
    for (int k = 0; k < 3; k++)
        tw_law_fit_release(&fit[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_best_known_objective_is_reached_from_every_start),
        cmocka_unit_test(random_starts_of_the_published_grids_box_all_arrive),
        cmocka_unit_test(least_absolute_deviations_agree_with_the_published_estimate),
        cmocka_unit_test(bootstrap_intervals_agree_with_the_published_ones),
        cmocka_unit_test(the_optimum_of_a_budget_is_the_least_loss_on_its_line),
        cmocka_unit_test(derivatives_are_those_of_differences),
        cmocka_unit_test(parameters_are_recovered),
        cmocka_unit_test(case_bootstrap_intervals_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(repeated_runs_count_twice),
        cmocka_unit_test(a_held_parameter_stays),
        cmocka_unit_test(inputs_that_are_not_positive_are_refused_by_name),
        cmocka_unit_test(bad_losses_and_too_few_runs_are_refused),
        cmocka_unit_test(tables_of_one_size_or_length_are_called_so),
        cmocka_unit_test(the_same_seed_gives_the_same_bits_on_any_number_of_threads),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
