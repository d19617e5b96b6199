/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The script of a figure of a surface. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "surface.h"

static double at(const struct surface_plan *p, double z)
{
    return p->log ? log10(z) : z;
}

static void variables(struct tw_str *vars, const struct surface_plan *p)
{
    const struct tw_figure_surface *f = p->f;

    tw_str_addf(vars,
                "XMIN = %.8g; XMAX = %.8g; YMIN = %.8g; YMAX = %.8g\nZMIN = %.8g; ZMAX = %.8g    # "
                "the colours' ends\n",
                f->x[0], f->x[f->nx - 1], f->y[0], f->y[f->ny - 1], p->lo, p->hi);
    tw_str_addf(vars, "LOG = %d    # are the colours logarithmic? The picture in NAME.bin is\n",
                p->log);
    if (f->relief)
        tw_str_add(vars, "VIEW_DOWN = 48; VIEW_ROUND = 35    # degrees\n");
    tw_str_addf(vars, "CONTOURS = \"");
    for (size_t i = 0; i < p->nlevel; i++)
        tw_str_addf(vars, "%s%.6g", i ? ", " : "", p->level[i]);
    tw_str_add(vars, "\"    # lines of equal height; \"\": none\n");
}

/* A tick of the colours, or of the height. */
static void level_ticks(struct tw_str *gp, const struct surface_plan *p, const char *axis)
{
    tw_str_addf(gp, "set %stics (", axis);
    for (size_t i = 0; i < p->nlevel; i++) {
        const double v = fabs(p->level[i]) < 1e-12 * (p->hi - p->lo) ? 0.0 : p->level[i];
        const int e = v > 0.0 ? (int)floor(log10(v) + 1e-9) : 0;
        const double m = v / pow(10.0, e);
        const bool power = v > 0.0 && (e > 3 || e < -3);

        tw_str_add(gp, i ? ", " : "");
        if (power && m < 1.0 + 1e-9)
            tw_str_addf(gp, p->page.tex ? "'$10^{%d}$'" : "'10^{%d}'", e);
        else if (power)
            tw_str_addf(gp, p->page.tex ? "'$%.3g\\cdot 10^{%d}$'" : "'%.3g·10^{%d}'", m, e);
        else
            tw_str_addf(gp, v < 0.0 && !p->page.tex ? "'−%.4g'" : "'%.4g'",
                        p->page.tex ? v : fabs(v));
        tw_str_addf(gp, " %.8g", at(p, p->level[i]));
    }
    tw_str_add(gp, ")\n");
}

static void notes(struct tw_str *gp, const struct surface_plan *p)
{
    const double size = p->page.fs - 1.0;

    for (size_t i = 0; i < p->nnote; i++) {
        tw_str_add(gp, "set label ");
        fig_quote(gp, p->note[i], p->page.tex);
        tw_str_addf(
            gp,
            " at screen X(0.04), screen Y(%.4g) left font sprintf(\"%%s,%.3g\", TW_FONT) tc "
            "rgb \"#555555\"\n",
            (0.75 + 1.2 * (double)(p->nnote - 1 - i)) * size / 72.0, size);
    }
}

static void label(struct tw_str *gp, const struct surface_plan *p, const char *text,
                  const char *place)
{
    tw_str_add(gp, "set label TW_L.");
    fig_quote(gp, text ? text : "", p->page.tex);
    tw_str_addf(gp, " %s\n", place);
}

/* ---- marks ----------------------------------------------------------------------------------- */

static bool inside(const struct tw_figure_surface *f, double x, double y)
{
    return x >= f->x[0] && x <= f->x[f->nx - 1] && y >= f->y[0] && y <= f->y[f->ny - 1];
}

static void names(struct tw_str *gp, const struct surface_plan *p)
{
    const struct tw_figure_surface *f = p->f;

    for (size_t k = 0; f->mark && k < f->nmark; k++) {
        const bool high = f->mark_y[k] > 0.5 * (f->y[0] + f->y[f->ny - 1]);
        const bool right = f->mark_x[k] > f->x[0] + 0.8 * (f->x[f->nx - 1] - f->x[0]);

        if (!f->mark[k] || !*f->mark[k] || !inside(f, f->mark_x[k], f->mark_y[k]))
            continue;
        tw_str_add(gp, "set label ");
        fig_quote(gp, f->mark[k], p->page.tex);
        tw_str_addf(gp,
                    " at %.8g, %.8g %s offset character %s, character %s front font TW_KF tc rgb "
                    "\"white\"\n",
                    f->mark_x[k], f->mark_y[k], right ? "right" : "left", right ? "-0.6" : "0.6",
                    high ? "0.55" : "-0.55");
    }
}

