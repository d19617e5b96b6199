/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Moving-block bootstrap of the residuals (Kuensch 1989, Annals of Statistics 17): each
 * replicate adds blocks of a curve's own centred log residuals, drawn at random, to the fitted
 * log losses and fits again. All curves draw the same stretch of x where they have it, so the
 * noise that runs with a shared data order have in common stays common.
 *
 * For laws of runs a case bootstrap, or of few configurations a wild cluster bootstrap: resample.h.
 */
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"
#include "resample.h"

/* As long as the longest that a curve asks for by itself, and as all of them together do. */
static size_t choose_block(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                           const struct tw_law_memory *m)
{
    size_t longest = 1, most = 1;

    for (size_t c = 0; c < p->ncurves; c++) {
        const size_t n = p->first[c + 1] - p->first[c];
        const size_t b = tw_fit_block_length(fit->r + p->first[c], n);

        longest = b > longest ? b : longest;
        most = n / 3 > most ? n / 3 : most;
    }
    while (longest < most && tw_law_memory_torn(m, longest) > 1.0 / 3.0)
        longest++;
    return longest;
}

/* First index i of curve c with x[i] >= x0, or its length. */
static size_t lower_bound(const struct tw_law_problem *p, size_t c, double x0)
{
    size_t a = p->first[c], b = p->first[c + 1];

    while (a < b) {
        const size_t mid = a + (b - a) / 2;

        if (p->x[mid] < x0)
            a = mid + 1;
        else
            b = mid;
    }
    return a - p->first[c];
}

/* Log losses of replicate b; `centred`: see centre(). */
static void resample(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                     const double *centred, size_t b, double *target)
{
    struct tw_rng rng = tw_rng_stream(fit->opts.seed, TW_RNG_BOOTSTRAP, b);
    size_t longest = 0;

    for (size_t c = 1; c < p->ncurves; c++)
        if (p->first[c + 1] - p->first[c] > p->first[longest + 1] - p->first[longest])
            longest = c;
    for (size_t at = 0; at < p->first[longest + 1] - p->first[longest]; at += fit->opts.block) {
        const size_t from = tw_rng_below(&rng, p->first[longest + 1] - p->first[longest]);
        const double x0 = p->x[p->first[longest] + from];
        const uint64_t other = tw_rng_u64(&rng);

        for (size_t c = 0; c < p->ncurves; c++) {
            const size_t n = p->first[c + 1] - p->first[c];
            const size_t block = fit->opts.block < n ? fit->opts.block : n;
            size_t i = lower_bound(p, c, x0);

            if (i + block > n) /* this curve does not reach so far: a stretch of its own */
                i = (size_t)(other % (n - block + 1));
            for (size_t k = 0; k < fit->opts.block && at + k < n; k++)
                target[p->first[c] + at + k] =
                    tw_law_to_scale(p->law, fit->yhat[p->first[c] + at + k]) +
                    centred[p->first[c] + i + k % block];
        }
    }
}

/* Residuals less their curve's mean, as large as those of the truth. */
static double *centre(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                      const struct tw_law_memory *m)
{
    const double grow = tw_law_resample_scale(p, m, fit->opts.block);
    double *e = tw_alloc(p->n, sizeof *e);

    for (size_t c = 0; e && c < p->ncurves; c++) {
        const size_t i = p->first[c], n = p->first[c + 1] - i;
        const double mean = gsl_stats_mean(fit->r + i, 1, n);

        for (size_t k = 0; k < n; k++)
            e[i + k] = grow * (fit->r[i + k] - mean);
    }
    return e;
}

static double *fitted_values(const struct tw_law_problem *p, const struct tw_law_fit *fit)
{
    double *v = tw_alloc(p->n, sizeof *v);

    for (size_t i = 0; v && i < p->n; i++)
        v[i] = tw_law_to_scale(p->law, fit->yhat[i]);
    return v;
}

