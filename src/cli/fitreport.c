/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fitreport.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitfile_parts.h"
#include "identify.h"

int tw_law_unknown(struct tw_call *call, const char *name)
{
    enum { MAX = 64 };
    const char *names[MAX];
    size_t n = 0, near;

    for (; n < MAX && tw_laws[n]; n++)
        names[n] = tw_laws[n]->name;
    near = tw_str_nearest(name, names, n);
    if (near < n)
        return tw_cmd_usage(call, "'%s' is not a law; did you mean '%s'?", name, names[near]);
    return tw_cmd_usage(call, "'%s' is not a law; 'thalweg laws' lists them", name);
}

/* ---- scores -------------------------------------------------------------------------------- */

const char *const tw_score_heads[TW_SCORE_COLUMNS] = {
    "points", "MAE", "RMSE", "R2", "PredE %", "WorstE %", "bias", "final error",
};

void tw_score_cells(struct tw_table *t, const struct tw_law_score *s)
{
    tw_table_size(t, s->n);
    tw_table_real(t, "%.5f", s->mae);
    tw_table_real(t, "%.5f", s->rmse);
    tw_table_real(t, "%.5f", s->r2);
    tw_table_real(t, "%.3f", 100.0 * s->pred_e);
    tw_table_real(t, "%.3f", 100.0 * s->worst_e);
    tw_table_real(t, "%+.5f", s->bias);
    tw_table_real(t, "%+.5f", s->final_error);
}

void tw_score_json(struct tw_json *j, const struct tw_law_score *s)
{
    tw_json_size(j, "n", s->n);
    for (size_t k = 0; tw_score_fields[k].name; k++) {
        double x;

        memcpy(&x, (const char *)s + tw_score_fields[k].off, sizeof x);
        tw_json_real(j, tw_score_fields[k].name, x);
    }
}

/* ---- tables --------------------------------------------------------------------------------- */

static const struct tw_law_profile *profile_of(const struct tw_law_fit *fit, size_t j)
{
    for (size_t i = 0; i < fit->nprofiles; i++)
        if (fit->profiles[i].param == j)
            return &fit->profiles[i];
    return NULL;
}

static void interval(struct tw_table *t, double lo, double hi)
{
    char text[64];

    if (isnan(lo) && isnan(hi)) {
        tw_table_text(t, "-");
        return;
    }
    (void)snprintf(text, sizeof text, "%.5g to %.5g", lo, hi);
    if (isnan(lo))
        (void)snprintf(text, sizeof text, "below %.5g", hi);
    if (isnan(hi))
        (void)snprintf(text, sizeof text, "above %.5g", lo);
    tw_table_text(t, text);
}

/* Does no prediction at the fitted points depend on these parameters? Those as bits. */
static unsigned without_effect(const struct tw_fit_file *f)
{
    const struct tw_law_fit *fit = &f->fit;
    const size_t p = fit->law->nparams;
    struct tw_law_curve *curve = tw_alloc(f->n, sizeof *curve);
    double *y = tw_alloc(fit->n, sizeof *y), *jac = tw_alloc(fit->n * p, sizeof *jac);
    void *model = NULL, *memo = NULL;
    unsigned none = 0;

    for (size_t c = 0; curve && c < f->n; c++)
        curve[c] = (struct tw_law_curve){ .name = f->name[c],
                                          .n = fit->first[c + 1] - fit->first[c],
                                          .x = fit->x + fit->first[c],
                                          .y = fit->y + fit->first[c],
                                          .schedule = &f->schedule[c],
                                          .size = f->size[c] };
    if (curve && y && jac)
        model = tw_law_model(fit->law, curve, f->n, fit->opts.warmup, NULL);
    if (model)
        memo = fit->law->memo_alloc(model);
    if (memo) {
        fit->law->predict(model, memo, fit->theta, y, jac);
        none = (1u << p) - 1u;
        for (size_t i = 0; i < fit->n * p; i++)
            if (jac[i] != 0.0)
                none &= ~(1u << i % p);
        fit->law->memo_free(memo);
    }
    if (model)
        fit->law->model_free(model);
    free(curve);
    free(y);
    free(jac);
    return none;
}

