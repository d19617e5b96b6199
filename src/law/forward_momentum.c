/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The forward-momentum law of Wang et al. 2025, arXiv:2512.13705, without and with model size, as
 * its authors' program computes it (github.com/xmed-lab/fm-annealing):
 *
 *     L(s) = L0 + A S1^-alpha [+ B n^-beta] - C M
 *     d_i = eta_{i-1} - eta_i,   m_i = b1 m_{i-1} + (1 - b1) d_i,   v_i = b2 v_{i-1} + (1 - b2)
 * d_i^2 M = sum_{i<=s} (m_i / (1 - b1^(i+1))) / (sqrt(1e5 v_i / (1 - b2^(i+1)) + e) + e)
 *
 * with b1 = 0.9, b2 = 0.999, e = 1e-8 and i = 0 the first step. Its text prints + lambda_M M and no
 * bias corrections, factor 1e5 or second e; we take the program's. The program multiplies d_i by
 * the distance of logged points; here every step counts, so that nothing depends on how often a
 * loss was logged. It takes residuals of the loss, we those of its logarithm, as for other laws of
 * curves. n = N / 10^9 as in annealing_size.c.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "annealing_area.h"
#include "law_parts.h"

#define BETA1 0.9
#define BETA2 0.999
#define EPS   1e-8
#define SCALE 1e5
#define UNIT  1e9

enum { L0, A, ALPHA, C, B, BETA, WITH_SIZE, WITHOUT_SIZE = B };

static const struct tw_fit_param params[WITH_SIZE] = {
    [L0] = { "L0", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [A] = { "A", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-3, 1e2 },
    [C] = { "C", TW_FIT_POSITIVE, 1e-15, 1e9 },
    [B] = { "B", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [BETA] = { "beta", TW_FIT_POSITIVE, 1e-3, 1e1 },
};
static const char *const meanings[WITH_SIZE] = {
    [L0] = "irreducible loss (nats, or the log's unit)",
    [A] = "size of the power-law part (loss x rate-sum^alpha)",
    [ALPHA] = "exponent of the sum of learning rates",
    [C] = "gain per unit of annealing momentum",
    [B] = "what a model of 1e9 parameters loses to an unlimited one",
    [BETA] = "exponent of parameters, with which that falls",
};

struct model {
    struct tw_area *area; /* of which S1 and whether rates fall are used */
    double *momentum;     /* (area->n) M */
    double *log_n;        /* (area->n) log of N / 1e9; NULL: without size */
    size_t sizes;
};

static void model_free(void *model)
{
    struct model *m = model;

    if (m) {
        tw_area_free(m->area);
        free(m->momentum);
        free(m->log_n);
    }
    free(m);
}

/* M at the curve's points, which are steps of its schedule, as tw_area_alloc saw. */
static void momentum(const struct tw_law_curve *c, enum tw_warmup warmup, double *out)
{
    const struct tw_schedule *s = c->schedule;
    double m = 0.0, v = 0.0, sum = 0.0, rest1 = BETA1, rest2 = BETA2;
    size_t next = 0, at = 0;

    for (size_t i = 0; next < c->n && i < s->n; i++) {
        if (i > 0) {
            const bool skipped = warmup == TW_WARMUP_SKIP && i <= s->warm_end;
            const double d = skipped ? 0.0 : s->lr[i - 1] - s->lr[i];

            rest1 *= BETA1;
            rest2 *= BETA2;
            m = BETA1 * m + (1.0 - BETA1) * d;
            v = BETA2 * v + (1.0 - BETA2) * d * d;
            sum += m / (1.0 - rest1) / (sqrt(SCALE * v / (1.0 - rest2) + EPS) + EPS);
        }
        if (tw_schedule_index(s, c->x[next], &at) && at == i)
            out[next++] = sum;
    }
}

static enum tw_status build(struct model *m, const struct tw_law_curve *curves, size_t n,
                            enum tw_warmup warmup, bool sized, struct tw_err *err)
{
    size_t k = 0;

    if (sized && tw_law_check_sizes(curves, n, err) != TW_OK)
        return TW_EDOMAIN;
    m->area = tw_area_alloc(curves, n, warmup, err);
    if (!m->area)
        return TW_EINVAL; /* *err says what */
    m->momentum = tw_alloc(m->area->n, sizeof *m->momentum);
    if (sized)
        m->log_n = tw_alloc(m->area->n, sizeof *m->log_n);
    if (!m->momentum || (sized && !m->log_n))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t c = 0; c < n; c++) {
        momentum(&curves[c], warmup, m->momentum + k);
        for (size_t i = 0; i < curves[c].n; i++, k++)
            if (sized)
                m->log_n[k] = log(curves[c].size / UNIT);
    }
    m->sizes = sized ? tw_law_count_sizes(curves, n) : 1;
    return TW_OK;
}

static void *alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup, bool sized,
                   struct tw_err *err)
{
    struct model *m = tw_alloc(1, sizeof *m);

