/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The layout of a file of kind "fit":
 *
 *   /law             name of the law; /parameters/names, value, lo, hi (p);
 *                    replicates (B, p), correlation (p, p) if there was a bootstrap
 *   /law_own         of a law that is not in the table: expression, inputs, plain, and the
 *                    parameters' bound, lo, hi (p)
 *   /settings        how it was fitted
 *   /trials          objective, left_out_mae, left_out, condition of each restriction tried
 *   /certificate     how sure the optimum is
 *   /curves          names, paths, digests, series, schedules (n texts); points, steps, base,
 *                    batch, warm_end (n); sizes (n) of a law that needs them; rates: all
 *                    schedules' learning rates one after another
 *   /points          x (or input/NAME of a law of runs), loss, fitted, residual,
 *                    left_out_residual: curves one after another
 *   /scores          one array (n) a score
 *   /profiles/NAME   x, rise (m); threshold, inflation, lo, hi
 *   /model_error     value, left_out, mae (n)
 */
#include "fitfile_parts.h"
#include "identify.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const tw_fit_loss_names[] = { "huber", "squares", "lad" };
const char *const tw_warmup_names[] = { "skip", "keep" };

/* ---- from curves to a file ---------------------------------------------------------------- */

static bool alloc_texts(struct tw_fit_file *f, size_t n)
{
    f->name = tw_alloc(n, sizeof *f->name);
    f->path = tw_alloc(n, sizeof *f->path);
    f->digest = tw_alloc(n, sizeof *f->digest);
    f->y_name = tw_alloc(n, sizeof *f->y_name);
    f->schedule = tw_alloc(n, sizeof *f->schedule);
    f->size = tw_alloc(n, sizeof *f->size);
    f->n = n;
    return f->name && f->path && f->digest && f->y_name && f->schedule && f->size;
}

static enum tw_status adopt_inputs(struct tw_fit_file *f, const struct tw_curve_set *set,
                                   struct tw_err *err)
{
    for (size_t k = 0; f->fit.law && k < f->fit.law->ninputs; k++) {
        f->input[k] = tw_alloc(f->fit.n, sizeof *f->input[k]);
        if (!f->input[k])
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        for (size_t c = 0; c < set->n; c++)
            memcpy(f->input[k] + f->fit.first[c], set->law[c].input[k],
                   set->law[c].n * sizeof *f->input[k]);
    }
    return TW_OK;
}

enum tw_status tw_fit_file_adopt(struct tw_fit_file *f, struct tw_curve_set *set,
                                 struct tw_err *err)
{
    if (!alloc_texts(f, set->n))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < set->n; i++) {
        const struct tw_curve *c = &set->log.v[i];

        f->name[i] = tw_strdup(c->name);
        f->path[i] = tw_strdup(c->path);
        f->digest[i] = tw_strdup(c->digest);
        f->y_name[i] = tw_strdup(c->y_name);
        if (!f->name[i] || !f->path[i] || !f->digest[i] || !f->y_name[i])
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        f->size[i] = c->size;
        f->schedule[i] = set->schedule[i];
        set->schedule[i] = (struct tw_schedule){ 0 };
    }
    return adopt_inputs(f, set, err);
}

void tw_fit_file_release(struct tw_fit_file *f)
{
    char **texts[] = { f->name, f->path, f->digest, f->y_name };

    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++) {
        for (size_t i = 0; texts[k] && i < f->n; i++)
            free(texts[k][i]);
        free(texts[k]);
    }
    for (size_t i = 0; f->schedule && i < f->n; i++)
        tw_schedule_release(&f->schedule[i]);
    free(f->schedule);
    free(f->size);
    for (size_t k = 0; k < TW_LAW_MAX_INPUTS; k++)
        free(f->input[k]);
    tw_law_fit_release(&f->fit);
    tw_law_own_free(f->own);
    *f = (struct tw_fit_file){ 0 };
}

