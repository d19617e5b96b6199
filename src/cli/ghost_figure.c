/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of `thalweg ghost`: zeros in the complex plane for one direction, r along a run, measured
 * damage against the scales for several directions. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ghost.h"

/* ---- one direction: the zeros -------------------------------------------------------------- */

enum { CIRCLE = 181 };

/* A half circle about 0. */
static void circle(double radius, double *x, double *y)
{
    for (int i = 0; i < CIRCLE; i++) {
        x[i] = radius * cos(3.14159265358979323846 * i / (CIRCLE - 1));
        y[i] = radius * sin(3.14159265358979323846 * i / (CIRCLE - 1));
    }
}

enum { BINS = 30, LEAST_IN_BIN = 8 };
struct envelope {
    double x[BINS], low[BINS], high[BINS]; /* NaN: too few zeros there */
    bool any;
};

/* Between which heights 80 % of the zeros lie, in bins over the middle 90 % of their real parts:
 * the "ghost envelope" of the paper's code. TW_EINVAL where there are no zeros. */
static enum tw_status find_envelope(const struct ghost *g, struct envelope *e)
{
    const struct ghost_line *l = &g->line[0];
    const double lo = tw_ghost_quantile(l->re, l->n, 0.05);
    const double width = (tw_ghost_quantile(l->re, l->n, 0.95) - lo) / BINS;
    double *im = tw_alloc(l->n, sizeof *im);

    e->any = false;
    if (!im)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    if (l->n == 0 || isinf(l->tau)) {
        free(im);
        return tw_err_set(&g->call->err, TW_EINVAL, "%s",
                          l->n ? "there is no step to draw: its length is infinite"
                               : "there are no zeros to draw: it has no softmax");
    }
    if (g->exact == TW_GHOST_BOUNDS || !isfinite(l->all.rho.value)) {
        free(im);
        return tw_err_set(&g->call->err, TW_EINVAL, "%s",
                          g->exact == TW_GHOST_BOUNDS
                              ? "there are no zeros to draw: --exact=none computes none"
                              : "there is no zero to draw along this direction");
    }
    for (size_t b = 0; b < BINS; b++) {
        const double from = lo + (double)b * width;
        size_t m = 0;

        for (size_t i = 0; i < l->n; i++)
            if (l->re[i] >= from && l->re[i] < from + width)
                im[m++] = l->im[i];
        e->x[b] = from + 0.5 * width;
        e->low[b] = m < LEAST_IN_BIN ? (double)NAN : tw_ghost_quantile(im, m, 0.1);
        e->high[b] = m < LEAST_IN_BIN ? (double)NAN : tw_ghost_quantile(im, m, 0.9);
        e->any = e->any || m >= LEAST_IN_BIN;
    }
    free(im);
    return TW_OK;
}

/* What --true found, as one more layer; *places are its numbers, which the caller frees. */
static enum tw_status add_truths(const struct ghost *g, size_t *n, struct tw_figure_layer *layer,
                                 double **places)
{
    const struct ghost_line *l = &g->line[0];
    double *x = *places = tw_alloc(l->ntruth, 2 * sizeof *x);

    if (!x)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < l->ntruth; i++) {
        x[i] = l->truth[i].t.re;
        x[l->ntruth + i] = l->truth[i].t.im;
    }
    if (l->ntruth)
        layer[(*n)++] = (struct tw_figure_layer){ .mark = TW_FIGURE_POINTS,
                                                  .name = "true",
                                                  .n = l->ntruth,
                                                  .x = x,
                                                  .y = x + l->ntruth,
                                                  .colour = 1,
                                                  .shape = 1 };
    return TW_OK;
}

