/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of panels and their layers: lines, bands, points, arrows; the key above them. Several
 * panels lie one below the other over one horizontal axis. */
#include <math.h>
#include <string.h>

#include "fig.h"

/* Tol's "bright" set, as in the figures of curves. */
static const char *const bright[] = { "#4477AA", "#EE6677", "#228833",
                                      "#AA3377", "#CCBB44", "#66CCEE" };

struct plane_plan {
    const struct tw_figure_plane *f;
    struct fig_page page;
    struct fig_axis x, y;
    double x_unit;
    const char *x_unit_name;
    double left, right, top, bottom; /* margins, inches */
    size_t entries, rows;            /* of the key */
    size_t first;                    /* layers of the panels above */
    bool above, below;               /* there are panels above, below */
};

/* ---- ranges ---------------------------------------------------------------------------------- */

static void widen(struct fig_axis *a, size_t n, const double *v)
{
    for (size_t i = 0; v && i < n; i++)
        if (isfinite(v[i]) && (!a->log || v[i] > 0.0)) {
            a->lo = fmin(a->lo, v[i]);
            a->hi = fmax(a->hi, v[i]);
        }
}

/* A margin of 3 % where the content decides; ends that are given stay. */
static void settle(struct fig_axis *a, double lo, double hi)
{
    const double by = a->log ? pow(a->hi / a->lo, 0.03) : 0.03 * (a->hi - a->lo);

    if (!(a->hi > a->lo)) { /* one value, or none */
        const double mid = isfinite(a->lo) ? a->lo : 1.0;

        a->lo = a->log ? mid / 2.0 : mid - fmax(0.5 * fabs(mid), 1e-9);
        a->hi = a->log ? mid * 2.0 : mid + fmax(0.5 * fabs(mid), 1e-9);
    } else {
        a->lo = a->log ? a->lo / by : a->lo - by;
        a->hi = a->log ? a->hi * by : a->hi + by;
    }
    a->lo = isnan(lo) ? a->lo : lo;
    a->hi = isnan(hi) ? a->hi : hi;
}

static enum tw_status ranges(struct plane_plan *p, struct tw_err *err)
{
    const struct tw_figure_plane *f = p->f;

    p->x = (struct fig_axis){ HUGE_VAL, -HUGE_VAL, f->log_x };
    p->y = (struct fig_axis){ HUGE_VAL, -HUGE_VAL, f->log_y };
    for (size_t i = 0; i < f->n; i++) {
        widen(&p->x, f->layers[i].n, f->layers[i].x);
        widen(&p->y, f->layers[i].n, f->layers[i].y);
        if (f->layers[i].mark == TW_FIGURE_BAND || f->layers[i].mark == TW_FIGURE_ARROW)
            widen(&p->y, f->layers[i].n, f->layers[i].y2);
    }
    if (!isfinite(p->x.lo) || !isfinite(p->y.lo))
        return tw_err_set(err, TW_EINVAL, "nothing to draw: no point has numbers%s",
                          f->log_x || f->log_y ? " above zero, as log axes need" : "");
    settle(&p->x, f->x_lo, f->x_hi);
    settle(&p->y, f->y_lo, f->y_hi);
    if (fig_axis_fit(&p->x, f->x_label ? f->x_label : "x", err) != TW_OK ||
        fig_axis_fit(&p->y, f->y_label, err) != TW_OK)
        return TW_EINVAL;
    p->x_unit_name = "";
    p->x_unit = f->log_x ? 1.0 : fig_unit(p->x.hi, &p->x_unit_name);
    return TW_OK;
}

/* ---- layout ---------------------------------------------------------------------------------- */

/* Has it a place at all? A layer without one is neither drawn nor named in the key. */
static bool has_points(const struct tw_figure_layer *l)
{
    for (size_t k = 0; k < l->n; k++)
        if (isfinite(l->x[k]) && isfinite(l->y[k]))
            return true;
    return false;
}

