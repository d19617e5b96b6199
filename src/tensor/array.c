/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arrays that own their data; elements of any type as doubles and integers. */
#include "thalweg/tensor.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- making and freeing ---------------------------------------------------------------------- */

enum { ALIGN = 64 };

/* Number of elements; false if the bytes overflow. An extent of 0 does not hide the others. */
static bool count(enum tw_dtype t, int rank, const size_t *dims, size_t *n)
{
    const size_t most = (PTRDIFF_MAX - ALIGN) / tw_dtype_size(t);
    size_t product = 1;

    *n = 1;
    for (int i = 0; i < rank; i++) {
        *n *= dims[i] ? 1 : 0;
        if (dims[i] == 0)
            continue;
        if (dims[i] > most / product)
            return false;
        product *= dims[i];
    }
    *n *= product;
    return true;
}

enum tw_status tw_array_make(struct tw_array *a, enum tw_dtype t, int rank, const size_t *dims,
                             struct tw_err *err)
{
    struct tw_array made = { .dtype = t, .rank = rank };
    size_t bytes;

    memset(a, 0, sizeof *a);
    if (rank < 0 || rank > TW_MAX_RANK)
        return tw_err_set(err, TW_EINVAL, "an array has 0 to %d dimensions, not %d", TW_MAX_RANK,
                          rank);
    if (tw_dtype_size(t) == 0)
        return tw_err_set(err, TW_EINVAL, "an array needs an element type");
    if (!count(t, rank, dims, &made.n)) {
        struct tw_str s = { 0 };

        tw_array_describe(t, rank, dims, &s);
        (void)tw_err_set(err, TW_ENOMEM, "an array %s is larger than the address space",
                         s.s ? s.s : "");
        tw_str_release(&s);
        return TW_ENOMEM;
    }
    for (int i = 0; i < rank; i++)
        made.dims[i] = dims[i];
    bytes = (made.n * tw_dtype_size(t) / ALIGN + 1) * ALIGN;
    made.data = tw_alloc_aligned(bytes);
    if (!made.data)
        return tw_err_set(err, TW_ENOMEM, "out of memory for an array of %zu bytes", bytes);
    memset(made.data, 0, bytes);
    *a = made;
    return TW_OK;
}

void tw_array_release(struct tw_array *a)
{
    free(a->data);
    memset(a, 0, sizeof *a);
}

enum tw_status tw_array_copy(struct tw_array *to, const struct tw_array *from, struct tw_err *err)
{
    enum tw_status rc;

    if (from->dtype == TW_NONE) {
        memset(to, 0, sizeof *to);
        return TW_OK;
    }
    rc = tw_array_make(to, from->dtype, from->rank, from->dims, err);
    if (rc == TW_OK)
        memcpy(to->data, from->data, from->n * tw_dtype_size(from->dtype));
    return rc;
}

