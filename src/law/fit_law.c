/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "solve.h"

struct tw_law_fit_opts tw_law_fit_defaults(void)
{
    return (struct tw_law_fit_opts){
        .loss = TW_FIT_HUBER,
        .delta = 1e-3,
        .warmup = TW_WARMUP_SKIP,
        .starts = 16,
        .level = 0.95,
    };
}

struct tw_law_score tw_law_score_of(const double *y, const double *yhat, size_t n)
{
    struct tw_law_score s = { .n = n, .r2 = NAN, .autocorrelation = NAN };
    double mean = 0.0, ss = 0.0, total = 0.0;

    if (n == 0)
        return (struct tw_law_score){ 0, NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN };
    for (size_t i = 0; i < n; i++)
        mean += y[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        const double e = y[i] - yhat[i];

        s.mae += fabs(e) / (double)n;
        s.bias += e / (double)n;
        s.pred_e += fabs(e) / y[i] / (double)n;
        s.worst_e = fmax(s.worst_e, fabs(e) / y[i]);
        ss += e * e;
        total += (y[i] - mean) * (y[i] - mean);
    }
    s.rmse = sqrt(ss / (double)n);
    if (total > 0.0)
        s.r2 = 1.0 - ss / total;
    s.final_error = y[n - 1] - yhat[n - 1];
    return s;
}

enum tw_status tw_law_fit_describe(const struct tw_law_problem *p, struct tw_law_fit *fit,
                                   struct tw_err *err)
{
    fit->ncurves = p->ncurves;
    fit->n = p->n;
    fit->first = tw_alloc(p->ncurves + 1, sizeof *fit->first);
    fit->x = tw_alloc(p->n, sizeof *fit->x);
    fit->y = tw_alloc(p->n, sizeof *fit->y);
    fit->yhat = tw_alloc(p->n, sizeof *fit->yhat);
    fit->r = tw_alloc(p->n, sizeof *fit->r);
    fit->score = tw_alloc(p->ncurves, sizeof *fit->score);
    if (!fit->first || !fit->x || !fit->y || !fit->yhat || !fit->r || !fit->score)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    memcpy(fit->first, p->first, (p->ncurves + 1) * sizeof *fit->first);
    memcpy(fit->x, p->x, p->n * sizeof *fit->x);
    memcpy(fit->y, p->y, p->n * sizeof *fit->y);
    if (!tw_law_predict(p->law, p->model, fit->theta, fit->yhat))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < p->n; i++)
        fit->r[i] = p->target[i] - (p->law->plain ? fit->yhat[i] : log(fit->yhat[i]));
    for (size_t c = 0; c < p->ncurves; c++) {
        const size_t i = p->first[c], n = p->first[c + 1] - i;

        fit->score[c] = tw_law_score_of(p->y + i, fit->yhat + i, n);
        if (!p->law->ninputs)
            fit->score[c].autocorrelation = tw_fit_autocorrelation(fit->r + i, n, 1);
    }
    return TW_OK;
}

enum tw_status tw_law_fit_once(const struct tw_law_problem *p, struct tw_law_fit *fit,
                               struct tw_err *err)
{
    enum tw_status rc;

    rc = tw_law_solve(p, fit->theta, &fit->min, &fit->starts, &fit->at_optimum, err);
    return rc == TW_OK ? tw_law_fit_describe(p, fit, err) : rc;
}

/* Mean over the curves that could be left out; NAN when fewer than two could. */
static double left_out_score(const struct tw_law_fit *fit)
{
    double sum = 0.0;

    for (size_t c = 0; c < fit->ncurves; c++)
        if (!isnan(fit->left_out_mae[c]))
            sum += fit->left_out_mae[c];
    return fit->left_out > 1 ? sum / (double)fit->left_out : (double)NAN;
}

/* Do the rates change only during the warm-up? Then what anneals cannot be told from them. */
static enum tw_status only_warmup(const struct tw_law *law, const struct tw_law_curve *curves,
                                  size_t n, bool *only, struct tw_err *err)
{
    void *model = tw_law_model(law, curves, n, TW_WARMUP_SKIP, err);

    if (!model)
        return err->code;
    *only = law->unidentified(model) != NULL;
    law->model_free(model);
    return TW_OK;
}

