/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * A file of kind "forecast" holds the fit (fitfile_write.c) and, for each forecast i, the group
 * /forecast/i: name, schedule, rates, base, batch; line (6, m): x, loss, lo68, hi68, lo95,
 * hi95; final (6): the same at the position that was reported; measured (2, n): x and loss;
 * scores (10): n, r2, mae, rmse, pred_e, worst_e, bias, final_error, coverage68, coverage95.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "forecast.h"

static void name_of(char path[96], size_t i, const char *what)
{
    (void)snprintf(path, 96, "/forecast/%zu/%s", i, what);
}

/* x and the five arrays of a band lie one after another in memory. */
static enum tw_status write_one(const struct tw_forecast *f, size_t i, struct tw_result *r,
                                struct tw_err *err)
{
    const struct tw_law_score *s = &f->score;
    const double final[6] = {
        f->at, f->final[0], f->final[1], f->final[2], f->final[3], f->final[4]
    };
    const double scores[10] = {
        (double)s->n, s->r2,   s->mae,         s->rmse,       s->pred_e,
        s->worst_e,   s->bias, s->final_error, f->coverage68, f->coverage95
    };
    const size_t line[2] = { 6, f->line.n }, six = 6, ten = 10, two[2] = { 2, f->n };
    double *measured = tw_alloc(2 * f->n, sizeof *measured);
    enum tw_status rc;
    char path[96];

    if (!measured)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    name_of(path, i, "name");
    rc = tw_result_put_text(r, path, f->name, "name of the forecast", err);
    name_of(path, i, "schedule");
    if (rc == TW_OK)
        rc = tw_result_put_text(r, path, f->schedule.spec, "learning-rate schedule", err);
    name_of(path, i, "rates");
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, path, 1, &f->schedule.n, f->schedule.lr, "",
                                 "learning rate of every step", err);
    name_of(path, i, "base");
    if (rc == TW_OK)
        rc = tw_result_put_real(r, path, f->schedule.base, "", "number of the first step", err);
    name_of(path, i, "batch");
    if (rc == TW_OK)
        rc = tw_result_put_real(r, path, f->schedule.batch, "", "units of x per step", err);
    name_of(path, i, "line");
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, path, 2, line, f->line.x, "",
                                 "rows: x, loss, lo68, hi68, lo95, hi95", err);
    name_of(path, i, "final");
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, path, 1, &six, final, "",
                                 "at the reported position: x, loss, lo68, hi68, lo95, hi95", err);
    if (rc == TW_OK && f->n) {
        memcpy(measured, f->x, f->n * sizeof *f->x);
        memcpy(measured + f->n, f->y, f->n * sizeof *f->y);
        name_of(path, i, "measured");
        rc = tw_result_put_reals(r, path, 2, two, measured, "", "rows: x, loss", err);
        name_of(path, i, "scores");
        if (rc == TW_OK)
            rc = tw_result_put_reals(r, path, 1, &ten, scores, "",
                                     "n, r2, mae, rmse, pred_e, worst_e, bias, final_error, "
                                     "coverage68, coverage95",
                                     err);
    }
    free(measured);
    return rc;
}

enum tw_status tw_forecast_write(const struct tw_forecast_set *set, struct tw_result *r,
                                 struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; rc == TW_OK && i < set->n; i++)
        rc = write_one(&set->v[i], i, r, err);
    return rc;
}

/* ---- reading ------------------------------------------------------------------------------- */

static enum tw_status read_schedule(struct tw_result *r, size_t i, struct tw_forecast *f,
                                    struct tw_err *err)
{
    double base = 0.0;
    enum tw_status rc;
    char path[96];

    name_of(path, i, "name");
    rc = tw_result_get_text(r, path, &f->name, err);
    name_of(path, i, "schedule");
    if (rc == TW_OK)
        rc = tw_result_get_text(r, path, &f->schedule.spec, err);
    name_of(path, i, "rates");
    if (rc == TW_OK)
        rc = tw_result_get_reals(r, path, 1, &f->schedule.n, &f->schedule.lr, err);
    name_of(path, i, "base");
    if (rc == TW_OK)
        rc = tw_result_get_real(r, path, &base, err);
    name_of(path, i, "batch");
    if (rc == TW_OK)
        rc = tw_result_get_real(r, path, &f->schedule.batch, err);
    f->schedule.base = base == 1.0;
    if (rc == TW_OK && (f->schedule.n == 0 || !(f->schedule.batch > 0.0)))
        rc = tw_err_set(err, TW_EFORMAT, "/forecast/%zu: a schedule without steps", i);
    for (size_t k = 0; rc == TW_OK && k < f->schedule.n; k++)
        if (!(f->schedule.lr[k] >= 0.0) || !isfinite(f->schedule.lr[k]))
            rc = tw_err_set(err, TW_EFORMAT, "/forecast/%zu/rates: %g is no learning rate", i,
                            f->schedule.lr[k]);
    return rc;
}

static enum tw_status read_one(struct tw_result *r, size_t i, struct tw_forecast *f,
                               struct tw_err *err)
{
    double *measured = NULL;
    size_t dims[2];
    enum tw_status rc = read_schedule(r, i, f, err);
    char path[96];

    name_of(path, i, "line");
    if (rc == TW_OK)
        rc = tw_result_get_reals(r, path, 2, dims, &f->line.x, err);
    if (rc == TW_OK && dims[0] != 6)
        rc = tw_err_set(err, TW_EFORMAT, "%s: expected 6 rows, found %zu", path, dims[0]);
    if (rc == TW_OK) {
        const size_t n = f->line.n = dims[1];

        f->line.band = (struct tw_law_band){ .y = f->line.x + n,
                                             .lo68 = f->line.x + 2 * n,
                                             .hi68 = f->line.x + 3 * n,
                                             .lo95 = f->line.x + 4 * n,
                                             .hi95 = f->line.x + 5 * n };
    }
    name_of(path, i, "measured");
    if (rc != TW_OK || !tw_result_has(r, path))
        return rc;
    rc = tw_result_get_reals(r, path, 2, dims, &measured, err);
    if (rc == TW_OK && dims[0] != 2)
        rc = tw_err_set(err, TW_EFORMAT, "%s: expected 2 rows, found %zu", path, dims[0]);
    if (rc == TW_OK) {
        f->n = dims[1];
        f->x = measured;
        f->y = tw_alloc(f->n, sizeof *f->y);
        if (f->y)
            memcpy(f->y, measured + f->n, f->n * sizeof *f->y);
        else
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
        measured = NULL;
    }
    free(measured);
    return rc;
}

enum tw_status tw_forecast_read(const char *path, struct tw_fit_file *f,
                                struct tw_forecast_set *set, struct tw_err *err)
{
    struct tw_err own = { 0 };
    struct tw_result *r;
    enum tw_status rc = tw_fit_file_read(path, f, err);

    if (rc != TW_OK)
        return rc;
    err = err ? err : &own;
    r = tw_result_open(path, NULL, err); /* of a kind that holds a fit */
    if (!r)
        return err->code;
    for (size_t i = 0; rc == TW_OK; i++) {
        char name[96];

        name_of(name, i, "line");
        if (!tw_result_has(r, name))
            break;
        if (!tw_grow(&set->v, set->n, &set->cap, sizeof *set->v)) {
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
            break;
        }
        set->v[set->n] = (struct tw_forecast){ 0 };
        rc = read_one(r, i, &set->v[set->n++], err);
    }
    tw_result_done(r);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}
