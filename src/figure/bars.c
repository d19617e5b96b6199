/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Bars that lie, with marks beside them, and squares of shades: figures whose axes are names. */
#include <math.h>

#include "fig.h"

static const char *const bright[] = { "#4477AA", "#EE6677", "#228833", "#AA3377" };

struct frame {
    struct fig_page page;
    double left, right, top, bottom; /* margins, inches */
};

static double widest(const struct fig_page *page, size_t n, const char *const *name)
{
    size_t longest = 1;

    for (size_t i = 0; i < n; i++)
        longest = fig_text_length(name[i]) > longest ? fig_text_length(name[i]) : longest;
    return fig_text_width(page, longest);
}

/* "set ytics ('a' 0, 'b' 1)": names are the tics of an axis. */
static void name_ticks(struct tw_str *gp, char axis, size_t n, const char *const *name, bool tex)
{
    tw_str_addf(gp, "unset m%ctics; set format %c \"%%g\"; set %ctics %sscale 0 (", axis, axis,
                axis, axis == 'x' ? "rotate by 90 right offset 0, 0 " : "");
    for (size_t i = 0; i < n; i++) {
        tw_str_add(gp, i ? ", " : "");
        fig_quote(gp, name[i], tex);
        tw_str_addf(gp, " %zu", i);
    }
    tw_str_add(gp, ")\n");
}

static void margins(struct tw_str *gp, const struct frame *f)
{
    tw_str_addf(gp,
                "X(inches) = inches / TW_W; Y(inches) = inches / TW_H\nset tics font TW_KF\n"
                "set lmargin at screen X(%.4g); set rmargin at screen 1 - X(%.4g)\n"
                "set bmargin at screen Y(%.4g); set tmargin at screen 1 - Y(%.4g)\n",
                f->left, f->right, f->bottom, f->top);
}

/* ---- bars --------------------------------------------------------------------------------------
 */

static struct fig_axis bar_range(const struct tw_figure_bars *b)
{
    struct fig_axis a = { 0.0, 0.0, false };

    for (size_t s = 0; s < b->nseries; s++)
        for (size_t i = 0; i < b->n; i++)
            if (isfinite(b->series[s].value[i])) {
                a.lo = fmin(a.lo, b->series[s].value[i]);
                a.hi = fmax(a.hi, b->series[s].value[i]);
            }
    if (!(a.hi > a.lo))
        a.hi = a.lo + 1.0;
    a.hi += 0.04 * (a.hi - a.lo);
    a.lo -= a.lo < 0.0 ? 0.04 * (a.hi - a.lo) : 0.0;
    return a;
}

static void bar_data(const struct tw_figure_bars *b, struct tw_str *dat)
{
    tw_str_add(dat, "# One block a series: place, value; names are in the script.\n");
    for (size_t s = 0; s < b->nseries; s++) {
        tw_str_addf(dat, "\n\n# series %zu: ", s + 1);
        fig_plain(dat, b->series[s].name ? b->series[s].name : "");
        tw_str_add(dat, "\n");
        for (size_t i = 0; i < b->n; i++)
            if (isfinite(b->series[s].value[i]))
                tw_str_addf(dat, "%zu %.10g\n", i, b->series[s].value[i]);
    }
}

static void bar_script(const struct tw_figure_bars *b, const struct frame *f, size_t rows,
                       struct fig_files *files, const struct tw_figure_opts *opts)
{
    static const int mark[] = { 7, 6, 4, 2 };
    const struct fig_axis x = bar_range(b);
    const double em = f->page.fs / 72.0;
    struct tw_str *gp = &files->gp;

    fig_head(files, &f->page, opts, b->title ? b->title : "Bars", "");
    margins(gp, f);
    fig_set_ticks(gp, 'x', &x, 1.0, f->page.w - f->left - f->right, 0.45 * f->page.fs / 8.0,
                  &f->page);
    name_ticks(gp, 'y', b->n, b->name, f->page.tex);
    tw_str_addf(gp, "set xrange [%.8g:%.8g]; set yrange [%.8g:-0.6]\nset label 1 TW_L.", x.lo, x.hi,
                (double)b->n - 0.4);
    fig_quote(gp, b->x_label ? b->x_label : "", f->page.tex);
    tw_str_addf(gp, " at graph 0.5, screen Y(%.4g) center\n", 0.68 * em);
    if (x.lo < 0.0)
        tw_str_add(gp, "set arrow 1 from 0, graph 0 to 0, graph 1 nohead lw LW(0.5) lc rgb C0\n");
    tw_str_addf(
        gp,
        rows ? "set key Left reverse samplen 1.2 spacing TW_LEAD nobox font TW_KF maxrows %zu "
               "center top at graph 0.5, screen 1 - Y(0.03)\n"
             : "unset key # %zu\n",
        rows);
    for (size_t s = 0; s < b->nseries; s++) {
        tw_str_addf(gp, "%sDATA index \"series %zu:\" using ", s ? ", \\\n    " : "plot ", s + 1);
        if (b->series[s].bars)
            tw_str_addf(gp,
                        "($2/2):1:($2/2):(0.32) with boxxyerror fs solid 0.75 noborder lc rgb "
                        "\"%s\"",
                        bright[s % 4]);
        else
            tw_str_addf(gp, "2:1 with points pt %d ps 0.5 * TW_LW lw LW(0.8) lc rgb \"%s\"",
                        mark[s % 4], bright[s % 4]);
        if (b->series[s].name) {
            tw_str_add(gp, " title ");
            fig_quote(gp, b->series[s].name, f->page.tex);
        } else {
            tw_str_add(gp, " notitle");
        }
    }
    tw_str_add(gp, "\nunset output\n");
}

