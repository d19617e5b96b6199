/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Elementwise operators of ONNX. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "lower.h"

/* ---- of one number ------------------------------------------------------------------------- */

static const struct {
    const char *op;
    enum tw_unary f;
    const char *attr0, *attr1;
    double absent0, absent1;
} unaries[] = {
    { "Neg", TW_U_NEG, NULL, NULL, 0, 0 },
    { "Abs", TW_U_ABS, NULL, NULL, 0, 0 },
    { "Sign", TW_U_SIGN, NULL, NULL, 0, 0 },
    { "Floor", TW_U_FLOOR, NULL, NULL, 0, 0 },
    { "Ceil", TW_U_CEIL, NULL, NULL, 0, 0 },
    { "Round", TW_U_ROUND, NULL, NULL, 0, 0 },
    { "Exp", TW_U_EXP, NULL, NULL, 0, 0 },
    { "Log", TW_U_LOG, NULL, NULL, 0, 0 },
    { "Sqrt", TW_U_SQRT, NULL, NULL, 0, 0 },
    { "Reciprocal", TW_U_RECIP, NULL, NULL, 0, 0 },
    { "Sin", TW_U_SIN, NULL, NULL, 0, 0 },
    { "Cos", TW_U_COS, NULL, NULL, 0, 0 },
    { "Tanh", TW_U_TANH, NULL, NULL, 0, 0 },
    { "Sigmoid", TW_U_SIGMOID, NULL, NULL, 0, 0 },
    { "Erf", TW_U_ERF, NULL, NULL, 0, 0 },
    { "Relu", TW_U_RELU, NULL, NULL, 0, 0 },
    { "LeakyRelu", TW_U_LEAKY, "alpha", NULL, 0.01, 0 },
    { "ThresholdedRelu", TW_U_THRESHOLD, "alpha", NULL, 1.0, 0 },
    { "Elu", TW_U_ELU, "alpha", NULL, 1.0, 0 },
    { "Selu", TW_U_SELU, "alpha", "gamma", 1.67326319217681884765625, 1.05070102214813232421875 },
    { "Celu", TW_U_CELU, "alpha", NULL, 1.0, 0 },
    { "Softplus", TW_U_SOFTPLUS, NULL, NULL, 0, 0 },
    { "Softsign", TW_U_SOFTSIGN, NULL, NULL, 0, 0 },
    { "HardSigmoid", TW_U_HSIGMOID, "alpha", "beta", 0.2, 0.5 },
    { "HardSwish", TW_U_HSWISH, NULL, NULL, 0, 0 },
    { "Mish", TW_U_MISH, NULL, NULL, 0, 0 },
    { "Not", TW_U_NOT, NULL, NULL, 0, 0 },
    { "IsNaN", TW_U_ISNAN, NULL, NULL, 0, 0 },
    { "tw.Huber", TW_U_HUBER, "delta", NULL, 1.0, 0 },
};

enum tw_status tw_lower_unary(struct tw_build *b, const struct tw_node *node)
{
    for (size_t i = 0; i < sizeof unaries / sizeof unaries[0]; i++) {
        if (strcmp(unaries[i].op, node->op) != 0)
            continue;
        tw_b_out(
            b, 0,
            tw_b_unary(
                b, unaries[i].f,
                unaries[i].attr0 ? tw_node_real(node, unaries[i].attr0, unaries[i].absent0) : 0.0,
                unaries[i].attr1 ? tw_node_real(node, unaries[i].attr1, unaries[i].absent1) : 0.0,
                tw_b_in(b, 0)));
        return b->err->code;
    }
    return tw_b_fail(b, "no such function");
}

enum tw_status tw_lower_gelu(struct tw_build *b, const struct tw_node *node)
{
    bool tanh_form = !strcmp(tw_node_text(node, "approximate", "none"), "tanh");

    tw_b_out(b, 0, tw_b_unary(b, tanh_form ? TW_U_GELU_TANH : TW_U_GELU, 0, 0, tw_b_in(b, 0)));
    return b->err->code;
}

