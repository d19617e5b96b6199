/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The scaling law in parameters and tokens, "approach 3": Hoffmann et al. 2022,
 * arXiv:2203.15556, eq. (2), fitted by a Huber loss on log loss, eq. (3):
 *
 *     L(N, D) = E + A N^-alpha + B D^-beta
 */
#include <math.h>

#include "run_table.h"

enum { E, A, ALPHA, B, BETA, NPARAMS };
enum { N, D, NINPUTS };

static const struct tw_fit_param params[NPARAMS] = {
    [E] = { "E", TW_FIT_POSITIVE, 1e-6, 1e6 },         [A] = { "A", TW_FIT_POSITIVE, 1e-6, 1e30 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-3, 1e1 }, [B] = { "B", TW_FIT_POSITIVE, 1e-6, 1e30 },
    [BETA] = { "beta", TW_FIT_POSITIVE, 1e-3, 1e1 },
};
static const char *const meanings[NPARAMS] = {
    [E] = "irreducible loss",           [A] = "size of the parameters' part (loss x N^alpha)",
    [ALPHA] = "exponent of parameters", [B] = "size of the tokens' part (loss x D^beta)",
    [BETA] = "exponent of tokens",
};
static const struct tw_law_input inputs[NINPUTS] = {
    [N] = { "N", "parameters", "params parameters n_params num_params model_size" },
    [D] = { "D", "training tokens", "tokens n_tokens num_tokens train_tokens data" },
};

static void *model_alloc(const struct tw_law_curve *runs, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    (void)warmup;
    return tw_run_table_alloc(inputs, NINPUTS, runs, n, err);
}

static void predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double size = exp(-theta[ALPHA] * m->log[N][i]);
        const double tokens = exp(-theta[BETA] * m->log[D][i]);

        y[i] = theta[E] + theta[A] * size + theta[B] * tokens;
        if (jac) {
            double *row = jac + i * NPARAMS;

            row[E] = 1.0;
            row[A] = size;
            row[ALPHA] = -theta[A] * size * m->log[N][i];
            row[B] = tokens;
            row[BETA] = -theta[B] * tokens * m->log[D][i];
        }
    }
}

/* For given exponents the law is linear in (E, A, B). */
static void columns(const struct tw_run_table *m, const double *theta, double *const *column)
{
    for (size_t i = 0; i < m->n; i++) {
        column[0][i] = 1.0;
        column[1][i] = exp(-theta[ALPHA] * m->log[N][i]);
        column[2][i] = exp(-theta[BETA] * m->log[D][i]);
    }
}
static const struct tw_law_linear linear = {
    .k = 3,
    .param = { E, A, B },
    .nshape = 2,
    .shape = { ALPHA, BETA },
    .relative = true,
    .columns = columns,
};

/* A grid over the exponents that Hoffmann's grid spans. */
static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double exponent[] = { 0.1, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0, 1.5 };
    enum { K = sizeof exponent / sizeof exponent[0] };
    static const struct tw_law_axis axis[] = { { ALPHA, K, exponent }, { BETA, K, exponent } };

    return tw_law_linear_starts(&linear, axis, 2, NPARAMS, model, y, theta, max);
}

static bool project(const void *model, const double *y, double *theta)
{
    return tw_law_linear_project(&linear, model, y, NPARAMS, theta);
}

/* Least loss for C = 6 N D: Hoffmann et al. 2022, eq. (4). */
static void optimum(const double *theta, double flops, double *input)
{
    const double sum = theta[ALPHA] + theta[BETA];
    const double g = pow(theta[ALPHA] * theta[A] / (theta[BETA] * theta[B]), 1.0 / sum);

    input[N] = g * pow(flops / 6.0, theta[BETA] / sum);
    input[D] = flops / 6.0 / input[N];
}

/* eq. (2) solved for D. */
static double tokens(const double *theta, double size, double loss)
{
    const double left = loss - theta[E] - theta[A] * pow(size, -theta[ALPHA]);

    return left > 0.0 ? pow(theta[B] / left, 1.0 / theta[BETA]) : (double)INFINITY;
}

/* Along eq. (4) both terms fall as C^-gamma, gamma = alpha beta / (alpha + beta). */
static double compute(const double *theta, double loss)
{
    const double gamma = theta[ALPHA] * theta[BETA] / (theta[ALPHA] + theta[BETA]);
    const double left = loss - theta[E];
    double input[NINPUTS];

    optimum(theta, 6.0, input);
    return left > 0.0 ? 6.0 * pow((theta[A] * pow(input[N], -theta[ALPHA]) +
                                   theta[B] * pow(input[D], -theta[BETA])) /
                                      left,
                                  1.0 / gamma)
                      : (double)INFINITY;
}

static const char *unidentified(const void *model)
{
    if (tw_run_table_constant(model, N))
        return "all runs have one N: A and alpha cannot be told from E; add runs of other sizes";
    if (tw_run_table_constant(model, D))
        return "all runs have one D: B and beta cannot be told from E; add runs of other lengths";
    return NULL;
}

const struct tw_law tw_law_chinchilla = {
    .name = "chinchilla",
    .title = "scaling law in parameters and tokens (approach 3)",
    .formula = "L(N, D) = E + A N^-alpha + B D^-beta",
    .source = "Hoffmann et al. 2022, arXiv:2203.15556, eq. (2) and (3)",
    .about = "E is the irreducible loss; the other terms say what finite parameters N and finite "
             "tokens D cost. Fitted on final losses of runs of several sizes and lengths, by a "
             "Huber loss on log loss. Published fits of the paper's own data differ by more than "
             "their intervals because optimisers stopped early (Besiroglu et al. 2024, "
             "arXiv:2404.10102): look at how many starts agree.",
    .ninputs = NINPUTS,
    .inputs = inputs,
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .floor = 1u << E,
    .profile = 1u << E | 1u << ALPHA | 1u << BETA,
    .model_alloc = model_alloc,
    .model_free = tw_run_table_free,
    .memo_alloc = tw_run_memo_alloc,
    .memo_free = tw_run_memo_free,
    .predict = predict,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
    .optimum = optimum,
    .tokens = tokens,
    .compute = compute,
};
