/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd.h"
#include "help.h"
#include "host.h"
#include "num.h"
#include "provenance.h"

/* What was written to a descriptor (stdout, stderr) between begin and end. */
struct capture {
    int fd, saved;
    FILE *file;
    char text[4096];
};

static void capture_begin(struct capture *c, int fd)
{
    (void)fflush(NULL);
    *c = (struct capture){ .fd = fd, .saved = dup(fd), .file = tmpfile() };
    assert_non_null(c->file);
    assert_true(dup2(fileno(c->file), fd) == fd);
}

static const char *capture_end(struct capture *c)
{
    (void)fflush(NULL);
    assert_true(dup2(c->saved, c->fd) == c->fd);
    (void)close(c->saved);
    rewind(c->file);
    c->text[fread(c->text, 1, sizeof c->text - 1, c->file)] = '\0';
    (void)fclose(c->file);
    return c->text;
}

static const struct tw_opt no_opts[] = { { .type = TW_OPT_END } };
static const struct tw_cmd cmd = {
    .name = "test", .group = "Test", .summary = "test", .operands = "", .opts = no_opts
};

/* ---- tables ----------------------------------------------------------------------------- */

static void fill(struct tw_table *t)
{
    tw_table_head(t, (const char *const[]){ "name", "n", "loss" }, 3);
    tw_table_text(t, "K\xC3\xBCnsch");
    tw_table_size(t, 12345);
    tw_table_real(t, "%.3f", 2.385);
    tw_table_text(t, "a");
    tw_table_size(t, 7);
    tw_table_real(t, "%.3f", (double)NAN);
}

static void tables_align_text_left_and_numbers_right(void **state)
{
    struct tw_call call = { .cmd = &cmd };
    struct tw_table t = { 0 };
    struct capture c;

    (void)state;
    tw_cmd_begin(&call);
    fill(&t);
    capture_begin(&c, STDOUT_FILENO);
    tw_table_print(&t);
    assert_string_equal(capture_end(&c), "name        n   loss\n"
                                         "K\xC3\xBCnsch  12345  2.385\n"
                                         "a           7      -\n");
    assert_null(t.cells.s);
}

static void tables_are_silent_under_json(void **state)
{
    struct tw_call call = { .cmd = &cmd, .common.json = true };
    struct tw_table t = { 0 };
    struct capture c;

    (void)state;
    tw_cmd_begin(&call);
    fill(&t);
    capture_begin(&c, STDOUT_FILENO);
    tw_table_print(&t);
    assert_string_equal(capture_end(&c), "");
}

/* ---- messages --------------------------------------------------------------------------- */

static void messages_name_the_command_and_obey_quiet(void **state)
{
    struct tw_call call = { .cmd = &cmd };
    struct capture c;

    (void)state;
    capture_begin(&c, STDERR_FILENO);
    tw_cmd_note(&call, "read %d", 3);
    tw_cmd_debug(&call, "unseen");
    tw_cmd_warn(&call, "odd \"%s\"", "x");
    call.common.quiet = true;
    tw_cmd_note(&call, "unseen");
    tw_cmd_warn(&call, "seen all the same");
    assert_string_equal(capture_end(&c), "thalweg test: read 3\nthalweg test: warning: odd \"x\"\n"
                                         "thalweg test: warning: seen all the same\n");
    assert_int_equal(call.nwarnings, 2);
    assert_string_equal(call.warnings.s, "\"odd \\\"x\\\"\",\"seen all the same\"");
    tw_str_release(&call.warnings);
}

static void each_status_has_its_exit_code(void **state)
{
    static const struct {
        enum tw_status status;
        int exit;
    } cases[] = {
        { TW_ENOMEM, TW_EXIT_FILE },     { TW_EINVAL, TW_EXIT_USAGE },
        { TW_EIO, TW_EXIT_FILE },        { TW_EFORMAT, TW_EXIT_FILE },
        { TW_EDOMAIN, TW_EXIT_NUMERIC }, { TW_ENOCONV, TW_EXIT_NUMERIC },
        { TW_ESTOP, TW_EXIT_STOPPED },
    };

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct tw_call call = { .cmd = &cmd };
        struct capture c;
        int rc;

        (void)tw_err_set(&call.err, cases[i].status, "why");
        capture_begin(&c, STDERR_FILENO);
        rc = tw_cmd_fail(&call);
        assert_string_equal(capture_end(&c), "thalweg test: why\n");
        assert_int_equal(rc, cases[i].exit);
    }
}

static void wrapped_text_hangs(void **state)
{
    struct capture c;

    (void)state;
    capture_begin(&c, STDOUT_FILENO);
    tw_help_wrap(stdout, "one two three four", 4, 4, 12);
    tw_help_wrap(stdout, "unbreakablyverylong word", 0, 2, 12);
    tw_help_wrap(stdout, "", 0, 2, 12);
    assert_string_equal(capture_end(&c), "one two\n    three\n    four\n"
                                         "unbreakablyverylong\n  word\n\n");
}

/* ---- progress --------------------------------------------------------------------------- */

