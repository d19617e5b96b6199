/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_test.h"

static void nanogpt_prints_iterations_and_evaluations(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok(
        "tokens per iteration will be: 491,520\nstep 0: train loss 4.25, val loss 4.5\n"
        "iter 0: loss 4.75, time 31.5ms, mfu -100.00%\r\niter 10: loss nan, time 22.5ms, mfu 1%\n"
        "step 250: train loss 2.25, val loss 2.5\n",
        &log);
    assert_string_equal(log.format, "nanogpt");
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(0, 10), LIST(4.75, QNAN));
    CHECK_SERIES(series(&log, 0, "val loss"), 2, LIST(0, 250), LIST(4.5, 2.5));
    CHECK_SERIES(series(&log, 0, "time"), 2, LIST(0, 10), LIST(31.5, 22.5));
    assert_int_equal(log.lines_ignored, 1);
    tw_log_release(&log);
}

static void llmc_prints_key_colon_value(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("s:0 tel:11.0\ns:1 trl:10.5 lr:0.000600 norm:0.52\ns:250 tel:3.25\ns:250 eval:0.25\n",
            &log);
    assert_string_equal(log.format, "llm.c");
    CHECK_SERIES(series(&log, 0, "trl"), 1, LIST(1), LIST(10.5));
    CHECK_SERIES(series(&log, 0, "tel"), 2, LIST(0, 250), LIST(11.0, 3.25));
    CHECK_SERIES(series(&log, 0, "lr"), 1, LIST(1), LIST(6e-4));
    assert_int_equal(series(&log, 0, "tel")->split, TW_SPLIT_VAL);
    assert_int_equal(series(&log, 0, "trl")->split, TW_SPLIT_TRAIN);
    tw_log_release(&log);
    read_ok("step:0/40 val_loss:10.5 train_time:0ms step_avg:nanms\nstep:5/40 val_loss:7.5\n",
            &log);
    CHECK_SERIES(series(&log, 0, "val_loss"), 2, LIST(0, 5), LIST(10.5, 7.5));
    tw_log_release(&log);
}

static void megatron_prints_fields_between_bars(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok(
        "using world size: 8\n"
        " [2024-03-01 10:00:01] iteration        1/     500 | consumed samples:     256 | "
        "learning rate: 1.500E-06 | lm loss: 1.125E+01 | loss scale: 1.0 |\n"
        " iteration 2/ 500 | consumed samples: 512 | learning rate: 3E-06 | lm loss: 1.0E+01 |\n"
        " validation loss at iteration 2 | lm loss value: 1.0625E+01 | lm loss PPL: 4E+04 | \n"
        " validation loss at the end of training for val data | lm loss value: 9.5E+00 |\n",
        &log);
    assert_string_equal(log.format, "megatron");
    CHECK_SERIES(series(&log, 0, "lm loss"), 2, LIST(1, 2), LIST(11.25, 10.0));
    CHECK_SERIES(series(&log, 0, "learning rate"), 2, LIST(1, 2), LIST(1.5e-6, 3e-6));
    CHECK_SERIES(series(&log, 0, "validation lm loss value"), 2, LIST(2, 2), LIST(10.625, 9.5));
    assert_int_equal(series(&log, 0, "loss scale")->quantity, TW_Q_OTHER);
    tw_log_release(&log);
    read_ok_with(" iteration 1/ 5 | consumed samples: 256 | lm loss: 2.5 |\n"
                 " iteration 2/ 5 | consumed samples: 512 | lm loss: 2.25 |\n",
                 &(struct tw_log_opts){ .x = "consumed samples" }, &log);
    assert_int_equal(log.runs[0].x_unit, TW_X_SAMPLE);
    CHECK_SERIES(series(&log, 0, "lm loss"), 2, LIST(256, 512), LIST(2.5, 2.25));
    tw_log_release(&log);
}

static void olmo_groups_thousands(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok("2024-02-01 INFO [step=1/739328,epoch=0]\n    train/CrossEntropyLoss=11.25\n"
            "    throughput/total_tokens=4,194,304\n    train/Perplexity=1,024.5\n"
            "saving\n[step=2/739328,epoch=0]\n    train/CrossEntropyLoss=11.125\n",
            &log);
    assert_string_equal(log.format, "olmo");
    CHECK_SERIES(series(&log, 0, "train/CrossEntropyLoss"), 2, LIST(1, 2), LIST(11.25, 11.125));
    CHECK_SERIES(series(&log, 0, "throughput/total_tokens"), 1, LIST(1), LIST(4194304));
    CHECK_SERIES(series(&log, 0, "train/Perplexity"), 1, LIST(1), LIST(1024.5));
    tw_log_release(&log);
}

static void a_rule_of_ones_own_reads_any_text(void **state)
{
    struct tw_log log;

    (void)state;
    read_ok_with("start\n[A] at 100 loss was 4.5\n[B] at 100 loss was 4.75\n[A] at 1,200: no\n"
                 "[A] at 1,200 loss was 4.25\n[B] at 200 loss was nan\n",
                 &(struct tw_log_opts){
                     .regex = "^\\[(?<run>\\w)\\] at (?<step>[\\d,]+) loss was (?<loss>\\S+)" },
                 &log);
    assert_string_equal(log.format, "regex");
    assert_int_equal(log.nruns, 2);
    CHECK_SERIES(series(&log, 0, "loss"), 2, LIST(100, 1200), LIST(4.5, 4.25));
    CHECK_SERIES(series(&log, 1, "loss"), 2, LIST(100, 200), LIST(4.75, QNAN));
    assert_int_equal(log.lines_ignored, 2);
    tw_log_release(&log);
}

static void bad_rules_say_what_is_wrong(void **state)
{
    char slow[256];

    (void)state;
    read_fails("x\n", 2, &(struct tw_log_opts){ .regex = "(?<a>" }, TW_EINVAL, "--regex '(?<a>'");
    read_fails("x\n", 2, &(struct tw_log_opts){ .regex = "a(b)" }, TW_EINVAL, "no named group");
    read_fails("x\n", 2, &(struct tw_log_opts){ .regex = "(?<a>\\d)" }, TW_EFORMAT,
               "no line matches");
    (void)memset(slow, 'a', sizeof slow);
    slow[sizeof slow - 1] = '!';
    read_fails(slow, sizeof slow, &(struct tw_log_opts){ .regex = "(?<y>(a|aa)+)+$" }, TW_EFORMAT,
               "line 1: the rule of --regex cannot be applied");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nanogpt_prints_iterations_and_evaluations),
        cmocka_unit_test(llmc_prints_key_colon_value),
        cmocka_unit_test(megatron_prints_fields_between_bars),
        cmocka_unit_test(olmo_groups_thousands),
        cmocka_unit_test(a_rule_of_ones_own_reads_any_text),
        cmocka_unit_test(bad_rules_say_what_is_wrong),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
