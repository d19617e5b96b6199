/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How long residuals remember: the block length of a bootstrap. */
#include <math.h>

#include "thalweg/fit.h"

static double mean(const double *r, size_t n)
{
    double s = 0.0;

    for (size_t i = 0; i < n; i++)
        s += r[i];
    return s / (double)n;
}

static double autocovariance(const double *r, size_t n, size_t k, double m)
{
    double s = 0.0;

    for (size_t i = k; i < n; i++)
        s += (r[i] - m) * (r[i - k] - m);
    return s / (double)n;
}

double tw_fit_autocorrelation(const double *r, size_t n, size_t k)
{
    double m, c0;

    if (n == 0 || k >= n)
        return NAN;
    m = mean(r, n);
    c0 = autocovariance(r, n, 0, m);
    return c0 > 0.0 ? autocovariance(r, n, k, m) / c0 : (double)NAN;
}

/* The trapezoidal flat-top window of Politis & Romano 1995. */
static double flat_top(double t)
{
    return t <= 0.5 ? 1.0 : t <= 1.0 ? 2.0 * (1.0 - t) : 0.0;
}

size_t tw_fit_block_length(const double *r, size_t n)
{
    const double quiet = 2.0 * sqrt(log10((double)n) / (double)n);
    const size_t run = (size_t)fmax(5.0, ceil(sqrt(log10((double)n))));
    const size_t limit = n / 3;
    double m, c0, g = 0.0, long_run;
    size_t last = 0, window, silent = 0;

    if (limit < 1)
        return 1;
    m = mean(r, n);
    c0 = autocovariance(r, n, 0, m);
    if (!(c0 > 0.0))
        return 1;
    /* The last lag before `run` lags in a row say nothing (2004, footnote c). */
    for (size_t k = 1; k < limit && silent < run; k++) {
        if (fabs(autocovariance(r, n, k, m)) / c0 > quiet) {
            last = k;
            silent = 0;
        } else {
            silent++;
        }
    }
    window = 2 * (last ? last : 1);
    if (window > n - 1)
        window = n - 1;
    long_run = c0;
    for (size_t k = 1; k <= window; k++) {
        const double w = flat_top((double)k / (double)window), c = autocovariance(r, n, k, m);

        long_run += 2.0 * w * c;
        g += 2.0 * w * (double)k * c;
    }
    if (!(long_run > 0.0)) /* the estimate of a variance may come out negative */
        return limit;
    /* b = (2 G^2 / D)^(1/3) n^(1/3), D = 4/3 (long-run variance)^2 (2009, eq. 4). */
    {
        const double b = cbrt(1.5 * g * g / (long_run * long_run) * (double)n);

        return b < 1.0 ? 1 : b > (double)limit ? limit : (size_t)lround(b);
    }
}
