/* SPDX-License-Identifier: GPL-3.0-or-later */
/* log_test.h - reading a literal as a log, and looking things up in it. */
#ifndef TESTS_LOG_TEST_H
#define TESTS_LOG_TEST_H

#include <math.h>
#include <string.h>

#include "num.h"
#include "thalweg/store_log.h"

/* The standard's are floats. */
#define QNAN ((double)NAN)
#define INF  ((double)INFINITY)

static const struct tw_curve_opts all = { .from = QNAN, .to = QNAN };

static inline void read_ok_with(const char *text, const struct tw_log_opts *opts,
                                struct tw_log *log)
{
    struct tw_err err = { 0 };

    *log = (struct tw_log){ 0 };
    if (tw_log_read_mem(text, strlen(text), "dir/test.csv", opts, log, &err) != TW_OK)
        fail_msg("%s", err.msg);
}

static inline void read_ok(const char *text, struct tw_log *log)
{
    read_ok_with(text, NULL, log);
}

/* Reading fails with this status and a message that has these words. */
static inline void read_fails(const char *text, size_t n, const struct tw_log_opts *opts,
                              enum tw_status want, const char *words)
{
    struct tw_log log = { 0 };
    struct tw_err err = { 0 };

    assert_int_equal(tw_log_read_mem(text, n, "test.csv", opts, &log, &err), want);
    if (!strstr(err.msg, words))
        fail_msg("'%s' is not in: %s", words, err.msg);
    if (strncmp(err.msg, "test.csv: ", 10) != 0)
        fail_msg("the file is not named in: %s", err.msg);
    tw_log_release(&log);
}

static inline const struct tw_log_series *series(const struct tw_log *log, size_t run,
                                                 const char *name)
{
    assert_true(run < log->nruns);
    for (size_t i = 0; i < log->runs[run].nseries; i++)
        if (!strcmp(log->runs[run].series[i].name, name))
            return &log->runs[run].series[i];
    fail_msg("run %zu has no series '%s'", run, name);
    return NULL;
}

/* Bit for bit, NaN equal to NaN. */
static inline void check_series(const struct tw_log_series *s, size_t n, const double *x,
                                const double *y)
{
    assert_int_equal(s->n, n);
    for (size_t i = 0; i < n; i++) {
        check_close(s->x[i], x[i], 0.0, 0.0);
        if (isnan(y[i]))
            assert_true(isnan(s->y[i]));
        else if (isinf(y[i]))
            assert_true(isinf(s->y[i]) && (s->y[i] > 0) == (y[i] > 0));
        else
            check_close(s->y[i], y[i], 0.0, 0.0);
    }
}
#define CHECK_SERIES(s, n, ...)                                                                    \
    do {                                                                                           \
        static const double xy_[][n] = { __VA_ARGS__ };                                            \
        check_series((s), (n), xy_[0], xy_[1]);                                                    \
    } while (0)
#define LIST(...)                                                                                  \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

#endif
