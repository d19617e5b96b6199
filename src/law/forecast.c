/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solve.h"

enum { DRAWS = 4000 }; /* in all, over the replicates: 100 in each 2.5 % tail */

/* A draw is one parameter vector and one offset in log loss (noise and model error), the same
 * at every point: so the pointwise quantiles are smooth curves. */
struct draws {
    size_t nrep;          /* parameter vectors that converged */
    const double **theta; /* (nrep) */
    size_t n;
    double *offset;  /* (n): draw d has parameters theta[d % nrep] */
    double *stretch; /* (n): relative error of the annealed part */
};

/* Residuals to draw noise from, each curve's less its mean: those with the curve left out,
 * which hold the law's misfit too, where there are any. NULL when out of memory. */
static double *noise_pool(const struct tw_law_fit *fit)
{
    double *pool = tw_alloc(fit->n, sizeof *pool);

    for (size_t c = 0; pool && c < fit->ncurves; c++) {
        const size_t a = fit->first[c], b = fit->first[c + 1];
        const double *r =
            fit->left_out_r && b > a && !isnan(fit->left_out_r[a]) ? fit->left_out_r : fit->r;
        double mean = 0.0;

        for (size_t i = a; i < b; i++)
            mean += r[i] / (double)(b - a);
        for (size_t i = a; i < b; i++)
            pool[i] = r[i] - mean;
    }
    return pool;
}

static void draws_release(struct draws *d)
{
    free(d->theta);
    free(d->offset);
    free(d->stretch);
}

static double student(struct tw_rng *rng, size_t freedom)
{
    return gsl_cdf_tdist_Pinv(0x1p-54 + tw_rng_real(rng), (double)freedom);
}

static bool draws_init(struct draws *d, const struct tw_law_fit *fit,
                       const struct tw_law_forecast_opts *opts)
{
    const size_t np = fit->law->nparams;
    double *own = opts->noise ? NULL : noise_pool(fit);
    const double *pool = opts->noise ? opts->noise : own;
    const size_t npool = opts->noise ? opts->nnoise : fit->n;

    *d = (struct draws){ 0 };
    d->theta = tw_alloc(fit->replicates + 1, sizeof *d->theta);
    if (!d->theta || !pool) {
        free(own);
        return false;
    }
    for (size_t b = 0; b < fit->replicates; b++)
        if (!isnan(fit->theta_boot[b * np]))
            d->theta[d->nrep++] = fit->theta_boot + b * np;
    if (d->nrep == 0)
        d->theta[d->nrep++] = fit->theta;
    d->n = d->nrep * ((DRAWS + d->nrep - 1) / d->nrep);
    d->offset = tw_alloc(d->n, sizeof *d->offset);
    d->stretch = tw_alloc(d->n, sizeof *d->stretch);
    for (size_t i = 0; d->offset && d->stretch && i < d->n; i++) {
        struct tw_rng rng = tw_rng_stream(opts->seed, TW_RNG_FORECAST, i);

        d->offset[i] = npool ? pool[tw_rng_below(&rng, npool)] : 0.0;
        if (fit->model_error > 0.0)
            d->offset[i] += fit->model_error * student(&rng, TW_LAW_PRIOR_CURVES + fit->left_out);
        if (fit->annealed_error > 0.0)
            d->stretch[i] = fit->annealed_error *
                            student(&rng, TW_LAW_PRIOR_ANNEALED_CURVES + fit->annealed_left_out);
    }
    free(own);
    return d->offset && d->stretch;
}

/* Predictions of every parameter vector: (nrep x m), on the residuals' scale. */
static bool predict_all(const struct tw_law_fit *fit, const void *model, const struct draws *d,
                        size_t m, double *log_y)
{
    bool ok = true;

#pragma omp parallel
    {
        void *memo = fit->law->memo_alloc(model);

        if (!memo) {
#pragma omp atomic write
            ok = false;
        }
#pragma omp for schedule(dynamic, 4)
        for (size_t b = 0; b < d->nrep; b++) {
            double *row = log_y + b * m;

            if (!memo)
                continue;
            fit->law->predict(model, memo, d->theta[b], row, NULL);
            for (size_t i = 0; i < m; i++)
                row[i] = tw_law_to_scale(fit->law, row[i]);
        }
        fit->law->memo_free(memo);
    }
    return ok;
}

static void put(const struct tw_law *law, double *dst, size_t i, const double *sorted, size_t n,
                double q)
{
    if (dst)
        dst[i] = tw_law_from_scale(law, tw_quantile_sorted(sorted, n, q));
}

static bool quantiles(const struct tw_law *law, const struct draws *d, const double *log_y,
                      const double *shift, const double *share, size_t m,
                      const struct tw_law_band *band)
{
    bool ok = true;

#pragma omp parallel
    {
        double *v = tw_alloc(d->n, sizeof *v);

        if (!v) {
#pragma omp atomic write
            ok = false;
        }
#pragma omp for schedule(static)
        for (size_t i = 0; i < m; i++) {
            if (!v)
                continue;
            for (size_t k = 0; k < d->n; k++)
                v[k] = log_y[k % d->nrep * m + i] + d->offset[k] + d->stretch[k] * share[i] +
                       (shift ? shift[i] : 0.0);
            tw_sort_reals(v, d->n);
            put(law, band->lo95, i, v, d->n, 0.025);
            put(law, band->lo68, i, v, d->n, 0.16);
            put(law, band->hi68, i, v, d->n, 0.84);
            put(law, band->hi95, i, v, d->n, 0.975);
        }
        free(v);
    }
    return ok;
}

enum tw_status tw_law_forecast(const struct tw_law_fit *fit, const struct tw_law_curve *curve,
                               const struct tw_law_forecast_opts *opts,
                               const struct tw_law_band *band, struct tw_err *err)
{
    const bool bands = band->lo68 || band->hi68 || band->lo95 || band->hi95;
    struct tw_err own = { 0 };
    void *model = tw_law_model(fit->law, curve, 1, fit->opts.warmup, err ? err : &own);
    struct draws d = { 0 };
    double *log_y = NULL, *share = NULL;
    bool ok;

    if (!model)
        return err ? err->code : own.code;
    ok = tw_law_predict(fit->law, model, fit->theta, band->y);
    for (size_t i = 0; ok && opts->shift && i < curve->n; i++)
        band->y[i] =
            tw_law_from_scale(fit->law, tw_law_to_scale(fit->law, band->y[i]) + opts->shift[i]);
    if (ok && bands) {
        share = tw_alloc(curve->n, sizeof *share);
        ok = share && tw_law_annealed_share(fit->law, curve, fit->theta, band->y, share) &&
             draws_init(&d, fit, opts);
        if (ok)
            log_y = tw_alloc(d.nrep, (curve->n + 1) * sizeof *log_y);
        ok = log_y && predict_all(fit, model, &d, curve->n, log_y) &&
             quantiles(fit->law, &d, log_y, opts->shift, share, curve->n, band);
    }
    fit->law->model_free(model);
    draws_release(&d);
    free(log_y);
    free(share);
    return ok ? TW_OK
              : tw_err_set(err, TW_ENOMEM, "a forecast at %zu points: out of memory", curve->n);
}

double tw_law_coverage(const double *y, const double *lo, const double *hi, size_t n)
{
    size_t in = 0;

    for (size_t i = 0; i < n; i++)
        in += y[i] >= lo[i] && y[i] <= hi[i];
    return n ? (double)in / (double)n : (double)NAN;
}
