/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Profiles as small multiples: one panel a parameter, all on the same vertical scale, the
 * interval shaded where the profile stays under the threshold. */
#include "fig.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct grid {
    size_t cols, rows;
    double left, bottom, w, h, gap_x, gap_y; /* inches: panels and what lies between */
};

struct profile_plan {
    const struct tw_figure_profile *p;
    size_t n;
    struct fig_page page;
    struct grid grid;
    double top, y_unit; /* of the vertical axis */
    struct tw_str y_label;
};

/* Twice the threshold shows how a profile leaves its interval; more would flatten the
 * valley. Without a threshold, what most of the points need. */
static double vertical_range(const struct tw_figure_profile *p, size_t n)
{
    double top = nan(""), most = 0.0;

    for (size_t i = 0; i < n; i++) {
        if (isfinite(p[i].threshold))
            top = fmax(top, 2.2 * p[i].threshold);
        for (size_t j = 0; j < p[i].n; j++)
            if (isfinite(p[i].rise[j]))
                most = fmax(most, p[i].rise[j]);
    }
    if (!(top > 0.0))
        top = most;
    return top > 0.0 ? fmin(top, fmax(most, top / 2.0)) : 1.0;
}

static double shown(const struct tw_figure_profile *p, double x)
{
    return p->log_distance_to_one ? 1.0 - x : x;
}

/* The part of the axis where the profile is inside the panel, and the interval. */
static struct fig_axis horizontal_range(const struct tw_figure_profile *p, double top)
{
    struct fig_axis a = { HUGE_VAL, -HUGE_VAL, p->log_distance_to_one };
    double also[] = { p->best, p->lo, p->hi }, pad;

    for (size_t j = 0; j < p->n + 3; j++) {
        double x = shown(p, j < p->n ? p->x[j] : also[j - p->n]);

        if (!isfinite(x) || (j < p->n && !(p->rise[j] <= 1.1 * top)) || (a.log && !(x > 0.0)))
            continue;
        a.lo = fmin(a.lo, x);
        a.hi = fmax(a.hi, x);
    }
    if (!(a.hi >= a.lo))
        return (struct fig_axis){ a.log ? 0.1 : 0.0, 1.0, a.log };
    if (a.log) {
        pad = a.hi > a.lo ? pow(a.hi / a.lo, 0.04) : 2.0;
        return (struct fig_axis){ a.lo / pad, a.hi * pad, true };
    }
    pad = a.hi > a.lo ? 0.04 * (a.hi - a.lo) : fabs(a.hi) * 0.1 + 1e-9;
    return (struct fig_axis){ a.lo - pad, a.hi + pad, false };
}

static void lay_out(struct profile_plan *q)
{
    struct grid *g = &q->grid;
    const struct fig_axis y = { 0.0, q->top / q->y_unit, false };
    double em = q->page.fs / 72.0, scale = q->page.fs / 8.0, right = 0.12 * scale;
    const double high = q->page.h > 0.0 ? q->page.h : 0.375 * q->page.w; /* a panel, or more */
    double foot = 2.75 * em; /* ticks, numbers and symbol under each panel */

    g->left = fig_left_margin(&q->page, fig_tick_width(&y, high / (0.3 * scale)));
    g->gap_x = 0.16 * scale;
    g->gap_y = foot + 0.08 * scale;
    g->bottom = foot;
    g->cols = (size_t)fmax(
        1.0, floor((q->page.w - g->left - right + g->gap_x) / (0.8 * scale + g->gap_x)));
    if (g->cols > q->n)
        g->cols = q->n;
    /* Rows as even as can be: 5 panels are 3 + 2, not 4 + 1. */
    g->rows = (q->n + g->cols - 1) / g->cols;
    g->cols = (q->n + g->rows - 1) / g->rows;
    g->w = (q->page.w - g->left - right + g->gap_x) / (double)g->cols - g->gap_x;
    if (q->page.h == 0.0) {
        g->h = fmin(fmax(0.75 * g->w, 0.8 * scale), 0.55 * q->page.w);
        /* The vertical label's 29 characters at most have their room. */
        g->h = fmax(g->h, (1.1 * fig_text_width(&q->page, 29) - foot) / (double)g->rows);
        q->page.h = g->bottom + 0.08 * scale + (double)g->rows * (g->h + g->gap_y) - g->gap_y;
    } else
        g->h = (q->page.h - g->bottom - 0.08 * scale + g->gap_y) / (double)g->rows - g->gap_y;
}

