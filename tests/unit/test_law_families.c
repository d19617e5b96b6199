/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Families of runs under one law: against fits made another way, closed forms, and the tables of
 * two architectures in arXiv:2604.03444 (Table 18 and 19). */
#include <omp.h>

#include "runs.h"
#include "thalweg/law_families.h"

enum { E, A, ALPHA, B, BETA, NP };
enum { N, D };
enum { EXPONENTS = 1u << ALPHA | 1u << BETA, ALL = (1u << NP) - 1u };

#define check_near(got, want, off) check_close((got), (want), 0.0, (off))
/* The published fits, as rounded there. */
static const double transformer[NP] = { 1.65, 108.83, 0.252, 83.45, 0.213 };
static const double hybrid[NP] = { 1.60, 71.14, 0.226, 81.72, 0.219 };

static const struct tw_law *law(void)
{
    return tw_law_find("chinchilla");
}

/* Seven sizes times five lengths, as in that paper; sizes of `scale` times its. */
static void grid(const double *theta, double scale, double sd, struct tw_rng *rng, struct runs *d)
{
    static const double size[] = { 6e7, 1e8, 1.9e8, 3.7e8, 6e8, 1e9, 1.5e9 };

    *d = (struct runs){ .n = 35 };
    for (size_t i = 0; i < d->n; i++) {
        d->input[N][i] = scale * size[i / 5];
        d->input[D][i] = 20.0 * size[i / 5] * pow(2.0, (double)(i % 5) - 1.0);
    }
    runs_predict(law(), theta, sd, rng, d);
}

static struct tw_families fit(struct runs *d, size_t n, unsigned shared, size_t replicates)
{
    struct tw_law_curve family[4];
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct tw_families f = { 0 };
    struct tw_err err = { 0 };

