/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "law_parts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Solve the leading n x n part of a symmetric system in place; false if singular. */
static bool solve(double a[3][3], double *b, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        const double pivot = a[k][k];

        if (!(fabs(pivot) > 1e-300))
            return false;
        for (size_t i = k + 1; i < n; i++) {
            const double f = a[i][k] / pivot;

            for (size_t j = k; j < n; j++)
                a[i][j] -= f * a[k][j];
            b[i] -= f * b[k];
        }
    }
    for (size_t k = n; k-- > 0;) {
        for (size_t j = k + 1; j < n; j++)
            b[k] -= a[k][j] * b[j];
        b[k] /= a[k][k];
    }
    return isfinite(b[0]) && isfinite(b[n - 1]);
}

/* The normal equations of the columns given; `columns` are 1, power, -area. */
static void normal(const double *power, const double *area, const double *y, size_t n,
                   double a[3][3], double b[3])
{
    memset(a, 0, 9 * sizeof(double));
    memset(b, 0, 3 * sizeof(double));
    for (size_t i = 0; i < n; i++) {
        const double w = 1.0 / y[i];
        const double x[3] = { w, power[i] * w, -area[i] * w };

        for (size_t j = 0; j < 3; j++) {
            for (size_t k = 0; k < 3; k++)
                a[j][k] += x[j] * x[k];
            b[j] += x[j]; /* y w = 1 */
        }
    }
}

bool tw_law_linear_start(const double *power, const double *area, const double *y, size_t n,
                         struct tw_law_start *s)
{
    double a[3][3], b[3], least = INFINITY;

    for (size_t i = 0; i < n; i++)
        least = fmin(least, y[i]);
    normal(power, area, y, n, a, b);
    if (!solve(a, b, 3) || b[2] <= 0.0) {
        normal(power, area, y, n, a, b);
        if (!solve(a, b, 2))
            return false;
        b[2] = 0.0;
    }
    s->theta[0] = fmin(fmax(b[0], 0.05 * least), least);
    s->theta[1] = fmax(b[1], 1e-3 * least);
    s->theta[3] = fmax(b[2], 1e-3);
    s->objective = 0.0;
    for (size_t i = 0; i < n; i++) {
        const double yhat = s->theta[0] + s->theta[1] * power[i] - s->theta[3] * area[i];
        const double e = (y[i] - yhat) / y[i];

        s->objective += e * e;
    }
    return isfinite(s->objective);
}

static int by_objective(const void *a, const void *b)
{
    const double x = ((const struct tw_law_start *)a)->objective;
    const double y = ((const struct tw_law_start *)b)->objective;

    return (x > y) - (x < y);
}

size_t tw_law_best_starts(struct tw_law_start *s, size_t n, size_t p, double *theta, size_t max)
{
    qsort(s, n, sizeof *s, by_objective);
    if (n > max)
        n = max;
    for (size_t i = 0; i < n; i++)
        memcpy(theta + i * p, s[i].theta, p * sizeof *theta);
    return n;
}

enum tw_status tw_law_no_step(const struct tw_law_curve *c, double x, struct tw_err *err)
{
    return tw_err_set(err, TW_EINVAL, "%s: x = %.17g is no step of the schedule '%s' of %zu steps",
                      c->name, x, c->schedule->spec, c->schedule->n);
}

enum tw_status tw_law_no_rate(const struct tw_law_curve *c, double x, struct tw_err *err)
{
    return tw_err_set(err, TW_EDOMAIN,
                      "%s: the learning rates up to x = %g sum to 0: drop that point (--from) or "
                      "give the schedule",
                      c->name, x);
}