/* ---- writing ------------------------------------------------------------------------------- */

/* Remembers the first failure, so that a list of puts needs one check at its end. */
struct writer {
    struct tw_result *r;
    struct tw_err *err;
    enum tw_status rc;
};

static void put(struct writer *w, const char *path, size_t n, const double *x, const char *unit,
                const char *meaning)
{
    if (w->rc == TW_OK)
        w->rc = tw_result_put_reals(w->r, path, 1, &n, x, unit, meaning, w->err);
}

static void put_matrix(struct writer *w, const char *path, size_t n, size_t m, const double *x,
                       const char *meaning)
{
    const size_t dims[2] = { n, m };

    if (w->rc == TW_OK)
        w->rc = tw_result_put_reals(w->r, path, 2, dims, x, "", meaning, w->err);
}

static void put_real(struct writer *w, const char *path, double x, const char *unit,
                     const char *meaning)
{
    if (w->rc == TW_OK)
        w->rc = tw_result_put_real(w->r, path, x, unit, meaning, w->err);
}

static void put_size(struct writer *w, const char *path, size_t x, const char *meaning)
{
    if (w->rc == TW_OK)
        w->rc = tw_result_put_size(w->r, path, x, "", meaning, w->err);
}

static void put_text(struct writer *w, const char *path, const char *s, const char *meaning)
{
    if (w->rc == TW_OK)
        w->rc = tw_result_put_text(w->r, path, s, meaning, w->err);
}

static void put_texts(struct writer *w, const char *path, size_t n, char *const *s,
                      const char *meaning)
{
    const char **v = tw_alloc(n, sizeof *v);

    for (size_t i = 0; v && i < n; i++)
        v[i] = s[i];
    if (w->rc == TW_OK)
        w->rc = v ? tw_result_put_texts(w->r, path, n, v, meaning, w->err)
                  : tw_err_set(w->err, TW_ENOMEM, "out of memory");
    free(v);
}

static void write_parameters(struct writer *w, const struct tw_law_fit *fit)
{
    const size_t p = fit->law->nparams;
    char *names[TW_FIT_MAX_PARAMS];

    for (size_t j = 0; j < p; j++)
        names[j] = tw_strdup(fit->law->params[j].name);
    put_text(w, "/law", fit->law->name, "the law that was fitted");
    put_texts(w, "/parameters/names", p, names, "names of the parameters");
    put(w, "/parameters/value", p, fit->theta, "", "the minimum of the objective");
    put(w, "/parameters/lo", p, fit->lo, "", "lower end of the bootstrap interval");
    put(w, "/parameters/hi", p, fit->hi, "", "upper end of the bootstrap interval");
    if (fit->replicates) {
        put_matrix(w, "/parameters/replicates", fit->replicates, p, fit->theta_boot,
                   "bootstrap replicates; a row of NaN did not converge");
        put_matrix(w, "/parameters/correlation", p, p, fit->correlation,
                   "correlation of the replicates");
    }
    for (size_t j = 0; j < p; j++)
        free(names[j]);
}

