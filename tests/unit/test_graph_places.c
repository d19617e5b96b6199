/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Operators that take numbers from places, and those that are made of others: values against the
 * reference interpreter, tangents, gradients and Hessian-vector products against differences. */
#include "graph_test.h"

#define DIMS(...)                                                                                  \
    (const size_t[])                                                                               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }
#define INTS(...)                                                                                  \
    (const int64_t[])                                                                              \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

static void attr_ints(struct tw_net *net, const char *name, size_t n, const int64_t *x)
{
    nets_ok(tw_net_attr_ints(net, name, n, x, &nets_err) == TW_OK);
}

/* Rows of whole numbers between lo and hi. */
static struct tw_array index_data(int rank, const size_t *dims, int64_t lo, int64_t hi)
{
    struct tw_array a = { 0 };
    size_t all[TW_MAX_RANK] = { NETS_SAMPLES };

    for (int i = 0; i < rank; i++)
        all[1 + i] = dims[i];
    nets_ok(tw_array_make(&a, TW_I64, rank + 1, all, &nets_err) == TW_OK);
    for (size_t i = 0; i < a.n; i++)
        tw_array_set_int(&a, i, lo + (int64_t)(i * 7 % (size_t)(hi - lo + 1)));
    return a;
}

static int index_input(struct tw_net *net, const char *name, int rank, const size_t *dims)
{
    int64_t d[TW_MAX_RANK] = { TW_DIM_UNKNOWN };
    int v;

    for (int i = 0; i < rank; i++)
        d[1 + i] = (int64_t)dims[i];
    v = tw_net_input(net, name, TW_I64, rank + 1, d, &nets_err);
    nets_ok(v >= 0);
    return v;
}

/* y squared, so that second derivatives are there. */
static void check(struct tw_net *net, int y, const struct tw_array *const *inputs, const char *name)
{
    y = nets_op2(net, "Mul", y, y);
    nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
    nets_check(net, inputs, name);
}

static void convolutions_transposed(void **state)
{
    static const struct {
        int64_t group, stride, pad, dilation, extra;
        size_t cin, cout;
    } kinds[] = { { 1, 1, 0, 1, 0, 2, 3 }, { 1, 2, 1, 1, 1, 3, 9 }, { 2, 2, 0, 1, 0, 4, 6 },
                  { 1, 1, 1, 2, 0, 2, 3 }, { 3, 3, 2, 1, 2, 3, 3 }, { 1, 1, 3, 1, 0, 2, 2 } };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        size_t cin = kinds[i].cin, cout = kinds[i].cout;
        struct tw_array x = nets_data(3, DIMS(cin, 5, 6), -1, 1);
        struct tw_net *net = nets_new();
        int64_t v = kinds[i].pad;
        char what[32];
        int y = nets_op2(net, "Mul", nets_input(net, "x", 3, DIMS(cin, 5, 6)),
                         nets_param(net, "vvv", 3, DIMS(cin, 5, 6), -1, 1));

        y = nets_op3(net, "ConvTranspose", y,
                     nets_param(net, "w", 4, DIMS(cin, cout / (size_t)kinds[i].group, 3, 2), -1, 1),
                     nets_param(net, "bb", 1, DIMS(cout), -1, 1));
        nets_ok(!tw_net_attr_int(net, "group", kinds[i].group, &nets_err));
        attr_ints(net, "pads", 4, INTS(v, 0, v, v > 1));
        v = kinds[i].stride;
        attr_ints(net, "strides", 2, INTS(v, v));
        v = kinds[i].dilation;
        attr_ints(net, "dilations", 2, INTS(v, v));
        v = kinds[i].extra;
        attr_ints(net, "output_padding", 2, INTS(v, v));
        snprintf(what, sizeof what, "ConvTranspose %zu", i);
        check(net, y, (const struct tw_array *const[]){ &x }, what);
        tw_array_release(&x);
    }
}