static void progress_in_a_pipe_is_a_line_now_and_then(void **state)
{
    struct tw_call call = { .cmd = &cmd };
    struct tw_progress p;
    struct capture c;

    (void)state;
    capture_begin(&c, STDERR_FILENO);
    tw_progress_start(&p, &call, "scan", 2000);
    p.base = 1000;
    tw_progress_step(&p, 1001, NULL); /* too early */
    p.started.tv_sec -= 61;
    tw_progress_step(&p, 1100, "best 2.4");
    tw_progress_step(&p, 1101, NULL); /* too soon after */
    p.started.tv_sec -= 600;
    tw_progress_step(&p, 1100, NULL); /* nothing new */
    tw_progress_step(&p, 2000, NULL);
    tw_progress_end(&p);
    assert_string_equal(capture_end(&c), "scan: 1100 of 2000 (55 %), 1.64/s, 9 min 09 s left, "
                                         "best 2.4\nscan: 2000 of 2000 (100 %)\n");
}

static void quiet_has_no_progress(void **state)
{
    struct tw_call call = { .cmd = &cmd, .common.quiet = true };
    struct tw_progress p;
    struct capture c;

    (void)state;
    capture_begin(&c, STDERR_FILENO);
    tw_progress_start(&p, &call, "scan", 10);
    p.started.tv_sec -= 100;
    tw_progress_step(&p, 5, NULL);
    tw_progress_start(&p, &call, "nothing", 0);
    tw_progress_step(&p, 0, NULL);
    tw_progress_end(&p);
    assert_string_equal(capture_end(&c), "");
}

/* ---- signals ---------------------------------------------------------------------------- */

static int child(int signals)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)signal(SIGTERM, SIG_DFL);
        (void)signal(SIGINT, SIG_DFL);
        if (tw_stop_requested())
            _exit(10);
        if (signals > 0)
            (void)raise(SIGINT);
        if (signals > 0 && !tw_stop_requested())
            _exit(11);
        if (signals > 1)
            (void)raise(SIGTERM);
        _exit(TW_EXIT_STOPPED);
    }
    assert_true(pid > 0);
    assert_true(waitpid(pid, &status, 0) == pid);
    return status;
}

/* The children inherit a watch that has not begun: this runs before any other asks. */
static void one_signal_asks_and_two_kill(void **state)
{
    int status;

    (void)state;
    assert_int_equal(WEXITSTATUS(child(0)), TW_EXIT_STOPPED);
    assert_int_equal(WEXITSTATUS(child(1)), TW_EXIT_STOPPED);
    status = child(2);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGTERM);
}

/* ---- host ------------------------------------------------------------------------------- */

static void quotas_round_up(void **state)
{
    (void)state;
    assert_int_equal(tw_host_quota_line("max 100000\n"), 0);
    assert_int_equal(tw_host_quota_line("200000 100000\n"), 2);
    assert_int_equal(tw_host_quota_line("150000 100000\n"), 2);
    assert_int_equal(tw_host_quota_line("1000 100000"), 1);
    assert_int_equal(tw_host_quota_line("-1 100000"), 0);
    assert_int_equal(tw_host_quota_line("5 0"), 0);
    assert_int_equal(tw_host_quota_line("5"), 0);
    assert_int_equal(tw_host_quota_line(""), 0);
    assert_true(tw_host_threads() >= 1);
}

/* ---- provenance ------------------------------------------------------------------------- */

static void provenance_lists_inputs_once(void **state)
{
    struct tw_call call = { .cmd = &cmd, .common = { .seed = 3, .threads = 2 } };
    struct tw_cmd_provenance p = { 0 };
    struct tw_str lines = { 0 };
    char path[] = "/tmp/thalweg-test-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    assert_true(fd >= 0 && write(fd, "abc", 3) == 3);
    (void)close(fd);
    tw_str_add(&call.command_line, "thalweg test");
    assert_int_equal(tw_cmd_provenance_start(&p, &call, &call.err), TW_OK);
    assert_int_equal(tw_cmd_provenance_input(&p, path, NULL, &call.err), TW_OK);
    assert_int_equal(tw_cmd_provenance_input(&p, "-", "0123", &call.err), TW_OK);
    assert_int_equal(tw_cmd_provenance_input(&p, path, NULL, &call.err), TW_OK);
    (void)unlink(path);
    assert_int_equal(tw_cmd_provenance_input(&p, "/no/such/file", NULL, &call.err), TW_EIO);
    assert_string_equal(p.record.command, "thalweg test");
    assert_true(p.record.seed == 3 && p.record.threads == 2);
    assert_int_equal(p.record.ninputs, 2);
    assert_string_equal(p.record.input_paths[0], path);
    assert_memory_equal(p.record.input_digests[0], "ba7816bf8f01cfea", 16);
    assert_string_equal(p.record.input_digests[1], "0123");
    tw_cmd_provenance_lines(&p, &lines);
    assert_non_null(strstr(lines.s, "\n- 0123\n"));
    tw_str_release(&lines);
    tw_cmd_provenance_release(&p);
    tw_str_release(&call.command_line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_signal_asks_and_two_kill),
        cmocka_unit_test(tables_align_text_left_and_numbers_right),
        cmocka_unit_test(tables_are_silent_under_json),
        cmocka_unit_test(messages_name_the_command_and_obey_quiet),
        cmocka_unit_test(each_status_has_its_exit_code),
        cmocka_unit_test(wrapped_text_hangs),
        cmocka_unit_test(progress_in_a_pipe_is_a_line_now_and_then),
        cmocka_unit_test(quiet_has_no_progress),
        cmocka_unit_test(quotas_round_up),
        cmocka_unit_test(provenance_lists_inputs_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
