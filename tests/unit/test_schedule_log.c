/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Schedules from logged rates, and how wrong they may be; the published schedules. */
#include <stdlib.h>

#include "curves.h"
#include "num.h"

/* Every step's rate of a spec, thinned to points `first`, first + h, ... with the last step if
 * it falls on one; and the schedule made of those. */
struct thinned {
    struct tw_schedule truth, got;
    size_t first, last;
};

/* With `uneven` each gap is drawn between 1 and h. */
static void thin(const double *lr, size_t n, size_t first, size_t h, struct tw_rng *uneven,
                 struct thinned *t)
{
    double *x = calloc(n, sizeof *x), *y = calloc(n, sizeof *y);
    struct tw_err err = { 0 };
    size_t k = 0;

    assert_true(x && y);
    t->got = (struct tw_schedule){ 0 };
    t->first = first;
    for (size_t i = first; i < n; i += uneven ? 1 + (size_t)tw_rng_below(uneven, h) : h) {
        x[k] = (double)i;
        y[k++] = lr[i];
        t->last = i;
    }
    if (tw_schedule_from_log(x, y, k, 0, 1.0, &t->got, &err) != TW_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(t->got.n, t->last + 1);
    free(x);
    free(y);
}

/* How far the sum of rates over the log is off, as a share of the area under the lines. */
static double missed(const double *lr, const struct thinned *t)
{
    double error = 0.0, sum = 0.0;

    for (size_t i = t->first; i <= t->last; i++) {
        error += t->got.lr[i] - lr[i];
        sum += t->got.lr[i];
    }
    sum -= 0.5 * (t->got.lr[t->first] + t->got.lr[t->last]);
    return sum > 0.0 ? fabs(error) / sum : 0.0;
}

static void thin_spec(const char *spec, size_t first, size_t h, struct tw_rng *uneven,
                      struct thinned *t)
{
    t->truth = (struct tw_schedule){ 0 };
    assert_int_equal(tw_schedule_parse(spec, NULL, NULL, &t->truth, NULL), TW_OK);
    thin(t->truth.lr, t->truth.n, first, h, uneven, t);
}

static void thinned_release(struct thinned *t)
{
    tw_schedule_release(&t->truth);
    tw_schedule_release(&t->got);
}

static void a_dense_log_gives_every_rate_back(void **state)
{
    struct thinned t;

    (void)state;
    thin_spec("cosine:peak=0.71,end=0.03,total=57,warmup=9", 0, 1, NULL, &t);
    assert_int_equal(t.got.logged.source, TW_LR_DENSE);
    assert_int_equal(t.got.logged.unlogged_start, 0);
    check_close(t.got.logged.s1_error, 0.0, 0.0, 0.0);
    check_close(t.got.logged.spacing, 1.0, 0.0, 0.0);
    check_vec(t.got.lr, t.truth.lr, 57, 1e-15, 0.0);
    assert_int_equal(t.got.warm_end, t.truth.warm_end);
    thinned_release(&t);
}

static void straight_stretches_with_kinks_on_points_are_exact(void **state)
{
    struct thinned t;

    (void)state;
    /* kinks at 40 and 160, points every 10 from 0 */
    thin_spec("wsdld:peak=0.71,total=200,decay=40,warmup=40,ramp=s/w", 0, 10, NULL, &t);
    assert_int_equal(t.got.logged.source, TW_LR_LINEAR);
    check_close(t.got.logged.s1_error, 0.0, 0.0, 0.0);
    check_close(t.got.logged.spacing, 10.0, 0.0, 0.0);
    check_vec(t.got.lr, t.truth.lr, t.got.n, 1e-13, 1e-16);
    thinned_release(&t);
}

static void a_curved_rate_is_called_interpolated_and_bounded_tightly(void **state)
{
    struct thinned t;
    double error;

    (void)state;
    thin_spec("cosine:peak=3e-4,end=3e-5,total=24000,warmup=2160", 2160, 128, NULL, &t);
    error = missed(t.truth.lr, &t);
    assert_int_equal(t.got.logged.source, TW_LR_INTERPOLATED);
    assert_int_equal(t.got.logged.unlogged_start, 2160);
    assert_true(error > 0.0 && error <= t.got.logged.s1_error);
    assert_true(t.got.logged.s1_error < 1e-4);
    thinned_release(&t);
}

static void an_unlogged_warm_up_rises_from_zero(void **state)
{
    struct thinned t;

    (void)state;
    thin_spec("constant:peak=0.7,total=400,warmup=100", 140, 20, NULL, &t);
    assert_int_equal(t.got.logged.unlogged_start, 140);
    check_close(t.got.lr[0], 0.0, 0.0, 0.0);
    check_close(t.got.lr[35], 0.7 / 4, 1e-14, 0.0);
    check_close(t.got.lr[140], 0.7, 1e-15, 0.0);
    assert_int_equal(t.got.warm_end, 140);
    thinned_release(&t);
}

static void a_short_gap_before_the_first_point_is_constant(void **state)
{
    struct thinned t;

    (void)state;
    thin_spec("constant:peak=0.7,total=400", 20, 20, NULL, &t);
    for (size_t i = 0; i < 400 && i < t.got.n; i++)
        check_close(t.got.lr[i], 0.7, 1e-15, 0.0);
    assert_int_equal(t.got.warm_end, 0);
    thinned_release(&t);
}

static void a_log_that_begins_inside_the_warm_up_continues_its_line_down(void **state)
{
    struct thinned t;

    (void)state;
    thin_spec("constant:peak=0.7,total=400,warmup=101", 60, 20, NULL, &t);
    check_vec(t.got.lr, t.truth.lr, 100, 1e-13, 1e-16);
    thinned_release(&t);
}

static void base_and_batch_count_steps_in_a_log_of_tokens(void **state)
{
    static const double x[] = { 2048, 6144, 10240 }, lr[] = { 0.5, 0.25, 0.125 };
    struct tw_schedule s = { 0 };

    (void)state;
    assert_int_equal(tw_schedule_from_log(x, lr, 3, 1, 2048.0, &s, NULL), TW_OK);
    assert_int_equal(s.n, 5); /* steps 1, 3 and 5, at index 0, 2 and 4 */
    assert_int_equal(s.base, 1);
    check_close(s.lr[0], 0.5, 1e-15, 0.0);
    check_close(s.lr[1], 0.375, 1e-15, 0.0);
    check_close(s.lr[4], 0.125, 1e-15, 0.0);
    check_close(s.logged.spacing, 2.0, 1e-15, 0.0);
    tw_schedule_release(&s);
}

static void the_last_logged_rate_holds_for_one_and_a_half_spacings(void **state)
{
    static const double x[] = { 0, 10, 20 }, lr[] = { 0.5, 0.5, 0.25 };
    struct tw_schedule s = { 0 }, formula = { 0 };

    (void)state;
    assert_int_equal(tw_schedule_from_log(x, lr, 3, 0, 1.0, &s, NULL), TW_OK);
    assert_int_equal(tw_schedule_hold(&s, 20.0, NULL), TW_OK);
    assert_int_equal(s.n, 21);
    assert_int_equal(tw_schedule_hold(&s, 29.0, NULL), TW_OK);
    assert_int_equal(s.n, 30);
    for (size_t i = 20; i < 30; i++)
        check_close(s.lr[i], 0.25, 0.0, 0.0);
    tw_schedule_release(&s);
    assert_int_equal(tw_schedule_from_log(x, lr, 3, 0, 1.0, &s, NULL), TW_OK);
    assert_int_equal(tw_schedule_hold(&s, 1e300, NULL), TW_OK);
    assert_int_equal(s.n, 36);
    tw_schedule_release(&s);
    assert_int_equal(tw_schedule_parse("constant:peak=0.5,total=21", NULL, NULL, &formula, NULL),
                     TW_OK);
    assert_int_equal(tw_schedule_hold(&formula, 29.0, NULL), TW_OK);
    assert_int_equal(formula.n, 21);
    tw_schedule_release(&formula);
}

static void one_point_is_a_constant_up_to_it(void **state)
{
    static const double x[] = { 3 }, lr[] = { 0.5 };
    struct tw_schedule s = { 0 };

    (void)state;
    assert_int_equal(tw_schedule_from_log(x, lr, 1, 0, 1.0, &s, NULL), TW_OK);
    assert_int_equal(s.n, 4);
    check_close(s.lr[3], 0.5, 0.0, 0.0);
    tw_schedule_release(&s);
}

/* Two points far apart lie on a line whatever happened between them. */
static void two_points_prove_nothing(void **state)
{
    static const double x[] = { 0, 100 }, lr[] = { 0.5, 0.5 }, fall[] = { 0.5, 0.1 };
    struct tw_schedule s = { 0 };

    (void)state;
    assert_int_equal(tw_schedule_from_log(x, lr, 2, 0, 1.0, &s, NULL), TW_OK);
    assert_int_equal(s.logged.source, TW_LR_LINEAR);
    tw_schedule_release(&s);
    /* from 0.5 to 0.1: the drop may be anywhere, half the difference times the gap is missed */
    assert_int_equal(tw_schedule_from_log(x, fall, 2, 0, 1.0, &s, NULL), TW_OK);
    assert_int_equal(s.logged.source, TW_LR_INTERPOLATED);
    check_close(s.logged.s1_error, 20.0 / 30.0, 1e-12, 0.0);
    tw_schedule_release(&s);
}

static void logs_that_make_no_schedule_are_refused(void **state)
{
    static const struct {
        double x[3], lr[3];
        enum tw_status rc;
        const char *words;
    } bad[] = {
        { { 1, 2, 3 }, { 1, -0.25, 1 }, TW_EDOMAIN, "learning rate -0.25 at x = 2" },
        { { 1, 2, 3 }, { 1, 1, (double)NAN }, TW_EDOMAIN, "at x = 3" },
        { { 1, 2, 3 }, { 1, (double)INFINITY, 1 }, TW_EDOMAIN, "at x = 2" },
        { { 1, 2, 3 }, { 1, 1, 1.7e308 }, TW_EDOMAIN, "lies between 0 and 1e6" },
        { { 1, 3, 2 }, { 1, 1, 1 }, TW_EDOMAIN, "x = 2 does not follow 3" },
        { { 1, 2, 2 }, { 1, 1, 1 }, TW_EDOMAIN, "x = 2 does not follow 2" },
        { { 1, 2, (double)NAN }, { 1, 1, 1 }, TW_EDOMAIN, "does not follow 2" },
        { { 1, 2, (double)INFINITY }, { 1, 1, 1 }, TW_EDOMAIN, "does not follow 2" },
        { { -1, 2, 3 }, { 1, 1, 1 }, TW_EDOMAIN, "expected steps from 0" },
        { { 1, 2, 2e9 }, { 1, 1, 1 }, TW_EDOMAIN, "batch=" },
    };
    struct tw_schedule s = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct tw_err err = { 0 };

        assert_int_equal(tw_schedule_from_log(bad[i].x, bad[i].lr, 3, 0, 1.0, &s, &err), bad[i].rc);
        if (!strstr(err.msg, bad[i].words))
            fail_msg("'%s' is not in: %s", bad[i].words, err.msg);
        tw_schedule_release(&s);
    }
    assert_int_equal(tw_schedule_from_log(bad[0].x, bad[0].lr, 0, 0, 1.0, &s, NULL), TW_EINVAL);
}

