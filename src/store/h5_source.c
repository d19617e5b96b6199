/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "h5_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static herr_t no_memory(struct tw_err *err)
{
    (void)tw_err_set(err, TW_ENOMEM, "out of memory");
    return -1;
}

static enum tw_h5_values class_of(hid_t type, size_t size)
{
    switch (H5Tget_class(type)) {
    case H5T_FLOAT:
        return TW_H5_REALS;
    case H5T_INTEGER:
        if (H5Tget_sign(type) != H5T_SGN_NONE)
            return TW_H5_INTS;
        return size == 1 ? TW_H5_BYTES : TW_H5_UINTS;
    case H5T_STRING:
        return TW_H5_TEXTS;
    default:
        return TW_H5_NONE;
    }
}

static herr_t read_as(const struct tw_h5_source *s, hid_t type, void *to)
{
    return s->attribute ? H5Aread(s->object, type, to)
                        : H5Dread(s->object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, to);
}

/* Why HDF5 failed goes to s->why; when memory is short, the walk ends. */
static herr_t not_read(struct tw_h5_source *s, struct tw_err *err)
{
    struct tw_err why = { 0 };

    if (tw_h5_fail(&why, TW_EFORMAT, "%s", "damaged") == TW_ENOMEM)
        return no_memory(err);
    (void)snprintf(s->buf, sizeof s->buf, "%.*s", (int)sizeof s->buf - 1, why.msg);
    s->why = s->buf;
    return 0;
}

static herr_t read_texts(struct tw_h5_source *s, struct tw_err *err)
{
    bool variable = H5Tis_variable_str(s->type) > 0;
    size_t n = (size_t)s->head.n, size = variable ? sizeof(char *) : (size_t)s->head.size;
    char *all = tw_alloc(n, size);

    if (!all)
        return no_memory(err);
    if (n > 0 && read_as(s, s->type, all) < 0) {
        free(all);
        return not_read(s, err);
    }
    for (size_t i = 0; i < n; i++) {
        const char *p = all + i * size;

        if (variable)
            memcpy(&p, all + i * size, sizeof p); /* an empty text is stored as none */
        if (p)
            tw_str_addn(&s->text, p, variable ? strlen(p) : strnlen(p, size));
        tw_str_addn(&s->text, "", 1);
    }
    if (variable && n > 0)
        (void)H5Dvlen_reclaim(s->type, s->space, H5P_DEFAULT, all);
    free(all);
    if (s->text.failed)
        return no_memory(err);
    s->head.values = TW_H5_TEXTS;
    s->head.ndata = s->text.n;
    return 0;
}

static herr_t read_numbers(struct tw_h5_source *s, struct tw_err *err)
{
    const enum tw_h5_values class = (s->q->scope == TW_H5_ARRAYS || s->q->scope == TW_H5_RUN) &&
                                            s->head.class == TW_H5_REALS &&
                                            s->head.size <= sizeof(float)
                                        ? TW_H5_FLOATS
                                        : (enum tw_h5_values)s->head.class;
    const size_t size = class == TW_H5_BYTES    ? 1
                        : class == TW_H5_FLOATS ? sizeof(float)
                                                : sizeof(double);
    const hid_t type = class == TW_H5_REALS    ? H5T_NATIVE_DOUBLE
                       : class == TW_H5_FLOATS ? H5T_NATIVE_FLOAT
                       : class == TW_H5_INTS   ? H5T_NATIVE_INT64
                       : class == TW_H5_BYTES  ? H5T_NATIVE_UINT8
                                               : H5T_NATIVE_UINT64;

    s->data = tw_alloc((size_t)s->head.n, size);
    if (!s->data)
        return no_memory(err);
    if (s->head.n > 0 && read_as(s, type, s->data) < 0)
        return not_read(s, err);
    s->head.values = class;
    s->head.ndata = s->head.n * size;
    return 0;
}

/* What holds the numbers of a type without loss; TW_NONE: it has none, or wider ones. */
static enum tw_dtype element_of(hid_t type)
{
    static const enum tw_dtype ints[] = { TW_I8,   TW_I16,  TW_NONE, TW_I32,
                                          TW_NONE, TW_NONE, TW_NONE, TW_I64 },
                               uints[] = { TW_U8,   TW_U16,  TW_NONE, TW_U32,
                                           TW_NONE, TW_NONE, TW_NONE, TW_U64 };
    const size_t size = H5Tget_size(type);
    size_t sign, exponent, esize, mantissa, msize;

    switch (H5Tget_class(type)) {
    case H5T_FLOAT:
        if (size == 2 && H5Tget_fields(type, &sign, &exponent, &esize, &mantissa, &msize) >= 0)
            return esize == 5 && msize == 10 ? TW_F16 : esize == 8 && msize == 7 ? TW_BF16 : TW_F32;
        return size <= sizeof(float) ? TW_F32 : TW_F64;
    case H5T_INTEGER:
        if (size == 0 || size > 8)
            return TW_NONE;
        return H5Tget_sign(type) == H5T_SGN_NONE ? uints[size - 1] : ints[size - 1];
    case H5T_ENUM:
        return tw_h5_is_bool(type) ? TW_BOOL : TW_I64;
    default:
        return TW_NONE;
    }
}

