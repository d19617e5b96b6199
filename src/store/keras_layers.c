/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of layers, and the plain ones. A layer that is missing is a function and a row here. */
#include <stdlib.h>
#include <string.h>

#include "keras.h"

static void same(struct keras_call *c)
{
    c->out = *c->in[0];
}

static void dropout(struct keras_call *c)
{
    int x, *to = keras_like(c, c->in[0], &x);

    *to = keras_op2(c, "Dropout", x, tw_build_const_real(&c->k->b, keras_real(c, "rate", 0.5)));
    if (c->out.rank == 1)
        c->out.first = c->out.last;
}

/* Of a new tensor in its own order of axes. */
static void result(struct keras_call *c, int y, int rank, const int64_t *dims)
{
    c->out = (struct keras_tensor){ .last = y, .first = rank == 1 ? y : -1, .rank = rank };
    memcpy(c->out.dims, dims, (size_t)rank * sizeof *dims);
}

static void dense(struct keras_call *c)
{
    struct keras_tensor *t = c->in[0];
    const int64_t in = t->dims[t->rank - 1], units = keras_int(c, "units", 0);
    const bool bias = keras_bool(c, "use_bias", true);
    int64_t dims[KERAS_RANK];
    int args[3] = { keras_last(c, t), -1, -1 }, y;

    if (units < 1)
        keras_fail(c, "no units, or a number that is not positive");
    args[1] = keras_param(c, "kernel", NULL, 2, (const int64_t[]){ in, units });
    args[2] = bias ? keras_param(c, "bias", NULL, 1, &units) : -1;
    y = t->rank == 1 ? keras_op(c, "Gemm", bias ? 3 : 2, args) : keras_op(c, "MatMul", 2, args);
    if (t->rank > 1 && bias)
        y = keras_op2(c, "Add", y, args[2]);
    memcpy(dims, t->dims, sizeof dims);
    dims[t->rank - 1] = units;
    result(c, y, t->rank, dims);
    keras_activate(c);
}

/* The input itself becomes whole numbers. */
static void embedding(struct keras_call *c)
{
    struct keras_tensor *t = c->in[0];
    const int64_t rows = keras_int(c, "input_dim", 0), n = keras_int(c, "output_dim", 0);
    int64_t dims[KERAS_RANK];
    int x = keras_last(c, t);

    if (rows < 1 || n < 1 || t->rank >= KERAS_RANK - 1)
        keras_fail(c, "no input_dim or output_dim, or an input of too many axes");
    if (keras_bool(c, "mask_zero", false))
        keras_fail(c, "mask_zero is not supported");
    if (c->k->b.failed)
        return;
    if (t->is_input) {
        c->k->b.net->value[x].dtype = TW_I64;
    } else {
        x = keras_op1(c, "Cast", x);
        tw_build_int(&c->k->b, "to", 7); /* int64 in ONNX's numbers */
    }
    x = keras_op2(c, "Gather", keras_param(c, "embeddings", NULL, 2, (const int64_t[]){ rows, n }),
                  x);
    tw_build_int(&c->k->b, "axis", 0);
    memcpy(dims, t->dims, sizeof dims);
    dims[t->rank] = n;
    result(c, x, t->rank + 1, dims);
}

/* ---- shapes ---------------------------------------------------------------------------------- */

static int64_t elements(const struct keras_tensor *t)
{
    int64_t n = 1;

    for (int i = 0; i < t->rank; i++)
        n *= t->dims[i];
    return n;
}

static void reshaped(struct keras_call *c, int rank, const int64_t *dims)
{
    int64_t all[KERAS_RANK + 1] = { 0 }; /* 0: the batch as it is */

    memcpy(all + 1, dims, (size_t)rank * sizeof *dims);
    result(c, keras_reshape(c, keras_last(c, c->in[0]), rank + 1, all), rank, dims);
}

static void flatten(struct keras_call *c)
{
    const int64_t n = elements(c->in[0]);

    if (c->in[0]->rank == 1)
        same(c);
    else
        reshaped(c, 1, &n);
}

static void reshape(struct keras_call *c)
{
    struct json_object *o = keras_get(c->config, "target_shape");
    const size_t rank = json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
    const int64_t all = elements(c->in[0]);
    int64_t dims[KERAS_RANK], known = 1;
    int open = -1;

    if (rank < 1 || rank > KERAS_RANK - 1) {
        keras_fail(c, "no target_shape of 1 to %d extents", KERAS_RANK - 1);
        return;
    }
    for (size_t i = 0; i < rank; i++) {
        dims[i] = json_object_get_int64(json_object_array_get_idx(o, i));
        if (dims[i] == -1 && open < 0)
            open = (int)i;
        else if (dims[i] < 1 || dims[i] > all / known) {
            keras_fail(c, "%lld elements do not fit the target_shape %.60s", (long long)all,
                       json_object_to_json_string(o));
            return;
        } else {
            known *= dims[i];
        }
    }
    if (open >= 0)
        dims[open] = all / known;
    if (known * (open >= 0 ? dims[open] : 1) != all)
        keras_fail(c, "%lld elements do not fit the target_shape %.60s", (long long)all,
                   json_object_to_json_string(o));
    else
        reshaped(c, (int)rank, dims);
}

