/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of barriers: the line with its barrier and, beside it, layers; matrices; guesses. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "barriermatrix.h"
#include "barrierspawn.h"

enum { FINE = 301 };

/* One panel: ribbon, curve, chord, arrow, points. */
struct panel {
    double x[FINE], y[FINE], lo[FINE], hi[FINE];
    double ends[2], chord[2], at, foot, height;
    double *points; /* values as drawn */
    char label[48];
    struct tw_figure_layer layer[5];
};

/* The curve through the stored points, as when it was sampled. */
static enum tw_status rebuild(const struct barrier_result *r, struct tw_line *l, struct tw_err *err)
{
    const struct tw_line_options o = { .lo = r->t[0], .hi = r->t[r->m - 1], .max_points = r->m };
    enum tw_status rc = tw_line_init(l, &o, err);

    for (size_t k = 0; k < r->m && rc == TW_OK; k++) {
        struct tw_line_point p = { .t = r->t[k], .slope = (double)NAN };

        p.values.loss.value = r->value[0][k];
        p.values.error.value = r->has_error ? r->value[1][k] : (double)NAN;
        rc = tw_line_add(l, &p, err);
    }
    return rc;
}

static double se_at(const struct barrier_result *r, int c, double t)
{
    size_t k = 1;
    double s;

    while (k + 1 < r->m && r->t[k] < t)
        k++;
    s = (t - r->t[k - 1]) / (r->t[k] - r->t[k - 1]);
    return (1.0 - s) * r->se[c][k - 1] + s * r->se[c][k];
}

static bool fill_panel(const struct barrier_result *r, const struct tw_line *l, int c,
                       struct panel *p)
{
    const struct tw_barrier *b =
        &r->barrier[c][c == TW_LINE_LOSS ? TW_BARRIER_ENTEZARI : TW_BARRIER_FRANKLE];
    const double by = c ? 100.0 : 1.0;
    double *v = p->points = tw_alloc(r->m, sizeof *v);

    if (!v)
        return false;
    for (size_t k = 0; k < r->m; k++)
        v[k] = by * r->value[c][k];
    for (size_t i = 0; i < FINE; i++) {
        const double t = (double)i / (FINE - 1);

        p->x[i] = t;
        p->y[i] = by * tw_line_at(l, (enum tw_line_curve)c, t);
        p->lo[i] = p->y[i] - 1.96 * by * se_at(r, c, t);
        p->hi[i] = p->y[i] + 1.96 * by * se_at(r, c, t);
    }
    p->ends[1] = 1.0;
    p->chord[0] = v[0];
    p->chord[1] = v[r->m - 1];
    if (c == TW_LINE_ERROR) /* Frankle's is over the mean of the ends */
        p->chord[0] = p->chord[1] = 0.5 * (p->chord[0] + p->chord[1]);
    p->at = b->t;
    p->foot = (1.0 - b->t) * p->chord[0] + b->t * p->chord[1];
    p->height = by * b->value;
    (void)snprintf(p->label, sizeof p->label, c ? "%.3g %%" : "%.3g", p->height);
    p->layer[0] = (struct tw_figure_layer){
        .mark = TW_FIGURE_BAND, .n = FINE, .x = p->x, .y = p->lo, .y2 = p->hi, .colour = c
    };
    p->layer[1] = (struct tw_figure_layer){
        .mark = TW_FIGURE_LINE, .n = FINE, .x = p->x, .y = p->y, .colour = c
    };
    p->layer[2] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                            .n = 2,
                                            .x = p->ends,
                                            .y = p->chord,
                                            .colour = -1,
                                            .dashed = true,
                                            .thin = true };
    p->layer[3] = (struct tw_figure_layer){
        .mark = TW_FIGURE_POINTS, .n = r->m, .x = r->t, .y = v, .colour = c
    };
    p->layer[4] = (struct tw_figure_layer){ .mark = TW_FIGURE_ARROW,
                                            .n = 1,
                                            .x = &p->at,
                                            .y = &p->foot,
                                            .y2 = &p->height,
                                            .colour = -1,
                                            .end = p->label };
    return true;
}

