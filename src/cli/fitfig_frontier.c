/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of frontiers: the valley of each budget, or the best sizes along the budgets. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frontier.h"

/* ---- valleys ----------------------------------------------------------------------------------
 */

enum { LINE = 100, NAME_SIZE = 32 };

/* Everything that one valley's curve points to. */
struct valley {
    char name[NAME_SIZE];
    double *x, *y; /* (runs) */
    double line_x[LINE], line[LINE];
};

static void stacked(const struct tw_law_curve *runs, size_t n, size_t i, double *size, double *y)
{
    size_t c = 0;

    while (c + 1 < n && i >= runs[c].n)
        i -= runs[c++].n;
    *size = runs[c].input[0][i];
    *y = runs[c].y[i];
}

/* "5.7e18 FLOPs": %e without its plus. */
static void name_budget(double flops, char name[NAME_SIZE])
{
    char *plus;

    (void)snprintf(name, NAME_SIZE, "%.1e FLOPs", flops);
    plus = strchr(name, '+');
    if (plus)
        memmove(plus, plus + 1, strlen(plus));
}

/* Runs come by size; two of one size are put side by side, since x must rise. */
static bool fill(const struct tw_frontier_point *p, const struct tw_law_curve *runs, size_t n,
                 struct valley *v, struct tw_figure_curve *out)
{
    const double middle = 0.5 * (log(p->lo) + log(p->hi));
    const double reach = fmax(p->half_width, fabs(log(p->size) - middle));

    v->x = tw_alloc(p->n, sizeof *v->x);
    v->y = tw_alloc(p->n, sizeof *v->y);
    if (!v->x || !v->y)
        return false;
    for (size_t k = 0; k < p->n; k++) {
        stacked(runs, n, p->run[k], &v->x[k], &v->y[k]);
        if (k && !(v->x[k] > v->x[k - 1]))
            v->x[k] = nextafter(v->x[k - 1], INFINITY);
    }
    for (size_t k = 0; k < LINE; k++) {
        const double z = reach * (2.0 * (double)k / (LINE - 1) - 1.0);

        v->line_x[k] = exp(middle + z);
        v->line[k] = p->coef[0] + p->coef[1] * z + p->coef[2] * z * z;
    }
    name_budget(p->flops, v->name);
    *out = (struct tw_figure_curve){ .name = v->name,
                                     .role = "fitted",
                                     .n = p->n,
                                     .x = v->x,
                                     .y = v->y,
                                     .m = LINE,
                                     .line_x = v->line_x,
                                     .line = v->line,
                                     .fitted_to = (double)NAN };
    return true;
}

static int by_size(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The minima as one more series, and whether N* rises with the budget throughout, so that a line
 * may join them. pair (2 n) is scratch. */
static size_t minima(const struct tw_frontier *f, double *pair, double *x, double *y, bool *rises)
{
    size_t n = 0, kept = 0;

    *rises = true;
    for (size_t i = 0; i < f->n; i++)
        if (!f->point[i].why) {
            *rises = *rises && (n == 0 || f->point[i].size > pair[2 * n - 2]);
            pair[2 * n] = f->point[i].size;
            pair[2 * n++ + 1] = f->point[i].loss;
        }
    qsort(pair, n, 2 * sizeof *pair, by_size);
    for (size_t i = 0; i < n; i++) {
        if (kept && !(pair[2 * i] > x[kept - 1]))
            continue;
        x[kept] = pair[2 * i];
        y[kept++] = pair[2 * i + 1];
    }
    return kept;
}

static enum tw_status draw_valleys(const struct tw_frontier *f, const struct tw_law_curve *runs,
                                   size_t n, const char *path, const struct tw_figure_opts *fo,
                                   struct tw_err *err)
{
    struct tw_figure_curve *curve = tw_alloc(f->n + 1, sizeof *curve);
    struct valley *v = tw_alloc(f->n, sizeof *v);
    double *low = tw_alloc(f->n, 4 * sizeof *low);
    enum tw_status rc = TW_OK;
    size_t drawn = 0;

    if (!curve || !v || !low)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; rc == TW_OK && i < f->n; i++) {
        if (f->point[i].why)
            continue;
        if (!fill(&f->point[i], runs, n, &v[i], &curve[drawn++]))
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    if (rc == TW_OK) {
        bool rises;
        const size_t m = minima(f, low + 2 * f->n, low, low + f->n, &rises);
        struct tw_figure_curves fig = { .x_label = "parameters",
                                        .y_label = "loss",
                                        .n = drawn + 1,
                                        .curves = curve,
                                        .log_x = true };

        curve[drawn] = (struct tw_figure_curve){ .name = "minima",
                                                 .role = "fitted",
                                                 .n = m,
                                                 .x = low,
                                                 .y = low + f->n,
                                                 .m = rises ? m : 0,
                                                 .line_x = low,
                                                 .line = low + f->n,
                                                 .fitted_to = (double)NAN };
        rc = tw_figure_curves(path, &fig, fo, err);
    }
    for (size_t i = 0; v && i < f->n; i++) {
        free(v[i].x);
        free(v[i].y);
    }
    free(curve);
    free(v);
    free(low);
    return rc;
}

/* ---- the envelope ------------------------------------------------------------------------------
 */

static enum tw_status draw_envelope(const struct tw_frontier *f, const char *path,
                                    const struct tw_figure_opts *fo, struct tw_err *err)
{
    double *v = tw_alloc(f->n, 4 * sizeof *v);
    struct tw_figure_curve curve = {
        .name = "best size", .role = "fitted", .n = f->n, .fitted_to = (double)NAN
    };
    struct tw_figure_curves fig = { .x_label = "training FLOPs",
                                    .y_label = "parameters",
                                    .n = 1,
                                    .curves = &curve,
                                    .log_x = true,
                                    .log_y = true };
    enum tw_status rc;
    size_t m = 0;

    if (!v)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < f->n; i++) {
        v[i] = f->point[i].flops;
        v[f->n + i] = f->point[i].size;
        if (f->point[i].why)
            continue;
        v[2 * f->n + m] = f->point[i].flops;
        v[3 * f->n + m++] = f->k * pow(f->point[i].flops / f->centre, f->a);
    }
    curve.x = v;
    curve.y = v + f->n;
    curve.m = m;
    curve.line_x = v + 2 * f->n;
    curve.line = v + 3 * f->n;
    rc = tw_figure_curves(path, &fig, fo, err);
    free(v);
    return rc;
}

enum tw_status tw_frontier_figure(const struct tw_frontier *f, const struct tw_law_curve *runs,
                                  size_t n, const char *path, const struct tw_figure_opts *fo,
                                  struct tw_err *err)
{
    return f->kind == TW_FRONTIER_ISOFLOP ? draw_valleys(f, runs, n, path, fo, err)
                                          : draw_envelope(f, path, fo, err);
}
