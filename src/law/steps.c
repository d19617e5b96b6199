/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The power law of steps, which knows nothing of learning rates: what a law of curves must
 * beat. The form of a loss curve in Kaplan et al. 2020, arXiv:2001.08361, section 5, with a
 * constant for the irreducible loss:
 *
 *     L(s) = L0 + A s^-alpha,   s steps taken (1 for the schedule's first)
 */
#include <math.h>
#include <stdlib.h>

#include "law_parts.h"
#include "thalweg/law.h"

enum { L0, A, ALPHA, NPARAMS };

static const struct tw_fit_param params[NPARAMS] = {
    [L0] = { "L0", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [A] = { "A", TW_FIT_POSITIVE, 1e-9, 1e9 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-3, 1e2 },
};
static const char *const meanings[NPARAMS] = {
    [L0] = "irreducible loss (nats, or the log's unit)",
    [A] = "size of the power-law part (loss x steps^alpha)",
    [ALPHA] = "exponent of the number of steps",
};

struct model {
    size_t n;
    double *log_s; /* (n) */
};

static void model_free(void *p)
{
    struct model *m = p;

    if (m)
        free(m->log_s);
    free(m);
}

static void *model_alloc(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    struct model *m = tw_alloc(1, sizeof *m);
    size_t k = 0;

    (void)warmup;
    for (size_t c = 0; m && c < n; c++)
        m->n += curves[c].n;
    if (m)
        m->log_s = tw_alloc(m->n, sizeof *m->log_s);
    if (!m || !m->log_s) {
        model_free(m);
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < curves[c].n; i++) {
            const struct tw_schedule *s = curves[c].schedule;
            size_t at;

            if (!tw_schedule_index(s, curves[c].x[i], &at)) {
                (void)tw_err_set(err, TW_EINVAL,
                                 "%s: x = %.17g is no step of the schedule '%s' of %zu steps",
                                 curves[c].name, curves[c].x[i], s->spec, s->n);
                model_free(m);
                return NULL;
            }
            m->log_s[k++] = log((double)(at + 1));
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
        const double power = exp(-theta[ALPHA] * m->log_s[i]);

        y[i] = theta[L0] + theta[A] * power;
        if (jac) {
            double *row = jac + i * NPARAMS;

            row[L0] = 1.0;
            row[A] = power;
            row[ALPHA] = -theta[A] * power * m->log_s[i];
        }
    }
}

/* For a given exponent the law is linear in (L0, A). */
static size_t starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double alphas[] = { 0.05, 0.15, 0.3, 0.45, 0.6, 0.8, 1.1, 1.5 };
    enum { NALPHA = sizeof alphas / sizeof alphas[0] };
    const struct model *m = model;
    double *power = tw_alloc(m->n, 2 * sizeof *power), *one = power ? power + m->n : NULL;
    const double *const column[2] = { one, power };
    struct tw_law_start found[NALPHA];
    size_t n = 0;

    for (size_t a = 0; power && a < NALPHA; a++) {
        struct tw_law_start s;
        double coef[2];

        for (size_t i = 0; i < m->n; i++) {
            one[i] = 1.0;
            power[i] = exp(-alphas[a] * m->log_s[i]);
        }
        s.objective = tw_law_positive_fit(column, 2, y, m->n, true, coef);
        if (!isfinite(s.objective))
            continue;
        /* A part that the line leaves out gets a small place to grow from. */
        s.theta[L0] = fmax(coef[0], 1e-3 * y[0]);
        s.theta[A] = fmax(coef[1], 1e-3 * y[0] / power[0]);
        s.theta[ALPHA] = alphas[a];
        found[n++] = s;
    }
    n = power ? tw_law_best_starts(found, n, NPARAMS, theta, max) : SIZE_MAX;
    free(power);
    return n;
}

static const char *unidentified(const void *model)
{
    const struct model *m = model;

    for (size_t i = 1; i < m->n; i++)
        if (fabs(m->log_s[i] - m->log_s[0]) > 1e-9)
            return NULL;
    return "all points are of one step: A and alpha cannot be told from L0";
}

const struct tw_law tw_law_steps = {
    .name = "steps",
    .title = "power law of steps",
    .formula = "L(s) = L0 + A s^-alpha",
    .source = "Kaplan et al. 2020, arXiv:2001.08361, section 5 (a power law of steps), with a "
              "constant",
    .about = "s is the number of steps taken. The law does not see the learning rate, so every "
             "schedule gets the same curve: it is the baseline that a law with learning rates "
             "must beat on curves that took no part in the fit.",
    .nparams = NPARAMS,
    .params = params,
    .meanings = meanings,
    .profile = 1u << L0 | 1u << ALPHA,
    .model_alloc = model_alloc,
    .model_free = model_free,
    .memo_alloc = memo_alloc,
    .memo_free = memo_free,
    .predict = predict,
    .starts = starts,
    .unidentified = unidentified,
};
