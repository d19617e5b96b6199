/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Activations of Keras, by name (keras/src/activations) and as layers. */
#include <string.h>

#include "keras.h"

static int constant(struct keras_call *c, double x)
{
    return tw_build_const_real(&c->k->b, x);
}

static int clip(struct keras_call *c, int x, double lo, double hi)
{
    return keras_op(c, "Clip", 3, (const int[]){ x, constant(c, lo), constant(c, hi) });
}

static int with(struct keras_call *c, const char *op, int x, const char *key, double value)
{
    const int y = keras_op1(c, op, x);

    tw_build_real(&c->k->b, key, value);
    return y;
}

static int selu(struct keras_call *c, int x)
{
    /* Klambauer et al. 2017, arXiv:1706.02515, section 2 */
    const int y = with(c, "Selu", x, "alpha", 1.6732632423543772848);

    tw_build_real(&c->k->b, "gamma", 1.0507009873554804934);
    return y;
}

static int gelu(struct keras_call *c, int x, bool approximate)
{
    const int y = keras_op1(c, "Gelu", x);

    tw_build_text(&c->k->b, "approximate", approximate ? "tanh" : "none");
    return y;
}

static int silu(struct keras_call *c, int x)
{
    return keras_op2(c, "Mul", x, keras_op1(c, "Sigmoid", x));
}

/* Keras 2: clip(0.2 x + 0.5, 0, 1); Keras 3: relu6(x + 3) / 6. */
static int hard_sigmoid(struct keras_call *c, int x)
{
    const int y = with(c, "HardSigmoid", x, "alpha", c->k->file->version >= 3 ? 1.0 / 6.0 : 0.2);

    tw_build_real(&c->k->b, "beta", 0.5);
    return y;
}

static int softmax(struct keras_call *c, const char *op, int64_t axis)
{
    const int a = keras_axis(c, &c->out, axis);
    const int y = keras_op1(c, op, keras_last(c, &c->out));

    tw_build_int(&c->k->b, "axis", a);
    c->out.first = -1;
    return c->out.last = y;
}

enum act {
    ELU,
    EXPONENTIAL,
    GELU,
    HARD_SIGMOID,
    HARD_SILU,
    LEAKY_RELU,
    LINEAR,
    LOG_SOFTMAX,
    MISH,
    RELU,
    RELU6,
    SELU,
    SIGMOID,
    SILU,
    SOFTMAX,
    SOFTPLUS,
    SOFTSIGN,
    TANH
};
static const struct {
    const char *name;
    enum act act;
} acts[] = { { "elu", ELU },
             { "exponential", EXPONENTIAL },
             { "gelu", GELU },
             { "hard_sigmoid", HARD_SIGMOID },
             { "hard_silu", HARD_SILU },
             { "hard_swish", HARD_SILU },
             { "leaky_relu", LEAKY_RELU },
             { "linear", LINEAR },
             { "log_softmax", LOG_SOFTMAX },
             { "mish", MISH },
             { "relu", RELU },
             { "relu6", RELU6 },
             { "selu", SELU },
             { "sigmoid", SIGMOID },
             { "silu", SILU },
             { "softmax", SOFTMAX },
             { "softplus", SOFTPLUS },
             { "softsign", SOFTSIGN },
             { "swish", SILU },
             { "tanh", TANH } };

static int apply(struct keras_call *c, enum act act, int x)
{
    switch (act) {
    case ELU:
        return with(c, "Elu", x, "alpha", 1.0);
    case EXPONENTIAL:
        return keras_op1(c, "Exp", x);
    case GELU:
        return gelu(c, x, false);
    case HARD_SIGMOID:
        return hard_sigmoid(c, x);
    case HARD_SILU: /* x hard_sigmoid(x), of Keras 3 */
        return keras_op1(c, "HardSwish", x);
    case LEAKY_RELU:
        return with(c, "LeakyRelu", x, "alpha", 0.2);
    case MISH:
        return keras_op1(c, "Mish", x);
    case RELU:
        return keras_op1(c, "Relu", x);
    case RELU6:
        return clip(c, x, 0.0, 6.0);
    case SELU:
        return selu(c, x);
    case SIGMOID:
        return keras_op1(c, "Sigmoid", x);
    case SILU:
        return silu(c, x);
    case SOFTPLUS:
        return keras_op1(c, "Softplus", x);
    case SOFTSIGN:
        return keras_op1(c, "Softsign", x);
    case TANH:
        return keras_op1(c, "Tanh", x);
    default:
        return x;
    }
}