/* From the fit's parameters; `thorough` where the replicate's lie far from them. */
static bool refit(struct tw_law_worker *w, const struct tw_law_fit *fit, bool thorough,
                  double *theta, struct tw_fit_result *res)
{
    memcpy(theta, fit->theta, fit->law->nparams * sizeof *theta);
    return tw_fit_minimize(w->ws, &w->fit, theta, thorough, res, NULL) == TW_OK && res->converged;
}

static size_t count_free(const struct tw_law_fit_opts *o, size_t nparams)
{
    size_t n = 0;

    for (size_t j = 0; j < nparams; j++)
        n += !o->fixed[j];
    return n;
}

enum tw_bootstrap tw_law_bootstrap_kind(const struct tw_law_fit_opts *opts, size_t nparams,
                                        size_t clusters)
{
    if (opts->kind == TW_BOOTSTRAP_CASE || opts->kind == TW_BOOTSTRAP_WILD)
        return opts->kind;
    return clusters < TW_LAW_FEW * count_free(opts, nparams) ? TW_BOOTSTRAP_WILD
                                                             : TW_BOOTSTRAP_CASE;
}

/* `fitted` is p->yhat on the residuals' scale. */
static struct tw_resample runs_to_draw(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                                       const double *fitted, const double *residual)
{
    const size_t free = count_free(&fit->opts, p->law->nparams);

    return (struct tw_resample){ .kind = fit->opts.kind,
                                 .seed = fit->opts.seed,
                                 .ngroups = p->ncurves,
                                 .first = p->first,
                                 .cluster = p->cluster,
                                 .nclusters = p->nclusters,
                                 .whole = p->nclusters < p->n,
                                 .need = free,
                                 .fitted = fitted,
                                 .residual = residual };
}

/* Residuals of runs from the fit without their cluster; from the fit itself where the others do not
 * determine it. False when out of memory. */
static bool left_out_residuals(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                               double *out)
{
    const size_t need = count_free(&fit->opts, p->law->nparams);
    const double factor = tw_resample_factor(p->n, p->nclusters, need);
    bool ok = true;

#pragma omp parallel
    {
        double *weight = tw_alloc(p->n, sizeof *weight), *r = tw_alloc(p->n, sizeof *r);
        struct tw_law_worker w;
        const bool ready = tw_law_worker_init(&w, p) && weight && r;

        if (!ready) {
#pragma omp atomic write
            ok = false;
        }
        w.fit.weight = weight;
#pragma omp for schedule(dynamic)
        for (size_t g = 0; g < p->nclusters; g++) {
            double theta[TW_FIT_MAX_PARAMS];
            struct tw_fit_result res = { 0 };
            size_t rest = 0;

            if (!ready)
                continue;
            for (size_t i = 0; i < p->n; i++) {
                weight[i] = p->cluster[i] == g ? 0.0 : 1.0;
                rest += p->cluster[i] != g;
            }
            if (rest > need && !refit(&w, fit, false, theta, &res))
                res.converged = refit(&w, fit, true, theta, &res);
            if (res.converged)
                w.fit.residual(&w, theta, r, NULL);
            for (size_t i = 0; i < p->n; i++)
                if (p->cluster[i] == g)
                    out[i] = res.converged ? r[i] : factor * fit->r[i];
        }
        tw_law_worker_release(&w);
        free(weight);
        free(r);
    }
    return ok;
}