enum tw_status tw_figure_bars(const char *path, const struct tw_figure_bars *b,
                              const struct tw_figure_opts *opts, struct tw_err *err)
{
    struct fig_files files = { 0 };
    struct fig_locale locale;
    struct frame f = { 0 };
    enum tw_status st;
    size_t rows = 0;

    if (b->n == 0 || b->nseries == 0 || b->nseries > 4)
        return tw_err_set(err, TW_EINVAL, "bars of nothing");
    fig_locale_enter(&locale);
    st = fig_page_init(&f.page, path, opts, err);
    if (st == TW_OK)
        st = fig_files_init(&files, path, err);
    if (st == TW_OK) {
        const double em = f.page.fs / 72.0;

        for (size_t s = 0; s < b->nseries; s++)
            rows += b->series[s].name && b->nseries > 1;
        rows = (rows + 1) / 2;
        f.left = fmin(widest(&f.page, b->n, b->name) + 0.7 * em, 0.6 * f.page.w);
        f.right = 0.15 * f.page.fs / 8.0;
        f.top = 0.09 * f.page.fs / 8.0 + fig_key_height(&f.page, rows);
        f.bottom = 2.85 * em;
        if (f.page.h == 0.0)
            f.page.h = f.top + f.bottom + fmax(1.7 * em * (double)b->n, 6.0 * em);
        bar_data(b, &files.dat);
        bar_script(b, &f, rows, &files, opts);
        st = fig_make(&files, &f.page, path, opts, err);
    }
    fig_files_release(&files);
    fig_locale_leave(&locale);
    return st;
}

/* ---- matrices ----------------------------------------------------------------------------------
 */

static size_t columns_of(const struct tw_figure_matrix *m)
{
    return m->ncol ? m->ncol : m->n;
}

static void matrix_numbers(const struct tw_figure_matrix *m, double lo, double hi, double cell,
                           const struct fig_page *page, struct tw_str *gp)
{
    if (fig_text_width(page, 4) > 0.95 * cell)
        return;
    for (size_t i = 0; i < m->n; i++)
        for (size_t j = 0; j < columns_of(m); j++) {
            const double x = m->value[i * columns_of(m) + j];

            if (isfinite(x))
                tw_str_addf(gp,
                            "set label \"%.*f\" at %zu, %zu center front font TW_KF tc rgb "
                            "\"%s\"\n",
                            hi < 0.0995       ? 3
                            : fabs(x) < 0.995 ? 2
                            : fabs(x) < 9.95  ? 1
                                              : 0,
                            x, j, i, x > 0.5 * (lo + hi) ? "white" : "black");
        }
}

static void matrix_labels(const struct tw_figure_matrix *m, const struct frame *f,
                          struct tw_str *gp)
{
    const double em = f->page.fs / 72.0;

    if (m->x_label) {
        tw_str_add(gp, "set label TW_L.");
        fig_quote(gp, m->x_label, f->page.tex);
        tw_str_addf(gp, " at graph 0.5, screen Y(%.4g) center\n", 0.68 * em);
    }
    if (m->y_label) {
        tw_str_add(gp, "set label TW_L.");
        fig_quote(gp, m->y_label, f->page.tex);
        tw_str_addf(gp, " at screen X(%.4g), graph 0.5 center rotate by 90\n", 0.75 * em);
    }
}

static void matrix_script(const struct tw_figure_matrix *m, const struct frame *f,
                          struct fig_files *files, const struct tw_figure_opts *opts)
{
    const double em = f->page.fs / 72.0, ncol = (double)columns_of(m),
                 cell = (f->page.w - f->left - f->right) / ncol;
    struct tw_str *gp = &files->gp;
    double lo = 0.0, hi = 0.0;