/* To c->out, in the form it has. */
static void by_name(struct keras_call *c, const char *name)
{
    for (size_t i = 0; i < sizeof acts / sizeof acts[0]; i++) {
        int *to = c->out.first >= 0 && c->out.rank > 1 ? &c->out.first : &c->out.last;
        const int x = *to;

        if (strcmp(acts[i].name, name) != 0)
            continue;
        if (acts[i].act == SOFTMAX || acts[i].act == LOG_SOFTMAX) {
            (void)softmax(c, acts[i].act == SOFTMAX ? "Softmax" : "LogSoftmax", -1);
        } else if (acts[i].act != LINEAR) {
            c->out.first = c->out.last = -1;
            *to = apply(c, acts[i].act, x);
        }
        return;
    }
    keras_fail(c, "the activation '%.60s' is not known", name);
}

/* relu(x) = x above threshold and at most max_value, slope (x - threshold) below
 * (keras/src/activations/activations.py). */
static void relu(struct keras_call *c)
{
    const double most = keras_real(c, "max_value", -1.0);
    const double slope = keras_real(c, "negative_slope", 0.0);
    int x, *to = keras_like(c, c->in[0], &x);

    if (keras_real(c, "threshold", 0.0) != 0.0)
        keras_fail(c, "a threshold other than 0 is not supported");
    *to = slope != 0.0 ? with(c, "LeakyRelu", x, "alpha", slope) : keras_op1(c, "Relu", x);
    if (most >= 0.0)
        *to = keras_op2(c, "Min", *to, constant(c, most));
}

static void prelu(struct keras_call *c)
{
    const struct keras_tensor *t = c->in[0];
    struct json_object *shared = keras_get(c->config, "shared_axes");
    int64_t dims[KERAS_RANK];
    size_t n = json_object_is_type(shared, json_type_array) ? json_object_array_length(shared) : 0;
    int x = keras_last(c, c->in[0]), y;

    memcpy(dims, t->dims, sizeof dims);
    for (size_t i = 0; i < n && !c->k->b.failed; i++) {
        int a = keras_axis(c, t, json_object_get_int64(json_object_array_get_idx(shared, i)));

        if (a > 0)
            dims[a - 1] = 1;
    }
    y = keras_param(c, "alpha", NULL, t->rank, dims);
    (void)keras_like(c, c->in[0], &x);
    c->out.first = -1;
    c->out.last = keras_op2(c, "PRelu", c->in[0]->last, y);
}

/* A layer that is an activation, with its own names of parameters (Keras 2's first). */
void keras_activation_layer(struct keras_call *c)
{
    const char *class = c->class->name;
    int x, *to = keras_like(c, c->in[0], &x);

    if (!strcmp(class, "Activation")) {
        *to = x;
        keras_activate(c);
    } else if (!strcmp(class, "ReLU")) {
        relu(c);
    } else if (!strcmp(class, "LeakyReLU")) {
        *to = with(c, "LeakyRelu", x, "alpha",
                   keras_real(c, "alpha", keras_real(c, "negative_slope", 0.3)));
    } else if (!strcmp(class, "ELU")) {
        *to = with(c, "Elu", x, "alpha", keras_real(c, "alpha", 1.0));
    } else if (!strcmp(class, "PReLU")) {
        prelu(c);
    } else { /* Softmax */
        struct json_object *axis = keras_get(c->config, "axis");

        *to = x;
        if (axis && !json_object_is_type(axis, json_type_int))
            keras_fail(c, "a softmax over several axes is not supported");
        else
            (void)softmax(c, "Softmax", keras_int(c, "axis", -1));
    }
}

void keras_activate(struct keras_call *c)
{
    struct json_object *o = keras_get(c->config, "activation"), *name;
    const char *class;

    if (!o)
        return;
    if (json_object_is_type(o, json_type_string)) {
        by_name(c, json_object_get_string(o));
        return;
    }
    name = keras_get(o, "config");
    class = json_object_get_string(keras_get(o, "class_name"));
    if (class && json_object_is_type(name, json_type_string)) { /* a function */
        by_name(c, json_object_get_string(name));
    } else if (class && json_object_is_type(name, json_type_object) && keras_class_find(class) &&
               keras_class_find(class)->lower == keras_activation_layer) { /* a layer */
        struct keras_tensor before = c->out, *in = &before;
        struct keras_call inner = { .k = c->k,
                                    .class = keras_class_find(class),
                                    .config = name,
                                    .name = c->name,
                                    .folder = c->folder,
                                    .nin = 1,
                                    .in = &in,
                                    .out = { .last = -1, .first = -1 } };

        keras_activation_layer(&inner);
        c->out = inner.out;
    } else {
        keras_fail(c, "the activation %.100s is not known", json_object_to_json_string(o));
    }
}
