/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_unary.h - the functions of one real with their first two derivatives: a row of the table
 * at the end for each of enum tw_unary. At kinks as PyTorch has it: relu'(0) = 0, abs'(0) = 0,
 * clip' = 1 on both ends. */
#ifndef TENSOR_KERN_UNARY_H
#define TENSOR_KERN_UNARY_H

#include "kern_math.h"

#define ZERO K(0.0)
#define ONE  K(1.0)

static inline vec sign(vec x)
{
    return vsel(x > ZERO, ONE, vsel(x < ZERO, K(-1.0), x));
}

/* c x^p. A coefficient of 0 is 0 even at infinite x^p. */
static inline vec power(double c, vec x, double p)
{
    vec y;

    if (c == 0.0)
        return ZERO;
    if (p == 0.0)
        return K(c);
    if (p == 1.0)
        y = x;
    else if (p == 2.0)
        y = x * x;
    else if (p == 3.0)
        y = x * x * x;
    else if (p == -1.0)
        y = ONE / x;
    else
        y = vpow(x, K(p));
    return K(c) * y;
}

static inline vec rsqrt(vec x)
{
    return ONE / vsqrt(x);
}

static inline vec ramp(vec x, vec lo, vec hi, vec inside)
{
    return vsel((x > lo) & (x < hi), inside, ZERO);
}

static inline vec softsign_base(vec x)
{
    return ONE / (ONE + vabs(x));
}

static inline vec hswish_slope(vec x)
{
    return vsel(x < K(-3.0), ZERO, vsel(x > K(3.0), ONE, x * K(1.0 / 3.0) + K(0.5)));
}

/* x Phi(x) and its derivatives (Hendrycks & Gimpel 2016, arXiv:1606.08415). */
static inline vec gelu_slope(vec x)
{
    return vnormal_cdf(x) + x * vnormal_pdf(x);
}

static inline vec gelu_curve(vec x)
{
    return vnormal_pdf(x) * (K(2.0) - x * x);
}

/* x (1 + tanh u) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3) = x sigmoid(2u). */
#define GELU_C 0.79788456080286535588
static inline vec gelu_tanh_inner(vec x)
{
    return K(2.0 * GELU_C) * x * (ONE + K(0.044715) * x * x);
}

static inline vec gelu_tanh_slope(vec x)
{
    const vec v = gelu_tanh_inner(x), dv = K(2.0 * GELU_C) * (ONE + K(0.134145) * x * x);

    return vsigmoid(v) + x * vsigmoid_slope(v) * dv;
}

static inline vec gelu_tanh_curve(vec x)
{
    const vec v = gelu_tanh_inner(x), dv = K(2.0 * GELU_C) * (ONE + K(0.134145) * x * x);
    const vec ddv = K(2.0 * GELU_C * 0.26829) * x;

    return vsigmoid_slope(v) * (K(2.0) * dv + x * (ddv + (ONE - K(2.0) * vsigmoid(v)) * dv * dv));
}

static inline vec sigmoid_curve(vec x)
{
    return vsigmoid_slope(x) * (ONE - K(2.0) * vsigmoid(x));
}

/* tanh(softplus(x)) = q / (q + 2), q = e^x (e^x + 2); 1 - it = 2 / (q + 2). */
static inline vec mish_gate(vec x, vec *rest)
{
    const vec n = vexp(vsel(x > K(30.0), K(30.0), x)), q = n * (n + K(2.0));

    *rest = K(2.0) / (q + K(2.0));
    return q / (q + K(2.0));
}

static inline vec mish(vec x)
{
    vec rest;

    return x * mish_gate(x, &rest);
}

static inline vec mish_slope(vec x)
{
    vec rest, t = mish_gate(x, &rest);

    return t + x * (rest * (ONE + t) * vsigmoid(x));
}

static inline vec mish_curve(vec x)
{
    vec rest, t = mish_gate(x, &rest);
    const vec sech2 = rest * (ONE + t), s = vsigmoid(x);

    return sech2 * (K(2.0) * s + x * (vsigmoid_slope(x) - K(2.0) * t * s * s));
}

static inline vec clip(vec x, vec lo, vec hi)
{
    x = vsel(x > hi, hi, x);
    return vsel(x < lo, lo, x);
}

