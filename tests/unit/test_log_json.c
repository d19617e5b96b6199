/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_test.h"

static void trainer_state_has_train_and_eval_rows(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("{\"best_metric\": null, \"global_step\": 20, \"log_history\": [\n"
            "{\"epoch\": 0.5, \"loss\": 3.5, \"learning_rate\": 1e-3, \"step\": 10},\n"
            "{\"epoch\": 0.5, \"eval_c4_loss\": 3.25, \"step\": 10},\n"
            "{\"epoch\": 1.0, \"loss\": NaN, \"learning_rate\": 5e-4, \"step\": 20}]}",
            &log);
    assert_string_equal(log.format, "trainer-state");
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(10, 20), LIST(3.5, QNAN));
    CHECK_SERIES(series(&log, 0, "eval_c4_loss"), 1, LIST(10), LIST(3.25));
    assert_int_equal(series(&log, 0, "eval_c4_loss")->split, TW_SPLIT_VAL);
    assert_int_equal(series(&log, 0, "eval_c4_loss")->quantity, TW_Q_LOSS);
    assert_int_equal(series(&log, 0, "learning_rate")->quantity, TW_Q_LR);
    tw_log_release(&log);
}

static void json_lines_nest_and_may_be_cut_short(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("{\"args\": {\"seed\": 1}}\n{\"step\": 1, \"train\": {\"loss\": 2.5}}\n"
            "UserWarning: something\n{'step': 2, 'train': {'loss': Infinity}}\n"
            "{\"step\": 3, \"train\": {\"loss\": 2.25}, \"hist\": [1, 2]}\n{\"step\": 4, \"tr",
            &log);
    assert_string_equal(log.format, "jsonl");
    CHECK_SERIES(series(&log, 0, "train/loss"), 3, LIST(1, 2, 3), LIST(2.5, INF, 2.25));
    assert_int_equal(log.lines_ignored, 2);
    assert_non_null(strstr(log.notes, "line 3: not JSON"));
    tw_log_release(&log);
}

static void json_lines_name_their_run(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("{\"run\":\"a\",\"step\":1,\"loss\":2.5}\n{\"run\":\"b\",\"step\":1,\"loss\":3.5}\n"
            "{\"run\":\"a\",\"step\":2,\"loss\":2.25}\n",
            &log);
    assert_int_equal(log.nruns, 2);
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(1, 2), LIST(2.5, 2.25));
    tw_log_release(&log);
}

static void an_object_of_lists_is_counted_in_epochs(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("{\"loss\": [2.5, null, 2.0], \"val_loss\": [2.75, 2.5]}", &log);
    assert_string_equal(log.runs[0].x_name, "epoch");
    assert_int_equal(log.runs[0].x_unit, TW_X_EPOCH);
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(1, 3), LIST(2.5, 2.0));
    CHECK_SERIES(series(&log, 0, "val_loss"), 2, LIST(1, 2), LIST(2.75, 2.5));
    tw_log_release(&log);
}

static void a_list_of_objects_is_rows(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("[{\"iter\": 5, \"loss\": 2.5}, {\"iter\": 10, \"loss\": 2.25}]", &log);
    assert_string_equal(log.format, "json");
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(5, 10), LIST(2.5, 2.25));
    tw_log_release(&log);
}

static void broken_json_names_its_line(void **state)
{
    static const char cut[] = "{\"log_history\": [\n{\"step\": 1, \"loss\": 2.5},\n{\"st";
    static const char wrong[] = "{\"step\": 1,\n\"loss\" 2.5}";
    static const char none[] = "{\"name\": \"x\"}";
    static const char null[] = "[null]";
    char deep[400];

    (void)state;
    read_fails(cut, sizeof cut - 1, NULL, TW_EFORMAT, "after line 3): the file was cut short");
    read_fails(wrong, sizeof wrong - 1, NULL, TW_EFORMAT, "line 2: not JSON");
    read_fails(none, sizeof none - 1, NULL, TW_EFORMAT, "there is no number in it");
    read_fails(null, sizeof null - 1, NULL, TW_EFORMAT, "");
    (void)memset(deep, '[', sizeof deep);
    read_fails(deep, sizeof deep, NULL, TW_EFORMAT, "not JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trainer_state_has_train_and_eval_rows),
        cmocka_unit_test(json_lines_nest_and_may_be_cut_short),
        cmocka_unit_test(json_lines_name_their_run),
        cmocka_unit_test(an_object_of_lists_is_counted_in_epochs),
        cmocka_unit_test(a_list_of_objects_is_rows),
        cmocka_unit_test(broken_json_names_its_line),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
