/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/law_schedule.h - the schedule whose last step a law with given parameters says is
 * best, under constraints that make the question well posed: the number of steps, the warm-up
 * and the peak are given, and from the peak the rate never rises, never falls below a floor
 * and, if asked, falls no faster than so much a step. Without them there is no answer: longer
 * runs and larger rates always predict less loss. */
#ifndef TW_LAW_SCHEDULE_H
#define TW_LAW_SCHEDULE_H

#include "thalweg/law.h"

struct tw_law_best_problem {
    const struct tw_law *law; /* law->final is not NULL */
    const double *theta;
    enum tw_warmup warmup;
    size_t n;           /* steps */
    size_t first;       /* the step that reaches the peak; first + 1 < n */
    const double *rise; /* (first + 1) the given rates, not falling; the last is the peak, > 0 */
    double floor;       /* 0 < floor < peak */
    size_t fall;        /* a fall from peak to floor takes at least so many steps; >= 1 */
};

enum { TW_LAW_BEST_STARTS = 12 };
struct tw_law_best {
    double loss;
    double *lr; /* (n) */
    /* The largest decrease of the loss that its gradient promises anywhere among the allowed
     * schedules (Frank & Wolfe 1956). If the loss is convex in the rates no allowed schedule
     * is better by more than this: a bound on the distance from the global optimum. Else it
     * only says that nothing near is better to first order. */
    double gap;
    bool global; /* law->final_convex: the gap is such a bound */
    /* Each start is a known schedule cut into stairs on some grid, improved by itself. */
    double start_loss[TW_LAW_BEST_STARTS];
    size_t starts, at_best; /* of the starts, ended within 1e-6 of the loss */
    size_t rounds;          /* improvements of the best start against its gap */
    size_t falls;           /* steps at which the rate falls */
};

/* TW_EINVAL: a problem outside the ranges above. TW_EDOMAIN: the loss is not finite. *best is
 * {0} on entry; release it even after a failure. */
enum tw_status tw_law_best_schedule(const struct tw_law_best_problem *p, struct tw_law_best *best,
                                    struct tw_err *err) TW_CHECKED;
void tw_law_best_release(struct tw_law_best *best);

/* A family: a specification (thalweg/schedule.h) in which ? stands for a value of decay, stage,
 * restart, rewarm, period (1 to steps), end, end2, peak2 (floor to peak) or shape; at most three
 * numbers. A grid, refined along each axis to single steps. Rates below the floor or above
 * the peak after the warm-up, and falls faster than (peak - floor) / fall a step, are not
 * allowed. */
struct tw_law_family {
    const char *spec;
    double floor, peak;
    size_t fall, steps;
};
/* The best of a family, its loss and how many were tried; *best is {0} on entry, release it even
 * after a failure. TW_EINVAL: a ? where none may be, or no allowed schedule. */
enum tw_status tw_law_best_family(const struct tw_law *law, const double *theta,
                                  enum tw_warmup warmup, const struct tw_law_family *f,
                                  struct tw_schedule *best, double *loss, size_t *tried,
                                  struct tw_err *err) TW_CHECKED;

/* How much less loss `better` ends with than `other`, with the central 95 % of the fit's
 * bootstrap replicates (each replicate for both schedules; NAN without). */
struct tw_law_gain {
    double value, lo, hi;
};
enum tw_status tw_law_gain(const struct tw_law_fit *fit, const struct tw_schedule *better,
                           const struct tw_schedule *other, struct tw_law_gain *gain,
                           struct tw_err *err) TW_CHECKED;

/* The loss at the last step of n rates of which the first warm_end are the warm-up's rise (as
 * in struct tw_schedule), and unless NULL its derivative by every rate. */
double tw_law_final(const struct tw_law *law, const double *theta, enum tw_warmup warmup,
                    const double *lr, size_t n, size_t warm_end, double *grad);

/* Does the law predict less loss when steps of rate zero, in which nothing can be learnt, are
 * appended to a straight fall to zero? */
bool tw_law_rewards_idling(const struct tw_law *law, const double *theta, enum tw_warmup warmup,
                           double peak, size_t n);

#endif
