/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints in HDF5: another process reads the headers (h5_items.h). Numbers that lie in one
 * piece are then read from the file without the library; packed and converted ones a data set at a
 * time. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "h5_arrays.h"
#include "keras.h"
#include "spans.h"

struct hdf5 {
    struct tw_weights_io io;
    struct tw_weights_io *plain; /* the way to what lies in one piece */
    char *path;
    char **set; /* by id: the path of a data set that needs the library; else NULL */
    size_t nset, cap;
    struct tw_h5_items held; /* of the data set that was read last */
    size_t held_id;
};

static enum tw_status hdf5_read(struct tw_weights_io *io, size_t id, size_t from, size_t n,
                                void *to, struct tw_err *err)
{
    struct hdf5 *h = (struct hdf5 *)io;
    const struct tw_h5_item *it;
    size_t size;

    if (!h->set[id])
        return h->plain->read(h->plain, id, from, n, to, err);
    if (h->held.n == 0 || h->held_id != id) {
        enum tw_status rc;

        tw_h5_items_release(&h->held);
        rc = tw_h5_items_read_one(h->path, h->set[id], &h->held, err);
        if (rc != TW_OK) {
            tw_h5_items_release(&h->held);
            return rc;
        }
        h->held_id = id;
    }
    it = h->held.n ? &h->held.v[0] : NULL;
    size = it ? tw_dtype_size(it->element) : 0;
    if (!it || it->values != TW_H5_RAW || (from + n) * size > it->bytes)
        return tw_err_set(err, TW_EFORMAT, "not read: %s",
                          it && *it->note ? it->note : "the file has changed meanwhile");
    memcpy(to, (const char *)it->data + from * size, n * size);
    if (it->element == TW_BOOL)
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)to)[i] = ((const uint8_t *)to)[i] != 0;
    return TW_OK;
}

static void hdf5_close(struct tw_weights_io *io)
{
    struct hdf5 *h = (struct hdf5 *)io;

    if (h->plain)
        h->plain->close(h->plain);
    for (size_t i = 0; i < h->nset; i++)
        free(h->set[i]);
    free(h->set);
    free(h->path);
    tw_h5_items_release(&h->held);
    free(h);
}

/* The attribute `tensor_name`, else the path with dots. NULL: out of memory. */
static char *name_of(const struct tw_h5_items *items, const struct tw_h5_item *it)
{
    const struct tw_h5_item *own;
    struct tw_str path = { 0 };
    char *name;

    tw_str_addf(&path, "%s@tensor_name", it->path);
    own = path.failed ? NULL : tw_h5_items_find(items, path.s, true);
    tw_str_release(&path);
    if (own && own->values == TW_H5_TEXTS && own->n == 1)
        return tw_strdup(own->data);
    name = tw_strdup(it->path + 1);
    for (size_t i = 0; name && name[i]; i++)
        if (name[i] == '/')
            name[i] = '.';
    return name;
}

static enum tw_status add_set(struct tw_weights_file *f, struct hdf5 *h, struct spans *s,
                              const struct tw_h5_items *items, const struct tw_h5_item *it,
                              struct tw_err *err)
{
    const struct span p = { .entry = it->plain ? SPAN_PLAIN : SPAN_ELSEWHERE,
                            .at = it->plain ? it->offset : 0,
                            .by_rows = true };
    char *name = name_of(items, it), *set = it->plain ? NULL : tw_strdup(it->path);
    enum tw_status rc = TW_OK;

    if (!name || (!it->plain && !set) || !tw_grow(&h->set, h->nset, &h->cap, sizeof *h->set)) {
        free(set);
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    } else {
        h->set[h->nset++] = set;
        rc = weights_add(f, name, it->element, it->rank, it->dims, err);
    }
    if (rc == TW_OK)
        rc = spans_add(s, &p, err);
    free(name);
    return rc;
}

/* What makes a result file one (store_result.h), and is not about its tensors. */
static bool is_ours(const char *path)
{
    return !strcmp(path, "/@format") || !strcmp(path, "/@format_version") ||
           !strcmp(path, "/@kind");
}

