/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_test.h"

static void blank_cells_are_no_pairs(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("step,loss,val_loss\n1,4.5,\n2,,4.25\n3,4.0,4.125\n", &log);
    assert_string_equal(log.format, "csv");
    assert_string_equal(log.runs[0].name, "test");
    assert_int_equal(log.runs[0].x_unit, TW_X_STEP);
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(1, 3), LIST(4.5, 4.0));
    CHECK_SERIES(series(&log, 0, "val_loss"), 2, LIST(2, 3), LIST(4.25, 4.125));
    assert_int_equal(series(&log, 0, "val_loss")->split, TW_SPLIT_VAL);
    assert_int_equal(series(&log, 0, "loss")->split, TW_SPLIT_TRAIN);
    tw_log_release(&log);
}

static void nan_and_infinity_are_pairs_in_any_spelling(void **state)
{
    struct tw_log log;
    struct tw_log_range r;

    (void)state;
    read_ok("step,loss\n1,nan\n2,NaN\n3,inf\n4,-Infinity\n5,None\n6,null\n7,2.5\n8,NA\n", &log);
    CHECK_SERIES(series(&log, 0, "loss"), 5, LIST(1, 2, 3, 4, 7), LIST(QNAN, QNAN, INF, -INF, 2.5));
    r = tw_log_series_range(series(&log, 0, "loss"));
    assert_int_equal(r.nan, 2);
    assert_int_equal(r.inf, 2);
    check_close(r.y_last, 2.5, 0, 0);
    tw_log_release(&log);
}

static void quotes_hold_separators_line_ends_and_quotes(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("step,\"a \"\"b\"\", c\",note\r\n1,\"2.5\",\"x\ny,z\"\r\n2,3.5,\"\"\r\n", &log);
    CHECK_SERIES(series(&log, 0, "a \"b\", c"), 2, LIST(1, 2), LIST(2.5, 3.5));
    assert_int_equal(log.runs[0].nseries, 1);
    tw_log_release(&log);
}

static void separators_are_told_apart(void **state)
{
    static const char *const texts[] = {
        "step\tloss\n1\t2.5\n2\t2.25\n",
        "step;loss\n1;2,5\n2;2,25\n",
        "step loss\n1   2.5\n2   2.25\n",
        "# step loss\n 1 2.5\n 2 2.25\n",
        "\xEF\xBB\xBFstep,loss\r\n1,2.5\r\n2,2.25",
        "sep=;\nstep;loss\n1;2.5\n2;2.25\n",
        "# a comment, with commas\n\nstep, loss\n1, 2.5\n# in between\n2, 2.25\n\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct tw_log log;

        read_ok(texts[i], &log);
        CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(1, 2), LIST(2.5, 2.25));
        tw_log_release(&log);
    }
}

static void without_a_header_the_first_column_is_x(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("10,2.5\n20,2.25\n", &log);
    assert_string_equal(log.runs[0].x_name, "column 1");
    CHECK_SERIES(series(&log, 0, "column 2"), 2, LIST(10, 20), LIST(2.5, 2.25));
    tw_log_release(&log);
    read_ok("loss\n2.5\n2.25\n", &log);
    assert_string_equal(log.runs[0].x_name, "row");
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(1, 2), LIST(2.5, 2.25));
    tw_log_release(&log);
}

static void the_abscissa_can_be_named(void **state)
{
    static const char text[] = "step,tokens,loss\n1,4096,2.5\n2,8192,2.25\n";
    struct tw_log log;

    (void)state;
    read_ok_with(text, &(struct tw_log_opts){ .x = "tokens" }, &log);
    assert_int_equal(log.runs[0].x_unit, TW_X_TOKEN);
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(4096, 8192), LIST(2.5, 2.25));
    CHECK_SERIES(series(&log, 0, "step"), 2, LIST(4096, 8192), LIST(1, 2));
    tw_log_release(&log);
    read_ok_with(text, &(struct tw_log_opts){ .x = "row" }, &log);
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(1, 2), LIST(2.5, 2.25));
    tw_log_release(&log);
    read_fails(text, sizeof text - 1, &(struct tw_log_opts){ .x = "seconds" }, TW_EFORMAT,
               "no column 'seconds' for the x axis; there are: step, tokens, loss");
}

static void a_step_that_few_rows_have_is_no_axis(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("step,epoch,loss\n,1,2.5\n,2,2.25\n,3,2.125\n7,4,2\n", &log);
    assert_string_equal(log.runs[0].x_name, "epoch");
    tw_log_release(&log);
}

static void sizes_in_a_table_of_runs_are_no_axis(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("N,tokens,flops,loss\n1,10,60,5\n1,20,120,4\n2,10,120,4.5\n2,20,240,3.5\n", &log);
    assert_string_equal(log.runs[0].x_name, "row");
    assert_int_equal(log.runs[0].nseries, 4);
    tw_log_release(&log);
}

