/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolutions, pools, normalizations, softmax and losses in the reference interpreter, against
 * closed forms and properties that define them. */
#include "reference_test.h"

static void draw(struct call *c, uint64_t item, enum tw_dtype t, int rank, const size_t *dims)
{
    struct tw_rng r = tw_rng_stream(3, TW_RNG_TEST, item);
    double x[1024];

    for (size_t i = 0; i < 1024; i++)
        x[i] = tw_rng_normal(&r);
    give(c, t, rank, dims, x);
}

static double inner(const struct tw_array *a, const struct tw_array *b)
{
    double s = 0.0;

    assert_true(tw_array_same_shape(a, b));
    for (size_t i = 0; i < a->n; i++)
        s += tw_array_real(a, i) * tw_array_real(b, i);
    return s;
}

/* ---- convolutions ---------------------------------------------------------------------------- */

/* With the kernel turned round a convolution multiplies polynomials. */
static void convolution_multiplies_polynomials(void **state)
{
    struct call c = begin("Conv", 11);

    (void)state;
    set_ints(&c, "pads", INTS(2, 2));
    give(&c, TW_F64, DIMS(1, 1, 4), REALS(1, 2, 3, 4));
    give(&c, TW_F64, DIMS(1, 1, 3), REALS(7, 6, 5)); /* 5 + 6 x + 7 x^2 */
    give(&c, TW_F64, DIMS(1), REALS(100));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(1, 1, 6), REALS(105, 116, 134, 152, 145, 128), 0.0);
    end(&c);
}

/* <conv(x, w), y> = <x, conv_transpose(y, w)>: the definition of the transpose, here with groups,
 * strides, dilations and uneven pads. */
static void transposed_convolution_is_the_adjoint(void **state)
{
    struct call c = begin("Conv", 11), t = begin("ConvTranspose", 11);

    (void)state;
    for (int k = 0; k < 2; k++) {
        struct call *p = k ? &t : &c;

        set_int(p, "group", 2);
        set_ints(p, "strides", INTS(2, 1));
        set_ints(p, "dilations", INTS(1, 2));
        set_ints(p, "pads", INTS(1, 0, 0, 3));
    }
    draw(&c, 1, TW_F64, DIMS(2, 4, 6, 5));
    draw(&c, 2, TW_F64, DIMS(6, 2, 3, 2));
    run(&c, 1);
    check_shape(&c.out[0], TW_F64, DIMS(2, 6, 3, 6));
    set_ints(&t, "output_padding", INTS(0, 0));
    draw(&t, 3, TW_F64, DIMS(2, 6, 3, 6));
    assert_int_equal(tw_array_copy(&t.in[t.nin++], &c.in[1], NULL), TW_OK);
    run(&t, 1);
    check_shape(&t.out[0], TW_F64, DIMS(2, 4, 6, 5));
    check_close(inner(&c.out[0], &t.in[0]), inner(&c.in[0], &t.out[0]), 1e-12, 0.0);
    end(&c);
    end(&t);
}

static void same_padding_keeps_the_extent(void **state)
{
    static const char *const pads[] = { "SAME_UPPER", "SAME_LOWER" };
    static const double want[2][4] = { { 3, 5, 7, 4 }, { 1, 3, 5, 7 } };

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct call c = begin("Conv", 11);

        set_text(&c, "auto_pad", pads[k]);
        give(&c, TW_F32, DIMS(1, 1, 4), REALS(1, 2, 3, 4));
        give(&c, TW_F32, DIMS(1, 1, 2), REALS(1, 1));
        run(&c, 1);
        check_out(&c, 0, TW_F32, DIMS(1, 1, 4), want[k], 0.0);
        end(&c);
    }
}

static void a_window_that_does_not_fit_is_refused(void **state)
{
    struct call c = begin("Conv", 11);

    (void)state;
    set_ints(&c, "dilations", INTS(4));
    give(&c, TW_F32, DIMS(1, 1, 4), REALS(1, 2, 3, 4));
    give(&c, TW_F32, DIMS(1, 1, 2), REALS(1, 1));
    check_refused(&c, 1, "a window of 5 along axis 2 does not fit 4");
    end(&c);
    c = begin("Conv", 11);
    set_int(&c, "group", 3);
    draw(&c, 1, TW_F32, DIMS(1, 4, 5));
    draw(&c, 1, TW_F32, DIMS(4, 4, 2));
    check_refused(&c, 1, "3 groups of 4 channels");
    end(&c);
}

