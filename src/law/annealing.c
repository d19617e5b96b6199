/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The scaling law with learning-rate annealing: Tissue, Wang, Wang 2024, arXiv:2408.11029,
 * equation (1):
 *
 *     L(s) = L0 + A S1(s)^-alpha - C S2(s)
 *     S1(s) = sum_{i<=s} eta_i
 *     S2(s) = sum_{i<=s} m_i,   m_i = lambda m_{i-1} + (eta_{i-1} - eta_i),   m_0 = 0
 *
 * Both sums need the rate eta of every step. lambda is fitted: the memory of annealing,
 * 1 / (1 - lambda) steps long.
 */
#include <math.h>
#include <stdlib.h>

#include "annealing_area.h"
#include "final.h"
#include "law_parts.h"

enum { L0, A, ALPHA, C, LAMBDA, NPARAMS };

static const struct tw_fit_param params[NPARAMS] = {
    [L0] = { "L0", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [A] = { "A", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-3, 1e2 },
    [C] = { "C", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [LAMBDA] = { "lambda", TW_FIT_BELOW_ONE, 1e-6, 1.0 - 1e-6 },
};
static const char *const meanings[NPARAMS] = {
    [L0] = "irreducible loss (nats, or the log's unit)",
    [A] = "size of the power-law part (loss x rate-sum^alpha)",
    [ALPHA] = "exponent of the sum of learning rates",
    [C] = "gain per unit of annealing area (loss / rate)",
    [LAMBDA] = "memory of annealing: it lasts 1/(1-lambda) steps",
};

static void *model_alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    return tw_area_alloc(curves, n, warmup, err);
}

/* ---- prediction ----------------------------------------------------------------------------- */

static void predict(const void *model, void *memory, const double *theta, double *y, double *jac)
{
    const struct tw_area *m = model;
    struct tw_area_memo *memo = memory;

    tw_area_recall(m, memo, theta[LAMBDA]);
    for (size_t k = 0; k < m->n; k++) {
        const double log_s1 = m->log_s1[k];
        const double power = exp(-theta[ALPHA] * log_s1);

        y[k] = theta[L0] + theta[A] * power - theta[C] * memo->s2[k];
        if (jac) {
            double *row = jac + k * NPARAMS;

            row[L0] = 1.0;
            row[A] = power;
            row[ALPHA] = -theta[A] * power * log_s1;
            row[C] = -memo->s2[k];
            row[LAMBDA] = -theta[C] * memo->ds2[k];
        }
    }
}

/* The model skips the warm-up, so that S2 counts falls of the rate alone. */
static void annealed(const void *model, void *memory, const double *theta, double *part)
{
    const struct tw_area *m = model;
    struct tw_area_memo *memo = memory;

    tw_area_recall(m, memo, theta[LAMBDA]);
    for (size_t k = 0; k < m->n; k++)
        part[k] = fmax(0.0, theta[C] * memo->s2[k]);
}

/* ---- starts -----------------------------------------------------------------------------------
 */

/* For given alpha and lambda the law is linear in (L0, A, C): weighted least squares on the
 * relative error, C and L0 kept positive. The grid covers exponents and memories of every
 * published fit; for each memory the best exponent is a start. */
static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double alphas[] = { 0.15, 0.3, 0.45, 0.6, 0.8, 1.1, 1.5 };
    enum { NALPHA = sizeof alphas / sizeof alphas[0], NLAMBDA = 16 };
    const struct tw_area *m = model;
    struct tw_area_memo *memo = tw_area_memo_alloc(m);
    double *power = tw_alloc(m->n, sizeof *power);
    struct tw_law_start found[NLAMBDA];
    const bool ready = memo && power;
    size_t n = 0;

    for (size_t l = 0; ready && l < NLAMBDA; l++) {
        const double lambda = 1.0 - pow(10.0, -0.5 - 4.0 * (double)l / (NLAMBDA - 1));
        struct tw_law_start best = { .objective = INFINITY };

        tw_area_recall(m, memo, lambda);
        for (size_t a = 0; a < NALPHA; a++) {
            struct tw_law_start s;

            for (size_t k = 0; k < m->n; k++)
                power[k] = exp(-alphas[a] * m->log_s1[k]);
            if (!tw_law_linear_start(power, memo->s2, y, m->n, &s) || s.objective >= best.objective)
                continue;
            best = s;
            best.theta[ALPHA] = alphas[a];
            best.theta[LAMBDA] = lambda;
        }
        if (isfinite(best.objective))
            found[n++] = best;
    }
    free(power);
    tw_area_memo_free(memo);
    return ready ? tw_law_best_starts(found, n, NPARAMS, theta, max) : SIZE_MAX;
}

static const char *unidentified(const void *model)
{
    const struct tw_area *m = model;

    return m->falls
               ? NULL
               : "no curve's learning rate changes: C and lambda cannot be told from these data, "
                 "and a forecast of a schedule that anneals would be a guess; add a curve that "
                 "decays";
}

const struct tw_law tw_law_annealing = {
    .name = "annealing",
    .title = "scaling law with learning-rate annealing",
    .formula = "L(s) = L0 + A S1^-alpha - C S2",
    .source = "Tissue, Wang, Wang 2024, arXiv:2408.11029, eq. (1)",
    .about = "S1 is the sum of the learning rates up to step s. S2 sums a momentum m_i = lambda "
             "m_{i-1} + (eta_{i-1} - eta_i) of the falls of the rate: the area under annealing, "
             "with a memory of 1/(1-lambda) steps. Fitted on one or two schedules it forecasts "
             "others. lambda is fitted and profiled. Known limits: steps at rate zero appended to "
             "a schedule lower the predicted loss, and scaling a whole schedule up always lowers "
             "it; so compare schedules of equal length and peak.",
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .model_alloc = model_alloc,
    .model_free = tw_area_free,
    .memo_alloc = tw_area_memo_alloc,
    .memo_free = tw_area_memo_free,
    .predict = predict,
    .annealed = annealed,
    .profile = 1u << ALPHA | 1u << LAMBDA,
    .starts = starts,
    .unidentified = unidentified,
    .final = tw_law_annealing_final,
    .final_convex = true,
};
