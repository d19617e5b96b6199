/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "comparereport.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fitfile_parts.h"

static bool of_largest_curves(const struct tw_compare *cmp)
{
    return cmp->hold == TW_COMPARE_LARGEST && cmp->nrows && !cmp->row[0].law->ninputs;
}

/* What is held out, in words. */
static const char *held(const struct tw_compare *cmp)
{
    static const char *const words[] = {
        [TW_COMPARE_CURVE] = "held-out curves",
        [TW_COMPARE_TAIL] = "the held-out ends of the curves",
        [TW_COMPARE_LARGEST] = "the held-out largest runs",
    };

    return of_largest_curves(cmp) ? "the curves of the held-out largest size" : words[cmp->hold];
}

static const char *units(const struct tw_compare *cmp)
{
    static const char *const words[] = {
        [TW_COMPARE_CURVE] = "schedules",
        [TW_COMPARE_TAIL] = "curves",
        [TW_COMPARE_LARGEST] = "runs",
    };

    return of_largest_curves(cmp) ? "curves" : words[cmp->hold];
}

/* ---- who is best by what ----------------------------------------------------------------------
 */

static double by_aicc(const struct tw_compare_row *row)
{
    return row->aicc;
}

static double by_bic(const struct tw_compare_row *row)
{
    return row->bic;
}

static double by_objective(const struct tw_compare_row *row)
{
    return row->fit.law ? row->fit.min.objective : (double)NAN;
}

static double by_train_mae(const struct tw_compare_row *row)
{
    return row->train_mae;
}

/* The row of least value; NULL if none has one. */
static const struct tw_compare_row *least(const struct tw_compare *cmp,
                                          double (*value)(const struct tw_compare_row *row))
{
    const struct tw_compare_row *best = NULL;

    for (size_t i = 0; i < cmp->nrows; i++)
        if (!isnan(value(&cmp->row[i])) && (!best || value(&cmp->row[i]) < value(best)))
            best = &cmp->row[i];
    return best;
}

/* ---- verdict ----------------------------------------------------------------------------------
 */

static const char *agrees(const struct tw_compare *cmp,
                          double (*value)(const struct tw_compare_row *row))
{
    const struct tw_compare_row *best = least(cmp, value);

    return !best ? "has no value" : best == &cmp->row[0] ? "agrees" : "disagrees";
}

/* 1: the first law is better than the second beyond the interval; 0: not so; -1: too few. */
static int clear(const struct tw_compare *cmp)
{
    if (cmp->nrows < 2 || isnan(cmp->row[1].lo))
        return -1;
    return cmp->row[1].lo > 0.0;
}

static void verdict(const struct tw_compare *cmp, const struct tw_compare_opts *opts,
                    struct tw_str *out)
{
    const struct tw_compare_row *a = &cmp->row[0], *b = a + 1;

    if (isnan(a->pred_e)) {
        tw_str_addf(out, "no verdict: every law failed on some part of %s", held(cmp));
        return;
    }
    if (cmp->nrows < 2 || isnan(b->pred_e)) {
        tw_str_addf(out, "%s predicts %s to %.3g %%; no other law could be scored", a->law->name,
                    held(cmp), 100.0 * a->pred_e);
        return;
    }
    if (clear(cmp) == 0)
        tw_str_addf(out, "%s and %s cannot be told apart on %s", a->law->name, b->law->name,
                    held(cmp));
    else
        tw_str_addf(out, "%s predicts %s better than %s", a->law->name, held(cmp), b->law->name);
    tw_str_addf(out, ": %.3g %% against %.3g %%", 100.0 * a->pred_e, 100.0 * b->pred_e);
    if (cmp->ncommon < cmp->nunits)
        tw_str_addf(out, " on the %zu of %zu %s that both could predict", cmp->ncommon, cmp->nunits,
                    units(cmp));
    if (cmp->ncommon < TW_COMPARE_MIN_UNITS)
        tw_str_addf(out, " (too few to be sure: an interval needs %d %s, not %zu)",
                    TW_COMPARE_MIN_UNITS, units(cmp), cmp->ncommon);
    else if (clear(cmp) < 0)
        tw_str_add(out, " (no interval asked for)");
    else
        tw_str_addf(out, " (difference %.3g %%, %.3g %% interval %.3g to %.3g)",
                    100.0 * b->difference, 100.0 * opts->fit.level, 100.0 * b->lo, 100.0 * b->hi);
    tw_str_addf(out, "; AICc %s, BIC %s", agrees(cmp, by_aicc), agrees(cmp, by_bic));
}

