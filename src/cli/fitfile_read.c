/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layout is described in fitfile_write.c. Nothing read here is trusted: the file may be
 * damaged or made by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitfile_parts.h"
#include "runs.h"
#include "thalweg/store_reader.h"

static size_t get_word(struct tw_reader *s, const char *path, const char *const *words, size_t n)
{
    char *text = tw_reader_text(s, path);
    size_t i = 0;

    while (text && i < n && strcmp(text, words[i]) != 0)
        i++;
    free(text);
    if (s->rc == TW_OK && i == n)
        tw_reader_refuse(s, "%s is none of its words", path);
    return i < n ? i : 0;
}

/* Could the law be evaluated there? */
static bool possible(const struct tw_law *law, const double *theta)
{
    for (size_t j = 0; j < law->nparams; j++) {
        const struct tw_fit_param *q = &law->params[j];

        if (!isfinite(theta[j]) || (q->bound == TW_FIT_POSITIVE && !(theta[j] > 0.0)) ||
            (q->bound == TW_FIT_BELOW_ONE && !(theta[j] < 1.0 && theta[j] > -1.0)) ||
            (q->bound == TW_FIT_BETWEEN && !(theta[j] >= q->lo && theta[j] <= q->hi)))
            return false;
    }
    return true;
}

/* All of n values are finite, or all are NaN. */
static bool whole_or_none(const double *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isinf(x[i]) || isnan(x[i]) != isnan(x[0]))
            return false;
    return true;
}

static void read_replicates(struct tw_reader *s, struct tw_law_fit *fit)
{
    const size_t p = fit->law->nparams;
    size_t dims[2] = { SIZE_MAX, p };

    if (!tw_reader_has(s, "/parameters/replicates"))
        return;
    fit->theta_boot = tw_reader_reals(s, "/parameters/replicates", 2, dims);
    if (fit->theta_boot)
        fit->replicates = dims[0];
    for (size_t b = 0; s->rc == TW_OK && b < fit->replicates; b++) {
        const double *theta = fit->theta_boot + b * p;

        if (!whole_or_none(theta, p) || (!isnan(theta[0]) && !possible(fit->law, theta)))
            tw_reader_refuse(s, "/parameters/replicates has a row that is outside the law's range");
    }
    fit->correlation = tw_reader_reals(s, "/parameters/correlation", 2, (size_t[]){ p, p });
}

/* The ranges of a law of its own, which are no more to be trusted than the rest. */
static void read_ranges(struct tw_reader *s, struct tw_law *law)
{
    double v[3][TW_FIT_MAX_PARAMS] = { { 0 } };

    tw_reader_copy(s, "/law_own/bound", law->nparams, v[0]);
    tw_reader_copy(s, "/law_own/lo", law->nparams, v[1]);
    tw_reader_copy(s, "/law_own/hi", law->nparams, v[2]);
    for (size_t j = 0; s->rc == TW_OK && j < law->nparams; j++) {
        if ((v[0][j] != 0.0 && v[0][j] != 1.0 && v[0][j] != 2.0) || !isfinite(v[1][j]) ||
            !isfinite(v[2][j]) || !(v[1][j] < v[2][j]))
            tw_reader_refuse(s, "/law_own has a range that is none");
        else
            tw_law_own_bound(law, j, (enum tw_fit_bound)v[0][j], v[1][j], v[2][j]);
    }
}

/* A law that is in no table. NULL with s->rc set if the file does not hold one. */
static struct tw_law *read_own(struct tw_reader *s)
{
    struct tw_law_input input[TW_LAW_MAX_INPUTS];
    struct tw_law *law = NULL;
    size_t n = SIZE_MAX;
    char *text = tw_reader_text(s, "/law_own/expression");
    char **name = tw_reader_texts(s, "/law_own/inputs", &n);

