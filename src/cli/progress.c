/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Progress on stderr, and the wish of a user or a batch system to stop. */
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "host.h"

/* ---- progress ------------------------------------------------------------------------- */

static bool line_shown; /* a progress line is on the terminal: there is one terminal */

void tw_progress_hide(void)
{
    if (line_shown)
        fputs("\r\033[K", stderr);
    line_shown = false;
}

static double since(const struct timespec *t)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - t->tv_sec) + 1e-9 * (double)(now.tv_nsec - t->tv_nsec);
}

/* Asked each time: a job may be sent to the background and come back. */
static bool in_foreground(void)
{
    return tcgetpgrp(STDERR_FILENO) == getpgrp();
}

void tw_progress_start(struct tw_progress *p, const struct tw_call *call, const char *what,
                       size_t total)
{
    const char *term = getenv("TERM");

    *p = (struct tw_progress){ .what = what, .total = total, .every = 60.0 };
    p->quiet = call->common.quiet;
    p->terminal = isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
    (void)clock_gettime(CLOCK_MONOTONIC, &p->started);
}

static void add_duration(struct tw_str *s, double seconds)
{
    double minutes = floor(seconds / 60.0), hours = floor(minutes / 60.0);

    if (seconds < 100.0)
        tw_str_addf(s, "%.0f s", seconds);
    else if (minutes < 100.0)
        tw_str_addf(s, "%.0f min %02.0f s", minutes, floor(seconds - 60.0 * minutes));
    else
        tw_str_addf(s, "%.0f h %02.0f min", hours, minutes - 60.0 * hours);
}

/* Seconds per item: what the last half minute or so says, so that one slow item at the start
 * is forgotten and one just now does not swing the estimate. */
static void learn_pace(struct tw_progress *p, size_t done, double t)
{
    const double memory = 30.0;
    double dt = t - p->last_shown;
    double now = dt / (double)(done - p->last_done);
    double weight = p->seconds > 0.0 ? 1.0 - exp(-dt / memory) : 1.0;

    p->seconds += weight * (now - p->seconds);
    p->last_done = done;
    p->last_shown = t;
}

void tw_progress_step(struct tw_progress *p, size_t done, const char *extra)
{
    struct tw_str s = { 0 };
    double t;

    if (p->last_done < p->base)
        p->last_done = p->base;
    if (p->quiet || done <= p->last_done || p->total == 0)
        return;
    t = since(&p->started);
    if (t < 1.0 || t - p->last_shown < (p->terminal ? 0.2 : p->every))
        return;
    learn_pace(p, done, t);
    if (p->terminal && !in_foreground())
        return;
    tw_str_addf(&s, "%s: %zu of %zu (%.0f %%)", p->what, done, p->total,
                100.0 * (double)done / (double)p->total);
    if (done < p->total && p->seconds > 0.0) {
        tw_str_addf(&s, ", %.3g/s, ", 1.0 / p->seconds);
        add_duration(&s, p->seconds * (double)(p->total - done));
        tw_str_add(&s, " left");
    }
    if (extra)
        tw_str_addf(&s, ", %s", extra);
    p->shown = true;
    if (s.s && !s.failed) {
        /* A line that wraps could not be taken back. */
        int most = p->terminal ? (int)tw_host_columns(STDERR_FILENO) - 1 : (int)s.n;

        fprintf(stderr, "%s%.*s%s", p->terminal ? "\r" : "", most, s.s,
                p->terminal ? "\033[K" : "\n");
        fflush(stderr);
        line_shown = p->terminal;
    }
    tw_str_release(&s);
}

void tw_progress_end(struct tw_progress *p)
{
    tw_progress_hide();
    p->shown = false;
}

/* ---- signals -------------------------------------------------------------------------- */

static volatile sig_atomic_t stop_signals;

static void on_signal(int sig)
{
    if (stop_signals++) {
        /* Pending until this handler returns; then the default action ends the process. */
        (void)signal(sig, SIG_DFL);
        (void)raise(sig);
    }
}

static void watch(int sig)
{
    struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_RESTART }, old;

    /* Whoever started us with the signal ignored (nohup, a script's background job) meant it. */
    if (sigaction(sig, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
        (void)sigaction(sig, &sa, NULL);
}

bool tw_stop_requested(void)
{
    static atomic_flag watched = ATOMIC_FLAG_INIT;

    if (!atomic_flag_test_and_set(&watched)) {
        watch(SIGINT);
        watch(SIGTERM);
    }
    return stop_signals > 0;
}
