/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Read a result file. It may come from anywhere: another process reads it (h5_items.h), and
 * what that one sends is checked here. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"

/* ---- opening -------------------------------------------------------------------------- */

/* A scalar attribute of the root; NULL if it is absent or of another class. */
static const struct tw_h5_item *root_attr(const struct tw_result *r, const char *path)
{
    const struct tw_h5_item *it = tw_h5_items_find(&r->items, path, true);

    return it && it->n == 1 && it->values != TW_H5_NONE ? it : NULL;
}

static const char *root_text(const struct tw_result *r, const char *path)
{
    const struct tw_h5_item *it = root_attr(r, path);

    return it && it->values == TW_H5_TEXTS ? it->data : NULL;
}

/* A whole number; false if it is none or is negative. */
static bool whole(const struct tw_h5_item *it, uint64_t *x)
{
    *x = 0;
    if (it->values == TW_H5_BYTES)
        *x = *(const unsigned char *)it->data;
    else if (it->values == TW_H5_INTS || it->values == TW_H5_UINTS)
        memcpy(x, it->data, sizeof *x);
    else
        return false;
    return it->values != TW_H5_INTS || *x <= INT64_MAX;
}

static enum tw_status check_root(struct tw_result *r, const char *kind, struct tw_err *err)
{
    const char *format = root_text(r, "/@format"), *found = root_text(r, "/@kind");
    const struct tw_h5_item *number = root_attr(r, "/@format_version");
    uint64_t version = 0;

    if (!format || strcmp(format, "thalweg") != 0)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: an HDF5 file, but no thalweg result (no attribute "
                          "format=\"thalweg\")",
                          r->path);
    if (!number || !whole(number, &version) || version < 1)
        return tw_err_set(err, TW_EFORMAT, "%s: the attribute format_version is missing or wrong",
                          r->path);
    if (version > TW_RESULT_VERSION)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: format version %" PRIu64 " is newer than %d, the newest that "
                          "thalweg %s reads; update thalweg",
                          r->path, version, TW_RESULT_VERSION, tw_version());
    if (!found)
        return tw_err_set(err, TW_EFORMAT, "%s: the attribute kind is missing", r->path);
    if (kind && strcmp(kind, found) != 0)
        return tw_err_set(err, TW_EFORMAT, "%s: expected a result of kind '%s', found '%s'",
                          r->path, kind, found);
    r->kind = tw_strdup(found);
    return r->kind ? TW_OK : tw_err_set(err, TW_ENOMEM, "%s: out of memory", r->path);
}

static struct tw_result *open_result(const char *path, const char *kind, enum tw_h5_scope scope,
                                     struct tw_err *err)
{
    struct tw_result *r = tw_alloc(1, sizeof *r);
    struct tw_err own = { 0 };
    enum tw_status rc;

