/* SPDX-License-Identifier: GPL-3.0-or-later */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
/* In-place files, and what is left of either kind of file when the writer is killed. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>

#include "folder.h"
#include "thalweg/store_result.h"

enum { N = 2000, KILLS = 120 };

static double loss_at(size_t i)
{
    return 1.0 + (double)i / 3.0;
}

static struct tw_result *start(const char *path, bool force)
{
    const size_t dims[] = { N }, plane[] = { N, 2 };
    const uint8_t one = 1;
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_create(path, "scan-1d", TW_RESULT_INPLACE, force, NULL, &err);

    if (!r || tw_result_put_text(r, "/settings", "points=2000", "settings", &err) != TW_OK ||
        tw_result_put_bytes(r, "/fixed", 0, NULL, &one, "", &err) != TW_OK ||
        tw_result_reserve_reals(r, "/loss", 1, dims, "nats", "loss", &err) != TW_OK ||
        tw_result_reserve_reals(r, "/g/pair", 2, plane, "", "pairs", &err) != TW_OK ||
        tw_result_reserve_bytes(r, "/status", 1, dims, "0 todo, 1 done, 2 failed", &err) != TW_OK ||
        tw_result_begin(r, &err) != TW_OK) {
        print_error("%s\n", err.msg);
        tw_result_abandon(r);
        return NULL;
    }
    return r;
}

static bool write_point(struct tw_result *r, size_t i)
{
    const double x = loss_at(i), pair[2] = { (double)i, -x };
    const uint8_t done = 1;

    return tw_result_write_reals(r, "/loss", i, &x, 1, NULL) == TW_OK &&
           tw_result_write_reals(r, "/g/pair", 2 * i, pair, 2, NULL) == TW_OK &&
           tw_result_write_bytes(r, "/status", i, &done, 1, NULL) == TW_OK;
}

/* The file opens, every point up to `least` is done, every done point is whole. Returns how
 * many are done. */
static size_t check_points(const char *path, size_t least)
{
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_open(path, "scan-1d", &err);
    size_t n = 0, plane[2], done = 0;
    double *loss, *pair;
    uint8_t *status;

    if (!r)
        fail_msg("%s", err.msg);
    assert_int_equal(tw_result_get_reals(r, "/loss", 1, &n, &loss, &err), TW_OK);
    assert_int_equal(tw_result_get_reals(r, "/g/pair", 2, plane, &pair, &err), TW_OK);
    assert_int_equal(tw_result_get_bytes(r, "/status", 1, &n, &status, &err), TW_OK);
    assert_int_equal(n, N);
    for (size_t i = 0; i < n; i++) {
        if (i < least)
            assert_int_equal(status[i], 1);
        if (status[i])
            assert_true(loss[i] == loss_at(i) && pair[2 * i] == (double)i &&
                        pair[2 * i + 1] == -loss_at(i));
        else if (i > least)
            assert_true(isnan(loss[i]) && isnan(pair[2 * i]));
        done += status[i];
    }
    free(loss);
    free(pair);
    free(status);
    tw_result_done(r);
    return done;
}

static void check_end(const char *path, bool finished)
{
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_open(path, NULL, &err);
    char *s = NULL;

    assert_non_null(r);
    assert_int_equal(tw_result_get_text(r, "/provenance/end_time", &s, &err), TW_OK);
    assert_int_equal(strlen(s), finished ? 20 : 0);
    free(s);
    tw_result_done(r);
}

