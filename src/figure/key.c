/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the key goes: into a corner of the panel that no curve enters, or above it. */
#include "curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- its entries ------------------------------------------------------------------------- */

static const char *const role_names[] = { "fitted", "held out", "forecast" };

static size_t entries_one(const struct curves_plan *p, key_entry_fn *use, void *ctx)
{
    const struct tw_figure_curve *c = &p->f->curves[0];
    enum curve_role role = p->c[0].role;
    bool solid = c->m && (role == ROLE_FITTED || isfinite(p->c[0].border));
    size_t n = 0;

    if (c->n && ++n && use)
        use(ctx, p->c[0].label, "points pt PT[1] ps DOT_KEY lw LW(0.6) lc rgb DOTS[1]", 0);
    if (solid && ++n && use)
        use(ctx, c->n ? "law" : p->c[0].label, "lines lw LW(0.9) lc rgb INK[1]", SIZE_MAX);
    if (c->m && p->c[0].border < HUGE_VAL && ++n && use)
        use(ctx, role == ROLE_HELD_OUT ? "law, held out" : "law, forecast",
            "lines lw LW(0.9) dt DT[1] lc rgb INK[1]", SIZE_MAX);
    if (c->m && !solid && p->c[0].border == HUGE_VAL && ++n && use)
        use(ctx, role == ROLE_HELD_OUT ? "law, held out" : "law, forecast",
            "lines lw LW(0.9) dt DT[1] lc rgb INK[1]", SIZE_MAX);
    if (p->band68 && ++n && use)
        use(ctx, "68% interval", "boxes fs solid 0.43 noborder lc rgb INK[1]", SIZE_MAX);
    if (p->band95 && ++n && use)
        use(ctx, "95% interval", "boxes fs solid 0.20 noborder lc rgb INK[1]", SIZE_MAX);
    return n;
}

/* Colours name the curves; the looks that curves share are explained in grey. */
static size_t entries_many(const struct curves_plan *p, key_entry_fn *use, void *ctx)
{
    static const char *const looks[] = {
        "linespoints lw LW(0.9) dt 1 pt 7 ps DOT_KEY lc rgb C0",
        "linespoints lw LW(0.9) dt 12 pt 6 ps DOT_KEY lc rgb C0",
        "lines lw LW(0.9) dt 11 lc rgb C0",
    };
    int several = p->roles[0] + p->roles[1] + (p->roles[2] || p->beyond);
    size_t n = p->f->n;

    for (size_t i = 0; use && i < n; i++)
        use(ctx, p->c[i].label, NULL, i);
    for (size_t r = 0; r < NROLES; r++)
        if (several > 1 && (p->roles[r] || (r == ROLE_FORECAST && p->beyond)) && ++n && use)
            use(ctx, role_names[r], looks[r], SIZE_MAX);
    if ((p->band95 || p->band68) && ++n && use)
        use(ctx,
            p->band95 && p->band68 ? "68%, 95% interval"
            : p->band95            ? "95% interval"
                                   : "68% interval",
            "boxes fs solid 0.35 noborder lc rgb C0", SIZE_MAX);
    return n;
}

size_t curves_key_entries(const struct curves_plan *p, key_entry_fn *use, void *ctx)
{
    return p->f->n == 1 ? entries_one(p, use, ctx) : entries_many(p, use, ctx);
}

static void longest(void *ctx, const char *label, const char *with, size_t curve)
{
    size_t *most = ctx, n = fig_text_length(label);

    (void)with;
    (void)curve;
    *most = n > *most ? n : *most;
}

/* ---- what the panel shows ---------------------------------------------------------------- */

struct ink {
    double *u, *v; /* panel units, v from the bottom */
    size_t n, cap_u, cap_v;
    bool failed;
};

static void blot(struct ink *ink, double u, double v)
{
    if (!(u >= 0.0 && u <= 1.0 && v >= 0.0 && v <= 1.0) || ink->failed)
        return;
    if (!tw_grow(&ink->u, ink->n, &ink->cap_u, sizeof *ink->u) ||
        !tw_grow(&ink->v, ink->n, &ink->cap_v, sizeof *ink->v)) {
        ink->failed = true;
        return;
    }
    ink->u[ink->n] = u;
    ink->v[ink->n++] = v;
}

/* Steps of 1/200 of the width and of 1/40 of the height along a polyline. */
static void blot_line(struct ink *ink, const struct curves_plan *p, size_t n, const double *x,
                      const double *y, const bool *keep)
{
    double u0 = nan(""), v0 = nan("");

    for (size_t i = 0; y && i < n; i++) {
        double u, v, far;

        if (!keep[i])
            continue;
        u = fig_axis_at(&p->x, x[i]);
        v = fig_axis_at(&p->y, y[i]);
        far = fmin(fmax(fabs(u - u0) * 200.0, fabs(v - v0) * 40.0), 400.0);
        for (int s = 1; s < far; s++)
            blot(ink, u0 + (u - u0) * s / far, v0 + (v - v0) * s / far);
        blot(ink, u, v);
        u0 = u;
        v0 = v;
    }
}

