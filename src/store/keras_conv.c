/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolutions and pooling of Keras: kernels are (taps ..., in, out), windows are padded as
 * TensorFlow pads. */
#include <string.h>

#include "keras.h"

enum { AXES = 3 };

/* One window on `n` spatial axes. */
struct window {
    int n;
    int64_t kernel[AXES], stride[AXES], dilation[AXES];
    int64_t pads[2 * AXES]; /* before each axis, then after */
    int64_t out[AXES];
};

/* The spatial axes of the input: all but the last. */
static int spatial(struct keras_call *c)
{
    const char *format = keras_text(c, "data_format", "channels_last");
    const char *class = c->class->name;
    const int want = strstr(class, "1D") ? 1 : strstr(class, "2D") ? 2 : 3;

    if (strcmp(format, "channels_last") != 0)
        keras_fail(c, "data_format '%.30s' is not supported, channels_last is", format);
    if (c->in[0]->rank != want + 1)
        keras_fail(c, "its input has %d axes beside the batch, expected %d", c->in[0]->rank,
                   want + 1);
    return want;
}

/* Output extents and padding. "same" gives ceil(in / stride) and puts the odd one of the padding at
 * the end (tensorflow/core/framework/common_shape_fns.cc, GetWindowedOutputSizeVerbose). */
static void place(struct keras_call *c, struct window *w)
{
    const char *padding = keras_text(c, "padding", "valid");
    const bool same = !strcmp(padding, "same"), causal = !strcmp(padding, "causal");

    if (!same && !causal && strcmp(padding, "valid") != 0)
        keras_fail(c, "padding '%.30s' is not known", padding);
    for (int i = 0; i < w->n && !c->k->b.failed; i++) {
        const int64_t in = c->in[0]->dims[i], s = w->stride[i];
        const int64_t reach = (w->kernel[i] - 1) * w->dilation[i] + 1;
        int64_t all = causal ? reach - 1 : 0;

        if (same) {
            all = ((in + s - 1) / s - 1) * s + reach - in;
            all = all > 0 ? all : 0;
        }
        w->pads[i] = causal ? all : all / 2;
        w->pads[w->n + i] = all - w->pads[i];
        if (in + all < reach) {
            keras_fail(c, "a window of %lld is larger than its input of %lld", (long long)reach,
                       (long long)in);
            return;
        }
        w->out[i] = (in + all - reach) / s + 1;
    }
}

static void attributes(struct keras_call *c, const struct window *w, bool dilations)
{
    struct tw_net_build *b = &c->k->b;

    tw_build_ints(b, "kernel_shape", (size_t)w->n, w->kernel);
    tw_build_ints(b, "strides", (size_t)w->n, w->stride);
    tw_build_ints(b, "pads", 2 * (size_t)w->n, w->pads);
    if (dilations)
        tw_build_ints(b, "dilations", (size_t)w->n, w->dilation);
}

static void result(struct keras_call *c, int y, int n, const int64_t *out, int64_t channels)
{
    c->out = (struct keras_tensor){ .last = -1, .first = y, .rank = n + 1 };
    for (int i = 0; i < n; i++)
        c->out.dims[i] = out[i];
    c->out.dims[n] = channels;
}

static void conv_window(struct keras_call *c, struct window *w)
{
    *w = (struct window){ .n = spatial(c) };
    if (!keras_ints(c, "kernel_size", w->n, 1, w->kernel))
        keras_fail(c, "no kernel_size");
    (void)keras_ints(c, "strides", w->n, 1, w->stride);
    (void)keras_ints(c, "dilation_rate", w->n, 1, w->dilation);
    place(c, w);
}

/* A kernel (taps ..., second, first) as ONNX has it: (first, second, taps ...). */
static int turned(struct keras_call *c, int kernel, int n)
{
    int64_t perm[AXES + 2] = { n + 1, n };

    for (int i = 0; i < n; i++)
        perm[i + 2] = i;
    return keras_transpose(c, kernel, n + 2, perm);
}

static int positive(struct keras_call *c, const char *key, int64_t absent)
{
    const int64_t x = keras_int(c, key, absent);

    if (x < 1)
        keras_fail(c, "no %s, or one that is not positive", key);
    return (int)x;
}

static int bias(struct keras_call *c, int64_t n)
{
    return keras_bool(c, "use_bias", true) ? keras_param(c, "bias", NULL, 1, &n) : -1;
}

