/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The multi-power law at a schedule's last step t: Luo et al. 2025, arXiv:2503.12811,
 *
 *     L(t) = L0 + A S_1(t)^-alpha - B sum_{k<=t} (eta_{k-1} - eta_k) G(eta_k^-gamma S_k(t))
 *     S_k(t) = sum_{k<=i<=t} eta_i,   G(x) = 1 - (1 + C x)^-beta
 *
 * and its derivative by every rate. S_k for all k is one running sum from the end, and a rate
 * eta_i enters the terms k <= i through S_k: all of them less the running sum of those after.
 */
#include <math.h>

#include "final.h"

enum { L0, A, ALPHA, B, C, BETA, GAMMA };

/* G, and G'(x) x into *slope, at x = eta^-gamma S. A rate of zero is followed by zeros only, so
 * its term is the limit for small rates of one size, which is G(0). */
static double gain(const double *theta, double eta, double sum, double *slope)
{
    const double cx = eta > 0.0 ? theta[C] * pow(eta, -theta[GAMMA]) * sum : 0.0;
    const double log_g = -theta[BETA] * log1p(cx);

    *slope = theta[BETA] * exp(log_g) * cx / (1.0 + cx);
    return -expm1(log_g);
}

double tw_law_mpl_final(const double *theta, const struct tw_law_stairs *s, enum tw_warmup warmup,
                        double *grad)
{
    const size_t from = warmup == TW_WARMUP_SKIP ? s->warm_end + 1 : 1;
    double sum = 0.0, fall = 0.0, next = 0.0, after = 0.0, power;

    for (size_t j = s->n; j-- > 0;) { /* `after`: of dL/dS_k over k > j */
        const double eta = s->lr[j], len = s->len ? (double)s->len[j] : 1.0;
        double g = 0.0, slope = 0.0;

        sum += len * eta;
        if (j >= from) {
            const double d = s->lr[j - 1] - eta;

            g = gain(theta, eta, sum, &slope);
            fall += d * g;
            slope *= d;
        }
        if (grad)
            grad[j] = next - g - len * after - (eta > 0.0 ? theta[GAMMA] * slope / eta : 0.0);
        if (sum > 0.0)
            after += slope / sum;
        next = g;
    }
    power = pow(sum, -theta[ALPHA]);
    for (size_t j = 0; grad && j < s->n; j++) {
        const double len = s->len ? (double)s->len[j] : 1.0;

        grad[j] = -theta[B] * (grad[j] + len * after) - theta[A] * theta[ALPHA] * power / sum * len;
    }
    return theta[L0] + theta[A] * power - theta[B] * fall;
}
