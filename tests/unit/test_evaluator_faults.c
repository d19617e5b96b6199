/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Evaluator processes that die, hang or talk nonsense: the points are computed all the same, or
 * fail with one sentence each, and nothing is left behind. */
#include "evaluators.h"
#include "folder.h"

#include <signal.h>
#include <time.h>

enum { DIM = 6 };

static void set_point(double *at, double by)
{
    for (size_t j = 0; j < DIM; j++)
        at[j] = by * cos((double)(j + 1));
}

/* The fault, in the first process alone if told so, on the folder's file. */
static const char *faulty(const char *fault, bool first)
{
    char arguments[600];

    (void)snprintf(arguments, sizeof arguments, "%s '%s'", fault, first ? in_folder("first") : "-");
    return evaluator("faulty_evaluator", arguments);
}

static double right_loss(double by)
{
    struct tw_problem *p = open_evaluator(evaluator("evaluator", "5 40"), 1, 20.0);
    struct tw_values values;
    double at[DIM];
    const struct tw_request r = { .at = { .d = at }, .values = &values };

    set_point(at, by);
    assert_int_equal(tw_problem_eval(p, &r, NULL), TW_OK);
    tw_problem_free(p);
    return values.loss.value;
}

/* ---- one fault ---------------------------------------------------------------------------------
 */

static const struct {
    const char *fault, *part;
} losses[] = {
    { "kill", "was killed by signal 9 (out of memory?) over this point" },
    { "exit", "ended with exit code 3 over this point" },
    { "half", "in the middle of a line" },
    { "garbage", "answers what is no message (loss = 0.3): an object expected" },
    { "id", "wrong \"id\"" },
    { "empty", "without a number \"loss\"" },
    { "huge", "a line of more than 16 MiB" },
    { "hang", "said nothing for 0.2 seconds" },
};

static double patience(const char *fault)
{
    return !strcmp(fault, "hang") || !strcmp(fault, "sleep 9") ? 0.2 : 20.0;
}

/* The point goes to the next process, which answers. */
static void a_worker_that_is_lost_is_replaced(void **state)
{
    const double right = right_loss(1.0);

    (void)state;
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        struct tw_problem *p =
            open_evaluator(faulty(losses[i].fault, true), 1, patience(losses[i].fault));
        struct tw_values values = { 0 };
        double at[DIM];
        const struct tw_request r = { .at = { .d = at }, .values = &values };
        struct tw_err err = { 0 };

        set_point(at, 1.0);
        if (tw_problem_eval(p, &r, &err) != TW_OK)
            fail_msg("%s: %s", losses[i].fault, err.msg);
        check_ulp(values.loss.value, right, 0);
        assert_int_equal(tw_evaluator_info(p).restarts, 1);
        tw_problem_free(p);
        check_no_children();
        assert_int_equal(unlink(in_folder("first")), 0);
    }
}

/* Three are lost over the point: it has failed, and says what they did. */
static void a_point_that_loses_three_workers_has_failed(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof losses / sizeof *losses; i++) {
        struct tw_problem *p =
            open_evaluator(faulty(losses[i].fault, false), 1, patience(losses[i].fault));
        struct tw_values values = { 0 };
        double at[DIM];
        const struct tw_request r = { .at = { .d = at }, .values = &values };
        struct tw_err err = { 0 };

        set_point(at, 1.0);
        assert_int_equal(tw_problem_eval(p, &r, &err), TW_EDOMAIN);
        check_message(&err, losses[i].part);
        check_message(&err, "3 times in a row the evaluator");
        /* And when it goes on so, the whole ends. */
        err = (struct tw_err){ 0 };
        assert_int_equal(tw_problem_eval(p, &r, &err), TW_EDOMAIN);
        err = (struct tw_err){ 0 };
        assert_int_equal(tw_problem_eval(p, &r, &err), TW_EIO);
        check_message(&err, "9 times in a row a worker was lost");
        tw_problem_free(p);
        check_no_children();
    }
}

static void answers_that_nobody_asked_for_lose_the_worker(void **state)
{
    struct tw_problem *p = open_evaluator(faulty("twice", true), 1, 5.0);
    const double right = right_loss(0.5);
    struct tw_values values = { 0 };
    double at[DIM];
    const struct tw_request r = { .at = { .d = at }, .values = &values };

    (void)state;
    set_point(at, 0.5);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(tw_problem_eval(p, &r, NULL), TW_OK);
        check_ulp(values.loss.value, right, 0);
    }
    assert_int_equal(tw_evaluator_info(p).restarts, 1);
    tw_problem_free(p);
}

/* ---- many points -------------------------------------------------------------------------------
 */

enum { MANY = 400 };
struct many {
    struct tw_request r[MANY];
    struct tw_values values[MANY];
    double at[MANY][DIM];
    size_t told, failed;
    char why[640];
};

static bool told(void *ctx, size_t i, const struct tw_err *failure)
{
    struct many *m = ctx;

    (void)i;
    m->told++;
    if (failure) {
        m->failed++;
        (void)snprintf(m->why, sizeof m->why, "%s", failure->msg);
    }
    return true;
}

