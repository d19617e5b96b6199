/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "curves.h"

#include <math.h>
#include <string.h>

/* Tol's "bright" and "muted" sets (Paul Tol, "Colour schemes", SRON/EPS/TN/09-002): told
 * apart by every kind of colour vision, and in that order. */
static const char *const bright[] = { "#4477AA", "#EE6677", "#228833",
                                      "#AA3377", "#CCBB44", "#66CCEE" };
static const char *const muted[] = { "#332288", "#CC6677", "#117733", "#DDAA33", "#882255",
                                     "#44AA99", "#999933", "#88CCEE", "#AA4499" };

static const char *color(size_t i, size_t n)
{
    return n <= 6 ? bright[i % 6] : muted[i % 9];
}

/* ---- option variables ---------------------------------------------------------------------- */

static void list(struct tw_str *s, const struct curves_plan *p, const char *name,
                 bool (*has)(const struct curves_plan *, size_t), const char *comment)
{
    size_t from = s->n;

    tw_str_addf(s, "%s = \"", name);
    for (size_t i = 0, seen = 0; i < p->f->n; i++)
        if (has(p, i))
            tw_str_addf(s, "%s%zu", seen++ ? " " : "", i + 1);
    tw_str_add(s, "\"");
    if (*comment)
        tw_str_addf(s, "%*s# %s", (int)(s->n - from < 30 ? 30 - (s->n - from) : 1), "", comment);
    tw_str_add(s, "\n");
}

static bool has_points(const struct curves_plan *p, size_t i)
{
    return p->f->curves[i].n > 0;
}
static bool has_solid(const struct curves_plan *p, size_t i)
{
    return p->f->curves[i].m > 0 && p->c[i].border > p->f->curves[i].line_x[0];
}
static bool has_dashed(const struct curves_plan *p, size_t i)
{
    const struct tw_figure_curve *c = &p->f->curves[i];

    return c->m > 0 && p->c[i].border < c->line_x[c->m - 1];
}
static bool has_band95(const struct curves_plan *p, size_t i)
{
    return p->f->curves[i].m && p->f->curves[i].lo95 && p->f->curves[i].hi95;
}
static bool has_band68(const struct curves_plan *p, size_t i)
{
    return p->f->curves[i].m && p->f->curves[i].lo68 && p->f->curves[i].hi68;
}
static bool has_residual(const struct curves_plan *p, size_t i)
{
    return p->c[i].residual != NULL;
}
static bool has_rate(const struct curves_plan *p, size_t i)
{
    return p->f->curves[i].k > 0;
}

static bool any(const struct curves_plan *p, bool (*has)(const struct curves_plan *, size_t))
{
    for (size_t i = 0; i < p->f->n; i++)
        if (has(p, i))
            return true;
    return false;
}

static void arrays(struct tw_str *s, const struct curves_plan *p)
{
    size_t n = p->f->n;

    tw_str_addf(s, "N = %zu\narray NAME[N] = [", n);
    for (size_t i = 0; i < n; i++) {
        tw_str_add(s, i ? ", " : "");
        fig_quote(s, p->c[i].label, p->page.tex);
    }
    tw_str_add(s, "]\narray INK[N] = [");
    for (size_t i = 0; i < n; i++)
        tw_str_addf(s, "%s\"%s\"", i ? ", " : "", n == 1 ? bright[1] : color(i, n));
    tw_str_add(s, "]    # colours of the laws\narray BORDER[N] = [");
    for (size_t i = 0; i < n; i++) {
        double b = p->c[i].border;

        if (isinf(b))
            tw_str_addf(s, "%s%s", i ? ", " : "", b > 0.0 ? "1e300" : "-1e300");
        else
            tw_str_addf(s, "%s%.17g", i ? ", " : "", b);
    }
    tw_str_add(s, "]    # beyond it a law is dashed\narray PT[N] = [");
    for (size_t i = 0; i < n; i++)
        tw_str_addf(s, "%s%d", i ? ", " : "",
                    !p->f->curves[i].n            ? -1
                    : p->c[i].role == ROLE_FITTED ? 7
                                                  : 6);
    tw_str_add(s, "]    # markers: full for fitted, open else, -1 for none\narray DT[N] = [");
    for (size_t i = 0; i < n; i++)
        tw_str_addf(s, "%s%d", i ? ", " : "", p->c[i].role == ROLE_HELD_OUT ? 12 : 11);
    tw_str_add(s, "]    # dashes beyond the border: 12 for held out, 11 else\n");
}

