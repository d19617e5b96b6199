/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "npy.h"

static enum tw_status read_entry(void *ctx, void *to, size_t n, struct tw_err *err)
{
    return archive_next(ctx, to, n, err);
}

static enum tw_status entry(zip_t *z, const zip_stat_t *st, const char *name, uint64_t *left,
                            struct tw_named_list *list, struct tw_err *err)
{
    enum tw_status rc = archive_check(st, left, err);
    struct npy_source s = { .size = st->size, .read = read_entry };
    struct tw_array a = { 0 };
    char more;

    if (rc != TW_OK)
        return tw_err_ctx(err, rc, "'%.200s'", st->name);
    s.ctx = zip_fopen_index(z, st->index, 0);
    if (!s.ctx)
        return tw_err_set(err, TW_EFORMAT, "'%.200s': %s; copy the file again", st->name,
                          zip_strerror(z));
    rc = npy_read(&s, &a, err);
    /* The checksum is compared when the end is seen. */
    if (rc == TW_OK && zip_fread(s.ctx, &more, 1) != 0)
        rc = tw_err_set(err, TW_EFORMAT, "%s; copy the file again", zip_file_strerror(s.ctx));
    (void)zip_fclose(s.ctx);
    if (rc == TW_OK)
        rc = tw_named_add(list, name, &a, err);
    tw_array_release(&a);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "'%.200s'", st->name);
}

char *npz_array_name(const char *s)
{
    size_t n = strlen(s);

    return n > 4 && !strcmp(s + n - 4, ".npy") ? tw_strndup(s, n - 4) : NULL;
}

enum tw_status npz_foreign(zip_t *z, struct tw_err *err)
{
    zip_int64_t n = zip_get_num_entries(z, 0);

    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(z, (zip_uint64_t)i, 0);

        if (name && (!strcmp(name, "data.pkl") || tw_str_ends(name, "/data.pkl")))
            return tw_err_set(
                err, TW_EFORMAT,
                "this is a checkpoint of PyTorch (.pt), which holds weights and is no "
                "data set; numpy.savez('data.npz', x=x.numpy(), y=y.numpy()) makes one of tensors");
        if (name && !strcmp(name, "model.weights.h5"))
            return tw_err_set(err, TW_EFORMAT, "this is a model of Keras (.keras)");
        if (name && !strcmp(name, "model.weights.npz"))
            return tw_err_set(err, TW_EFORMAT,
                              "a model of Keras with weights in npz, which is not read; save it "
                              "with weights in HDF5, which is what model.save does");
    }
    return tw_err_set(err, TW_EFORMAT,
                      "a ZIP archive without NumPy arrays (NAME.npy); unpack it and name the file "
                      "that is meant");
}

static enum tw_status entries(zip_t *z, uint64_t file_size, npz_want_fn *want, const void *ctx,
                              struct tw_named_list *list, struct tw_err *err)
{
    uint64_t left = archive_most(file_size);
    zip_int64_t n = zip_get_num_entries(z, 0);
    enum tw_status rc = TW_OK;
    bool any = false;

    for (zip_int64_t i = 0; i < n && rc == TW_OK; i++) {
        zip_stat_t st;
        char *name;

        if (archive_entry(z, i, &st, err) != TW_OK)
            return TW_EFORMAT;
        name = npz_array_name(st.name);
        any = any || name;
        if (name && (!want || want(ctx, name)))
            rc = entry(z, &st, name, &left, list, err);
        free(name);
    }
    return rc == TW_OK && !any ? npz_foreign(z, err) : rc;
}

enum tw_status npz_read(const char *path, const struct tw_bytes *b, npz_want_fn *want,
                        const void *ctx, struct tw_named_list *list, struct tw_err *err)
{
    struct tw_err own = { 0 };
    uint64_t size = 0;
    enum tw_status rc;
    zip_t *z;

    err = err ? err : &own;
    z = archive_open(path, b, &size, err);
    if (!z)
        return err->code;
    rc = entries(z, size, want, ctx, list, err);
    zip_discard(z);
    if (rc != TW_OK)
        tw_named_release(list);
    return rc;
}

enum tw_status npz_entry(const char *path, const struct tw_bytes *b, const char *name,
                         struct tw_bytes *to, struct tw_err *err)
{
    uint64_t size = 0, left;
    struct tw_err own = { 0 };
    enum tw_status rc = TW_OK;
    zip_int64_t at;
    zip_stat_t st;
    zip_t *z;

    err = err ? err : &own;
    *to = (struct tw_bytes){ 0 };
    z = archive_open(path, b, &size, err);
    if (!z)
        return err->code;
    left = archive_most(size);
    at = zip_name_locate(z, name, 0);
    if (at >= 0 && zip_stat_index(z, (zip_uint64_t)at, 0, &st) != 0)
        rc = tw_err_set(err, TW_EFORMAT, "it has no size");
    if (at >= 0 && rc == TW_OK)
        rc = archive_check(&st, &left, err);
    if (at >= 0 && rc == TW_OK)
        rc = archive_bytes(z, &st, to, err);
    zip_discard(z);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "'%s'", name);
}
