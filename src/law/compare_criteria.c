/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "thalweg/law_compare.h"

double tw_compare_scale(const double *r, size_t n)
{
    const double normal_mad = 1.482602218505602, cut = 3.0;
    /* E min(Z^2, cut^2) of a standard normal Z. */
    const double tail = erfc(cut / sqrt(2.0));
    const double density = exp(-0.5 * cut * cut) / sqrt(2.0 * 3.141592653589793);
    const double expected = 1.0 - tail - 2.0 * cut * density + cut * cut * tail;
    double *size = tw_alloc(n, sizeof *size), start, sum = 0.0, squares = 0.0;

    if (!size || n == 0) {
        free(size);
        return NAN;
    }
    for (size_t i = 0; i < n; i++) {
        size[i] = fabs(r[i]);
        squares += r[i] * r[i];
    }
    tw_sort_reals(size, n);
    start = normal_mad * tw_quantile_sorted(size, n, 0.5);
    free(size);
    if (!(start > 0.0))
        return sqrt(squares / (double)n);
    for (size_t i = 0; i < n; i++)
        sum += fmin((r[i] / start) * (r[i] / start), cut * cut);
    return start * sqrt(sum / (double)n / expected);
}

double tw_compare_aicc(double log_variance, double n, size_t k)
{
    const double p = (double)k;

    if (!(n > p + 1.0))
        return NAN;
    return n * log_variance + 2.0 * p + 2.0 * p * (p + 1.0) / (n - p - 1.0);
}

double tw_compare_bic(double log_variance, double n, size_t k)
{
    const double p = (double)k;

    return n > p + 1.0 ? n * log_variance + p * log(n) : (double)NAN;
}
