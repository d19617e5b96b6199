/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Every differentiable operator: values against the reference interpreter, tangents, gradients
 * and Hessian-vector products against differences. */
#include "graph/ir.h"
#include "graph_test.h"

#define DIMS(...)                                                                                  \
    (const size_t[])                                                                               \
    {                                                                                              \
        __VA_ARGS__                                                                                \
    }

/* x w, then the function, so that the function sees values between about -2 and 2. */
static void functions_of_one_number(void **state)
{
    static const struct {
        const char *op;
        double lo, hi;
    } ops[] = { { "Neg", -1, 1 },         { "Abs", 0.2, 1 },      { "Exp", -1, 1 },
                { "Log", 0.2, 1 },        { "Sqrt", 0.2, 1 },     { "Reciprocal", 0.3, 1 },
                { "Sin", -1, 1 },         { "Cos", -1, 1 },       { "Tanh", -1, 1 },
                { "Sigmoid", -1, 1 },     { "Erf", -1, 1 },       { "Relu", -1, 1 },
                { "LeakyRelu", -1, 1 },   { "Elu", -1, 1 },       { "Selu", -1, 1 },
                { "Celu", -1, 1 },        { "Softplus", -1, 1 },  { "Softsign", -1, 1 },
                { "HardSigmoid", -1, 1 }, { "HardSwish", -1, 1 }, { "Gelu", -1, 1 },
                { "Mish", -1, 1 } };

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct tw_net *net = nets_new();
        struct tw_array x = nets_data(1, DIMS(3), 0.5, 1.5);
        int w = nets_param(net, "w", 2, DIMS(3, 4), ops[i].lo, ops[i].hi);
        int y = nets_op2(net, "MatMul", nets_input(net, "x", 1, DIMS(3)), w);

        if (!strcmp(ops[i].op, "Mish") || !strcmp(ops[i].op, "Gelu"))
            net->opset = 20;
        y = nets_op1(net, ops[i].op, y);
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        nets_check(net, (const struct tw_array *const[]){ &x }, ops[i].op);
        tw_array_release(&x);
    }
}

static void functions_of_two_numbers(void **state)
{
    static const char *const ops[] = { "Add", "Sub", "Mul", "Div", "Max", "Min", "Pow" };

    (void)state;
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        struct tw_net *net = nets_new();
        struct tw_array x = nets_data(2, DIMS(2, 3), 0.5, 1.5);
        int in = nets_input(net, "x", 2, DIMS(2, 3));
        int a = nets_op2(net, "Mul", in, nets_param(net, "a", 2, DIMS(2, 3), 0.5, 1.5));
        int b = nets_param(net, "bb", 1, DIMS(3), 0.5, 1.5);
        int c = nets_op2(net, "Mul", in, nets_param(net, "ccc", 2, DIMS(2, 1), 0.5, 1.5));
        int y = nets_op2(net, ops[i], nets_op2(net, ops[i], a, b), c);
        int z = nets_op2(net, ops[i], b, y); /* uniform on the left */
        int u = nets_op2(net, ops[i], b, nets_param(net, "dddd", 2, DIMS(2, 1), 0.5, 1.5));

        z = nets_op2(net, "Mul", z, nets_op1(net, "Tanh", u)); /* both uniform */
        nets_ok(tw_net_output(net, z, &nets_err) == TW_OK);
        nets_check(net, (const struct tw_array *const[]){ &x }, ops[i]);
        tw_array_release(&x);
    }
}

static void products_of_matrices(void **state)
{
    struct tw_array x = nets_data(2, DIMS(3, 4), -1, 1);

    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 2, DIMS(3, 4)), y, w;
        char what[32];

        if (kind == 0) { /* weights on the right */
            y = nets_op2(net, "MatMul", in, nets_param(net, "w", 2, DIMS(4, 5), -1, 1));
        } else if (kind == 1) { /* on the left */
            y = nets_op2(net, "MatMul", nets_param(net, "w", 2, DIMS(5, 3), -1, 1), in);
        } else if (kind == 2) { /* both depend on the data */
            y = nets_op2(net, "MatMul", in, nets_param(net, "w", 2, DIMS(4, 5), -1, 1));
            y = nets_op2(net, "MatMul", nets_op1(net, "Tanh", y),
                         nets_op2(net, "MatMul", nets_param(net, "vv", 2, DIMS(5, 3), -1, 1), in));
        } else if (kind == 3) { /* weights for each of a batch */
            y = nets_op2(net, "MatMul", nets_param(net, "w", 3, DIMS(2, 5, 3), -1, 1), in);
        } else { /* a product of weights */
            w = nets_op2(net, "MatMul", nets_param(net, "w", 2, DIMS(4, 2), -1, 1),
                         nets_param(net, "vv", 2, DIMS(2, 6), -1, 1));
            y = nets_op2(net, "MatMul", in, nets_op1(net, "Tanh", w));
        }
        y = nets_op1(net, "Tanh", y);
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        snprintf(what, sizeof what, "MatMul %d", kind);
        nets_check(net, (const struct tw_array *const[]){ &x }, what);
    }
    tw_array_release(&x);
}

static void gemm_in_all_forms(void **state)
{
    struct tw_array x = nets_data(1, DIMS(7), -1, 1);

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct tw_net *net = nets_new();
        bool tb = kind & 1, scaled = kind & 2;
        int in = nets_input(net, "x", 1, DIMS(7)), y;
        int w = nets_param(net, "w", 2, tb ? DIMS(9, 7) : DIMS(7, 9), -1, 1);

        y = nets_op3(net, "Gemm", in, w, nets_param(net, "bb", 1, DIMS(9), -1, 1));
        nets_ok(tw_net_attr_int(net, "transB", tb, &nets_err) == TW_OK);
        if (scaled) {
            nets_ok(tw_net_attr_real(net, "alpha", 0.5, &nets_err) == TW_OK);
            nets_ok(tw_net_attr_real(net, "beta", 2.0, &nets_err) == TW_OK);
        }
        y = nets_op1(net, "Gelu", y);
        net->opset = 20;
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        nets_check(net, (const struct tw_array *const[]){ &x }, "Gemm");
    }
    tw_array_release(&x);
}

