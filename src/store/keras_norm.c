/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Normalisation and attention of Keras. */
#include <math.h>
#include <string.h>

#include "keras.h"

/* The one axis that the config names: a number, or a list of one. Keras 2 wrote both. */
static int one_axis(struct keras_call *c, const struct keras_tensor *t)
{
    int64_t axis = -1;
    struct json_object *o = keras_get(c->config, "axis");

    if (json_object_is_type(o, json_type_array) && json_object_array_length(o) == 1)
        o = json_object_array_get_idx(o, 0);
    if (o && !json_object_is_type(o, json_type_int))
        keras_fail(c, "'axis' is %.60s, expected one axis", json_object_to_json_string(o));
    else if (o)
        axis = json_object_get_int64(o);
    return keras_axis(c, t, axis);
}

/* gamma and beta, or ones and zeros where the layer has none. */
static void affine(struct keras_call *c, int rank, const int64_t *dims, size_t n, int args[2])
{
    args[0] = keras_bool(c, "scale", true) ? keras_param(c, "gamma", NULL, rank, dims)
                                           : keras_same(c, n, 1.0);
    args[1] = keras_bool(c, "center", true) ? keras_param(c, "beta", NULL, rank, dims)
                                            : keras_same(c, n, 0.0);
}

/* Running statistics; momentum as ONNX counts it: new = old m + batch (1 - m). */
void keras_batch_norm(struct keras_call *c)
{
    struct keras_tensor *t = c->in[0];
    const int64_t n = t->dims[t->rank - 1];
    int args[5], y;

    if (one_axis(c, t) != t->rank)
        keras_fail(c, "only the last axis, that of the channels, is supported");
    affine(c, 1, &n, (size_t)n, args + 1);
    args[3] = keras_param(c, "moving_mean", NULL, 1, &n);
    args[4] = keras_param(c, "moving_variance", NULL, 1, &n);
    args[0] = keras_first(c, t);
    y = keras_op(c, "BatchNormalization", 5, args);
    tw_build_real(&c->k->b, "epsilon", keras_real(c, "epsilon", 1e-3));
    tw_build_real(&c->k->b, "momentum", keras_real(c, "momentum", 0.99));
    c->out = (struct keras_tensor){ .last = t->rank == 1 ? y : -1, .first = y, .rank = t->rank };
    memcpy(c->out.dims, t->dims, sizeof t->dims);
}

/* Over the last axis, or all from one on. */
void keras_layer_norm(struct keras_call *c)
{
    struct keras_tensor *t = c->in[0];
    struct json_object *o = keras_get(c->config, "axis");
    const size_t n = json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
    int first = t->rank, args[3], y;
    size_t count = 1;

    for (size_t i = 0; i < n && !c->k->b.failed; i++) {
        struct json_object *e = json_object_array_get_idx(o, i);
        const int a = keras_axis(c, t, json_object_get_int64(e));

        if (a != t->rank - (int)(n - 1 - i))
            keras_fail(c, "the axes %.60s are not the last ones", json_object_to_json_string(o));
        first = i == 0 ? a : first;
    }
    if (n == 0)
        first = one_axis(c, t);
    if (c->k->b.failed || first < 1)
        return;
    if (n == 0 && first != t->rank)
        keras_fail(c, "only the last axis is supported");
    for (int i = first - 1; i < t->rank; i++)
        count *= (size_t)t->dims[i];
    if (first < t->rank && (!keras_bool(c, "scale", true) || !keras_bool(c, "center", true)))
        keras_fail(c, "several axes without scale or center are not supported");
    affine(c, t->rank - first + 1, t->dims + first - 1, count, args + 1);
    args[0] = keras_last(c, t);
    y = keras_op(c, "LayerNormalization", 3, args);
    tw_build_int(&c->k->b, "axis", first);
    tw_build_real(&c->k->b, "epsilon", keras_real(c, "epsilon", 1e-3));
    c->out = (struct keras_tensor){ .last = y, .first = t->rank == 1 ? y : -1, .rank = t->rank };
    memcpy(c->out.dims, t->dims, sizeof t->dims);
}

