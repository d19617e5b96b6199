/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of laws of runs. */
#include "fitfig_runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- parts that figures share ------------------------------------------------------------------
 */

bool tw_runs_predict(const struct tw_law *law, const double *theta, size_t n,
                     const double *const *input, double *y)
{
    const struct tw_law_curve runs = { .name = "figure", .n = n, .input = input };
    void *model = tw_law_model(law, &runs, 1, TW_WARMUP_SKIP, NULL);
    const bool ok = model && tw_law_predict(law, model, theta, y);

    if (model)
        law->model_free(model);
    return ok;
}

struct tw_runs_range tw_runs_input_range(const struct tw_fit_file *f, size_t k)
{
    struct tw_runs_range r = { INFINITY, -INFINITY };

    for (size_t i = 0; i < f->fit.n; i++) {
        r.lo = fmin(r.lo, f->input[k][i]);
        r.hi = fmax(r.hi, f->input[k][i]);
    }
    return r;
}

/* At `lo` and `hi` and evenly between in the logarithm. */
void tw_runs_spread(double lo, double hi, size_t n, double *x)
{
    for (size_t i = 0; i < n; i++)
        x[i] = lo * pow(hi / lo, (double)i / (double)(n - 1));
}

/* "parameters N"; an input of a law of the user's own may mean nothing but its name. */
void tw_runs_label(const struct tw_law_input *in, char *text, size_t size)
{
    if (strcmp(in->meaning, in->name) != 0)
        (void)snprintf(text, size, "%s %s", in->meaning, in->name);
    else
        (void)snprintf(text, size, "%s", in->name);
}

size_t tw_runs_tables(const struct tw_fit_file *f, const double *x, const double *y,
                      struct tw_figure_layer *layer)
{
    const size_t n = f->n > 6 ? 1 : f->n; /* more than there are colours: all alike */

    for (size_t c = 0; c < n; c++) {
        const size_t a = f->fit.first[c], b = n < f->n ? f->fit.n : f->fit.first[c + 1];

        layer[c] = (struct tw_figure_layer){ .mark = TW_FIGURE_POINTS,
                                             .name = n < f->n || f->n == 1 ? "runs" : f->name[c],
                                             .n = b - a,
                                             .x = x + a,
                                             .y = y + a,
                                             .colour = (int)c + (c > 0),
                                             .thin = c > 0 };
    }
    return n;
}

/* ---- measured against predicted ----------------------------------------------------------------
 */

static enum tw_status agreement(const struct tw_fit_file *f, const char *path,
                                const struct tw_figure_opts *fo, struct tw_err *err)
{
    const struct tw_law_fit *fit = &f->fit;
    struct tw_figure_layer layer[8];
    double line[2] = { INFINITY, -INFINITY };
    size_t n = 1;
    struct tw_figure_plane fig = { .x_label = "predicted loss",
                                   .y_label = "measured loss",
                                   .x_lo = (double)NAN,
                                   .x_hi = (double)NAN,
                                   .y_lo = (double)NAN,
                                   .y_hi = (double)NAN,
                                   .square = true,
                                   .layers = layer };

    for (size_t i = 0; i < fit->n; i++) {
        line[0] = fmin(line[0], fmin(fit->y[i], fit->yhat[i]));
        line[1] = fmax(line[1], fmax(fit->y[i], fit->yhat[i]));
    }
    layer[0] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                         .name = "equal",
                                         .n = 2,
                                         .x = line,
                                         .y = line,
                                         .colour = -1,
                                         .dashed = true };
    n += tw_runs_tables(f, fit->yhat, fit->y, layer + 1);
    fig.n = n;
    return tw_figure_plane(path, &fig, fo, err);
}

/* ---- reducible loss ----------------------------------------------------------------------------
 */

enum { LINE = 80, BAND_MAX = 1000 };

static size_t floor_of(const struct tw_law *law)
{
    size_t j = 0;

    while (j < law->nparams && !(law->floor >> j & 1u))
        j++;
    return j;
}

static bool can_reduce(const struct tw_law *law)
{
    return law->floor && (law->ninputs == 1 || law->optimum);
}

/* The line's inputs at its x: the law's one input, or what spends the compute x best. */
static void inputs_at(const struct tw_law_fit *fit, const double *x, size_t n,
                      double (*input)[LINE])
{
    for (size_t i = 0; i < n; i++) {
        double at[TW_LAW_MAX_INPUTS] = { x[i] };

        if (fit->law->ninputs > 1)
            fit->law->optimum(fit->theta, x[i], at);
        for (size_t k = 0; k < fit->law->ninputs; k++)
            input[k][i] = at[k];
    }
}

/* Percentiles, over replicates, of the law less its floor; false when out of memory. */
static bool reducible_band(const struct tw_law_fit *fit, const double *const *input, double *lo,
                           double *hi)
{
    const size_t j = floor_of(fit->law), np = fit->law->nparams;
    const size_t most = fit->replicates < BAND_MAX ? fit->replicates : BAND_MAX;
    double *y = tw_alloc(most + 1, LINE * sizeof *y), *v = tw_alloc(most + 1, sizeof *v);
    size_t n = 0;
    bool ok = y && v;

    for (size_t b = 0; ok && b < most; b++) {
        const double *theta = fit->theta_boot + b * np;

        if (isnan(theta[0]))
            continue;
        ok = tw_runs_predict(fit->law, theta, LINE, input, y + n * LINE);
        for (size_t i = 0; ok && i < LINE; i++)
            y[n * LINE + i] -= theta[j];
        n++;
    }
    for (size_t i = 0; ok && i < LINE; i++) {
        for (size_t b = 0; b < n; b++)
            v[b] = y[b * LINE + i];
        tw_sort_reals(v, n);
        lo[i] = tw_quantile_sorted(v, n, 0.5 - 0.5 * fit->opts.level);
        hi[i] = tw_quantile_sorted(v, n, 0.5 + 0.5 * fit->opts.level);
    }
    free(y);
    free(v);
    return ok;
}

