/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/figure.h - paper-ready figures with gnuplot.
 *
 * A figure NAME.pdf comes with NAME.gp and NAME.dat: a short script with its options as
 * variables at the top, the house style in it, and the numbers. `gnuplot NAME.gp` makes the
 * same figure again, anywhere, so a user restyles by editing it; ~/.config/thalweg/style.gp
 * is loaded last if it exists. A figure is made at its final size in a paper. A NAME.gp that
 * was edited since is kept as NAME.gp.~1~, ~2~, ...; a NAME.gp or NAME.dat that is not a figure's
 * is never overwritten. Text may be anything: it is drawn as it is and cannot run. */
#ifndef TW_FIGURE_H
#define TW_FIGURE_H

#include "thalweg/base.h"

/* Sizes in inches, font sizes in points: text widths and fonts of venues' style files. */
struct tw_venue {
    const char *name, *title;
    double full, half; /* text width, column (or two side by side) */
    const char *font;  /* "serif" (like Times), "sans" (like Helvetica), or a family */
    double label_size; /* axis labels; ticks and key are one point smaller */
};
extern const struct tw_venue tw_venues[]; /* ends with name NULL; the first is the default */
const struct tw_venue *tw_venue_find(const char *name); /* NULL if unknown */

struct tw_figure_opts {
    const char *venue;   /* NULL: default */
    const char *width;   /* "full", "half" or inches; NULL: "half" */
    double height;       /* inches; 0: by content */
    const char *font;    /* "serif", "sans" or a family; NULL: the venue's */
    const char *format;  /* "pdf", "png", "svg", "tex", "eps"; NULL: by the path's suffix */
    const char *command; /* provenance for the comment at the head of the script */
    const char *inputs;  /* "path sha256" lines for the same; may be NULL */
    /* Told of a side file that was edited by hand: it is at `as` now. May be NULL. */
    void (*kept)(void *ctx, const char *path, const char *as);
    void *kept_ctx;
};

/* A loss curve as measured, and the law's line and band over every step. Every x rises.
 * Long curves are thinned for drawing; NAN and infinite values leave gaps. */
struct tw_figure_curve {
    const char *name;
    const char *role; /* "fitted", "held out", "forecast": the look depends on it */
    size_t n;
    const double *x, *y; /* (n) measured; n == 0: none */
    size_t m;
    const double *line_x, *line;             /* (m) the law; m == 0: none */
    const double *lo95, *hi95, *lo68, *hi68; /* (m) NULL: no band */
    size_t k;
    const double *lr_x, *lr; /* (k) learning rate; k == 0: none */
    double fitted_to;        /* last x that took part in a fit; NAN: none. Beyond it the line
                                is dashed and the border is marked */
};
struct tw_figure_curves {
    const char *x_label, *y_label; /* "training step", "loss" */
    size_t n;
    const struct tw_figure_curve *curves;
    bool show_lr;        /* a low panel with the learning rates */
    bool show_residuals; /* a low panel with (measured - law) / law in per cent; points beyond
                            its edge are marked there and counted */
    bool log_x, log_y;
};
/* The y range shows the ends of all curves and nearly all of the rest: a steep start or a
 * spike that would squash the figure runs off it, and the script says so. Writes path, and
 * NAME.gp and NAME.dat beside it. TW_EINVAL: no such venue, width, format. TW_EIO: cannot be
 * written, gnuplot is missing or fails (its own last message is passed on; the side files stay). */
enum tw_status tw_figure_curves(const char *path, const struct tw_figure_curves *f,
                                const struct tw_figure_opts *opts, struct tw_err *err) TW_CHECKED;

/* Profiles of the objective: one panel per parameter, objective minus its minimum against the
 * parameter, the interval's threshold as a line. */
struct tw_figure_profile {
    const char *name; /* "alpha", "lambda": Greek names are drawn as Greek letters */
    size_t n;
    const double *x, *rise;         /* (n) */
    double best, lo, hi, threshold; /* NAN: not drawn */
    bool log_distance_to_one;       /* draw 1 - x on a log axis (for lambda) */
};
enum tw_status tw_figure_profiles(const char *path, const struct tw_figure_profile *p, size_t n,
                                  const struct tw_figure_opts *opts, struct tw_err *err) TW_CHECKED;