/* Points that the figure draws, of all curves and of the richest one. */
static size_t count_drawn(const struct curves_plan *p, size_t *richest)
{
    size_t drawn = 0;

    *richest = 0;
    for (size_t i = 0; i < p->f->n; i++) {
        size_t here = 0;

        for (size_t j = 0; j < p->f->curves[i].n; j++)
            here += p->c[i].points[j];
        drawn += here;
        *richest = here > *richest ? here : *richest;
    }
    return drawn;
}

/* Few enough to stand alone: drawn large and in full colour. */
static bool few_points(const struct curves_plan *p)
{
    size_t richest, drawn = count_drawn(p, &richest);

    return richest < 40 && drawn < 200;
}

static void variables(const struct curves_plan *p, struct tw_str *s)
{
    size_t richest, drawn = count_drawn(p, &richest);
    double dot = few_points(p) ? 0.32 : p->f->n == 1 ? 0.24 : drawn < 600 ? 0.2 : 0.14;

    arrays(s, p);
    tw_str_addf(s, "DOT = %.2g * TW_LW; DOT_KEY = 0.32 * TW_LW    # marker sizes\n", dot);
    tw_str_addf(s, "XMIN = %.*g; XMAX = %.*g; XUNIT = %.0e\n", fig_digits(&p->x, 8), p->x.lo,
                fig_digits(&p->x, 8), p->x.hi, p->x_unit);
    tw_str_addf(s, "YMIN = %.*g; YMAX = %.*g", fig_digits(&p->y, 6), p->y.lo, fig_digits(&p->y, 6),
                p->y.hi);
    if (p->left_out > 0.0)
        tw_str_addf(s, "    # leaves out the steepest part, %.2g%% of the width",
                    100.0 * p->left_out);
    tw_str_add(s, "\n");
    list(s, p, "MEASURED", has_points, "which curves have what");
    list(s, p, "SOLID", has_solid, "");
    list(s, p, "DASHED", has_dashed, "");
    list(s, p, "BAND95", has_band95, "");
    list(s, p, "BAND68", has_band68, "");
    if (p->show_residual) {
        list(s, p, "RESIDUAL", has_residual, "");
        if (p->residuals_beyond)
            tw_str_addf(s, "RMAX = %.6g    # per cent: beyond it, a triangle at the edge\n",
                        p->residual.hi);
    }
    if (p->show_rate)
        list(s, p, "RATE", has_rate, "");
}

/* ---- axes ---------------------------------------------------------------------------------- */

/* `quoted`: a gnuplot string, quotes and all. */
static void y_label(struct tw_str *gp, const struct curves_plan *p, const char *quoted)
{
    tw_str_addf(gp, "set label 1 TW_L.%s at screen X(%.4g), graph 0.5 center rotate by 90\n",
                quoted, 0.75 * p->page.fs / 72.0);
}

/* The lowest panel has the numbers and the label of the shared x axis. */
static void x_axis(struct tw_str *gp, const struct curves_plan *p, bool lowest)
{
    struct tw_str text = { 0 };

    fig_set_ticks(gp, 'x', &p->x, p->x_unit, curves_panel_width(p), 0.55 * p->page.fs / 8.0,
                  &p->page);
    if (!lowest) {
        tw_str_add(gp, "set format x \"\"\n");
        return;
    }
    tw_str_addf(&text, "%s%s", p->f->x_label ? p->f->x_label : "training step", p->x_unit_name);
    /* Not `set xlabel`: its place depends on the terminal's idea of the font. */
    tw_str_add(gp, "set label 2 TW_L.");
    fig_quote(gp, text.s ? text.s : "", p->page.tex);
    tw_str_addf(gp, " at graph 0.5, screen Y(%.4g) center\n", 0.68 * p->page.fs / 72.0);
    tw_str_release(&text);
}

