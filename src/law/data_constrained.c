/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The law for repeated data, Muennighoff et al. 2023, arXiv:2305.16264, as the README of their
 * repository (huggingface/datablations, "Parametric Fit") writes and computes it:
 *
 *     L = E + A / N'^alpha + B / D'^beta
 *     D' = UD (1 + RDstar (1 - exp(-RD / RDstar))),   RD = D / UD - 1
 *     N' = UN (1 + RNstar (1 - exp(-RN / RNstar))),   RN = N / UN - 1
 *     UN = min(N, G (G UD)^(beta / alpha)),   G = (alpha A / (beta B))^(1 / (alpha + beta))
 *
 * UD is the number of unique tokens, and D where a run uses fewer. UN is the size that UD tokens
 * are compute-optimal for. The tests check its two printed losses; they are computed with alpha
 * = beta, which is not imposed here.
 */
#include <math.h>

#include "run_table.h"

enum { E, A, ALPHA, B, BETA, RDSTAR, RNSTAR, NPARAMS };
enum { N, D, U, NINPUTS };

static const struct tw_fit_param params[NPARAMS] = {
    [E] = { "E", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [A] = { "A", TW_FIT_POSITIVE, 1e-6, 1e30 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-3, 1e1 },
    [B] = { "B", TW_FIT_POSITIVE, 1e-6, 1e30 },
    [BETA] = { "beta", TW_FIT_POSITIVE, 1e-3, 1e1 },
    [RDSTAR] = { "RDstar", TW_FIT_POSITIVE, 1e-2, 1e4 },
    [RNSTAR] = { "RNstar", TW_FIT_POSITIVE, 1e-2, 1e4 },
};
static const char *const meanings[NPARAMS] = {
    [E] = "irreducible loss",
    [A] = "size of the parameters' part (loss x N^alpha)",
    [ALPHA] = "exponent of parameters",
    [B] = "size of the tokens' part (loss x D^beta)",
    [BETA] = "exponent of tokens",
    [RDSTAR] = "repetitions after which more are worth little",
    [RNSTAR] = "excess of parameters after which more is worth little",
};
static const struct tw_law_input inputs[NINPUTS] = {
    [N] = { "N", "parameters", "params parameters n_params num_params model_size" },
    [D] = { "D", "training tokens", "tokens n_tokens num_tokens train_tokens data" },
    [U] = { "U", "unique tokens", "unique unique_tokens UD U_D" },
};

static void *model_alloc(const struct tw_law_curve *runs, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    (void)warmup;
    return tw_run_table_alloc(inputs, NINPUTS, runs, n, err);
}

/* log of U (1 + R* (1 - exp(-R / R*))) for R = X / U - 1 >= 0, with its derivatives. */
static double effective(double log_x, double log_u, double star, double *by_u, double *by_star)
{
    const double r = fmax(expm1(log_x - log_u), 0.0), gone = -expm1(-r / star);
    const double whole = 1.0 + star * gone;

    *by_u = 1.0 - (1.0 - gone) * (1.0 + r) / whole;
    *by_star = (gone - (1.0 - gone) * r / star) / whole;
    return log_u + log(whole);
}

/* log G; not finite before A and B are known. */
static double log_g(const double *theta)
{
    return log(theta[ALPHA] * theta[A] / (theta[BETA] * theta[B])) / (theta[ALPHA] + theta[BETA]);
}

static double unique_size(const double *theta, double g, double log_u, double log_n)
{
    const double most = g + theta[BETA] / theta[ALPHA] * (g + log_u);

    return isfinite(most) ? fmin(most, log_n) : log_n;
}

/* A row but for what UN held fixed gives to alpha and beta, which is there already; `bound`: UN
 * is below N, so that N' depends on A, alpha, B and beta. */
static void derivatives(const double *theta, double g, double log_u, bool bound, double size,
                        double tokens, const double *by, double *row)
{
    const double sum = theta[ALPHA] + theta[BETA], ratio = theta[BETA] / theta[ALPHA];
    const double pull = bound ? -theta[ALPHA] * theta[A] * size * by[0] : 0.0; /* dy / dlog UN */
    const double by_g = pull * (1.0 + ratio), by_ratio = pull * (g + log_u);

    row[E] = 1.0;
    row[A] = size + by_g / (theta[A] * sum);
    row[B] = tokens - by_g / (theta[B] * sum);
    row[ALPHA] += by_g * (1.0 / (theta[ALPHA] * sum) - g / sum) - by_ratio * ratio / theta[ALPHA];
    row[BETA] += by_g * (-1.0 / (theta[BETA] * sum) - g / sum) + by_ratio / theta[ALPHA];
    row[RNSTAR] = -theta[ALPHA] * theta[A] * size * by[1];
    row[RDSTAR] = -theta[BETA] * theta[B] * tokens * by[3];
}

static void predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;
    const double g = log_g(theta);

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double log_u = fmin(m->log[U][i], m->log[D][i]), log_n = m->log[N][i];
        const double unique = unique_size(theta, g, log_u, log_n);
        double by[4];
        const double n = effective(log_n, unique, theta[RNSTAR], &by[0], &by[1]);
        const double d = effective(m->log[D][i], log_u, theta[RDSTAR], &by[2], &by[3]);
        const double size = exp(-theta[ALPHA] * n), tokens = exp(-theta[BETA] * d);

        y[i] = theta[E] + theta[A] * size + theta[B] * tokens;
        if (jac) {
            double *row = jac + i * NPARAMS;

            row[ALPHA] = -theta[A] * size * n;
            row[BETA] = -theta[B] * tokens * d;
            derivatives(theta, g, log_u, unique < log_n, size, tokens, by, row);
        }
    }
}

