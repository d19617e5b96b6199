/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Read a result file. It may come from anywhere: every size is checked against the file's
 * before memory is asked for, and nothing outside the file is opened. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "result.h"

/* ---- opening -------------------------------------------------------------------------- */

static enum tw_status check_root(struct tw_result *r, const char *kind, struct tw_err *err)
{
    char *format = tw_h5_attr_text(r->file, "format");
    int64_t version = 0;
    enum tw_status rc = TW_OK;

    r->kind = tw_h5_attr_text(r->file, "kind");
    if (!format || strcmp(format, "thalweg") != 0)
        rc = tw_err_set(err, TW_EFORMAT,
                        "%s: an HDF5 file, but no thalweg result (no attribute format=\"thalweg\")",
                        r->path);
    else if (!tw_h5_attr_int(r->file, "format_version", &version) || version < 1)
        rc = tw_err_set(err, TW_EFORMAT, "%s: the attribute format_version is missing or wrong",
                        r->path);
    else if (version > TW_RESULT_VERSION)
        rc = tw_err_set(err, TW_EFORMAT,
                        "%s: format version %" PRId64 " is newer than %d, the newest that thalweg "
                        "%s reads; update thalweg",
                        r->path, version, TW_RESULT_VERSION, tw_version());
    else if (!r->kind)
        rc = tw_err_set(err, TW_EFORMAT, "%s: the attribute kind is missing", r->path);
    else if (kind && strcmp(kind, r->kind) != 0)
        rc = tw_err_set(err, TW_EFORMAT, "%s: expected a result of kind '%s', found '%s'", r->path,
                        kind, r->kind);
    (void)H5Eclear2(H5E_DEFAULT);
    free(format);
    return rc;
}

struct tw_result *tw_result_open(const char *path, const char *kind, struct tw_err *err)
{
    struct tw_result *r = tw_alloc(1, sizeof *r);

    if (!r) {
        (void)tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
        return NULL;
    }
    r->fd = -1;
    r->state = TW_RESULT_READING;
    r->path = tw_strdup(path);
    if (!r->path)
        (void)tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
    r->file = r->path ? tw_h5_open(path, &r->file_size, err) : -1;
    if (r->file < 0 || check_root(r, kind, err) != TW_OK) {
        tw_result_free(r);
        return NULL;
    }
    return r;
}

void tw_result_done(struct tw_result *r)
{
    tw_result_free(r);
}

const char *tw_result_kind(const struct tw_result *r)
{
    return r->kind;
}

struct visit {
    struct tw_result *r;
    struct tw_err *err;
};

static herr_t note_slot(hid_t file, const char *name, const H5L_info_t *info, void *ctx)
{
    struct visit *v = ctx;
    struct tw_str path = { 0 };
    char why[TW_H5_WHY];
    herr_t rc = 0;
    hid_t object;

    if (info->type != H5L_TYPE_HARD)
        return 0;
    tw_str_addf(&path, "/%s", name);
    object = path.failed ? -1 : H5Oopen(file, name, H5P_DEFAULT);
    if (object < 0)
        rc = path.failed ? (herr_t)-tw_err_set(v->err, TW_ENOMEM, "%s: out of memory", v->r->path)
                         : (herr_t)-tw_h5_fail(v->err, TW_EFORMAT, "%s: %s", v->r->path, path.s);
    else if (H5Iget_type(object) == H5I_DATASET && !tw_h5_refused(object, v->r->file_size, why))
        rc = (herr_t)-tw_slots_add(v->r, path.s, object, v->err);
    tw_h5_close(object);
    tw_str_release(&path);
    return rc;
}

struct tw_result *tw_result_reopen(const char *path, const char *kind, struct tw_err *err)
{
    struct tw_result *r = tw_result_open(path, kind, err);
    struct visit v = { r, err };

    if (!r)
        return NULL;
    r->mode = TW_RESULT_INPLACE;
    r->target = tw_strdup(path);
    if (!r->target) {
        (void)tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
        goto fail;
    }
    /* Every object comes once, whatever cycles the links form. (In the file's own order:
     * sorting a damaged group crashes HDF5 1.10.) */
    if (H5Lvisit(r->file, H5_INDEX_NAME, H5_ITER_NATIVE, note_slot, &v) < 0) {
        (void)tw_h5_fail(err, TW_EFORMAT, "%s", path);
        goto fail;
    }
    tw_h5_close(r->file);
    r->file = -1;
    if (tw_points_open(r, err) != TW_OK)
        goto fail;
    return r;
fail:
    tw_result_free(r);
    return NULL;
}

