/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of runs that were one up to a step: every trunk, every pair and their means. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "barrierspawn.h"

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

/* The different values of a column, rising; how many. */
static size_t levels(const struct barrier_rows *r, size_t column, double *out)
{
    size_t n = 0, kept = 0;

    for (size_t k = 0; k < r->n; k++)
        if (r->status[k])
            out[n++] = r->x[k * SPAWN_COLUMNS + column];
    qsort(out, n, sizeof *out, by_value);
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || out[i] != out[kept - 1])
            out[kept++] = out[i];
    return kept;
}

/* The rows of a trunk as points (step, barrier, angle), and their means over pairs at each step. */
struct way {
    char name[40];
    size_t n, nmean;
    double *x[3], *mean[3];
};

static void fill_way(const struct barrier_rows *r, double trunk, const double *step, size_t nstep,
                     struct way *w)
{
    static const int column[] = { SPAWN_STEP, SPAWN_LOSS, SPAWN_ANGLE };

    for (size_t s = 0; s < nstep; s++) {
        double sum[3] = { 0.0 };
        size_t pairs = 0;

        for (size_t k = 0; k < r->n; k++) {
            const double *row = r->x + k * SPAWN_COLUMNS;

            if (!r->status[k] || row[SPAWN_TRUNK] != trunk || row[SPAWN_STEP] != step[s])
                continue;
            pairs++;
            for (size_t c = 0; c < 3; c++)
                sum[c] += w->x[c][w->n] = row[column[c]];
            w->n++;
        }
        for (size_t c = 0; c < 3 && pairs; c++)
            w->mean[c][w->nmean] = sum[c] / (double)pairs;
        w->nmean += pairs > 0;
    }
    (void)snprintf(w->name, sizeof w->name, "together to %.0f", trunk);
}

/* Trunk s: the mean over its pairs as a line, and the pairs as points. Six colours, and beyond them
 * dashes and other points. */
static void way_layers(const struct way *w, size_t s, int which, struct tw_figure_layer *layer)
{
    enum { COLOURS = 6, SHAPES = 4 };

    layer[0] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                         .n = w->nmean,
                                         .x = w->mean[0],
                                         .y = w->mean[which],
                                         .colour = (int)(s % COLOURS),
                                         .dashed = s / COLOURS % 2 == 1 };
    layer[1] = (struct tw_figure_layer){ .mark = TW_FIGURE_POINTS,
                                         .name = which == 1 ? w->name : NULL,
                                         .n = w->n,
                                         .x = w->x[0],
                                         .y = w->x[which],
                                         .colour = (int)(s % COLOURS),
                                         .shape = (int)(s / COLOURS % SHAPES) };
}

/* Barrier above, angle below, against the training step; a line for each trunk. */
static enum tw_status ways(const struct barrier_rows *r, const double *trunk, size_t ntrunk,
                           const double *step, size_t nstep, const char *path,
                           const struct tw_figure_opts *fo, struct tw_err *err)
{
    static const char *const label[] = { "loss barrier", "angle (degrees)" };
    struct way *way = tw_alloc(ntrunk, sizeof *way);
    double *v = r->n > SIZE_MAX / (6 * sizeof *v) ? NULL : tw_alloc(ntrunk, 6 * r->n * sizeof *v);
    struct tw_figure_layer *layer = tw_alloc(ntrunk, 4 * sizeof *layer);
    struct tw_figure_plane f[2];
    enum tw_status rc = TW_OK;

    if (!way || !v || !layer)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t s = 0; s < ntrunk && rc == TW_OK; s++) {
        for (size_t c = 0; c < 6; c++)
            *(c < 3 ? &way[s].x[c] : &way[s].mean[c - 3]) = v + (6 * s + c) * r->n;
        fill_way(r, trunk[s], step, nstep, &way[s]);
        way_layers(&way[s], s, 1, layer + 2 * s);
        way_layers(&way[s], s, 2, layer + 2 * ntrunk + 2 * s);
    }
    for (size_t c = 0; c < 2; c++)
        f[c] = (struct tw_figure_plane){ .x_label = "training step",
                                         .y_label = label[c],
                                         .x_lo = (double)NAN,
                                         .x_hi = (double)NAN,
                                         .y_lo = (double)NAN,
                                         .y_hi = (double)NAN,
                                         .n = 2 * ntrunk,
                                         .layers = layer + 2 * c * ntrunk,
                                         .title = "Runs that were one up to a step",
                                         .weight = c ? 0.7 : 1.0 };
    if (rc == TW_OK)
        rc = tw_figure_stack(path, 2, f, fo, err);
    free(way);
    free(v);
    free(layer);
    return rc;
}

