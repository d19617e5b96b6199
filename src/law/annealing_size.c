/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The scaling law with learning-rate annealing and model size, fitted to curves of several sizes
 * at once: Tissue, Wang, Wang 2024, arXiv:2408.11029, with its term in N; N^r is how the OLMo
 * ladder (allenai/OLMo-ladder, fitting_functions.py, tissue_fit) lets the gain of annealing depend
 * on the size:
 *
 *     L(s, N) = L0 + A S1(s)^-alpha + B n^-beta - C S2(s) n^r,   n = N / 10^9
 *
 * with S1, S2 as in annealing.c. r = 0 is the paper's law. Its N^-beta and N^r would tie B to beta
 * and C to r by all the factors of ten between 1 and the sizes that were trained; in units of 1e9
 * the numbers B and C mean something, and can be told from the exponents.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "annealing_area.h"
#include "law_parts.h"

#define UNIT 1e9

enum { L0, A, ALPHA, B, BETA, C, R, LAMBDA, NPARAMS };

static const struct tw_fit_param params[NPARAMS] = {
    [L0] = { "L0", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [A] = { "A", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-3, 1e2 },
    [B] = { "B", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [BETA] = { "beta", TW_FIT_POSITIVE, 1e-3, 1e1 },
    [C] = { "C", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [R] = { "r", TW_FIT_BETWEEN, -2.0, 2.0 },
    [LAMBDA] = { "lambda", TW_FIT_BELOW_ONE, 1e-6, 1.0 - 1e-6 },
};
static const char *const meanings[NPARAMS] = {
    [L0] = "irreducible loss (nats, or the log's unit)",
    [A] = "size of the power-law part (loss x rate-sum^alpha)",
    [ALPHA] = "exponent of the sum of learning rates",
    [B] = "what a model of 1e9 parameters loses to an unlimited one",
    [BETA] = "exponent of parameters, with which that falls",
    [C] = "gain per unit of annealing area at 1e9 parameters (loss / rate)",
    [R] = "exponent with which that gain grows with the model",
    [LAMBDA] = "memory of annealing: it lasts 1/(1-lambda) steps",
};
static const struct tw_law_restriction restrictions[] = {
    { "flat", "r = 0: annealing takes off the same at every size", 1u << R, { [R] = 0.0 } },
};

struct model {
    struct tw_area *area;
    double *log_n; /* (area->n) log of N / 1e9 */
    size_t sizes;  /* different ones, to 1 % */
};

static void model_free(void *model)
{
    struct model *m = model;

    if (m) {
        tw_area_free(m->area);
        free(m->log_n);
    }
    free(m);
}

static enum tw_status build(struct model *m, const struct tw_law_curve *curves, size_t n,
                            enum tw_warmup warmup, struct tw_err *err)
{
    size_t k = 0;

    if (tw_law_check_sizes(curves, n, err) != TW_OK)
        return TW_EDOMAIN;
    m->area = tw_area_alloc(curves, n, warmup, err);
    if (!m->area)
        return TW_EINVAL; /* *err says what */
    m->log_n = tw_alloc(m->area->n, sizeof *m->log_n);
    if (!m->log_n)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < curves[c].n; i++)
            m->log_n[k++] = log(curves[c].size / UNIT);
    m->sizes = tw_law_count_sizes(curves, n);
    return TW_OK;
}

static void *model_alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    struct model *m = tw_alloc(1, sizeof *m);

    if (!m)
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
    if (m && build(m, curves, n, warmup, err) != TW_OK) {
        model_free(m);
        return NULL;
    }
    return m;
}

static void *memo_alloc(const void *model)
{
    return tw_area_memo_alloc(((const struct model *)model)->area);
}

static void predict(const void *model, void *memory, const double *theta, double *y, double *jac)
{
    const struct model *m = model;
    struct tw_area_memo *memo = memory;

    tw_area_recall(m->area, memo, theta[LAMBDA]);
    for (size_t k = 0; k < m->area->n; k++) {
        const double log_s1 = m->area->log_s1[k], log_n = m->log_n[k];
        const double power = exp(-theta[ALPHA] * log_s1), finite = exp(-theta[BETA] * log_n);
        const double weight = exp(theta[R] * log_n), gain = weight * memo->s2[k];

        y[k] = theta[L0] + theta[A] * power + theta[B] * finite - theta[C] * gain;
        if (jac) {
            double *row = jac + k * NPARAMS;

            row[L0] = 1.0;
            row[A] = power;
            row[ALPHA] = -theta[A] * power * log_s1;
            row[B] = finite;
            row[BETA] = -theta[B] * finite * log_n;
            row[C] = -gain;
            row[R] = -theta[C] * gain * log_n;
            row[LAMBDA] = -theta[C] * weight * memo->ds2[k];
        }
    }
}

static void annealed(const void *model, void *memory, const double *theta, double *part)
{
    const struct model *m = model;
    struct tw_area_memo *memo = memory;

    tw_area_recall(m->area, memo, theta[LAMBDA]);
    for (size_t k = 0; k < m->area->n; k++)
        part[k] = fmax(0.0, theta[C] * exp(theta[R] * m->log_n[k]) * memo->s2[k]);
}

/* ---- starts ----------------------------------------------------------------------------------
 */

/* Some of the points, enough to choose a start by; and room for the law's columns there. */
struct sample {
    size_t n;
    double *y, *log_s1, *log_n, *s2, *column[4];
};

static bool sample_init(struct sample *s, const struct model *m, const double *y)
{
    enum { ENOUGH = 1500, ARRAYS = 8 };
    const size_t every = 1 + m->area->n / ENOUGH, room = m->area->n / every + 1;
    double *all = tw_alloc(room, ARRAYS * sizeof *all);

    *s = (struct sample){ .y = all };
    if (!all)
        return false;
    s->log_s1 = all + room;
    s->log_n = all + 2 * room;
    s->s2 = all + 3 * room;
    for (size_t j = 0; j < 4; j++)
        s->column[j] = all + (4 + j) * room;
    for (size_t k = 0; k < m->area->n; k += every, s->n++) {
        s->y[s->n] = y[k];
        s->log_s1[s->n] = m->area->log_s1[k];
        s->log_n[s->n] = m->log_n[k];
    }
    return true;
}

static void sample_area(struct sample *s, const struct model *m, struct tw_area_memo *memo,
                        double lambda)
{
    const size_t every = s->n ? (m->area->n + s->n - 1) / s->n : 1;

    tw_area_recall(m->area, memo, lambda);
    for (size_t i = 0; i < s->n; i++)
        s->s2[i] = memo->s2[i * every];
}

/* Given its exponents and memory the law is linear in (L0, A, B, C), all kept positive. A part
 * that the fit leaves out gets a small place to grow from. */
static double linear_part(struct sample *s, bool falls, double *theta)
{
    const double *const column[] = { s->column[0], s->column[1], s->column[2], s->column[3] };
    static const size_t param[] = { L0, A, B, C };
    double coef[4] = { 0 }, objective, mean = 0.0;

    for (size_t i = 0; i < s->n; i++) {
        s->column[0][i] = 1.0;
        s->column[1][i] = exp(-theta[ALPHA] * s->log_s1[i]);
        s->column[2][i] = exp(-theta[BETA] * s->log_n[i]);
        s->column[3][i] = -exp(theta[R] * s->log_n[i]) * s->s2[i];
        mean += s->y[i] / (double)s->n;
    }
    objective = tw_law_positive_fit(column, falls ? 4 : 3, s->y, s->n, true, coef);
    for (size_t j = 0; j < 4; j++) {
        double largest = 1e-300;

        for (size_t i = 0; i < s->n; i++)
            largest = fmax(largest, fabs(s->column[j][i]));
        theta[param[j]] = fmax(coef[j], 1e-3 * mean / largest);
    }
    return isfinite(objective) ? objective : (double)INFINITY;
}

/* Every point of the grid that is best for its memory and its beta is a start. */
static size_t search(struct sample *s, const struct model *m, struct tw_area_memo *memo,
                     struct tw_law_start *found)
{
    static const double alphas[] = { 0.15, 0.3, 0.45, 0.7, 1.1 };
    static const double betas[] = { 0.1, 0.2, 0.35, 0.6 };
    static const double rs[] = { -0.2, 0.0, 0.2 };
    enum { NALPHA = 5, NBETA = 4, NR = 3, NLAMBDA = 8 };
    size_t n = 0;

    for (size_t g = 0; g < (size_t)NLAMBDA * NBETA; g++) {
        const size_t step = g / NBETA;
        const double lambda = 1.0 - pow(10.0, -1.0 - 3.5 * (double)step / (NLAMBDA - 1));
        struct tw_law_start best = { .objective = INFINITY };

        sample_area(s, m, memo, lambda);
        for (size_t h = 0; h < (size_t)NALPHA * NR; h++) {
            struct tw_law_start try = { .theta = { [ALPHA] = alphas[h / NR],
                                                   [BETA] = betas[g % NBETA],
                                                   [R] = rs[h % NR],
                                                   [LAMBDA] = lambda } };

            try.objective = linear_part(s, m->area->falls, try.theta);
            if (try.objective < best.objective)
                best = try;
        }
        if (isfinite(best.objective))
            found[n++] = best;
    }
    return n;
}

static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    const struct model *m = model;
    struct tw_area_memo *memo = memo_alloc(m);
    struct tw_law_start found[32];
    struct sample s;
    const bool ready = sample_init(&s, m, y) && memo;
    size_t n = SIZE_MAX;

    if (ready)
        n = tw_law_best_starts(found, search(&s, m, memo, found), NPARAMS, theta, max);
    free(s.y);
    tw_area_memo_free(memo);
    return n;
}