/* (x - mean) / max(sqrt(variance), 1e-7), statistics of the data that are no parameters
 * (keras/src/layers/preprocessing/normalization.py). */
void keras_normalization(struct keras_call *c)
{
    static const char *const names[] = { "mean", "variance" };
    struct keras_tensor *t = c->in[0];
    const size_t n = (size_t)t->dims[t->rank - 1];
    int y = keras_last(c, t);

    if (one_axis(c, t) != t->rank || keras_bool(c, "invert", false))
        keras_fail(c, "only the last axis is supported, and no 'invert'");
    for (int i = 0; i < 2 && !c->k->b.failed; i++) {
        struct tw_str name = { 0 };
        const struct tw_array *a = NULL;
        struct tw_array v = { 0 };

        if (c->k->file->by_class)
            tw_str_addf(&name, "%s/vars/%d", c->folder, i);
        else
            tw_str_addf(&name, "%s/%s", c->name, names[i]);
        a = name.failed ? NULL : tw_named_find(&c->k->file->weights, name.s);
        tw_str_release(&name);
        if (!a || a->n != n) {
            keras_fail(c, "the file has no %s of %zu numbers for it", names[i], n);
            return;
        }
        if (tw_array_make(&v, TW_F32, 1, &n, c->k->b.err) != TW_OK) {
            c->k->b.failed = true;
            return;
        }
        for (size_t j = 0; j < n; j++) {
            const double x = tw_array_real(a, j);

            tw_array_set_real(&v, j, i ? fmax(sqrt(x), 1e-7) : x);
        }
        y = keras_op2(c, i ? "Div" : "Sub", y, tw_build_const_array(&c->k->b, &v));
    }
    c->out = (struct keras_tensor){ .last = y, .first = t->rank == 1 ? y : -1, .rank = t->rank };
    memcpy(c->out.dims, t->dims, sizeof t->dims);
}

/* ---- attention ---------------------------------------------------------------------------------
 */

struct heads {
    int64_t n, key, value; /* heads; reals of a key, of a value */
    bool bias;
};

/* x [batch, t, d] times a kernel (d, heads, size), to [batch, t, heads, size]. */
static int project(struct keras_call *c, int x, const char *what, int64_t d, int64_t t,
                   const struct heads *h, int64_t size)
{
    const int64_t kernel[3] = { d, h->n, size }, flat[2] = { d, h->n * size };
    const int64_t split[4] = { 0, t, h->n, size };
    struct tw_str name = { 0 };
    int y = -1;

    tw_str_addf(&name, "%s/kernel", what);
    if (!name.failed)
        y = keras_reshape(c, keras_param(c, name.s, NULL, 3, kernel), 2, flat);
    y = keras_op2(c, "MatMul", x, y);
    tw_str_clear(&name);
    tw_str_addf(&name, "%s/bias", what);
    if (!name.failed && h->bias)
        y = keras_op2(c, "Add", y,
                      keras_reshape(c, keras_param(c, name.s, NULL, 2, kernel + 1), 1, flat + 1));
    if (name.failed) {
        (void)tw_err_set(c->k->b.err, TW_ENOMEM, "out of memory");
        c->k->b.failed = true;
    }
    tw_str_release(&name);
    return keras_reshape(c, y, 4, split);
}

/* 0 where query i may look at key j <= i. */
static int causal_mask(struct keras_call *c, int64_t nq, int64_t nk)
{
    const size_t dims[2] = { (size_t)nq, (size_t)nk };
    struct tw_array a = { 0 };
    float *x;

    if (nq > 1 << 15 || nk > 1 << 15)
        keras_fail(c, "a causal mask of %lld x %lld", (long long)nq, (long long)nk);
    if (c->k->b.failed || tw_array_make(&a, TW_F32, 2, dims, c->k->b.err) != TW_OK) {
        c->k->b.failed = true;
        return -1;
    }
    x = a.data;
    for (size_t i = 0; i < dims[0]; i++)
        for (size_t j = i + 1; j < dims[1]; j++)
            x[i * dims[1] + j] = -HUGE_VALF;
    return tw_build_const_array(&c->k->b, &a);
}

