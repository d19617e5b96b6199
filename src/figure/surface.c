/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A figure of a surface: colours and lines of equal height, or a relief. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "surface.h"

/* ---- levels ---------------------------------------------------------------------------------- */

/* 1, 2, 5 of each decade, only 1 and 3 or 1 if these are too many. */
static void log_levels(struct surface_plan *p)
{
    static const double steps[3][3] = { { 1.0, 2.0, 5.0 }, { 1.0, 3.0, 0.0 }, { 1.0, 0.0, 0.0 } };

    for (int s = 0; s < 3; s++) {
        p->nlevel = 0;
        for (int e = (int)floor(log10(p->lo)); e <= (int)ceil(log10(p->hi)); e++)
            for (int k = 0; k < 3 && steps[s][k] > 0.0; k++) {
                const double v = steps[s][k] * pow(10.0, e);

                if (v > p->lo && v < p->hi && p->nlevel < SURFACE_LEVELS)
                    p->level[p->nlevel++] = v;
            }
        if (p->nlevel <= 9)
            return;
    }
}

static void even_levels(struct surface_plan *p)
{
    const struct fig_ticks t = fig_ticks(p->lo, p->hi, 7.0, 3);

    for (double k = ceil(p->lo / t.step); k * t.step <= p->hi; k += 1.0)
        if (p->nlevel < SURFACE_LEVELS)
            p->level[p->nlevel++] = k * t.step;
}

static enum tw_status survey(struct surface_plan *p, struct tw_err *err)
{
    p->lo = HUGE_VAL;
    p->hi = -HUGE_VAL;
    for (size_t i = 0; i < p->f->nx * p->f->ny; i++)
        if (isfinite(p->f->z[i])) {
            p->lo = fmin(p->lo, p->f->z[i]);
            p->hi = fmax(p->hi, p->f->z[i]);
        } else {
            p->missing++;
        }
    if (!(p->lo <= p->hi))
        return tw_err_set(err, TW_EINVAL, "nothing to draw: no point of the surface is finite");
    p->log = p->lo > 0.0 && p->hi > 30.0 * p->lo;
    if (p->hi == p->lo)
        p->hi += fmax(1e-9, 1e-6 * fabs(p->lo));
    if (!p->log && fig_axis_fit(&(struct fig_axis){ p->lo, p->hi, false },
                                p->f->z_label ? p->f->z_label : "z", err) != TW_OK)
        return TW_EINVAL;
    if (p->log)
        log_levels(p);
    else
        even_levels(p);
    return TW_OK;
}

/* ---- layout ---------------------------------------------------------------------------------- */

/* The note in lines as wide as the page; a newline ends one too. */
static void wrap_note(struct surface_plan *p)
{
    const double wide = 0.48 * (p->page.fs - 1.0) / 72.0; /* of Helvetica's letters too */
    const size_t most = (size_t)((p->page.w - 0.1) / wide);
    const char *s = p->f->note ? p->f->note : "";

    while (*s && p->nnote < SURFACE_NOTES) {
        size_t n = 0, used = 0, last = 0;

        for (; s[n] && s[n] != '\n' && used <= most && n < sizeof p->note[0] - 1; n++) {
            used += ((unsigned char)s[n] & 0xC0) != 0x80;
            last = s[n] == ' ' && s[n + 1] != '%' ? n : last;
        }
        if (s[n] && s[n] != '\n' && last)
            n = last;
        memcpy(p->note[p->nnote], s, n);
        p->note[p->nnote++][n] = '\0';
        s += n + (s[n] == ' ' || s[n] == '\n');
    }
}

/* Characters of the widest tick of the colours. */
static void level_width(struct surface_plan *p)
{
    size_t most = 1;

    for (size_t i = 0; i < p->nlevel; i++) {
        char text[40];
        const size_t n = (size_t)snprintf(text, sizeof text, "%.4g", p->level[i]);

        most = n > most ? n : most;
    }
    p->level_width = (double)most;
}

/* Columns as wide as the longest name, as many as there is room for. */
static double key_height(struct surface_plan *p, double tick)
{
    const size_t n = p->f->npath;
    size_t longest = 0, rows;
    double room;

    for (size_t k = 0; k < n; k++) {
        const size_t length = strlen(p->f->paths[k].name);

        longest = length > longest ? length : longest;
    }
    room = (p->page.w - p->left - p->right) / ((0.5 * (double)longest + 3.5) * tick);
    p->columns = room >= 2.0 ? (size_t)fmin(room, (double)n) : 1;
    rows = (n + p->columns - 1) / p->columns;
    return tick * (0.35 + 0.95 * (double)rows);
}