static void write_settings(struct writer *w, const struct tw_law_fit *fit)
{
    const struct tw_law_fit_opts *o = &fit->opts;
    uint8_t fixed[TW_FIT_MAX_PARAMS], bound[TW_FIT_MAX_PARAMS];
    const size_t p = fit->law->nparams;

    for (size_t j = 0; j < p; j++) {
        fixed[j] = o->fixed[j];
        bound[j] = fit->min.at_bounds >> j & 1u;
    }
    put_text(w, "/settings/loss", tw_fit_loss_names[o->loss], "loss on log residuals");
    put_real(w, "/settings/delta", o->delta, "", "Huber's delta");
    put_text(w, "/settings/warmup", tw_warmup_names[o->warmup],
             "whether the warm-up's differences enter the annealing term");
    put(w, "/settings/warmup_score", 2, fit->warmup_score, "",
        "score of skip and keep by which the warm-up was chosen; NaN: it was given");
    put_size(w, "/settings/warmup_by_curves", fit->warmup_by_curves,
             "1: the score is the mean error of curves left out; 0: the objective");
    if (fit->replicates)
        put_text(w, "/settings/bootstrap", tw_bootstrap_names[o->kind],
                 "how replicates were drawn");
    put_size(w, "/settings/block", o->block, "points in a block of the bootstrap");
    put_real(w, "/settings/level", o->level, "", "level of the intervals");
    if (w->rc == TW_OK)
        w->rc = tw_result_put_bytes(w->r, "/settings/fixed", 1, &p, fixed,
                                    "1: the parameter was held", w->err);
    put_real(w, "/certificate/objective", fit->min.objective, "", "the objective at its minimum");
    put_real(w, "/certificate/gradient", fit->min.gradient, "",
             "largest derivative of log objective by an unbounded coordinate");
    put_real(w, "/certificate/condition", fit->min.condition, "",
             "condition number of the scaled Hessian");
    put_size(w, "/certificate/starts", fit->starts, "starts tried");
    put_size(w, "/certificate/at_optimum", fit->at_optimum, "starts that ended at the minimum");
    put_size(w, "/certificate/iterations", fit->min.iterations, "iterations of the best start");
    put_size(w, "/certificate/converged", fit->min.converged, "1: yes");
    put_size(w, "/certificate/failed", fit->failed, "bootstrap replicates that failed");
    if (w->rc == TW_OK)
        w->rc = tw_result_put_bytes(w->r, "/certificate/at_bounds", 1, &p, bound,
                                    "1: the parameter is at an end of its range", w->err);
}

/* Only for a law that has restrictions. */
static void write_restriction(struct writer *w, const struct tw_law_fit *fit)
{
    const struct tw_law_restriction *r = fit->law->restrictions;
    double *v = tw_alloc(fit->ntrials, 4 * sizeof *v);

    put_text(w, "/settings/restriction",
             fit->opts.restriction ? r[fit->opts.restriction - 1].name : "none",
             "parameters of the law that were held together");
    for (size_t k = 0; v && k < fit->ntrials; k++) {
        v[k] = fit->trials[k].objective;
        v[fit->ntrials + k] = fit->trials[k].left_out_mae;
        v[2 * fit->ntrials + k] = (double)fit->trials[k].left_out;
        v[3 * fit->ntrials + k] = fit->trials[k].condition;
    }
    if (v && fit->ntrials) {
        put(w, "/trials/objective", fit->ntrials, v, "",
            "objective under no restriction, then under each of the law's");
        put(w, "/trials/left_out_mae", fit->ntrials, v + fit->ntrials, "as in the log",
            "their mean error of curves left out; NaN: none could be");
        put(w, "/trials/left_out", fit->ntrials, v + 2 * fit->ntrials, "",
            "curves that could be left out");
        put(w, "/trials/condition", fit->ntrials, v + 3 * fit->ntrials, "",
            "condition number of the Hessian");
    }
    free(v);
}

