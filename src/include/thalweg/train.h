/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/train.h - optimizers, the order of the data, and one update after another.
 *
 * Everything random is a function of seeds and the number of the update alone, and all that an
 * update needs is in tw_trainer_save: a run that goes on from there has the same bits as one that
 * was never stopped, at any number of threads. */
#ifndef TW_TRAIN_H
#define TW_TRAIN_H

#include "thalweg/problem.h"

/* ---- optimizers ---------------------------------------------------------------------------- */

/* As torch.optim of PyTorch 1.13 has them; x the parameters, g the gradient of the loss, eta the
 * learning rate, t the number of the update from 1. Each proposes u, and x becomes x - eta u.
 *
 *   sgd       u = g + wd x
 *   momentum  h = g + wd x; b = h at t = 1, later mu b + (1 - dampening) h; u = b
 *   nesterov  the same with dampening 0; u = h + mu b
 *   adam      h = g + wd x; m = beta1 m + (1 - beta1) h; v = beta2 v + (1 - beta2) h^2;
 *             u = m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)
 *             (Kingma, Ba 2015, arXiv:1412.6980, algorithm 1)
 *   adamw     the same with h = g, and wd x added to u (Loshchilov, Hutter 2019,
 *             arXiv:1711.05101, algorithm 2, with its schedule multiplier in eta) */
struct tw_optimizer_row;
struct tw_optimizer {
    const struct tw_optimizer_row *row;
    double mu, dampening, beta1, beta2, eps, wd;
};
struct tw_optimizer_arg {
    const char *name;
    size_t off; /* in struct tw_optimizer */
    double standard, lo, hi;
    bool below; /* less than hi, not hi itself */
};
struct tw_optimizer_row {
    const char *name, *summary;
    struct tw_optimizer_arg arg[5]; /* ends with a NULL name */
    size_t nmoment;                 /* vectors that it keeps */
    /* Elements first to last - 1 of u; t from 1. */
    void (*propose)(const struct tw_optimizer *o, double t, const double *x, const double *g,
                    double *const *moment, double *u, size_t first, size_t last);
};
extern const struct tw_optimizer_row tw_optimizers[]; /* ends with a NULL name */
/* "adamw", "momentum(mu=0.9,wd=1e-4)"; TW_EINVAL says what is wrong. */
enum tw_status tw_optimizer_parse(const char *text, struct tw_optimizer *o,
                                  struct tw_err *err) TW_CHECKED;
void tw_optimizer_print(const struct tw_optimizer *o, struct tw_str *out); /* every argument */

/* ---- the order of the data ------------------------------------------------------------------- */

/*
 * Batches of rows, as PyTorch's DataLoader with shuffle=True takes them: every epoch a new order of
 * all rows, cut into batches; what is left at the end of an epoch is a smaller batch
 * (drop_last: left out). The order is a shuffle (Fisher and Yates) by the stream (seed,
 * TW_RNG_BATCH, number of the epoch and of the branch). Before update `spawn` all branches have one
 * order; from there on each has its own, beginning with a new epoch.
 */
struct tw_order {
    size_t n, batch;    /* rows; rows of a batch, at most n */
    const size_t *rows; /* which rows; NULL: 0 .. n - 1 */
    bool drop_last;
    uint64_t seed;
    size_t spawn; /* SIZE_MAX: never */
    unsigned branch;
};
/* Updates of one epoch. */
size_t tw_order_epoch(const struct tw_order *o);
/* Where update `step` (from 0) is: the number of its epoch, of the batch in it, of the branch. */
struct tw_order_place {
    uint64_t epoch, branch;
    size_t batch;
};
struct tw_order_place tw_order_place(const struct tw_order *o, size_t step);
/* The order of an epoch: n numbers into `shuffled`. */
void tw_order_shuffle(const struct tw_order *o, struct tw_order_place at, size_t *shuffled);

/* ---- training -------------------------------------------------------------------------------- */

/* What a controller of the step size sees and may change before an update. */
struct tw_train_step {
    size_t step; /* from 0 */
    struct tw_problem *problem;
    const size_t *rows; /* the batch; NULL: all rows */
    size_t nrows;
    struct tw_vector at; /* the parameters that the gradient belongs to */
    const float *buffers;
    const double *gradient; /* after clipping */
    const double *proposal; /* u */
    double gradient_norm, proposal_norm;
    uint64_t dropout_seed; /* of the update's evaluations */
    double lr;             /* in: the schedule's, spikes included; out: what is used */
    double *extra;         /* out: nextra numbers for the log */
};
typedef enum tw_status tw_train_control_fn(void *ctx, struct tw_train_step *s, struct tw_err *err);

/* Puts the samples of update `step` into the first rows of the data set that the problem reads. */
typedef enum tw_status tw_train_fill_fn(void *ctx, size_t step, uint64_t branch,
                                        struct tw_err *err);

struct tw_trainer_options {
    struct tw_optimizer optimizer;
    const double *lr; /* (steps), the rate of each update; must outlive the trainer */
    size_t steps;
    double clip; /* largest norm of the gradient, as torch.nn.utils.clip_grad_norm_; 0: none */
    size_t spike_step; /* SIZE_MAX: none */
    double spike_factor;
    bool spike_held; /* from that update on; else there alone */
    struct tw_order order;
    /* Not NULL: fills the data set's rows 0 .. order.batch - 1, and rows are not shuffled. */
    tw_train_fill_fn *fill;
    void *fill_ctx;
    bool real64; /* evaluate in double precision: the problem was made so */
    /* Of dropout: every update has its own, made of this, its number and the branch. */
    uint64_t dropout_seed;
    tw_train_control_fn *control;
    void *control_ctx;
    size_t nextra;
};

struct tw_train_report {
    size_t step;        /* updates made, this one included */
    double loss, error; /* of the batch before the update; error NaN where there is none */
    double lr;          /* as used */
    double grad_norm;   /* before clipping */
    double update_norm; /* lr |u| */
    double param_norm;  /* after the update */
    bool finite;        /* loss and parameters are */
};

struct tw_trainer;
/* Starts from params (layout->n) and buffers (layout->nb), which are copied. The problem is a
 * network's, ready for gradients. Where its normalisations are by the batch
 * (tw_graph_options.batch_statistics), each update moves their running statistics by a tenth
 * towards the batch's, variances divided by m - 1, as PyTorch does with momentum=0.1. TW_EINVAL for
 * what contradicts itself; NULL on failure. */
struct tw_trainer *tw_trainer_new(struct tw_problem *problem, const struct tw_trainer_options *o,
                                  const float *params, const float *buffers, struct tw_err *err);
void tw_trainer_free(struct tw_trainer *t);
/* One update. A loss or parameters that are not finite are no failure: see the report. */
enum tw_status tw_trainer_step(struct tw_trainer *t, struct tw_train_report *report,
                               struct tw_err *err) TW_CHECKED;
size_t tw_trainer_steps(const struct tw_trainer *t); /* updates made */
/* As evaluated: float32 (rounded from double) and, exactly, double. */
const float *tw_trainer_params(const struct tw_trainer *t);
const double *tw_trainer_params_real(const struct tw_trainer *t);
const float *tw_trainer_buffers(const struct tw_trainer *t);
const double *tw_trainer_extra(const struct tw_trainer *t); /* nextra numbers of the last update */
/* All that the next update depends on beside the number of updates made. */
size_t tw_trainer_state(const struct tw_trainer *t); /* how many numbers */
void tw_trainer_save(const struct tw_trainer *t, double *state);
void tw_trainer_load(struct tw_trainer *t, size_t steps, const double *state);

#endif
