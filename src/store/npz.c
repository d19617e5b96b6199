/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zip.h>

#include "npy.h"

static enum tw_status read_entry(void *ctx, void *to, size_t n, struct tw_err *err)
{
    zip_file_t *f = ctx;
    char *p = to;

    while (n > 0) {
        zip_int64_t got = zip_fread(f, p, n);

        if (got < 0)
            return tw_err_set(err, TW_EFORMAT, "%s; copy the file again", zip_file_strerror(f));
        if (got == 0)
            return tw_err_set(err, TW_EFORMAT, "it ends early; copy the file again");
        p += got;
        n -= (size_t)got;
    }
    return TW_OK;
}

/* May the entry be unpacked? *left: bytes that the archive may still unpack to. */
static enum tw_status check_entry(const zip_stat_t *st, uint64_t *left, struct tw_err *err)
{
    const zip_uint64_t needs = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD;

    if ((st->valid & needs) != needs)
        return tw_err_set(err, TW_EFORMAT, "its size is not said");
    if (st->valid & ZIP_STAT_ENCRYPTION_METHOD && st->encryption_method != ZIP_EM_NONE)
        return tw_err_set(err, TW_EFORMAT, "it is encrypted; unpack it first");
    if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE)
        return tw_err_set(err, TW_EFORMAT,
                          "it is packed by method %d, which is not known; save it with numpy.savez",
                          (int)st->comp_method);
    /* Deflate makes at most 1032 bytes of one. */
    if (st->comp_method == ZIP_CM_STORE ? st->size != st->comp_size
                                        : st->size / 1032 > st->comp_size + 1)
        return tw_err_set(err, TW_EFORMAT,
                          "%llu bytes cannot be in %llu packed ones; copy the file again",
                          (unsigned long long)st->size, (unsigned long long)st->comp_size);
    if (st->size > *left)
        return tw_err_set(err, TW_EFORMAT,
                          "the archive unpacks to more than 256 MiB and 64 times its size, which "
                          "is not read");
    *left -= st->size;
    return TW_OK;
}

static enum tw_status entry(zip_t *z, const zip_stat_t *st, const char *name, uint64_t *left,
                            struct tw_named_list *list, struct tw_err *err)
{
    enum tw_status rc = check_entry(st, left, err);
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

/* "fc1.weight.npy" is array "fc1.weight". NULL: not an array, or out of memory. */
static char *array_name(const char *s)
{
    size_t n = strlen(s);

    return n > 4 && !strcmp(s + n - 4, ".npy") ? tw_strndup(s, n - 4) : NULL;
}

static bool has_end(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

/* What an archive without arrays is. */
static enum tw_status foreign(zip_t *z, struct tw_err *err)
{
    zip_int64_t n = zip_get_num_entries(z, 0);

    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(z, (zip_uint64_t)i, 0);

        if (name && (!strcmp(name, "data.pkl") || has_end(name, "/data.pkl")))
            return tw_err_set(err, TW_EFORMAT,
                              "this is a checkpoint of PyTorch (.pt), which is not read yet; save "
                              "it for NumPy, in Python: sd = torch.load(FILE, map_location='cpu'); "
                              "numpy.savez('weights.npz', **{k: v.numpy() for k, v in "
                              "sd.items()}), where sd may have to be sd['state_dict']");
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
    uint64_t left = ((uint64_t)256 << 20) + (file_size < UINT64_MAX / 256 ? 64 * file_size : 0);
    zip_int64_t n = zip_get_num_entries(z, 0);
    enum tw_status rc = TW_OK;
    bool any = false;

    for (zip_int64_t i = 0; i < n && rc == TW_OK; i++) {
        zip_stat_t st;
        char *name;

        if (zip_stat_index(z, (zip_uint64_t)i, 0, &st) != 0 || !(st.valid & ZIP_STAT_NAME))
            return tw_err_set(err, TW_EFORMAT, "entry %lld of the archive has no name",
                              (long long)i);
        name = array_name(st.name);
        any = any || name;
        if (name && (!want || want(ctx, name)))
            rc = entry(z, &st, name, &left, list, err);
        free(name);
    }
    return rc == TW_OK && !any ? foreign(z, err) : rc;
}

static zip_t *open_archive(const char *path, const struct tw_bytes *b, uint64_t *size,
                           struct tw_err *err)
{
    zip_error_t why;
    zip_source_t *source;
    zip_t *z = NULL;
    int code = 0, fd;

    zip_error_init(&why);
    if (path) {
        fd = tw_file_open(path, size, err);
        if (fd < 0)
            return NULL;
        z = zip_fdopen(fd, 0, &code); /* which closes it if it succeeds */
        if (!z) {
            zip_error_init_with_code(&why, code);
            (void)close(fd);
        }
    } else {
        *size = b->n;
        source = zip_source_buffer_create(b->p, b->n, 0, &why);
        z = source ? zip_open_from_source(source, ZIP_RDONLY, &why) : NULL;
        if (source && !z)
            zip_source_free(source);
    }
    if (!z)
        (void)tw_err_set(err, zip_error_code_zip(&why) == ZIP_ER_MEMORY ? TW_ENOMEM : TW_EFORMAT,
                         "a damaged ZIP archive: %s; copy it again", zip_error_strerror(&why));
    zip_error_fini(&why);
    return z;
}

enum tw_status npz_read(const char *path, const struct tw_bytes *b, npz_want_fn *want,
                        const void *ctx, struct tw_named_list *list, struct tw_err *err)
{
    struct tw_err own = { 0 };
    uint64_t size = 0;
    enum tw_status rc;
    zip_t *z;

    err = err ? err : &own;
    z = open_archive(path, b, &size, err);
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
    zip_int64_t at;
    struct tw_err own = { 0 };
    enum tw_status rc;
    zip_t *z;
    zip_stat_t st;
    void *f;
    char more;

    err = err ? err : &own;
    *to = (struct tw_bytes){ 0 };
    z = open_archive(path, b, &size, err);
    if (!z)
        return err->code;
    left = ((uint64_t)256 << 20) + (size < UINT64_MAX / 256 ? 64 * size : 0);
    at = zip_name_locate(z, name, 0);
    if (at < 0) {
        zip_discard(z);
        return TW_OK;
    }
    rc = zip_stat_index(z, (zip_uint64_t)at, 0, &st) == 0
             ? check_entry(&st, &left, err)
             : tw_err_set(err, TW_EFORMAT, "it has no size");
    f = rc == TW_OK ? zip_fopen_index(z, (zip_uint64_t)at, 0) : NULL;
    if (rc == TW_OK && !f)
        rc = tw_err_set(err, TW_EFORMAT, "%s; copy the file again", zip_strerror(z));
    to->p = rc == TW_OK ? tw_alloc((size_t)st.size + 1, 1) : NULL;
    to->n = to->p ? (size_t)st.size : 0;
    if (rc == TW_OK && !to->p)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = read_entry(f, to->p, to->n, err);
    /* The checksum is compared when the end is seen. */
    if (rc == TW_OK && zip_fread(f, &more, 1) != 0)
        rc = tw_err_set(err, TW_EFORMAT, "%s; copy the file again", zip_file_strerror(f));
    if (f)
        (void)zip_fclose(f);
    zip_discard(z);
    if (rc != TW_OK) {
        free(to->p);
        *to = (struct tw_bytes){ 0 };
        (void)tw_err_ctx(err, rc, "'%s'", name);
    }
    return rc;
}
