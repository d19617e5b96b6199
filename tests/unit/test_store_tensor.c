/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Tensors of ONNX: every encoding of their numbers, and what does not fit. */
#include "folder.h"
#include "store/onnx.h"

/* Read a TensorProto through a file. */
static enum tw_status through(Tw__Onnx__Tensor *t, struct tw_array *a, struct tw_err *err)
{
    size_t n = tw__onnx__tensor__get_packed_size(t);
    uint8_t *p = malloc(n + 1);
    enum tw_status rc;

    assert_non_null(p);
    spill(in_folder("t.pb"), p, tw__onnx__tensor__pack(t, p));
    free(p);
    rc = tw_store_array_read(in_folder("t.pb"), a, err);
    return rc;
}

static void every_encoding_of_numbers_is_read(void **state)
{
    /* 3 and 1 in every type: raw bytes, and in the field of the type. */
    static const float f[] = { 3, 1 };
    static const double d[] = { 3, 1 };
    static const uint16_t half[] = { 0x4200, 0x3c00 }, brain[] = { 0x4040, 0x3f80 },
                          u16[] = { 3, 1 };
    static const uint8_t u8[] = { 3, 1 };
    static const uint32_t u32[] = { 3, 1 };
    static const uint64_t u64[] = { 3, 1 };
    static const struct {
        int number;
        enum tw_dtype type;
        const void *raw;
    } types[] = {
        { 1, TW_F32, f },       { 2, TW_U8, u8 },   { 3, TW_I8, u8 },    { 4, TW_U16, u16 },
        { 5, TW_I16, u16 },     { 6, TW_I32, u32 }, { 7, TW_I64, u64 },  { 9, TW_BOOL, u8 },
        { 10, TW_F16, half },   { 11, TW_F64, d },  { 12, TW_U32, u32 }, { 13, TW_U64, u64 },
        { 16, TW_BF16, brain },
    };
    int64_t two = 2, i64[] = { 3, 1 };
    float fs[] = { 3, 1 };
    double ds[] = { 3, 1 };
    uint64_t us[] = { 3, 1 };

    (void)state;
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        for (int raw = 0; raw < 2; raw++) {
            Tw__Onnx__Tensor t = TW__ONNX__TENSOR__INIT;
            const uint16_t *bits = types[i].raw;
            bool b16 = types[i].type == TW_F16 || types[i].type == TW_BF16;
            int32_t small[] = { b16 ? bits[0] : 3, b16 ? bits[1] : 1 };
            union {
                const void *in;
                uint8_t *out;
            } bytes = { types[i].raw };
            struct tw_err err = { 0 };
            struct tw_array a;

            t.has_data_type = true;
            t.data_type = types[i].number;
            t.n_dims = 1;
            t.dims = &two;
            if (raw) {
                t.has_raw_data = true;
                t.raw_data = (ProtobufCBinaryData){ 2 * tw_dtype_size(types[i].type), bytes.out };
            } else { /* the fields of the other types are not looked at */
                t.n_float_data = t.n_double_data = t.n_int64_data = t.n_uint64_data =
                    t.n_int32_data = 2;
                t.float_data = fs;
                t.double_data = ds;
                t.int64_data = i64;
                t.uint64_data = us;
                t.int32_data = small;
            }
            if (through(&t, &a, &err) != TW_OK)
                fail_msg("%d: %s", types[i].number, err.msg);
            assert_int_equal(a.dtype, types[i].type);
            assert_true(a.rank == 1 && a.n == 2);
            assert_true(tw_array_real(&a, 0) == (types[i].type == TW_BOOL ? 1.0 : 3.0));
            assert_true(tw_array_real(&a, 1) == 1.0);
            tw_array_release(&a);
        }
}

static void tensors_that_do_not_fit_are_refused(void **state)
{
    Tw__Onnx__Tensor t = TW__ONNX__TENSOR__INIT;
    int64_t dims[9] = { 2, 3, 1, 1, 1, 1, 1, 1, 1 };
    uint8_t bytes[24] = { 0 };
    struct tw_err err = { 0 };
    struct tw_array a;

    (void)state;
    t.has_data_type = true;
    t.data_type = 1;
    t.n_dims = 2;
    t.dims = dims;
    t.has_raw_data = true;
    t.raw_data = (ProtobufCBinaryData){ 23, bytes };
    assert_int_equal(through(&t, &a, &err), TW_EFORMAT);
    check_message(&err, "its shape asks for 24 bytes, 23 are stored");
    check_message(&err, in_folder("t.pb"));
    t.has_raw_data = false;
    err = (struct tw_err){ 0 };
    assert_int_equal(through(&t, &a, &err), TW_EFORMAT);
    check_message(&err, "asks for 6 numbers, 0 are stored");
    dims[0] = -2;
    err = (struct tw_err){ 0 };
    assert_int_equal(through(&t, &a, &err), TW_EFORMAT);
    check_message(&err, "extent -2 in dimension 0");
    dims[0] = INT64_C(1) << 62;
    err = (struct tw_err){ 0 };
    assert_int_equal(through(&t, &a, &err), TW_EFORMAT);
    check_message(&err, "more elements than any file holds");
    dims[0] = 1 << 30; /* 12 GiB, of which no byte is there */
    err = (struct tw_err){ 0 };
    assert_int_equal(through(&t, &a, &err), TW_EFORMAT);
    check_message(&err, "0 are stored");
    dims[0] = 1;
    t.n_dims = 9;
    err = (struct tw_err){ 0 };
    assert_int_equal(through(&t, &a, &err), TW_EFORMAT);
    check_message(&err, "9 dimensions, where 8 are the most");
    t.n_dims = 0;
    t.data_type = 8;
    err = (struct tw_err){ 0 };
    assert_int_equal(through(&t, &a, &err), TW_EFORMAT);
    check_message(&err, "its type is string");
    t.data_type = 99;
    err = (struct tw_err){ 0 };
    assert_int_equal(through(&t, &a, &err), TW_EFORMAT);
    check_message(&err, "unknown (number 99)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(every_encoding_of_numbers_is_read),
        folder_test(tensors_that_do_not_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
