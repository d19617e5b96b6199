/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Arrays, their conversions, and lists of named arrays. */
#include "num.h"
#include "thalweg/tensor.h"

#include <stdio.h>

/* ---- the 16-bit reals ------------------------------------------------------------------------ */

/* The value of a finite pattern with the given widths, from the definition (IEEE 754, 3.4). */
static double value_of(unsigned h, int exponent_bits, int fraction_bits)
{
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int e = (int)(h >> fraction_bits) & ((1 << exponent_bits) - 1);
    const double f = ldexp(h & ((1U << fraction_bits) - 1), -fraction_bits);
    const double x = e == 0 ? ldexp(f, 1 - bias) : ldexp(1.0 + f, e - bias);

    return h & 0x8000U ? -x : x;
}

static void all_halves_have_the_value_of_their_definition(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        const float f = tw_f16_to_f32((uint16_t)h), b = tw_bf16_to_f32((uint16_t)h);

        if ((h & 0x7c00) == 0x7c00) {
            assert_true(h & 0x3ff ? isnan(f) : isinf(f));
            assert_int_equal(signbit(f) != 0, h >> 15);
        } else {
            check_ulp((double)f, value_of(h, 5, 10), 0);
        }
        if ((h & 0x7f80) == 0x7f80)
            assert_true(h & 0x7f ? isnan(b) : isinf(b));
        else
            check_ulp((double)b, value_of(h, 8, 7), 0);
    }
}

static void all_halves_survive_the_way_to_float_and_back(void **state)
{
    (void)state;
    for (unsigned h = 0; h < 65536; h++) {
        const unsigned f = tw_f32_to_f16(tw_f16_to_f32((uint16_t)h));
        const unsigned b = tw_f32_to_bf16(tw_bf16_to_f32((uint16_t)h));

        /* a signalling NaN may become a quiet one */
        if ((h & 0x7c00) == 0x7c00 && (h & 0x3ff))
            assert_int_equal(f, h | 0x200);
        else
            assert_int_equal(f, h);
        if ((h & 0x7f80) == 0x7f80 && (h & 0x7f))
            assert_int_equal(b, h | 0x40);
        else
            assert_int_equal(b, h);
    }
}

/* Between neighbours lo and hi (patterns k and k + 1): the middle goes to the even one, anything
 * beside it to the nearer, as a float and as a double a hair away from the middle. */
static void check_between(enum tw_dtype t, unsigned k, double lo, double hi, double first_infinite)
{
    const double middle = lo / 2 + (isinf(hi) ? first_infinite : hi) / 2;
    const double at[] = { middle, nextafter(middle, 0.0), nextafter(middle, INFINITY),
                          (double)nextafterf((float)middle, 0.0F),
                          (double)nextafterf((float)middle, INFINITY) };
    const unsigned want[] = { k + (k & 1), k, k + 1, k, k + 1 };
    struct tw_array x;
    size_t one = 1;

    assert_int_equal(tw_array_make(&x, t, 1, &one, NULL), TW_OK);
    for (size_t i = 0; i < 5; i++)
        for (unsigned sign = 0; sign < 2; sign++) {
            tw_array_set_real(&x, 0, sign ? -at[i] : at[i]);
            assert_int_equal(*(uint16_t *)x.data, want[i] | sign << 15);
            if (i == 1 || i == 2)
                continue; /* not floats */
            assert_int_equal(t == TW_F16 ? tw_f32_to_f16((float)(sign ? -at[i] : at[i]))
                                         : tw_f32_to_bf16((float)(sign ? -at[i] : at[i])),
                             want[i] | sign << 15);
        }
    tw_array_release(&x);
}

static void halves_round_to_the_nearest_and_ties_to_the_even_one(void **state)
{
    (void)state;
    for (unsigned k = 0; k < 0x7c00; k++)
        check_between(TW_F16, k, value_of(k, 5, 10),
                      k + 1 == 0x7c00 ? (double)INFINITY : value_of(k + 1, 5, 10), 65536.0);
    for (unsigned k = 0; k < 0x7f80; k++)
        check_between(TW_BF16, k, value_of(k, 8, 7),
                      k + 1 == 0x7f80 ? (double)INFINITY : value_of(k + 1, 8, 7), 0x1p128);
}

/* ---- arrays ---------------------------------------------------------------------------------- */

static struct tw_array vector(enum tw_dtype t, size_t n, const double *x)
{
    struct tw_array a;

    assert_int_equal(tw_array_make(&a, t, 1, &n, NULL), TW_OK);
    for (size_t i = 0; i < n; i++)
        tw_array_set_real(&a, i, x[i]);
    return a;
}