/* ---- tables -----------------------------------------------------------------------------------
 */

static void above_least(struct tw_table *t, double x, const struct tw_compare_row *best,
                        double (*value)(const struct tw_compare_row *row))
{
    tw_table_real(t, "%.1f", best ? x - value(best) : (double)NAN);
}

static void share(struct tw_table *t, size_t part, size_t whole)
{
    char text[64];

    (void)snprintf(text, sizeof text, "%zu/%zu", part, whole);
    tw_table_text(t, text);
}

static void fit_table(const struct tw_compare *cmp)
{
    static const char *const head[] = { "law",       "free",   "objective", "MAE",
                                        "condition", "starts", "+AICc",     "+BIC" };
    const struct tw_compare_row *aicc = least(cmp, by_aicc), *bic = least(cmp, by_bic);
    struct tw_table t = { 0 };

    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    for (size_t i = 0; i < cmp->nrows; i++) {
        const struct tw_compare_row *row = &cmp->row[i];

        tw_table_text(&t, row->law->name);
        tw_table_size(&t, row->law->nparams);
        tw_table_real(&t, "%.6g", by_objective(row));
        tw_table_real(&t, "%.5f", row->train_mae);
        tw_table_real(&t, "%.2g", row->fit.law ? row->fit.min.condition : (double)NAN);
        share(&t, row->fit.at_optimum, row->fit.starts);
        above_least(&t, row->aicc, aicc, by_aicc);
        above_least(&t, row->bic, bic, by_bic);
    }
    tw_table_print(&t);
}