static struct many *ask_many(const char *command, size_t workers, size_t n, size_t *restarts)
{
    struct tw_problem *p = open_evaluator(command, workers, 20.0);
    struct many *m = tw_alloc(1, sizeof *m);
    struct tw_err err = { 0 };

    assert_non_null(m);
    for (size_t i = 0; i < n; i++) {
        set_point(m->at[i], 1.0 - 0.01 * (double)i);
        m->r[i] = (struct tw_request){ .at = { .d = m->at[i] }, .values = &m->values[i] };
    }
    if (tw_problem_eval_many(p, n, m->r, told, m, &err) != TW_OK)
        fail_msg("%s", err.msg);
    assert_int_equal(m->told, n);
    *restarts = tw_evaluator_info(p).restarts;
    tw_problem_free(p);
    check_no_children();
    return m;
}

static void workers_killed_fifty_times_lose_nothing(void **state)
{
    const size_t files = open_files();
    size_t restarts;
    struct many *good = ask_many(evaluator("evaluator", "5 40"), 2, MANY, &restarts), *m;

    (void)state;
    assert_int_equal(restarts, 0);
    m = ask_many(faulty("mortal", false), 2, MANY, &restarts);
    assert_true(restarts >= 50);
    assert_int_equal(m->failed, 0);
    for (size_t i = 0; i < MANY; i++)
        check_ulp(m->values[i].loss.value, good->values[i].loss.value, 0);
    free(m);
    free(good);
    assert_int_equal(open_files(), files);
}

static void an_answer_that_says_no_fails_the_point_alone(void **state)
{
    size_t restarts;
    struct many *m = ask_many(faulty("oom", false), 2, 200, &restarts);

    (void)state;
    assert_int_equal(restarts, 0);
    assert_int_equal(m->failed, 100); /* those with w[0] > 0 */
    assert_string_equal(m->why, "the evaluator says: CUDA out of memory");
    free(m);
}

static void nan_is_an_answer_and_prints_do_no_harm(void **state)
{
    size_t restarts;
    struct many *m = ask_many(faulty("nan", false), 1, 3, &restarts);

    (void)state;
    assert_int_equal(m->failed, 0);
    assert_true(isnan(m->values[2].loss.value));
    free(m);
    m = ask_many(faulty("chatter", false), 1, 3, &restarts);
    assert_int_equal(m->failed + restarts, 0);
    check_ulp(m->values[0].loss.value, right_loss(1.0), 0);
    free(m);
}

/* ---- the start and the end ---------------------------------------------------------------------
 */

#define SAY(line) "printf '%s\\n' '" line "' >&4; cat <&3 >/dev/null"

static void evaluators_that_do_not_start_say_why(void **state)
{
    static const struct {
        const char *command, *part;
    } bad[] = {
        { "/no/such/program", "could not be run (exit code 127" },
        { "echo so it is; exit 7", "ended with exit code 7 before it greeted" },
        { "kill -9 $$", "was killed by signal 9" },
        { "sleep 9", "said nothing for 0.2 seconds" },
        { "exec 4>&-; sleep 9", "closed its descriptor 4" },
        { SAY("hello"), "answers what is no message (hello): an object expected" },
        { SAY("{\"twep\":2}"), "version 2 of the protocol" },
        { SAY("{\"twep\":1,\"can\":[\"loss\"],\"tensors\":[{\"name\":\"w\",\"shape\":[0]}]}"),
          "shape of tensor w" },
        { SAY("{\"twep\":1,\"can\":[\"loss\"],\"tensors\":[{\"name\":\"w\",\"shape\":[1e14]}]}"),
          "memory to share" },
        { SAY("{\"twep\":1,\"can\":[\"loss\"],\"tensors\":[{\"name\":\"w\",\"shape\":[2]}]}\n"
              "{\"id\":1,\"error\":\"no mmap\"}"),
          "cannot map the shared memory: no mmap" },
    };
    const size_t files = open_files();

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct tw_str said = { 0 };
        const struct tw_evaluator_options o = { .command = bad[i].command,
                                                .workers = 2,
                                                .timeout = patience(bad[i].command),
                                                .said = &said };
        struct tw_err err = { 0 };

        assert_null(tw_problem_evaluator(&o, &err));
        check_message(&err, bad[i].part);
        if (i == 1)
            assert_non_null(strstr(said.s, "so it is"));
        tw_str_release(&said);
        check_no_children();
    }
    assert_int_equal(open_files(), files);
}

