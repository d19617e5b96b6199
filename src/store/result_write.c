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
    tw_h5_items_release(&r->items);
    free(r->image);
    free(r->path);
    free(r->target);
    free(r->kind);
    free(r);
}

/* ---- the file in memory --------------------------------------------------------------- */

/* The core driver's memory comes from here, so that it can be kept when HDF5 closes the file.
 * (H5Fget_file_image of 1.10.8 clears a flag in the superblock and leaves its checksum as it
 * was: the copy does not open.) */
static void *image_alloc(size_t n, H5FD_file_image_op_t op, void *ctx)
{
    (void)op;
    (void)ctx;
    return tw_alloc(n, 1);
}

static void *image_copy(void *to, const void *from, size_t n, H5FD_file_image_op_t op, void *ctx)
{
    (void)op;
    (void)ctx;
    return memcpy(to, from, n);
}

static void *image_grow(void *p, size_t n, H5FD_file_image_op_t op, void *ctx)
{
    (void)op;
    (void)ctx;
    return realloc(p, n);
}

static herr_t image_free(void *p, H5FD_file_image_op_t op, void *ctx)
{
    struct tw_result *r = ctx;

    if (op == H5FD_FILE_IMAGE_OP_FILE_CLOSE && r->keep_image && !r->image)
        r->image = p;
    else
        free(p);
    return 0;
}

static void *same_context(void *ctx)
{
    return ctx;
}

static herr_t keep_context(void *ctx)
{
    (void)ctx;
    return 0;
}

static hid_t new_file(struct tw_result *r)
{
    H5FD_file_image_callbacks_t calls = { image_alloc,  image_copy,   image_grow, image_free,
                                          same_context, keep_context, r };
    hid_t fapl = tw_h5_access(true), fcpl = tw_result_creation(H5P_FILE_CREATE), file = -1;
    struct tw_str name = { 0 };

    /* Even this driver first looks for a file of the name: give it one that cannot be. */
    tw_str_addf(&name, "%s/in memory", r->target);
    if (!name.failed && fapl >= 0 && fcpl >= 0 &&
        H5Pset_fapl_core(fapl, (size_t)1 << 18, false) >= 0 &&
        H5Pset_file_image_callbacks(fapl, &calls) >= 0)
        file = H5Fcreate(name.s, H5F_ACC_TRUNC, fcpl, fapl);
    tw_str_release(&name);
    tw_h5_close(fcpl);
    tw_h5_close(fapl);
    return file;
}

/* The memory is larger than the file, whose end stands in the superblock: version 2, eight
 * bytes from 28 on (HDF5 File Format Specification 3.0, II.A). */
static size_t image_size(const unsigned char *p)
{
    size_t n = 0;

    if (p[8] != 2 || p[9] != 8)
        return 0;
    for (size_t b = 8; b-- > 0;)
        n = n << 8 | p[28 + b];
    return n;
}

static enum tw_status publish(struct tw_result *r, struct tw_err *err)
{
    hid_t file = r->file;
    size_t n = 0;

    if (r->broken)
        return tw_err_set(err, TW_EINVAL, "%s: not written, since an earlier step failed", r->path);
    r->file = -1;
    r->keep_image = true;
    if (H5Fclose(file) < 0)
        return tw_h5_fail(err, TW_EIO, "%s", r->path);
    if (r->image)
        n = image_size(r->image);
    if (n == 0)
        return tw_err_set(err, TW_EIO, "%s: HDF5 made no file", r->path);
    return tw_publish(r->path, r->target, r->force, r->image, n, err);
}

enum tw_status tw_result_begin(struct tw_result *r, struct tw_err *err)
{
    enum tw_status rc;

    if (r->state != TW_RESULT_BUILDING || r->mode != TW_RESULT_INPLACE)
        return tw_err_set(err, TW_EINVAL, "%s: not an in-place file being built", r->path);
    rc = publish(r, err);
    free(r->image);
    r->image = NULL;
    if (rc == TW_OK)
        rc = tw_points_open(r, err);
    return tw_result_broke(r, rc);
}

/* ---- begin and end -------------------------------------------------------------------- */

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

enum tw_status tw_result_check(const char *path, bool force, struct tw_err *err)
{
    char *target = NULL;
    const enum tw_status rc = tw_publish_check(path, force, &target, err);

    free(target);
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
    r->file = new_file(r);
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
