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

/* ---- any columns ---------------------------------------------------------------------------- */

enum { K = TW_LAW_MAX_COLUMNS };

/* Cholesky of the rows and columns of `set`; coef of the others is 0. False if not positive
 * definite or a coefficient is negative. */
static bool solve_set(double a[K][K], const double *b, unsigned set, size_t k, double *coef)
{
    size_t index[K], m = 0;
    double c[K][K], z[K];

    for (size_t j = 0; j < k; j++) {
        coef[j] = 0.0;
        if (set >> j & 1u)
            index[m++] = j;
    }
    for (size_t i = 0; i < m; i++)
        for (size_t j = 0; j <= i; j++) {
            double x = a[index[i]][index[j]];

            for (size_t q = 0; q < j; q++)
                x -= c[i][q] * c[j][q];
            if (i == j && !(x > 1e-13 * a[index[i]][index[i]]))
                return false;
            c[i][j] = i == j ? sqrt(x) : x / c[j][j];
        }
    for (size_t i = 0; i < m; i++) {
        z[i] = b[index[i]];
        for (size_t q = 0; q < i; q++)
            z[i] -= c[i][q] * z[q];
        z[i] /= c[i][i];
    }
    for (size_t i = m; i-- > 0;) {
        for (size_t q = i + 1; q < m; q++)
            z[i] -= c[q][i] * z[q];
        z[i] /= c[i][i];
        if (z[i] < 0.0)
            return false;
        coef[index[i]] = z[i];
    }
    return true;
}

double tw_law_positive_fit(const double *const *column, size_t k, const double *y, size_t n,
                           bool relative, double *coef)
{
    double a[K][K] = { { 0 } }, b[K] = { 0 }, norm[K], total = 0.0, best = INFINITY;

    for (size_t i = 0; i < n; i++) {
        const double w = relative ? 1.0 / y[i] : 1.0, v = y[i] * w;

        total += v * v;
        for (size_t j = 0; j < k; j++) {
            b[j] += column[j][i] * w * v;
            for (size_t q = 0; q <= j; q++)
                a[j][q] += column[j][i] * w * column[q][i] * w;
        }
    }
    for (size_t j = 0; j < k; j++) { /* unit columns: their sizes differ by many powers of ten */
        norm[j] = sqrt(a[j][j]);
        b[j] /= norm[j];
        for (size_t q = 0; q <= j; q++)
            a[j][q] /= norm[j] * norm[q];
    }
    for (size_t j = 0; j < k; j++)
        for (size_t q = 0; q < j; q++)
            a[q][j] = a[j][q];
    for (unsigned set = 1; set < 1u << k; set++) {
        double x[K], fall = 0.0;

        if (!solve_set(a, b, set, k, x))
            continue;
        for (size_t j = 0; j < k; j++)
            fall += x[j] * b[j]; /* at a minimum the fit explains x'b of the total */
        if (total - fall >= best)
            continue;
        best = total - fall;
        for (size_t j = 0; j < k; j++)
            coef[j] = x[j] / norm[j];
    }
    return best;
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

/* ---- sizes ---------------------------------------------------------------------------------- */

enum tw_status tw_law_check_sizes(const struct tw_law_curve *curves, size_t n, struct tw_err *err)
{
    for (size_t c = 0; c < n; c++)
        if (!(curves[c].size > 0.0) || !isfinite(curves[c].size))
            return tw_err_set(err, TW_EDOMAIN,
                              "%s: the law needs the parameters N of its model, a positive number: "
                              "a column N of the log or of the table of schedules, or --size=N",
                              curves[c].name);
    return TW_OK;
}

size_t tw_law_count_sizes(const struct tw_law_curve *curves, size_t n)
{
    size_t sizes = 0;

    for (size_t c = 0; c < n; c++) {
        bool known = false;

        for (size_t b = 0; b < c && !known; b++)
            known = fabs(log(curves[b].size / curves[c].size)) < 0.01;
        sizes += !known;
    }
    return sizes;
}
