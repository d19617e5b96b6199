/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "barrierrows.h"

#include <stdlib.h>
#include <string.h>

#include "thalweg/store_reader.h"

enum tw_status barrier_rows_new(struct barrier_rows *r, size_t n, size_t columns,
                                struct tw_err *err)
{
    *r = (struct barrier_rows){ .n = n, .columns = columns };
    r->x = tw_alloc(n, columns * sizeof *r->x);
    r->status = tw_alloc(n, sizeof *r->status);
    return r->x && r->status ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

void barrier_rows_release(struct barrier_rows *r)
{
    free(r->x);
    free(r->status);
    *r = (struct barrier_rows){ 0 };
}

static enum tw_status create(struct barrier *b, const struct barrier_rows *r, const char *kind,
                             const char *meaning, const char *path)
{
    const size_t dims[2] = { r->n, r->columns };
    struct tw_err *err = &b->call->err;
    const char **name = tw_alloc(b->list.n, sizeof *name);
    enum tw_status rc;

    if (!name)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < b->list.n; i++)
        name[i] = b->list.v[i].name;
    b->file = tw_result_create(path, kind, TW_RESULT_INPLACE, b->call->common.force,
                               &b->prov.record, err);
    rc = b->file ? tw_result_put_text(b->file, "/settings", b->settings.s,
                                      "what a rerun must agree with to go on", err)
                 : err->code;
    if (rc == TW_OK)
        rc = tw_result_put_texts(b->file, "/models", b->list.n, name, "checkpoints", err);
    if (rc == TW_OK)
        rc = tw_result_reserve_reals(b->file, "/rows", 2, dims, "", meaning, err);
    if (rc == TW_OK)
        rc = tw_result_reserve_bytes(b->file, "/status", 1, dims, "0 todo, 1 done", err);
    if (rc == TW_OK)
        rc = tw_result_begin(b->file, err);
    free(name);
    return rc;
}

enum tw_status barrier_rows_read(const char *path, const char *kind, size_t columns,
                                 struct barrier_rows *r, size_t *nname, char ***name,
                                 struct tw_err *err)
{
    struct tw_reader in = tw_reader_open(path, kind, err);
    size_t dims[2] = { SIZE_MAX, columns };

    *r = (struct barrier_rows){ .columns = columns };
    *nname = SIZE_MAX;
    *name = tw_reader_texts(&in, "/models", nname);
    r->status = tw_reader_bytes(&in, "/status", 1, &dims[0]);
    r->x = tw_reader_reals(&in, "/rows", 2, dims);
    r->n = in.rc == TW_OK ? dims[0] : 0;
    return tw_reader_close(&in);
}

enum tw_status barrier_rows_some(const struct barrier_rows *r, const char *path, struct tw_err *err)
{
    for (size_t k = 0; k < r->n; k++)
        if (r->status[k])
            return TW_OK;
    return tw_err_set(err, TW_EFORMAT,
                      "%s: no pair is computed yet; run the same command again to go on", path);
}

static enum tw_status go_on(struct barrier *b, struct barrier_rows *r, const char *kind,
                            const char *path)
{
    struct tw_err *err = &b->call->err;
    struct barrier_rows old = { 0 };
    size_t nname = 0, done = 0;
    char **name = NULL;
    enum tw_status rc = barrier_rows_read(path, kind, r->columns, &old, &nname, &name, err);

    if (rc == TW_OK && old.n != r->n)
        rc = tw_err_set(err, TW_EFORMAT, "%s: of other models", path);
    for (size_t k = 0; rc == TW_OK && k < r->n; k++)
        done += old.status[k] == 1;
    if (rc == TW_OK) {
        memcpy(r->x, old.x, r->n * r->columns * sizeof *r->x);
        memcpy(r->status, old.status, r->n);
        tw_cmd_note(b->call, "%s has %zu of %zu pairs already", path, done, r->n);
        b->file = tw_result_reopen(path, kind, err);
        rc = b->file ? TW_OK : err->code;
    }
    for (size_t i = 0; name && i < nname; i++)
        free(name[i]);
    free(name);
    barrier_rows_release(&old);
    return rc;
}

enum tw_status barrier_rows_open(struct barrier *b, struct barrier_rows *r, const char *kind,
                                 const char *meaning, const char *path)
{
    enum barrier_found found = BARRIER_NONE;
    enum tw_status rc = TW_OK;

    if (path && !b->call->common.force)
        rc = barrier_file_look(path, kind, b->settings.s, &found, &b->call->err);
    if (rc != TW_OK || !path)
        return rc;
    return found == BARRIER_NONE ? create(b, r, kind, meaning, path) : go_on(b, r, kind, path);
}

enum tw_status barrier_rows_done(struct barrier *b, struct barrier_rows *r, size_t k)
{
    static const uint8_t done = 1;
    struct tw_err *err = &b->call->err;
    enum tw_status rc = TW_OK;

    r->status[k] = 1;
    if (b->file)
        rc = tw_result_write_reals(b->file, "/rows", k * r->columns, r->x + k * r->columns,
                                   r->columns, err);
    if (rc == TW_OK && b->file)
        rc = tw_result_write_bytes(b->file, "/status", k, &done, 1, err);
    return rc;
}

enum tw_status barrier_rows_close(struct barrier *b, enum tw_status rc)
{
    struct tw_result *file = b->file;

    b->file = NULL;
    if (file && rc == TW_OK)
        return tw_result_close(file, &b->call->err);
    tw_result_abandon(file);
    return rc;
}