static enum tw_status line_figure(const struct barrier_result *r, const char *path,
                                  const struct tw_figure_opts *fo, struct tw_err *err)
{
    struct panel *p = tw_alloc(TW_LINE_NCURVES, sizeof *p);
    struct tw_figure_plane f[TW_LINE_NCURVES];
    const size_t n = r->has_error ? 2 : 1;
    struct tw_line l;
    enum tw_status rc = rebuild(r, &l, err);

    for (size_t c = 0; rc == TW_OK && c < n; c++) {
        if (!p || !fill_panel(r, &l, (int)c, &p[c])) {
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
            break;
        }
        f[c] = (struct tw_figure_plane){
            .x_label = r->mli ? "from the first checkpoint (0) to the second (1)"
                              : "position t between the models",
            .y_label = c ? "error (%)" : "loss",
            .x_lo = -0.02,
            .x_hi = 1.02,
            .y_lo = (double)NAN,
            .y_hi = (double)NAN,
            .n = isfinite(p[c].height) && !r->mli ? 5 : 4,
            .layers = p[c].layer,
            .title = "Loss and error between two models, with their barriers",
            .weight = c ? 0.7 : 1.0,
        };
    }
    if (rc == TW_OK)
        rc = tw_figure_stack(path, n, f, fo, err);
    for (size_t c = 0; p && c < n; c++)
        free(p[c].points);
    free(p);
    tw_line_release(&l);
    return rc;
}

static enum tw_status layer_figure(const struct barrier_result *r, const char *path,
                                   const struct tw_figure_opts *fo, struct tw_err *err)
{
    double *alone = tw_alloc(r->ngroup, BARRIER_SWAP_BASES * sizeof *alone);
    const char **name = tw_alloc(r->ngroup, sizeof *name);
    struct tw_figure_series series[3] = { { "part of the barrier", r->part, true } };
    enum tw_status rc = TW_ENOMEM;

    for (size_t i = 0; alone && name && i < r->ngroup; i++) {
        name[i] = r->group[i];
        for (size_t k = 0; r->swap && k < BARRIER_SWAP_BASES; k++)
            alone[k * r->ngroup + i] = r->swap[i * BARRIER_SWAP_BASES + k].barrier;
    }
    if (alone && name) {
        series[1] = (struct tw_figure_series){ "alone, rest from A", alone, false };
        series[2] = (struct tw_figure_series){ "alone, rest from B", alone + r->ngroup, false };
        rc = tw_figure_bars(path,
                            &(struct tw_figure_bars){ .x_label = "loss barrier",
                                                      .title = "Layers of a barrier",
                                                      .n = r->ngroup,
                                                      .name = name,
                                                      .nseries = r->swap ? 3 : 1,
                                                      .series = series },
                            fo, err);
    } else {
        (void)tw_err_set(err, rc, "out of memory");
    }
    free(alone);
    free(name);
    return rc;
}

/* "dir/a.pdf" and "layers" -> "dir/a-layers.pdf" */
void barrier_beside(const char *path, const char *what, struct tw_str *out)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    const size_t n = dot && (!slash || dot > slash) ? (size_t)(dot - path) : strlen(path);

    tw_str_addn(out, path, n);
    tw_str_addf(out, "-%s%s", what, path + n);
}

enum tw_status barrier_figure(const struct barrier_result *r, const char *path,
                              const struct tw_figure_opts *fo, struct tw_err *err)
{
    struct tw_str name = { 0 };
    enum tw_status rc = TW_OK;

    if (r->part && r->ngroup > 1) {
        barrier_beside(path, "layers", &name);
        rc = name.failed ? tw_err_set(err, TW_ENOMEM, "out of memory")
                         : layer_figure(r, name.s, fo, err);
    }
    tw_str_release(&name);
    return rc == TW_OK ? line_figure(r, path, fo, err) : rc;
}

/* ---- matrices ----------------------------------------------------------------------------------
 */

/* Models by cluster, as they came within one. */
static void order_models(const struct barrier_matrix *m, size_t *order)
{
    size_t n = 0;

    for (size_t c = 0; c < m->clusters; c++)
        for (size_t i = 0; i < m->n; i++)
            if (m->cluster[i] == c)
                order[n++] = i;
}

/* Without the folder; the file's name too where all have the same. */
static const char *short_name(const struct barrier_matrix *m, size_t i)
{
    const char *slash = strrchr(m->name[i], '/');
    const char *s = slash ? slash + 1 : m->name[i];
    const size_t n = strcspn(s, ":");
    bool same = s[n] == ':';

    for (size_t k = 0; k < m->n && same; k++) {
        const char *other = strrchr(m->name[k], '/');

        other = other ? other + 1 : m->name[k];
        same = strncmp(s, other, n + 1) == 0;
    }
    return same ? s + n + 1 : s;
}

