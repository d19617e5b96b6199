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

/* Sums over lags that still say something: the last lag before `run` silent ones in a row
 * (Politis & White 2004, footnote c), doubled. */
struct memory {
    double variance, long_run; /* c_0; sum of all c_k */
    double g;                  /* sum of |k| c_k */
};

/* Lags beyond this are not looked at: a curve that remembers longer is all one block. */
enum { MAX_LAG = 1000 };

static struct memory remember(const double *r, size_t n)
{
    const double quiet = 2.0 * sqrt(log10((double)n) / (double)n);
    const size_t run = (size_t)fmax(5.0, ceil(sqrt(log10((double)n))));
    const size_t limit = n / 3 < MAX_LAG ? n / 3 : MAX_LAG;
    const double m = mean(r, n);
    struct memory q = { .variance = autocovariance(r, n, 0, m) };
    size_t last = 0, window, silent = 0;

    q.long_run = q.variance;
    if (!(q.variance > 0.0))
        return q;
    for (size_t k = 1; k < limit && silent < run; k++) {
        if (fabs(autocovariance(r, n, k, m)) / q.variance > quiet) {
            last = k;
            silent = 0;
        } else {
            silent++;
        }
    }
    window = 2 * (last ? last : 1);
    if (window > n - 1)
        window = n - 1;
    for (size_t k = 1; k <= window; k++) {
        const double w = flat_top((double)k / (double)window), c = autocovariance(r, n, k, m);

        q.long_run += 2.0 * w * c;
        q.g += 2.0 * w * (double)k * c;
    }
    return q;
}

double tw_fit_long_run(const double *r, size_t n)
{
    struct memory q;

    if (n < 3)
        return 1.0;
    q = remember(r, n);
    return q.variance > 0.0 ? fmax(1.0, q.long_run / q.variance) : 1.0;
}

size_t tw_fit_block_length(const double *r, size_t n)
{
    const size_t limit = n / 3;
    struct memory q;
    double b;

    if (limit < 1)
        return 1;
    q = remember(r, n);
    if (!(q.variance > 0.0))
        return 1;
    if (!(q.long_run > 0.0)) /* the estimate of a variance may come out negative */
        return limit;
    /* b = (2 G^2 / D)^(1/3) n^(1/3), D = 4/3 (long-run variance)^2 (2009, eq. 4). */
    b = cbrt(1.5 * q.g * q.g / (q.long_run * q.long_run) * (double)n);
    return b < 1.0 ? 1 : b > (double)limit ? limit : (size_t)lround(b);
}
