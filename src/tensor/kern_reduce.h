/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern_reduce.h - sums and extrema over nests, softmax, normalization. Sums run over short runs
 * first, so that rounding errors grow with the square root of the length at most. */
#ifndef TENSOR_KERN_REDUCE_H
#define TENSOR_KERN_REDUCE_H

#include "kern_loop.h"
#include "kern_math.h"

enum { RUN = 64 };

/* One level of a reduction, in one vector of lanes or (width 1) of uniform values. */
#define REDUCE_LOOP(name, start, expr)                                                             \
    static void reduce_##name(size_t n, const real *a, long sa, real *y)                           \
    {                                                                                              \
        vec total = vload(y);                                                                      \
        for (size_t at = 0; at < n; at += RUN) {                                                   \
            const size_t m = n - at < RUN ? n - at : RUN;                                          \
            vec s = K(start), x;                                                                   \
            for (size_t i_ = 0; i_ < m; i_++, a += sa) {                                           \
                x = vload(a);                                                                      \
                s = expr;                                                                          \
            }                                                                                      \
            x = total;                                                                             \
            total = expr;                                                                          \
        }                                                                                          \
        vstore(y, total);                                                                          \
    }                                                                                              \
    static void reduce_uniform_##name(size_t n, const real *a, long sa, long sy, real *y)          \
    {                                                                                              \
        for (size_t i_ = 0; i_ < n; i_++) {                                                        \
            const vec s = splat(y[(long)i_ * sy]), x = splat(a[(long)i_ * sa]);                    \
            y[(long)i_ * sy] = (expr)[0];                                                          \
        }                                                                                          \
    }
REDUCE_LOOP(add, 0.0, s + x)
REDUCE_LOOP(mul, 1.0, s *x)
REDUCE_LOOP(max, -INFINITY, vmax(s, x))
REDUCE_LOOP(min, INFINITY, vmin(s, x))

typedef void (*reduce_loop)(size_t n, const real *a, long sa, real *y);
typedef void (*reduce_uniform_loop)(size_t n, const real *a, long sa, long sy, real *y);

static void reduce(enum tw_binary f, const struct tw_loop *l, const void *va, size_t lanes,
                   void *vy)
{
    const struct nest t = nest_make(l, (size_t[]){ lanes, 0, 0, lanes });
    const reduce_loop loop = f == TW_B_ADD   ? reduce_add
                             : f == TW_B_MUL ? reduce_mul
                             : f == TW_B_MAX ? reduce_max
                                             : reduce_min;
    const reduce_uniform_loop uniform = f == TW_B_ADD   ? reduce_uniform_add
                                        : f == TW_B_MUL ? reduce_uniform_mul
                                        : f == TW_B_MAX ? reduce_uniform_max
                                                        : reduce_uniform_min;
    const int in = t.nd - 1;
    const long sa = t.s[0][in], sy = t.s[3][in];
    size_t i[TW_LOOP_MAX] = { 0 };
    long at[OPERANDS] = { 0 };
    const real *a = va;
    real *y = vy;

    if (nest_empty(&t))
        return;
    do {
        if (lanes == 1)
            uniform(t.n[in], a + at[0], sa, sy, y + at[3]);
        else if (sy == 0)
            for (size_t s = 0; s < lanes; s += W)
                loop(t.n[in], a + at[0] + s, sa, y + at[3] + s);
        else
            for (long j = 0; j < (long)t.n[in]; j++)
                for (size_t s = 0; s < lanes; s += W)
                    loop(1, a + at[0] + j * sa + (long)s, sa, y + at[3] + j * sy + (long)s);
    } while (nest_next(&t, i, at));
}

/* The sum over n elements of one vector of lanes, and over these lanes, of a (times b). */
static double sum_lanes(size_t n, const real *a, long sa, const real *b, long sb, bool spread)
{
    double total = 0.0;

    for (size_t at = 0; at < n; at += RUN) {
        const size_t m = n - at < RUN ? n - at : RUN;
        vec s = K(0.0);

        for (size_t i = 0; i < m; i++, a += sa) {
            vec x = vload(a);

            if (b) {
                x *= spread ? splat(*b) : vload(b);
                b += sb;
            }
            s += x;
        }
        total += vsum(s);
    }
    return total;
}

static void reduce_lanes(const struct tw_loop *l, const void *va, size_t blanes, const void *vb,
                         size_t lanes, double *y)
{
    const struct nest t = nest_make(l, (size_t[]){ lanes, vb ? blanes : 0, 0, 1 });
    const int in = t.nd - 1;
    const long sa = t.s[0][in], sb = t.s[1][in], sy = t.s[3][in];
    const bool spread = vb && blanes == 1;
    size_t i[TW_LOOP_MAX] = { 0 };
    long at[OPERANDS] = { 0 };
    const size_t calls = sy ? t.n[in] : 1, each = sy ? 1 : t.n[in];

    if (nest_empty(&t))
        return;
    do {
        for (long j = 0; j < (long)calls; j++)
            for (size_t s = 0; s < lanes; s += W) {
                const real *a = (const real *)va + at[0] + j * sa + (long)s;
                const real *b = vb ? (const real *)vb + at[1] + j * sb : NULL;

                y[at[3] + j * sy] += sum_lanes(each, a, sa, b && !spread ? b + s : b, sb, spread);
            }
    } while (nest_next(&t, i, at));
}

