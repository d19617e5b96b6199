/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The joint law in parameters and tokens of Kaplan et al. 2020, arXiv:2001.08361, eq. (1.5),
 * read in the paper's text:
 *
 *     L(N, D) = ((Nc / N)^(aN / aD) + Dc / D)^aD
 *
 * No constant of theirs is used.
 */
#include <math.h>
#include <stdlib.h>

#include "run_table.h"

enum { NC, AN, DC, AD, NPARAMS };
enum { N, D, NINPUTS };

static const struct tw_fit_param params[NPARAMS] = {
    [NC] = { "Nc", TW_FIT_POSITIVE, 1e-6, 1e60 },
    [AN] = { "aN", TW_FIT_POSITIVE, 1e-3, 1e1 },
    [DC] = { "Dc", TW_FIT_POSITIVE, 1e-6, 1e60 },
    [AD] = { "aD", TW_FIT_POSITIVE, 1e-3, 1e1 },
};
static const char *const meanings[NPARAMS] = {
    [NC] = "parameters at which unlimited data give loss 1",
    [AN] = "exponent of parameters",
    [DC] = "tokens at which an unlimited model has loss 1",
    [AD] = "exponent of tokens",
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

/* The bracket is a sum of u and v, which may be far from 1: only logs and shares of it. */
static void predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;
    const double ratio = theta[AN] / theta[AD], log_nc = log(theta[NC]), log_dc = log(theta[DC]);

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double u = ratio * (log_nc - m->log[N][i]), v = log_dc - m->log[D][i];
        const double sum = fmax(u, v) + log1p(exp(-fabs(u - v)));

        y[i] = exp(theta[AD] * sum);
        if (jac) {
            const double share = exp(u - sum);
            double *row = jac + i * NPARAMS;

            row[NC] = y[i] * share * theta[AN] / theta[NC];
            row[AN] = y[i] * share * (log_nc - m->log[N][i]);
            row[DC] = y[i] * exp(v - sum) * theta[AD] / theta[DC];
            row[AD] = y[i] * (sum - share * u);
        }
    }
}

struct context {
    const struct tw_run_table *m;
    const double *y;
    double *scratch; /* (3 n) */
};

/* For given exponents L^(1/aD) is linear in Nc^(aN/aD) and Dc: these become the best, and the
 * sum of squared errors of log L is returned. */
static double linear_part(void *ctx, double *theta)
{
    const struct context *c = ctx;
    const struct tw_run_table *m = c->m;
    double *const z = c->scratch, *const size = z + m->n, *const tokens = size + m->n;
    const double *const column[] = { size, tokens };
    const double ratio = theta[AN] / theta[AD], *y = c->y;
    double coef[2], sum = 0.0;

    for (size_t i = 0; i < m->n; i++) { /* in units of the first run */
        z[i] = exp(log(y[i] / y[0]) / theta[AD]);
        size[i] = exp(-ratio * (m->log[N][i] - m->log[N][0]));
        tokens[i] = exp(m->log[D][0] - m->log[D][i]);
    }
    if (!isfinite(tw_law_positive_fit(column, 2, z, m->n, true, coef)))
        return INFINITY;
    /* A part left out gets a place to grow from. */
    coef[0] = log(fmax(coef[0], 1e-3)) / ratio + log(y[0]) / theta[AN] + m->log[N][0];
    coef[1] = log(fmax(coef[1], 1e-3)) + log(y[0]) / theta[AD] + m->log[D][0];
    theta[NC] = exp(fmin(fmax(coef[0], -100.0), 300.0));
    theta[DC] = exp(fmin(fmax(coef[1], -100.0), 300.0));
    predict(m, NULL, theta, z, NULL);
    for (size_t i = 0; i < m->n; i++)
        sum += log(z[i] / y[i]) * log(z[i] / y[i]);
    return isfinite(sum) ? sum : (double)INFINITY;
}

static bool project(const void *model, const double *y, double *theta)
{
    static const size_t shape[] = { AN, AD };
    struct context c = { .m = model, .y = y };

    c.scratch = tw_alloc(c.m->n, 3 * sizeof *c.scratch);
    if (c.scratch)
        tw_law_pattern_search(linear_part, &c, shape, 2, NPARAMS, theta);
    free(c.scratch);
    return c.scratch != NULL;
}

/* The linear part alone may leave out the tokens: starts are searched from as well. */
static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double exponent[] = { 0.03, 0.05, 0.08, 0.12, 0.18, 0.25, 0.35, 0.5, 0.8 };
    enum { K = sizeof exponent / sizeof exponent[0] };
    struct context c = { .m = model, .y = y };
    struct tw_law_start found[K * K];
    size_t n = 0;

    c.scratch = tw_alloc(c.m->n, 3 * sizeof *c.scratch);
    if (!c.scratch)
        return SIZE_MAX;
    for (size_t g = 0; g < (size_t)K * K; g++) {
        struct tw_law_start *s = &found[n];

        *s = (struct tw_law_start){ { 0 }, 0.0 };
        s->theta[AN] = exponent[g / K];
        s->theta[AD] = exponent[g % K];
        s->objective = linear_part(&c, s->theta);
        n += isfinite(s->objective) ? 1 : 0;
    }
    free(c.scratch);
    n = tw_law_best_starts(found, n, NPARAMS, theta, max);
    for (size_t i = 0; i < n; i++)
        if (!project(model, y, theta + i * NPARAMS))
            return SIZE_MAX;
    return n;
}

static const char *unidentified(const void *model)
{
    if (tw_run_table_constant(model, N))
        return "all runs have one N: Nc and aN cannot be told; add runs of other sizes";
    if (tw_run_table_constant(model, D))
        return "all runs have one D: Dc and aD cannot be told; add runs of other lengths";
    return NULL;
}

const struct tw_law tw_law_kaplan = {
    .name = "kaplan",
    .title = "joint power law in parameters and tokens",
    .formula = "L(N, D) = ((Nc/N)^(aN/aD) + Dc/D)^aD",
    .source = "Kaplan et al. 2020, arXiv:2001.08361, eq. (1.5)",
    .about =
        "There is no irreducible loss, so forecasts fall to 0 and the exponents come out "
        "smaller than those of chinchilla; compare the two on runs held out. In the paper N "
        "leaves out embeddings and D is the size of a data set on which training stops early: "
        "runs of one epoch with a decayed rate are another experiment. Its constants depend on "
        "vocabulary and data; fit your own.",
    .ninputs = NINPUTS,
    .inputs = inputs,
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .profile = 1u << AN | 1u << AD,
    .model_alloc = model_alloc,
    .model_free = tw_run_table_free,
    .memo_alloc = tw_run_memo_alloc,
    .memo_free = tw_run_memo_free,
    .predict = predict,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};
