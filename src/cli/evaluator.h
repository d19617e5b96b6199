/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/evaluator.h - the user's evaluator in place of a network and data: options, and the way from
 * its command to a problem and its checkpoints.
 *
 *     if (o->evaluator.command) {
 *         problem = tw_evaluator_open(call, &o->evaluator);
 *         rc = problem ? tw_evaluator_own(call, problem, &own) : call->err.code;
 *     }
 *
 * then own.at and own.buffers are anchors for tw_problem_anchor. What asks for a network
 * (tw_problem_graph, _loss, _ports, _rows, _targets, _memory) is not for such a problem. */
#ifndef TW_CLI_EVALUATOR_H
#define TW_CLI_EVALUATOR_H

#include "cmd.h"
#include "thalweg/problem_evaluator.h"

struct tw_evaluator_opts {
    const char *command, *devices, *log;
    size_t workers;
    double timeout;
};
/* clang-format off */
#define TW_EVALUATOR_DEFAULTS { .timeout = 600.0 }

/* Rows for a command's option table; `type` is its options struct, `field` its tw_evaluator_opts. */
#define TW_EVALUATOR(type, field)                                                                  \
    { TW_OPT_HEAD, 0, "Your own evaluator", 0, NULL, NULL, 0, 0, NULL },                           \
    { TW_OPT_STR, 0, "evaluator", TW_OPT_FIELD(type, field.command), "CMD",                        \
      "a program that gives the loss, in place of network, checkpoints and data; see "             \
      "thalweg-evaluator(7)", 0, 0, NULL },                                                        \
    TW_EVALUATOR_POOL(type, field)
/* Without --evaluator itself. */
#define TW_EVALUATOR_POOL(type, field)                                                             \
    { TW_OPT_SIZE, 0, "workers", TW_OPT_FIELD(type, field.workers), "N",                           \
      "run it N times at once [one for each of --devices, else 1]", 1, 4096, NULL },               \
    { TW_OPT_STR, 0, "devices", TW_OPT_FIELD(type, field.devices), "LIST",                         \
      "CUDA_VISIBLE_DEVICES of the workers in turn, as in 0,1,2,3 [leave it as it is]", 0, 0,      \
      NULL },                                                                                      \
    { TW_OPT_REAL, 0, "evaluator-timeout", TW_OPT_FIELD(type, field.timeout), "S",                 \
      "seconds to wait for one answer; 0: for ever [600]", 0, 1e9, NULL },                         \
    { TW_OPT_STR, 0, "evaluator-log", TW_OPT_FIELD(type, field.log), "FILE",                       \
      "append what the workers print to this file [show the end after a failure]", 0, 0, NULL }
/* clang-format on */

/* NULL on failure, with call->err set; what the evaluator printed last has then been shown. */
struct tw_problem *tw_evaluator_open(struct tw_call *call, const struct tw_evaluator_opts *o);
/* What stands for the name of the loss in reports: the evaluator's own name. */
void tw_evaluator_objective(const struct tw_problem *p, struct tw_str *out);
/* After a failure: what it printed last, as remarks. */
void tw_evaluator_show_tail(struct tw_call *call, const struct tw_problem *p);

/* The parameters of all its checkpoints, in its own precision. */
struct tw_own_checkpoints {
    size_t n;
    const char **name;     /* the problem's */
    struct tw_vector *at;  /* dim reals each */
    const float **buffers; /* layout->nb reals each */
    float *f;              /* where they are */
    double *d;
    float *b;
};
/* *own starts as {0}; release it in any case. TW_EFORMAT: it has none. */
enum tw_status tw_evaluator_own(struct tw_call *call, struct tw_problem *p,
                                struct tw_own_checkpoints *own) TW_CHECKED;
void tw_own_checkpoints_release(struct tw_own_checkpoints *own);

/* `thalweg eval` of the evaluator's checkpoints. */
int tw_eval_evaluator(struct tw_call *call, const struct tw_evaluator_opts *o, double expected,
                      double tolerance);

#endif
