/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Walk any HDF5 file and write down what is there (see h5_items.h). Links are reported, never
 * followed. This runs in a process that may crash. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h5.h"
#include "h5_items.h"

enum { MAX_OBJECTS = 100000, MAX_LOG_OBJECTS = 1 << 20, MAX_PATH = 1 << 16, BLOCK = 1 << 16 };

struct walk {
    const struct tw_h5_request *q;
    int out;
    size_t filled;
    char block[BLOCK];
    struct tw_str path;
    haddr_t above[TW_H5_MAX_DEPTH]; /* the groups from the root to here: links can form cycles */
    size_t depth, nitems;
    bool all; /* values of data sets are wanted, however many */
    struct tw_err err;
};

static herr_t stop(struct walk *w, enum tw_status rc)
{
    (void)tw_err_set(&w->err, rc, "out of memory");
    return -1;
}

/* ---- writing ---------------------------------------------------------------------------- */

static void put_raw(struct walk *w, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t k = write(w->out, p, n);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            (void)tw_err_set(&w->err, TW_EIO, "the pipe is closed");
            return;
        }
        p += k;
        n -= (size_t)k;
    }
}

static void flush(struct walk *w)
{
    put_raw(w, w->block, w->filled);
    w->filled = 0;
}

static void put(struct walk *w, const void *p, size_t n)
{
    if (n == 0)
        return;
    if (n > BLOCK - w->filled)
        flush(w);
    if (n > BLOCK) {
        put_raw(w, p, n);
        return;
    }
    memcpy(w->block + w->filled, p, n);
    w->filled += n;
}

static herr_t emit(struct walk *w, struct tw_h5_head *h, const hsize_t *dims, const char *type,
                   const char *note, const void *data)
{
    const size_t most = w->q->scope == TW_H5_LOG ? MAX_LOG_OBJECTS : MAX_OBJECTS;

    if (h->kind != TW_H5_END) {
        if (w->path.failed)
            return stop(w, TW_ENOMEM);
        if (w->path.n > MAX_PATH)
            return stop(
                w, tw_err_set(&w->err, TW_EFORMAT, "names of more than %d bytes", (int)MAX_PATH));
        if (w->nitems++ == most)
            return stop(w, tw_err_set(&w->err, TW_EFORMAT, "more than %zu objects", most));
        h->npath = w->path.n;
    }
    h->ntype = strlen(type);
    h->nnote = strlen(note);
    put(w, h, sizeof *h);
    for (uint32_t i = 0; dims && i < h->rank; i++) {
        uint64_t d = dims[i];

        put(w, &d, sizeof d);
    }
    put(w, w->path.s, h->npath);
    put(w, type, h->ntype);
    put(w, note, h->nnote);
    put(w, data, h->ndata);
    return w->err.code ? -1 : 0;
}

static herr_t emit_plain(struct walk *w, enum tw_h5_kind kind, const char *type, const char *note)
{
    struct tw_h5_head h = { .kind = kind };

    return emit(w, &h, NULL, type, note, NULL);
}

/* Cut the path back to n bytes. */
static void leave(struct walk *w, size_t n)
{
    if (!w->path.failed) {
        w->path.n = n;
        w->path.s[n] = '\0';
    }
}

/* ---- values ----------------------------------------------------------------------------- */

/* A data set or an attribute being described. */
struct source {
    hid_t object, type, space;
    bool attribute;
    hsize_t dims[H5S_MAX_RANK];
    struct tw_h5_head head;
    const char *why; /* nothing is read of it */
    struct tw_str text;
    void *data;
    char buf[TW_H5_WHY];
};

static enum tw_h5_values class_of(hid_t type, size_t size)
{
    switch (H5Tget_class(type)) {
    case H5T_FLOAT:
        return TW_H5_REALS;
    case H5T_INTEGER:
        if (H5Tget_sign(type) != H5T_SGN_NONE)
            return TW_H5_INTS;
        return size == 1 ? TW_H5_BYTES : TW_H5_UINTS;
    case H5T_STRING:
        return TW_H5_TEXTS;
    default:
        return TW_H5_NONE;
    }
}

