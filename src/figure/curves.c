/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "curves.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SAMPLES = 256 }; /* columns of the page, to choose the y range */

static double last_of(size_t n, const double *v)
{
    return n && v ? v[n - 1] : nan("");
}

static enum curve_role role_of(const char *role)
{
    if (role && !strcmp(role, "held out"))
        return ROLE_HELD_OUT;
    return role && !strcmp(role, "forecast") ? ROLE_FORECAST : ROLE_FITTED;
}

/* ---- ranges ------------------------------------------------------------------------------ */

static void widen(struct fig_axis *a, size_t n, const double *x)
{
    for (size_t i = 0; i < n; i++)
        if (isfinite(x[i]) && (!a->log || x[i] > 0.0)) {
            a->lo = fmin(a->lo, x[i]);
            a->hi = fmax(a->hi, x[i]);
        }
}

static enum tw_status range_x(struct curves_plan *p, struct tw_err *err)
{
    struct fig_axis a = { HUGE_VAL, -HUGE_VAL, p->f->log_x };

    for (size_t i = 0; i < p->f->n; i++) {
        widen(&a, p->f->curves[i].n, p->f->curves[i].x);
        widen(&a, p->f->curves[i].m, p->f->curves[i].line_x);
    }
    if (!(a.hi > a.lo)) {
        a.lo = isfinite(a.lo) ? a.lo : 1.0;
        a.hi = a.lo + (a.lo > 0.0 ? a.lo : 1.0);
    }
    if (!a.log && a.lo > 0.0 && a.lo < 0.15 * a.hi)
        a.lo = 0.0; /* training starts at 0, though logs start late */
    if (fig_axis_fit(&a, p->f->x_label ? p->f->x_label : "x", err) != TW_OK)
        return TW_EINVAL;
    p->x_unit = a.log ? 1.0 : fig_unit(a.hi, &p->x_unit_name);
    if (a.log)
        p->x_unit_name = "";
    p->x = a;
    return TW_OK;
}

/* Lowest and highest of what each column of the page shows. */
static void sample(const struct fig_axis *ax, size_t n, const double *x, const double *y,
                   double *low, double *high)
{
    for (size_t i = 0; n && y && i <= SAMPLES; i++) {
        double u = (double)i / SAMPLES;
        double at = ax->log ? ax->lo * pow(ax->hi / ax->lo, u) : ax->lo + u * (ax->hi - ax->lo);
        double y_at = fig_interpolate(n, x, y, at);

        low[i] = fmin(low[i], y_at); /* NaN passes */
        high[i] = fmax(high[i], y_at);
    }
}

static enum tw_status range_y(struct curves_plan *p, struct tw_err *err)
{
    const struct tw_figure_curves *f = p->f;
    double low[SAMPLES + 1], high[SAMPLES + 1];
    double *must = tw_alloc(f->n * 4, sizeof *must);
    struct fig_range r;
    size_t k = 0;

    if (!must)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i <= SAMPLES; i++)
        low[i] = high[i] = nan("");
    for (size_t i = 0; i < f->n; i++) {
        const struct tw_figure_curve *c = &f->curves[i];

        sample(&p->x, c->n, c->x, c->y, low, high);
        sample(&p->x, c->m, c->line_x, c->line, low, high);
        sample(&p->x, c->m, c->line_x, c->lo95, low, high);
        sample(&p->x, c->m, c->line_x, c->hi95, low, high);
        must[k++] = last_of(c->n, c->y);
        must[k++] = last_of(c->m, c->line);
        must[k++] = last_of(c->m, c->lo95);
        must[k++] = last_of(c->m, c->hi95);
    }
    r = fig_robust_range(low, high, SAMPLES + 1, must, k, f->log_y);
    p->y = (struct fig_axis){ r.lo, r.hi, f->log_y };
    p->left_out = r.left_out;
    free(must);
    return fig_axis_fit(&p->y, f->y_label, err);
}

/* ---- the low panels ------------------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
    double x, y;

    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Symmetric, and by nearly all of the points that the panel above shows: the rest get a mark at
 * the edge. */
static enum tw_status range_residual(struct curves_plan *p, struct tw_err *err)
{
    size_t n = 0, m = 0;
    double *v, most;