/* Weights that are many, whose gradient is made after all tiles; used once, or twice. */
static void full_connections(void **state)
{
    struct tw_array x = nets_data(1, DIMS(70), -1, 1);

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 1, DIMS(70)), y;
        int w = nets_param(net, "w", 2, DIMS(70, 70), -0.3, 0.3);
        char what[32];

        y = nets_op3(net, "Gemm", in, w, nets_param(net, "bb", 1, DIMS(70), -1, 1));
        nets_ok(tw_net_attr_int(net, "transB", kind == 1, &nets_err) == TW_OK);
        y = nets_op1(net, "Tanh", y);
        y = nets_op2(net, "MatMul", y,
                     kind == 2 ? w : nets_param(net, "vvv", 2, DIMS(70, 110), -0.3, 0.3));
        y = nets_op1(net, "Tanh", y);
        y = nets_op2(net, "MatMul", y,
                     nets_param(net, "uuuu", 2, kind == 2 ? DIMS(70, 3) : DIMS(110, 3), -1, 1));
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        snprintf(what, sizeof what, "full connection %d", kind);
        nets_check(net, (const struct tw_array *const[]){ &x }, what);
    }
    tw_array_release(&x);
}

static void convolutions(void **state)
{
    static const struct {
        int64_t group, stride, pad, dilation;
        size_t cin, cout;
    } kinds[] = { { 1, 1, 0, 1, 2, 3 }, { 1, 1, 1, 1, 3, 9 }, { 1, 2, 1, 1, 2, 4 },
                  { 2, 1, 1, 1, 4, 6 }, { 1, 1, 2, 2, 2, 3 }, { 4, 1, 1, 1, 4, 4 },
                  { 1, 3, 1, 1, 1, 2 } };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        struct tw_net *net = nets_new();
        size_t cin = kinds[i].cin, cout = kinds[i].cout;
        struct tw_array x = nets_data(3, DIMS(cin, 5, 6), -1, 1);
        int64_t two[2], four[4];
        char what[32];
        int y =
            nets_op3(net, "Conv", nets_input(net, "x", 3, DIMS(cin, 5, 6)),
                     nets_param(net, "w", 4, DIMS(cout, cin / (size_t)kinds[i].group, 3, 3), -1, 1),
                     nets_param(net, "bb", 1, DIMS(cout), -1, 1));

        nets_ok(!tw_net_attr_int(net, "group", kinds[i].group, &nets_err));
        two[0] = two[1] = kinds[i].stride;
        nets_ok(!tw_net_attr_ints(net, "strides", 2, two, &nets_err));
        two[0] = two[1] = kinds[i].dilation;
        nets_ok(!tw_net_attr_ints(net, "dilations", 2, two, &nets_err));
        four[0] = four[1] = four[2] = four[3] = kinds[i].pad;
        nets_ok(!tw_net_attr_ints(net, "pads", 4, four, &nets_err));
        /* A second one, so that the way back goes through an input as well. */
        y = nets_op2(net, "Conv", nets_op1(net, "Tanh", y),
                     nets_param(net, "vvv", 4, DIMS(2, cout, 1, 2), -1, 1));
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        snprintf(what, sizeof what, "Conv %zu", i);
        nets_check(net, (const struct tw_array *const[]){ &x }, what);
        tw_array_release(&x);
    }
}

/* Channels enough for minimal filtering; paddings of every kind, with and without a bias. */
static void convolutions_of_3_by_3(void **state)
{
    static const struct {
        size_t cin, middle, cout, in[2];
        int64_t pads[4], pads2[4];
        const char *f;
        bool bias;
    } kinds[] = {
        { 8, 9, 8, { 5, 6 }, { 1, 1, 1, 1 }, { 0, 0, 0, 0 }, "Relu", true },
        { 3, 8, 17, { 7, 7 }, { 0, 0, 0, 0 }, { 1, 0, 2, 1 }, "Tanh", false },
        { 8, 8, 8, { 4, 5 }, { 2, 2, 2, 2 }, { 0, 2, 0, 1 }, "Softplus", true },
        { 16, 16, 1, { 7, 8 }, { 1, 1, 1, 1 }, { 0, 0, 0, 0 }, "Sigmoid", true },
    };

    (void)state;
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        const size_t c[3] = { kinds[i].cin, kinds[i].middle, kinds[i].cout };
        struct tw_net *net = nets_new();
        struct tw_array x = nets_data(3, DIMS(c[0], kinds[i].in[0], kinds[i].in[1]), -1, 1);
        const int in[3] = { nets_input(net, "x", 3, DIMS(c[0], kinds[i].in[0], kinds[i].in[1])),
                            nets_param(net, "w", 4, DIMS(c[1], c[0], 3, 3), -0.3, 0.3),
                            nets_param(net, "bb", 1, DIMS(c[1]), -1, 1) };
        char what[32];
        int y = nets_op(net, "Conv", kinds[i].bias ? 3 : 2, in);

        nets_ok(!tw_net_attr_ints(net, "pads", 4, kinds[i].pads, &nets_err));
        y = nets_op3(net, "Conv", nets_op1(net, kinds[i].f, y),
                     nets_param(net, "vvv", 4, DIMS(c[2], c[1], 3, 3), -0.3, 0.3),
                     nets_param(net, "cccc", 1, DIMS(c[2]), -1, 1));
        nets_ok(!tw_net_attr_ints(net, "pads", 4, kinds[i].pads2, &nets_err));
        y = nets_op1(net, "Tanh", y);
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        snprintf(what, sizeof what, "3 x 3 windows, %zu", i);
        nets_check(net, (const struct tw_array *const[]){ &x }, what);
        tw_array_release(&x);
    }
}

static int attention(struct tw_net *net, int x)
{
    int q = nets_op2(net, "MatMul", x, nets_param(net, "q", 2, DIMS(4, 4), -1, 1));
    int k = nets_op2(net, "MatMul", x, nets_param(net, "kk", 2, DIMS(4, 4), -1, 1));
    int v = nets_op2(net, "MatMul", x, nets_param(net, "vvv", 2, DIMS(4, 4), -1, 1));
    int64_t perm[] = { 0, 2, 1 };
    int t = nets_op1(net, "Transpose", k), s;

    nets_ok(!tw_net_attr_ints(net, "perm", 3, perm, &nets_err));
    s = nets_op2(net, "MatMul", q, t);
    s = nets_op1(net, "Softmax", s);
    return nets_op2(net, "MatMul", s, v);
}