static void data(const struct profile_plan *q, struct tw_str *dat)
{
    tw_str_add(dat, "# Profiles of the objective. Blocks are parted by two blank lines; the script "
                    "finds them by name.\n");
    for (size_t i = 0; i < q->n; i++) {
        const struct tw_figure_profile *p = &q->p[i];

        tw_str_addf(dat, "\n\n# profile %zu: ", i + 1);
        fig_plain(dat, p->name ? p->name : "");
        tw_str_add(dat, "\n# parameter rise\n");
        for (size_t j = 0; j < p->n; j++)
            if (isfinite(p->x[j]) && isfinite(p->rise[j]))
                tw_str_addf(dat, "%.17g %.17g\n", p->x[j], p->rise[j]);
    }
}

/* "1 − λ (10^{−3})" in quotes; returns what the numbers are divided by. */
static double x_label(const struct profile_plan *q, const struct tw_figure_profile *p,
                      const struct fig_axis *x, struct tw_str *label)
{
    struct tw_str symbol = { 0 };
    double unit;

    fig_symbol(&symbol, p->name ? p->name : "", q->page.tex);
    tw_str_add(label, p->log_distance_to_one ? q->page.tex ? "'$1 - $ " : "'1 − " : "'");
    if (symbol.n >= 2)
        tw_str_addn(label, symbol.s + 1, symbol.n - 2);
    unit = x->log && x->hi / x->lo > 50.0
               ? 1.0
               : fig_power(fmax(fabs(x->lo), fabs(x->hi)), label, q->page.tex);
    tw_str_add(label, "'");
    tw_str_release(&symbol);
    return unit;
}

static void mark_interval(const struct profile_plan *q, const struct tw_figure_profile *p,
                          double unit, struct tw_str *gp)
{
    double a = shown(p, p->lo) / unit, b = shown(p, p->hi) / unit;

    if (isfinite(a) && isfinite(b))
        tw_str_addf(gp,
                    "set object 1 rect from %.10g, graph 0 to %.10g, graph 1 back fc rgb INK "
                    "fs transparent solid 0.15 noborder\n",
                    fmin(a, b), fmax(a, b));
    if (isfinite(p->threshold))
        tw_str_addf(gp,
                    "set arrow 1 from graph 0, first %.10g to graph 1, first %.10g nohead "
                    "lw LW(0.5) dt 13 lc rgb C0\n",
                    p->threshold / q->y_unit, p->threshold / q->y_unit);
}

