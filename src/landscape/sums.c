/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sums.h"

/* The sum of TERM over i < n. The first level has a fixed number of chunks, so nothing is
 * allocated, and threads share them. */
enum { CHUNKS = 256 };
#define SUM_OVER(n, TERM)                                                                          \
    double part[CHUNKS] = { 0 };                                                                   \
    const size_t each = (n) / CHUNKS + 1;                                                          \
    _Pragma("omp parallel for schedule(static) if (n > 20000)") for (size_t c = 0; c < CHUNKS;     \
                                                                     c++)                          \
    {                                                                                              \
        const size_t first = c * each, end = first + each < (n) ? first + each : (n);              \
        double s = 0.0;                                                                            \
        for (size_t i = first; i < end; i++)                                                       \
            s += (TERM);                                                                           \
        part[c] = s;                                                                               \
    }                                                                                              \
    return tw_sum(part, CHUNKS)

static inline double minus(const float *a, const float *o, size_t i)
{
    return (double)a[i] - (o ? (double)o[i] : 0.0);
}

static inline double square(double x)
{
    return x * x;
}

double tw_dot_from(size_t n, const float *a, const float *b, const float *o)
{
    SUM_OVER(n, minus(a, o, i) * minus(b, o, i));
}

double tw_dot_along(size_t n, const float *a, const float *o, const float *u)
{
    SUM_OVER(n, minus(a, o, i) * (double)u[i]);
}

double tw_square_off(size_t n, const float *a, const float *o, double x, const float *u, double y,
                     const float *v)
{
    SUM_OVER(n, square(minus(a, o, i) - x * (double)u[i] - (v ? y * (double)v[i] : 0.0)));
}
