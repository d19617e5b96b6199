/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "scanfile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *path, *unit, *meaning;
} fields[SCAN_FIELDS] = {
    { "/loss", "nats", "mean loss; interpolated where /status is 3" },
    { "/loss_se", "nats", "its standard error, for the population of the samples" },
    { "/error", "", "share of wrong answers" },
    { "/error_se", "", "its standard error" },
};

const char *tw_scan_field_path(size_t k)
{
    return fields[k].path;
}

enum tw_status tw_scan_at_path(size_t k, struct tw_str *path, struct tw_err *err)
{
    tw_str_clear(path);
    tw_str_addf(path, "/computed%s", fields[k].path);
    return path->failed ? tw_err_set(err, TW_ENOMEM, "out of memory") : TW_OK;
}

/* ---- memory ---------------------------------------------------------------------------------- */

enum tw_status tw_scan_make(struct tw_scan *s, size_t nx, size_t ny, bool error, struct tw_err *err)
{
    const size_t n = nx <= SIZE_MAX / (ny ? ny : 1) ? nx * ny : SIZE_MAX;
    bool good;

    *s = (struct tw_scan){ .nx = nx, .ny = ny, .stated_error = NAN };
    s->axis_length[0] = s->axis_length[1] = s->explained[0] = s->explained[1] = NAN;
    s->x = tw_alloc(nx, sizeof *s->x);
    s->y = tw_alloc(ny, sizeof *s->y);
    s->status = tw_alloc(n, 1);
    good = s->x && s->y && s->status;
    for (size_t k = 0; good && k < (error ? SCAN_FIELDS : SCAN_ERROR); k++) {
        s->field[k] = tw_alloc(n, sizeof *s->field[k]);
        good = s->field[k] != NULL;
        for (size_t i = 0; good && i < n; i++)
            s->field[k][i] = NAN;
    }
    return good ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

enum tw_status tw_scan_room(struct tw_scan *s, size_t n, struct tw_err *err)
{
    bool good;

    s->nat = n;
    s->at = tw_alloc(n, sizeof *s->at);
    s->at_done = tw_alloc(n, 1);
    good = s->at && s->at_done;
    for (size_t k = 0; k < SCAN_FIELDS; k++)
        if (s->field[k]) {
            s->at_field[k] = tw_alloc(n, sizeof *s->at_field[k]);
            good = good && s->at_field[k];
        }
    return good ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

enum tw_status tw_scan_extra(struct tw_scan *s, size_t n, const char *const *names,
                             struct tw_err *err)
{
    const size_t points = s->nx * s->ny,
                 all = points <= SIZE_MAX / (n ? n : 1) ? n * points : SIZE_MAX;
    bool good = true;

    if (n == 0)
        return TW_OK;
    s->extra_name = tw_alloc(n, sizeof *s->extra_name);
    s->extra = tw_alloc(all, sizeof *s->extra);
    s->extra_se = tw_alloc(all, sizeof *s->extra_se);
    if (!s->extra_name || !s->extra || !s->extra_se)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (s->nextra = 0; good && s->nextra < n; s->nextra++) {
        s->extra_name[s->nextra] = tw_strdup(names[s->nextra]);
        good = s->extra_name[s->nextra] != NULL;
    }
    for (size_t i = 0; i < all; i++)
        s->extra[i] = s->extra_se[i] = NAN;
    return good ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

void tw_scan_release(struct tw_scan *s)
{
    for (size_t k = 0; s->extra_name && k < s->nextra; k++)
        free(s->extra_name[k]);
    free(s->at);
    free(s->at_done);
    for (size_t k = 0; k < SCAN_FIELDS; k++)
        free(s->at_field[k]);
    free(s->extra_name);
    free(s->extra);
    free(s->extra_se);
    free(s->x);
    free(s->y);
    free(s->status);
    for (size_t k = 0; k < SCAN_FIELDS; k++)
        free(s->field[k]);
    free(s->chart);
    free(s->normalise);
    free(s->biases);
    free(s->bn);
    free(s->objective);
    for (size_t i = 0; s->mark && i < s->nmark; i++)
        free(s->mark[i]);
    free(s->mark);
    free(s->mark_x);
    free(s->mark_y);
    free(s->distance);
    free(s->off_plane);
    tw_scan_paths_release(&s->paths);
    *s = (struct tw_scan){ 0 };
}

const char *tw_scan_kind(const struct tw_scan *s)
{
    return s->ny > 1 ? "scan-2d" : "scan-1d";
}

struct tw_scan_range tw_scan_range_of(const struct tw_scan *s)
{
    struct tw_scan_range r = { .lo = NAN, .hi = NAN, .largest_se = NAN };

    size_t sampled = 0;

