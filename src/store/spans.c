/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "spans.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct spans {
    struct tw_weights_io io;
    struct tw_weights_file *f; /* outlives this */
    zip_t *zip;
    uint64_t size;
    struct {
        struct span s;
        enum tw_dtype dtype;
        int rank;
        size_t dims[TW_MAX_RANK], n;
        uint64_t extent; /* elements from the first to the last */
    } * v;
    size_t n, cap;
    /* What is open: the file, or an entry of the archive and how far it has been read. */
    int fd;
    zip_file_t *entry;
    int64_t entry_number;
    uint64_t entry_at;
    uint64_t again; /* bytes of packed entries that may still be unpacked a second time */
    uint64_t views; /* bytes that views may still reach over */
    /* The view that is held whole. */
    unsigned char *view;
    size_t view_id;
};

/* ---- opening ------------------------------------------------------------------------------------
 */

static void close_entry(struct spans *s)
{
    if (s->entry)
        (void)zip_fclose(s->entry);
    s->entry = NULL;
}

static void spans_close(struct tw_weights_io *io)
{
    struct spans *s = (struct spans *)io;

    close_entry(s);
    if (s->fd >= 0)
        (void)close(s->fd);
    if (s->zip)
        zip_discard(s->zip);
    free(s->v);
    free(s->view);
    free(s);
}

static enum tw_status open_entry(struct spans *s, const struct span *p, struct tw_err *err)
{
    close_entry(s);
    s->entry = zip_fopen_index(s->zip, (zip_uint64_t)p->entry, 0);
    if (!s->entry)
        return tw_err_set(err, TW_EFORMAT, "%s; copy the file again", zip_strerror(s->zip));
    s->entry_number = p->entry;
    s->entry_at = 0;
    return TW_OK;
}

/* Go forward to byte `at`. What is near is read, so that the checksum of the whole is known at its
 * end; in a packed entry there is no other way. */
static enum tw_status go_to(struct spans *s, bool packed, uint64_t at, struct tw_err *err)
{
    enum { NEAR = 1 << 16 };
    char skipped[1 << 12];
    enum tw_status rc = TW_OK;

    if (!packed && at - s->entry_at > NEAR) {
        if (zip_fseek(s->entry, (zip_int64_t)at, SEEK_SET) != 0)
            return tw_err_set(err, TW_EFORMAT, "%s; copy the file again",
                              zip_file_strerror(s->entry));
        s->entry_at = at;
    }
    while (s->entry_at < at && rc == TW_OK) {
        const size_t k =
            at - s->entry_at < sizeof skipped ? (size_t)(at - s->entry_at) : sizeof skipped;

        if (packed && s->again < k)
            return tw_err_set(
                err, TW_EFORMAT,
                "tensors lie forwards and back in a packed part of the archive; unpack it "
                "and pack it without compression");
        s->again -= packed ? k : 0;
        rc = archive_next(s->entry, skipped, k, err);
        s->entry_at += k;
    }
    return rc;
}

static enum tw_status read_entry(struct spans *s, const struct span *p, uint64_t at, void *to,
                                 size_t n, struct tw_err *err)
{
    enum tw_status rc = TW_OK;
    zip_stat_t st;
    bool packed;
    char more;

    if (zip_stat_index(s->zip, (zip_uint64_t)p->entry, 0, &st) != 0)
        return tw_err_set(err, TW_EFORMAT, "its entry is gone");
    packed = st.comp_method != ZIP_CM_STORE;
    if (!s->entry || s->entry_number != p->entry || at < s->entry_at)
        rc = open_entry(s, p, err);
    if (rc == TW_OK)
        rc = go_to(s, packed, at, err);
    if (rc == TW_OK)
        rc = archive_next(s->entry, to, n, err);
    s->entry_at = at + n;
    /* The checksum is compared when the end is seen, if all was read in order. */
    if (rc == TW_OK && s->entry_at == st.size && zip_fread(s->entry, &more, 1) != 0)
        rc = tw_err_set(err, TW_EFORMAT, "%s; copy the file again", zip_file_strerror(s->entry));
    if (rc != TW_OK)
        close_entry(s);
    return rc;
}

/* n bytes from `at` of the file or the entry. */
static enum tw_status read_bytes(struct spans *s, const struct span *p, uint64_t at, void *to,
                                 size_t n, struct tw_err *err)
{
    uint64_t size;

    if (p->entry != SPAN_PLAIN)
        return read_entry(s, p, at, to, n, err);
    if (s->fd < 0)
        s->fd = tw_file_open(s->f->path, &size, err);
    return s->fd < 0 ? TW_EIO : tw_file_read(s->fd, at, to, n, err);
}

/* ---- numbers ------------------------------------------------------------------------------ */

static void swap_bytes(unsigned char *p, size_t n, size_t size)
{
    for (size_t i = 0; i < n; i++, p += size)
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char c = p[k];

            p[k] = p[size - 1 - k];
            p[size - 1 - k] = c;
        }
}

