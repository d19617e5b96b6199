/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layout is described in fitfile_write.c. Nothing read here is trusted: the file may be
 * damaged or made by hand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitfile_parts.h"

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
        bad(s, path);
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
        bad(s, path);
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
        bad(s, path);
    return i < n ? i : 0;
}

static void copy(struct source *s, const char *path, size_t n, double *dst)
{
    double *x = get(s, path, &n);

    if (s->rc == TW_OK)
        memcpy(dst, x, n * sizeof *dst);
    free(x);
}

static void read_parameters(struct source *s, struct tw_law_fit *fit)
{
    char *name = NULL;
    size_t p, dims[2];

    if (s->rc == TW_OK)
        s->rc = tw_result_get_text(s->r, "/law", &name, s->err);
    fit->law = name ? tw_law_find(name) : NULL;
    if (s->rc == TW_OK && !fit->law)
        s->rc = tw_err_set(s->err, TW_EFORMAT, "%s: unknown law '%s'; is the file newer than %s?",
                           s->path, name, tw_version());
    free(name);
    if (s->rc != TW_OK)
        return;
    p = fit->law->nparams;
    copy(s, "/parameters/value", p, fit->theta);
    copy(s, "/parameters/lo", p, fit->lo);
    copy(s, "/parameters/hi", p, fit->hi);
    for (size_t j = 0; s->rc == TW_OK && j < p; j++)
        if (!isfinite(fit->theta[j]))
            bad(s, "/parameters/value is not finite");
    if (s->rc != TW_OK || !tw_result_has(s->r, "/parameters/replicates"))
        return;
    s->rc = tw_result_get_reals(s->r, "/parameters/replicates", 2, dims, &fit->theta_boot, s->err);
    if (s->rc == TW_OK && dims[1] != p)
        bad(s, "/parameters/replicates");
    if (s->rc == TW_OK)
        fit->replicates = dims[0];
    if (s->rc == TW_OK)
        s->rc = tw_result_get_reals(s->r, "/parameters/correlation", 2, dims, &fit->correlation,
                                    s->err);
    if (s->rc == TW_OK && (dims[0] != p || dims[1] != p))
        bad(s, "/parameters/correlation");
}

static void read_settings(struct source *s, struct tw_law_fit *fit)
{
    struct tw_law_fit_opts *o = &fit->opts;
    uint8_t *bytes = NULL;
    size_t n;

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
    for (size_t j = 0; s->rc == TW_OK && j < n && j < TW_FIT_MAX_PARAMS; j++)
        fit->min.at_bounds |= (bytes[j] ? 1u : 0u) << j;
    free(bytes);
}

/* A count that a file states as a real: whole, and small enough to be one. */
static size_t count(struct source *s, double x, const char *what)
{
    if (!(x >= 0.0) || !(x <= 1e15) || x != floor(x)) {
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

        q->n = count(s, steps[c], "/curves/steps");
        q->warm_end = count(s, warm[c], "/curves/warm_end");
        q->base = base[c] == 1.0;
        q->batch = batch[c];
        q->spec = tw_strdup(spec[c]);
        if (s->rc == TW_OK && (q->n > total - at || !(q->batch > 0.0) || !isfinite(q->batch)))
            bad(s, "/curves/rates");
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
    fit->score = tw_alloc(f->n, sizeof *fit->score);
    if (s->rc == TW_OK && (!fit->first || !f->schedule || !fit->score))
        s->rc = tw_err_set(s->err, TW_ENOMEM, "%s: out of memory", s->path);
    for (size_t c = 0; s->rc == TW_OK && c < f->n; c++)
        fit->first[c + 1] = fit->first[c] + count(s, points[c], "/curves/points");
    free(points);
    if (s->rc != TW_OK)
        return;
    fit->n = fit->first[f->n];
    f->name = get_texts(s, "/curves/names", f->n);
    f->path = get_texts(s, "/curves/paths", f->n);
    f->digest = get_texts(s, "/curves/digests", f->n);
    f->y_name = get_texts(s, "/curves/series", f->n);
    read_schedules(s, f);
}

static void read_points(struct source *s, struct tw_fit_file *f)
{
    struct tw_law_fit *fit = &f->fit;
    size_t n = fit->n;

    fit->x = get(s, "/points/x", &n);
    fit->y = get(s, "/points/loss", &n);
    fit->yhat = get(s, "/points/fitted", &n);
    fit->r = get(s, "/points/residual", &n);
    fit->model_error = get_real(s, "/model_error/value");
    fit->left_out = get_size(s, "/model_error/left_out");
    if (s->rc == TW_OK && tw_result_has(s->r, "/points/left_out_residual"))
        fit->left_out_r = get(s, "/points/left_out_residual", &n);
    else
        fit->left_out = 0;
    n = f->n;
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
    for (size_t c = 0; s->rc == TW_OK && c < f->n; c++) {
        fit->score[c].n = fit->first[c + 1] - fit->first[c];
        for (size_t i = fit->first[c]; i < fit->first[c + 1]; i++)
            if (!isfinite(fit->x[i]) || !isfinite(fit->r[i]) ||
                (i > fit->first[c] && !(fit->x[i] > fit->x[i - 1])))
                bad(s, "/points/x does not increase or a residual is not finite");
    }
}

static void read_profiles(struct source *s, struct tw_law_fit *fit)
{
    fit->profiles = tw_alloc(TW_FIT_MAX_PARAMS, sizeof *fit->profiles);
    if (!fit->profiles && s->rc == TW_OK)
        s->rc = tw_err_set(s->err, TW_ENOMEM, "%s: out of memory", s->path);
    for (size_t j = 0; s->rc == TW_OK && j < fit->law->nparams; j++) {
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
    struct source s = { tw_result_open(path, NULL, err), err, TW_OK, path };
    const char *kind;

    if (!s.r)
        return err->code;
    kind = tw_result_kind(s.r);
    if (strcmp(kind, "fit") != 0 && strcmp(kind, "forecast") != 0) {
        s.rc = tw_err_set(err, TW_EFORMAT, "%s: expected a fit, found a file of kind '%s'", path,
                          kind);
        goto out;
    }
    read_parameters(&s, &f->fit);
    if (s.rc == TW_OK)
        read_settings(&s, &f->fit);
    if (s.rc == TW_OK)
        read_curves(&s, f);
    if (s.rc == TW_OK)
        read_points(&s, f);
    if (s.rc == TW_OK)
        read_profiles(&s, &f->fit);
out:
    tw_result_done(s.r);
    return s.rc;
}