static bool refuse_shapes(struct keras_call *c)
{
    const struct keras_tensor *q = c->in[0], *v = c->in[c->nin > 1];
    struct json_object *mask = keras_get(c->kwargs, "attention_mask");

    if (c->nin > 3 || q->rank != 2 || v->rank != 2 || (c->nin == 3 && c->in[2]->rank != 2) ||
        (c->nin == 3 && c->in[2]->dims[0] != v->dims[0]))
        keras_fail(c, "query, value and key are not sequences of vectors that fit");
    else if (mask || keras_get(c->config, "output_shape") ||
             json_object_get_boolean(keras_get(c->kwargs, "return_attention_scores")))
        keras_fail(c, "attention_mask, output_shape and return_attention_scores are not "
                      "supported");
    return c->k->b.failed;
}

/* softmax(Q K' / sqrt(key) + mask) V for each head, then joined (Vaswani et al. 2017,
 * arXiv:1706.03762, section 3.2; keras/src/layers/attention/multi_head_attention.py). */
void keras_attention(struct keras_call *c)
{
    static const int64_t by_head[4] = { 0, 2, 1, 3 }, turned[4] = { 0, 2, 3, 1 };
    struct keras_tensor *q = c->in[0], *v = c->in[c->nin > 1], *k = c->nin == 3 ? c->in[2] : v;
    struct tw_net_build *b = &c->k->b;
    struct heads h = { .n = keras_int(c, "num_heads", 0), .key = keras_int(c, "key_dim", 0) };
    int64_t kernel[3], flat[2];
    int xq, xk, xv, y;

    h.value = keras_int(c, "value_dim", h.key);
    h.bias = keras_bool(c, "use_bias", true);
    if (b->failed || refuse_shapes(c))
        return;
    if (h.n < 1 || h.key < 1 || h.value < 1 || h.n > 1 << 16 || h.key > 1 << 16 ||
        h.value > 1 << 16) {
        keras_fail(c, "num_heads, key_dim or value_dim is not positive, or over 65536");
        return;
    }
    xq = project(c, keras_last(c, q), "query", q->dims[1], q->dims[0], &h, h.key);
    xk = project(c, keras_last(c, k), "key", k->dims[1], k->dims[0], &h, h.key);
    xv = project(c, keras_last(c, v), "value", v->dims[1], v->dims[0], &h, h.value);
    xq = keras_transpose(c, xq, 4, by_head);
    xk = keras_transpose(c, xk, 4, turned);
    xv = keras_transpose(c, xv, 4, by_head);
    y = keras_op2(c, "MatMul", xq, xk);
    y = keras_op2(c, "Mul", y, tw_build_const_real(b, 1.0 / sqrt((double)h.key)));
    if (json_object_get_boolean(keras_get(c->kwargs, "use_causal_mask")))
        y = keras_op2(c, "Add", y, causal_mask(c, q->dims[0], v->dims[0]));
    y = keras_op1(c, "Softmax", y);
    tw_build_int(b, "axis", -1);
    y = keras_transpose(c, keras_op2(c, "MatMul", y, xv), 4, by_head);
    y = keras_reshape(c, y, 3, (const int64_t[]){ 0, q->dims[0], h.n * h.value });
    kernel[0] = h.n;
    kernel[1] = h.value;
    kernel[2] = flat[1] = q->dims[1];
    flat[0] = h.n * h.value;
    y = keras_op2(
        c, "MatMul", y,
        keras_reshape(c, keras_param(c, "attention_output/kernel", NULL, 3, kernel), 2, flat));
    if (h.bias)
        y = keras_op2(c, "Add", y, keras_param(c, "attention_output/bias", NULL, 1, flat + 1));
    c->out = (struct keras_tensor){ .last = y, .first = -1, .rank = 2 };
    memcpy(c->out.dims, q->dims, sizeof q->dims);
}
