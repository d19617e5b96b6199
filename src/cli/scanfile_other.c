/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Surfaces of other programs: loss-landscape's (xcoordinates, ycoordinates, train_loss), and those
 * of nreHieW/loss (numbers loss_I_J without coordinates). */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "scanfile.h"
#include "thalweg/store_weights.h"

static const struct tw_array *column(const struct tw_named_list *l, const char *what)
{
    static const char *const part[] = { "train", "test" };
    const struct tw_array *a = NULL;

    for (size_t k = 0; !a && k < 2; k++) {
        char name[32];

        (void)snprintf(name, sizeof name, "%s_%s", part[k], what);
        a = tw_named_find(l, name);
    }
    return a;
}

/* -1 stands for "not computed". */
static double value(const struct tw_array *a, size_t i)
{
    const double v = tw_array_real(a, i);

    return v == -1.0 ? nan("") : v;
}

static enum tw_status name_it(struct tw_scan *s, const char *chart, struct tw_err *err)
{
    char **texts[] = { &s->chart, &s->normalise, &s->biases, &s->bn, &s->objective };
    bool good = true;

    for (size_t k = 0; k < 5; k++) {
        *texts[k] = tw_strdup(k ? "" : chart);
        good = good && *texts[k];
    }
    for (size_t i = 0; i < s->nx * s->ny; i++)
        s->status[i] = (uint8_t)(isnan(s->field[SCAN_LOSS][i]) ? TW_POINT_TODO : TW_POINT_DONE);
    /* It has no standard errors. */
    for (size_t k = SCAN_LOSS_SE; k < SCAN_FIELDS; k += 2) {
        free(s->field[k]);
        s->field[k] = NULL;
    }
    return good ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

/* Element k of the values is at x[k mod nx], y[k div nx], whatever shape they declare. */
static enum tw_status from_loss_landscape(const struct tw_named_list *l, struct tw_scan *s,
                                          struct tw_err *err)
{
    const struct tw_array *x = tw_named_find(l, "xcoordinates"),
                          *y = tw_named_find(l, "ycoordinates");
    const struct tw_array *loss = column(l, "loss"), *acc = column(l, "acc");
    const size_t nx = x->n, ny = y ? y->n : 1;
    enum tw_status rc;

    if (nx < 2 || (y && ny < 2))
        return tw_err_set(err, TW_EFORMAT,
                          "%zu x %zu coordinates make no surface, which has 2 x 2 points or more "
                          "(a line: 2 x 1)",
                          nx, ny);
    if (loss->n / nx != ny || loss->n % nx || (acc && acc->n != loss->n))
        return tw_err_set(err, TW_EFORMAT, "%zu values do not fit %zu x %zu coordinates", loss->n,
                          nx, ny);
    rc = tw_scan_make(s, nx, ny, acc != NULL, err);
    if (rc != TW_OK)
        return rc;
    for (size_t i = 0; i < nx; i++)
        s->x[i] = tw_array_real(x, i);
    for (size_t i = 0; y && i < ny; i++)
        s->y[i] = tw_array_real(y, i);
    for (size_t i = 0; i < nx * ny; i++) {
        s->field[SCAN_LOSS][i] = value(loss, i);
        if (acc)
            s->field[SCAN_ERROR][i] = 1.0 - value(acc, i) / 100.0;
    }
    return name_it(s, "loss-landscape", err);
}

/* "loss_3_14"; *i and *j below a million. */
static bool indices(const char *name, size_t *i, size_t *j)
{
    unsigned a = 0, b = 0;
    int n = 0;

    if (sscanf(name, "loss_%6u_%6u%n", &a, &b, &n) != 2 || name[n]) /* NOLINT(cert-err34-c) */
        return false;
    *i = a;
    *j = b;
    return true;
}

static enum tw_status from_scalars(const struct tw_named_list *l, struct tw_scan *s,
                                   struct tw_err *err)
{
    size_t nx = 0, ny = 0, i, j, n = 0;
    enum tw_status rc;

    for (size_t k = 0; k < l->n; k++)
        if (indices(l->item[k].name, &i, &j) && l->item[k].array.n == 1) {
            nx = j >= nx ? j + 1 : nx;
            ny = i >= ny ? i + 1 : ny;
            n++;
        }
    /* Holes may be many, but not most. */
    if (nx < 2 || ny < 2 || nx * ny > 4 * n)
        return tw_err_set(err, TW_EFORMAT, "its numbers loss_I_J make no plane");
    rc = tw_scan_make(s, nx, ny, false, err);
    if (rc != TW_OK)
        return rc;
    for (i = 0; i < nx; i++)
        s->x[i] = (double)i;
    for (j = 0; j < ny; j++)
        s->y[j] = (double)j;
    for (size_t k = 0; k < l->n; k++)
        if (indices(l->item[k].name, &i, &j) && l->item[k].array.n == 1)
            s->field[SCAN_LOSS][i * nx + j] = tw_array_real(&l->item[k].array, 0);
    return name_it(s, "numbers without coordinates", err);
}

enum tw_status tw_scan_read_other(const char *path, struct tw_scan *s, bool *is, struct tw_err *err)
{
    struct tw_named_list l = { 0 };
    struct tw_err why = { 0 };
    enum tw_status rc = TW_OK;
    struct tw_result *ours = tw_is_hdf5(path) ? tw_result_open(path, NULL, &why) : NULL;
    size_t i, j;

    *s = (struct tw_scan){ 0 };
    *is = false;
    if (ours) {
        tw_result_done(ours);
        return TW_OK;
    }
    why = (struct tw_err){ 0 };
    if (!tw_is_hdf5(path) || tw_store_weights_read(path, NULL, &l, NULL, &why) != TW_OK)
        return TW_OK;
    if (tw_named_find(&l, "xcoordinates") && column(&l, "loss")) {
        *is = true;
        rc = from_loss_landscape(&l, s, err);
    } else {
        for (size_t k = 0; !*is && k < l.n; k++)
            *is = indices(l.item[k].name, &i, &j);
        if (*is)
            rc = from_scalars(&l, s, err);
    }
    tw_named_release(&l);
    if (rc != TW_OK) {
        tw_scan_release(s);
        return tw_err_ctx(err, rc, "%s", path);
    }
    return TW_OK;
}
