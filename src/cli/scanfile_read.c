/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scan from its file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scanfile.h"

static enum tw_status get(struct tw_result *r, const char *path, int rank, const size_t *want,
                          double **x, struct tw_err *err)
{
    size_t dims[TW_RESULT_MAX_RANK];
    enum tw_status rc;

    free(*x);
    *x = NULL;
    rc = tw_result_get_reals(r, path, rank, dims, x, err);
    for (int i = 0; rc == TW_OK && i < rank; i++)
        if (dims[i] != want[i])
            rc = tw_err_set(err, TW_EFORMAT, "%s does not fit the other arrays", path);
    return rc;
}

static enum tw_status read_marks(struct tw_result *r, struct tw_scan *s, struct tw_err *err)
{
    const size_t two = 2;
    double *pair = NULL;
    enum tw_status rc = tw_result_get_texts(r, "/checkpoints/name", &s->nmark, &s->mark, err);

    if (rc == TW_OK)
        rc = get(r, "/checkpoints/x", 1, &s->nmark, &s->mark_x, err);
    if (rc == TW_OK)
        rc = get(r, "/checkpoints/y", 1, &s->nmark, &s->mark_y, err);
    if (rc != TW_OK || !tw_result_has(r, "/trajectory/distance"))
        return rc;
    rc = get(r, "/trajectory/distance", 1, &s->nmark, &s->distance, err);
    if (rc == TW_OK)
        rc = get(r, "/trajectory/off_plane", 1, &s->nmark, &s->off_plane, err);
    if (rc == TW_OK)
        rc = get(r, "/trajectory/explained_variance", 1, &two, &pair, err);
    if (rc == TW_OK)
        memcpy(s->explained, pair, sizeof s->explained);
    free(pair);
    return rc;
}

static enum tw_status read_chart(struct tw_result *r, struct tw_scan *s, struct tw_err *err)
{
    const size_t two = 2;
    double *pair = NULL;
    const struct {
        const char *path;
        char **text;
    } texts[] = {
        { "/chart/kind", &s->chart },          { "/chart/normalise", &s->normalise },
        { "/chart/biases", &s->biases },       { "/chart/bn", &s->bn },
        { "/chart/objective", &s->objective },
    };
    enum tw_status rc = TW_OK;

    for (size_t i = 0; rc == TW_OK && i < sizeof texts / sizeof texts[0]; i++)
        rc = tw_result_get_text(r, texts[i].path, texts[i].text, err);
    if (rc == TW_OK)
        rc = tw_result_get_size(r, "/chart/n", &s->n, err);
    if (rc == TW_OK)
        rc = tw_result_get_size(r, "/chart/n_data", &s->n_data, err);
    if (rc == TW_OK)
        rc = get(r, "/chart/axis_length", 1, &two, &pair, err);
    if (rc == TW_OK)
        memcpy(s->axis_length, pair, sizeof s->axis_length);
    free(pair);
    return rc == TW_OK ? read_marks(r, s, err) : rc;
}

static enum tw_status read_points(struct tw_result *r, struct tw_scan *s, int rank,
                                  struct tw_err *err)
{
    const size_t plane[2] = { s->ny, s->nx }, one = 1;
    const size_t *dims = rank == 2 ? plane : &s->nx;
    size_t found[TW_RESULT_MAX_RANK];
    double *stated = NULL;
    enum tw_status rc = get(r, "/x", 1, &s->nx, &s->x, err);

    if (rc == TW_OK && rank == 2)
        rc = get(r, "/y", 1, &s->ny, &s->y, err);
    for (size_t k = 0; rc == TW_OK && k < SCAN_FIELDS; k++)
        if (s->field[k])
            rc = get(r, tw_scan_field_path(k), rank, dims, &s->field[k], err);
    if (rc == TW_OK) {
        free(s->status);
        s->status = NULL;
        rc = tw_result_get_bytes(r, "/status", rank, found, &s->status, err);
    }
    for (int i = 0; rc == TW_OK && i < rank; i++)
        if (found[i] != dims[i])
            rc = tw_err_set(err, TW_EFORMAT, "/status does not fit the other arrays");
    if (rc == TW_OK)
        rc = get(r, "/stated_error", 1, &one, &stated, err);
    if (rc == TW_OK)
        s->stated_error = stated[0];
    free(stated);
    return rc;
}

