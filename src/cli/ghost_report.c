/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `thalweg ghost` says. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ghost.h"

double tw_ghost_quantile(const double *x, size_t n, double q)
{
    double *sorted = tw_alloc(n, sizeof *sorted), value = (double)NAN;
    size_t m = 0;

    for (size_t i = 0; sorted && i < n; i++)
        if (!isnan(x[i]))
            sorted[m++] = x[i];
    if (m) {
        tw_sort_reals(sorted, m);
        value = isfinite(sorted[m - 1]) ? tw_quantile_sorted(sorted, m, q)
                                        : sorted[(size_t)(q * (double)(m - 1))];
    }
    free(sorted);
    return value;
}

size_t tw_ghost_reached(const double *x, size_t n, double tau)
{
    size_t m = 0;

    for (size_t i = 0; i < n; i++)
        m += x[i] <= fabs(tau);
    return m;
}

/* ---- one direction ------------------------------------------------------------------------- */

enum { SCALES = 12 };
struct scale {
    const char *name, *key;
    double length;
};

static double two_over(double curvature)
{
    return curvature > 0.0 ? 2.0 / curvature : (double)NAN;
}

static size_t scales_of(const struct ghost_line *l, struct scale *s)
{
    size_t n = 0;

    s[n++] = (struct scale){ "rho_a: pi over the largest spread", "rho_a", l->all.rho_a.value };
    if (l->all.solved < l->n || l->all.open)
        s[n++] = (struct scale){ "best proved lower bound", "bound", l->all.low.value };
    if (!isnan(l->all.b3.value)) {
        s[n++] = (struct scale){ "B1: log-odds of the top class", "b1", l->all.b1.value };
        s[n++] = (struct scale){ "B2: top class at one half", "b2", l->all.b2.value };
        s[n++] = (struct scale){ "B3: variance of the slopes", "b3", l->all.b3.value };
    }
    if (!isnan(l->all.rho.value))
        s[n++] = (struct scale){ "nearest zero, linear logits", "rho_star", l->all.rho.value };
    if (l->ntruth)
        s[n++] =
            (struct scale){ "true radius, least of some", "true_radius", tw_ghost_truth_least(l) };
    if (!isnan(l->quadratic))
        s[n++] = (struct scale){ "quadratic logits (bound)", "quadratic", l->quadratic };
    s[n++] = (struct scale){ "pi over the median spread", "median_rho_a",
                             tw_ghost_quantile(l->rho_a, l->n, 0.5) };
    s[n++] = (struct scale){ "5 % of predictions flip (linear)", "flip_5",
                             tw_ghost_quantile(l->flip, l->n, 0.05) };
    if (!isnan(l->curvature))
        s[n++] = (struct scale){ "2 over the curvature", "curvature", two_over(l->curvature) };
    return n;
}

/* The scale of this key; NaN where the line has none. */
static double scale_of(const struct ghost_line *l, const char *key)
{
    struct scale s[SCALES];
    const size_t n = scales_of(l, s);

    for (size_t i = 0; i < n; i++)
        if (!strcmp(s[i].key, key))
            return s[i].length;
    return (double)NAN;
}

static void print_scales(const struct ghost *g, const struct ghost_line *l)
{
    static const char *const head[] = { "scale", "length", "step / length" };
    struct scale s[SCALES];
    const size_t n = scales_of(l, s), columns = isnan(l->tau) ? 2 : 3;
    struct tw_table t = { 0 };

    tw_table_head(&t, head, columns);
    for (size_t i = 0; i < n + g->nonset; i++) {
        const double x = i < n ? s[i].length : l->onset[i - n];
        struct tw_str name = { 0 };

        if (i >= n)
            tw_str_addf(&name, "measured: %s", g->onsets[i - n].text);
        tw_table_text(&t, i < n ? s[i].name : name.s ? name.s : "?");
        tw_table_real(&t, "%.4g", x);
        if (columns == 3)
            tw_table_real(&t, "%.3g", fabs(l->tau) / x);
        tw_str_release(&name);
    }
    tw_table_print(&t);
}

