/* SPDX-License-Identifier: GPL-3.0-or-later */
/* evaluators.h - the evaluator processes of the tests, wherever a test is started. */
#ifndef TESTS_EVALUATORS_H
#define TESTS_EVALUATORS_H

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "num.h"
#include "thalweg/problem_evaluator.h"

/* A shell command: the program under the build's test/ with arguments. */
static inline const char *evaluator(const char *program, const char *arguments)
{
    static char command[4][700];
    static unsigned k;
    const char *build = getenv("TW_BUILD");

    k = (k + 1) % 4;
    (void)snprintf(command[k], sizeof command[k], "'%s/test/%s' %s",
                   build ? build : "build/release", program, arguments);
    return command[k];
}

static inline struct tw_problem *open_evaluator(const char *command, size_t workers, double timeout)
{
    const struct tw_evaluator_options o = { .command = command,
                                            .workers = workers,
                                            .timeout = timeout };
    struct tw_err err = { 0 };
    struct tw_problem *p = tw_problem_evaluator(&o, &err);

    if (!p)
        fail_msg("%s: %s", command, err.msg);
    return p;
}

static inline size_t open_files(void)
{
    DIR *d = opendir("/proc/self/fd");
    size_t n = 0;

    while (d && readdir(d))
        n++;
    if (d)
        (void)closedir(d);
    return n;
}

/* No child is left, not even a dead one. */
static inline void check_no_children(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

#endif
