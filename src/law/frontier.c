/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "frontier.h"

#include <math.h>
#include <stdlib.h>

struct tw_frontier_opts tw_frontier_defaults(void)
{
    return (struct tw_frontier_opts){ .tolerance = 0.1, .bootstrap = 1000, .level = 0.95 };
}

/* ---- data ------------------------------------------------------------------------------------ */

static enum tw_status stack(struct tw_frontier_data *d, const struct tw_law_curve *runs, size_t n,
                            struct tw_err *err)
{
    size_t at = 0;

    for (size_t c = 0; c < n; c++)
        d->n += runs[c].n;
    d->log_n = tw_alloc(d->n, 3 * sizeof *d->log_n);
    d->table = tw_alloc(d->n, sizeof *d->table);
    if (!d->log_n || !d->table)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    d->log_c = d->log_n + d->n;
    d->y = d->log_c + d->n;
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < runs[c].n; i++, at++) {
            const double size = runs[c].input[0][i], tokens = runs[c].input[1][i];

            if (!(size > 0.0) || !(tokens > 0.0) || !isfinite(size) || !isfinite(tokens) ||
                !isfinite(runs[c].y[i]))
                return tw_err_set(err, TW_EDOMAIN,
                                  "%s: run %zu has N = %g, D = %g, loss %g: sizes and tokens must "
                                  "be positive, losses finite",
                                  runs[c].name, i + 1, size, tokens, runs[c].y[i]);
            d->log_n[at] = log(size);
            d->log_c[at] = log(6.0 * size * tokens);
            d->y[at] = runs[c].y[i];
            d->table[at] = c;
        }
    return TW_OK;
}

static void data_release(struct tw_frontier_data *d)
{
    free(d->log_n);
    free(d->table);
    free(d->first);
    free(d->index);
    free(d->flops);
    free(d->log_at);
    free(d->loss_at);
}

static size_t points(const struct tw_frontier_data *d, enum tw_frontier_kind kind)
{
    return kind == TW_FRONTIER_ISOFLOP ? d->groups : d->budgets;
}

static void find(const struct tw_frontier_data *d, enum tw_frontier_kind kind, size_t i,
                 const double *weight, struct tw_frontier_point *p)
{
    if (kind == TW_FRONTIER_ISOFLOP)
        tw_frontier_valley(d, i, weight, p);
    else
        tw_frontier_best(d, i, weight, p);
}

/* ---- the line -------------------------------------------------------------------------------- */

/* log N* = log_k + a (log C - centre) by least squares; false if fewer than two budgets count. */
struct line {
    size_t n;
    double c, size, cc, cs; /* sums of log C - centre and log N* */
};

static void line_add(struct line *l, double centre, const struct tw_frontier_point *p)
{
    const double c = log(p->flops) - centre, size = log(p->size);

    l->n++;
    l->c += c;
    l->size += size;
    l->cc += c * c;
    l->cs += c * size;
}

static bool line_solve(const struct line *l, double *log_k, double *a)
{
    const double n = (double)l->n, det = n * l->cc - l->c * l->c;

    if (l->n < 2 || !(det > 1e-12 * n * l->cc))
        return false;
    *a = (n * l->cs - l->c * l->size) / det;
    *log_k = (l->size - *a * l->c) / n;
    return true;
}

/* ---- replicates ------------------------------------------------------------------------------ */

/* Runs drawn with replacement within each budget, or whole curves. */
static void draw(const struct tw_frontier_data *d, enum tw_frontier_kind kind, struct tw_rng *rng,
                 double *weight)
{
    for (size_t i = 0; i < d->n + d->groups; i++)
        weight[i] = 0.0;
    for (size_t g = 0; g < d->groups; g++) {
        const size_t a = d->first[g], n = d->first[g + 1] - a;

        if (kind == TW_FRONTIER_ENVELOPE)
            weight[tw_rng_below(rng, d->groups)] += 1.0;
        for (size_t k = 0; kind == TW_FRONTIER_ISOFLOP && k < n; k++)
            weight[d->index[a + tw_rng_below(rng, n)]] += 1.0;
    }
}

static bool replicate(const struct tw_frontier_data *d, const struct tw_frontier *f,
                      const struct tw_frontier_opts *opts, size_t b, double *weight, double *log_k,
                      double *a)
{
    struct tw_rng rng = tw_rng_stream(opts->seed, TW_RNG_BOOTSTRAP, b);
    struct line line = { 0 };

    draw(d, f->kind, &rng, weight);
    for (size_t i = 0; i < f->n; i++) {
        struct tw_frontier_point p = { 0 };

        find(d, f->kind, i, weight, &p);
        if (!p.why)
            line_add(&line, log(f->centre), &p);
    }
    return line_solve(&line, log_k, a);
}

