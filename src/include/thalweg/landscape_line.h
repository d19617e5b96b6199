/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/landscape_line.h - loss and error along a line through weight space, with as few points
 * as a stated interpolation error takes.
 *
 * Between sampled points the curve is a piecewise cubic (Hermite): at each point the value and a
 * slope, measured where it was asked for and else that of the polynomial through the point and two
 * on either side. Where all values are above zero the cubics are of the logarithm, as the loss
 * between two minima is nearer to the exponential of a polynomial than to one.
 *
 * How far it may be off is told by leaving points out: the value at an inner point t against the
 * cubic over (a, b) made without it. A cubic's error has the shape (t - a)^2 (b - t)^2, which turns
 * that difference into an error of the piece (a, b). A piece of length h is given
 * 6 (h / (b - a))^3 of the worst of these of its two ends and the next point on either side: three
 * quarters of it where points lie evenly, although a smooth curve's error would fall to a
 * sixteenth, because the curves of ReLU networks have kinks. So the stated error is mostly too high
 * (tests/bench/line.sh measures it), but it is an estimate and no bound: a spike narrower than the
 * first grid can hide between points.
 *
 * The next point is a function of the set of points there are, and of nothing else: points read
 * back from a file continue a line to the same bits, and any number of threads gives the same line.
 *
 * A loss that is not finite is a datum: the curve has a gap there, whose borders are searched by
 * bisection to 1/256 of the interval. */
#ifndef TW_LANDSCAPE_LINE_H
#define TW_LANDSCAPE_LINE_H

#include "thalweg/problem.h"

enum tw_line_curve { TW_LINE_LOSS, TW_LINE_ERROR, TW_LINE_NCURVES };

struct tw_line_options {
    double lo, hi; /* the interval of t, lo < hi */
    /* How well the curve is to be known: refined until the estimate above is below this everywhere.
     * tol 0: a thousandth of the range of losses seen. error_tol 0: the error rate is taken along,
     * and no point is made for it. */
    double tol, error_tol;
    double noise;      /* ... or below so many standard errors (population), if that is more */
    size_t start;      /* points of the first, even grid, at least 3; 0: 9 */
    size_t max_points; /* capacity, at least `start` */
    bool even;         /* a fixed grid of max_points points and nothing more */
};

struct tw_line_point {
    double t;
    struct tw_values values;
    double slope; /* of the loss by t; NAN: not measured */
};

/* Results are read; the caller owns loss, miss and weight, which may be NULL. */
struct tw_line {
    struct tw_line_options o;
    size_t n;
    struct tw_line_point *point; /* (o.max_points) in the order of evaluation */
    size_t *order;               /* (o.max_points) points by rising t */
    /* Of each sample, a row a point in the order of evaluation: sums of losses and of misses. Every
     * sample has the same weight at all points. */
    size_t samples;
    double *loss, *miss; /* (o.max_points, samples) */
    double *weight;      /* (samples) */
};

/* TW_EINVAL: an empty interval, fewer than 3 points; TW_ENOMEM. Released in any case. */
enum tw_status tw_line_init(struct tw_line *l, const struct tw_line_options *o,
                            struct tw_err *err) TW_CHECKED;
void tw_line_release(struct tw_line *l);

/* The places to evaluate next, in this order, into t; at most `most` >= 1 of them. Several only
 * where no value could change which come next: on the first grid. 0: the line is known well enough,
 * or there is no room. */
size_t tw_line_next(const struct tw_line *l, size_t most, double *t) TW_CHECKED;
/* Take a point (evaluated, or read from a file). TW_EINVAL: beyond the capacity, or one there is.
 */
enum tw_status tw_line_add(struct tw_line *l, const struct tw_line_point *p,
                           struct tw_err *err) TW_CHECKED;

/* The curve at t of [lo, hi]; NAN in a gap. */
double tw_line_at(const struct tw_line *l, enum tw_line_curve which, double t);
/* The largest error estimate over all pieces that have one; NAN if none has. */
double tw_line_stated_error(const struct tw_line *l, enum tw_line_curve which);
/* Is it below what was asked for? */
bool tw_line_converged(const struct tw_line *l);
/* The highest place of the curve, or (excess) of its height over the chord between its ends. The
 * line has a point at it, or so near that the curve there rises by less than a tenth of the
 * tolerance over the highest point. `t` and the value are NAN if nothing is finite. */
double tw_line_top(const struct tw_line *l, enum tw_line_curve which, bool excess, double *t);

/* Where on the problem's anchors (tw_problem_anchor) t lies: weights (1 - t) from + t to. */
struct tw_line_path {
    size_t nanchors;
    const double *from, *to;
    /* d(point)/dt, to measure slopes along, dim reals; NULL: none. The problem must have been made
     * for one tangent, and buffers must be the same at both ends: a slope is by the parameters
     * alone. A slope takes two to three passes and saves a point or less, so it pays where it is
     * wanted for itself. */
    const struct tw_vector *direction;
};
/* Told of each point once it is in the line, to store it; not TW_OK ends the sampling and is
 * returned: TW_ESTOP to stop early, after which it is still told of points that were begun, as
 * far as none fails. */
typedef enum tw_status tw_line_done_fn(void *ctx, const struct tw_line *l, size_t point,
                                       struct tw_err *err);
/* Evaluates until tw_line_next has enough, tw_problem_batch points at once where it names so many;
 * also goes on with a line that has points already. A point that fails ends it, once those before
 * it are in the line. done may be NULL. Needs room for l->samples = the problem's n in loss, miss
 * and weight where they are not NULL. */
enum tw_status tw_line_sample(struct tw_line *l, struct tw_problem *p,
                              const struct tw_line_path *path, tw_line_done_fn *done, void *ctx,
                              struct tw_err *err) TW_CHECKED;

/* n >= 1 lines between the same anchors (so many in each path), side by side: what each of them
 * asks for next is evaluated together, at most tw_problem_batch points. Otherwise as
 * tw_line_sample; each line becomes what it is alone. */
struct tw_line_job {
    struct tw_line *line;
    struct tw_line_path path;
};
enum tw_status tw_lines_sample(size_t n, const struct tw_line_job *job, struct tw_problem *p,
                               tw_line_done_fn *done, void *ctx, struct tw_err *err) TW_CHECKED;
/* One round of it. *asked, if not NULL: so many points; 0: all lines have enough. */
enum tw_status tw_lines_round(size_t n, const struct tw_line_job *job, struct tw_problem *p,
                              tw_line_done_fn *done, void *ctx, size_t *asked,
                              struct tw_err *err) TW_CHECKED;

#endif
