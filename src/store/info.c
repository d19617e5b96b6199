/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Walk any HDF5 file, row by row. Links are reported, never followed. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "h5.h"
#include "thalweg/store_result.h"

enum { MAX_DEPTH = 64, MAX_ROWS = 100000, MAX_SHOWN = 4, MAX_BYTES = 1 << 16 };

struct walk {
    const char *name; /* of the file */
    uint64_t size;
    tw_info_row_fn *row;
    void *ctx;
    struct tw_str path;
    haddr_t above[MAX_DEPTH]; /* the groups from the root to here: hard links can form cycles */
    size_t depth, nrows;
    struct tw_err *err;
    enum tw_status rc;
};

static herr_t stop(struct walk *w, enum tw_status rc)
{
    w->rc = rc;
    return -1;
}

static herr_t emit(struct walk *w, const char *type, const char *shape, const char *value)
{
    if (w->path.failed)
        return stop(w, tw_err_set(w->err, TW_ENOMEM, "%s: out of memory", w->name));
    if (w->nrows++ == MAX_ROWS)
        return stop(
            w, tw_err_set(w->err, TW_EFORMAT, "%s: more than %d objects", w->name, (int)MAX_ROWS));
    w->row(w->ctx, w->path.s, type, shape, value);
    return 0;
}

/* Cut the path back to n bytes. */
static void leave(struct walk *w, size_t n)
{
    if (!w->path.failed) {
        w->path.n = n;
        w->path.s[n] = '\0';
    }
}

/* ---- values --------------------------------------------------------------------------- */

static void add_text(struct tw_str *out, const char *s, size_t n)
{
    enum { MOST = 200 };

    n = strnlen(s, n);
    tw_str_addn(out, s, n < MOST ? n : MOST);
    if (n > MOST)
        tw_str_add(out, "...");
}

static void show(struct tw_str *out, const void *buf, size_t n, size_t size, H5T_class_t class,
                 bool variable, bool is_signed)
{
    for (size_t i = 0; i < n; i++) {
        const char *p = (const char *)buf + i * size;

        tw_str_add(out, i ? " " : "");
        if (class == H5T_FLOAT) {
            double x;

            memcpy(&x, p, sizeof x);
            tw_str_addf(out, "%.10g", x);
        } else if (class == H5T_INTEGER) {
            uint64_t u;

            memcpy(&u, p, sizeof u);
            if (is_signed)
                tw_str_addf(out, "%" PRId64, (int64_t)u);
            else
                tw_str_addf(out, "%" PRIu64, u);
        } else if (variable) {
            const char *s;

            memcpy(&s, p, sizeof s);
            add_text(out, s ? s : "", SIZE_MAX);
        } else {
            add_text(out, p, size);
        }
    }
}

/* The value of an attribute or data set with few elements, as text; nothing for the rest. */
static void value_of(hid_t object, bool attribute, hid_t type, hid_t space, size_t n,
                     struct tw_str *out)
{
    H5T_class_t class = H5Tget_class(type);
    bool variable = class == H5T_STRING && H5Tis_variable_str(type) > 0;
    bool is_signed = class == H5T_INTEGER && H5Tget_sign(type) != H5T_SGN_NONE;
    hid_t as = class == H5T_FLOAT                  ? H5T_NATIVE_DOUBLE
               : class == H5T_INTEGER && is_signed ? H5T_NATIVE_INT64
               : class == H5T_INTEGER              ? H5T_NATIVE_UINT64
                                                   : type;
    size_t size = H5Tget_size(as);
    herr_t good;
    void *buf;

    if (class != H5T_FLOAT && class != H5T_INTEGER && class != H5T_STRING)
        return;
    if (n == 0 || n > MAX_SHOWN || size == 0 || size > MAX_BYTES)
        return;
    buf = tw_alloc(n, size);
    if (!buf)
        return;
    good = attribute ? H5Aread(object, as, buf)
                     : H5Dread(object, as, H5S_ALL, H5S_ALL, H5P_DEFAULT, buf);
    if (good >= 0) {
        show(out, buf, n, size, class, variable, is_signed);
        if (variable)
            (void)H5Dvlen_reclaim(type, space, H5P_DEFAULT, buf);
    }
    free(buf);
}