    if (s->rc == TW_OK && n > TW_LAW_MAX_INPUTS)
        tw_reader_refuse(s, "/law_own/inputs has too many texts");
    for (size_t k = 0; s->rc == TW_OK && k < n; k++)
        input[k] = tw_run_known_input(name[k]);
    if (s->rc == TW_OK) {
        const bool plain = tw_reader_size(s, "/law_own/plain") != 0;

        if (s->rc == TW_OK)
            s->rc = tw_law_own_new("own", text, input, n, plain, &law, s->err);
        if (s->rc != TW_OK)
            s->rc = tw_err_ctx(s->err, s->rc == TW_ENOMEM ? s->rc : TW_EFORMAT, "%s: /law_own",
                               s->path);
    }
    if (s->rc == TW_OK)
        read_ranges(s, law);
    tw_reader_free_texts(name, n);
    free(text);
    return law;
}

static void read_parameters(struct tw_reader *s, struct tw_fit_file *f)
{
    struct tw_law_fit *fit = &f->fit;
    char *name = tw_reader_text(s, "/law");
    size_t p;

    if (name && !strcmp(name, "own"))
        fit->law = f->own = read_own(s);
    else
        fit->law = name ? tw_law_find(name) : NULL;
    if (s->rc == TW_OK && !fit->law)
        s->rc = tw_err_set(s->err, TW_EFORMAT, "%s: unknown law '%s'; is the file newer than %s?",
                           s->path, name, tw_version());
    free(name);
    if (s->rc != TW_OK || !fit->law)
        return;
    p = fit->law->nparams;
    tw_reader_copy(s, "/parameters/value", p, fit->theta);
    tw_reader_copy(s, "/parameters/lo", p, fit->lo);
    tw_reader_copy(s, "/parameters/hi", p, fit->hi);
    if (s->rc == TW_OK && !possible(fit->law, fit->theta))
        tw_reader_refuse(s, "/parameters/value is outside the law's range");
    read_replicates(s, fit);
}

static void read_settings(struct tw_reader *s, struct tw_law_fit *fit)
{
    struct tw_law_fit_opts *o = &fit->opts;
    const size_t n = fit->law->nparams;
    uint8_t *bytes = tw_reader_bytes(s, "/settings/fixed", 1, &(size_t){ n });

    for (size_t j = 0; bytes && j < n; j++)
        o->fixed[j] = bytes[j] != 0;
    free(bytes);
    o->loss = (enum tw_fit_loss)get_word(s, "/settings/loss", tw_fit_loss_names, 3);
    o->warmup = (enum tw_warmup)get_word(s, "/settings/warmup", tw_warmup_names, 2);
    o->delta = tw_reader_real(s, "/settings/delta");
    o->level = tw_reader_real(s, "/settings/level");
    o->block = tw_reader_size(s, "/settings/block");
    tw_reader_copy(s, "/settings/warmup_score", 2, fit->warmup_score);
    fit->warmup_by_curves = tw_reader_size(s, "/settings/warmup_by_curves") != 0;
    fit->min.objective = tw_reader_real(s, "/certificate/objective");
    fit->min.gradient = tw_reader_real(s, "/certificate/gradient");
    fit->min.condition = tw_reader_real(s, "/certificate/condition");
    fit->min.iterations = tw_reader_size(s, "/certificate/iterations");
    fit->min.converged = tw_reader_size(s, "/certificate/converged") != 0;
    fit->starts = tw_reader_size(s, "/certificate/starts");
    fit->at_optimum = tw_reader_size(s, "/certificate/at_optimum");
    fit->failed = tw_reader_size(s, "/certificate/failed");
    bytes = tw_reader_bytes(s, "/certificate/at_bounds", 1, &(size_t){ n });
    for (size_t j = 0; bytes && j < n; j++)
        fit->min.at_bounds |= (bytes[j] ? 1u : 0u) << j;
    free(bytes);
}

static void read_trials(struct tw_reader *s, struct tw_law_fit *fit)
{
    const size_t n = fit->law->nrestrictions + 1; /* none, and each */
    double *objective = tw_reader_list(s, "/trials/objective", n);
    double *mae = tw_reader_list(s, "/trials/left_out_mae", n);
    double *left = tw_reader_list(s, "/trials/left_out", n);
    double *condition = tw_reader_list(s, "/trials/condition", n);

    if (s->rc == TW_OK) {
        fit->trials = tw_alloc(n, sizeof *fit->trials);
        if (!fit->trials)
            tw_reader_no_memory(s);
    }
    for (size_t k = 0; s->rc == TW_OK && k < n; k++) {
        if (!(left[k] >= 0.0) || !(left[k] <= 1e9))
            tw_reader_refuse(s, "/trials/left_out is no count");
        else
            fit->trials[fit->ntrials++] = (struct tw_law_trial){ .objective = objective[k],
                                                                 .condition = condition[k],
                                                                 .left_out = (size_t)left[k],
                                                                 .left_out_mae = mae[k] };
    }
    free(objective);
    free(mae);
    free(left);
    free(condition);
}