/* Parameters that the fit leaves where they began, as bits. */
static unsigned undetermined(const struct tw_fit_file *f)
{
    const struct tw_law_fit *fit = &f->fit;
    unsigned mask = fit->law->ninputs || isfinite(fit->min.condition) ? 0 : without_effect(f);

    for (size_t j = 0; j < fit->law->nparams; j++) {
        if (fit->hi[j] - fit->lo[j] <= 1e-12 * fabs(fit->theta[j])) /* false of NAN */
            mask |= 1u << j;
        if (fit->opts.fixed[j])
            mask &= ~(1u << j);
    }
    return mask;
}

static void parameter_table(const struct tw_fit_file *f)
{
    const struct tw_law_fit *fit = &f->fit;
    const unsigned unknown = undetermined(f);
    static const char *const head[] = { "parameter", "value", "bootstrap", "profile", "meaning" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 5);
    for (size_t j = 0; j < fit->law->nparams; j++) {
        const struct tw_law_profile *q = profile_of(fit, j);

        tw_table_text(&t, fit->law->params[j].name);
        tw_table_real(&t, "%.6g", fit->theta[j]);
        if (unknown >> j & 1u)
            tw_table_text(&t, "not determined");
        else
            interval(&t, fit->lo[j], fit->hi[j]);
        interval(&t, q ? q->lo : (double)NAN, q ? q->hi : (double)NAN);
        tw_table_text(&t, fit->opts.fixed[j] ? "held" : fit->law->meanings[j]);
    }
    tw_table_print(&t);
}

static void curve_table(const struct tw_fit_file *f)
{
    const char *head[TW_SCORE_COLUMNS + 3] = { "curve" };
    struct tw_table t = { 0 };

    memcpy(head + 1, tw_score_heads, sizeof tw_score_heads);
    head[0] = f->fit.law->ninputs ? "table" : "curve";
    head[TW_SCORE_COLUMNS + 1] = "autocorr";
    head[TW_SCORE_COLUMNS + 2] = "MAE left out";
    tw_table_head(&t, head, TW_SCORE_COLUMNS + 3);
    for (size_t c = 0; c < f->n; c++) {
        tw_table_text(&t, f->name[c]);
        tw_score_cells(&t, &f->fit.score[c]);
        tw_table_real(&t, "%.2f", f->fit.score[c].autocorrelation);
        tw_table_real(&t, "%.5f", f->fit.left_out_mae ? f->fit.left_out_mae[c] : (double)NAN);
    }
    tw_table_print(&t);
}

static void trial_table(const struct tw_law_fit *fit)
{
    static const char *const head[] = { "held",   "objective", "MAE left out",
                                        "curves", "condition", "" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 6);
    for (size_t k = 0; k < fit->ntrials; k++) {
        const struct tw_law_trial *q = &fit->trials[k];
        struct tw_str names = { 0 };

        for (size_t j = 0; k && j < fit->law->nparams; j++)
            if (fit->law->restrictions[k - 1].held >> j & 1u)
                tw_str_addf(&names, "%s%s=%g", names.n ? " " : "", fit->law->params[j].name,
                            fit->law->restrictions[k - 1].value[j]);
        tw_table_text(&t, names.n ? names.s : "nothing");
        tw_table_real(&t, "%.6g", q->objective);
        tw_table_real(&t, "%.5f", q->left_out_mae);
        tw_table_size(&t, q->left_out);
        tw_table_real(&t, "%.3g", q->condition);
        tw_table_text(&t, k == fit->opts.restriction ? "chosen" : "");
        tw_str_release(&names);
    }
    tw_table_print(&t);
    printf("A lower objective is not a lower error on another curve: chosen is by curves left "
           "out in turn.\n");
}

