/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The layers that the built-in families share. */
#include <math.h>
#include <string.h>

#include "family.h"

struct family_init family_by_inputs(int64_t fan_in)
{
    return (struct family_init){ TW_DRAW_UNIFORM, 1.0 / sqrt((double)fan_in) };
}

int family_linear(struct tw_net_build *b, int x, const char *prefix, int64_t in, int64_t out,
                  bool bias)
{
    const struct family_init init = family_by_inputs(in);
    int args[3] = { x, -1, -1 };
    int y;

    args[1] = family_param(b, prefix, "weight", init, 2, (const int64_t[]){ out, in });
    if (bias)
        args[2] = family_param(b, prefix, "bias", init, 1, &out);
    y = tw_build_op(b, "Gemm", prefix, bias ? 3 : 2, args);
    tw_build_int(b, "transB", 1);
    return y;
}

int family_dense(struct tw_net_build *b, int x, const char *prefix, int64_t in, int64_t out,
                 bool bias, struct family_init weight, struct family_init shift)
{
    int w = family_param(b, prefix, "weight", weight, 2, (const int64_t[]){ out, in });
    int y;

    w = tw_build_op1(b, "Transpose", w);
    tw_build_ints(b, "perm", 2, (const int64_t[]){ 1, 0 });
    y = tw_build_op(b, "MatMul", prefix, 2, (const int[]){ x, w });
    if (bias)
        y = tw_build_op2(b, "Add", y, family_param(b, prefix, "bias", shift, 1, &out));
    return y;
}

static void windows(struct tw_net_build *b, int axes, int64_t kernel, int64_t stride, int64_t pad)
{
    const int64_t k[2] = { kernel, kernel }, s[2] = { stride, stride };
    const int64_t p[4] = { pad, pad, pad, pad };

    tw_build_ints(b, "kernel_shape", (size_t)axes, k);
    tw_build_ints(b, "strides", (size_t)axes, s);
    tw_build_ints(b, "pads", 2 * (size_t)axes, p);
}

int family_conv(struct tw_net_build *b, int x, const char *prefix, const struct family_conv *c)
{
    const int64_t taps = c->axes == 2 ? c->kernel * c->kernel : c->kernel;
    const struct family_init init = family_by_inputs(c->in * taps);
    int args[3] = { x, -1, -1 };
    int y;

    args[1] = family_param(b, prefix, "weight", init, 2 + c->axes,
                           (const int64_t[]){ c->out, c->in, c->kernel, c->kernel });
    if (c->bias)
        args[2] = family_param(b, prefix, "bias", init, 1, &c->out);
    y = tw_build_op(b, "Conv", prefix, c->bias ? 3 : 2, args);
    windows(b, c->axes, c->kernel, c->stride, c->pad);
    return y;
}

int family_batchnorm(struct tw_net_build *b, int x, const char *prefix, int64_t n)
{
    const struct family_init one = { TW_DRAW_CONST, 1.0 }, zero = { TW_DRAW_CONST, 0.0 };
    int args[5] = { x, -1, -1, -1, -1 };
    int y;

    args[1] = family_param(b, prefix, "weight", one, 1, &n);
    args[2] = family_param(b, prefix, "bias", zero, 1, &n);
    args[3] = family_param(b, prefix, "running_mean", zero, 1, &n);
    args[4] = family_param(b, prefix, "running_var", one, 1, &n);
    y = tw_build_op(b, "BatchNormalization", prefix, 5, args);
    tw_build_real(b, "epsilon", 1e-5);
    return y;
}

int family_layernorm(struct tw_net_build *b, int x, const char *prefix, int64_t n, bool bias,
                     double eps)
{
    int args[3] = { x, -1, -1 };
    int y;

    args[1] = family_param(b, prefix, "weight", (struct family_init){ TW_DRAW_CONST, 1.0 }, 1, &n);
    if (bias)
        args[2] =
            family_param(b, prefix, "bias", (struct family_init){ TW_DRAW_CONST, 0.0 }, 1, &n);
    y = tw_build_op(b, "LayerNormalization", prefix, bias ? 3 : 2, args);
    tw_build_int(b, "axis", -1);
    tw_build_real(b, "epsilon", eps);
    return y;
}