static enum tw_status shades(const struct barrier_matrix *m, const char *path,
                             const struct tw_figure_opts *fo, struct tw_err *err)
{
    const char **name = tw_alloc(m->n, sizeof *name);
    size_t *order = tw_alloc(m->n, sizeof *order), *group = tw_alloc(m->n, sizeof *group);
    double *value = tw_alloc(m->n, m->n * sizeof *value);
    enum tw_status rc = TW_ENOMEM;

    if (name && order && group && value) {
        order_models(m, order);
        for (size_t i = 0; i < m->n; i++) {
            name[i] = short_name(m, order[i]);
            group[i] = m->cluster[order[i]];
            for (size_t j = 0; j < m->n; j++) {
                const size_t a = order[i] < order[j] ? order[i] : order[j];
                const size_t b = order[i] < order[j] ? order[j] : order[i];

                value[i * m->n + j] =
                    a == b || !m->rows.status[matrix_row(m, a, b)]
                        ? (double)NAN
                        : m->rows.x[matrix_row(m, a, b) * MATRIX_COLUMNS + MATRIX_LOSS];
            }
        }
        rc = tw_figure_matrix(path,
                              &(struct tw_figure_matrix){ .label = "loss barrier",
                                                          .title = "Barriers of all pairs",
                                                          .n = m->n,
                                                          .name = name,
                                                          .value = value,
                                                          .group = group },
                              fo, err);
    } else {
        (void)tw_err_set(err, rc, "out of memory");
    }
    free(name);
    free(order);
    free(group);
    free(value);
    return rc;
}

static enum tw_status guesses(const struct barrier_matrix *m, const char *path,
                              const struct tw_figure_opts *fo, struct tw_err *err)
{
    static const struct {
        const char *name;
        int column, colour;
        bool thin;
    } kind[] = { { "curvature at 0, 1/2, 1", MATRIX_BY_THREE, 0, false },
                 { "slopes at the ends", MATRIX_BY_SLOPES, 1, true } };
    double *x = tw_alloc(m->pairs, 3 * sizeof *x), lo = 0.0, hi = 0.0;
    double diagonal[2];
    struct tw_figure_layer layer[3];
    enum tw_status rc;

    if (!x)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; k < m->pairs; k++) {
        const double *row = m->rows.x + k * MATRIX_COLUMNS;

        x[k] = m->rows.status[k] ? row[MATRIX_MIDDLE] : (double)NAN;
        lo = fmin(lo, x[k]);
        hi = fmax(hi, x[k]);
        for (size_t c = 0; c < 2; c++)
            x[(c + 1) * m->pairs + k] = m->rows.status[k] ? row[kind[c].column] : (double)NAN;
    }
    diagonal[0] = lo;
    diagonal[1] = hi;
    layer[0] = (struct tw_figure_layer){
        .mark = TW_FIGURE_LINE, .n = 2, .x = diagonal, .y = diagonal, .colour = -1, .dashed = true
    };
    for (size_t c = 0; c < 2; c++)
        layer[c + 1] = (struct tw_figure_layer){ .mark = TW_FIGURE_POINTS,
                                                 .name = kind[c].name,
                                                 .n = m->pairs,
                                                 .x = x,
                                                 .y = x + (c + 1) * m->pairs,
                                                 .colour = kind[c].colour,
                                                 .thin = kind[c].thin };
    rc = tw_figure_plane(path,
                         &(struct tw_figure_plane){ .x_label = "excess at t = 1/2, measured",
                                                    .y_label = "predicted",
                                                    .x_lo = (double)NAN,
                                                    .x_hi = (double)NAN,
                                                    .y_lo = (double)NAN,
                                                    .y_hi = (double)NAN,
                                                    .square = true,
                                                    .n = 3,
                                                    .layers = layer,
                                                    .title = "Excess at the middle, predicted and "
                                                             "measured" },
                         fo, err);
    free(x);
    return rc;
}

enum tw_status matrix_figure(const struct barrier_matrix *m, bool predicted, const char *path,
                             const struct tw_figure_opts *fo, struct tw_err *err)
{
    struct tw_str name = { 0 };
    enum tw_status rc = TW_OK;

    if (predicted) {
        barrier_beside(path, "predicted", &name);
        rc =
            name.failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : guesses(m, name.s, fo, err);
    }
    tw_str_release(&name);
    return rc == TW_OK ? shades(m, path, fo, err) : rc;
}

enum tw_status barrier_plot(const char *file, const char *kind, const char *path,
                            const struct tw_figure_opts *fo, struct tw_err *err)
{
    struct barrier_matrix m = { 0 };
    struct barrier_result r = { 0 };
    enum tw_status rc;

    if (!strcmp(kind, "barrier")) {
        rc = barrier_file_read(file, &r, err);
        if (rc == TW_OK)
            rc = barrier_figure(&r, path, fo, err);
        barrier_result_release(&r);
        return rc;
    }
    if (!strcmp(kind, "barrier-spawned"))
        return spawn_plot(file, path, fo, err);
    rc = matrix_read(file, &m, err);
    if (rc == TW_OK)
        rc = barrier_rows_some(&m.rows, file, err);
    if (rc == TW_OK)
        rc = matrix_figure(&m, m.rows.status[0] && isfinite(m.rows.x[MATRIX_BY_THREE]), path, fo,
                           err);
    matrix_release(&m);
    return rc;
}