static void correlation_table(const struct tw_law_fit *fit)
{
    const char *head[TW_FIT_MAX_PARAMS + 1] = { "correlation" };
    const size_t p = fit->law->nparams;
    struct tw_table t = { 0 };

    for (size_t j = 0; j < p; j++)
        head[j + 1] = fit->law->params[j].name;
    tw_table_head(&t, head, p + 1);
    for (size_t i = 0; i < p; i++) {
        tw_table_text(&t, fit->law->params[i].name);
        for (size_t j = 0; j < p; j++)
            tw_table_real(&t, "%.2f", fit->correlation[i * p + j]);
    }
    tw_table_print(&t);
}

static void bounds(const struct tw_law_fit *fit, struct tw_str *out)
{
    for (size_t j = 0; j < fit->law->nparams; j++)
        if (fit->min.at_bounds >> j & 1u)
            tw_str_addf(out, "%s%s", out->n ? ", " : "", fit->law->params[j].name);
}

static void print_model_error(const struct tw_law_fit *fit)
{
    if (fit->law->ninputs && fit->left_out == 0)
        return; /* what a new run deviates by is in the residuals */
    if (isnan(fit->model_error)) {
        printf("model error not asked for\n");
        return;
    }
    if (fit->ntrials) {
        putchar('\n');
        trial_table(fit);
        putchar('\n');
    }
    printf("model error of another curve %.3g %% of the loss", 100.0 * fit->model_error);
    if (fit->left_out)
        printf(", from leaving out %zu curve%s in turn\n", fit->left_out,
               fit->left_out == 1 ? "" : "s");
    else
        printf(", from the residuals alone: no curve could be left out\n");
    if (fit->annealed_error > 0.0)
        printf("and %.3g %% of what annealing takes off\n", 100.0 * fit->annealed_error);
}

