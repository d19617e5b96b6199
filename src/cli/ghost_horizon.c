/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loss on a scanned line between two checkpoints, and how far the radii reach on it. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ghost.h"
#include "scanfile.h"

/* The scan of a line, and at which of its ends (0, 1) the checkpoint lies. */
enum tw_status tw_ghost_read_scan(struct ghost *g, const char *checkpoint, struct tw_scan *s,
                                  size_t *end)
{
    struct tw_err *err = &g->call->err;
    const char *path = g->o->on;
    enum tw_status rc = tw_scan_read(path, s, err);

    if (rc == TW_OK)
        rc = tw_cmd_provenance_input(&g->prov, path, NULL, err);
    if (rc != TW_OK)
        return rc;
    if (s->ny != 1 || strcmp(s->chart, "line") != 0 || s->nmark != 2)
        return tw_err_set(err, TW_EFORMAT,
                          "%s is no scan of a line between two checkpoints ('thalweg scan A B')",
                          path);
    for (*end = 0; *end < 2; ++*end)
        if (!checkpoint || !strcmp(s->mark[*end], checkpoint))
            return TW_OK;
    return tw_err_set(err, TW_EINVAL, "%s is the line from %s to %s; %s is neither", path,
                      s->mark[0], s->mark[1], checkpoint);
}

enum tw_status tw_ghost_set_horizon(struct ghost *g)
{
    const struct tw_scan *s = g->scan;
    const size_t n = s->nx;

    for (size_t k = 0; k < 2; k++) {
        g->horizon[k] = tw_alloc(n, sizeof *g->horizon[k]);
        if (!g->horizon[k])
            return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++) {
        g->horizon[0][i] = (g->scan_end ? 1.0 - s->x[i] : s->x[i]) * g->scan_length;
        g->horizon[1][i] = s->field[SCAN_LOSS][i];
    }
    g->nhorizon = n;
    return TW_OK;
}

enum { HORIZONS = 3 };

/* Upright lines at the radii, ahead and behind. */
enum tw_status tw_ghost_draw_horizon(const struct ghost *g, const char *path,
                                     const struct tw_figure_opts *fo)
{
    static const char *const names[HORIZONS] = { "\317\200 / \316\224", "\317\201*",
                                                 "quadratic logits" };
    const struct ghost_line *l = &g->line[0];
    const double radius[HORIZONS] = { l->all.rho_a.value, l->all.rho.value, l->quadratic };
    const double *x = g->horizon[0], *loss = g->horizon[1];
    const size_t n = g->nhorizon;
    double low = HUGE_VAL, high = -HUGE_VAL;
    double at[2 * HORIZONS][2], height[2];
    struct tw_figure_layer layer[1 + 2 * HORIZONS];
    struct tw_figure_plane f = { .title = "Loss along a step, with the ghost horizon",
                                 .x_label = "distance along the step",
                                 .y_label = "loss",
                                 .x_lo = (double)NAN,
                                 .x_hi = (double)NAN,
                                 .y_lo = (double)NAN,
                                 .y_hi = (double)NAN,
                                 .layers = layer };

    if (n < 2)
        return tw_err_set(&g->call->err, TW_EINVAL,
                          "there is no scan to draw the horizon on (--on)");
    for (size_t i = 0; i < n; i++) {
        low = isfinite(loss[i]) ? fmin(low, loss[i]) : low;
        high = isfinite(loss[i]) ? fmax(high, loss[i]) : high;
    }
    height[0] = low;
    height[1] = high;
    layer[f.n++] =
        (struct tw_figure_layer){ .mark = TW_FIGURE_LINE, .n = n, .x = x, .y = loss, .colour = 0 };
    f.x_lo = fmin(x[0], x[n - 1]);
    f.x_hi = fmax(x[0], x[n - 1]);
    for (size_t k = 0; k < 2 * HORIZONS; k++) {
        const double r = k % 2 ? -radius[k / 2] : radius[k / 2];

        at[k][0] = at[k][1] = r;
        if (r >= f.x_lo && r <= f.x_hi)
            layer[f.n++] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                                     .name = k % 2 ? NULL : names[k / 2],
                                                     .n = 2,
                                                     .x = at[k],
                                                     .y = height,
                                                     .colour = (int)(k / 2) + 1,
                                                     .dashed = k / 2 == 0,
                                                     .thin = k / 2 == 2 };
    }
    return tw_figure_plane(path, &f, fo, &g->call->err);
}