static void permute(struct keras_call *c)
{
    const struct keras_tensor *t = c->in[0];
    int64_t perm[KERAS_RANK + 1] = { 0 }, dims[KERAS_RANK];
    unsigned seen = 0;

    if (!keras_ints(c, "dims", t->rank, 1, perm + 1))
        keras_fail(c, "no dims");
    for (int i = 0; i < t->rank && !c->k->b.failed; i++) {
        if (perm[i + 1] > t->rank || seen >> perm[i + 1] & 1u) {
            keras_fail(c, "dims are not the axes 1 to %d", t->rank);
            return;
        }
        seen |= 1u << perm[i + 1];
        dims[i] = t->dims[perm[i + 1] - 1];
    }
    if (!c->k->b.failed)
        result(c, keras_transpose(c, keras_last(c, c->in[0]), t->rank + 1, perm), t->rank, dims);
}

/* ---- several inputs -------------------------------------------------------------------------- */

/* All in one form: channels first if one is, so that convolutions stay in it. */
static bool all_first(const struct keras_call *c)
{
    bool first = false;

    for (size_t i = 0; i < c->nin; i++)
        first = first || (c->in[i]->rank > 1 && c->in[i]->first >= 0);
    return first;
}

static int in_form(struct keras_call *c, size_t i, bool first)
{
    return first ? keras_first(c, c->in[i]) : keras_last(c, c->in[i]);
}

static void merge(struct keras_call *c)
{
    static const char *const ops[][2] = { { "Add", "Add" },      { "Subtract", "Sub" },
                                          { "Multiply", "Mul" }, { "Divide", "Div" },
                                          { "Maximum", "Max" },  { "Minimum", "Min" },
                                          { "Average", "Add" } };
    const bool first = all_first(c);
    const struct keras_tensor *t = c->in[0];
    int64_t dims[KERAS_RANK];
    const char *op = "Add";
    int y = in_form(c, 0, first);

    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++)
        if (!strcmp(ops[i][0], c->class->name))
            op = ops[i][1];
    memcpy(dims, t->dims, sizeof dims);
    for (size_t i = 1; i < c->nin && !c->k->b.failed; i++) {
        const struct keras_tensor *u = c->in[i];

        if (u->rank != t->rank)
            keras_fail(c, "its inputs have %d and %d axes", t->rank, u->rank);
        for (int d = 0; d < t->rank; d++) {
            if (dims[d] != u->dims[d] && dims[d] != 1 && u->dims[d] != 1)
                keras_fail(c, "its inputs have %lld and %lld elements along axis %d",
                           (long long)dims[d], (long long)u->dims[d], d + 1);
            dims[d] = dims[d] == 1 ? u->dims[d] : dims[d];
        }
        y = keras_op2(c, op, y, in_form(c, i, first));
    }
    if (!strcmp(c->class->name, "Average"))
        y = keras_op2(c, "Mul", y, tw_build_const_real(&c->k->b, 1.0 / (double)c->nin));
    result(c, y, t->rank, dims);
    if (first) {
        c->out.first = y;
        c->out.last = -1;
    }
}

static void concatenate(struct keras_call *c)
{
    const bool first = all_first(c);
    const struct keras_tensor *t = c->in[0];
    const int a = keras_axis(c, t, keras_int(c, "axis", -1));
    int64_t dims[KERAS_RANK];
    int *in = tw_alloc(c->nin, sizeof *in), y;

    if (!in) {
        (void)tw_err_set(c->k->b.err, TW_ENOMEM, "out of memory");
        c->k->b.failed = true;
    }
    memcpy(dims, t->dims, sizeof dims);
    for (size_t i = 0; i < c->nin && !c->k->b.failed; i++) {
        const struct keras_tensor *u = c->in[i];

        if (u->rank != t->rank)
            keras_fail(c, "its inputs have %d and %d axes", t->rank, u->rank);
        for (int d = 0; d < t->rank; d++)
            if (d != a - 1 && u->dims[d] != dims[d])
                keras_fail(c, "its inputs have %lld and %lld elements along axis %d",
                           (long long)dims[d], (long long)u->dims[d], d + 1);
        dims[a - 1] += i ? u->dims[a - 1] : 0;
        in[i] = in_form(c, i, first);
    }
    if (!c->k->b.failed) {
        y = keras_op(c, "Concat", c->nin, in);
        tw_build_int(&c->k->b, "axis", !first ? a : a == t->rank ? 1 : a + 1);
        result(c, y, t->rank, dims);
        if (first) {
            c->out.first = y;
            c->out.last = -1;
        }
    }
    free(in);
}

