/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fitfig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static double log_x(const struct tw_schedule *s, size_t i)
{
    return ((double)i + s->base) * s->batch;
}

/* Does the rate jump at step i: by more than a tenth of the largest rate? */
static bool jumps(const struct tw_schedule *s, size_t i, double top)
{
    return i > 0 && fabs(s->lr[i] - s->lr[i - 1]) > 0.1 * top;
}

static double largest(const struct tw_schedule *s)
{
    double top = 0.0;

    for (size_t i = 0; i < s->n; i++)
        top = fmax(top, s->lr[i]);
    return top;
}

/* The steps of [first, end) that are drawn, into step (or only counted if NULL). */
static size_t choose_steps(const struct tw_schedule *s, size_t first, size_t end, size_t points,
                           size_t *step)
{
    const double top = largest(s);
    const size_t stride = end > first ? (end - first) / points + 1 : 1;
    size_t n = 0;

    for (size_t i = first; i < end; i++)
        if ((i - first) % stride == 0 || i + 1 == end || jumps(s, i, top) ||
            (i + 1 < end && jumps(s, i + 1, top))) {
            if (step)
                step[n] = i;
            n++;
        }
    return n;
}

enum tw_status tw_law_line_init(struct tw_law_line *line, const struct tw_schedule *s, double from,
                                double to, size_t points, struct tw_err *err)
{
    size_t first = 0, end = s->n, n, *step;

    *line = (struct tw_law_line){ 0 };
    while (first + 1 < s->n && (log_x(s, first) < from || s->lr[first] <= 0.0))
        first++;
    while (end > first + 1 && log_x(s, end - 1) > to)
        end--;
    n = choose_steps(s, first, end, points, NULL);
    step = tw_alloc(n, sizeof *step);
    line->x = tw_alloc(n, 6 * sizeof *line->x);
    if (!step || !line->x) {
        free(step);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    line->n = choose_steps(s, first, end, points, step);
    line->band = (struct tw_law_band){ .y = line->x + n,
                                       .lo68 = line->x + 2 * n,
                                       .hi68 = line->x + 3 * n,
                                       .lo95 = line->x + 4 * n,
                                       .hi95 = line->x + 5 * n };
    for (size_t k = 0; k < n; k++)
        line->x[k] = log_x(s, step[k]);
    free(step);
    return TW_OK;
}

void tw_law_line_release(struct tw_law_line *line)
{
    free(line->x);
    *line = (struct tw_law_line){ 0 };
}

/* ---- rates --------------------------------------------------------------------------------- */

enum tw_status tw_rate_line_init(struct tw_rate_line *line, const struct tw_schedule *s,
                                 struct tw_err *err)
{
    const size_t n = choose_steps(s, 0, s->n, 400, NULL);
    size_t *step = tw_alloc(n, sizeof *step);

    *line = (struct tw_rate_line){ .n = n, .x = tw_alloc(n, 2 * sizeof *line->x) };
    if (!step || !line->x) {
        free(step);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    line->lr = line->x + n;
    (void)choose_steps(s, 0, s->n, 400, step);
    for (size_t k = 0; k < n; k++) {
        line->x[k] = log_x(s, step[k]);
        line->lr[k] = s->lr[step[k]];
    }
    free(step);
    return TW_OK;
}

void tw_rate_line_release(struct tw_rate_line *line)
{
    free(line->x);
    *line = (struct tw_rate_line){ 0 };
}

/* ---- figures ------------------------------------------------------------------------------- */

enum tw_status tw_fit_figure_curve(const struct tw_fit_file *f, size_t c, struct tw_law_line *line,
                                   struct tw_rate_line *rates, struct tw_figure_curve *out,
                                   struct tw_err *err)
{
    const struct tw_law_fit *fit = &f->fit;
    const size_t a = fit->first[c], n = fit->first[c + 1] - a;
    const struct tw_schedule *s = &f->schedule[c];
    struct tw_law_curve at = { .name = f->name[c], .schedule = s, .size = f->size[c] };
    struct tw_law_forecast_opts opts = { 0 };
    struct tw_law_band line_only;
    enum tw_status rc;

    rc = tw_law_line_init(line, s, n ? fit->x[a] : 0.0, n ? fit->x[a + n - 1] : 0.0, 400, err);
    if (rc == TW_OK)
        rc = tw_rate_line_init(rates, s, err);
    if (rc != TW_OK)
        return rc;
    at.x = line->x;
    at.n = line->n;
    line_only = (struct tw_law_band){ .y = line->band.y };
    rc = tw_law_forecast(fit, &at, &opts, &line_only, err);
    *out = (struct tw_figure_curve){
        .name = f->name[c],
        .role = "fitted",
        .n = n,
        .x = fit->x + a,
        .y = fit->y + a,
        .m = line->n,
        .line_x = line->x,
        .line = line->band.y,
        .k = rates->n,
        .lr_x = rates->x,
        .lr = rates->lr,
        .fitted_to = (double)NAN, /* the line ends where the points do */
    };
    return rc;
}

const char *tw_fit_x_label(const struct tw_fit_file *f)
{
    for (size_t c = 0; c < f->n; c++)
        if (f->schedule[c].batch != 1.0) /* exactly: as given */
            return "tokens or samples";
    return "training step";
}

enum tw_status tw_fit_figure(const struct tw_fit_file *f, const char *path,
                             const struct tw_fit_figure_opts *look, const struct tw_figure_opts *fo,
                             struct tw_err *err)
{
    struct tw_law_line *line;
    struct tw_rate_line *rates;
    struct tw_figure_curve *curve;
    enum tw_status rc = TW_OK;

    if (f->fit.law->ninputs)
        return tw_fit_runs_figure(f, path, look->figure, fo, err);
    if (look->figure)
        return tw_fit_runs_figure_check(f->fit.law, look->figure, err);
    line = tw_alloc(f->n, sizeof *line);
    rates = tw_alloc(f->n, sizeof *rates);
    curve = tw_alloc(f->n, sizeof *curve);

    if (!line || !rates || !curve) {
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t c = 0; rc == TW_OK && c < f->n; c++)
        rc = tw_fit_figure_curve(f, c, &line[c], &rates[c], &curve[c], err);
    if (rc == TW_OK) {
        struct tw_figure_curves fig = {
            .x_label = tw_fit_x_label(f),
            .y_label = "loss",
            .n = f->n,
            .curves = curve,
            .show_lr = true,
            .show_residuals = look->residuals,
            .log_x = look->log_x,
            .log_y = look->log_y,
        };

        rc = tw_figure_curves(path, &fig, fo, err);
    }
out:
    for (size_t c = 0; line && rates && c < f->n; c++) {
        tw_law_line_release(&line[c]);
        tw_rate_line_release(&rates[c]);
    }
    free(line);
    free(rates);
    free(curve);
    return rc;
}

enum tw_status tw_fit_profile_figure(const struct tw_fit_file *f, const char *path,
                                     const struct tw_figure_opts *fo, struct tw_err *err)
{
    const struct tw_law_fit *fit = &f->fit;
    struct tw_figure_profile p[TW_FIT_MAX_PARAMS];

    if (fit->nprofiles == 0)
        return tw_err_set(err, TW_EINVAL,
                          "the fit has no profiles: fit with --profile=alpha,lambda");
    for (size_t i = 0; i < fit->nprofiles; i++) {
        const struct tw_law_profile *q = &fit->profiles[i];
        const struct tw_fit_param *param = &fit->law->params[q->param];

        p[i] = (struct tw_figure_profile){
            .name = param->name,
            .n = q->n,
            .x = q->x,
            .rise = q->rise,
            .best = fit->theta[q->param],
            .lo = q->lo,
            .hi = q->hi,
            .threshold = q->threshold,
            .log_distance_to_one = param->bound == TW_FIT_BELOW_ONE,
        };
    }
    return tw_figure_profiles(path, p, fit->nprofiles, fo, err);
}