int family_pool(struct tw_net_build *b, int x, const char *op, int axes, int64_t kernel,
                int64_t stride, int64_t pad)
{
    int y = tw_build_op1(b, op, x);

    windows(b, axes, kernel, stride, pad);
    return y;
}

int family_dropout(struct tw_net_build *b, int x, double p)
{
    return p > 0.0 ? tw_build_op2(b, "Dropout", x, tw_build_const_real(b, p)) : x;
}

int family_flatten(struct tw_net_build *b, int x)
{
    int y = tw_build_op1(b, "Flatten", x);

    tw_build_int(b, "axis", 1);
    return y;
}

/* In the order of FAMILY_ACTS; NULL: made of several. */
static const char *const act_ops[] = { "Relu", "Tanh", "Sigmoid",   "Gelu",     "Gelu",      NULL,
                                       "Elu",  "Selu", "LeakyRelu", "Softplus", "HardSwish", NULL };

int family_act(struct tw_net_build *b, int x, int64_t act)
{
    const char *op = act_ops[act];
    int y;

    if (act == family_choice(FAMILY_ACTS, "silu", 4)) /* x sigmoid(x) */
        return tw_build_op2(b, "Mul", x, tw_build_op1(b, "Sigmoid", x));
    if (!op)
        return x;
    y = tw_build_op1(b, op, x);
    if (act == family_choice(FAMILY_ACTS, "leaky_relu", 10))
        tw_build_real(b, "alpha", 0.01);
    if (!strcmp(op, "Selu")) { /* Klambauer et al. 2017, arXiv:1706.02515, section 2 */
        tw_build_real(b, "alpha", 1.6732632423543772848);
        tw_build_real(b, "gamma", 1.0507009873554804934);
    }
    if (!strcmp(op, "Gelu"))
        tw_build_text(b, "approximate",
                      act == family_choice(FAMILY_ACTS, "gelu_tanh", 9) ? "tanh" : "none");
    return y;
}

/* [batch, t, d] to [batch, heads, t, d / heads]. */
static int split_heads(struct tw_net_build *b, int x, int64_t t, int64_t d, int64_t heads)
{
    const int64_t shape[4] = { 0, t, heads, d / heads };

    x = tw_build_op2(b, "Reshape", x, tw_build_const_ints(b, 4, shape));
    x = tw_build_op1(b, "Transpose", x);
    tw_build_ints(b, "perm", 4, (const int64_t[]){ 0, 2, 1, 3 });
    return x;
}

int family_attention(struct tw_net_build *b, int qkv, int64_t t, int64_t d, int64_t heads, int mask,
                     double dropout)
{
    const int64_t thirds[3] = { d, d, d };
    int part[3] = { -1, -1, -1 };
    int key, y;

    y = tw_build_const_ints(b, 3, thirds);
    if (b->failed)
        return -1;
    for (int i = 0; i < 3; i++) {
        part[i] = tw_net_value(b->net, NULL, b->err);
        b->failed = b->failed || part[i] < 0;
    }
    if (b->failed ||
        tw_net_node(b->net, "Split", NULL, 2, (const int[]){ qkv, y }, 3, part, b->err) < 0) {
        b->failed = true;
        return -1;
    }
    tw_build_int(b, "axis", 2);
    for (int i = 0; i < 3; i++)
        part[i] = split_heads(b, part[i], t, d, heads);
    key = tw_build_op1(b, "Transpose", part[1]);
    tw_build_ints(b, "perm", 4, (const int64_t[]){ 0, 1, 3, 2 });
    y = tw_build_op2(b, "MatMul", part[0], key);
    y = tw_build_op2(b, "Mul", y, tw_build_const_real(b, 1.0 / sqrt((double)d / (double)heads)));
    if (mask >= 0)
        y = tw_build_op2(b, "Add", y, mask);
    y = tw_build_op1(b, "Softmax", y);
    tw_build_int(b, "axis", -1);
    y = tw_build_op2(b, "MatMul", family_dropout(b, y, dropout), part[2]);
    y = tw_build_op1(b, "Transpose", y);
    tw_build_ints(b, "perm", 4, (const int64_t[]){ 0, 2, 1, 3 });
    return tw_build_op2(b, "Reshape", y, tw_build_const_ints(b, 3, (const int64_t[]){ 0, t, d }));
}
