/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Look over a protobuf message by its description, before protobuf-c unpacks it. The encoding:
 * protobuf.dev/programming-guides/encoding. */
#include <stdlib.h>

#include "onnx.h"

enum { MAX_FIELD = 1000 }; /* ONNX numbers its fields below 30: more is not ONNX */

struct scan {
    const unsigned char *p;
    size_t at, left; /* left: bytes that unpacking may still take */
    struct tw_err *err;
};

static enum tw_status damaged(const struct scan *s, size_t at, const char *what)
{
    return tw_err_set(s->err, TW_EFORMAT,
                      "damaged or cut short: %s at byte %zu; copy the file again, or export it "
                      "again",
                      what, at);
}

/* A number of 7 bits a byte, low ones first. */
static bool varint(struct scan *s, size_t end, uint64_t *x)
{
    *x = 0;
    for (unsigned shift = 0; shift < 64 && s->at < end; shift += 7) {
        unsigned char c = s->p[s->at++];

        *x |= (uint64_t)(c & 0x7f) << shift;
        if (!(c & 0x80))
            return true;
    }
    return false;
}

/* The value of a field behind its tag: its start and length. */
static bool extent(struct scan *s, size_t end, unsigned wire, size_t *start, size_t *n)
{
    uint64_t x = 0;

    *start = s->at;
    switch (wire) {
    case PROTOBUF_C_WIRE_TYPE_VARINT:
        if (!varint(s, end, &x))
            return false;
        *n = s->at - *start;
        return true;
    case PROTOBUF_C_WIRE_TYPE_64BIT:
        x = 8;
        break;
    case PROTOBUF_C_WIRE_TYPE_32BIT:
        x = 4;
        break;
    case PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED:
        if (!varint(s, end, &x))
            return false;
        *start = s->at;
        break;
    default:
        return false;
    }
    if (x > end - s->at)
        return false;
    *n = (size_t)x;
    s->at += (size_t)x;
    return true;
}

/* Count what unpacking takes. */
static enum tw_status take(struct scan *s, size_t n)
{
    if (n > s->left)
        return tw_err_set(s->err, TW_EFORMAT,
                          "not a model: its small parts would take more than 64 MiB and 32 times "
                          "the file's size in memory");
    s->left -= n;
    return TW_OK;
}

static enum tw_status scan(struct scan *s, const ProtobufCMessageDescriptor *m, size_t end)
{
    uint64_t seen = 0; /* fields of this message, by their place in its description */

    if (take(s, m->sizeof_message + 16) != TW_OK)
        return TW_EFORMAT;
    while (s->at < end) {
        const size_t at = s->at;
        const ProtobufCFieldDescriptor *f;
        size_t start, n;
        uint64_t tag;

        if (!varint(s, end, &tag) || tag >> 3 == 0 || tag >> 3 > MAX_FIELD)
            return damaged(s, at, "no field of ONNX");
        if (!extent(s, end, (unsigned)(tag & 7), &start, &n))
            return damaged(s, at, "a field that is longer than what is left");
        f = protobuf_c_message_descriptor_get_field(m, (unsigned)(tag >> 3));
        if (!f || f->type != PROTOBUF_C_TYPE_MESSAGE) {
            if (take(s, n + 48) != TW_OK)
                return TW_EFORMAT;
            continue;
        }
        if ((tag & 7) != PROTOBUF_C_WIRE_TYPE_LENGTH_PREFIXED)
            return damaged(s, at, "a field of another type than ONNX says");
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            const uint64_t bit = UINT64_C(1) << (size_t)(f - m->fields);

            if (seen & bit)
                return damaged(s, at, "a second copy of a part that a model has once");
            seen |= bit;
        }
        s->at = start;
        if (scan(s, f->descriptor, start + n) != TW_OK)
            return TW_EFORMAT;
    }
    return TW_OK;
}

enum tw_status onnx_scan(const ProtobufCMessageDescriptor *message, const struct tw_bytes *b,
                         struct tw_err *err)
{
    struct scan s = { b->p, 0, ((size_t)64 << 20) + (b->n < SIZE_MAX / 64 ? b->n * 32 : b->n),
                      err };

    if (b->n == 0)
        return tw_err_set(err, TW_EFORMAT, "the file is empty");
    if (b->n > INT32_MAX)
        return tw_err_set(err, TW_EFORMAT,
                          "more than 2 GiB, which no protobuf file has; save the weights beside "
                          "the model (external data)");
    return scan(&s, message, b->n);
}