/* One panel made of layers, drawn in their order: what the laws of runs are shown with. */
enum tw_figure_mark {
    TW_FIGURE_LINE,
    TW_FIGURE_BAND,   /* between y and y2 */
    TW_FIGURE_POINTS, /* with thin bars from y2 to y3 if these are given */
    TW_FIGURE_ARROW,  /* from y up or down by y2, with heads at both ends */
};
struct tw_figure_layer {
    enum tw_figure_mark mark;
    const char *name; /* in the key; NULL: not there */
    const char *end;  /* text at the right border, as high as a line's last point; NULL: none */
    size_t n;
    const double *x, *y, *y2, *y3; /* (n); NAN leaves a gap */
    int colour;                    /* 0, 1, ...; below 0: grey */
    bool dashed, thin; /* thin points are open and larger: seen where they lie on others */
    int shape;         /* of points: 0 circle, 1 square, 2 triangle, 3 diamond */
};
struct tw_figure_plane {
    const char *x_label, *y_label;
    bool log_x, log_y;
    bool whole_y;                  /* y counts: ticks at whole numbers alone */
    double x_lo, x_hi, y_lo, y_hi; /* NAN: by content */
    bool square;                   /* the panel is as high as it is wide */
    bool equal;                    /* one unit is as long on both axes (linear ones) */
    const char *title; /* what the script says that it draws; NULL: runs and their law */
    double weight;     /* height in a stack, against the others'; 0: 1 */
    size_t n;
    const struct tw_figure_layer *layers;
};
/* As tw_figure_curves; TW_EINVAL too if no layer has a point that can be drawn. */
enum tw_status tw_figure_plane(const char *path, const struct tw_figure_plane *f,
                               const struct tw_figure_opts *opts, struct tw_err *err) TW_CHECKED;

struct tw_figure_path {
    const char *name; /* in the key above the figure */
    size_t n;
    const double *x, *y; /* (n); NAN leaves a gap */
};

/* A quantity over a plane: colours with lines of equal height, or a surface seen from above. */
struct tw_figure_surface {
    const char *x_label, *y_label, *z_label;
    size_t nx, ny;       /* at least 2 each */
    const double *x, *y; /* rising, evenly spaced */
    const double *z;     /* (ny, nx); what is not finite is grey, and says so */
    bool equal;          /* x and y have one unit: the same scale for both */
    bool relief;         /* seen from above */
    /* Places in the plane, with names (NULL: none). `path`: they are joined, the first one is an
     * open circle, the last one a star. */
    size_t nmark;
    const double *mark_x, *mark_y;
    const char *const *mark;
    bool path;
    /* Ways through the plane (not in a relief), each in a colour, dashes and marks of its own, from
     * an open circle to a star. */
    size_t npath;
    const struct tw_figure_path *paths;
    const double *chord; /* x, y, x, y: two places that a dashed line joins; may be NULL */
    const char *note;    /* small, below the figure; may be NULL */
};
/* As tw_figure_curves; TW_EINVAL too if nothing is finite. Colours are logarithmic if all values
 * are above zero and the largest is more than 30 times the smallest. A third side file, NAME.bin,
 * has the picture: bicubic interpolation between the points; lines of equal height are those of the
 * points themselves. */
enum tw_status tw_figure_surface(const char *path, const struct tw_figure_surface *f,
                                 const struct tw_figure_opts *opts, struct tw_err *err) TW_CHECKED;

/* Up to four such panels, one below the other over the horizontal axis of the first, which has the
 * key. */
enum tw_status tw_figure_stack(const char *path, size_t n, const struct tw_figure_plane *f,
                               const struct tw_figure_opts *opts, struct tw_err *err) TW_CHECKED;

/* Bars that lie, one a name, from the first one down; marks beside them (values that belong to the
 * same name). */
struct tw_figure_series {
    const char *name;    /* in the key; NULL: not there */
    const double *value; /* (n); NAN: none */
    bool bars;           /* else marks */
};
struct tw_figure_bars {
    const char *x_label, *title;
    size_t n;
    const char *const *name;
    size_t nseries; /* at most 4; bars come first */
    const struct tw_figure_series *series;
};
enum tw_status tw_figure_bars(const char *path, const struct tw_figure_bars *f,
                              const struct tw_figure_opts *opts, struct tw_err *err) TW_CHECKED;

/* Values as shades, dark where large, with the numbers where there is room. Rows from the top down.
 * NAN: empty. In a square (ncol 0) columns have the names of the rows, and lines part groups:
 * group[i] differs from group[i - 1]. */
struct tw_figure_matrix {
    const char *label, *title;     /* of the scale */
    const char *x_label, *y_label; /* NULL: none */
    size_t n, ncol;
    const char *const *name, *const *col_name;
    const double *value; /* (n, ncol) */
    const size_t *group; /* (n) or NULL; of a square */
};
enum tw_status tw_figure_matrix(const char *path, const struct tw_figure_matrix *f,
                                const struct tw_figure_opts *opts, struct tw_err *err) TW_CHECKED;

/* Would a figure of this name be drawn with these options? TW_EINVAL as above, TW_EIO if its folder
 * is not there or not to be written: to be asked before a long computation. */
enum tw_status tw_figure_check(const char *path, const struct tw_figure_opts *opts,
                               struct tw_err *err) TW_CHECKED;

/* gnuplot's version and the terminals it has, as one line each; for `thalweg doctor`.
 * Strings are the caller's to release. TW_EIO if gnuplot cannot be run. */
enum tw_status tw_figure_doctor(struct tw_str *version, struct tw_str *terminals,
                                struct tw_err *err) TW_CHECKED;

/* Draw NAME.gp once more to the terminal on standard output: kitty's or iTerm2's pictures
 * where TERM says so, sixel if the terminal answers that it can, else characters. Only when stdout
 * is a terminal; TW_EINVAL otherwise. */
enum tw_status tw_figure_show(const char *path, struct tw_err *err) TW_CHECKED;

#endif