static void test_points(void **state)
{
    const char *path = in_folder("s.h5");
    struct tw_result *r = start(path, false);
    struct tw_err err = { 0 };

    (void)state;
    assert_non_null(r);
    assert_int_equal(files_in_folder(0), 1);
    for (size_t i = 0; i < 10; i++)
        assert_true(write_point(r, i));
    assert_int_equal(check_points(path, 10), 10); /* readable while it is written */
    check_end(path, false);
    assert_int_equal(tw_result_close(r, &err), TW_OK);
    assert_int_equal(check_points(path, 10), 10);
    check_end(path, true);

    r = tw_result_reopen(path, "scan-1d", &err);
    assert_non_null(r);
    for (size_t i = 10; i < 20; i++)
        assert_true(write_point(r, i));
    check_end(path, false);
    tw_result_abandon(r);
    assert_int_equal(check_points(path, 20), 20);
    assert_null(tw_result_reopen(path, "barrier", &err));
    check_message(&err, "expected a result of kind 'barrier', found 'scan-1d'");
}

static void test_misuse(void **state)
{
    const char *path = in_folder("s.h5");
    struct tw_result *r = start(path, false);
    struct tw_err err = { 0 };
    double x[3] = { 0 };
    uint8_t b = 0;
    size_t n;

    (void)state;
    assert_non_null(r);
    assert_int_equal(tw_result_write_reals(r, "/loss", N - 2, x, 3, &err), TW_EINVAL);
    check_message(&err, "do not fit in 2000");
    assert_int_equal(tw_result_write_reals(r, "/loss", SIZE_MAX, x, 2, NULL), TW_EINVAL);
    assert_int_equal(tw_result_write_reals(r, "/los", 0, x, 1, NULL), TW_EINVAL);
    assert_int_equal(tw_result_write_reals(r, "/status", 0, x, 1, NULL), TW_EINVAL);
    assert_int_equal(tw_result_write_bytes(r, "/loss", 0, &b, 1, NULL), TW_EINVAL);
    assert_int_equal(tw_result_write_bytes(r, "/fixed", 0, &b, 1, NULL), TW_EINVAL);
    assert_int_equal(tw_result_put_size(r, "/n", 1, "", "", NULL), TW_EINVAL);
    assert_int_equal(tw_result_begin(r, NULL), TW_EINVAL);
    assert_int_equal(tw_result_get_size(r, "/n", &n, NULL), TW_EINVAL);
    assert_int_equal(tw_result_close(r, NULL), TW_OK);
    assert_int_equal(check_points(path, 0), 0);
}

/* Closed without points: the file is there all the same. */
static void test_never_begun(void **state)
{
    const char *path = in_folder("s.h5");
    struct tw_err err = { 0 };
    struct tw_result *r = tw_result_create(path, "k", TW_RESULT_INPLACE, false, NULL, &err);

    (void)state;
    assert_non_null(r);
    assert_int_equal(tw_result_close(r, &err), TW_OK);
    check_end(path, true);
}

static void test_one_writer(void **state)
{
    const char *path = in_folder("s.h5");
    struct tw_result *r = start(path, false);
    struct tw_err err = { 0 };

    (void)state;
    assert_non_null(r);
    assert_null(tw_result_reopen(path, NULL, &err));
    check_message(&err, "another process is writing this file");
    err = (struct tw_err){ 0 };
    assert_null(tw_result_create(path, "k", TW_RESULT_ATOMIC, true, NULL, &err));
    check_message(&err, "another process is writing this file");
    tw_result_abandon(r);
    r = tw_result_reopen(path, NULL, &err);
    assert_non_null(r);
    tw_result_abandon(r);
}

/* ---- kills ---------------------------------------------------------------------------- */

static void nap(long us)
{
    const struct timespec t = { us / 1000000, us % 1000000 * 1000 };

    (void)nanosleep(&t, NULL);
}

/* Under valgrind a child does not come to the point in the time it has. */
static void skip_if_slow(void)
{
    if (getenv("TW_WRAP"))
        skip();
}

/* Start a child, let it run for a random time once it is at work, kill it. */
static void run_and_kill(void (*child)(volatile size_t *), volatile size_t *shared, long us)
{
    int how;
    pid_t pid;

    shared[0] = shared[1] = 0;
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        shared[1] = 1;
        child(shared);
        for (;;)
            (void)pause();
    }
    while (!shared[1])
        nap(20);
    nap(us);
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_true(waitpid(pid, &how, 0) == pid && WIFSIGNALED(how));
}

