/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/base.h"

#include <math.h>
#include <stdlib.h>

enum { CHUNK = 4096, BATCH = 512, ABREAST = 4 };

/* The chunk that begins at i. */
static double sum_one(const double *x, const double *y, size_t i, size_t n)
{
    const size_t end = n - i > CHUNK ? i + CHUNK : n;
    double s = 0.0;

    if (y)
        for (; i < end; i++)
            s += x[i] * y[i];
    else
        for (; i < end; i++)
            s += x[i];
    return s;
}

/* Whole chunks side by side, so that one addition need not wait for another. */
static void sum_abreast(const double *x, const double *y, double *part)
{
    double s[ABREAST] = { 0.0 };

    if (y)
        for (size_t i = 0; i < CHUNK; i++)
            for (size_t c = 0; c < ABREAST; c++)
                s[c] += x[c * CHUNK + i] * y[c * CHUNK + i];
    else
        for (size_t i = 0; i < CHUNK; i++)
            for (size_t c = 0; c < ABREAST; c++)
                s[c] += x[c * CHUNK + i];
    for (size_t c = 0; c < ABREAST; c++)
        part[c] = s[c];
}

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
        for (size_t c = 0; c < chunks; c += ABREAST) {
            const size_t i = base + c * CHUNK;

            if (n - i >= (size_t)CHUNK * ABREAST) {
                sum_abreast(x + i, y ? y + i : NULL, part + c);
                continue;
            }
            for (size_t k = c; k < chunks && k < c + ABREAST; k++)
                part[k] = sum_one(x, y, base + k * CHUNK, n);
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
