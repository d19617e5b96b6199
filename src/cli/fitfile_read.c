/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layout is described in fitfile_write.c. Nothing read here is trusted: the file may be
 * damaged or made by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitfile_parts.h"
#include "runs.h"

struct source {
    struct tw_result *r;
    struct tw_err *err;
    enum tw_status rc;
    const char *path;
};

static void bad(struct source *s, const char *what)
{
    if (s->rc == TW_OK)
        s->rc = tw_err_set(s->err, TW_EFORMAT, "%s: not a fit that this program can use: %s",
                           s->path, what);
}

/* n values, or any number of them if *n is SIZE_MAX. */
static double *get(struct source *s, const char *path, size_t *n)
{
    double *x = NULL;
    size_t found = 0;

    if (s->rc == TW_OK)
        s->rc = tw_result_get_reals(s->r, path, 1, &found, &x, s->err);
    if (s->rc == TW_OK && *n != SIZE_MAX && found != *n)
        s->rc = tw_err_set(s->err, TW_EFORMAT,
                           "%s: not a fit that this program can use: %s has %zu value%s, expected "
                           "%zu",
                           s->path, path, found, tw_plural(found), *n);
    *n = found;
    return x;
}

static double get_real(struct source *s, const char *path)
{
    double x = NAN;

    if (s->rc == TW_OK)
        s->rc = tw_result_get_real(s->r, path, &x, s->err);
    return x;
}

static size_t get_size(struct source *s, const char *path)
{
    size_t x = 0;

    if (s->rc == TW_OK)
        s->rc = tw_result_get_size(s->r, path, &x, s->err);
    return x;
}

static char **get_texts(struct source *s, const char *path, size_t n)
{
    char **v = NULL;
    size_t found = 0;

    if (s->rc == TW_OK)
        s->rc = tw_result_get_texts(s->r, path, &found, &v, s->err);
    if (s->rc == TW_OK && found != n) {
        for (size_t i = 0; i < found; i++)
            free(v[i]);
        free(v);
        v = NULL;
        s->rc = tw_err_set(s->err, TW_EFORMAT,
                           "%s: not a fit that this program can use: %s has %zu text%s, expected "
                           "%zu",
                           s->path, path, found, tw_plural(found), n);
    }
    return v;
}

static size_t get_word(struct source *s, const char *path, const char *const *words, size_t n)
{
    char *text = NULL;
    size_t i = 0;

    if (s->rc == TW_OK)
        s->rc = tw_result_get_text(s->r, path, &text, s->err);
    while (text && i < n && strcmp(text, words[i]) != 0)
        i++;
    free(text);
    if (s->rc == TW_OK && i == n)
        s->rc = tw_err_set(s->err, TW_EFORMAT,
                           "%s: not a fit that this program can use: %s is none of its words",
                           s->path, path);
    return i < n ? i : 0;
}