    err = err ? err : &own;
    if (!r) {
        (void)tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    r->fd = -1;
    r->file = -1;
    r->state = TW_RESULT_READING;
    r->path = tw_strdup(path);
    if (!r->path) {
        (void)tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    rc = tw_h5_items_read(path, NULL, 0, scope, &r->items, err);
    r->file_size = r->items.file_size;
    if (rc != TW_OK) {
        (void)tw_err_ctx(err, rc, "%s", path);
        goto fail;
    }
    if (check_root(r, kind, err) != TW_OK)
        goto fail;
    return r;
fail:
    tw_result_free(r);
    return NULL;
}

struct tw_result *tw_result_open(const char *path, const char *kind, struct tw_err *err)
{
    return open_result(path, kind, TW_H5_RESULT, err);
}

void tw_result_done(struct tw_result *r)
{
    tw_result_free(r);
}

const char *tw_result_kind(const struct tw_result *r)
{
    return r->kind;
}

struct tw_result *tw_result_reopen(const char *path, const char *kind, struct tw_err *err)
{
    struct tw_result *r = open_result(path, kind, TW_H5_HEADERS, err);
    enum tw_status rc = TW_OK;

    if (!r)
        return NULL;
    r->mode = TW_RESULT_INPLACE;
    r->target = tw_strdup(path);
    if (!r->target) {
        (void)tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    for (size_t i = 0; i < r->items.n && rc == TW_OK; i++) {
        const struct tw_h5_item *it = &r->items.v[i];

        if (it->kind == TW_H5_SET && it->in_one_piece &&
            (it->class != TW_H5_TEXTS || it->size == TW_RESULT_TIME))
            rc = tw_slots_add(r, it->path, it->offset, it->n, it->size, err);
    }
    tw_h5_items_release(&r->items);
    if (rc != TW_OK || tw_points_open(r, err) != TW_OK)
        goto fail;
    return r;
fail:
    tw_result_free(r);
    return NULL;
}

/* ---- data sets ------------------------------------------------------------------------ */

bool tw_result_has(struct tw_result *r, const char *path)
{
    const struct tw_h5_item *it = NULL;

    if (r->state == TW_RESULT_READING)
        it = tw_h5_items_find(&r->items, path, false);
    return it && it->kind == TW_H5_SET;
}

/* Why there is no object of that path: it, or a part before it, may be a link. */
static enum tw_status no_object(struct tw_result *r, const char *path, struct tw_err *err)
{
    enum tw_status rc = TW_OK;
    char *part = tw_strdup(path);

    if (!part)
        return tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory", r->path, path);
    for (char *end = part; rc == TW_OK && end;) {
        const struct tw_h5_item *it;

        end = *end ? strchr(end + 1, '/') : NULL;
        if (end)
            *end = '\0';
        it = tw_h5_items_find(&r->items, part, false);
        if (it && it->kind == TW_H5_LINK)
            rc = tw_err_set(err, TW_EFORMAT, "%s: %s: %s is %s, which is not followed", r->path,
                            path, part,
                            !strcmp(it->type, "external link") ? "a link into another file"
                            : !strcmp(it->type, "soft link")   ? "a soft link"
                                                               : "a link of an unknown kind");
        if (end)
            *end = '/';
    }
    free(part);
    return rc == TW_OK
               ? tw_err_set(err, TW_EFORMAT, "%s: %s: there is no such data set", r->path, path)
               : rc;
}

static enum tw_status check_shape(struct tw_result *r, const struct tw_h5_item *it, int rank,
                                  size_t *dims, struct tw_err *err)
{
    if (it->rank != rank)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: expected %d dimension%s, found %d", r->path,
                          it->path, rank, rank == 1 ? "" : "s", it->rank);
    if (it->empty)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: expected a value, found none", r->path,
                          it->path);
    for (int i = 0; i < rank; i++)
        dims[i] = (size_t)it->dims[i];
    return TW_OK;
}

static bool is_whole(enum tw_h5_values class)
{
    return class == TW_H5_INTS || class == TW_H5_UINTS || class == TW_H5_BYTES;
}

/* The data set of that path, with its values, if they are of the class asked for (BYTES: whole
 * numbers of any kind) and of that shape. */
static enum tw_status find_set(struct tw_result *r, const char *path, enum tw_h5_values class,
                               int rank, size_t *dims, const struct tw_h5_item **set,
                               struct tw_err *err)
{
    const struct tw_h5_item *it;
    enum tw_status rc;

    if (r->state != TW_RESULT_READING)
        return tw_err_set(err, TW_EINVAL, "%s: %s: the file is not open for reading", r->path,
                          path);
    if (*path != '/')
        return tw_err_set(err, TW_EINVAL, "%s: '%s' does not begin with '/'", r->path, path);
    it = *set = tw_h5_items_find(&r->items, path, false);
    if (!it || it->kind == TW_H5_LINK)
        return no_object(r, path, err);
    if (it->kind != TW_H5_SET)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: expected a data set, found a %s", r->path, path,
                          it->type);
    if (*it->note)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: not read: %s", r->path, path, it->note);
    if (it->class != class && !(class == TW_H5_BYTES && is_whole(it->class)))
        return tw_err_set(err, TW_EFORMAT, "%s: %s: expected %s, found %s", r->path, path,
                          class == TW_H5_REALS   ? "real numbers"
                          : class == TW_H5_TEXTS ? "text"
                                                 : "whole numbers",
                          it->type);
    rc = check_shape(r, it, rank, dims, err);
    if (rc == TW_OK && it->values == TW_H5_NONE)
        rc = tw_err_set(err, TW_EFORMAT, "%s: %s: it has no values", r->path, path);
    return rc;
}