static void print_layers(const struct ghost_line *l)
{
    static const char *const head[] = { "layer", "length", "rho_a", "length / rho_a" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 4);
    for (size_t k = 0; k < l->nlayer; k++) {
        tw_table_text(&t, l->layer[k].name);
        tw_table_real(&t, "%.4g", l->layer[k].tau);
        tw_table_real(&t, "%.4g", l->layer[k].rho_a);
        tw_table_real(&t, "%.3g", l->layer[k].tau / l->layer[k].rho_a);
    }
    tw_table_print(&t);
}

static void print_sites(const struct ghost_line *l)
{
    static const char *const head[] = { "inside the network", "operator", "nearest", "1 %",
                                        "sample" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 5);
    for (size_t k = 0; k < l->nsite; k++) {
        tw_table_text(&t, l->site[k].name);
        tw_table_text(&t, l->site[k].op);
        tw_table_real(&t, "%.4g", l->site[k].nearest);
        tw_table_real(&t, "%.3g", l->site[k].low);
        tw_table_size(&t, l->site[k].at);
    }
    tw_table_print(&t);
}

/* The samples with the smallest radii, in order. */
static size_t bottlenecks(const struct ghost *g, const struct ghost_line *l, size_t *at)
{
    const double *x = g->exact == TW_GHOST_BOUNDS ? l->low : l->rho;
    size_t n = 0;

    for (size_t i = 0; i < l->n; i++) {
        size_t k = n;

        if (isnan(x[i]) || (n == g->o->listed && x[at[n - 1]] <= x[i]))
            continue;
        if (n < g->o->listed)
            n++;
        else
            k = n - 1;
        while (k > 0 && x[at[k - 1]] > x[i]) {
            at[k] = at[k - 1];
            k--;
        }
        at[k] = i;
    }
    return n;
}

static void print_bottlenecks(const struct ghost *g, const struct ghost_line *l)
{
    size_t *at = tw_alloc(g->o->listed, sizeof *at), n = at ? bottlenecks(g, l, at) : 0;

    printf("bottleneck samples");
    for (size_t i = 0; i < n; i++)
        printf("%s %zu", i ? "," : "", l->row[at[i]]);
    printf("\n");
    free(at);
}

enum { BATCHES = 200 };

/* Quantiles (5, 50, 95 %) of mini-batches' rho_a over the data's. */
static bool batch_ratio(const struct ghost *g, const struct ghost_line *l, double q[3])
{
    double x[BATCHES];
    static const double at[3] = { 0.05, 0.5, 0.95 };

    if (g->o->batch >= l->n || !isfinite(l->all.rho_a.value) ||
        tw_ghost_mini_batches(l->n, l->rho_a, g->o->batch, BATCHES, g->call->common.seed, x,
                              NULL) != TW_OK)
        return false;
    for (size_t i = 0; i < 3; i++)
        q[i] = tw_ghost_quantile(x, BATCHES, at[i]) / l->all.rho_a.value;
    return true;
}

static void print_count(const char *what, size_t n, size_t of)
{
    if (n)
        printf("above %s of %zu of %zu", what, n, of);
    else
        printf("above %s of none", what);
}