/* ---- the bound on S1 holds ------------------------------------------------------------------ */

static void check_bound(const double *lr, const struct thinned *t, const char *what, size_t h)
{
    const double error = missed(lr, t);

    if (!(error <= t->got.logged.s1_error * (1.0 + 1e-9) + 1e-12))
        fail_msg("%s, a point every %zu steps or less from %zu to %zu: off by %.4g, bound %.4g",
                 what, h, t->first, t->last, error, t->got.logged.s1_error);
    if (t->got.logged.source != TW_LR_INTERPOLATED && error > 1e-9)
        fail_msg("%s, a point every %zu steps: called exact, off by %.4g", what, h, error);
}

static void the_bound_holds_for_every_kind_at_random_spacings(void **state)
{
    static const char *const specs[] = {
        "constant:peak=3e-4,total=4000,warmup=317",
        "linear:peak=3e-4,end=1e-5,total=4000,warmup=317",
        "cosine:peak=3e-4,total=4000,warmup=317,ramp=s/w",
        "cosine:peak=3e-4,end=1e-4,total=4000",
        "wsd:peak=3e-4,end=3e-5,total=4000,decay=1213,warmup=200",
        "wsd:peak=3e-4,end=3e-6,total=4000,decay=707,shape=1-sqrt",
        "wsd:peak=3e-4,end=3e-5,total=4000,decay=1713,shape=cosine",
        "wsdld:peak=3e-4,total=4000,decay=391,warmup=23",
        "wsdcon:peak=3e-4,end=5e-5,total=4000,stage=1931,warmup=100",
        "rewarmup:peak=3e-4,end=3e-5,total=4000,warmup=200,restart=2100,rewarm=311,peak2=2e-4",
    };
    struct tw_rng rng = tw_rng_stream(77, TW_RNG_TEST, 1);

    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof specs[0]; i++)
        for (size_t trial = 0; trial < 60; trial++) {
            const size_t h = 2 + (size_t)tw_rng_below(&rng, 130);
            const size_t first = (size_t)tw_rng_below(&rng, 600);
            struct thinned t;

            thin_spec(specs[i], first, h, trial % 2 ? &rng : NULL, &t);
            check_bound(t.truth.lr, &t, specs[i], h);
            thinned_release(&t);
        }
}