static enum tw_status read_at(struct tw_result *r, struct tw_scan *s, struct tw_err *err)
{
    struct tw_str path = { 0 };
    size_t n = 0;
    enum tw_status rc;

    if (!tw_result_has(r, "/computed/x"))
        return TW_OK;
    rc = tw_result_get_bytes(r, "/computed/status", 1, &s->nat, &s->at_done, err);
    n = s->nat;
    if (rc == TW_OK)
        rc = get(r, "/computed/x", 1, &n, &s->at, err);
    for (size_t k = 0; rc == TW_OK && k < SCAN_FIELDS; k++)
        if (s->field[k]) {
            rc = tw_scan_at_path(k, &path, err);
            if (rc == TW_OK)
                rc = get(r, path.s, 1, &n, &s->at_field[k], err);
        }
    tw_str_release(&path);
    return rc;
}

static enum tw_status read_extra(struct tw_result *r, struct tw_scan *s, int rank,
                                 struct tw_err *err)
{
    size_t dims[3] = { 0, rank == 2 ? s->ny : s->nx, s->nx };
    enum tw_status rc;

    if (!tw_result_has(r, "/also/name"))
        return TW_OK;
    rc = tw_result_get_texts(r, "/also/name", &s->nextra, &s->extra_name, err);
    dims[0] = s->nextra;
    if (rc == TW_OK)
        rc = get(r, "/also/loss", rank + 1, dims, &s->extra, err);
    if (rc == TW_OK)
        rc = get(r, "/also/loss_se", rank + 1, dims, &s->extra_se, err);
    return rc;
}

/* The extents of /loss. */
static enum tw_status extents(struct tw_result *r, int rank, size_t *nx, size_t *ny,
                              struct tw_err *err)
{
    size_t dims[TW_RESULT_MAX_RANK] = { 0, 0 };
    double *x = NULL;
    enum tw_status rc = tw_result_get_reals(r, "/loss", rank, dims, &x, err);

    free(x);
    *nx = dims[rank - 1];
    *ny = rank == 2 ? dims[0] : 1;
    if (rc == TW_OK && (*nx < 2 || (rank == 2 && *ny < 2)))
        rc = tw_err_set(err, TW_EFORMAT, "/loss has too few points");
    return rc;
}

enum tw_status tw_scan_read(const char *path, struct tw_scan *s, struct tw_err *err)
{
    struct tw_result *r = tw_result_open(path, NULL, err);
    size_t nx = 0, ny = 0;
    enum tw_status rc;
    int rank;

    *s = (struct tw_scan){ 0 };
    if (!r)
        return err->code;
    rank = !strcmp(tw_result_kind(r), "scan-2d") ? 2 : 1;
    if (rank == 1 && strcmp(tw_result_kind(r), "scan-1d") != 0)
        rc = tw_err_set(err, TW_EFORMAT, "expected a scan, found a result of kind '%s'",
                        tw_result_kind(r));
    else
        rc = extents(r, rank, &nx, &ny, err);
    if (rc == TW_OK)
        rc = tw_scan_make(s, nx, ny, tw_result_has(r, "/error"), err);
    if (rc == TW_OK)
        rc = read_points(r, s, rank, err);
    if (rc == TW_OK)
        rc = read_at(r, s, err);
    if (rc == TW_OK)
        rc = read_extra(r, s, rank, err);
    if (rc == TW_OK)
        rc = read_chart(r, s, err);
    if (rc == TW_OK)
        rc = tw_scan_paths_get(r, &s->paths, err);
    tw_result_done(r);
    if (rc != TW_OK) {
        tw_scan_release(s);
        return tw_err_ctx(err, rc, "%s", path);
    }
    return TW_OK;
}