static void print_line(const struct ghost *g, const struct ghost_line *l)
{
    double q[3];

    if (isnan(l->tau))
        printf("%s: ", l->name);
    else
        printf("%s: step %.4g, ", l->name, fabs(l->tau));
    printf("rho_a %.4g", l->all.rho_a.value);
    if (!isnan(l->all.rho.value))
        printf(", exact linearised radius %.4g", l->all.rho.value);
    if (!isnan(l->tau)) {
        printf(", r = %.3g (", fabs(l->tau) / l->all.rho_a.value);
        print_count("pi / spread", tw_ghost_reached(l->rho_a, l->n, l->tau), l->n);
        if (!isnan(l->all.rho.value)) {
            printf(" samples, ");
            print_count("the exact radius", tw_ghost_reached(l->rho, l->n, l->tau), l->n);
        }
        printf(")");
    }
    printf("\n");
    if (!isnan(l->loss)) {
        printf("loss %.6g, ", l->loss);
        if (!isnan(l->error))
            printf("error %.4g %%, ", 100.0 * l->error);
        printf("%zu samples\n", l->n);
    }
    if (l->all.open)
        printf("%zu of %zu zeros without proof that none is nearer\n", l->all.open, l->all.solved);
    printf("\n");
    print_scales(g, l);
    if (l->nlayer) {
        printf("\n");
        print_layers(l);
        if (!isnan(l->tau))
            printf("all layers moving in any complex phase: r at most %.3g\n", l->polydisc);
    }
    if (l->nsite) {
        printf("\n");
        print_sites(l);
    }
    printf("\n");
    print_bottlenecks(g, l);
    if (batch_ratio(g, l, q))
        printf("rho_a of a random batch of %zu is %.3g to %.3g times that of all samples (median "
               "%.3g)\n",
               g->o->batch, q[0], q[2], q[1]);
    if (l->ntruth)
        tw_ghost_truths_print(l);
    printf("A step below a radius keeps the Taylor series of linearised logits convergent; it does "
           "not promise a low loss.\n");
}

/* ---- several ------------------------------------------------------------------------------- */

static void print_table(const struct ghost *g)
{
    const char *head[16] = { "from", "loss", "step", "rho_a", "exact", "r", "r exact" };
    const bool steps = g->nline && !isnan(g->line[0].tau);
    const size_t fixed = steps ? 7 : 5;
    struct tw_table t = { 0 };

    if (!steps) {
        head[0] = "direction";
        head[2] = "rho_a";
        head[3] = "exact";
        head[4] = "2 / curvature";
    }
    for (size_t k = 0; k < g->nonset; k++)
        head[fixed + k] = g->onsets[k].text;
    tw_table_head(&t, head, fixed + g->nonset);
    for (size_t i = 0; i < g->nline; i++) {
        const struct ghost_line *l = &g->line[i];

        tw_table_text(&t, l->name);
        tw_table_real(&t, "%.5g", l->loss);
        if (steps)
            tw_table_real(&t, "%.4g", l->tau);
        tw_table_real(&t, "%.4g", l->all.rho_a.value);
        tw_table_real(&t, "%.4g", l->all.rho.value);
        if (steps) {
            tw_table_real(&t, "%.3g", fabs(l->tau) / l->all.rho_a.value);
            tw_table_real(&t, "%.3g", fabs(l->tau) / l->all.rho.value);
        } else {
            tw_table_real(&t, "%.4g", two_over(l->curvature));
        }
        for (size_t k = 0; k < g->nonset; k++)
            tw_table_real(&t, "%.4g", l->onset[k]);
    }
    tw_table_print(&t);
}

/* Over all directions: measured damage in units of each scale. */
static void print_onsets(const struct ghost *g)
{
    static const char *const head[] = { "damage", "in units of", "median",
                                        "least",  "largest",     "spread (sd of log10)" };
    struct tw_table t = { 0 };
    double *x = tw_alloc(g->nline, sizeof *x);

    tw_table_head(&t, head, 6);
    for (size_t k = 0; x && k < g->nonset; k++) {
        struct scale s[SCALES];
        const size_t n = scales_of(&g->line[0], s);

        for (size_t j = 0; j < n; j++) {
            double sum = 0.0, square = 0.0;
            size_t m = 0;

            for (size_t i = 0; i < g->nline; i++) {
                const double ratio = g->line[i].onset[k] / scale_of(&g->line[i], s[j].key);

                if (isfinite(ratio) && ratio > 0.0) {
                    x[m++] = ratio;
                    sum += log10(ratio);
                    square += log10(ratio) * log10(ratio);
                }
            }
            tw_table_text(&t, g->onsets[k].text);
            tw_table_text(&t, s[j].name);
            tw_table_real(&t, "%.3g", tw_ghost_quantile(x, m, 0.5));
            tw_table_real(&t, "%.3g", tw_ghost_quantile(x, m, 0.0));
            tw_table_real(&t, "%.3g", tw_ghost_quantile(x, m, 1.0));
            tw_table_real(
                &t, "%.3g",
                m > 1 ? sqrt(fmax(0.0, (square - sum * sum / (double)m) / ((double)m - 1.0)))
                      : (double)NAN);
        }
    }
    printf("\n");
    tw_table_print(&t);
    free(x);
}

