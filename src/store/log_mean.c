/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The mean of curves that differ in the seed only. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "log_table.h"

/* Where x is in the ascending v[from..n), or n. */
static size_t find(const double *v, size_t n, size_t from, double x)
{
    while (from < n && v[from] < x)
        from++;
    return from;
}

static bool equal(double a, double b)
{
    return !(a < b) && !(a > b);
}

/* Curves whose learning rates differ are different configurations, and their mean is the
 * curve of none. */
static enum tw_status same_rates(const struct tw_curve *a, const struct tw_curve *b,
                                 struct tw_err *err)
{
    for (size_t i = 0, j = 0; i < a->nlr && j < b->nlr; i++) {
        double x = a->lr_x[i];

        j = find(b->lr_x, b->nlr, j, x);
        if (j < b->nlr && equal(b->lr_x[j], x) &&
            fabs(a->lr[i] - b->lr[j]) > 1e-9 * fmax(fabs(a->lr[i]), fabs(b->lr[j])))
            return tw_err_set(err, TW_EFORMAT,
                              "%s and %s cannot be averaged: at x = %.10g their learning rates are "
                              "%.10g and %.10g; average seeds of one configuration",
                              a->name, b->name, x, a->lr[i], b->lr[j]);
    }
    return TW_OK;
}

/* Keep in out only the x of c too, adding its y. */
static void add(struct tw_curve *out, const struct tw_curve *c)
{
    size_t n = 0, j = 0;

    for (size_t i = 0; i < out->n; i++) {
        j = find(c->x, c->n, j, out->x[i]);
        if (j == c->n || !equal(c->x[j], out->x[i]))
            continue;
        out->x[n] = out->x[i];
        out->y[n++] = out->y[i] + c->y[j];
    }
    out->n = n;
}

static double *copy(const double *v, size_t n)
{
    double *p = tw_alloc(n, sizeof *p);

    if (p && n)
        memcpy(p, v, n * sizeof *p);
    return p;
}

static enum tw_status start(const struct tw_curve *c, const char *name, struct tw_curve *out,
                            struct tw_err *err)
{
    *out = (struct tw_curve){ .x_unit = c->x_unit,
                              .split = c->split,
                              .n = c->n,
                              .nlr = c->nlr,
                              .dropped_nonfinite = c->dropped_nonfinite,
                              .dropped_duplicate = c->dropped_duplicate,
                              .dropped_range = c->dropped_range,
                              .restarts = c->restarts };
    out->size = c->size;
    out->tokens = c->tokens;
    memcpy(out->digest, c->digest, sizeof out->digest);
    out->name = tw_strdup(name);
    out->y_name = tw_strdup(c->y_name);
    out->lr_name = tw_strdup(c->lr_name);
    out->path = tw_strdup(c->path);
    out->x = copy(c->x, c->n);
    out->y = copy(c->y, c->n);
    out->lr_x = copy(c->lr_x, c->nlr);
    out->lr = copy(c->lr, c->nlr);
    return out->name && (!c->y_name || out->y_name) && (!c->lr_name || out->lr_name) &&
                   (!c->path || out->path) && out->x && out->y && out->lr_x && out->lr
               ? TW_OK
               : log_out_of_memory(err);
}

enum tw_status tw_curve_mean(const struct tw_curve *const *v, size_t n, const char *name,
                             struct tw_curve *out, struct tw_err *err)
{
    enum tw_status rc;

    if (n == 0)
        return tw_err_set(err, TW_EINVAL, "%s: no curve to average", name);
    rc = start(v[0], name, out, err);
    for (size_t i = 1; i < n && rc == TW_OK; i++) {
        rc = same_rates(v[0], v[i], err);
        if (rc != TW_OK)
            break;
        add(out, v[i]);
        out->dropped_nonfinite += v[i]->dropped_nonfinite;
        out->dropped_duplicate += v[i]->dropped_duplicate;
        out->dropped_range += v[i]->dropped_range;
        out->restarts += v[i]->restarts;
    }
    if (rc == TW_OK && out->n < 2)
        rc = tw_err_set(err, TW_EFORMAT,
                        "%s: the %zu curves have %zu values of x in common, a mean needs 2; use "
                        "--every or --from so that they fall together",
                        name, n, out->n);
    for (size_t i = 0; i < out->n; i++)
        out->y[i] /= (double)n;
    if (rc != TW_OK)
        tw_curve_release(out);
    return rc;
}
