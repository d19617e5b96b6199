/* SPDX-License-Identifier: GPL-3.0-or-later */
/* GGUF, versions 2 and 3: keys with values, tensors' names, shapes (fastest extent first), types
 * and places, then the numbers. The format: github.com/ggml-org/ggml, docs/gguf.md. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "flow.h"
#include "spans.h"

enum {
    T_U8,
    T_I8,
    T_U16,
    T_I16,
    T_U32,
    T_I32,
    T_F32,
    T_BOOL,
    T_TEXT,
    T_LIST,
    T_U64,
    T_I64,
    T_F64,
    NTYPES
};
static const uint8_t widths[NTYPES] = { 1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8 };

struct tensor {
    char *name;
    enum tw_dtype type;
    int rank;
    uint64_t dims[TW_MAX_RANK], at;
};

struct gguf {
    struct flow in;
    struct tw_weights_file *f;
    struct tw_str text;
    uint64_t alignment;
    struct tensor *v;
    size_t n, cap;
};

static enum tw_status get_text(struct gguf *g)
{
    uint64_t n;
    enum tw_status rc = flow_get(&g->in, &n, sizeof n);

    return rc == TW_OK ? flow_text(&g->in, n, &g->text) : rc;
}

/* ---- keys and values ---------------------------------------------------------------------- */

static enum tw_status skip_list(struct gguf *g)
{
    uint32_t type = 0;
    uint64_t n = 0;
    enum tw_status rc = flow_get(&g->in, &type, sizeof type);

    if (rc == TW_OK)
        rc = flow_get(&g->in, &n, sizeof n);
    if (rc != TW_OK)
        return rc;
    if (type == T_LIST || type >= NTYPES)
        return flow_wrong(&g->in, "a list of lists, or of a type that is not known,");
    if (type != T_TEXT)
        return n > UINT64_MAX / 8 ? flow_wrong(&g->in, "a list that is too long")
                                  : flow_skip(&g->in, n * widths[type]);
    for (; n > 0 && rc == TW_OK; n--) {
        uint64_t length = 0;

        rc = flow_get(&g->in, &length, sizeof length);
        if (rc == TW_OK)
            rc = flow_skip(&g->in, length);
    }
    return rc;
}

static void show(uint32_t type, const unsigned char raw[8], struct tw_str *s)
{
    int64_t i = 0;
    uint64_t u = 0;
    double r;
    float x;

    memcpy(&u, raw, widths[type]);
    i = type == T_I8    ? (int8_t)u
        : type == T_I16 ? (int16_t)u
        : type == T_I32 ? (int32_t)u
                        : (int64_t)u;
    memcpy(&x, raw, sizeof x);
    memcpy(&r, raw, sizeof r);
    tw_str_clear(s);
    if (type == T_F32 || type == T_F64)
        tw_str_addf(s, "%.9g", type == T_F32 ? (double)x : r);
    else if (type == T_BOOL)
        tw_str_add(s, u ? "true" : "false");
    else if (type == T_I8 || type == T_I16 || type == T_I32 || type == T_I64)
        tw_str_addf(s, "%" PRId64, i);
    else
        tw_str_addf(s, "%" PRIu64, u);
}

static enum tw_status get_pair(struct gguf *g)
{
    enum tw_status rc = get_text(g);
    struct tw_str key = g->text;
    unsigned char raw[8] = { 0 };
    uint32_t type = 0;

    g->text = (struct tw_str){ 0 };
    if (rc == TW_OK)
        rc = flow_get(&g->in, &type, sizeof type);
    if (rc == TW_OK && type >= NTYPES)
        rc = flow_wrong(&g->in, "a value of a type that is not known");
    if (rc == TW_OK && type == T_LIST)
        rc = skip_list(g);
    else if (rc == TW_OK && type == T_TEXT)
        rc = get_text(g);
    else if (rc == TW_OK)
        rc = flow_get(&g->in, raw, widths[type]);
    if (rc == TW_OK && type != T_LIST) {
        if (type != T_TEXT)
            show(type, raw, &g->text);
        if (type == T_U32 && !strcmp(key.s, "general.alignment")) {
            uint32_t a;

            memcpy(&a, raw, sizeof a);
            g->alignment = a;
        }
        rc = g->text.failed ? tw_err_set(g->in.err, TW_ENOMEM, "out of memory")
                            : weights_note(g->f, key.s, g->text.s, g->in.err);
    }
    tw_str_release(&key);
    return rc;
}

/* ---- tensors ------------------------------------------------------------------------------ */

