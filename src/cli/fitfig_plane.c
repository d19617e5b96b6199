/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Figures of laws in two inputs: lines of equal loss, valleys of equal compute, best allocation. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fitfig_runs.h"

enum { LINE = 160, LEVELS = 8, VALLEYS = 6 };

/* ---- lines of equal loss ------------------------------------------------------------------------
 */

bool tw_iso_loss_possible(const struct tw_law *law)
{
    return law->ninputs == 2;
}

bool tw_iso_loss_drawable(const struct tw_fit_file *f)
{
    return tw_runs_input_range(f, 0).lo > 0.0 && tw_runs_input_range(f, 1).lo > 0.0;
}

/* The second input at which the law says `level`, for each of the first, if it crosses it between
 * lo and hi, else NAN. */
static bool contour(const struct tw_law_fit *fit, const double *first, double level, double lo,
                    double hi, double *second)
{
    double a[LINE], b[LINE], mid[LINE], y[LINE];
    bool above[LINE] = { false }; /* at lo */
    const double *const input[] = { first, mid };

    for (size_t i = 0; i < LINE; i++) {
        a[i] = log(lo);
        b[i] = log(hi);
    }
    for (int end = 0; end < 2; end++) {
        for (size_t i = 0; i < LINE; i++)
            mid[i] = end ? hi : lo;
        if (!tw_runs_predict(fit->law, fit->theta, LINE, input, y))
            return false;
        for (size_t i = 0; i < LINE; i++) {
            if (isnan(y[i]) || (end && (y[i] > level) == above[i]))
                a[i] = b[i] = NAN;
            above[i] = end ? above[i] : y[i] > level;
        }
    }
    for (int it = 0; it < 50; it++) {
        for (size_t i = 0; i < LINE; i++)
            mid[i] = isnan(a[i]) ? lo : exp(0.5 * (a[i] + b[i]));
        if (!tw_runs_predict(fit->law, fit->theta, LINE, input, y))
            return false;
        for (size_t i = 0; i < LINE; i++) {
            if ((y[i] > level) == above[i])
                a[i] = 0.5 * (a[i] + b[i]);
            else
                b[i] = 0.5 * (a[i] + b[i]);
        }
    }
    for (size_t i = 0; i < LINE; i++)
        second[i] = exp(0.5 * (a[i] + b[i]));
    return true;
}

/* Are the losses along the diagonal in order? If not, even distances in their place. */
static void order_levels(double *y)
{
    double lo = INFINITY, hi = -INFINITY;
    bool rises = true;

    for (size_t k = 0; k < LEVELS; k++) {
        rises = rises && (k == 0 || y[k] > y[k - 1]);
        lo = fmin(lo, y[k]);
        hi = fmax(hi, y[k]);
    }
    for (size_t k = 0; !rises && k < LEVELS; k++)
        y[k] = lo + (hi - lo) * ((double)k + 0.5) / LEVELS;
}

/* Round losses at even distances along the diagonal; returns how many. */
static size_t choose_levels(const struct tw_law_fit *fit, double x_lo, double x_hi, double y_lo,
                            double y_hi, double *level)
{
    double first[LEVELS], second[LEVELS], y[LEVELS];
    const double *const input[] = { first, second };
    size_t n = 0;

    for (size_t k = 0; k < LEVELS; k++) {
        const double at = 1.0 - ((double)k + 0.4) / LEVELS;

        first[k] = x_lo * pow(x_hi / x_lo, at);
        second[k] = y_lo * pow(y_hi / y_lo, at);
    }
    if (!tw_runs_predict(fit->law, fit->theta, LEVELS, input, y))
        return 0;
    order_levels(y);
    for (size_t k = 0; k < LEVELS; k++) {
        const double gap = k + 1 < LEVELS ? y[k + 1] - y[k] : y[k] - y[k - 1];
        const double step = pow(10.0, floor(log10(fmax(gap, 1e-6) / 3.0)));
        const double rounded = step * round(y[k] / step);

        if (isfinite(rounded) && (n == 0 || rounded > level[n - 1] + 0.5 * step))
            level[n++] = rounded;
    }
    return n;
}

