/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Pools over windows, and over whole planes. */
#include "reference.h"

#include <math.h>
#include <string.h>

enum { AVERAGE, LARGEST, NORM };

static enum tw_status prepare(struct tw_ref *r, struct tw_ref_window *w)
{
    const struct tw_array *x = r->in[0];
    size_t dims[TW_MAX_RANK];
    enum tw_status rc;

    memset(w, 0, sizeof *w);
    rc = tw_ref_window_kernel(r, x, w);
    if (rc == TW_OK && w->k[0] == 0)
        rc = tw_ref_fail(r, "without kernel_shape");
    if (rc == TW_OK)
        rc = tw_ref_window(r, x, w);
    if (rc != TW_OK)
        return rc;
    memcpy(dims, x->dims, 2 * sizeof *dims);
    memcpy(dims + 2, w->out, (size_t)w->nd * sizeof *dims);
    rc = tw_ref_out(r, 0, x->dtype, x->rank, dims);
    if (rc == TW_OK && r->row->which == LARGEST && r->nout > 1)
        rc = tw_ref_out(r, 1, TW_I64, x->rank, dims);
    return rc;
}

/* An index into a plane, the first spatial axis running fastest. */
static size_t by_column(const struct tw_ref_window *w, size_t at)
{
    size_t index = 0, step = w->nin;

    for (int i = w->nd; i-- > 0;) {
        step /= w->in[i];
        index += at % w->in[i] * step;
        at /= w->in[i];
    }
    return index;
}

static enum tw_status run_max(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool column = tw_node_int(r->node, "storage_order", 0) != 0;
    struct tw_ref_window w;
    const enum tw_status rc = prepare(r, &w);

    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        const size_t plane = i / w.nout * w.nin;
        size_t best = SIZE_MAX;

        for (size_t t = 0; t < w.ntap; t++) {
            const size_t at = tw_ref_window_at(&w, i % w.nout, t);

            if (at == SIZE_MAX)
                continue;
            if (best == SIZE_MAX ||
                (tw_dtype_is_real(x->dtype)
                     ? tw_array_real(x, plane + at) > tw_array_real(x, plane + best) ||
                           isnan(tw_array_real(x, plane + at))
                     : tw_array_int(x, plane + at) > tw_array_int(x, plane + best)))
                best = at;
        }
        if (best == SIZE_MAX)
            tw_array_set_real(&r->out[0], i, -(double)INFINITY);
        else
            tw_ref_copy(&r->out[0], i, x, plane + best);
        if (r->nout > 1)
            tw_array_set_int(&r->out[1], i,
                             best == SIZE_MAX ? -1
                             : column         ? (int64_t)(plane + by_column(&w, best))
                                              : (int64_t)(plane + best));
    }
    return rc;
}

/* How many of a window's elements lie in the input or the padding that was asked for: a window
 * that was added by rounding up may reach further. */
static size_t in_padded(const struct tw_ref_window *w, size_t o)
{
    size_t n = 1;

    for (int i = w->nd; i-- > 0; o /= w->out[i]) {
        const int64_t from = (int64_t)(o % w->out[i]) * w->stride[i];
        const int64_t end = (int64_t)w->in[i] + w->before[i] + w->after[i];
        size_t inside = 0;

        for (size_t t = 0; t < w->k[i]; t++)
            inside += from + (int64_t)t * w->dilation[i] < end;
        n *= inside;
    }
    return n;
}

static enum tw_status run_mean(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const bool norm = r->row->which == NORM;
    const bool padded = tw_node_int(r->node, "count_include_pad", 0) != 0;
    const double p = tw_node_real(r->node, "p", 2.0);
    struct tw_ref_window w;
    enum tw_status rc = tw_ref_need_real(r, x);

    if (rc == TW_OK)
        rc = prepare(r, &w);
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        double s = 0.0;
        size_t n = 0;

        for (size_t t = 0; t < w.ntap; t++) {
            const size_t at = tw_ref_window_at(&w, i % w.nout, t);
            double v;

            if (at == SIZE_MAX)
                continue;
            v = tw_array_real(x, i / w.nout * w.nin + at);
            s += norm ? pow(fabs(v), p) : v;
            n++;
        }
        if (padded)
            n = in_padded(&w, i % w.nout);
        tw_array_set_real(&r->out[0], i, norm ? pow(s, 1.0 / p) : s / (double)n);
    }
    return rc;
}

static enum tw_status run_global(struct tw_ref *r)
{
    const struct tw_array *x = r->in[0];
    const double p = tw_node_real(r->node, "p", 2.0);
    size_t dims[TW_MAX_RANK], n;
    enum tw_status rc = tw_ref_need_real(r, x);

    if (rc == TW_OK && x->rank < 2)
        rc = tw_ref_fail(r, "expected [N, C, ...]");
    if (rc != TW_OK)
        return rc;
    for (int i = 0; i < x->rank; i++)
        dims[i] = i < 2 ? x->dims[i] : 1;
    n = tw_ref_product(x->dims, 2, x->rank);
    rc = tw_ref_out(r, 0, x->dtype, x->rank, dims);
    for (size_t i = 0; rc == TW_OK && i < r->out[0].n; i++) {
        double s = r->row->which == LARGEST ? -(double)INFINITY : 0.0;

        for (size_t k = 0; k < n; k++) {
            const double v = tw_array_real(x, i * n + k);

            if (r->row->which == LARGEST)
                s = isnan(v) || v > s ? v : s;
            else
                s += r->row->which == NORM ? pow(fabs(v), p) : v;
        }
        tw_array_set_real(&r->out[0], i,
                          r->row->which == LARGEST ? s
                          : r->row->which == NORM  ? pow(s, 1.0 / p)
                                                   : s / (double)n);
    }
    return rc;
}

const struct tw_ref_op tw_ref_pool[] = {
    { .op = "MaxPool", .least = 1, .most = 1, .run = run_max, .which = LARGEST },
    { .op = "AveragePool", .least = 1, .most = 1, .run = run_mean, .which = AVERAGE },
    { .op = "LpPool", .least = 1, .most = 1, .run = run_mean, .which = NORM },
    { .op = "GlobalMaxPool", .least = 1, .most = 1, .run = run_global, .which = LARGEST },
    { .op = "GlobalAveragePool", .least = 1, .most = 1, .run = run_global, .which = AVERAGE },
    { .op = "GlobalLpPool", .least = 1, .most = 1, .run = run_global, .which = NORM },
    { .op = NULL },
};