static enum tw_status type_of(const struct gguf *g, const char *name, uint32_t type,
                              enum tw_dtype *to)
{
    static const char *const packed[] = { "",       "",        "Q4_0",   "Q4_1",    "",
                                          "",       "Q5_0",    "Q5_1",   "Q8_0",    "Q8_1",
                                          "Q2_K",   "Q3_K",    "Q4_K",   "Q5_K",    "Q6_K",
                                          "Q8_K",   "IQ2_XXS", "IQ2_XS", "IQ3_XXS", "IQ1_S",
                                          "IQ4_NL", "IQ3_S",   "IQ2_S",  "IQ4_XS" };
    enum { NPACKED = sizeof packed / sizeof packed[0] };
    static const struct {
        uint32_t type;
        enum tw_dtype to;
    } plain[] = { { 0, TW_F32 },  { 1, TW_F16 },  { 24, TW_I8 },  { 25, TW_I16 },
                  { 26, TW_I32 }, { 27, TW_I64 }, { 28, TW_F64 }, { 30, TW_BF16 } };

    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
        if (plain[i].type == type) {
            *to = plain[i].to;
            return TW_OK;
        }
    return tw_err_set(g->in.err, TW_EFORMAT,
                      "'%.100s' is quantised (type %u%s%s), which is not read: its numbers are "
                      "rounded to few bits; take the file in F16, BF16 or F32, or the checkpoint "
                      "that it was made of",
                      name, type, type < NPACKED && *packed[type] ? ", " : "",
                      type < NPACKED ? packed[type] : "");
}

static enum tw_status get_tensor(struct gguf *g)
{
    struct tensor t = { 0 };
    uint32_t rank = 0, type = 0;
    uint64_t dims[TW_MAX_RANK] = { 0 };
    enum tw_status rc = get_text(g);

    if (rc == TW_OK)
        rc = flow_get(&g->in, &rank, sizeof rank);
    if (rc == TW_OK && rank > TW_MAX_RANK)
        rc = flow_wrong(&g->in, "a tensor of more than 8 dimensions");
    if (rc == TW_OK)
        rc = flow_get(&g->in, dims, rank * sizeof *dims);
    if (rc == TW_OK)
        rc = flow_get(&g->in, &type, sizeof type);
    if (rc == TW_OK)
        rc = flow_get(&g->in, &t.at, sizeof t.at);
    if (rc == TW_OK)
        rc = type_of(g, g->text.s, type, &t.type);
    if (rc != TW_OK)
        return rc;
    t.rank = (int)rank;
    for (uint32_t d = 0; d < rank; d++)
        t.dims[d] = dims[rank - 1 - d];
    t.name = tw_strdup(g->text.s);
    if (!t.name || !tw_grow(&g->v, g->n, &g->cap, sizeof *g->v)) {
        free(t.name);
        return tw_err_set(g->in.err, TW_ENOMEM, "out of memory");
    }
    g->v[g->n++] = t;
    return TW_OK;
}

static enum tw_status add_all(struct gguf *g, struct spans *s)
{
    enum tw_status rc = TW_OK;
    uint64_t start;

    if (g->alignment == 0 || g->alignment > 1 << 20)
        return flow_wrong(&g->in, "an alignment that no file has");
    start = (g->in.at + g->alignment - 1) / g->alignment * g->alignment;

    for (size_t i = 0; i < g->n && rc == TW_OK; i++) {
        const struct tensor *t = &g->v[i];
        const struct span p = { .entry = SPAN_PLAIN, .at = start + t->at, .by_rows = true };

        if (t->at > UINT64_MAX / 2 || t->at % g->alignment)
            return tw_err_set(g->in.err, TW_EFORMAT,
                              "'%.100s' lies at byte %llu, which is no multiple of %llu; copy the "
                              "file again",
                              t->name, (unsigned long long)t->at, (unsigned long long)g->alignment);
        rc = weights_add(g->f, t->name, t->type, t->rank, t->dims, g->in.err);
        if (rc == TW_OK)
            rc = spans_add(s, &p, g->in.err);
    }
    return rc;
}

static enum tw_status read_all(struct gguf *g, struct spans *s)
{
    uint32_t head[2] = { 0 };
    uint64_t ntensor = 0, npair = 0;
    enum tw_status rc = flow_get(&g->in, head, sizeof head);

    if (rc == TW_OK && head[1] != 2 && head[1] != 3)
        rc = tw_err_set(
            g->in.err, TW_EFORMAT, "a GGUF file of version %u%s, where 2 and 3 are read",
            head[1] < 0x10000 ? head[1] : head[1] >> 24, head[1] < 0x10000 ? "" : ", big-endian");
    if (rc == TW_OK)
        rc = flow_get(&g->in, &ntensor, sizeof ntensor);
    if (rc == TW_OK)
        rc = flow_get(&g->in, &npair, sizeof npair);
    for (; npair > 0 && rc == TW_OK; npair--)
        rc = get_pair(g);
    for (; ntensor > 0 && rc == TW_OK; ntensor--)
        rc = get_tensor(g);
    return rc == TW_OK ? add_all(g, s) : rc;
}

enum tw_status weights_gguf(struct tw_weights_file *f, struct tw_err *err)
{
    struct gguf *g = tw_alloc(1, sizeof *g);
    struct spans *s = g ? spans_new(f, err) : NULL;
    enum tw_status rc;

    f->format = "GGUF";
    if (!s) {
        free(g);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    g->f = f;
    g->in.err = err;
    g->alignment = 32;
    g->in.fd = tw_file_open(f->path, &g->in.size, err);
    spans_file(s, NULL, g->in.size);
    rc = g->in.fd < 0 ? TW_EIO : read_all(g, s);
    if (g->in.fd >= 0)
        (void)close(g->in.fd);
    for (size_t i = 0; i < g->n; i++)
        free(g->v[i].name);
    free(g->v);
    tw_str_release(&g->text);
    free(g);
    return rc;
}
