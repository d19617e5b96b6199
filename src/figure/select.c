/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which points to draw. A curve of 50 000 steps has more points than a 3 inch figure has
 * dots; drawing them all makes a PDF of megabytes that looks the same. */
#include "fig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double fig_axis_at(const struct fig_axis *a, double x)
{
    if (a->log)
        return x > 0.0 ? log(x / a->lo) / log(a->hi / a->lo) : nan("");
    return (x - a->lo) / (a->hi - a->lo);
}

double fig_interpolate(size_t n, const double *x, const double *y, double at)
{
    size_t a = 0, b = n;

    if (n == 0 || !(at >= x[0] && at <= x[n - 1]))
        return nan("");
    while (b - a > 1) { /* x[a] <= at, and at < x[b] unless b == n */
        size_t mid = a + (b - a) / 2;

        if (x[mid] <= at)
            a = mid;
        else
            b = mid;
    }
    if (b == n || x[b] == x[a])
        return y[a];
    return y[a] + (y[b] - y[a]) * (at - x[a]) / (x[b] - x[a]);
}

/* ---- polylines ------------------------------------------------------------------------- */

struct polyline {
    const double *u, *v; /* (n), (ncol * n) in panel units */
    size_t n, ncol;
};

/* The row between a and b that is farthest from the chord, in any column. */
static double farthest(const struct polyline *p, size_t a, size_t b, size_t *at)
{
    double most = 0.0, du = p->u[b] - p->u[a];

    *at = a + (b - a) / 2;
    for (size_t c = 0; c < p->ncol; c++) {
        const double *v = p->v + c * p->n;
        double slope = du > 0.0 ? (v[b] - v[a]) / du : 0.0;

        for (size_t i = a + 1; i < b; i++) {
            double d = fabs(v[i] - (v[a] + slope * (p->u[i] - p->u[a])));

            if (d > most) {
                most = d;
                *at = i;
            }
        }
    }
    return most;
}

/* Douglas and Peucker (1973): keep the farthest row from the chord, then look at both sides.
 * The stack holds right ends; a whole side is done before its right neighbour starts. */
static bool simplify(const struct polyline *p, double tol, bool *keep)
{
    size_t *stack = tw_alloc(p->n, sizeof *stack), top = 0, a = 0, at;

    if (!stack)
        return false;
    stack[top++] = p->n - 1;
    while (top > 0) {
        size_t b = stack[top - 1];

        if (b > a + 1 && farthest(p, a, b, &at) > tol) {
            keep[at] = true;
            stack[top++] = at;
        } else {
            a = b;
            top--;
        }
    }
    free(stack);
    return true;
}

enum tw_status fig_keep_line(const struct fig_axis *ax, const struct fig_axis *ay, size_t n,
                             const double *x, const double *const *cols, size_t ncol, double tol,
                             bool *keep)
{
    double *u, *v;
    bool ok;

    memset(keep, 0, n * sizeof *keep);
    if (n == 0)
        return TW_OK;
    keep[0] = keep[n - 1] = true;
    u = tw_alloc(n, sizeof *u);
    v = tw_alloc(n, (ncol ? ncol : 1) * sizeof *v);
    ok = u && v;
    for (size_t i = 0; ok && i < n; i++) {
        u[i] = fig_axis_at(ax, x[i]);
        u[i] = isfinite(u[i]) ? u[i] : 0.0;
        for (size_t c = 0; c < ncol; c++) {
            double y = cols[c] ? fig_axis_at(ay, cols[c][i]) : 0.0;

            /* What lies outside the panel needs no care there. */
            v[c * n + i] = isfinite(y) ? fmin(fmax(y, -0.5), 1.5) : 0.0;
        }
    }
    ok = ok && simplify(&(struct polyline){ u, v, n, ncol }, tol, keep);
    free(u);
    free(v);
    return ok ? TW_OK : TW_ENOMEM;
}

/* ---- scattered points ------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* The drawn point of a bin is its middle one, so that the scatter seen is the scatter there
 * is; the highest one is kept too when it rises far above what is usual (a spike). */
struct bin {
    size_t first, end, high;
};

static size_t make_bins(const struct fig_axis *ax, size_t n, const double *x, const double *y,
                        size_t nbin, struct bin *bins)
{
    double u0 = fig_axis_at(ax, x[0]), u1 = fig_axis_at(ax, x[n - 1]);
    size_t used = 0, last = SIZE_MAX;

    u0 = isfinite(u0) ? u0 : 0.0;
    for (size_t i = 0; i < n; i++) {
        double u = (fig_axis_at(ax, x[i]) - u0) / (u1 - u0) * (double)nbin;
        size_t b = u > 0.0 ? u < (double)nbin ? (size_t)u : nbin - 1 : 0;

        if (b != last && used < nbin)
            bins[used++] = (struct bin){ i, i, i };
        last = b;
        bins[used - 1].end = i + 1;
        if (y[i] > y[bins[used - 1].high])
            bins[used - 1].high = i;
    }
    return used;
}

enum tw_status fig_keep_points(const struct fig_axis *ax, size_t n, const double *x,
                               const double *y, size_t most, bool *keep)
{
    struct bin *bins;
    double *rise, usual;
    size_t used;

    for (size_t i = 0; i < n; i++)
        keep[i] = n <= most;
    if (n <= most || most == 0)
        return TW_OK;
    bins = tw_alloc(most, sizeof *bins);
    rise = tw_alloc(2 * most, sizeof *rise);
    if (!bins || !rise) {
        free(bins);
        free(rise);
        return TW_ENOMEM;
    }
    used = make_bins(ax, n, x, y, most, bins);
    for (size_t b = 0; b < used; b++) {
        size_t mid = bins[b].first + (bins[b].end - bins[b].first) / 2;

        keep[mid] = true;
        rise[b] = y[bins[b].high] - y[mid];
        rise[b] = rise[most + b] = rise[b] >= 0.0 ? rise[b] : 0.0;
    }
    qsort(rise, used, sizeof *rise, by_value);
    usual = tw_quantile_sorted(rise, used, 0.75);
    for (size_t b = 0; b < used; b++)
        if (rise[most + b] > 8.0 * usual)
            keep[bins[b].high] = true;
    keep[0] = keep[n - 1] = true;
    free(bins);
    free(rise);
    return TW_OK;
}