static int convolve(struct keras_call *c, int x, int w, int b, const struct window *win,
                    int64_t groups)
{
    const int y = keras_op(c, "Conv", b < 0 ? 2 : 3, (const int[]){ x, w, b });

    attributes(c, win, true);
    tw_build_int(&c->k->b, "group", groups);
    return y;
}

void keras_conv(struct keras_call *c)
{
    const int64_t out = positive(c, "filters", 0), groups = positive(c, "groups", 1);
    int64_t in, dims[AXES + 2];
    struct window w;
    int kernel, b, y;

    conv_window(c, &w);
    in = c->in[0]->dims[w.n];
    if (c->k->b.failed)
        return;
    if (in % groups || out % groups) {
        keras_fail(c, "%lld groups do not divide %lld inputs and %lld filters", (long long)groups,
                   (long long)in, (long long)out);
        return;
    }
    memcpy(dims, w.kernel, sizeof w.kernel);
    dims[w.n] = in / groups;
    dims[w.n + 1] = out;
    kernel = keras_param(c, "kernel", NULL, w.n + 2, dims);
    b = bias(c, out);
    y = convolve(c, keras_first(c, c->in[0]), turned(c, kernel, w.n), b, &w, groups);
    result(c, y, w.n, w.out, out);
    keras_activate(c);
}

/* A kernel (taps ..., in, multiplier) with a group for each input. */
static int depthwise(struct keras_call *c, const struct window *w, const char *name,
                     const char *other, int64_t multiplier, int b)
{
    const int64_t in = c->in[0]->dims[w->n];
    int64_t dims[AXES + 2], perm[AXES + 2] = { w->n, w->n + 1 };
    int kernel;

    memcpy(dims, w->kernel, sizeof w->kernel);
    dims[w->n] = in;
    dims[w->n + 1] = multiplier;
    kernel = keras_param(c, name, other, w->n + 2, dims);
    for (int i = 0; i < w->n; i++)
        perm[i + 2] = i;
    kernel = keras_transpose(c, kernel, w->n + 2, perm);
    if (multiplier > 1) {
        dims[0] = in * multiplier;
        dims[1] = 1;
        memcpy(dims + 2, w->kernel, (size_t)w->n * sizeof *dims);
        kernel = keras_reshape(c, kernel, w->n + 2, dims);
    }
    return convolve(c, keras_first(c, c->in[0]), kernel, b, w, in);
}

void keras_depthwise(struct keras_call *c)
{
    const int64_t multiplier = positive(c, "depth_multiplier", 1);
    struct window w;
    int64_t out;
    int y;

    conv_window(c, &w);
    if (c->k->b.failed)
        return;
    out = c->in[0]->dims[w.n] * multiplier;
    /* The kernel comes first, also where variables are numbered. */
    y = depthwise(c, &w, "depthwise_kernel", "kernel", multiplier, -1);
    result(c, y, w.n, w.out, out);
    if (keras_bool(c, "use_bias", true)) {
        int64_t dims[AXES + 1] = { out };

        for (int i = 0; i < w.n; i++)
            dims[i + 1] = 1;
        y = keras_reshape(c, bias(c, out), w.n + 1, dims);
        c->out.first = keras_op2(c, "Add", c->out.first, y);
    }
    keras_activate(c);
}

void keras_separable(struct keras_call *c)
{
    const int64_t out = positive(c, "filters", 0), multiplier = positive(c, "depth_multiplier", 1);
    struct window w, point = { 0 };
    int64_t dims[AXES + 2];
    int y, kernel;

    conv_window(c, &w);
    if (c->k->b.failed)
        return;
    y = depthwise(c, &w, "depthwise_kernel", NULL, multiplier, -1);
    point.n = w.n;
    for (int i = 0; i < w.n; i++)
        point.kernel[i] = point.stride[i] = point.dilation[i] = dims[i] = 1;
    dims[w.n] = c->in[0]->dims[w.n] * multiplier;
    dims[w.n + 1] = out;
    kernel = turned(c, keras_param(c, "pointwise_kernel", NULL, w.n + 2, dims), w.n);
    y = convolve(c, y, kernel, bias(c, out), &point, 1);
    result(c, y, w.n, w.out, out);
    keras_activate(c);
}

