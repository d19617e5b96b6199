/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Approaches 1 and 2 on surfaces E + A N^-alpha + B D^-beta whose frontier is known, and on the
 * published points. */
#include "runs.h"
#include "thalweg/law_frontier.h"

static const double e = 1.8, a = 480.0, b = 2100.0;

static double loss(double n, double c, double alpha, double beta)
{
    return e + a * pow(n, -alpha) + b * pow(c / 6.0 / n, -beta);
}

/* Hoffmann et al. 2022, eq. (4). */
static double best(double c, double alpha, double beta)
{
    const double g = pow(alpha * a / (beta * b), 1.0 / (alpha + beta));

    return g * pow(c / 6.0, beta / (alpha + beta));
}

/* Budgets of `per` sizes spread evenly over `half` in log N to both sides of the best one moved by
 * `aside` half-widths; sd of the noise. */
struct design {
    double alpha, beta, half, aside, drift, sd;
    size_t budgets, per;
};

static void isoflops(const struct design *q, struct runs *d)
{
    struct tw_rng rng = tw_rng_stream(31, TW_RNG_TEST, 0);

    *d = (struct runs){ 0 };
    for (size_t g = 0; g < q->budgets; g++) {
        const double c = 1e18 * pow(4.0, (double)g), n0 = best(c, q->alpha, q->beta);

        for (size_t i = 0; i < q->per; i++) {
            const double z = 2.0 * (double)i / (double)(q->per - 1) - 1.0;
            const double n =
                n0 * exp(q->half * (z + q->aside + q->drift * (double)g / (double)q->budgets));

            d->input[0][d->n] = n;
            d->input[1][d->n] = c / 6.0 / n;
            d->y[d->n++] = loss(n, c, q->alpha, q->beta) + q->sd * tw_rng_normal(&rng);
        }
    }
}