static void rows_normalised(void **state)
{
    struct tw_array x = nets_data(2, DIMS(5, 4), -1, 1);

    (void)state;
    for (int kind = 0; kind < 6; kind++) {
        static const char *const names[] = { "Softmax",   "LogSoftmax", "LayerNormalization",
                                             "attention", "ReduceMean", "InstanceNormalization" };
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 2, DIMS(5, 4)), y;
        int w = nets_param(net, "w", 2, DIMS(4, 4), -1, 1);

        y = nets_op2(net, "MatMul", in, w);
        if (kind < 2) {
            y = nets_op1(net, names[kind], y);
            nets_ok(!tw_net_attr_int(net, "axis", kind ? 1 : -1, &nets_err));
        } else if (kind == 2) {
            y = nets_op3(net, names[kind], y, nets_param(net, "gg", 1, DIMS(4), 0.5, 1.5),
                         nets_param(net, "bbb", 1, DIMS(4), -1, 1));
        } else if (kind == 3) {
            y = attention(net, in);
        } else if (kind == 4) {
            y = nets_op1(net, "Tanh", y);
            y = nets_op1(net, names[kind], y);
            nets_ok(!tw_net_attr_ints(net, "axes", 1, (const int64_t[]){ 1 }, &nets_err));
        } else {
            y = nets_op3(net, names[kind], y, nets_param(net, "gg", 1, DIMS(5), 0.5, 1.5),
                         nets_param(net, "bbb", 1, DIMS(5), -1, 1));
        }
        y = nets_op2(net, "Mul", y, nets_op1(net, "Sin", in));
        if (kind != 4)
            y = nets_op2(net, "Mul", y, y);
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        nets_check(net, (const struct tw_array *const[]){ &x }, names[kind]);
    }
    tw_array_release(&x);
}

static void pools(void **state)
{
    struct tw_array x = nets_data(3, DIMS(2, 5, 6), -1, 1);
    static const char *const names[] = { "MaxPool", "AveragePool", "GlobalAveragePool",
                                         "GlobalMaxPool" };

    (void)state;
    for (int kind = 0; kind < 4; kind++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 3, DIMS(2, 5, 6));
        int y = nets_op2(net, "Mul", in, nets_param(net, "w", 3, DIMS(2, 5, 6), 0.5, 1.5));

        y = nets_op1(net, names[kind], nets_op1(net, "Tanh", y));
        if (kind < 2) {
            nets_ok(
                !tw_net_attr_ints(net, "kernel_shape", 2, (const int64_t[]){ 3, 2 }, &nets_err));
            nets_ok(!tw_net_attr_ints(net, "strides", 2, (const int64_t[]){ 2, 1 }, &nets_err));
            nets_ok(!tw_net_attr_ints(net, "pads", 4, (const int64_t[]){ 1, 0, 1, 1 }, &nets_err));
        }
        y = nets_op1(net, "Exp", y);
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        nets_check(net, (const struct tw_array *const[]){ &x }, names[kind]);
    }
    tw_array_release(&x);
}

static void numbers_moved(void **state)
{
    struct tw_array x = nets_data(2, DIMS(4, 6), -1, 1);
    static const char *const names[] = { "Slice", "Concat", "Pad",   "Expand", "Gather",
                                         "Split", "Tile",   "Where", "Trilu",  "Transpose" };

    (void)state;
    for (int kind = 0; kind < 10; kind++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 2, DIMS(4, 6)), y, z;
        int w = nets_param(net, "w", 2, DIMS(4, 6), -1, 1);

        y = nets_op1(net, "Tanh", nets_op2(net, "Mul", in, w));
        if (kind == 0) {
            int s = nets_ints(net, "s", 2, (const int64_t[]){ 3, 1 });
            int e = nets_ints(net, "e", 2, (const int64_t[]){ -9, 6 });
            int a = nets_ints(net, "a", 2, (const int64_t[]){ 1, 2 });
            int p = nets_ints(net, "p", 2, (const int64_t[]){ -2, 2 });

            y = nets_op(net, "Slice", 5, (const int[]){ y, s, e, a, p });
        } else if (kind == 1) {
            y = nets_op3(net, "Concat", y, in, y);
            nets_ok(!tw_net_attr_int(net, "axis", 2, &nets_err));
        } else if (kind == 2) {
            z = nets_ints(net, "p", 6, (const int64_t[]){ 0, 1, 2, 0, 0, 1 });
            y = nets_op2(net, "Pad", y, z);
            z = nets_ints(net, "p2", 6, (const int64_t[]){ 0, 2, 1, 0, 1, 3 });
            y = nets_op2(net, "Pad", y, z);
            nets_ok(!tw_net_attr_text(net, "mode", "reflect", &nets_err));
        } else if (kind == 3) {
            y = nets_op2(net, "Unsqueeze", y, nets_ints(net, "u", 1, (const int64_t[]){ 1 }));
            y = nets_op2(net, "Expand", y, nets_ints(net, "s", 4, (const int64_t[]){ 1, 3, 4, 6 }));
        } else if (kind == 4) {
            y = nets_op2(net, "Gather", y, nets_ints(net, "s", 3, (const int64_t[]){ 2, -1, 2 }));
            nets_ok(!tw_net_attr_int(net, "axis", 1, &nets_err));
            y = nets_op2(
                net, "Mul", y,
                nets_op2(net, "Gather", w, nets_ints(net, "t", 3, (const int64_t[]){ 0, 1, 0 })));
        } else if (kind == 5) {
            int out[2] = { tw_net_value(net, NULL, &nets_err), tw_net_value(net, NULL, &nets_err) };
            int sizes = nets_ints(net, "s", 2, (const int64_t[]){ 2, 4 });

            nets_ok(tw_net_node(net, "Split", NULL, 2, (const int[]){ y, sizes }, 2, out,
                                &nets_err) >= 0);
            nets_ok(!tw_net_attr_int(net, "axis", 2, &nets_err));
            y = nets_op2(net, "MatMul", nets_op2(net, "Mul", out[0], out[0]),
                         nets_param(net, "vv", 2, DIMS(2, 4), -1, 1));
            y = nets_op2(net, "Mul", y, out[1]);
        } else if (kind == 6) {
            y = nets_op2(net, "Tile", y, nets_ints(net, "s", 3, (const int64_t[]){ 1, 2, 3 }));
        } else if (kind == 7) {
            int zero = tw_net_real(net, "zero", 0.0, &nets_err);
            int c = nets_op2(net, "Greater", in, zero);

            y = nets_op3(net, "Where", c, y, nets_op1(net, "Exp", w));
        } else if (kind == 8) {
            y = nets_op1(net, "Trilu", y);
        } else {
            y = nets_op1(net, "Transpose", y);
            nets_ok(!tw_net_attr_ints(net, "perm", 3, (const int64_t[]){ 2, 0, 1 }, &nets_err));
        }
        y = nets_op2(net, "Mul", y, y);
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        nets_check(net, (const struct tw_array *const[]){ &x }, names[kind]);
    }
    tw_array_release(&x);
}