static void panel(const struct profile_plan *q, size_t i, struct tw_str *gp)
{
    const struct tw_figure_profile *p = &q->p[i];
    const struct grid *g = &q->grid;
    struct fig_axis y = { 0.0, q->top / q->y_unit, false };
    struct fig_axis x = horizontal_range(p, q->top), scaled;
    struct tw_str label = { 0 };
    double unit = x_label(q, p, &x, &label), tick = (q->page.fs - 1.0) / 72.0, room;
    double at_x = g->left + (double)(i % g->cols) * (g->w + g->gap_x);
    size_t below = g->rows - 1 - i / g->cols;
    double at_y = g->bottom + (double)below * (g->h + g->gap_y);

    tw_str_add(gp, "\n# ");
    fig_plain(gp, p->name ? p->name : "");
    tw_str_addf(gp, ".\nset lmargin at screen X(%.4g); set rmargin at screen X(%.4g)\n", at_x,
                at_x + g->w);
    tw_str_addf(gp, "set bmargin at screen Y(%.4g); set tmargin at screen Y(%.4g)\n", at_y,
                at_y + g->h);
    scaled = (struct fig_axis){ x.lo / unit, x.hi / unit, x.log };
    tw_str_add(gp, "unset logscale x; unset object; unset arrow\n");
    room = (fig_tick_width(&scaled, g->w / 0.4) + 1.3) * tick;
    fig_set_ticks(gp, 'x', &scaled, 1.0, g->w, room, &q->page);
    tw_str_addf(gp, "set xrange [%.10g:%.10g]\n", scaled.lo, scaled.hi);
    if (i % g->cols)
        tw_str_add(gp, "set format y \"\"\n");
    else
        fig_set_ticks(gp, 'y', &y, 1.0, g->h, 0.3 * q->page.fs / 8.0, &q->page);
    tw_str_addf(gp, "set label 2 TW_L.%s at graph 0.5, screen Y(%.4g) center\n",
                label.s ? label.s : "''", at_y - g->bottom + 0.68 * q->page.fs / 72.0);
    mark_interval(q, p, unit, gp);
    tw_str_addf(gp,
                "plot DATA index \"profile %zu:\" using (%s$1%s / %.10g):($2 / YUNIT) with lines "
                "lw LW(1.0) lc rgb INK",
                i + 1, p->log_distance_to_one ? "(1 - " : "", p->log_distance_to_one ? ")" : "",
                unit);
    if (isfinite(p->best))
        tw_str_addf(gp,
                    ", \\\n    \"+\" using (%.10g):(0) every ::0::0 with points pt 7 "
                    "ps 0.4 * TW_LW lc rgb INK",
                    shown(p, p->best) / unit);
    tw_str_add(gp, i == 0 ? "\nunset label 1\n" : "\n");
    tw_str_release(&label);
}

static void script(const struct profile_plan *q, struct fig_files *files,
                   const struct tw_figure_opts *opts)
{
    struct tw_str vars = { 0 }, *gp = &files->gp;

    tw_str_addf(&vars, "INK = \"#4477AA\"\nYMAX = %.8g; YUNIT = %.0e\n", q->top, q->y_unit);
    fig_head(files, &q->page, opts, "Profiles of the objective", vars.s ? vars.s : "");
    tw_str_release(&vars);
    tw_str_add(gp, "X(inches) = inches / TW_W; Y(inches) = inches / TW_H\n"
                   "set dashtype 13 (5, 5)\nset tics font TW_KF\nunset key\nset multiplot\n"
                   "set yrange [0:YMAX / YUNIT]\n");
    tw_str_addf(gp, "set label 1 TW_L.%s at screen X(%.4g), screen Y(%.4g) center rotate by 90\n",
                q->y_label.s ? q->y_label.s : "''", 0.75 * q->page.fs / 72.0, 0.5 * q->page.h);
    for (size_t i = 0; i < q->n; i++)
        panel(q, i, gp);
    tw_str_add(gp, "unset multiplot\nunset output\n");
}

enum tw_status tw_figure_profiles(const char *path, const struct tw_figure_profile *p, size_t n,
                                  const struct tw_figure_opts *opts, struct tw_err *err)
{
    struct profile_plan q = { .p = p, .n = n };
    struct fig_files files = { 0 };
    struct fig_locale locale;
    enum tw_status st;

    if (!path || !p || n == 0)
        return tw_err_set(err, TW_EINVAL, "a figure needs a name and at least one profile");
    fig_locale_enter(&locale);
    st = fig_page_init(&q.page, path, opts, err);
    if (st == TW_OK)
        st = fig_files_init(&files, path, err);
    if (st == TW_OK) {
        q.top = vertical_range(p, n);
        tw_str_add(&q.y_label, "'rise of the objective");
        q.y_unit = fig_power(q.top, &q.y_label, q.page.tex);
        tw_str_add(&q.y_label, "'");
        lay_out(&q);
        if (q.grid.h < 2.5 * q.page.fs / 72.0)
            st = tw_err_set(err, TW_EINVAL, "no room for %zu panels in %.3g by %.3g inches", n,
                            q.page.w, q.page.h);
    }
    if (st == TW_OK) {
        data(&q, &files.dat);
        script(&q, &files, opts);
        st = fig_make(&files, &q.page, path, opts, err);
    }
    tw_str_release(&q.y_label);
    fig_files_release(&files);
    fig_locale_leave(&locale);
    return st;
}
