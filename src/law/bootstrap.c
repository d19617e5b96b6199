/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Moving-block bootstrap of the residuals (Kuensch 1989, Annals of Statistics 17): each
 * replicate adds blocks of a curve's own centred log residuals, drawn at random, to the fitted
 * log losses and fits again. All curves draw the same stretch of x where they have it, so the
 * noise that runs with a shared data order have in common stays common.
 *
 * For laws of runs a case bootstrap (Efron 1979, Annals of Statistics 7): each replicate draws
 * as many runs as there are, with replacement, within each group.
 */
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "resample.h"
#include "solve.h"

static size_t choose_block(const struct tw_law_problem *p, const struct tw_law_fit *fit)
{
    size_t longest = 1;

    for (size_t c = 0; c < p->ncurves; c++) {
        const size_t b = tw_fit_block_length(fit->r + p->first[c], p->first[c + 1] - p->first[c]);

        longest = b > longest ? b : longest;
    }
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

/* Log losses of replicate b. `centred`: residuals less their curve's mean. */
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

static double *centre(const struct tw_law_problem *p, const struct tw_law_fit *fit)
{
    double *e = tw_alloc(p->n, sizeof *e);

    for (size_t c = 0; e && c < p->ncurves; c++) {
        const size_t i = p->first[c], n = p->first[c + 1] - i;
        const double mean = gsl_stats_mean(fit->r + i, 1, n);

        for (size_t k = 0; k < n; k++)
            e[i + k] = fit->r[i + k] - mean;
    }
    return e;
}

/* From the fit's parameters; `thorough` where the replicate's lie far from them. */
static bool refit(struct tw_law_worker *w, const struct tw_law_fit *fit, bool thorough,
                  double *theta, struct tw_fit_result *res)
{
    memcpy(theta, fit->theta, fit->law->nparams * sizeof *theta);
    return tw_fit_minimize(w->ws, &w->fit, theta, thorough, res, NULL) == TW_OK && res->converged;
}

static bool replicate(const struct tw_law_problem *p, struct tw_law_fit *fit, const double *centred)
{
    const size_t np = p->law->nparams;
    struct tw_resample cases = { .seed = fit->opts.seed, .ngroups = p->ncurves, .first = p->first };
    size_t failed = 0;
    bool ok = true;

    for (size_t j = 0; j < np; j++)
        cases.need += !fit->opts.fixed[j];
#pragma omp parallel reduction(+ : failed)
    {
        double *drawn = tw_alloc(p->n, sizeof *drawn); /* targets of curves, weights of runs */
        struct tw_law_worker w;
        const bool ready = tw_law_worker_init(&w, p) && drawn;

        if (!ready) {
#pragma omp atomic write
            ok = false;
        }
        if (p->law->ninputs)
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
                tw_resample_cases(&cases, b, drawn);
            else
                resample(p, fit, centred, b, drawn);
            if (!refit(&w, fit, false, theta, &res) && !refit(&w, fit, true, theta, &res)) {
                failed++;
                for (size_t j = 0; j < np; j++)
                    theta[j] = NAN;
            }
        }
        tw_law_worker_release(&w);
        free(drawn);
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
    double *centred;
    bool ok;

    if (p->law->ninputs)
        fit->opts.block = 0;
    else if (fit->opts.block == 0)
        fit->opts.block = choose_block(p, fit);
    fit->replicates = fit->opts.bootstrap;
    if (fit->replicates == 0)
        return TW_OK;
    centred = centre(p, fit);
    fit->theta_boot = tw_alloc(fit->replicates, p->law->nparams * sizeof *fit->theta_boot);
    ok = centred && fit->theta_boot && replicate(p, fit, centred) && tw_law_bootstrap_summary(fit);
    free(centred);
    return ok ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}
