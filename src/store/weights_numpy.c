/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints in npy and npz files, and which reader takes a ZIP archive. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "npy.h"
#include "spans.h"
#include "torch.h"

static enum tw_status add(struct tw_weights_file *f, struct spans *s, const char *name,
                          int64_t entry, const struct npy_header *h, struct tw_err *err)
{
    struct span p = { .entry = entry, .at = h->at, .swap = h->swap, .by_rows = !h->by_columns };
    uint64_t dims[TW_MAX_RANK] = { 0 }, product = 1;
    enum tw_status rc;

    for (int d = 0; d < h->rank; d++) {
        dims[d] = h->dims[d];
        p.stride[d] = product; /* the first index is fastest */
        product *= h->dims[d] ? h->dims[d] : 1;
    }
    rc = weights_add(f, name, h->type, h->rank, dims, err);
    return rc == TW_OK ? spans_add(s, &p, err) : rc;
}

/* ---- npy ---------------------------------------------------------------------------------- */

struct source {
    int fd;
    uint64_t at;
};

static enum tw_status read_file(void *ctx, void *to, size_t n, struct tw_err *err)
{
    struct source *f = ctx;
    enum tw_status rc = tw_file_read(f->fd, f->at, to, n, err);

    f->at += n;
    return rc;
}

enum tw_status weights_npy(struct tw_weights_file *f, struct tw_err *err)
{
    const char *slash = strrchr(f->path, '/'), *name = slash ? slash + 1 : f->path;
    const size_t n = strlen(name);
    struct source source = { 0 };
    struct npy_source from = { .ctx = &source, .read = read_file };
    struct spans *s = spans_new(f, err);
    struct npy_header h;
    char *stem = NULL;
    enum tw_status rc;

    f->format = "npy";
    source.fd = s ? tw_file_open(f->path, &from.size, err) : -1;
    if (source.fd < 0)
        return s ? TW_EIO : TW_ENOMEM;
    rc = npy_read_header(&from, &h, err);
    (void)close(source.fd);
    stem = tw_strndup(name, n > 4 && !strcmp(name + n - 4, ".npy") ? n - 4 : n);
    if (rc == TW_OK && !stem)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    spans_file(s, NULL, from.size);
    if (rc == TW_OK)
        rc = add(f, s, stem, SPAN_PLAIN, &h, err);
    free(stem);
    return rc;
}

/* ---- npz ---------------------------------------------------------------------------------- */

static enum tw_status read_entry(void *ctx, void *to, size_t n, struct tw_err *err)
{
    return archive_next(ctx, to, n, err);
}

static enum tw_status header_of(zip_t *z, const zip_stat_t *st, uint64_t *left,
                                struct npy_header *h, struct tw_err *err)
{
    struct npy_source from = { .size = st->size, .read = read_entry };
    enum tw_status rc = archive_check(st, left, err);

    if (rc != TW_OK)
        return rc;
    from.ctx = zip_fopen_index(z, st->index, 0);
    if (!from.ctx)
        return tw_err_set(err, TW_EFORMAT, "%s; copy the file again", zip_strerror(z));
    rc = npy_read_header(&from, h, err);
    (void)zip_fclose(from.ctx);
    return rc;
}

static enum tw_status read_arrays(struct tw_weights_file *f, struct spans *s, zip_t *z,
                                  struct tw_err *err)
{
    const zip_int64_t n = zip_get_num_entries(z, 0);
    uint64_t left = archive_most(f->bytes);
    enum tw_status rc = TW_OK;

    f->format = "npz";
    for (zip_int64_t i = 0; i < n && rc == TW_OK; i++) {
        struct npy_header h;
        zip_stat_t st;
        char *name;

        if (archive_entry(z, i, &st, err) != TW_OK)
            return TW_EFORMAT;
        name = npz_array_name(st.name);
        if (name) {
            rc = header_of(z, &st, &left, &h, err);
            rc = rc == TW_OK ? add(f, s, name, i, &h, err)
                             : tw_err_ctx(err, rc, "'%.200s'", st.name);
        }
        free(name);
    }
    return rc;
}

static bool holds_arrays(zip_t *z)
{
    const zip_int64_t n = zip_get_num_entries(z, 0);

    for (zip_int64_t i = 0; i < n; i++) {
        const char *name = zip_get_name(z, (zip_uint64_t)i, 0);
        char *array = name ? npz_array_name(name) : NULL;

        free(array);
        if (array)
            return true;
    }
    return false;
}

enum tw_status weights_zip(struct tw_weights_file *f, struct tw_str *remarks, struct tw_err *err)
{
    struct spans *s = spans_new(f, err);
    uint64_t size = 0;
    zip_t *z = s ? archive_open(f->path, NULL, &size, err) : NULL;
    enum tw_status rc;

    if (!z)
        return err->code;
    spans_file(s, z, size);
    rc = archive_apart(z, size, err);
    if (rc == TW_OK && torch_is_archive(z))
        return torch_archive(f, s, z, remarks, err);
    if (rc == TW_OK)
        rc = holds_arrays(z) ? read_arrays(f, s, z, err) : npz_foreign(z, err);
    return rc;
}
