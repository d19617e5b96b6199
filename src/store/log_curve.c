/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the series of a log to curves that can be fitted. */
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "log_names.h"
#include "log_table.h"

void tw_curve_release(struct tw_curve *c)
{
    free(c->name);
    free(c->y_name);
    free(c->lr_name);
    free(c->x);
    free(c->y);
    free(c->lr_x);
    free(c->lr);
    free(c->path);
    *c = (struct tw_curve){ 0 };
}

void tw_curves_release(struct tw_curves *c)
{
    for (size_t i = 0; i < c->n; i++)
        tw_curve_release(&c->v[i]);
    free(c->v);
    *c = (struct tw_curves){ 0 };
}

/* ---- one clean series --------------------------------------------------------------------------
 */

struct clean {
    double *x, *y;
    size_t n, nonfinite, replaced, restarts;
};

/* Copies s so that x increases strictly and y is finite. Where x runs backwards the run was
 * resumed from a checkpoint: what it had logged past that point is replaced. */
static enum tw_status clean(const struct tw_log_series *s, struct clean *c, struct tw_err *err)
{
    c->x = tw_alloc(s->n, sizeof *c->x);
    c->y = tw_alloc(s->n, sizeof *c->y);
    if (!c->x || !c->y) {
        free(c->x);
        free(c->y);
        c->x = c->y = NULL;
        return log_out_of_memory(err);
    }
    for (size_t i = 0; i < s->n; i++) {
        double x = s->x[i];

        c->restarts += i > 0 && x < s->x[i - 1];
        for (; c->n && c->x[c->n - 1] >= x; c->n--)
            c->replaced++;
        if (!isfinite(s->y[i])) {
            c->nonfinite++;
            continue;
        }
        c->x[c->n] = x;
        c->y[c->n++] = s->y[i];
    }
    return TW_OK;
}

/* A resumed run goes back now and then; rows in no order, or several runs in turn, all the
 * time. */
static enum tw_status check_order(const struct clean *c, const struct tw_log_series *s,
                                  const char *x_name, struct tw_err *err)
{
    if (c->restarts > 2 && c->restarts > s->n / 8)
        return tw_err_set(err, TW_EFORMAT,
                          "'%s' runs backwards %zu time%s in %zu values: several runs without a "
                          "column 'run', or rows in no order; sort the file or name another "
                          "abscissa with --x",
                          x_name, c->restarts, tw_plural(c->restarts), s->n);
    return TW_OK;
}

static size_t keep_range(struct tw_curve *c, double from, double to)
{
    size_t n = 0, all = c->n;

    for (size_t i = 0; i < all; i++)
        if (!(c->x[i] < from) && !(c->x[i] > to)) {
            c->x[n] = c->x[i];
            c->y[n++] = c->y[i];
        }
    c->n = n;
    return all - n;
}

/* An exponential mean over the past whose weights halve every `half` of x. Dividing by the
 * weights' sum leaves no bias towards the first value. */
static void smooth(struct tw_curve *c, double half)
{
    double sum = 0.0, weight = 0.0;

    for (size_t i = 0; i < c->n; i++) {
        double keep = i ? exp2(-(c->x[i] - c->x[i - 1]) / half) : 0.0;

        sum = keep * sum + c->y[i];
        weight = keep * weight + 1.0;
        c->y[i] = sum / weight;
    }
}

static void thin(struct tw_curve *c, size_t every)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n; i += every) {
        c->x[n] = c->x[i];
        c->y[n++] = c->y[i];
    }
    c->n = n;
}

static enum tw_status check_curve(const struct tw_curve *c, const struct tw_log_series *s,
                                  struct tw_err *err)
{
    struct tw_log_range r;
    size_t same = 1;

    if (c->n < 2) {
        r = tw_log_series_range(s);
        if (r.n == r.nan + r.inf)
            return tw_err_set(err, TW_EFORMAT,
                              "none of %zu value%s of '%s' is finite; choose another series "
                              "with --y",
                              r.n, tw_plural(r.n), s->name);
        return tw_err_set(err, TW_EFORMAT,
                          "'%s' has %zu point%s left of %zu (x from %g to %g, %zu not finite); a "
                          "curve needs 2: log more often, or widen --from, --to, --every",
                          s->name, c->n, tw_plural(c->n), r.n, r.x_min, r.x_max, r.nan + r.inf);
    }
    while (same < c->n && !(c->y[same] < c->y[0]) && !(c->y[same] > c->y[0]))
        same++;
    if (same == c->n)
        return tw_err_set(err, TW_EFORMAT,
                          "'%s' is %g at all %zu points; there is no curve in it: choose another "
                          "series with --y",
                          s->name, c->y[0], c->n);
    return TW_OK;
}

/* ---- one curve
 * ----------------------------------------------------------------------------------- */

static enum tw_status name_curve(struct tw_curve *c, const struct tw_log *log,
                                 const struct tw_log_run *run, const struct tw_log_series *y,
                                 const struct tw_log_series *lr, struct tw_err *err)
{
    const char *base = strrchr(log->path, '/'), *dot;
    struct tw_str name = { 0 };

    base = base ? base + 1 : log->path;
    dot = strchr(base + (*base == '.'), '.');
    if (log->nruns == 1)
        tw_str_add(&name, run->name);
    else if (!strcmp(base, "-"))
        tw_str_addf(&name, "stdin:%s", run->name);
    else
        tw_str_addf(&name, "%.*s:%s", (int)(dot ? dot - base : (ptrdiff_t)strlen(base)), base,
                    run->name);
    if (!name.failed)
        c->name = name.s;
    c->y_name = tw_strdup(y->name);
    c->lr_name = lr ? tw_strdup(lr->name) : NULL;
    c->path = tw_strdup(log->path);
    c->x_unit = run->x_unit;
    c->split = y->split;
    memcpy(c->digest, log->digest, sizeof c->digest);
    return c->name && c->y_name && (!lr || c->lr_name) && c->path ? TW_OK : log_out_of_memory(err);
}

