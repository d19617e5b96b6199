/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "run_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- inputs --------------------------------------------------------------------------------- */

void tw_run_table_free(void *table)
{
    struct tw_run_table *t = table;

    if (t)
        free(t->value[0]);
    free(t);
}

struct tw_run_table *tw_run_table_alloc(const struct tw_law_input *inputs, size_t ninputs,
                                        const struct tw_law_curve *runs, size_t n,
                                        struct tw_err *err)
{
    struct tw_run_table *t = tw_alloc(1, sizeof *t);
    size_t at = 0;

    for (size_t c = 0; t && c < n; c++)
        t->n += runs[c].n;
    if (t)
        t->value[0] = tw_alloc(t->n, 2 * ninputs * sizeof *t->value[0]);
    if (!t || !t->value[0]) {
        tw_run_table_free(t);
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    t->ninputs = ninputs;
    for (size_t k = 0; k < ninputs; k++) {
        t->value[k] = t->value[0] + 2 * k * t->n;
        t->log[k] = t->value[k] + t->n;
    }
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < runs[c].n; i++, at++)
            for (size_t k = 0; k < ninputs; k++) {
                const double x = runs[c].input[k][i];

                if (!(x > 0.0) || !isfinite(x)) {
                    (void)tw_err_set(err, TW_EDOMAIN,
                                     "%s: run %zu has %s = %g: it must be positive", runs[c].name,
                                     i + 1, inputs[k].name, x);
                    tw_run_table_free(t);
                    return NULL;
                }
                t->value[k][at] = x;
                t->log[k][at] = log(x);
            }
    return t;
}

bool tw_run_table_constant(const struct tw_run_table *t, size_t k)
{
    for (size_t i = 1; i < t->n; i++)
        if (fabs(t->log[k][i] - t->log[k][0]) > 1e-9)
            return false;
    return true;
}

void *tw_run_memo_alloc(const void *model)
{
    (void)model;
    return tw_alloc(1, 1);
}

void tw_run_memo_free(void *memo)
{
    free(memo);
}

/* ---- starts --------------------------------------------------------------------------------- */

/* Columns (k of t->n each) are the caller's; returns the sum of squares. A part that the line
 * leaves out gets a small place to grow from. */
static double project(const struct tw_law_linear *law, const struct tw_run_table *t,
                      const double *y, double *theta, double *const *column)
{
    double coef[TW_LAW_MAX_COLUMNS], mean = 0.0, objective;
    const double *read[TW_LAW_MAX_COLUMNS];

    for (size_t j = 0; j < law->k; j++)
        read[j] = column[j];
    law->columns(t, theta, column);
    objective = tw_law_positive_fit(read, law->k, y, t->n, law->relative, coef);
    if (!isfinite(objective))
        return INFINITY;
    for (size_t i = 0; i < t->n; i++)
        mean += fabs(y[i]) / (double)t->n;
    for (size_t j = 0; j < law->k; j++) {
        double size = 0.0;

        for (size_t i = 0; i < t->n; i++)
            size = fmax(size, fabs(column[j][i]));
        theta[law->param[j]] = fmax(coef[j], 1e-3 * mean / size);
    }
    return objective;
}

static double *columns_alloc(const struct tw_law_linear *law, const struct tw_run_table *t,
                             double **column)
{
    double *all = tw_alloc(t->n, law->k * sizeof *all);

    for (size_t j = 0; all && j < law->k; j++)
        column[j] = all + j * t->n;
    return all;
}

/* Multiply or divide each shape parameter by `step` while that helps. */
static double search(tw_law_project_fn *project_fn, void *ctx, const size_t *shape, size_t nshape,
                     double step, double *theta, double objective)
{
    for (size_t moves = 0, still = 0; still < nshape && moves < 100; moves++) {
        const size_t j = shape[moves % nshape];
        double best = objective;

        for (int way = 0; way < 2; way++) {
            double try[TW_FIT_MAX_PARAMS], value;

            memcpy(try, theta, sizeof try);
            try[j] *= way ? step : 1.0 / step;
            value = project_fn(ctx, try);
            if (value < best * (1.0 - 1e-9)) {
                best = value;
                memcpy(theta, try, sizeof try);
                break;
            }
        }
        still = best < objective ? 0 : still + 1;
        objective = best;
    }
    return objective;
}

void tw_law_pattern_search(tw_law_project_fn *project_fn, void *ctx, const size_t *shape,
                           size_t nshape, size_t nparams, double *theta)
{
    double at[TW_FIT_MAX_PARAMS] = { 0 }, objective;

    memcpy(at, theta, nparams * sizeof *at);
    for (size_t j = 0; j < nshape; j++) /* from 0 no multiple leads away */
        at[shape[j]] = fmax(at[shape[j]], 1e-3);
    objective = project_fn(ctx, at);
    for (double step = 4.0; step > 1.1; step = sqrt(step))
        objective = search(project_fn, ctx, shape, nshape, step, at, objective);
    memcpy(theta, at, nparams * sizeof *at);
}

struct linear_ctx {
    const struct tw_law_linear *law;
    const struct tw_run_table *t;
    const double *y;
    double *column[TW_LAW_MAX_COLUMNS];
};

static double project_linear(void *ctx, double *theta)
{
    const struct linear_ctx *c = ctx;

    return project(c->law, c->t, c->y, theta, c->column);
}

bool tw_law_linear_project(const struct tw_law_linear *law, const struct tw_run_table *t,
                           const double *y, size_t nparams, double *theta)
{
    struct linear_ctx c = { law, t, y, { NULL } };
    double *all = columns_alloc(law, t, c.column);

    if (all)
        tw_law_pattern_search(project_linear, &c, law->shape, law->nshape, nparams, theta);
    free(all);
    return all != NULL;
}

size_t tw_law_linear_starts(const struct tw_law_linear *law, const struct tw_law_axis *axis,
                            size_t naxes, size_t nparams, const struct tw_run_table *t,
                            const double *y, double *theta, size_t max)
{
    double *column[TW_LAW_MAX_COLUMNS];
    double *all = columns_alloc(law, t, column);
    struct tw_law_start *found;
    size_t points = 1, n = 0;

    for (size_t a = 0; a < naxes; a++)
        points *= axis[a].n;
    found = tw_alloc(points, sizeof *found);
    for (size_t g = 0; found && all && g < points; g++) {
        struct tw_law_start *s = &found[n];
        size_t rest = g;

        *s = (struct tw_law_start){ { 0 }, 0.0 };
        for (size_t a = 0; a < naxes; a++) {
            s->theta[axis[a].param] = axis[a].value[rest % axis[a].n];
            rest /= axis[a].n;
        }
        s->objective = project(law, t, y, s->theta, column);
        n += isfinite(s->objective) ? 1 : 0;
    }
    n = found && all ? tw_law_best_starts(found, n, nparams, theta, max) : SIZE_MAX;
    free(found);
    free(all);
    return n;
}
