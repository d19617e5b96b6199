/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "forecast_runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitreport.h"
#include "given.h"

/* n runs, their inputs by column, and what the law says of them. */
struct group {
    size_t n;
    const double *column[TW_LAW_MAX_INPUTS];
    double *values; /* of `column` where it is ours */
    double *out;    /* (5 n): y, lo68, hi68, lo95, hi95 */
    struct tw_law_band band;
};

static void group_release(struct group *g)
{
    free(g->values);
    free(g->out);
}

static enum tw_status evaluate(const struct tw_law_fit *fit, struct group *g, uint64_t seed,
                               struct tw_err *err)
{
    const struct tw_law_curve runs = { .name = "runs", .n = g->n, .input = g->column };
    const struct tw_law_forecast_opts opts = { .seed = seed };

    g->out = tw_alloc(g->n, 5 * sizeof *g->out);
    if (!g->out)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    g->band = (struct tw_law_band){ .y = g->out,
                                    .lo68 = g->out + g->n,
                                    .hi68 = g->out + 2 * g->n,
                                    .lo95 = g->out + 3 * g->n,
                                    .hi95 = g->out + 4 * g->n };
    return tw_law_forecast(fit, &runs, &opts, &g->band, err);
}

static enum tw_status parse(const struct tw_law *law, const struct tw_opt_list *list,
                            struct group *g, struct tw_err *err)
{
    double value[TW_LAW_MAX_INPUTS];

    g->n = list->n;
    g->values = tw_alloc(g->n * law->ninputs, sizeof *g->values);
    if (!g->values)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; k < law->ninputs; k++)
        g->column[k] = g->values + k * g->n;
    for (size_t i = 0; i < list->n; i++) {
        if (tw_run_parse(law, list->v[i], value, err) != TW_OK)
            return TW_EINVAL;
        for (size_t k = 0; k < law->ninputs; k++)
            g->values[k * g->n + i] = value[k];
    }
    return TW_OK;
}

static void report(struct tw_call *call, const struct tw_law *law, const struct group *g)
{
    static const char *const band[] = { "loss", "lo68", "hi68", "lo95", "hi95" };
    const char *head[TW_LAW_MAX_INPUTS + 5];
    struct tw_json *j = &call->json;
    struct tw_table t = { 0 };

    for (size_t k = 0; k < law->ninputs; k++)
        head[k] = law->inputs[k].name;
    memcpy(head + law->ninputs,
           (const char *const[]){ "loss", "68 % from", "to", "95 % from", "to" }, 5 * sizeof *head);
    tw_table_head(&t, head, law->ninputs + 5);
    tw_json_open(j, "runs", '[');
    for (size_t i = 0; i < g->n; i++) {
        tw_json_open(j, NULL, '{');
        for (size_t k = 0; k < law->ninputs; k++) {
            tw_table_real(&t, "%.6g", g->column[k][i]);
            tw_json_real(j, law->inputs[k].name, g->column[k][i]);
        }
        for (size_t b = 0; b < 5; b++) {
            tw_table_real(&t, "%.4f", g->out[b * g->n + i]);
            tw_json_real(j, band[b], g->out[b * g->n + i]);
        }
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    if (call->common.json)
        tw_str_release(&t.cells);
    else
        tw_table_print(&t);
}

/* Beyond the largest fitted input a law of powers is an extrapolation. */
static void warn_far(struct tw_call *call, const struct tw_fit_file *f, const struct group *g)
{
    for (size_t k = 0; k < f->fit.law->ninputs; k++) {
        double most = 0.0, far = 0.0;

        for (size_t i = 0; i < f->fit.n; i++)
            most = fmax(most, f->input[k][i]);
        for (size_t i = 0; i < g->n; i++)
            far = fmax(far, g->column[k][i]);
        if (far > 10.0 * most)
            tw_cmd_warn(call,
                        "%s = %.3g is %.0f times the largest fitted: the bands hold only if the "
                        "law does so far out",
                        f->fit.law->inputs[k].name, far, far / most);
    }
}

static enum tw_status score(struct tw_call *call, const struct tw_fit_file *f,
                            const struct tw_run_forecast *o, struct tw_err *err)
{
    const char *head[TW_SCORE_COLUMNS + 3] = { "table" };
    struct tw_curve_set set = { 0 };
    struct tw_table t = { 0 };
    enum tw_status rc = TW_OK;

    memcpy(head + 1, tw_score_heads, sizeof tw_score_heads);
    head[TW_SCORE_COLUMNS + 1] = "in 68 %";
    head[TW_SCORE_COLUMNS + 2] = "in 95 %";
    tw_table_head(&t, head, TW_SCORE_COLUMNS + 3);
    for (size_t i = 0; rc == TW_OK && i < o->against->n; i++)
        rc = tw_run_set_add(call, &set, f->fit.law, o->against->v[i], &o->source, err);
    if (rc == TW_OK)
        tw_warn_fitted(call, f, &set);
    tw_json_open(&call->json, "curves", '[');
    for (size_t c = 0; rc == TW_OK && c < set.n; c++) {
        struct group g = { .n = set.law[c].n };
        struct tw_law_score s;

        for (size_t k = 0; k < f->fit.law->ninputs; k++)
            g.column[k] = set.law[c].input[k];
        rc = evaluate(&f->fit, &g, call->common.seed, err);
        if (rc == TW_OK) {
            const double *y = set.law[c].y;
            const double in68 = tw_law_coverage(y, g.band.lo68, g.band.hi68, g.n);
            const double in95 = tw_law_coverage(y, g.band.lo95, g.band.hi95, g.n);

            s = tw_law_score_of(y, g.band.y, g.n);
            tw_table_text(&t, set.law[c].name);
            tw_score_cells(&t, &s);
            tw_table_real(&t, "%.0f %%", 100.0 * in68);
            tw_table_real(&t, "%.0f %%", 100.0 * in95);
            tw_json_open(&call->json, NULL, '{');
            tw_json_text(&call->json, "name", set.law[c].name);
            tw_json_text(&call->json, "role", "test");
            tw_score_json(&call->json, &s);
            tw_json_open(&call->json, "coverage", '{');
            tw_json_real(&call->json, "p68", in68);
            tw_json_real(&call->json, "p95", in95);
            tw_json_close(&call->json, '}');
            tw_json_close(&call->json, '}');
        }
        group_release(&g);
    }
    tw_json_close(&call->json, ']');
    if (rc == TW_OK && !call->common.json && set.n)
        tw_table_print(&t);
    else
        tw_str_release(&t.cells);
    tw_curve_set_release(&set);
    return rc;
}

enum tw_status tw_forecast_runs(struct tw_call *call, const struct tw_fit_file *f,
                                const struct tw_run_forecast *o, struct tw_err *err)
{
    struct group g = { 0 };
    enum tw_status rc = parse(f->fit.law, o->runs, &g, err);

    tw_json_text(&call->json, "law", f->fit.law->name);
    if (rc == TW_OK)
        rc = evaluate(&f->fit, &g, call->common.seed, err);
    if (rc == TW_OK && g.n) {
        report(call, f->fit.law, &g);
        warn_far(call, f, &g);
    }
    if (rc == TW_OK && o->against->n) {
        if (g.n && !call->common.json)
            putchar('\n');
        rc = score(call, f, o, err);
    }
    group_release(&g);
    return rc;
}
