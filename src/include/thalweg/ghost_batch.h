/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/ghost_batch.h - step bounds of many samples, of several directions, of quadratic logits,
 * and of a network along directions in its weights.
 *
 * The radius of a mean of losses is the least of its samples'. A mini-batch sees some samples
 * only, so its radius is at least the data set's. */
#ifndef TW_GHOST_BATCH_H
#define TW_GHOST_BATCH_H

#include "thalweg/ghost.h"
#include "thalweg/problem.h"

/* ---- many samples -------------------------------------------------------------------------- */

/* Row i of each: the logits and slopes of one softmax. */
struct tw_ghost_samples {
    size_t n, classes;
    const double *logits, *slopes; /* n x classes */
    double temperature;
};

enum tw_ghost_exact {
    TW_GHOST_BOUNDS,  /* rho_a and B1 alone */
    TW_GHOST_NEAREST, /* the zeros that may lie within `reach` or be the nearest of all */
    TW_GHOST_ALL
};

/* Of each sample: n reals, or NULL: not wanted. */
struct tw_ghost_each {
    double *rho_a;
    double *low;           /* the best lower bound that was computed; rho* if that was */
    double *rho, *re, *im; /* the nearest zero; NaN where it was not computed */
    double *flip;          /* least t > 0 at which the predicted class changes (linear logits) */
    double *variance;      /* of the slopes, over T */
};
struct tw_ghost_nearest_of {
    double value; /* infinite if nothing limits */
    size_t at;    /* the sample */
};
struct tw_ghost_batch {
    double spread;                         /* the largest */
    struct tw_ghost_nearest_of rho_a;      /* the paper's bound */
    struct tw_ghost_nearest_of low;        /* the least of the best lower bounds */
    struct tw_ghost_nearest_of b1, b2, b3; /* of these; value NaN but with TW_GHOST_ALL */
    struct tw_ghost_nearest_of rho;        /* the nearest zero; value NaN with TW_GHOST_BOUNDS */
    size_t solved, open;                   /* zeros computed; of these, without proof */
};
/* The same bits at any number of threads; the first of equals. TW_EDOMAIN names the sample (from
 * `first`) whose numbers are not finite. */
enum tw_status tw_ghost_batch(const struct tw_ghost_samples *s, enum tw_ghost_exact exact,
                              double reach, size_t threads, size_t first,
                              const struct tw_ghost_each *each, struct tw_ghost_batch *out,
                              struct tw_err *err) TW_CHECKED;
/* Put the samples [first, ...) of `part` behind those in *all, which starts as {0}. */
void tw_ghost_batch_add(struct tw_ghost_batch *all, const struct tw_ghost_batch *part,
                        size_t first);

/* Radii of `times` random mini-batches of `size` of the n samples, without replacement, from the
 * stream (seed, TW_RNG_GHOST_BATCH, i): the least of each into out[i]. TW_ENOMEM. */
enum tw_status tw_ghost_mini_batches(size_t n, const double *radius, size_t size, size_t times,
                                     uint64_t seed, double *out, struct tw_err *err) TW_CHECKED;

/* ---- several directions at once ------------------------------------------------------------ */

/* Steps of complex length |t_l| <= length[l] along m directions with spreads spread[l]: below 1 the
 * partition function has no zero among them, as the phases of its terms then differ by less than
 * pi. Sum of length times spread, over pi T. */
double tw_ghost_polydisc(size_t m, const double *length, const double *spread, double temperature);
/* No zero for complex coefficients t of m directions with norm below this: pi T / max |A_k - A_l|,
 * where row k of A (classes x m) holds the slopes of class k. For m orthonormal directions that
 * span all parameters the maximum is over directions. */
double tw_ghost_subspace(size_t classes, size_t m, const double *a, double temperature);

/* ---- logits that bend ---------------------------------------------------------------------- */

/* No zero of sum exp((z + a t + b t^2) / T) within this: for t = rho e^{i theta} the phases differ
 * by less than pi while rho Delta_a |sin theta| + rho^2 Delta_b |sin 2 theta| < pi T, and one class
 * dominates while rho D_a |cos theta| + rho^2 D_b |cos 2 theta| is below its log-odds; the larger
 * of the two, at the least theta. With b = 0 it is B1. The same holds for any remainder that is
 * analytic with |remainder_k| <= max|b| |t|^2 in the disc. Numbers must be finite. */
double tw_ghost_quadratic(size_t classes, const double *z, const double *a, const double *b,
                          double temperature);

/* ---- networks ------------------------------------------------------------------------------ */

/* A block of softmaxes of a problem: positions whose target counts. */
struct tw_ghost_block {
    size_t n, first, classes;    /* `first`: softmaxes of the blocks before */
    const double *logits;        /* n x classes */
    const double *const *slopes; /* for each direction, n x classes */
    const size_t *label, *row;   /* (n): class, row of the data set */
};
typedef enum tw_status tw_ghost_block_fn(void *ctx, const struct tw_ghost_block *b,
                                         struct tw_err *err);
/* Logits and their slopes along r->directions at r's point, over r's rows (NULL: all that the
 * problem has), in blocks of about `bytes`, through fn. The problem was made with logits, tangents
 * for the directions and a loss of classes: else TW_EINVAL. A failure of fn ends it. */
enum tw_status tw_ghost_slopes(struct tw_problem *p, const struct tw_request *r, size_t bytes,
                               tw_ghost_block_fn *fn, void *ctx, struct tw_err *err) TW_CHECKED;
/* The same of a problem that is no network of ours (an evaluator): all samples in one block, with
 * p->width / classes softmaxes of a sample one after another. labels: NULL (every label is then
 * SIZE_MAX), or the class of each softmax as tw_evaluator_labels gives them. */
enum tw_status tw_ghost_slopes_whole(struct tw_problem *p, const struct tw_request *r,
                                     size_t classes, const double *labels, tw_ghost_block_fn *fn,
                                     void *ctx, struct tw_err *err) TW_CHECKED;
/* How many softmaxes those of tw_ghost_slopes are. */
size_t tw_ghost_positions(const struct tw_problem *p, const struct tw_request *r);

/* The paper's rho_a of the one direction of r, over its rows, in units of that direction. */
enum tw_status tw_ghost_radius(struct tw_problem *p, const struct tw_request *r, double *rho_a,
                               struct tw_err *err) TW_CHECKED;

/* ---- controllers --------------------------------------------------------------------------- */

/* The learning rate under which the normalised step eta |u| / rho_a of an update u (at rate 1) is
 * at most `r` (the paper's equations 18 and 19, with a target), or is r (its section 6.7): rho_a is
 * along -u / |u|. Without a limit (rho_a infinite, u zero) it is `rate`. The state of the optimiser
 * advances with the unshortened gradient; only the step is shortened. */
enum tw_ghost_rule { TW_GHOST_CAP, TW_GHOST_RATE };
double tw_ghost_rate(enum tw_ghost_rule rule, double rate, double r, double rho_a, double norm);

#endif
