/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "npy.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_HEADER = 1 << 20, MAGIC = 8 };

/* ---- the header: a Python dictionary ------------------------------------------------------- */

/* {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), } */
struct cursor {
    const char *start, *p;
    struct tw_err *err;
};

static enum tw_status expected(const struct cursor *c, const char *what)
{
    return tw_err_set(c->err, TW_EFORMAT,
                      "the header of the array: expected %s at its byte %zu, found '%.20s'; save "
                      "the array again with numpy.save",
                      what, (size_t)(c->p - c->start), c->p);
}

/* Blanks, then this character. */
static bool skip(struct cursor *c, char want)
{
    c->p += strspn(c->p, " \t\n");
    if (*c->p != want)
        return false;
    c->p++;
    return true;
}

static bool text(struct cursor *c, char *to, size_t size)
{
    char quote = '\'';
    size_t n;

    if (!skip(c, '\'')) {
        if (!skip(c, '"'))
            return false;
        quote = '"';
    }
    for (n = 0; c->p[n] && c->p[n] != quote; n++)
        ;
    if (c->p[n] != quote || n >= size)
        return false;
    memcpy(to, c->p, n);
    to[n] = '\0';
    c->p += n + 1;
    return true;
}

static enum tw_status element_type(struct cursor *c, struct npy_header *h)
{
    static const struct {
        char name[4];
        enum tw_dtype type;
    } types[] = { { "f4", TW_F32 }, { "f8", TW_F64 }, { "f2", TW_F16 }, { "i8", TW_I64 },
                  { "i4", TW_I32 }, { "i2", TW_I16 }, { "i1", TW_I8 },  { "u8", TW_U64 },
                  { "u4", TW_U32 }, { "u2", TW_U16 }, { "u1", TW_U8 },  { "b1", TW_BOOL } };
    const struct cursor at = *c;
    char s[64];

    c->p += strspn(c->p, " ");
    if (*c->p == '[' || *c->p == '(')
        return tw_err_set(c->err, TW_EFORMAT,
                          "its elements are records; save each field as an array of its own");
    if (!text(c, s, sizeof s))
        return expected(&at, "a type such as '<f4'");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (strchr("<>|=", s[0]) && s[0] && !strcmp(s + 1, types[i].name)) {
            h->type = types[i].type;
            h->swap = s[0] == '>';
            return TW_OK;
        }
    return tw_err_set(c->err, TW_EFORMAT,
                      "its elements are of type '%s', which is not read%s; save it as float32 or "
                      "as integers (numpy's astype)",
                      s, strchr(s, 'O') ? " (Python objects, which may run programs)" : "");
}

static enum tw_status shape(struct cursor *c, struct npy_header *h)
{
    if (!skip(c, '('))
        return expected(c, "a shape such as (3, 4)");
    h->rank = 0;
    while (!skip(c, ')')) {
        uint64_t n = 0;

        if (h->rank > 0 && !skip(c, ','))
            return expected(c, "a comma or the end of the shape");
        if (h->rank > 0 && skip(c, ')'))
            break; /* (3,) */
        c->p += strspn(c->p, " ");
        if (*c->p < '0' || *c->p > '9')
            return expected(c, "an extent");
        for (; *c->p >= '0' && *c->p <= '9'; c->p++)
            n = n < UINT64_MAX / 20 ? n * 10 + (unsigned)(*c->p - '0') : UINT64_MAX;
        c->p += *c->p == 'L'; /* Python 2's long integers */
        if (n > SIZE_MAX / 16)
            return tw_err_set(c->err, TW_EFORMAT, "an extent that no array has");
        if (h->rank == TW_MAX_RANK)
            return tw_err_set(c->err, TW_EFORMAT, "more than %d dimensions", (int)TW_MAX_RANK);
        h->dims[h->rank++] = (size_t)n;
    }
    return TW_OK;
}

static enum tw_status truth(struct cursor *c, bool *x)
{
    c->p += strspn(c->p, " ");
    *x = !strncmp(c->p, "True", 4);
    if (!*x && strncmp(c->p, "False", 5) != 0)
        return expected(c, "True or False");
    c->p += *x ? 4 : 5;
    return TW_OK;
}