static void reductions(void **state)
{
    struct tw_array x = nets_data(2, DIMS(4, 6), 0.5, 1.5);
    static const char *const names[] = { "ReduceSum",      "ReduceMean", "ReduceMax",
                                         "ReduceMin",      "ReduceL2",   "ReduceLogSumExp",
                                         "ReduceSumSquare" };

    (void)state;
    for (int kind = 0; kind < 7; kind++)
        for (int keep = 0; keep < 2; keep++) {
            struct tw_net *net = nets_new();
            int in = nets_input(net, "x", 2, DIMS(4, 6)), y;

            y = nets_op2(net, "Mul", in, nets_param(net, "w", 2, DIMS(4, 6), 0.5, 1.5));
            if (kind == 0)
                y = nets_op2(net, names[kind], y, nets_ints(net, "a", 1, (const int64_t[]){ -1 }));
            else
                y = nets_op1(net, names[kind], y);
            if (kind)
                nets_ok(!tw_net_attr_ints(net, "axes", 1, (const int64_t[]){ 1 }, &nets_err));
            nets_ok(!tw_net_attr_int(net, "keepdims", keep, &nets_err));
            y = nets_op2(net, "Mul", y, y);
            nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
            nets_check(net, (const struct tw_array *const[]){ &x }, names[kind]);
        }
    tw_array_release(&x);
}

static void losses(void **state)
{
    struct tw_array x = nets_data(2, DIMS(6, 3), -1, 1), t = { 0 };

    (void)state;
    nets_ok(!tw_array_make(&t, TW_I64, 2, DIMS(NETS_SAMPLES, 3), &nets_err));
    for (size_t i = 0; i < t.n; i++)
        tw_array_set_int(&t, i, (int64_t)(i * 7 % 6));
    for (int kind = 0; kind < 4; kind++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 2, DIMS(6, 3)), y;
        int64_t dims[2] = { TW_DIM_UNKNOWN, 3 };
        int target = tw_net_input(net, "target", TW_I64, 2, dims, &nets_err);
        int w = nets_param(net, "w", 2, DIMS(6, 6), -2, 2);

        y = nets_op2(net, "MatMul", w, in);
        if (kind == 2) {
            y = nets_op1(net, "LogSoftmax", y);
            nets_ok(!tw_net_attr_int(net, "axis", 1, &nets_err));
            y = nets_op2(net, "NegativeLogLikelihoodLoss", y, target);
        } else if (kind == 3) {
            y = nets_op3(net, "SoftmaxCrossEntropyLoss", y, target,
                         nets_param(net, "classes", 1, DIMS(6), 0.5, 1.5));
        } else {
            y = nets_op2(net, "SoftmaxCrossEntropyLoss", y, target);
        }
        if (kind != 3)
            nets_ok(!tw_net_attr_text(net, "reduction", kind ? "none" : "mean", &nets_err));
        if (kind)
            nets_ok(!tw_net_attr_int(net, "ignore_index", 2, &nets_err));
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        nets_check(net, (const struct tw_array *const[]){ &x, &t }, "cross-entropy");
    }
    tw_array_release(&x);
    tw_array_release(&t);
}

static void an_absent_input_is_said_to_be_missing(void **state)
{
    static const char *const ops[] = { "Add", "Relu", "ReduceSum" };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct tw_net *net = nets_new();
        struct tw_err err = { 0 };
        const int in[2] = { -1, nets_input(net, "x", 1, DIMS(4)) };

        nets_ok(tw_net_output(net, nets_op(net, ops[i], 2, in), &nets_err) == TW_OK);
        assert_null(tw_graph_new(net, NULL, &err));
        assert_int_equal(err.code, TW_EFORMAT);
        assert_non_null(strstr(err.msg, ops[i]));
        tw_net_free(net);
    }
}

static void rows_of_a_table(void **state)
{
    struct tw_array t = { 0 };
    struct tw_net *net = nets_new();
    int64_t dims[2] = { TW_DIM_UNKNOWN, 5 };
    int in, y;

    (void)state;
    nets_ok(!tw_array_make(&t, TW_I64, 2, DIMS(NETS_SAMPLES, 5), &nets_err));
    for (size_t i = 0; i < t.n; i++)
        tw_array_set_int(&t, i, (int64_t)(i * 5 % 8));
    in = tw_net_input(net, "x", TW_I64, 2, dims, &nets_err);
    y = nets_op2(net, "Gather", nets_param(net, "w", 2, DIMS(8, 3), -1, 1), in);
    y = nets_op2(net, "Add", y, nets_param(net, "pp", 2, DIMS(5, 3), -1, 1));
    y = nets_op1(net, "Exp", y);
    nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
    nets_check(net, (const struct tw_array *const[]){ &t }, "Gather of rows");
    tw_array_release(&t);
}

/* How many instructions of one operator the network is compiled to. */
static size_t instructions(const struct tw_net *net, const struct tw_op *op)
{
    struct tw_graph *g = tw_graph_new(net, NULL, &nets_err);
    size_t n = 0;

    nets_ok(g != NULL);
    for (size_t i = 0; i < g->ninstr; i++)
        n += g->instr[i].op == op;
    tw_graph_free(g);
    return n;
}

/* A number that is no parameter. */
static int constant(struct tw_net *net, const char *name, double x)
{
    struct tw_array a = { 0 };

    nets_ok(!tw_array_make(&a, TW_F32, 0, NULL, &nets_err));
    tw_array_set_real(&a, 0, x);
    nets_ok(tw_net_op(net, "Constant", name, 0, NULL, &nets_err) >= 0);
    nets_ok(!tw_net_attr_array(net, "value", &a, &nets_err));
    return tw_net_find(net, name);
}

