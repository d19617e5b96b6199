/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "forecast_runs.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitreport.h"
#include "given.h"
#include "identify.h"

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

bool tw_run_forecast_named(const struct tw_run_forecast *o)
{
    return !isnan(o->params) || !isnan(o->tokens) || !isnan(o->flops);
}

/* N, D and C from those that were given: C = 6 N D, and C alone is spent as the law says is best.
 */
static enum tw_status complete(const struct tw_law_fit *fit, const struct tw_run_forecast *o,
                               double *n, double *d, double *c, struct tw_err *err)
{
    double best[TW_LAW_MAX_INPUTS];

    *n = o->params;
    *d = o->tokens;
    *c = o->flops;
    if (!isnan(*n) && !isnan(*d) && !isnan(*c))
        return tw_err_set(err, TW_EINVAL,
                          "--params, --tokens and --flops are one too many: C = 6 N D");
    if (isnan(*n) && isnan(*d) && fit->law->optimum) {
        fit->law->optimum(fit->theta, *c, best);
        *n = best[0];
        *d = best[1];
    }
    if (isnan(*d) && !isnan(*c))
        *d = *c / 6.0 / *n;
    if (isnan(*n) && !isnan(*c))
        *n = *c / 6.0 / *d;
    if (isnan(*c))
        *c = 6.0 * *n * *d;
    return TW_OK;
}

/* The run of --params, --tokens and --flops as the law's inputs. */
static enum tw_status named(const struct tw_law_fit *fit, const struct tw_run_forecast *o,
                            double *value, struct tw_err *err)
{
    const struct tw_law *law = fit->law;
    double n, d, c;

    if (complete(fit, o, &n, &d, &c, err) != TW_OK)
        return TW_EINVAL;
    for (size_t k = 0; k < law->ninputs; k++) {
        const char *name = law->inputs[k].name;

        value[k] = !strcmp(name, "N")   ? n
                   : !strcmp(name, "D") ? d
                   : !strcmp(name, "M") ? d / n
                   : !strcmp(name, "C") ? c
                                        : (double)NAN;
        if (isnan(value[k]))
            return tw_err_set(err, TW_EINVAL,
                              "the law %s takes %s (%s), which what was given of --params, "
                              "--tokens and --flops does not say: give --run=%s=...",
                              law->name, name, law->inputs[k].meaning, name);
    }
    return TW_OK;
}

static enum tw_status parse(const struct tw_law_fit *fit, const struct tw_run_forecast *o,
                            struct group *g, struct tw_err *err)
{
    const struct tw_opt_list *list = o->runs;
    const struct tw_law *law = fit->law;
    double value[TW_LAW_MAX_INPUTS];

    g->n = list->n + (tw_run_forecast_named(o) ? 1 : 0);
    g->values = tw_alloc(g->n * law->ninputs, sizeof *g->values);
    if (!g->values)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; k < law->ninputs; k++)
        g->column[k] = g->values + k * g->n;
    for (size_t i = 0; i < g->n; i++) {
        if ((i < list->n ? tw_run_parse(law, list->v[i], value, err) : named(fit, o, value, err)) !=
            TW_OK)
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
    tw_table_print(&t);
}

/* The width of the law's own interval (no noise of a new run), 95 %, and the runs that it needs to
 * become `want`. */
static enum tw_status wanted(struct tw_call *call, const struct tw_law_fit *fit,
                             const struct group *g, double want, struct tw_err *err)
{
    const struct tw_law_curve runs = { .name = "runs", .n = g->n, .input = g->column };
    void *model = tw_law_model(fit->law, &runs, 1, TW_WARMUP_SKIP, err);
    double *y = tw_alloc(g->n, (fit->replicates + 1) * sizeof *y);
    double *v = tw_alloc(fit->replicates + 1, sizeof *v);
    struct tw_json *json = &call->json;
    bool ok = model && y && v;
    size_t good = 0;

    for (size_t b = 0; ok && b < fit->replicates; b++) {
        const double *theta = fit->theta_boot + b * fit->law->nparams;

        if (!isnan(theta[0]))
            ok = tw_law_predict(fit->law, model, theta, y + good++ * g->n);
    }
    tw_json_open(json, "wanted", '[');
    for (size_t i = 0; ok && good && i < g->n; i++) {
        double width, more;

        for (size_t b = 0; b < good; b++)
            v[b] = y[b * g->n + i];
        tw_sort_reals(v, good);
        width = tw_quantile_sorted(v, good, 0.975) - tw_quantile_sorted(v, good, 0.025);
        more = tw_runs_needed(fit->n, width, want);
        tw_json_open(json, NULL, '{');
        tw_json_real(json, "width", want);
        tw_json_real(json, "width_now", width);
        tw_json_size(json, "runs", fit->n);
        tw_json_real(json, "more_runs", more);
        tw_json_close(json, '}');
        if (!call->common.json)
            printf("%srun %zu: the law's loss is known to %.4g (95 %%) from %zu runs; for %.4g "
                   "about %.0f more runs of the same kind are needed, if widths fall as "
                   "1/sqrt(runs)\n",
                   i ? "" : "\n", i + 1, width, fit->n, want, more);
    }
    tw_json_close(json, ']');
    if (ok && good == 0)
        tw_cmd_warn(call, "the fit has no bootstrap: --want has no interval to go by");
    if (model)
        fit->law->model_free(model);
    free(y);
    free(v);
    return ok ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
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
    enum tw_status rc = parse(&f->fit, o, &g, err);

    tw_json_text(&call->json, "law", f->fit.law->name);
    if (rc == TW_OK)
        rc = evaluate(&f->fit, &g, call->common.seed, err);
    if (rc == TW_OK && g.n) {
        report(call, f->fit.law, &g);
        warn_far(call, f, &g);
        if (!isnan(o->want))
            rc = wanted(call, &f->fit, &g, o->want, err);
    }
    if (rc == TW_OK && o->against->n) {
        if (g.n && !call->common.json)
            putchar('\n');
        rc = score(call, f, o, err);
    }
    group_release(&g);
    return rc;
}
