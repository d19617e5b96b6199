/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The annealing law (annealing.c) at a schedule's last step. S1 and S2 are linear in the rates
 * and S1^-alpha is convex in S1, so the loss is convex in the rates.
 */
#include <math.h>

#include "final.h"

enum { L0, A, ALPHA, C, LAMBDA };

/* lambda^0 + ... + lambda^(n-1): what a fall of the rate adds to S2 in n steps. */
static double weight(double lambda, double n)
{
    return -expm1(n * log1p(-(1.0 - lambda))) / (1.0 - lambda);
}

double tw_law_annealing_final(const double *theta, const struct tw_law_stairs *s,
                              enum tw_warmup warmup, double *grad)
{
    const size_t from = warmup == TW_WARMUP_SKIP ? s->warm_end + 1 : 1;
    double left = 0.0, s1 = 0.0, s2 = 0.0, sum = 0.0, later = 0.0, power;

    for (size_t j = s->n; j-- > 0;) { /* `later`: what the fall to the next stretch weighs */
        const double len = s->len ? (double)s->len[j] : 1.0;
        double w = 0.0;

        left += len;
        s1 += len * s->lr[j];
        sum = len > 1.0 ? weight(theta[LAMBDA], left) : 1.0 + theta[LAMBDA] * sum;
        if (j >= from) {
            w = sum;
            s2 += w * (s->lr[j - 1] - s->lr[j]);
        }
        if (grad)
            grad[j] = -theta[C] * (later - w);
        later = w;
    }
    power = pow(s1, -theta[ALPHA]);
    for (size_t j = 0; grad && j < s->n; j++)
        grad[j] -= theta[A] * theta[ALPHA] * power / s1 * (s->len ? (double)s->len[j] : 1.0);
    return theta[L0] + theta[A] * power - theta[C] * s2;
}