static void places_by_data(void **state)
{
    struct tw_array x = nets_data(2, DIMS(4, 3), 0.5, 1.5);
    struct tw_array rows = index_data(1, DIMS(5), -4, 3);
    struct tw_array elements = index_data(2, DIMS(2, 3), -4, 3);
    struct tw_array pairs = index_data(2, DIMS(5, 2), -3, 2);

    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        static const char *const names[] = { "Gather of data", "Gather of columns of weights",
                                             "GatherElements", "GatherElements of weights",
                                             "GatherND" };
        struct tw_net *net = nets_new();
        int w = nets_param(net, "w", 2, DIMS(4, 3), 0.5, 1.5), k, y;
        int v = nets_op2(net, "Mul", nets_input(net, "x", 2, DIMS(4, 3)), w);
        const struct tw_array *in[2] = { &x, kind < 2 ? &rows : kind < 4 ? &elements : &pairs };

        if (kind < 2) {
            k = index_input(net, "index", 1, DIMS(5));
            y = nets_op2(net, "Gather", kind ? nets_op1(net, "Transpose", w) : v, k);
            nets_ok(!tw_net_attr_int(net, "axis", 1, &nets_err));
        } else if (kind < 4) {
            k = index_input(net, "index", 2, DIMS(2, 3));
            if (kind == 3)
                v = nets_op2(net, "Unsqueeze", w, nets_ints(net, "zero", 1, INTS(0)));
            y = nets_op2(net, "GatherElements", v, k);
            nets_ok(!tw_net_attr_int(net, "axis", 1, &nets_err));
        } else {
            k = index_input(net, "index", 2, DIMS(5, 2));
            y = nets_op2(net, "GatherND", v, k);
            nets_ok(!tw_net_attr_int(net, "batch_dims", 1, &nets_err));
        }
        if (kind == 1) /* y: [3, n, 5] */
            y = nets_op2(net, "Mul", nets_op1(net, "Tanh", y),
                         nets_op1(net, "ReduceMean", nets_op1(net, "Exp", v)));
        check(net, y, in, names[kind]);
    }
    tw_array_release(&x);
    tw_array_release(&rows);
    tw_array_release(&elements);
    tw_array_release(&pairs);
}

static void images_resized(void **state)
{
    struct tw_array x = nets_data(3, DIMS(2, 4, 5), -1, 1);

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        static const char *const modes[] = { "nearest", "linear", "linear", "nearest" };
        static const char *const places[] = { "asymmetric", "half_pixel", "align_corners",
                                              "half_pixel" };
        struct tw_array scales = { 0 };
        struct tw_net *net = nets_new();
        int y = nets_op2(net, "Mul", nets_input(net, "x", 3, DIMS(2, 4, 5)),
                         nets_param(net, "w", 3, DIMS(2, 4, 5), -1, 1));

        nets_ok(!tw_array_make(&scales, TW_F32, 1, DIMS(4), &nets_err));
        for (size_t i = 0; i < 4; i++)
            tw_array_set_real(&scales, i, i < 2 ? 1.0 : kind == 3 ? 0.6 : 2.0);
        y = nets_op(net, "Resize", 3,
                    (const int[]){ y, -1, tw_net_init(net, "scales", &scales, &nets_err) });
        nets_ok(!tw_net_attr_text(net, "mode", modes[kind], &nets_err));
        nets_ok(!tw_net_attr_text(net, "coordinate_transformation_mode", places[kind], &nets_err));
        check(net, y, (const struct tw_array *const[]){ &x }, "Resize");
    }
    tw_array_release(&x);
}

static void functions_of_several(void **state)
{
    struct tw_array x = nets_data(3, DIMS(4, 3, 2), 0.5, 1.5);
    static const char *const names[] = { "Tan",   "Sinh",   "Cosh",
                                         "LRN",   "CumSum", "MeanVarianceNormalization",
                                         "Shrink" };

    (void)state;
    for (int kind = 0; kind < 7; kind++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 3, DIMS(4, 3, 2));
        int y = nets_op2(net, "Mul", in, nets_param(net, "w", 3, DIMS(4, 3, 2), -0.6, 0.6));

        y = kind == 4 ? nets_op2(net, names[kind], y, nets_ints(net, "two", 1, INTS(2)))
                      : nets_op1(net, names[kind], y);
        if (kind == 3) {
            nets_ok(!tw_net_attr_int(net, "size", 3, &nets_err));
            nets_ok(!tw_net_attr_real(net, "alpha", 0.9, &nets_err));
        } else if (kind == 4) {
            nets_ok(!tw_net_attr_int(net, "reverse", 1, &nets_err));
        } else if (kind == 6) {
            nets_ok(!tw_net_attr_real(net, "lambd", 0.01, &nets_err));
            nets_ok(!tw_net_attr_real(net, "bias", 0.25, &nets_err));
        }
        y = nets_op2(net, "Mul", y, in); /* what is normalised has squares that do not change */
        check(net, y, (const struct tw_array *const[]){ &x }, names[kind]);
    }
    tw_array_release(&x);
}

