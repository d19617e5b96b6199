/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file of kind "compare", for l laws, best first, and u units that were held out in turn:
 *
 *   /hold_out   curve, tail or largest          /laws (l), /units (u)   names
 *   /fit        objective, mae, scale, inflation, aicc, bic, condition (l), on all data
 *   /parameters/LAW   the law's parameters, on all data
 *   /held_out   mae, pred_e, final_e, difference, lo, hi (l), means over the common units
 *   /unit       mae, pred_e, bias, final_e (l, u); NaN: the law could not predict the unit
 *   /common     (u) 1: every law that predicted any unit predicted this one
 */
#include "comparefile.h"

#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct field {
    const char *path, *meaning;
    size_t off;
};

#define ROW(member) offsetof(struct tw_compare_row, member)
static const struct field row_fields[] = {
    { "/fit/objective", "objective of the fit to all data; NaN: none", ROW(fit.min.objective) },
    { "/fit/condition", "condition number of that fit", ROW(fit.min.condition) },
    { "/fit/mae", "its mean |e|", ROW(train_mae) },
    { "/fit/scale", "robust scale of its residuals", ROW(scale) },
    { "/fit/inflation", "points per independent residual", ROW(inflation) },
    { "/fit/aicc", "corrected Akaike criterion", ROW(aicc) },
    { "/fit/bic", "Bayesian information criterion", ROW(bic) },
    { "/held_out/mae", "mean |e| over the common units", ROW(mae) },
    { "/held_out/pred_e", "mean |e| / y over them", ROW(pred_e) },
    { "/held_out/final_e", "mean |e| / y at the last points", ROW(final_e) },
    { "/held_out/difference", "pred_e less that of the best law", ROW(difference) },
    { "/held_out/lo", "lower end of its interval; NaN: too few units", ROW(lo) },
    { "/held_out/hi", "upper end", ROW(hi) },
};

#define CELL(member) offsetof(struct tw_compare_cell, member)
static const struct field cell_fields[] = {
    { "/unit/mae", "mean |e| of each law (rows) on each unit", CELL(mae) },
    { "/unit/pred_e", "mean |e| / y", CELL(pred_e) },
    { "/unit/bias", "mean e", CELL(bias) },
    { "/unit/final_e", "|e| / y at the last point", CELL(final_e) },
};

static double at(const void *base, size_t off)
{
    double x;

    memcpy(&x, (const char *)base + off, sizeof x);
    return x;
}

static enum tw_status put_names(const struct tw_compare *cmp, struct tw_result *r,
                                struct tw_err *err)
{
    static const char *const hold[] = {
        [TW_COMPARE_CURVE] = "curve", [TW_COMPARE_TAIL] = "tail", [TW_COMPARE_LARGEST] = "largest"
    };
    const char **law = tw_alloc(cmp->nrows, sizeof *law);
    uint8_t *common = tw_alloc(cmp->nunits, sizeof *common);
    enum tw_status rc = TW_OK;

    if (!law || !common)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; rc == TW_OK && i < cmp->nrows; i++)
        law[i] = cmp->row[i].law->name;
    for (size_t u = 0; rc == TW_OK && u < cmp->nunits; u++)
        common[u] = cmp->common[u];
    if (rc == TW_OK)
        rc = tw_result_put_text(r, "/hold_out", hold[cmp->hold], "what was held out in turn", err);
    if (rc == TW_OK)
        rc = tw_result_put_texts(r, "/laws", cmp->nrows, law, "the laws, best first", err);
    if (rc == TW_OK)
        rc = tw_result_put_texts(r, "/units", cmp->nunits, (const char *const *)cmp->unit,
                                 "what was held out", err);
    if (rc == TW_OK)
        rc = tw_result_put_bytes(r, "/common", 1, &cmp->nunits, common,
                                 "1: every law that predicted any unit predicted this one", err);
    free(law);
    free(common);
    return rc;
}

