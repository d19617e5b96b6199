/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_math.h - elementary functions of a vector. float: our own, without branches; double: the
 * C library's, lane by lane. The polynomials interpolate the exact functions at Chebyshev nodes;
 * "error" is theirs, relative to the result. Largest errors of the whole are in
 * tests/unit/test_kernels_math.c. */
#ifndef TENSOR_KERN_MATH_H
#define TENSOR_KERN_MATH_H

#include "kern_vec.h"

KERN_EACH(vsin_each, R(sin))
KERN_EACH(vcos_each, R(cos))

#ifdef KERN_REAL64

KERN_EACH(vexp, exp)
KERN_EACH(vexpm1, expm1)
KERN_EACH(vlog, log)
KERN_EACH(vlog1p, log1p)
KERN_EACH(vtanh, tanh)
KERN_EACH(verf, erf)

static inline vec vsin(vec x)
{
    return vsin_each(x);
}

static inline vec vcos(vec x)
{
    return vcos_each(x);
}

#else

/* 2^n for whole n in -126 .. 127. */
static inline vec pow2i(ivec n)
{
    return (vec)((n + 127) << 23);
}

/* Adding and subtracting 1.5 * 2^23 rounds to a whole number, half to even. */
#define ROUNDER 12582912.0f

/* x = n log 2 + r, |r| <= log(2)/2 (Cody & Waite 1980: log 2 in two parts, n times the first
 * exact). */
static inline vec exp_reduce(vec x, vec *r)
{
    const vec n = (x * K(1.44269504088896340736) + K(ROUNDER)) - K(ROUNDER);

    *r = (x - n * K(0.693359375)) - n * K(-2.12194440054690583e-4);
    return n;
}

/* e^r - 1 for |r| <= log(2)/2: error 0.004 * 2^-24 of e^r. */
static inline vec expm1_poly(vec r)
{
    vec p = K(1.989198131e-04);

    p = p * r + K(1.393454193e-03);
    p = p * r + K(8.333310024e-03);
    p = p * r + K(4.166645681e-02);
    p = p * r + K(1.666666668e-01);
    p = p * r + K(5.000000014e-01);
    return (p * r) * r + r;
}

static inline vec vexp(vec x)
{
    /* Outside, the result is 0 or infinite; inside, 2^n takes two factors. */
    const vec c = vsel(x > K(89.0), K(89.0), vsel(x < K(-104.0), K(-104.0), x));
    vec r, e;
    ivec n, half;

    n = __builtin_convertvector(exp_reduce(c, &r), ivec);
    e = expm1_poly(r) + K(1.0);
    half = n >> 1;
    return e * pow2i(half) * pow2i(n - half);
}

static inline vec vexpm1(vec x)
{
    const vec c = vsel(x > K(88.0), K(88.0), vsel(x < K(-20.0), K(-20.0), x));
    vec r, s;
    ivec n = __builtin_convertvector(exp_reduce(c, &r), ivec);

    s = pow2i(n);
    r = s * expm1_poly(r) + (s - K(1.0));
    return vsel(x > K(88.0), vexp(x), vsel(x == K(0.0), x, r));
}

/* log of u > 0 = 2^e m, sqrt(1/2) <= m < sqrt(2), plus a small c: with f = m - 1, s = f / (2 + f),
 * log m = f - (f^2/2 - s (f^2/2 + s^2 P(s^2))) (Tang 1990, ACM TOMS 16); error 2^-34. */
static inline vec log_positive(vec u, vec c)
{
    const ivec tiny = u < K(1.17549435e-38);
    const vec w = vsel(tiny, u * K(8388608.0), u);
    const ivec shifted = ((ivec)w & 0x7fffffff) - 0x3f3504f3;
    const ivec e = shifted >> 23;
    const vec m = (vec)((shifted & 0x7fffff) + 0x3f3504f3);
    const vec k = __builtin_convertvector(e, vec) - vsel(tiny, K(23.0), K(0.0));
    const vec f = m - K(1.0);
    const vec s = f / (K(2.0) + f), z = s * s, h = K(0.5) * f * f;
    vec p = K(2.335354249e-01);

    p = p * z + K(2.854996428e-01);
    p = p * z + K(4.000012947e-01);
    p = p * z + K(6.666666655e-01);
    return k * K(0.693359375) -
           ((h - (s * (h + z * p) + (k * K(-2.12194440054690583e-4) + c))) - f);
}

/* log at 0, infinity, NaN, below 0. */
static inline vec log_ends(vec x, vec u, vec y)
{
    y = vsel(u == K(0.0), K(-INFINITY), y);
    y = vsel((x == K(INFINITY)) | (x != x), x, y);
    return vsel(u < K(0.0), K(NAN), y);
}

static inline vec vlog(vec x)
{
    return log_ends(x, x, log_positive(x, K(0.0)));
}

/* What 1 + x loses is put back to first order. */
static inline vec vlog1p(vec x)
{
    const vec u = K(1.0) + x;
    const vec c = vsel(x > K(1.0), (K(1.0) - (u - x)) / u, (x - (u - K(1.0))) / u);

    return vsel(x == K(0.0), x, log_ends(x, u, log_positive(u, c)));
}