/* ---- data sets ------------------------------------------------------------------------ */

bool tw_result_has(struct tw_result *r, const char *path)
{
    struct tw_err none = { 0 };
    hid_t object = -1;
    bool yes;

    if (r->state == TW_RESULT_READING)
        object = tw_h5_open_object(r->file, r->path, path, &none);
    yes = object >= 0 && H5Iget_type(object) == H5I_DATASET;
    tw_h5_close(object);
    return yes;
}

/* An open data set that may be read: n elements of the class asked for. */
struct source {
    hid_t set, type, space;
    size_t n, size;
};

static void close_source(struct source *s)
{
    tw_h5_close(s->space);
    tw_h5_close(s->type);
    tw_h5_close(s->set);
}

static const char *class_name(H5T_class_t class)
{
    return class == H5T_FLOAT ? "real numbers" : class == H5T_STRING ? "text" : "whole numbers";
}

static enum tw_status check_shape(struct tw_result *r, const char *path, int rank, size_t *dims,
                                  struct source *s, struct tw_err *err)
{
    hsize_t have[H5S_MAX_RANK];
    int found;

    s->space = H5Dget_space(s->set);
    found = s->space < 0 ? -1 : H5Sget_simple_extent_dims(s->space, have, NULL);
    if (found < 0)
        return tw_h5_fail(err, TW_EFORMAT, "%s: %s", r->path, path);
    if (found != rank)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: expected %d dimension%s, found %d", r->path,
                          path, rank, rank == 1 ? "" : "s", found);
    if (H5Sget_simple_extent_type(s->space) == H5S_NULL)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: expected a value, found none", r->path, path);
    s->n = 1;
    for (int i = 0; i < rank; i++) {
        if (have[i] && s->n > SIZE_MAX / 16 / have[i])
            return tw_err_set(err, TW_EFORMAT, "%s: %s: the shape is too large", r->path, path);
        s->n *= (size_t)have[i];
        dims[i] = (size_t)have[i];
    }
    return TW_OK;
}

static enum tw_status open_source(struct tw_result *r, const char *path, H5T_class_t class,
                                  int rank, size_t *dims, struct source *s, struct tw_err *err)
{
    char why[TW_H5_WHY], type[TW_H5_TYPE];
    const char *no;

    *s = (struct source){ .set = -1, .type = -1, .space = -1 };
    if (r->state != TW_RESULT_READING)
        return tw_err_set(err, TW_EINVAL, "%s: %s: the file is not open for reading", r->path,
                          path);
    s->set = tw_h5_open_object(r->file, r->path, path, err);
    if (s->set < 0)
        return err && err->code ? err->code : TW_EFORMAT;
    if (H5Iget_type(s->set) != H5I_DATASET)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: expected a data set, found a group", r->path,
                          path);
    no = tw_h5_refused(s->set, r->file_size, why);
    if (no)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: refused: %s", r->path, path, no);
    s->type = H5Dget_type(s->set);
    s->size = s->type < 0 ? 0 : H5Tget_size(s->type);
    if (s->size == 0)
        return tw_h5_fail(err, TW_EFORMAT, "%s: %s", r->path, path);
    if (H5Tget_class(s->type) != class)
        return tw_err_set(err, TW_EFORMAT, "%s: %s: expected %s, found %s", r->path, path,
                          class_name(class), tw_h5_type_name(s->type, type));
    return check_shape(r, path, rank, dims, s, err);
}

/* All n elements, each `size` bytes in memory; *x is the caller's on success only. */
static enum tw_status read_all(struct tw_result *r, const char *path, const struct source *s,
                               hid_t type, size_t size, void **x, struct tw_err *err)
{
    *x = tw_alloc(s->n, size);
    if (!*x)
        return tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory for %zu elements", r->path, path,
                          s->n);
    if (s->n > 0 && H5Dread(s->set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, *x) < 0) {
        free(*x);
        *x = NULL;
        return tw_h5_fail(err, TW_EFORMAT, "%s: %s", r->path, path);
    }
    return TW_OK;
}

