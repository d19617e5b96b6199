/* SPDX-License-Identifier: GPL-3.0-or-later */
/* safetensors: the length of the header (u64), the header as JSON, the numbers. The format and its
 * rules: github.com/huggingface/safetensors, "Format". */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "jscan.h"
#include "spans.h"

enum { MAX_HEADER = 100000000 };

struct tensor {
    char *name;
    enum tw_dtype dtype;
    int rank;
    uint64_t dims[TW_MAX_RANK], begin, end;
};

struct header {
    struct jscan j;
    uint64_t data, size; /* where the numbers begin; of the file */
    struct tensor *v;
    size_t n, cap;
};

static void release(struct header *h)
{
    for (size_t i = 0; i < h->n; i++)
        free(h->v[i].name);
    free(h->v);
    tw_str_release(&h->j.text);
}

/* ---- one tensor --------------------------------------------------------------------------- */

static enum tw_status read_type(struct header *h, struct tensor *t)
{
    static const struct {
        char name[8];
        enum tw_dtype type;
    } types[] = { { "F64", TW_F64 },  { "F32", TW_F32 }, { "F16", TW_F16 }, { "BF16", TW_BF16 },
                  { "I64", TW_I64 },  { "I32", TW_I32 }, { "I16", TW_I16 }, { "I8", TW_I8 },
                  { "U64", TW_U64 },  { "U32", TW_U32 }, { "U16", TW_U16 }, { "U8", TW_U8 },
                  { "BOOL", TW_BOOL } };
    enum tw_status rc = jscan_string(&h->j);

    if (rc != TW_OK)
        return rc;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (!strcmp(h->j.text.s, types[i].name)) {
            t->dtype = types[i].type;
            return TW_OK;
        }
    return tw_err_set(h->j.err, TW_EFORMAT,
                      "'%.100s' is of type %.20s, which is not read; save it as F32 or BF16 (in "
                      "PyTorch: tensor.float())",
                      t->name, h->j.text.s);
}

static enum tw_status read_shape(struct header *h, struct tensor *t)
{
    enum tw_status rc = jscan_want(&h->j, '[');

    t->rank = 0;
    while (rc == TW_OK && !jscan_take(&h->j, ']')) {
        if (t->rank > 0)
            rc = jscan_want(&h->j, ',');
        if (rc == TW_OK && t->rank == TW_MAX_RANK)
            return tw_err_set(h->j.err, TW_EFORMAT, "'%.100s' has more than %d dimensions", t->name,
                              (int)TW_MAX_RANK);
        if (rc == TW_OK)
            rc = jscan_whole(&h->j, &t->dims[t->rank++]);
    }
    return rc;
}

static enum tw_status read_offsets(struct header *h, struct tensor *t)
{
    enum tw_status rc = jscan_want(&h->j, '[');

    if (rc == TW_OK)
        rc = jscan_whole(&h->j, &t->begin);
    if (rc == TW_OK)
        rc = jscan_want(&h->j, ',');
    if (rc == TW_OK)
        rc = jscan_whole(&h->j, &t->end);
    return rc == TW_OK ? jscan_want(&h->j, ']') : rc;
}

/* Bytes that the shape asks for; false: more than 64 bits. */
static bool measure(const struct tensor *t, uint64_t *bytes)
{
    bool empty = false;

    *bytes = tw_dtype_size(t->dtype);
    for (int d = 0; d < t->rank; d++) {
        empty = empty || t->dims[d] == 0;
        if (t->dims[d] && *bytes > UINT64_MAX / t->dims[d])
            return false;
        *bytes *= t->dims[d] ? t->dims[d] : 1;
    }
    *bytes = empty ? 0 : *bytes;
    return true;
}

static enum tw_status read_tensor(struct header *h, struct tensor *t)
{
    enum { TYPE = 1, SHAPE = 2, OFFSETS = 4 };
    enum tw_status rc = jscan_want(&h->j, '{');
    uint64_t bytes = 0;
    unsigned seen = 0;