/* ---- pools ----------------------------------------------------------------------------------- */

static void the_largest_of_a_window_and_its_place(void **state)
{
    (void)state;
    for (int64_t column = 0; column < 2; column++) {
        struct call c = begin("MaxPool", 12);

        set_ints(&c, "kernel_shape", INTS(2, 2));
        set_ints(&c, "dilations", INTS(1, 1));
        set_int(&c, "storage_order", column);
        /* negative numbers: padding must not win */
        give(&c, TW_F32, DIMS(1, 1, 3, 3), REALS(-9, -8, -7, -3, -2, -6, -5, -4, -1));
        run(&c, 2);
        check_out(&c, 0, TW_F32, DIMS(1, 1, 2, 2), REALS(-2, -2, -2, -1), 0.0);
        check_out(&c, 1, TW_I64, DIMS(1, 1, 2, 2), REALS(4, 4, 4, 8), 0.0);
        end(&c);
        c = begin("MaxPool", 12);
        set_ints(&c, "kernel_shape", INTS(2, 2));
        set_int(&c, "storage_order", column);
        give(&c, TW_I8, DIMS(1, 1, 3, 4), REALS(0, 1, 2, 9, 8, 3, 4, 7, 9, 3, 9, 5));
        run(&c, 2);
        assert_int_equal(tw_array_int(&c.out[1], 0), column ? 1 : 4);
        end(&c);
    }
}

static void averages_count_the_padding_if_told(void **state)
{
    for (int64_t padded = 0; padded < 2; padded++) {
        struct call c = begin("AveragePool", 11);

        set_ints(&c, "kernel_shape", INTS(3));
        set_ints(&c, "strides", INTS(2));
        set_ints(&c, "pads", INTS(1, 0));
        set_int(&c, "count_include_pad", padded);
        give(&c, TW_F64, DIMS(1, 1, 4), REALS(6, 12, 18, 24));
        run(&c, 1);
        check_out(&c, 0, TW_F64, DIMS(1, 1, 2), REALS(padded ? 6 : 9, 18), 1e-15);
        end(&c);
    }
    {
        struct call c = begin("AveragePool", 11);

        /* the second window was added by rounding up: what lies beyond is no padding */
        set_ints(&c, "kernel_shape", INTS(3));
        set_ints(&c, "strides", INTS(2));
        set_int(&c, "ceil_mode", 1);
        set_int(&c, "count_include_pad", 1);
        give(&c, TW_F64, DIMS(1, 1, 4), REALS(6, 12, 18, 24));
        run(&c, 1);
        check_out(&c, 0, TW_F64, DIMS(1, 1, 2), REALS(12, 21), 1e-15);
        end(&c);
    }
    (void)state;
}

static void global_pools_and_norms(void **state)
{
    static const struct {
        const char *op;
        double want;
    } cases[] = { { "GlobalAveragePool", -0.25 },
                  { "GlobalMaxPool", 3 },
                  { "GlobalLpPool", 5.0497524691810391 } };

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct call c = begin(cases[k].op, 13);

        give(&c, TW_F64, DIMS(1, 1, 2, 2), REALS(3, -4, 0.5, -0.5));
        run(&c, 1);
        check_out(&c, 0, TW_F64, DIMS(1, 1, 1, 1), REALS(cases[k].want), 1e-15);
        end(&c);
    }
    {
        struct call c = begin("LpNormalization", 13);

        set_int(&c, "axis", 0);
        give(&c, TW_F64, DIMS(2, 2), REALS(3, 0, 4, 0));
        run(&c, 1);
        check_out(&c, 0, TW_F64, DIMS(2, 2), REALS(0.6, 0, 0.8, 0), 1e-15);
        end(&c);
        c = begin("LRN", 13);
        set_int(&c, "size", 2);
        set_real(&c, "alpha", 2.0);
        set_real(&c, "beta", 1.0);
        give(&c, TW_F64, DIMS(1, 3, 1), REALS(1, 2, 3)); /* itself and the next channel */
        run(&c, 1);
        check_out(&c, 0, TW_F64, DIMS(1, 3, 1), REALS(1.0 / 6, 2.0 / 14, 3.0 / 10), 1e-15);
        end(&c);
    }
}

