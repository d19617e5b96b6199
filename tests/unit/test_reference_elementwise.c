/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elementwise operators of the reference interpreter against identities that define them. */
#include "reference_test.h"

static const double points[] = { -3.25, -1.0, -0.375, 0.0, 0.28125, 0.5, 1.0, 2.75 };
enum { N = sizeof points / sizeof *points };

/* One real function of one number: by another road. */
struct function {
    const char *op;
    double (*f)(double x);
};

static double f_sigmoid(double x)
{
    return 0.5 + 0.5 * tanh(0.5 * x);
}
static double f_softplus(double x)
{
    return -log(f_sigmoid(-x));
}
static double f_mish(double x)
{
    /* tanh(log(u)) = (u^2 - 1) / (u^2 + 1), u = 1 + e^x */
    const double u = 1.0 + exp(x);

    return x * (u * u - 1.0) / (u * u + 1.0);
}
static double f_gelu(double x)
{
    return x * (0.5 + 0.5 * erf(x * sqrt(0.5)));
}
static double f_elu(double x)
{
    return fmax(x, 0.0) + fmin(exp(x) - 1.0, 0.0);
}
static double f_selu(double x)
{
    /* the defaults are floats */
    return (double)1.0507009873554805F *
           (fmax(x, 0.0) + (double)1.6732632423543772F * fmin(exp(x) - 1.0, 0.0));
}
static double f_hard_swish(double x)
{
    return x * fmin(fmax(x + 3.0, 0.0), 6.0) / 6.0;
}
static double f_hard_sigmoid(double x)
{
    return fmin(fmax(0.2 * x + 0.5, 0.0), 1.0);
}
static double f_leaky(double x)
{
    return fmax(x, 0.01 * x);
}
static double f_softsign(double x)
{
    return x < 0.0 ? x / (1.0 - x) : x / (1.0 + x);
}
static double f_threshold(double x)
{
    return x > 1.0 ? x : 0.0;
}
static double f_sinh(double x)
{
    return (exp(x) - exp(-x)) / 2.0;
}
static double f_cosh(double x)
{
    return (exp(x) + exp(-x)) / 2.0;
}
static double f_asinh(double x)
{
    return copysign(log(fabs(x) + sqrt(x * x + 1.0)), x);
}
static double f_tan(double x)
{
    return sin(x) / cos(x);
}
static double f_sign(double x)
{
    return (x > 0.0) - (x < 0.0);
}
static double f_round(double x)
{
    return floor(x + 0.5) - (x == 0.5); /* of the points only 1/2 is a tie */
}
static double f_acosh(double x)
{
    return log(x + sqrt(x * x - 1.0));
}
static double f_atanh(double x)
{
    return 0.5 * log((1.0 + x) / (1.0 - x));
}
static double f_acos(double x)
{
    return 2.0 * atan2(sqrt(1.0 - x), sqrt(1.0 + x));
}
static double f_asin(double x)
{
    return atan2(x, sqrt((1.0 - x) * (1.0 + x)));
}
static double f_reciprocal(double x)
{
    return pow(x, -1.0);
}

static const struct function functions[] = {
    { "Sigmoid", f_sigmoid },
    { "Softplus", f_softplus },
    { "Mish", f_mish },
    { "Gelu", f_gelu },
    { "Elu", f_elu },
    { "Celu", f_elu }, /* alpha is 1 */
    { "Selu", f_selu },
    { "HardSwish", f_hard_swish },
    { "HardSigmoid", f_hard_sigmoid },
    { "LeakyRelu", f_leaky },
    { "Softsign", f_softsign },
    { "ThresholdedRelu", f_threshold },
    { "Sinh", f_sinh },
    { "Cosh", f_cosh },
    { "Asinh", f_asinh },
    { "Tan", f_tan },
    { "Sign", f_sign },
    { "Round", f_round },
    { "Acosh", f_acosh },
    { "Atanh", f_atanh },
    { "Acos", f_acos },
    { "Asin", f_asin },
    { "Reciprocal", f_reciprocal },
};