/* `base`: residuals of curves less their mean; fitted values of runs. */
static bool replicate(const struct tw_law_problem *p, struct tw_law_fit *fit, const double *base,
                      const double *residual)
{
    const size_t np = p->law->nparams;
    const struct tw_resample runs = runs_to_draw(p, fit, base, residual);
    size_t failed = 0;
    bool ok = true;

#pragma omp parallel reduction(+ : failed)
    {
        double *drawn = tw_alloc(p->n, sizeof *drawn); /* targets, or weights of cases */
        double *scratch = tw_alloc(p->nclusters, sizeof *scratch);
        struct tw_law_worker w;
        const bool ready = tw_law_worker_init(&w, p) && drawn && scratch;

        if (!ready) {
#pragma omp atomic write
            ok = false;
        }
        if (fit->opts.kind == TW_BOOTSTRAP_CASE)
            w.fit.weight = drawn;
        else
            w.target = drawn;
#pragma omp for schedule(dynamic, 8)
        for (size_t b = 0; b < fit->replicates; b++) {
            double *theta = fit->theta_boot + b * np;
            struct tw_fit_result res = { 0 };

            if (!ready)
                continue;
            if (p->law->ninputs)
                tw_resample_draw(&runs, b, scratch, drawn);
            else
                resample(p, fit, base, b, drawn);
            if (!refit(&w, fit, false, theta, &res) && !refit(&w, fit, true, theta, &res)) {
                failed++;
                for (size_t j = 0; j < np; j++)
                    theta[j] = NAN;
            }
        }
        tw_law_worker_release(&w);
        free(drawn);
        free(scratch);
    }
    fit->failed = failed;
    return ok;
}

bool tw_law_bootstrap_summary(struct tw_law_fit *fit)
{
    const size_t np = fit->law->nparams, good = fit->replicates - fit->failed;
    double *column = tw_alloc(np * (good + 1), sizeof *column);

    fit->correlation = tw_alloc(np * np, sizeof *fit->correlation);
    if (!column || !fit->correlation) {
        free(column);
        return false;
    }
    for (size_t j = 0; j < np; j++) {
        double *v = column + j * good;
        size_t k = 0;

        for (size_t b = 0; b < fit->replicates; b++)
            if (!isnan(fit->theta_boot[b * np]))
                v[k++] = fit->theta_boot[b * np + j];
        for (size_t i = 0; i <= j; i++)
            fit->correlation[i * np + j] = fit->correlation[j * np + i] =
                good < 2 ? (double)NAN
                : i == j ? 1.0
                         : gsl_stats_correlation(column + i * good, 1, v, 1, good);
    }
    for (size_t j = 0; j < np && good > 1; j++) {
        double *v = column + j * good;

        tw_sort_reals(v, good);
        fit->lo[j] = tw_quantile_sorted(v, good, 0.5 - 0.5 * fit->opts.level);
        fit->hi[j] = tw_quantile_sorted(v, good, 0.5 + 0.5 * fit->opts.level);
    }
    free(column);
    return true;
}

enum tw_status tw_law_bootstrap_run(const struct tw_law_problem *p, struct tw_law_fit *fit,
                                    struct tw_err *err)
{
    struct tw_law_memory m;
    double *base, *residual = NULL;
    bool ok;

    fit->clusters = p->nclusters;
    fit->opts.kind = p->law->ninputs
                         ? tw_law_bootstrap_kind(&fit->opts, p->law->nparams, p->nclusters)
                         : TW_BOOTSTRAP_BLOCK;
    if (!tw_law_memory_measure(p, fit, &m))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    if (p->law->ninputs)
        fit->opts.block = 0;
    else if (fit->opts.block == 0)
        fit->opts.block = choose_block(p, fit, &m);
    fit->replicates = fit->opts.bootstrap;
    if (fit->replicates == 0)
        return TW_OK;
    base = p->law->ninputs ? fitted_values(p, fit) : centre(p, fit, &m);
    fit->theta_boot = tw_alloc(fit->replicates, p->law->nparams * sizeof *fit->theta_boot);
    if (fit->opts.kind == TW_BOOTSTRAP_WILD)
        residual = tw_alloc(p->n, sizeof *residual);
    ok = fit->opts.kind != TW_BOOTSTRAP_WILD || (residual && left_out_residuals(p, fit, residual));
    ok = ok && base && fit->theta_boot && replicate(p, fit, base, residual) &&
         tw_law_bootstrap_summary(fit);
    free(base);
    free(residual);
    return ok ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}