/* Straight pieces that meet in kinks or jumps, each at least three intervals from the next. */
static void the_bound_holds_for_kinks_and_jumps_anywhere(void **state)
{
    enum { N = 3000 };
    static double lr[N];
    struct tw_rng rng = tw_rng_stream(78, TW_RNG_TEST, 2);

    (void)state;
    for (size_t trial = 0; trial < 800; trial++) {
        const size_t h = 2 + (size_t)tw_rng_below(&rng, 60);
        size_t next = 1 + (size_t)tw_rng_below(&rng, 200);
        double rate = 0.5 + tw_rng_real(&rng), slope = 0.0;
        struct thinned t;

        for (size_t i = 0; i < N; i++) {
            if (i == next) {
                const double target = tw_rng_real(&rng);

                next += 3 * h + 1 + (size_t)tw_rng_below(&rng, 900);
                if (tw_rng_below(&rng, 2))
                    rate = target; /* a jump, and then as steep as before or flat */
                slope = tw_rng_below(&rng, 3) ? (target - rate) / (double)(next - i) : 0.0;
            }
            lr[i] = rate;
            rate = fmax(0.0, rate + slope);
        }
        thin(lr, N - (size_t)tw_rng_below(&rng, 70), (size_t)tw_rng_below(&rng, 90), h,
             trial % 2 ? &rng : NULL, &t);
        check_bound(lr, &t, "kinks and jumps", h);
        tw_schedule_release(&t.got);
    }
}

