/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The comparison of laws: criteria by hand, the true law wins, what cannot be compared says so. */
#include "curves.h"
#include "num.h"
#include "thalweg/law_compare.h"

static const double theta[5] = { 2.5, 0.6, 0.45, 0.9, 0.995 };
static const char *const specs[] = {
    "cosine:peak=0.01,end=0.001,total=3000,warmup=100",
    "constant:peak=0.01,total=3000,warmup=100",
    "wsd:peak=0.01,end=0.001,total=3000,decay=600,warmup=100",
    "wsdcon:peak=0.01,end=0.003,total=3000,stage=1500,warmup=100",
    "cosine:peak=0.01,end=0.001,total=4000,warmup=100",
    "wsd:peak=0.01,end=0.0005,total=3500,decay=1200,warmup=100",
    "wsdcon:peak=0.01,end=0.001,total=2500,stage=1000,warmup=100",
};
enum { NSPECS = sizeof specs / sizeof specs[0] };

/* Curves of the annealing law, n of them, with a little noise from streams of their own. */
static void make(size_t n, const double *truth, struct ref_data *d, struct tw_law_curve *curves)
{
    for (size_t c = 0; c < n; c++) {
        const struct made m = { .spec = specs[c % NSPECS],
                                .from = 150,
                                .every = 25,
                                .sd = 0.002,
                                .phi = 0.5,
                                .item = 700 + c };

        assert_true(made_curve(&m, truth, TW_WARMUP_SKIP, &d[c]));
        curves[c] = d[c].curve;
    }
}

static struct tw_compare compared(const struct tw_law_curve *curves, size_t n,
                                  enum tw_compare_hold hold, const char *a, const char *b)
{
    const struct tw_compare_entry entries[2] = { { tw_law_find(a), curves },
                                                 { tw_law_find(b), curves } };
    struct tw_compare_opts opts = tw_compare_defaults();
    struct tw_compare cmp = { 0 };
    struct tw_err err = { 0 };