/* With a factor of 0: the derivative is the product of the others. */
static void products_and_remainders(void **state)
{
    struct tw_array x = nets_data(2, DIMS(3, 4), 0.5, 1.5);

    (void)state;
    for (size_t i = 0; i < x.n; i += 5)
        tw_array_set_real(&x, i, 0.0);
    for (int kind = 0; kind < 4; kind++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 2, DIMS(3, 4)), y;

        y = nets_op2(net, "Mul", in, nets_param(net, "w", 2, DIMS(3, 4), -1.5, 1.5));
        if (kind < 2) {
            y = nets_op1(net, "ReduceProd", y);
            nets_ok(!tw_net_attr_ints(net, "axes", (size_t)kind + 1, INTS(2, -2), &nets_err));
        } else {
            y = nets_op2(net, "Add", y, tw_net_real(net, "shift", 0.123, &nets_err));
            y = nets_op2(net, "Mod", y, nets_param(net, "divisor", 1, DIMS(4), 0.4, 0.6));
            nets_ok(!tw_net_attr_int(net, "fmod", kind == 3, &nets_err));
        }
        check(net, y, (const struct tw_array *const[]){ &x }, kind < 2 ? "ReduceProd" : "Mod");
    }
    tw_array_release(&x);
}

static void sums_over_letters(void **state)
{
    struct tw_array x = nets_data(2, DIMS(3, 4), -1, 1);
    static const char *const equations[] = { "btd,dhe->bthe",  "bhd,bkd->bhk",   "bhd,bkd->kb",
                                             "btd,btd->b",     "bij->bji",       "btd,d,btd->bd",
                                             "bts, ...d->bsd", "b...,...->b...", "bxd,bxd",
                                             "btd,de,bse->bts" };

    (void)state;
    for (size_t k = 0; k < sizeof equations / sizeof *equations; k++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 2, DIMS(3, 4)), y;
        int v = nets_op2(net, "Mul", in, nets_param(net, "w", 2, DIMS(3, 4), -1, 1));
        int u = nets_op1(net, "Tanh", v), args[3] = { v, u, u };

        if (k == 0)
            args[1] = nets_param(net, "ww", 3, DIMS(4, 2, 5), -1, 1);
        else if (k == 5)
            args[1] = nets_param(net, "ww", 1, DIMS(4), -1, 1);
        else if (k == 6)
            args[1] = nets_param(net, "ww", 1, DIMS(2), -1, 1);
        else if (k == 7)
            args[1] = nets_param(net, "ww", 2, DIMS(3, 4), -1, 1);
        else if (k == 9)
            args[1] = nets_param(net, "ww", 2, DIMS(4, 4), -1, 1);
        y = nets_op(net, "Einsum", k == 4 ? 1 : k == 5 || k == 9 ? 3 : 2, args);
        nets_ok(!tw_net_attr_text(net, "equation", equations[k], &nets_err));
        check(net, y, (const struct tw_array *const[]){ &x }, equations[k]);
    }
    tw_array_release(&x);
}

/* The mean and the inverse deviation that LayerNormalization gives besides. */
static void statistics_of_layers(void **state)
{
    struct tw_array x = nets_data(2, DIMS(3, 5), -1, 1);

    (void)state;
    for (int which = 0; which < 3; which++) {
        struct tw_net *net = nets_new();
        int y = nets_op2(net, "Mul", nets_input(net, "x", 2, DIMS(3, 5)),
                         nets_param(net, "w", 2, DIMS(3, 5), 0.5, 1.5));
        int in[2] = { y, nets_param(net, "gg", 1, DIMS(5), 0.5, 1.5) }, out[3];

        for (int i = 0; i < 3; i++)
            out[i] = tw_net_value(net, NULL, &nets_err);
        nets_ok(tw_net_node(net, "LayerNormalization", NULL, 2, in, 3, out, &nets_err) >= 0);
        y = nets_op2(net, "Mul", out[which], out[which < 2 ? 2 : 0]);
        check(net, y, (const struct tw_array *const[]){ &x }, "LayerNormalization");
    }
    tw_array_release(&x);
}

/* on and off values that are differentiable, at places that are data. */
static void one_of_several(void **state)
{
    struct tw_array k = index_data(1, DIMS(4), -3, 4);
    struct tw_net *net = nets_new();
    int in = index_input(net, "index", 1, DIMS(4)), y;
    struct tw_array depth = { 0 };

    (void)state;
    nets_ok(!tw_array_make(&depth, TW_I64, 0, NULL, &nets_err));
    tw_array_set_int(&depth, 0, 3);
    y = nets_op3(net, "OneHot", in, tw_net_init(net, "depth", &depth, &nets_err),
                 nets_op1(net, "Tanh", nets_param(net, "values", 1, DIMS(2), -1, 1)));
    nets_ok(!tw_net_attr_int(net, "axis", 1, &nets_err));
    check(net, y, (const struct tw_array *const[]){ &k }, "OneHot");
    tw_array_release(&k);
}