    for (size_t i = 0; i < p->f->n; i++)
        n += p->f->curves[i].n;
    v = tw_alloc(n + 1, sizeof *v);
    if (!v)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->f->n; i++)
        for (size_t j = 0; p->c[i].residual && j < p->f->curves[i].n; j++)
            if (isfinite(p->c[i].residual[j]) && p->f->curves[i].y[j] <= p->y.hi)
                v[m++] = fabs(p->c[i].residual[j]);
    qsort(v, m, sizeof *v, by_value);
    p->show_residual = m > 0;
    most = m ? 1.25 * tw_quantile_sorted(v, m, 0.985) : 1.0;
    most = most > 0.0 ? most : 1.0;
    p->residual = (struct fig_axis){ -most, most, false };
    free(v);
    for (size_t i = 0; i < p->f->n; i++)
        for (size_t j = 0; p->c[i].residual && j < p->f->curves[i].n; j++) {
            p->residuals += isfinite(p->c[i].residual[j]) ? 1 : 0;
            p->residuals_beyond += fabs(p->c[i].residual[j]) > most ? 1 : 0; /* NaN is not */
        }
    return TW_OK;
}

static void range_rate(struct curves_plan *p)
{
    double most = 0.0;

    for (size_t i = 0; i < p->f->n; i++)
        for (size_t j = 0; j < p->f->curves[i].k; j++)
            most = fmax(most, p->f->curves[i].lr[j]);
    p->show_rate = most > 0.0 && isfinite(most);
    p->rate_unit = p->show_rate ? pow(10.0, floor(log10(most) + 1e-9)) : 1.0;
    p->rate = (struct fig_axis){ 0.0, p->show_rate ? 1.12 * most : 1.0, false };
}

/* ---- what to draw -------------------------------------------------------------------------- */

static enum tw_status plan_curve(struct curves_plan *p, size_t i, size_t most)
{
    const struct tw_figure_curve *c = &p->f->curves[i];
    struct curve_plan *q = &p->c[i];
    const double *law[] = { c->line, c->lo95, c->hi95, c->lo68, c->hi68 };
    enum tw_status st;

    q->points = tw_alloc(c->n + 1, sizeof *q->points);
    q->line = tw_alloc(c->m + 1, sizeof *q->line);
    q->rate = tw_alloc(c->k + 1, sizeof *q->rate);
    if (!q->points || !q->line || !q->rate)
        return TW_ENOMEM;
    st = fig_keep_points(&p->x, c->n, c->x, c->y, most, q->points);
    /* A tenth of a point on the page. */
    if (st == TW_OK)
        st = fig_keep_line(&p->x, &p->y, c->m, c->line_x, law, 5, 0.0006, q->line);
    if (st == TW_OK)
        st = fig_keep_line(&p->x, &p->rate, c->k, c->lr_x, &c->lr, 1, 0.001, q->rate);
    return st;
}

static enum tw_status plan_residual(struct curves_plan *p, size_t i)
{
    const struct tw_figure_curve *c = &p->f->curves[i];

    if (c->n == 0 || c->m == 0)
        return TW_OK;
    p->c[i].residual = tw_alloc(c->n, sizeof *p->c[i].residual);
    if (!p->c[i].residual)
        return TW_ENOMEM;
    for (size_t j = 0; j < c->n; j++) {
        double law = fig_interpolate(c->m, c->line_x, c->line, c->x[j]);

        p->c[i].residual[j] = 100.0 * (c->y[j] - law) / law;
    }
    return TW_OK;
}

/* A name cut in its middle, where names of runs differ least, to at most `most` characters. */
static void shorten(const char *name, size_t most, char *out, size_t size)
{
    size_t n = fig_text_length(name), head = most / 2, seen = 0, used = 0;

    for (const char *s = name; *s; s++) {
        bool start = ((unsigned char)*s & 0xC0) != 0x80;

        seen += start;
        if (start && used + 8 >= size)
            break;
        if (n > most && start && seen == head + 1) {
            memcpy(out + used, "…", 3);
            used += 3;
        }
        if (n <= most || seen <= head || seen > n - (most - head - 1)) {
            if (used + 2 >= size)
                break;
            out[used++] = *s;
        }
    }
    out[used] = '\0';
}