/* Panel from `up` inches over the page's lower edge; the topmost ends at the top margin. */
static void panel(struct tw_str *gp, const struct curves_plan *p, double up, bool topmost)
{
    tw_str_addf(gp, "set bmargin at screen Y(%.4g); set tmargin at screen ", up);
    if (topmost)
        tw_str_addf(gp, "1 - Y(%.4g)\n", p->top);
    else
        tw_str_addf(gp, "Y(%.4g)\n", up + p->low);
}

/* ---- the key -------------------------------------------------------------------------------- */

struct key_out {
    struct tw_str *gp;
    const struct curves_plan *p;
};

static void key_entry(void *ctx, const char *label, const char *with, size_t curve)
{
    struct key_out *to = ctx;
    const struct curves_plan *p = to->p;

    if (!with && curve > 0)
        return; /* one loop writes the curves' own entries */
    if (!with) {
        tw_str_add(to->gp, ", \\\n    for [i = 1:N] keyentry with ");
        tw_str_add(to->gp, "linespoints lw LW(0.9) dt KEY_DT[i] pt PT[i] ps DOT_KEY \\\n"
                           "        lc rgb INK[i] title NAME[i]");
        return;
    }
    tw_str_addf(to->gp, ", \\\n    keyentry with %s title ", with);
    if (curve < p->f->n)
        tw_str_add(to->gp, "NAME[1]");
    else
        fig_quote(to->gp, label, p->page.tex);
}

static void key(struct tw_str *gp, const struct curves_plan *p)
{
    tw_str_add(gp, "set key Left reverse samplen 2.2 spacing TW_LEAD nobox font TW_KF ");
    if (p->key.above)
        tw_str_addf(gp, "maxrows %zu center top at screen X(%.4g), screen 1 - Y(0.03)\n",
                    p->key.rows, p->left + 0.5 * curves_panel_width(p));
    else /* gnuplot may think the text wider than it is: hang the key by its inner side */
        tw_str_addf(gp, "maxrows %zu %s top at screen X(%.4g), screen 1 - Y(%.4g)\n", p->key.rows,
                    p->key.x > 0.1 ? "right" : "left",
                    p->left + p->key.x + (p->key.x > 0.1 ? p->key.w : 0.0), p->top + p->key.y);
}

/* ---- panels --------------------------------------------------------------------------------- */

static void borders(struct tw_str *gp, const struct curves_plan *p)
{
    bool same = true;
    double seen = nan("");

    for (size_t i = 0; i < p->f->n; i++)
        if (p->c[i].marked) {
            same = same && (isnan(seen) || seen == p->c[i].border);
            seen = p->c[i].border;
        }
    for (size_t i = 0; i < p->f->n; i++) {
        if (!p->c[i].marked)
            continue;
        tw_str_addf(gp,
                    "set arrow from BORDER[%zu] / XUNIT, graph 0 to BORDER[%zu] / XUNIT, graph 1 "
                    "nohead back lw LW(0.5) dt 13 lc rgb ",
                    i + 1, i + 1);
        if (same)
            tw_str_add(gp, "C0\n");
        else
            tw_str_addf(gp, "INK[%zu]\n", i + 1);
        if (same)
            break;
    }
}

