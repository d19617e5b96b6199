/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "forecast.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitreport.h"

/* ---- the set --------------------------------------------------------------------------------- */

static double *copy(const double *x, size_t n)
{
    double *y = tw_alloc(n, sizeof *y);

    if (y && n)
        memcpy(y, x, n * sizeof *y);
    return y;
}

enum tw_status tw_forecast_set_add(struct tw_forecast_set *set, const char *name,
                                   const struct tw_schedule *s, double size,
                                   const struct tw_law_curve *curve, struct tw_err *err)
{
    struct tw_forecast *f;

    if (!tw_grow(&set->v, set->n, &set->cap, sizeof *set->v))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    f = &set->v[set->n++];
    *f = (struct tw_forecast){ .schedule = *s, .size = size, .coverage68 = NAN, .coverage95 = NAN };
    f->name = tw_strdup(name);
    f->schedule.spec = tw_strdup(s->spec);
    f->schedule.lr = copy(s->lr, s->n);
    f->correlation = NAN;
    if (curve) {
        f->n = curve->n;
        f->x = copy(curve->x, curve->n);
        f->y = copy(curve->y, curve->n);
    }
    if (!f->name || !f->schedule.spec || !f->schedule.lr || (curve && (!f->x || !f->y)))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    return TW_OK;
}

void tw_forecast_set_release(struct tw_forecast_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        struct tw_forecast *f = &set->v[i];

        free(f->name);
        free(f->x);
        free(f->y);
        tw_schedule_release(&f->schedule);
        tw_law_line_release(&f->line);
        tw_law_line_release(&f->measured);
    }
    free(set->v);
    *set = (struct tw_forecast_set){ 0 };
}

/* ---- computing ------------------------------------------------------------------------------- */

static bool band_alloc(struct tw_law_line *line, size_t n)
{
    line->n = n;
    line->x = tw_alloc(n, 6 * sizeof *line->x);
    if (!line->x)
        return false;
    line->band = (struct tw_law_band){ .y = line->x + n,
                                       .lo68 = line->x + 2 * n,
                                       .hi68 = line->x + 3 * n,
                                       .lo95 = line->x + 4 * n,
                                       .hi95 = line->x + 5 * n };
    return true;
}

/* The law and its bands at the line's x. */
static enum tw_status evaluate(const struct tw_law_fit *fit, const struct tw_forecast_how *how,
                               struct tw_forecast *f, struct tw_law_line *line, struct tw_err *err)
{
    const struct tw_law_curve at = {
        .name = f->name, .n = line->n, .x = line->x, .schedule = &f->schedule, .size = f->size
    };
    struct tw_law_forecast_opts opts = { .seed = how->seed };
    double *shift = NULL, *noise = NULL;
    enum tw_status rc = TW_OK;

    if (how->transfer) {
        shift = tw_alloc(line->n, sizeof *shift);
        if (!shift)
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        rc = tw_law_common_mode(fit, line->x, line->n, shift, &noise, &opts.nnoise, &f->correlation,
                                err);
        opts.shift = shift;
        opts.noise = noise;
    }
    if (rc == TW_OK)
        rc = tw_law_forecast(fit, &at, &opts, &line->band, err);
    free(shift);
    free(noise);
    return rc;
}

static enum tw_status at_measured(const struct tw_law_fit *fit, const struct tw_forecast_how *how,
                                  struct tw_forecast *f, struct tw_err *err)
{
    const struct tw_law_band *b = &f->measured.band;
    enum tw_status rc;

    if (f->n == 0)
        return TW_OK;
    if (!band_alloc(&f->measured, f->n))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    memcpy(f->measured.x, f->x, f->n * sizeof *f->x);
    rc = evaluate(fit, how, f, &f->measured, err);
    if (rc != TW_OK)
        return rc;
    f->score = tw_law_score_of(f->y, b->y, f->n);
    f->coverage68 = tw_law_coverage(f->y, b->lo68, b->hi68, f->n);
    f->coverage95 = tw_law_coverage(f->y, b->lo95, b->hi95, f->n);
    f->final_in_95 = f->y[f->n - 1] >= b->lo95[f->n - 1] && f->y[f->n - 1] <= b->hi95[f->n - 1];
    return TW_OK;
}

static enum tw_status at_one(const struct tw_law_fit *fit, const struct tw_forecast_how *how,
                             struct tw_forecast *f, struct tw_err *err)
{
    const struct tw_schedule *s = &f->schedule;
    struct tw_law_line one = { 0 };
    enum tw_status rc;
    size_t i;