/* The key's rows, with entries as wide as the widest. */
static void place_key(struct plane_plan *p)
{
    size_t longest = 0, columns;
    double fit; /* none, where the page is hardly wider than the ticks' labels */

    for (size_t i = 0; i < p->f->n; i++)
        if (p->f->layers[i].name && has_points(&p->f->layers[i])) {
            const size_t n = fig_text_length(p->f->layers[i].name);

            longest = n > longest ? n : longest;
            p->entries++;
        }
    if (p->entries == 0)
        return;
    fit = (p->page.w - p->left - 0.1) /
          (fig_text_width(&p->page, longest) + 4.4 * (p->page.fs - 1.0) / 72.0);
    columns = fit < 2.0 ? 1 : fit > (double)p->entries ? p->entries : (size_t)fit;
    p->rows = (p->entries + columns - 1) / columns;
}

static void lay_out(struct plane_plan *p)
{
    const double em = p->page.fs / 72.0, tick = (p->page.fs - 1.0) / 72.0;
    const double high = p->page.h > 0.0 ? p->page.h : 0.66 * p->page.w;
    size_t end = 0;

    for (size_t i = 0; i < p->f->n; i++)
        if (p->f->layers[i].end && p->f->layers[i].mark != TW_FIGURE_ARROW) {
            const size_t n = fig_text_length(p->f->layers[i].end);

            end = n > end ? n : end;
        }
    p->left = fig_left_margin(&p->page,
                              fig_tick_width(&p->y, (high - 3.4 * em) / (0.3 * p->page.fs / 8.0)));
    p->right = 0.12 * p->page.fs / 8.0 + (end ? fig_text_width(&p->page, end) + 0.5 * tick : 0.0);
    p->bottom = 2.85 * em;
    if (!p->above)
        place_key(p);
    p->top = 0.09 * p->page.fs / 8.0 + fig_key_height(&p->page, p->rows);
    if (p->page.h == 0.0 && p->f->equal)
        p->page.h = (p->page.w - p->left - p->right) * (p->y.hi - p->y.lo) / (p->x.hi - p->x.lo) +
                    p->top + p->bottom;
    if (p->page.h == 0.0)
        p->page.h = p->f->square ? p->page.w - p->left - p->right + p->top + p->bottom
                                 : 0.66 * p->page.w + fig_key_height(&p->page, p->rows);
}

/* ---- data -------------------------------------------------------------------------------------
 */

static void number(struct tw_str *out, double x)
{
    if (isfinite(x))
        tw_str_addf(out, " %.10g", x);
    else
        tw_str_add(out, " NaN");
}

/* gnuplot draws a band on over what is not a number, but not over an empty line. */
static bool is_gap(const struct tw_figure_layer *l, size_t k)
{
    return l->mark == TW_FIGURE_BAND && !(isfinite(l->y[k]) && isfinite(l->y2[k]));
}

static void data(const struct plane_plan *p, struct tw_str *dat)
{
    if (!p->above)
        tw_str_add(dat, "# Layers of a figure. Blocks are parted by two blank lines; the script "
                        "finds them by name.\n");
    for (size_t i = 0; i < p->f->n; i++) {
        const struct tw_figure_layer *l = &p->f->layers[i];

        tw_str_addf(dat, "\n\n# layer %zu: ", p->first + i + 1);
        fig_plain(dat, l->name ? l->name : l->end ? l->end : "");
        tw_str_add(dat, l->mark == TW_FIGURE_BAND ? "\n# x lo hi\n"
                        : l->y3                   ? "\n# x y lo hi\n"
                                                  : "\n# x y\n");
        for (size_t k = 0; k < l->n; k++) {
            if (is_gap(l, k)) {
                tw_str_add(dat, k > 0 && !is_gap(l, k - 1) ? "\n" : "");
                continue;
            }
            number(dat, l->x[k]);
            number(dat, l->y[k]);
            if (l->y2)
                number(dat, l->y2[k]);
            if (l->y2 && l->y3)
                number(dat, l->y3[k]);
            tw_str_add(dat, "\n");
        }
    }
}

/* ---- script -----------------------------------------------------------------------------------
 */

static const char *ink(const struct tw_figure_layer *l)
{
    return l->colour < 0 ? "#888888" : bright[l->colour % 6];
}

static void title(struct tw_str *gp, const struct plane_plan *p, const struct tw_figure_layer *l)
{
    if (l->name) {
        tw_str_add(gp, " title ");
        fig_quote(gp, l->name, p->page.tex);
    } else {
        tw_str_add(gp, " notitle");
    }
}

