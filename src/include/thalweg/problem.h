/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/problem.h - what every study of a landscape asks: parameters in; loss, values of each
 * sample, gradient, directional derivatives, Hessian-vector products out. A network with data and
 * a loss is one; closed forms are others.
 *
 * The loss of samples i = 1 .. n with loss sums l_i and weights w_i (thalweg/loss.h) is
 * L = sum l / sum w. Its standard error is that of a ratio of sums over independently drawn
 * samples, so that the positions of one sample count as one cluster (Cochran 1977, "Sampling
 * Techniques", section 2.11):
 *
 *     se^2 = n / (n - 1) sum (l_i - L w_i)^2 / (sum w)^2
 *
 * se is for the population that the data were drawn from; se_data for the data set of N samples
 * that n rows were chosen from, se sqrt(1 - n/N): zero when all were used. The error rate is the
 * same with misses in the place of losses. NaN and infinity are passed on and counted. */
#ifndef TW_PROBLEM_H
#define TW_PROBLEM_H

#include "thalweg/graph.h"
#include "thalweg/loss.h"
#include "thalweg/tensor.h"

struct tw_estimate {
    double value, se, se_data;
};
/* The ratio above over n samples out of `all`; w NULL: every weight is w_each. NaN where nothing
 * is defined (no weight; se of one sample). */
struct tw_estimate tw_estimate_ratio(size_t n, const double *l, const double *w, double w_each,
                                     size_t all);

/* Reals of one of two types; exactly one pointer is set. */
struct tw_vector {
    const float *f;
    const double *d;
};

struct tw_values {
    struct tw_estimate loss, error; /* error: NaN where there are no hits */
    size_t n;                       /* samples */
    double weight;                  /* sum of weights */
    size_t nonfinite;               /* samples whose loss is NaN or infinite */
};

/* Of each sample; NULL: not wanted. */
struct tw_sample_results {
    double *loss, *weight, *correct; /* correct: of losses with an error rate alone */
};

/* Every pointer among the results may be NULL: not wanted. Derivatives are those of L. */
struct tw_request {
    struct tw_vector at;  /* dim reals */
    const float *buffers; /* layout->nb reals; NULL: as stored in the network */
    /* Not NULL: the point is the sum of the anchors with these weights (tw_problem_anchor), and
     * `at` and `buffers` are not read. */
    const double *weights;
    /* Not NULL: these rows of the data set alone, at most n of them, in this order; all results
     * of samples then have nrows entries. TW_EINVAL where a problem has no rows to choose. */
    const size_t *rows;
    size_t nrows;
    /* As in struct tw_exec_run: samples in a batch where normalisation is from the batch (0: all
     * are one), running statistics in the layout of the buffers (of all samples asked for; other
     * entries are left alone), and the seed of who is dropped. */
    size_t batch;
    double *statistics; /* layout->nb */
    uint64_t dropout_seed;
    size_t ndirections;
    const struct tw_vector *directions;

    struct tw_values *values;
    double *loss, *weight, *correct; /* of each sample: n reals */
    double *logits;                  /* n times tw_problem_width reals */
    double *gradient;                /* dim */
    double *slopes;                  /* ndirections: derivatives of L along the directions */
    double *logit_slopes;            /* those of the logits: ndirections blocks as `logits` is */
    double *const *hvp;              /* ndirections of dim each */
    bool gauss_newton;               /* hvp are Gauss-Newton products; no gradient then */

    /* Of the problem's further losses (options.extra), nextra each. */
    struct tw_values *extra_values;
    const struct tw_sample_results *extra;
};

/* A request of many is done, the calling thread says; failure: NULL, or why this point failed.
 * False: stop. */
typedef bool tw_problem_done_fn(void *ctx, size_t i, const struct tw_err *failure);

struct tw_problem;
struct tw_anchors; /* private */
struct tw_problem_ops {
    enum tw_status (*eval)(struct tw_problem *p, const struct tw_request *r, struct tw_err *err);
    void (*free)(struct tw_problem *p);
    /* NULL: one request after another. Not NULL: both take requests with weights as they are. */
    enum tw_status (*eval_many)(struct tw_problem *p, size_t n, const struct tw_request *r,
                                tw_problem_done_fn *done, void *ctx, struct tw_err *err);
};
/* What all problems share; each has it as its first member. */
struct tw_problem {
    const struct tw_problem_ops *ops;
    size_t dim;
    const struct tw_layout *layout; /* NULL: the parameters have no names */
    size_t n, all;                  /* samples evaluated; samples that they were chosen from */
    bool has_error;                 /* there is an error rate */
    size_t width;                   /* reals a sample in `logits`; 0: none */
    struct tw_anchors *anchors;     /* NULL until they are set */
    uint64_t nanchored;             /* how often they were */
    size_t parallel;                /* requests worked on at once; 0 and 1: one */
};

enum tw_status tw_problem_eval(struct tw_problem *p, const struct tw_request *r,
                               struct tw_err *err) TW_CHECKED;
/*
 * n requests, each with places of its own for its results; they are done in any order. done
 * (NULL: not wanted) hears of each, and before another one's results are written: so requests
 * without directions, and all where one is worked on at once, may share places whose contents
 * `done` uses up. A request that fails with TW_EDOMAIN is a failed point: done hears why, and the
 * others go on; any other failure ends it. TW_ESTOP if done returned false: what was begun has been
 * finished and told. Without done the first failure of all is returned.
 */
enum tw_status tw_problem_eval_many(struct tw_problem *p, size_t n, const struct tw_request *r,
                                    tw_problem_done_fn *done, void *ctx,
                                    struct tw_err *err) TW_CHECKED;
/* The same, but done (which must be given) hears of the requests in their order: what is done early
 * waits for its turn, so no places are shared. After it returned false it still hears of those that
 * were begun. */
enum tw_status tw_problem_eval_in_order(struct tw_problem *p, size_t n, const struct tw_request *r,
                                        tw_problem_done_fn *done, void *ctx,
                                        struct tw_err *err) TW_CHECKED;
/* How many requests to hand over at once where there are more: several for each that is worked on,
 * so that nobody waits, and few enough that a kill costs little. 1 where only one is worked on. */
size_t tw_problem_batch(const struct tw_problem *p);
void tw_problem_free(struct tw_problem *p);

/*
 * Fix n >= 1 vectors (dim reals each) between which points will be asked for by weights: the ends
 * of a line, the corners of a plane, a centre and directions. They and `buffers` (n pointers to
 * layout->nb reals; NULL: as stored in the network at every point) must outlive their use. Sums are
 * made in double and rounded once, to float if all anchors are float; a point with one weight 1 and
 * the others 0 is that anchor to the bit. Earlier anchors are forgotten. TW_ENOMEM.
 *
 * Values of a network at such points (all samples, no derivatives) may be combined from products of
 * the data with its first layers that are kept for each anchor: they differ from those of the point
 * given by `at` by rounding alone, and not with the number of threads.
 */
enum tw_status tw_problem_anchor(struct tw_problem *p, size_t n, const struct tw_vector *anchors,
                                 const float *const *buffers, struct tw_err *err) TW_CHECKED;
/* The point of n anchors: dim reals into out_f or out_d, the other NULL. */
void tw_mix(size_t n, const struct tw_vector *anchors, const double *weights, size_t dim,
            float *out_f, double *out_d);

/* ---- a network on data ------------------------------------------------------------------------
 */

struct tw_problem_options {
    const struct tw_loss_spec *loss; /* NULL: tw_loss_default, or the network's own if it is one */
    /* Losses that are computed in the same pass, for values alone; with targets of the same kind
     * (classes or numbers). Not beside a network's own loss. */
    size_t nextra;
    const struct tw_loss_spec *extra;
    struct tw_graph_options graph;
    struct tw_exec_options exec; /* gradient, tangents: what will be asked for */
    bool logits;
    /* Rows: `limit` of them (0: all), drawn without replacement by (subset_seed,
     * TW_RNG_SUBSET), in ascending order. */
    size_t limit;
    uint64_t subset_seed;
};
/*
 * The net is changed (the loss is appended) and no longer needed afterwards; the data must
 * outlive the problem. Inputs of another shape with as many elements a sample are taken as they
 * lie. TW_EFORMAT: data that do not fit the network, targets that are no class (with the row);
 * TW_ENOMEM. NULL on failure.
 */
struct tw_problem *tw_problem_new(struct tw_net *net, const struct tw_dataset *data,
                                  const struct tw_problem_options *o, struct tw_err *err);
/* Of a problem made by tw_problem_new. */
const struct tw_graph *tw_problem_graph(const struct tw_problem *p);
const struct tw_loss_spec *tw_problem_loss(const struct tw_problem *p);
const struct tw_loss_ports *tw_problem_ports(const struct tw_problem *p);
/* Of further loss i: has it hits (correct >= 0), is the weight of every sample the same? */
const struct tw_loss_ports *tw_problem_extra_ports(const struct tw_problem *p, size_t i);
size_t tw_problem_kept(const struct tw_problem *p);   /* bytes of products kept for the anchors */
size_t tw_problem_memory(const struct tw_problem *p); /* bytes that evaluation holds */
const size_t *tw_problem_rows(const struct tw_problem *p); /* n rows; NULL: all, in order */
/* The targets as the loss reads them: [rows of the data set, ...]; NULL: none. */
const struct tw_array *tw_problem_targets(const struct tw_problem *p);

/* ---- closed forms ------------------------------------------------------------------------------
 */

/* (x - c)' A (x - c) / 2 with A symmetric, n x n row major; both are copied. */
struct tw_problem *tw_problem_quadratic(size_t n, const double *a, const double *c,
                                        struct tw_err *err);
/* sum over i < n - 1 of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2 (Rosenbrock 1960, Computer
 * Journal 3, p. 175; chained as More, Garbow, Hillstrom 1981). n >= 2. */
struct tw_problem *tw_problem_rosenbrock(size_t n, struct tw_err *err);

#endif
