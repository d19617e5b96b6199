/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A power of one scale with a constant, Henighan et al. 2020, arXiv:2010.14701, eq. (1.1):
 *
 *     L(x) = Linf + (x0 / x)^a        x: parameters, tokens, compute, steps ...
 *
 * With Linf held at 0 these are the laws L(N), L(D), L(C) of Kaplan et al. 2020,
 * arXiv:2001.08361, section 1.2. The equations were read in the papers' text; no constant of
 * theirs is used.
 */
#include <math.h>

#include "run_table.h"

enum { LINF, X0, EXPONENT, NPARAMS };
enum { X, NINPUTS };

static const struct tw_fit_param params[NPARAMS] = {
    [LINF] = { "Linf", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [X0] = { "x0", TW_FIT_POSITIVE, 1e-200, 1e200 },
    [EXPONENT] = { "a", TW_FIT_POSITIVE, 1e-3, 1e1 },
};
static const char *const meanings[NPARAMS] = {
    [LINF] = "irreducible loss",
    [X0] = "scale at which the reducible loss is 1 (unit of x)",
    [EXPONENT] = "exponent",
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

static void predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;
    const double log_x0 = log(theta[X0]);

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double far = log_x0 - m->log[X][i], part = exp(theta[EXPONENT] * far);

        y[i] = theta[LINF] + part;
        if (jac) {
            double *row = jac + i * NPARAMS;

            row[LINF] = 1.0;
            row[X0] = part * theta[EXPONENT] / theta[X0];
            row[EXPONENT] = part * far;
        }
    }
}

/* For a given exponent the law is linear in Linf and x0^a, which stands in x0's place here. */
static void columns(const struct tw_run_table *m, const double *theta, double *const *column)
{
    for (size_t i = 0; i < m->n; i++) {
        column[0][i] = 1.0;
        column[1][i] = exp(-theta[EXPONENT] * (m->log[X][i] - m->log[X][0]));
    }
}
static const struct tw_law_linear linear = {
    .k = 2,
    .param = { LINF, X0 },
    .nshape = 1,
    .shape = { EXPONENT },
    .relative = true,
    .columns = columns,
};

static void to_x0(const struct tw_run_table *m, double *theta)
{
    const double log_x0 = log(theta[X0]) / theta[EXPONENT] + m->log[X][0];

    theta[X0] = exp(fmin(fmax(log_x0, -400.0), 400.0));
}

static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double exponent[] = { 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3,
                                       0.4,  0.5,  0.7,  1.0, 1.5,  2.0, 3.0 };
    static const struct tw_law_axis axis = { EXPONENT, sizeof exponent / sizeof exponent[0],
                                             exponent };
    const size_t n = tw_law_linear_starts(&linear, &axis, 1, NPARAMS, model, y, theta, max);

    for (size_t i = 0; n != SIZE_MAX && i < n; i++)
        to_x0(model, theta + i * NPARAMS);
    return n;
}

static bool project(const void *model, const double *y, double *theta)
{
    if (!tw_law_linear_project(&linear, model, y, NPARAMS, theta))
        return false;
    to_x0(model, theta);
    return true;
}

static const char *unidentified(const void *model)
{
    return tw_run_table_constant(model, X) ? "all runs have one x: nothing can be told from them"
                                           : NULL;
}

const struct tw_law tw_law_power = {
    .name = "power",
    .title = "power law of one scale with a constant",
    .formula = "L(x) = Linf + (x0 / x)^a",
    .source = "Henighan et al. 2020, arXiv:2010.14701, eq. (1.1)",
    .about = "x is what was scaled while nothing else held the loss back: parameters, tokens, "
             "compute; say which column with --column=x=COLUMN. Linf estimates the entropy of the "
             "data and the rest the distance to it, but only as well as Linf is known: look at "
             "its profile before you read a plot of the loss above it, and note that the exponent "
             "rises with Linf. With --fix=Linf=0 this is L(N), L(D) or L(C) of Kaplan et al. 2020, "
             "arXiv:2001.08361.",
    .ninputs = NINPUTS,
    .inputs = inputs,
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .floor = 1u << LINF,
    .profile = 1u << LINF | 1u << EXPONENT,
    .zero = 1u << LINF,
    .model_alloc = model_alloc,
    .model_free = tw_run_table_free,
    .memo_alloc = tw_run_memo_alloc,
    .memo_free = tw_run_memo_free,
    .predict = predict,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};