static void layer(struct tw_str *gp, const struct plane_plan *p, size_t i, bool first)
{
    static const int filled[] = { 7, 5, 9, 13 },
                     open[] = { 6, 4, 8, 12 }; /* gnuplot's point types */
    const struct tw_figure_layer *l = &p->f->layers[i];
    const int shape = l->shape > 0 && l->shape < 4 ? l->shape : 0;

    tw_str_addf(gp,
                "%sDATA index \"layer %zu:\" using ($1 / XUNIT):", first ? "plot " : ", \\\n    ",
                p->first + i + 1);
    switch (l->mark) {
    case TW_FIGURE_BAND:
        tw_str_addf(gp, "2:3 with filledcurves lc rgb \"%s\" fs transparent solid 0.20 noborder",
                    ink(l));
        break;
    case TW_FIGURE_LINE:
        tw_str_addf(gp, "2 with lines lw LW(%s) dt %s lc rgb \"%s\"", l->thin ? "0.5" : "1.0",
                    l->dashed ? "12" : "1", ink(l));
        break;
    case TW_FIGURE_ARROW:
        tw_str_addf(gp,
                    "2:(0):3 with vectors heads filled size screen 0.012, 20 lw LW(0.5) lc rgb "
                    "\"%s\"",
                    ink(l));
        break;
    case TW_FIGURE_POINTS:
        if (l->y2 && l->y3)
            tw_str_addf(
                gp,
                "3:(0):($4 - $3) with vectors nohead lw LW(0.4) lc rgb LIGHT(\"%s\") notitle, "
                "\\\n    DATA index \"layer %zu:\" using ($1 / XUNIT):2",
                ink(l), p->first + i + 1);
        else
            tw_str_add(gp, "2");
        tw_str_addf(gp, " with points pt %d ps %sDOT lw LW(0.6) lc rgb \"%s\"",
                    l->thin ? open[shape] : filled[shape], l->thin ? "1.6 * " : "", ink(l));
        break;
    }
    title(gp, p, l);
}

/* The last point of a line that the panel shows; n: none. */
static size_t last_shown(const struct plane_plan *p, const struct tw_figure_layer *l)
{
    for (size_t i = l->n; i-- > 0;) {
        const double x = fig_axis_at(&p->x, l->x[i]), y = fig_axis_at(&p->y, l->y[i]);

        if (x >= 0.0 && x <= 1.0 + 1e-9 && y >= 0.0 && y <= 1.0)
            return i;
    }
    return l->n;
}

/* Does it leave the panel by the right border? */
static bool to_the_right(const struct plane_plan *p, const struct tw_figure_layer *l)
{
    const size_t i = last_shown(p, l);

    return i < l->n && fig_axis_at(&p->x, l->x[i]) > 0.99;
}

/* Beside the last points of lines that leave the panel elsewhere. */
static void inner_ends(struct tw_str *gp, const struct plane_plan *p)
{
    for (size_t k = 0; k < p->f->n; k++) {
        const struct tw_figure_layer *l = &p->f->layers[k];
        const size_t i = l->end ? last_shown(p, l) : l->n;
        const double half = l->mark == TW_FIGURE_ARROW && i < l->n ? 0.5 * l->y2[i] : 0.0;

        if (i == l->n || (to_the_right(p, l) && l->mark != TW_FIGURE_ARROW))
            continue;
        tw_str_add(gp, "set label ");
        fig_quote(gp, l->end, p->page.tex);
        tw_str_addf(gp,
                    " at graph %.5g, graph %.5g left offset character 0.5, 0 front %sfont TW_KF tc "
                    "rgb \"%s\"\n",
                    fig_axis_at(&p->x, l->x[i]), fmax(fig_axis_at(&p->y, l->y[i] + half), 0.035),
                    p->page.tex ? "" : "boxed ", l->colour < 0 ? "#555555" : ink(l));
    }
}