    opts.hold = hold;
    opts.replicates = 2000;
    if (tw_compare_run(entries, 2, n, &opts, &cmp, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return cmp;
}

/* ---- criteria ---------------------------------------------------------------------------------
 */

static void criteria_are_those_computed_by_hand(void **state)
{
    (void)state;
    /* 20 log 0.25 + 2*4 + 2*4*5/(20-5), 20 log 0.25 + 4 log 20 */
    check_close(tw_compare_aicc(log(0.25), 20.0, 4), -17.059220555730145, 1e-12, 0.0);
    check_close(tw_compare_bic(log(0.25), 20.0, 4), -15.742958128181849, 1e-12, 0.0);
    assert_true(isnan(tw_compare_aicc(0.0, 5.0, 4)));
    assert_true(isnan(tw_compare_bic(0.0, 5.0, 4)));
}

static void the_scale_is_robust_and_consistent(void **state)
{
    enum { N = 20000 };
    static double r[N];
    struct tw_rng rng = tw_rng_stream(1, TW_RNG_TEST, 5);
    const double same[5] = { -2.0, 2.0, 2.0, -2.0, 2.0 }, zeros[4] = { 0.0, 0.0, 0.0, 2.0 };
    double clean;

    (void)state;
    for (size_t i = 0; i < N; i++)
        r[i] = 0.3 * tw_rng_normal(&rng);
    clean = tw_compare_scale(r, N);
    check_close(clean, 0.3, 0.02, 0.0);
    for (size_t i = 0; i < N / 50; i++)
        r[i] = 1e6;
    assert_true(tw_compare_scale(r, N) < 1.15 * clean);
    /* By hand: every r / s0 is 1 / 1.4826, and E min(Z^2, 9) = 0.99500... */
    check_close(tw_compare_scale(same, 5), 2.0 / sqrt(0.9950074), 1e-6, 0.0);
    check_close(tw_compare_scale(zeros, 4), 1.0, 1e-15, 0.0);
    assert_true(isnan(tw_compare_scale(r, 0)));
}

static void one_effective_number_of_points_serves_all_laws(void **state)
{
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    struct tw_compare cmp;

    (void)state;
    make(3, theta, d, curves);
    cmp = compared(curves, 3, TW_COMPARE_CURVE, "steps", "annealing");
    assert_true(cmp.inflation > 1.5 && cmp.inflation < 6.0); /* AR(1) of 0.5: 3 */
    check_close(cmp.n_eff, (double)cmp.points / cmp.inflation, 1e-14, 0.0);
    check_close(cmp.inflation, cmp.row[0].inflation, 0.0, 0.0);
    assert_true(cmp.row[1].inflation > cmp.row[0].inflation);
    for (size_t i = 0; i < 2; i++) {
        const struct tw_compare_row *row = &cmp.row[i];
        double v = 2.0 * log(tw_compare_scale(row->fit.r, row->fit.n));

        for (size_t k = 0; k < row->fit.n; k++)
            v += 2.0 * log(row->fit.y[k]) / (double)row->fit.n;
        check_close(row->aicc, tw_compare_aicc(v, cmp.n_eff, row->law->nparams + 1), 1e-10, 0.0);
        check_close(row->bic, tw_compare_bic(v, cmp.n_eff, row->law->nparams + 1), 1e-10, 0.0);
    }
    tw_compare_release(&cmp);
    ref_release(d, 3);
}

/* ---- the true law wins ------------------------------------------------------------------------
 */

static void annealing_wins_on_its_own_curves(void **state)
{
    struct ref_data d[NSPECS];
    struct tw_law_curve curves[NSPECS];

    (void)state;
    make(NSPECS, theta, d, curves);
    for (int hold = 0; hold < 2; hold++) {
        struct tw_compare cmp =
            compared(curves, NSPECS, (enum tw_compare_hold)hold, "steps", "annealing");

        assert_string_equal(cmp.row[0].law->name, "annealing");
        assert_int_equal(cmp.nunits, NSPECS);
        assert_int_equal(cmp.ncommon, NSPECS);
        assert_true(cmp.row[0].pred_e < 0.004);
        assert_true(cmp.row[1].lo > 0.0 && cmp.row[1].lo < cmp.row[1].difference &&
                    cmp.row[1].difference < cmp.row[1].hi);
        check_close(cmp.row[1].difference, cmp.row[1].pred_e - cmp.row[0].pred_e, 1e-12, 0.0);
        assert_true(cmp.row[0].aicc < cmp.row[1].aicc && cmp.row[0].bic < cmp.row[1].bic);
        assert_true(cmp.same_objective);
        assert_true(cmp.row[1].weak > 0); /* L0 runs to 0: counted, and marked */
        tw_compare_release(&cmp);
    }
    ref_release(d, NSPECS);
}

/* Curves of the power law of steps: learning rates only mislead. */
static void steps_wins_on_its_own_curves(void **state)
{
    struct ref_data d[NSPECS];
    struct tw_law_curve curves[NSPECS];
    struct tw_compare cmp;

    (void)state;
    make(NSPECS, theta, d, curves);
    for (size_t c = 0; c < NSPECS; c++) {
        double e[200];

        ar1(900 + c, 0.002, 0.5, e, d[c].n);
        for (size_t i = 0; i < d[c].n; i++)
            d[c].y[i] = (2.0 + 30.0 * pow(d[c].x[i] + 1.0, -0.5)) * exp(e[i]);
    }
    cmp = compared(curves, NSPECS, TW_COMPARE_CURVE, "annealing", "steps");
    assert_string_equal(cmp.row[0].law->name, "steps");
    check_close(cmp.row[0].fit.theta[0], 2.0, 0.02, 0.0);
    check_close(cmp.row[0].fit.theta[2], 0.5, 0.05, 0.0);
    assert_true(cmp.row[0].aicc < cmp.row[1].aicc);
    tw_compare_release(&cmp);
    ref_release(d, NSPECS);
}

static void the_errors_are_those_of_a_fit_without_the_curve(void **state)
{
    struct tw_law_fit_opts o = tw_law_fit_defaults();
    const struct tw_law *law = tw_law_find("annealing");
    struct ref_data d[3];
    struct tw_law_curve curves[3];
    struct tw_compare cmp;
    struct tw_law_fit fit = { 0 };
    struct tw_law_score score;
    double yhat[200];
    void *model;

    (void)state;
    make(3, theta, d, curves);
    cmp = compared(curves, 3, TW_COMPARE_CURVE, "annealing", "steps");
    assert_int_equal(tw_law_fit_run(law, curves + 1, 2, &o, &fit, NULL), TW_OK);
    model = law->model_alloc(curves, 1, TW_WARMUP_SKIP, NULL);
    assert_non_null(model);
    assert_true(tw_law_predict(law, model, fit.theta, yhat));
    score = tw_law_score_of(d[0].y, yhat, d[0].n);
    check_close(cmp.row[0].cell[0].mae, score.mae, 1e-9, 0.0);
    check_close(cmp.row[0].cell[0].pred_e, score.pred_e, 1e-9, 0.0);
    check_close(cmp.row[0].cell[0].bias, score.bias, 1e-9, 1e-12);
    check_close(cmp.row[0].cell[0].final_e, fabs(score.final_error) / d[0].y[d[0].n - 1], 1e-9,
                0.0);
    assert_true(isnan(cmp.row[1].lo) && isnan(cmp.row[1].hi)); /* 3 curves are too few */
    law->model_free(model);
    tw_law_fit_release(&fit);
    tw_compare_release(&cmp);
    ref_release(d, 3);
}

static void a_tail_is_the_last_part_of_the_positions(void **state)
{
    struct ref_data d[2];
    struct tw_law_curve curves[2];
    struct tw_compare cmp;

    (void)state;
    make(2, theta, d, curves);
    cmp = compared(curves, 2, TW_COMPARE_TAIL, "annealing", "steps");
    for (size_t c = 0; c < 2; c++) {
        size_t n = 0;

        for (size_t i = 0; i < d[c].n; i++)
            n += d[c].x[i] > 0.7 * d[c].x[d[c].n - 1];
        assert_int_equal(cmp.row[0].cell[c].n, n);
    }
    tw_compare_release(&cmp);
    ref_release(d, 2);
}

static void seeds_of_one_schedule_are_held_out_together(void **state)
{
    struct ref_data d[NSPECS + 2];
    struct tw_law_curve curves[NSPECS + 2];
    struct tw_compare cmp;

    (void)state;
    make(NSPECS + 2, theta, d, curves); /* the last two have the schedules of the first two */
    cmp = compared(curves, NSPECS + 2, TW_COMPARE_CURVE, "annealing", "steps");
    assert_int_equal(cmp.nunits, NSPECS);
    assert_int_equal(cmp.row[0].cell[0].n, d[0].n + d[NSPECS].n);
    tw_compare_release(&cmp);
    ref_release(d, NSPECS + 2);
}

/* ---- what cannot be compared --------------------------------------------------------------------
 */

static void an_unidentified_law_is_a_row_that_says_so(void **state)
{
    struct ref_data d[2];
    struct tw_law_curve curves[2];
    struct tw_compare cmp;

    (void)state;
    make(2, theta, d, curves); /* cosine, constant: without the cosine nothing anneals */
    cmp = compared(curves, 2, TW_COMPARE_CURVE, "steps", "annealing");
    for (size_t i = 0; i < 2; i++) {
        const struct tw_compare_row *row = &cmp.row[i];

        if (!strcmp(row->law->name, "steps")) {
            assert_int_equal(row->scored, 2);
        } else {
            assert_int_equal(row->scored, 1);
            assert_non_null(row->cell[0].why);
            assert_non_null(strstr(row->cell[0].why, "learning rate"));
            assert_null(row->cell[1].why);
            assert_true(isnan(row->cell[0].mae));
        }
    }
    assert_int_equal(cmp.ncommon, 1);
    assert_false(cmp.common[0]);
    tw_compare_release(&cmp);
    ref_release(d, 2);
}

static void one_curve_leaves_nothing_to_fit(void **state)
{
    struct ref_data d[1];
    struct tw_law_curve curves[1];
    struct tw_compare cmp;

    (void)state;
    make(1, theta, d, curves);
    cmp = compared(curves, 1, TW_COMPARE_CURVE, "steps", "annealing");
    assert_int_equal(cmp.ncommon, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(cmp.row[i].cell[0].why, "nothing remains to fit");
        assert_true(isnan(cmp.row[i].pred_e));
        assert_non_null(cmp.row[i].fit.law);
    }
    tw_compare_release(&cmp);
    ref_release(d, 1);
}

static enum tw_status refused(const struct tw_compare_entry *e, size_t n, size_t ncurves,
                              enum tw_compare_hold hold, const char *words)
{
    struct tw_compare_opts opts = tw_compare_defaults();
    struct tw_compare cmp = { 0 };
    struct tw_err err = { 0 };
    enum tw_status rc;

    opts.hold = hold;
    rc = tw_compare_run(e, n, ncurves, &opts, &cmp, &err);
    if (!strstr(err.msg, words))
        fail_msg("'%s' does not say '%s'", err.msg, words);
    tw_compare_release(&cmp);
    return rc;
}

static void what_does_not_belong_together_is_refused(void **state)
{
    const struct tw_law *a = tw_law_find("annealing"), *c = tw_law_find("chinchilla");
    struct ref_data d[1];
    struct tw_law_curve curves[1], few;
    double y[200];
    struct tw_compare_entry e[2] = { { a, curves }, { c, curves } };

    (void)state;
    make(1, theta, d, curves);
    assert_int_equal(refused(e, 2, 1, TW_COMPARE_CURVE, "cannot be compared"), TW_EINVAL);
    assert_int_equal(refused(e, 1, 1, TW_COMPARE_LARGEST, "the size of its model is not known"),
                     TW_EINVAL);
    assert_int_equal(refused(e + 1, 1, 1, TW_COMPARE_TAIL, "not curves"), TW_EINVAL);
    assert_int_equal(refused(e, 0, 1, TW_COMPARE_CURVE, "no law"), TW_EINVAL);
    memcpy(y, d[0].y, d[0].n * sizeof *y);
    y[3] += 1.0;
    few = curves[0];
    few.y = y;
    e[1] = (struct tw_compare_entry){ a, &few };
    assert_int_equal(refused(e, 2, 1, TW_COMPARE_CURVE, "different runs"), TW_EINVAL);
    few.n = 4;
    few.y = d[0].y;
    assert_int_equal(refused(e + 1, 1, 1, TW_COMPARE_CURVE, "4 points cannot"), TW_EDOMAIN);
    ref_release(d, 1);
}

/* ---- runs
 * ----------------------------------------------------------------------------------------- */

static void of_runs_the_largest_size_is_held_out(void **state)
{
    enum { SIZES = 6, LENGTHS = 7, N = SIZES * LENGTHS };
    double size[N], tokens[N], y[N];
    const double *const input[2] = { size, tokens };
    const struct tw_law_curve runs = { .name = "runs", .n = N, .y = y, .input = input };
    const struct tw_compare_entry e = { tw_law_find("chinchilla"), &runs };
    struct tw_compare_opts opts = tw_compare_defaults();
    struct tw_compare cmp = { 0 };
    struct tw_rng rng = tw_rng_stream(3, TW_RNG_TEST, 9);

    (void)state;
    for (size_t i = 0; i < N; i++) {
        size[i] = 1e8 * pow(2.0, (double)(i / LENGTHS)) * (1.0 + 1e-3 * tw_rng_real(&rng));
        tokens[i] = 1e9 * pow(2.0, (double)(i % LENGTHS));
        y[i] = (1.8 + 400.0 * pow(size[i], -0.34) + 1200.0 * pow(tokens[i], -0.33)) *
               exp(0.002 * tw_rng_normal(&rng));
    }
    opts.hold = TW_COMPARE_LARGEST;
    assert_int_equal(tw_compare_run(&e, 1, 1, &opts, &cmp, NULL), TW_OK);
    assert_int_equal(cmp.nunits, LENGTHS);
    assert_string_equal(cmp.unit[0], "runs run 36");
    assert_int_equal(cmp.row[0].scored, LENGTHS);
    assert_true(cmp.row[0].pred_e < 0.01);
    check_close(cmp.inflation, 1.0, 0.0, 0.0);
    tw_compare_release(&cmp);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(criteria_are_those_computed_by_hand),
        cmocka_unit_test(the_scale_is_robust_and_consistent),
        cmocka_unit_test(one_effective_number_of_points_serves_all_laws),
        cmocka_unit_test(annealing_wins_on_its_own_curves),
        cmocka_unit_test(steps_wins_on_its_own_curves),
        cmocka_unit_test(the_errors_are_those_of_a_fit_without_the_curve),
        cmocka_unit_test(a_tail_is_the_last_part_of_the_positions),
        cmocka_unit_test(seeds_of_one_schedule_are_held_out_together),
        cmocka_unit_test(an_unidentified_law_is_a_row_that_says_so),
        cmocka_unit_test(one_curve_leaves_nothing_to_fit),
        cmocka_unit_test(what_does_not_belong_together_is_refused),
        cmocka_unit_test(of_runs_the_largest_size_is_held_out),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