/* ---- published schedules --------------------------------------------------------------------- */

/* A check sum of a row of schedules.csv by the name of its column. */
static double column(const char *row, const char *head, const char *name)
{
    const size_t n = strlen(name);

    while (*head && (strcspn(head, ",\n") != n || strncmp(head, name, n) != 0)) {
        head += strcspn(head, ",");
        row += strcspn(row, ",") + 1;
        head += *head == ',';
    }
    return strtod(row, NULL);
}

static void check_sums(const struct tw_schedule *s, const char *row, const char *head)
{
    const double s1_want = column(row, head, "S1_last");
    const double keep_want = column(row, head, "S2_last_lambda0_999");
    const double skip_want = column(row, head, "S2_last_lambda0_999_skip_warmup");
    double *s1 = calloc(s->n, sizeof *s1), *s2 = calloc(s->n, sizeof *s2);

    assert_true(s1 && s2);
    tw_law_annealing_features(s, TW_WARMUP_KEEP, 0.999, s1, s2);
    check_close(s1[s->n - 1], s1_want, 2e-12, 0.0);
    check_close(s2[s->n - 1], keep_want, 2e-12, 2e-12);
    tw_law_annealing_features(s, TW_WARMUP_SKIP, 0.999, NULL, s2);
    check_close(s2[s->n - 1], skip_want, 2e-12, 2e-12);
    free(s1);
    free(s2);
}