/* Zeros beyond a few times the median would squash the near ones. */
static enum tw_status draw_zeros(const struct ghost *g, const char *path,
                                 const struct tw_figure_opts *fo)
{
    const struct ghost_line *l = &g->line[0];
    const double tau = fabs(l->tau), far = tw_ghost_quantile(l->rho, l->n, 0.9);
    const double reach = fmax(fmin(far, 40.0 * l->all.rho.value), isnan(tau) ? 0.0 : 1.3 * tau);
    /* A panel that is not too low: the axes are equal. */
    const double high = fmin(reach, fmax(fmax(1.25 * tw_ghost_quantile(l->im, l->n, 0.98),
                                              1.1 * fmax(l->all.rho.value, isnan(tau) ? 0.0 : tau)),
                                         0.3 * reach));
    double x[3][CIRCLE], y[3][CIRCLE];
    struct envelope e;
    struct tw_figure_layer layer[6] = {
        { .mark = TW_FIGURE_BAND,
          .name = "80 % of them",
          .n = BINS,
          .x = e.x,
          .y = e.low,
          .y2 = e.high,
          .colour = 3 },
        { .mark = TW_FIGURE_POINTS,
          .name = "zeros",
          .n = l->n,
          .x = l->re,
          .y = l->im,
          .colour = 0 },
        { .mark = TW_FIGURE_LINE,
          .name = "\317\201*",
          .n = CIRCLE,
          .x = x[0],
          .y = y[0],
          .colour = 0 },
        { .mark = TW_FIGURE_LINE,
          .name = "\317\200 / \316\224",
          .n = CIRCLE,
          .x = x[1],
          .y = y[1],
          .colour = 2,
          .dashed = true },
        { .mark = TW_FIGURE_LINE,
          .name = "step",
          .n = CIRCLE,
          .x = x[2],
          .y = y[2],
          .colour = 1,
          .thin = true },
    };
    struct tw_figure_plane f = { .title = "Nearest zeros of the partition, in the complex plane",
                                 .x_label = "Re t",
                                 .y_label = "Im t",
                                 .x_lo = -reach,
                                 .x_hi = reach,
                                 .y_lo = 0.0,
                                 .y_hi = high,
                                 .equal = true,
                                 .n = isnan(tau) ? 4 : 5,
                                 .layers = layer };
    double *places;
    enum tw_status rc = find_envelope(g, &e);

    if (rc != TW_OK)
        return rc;
    rc = add_truths(g, &f.n, layer, &places);
    if (rc != TW_OK)
        return rc;
    layer[0].n = e.any ? BINS : 0;
    layer[0].name = e.any ? layer[0].name : NULL;
    circle(l->all.rho.value, x[0], y[0]);
    circle(l->all.rho_a.value, x[1], y[1]);
    circle(tau, x[2], y[2]);
    rc = tw_figure_plane(path, &f, fo, &g->call->err);
    free(places);
    return rc;
}

/* ---- layers -------------------------------------------------------------------------------- */

/* A bar a layer, from the first at the top, named at its end. */
static enum tw_status draw_layers(const struct ghost *g, const char *path,
                                  const struct tw_figure_opts *fo)
{
    const struct ghost_line *l = &g->line[0];
    const size_t n = l->nlayer;
    struct tw_figure_layer *bar = tw_alloc(n, sizeof *bar);
    double(*x)[2] = tw_alloc(2 * n, sizeof *x), (*y)[2] = x ? x + n : NULL;
    double least = HUGE_VAL, most = 0.0;
    enum tw_status rc = TW_OK;
    size_t m = 0;

    for (size_t k = 0; k < n; k++)
        if (isfinite(l->layer[k].rho_a)) {
            least = fmin(least, l->layer[k].rho_a);
            most = fmax(most, l->layer[k].rho_a);
        }
    if (!bar || !x)
        rc = tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    else if (!(most > 0.0))
        rc = tw_err_set(&g->call->err, TW_EINVAL,
                        "there is nothing to draw of layers: none limits the step");
    for (size_t k = 0; rc == TW_OK && k < n; k++) {
        if (!isfinite(l->layer[k].rho_a))
            continue;
        x[m][0] = least / 3.0;
        x[m][1] = l->layer[k].rho_a;
        y[m][0] = y[m][1] = (double)(k + 1);
        bar[m] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                           .end = l->layer[k].name,
                                           .n = 2,
                                           .x = x[m],
                                           .y = y[m],
                                           .colour = 0 };
        m++;
    }
    if (rc == TW_OK) {
        const struct tw_figure_plane f = { .title = "Radii of the layers",
                                           .x_label = "\317\200 / \316\224 of the layer's part",
                                           .y_label = "layer, by the input first",
                                           .log_x = true,
                                           .whole_y = true,
                                           .x_lo = least / 3.0,
                                           .x_hi = most * 1.3,
                                           .y_lo = 0.3 - 0.04 * (double)n,
                                           .y_hi = (double)n + 0.7,
                                           .n = m,
                                           .layers = bar };

        rc = tw_figure_plane(path, &f, fo, &g->call->err);
    }
    free(bar);
    free(x);
    return rc;
}

