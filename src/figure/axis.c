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

/* How much longer the axis may get to show the rarest 4 % of the columns too. */
static const double WORTH = 1.35;

/* Drops what cannot be drawn, takes logs, sorts. */
static size_t prepare(double *v, size_t n, bool log)
{
    size_t m = 0;

    for (size_t i = 0; i < n; i++)
        if (isfinite(v[i]) && (!log || v[i] > 0.0))
            v[m++] = log ? log10(v[i]) : v[i];
    qsort(v, m, sizeof *v, by_value);
    return m;
}

struct fig_range fig_robust_range(double *low, double *high, size_t n, const double *must,
                                  size_t nmust, bool log)
{
    struct fig_range r = { nan(""), nan(""), 0.0 };
    double q_lo, q_hi, pad;
    size_t nlow = prepare(low, n, log), nhigh = prepare(high, n, log), above = 0;

    if (nlow && nhigh) {
        q_lo = tw_quantile_sorted(low, nlow, 0.04);
        q_hi = tw_quantile_sorted(high, nhigh, 0.96);
        r.lo = q_hi - low[0] <= WORTH * (q_hi - q_lo) ? low[0] : q_lo;
        r.hi = high[nhigh - 1] - r.lo <= WORTH * (q_hi - r.lo) ? high[nhigh - 1] : q_hi;
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
    for (size_t i = 0; i < nhigh; i++)
        above += high[i] > r.hi;
    r.left_out = nhigh ? (double)above / (double)nhigh : 0.0;
    pad = 0.04 * (r.hi - r.lo);
    r.lo -= pad;
    r.hi += pad;
    if (log) {
        r.lo = pow(10.0, r.lo);
        r.hi = pow(10.0, r.hi);
    }
    return r;
}

enum tw_status fig_axis_fit(struct fig_axis *a, const char *label, struct tw_err *err)
{
    /* The ratio of a log axis, and somewhat more, is a double; gnuplot's own limits are near. */
    static const double log_end = 1e100, large = 1e300, small = 1e-290, narrow = 1e-9;
    const double lo = a->lo, hi = a->hi, size = fmax(fabs(lo), fabs(hi));

    label = label ? label : "y";
    if (a->log) {
        a->lo = fmax(lo, 1.0 / log_end);
        a->hi = fmin(hi, log_end);
        if (!(a->hi > a->lo) && hi > lo)
            return tw_err_set(err, TW_EINVAL,
                              "'%s' goes from %.3g to %.3g, and a log axis from %g to %g: scale it "
                              "first",
                              label, lo, hi, 1.0 / log_end, log_end);
    } else if (!(size <= large) || hi - lo < small) {
        return tw_err_set(err, TW_EINVAL,
                          "'%s' goes from %.3g to %.3g, too %s to draw: scale it first", label, lo,
                          hi, size <= large ? "small" : "large");
    }
    if (!(a->hi - a->lo >= narrow * fmax(fabs(a->lo), fabs(a->hi))))
        return tw_err_set(err, TW_EINVAL,
                          "'%s' goes from %.17g to %.17g, too little to draw: take a number from "
                          "it first",
                          label, lo, hi);
    return TW_OK;
}

int fig_digits(const struct fig_axis *a, int least)
{
    const double share = (a->hi - a->lo) / fmax(fabs(a->lo), fabs(a->hi));

    return (int)fmax(least, 3.0 - floor(log10(share)));
}

/* The next smaller round number. */
static double finer(double m)
{
    return m == 1.0 ? 0.5 : m == 2.0 ? 1.0 : m == 5.0 ? 2.0 : 5.0;
}

struct fig_ticks fig_ticks(double lo, double hi, double want, int least)
{
    double raw = (hi - lo) / fmax(want, 1.0);
    double ten = pow(10.0, floor(log10(raw)));
    double m = raw / ten;
    struct fig_ticks t;

    /* Nearest of 1, 2, 5, 10 on a log scale, but not too few labels. */
    m = m < 1.45 ? 1.0 : m < 3.2 ? 2.0 : m < 7.1 ? 5.0 : 10.0;
    if (floor(hi / (m * ten)) - ceil(lo / (m * ten)) < least - 1.0)
        m = finer(m);
    t.minor = m == 5.0 || m == 0.5 ? 5 : 2; /* at round numbers */
    t.step = m * ten;
    t.decimals = t.step < 1.0 ? (int)ceil(-log10(t.step) - 1e-9) : 0;
    return t;
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

/* 1, 2, 5, 10 ... in the range, up to `most` of them. */
static size_t decade_ticks(double lo, double hi, double *at, size_t most)
{
    static const double fine[] = { 1.0, 2.0, 5.0 };
    int e = (int)floor(log10(lo));
    size_t n = 0;

    for (int k = 0; n < most && k < 12; k++) {
        const int decade = e + k / 3;
        double tick = fine[k % 3] * pow(10.0, decade);

        if (tick >= lo && tick <= hi)
            at[n++] = tick;
    }
    return n;
}

/* A tick; from 100000 on with a label of its own, as 2·10^8. */
static void list_tick(struct tw_str *gp, double at, bool tex)
{
    const int e = (int)floor(log10(at) + 1e-9);
    const double m = at / pow(10.0, e);

    if (at >= 1e5 && m < 1.0 + 1e-9)
        tw_str_addf(gp, tex ? "'$10^{%d}$' " : "'10^{%d}' ", e);
    else if (at >= 1e5)
        tw_str_addf(gp, tex ? "'$%.4g\\cdot 10^{%d}$' " : "'%.4g·10^{%d}' ", m, e);
    tw_str_addf(gp, "%.6g", at);
}

/* Width of a listed tick's label, in em. */
static double list_width(double at)
{
    return at >= 1e5 ? 2.6 : 0.5 * snprintf(NULL, 0, "%.6g", at);
}

/* Round numbers on a log axis too short for decades: evenly spaced ones if 1, 2, 5 ... are too
 * few. `em` is that of the labels as a share of the axis that they lie along, 0 if they lie across:
 * one that would touch the last stays a bare tick. */
static void list_ticks(struct tw_str *gp, double lo, double hi, double step, double em, bool tex)
{
    double at[12], next = ceil(lo / step) * step, free = -HUGE_VAL;
    size_t n = decade_ticks(lo, hi, at, 12);

    if (n < 4)
        for (n = 0; n < 12 && next <= hi; next += step) {
            at[n++] = next;
            if (next / step > 9.5) /* keep the labels apart where the scale gets dense */
                step *= 2.0;
        }
    for (size_t i = 0; i < n; i++) {
        const double half = 0.5 * em * list_width(at[i]), place = log(at[i] / lo) / log(hi / lo);

        tw_str_add(gp, i ? ", " : "");
        if (em > 0.0 && place - half < free) {
            tw_str_addf(gp, "'' %.6g 1", at[i]);
            continue;
        }
        free = place + half + 0.4 * em;
        list_tick(gp, at[i], tex);
    }
}

/* Does a label of a linear axis take too many digits to be written without a power of ten? Then
 * *digits come after the point before it. */
static bool wants_power(double lo, double hi, const struct fig_ticks *t, int *digits)
{
    enum { MOST = 12 };
    const double largest = floor(log10(fmax(fabs(lo), fabs(hi))) + 1e-9);

    *digits = (int)fmax(largest - floor(log10(t->step) + 1e-9), 0.0);
    return fmax(largest, 0.0) + 1.0 + t->decimals > MOST;
}

/* How many decades lie between two labels. */
static int decade_step(double lo, double hi, double labels)
{
    const double decades = log10(hi / lo), by = decades / labels;

    return decades <= 2.0 * labels ? 1 : by <= 5.0 ? 5 : (int)(10.0 * ceil(0.1 * by));
}

/* Are 0.01, 0.1, 1, 10, 100, 1000 the labels, which read more easily than powers? */
static bool plain_decades(double lo, double hi)
{
    return lo > 0.00999 && hi < 9999.0;
}

void fig_set_ticks(struct tw_str *gp, char axis, const struct fig_axis *a, double unit,
                   double length, double room, const struct fig_page *page)
{
    const bool tex = page->tex;
    double want = fmin(fmax(length / room, 2.0), 8.0), lo = a->lo / unit, hi = a->hi / unit;
    struct fig_ticks t = fig_ticks(lo, hi, want, axis == 'x' ? 2 : 3);
    int digits;

    if (!a->log) {
        if (t.minor > 2 && length * t.step / (hi - lo) < 0.07 * t.minor)
            t.minor = 1;
        tw_str_addf(gp, "set %ctics %.6g; set m%ctics %d; set format %c ", axis, t.step, axis,
                    t.minor, axis);
        if (wants_power(lo, hi, &t, &digits)) {
            tw_str_addf(gp, tex ? "'$%%.%dt\\cdot 10^{%%T}$'\n" : "'%%.%dt·10^{%%T}'\n", digits);
            if (lo <= 0.0 && hi >= 0.0) /* which gnuplot would call 0 times a power, too */
                tw_str_addf(gp, "set %ctics add (\"0\" 0)\n", axis);
        } else {
            tw_str_addf(gp, "\"%s%%.%df%s\"\n", tex ? "$" : "", t.decimals, tex ? "$" : "");
        }
        return;
    }
    tw_str_addf(gp, "set logscale %c; ", axis);
    if (hi / lo > 50.0) {
        const int step = decade_step(lo, hi, length / room);
        const double first = step * floor((log10(lo) + 1e-9) / step);

        /* Without a start gnuplot counts decades from the end of the range, and labels them wrong.
         */
        tw_str_addf(gp, "set %ctics %.0e, %g; set m%ctics 10; set format %c \"%s\"\n", axis,
                    pow(10.0, first), pow(10.0, step), axis, axis,
                    plain_decades(lo, hi) ? "%g"
                    : tex                 ? "$10^{%L}$"
                                          : "10^{%L}");
    } else {
        tw_str_addf(gp, "set format %c \"%%g\"; unset m%ctics; set %ctics (", axis, axis, axis);
        list_ticks(gp, lo, hi, t.step, axis == 'x' ? (page->fs - 1.0) / 72.0 / length : 0.0, tex);
        tw_str_add(gp, ")\n");
    }
}

double fig_power(double largest, struct tw_str *label, bool tex)
{
    int e = largest > 0.0 && isfinite(largest) ? (int)floor(log10(largest)) : 0;

    if (e >= -2 && e < 4)
        return 1.0;
    tw_str_addf(label, tex ? " ($10^{%s%d}$)" : " (10^{%s%d})",
                e > 0 ? ""
                : tex ? "-"
                      : "−",
                abs(e));
    return pow(10.0, e);
}

double fig_tick_width(const struct fig_axis *a, double want)
{
    struct fig_ticks t = fig_ticks(a->lo, a->hi, fmin(fmax(want, 2.0), 8.0), 3);
    double first = ceil(a->lo / t.step) * t.step, last = floor(a->hi / t.step) * t.step;
    double largest = fmax(fabs(first), fabs(last));
    int whole = largest >= 10.0 ? (int)floor(log10(largest) + 1e-9) + 1 : 1, digits;

    if (a->log && a->hi / a->lo > 50.0 && !plain_decades(a->lo, a->hi))
        return 2.2; /* 10 to a power */
    if (a->log && a->hi / a->lo > 50.0)
        return fmax(0.5 * (floor(log10(a->hi)) + 1.0), a->lo <= 0.01  ? 1.75
                                                       : a->lo <= 0.1 ? 1.25
                                                                      : 0.0);
    if (a->log && (a->lo < 1e-12 || a->hi > 1e12)) /* 2e-100 */
        return 3.0;
    if (a->log && a->lo < 1.0) /* 1, 2, 5 of the lowest decade */
        t.decimals = (int)fmax(t.decimals, ceil(-log10(a->lo)));

    if (!a->log && wants_power(a->lo, a->hi, &t, &digits)) /* 1.25·10 to a power */
        return 0.5 * digits + 3.6 + (first < 0.0 ? 0.56 : 0.0);

    /* Digits are half an em wide in nearly every text face. */
    return 0.5 * (whole + t.decimals) + (t.decimals ? 0.25 : 0.0) + (first < 0.0 ? 0.56 : 0.0);
}