static inline vec huber(vec x, vec d)
{
    const vec a = vabs(x);

    return vsel(a <= d, K(0.5) * x * x, d * (a - K(0.5) * d));
}

/* Each row: name, f, f', f'' in terms of x, p (p0) and q (p1). */
#define UNARY_ROWS(ROW)                                                                            \
    ROW(COPY, x, ONE, ZERO)                                                                        \
    ROW(NEG, -x, K(-1.0), ZERO)                                                                    \
    ROW(ABS, vabs(x), sign(x), ZERO)                                                               \
    ROW(SIGN, sign(x), ZERO, ZERO)                                                                 \
    ROW(FLOOR, vfloor(x), ZERO, ZERO)                                                              \
    ROW(CEIL, vceil(x), ZERO, ZERO)                                                                \
    ROW(ROUND, vround(x), ZERO, ZERO)                                                              \
    ROW(EXP, vexp(x), vexp(x), vexp(x))                                                            \
    ROW(LOG, vlog(x), ONE / x, -(ONE / x) * (ONE / x))                                             \
    ROW(LOG1P, vlog1p(x), ONE / (ONE + x), -(ONE / (ONE + x)) * (ONE / (ONE + x)))                 \
    ROW(SQRT, vsqrt(x), K(0.5) * rsqrt(x), K(-0.25) * rsqrt(x) / x)                                \
    ROW(RSQRT, rsqrt(x), K(-0.5) * rsqrt(x) / x, K(0.75) * rsqrt(x) / x / x)                       \
    ROW(RECIP, ONE / x, -(ONE / x) * (ONE / x), K(2.0) * (ONE / x) * (ONE / x) * (ONE / x))        \
    ROW(SQUARE, x *x, x + x, K(2.0))                                                               \
    ROW(POWC, power(1.0, x, p0), power(p0, x, p0 - 1.0), power(p0 *(p0 - 1.0), x, p0 - 2.0))       \
    ROW(SIN, vsin(x), vcos(x), -vsin(x))                                                           \
    ROW(COS, vcos(x), -vsin(x), -vcos(x))                                                          \
    ROW(TANH, vtanh(x), vtanh_slope(x), K(-2.0) * vtanh(x) * vtanh_slope(x))                       \
    ROW(SIGMOID, vsigmoid(x), vsigmoid_slope(x), sigmoid_curve(x))                                 \
    ROW(ERF, verf(x), K(1.12837916709551257390) * vexp(-x * x),                                    \
        K(-2.25675833419102514779) * x * vexp(-x * x))                                             \
    ROW(RELU, vsel(x <= ZERO, ZERO, x), vsel(x <= ZERO, ZERO, ONE), ZERO)                          \
    ROW(LEAKY, vsel(x < ZERO, p * x, x), vsel(x > ZERO, ONE, p), ZERO)                             \
    ROW(ELU, vsel(x > ZERO, x, p * vexpm1(x)), vsel(x > ZERO, ONE, p * vexp(x)),                   \
        vsel(x > ZERO, ZERO, p * vexp(x)))                                                         \
    ROW(SELU, q *vsel(x > ZERO, x, p * vexpm1(x)), q *vsel(x > ZERO, ONE, p * vexp(x)),            \
        q *vsel(x > ZERO, ZERO, p * vexp(x)))                                                      \
    ROW(CELU, vsel(x > ZERO, x, p * vexpm1(x / p)), vsel(x > ZERO, ONE, vexp(x / p)),              \
        vsel(x > ZERO, ZERO, vexp(x / p) / p))                                                     \
    ROW(SOFTPLUS, vsoftplus(x), vsigmoid(x), vsigmoid_slope(x))                                    \
    ROW(SOFTSIGN, x *softsign_base(x), softsign_base(x) * softsign_base(x),                        \
        K(-2.0) * sign(x) * softsign_base(x) * softsign_base(x) * softsign_base(x))                \
    ROW(HSIGMOID, clip(p *x + q, ZERO, ONE), ramp(p *x + q, ZERO, ONE, p), ZERO)                   \
    ROW(HSWISH, x *clip(x *K(1.0 / 6.0) + K(0.5), ZERO, ONE), hswish_slope(x),                     \
        ramp(x, K(-3.0), K(3.0), K(1.0 / 3.0)))                                                    \
    ROW(GELU, x *vnormal_cdf(x), gelu_slope(x), gelu_curve(x))                                     \
    ROW(GELU_TANH, x *vsigmoid(gelu_tanh_inner(x)), gelu_tanh_slope(x), gelu_tanh_curve(x))        \
    ROW(SILU, x *vsigmoid(x), vsigmoid(x) + x * vsigmoid_slope(x),                                 \
        K(2.0) * vsigmoid_slope(x) + x * sigmoid_curve(x))                                         \
    ROW(MISH, mish(x), mish_slope(x), mish_curve(x))                                               \
    ROW(CLIP, clip(x, p, q), vsel((x >= p) & (x <= q), ONE, ZERO), ZERO)                           \
    ROW(THRESHOLD, vsel(x <= p, ZERO, x), vsel(x <= p, ZERO, ONE), ZERO)                           \
    ROW(NOT, vsel(x == ZERO, ONE, ZERO), ZERO, ZERO)                                               \
    ROW(ISNAN, vsel(x != x, ONE, ZERO), ZERO, ZERO)                                                \
    ROW(HUBER, huber(x, p), vsel(vabs(x) <= p, x, p * sign(x)), vsel(vabs(x) <= p, ONE, ZERO))