    for (size_t i = 0; i < m->n * columns_of(m); i++)
        if (isfinite(m->value[i])) {
            lo = fmin(lo, m->value[i]);
            hi = fmax(hi, m->value[i]);
        }
    if (!(hi > lo))
        hi = lo + 1.0;
    fig_head(files, &f->page, opts, m->title ? m->title : "A matrix",
             "# Shades from light to dark, in print too.\n");
    margins(gp, f);
    name_ticks(gp, 'y', m->n, m->name, f->page.tex);
    name_ticks(gp, 'x', columns_of(m), m->ncol ? m->col_name : m->name, f->page.tex);
    matrix_labels(m, f, gp);
    tw_str_addf(gp,
                "set xrange [-0.5:%.6g]; set yrange [%.6g:-0.5]; unset key\n"
                "set palette defined (0 \"#FFFFFF\", 0.25 \"#C6DBEF\", 0.5 \"#6BAED6\", 0.75 "
                "\"#2171B5\", 1 \"#08306B\")\nset cbrange [%.8g:%.8g]\n"
                "set colorbox user origin screen 1 - X(%.4g), screen Y(%.4g) size screen X(%.4g), "
                "screen 1 - Y(%.4g)\nset cbtics font TW_KF scale 0.5\nset label TW_L.",
                ncol - 0.5, (double)m->n - 0.5, lo, hi, f->right - 0.08, f->bottom, 0.8 * em,
                f->top + f->bottom);
    fig_quote(gp, m->label ? m->label : "", f->page.tex);
    tw_str_addf(gp,
                " at screen 1 - X(%.4g), graph 0.5 center rotate by 90\n"
                "set border 15 lw LW(0.5)\n",
                0.6 * em);
    for (size_t i = 1; m->group && !m->ncol && i < m->n; i++)
        if (m->group[i] != m->group[i - 1])
            tw_str_addf(gp,
                        "set arrow from %.6g, graph 0 to %.6g, graph 1 nohead front lw LW(1.2) lc "
                        "rgb \"black\"\nset arrow from graph 0, first %.6g to graph 1, first %.6g "
                        "nohead front lw LW(1.2) lc rgb \"black\"\n",
                        (double)i - 0.5, (double)i - 0.5, (double)i - 0.5, (double)i - 0.5);
    matrix_numbers(m, lo, hi, cell, &f->page, gp);
    tw_str_add(gp,
               "plot DATA using 2:1:(0.5):(0.5):3 with boxxyerror fs solid noborder lc palette\n"
               "unset output\n");
}

enum tw_status tw_figure_matrix(const char *path, const struct tw_figure_matrix *m,
                                const struct tw_figure_opts *opts, struct tw_err *err)
{
    struct fig_files files = { 0 };
    struct fig_locale locale;
    struct frame f = { 0 };
    enum tw_status st;

    if (m->n < 2)
        return tw_err_set(err, TW_EINVAL, "a matrix of less than two rows");
    fig_locale_enter(&locale);
    st = fig_page_init(&f.page, path, opts, err);
    if (st == TW_OK)
        st = fig_files_init(&files, path, err);
    if (st == TW_OK) {
        const double em = f.page.fs / 72.0;
        const char *const *below = m->ncol ? m->col_name : m->name;

        f.left = fmin(widest(&f.page, m->n, m->name) + 0.7 * em, 0.4 * f.page.w) +
                 (m->y_label ? 1.3 * em : 0.0);
        f.bottom = fmin(widest(&f.page, columns_of(m), below) + 0.7 * em, 0.4 * f.page.w) +
                   (m->x_label ? 1.5 * em : 0.0);
        f.right = (m->label ? 5.8 : 4.6) * em;
        f.top = 0.1 * f.page.fs / 8.0;
        if (f.page.h == 0.0)
            f.page.h =
                (f.page.w - f.left - f.right) * fmin(1.0, (double)m->n / (double)columns_of(m)) +
                f.top + f.bottom;
        tw_str_add(&files.dat, "# row column value\n");
        for (size_t i = 0; i < m->n * columns_of(m); i++) {
            const double x = m->value[i];

            if (isfinite(x))
                tw_str_addf(&files.dat, "%zu %zu %.10g\n", i / columns_of(m), i % columns_of(m), x);
            else
                tw_str_addf(&files.dat, "%zu %zu NaN\n", i / columns_of(m), i % columns_of(m));
        }
        matrix_script(m, &f, &files, opts);
        st = fig_make(&files, &f.page, path, opts, err);
    }
    fig_files_release(&files);
    fig_locale_leave(&locale);
    return st;
}