    f->at = isnan(how->at) ? ((double)(s->n - 1) + s->base) * s->batch : how->at;
    if (!tw_schedule_index(s, f->at, &i))
        return tw_err_set(err, TW_EINVAL,
                          "--at=%.10g is no step of this schedule, which runs from %g to %.10g%s",
                          how->at, s->base * s->batch, ((double)(s->n - 1) + s->base) * s->batch,
                          s->batch == 1.0 ? "" : " in whole batches");
    if (!band_alloc(&one, 1))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    one.x[0] = f->at;
    rc = evaluate(fit, how, f, &one, err);
    f->final[0] = one.band.y[0];
    f->final[1] = one.band.lo68[0];
    f->final[2] = one.band.hi68[0];
    f->final[3] = one.band.lo95[0];
    f->final[4] = one.band.hi95[0];
    tw_law_line_release(&one);
    return rc;
}

enum tw_status tw_forecast_run(const struct tw_law_fit *fit, const struct tw_forecast_how *how,
                               struct tw_forecast *f, struct tw_err *err)
{
    const double from = f->n ? f->x[0] : fit->x[0];
    enum tw_status rc;

    rc = tw_law_line_init(&f->line, &f->schedule, from, INFINITY, how->points, err);
    if (rc == TW_OK)
        rc = evaluate(fit, how, f, &f->line, err);
    if (rc == TW_OK)
        rc = at_measured(fit, how, f, err);
    if (rc == TW_OK)
        rc = at_one(fit, how, f, err);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", f->name);
}

/* ---- reporting ----------------------------------------------------------------------------------
 */

void tw_forecast_tell_transfer(struct tw_call *call, const struct tw_law_fit *fit,
                               const struct tw_forecast *f)
{
    if (fit->ncurves < 2)
        tw_cmd_warn(call, "one fitted curve cannot show whether runs share their noise: "
                          "--transfer-residual is taken on trust");
    else if (f->correlation < 0.3)
        tw_cmd_warn(call,
                    "the fitted curves' residuals correlate by %.2f only: they do not share their "
                    "noise, and --transfer-residual adds some",
                    f->correlation);
    else
        tw_cmd_note(call, "the fitted curves' residuals correlate by %.2f; their mean is added",
                    f->correlation);
}

static void final_table(const struct tw_forecast_set *set)
{
    static const char *const head[] = { "schedule", "step",      "loss", "68 % from",
                                        "to",       "95 % from", "to" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 7);
    for (size_t i = 0; i < set->n; i++) {
        const struct tw_forecast *f = &set->v[i];

        tw_table_text(&t, f->name);
        tw_table_real(&t, "%.10g", f->at);
        for (size_t k = 0; k < 5; k++)
            tw_table_real(&t, "%.4f", f->final[k]);
    }
    tw_table_print(&t);
}

static void score_table(const struct tw_forecast_set *set)
{
    const char *head[TW_SCORE_COLUMNS + 4] = { "measured" };
    struct tw_table t = { 0 };
    double sum = 0.0;
    size_t n = 0;

    memcpy(head + 1, tw_score_heads, sizeof tw_score_heads);
    head[TW_SCORE_COLUMNS + 1] = "% in 68";
    head[TW_SCORE_COLUMNS + 2] = "% in 95";
    head[TW_SCORE_COLUMNS + 3] = "final in 95";
    for (size_t i = 0; i < set->n; i++) {
        const struct tw_forecast *f = &set->v[i];

        if (f->n == 0)
            continue;
        if (n++ == 0)
            tw_table_head(&t, head, TW_SCORE_COLUMNS + 4);
        tw_table_text(&t, f->name);
        tw_score_cells(&t, &f->score);
        tw_table_real(&t, "%.0f", 100.0 * f->coverage68);
        tw_table_real(&t, "%.0f", 100.0 * f->coverage95);
        tw_table_text(&t, f->final_in_95 ? "yes" : "no");
        sum += f->score.mae;
    }
    if (n == 0)
        return;
    putchar('\n');
    tw_table_print(&t);
    if (n > 1)
        printf("\nmean MAE over %zu curves: %.5f\n", n, sum / (double)n);
}

static void forecast_json(struct tw_json *j, const struct tw_forecast *f)
{
    static const char *const band[] = { "loss", "lo68", "hi68", "lo95", "hi95" };

    tw_json_open(j, NULL, '{');
    tw_json_text(j, "name", f->name);
    tw_json_text(j, "role", f->n ? "test" : "forecast");
    tw_json_text(j, "schedule", f->schedule.spec);
    if (f->size > 0.0)
        tw_json_real(j, "size", f->size);
    tw_json_real(j, "at", f->at);
    for (size_t k = 0; k < 5; k++)
        tw_json_real(j, band[k], f->final[k]);
    if (f->n) {
        tw_score_json(j, &f->score);
        tw_json_open(j, "coverage", '{');
        tw_json_real(j, "p68", f->coverage68);
        tw_json_real(j, "p95", f->coverage95);
        tw_json_bool(j, "final_in_95", f->final_in_95);
        tw_json_close(j, '}');
    }
    tw_json_open(j, "line", '{');
    tw_json_reals(j, "x", f->line.x, f->line.n);
    tw_json_reals(j, "loss", f->line.band.y, f->line.n);
    tw_json_reals(j, "lo68", f->line.band.lo68, f->line.n);
    tw_json_reals(j, "hi68", f->line.band.hi68, f->line.n);
    tw_json_reals(j, "lo95", f->line.band.lo95, f->line.n);
    tw_json_reals(j, "hi95", f->line.band.hi95, f->line.n);
    tw_json_close(j, '}');
    tw_json_close(j, '}');
}

