/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Runs of a sweep sorted into groups of one N and D, and lines of one batch size; the sensitivity
 * of each line to the learning rate. */
#include "sweep.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct tw_sweep_opts tw_sweep_defaults(void)
{
    return (struct tw_sweep_opts){
        .within = 0.005, .initial_loss = NAN, .bootstrap = 1000, .level = 0.95
    };
}

bool tw_sweep_alike(double a, double b)
{
    return fabs(a - b) <= 0.01 * fabs(b);
}

/* ---- runs ----------------------------------------------------------------------------------- */

static int by_number(double a, double b)
{
    return (a > b) - (a < b);
}

static int by_place(const void *p, const void *q)
{
    const struct tw_sweep_run *a = p, *b = q;
    int c = by_number(a->size, b->size);

    c = c ? c : by_number(a->tokens, b->tokens);
    c = c ? c : by_number(a->batch, b->batch);
    c = c ? c : by_number(a->lr, b->lr);
    return c ? c : by_number(a->loss, b->loss);
}

static enum tw_status check(const struct tw_sweep_run *runs, size_t n,
                            const struct tw_sweep_opts *o, struct tw_err *err)
{
    for (size_t i = 0; i < n; i++) {
        const double v[] = { runs[i].size, runs[i].tokens, runs[i].lr, runs[i].batch };
        static const char *const name[] = { "N", "D", "learning rate", "batch size" };

        for (size_t k = 0; k < 4; k++)
            if (!(v[k] > 0.0) || !isfinite(v[k]))
                return tw_err_set(err, TW_EDOMAIN, "run %zu has %s %g: it must be positive", i + 1,
                                  name[k], v[k]);
        if (runs[i].loss <= 0.0)
            return tw_err_set(err, TW_EDOMAIN, "run %zu has loss %g: it must be positive", i + 1,
                              runs[i].loss);
        if (!isfinite(runs[i].loss) && isnan(o->initial_loss))
            return tw_err_set(err, TW_EDOMAIN,
                              "run %zu has loss %g: it diverged and counts as a model that learned "
                              "nothing: give the loss at initialisation (--initial-loss)",
                              i + 1, runs[i].loss);
    }
    return n ? TW_OK : tw_err_set(err, TW_EDOMAIN, "there are no runs");
}

/* Of one group; at a tolerance that tables need, not one that confuses neighbours of a sweep. */
static bool same_group(const struct tw_sweep_run *a, const struct tw_sweep_run *b)
{
    return tw_sweep_alike(a->size, b->size) && tw_sweep_alike(a->tokens, b->tokens);
}

static bool same_run(const struct tw_sweep_run *a, const struct tw_sweep_run *b)
{
    return same_group(a, b) && tw_sweep_alike(a->batch, b->batch) && tw_sweep_alike(a->lr, b->lr);
}

/* Rows of one place become their mean; if one diverged, they did. */
static void merge(struct tw_sweep *s)
{
    size_t keep = 0;

    for (size_t i = 0; i < s->n;) {
        struct tw_sweep_run mean = s->run[i];
        size_t m = 1;

        for (; i + m < s->n && same_run(&s->run[i + m], &s->run[i]); m++)
            mean.loss += s->run[i + m].loss;
        mean.loss /= (double)m;
        s->run[keep++] = mean;
        s->repeats += m - 1;
        i += m;
    }
    s->n = keep;
}

/* ---- groups and lines ----------------------------------------------------------------------- */

static double capped(const struct tw_sweep *s, double loss)
{
    return isfinite(loss) ? fmin(loss, isnan(s->opts.initial_loss) ? loss : s->opts.initial_loss)
                          : s->opts.initial_loss;
}

static void fill_line(const struct tw_sweep *s, struct tw_sweep_line *line, size_t first)
{
    const struct tw_sweep_run *run = s->run + first;
    double least = INFINITY, most = 0.0, sum = 0.0;

    line->batch = run->batch;
    line->best = INFINITY;
    line->from = run->lr;
    line->to = run[line->n - 1].lr;
    for (size_t i = 0; i < line->n; i++) {
        const double gap = i ? log(run[i].lr / run[i - 1].lr) : (double)NAN;

        line->diverged += isfinite(run[i].loss) ? 0 : 1;
        line->best = isfinite(run[i].loss) ? fmin(line->best, run[i].loss) : line->best;
        sum += capped(s, run[i].loss);
        least = fmin(least, gap);
        most = fmax(most, gap);
    }
    line->sensitivity =
        line->n > 1 && isfinite(line->best) ? sum / (double)line->n - line->best : (double)NAN;
    line->unevenness = line->n > 2 ? most / least : (double)NAN;
}

