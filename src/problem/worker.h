/* SPDX-License-Identifier: GPL-3.0-or-later */
/* worker.h - one evaluator process: its start, the lines to and from it, memory that both see, its
 * end. Nothing has a name in a file system, so nothing stays when any of us is killed. */
#ifndef TW_PROBLEM_WORKER_H
#define TW_PROBLEM_WORKER_H

#include <sys/types.h>

#include "thalweg/base.h"

/* What the process finds open. */
enum { TW_WORKER_IN = 3, TW_WORKER_OUT = 4, TW_WORKER_MEMORY = 5 };

/* Starts as {0}. */
struct tw_worker {
    pid_t pid; /* 0: there is none */
    int to, from, memory;
    unsigned char *map;
    size_t size;
    char *in; /* what came: n bytes, of which the line before `used` was handed out */
    size_t n, cap, used;
    int status;     /* of the last process */
    bool was_alive; /* ... which had not ended by itself */
};

/* Runs the command by /bin/sh with `extra` (ends with NULL; "NAME=value") in place of the
 * environment's own; its standard output and error go to log_fd. */
enum tw_status tw_worker_start(struct tw_worker *w, const char *command, const char *const *extra,
                               int log_fd, struct tw_err *err) TW_CHECKED;
/* Gives the memory its size and maps it; once after a start. */
enum tw_status tw_worker_map(struct tw_worker *w, size_t size, struct tw_err *err) TW_CHECKED;
/* False: it does not listen any more. */
bool tw_worker_send(const struct tw_worker *w, const char *line, size_t n) TW_CHECKED;

enum tw_worker_news { TW_WORKER_NOTHING, TW_WORKER_LINE, TW_WORKER_ENDED, TW_WORKER_TOO_LONG };
/* What has come by now; does not wait. A line is good until the next call, without its newline and
 * with a 0 behind it. */
enum tw_worker_news tw_worker_receive(struct tw_worker *w, char **line, size_t *n);

/* End it, at once or after `grace` seconds in which it may go by itself, and wait for it. */
void tw_worker_stop(struct tw_worker *w, double grace);
/* How it ended, as the rest of a sentence: "ended with exit code 1". */
void tw_worker_describe(const struct tw_worker *w, struct tw_str *out);

double tw_worker_now(void); /* seconds on a clock that nobody sets */

#endif