static void blot_all(struct ink *ink, const struct curves_plan *p)
{
    for (size_t i = 0; i < p->f->n; i++) {
        const struct tw_figure_curve *c = &p->f->curves[i];

        for (size_t j = 0; j < c->n; j++)
            if (p->c[i].points[j])
                blot(ink, fig_axis_at(&p->x, c->x[j]), fig_axis_at(&p->y, c->y[j]));
        blot_line(ink, p, c->m, c->line_x, c->line, p->c[i].line);
        blot_line(ink, p, c->m, c->line_x, c->lo95, p->c[i].line);
        blot_line(ink, p, c->m, c->line_x, c->hi95, p->c[i].line);
        for (int k = 0; p->c[i].marked && k <= 40; k++)
            blot(ink, fig_axis_at(&p->x, p->c[i].border), k / 40.0);
    }
}

/* ---- its place ----------------------------------------------------------------------------- */

/* How much of the ink lies under a key with its top left corner at (x, y) inches. Stretching
 * the y range by `up` above and `down` below squeezes the ink into the rest. */
static size_t covered(const struct ink *ink, const struct curves_plan *p, double x, double y,
                      double up, double down)
{
    double w = curves_panel_width(p), h = curves_panel_height(p);
    size_t n = 0;

    for (size_t i = 0; i < ink->n; i++) {
        double xi = ink->u[i] * w;
        double yi = h * (1.0 - (ink->v[i] + down) / (1.0 + up + down));

        n += xi > x && xi < x + p->key.w && yi > y && yi < y + p->key.h;
    }
    return n;
}

static bool try_corners(struct curves_plan *p, const struct ink *ink, double up, double down)
{
    double w = curves_panel_width(p), h = curves_panel_height(p);
    double right = w - p->key.w, low = h - p->key.h, pad = 0.06;
    double corner[][2] = { { right, 0.0 }, { pad, low - pad }, { right, low - pad }, { pad, 0.0 } };

    if (p->key.w > 0.8 * w || p->key.h > 0.8 * h)
        return false;
    for (size_t k = 0; k < 4; k++)
        if (covered(ink, p, corner[k][0], corner[k][1], up, down) == 0) {
            p->key.x = corner[k][0];
            p->key.y = corner[k][1];
            return true;
        }
    return false;
}

static void stretch(struct fig_axis *y, double up, double down)
{
    struct fig_axis was = *y;
    double span = was.hi - was.lo;

    if (was.log) {
        y->hi = was.hi * pow(was.hi / was.lo, up);
        y->lo = was.lo * pow(was.hi / was.lo, -down);
    } else {
        y->hi = was.hi + up * span;
        y->lo = was.lo - down * span;
    }
}

static void shape(struct curves_plan *p, size_t entries, size_t chars, size_t cols)
{
    double tick = (p->page.fs - 1.0) / 72.0;

    cols = cols > 1 ? cols : 1;
    p->key.cols = cols;
    p->key.rows = (entries + cols - 1) / cols;
    p->key.w = (double)cols * (3.9 * tick + fig_text_width(&p->page, chars));
    p->key.h = fig_key_height(&p->page, p->key.rows) + 0.3 * tick;
}

static bool try_inside(struct curves_plan *p, const struct ink *ink, size_t entries, size_t chars)
{
    /* Rather a wider range, a little, than a key outside. */
    static const double more[][2] = { { 0, 0 },    { 0.08, 0 }, { 0, 0.12 },
                                      { 0.16, 0 }, { 0, 0.25 }, { 0.25, 0 } };

    for (size_t k = 0; k < sizeof more / sizeof more[0]; k++)
        for (size_t cols = 1; cols <= 2; cols++) {
            if (cols > 1 && entries < 5)
                continue;
            shape(p, entries, chars, cols);
            if (try_corners(p, ink, more[k][0], more[k][1])) {
                stretch(&p->y, more[k][0], more[k][1]);
                return true;
            }
        }
    return false;
}

enum tw_status curves_place_key(struct curves_plan *p, struct tw_err *err)
{
    struct ink ink = { 0 };
    size_t chars = 1, entries = curves_key_entries(p, longest, &chars), cols;

    blot_all(&ink, p);
    if (ink.failed) {
        free(ink.u);
        free(ink.v);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    if (entries == 0)
        p->key.rows = 1;
    else if (!try_inside(p, &ink, entries, chars)) {
        shape(p, entries, chars, 1);
        cols = (size_t)fmax(1.0, (p->page.w - 0.3 * p->left) / p->key.w);
        shape(p, entries, chars, cols < entries ? cols : entries);
        p->key.above = true;
        p->key.x = p->key.y = 0.0;
        p->top += p->key.h;
        if (p->by_content)
            p->page.h += p->key.h;
    }
    free(ink.u);
    free(ink.v);
    if (curves_panel_height(p) < 2.5 * p->page.fs / 72.0 ||
        curves_panel_width(p) < 4.0 * p->page.fs / 72.0)
        return tw_err_set(err, TW_EINVAL,
                          "no room for the curves in %.3g by %.3g inches: give the figure more "
                          "height or width, or fewer panels",
                          p->page.w, p->page.h);
    return TW_OK;
}
