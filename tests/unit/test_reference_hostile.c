/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Whatever a file asks of an operator: a result or a sentence, never a crash. */
#include "reference_test.h"

#include <stdlib.h>

static const char *const ops[] = {
    "Neg",
    "Relu",
    "Gelu",
    "IsInf",
    "Not",
    "Add",
    "Div",
    "Mod",
    "Pow",
    "Less",
    "And",
    "Max",
    "Mean",
    "Where",
    "Clip",
    "PRelu",
    "Cast",
    "CastLike",
    "MatMul",
    "Gemm",
    "Einsum",
    "Identity",
    "Flatten",
    "Reshape",
    "Shape",
    "Size",
    "Unsqueeze",
    "Squeeze",
    "Dropout",
    "Transpose",
    "Concat",
    "Split",
    "Slice",
    "Expand",
    "Tile",
    "Pad",
    "SpaceToDepth",
    "DepthToSpace",
    "Gather",
    "GatherElements",
    "GatherND",
    "OneHot",
    "TopK",
    "Constant",
    "ConstantOfShape",
    "Range",
    "EyeLike",
    "Trilu",
    "ReduceSum",
    "ReduceMax",
    "ReduceLogSumExp",
    "ArgMax",
    "CumSum",
    "Softmax",
    "Hardmax",
    "NegativeLogLikelihoodLoss",
    "SoftmaxCrossEntropyLoss",
    "Conv",
    "ConvTranspose",
    "MaxPool",
    "AveragePool",
    "LpPool",
    "GlobalMaxPool",
    "GlobalAveragePool",
    "BatchNormalization",
    "InstanceNormalization",
    "GroupNormalization",
    "LayerNormalization",
    "RMSNormalization",
    "MeanVarianceNormalization",
    "LpNormalization",
    "LRN",
    "Resize",
    "Upsample",
    "NoSuchOperator",
};

static const char *const integers[] = { "axis",
                                        "keepdims",
                                        "group",
                                        "transA",
                                        "transB",
                                        "to",
                                        "blocksize",
                                        "k",
                                        "upper",
                                        "size",
                                        "p",
                                        "ceil_mode",
                                        "num_groups",
                                        "training_mode",
                                        "spatial",
                                        "dtype",
                                        "allowzero",
                                        "start",
                                        "end",
                                        "batch_dims",
                                        "fmod",
                                        "storage_order",
                                        "count_include_pad",
                                        "ignore_index",
                                        "broadcast",
                                        "exclusive",
                                        "noop_with_empty_axes" };
static const char *const lists[] = {
    "axes",    "perm",      "split",        "starts",         "ends",         "pads",
    "strides", "dilations", "kernel_shape", "output_padding", "output_shape", "value_ints"
};
static const struct {
    const char *name, *text;
} texts[] = { { "mode", "reflect" },      { "mode", "edge" },
              { "mode", "linear" },       { "mode", "CRD" },
              { "mode", "no such mode" }, { "auto_pad", "SAME_UPPER" },
              { "auto_pad", "VALID" },    { "reduction", "none" },
              { "reduction", "sum" },     { "equation", "ij,jk->ik" },
              { "equation", "...i,i" },   { "equation", "ii->i" },
              { "equation", "i..j->" },   { "coordinate_transformation_mode", "align_corners" } };

#define PICK(r, list) (list)[tw_rng_below(r, sizeof(list) / sizeof *(list))]

/* Mostly small, sometimes far out. */
static int64_t some_int(struct tw_rng *r)
{
    static const int64_t wild[] = { INT64_MIN,        INT64_MAX,        -(INT64_C(1) << 40),
                                    INT64_C(1) << 40, INT64_C(1) << 32, -100 };

    return tw_rng_below(r, 12) == 0 ? PICK(r, wild) : (int64_t)tw_rng_below(r, 7) - 2;
}

static double some_real(struct tw_rng *r)
{
    static const double wild[] = { 0.0, -0.0, 1e300, -1e300, 1e-300 };

    switch (tw_rng_below(r, 12)) {
    case 0:
        return (double)NAN;
    case 1:
        return (double)INFINITY;
    case 2:
        return PICK(r, wild);
    default:
        return tw_rng_normal(r);
    }
}

static void add_array(struct call *c, struct tw_rng *r)
{
    static const enum tw_dtype likely[] = { TW_F32, TW_F32, TW_F32, TW_I64, TW_I64 };
    const enum tw_dtype t = tw_rng_below(r, 4) == 0
                                ? (enum tw_dtype)(1 + tw_rng_below(r, TW_NDTYPES - 1))
                                : PICK(r, likely);
    struct tw_array *a = &c->in[c->nin++];
    size_t dims[TW_MAX_RANK];
    int rank = (int)tw_rng_below(r, tw_rng_below(r, 8) == 0 ? TW_MAX_RANK + 1 : 5);

    for (int i = 0; i < rank; i++)
        dims[i] = tw_rng_below(r, 15) == 0 ? 0 : 1 + tw_rng_below(r, rank > 5 ? 2 : 4);
    assert_int_equal(tw_array_make(a, t, rank, dims, NULL), TW_OK);
    for (size_t i = 0; i < a->n; i++) {
        if (tw_dtype_is_real(t))
            tw_array_set_real(a, i, some_real(r));
        else
            tw_array_set_int(a, i, some_int(r));
    }
}

