/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Files of training runs: what was written is there, what was not is not, and checkpoints go by
 * their names on the command line. */
#include "folder.h"

#include "../../src/cli/checkpoint.h"
#include "../../src/cli/netload.h"
#include "thalweg/store_log.h"
#include "thalweg/store_run.h"

enum { ROWS = 5, STEPS = 3, STATE = 7 };

static const size_t steps[STEPS] = { 0, 50, 100 }, weight_dims[2] = { 2, 3 }, bias_dims[1] = { 2 };
static const struct tw_run_series series[] = { { "step", "", "updates made" },
                                               { "lr", "", "rate" },
                                               { "loss", "nats", "of the batches" },
                                               { "val_loss", "nats", "held out" } };
static const struct tw_run_attr attrs[] = { { "model", "mlp(3,2)", 0 }, { "seed", NULL, -3 } };
static const struct tw_run_tensor tensors[] = { { "fc1.weight", 2, weight_dims, 6 },
                                                { "fc1.bias", 1, bias_dims, 2 } };

static struct tw_run_plan plan_of(const char *name)
{
    return (struct tw_run_plan){ .name = name,
                                 .nattr = 2,
                                 .nseries = 4,
                                 .nrow = ROWS,
                                 .ncheckpoint = STEPS,
                                 .ntensor = 2,
                                 .nstate = STATE,
                                 .attr = attrs,
                                 .series = series,
                                 .checkpoint = steps,
                                 .tensor = tensors };
}

static void write_checkpoint(struct tw_run_file *f, size_t run, size_t k)
{
    struct tw_err err = { 0 };
    float w[6], b[2];
    const float *const x[2] = { w, b };

    for (size_t i = 0; i < 6; i++)
        w[i] = (float)(100 * run + 10 * k + i);
    b[0] = -1.0f;
    b[1] = (float)k;
    assert_int_equal(tw_run_write_checkpoint(f, run, k, x, &err), TW_OK);
}

/* Runs a and b; a has two of five rows and two of three checkpoints, b all. */
static struct tw_run_file *two_runs(const char *path, const struct tw_run_plan *plan)
{
    struct tw_err err = { 0 };
    struct tw_run_file *f = tw_run_create(path, false, NULL, 2, plan, &err);

    if (!f)
        fail_msg("%s", err.msg);
    for (size_t run = 0; run < 2; run++)
        for (size_t i = 0; i < (run ? ROWS : 2u); i++) {
            const double x[4] = { (double)(i ? 10 * i : 1), 0.5, i == 1 ? (double)NAN : 2.0, 3.0 };

            assert_int_equal(tw_run_write_row(f, run, i, x, i % 2 == 1, &err), TW_OK);
        }
    for (size_t run = 0; run < 2; run++)
        for (size_t k = 0; k < (run ? STEPS : 2u); k++)
            write_checkpoint(f, run, k);
    return f;
}

static void what_is_finished_is_read(void **state)
{
    const struct tw_run_plan plan[2] = { plan_of("a"), plan_of("b") };
    const char *path = in_folder("run.h5");
    struct tw_run_file *f = two_runs(path, plan);
    struct tw_named_list w = { 0 };
    struct tw_run_list list;
    struct tw_err err = { 0 };

    (void)state;
    /* Read while it is written. */
    assert_true(tw_is_run_file(path));
    assert_int_equal(tw_run_list_read(path, &list, &err), TW_OK);
    assert_int_equal(list.n, 2);
    assert_string_equal(list.run[0].name, "a");
    assert_int_equal(list.run[0].ncheckpoint, 2);
    assert_int_equal(list.run[1].ncheckpoint, 3);
    assert_int_equal(list.run[1].checkpoint[2], 100);
    assert_string_equal(tw_run_attr(&list.run[0], "model"), "mlp(3,2)");
    assert_string_equal(tw_run_attr(&list.run[0], "seed"), "-3");
    assert_null(tw_run_attr(&list.run[0], "mode"));
    tw_run_list_release(&list);
    assert_int_equal(tw_run_weights_read(path, "b", 50, &w, &err), TW_OK);
    assert_int_equal(w.n, 2);
    assert_non_null(tw_named_find(&w, "fc1.bias"));
    assert_int_equal(tw_named_find(&w, "fc1.weight")->dtype, TW_F32);
    assert_int_equal(tw_named_find(&w, "fc1.weight")->dims[1], 3);
    assert_true(tw_array_real(tw_named_find(&w, "fc1.weight"), 5) == 115.0);
    tw_named_release(&w);
    assert_int_equal(tw_run_weights_read(path, "b", 51, &w, &err), TW_EFORMAT);
    assert_int_equal(tw_run_close(f, NULL), TW_OK);
}