static enum tw_status reducible(const struct tw_fit_file *f, const char *path,
                                const struct tw_figure_opts *fo, struct tw_err *err)
{
    const struct tw_law_fit *fit = &f->fit;
    const size_t j = floor_of(fit->law);
    const double floor = fit->theta[j];
    const bool one = fit->law->ninputs == 1;
    double *v = tw_alloc(fit->n, 4 * sizeof *v), x[LINE], y[LINE], lo[LINE], hi[LINE];
    double input[TW_LAW_MAX_INPUTS][LINE];
    const double *column[TW_LAW_MAX_INPUTS];
    char x_label[96], y_label[96];
    struct tw_figure_layer layer[3];
    struct tw_figure_plane fig = { .x_label = one ? x_label : "compute C (FLOPs)",
                                   .y_label = y_label,
                                   .log_x = true,
                                   .log_y = true,
                                   .x_lo = (double)NAN,
                                   .x_hi = (double)NAN,
                                   .y_lo = (double)NAN,
                                   .y_hi = (double)NAN,
                                   .layers = layer };
    double least = INFINITY, most = 0.0;
    bool ok = v != NULL;
    enum tw_status rc;

    for (size_t i = 0; ok && i < fit->n; i++) {
        v[i] = one ? f->input[0][i] : 6.0 * f->input[0][i] * f->input[1][i];
        v[fit->n + i] = fit->y[i] - floor;
        v[2 * fit->n + i] = fmax(fit->y[i] - fit->hi[j], 1e-3 * (fit->y[i] - floor));
        v[3 * fit->n + i] = fit->y[i] - fit->lo[j];
        least = fmin(least, v[i]);
        most = fmax(most, v[i]);
    }
    tw_runs_spread(least, most, LINE, x);
    inputs_at(fit, x, LINE, input);
    for (size_t k = 0; k < fit->law->ninputs; k++)
        column[k] = input[k];
    ok = ok && tw_runs_predict(fit->law, fit->theta, LINE, column, y) &&
         reducible_band(fit, column, lo, hi);
    for (size_t i = 0; ok && i < LINE; i++)
        y[i] -= floor;
    tw_runs_label(&fit->law->inputs[0], x_label, sizeof x_label);
    (void)snprintf(y_label, sizeof y_label, "loss − %s", fit->law->params[j].name);
    layer[fig.n++] = (struct tw_figure_layer){ .mark = TW_FIGURE_POINTS,
                                               .name = "runs",
                                               .n = fit->n,
                                               .x = v,
                                               .y = v + fit->n,
                                               .y2 = fit->replicates ? v + 2 * fit->n : NULL,
                                               .y3 = fit->replicates ? v + 3 * fit->n : NULL,
                                               .colour = 0 };
    if (fit->replicates)
        layer[fig.n++] = (struct tw_figure_layer){
            .mark = TW_FIGURE_BAND, .n = LINE, .x = x, .y = lo, .y2 = hi, .colour = 1
        };
    layer[fig.n++] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                               .name = one ? "law" : "law at best N and D",
                                               .n = LINE,
                                               .x = x,
                                               .y = y,
                                               .colour = 1 };
    rc = ok ? tw_figure_plane(path, &fig, fo, err) : tw_err_set(err, TW_ENOMEM, "out of memory");
    free(v);
    return rc;
}

/* ---- which --------------------------------------------------------------------------------------
 */

typedef enum tw_status draw_fn(const struct tw_fit_file *f, const char *path,
                               const struct tw_figure_opts *fo, struct tw_err *err);
static bool any_law(const struct tw_law *law)
{
    return law->ninputs > 0;
}
static const struct kind {
    const char *name;
    bool (*has)(const struct tw_law *law);
    draw_fn *draw;
} kinds[] = {
    { "iso-loss", tw_iso_loss_possible, tw_iso_loss_figure },
    { "reducible", can_reduce, reducible },
    { "agreement", any_law, agreement },
    { "isoflop", tw_isoflop_possible, tw_isoflop_figure },
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };

static const struct kind *find(const struct tw_law *law, const char *name, struct tw_err *err)
{
    struct tw_str has = { 0 };

    for (size_t k = 0; k < KINDS; k++)
        if (kinds[k].has(law) && (!name || !strcmp(name, kinds[k].name)))
            return &kinds[k];
    for (size_t k = 0; k < KINDS; k++)
        if (kinds[k].has(law))
            tw_str_addf(&has, "%s%s", has.n ? ", " : "", kinds[k].name);
    (void)tw_err_set(err, TW_EINVAL, "--figure=%s: the law %s has %s", name ? name : "", law->name,
                     has.n ? has.s : "none of these; they are of laws of runs");
    tw_str_release(&has);
    return NULL;
}

enum tw_status tw_fit_runs_figure_check(const struct tw_law *law, const char *figure,
                                        struct tw_err *err)
{
    return find(law, figure, err) ? TW_OK : TW_EINVAL;
}

enum tw_status tw_fit_runs_figure(const struct tw_fit_file *f, const char *path, const char *figure,
                                  const struct tw_figure_opts *fo, struct tw_err *err)
{
    const bool lines = !tw_iso_loss_possible(f->fit.law) || tw_iso_loss_drawable(f);
    const struct kind *kind = find(f->fit.law, !figure && !lines ? "agreement" : figure, err);

    return kind ? kind->draw(f, path, fo, err) : TW_EINVAL;
}