    if (!m)
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
    if (m && build(m, curves, n, warmup, sized, err) != TW_OK) {
        model_free(m);
        return NULL;
    }
    return m;
}

static void *model_alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    return alloc(curves, n, warmup, false, err);
}

static void *model_alloc_sized(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                               struct tw_err *err)
{
    return alloc(curves, n, warmup, true, err);
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
    const size_t np = m->log_n ? WITH_SIZE : WITHOUT_SIZE;

    (void)memo;
    for (size_t k = 0; k < m->area->n; k++) {
        const double log_s1 = m->area->log_s1[k], power = exp(-theta[ALPHA] * log_s1);
        const double finite = m->log_n ? exp(-theta[BETA] * m->log_n[k]) : 0.0;
        double *row = jac ? jac + k * np : NULL;

        y[k] = theta[L0] + theta[A] * power - theta[C] * m->momentum[k];
        if (m->log_n)
            y[k] += theta[B] * finite;
        if (row) {
            row[L0] = 1.0;
            row[A] = power;
            row[ALPHA] = -theta[A] * power * log_s1;
            row[C] = -m->momentum[k];
        }
        if (row && m->log_n) {
            row[B] = finite;
            row[BETA] = -theta[B] * finite * m->log_n[k];
        }
    }
}

static void annealed(const void *model, void *memo, const double *theta, double *part)
{
    const struct model *m = model;

    (void)memo;
    for (size_t k = 0; k < m->area->n; k++)
        part[k] = fmax(0.0, theta[C] * m->momentum[k]);
}

/* ---- starts --------------------------------------------------------------------------------- */

/* For given exponents the law is linear in the rest; a part that the fit leaves out gets a small
 * place to grow from. */
static double linear_part(const struct model *m, const double *y, double *const *column,
                          double *theta)
{
    static const size_t param[] = { L0, A, B, C };
    const double *used[4];
    size_t index[4] = { 0 }, k = 0, n = m->area->n;
    double coef[4] = { 0 }, objective, mean = 0.0;

    for (size_t i = 0; i < n; i++) {
        column[0][i] = 1.0;
        column[1][i] = exp(-theta[ALPHA] * m->area->log_s1[i]);
        column[2][i] = m->log_n ? exp(-theta[BETA] * m->log_n[i]) : 0.0;
        column[3][i] = -m->momentum[i];
        mean += y[i] / (double)n;
    }
    for (size_t j = 0; j < 4; j++)
        if ((j != 2 || m->log_n) && (j != 3 || m->area->falls)) {
            index[k] = j;
            used[k++] = column[j];
        }
    objective = tw_law_positive_fit(used, k, y, n, true, coef);
    for (size_t j = 0; j < k; j++) {
        double largest = 1e-300;

        for (size_t i = 0; i < n; i++)
            largest = fmax(largest, fabs(used[j][i]));
        theta[param[index[j]]] = fmax(coef[j], 1e-3 * mean / largest);
    }
    if (!m->area->falls)
        theta[C] = 1e-3;
    return isfinite(objective) ? objective : (double)INFINITY;
}

static double *columns_alloc(const struct model *m, double **column)
{
    double *all = tw_alloc(m->area->n, 4 * sizeof *all);

    for (size_t j = 0; all && j < 4; j++)
        column[j] = all + j * m->area->n;
    return all;
}

