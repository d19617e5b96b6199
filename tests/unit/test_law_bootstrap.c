/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Intervals: bootstrap and profiles, their coverage, and that threads change no bit. */
#include <omp.h>
#include <stdlib.h>

#include "curves.h"
#include "num.h"

enum { NP = 5, LAMBDA = 4 };
static const double truth[NP] = { 2.7, 0.52, 0.51, 0.83, 0.985 };

static struct made train[] = {
    { "cosine:peak=3e-3,end=3e-4,total=2400,warmup=200", 200, 40, 2e-3, 0.4, 0, NULL },
    { "constant:peak=3e-3,total=2400,warmup=200", 200, 40, 2e-3, 0.4, 0, NULL },
    { "wsdcon:peak=3e-3,end=9e-4,total=2400,stage=1300,warmup=200", 200, 40, 2e-3, 0.4, 0, NULL },
};

static void make_curves(uint64_t item, struct ref_data *d, struct tw_law_curve *curves)
{
    for (size_t c = 0; c < 3; c++) {
        train[c].item = 10 * item + c;
        assert_true(made_curve(&train[c], truth, TW_WARMUP_SKIP, &d[c]));
        curves[c] = d[c].curve;
    }
}

static struct tw_law_fit fitted(const struct tw_law_curve *curves, size_t n,
                                const struct tw_law_fit_opts *opts)
{
    struct tw_law_fit fit = { 0 };
    struct tw_err err = { 0 };

    if (tw_law_fit_run(tw_law_find("annealing"), curves, n, opts, &fit, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return fit;
}

/* ---- coverage -------------------------------------------------------------------------------- */

/* Of 40 made-up sets of curves, in how many does the 95 % interval hold the truth? Residuals
 * that are taken for independent, or blocks that tear curves apart, fail this. */
static void bootstrap_intervals_hold_the_truth_about_as_often_as_they_say(void **state)
{
    enum { SETS = 40 };
    size_t in[NP] = { 0 }, all = 0;

    (void)state;
    for (uint64_t k = 0; k < SETS; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        struct ref_data d[3];
        struct tw_law_curve curves[3];
        struct tw_law_fit fit;

        make_curves(k + 1, d, curves);
        opts.bootstrap = 120;
        opts.seed = 1 + k;
        opts.starts = 4;
        fit = fitted(curves, 3, &opts);
        assert_int_equal(fit.failed, 0);
        assert_int_equal(fit.replicates, 120);
        for (size_t j = 0; j < NP; j++)
            in[j] += fit.lo[j] <= truth[j] && truth[j] <= fit.hi[j];
        tw_law_fit_release(&fit);
        ref_release(d, 3);
    }
    for (size_t j = 0; j < NP; j++) {
        print_message("# %s: %zu of %d intervals hold the truth\n",
                      tw_law_find("annealing")->params[j].name, in[j], (int)SETS);
        assert_true(in[j] >= SETS * 3 / 4);
        all += in[j];
    }
    assert_true(all >= NP * SETS * 8 / 10 && all < NP * SETS);
}

static void profile_intervals_hold_the_truth_about_as_often_as_they_say(void **state)
{
    enum { SETS = 40 };
    size_t in[NP] = { 0 }, all = 0;

    (void)state;
    for (uint64_t k = 0; k < SETS; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        struct ref_data d[3];
        struct tw_law_curve curves[3];
        struct tw_law_fit fit;

        make_curves(k + 1, d, curves);
        opts.profile = (1u << NP) - 1;
        opts.starts = 4;
        fit = fitted(curves, 3, &opts);
        assert_int_equal(fit.nprofiles, NP);
        for (size_t j = 0; j < NP; j++)
            in[j] += fit.profiles[j].lo <= truth[j] && truth[j] <= fit.profiles[j].hi;
        tw_law_fit_release(&fit);
        ref_release(d, 3);
    }
    for (size_t j = 0; j < NP; j++) {
        print_message("# %s: %zu of %d profile intervals hold the truth\n",
                      tw_law_find("annealing")->params[j].name, in[j], (int)SETS);
        assert_true(in[j] >= SETS * 3 / 4);
        all += in[j];
    }
    assert_true(all >= NP * SETS * 8 / 10 && all < NP * SETS);
}

/* ---- profiles ----------------------------------------------------------------------------------
 */

static void a_profile_ends_where_a_fit_held_there_is_worse_by_the_threshold(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    struct tw_law_fit fit;

    (void)state;
    make_curves(77, d, curves);
    opts.profile = (1u << NP) - 1;
    fit = fitted(curves, 3, &opts);
    for (size_t k = 0; k < fit.nprofiles; k++) {
        const struct tw_law_profile *q = &fit.profiles[k];
        const double ends[2] = { q->lo, q->hi };
        size_t zero = 0;

        assert_int_equal(q->param, k);
        assert_true(q->lo < fit.theta[k] && fit.theta[k] < q->hi);
        assert_true(q->inflation >= 1.0 && q->threshold > 0.0);
        for (size_t i = 0; i < q->n; i++) {
            assert_true(i == 0 || q->x[i] > q->x[i - 1]);
            assert_true(q->rise[i] >= 0.0);
            zero += q->rise[i] <= 0.0;
        }
        assert_true(zero >= 1 && q->rise[0] >= q->threshold && q->rise[q->n - 1] >= q->threshold);
        for (size_t e = 0; e < 2; e++) {
            struct tw_law_fit_opts held = tw_law_fit_defaults();
            struct tw_law_fit at;

            held.fixed[k] = true;
            held.fixed_value[k] = ends[e];
            at = fitted(curves, 3, &held);
            check_close(at.min.objective - fit.min.objective, q->threshold, 0.1, 0.0);
            tw_law_fit_release(&at);
        }
    }
    tw_law_fit_release(&fit);
    ref_release(d, 3);
}

static void a_fixed_parameter_has_no_profile(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    struct tw_law_fit fit;

    (void)state;
    make_curves(78, d, curves);
    opts.profile = 1u << LAMBDA | 1u << 2;
    opts.fixed[LAMBDA] = true;
    opts.fixed_value[LAMBDA] = 0.98;
    opts.bootstrap = 20;
    fit = fitted(curves, 3, &opts);
    assert_int_equal(fit.nprofiles, 1);
    assert_int_equal(fit.profiles[0].param, 2);
    for (size_t b = 0; b < 20; b++)
        check_close(fit.theta_boot[b * NP + LAMBDA], 0.98, 0.0, 0.0);
    tw_law_fit_release(&fit);
    ref_release(d, 3);
}

static void a_wider_level_gives_wider_intervals(void **state)
{
    static const double levels[] = { 0.5, 0.8, 0.99 };
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    double boot = 0.0, profile = 0.0;

    (void)state;
    make_curves(79, d, curves);
    for (size_t k = 0; k < 3; k++) {
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        struct tw_law_fit fit;

        opts.level = levels[k];
        opts.bootstrap = 100;
        opts.profile = 1u << 2;
        fit = fitted(curves, 3, &opts);
        assert_true(fit.hi[2] - fit.lo[2] > boot);
        assert_true(fit.profiles[0].hi - fit.profiles[0].lo > profile);
        boot = fit.hi[2] - fit.lo[2];
        profile = fit.profiles[0].hi - fit.profiles[0].lo;
        tw_law_fit_release(&fit);
    }
    ref_release(d, 3);
}

/* ---- replicates
 * ---------------------------------------------------------------------------------- */

static void correlations_and_quantiles_are_those_of_the_replicates(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    struct tw_law_fit fit;
    size_t below[NP] = { 0 }, above[NP] = { 0 };

    (void)state;
    make_curves(80, d, curves);
    opts.bootstrap = 200;
    opts.block = 7;
    fit = fitted(curves, 3, &opts);
    assert_int_equal(fit.opts.block, 7);
    for (size_t b = 0; b < 200; b++)
        for (size_t j = 0; j < NP; j++) {
            below[j] += fit.theta_boot[b * NP + j] < fit.lo[j];
            above[j] += fit.theta_boot[b * NP + j] > fit.hi[j];
        }
    for (size_t j = 0; j < NP; j++) {
        assert_int_equal(below[j], 5);
        assert_int_equal(above[j], 5);
        check_close(fit.correlation[j * NP + j], 1.0, 0.0, 0.0);
        for (size_t i = 0; i < j; i++) {
            check_close(fit.correlation[i * NP + j], fit.correlation[j * NP + i], 0.0, 0.0);
            assert_true(fabs(fit.correlation[i * NP + j]) <= 1.0);
        }
    }
    assert_true(fit.correlation[0 * NP + 2] > 0.5); /* L0 and alpha rise together */
    tw_law_fit_release(&fit);
    ref_release(d, 3);
}

static void blocks_longer_than_a_curve_are_its_whole_length(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    struct tw_law_fit fit;

    (void)state;
    make_curves(81, d, curves);
    curves[2].n = 9;
    opts.bootstrap = 10;
    opts.block = 1000;
    fit = fitted(curves, 3, &opts);
    assert_int_equal(fit.failed, 0);
    tw_law_fit_release(&fit);
    ref_release(d, 3);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { POINTS = 60 };

struct outcome {
    struct tw_law_fit fit;
    double band[5][POINTS];
};

static void run_on(int threads, const struct tw_law_curve *curves, struct outcome *o)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    const struct tw_law_band band = { o->band[0], o->band[1], o->band[2], o->band[3], o->band[4] };
    const struct tw_law_forecast_opts how = { .seed = 5 };

    omp_set_num_threads(threads);
    opts.bootstrap = 50;
    opts.profile = (1u << NP) - 1;
    opts.model_error = opts.choose_warmup = true;
    opts.seed = 99;
    o->fit = fitted(curves, 3, &opts);
    assert_true(curves[0].n <= POINTS);
    assert_int_equal(tw_law_forecast(&o->fit, &curves[0], &how, &band, NULL), TW_OK);
}

static void the_same_seed_gives_the_same_bits_on_any_number_of_threads(void **state)
{
    const int before = omp_get_max_threads();
    static struct outcome one, more;
    struct ref_data d[3];
    struct tw_law_curve curves[3];

    (void)state;
    make_curves(82, d, curves);
    run_on(1, curves, &one);
    for (int threads = 2; threads <= 3; threads++) {
        run_on(threads, curves, &more);
        assert_memory_equal(one.fit.theta, more.fit.theta, sizeof one.fit.theta);
        assert_memory_equal(one.fit.r, more.fit.r, one.fit.n * sizeof(double));
        assert_memory_equal(one.fit.theta_boot, more.fit.theta_boot, 50 * NP * sizeof(double));
        assert_memory_equal(one.fit.correlation, more.fit.correlation, NP * NP * sizeof(double));
        assert_memory_equal(one.fit.left_out_r, more.fit.left_out_r, one.fit.n * sizeof(double));
        assert_memory_equal(&one.fit.model_error, &more.fit.model_error, sizeof(double));
        for (size_t k = 0; k < NP; k++) {
            const struct tw_law_profile *p = &one.fit.profiles[k], *q = &more.fit.profiles[k];

            assert_int_equal(p->n, q->n);
            assert_memory_equal(p->x, q->x, p->n * sizeof(double));
            assert_memory_equal(p->rise, q->rise, p->n * sizeof(double));
        }
        assert_memory_equal(one.band, more.band, sizeof one.band);
        tw_law_fit_release(&more.fit);
    }
    omp_set_num_threads(before);
    tw_law_fit_release(&one.fit);
    ref_release(d, 3);
}

static void another_seed_gives_other_replicates_and_the_same_fit(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    struct tw_law_fit a, b;

    (void)state;
    make_curves(83, d, curves);
    opts.bootstrap = 10;
    a = fitted(curves, 3, &opts);
    opts.seed = 1;
    b = fitted(curves, 3, &opts);
    assert_memory_equal(a.theta, b.theta, NP * sizeof(double));
    assert_memory_not_equal(a.theta_boot, b.theta_boot, 10 * NP * sizeof(double));
    tw_law_fit_release(&a);
    tw_law_fit_release(&b);
    ref_release(d, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bootstrap_intervals_hold_the_truth_about_as_often_as_they_say),
        cmocka_unit_test(profile_intervals_hold_the_truth_about_as_often_as_they_say),
        cmocka_unit_test(a_profile_ends_where_a_fit_held_there_is_worse_by_the_threshold),
        cmocka_unit_test(a_fixed_parameter_has_no_profile),
        cmocka_unit_test(a_wider_level_gives_wider_intervals),
        cmocka_unit_test(correlations_and_quantiles_are_those_of_the_replicates),
        cmocka_unit_test(blocks_longer_than_a_curve_are_its_whole_length),
        cmocka_unit_test(the_same_seed_gives_the_same_bits_on_any_number_of_threads),
        cmocka_unit_test(another_seed_gives_other_replicates_and_the_same_fit),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