static struct tw_frontier frontier(enum tw_frontier_kind kind, struct runs *d,
                                   const struct tw_frontier_opts *opts)
{
    struct tw_frontier f = { 0 };
    struct tw_err err = { 0 };

    if (tw_frontier_run(kind, runs_group(d), 1, opts, &f, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return f;
}

/* What a parabola makes of a cubic: (alpha - beta) / 6 times the fourth over the second moment of
 * the sizes; W^2 / 10 for many. */
static double shift(const struct design *q)
{
    double m2 = 0.0, m4 = 0.0;

    for (size_t i = 0; i < q->per; i++) {
        const double z = q->half * (2.0 * (double)i / (double)(q->per - 1) - 1.0);

        m2 += z * z;
        m4 += z * z * z * z;
    }
    return (q->alpha - q->beta) / 6.0 * m4 / m2;
}

/* With alpha = beta the loss is even about its minimum, and so is the fit. */
static void equal_exponents_give_no_bias(void **state)
{
    const struct design q = { .alpha = 0.34, .beta = 0.34, .half = 1.5, .budgets = 6, .per = 9 };
    struct tw_frontier_opts opts = tw_frontier_defaults();
    static struct runs d;
    struct tw_frontier f;

    (void)state;
    opts.bootstrap = 0;
    isoflops(&q, &d);
    f = frontier(TW_FRONTIER_ISOFLOP, &d, &opts);
    assert_int_equal(f.n, 6);
    assert_int_equal(f.used, 6);
    for (size_t g = 0; g < f.n; g++) {
        const struct tw_frontier_point *p = &f.point[g];

        check_close(p->flops, 1e18 * pow(4.0, (double)g), 1e-12, 0.0);
        check_close(p->size, best(p->flops, 0.34, 0.34), 1e-9, 0.0);
        check_close(6.0 * p->size * p->tokens, p->flops, 1e-14, 0.0);
        check_close(p->half_width, 1.5, 1e-12, 0.0);
        check_close(p->aside, 0.0, 0.0, 1e-9);
        assert_int_equal(p->n, 9);
        for (size_t k = 0; k < p->n; k++) /* by size, each its own */
            assert_int_equal(p->run[k], 9 * g + k);
    }
    check_close(f.a, 0.5, 1e-9, 0.0);
    check_close(f.k, best(f.centre, 0.34, 0.34), 1e-9, 0.0);
    assert_true(isnan(f.a_lo));
    tw_frontier_release(&f);
}

static void other_exponents_give_the_bias_that_is_known(void **state)
{
    struct tw_frontier_opts opts = tw_frontier_defaults();
    static struct runs d;

    (void)state;
    opts.bootstrap = 0;
    for (int sign = -1; sign <= 1; sign += 2)
        for (double half = 0.4; half < 1.7; half += 0.4) {
            const struct design q = { .alpha = 0.36 + 0.06 * sign,
                                      .beta = 0.36 - 0.06 * sign,
                                      .half = half,
                                      .budgets = 5,
                                      .per = 41 };
            struct tw_frontier f;

            isoflops(&q, &d);
            f = frontier(TW_FRONTIER_ISOFLOP, &d, &opts);
            for (size_t g = 0; g < f.n; g++) {
                const double off = log(f.point[g].size / best(f.point[g].flops, q.alpha, q.beta));

                /* The next order is smaller by the square of the exponents times W. */
                assert_true(off * sign > 0.0);
                check_close(off, shift(&q), 0.15 * half * half, 0.0);
                check_close(shift(&q), 0.12 * sign * half * half / 10.0, 0.08, 0.0);
            }
            /* One width for all budgets: the same shift for all, and a right exponent. */
            check_close(f.a, q.beta / (q.alpha + q.beta), 1e-6, 0.0);
            tw_frontier_release(&f);
        }
}

/* Sizes that drift off the best one from budget to budget bend the exponent. */
static void drifting_sizes_bias_the_exponent(void **state)
{
    struct design q = {
        .alpha = 0.34, .beta = 0.34, .half = 2.0, .drift = 0.8, .budgets = 6, .per = 11
    };
    struct tw_frontier_opts opts = tw_frontier_defaults();
    static struct runs d;
    struct tw_frontier f;

    (void)state;
    opts.bootstrap = 0;
    isoflops(&q, &d);
    f = frontier(TW_FRONTIER_ISOFLOP, &d, &opts);
    print_message("# drift 0.8: a = %.5f, aside of the last %.3f\n", f.a, f.point[5].aside);
    assert_true(fabs(f.a - 0.5) > 0.003);
    assert_true(f.point[5].aside < -0.5);
    tw_frontier_release(&f);
}

static void intervals_cover_and_repeat(void **state)
{
    const struct design q = {
        .alpha = 0.34, .beta = 0.34, .half = 1.2, .sd = 0.002, .budgets = 6, .per = 9
    };
    struct tw_frontier_opts opts = tw_frontier_defaults();
    static struct runs d;
    struct tw_frontier f, again;

    (void)state;
    isoflops(&q, &d);
    f = frontier(TW_FRONTIER_ISOFLOP, &d, &opts);
    again = frontier(TW_FRONTIER_ISOFLOP, &d, &opts);
    print_message("# a = %.4f [%.4f, %.4f], %zu of %zu failed\n", f.a, f.a_lo, f.a_hi, f.failed,
                  f.replicates);
    assert_true(f.a_lo < 0.5 && 0.5 < f.a_hi && f.a_hi - f.a_lo < 0.1);
    assert_true(f.k_lo < f.k && f.k < f.k_hi);
    check_ulp(again.a_lo, f.a_lo, 0);
    check_ulp(again.k_hi, f.k_hi, 0);
    tw_frontier_release(&f);
    tw_frontier_release(&again);
}

static void minima_outside_are_left_out(void **state)
{
    struct tw_frontier_opts opts = tw_frontier_defaults();
    struct design q = {
        .alpha = 0.34, .beta = 0.34, .half = 0.6, .aside = 1.5, .budgets = 4, .per = 7
    };
    struct tw_frontier f = { 0 };
    struct tw_err err = { 0 };
    static struct runs d;

    (void)state;
    isoflops(&q, &d);
    assert_int_equal(tw_frontier_run(TW_FRONTIER_ISOFLOP, runs_group(&d), 1, &opts, &f, &err),
                     TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "0 of 4 budgets have a minimum within their sizes"));
    assert_non_null(strstr(f.point[0].why, "outside the sizes"));
    tw_frontier_release(&f);
    for (size_t i = 0; i < d.n; i++)
        d.y[i] = 3.0 - (d.y[i] - 3.0); /* downwards */
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_frontier_run(TW_FRONTIER_ISOFLOP, runs_group(&d), 1, &opts, &f, &err),
                     TW_EDOMAIN);
    assert_non_null(strstr(f.point[0].why, "opens downwards"));
    tw_frontier_release(&f);
}

