/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How replicates of tables of runs are drawn: clusters, cases, Webb's six points; and whether the
 * intervals of few configurations hold the truth. */
#include "law/resample.h"
#include "runs.h"

enum { E, A, ALPHA, B, BETA, NP };
static const double truth[NP] = { 1.82, 480.0, 0.35, 2100.0, 0.37 };

static const struct tw_law *law(void)
{
    return tw_law_find("chinchilla");
}

static void equal_inputs_are_one_configuration(void **state)
{
    static const double n[] = { 1, 2, 1, 3, 2, 1 }, d[] = { 5, 5, 5, 5, 5, 6 };
    static const double *const input[] = { n, d };
    static const size_t given[] = { 7, 7, 3, 3, 9, 7 };
    static const size_t by_input[] = { 0, 1, 0, 2, 1, 3, 4, 5, 4, 6, 5, 7 };
    static const size_t by_number[] = { 0, 0, 1, 1, 2, 0, 3, 3, 4, 4, 5, 3 };
    struct tw_law_curve runs[2] = { { .n = 6, .input = input }, { .n = 6, .input = input } };
    size_t of[12], count;

    (void)state;
    assert_true(tw_resample_clusters(runs, 2, 2, of, &count));
    assert_int_equal(count, 8); /* groups apart */
    assert_memory_equal(of, by_input, sizeof of);
    runs[0].cluster = runs[1].cluster = given;
    assert_true(tw_resample_clusters(runs, 2, 2, of, &count));
    assert_int_equal(count, 6);
    assert_memory_equal(of, by_number, sizeof of);
}

static void cases_keep_groups_pairs_and_clusters_together(void **state)
{
    static const size_t first[] = { 0, 4, 8 };
    static const size_t cluster[] = { 0, 0, 1, 1, 2, 2, 3, 3 };
    struct tw_resample s = { .kind = TW_BOOTSTRAP_CASE,
                             .seed = 1,
                             .ngroups = 2,
                             .first = first,
                             .cluster = cluster,
                             .nclusters = 4,
                             .need = 3,
                             .each = true };
    double weight[8], v[4];

    (void)state;
    for (uint64_t b = 0; b < 200; b++) {
        size_t distinct[2] = { 0, 0 };

        tw_resample_draw(&s, b, v, weight);
        for (size_t i = 0; i < 8; i++)
            distinct[i / 4] += weight[i] > 0.0;
        assert_true(distinct[0] >= 3 && distinct[1] >= 3);
        check_close(weight[0] + weight[1] + weight[2] + weight[3], 4.0, 0.0, 0.0);
    }
    s.paired = true;
    tw_resample_draw(&s, 1, v, weight);
    assert_memory_equal(weight, weight + 4, 4 * sizeof *weight);
    s.paired = false;
    s.whole = true;
    s.need = 0;
    for (uint64_t b = 0; b < 20; b++) {
        tw_resample_draw(&s, b, v, weight);
        for (size_t i = 0; i < 8; i += 2)
            check_close(weight[i], weight[i + 1], 0.0, 0.0);
        check_close(weight[0] + weight[2], 2.0, 0.0, 0.0);
        check_close(weight[4] + weight[6], 2.0, 0.0, 0.0);
    }
}