/* A copy of the values; *x is the caller's on success only. */
static enum tw_status copy_values(struct tw_result *r, const struct tw_h5_item *it, void **x,
                                  struct tw_err *err)
{
    *x = tw_alloc(it->bytes, 1);
    if (!*x)
        return tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory for %" PRIu64 " elements", r->path,
                          it->path, it->n);
    memcpy(*x, it->data, it->bytes);
    return TW_OK;
}

enum tw_status tw_result_get_reals(struct tw_result *r, const char *path, int rank, size_t *dims,
                                   double **x, struct tw_err *err)
{
    const struct tw_h5_item *it = NULL;
    void *p = NULL;
    enum tw_status rc = find_set(r, path, TW_H5_REALS, rank, dims, &it, err);

    if (rc == TW_OK)
        rc = copy_values(r, it, &p, err);
    *x = p;
    return rc;
}

enum tw_status tw_result_get_real(struct tw_result *r, const char *path, double *x,
                                  struct tw_err *err)
{
    double *p = NULL;
    enum tw_status rc = tw_result_get_reals(r, path, 0, NULL, &p, err);

    if (p)
        *x = *p;
    free(p);
    return rc;
}

enum tw_status tw_result_get_size(struct tw_result *r, const char *path, size_t *x,
                                  struct tw_err *err)
{
    const struct tw_h5_item *it = NULL;
    enum tw_status rc = find_set(r, path, TW_H5_BYTES, 0, NULL, &it, err);
    uint64_t u = 0;

    if (rc != TW_OK)
        return rc;
    if (!whole(it, &u))
        return tw_err_set(err, TW_EFORMAT, "%s: %s: expected a count, found %" PRId64, r->path,
                          path, (int64_t)u);
    if (u > SIZE_MAX)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: %" PRIu64 " is too large", r->path, path, u);
    *x = (size_t)u;
    return TW_OK;
}

enum tw_status tw_result_get_bytes(struct tw_result *r, const char *path, int rank, size_t *dims,
                                   uint8_t **x, struct tw_err *err)
{
    const struct tw_h5_item *it = NULL;
    void *p = NULL;
    enum tw_status rc = find_set(r, path, TW_H5_BYTES, rank, dims, &it, err);

    if (rc == TW_OK && it->class != TW_H5_BYTES)
        rc = tw_err_set(err, TW_EFORMAT, "%s: %s: expected bytes, found %s", r->path, path,
                        it->type);
    if (rc == TW_OK)
        rc = copy_values(r, it, &p, err);
    *x = p;
    return rc;
}

/* ---- text ----------------------------------------------------------------------------- */

static enum tw_status get_texts(struct tw_result *r, const char *path, int rank, size_t *n,
                                char ***list, struct tw_err *err)
{
    const struct tw_h5_item *it = NULL;
    enum tw_status rc = find_set(r, path, TW_H5_TEXTS, rank, n, &it, err);
    char **x = NULL;
    const char *p;

    *list = NULL;
    if (rc != TW_OK)
        return rc;
    x = tw_alloc((size_t)it->n, sizeof *x);
    p = it->data;
    for (size_t i = 0; x && i < it->n; i++) {
        x[i] = tw_strdup(p);
        p += strlen(p) + 1;
        if (!x[i]) {
            while (i-- > 0)
                free(x[i]);
            free(x);
            x = NULL;
        }
    }
    *list = x;
    return x ? TW_OK : tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory", r->path, path);
}

enum tw_status tw_result_get_texts(struct tw_result *r, const char *path, size_t *n, char ***s,
                                   struct tw_err *err)
{
    return get_texts(r, path, 1, n, s, err);
}

enum tw_status tw_result_get_text(struct tw_result *r, const char *path, char **s,
                                  struct tw_err *err)
{
    char **list = NULL;
    enum tw_status rc = get_texts(r, path, 0, NULL, &list, err);

    *s = list ? list[0] : NULL;
    free(list);
    return rc;
}
