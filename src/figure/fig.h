/* SPDX-License-Identifier: GPL-3.0-or-later */
/* figure/fig.h - what the files of this module share: sizes, text that is safe inside a
 * gnuplot script, thinning, axis ranges and ticks, side files and running gnuplot. */
#ifndef TW_FIGURE_FIG_H
#define TW_FIGURE_FIG_H

#include <locale.h>

#include "thalweg/base.h"
#include "thalweg/figure.h"

/* ---- size.c: page, fonts, margins ------------------------------------------------------ */

/* Everything in inches but `fs`, the size of axis labels in points. */
struct fig_page {
    double w, h; /* h == 0: by content */
    double fs;
    double lw;        /* scales lines and markers: 1 at 8 points */
    char font[128];   /* family */
    const char *term; /* "pdf", "png", "svg", "tex", "eps" */
    bool tex;         /* text is LaTeX's, not gnuplot's enhanced text */
};
enum tw_status fig_page_init(struct fig_page *p, const char *path,
                             const struct tw_figure_opts *opts, struct tw_err *err) TW_CHECKED;
/* Width of n characters of tick and key text, in inches: a guess good to a few per cent. */
double fig_text_width(const struct fig_page *p, size_t n);
/* Margin for a label, ticks and their numbers, which are `wide` em, left of a panel. */
double fig_left_margin(const struct fig_page *p, double wide);
/* Height of a key of so many rows, in inches: TW_LEAD of style.gp sets them this far apart. */
double fig_key_height(const struct fig_page *p, size_t rows);
/* Characters that s takes on the page (UTF-8 counted by code point). */
size_t fig_text_length(const char *s);

/* ---- text.c: text that came from a file or the user, made harmless ----------------------- */

/* s as a single-quoted gnuplot string that prints as s in enhanced text (or in LaTeX). */
void fig_quote(struct tw_str *out, const char *s, bool tex);
/* s as a gnuplot string expression, verbatim: file and font names. */
void fig_quote_raw(struct tw_str *out, const char *s);
/* Each line of s as a comment; no line can swallow the next. */
void fig_comment(struct tw_str *out, const char *s);
/* s without control characters, for a comment on one line. */
void fig_plain(struct tw_str *out, const char *s);
/* A parameter's name as a math symbol in quotes: "alpha" is a Greek letter, "L_0" an
 * indexed one; anything else is printed as it is. */
void fig_symbol(struct tw_str *out, const char *name, bool tex);
/* A file of src/share, compiled in. */
void fig_share(struct tw_str *out, const char *name);

/* ---- select.c: which points to draw ----------------------------------------------------- */

/* One axis of a panel: maps to the unit interval. */
struct fig_axis {
    double lo, hi;
    bool log;
};
double fig_axis_at(const struct fig_axis *a, double x);

/* Marks the rows of a smooth polyline to keep so that no column (ncol arrays of n, NULL
 * allowed) moves by more than tol of the panel; keep[] is (n). Ends are kept. */
enum tw_status fig_keep_line(const struct fig_axis *ax, const struct fig_axis *ay, size_t n,
                             const double *x, const double *const *cols, size_t ncol, double tol,
                             bool *keep) TW_CHECKED;
/* Marks at most about `most` of n scattered points, evenly along the axis, with the spikes
 * that stand out of their neighbourhood and both ends. */
enum tw_status fig_keep_points(const struct fig_axis *ax, size_t n, const double *x,
                               const double *y, size_t most, bool *keep) TW_CHECKED;
/* y at x on a polyline with rising x (n >= 1); NAN outside. */
double fig_interpolate(size_t n, const double *x, const double *y, double at);

/* ---- axis.c: ranges and ticks ------------------------------------------------------------ */

struct fig_range {
    double lo, hi;   /* of the axis */
    double left_out; /* share of the columns with something above hi */
};
/* In go the lowest and highest value of each of n columns of the page (NAN: empty column);
 * out comes a range that shows all that is drawn in nearly all columns: a steep start or a
 * spike that would squash the rest is cut. `must` (nmust) values are always inside. Sorts
 * low and high. */
struct fig_range fig_robust_range(double *low, double *high, size_t n, const double *must,
                                  size_t nmust, bool log);
/* Makes the axis one that can be drawn: a log axis ends at 1e-100 and 1e100. TW_EINVAL where
 * nothing is left of it, or a linear one is too short, or its numbers are too large or too small;
 * `label` (NULL: "y") names it. */
enum tw_status fig_axis_fit(struct fig_axis *a, const char *label, struct tw_err *err) TW_CHECKED;
/* Significant digits, at least so many, that tell the ends of the axis apart. */
int fig_digits(const struct fig_axis *a, int least);
/* Ticks at multiples of a 1-2-5 step, about `want` of them, `least` if it can be. */
struct fig_ticks {
    double step;
    int minor;    /* intervals between two ticks */
    int decimals; /* of their labels */
};
struct fig_ticks fig_ticks(double lo, double hi, double want, int least);
/* 1, 1e3, 1e6 or 1e9, and " (thousands)" etc., to print a linear axis in few digits. */
double fig_unit(double largest, const char **name);
/* The script's lines for the ticks of axis 'x' or 'y', whose numbers are those of *a over
 * unit; `length` and what one label needs, `room`, are in inches. */
void fig_set_ticks(struct tw_str *gp, char axis, const struct fig_axis *a, double unit,
                   double length, double room, const struct fig_page *page);
/* A power of ten that leaves two or three digits before and after the point: 1 if there is
 * no need; for log scales too. Appends " (10^e)" to *label, in its markup. */
double fig_power(double largest, struct tw_str *label, bool tex);
/* Width of the widest label of such ticks of a vertical axis, in em. */
double fig_tick_width(const struct fig_axis *a, double want);

/* ---- side.c: the script, the data, the picture ------------------------------------------- */

struct fig_files {
    char *dir;  /* "." or the folder of the figure */
    char *stem; /* NAME */
    struct tw_str gp, dat;
    struct tw_str bin; /* NAME.bin, if it is not empty: numbers that gnuplot reads as they are */
};
enum { FIG_SEAL = 118 }; /* bytes of the line before them */
enum tw_status fig_files_init(struct fig_files *f, const char *path, struct tw_err *err) TW_CHECKED;
void fig_files_release(struct fig_files *f);
/* Starts the script: provenance, option variables, `vars` (more of them), the house style. */
void fig_head(struct fig_files *f, const struct fig_page *p, const struct tw_figure_opts *opts,
              const char *what, const char *vars);
/* Writes NAME.gp and NAME.dat, then makes the picture beside them and moves it into place. */
enum tw_status fig_make(struct fig_files *f, const struct fig_page *p, const char *path,
                        const struct tw_figure_opts *opts, struct tw_err *err) TW_CHECKED;

/* ---- process.c: the only place that starts gnuplot --------------------------------------- */

/* Runs a program found on PATH in folder dir (NULL: here); what it writes to stdout and
 * stderr goes to *out and *log (NULL: to this process's own). TW_EIO if it cannot be started
 * or fails; `log` then ends with its message. */
enum tw_status fig_run(const char *const *argv, const char *dir, struct tw_str *out,
                       struct tw_str *log, struct tw_err *err) TW_CHECKED;

/* Numbers are written and read with a decimal point whatever the caller's locale is. */
struct fig_locale {
    locale_t c, old;
};
void fig_locale_enter(struct fig_locale *l);
void fig_locale_leave(struct fig_locale *l);

#endif