/* n is a multiple of W. */
#define UNARY_LOOP(name, expr)                                                                     \
    static void unary_##name(size_t n, double p0, double p1, const real *in, real *out)            \
    {                                                                                              \
        const vec p = K(p0), q = K(p1);                                                            \
        (void)p;                                                                                   \
        (void)q;                                                                                   \
        for (size_t i_ = 0; i_ < n; i_ += W) {                                                     \
            const vec x = vload(in + i_);                                                          \
            (void)x;                                                                               \
            vstore(out + i_, expr);                                                                \
        }                                                                                          \
    }
#define UNARY_LOOPS(name, f0, f1, f2)                                                              \
    UNARY_LOOP(name##_0, f0)                                                                       \
    UNARY_LOOP(name##_1, f1)                                                                       \
    UNARY_LOOP(name##_2, f2)
UNARY_ROWS(UNARY_LOOPS)

typedef void (*unary_loop)(size_t n, double p0, double p1, const real *x, real *y);
#define UNARY_ENTRY(name, f0, f1, f2)                                                              \
    [TW_U_##name] = { unary_##name##_0, unary_##name##_1, unary_##name##_2 },
static const unary_loop unary_loops[TW_U_COUNT][3] = { UNARY_ROWS(UNARY_ENTRY) };

static void unary(enum tw_unary f, int order, double p0, double p1, size_t n, const void *vx,
                  void *vy)
{
    const size_t whole = n / W * W;
    const real *x = vx;
    real *y = vy, end[W];

    unary_loops[f][order](whole, p0, p1, x, y);
    if (whole == n)
        return;
    for (int i = 0; i < W; i++)
        end[i] = (real)1.0;
    memcpy(end, x + whole, (n - whole) * sizeof *end);
    unary_loops[f][order](W, p0, p1, end, end);
    memcpy(y + whole, end, (n - whole) * sizeof *end);
}

/* A block at a time, so that f's derivatives stay in the first-level cache. */
static void unary_grad(enum tw_unary f, int order, double p0, double p1, size_t n, const void *vx,
                       const void *vg, enum tw_store store, void *vgx)
{
    enum { BLOCK = 512 };
    const real *x = vx, *g = vg;
    real *gx = vgx, d[BLOCK];

    for (size_t at = 0; at < n; at += BLOCK) {
        const size_t m = n - at < BLOCK ? n - at : BLOCK, whole = m / W * W;

        unary(f, order, p0, p1, m, x + at, d);
        for (size_t i = 0; i < whole; i += W)
            vput(store, gx + at + i, vload(d + i) * vload(g + at + i));
        for (size_t i = whole; i < m; i++) {
            const real s = d[i] * g[at + i];
            real *to = gx + at + i;

            *to = store == TW_SET ? s : store == TW_ADD ? *to + s : *to - s;
        }
    }
}

#endif
