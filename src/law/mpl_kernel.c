/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * exp and log of many numbers at once. The C library's take one number at a time; these are plain
 * arithmetic without branches, which compilers turn into vectors as wide as the machine has. Every
 * lane is computed and added alike whatever the width, so the bits are the same on all.
 */
#include "mpl_kernel.h"

#include <math.h>
#include <string.h>

enum { NODES = TW_FALL_NODES };

static inline uint64_t bits_of(double x)
{
    uint64_t i;

    memcpy(&i, &x, sizeof i);
    return i;
}

static inline double real_of(uint64_t i)
{
    double x;

    memcpy(&x, &i, sizeof x);
    return x;
}

/* The larger one; `?:` would be a branch to some compilers. */
static inline double at_least(double x, double least)
{
    const uint64_t below = 0u - (bits_of(x - least) >> 63); /* all bits, or none */

    return real_of((bits_of(x) & ~below) | (bits_of(least) & below));
}

/* x = 2^e m, sqrt 1/2 <= m < sqrt 2. */
static inline void take_apart(double x, double *e, double *m)
{
    const uint64_t half = 0x3fe6a09e667f3bcdu; /* sqrt 1/2 */
    const uint64_t i = bits_of(x) - half;

    /* e, by way of the double whose bits are those of 2^52 + e */
    *e = real_of((i >> 52) | 0x4330000000000000u) - 4503599627370496.0;
    *m = real_of((i & 0x000fffffffffffffu) + half);
}

/* log(2^e m), f = (m - 1) / (m + 1): log m = 2 atanh f by the series of atanh to f^17, right to
 * 1e-15. */
static inline double log_of(double e, double f)
{
    const double s = f * f, s2 = s * s, s4 = s2 * s2;
    const double low = (1.0 / 3.0 + s * (1.0 / 5.0)) + s2 * (1.0 / 7.0 + s * (1.0 / 9.0));
    const double high = (1.0 / 11.0 + s * (1.0 / 13.0)) + s2 * (1.0 / 15.0 + s * (1.0 / 17.0));

    return e * 0.693147180559945309 + (2.0 * f + 2.0 * f * s * (low + s4 * high));
}

/* exp x, |x| <= 700: x = n log 2 + r, |r| <= log(2) / 2, by Taylor's series to r^11, right to
 * 1e-14. */
static inline double exp_of(double x)
{
    const double shift = 6755399441055744.0; /* 1.5 * 2^52: adding it rounds to an integer */
    const double t = x * 1.44269504088896341 + shift, n = t - shift;
    const double r = (x - n * 0x1.62e42fee00000p-1) - n * 0x1.a39ef35793c76p-33;
    const double r2 = r * r, r4 = r2 * r2;
    const double a = (1.0 + r) + r2 * (0.5 + r * (1.0 / 6.0));
    const double b = (1.0 / 24.0 + r * (1.0 / 120.0)) + r2 * (1.0 / 720.0 + r * (1.0 / 5040.0));
    const double c =
        (1.0 / 40320.0 + r * (1.0 / 362880.0)) + r2 * (1.0 / 3628800.0 + r * (1.0 / 39916800.0));

    return real_of(bits_of(a + r4 * (b + r4 * c)) + (bits_of(t) << 52));
}

/* Per node, summed over blocks. */
struct lanes {
    double g[NODES], dx[NODES], dbeta[NODES], dgamma[NODES];
};

static inline __attribute__((always_inline)) void add_block(
    struct lanes *restrict a, const double *restrict before, const double *restrict factor,
    const double *restrict log_rate, const double *restrict weight, double s1, double beta)
{
#pragma omp simd
    for (size_t j = 0; j < NODES; j++) {
        const double s = s1 - before[j];
        const double x = 0.5 * (s + fabs(s)) * factor[j], y = 1.0 + x;
        double e, m, over, u, z, g, slope;

        take_apart(y, &e, &m);
        over = 1.0 / ((m + 1.0) * y); /* one division for two quotients */
        u = log_of(e, (m - 1.0) * (y * over));
        z = -beta * u;
        g = weight[j] * exp_of(at_least(z, -700.0));
        slope = g * beta * (x * ((m + 1.0) * over));
        a->g[j] += weight[j] - g;
        a->dbeta[j] += g * u;
        a->dx[j] += slope;
        a->dgamma[j] -= slope * log_rate[j];
    }
}

static double total(const double *v)
{
    double sum = 0.0;

    for (size_t j = 0; j < NODES; j++)
        sum += v[j];
    return sum;
}

/* factor of every node: C eta^-gamma, at most 1e200 so that nothing overflows. */
static inline __attribute__((always_inline)) void factors(const struct tw_falls *f, double log_c,
                                                          double gamma, double *restrict factor)
{
    const double *restrict log_rate = f->log_rate;

#pragma omp simd
    for (size_t j = 0; j < f->nblocks * NODES; j++) {
        const double down = at_least(gamma * log_rate[j] - log_c, -460.5); /* log 1e200 */

        factor[j] = exp_of(at_least(-down, -700.0));
    }
}

static inline __attribute__((always_inline)) void sums(const struct tw_falls *f,
                                                       const struct tw_mpl_shape *p, double *factor,
                                                       const struct tw_mpl_sums *out)
{
    factors(f, log(p->c), p->gamma, factor);
    for (size_t i = 0; i < f->n; i++) {
        struct lanes a = { { 0.0 }, { 0.0 }, { 0.0 }, { 0.0 } };

        for (size_t k = f->first[i]; k < f->first[i + 1]; k++) {
            const size_t at = (size_t)f->block[k] * NODES;

            add_block(&a, f->before + at, factor + at, f->log_rate + at, f->weight + at, f->s1[i],
                      p->beta);
        }
        out->g[i] = total(a.g);
        out->dc[i] = total(a.dx) / p->c;
        out->dbeta[i] = total(a.dbeta);
        out->dgamma[i] = total(a.dgamma);
    }
}

/* One copy for each width of vectors that a machine of this architecture may have. */
typedef void kernel_fn(const struct tw_falls *f, const struct tw_mpl_shape *p, double *factor,
                       const struct tw_mpl_sums *out);
#ifdef __x86_64__
__attribute__((target("avx512f"))) static void sums_512(const struct tw_falls *f,
                                                        const struct tw_mpl_shape *p,
                                                        double *factor,
                                                        const struct tw_mpl_sums *out)
{
    sums(f, p, factor, out);
}

__attribute__((target("avx2"))) static void sums_256(const struct tw_falls *f,
                                                     const struct tw_mpl_shape *p, double *factor,
                                                     const struct tw_mpl_sums *out)
{
    sums(f, p, factor, out);
}
#endif
static void sums_plain(const struct tw_falls *f, const struct tw_mpl_shape *p, double *factor,
                       const struct tw_mpl_sums *out)
{
    sums(f, p, factor, out);
}

static kernel_fn *widest(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return sums_512;
    if (__builtin_cpu_supports("avx2"))
        return sums_256;
#endif
    return sums_plain;
}

void tw_mpl_kernel(const struct tw_falls *f, const struct tw_mpl_shape *p, double *scratch,
                   const struct tw_mpl_sums *out)
{
    widest()(f, p, scratch, out);
}
