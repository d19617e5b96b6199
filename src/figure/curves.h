/* SPDX-License-Identifier: GPL-3.0-or-later */
/* figure/curves.h - a figure of loss curves between its three steps: plan (ranges, what to
 * draw, where the key goes), data block, script. */
#ifndef TW_FIGURE_CURVES_H
#define TW_FIGURE_CURVES_H

#include "fig.h"

enum curve_role { ROLE_FITTED, ROLE_HELD_OUT, ROLE_FORECAST, NROLES };

struct curve_plan {
    enum curve_role role;
    bool *points, *line, *rate; /* which rows to draw: (n), (m), (k) */
    double *residual;           /* (n) per cent of the law; NULL if there is no law */
    double border;              /* law is solid up to here, dashed beyond */
    bool marked;                /* a vertical line shows the border */
    char label[96];             /* its name, shortened to fit the key */
};

struct key_plan {
    double w, h; /* its box, inches */
    double x, y; /* top left corner, inches from the top left of the panel */
    size_t rows, cols;
    bool above; /* it found no room inside the panel */
};

struct curves_plan {
    const struct tw_figure_curves *f;
    struct fig_page page;
    struct curve_plan *c; /* (f->n) */
    struct fig_axis x, y, residual, rate;
    double x_unit, rate_unit;
    const char *x_unit_name;
    double left_out;    /* share of the values above the y range */
    bool roles[NROLES]; /* some curve has it */
    bool beyond;        /* some law goes past its border */
    bool band95, band68;
    bool show_residual, show_rate;
    size_t residuals, residuals_beyond; /* points that have one; those past the panel's edge */
    bool by_content;                    /* nobody asked for a height */
    /* Inches. Panels from the top: loss, residuals, rates. */
    double left, right, top, bottom, low, gap;
    struct key_plan key;
};

enum tw_status curves_plan_init(struct curves_plan *p, const struct tw_figure_curves *f,
                                struct tw_err *err) TW_CHECKED;
void curves_plan_release(struct curves_plan *p);

/* Height of the loss panel and width of all, in inches. */
double curves_panel_height(const struct curves_plan *p);
double curves_panel_width(const struct curves_plan *p);
/* Finds the key's place; may widen the y range or the top margin for it. */
enum tw_status curves_place_key(struct curves_plan *p, struct tw_err *err) TW_CHECKED;

/* The entries of the key: text, and what a script writes before `title`. Returns their
 * number; `use` may be NULL. */
typedef void key_entry_fn(void *ctx, const char *label, const char *with, size_t curve);
size_t curves_key_entries(const struct curves_plan *p, key_entry_fn *use, void *ctx);

void curves_data(const struct curves_plan *p, struct tw_str *dat);
void curves_script(const struct curves_plan *p, struct fig_files *files,
                   const struct tw_figure_opts *opts);

#endif