static enum tw_status bootstrap(const struct tw_frontier_data *d,
                                const struct tw_frontier_opts *opts, struct tw_frontier *f,
                                struct tw_err *err)
{
    const size_t n = f->replicates = opts->bootstrap;
    double *log_k = tw_alloc(n, 2 * sizeof *log_k), *a = log_k ? log_k + n : NULL;
    bool ok = log_k != NULL;
    size_t good = 0;

#pragma omp parallel
    {
        double *weight = tw_alloc(d->n + d->groups, sizeof *weight);

        if (!weight) {
#pragma omp atomic write
            ok = false;
        }
#pragma omp for schedule(static)
        for (size_t b = 0; b < n; b++)
            if (!weight || !log_k || !replicate(d, f, opts, b, weight, &log_k[b], &a[b]))
                if (log_k)
                    log_k[b] = a[b] = NAN;
        free(weight);
    }
    for (size_t b = 0; ok && b < n; b++)
        if (!isnan(a[b])) {
            log_k[good] = log_k[b];
            a[good++] = a[b];
        }
    f->failed = n - good;
    if (ok && good > 1) {
        tw_sort_reals(log_k, good);
        tw_sort_reals(a, good);
        f->k_lo = exp(tw_quantile_sorted(log_k, good, 0.5 - 0.5 * opts->level));
        f->k_hi = exp(tw_quantile_sorted(log_k, good, 0.5 + 0.5 * opts->level));
        f->a_lo = tw_quantile_sorted(a, good, 0.5 - 0.5 * opts->level);
        f->a_hi = tw_quantile_sorted(a, good, 0.5 + 0.5 * opts->level);
    }
    free(log_k);
    return ok ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

/* The runs of a budget, for whoever draws them. */
static bool keep_runs(const struct tw_frontier_data *d, size_t g, struct tw_frontier_point *p)
{
    p->run = tw_alloc(p->n, sizeof *p->run);
    for (size_t k = 0; p->run && k < p->n; k++)
        p->run[k] = d->index[d->first[g] + k];
    return p->run != NULL;
}

/* Do the points that count have two sizes? */
static bool two_sizes(const struct tw_frontier *f)
{
    double first = NAN;

    for (size_t i = 0; i < f->n; i++) {
        if (f->point[i].why)
            continue;
        if (isnan(first))
            first = f->point[i].size;
        if (f->point[i].size != first)
            return true;
    }
    return false;
}

static enum tw_status fill(struct tw_frontier_data *d, struct tw_frontier *f, struct tw_err *err)
{
    f->n = points(d, f->kind);
    f->point = tw_alloc(f->n, sizeof *f->point);
    if (!f->point)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < f->n; i++)
        find(d, f->kind, i, NULL, &f->point[i]);
    if (f->kind == TW_FRONTIER_ENVELOPE && !two_sizes(f)) {
        f->ends = d->ends = true;
        for (size_t i = 0; i < f->n; i++)
            find(d, f->kind, i, NULL, &f->point[i]);
    }
    for (size_t i = 0; f->kind == TW_FRONTIER_ISOFLOP && i < f->n; i++)
        if (!keep_runs(d, i, &f->point[i]))
            return tw_err_set(err, TW_ENOMEM, "out of memory");
    return TW_OK;
}

static enum tw_status fit_line(struct tw_frontier *f, struct tw_err *err)
{
    struct line line = { 0 };
    double sum = 0.0, log_k;

    for (size_t i = 0; i < f->n; i++)
        if (!f->point[i].why) {
            f->used++;
            sum += log(f->point[i].flops);
        }
    f->centre = f->used ? exp(sum / (double)f->used) : (double)NAN;
    for (size_t i = 0; i < f->n; i++)
        if (!f->point[i].why)
            line_add(&line, log(f->centre), &f->point[i]);
    if (!line_solve(&line, &log_k, &f->a))
        return tw_err_set(
            err, TW_EDOMAIN,
            f->kind == TW_FRONTIER_ISOFLOP
                ? "%zu of %zu budgets have a minimum within their sizes: a line needs "
                  "two; are there runs of %d sizes and more at several budgets "
                  "(--budget, --tolerance)?"
                : "%zu of %zu budgets have a best size: a line needs two",
            f->used, f->n, TW_FRONTIER_MIN_SIZES);
    f->k = exp(log_k);
    return TW_OK;
}

/* How often the ends of the range of sizes were best: there the true best may lie beyond. */
static void count_ends(const struct tw_frontier_data *d, struct tw_frontier *f)
{
    double lo = INFINITY, hi = -INFINITY;

    for (size_t i = 0; i < d->n; i++) {
        lo = fmin(lo, d->log_n[i]);
        hi = fmax(hi, d->log_n[i]);
    }
    f->curves = d->groups;
    for (size_t i = 0; i < f->n; i++) {
        f->smallest += fabs(log(f->point[i].size) - lo) < 1e-9 ? 1.0 / (double)f->n : 0.0;
        f->largest += fabs(log(f->point[i].size) - hi) < 1e-9 ? 1.0 / (double)f->n : 0.0;
    }
}

enum tw_status tw_frontier_run(enum tw_frontier_kind kind, const struct tw_law_curve *runs,
                               size_t n, const struct tw_frontier_opts *opts,
                               struct tw_frontier *out, struct tw_err *err)
{
    struct tw_frontier_data d = { 0 };
    enum tw_status rc = stack(&d, runs, n, err);

    out->kind = kind;
    out->k_lo = out->k_hi = out->a_lo = out->a_hi = NAN;
    if (rc == TW_OK)
        rc = kind == TW_FRONTIER_ISOFLOP ? tw_frontier_budgets(&d, opts, err)
                                         : tw_frontier_curves(&d, err);
    if (rc == TW_OK)
        rc = fill(&d, out, err);
    if (rc == TW_OK)
        rc = fit_line(out, err);
    if (rc == TW_OK && kind == TW_FRONTIER_ENVELOPE)
        count_ends(&d, out);
    if (rc == TW_OK && opts->bootstrap)
        rc = bootstrap(&d, opts, out, err);
    data_release(&d);
    return rc;
}

void tw_frontier_release(struct tw_frontier *f)
{
    for (size_t i = 0; f->point && i < f->n; i++)
        free(f->point[i].run);
    free(f->point);
    *f = (struct tw_frontier){ 0 };
}