/* What was held together, of a law that has restrictions, and how that was chosen. Files of
 * earlier versions do not say. */
static void read_restriction(struct tw_reader *s, struct tw_law_fit *fit)
{
    const char *words[8] = { "none" };
    size_t n = 1;

    for (; n <= fit->law->nrestrictions && n < sizeof words / sizeof *words; n++)
        words[n] = fit->law->restrictions[n - 1].name;
    if (n > 1 && tw_reader_has(s, "/settings/restriction"))
        fit->opts.restriction = get_word(s, "/settings/restriction", words, n);
    if (n > 1 && tw_reader_has(s, "/trials/condition"))
        read_trials(s, fit);
}

/* A count that a file states as a real: whole, at least 1 and at most `most`. */
static size_t count(struct tw_reader *s, double x, size_t most, const char *what)
{
    if (!(x >= 1.0) || !(x <= 1e15) || x != floor(x) || (size_t)x > most) {
        tw_reader_refuse(s, "%s", what);
        return 0;
    }
    return (size_t)x;
}

static void read_schedules(struct tw_reader *s, struct tw_fit_file *f)
{
    const size_t n = f->n;
    size_t total = SIZE_MAX, at = 0;
    double *steps = tw_reader_list(s, "/curves/steps", n),
           *base = tw_reader_list(s, "/curves/base", n);
    double *batch = tw_reader_list(s, "/curves/batch", n),
           *warm = tw_reader_list(s, "/curves/warm_end", n);
    char **spec = tw_reader_texts(s, "/curves/schedules", &f->n);
    double *rates = tw_reader_reals(s, "/curves/rates", 1, &total);

    for (size_t c = 0; s->rc == TW_OK && c < f->n; c++) {
        struct tw_schedule *q = &f->schedule[c];

        q->n = count(s, steps[c], total - at, "/curves/steps does not fit /curves/rates");
        if (warm[c] != 0.0) /* 0: no warm-up */
            q->warm_end = count(s, warm[c], q->n, "/curves/warm_end is past the schedule's end");
        q->base = base[c] == 1.0;
        q->batch = batch[c];
        q->spec = tw_strdup(spec[c]);
        if (s->rc == TW_OK && (!(q->batch > 0.0) || !isfinite(q->batch)))
            tw_reader_refuse(s, "/curves/batch is not positive");
        if (s->rc != TW_OK)
            break;
        q->lr = tw_alloc(q->n, sizeof *q->lr);
        if (!q->lr || !q->spec) {
            tw_reader_no_memory(s);
            break;
        }
        memcpy(q->lr, rates + at, q->n * sizeof *rates);
        at += q->n;
        for (size_t i = 0; i < q->n; i++)
            if (!(q->lr[i] >= 0.0) || !isfinite(q->lr[i]))
                tw_reader_refuse(s, "/curves/rates holds a rate that is not a number >= 0");
    }
    if (s->rc == TW_OK && at != total)
        tw_reader_refuse(s, "/curves/rates is longer than the schedules");
    tw_reader_free_texts(spec, n);
    free(steps);
    free(base);
    free(batch);
    free(warm);
    free(rates);
}