static void in_place_child(volatile size_t *shared)
{
    struct tw_result *r = start(in_folder("k.h5"), true);

    if (!r)
        _exit(1);
    shared[2] = 1;
    for (size_t i = 0; i < N && write_point(r, i); i++)
        shared[0] = i + 1;
    shared[3] = 1;
}

static void test_kill_in_place(void **state)
{
    volatile size_t *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct tw_rng g = tw_rng_stream(1, TW_RNG_TEST, 0);
    size_t before = 0, during = 0, after = 0, points = 0;

    (void)state;
    skip_if_slow();
    assert_true(shared != MAP_FAILED);
    for (int k = 0; k < KILLS; k++) {
        struct stat st;
        bool there;

        shared[2] = shared[3] = 0;
        (void)unlink(in_folder("k.h5"));
        run_and_kill(in_place_child, shared, (long)tw_rng_below(&g, 12000));
        there = stat(in_folder("k.h5"), &st) == 0;
        assert_true(there || !shared[2]);
        if (there)
            points += check_points(in_folder("k.h5"), shared[0]);
        before += !there;
        during += there && !shared[3];
        after += shared[3];
    }
    print_message("# %d kills: %zu before the file, %zu between points, %zu after; %zu points\n",
                  (int)KILLS, before, during, after, points);
    assert_true(during > 0);
    (void)munmap((void *)(uintptr_t)shared, 4096);
}

static void atomic_child(volatile size_t *shared)
{
    static double x[60000];
    const size_t n = sizeof x / sizeof *x;

    for (size_t k = 1; k < 100; k++) {
        struct tw_result *r =
            tw_result_create(in_folder("k.h5"), "new", TW_RESULT_ATOMIC, true, NULL, NULL);

        for (size_t i = 0; i < n; i++)
            x[i] = (double)(i * k);
        if (!r || tw_result_put_reals(r, "/x", 1, &n, x, "", "x", NULL) != TW_OK ||
            tw_result_put_size(r, "/k", k, "", "k", NULL) != TW_OK ||
            tw_result_close(r, NULL) != TW_OK)
            _exit(1);
        shared[0] = k;
    }
}

/* The file is absent, or whole and the last one finished or its successor. */
static void test_kill_atomic(void **state)
{
    volatile size_t *shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct tw_rng g = tw_rng_stream(2, TW_RNG_TEST, 0);
    size_t absent = 0;

    (void)state;
    skip_if_slow();
    assert_true(shared != MAP_FAILED);
    for (int kill_no = 0; kill_no < KILLS; kill_no++) {
        struct tw_err err = { 0 };
        struct tw_result *r;
        size_t n = 0, k = 0;
        double *x;

        (void)files_in_folder(1);
        run_and_kill(atomic_child, shared, (long)tw_rng_below(&g, 40000));
        if (access(in_folder("k.h5"), F_OK) != 0) {
            assert_int_equal(shared[0], 0);
            absent++;
            continue;
        }
        r = tw_result_open(in_folder("k.h5"), "new", &err);
        if (!r)
            fail_msg("%s", err.msg);
        assert_int_equal(tw_result_get_size(r, "/k", &k, &err), TW_OK);
        assert_in_range(k, shared[0], shared[0] + 1);
        assert_int_equal(tw_result_get_reals(r, "/x", 1, &n, &x, &err), TW_OK);
        for (size_t i = 0; i < n; i++)
            assert_true(x[i] == (double)(i * k));
        free(x);
        tw_result_done(r);
    }
    print_message("# %d kills: %zu before the first file\n", (int)KILLS, absent);
    assert_true(absent < KILLS);
    (void)munmap((void *)(uintptr_t)shared, 4096);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(test_points),      folder_test(test_misuse),
        folder_test(test_never_begun), folder_test(test_one_writer),
        folder_test(test_kill_atomic), folder_test(test_kill_in_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
