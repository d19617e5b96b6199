/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/least.h - linear least squares of a few columns. */
#ifndef TW_LAW_LEAST_H
#define TW_LAW_LEAST_H

#include "thalweg/base.h"

enum { TW_LEAST_MAX = 6 };
struct tw_least {
    size_t n, k;
    double coef[TW_LEAST_MAX];
    double root[TW_LEAST_MAX][TW_LEAST_MAX]; /* R of X = Q R */
    double rss;
};
/* y (n) on k columns: x is (n x k) by column and is overwritten by Q, y by the residuals. False if
 * a column depends on those before it, or there are fewer points than columns. */
bool tw_least_fit(double *x, size_t k, double *y, size_t n, struct tw_least *out);
/* x' (X'X)^-1 x: a prediction's variance in units of the noise's. */
double tw_least_leverage(const struct tw_least *fit, const double *x);

#endif