static void an_array_is_zero_aligned_and_counted(void **state)
{
    static const size_t dims[] = { 3, 0, 5 };

    (void)state;
    for (enum tw_dtype t = TW_F32; t < TW_NDTYPES; t++) {
        struct tw_array a;

        assert_int_equal(tw_array_make(&a, t, 3, (const size_t[]){ 3, 4, 5 }, NULL), TW_OK);
        assert_int_equal(a.n, 60);
        assert_int_equal((uintptr_t)a.data % 64, 0);
        for (size_t i = 0; i < a.n; i++)
            assert_true(tw_array_real(&a, i) == 0.0 && tw_array_int(&a, i) == 0);
        tw_array_set_int(&a, 59, 1);
        assert_true(tw_array_real(&a, 59) == 1.0 && tw_array_int(&a, 59) == 1);
        tw_array_release(&a);
        assert_null(a.data);
        assert_int_equal(tw_array_make(&a, t, 0, NULL, NULL), TW_OK);
        assert_int_equal(a.n, 1);
        tw_array_release(&a);
        assert_int_equal(tw_array_make(&a, t, 3, dims, NULL), TW_OK);
        assert_int_equal(a.n, 0);
        tw_array_release(&a);
    }
}

static void impossible_arrays_are_refused(void **state)
{
    static const size_t big[] = { SIZE_MAX / 2, 3 }, hidden[] = { SIZE_MAX, 0, SIZE_MAX };
    struct tw_err err = { 0 };
    struct tw_array a;

    (void)state;
    assert_int_equal(tw_array_make(&a, TW_F32, 2, big, &err), TW_ENOMEM);
    assert_non_null(strstr(err.msg, "float32["));
    assert_null(a.data);
    assert_int_equal(tw_array_make(&a, TW_U8, 3, hidden, NULL), TW_ENOMEM);
    assert_int_equal(tw_array_make(&a, TW_F32, 9, big, NULL), TW_EINVAL);
    assert_int_equal(tw_array_make(&a, TW_F32, -1, big, NULL), TW_EINVAL);
    assert_int_equal(tw_array_make(&a, TW_NONE, 0, NULL, NULL), TW_EINVAL);
    assert_int_equal(tw_array_make(&a, TW_NDTYPES, 0, NULL, NULL), TW_EINVAL);
}

static void reals_saturate_on_the_way_to_integers(void **state)
{
    static const double x[] = { 1e300, -1e300, NAN, 2.9, -2.9, INFINITY, -INFINITY, 200.0 };
    static const struct {
        enum tw_dtype t;
        int64_t least, most, at_200;
    } want[] = {
        { TW_I8, INT8_MIN, INT8_MAX, 127 },    { TW_I16, INT16_MIN, INT16_MAX, 200 },
        { TW_I32, INT32_MIN, INT32_MAX, 200 }, { TW_I64, INT64_MIN, INT64_MAX, 200 },
        { TW_U8, 0, UINT8_MAX, 200 },          { TW_U16, 0, UINT16_MAX, 200 },
        { TW_U32, 0, UINT32_MAX, 200 },        { TW_U64, 0, -1, 200 },
    };
    struct tw_array a = vector(TW_F64, 8, x), b;

    (void)state;
    for (size_t k = 0; k < 8; k++) {
        const bool positive = want[k].least == 0;

        assert_int_equal(tw_array_convert(&b, want[k].t, &a, NULL), TW_OK);
        assert_true(tw_array_int(&b, 0) == want[k].most);
        assert_true(tw_array_int(&b, 1) == want[k].least);
        assert_true(tw_array_int(&b, 2) == 0);
        assert_true(tw_array_int(&b, 3) == 2);
        assert_true(tw_array_int(&b, 4) == (positive ? 0 : -2));
        assert_true(tw_array_int(&b, 5) == want[k].most);
        assert_true(tw_array_int(&b, 6) == want[k].least);
        assert_true(tw_array_int(&b, 7) == want[k].at_200);
        tw_array_release(&b);
    }
    assert_int_equal(tw_array_convert(&b, TW_BOOL, &a, NULL), TW_OK);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(tw_array_int(&b, i), 1); /* NaN is not equal to 0 either */
    tw_array_release(&b);
    tw_array_release(&a);
}

