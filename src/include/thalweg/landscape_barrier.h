/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/landscape_barrier.h - barriers between the ends of a line, with their errors.
 *
 * With L(t) the loss (or the error rate) on the line:
 *   Entezari's barrier  max over t of L(t) - (1 - t) L(0) - t L(1)
 *                       (Entezari, Sedghi, Saukh, Neyshabur 2022, arXiv:2110.06296, definition 1)
 *   Frankle's barrier   max over t of L(t) - (L(0) + L(1)) / 2
 *                       (Frankle, Dziugaite, Roy, Carbin 2020, arXiv:1912.05671, section 2: the
 *                       "instability", of the error rate; stable below 2 %)
 *   largest rise        max over a < b of L(b) - L(a), or 0: what keeps a line from falling all the
 *                       way (Lucas, Bae, Zhang, Fort, Zemel, Grosse 2021, arXiv:2104.11044:
 * monotone linear interpolation) They differ where the ends differ: Frankle's is above zero on a
 * straight line between unequal ends.
 *
 * Errors. All t see the same samples, so each height is the mean of paired differences of samples,
 * whose spread is small; with weights (positions of a text) it is a ratio of sums, its residuals
 * x_i - E w_i. The interval comes from a multiplier bootstrap with normal multipliers: given the
 * data its heights are normal with the sample's covariance, from which they are drawn. Over the
 * points that may be the highest (those that lie less than 3 standard errors of the paired
 * difference below it: Chernozhukov, Lee, Rosen 2013, Econometrica 81, "Intersection bounds", in
 * spirit) the largest |deviation| / se of each replicate gives c, and the interval is from max(E -
 * c se) to max(E + c se): it holds for all of them at once, so also for the highest, whichever it
 * is. The plain maximum is too high on average, as any maximum of noisy numbers; `bias` estimates
 * by how much.
 *
 * Of the error rate the interval (not se) counts half a sample more that changes sides in each
 * direction, as Agresti and Min 2005 do for matched proportions: without it no change among few
 * samples would look certain.
 *
 * `se`, `lo`, `hi` are for the population that samples are from; the same with _data for the data
 * set of `all` samples of which n were used: times sqrt(1 - n / all), zero when all were. What may
 * lie between sampled points is tw_line_stated_error's to say. */
#ifndef TW_LANDSCAPE_BARRIER_H
#define TW_LANDSCAPE_BARRIER_H

#include "thalweg/landscape_line.h"

enum tw_barrier_kind { TW_BARRIER_ENTEZARI, TW_BARRIER_FRANKLE, TW_BARRIER_RISE, TW_NBARRIERS };

struct tw_barrier_options {
    double level;      /* of intervals; 0: 0.95 */
    size_t replicates; /* 0: 2000 */
    uint64_t seed;
};

struct tw_barrier {
    double value, t; /* NAN: an end of the line is not finite */
    double from;     /* a rise begins at this t; else NAN */
    double se, se_data;
    double lo, hi, lo_data, hi_data;
    double bias;       /* of the value, for the population */
    double t_lo, t_hi; /* where the highest place lies; NAN for a rise */
    double c;          /* the interval is about so many standard errors to a side */
};

/* Of a line with rows of samples; `all` as in tw_problem. Points without a finite value are left
 * out. TW_EINVAL: a line without rows (l->loss; l->miss for TW_LINE_ERROR) or of fewer than three
 * points; TW_ENOMEM. */
enum tw_status tw_barrier_measure(const struct tw_line *l, enum tw_line_curve which,
                                  enum tw_barrier_kind kind, size_t all,
                                  const struct tw_barrier_options *o, struct tw_barrier *out,
                                  struct tw_err *err) TW_CHECKED;

enum tw_verdict { TW_UNDECIDED, TW_CONNECTED, TW_SEPARATED };
const char *tw_verdict_name(enum tw_verdict v); /* "connected", ... */
/* The interval (population) against a threshold. */
enum tw_verdict tw_barrier_verdict(const struct tw_barrier *b, double threshold);
/* About how many samples would decide, with n giving this interval; NAN: no number would. */
double tw_barrier_samples(const struct tw_barrier *b, double threshold, size_t n);

#endif