    for (size_t i = 0; i < s->nx * s->ny; i++) {
        const double v = s->field[SCAN_LOSS][i];

        r.computed += s->status[i] == TW_POINT_DONE || s->status[i] == TW_POINT_FAILED;
        r.interpolated += s->status[i] == TW_POINT_INTERPOLATED;
        r.failed += s->status[i] == TW_POINT_FAILED;
        if (s->status[i] == TW_POINT_TODO || !isfinite(v))
            continue;
        if (s->field[SCAN_LOSS_SE])
            r.largest_se = fmax(r.largest_se, s->field[SCAN_LOSS_SE][i]);
        if (!(v >= r.lo)) {
            r.lo = v;
            r.at_lo = i;
        }
        if (!(v <= r.hi)) {
            r.hi = v;
            r.at_hi = i;
        }
    }
    for (size_t k = 0; k < s->nat; k++)
        sampled += s->at_done[k] != 0;
    if (r.computed + r.interpolated == 0) /* a line whose mesh is not filled yet */
        r.computed = sampled;
    r.beside = sampled > r.computed ? sampled - r.computed : 0;
    return r;
}

/* ---- writing --------------------------------------------------------------------------------- */

static enum tw_status put_chart(struct tw_result *r, const struct tw_scan *s, const char *settings,
                                struct tw_err *err)
{
    const struct {
        const char *path, *text, *meaning;
    } texts[] = {
        { "/settings", settings, "what the numbers depend on" },
        { "/chart/kind", s->chart, "random, directions (of a file), line, triangle or trajectory" },
        { "/chart/normalise", s->normalise, "how random directions were scaled" },
        { "/chart/biases", s->biases, "what random directions are in biases and norms" },
        { "/chart/bn", s->bn, "statistics of batch normalisation" },
        { "/chart/objective", s->objective, "the loss" },
    };
    const size_t two = 2;
    enum tw_status rc = TW_OK;

    for (size_t i = 0; rc == TW_OK && i < sizeof texts / sizeof texts[0]; i++)
        rc = tw_result_put_text(r, texts[i].path, texts[i].text ? texts[i].text : "",
                                texts[i].meaning, err);
    if (rc == TW_OK)
        rc = tw_result_put_size(r, "/chart/n", s->n, "", "samples used at every point", err);
    if (rc == TW_OK)
        rc = tw_result_put_size(r, "/chart/n_data", s->n_data, "", "samples of the data", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/chart/axis_length", 1, &two, s->axis_length, "",
                                 "distance in parameters that one unit of each axis is", err);
    return rc;
}

static enum tw_status put_marks(struct tw_result *r, const struct tw_scan *s, struct tw_err *err)
{
    const size_t n = s->nmark, two = 2;
    enum tw_status rc = tw_result_put_texts(r, "/checkpoints/name", n, (const char *const *)s->mark,
                                            "checkpoints that lie in the chart, or near it", err);

    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/checkpoints/x", 1, &n, s->mark_x, "", "where they are", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/checkpoints/y", 1, &n, s->mark_y, "", "where they are", err);
    if (rc != TW_OK || !s->distance)
        return rc;
    rc = tw_result_put_reals(r, "/trajectory/distance", 1, &n, s->distance, "",
                             "distance of each checkpoint from the last", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/trajectory/off_plane", 1, &n, s->off_plane, "",
                                 "distance of each checkpoint from the plane", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/trajectory/explained_variance", 1, &two, s->explained, "",
                                 "shares of the variance along the two axes", err);
    return rc;
}

/* For loss-landscape's scripts, which take Z[iy][ix] of square planes. */
static enum tw_status put_other_names(struct tw_result *r, const struct tw_scan *s, int rank,
                                      const size_t *dims, struct tw_err *err)
{
    enum tw_status rc;

    if (s->ny > 1 && s->ny != s->nx)
        return TW_OK;
    rc = tw_result_link(r, "/x", "/xcoordinates", err);
    if (rc == TW_OK && s->ny > 1)
        rc = tw_result_link(r, "/y", "/ycoordinates", err);
    if (rc == TW_OK)
        rc = tw_result_link(r, "/loss", "/train_loss", err);
    if (rc == TW_OK && s->field[SCAN_ERROR])
        rc = tw_result_reserve_reals(r, "/train_acc", rank, dims, "per cent",
                                     "share of right answers", err);
    return rc;
}

static enum tw_status reserve_extra(struct tw_result *r, const struct tw_scan *s,
                                    struct tw_err *err)
{
    const size_t dims[3] = { s->nextra, s->ny > 1 ? s->ny : s->nx, s->nx };
    const int rank = s->ny > 1 ? 3 : 2;
    enum tw_status rc;

    if (!s->nextra)
        return TW_OK;
    rc = tw_result_put_texts(r, "/also/name", s->nextra, (const char *const *)s->extra_name,
                             "other losses", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_reals(r, "/also/loss", rank, dims, "", "mean of each other loss",
                                     err);
    if (rc == TW_OK)
        rc = tw_result_reserve_reals(r, "/also/loss_se", rank, dims, "", "its standard error", err);
    return rc;
}

static enum tw_status reserve_at(struct tw_result *r, const struct tw_scan *s, struct tw_err *err)
{
    struct tw_str path = { 0 };
    enum tw_status rc = TW_OK;