/* Environment, and the end of what they print. */
static void workers_are_told_who_they_are(void **state)
{
    const char *command =
        "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22; do "
        "echo line $i; done; echo $TWEP $TWEP_WORKER of $TWEP_WORKERS, "
        "$OMP_NUM_THREADS threads, device $CUDA_VISIBLE_DEVICES, $TW_TEST; exit 1";
    struct tw_str said = { 0 };
    const struct tw_evaluator_options o = { .command = command,
                                            .workers = 1,
                                            .threads = 3,
                                            .devices = "5,6",
                                            .timeout = 5.0,
                                            .log = in_folder("log"),
                                            .said = &said };
    size_t n;
    char *log;

    (void)state;
    assert_int_equal(setenv("TW_TEST", "own", 1), 0);
    assert_int_equal(setenv("CUDA_VISIBLE_DEVICES", "9", 1), 0);
    assert_null(tw_problem_evaluator(&o, NULL));
    assert_int_equal(unsetenv("CUDA_VISIBLE_DEVICES"), 0);
    assert_non_null(strstr(said.s, "\n1 0 of 1, 3 threads, device 5, own"));
    assert_ptr_equal(strstr(said.s, "line 4\n"), said.s); /* 20 lines */
    tw_str_release(&said);
    log = slurp(in_folder("log"), &n);
    assert_non_null(log);
    assert_memory_equal(log, "line 1\n", 7);
    free(log);
}

/* A dead process that nobody has waited for yet does not count. */
static bool is_alive(pid_t pid)
{
    char path[64], line[512] = "";
    const char *end;
    FILE *fp;

    (void)snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
    fp = fopen(path, "r");
    if (!fp)
        return false;
    if (!fgets(line, sizeof line, fp))
        line[0] = '\0';
    (void)fclose(fp);
    end = strrchr(line, ')');
    return end && end[1] == ' ' && end[2] != 'Z' && end[2] != 'X';
}

/* A program that is killed while its evaluator hangs takes it along. */
static void nothing_outlives_a_killed_program(void **state)
{
    const struct timespec moment = { .tv_nsec = 2000000 };
    const char *command = faulty("hang", true);
    pid_t program = fork(), worker = 0;
    char *text = NULL;
    size_t n = 0;
    bool was_alive;

    (void)state;
    if (program == 0) {
        const struct tw_evaluator_options o = { .command = command };
        struct tw_problem *p = tw_problem_evaluator(&o, NULL);
        struct tw_values values;
        double at[DIM] = { 0 };
        const struct tw_request r = { .at = { .d = at }, .values = &values };

        _exit(p ? (int)tw_problem_eval(p, &r, NULL) : 9);
    }
    for (int i = 0; i < 2500 && n == 0; i++) {
        (void)nanosleep(&moment, NULL);
        free(text);
        text = slurp(in_folder("first"), &n);
    }
    worker = n ? (pid_t)strtol(text, NULL, 10) : 0; /* ends with a newline */
    free(text);
    was_alive = worker > 0 && is_alive(worker);
    assert_int_equal(kill(program, SIGKILL), 0);
    assert_int_equal(waitpid(program, NULL, 0), program);
    assert_true(was_alive);
    for (int i = 0; i < 2500 && is_alive(worker); i++)
        (void)nanosleep(&moment, NULL);
#ifdef __linux__
    assert_false(is_alive(worker));
#endif
}

/* What a worker has started goes with it. */
static void what_a_worker_starts_ends_with_it(void **state)
{
    char command[800];
    struct tw_problem *p;
    char *text;
    size_t n;
    pid_t helper;

    (void)state;
    (void)snprintf(command, sizeof command, "sleep 60 & echo $! >'%s'; exec %s", in_folder("pid"),
                   evaluator("evaluator", "5 40"));
    p = open_evaluator(command, 1, 20.0);
    text = slurp(in_folder("pid"), &n);
    assert_true(text && n > 1);
    helper = (pid_t)strtol(text, NULL, 10);
    free(text);
    assert_true(is_alive(helper));
    tw_problem_free(p);
    for (int i = 0; i < 2500 && is_alive(helper); i++)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
    assert_false(is_alive(helper));
}

/* The program would die of a SIGBUS. */
static void shared_memory_cannot_be_cut_short(void **state)
{
    struct tw_values values = { 0 };
    double at[DIM];
    const struct tw_request r = { .at = { .d = at }, .values = &values };
    struct tw_problem *p;

    (void)state;
#ifndef __linux__
    skip();
#endif
    p = open_evaluator(faulty("shrink", false), 1, 20.0);
    set_point(at, 1.0);
    assert_int_equal(tw_problem_eval(p, &r, NULL), TW_OK);
    check_ulp(values.loss.value, right_loss(1.0), 0);
    tw_problem_free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(a_worker_that_is_lost_is_replaced),
        folder_test(a_point_that_loses_three_workers_has_failed),
        folder_test(answers_that_nobody_asked_for_lose_the_worker),
        folder_test(workers_killed_fifty_times_lose_nothing),
        folder_test(an_answer_that_says_no_fails_the_point_alone),
        folder_test(nan_is_an_answer_and_prints_do_no_harm),
        folder_test(evaluators_that_do_not_start_say_why),
        folder_test(workers_are_told_who_they_are),
        folder_test(nothing_outlives_a_killed_program),
        folder_test(what_a_worker_starts_ends_with_it),
        folder_test(shared_memory_cannot_be_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
