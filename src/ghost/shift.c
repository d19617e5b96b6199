/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One sample on the real line: loss, divergences, the pair of label and rival. */
#include <math.h>

#include "thalweg/ghost.h"

#define PI 3.14159265358979323846

struct tw_ghost_top2 tw_ghost_top2(size_t classes, const double *logits, const double *slopes,
                                   size_t label, double temperature)
{
    struct tw_ghost_top2 p = { .rival = label == 0 ? 1 : 0 };

    for (size_t k = p.rival + 1; k < classes; k++)
        if (k != label && logits[k] > logits[p.rival])
            p.rival = k;
    p.margin = (logits[label] - logits[p.rival]) / temperature;
    p.slope_gap = (slopes[label] - slopes[p.rival]) / temperature;
    p.re = -p.margin / p.slope_gap;
    p.im = PI / fabs(p.slope_gap);
    p.rho = p.slope_gap != 0.0 ? hypot(p.re, p.im) : HUGE_VAL;
    return p;
}

/* log sum_k exp((z_k + a_k t) / T) over its largest exponent, which is *top. */
static double log_sum(size_t n, const double *z, const double *a, double temperature, double t,
                      double *top)
{
    double sum = 0.0;

    *top = -HUGE_VAL;
    for (size_t k = 0; k < n; k++)
        *top = fmax(*top, (z[k] + a[k] * t) / temperature);
    for (size_t k = 0; k < n; k++)
        sum += exp((z[k] + a[k] * t) / temperature - *top);
    return log(fmax(sum, 1.0)); /* one of them is exp(0) */
}

/* log sum_k p_k exp(d_k) where p are the probabilities at `from` and d_k = (a_k - mean) (to -
 * from) / T has mean 0: the divergence KL(p(from) | p(to)), without a difference of large numbers.
 */
static double divergence(size_t n, const double *z, const double *a, double temperature,
                         double from, double to)
{
    double top, mean = 0.0, most = 0.0, sum = 0.0;
    const double log_all = log_sum(n, z, a, temperature, from, &top);

    for (size_t k = 0; k < n; k++)
        mean += exp((z[k] + a[k] * from) / temperature - top - log_all) * (a[k] - a[0]);
    for (size_t k = 0; k < n; k++)
        most = fmax(most, (a[k] - a[0] - mean) * (to - from) / temperature);
    for (size_t k = 0; k < n; k++) {
        const double e = (z[k] + a[k] * from) / temperature - top - log_all;
        const double d = (a[k] - a[0] - mean) * (to - from) / temperature;

        sum += most < 30.0 ? exp(e) * (expm1(d) - d) : exp(e + d - most);
    }
    return most < 30.0 ? log1p(sum) : most + log(sum);
}

static double first_flip(size_t n, const double *z, const double *a)
{
    size_t top = 0;
    double t = HUGE_VAL;

    for (size_t k = 1; k < n; k++)
        top = z[k] > z[top] ? k : top;
    for (size_t k = 0; k < n; k++)
        if (a[k] > a[top])
            t = fmin(t, (z[top] - z[k]) / (a[k] - a[top]));
    return t;
}

struct tw_ghost_shift tw_ghost_shift(size_t classes, const double *logits, const double *slopes,
                                     size_t label, double temperature, double t)
{
    struct tw_ghost_shift s = { .flip = first_flip(classes, logits, slopes) };
    double top, lo = HUGE_VAL, hi = -HUGE_VAL, x;

    for (size_t k = 0; k < classes; k++) {
        lo = fmin(lo, slopes[k]);
        hi = fmax(hi, slopes[k]);
    }
    x = log_sum(classes, logits, slopes, temperature, 0.0, &top);
    s.loss0 = x + (top - logits[label] / temperature);
    x = log_sum(classes, logits, slopes, temperature, t, &top);
    s.loss = x + (top - (logits[label] + slopes[label] * t) / temperature);
    s.kl_new_old = divergence(classes, logits, slopes, temperature, t, 0.0);
    s.kl_old_new = divergence(classes, logits, slopes, temperature, 0.0, t);
    x = fabs(t) * (hi - lo) / temperature;
    s.remainder_new_old = x * x * x / (18.0 * sqrt(3.0));
    s.remainder_old_new = 0.5 * s.remainder_new_old;
    return s;
}
