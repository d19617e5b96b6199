/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Result files are built in memory (HDF5's core driver) and go to the disk in one piece:
 * atomic files at close, in-place files at tw_result_begin. HDF5 never writes to the disk, so
 * a full one is an ordinary failed write() here and not a library left with a file that it
 * cannot close; and a killed run leaves nothing behind.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "result.h"

/* ---- the handle ----------------------------------------------------------------------- */

void tw_result_free(struct tw_result *r)
{
    if (!r)
        return;
    tw_h5_close(r->file);
    (void)H5Eclear2(H5E_DEFAULT);
    if (r->fd >= 0)
        (void)close(r->fd);
    for (size_t i = 0; i < r->nslots; i++)
        free(r->slots[i].path);
    free(r->slots);
    free(r->path);
    free(r->target);
    free(r->kind);
    free(r);
}

/* The file as it would be on the disk goes there. */
static enum tw_status publish(struct tw_result *r, struct tw_err *err)
{
    void *image = NULL;
    ssize_t n = -1;
    enum tw_status rc;

    if (r->broken)
        return tw_err_set(err, TW_EINVAL, "%s: not written, since an earlier step failed", r->path);
    if (H5Fflush(r->file, H5F_SCOPE_GLOBAL) >= 0)
        n = H5Fget_file_image(r->file, NULL, 0);
    if (n < 0)
        return tw_h5_fail(err, TW_EIO, "%s", r->path);
    image = tw_alloc((size_t)n, 1);
    if (!image)
        return tw_err_set(err, TW_ENOMEM, "%s: out of memory for %zd bytes", r->path, n);
    if (H5Fget_file_image(r->file, image, (size_t)n) != n)
        rc = tw_h5_fail(err, TW_EIO, "%s", r->path);
    else
        rc = tw_publish(r->path, r->target, r->force, image, (size_t)n, err);
    free(image);
    tw_h5_close(r->file);
    r->file = -1;
    return rc;
}

enum tw_status tw_result_begin(struct tw_result *r, struct tw_err *err)
{
    enum tw_status rc;

    if (r->state != TW_RESULT_BUILDING || r->mode != TW_RESULT_INPLACE)
        return tw_err_set(err, TW_EINVAL, "%s: not an in-place file being built", r->path);
    rc = publish(r, err);
    if (rc == TW_OK)
        rc = tw_points_open(r, err);
    return tw_result_broke(r, rc);
}

/* ---- begin and end -------------------------------------------------------------------- */

static hid_t new_file(const char *path)
{
    hid_t fapl = tw_h5_access(), fcpl = tw_result_creation(H5P_FILE_CREATE), file = -1;

    if (fapl >= 0 && fcpl >= 0 && H5Pset_fapl_core(fapl, (size_t)1 << 18, false) >= 0)
        file = H5Fcreate(path, H5F_ACC_TRUNC, fcpl, fapl);
    tw_h5_close(fcpl);
    tw_h5_close(fapl);
    return file;
}

static enum tw_status put_libraries(struct tw_result *r, const char *given, struct tw_err *err)
{
    struct tw_str t = { 0 };
    unsigned a = 0, b = 0, c = 0;
    enum tw_status rc;

    (void)H5get_libversion(&a, &b, &c);
    tw_str_addf(&t, "HDF5 %u.%u.%u", a, b, c);
    rc = t.failed ? tw_err_set(err, TW_ENOMEM, "%s: out of memory", r->path)
                  : tw_result_put_text(r, "/provenance/libraries", given ? given : t.s,
                                       "versions of the libraries underneath", err);
    tw_str_release(&t);
    return rc;
}

static enum tw_status put_provenance(struct tw_result *r, const struct tw_provenance *p,
                                     struct tw_err *err)
{
    static const struct tw_provenance none = { .command = "" };
    static const char no_time[TW_RESULT_TIME];
    char now[TW_RESULT_TIME + 1];
    enum tw_status rc;

    p = p ? p : &none;
    tw_result_now(now);
    rc = tw_result_put_text(r, "/provenance/command", p->command ? p->command : "",
                            "the command line as typed", err);
    if (rc == TW_OK)
        rc = tw_result_put_text(r, "/provenance/options", p->options ? p->options : "",
                                "every option, one --name=value a line", err);
    if (rc == TW_OK)
        rc = tw_result_put_text(r, "/provenance/version", tw_version(), "thalweg's version", err);
    if (rc == TW_OK)
        rc = put_libraries(r, p->libraries, err);
    if (rc == TW_OK)
        rc = tw_result_put_texts(r, "/provenance/input_paths", p->ninputs, p->input_paths,
                                 "the files read, as named on the command line", err);
    if (rc == TW_OK)
        rc = tw_result_put_texts(r, "/provenance/input_digests", p->ninputs, p->input_digests,
                                 "SHA-256 of each file read", err);
    if (rc == TW_OK)
        rc = tw_result_put_u64(r, "/provenance/seed", p->seed, true, "",
                               "seed of all random streams", err);
    if (rc == TW_OK)
        rc = tw_result_put_size(r, "/provenance/threads", p->threads, "",
                                "threads used (the results do not depend on it)", err);
    if (rc == TW_OK)
        rc = tw_result_put_fixed(r, "/provenance/start_time", TW_RESULT_TIME, now, NULL,
                                 "start, in UTC", err);
    if (rc == TW_OK)
        rc = tw_result_put_fixed(r, "/provenance/end_time", TW_RESULT_TIME, NULL, no_time,
                                 "end, in UTC; empty while the run is not finished", err);
    return rc;
}

struct tw_result *tw_result_create(const char *path, const char *kind, enum tw_result_mode mode,
                                   bool force, const struct tw_provenance *prov, struct tw_err *err)
{
    struct tw_result *r = tw_alloc(1, sizeof *r);

    if (!r) {
        (void)tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    r->fd = -1;
    r->file = -1;
    r->mode = mode;
    r->force = force;
    r->path = tw_strdup(path);
    r->kind = tw_strdup(kind);
    if (!r->path || !r->kind) {
        (void)tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    if (tw_publish_check(path, force, &r->target, err) != TW_OK)
        goto fail;
    r->file = new_file(path);
    if (r->file < 0 || !tw_result_attr_text(r->file, "format", "thalweg") ||
        !tw_result_attr_int(r->file, "format_version", TW_RESULT_VERSION) ||
        !tw_result_attr_text(r->file, "kind", kind)) {
        (void)tw_h5_fail(err, TW_EIO, "%s", path);
        goto fail;
    }
    if (put_provenance(r, prov, err) != TW_OK)
        goto fail;
    return r;
fail:
    tw_result_free(r);
    return NULL;
}

static enum tw_status put_end_time(struct tw_result *r, struct tw_err *err)
{
    hid_t type = tw_h5_text_type(TW_RESULT_TIME);
    hid_t set = H5Dopen2(r->file, "/provenance/end_time", H5P_DEFAULT);
    char now[TW_RESULT_TIME + 1];
    enum tw_status rc = TW_OK;

    tw_result_now(now);
    if (type < 0 || set < 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, now) < 0)
        rc = tw_h5_fail(err, TW_EIO, "%s", r->path);
    tw_h5_close(set);
    tw_h5_close(type);
    return tw_result_broke(r, rc);
}

enum tw_status tw_result_close(struct tw_result *r, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    if (r->state == TW_RESULT_POINTS)
        rc = tw_points_finish(r, err);
    else if (r->state == TW_RESULT_BUILDING) {
        if (!r->broken)
            rc = put_end_time(r, err);
        if (rc == TW_OK)
            rc = publish(r, err);
    }
    tw_result_free(r);
    return rc;
}

void tw_result_abandon(struct tw_result *r)
{
    tw_result_free(r);
}
