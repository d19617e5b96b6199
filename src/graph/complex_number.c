/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Functions of a complex number that operators are made of. */
#include "complex.h"

#define PI 3.14159265358979323846

struct tw_cx tw_cx_exp(struct tw_cx x)
{
    const double m = exp(x.re);

    /* exp(-inf) is 0 whatever the phase: masked scores. */
    return m == 0.0 ? cx(0.0, 0.0) : cx(m * cos(x.im), m * sin(x.im));
}

struct tw_cx tw_cx_log(struct tw_cx x)
{
    return cx(log(hypot(x.re, x.im)), atan2(x.im, x.re));
}

struct tw_cx cx_log1pexp(struct tw_cx u)
{
    const bool large = u.re > 0.0;
    const struct tw_cx e = tw_cx_exp(large ? cx(-u.re, -u.im) : u);
    const struct tw_cx l = tw_cx_log(cx(1.0 + e.re, e.im));

    return large ? cx_add(u, l) : l;
}

/* erf(x + iy) = erf x + e^(-x^2) (2 sin^2(xy) + i sin 2xy) / (2 pi x)
 *   + (2 / pi) e^(-x^2) sum_{n >= 1} e^(-n^2/4) (f_n + i g_n) / (n^2 + 4 x^2),
 *   f_n = 2x (1 - cosh ny cos 2xy) + n sinh ny sin 2xy,
 *   g_n = 2x cosh ny sin 2xy + n sinh ny cos 2xy. */
struct tw_cx tw_cx_erf(struct tw_cx z)
{
    const double x = z.re, y = z.im, s = sin(2.0 * x * y), c = cos(2.0 * x * y);
    const double e0 = exp(-x * x), half = sin(x * y);
    const int last = (int)fmin(2.0 * fabs(y) + 13.0, 200.0);
    struct tw_cx sum = cx(erf(x), 0.0);

    if (fabs(x) > 1e-8)
        sum = cx_add(sum, cx_scale(e0 / (2.0 * PI * x), cx(2.0 * half * half, s)));
    else /* the limits of both at x = 0 */
        sum = cx_add(sum, cx_scale(e0 / PI, cx(x * y * y, y)));
    for (int k = 1; k <= last; k++) {
        const double n = (double)k, base = -0.25 * n * n - x * x;
        /* The exponentials of cosh and sinh with those before the sum. */
        const double up = exp(base + n * y), down = exp(base - n * y);
        const double ch = 0.5 * (up + down);
        const double sh = fabs(n * y) < 1.0 ? exp(base) * sinh(n * y) : 0.5 * (up - down);
        const double scale = 2.0 / (PI * (n * n + 4.0 * x * x));

        sum.re += scale * (2.0 * x * (exp(base) - ch * c) + n * sh * s);
        sum.im += scale * (2.0 * x * ch * s + n * sh * c);
    }
    return sum;
}