/* Its bytes are those of `element` already, one after another. */
static bool is_plain(const struct tw_h5_source *s)
{
    const hid_t as = tw_h5_element_type((enum tw_dtype)s->head.element);
    const bool same = as >= 0 && (s->head.element == TW_BOOL || H5Tequal(s->type, as) > 0);

    tw_h5_close(as);
    return same;
}

/* Shape and place; false if they cannot be told. */
static bool measure(struct tw_h5_source *s)
{
    int rank = H5Sget_simple_extent_dims(s->space, s->dims, NULL);
    hssize_t n = H5Sget_simple_extent_npoints(s->space);
    haddr_t at = s->attribute ? HADDR_UNDEF : H5Dget_offset(s->object);

    if (rank < 0 || rank > TW_H5_MAX_RANK || n < 0)
        return false;
    s->head.empty = H5Sget_simple_extent_type(s->space) == H5S_NULL;
    s->head.rank = (uint32_t)rank;
    s->head.n = s->head.empty ? 0 : (uint64_t)n;
    if (at != HADDR_UNDEF && s->head.element != TW_NONE && is_plain(s)) {
        s->head.plain = 1;
        s->head.offset = at;
    }
    if (at != HADDR_UNDEF &&
        (H5Tequal(s->type, H5T_IEEE_F64LE) > 0 || H5Tequal(s->type, H5T_IEEE_F32LE) > 0 ||
         H5Tequal(s->type, H5T_STD_U8LE) > 0 ||
         (s->head.class == TW_H5_TEXTS && H5Tis_variable_str(s->type) <= 0))) {
        s->head.in_one_piece = 1;
        s->head.offset = at;
    }
    return true;
}

static herr_t read_raw(struct tw_h5_source *s, struct tw_err *err)
{
    const size_t size = tw_dtype_size((enum tw_dtype)s->head.element);
    const hid_t as = s->head.element == TW_BOOL
                         ? H5Tcopy(H5T_NATIVE_UINT8)
                         : tw_h5_element_type((enum tw_dtype)s->head.element);
    herr_t rc = 0;

    s->data = tw_alloc((size_t)s->head.n, size);
    if (!s->data || as < 0)
        rc = no_memory(err);
    else if (s->head.n > 0 && read_as(s, as, s->data) < 0)
        rc = not_read(s, err);
    tw_h5_close(as);
    if (rc == 0 && !s->why) {
        s->head.values = TW_H5_RAW;
        s->head.ndata = s->head.n * size;
    }
    return rc;
}

herr_t tw_h5_source_read(struct tw_h5_source *s, const char *path, bool all, struct tw_err *err)
{
    /* Keras lists the names of its layers in attributes. Checkpoints may be large: those who want
     * one ask for it (TW_H5_RUN). */
    const bool list = s->q->scope == TW_H5_ARRAYS && s->head.class == TW_H5_TEXTS;
    const bool few = (s->attribute && !list) || (!s->attribute && !all) ||
                     (s->q->scope == TW_H5_RESULT && !strncmp(path, "/runs/", 6));

    if (s->q->scope == TW_H5_ONE)
        return s->head.element == TW_NONE || s->head.empty ? 0 : read_raw(s, err);
    if (s->head.class == TW_H5_NONE || s->head.empty)
        return 0;
    if (few && (s->head.n > TW_H5_FEW || s->head.size > TW_H5_FEW_BYTES))
        return 0;
    return s->head.class == TW_H5_TEXTS ? read_texts(s, err) : read_numbers(s, err);
}

void tw_h5_source_open(struct tw_h5_source *s, hid_t object, bool attribute,
                       const struct tw_h5_request *q)
{
    *s = (struct tw_h5_source){
        .object = object, .type = -1, .space = -1, .q = q, .attribute = attribute
    };
    s->head.kind = attribute ? TW_H5_ATTR : TW_H5_SET;
    s->type = attribute ? H5Aget_type(object) : H5Dget_type(object);
    s->head.size = s->type < 0 ? 0 : H5Tget_size(s->type);
    s->head.class = s->head.size ? class_of(s->type, (size_t)s->head.size) : TW_H5_NONE;
    if (q->scope == TW_H5_ARRAYS && s->head.size && H5Tget_class(s->type) == H5T_ENUM)
        s->head.class = TW_H5_INTS;
    if (!attribute && s->head.size)
        s->head.element = element_of(s->type);
    s->why = attribute ? NULL : tw_h5_refused(object, q->file_size, s->buf);
    /* Even the shape of a virtual data set asks for other files. */
    if (!s->why)
        s->space = attribute ? H5Aget_space(object) : H5Dget_space(object);
    if (!s->why && (s->head.size == 0 || s->space < 0 || !measure(s)))
        s->why = "its description is damaged";
}

void tw_h5_source_release(struct tw_h5_source *s)
{
    (void)H5Eclear2(H5E_DEFAULT);
    free(s->data);
    tw_str_release(&s->text);
    tw_h5_close(s->space);
    tw_h5_close(s->type);
}