/* |x| < 5/8: an odd polynomial, error 0.26 * 2^-24; else 1 - 2 / (e^2|x| + 1). */
static inline vec vtanh(vec x)
{
    const vec a = vabs(x), z = x * x;
    vec p = K(-6.075166590e-03);

    p = p * z + K(2.098229759e-02);
    p = p * z + K(-5.384775770e-02);
    p = p * z + K(1.333274891e-01);
    p = p * z + K(-3.333332874e-01);
    return vsel(a < K(0.625), x + x * (z * p),
                vcopysign(K(1.0) - K(2.0) / (vexp(a + a) + K(1.0)), x));
}

/* |x| < 0.92: an odd polynomial, error 0.01 * 2^-24; else 1 - e^-g with g a polynomial that fits
 * -log erfc, error 0.05 * 2^-24; from 3.92 on the result is 1. */
static inline vec verf(vec x)
{
    const vec z = x * x;
    const vec a = vsel(vabs(x) > K(4.0), K(4.0), vabs(x));
    vec p = K(8.334718579e-05), g = K(-1.643569654e-06), tail;

    p = p * z + K(-8.134709322e-04);
    p = p * z + K(5.200368586e-03);
    p = p * z + K(-2.685915147e-02);
    p = p * z + K(1.128369152e-01);
    p = p * z + K(-3.761263352e-01);
    p = p * z + K(1.283791666e-01);
    g = g * a + K(4.617791279e-05);
    g = g * a + K(-5.977434720e-04);
    g = g * a + K(4.763575249e-03);
    g = g * a + K(-2.643101760e-02);
    g = g * a + K(1.100944808e-01);
    g = g * a + K(6.318145167e-01);
    g = g * a + K(1.130237616e+00);
    g = g * a + K(-3.204415313e-04);
    tail = vcopysign(K(1.0) - vexp(-g), x);
    return vsel(vabs(x) < K(0.92), x + x * p, vsel(x != x, x, tail));
}

/* x = n pi/2 + r, |r| <= pi/4, pi/2 in three parts (Cody & Waite 1980); for |x| <= 8192. */
static inline vec quarter_turns(vec x, ivec *n)
{
    const vec k = (x * K(0.63661977236758134308) + K(ROUNDER)) - K(ROUNDER);

    *n = __builtin_convertvector(k, ivec);
    return ((x - k * K(1.5703125)) - k * K(4.83751296997070312e-4)) - k * K(7.549789948768648e-8);
}

/* The sine of x + turns pi/2. Large and non-finite arguments go to the C library. */
static inline vec sine(vec x, int turns)
{
    const ivec far = ~(vabs(x) <= K(8192.0));
    ivec n;
    const vec r = quarter_turns(vsel(far, K(0.0), x), &n), z = r * r;
    vec s = K(2.724378144e-06), c = K(2.454287111e-05), y;

    s = s * z + K(-1.984003887e-04);
    s = s * z + K(8.333331785e-03);
    s = s * z + K(-1.666666666e-01);
    s = r + r * (z * s);
    c = c * z + K(-1.388827933e-03);
    c = c * z + K(4.166666454e-02);
    c = (K(1.0) - K(0.5) * z) + (z * z) * c;
    n += turns;
    y = vsel((n & 1) != 0, c, s);
    y = vsel((n & 2) != 0, -y, y);
    if (vany(far))
        y = vsel(far, turns ? vcos_each(x) : vsin_each(x), y);
    return y;
}

static inline vec vsin(vec x)
{
    return vsel(x == K(0.0), x, sine(x, 0));
}

static inline vec vcos(vec x)
{
    return sine(x, 1);
}

#endif

/* 1 / (1 + e^-x) without overflow; and its derivative, without cancellation. */
static inline vec vsigmoid(vec x)
{
    const vec e = vexp(-vabs(x));

    return vsel(x < K(0.0), e, K(1.0)) / (K(1.0) + e);
}

static inline vec vsigmoid_slope(vec x)
{
    const vec e = vexp(-vabs(x)), s = K(1.0) / (K(1.0) + e);

    return e * s * s;
}

/* tanh' = 1 - tanh^2, without cancellation. */
static inline vec vtanh_slope(vec x)
{
    return K(4.0) * vsigmoid_slope(x + x);
}

static inline vec vsoftplus(vec x)
{
    return vsel(x > K(0.0), x, vsel(x != x, x, K(0.0))) + vlog1p(vexp(-vabs(x)));
}

/* The normal distribution's density and distribution function. */
static inline vec vnormal_pdf(vec x)
{
    return K(0.39894228040143267794) * vexp(K(-0.5) * x * x);
}

static inline vec vnormal_cdf(vec x)
{
    return K(0.5) + K(0.5) * verf(x * K(0.70710678118654752440));
}

static inline vec vpow(vec x, vec y)
{
    vec z = x;

    for (int i = 0; i < W; i++)
        z[i] = R(pow)(x[i], y[i]);
    return z;
}

#endif
