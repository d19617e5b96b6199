/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Leave each curve out in turn, fit the others, predict it: how wrong the law is on a curve
 * that took no part. Also the rule that chooses the warm-up's convention. */
#include <math.h>
#include <stdlib.h>

#include "solve.h"

/* What a curve says when the law was fitted to the others. */
struct held {
    bool usable;     /* the others determine the law */
    double *r;       /* (n) residuals */
    double bias;     /* their mean */
    double mae;      /* mean |y - yhat| */
    double annealed; /* relative error of the annealed part at the end; NAN: no such part */
};

/* Over the last tenth of the curve: the mean residual over the mean share of the annealed part,
 * if that is more than half a per cent of the loss. */
static double annealed_error(const double *r, const double *share, size_t n)
{
    const size_t tenth = (n + 9) / 10;
    double residual = 0.0, part = 0.0;

    for (size_t i = n - tenth; i < n; i++) {
        residual += r[i];
        part += share[i];
    }
    return part > 0.005 * (double)tenth ? residual / part : (double)NAN;
}

bool tw_law_annealed_share(const struct tw_law *law, const struct tw_law_curve *curve,
                           const double *theta, const double *yhat, double *share)
{
    void *model, *memo;
    bool ok;

    for (size_t i = 0; i < curve->n; i++)
        share[i] = 0.0;
    if (!law->annealed)
        return true;
    model = tw_law_model(law, curve, 1, TW_WARMUP_SKIP, NULL);
    memo = model ? law->memo_alloc(model) : NULL;
    ok = model && memo;
    if (ok)
        law->annealed(model, memo, theta, share);
    for (size_t i = 0; ok && i < curve->n; i++)
        share[i] /= fmax(yhat[i], 1e-300);
    law->memo_free(memo);
    law->model_free(model);
    return ok;
}

static enum tw_status predict_held(const struct tw_law *law, const struct tw_law_curve *curve,
                                   const struct tw_law_fit_opts *opts, const double *theta,
                                   struct held *h, struct tw_err *err)
{
    void *model = tw_law_model(law, curve, 1, opts->warmup, err);
    double *y = tw_alloc(curve->n, sizeof *y), *share = tw_alloc(curve->n, sizeof *share);
    enum tw_status rc = TW_ENOMEM;

    h->bias = h->mae = 0.0;
    if (model && y && share && tw_law_predict(law, model, theta, y) &&
        tw_law_annealed_share(law, curve, theta, y, share)) {
        for (size_t i = 0; i < curve->n; i++) {
            h->r[i] = tw_law_to_scale(law, curve->y[i]) - tw_law_to_scale(law, y[i]);
            h->bias += h->r[i] / (double)curve->n;
            h->mae += fabs(curve->y[i] - y[i]) / (double)curve->n;
        }
        h->annealed = annealed_error(h->r, share, curve->n);
        rc = TW_OK;
    }
    law->model_free(model);
    free(y);
    free(share);
    return rc == TW_OK ? rc : tw_err_set(err, rc, "out of memory");
}

/* h->usable is false when the other curves cannot determine the law. */
static enum tw_status leave_one(const struct tw_law *law, const struct tw_law_curve *curves,
                                size_t n, size_t out, const struct tw_law_fit_opts *opts,
                                struct held *h, struct tw_err *err)
{
    struct tw_law_curve *rest = tw_alloc(n, sizeof *rest);
    struct tw_law_problem p = { 0 };
    double theta[TW_FIT_MAX_PARAMS];
    struct tw_fit_result res;
    size_t k = 0, tried, best;
    enum tw_status rc;

    h->usable = false;
    if (!rest)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t c = 0; c < n; c++)
        if (c != out)
            rest[k++] = curves[c];
    rc = tw_law_problem_init(&p, law, rest, k, opts, NULL);
    if (rc == TW_OK && !law->unidentified(p.model)) {
        rc = tw_law_solve(&p, theta, &res, &tried, &best, NULL);
        h->usable = rc == TW_OK && res.converged && !res.at_bounds &&
                    res.condition < tw_law_max_condition(law);
    }
    if (h->usable)
        rc = predict_held(law, &curves[out], opts, theta, h, err);
    else
        rc = rc == TW_ENOMEM ? tw_err_set(err, rc, "out of memory") : TW_OK;
    tw_law_problem_release(&p);
    free(rest);
    return rc;
}

/* Mean square over all curves of the mean residual of each tenth of a curve: what the law
 * misses systematically, with most of the noise averaged away. */
static double smooth_misfit(const struct tw_law_fit *fit)
{
    double sum = 0.0;
    size_t stretches = 0;

    if (fit->law->ninputs) /* runs of a table have no order to be smooth in */
        return 0.0;
    for (size_t c = 0; c < fit->ncurves; c++) {
        const size_t a = fit->first[c], n = fit->first[c + 1] - a;
        const size_t parts = n < 10 ? n : 10;

        for (size_t k = 0; k < parts; k++) {
            const size_t from = a + k * n / parts, to = a + (k + 1) * n / parts;
            double mean = 0.0;

            for (size_t i = from; i < to; i++)
                mean += fit->r[i] / (double)(to - from);
            sum += mean * mean;
            stretches++;
        }
    }
    return stretches ? sum / (double)stretches : 0.0;
}

void tw_law_model_error(struct tw_law_fit *fit, double squares, double annealed_squares)
{
    const double guess = TW_LAW_PRIOR_FACTOR * TW_LAW_PRIOR_FACTOR * smooth_misfit(fit);
    const double annealed = TW_LAW_PRIOR_ANNEALED * TW_LAW_PRIOR_ANNEALED;

    fit->model_error = sqrt((TW_LAW_PRIOR_CURVES * guess + squares) /
                            (double)(TW_LAW_PRIOR_CURVES + fit->left_out));
    fit->annealed_error = sqrt((TW_LAW_PRIOR_ANNEALED_CURVES * annealed + annealed_squares) /
                               (double)(TW_LAW_PRIOR_ANNEALED_CURVES + fit->annealed_left_out));
    if (!fit->law->annealed)
        fit->annealed_error = 0.0;
}

enum tw_status tw_law_leave_out_run(const struct tw_law_curve *curves, struct tw_law_fit *fit,
                                    struct tw_err *err)
{
    double sum = 0.0, annealed = 0.0;

    fit->left_out = fit->annealed_left_out = 0;
    if (!fit->left_out_mae)
        fit->left_out_mae = tw_alloc(fit->ncurves, sizeof *fit->left_out_mae);
    if (!fit->left_out_r)
        fit->left_out_r = tw_alloc(fit->n, sizeof *fit->left_out_r);
    if (!fit->left_out_mae || !fit->left_out_r)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t c = 0; c < fit->ncurves; c++) {
        struct held h = { .r = fit->left_out_r + fit->first[c] };
        enum tw_status rc = TW_OK;

        fit->left_out_mae[c] = NAN;
        for (size_t i = fit->first[c]; i < fit->first[c + 1]; i++)
            fit->left_out_r[i] = NAN;
        if (fit->ncurves > 1)
            rc = leave_one(fit->law, curves, fit->ncurves, c, &fit->opts, &h, err);
        if (rc != TW_OK)
            return rc;
        if (!h.usable)
            continue;
        fit->left_out++;
        fit->left_out_mae[c] = h.mae;
        sum += h.bias * h.bias;
        if (!isnan(h.annealed)) {
            fit->annealed_left_out++;
            annealed += h.annealed * h.annealed;
        }
    }
    tw_law_model_error(fit, sum, annealed);
    return TW_OK;
}
