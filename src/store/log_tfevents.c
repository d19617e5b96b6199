/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TensorBoard's event files: records of a length, its checksum, an Event and its checksum
 * (tensorflow/core/lib/io/record_writer.h). A scalar is a `simple_value` (PyTorch's writer) or a
 * tensor of one number (TensorFlow 2). */
#include <stdlib.h>
#include <string.h>

#include "log_reader.h"
#include "onnx.h"
#include "tfevents.pb-c.h"

enum { HEAD = 12, TAIL = 4, MAX_RECORD = 1 << 30 };

/* CRC-32C (Castagnoli; RFC 3720, appendix B.4), reflected. */
struct crc {
    uint32_t table[256];
};

static void crc_init(struct crc *c)
{
    for (uint32_t i = 0; i < 256; i++) {
        c->table[i] = i;
        for (int k = 0; k < 8; k++)
            c->table[i] = c->table[i] >> 1 ^ (c->table[i] & 1 ? 0x82f63b78 : 0);
    }
}

/* Is this the checksum, masked as files hold it (tensorflow/core/lib/hash/crc32c.h)? */
static bool checks(const struct crc *c, const unsigned char *p, size_t n,
                   const unsigned char *stored)
{
    uint32_t crc = 0xffffffff, want;

    for (size_t i = 0; i < n; i++)
        crc = c->table[(crc ^ p[i]) & 0xff] ^ crc >> 8;
    crc = ~crc;
    memcpy(&want, stored, sizeof want);
    return (crc >> 15 | crc << 17) + 0xa282ead8 == want;
}

static uint64_t length_at(const unsigned char *p)
{
    uint64_t n;

    memcpy(&n, p, sizeof n);
    return n;
}

bool log_is_tfevents(const char *s, size_t n)
{
    const unsigned char *p = (const unsigned char *)s;
    struct crc c;

    if (n < HEAD || length_at(p) >= MAX_RECORD)
        return false;
    crc_init(&c);
    return checks(&c, p, 8, p + 8);
}

static bool sniff(const struct log_text *text)
{
    return log_is_tfevents(text->s, text->n);
}

/* ---- values ---------------------------------------------------------------------------------- */

/* Types of tensors: tensorflow/core/framework/types.proto. */
static const struct {
    int32_t number;
    enum tw_dtype type;
} types[] = { { 1, TW_F32 }, { 2, TW_F64 },   { 3, TW_I32 },
              { 9, TW_I64 }, { 14, TW_BF16 }, { 19, TW_F16 } };

static bool of_content(const Tw__Tf__Tensor *t, double *y)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        struct tw_array a = { .dtype = types[i].type, .n = 1, .data = t->tensor_content.data };

        if (types[i].number == t->dtype && t->tensor_content.len == tw_dtype_size(types[i].type)) {
            double aligned = 0.0;

            memcpy(&aligned, t->tensor_content.data, t->tensor_content.len);
            a.data = &aligned;
            *y = tw_array_real(&a, 0);
            return true;
        }
    }
    return false;
}

/* One number; false: something else, such as a picture or a histogram. */
static bool scalar(const Tw__Tf__Value *v, double *y)
{
    const Tw__Tf__Tensor *t = v->tensor;

    if (v->has_simple_value)
        *y = (double)v->simple_value;
    else if (!t)
        return false;
    else if (t->n_float_val == 1)
        *y = (double)t->float_val[0];
    else if (t->n_double_val == 1)
        *y = t->double_val[0];
    else if (t->n_int_val == 1)
        *y = t->int_val[0];
    else if (t->n_int64_val == 1)
        *y = (double)t->int64_val[0];
    else
        return of_content(t, y);
    return true;
}

/* Keras writes logs/train and logs/validation with the same tags. */
struct place {
    char *part; /* "validation/", or "" */
    size_t scalars, others, records;
};

static enum tw_status take_event(struct log_table *t, const struct tw_bytes *b, struct place *at,
                                 struct tw_err *err)
{
    Tw__Tf__Event *e;
    enum tw_status rc = onnx_scan(&tw__tf__event__descriptor, b, err);
    bool row = false;