/* Mean 0, variance 1, third moment 0, fourth 7/6 (Webb's table), the same within a cluster. */
static void wild_draws_are_webbs_six_points(void **state)
{
    enum { N = 6000 };
    static const size_t first[] = { 0, 4 }, cluster[] = { 0, 1, 0, 1 };
    static const double fitted[] = { 1, 2, 3, 4 }, residual[] = { 1, 2, -1, 4 };
    const struct tw_resample s = { .kind = TW_BOOTSTRAP_WILD,
                                   .seed = 2,
                                   .ngroups = 1,
                                   .first = first,
                                   .cluster = cluster,
                                   .nclusters = 2,
                                   .fitted = fitted,
                                   .residual = residual };
    double moment[4] = { 0.0 };
    size_t seen[6] = { 0 };

    (void)state;
    for (uint64_t b = 0; b < N; b++) {
        double v[2], target[4], x, side;

        tw_resample_draw(&s, b, v, target);
        x = target[0] - 1.0;
        check_close(target[2], 3.0 - x, 1e-15, 0.0);
        check_close((target[3] - 4.0) / 4.0, (target[1] - 2.0) / 2.0, 1e-14, 0.0);
        for (int k = 0; k < 4; k++)
            moment[k] += pow(x, k + 1) / N;
        side = 2.0 * x * x; /* 1, 2 or 3 */
        check_close(side, round(side), 1e-12, 0.0);
        assert_in_range((size_t)round(side), 1, 3);
        seen[(x < 0.0 ? 3 : 0) + (size_t)round(side) - 1]++;
    }
    for (int k = 0; k < 6; k++)
        assert_in_range(seen[k], 880, 1120); /* a sixth, to four standard deviations */
    check_close(moment[0], 0.0, 0.0, 0.06);
    check_close(moment[1], 1.0, 0.0, 0.03);
    check_close(moment[2], 0.0, 0.0, 0.09);
    check_close(moment[3], 7.0 / 6.0, 0.0, 0.05);
}

/* A square grid of `side` sizes and lengths, `repeat` rows a configuration that share half of
 * their noise. */
static void grid(size_t side, size_t repeat, struct tw_rng *rng, struct runs *d)
{
    *d = (struct runs){ .n = side * side * repeat };
    for (size_t i = 0; i < d->n; i++) {
        const size_t k = i / repeat;

        d->input[0][i] = 5e7 * pow(60.0, (double)(k % side) / (double)(side - 1));
        d->input[1][i] = 1e9 * pow(100.0, (double)(k / side) / (double)(side - 1));
    }
    runs_predict(law(), truth, 0.002, rng, d);
    for (size_t i = 0; i < d->n && repeat > 1; i += repeat) {
        const double common = exp(0.002 * tw_rng_normal(rng));

        for (size_t k = 0; k < repeat; k++)
            d->y[i + k] *= common;
    }
}

/* Of 80 tables: how often the 90 % interval of alpha holds the truth. */
static size_t coverage(size_t side, size_t repeat, enum tw_bootstrap kind, enum tw_bootstrap *used)
{
    size_t in = 0;

    for (uint64_t t = 0; t < 80; t++) {
        struct tw_rng rng = tw_rng_stream(3, TW_RNG_TEST, t);
        struct tw_law_fit_opts opts = tw_law_fit_defaults();
        static struct runs d;
        struct tw_law_fit fit;

        grid(side, repeat, &rng, &d);
        opts.bootstrap = 100;
        opts.level = 0.9;
        opts.starts = 4;
        opts.kind = kind;
        fit = runs_fit(law(), &d, &opts);
        in += fit.lo[ALPHA] <= truth[ALPHA] && fit.hi[ALPHA] >= truth[ALPHA];
        *used = fit.opts.kind;
        tw_law_fit_release(&fit);
    }
    print_message("# %zu of 80\n", in);
    return in;
}

static void few_configurations_are_drawn_wild_and_hold_the_truth(void **state)
{
    enum tw_bootstrap used;

    (void)state;
    /* 72 expected; four standard deviations are 11. */
    assert_in_range(coverage(3, 1, TW_BOOTSTRAP_AUTO, &used), 61, 80);
    assert_int_equal(used, TW_BOOTSTRAP_WILD);
    assert_in_range(coverage(3, 4, TW_BOOTSTRAP_AUTO, &used), 61, 80);
    assert_int_equal(used, TW_BOOTSTRAP_WILD);
}

static void many_are_drawn_as_cases_and_repeated_ones_whole(void **state)
{
    enum tw_bootstrap used;

    (void)state;
    assert_in_range(coverage(5, 3, TW_BOOTSTRAP_AUTO, &used), 61, 80);
    assert_int_equal(used, TW_BOOTSTRAP_CASE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_inputs_are_one_configuration),
        cmocka_unit_test(cases_keep_groups_pairs_and_clusters_together),
        cmocka_unit_test(wild_draws_are_webbs_six_points),
        cmocka_unit_test(few_configurations_are_drawn_wild_and_hold_the_truth),
        cmocka_unit_test(many_are_drawn_as_cases_and_repeated_ones_whole),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