/* The sum over i of f(x[i]) for one vector of lanes. */
#define RUN_SUM(total, n, expr)                                                                    \
    for (size_t at_ = 0; at_ < (n); at_ += RUN) {                                                  \
        const size_t end_ = (n)-at_ < RUN ? (n) : at_ + RUN;                                       \
        vec part_ = K(0.0);                                                                        \
        for (size_t i = at_; i < end_; i++)                                                        \
            part_ += (expr);                                                                       \
        (total) += part_;                                                                          \
    }

/* One vector of lanes of one row; stride in reals. In place if y is x. */
static inline void softmax_row(bool log, size_t n, long s, const real *x, real *y)
{
    vec most[4], top, sum = K(0.0);

    /* Four at a time, so that one comparison need not wait for another. */
    for (int j = 0; j < 4; j++)
        most[j] = K(-INFINITY);
    for (size_t i = 0; i < n; i += 4)
        for (size_t j = 0; j < 4; j++) {
            const vec v = vload(x + (long)(i + j < n ? i + j : i) * s);

            most[j] = vsel(v > most[j], v, most[j]);
        }
    most[0] = vsel(most[1] > most[0], most[1], most[0]);
    most[2] = vsel(most[3] > most[2], most[3], most[2]);
    top = vsel(most[2] > most[0], most[2], most[0]);
    if (log) {
        RUN_SUM(sum, n, vexp(vload(x + (long)i * s) - top))
        sum = vlog(sum);
        for (size_t i = 0; i < n; i++)
            vstore(y + (long)i * s, (vload(x + (long)i * s) - top) - sum);
        return;
    }
    for (size_t at = 0; at < n; at += RUN) {
        const size_t end = n - at < RUN ? n : at + RUN;
        vec part = K(0.0);

        for (size_t i = at; i < end; i++) {
            const vec e = vexp(vload(x + (long)i * s) - top);

            vstore(y + (long)i * s, e);
            part += e;
        }
        sum += part;
    }
    sum = K(1.0) / sum;
    for (size_t i = 0; i < n; i++)
        vstore(y + (long)i * s, vload(y + (long)i * s) * sum);
}

static void softmax(bool log, size_t outer, long outer_stride, size_t n, long s, size_t inner,
                    size_t lanes, const void *vx, void *vy)
{
    for (size_t o = 0; o < outer; o++)
        for (size_t i = 0; i < inner; i++) {
            const long at = ((long)o * outer_stride + (long)i) * (long)lanes;

            for (long v = 0; v < (long)lanes; v += W)
                softmax_row(log, n, s * (long)lanes, (const real *)vx + at + v,
                            (real *)vy + at + v);
        }
}

static void normalize_row(bool rms, size_t n, long s, double eps, const real *scale,
                          const real *shift, const real *x, real *y, vec stats[2])
{
    const vec per = K(1.0 / (double)n);
    vec mean = K(0.0), var = K(0.0), rstd;

    if (!rms) {
        RUN_SUM(mean, n, vload(x + (long)i * s))
        mean *= per;
    }
    RUN_SUM(var, n, (vload(x + (long)i * s) - mean) * (vload(x + (long)i * s) - mean))
    rstd = K(1.0) / vsqrt(var * per + K(eps));
    for (size_t i = 0; i < n; i++) {
        vec v = (vload(x + (long)i * s) - mean) * rstd;

        if (scale)
            v *= splat(scale[i]);
        if (shift)
            v += splat(shift[i]);
        vstore(y + (long)i * s, v);
    }
    stats[0] = mean;
    stats[1] = rstd;
}

static void normalize(bool rms, size_t rows, long row, size_t n, long s, double eps,
                      const void *scale, const void *shift, size_t lanes, const void *vx, void *vy,
                      void *stats)
{
    const long step = (long)lanes;

    for (size_t r = 0; r < rows; r++)
        for (long v = 0; v < step; v += W) {
            const long at = (long)r * row * step + v;
            real *kept = stats ? (real *)stats + 2 * (long)r * step + v : NULL;
            vec st[2];

            normalize_row(rms, n, s * step, eps, scale, shift, (const real *)vx + at,
                          (real *)vy + at, st);
            if (kept) {
                vstore(kept, st[0]);
                vstore(kept + step, st[1]);
            }
        }
}

static void argmax_row(bool min, bool last, size_t n, size_t s, const real *x, real *y)
{
    vec best = min ? -vload(x) : vload(x), place = K(0.0);

    for (size_t i = 1; i < n; i++) {
        const vec v = min ? -vload(x + i * s) : vload(x + i * s);
        const ivec wins = last ? v >= best : v > best;

        best = vsel(wins, v, best);
        place = vsel(wins, splat((real)i), place);
    }
    vstore(y, place);
}

static void argmax(bool min, bool last, size_t outer, size_t n, size_t inner, size_t lanes,
                   const void *vx, void *vy)
{
    const size_t s = inner * lanes;
    const real *x = vx;
    real *y = vy;

    for (size_t o = 0; o < outer; o++, x += n * s, y += s) {
        size_t i = 0;

        for (; i + W <= s; i += W)
            argmax_row(min, last, n, s, x + i, y + i);
        for (; i < s; i++) { /* uniform values: fewer than a vector */
            size_t best = 0;

            for (size_t j = 1; j < n; j++) {
                const real v = x[j * s + i], b = x[best * s + i];

                if (min ? (last ? v <= b : v < b) : (last ? v >= b : v > b))
                    best = j;
            }
            y[i] = (real)best;
        }
    }
}

#endif
