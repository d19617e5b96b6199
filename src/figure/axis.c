/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fig.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* How much longer the axis may get to show the rarest 3 % of the values too. */
static const double WORTH = 1.6;

struct fig_range fig_robust_range(double *v, size_t n, const double *must, size_t nmust, bool log)
{
    struct fig_range r = { NAN, NAN, 0.0 };
    double q_lo, q_hi, pad;
    size_t m = 0, above = 0;

    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i]) && (!log || v[i] > 0.0))
            v[m++] = log ? log10(v[i]) : v[i];
    if (m) {
        qsort(v, m, sizeof *v, by_value);
        q_lo = tw_quantile_sorted(v, m, 0.03);
        q_hi = tw_quantile_sorted(v, m, 0.97);
        r.lo = q_hi - v[0] <= WORTH * (q_hi - q_lo) ? v[0] : q_lo;
        r.hi = v[m - 1] - r.lo <= WORTH * (q_hi - r.lo) ? v[m - 1] : q_hi;
    }
    for (size_t i = 0; i < nmust; i++)
        if (isfinite(must[i]) && (!log || must[i] > 0.0)) {
            r.lo = fmin(r.lo, log ? log10(must[i]) : must[i]); /* fmin, fmax pass NaN over */
            r.hi = fmax(r.hi, log ? log10(must[i]) : must[i]);
        }
    if (isnan(r.lo))
        r.lo = r.hi = 0.0;
    if (!(r.hi > r.lo)) {
        pad = log ? 0.1 : fmax(fabs(r.lo) * 0.01, 1e-9);
        r.lo -= pad;
        r.hi += pad;
    }
    for (size_t i = 0; i < m; i++)
        above += v[i] > r.hi;
    r.left_out = m ? (double)above / (double)m : 0.0;
    pad = 0.04 * (r.hi - r.lo);
    r.lo -= pad;
    r.hi += pad;
    if (log) {
        r.lo = pow(10.0, r.lo);
        r.hi = pow(10.0, r.hi);
    }
    return r;
}

double fig_tick_step(double lo, double hi, double want, int *minor)
{
    double raw = (hi - lo) / fmax(want, 1.0);
    double ten = pow(10.0, floor(log10(raw)));
    double m = raw / ten;

    /* Nearest of 1, 2, 5, 10 on a log scale; minor ticks at round numbers. */
    if (m < 1.45)
        m = 1.0;
    else if (m < 3.2)
        m = 2.0;
    else if (m < 7.1)
        m = 5.0;
    else
        m = 10.0;
    if (minor)
        *minor = m == 2.0 ? 2 : 5;
    return m * ten;
}

double fig_unit(double largest, const char **name)
{
    static const struct {
        double unit;
        const char *name;
    } units[] = { { 1e12, " (trillions)" },
                  { 1e9, " (billions)" },
                  { 1e6, " (millions)" },
                  { 1e3, " (thousands)" } };

    /* Four digits read well as they are; 12 000 and more do not. */
    for (size_t i = 0; i < sizeof units / sizeof units[0]; i++)
        if (largest >= 10.0 * units[i].unit || (i < 3 && largest >= 2.0 * units[i].unit)) {
            *name = units[i].name;
            return units[i].unit;
        }
    *name = "";
    return 1.0;
}

size_t fig_tick_chars(double lo, double hi, double step)
{
    double largest = fmax(fabs(lo), fabs(hi));
    int whole = largest >= 10.0 ? (int)floor(log10(largest)) + 1 : 1;
    int decimals = step < 1.0 ? (int)ceil(-log10(step) - 1e-9) : 0;

    return (size_t)(whole + (decimals ? decimals + 1 : 0) + (lo < 0.0));
}