static void find_lines(struct tw_sweep *s, size_t group)
{
    const struct tw_sweep_group *g = &s->group[group];

    for (size_t i = 0; i < g->n;) {
        struct tw_sweep_line *line = &s->line[s->nlines++];

        *line = (struct tw_sweep_line){ .group = group, .n = 1 };
        while (i + line->n < g->n &&
               tw_sweep_alike(s->run[g->first + i + line->n].batch, s->run[g->first + i].batch))
            line->n++;
        fill_line(s, line, g->first + i);
        i += line->n;
    }
}

static enum tw_status fill_group(struct tw_sweep *s, struct tw_sweep_group *g, struct tw_err *err)
{
    const struct tw_sweep_run *run = s->run + g->first;
    double range[4] = { INFINITY, 0.0, INFINITY, 0.0 };
    const struct tw_sweep_run *best = NULL;

    g->size = run->size;
    g->tokens = run->tokens;
    for (size_t i = 0; i < g->n; i++) {
        g->diverged += isfinite(run[i].loss) ? 0 : 1;
        range[0] = fmin(range[0], run[i].lr);
        range[1] = fmax(range[1], run[i].lr);
        range[2] = fmin(range[2], run[i].batch);
        range[3] = fmax(range[3], run[i].batch);
        if (isfinite(run[i].loss) && (!best || run[i].loss < best->loss))
            best = &run[i];
    }
    if (!best)
        return tw_err_set(err, TW_EDOMAIN, "all %zu runs of N = %g, D = %g diverged", g->n, g->size,
                          g->tokens);
    g->best = (size_t)(best - s->run);
    g->edge = tw_sweep_alike(best->lr, range[0]) || tw_sweep_alike(best->lr, range[1]) ||
              (!tw_sweep_alike(range[2], range[3]) &&
               (tw_sweep_alike(best->batch, range[2]) || tw_sweep_alike(best->batch, range[3])));
    g->log_lr = tw_alloc(s->opts.bootstrap, sizeof *g->log_lr);
    g->log_batch = tw_alloc(s->opts.bootstrap, sizeof *g->log_batch);
    if (!g->log_lr || !g->log_batch || !tw_sweep_optimum(s, g))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    return TW_OK;
}

static enum tw_status find_groups(struct tw_sweep *s, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; rc == TW_OK && i < s->n;) {
        struct tw_sweep_group *g = &s->group[s->ngroups++];

        *g = (struct tw_sweep_group){ .first = i, .n = 1 };
        while (i + g->n < s->n && same_group(&s->run[i + g->n], &s->run[i]))
            g->n++;
        rc = fill_group(s, g, err);
        if (rc == TW_OK)
            find_lines(s, s->ngroups - 1);
        i += g->n;
    }
    return rc;
}

/* ---- intervals ------------------------------------------------------------------------------ */

static bool interval(const struct tw_sweep *s, const double *log_value, double *lo, double *hi)
{
    const size_t n = s->opts.bootstrap;
    double *sorted = tw_alloc(n, sizeof *sorted);

    *lo = *hi = NAN;
    if (sorted && n) {
        memcpy(sorted, log_value, n * sizeof *sorted);
        tw_sort_reals(sorted, n);
        *lo = exp(tw_quantile_sorted(sorted, n, 0.5 - 0.5 * s->opts.level));
        *hi = exp(tw_quantile_sorted(sorted, n, 0.5 + 0.5 * s->opts.level));
    }
    free(sorted);
    return sorted != NULL;
}

enum tw_status tw_sweep_compute(const struct tw_sweep_run *runs, size_t n,
                                const struct tw_sweep_opts *opts, struct tw_sweep *out,
                                struct tw_err *err)
{
    enum tw_status rc = check(runs, n, opts, err);
    bool ok = true;

    if (rc != TW_OK)
        return rc;
    out->opts = *opts;
    out->n = n;
    out->run = tw_alloc(n, sizeof *out->run);
    out->group = tw_alloc(n, sizeof *out->group);
    out->line = tw_alloc(n, sizeof *out->line);
    if (!out->run || !out->group || !out->line)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    memcpy(out->run, runs, n * sizeof *runs);
    qsort(out->run, n, sizeof *out->run, by_place);
    merge(out);
    rc = find_groups(out, err);
    if (rc != TW_OK)
        return rc;
    for (size_t i = 0; ok && i < out->ngroups; i++) {
        struct tw_sweep_group *g = &out->group[i];

        ok = interval(out, g->log_lr, &g->lr_lo, &g->lr_hi) &&
             interval(out, g->log_batch, &g->batch_lo, &g->batch_hi);
    }
    ok = ok && tw_sweep_step_laws(out);
    return ok ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

void tw_sweep_release(struct tw_sweep *s)
{
    for (size_t i = 0; i < s->ngroups; i++) {
        free(s->group[i].log_lr);
        free(s->group[i].log_batch);
    }
    free(s->run);
    free(s->group);
    free(s->line);
    free(s->lr.replicate);
    free(s->batch.replicate);
    *s = (struct tw_sweep){ 0 };
}