/* Attributes of the root that are one text or number. */
static enum tw_status add_note(struct tw_weights_file *f, const struct tw_h5_item *it, bool ours,
                               struct tw_err *err)
{
    struct tw_str text = { 0 };
    enum tw_status rc = TW_OK;

    if (it->n != 1 || it->values == TW_H5_NONE || it->empty || (ours && is_ours(it->path)))
        return TW_OK;
    if (it->values == TW_H5_TEXTS) {
        tw_str_add(&text, it->data);
    } else if (it->values == TW_H5_BYTES) {
        tw_str_addf(&text, "%u", *(const uint8_t *)it->data);
    } else {
        double x;
        uint64_t u;

        memcpy(&x, it->data, sizeof x);
        memcpy(&u, it->data, sizeof u);
        if (it->values == TW_H5_REALS)
            tw_str_addf(&text, "%.17g", x);
        else if (it->values == TW_H5_INTS)
            tw_str_addf(&text, "%" PRId64, (int64_t)u);
        else
            tw_str_addf(&text, "%" PRIu64, u);
    }
    rc = text.failed ? tw_err_set(err, TW_ENOMEM, "out of memory")
                     : weights_note(f, it->path + 2, text.s, err);
    tw_str_release(&text);
    return rc;
}

static enum tw_status add_item(struct tw_weights_file *f, struct hdf5 *h, struct spans *s,
                               const struct tw_h5_items *items, const struct tw_h5_item *it,
                               struct tw_str *remarks, struct tw_err *err)
{
    const struct tw_h5_item *format = tw_h5_items_find(items, "/@format", true);
    const bool ours = format && format->values == TW_H5_TEXTS && format->n == 1 &&
                      !strcmp(format->data, "thalweg");

    if (it->kind == TW_H5_ATTR)
        return strncmp(it->path, "/@", 2) ? TW_OK : add_note(f, it, ours, err);
    if (it->kind == TW_H5_LINK) {
        if (remarks)
            tw_str_addf(remarks, "%s is a link, and links are not followed: left out.\n", it->path);
        return TW_OK;
    }
    if (it->kind != TW_H5_SET)
        return TW_OK;
    if (*it->note)
        return tw_err_set(err, TW_EFORMAT, "%s: not read: %s", it->path, it->note);
    if (it->element != TW_NONE && !it->empty)
        return add_set(f, h, s, items, it, err);
    if (remarks && !(ours && !strncmp(it->path, "/provenance/", 12)))
        tw_str_addf(remarks, "%s holds no numbers (%s): left out.\n", it->path,
                    it->empty ? "it is empty" : it->type);
    return TW_OK;
}

static enum tw_status add_items(struct tw_weights_file *f, const struct tw_h5_items *items,
                                struct tw_str *remarks, struct tw_err *err)
{
    struct hdf5 *h = tw_alloc(1, sizeof *h);
    struct spans *s = h ? spans_new(f, err) : NULL;
    enum tw_status rc = TW_OK;

    if (!s) {
        free(h);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    h->io = (struct tw_weights_io){ hdf5_read, hdf5_close };
    h->plain = f->io;
    f->io = &h->io;
    h->path = tw_strdup(f->path);
    if (!h->path)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    spans_file(s, NULL, items->file_size);
    for (size_t i = 0; i < items->n && rc == TW_OK; i++)
        rc = add_item(f, h, s, items, &items->v[i], remarks, err);
    return rc;
}

enum tw_status weights_hdf5(struct tw_weights_file *f, struct tw_str *remarks, struct tw_err *err)
{
    struct tw_h5_items items = { 0 };
    enum tw_status rc = tw_h5_items_read(f->path, NULL, 0, TW_H5_HEADERS, &items, err);

    f->format = "HDF5";
    if (rc == TW_OK)
        rc = keras_wrote(&items) ? weights_keras(f, f->path, err)
                                 : add_items(f, &items, remarks, err);
    tw_h5_items_release(&items);
    return rc;
}