/* Both conventions, each fitted once; see tw_law_fit_opts.choose_warmup for the rule. */
static enum tw_status choose_warmup(const struct tw_law_curve *curves, size_t n,
                                    struct tw_law_fit *fit, struct tw_err *err)
{
    double objective[2];
    bool by_curves = true, only = false;
    enum tw_status status = only_warmup(fit->law, curves, n, &only, err);

    fit->opts.warmup = TW_WARMUP_SKIP;
    if (status != TW_OK || only)
        return status;
    for (int k = 0; k < 2; k++) {
        struct tw_law_fit try = { .law = fit->law, .opts = fit->opts };
        struct tw_law_problem p;
        enum tw_status rc;

        try.opts.warmup = k ? TW_WARMUP_KEEP : TW_WARMUP_SKIP;
        rc = tw_law_problem_init(&p, fit->law, curves, n, &try.opts, err);
        if (rc == TW_OK)
            rc = tw_law_fit_once(&p, &try, err);
        if (rc == TW_OK)
            rc = tw_law_leave_out_run(curves, &try, err);
        tw_law_problem_release(&p);
        objective[k] = try.min.objective;
        if (rc == TW_OK)
            fit->warmup_score[k] = left_out_score(&try);
        by_curves = by_curves && !isnan(fit->warmup_score[k]);
        tw_law_fit_release(&try);
        if (rc != TW_OK)
            return rc;
    }
    fit->warmup_by_curves = by_curves;
    if (!by_curves)
        memcpy(fit->warmup_score, objective, sizeof objective);
    fit->opts.warmup =
        fit->warmup_score[1] < fit->warmup_score[0] ? TW_WARMUP_KEEP : TW_WARMUP_SKIP;
    return TW_OK;
}

enum tw_status tw_law_fit_run(const struct tw_law *law, const struct tw_law_curve *curves, size_t n,
                              const struct tw_law_fit_opts *opts, struct tw_law_fit *fit,
                              struct tw_err *err)
{
    struct tw_law_problem p = { 0 };
    enum tw_status rc = TW_OK;

    fit->law = law;
    fit->opts = *opts;
    fit->annealed_error = NAN;
    fit->model_error = fit->warmup_score[0] = fit->warmup_score[1] = NAN;
    for (size_t j = 0; j < TW_FIT_MAX_PARAMS; j++)
        fit->lo[j] = fit->hi[j] = NAN;
    if (law->whole_schedule)
        fit->opts.warmup = TW_WARMUP_KEEP;
    else if (opts->choose_warmup && !law->ninputs)
        rc = choose_warmup(curves, n, fit, err);
    if (rc == TW_OK && opts->choose_restriction)
        rc = tw_law_restrict_choose(curves, n, fit, err);
    else
        tw_law_restrict(fit, opts->restriction);
    if (rc == TW_OK)
        rc = tw_law_problem_init(&p, law, curves, n, &fit->opts, err);
    if (rc == TW_OK)
        rc = tw_law_fit_once(&p, fit, err);
    if (rc == TW_OK)
        rc = tw_law_profile_run(&p, fit, err);
    if (rc == TW_OK)
        rc = tw_law_bootstrap_run(&p, fit, err);
    if (rc == TW_OK && fit->opts.model_error)
        rc = tw_law_leave_out_run(curves, fit, err);
    tw_law_problem_release(&p);
    fit->opts.given = NULL;
    fit->opts.ngiven = 0;
    return rc;
}

void tw_law_fit_release(struct tw_law_fit *fit)
{
    free(fit->first);
    free(fit->x);
    free(fit->y);
    free(fit->yhat);
    free(fit->r);
    free(fit->score);
    free(fit->correlation);
    free(fit->theta_boot);
    free(fit->left_out_mae);
    free(fit->left_out_r);
    for (size_t i = 0; fit->profiles && i < fit->nprofiles; i++) {
        free(fit->profiles[i].x);
        free(fit->profiles[i].rise);
    }
    free(fit->profiles);
    free(fit->trials);
    *fit = (struct tw_law_fit){ 0 };
}
