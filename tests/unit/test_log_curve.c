/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_test.h"

static void curves_of(const char *text, const struct tw_curve_opts *opts, struct tw_curves *c)
{
    struct tw_log log;
    struct tw_err err = { 0 };

    read_ok(text, &log);
    if (tw_curves_add(c, &log, opts, &err) != TW_OK)
        fail_msg("%s", err.msg);
    tw_log_release(&log);
}

static void no_curve(const char *text, const struct tw_curve_opts *opts, const char *words)
{
    struct tw_curves c = { 0 };
    struct tw_log log;
    struct tw_err err = { 0 };

    read_ok(text, &log);
    assert_int_equal(tw_curves_add(&c, &log, opts, &err), TW_EFORMAT);
    if (!strstr(err.msg, words))
        fail_msg("'%s' is not in: %s", words, err.msg);
    assert_non_null(strstr(err.msg, "test.csv"));
    assert_int_equal(c.n, 0);
    tw_curves_release(&c);
    tw_log_release(&log);
}

static void check_points(const struct tw_curve *c, size_t n, const double *x, const double *y)
{
    assert_int_equal(c->n, n);
    for (size_t i = 0; i < n; i++) {
        check_close(c->x[i], x[i], 0.0, 0.0);
        check_close(c->y[i], y[i], 1e-15, 0.0);
    }
}
#define CHECK_POINTS(c, n, ...)                                                                    \
    do {                                                                                           \
        static const double xy_[][n] = { __VA_ARGS__ };                                            \
        check_points((c), (n), xy_[0], xy_[1]);                                                    \
    } while (0)

static void a_resumed_run_keeps_the_later_rows(void **state)
{
    struct tw_curves c = { 0 };

    (void)state;
    curves_of(
        "step,lr,loss\n10,1,5\n20,1,4\n30,1,9\n40,1,nan\n30,2,3\n40,2,2.5\n40,2,2.25\n50,2,2\n",
        &all, &c);
    assert_int_equal(c.n, 1);
    assert_string_equal(c.v[0].name, "test");
    assert_string_equal(c.v[0].y_name, "loss");
    assert_string_equal(c.v[0].lr_name, "lr");
    assert_int_equal(c.v[0].x_unit, TW_X_STEP);
    CHECK_POINTS(&c.v[0], 5, LIST(10, 20, 30, 40, 50), LIST(5, 4, 3, 2.25, 2));
    assert_int_equal(c.v[0].restarts, 1);
    assert_int_equal(c.v[0].dropped_nonfinite, 1);
    assert_int_equal(c.v[0].dropped_duplicate, 2);
    assert_int_equal(c.v[0].nlr, 5);
    check_close(c.v[0].lr[2], 2.0, 0, 0);
    tw_curves_release(&c);
}

static void values_are_cut_smoothed_then_thinned(void **state)
{
    static const char text[] = "step,loss\n0,8\n10,4\n20,6\n30,2\n40,2\n";
    struct tw_curve_opts o = all;
    struct tw_curves c = { 0 };

    (void)state;
    o.from = 10;
    o.to = 30;
    curves_of(text, &o, &c);
    CHECK_POINTS(&c.v[0], 3, LIST(10, 20, 30), LIST(4, 6, 2));
    assert_int_equal(c.v[0].dropped_range, 2);
    tw_curves_release(&c);
    o.smooth = 10; /* weights 1, 1/2, 1/4 */
    o.every = 2;
    curves_of(text, &o, &c);
    CHECK_POINTS(&c.v[0], 2, LIST(10, 30), LIST(4, (2 + 3 + 1) / 1.75));
    tw_curves_release(&c);
}