/* Functions that are two or three of the others. */
enum tw_status tw_lower_composed(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0), y, plus, minus;

    if (!strcmp(node->op, "Tan")) {
        plus = tw_b_unary(b, TW_U_RECIP, 0, 0, tw_b_unary(b, TW_U_COS, 0, 0, x));
        y = tw_b_binary(b, TW_B_MUL, tw_b_unary(b, TW_U_SIN, 0, 0, x), plus);
    } else if (!strcmp(node->op, "IsInf")) {
        bool up = tw_node_int(node, "detect_positive", 1) != 0;
        bool down = tw_node_int(node, "detect_negative", 1) != 0;

        plus = tw_b_binary(b, TW_B_EQ, x, tw_b_const_real(b, up ? INFINITY : NAN));
        minus = tw_b_binary(b, TW_B_EQ, x, tw_b_const_real(b, down ? -INFINITY : NAN));
        y = tw_b_binary(b, TW_B_OR, plus, minus);
    } else { /* Cosh, Sinh */
        plus = tw_b_unary(b, TW_U_EXP, 0, 0, x);
        minus = tw_b_unary(b, TW_U_EXP, 0, 0, tw_b_unary(b, TW_U_NEG, 0, 0, x));
        y = tw_b_binary(b, strcmp(node->op, "Cosh") ? TW_B_SUB : TW_B_ADD, plus, minus);
        y = tw_b_binary(b, TW_B_MUL, y, tw_b_const_real(b, 0.5));
    }
    tw_b_out(b, 0, y);
    return b->err->code;
}

/* x < -lambd: x + bias; x > lambd: x - bias; else 0. */
enum tw_status tw_lower_shrink(struct tw_build *b, const struct tw_node *node)
{
    double lambd = tw_node_real(node, "lambd", 0.5), bias = tw_node_real(node, "bias", 0.0);
    int x = tw_b_in(b, 0), low, high;

    low = tw_b_binary(b, TW_B_LT, x, tw_b_const_real(b, -lambd));
    high = tw_b_binary(b, TW_B_GT, x, tw_b_const_real(b, lambd));
    if (x < 0 || low < 0 || high < 0)
        return b->err->code ? b->err->code : tw_b_fail(b, "has no input");
    low = tw_b_cast(b, low, tw_b_val(b, x)->dtype);
    high = tw_b_cast(b, high, tw_b_val(b, x)->dtype);
    low = tw_b_binary(b, TW_B_MUL, low, tw_b_binary(b, TW_B_ADD, x, tw_b_const_real(b, bias)));
    high = tw_b_binary(b, TW_B_MUL, high, tw_b_binary(b, TW_B_SUB, x, tw_b_const_real(b, bias)));
    tw_b_out(b, 0, tw_b_binary(b, TW_B_ADD, low, high));
    return b->err->code;
}

/* A scalar constant input; `absent` if there is none. */
static enum tw_status scalar_in(struct tw_build *b, size_t i, double absent, double *x)
{
    int v = tw_b_in(b, i);

    *x = absent;
    if (v < 0)
        return TW_OK;
    if (!tw_b_is_const(b, v) || tw_b_val(b, v)->n != 1)
        return TW_EDOMAIN;
    *x = tw_array_real(&tw_b_val(b, v)->constant, 0);
    return TW_OK;
}

enum tw_status tw_lower_clip(struct tw_build *b, const struct tw_node *node)
{
    double lo = tw_node_real(node, "min", -INFINITY), hi = tw_node_real(node, "max", INFINITY);
    int x = tw_b_in(b, 0);

    if (scalar_in(b, 1, lo, &lo) || scalar_in(b, 2, hi, &hi)) { /* bounds that vary */
        if (tw_b_in(b, 1) >= 0)
            x = tw_b_binary(b, TW_B_MAX, x, tw_b_in(b, 1));
        if (tw_b_in(b, 2) >= 0)
            x = tw_b_binary(b, TW_B_MIN, x, tw_b_in(b, 2));
    } else {
        x = tw_b_unary(b, TW_U_CLIP, lo, hi, x);
    }
    tw_b_out(b, 0, x);
    return b->err->code;
}

