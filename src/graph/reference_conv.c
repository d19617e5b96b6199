/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution and its transpose, in any number of spatial dimensions. */
#include "reference.h"

#include <stdlib.h>
#include <string.h>

/* x [N, C, ...], w [M, C / groups, ...] (transposed: [C, M / groups, ...]), bias [M]. */
struct conv {
    const struct tw_array *x, *w, *b;
    size_t groups, n, c, m; /* m: channels of the result */
    struct tw_ref_window win;
};

static enum tw_status prepare(const struct tw_ref *r, bool transposed, struct conv *v)
{
    const int64_t groups = tw_node_int(r->node, "group", 1);
    enum tw_status rc;

    memset(v, 0, sizeof *v);
    v->x = r->in[0];
    v->w = r->in[1];
    v->b = tw_ref_in(r, 2);
    rc = tw_ref_need_real(r, v->x);
    if (rc == TW_OK)
        rc = tw_ref_need_type(r, v->x, v->w);
    if (rc == TW_OK)
        rc = tw_ref_window_kernel(r, v->x, &v->win);
    if (rc != TW_OK)
        return rc;
    if (v->w->rank != v->x->rank)
        return tw_ref_fail(r, "weights of rank %d for an input of rank %d", v->w->rank, v->x->rank);
    v->n = v->x->dims[0];
    v->c = v->x->dims[1];
    if (groups < 1 || (uint64_t)groups > v->c || v->c % (size_t)groups != 0)
        return tw_ref_fail(r, "%lld groups of %zu channels", (long long)groups, v->c);
    v->groups = (size_t)groups;
    if (transposed && v->w->dims[1] > SIZE_MAX / v->groups)
        return tw_ref_fail(r, "too many channels");
    v->m = transposed ? v->w->dims[1] * v->groups : v->w->dims[0];
    if (v->m % v->groups != 0 ||
        v->w->dims[transposed ? 0 : 1] != (transposed ? v->c : v->c / v->groups))
        return tw_ref_fail(r, "weights [%zu, %zu, ...] do not suit %zu channels in %zu groups",
                           v->w->dims[0], v->w->dims[1], v->c, v->groups);
    for (int i = 0; i < v->win.nd; i++) {
        if (v->win.k[i] != 0 && v->win.k[i] != v->w->dims[i + 2])
            return tw_ref_fail(r, "kernel_shape differs from the weights' shape");
        v->win.k[i] = v->w->dims[i + 2];
        if (v->win.k[i] < 1 || v->win.k[i] > INT32_MAX)
            return tw_ref_fail(r, "a kernel of extent %zu", v->win.k[i]);
    }
    if (v->b && (v->b->n != v->m || !tw_dtype_is_real(v->b->dtype)))
        return tw_ref_fail(r, "%zu biases for %zu channels", v->b->n, v->m);
    return TW_OK;
}

/* A convolution as ONNX has it does not flip the kernel. */
static enum tw_status run_conv(struct tw_ref *r)
{
    struct conv v;
    size_t dims[TW_MAX_RANK], cg, mg;
    enum tw_status rc = prepare(r, false, &v);

    if (rc == TW_OK)
        rc = tw_ref_window(r, v.x, &v.win);
    if (rc != TW_OK)
        return rc;
    dims[0] = v.n;
    dims[1] = v.m;
    memcpy(dims + 2, v.win.out, (size_t)v.win.nd * sizeof *dims);
    rc = tw_ref_out(r, 0, v.x->dtype, v.x->rank, dims);
    cg = v.c / v.groups;
    mg = v.m / v.groups;
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        const size_t o = i % v.win.nout, m = i / v.win.nout % v.m, n = i / v.win.nout / v.m;
        double s = v.b ? tw_array_real(v.b, m) : 0.0;

        for (size_t t = 0; t < v.win.ntap; t++) {
            const size_t at = tw_ref_window_at(&v.win, o, t);

            for (size_t c = 0; at != SIZE_MAX && c < cg; c++)
                s += tw_array_real(v.x, (n * v.c + m / mg * cg + c) * v.win.nin + at) *
                     tw_array_real(v.w, (m * cg + c) * v.win.ntap + t);
        }
        tw_array_set_real(&r->out[0], i, s);
    }
    return rc;
}

/* ---- transposed ------------------------------------------------------------------------------ */

static enum tw_status read_extra(const struct tw_ref *r, const char *attr, int nd, int64_t *v,
                                 bool *given)
{
    struct tw_ref_list list;
    const enum tw_status rc = tw_ref_list(r, attr, -1, &list);

    *given = list.given;
    memset(v, 0, TW_REF_SPACE * sizeof *v);
    if (rc != TW_OK || !list.given)
        return rc;
    /* output_shape may have the two leading extents as well */
    if (list.n != (size_t)nd && list.n != (size_t)nd + 2)
        return tw_ref_fail(r, "%s has %zu numbers; expected %d", attr, list.n, nd);
    for (int i = 0; i < nd; i++) {
        v[i] = list.v[list.n - (size_t)nd + (size_t)i];
        if (v[i] < 0 || v[i] > INT32_MAX)
            return tw_ref_fail(r, "%lld in %s", (long long)v[i], attr);
    }
    return rc;
}