static void print(const struct tw_fit_file *f)
{
    const struct tw_law_fit *fit = &f->fit;
    const struct tw_law_fit_opts *o = &fit->opts;
    struct tw_str at = { 0 };

    printf("%s: %s\n", fit->law->title, fit->law->formula);
    printf("%s on %s", tw_fit_loss_names[o->loss], fit->law->plain ? "loss" : "log loss");
    if (o->loss == TW_FIT_HUBER)
        printf(", delta %g", o->delta);
    if (!fit->law->whole_schedule && !fit->law->ninputs)
        printf("; warm-up differences %s", o->warmup == TW_WARMUP_SKIP ? "skipped" : "kept");
    if (!isnan(fit->warmup_score[0]))
        printf(" (%s %.4g skipped, %.4g kept)",
               fit->warmup_by_curves ? "mean error of curves left out" : "objective",
               fit->warmup_score[0], fit->warmup_score[1]);
    if (o->restriction)
        printf("; restricted: %s", fit->law->restrictions[o->restriction - 1].name);
    printf("; %.3g %% intervals\n\n", 100.0 * o->level);
    parameter_table(f);
    putchar('\n');
    curve_table(f);
    bounds(fit, &at);
    printf(
        "\nobjective %.8g; %zu of %zu start%s agree%s; gradient %.1e; condition %.3g; at bounds: "
        "%s\n",
        fit->min.objective, fit->at_optimum, fit->starts, tw_plural(fit->starts),
        fit->starts == 1 ? "s" : "", fit->min.gradient, fit->min.condition, at.n ? at.s : "none");
    tw_str_release(&at);
    if (fit->replicates)
        tw_bootstrap_report(fit);
    print_model_error(fit);
    if (fit->replicates) {
        putchar('\n');
        correlation_table(fit);
    }
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static void json_parameters(struct tw_json *j, const struct tw_law_fit *fit)
{
    tw_json_open(j, "parameters", '{');
    for (size_t k = 0; k < fit->law->nparams; k++) {
        const struct tw_law_profile *q = profile_of(fit, k);

        tw_json_open(j, fit->law->params[k].name, '{');
        tw_json_real(j, "value", fit->theta[k]);
        tw_json_real(j, "lo", fit->lo[k]);
        tw_json_real(j, "hi", fit->hi[k]);
        tw_json_bool(j, "fixed", fit->opts.fixed[k]);
        if (q) {
            tw_json_real(j, "profile_lo", q->lo);
            tw_json_real(j, "profile_hi", q->hi);
            tw_json_real(j, "inflation", q->inflation);
        }
        tw_json_close(j, '}');
    }
    tw_json_close(j, '}');
}

static void json_certificate(struct tw_json *j, const struct tw_law_fit *fit)
{
    tw_json_open(j, "certificate", '{');
    tw_json_size(j, "starts", fit->starts);
    tw_json_real(j, "share_at_optimum",
                 fit->starts ? (double)fit->at_optimum / (double)fit->starts : (double)NAN);
    tw_json_real(j, "condition", fit->min.condition);
    tw_json_real(j, "gradient", fit->min.gradient);
    tw_json_bool(j, "converged", fit->min.converged);
    tw_json_open(j, "at_bounds", '[');
    for (size_t k = 0; k < fit->law->nparams; k++)
        if (fit->min.at_bounds >> k & 1u)
            tw_json_text(j, NULL, fit->law->params[k].name);
    tw_json_close(j, ']');
    tw_json_close(j, '}');
}

static void json_restrictions(struct tw_json *j, const struct tw_law_fit *fit)
{
    const struct tw_law_restriction *r = fit->law->restrictions;
    const size_t chosen = fit->opts.restriction;

    if (fit->law->nrestrictions == 0)
        return;
    tw_json_text(j, "restriction", chosen ? r[chosen - 1].name : "none");
    tw_json_open(j, "restrictions", '[');
    for (size_t k = 0; k < fit->ntrials; k++) {
        tw_json_open(j, NULL, '{');
        tw_json_text(j, "name", k ? r[k - 1].name : "none");
        tw_json_real(j, "objective", fit->trials[k].objective);
        tw_json_real(j, "left_out_mae", fit->trials[k].left_out_mae);
        tw_json_size(j, "left_out", fit->trials[k].left_out);
        tw_json_real(j, "condition", fit->trials[k].condition);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
}

static void json_curves(struct tw_json *j, const struct tw_fit_file *f)
{
    tw_json_open(j, "curves", '[');
    for (size_t c = 0; c < f->n; c++) {
        tw_json_open(j, NULL, '{');
        tw_json_text(j, "name", f->name[c]);
        tw_json_text(j, "role", "train");
        tw_json_text(j, "path", f->path[c]);
        tw_json_text(j, "series", f->y_name[c]);
        if (!f->fit.law->ninputs)
            tw_json_text(j, "schedule", f->schedule[c].spec);
        tw_score_json(j, &f->fit.score[c]);
        tw_json_real(j, "left_out_mae", f->fit.left_out_mae ? f->fit.left_out_mae[c] : (double)NAN);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
}

static void write_json(struct tw_json *j, const struct tw_fit_file *f)
{
    const struct tw_law_fit *fit = &f->fit;
    const size_t p = fit->law->nparams;

    tw_json_text(j, "law", fit->law->name);
    if (fit->law->own)
        tw_json_text(j, "expression", fit->law->formula);
    tw_json_text(j, "loss", tw_fit_loss_names[fit->opts.loss]);
    tw_json_text(j, "warmup", tw_warmup_names[fit->opts.warmup]);
    tw_json_reals(j, "warmup_score", fit->warmup_score, 2);
    tw_json_real(j, "objective", fit->min.objective);
    json_parameters(j, fit);
    json_restrictions(j, fit);
    json_curves(j, f);
    json_certificate(j, fit);
    tw_json_open(j, "bootstrap", '{');
    tw_json_size(j, "replicates", fit->replicates);
    tw_json_size(j, "failed", fit->failed);
    tw_json_text(j, "kind", tw_bootstrap_names[fit->opts.kind]);
    tw_json_size(j, "block", fit->opts.block);
    tw_json_size(j, "configurations", fit->clusters);
    tw_json_open(j, "correlation", '[');
    for (size_t i = 0; fit->correlation && i < p; i++)
        tw_json_reals(j, NULL, fit->correlation + i * p, p);
    tw_json_close(j, ']');
    tw_json_close(j, '}');
    tw_json_open(j, "model_error", '{');
    tw_json_real(j, "value", fit->model_error);
    tw_json_size(j, "left_out", fit->left_out);
    tw_json_real(j, "annealed", fit->annealed_error);
    tw_json_size(j, "annealed_left_out", fit->annealed_left_out);
    tw_json_close(j, '}');
}

/* ---- what the fit cannot know ------------------------------------------------------------------
 */

/* What makes a forecast a guess as well. */
static void warn_determined(struct tw_call *call, const struct tw_law_fit *fit)
{
    struct tw_str at = { 0 };

    bounds(fit, &at);
    if (at.n)
        tw_cmd_warn(call, "%s ran to an end of its range: these %s do not determine it%s", at.s,
                    fit->law->ninputs ? "runs" : "curves",
                    fit->law->own ? ", or it wants another range (--bound)" : "");
    tw_str_release(&at);
    if (fit->min.condition > 10.0 * TW_LAW_MAX_CONDITION)
        tw_cmd_warn(call,
                    "the parameters cannot be told apart (condition number %.2g): forecasts of "
                    "schedules unlike the fitted ones are not to be trusted",
                    fit->min.condition);
    else if (fit->law->nrestrictions && fit->opts.restriction == 0 &&
             fit->min.condition > TW_LAW_MAX_CONDITION)
        tw_cmd_warn(call,
                    "these curves hardly determine the shape parameters (condition number %.2g): a "
                    "lower objective is not a lower error on another curve; see --restrict",
                    fit->min.condition);
}

void tw_fit_warn(struct tw_call *call, const struct tw_law_fit *fit)
{
    warn_determined(call, fit);
    if (!fit->min.converged && !(fit->min.at_bounds && fit->min.gradient < 1e-6))
        tw_cmd_warn(call, "the fit stopped before its minimum (relative gradient %.1e)",
                    fit->min.gradient);
}

static void warn(struct tw_call *call, const struct tw_law_fit *fit)
{
    warn_determined(call, fit);
    if (fit->at_optimum * 2 < fit->starts)
        tw_cmd_warn(call, "only %zu of %zu start%s reached the best objective", fit->at_optimum,
                    fit->starts, tw_plural(fit->starts));
    if (fit->replicates && fit->failed * 20 > fit->replicates)
        tw_cmd_warn(call,
                    "%zu of %zu bootstrap replicate%s did not converge: the intervals are of "
                    "the others",
                    fit->failed, fit->replicates, tw_plural(fit->replicates));
    for (size_t i = 0; i < fit->nprofiles; i++)
        if (isnan(fit->profiles[i].lo) || isnan(fit->profiles[i].hi))
            tw_cmd_warn(call, "the profile of %s has no %s end: these curves do not bound it there",
                        fit->law->params[fit->profiles[i].param].name,
                        isnan(fit->profiles[i].lo) ? "lower" : "upper");
}

/* A law holds from some step on; before it the residuals are of another size. Compared are the
 * first tenth of each curve's points with its second half. */
static void warn_early(struct tw_call *call, const struct tw_fit_file *f)
{
    const struct tw_law_fit *fit = &f->fit;

    for (size_t c = 0; c < f->n && !fit->law->ninputs; c++) {
        const size_t a = fit->first[c], n = fit->first[c + 1] - a;
        const size_t tenth = n / 10, half = n / 2;
        double early = 0.0, late = 0.0;

        for (size_t i = a; i < a + tenth; i++)
            early += fit->r[i] * fit->r[i] / (double)tenth;
        for (size_t i = a + half; i < a + n; i++)
            late += fit->r[i] * fit->r[i] / (double)(n - half);
        if (tenth < 5 || early < 25.0 * late)
            continue;
        tw_cmd_warn(call,
                    "%s: residuals up to x = %g are %.0f times those of its second half: the law "
                    "does not hold so early; leave the start out (--from=%g)",
                    f->name[c], fit->x[a + tenth - 1], sqrt(early / late), fit->x[a + tenth - 1]);
        return;
    }
}

void tw_fit_report(struct tw_call *call, const struct tw_fit_file *f)
{
    if (call->common.json)
        write_json(&call->json, f);
    else
        print(f);
    tw_identify_report(call, &f->fit);
    warn(call, &f->fit);
    warn_early(call, f);
}