static void functions_have_their_values_in_every_real_type(void **state)
{
    static const enum tw_dtype types[] = { TW_F64, TW_F32, TW_F16, TW_BF16 };
    static const double rounding[] = { 1e-14, 0x1p-23, 0x1p-10, 0x1p-7 };

    (void)state;
    for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
        for (size_t t = 0; t < 4; t++) {
            struct call c = begin(functions[k].op, 18);

            give(&c, types[t], DIMS(N), points);
            run(&c, 1);
            check_shape(&c.out[0], types[t], DIMS(N));
            for (size_t i = 0; i < N; i++) {
                const double got = tw_array_real(&c.out[0], i), want = functions[k].f(points[i]);

                if (isnan(want))
                    assert_true(isnan(got));
                else
                    check_close(got, want, rounding[t], 1e-15);
            }
            end(&c);
        }
}

static void parameters_reach_the_functions(void **state)
{
    struct call c = begin("Celu", 12);

    (void)state;
    set_real(&c, "alpha", 2.0);
    give(&c, TW_F64, DIMS(2), REALS(-2.0, 3.0));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(2), REALS(2.0 * (exp(-1.0) - 1.0), 3.0), 1e-14);
    end(&c);
    c = begin("Gelu", 20);
    set_text(&c, "approximate", "tanh");
    give(&c, TW_F64, DIMS(1), REALS(1.5));
    run(&c, 1);
    check_out(&c, 0, TW_F64, DIMS(1),
              REALS(0.75 * (1.0 + tanh(0.7978845608028654 * (1.5 + 0.044715 * 3.375)))), 1e-14);
    end(&c);
    c = begin("IsInf", 10);
    set_int(&c, "detect_negative", 0);
    give(&c, TW_F32, DIMS(3), REALS(-INFINITY, INFINITY, NAN));
    run(&c, 1);
    check_out(&c, 0, TW_BOOL, DIMS(3), REALS(0, 1, 0), 0.0);
    end(&c);
}

static void nan_goes_through(void **state)
{
    static const char *const ops[] = { "Relu", "Elu", "Clip", "Sign", "Abs", "HardSigmoid" };

    (void)state;
    for (size_t k = 0; k < sizeof ops / sizeof *ops; k++) {
        struct call c = begin(ops[k], 13);

        give(&c, TW_F32, DIMS(1), REALS(NAN));
        run(&c, 1);
        assert_true(isnan(tw_array_real(&c.out[0], 0)));
        end(&c);
    }
    for (size_t order = 0; order < 2; order++) {
        struct call c = begin("Max", 13);

        give(&c, TW_F32, SCALAR, REALS(order ? (double)NAN : 1.0));
        give(&c, TW_F32, SCALAR, REALS(order ? 1.0 : (double)NAN));
        run(&c, 1);
        assert_true(isnan(tw_array_real(&c.out[0], 0)));
        end(&c);
    }
}

/* ---- two operands ---------------------------------------------------------------------------- */

static void shapes_spread(void **state)
{
    struct call c = begin("Sub", 14);

    (void)state;
    give(&c, TW_F32, DIMS(2, 1, 3), REALS(1, 2, 3, 4, 5, 6));
    give(&c, TW_F32, DIMS(2, 1), REALS(10, 20));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(2, 2, 3),
              REALS(-9, -8, -7, -19, -18, -17, -6, -5, -4, -16, -15, -14), 0.0);
    end(&c);
}

/* Opset 6: the second operand lies at `axis` of the first. */
static void the_old_axis_attribute_places_the_second_operand(void **state)
{
    struct call c = begin("Add", 6);

    (void)state;
    set_int(&c, "broadcast", 1);
    set_int(&c, "axis", 0);
    give(&c, TW_F32, DIMS(2, 3), REALS(1, 2, 3, 4, 5, 6));
    give(&c, TW_F32, DIMS(2), REALS(10, 20));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(2, 3), REALS(11, 12, 13, 24, 25, 26), 0.0);
    end(&c);
    c = begin("PRelu", 6);
    give(&c, TW_F32, DIMS(1, 2, 2), REALS(-1, 2, -3, 4));
    give(&c, TW_F32, DIMS(2), REALS(0.5, 0.25));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(1, 2, 2), REALS(-0.5, 2, -0.75, 4), 0.0);
    end(&c);
}