/* Elements of a view, which is in memory from its first to its last element. */
static void gather(const struct spans *s, size_t id, size_t from, size_t n, unsigned char *to)
{
    const size_t size = tw_dtype_size(s->v[id].dtype), *dims = s->v[id].dims;
    const uint64_t *stride = s->v[id].s.stride;
    size_t at[TW_MAX_RANK] = { 0 };
    uint64_t place = 0;

    for (int d = s->v[id].rank - 1; d >= 0; d--) {
        at[d] = from % dims[d];
        from /= dims[d];
        place += at[d] * stride[d];
    }
    for (size_t i = 0; i < n; i++, to += size) {
        memcpy(to, s->view + place * size, size);
        for (int d = s->v[id].rank - 1; d >= 0; d--) {
            place += stride[d];
            if (++at[d] < dims[d])
                break;
            place -= dims[d] * stride[d];
            at[d] = 0;
        }
    }
}

static enum tw_status read_view(struct spans *s, size_t id, size_t from, size_t n, void *to,
                                struct tw_err *err)
{
    const size_t size = tw_dtype_size(s->v[id].dtype);
    enum tw_status rc = TW_OK;

    if (!s->view || s->view_id != id) {
        free(s->view);
        s->view = tw_alloc((size_t)s->v[id].extent, size);
        s->view_id = id;
        rc = s->view ? read_bytes(s, &s->v[id].s, s->v[id].s.at, s->view,
                                  (size_t)s->v[id].extent * size, err)
                     : tw_err_set(err, TW_ENOMEM, "out of memory");
        if (rc != TW_OK) {
            free(s->view);
            s->view = NULL;
        }
    }
    if (rc == TW_OK)
        gather(s, id, from, n, to);
    return rc;
}

static enum tw_status spans_read(struct tw_weights_io *io, size_t id, size_t from, size_t n,
                                 void *to, struct tw_err *err)
{
    struct spans *s = (struct spans *)io;
    const size_t size = tw_dtype_size(s->v[id].dtype);
    const struct span *p = &s->v[id].s;
    enum tw_status rc = p->by_rows ? read_bytes(s, p, p->at + from * size, to, n * size, err)
                                   : read_view(s, id, from, n, to, err);

    if (rc == TW_OK && p->swap)
        swap_bytes(to, n, size);
    if (rc == TW_OK && s->v[id].dtype == TW_BOOL)
        for (size_t i = 0; i < n; i++)
            ((uint8_t *)to)[i] = ((const uint8_t *)to)[i] != 0;
    return rc;
}

/* ---- filling ------------------------------------------------------------------------------ */

struct spans *spans_new(struct tw_weights_file *f, struct tw_err *err)
{
    struct spans *s = tw_alloc(1, sizeof *s);

    if (!s) {
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    s->io = (struct tw_weights_io){ spans_read, spans_close };
    s->f = f;
    s->fd = -1;
    f->io = &s->io;
    return s;
}

void spans_file(struct spans *s, zip_t *z, uint64_t size)
{
    s->zip = z;
    s->size = size;
    s->f->bytes = size;
    s->again = s->views = archive_most(size);
}

/* The strides of an array by rows are those of none. */
static bool is_by_rows(const struct tw_weight *w, const struct span *p)
{
    uint64_t product = 1;

    for (int d = w->rank - 1; d >= 0; d--) {
        if (w->dims[d] > 1 && p->stride[d] != product)
            return false;
        product *= w->dims[d];
    }
    return true;
}

enum tw_status spans_add(struct spans *s, const struct span *p, struct tw_err *err)
{
    const struct tw_weight *w = &s->f->v[s->n];
    const size_t size = tw_dtype_size(w->dtype);
    uint64_t extent = w->n, there = s->size;
    struct span q = *p;

    if (p->entry == SPAN_ELSEWHERE)
        extent = 0;
    else if (!p->by_rows && w->n > 0) {
        extent = 1;
        for (int d = 0; d < w->rank; d++) {
            if (w->dims[d] > 1 && p->stride[d] > UINT64_MAX / 256 / (w->dims[d] - 1))
                return tw_err_set(err, TW_EFORMAT, "'%.100s' has a stride that leads nowhere",
                                  w->name);
            extent += w->dims[d] > 1 ? p->stride[d] * (w->dims[d] - 1) : 0;
        }
        q.by_rows = is_by_rows(w, p);
    }
    if (p->entry >= 0) {
        zip_stat_t st;

        if (zip_stat_index(s->zip, (zip_uint64_t)p->entry, 0, &st) != 0 ||
            !(st.valid & ZIP_STAT_SIZE))
            return tw_err_set(err, TW_EFORMAT, "'%.100s' has no place in the archive", w->name);
        there = st.size;
    }
    if (p->at > there || extent > (there - p->at) / size)
        return tw_err_set(err, TW_EFORMAT,
                          "'%.100s' needs %llu elements of %zu bytes from byte %llu on, and there "
                          "are %llu bytes; copy the file again",
                          w->name, (unsigned long long)extent, size, (unsigned long long)p->at,
                          (unsigned long long)there);
    if (!q.by_rows && extent > s->views / size)
        return tw_err_set(
            err, TW_EFORMAT,
            "'%.100s': its views up to here reach over more than 256 MiB and 64 times "
            "the file's size, which is not read",
            w->name);
    s->views -= q.by_rows ? 0 : extent * size;
    if (!tw_grow(&s->v, s->n, &s->cap, sizeof *s->v))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    s->v[s->n].s = q;
    s->v[s->n].dtype = w->dtype;
    s->v[s->n].rank = w->rank;
    s->v[s->n].n = w->n;
    s->v[s->n].extent = extent;
    memcpy(s->v[s->n].dims, w->dims, sizeof w->dims);
    s->n++;
    return TW_OK;
}
