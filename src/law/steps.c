/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Loss as a power of the number of steps alone: what people fit by eye, for comparison. */
#include <math.h>
#include <stdlib.h>

#include "law_parts.h"

enum { L0, A, ALPHA, NPARAMS };

static const struct tw_fit_param params[NPARAMS] = {
    [L0] = { "L0", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [A] = { "A", TW_FIT_POSITIVE, 1e-9, 1e12 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-3, 1e2 },
};
static const char *const meanings[NPARAMS] = {
    [L0] = "irreducible loss (nats, or the log's unit)",
    [A] = "size of the power-law part (loss x steps^alpha)",
    [ALPHA] = "exponent of the number of steps",
};

struct model {
    size_t n;
    double *log_step; /* (n) log of the steps made */
};

static void model_free(void *p)
{
    struct model *m = p;

    if (m)
        free(m->log_step);
    free(m);
}

static void *model_alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    struct model *m = tw_alloc(1, sizeof *m);
    size_t k = 0, at;

    (void)warmup;
    for (size_t c = 0; m && c < n; c++)
        m->n += curves[c].n;
    if (m)
        m->log_step = tw_alloc(m->n, sizeof *m->log_step);
    if (!m || !m->log_step) {
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        model_free(m);
        return NULL;
    }
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < curves[c].n; i++) {
            if (!tw_schedule_index(curves[c].schedule, curves[c].x[i], &at)) {
                (void)tw_law_no_step(&curves[c], curves[c].x[i], err);
                model_free(m);
                return NULL;
            }
            m->log_step[k++] = log((double)at + 1.0);
        }
    return m;
}

/* Nothing is remembered; yet NULL would be a failure. */
static void *memo_alloc(const void *model)
{
    (void)model;
    return tw_alloc(1, 1);
}

static void predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct model *m = model;

    (void)memo;
    for (size_t k = 0; k < m->n; k++) {
        const double power = exp(-theta[ALPHA] * m->log_step[k]);

        y[k] = theta[L0] + theta[A] * power;
        if (jac) {
            double *row = jac + k * NPARAMS;

            row[L0] = 1.0;
            row[A] = power;
            row[ALPHA] = -theta[A] * power * m->log_step[k];
        }
    }
}

static size_t starts(const void *model, const double *y, const double *held, double *theta,
                     size_t max)
{
    static const double alphas[] = { 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4 };
    enum { NALPHA = sizeof alphas / sizeof alphas[0] };
    const struct model *m = model;
    double *power = tw_alloc(m->n, sizeof *power), *none = tw_alloc(m->n, sizeof *none);
    const bool ready = power && none;
    struct tw_law_start found[NALPHA];
    size_t n = 0;

    for (size_t a = 0; ready && a < NALPHA; a++) {
        const double alpha = isnan(held[ALPHA]) ? alphas[a] : held[ALPHA];

        for (size_t k = 0; k < m->n; k++)
            power[k] = exp(-alpha * m->log_step[k]);
        if (!tw_law_linear_start(power, none, y, m->n, &found[n]))
            continue;
        found[n++].theta[ALPHA] = alpha;
    }
    free(power);
    free(none);
    return ready ? tw_law_best_starts(found, n, NPARAMS, theta, max) : SIZE_MAX;
}

static const char *unidentified(const void *model)
{
    (void)model;
    return NULL;
}

const struct tw_law tw_law_steps = {
    .name = "steps",
    .title = "power law of the steps",
    .formula = "L(s) = L0 + A s^-alpha",
    .source = "after Kaplan et al. 2020, arXiv:2001.08361, eq. (1.6)",
    .about = "s counts the steps made, whatever the learning rate was: for comparison with the "
             "laws that know the schedule. With --batch, s = x / batch. A curve whose rate decays "
             "does not follow it.",
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .whole_schedule = true,
    .profile = 1u << ALPHA,
    .model_alloc = model_alloc,
    .model_free = model_free,
    .memo_alloc = memo_alloc,
    .memo_free = free,
    .predict = predict,
    .starts = starts,
    .unidentified = unidentified,
};
