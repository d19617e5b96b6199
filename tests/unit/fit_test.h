/* SPDX-License-Identifier: GPL-3.0-or-later */
/* fit_test.h - small problems to minimise: polynomials through points with heavy tails. */
#ifndef TESTS_FIT_TEST_H
#define TESTS_FIT_TEST_H

#include "num.h"
#include "thalweg/fit.h"

static const struct tw_fit_param free_params[] = {
    { "a", TW_FIT_FREE, 0, 0 },
    { "b", TW_FIT_FREE, 0, 0 },
    { "c", TW_FIT_FREE, 0, 0 },
};

/* r = y - a - b x - c x^2 (as many terms as there are parameters). */
struct line {
    size_t n, p;
    const double *x, *y;
};

static inline void line_residual(void *ctx, const double *theta, double *r, double *jac)
{
    const struct line *d = ctx;

    for (size_t i = 0; i < d->n; i++) {
        double power = 1.0;

        r[i] = d->y[i];
        for (size_t j = 0; j < d->p; j++, power *= d->x[i]) {
            r[i] -= theta[j] * power;
            if (jac)
                jac[i * d->p + j] = -power;
        }
    }
}

/* y = a exp(-b x) + c, with each kind of bound in turn. */
static inline void decay_residual(void *ctx, const double *theta, double *r, double *jac)
{
    const struct line *d = ctx;

    for (size_t i = 0; i < d->n; i++) {
        const double e = exp(-theta[1] * d->x[i]);

        r[i] = d->y[i] - theta[0] * e - theta[2];
        if (jac) {
            jac[3 * i] = -e;
            jac[3 * i + 1] = theta[0] * d->x[i] * e;
            jac[3 * i + 2] = -1.0;
        }
    }
}

static inline struct tw_fit_problem problem(struct line *d, enum tw_fit_loss loss, double delta)
{
    return (struct tw_fit_problem){
        .n = d->n,
        .p = d->p,
        .params = free_params,
        .loss = loss,
        .delta = delta,
        .residual = line_residual,
        .ctx = d,
    };
}

static inline struct tw_fit_result minimised(const struct tw_fit_problem *p, double *theta,
                                             bool thorough)
{
    struct tw_fit_ws *ws = tw_fit_ws_alloc(p->n, p->p);
    struct tw_fit_result res;
    struct tw_err err = { 0 };

    assert_non_null(ws);
    if (tw_fit_minimize(ws, p, theta, thorough, &res, &err) != TW_OK)
        fail_msg("%s", err.msg);
    tw_fit_ws_free(ws);
    return res;
}

/* Points about 1.7 - 0.6 x + 0.2 x^2 with heavy tails: every fifth error is large. */
enum { N = 41 };
static double xs[N], ys[N];

static inline void draw_points(uint64_t item, double noise)
{
    struct tw_rng rng = tw_rng_stream(5, TW_RNG_TEST, item);

    for (size_t i = 0; i < N; i++) {
        xs[i] = -2.0 + 0.1 * (double)i + 0.01 * tw_rng_real(&rng);
        ys[i] = 1.7 - 0.6 * xs[i] + 0.2 * xs[i] * xs[i];
        ys[i] += noise * tw_rng_normal(&rng) * (tw_rng_below(&rng, 5) ? 1.0 : 12.0);
    }
}

#endif
