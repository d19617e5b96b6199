/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The step law: how the best learning rate and batch size scale. Li et al. 2025, arXiv:2503.04715:
 *
 *     lr = c N^a D^b,   batch = c D^b
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "least.h"
#include "sweep.h"

/* Is there more than one value among the groups? */
static bool varies(const struct tw_sweep *s, bool tokens)
{
    for (size_t i = 1; i < s->ngroups; i++)
        if (!tw_sweep_alike(tokens ? s->group[i].tokens : s->group[i].size,
                            tokens ? s->group[0].tokens : s->group[0].size))
            return true;
    return false;
}

/* The groups pick[i] with logarithms y[i]; logarithms of N and D are centred on the first. */
static bool fit_law(const struct tw_sweep *s, const struct tw_step_law *law, const size_t *pick,
                    double *y, double *x, double *coef, double *rss)
{
    const double n0 = log(s->group[0].size), d0 = log(s->group[0].tokens);
    const size_t n = s->ngroups;
    struct tw_least fit;
    size_t k = 1;

    for (size_t i = 0; i < n; i++) {
        const struct tw_sweep_group *g = &s->group[pick[i]];

        k = 1;
        x[i] = 1.0;
        if (law->has_size)
            x[k++ * n + i] = log(g->size) - n0;
        if (law->has_tokens)
            x[k++ * n + i] = log(g->tokens) - d0;
    }
    if (!tw_least_fit(x, k, y, n, &fit))
        return false;
    coef[1] = law->has_size ? fit.coef[1] : 0.0;
    coef[2] = law->has_tokens ? fit.coef[k - 1] : 0.0;
    coef[0] = fit.coef[0] - coef[1] * n0 - coef[2] * d0;
    if (rss)
        *rss = n > k ? fit.rss / (double)(n - k) : (double)NAN;
    return true;
}

/* Sweeps drawn with replacement, each with one of its own replicates. */
static void replicates(const struct tw_sweep *s, struct tw_step_law *law, bool batch, size_t *pick,
                       double *y, double *x)
{
    for (size_t b = 0; b < s->opts.bootstrap; b++) {
        struct tw_rng rng = tw_rng_stream(s->opts.seed, TW_RNG_STEP_LAW, 2 * b + (batch ? 1 : 0));
        double *row = law->replicate + 3 * b;

        for (size_t i = 0; i < s->ngroups; i++) {
            const struct tw_sweep_group *g;
            size_t r;

            pick[i] = (size_t)tw_rng_below(&rng, s->ngroups);
            r = (size_t)tw_rng_below(&rng, s->opts.bootstrap);
            g = &s->group[pick[i]];
            y[i] = batch ? g->log_batch[r] : g->log_lr[r];
        }
        if (!fit_law(s, law, pick, y, x, row, NULL)) {
            row[0] = row[1] = row[2] = NAN;
            law->failed++;
        }
    }
}

static bool intervals(const struct tw_sweep *s, struct tw_step_law *law)
{
    const size_t n = s->opts.bootstrap - law->failed;
    double *sorted = tw_alloc(s->opts.bootstrap, sizeof *sorted);

    for (size_t j = 0; j < 3; j++) {
        size_t m = 0;

        law->lo[j] = law->hi[j] = NAN;
        for (size_t b = 0; sorted && b < s->opts.bootstrap; b++)
            if (!isnan(law->replicate[3 * b + j]))
                sorted[m++] = law->replicate[3 * b + j];
        if (!sorted || n < 20)
            continue;
        tw_sort_reals(sorted, m);
        law->lo[j] = tw_quantile_sorted(sorted, m, 0.5 - 0.5 * s->opts.level);
        law->hi[j] = tw_quantile_sorted(sorted, m, 0.5 + 0.5 * s->opts.level);
    }
    free(sorted);
    return sorted != NULL;
}

static bool one_law(struct tw_sweep *s, struct tw_step_law *law, bool batch)
{
    const size_t n = s->ngroups;
    double *y = tw_alloc(n, sizeof *y), *x = tw_alloc(n, 3 * sizeof *x), rss = NAN;
    size_t *pick = tw_alloc(n, sizeof *pick);
    bool ok;

    law->has_size = !batch && varies(s, false);
    law->has_tokens = varies(s, true);
    law->scatter = NAN;
    law->replicate = tw_alloc(s->opts.bootstrap, 3 * sizeof *law->replicate);
    ok = y && x && pick && law->replicate;
    if (ok && (law->has_size || law->has_tokens)) {
        for (size_t i = 0; i < n; i++) {
            pick[i] = i;
            y[i] = log(batch ? s->group[i].batch : s->group[i].lr);
        }
        law->fitted = fit_law(s, law, pick, y, x, law->coef, &rss);
        law->scatter = sqrt(rss);
        if (law->fitted)
            replicates(s, law, batch, pick, y, x);
        ok = intervals(s, law);
    }
    free(y);
    free(x);
    free(pick);
    return ok;
}

bool tw_sweep_step_laws(struct tw_sweep *s)
{
    return one_law(s, &s->lr, false) && one_law(s, &s->batch, true);
}

bool tw_step_law_at(const struct tw_step_law *law, const struct tw_sweep_opts *opts, double size,
                    double tokens, double *y, double *lo, double *hi)
{
    const double n = log(size), d = log(tokens);
    double *all = tw_alloc(opts->bootstrap, sizeof *all);
    size_t m = 0;

    *y = exp(law->coef[0] + law->coef[1] * n + law->coef[2] * d);
    *lo = *hi = NAN;
    for (size_t b = 0; all && b < opts->bootstrap; b++) {
        const double *c = law->replicate + 3 * b;

        if (!isnan(c[0]))
            all[m++] = c[0] + c[1] * n + c[2] * d;
    }
    if (all && m >= 20) {
        tw_sort_reals(all, m);
        *lo = exp(tw_quantile_sorted(all, m, 0.5 - 0.5 * opts->level));
        *hi = exp(tw_quantile_sorted(all, m, 0.5 + 0.5 * opts->level));
    }
    free(all);
    return all != NULL;
}