/* Each in white under its colour, to be seen on any ground. */
static void marks(struct tw_str *gp, const struct surface_plan *p)
{
    const struct tw_figure_surface *f = p->f;
    const char *const using = "DATA index \"marks\" using 1:2";

    if (f->nmark == 0)
        return;
    if (!f->path) {
        tw_str_addf(gp, ", \\\n    %s with points pt 7 ps 0.5 * TW_LW lc rgb \"white\", \\\n",
                    using);
        tw_str_addf(gp, "    %s with points pt 7 ps 0.34 * TW_LW lc rgb \"#EE6677\"", using);
        return;
    }
    tw_str_addf(gp, ", \\\n    %s with lines lw LW(2) lc rgb \"white\"", using);
    tw_str_addf(gp, ", \\\n    %s with lines lw LW(1.1) lc rgb \"#EE6677\"", using);
    tw_str_addf(gp, ", \\\n    %s with points pt 7 ps 0.22 * TW_LW lc rgb \"#EE6677\"", using);
    for (int end = 0; end < 2; end++) {
        tw_str_addf(gp, ", \\\n    %s every ::%zu::%zu with points pt 7 ps %s lc rgb \"white\"",
                    using, end ? f->nmark - 1 : 0, end ? f->nmark - 1 : 0,
                    end ? "0.8 * TW_LW" : "0.6 * TW_LW");
        tw_str_addf(gp,
                    ", \\\n    %s every ::%zu::%zu with points pt %d ps %s lw LW(0.9) lc rgb "
                    "\"#EE6677\"",
                    using, end ? f->nmark - 1 : 0, end ? f->nmark - 1 : 0, end ? 3 : 6,
                    end ? "0.55 * TW_LW" : "0.5 * TW_LW");
    }
}

/* ---- paths ----------------------------------------------------------------------------------- */

/* Colours that are seen on this palette and by the colour-blind, with dashes and marks that tell
 * them apart in grey. */
static const struct {
    const char *colour, *dash;
    int point;
} looks[] = {
    { "#EE6677", "1", 7 },       { "#66CCEE", "(7, 3)", 5 },
    { "#EE7733", "(2, 2)", 9 },  { "#AA3377", "(9, 3, 2, 3)", 13 },
    { "#4477AA", "(4, 4)", 11 }, { "#222222", "(7, 2, 2, 2)", 15 },
};

static void key(struct tw_str *gp, const struct surface_plan *p)
{
    if (p->f->npath)
        tw_str_addf(gp,
                    "set key at graph 0, graph 1 left bottom horizontal maxcols %zu Left reverse "
                    "samplen 2.2 spacing 1.05 nobox noautotitle font TW_KF\n",
                    p->columns);
}

/* A path under its marks, in white under its colour. */
static void path(struct tw_str *gp, const struct surface_plan *p, size_t k)
{
    const size_t n = p->f->paths[k].n;
    const size_t l = (k + p->f->path) % (sizeof looks / sizeof looks[0]); /* marks have the first */
    char using[80];

    (void)snprintf(using, sizeof using, "DATA index \"path %03zu\" using 1:2", k);
    tw_str_addf(gp, ", \\\n    %s with lines lw LW(2) lc rgb \"white\"", using);
    tw_str_addf(
        gp,
        ", \\\n    %s with linespoints lw LW(1.1) dt %s pt %d ps 0.22 * TW_LW lc rgb \"%s\" title ",
        using, looks[l].dash, looks[l].point, looks[l].colour);
    fig_quote(gp, p->f->paths[k].name, p->page.tex);
    for (int end = 0; end < 2; end++) {
        const size_t at = end ? n - 1 : 0;

        tw_str_addf(gp, ", \\\n    %s every ::%zu::%zu with points pt 7 ps %s lc rgb \"white\"",
                    using, at, at, end ? "0.8 * TW_LW" : "0.6 * TW_LW");
        tw_str_addf(gp,
                    ", \\\n    %s every ::%zu::%zu with points pt %d ps %s lw LW(0.9) lc rgb "
                    "\"%s\"",
                    using, at, at, end ? 3 : 6, end ? "0.55 * TW_LW" : "0.5 * TW_LW",
                    looks[l].colour);
    }
}