static void integers_wrap_and_round_once(void **state)
{
    static const size_t n = 4;
    struct tw_array a, b;

    (void)state;
    assert_int_equal(tw_array_make(&a, TW_I64, 1, &n, NULL), TW_OK);
    tw_array_set_int(&a, 0, 300);
    tw_array_set_int(&a, 1, -1);
    /* 2^60 + 2^36 + 1: beyond the middle of two floats, which a double does not see */
    tw_array_set_int(&a, 2, (INT64_C(1) << 60) + (INT64_C(1) << 36) + 1);
    tw_array_set_int(&a, 3, INT64_MIN);
    assert_int_equal(tw_array_convert(&b, TW_U8, &a, NULL), TW_OK);
    assert_int_equal(tw_array_int(&b, 0), 44);
    assert_int_equal(tw_array_int(&b, 1), 255);
    tw_array_release(&b);
    assert_int_equal(tw_array_convert(&b, TW_F32, &a, NULL), TW_OK);
    assert_true(tw_array_real(&b, 2) == 0x1p60 + 0x1p37);
    assert_true(tw_array_real(&b, 3) == -0x1p63);
    tw_array_release(&b);
    assert_int_equal(tw_array_convert(&b, TW_U64, &a, NULL), TW_OK);
    assert_true(tw_array_real(&b, 1) == 0x1p64);
    tw_array_release(&a);
    assert_int_equal(tw_array_convert(&a, TW_F64, &b, NULL), TW_OK);
    assert_true(tw_array_real(&a, 1) == 0x1p64);
    tw_array_release(&b);
    tw_array_release(&a);
}

static void arrays_are_copied_compared_and_described(void **state)
{
    static const double x[] = { 1.5, -2.0, 3.0 };
    struct tw_array a = vector(TW_F32, 3, x), b, none = { 0 };
    struct tw_str s = { 0 };

    (void)state;
    assert_int_equal(tw_array_copy(&b, &a, NULL), TW_OK);
    assert_true(tw_array_same_shape(&a, &b));
    assert_memory_equal(a.data, b.data, 12);
    b.rank = 0;
    assert_false(tw_array_same_shape(&a, &b));
    b.rank = 1;
    tw_array_release(&b);
    assert_int_equal(tw_array_copy(&b, &none, NULL), TW_OK);
    assert_null(b.data);
    tw_array_describe(TW_F32, 3, (const size_t[]){ 64, 3, 7 }, &s);
    tw_array_describe(TW_BOOL, 0, NULL, &s);
    assert_string_equal(s.s, "float32[64,3,7]bool[]");
    tw_str_release(&s);
    tw_array_release(&a);
}

/* ---- named arrays ---------------------------------------------------------------------------- */

static void a_list_finds_its_arrays_by_name(void **state)
{
    struct tw_named_list l = { 0 };
    struct tw_err err = { 0 };
    struct tw_array a;
    char name[32];

    (void)state;
    assert_null(tw_named_find(&l, "nothing"));
    for (size_t i = 0; i < 200000; i++) {
        assert_int_equal(tw_array_make(&a, TW_I32, 0, NULL, NULL), TW_OK);
        tw_array_set_int(&a, 0, (int64_t)i);
        (void)snprintf(name, sizeof name, "layer.%zu.weight", i);
        assert_int_equal(tw_named_add(&l, name, &a, &err), TW_OK);
        assert_null(a.data);
    }
    for (size_t i = 0; i < 200000; i += 777) {
        (void)snprintf(name, sizeof name, "layer.%zu.weight", i);
        assert_int_equal(tw_array_int(tw_named_find(&l, name), 0), i);
    }
    assert_null(tw_named_find(&l, "layer.200000.weight"));
    assert_int_equal(tw_array_make(&a, TW_I32, 0, NULL, NULL), TW_OK);
    assert_int_equal(tw_named_add(&l, "layer.17.weight", &a, &err), TW_EFORMAT);
    assert_non_null(strstr(err.msg, "layer.17.weight"));
    assert_non_null(a.data); /* still the caller's */
    tw_array_release(&a);
    tw_named_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_halves_have_the_value_of_their_definition),
        cmocka_unit_test(all_halves_survive_the_way_to_float_and_back),
        cmocka_unit_test(halves_round_to_the_nearest_and_ties_to_the_even_one),
        cmocka_unit_test(an_array_is_zero_aligned_and_counted),
        cmocka_unit_test(impossible_arrays_are_refused),
        cmocka_unit_test(reals_saturate_on_the_way_to_integers),
        cmocka_unit_test(integers_wrap_and_round_once),
        cmocka_unit_test(arrays_are_copied_compared_and_described),
        cmocka_unit_test(a_list_finds_its_arrays_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
