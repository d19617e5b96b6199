/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Modified Gram-Schmidt (Bjoerck 1967, BIT 7): as accurate as Householder's for least squares. */
#include "least.h"

#include <math.h>

static double dot(const double *a, const double *b, size_t n)
{
    double sum = 0.0;

    for (size_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

static void take_off(double *a, const double *q, double share, size_t n)
{
    for (size_t i = 0; i < n; i++)
        a[i] -= share * q[i];
}

bool tw_least_fit(double *x, size_t k, double *y, size_t n, struct tw_least *out)
{
    double z[TW_LEAST_MAX], length[TW_LEAST_MAX];

    *out = (struct tw_least){ .n = n, .k = k };
    if (n < k || k > TW_LEAST_MAX)
        return false;
    for (size_t j = 0; j < k; j++)
        length[j] = sqrt(dot(x + j * n, x + j * n, n));
    for (size_t j = 0; j < k; j++) {
        double *q = x + j * n;
        const double norm = sqrt(dot(q, q, n));

        if (!(norm > 1e-9 * length[j]))
            return false;
        out->root[j][j] = norm;
        for (size_t i = 0; i < n; i++)
            q[i] /= norm;
        for (size_t m = j + 1; m < k; m++) {
            out->root[j][m] = dot(q, x + m * n, n);
            take_off(x + m * n, q, out->root[j][m], n);
        }
        z[j] = dot(q, y, n);
        take_off(y, q, z[j], n);
    }
    for (size_t j = k; j-- > 0;) {
        for (size_t m = j + 1; m < k; m++)
            z[j] -= out->root[j][m] * out->coef[m];
        out->coef[j] = z[j] / out->root[j][j];
    }
    out->rss = dot(y, y, n);
    return true;
}

double tw_least_leverage(const struct tw_least *fit, const double *x)
{
    double z[TW_LEAST_MAX], sum = 0.0;

    for (size_t j = 0; j < fit->k; j++) { /* R' z = x */
        z[j] = x[j];
        for (size_t m = 0; m < j; m++)
            z[j] -= fit->root[m][j] * z[m];
        z[j] /= fit->root[j][j];
        sum += z[j] * z[j];
    }
    return sum;
}