static void budgets_may_be_given(void **state)
{
    const struct design q = { .alpha = 0.34, .beta = 0.34, .half = 1.0, .budgets = 5, .per = 7 };
    static const double budgets[] = { 1.02e18, 6.4e19 }, lost[] = { 1e18, 3e18 };
    static const double close[] = { 1e18, 1.05e18 };
    struct tw_frontier_opts opts = tw_frontier_defaults();
    struct tw_frontier f;
    struct tw_err err = { 0 };
    static struct runs d;

    (void)state;
    isoflops(&q, &d);
    opts.bootstrap = 0;
    opts.budget = budgets;
    opts.nbudgets = 2;
    f = frontier(TW_FRONTIER_ISOFLOP, &d, &opts);
    assert_int_equal(f.n, 2);
    check_close(f.point[1].flops, 6.4e19, 1e-12, 0.0);
    check_close(f.a, 0.5, 1e-9, 0.0);
    tw_frontier_release(&f);
    opts.budget = lost;
    assert_int_equal(tw_frontier_run(TW_FRONTIER_ISOFLOP, runs_group(&d), 1, &opts, &f, &err),
                     TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "no run within 10 % of the budget 3e+18"));
    tw_frontier_release(&f);
    opts.budget = close;
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_frontier_run(TW_FRONTIER_ISOFLOP, runs_group(&d), 1, &opts, &f, &err),
                     TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "shares runs with another"));
    tw_frontier_release(&f);
}

/* Curves of a surface: where sizes are dense, the lowest at each budget is the best one but for
 * the distance of neighbours. */
static void envelopes_find_the_best_size(void **state)
{
    enum { SIZES = 30, ROWS = 10 };
    const double alpha = 0.34, beta = 0.34;
    struct tw_frontier_opts opts = tw_frontier_defaults();
    static struct runs d;
    struct tw_frontier f;
    struct tw_err err = { 0 };

    (void)state;
    d = (struct runs){ 0 };
    for (size_t s = 0; s < SIZES; s++) {
        const double n = 1e7 * pow(1.25, (double)s);

        for (size_t i = 0; i < ROWS; i++) {
            const double tokens = 2.0 * n * pow(1.8, (double)i);

            d.input[0][d.n] = n;
            d.input[1][d.n] = tokens;
            d.y[d.n++] = loss(n, 6.0 * n * tokens, alpha, beta);
        }
    }
    opts.bootstrap = 200;
    f = frontier(TW_FRONTIER_ENVELOPE, &d, &opts);
    assert_int_equal(f.curves, SIZES);
    assert_int_equal(f.n, 1500);
    print_message("# envelope: a = %.4f [%.4f, %.4f], %.0f %% and %.0f %% at the ends\n", f.a,
                  f.a_lo, f.a_hi, 100.0 * f.smallest, 100.0 * f.largest);
    for (size_t i = 0; i < f.n; i++) {
        const struct tw_frontier_point *p = &f.point[i];

        if (p->size > 1.5e7 && p->size < 4e9 && p->tokens > 4.0 * p->size &&
            p->tokens < 150.0 * p->size)
            check_close(log(p->size), log(best(p->flops, alpha, beta)), 0.0, 0.35);
    }
    check_close(f.a, 0.5, 0.01, 0.0);
    assert_false(f.ends);
    assert_true(f.a_lo <= f.a && f.a <= f.a_hi);
    tw_frontier_release(&f);
    for (size_t i = 0; i < d.n; i++)
        d.input[0][i] = 1e8;
    assert_int_equal(tw_frontier_run(TW_FRONTIER_ENVELOPE, runs_group(&d), 1, &opts, &f, &err),
                     TW_EDOMAIN);
    assert_non_null(strstr(err.msg, "no budget is reached by training curves of two sizes"));
    tw_frontier_release(&f);
}