bool tw_array_same_shape(const struct tw_array *a, const struct tw_array *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

void tw_array_describe(enum tw_dtype t, int rank, const size_t *dims, struct tw_str *s)
{
    tw_str_addf(s, "%s[", tw_dtype_name(t));
    for (int i = 0; i < rank; i++)
        tw_str_addf(s, i ? ",%zu" : "%zu", dims[i]);
    tw_str_add(s, "]");
}

/* ---- elements -------------------------------------------------------------------------------- */

/* A double rounded to float "to odd": truncated, and the last bit set if anything was cut off.
 * Rounding that to fewer bits is as good as rounding the double (Boldo, Melquiond, "Emulation of
 * FMA and correctly rounded sums", IEEE Trans. Comput. 57 (2008), theorem 1). */
static float to_odd(double x)
{
    float f = (float)x;
    uint32_t u;

    if (isnan(x) || (double)f == x)
        return f;
    memcpy(&u, &f, sizeof u);
    if (fabs((double)f) > fabs(x))
        u--;
    u |= 1U;
    memcpy(&f, &u, sizeof f);
    return f;
}

/* The same for an integer and a double: the result rounds to the right float, whatever kind. */
static double integer_to_odd(int64_t x, bool is_unsigned)
{
    const bool negative = !is_unsigned && x < 0;
    uint64_t m = negative ? 0U - (uint64_t)x : (uint64_t)x;

    if (m >> 53)
        m = (m & ~(uint64_t)0x7ff) | ((m & 0x7ff) ? 0x800U : 0U);
    return negative ? -(double)m : (double)m;
}

/* Towards zero, saturating; NaN gives 0. lo and hi + 1 are exact doubles. */
static int64_t saturate(double x, double lo, double hi1, int64_t least, int64_t most)
{
    if (isnan(x))
        return 0;
    return x <= lo ? least : x >= hi1 ? most : (int64_t)x;
}

static uint64_t saturate_u64(double x)
{
    return !(x > 0.0) ? 0 : x >= 0x1p64 ? UINT64_MAX : (uint64_t)x;
}

#define AT(type, a, i)  (((type *)(a)->data)[i])
#define GET(type, a, i) (((const type *)(a)->data)[i])

double tw_array_real(const struct tw_array *a, size_t i)
{
    switch (a->dtype) {
    case TW_F32:
        return (double)GET(float, a, i);
    case TW_F64:
        return GET(double, a, i);
    case TW_F16:
        return (double)tw_f16_to_f32(GET(uint16_t, a, i));
    case TW_BF16:
        return (double)tw_bf16_to_f32(GET(uint16_t, a, i));
    case TW_U64:
        return (double)GET(uint64_t, a, i);
    default:
        return (double)tw_array_int(a, i);
    }
}

int64_t tw_array_int(const struct tw_array *a, size_t i)
{
    switch (a->dtype) {
    case TW_I8:
        return GET(int8_t, a, i);
    case TW_I16:
        return GET(int16_t, a, i);
    case TW_I32:
        return GET(int32_t, a, i);
    case TW_I64:
        return GET(int64_t, a, i);
    case TW_U8:
        return GET(uint8_t, a, i);
    case TW_U16:
        return GET(uint16_t, a, i);
    case TW_U32:
        return GET(uint32_t, a, i);
    case TW_U64:
        return (int64_t)GET(uint64_t, a, i);
    case TW_BOOL:
        return GET(uint8_t, a, i) != 0;
    case TW_NONE:
        return 0;
    default:
        return saturate(tw_array_real(a, i), -0x1p63, 0x1p63, INT64_MIN, INT64_MAX);
    }
}

void tw_array_set_real(struct tw_array *a, size_t i, double x)
{
    switch (a->dtype) {
    case TW_F32:
        AT(float, a, i) = (float)x;
        break;
    case TW_F64:
        AT(double, a, i) = x;
        break;
    case TW_F16:
        AT(uint16_t, a, i) = tw_f32_to_f16(to_odd(x));
        break;
    case TW_BF16:
        AT(uint16_t, a, i) = tw_f32_to_bf16(to_odd(x));
        break;
    case TW_I8:
        AT(int8_t, a, i) = (int8_t)saturate(x, -0x1p7, 0x1p7, INT8_MIN, INT8_MAX);
        break;
    case TW_I16:
        AT(int16_t, a, i) = (int16_t)saturate(x, -0x1p15, 0x1p15, INT16_MIN, INT16_MAX);
        break;
    case TW_I32:
        AT(int32_t, a, i) = (int32_t)saturate(x, -0x1p31, 0x1p31, INT32_MIN, INT32_MAX);
        break;
    case TW_I64:
        AT(int64_t, a, i) = saturate(x, -0x1p63, 0x1p63, INT64_MIN, INT64_MAX);
        break;
    case TW_U8:
        AT(uint8_t, a, i) = (uint8_t)saturate(x, 0.0, 0x1p8, 0, UINT8_MAX);
        break;
    case TW_U16:
        AT(uint16_t, a, i) = (uint16_t)saturate(x, 0.0, 0x1p16, 0, UINT16_MAX);
        break;
    case TW_U32:
        AT(uint32_t, a, i) = (uint32_t)saturate(x, 0.0, 0x1p32, 0, UINT32_MAX);
        break;
    case TW_U64:
        AT(uint64_t, a, i) = saturate_u64(x);
        break;
    case TW_BOOL:
        AT(uint8_t, a, i) = x != 0.0;
        break;
    default:
        break;
    }
}

/* An integer that is signed, or (a 64-bit pattern) unsigned. */
static void set_integer(struct tw_array *a, size_t i, int64_t x, bool is_unsigned)
{
    switch (a->dtype) {
    case TW_I8:
    case TW_U8:
        AT(uint8_t, a, i) = (uint8_t)x;
        break;
    case TW_I16:
    case TW_U16:
        AT(uint16_t, a, i) = (uint16_t)x;
        break;
    case TW_I32:
    case TW_U32:
        AT(uint32_t, a, i) = (uint32_t)x;
        break;
    case TW_I64:
    case TW_U64:
        AT(uint64_t, a, i) = (uint64_t)x;
        break;
    case TW_BOOL:
        AT(uint8_t, a, i) = x != 0;
        break;
    case TW_F64:
        AT(double, a, i) = is_unsigned ? (double)(uint64_t)x : (double)x;
        break;
    default:
        tw_array_set_real(a, i, integer_to_odd(x, is_unsigned));
        break;
    }
}

void tw_array_set_int(struct tw_array *a, size_t i, int64_t x)
{
    set_integer(a, i, x, false);
}

enum tw_status tw_array_convert(struct tw_array *to, enum tw_dtype t, const struct tw_array *from,
                                struct tw_err *err)
{
    enum tw_status rc;

    if (t == from->dtype)
        return tw_array_copy(to, from, err);
    rc = tw_array_make(to, t, from->rank, from->dims, err);
    if (rc != TW_OK)
        return rc;
    if (tw_dtype_is_real(from->dtype))
        for (size_t i = 0; i < to->n; i++)
            tw_array_set_real(to, i, tw_array_real(from, i));
    else
        for (size_t i = 0; i < to->n; i++)
            set_integer(to, i, tw_array_int(from, i), from->dtype == TW_U64);
    return TW_OK;
}