/* ---- a run --------------------------------------------------------------------------------- */

static enum tw_status draw_run(const struct ghost *g, const char *path,
                               const struct tw_figure_opts *fo)
{
    const size_t n = g->nline;
    double *x = tw_alloc(n, sizeof *x), *r = tw_alloc(n, sizeof *r),
           *star = tw_alloc(n, sizeof *star);
    double *loss = tw_alloc(n, sizeof *loss);
    enum tw_status rc = TW_ENOMEM;

    if (x && r && star && loss) {
        double ends[2], ones[2] = { 1.0, 1.0 };
        const struct tw_figure_layer layer[] = {
            { .mark = TW_FIGURE_LINE,
              .name = "r = 1",
              .n = 2,
              .x = ends,
              .y = ones,
              .colour = -1,
              .thin = true },
            { .mark = TW_FIGURE_LINE, .name = "r", .n = n, .x = x, .y = r, .colour = 1 },
            { .mark = TW_FIGURE_LINE,
              .name = "r, exact radius",
              .n = n,
              .x = x,
              .y = star,
              .colour = 0,
              .dashed = true },
            { .mark = TW_FIGURE_LINE,
              .name = "loss (nats)",
              .n = n,
              .x = x,
              .y = loss,
              .colour = 2,
              .thin = true },
        };
        const struct tw_figure_plane f = { .title = "Steps of a run and their radii",
                                           .x_label = isnan(g->line[0].step) ? "checkpoint"
                                                                             : "training step",
                                           .y_label = "r, loss",
                                           .log_y = true,
                                           .x_lo = (double)NAN,
                                           .x_hi = (double)NAN,
                                           .y_lo = (double)NAN,
                                           .y_hi = (double)NAN,
                                           .n = 4,
                                           .layers = layer };

        for (size_t i = 0; i < n; i++) {
            const struct ghost_line *l = &g->line[i];

            x[i] = isnan(g->line[0].step) ? (double)i : l->step;
            r[i] = fabs(l->tau) / l->all.rho_a.value;
            star[i] = fabs(l->tau) / l->all.rho.value;
            loss[i] = l->loss;
        }
        ends[0] = x[0];
        ends[1] = x[n - 1];
        rc = tw_figure_plane(path, &f, fo, &g->call->err);
    } else {
        (void)tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    }
    free(x);
    free(r);
    free(star);
    free(loss);
    return rc;
}

/* ---- damage against scales ----------------------------------------------------------------- */

enum { DRAWN = 7 };
static const char *const drawn[DRAWN] = {
    "\317\200 / \316\224",       "\317\201*", "5 % flip", "2 / curvature", "B3", "quadratic",
    "median \317\200 / \316\224"
};

static double scale_of(const struct ghost_line *l, size_t which)
{
    const double scale[DRAWN] = { l->all.rho_a.value,
                                  l->all.rho.value,
                                  tw_ghost_quantile(l->flip, l->n, 0.05),
                                  l->curvature > 0.0 ? 2.0 / l->curvature : (double)NAN,
                                  l->all.b3.value,
                                  l->quadratic,
                                  tw_ghost_quantile(l->rho_a, l->n, 0.5) };

    return scale[which];
}

/* The first kind of damage, its onset against each scale: what predicts it lies along the line of
 * equality. */