static void paths(struct tw_str *gp, const struct surface_plan *p)
{
    const char *const using = "DATA index \"chord\" using 1:2";

    if (p->f->chord) {
        tw_str_addf(gp, ", \\\n    %s with lines lw LW(1.8) lc rgb \"white\"", using);
        tw_str_addf(gp, ", \\\n    %s with lines lw LW(0.9) dt (5, 4) lc rgb \"black\"", using);
    }
    for (size_t k = 0; k < p->f->npath; k++)
        path(gp, p, k);
}

/* ---- the two kinds --------------------------------------------------------------------------- */

/* The picture as gnuplot reads it. */
static void picture(struct tw_str *gp, const struct surface_plan *p)
{
    const struct tw_figure_surface *f = p->f;

    tw_str_addf(gp,
                "PICTURE binary skip=%d array=(%zu,%zu) format='%%float' endian=little \\\n"
                "    origin=(%.10g,%.10g%s) dx=%.10g dy=%.10g",
                FIG_SEAL, p->px, p->py, f->x[0], f->y[0], f->relief ? ",0" : "",
                (f->x[f->nx - 1] - f->x[0]) / (double)(p->px - 1),
                (f->y[f->ny - 1] - f->y[0]) / (double)(p->py - 1));
}

static void map(struct tw_str *gp, const struct surface_plan *p)
{
    const struct tw_figure_surface *f = p->f;
    const double em = p->page.fs / 72.0;
    const struct fig_axis x = { f->x[0], f->x[f->nx - 1], false };
    const struct fig_axis y = { f->y[0], f->y[f->ny - 1], false };
    char place[120];
    struct tw_str t = { 0 };

    /* Before ticks have a format: a table is written with it. */
    tw_str_add(gp, "set table $lines\nset contour base; unset surface\n"
                   "if (strlen(CONTOURS)) eval \"set cntrparam levels discrete \".CONTOURS\n"
                   "splot DATA index \"grid\" using 1:2:3\nunset table; unset contour\n");
    tw_str_addf(gp,
                "set lmargin at screen X(%.4g); set rmargin at screen 1 - X(%.4g)\n"
                "set bmargin at screen Y(%.4g); set tmargin at screen 1 - Y(%.4g)\n",
                p->left, p->right, p->bottom, p->top);
    fig_set_ticks(gp, 'x', &x, 1.0, p->page.w - p->left - p->right, 0.5 * p->page.fs / 8.0,
                  &p->page);
    fig_set_ticks(gp, 'y', &y, 1.0, p->page.h - p->top - p->bottom, 0.3 * p->page.fs / 8.0,
                  &p->page);
    tw_str_add(gp, "set xrange [XMIN:XMAX]; set yrange [YMIN:YMAX]\nset border 15\n"
                   "set object rectangle from graph 0, graph 0 to graph 1, graph 1 behind fs solid "
                   "noborder fc rgb \"#BBBBBB\"    # under what is not finite\n");
    (void)snprintf(place, sizeof place, "at graph 0.5, screen Y(%.4g) center",
                   p->bottom - 2.17 * em);
    label(gp, p, f->x_label, place);
    tw_str_addf(&t, "at screen X(%.4g), graph 0.5 center rotate by 90",
                fmax(0.75 * em, p->left - p->label));
    label(gp, p, f->y_label, t.s ? t.s : "");
    tw_str_clear(&t);
    tw_str_addf(&t, "at screen 1 - X(%.4g), graph 0.5 center rotate by 90", 0.6 * em);
    label(gp, p, f->z_label, t.s ? t.s : "");
    tw_str_release(&t);
    tw_str_addf(
        gp, "set colorbox user origin graph 1.03, graph 0 size X(%.4g), Y(%.4g) front noborder\n",
        0.1 * p->page.fs / 8.0, p->page.h - p->top - p->bottom);
    names(gp, p);
    key(gp, p);
    tw_str_add(gp, "# dark lines on bright ground\n"
                   "DARK = 0xA0303030; BRIGHT = 0x70FFFFFF\n"
                   "if (TW_FORMAT eq \"dumb\") DARK = 0x303020; BRIGHT = 0xFFFFE0\n"
                   "SHADE(z) = (Z(z) - Z(ZMIN)) / (Z(ZMAX) - Z(ZMIN)) > 0.6 ? DARK : BRIGHT\n"
                   "plot ");
    picture(gp, p);
    tw_str_add(gp, " with image");
    tw_str_add(gp,
               ", \\\n    (strlen(CONTOURS) ? \"$lines\" : \"/dev/null\") using 1:2:(SHADE($3)) "
               "with lines lw LW(0.5) lc rgb variable");
    marks(gp, p);
    paths(gp, p);
}