static void the_loss_is_found(void **state)
{
    static const struct {
        const char *header, *want;
    } t[] = {
        { "step,a,loss,b", "loss" },
        { "step,loss,val_loss,lr", "val_loss" },
        { "step,train/loss,eval/loss,eval/c4/loss", "eval/loss" },
        { "step,loss,eval_c4_loss,eval_pile_loss", "loss" },
        { "step,lm loss,loss scale,grad norm", "lm loss" },
        { "step,train_loss_step,train_loss_epoch,x", "train_loss_step" },
        { "step,test_loss,accuracy,x", "test_loss" },
        { "step,loss,loss_smooth,z_loss", "loss" },
        { "step,train/CrossEntropyLoss,train/ZLoss,q", "train/CrossEntropyLoss" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        struct tw_str text = { 0 };
        struct tw_curves c = { 0 };

        tw_str_addf(&text, "%s\n1,5,4,3\n2,4,3,2\n", t[i].header);
        curves_of(text.s, &all, &c);
        assert_string_equal(c.v[0].y_name, t[i].want);
        tw_curves_release(&c);
        tw_str_release(&text);
    }
}

static void a_series_is_named_by_pattern(void **state)
{
    static const char text[] = "step,loss_c4,loss_pile,lr-AdamW/pg1,lr\n1,5,4,1,2\n2,4,3,1,2\n";
    struct tw_curve_opts o = all;
    struct tw_curves c = { 0 };

    (void)state;
    no_curve(text, &o, "2 series could be the loss: loss_c4, loss_pile; name one with --y");
    o.y = "*pile";
    curves_of(text, &o, &c);
    assert_string_equal(c.v[0].y_name, "loss_pile");
    assert_string_equal(c.v[0].lr_name, "lr");
    tw_curves_release(&c);
    o.y = "loss*";
    no_curve(text, &o, "'loss*' fits 2 series, one is needed: loss_c4, loss_pile");
    o.y = "acc";
    no_curve(text, &o, "has no series 'acc'; it has: loss_c4, loss_pile, lr-AdamW/pg1, lr");
}

static void runs_are_chosen_by_pattern(void **state)
{
    static const char text[] = "run,step,loss\na1,1,5\na1,2,4\na2,1,6\na2,2,5\nb,1,7\nb,2,6\n";
    struct tw_curve_opts o = all;
    struct tw_curves c = { 0 };

    (void)state;
    o.run = "a*";
    curves_of(text, &o, &c);
    assert_int_equal(c.n, 2);
    assert_string_equal(c.v[1].name, "test:a2");
    tw_curves_release(&c);
    o.run = "z";
    no_curve(text, &o, "no run 'z'; there are: a1, a2, b");
}

static void what_is_no_curve_says_why(void **state)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "step,loss\n1,5\n", "'loss' has 1 finite value of 1 (0 NaN, 0 infinite)" },
        { "step,loss\n1,nan\n2,inf\n3,nan\n",
          "'loss' has 0 finite values of 3 (2 NaN, 1 infinite)" },
        { "step,loss\n1,2.5\n2,2.5\n3,2.5\n", "'loss' is 2.5 at all 3 points" },
        { "step,loss\n1,5\n1,4\n1,3\n", "'loss' has 1 point left of 3" },
        { "step,a,b\n1,5,1\n2,4,2\n", "none of its series looks like a loss: a, b" },
        { "step,loss\n5,1\n4,2\n3,3\n2,4\n1,5\n", "'step' runs backwards 4 times in 5 values" },
    };
    struct tw_curve_opts o = all;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        no_curve(bad[i].text, &all, bad[i].words);
    o.y = "loss";
    no_curve(bad[1].text, &o, "none of 3 values of 'loss' is finite");
    o = all;
    o.from = 100;
    no_curve("step,loss\n1,5\n2,4\n", &o, "'loss' has 0 points left of 2 (x from 1 to 2");
}

static void seeds_are_averaged_where_all_have_a_point(void **state)
{
    struct tw_curves c = { 0 };
    struct tw_curve mean = { 0 };
    struct tw_err err = { 0 };
    const struct tw_curve *v[3];

    (void)state;
    curves_of("run,step,lr,loss\na,10,1,5\na,20,1,4\na,30,1,3\nb,20,1,3.5\nb,30,1,2.5\nb,40,1,1\n"
              "c,20,1,2\nc,30,2,1\n",
              &all, &c);
    for (size_t i = 0; i < 3; i++)
        v[i] = &c.v[i];
    assert_int_equal(tw_curve_mean(v, 2, "seeds", &mean, &err), TW_OK);
    assert_string_equal(mean.name, "seeds");
    CHECK_POINTS(&mean, 2, LIST(20, 30), LIST(3.75, 2.75));
    assert_int_equal(mean.nlr, 3);
    tw_curve_release(&mean);
    assert_int_equal(tw_curve_mean(v, 3, "seeds", &mean, &err), TW_EFORMAT);
    assert_non_null(strstr(err.msg, "at x = 30 their learning rates are 1 and 2"));
    tw_curves_release(&c);
}

static void ranges_are_found_in_one_pass(void **state)
{
    struct tw_log log;
    struct tw_log_range r;

    (void)state;
    read_ok("step,loss\n10,5\n20,4\n30,3\n70,6\n60,inf\n60,2\n", &log);
    r = tw_log_series_range(series(&log, 0, "loss"));
    assert_int_equal(r.n, 6);
    assert_int_equal(r.backward, 1);
    assert_int_equal(r.duplicates, 1);
    assert_int_equal(r.gaps, 1);
    check_close(r.spacing, 10, 0, 0);
    check_close(r.x_min, 10, 0, 0);
    check_close(r.x_max, 70, 0, 0);
    check_close(r.y_min, 2, 0, 0);
    check_close(r.y_max, 6, 0, 0);
    check_close(r.y_first, 5, 0, 0);
    tw_log_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_resumed_run_keeps_the_later_rows),
        cmocka_unit_test(values_are_cut_smoothed_then_thinned),
        cmocka_unit_test(the_loss_is_found),
        cmocka_unit_test(a_series_is_named_by_pattern),
        cmocka_unit_test(runs_are_chosen_by_pattern),
        cmocka_unit_test(what_is_no_curve_says_why),
        cmocka_unit_test(seeds_are_averaged_where_all_have_a_point),
        cmocka_unit_test(ranges_are_found_in_one_pass),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