static void rows_that_are_there_are_a_log(void **state)
{
    const struct tw_run_plan plan[2] = { plan_of("a"), plan_of("b") };
    const char *path = in_folder("run.h5");
    const struct tw_log_opts opts = { 0 };
    const double step = 20.0;
    struct tw_log log = { 0 };
    struct tw_err err = { 0 };
    struct tw_result *r;

    (void)state;
    assert_int_equal(tw_run_close(two_runs(path, plan), &err), TW_OK);
    /* A kill in the middle of run a's third row. */
    r = tw_result_reopen(path, "train", &err);
    assert_int_equal(tw_result_write_reals(r, "/runs/a/log/step", 2, &step, 1, &err), TW_OK);
    assert_int_equal(tw_result_write_reals(r, "/runs/a/log/loss", 2, &step, 1, &err), TW_OK);
    tw_result_abandon(r);
    assert_int_equal(tw_log_read(path, &opts, &log, &err), TW_OK);
    assert_int_equal(log.nruns, 2);
    assert_string_equal(log.runs[0].x_name, "step");
    assert_int_equal(log.runs[0].nseries, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct tw_log_series *s = &log.runs[0].series[i];

        /* A row that is not there and a value that was not measured are blank; a NaN is a loss. */
        assert_int_equal(s->n, !strcmp(s->name, "val_loss") ? 1 : 2);
        if (!strcmp(s->name, "loss"))
            assert_true(isnan(s->y[1]) && s->y[0] == 2.0);
        if (!strcmp(s->name, "val_loss"))
            assert_true(s->x[0] == 10.0 && s->split == TW_SPLIT_VAL);
    }
    assert_int_equal(log.runs[1].series[0].n, ROWS);
    tw_log_release(&log);
}

/* ---- the state ----------------------------------------------------------------------------- */

static void expect_state(const char *path, size_t step, double first)
{
    struct tw_run_state s;
    struct tw_err err = { 0 };

    assert_int_equal(tw_run_state_read(path, "a", &s, &err), TW_OK);
    assert_non_null(s.x);
    assert_int_equal(s.n, STATE);
    assert_int_equal(s.step, step);
    assert_true(s.x[0] == first && s.x[STATE - 1] == first);
    free(s.x);
}

static void write_state(struct tw_run_file *f, size_t step, double x)
{
    struct tw_err err = { 0 };
    double all[STATE];

    for (size_t i = 0; i < STATE; i++)
        all[i] = x;
    assert_int_equal(tw_run_write_state(f, 0, step, all, &err), TW_OK);
}

static void the_newest_whole_state_counts(void **state)
{
    const struct tw_run_plan plan = plan_of("a");
    const char *path = in_folder("run.h5");
    const size_t newest = 0;
    const uint8_t half = 0;
    struct tw_run_state s;
    struct tw_err err = { 0 };
    struct tw_run_file *f = tw_run_create(path, false, NULL, 1, &plan, &err);
    struct tw_result *r;

    (void)state;
    assert_int_equal(tw_run_state_read(path, "a", &s, &err), TW_OK);
    assert_null(s.x);
    write_state(f, 10, 1.0);
    write_state(f, 20, 2.0);
    write_state(f, 30, 3.0); /* in the place of the first */
    expect_state(path, 30, 3.0);
    assert_int_equal(tw_run_close(f, &err), TW_OK);
    /* As a kill in the middle of writing leaves it. */
    r = tw_result_reopen(path, "train", &err);
    assert_int_equal(tw_result_write_bytes(r, "/runs/a/resume/status", 0, &half, 1, &err), TW_OK);
    tw_result_abandon(r);
    expect_state(path, 20, 2.0);
    /* Going on from the second place spares it. */
    f = tw_run_reopen(path, 1, &plan, &(const size_t){ 1 }, &err);
    write_state(f, 25, 4.0);
    expect_state(path, 25, 4.0);
    r = NULL;
    tw_run_abandon(f);
    f = tw_run_reopen(path, 1, &plan, &newest, &err);
    write_state(f, 27, 5.0);
    expect_state(path, 27, 5.0);
    tw_run_abandon(f);
}

static void what_cannot_be_stored_is_refused(void **state)
{
    struct tw_run_plan plan = plan_of("a:b");
    const size_t huge[1] = { (size_t)1 << 40 };
    const struct tw_run_tensor large = { "w", 1, huge, (size_t)1 << 40 },
                               odd = { "..", 1, bias_dims, 2 };
    struct tw_err err = { 0 };

    (void)state;
    assert_null(tw_run_create(in_folder("x.h5"), false, NULL, 1, &plan, &err));
    assert_non_null(strstr(err.msg, "'a:b' cannot be the name of a run"));
    plan.name = "a";
    plan.ntensor = 1;
    plan.tensor = &odd;
    err = (struct tw_err){ 0 };
    assert_null(tw_run_create(in_folder("x.h5"), false, NULL, 1, &plan, &err));
    assert_non_null(strstr(err.msg, "a tensor named '..'"));
    plan.tensor = &large;
    err = (struct tw_err){ 0 };
    assert_null(tw_run_create(in_folder("x.h5"), false, NULL, 1, &plan, &err));
    assert_non_null(strstr(err.msg, "ask for fewer checkpoints"));
    assert_int_equal(files_in_folder(0), 0);
}

