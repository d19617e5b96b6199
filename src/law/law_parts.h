/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/law_parts.h - what laws share when they look for starts. */
#ifndef TW_LAW_PARTS_H
#define TW_LAW_PARTS_H

#include "thalweg/law.h"

struct tw_law_start {
    double theta[TW_FIT_MAX_PARAMS];
    double objective;
};

/*
 * Weighted linear least squares of y on (1, power, -area), weights 1/y^2 (relative error):
 * theta[0] + theta[1] power - theta[3] area, all three kept positive. Fills theta[0, 1, 3]
 * and the sum of squared relative errors. False if the system is singular even without the
 * area.
 */
bool tw_law_linear_start(const double *power, const double *area, const double *y, size_t n,
                         struct tw_law_start *s);

enum { TW_LAW_MAX_COLUMNS = 4 };
/*
 * Least squares of y on k columns (n each, none all zero) with coefficients >= 0, weighted by
 * 1/y^2 if `relative`: every set of columns is tried, so the result is the true minimum. Fills
 * coef (k) and returns the weighted sum of squares; INFINITY if nothing fits.
 */
double tw_law_positive_fit(const double *const *column, size_t k, const double *y, size_t n,
                           bool relative, double *coef);

/* The best `max` of n starts, best first, as rows of p parameters; returns how many. */
size_t tw_law_best_starts(struct tw_law_start *s, size_t n, size_t p, double *theta, size_t max);

/* What is wrong with a point of a curve: its x is no step of the schedule, or the rates up to it
 * sum to 0. Both fill *err and return its code. */
enum tw_status tw_law_no_step(const struct tw_law_curve *c, double x, struct tw_err *err);
enum tw_status tw_law_no_rate(const struct tw_law_curve *c, double x, struct tw_err *err);

/* Every curve's model has a size; TW_EDOMAIN names one that has not. */
enum tw_status tw_law_check_sizes(const struct tw_law_curve *curves, size_t n,
                                  struct tw_err *err) TW_CHECKED;
/* Different ones, to 1 %. */
size_t tw_law_count_sizes(const struct tw_law_curve *curves, size_t n);

#endif