    while (rc == TW_OK && !jscan_take(&h->j, '}')) {
        unsigned which;

        if (seen && (rc = jscan_want(&h->j, ',')) != TW_OK)
            return rc;
        rc = jscan_string(&h->j);
        if (rc != TW_OK)
            return rc;
        which = !strcmp(h->j.text.s, "dtype")          ? TYPE
                : !strcmp(h->j.text.s, "shape")        ? SHAPE
                : !strcmp(h->j.text.s, "data_offsets") ? OFFSETS
                                                       : 0;
        if (!which || seen & which)
            return tw_err_set(h->j.err, TW_EFORMAT,
                              "'%.100s' has the key '%.40s', which is unknown or there twice",
                              t->name, h->j.text.s);
        seen |= which;
        rc = jscan_want(&h->j, ':');
        if (rc == TW_OK)
            rc = which == TYPE    ? read_type(h, t)
                 : which == SHAPE ? read_shape(h, t)
                                  : read_offsets(h, t);
    }
    if (rc == TW_OK && seen != (TYPE | SHAPE | OFFSETS))
        return tw_err_set(h->j.err, TW_EFORMAT, "'%.100s' lacks its dtype, shape or data_offsets",
                          t->name);
    if (rc == TW_OK && (t->begin > t->end || t->end > h->size - h->data))
        return tw_err_set(h->j.err, TW_EFORMAT,
                          "'%.100s' lies at bytes %llu to %llu of %llu; the file is cut short, "
                          "copy it again",
                          t->name, (unsigned long long)t->begin, (unsigned long long)t->end,
                          (unsigned long long)(h->size - h->data));
    if (rc == TW_OK && (!measure(t, &bytes) || bytes != t->end - t->begin))
        return tw_err_set(h->j.err, TW_EFORMAT,
                          "'%.100s' has %llu bytes, which is not what its shape and type need",
                          t->name, (unsigned long long)(t->end - t->begin));
    return rc;
}

/* ---- the header --------------------------------------------------------------------------- */

static enum tw_status read_notes(struct header *h, struct tw_weights_file *f)
{
    enum tw_status rc = jscan_want(&h->j, '{');

    for (bool first = true; rc == TW_OK && !jscan_take(&h->j, '}'); first = false) {
        struct tw_str key = { 0 };

        if (!first)
            rc = jscan_want(&h->j, ',');
        if (rc == TW_OK)
            rc = jscan_string(&h->j);
        if (rc != TW_OK)
            return rc;
        key = h->j.text;
        h->j.text = (struct tw_str){ 0 };
        rc = jscan_want(&h->j, ':');
        if (rc == TW_OK)
            rc = jscan_string(&h->j);
        if (rc == TW_OK)
            rc = weights_note(f, key.s, h->j.text.s, h->j.err);
        tw_str_release(&key);
    }
    return rc;
}

static enum tw_status read_header(struct header *h, struct tw_weights_file *f)
{
    enum tw_status rc = jscan_want(&h->j, '{');
    bool notes = false;

    for (bool first = true; rc == TW_OK && !jscan_take(&h->j, '}'); first = false) {
        struct tensor t = { 0 };

        if (!first)
            rc = jscan_want(&h->j, ',');
        if (rc == TW_OK)
            rc = jscan_string(&h->j);
        if (rc == TW_OK && !strcmp(h->j.text.s, "__metadata__")) {
            if (notes)
                return tw_err_set(h->j.err, TW_EFORMAT, "'__metadata__' is there twice");
            notes = true;
            rc = jscan_want(&h->j, ':');
            rc = rc == TW_OK ? read_notes(h, f) : rc;
            continue;
        }
        if (rc != TW_OK)
            return rc;
        t.name = tw_strdup(h->j.text.s);
        if (!t.name || !tw_grow(&h->v, h->n, &h->cap, sizeof *h->v)) {
            free(t.name);
            return tw_err_set(h->j.err, TW_ENOMEM, "out of memory");
        }
        h->v[h->n++] = t;
        rc = jscan_want(&h->j, ':');
        if (rc == TW_OK)
            rc = read_tensor(h, &h->v[h->n - 1]);
    }
    while (rc == TW_OK && h->j.p < h->j.end) /* padding */
        if (*h->j.p++ != ' ')
            return tw_err_set(h->j.err, TW_EFORMAT, "something follows the header's JSON");
    return rc;
}

