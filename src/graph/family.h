/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/family.h - how a built-in family is written: a table of arguments, and a function that
 * appends the layers. A family is one file family_NAME.c and one row (or more) in family.c. */
#ifndef TW_GRAPH_FAMILY_H
#define TW_GRAPH_FAMILY_H

#include "thalweg/graph.h"
#include "thalweg/tensor_build.h"

/* ---- specs ------------------------------------------------------------------------------- */

enum family_arg_kind {
    FAMILY_WIDTHS, /* lo or more whole numbers; takes every value without a name */
    FAMILY_WHOLE,  /* lo .. hi */
    FAMILY_PART,   /* a real from 0 to below 1 */
    FAMILY_CHOICE, /* one of "a|b|c" */
    FAMILY_SHAPE   /* lo extents: "3x32x32" */
};
struct family_arg {
    const char *name;
    enum family_arg_kind kind;
    const char *standard; /* what it is when not given; NULL: must be given */
    int64_t lo, hi;
    const char *choices;
};
enum { FAMILY_MAX_ARGS = 12, FAMILY_MAX_LIST = 64 };

struct family_value {
    bool given;
    int64_t whole; /* of a choice: its place in the list */
    double part;
    size_t n;
    int64_t list[FAMILY_MAX_LIST];
};
struct family_spec {
    const struct tw_family *family;
    struct family_value value[FAMILY_MAX_ARGS]; /* in the order of the family's table */
    uint64_t seed;
};

struct family_def {
    size_t nargs;
    const struct family_arg *args;
    int depth; /* for families whose name says it, else 0 */
    void (*build)(struct tw_net_build *b, const struct family_spec *s);
};

enum tw_status family_parse(const char *text, struct family_spec *s, struct tw_err *err) TW_CHECKED;
void family_print(const struct family_spec *s, struct tw_str *out);

/* ---- building ------------------------------------------------------------------------------ */

struct family_init {
    enum tw_draw_law law;
    double a; /* as in struct tw_draw */
};
struct family_build {
    struct tw_net_build b; /* owner: this */
    uint64_t seed;
    uint32_t nparam;
    size_t total;
};

/* "layer1.0.conv1" from a pattern; cut to fit. */
struct family_name {
    char s[96];
};
struct family_name family_name(const char *fmt, ...) TW_PRINTF(1, 2);

/* The parameter PREFIX.SUFFIX (PREFIX alone if suffix is NULL). */
int family_param(struct tw_net_build *b, const char *prefix, const char *suffix,
                 struct family_init init, int rank, const int64_t *dims);
/* ---- layers, with PyTorch's parameter names, shapes and initial values ----------------------- */

/* Initial values of linear layers and convolutions in PyTorch: weights and biases uniform in
 * +-1/sqrt(inputs of a neuron), which is He's uniform law with a = sqrt 5 (He et al. 2015,
 * arXiv:1502.01852, eq. 14 with slope a). */
struct family_init family_by_inputs(int64_t fan_in);

/* y = x W^T + b with W [out, in], x [batch, in]. */
int family_linear(struct tw_net_build *b, int x, const char *prefix, int64_t in, int64_t out,
                  bool bias);
/* The same along the last axis of x of any rank, initial values as given. */
int family_dense(struct tw_net_build *b, int x, const char *prefix, int64_t in, int64_t out,
                 bool bias, struct family_init weight, struct family_init shift);

struct family_conv {
    int axes; /* spatial axes */
    int64_t in, out, kernel, stride, pad;
    bool bias;
};
int family_conv(struct tw_net_build *b, int x, const char *prefix, const struct family_conv *c);
/* y = (x - mean) / sqrt(var + 1e-5) * weight + bias over channels, by running statistics. */
int family_batchnorm(struct tw_net_build *b, int x, const char *prefix, int64_t n);
/* Over the last axis. */
int family_layernorm(struct tw_net_build *b, int x, const char *prefix, int64_t n, bool bias,
                     double eps);
/* MaxPool or AveragePool, square windows. */
int family_pool(struct tw_net_build *b, int x, const char *op, int axes, int64_t kernel,
                int64_t stride, int64_t pad);
/* Each element dropped with probability p in training; p = 0: x itself. */
int family_dropout(struct tw_net_build *b, int x, double p);
int family_flatten(struct tw_net_build *b, int x); /* [batch, ...] to [batch, n] */

/* The activations by name, for a FAMILY_CHOICE, and one applied. */
#define FAMILY_ACTS                                                                                \
    "relu|tanh|sigmoid|gelu|gelu_tanh|silu|elu|selu|leaky_relu|softplus|hardswish|identity"
int family_act(struct tw_net_build *b, int x, int64_t act);
/* The place of a name in a list "a|b|c", or -1. */
int64_t family_choice(const char *choices, const char *s, size_t n);

/* Causal or full self-attention over x [batch, t, d], from the product qkv [batch, t, 3 d] of
 * its three linear layers to the joined heads [batch, t, d]: softmax(Q K^T / sqrt(d/heads) +
 * mask) V (Vaswani et al. 2017, arXiv:1706.03762, eq. 1). mask: -1 for none; dropout: of the
 * softmax. */
int family_attention(struct tw_net_build *b, int qkv, int64_t t, int64_t d, int64_t heads, int mask,
                     double dropout);

extern const struct family_def family_mlp, family_lenet, family_resnet20, family_resnet32,
    family_resnet44, family_resnet56, family_resnet110, family_resnet18, family_vgg, family_gpt,
    family_vit, family_conv1d;

#endif