/* ---- names --------------------------------------------------------------------------------- */

static void expect_names(const char *text, size_t n, const char *const *names)
{
    struct tw_call call = { 0 };
    struct tw_checkpoint_list list = { 0 };

    if (tw_checkpoints_add(&call, text, &list) != TW_OK)
        fail_msg("%s", call.err.msg);
    assert_int_equal(list.n, n);
    for (size_t i = 0; i < n; i++)
        assert_string_equal(list.v[i].name, names[i]);
    tw_checkpoints_release(&list);
}

static void expect_refusal(const char *text, const char *why)
{
    struct tw_call call = { 0 };
    struct tw_checkpoint_list list = { 0 };

    assert_int_equal(tw_checkpoints_add(&call, text, &list), TW_EFORMAT);
    if (!strstr(call.err.msg, why))
        fail_msg("'%s' does not say '%s'", call.err.msg, why);
    tw_checkpoints_release(&list);
}

static void references(void **state)
{
    const struct tw_run_plan two[2] = { plan_of("a"), plan_of("b") }, one = plan_of("only");
    struct tw_err err = { 0 };
    struct tw_run_file *f;

    (void)state;
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(tw_run_close(two_runs("two.h5", two), &err), TW_OK);
    f = tw_run_create("one.h5", false, NULL, 1, &one, &err);
    expect_refusal("one.h5:last", "there are none yet");
    write_checkpoint(f, 0, 0);
    expect_names("one.h5", 1, (const char *const[]){ "one.h5:0" });
    write_checkpoint(f, 0, 1);
    expect_refusal("one.h5", "checkpoints 0, 50; name one, as in one.h5:last");
    expect_names("one.h5:last", 1, (const char *const[]){ "one.h5:50" });
    expect_names("one.h5:init", 1, (const char *const[]){ "one.h5:0" });
    expect_names("one.h5:only:5e1", 1, (const char *const[]){ "one.h5:50" });
    expect_names("one.h5:*", 2, (const char *const[]){ "one.h5:0", "one.h5:50" });
    expect_refusal("one.h5:100", "no such checkpoint; there are 0, 50");
    expect_refusal("one.h5:final", "a step is a number, init, last or *");
    expect_refusal("one.h5:only", "try one.h5:only:last");
    expect_names("two.h5:b:last", 1, (const char *const[]){ "two.h5:b:100" });
    expect_names("two.h5:*:last", 2, (const char *const[]){ "two.h5:a:50", "two.h5:b:100" });
    expect_names("two.h5:*:*", 5,
                 (const char *const[]){ "two.h5:a:0", "two.h5:a:50", "two.h5:b:0", "two.h5:b:50",
                                        "two.h5:b:100" });
    expect_refusal("two.h5", "runs a, b; name one, as in two.h5:RUN:last");
    expect_refusal("two.h5:50", "name the run too");
    expect_refusal("two.h5:a", "try two.h5:a:last");
    expect_refusal("two.h5:c:50", "no such run; there are a, b");
    /* A file that has the text for its name is that file. */
    assert_int_equal(tw_run_close(f, &err), TW_OK);
    assert_int_equal(rename("one.h5", "two.h5:b"), 0);
    expect_names("two.h5:b:last", 1, (const char *const[]){ "two.h5:b:50" });
    expect_names("none.h5:last", 1, (const char *const[]){ "none.h5:last" });
    assert_int_equal(fclose(fopen("plain.csv", "w")), 0);
    expect_refusal("plain.csv:last", "no file of training runs");
    assert_int_equal(chdir("/"), 0);
}

static void weights_by_reference(void **state)
{
    const struct tw_run_plan two[2] = { plan_of("a"), plan_of("b") };
    const struct tw_net_opts o = TW_NET_DEFAULTS;
    struct tw_call call = { 0 };
    char ref[500];
    struct tw_net *net;
    struct tw_graph *g;
    float params[8] = { 0.0f };

    (void)state;
    assert_int_equal(tw_run_close(two_runs(in_folder("two.h5"), two), &call.err), TW_OK);
    (void)snprintf(ref, sizeof ref, "%s:b:100", in_folder("two.h5"));
    net = tw_load_net(&call, &o, ref, NULL);
    if (!net)
        fail_msg("%s", call.err.msg);
    g = tw_graph_new(net, &(struct tw_graph_options){ 0 }, &call.err);
    assert_int_equal(tw_load_weights(&call, &o, ref, g, net, params, NULL, NULL), TW_OK);
    assert_true(params[0] == 120.0f && params[5] == 125.0f && params[7] == 2.0f);
    tw_graph_free(g);
    tw_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(what_is_finished_is_read),
        folder_test(rows_that_are_there_are_a_log),
        folder_test(the_newest_whole_state_counts),
        folder_test(what_cannot_be_stored_is_refused),
        folder_test(references),
        folder_test(weights_by_reference),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