static void held_table(const struct tw_compare *cmp)
{
    static const char *const head[] = { "law",     "scored",       "MAE",  "PredE %",
                                        "final %", "difference %", "from", "to" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    for (size_t i = 0; i < cmp->nrows; i++) {
        const struct tw_compare_row *row = &cmp->row[i];

        tw_table_text(&t, row->law->name);
        share(&t, row->scored, cmp->nunits);
        tw_table_real(&t, "%.5f", row->mae);
        tw_table_real(&t, "%.3f", 100.0 * row->pred_e);
        tw_table_real(&t, "%.3f", 100.0 * row->final_e);
        tw_table_real(&t, "%+.3f", 100.0 * row->difference);
        tw_table_real(&t, "%+.3f", 100.0 * row->lo);
        tw_table_real(&t, "%+.3f", 100.0 * row->hi);
    }
    tw_table_print(&t);
}

/* The mean relative error of each law on each unit. */
static void unit_table(const struct tw_compare *cmp)
{
    enum { MAX = 12 };
    const size_t n = cmp->nrows < MAX ? cmp->nrows : MAX;
    const char *head[MAX + 1] = { "PredE %" };
    struct tw_table t = { 0 };

    for (size_t i = 0; i < n; i++)
        head[i + 1] = cmp->row[i].law->name;
    tw_table_head(&t, head, n + 1);
    for (size_t u = 0; u < cmp->nunits; u++) {
        tw_table_text(&t, cmp->unit[u]);
        for (size_t i = 0; i < n; i++) {
            const struct tw_compare_cell *cell = &cmp->row[i].cell[u];

            if (cell->why)
                tw_table_text(&t, "cannot");
            else
                tw_table_real(&t, cell->weak ? "%.3f*" : "%.3f", 100.0 * cell->pred_e);
        }
    }
    tw_table_print(&t);
}

/* Each reason once a law. */
static void print_reasons(const struct tw_compare *cmp)
{
    for (size_t i = 0; i < cmp->nrows; i++) {
        const struct tw_compare_row *row = &cmp->row[i];

        for (size_t u = 0; u < cmp->nunits; u++) {
            const char *why = row->cell[u].why;
            size_t times = 0, first = u;

            for (size_t v = 0; why && v < cmp->nunits; v++)
                if (row->cell[v].why && !strcmp(row->cell[v].why, why)) {
                    first = v < first ? v : first;
                    times++;
                }
            if (why && first == u)
                printf("%s cannot predict %s%s: %s\n", row->law->name, cmp->unit[u],
                       times > 1 ? " and others" : "", why);
        }
        if (row->weak)
            printf("* %s: the points left to fit did not determine its parameters well (one at or "
                   "running to a bound, or a condition above %g)\n",
                   row->law->name, tw_law_max_condition(row->law));
    }
}

static void print(const struct tw_compare *cmp, const char *text)
{
    fit_table(cmp);
    printf("\nall %zu points; criteria for the %.4g that are independent (%.3g points each), above "
           "the least\n\n",
           cmp->points, cmp->n_eff, cmp->inflation);
    held_table(cmp);
    printf("\nmeans over %zu of %zu %s\n\n", cmp->ncommon, cmp->nunits, units(cmp));
    unit_table(cmp);
    print_reasons(cmp);
    if (cmp->ends.law)
        printf("\n%s on end points alone, fitted to the last points of %zu curves (N, tokens), "
               "errs by %.3f %% at those of the %zu held out (mean error %+.3f %%): compare with "
               "'final %%'\n",
               cmp->ends.law->name, cmp->ends.fitted, 100.0 * cmp->ends.error, cmp->ends.held,
               100.0 * cmp->ends.bias);
    printf("\n%s\n", text);
}

/* ---- JSON -------------------------------------------------------------------------------------
 */

static void json_fit(struct tw_json *j, const struct tw_compare_row *row)
{
    const struct tw_law_fit *fit = &row->fit;

    tw_json_text(j, "loss", fit->law ? tw_fit_loss_names[fit->opts.loss] : NULL);
    tw_json_text(j, "warmup",
                 fit->law && !fit->law->ninputs ? tw_warmup_names[fit->opts.warmup] : NULL);
    tw_json_open(j, "parameters", '{');
    for (size_t k = 0; fit->law && k < row->law->nparams; k++)
        tw_json_real(j, row->law->params[k].name, fit->theta[k]);
    tw_json_close(j, '}');
    tw_json_size(j, "nparams", row->law->nparams);
    tw_json_real(j, "objective", by_objective(row));
    tw_json_real(j, "mae", row->train_mae);
    tw_json_real(j, "scale", row->scale);
    tw_json_real(j, "inflation", row->inflation);
    tw_json_real(j, "aicc", row->aicc);
    tw_json_real(j, "bic", row->bic);
    tw_json_open(j, "certificate", '{');
    tw_json_size(j, "starts", fit->starts);
    tw_json_real(j, "share_at_optimum",
                 fit->starts ? (double)fit->at_optimum / (double)fit->starts : (double)NAN);
    tw_json_real(j, "condition", fit->law ? fit->min.condition : (double)NAN);
    tw_json_bool(j, "converged", fit->min.converged);
    tw_json_open(j, "at_bounds", '[');
    for (size_t k = 0; k < row->law->nparams; k++)
        if (fit->min.at_bounds >> k & 1u)
            tw_json_text(j, NULL, row->law->params[k].name);
    tw_json_close(j, ']');
    tw_json_close(j, '}');
}

static void json_held(struct tw_json *j, const struct tw_compare *cmp,
                      const struct tw_compare_row *row)
{
    tw_json_open(j, "held_out", '{');
    tw_json_size(j, "scored", row->scored);
    tw_json_size(j, "weak", row->weak);
    tw_json_real(j, "mae", row->mae);
    tw_json_real(j, "pred_e", row->pred_e);
    tw_json_real(j, "final_e", row->final_e);
    tw_json_open(j, "difference", '{');
    tw_json_real(j, "value", row->difference);
    tw_json_real(j, "lo", row->lo);
    tw_json_real(j, "hi", row->hi);
    tw_json_close(j, '}');
    tw_json_open(j, "units", '[');
    for (size_t u = 0; u < cmp->nunits; u++) {
        const struct tw_compare_cell *cell = &row->cell[u];

        tw_json_open(j, NULL, '{');
        tw_json_text(j, "name", cmp->unit[u]);
        tw_json_text(j, "cannot", cell->why);
        tw_json_bool(j, "weak", cell->weak);
        tw_json_size(j, "n", cell->n);
        tw_json_real(j, "mae", cell->mae);
        tw_json_real(j, "pred_e", cell->pred_e);
        tw_json_real(j, "bias", cell->bias);
        tw_json_real(j, "final_e", cell->final_e);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    tw_json_close(j, '}');
}

static void json_best(struct tw_json *j, const char *key, const struct tw_compare_row *row)
{
    tw_json_text(j, key, row ? row->law->name : NULL);
}

static void write_json(struct tw_json *j, const struct tw_compare *cmp, const char *text)
{
    static const char *const hold[] = {
        [TW_COMPARE_CURVE] = "curve", [TW_COMPARE_TAIL] = "tail", [TW_COMPARE_LARGEST] = "largest"
    };

    tw_json_text(j, "hold_out", hold[cmp->hold]);
    tw_json_size(j, "units", cmp->nunits);
    tw_json_size(j, "common_units", cmp->ncommon);
    tw_json_size(j, "points", cmp->points);
    tw_json_real(j, "inflation", cmp->inflation);
    tw_json_real(j, "n_eff", cmp->n_eff);
    tw_json_open(j, "laws", '[');
    for (size_t i = 0; i < cmp->nrows; i++) {
        const struct tw_compare_row *row = &cmp->row[i];

        tw_json_open(j, NULL, '{');
        tw_json_text(j, "law", row->law->name);
        if (row->law->own)
            tw_json_text(j, "expression", row->law->formula);
        tw_json_text(j, "cannot", *row->why ? row->why : row->unclear);
        json_fit(j, row);
        json_held(j, cmp, row);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    if (cmp->ends.law) {
        tw_json_open(j, "end_points", '{');
        tw_json_text(j, "law", cmp->ends.law->name);
        tw_json_open(j, "parameters", '{');
        for (size_t k = 0; k < cmp->ends.law->nparams; k++)
            tw_json_real(j, cmp->ends.law->params[k].name, cmp->ends.theta[k]);
        tw_json_close(j, '}');
        tw_json_size(j, "fitted", cmp->ends.fitted);
        tw_json_size(j, "held_out", cmp->ends.held);
        tw_json_real(j, "error", cmp->ends.error);
        tw_json_real(j, "bias", cmp->ends.bias);
        tw_json_close(j, '}');
    }
    tw_json_open(j, "verdict", '{');
    tw_json_text(j, "text", text);
    json_best(j, "held_out", isnan(cmp->row[0].pred_e) ? NULL : &cmp->row[0]);
    json_best(j, "aicc", least(cmp, by_aicc));
    json_best(j, "bic", least(cmp, by_bic));
    json_best(j, "objective", cmp->same_objective ? least(cmp, by_objective) : NULL);
    tw_json_bool(j, "clear", clear(cmp) > 0);
    tw_json_bool(j, "too_few_units", clear(cmp) < 0);
    tw_json_close(j, '}');
}

/* ---- warnings ---------------------------------------------------------------------------------
 */

static void warn(struct tw_call *call, const struct tw_compare *cmp)
{
    const struct tw_compare_row *first = &cmp->row[0];
    const struct tw_compare_row *trained =
        cmp->same_objective ? least(cmp, by_objective) : least(cmp, by_train_mae);

    if (!isnan(first->pred_e) && trained && trained != first && !isnan(trained->pred_e))
        tw_cmd_warn(call,
                    "%s has the lowest training %s and %s the lowest error on %s: a lower training "
                    "objective is not a lower held-out error",
                    trained->law->name, cmp->same_objective ? "objective" : "error",
                    first->law->name, held(cmp));
    for (size_t i = 0; i < cmp->nrows; i++) {
        const struct tw_compare_row *row = &cmp->row[i];

        if (*row->why)
            tw_cmd_warn(call, "%s cannot be fitted: %s", row->law->name, row->why);
        else if (row->unclear)
            tw_cmd_warn(call, "%s: %s", row->law->name, row->unclear);
        else if (!row->fit.min.converged)
            tw_cmd_warn(call, "%s: the best of %zu start%s stopped before its minimum",
                        row->law->name, row->fit.starts, tw_plural(row->fit.starts));
    }
    if (cmp->ncommon < cmp->nunits && cmp->ncommon > 0)
        tw_cmd_warn(call, "%zu of %zu %s count: the others could not be predicted by every law",
                    cmp->ncommon, cmp->nunits, units(cmp));
}

void tw_compare_report(struct tw_call *call, const struct tw_compare *cmp,
                       const struct tw_compare_opts *opts)
{
    struct tw_str text = { 0 };

    verdict(cmp, opts, &text);
    if (call->common.json)
        write_json(&call->json, cmp, text.s ? text.s : "");
    else
        print(cmp, text.s ? text.s : "");
    tw_str_release(&text);
    warn(call, cmp);
}
