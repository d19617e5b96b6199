/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Downstream error from loss, Gadre et al. 2024, arXiv:2403.08540, as their code has it
 * (repository mlfoundations/scaling, scaling/laws.py):
 *
 *     Err(L) = eps - k exp(-gamma L)
 */
#include <math.h>

#include "run_table.h"

enum { EPS, K, GAMMA, NPARAMS };
enum { L, NINPUTS };

static const struct tw_fit_param params[NPARAMS] = {
    [EPS] = { "eps", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [K] = { "k", TW_FIT_POSITIVE, 1e-6, 1e30 },
    [GAMMA] = { "gamma", TW_FIT_POSITIVE, 1e-3, 1e2 },
};
static const char *const meanings[NPARAMS] = {
    [EPS] = "error of a model of unlimited loss",
    [K] = "size of what a lower loss gains (unit of the error)",
    [GAMMA] = "rate at which it gains (1 / loss)",
};
static const struct tw_law_input inputs[NINPUTS] = {
    [L] = { "L", "loss", "loss val_loss eval_loss final_loss" },
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
        const double gain = exp(-theta[GAMMA] * m->value[L][i]);

        y[i] = theta[EPS] - theta[K] * gain;
        if (jac) {
            double *row = jac + i * NPARAMS;

            row[EPS] = 1.0;
            row[K] = -gain;
            row[GAMMA] = theta[K] * gain * m->value[L][i];
        }
    }
}

static void columns(const struct tw_run_table *m, const double *theta, double *const *column)
{
    for (size_t i = 0; i < m->n; i++) {
        column[0][i] = 1.0;
        column[1][i] = -exp(-theta[GAMMA] * m->value[L][i]);
    }
}
static const struct tw_law_linear linear = {
    .k = 2,
    .param = { EPS, K },
    .nshape = 1,
    .shape = { GAMMA },
    .columns = columns,
};

static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double gamma[] = { 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 8.0 };
    static const struct tw_law_axis axis = { GAMMA, sizeof gamma / sizeof gamma[0], gamma };

    return tw_law_linear_starts(&linear, &axis, 1, NPARAMS, model, y, theta, max);
}

static bool project(const void *model, const double *y, double *theta)
{
    return tw_law_linear_project(&linear, model, y, NPARAMS, theta);
}

static const char *unidentified(const void *model)
{
    return tw_run_table_constant(model, L) ? "all runs have one loss: nothing can be told from them"
                                           : NULL;
}

const struct tw_law tw_law_error_exp = {
    .name = "error-exp",
    .title = "downstream error from loss",
    .formula = "Err(L) = eps - k exp(-gamma L)",
    .source = "Gadre et al. 2024, arXiv:2403.08540; the authors' code, scaling/laws.py",
    .about =
        "L is a run's loss and Err its mean error over tasks; both as fractions or both as "
        "you like. Name the columns: --y=ERROR --column=L=LOSS. Fitted by least squares on the "
        "error itself. Averages over many tasks follow it, single tasks often do not, and runs "
        "near chance say nothing about gamma. The paper fits 6 runs; leaving out the largest "
        "moves its forecast from 0.05 to 10 percent off.",
    .ninputs = NINPUTS,
    .inputs = inputs,
    .y = "error err err_avg error_rate",
    .plain = true,
    .loss = TW_FIT_SQUARES,
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .profile = 1u << EPS | 1u << GAMMA,
    .model_alloc = model_alloc,
    .model_free = tw_run_table_free,
    .memo_alloc = tw_run_memo_alloc,
    .memo_free = tw_run_memo_free,
    .predict = predict,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};
