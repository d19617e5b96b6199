/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The multi-power law: Luo, Wen, Hu, Sun, Liu, Sun, Lyu, Chen 2025, arXiv:2503.12811:
 *
 *     L(t) = L0 + A S1(t)^-alpha - LD(t)
 *     LD(t) = B sum_{1 <= k <= t} (eta_{k-1} - eta_k) G(eta_k^-gamma S_k(t))
 *     G(x) = 1 - (1 + C x)^-beta,   S_k(t) = sum_{tau=k..t} eta_tau
 *
 * The warm-up's steps are steps like any others in S1 and LD, as in the authors' program (the
 * paper has a constant in their place); the sums are those of falls.h.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "falls.h"
#include "final.h"
#include "law_parts.h"
#include "mpl_kernel.h"

enum { L0, A, ALPHA, B, C, BETA, GAMMA, NPARAMS };
enum { NODES = TW_FALL_NODES };

static const struct tw_fit_param params[NPARAMS] = {
    [L0] = { "L0", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [A] = { "A", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-3, 1e2 },
    [B] = { "B", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [C] = { "C", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [BETA] = { "beta", TW_FIT_POSITIVE, 1e-3, 1e2 },
    [GAMMA] = { "gamma", TW_FIT_POSITIVE, 1e-3, 1e1 },
};
static const char *const meanings[NPARAMS] = {
    [L0] = "irreducible loss (nats, or the log's unit)",
    [A] = "size of the power-law part (loss x rate-sum^alpha)",
    [ALPHA] = "exponent of the sum of learning rates",
    [B] = "gain when the rate falls, once all of it has come (loss / rate)",
    [C] = "how soon it comes (rate^gamma / rate-sum)",
    [BETA] = "exponent with which the rest of it dies away",
    [GAMMA] = "exponent of the rate in how soon it comes",
};

static const struct tw_law_restriction restrictions[] = {
    { "published",
      "the exponents of the authors' fits to models of 25M and 400M parameters, rounded",
      1u << BETA | 1u << GAMMA,
      { [BETA] = 0.6, [GAMMA] = 0.64 } },
    { "hyperbolic",
      "G = C x / (1 + C x) with x over the square root of the rate",
      1u << BETA | 1u << GAMMA,
      { [BETA] = 1.0, [GAMMA] = 0.5 } },
};

/* ---- features ----------------------------------------------------------------------------- */

struct model {
    size_t ncurves, n;
    size_t nnodes; /* of the curve with most */
    double moved;
    double *log_s1; /* (n) */
    struct tw_falls *falls;
};

static void model_free(void *p)
{
    struct model *m = p;

    if (!m)
        return;
    for (size_t c = 0; m->falls && c < m->ncurves; c++)
        tw_falls_release(&m->falls[c]);
    free(m->falls);
    free(m->log_s1);
    free(m);
}

static void *model_alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    struct model *m = tw_alloc(1, sizeof *m);
    enum tw_status rc = TW_ENOMEM;
    size_t k = 0;

    if (!m)
        goto fail;
    m->ncurves = n;
    for (size_t c = 0; c < n; c++)
        m->n += curves[c].n;
    m->falls = tw_alloc(n, sizeof *m->falls);
    m->log_s1 = tw_alloc(m->n, sizeof *m->log_s1);
    if (!m->falls || !m->log_s1)
        goto fail;
    for (size_t c = 0; c < n; c++) {
        rc = tw_falls_init(&m->falls[c], &curves[c], warmup, err);
        if (rc != TW_OK)
            goto fail;
        for (size_t i = 0; i < curves[c].n; i++)
            m->log_s1[k++] = log(m->falls[c].s1[i]);
        if (m->falls[c].nblocks * NODES > m->nnodes)
            m->nnodes = m->falls[c].nblocks * NODES;
        m->moved += m->falls[c].moved;
    }
    return m;
fail:
    (void)tw_err_set(err, rc, "out of memory");
    model_free(m);
    return NULL;
}

/* ---- prediction ----------------------------------------------------------------------------- */

/* LD / B of every point for the last (C, beta, gamma) asked for. */
struct memo {
    struct tw_mpl_shape shape;
    double *ld, *dc, *dbeta, *dgamma; /* (n) each */
    double *scratch;                  /* (nodes of a curve) */
};

static void memo_free(void *p)
{
    struct memo *memo = p;

    if (memo) {
        free(memo->ld);
        free(memo->scratch);
    }
    free(memo);
}

static void *memo_alloc(const void *model)
{
    const struct model *m = model;
    struct memo *memo = tw_alloc(1, sizeof *memo);

    if (!memo)
        return NULL;
    memo->shape.c = NAN;
    memo->ld = tw_alloc(m->n, 4 * sizeof *memo->ld);
    memo->scratch = tw_alloc(m->nnodes, sizeof *memo->scratch);
    if (!memo->ld || !memo->scratch) {
        memo_free(memo);
        return NULL;
    }
    memo->dc = memo->ld + m->n;
    memo->dbeta = memo->dc + m->n;
    memo->dgamma = memo->dbeta + m->n;
    return memo;
}

static void recall(const struct model *m, struct memo *memo, const double *theta)
{
    const struct tw_mpl_shape shape = { theta[C], theta[BETA], theta[GAMMA] };
    size_t k = 0;

    // NOLINTNEXTLINE: the same numbers, not near ones
    if (memo->shape.c == shape.c && memo->shape.beta == shape.beta &&
        memo->shape.gamma == shape.gamma)
        return;
    for (size_t c = 0; c < m->ncurves; c++) {
        const struct tw_mpl_sums at = { memo->ld + k, memo->dc + k, memo->dbeta + k,
                                        memo->dgamma + k };

        tw_mpl_kernel(&m->falls[c], &shape, memo->scratch, &at);
        k += m->falls[c].n;
    }
    memo->shape = shape;
}

static void predict(const void *model, void *memory, const double *theta, double *y, double *jac)
{
    const struct model *m = model;
    struct memo *memo = memory;

    recall(m, memo, theta);
    for (size_t k = 0; k < m->n; k++) {
        const double power = exp(-theta[ALPHA] * m->log_s1[k]);

        y[k] = theta[L0] + theta[A] * power - theta[B] * memo->ld[k];
        if (jac) {
            double *row = jac + k * NPARAMS;

            row[L0] = 1.0;
            row[A] = power;
            row[ALPHA] = -theta[A] * power * m->log_s1[k];
            row[B] = -memo->ld[k];
            row[C] = -theta[B] * memo->dc[k];
            row[BETA] = -theta[B] * memo->dbeta[k];
            row[GAMMA] = -theta[B] * memo->dgamma[k];
        }
    }
}

/* The model skips the warm-up, so that LD counts changes of the rate after it alone. */
static void annealed(const void *model, void *memory, const double *theta, double *part)
{
    const struct model *m = model;
    struct memo *memo = memory;

    recall(m, memo, theta);
    for (size_t k = 0; k < m->n; k++)
        part[k] = fmax(0.0, theta[B] * memo->ld[k]);
}

/* ---- starts -----------------------------------------------------------------------------------
 */

/* The parameters in which the law is linear, (L0, A, B), for alpha and features in the memo. */
static bool linear(const struct model *m, const struct memo *memo, const double *y, double alpha,
                   double *power, struct tw_law_start *s)
{
    for (size_t k = 0; k < m->n; k++)
        power[k] = exp(-alpha * m->log_s1[k]);
    if (!tw_law_linear_start(power, memo->ld, y, m->n, s))
        return false;
    s->theta[ALPHA] = alpha;
    return true;
}

/* A grid over (C, beta, gamma); for each the best exponent is a start. */
static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double alphas[] = { 0.15, 0.3, 0.45, 0.6, 0.8, 1.1, 1.5 };
    static const double cs[] = { 0.3, 2.0, 12.0, 80.0 };
    static const double betas[] = { 0.2, 0.6, 1.5 }, gammas[] = { 0.2, 0.5, 0.8 };
    enum { NALPHA = sizeof alphas / sizeof alphas[0], NSHAPE = 4 * 3 * 3 };
    const struct model *m = model;
    struct memo *memo = memo_alloc(m);
    double *power = tw_alloc(m->n, sizeof *power);
    const bool ready = memo && power;
    struct tw_law_start found[NSHAPE];
    size_t n = 0;

    for (size_t i = 0; ready && i < NSHAPE; i++) {
        struct tw_law_start best = { .objective = INFINITY }, s;

        best.theta[C] = cs[i % 4];
        best.theta[BETA] = betas[i / 4 % 3];
        best.theta[GAMMA] = gammas[i / 12];
        recall(m, memo, best.theta);
        for (size_t a = 0; a < NALPHA; a++)
            if (linear(m, memo, y, alphas[a], power, &s) && s.objective < best.objective) {
                memcpy(s.theta + C, best.theta + C, 3 * sizeof *s.theta);
                best = s;
            }
        if (isfinite(best.objective))
            found[n++] = best;
    }
    free(power);
    memo_free(memo);
    return ready ? tw_law_best_starts(found, n, NPARAMS, theta, max) : SIZE_MAX;
}

static bool project(const void *model, const double *y, double *theta)
{
    const struct model *m = model;
    struct memo *memo = memo_alloc(m);
    double *power = tw_alloc(m->n, sizeof *power);
    const bool ready = memo && power;
    struct tw_law_start s;

    if (ready) {
        recall(m, memo, theta);
        if (linear(m, memo, y, theta[ALPHA], power, &s)) {
            theta[L0] = s.theta[L0];
            theta[A] = s.theta[A];
            theta[B] = s.theta[B];
        }
    }
    free(power);
    memo_free(memo);
    return ready;
}

static const char *unidentified(const void *model)
{
    const struct model *m = model;

    return m->moved > 0.0
               ? NULL
               : "no curve's learning rate changes after its warm-up: B, C, beta and gamma cannot "
                 "be told from these data, and a forecast of a schedule that anneals would be a "
                 "guess; add a curve that decays";
}

const struct tw_law tw_law_mpl = {
    .name = "mpl",
    .title = "multi-power law",
    .formula = "L(t) = L0 + A S1^-alpha - B sum_k (eta_(k-1) - eta_k) G_k",
    .source = "Luo et al. 2025, arXiv:2503.12811",
    .about = "G_k = 1 - (1 + C eta_k^-gamma S_k)^-beta. S1 is the sum of the learning rates up to "
             "step t, S_k that from step k to t, both with the warm-up. Each fall of the rate "
             "lowers the loss by B per unit, not at once "
             "but as further steps are made, sooner at a low rate. Few curves do not determine "
             "all seven parameters: beta, gamma and C trade against each other, and the fit with "
             "the lowest objective can forecast worse than one with beta and gamma held. So the "
             "fit compares its restrictions by leaving out each curve in turn (--restrict=auto). "
             "Three curves of unlike schedules are a good start: a constant rate, a decay, and a "
             "rate that falls at once and stays. Known limits as for the annealing law: compare "
             "schedules of equal length and peak.",
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .whole_schedule = true,
    .profile = 1u << ALPHA | 1u << BETA | 1u << GAMMA,
    .restrictions = restrictions,
    .nrestrictions = sizeof restrictions / sizeof restrictions[0],
    .model_alloc = model_alloc,
    .model_free = model_free,
    .memo_alloc = memo_alloc,
    .memo_free = memo_free,
    .predict = predict,
    .annealed = annealed,
    .slow = true,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
    .final = tw_law_mpl_final,
};
