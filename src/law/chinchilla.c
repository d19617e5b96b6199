/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The scaling law in parameters and tokens, "approach 3": Hoffmann et al. 2022,
 * arXiv:2203.15556, eq. (2), fitted by a Huber loss on log loss, eq. (3):
 *
 *     L(N, D) = E + A N^-alpha + B D^-beta
 */
#include <math.h>
#include <stdlib.h>

#include "law_parts.h"
#include "thalweg/law.h"

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

struct model {
    size_t n;
    double *log_n, *log_d; /* (n) */
};

static void model_free(void *p)
{
    struct model *m = p;

    if (m)
        free(m->log_n);
    free(m);
}

static void *model_alloc(const struct tw_law_curve *runs, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    struct model *m = tw_alloc(1, sizeof *m);
    size_t k = 0;

    (void)warmup;
    for (size_t c = 0; m && c < n; c++)
        m->n += runs[c].n;
    if (m)
        m->log_n = tw_alloc(m->n, 2 * sizeof *m->log_n);
    if (!m || !m->log_n) {
        free(m);
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    m->log_d = m->log_n + m->n;
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < runs[c].n; i++, k++) {
            const double size = runs[c].input[N][i], tokens = runs[c].input[D][i];

            if (!(size > 0.0) || !(tokens > 0.0) || !isfinite(size) || !isfinite(tokens)) {
                (void)tw_err_set(err, TW_EDOMAIN,
                                 "%s: run %zu has N = %g and D = %g: both must be positive",
                                 runs[c].name, i + 1, size, tokens);
                model_free(m);
                return NULL;
            }
            m->log_n[k] = log(size);
            m->log_d[k] = log(tokens);
        }
    return m;
}

/* Nothing is remembered from one prediction to the next. */
static void *memo_alloc(const void *model)
{
    (void)model;
    return tw_alloc(1, 1);
}

static void memo_free(void *memo)
{
    free(memo);
}

static void predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct model *m = model;

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double size = exp(-theta[ALPHA] * m->log_n[i]);
        const double tokens = exp(-theta[BETA] * m->log_d[i]);

        y[i] = theta[E] + theta[A] * size + theta[B] * tokens;
        if (jac) {
            double *row = jac + i * NPARAMS;

            row[E] = 1.0;
            row[A] = size;
            row[ALPHA] = -theta[A] * size * m->log_n[i];
            row[B] = tokens;
            row[BETA] = -theta[B] * tokens * m->log_d[i];
        }
    }
}

/* For given exponents the law is linear in (E, A, B): a grid over the exponents that Hoffmann's
 * grid spans. */
static size_t starts(const void *model, const double *y, const double *held, double *theta,
                     size_t max)
{
    static const double exponent[] = { 0.1, 0.2, 0.3, 0.4, 0.55, 0.75, 1.0, 1.5 };
    enum { K = sizeof exponent / sizeof exponent[0] };
    const struct model *m = model;
    double *size = tw_alloc(m->n, 3 * sizeof *size), *tokens = size ? size + m->n : NULL;
    double *one = size ? size + 2 * m->n : NULL;
    const double *const column[3] = { one, size, tokens };
    struct tw_law_start found[K * K];
    size_t n = 0;

    (void)held; /* the whole grid, whatever is then set */
    for (size_t i = 0; size && i < m->n; i++)
        one[i] = 1.0;
    for (size_t a = 0; size && a < K; a++)
        for (size_t b = 0; b < K; b++) {
            struct tw_law_start s;
            double coef[3];

            for (size_t i = 0; i < m->n; i++) {
                size[i] = exp(-exponent[a] * m->log_n[i]);
                tokens[i] = exp(-exponent[b] * m->log_d[i]);
            }
            s.objective = tw_law_positive_fit(column, 3, y, m->n, true, coef);
            if (!isfinite(s.objective))
                continue;
            /* A part that the line leaves out gets a small place to grow from. */
            s.theta[E] = fmax(coef[0], 1e-3 * y[0]);
            s.theta[A] = fmax(coef[1], 1e-3 * y[0] / size[0]);
            s.theta[ALPHA] = exponent[a];
            s.theta[B] = fmax(coef[2], 1e-3 * y[0] / tokens[0]);
            s.theta[BETA] = exponent[b];
            found[n++] = s;
        }
    n = size ? tw_law_best_starts(found, n, NPARAMS, theta, max) : SIZE_MAX;
    free(size);
    return n;
}

/* Least loss for C = 6 N D: Hoffmann et al. 2022, eq. (4). */
static void optimum(const double *theta, double flops, double *input)
{
    const double sum = theta[ALPHA] + theta[BETA];
    const double g = pow(theta[ALPHA] * theta[A] / (theta[BETA] * theta[B]), 1.0 / sum);

    input[N] = g * pow(flops / 6.0, theta[BETA] / sum);
    input[D] = flops / 6.0 / input[N];
}

static const char *unidentified(const void *model)
{
    const struct model *m = model;
    bool sizes = false, tokens = false;

    for (size_t i = 1; i < m->n; i++) {
        sizes = sizes || fabs(m->log_n[i] - m->log_n[0]) > 1e-9;
        tokens = tokens || fabs(m->log_d[i] - m->log_d[0]) > 1e-9;
    }
    if (!sizes)
        return "all runs have one N: A and alpha cannot be told from E; add runs of other sizes";
    return tokens ? NULL
                  : "all runs have one D: B and beta cannot be told from E; add runs of other "
                    "lengths";
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
    .profile = 1u << E | 1u << ALPHA | 1u << BETA,
    .model_alloc = model_alloc,
    .model_free = model_free,
    .memo_alloc = memo_alloc,
    .memo_free = memo_free,
    .predict = predict,
    .starts = starts,
    .unidentified = unidentified,
    .optimum = optimum,
};