/* "3 x 4"; the number of elements, SIZE_MAX if it cannot be told. */
static size_t shape_of(hid_t space, struct tw_str *out)
{
    hsize_t dims[H5S_MAX_RANK];
    int rank = H5Sget_simple_extent_dims(space, dims, NULL);
    hssize_t n = H5Sget_simple_extent_npoints(space);

    for (int i = 0; i < rank; i++)
        tw_str_addf(out, "%s%" PRIuHSIZE, i ? " x " : "", dims[i]);
    if (H5Sget_simple_extent_type(space) == H5S_NULL)
        tw_str_add(out, "none");
    return n < 0 ? SIZE_MAX : (size_t)n;
}

static herr_t describe(struct walk *w, hid_t object, bool attribute)
{
    hid_t type = attribute ? H5Aget_type(object) : H5Dget_type(object), space = -1;
    struct tw_str shape = { 0 }, value = { 0 };
    char name[TW_H5_TYPE], why[TW_H5_WHY];
    const char *no = attribute ? NULL : tw_h5_refused(object, w->size, why);
    herr_t rc;

    /* Even the shape of a virtual data set asks for other files. */
    if (!no || attribute)
        space = attribute ? H5Aget_space(object) : H5Dget_space(object);
    tw_str_add(&shape, "");
    tw_str_add(&value, "");
    if (no)
        tw_str_addf(&value, "not read: %s", no);
    else if (type >= 0 && space >= 0)
        value_of(object, attribute, type, space, shape_of(space, &shape), &value);
    if (shape.failed || value.failed)
        rc = stop(w, tw_err_set(w->err, TW_ENOMEM, "%s: out of memory", w->name));
    else
        rc = emit(w, type < 0 ? "unknown" : tw_h5_type_name(type, name), shape.s, value.s);
    (void)H5Eclear2(H5E_DEFAULT);
    tw_str_release(&shape);
    tw_str_release(&value);
    tw_h5_close(space);
    tw_h5_close(type);
    return rc;
}

/* ---- the walk ------------------------------------------------------------------------- */

static herr_t on_attribute(hid_t object, const char *name, const H5A_info_t *info, void *ctx)
{
    struct walk *w = ctx;
    size_t n = w->path.n;
    hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
    herr_t rc;

    (void)info;
    if (attr < 0)
        return stop(w, tw_h5_fail(w->err, TW_EFORMAT, "%s: %s@%s", w->name, w->path.s, name));
    tw_str_addf(&w->path, "@%s", name);
    rc = w->path.failed ? stop(w, TW_ENOMEM) : describe(w, attr, true);
    leave(w, n);
    tw_h5_close(attr);
    return rc;
}

static herr_t walk_group(struct walk *w, hid_t group);

/* An object and its attributes, then what is in it. */
static herr_t walk_object(struct walk *w, hid_t object)
{
    H5I_type_t kind = H5Iget_type(object);
    hsize_t from = 0;
    herr_t rc;

    if (kind == H5I_DATASET)
        rc = describe(w, object, false);
    else
        rc = emit(w, kind == H5I_GROUP ? "group" : "type", "", "");
    if (rc == 0)
        rc = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &from, on_attribute, w);
    if (rc == 0 && kind == H5I_GROUP)
        rc = walk_group(w, object);
    return rc;
}

