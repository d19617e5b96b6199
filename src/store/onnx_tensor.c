/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tensors of ONNX: every encoding of their numbers, in the model or in a file beside it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "onnx.h"

enum tw_dtype onnx_dtype(int32_t data_type, const char **name)
{
    /* TensorProto.DataType */
    static const struct {
        const char *name;
        enum tw_dtype type;
    } types[] = {
        { "undefined", TW_NONE },
        { "float", TW_F32 },
        { "uint8", TW_U8 },
        { "int8", TW_I8 },
        { "uint16", TW_U16 },
        { "int16", TW_I16 },
        { "int32", TW_I32 },
        { "int64", TW_I64 },
        { "string", TW_NONE },
        { "bool", TW_BOOL },
        { "float16", TW_F16 },
        { "double", TW_F64 },
        { "uint32", TW_U32 },
        { "uint64", TW_U64 },
        { "complex64", TW_NONE },
        { "complex128", TW_NONE },
        { "bfloat16", TW_BF16 },
        { "float8e4m3fn", TW_NONE },
        { "float8e4m3fnuz", TW_NONE },
        { "float8e5m2", TW_NONE },
        { "float8e5m2fnuz", TW_NONE },
        { "uint4", TW_NONE },
        { "int4", TW_NONE },
        { "float4e2m1", TW_NONE },
    };
    bool known = data_type >= 0 && (size_t)data_type < sizeof types / sizeof types[0];

    if (name)
        *name = known ? types[data_type].name : "unknown";
    return known ? types[data_type].type : TW_NONE;
}

/* ---- shapes ------------------------------------------------------------------------------ */

static enum tw_status shape(const Tw__Onnx__Tensor *t, const char *what, enum tw_dtype *type,
                            size_t dims[TW_MAX_RANK], size_t *n, struct tw_err *err)
{
    const char *name;
    size_t product = 1; /* of the extents that are not 0 */

    *type = onnx_dtype(t->has_data_type ? t->data_type : 0, &name);
    if (*type == TW_NONE)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: its type is %s (number %d), which is not supported; export the "
                          "network with float32 parameters",
                          what, name, t->has_data_type ? (int)t->data_type : 0);
    if (t->n_dims > TW_MAX_RANK)
        return tw_err_set(err, TW_EFORMAT, "%s: %zu dimensions, where %d are the most", what,
                          t->n_dims, (int)TW_MAX_RANK);
    *n = 1;
    for (size_t i = 0; i < t->n_dims; i++) {
        if (t->dims[i] < 0)
            return tw_err_set(err, TW_EFORMAT, "%s: extent %lld in dimension %zu", what,
                              (long long)t->dims[i], i);
        dims[i] = (size_t)t->dims[i];
        /* 16: bytes of the largest element and to spare */
        if (dims[i] && product > SIZE_MAX / 16 / dims[i])
            return tw_err_set(err, TW_EFORMAT, "%s: more elements than any file holds", what);
        product *= dims[i] ? dims[i] : 1;
        *n *= dims[i];
    }
    return TW_OK;
}

static enum tw_status wrong_size(const char *what, const char *field, size_t found, size_t want,
                                 struct tw_err *err)
{
    return tw_err_set(err, TW_EFORMAT,
                      "%s: its shape asks for %zu %s, %zu are stored; export it "
                      "again",
                      what, want, field, found);
}

/* ---- numbers in the message ---------------------------------------------------------------- */

/* How many values of the field that the type is stored in, unless in raw_data. */
static size_t stored(const Tw__Onnx__Tensor *t, enum tw_dtype type)
{
    switch (type) {
    case TW_F32:
        return t->n_float_data;
    case TW_F64:
        return t->n_double_data;
    case TW_I64:
        return t->n_int64_data;
    case TW_U32:
    case TW_U64:
        return t->n_uint64_data;
    default:
        return t->n_int32_data;
    }
}

static void copy_values(const Tw__Onnx__Tensor *t, struct tw_array *a)
{
    const int32_t *small = t->int32_data;

    switch (a->dtype) {
    case TW_F32:
        memcpy(a->data, t->float_data, a->n * sizeof(float));
        break;
    case TW_F64:
        memcpy(a->data, t->double_data, a->n * sizeof(double));
        break;
    case TW_I64:
        memcpy(a->data, t->int64_data, a->n * sizeof(int64_t));
        break;
    case TW_U64:
        memcpy(a->data, t->uint64_data, a->n * sizeof(uint64_t));
        break;
    case TW_U32:
        for (size_t i = 0; i < a->n; i++)
            ((uint32_t *)a->data)[i] = (uint32_t)t->uint64_data[i];
        break;
    case TW_I32:
        memcpy(a->data, small, a->n * sizeof(int32_t));
        break;
    case TW_F16: /* bit patterns */
    case TW_BF16:
    case TW_I16:
    case TW_U16:
        for (size_t i = 0; i < a->n; i++)
            ((uint16_t *)a->data)[i] = (uint16_t)small[i];
        break;
    case TW_BOOL:
        for (size_t i = 0; i < a->n; i++)
            ((uint8_t *)a->data)[i] = small[i] != 0;
        break;
    default:
        for (size_t i = 0; i < a->n; i++)
            ((uint8_t *)a->data)[i] = (uint8_t)small[i];
        break;
    }
}

/* Anything but 0 is true; other bytes would be neither. */
static void settle_bools(struct tw_array *a)
{
    uint8_t *b = a->data;

    for (size_t i = 0; a->dtype == TW_BOOL && i < a->n; i++)
        b[i] = b[i] != 0;
}