static void read_curves(struct tw_reader *s, struct tw_fit_file *f)
{
    struct tw_law_fit *fit = &f->fit;
    size_t n = SIZE_MAX;
    double *points = tw_reader_reals(s, "/curves/points", 1, &n);

    if (s->rc == TW_OK && n == 0)
        tw_reader_refuse(s, "it has no curves");
    f->n = fit->ncurves = s->rc == TW_OK ? n : 0;
    fit->first = tw_alloc(f->n + 1, sizeof *fit->first);
    f->schedule = tw_alloc(f->n, sizeof *f->schedule);
    f->size = tw_alloc(f->n, sizeof *f->size);
    fit->score = tw_alloc(f->n, sizeof *fit->score);
    if (s->rc == TW_OK && (!fit->first || !f->schedule || !f->size || !fit->score))
        tw_reader_no_memory(s);
    for (size_t c = 0; s->rc == TW_OK && fit->first && c < f->n; c++)
        fit->first[c + 1] =
            fit->first[c] + count(s, points[c], SIZE_MAX / 2 - fit->first[c],
                                  "/curves/points is not a count of at least 1 for each curve");
    free(points);
    if (s->rc != TW_OK || !fit->first)
        return;
    fit->n = fit->first[f->n];
    f->name = tw_reader_texts(s, "/curves/names", &f->n);
    f->path = tw_reader_texts(s, "/curves/paths", &f->n);
    f->digest = tw_reader_texts(s, "/curves/digests", &f->n);
    f->y_name = tw_reader_texts(s, "/curves/series", &f->n);
    if (!fit->law->ninputs)
        read_schedules(s, f);
    if (fit->law->sized)
        tw_reader_copy(s, "/curves/sizes", f->n, f->size);
    for (size_t c = 0; s->rc == TW_OK && c < f->n; c++)
        if (fit->law->sized && (!(f->size[c] > 0.0) || !isfinite(f->size[c])))
            tw_reader_refuse(s, "/curves/sizes is not a positive number for each curve");
}

/* x of a law of runs is a copy of its first input. */
static double *first_input(struct tw_reader *s, const struct tw_fit_file *f)
{
    double *x = tw_alloc(f->fit.n, sizeof *x);

    if (x)
        memcpy(x, f->input[0], f->fit.n * sizeof *x);
    else
        tw_reader_no_memory(s);
    return x;
}

static void check_points(struct tw_reader *s, const struct tw_law_fit *fit)
{
    for (size_t c = 0; s->rc == TW_OK && c < fit->ncurves; c++) {
        const size_t a = fit->first[c], b = fit->first[c + 1];

        for (size_t i = a; s->rc == TW_OK && i < b; i++) {
            if (!isfinite(fit->x[i]) ||
                (!fit->law->ninputs && i > a && !(fit->x[i] > fit->x[i - 1])))
                tw_reader_refuse(s, "/points/x does not increase");
            if ((!fit->law->plain && !(fit->y[i] > 0.0)) || !isfinite(fit->y[i]) ||
                !isfinite(fit->yhat[i]) || !isfinite(fit->r[i]))
                tw_reader_refuse(s, "/points holds a loss or a residual that is no number");
        }
        if (s->rc == TW_OK && fit->left_out_r && !whole_or_none(fit->left_out_r + a, b - a))
            tw_reader_refuse(s, "/points/left_out_residual has gaps in a curve");
    }
    if (s->rc == TW_OK && (fit->model_error < 0.0 || isinf(fit->model_error) ||
                           fit->annealed_error < 0.0 || isinf(fit->annealed_error)))
        tw_reader_refuse(s, "/model_error/value is no number >= 0");
}

static void read_scores(struct tw_reader *s, struct tw_fit_file *f)
{
    struct tw_law_fit *fit = &f->fit;
    size_t n = f->n;

    if (tw_reader_has(s, "/model_error/mae"))
        fit->left_out_mae = tw_reader_list(s, "/model_error/mae", n);
    for (size_t k = 0; s->rc == TW_OK && tw_score_fields[k].name; k++) {
        char path[64];
        double *v;

        (void)snprintf(path, sizeof path, "/scores/%s", tw_score_fields[k].name);
        v = tw_reader_list(s, path, n);
        for (size_t c = 0; s->rc == TW_OK && c < f->n; c++)
            memcpy((char *)&fit->score[c] + tw_score_fields[k].off, &v[c], sizeof v[c]);
        free(v);
    }
    for (size_t c = 0; s->rc == TW_OK && c < f->n; c++)
        fit->score[c].n = fit->first[c + 1] - fit->first[c];
}