static enum tw_status parse(const char *s, struct npy_header *h, struct tw_err *err)
{
    struct cursor c = { s, s, err };
    enum { DESCR = 1, ORDER = 2, SHAPE = 4 };
    unsigned seen = 0;
    char key[24];

    *h = (struct npy_header){ 0 };
    if (!skip(&c, '{'))
        return expected(&c, "'{'");
    while (!skip(&c, '}')) {
        enum tw_status rc;
        unsigned which;

        if (!text(&c, key, sizeof key) || !skip(&c, ':'))
            return expected(&c, "'descr', 'fortran_order' or 'shape' and a colon");
        which = !strcmp(key, "descr")           ? DESCR
                : !strcmp(key, "fortran_order") ? ORDER
                : !strcmp(key, "shape")         ? SHAPE
                                                : 0;
        if (!which || seen & which)
            return tw_err_set(err, TW_EFORMAT,
                              "the header of the array says '%s', which is unknown or said twice",
                              key);
        seen |= which;
        rc = which == DESCR   ? element_type(&c, h)
             : which == ORDER ? truth(&c, &h->by_columns)
                              : shape(&c, h);
        if (rc != TW_OK)
            return rc;
        if (!skip(&c, ',') && (c.p += strspn(c.p, " \n"), *c.p != '}'))
            return expected(&c, "a comma or '}'");
    }
    if (seen != (DESCR | ORDER | SHAPE))
        return tw_err_set(err, TW_EFORMAT,
                          "the header of the array lacks its type, order or shape; save it again");
    return TW_OK;
}

/* ---- the numbers ---------------------------------------------------------------------------- */

static void swap_bytes(struct tw_array *a)
{
    const size_t size = tw_dtype_size(a->dtype);
    unsigned char *p = a->data;

    for (size_t i = 0; i < a->n; i++, p += size)
        for (size_t k = 0; k < size / 2; k++) {
            unsigned char c = p[k];

            p[k] = p[size - 1 - k];
            p[size - 1 - k] = c;
        }
}

/* a is stored by columns, its first index fastest; afterwards by rows. */
static enum tw_status to_rows(struct tw_array *a, struct tw_err *err)
{
    size_t at[TW_MAX_RANK] = { 0 }, stride[TW_MAX_RANK] = { 0 }, from = 0;
    const size_t size = tw_dtype_size(a->dtype);
    struct tw_array rows = { 0 };
    enum tw_status rc = tw_array_make(&rows, a->dtype, a->rank, a->dims, err);

    if (rc != TW_OK)
        return rc;
    stride[0] = 1;
    for (int d = 1; d < a->rank; d++)
        stride[d] = stride[d - 1] * a->dims[d - 1];
    for (size_t i = 0; i < a->n; i++) {
        memcpy((char *)rows.data + i * size, (const char *)a->data + from * size, size);
        for (int d = a->rank - 1; d >= 0; d--) {
            from += stride[d];
            if (++at[d] < a->dims[d])
                break;
            from -= a->dims[d] * stride[d];
            at[d] = 0;
        }
    }
    tw_array_release(a);
    *a = rows;
    return TW_OK;
}

/* Is there as much as the shape asks for? */
static enum tw_status check_size(const struct npy_header *h, uint64_t left, struct tw_err *err)
{
    size_t n = tw_dtype_size(h->type);
    bool empty = false, fits = true;

    for (int d = 0; d < h->rank; d++) {
        empty = empty || h->dims[d] == 0;
        fits = fits && (h->dims[d] == 0 || n <= SIZE_MAX / 16 / h->dims[d]);
        n *= h->dims[d] && fits ? h->dims[d] : 1;
    }
    n = empty ? 0 : n;
    if (fits && n == left)
        return TW_OK;
    return tw_err_set(err, TW_EFORMAT,
                      "the array's shape asks for %s%zu bytes, %llu are stored; copy the file "
                      "again",
                      fits ? "" : "more than ", n, (unsigned long long)left);
}

