/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/problem_check.h - does a problem keep its promises? The same loss for the same point
 * whatever was asked before, the loss of the samples' losses, a gradient that is the loss's, slopes
 * and Hessian-vector products that are the gradient's. Made for evaluators; any problem will do.
 *
 * Gradients are compared with central differences over two steps (Richardson's extrapolation),
 * layer by layer along the layer's own gradient, where the signal is largest, and along random
 * directions. The noise of the loss is estimated from a table of differences (More and Wild 2011,
 * "Estimating computational noise", SIAM J. Sci. Comput. 33, section 2) and sets the steps; what it
 * hides is said to be unclear, not wrong. */
#ifndef TW_PROBLEM_CHECK_H
#define TW_PROBLEM_CHECK_H

#include "thalweg/problem.h"

enum tw_check_verdict { TW_CHECK_GOOD, TW_CHECK_WRONG, TW_CHECK_UNCLEAR };
struct tw_check {
    const char *name; /* "repeated", "gradient", ... */
    const char *part; /* a tensor; NULL */
    enum tw_check_verdict verdict;
    double value, allowed; /* a relative difference and what is tolerated */
    const char *sentence;  /* what is wrong and where that often comes from; NULL where good */
};
struct tw_check_options {
    struct tw_vector at; /* dim reals */
    const float *buffers;
    uint64_t seed;
    bool real64; /* points can be told apart to double precision; else to single */
    bool samples, gradient, slopes, hvp; /* what it offers */
    bool logits;  /* it offers these and their slopes; not checked where they are very many */
    bool tensors; /* the gradient of each tensor, four losses each */
};
/* Told of each check as it is done; false: stop. */
typedef bool tw_check_fn(void *ctx, const struct tw_check *c);
/* What problem evaluations return on failure is passed on; TW_ESTOP if fn said so. `at` is left a
 * little, so that gradients are not those of a minimum. */
enum tw_status tw_problem_check(struct tw_problem *p, const struct tw_check_options *o,
                                tw_check_fn *fn, void *ctx, struct tw_err *err) TW_CHECKED;

#endif