/* The gradient of a convolution: a kernel (taps ..., out, in). Extents as conv_utils.py's
 * deconv_output_length gives them; what "same" cuts off is cut as the convolution pads. */
void keras_conv_transpose(struct keras_call *c)
{
    const int64_t out = positive(c, "filters", 0);
    const char *padding = keras_text(c, "padding", "valid");
    const bool same = !strcmp(padding, "same");
    int64_t dims[AXES + 2], more[AXES] = { 0 };
    struct window w = { .n = spatial(c) };
    int kernel, b, y;

    if (!keras_ints(c, "kernel_size", w.n, 1, w.kernel) || keras_get(c->config, "output_padding") ||
        (!same && strcmp(padding, "valid") != 0))
        keras_fail(c, "no kernel_size, an output_padding, or padding '%.30s'", padding);
    (void)keras_ints(c, "strides", w.n, 1, w.stride);
    (void)keras_ints(c, "dilation_rate", w.n, 1, w.dilation);
    for (int i = 0; i < w.n && !c->k->b.failed; i++) {
        const int64_t in = c->in[0]->dims[i], s = w.stride[i], k = w.kernel[i];
        const int64_t whole = (in - 1) * s + k, all = same && k > s ? k - s : 0;

        if (w.dilation[i] != 1)
            keras_fail(c, "a dilation of it is not supported");
        w.out[i] = same ? in * s : in * s + (k > s ? k - s : 0);
        w.pads[i] = all / 2;
        w.pads[w.n + i] = all - w.pads[i];
        more[i] = w.out[i] - (whole - all);
    }
    if (c->k->b.failed)
        return;
    memcpy(dims, w.kernel, sizeof w.kernel);
    dims[w.n] = out;
    dims[w.n + 1] = c->in[0]->dims[w.n];
    kernel = turned(c, keras_param(c, "kernel", NULL, w.n + 2, dims), w.n);
    b = bias(c, out);
    y = keras_op(c, "ConvTranspose", b < 0 ? 2 : 3,
                 (const int[]){ keras_first(c, c->in[0]), kernel, b });
    attributes(c, &w, true);
    tw_build_ints(&c->k->b, "output_padding", (size_t)w.n, more);
    result(c, y, w.n, w.out, out);
    keras_activate(c);
}

/* ---- pooling --------------------------------------------------------------------------------- */

void keras_pool(struct keras_call *c)
{
    struct window w = { .n = spatial(c), .dilation = { 1, 1, 1 } };
    int y;

    if (!keras_ints(c, "pool_size", w.n, 1, w.kernel))
        keras_fail(c, "no pool_size");
    if (!keras_ints(c, "strides", w.n, 1, w.stride))
        memcpy(w.stride, w.kernel, sizeof w.stride);
    place(c, &w);
    if (c->k->b.failed)
        return;
    /* Neither the largest nor the mean counts what is padded. */
    y = keras_op1(c, *c->class->name == 'M' ? "MaxPool" : "AveragePool", keras_first(c, c->in[0]));
    attributes(c, &w, false);
    result(c, y, w.n, w.out, c->in[0]->dims[w.n]);
}

void keras_global_pool(struct keras_call *c)
{
    const int n = spatial(c);
    const bool keep = keras_bool(c, "keepdims", false);
    struct keras_tensor *t = c->in[0];
    const bool first = t->first >= 0;
    int64_t axes[AXES], ones[AXES] = { 1, 1, 1 };
    int y;

    if (c->k->b.failed)
        return;
    for (int i = 0; i < n; i++)
        axes[i] = first ? i + 2 : i + 1;
    y = keras_op1(c, strstr(c->class->name, "Max") ? "ReduceMax" : "ReduceMean",
                  first ? t->first : t->last);
    tw_build_ints(&c->k->b, "axes", (size_t)n, axes);
    tw_build_int(&c->k->b, "keepdims", keep);
    if (keep) {
        result(c, first ? y : -1, n, ones, t->dims[n]);
        c->out.last = first ? -1 : y;
    } else {
        c->out = (struct keras_tensor){ .last = y, .first = y, .rank = 1, .dims = { t->dims[n] } };
    }
}

/* ---- padding --------------------------------------------------------------------------------- */