static bool project(const void *model, const double *y, double *theta)
{
    const struct model *m = model;
    struct tw_area_memo *memo = memo_alloc(m);
    struct sample s;
    const bool ready = sample_init(&s, m, y) && memo;

    if (ready) {
        sample_area(&s, m, memo, theta[LAMBDA]);
        (void)linear_part(&s, m->area->falls, theta);
    }
    free(s.y);
    tw_area_memo_free(memo);
    return ready;
}

static const char *unidentified(const void *model)
{
    const struct model *m = model;

    if (m->sizes < 2)
        return "all curves are of one size N: B, beta and r cannot be told from L0 and C; add "
               "curves of other sizes, or fit the law annealing";
    if (m->sizes < 3)
        return "the curves are of two sizes N: L0, B and beta are three numbers for two sizes, and "
               "a forecast for another size would be a guess; add curves of a third size";
    return m->area->falls
               ? NULL
               : "no curve's learning rate changes: C, r and lambda cannot be told from these "
                 "data, and a forecast of a schedule that anneals would be a guess; add a curve "
                 "that decays";
}

const struct tw_law tw_law_annealing_size = {
    .name = "annealing-size",
    .title = "annealing law with model size",
    .formula = "L(s, N) = L0 + A S1^-alpha + B n^-beta - C S2 n^r",
    .source =
        "Tissue, Wang, Wang 2024, arXiv:2408.11029; N^r as in allenai/OLMo-ladder, tissue_fit",
    .about =
        "Curves of several sizes at once: S1, S2 and lambda are those of the law annealing, "
        "and n = N / 1e9 is the size of each curve's model in billions of parameters; N itself is "
        "what you give. Each curve's N is a column of "
        "its log, a column of the table of schedules, or --size. The restriction flat, r = 0, "
        "is the paper's law: annealing takes off the same at every size. Three sizes are the "
        "least. S1 sums rates over steps: where batch size or peak rate differ between sizes, "
        "as they mostly do, the same S1 is not the same training, and what that does lands "
        "in B and beta; so hold out the largest size (thalweg compare-laws "
        "--hold-out=largest) before you trust a forecast for a larger one.",
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .sized = true,
    .profile = 1u << ALPHA | 1u << BETA | 1u << R,
    .restrictions = restrictions,
    .nrestrictions = sizeof restrictions / sizeof restrictions[0],
    .model_alloc = model_alloc,
    .model_free = model_free,
    .memo_alloc = memo_alloc,
    .memo_free = tw_area_memo_free,
    .predict = predict,
    .annealed = annealed,
    /* L0, B and beta share what few sizes tell: hard to tell apart, and yet the others' curves
     * say what another one of these sizes does. */
    .max_condition = 1e7,
    .slow = true,
    .starts = starts,
    .project = project,
    .unidentified = unidentified,
};