/* x scale + offset, each a number or one for each channel. */
static int numbers(struct keras_call *c, const char *key, double absent)
{
    struct json_object *o = keras_get(c->config, key);
    const struct keras_tensor *t = c->in[0];
    const size_t n = json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
    struct tw_array a = { 0 };

    if (n == 0)
        return tw_build_const_real(&c->k->b, keras_real(c, key, absent));
    if ((int64_t)n != t->dims[t->rank - 1])
        keras_fail(c, "'%s' has %zu numbers for %lld channels", key, n,
                   (long long)t->dims[t->rank - 1]);
    if (c->k->b.failed || tw_array_make(&a, TW_F32, 1, &n, c->k->b.err) != TW_OK) {
        c->k->b.failed = true;
        return -1;
    }
    for (size_t i = 0; i < n; i++)
        tw_array_set_real(&a, i, json_object_get_double(json_object_array_get_idx(o, i)));
    return tw_build_const_array(&c->k->b, &a);
}

static void rescaling(struct keras_call *c)
{
    struct keras_tensor *t = c->in[0];
    int y = keras_op2(c, "Mul", keras_last(c, t), numbers(c, "scale", 1.0));

    y = keras_op2(c, "Add", y, numbers(c, "offset", 0.0));
    result(c, y, t->rank, t->dims);
}

/* ---- the table ------------------------------------------------------------------------------- */

/* What does nothing but in training, or to masks, is `same`. */
const struct keras_class keras_classes[] = {
    { "Activation", 1, keras_activation_layer },
    { "ActivityRegularization", 1, same },
    { "Add", 0, merge },
    { "AlphaDropout", 1, same },
    { "Average", 0, merge },
    { "AveragePooling1D", 1, keras_pool },
    { "AveragePooling2D", 1, keras_pool },
    { "BatchNormalization", 1, keras_batch_norm },
    { "Concatenate", 0, concatenate },
    { "Conv1D", 1, keras_conv },
    { "Conv1DTranspose", 1, keras_conv_transpose },
    { "Conv2D", 1, keras_conv },
    { "Conv2DTranspose", 1, keras_conv_transpose },
    { "Cropping1D", 1, keras_crop },
    { "Cropping2D", 1, keras_crop },
    { "Dense", 1, dense },
    { "DepthwiseConv1D", 1, keras_depthwise },
    { "DepthwiseConv2D", 1, keras_depthwise },
    { "Divide", 2, merge },
    { "Dropout", 1, dropout },
    { "ELU", 1, keras_activation_layer },
    { "Embedding", 1, embedding },
    { "Flatten", 1, flatten },
    { "GaussianDropout", 1, same },
    { "GaussianNoise", 1, same },
    { "GlobalAveragePooling1D", 1, keras_global_pool },
    { "GlobalAveragePooling2D", 1, keras_global_pool },
    { "GlobalMaxPooling1D", 1, keras_global_pool },
    { "GlobalMaxPooling2D", 1, keras_global_pool },
    { "Identity", 1, same },
    { "LayerNormalization", 1, keras_layer_norm },
    { "LeakyReLU", 1, keras_activation_layer },
    { "MaxPooling1D", 1, keras_pool },
    { "MaxPooling2D", 1, keras_pool },
    { "Maximum", 0, merge },
    { "Minimum", 0, merge },
    { "MultiHeadAttention", 0, keras_attention },
    { "Multiply", 0, merge },
    { "Normalization", 1, keras_normalization },
    { "PReLU", 1, keras_activation_layer },
    { "Permute", 1, permute },
    { "RandomContrast", 1, same },
    { "RandomFlip", 1, same },
    { "RandomRotation", 1, same },
    { "RandomTranslation", 1, same },
    { "RandomZoom", 1, same },
    { "ReLU", 1, keras_activation_layer },
    { "Rescaling", 1, rescaling },
    { "Reshape", 1, reshape },
    { "SeparableConv1D", 1, keras_separable },
    { "SeparableConv2D", 1, keras_separable },
    { "Softmax", 1, keras_activation_layer },
    { "SpatialDropout1D", 1, same },
    { "SpatialDropout2D", 1, same },
    { "Subtract", 2, merge },
    { "UpSampling1D", 1, keras_upsample },
    { "UpSampling2D", 1, keras_upsample },
    { "ZeroPadding1D", 1, keras_pad },
    { "ZeroPadding2D", 1, keras_pad },
};
enum { CLASSES = sizeof keras_classes / sizeof keras_classes[0] };

const struct keras_class *keras_class_find(const char *name)
{
    for (size_t i = 0; i < CLASSES; i++)
        if (!strcmp(keras_classes[i].name, name))
            return &keras_classes[i];
    return NULL;
}

const char *keras_class_nearest(const char *name)
{
    const char *names[CLASSES];
    size_t i;

    for (i = 0; i < CLASSES; i++)
        names[i] = keras_classes[i].name;
    i = tw_str_nearest(name, names, CLASSES);
    return i < CLASSES ? names[i] : NULL;
}
