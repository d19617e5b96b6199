/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "weights_file.h"

#include <stdlib.h>
#include <string.h>

/* ---- filling -----------------------------------------------------------------------------------
 */

enum tw_status weights_add(struct tw_weights_file *f, const char *name, enum tw_dtype dtype,
                           int rank, const uint64_t *dims, struct tw_err *err)
{
    struct tw_weight w = { .dtype = dtype, .rank = rank, .n = 1, .id = f->n };
    uint64_t product = tw_dtype_size(dtype);

    if (!*name)
        return tw_err_set(err, TW_EFORMAT, "tensor %zu has an empty name", f->n + 1);
    if (rank > TW_MAX_RANK)
        return tw_err_set(err, TW_EFORMAT, "'%.100s' has %d dimensions, where %d are the most",
                          name, rank, (int)TW_MAX_RANK);
    for (int i = 0; i < rank; i++) {
        if (dims[i] && product > (uint64_t)PTRDIFF_MAX / 2 / dims[i])
            return tw_err_set(err, TW_EFORMAT, "'%.100s' has a shape that no array has", name);
        product *= dims[i] ? dims[i] : 1;
        w.dims[i] = (size_t)dims[i];
        w.n *= w.dims[i];
    }
    w.name = tw_strdup(name);
    if (!w.name || !tw_grow(&f->v, f->n, &f->cap, sizeof *f->v)) {
        free(w.name);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    f->v[f->n++] = w;
    return TW_OK;
}

enum tw_status weights_note(struct tw_weights_file *f, const char *key, const char *value,
                            struct tw_err *err)
{
    enum { MOST = 1000 };
    struct tw_weights_note note = { NULL, NULL };

    if (f->nnote == MOST)
        return TW_OK;
    note = (struct tw_weights_note){ tw_strdup(key), tw_strdup(value) };
    if (!note.key || !note.value || !tw_grow(&f->note, f->nnote, &f->cap_note, sizeof *f->note)) {
        free(note.key);
        free(note.value);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    f->note[f->nnote++] = note;
    return TW_OK;
}

static int by_name(const void *pa, const void *pb)
{
    const struct tw_weight *const *a = pa, *const *b = pb;

    return strcmp((*a)->name, (*b)->name);
}

enum tw_status weights_check(const struct tw_weights_file *f, struct tw_err *err)
{
    uint64_t left = ((uint64_t)256 << 20) + (f->bytes < UINT64_MAX / 128 ? 64 * f->bytes : 0);
    const struct tw_weight **sorted = tw_alloc(f->n, sizeof(void *));
    enum tw_status rc = TW_OK;

    if (!sorted)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < f->n && rc == TW_OK; i++) {
        const uint64_t n = (uint64_t)f->v[i].n * tw_dtype_size(f->v[i].dtype);

        sorted[i] = &f->v[i];
        if (n > left)
            rc = tw_err_set(err, TW_EFORMAT,
                            "'%.100s': its tensors up to here would take more than 256 MiB and 64 "
                            "times the file's size, which is not read",
                            f->v[i].name);
        left -= rc == TW_OK ? n : 0;
    }
    if (rc == TW_OK && f->n > 1)
        qsort(sorted, f->n, sizeof *sorted, by_name);
    for (size_t i = 1; i < f->n && rc == TW_OK; i++)
        if (!strcmp(sorted[i - 1]->name, sorted[i]->name))
            rc = tw_err_set(err, TW_EFORMAT, "two arrays have the name '%.200s'", sorted[i]->name);
    free(sorted);
    return rc;
}

/* ---- arrays in memory --------------------------------------------------------------------- */

struct held {
    struct tw_weights_io io;
    struct tw_named_list list;
};

static enum tw_status held_read(struct tw_weights_io *io, size_t id, size_t from, size_t n,
                                void *to, struct tw_err *err)
{
    const struct held *h = (const struct held *)io;
    const struct tw_array *a = &h->list.item[id].array;
    const size_t size = tw_dtype_size(a->dtype);

    (void)err;
    memcpy(to, (const char *)a->data + from * size, n * size);
    return TW_OK;
}

static void held_close(struct tw_weights_io *io)
{
    struct held *h = (struct held *)io;

    tw_named_release(&h->list);
    free(h);
}

enum tw_status weights_hold(struct tw_weights_file *f, struct tw_named_list *list,
                            struct tw_err *err)
{
    struct held *h = tw_alloc(1, sizeof *h);
    enum tw_status rc = TW_OK;

    if (!h)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    h->io = (struct tw_weights_io){ held_read, held_close };
    h->list = *list;
    *list = (struct tw_named_list){ 0 };
    f->io = &h->io;
    for (size_t i = 0; i < h->list.n && rc == TW_OK; i++) {
        const struct tw_array *a = &h->list.item[i].array;
        uint64_t dims[TW_MAX_RANK];

        for (int d = 0; d < a->rank; d++)
            dims[d] = a->dims[d];
        rc = weights_add(f, h->list.item[i].name, a->dtype, a->rank, dims, err);
        if (rc == TW_OK) {
            f->v[f->n - 1].alias = h->list.item[i].alias;
            h->list.item[i].alias = NULL;
        }
    }
    return rc;
}

/* ---- choosing, reading, closing ---------------------------------------------------------------
 */

/* The first parts of the names, each once, a few of them. */
static enum tw_status no_such_key(const struct tw_weights_file *f, const char *key,
                                  struct tw_err *err)
{
    enum { SHOWN = 8 };
    const char *shown[SHOWN];
    struct tw_str s = { 0 };
    size_t k = 0;

    for (size_t i = 0; i < f->n && k < SHOWN; i++) {
        const char *name = f->v[i].name;
        size_t n = strcspn(name, "."), j;

        for (j = 0; j < k && (strncmp(shown[j], name, n) != 0 || strcspn(shown[j], ".") != n); j++)
            ;
        if (j == k) {
            shown[k++] = name;
            tw_str_addf(&s, "%s%.*s", j ? ", " : "", (int)(n < 40 ? n : 40), name);
        }
    }
    (void)tw_err_set(err, TW_EFORMAT, "no tensors under '%.60s'; the names in it begin with %s",
                     key, s.s ? s.s : "nothing");
    tw_str_release(&s);
    return TW_EFORMAT;
}

enum tw_status tw_weights_choose(struct tw_weights_file *f, const char *key, struct tw_err *err)
{
    const size_t length = strlen(key);
    size_t k = 0;

    for (size_t i = 0; i < f->n; i++)
        k += !strncmp(f->v[i].name, key, length) && f->v[i].name[length] == '.' &&
             f->v[i].name[length + 1];
    if (k == 0) {
        struct tw_err own = { 0 };

        return tw_err_ctx(err ? err : &own, no_such_key(f, key, err ? err : &own), "%s", f->path);
    }
    k = 0;
    for (size_t i = 0; i < f->n; i++) {
        char *name = f->v[i].name;

        if (!strncmp(name, key, length) && name[length] == '.' && name[length + 1]) {
            memmove(name, name + length + 1, strlen(name + length + 1) + 1);
            f->v[k++] = f->v[i];
        } else {
            free(name);
            free(f->v[i].alias);
        }
    }
    f->n = k;
    free(f->part);
    f->part = NULL;
    return TW_OK;
}

enum tw_status tw_weights_read(struct tw_weights_file *f, size_t i, size_t from, size_t n, void *to,
                               struct tw_err *err)
{
    struct tw_err own = { 0 };
    enum tw_status rc;

    err = err ? err : &own;
    if (i >= f->n || from > f->v[i].n || n > f->v[i].n - from)
        return tw_err_set(err, TW_EINVAL, "%s: no such elements", f->path);
    if (n == 0)
        return TW_OK;
    rc = f->io->read(f->io, f->v[i].id, from, n, to, err);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s: '%.100s'", f->path, f->v[i].name);
}

void tw_weights_close(struct tw_weights_file *f)
{
    if (!f)
        return;
    for (size_t i = 0; i < f->n; i++) {
        free(f->v[i].name);
        free(f->v[i].alias);
    }
    for (size_t i = 0; i < f->nnote; i++) {
        free(f->note[i].key);
        free(f->note[i].value);
    }
    if (f->io)
        f->io->close(f->io);
    free(f->v);
    free(f->note);
    free(f->part);
    free(f->path);
    free(f);
}