/* The loss, its gradient, and along one direction its slope and Hessian product, in double. */
struct smoothed {
    double loss[NETS_SAMPLES * 3], slope[NETS_SAMPLES * 3], gradient[36], hvp[36];
};
static struct smoothed run_smoothed(struct tw_net *net, const struct tw_array *const *inputs)
{
    struct tw_graph *g = tw_graph_new(net, NULL, &nets_err);
    struct tw_exec_options o = { .real64 = true, .tangents = 1, .gradient = true };
    struct smoothed s = { .loss = { 0 } };
    struct tw_exec_run run = { .n = NETS_SAMPLES,
                               .inputs = inputs,
                               .outputs = (double *[]){ s.loss },
                               .tangents = (double *[]){ s.slope },
                               .gradient = s.gradient,
                               .hvp = (double *[]){ s.hvp } };
    struct tw_exec *e;
    double d[36];

    nets_ok(g != NULL);
    assert_int_equal(tw_graph_layout(g)->n, 36);
    e = tw_exec_new(g, &o, &nets_err);
    nets_ok(e != NULL);
    for (size_t i = 0; i < 36; i++)
        d[i] = sin((double)i);
    tw_exec_direct_real(e, 1, (const double *const[]){ d });
    nets_ok(tw_exec_run(e, &run, &nets_err) == TW_OK);
    tw_exec_free(e);
    tw_graph_free(g);
    tw_net_free(net);
    return s;
}

/* One instruction against (1 - e) times the plain loss plus e times the mean of -log p. */
static void label_smoothing(void **state)
{
    struct tw_array x = nets_data(2, DIMS(6, 3), -1, 1), t = { 0 };
    struct smoothed s[2];

    (void)state;
    nets_ok(!tw_array_make(&t, TW_I64, 2, DIMS(NETS_SAMPLES, 3), &nets_err));
    for (size_t i = 0; i < t.n; i++)
        tw_array_set_int(&t, i, (int64_t)(i * 7 % 6));
    for (int composed = 0; composed < 2; composed++) {
        struct tw_net *net = nets_new();
        int64_t dims[2] = { TW_DIM_UNKNOWN, 3 };
        int in = nets_input(net, "x", 2, DIMS(6, 3)), y, u;
        int target = tw_net_input(net, "target", TW_I64, 2, dims, &nets_err);

        y = nets_op2(net, "MatMul", nets_param(net, "w", 2, DIMS(6, 6), -2, 2), in);
        if (composed) {
            u = nets_op1(net, "LogSoftmax", y);
            nets_ok(!tw_net_attr_int(net, "axis", 1, &nets_err));
            u = nets_op1(net, "ReduceMean", u);
            nets_ok(!tw_net_attr_ints(net, "axes", 1, (const int64_t[]){ 1 }, &nets_err));
            nets_ok(!tw_net_attr_int(net, "keepdims", 0, &nets_err));
            u = nets_op3(net, "Where", nets_op2(net, "Equal", target, constant(net, "two", 2.0)),
                         constant(net, "zero", 0.0),
                         nets_op2(net, "Mul", u, constant(net, "e", -0.25)));
            y = nets_op2(net, "SoftmaxCrossEntropyLoss", y, target);
            nets_ok(!tw_net_attr_text(net, "reduction", "none", &nets_err));
            nets_ok(!tw_net_attr_int(net, "ignore_index", 2, &nets_err));
            y = nets_op2(net, "Mul", y, constant(net, "f", 0.75));
            y = nets_op2(net, "Add", y, u);
        } else {
            y = nets_op2(net, "tw.CrossEntropy", y, target);
            nets_ok(!tw_net_attr_int(net, "axis", 1, &nets_err));
            nets_ok(!tw_net_attr_int(net, "ignore_index", 2, &nets_err));
            nets_ok(!tw_net_attr_real(net, "label_smoothing", 0.25, &nets_err));
        }
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        s[composed] = run_smoothed(net, (const struct tw_array *const[]){ &x, &t });
    }
    check_vec(s[0].loss, s[1].loss, NETS_SAMPLES * 3, 1e-12, 1e-12);
    check_vec(s[0].slope, s[1].slope, NETS_SAMPLES * 3, 1e-12, 1e-12);
    check_vec(s[0].gradient, s[1].gradient, 36, 1e-12, 1e-12);
    check_vec(s[0].hvp, s[1].hvp, 36, 1e-12, 1e-12);
    tw_array_release(&x);
    tw_array_release(&t);
}

static int split_heads(struct tw_net *net, int v, int64_t positions, const char *name)
{
    int y = nets_op2(net, "Reshape", v,
                     nets_ints(net, name, 4, (const int64_t[]){ -1, positions, 2, 3 }));

    y = nets_op1(net, "Transpose", y);
    nets_ok(!tw_net_attr_ints(net, "perm", 4, (const int64_t[]){ 0, 2, 1, 3 }, &nets_err));
    return y;
}

/* Two heads as frameworks write them; the mask causal, by choice, any, or one for each head (which
 * is no mask of queries and keys, though of as many numbers); scaled or not. */