/* Only what some curve has: gnuplot runs a loop over no words once. */
static void layers(struct tw_str *gp, const struct curves_plan *p)
{
    const char *first = " ";

    if (p->band95) {
        tw_str_addf(gp,
                    "%sfor [i in BAND95] DATA index B(\"law\", i) using ($1 / XUNIT):3:4 \\\n"
                    "        with filledcurves lc rgb INK[int(i)] fs transparent solid 0.20 "
                    "noborder notitle",
                    first);
        first = ", \\\n    ";
    }
    if (p->band68) {
        tw_str_addf(gp,
                    "%sfor [i in BAND68] DATA index B(\"law\", i) using ($1 / XUNIT):5:6 \\\n"
                    "        with filledcurves lc rgb INK[int(i)] fs transparent solid 0.30 "
                    "noborder notitle",
                    first);
        first = ", \\\n    ";
    }
    if (any(p, has_points)) {
        tw_str_addf(gp,
                    "%sfor [i in MEASURED] DATA index B(\"measured\", i) \\\n"
                    "        using ($1 / XUNIT):($4 > 0 ? $2 : NaN) with points pt PT[int(i)] "
                    "ps DOT \\\n        lw LW(0.4) lc rgb DOTS[int(i)] notitle",
                    first);
        first = ", \\\n    ";
    }
    if (any(p, has_solid)) {
        tw_str_addf(gp,
                    "%sfor [i in SOLID] DATA index B(\"law\", i) \\\n"
                    "        using ($1 / XUNIT):($1 <= BORDER[int(i)] ? $2 : NaN) with lines "
                    "\\\n        lw LW(0.9) lc rgb INK[int(i)] notitle",
                    first);
        first = ", \\\n    ";
    }
    if (any(p, has_dashed)) {
        tw_str_addf(gp,
                    "%sfor [i in DASHED] DATA index B(\"law\", i) \\\n"
                    "        using ($1 / XUNIT):($1 >= BORDER[int(i)] ? $2 : NaN) with lines "
                    "\\\n        lw LW(0.9) dt DT[int(i)] lc rgb INK[int(i)] notitle",
                    first);
        first = ", \\\n    ";
    }
    if (*first == ' ')
        tw_str_add(gp, " NaN notitle");
}

static void loss_panel(struct tw_str *gp, const struct curves_plan *p, double up, bool lowest)
{
    struct tw_str label = { 0 };

    tw_str_add(gp, "\n# loss\n");
    panel(gp, p, up, true);
    x_axis(gp, p, lowest);
    fig_set_ticks(gp, 'y', &p->y, 1.0, curves_panel_height(p), 0.3 * p->page.fs / 8.0, &p->page);
    tw_str_add(gp, "set yrange [YMIN:YMAX]\n");
    fig_quote(&label, p->f->y_label ? p->f->y_label : "loss", p->page.tex);
    y_label(gp, p, label.s ? label.s : "''");
    tw_str_release(&label);
    key(gp, p);
    tw_str_add(gp, "plot");
    layers(gp, p);
    (void)curves_key_entries(p, key_entry, &(struct key_out){ gp, p });
    tw_str_add(gp, "\n");
}

static void low_axis(struct tw_str *gp, const struct curves_plan *p, const struct fig_axis *y,
                     double unit)
{
    struct fig_axis scaled = { y->lo / unit, y->hi / unit, false };

    tw_str_add(gp, "unset key; unset logscale y\n");
    fig_set_ticks(gp, 'y', &scaled, 1.0, p->low, 0.27 * p->page.fs / 8.0, &p->page);
    tw_str_addf(gp, "set yrange [%.6g:%.6g]\n", scaled.lo, scaled.hi);
}

/* Triangles at the edge for the drawn points beyond it, and how many there are of all. */
static void beyond(struct tw_str *gp, bool up)
{
    tw_str_addf(
        gp,
        ", \\\n    for [i in RESIDUAL] DATA index B(\"measured\", i) \\\n"
        "        using ($1 / XUNIT):($4 > 0 && %s$3 > RMAX ? %s0.9 * RMAX : NaN) \\\n"
        "        with points pt %d ps 1.5 * DOT lc rgb N > 1 ? INK[int(i)] : DOTS[1] notitle",
        up ? "" : "-", up ? "" : "-", up ? 9 : 11);
}