static void read_points(struct tw_reader *s, struct tw_fit_file *f)
{
    struct tw_law_fit *fit = &f->fit;
    size_t n = fit->n;

    for (size_t k = 0; k < fit->law->ninputs; k++) {
        char path[64];

        (void)snprintf(path, sizeof path, "/points/input/%s", fit->law->inputs[k].name);
        f->input[k] = tw_reader_list(s, path, n);
    }
    if (!fit->law->ninputs)
        fit->x = tw_reader_list(s, "/points/x", n);
    else if (s->rc == TW_OK)
        fit->x = first_input(s, f);
    fit->y = tw_reader_list(s, "/points/loss", n);
    fit->yhat = tw_reader_list(s, "/points/fitted", n);
    fit->r = tw_reader_list(s, "/points/residual", n);
    fit->model_error = tw_reader_real(s, "/model_error/value");
    fit->left_out = tw_reader_size(s, "/model_error/left_out");
    fit->annealed_error = tw_reader_real(s, "/model_error/annealed");
    fit->annealed_left_out = tw_reader_size(s, "/model_error/annealed_left_out");
    if (tw_reader_has(s, "/points/left_out_residual"))
        fit->left_out_r = tw_reader_list(s, "/points/left_out_residual", n);
    else
        fit->left_out = 0;
    check_points(s, fit);
}

static void read_profiles(struct tw_reader *s, struct tw_law_fit *fit)
{
    fit->profiles = tw_alloc(TW_FIT_MAX_PARAMS, sizeof *fit->profiles);
    if (!fit->profiles && s->rc == TW_OK)
        tw_reader_no_memory(s);
    for (size_t j = 0; s->rc == TW_OK && fit->profiles && j < fit->law->nparams; j++) {
        struct tw_law_profile *q = &fit->profiles[fit->nprofiles];
        char base[64], path[96];

        (void)snprintf(base, sizeof base, "/profiles/%s", fit->law->params[j].name);
        (void)snprintf(path, sizeof path, "%s/x", base);
        if (!tw_reader_has(s, path))
            continue;
        fit->nprofiles++;
        q->param = j;
        q->n = SIZE_MAX;
        q->x = tw_reader_reals(s, path, 1, &q->n);
        (void)snprintf(path, sizeof path, "%s/rise", base);
        q->rise = tw_reader_list(s, path, q->n);
        (void)snprintf(path, sizeof path, "%s/threshold", base);
        q->threshold = tw_reader_real(s, path);
        (void)snprintf(path, sizeof path, "%s/inflation", base);
        q->inflation = tw_reader_real(s, path);
        (void)snprintf(path, sizeof path, "%s/lo", base);
        q->lo = tw_reader_real(s, path);
        (void)snprintf(path, sizeof path, "%s/hi", base);
        q->hi = tw_reader_real(s, path);
    }
}

enum tw_status tw_fit_file_read(const char *path, struct tw_fit_file *f, struct tw_err *err)
{
    struct tw_err own = { 0 };
    struct tw_reader s = tw_reader_open(path, NULL, err ? err : &own);
    const char *kind;

    if (s.rc == TW_EFORMAT && !tw_is_hdf5(path)) {
        *s.err = (struct tw_err){ 0 };
        return tw_err_set(s.err, TW_EFORMAT,
                          "%s: expected a fit, a file that 'thalweg fit LAW FILE... -o FIT.h5' "
                          "writes; this is not an HDF5 file",
                          path);
    }
    if (s.rc != TW_OK)
        return s.rc;
    kind = tw_result_kind(s.r);
    if (strcmp(kind, "fit") != 0 && strcmp(kind, "forecast") != 0 && strcmp(kind, "schedule") != 0)
        tw_reader_refuse(&s, "expected a fit, found a file of kind '%s'", kind);
    else
        read_parameters(&s, f);
    if (f->fit.law) { /* else s.rc says why */
        void (*const settings[])(struct tw_reader * s,
                                 struct tw_law_fit * fit) = { read_settings, read_restriction };
        void (*const parts[])(struct tw_reader * s,
                              struct tw_fit_file * f) = { read_curves, read_points, read_scores };

        for (size_t k = 0; s.rc == TW_OK && k < 2; k++)
            settings[k](&s, &f->fit);
        for (size_t k = 0; s.rc == TW_OK && k < 3; k++)
            parts[k](&s, f);
        if (s.rc == TW_OK)
            read_profiles(&s, &f->fit);
    }
    return tw_reader_close(&s);
}