    opts.bootstrap = replicates;
    for (size_t k = 0; k < n; k++)
        family[k] = *runs_group(&d[k]);
    if (tw_families_fit(law(), family, n, shared, &opts, &f, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return f;
}

static void two(double sd, uint64_t seed, struct runs *d)
{
    struct tw_rng rng = tw_rng_stream(seed, TW_RNG_TEST, 0);

    grid(transformer, 1.0, sd, &rng, &d[0]);
    grid(hybrid, 1.02, sd, &rng, &d[1]);
}

/* ---- the fit ----------------------------------------------------------------------------------
 */

static void sharing_everything_is_one_fit_of_all_runs(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    static struct runs d[2];
    struct tw_law_curve both[2];
    struct tw_law_fit one = { 0 };
    struct tw_families f;

    (void)state;
    two(0.01, 1, d);
    f = fit(d, 2, ALL, 0);
    both[0] = *runs_group(&d[0]);
    both[1] = *runs_group(&d[1]);
    assert_int_equal(tw_law_fit_run(law(), both, 2, &opts, &one, NULL), TW_OK);
    check_near(f.min.objective, one.min.objective, 1e-12 * one.min.objective);
    for (size_t j = 0; j < NP; j++) {
        check_near(f.fit[0].theta[j], one.theta[j], 1e-6 * one.theta[j]);
        check_near(f.fit[1].theta[j], f.fit[0].theta[j], 0.0);
    }
    assert_int_equal(f.at_optimum, f.starts);
    tw_law_fit_release(&one);
    tw_families_release(&f);
}

static void sharing_nothing_is_a_fit_of_each(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    static struct runs d[2];
    struct tw_families f;
    double sum = 0.0;

    (void)state;
    two(0.01, 2, d);
    f = fit(d, 2, 0, 0);
    for (size_t k = 0; k < 2; k++) {
        struct tw_law_fit one = { 0 };

        assert_int_equal(tw_law_fit_run(law(), runs_group(&d[k]), 1, &opts, &one, NULL), TW_OK);
        for (size_t j = 0; j < NP; j++)
            check_near(f.fit[k].theta[j], one.theta[j], 1e-6 * one.theta[j]);
        sum += one.min.objective;
        tw_law_fit_release(&one);
    }
    check_near(f.min.objective, sum, 1e-10 * sum);
    tw_families_release(&f);
}

static void shared_exponents_and_what_differs_come_back(void **state)
{
    static const double a[NP] = { 1.6, 66.0, 0.22, 95.0, 0.22 };
    static const double b[NP] = { 1.6, 65.0, 0.22, 84.0, 0.22 };
    struct tw_rng rng = tw_rng_stream(3, TW_RNG_TEST, 0);
    static struct runs d[2];
    struct tw_families f;
    struct tw_family_value gap;

    (void)state;
    grid(a, 1.0, 0.0, &rng, &d[0]);
    grid(b, 1.0, 0.0, &rng, &d[1]);
    f = fit(d, 2, EXPONENTS, 0);
    for (size_t j = 0; j < NP; j++) {
        check_near(f.fit[0].theta[j], a[j], 1e-5 * a[j]);
        check_near(f.fit[1].theta[j], b[j], 1e-5 * b[j]);
    }
    assert_int_equal(tw_families_difference(&f, 1, B, &gap, NULL), TW_OK);
    check_near(gap.value, -11.0, 1e-3);
    assert_true(isnan(gap.lo) && isnan(gap.hi)); /* no bootstrap, no interval */
    tw_families_release(&f);
}

/* ---- the bootstrap ----------------------------------------------------------------------------
 */

static void equal_families_are_paired_and_never_differ(void **state)
{
    struct tw_family_savings s;
    static struct runs d[2];
    struct tw_families f;

    (void)state;
    two(0.003, 4, d);
    d[1] = d[0];
    f = fit(d, 2, EXPONENTS, 60);
    assert_true(f.paired);
    assert_int_equal(f.failed, 0);
    for (size_t j = 0; j < NP; j++) {
        struct tw_family_value gap;

        assert_int_equal(tw_families_difference(&f, 1, j, &gap, NULL), TW_OK);
        check_near(gap.lo, 0.0, 1e-5 * f.fit[0].theta[j]);
        check_near(gap.hi, 0.0, 1e-5 * f.fit[0].theta[j]);
    }
    assert_int_equal(tw_families_savings(&f, 1, 2.6, 1e9, &s, NULL), TW_OK);
    check_near(s.factor.lo, 1.0, 1e-4);
    check_near(s.factor.hi, 1.0, 1e-4);
    tw_families_release(&f);
    d[1].n--; /* another grid: drawn apart, and then they differ */
    f = fit(d, 2, EXPONENTS, 60);
    assert_false(f.paired);
    assert_int_equal(tw_families_savings(&f, 1, 2.6, 1e9, &s, NULL), TW_OK);
    assert_true(s.factor.lo < 0.99 && s.factor.hi > 1.01);
    tw_families_release(&f);
}

/* Of 60 pairs of tables, made under the same law but for B: how often the 90 % interval of the
 * difference of B holds the truth. */
static void intervals_of_differences_hold_the_truth_as_often_as_they_say(void **state)
{
    enum { TIMES = 60 };
    static const double a[NP] = { 1.6, 66.0, 0.22, 95.0, 0.22 };
    static const double b[NP] = { 1.6, 66.0, 0.22, 84.0, 0.22 };
    size_t in = 0;

    (void)state;
    for (uint64_t t = 0; t < TIMES; t++) {
        struct tw_rng rng = tw_rng_stream(5, TW_RNG_TEST, t);
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        struct tw_law_curve family[2];
        static struct runs d[2];
        struct tw_families f = { 0 };
        struct tw_family_value gap;

        grid(a, 1.0, 0.003, &rng, &d[0]);
        grid(b, 1.0, 0.003, &rng, &d[1]);
        family[0] = *runs_group(&d[0]);
        family[1] = *runs_group(&d[1]);
        opts.bootstrap = 100;
        opts.level = 0.9;
        opts.starts = 4;
        assert_int_equal(tw_families_fit(law(), family, 2, EXPONENTS, &opts, &f, NULL), TW_OK);
        assert_int_equal(tw_families_difference(&f, 1, B, &gap, NULL), TW_OK);
        in += gap.lo <= -11.0 && gap.hi >= -11.0;
        tw_families_release(&f);
    }
    print_message("# %zu of %d\n", in, (int)TIMES);
    assert_in_range(in, 45, 60); /* 54 expected, four standard deviations below */
}

static void the_same_seed_gives_the_same_bits_on_any_number_of_threads(void **state)
{
    const int before = omp_get_max_threads();
    struct tw_families f[2];
    static struct runs d[2];

    (void)state;
    two(0.01, 6, d);
    for (int k = 0; k < 2; k++) {
        omp_set_num_threads(k + 1);
        f[k] = fit(d, 2, 1u << ALPHA, 40);
    }
    omp_set_num_threads(before);
    for (size_t k = 0; k < 2; k++)
        assert_memory_equal(f[0].fit[k].theta_boot, f[1].fit[k].theta_boot,
                            40 * NP * sizeof(double));
    tw_families_release(&f[0]);
    tw_families_release(&f[1]);
}

/* ---- savings ----------------------------------------------------------------------------------
 */

/* A fit that says exactly theta. */
static struct tw_families exact(const double *first, const double *other, size_t replicates)
{
    struct tw_rng rng = tw_rng_stream(7, TW_RNG_TEST, 0);
    static struct runs d[2];

    grid(first, 1.0, 0.0, &rng, &d[0]);
    grid(other, 1.0, 0.0, &rng, &d[1]);
    return fit(d, 2, 0, replicates);
}

static void published_parameters_give_published_savings(void **state)
{
    /* With the table's rounded parameters: what scipy's inversion of the same law gives. */
    static const double size[] = { 1e9, 7e9, 7e10 }, want[] = { 1.54, 1.86, 2.06 };
    struct tw_families f = exact(transformer, hybrid, 0);
    struct tw_family_savings s;
    struct tw_family_value gap;
    double loss[2];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(tw_families_savings(&f, 1, 2.474, size[i], &s, NULL), TW_OK);
        check_near(s.factor.value, want[i], 0.006);
    }
    assert_int_equal(tw_families_budget(&f, 1, 1e22, loss, &gap, NULL), TW_OK);
    check_near(loss[0], 2.31, 0.01);
    check_near(loss[1], 2.27, 0.01);
    check_near(gap.value, -0.042, 0.01);
    tw_families_release(&f);
}

static double predicted(const double *theta, double n, double d)
{
    return theta[E] + theta[A] * pow(n, -theta[ALPHA]) + theta[B] * pow(d, -theta[BETA]);
}

static void what_a_loss_needs_reaches_it_and_no_less_does(void **state)
{
    const double c = law()->compute(hybrid, 2.3);
    double best[2];

    (void)state;
    check_near(predicted(hybrid, 3e9, law()->tokens(hybrid, 3e9, 2.4)), 2.4, 1e-12);
    law()->optimum(hybrid, c, best);
    check_near(predicted(hybrid, best[N], best[D]), 2.3, 1e-12);
    for (double n = 1e8; n < 1e13; n *= 1.1) /* whatever its size, this budget does no better */
        assert_true(predicted(hybrid, n, c / 6.0 / n) >= 2.3 - 1e-12);
    assert_true(isinf(law()->compute(hybrid, hybrid[E])));
    assert_true(isinf(law()->tokens(hybrid, 3e9, predicted(hybrid, 3e9, INFINITY) - 1e-9)));
}

static void a_loss_out_of_reach_is_counted(void **state)
{
    struct tw_families f = exact(transformer, hybrid, 20);
    const double between = 1.625; /* under the one E and above the other */
    struct tw_family_savings s;

    (void)state;
    assert_int_equal(tw_families_savings(&f, 1, between, 0.0, &s, NULL), TW_OK);
    assert_true(isinf(s.first) && isfinite(s.other) && isinf(s.factor.value));
    assert_int_equal(s.infeasible_first, 20);
    assert_int_equal(s.infeasible_other, 0);
    assert_int_equal(s.replicates, 20);
    assert_true(isinf(s.factor.lo) && isinf(s.factor.hi));
    assert_int_equal(tw_families_savings(&f, 1, 1.5, 0.0, &s, NULL), TW_OK);
    assert_true(isnan(s.factor.value) && isnan(s.factor.lo));
    assert_int_equal(s.infeasible_other, 20);
    tw_families_release(&f);
}

/* ---- errors -----------------------------------------------------------------------------------
 */

static void too_many_parameters_and_too_few_runs_are_refused(void **state)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();
    struct tw_law_curve family[4];
    struct tw_families f = { 0 };
    struct tw_err err = { 0 };
    static struct runs d[2];