static void attention_of_several_heads(void **state)
{
    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        const size_t n = kind == 4 ? 2 : 5; /* positions */
        struct tw_array x = nets_data(2, DIMS(n, 6), -1, 1);
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 2, DIMS(n, 6)), q, k, v, s, mask, out[3];
        struct tw_array m = { 0 };
        char what[32];

        s = nets_op2(net, "MatMul", in, nets_param(net, "w", 2, DIMS(6, 18), -1, 1));
        s = nets_op2(net, "Add", s, nets_param(net, "bias", 1, DIMS(18), -1, 1));
        for (int i = 0; i < 3; i++)
            out[i] = tw_net_value(net, NULL, &nets_err);
        nets_ok(
            tw_net_node(net, "Split", NULL, 2,
                        (const int[]){ s, nets_ints(net, "s", 3, (const int64_t[]){ 6, 6, 6 }) }, 3,
                        out, &nets_err) >= 0);
        nets_ok(!tw_net_attr_int(net, "axis", 2, &nets_err));
        q = split_heads(net, out[0], (int64_t)n, "q");
        k = split_heads(net, out[1], (int64_t)n, "k");
        v = split_heads(net, out[2], (int64_t)n, "v");
        k = nets_op1(net, "Transpose", k);
        nets_ok(!tw_net_attr_ints(net, "perm", 4, (const int64_t[]){ 0, 1, 3, 2 }, &nets_err));
        s = nets_op2(net, "MatMul", q, k);
        if (kind != 1)
            s = nets_op2(net, "Mul", s, constant(net, "scale", 0.577));
        nets_ok(!tw_array_make(&m, kind == 2 ? TW_BOOL : TW_F32, kind == 4 ? 3 : 2,
                               kind == 4 ? DIMS(2, 1, n) : DIMS(n, n), &nets_err));
        for (size_t i = 0; i < m.n; i++)
            tw_array_set_real(&m, i,
                              kind == 2        ? i % 5 <= i / 5
                              : kind == 3      ? (double)(i * 7 % 5) - 2.0
                              : i % 5 <= i / 5 ? 0.0
                                               : -HUGE_VAL);
        nets_ok(tw_net_op(net, "Constant", "mask", 0, NULL, &nets_err) >= 0);
        nets_ok(!tw_net_attr_array(net, "value", &m, &nets_err));
        mask = tw_net_find(net, "mask");
        s = kind == 2 ? nets_op3(net, "Where", mask, s, constant(net, "low", -3e38))
                      : nets_op2(net, "Add", s, mask);
        s = nets_op1(net, "Softmax", s);
        s = nets_op2(net, "MatMul", s, v);
        s = nets_op1(net, "Transpose", s);
        nets_ok(!tw_net_attr_ints(net, "perm", 4, (const int64_t[]){ 0, 2, 1, 3 }, &nets_err));
        s = nets_op2(net, "Reshape", s,
                     nets_ints(net, "out", 3, (const int64_t[]){ -1, (int64_t)n, 6 }));
        s = nets_op2(net, "MatMul", s, nets_param(net, "ww", 2, DIMS(6, 4), -1, 1));
        nets_ok(tw_net_output(net, nets_op2(net, "Mul", s, s), &nets_err) == TW_OK);
        assert_int_equal(instructions(net, &tw_op_attention), kind < 4);
        snprintf(what, sizeof what, "attention %d", kind);
        nets_check(net, (const struct tw_array *const[]){ &x }, what);
        tw_array_release(&x);
    }
}

/* Of parameters alone: kernels for whole vectors must not run over them. */
static void rows_of_parameters(void **state)
{
    static const char *const names[] = { "Softmax", "LogSoftmax", "LayerNormalization", "MaxPool",
                                         "AveragePool" };
    struct tw_array x = nets_data(2, DIMS(2, 5), -1, 1);

    (void)state;
    for (int kind = 0; kind < 5; kind++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 2, DIMS(2, 5)), w, y;

        w = nets_param(net, "w", 3, DIMS(1, 2, 5), -1, 1);
        y = kind == 2 ? nets_op2(net, names[kind], w, nets_param(net, "gg", 1, DIMS(5), 0.5, 1.5))
                      : nets_op1(net, names[kind], w);
        if (kind >= 3)
            nets_ok(!tw_net_attr_ints(net, "kernel_shape", 1, (const int64_t[]){ 1 }, &nets_err));
        y = nets_op2(net, "Mul", in, y);
        y = nets_op2(net, "Mul", y, nets_param(net, "zzz", 1, DIMS(5), 0.5, 1.5));
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        nets_check(net, (const struct tw_array *const[]){ &x }, names[kind]);
    }
    tw_array_release(&x);
}

/* Logits that no sample changes, targets that differ. */
static void losses_of_parameters(void **state)
{
    struct tw_net *net = nets_new();
    struct tw_array x = nets_data(1, DIMS(4), -1, 1), t = { 0 };
    int64_t dims[1] = { TW_DIM_UNKNOWN };
    int in = nets_input(net, "x", 1, DIMS(4)), target, y;

    (void)state;
    nets_ok(!tw_array_make(&t, TW_I64, 1, DIMS(NETS_SAMPLES), &nets_err));
    for (size_t i = 0; i < t.n; i++)
        tw_array_set_int(&t, i, (int64_t)(i * 3 % 4));
    target = tw_net_input(net, "target", TW_I64, 1, dims, &nets_err);
    y = nets_op1(net, "Neg", nets_param(net, "w", 2, DIMS(1, 4), -2, 2));
    y = nets_op2(net, "SoftmaxCrossEntropyLoss", y, target);
    nets_ok(!tw_net_attr_text(net, "reduction", "none", &nets_err));
    y = nets_op2(net, "Mul", nets_op1(net, "ReduceSum", in), y);
    nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
    nets_check(net, (const struct tw_array *const[]){ &x, &t }, "cross-entropy of parameters");
    tw_array_release(&x);
    tw_array_release(&t);
}

/* Logits that are used and forgotten a few rows at a time. */
static void head_with_its_loss(void **state)
{
    enum { ROWS = 301, CLASSES = 257 };
    struct tw_array x = nets_data(2, DIMS(ROWS, 3), -1, 1), t = { 0 };
    struct tw_net *net = nets_new();
    int64_t dims[2] = { TW_DIM_UNKNOWN, ROWS };
    int in = nets_input(net, "x", 2, DIMS(ROWS, 3)), target, y, best;

    (void)state;
    nets_ok(!tw_array_make(&t, TW_I64, 2, DIMS(NETS_SAMPLES, ROWS), &nets_err));
    for (size_t i = 0; i < t.n; i++)
        tw_array_set_int(&t, i, (int64_t)(i * 7 % CLASSES));
    target = tw_net_input(net, "target", TW_I64, 2, dims, &nets_err);
    target = nets_op2(net, "Reshape", target, nets_ints(net, "s", 1, (const int64_t[]){ -1 }));
    y = nets_op2(net, "Mul", in, nets_param(net, "scale", 1, DIMS(3), 0.5, 1.5));
    y = nets_op2(net, "MatMul", y, nets_param(net, "w", 2, DIMS(3, CLASSES), -1, 1));
    y = nets_op2(net, "Reshape", y, nets_ints(net, "s2", 2, (const int64_t[]){ -1, CLASSES }));
    best = nets_op1(net, "ArgMax", y);
    nets_ok(!tw_net_attr_int(net, "axis", 1, &nets_err));
    y = nets_op2(net, "SoftmaxCrossEntropyLoss", y, target);
    nets_ok(!tw_net_attr_text(net, "reduction", "none", &nets_err));
    nets_ok(!tw_net_attr_int(net, "ignore_index", 3, &nets_err));
    nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
    nets_ok(tw_net_output(net, best, &nets_err) == TW_OK);
    assert_int_equal(instructions(net, &tw_op_head), 1);
    assert_int_equal(instructions(net, &tw_op_argmax), 0);
    nets_check(net, (const struct tw_array *const[]){ &x, &t }, "head");
    tw_array_release(&x);
    tw_array_release(&t);
}