void tw_forecast_report(struct tw_call *call, const struct tw_law_fit *fit,
                        const struct tw_forecast_set *set)
{
    struct tw_json *j = &call->json;
    double mae = 0.0, in68 = 0.0, in95 = 0.0;
    size_t scored = 0, points = 0;

    for (size_t i = 0; i < set->n; i++) {
        const struct tw_forecast *f = &set->v[i];

        if (f->n == 0)
            continue;
        scored++;
        points += f->n;
        mae += f->score.mae;
        in68 += f->coverage68 * (double)f->n;
        in95 += f->coverage95 * (double)f->n;
    }
    tw_json_text(j, "law", fit->law->name);
    tw_json_open(j, "curves", '[');
    for (size_t i = 0; i < set->n; i++)
        forecast_json(j, &set->v[i]);
    tw_json_close(j, ']');
    tw_json_real(j, "mean_mae", scored ? mae / (double)scored : (double)NAN);
    tw_json_open(j, "coverage", '{'); /* of all measured points */
    tw_json_real(j, "p68", points ? in68 / (double)points : (double)NAN);
    tw_json_real(j, "p95", points ? in95 / (double)points : (double)NAN);
    tw_json_close(j, '}');
    if (call->common.json)
        return;
    final_table(set);
    score_table(set);
}

/* ---- the figure
 * ---------------------------------------------------------------------------------- */

static void forecast_curve(const struct tw_forecast *f, const struct tw_rate_line *rates,
                           struct tw_figure_curve *out)
{
    *out = (struct tw_figure_curve){
        .name = f->name,
        .role = f->n ? "held out" : "forecast",
        .n = f->n,
        .x = f->x,
        .y = f->y,
        .m = f->line.n,
        .line_x = f->line.x,
        .line = f->line.band.y,
        .lo95 = f->line.band.lo95,
        .hi95 = f->line.band.hi95,
        .lo68 = f->line.band.lo68,
        .hi68 = f->line.band.hi68,
        .k = rates->n,
        .lr_x = rates->x,
        .lr = rates->lr,
        .fitted_to = NAN,
    };
}

enum tw_status tw_forecast_figure(const struct tw_fit_file *f, const struct tw_forecast_set *set,
                                  const char *path, const struct tw_fit_figure_opts *look,
                                  const struct tw_figure_opts *fo, struct tw_err *err)
{
    const size_t n = f->n + set->n;
    struct tw_law_line *line = tw_alloc(f->n, sizeof *line);
    struct tw_rate_line *rates = tw_alloc(n, sizeof *rates);
    struct tw_figure_curve *curve = tw_alloc(n, sizeof *curve);
    enum tw_status rc = TW_OK;

    if (!line || !rates || !curve) {
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t c = 0; rc == TW_OK && c < f->n; c++)
        rc = tw_fit_figure_curve(f, c, &line[c], &rates[c], &curve[c], err);
    for (size_t i = 0; rc == TW_OK && i < set->n; i++) {
        rc = tw_rate_line_init(&rates[f->n + i], &set->v[i].schedule, err);
        if (rc == TW_OK)
            forecast_curve(&set->v[i], &rates[f->n + i], &curve[f->n + i]);
    }
    if (rc == TW_OK) {
        const struct tw_figure_curves fig = {
            .x_label = tw_fit_x_label(f),
            .y_label = "loss",
            .n = n,
            .curves = curve,
            .show_lr = true,
            .show_residuals = look->residuals,
            .log_x = look->log_x,
            .log_y = look->log_y,
        };

        rc = tw_figure_curves(path, &fig, fo, err);
    }
out:
    for (size_t c = 0; line && c < f->n; c++)
        tw_law_line_release(&line[c]);
    for (size_t i = 0; rates && i < n; i++)
        tw_rate_line_release(&rates[i]);
    free(line);
    free(rates);
    free(curve);
    return rc;
}

enum tw_status tw_schedule_figure(const struct tw_fit_file *f, const struct tw_forecast_set *set,
                                  const char *path, const struct tw_fit_figure_opts *look,
                                  const struct tw_figure_opts *fo, struct tw_err *err)
{
    struct tw_fit_file none = *f;

    none.n = 0;
    return tw_forecast_figure(&none, set, path, look, fo, err);
}