/* Numbers as they are, but for reals that become whole numbers or truth values. */
enum tw_status tw_lower_cast(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0);
    enum tw_dtype to = strcmp(node->op, "CastLike")
                           ? tw_dtype_of_onnx(tw_node_int(node, "to", 1))
                           : (tw_b_in(b, 1) < 0 ? TW_NONE : tw_b_val(b, tw_b_in(b, 1))->dtype);

    if (to == TW_NONE)
        return tw_b_fail(b, "casts to a type that is not supported");
    if (x < 0)
        return tw_b_fail(b, "has no input");
    if (to == TW_BOOL && tw_b_val(b, x)->dtype != TW_BOOL) {
        x = tw_b_unary(b, TW_U_NOT, 0, 0, tw_b_unary(b, TW_U_NOT, 0, 0, x));
    } else if (!tw_dtype_is_real(to) && tw_dtype_is_real(tw_b_val(b, x)->dtype)) {
        int size = tw_b_unary(b, TW_U_FLOOR, 0, 0, tw_b_unary(b, TW_U_ABS, 0, 0, x));

        x = tw_b_binary(b, TW_B_MUL, tw_b_unary(b, TW_U_SIGN, 0, 0, x), size);
    }
    tw_b_out(b, 0, tw_b_cast(b, x, to));
    return b->err->code;
}

/* ---- of two and more ---------------------------------------------------------------------------
 */

static const struct {
    const char *op;
    enum tw_binary f;
} binaries[] = {
    { "Add", TW_B_ADD },           { "Sub", TW_B_SUB },        { "Mul", TW_B_MUL },
    { "Max", TW_B_MAX },           { "Min", TW_B_MIN },        { "Equal", TW_B_EQ },
    { "Less", TW_B_LT },           { "LessOrEqual", TW_B_LE }, { "Greater", TW_B_GT },
    { "GreaterOrEqual", TW_B_GE }, { "And", TW_B_AND },        { "Or", TW_B_OR },
    { "Xor", TW_B_XOR },           { "Sum", TW_B_ADD },        { "Mean", TW_B_ADD },
};

/* Before opset 7 the second operand said where it belongs: attributes broadcast and axis. */
static int legacy_operand(struct tw_build *b, const struct tw_node *node, int x, int y)
{
    size_t dims[TW_MAX_RANK];
    int64_t axis;
    int rank;

    if (x < 0 || y < 0 || b->net->opset >= 7 || !tw_node_int(node, "broadcast", 0))
        return y;
    rank = tw_b_val(b, x)->rank;
    axis = tw_node_int(node, "axis", rank - tw_b_val(b, y)->rank);
    if (axis < 0)
        axis += rank;
    for (int i = 0; i < rank; i++) {
        int j = i - (int)axis;

        dims[i] = j >= 0 && j < tw_b_val(b, y)->rank ? tw_b_val(b, y)->dims[j] : 1;
    }
    return tw_b_alias(b, y, rank, dims);
}

/* x / y by the reciprocal's rule for the derivative of y, exactly divided where y is uniform
 * and constant. */
static int quotient(struct tw_build *b, int x, int y)
{
    int q, back;

    if (x < 0 || y < 0)
        return -1;
    if (!tw_dtype_is_real(tw_b_val(b, x)->dtype)) { /* whole numbers truncate */
        int size = tw_b_binary(b, TW_B_DIV, tw_b_unary(b, TW_U_ABS, 0, 0, x),
                               tw_b_unary(b, TW_U_ABS, 0, 0, y));
        int sign = tw_b_binary(b, TW_B_MUL, tw_b_unary(b, TW_U_SIGN, 0, 0, x),
                               tw_b_unary(b, TW_U_SIGN, 0, 0, y));

        return tw_b_binary(b, TW_B_MUL, sign, tw_b_unary(b, TW_U_FLOOR, 0, 0, size));
    }
    if (!tw_b_val(b, x)->active && !tw_b_val(b, y)->active)
        return tw_b_binary(b, TW_B_DIV, x, y);
    if (tw_b_is_const(b, y)) {
        struct tw_array inverse = { 0 };

        if (tw_array_convert(&inverse, TW_F64, &tw_b_val(b, y)->constant, b->err))
            return -1;
        for (size_t i = 0; i < inverse.n; i++)
            tw_array_set_real(&inverse, i, 1.0 / tw_array_real(&inverse, i));
        back = tw_b_const(b, &inverse);
        return tw_b_binary(b, TW_B_MUL, x, back);
    }
    q = tw_b_unary(b, TW_U_RECIP, 0, 0, y);
    return tw_b_binary(b, TW_B_MUL, x, q);
}