static void add_attribute(struct call *c, struct tw_rng *r)
{
    int64_t ints[6];
    const size_t n = tw_rng_below(r, 7);
    const size_t which = tw_rng_below(r, sizeof texts / sizeof *texts);

    for (size_t i = 0; i < n; i++)
        ints[i] = some_int(r);
    /* the same name twice is refused, which does not matter here */
    switch (tw_rng_below(r, 4)) {
    case 0:
        (void)!tw_net_attr_text(c->net, texts[which].name, texts[which].text, NULL);
        break;
    case 1:
        (void)!tw_net_attr_real(c->net, tw_rng_below(r, 2) ? "alpha" : "epsilon", some_real(r),
                                NULL);
        break;
    case 2:
        (void)!tw_net_attr_int(c->net, PICK(r, integers), some_int(r), NULL);
        break;
    default:
        (void)!tw_net_attr_ints(c->net, PICK(r, lists), n, ints, NULL);
        break;
    }
}

static void anything_is_computed_or_refused(void **state)
{
    const char *more = getenv("TW_HOSTILE");
    const uint64_t items = more ? strtoull(more, NULL, 10) : 60000;
    size_t done = 0;

    (void)state;
    for (uint64_t item = 0; item < items; item++) {
        struct tw_rng r = tw_rng_stream(17, TW_RNG_TEST, item);
        struct call c = begin(PICK(&r, ops), 6 + (int)tw_rng_below(&r, 13));
        const size_t nin = tw_rng_below(&r, CALL_PORTS), nattr = tw_rng_below(&r, 5);
        size_t nout = 1 + tw_rng_below(&r, 3);
        enum tw_status rc;

        for (size_t i = 0; i < nin; i++) {
            if (tw_rng_below(&r, 20) == 0)
                give_absent(&c);
            else
                add_array(&c, &r);
        }
        for (size_t i = 0; i < nattr; i++)
            add_attribute(&c, &r);
        rc = try(&c, nout);
        done += rc == TW_OK;
        assert_true(rc == TW_OK || rc == TW_EFORMAT);
        assert_true(rc == TW_OK || strlen(c.err.msg) > 10);
        end(&c);
    }
    /* not everything was nonsense */
    assert_true(done > items / 50);
}

static void results_too_large_are_refused_before_memory_is_taken(void **state)
{
    struct call c = begin("ConstantOfShape", 9);

    (void)state;
    give_ints(&c, INTS(1 << 16, 1 << 16));
    check_refused(&c, 1, "2^31");
    end(&c);
    c = begin("Expand", 8);
    give(&c, TW_F32, SCALAR, REALS(1.0));
    give_ints(&c, INTS(INT64_C(1) << 40, INT64_C(1) << 40));
    check_refused(&c, 1, "2^31");
    end(&c);
    c = begin("Tile", 6);
    give(&c, TW_F32, DIMS(2), REALS(1.0, 2.0));
    give_ints(&c, INTS(INT64_C(1) << 62));
    check_refused(&c, 1, "repeats");
    end(&c);
    c = begin("Range", 11);
    give(&c, TW_F32, SCALAR, REALS(0.0));
    give(&c, TW_F32, SCALAR, REALS(1e30));
    give(&c, TW_F32, SCALAR, REALS(1.0));
    check_refused(&c, 1, "elements");
    end(&c);
}

static void sums_that_never_end_are_refused(void **state)
{
    static const double x[1000] = { 0 };
    struct call c = begin("Einsum", 12);

    (void)state;
    set_text(&c, "equation", "a,b,c,d->");
    for (size_t i = 0; i < 4; i++)
        give(&c, TW_F32, DIMS(1000), x);
    check_refused(&c, 1, "2^36");
    end(&c);
}

static void messages_say_what_is_wrong(void **state)
{
    struct call c = begin("Attention", 18);

    (void)state;
    check_refused(&c, 1, "(Attention): the operator is not supported");
    end(&c);
    c = begin("Conv", 11);
    give(&c, TW_F32, DIMS(1), REALS(1.0));
    check_refused(&c, 1, "1 inputs; expected 2 to 3");
    end(&c);
    c = begin("Add", 7);
    give(&c, TW_F32, DIMS(2), REALS(1.0, 2.0));
    give(&c, TW_F64, DIMS(2), REALS(1.0, 2.0));
    check_refused(&c, 1, "float32 and float64");
    end(&c);
    c = begin("Add", 7);
    give(&c, TW_F32, DIMS(2), REALS(1.0, 2.0));
    give(&c, TW_F32, DIMS(3), REALS(1.0, 2.0, 3.0));
    check_refused(&c, 1, "2 and 3");
    end(&c);
    c = begin("Gather", 13);
    give(&c, TW_F32, DIMS(2), REALS(1.0, 2.0));
    give_ints(&c, INTS(2));
    check_refused(&c, 1, "index 2 into 2");
    end(&c);
    c = begin("Dropout", 13);
    give(&c, TW_F32, DIMS(2), REALS(1.0, 2.0));
    give(&c, TW_F32, SCALAR, REALS(0.5));
    give(&c, TW_BOOL, SCALAR, REALS(1.0));
    check_refused(&c, 1, "random");
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything_is_computed_or_refused),
        cmocka_unit_test(results_too_large_are_refused_before_memory_is_taken),
        cmocka_unit_test(sums_that_never_end_are_refused),
        cmocka_unit_test(messages_say_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