static void residual_panel(struct tw_str *gp, const struct curves_plan *p, double up, bool lowest)
{
    tw_str_add(gp, "\n# residuals\n");
    panel(gp, p, up, false);
    x_axis(gp, p, lowest);
    low_axis(gp, p, &p->residual, 1.0);
    y_label(gp, p, p->page.tex ? "'error (\\%)'" : "'error (%)'");
    if (p->residuals_beyond)
        tw_str_addf(gp,
                    "set label 3 '%zu of %zu points beyond' at graph 0.995, graph 0.84 right front "
                    "font TW_KF\n",
                    p->residuals_beyond, p->residuals);
    tw_str_add(gp, "plot 0 with lines lw LW(0.5) lc rgb C0 notitle, \\\n"
                   "    for [i in RESIDUAL] DATA index B(\"measured\", i) \\\n"
                   "        using ($1 / XUNIT):($4 > 0 ? $3 : NaN) with points pt PT[int(i)] \\\n"
                   "        ps DOT lw LW(0.4) lc rgb DOTS[int(i)] notitle");
    if (p->residuals_beyond) {
        beyond(gp, true);
        beyond(gp, false);
    }
    tw_str_add(gp, p->residuals_beyond ? "\nunset label 3\n" : "\n");
}

static void rate_panel(struct tw_str *gp, const struct curves_plan *p, double up)
{
    struct tw_str text = { 0 };
    double e = round(log10(p->rate_unit));

    if (e == 0.0)
        tw_str_add(&text, "'lr'");
    else
        tw_str_addf(&text, p->page.tex ? "'lr ($10^{%s%g}$)'" : "'lr (10^{%s%g})'",
                    e > 0.0       ? ""
                    : p->page.tex ? "-"
                                  : "−",
                    fabs(e));
    tw_str_add(gp, "\n# learning rates\n");
    panel(gp, p, up, false);
    x_axis(gp, p, true);
    low_axis(gp, p, &p->rate, p->rate_unit);
    y_label(gp, p, text.s ? text.s : "''");
    tw_str_addf(gp,
                "plot for [i in RATE] DATA index B(\"rate\", i) using ($1 / XUNIT):($2 / %.0e) \\\n"
                "        with lines lw LW(0.8) lc rgb INK[int(i)] notitle\n",
                p->rate_unit);
    tw_str_release(&text);
}

void curves_script(const struct curves_plan *p, struct fig_files *files,
                   const struct tw_figure_opts *opts)
{
    struct tw_str vars = { 0 }, *gp = &files->gp;
    double up = p->bottom + (p->show_rate ? p->low + p->gap : 0.0);

    variables(p, &vars);
    fig_head(files, &p->page, opts, "Loss curves", vars.s ? vars.s : "");
    gp->failed = gp->failed || vars.failed;
    tw_str_release(&vars);
    tw_str_addf(gp,
                "X(inches) = inches / TW_W; Y(inches) = inches / TW_H\n"
                "B(kind, i) = kind.\" \".i.\":\"    # name of a block of the data\n"
                "array DOTS[N]; array KEY_DT[N]\n"
                "do for [i = 1:N] {\n    DOTS[i] = %s\n"
                "    KEY_DT[i] = BORDER[i] < -1e299 ? DT[i] : 1\n"
                "}\n"
                "set dashtype 11 (11, 4); set dashtype 12 (5, 3); set dashtype 13 (5, 5)\n"
                "set tics font TW_KF\nset multiplot\n"
                "set lmargin at screen X(%.4g); set rmargin at screen 1 - X(%.4g)\n"
                "set xrange [XMIN / XUNIT:XMAX / XUNIT]\n",
                p->f->n == 1    ? "\"#4477AA\""
                : few_points(p) ? "INK[i]"
                                : "LIGHT(INK[i])",
                p->left, p->right);
    borders(gp, p);
    loss_panel(gp, p, up + (p->show_residual ? p->low + p->gap : 0.0),
               !p->show_residual && !p->show_rate);
    if (p->show_residual)
        residual_panel(gp, p, up, !p->show_rate);
    if (p->show_rate)
        rate_panel(gp, p, p->bottom);
    tw_str_add(gp, "unset multiplot\nunset output\n");
}