static enum tw_status put_rows(const struct tw_compare *cmp, struct tw_result *r, double *v,
                               struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < sizeof row_fields / sizeof *row_fields; k++) {
        for (size_t i = 0; i < cmp->nrows; i++) /* no fit: zeros, which are no numbers */
            v[i] = cmp->row[i].fit.law || k > 1 ? at(&cmp->row[i], row_fields[k].off) : (double)NAN;
        rc = tw_result_put_reals(r, row_fields[k].path, 1, &cmp->nrows, v, "",
                                 row_fields[k].meaning, err);
    }
    for (size_t i = 0; rc == TW_OK && i < cmp->nrows; i++) {
        const struct tw_law *law = cmp->row[i].law;
        struct tw_str names = { 0 };
        char path[96];

        if (!cmp->row[i].fit.law)
            continue;
        (void)snprintf(path, sizeof path, "/parameters/%s", law->name);
        for (size_t j = 0; j < law->nparams; j++)
            tw_str_addf(&names, "%s%s", j ? ", " : "", law->params[j].name);
        rc = names.failed ? tw_err_set(err, TW_ENOMEM, "out of memory")
                          : tw_result_put_reals(r, path, 1, &law->nparams, cmp->row[i].fit.theta,
                                                "", names.s, err);
        tw_str_release(&names);
    }
    return rc;
}

static enum tw_status put_cells(const struct tw_compare *cmp, struct tw_result *r, double *v,
                                struct tw_err *err)
{
    const size_t dims[2] = { cmp->nrows, cmp->nunits };
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < sizeof cell_fields / sizeof *cell_fields; k++) {
        for (size_t i = 0; i < cmp->nrows; i++)
            for (size_t u = 0; u < cmp->nunits; u++) {
                const struct tw_compare_cell *c = &cmp->row[i].cell[u];

                v[i * cmp->nunits + u] = c->why ? (double)NAN : at(c, cell_fields[k].off);
            }
        rc = tw_result_put_reals(r, cell_fields[k].path, 2, dims, v, "", cell_fields[k].meaning,
                                 err);
    }
    return rc;
}

enum tw_status tw_compare_write(const struct tw_compare *cmp, struct tw_result *r,
                                struct tw_err *err)
{
    double *v = tw_alloc(cmp->nrows, (cmp->nunits + 1) * sizeof *v);
    enum tw_status rc = v ? put_names(cmp, r, err) : tw_err_set(err, TW_ENOMEM, "out of memory");

    if (rc == TW_OK)
        rc = put_rows(cmp, r, v, err);
    if (rc == TW_OK)
        rc = put_cells(cmp, r, v, err);
    free(v);
    return rc;
}

/* ---- the figure ------------------------------------------------------------------------------ */

static enum tw_status draw(char *const *law, size_t n, const double *error, size_t units,
                           const char *path, const struct tw_figure_opts *o, struct tw_err *err)
{
    struct tw_figure_curve *curve = tw_alloc(n, sizeof *curve);
    double *x = tw_alloc(units, sizeof *x), *y = tw_alloc(n, units * sizeof *y);
    enum tw_status rc = TW_OK;

    if (!curve || !x || !y)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t u = 0; rc == TW_OK && u < units; u++)
        x[u] = (double)(u + 1);
    for (size_t i = 0; rc == TW_OK && i < n; i++) {
        curve[i] = (struct tw_figure_curve){ .name = law[i],
                                             .role = "fitted",
                                             .n = units,
                                             .x = x,
                                             .y = y + i * units,
                                             .fitted_to = (double)NAN };
        for (size_t u = 0; u < units; u++)
            y[i * units + u] = 100.0 * error[i * units + u];
    }
    if (rc == TW_OK)
        rc = tw_figure_curves(path,
                              &(struct tw_figure_curves){ .x_label = "held out (row of the table)",
                                                          .y_label = "mean error (%)",
                                                          .n = n,
                                                          .curves = curve,
                                                          .log_y = true },
                              o, err);
    free(curve);
    free(x);
    free(y);
    return rc;
}

enum tw_status tw_compare_figure(const char *file, const char *path, const struct tw_figure_opts *o,
                                 struct tw_err *err)
{
    struct tw_result *r = tw_result_open(file, "compare", err);
    double *error = NULL;
    size_t n = 0, dims[2] = { 0, 0 };
    char **law = NULL;
    enum tw_status rc;

    if (!r)
        return err->code;
    rc = tw_result_get_texts(r, "/laws", &n, &law, err);
    if (rc == TW_OK)
        rc = tw_result_get_reals(r, "/unit/pred_e", 2, dims, &error, err);
    if (rc == TW_OK && (n == 0 || dims[0] != n || dims[1] == 0))
        rc = tw_err_set(err, TW_EFORMAT, "%s: /unit/pred_e does not have a row for each of /laws",
                        file);
    if (rc == TW_OK)
        rc = draw(law, n, error, dims[1], path, o, err);
    for (size_t i = 0; law && i < n; i++)
        free(law[i]);
    free(law);
    free(error);
    tw_result_done(r);
    return rc;
}