    if (rc != TW_OK)
        return rc;
    e = tw__tf__event__unpack(NULL, b->n, b->p);
    if (!e)
        return tw_err_set(err, TW_EFORMAT, "it cannot be parsed, or memory is too little");
    for (size_t i = 0; rc == TW_OK && e->summary && i < e->summary->n_value; i++) {
        const Tw__Tf__Value *v = e->summary->value[i];
        struct tw_str name = { 0 };
        double y;

        if (!v->tag || !*v->tag || !scalar(v, &y)) {
            at->others++;
            continue;
        }
        if (!row) {
            log_table_row(t);
            rc = log_table_put_at(t, 0, (double)e->step, err);
        }
        row = true;
        tw_str_addf(&name, "%s%s", at->part, v->tag);
        if (rc == TW_OK && name.failed)
            rc = log_out_of_memory(err);
        /* A tag called "step" would run into the abscissa. */
        if (rc == TW_OK && strcmp(name.s, "step") != 0)
            rc = log_table_put(t, name.s, name.n, y, err);
        tw_str_release(&name);
        at->scalars++;
    }
    tw__tf__event__free_unpacked(e, NULL);
    return rc;
}

/* ---- names -------------------------------------------------------------------------------------
 */

static bool is_part(const char *s, size_t n)
{
    static const char *const parts[] = { "train", "validation", "val", "valid", "eval", "test" };

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (strlen(parts[i]) == n && !strncmp(s, parts[i], n))
            return true;
    return false;
}

/* Event files have names of dates and machines: the folder's is the run's, and if that is a part
 * of the data, the one above it. */
static enum tw_status name_run(struct log_table *t, struct place *at, struct tw_err *err)
{
    const char *path = t->log->path, *end = strrchr(path, '/'), *start = end;
    struct tw_log_run *run = &t->log->runs[0];
    char *name;

    while (end && start > path && start[-1] != '/')
        start--;
    if (end && is_part(start, (size_t)(end - start))) {
        at->part = tw_strndup(start, (size_t)(end - start) + 1);
        for (end = start > path ? start - 1 : NULL, start = end; end && start > path;)
            if (*--start == '/') {
                start++;
                break;
            }
    } else {
        at->part = tw_strdup("");
    }
    if (!at->part)
        return log_out_of_memory(err);
    if (!end || start == end || *start == '.' || !strstr(path, "tfevents"))
        return TW_OK;
    name = tw_strndup(start, (size_t)(end - start));
    if (!name)
        return log_out_of_memory(err);
    free(run->name);
    run->name = name;
    return TW_OK;
}

/* ---- records -----------------------------------------------------------------------------------
 */

static enum tw_status records(struct log_table *t, const struct log_text *text, struct place *at,
                              struct tw_err *err)
{
    const unsigned char *p = (const unsigned char *)text->s;
    struct crc c;
    size_t i = 0;

    crc_init(&c);
    while (i < text->n) {
        const size_t left = text->n - i;
        const bool good = left >= HEAD && checks(&c, p + i, 8, p + i + 8);
        struct tw_bytes b;
        enum tw_status rc;

        if (left < HEAD + TAIL || (good && length_at(p + i) > left - HEAD - TAIL))
            break; /* still being written, or cut short */
        if (!good || length_at(p + i) >= MAX_RECORD)
            return tw_err_set(err, TW_EFORMAT,
                              "the record at byte %zu is damaged (its checksum differs); copy the "
                              "file again",
                              i);
        b.n = (size_t)length_at(p + i);
        b.p = tw_alloc(b.n + 1, 1);
        if (!b.p)
            return log_out_of_memory(err);
        memcpy(b.p, p + i + HEAD, b.n);
        rc = checks(&c, b.p, b.n, p + i + HEAD + b.n)
                 ? take_event(t, &b, at, err)
                 : tw_err_set(err, TW_EFORMAT, "its checksum differs; copy the file again");
        free(b.p);
        if (rc != TW_OK)
            return tw_err_ctx(err, rc, "the record at byte %zu", i);
        at->records++;
        i += HEAD + TAIL + b.n;
    }
    if (i < text->n)
        log_table_note(t, "the last record is cut short; the %zu before it were read", at->records);
    return TW_OK;
}

static enum tw_status read_events(struct log_table *t, const struct log_text *text,
                                  struct tw_err *err)
{
    struct place at = { 0 };
    enum tw_status rc = name_run(t, &at, err);

    t->x_first = true;
    if (rc == TW_OK)
        rc = log_table_add(t, "step", 4, err);
    if (rc == TW_OK)
        rc = records(t, text, &at, err);
    if (rc == TW_OK && at.scalars == 0)
        rc = tw_err_set(err, TW_EFORMAT,
                        "a TensorBoard event file of %zu records without any scalar", at.records);
    if (rc == TW_OK && at.others)
        log_table_note(t, "%zu value%s not one number (pictures, histograms, texts) and left out",
                       at.others, at.others == 1 ? " is" : "s are");
    free(at.part);
    return rc;
}

const struct log_reader log_reader_tfevents = { sniff, read_events };
