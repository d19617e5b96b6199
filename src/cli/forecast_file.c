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
#include "thalweg/store_reader.h"

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

static void read_schedule(struct tw_reader *in, size_t i, struct tw_forecast *f)
{
    struct tw_schedule *q = &f->schedule;
    char path[96];

    name_of(path, i, "name");
    f->name = tw_reader_text(in, path);
    name_of(path, i, "schedule");
    q->spec = tw_reader_text(in, path);
    name_of(path, i, "rates");
    q->n = SIZE_MAX;
    q->lr = tw_reader_reals(in, path, 1, &q->n);
    name_of(path, i, "base");
    q->base = tw_reader_real(in, path) == 1.0;
    name_of(path, i, "batch");
    q->batch = tw_reader_real(in, path);
    if (q->n == 0 || !(q->batch > 0.0))
        tw_reader_refuse(in, "/forecast/%zu: a schedule without steps", i);
    for (size_t k = 0; in->rc == TW_OK && k < q->n; k++)
        if (!(q->lr[k] >= 0.0) || !isfinite(q->lr[k]))
            tw_reader_refuse(in, "/forecast/%zu/rates: %g is no learning rate", i, q->lr[k]);
}

static void read_one(struct tw_reader *in, size_t i, struct tw_forecast *f)
{
    size_t dims[2] = { 6, SIZE_MAX };
    char path[96];

    read_schedule(in, i, f);
    name_of(path, i, "line");
    f->line.x = tw_reader_reals(in, path, 2, dims);
    if (f->line.x) {
        const size_t n = f->line.n = dims[1];

        f->line.band = (struct tw_law_band){ .y = f->line.x + n,
                                             .lo68 = f->line.x + 2 * n,
                                             .hi68 = f->line.x + 3 * n,
                                             .lo95 = f->line.x + 4 * n,
                                             .hi95 = f->line.x + 5 * n };
    }
    name_of(path, i, "measured");
    if (!tw_reader_has(in, path))
        return;
    dims[0] = 2;
    dims[1] = SIZE_MAX;
    f->x = tw_reader_reals(in, path, 2, dims);
    if (!f->x)
        return;
    f->y = tw_alloc(dims[1], sizeof *f->y);
    if (!f->y) {
        tw_reader_no_memory(in);
        return;
    }
    f->n = dims[1];
    memcpy(f->y, f->x + f->n, f->n * sizeof *f->y);
}

enum tw_status tw_forecast_read(const char *path, struct tw_fit_file *f,
                                struct tw_forecast_set *set, struct tw_err *err)
{
    struct tw_err own = { 0 };
    struct tw_reader in;
    enum tw_status rc = tw_fit_file_read(path, f, err);

    if (rc != TW_OK)
        return rc;
    in = tw_reader_open(path, NULL, err ? err : &own); /* of a kind that holds a fit */
    for (size_t i = 0; in.rc == TW_OK; i++) {
        char name[96];

        name_of(name, i, "line");
        if (!tw_reader_has(&in, name))
            break;
        if (!tw_grow(&set->v, set->n, &set->cap, sizeof *set->v)) {
            tw_reader_no_memory(&in);
            break;
        }
        set->v[set->n] = (struct tw_forecast){ 0 };
        read_one(&in, i, &set->v[set->n++]);
    }
    return tw_reader_close(&in);
}
