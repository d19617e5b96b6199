/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Fit each law to all data and to what each fold leaves, score it on what the fold held out,
 * and rank. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compare_ends.h"
#include "holdout.h"

struct tw_compare_opts tw_compare_defaults(void)
{
    return (struct tw_compare_opts){
        .fit = tw_law_fit_defaults(),
        .own_loss = true,
        .tail = 0.3,
        .replicates = 10000,
    };
}

static enum tw_status no_memory(struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

/* ---- all data ------------------------------------------------------------------------------- */

/* What would not determine the law's parameters in these curves; TW_OK with *why NULL: nothing,
 * or the model cannot be made, which the fit will say. */
static enum tw_status unclear(const struct tw_law *law, const struct tw_law_curve *curves, size_t n,
                              enum tw_warmup warmup, const char **why, struct tw_err *err)
{
    struct tw_err own = { 0 };
    void *model = tw_law_model(law, curves, n, warmup, &own);

    *why = model ? law->unidentified(model) : NULL;
    law->model_free(model);
    return own.code == TW_ENOMEM ? no_memory(err) : TW_OK;
}

static double mean_log(const struct tw_law_fit *fit)
{
    double sum = 0.0;

    for (size_t i = 0; i < fit->n; i++)
        sum += log(fit->y[i]);
    return sum / (double)fit->n;
}

/* log s^2 of the density of y. */
static double log_variance(const struct tw_compare_row *row)
{
    const double v = 2.0 * log(row->scale);

    return row->law->plain ? v : v + 2.0 * mean_log(&row->fit);
}

static void describe(struct tw_compare_row *row)
{
    const struct tw_law_fit *fit = &row->fit;
    double independent = 0.0, mae = 0.0;

    for (size_t c = 0; c < fit->ncurves; c++) {
        const size_t n = fit->first[c + 1] - fit->first[c];

        mae += fit->score[c].mae * (double)n / (double)fit->n;
        independent +=
            (double)n /
            (row->law->ninputs || n < 2 ? 1.0 : tw_fit_long_run(fit->r + fit->first[c], n));
    }
    row->train_mae = mae;
    row->scale = tw_compare_scale(fit->r, fit->n);
    row->inflation = (double)fit->n / independent;
}

static enum tw_status fit_all(const struct tw_compare_entry *e, size_t ncurves,
                              const struct tw_compare_opts *opts, struct tw_compare_row *row,
                              struct tw_err *err)
{
    struct tw_law_fit_opts o = opts->fit;
    struct tw_err own = { 0 };
    enum tw_status rc;

    row->law = e->law;
    row->train_mae = row->scale = row->inflation = row->aicc = row->bic = NAN;
    row->mae = row->pred_e = row->final_e = row->difference = row->lo = row->hi = NAN;
    o.bootstrap = 0;
    o.profile = 0;
    o.model_error = false;
    if (opts->own_loss)
        o.loss = e->law->loss;
    rc = unclear(e->law, e->curves, ncurves, o.warmup, &row->unclear, err);
    if (rc != TW_OK)
        return rc;
    rc = tw_law_fit_run(e->law, e->curves, ncurves, &o, &row->fit, &own);
    if (rc == TW_ENOMEM)
        return no_memory(err);
    if (rc == TW_OK) {
        describe(row);
        return isnan(row->scale) ? no_memory(err) : TW_OK;
    }
    tw_law_fit_release(&row->fit);
    (void)snprintf(row->why, sizeof row->why, "%s", own.msg);
    return TW_OK;
}

static void criteria(struct tw_compare *cmp)
{
    const struct tw_compare_row *best = NULL;

    for (size_t i = 0; i < cmp->nrows; i++)
        if (cmp->row[i].fit.law && (!best || log_variance(&cmp->row[i]) < log_variance(best)))
            best = &cmp->row[i];
    if (!best)
        return;
    cmp->points = best->fit.n;
    cmp->inflation = best->inflation;
    cmp->n_eff = (double)best->fit.n / best->inflation;
    for (size_t i = 0; i < cmp->nrows; i++) {
        struct tw_compare_row *row = &cmp->row[i];
        size_t k = 1; /* the scale */

        if (!row->fit.law)
            continue;
        for (size_t j = 0; j < row->law->nparams; j++)
            k += !row->fit.opts.fixed[j];
        row->aicc = tw_compare_aicc(log_variance(row), cmp->n_eff, k);
        row->bic = tw_compare_bic(log_variance(row), cmp->n_eff, k);
    }
}

/* ---- held out ------------------------------------------------------------------------------- */

/* The sums of a fold's held-out points, into their units. */
static void add_errors(const struct tw_holdout *s, const struct tw_holdout_part *held,
                       const double *yhat, struct tw_compare_cell *cell, size_t *ends)
{
    size_t k = 0;

    for (size_t c = 0; c < held->ncurves; c++)
        for (size_t i = 0; i < held->curves[c].n; i++, k++) {
            const size_t u = s->unit[held->at[k]];
            const double y = held->curves[c].y[i], e = y - yhat[k];

            cell[u].n++;
            cell[u].mae += fabs(e);
            cell[u].pred_e += fabs(e) / y;
            cell[u].bias += e;
            if (i + 1 == held->curves[c].n) {
                cell[u].final_e += fabs(e) / y;
                ends[u]++;
            }
        }
}

/* Fit to the rest and predict what is held; *why says why not. */
static enum tw_status predict_held(const struct tw_law_fit *all, const struct tw_holdout_part *rest,
                                   const struct tw_holdout_part *held, double *yhat, bool *weak,
                                   const char **why, struct tw_err *err)
{
    const struct tw_law *law = all->law;
    struct tw_law_fit_opts o = all->opts;
    struct tw_law_fit fit = { 0 };
    struct tw_err own = { 0 };
    enum tw_status rc;
    void *model;

    o.choose_warmup = false;
    *why = NULL;
    rc = unclear(law, rest->curves, rest->ncurves, o.warmup, why, err);
    if (rc != TW_OK || *why)
        return rc;
    rc = tw_law_fit_run(law, rest->curves, rest->ncurves, &o, &fit, &own);
    if (rc == TW_EDOMAIN)
        *why = "too few points remain, or a loss or input is not positive";
    else if (rc != TW_OK)
        *why = "the fit to the rest found no minimum";
    if (rc != TW_ENOMEM && !*why) {
        *weak = !fit.min.converged || fit.min.at_bounds ||
                !(fit.min.condition < tw_law_max_condition(law));
        model = tw_law_model(law, held->curves, held->ncurves, o.warmup, &own);
        if (!model && own.code != TW_ENOMEM)
            *why = "what is held out is outside the law's domain";
        else
            rc = model && tw_law_predict(law, model, fit.theta, yhat) ? TW_OK : TW_ENOMEM;
        law->model_free(model);
    }
    tw_law_fit_release(&fit);
    return rc == TW_ENOMEM ? no_memory(err) : TW_OK;
}

static enum tw_status run_fold(const struct tw_compare_entry *e, size_t ncurves,
                               const struct tw_holdout *s, size_t f, struct tw_compare_row *row,
                               size_t *ends, struct tw_err *err)
{
    struct tw_holdout_part rest = { 0 }, held = { 0 };
    const char *why = row->fit.law ? NULL : "the law could not be fitted to all data either";
    double *yhat = tw_alloc(s->n, sizeof *yhat);
    enum tw_status rc = TW_OK;
    bool weak = false;

    if (!yhat || !tw_holdout_part_init(&rest, s, f, false, e->law, e->curves, ncurves) ||
        !tw_holdout_part_init(&held, s, f, true, e->law, e->curves, ncurves))
        rc = no_memory(err);
    if (rc == TW_OK && !why && rest.n == 0)
        why = "nothing remains to fit";
    if (rc == TW_OK && !why)
        rc = predict_held(&row->fit, &rest, &held, yhat, &weak, &why, err);
    if (rc == TW_OK && !why)
        add_errors(s, &held, yhat, row->cell, ends);
    for (size_t k = 0; rc == TW_OK && k < held.n; k++) {
        struct tw_compare_cell *cell = &row->cell[s->unit[held.at[k]]];

        cell->why = why;
        cell->weak = weak;
    }
    tw_holdout_part_release(&rest);
    tw_holdout_part_release(&held);
    free(yhat);
    return rc;
}

static enum tw_status hold_out(const struct tw_compare_entry *e, size_t ncurves,
                               const struct tw_holdout *s, struct tw_compare_row *row,
                               struct tw_err *err)
{
    size_t *ends = tw_alloc(s->nunits, sizeof *ends);
    enum tw_status rc = TW_OK;

    row->cell = tw_alloc(s->nunits, sizeof *row->cell);
    if (!row->cell || !ends) {
        free(ends);
        return no_memory(err);
    }
    for (size_t f = 0; rc == TW_OK && f < s->nfolds; f++)
        rc = run_fold(e, ncurves, s, f, row, ends, err);
    for (size_t u = 0; rc == TW_OK && u < s->nunits; u++) {
        struct tw_compare_cell *c = &row->cell[u];

        if (!c->why && c->n == 0)
            c->why = "it has no points";
        if (!c->why && !isfinite(c->pred_e))
            c->why = "the prediction is not finite";
        if (c->why) {
            *c = (struct tw_compare_cell){ c->why, false, 0, NAN, NAN, NAN, NAN };
            continue;
        }
        c->mae /= (double)c->n;
        c->pred_e /= (double)c->n;
        c->bias /= (double)c->n;
        c->final_e /= (double)ends[u];
        row->scored++;
        row->weak += c->weak;
    }
    free(ends);
    return rc;
}

/* ---- ranks and differences ------------------------------------------------------------------ */

static void average(struct tw_compare *cmp)
{
    for (size_t u = 0; u < cmp->nunits; u++) {
        bool any = false;

        cmp->common[u] = true;
        for (size_t i = 0; i < cmp->nrows; i++) {
            any = any || !cmp->row[i].cell[u].why;
            if (cmp->row[i].scored && cmp->row[i].cell[u].why)
                cmp->common[u] = false;
        }
        cmp->common[u] = cmp->common[u] && any;
        cmp->ncommon += cmp->common[u];
    }
    for (size_t i = 0; i < cmp->nrows; i++) {
        struct tw_compare_row *row = &cmp->row[i];

        if (row->scored == 0 || cmp->ncommon == 0)
            continue;
        row->mae = row->pred_e = row->final_e = 0.0;
        for (size_t u = 0; u < cmp->nunits; u++)
            if (cmp->common[u]) {
                row->mae += row->cell[u].mae / (double)cmp->ncommon;
                row->pred_e += row->cell[u].pred_e / (double)cmp->ncommon;
                row->final_e += row->cell[u].final_e / (double)cmp->ncommon;
            }
    }
}

/* NAN comes last; rows that tie keep their order. */
static void sort(struct tw_compare *cmp)
{
    for (size_t i = 1; i < cmp->nrows; i++)
        for (size_t j = i; j > 0; j--) {
            struct tw_compare_row *a = &cmp->row[j - 1], *b = &cmp->row[j], swap;

            if (!(b->pred_e < a->pred_e) && !(isnan(a->pred_e) && !isnan(b->pred_e)))
                break;
            swap = *a;
            *a = *b;
            *b = swap;
        }
}

/* Percentiles of the mean difference over units drawn with replacement, the same ones for both
 * laws (and for every pair of laws). */
static enum tw_status interval(const struct tw_compare *cmp, const struct tw_compare_opts *opts,
                               const double *d, struct tw_compare_row *row, struct tw_err *err)
{
    const size_t n = cmp->ncommon, replicates = opts->replicates;
    double *mean = tw_alloc(replicates, sizeof *mean);

    if (!mean)
        return no_memory(err);
    for (size_t b = 0; b < replicates; b++) {
        struct tw_rng rng = tw_rng_stream(opts->fit.seed, TW_RNG_COMPARE, b);

        for (size_t k = 0; k < n; k++)
            mean[b] += d[tw_rng_below(&rng, n)] / (double)n;
    }
    tw_sort_reals(mean, replicates);
    row->lo = tw_quantile_sorted(mean, replicates, 0.5 - 0.5 * opts->fit.level);
    row->hi = tw_quantile_sorted(mean, replicates, 0.5 + 0.5 * opts->fit.level);
    free(mean);
    return TW_OK;
}

static enum tw_status differences(struct tw_compare *cmp, const struct tw_compare_opts *opts,
                                  struct tw_err *err)
{
    double *d = tw_alloc(cmp->nunits, sizeof *d);
    enum tw_status rc = TW_OK;

    if (!d)
        return no_memory(err);
    for (size_t i = 1; rc == TW_OK && i < cmp->nrows; i++) {
        struct tw_compare_row *row = &cmp->row[i];
        size_t n = 0;

        if (isnan(row->pred_e))
            continue;
        row->difference = row->pred_e - cmp->row[0].pred_e;
        for (size_t u = 0; u < cmp->nunits; u++)
            if (cmp->common[u])
                d[n++] = row->cell[u].pred_e - cmp->row[0].cell[u].pred_e;
        if (n >= TW_COMPARE_MIN_UNITS && opts->replicates)
            rc = interval(cmp, opts, d, row, err);
    }
    free(d);
    return rc;
}

/* ---- the whole ------------------------------------------------------------------------------ */

static enum tw_status check(const struct tw_compare_entry *e, size_t n, size_t ncurves,
                            const struct tw_compare_opts *opts, struct tw_err *err)
{
    const bool runs = n && e[0].law->ninputs;

    if (n == 0 || ncurves == 0)
        return tw_err_set(err, TW_EINVAL, "no law or no data to compare on");
    if (runs && opts->hold != TW_COMPARE_LARGEST)
        return tw_err_set(err, TW_EINVAL, "of runs, the largest size can be held out, not curves");
    for (size_t c = 0; !runs && opts->hold == TW_COMPARE_LARGEST && c < ncurves; c++)
        if (!(e[0].curves[c].size > 0.0))
            return tw_err_set(err, TW_EINVAL,
                              "%s: the size of its model is not known, so the largest size cannot "
                              "be held out: a column N of the log or of the table of schedules, "
                              "or --size=N",
                              e[0].curves[c].name);
    for (size_t i = 1; i < n; i++) {
        if ((e[i].law->ninputs != 0) != runs)
            return tw_err_set(
                err, TW_EINVAL, "%s is a law of %s and %s one of %s: they cannot be compared",
                e[0].law->name, runs ? "runs" : "curves", e[i].law->name, runs ? "curves" : "runs");
        for (size_t c = 0; c < ncurves; c++)
            if (e[i].curves[c].n != e[0].curves[c].n ||
                memcmp(e[i].curves[c].y, e[0].curves[c].y,
                       e[0].curves[c].n * sizeof *e[0].curves[c].y) != 0)
                return tw_err_set(err, TW_EINVAL, "%s: %s and %s take different runs of it",
                                  e[0].curves[c].name, e[0].law->name, e[i].law->name);
    }
    return TW_OK;
}

/* The size of every run, or of every point's model: of runs the input N of the first law that has
 * one, else its first input. */
static double *sizes(const struct tw_compare_entry *e, size_t n, size_t ncurves)
{
    size_t total = 0, k = 0, law = 0, input = 0;
    double *size;

    for (size_t i = n; i-- > 0;)
        for (size_t j = e[i].law->ninputs; j-- > 0;)
            if (!strcmp(e[i].law->inputs[j].name, "N")) {
                law = i;
                input = j;
            }
    for (size_t c = 0; c < ncurves; c++)
        total += e[0].curves[c].n;
    size = tw_alloc(total, sizeof *size);
    for (size_t c = 0; size && c < ncurves; c++)
        for (size_t i = 0; i < e[0].curves[c].n; i++)
            size[k++] = e[0].law->ninputs ? e[law].curves[c].input[input][i] : e[0].curves[c].size;
    return size;
}

static enum tw_status compute(const struct tw_compare_entry *entries, size_t n, size_t ncurves,
                              const struct tw_compare_opts *opts, const struct tw_holdout *split,
                              struct tw_compare *out, struct tw_err *err)
{
    const struct tw_compare_row *first = out->row;
    enum tw_status rc = TW_OK;
    bool any = false;

    out->same_objective = true;
    for (size_t i = 0; rc == TW_OK && i < n; i++) {
        struct tw_compare_row *row = &out->row[i];

        rc = fit_all(&entries[i], ncurves, opts, row, err);
        out->nrows++;
        if (rc == TW_OK)
            rc = hold_out(&entries[i], ncurves, split, row, err);
        any = any || row->fit.law;
        out->same_objective =
            out->same_objective && row->law->plain == first->law->plain &&
            (!row->fit.law || !first->fit.law || row->fit.opts.loss == first->fit.opts.loss);
    }
    if (rc == TW_OK && !any)
        rc = tw_err_set(err, TW_EDOMAIN, "no law could be fitted; %s: %s", first->law->name,
                        first->why);
    if (rc != TW_OK)
        return rc;
    if (opts->hold == TW_COMPARE_LARGEST && !first->law->ninputs)
        rc = tw_compare_end_points(split, entries[0].curves, ncurves, &opts->fit, &out->ends, err);
    if (rc != TW_OK)
        return rc;
    criteria(out);
    average(out);
    sort(out);
    return differences(out, opts, err);
}

enum tw_status tw_compare_run(const struct tw_compare_entry *entries, size_t n, size_t ncurves,
                              const struct tw_compare_opts *opts, struct tw_compare *out,
                              struct tw_err *err)
{
    struct tw_holdout split = { 0 };
    enum tw_status rc = check(entries, n, ncurves, opts, err);
    double *size;

    if (rc != TW_OK)
        return rc;
    out->hold = opts->hold;
    out->inflation = out->n_eff = NAN;
    size = sizes(entries, n, ncurves);
    if (!size)
        return no_memory(err);
    rc = tw_holdout_init(&split, opts->hold, opts->tail, entries[0].curves, ncurves, size, err);
    out->nunits = split.nunits;
    if (rc == TW_OK) {
        out->row = tw_alloc(n, sizeof *out->row);
        out->common = tw_alloc(split.nunits, sizeof *out->common);
        rc = out->row && out->common ? compute(entries, n, ncurves, opts, &split, out, err)
                                     : no_memory(err);
    }
    out->unit = split.name; /* handed over */
    split.name = NULL;
    tw_holdout_release(&split);
    free(size);
    return rc;
}

void tw_compare_release(struct tw_compare *cmp)
{
    for (size_t i = 0; i < cmp->nrows; i++) {
        tw_law_fit_release(&cmp->row[i].fit);
        free(cmp->row[i].cell);
    }
    for (size_t u = 0; cmp->unit && u < cmp->nunits; u++)
        free(cmp->unit[u]);
    free(cmp->row);
    free(cmp->unit);
    free(cmp->common);
    *cmp = (struct tw_compare){ 0 };
}