/* The published points: nine budgets were 6e18 to 3e21; a about a half. */
static void published_valleys_are_found(void **state)
{
    static const double budgets[] = { 6e18, 1e19, 3e19, 6e19, 1e20, 3e20, 6e20, 1e21, 3e21 };
    struct tw_frontier_opts opts = tw_frontier_defaults();
    FILE *f = runs_open("chinchilla_245.csv");
    char line[512], cell[64];
    static struct runs d;
    struct tw_frontier q;

    (void)state;
    if (!f)
        runs_skip();
    d = (struct runs){ 0 };
    assert_non_null(fgets(line, sizeof line, f));
    while (fgets(line, sizeof line, f)) {
        for (size_t k = 0; k < 2; k++) {
            runs_cell(line, k, cell);
            d.input[k][d.n] = strtod(cell, NULL);
        }
        runs_cell(line, 3, cell);
        d.y[d.n++] = strtod(cell, NULL);
    }
    (void)fclose(f);
    opts.budget = budgets;
    opts.nbudgets = 9;
    q = frontier(TW_FRONTIER_ISOFLOP, &d, &opts);
    print_message("# a = %.4f [%.4f, %.4f] from %zu of %zu budgets, %zu failed\n", q.a, q.a_lo,
                  q.a_hi, q.used, q.n, q.failed);
    for (size_t i = 0; i < q.n; i++)
        print_message("#   %.3g: %zu runs, N* %.3g, aside %.2f, half-width %.2f %s\n",
                      q.point[i].flops, q.point[i].n, q.point[i].size, q.point[i].aside,
                      q.point[i].half_width, q.point[i].why ? q.point[i].why : "");
    assert_true(q.used >= 8);
    assert_true(q.a_lo < 0.5 && q.a_hi > 0.46 && q.a_hi - q.a_lo < 0.1);
    tw_frontier_release(&q);
    opts.nbudgets = 0;
    q = frontier(TW_FRONTIER_ISOFLOP, &d, &opts);
    print_message("# found by itself: a = %.4f [%.4f, %.4f] from %zu of %zu budgets\n", q.a, q.a_lo,
                  q.a_hi, q.used, q.n);
    for (size_t i = 0; i < q.n; i++)
        print_message("#   %.3g: %zu runs, N* %.3g, aside %.2f, half-width %.2f %s\n",
                      q.point[i].flops, q.point[i].n, q.point[i].size, q.point[i].aside,
                      q.point[i].half_width, q.point[i].why ? q.point[i].why : "");
    tw_frontier_release(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_exponents_give_no_bias),
        cmocka_unit_test(other_exponents_give_the_bias_that_is_known),
        cmocka_unit_test(drifting_sizes_bias_the_exponent),
        cmocka_unit_test(intervals_cover_and_repeat),
        cmocka_unit_test(minima_outside_are_left_out),
        cmocka_unit_test(budgets_may_be_given),
        cmocka_unit_test(envelopes_find_the_best_size),
        cmocka_unit_test(published_valleys_are_found),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