static enum tw_status draw_onsets(const struct ghost *g, const char *path,
                                  const struct tw_figure_opts *fo)
{
    const size_t n = g->nline;
    size_t layers = 1;
    double lowest = HUGE_VAL, highest = 0.0;
    double *x = tw_alloc(DRAWN * n, sizeof *x), *y = tw_alloc(n, sizeof *y),
           ends[2] = { HUGE_VAL, 0.0 };
    struct tw_figure_layer layer[1 + DRAWN] = { { .mark = TW_FIGURE_LINE,
                                                  .name = "equal",
                                                  .n = 2,
                                                  .x = ends,
                                                  .y = ends,
                                                  .colour = -1,
                                                  .thin = true } };
    struct tw_str label = { 0 };
    enum tw_status rc;

    if (!g->nonset) {
        free(x);
        free(y);
        return tw_err_set(
            &g->call->err, TW_EINVAL,
            "there is no measured damage to draw: 'thalweg ghost --onset' looks for it");
    }
    for (size_t k = 0; x && y && k < DRAWN; k++) {
        size_t known = 0;

        for (size_t i = 0; i < n; i++) {
            x[k * n + i] = scale_of(&g->line[i], k);
            y[i] = g->line[i].onset[0];
            lowest = fmin(lowest, y[i]);
            highest = isfinite(y[i]) ? fmax(highest, y[i]) : highest;
            if (isfinite(x[k * n + i]) && x[k * n + i] > 0.0) {
                ends[0] = fmin(ends[0], x[k * n + i]);
                ends[1] = fmax(ends[1], x[k * n + i]);
                known++;
            }
        }
        if (known)
            layer[layers++] = (struct tw_figure_layer){ .mark = TW_FIGURE_POINTS,
                                                        .name = drawn[k],
                                                        .n = n,
                                                        .x = x + k * n,
                                                        .y = y,
                                                        .colour = k < 6 ? (int)k : -1,
                                                        .shape = (int)k % 4,
                                                        .thin = k % 2 == 1 };
    }
    tw_str_addf(&label, "measured onset of %s", g->onsets[0].text);
    if (!(highest > 0.0))
        rc = tw_err_set(&g->call->err, TW_EINVAL,
                        "nothing to draw: %s was nowhere found within 1000 rho_a",
                        g->onsets[0].text);
    else if (x && y && !label.failed) {
        const struct tw_figure_plane f = { .title =
                                               "Measured onset of damage against predicted lengths",
                                           .x_label = "predicted length",
                                           .y_label = label.s,
                                           .log_x = true,
                                           .log_y = true,
                                           .x_lo = (double)NAN,
                                           .x_hi = (double)NAN,
                                           .y_lo = lowest / 2.0,
                                           .y_hi = highest * 2.0,
                                           .n = layers,
                                           .layers = layer };

        rc = tw_figure_plane(path, &f, fo, &g->call->err);
    } else {
        rc = tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    }
    tw_str_release(&label);
    free(x);
    free(y);
    return rc;
}

const char *tw_ghost_best_figure(const struct ghost *g)
{
    if (g->scan)
        return GHOST_HORIZON;
    if (g->o->trajectory)
        return GHOST_RUN;
    if (g->nline > 1 && g->nonset)
        return GHOST_DAMAGE;
    return !strcmp(g->o->what, GHOST_LAYERS) && g->line[0].nlayer ? GHOST_LAYERS : GHOST_ZEROS;
}

enum tw_status tw_ghost_draw(const struct ghost *g, const char *path,
                             const struct tw_figure_opts *fo)
{
    static const struct {
        const char *name;
        enum tw_status (*draw)(const struct ghost *g, const char *path,
                               const struct tw_figure_opts *fo);
    } figures[] = {
        { GHOST_HORIZON, tw_ghost_draw_horizon },
        { GHOST_RUN, draw_run },
        { GHOST_DAMAGE, draw_onsets },
        { GHOST_LAYERS, draw_layers },
    };

    for (size_t k = 0; k < sizeof figures / sizeof *figures; k++)
        if (!strcmp(g->figure, figures[k].name))
            return figures[k].draw(g, path, fo);
    return draw_zeros(g, path, fo);
}