static void check_pair(const char *op, int64_t fmod_, enum tw_dtype t, int64_t x, int64_t y,
                       int64_t want)
{
    struct call c = begin(op, 13);

    if (fmod_)
        set_int(&c, "fmod", 1);
    give(&c, t, SCALAR, REALS(0));
    give(&c, t, SCALAR, REALS(0));
    tw_array_set_int(&c.in[0], 0, x);
    tw_array_set_int(&c.in[1], 0, y);
    run(&c, 1);
    if (tw_array_int(&c.out[0], 0) != want) {
        print_error("%s of %lld, %lld: %lld\n", op, (long long)x, (long long)y,
                    (long long)tw_array_int(&c.out[0], 0));
        fail();
    }
    end(&c);
}

static void integers_wrap_truncate_and_keep_their_sign(void **state)
{
    (void)state;
    check_pair("Add", 0, TW_I8, 127, 1, -128);
    check_pair("Add", 0, TW_I64, INT64_MAX, 1, INT64_MIN);
    check_pair("Sub", 0, TW_U8, 3, 5, 254);
    check_pair("Mul", 0, TW_I64, INT64_MIN, -1, INT64_MIN);
    check_pair("Div", 0, TW_I64, INT64_MIN, -1, INT64_MIN);
    check_pair("Div", 0, TW_I32, -7, 2, -3);
    check_pair("Div", 0, TW_U64, -2, 2, INT64_MAX);
    check_pair("Mod", 0, TW_I32, -7, 3, 2);
    check_pair("Mod", 0, TW_I32, 7, -3, -2);
    check_pair("Mod", 1, TW_I32, -7, 3, -1);
    check_pair("Mod", 0, TW_I64, INT64_MIN, -1, 0);
    check_pair("Mod", 0, TW_U64, -1, 10, 5); /* 18446744073709551615 */
    check_pair("Pow", 0, TW_I32, -3, 5, -243);
    check_pair("Pow", 0, TW_I64, 2, 62, INT64_C(1) << 62);
    check_pair("Less", 0, TW_U64, 1, -1, 1);
    check_pair("Less", 0, TW_I64, 1, -1, 0);
    check_pair("Max", 0, TW_U64, 1, -1, -1);
    check_pair("Equal", 0, TW_I64, INT64_MAX, INT64_MAX - 1, 0); /* equal as doubles */
    check_pair("GreaterOrEqual", 0, TW_U8, 200, 100, 1);
    check_pair("Xor", 0, TW_BOOL, 1, 1, 0);
    check_pair("Or", 0, TW_BOOL, 0, 1, 1);
    check_pair("And", 0, TW_BOOL, 0, 1, 0);
}

static void division_of_an_integer_by_zero_is_refused(void **state)
{
    static const char *const ops[] = { "Div", "Mod" };

    (void)state;
    for (size_t k = 0; k < 2; k++) {
        struct call c = begin(ops[k], 14);

        give(&c, TW_I32, DIMS(2), REALS(1, 2));
        give(&c, TW_I32, DIMS(2), REALS(1, 0));
        check_refused(&c, 1, "by zero");
        end(&c);
    }
}

static void reals_have_two_remainders(void **state)
{
    struct call c = begin("Mod", 13);

    (void)state;
    set_int(&c, "fmod", 1);
    give(&c, TW_F32, DIMS(2), REALS(-5.5, 5.5));
    give(&c, TW_F32, SCALAR, REALS(3));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(2), REALS(-2.5, 2.5), 0.0);
    end(&c);
}