/* An index out of range is no place: NaN, and nothing is read or written there. */
static void places_out_of_range(void **state)
{
    struct tw_array x = nets_data(1, DIMS(3), 0.5, 1.5), k = { 0 };
    struct tw_net *net = nets_new();
    int y = nets_op2(net, "Mul", nets_input(net, "x", 1, DIMS(3)),
                     nets_param(net, "w", 1, DIMS(3), 0.5, 1.5));
    double out[NETS_SAMPLES * 4], gradient[3];
    struct tw_graph *g;
    struct tw_exec *e;
    struct tw_exec_run run = { .n = NETS_SAMPLES,
                               .inputs = (const struct tw_array *const[]){ &x, &k },
                               .outputs = (double *const[]){ out },
                               .gradient = gradient };

    (void)state;
    nets_ok(!tw_array_make(&k, TW_I64, 2, DIMS(NETS_SAMPLES, 4), &nets_err));
    for (size_t i = 0; i < k.n; i++)
        tw_array_set_int(&k, i, INTS(3, -4, INT64_MAX, 1)[i % 4]);
    y = nets_op2(net, "GatherElements", y, index_input(net, "index", 1, DIMS(4)));
    nets_ok(!tw_net_attr_int(net, "axis", 1, &nets_err));
    nets_ok(!tw_net_output(net, y, &nets_err));
    g = tw_graph_new(net, NULL, &nets_err);
    nets_ok(g != NULL);
    e = tw_exec_new(g, &(struct tw_exec_options){ .gradient = true }, &nets_err);
    nets_ok(e != NULL);
    nets_ok(tw_exec_run(e, &run, &nets_err) == TW_OK);
    for (size_t i = 0; i < NETS_SAMPLES * 4; i++)
        assert_true(isnan(out[i]) == (i % 4 < 3));
    assert_true(gradient[0] == 0.0 && gradient[2] == 0.0 && gradient[1] > 0.0);
    tw_exec_free(e);
    tw_graph_free(g);
    tw_net_free(net);
    tw_array_release(&x);
    tw_array_release(&k);
}

/* Bounds, exponents and fills that a file stores like weights are no parameters, unless asked. */
static void settings_are_no_parameters(void **state)
{
    const char *const train[] = { "low" };
    const struct tw_graph_options asked = { .ntrain = 1, .train = train };
    struct tw_net *net = nets_new();
    struct tw_graph *g;
    int y = nets_op2(net, "Mul", nets_input(net, "x", 1, DIMS(3)),
                     nets_param(net, "w", 1, DIMS(3), 0.5, 1.5));

    (void)state;
    y = nets_op3(net, "Clip", y, nets_param(net, "low", 0, NULL, 0, 1),
                 nets_param(net, "high", 0, NULL, 1, 2));
    y = nets_op2(net, "Pow", y, nets_param(net, "exponent", 0, NULL, 2, 3));
    y = nets_op3(net, "Pad", y, nets_ints(net, "pads", 4, INTS(0, 1, 0, 1)),
                 nets_param(net, "fill", 0, NULL, 0, 1));
    nets_ok(!tw_net_output(net, y, &nets_err));
    g = tw_graph_new(net, NULL, &nets_err);
    nets_ok(g != NULL);
    assert_int_equal(tw_graph_layout(g)->nparam, 1);
    tw_graph_free(g);
    g = tw_graph_new(net, &asked, &nets_err);
    nets_ok(g != NULL);
    assert_int_equal(tw_graph_layout(g)->nparam, 2);
    assert_non_null(tw_layout_find(tw_graph_layout(g), "low"));
    tw_graph_free(g);
    tw_net_free(net);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(convolutions_transposed), cmocka_unit_test(places_by_data),
        cmocka_unit_test(images_resized),          cmocka_unit_test(functions_of_several),
        cmocka_unit_test(products_and_remainders), cmocka_unit_test(sums_over_letters),
        cmocka_unit_test(statistics_of_layers),    cmocka_unit_test(one_of_several),
        cmocka_unit_test(places_out_of_range),     cmocka_unit_test(settings_are_no_parameters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