/* ---- normalizations -------------------------------------------------------------------------- */

static void batch_normalization_in_its_three_forms(void **state)
{
    struct call c = begin("BatchNormalization", 9);

    (void)state;
    set_real(&c, "epsilon", 1.0);
    give(&c, TW_F64, DIMS(1, 2, 2), REALS(1, 2, 3, 4));
    give(&c, TW_F64, DIMS(2), REALS(2, 3));
    give(&c, TW_F64, DIMS(2), REALS(10, 20));
    give(&c, TW_F64, DIMS(2), REALS(1, 2));
    give(&c, TW_F64, DIMS(2), REALS(3, 8));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(1, 2, 2), REALS(10, 11, 21, 22), 1e-15);
    end(&c);
    c = begin("BatchNormalization", 15);
    set_int(&c, "training_mode", 1);
    set_real(&c, "epsilon", 0.0);
    set_real(&c, "momentum", 0.75);
    give(&c, TW_F64, DIMS(2, 1, 2), REALS(1, 3, 5, 7)); /* mean 4, variance 5 */
    for (size_t k = 0; k < 4; k++)
        give(&c, TW_F64, DIMS(1), REALS(k == 1 ? 0 : 1));
    run(&c, 3);
    check_out(&c, 0, TW_F64, DIMS(2, 1, 2),
              REALS(-3 / sqrt(5), -1 / sqrt(5), 1 / sqrt(5), 3 / sqrt(5)), 1e-15);
    check_out(&c, 1, TW_F64, DIMS(1), REALS(1.75), 1e-15);
    check_out(&c, 2, TW_F64, DIMS(1), REALS(2.0), 1e-15);
    end(&c);
    c = begin("BatchNormalization", 7); /* one mean an element */
    set_int(&c, "spatial", 0);
    set_real(&c, "epsilon", 0.0);
    give(&c, TW_F64, DIMS(2, 1, 2), REALS(1, 2, 3, 4));
    for (size_t k = 0; k < 4; k++)
        give(&c, TW_F64, DIMS(1, 2), k == 2 ? REALS(1, 2) : REALS(1, k == 3 ? 4 : 0));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(2, 1, 2), REALS(1, 0, 3, 0), 1e-15);
    end(&c);
}

/* All over the same elements give the same: layer over (C, d), one group, and so on. */
static void normalizations_agree_where_they_overlap(void **state)
{
    static const double ones[24] = { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1,
                                     1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 };
    static const double zeros[24] = { 0 };
    struct call layer = begin("LayerNormalization", 17), group = begin("GroupNormalization", 21);
    struct call mvn = begin("MeanVarianceNormalization", 13), rms = begin("RMSNormalization", 23);

    (void)state;
    set_int(&layer, "axis", 1);
    set_real(&layer, "epsilon", 0.0);
    draw(&layer, 5, TW_F64, DIMS(2, 3, 4));
    give(&layer, TW_F64, DIMS(3, 4), ones);
    run(&layer, 3);
    check_shape(&layer.out[1], TW_F32, DIMS(2, 1, 1));
    for (size_t i = 0; i < 2; i++) {
        double s = 0.0, q = 0.0, m = 0.0;

        for (size_t k = 12 * i; k < 12 * i + 12; k++) {
            s += tw_array_real(&layer.out[0], k);
            q += pow(tw_array_real(&layer.out[0], k), 2.0);
            m += tw_array_real(&layer.in[0], k) / 12.0;
        }
        check_close(s, 0.0, 0.0, 1e-13);
        check_close(q, 12.0, 1e-13, 0.0);
        check_close(tw_array_real(&layer.out[1], i), m, 1e-6, 1e-7);
    }
    set_int(&group, "num_groups", 1);
    set_real(&group, "epsilon", 0.0);
    draw(&group, 5, TW_F64, DIMS(2, 3, 4));
    give(&group, TW_F64, DIMS(3), ones);
    give(&group, TW_F64, DIMS(3), zeros);
    run(&group, 1);
    set_ints(&mvn, "axes", INTS(1, 2));
    draw(&mvn, 5, TW_F64, DIMS(2, 3, 4));
    run(&mvn, 1);
    set_int(&rms, "axis", 1); /* of what has mean 0 already */
    set_real(&rms, "epsilon", 0.0);
    assert_int_equal(tw_array_copy(&rms.in[rms.nin++], &layer.out[0], NULL), TW_OK);
    give(&rms, TW_F64, DIMS(3, 4), ones);
    run(&rms, 1);
    for (size_t i = 0; i < 24; i++) {
        const double want = tw_array_real(&layer.out[0], i);

        check_close(tw_array_real(&group.out[0], i), want, 1e-12, 1e-12);
        check_close(tw_array_real(&mvn.out[0], i), want, 1e-8, 1e-8);
        check_close(tw_array_real(&rms.out[0], i), want, 1e-12, 1e-12);
    }
    end(&layer);
    end(&group);
    end(&mvn);
    end(&rms);
}