enum tw_status tw_result_get_reals(struct tw_result *r, const char *path, int rank, size_t *dims,
                                   double **x, struct tw_err *err)
{
    struct source s;
    void *p = NULL;
    enum tw_status rc = open_source(r, path, H5T_FLOAT, rank, dims, &s, err);

    if (rc == TW_OK)
        rc = read_all(r, path, &s, H5T_NATIVE_DOUBLE, sizeof **x, &p, err);
    *x = p;
    close_source(&s);
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
    struct source s;
    enum tw_status rc = open_source(r, path, H5T_INTEGER, 0, NULL, &s, err);
    bool is_signed = rc == TW_OK && H5Tget_sign(s.type) != H5T_SGN_NONE;
    int64_t whole = 0;
    uint64_t u = 0;

    if (rc != TW_OK)
        goto out;
    if (H5Dread(s.set, is_signed ? H5T_NATIVE_INT64 : H5T_NATIVE_UINT64, H5S_ALL, H5S_ALL,
                H5P_DEFAULT, is_signed ? (void *)&whole : (void *)&u) < 0) {
        rc = tw_h5_fail(err, TW_EFORMAT, "%s: %s", r->path, path);
        goto out;
    }
    if (is_signed && whole < 0) {
        rc = tw_err_set(err, TW_EFORMAT, "%s: %s: expected a count, found %" PRId64, r->path, path,
                        whole);
        goto out;
    }
    u = is_signed ? (uint64_t)whole : u;
    if (u > SIZE_MAX)
        rc = tw_err_set(err, TW_EFORMAT, "%s: %s: %" PRIu64 " is too large", r->path, path, u);
    else
        *x = (size_t)u;
out:
    close_source(&s);
    return rc;
}

enum tw_status tw_result_get_bytes(struct tw_result *r, const char *path, int rank, size_t *dims,
                                   uint8_t **x, struct tw_err *err)
{
    char name[TW_H5_TYPE];
    struct source s;
    void *p = NULL;
    enum tw_status rc = open_source(r, path, H5T_INTEGER, rank, dims, &s, err);

    if (rc == TW_OK && (s.size != 1 || H5Tget_sign(s.type) != H5T_SGN_NONE))
        rc = tw_err_set(err, TW_EFORMAT, "%s: %s: expected bytes, found %s", r->path, path,
                        tw_h5_type_name(s.type, name));
    if (rc == TW_OK)
        rc = read_all(r, path, &s, H5T_NATIVE_UINT8, 1, &p, err);
    *x = p;
    close_source(&s);
    return rc;
}

/* ---- text ----------------------------------------------------------------------------- */

/* Text as we write it, n texts of one length; it ends at the first NUL or there. */
static enum tw_status split_fixed(struct tw_result *r, const char *path, const struct source *s,
                                  char **list, struct tw_err *err)
{
    void *all = NULL;
    enum tw_status rc = read_all(r, path, s, s->type, s->size, &all, err);

    for (size_t i = 0; all && rc == TW_OK && i < s->n; i++) {
        const char *p = (const char *)all + i * s->size;

        list[i] = tw_strndup(p, strnlen(p, s->size));
        if (!list[i])
            rc = tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory", r->path, path);
    }
    free(all);
    return rc;
}

/* Text of variable length, as h5py writes it. */
static enum tw_status copy_variable(struct tw_result *r, const char *path, const struct source *s,
                                    char **list, struct tw_err *err)
{
    void *all = NULL;
    enum tw_status rc = read_all(r, path, s, s->type, sizeof(char *), &all, err);
    char **p = all;

    for (size_t i = 0; p && rc == TW_OK && i < s->n; i++) {
        list[i] = tw_strdup(p[i] ? p[i] : "");
        if (!list[i])
            rc = tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory", r->path, path);
    }
    if (all && s->n > 0)
        (void)H5Dvlen_reclaim(s->type, s->space, H5P_DEFAULT, all);
    free(all);
    return rc;
}

static enum tw_status get_texts(struct tw_result *r, const char *path, int rank, size_t *n,
                                char ***list, struct tw_err *err)
{
    struct source s;
    enum tw_status rc = open_source(r, path, H5T_STRING, rank, n, &s, err);
    char **x = NULL;

    if (rc != TW_OK)
        goto out;
    x = tw_alloc(s.n, sizeof *x);
    if (!x) {
        rc = tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory", r->path, path);
        goto out;
    }
    rc = H5Tis_variable_str(s.type) > 0 ? copy_variable(r, path, &s, x, err)
                                        : split_fixed(r, path, &s, x, err);
    if (rc != TW_OK) {
        for (size_t i = 0; i < s.n; i++)
            free(x[i]);
        free(x);
        x = NULL;
    }
out:
    *list = x;
    close_source(&s);
    return rc;
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