/* Texts at the right border, from the lowest up; one too close to the last is left out. */
static void ends(struct tw_str *gp, const struct plane_plan *p)
{
    const double height = p->page.h - p->top - p->bottom;
    const double apart = 1.05 * (p->page.fs - 1.0) / 72.0 / height;
    double last = -HUGE_VAL;

    for (size_t k = 0; k < p->f->n; k++) {
        double best = HUGE_VAL;
        size_t at = p->f->n;

        for (size_t i = 0; i < p->f->n; i++) {
            const struct tw_figure_layer *l = &p->f->layers[i];
            const double y = l->end && to_the_right(p, l)
                                 ? fig_axis_at(&p->y, l->y[last_shown(p, l)])
                                 : -HUGE_VAL;

            if (y >= last + apart && y >= 0.0 && y <= 1.0 && y < best) {
                best = y;
                at = i;
            }
        }
        if (at == p->f->n)
            return;
        last = best;
        tw_str_add(gp, "set label ");
        fig_quote(gp, p->f->layers[at].end, p->page.tex);
        tw_str_addf(gp,
                    " at graph 1, graph %.5g left offset character 0.6, 0 font TW_KF tc rgb "
                    "\"%s\"\n",
                    best, p->f->layers[at].colour < 0 ? "#555555" : ink(&p->f->layers[at]));
    }
}

static void axes(struct tw_str *gp, const struct plane_plan *p)
{
    struct tw_str text = { 0 };
    const double em = p->page.fs / 72.0;
    const double width = p->page.w - p->left - p->right, height = p->page.h - p->top - p->bottom;

    tw_str_addf(gp,
                "set lmargin at screen X(%.4g); set rmargin at screen 1 - X(%.4g)\n"
                "set bmargin at screen Y(%.4g); set tmargin at screen 1 - Y(%.4g)\n",
                p->left, p->right, p->bottom, p->top);
    fig_set_ticks(gp, 'x', &p->x, p->x_unit, width, 0.5 * p->page.fs / 8.0, &p->page);
    fig_set_ticks(gp, 'y', &p->y, 1.0, height, 0.3 * p->page.fs / 8.0, &p->page);
    if (p->f->whole_y && p->y.hi - p->y.lo < 12.0) /* else steps are 2 and more */
        tw_str_add(gp, "set ytics 1; set mytics 1; set format y \"%g\"\n");
    if (p->above || p->below)
        tw_str_addf(gp, "set xrange [XMIN / XUNIT:XMAX / XUNIT]; set yrange [%.*g:%.*g]\n",
                    fig_digits(&p->y, 8), p->y.lo, fig_digits(&p->y, 8), p->y.hi);
    else
        tw_str_add(gp, "set xrange [XMIN / XUNIT:XMAX / XUNIT]; set yrange [YMIN:YMAX]\n");
    if (p->below)
        tw_str_add(gp, "set format x \"\"\n");
    tw_str_addf(&text, "%s%s", p->f->x_label ? p->f->x_label : "x", p->x_unit_name);
    tw_str_add(gp, "set label 1 TW_L.");
    fig_quote(gp, p->below || !text.s ? "" : text.s, p->page.tex);
    tw_str_addf(gp, " at graph 0.5, screen Y(%.4g) center\nset label 2 TW_L.", 0.68 * em);
    fig_quote(gp, p->f->y_label ? p->f->y_label : "y", p->page.tex);
    tw_str_addf(gp, " at screen X(%.4g), graph 0.5 center rotate by 90\n", 0.75 * em);
    tw_str_release(&text);
}

static void panel(struct tw_str *gp, const struct plane_plan *p)
{
    bool first = true;

    if (p->above)
        tw_str_add(gp, "\n# The panel below.\nunset label; unset key\n");
    axes(gp, p);
    ends(gp, p);
    inner_ends(gp, p);
    if (!p->above && p->entries)
        tw_str_addf(gp,
                    "set key Left reverse samplen 1.8 spacing TW_LEAD nobox font TW_KF maxrows %zu "
                    "center top at graph 0.5, screen 1 - Y(0.03)\n",
                    p->rows);
    else if (!p->above)
        tw_str_add(gp, "unset key\n");
    for (size_t i = 0; i < p->f->n; i++)
        if (has_points(&p->f->layers[i])) {
            layer(gp, p, i, first);
            first = false;
        }
}