    (void)state;
    two(0.01, 8, d);
    for (size_t k = 0; k < 4; k++)
        family[k] = *runs_group(&d[k % 2]);
    assert_int_equal(tw_families_fit(law(), family, 4, 1u << ALPHA, &opts, &f, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "have 17 parameters, and 16"));
    tw_families_release(&f);
    err = (struct tw_err){ 0 };
    family[1].n = 4;
    family[1].name = "small";
    assert_int_equal(tw_families_fit(law(), family, 2, EXPONENTS, &opts, &f, &err), TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "small: 4 points cannot determine the 5 parameters"));
    tw_families_release(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sharing_everything_is_one_fit_of_all_runs),
        cmocka_unit_test(sharing_nothing_is_a_fit_of_each),
        cmocka_unit_test(shared_exponents_and_what_differs_come_back),
        cmocka_unit_test(equal_families_are_paired_and_never_differ),
        cmocka_unit_test(intervals_of_differences_hold_the_truth_as_often_as_they_say),
        cmocka_unit_test(the_same_seed_gives_the_same_bits_on_any_number_of_threads),
        cmocka_unit_test(published_parameters_give_published_savings),
        cmocka_unit_test(what_a_loss_needs_reaches_it_and_no_less_does),
        cmocka_unit_test(a_loss_out_of_reach_is_counted),
        cmocka_unit_test(too_many_parameters_and_too_few_runs_are_refused),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
