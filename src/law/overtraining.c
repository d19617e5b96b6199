/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The loss of over-trained models, Gadre et al. 2024, arXiv:2403.08540, as their code has it
 * (repository mlfoundations/scaling, scaling/laws.py, p = -2 eta):
 *
 *     L(N, M) = E + a N^(-2 eta) + b 6^-eta (M N)^(-2 eta)
 *
 * With D = M N and C = 6 N D both parts are powers of compute at a fixed M: C^-eta times
 * M^eta or M^-eta. The code's a is the paper's times 6^-eta; its b is the paper's.
 */
#include <math.h>

#include "run_table.h"

enum { E, A, B, ETA, NPARAMS };
enum { N, M, NINPUTS };

static const double log_6 = 1.791759469228055;

static const struct tw_fit_param params[NPARAMS] = {
    [E] = { "E", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [A] = { "a", TW_FIT_POSITIVE, 1e-6, 1e30 },
    [B] = { "b", TW_FIT_POSITIVE, 1e-6, 1e30 },
    [ETA] = { "eta", TW_FIT_POSITIVE, 1e-3, 1e1 },
};
static const char *const meanings[NPARAMS] = {
    [E] = "irreducible loss",
    [A] = "size of the parameters' part (loss x N^(2 eta))",
    [B] = "size of the tokens' part (loss x sqrt 6 D, to the 2 eta)",
    [ETA] = "exponent of compute; of parameters and of tokens 2 eta",
};
static const struct tw_law_input inputs[NINPUTS] = {
    [N] = { "N", "parameters", "params parameters n_params num_params model_size" },
    [M] = { "M", "tokens per parameter", "tokens_per_parameter token_multiplier multiplier" },
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
        const double log_size = -2.0 * m->log[N][i];
        const double log_tokens = -log_6 - 2.0 * (m->log[M][i] + m->log[N][i]);
        const double size = exp(theta[ETA] * log_size), tokens = exp(theta[ETA] * log_tokens);

        y[i] = theta[E] + theta[A] * size + theta[B] * tokens;
        if (jac) {
            double *row = jac + i * NPARAMS;

            row[E] = 1.0;
            row[A] = size;
            row[B] = tokens;
            row[ETA] = theta[A] * size * log_size + theta[B] * tokens * log_tokens;
        }
    }
}

static void columns(const struct tw_run_table *m, const double *theta, double *const *column)
{
    for (size_t i = 0; i < m->n; i++) {
        column[0][i] = 1.0;
        column[1][i] = exp(-2.0 * theta[ETA] * m->log[N][i]);
        column[2][i] = exp(-theta[ETA] * (log_6 + 2.0 * (m->log[M][i] + m->log[N][i])));
    }
}
static const struct tw_law_linear linear = {
    .k = 3,
    .param = { E, A, B },
    .nshape = 1,
    .shape = { ETA },
    .columns = columns,
};

static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double eta[] = { 0.02, 0.04, 0.06, 0.08, 0.1,  0.12, 0.14, 0.16,
                                  0.2,  0.25, 0.3,  0.4,  0.55, 0.75, 1.0 };
    static const struct tw_law_axis axis = { ETA, sizeof eta / sizeof eta[0], eta };

    return tw_law_linear_starts(&linear, &axis, 1, NPARAMS, model, y, theta, max);
}

static bool project(const void *model, const double *y, double *theta)
{
    return tw_law_linear_project(&linear, model, y, NPARAMS, theta);
}

static const char *unidentified(const void *model)
{
    if (tw_run_table_constant(model, M))
        return "all runs have one M: a and b cannot be told apart; add a run of another M";
    if (tw_run_table_constant(model, N))
        return "all runs have one N: a cannot be told from E; add runs of other sizes";
    return NULL;
}

const struct tw_law tw_law_overtraining = {
    .name = "overtraining",
    .title = "loss of over-trained models",
    .formula = "L(N, M) = E + a N^(-2 eta) + b 6^-eta (M N)^(-2 eta)",
    .source = "Gadre et al. 2024, arXiv:2403.08540; the authors' code, scaling/laws.py",
    .about = "M = D / N is the number of tokens per parameter. This is the chinchilla law with one "
             "exponent for both parts, so that a few small runs can determine it: the paper fits 5 "
             "runs, by least squares on the loss itself. 5 runs and 4 parameters leave no room to "
             "see an error: ask for profiles, hold larger runs out, and expect errors of several "
             "percent below M = 10 and on other evaluation sets than the best one.",
    .ninputs = NINPUTS,
    .inputs = inputs,
    .plain = true,
    .loss = TW_FIT_SQUARES,
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .floor = 1u << E,
    .profile = 1u << E | 1u << ETA,
    .model_alloc = model_alloc,
    .model_free = tw_run_table_free,
    .memo_alloc = tw_run_memo_alloc,
    .memo_free = tw_run_memo_free,
    .predict = predict,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};