/* With the statistics of batches of 7: samples 0 to 6, 7 to 13, 14 to 18. */
static void batch_norm_from_the_batch(void **state)
{
    enum { N = NETS_SAMPLES, C = 3, BATCH = 7 };
    struct tw_array x = nets_data(1, DIMS(C), -1, 1);
    struct tw_net *net = nets_new();
    const struct tw_graph_options batch = { .batch_statistics = true };
    struct tw_exec_options o = { .real64 = true, .tangents = 1, .gradient = true };
    struct tw_graph *g;
    struct tw_exec *e;
    int v[5], y;
    double out[N * C], tan[N * C], up[N * C], down[N * C], grad[64], hvp[64], gup[64], gdown[64];
    double p[64], d[64], q[64], seed[N], along = 0.0, sum = 0.0;
    float pf[64];
    struct tw_exec_run run = { .n = N,
                               .inputs = (const struct tw_array *const[]){ &x },
                               .batch = BATCH };
    size_t n;

    (void)state;
    v[0] = nets_op2(net, "MatMul", nets_input(net, "x", 1, DIMS(C)),
                    nets_param(net, "w", 2, DIMS(C, C), -1, 1));
    v[1] = nets_param(net, "bn.weight", 1, DIMS(C), 1, 1);
    v[2] = nets_param(net, "bn.bias", 1, DIMS(C), 0, 0);
    v[3] = nets_param(net, "bn.running_mean", 1, DIMS(C), -1, 1);
    v[4] = nets_param(net, "bn.running_var", 1, DIMS(C), 0.5, 2);
    y = nets_op(net, "BatchNormalization", 5, v);
    nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
    g = tw_graph_new(net, &batch, &nets_err);
    nets_ok(g != NULL);
    e = tw_exec_new(g, &o, &nets_err);
    nets_ok(e != NULL);
    n = tw_graph_layout(g)->n;
    assert_true(n <= 64);
    for (size_t s = 0; s < N; s++)
        seed[s] = cos(2.0 * (double)s);
    tw_graph_initial(g, pf, NULL);
    for (size_t i = 0; i < n; i++) {
        p[i] = (double)pf[i];
        d[i] = sin(3.0 * (double)i + 1.0);
    }
    tw_exec_set_real(e, p, NULL);
    tw_exec_direct_real(e, 1, (const double *const[]){ d });
    run.outputs = (double *[]){ out };
    run.tangents = (double *[]){ tan };
    run.gradient = grad;
    run.hvp = (double *[]){ hvp };
    run.seed = seed;
    nets_ok(tw_exec_run(e, &run, &nets_err) == TW_OK);
    for (size_t first = 0; first < N; first += BATCH)
        for (size_t c = 0; c < C; c++) {
            size_t count = N - first < BATCH ? N - first : BATCH;
            double mean = 0.0, square = 0.0;

            for (size_t s = 0; s < count; s++) {
                mean += out[(first + s) * C + c] / (double)count;
                square += out[(first + s) * C + c] * out[(first + s) * C + c] / (double)count;
            }
            check_close(mean, 0.0, 0.0, 1e-12);
            check_close(square, 1.0, 1e-3, 0.0); /* but for epsilon */
        }
    run.tangents = NULL;
    run.hvp = NULL;
    for (int side = 0; side < 2; side++) {
        for (size_t i = 0; i < n; i++)
            q[i] = p[i] + (side ? -1e-5 : 1e-5) * d[i];
        tw_exec_set_real(e, q, NULL);
        run.outputs = (double *[]){ side ? down : up };
        run.gradient = side ? gdown : gup;
        nets_ok(tw_exec_run(e, &run, &nets_err) == TW_OK);
    }
    for (size_t i = 0; i < N * C; i++) {
        check_close(tan[i], (up[i] - down[i]) / 2e-5, 1e-6, 1e-6);
        sum += run.seed[i / C] * tan[i];
    }
    for (size_t i = 0; i < n; i++) {
        check_close(hvp[i], (gup[i] - gdown[i]) / 2e-5, 1e-6, 1e-5);
        along += grad[i] * d[i];
    }
    check_close(along, sum, 1e-10, 1e-12);
    tw_exec_free(e);
    tw_graph_free(g);
    tw_net_free(net);
    tw_array_release(&x);
}

/* w' G v against the sum over samples of (J w)' (diag p - p p') (J v), the Hessian of cross-entropy
 * by its logits; for a network that is linear in its parameters G is the Hessian itself. */