static herr_t report_link(struct walk *w, hid_t group, const char *name, const H5L_info_t *info)
{
    const char *type = info->type == H5L_TYPE_SOFT       ? "soft link"
                       : info->type == H5L_TYPE_EXTERNAL ? "external link"
                                                         : "link";
    size_t n = info->u.val_size;
    struct tw_str to = { 0 };
    char *value = n > 0 && n < MAX_BYTES ? tw_alloc(n + 1, 1) : NULL;
    const char *file = NULL, *object = NULL;
    unsigned flags = 0;
    herr_t rc;

    tw_str_add(&to, "");
    if (value && H5Lget_val(group, name, value, n, H5P_DEFAULT) >= 0) {
        if (info->type == H5L_TYPE_SOFT)
            add_text(&to, value, n);
        else if (info->type == H5L_TYPE_EXTERNAL &&
                 H5Lunpack_elink_val(value, n, &flags, &file, &object) >= 0)
            tw_str_addf(&to, "%s:%s", file, object);
    }
    rc = to.failed ? stop(w, TW_ENOMEM) : emit(w, type, "", to.s);
    (void)H5Eclear2(H5E_DEFAULT);
    free(value);
    tw_str_release(&to);
    return rc;
}

static herr_t on_link(hid_t group, const char *name, const H5L_info_t *info, void *ctx)
{
    struct walk *w = ctx;
    size_t n = w->path.n;
    hid_t object = -1;
    herr_t rc;

    tw_str_addf(&w->path, "%s%s", n > 1 ? "/" : "", name);
    if (w->path.failed) {
        rc = stop(w, TW_ENOMEM);
    } else if (info->type != H5L_TYPE_HARD) {
        rc = report_link(w, group, name, info);
    } else {
        object = H5Oopen(group, name, H5P_DEFAULT);
        rc = object < 0 ? stop(w, tw_h5_fail(w->err, TW_EFORMAT, "%s: %s", w->name, w->path.s))
                        : walk_object(w, object);
    }
    leave(w, n);
    tw_h5_close(object);
    return rc;
}

static herr_t walk_group(struct walk *w, hid_t group)
{
#if H5_VERSION_GE(1, 12, 0)
    H5O_info1_t info;
#else
    H5O_info_t info;
#endif
    H5G_info_t links;
    hid_t plist = H5Gget_create_plist(group);
    unsigned order = 0;
    bool by_order;
    hsize_t from = 0;
    herr_t rc;

    if (plist >= 0)
        (void)H5Pget_link_creation_order(plist, &order);
    tw_h5_close(plist);
    if (H5Oget_info1(group, &info) < 0 || H5Gget_info(group, &links) < 0)
        return stop(w, tw_h5_fail(w->err, TW_EFORMAT, "%s: %s", w->name, w->path.s));
    for (size_t i = 0; i < w->depth; i++)
        if (w->above[i] == info.addr)
            return 0; /* shown above */
    if (w->depth == MAX_DEPTH)
        return stop(w, tw_err_set(w->err, TW_EFORMAT, "%s: groups more than %d deep", w->name,
                                  (int)MAX_DEPTH));
    w->above[w->depth++] = info.addr;
    /* Sorting the links of a damaged heap crashes HDF5 1.10: there, the order of the file. */
    by_order = links.storage_type == H5G_STORAGE_TYPE_COMPACT && order & H5P_CRT_ORDER_TRACKED;
    rc = H5Literate(group, by_order ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME,
                    links.storage_type == H5G_STORAGE_TYPE_DENSE ? H5_ITER_NATIVE : H5_ITER_INC,
                    &from, on_link, w);
    w->depth--;
    return rc;
}

enum tw_status tw_info_hdf5(const char *path, tw_info_row_fn *row, void *ctx, struct tw_err *err)
{
    struct walk w = { .name = path, .row = row, .ctx = ctx, .err = err };
    hid_t file = tw_h5_open(path, &w.size, err), root = -1;

    if (file < 0)
        return err && err->code ? err->code : TW_EFORMAT;
    tw_str_add(&w.path, "/");
    root = H5Oopen(file, "/", H5P_DEFAULT);
    if (root < 0 || walk_object(&w, root) < 0) {
        if (w.rc == TW_OK)
            w.rc = tw_h5_fail(err, TW_EFORMAT, "%s", path);
        else if (err && err->code == TW_OK)
            w.rc = tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
    }
    (void)H5Eclear2(H5E_DEFAULT);
    tw_h5_close(root);
    tw_h5_close(file);
    tw_str_release(&w.path);
    return w.rc;
}