/* The result is what a convolution with these strides, dilations and pads would take as its
 * input: win.in is the result's extent, win.out that of x. */
static enum tw_status transposed_extents(const struct tw_ref *r, struct conv *v)
{
    const char *pad = tw_node_text(r->node, "auto_pad", "NOTSET");
    const bool same = strncmp(pad, "SAME", 4) == 0;
    int64_t extra[TW_REF_SPACE] = { 0 }, shape[TW_REF_SPACE] = { 0 };
    bool shaped = false, unused;
    struct tw_ref_window *w = &v->win;
    enum tw_status rc = tw_ref_window_attrs(r, w);

    if (rc == TW_OK)
        rc = read_extra(r, "output_padding", w->nd, extra, &unused);
    if (rc == TW_OK)
        rc = read_extra(r, "output_shape", w->nd, shape, &shaped);
    w->nin = w->nout = w->ntap = 1;
    for (int i = 0; rc == TW_OK && i < w->nd; i++) {
        const int64_t in = (int64_t)v->x->dims[i + 2];
        const int64_t whole =
            w->stride[i] * (in - 1) + extra[i] + ((int64_t)w->k[i] - 1) * w->dilation[i] + 1;
        int64_t out = whole - w->before[i] - w->after[i];

        if (in < 1 || in > INT32_MAX || w->k[i] > INT32_MAX / w->ntap)
            return tw_ref_fail(r, "extents out of range");
        if (shaped || same) {
            const int64_t want = shaped ? shape[i] : in * w->stride[i];
            const int64_t total = whole > want ? whole - want : 0;

            w->before[i] = strcmp(pad, "SAME_UPPER") == 0 ? total / 2 : total - total / 2;
            w->after[i] = total - w->before[i];
            out = want;
        }
        if (out < 1 || out > INT32_MAX)
            return tw_ref_fail(r, "the result has extent %lld along axis %d", (long long)out,
                               i + 2);
        w->in[i] = (size_t)out;
        w->out[i] = (size_t)in;
        w->nin *= w->in[i] > SIZE_MAX / w->nin ? 1 : w->in[i]; /* refused with the result */
        w->nout *= w->out[i];
        w->ntap *= w->k[i];
    }
    return rc;
}

static enum tw_status run_transposed(struct tw_ref *r)
{
    struct conv v;
    size_t dims[TW_MAX_RANK], cg, mg;
    double *sum;
    enum tw_status rc = prepare(r, true, &v);

    if (rc == TW_OK)
        rc = transposed_extents(r, &v);
    if (rc != TW_OK)
        return rc;
    dims[0] = v.n;
    dims[1] = v.m;
    memcpy(dims + 2, v.win.in, (size_t)v.win.nd * sizeof *dims);
    rc = tw_ref_out(r, 0, v.x->dtype, v.x->rank, dims);
    if (rc != TW_OK)
        return rc;
    sum = tw_alloc(r->out[0].n, sizeof *sum);
    if (!sum)
        return tw_err_set(r->err, TW_ENOMEM, "out of memory for %zu sums", r->out[0].n);
    for (size_t i = 0; v.b && i < r->out[0].n; i++)
        sum[i] = tw_array_real(v.b, i / v.win.nin % v.m);
    cg = v.c / v.groups;
    mg = v.m / v.groups;
    for (size_t i = 0; i < v.x->n; i++) {
        const size_t o = i % v.win.nout, c = i / v.win.nout % v.c, n = i / v.win.nout / v.c;
        const double x = tw_array_real(v.x, i);

        for (size_t t = 0; t < v.win.ntap; t++) {
            const size_t at = tw_ref_window_at(&v.win, o, t);

            for (size_t m = 0; at != SIZE_MAX && m < mg; m++)
                sum[(n * v.m + c / cg * mg + m) * v.win.nin + at] +=
                    x * tw_array_real(v.w, (c * mg + m) * v.win.ntap + t);
        }
    }
    for (size_t i = 0; i < r->out[0].n; i++)
        tw_array_set_real(&r->out[0], i, sum[i]);
    free(sum);
    return TW_OK;
}

const struct tw_ref_op tw_ref_conv[] = {
    { .op = "Conv", .least = 2, .most = 3, .run = run_conv },
    { .op = "ConvTranspose", .least = 2, .most = 3, .run = run_transposed },
    { .op = NULL },
};