/* ---- JSON ---------------------------------------------------------------------------------- */

static void json_parts(struct tw_json *j, const struct ghost_line *l)
{
    if (l->nlayer) {
        tw_json_real(j, "r_layers", l->polydisc);
        tw_json_open(j, "layers", '[');
        for (size_t k = 0; k < l->nlayer; k++) {
            tw_json_open(j, NULL, '{');
            tw_json_text(j, "name", l->layer[k].name);
            tw_json_real(j, "length", l->layer[k].tau);
            tw_json_real(j, "rho_a", l->layer[k].rho_a);
            tw_json_close(j, '}');
        }
        tw_json_close(j, ']');
    }
    if (l->nsite) {
        tw_json_open(j, "inside", '[');
        for (size_t k = 0; k < l->nsite; k++) {
            tw_json_open(j, NULL, '{');
            tw_json_text(j, "name", l->site[k].name);
            tw_json_text(j, "operator", l->site[k].op);
            tw_json_real(j, "nearest", l->site[k].nearest);
            tw_json_real(j, "low", l->site[k].low);
            tw_json_close(j, '}');
        }
        tw_json_close(j, ']');
    }
}

static void json_line(const struct ghost *g, const struct ghost_line *l)
{
    struct tw_json *j = &g->call->json;
    size_t *at = tw_alloc(g->o->listed, sizeof *at), n = at ? bottlenecks(g, l, at) : 0;
    const double tau = fabs(l->tau);
    struct scale s[SCALES];
    double q[3];

    tw_json_text(j, "name", l->name);
    tw_json_real(j, "tau", tau);
    tw_json_real(j, "loss", l->loss);
    tw_json_real(j, "error", l->error);
    tw_json_real(j, "slope", l->slope);
    tw_json_size(j, "n", l->n);
    tw_json_real(j, "r", tau / l->all.rho_a.value);
    tw_json_real(j, "r_star", tau / l->all.rho.value);
    tw_json_size(j, "samples_over_rho_a", isnan(tau) ? 0 : tw_ghost_reached(l->rho_a, l->n, tau));
    tw_json_size(j, "samples_over_rho_star", isnan(tau) ? 0 : tw_ghost_reached(l->rho, l->n, tau));
    for (size_t i = 0, m = scales_of(l, s); i < m; i++)
        tw_json_real(j, s[i].key, s[i].length);
    tw_json_size(j, "solved", l->all.solved);
    tw_json_size(j, "unproved", l->all.open);
    tw_json_open(j, "bottleneck", '[');
    for (size_t i = 0; i < n; i++)
        tw_json_size(j, NULL, l->row[at[i]]);
    tw_json_close(j, ']');
    tw_json_open(j, "onset", '{');
    for (size_t k = 0; k < g->nonset; k++)
        tw_json_real(j, g->onsets[k].text, l->onset[k]);
    tw_json_close(j, '}');
    json_parts(j, l);
    if (l->ntruth)
        tw_ghost_truths_json(j, l);
    if (batch_ratio(g, l, q))
        tw_json_reals(j, "batch_over_all", q, 3);
    free(at);
}

void tw_ghost_report(const struct ghost *g)
{
    struct tw_json *j = &g->call->json;

    if (!g->call->common.json && g->nline == 1)
        print_line(g, &g->line[0]);
    if (!g->call->common.json && g->nline > 1)
        print_table(g);
    if (!g->call->common.json && g->nline > 1 && g->nonset && !g->o->trajectory)
        print_onsets(g);
    if (g->nline == 1) {
        json_line(g, &g->line[0]);
        return;
    }
    tw_json_open(j, "lines", '[');
    for (size_t i = 0; i < g->nline; i++) {
        tw_json_open(j, NULL, '{');
        json_line(g, &g->line[i]);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
}