static void write_curves(struct writer *w, const struct tw_fit_file *f)
{
    const struct tw_law_fit *fit = &f->fit;
    double *v = tw_alloc(f->n, 5 * sizeof *v), *rates;
    char **spec = tw_alloc(f->n, sizeof *spec);
    const bool runs = fit->law->ninputs > 0;
    size_t steps = 0, at = 0;

    for (size_t c = 0; c < f->n; c++)
        steps += f->schedule[c].n;
    rates = tw_alloc(steps, sizeof *rates);
    if (w->rc == TW_OK && (!v || !rates || !spec))
        w->rc = tw_err_set(w->err, TW_ENOMEM, "out of memory");
    for (size_t c = 0; w->rc == TW_OK && c < f->n; c++) {
        const struct tw_schedule *s = &f->schedule[c];

        spec[c] = s->spec;
        v[c] = (double)(fit->first[c + 1] - fit->first[c]);
        v[f->n + c] = (double)s->n;
        v[2 * f->n + c] = s->base;
        v[3 * f->n + c] = s->batch;
        v[4 * f->n + c] = (double)s->warm_end;
        if (s->n)
            memcpy(rates + at, s->lr, s->n * sizeof *rates);
        at += s->n;
    }
    put_texts(w, "/curves/names", f->n, f->name, "names of the fitted curves");
    put_texts(w, "/curves/paths", f->n, f->path, "files they were read from");
    put_texts(w, "/curves/digests", f->n, f->digest, "SHA-256 of those files");
    put_texts(w, "/curves/series", f->n, f->y_name, "series that was fitted");
    put(w, "/curves/points", f->n, v, "", "points of each curve");
    if (!runs) {
        put_texts(w, "/curves/schedules", f->n, spec, "learning-rate schedules");
        put(w, "/curves/steps", f->n, v + f->n, "step", "steps of each schedule");
        put(w, "/curves/base", f->n, v + 2 * f->n, "", "number of the first step");
        put(w, "/curves/batch", f->n, v + 3 * f->n, "", "units of x per step");
        put(w, "/curves/warm_end", f->n, v + 4 * f->n, "step", "last step of the warm-up");
        put(w, "/curves/rates", steps, rates, "", "learning rate of every step, curve after curve");
    }
    if (fit->law->sized)
        put(w, "/curves/sizes", f->n, f->size, "", "parameters of each curve's model");
    free(v);
    free(rates);
    free(spec);
}

const struct tw_score_field tw_score_fields[] = {
    { "r2", offsetof(struct tw_law_score, r2), "coefficient of determination" },
    { "mae", offsetof(struct tw_law_score, mae), "mean absolute error" },
    { "rmse", offsetof(struct tw_law_score, rmse), "root mean square error" },
    { "pred_e", offsetof(struct tw_law_score, pred_e), "mean relative error" },
    { "worst_e", offsetof(struct tw_law_score, worst_e), "largest relative error" },
    { "bias", offsetof(struct tw_law_score, bias), "mean error, measured less fitted" },
    { "final_error", offsetof(struct tw_law_score, final_error), "error at the last point" },
    { "autocorrelation", offsetof(struct tw_law_score, autocorrelation),
      "of the log residuals at lag 1" },
    { NULL, 0, NULL },
};

static void write_points(struct writer *w, const struct tw_fit_file *f)
{
    const struct tw_law_fit *fit = &f->fit;
    double *v = tw_alloc(f->n, sizeof *v);

    if (!fit->law->ninputs)
        put(w, "/points/x", fit->n, fit->x, "as in the log", "position of each point");
    for (size_t k = 0; k < fit->law->ninputs; k++) {
        char path[64];

        (void)snprintf(path, sizeof path, "/points/input/%s", fit->law->inputs[k].name);
        put(w, path, fit->n, f->input[k], "", fit->law->inputs[k].meaning);
    }
    put(w, "/points/loss", fit->n, fit->y, "as in the log", "measured loss");
    put(w, "/points/fitted", fit->n, fit->yhat, "as in the log", "the law's loss");
    put(w, "/points/residual", fit->n, fit->r, "log loss", "log measured - log fitted");
    if (fit->left_out_r)
        put(w, "/points/left_out_residual", fit->n, fit->left_out_r, "log loss",
            "the same when the point's curve took no part; NaN: could not be");
    for (size_t k = 0; v && tw_score_fields[k].name; k++) {
        char path[64];

        for (size_t c = 0; c < f->n; c++)
            memcpy(&v[c], (const char *)&fit->score[c] + tw_score_fields[k].off, sizeof v[c]);
        (void)snprintf(path, sizeof path, "/scores/%s", tw_score_fields[k].name);
        put(w, path, f->n, v, "", tw_score_fields[k].meaning);
    }
    put_real(w, "/model_error/value", fit->model_error, "log loss",
             "root mean square offset of a curve that took no part; NaN: not known");
    put_real(w, "/model_error/annealed", fit->annealed_error, "",
             "relative error of what annealing takes off; NaN: not known");
    put_size(w, "/model_error/annealed_left_out", fit->annealed_left_out,
             "curves left out that say so");
    put_size(w, "/model_error/left_out", fit->left_out, "curves that could be left out");
    if (fit->left_out_mae)
        put(w, "/model_error/mae", f->n, fit->left_out_mae, "as in the log",
            "mean absolute error of each curve when left out");
    free(v);
}