/* ---- numbers beside the model --------------------------------------------------------------- */

void onnx_beside_close(struct onnx_beside *e)
{
    if (e->location && e->fd >= 0)
        (void)close(e->fd);
    free(e->location);
    e->location = NULL;
    e->fd = -1;
}

/* Neither an absolute path nor one that leads upwards. */
static bool stays_below(const char *p)
{
    if (*p == '\0' || *p == '/' || strchr(p, '\\'))
        return false;
    while (*p) {
        size_t n = strcspn(p, "/");

        if (n == 2 && p[0] == '.' && p[1] == '.')
            return false;
        p += n + (p[n] == '/');
    }
    return true;
}

static enum tw_status open_beside(struct onnx_beside *e, const char *location, const char *what,
                                  struct tw_err *err)
{
    const char *slash = e->path ? strrchr(e->path, '/') : NULL;
    struct tw_str path = { 0 };
    enum tw_status rc = TW_OK;

    if (e->location && !strcmp(e->location, location))
        return TW_OK;
    onnx_beside_close(e);
    if (!e->path || !stays_below(location))
        return tw_err_set(err, TW_EFORMAT,
                          "%s: its numbers are said to be in '%s'; only files in the model's "
                          "folder are read",
                          what, location);
    if (slash)
        tw_str_addn(&path, e->path, (size_t)(slash - e->path) + 1);
    tw_str_add(&path, location);
    e->location = tw_strdup(location);
    if (path.failed || !e->location)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK && (e->fd = tw_file_open(path.s, &e->size, err)) < 0) {
        rc = tw_err_ctx(err, TW_EIO, "%s: '%s' beside the model", what, location);
        onnx_beside_close(e);
    }
    if (rc == TW_OK)
        /* Tied tensors may share their bytes, but not all of them all of theirs. */
        e->most += ((uint64_t)64 << 20) + (e->size < UINT64_MAX / 16 ? e->size * 4 : 0);
    tw_str_release(&path);
    return rc;
}

static bool whole_number(const char *s, uint64_t *x)
{
    char *end;

    errno = 0;
    *x = strtoull(s, &end, 10);
    return *s >= '0' && *s <= '9' && *end == '\0' && errno == 0;
}

static enum tw_status external(const Tw__Onnx__Tensor *t, const char *what, struct onnx_beside *e,
                               struct tw_array *a, enum tw_dtype type, const size_t *dims,
                               size_t bytes, struct tw_err *err)
{
    uint64_t offset = 0, length = bytes;
    const char *location = NULL;
    enum tw_status rc;

    for (size_t i = 0; i < t->n_external_data; i++) {
        const char *key = t->external_data[i]->key, *value = t->external_data[i]->value;
        bool good = true;

        if (key && value && !strcmp(key, "location"))
            location = value;
        else if (key && value && !strcmp(key, "offset"))
            good = whole_number(value, &offset);
        else if (key && value && !strcmp(key, "length"))
            good = whole_number(value, &length);
        if (!good)
            return tw_err_set(err, TW_EFORMAT, "%s: '%s' is no %s of its numbers in a file", what,
                              value, key);
    }
    if (!location)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: its numbers are in another file, which is not named", what);
    if (length != bytes)
        return wrong_size(what, "bytes", (size_t)length, bytes, err);
    rc = open_beside(e, location, what, err);
    if (rc == TW_OK && (offset > e->size || bytes > e->size - offset))
        rc = tw_err_set(err, TW_EFORMAT,
                        "%s: its %zu bytes at byte %llu of '%s' are not there: the file has %llu; "
                        "copy it again",
                        what, bytes, (unsigned long long)offset, location,
                        (unsigned long long)e->size);
    if (rc == TW_OK && bytes > e->most - e->taken)
        rc = tw_err_set(err, TW_EFORMAT,
                        "%s: the tensors of '%s' take more than four times its size", what,
                        location);
    if (rc == TW_OK)
        rc = tw_array_make(a, type, (int)t->n_dims, dims, err);
    if (rc == TW_OK) {
        e->taken += bytes;
        rc = tw_file_read(e->fd, offset, a->data, bytes, err);
    }
    return rc;
}

/* ---- all ------------------------------------------------------------------------------------ */

enum tw_status onnx_tensor(const Tw__Onnx__Tensor *t, const char *what, struct onnx_beside *e,
                           struct tw_array *a, struct tw_err *err)
{
    size_t dims[TW_MAX_RANK] = { 0 }, n = 0, bytes;
    enum tw_dtype type;
    enum tw_status rc = shape(t, what, &type, dims, &n, err);

    *a = (struct tw_array){ 0 };
    if (rc != TW_OK)
        return rc;
    bytes = n * tw_dtype_size(type);
    if (t->has_data_location && t->data_location == 1) {
        rc = external(t, what, e, a, type, dims, bytes, err);
    } else if (t->has_raw_data) {
        if (t->raw_data.len != bytes)
            return wrong_size(what, "bytes", t->raw_data.len, bytes, err);
        rc = tw_array_make(a, type, (int)t->n_dims, dims, err);
        if (rc == TW_OK && bytes > 0)
            memcpy(a->data, t->raw_data.data, bytes);
    } else {
        if (stored(t, type) != n)
            return wrong_size(what, "numbers", stored(t, type), n, err);
        rc = tw_array_make(a, type, (int)t->n_dims, dims, err);
        if (rc == TW_OK && n > 0)
            copy_values(t, a);
    }
    if (rc == TW_OK)
        settle_bools(a);
    else
        tw_array_release(a);
    return rc;
}
