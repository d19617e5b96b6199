/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/problem_evaluator.h - a problem whose numbers come from other processes: a program of the
 * user's, in any language and on any device, that answers "loss at these parameters" by the
 * protocol of thalweg-evaluator(7).
 *
 * A pool of workers runs the same program. One that dies, hangs or breaks the protocol is started
 * again and gets its point again; at the third time the point has failed. */
#ifndef TW_PROBLEM_EVALUATOR_H
#define TW_PROBLEM_EVALUATOR_H

#include "thalweg/problem.h"

struct tw_evaluator_options {
    const char *command; /* for /bin/sh */
    size_t workers;      /* 0: one */
    size_t threads;      /* OMP_NUM_THREADS of each worker; 0: what the environment says */
    double timeout;      /* seconds to wait for one answer, and for the greeting; 0: for ever */
    const char *devices; /* "0,1": CUDA_VISIBLE_DEVICES of the workers in turn; NULL: leave it */
    const char *log;     /* what the workers print is appended here; NULL: to a file without a
                            name, of which only the end is ever seen */
    struct tw_str *said; /* if it cannot be made: what tw_evaluator_tail would say; or NULL */
};

/*
 * Starts the workers and waits for the first to greet. tw_problem_eval's status is TW_EDOMAIN if
 * this point has failed and others may do (the evaluator says so, or three workers were lost over
 * it), TW_EINVAL if something was asked that the evaluator does not offer, TW_EIO if no evaluator
 * can be kept running. A request without buffers takes those of the first checkpoint. Slopes come
 * from the gradient where the evaluator has no jvp. One that gives no losses of single samples is a
 * problem of one sample. NULL on failure: TW_EIO with the reason if it does not start or greets
 * wrongly, TW_ENOMEM.
 */
struct tw_problem *tw_problem_evaluator(const struct tw_evaluator_options *o, struct tw_err *err);

/* The rest is for problems made by it. */
struct tw_evaluator_info {
    const char *name, *data; /* NULL: it does not say */
    bool real64;             /* its parameters are doubles, else floats */
    bool samples;            /* losses of each sample can be asked for */
    bool grad, jvp, hvp;
    /* Logits of a sample are tw_problem's width / classes softmaxes one after another, each of
     * `classes` reals; 0: it offers none. */
    size_t classes;
    bool logit_jvp, labels; /* slopes of logits, labels can be asked for */
    size_t checkpoints;
    size_t restarts; /* workers started again so far */
};
struct tw_evaluator_info tw_evaluator_info(const struct tw_problem *p);
const char *tw_evaluator_checkpoint(const struct tw_problem *p, size_t i);
/* The parameters of its checkpoint i as floats or doubles, the buffers as floats; each pointer may
 * be NULL. */
enum tw_status tw_evaluator_get(struct tw_problem *p, size_t i, float *params, double *real_params,
                                float *buffers, struct tw_err *err) TW_CHECKED;
/* The class of each softmax, n times width / classes reals; one below 0: it counts nowhere.
 * TW_EINVAL: they are not offered. */
enum tw_status tw_evaluator_labels(struct tw_problem *p, double *labels,
                                   struct tw_err *err) TW_CHECKED;
/* The last lines, up to 20, of what the workers have printed. */
void tw_evaluator_tail(const struct tw_problem *p, struct tw_str *out);

#endif
