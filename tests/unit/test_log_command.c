/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From an operand to curves, as every command that fits does it. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "log_test.h"
#include "read.h"

extern const struct tw_cmd tw_cmd_log;
static char path[64];

static int write_file(void **state)
{
    static const char text[] = "run,step,loss\na,1,5\na,2,4\na,3,3\nb,1,6\nb,2,nan\nb,3,4\n";
    int fd;
    bool ok;

    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/test_log_command.XXXXXX");
    fd = mkstemp(path);
    ok = fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1;
    return fd >= 0 && close(fd) == 0 && ok ? 0 : -1;
}

static int drop_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void each_run_is_a_curve(void **state)
{
    struct tw_call call = { .cmd = &tw_cmd_log, .common = { .quiet = true } };
    struct tw_read_opts o = TW_READ_DEFAULTS;
    struct tw_curves c = { 0 };

    (void)state;
    assert_int_equal(tw_read_curves(&call, path, &o, &c, &call.err), TW_OK);
    assert_int_equal(c.n, 2);
    assert_int_equal(c.v[0].n, 3);
    assert_int_equal(c.v[1].n, 2);
    assert_int_equal(c.v[1].dropped_nonfinite, 1);
    assert_int_equal(strlen(c.v[1].digest), 64);
    o.run = "b";
    assert_int_equal(tw_read_curves(&call, path, &o, &c, &call.err), TW_OK);
    assert_int_equal(c.n, 3);
    tw_curves_release(&c);
}

static void a_group_is_one_curve(void **state)
{
    struct tw_call call = { .cmd = &tw_cmd_log, .common = { .quiet = true } };
    struct tw_read_opts o = TW_READ_DEFAULTS;
    struct tw_curves c = { 0 };

    (void)state;
    o.group = true;
    assert_int_equal(tw_read_curves(&call, path, &o, &c, &call.err), TW_OK);
    assert_int_equal(c.n, 1);
    assert_int_equal(c.v[0].n, 2);
    check_close(c.v[0].x[1], 3, 0, 0);
    check_close(c.v[0].y[1], 3.5, 0, 0);
    assert_string_equal(c.v[0].name, "test_log_command");
    tw_curves_release(&c);
}

static void a_failure_adds_no_curve(void **state)
{
    struct tw_call call = { .cmd = &tw_cmd_log, .common = { .quiet = true } };
    struct tw_read_opts o = TW_READ_DEFAULTS;
    struct tw_curves c = { 0 };

    (void)state;
    o.y = "accuracy";
    assert_int_equal(tw_read_curves(&call, path, &o, &c, &call.err), TW_EFORMAT);
    assert_non_null(strstr(call.err.msg, path));
    assert_int_equal(c.n, 0);
    tw_curves_release(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_run_is_a_curve),
        cmocka_unit_test(a_group_is_one_curve),
        cmocka_unit_test(a_failure_adds_no_curve),
    };

    tw_library_init();
    return cmocka_run_group_tests(tests, write_file, drop_file);
}