static void copy(struct source *s, const char *path, size_t n, double *dst)
{
    double *x = get(s, path, &n);

    if (s->rc == TW_OK)
        memcpy(dst, x, n * sizeof *dst);
    free(x);
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

static void read_replicates(struct source *s, struct tw_law_fit *fit)
{
    const size_t p = fit->law->nparams;
    size_t dims[2];

    if (s->rc != TW_OK || !tw_result_has(s->r, "/parameters/replicates"))
        return;
    s->rc = tw_result_get_reals(s->r, "/parameters/replicates", 2, dims, &fit->theta_boot, s->err);
    if (s->rc == TW_OK && dims[1] != p)
        bad(s, "/parameters/replicates does not have a column for each parameter");
    if (s->rc == TW_OK)
        fit->replicates = dims[0];
    for (size_t b = 0; s->rc == TW_OK && b < fit->replicates; b++) {
        const double *theta = fit->theta_boot + b * p;

        if (!whole_or_none(theta, p) || (!isnan(theta[0]) && !possible(fit->law, theta)))
            bad(s, "/parameters/replicates has a row that is outside the law's range");
    }
    if (s->rc == TW_OK)
        s->rc = tw_result_get_reals(s->r, "/parameters/correlation", 2, dims, &fit->correlation,
                                    s->err);
    if (s->rc == TW_OK && (dims[0] != p || dims[1] != p))
        bad(s, "/parameters/correlation has another size than the parameters");
}

/* The ranges of a law of its own, which are no more to be trusted than the rest. */
static void read_ranges(struct source *s, struct tw_law *law)
{
    double v[3][TW_FIT_MAX_PARAMS] = { { 0 } };

    copy(s, "/law_own/bound", law->nparams, v[0]);
    copy(s, "/law_own/lo", law->nparams, v[1]);
    copy(s, "/law_own/hi", law->nparams, v[2]);
    for (size_t j = 0; s->rc == TW_OK && j < law->nparams; j++) {
        if ((v[0][j] != 0.0 && v[0][j] != 1.0 && v[0][j] != 2.0) || !isfinite(v[1][j]) ||
            !isfinite(v[2][j]) || !(v[1][j] < v[2][j]))
            bad(s, "/law_own has a range that is none");
        else
            tw_law_own_bound(law, j, (enum tw_fit_bound)v[0][j], v[1][j], v[2][j]);
    }
}

/* A law that is in no table. NULL with s->rc set if the file does not hold one. */
static struct tw_law *read_own(struct source *s)
{
    struct tw_law_input input[TW_LAW_MAX_INPUTS];
    struct tw_law *law = NULL;
    char *text = NULL, **name = NULL;
    size_t n = 0;

    if (s->rc == TW_OK)
        s->rc = tw_result_get_text(s->r, "/law_own/expression", &text, s->err);
    if (s->rc == TW_OK)
        s->rc = tw_result_get_texts(s->r, "/law_own/inputs", &n, &name, s->err);
    if (s->rc == TW_OK && n > TW_LAW_MAX_INPUTS)
        bad(s, "/law_own/inputs has too many texts");
    for (size_t k = 0; s->rc == TW_OK && k < n; k++)
        input[k] = tw_run_known_input(name[k]);
    if (s->rc == TW_OK) {
        const bool plain = get_size(s, "/law_own/plain") != 0;

        if (s->rc == TW_OK)
            s->rc = tw_law_own_new("own", text, input, n, plain, &law, s->err);
        if (s->rc != TW_OK)
            s->rc = tw_err_ctx(s->err, s->rc == TW_ENOMEM ? s->rc : TW_EFORMAT, "%s: /law_own",
                               s->path);
    }
    if (s->rc == TW_OK)
        read_ranges(s, law);
    for (size_t k = 0; name && k < n; k++)
        free(name[k]);
    free(name);
    free(text);
    return law;
}

static void read_parameters(struct source *s, struct tw_fit_file *f)
{
    struct tw_law_fit *fit = &f->fit;
    char *name = NULL;
    size_t p;

    if (s->rc == TW_OK)
        s->rc = tw_result_get_text(s->r, "/law", &name, s->err);
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
    copy(s, "/parameters/value", p, fit->theta);
    copy(s, "/parameters/lo", p, fit->lo);
    copy(s, "/parameters/hi", p, fit->hi);
    if (s->rc == TW_OK && !possible(fit->law, fit->theta))
        bad(s, "/parameters/value is outside the law's range");
    read_replicates(s, fit);
}

static void read_settings(struct source *s, struct tw_law_fit *fit)
{
    struct tw_law_fit_opts *o = &fit->opts;
    uint8_t *bytes = NULL;
    size_t n = 0;

    if (s->rc == TW_OK)
        s->rc = tw_result_get_bytes(s->r, "/settings/fixed", 1, &n, &bytes, s->err);
    if (s->rc == TW_OK && n != fit->law->nparams)
        bad(s, "/settings/fixed has another size than the parameters");
    for (size_t j = 0; s->rc == TW_OK && j < n; j++)
        o->fixed[j] = bytes[j] != 0;
    free(bytes);
    bytes = NULL;
    o->loss = (enum tw_fit_loss)get_word(s, "/settings/loss", tw_fit_loss_names, 3);
    o->warmup = (enum tw_warmup)get_word(s, "/settings/warmup", tw_warmup_names, 2);
    o->delta = get_real(s, "/settings/delta");
    o->level = get_real(s, "/settings/level");
    o->block = get_size(s, "/settings/block");
    copy(s, "/settings/warmup_score", 2, fit->warmup_score);
    fit->warmup_by_curves = get_size(s, "/settings/warmup_by_curves") != 0;
    fit->min.objective = get_real(s, "/certificate/objective");
    fit->min.gradient = get_real(s, "/certificate/gradient");
    fit->min.condition = get_real(s, "/certificate/condition");
    fit->min.iterations = get_size(s, "/certificate/iterations");
    fit->min.converged = get_size(s, "/certificate/converged") != 0;
    fit->starts = get_size(s, "/certificate/starts");
    fit->at_optimum = get_size(s, "/certificate/at_optimum");
    fit->failed = get_size(s, "/certificate/failed");
    if (s->rc == TW_OK)
        s->rc = tw_result_get_bytes(s->r, "/certificate/at_bounds", 1, &n, &bytes, s->err);
    if (s->rc == TW_OK && n != fit->law->nparams)
        bad(s, "/certificate/at_bounds has another size than the parameters");
    for (size_t j = 0; s->rc == TW_OK && j < n; j++)
        fit->min.at_bounds |= (bytes[j] ? 1u : 0u) << j;
    free(bytes);
}

static void read_trials(struct source *s, struct tw_law_fit *fit)
{
    size_t n = SIZE_MAX;
    double *objective = get(s, "/trials/objective", &n), *mae = get(s, "/trials/left_out_mae", &n);
    double *left = get(s, "/trials/left_out", &n), *condition = get(s, "/trials/condition", &n);

    if (s->rc == TW_OK && n != fit->law->nrestrictions + 1)
        bad(s, "/trials has not one row for each restriction of the law");
    if (s->rc == TW_OK) {
        fit->trials = tw_alloc(n, sizeof *fit->trials);
        if (!fit->trials)
            s->rc = tw_err_set(s->err, TW_ENOMEM, "%s: out of memory", s->path);
    }
    for (size_t k = 0; s->rc == TW_OK && k < n; k++) {
        if (!(left[k] >= 0.0) || !(left[k] <= 1e9))
            bad(s, "/trials/left_out is no count");
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
static void read_restriction(struct source *s, struct tw_law_fit *fit)
{
    const char *words[8] = { "none" };
    size_t n = 1;

    for (; n <= fit->law->nrestrictions && n < sizeof words / sizeof *words; n++)
        words[n] = fit->law->restrictions[n - 1].name;
    if (s->rc == TW_OK && n > 1 && tw_result_has(s->r, "/settings/restriction"))
        fit->opts.restriction = get_word(s, "/settings/restriction", words, n);
    if (s->rc == TW_OK && n > 1 && tw_result_has(s->r, "/trials/condition"))
        read_trials(s, fit);
}

/* A count that a file states as a real: whole, at least 1 and at most `most`. */
static size_t count(struct source *s, double x, size_t most, const char *what)
{
    if (!(x >= 1.0) || !(x <= 1e15) || x != floor(x) || (size_t)x > most) {
        bad(s, what);
        return 0;
    }
    return (size_t)x;
}

static void read_schedules(struct source *s, struct tw_fit_file *f)
{
    size_t n = f->n, total = SIZE_MAX, at = 0;
    double *steps = get(s, "/curves/steps", &n), *base = get(s, "/curves/base", &n);
    double *batch = get(s, "/curves/batch", &n), *warm = get(s, "/curves/warm_end", &n);
    char **spec = get_texts(s, "/curves/schedules", f->n);
    double *rates = get(s, "/curves/rates", &total);

    for (size_t c = 0; s->rc == TW_OK && c < f->n; c++) {
        struct tw_schedule *q = &f->schedule[c];

        q->n = count(s, steps[c], total - at, "/curves/steps does not fit /curves/rates");
        if (warm[c] != 0.0) /* 0: no warm-up */
            q->warm_end = count(s, warm[c], q->n, "/curves/warm_end is past the schedule's end");
        q->base = base[c] == 1.0;
        q->batch = batch[c];
        q->spec = tw_strdup(spec[c]);
        if (s->rc == TW_OK && (!(q->batch > 0.0) || !isfinite(q->batch)))
            bad(s, "/curves/batch is not positive");
        if (s->rc != TW_OK)
            break;
        q->lr = tw_alloc(q->n, sizeof *q->lr);
        if (!q->lr || !q->spec) {
            s->rc = tw_err_set(s->err, TW_ENOMEM, "%s: out of memory", s->path);
            break;
        }
        memcpy(q->lr, rates + at, q->n * sizeof *rates);
        at += q->n;
        for (size_t i = 0; i < q->n; i++)
            if (!(q->lr[i] >= 0.0) || !isfinite(q->lr[i]))
                bad(s, "/curves/rates holds a rate that is not a number >= 0");
    }
    if (s->rc == TW_OK && at != total)
        bad(s, "/curves/rates is longer than the schedules");
    for (size_t c = 0; spec && c < f->n; c++)
        free(spec[c]);
    free(spec);
    free(steps);
    free(base);
    free(batch);
    free(warm);
    free(rates);
}

static void read_curves(struct source *s, struct tw_fit_file *f)
{
    struct tw_law_fit *fit = &f->fit;
    size_t n = SIZE_MAX;
    double *points = get(s, "/curves/points", &n);

    if (s->rc == TW_OK && n == 0)
        bad(s, "it has no curves");
    f->n = fit->ncurves = s->rc == TW_OK ? n : 0;
    fit->first = tw_alloc(f->n + 1, sizeof *fit->first);
    f->schedule = tw_alloc(f->n, sizeof *f->schedule);
    f->size = tw_alloc(f->n, sizeof *f->size);
    fit->score = tw_alloc(f->n, sizeof *fit->score);
    if (s->rc == TW_OK && (!fit->first || !f->schedule || !f->size || !fit->score))
        s->rc = tw_err_set(s->err, TW_ENOMEM, "%s: out of memory", s->path);
    for (size_t c = 0; s->rc == TW_OK && fit->first && c < f->n; c++)
        fit->first[c + 1] =
            fit->first[c] + count(s, points[c], SIZE_MAX / 2 - fit->first[c],
                                  "/curves/points is not a count of at least 1 for each curve");
    free(points);
    if (s->rc != TW_OK || !fit->first)
        return;
    fit->n = fit->first[f->n];
    f->name = get_texts(s, "/curves/names", f->n);
    f->path = get_texts(s, "/curves/paths", f->n);
    f->digest = get_texts(s, "/curves/digests", f->n);
    f->y_name = get_texts(s, "/curves/series", f->n);
    if (!fit->law->ninputs)
        read_schedules(s, f);
    if (fit->law->sized)
        copy(s, "/curves/sizes", f->n, f->size);
    for (size_t c = 0; s->rc == TW_OK && c < f->n; c++)
        if (fit->law->sized && (!(f->size[c] > 0.0) || !isfinite(f->size[c])))
            bad(s, "/curves/sizes is not a positive number for each curve");
}

/* x of a law of runs is a copy of its first input. */
static double *first_input(struct source *s, const struct tw_fit_file *f)
{
    double *x = tw_alloc(f->fit.n, sizeof *x);

    if (x)
        memcpy(x, f->input[0], f->fit.n * sizeof *x);
    else
        s->rc = tw_err_set(s->err, TW_ENOMEM, "%s: out of memory", s->path);
    return x;
}

static void check_points(struct source *s, const struct tw_law_fit *fit)
{
    for (size_t c = 0; s->rc == TW_OK && c < fit->ncurves; c++) {
        const size_t a = fit->first[c], b = fit->first[c + 1];

        for (size_t i = a; s->rc == TW_OK && i < b; i++) {
            if (!isfinite(fit->x[i]) ||
                (!fit->law->ninputs && i > a && !(fit->x[i] > fit->x[i - 1])))
                bad(s, "/points/x does not increase");
            if ((!fit->law->plain && !(fit->y[i] > 0.0)) || !isfinite(fit->y[i]) ||
                !isfinite(fit->yhat[i]) || !isfinite(fit->r[i]))
                bad(s, "/points holds a loss or a residual that is no number");
        }
        if (s->rc == TW_OK && fit->left_out_r && !whole_or_none(fit->left_out_r + a, b - a))
            bad(s, "/points/left_out_residual has gaps in a curve");
    }
    if (s->rc == TW_OK && (fit->model_error < 0.0 || isinf(fit->model_error) ||
                           fit->annealed_error < 0.0 || isinf(fit->annealed_error)))
        bad(s, "/model_error/value is no number >= 0");
}

static void read_scores(struct source *s, struct tw_fit_file *f)
{
    struct tw_law_fit *fit = &f->fit;
    size_t n = f->n;

    if (s->rc == TW_OK && tw_result_has(s->r, "/model_error/mae"))
        fit->left_out_mae = get(s, "/model_error/mae", &n);
    for (size_t k = 0; s->rc == TW_OK && tw_score_fields[k].name; k++) {
        char path[64];
        double *v;

        (void)snprintf(path, sizeof path, "/scores/%s", tw_score_fields[k].name);
        v = get(s, path, &n);
        for (size_t c = 0; s->rc == TW_OK && c < f->n; c++)
            memcpy((char *)&fit->score[c] + tw_score_fields[k].off, &v[c], sizeof v[c]);
        free(v);
    }
    for (size_t c = 0; s->rc == TW_OK && c < f->n; c++)
        fit->score[c].n = fit->first[c + 1] - fit->first[c];
}

static void read_points(struct source *s, struct tw_fit_file *f)
{
    struct tw_law_fit *fit = &f->fit;
    size_t n = fit->n;

    for (size_t k = 0; k < fit->law->ninputs; k++) {
        char path[64];

        (void)snprintf(path, sizeof path, "/points/input/%s", fit->law->inputs[k].name);
        f->input[k] = get(s, path, &n);
    }
    if (!fit->law->ninputs)
        fit->x = get(s, "/points/x", &n);
    else if (s->rc == TW_OK)
        fit->x = first_input(s, f);
    fit->y = get(s, "/points/loss", &n);
    fit->yhat = get(s, "/points/fitted", &n);
    fit->r = get(s, "/points/residual", &n);
    fit->model_error = get_real(s, "/model_error/value");
    fit->left_out = get_size(s, "/model_error/left_out");
    fit->annealed_error = get_real(s, "/model_error/annealed");
    fit->annealed_left_out = get_size(s, "/model_error/annealed_left_out");
    if (s->rc == TW_OK && tw_result_has(s->r, "/points/left_out_residual"))
        fit->left_out_r = get(s, "/points/left_out_residual", &n);
    else
        fit->left_out = 0;
    check_points(s, fit);
}

static void read_profiles(struct source *s, struct tw_law_fit *fit)
{
    fit->profiles = tw_alloc(TW_FIT_MAX_PARAMS, sizeof *fit->profiles);
    if (!fit->profiles && s->rc == TW_OK)
        s->rc = tw_err_set(s->err, TW_ENOMEM, "%s: out of memory", s->path);
    for (size_t j = 0; s->rc == TW_OK && fit->profiles && j < fit->law->nparams; j++) {
        struct tw_law_profile *q = &fit->profiles[fit->nprofiles];
        char base[64], path[96];

        (void)snprintf(base, sizeof base, "/profiles/%s", fit->law->params[j].name);
        (void)snprintf(path, sizeof path, "%s/x", base);
        if (!tw_result_has(s->r, path))
            continue;
        fit->nprofiles++;
        q->param = j;
        q->n = SIZE_MAX;
        q->x = get(s, path, &q->n);
        (void)snprintf(path, sizeof path, "%s/rise", base);
        q->rise = get(s, path, &q->n);
        (void)snprintf(path, sizeof path, "%s/threshold", base);
        q->threshold = get_real(s, path);
        (void)snprintf(path, sizeof path, "%s/inflation", base);
        q->inflation = get_real(s, path);
        (void)snprintf(path, sizeof path, "%s/lo", base);
        q->lo = get_real(s, path);
        (void)snprintf(path, sizeof path, "%s/hi", base);
        q->hi = get_real(s, path);
    }
}

enum tw_status tw_fit_file_read(const char *path, struct tw_fit_file *f, struct tw_err *err)
{
    struct tw_err own = { 0 };
    struct source s = { NULL, err ? err : &own, TW_OK, path };
    const char *kind;

    s.r = tw_result_open(path, NULL, s.err);
    if (!s.r && s.err->code == TW_EFORMAT && !tw_is_hdf5(path)) {
        *s.err = (struct tw_err){ 0 };
        return tw_err_set(s.err, TW_EFORMAT,
                          "%s: expected a fit, a file that 'thalweg fit LAW FILE... -o FIT.h5' "
                          "writes; this is not an HDF5 file",
                          path);
    }
    if (!s.r)
        return s.err->code;
    kind = tw_result_kind(s.r);
    if (strcmp(kind, "fit") != 0 && strcmp(kind, "forecast") != 0 &&
        strcmp(kind, "schedule") != 0) {
        s.rc = tw_err_set(s.err, TW_EFORMAT, "%s: expected a fit, found a file of kind '%s'", path,
                          kind);
        goto out;
    }
    read_parameters(&s, f);
    if (!f->fit.law) /* s.rc says why */
        goto out;
    if (s.rc == TW_OK)
        read_settings(&s, &f->fit);
    if (s.rc == TW_OK)
        read_restriction(&s, &f->fit);
    if (s.rc == TW_OK)
        read_curves(&s, f);
    if (s.rc == TW_OK)
        read_points(&s, f);
    if (s.rc == TW_OK)
        read_scores(&s, f);
    if (s.rc == TW_OK)
        read_profiles(&s, &f->fit);
out:
    tw_result_done(s.r);
    return s.rc;
}
