/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "archive.h"

#include <stdlib.h>
#include <unistd.h>

zip_t *archive_open(const char *path, const struct tw_bytes *b, uint64_t *size, struct tw_err *err)
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

uint64_t archive_most(uint64_t file_size)
{
    return ((uint64_t)256 << 20) + (file_size < UINT64_MAX / 256 ? 64 * file_size : 0);
}

enum tw_status archive_entry(zip_t *z, zip_int64_t i, zip_stat_t *st, struct tw_err *err)
{
    if (zip_stat_index(z, (zip_uint64_t)i, 0, st) != 0 || !(st->valid & ZIP_STAT_NAME))
        return tw_err_set(err, TW_EFORMAT, "entry %lld of the archive has no name", (long long)i);
    return TW_OK;
}

enum tw_status archive_check(const zip_stat_t *st, uint64_t *left, struct tw_err *err)
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

enum tw_status archive_apart(zip_t *z, uint64_t file_size, struct tw_err *err)
{
    const zip_int64_t n = zip_get_num_entries(z, 0);
    uint64_t left = file_size;

    for (zip_int64_t i = 0; i < n; i++) {
        zip_stat_t st;

        if (zip_stat_index(z, (zip_uint64_t)i, 0, &st) != 0 || !(st.valid & ZIP_STAT_COMP_SIZE) ||
            !(st.valid & ZIP_STAT_NAME))
            return tw_err_set(err, TW_EFORMAT, "entry %lld of the archive has no name or no size",
                              (long long)i);
        if (st.comp_size > left)
            return tw_err_set(err, TW_EFORMAT,
                              "its entries overlap: up to '%.100s' they have more bytes than the "
                              "file's %llu; such an archive is made to deceive",
                              st.name, (unsigned long long)file_size);
        left -= st.comp_size;
    }
    return TW_OK;
}

enum tw_status archive_next(zip_file_t *f, void *to, size_t n, struct tw_err *err)
{
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

enum tw_status archive_bytes(zip_t *z, const zip_stat_t *st, struct tw_bytes *b, struct tw_err *err)
{
    zip_file_t *f = zip_fopen_index(z, st->index, 0);
    enum tw_status rc = TW_OK;
    char more;

    *b = (struct tw_bytes){ 0 };
    if (!f)
        return tw_err_set(err, TW_EFORMAT, "'%.100s': %s; copy the file again", st->name,
                          zip_strerror(z));
    b->n = (size_t)st->size;
    b->p = tw_alloc(b->n + 1, 1);
    rc = b->p ? archive_next(f, b->p, b->n, err) : tw_err_set(err, TW_ENOMEM, "out of memory");
    /* The checksum is compared when the end is seen. */
    if (rc == TW_OK && zip_fread(f, &more, 1) != 0)
        rc = tw_err_set(err, TW_EFORMAT, "%s; copy the file again", zip_file_strerror(f));
    (void)zip_fclose(f);
    if (rc != TW_OK) {
        free(b->p);
        *b = (struct tw_bytes){ 0 };
    }
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "'%.100s'", st->name);
}
