/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Paths of runs through a plane: memory and file. */
#include <math.h>
#include <stdlib.h>

#include "scanfile.h"

static const struct {
    const char *path, *unit, *meaning;
} fields[SCAN_PATH_FIELDS] = {
    { "/paths/path", "", "which of the paths a checkpoint is of, from 0" },
    { "/paths/step", "updates", "its training step" },
    { "/paths/x", "", "where it projects to" },
    { "/paths/y", "", "where it projects to" },
    { "/paths/distance", "", "its distance from the origin of the plane, between parameters" },
    { "/paths/off_plane", "", "its distance from the plane, between parameters" },
};

enum tw_status tw_scan_paths_make(struct tw_scan_paths *p, size_t n, struct tw_err *err)
{
    bool good;

    p->n = n;
    p->name = tw_alloc(n, sizeof *p->name); /* a path has one checkpoint at least */
    good = p->name != NULL;
    for (size_t k = 0; good && k < SCAN_PATH_FIELDS; k++) {
        p->field[k] = tw_alloc(n, sizeof *p->field[k]);
        good = p->field[k] != NULL;
    }
    return good ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

void tw_scan_paths_release(struct tw_scan_paths *p)
{
    for (size_t i = 0; p->name && i < p->npath; i++)
        free(p->name[i]);
    free(p->name);
    for (size_t k = 0; k < SCAN_PATH_FIELDS; k++)
        free(p->field[k]);
    *p = (struct tw_scan_paths){ 0 };
}

struct tw_scan_path_range tw_scan_path_range_of(const struct tw_scan_paths *p, size_t path)
{
    struct tw_scan_path_range r = { .off = NAN, .off_step = NAN, .distance = NAN };

    for (size_t k = 0; k < p->n; k++) {
        const double off = p->field[SCAN_PATH_OFF][k];

        if (p->field[SCAN_PATH][k] != (double)path)
            continue;
        if (r.n++ == 0)
            r.first = k;
        if (!isfinite(off)) {
            r.lost++;
            continue;
        }
        r.distance = fmax(r.distance, p->field[SCAN_PATH_DISTANCE][k]);
        if (!(off <= r.off)) {
            r.off = off;
            r.off_step = p->field[SCAN_PATH_STEP][k];
        }
    }
    return r;
}

enum tw_status tw_scan_paths_put(struct tw_result *r, const struct tw_scan_paths *p,
                                 struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    if (!p->npath)
        return TW_OK;
    rc = tw_result_put_texts(r, "/paths/name", p->npath, (const char *const *)p->name,
                             "runs whose checkpoints are shown in the plane", err);
    for (size_t k = 0; rc == TW_OK && k < SCAN_PATH_FIELDS; k++)
        rc = tw_result_put_reals(r, fields[k].path, 1, &p->n, p->field[k], fields[k].unit,
                                 fields[k].meaning, err);
    return rc;
}

/* Numbers of paths that rise by one, from 0 to the last name: each has its checkpoints together. */
static bool in_order(const struct tw_scan_paths *p)
{
    const double *of = p->field[SCAN_PATH];
    bool good = p->n > 0 && of[0] == 0.0 && of[p->n - 1] == (double)(p->npath - 1);

    for (size_t k = 1; good && k < p->n; k++)
        good = of[k] == of[k - 1] || of[k] == of[k - 1] + 1.0;
    return good;
}

void tw_scan_paths_get(struct tw_reader *in, struct tw_scan_paths *p)
{
    size_t names = SIZE_MAX;

    if (!tw_reader_has(in, "/paths/name"))
        return;
    p->name = tw_reader_texts(in, "/paths/name", &names);
    p->npath = p->name ? names : 0;
    p->n = SIZE_MAX;
    for (size_t k = 0; k < SCAN_PATH_FIELDS; k++)
        p->field[k] = tw_reader_reals(in, fields[k].path, 1, &p->n);
    if (in->rc == TW_OK && !in_order(p))
        tw_reader_refuse(in, "/paths/path does not fit the names of the paths");
}