/* The number that the series holds throughout; 0 if it does not. */
static double constant(const struct tw_log_series *s)
{
    double value = 0.0;

    for (size_t i = 0; i < s->n; i++) {
        if (!(s->y[i] > 0.0) || !isfinite(s->y[i]))
            continue;
        if (value > 0.0 && fabs(s->y[i] - value) > 1e-9 * value)
            return 0.0;
        value = s->y[i];
    }
    return value;
}

/* 0 if there is no such series. */
static double model_size(const struct tw_log_run *run, const char *name)
{
    static const char *const names[] = { "N",          "params",     "parameters",  "n_params",
                                         "num_params", "model_size", "n_parameters" };

    double size = 0.0;

    for (size_t k = 0; k < (name ? 1 : sizeof names / sizeof names[0]); k++)
        for (size_t i = 0; i < run->nseries && !(size > 0.0); i++)
            if (!strcmp(run->series[i].name, name ? name : names[k]))
                size = constant(&run->series[i]);
    return size;
}

/* Up to the curve's last x; a series of tokens beside another abscissa counts too. */
static double tokens_seen(const struct tw_log_run *run, const struct tw_curve *c)
{
    const double last = c->x[c->n - 1];
    double tokens = 0.0;
    enum tw_x_unit unit;

    if (run->x_unit == TW_X_TOKEN)
        return last;
    for (size_t i = 0; i < run->nseries; i++) {
        const struct tw_log_series *s = &run->series[i];

        if (log_name_x_rank(s->name, &unit) == 0 || unit != TW_X_TOKEN)
            continue;
        for (size_t k = 0; k < s->n; k++)
            if (s->x[k] <= last && isfinite(s->y[k]))
                tokens = fmax(tokens, s->y[k]);
        break;
    }
    return tokens;
}

static enum tw_status make_curve(struct tw_curve *c, const struct tw_log *log,
                                 const struct tw_log_run *run, const struct tw_curve_opts *opts,
                                 struct tw_err *err)
{
    const struct tw_log_series *sy, *slr;
    struct clean y = { 0 }, lr = { 0 };
    size_t iy, ilr;
    enum tw_status rc = tw_log_choose(run, opts, &iy, &ilr, err);

    if (rc != TW_OK)
        return rc;
    sy = iy < run->nseries ? &run->series[iy] : NULL;
    if (!sy)
        return tw_err_set(err, TW_EINVAL, "run '%s': no series was chosen", run->name);
    slr = ilr < run->nseries ? &run->series[ilr] : NULL;
    rc = name_curve(c, log, run, sy, slr, err);
    if (rc == TW_OK)
        rc = clean(sy, &y, err);
    if (rc == TW_OK && slr)
        rc = clean(slr, &lr, err);
    c->x = y.x;
    c->y = y.y;
    c->n = y.n;
    c->lr_x = lr.x;
    c->lr = lr.y;
    c->nlr = lr.n;
    c->dropped_nonfinite = y.nonfinite;
    c->dropped_duplicate = y.replaced;
    c->restarts = y.restarts;
    if (rc == TW_OK)
        rc = check_order(&y, sy, run->x_name, err);
    if (rc == TW_OK) {
        c->dropped_range = keep_range(c, opts->from, opts->to);
        if (opts->smooth > 0.0)
            smooth(c, opts->smooth);
        if (opts->every > 1)
            thin(c, opts->every);
        rc = check_curve(c, sy, err);
    }
    if (rc == TW_OK) {
        c->tokens = tokens_seen(run, c);
        c->size = model_size(run, opts->size);
    }
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "run '%s'", run->name);
}

static enum tw_status no_such_run(const struct tw_log *log, const char *want, struct tw_err *err)
{
    struct tw_str list = { 0 };

    for (size_t r = 0; r < log->nruns && r < 20; r++)
        tw_str_addf(&list, "%s%s", r ? ", " : "", log->runs[r].name);
    if (log->nruns > 20)
        tw_str_addf(&list, " and %zu more", log->nruns - 20);
    (void)tw_err_set(err, TW_EFORMAT, "%s: no run '%s'; there are: %s", log->path, want,
                     list.s ? list.s : "none");
    tw_str_release(&list);
    return TW_EFORMAT;
}

enum tw_status tw_curves_add(struct tw_curves *out, const struct tw_log *log,
                             const struct tw_curve_opts *opts, struct tw_err *err)
{
    size_t n = out->n;

    for (size_t r = 0; r < log->nruns; r++) {
        const struct tw_log_run *run = &log->runs[r];
        struct tw_curve *c;
        enum tw_status rc;

        if (opts->run && strcmp(opts->run, run->name) != 0 && fnmatch(opts->run, run->name, 0) != 0)
            continue;
        if (!tw_grow(&out->v, out->n, &out->cap, sizeof *out->v))
            return log_out_of_memory(err);
        c = &out->v[out->n];
        *c = (struct tw_curve){ 0 };
        rc = make_curve(c, log, run, opts, err);
        if (rc != TW_OK) {
            tw_curve_release(c);
            while (out->n > n)
                tw_curve_release(&out->v[--out->n]);
            return tw_err_ctx(err, rc, "%s", log->path);
        }
        out->n++;
    }
    return out->n > n ? TW_OK : no_such_run(log, opts->run ? opts->run : "*", err);
}