static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double alphas[] = { 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4 };
    static const double betas[] = { 0.1, 0.25, 0.5 };
    enum { NALPHA = sizeof alphas / sizeof alphas[0], NBETA = sizeof betas / sizeof betas[0] };
    const struct model *m = model;
    struct tw_law_start found[NALPHA * NBETA];
    double *column[4], *all = columns_alloc(m, column);
    size_t n = 0;

    for (size_t g = 0; all && g < (size_t)NALPHA * (m->log_n ? NBETA : 1); g++) {
        struct tw_law_start s = { .theta = {
                                      [ALPHA] = alphas[g % NALPHA], [BETA] = betas[g / NALPHA] } };

        s.objective = linear_part(m, y, column, s.theta);
        if (isfinite(s.objective))
            found[n++] = s;
    }
    free(all);
    return all ? tw_law_best_starts(found, n, m->log_n ? WITH_SIZE : WITHOUT_SIZE, theta, max)
               : SIZE_MAX;
}

static bool project(const void *model, const double *y, double *theta)
{
    const struct model *m = model;
    double full[TW_FIT_MAX_PARAMS] = { 0 };
    double *column[4], *all = columns_alloc(m, column);
    const size_t np = m->log_n ? WITH_SIZE : WITHOUT_SIZE;

    memcpy(full, theta, np * sizeof *theta);
    if (all)
        (void)linear_part(m, y, column, full);
    memcpy(theta, full, np * sizeof *theta);
    free(all);
    return all != NULL;
}

static const char *unidentified(const void *model)
{
    const struct model *m = model;

    if (m->log_n && m->sizes < 3)
        return "the curves are of fewer than three sizes N: L0, B and beta cannot be told apart; "
               "add curves of other sizes, or fit the law forward-momentum";
    return m->area->falls ? NULL
                          : "no curve's learning rate changes: C cannot be told from these data, "
                            "and a forecast of a schedule that anneals would be a guess; add a "
                            "curve that decays";
}

#define ABOUT                                                                                      \
    "S1 is the sum of the learning rates up to step s. M sums, over the steps, the falls of the "  \
    "rate smoothed and divided by their size as the Adam optimiser does with gradients (0.9, "     \
    "0.999). The source's text and its program differ: the text adds lambda_M M and leaves out "   \
    "the bias corrections, the factor 1e5 under the root and the 1e-8 beside it; we take the "     \
    "program's, which subtracts C M. Unlike the program we count every step, not logged points, "  \
    "and take residuals of the logarithm. Nothing in M is fitted: with falls of less than 1e-7 a " \
    "step, as in long cosines, M is 1e4 times how far the rate has fallen, and so has no memory."

const struct tw_law tw_law_forward_momentum = {
    .name = "forward-momentum",
    .title = "law with forward effect and annealing momentum",
    .formula = "L(s) = L0 + A S1^-alpha - C M",
    .source = "Wang et al. 2025, arXiv:2512.13705; M as in github.com/xmed-lab/fm-annealing",
    .about = ABOUT,
    .nparams = WITHOUT_SIZE,
    .params = params,
    .meanings = meanings,
    .profile = 1u << L0 | 1u << ALPHA,
    .model_alloc = model_alloc,
    .model_free = model_free,
    .memo_alloc = memo_alloc,
    .memo_free = memo_free,
    .predict = predict,
    .annealed = annealed,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};

const struct tw_law tw_law_forward_momentum_size = {
    .name = "forward-momentum-size",
    .title = "forward-momentum law with model size",
    .formula = "L(s, N) = L0 + A S1^-alpha + B n^-beta - C M",
    .source = "Wang et al. 2025, arXiv:2512.13705; M as in github.com/xmed-lab/fm-annealing",
    .about = ABOUT " n = N / 1e9; sizes come from where those of annealing-size do.",
    .nparams = WITH_SIZE,
    .params = params,
    .meanings = meanings,
    .sized = true,
    .profile = 1u << ALPHA | 1u << BETA,
    .model_alloc = model_alloc_sized,
    .model_free = model_free,
    .memo_alloc = memo_alloc,
    .memo_free = memo_free,
    .predict = predict,
    .annealed = annealed,
    .max_condition = 1e7, /* as for annealing-size */
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};
