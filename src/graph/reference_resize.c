/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Resize and its forerunner Upsample: nearest and linear. */
#include "reference.h"

#include <math.h>
#include <string.h>

enum coordinate { HALF_PIXEL, PYTORCH_HALF_PIXEL, ALIGN_CORNERS, ASYMMETRIC };

struct resize {
    enum coordinate coordinate;
    const char *nearest; /* rounding, or NULL: linear */
    double scale[TW_MAX_RANK];
    size_t dims[TW_MAX_RANK];
};

/* Where output o of an axis lies in the input. */
static double place(const struct resize *s, int axis, size_t n, size_t o)
{
    /* the definition's length of the result is not rounded to an integer */
    const double x = (double)o, scale = s->scale[axis], out = scale * (double)n;

    switch (s->coordinate) {
    case ALIGN_CORNERS:
        return out > 1.0 ? x * ((double)n - 1.0) / (out - 1.0) : 0.0;
    case ASYMMETRIC:
        return x / scale;
    case PYTORCH_HALF_PIXEL:
        return out > 1.0 ? (x + 0.5) / scale - 0.5 : 0.0;
    default:
        return (x + 0.5) / scale - 0.5;
    }
}

static double whole(const char *how, double x)
{
    if (strcmp(how, "floor") == 0)
        return floor(x);
    if (strcmp(how, "ceil") == 0)
        return ceil(x);
    if (strcmp(how, "round_prefer_ceil") == 0)
        return floor(x + 0.5);
    return ceil(x - 0.5); /* round_prefer_floor */
}

static size_t within(double x, size_t n)
{
    return x <= 0.0 ? 0 : x >= (double)n - 1.0 ? n - 1 : (size_t)x;
}

/* The sum over the corners around the place, 2^rank of them; axes that are not resized have one. */
static double value(const struct tw_array *x, const struct resize *s, size_t i,
                    const size_t *stride)
{
    size_t low[TW_MAX_RANK] = { 0 }, high[TW_MAX_RANK] = { 0 };
    double part[TW_MAX_RANK] = { 0 }, sum = 0.0;

    for (int k = x->rank; k-- > 0; i /= s->dims[k]) {
        const double at = place(s, k, x->dims[k], i % s->dims[k]);

        if (s->nearest) {
            low[k] = high[k] = within(whole(s->nearest, at), x->dims[k]);
            part[k] = 0.0;
        } else {
            low[k] = within(floor(at), x->dims[k]);
            high[k] = within(floor(at) + 1.0, x->dims[k]);
            part[k] = low[k] == high[k] ? 0.0 : at - floor(at);
        }
    }
    for (unsigned corner = 0; corner < 1U << x->rank; corner++) {
        double weight = 1.0;
        size_t at = 0;

        for (int k = 0; k < x->rank; k++) {
            weight *= corner >> k & 1U ? part[k] : 1.0 - part[k];
            at += (corner >> k & 1U ? high[k] : low[k]) * stride[k];
        }
        if (weight != 0.0)
            sum += weight * tw_array_real(x, at);
    }
    return sum;
}

/* Scales or sizes, of every axis or (opset 18) of those named. */
static enum tw_status read_sizes(const struct tw_ref *r, struct resize *s)
{
    const struct tw_array *x = r->in[0];
    const bool upsample = r->row->which != 0;
    const size_t scales_at = upsample || r->opset < 11 ? 1 : 2;
    const struct tw_array *sizes = scales_at == 2 ? tw_ref_in(r, 3) : NULL;
    const struct tw_array *scales = tw_ref_in(r, scales_at);
    const struct tw_attr *attr = tw_node_attr(r->node, "scales");
    const bool by_attr = upsample && r->opset < 9 && attr && attr->kind == TW_ATTR_REALS;
    const struct tw_array *given = sizes && sizes->n > 0 ? sizes : scales;
    const size_t n = by_attr ? attr->n : given ? given->n : 0;
    struct tw_ref_list axes;
    bool seen[TW_MAX_RANK];
    enum tw_status rc = tw_ref_list(r, "axes", -1, &axes);

    if (rc == TW_OK && !axes.given)
        for (axes.n = 0; axes.n < (size_t)x->rank; axes.n++)
            axes.v[axes.n] = (int64_t)axes.n;
    if (rc == TW_OK)
        rc = tw_ref_flags(r, &axes, x->rank, seen);
    if (rc == TW_OK && n != axes.n)
        rc = tw_ref_fail(r, "%zu scales or sizes for %zu axes", n, axes.n);
    for (int i = 0; i < x->rank; i++) {
        s->scale[i] = 1.0;
        s->dims[i] = x->dims[i];
    }
    for (size_t k = 0; rc == TW_OK && k < n; k++) {
        const int64_t a = axes.v[k] < 0 ? axes.v[k] + x->rank : axes.v[k];
        const double v = by_attr ? attr->reals[k] : tw_array_real(given, k);
        const double extent = given == sizes && !by_attr ? v : floor((double)x->dims[a] * v);

        if (!(v > 0.0) || !(extent >= 1.0 && extent < 0x1p31))
            return tw_ref_fail(r, "axis %lld of extent %zu to %g", (long long)a, x->dims[a], v);
        s->dims[a] = (size_t)extent;
        s->scale[a] = given == sizes && !by_attr ? extent / (double)x->dims[a] : v;
    }
    return rc;
}

static enum tw_status run(struct tw_ref *r)
{
    static const char *const names[] = { "half_pixel", "pytorch_half_pixel", "align_corners",
                                         "asymmetric" };
    const struct tw_array *x = r->in[0];
    const bool old = r->row->which || r->opset < 11;
    const char *mode = tw_node_text(r->node, "mode", "nearest");
    const char *coordinate =
        old ? "asymmetric" : tw_node_text(r->node, "coordinate_transformation_mode", "half_pixel");
    struct resize s = { .coordinate = HALF_PIXEL };
    size_t stride[TW_MAX_RANK], c = 0;
    enum tw_status rc;

    while (c < 4 && strcmp(coordinate, names[c]) != 0)
        c++;
    if (c == 4 || (strcmp(mode, "nearest") != 0 && strcmp(mode, "linear") != 0 &&
                   strcmp(mode, "bilinear") != 0))
        return tw_ref_fail(r, "mode '%s' with coordinates '%s' is not supported", mode, coordinate);
    if (tw_node_int(r->node, "antialias", 0) != 0 ||
        strcmp(tw_node_text(r->node, "keep_aspect_ratio_policy", "stretch"), "stretch") != 0)
        return tw_ref_fail(r, "antialias and aspect ratios are not supported");
    s.coordinate = (enum coordinate)c;
    if (strcmp(mode, "nearest") == 0)
        s.nearest = old ? "floor" : tw_node_text(r->node, "nearest_mode", "round_prefer_floor");
    rc = read_sizes(r, &s);
    if (rc == TW_OK)
        rc = tw_ref_out(r, 0, x->dtype, x->rank, s.dims);
    if (rc != TW_OK)
        return rc;
    tw_ref_strides(x->rank, x->dims, stride);
    for (size_t i = 0; i < r->out[0].n; i++)
        tw_array_set_real(&r->out[0], i, value(x, &s, i, stride));
    return TW_OK;
}

const struct tw_ref_op tw_ref_resize[] = {
    { .op = "Resize", .least = 1, .most = 4, .run = run },
    { .op = "Upsample", .least = 1, .most = 2, .run = run, .which = 1 },
    { .op = NULL },
};