/* NAN: no pair. */
static double mean_barrier(const struct barrier_rows *r, double trunk, double step)
{
    double sum = 0.0;
    size_t n = 0;

    for (size_t k = 0; k < r->n; k++) {
        const double *row = r->x + k * SPAWN_COLUMNS;

        if (!r->status[k] || row[SPAWN_TRUNK] != trunk || row[SPAWN_STEP] != step)
            continue;
        sum += row[SPAWN_LOSS];
        n++;
    }
    return n ? sum / (double)n : (double)NAN;
}

/* Shades of the mean barrier over pairs: training step across, the trunk's step upwards. */
static enum tw_status heat(const struct barrier_rows *r, const double *trunk, size_t ntrunk,
                           const double *step, size_t nstep, const char *path,
                           const struct tw_figure_opts *fo, struct tw_err *err)
{
    enum { NAME = 24 };
    char(*text)[NAME] = tw_alloc(ntrunk + nstep, NAME);
    const char **name = tw_alloc(ntrunk + nstep, sizeof *name);
    double *value = tw_alloc(ntrunk, nstep * sizeof *value);
    enum tw_status rc = TW_ENOMEM;

    for (size_t i = 0; text && name && i < ntrunk + nstep; i++) {
        (void)snprintf(text[i], NAME, "%.0f", i < ntrunk ? trunk[i] : step[i - ntrunk]);
        name[i] = text[i];
    }
    if (text && name && value) {
        for (size_t i = 0; i < ntrunk * nstep; i++)
            value[i] = mean_barrier(r, trunk[i / nstep], step[i % nstep]);
        rc = tw_figure_matrix(path,
                              &(struct tw_figure_matrix){ .label = "loss barrier",
                                                          .title = "Barriers of spawned runs",
                                                          .x_label = "training step",
                                                          .y_label = "together up to step",
                                                          .n = ntrunk,
                                                          .name = name,
                                                          .ncol = nstep,
                                                          .col_name = name + ntrunk,
                                                          .value = value },
                              fo, err);
    } else {
        (void)tw_err_set(err, rc, "out of memory");
    }
    free(text);
    free(name);
    free(value);
    return rc;
}

enum tw_status spawn_figure(const struct barrier_rows *r, const char *path,
                            const struct tw_figure_opts *fo, struct tw_err *err)
{
    double *trunk = tw_alloc(r->n, sizeof *trunk), *step = tw_alloc(r->n, sizeof *step);
    enum tw_status rc = TW_ENOMEM;

    if (trunk && step) {
        const size_t nt = levels(r, SPAWN_TRUNK, trunk), ns = levels(r, SPAWN_STEP, step);

        rc = TW_OK;
        if (nt > 1 && ns > 1) {
            struct tw_str name = { 0 };

            barrier_beside(path, "heat", &name);
            rc = name.failed ? tw_err_set(err, TW_ENOMEM, "out of memory")
                             : heat(r, trunk, nt, step, ns, name.s, fo, err);
            tw_str_release(&name);
        }
        if (rc == TW_OK)
            rc = ways(r, trunk, nt, step, ns, path, fo, err);
    } else {
        (void)tw_err_set(err, rc, "out of memory");
    }
    free(trunk);
    free(step);
    return rc;
}

enum tw_status spawn_plot(const char *file, const char *path, const struct tw_figure_opts *fo,
                          struct tw_err *err)
{
    struct barrier_rows r = { 0 };
    size_t n = 0;
    char **name = NULL;
    enum tw_status rc = barrier_rows_read(file, spawn_kind, SPAWN_COLUMNS, &r, &n, &name, err);

    if (rc == TW_OK)
        rc = barrier_rows_some(&r, file, err);
    if (rc == TW_OK)
        rc = spawn_figure(&r, path, fo, err);
    for (size_t i = 0; name && i < n; i++)
        free(name[i]);
    free(name);
    barrier_rows_release(&r);
    return rc;
}
