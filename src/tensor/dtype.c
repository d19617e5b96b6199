/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The types of array elements, and the two 16-bit reals. */
#include "thalweg/tensor.h"

#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    size_t size;
    bool real;
} types[TW_NDTYPES] = {
    [TW_NONE] = { "none", 0, false },    [TW_F32] = { "float32", 4, true },
    [TW_F64] = { "float64", 8, true },   [TW_F16] = { "float16", 2, true },
    [TW_BF16] = { "bfloat16", 2, true }, [TW_I8] = { "int8", 1, false },
    [TW_I16] = { "int16", 2, false },    [TW_I32] = { "int32", 4, false },
    [TW_I64] = { "int64", 8, false },    [TW_U8] = { "uint8", 1, false },
    [TW_U16] = { "uint16", 2, false },   [TW_U32] = { "uint32", 4, false },
    [TW_U64] = { "uint64", 8, false },   [TW_BOOL] = { "bool", 1, false },
};

size_t tw_dtype_size(enum tw_dtype t)
{
    return (unsigned)t < TW_NDTYPES ? types[t].size : 0;
}

const char *tw_dtype_name(enum tw_dtype t)
{
    return (unsigned)t < TW_NDTYPES ? types[t].name : "unknown";
}

bool tw_dtype_is_real(enum tw_dtype t)
{
    return (unsigned)t < TW_NDTYPES && types[t].real;
}

/* IEEE 754-2008, 3.6: binary16 has 5 bits of exponent (bias 15) and 10 of fraction; binary32 has
 * 8 (bias 127) and 23. bfloat16 is the upper half of binary32. */

static uint32_t bits_of(float x)
{
    uint32_t u;

    memcpy(&u, &x, sizeof u);
    return u;
}

static float float_of(uint32_t u)
{
    float x;

    memcpy(&x, &u, sizeof x);
    return x;
}

float tw_f16_to_f32(uint16_t h)
{
    const uint32_t sign = (uint32_t)(h & 0x8000U) << 16;
    const uint32_t exponent = (h >> 10) & 0x1fU, fraction = h & 0x3ffU;

    if (exponent == 0) { /* zero and subnormal numbers: fraction 2^-24 */
        const float x = ldexpf((float)fraction, -24);

        return sign ? -x : x;
    }
    if (exponent == 0x1f)
        return float_of(sign | 0x7f800000U | fraction << 13);
    return float_of(sign | (exponent + 112) << 23 | fraction << 13);
}

/* u / 2^shift to the nearest integer, ties to the even one. */
static uint32_t shift_round(uint32_t u, unsigned shift)
{
    const uint32_t half = (1U << (shift - 1)) - 1 + ((u >> shift) & 1U);

    return (u + half) >> shift;
}

uint16_t tw_f32_to_f16(float x)
{
    const uint32_t u = bits_of(x), sign = (u >> 16) & 0x8000U, a = u & 0x7fffffffU;
    uint32_t h;

    if (a > 0x7f800000U) /* the quiet bit, so that the fraction is not 0 */
        h = 0x7e00U | (a >> 13 & 0x3ffU);
    else if (a >= 0x477ff000U) /* 65520 and more rounds to infinity */
        h = 0x7c00U;
    else if (a >= 0x38800000U) /* 2^-14 and more is normal */
        h = shift_round(a - (112U << 23), 13);
    else if (a >= 0x33000000U) /* 2^-25 and more may round to a subnormal number */
        h = shift_round((a & 0x7fffffU) | 0x800000U, 126 - (a >> 23));
    else
        h = 0;
    return (uint16_t)(sign | h);
}

float tw_bf16_to_f32(uint16_t h)
{
    return float_of((uint32_t)h << 16);
}

uint16_t tw_f32_to_bf16(float x)
{
    const uint32_t u = bits_of(x);

    if ((u & 0x7fffffffU) > 0x7f800000U)
        return (uint16_t)(u >> 16 | 0x40U);
    return (uint16_t)shift_round(u, 16);
}
