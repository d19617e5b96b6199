/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Loss in parameters, steps and batch size: Kaplan et al. 2020, arXiv:2001.08361, sections 5 and 6,
 * with the critical batch size of McCandlish et al. 2018, arXiv:1812.06162; the same in Su et al.
 * 2024, arXiv:2403.06563:
 *
 *     L = (Nc / N)^aN + (Sc / Smin)^aS,   Smin = S / (1 + Bcrit(L) / B),   Bcrit(L) = B* / L^(1/aB)
 *
 * L stands on both sides. The right side falls as L grows, so there is one L that solves it. No
 * constant of theirs is used.
 */
#include "critical_batch.h"

#include <math.h>
#include <stdlib.h>

enum { NC = TW_CB_NC, AN, SC, AS, BSTAR, AB, NPARAMS };
enum { N = TW_CB_N, S, B, NINPUTS };

static const struct tw_fit_param params[NPARAMS] = {
    [NC] = { "Nc", TW_FIT_POSITIVE, 1e-6, 1e60 },       [AN] = { "aN", TW_FIT_POSITIVE, 1e-3, 1e1 },
    [SC] = { "Sc", TW_FIT_POSITIVE, 1e-9, 1e30 },       [AS] = { "aS", TW_FIT_POSITIVE, 1e-3, 1e1 },
    [BSTAR] = { "Bstar", TW_FIT_POSITIVE, 1e-6, 1e30 }, [AB] = { "aB", TW_FIT_POSITIVE, 1e-2, 1e2 },
};
static const char *const meanings[NPARAMS] = {
    [NC] = "parameters at which unlimited training gives loss 1",
    [AN] = "exponent of parameters",
    [SC] = "steps at an unlimited batch size at which an unlimited model has loss 1",
    [AS] = "exponent of steps",
    [BSTAR] = "critical batch size at loss 1 (in the table's unit of B)",
    [AB] = "Bcrit grows as loss^(-1/aB)",
};
static const struct tw_law_input inputs[NINPUTS] = {
    [N] = { "N", "parameters", "params parameters n_params num_params model_size" },
    [S] = { "S", "training steps", "steps step n_steps num_steps train_steps" },
    [B] = { "B", "batch size", "batch bs batch_size batch_tokens tokens_per_batch" },
};

static void *model_alloc(const struct tw_law_curve *runs, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    (void)warmup;
    return tw_run_table_alloc(inputs, NINPUTS, runs, n, err);
}

/* ---- prediction ----------------------------------------------------------------------------- */

/* The right side at log L = l: the loss of the size, that of the steps, and q = Bcrit / B. */
struct side {
    double size, steps, q;
};

static struct side right(const struct tw_run_table *m, size_t i, const double *theta, double l)
{
    struct side r;

    r.q = exp(log(theta[BSTAR]) - l / theta[AB] - m->log[B][i]);
    r.size = exp(theta[AN] * (log(theta[NC]) - m->log[N][i]));
    r.steps = exp(theta[AS] * (log(theta[SC]) + log1p(r.q) - m->log[S][i]));
    return r;
}

/* Newton's steps on log L - log(right side), which rises in log L with a slope of 1 or more; one
 * that leaves the bracket is replaced by bisection. At an unlimited batch the right side is
 * least, and its value there is at most L. */
static double solve(const struct tw_run_table *m, size_t i, const double *theta)
{
    const double least = exp(theta[AN] * (log(theta[NC]) - m->log[N][i])) +
                         exp(theta[AS] * (log(theta[SC]) - m->log[S][i]));
    struct side r = right(m, i, theta, log(least));
    double lo = log(least), hi = log(r.size + r.steps), l = lo;

    for (int k = 0; k < 200 && hi - lo > 1e-15 * (1.0 + fabs(lo)); k++) {
        double f, slope, next;

        r = right(m, i, theta, l);
        f = l - log(r.size + r.steps);
        if (f < 0.0)
            lo = l;
        else
            hi = l;
        slope = 1.0 + r.steps / (r.size + r.steps) * theta[AS] / theta[AB] * r.q / (1.0 + r.q);
        next = l - f / slope;
        if (fabs(f) < 1e-15)
            break;
        l = next > lo && next < hi ? next : 0.5 * (lo + hi);
    }
    return l;
}