static herr_t read_as(const struct source *s, hid_t type, void *to)
{
    return s->attribute ? H5Aread(s->object, type, to)
                        : H5Dread(s->object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
}

/* Why HDF5 failed goes to s->why; when memory is short, the walk ends. */
static herr_t not_read(struct walk *w, struct source *s)
{
    struct tw_err err = { 0 };

    if (tw_h5_fail(&err, TW_EFORMAT, "%s", "damaged") == TW_ENOMEM)
        return stop(w, TW_ENOMEM);
    (void)snprintf(s->buf, sizeof s->buf, "%.*s", (int)sizeof s->buf - 1, err.msg);
    s->why = s->buf;
    return 0;
}

static herr_t read_texts(struct walk *w, struct source *s)
{
    bool variable = H5Tis_variable_str(s->type) > 0;
    size_t n = (size_t)s->head.n, size = variable ? sizeof(char *) : (size_t)s->head.size;
    char *all = tw_alloc(n, size);

    if (!all)
        return stop(w, TW_ENOMEM);
    if (n > 0 && read_as(s, s->type, all) < 0) {
        free(all);
        return not_read(w, s);
    }
    for (size_t i = 0; i < n; i++) {
        const char *p = all + i * size;

        if (variable)
            memcpy(&p, all + i * size, sizeof p); /* an empty text is stored as none */
        if (p)
            tw_str_addn(&s->text, p, variable ? strlen(p) : strnlen(p, size));
        tw_str_addn(&s->text, "", 1);
    }
    if (variable && n > 0)
        (void)H5Dvlen_reclaim(s->type, s->space, H5P_DEFAULT, all);
    free(all);
    if (s->text.failed)
        return stop(w, TW_ENOMEM);
    s->head.values = TW_H5_TEXTS;
    s->head.ndata = s->text.n;
    return 0;
}

static herr_t read_numbers(struct walk *w, struct source *s)
{
    const enum tw_h5_values class = (w->q->scope == TW_H5_ARRAYS || w->q->scope == TW_H5_RUN) &&
                                            s->head.class == TW_H5_REALS &&
                                            s->head.size <= sizeof(float)
                                        ? TW_H5_FLOATS
                                        : (enum tw_h5_values)s->head.class;
    const size_t size = class == TW_H5_BYTES    ? 1
                        : class == TW_H5_FLOATS ? sizeof(float)
                                                : sizeof(double);
    const hid_t type = class == TW_H5_REALS    ? H5T_NATIVE_DOUBLE
                       : class == TW_H5_FLOATS ? H5T_NATIVE_FLOAT
                       : class == TW_H5_INTS   ? H5T_NATIVE_INT64
                       : class == TW_H5_BYTES  ? H5T_NATIVE_UINT8
                                               : H5T_NATIVE_UINT64;

    s->data = tw_alloc((size_t)s->head.n, size);
    if (!s->data)
        return stop(w, TW_ENOMEM);
    if (s->head.n > 0 && read_as(s, type, s->data) < 0)
        return not_read(w, s);
    s->head.values = class;
    s->head.ndata = s->head.n * size;
    return 0;
}

/* What holds the numbers of a type without loss; TW_NONE: it has none, or wider ones. */
static enum tw_dtype element_of(hid_t type)
{
    static const enum tw_dtype ints[] = { TW_I8,   TW_I16,  TW_NONE, TW_I32,
                                          TW_NONE, TW_NONE, TW_NONE, TW_I64 },
                               uints[] = { TW_U8,   TW_U16,  TW_NONE, TW_U32,
                                           TW_NONE, TW_NONE, TW_NONE, TW_U64 };
    const size_t size = H5Tget_size(type);
    size_t sign, exponent, esize, mantissa, msize;

    switch (H5Tget_class(type)) {
    case H5T_FLOAT:
        if (size == 2 && H5Tget_fields(type, &sign, &exponent, &esize, &mantissa, &msize) >= 0)
            return esize == 5 && msize == 10 ? TW_F16 : esize == 8 && msize == 7 ? TW_BF16 : TW_F32;
        return size <= sizeof(float) ? TW_F32 : TW_F64;
    case H5T_INTEGER:
        if (size == 0 || size > 8)
            return TW_NONE;
        return H5Tget_sign(type) == H5T_SGN_NONE ? uints[size - 1] : ints[size - 1];
    case H5T_ENUM:
        return tw_h5_is_bool(type) ? TW_BOOL : TW_I64;
    default:
        return TW_NONE;
    }
}

/* Its bytes are those of `element` already, one after another. */
static bool is_plain(const struct source *s)
{
    const hid_t as = tw_h5_element_type((enum tw_dtype)s->head.element);
    const bool same = as >= 0 && (s->head.element == TW_BOOL || H5Tequal(s->type, as) > 0);

    tw_h5_close(as);
    return same;
}

/* Shape and place; false if they cannot be told. */
static bool measure(struct source *s)
{
    int rank = H5Sget_simple_extent_dims(s->space, s->dims, NULL);
    hssize_t n = H5Sget_simple_extent_npoints(s->space);
    haddr_t at = s->attribute ? HADDR_UNDEF : H5Dget_offset(s->object);

    if (rank < 0 || rank > TW_H5_MAX_RANK || n < 0)
        return false;
    s->head.empty = H5Sget_simple_extent_type(s->space) == H5S_NULL;
    s->head.rank = (uint32_t)rank;
    s->head.n = s->head.empty ? 0 : (uint64_t)n;
    if (at != HADDR_UNDEF && s->head.element != TW_NONE && is_plain(s)) {
        s->head.plain = 1;
        s->head.offset = at;
    }
    if (at != HADDR_UNDEF &&
        (H5Tequal(s->type, H5T_IEEE_F64LE) > 0 || H5Tequal(s->type, H5T_IEEE_F32LE) > 0 ||
         H5Tequal(s->type, H5T_STD_U8LE) > 0 ||
         (s->head.class == TW_H5_TEXTS && H5Tis_variable_str(s->type) <= 0))) {
        s->head.in_one_piece = 1;
        s->head.offset = at;
    }
    return true;
}

static herr_t read_raw(struct walk *w, struct source *s)
{
    const size_t size = tw_dtype_size((enum tw_dtype)s->head.element);
    const hid_t as = s->head.element == TW_BOOL
                         ? H5Tcopy(H5T_NATIVE_UINT8)
                         : tw_h5_element_type((enum tw_dtype)s->head.element);
    herr_t rc = 0;

    s->data = tw_alloc((size_t)s->head.n, size);
    if (!s->data || as < 0)
        rc = stop(w, TW_ENOMEM);
    else if (s->head.n > 0 && read_as(s, as, s->data) < 0)
        rc = not_read(w, s);
    tw_h5_close(as);
    if (rc == 0 && !s->why) {
        s->head.values = TW_H5_RAW;
        s->head.ndata = s->head.n * size;
    }
    return rc;
}

static herr_t read_source(struct walk *w, struct source *s)
{
    /* Keras lists the names of its layers in attributes. Checkpoints may be large: those who want
     * one ask for it (TW_H5_RUN). */
    const bool list = w->q->scope == TW_H5_ARRAYS && s->head.class == TW_H5_TEXTS;
    const bool few = (s->attribute && !list) || (!s->attribute && !w->all) ||
                     (w->q->scope == TW_H5_RESULT && !strncmp(w->path.s, "/runs/", 6));

    if (w->q->scope == TW_H5_ONE)
        return s->head.element == TW_NONE || s->head.empty ? 0 : read_raw(w, s);
    if (s->head.class == TW_H5_NONE || s->head.empty)
        return 0;
    if (few && (s->head.n > TW_H5_FEW || s->head.size > TW_H5_FEW_BYTES))
        return 0;
    return s->head.class == TW_H5_TEXTS ? read_texts(w, s) : read_numbers(w, s);
}

static herr_t describe(struct walk *w, hid_t object, bool attribute)
{
    struct source s = { .object = object, .type = -1, .space = -1, .attribute = attribute };
    char name[TW_H5_TYPE];
    herr_t rc = 0;

    s.head.kind = attribute ? TW_H5_ATTR : TW_H5_SET;
    s.type = attribute ? H5Aget_type(object) : H5Dget_type(object);
    s.head.size = s.type < 0 ? 0 : H5Tget_size(s.type);
    s.head.class = s.head.size ? class_of(s.type, (size_t)s.head.size) : TW_H5_NONE;
    if (w->q->scope == TW_H5_ARRAYS && s.head.size && H5Tget_class(s.type) == H5T_ENUM)
        s.head.class = TW_H5_INTS;
    if (!attribute && s.head.size)
        s.head.element = element_of(s.type);
    s.why = attribute ? NULL : tw_h5_refused(object, w->q->file_size, s.buf);
    /* Even the shape of a virtual data set asks for other files. */
    if (!s.why)
        s.space = attribute ? H5Aget_space(object) : H5Dget_space(object);
    if (!s.why && (s.head.size == 0 || s.space < 0 || !measure(&s)))
        s.why = "its description is damaged";
    if (!s.why)
        rc = read_source(w, &s);
    if (attribute && w->q->scope == TW_H5_RESULT && s.head.values == TW_H5_TEXTS &&
        !strcmp(w->path.s, "/@format") && !strcmp(s.text.s, "thalweg"))
        w->all = true; /* the root's attributes come first */
    if (rc == 0)
        rc = emit(w, &s.head, s.dims, s.type < 0 ? "unknown" : tw_h5_type_name(s.type, name),
                  s.why ? s.why : "", s.text.s ? s.text.s : s.data);
    (void)H5Eclear2(H5E_DEFAULT);
    free(s.data);
    tw_str_release(&s.text);
    tw_h5_close(s.space);
    tw_h5_close(s.type);
    return rc;
}

/* ---- the walk --------------------------------------------------------------------------- */

static herr_t on_attribute(hid_t object, const char *name, const H5A_info_t *info, void *ctx)
{
    struct walk *w = ctx;
    size_t n = w->path.n;
    hid_t attr = H5Aopen(object, name, H5P_DEFAULT);
    herr_t rc;

    (void)info;
    if (attr < 0)
        return stop(w, tw_h5_fail(&w->err, TW_EFORMAT, "%s@%s", w->path.s, name));
    tw_str_addf(&w->path, "@%s", name);
    rc = w->path.failed ? stop(w, TW_ENOMEM) : describe(w, attr, true);
    leave(w, n);
    tw_h5_close(attr);
    return rc;
}

static herr_t walk_group(struct walk *w, hid_t group);

/* How much of an object a log needs: 0 nothing, 1 that it is there and, of a data set, its
 * values; 2 what is in it, too. */
static int log_needs(const char *path)
{
    const char *run = !strncmp(path, "/runs/", 6) ? strchr(path + 6, '/') : NULL;
    const char *log = run ? run : path;

    if (!strcmp(path, "/") || !strcmp(path, "/runs") || !strcmp(log, "/log"))
        return 2;
    if (!strncmp(log, "/log/", 5))
        return 1;
    return !strncmp(path, "/runs/", 6) && !run ? 2 : 0;
}

/* The same for a part of a file of runs: the part itself, what is in it, the way to it. */
static int run_needs(const char *path, const char *part)
{
    const char *run = !strncmp(path, "/runs/", 6) ? strchr(path + 6, '/') : NULL;
    const size_t n = strlen(path), m = part ? strlen(part) : 0;

    if (!strcmp(path, "/") || !strcmp(path, "/runs") || (!strncmp(path, "/runs/", 6) && !run))
        return 2;
    if (part && !strncmp(path, part, n < m ? n : m) &&
        (n == m || (n < m ? part : path)[n < m ? n : m] == '/'))
        return 2;
    return run && !strchr(run + 1, '/') ? 1 : 0;
}

static int needs(const struct walk *w)
{
    return w->q->scope == TW_H5_LOG   ? log_needs(w->path.s)
           : w->q->scope == TW_H5_RUN ? run_needs(w->path.s, w->q->part)
                                      : 2;
}

/* An object and its attributes, then what is in it. */
static herr_t walk_object(struct walk *w, hid_t object)
{
    H5I_type_t kind = H5Iget_type(object);
    bool log = w->q->scope == TW_H5_LOG;
    hsize_t from = 0;
    herr_t rc;

    if (kind == H5I_DATASET)
        rc = describe(w, object, false);
    else if (kind == H5I_GROUP)
        rc = emit_plain(w, TW_H5_GROUP, "group", "");
    else
        rc = emit_plain(w, TW_H5_NAMED_TYPE, "type", "");
    if (rc == 0 && !log)
        rc = H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &from, on_attribute, w);
    if (rc == 0 && kind == H5I_GROUP && needs(w) == 2)
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
    char *value = n > 0 && n < TW_H5_FEW_BYTES ? tw_alloc(n + 1, 1) : NULL;
    const char *file = NULL, *object = NULL;
    unsigned flags = 0;
    herr_t rc;

    tw_str_add(&to, "");
    if (value && H5Lget_val(group, name, value, n, H5P_DEFAULT) >= 0) {
        if (info->type == H5L_TYPE_SOFT)
            tw_str_add(&to, value);
        else if (info->type == H5L_TYPE_EXTERNAL &&
                 H5Lunpack_elink_val(value, n, &flags, &file, &object) >= 0)
            tw_str_addf(&to, "%s:%s", file, object);
    }
    rc = to.failed ? stop(w, TW_ENOMEM) : emit_plain(w, TW_H5_LINK, type, to.s);
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
    herr_t rc = 0;

    tw_str_addf(&w->path, "%s%s", n > 1 ? "/" : "", name);
    if (w->path.failed) {
        rc = stop(w, TW_ENOMEM);
    } else if (needs(w) == 0) {
        /* Gigabytes of checkpoints may lie beside a log. */
    } else if (info->type != H5L_TYPE_HARD) {
        rc = report_link(w, group, name, info);
    } else {
        object = H5Oopen(group, name, H5P_DEFAULT);
        rc = object < 0 ? stop(w, tw_h5_fail(&w->err, TW_EFORMAT, "%s", w->path.s))
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
        return stop(w, tw_h5_fail(&w->err, TW_EFORMAT, "%s", w->path.s));
    for (size_t i = 0; i < w->depth; i++)
        if (w->above[i] == info.addr)
            return 0; /* shown above */
    if (w->depth == TW_H5_MAX_DEPTH)
        return stop(
            w, tw_err_set(&w->err, TW_EFORMAT, "groups more than %d deep", (int)TW_H5_MAX_DEPTH));
    w->above[w->depth++] = info.addr;
    /* Sorting the links of a damaged heap crashes HDF5 1.10: there, the order of the file. */
    by_order = links.storage_type == H5G_STORAGE_TYPE_COMPACT && order & H5P_CRT_ORDER_TRACKED;
    rc = H5Literate(group, by_order ? H5_INDEX_CRT_ORDER : H5_INDEX_NAME,
                    links.storage_type == H5G_STORAGE_TYPE_DENSE ? H5_ITER_NATIVE : H5_ITER_INC,
                    &from, on_link, w);
    w->depth--;
    return rc;
}

/* ---- the file --------------------------------------------------------------------------- */

static bool heaps_good(const char *path, uint64_t file_size)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    bool good = fd >= 0 && tw_h5_heaps_good(fd, file_size);

    if (fd >= 0)
        (void)close(fd);
    return good;
}