static void relief(struct tw_str *gp, const struct surface_plan *p)
{
    const struct tw_figure_surface *f = p->f;
    const struct fig_axis x = { f->x[0], f->x[f->nx - 1], false };
    const struct fig_axis y = { f->y[0], f->y[f->ny - 1], false };
    const double side = 0.45 * p->page.w, room = 0.35 * p->page.fs / 8.0;
    const double em = p->page.fs / 72.0;
    const double half = 0.5 * 0.47 * em * (double)fig_text_length(f->y_label ? f->y_label : "");
    const double over = fmax(0.0, 0.84 * half - 0.12 * p->page.w);
    /* The numbers and label of the height need 4.2 em, more if the numbers are long. */
    const double more = fmax(0.0, 0.5 * (p->level_width - 3.0) * (p->page.fs - 1.0) / 72.0);
    const double shift = fmax(0.0, 4.2 * em + more - 0.145 * p->page.w);

    fig_set_ticks(gp, 'x', &x, 1.0, side, room, &p->page);
    fig_set_ticks(gp, 'y', &y, 1.0, side, room, &p->page);
    level_ticks(gp, p, "z");
    /* Above the note. */
    tw_str_addf(gp, "set origin X(%.4g), Y(%.4g); set size 1 - X(%.4g), 1 - Y(%.4g)\n", shift,
                p->bottom, shift, p->bottom);
    tw_str_add(gp, "set xrange [XMIN:XMAX]; set yrange [YMIN:YMAX]; set zrange [Z(ZMIN):Z(ZMAX)]\n"
                   "set view VIEW_DOWN, VIEW_ROUND, 1, 1\nset border 31 lw LW(0.4)\n"
                   "set xyplane at Z(ZMIN)\nset pm3d depthorder lighting "
                   "primary 0.35 specular 0.1\n"
                   "unset colorbox\nset xtics offset 0, -0.3; set ytics offset 0.3, -0.2\n"
                   "set xlabel TW_L.");
    fig_quote(gp, f->x_label ? f->x_label : "", p->page.tex);
    tw_str_add(gp, " rotate parallel offset 0.6, 0.3\nset ylabel TW_L.");
    fig_quote(gp, f->y_label ? f->y_label : "", p->page.tex);
    /* A label longer than its axis slides down along it. */
    tw_str_addf(gp, " rotate parallel offset %.3g, %.3g\nset zlabel TW_L.", -2.4 - 2.0 * over / em,
                0.3 - 0.5 * over / em);
    fig_quote(gp, f->z_label ? f->z_label : "", p->page.tex);
    tw_str_addf(gp, " rotate by 90 offset %.3g, 0\nsplot ", -2.0 * more / em);
    picture(gp, p);
    tw_str_add(gp, " with pm3d");
}

void surface_script(const struct surface_plan *p, struct fig_files *files,
                    const struct tw_figure_opts *opts)
{
    struct tw_str vars = { 0 }, *gp = &files->gp;

    variables(&vars, p);
    fig_head(files, &p->page, opts, "A surface", vars.s ? vars.s : "");
    gp->failed = gp->failed || vars.failed;
    tw_str_release(&vars);
    fig_share(gp, "viridis.gp");
    tw_str_add(gp, "PICTURE = TW_IN.");
    fig_quote_raw(gp, files->stem);
    tw_str_add(gp, ".\".bin\"\nX(inches) = inches / TW_W; Y(inches) = inches / TW_H\n"
                   "Z(z) = LOG ? log10(z) : z\nset tics font TW_KF\nunset key\n"
                   "set cbrange [Z(ZMIN):Z(ZMAX)]\n");
    level_ticks(gp, p, "cb");
    notes(gp, p);
    if (p->f->relief)
        relief(gp, p);
    else
        map(gp, p);
    tw_str_add(gp, "\nunset output\n");
}