enum tw_status tw_lower_div(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0);

    tw_b_out(b, 0, quotient(b, x, legacy_operand(b, node, x, tw_b_in(b, 1))));
    return b->err->code;
}

/* A uniform vector added to each row of a product with weights is its bias. The product's value,
 * or -1 if this is no such sum. */
static int as_bias(struct tw_build *b, int x, int y)
{
    struct tw_instr *p;
    const struct tw_matmul_data *d;
    int *in;

    if (x < 0 || y < 0 || tw_b_val(b, y)->varying)
        return -1;
    p = tw_b_last(b, &tw_op_matmul, x);
    if (!p || p->nin > 2 || !b->g->val[p->in[0]].varying || b->g->val[p->in[1]].varying ||
        tw_b_readers(b, x) > 1)
        return -1;
    d = p->data;
    if (tw_b_val(b, y)->n != d->nj || !tw_b_val(b, y)->rank ||
        tw_b_val(b, y)->dims[tw_b_val(b, y)->rank - 1] != d->nj ||
        tw_b_val(b, y)->rank > tw_b_val(b, x)->rank || d->nj < 2 || d->yj != 1 ||
        tw_b_val(b, x)->dims[tw_b_val(b, x)->rank - 1] != d->nj)
        return -1;
    in = realloc(p->in, 3 * sizeof *in);
    if (!in)
        return -1;
    in[2] = y;
    p->in = in;
    p->nin = 3;
    if (b->g->val[y].active)
        b->g->val[x].active = true;
    return x;
}

enum tw_status tw_lower_binary(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0);

    for (size_t i = 0; i < sizeof binaries / sizeof binaries[0]; i++) {
        if (strcmp(binaries[i].op, node->op) != 0)
            continue;
        if (!strcmp(node->op, "Add") && node->nin == 2 && b->net->opset >= 7) {
            int y = tw_b_in(b, 1), sum = as_bias(b, x, y);

            sum = sum < 0 ? as_bias(b, y, x) : sum;
            if (sum >= 0) {
                tw_b_out(b, 0, sum);
                return b->err->code;
            }
        }
        for (size_t j = 0; j < node->nin || !j; j++)
            if (tw_b_in(b, j) < 0)
                return tw_b_fail(b, "input %zu is missing", j);
        if (node->nin == 1)
            x = tw_b_unary(b, TW_U_COPY, 0, 0, x);
        for (size_t j = 1; j < node->nin; j++)
            x = tw_b_binary(b, binaries[i].f, x, legacy_operand(b, node, x, tw_b_in(b, j)));
        if (!strcmp(node->op, "Mean"))
            x = tw_b_binary(b, TW_B_MUL, x, tw_b_const_real(b, 1.0 / (double)node->nin));
        tw_b_out(b, 0, x);
        return b->err->code;
    }
    return tw_b_fail(b, "no such function");
}

/* Where something is to be differentiated, x - q y: the quotient q does not move. */
enum tw_status tw_lower_mod(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0), y = tw_b_in(b, 1);
    int z = tw_b_binary(b, tw_node_int(node, "fmod", 0) ? TW_B_FMOD : TW_B_MOD, x, y);

    if (z >= 0 && tw_b_val(b, z)->active) {
        b->g->val[z].active = false;
        z = tw_b_binary(b, TW_B_SUB, x, z);
        z = tw_b_unary(b, TW_U_ROUND, 0, 0, quotient(b, z, y));
        z = tw_b_binary(b, TW_B_SUB, x, tw_b_binary(b, TW_B_MUL, z, y));
    }
    tw_b_out(b, 0, z);
    return b->err->code;
}

/* x^c for a constant c; else exp(y log x) where something is to be differentiated, and plain pow
 * where not. */