static void lay_out(struct surface_plan *p)
{
    const struct tw_figure_surface *f = p->f;
    const double em = p->page.fs / 72.0, tick = (p->page.fs - 1.0) / 72.0;
    const double notes = p->nnote ? (1.2 * (double)p->nnote + 0.3) * tick : 0.0;
    const struct fig_axis y = { f->y[0], f->y[f->ny - 1], false };
    const double shape = f->equal ? (f->y[f->ny - 1] - f->y[0]) / (f->x[f->nx - 1] - f->x[0]) : 1.0;
    const bool given = p->page.h > 0.0;
    double w, h;

    p->left = fig_left_margin(&p->page, fig_tick_width(&y, 8.0));
    p->label = p->left - 0.75 * em;
    p->right = 1.5 * em + (0.5 * p->level_width + 2.2) * tick;
    p->bottom = 2.85 * em + notes;
    p->top = 0.1 * p->page.fs / 8.0;
    if (f->npath && !f->relief)
        p->top += key_height(p, tick);
    if (f->relief) {
        p->bottom = notes;
        p->page.h = given ? p->page.h : 0.8 * p->page.w + notes;
        return;
    }
    w = p->page.w - p->left - p->right;
    h = given ? p->page.h - p->top - p->bottom : w * fmin(shape, 1.6);
    if (f->equal && h < w * shape) { /* narrower, in the middle */
        p->left += 0.5 * (w - h / shape);
        p->right += 0.5 * (w - h / shape);
    } else if (f->equal && given) {
        p->top += 0.5 * (h - w * shape);
        p->bottom += 0.5 * (h - w * shape);
    }
    if (!given)
        p->page.h = h + p->top + p->bottom;
}

/* ---- data ------------------------------------------------------------------------------------ */

static void number(struct tw_str *out, double x, const char *after)
{
    if (isfinite(x))
        tw_str_addf(out, "%.10g%s", x, after);
    else
        tw_str_addf(out, "NaN%s", after);
}

static void data(const struct surface_plan *p, struct fig_files *files)
{
    const struct tw_figure_surface *f = p->f;
    struct tw_str *dat = &files->dat;

    tw_str_add(dat, "# A surface. Blocks are parted by two blank lines; the script finds them by "
                    "name.\n\n\n# grid\n# x y z\n");
    for (size_t j = 0; j < f->ny; j++) {
        for (size_t i = 0; i < f->nx; i++) {
            number(dat, f->x[i], " ");
            number(dat, f->y[j], " ");
            number(dat, f->z[j * f->nx + i], "\n");
        }
        tw_str_add(dat, "\n");
    }
    tw_str_add(dat, "\n\n# marks\n# x y\n");
    for (size_t k = 0; k < f->nmark; k++) {
        number(dat, f->mark_x[k], " ");
        number(dat, f->mark_y[k], "\n");
    }
    for (size_t k = 0; k < f->npath; k++) {
        tw_str_addf(dat, "\n\n# path %03zu\n# x y\n", k);
        for (size_t i = 0; i < f->paths[k].n; i++) {
            number(dat, f->paths[k].x[i], " ");
            number(dat, f->paths[k].y[i], "\n");
        }
    }
    if (f->chord) {
        tw_str_add(dat, "\n\n# chord\n# x y\n");
        for (size_t i = 0; i < 4; i++)
            number(dat, f->chord[i], i % 2 ? "\n" : " ");
    }
    for (size_t i = 0; i < p->px * p->py; i++) { /* little-endian on any machine */
        uint32_t u;
        char bytes[4];

        memcpy(&u, &p->picture[i], sizeof u);
        for (unsigned b = 0; b < 4; b++)
            bytes[b] = (char)(unsigned char)(u >> (8 * b));
        tw_str_addn(&files->bin, bytes, 4);
    }
}

enum tw_status tw_figure_surface(const char *path, const struct tw_figure_surface *f,
                                 const struct tw_figure_opts *opts, struct tw_err *err)
{
    struct surface_plan p = { .f = f };
    struct fig_files files = { 0 };
    struct fig_locale locale;
    enum tw_status st;

    if (!path || !f || f->nx < 2 || f->ny < 2)
        return tw_err_set(err, TW_EINVAL, "a figure of a surface needs a name and 2 x 2 points");
    fig_locale_enter(&locale);
    st = fig_page_init(&p.page, path, opts, err);
    if (st == TW_OK)
        st = fig_files_init(&files, path, err);
    if (st == TW_OK)
        st = survey(&p, err);
    if (st == TW_OK)
        st = surface_paint(&p, err);
    if (st == TW_OK) {
        wrap_note(&p);
        level_width(&p);
        lay_out(&p);
        if (p.page.h - p.top - p.bottom < 0.3 || p.page.w - p.left - p.right < 0.3)
            st = tw_err_set(err, TW_EINVAL, "no room for the panel in %.3g by %.3g inches",
                            p.page.w, p.page.h);
    }
    if (st == TW_OK) {
        data(&p, &files);
        surface_script(&p, &files, opts);
        st = fig_make(&files, &p.page, path, opts, err);
    }
    free(p.picture);
    fig_files_release(&files);
    fig_locale_leave(&locale);
    return st;
}