static void instances_and_groups_scale_their_channels(void **state)
{
    struct call c = begin("InstanceNormalization", 13);

    (void)state;
    set_real(&c, "epsilon", 0.0);
    give(&c, TW_F64, DIMS(1, 2, 2), REALS(1, 3, 10, 30));
    give(&c, TW_F64, DIMS(2), REALS(1, 2));
    give(&c, TW_F64, DIMS(2), REALS(0, 5));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(1, 2, 2), REALS(-1, 1, 3, 7), 1e-15);
    end(&c);
    c = begin("GroupNormalization", 18); /* scales one a group */
    set_int(&c, "num_groups", 2);
    set_real(&c, "epsilon", 0.0);
    give(&c, TW_F64, DIMS(1, 4, 1), REALS(1, 3, 10, 30));
    give(&c, TW_F64, DIMS(2), REALS(1, 2));
    give(&c, TW_F64, DIMS(2), REALS(0, 5));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(1, 4, 1), REALS(-1, 1, 3, 7), 1e-15);
    end(&c);
}

/* ---- softmax and losses ---------------------------------------------------------------------- */

static void softmax_does_not_overflow_and_before_13_flattens(void **state)
{
    struct call c = begin("Softmax", 13);

    (void)state;
    set_int(&c, "axis", 0);
    give(&c, TW_F64, DIMS(2, 2), REALS(1000, 0, 1000 + log(3), 0));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(2, 2), REALS(0.25, 0.5, 0.75, 0.5), 1e-13);
    end(&c);
    c = begin("Softmax", 11); /* axes 1 and 2 together */
    give(&c, TW_F64, DIMS(1, 2, 2), REALS(0, 0, 0, 0));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(1, 2, 2), REALS(0.25, 0.25, 0.25, 0.25), 1e-15);
    end(&c);
    c = begin("LogSoftmax", 13);
    give(&c, TW_F64, DIMS(2), REALS(0, -2000));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(2), REALS(0, -2000), 1e-15);
    end(&c);
    c = begin("Hardmax", 13);
    give(&c, TW_F32, DIMS(3), REALS(1, 2, 2));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(3), REALS(0, 1, 0), 0.0);
    end(&c);
}