static void predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double l = solve(m, i, theta);
        const struct side r = right(m, i, theta, l);
        const double by_q = theta[AS] * r.steps * r.q / (1.0 + r.q); /* d steps / d log q */

        y[i] = exp(l);
        if (jac) { /* dL = (d right / d theta) / (1 - d right / d L) */
            const double c = 1.0 / (1.0 + by_q / (theta[AB] * y[i]));
            double *row = jac + i * NPARAMS;

            row[NC] = c * theta[AN] * r.size / theta[NC];
            row[AN] = c * r.size * (log(theta[NC]) - m->log[N][i]);
            row[SC] = c * theta[AS] * r.steps / theta[SC];
            row[AS] = c * r.steps * (log(theta[SC]) + log1p(r.q) - m->log[S][i]);
            row[BSTAR] = c * by_q / theta[BSTAR];
            row[AB] = c * by_q * l / (theta[AB] * theta[AB]);
        }
    }
}

/* ---- starts: the third stage ---------------------------------------------------------------- */

struct context {
    const struct tw_run_table *m;
    const double *y;
    double *scratch; /* (2 n) */
};

/* Smin of every run from its measured loss; then, for given exponents, the law is linear in
 * Nc^aN and Sc^aS, in units of the first run. Returns the sum of squared errors of log L. */
static double linear_part(void *ctx, double *theta)
{
    const struct context *c = ctx;
    const struct tw_run_table *m = c->m;
    double *const size = c->scratch, *const steps = size + m->n;
    const double *const column[] = { size, steps };
    double coef[2], sum = 0.0;

    for (size_t i = 0; i < m->n; i++) {
        const double q = exp(log(theta[BSTAR]) - log(c->y[i]) / theta[AB] - m->log[B][i]);

        size[i] = exp(theta[AN] * (m->log[N][0] - m->log[N][i]));
        steps[i] = exp(theta[AS] * (m->log[S][0] - m->log[S][i] + log1p(q)));
    }
    if (!isfinite(tw_law_positive_fit(column, 2, c->y, m->n, true, coef)))
        return INFINITY;
    /* A part left out gets a place to grow from. */
    for (size_t j = 0; j < 2; j++)
        coef[j] = log(fmax(coef[j], 1e-3 * c->y[0]));
    theta[NC] = exp(fmin(fmax(coef[0] / theta[AN] + m->log[N][0], -10.0), 130.0));
    theta[SC] = exp(fmin(fmax(coef[1] / theta[AS] + m->log[S][0], -20.0), 65.0));
    for (size_t i = 0; i < m->n; i++) {
        const double e = log((exp(coef[0]) * size[i] + exp(coef[1]) * steps[i]) / c->y[i]);

        sum += e * e;
    }
    return isfinite(sum) ? sum : (double)INFINITY;
}

static bool project(const void *model, const double *y, double *theta)
{
    static const size_t shape[] = { AN, AS, BSTAR, AB };
    struct context c = { .m = model, .y = y };

    c.scratch = tw_alloc(c.m->n, 2 * sizeof *c.scratch);
    if (c.scratch)
        tw_law_pattern_search(linear_part, &c, shape, 4, NPARAMS, theta);
    free(c.scratch);
    return c.scratch != NULL;
}

/* Each exponent pair under the line of the first stages and, as these may mislead, under lines
 * through the middle of the batch sizes. */
