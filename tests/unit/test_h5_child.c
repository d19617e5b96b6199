/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The process that reads HDF5: it cannot keep us waiting, and it can harm nothing. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif

#include "folder.h"
#include "store/h5_filter.h"
#include "store/h5_items.h"

static void silence_comes_to_an_end(void **state)
{
    struct tw_h5_items items = { 0 };
    struct tw_err err = { 0 };
    struct timespec a, b;
    int ends[2];

    (void)state;
    assert_int_equal(pipe(ends), 0);
    tw_h5_patience = 0.2;
    (void)clock_gettime(CLOCK_MONOTONIC, &a);
    assert_int_equal(tw_h5_items_receive(ends[0], 0, &items, &err), TW_EIO);
    (void)clock_gettime(CLOCK_MONOTONIC, &b);
    tw_h5_patience = 60.0;
    assert_non_null(strstr(err.msg, "it was not read in 0 seconds"));
    assert_true(b.tv_sec - a.tv_sec < 30);
    /* A pipe that is closed is no silence. */
    (void)close(ends[1]);
    err = (struct tw_err){ 0 };
    assert_int_equal(tw_h5_items_receive(ends[0], 0, &items, &err), TW_EFORMAT);
    assert_int_equal(err.code, TW_OK);
    (void)close(ends[0]);
    tw_h5_items_release(&items);
}

enum { FINE, NO_FILTER, REMOVED, OPENED, CONNECTED, FORKED, KILLED, MUTE };

/* What the filtered process finds, as its exit code. */
static int try_all(const char *path, int out)
{
    char *memory;

    tw_h5_filter();
#ifdef __linux__
    if (prctl(PR_GET_SECCOMP) == 0)
        return NO_FILTER;
#else
    return NO_FILTER;
#endif
    if (unlink(path) == 0 || errno != EPERM)
        return REMOVED;
    if (open(path, O_RDONLY) >= 0 || errno != EPERM)
        return OPENED;
    if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0 || errno != EPERM)
        return CONNECTED;
    if (fork() >= 0)
        return FORKED;
    if (kill(getppid(), 0) == 0)
        return KILLED;
    memory = malloc(1 << 22);
    if (!memory)
        return MUTE;
    memset(memory, 1, 1 << 22);
    if (write(out, memory, 4) != 4)
        return MUTE;
    free(memory);
    return FINE;
}

static void it_can_touch_nothing_but_its_pipe(void **state)
{
    const char *path = in_folder("precious");
    char got[4] = { 0 };
    int ends[2], status = 0;
    FILE *f = fopen(path, "w");
    pid_t pid;

    (void)state;
    assert_non_null(f);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(pipe(ends), 0);
    pid = fork();
    if (pid == 0)
        _exit(try_all(path, ends[1]));
    (void)close(ends[1]);
    assert_true(pid > 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == NO_FILTER) {
        (void)close(ends[0]);
        print_message("# no seccomp filter here\n");
        skip();
    }
    assert_int_equal(WEXITSTATUS(status), FINE);
    assert_int_equal(read(ends[0], got, 4), 4);
    assert_int_equal(got[3], 1);
    assert_int_equal(access(path, F_OK), 0);
    (void)close(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(silence_comes_to_an_end),
        folder_test(it_can_touch_nothing_but_its_pipe),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