/* Linear in E, A, B but for UN, which follows A and B one step behind. */
static void columns(const struct tw_run_table *m, const double *theta, double *const *column)
{
    const double g = log_g(theta);

    for (size_t i = 0; i < m->n; i++) {
        const double log_u = fmin(m->log[U][i], m->log[D][i]);
        const double unique = unique_size(theta, g, log_u, m->log[N][i]);
        double by[2];

        column[0][i] = 1.0;
        column[1][i] =
            exp(-theta[ALPHA] * effective(m->log[N][i], unique, theta[RNSTAR], &by[0], &by[1]));
        column[2][i] =
            exp(-theta[BETA] * effective(m->log[D][i], log_u, theta[RDSTAR], &by[0], &by[1]));
    }
}
static const struct tw_law_linear linear = {
    .k = 3,
    .param = { E, A, B },
    .nshape = 4,
    .shape = { ALPHA, BETA, RDSTAR, RNSTAR },
    .relative = true,
    .columns = columns,
};

static bool project(const void *model, const double *y, double *theta)
{
    return tw_law_linear_project(&linear, model, y, NPARAMS, theta);
}

static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double exponent[] = { 0.15, 0.25, 0.35, 0.5, 0.8 }, star[] = { 2.0, 8.0, 30.0 };
    static const struct tw_law_axis axis[] = {
        { ALPHA, 5, exponent }, { BETA, 5, exponent }, { RDSTAR, 3, star }, { RNSTAR, 3, star }
    };
    const size_t n = tw_law_linear_starts(&linear, axis, 4, NPARAMS, model, y, theta, max);

    for (size_t i = 0; n != SIZE_MAX && i < n; i++) /* now that UN is known */
        if (!project(model, y, theta + i * NPARAMS))
            return SIZE_MAX;
    return n;
}

static const char *unidentified(const void *model)
{
    const struct tw_run_table *m = model;
    bool repeats = false;

    for (size_t i = 0; i < m->n; i++)
        repeats = repeats || m->value[D][i] > 1.01 * m->value[U][i];
    if (tw_run_table_constant(m, N))
        return "all runs have one N: A and alpha cannot be told from E; add runs of other sizes";
    if (tw_run_table_constant(m, D))
        return "all runs have one D: B and beta cannot be told from E; add runs of other lengths";
    return repeats
               ? NULL
               : "no run repeats its data (D > U): RDstar cannot be told; fit chinchilla, or add "
                 "runs that do";
}

const struct tw_law tw_law_data_constrained = {
    .name = "data-constrained",
    .title = "scaling law for repeated data",
    .formula = "L(N, D, U) = E + A N'^-alpha + B D'^-beta",
    .source = "Muennighoff et al. 2023, arXiv:2305.16264; the authors' README",
    .about = "U of the D tokens are unique. D' = U (1 + RDstar (1 - exp(-(D/U - 1)/RDstar))) is "
             "what they are worth, and N' the same for parameters beyond those that U tokens are "
             "compute-optimal for. The paper fits chinchilla to runs that repeat nothing, with "
             "alpha = beta, and then RDstar and RNstar alone: do so with --fix=E=... and so on, "
             "since all seven together are rarely determined. A column of training tokens in "
             "place of unique ones makes every run look as if it repeated nothing.",
    .ninputs = NINPUTS,
    .inputs = inputs,
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .floor = 1u << E,
    .profile = 1u << RDSTAR | 1u << RNSTAR,
    .model_alloc = model_alloc,
    .model_free = tw_run_table_free,
    .memo_alloc = tw_run_memo_alloc,
    .memo_free = tw_run_memo_free,
    .predict = predict,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};
