/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <string.h>

#include "stairs.h"

static double clamp(double x, double cap)
{
    return fmin(fmax(x, 0.0), cap);
}

/* x_i = clamp(x_i - m) with the least m >= 0 for which the sum fits: Newton's method on the
 * sum, which is piecewise linear in m, kept within a bracket. */
void tw_descend_project(double *x, size_t n, double cap, double total)
{
    double m = 0.0, lo = 0.0, hi = 0.0;

    for (size_t i = 0; i < n; i++)
        hi = fmax(hi, x[i]);
    for (int round = 0; round < 200; round++) {
        double sum = 0.0, next;
        size_t moving = 0;

        for (size_t i = 0; i < n; i++) {
            const double v = x[i] - m;

            sum += clamp(v, cap);
            moving += v > 0.0 && v < cap;
        }
        if (round == 0 && sum <= total)
            break;
        if (fabs(sum - total) <= 1e-15 * total)
            break;
        if (sum > total)
            lo = m;
        else
            hi = m;
        next = moving ? m + (sum - total) / (double)moving : hi;
        if (!(next > lo && next < hi))
            next = 0.5 * (lo + hi);
        if (!(next > lo && next < hi)) { /* neighbours */
            m = hi;
            break;
        }
        m = next;
    }
    for (size_t i = 0; i < n; i++)
        x[i] = clamp(x[i] - m, cap);
}

enum { MEMORY = 10, PATIENCE = 40 };

static double worst(const double *seen, size_t n)
{
    double w = -INFINITY;

    for (size_t i = 0; i < n && i < MEMORY; i++)
        w = fmax(w, seen[i]);
    return w;
}

/* From x to the projection of x - step g; returns the slope along it. */
static double direction(const struct tw_descend *d, const double *x, const double *g, double step,
                        double *y)
{
    double slope = 0.0;

    for (size_t i = 0; i < d->n; i++)
        y[i] = x[i] - step * g[i];
    tw_descend_project(y, d->n, d->cap, d->total);
    for (size_t i = 0; i < d->n; i++) {
        y[i] -= x[i];
        slope += g[i] * y[i];
    }
    return slope;
}

/* Barzilai & Borwein's, from the step taken and the change of the gradient. */
static double next_step(size_t n, const double *y, double part, const double *g, const double *gy,
                        double step)
{
    double ss = 0.0, sy = 0.0;

    for (size_t i = 0; i < n; i++) {
        const double s = part * y[i];

        ss += s * s;
        sy += s * (gy[i] - g[i]);
    }
    return sy > 0.0 ? ss / sy : 2.0 * step;
}

double tw_descend(const struct tw_descend *d, double *best)
{
    const size_t n = d->n;
    double *x = d->room, *g = x + n, *y = g + n, *gy = y + n;
    double seen[MEMORY], f, least, step = 0.0, before = INFINITY;

    memcpy(x, best, n * sizeof *x);
    tw_descend_project(x, n, d->cap, d->total);
    memcpy(best, x, n * sizeof *x);
    f = least = d->f(d->ctx, x, g);
    for (size_t i = 0; i < n; i++)
        step = fmax(step, fabs(g[i]));
    step = step > 0.0 ? 0.1 * d->total / step : 0.0;
    for (size_t it = 0; it < d->iterations && isfinite(f); it++) {
        double slope, part = 1.0, fy;

        seen[it % MEMORY] = f;
        if (it % PATIENCE == 0) {
            if (!(least < before - 10.0 * d->tol))
                break;
            before = least;
        }
        slope = direction(d, x, g, step, y);
        if (!(slope < -d->tol))
            break;
        for (size_t i = 0; i < n; i++)
            x[i] += y[i];
        while ((fy = d->f(d->ctx, x, gy)) > worst(seen, it + 1) + 1e-4 * part * slope ||
               isnan(fy)) {
            if (part < 1e-6)
                return least;
            part *= 0.5;
            for (size_t i = 0; i < n; i++)
                x[i] -= part * y[i];
        }
        step = next_step(n, y, part, g, gy, step);
        memcpy(g, gy, n * sizeof *g);
        f = fy;
        if (f < least) {
            least = f;
            memcpy(best, x, n * sizeof *x);
        }
    }
    return least;
}