static hid_t open_file(struct walk *w)
{
    const struct tw_h5_request *q = w->q;
    union {
        const void *in;
        void *out;
    } copy = { .in = q->image }; /* HDF5 copies the image; its type lacks const */
    hid_t fapl = -1, file = -1;

    if (q->path && !heaps_good(q->path, q->file_size)) {
        (void)tw_err_set(&w->err, TW_EFORMAT, "the file is damaged (its text)");
        return -1;
    }
    fapl = tw_h5_access(false);
    if (fapl >= 0 && q->path)
        file = H5Fopen(q->path, H5F_ACC_RDONLY, fapl);
    else if (fapl >= 0 && H5Pset_fapl_core(fapl, 1 << 16, 0) >= 0 &&
             H5Pset_file_image(fapl, copy.out, q->image_size) >= 0)
        file = H5Fopen("image", H5F_ACC_RDONLY, fapl);
    if (file < 0)
        (void)tw_h5_fail(&w->err, TW_EFORMAT, "HDF5 cannot open it");
    tw_h5_close(fapl);
    return file;
}

void tw_h5_walk(const struct tw_h5_request *q, int out, void (*opened)(void))
{
    struct walk w = { .q = q,
                      .out = out,
                      .all = q->scope == TW_H5_LOG || q->scope == TW_H5_ARRAYS ||
                             q->scope == TW_H5_RUN };
    struct tw_h5_head end = { .kind = TW_H5_END };
    hid_t file = -1, root = -1;

    tw_str_add(&w.path, "/");
    file = open_file(&w);
    if (opened)
        opened();
    if (q->scope == TW_H5_ONE) {
        tw_str_clear(&w.path);
        tw_str_add(&w.path, q->part);
    }
    root = file < 0 ? -1 : H5Oopen(file, w.path.s, H5P_DEFAULT);
    if (file >= 0 && (root < 0 || walk_object(&w, root) < 0) && w.err.code == TW_OK)
        (void)tw_h5_fail(&w.err, TW_EFORMAT, "damaged");
    (void)H5Eclear2(H5E_DEFAULT);
    tw_h5_close(root);
    tw_h5_close(file);
    end.n = (uint64_t)w.err.code;
    (void)emit(&w, &end, NULL, "", w.err.msg, NULL);
    flush(&w);
    tw_str_release(&w.path);
}
