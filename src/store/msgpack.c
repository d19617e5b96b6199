/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints of flax: msgpack (github.com/msgpack/msgpack, spec.md), maps of maps, whose leaves
 * are extensions of type 1: an array of shape, type name and bytes (flax/serialization.py). */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow.h"
#include "spans.h"

enum { MAX_DEPTH = 64, MAX_NAME = 4096, NDARRAY = 1 };

enum kind { NOTHING, NUMBER, TEXT, BYTES, LIST, MAP, EXTENSION };

/* A value's head: what follows it is n bytes (TEXT, BYTES, EXTENSION) or n values or pairs. */
struct head {
    enum kind kind;
    uint64_t n;
    int type; /* of an extension */
};

struct msgpack {
    struct flow in;
    struct tw_weights_file *f;
    struct spans *s;
    struct tw_str name, text;
};

/* ---- heads
 * ------------------------------------------------------------------------------------------------
 */

static enum tw_status get_big_endian(struct flow *in, size_t bytes, uint64_t *x)
{
    unsigned char p[8];
    enum tw_status rc = flow_get(in, p, bytes);

    *x = 0;
    for (size_t i = 0; i < bytes && rc == TW_OK; i++)
        *x = *x << 8 | p[i];
    return rc;
}

static enum tw_status get_head(struct flow *in, struct head *h)
{
    /* From 0xc0 on: what it is, the bytes of its length, or (NUMBER) its own bytes. */
    static const struct {
        uint8_t kind, bytes;
    } heads[32] = {
        { NUMBER, 0 },    { NOTHING, 0 },   { NUMBER, 0 },    { NUMBER, 0 },    { BYTES, 1 },
        { BYTES, 2 },     { BYTES, 4 },     { EXTENSION, 1 }, { EXTENSION, 2 }, { EXTENSION, 4 },
        { NUMBER, 4 },    { NUMBER, 8 },    { NUMBER, 1 },    { NUMBER, 2 },    { NUMBER, 4 },
        { NUMBER, 8 },    { NUMBER, 1 },    { NUMBER, 2 },    { NUMBER, 4 },    { NUMBER, 8 },
        { EXTENSION, 0 }, { EXTENSION, 0 }, { EXTENSION, 0 }, { EXTENSION, 0 }, { EXTENSION, 0 },
        { TEXT, 1 },      { TEXT, 2 },      { TEXT, 4 },      { LIST, 2 },      { LIST, 4 },
        { MAP, 2 },       { MAP, 4 },
    };
    unsigned char c = 0, type = 0;
    enum tw_status rc = flow_get(in, &c, 1);

    *h = (struct head){ .kind = NUMBER };
    if (rc != TW_OK)
        return rc;
    if (c < 0x80 || c >= 0xe0) { /* a small number, which is kept: shapes have such */
        h->n = c;
        return TW_OK;
    }
    if (c < 0xc0) {
        h->kind = c < 0x90 ? MAP : c < 0xa0 ? LIST : TEXT;
        h->n = c < 0xa0 ? c & 0x0fU : c & 0x1fU;
        return TW_OK;
    }
    h->kind = (enum kind)heads[c - 0xc0].kind;
    if (h->kind == NOTHING)
        return flow_wrong(in, "a value that msgpack does not have");
    rc = get_big_endian(in, heads[c - 0xc0].bytes, &h->n);
    if (rc == TW_OK && h->kind == EXTENSION) {
        if (heads[c - 0xc0].bytes == 0)
            h->n = (uint64_t)1 << (c - 0xd4);
        rc = flow_get(in, &type, 1);
        h->type = type;
    }
    return rc;
}

/* ---- arrays
 * ---------------------------------------------------------------------------------------------------
 */

static enum tw_dtype type_of(const char *name)
{
    for (int t = TW_NONE + 1; t < TW_NDTYPES; t++)
        if (!strcmp(name, tw_dtype_name((enum tw_dtype)t)))
            return (enum tw_dtype)t;
    return TW_NONE;
}

static enum tw_status get_shape(struct msgpack *m, int *rank, uint64_t dims[TW_MAX_RANK])
{
    struct head h;
    enum tw_status rc = get_head(&m->in, &h);

    if (rc == TW_OK && (h.kind != LIST || h.n > TW_MAX_RANK))
        rc = flow_wrong(&m->in, "an array without shape, or of more than 8 dimensions,");
    *rank = rc == TW_OK ? (int)h.n : 0;
    for (int d = 0; d < *rank && rc == TW_OK; d++) {
        rc = get_head(&m->in, &h);
        if (rc == TW_OK && h.kind != NUMBER)
            rc = flow_wrong(&m->in, "an extent that is no number");
        dims[d] = h.n;
    }
    return rc;
}

static enum tw_status get_type(struct msgpack *m, enum tw_dtype *type)
{
    struct head h;
    enum tw_status rc = get_head(&m->in, &h);

    if (rc == TW_OK && h.kind != TEXT)
        rc = flow_wrong(&m->in, "an array without type");
    if (rc == TW_OK)
        rc = flow_text(&m->in, h.n, &m->text);
    if (rc != TW_OK)
        return rc;
    *type = type_of(m->text.s);
    if (*type == TW_NONE)
        rc = tw_err_set(m->in.err, TW_EFORMAT,
                        "'%.100s' is of type %.20s, which is not read; save it as float32",
                        m->name.s, m->text.s);
    return rc;
}

