/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A scan from its file. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scanfile.h"

/* In the place of what was there. */
static void take(struct tw_reader *in, const char *path, int rank, size_t *want, double **x)
{
    free(*x);
    *x = tw_reader_reals(in, path, rank, want);
}

static void read_marks(struct tw_reader *in, struct tw_scan *s)
{
    size_t n = SIZE_MAX;

    s->mark = tw_reader_texts(in, "/checkpoints/name", &n);
    s->nmark = s->mark ? n : 0;
    s->mark_x = tw_reader_list(in, "/checkpoints/x", n);
    s->mark_y = tw_reader_list(in, "/checkpoints/y", n);
    if (!tw_reader_has(in, "/trajectory/distance"))
        return;
    s->distance = tw_reader_list(in, "/trajectory/distance", n);
    s->off_plane = tw_reader_list(in, "/trajectory/off_plane", n);
    tw_reader_copy(in, "/trajectory/explained_variance", 2, s->explained);
}

static void read_chart(struct tw_reader *in, struct tw_scan *s)
{
    s->chart = tw_reader_text(in, "/chart/kind");
    s->normalise = tw_reader_text(in, "/chart/normalise");
    s->biases = tw_reader_text(in, "/chart/biases");
    s->bn = tw_reader_text(in, "/chart/bn");
    s->objective = tw_reader_text(in, "/chart/objective");
    s->n = tw_reader_size(in, "/chart/n");
    s->n_data = tw_reader_size(in, "/chart/n_data");
    tw_reader_copy(in, "/chart/axis_length", 2, s->axis_length);
}

static void read_points(struct tw_reader *in, struct tw_scan *s, int rank)
{
    size_t plane[2] = { s->ny, s->nx };
    size_t *dims = rank == 2 ? plane : &s->nx;
    double stated = (double)NAN;

    take(in, "/x", 1, &s->nx, &s->x);
    if (rank == 2)
        take(in, "/y", 1, &s->ny, &s->y);
    for (size_t k = 0; k < SCAN_FIELDS; k++)
        if (s->field[k])
            take(in, tw_scan_field_path(k), rank, dims, &s->field[k]);
    free(s->status);
    s->status = tw_reader_bytes(in, "/status", rank, dims);
    tw_reader_copy(in, "/stated_error", 1, &stated);
    s->stated_error = stated;
}

static void read_at(struct tw_reader *in, struct tw_scan *s)
{
    struct tw_str path = { 0 };

    if (!tw_reader_has(in, "/computed/x"))
        return;
    s->nat = SIZE_MAX;
    s->at_done = tw_reader_bytes(in, "/computed/status", 1, &s->nat);
    s->at = tw_reader_list(in, "/computed/x", s->nat);
    for (size_t k = 0; in->rc == TW_OK && k < SCAN_FIELDS; k++)
        if (s->field[k]) {
            in->rc = tw_scan_at_path(k, &path, in->err);
            s->at_field[k] = tw_reader_list(in, path.s, s->nat);
        }
    tw_str_release(&path);
}

static void read_extra(struct tw_reader *in, struct tw_scan *s, int rank)
{
    size_t dims[3] = { SIZE_MAX, rank == 2 ? s->ny : s->nx, s->nx };

    if (!tw_reader_has(in, "/also/name"))
        return;
    s->extra_name = tw_reader_texts(in, "/also/name", &dims[0]);
    s->nextra = s->extra_name ? dims[0] : 0;
    s->extra = tw_reader_reals(in, "/also/loss", rank + 1, dims);
    s->extra_se = tw_reader_reals(in, "/also/loss_se", rank + 1, dims);
}

/* Room by the extents of /loss. */
static void make_room(struct tw_reader *in, struct tw_scan *s, int rank)
{
    size_t dims[2] = { SIZE_MAX, SIZE_MAX };
    double *x = tw_reader_reals(in, "/loss", rank, dims);
    const size_t nx = dims[rank - 1], ny = rank == 2 ? dims[0] : 1;

    free(x);
    if (in->rc == TW_OK && (nx < 2 || (rank == 2 && ny < 2)))
        tw_reader_refuse(in, "/loss has too few points");
    if (in->rc == TW_OK)
        in->rc = tw_scan_make(s, nx, ny, tw_reader_has(in, "/error"), in->err);
}

enum tw_status tw_scan_read(const char *path, struct tw_scan *s, struct tw_err *err)
{
    struct tw_reader in = tw_reader_open(path, NULL, err);
    const char *kind = in.rc == TW_OK ? tw_result_kind(in.r) : "";
    const int rank = !strcmp(kind, "scan-2d") ? 2 : 1;

    *s = (struct tw_scan){ 0 };
    if (in.rc == TW_OK && rank == 1 && strcmp(kind, "scan-1d") != 0)
        tw_reader_refuse(&in, "expected a scan, found a result of kind '%s'", kind);
    make_room(&in, s, rank);
    if (in.rc == TW_OK) {
        read_points(&in, s, rank);
        read_at(&in, s);
        read_extra(&in, s, rank);
        read_chart(&in, s);
        read_marks(&in, s);
        tw_scan_paths_get(&in, &s->paths);
    }
    if (in.rc != TW_OK)
        tw_scan_release(s);
    return tw_reader_close(&in);
}