enum tw_status tw_iso_loss_figure(const struct tw_fit_file *f, const char *path,
                                  const struct tw_figure_opts *fo, struct tw_err *err)
{
    const struct tw_law_fit *fit = &f->fit;
    const struct tw_runs_range r[] = { tw_runs_input_range(f, 0), tw_runs_input_range(f, 1) };
    const double x_lo = r[0].lo / 1.6, x_hi = r[0].hi * 1.6;
    const double y_lo = r[1].lo / 1.6, y_hi = r[1].hi * 1.6;
    double first[LINE], second[LEVELS][LINE], best[2][LINE], level[LEVELS];
    char label[2][96], text[LEVELS][24];
    struct tw_figure_layer layer[LEVELS + 8];
    const size_t levels = choose_levels(fit, x_lo, x_hi, y_lo, y_hi, level);
    struct tw_figure_plane fig = { .x_label = label[0],
                                   .y_label = label[1],
                                   .log_x = true,
                                   .log_y = true,
                                   .x_lo = x_lo,
                                   .x_hi = x_hi,
                                   .y_lo = y_lo,
                                   .y_hi = y_hi,
                                   .layers = layer };

    if (!tw_iso_loss_drawable(f))
        return tw_err_set(err, TW_EINVAL,
                          "--figure=iso-loss has logarithmic axes, and not every run's %s and %s "
                          "are positive; --figure=agreement has other axes",
                          fit->law->inputs[0].name, fit->law->inputs[1].name);
    tw_runs_label(&fit->law->inputs[0], label[0], sizeof label[0]);
    tw_runs_label(&fit->law->inputs[1], label[1], sizeof label[1]);
    tw_runs_spread(x_lo, x_hi, LINE, first);
    for (size_t k = 0; k < levels; k++) {
        if (!contour(fit, first, level[k], y_lo, 100.0 * y_hi, second[k]))
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        (void)snprintf(text[k], sizeof text[k], "%.10g", level[k]);
        layer[fig.n++] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                                   .name = k ? NULL : "equal loss",
                                                   .end = text[k],
                                                   .n = LINE,
                                                   .x = first,
                                                   .y = second[k],
                                                   .colour = -1,
                                                   .thin = true };
    }
    fig.n += tw_runs_tables(f, f->input[0], f->input[1], layer + fig.n);
    if (fit->law->optimum) {
        for (size_t i = 0; i < LINE; i++) {
            double at[TW_LAW_MAX_INPUTS];

            fit->law->optimum(
                fit->theta,
                6.0 * x_lo * y_lo * pow(x_hi * y_hi / x_lo / y_lo, (double)i / (LINE - 1.0)), at);
            best[0][i] = at[0];
            best[1][i] = at[1];
        }
        layer[fig.n++] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                                   .name = "optimum",
                                                   .n = LINE,
                                                   .x = best[0],
                                                   .y = best[1],
                                                   .colour = 1 };
    }
    return tw_figure_plane(path, &fig, fo, err);
}

/* ---- valleys of equal compute ------------------------------------------------------------------
 */

bool tw_isoflop_possible(const struct tw_law *law)
{
    return law->ninputs == 2 && law->optimum;
}

/* Budgets within 10 % of which most runs were made, at least four of them and 60 % apart. */
static size_t choose_budgets(const struct tw_fit_file *f, double *budget)
{
    const size_t n = f->fit.n;
    size_t found = 0;

    while (found < VALLEYS) {
        size_t best = 3, at = n;

        for (size_t i = 0; i < n; i++) {
            const double c = 6.0 * f->input[0][i] * f->input[1][i];
            bool taken = false;
            size_t near = 0;

            for (size_t k = 0; k < found; k++)
                taken = taken || fabs(log(c / budget[k])) < log(1.6);
            for (size_t j = 0; !taken && j < n; j++)
                near += fabs(log(6.0 * f->input[0][j] * f->input[1][j] / c)) < log(1.1);
            if (!taken && near > best) {
                best = near;
                at = i;
            }
        }
        if (at == n)
            break;
        budget[found++] = 6.0 * f->input[0][at] * f->input[1][at];
    }
    for (size_t k = 1; k < found; k++) /* smallest first */
        for (size_t i = k; i > 0 && budget[i] < budget[i - 1]; i--) {
            const double t = budget[i];

            budget[i] = budget[i - 1];
            budget[i - 1] = t;
        }
    return found;
}

