/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The geometry of convolutions and pools. */
#include "reference.h"

#include <string.h>

enum { MOST = INT32_MAX }; /* of a stride, pad, dilation: their products fit 64 bits */

static enum tw_status read_list(const struct tw_ref *r, const char *attr, size_t n, int64_t least,
                                int64_t absent, int64_t *v)
{
    struct tw_ref_list list;
    enum tw_status rc = tw_ref_list(r, attr, -1, &list);

    if (rc == TW_OK && list.given && list.n != n)
        rc = tw_ref_fail(r, "%s has %zu numbers; expected %zu", attr, list.n, n);
    for (size_t i = 0; rc == TW_OK && i < n; i++) {
        v[i] = list.given ? list.v[i] : absent;
        if (list.given && (v[i] < least || v[i] > MOST))
            rc = tw_ref_fail(r, "%lld in %s", (long long)v[i], attr);
    }
    return rc;
}

enum tw_status tw_ref_window_attrs(const struct tw_ref *r, struct tw_ref_window *w)
{
    const size_t n = (size_t)w->nd;
    int64_t pads[2 * TW_REF_SPACE] = { 0 };
    enum tw_status rc = read_list(r, "strides", n, 1, 1, w->stride);

    if (rc == TW_OK)
        rc = read_list(r, "dilations", n, 1, 1, w->dilation);
    if (rc == TW_OK)
        rc = read_list(r, "pads", 2 * n, 0, 0, pads);
    memcpy(w->before, pads, n * sizeof *pads);
    memcpy(w->after, pads + n, n * sizeof *pads);
    return rc;
}

enum tw_status tw_ref_window_kernel(const struct tw_ref *r, const struct tw_array *x,
                                    struct tw_ref_window *w)
{
    int64_t k[TW_REF_SPACE] = { 0 };
    enum tw_status rc = TW_OK;

    if (x->rank < 3)
        return tw_ref_fail(r, "expected [N, C, ...] with at least 3 dimensions, found %d", x->rank);
    w->nd = x->rank - 2;
    if (tw_node_attr(r->node, "kernel_shape"))
        rc = read_list(r, "kernel_shape", (size_t)w->nd, 1, 0, k);
    for (int i = 0; i < w->nd; i++)
        w->k[i] = (size_t)k[i];
    return rc;
}

/* SAME_UPPER, SAME_LOWER: as many outputs as strides fit in, the odd pad at the end or start. */
static void pad_same(struct tw_ref_window *w, int i, bool lower)
{
    const int64_t in = (int64_t)w->in[i], reach = ((int64_t)w->k[i] - 1) * w->dilation[i] + 1;
    const int64_t out = in / w->stride[i] + (in % w->stride[i] != 0);
    const int64_t total = out > 0 ? (out - 1) * w->stride[i] + reach - in : 0;
    const int64_t both = total > 0 ? total : 0;

    w->before[i] = lower ? both - both / 2 : both / 2;
    w->after[i] = both - w->before[i];
}

static enum tw_status outputs(const struct tw_ref *r, struct tw_ref_window *w, int i, bool up)
{
    const int64_t reach = ((int64_t)w->k[i] - 1) * w->dilation[i] + 1;
    const int64_t room = (int64_t)w->in[i] + w->before[i] + w->after[i] - reach;
    int64_t out;

    if (room < 0)
        return tw_ref_fail(r, "a window of %lld along axis %d does not fit %zu with pads",
                           (long long)reach, i + 2, w->in[i]);
    out = room / w->stride[i] + 1;
    /* Rounded up, but no window begins after the input and its padding in front. */
    if (up && room % w->stride[i] != 0 && out * w->stride[i] < (int64_t)w->in[i] + w->before[i])
        out++;
    w->out[i] = (size_t)out;
    return TW_OK;
}

enum tw_status tw_ref_window(const struct tw_ref *r, const struct tw_array *x,
                             struct tw_ref_window *w)
{
    const char *pad = tw_node_text(r->node, "auto_pad", "NOTSET");
    const bool lower = strcmp(pad, "SAME_LOWER") == 0, same = strncmp(pad, "SAME", 4) == 0;
    const bool up = tw_node_int(r->node, "ceil_mode", 0) != 0;
    enum tw_status rc = tw_ref_window_attrs(r, w);

    w->nin = w->nout = w->ntap = 1;
    for (int i = 0; rc == TW_OK && i < w->nd; i++) {
        w->in[i] = x->dims[i + 2];
        if (w->in[i] > MOST)
            return tw_ref_fail(r, "an extent of %zu", w->in[i]);
        if (strcmp(pad, "VALID") == 0)
            w->before[i] = w->after[i] = 0;
        if (same)
            pad_same(w, i, lower);
        rc = outputs(r, w, i, up);
        if (rc == TW_OK &&
            (w->k[i] > MOST / w->ntap || (w->out[i] && w->nout > SIZE_MAX / w->out[i])))
            rc = tw_ref_fail(r, "the windows are too large");
        if (rc != TW_OK)
            return rc;
        w->ntap *= w->k[i];
        w->nin *= w->in[i];
        w->nout *= w->out[i];
    }
    return rc;
}

size_t tw_ref_window_at(const struct tw_ref_window *w, size_t o, size_t t)
{
    size_t at = 0, step = 1;

    for (int i = w->nd; i-- > 0;) {
        const int64_t from = (int64_t)(o % w->out[i]) * w->stride[i] - w->before[i] +
                             (int64_t)(t % w->k[i]) * w->dilation[i];

        if (from < 0 || from >= (int64_t)w->in[i])
            return SIZE_MAX;
        at += (size_t)from * step;
        step *= w->in[i];
        o /= w->out[i];
        t /= w->k[i];
    }
    return at;
}
