/* SPDX-License-Identifier: GPL-3.0-or-later */
/* NAME.dat: one block per curve and kind, found by name ("law 3:"), columns named. */
#include "curves.h"

#include <math.h>
#include <string.h>

enum { KEEP_ALL = 4000 }; /* measured points of a curve that go into the file, drawn or not */

static void number(struct tw_str *out, double x, const char *end)
{
    if (isfinite(x))
        tw_str_addf(out, "%.17g%s", x, end);
    else
        tw_str_addf(out, "NaN%s", end);
}

static void head(struct tw_str *dat, const char *kind, size_t i, const struct tw_figure_curve *c,
                 const char *columns)
{
    tw_str_addf(dat, "\n\n# %s %zu: ", kind, i + 1);
    fig_plain(dat, c->name ? c->name : "");
    tw_str_addf(dat, " (");
    fig_plain(dat, c->role ? c->role : "fitted");
    tw_str_addf(dat, ")\n# %s\n", columns);
}

static void measured(const struct curves_plan *p, size_t i, struct tw_str *dat)
{
    const struct tw_figure_curve *c = &p->f->curves[i];

    head(dat, "measured", i, c, "x measured residual_percent drawn");
    for (size_t j = 0; j < c->n; j++) {
        if (!p->c[i].points[j] && c->n > KEEP_ALL)
            continue;
        number(dat, c->x[j], " ");
        number(dat, c->y[j], " ");
        number(dat, p->c[i].residual ? p->c[i].residual[j] : nan(""), " ");
        tw_str_addf(dat, "%d\n", p->c[i].points[j]);
    }
}

static void law_row(struct tw_str *dat, const struct tw_figure_curve *c, double x)
{
    const double *const cols[] = { c->line, c->lo95, c->hi95, c->lo68, c->hi68 };

    number(dat, x, "");
    for (size_t k = 0; k < 5; k++) {
        tw_str_add(dat, " ");
        number(dat, cols[k] ? fig_interpolate(c->m, c->line_x, cols[k], x) : nan(""), "");
    }
    tw_str_add(dat, "\n");
}

static void law(const struct curves_plan *p, size_t i, struct tw_str *dat)
{
    const struct tw_figure_curve *c = &p->f->curves[i];
    double border = p->c[i].border, last = nan("");

    head(dat, "law", i, c, "x law lo95 hi95 lo68 hi68");
    for (size_t j = 0; j < c->m; j++) {
        if (!p->c[i].line[j])
            continue;
        /* The solid and the dashed part meet in a row of their own. */
        if (last < border && border < c->line_x[j])
            law_row(dat, c, border);
        law_row(dat, c, c->line_x[j]);
        last = c->line_x[j];
    }
}

static void rate(const struct curves_plan *p, size_t i, struct tw_str *dat)
{
    const struct tw_figure_curve *c = &p->f->curves[i];

    head(dat, "rate", i, c, "x learning_rate");
    for (size_t j = 0; j < c->k; j++)
        if (p->c[i].rate[j]) {
            number(dat, c->lr_x[j], " ");
            number(dat, c->lr[j], "\n");
        }
}

void curves_data(const struct curves_plan *p, struct tw_str *dat)
{
    tw_str_add(dat, "# Curves of a figure. Blocks are parted by two blank lines; the script finds "
                    "them by name.\n# drawn: 1 for the points that the figure shows.\n");
    for (size_t i = 0; i < p->f->n; i++) {
        const struct tw_figure_curve *c = &p->f->curves[i];

        if (c->n)
            measured(p, i, dat);
        if (c->m)
            law(p, i, dat);
        if (p->show_rate && c->k)
            rate(p, i, dat);
    }
}
