/* SPDX-License-Identifier: GPL-3.0-or-later */
/* runs.h - tables of runs to fit: files that lie beside the project and not in it, and made-up
 * ones; and what every law of runs must do. */
#ifndef TESTS_RUNS_H
#define TESTS_RUNS_H

#include <stdio.h>
#include <stdlib.h>

#include "num.h"
#include "thalweg/law.h"

enum { RUNS_MAX = 300 };

struct runs {
    size_t n;
    double input[TW_LAW_MAX_INPUTS][RUNS_MAX], y[RUNS_MAX];
    const double *column[TW_LAW_MAX_INPUTS];
    struct tw_law_curve group;
};

/* Once all rows are in. The struct must stay where it is. */
static inline const struct tw_law_curve *runs_group(struct runs *d)
{
    for (size_t k = 0; k < TW_LAW_MAX_INPUTS; k++)
        d->column[k] = d->input[k];
    d->group = (struct tw_law_curve){ .name = "runs", .n = d->n, .y = d->y, .input = d->column };
    return &d->group;
}

static inline double runs_between(struct tw_rng *rng, double lo, double hi)
{
    return lo + (hi - lo) * tw_rng_real(rng);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* $TW_SHARED, or ../shared seen from the project's root, holds data/scaling. NULL: not there. */
static inline FILE *runs_open(const char *file)
{
    const char *shared = getenv("TW_SHARED");
    char path[512];

    (void)snprintf(path, sizeof path, "%s/data/scaling/%s",
                   shared && *shared ? shared : "../shared", file);
    return fopen(path, "r");
}

/* Cell `k` of a line of plain CSV, into `cell` (64). */
static inline void runs_cell(const char *line, size_t k, char *cell)
{
    size_t n;

    for (; k > 0; k--)
        line = strchr(line, ',') + 1;
    n = strcspn(line, ",\n");
    if (n > 63)
        abort();
    memcpy(cell, line, n);
    cell[n] = '\0';
}

static inline size_t runs_find(const char *head, const char *name)
{
    char cell[64];

    for (size_t k = 0;; k++) {
        runs_cell(head, k, cell);
        if (!strcmp(cell, name))
            return k;
    }
}

static inline void runs_skip(void)
{
    print_message("# ../shared/data/scaling is not there (set TW_SHARED)\n");
    skip();
}

/* ---- fits ------------------------------------------------------------------------------------ */

static inline struct tw_law_fit_opts runs_opts(const struct tw_law *law)
{
    struct tw_law_fit_opts opts = tw_law_fit_defaults();

    opts.loss = law->loss;
    return opts;
}

static inline struct tw_law_fit runs_fit(const struct tw_law *law, struct runs *d,
                                         const struct tw_law_fit_opts *opts)
{
    struct tw_law_fit fit = { 0 };
    struct tw_err err = { 0 };

    if (tw_law_fit_run(law, runs_group(d), 1, opts, &fit, &err) != TW_OK)
        fail_msg("%s", err.msg);
    return fit;
}

/* The loss of every run under theta, into d->y, times exp of normal noise. */
static inline void runs_predict(const struct tw_law *law, const double *theta, double sd,
                                struct tw_rng *rng, struct runs *d)
{
    struct tw_err err = { 0 };
    void *model = tw_law_model(law, runs_group(d), 1, TW_WARMUP_SKIP, &err);

    if (!model || !tw_law_predict(law, model, theta, d->y))
        fail_msg("%s", err.msg);
    law->model_free(model);
    for (size_t i = 0; i < d->n && sd > 0.0; i++)
        d->y[i] *= exp(sd * tw_rng_normal(rng));
}

/* Derivatives against central differences at theta, each relative to its column's largest. */
static inline void runs_check_jacobian(const struct tw_law *law, struct runs *d,
                                       const double *theta)
{
    enum { P = TW_FIT_MAX_PARAMS };
    static double jac[RUNS_MAX * P], y[RUNS_MAX], up[RUNS_MAX], down[RUNS_MAX];
    void *model = tw_law_model(law, runs_group(d), 1, TW_WARMUP_SKIP, NULL);
    void *memo = model ? law->memo_alloc(model) : NULL;
    double t[P];

    assert_non_null(memo);
    memcpy(t, theta, law->nparams * sizeof *t);
    law->predict(model, memo, t, y, jac);
    for (size_t j = 0; j < law->nparams; j++) {
        const double h = 1e-5 * (theta[j] != 0.0 ? fabs(theta[j]) : 1e-3);
        double size = 0.0;

        t[j] = theta[j] + h;
        law->predict(model, memo, t, up, NULL);
        t[j] = theta[j] - h;
        law->predict(model, memo, t, down, NULL);
        t[j] = theta[j];
        for (size_t i = 0; i < d->n; i++)
            size = fmax(size, fabs(jac[i * law->nparams + j]));
        for (size_t i = 0; i < d->n; i++) {
            const double want = (up[i] - down[i]) / (2.0 * h);
            const double got = jac[i * law->nparams + j];

            if (!(fabs(got - want) <= 1e-6 * size + 1e-9 * fabs(y[i]) / h * 1e-2))
                fail_msg("%s: d/d%s of run %zu: %.10g, by differences %.10g", law->name,
                         law->params[j].name, i, got, want);
        }
    }
    law->memo_free(memo);
    law->model_free(model);
}

#endif