/* [[top, bottom], [left, right]], [height, width] for both sides, or one number. */
static bool sides(struct keras_call *c, const char *key, int n, int64_t *before, int64_t *after)
{
    struct json_object *o = keras_get(c->config, key);
    const bool list = json_object_is_type(o, json_type_array);
    /* In one dimension [left, right] is the pair itself. */
    const bool pair = list && n == 1 && json_object_array_length(o) == 2;

    for (int i = 0; i < n; i++) {
        struct json_object *e = pair || !list ? o : json_object_array_get_idx(o, (size_t)i);
        const bool two =
            json_object_is_type(e, json_type_array) && json_object_array_length(e) == 2;

        before[i] = json_object_get_int64(two ? json_object_array_get_idx(e, 0) : e);
        after[i] = json_object_get_int64(two ? json_object_array_get_idx(e, 1) : e);
        if ((!two && !json_object_is_type(e, json_type_int)) || before[i] < 0 || after[i] < 0 ||
            before[i] > 1 << 20 || after[i] > 1 << 20) {
            keras_fail(c, "'%s' is %.60s, expected the extents of each side", key,
                       json_object_to_json_string(o));
            return false;
        }
    }
    return true;
}

void keras_pad(struct keras_call *c)
{
    const int n = spatial(c);
    int64_t before[AXES], after[AXES], out[AXES], pads[2 * (AXES + 2)] = { 0 };
    int y;

    if (c->k->b.failed || !sides(c, "padding", n, before, after))
        return;
    for (int i = 0; i < n; i++) {
        pads[2 + i] = before[i];
        pads[n + 4 + i] = after[i];
        out[i] = c->in[0]->dims[i] + before[i] + after[i];
    }
    y = tw_build_const_ints(&c->k->b, 2 * (size_t)(n + 2), pads);
    y = keras_op2(c, "Pad", keras_first(c, c->in[0]), y);
    result(c, y, n, out, c->in[0]->dims[n]);
}

void keras_crop(struct keras_call *c)
{
    const int n = spatial(c);
    int64_t before[AXES], after[AXES], out[AXES], end[AXES], axes[AXES];
    struct tw_net_build *b = &c->k->b;
    int y;

    if (b->failed || !sides(c, "cropping", n, before, after))
        return;
    for (int i = 0; i < n; i++) {
        end[i] = c->in[0]->dims[i] - after[i];
        out[i] = end[i] - before[i];
        axes[i] = i + 2;
        if (out[i] < 1) {
            keras_fail(c, "it leaves nothing of %lld", (long long)c->in[0]->dims[i]);
            return;
        }
    }
    y = keras_op(c, "Slice", 4,
                 (const int[]){ keras_first(c, c->in[0]), tw_build_const_ints(b, (size_t)n, before),
                                tw_build_const_ints(b, (size_t)n, end),
                                tw_build_const_ints(b, (size_t)n, axes) });
    result(c, y, n, out, c->in[0]->dims[n]);
}

/* Each element is repeated. */
void keras_upsample(struct keras_call *c)
{
    const int n = spatial(c);
    const char *how = keras_text(c, "interpolation", "nearest");
    int64_t size[AXES], out[AXES];
    struct tw_array scales = { 0 };
    const size_t rank = (size_t)n + 2;
    int y;

    (void)keras_ints(c, "size", n, 1, size);
    if (strcmp(how, "nearest") != 0)
        keras_fail(c, "interpolation '%.30s' is not supported, nearest is", how);
    if (c->k->b.failed)
        return;
    if (tw_array_make(&scales, TW_F32, 1, &rank, c->k->b.err) != TW_OK) {
        c->k->b.failed = true;
        return;
    }
    for (int i = 0; i < n + 2; i++)
        tw_array_set_real(&scales, (size_t)i, i < 2 ? 1.0 : (double)size[i - 2]);
    for (int i = 0; i < n; i++)
        out[i] = c->in[0]->dims[i] * size[i];
    y = tw_build_const_array(&c->k->b, &scales);
    y = keras_op(c, "Resize", 3, (const int[]){ keras_first(c, c->in[0]), -1, y });
    tw_build_text(&c->k->b, "mode", "nearest");
    tw_build_text(&c->k->b, "coordinate_transformation_mode", "asymmetric");
    tw_build_text(&c->k->b, "nearest_mode", "floor");
    result(c, y, n, out, c->in[0]->dims[n]);
}