/* "1e18 FLOPs", "3.2e19 FLOPs": what rounds to ten is the next power. */
static void name_budget(char *out, size_t size, double budget)
{
    double e = floor(log10(budget)), m = budget / pow(10.0, e);

    if (m >= 9.95) {
        m = 1.0;
        e += 1.0;
    }
    (void)snprintf(out, size, "%.2ge%.0f FLOPs", m, e);
}

enum tw_status tw_isoflop_figure(const struct tw_fit_file *f, const char *path,
                                 const struct tw_figure_opts *fo, struct tw_err *err)
{
    const struct tw_law_fit *fit = &f->fit;
    double budget[VALLEYS] = { 0.0 }, line[VALLEYS][3][LINE], best[2][VALLEYS];
    double *point = tw_alloc(fit->n, 2 * VALLEYS * sizeof *point);
    char name[VALLEYS][32];
    struct tw_figure_layer layer[2 * VALLEYS + 1];
    const size_t n = choose_budgets(f, budget);
    struct tw_figure_plane fig = { .x_label = "parameters N",
                                   .y_label = "loss",
                                   .log_x = true,
                                   .x_lo = (double)NAN,
                                   .x_hi = (double)NAN,
                                   .y_lo = (double)NAN,
                                   .y_hi = (double)NAN,
                                   .layers = layer };
    enum tw_status rc = point ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");

    if (rc == TW_OK && n == 0)
        rc = tw_err_set(err, TW_EINVAL,
                        "--figure=isoflop: no four runs were made at one budget (C = 6 N D, to "
                        "10 %%)");
    for (size_t k = 0; rc == TW_OK && k < n; k++) {
        const double *const input[] = { line[k][0], line[k][1] };
        double *x = point + 2 * k * fit->n, *y = x + fit->n, lo = INFINITY, hi = 0.0;
        double at[TW_LAW_MAX_INPUTS] = { 0.0 };
        const double *const one[] = { &at[0], &at[1] };
        size_t m = 0;

        for (size_t i = 0; i < fit->n; i++)
            if (fabs(log(6.0 * f->input[0][i] * f->input[1][i] / budget[k])) < log(1.1)) {
                x[m] = f->input[0][i];
                y[m] = fit->y[i];
                lo = fmin(lo, x[m]);
                hi = fmax(hi, x[m++]);
            }
        fit->law->optimum(fit->theta, budget[k], at);
        tw_runs_spread(fmin(lo, at[0]) / 1.3, fmax(hi, at[0]) * 1.3, LINE, line[k][0]);
        for (size_t i = 0; i < LINE; i++)
            line[k][1][i] = budget[k] / 6.0 / line[k][0][i];
        best[0][k] = at[0];
        if (!tw_runs_predict(fit->law, fit->theta, LINE, input, line[k][2]) ||
            !tw_runs_predict(fit->law, fit->theta, 1, one, &best[1][k]))
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
        name_budget(name[k], sizeof name[k], budget[k]);
        layer[fig.n++] = (struct tw_figure_layer){
            .mark = TW_FIGURE_LINE, .n = LINE, .x = line[k][0], .y = line[k][2], .colour = (int)k
        };
        layer[fig.n++] = (struct tw_figure_layer){
            .mark = TW_FIGURE_POINTS, .name = name[k], .n = m, .x = x, .y = y, .colour = (int)k
        };
    }
    layer[fig.n++] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                               .name = "least loss",
                                               .n = n,
                                               .x = best[0],
                                               .y = best[1],
                                               .colour = -1,
                                               .dashed = true };
    if (rc == TW_OK)
        rc = tw_figure_plane(path, &fig, fo, err);
    free(point);
    return rc;
}

/* ---- best allocation ----------------------------------------------------------------------------
 */

/* Best inputs of LINE budgets and, over replicates, the ends of their intervals; false when out of
 * memory. */