enum tw_status tw_lower_pow(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0), y = tw_b_in(b, 1), z;
    double c;

    if (x < 0 || y < 0)
        return tw_b_fail(b, "needs two inputs");
    y = legacy_operand(b, node, x, y);
    if (scalar_in(b, 1, 1.0, &c) == TW_OK && tw_b_val(b, y)->rank <= tw_b_val(b, x)->rank) {
        if (c == 2.0)
            z = tw_b_unary(b, TW_U_SQUARE, 0, 0, x);
        else if (c == 0.5)
            z = tw_b_unary(b, TW_U_SQRT, 0, 0, x);
        else
            z = tw_b_unary(b, TW_U_POWC, c, 0, x);
    } else if (tw_b_val(b, x)->active || tw_b_val(b, y)->active) {
        z = tw_b_binary(b, TW_B_MUL, y, tw_b_unary(b, TW_U_LOG, 0, 0, x));
        z = tw_b_unary(b, TW_U_EXP, 0, 0, z);
    } else {
        z = tw_b_binary(b, TW_B_POW, x, y);
    }
    if (z >= 0)
        b->g->val[z].dtype = tw_b_val(b, x)->dtype;
    tw_b_out(b, 0, z);
    return b->err->code;
}

/* max(x, 0) + slope min(x, 0) */
enum tw_status tw_lower_prelu(struct tw_build *b, const struct tw_node *node)
{
    int x = tw_b_in(b, 0), slope = tw_b_in(b, 1), minus, plus;

    (void)node;
    if (x < 0 || slope < 0)
        return tw_b_fail(b, "needs two inputs");
    if (b->net->opset < 7 && tw_b_val(b, slope)->rank == 1 && tw_b_val(b, slope)->n > 1) {
        size_t dims[TW_MAX_RANK]; /* a slope for each channel */

        for (int i = 0; i < tw_b_val(b, x)->rank; i++)
            dims[i] = i == 1 ? tw_b_val(b, slope)->n : 1;
        slope = tw_b_alias(b, slope, tw_b_val(b, x)->rank, dims);
    }
    plus = tw_b_unary(b, TW_U_RELU, 0, 0, x);
    minus = tw_b_unary(b, TW_U_CLIP, -INFINITY, 0.0, x);
    tw_b_out(b, 0, tw_b_binary(b, TW_B_ADD, plus, tw_b_binary(b, TW_B_MUL, minus, slope)));
    return b->err->code;
}

enum tw_status tw_lower_where(struct tw_build *b, const struct tw_node *node)
{
    int v[3] = { tw_b_in(b, 0), tw_b_in(b, 1), tw_b_in(b, 2) }, rank, out;
    size_t dims[TW_MAX_RANK], all[TW_MAX_RANK];
    struct tw_binary_data *d;
    long *strides[3];

    (void)node;
    if (v[0] < 0 || v[1] < 0 || v[2] < 0)
        return tw_b_fail(b, "needs three inputs");
    if (!tw_broadcast(tw_b_val(b, v[0])->rank, tw_b_val(b, v[0])->dims, tw_b_val(b, v[1])->rank,
                      tw_b_val(b, v[1])->dims, &rank, dims) ||
        !tw_broadcast(rank, dims, tw_b_val(b, v[2])->rank, tw_b_val(b, v[2])->dims, &rank, all))
        return tw_b_fail(b, "the shapes of its inputs do not go together");
    d = tw_alloc(1, sizeof *d);
    if (!d)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
    d->loop.nd = rank;
    strides[0] = d->loop.sc;
    strides[1] = d->loop.sa;
    strides[2] = d->loop.sb;
    for (int i = 0; i < rank; i++)
        d->loop.n[i] = all[i];
    for (int j = 0; j < 3; j++) {
        int skip = rank - tw_b_val(b, v[j])->rank;

        tw_strides(tw_b_val(b, v[j])->rank, tw_b_val(b, v[j])->dims, true, strides[j] + skip);
    }
    tw_strides(rank, all, false, d->loop.sy);
    tw_loop_collapse(&d->loop);
    out = tw_b_temp(b, tw_b_val(b, v[1])->dtype, rank, all);
    tw_b_out(b, 0, tw_b_instr(b, &tw_op_select, 3, v, out, d, 0.0));
    return b->err->code;
}