static void script(const struct plane_plan *p, size_t n, struct fig_files *files,
                   const struct tw_figure_opts *opts)
{
    struct tw_str vars = { 0 }, *gp = &files->gp;
    size_t points = 0;

    for (size_t i = 0; i < p->f->n; i++)
        points += p->f->layers[i].mark == TW_FIGURE_POINTS ? p->f->layers[i].n : 0;
    tw_str_addf(&vars,
                "DOT = %.2g * TW_LW    # marker size\nXMIN = %.*g; XMAX = %.*g; XUNIT = %.0e\n",
                points < 40    ? 0.36
                : points < 400 ? 0.26
                               : 0.16,
                fig_digits(&p->x, 8), p->x.lo, fig_digits(&p->x, 8), p->x.hi, p->x_unit);
    if (n == 1)
        tw_str_addf(&vars, "YMIN = %.*g; YMAX = %.*g\n", fig_digits(&p->y, 8), p->y.lo,
                    fig_digits(&p->y, 8), p->y.hi);
    fig_head(files, &p->page, opts, p->f->title ? p->f->title : "Runs and their law",
             vars.s ? vars.s : "");
    gp->failed = gp->failed || vars.failed;
    tw_str_release(&vars);
    tw_str_add(gp, "X(inches) = inches / TW_W; Y(inches) = inches / TW_H\n"
                   "set dashtype 12 (5, 3)\nset tics font TW_KF\n"
                   "set style textbox opaque noborder margins 0.4, 0.2 fc rgb \"white\"\n");
    if (n > 1)
        tw_str_add(gp, "set multiplot\n");
    for (size_t i = 0; i < n; i++)
        panel(gp, &p[i]);
    tw_str_add(gp, n > 1 ? "\nunset multiplot\nunset output\n" : "\nunset output\n");
}

/* Panels one below the other, of heights as their weights, with the first one's page and the
 * widest margin; 0: by content. */
static enum tw_status stack(struct plane_plan *p, size_t n, struct tw_err *err)
{
    const double gap = 0.09 * p->page.fs / 8.0;
    const bool by_content = p->page.h == 0.0;
    double left = 0.0, right = 0.0, weight = 0.0, room, top;

    for (size_t i = 0; i < n; i++) {
        p[i].above = i > 0;
        p[i].below = i + 1 < n;
        p[i].first = i ? p[i - 1].first + p[i - 1].f->n : 0;
        p[i].page = p[0].page;
        lay_out(&p[i]);
        left = fmax(left, p[i].left);
        right = fmax(right, p[i].right);
        weight += p[i].f->weight > 0.0 ? p[i].f->weight : 1.0;
    }
    top = p[0].top;
    if (n > 1 && by_content)
        p[0].page.h *= 1.35;
    room = p[0].page.h - top - p[0].bottom - gap * (double)(n - 1);
    if (room < 0.3 * (double)n)
        return tw_err_set(err, TW_EINVAL, "no room for the panel in %.3g by %.3g inches",
                          p[0].page.w, p[0].page.h);
    for (size_t i = 0; n > 1 && i < n; i++) {
        const double h = room * (p[i].f->weight > 0.0 ? p[i].f->weight : 1.0) / weight;

        p[i].page.h = p[0].page.h;
        p[i].left = left;
        p[i].right = right;
        p[i].top = top;
        p[i].bottom = p[0].page.h - top - h;
        top += h + gap;
    }
    return TW_OK;
}

enum { PANELS = 4 };

enum tw_status tw_figure_stack(const char *path, size_t n, const struct tw_figure_plane *f,
                               const struct tw_figure_opts *opts, struct tw_err *err)
{
    struct plane_plan p[PANELS] = { { 0 } };
    struct fig_files files = { 0 };
    struct fig_locale locale;
    enum tw_status st;

    if (!path || !f || n == 0 || n > PANELS || f->n == 0)
        return tw_err_set(err, TW_EINVAL, "a figure needs a name and at least one layer");
    fig_locale_enter(&locale);
    st = fig_page_init(&p[0].page, path, opts, err);
    if (st == TW_OK)
        st = fig_files_init(&files, path, err);
    for (size_t i = 0; i < n && st == TW_OK; i++) {
        p[i].f = &f[i];
        st = ranges(&p[i], err);
    }
    if (st == TW_OK)
        st = stack(p, n, err);
    if (st == TW_OK) {
        for (size_t i = 0; i < n; i++)
            data(&p[i], &files.dat);
        script(p, n, &files, opts);
        st = fig_make(&files, &p[0].page, path, opts, err);
    }
    fig_files_release(&files);
    fig_locale_leave(&locale);
    return st;
}

enum tw_status tw_figure_plane(const char *path, const struct tw_figure_plane *f,
                               const struct tw_figure_opts *opts, struct tw_err *err)
{
    return tw_figure_stack(path, 1, f, opts, err);
}
