/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The smoothly broken power law with one break, Caballero et al. 2023, arXiv:2210.14891, as in
 * the authors' code (repository ethancaballero/broken_neural_scaling_laws):
 *
 *     L(x) = a + b x^-c0 (1 + (x / d)^(1 / f))^(-c1 f)
 *
 * Far below d the exponent is c0, far above c0 + c1; f is the width of the break in log x.
 */
#include <math.h>

#include "run_table.h"

enum { A, B, C0, C1, BREAK, F, NPARAMS };
enum { X, NINPUTS };

static const struct tw_fit_param params[NPARAMS] = {
    [A] = { "a", TW_FIT_POSITIVE, 1e-6, 1e6 },       [B] = { "b", TW_FIT_POSITIVE, 1e-60, 1e60 },
    [C0] = { "c0", TW_FIT_FREE, -10, 10 },           [C1] = { "c1", TW_FIT_FREE, -100, 100 },
    [BREAK] = { "d", TW_FIT_POSITIVE, 1e-60, 1e60 }, [F] = { "f", TW_FIT_BETWEEN, 0.01, 10.0 },
};
static const char *const meanings[NPARAMS] = {
    [A] = "limit of the loss",
    [B] = "size of the part that falls (loss x x^c0)",
    [C0] = "exponent before the break",
    [C1] = "change of the exponent at the break",
    [BREAK] = "place of the break (unit of x)",
    [F] = "width of the break in log x",
};
static const struct tw_law_input inputs[NINPUTS] = {
    [X] = { "x", "the scale", "N D C params parameters tokens flops FLOPs compute steps" },
};

static void *model_alloc(const struct tw_law_curve *runs, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    (void)warmup;
    return tw_run_table_alloc(inputs, NINPUTS, runs, n, err);
}

/* log(1 + exp z) without overflow. */
static double softplus(double z)
{
    return fmax(z, 0.0) + log1p(exp(-fabs(z)));
}

static void predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;
    const double log_b = log(theta[B]), log_d = log(theta[BREAK]), f = theta[F];

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double z = (m->log[X][i] - log_d) / f, soft = softplus(z);
        const double part = exp(log_b - theta[C0] * m->log[X][i] - theta[C1] * f * soft);

        y[i] = theta[A] + part;
        if (jac) {
            const double past = exp(z - soft); /* how far the break is done */
            double *row = jac + i * NPARAMS;

            row[A] = 1.0;
            row[B] = part / theta[B];
            row[C0] = -part * m->log[X][i];
            row[C1] = -part * f * soft;
            row[BREAK] = part * theta[C1] * past / theta[BREAK];
            row[F] = -part * theta[C1] * (soft - past * z);
        }
    }
}

/* Linear in a and b. */
static void columns(const struct tw_run_table *m, const double *theta, double *const *column)
{
    const double log_d = log(theta[BREAK]), f = theta[F];

    for (size_t i = 0; i < m->n; i++) {
        column[0][i] = 1.0;
        column[1][i] =
            exp(-theta[C0] * m->log[X][i] - theta[C1] * f * softplus((m->log[X][i] - log_d) / f));
    }
}
static const struct tw_law_linear linear = {
    .k = 2,
    .param = { A, B },
    .nshape = 2,
    .shape = { BREAK, F },
    .relative = true,
    .columns = columns,
};

/* Breaks at tenths of the range of log x. */
static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double c0[] = { -0.1, 0.02, 0.06, 0.12, 0.25, 0.5, 1.0 };
    static const double c1[] = { -0.9, -0.4, -0.15, 0.1, 0.3, 0.7, 1.5, 4.0 };
    static const double f[] = { 0.05, 0.2, 0.6, 1.5 };
    enum { BREAKS = 9 };
    const struct tw_run_table *m = model;
    double lo = m->log[X][0], hi = lo, place[BREAKS];
    const struct tw_law_axis axis[] = {
        { C0, 7, c0 }, { C1, 8, c1 }, { F, 4, f }, { BREAK, BREAKS, place }
    };

    for (size_t i = 0; i < m->n; i++) {
        lo = fmin(lo, m->log[X][i]);
        hi = fmax(hi, m->log[X][i]);
    }
    for (size_t k = 0; k < BREAKS; k++)
        place[k] = exp(lo + (hi - lo) * (double)(k + 1) / (BREAKS + 1));
    return tw_law_linear_starts(&linear, axis, 4, NPARAMS, model, y, theta, max);
}

static bool project(const void *model, const double *y, double *theta)
{
    return tw_law_linear_project(&linear, model, y, NPARAMS, theta);
}

static const char *unidentified(const void *model)
{
    return tw_run_table_constant(model, X) ? "all runs have one x: nothing can be told from them"
                                           : NULL;
}

const struct tw_law tw_law_bnsl = {
    .name = "bnsl",
    .title = "broken neural scaling law with one break",
    .formula = "L(x) = a + b x^-c0 (1 + (x/d)^(1/f))^(-c1 f)",
    .source = "Caballero et al. 2023, arXiv:2210.14891; the authors' code",
    .about = "The exponent is c0 below d and c0 + c1 above; a sharp break has a small f. Say which "
             "column is x with --column=x=COLUMN. It bends wherever the runs do, so six parameters "
             "fit nearly anything: a break near the last runs is a guess at what follows, and one "
             "that the runs do not reach cannot be forecast. Hold the largest runs out, and prefer "
             "power where this does not forecast them better. The paper fits the mean squared "
             "difference of log(1 + L); here it is a Huber loss on log L.",
    .ninputs = NINPUTS,
    .inputs = inputs,
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .profile = 1u << C0 | 1u << C1 | 1u << BREAK,
    .zero = 1u << A,
    .floor = 1u << A,
    .model_alloc = model_alloc,
    .model_free = tw_run_table_free,
    .memo_alloc = tw_run_memo_alloc,
    .memo_free = tw_run_memo_free,
    .predict = predict,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};