static void losses_weigh_ignore_and_reduce(void **state)
{
    static const char *const how[] = { "none", "sum", "mean" };
    const double a = log(4.0), b = log(4.0 / 3.0);

    (void)state;
    for (size_t k = 0; k < 3; k++) {
        struct call c = begin("SoftmaxCrossEntropyLoss", 13);

        set_text(&c, "reduction", how[k]);
        set_int(&c, "ignore_index", -1);
        /* [N = 1, C = 2, 3 positions]: probabilities 1/4 and 3/4 at each */
        give(&c, TW_F64, DIMS(1, 2, 3), REALS(0, 5, -7, log(3), 5 + log(3), -7 + log(3)));
        give(&c, TW_I64, DIMS(1, 3), REALS(0, 1, -1));
        give(&c, TW_F64, DIMS(2), REALS(2, 3));
        run(&c, 2);
        if (k == 0)
            check_out(&c, 0, TW_F64, DIMS(1, 3), REALS(2 * a, 3 * b, 0), 1e-14);
        else
            check_out(&c, 0, TW_F64, SCALAR, REALS((2 * a + 3 * b) / (k == 1 ? 1 : 5)), 1e-14);
        check_out(&c, 1, TW_F64, DIMS(1, 2, 3), REALS(-a, -a, -a, -b, -b, -b), 1e-14);
        end(&c);
    }
    {
        struct call c = begin("NegativeLogLikelihoodLoss", 13);

        give(&c, TW_F32, DIMS(2, 2), REALS(-1, -2, -3, -4));
        give(&c, TW_I32, DIMS(2), REALS(1, 0));
        run(&c, 1);
        check_out(&c, 0, TW_F32, SCALAR, REALS(2.5), 0.0);
        end(&c);
        c = begin("NegativeLogLikelihoodLoss", 13);
        give(&c, TW_F32, DIMS(1, 2), REALS(-1, -2));
        give(&c, TW_I64, DIMS(1), REALS(2));
        check_refused(&c, 1, "class 2 of 2");
        end(&c);
    }
}

static void dropout_evaluates_to_its_input(void **state)
{
    static const int opsets[] = { 6, 7, 10, 13 };

    (void)state;
    for (size_t k = 0; k < 4; k++) {
        struct call c = begin("Dropout", opsets[k]);

        give(&c, TW_F32, DIMS(2), REALS(1.5, -2));
        run(&c, 2);
        check_out(&c, 0, TW_F32, DIMS(2), REALS(1.5, -2), 0.0);
        check_out(&c, 1, opsets[k] < 10 ? TW_F32 : TW_BOOL, DIMS(2), REALS(1, 1), 0.0);
        end(&c);
    }
}

/* ---- resizing -------------------------------------------------------------------------------- */

static void images_are_resized(void **state)
{
    struct call c = begin("Upsample", 7);

    (void)state;
    assert_int_equal(tw_net_attr_reals(c.net, "scales", 2, REALS(1, 2), NULL), TW_OK);
    give(&c, TW_F32, DIMS(1, 2), REALS(1, 3));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(1, 4), REALS(1, 1, 3, 3), 0.0);
    end(&c);
    for (size_t k = 0; k < 2; k++) {
        c = begin("Resize", 13);
        set_text(&c, "mode", "linear");
        if (k)
            set_text(&c, "coordinate_transformation_mode", "align_corners");
        give(&c, TW_F64, DIMS(2), REALS(0, 12));
        give_absent(&c);
        give_absent(&c);
        give_ints(&c, INTS(4));
        run(&c, 1);
        check_out(&c, 0, TW_F64, DIMS(4), k ? REALS(0, 4, 8, 12) : REALS(0, 3, 9, 12), 1e-14);
        end(&c);
    }
    c = begin("Resize", 13);
    set_text(&c, "mode", "cubic");
    give(&c, TW_F32, DIMS(2), REALS(0, 12));
    check_refused(&c, 1, "cubic");
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolution_multiplies_polynomials),
        cmocka_unit_test(transposed_convolution_is_the_adjoint),
        cmocka_unit_test(same_padding_keeps_the_extent),
        cmocka_unit_test(a_window_that_does_not_fit_is_refused),
        cmocka_unit_test(the_largest_of_a_window_and_its_place),
        cmocka_unit_test(averages_count_the_padding_if_told),
        cmocka_unit_test(global_pools_and_norms),
        cmocka_unit_test(batch_normalization_in_its_three_forms),
        cmocka_unit_test(normalizations_agree_where_they_overlap),
        cmocka_unit_test(instances_and_groups_scale_their_channels),
        cmocka_unit_test(softmax_does_not_overflow_and_before_13_flattens),
        cmocka_unit_test(losses_weigh_ignore_and_reduce),
        cmocka_unit_test(dropout_evaluates_to_its_input),
        cmocka_unit_test(images_are_resized),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