static void write_profile(struct writer *w, const struct tw_law_fit *fit,
                          const struct tw_law_profile *q)
{
    const char *name = fit->law->params[q->param].name;
    const double number[] = { q->threshold, q->inflation, q->lo, q->hi };
    static const char *const what[] = { "threshold", "inflation", "lo", "hi" };
    static const char *const meaning[] = { "rise at the ends of the interval",
                                           "how much the residuals' memory widened it",
                                           "lower end; NaN: open", "upper end; NaN: open" };
    char path[96];

    (void)snprintf(path, sizeof path, "/profiles/%s/x", name);
    put(w, path, q->n, q->x, "", "the parameter");
    (void)snprintf(path, sizeof path, "/profiles/%s/rise", name);
    put(w, path, q->n, q->rise, "", "objective over all others, less its minimum");
    for (size_t k = 0; k < 4; k++) {
        (void)snprintf(path, sizeof path, "/profiles/%s/%s", name, what[k]);
        put_real(w, path, number[k], "", meaning[k]);
    }
}

/* What it takes to make the law again. */
static void write_own(struct writer *w, const struct tw_law *law)
{
    double v[3][TW_FIT_MAX_PARAMS];
    char *names[TW_LAW_MAX_INPUTS] = { NULL };
    bool ok = true;

    for (size_t k = 0; k < law->ninputs; k++) {
        names[k] = tw_strdup(law->inputs[k].name);
        ok = ok && names[k];
    }
    for (size_t j = 0; j < law->nparams; j++) {
        v[0][j] = (double)law->params[j].bound;
        v[1][j] = law->params[j].lo;
        v[2][j] = law->params[j].hi;
    }
    if (!ok && w->rc == TW_OK)
        w->rc = tw_err_set(w->err, TW_ENOMEM, "out of memory");
    put_text(w, "/law_own/expression", tw_law_own_expression(law), "the law as it was given");
    put_texts(w, "/law_own/inputs", law->ninputs, names, "its names that are inputs");
    put_size(w, "/law_own/plain", law->plain, "1: residuals of the loss; 0: of its logarithm");
    put(w, "/law_own/bound", law->nparams, v[0], "", "0: any number, 1: positive, 2: lo to hi");
    put(w, "/law_own/lo", law->nparams, v[1], "", "lower end of each parameter's range");
    put(w, "/law_own/hi", law->nparams, v[2], "", "upper end of each parameter's range");
    for (size_t k = 0; k < law->ninputs; k++)
        free(names[k]);
}

enum tw_status tw_fit_file_write(const struct tw_fit_file *f, struct tw_result *r,
                                 struct tw_err *err)
{
    struct writer w = { r, err, TW_OK };

    write_parameters(&w, &f->fit);
    if (f->fit.law->own)
        write_own(&w, f->fit.law);
    write_settings(&w, &f->fit);
    if (f->fit.law->nrestrictions)
        write_restriction(&w, &f->fit);
    write_curves(&w, f);
    write_points(&w, f);
    for (size_t i = 0; i < f->fit.nprofiles; i++)
        write_profile(&w, &f->fit, &f->fit.profiles[i]);
    return w.rc;
}