/* (shape, type, bytes), which end where the extension does. */
static enum tw_status array(struct msgpack *m, uint64_t end)
{
    struct span p = { .entry = SPAN_PLAIN, .by_rows = true };
    uint64_t dims[TW_MAX_RANK] = { 0 }, bytes;
    enum tw_dtype type = TW_NONE;
    struct head h;
    int rank = 0;
    enum tw_status rc = get_head(&m->in, &h);

    if (rc == TW_OK && (h.kind != LIST || h.n != 3))
        rc = flow_wrong(&m->in, "an array that flax does not write");
    if (rc == TW_OK)
        rc = get_shape(m, &rank, dims);
    if (rc == TW_OK)
        rc = get_type(m, &type);
    if (rc == TW_OK)
        rc = get_head(&m->in, &h);
    if (rc == TW_OK && (h.kind != BYTES || h.n > m->in.size - m->in.at || m->in.at + h.n != end))
        rc = flow_wrong(&m->in, "an array without numbers");
    p.at = m->in.at;
    if (rc == TW_OK)
        rc = weights_add(m->f, m->name.s, type, rank, dims, m->in.err);
    if (rc != TW_OK)
        return rc;
    bytes = (uint64_t)m->f->v[m->f->n - 1].n * tw_dtype_size(type);
    if (bytes != h.n)
        return tw_err_set(m->in.err, TW_EFORMAT,
                          "'%.100s' has %llu bytes where its shape and type need %llu; copy the "
                          "file again",
                          m->name.s, (unsigned long long)h.n, (unsigned long long)bytes);
    rc = spans_add(m->s, &p, m->in.err);
    return rc == TW_OK ? flow_skip(&m->in, h.n) : rc;
}

/* ---- the walk
 * ----------------------------------------------------------------------------------------------------
 */

static enum tw_status value(struct msgpack *m, int depth);

static enum tw_status pairs(struct msgpack *m, uint64_t n, int depth)
{
    const size_t length = m->name.n;
    enum tw_status rc = TW_OK;

    for (; n > 0 && rc == TW_OK; n--) {
        struct head h;

        rc = get_head(&m->in, &h);
        if (rc == TW_OK && (h.kind != TEXT || h.n > MAX_NAME - m->name.n))
            rc = flow_wrong(&m->in, "a key that is no text, or too long,");
        if (rc == TW_OK)
            rc = flow_text(&m->in, h.n, &m->text);
        if (rc != TW_OK)
            break;
        if (!strcmp(m->text.s, "__msgpack_chunked_array__"))
            return tw_err_set(m->in.err, TW_EFORMAT,
                              "'%.100s' is stored in chunks, which is not read; save it as "
                              "safetensors (safetensors.flax.save_file)",
                              m->name.s ? m->name.s : "");
        tw_str_addf(&m->name, "%s%s", m->name.n ? "." : "", m->text.s);
        if (m->name.failed)
            return tw_err_set(m->in.err, TW_ENOMEM, "out of memory");
        rc = value(m, depth + 1);
        m->name.n = length;
        m->name.s[length] = '\0';
    }
    return rc;
}

static enum tw_status value(struct msgpack *m, int depth)
{
    const size_t length = m->name.n;
    struct head h;
    enum tw_status rc = get_head(&m->in, &h);

    if (rc != TW_OK)
        return rc;
    if (depth > MAX_DEPTH)
        return flow_wrong(&m->in, "values nested more than 64 deep");
    if (h.kind == MAP)
        return pairs(m, h.n, depth);
    if (h.kind == LIST) {
        for (uint64_t i = 0; i < h.n && rc == TW_OK; i++) {
            tw_str_addf(&m->name, "%s%llu", m->name.n ? "." : "", (unsigned long long)i);
            if (m->name.failed)
                return tw_err_set(m->in.err, TW_ENOMEM, "out of memory");
            rc = m->name.n < MAX_NAME ? value(m, depth + 1)
                                      : flow_wrong(&m->in, "a name that is too long");
            m->name.n = length;
            m->name.s[length] = '\0';
        }
        return rc;
    }
    if (h.kind == EXTENSION && h.type == NDARRAY && m->name.n && h.n <= m->in.size - m->in.at)
        return array(m, m->in.at + h.n);
    return h.kind == NUMBER ? TW_OK : flow_skip(&m->in, h.n);
}

enum tw_status weights_msgpack(struct tw_weights_file *f, struct tw_err *err)
{
    struct msgpack *m = tw_alloc(1, sizeof *m);
    enum tw_status rc;

    f->format = "msgpack";
    if (!m)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    m->f = f;
    m->s = spans_new(f, err);
    m->in.err = err;
    m->in.fd = m->s ? tw_file_open(f->path, &m->in.size, err) : -1;
    if (m->s)
        spans_file(m->s, NULL, m->in.size);
    rc = m->in.fd < 0 ? err->code : value(m, 0);
    if (rc == TW_OK && m->in.at != m->in.size)
        rc = flow_wrong(&m->in, "something follows the map");
    if (m->in.fd >= 0)
        (void)close(m->in.fd);
    tw_str_release(&m->name);
    tw_str_release(&m->text);
    free(m);
    return rc;
}