static void published_schedules_have_their_check_sums(void **state)
{
    char path[512], head[512], row[512];
    size_t seen = 0;
    FILE *f;

    (void)state;
    if (!ref_present()) {
        print_message("# ../shared/data/scaling is not there (set TW_SHARED)\n");
        skip();
    }
    ref_path(path, sizeof path, "25M", "schedules");
    f = fopen(path, "r");
    assert_true(f && fgets(head, sizeof head, f));
    while (fgets(row, sizeof row, f))
        for (size_t c = 0; c < REF_CURVES; c++) {
            struct tw_schedule s = { 0 };

            if (strlen(ref_curve[c].name) != strcspn(row, ",") ||
                strncmp(row, ref_curve[c].name, strcspn(row, ",")) != 0)
                continue;
            assert_int_equal(tw_schedule_parse(ref_curve[c].spec, NULL, NULL, &s, NULL), TW_OK);
            check_sums(&s, row, head);
            tw_schedule_release(&s);
            seen++;
        }
    (void)fclose(f);
    assert_int_equal(seen, REF_CURVES);
}

static void published_rates_are_those_of_the_schedules(void **state)
{
    static const char *const sizes[] = { "25M", "400M" };
    struct ref_data d[REF_CURVES];

    (void)state;
    if (!ref_present()) {
        print_message("# ../shared/data/scaling is not there (set TW_SHARED)\n");
        skip();
    }
    for (size_t k = 0; k < 2; k++) {
        assert_true(ref_load(sizes[k], d));
        for (size_t c = 0; c < REF_CURVES; c++)
            for (size_t j = 0; j < d[c].n; j++) {
                size_t i;

                assert_true(tw_schedule_index(&d[c].schedule, d[c].x[j], &i));
                check_close(d[c].schedule.lr[i], d[c].lr[j], 0.0, 1e-15);
            }
        ref_release(d, REF_CURVES);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dense_log_gives_every_rate_back),
        cmocka_unit_test(straight_stretches_with_kinks_on_points_are_exact),
        cmocka_unit_test(a_curved_rate_is_called_interpolated_and_bounded_tightly),
        cmocka_unit_test(an_unlogged_warm_up_rises_from_zero),
        cmocka_unit_test(a_short_gap_before_the_first_point_is_constant),
        cmocka_unit_test(a_log_that_begins_inside_the_warm_up_continues_its_line_down),
        cmocka_unit_test(base_and_batch_count_steps_in_a_log_of_tokens),
        cmocka_unit_test(the_last_logged_rate_holds_for_one_and_a_half_spacings),
        cmocka_unit_test(one_point_is_a_constant_up_to_it),
        cmocka_unit_test(two_points_prove_nothing),
        cmocka_unit_test(logs_that_make_no_schedule_are_refused),
        cmocka_unit_test(the_bound_holds_for_every_kind_at_random_spacings),
        cmocka_unit_test(the_bound_holds_for_kinks_and_jumps_anywhere),
        cmocka_unit_test(published_schedules_have_their_check_sums),
        cmocka_unit_test(published_rates_are_those_of_the_schedules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