enum tw_status npy_read_header(struct npy_source *s, struct npy_header *h, struct tw_err *err)
{
    unsigned char start[MAGIC + 4] = { 0 };
    size_t length, wide;
    enum tw_status rc;
    char *text_of;

    if (s->size < MAGIC + 2)
        return tw_err_set(err, TW_EFORMAT, "%llu bytes are no NumPy array",
                          (unsigned long long)s->size);
    rc = s->read(s->ctx, start, MAGIC + 2, err);
    if (rc != TW_OK)
        return rc;
    if (memcmp(start, "\x93NUMPY", 6) != 0)
        return tw_err_set(err, TW_EFORMAT, "this is not a NumPy array");
    if (start[6] < 1 || start[6] > 3)
        return tw_err_set(err, TW_EFORMAT, "a NumPy array of format version %d, which is not known",
                          start[6]);
    wide = start[6] == 1 ? 2 : 4; /* bytes of the header's length */
    if (wide == 4 && (rc = s->size < MAGIC + 4 ? TW_EFORMAT : s->read(s->ctx, start + 10, 2, err)))
        return tw_err_set(err, rc, "the array ends in its header; copy the file again");
    length = start[8] | (size_t)start[9] << 8 | (size_t)start[10] << 16 | (size_t)start[11] << 24;
    if (length > MAX_HEADER || length > s->size - MAGIC - wide)
        return tw_err_set(err, TW_EFORMAT, "the array's header of %zu bytes is cut short", length);
    text_of = tw_alloc(length + 1, 1);
    if (!text_of)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    rc = s->read(s->ctx, text_of, length, err);
    if (rc == TW_OK)
        rc = parse(text_of, h, err);
    free(text_of);
    if (rc != TW_OK)
        return rc;
    h->at = MAGIC + wide + length;
    return check_size(h, s->size - h->at, err);
}

enum tw_status npy_read(struct npy_source *s, struct tw_array *a, struct tw_err *err)
{
    struct npy_header h;
    enum tw_status rc = npy_read_header(s, &h, err);

    *a = (struct tw_array){ 0 };
    if (rc == TW_OK)
        rc = tw_array_make(a, h.type, h.rank, h.dims, err);
    if (rc == TW_OK && s->size > h.at)
        rc = s->read(s->ctx, a->data, (size_t)(s->size - h.at), err);
    if (rc == TW_OK && h.swap)
        swap_bytes(a);
    if (rc == TW_OK && h.type == TW_BOOL)
        for (size_t i = 0; i < a->n; i++)
            ((uint8_t *)a->data)[i] = ((const uint8_t *)a->data)[i] != 0;
    if (rc == TW_OK && h.by_columns && h.rank > 1)
        rc = to_rows(a, err);
    if (rc != TW_OK)
        tw_array_release(a);
    return rc;
}

/* ---- from a file, from memory -------------------------------------------------------------- */

struct file_source {
    int fd;
    uint64_t at;
};

static enum tw_status read_file(void *ctx, void *to, size_t n, struct tw_err *err)
{
    struct file_source *f = ctx;
    enum tw_status rc = tw_file_read(f->fd, f->at, to, n, err);

    f->at += n;
    return rc;
}

enum tw_status npy_read_file(const char *path, struct tw_array *a, struct tw_err *err)
{
    struct file_source f = { 0 };
    struct npy_source s = { .ctx = &f, .read = read_file };
    enum tw_status rc;

    *a = (struct tw_array){ 0 };
    f.fd = tw_file_open(path, &s.size, err);
    if (f.fd < 0)
        return TW_EIO;
    rc = npy_read(&s, a, err);
    (void)close(f.fd);
    return rc;
}

/* npy_read asks for no more than there is. */
static enum tw_status read_mem(void *ctx, void *to, size_t n, struct tw_err *err)
{
    const unsigned char **p = ctx;

    (void)err;
    memcpy(to, *p, n);
    *p += n;
    return TW_OK;
}

enum tw_status npy_read_mem(const struct tw_bytes *b, struct tw_array *a, struct tw_err *err)
{
    const unsigned char *p = b->p;
    struct npy_source s = { .ctx = &p, .size = b->n, .read = read_mem };

    return npy_read(&s, a, err);
}