static bool allocation(const struct tw_law_fit *fit, const double *c, double (*v)[3][LINE])
{
    double *all = tw_alloc(fit->replicates + 1, 2 * sizeof *all);

    for (size_t i = 0; all && i < LINE; i++) {
        double at[TW_LAW_MAX_INPUTS];
        size_t n = 0;

        fit->law->optimum(fit->theta, c[i], at);
        v[0][0][i] = at[0];
        v[1][0][i] = at[1];
        for (size_t b = 0; b < fit->replicates; b++) {
            const double *theta = fit->theta_boot + b * fit->law->nparams;

            if (isnan(theta[0]))
                continue;
            fit->law->optimum(theta, c[i], at);
            all[n] = at[0];
            all[fit->replicates + 1 + n++] = at[1];
        }
        for (size_t k = 0; k < 2; k++) {
            double *w = all + k * (fit->replicates + 1);

            tw_sort_reals(w, n);
            v[k][1][i] = tw_quantile_sorted(w, n, 0.5 - 0.5 * fit->opts.level);
            v[k][2][i] = tw_quantile_sorted(w, n, 0.5 + 0.5 * fit->opts.level);
        }
    }
    free(all);
    return all != NULL;
}

enum tw_status tw_optimum_figure(const struct tw_fit_file *f, const double *flops, size_t n,
                                 const char *path, const struct tw_figure_opts *fo,
                                 struct tw_err *err)
{
    static const char *const name[] = { "parameters N", "tokens D" };
    const struct tw_law_fit *fit = &f->fit;
    double c[LINE], v[2][3][LINE], lo = INFINITY, hi = 0.0, most = 0.0;
    double *mark = tw_alloc(n, 2 * sizeof *mark);
    struct tw_figure_layer layer[8];
    struct tw_figure_plane fig = { .x_label = "compute C (FLOPs)",
                                   .y_label = "best N and D",
                                   .log_x = true,
                                   .log_y = true,
                                   .x_lo = (double)NAN,
                                   .x_hi = (double)NAN,
                                   .y_lo = (double)NAN,
                                   .y_hi = (double)NAN,
                                   .layers = layer };
    enum tw_status rc = TW_OK;
    size_t fitted = 0;

    for (size_t i = 0; i < fit->n; i++) {
        lo = fmin(lo, 6.0 * f->input[0][i] * f->input[1][i]);
        most = fmax(most, 6.0 * f->input[0][i] * f->input[1][i]);
    }
    hi = most;
    for (size_t i = 0; i < n; i++) {
        lo = fmin(lo, flops[i]);
        hi = fmax(hi, flops[i]);
    }
    tw_runs_spread(lo, hi, LINE, c);
    while (fitted < LINE && c[fitted] <= most * (1.0 + 1e-9))
        fitted++;
    if (!mark || !allocation(fit, c, v))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; rc == TW_OK && k < 2; k++) {
        if (fit->replicates)
            layer[fig.n++] = (struct tw_figure_layer){ .mark = TW_FIGURE_BAND,
                                                       .n = LINE,
                                                       .x = c,
                                                       .y = v[k][1],
                                                       .y2 = v[k][2],
                                                       .colour = (int)k };
        layer[fig.n++] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                                   .name = name[k],
                                                   .n = fitted,
                                                   .x = c,
                                                   .y = v[k][0],
                                                   .colour = (int)k };
        if (fitted < LINE && fitted > 0)
            layer[fig.n++] = (struct tw_figure_layer){ .mark = TW_FIGURE_LINE,
                                                       .n = LINE - fitted + 1,
                                                       .x = c + fitted - 1,
                                                       .y = v[k][0] + fitted - 1,
                                                       .colour = (int)k,
                                                       .dashed = true };
        for (size_t i = 0; i < n; i++) {
            double at[TW_LAW_MAX_INPUTS];

            fit->law->optimum(fit->theta, flops[i], at);
            mark[k * n + i] = at[k];
        }
        layer[fig.n++] = (struct tw_figure_layer){
            .mark = TW_FIGURE_POINTS, .n = n, .x = flops, .y = mark + k * n, .colour = (int)k
        };
    }
    if (rc == TW_OK)
        rc = tw_figure_plane(path, &fig, fo, err);
    free(mark);
    return rc;
}
