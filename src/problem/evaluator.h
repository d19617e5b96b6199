/* SPDX-License-Identifier: GPL-3.0-or-later */
/* evaluator.h - the pool of workers as its two files see it: evaluator.c (who works on what) and
 * messages.c (what is asked and answered). */
#ifndef TW_PROBLEM_EVALUATOR_PRIVATE_H
#define TW_PROBLEM_EVALUATOR_PRIVATE_H

#include <poll.h>

#include "thalweg/problem.h"
#include "twep.h"
#include "worker.h"

/* A request, or where the labels go, or the parameters of checkpoint `index`. */
struct tw_job {
    const struct tw_request *r; /* NULL: labels or a checkpoint */
    size_t attempts;            /* workers lost over it */
    size_t index;
    float *params;
    double *real_params;
    float *buffers;
    double *labels; /* not NULL: these */
};

enum tw_member_state { TW_DOWN, TW_GREETING, TW_MAPPING, TW_IDLE, TW_BUSY };
struct tw_member {
    struct tw_worker w;
    enum tw_member_state state;
    uint64_t id;        /* of the message that is to be answered */
    double until;       /* ... by then */
    struct tw_job *job; /* stays through a restart */
    size_t step;        /* of the messages that the job takes */
    bool with_buffers;  /* the point has buffers of its own */
};

/* Byte offsets in the memory that is shared with a worker. */
struct tw_places {
    size_t at, buffers, vec, out, samples, weights, correct, logits, slopes, size;
};

struct tw_pool {
    struct tw_problem base;
    struct tw_twep_greeting greeting;
    struct tw_places places;
    bool known, meeting; /* a greeting came; we wait for the first */
    size_t nmember, threads;
    struct tw_member *member;
    struct pollfd *poll;
    char *command, *devices;
    double timeout;
    int log;
    uint64_t id;             /* of the last message */
    size_t losses, restarts; /* workers lost since the last good answer; started again */
    struct tw_twep_line line;
    struct tw_str text; /* a message */
};

struct tw_batch {
    struct tw_pool *e;
    size_t n, next, left;
    struct tw_job *job;
    tw_problem_done_fn *done;
    void *ctx;
    bool stopped;
    struct tw_err fatal;
};

/* The member's job is over. */
void tw_batch_done(struct tw_batch *b, struct tw_member *m, const struct tw_err *failure);

/* What the greeting says, into the problem. */
void tw_pool_adopt(struct tw_pool *e);
/* TW_EINVAL: the evaluator does not offer what is asked. */
enum tw_status tw_pool_can(const struct tw_pool *e, const struct tw_request *r,
                           struct tw_err *err) TW_CHECKED;

/* Messages. False, or an error: it does not listen any more. */
enum tw_status tw_member_map(struct tw_pool *e, struct tw_member *m, struct tw_err *err) TW_CHECKED;
bool tw_member_ask(struct tw_pool *e, struct tw_member *m) TW_CHECKED; /* the step of its job */
void tw_member_bye(const struct tw_member *m);
/* The line in e->line: its results go where the job wants them, and the next step is asked, or the
 * job is done. TW_EDOMAIN: the evaluator says that it cannot; TW_EFORMAT: a wrong answer, *err the
 * rest of a sentence "the evaluator ...". */
enum tw_status tw_member_answer(struct tw_batch *b, struct tw_member *m,
                                struct tw_err *err) TW_CHECKED;

#endif