static size_t grid(struct context *c, double (*line)[2], size_t nlines, struct tw_law_start *found)
{
    static const double sizes[] = { 0.04, 0.08, 0.15, 0.3 }, steps[] = { 0.15, 0.3, 0.5, 0.8, 1.2 };
    enum { NSIZES = sizeof sizes / sizeof sizes[0], NSTEPS = sizeof steps / sizeof steps[0] };
    size_t n = 0;

    for (size_t k = 0; k < nlines; k++)
        for (size_t g = 0; g < (size_t)NSIZES * NSTEPS; g++) {
            struct tw_law_start s = { .theta = { [AN] = sizes[g / NSTEPS],
                                                 [AS] = steps[g % NSTEPS],
                                                 [BSTAR] = line[k][0],
                                                 [AB] = line[k][1] } };

            s.objective = linear_part(c, s.theta);
            if (isfinite(s.objective))
                found[n++] = s;
        }
    return n;
}

static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double slopes[] = { 0.1, 0.2, 0.4 };
    struct context c = { .m = model, .y = y };
    double line[4][2], loss = 0.0, batch = 0.0;
    struct tw_law_start found[4 * 20];
    size_t n = 3;
    int known;

    for (size_t i = 0; i < c.m->n; i++) {
        loss += log(y[i]) / (double)c.m->n;
        batch += c.m->log[B][i] / (double)c.m->n;
    }
    for (size_t k = 0; k < 3; k++) {
        line[k][0] = exp(batch + loss / slopes[k]);
        line[k][1] = slopes[k];
    }
    known = tw_critical_batch_line(c.m, y, &line[3][0], &line[3][1]);
    c.scratch = tw_alloc(c.m->n, 2 * sizeof *c.scratch);
    if (known < 0 || !c.scratch) {
        free(c.scratch);
        return SIZE_MAX;
    }
    n = grid(&c, line, known ? 4 : 3, found);
    n = tw_law_best_starts(found, n, NPARAMS, theta, max);
    free(c.scratch);
    for (size_t i = 0; i < n; i++)
        if (!project(model, y, theta + i * NPARAMS))
            return SIZE_MAX;
    return n;
}

static const char *unidentified(const void *model)
{
    if (tw_run_table_constant(model, B))
        return "all runs have one batch size B: Bstar and aB cannot be told; add runs of other "
               "batch sizes";
    if (tw_run_table_constant(model, N))
        return "all runs have one N: Nc and aN cannot be told; add runs of other sizes";
    if (tw_run_table_constant(model, S))
        return "all runs have one S: Sc and aS cannot be told; add runs of other lengths";
    return NULL;
}

const struct tw_law tw_law_critical_batch = {
    .name = "critical-batch",
    .title = "loss in parameters, steps and batch size",
    .formula = "L = (Nc/N)^aN + (Sc (1 + Bstar/(B L^(1/aB))) / S)^aS",
    .source = "Kaplan et al. 2020, arXiv:2001.08361, sections 5 and 6; Su et al. 2024, "
              "arXiv:2403.06563",
    .about =
        "S steps at batch size B do what Smin = S / (1 + Bcrit/B) steps at an unlimited batch do, "
        "and E = B S tokens what Emin = E / (1 + B/Bcrit) at a tiny one; Bcrit = Bstar / L^(1/aB) "
        "depends on the loss alone. The search starts from a fit in three stages: where runs of "
        "one N reach a loss at two or more batch sizes, S = Smin + Emin/B gives Bcrit = Emin/Smin; "
        "Bcrit on L is a line in the logarithms; and with every run's Smin the sum of powers is "
        "fitted. All parameters are then fitted together to every loss. For a "
        "trajectory forecast runs of several S: --run=N=1e9,S=20000,B=5e5. Each batch size needs a "
        "learning rate that suits it, and Sc and Bstar depend on it, on data and vocabulary. There "
        "is no irreducible loss, so far forecasts fall too low.",
    .ninputs = NINPUTS,
    .inputs = inputs,
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .profile = 1u << BSTAR | 1u << AB,
    .model_alloc = model_alloc,
    .model_free = tw_run_table_free,
    .memo_alloc = tw_run_memo_alloc,
    .memo_free = tw_run_memo_free,
    .predict = predict,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};
