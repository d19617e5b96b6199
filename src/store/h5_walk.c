/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Walk any HDF5 file and write down what is there (see h5_items.h). Links are reported, never
 * followed. This runs in a process that may crash. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h5_source.h"

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

static herr_t describe(struct walk *w, hid_t object, bool attribute)
{
    struct tw_h5_source s;
    char name[TW_H5_TYPE];
    herr_t rc = 0;

    tw_h5_source_open(&s, object, attribute, w->q);
    if (!s.why)
        rc = tw_h5_source_read(&s, w->path.s, w->all, &w->err);
    if (attribute && w->q->scope == TW_H5_RESULT && s.head.values == TW_H5_TEXTS &&
        !strcmp(w->path.s, "/@format") && !strcmp(s.text.s, "thalweg"))
        w->all = true; /* the root's attributes come first */
    if (rc == 0)
        rc = emit(w, &s.head, s.dims, s.type < 0 ? "unknown" : tw_h5_type_name(s.type, name),
                  s.why ? s.why : "", s.text.s ? s.text.s : s.data);
    tw_h5_source_release(&s);
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