    if (!s->nat)
        return TW_OK;
    rc = tw_result_reserve_reals(r, "/computed/x", 1, &s->nat, "", "where points were computed",
                                 err);
    for (size_t k = 0; rc == TW_OK && k < SCAN_FIELDS; k++)
        if (s->field[k]) {
            rc = tw_scan_at_path(k, &path, err);
            if (rc == TW_OK)
                rc = tw_result_reserve_reals(r, path.s, 1, &s->nat, fields[k].unit,
                                             fields[k].meaning, err);
        }
    tw_str_release(&path);
    return rc == TW_OK ? tw_result_reserve_bytes(r, "/computed/status", 1, &s->nat,
                                                 "0 room that was not needed, 1 computed", err)
                       : rc;
}

static enum tw_status reserve(struct tw_result *r, const struct tw_scan *s, struct tw_err *err)
{
    const size_t plane[2] = { s->ny, s->nx }, one = 1;
    const int rank = s->ny > 1 ? 2 : 1;
    const size_t *dims = s->ny > 1 ? plane : &s->nx;
    enum tw_status rc = tw_result_put_reals(r, "/x", 1, &s->nx, s->x, "", "first coordinate", err);

    if (rc == TW_OK && rank == 2)
        rc = tw_result_put_reals(r, "/y", 1, &s->ny, s->y, "", "second coordinate", err);
    for (size_t k = 0; rc == TW_OK && k < SCAN_FIELDS; k++)
        if (s->field[k])
            rc = tw_result_reserve_reals(r, fields[k].path, rank, dims, fields[k].unit,
                                         fields[k].meaning, err);
    if (rc == TW_OK)
        rc = tw_result_reserve_bytes(
            r, "/status", rank, dims,
            "0 todo, 1 computed, 2 computed and not finite, 3 interpolated", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_reals(r, "/stated_error", 1, &one, "",
                                     "largest error of interpolation that was seen, as a share of "
                                     "the range of the loss; NaN: every point is computed",
                                     err);
    if (rc == TW_OK)
        rc = reserve_at(r, s, err);
    if (rc == TW_OK)
        rc = reserve_extra(r, s, err);
    return rc == TW_OK ? put_other_names(r, s, rank, dims, err) : rc;
}

struct tw_result *tw_scan_create(const char *path, const struct tw_scan *s, const char *settings,
                                 bool force, const struct tw_provenance *prov, struct tw_err *err)
{
    struct tw_result *r =
        tw_result_create(path, tw_scan_kind(s), TW_RESULT_INPLACE, force, prov, err);
    enum tw_status rc = r ? put_chart(r, s, settings, err) : err->code;

    if (rc == TW_OK)
        rc = put_marks(r, s, err);
    if (rc == TW_OK)
        rc = tw_scan_paths_put(r, &s->paths, err);
    if (rc == TW_OK)
        rc = reserve(r, s, err);
    if (rc == TW_OK)
        rc = tw_result_begin(r, err);
    if (rc == TW_OK)
        return r;
    tw_result_abandon(r);
    return NULL;
}

enum tw_status tw_scan_write(struct tw_result *r, const struct tw_scan *s, size_t first, size_t n,
                             struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < SCAN_FIELDS; k++)
        if (s->field[k])
            rc = tw_result_write_reals(r, fields[k].path, first, s->field[k] + first, n, err);
    for (size_t i = first; rc == TW_OK && s->field[SCAN_ERROR] && i < first + n; i++) {
        const double acc = 100.0 * (1.0 - s->field[SCAN_ERROR][i]);

        if (s->ny == 1 || s->ny == s->nx)
            rc = tw_result_write_reals(r, "/train_acc", i, &acc, 1, err);
    }
    for (size_t k = 0; rc == TW_OK && k < s->nextra; k++) {
        const size_t at = k * s->nx * s->ny + first;

        rc = tw_result_write_reals(r, "/also/loss", at, s->extra + at, n, err);
        if (rc == TW_OK)
            rc = tw_result_write_reals(r, "/also/loss_se", at, s->extra_se + at, n, err);
    }
    return rc == TW_OK ? tw_result_write_bytes(r, "/status", first, s->status + first, n, err) : rc;
}

enum tw_status tw_scan_write_at(struct tw_result *r, const struct tw_scan *s, size_t k,
                                struct tw_err *err)
{
    struct tw_str path = { 0 };
    enum tw_status rc = tw_result_write_reals(r, "/computed/x", k, s->at + k, 1, err);

    for (size_t f = 0; rc == TW_OK && f < SCAN_FIELDS; f++)
        if (s->field[f]) {
            rc = tw_scan_at_path(f, &path, err);
            if (rc == TW_OK)
                rc = tw_result_write_reals(r, path.s, k, s->at_field[f] + k, 1, err);
        }
    tw_str_release(&path);
    return rc == TW_OK ? tw_result_write_bytes(r, "/computed/status", k, s->at_done + k, 1, err)
                       : rc;
}
