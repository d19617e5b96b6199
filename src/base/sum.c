/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/base.h"

#include <math.h>
#include <stdlib.h>

enum { CHUNK = 4096, BATCH = 512 };

/* Chunks, and the order in which their sums are added, depend on n alone; a batch of chunks
 * at a time keeps the partial sums on the stack. */
static double chunked(const double *x, const double *y, size_t n)
{
    double sum = 0.0;

    for (size_t base = 0; base < n; base += (size_t)CHUNK * BATCH) {
        double part[BATCH];
        size_t left = (n - base + CHUNK - 1) / CHUNK;
        size_t chunks = left < BATCH ? left : BATCH;

#pragma omp parallel for schedule(static) if (chunks > 64)
        for (size_t c = 0; c < chunks; c++) {
            size_t i = base + c * CHUNK;
            size_t end = n - i > CHUNK ? i + CHUNK : n;
            double s = 0.0;

            if (y)
                for (; i < end; i++)
                    s += x[i] * y[i];
            else
                for (; i < end; i++)
                    s += x[i];
            part[c] = s;
        }
        for (size_t c = 0; c < chunks; c++)
            sum += part[c];
    }
    return sum;
}

double tw_sum(const double *x, size_t n)
{
    return chunked(x, NULL, n);
}

double tw_sum_dot(const double *x, const double *y, size_t n)
{
    return chunked(x, y, n);
}

static int compare_reals(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

void tw_sort_reals(double *x, size_t n)
{
    qsort(x, n, sizeof *x, compare_reals);
}

double tw_quantile_sorted(const double *x, size_t n, double q)
{
    double h;
    size_t i;

    if (n == 0)
        return NAN;
    h = q * (double)(n - 1);
    i = (size_t)h;
    if (i + 1 >= n)
        return x[n - 1];
    return x[i] + (h - (double)i) * (x[i + 1] - x[i]);
}