static int by_place(const void *pa, const void *pb)
{
    const struct tensor *a = pa, *b = pb;

    if (a->begin != b->begin)
        return a->begin < b->begin ? -1 : 1;
    return (a->end > b->end) - (a->end < b->end);
}

/* Each byte belongs to one tensor. */
static enum tw_status check_places(struct header *h)
{
    uint64_t at = 0;

    if (h->n)
        qsort(h->v, h->n, sizeof *h->v, by_place);
    for (size_t i = 0; i < h->n; i++) {
        if (h->v[i].begin != at)
            return tw_err_set(h->j.err, TW_EFORMAT,
                              "'%.100s' begins at byte %llu, %s at %llu: tensors must lie one "
                              "right after another; save the file again",
                              h->v[i].name, (unsigned long long)h->v[i].begin,
                              h->v[i].begin < at ? "within the one before, which ends"
                                                 : "with a hole after the one before, which ends",
                              (unsigned long long)at);
        at = h->v[i].end;
    }
    if (at != h->size - h->data)
        return tw_err_set(h->j.err, TW_EFORMAT,
                          "%llu bytes follow the last tensor; save the file again",
                          (unsigned long long)(h->size - h->data - at));
    return TW_OK;
}

static enum tw_status add_all(struct header *h, struct tw_weights_file *f)
{
    struct spans *s = spans_new(f, h->j.err);
    enum tw_status rc = s ? TW_OK : TW_ENOMEM;

    if (s)
        spans_file(s, NULL, h->size);
    for (size_t i = 0; i < h->n && rc == TW_OK; i++) {
        const struct tensor *t = &h->v[i];
        const struct span p = { .entry = SPAN_PLAIN, .at = h->data + t->begin, .by_rows = true };

        rc = weights_add(f, t->name, t->dtype, t->rank, t->dims, h->j.err);
        if (rc == TW_OK)
            rc = spans_add(s, &p, h->j.err);
    }
    return rc;
}

enum tw_status weights_safetensors(struct tw_weights_file *f, struct tw_err *err)
{
    struct header h = { .j.err = err };
    uint64_t length = 0;
    int fd = tw_file_open(f->path, &h.size, err);
    char *text = NULL;
    enum tw_status rc;

    f->format = "safetensors";
    if (fd < 0)
        return TW_EIO;
    rc = tw_file_read(fd, 0, &length, sizeof length, err);
    if (rc == TW_OK && length > MAX_HEADER)
        rc = tw_err_set(err, TW_EFORMAT, "a header of %llu bytes, where 100 MB are the most",
                        (unsigned long long)length);
    else if (rc == TW_OK && length > h.size - 8)
        rc = tw_err_set(err, TW_EFORMAT,
                        "a header of %llu bytes in a file of %llu; it is cut short, copy it again",
                        (unsigned long long)length, (unsigned long long)h.size);
    if (rc == TW_OK && !(text = tw_alloc((size_t)length + 1, 1)))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = tw_file_read(fd, 8, text, (size_t)length, err);
    (void)close(fd);
    if (rc == TW_OK) {
        h.j.start = h.j.p = text;
        h.j.end = text + length;
        h.data = 8 + length;
        rc = read_header(&h, f);
    }
    free(text);
    if (rc == TW_OK)
        rc = check_places(&h);
    if (rc == TW_OK)
        rc = add_all(&h, f);
    release(&h);
    return rc;
}