static void a_run_column_splits_runs(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("run,step,loss\na,1,2.5\nb,1,3.5\na,2,2.25\n\"b\",2,3.25\n", &log);
    assert_int_equal(log.nruns, 2);
    assert_string_equal(log.runs[1].name, "b");
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(1, 2), LIST(2.5, 2.25));
    CHECK_SERIES(series(&log, 1, "loss"), 2, LIST(1, 2), LIST(3.5, 3.25));
    tw_log_release(&log);
}

static void one_row_a_run_is_a_table(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("run,N,D,loss\na,10,100,2.5\nb,20,200,2.25\nc,40,,2\n", &log);
    assert_int_equal(log.nruns, 1);
    CHECK_SERIES(series(&log, 0, "N"), 3, LIST(1, 2, 3), LIST(10, 20, 40));
    CHECK_SERIES(series(&log, 0, "D"), 2, LIST(1, 2), LIST(100, 200));
    tw_log_release(&log);
}

static void wandb_columns_become_runs_without_extremes(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("\"Step\",\"a - b - loss\",\"a - b - loss__MIN\",\"a - b - loss__MAX\",\"c - loss\"\n"
            "\"0\",\"2.5\",\"2\",\"3\",\"\"\n\"50\",\"2.25\",\"2\",\"3\",\"4.5\"\n"
            "\"100\",\"\",\"\",\"\",\"4.25\"\n",
            &log);
    assert_string_equal(log.format, "wandb-csv");
    assert_int_equal(log.nruns, 2);
    assert_string_equal(log.runs[0].name, "a - b");
    assert_int_equal(log.runs[0].nseries, 1);
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(0, 50), LIST(2.5, 2.25));
    CHECK_SERIES(series(&log, 1, "loss"), 2, LIST(50, 100), LIST(4.5, 4.25));
    assert_int_equal(log.runs[1].x_unit, TW_X_STEP);
    tw_log_release(&log);
}

static void what_is_left_out_is_told(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("step,loss\n1,2.5\n2,oops\n,2.25\n3,2.125,9,9\n4,2\n", &log);
    assert_non_null(strstr(log.notes, "line 3: 'oops' in column 'loss' is not a number; 1 such"));
    assert_non_null(strstr(log.notes, "1 value left out: no place on the x axis"));
    assert_non_null(strstr(log.notes, "line 5: more cells than the 2 columns"));
    CHECK_SERIES(series(&log, 0, "loss"), 3, LIST(1, 3, 4), LIST(2.5, 2.125, 2));
    tw_log_release(&log);
}

static void bad_files_get_one_clear_sentence(void **state)
{
    static const struct {
        const char *text, *words;
    } bad[] = {
        { "", "the file is empty" },
        { "\n \n\n", "blank" },
        { "step,loss\n", "line 1 is a header of 2 columns and no row follows it" },
        { "step,loss\n,\n,\n", "not a log" },
        { "step\n1\n2\n", "'step' is the only column with numbers" },
        { "Dear all,\nhello there,\n", "line 1, 'Dear all,': not a log of a known format" },
        { "\x80\x04\x95", "a Python pickle" },
        { "PK\003\004", "a ZIP archive" },
        { "\x1f\x8b\x08", "gzip stream ends early" },
    };
    struct tw_log log = { 0 };
    struct tw_err err = { 0 };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        read_fails(bad[i].text, strlen(bad[i].text), NULL, TW_EFORMAT, bad[i].words);
    assert_int_equal(tw_log_read("/nowhere/log.csv", NULL, &log, &err), TW_EIO);
    assert_string_equal(err.msg, "/nowhere/log.csv: No such file or directory");
    tw_log_release(&log);
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_log_read("/tmp", NULL, &log, &err), TW_EIO);
    assert_non_null(strstr(err.msg, "/tmp: this is a directory"));
    tw_log_release(&log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blank_cells_are_no_pairs),
        cmocka_unit_test(nan_and_infinity_are_pairs_in_any_spelling),
        cmocka_unit_test(quotes_hold_separators_line_ends_and_quotes),
        cmocka_unit_test(separators_are_told_apart),
        cmocka_unit_test(without_a_header_the_first_column_is_x),
        cmocka_unit_test(the_abscissa_can_be_named),
        cmocka_unit_test(a_step_that_few_rows_have_is_no_axis),
        cmocka_unit_test(sizes_in_a_table_of_runs_are_no_axis),
        cmocka_unit_test(a_run_column_splits_runs),
        cmocka_unit_test(one_row_a_run_is_a_table),
        cmocka_unit_test(wandb_columns_become_runs_without_extremes),
        cmocka_unit_test(what_is_left_out_is_told),
        cmocka_unit_test(bad_files_get_one_clear_sentence),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