static void many_operands_are_summed_once_rounded(void **state)
{
    struct call c = begin("Mean", 13);

    (void)state;
    for (size_t j = 0; j < 3; j++)
        give(&c, TW_F16, DIMS(2), j == 1 ? REALS(3, 2049) : REALS(1, 2048));
    run(&c, 1);
    /* 2049 is no half: it was 2048 when given */
    check_out(&c, 0, TW_F16, DIMS(2), REALS(1.6669921875, 2048), 0.0);
    end(&c);
    c = begin("Sum", 13);
    give(&c, TW_I64, DIMS(2, 1), REALS(1, 2));
    give(&c, TW_I64, DIMS(2), REALS(10, 20));
    run(&c, 1);
    check_out(&c, 0, TW_I64, DIMS(2, 2), REALS(11, 21, 12, 22), 0.0);
    end(&c);
}

/* ---- bounds, choices, types ------------------------------------------------------------------ */

static void clip_takes_bounds_from_attributes_or_inputs(void **state)
{
    struct call c = begin("Clip", 6);

    (void)state;
    set_real(&c, "max", 1.0);
    give(&c, TW_F32, DIMS(3), REALS(-5, 0.5, 5));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(3), REALS(-5, 0.5, 1), 0.0);
    end(&c);
    c = begin("Clip", 13);
    give(&c, TW_U8, DIMS(3), REALS(1, 100, 200));
    give_absent(&c);
    give(&c, TW_U8, SCALAR, REALS(150));
    run(&c, 1);
    check_out(&c, 0, TW_U8, DIMS(3), REALS(1, 100, 150), 0.0);
    end(&c);
    c = begin("Clip", 13); /* crossing bounds: max wins */
    give(&c, TW_F32, DIMS(1), REALS(0));
    give(&c, TW_F32, SCALAR, REALS(2));
    give(&c, TW_F32, SCALAR, REALS(1));
    run(&c, 1);
    check_out(&c, 0, TW_F32, DIMS(1), REALS(1), 0.0);
    end(&c);
}

static void where_chooses_and_cast_converts(void **state)
{
    struct call c = begin("Where", 16);

    (void)state;
    give(&c, TW_BOOL, DIMS(2, 1), REALS(1, 0));
    give(&c, TW_I32, DIMS(2), REALS(1, 2));
    give(&c, TW_I32, SCALAR, REALS(-7));
    run(&c, 1);
    check_out(&c, 0, TW_I32, DIMS(2, 2), REALS(1, 2, -7, -7), 0.0);
    end(&c);
    c = begin("Cast", 13);
    set_int(&c, "to", 6);
    give(&c, TW_F32, DIMS(3), REALS(-2.9, 2.9, 1e20));
    run(&c, 1);
    check_out(&c, 0, TW_I32, DIMS(3), REALS(-2, 2, INT32_MAX), 0.0);
    end(&c);
    c = begin("Cast", 13);
    set_int(&c, "to", 8); /* a string */
    give(&c, TW_F32, DIMS(1), REALS(1));
    check_refused(&c, 1, "type 8");
    end(&c);
    c = begin("CastLike", 15);
    give(&c, TW_F32, DIMS(1), REALS(0.1));
    give(&c, TW_F16, SCALAR, REALS(0));
    run(&c, 1);
    check_out(&c, 0, TW_F16, DIMS(1), REALS(0.0999755859375), 0.0);
    end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_have_their_values_in_every_real_type),
        cmocka_unit_test(parameters_reach_the_functions),
        cmocka_unit_test(nan_goes_through),
        cmocka_unit_test(shapes_spread),
        cmocka_unit_test(the_old_axis_attribute_places_the_second_operand),
        cmocka_unit_test(integers_wrap_truncate_and_keep_their_sign),
        cmocka_unit_test(division_of_an_integer_by_zero_is_refused),
        cmocka_unit_test(reals_have_two_remainders),
        cmocka_unit_test(many_operands_are_summed_once_rounded),
        cmocka_unit_test(clip_takes_bounds_from_attributes_or_inputs),
        cmocka_unit_test(where_chooses_and_cast_converts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