static void gauss_newton_products(void **state)
{
    enum { C = 4, N = NETS_SAMPLES };
    struct tw_array x = nets_data(1, DIMS(3), -1, 1), t = { 0 };

    (void)state;
    nets_ok(!tw_array_make(&t, TW_I64, 1, DIMS(N), &nets_err));
    for (size_t i = 0; i < N; i++)
        tw_array_set_int(&t, i, (int64_t)(i * 3 % C));
    for (int linear = 0; linear < 2; linear++) {
        struct tw_net *net = nets_new();
        int64_t dims[1] = { TW_DIM_UNKNOWN };
        int y = nets_input(net, "x", 1, DIMS(3)), target;
        struct tw_exec_options o = { .real64 = true, .tangents = 2, .gradient = true };
        struct tw_exec_run run = { .n = N, .inputs = (const struct tw_array *const[]){ &x, &t } };
        struct tw_graph *g;
        struct tw_exec *e;
        double loss[N], logits[N * C], jv[N * C], jw[N * C], gv[64], gw[64], d[2][64];
        double want = 0.0, got = 0.0, back = 0.0;
        size_t n;

        target = tw_net_input(net, "target", TW_I64, 1, dims, &nets_err);
        if (!linear)
            y = nets_op1(net, "Tanh",
                         nets_op2(net, "MatMul", y, nets_param(net, "w", 2, DIMS(3, 5), -1, 1)));
        y = nets_op2(net, "MatMul", y,
                     nets_param(net, "vv", 2, linear ? DIMS(3, C) : DIMS(5, C), -1, 1));
        nets_ok(tw_net_output(net, nets_op2(net, "SoftmaxCrossEntropyLoss", y, target),
                              &nets_err) == TW_OK);
        nets_ok(!tw_net_attr_text(net, "reduction", "none", &nets_err));
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        g = tw_graph_new(net, NULL, &nets_err);
        nets_ok(g != NULL);
        e = tw_exec_new(g, &o, &nets_err);
        nets_ok(e != NULL);
        n = tw_graph_layout(g)->n;
        assert_true(n <= 64);
        for (size_t i = 0; i < n; i++) {
            d[0][i] = sin(2.0 * (double)i + 1.0);
            d[1][i] = cos(3.0 * (double)i);
        }
        tw_exec_direct_real(e, 2, (const double *const[]){ d[0], d[1] });
        run.outputs = (double *[]){ loss, logits };
        run.tangents = (double *[]){ NULL, NULL, jv, jw };
        run.hvp = (double *[]){ gv, gw };
        run.gauss_newton = true;
        run.network_output = 1;
        nets_ok(tw_exec_run(e, &run, &nets_err) == TW_OK);
        for (size_t s = 0; s < N; s++) {
            double p[C], sum = 0.0, mv = 0.0, mw = 0.0;

            for (size_t c = 0; c < C; c++)
                sum += p[c] = exp(logits[s * C + c]);
            for (size_t c = 0; c < C; c++) {
                p[c] /= sum;
                mv += p[c] * jv[s * C + c];
                mw += p[c] * jw[s * C + c];
                want += p[c] * jv[s * C + c] * jw[s * C + c];
            }
            want -= mv * mw;
        }
        for (size_t i = 0; i < n; i++) {
            got += d[1][i] * gv[i];
            back += d[0][i] * gw[i];
        }
        check_close(got, want, 1e-12, 1e-12);
        check_close(back, want, 1e-12, 1e-12);
        if (linear) {
            double hv[64], hw[64];

            run.gauss_newton = false;
            run.hvp = (double *[]){ hv, hw };
            nets_ok(tw_exec_run(e, &run, &nets_err) == TW_OK);
            check_vec(hv, gv, n, 1e-12, 1e-12);
        }
        tw_exec_free(e);
        tw_graph_free(g);
        tw_net_free(net);
    }
    tw_array_release(&x);
    tw_array_release(&t);
}

static void batch_norm_goes_into_the_convolution(void **state)
{
    struct tw_array x = nets_data(3, DIMS(2, 4, 4), -1, 1);

    (void)state;
    for (int kind = 0; kind < 3; kind++) {
        struct tw_net *net = nets_new();
        int in = nets_input(net, "x", 3, DIMS(2, 4, 4)), y, v[5];

        y = kind < 2 ? nets_op(net, "Conv", kind ? 2 : 3,
                               (const int[]){ in, nets_param(net, "w", 4, DIMS(3, 2, 3, 3), -1, 1),
                                              nets_param(net, "bb", 1, DIMS(3), -1, 1) })
                     : nets_op2(net, "MatMul", nets_op1(net, "Tanh", in),
                                nets_param(net, "w", 2, DIMS(4, 4), -1, 1));
        v[0] = y;
        v[1] = nets_param(net, "bn.weight", 1, DIMS(kind < 2 ? 3 : 2), 0.5, 1.5);
        v[2] = nets_param(net, "bn.biases", 1, DIMS(kind < 2 ? 3 : 2), -1, 1);
        v[3] = nets_param(net, "bn.running_mean", 1, DIMS(kind < 2 ? 3 : 2), -1, 1);
        v[4] = nets_param(net, "bn.running_var", 1, DIMS(kind < 2 ? 3 : 2), 0.5, 2);
        y = nets_op(net, "BatchNormalization", 5, v);
        y = nets_op1(net, "Tanh", y);
        nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
        if (kind < 2) /* nothing but the convolution and the function is left for the samples */
            assert_int_equal(instructions(net, &tw_op_unary), 2);
        nets_check(net, (const struct tw_array *const[]){ &x }, "BatchNormalization");
    }
    tw_array_release(&x);
}

/* Parameters without a number, at a point of floats. */
static void parameters_of_no_size(void **state)
{
    struct tw_net *net = nets_new();
    const int y = nets_op2(net, "MatMul", nets_input(net, "x", 1, DIMS(0)),
                           nets_param(net, "w", 2, DIMS(0, 4), -1, 1));
    struct tw_array x = nets_data(1, DIMS(0), -1, 1);
    double out[NETS_SAMPLES * 4];
    const float point[1] = { 0.0F };
    struct tw_graph *g;
    struct tw_exec *e;

    (void)state;
    nets_ok(tw_net_output(net, y, &nets_err) == TW_OK);
    g = tw_graph_new(net, NULL, &nets_err);
    nets_ok(g != NULL);
    assert_int_equal(tw_graph_layout(g)->n, 0);
    e = tw_exec_new(g, &(struct tw_exec_options){ .threads = 2 }, &nets_err);
    nets_ok(e != NULL);
    tw_exec_set(e, point, NULL);
    memset(out, 1, sizeof out);
    nets_ok(tw_exec_run(e,
                        &(struct tw_exec_run){ .n = NETS_SAMPLES,
                                               .inputs = (const struct tw_array *const[]){ &x },
                                               .outputs = (double *[]){ out } },
                        &nets_err) == TW_OK);
    for (size_t k = 0; k < NETS_SAMPLES * 4; k++)
        assert_true(out[k] == 0.0);
    tw_exec_free(e);
    tw_graph_free(g);
    tw_net_free(net);
    tw_array_release(&x);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_of_one_number),
        cmocka_unit_test(functions_of_two_numbers),
        cmocka_unit_test(products_of_matrices),
        cmocka_unit_test(gemm_in_all_forms),
        cmocka_unit_test(full_connections),
        cmocka_unit_test(convolutions),
        cmocka_unit_test(convolutions_of_3_by_3),
        cmocka_unit_test(rows_normalised),
        cmocka_unit_test(pools),
        cmocka_unit_test(numbers_moved),
        cmocka_unit_test(reductions),
        cmocka_unit_test(losses),
        cmocka_unit_test(label_smoothing),
        cmocka_unit_test(an_absent_input_is_said_to_be_missing),
        cmocka_unit_test(rows_of_a_table),
        cmocka_unit_test(rows_of_parameters),
        cmocka_unit_test(losses_of_parameters),
        cmocka_unit_test(attention_of_several_heads),
        cmocka_unit_test(head_with_its_loss),
        cmocka_unit_test(batch_norm_from_the_batch),
        cmocka_unit_test(gauss_newton_products),
        cmocka_unit_test(parameters_of_no_size),
        cmocka_unit_test(batch_norm_goes_into_the_convolution),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