static void plan_role(struct curves_plan *p, size_t i)
{
    const struct tw_figure_curve *c = &p->f->curves[i];
    struct curve_plan *q = &p->c[i];
    double end = last_of(c->m, c->line_x);

    q->role = role_of(c->role);
    p->roles[q->role] = true;
    p->band95 = p->band95 || (c->m && c->lo95 && c->hi95);
    p->band68 = p->band68 || (c->m && c->lo68 && c->hi68);
    q->border = isfinite(c->fitted_to)   ? c->fitted_to
                : q->role == ROLE_FITTED ? HUGE_VAL
                                         : -HUGE_VAL;
    if (!(q->border < end - 0.004 * (p->x.hi - p->x.lo)))
        q->border = HUGE_VAL;
    q->marked = isfinite(q->border) && q->border > p->x.lo;
    p->beyond = p->beyond || (q->role == ROLE_FITTED && q->border < HUGE_VAL);
    shorten(c->name ? c->name : "", (size_t)(4.2 * p->page.w / (p->page.fs / 8.0)) + 10, q->label,
            sizeof q->label);
}

enum tw_status curves_plan_init(struct curves_plan *p, const struct tw_figure_curves *f,
                                struct tw_err *err)
{
    enum tw_status st = TW_OK;
    size_t most;

    p->f = f;
    p->c = tw_alloc(f->n + 1, sizeof *p->c);
    if (!p->c)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    st = range_x(p, err);
    if (st == TW_OK)
        st = range_y(p, err);
    for (size_t i = 0; i < f->n && st == TW_OK; i++) {
        plan_role(p, i);
        if (f->show_residuals)
            st = plan_residual(p, i);
    }
    if (st == TW_OK && f->show_residuals)
        st = range_residual(p, err);
    if (f->show_lr)
        range_rate(p);
    /* About 190 dots a curve and inch tell the scatter; more of them only add ink. */
    most = (size_t)(p->page.w * 190.0 / sqrt((double)f->n)) + 50;
    for (size_t i = 0; i < f->n && st == TW_OK; i++)
        st = plan_curve(p, i, most);
    return st == TW_OK ? st : tw_err_set(err, st, "out of memory");
}

void curves_plan_release(struct curves_plan *p)
{
    for (size_t i = 0; p->c && i < p->f->n; i++) {
        free(p->c[i].points);
        free(p->c[i].line);
        free(p->c[i].rate);
        free(p->c[i].residual);
    }
    free(p->c);
    p->c = NULL;
}

/* ---- the page ------------------------------------------------------------------------------ */

double curves_panel_width(const struct curves_plan *p)
{
    return p->page.w - p->left - p->right;
}

double curves_panel_height(const struct curves_plan *p)
{
    int low = (p->show_residual ? 1 : 0) + (p->show_rate ? 1 : 0);

    return p->page.h - p->top - p->bottom - low * (p->low + p->gap);
}

/* Margins from the font's size, so that panels align without asking gnuplot. */
static void lay_out(struct curves_plan *p)
{
    double em = p->page.fs / 72.0, wide;
    int low = (p->show_residual ? 1 : 0) + (p->show_rate ? 1 : 0);

    p->right = 0.13 * p->page.fs / 8.0; /* half of a number like 2000 */
    p->top = 0.07 * p->page.fs / 8.0;
    p->bottom = 2.85 * em;
    p->gap = 0.09 * p->page.fs / 8.0;
    p->low = 5.6 * em;
    p->by_content = p->page.h == 0.0;
    if (p->by_content)
        p->page.h = 0.618 * p->page.w + low * (p->low + p->gap);
    p->low = fmin(p->low, 0.2 * p->page.h);
    wide = fig_tick_width(&p->y, curves_panel_height(p) / (0.3 * p->page.fs / 8.0));
    if (p->show_residual)
        wide = fmax(wide, fig_tick_width(&p->residual, 2.5));
    p->left = fig_left_margin(&p->page, wide);
}

enum tw_status tw_figure_curves(const char *path, const struct tw_figure_curves *f,
                                const struct tw_figure_opts *opts, struct tw_err *err)
{
    struct curves_plan p = { 0 };
    struct fig_files files = { 0 };
    struct fig_locale locale;
    enum tw_status st;

    if (!path || !f || f->n == 0)
        return tw_err_set(err, TW_EINVAL, "a figure needs a name and at least one curve");
    fig_locale_enter(&locale);
    st = fig_page_init(&p.page, path, opts, err);
    if (st == TW_OK)
        st = fig_files_init(&files, path, err);
    if (st == TW_OK)
        st = curves_plan_init(&p, f, err);
    if (st == TW_OK) {
        lay_out(&p);
        st = curves_place_key(&p, err);
    }
    if (st == TW_OK) {
        curves_data(&p, &files.dat);
        curves_script(&p, &files, opts);
        st = fig_make(&files, &p.page, path, opts, err);
    }
    curves_plan_release(&p);
    fig_files_release(&files);
    fig_locale_leave(&locale);
    return st;
}
