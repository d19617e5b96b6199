/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/law_frontier.h - the size that spends a budget best, without a law of the loss: the
 * approaches 1 and 2 of Hoffmann et al. 2022, arXiv:2203.15556, section 3. C = 6 N D throughout.
 *
 *   envelope  (approach 1) at each of many budgets, the size whose training curve is lowest there
 *   isoflop   (approach 2) for each budget at which runs of several sizes were made, the minimum
 *             of a parabola of the loss in log N
 *
 * Either way a straight line log N* = log k + a log C goes through what was found. Both are known
 * to be biased; see struct tw_frontier_point. */
#ifndef TW_LAW_FRONTIER_H
#define TW_LAW_FRONTIER_H

#include "thalweg/law.h"

enum tw_frontier_kind { TW_FRONTIER_ENVELOPE = 1, TW_FRONTIER_ISOFLOP = 2 };

struct tw_frontier_opts {
    double tolerance;     /* isoflop: runs within this share of a budget belong to it [0.1] */
    const double *budget; /* (nbudgets) the budgets; none: where most runs are */
    size_t nbudgets;
    size_t bootstrap; /* replicates: runs drawn within each budget, or whole curves [1000] */
    double level;     /* of the intervals [0.95] */
    uint64_t seed;
};
struct tw_frontier_opts tw_frontier_defaults(void);

/* A parabola's minimum is off for a loss E + A N^-alpha + B D^-beta at a fixed C: by
 * (alpha - beta) W^2 / 10 in log N for sizes spread evenly over W to both sides of the minimum
 * and small W (its third derivative over its second is beta - alpha). If W or the place of the
 * minimum within the sizes drifts with C, so does that, and the exponent is off. */
#define TW_FRONTIER_WIDE  1.3862943611198906 /* log 4: a half-width above it is called wide */
#define TW_FRONTIER_ASIDE 0.5 /* a minimum that far from the middle, in half-widths: off-centre */
enum { TW_FRONTIER_MIN_SIZES = 4 }; /* of one budget */

struct tw_frontier_point {
    double flops;
    double size, tokens, loss; /* at the minimum; NAN if there is none */
    const char *why;           /* why the line does not go through it; NULL: it does */
    /* isoflop alone: */
    size_t n;       /* runs */
    size_t *run;    /* (n) their numbers among the stacked runs, by size */
    double lo, hi;  /* least and largest size */
    double coef[3]; /* loss = coef[0] + coef[1] z + coef[2] z^2, z = log N - log sqrt(lo hi) */
    double half_width, aside; /* of log N; place of the minimum, -1 to 1 within the sizes */
};

struct tw_frontier {
    enum tw_frontier_kind kind;
    size_t n, used; /* points; those that the line goes through */
    struct tw_frontier_point *point;
    double k, a, k_lo, k_hi, a_lo,
        a_hi;      /* N* = k (C / centre)^a; intervals NAN without bootstrap */
    double centre; /* geometric mean of the used budgets */
    size_t replicates, failed;
    /* envelope alone: */
    size_t curves;
    double smallest, largest; /* share of the budgets at which the least, largest size was best:
                                 there the true best may lie beyond, and the line leaves them out */
    bool ends;                /* ... unless fewer than two sizes would be left */
};

/*
 * From groups of runs with the inputs N and D (see tw_law_curve). For the envelope the runs are
 * rows along training curves: a new curve begins with a group, and where N changes or D does
 * not grow. TW_EDOMAIN: fewer than two budgets have a minimum, or no budget has curves of two
 * sizes. TW_ENOMEM. *out is {0} on entry; release it even after a failure.
 */
enum tw_status tw_frontier_run(enum tw_frontier_kind kind, const struct tw_law_curve *runs,
                               size_t n, const struct tw_frontier_opts *opts,
                               struct tw_frontier *out, struct tw_err *err) TW_CHECKED;
void tw_frontier_release(struct tw_frontier *f);

#endif
