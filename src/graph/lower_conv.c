/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution and pooling. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

struct window {
    int nd;
    size_t in[3], out[3], window[3];
    long stride[3], pad[3], pad_end[3], dilation[3];
};

static enum tw_status attr3(struct tw_build *b, const struct tw_node *node, const char *name,
                            int nd, long absent, long x[3])
{
    const struct tw_attr *a = tw_node_attr(node, name);

    for (int i = 0; i < 3; i++)
        x[i] = i < 3 - nd ? (absent == 0 ? 0 : 1) : absent;
    if (!a)
        return TW_OK;
    if (a->kind != TW_ATTR_INTS || a->n < (size_t)nd)
        return tw_b_fail(b, "attribute %s has %zu numbers for %d axes", name, a->n, nd);
    for (int i = 0; i < nd; i++) {
        if (a->ints[i] < -1000000 || a->ints[i] > 1000000)
            return tw_b_fail(b, "attribute %s is out of range", name);
        x[3 - nd + i] = (long)a->ints[i];
    }
    return TW_OK;
}

/* Strides, padding and output extents of a window that is set already. */
static enum tw_status geometry(struct tw_build *b, const struct tw_node *node, int v,
                               struct window *w)
{
    const struct tw_val *x = tw_b_val(b, v);
    const char *automatic = tw_node_text(node, "auto_pad", "NOTSET");
    const struct tw_attr *pads = tw_node_attr(node, "pads");
    bool ceil_mode = tw_node_int(node, "ceil_mode", 0) != 0;
    enum tw_status st;

    if ((st = attr3(b, node, "strides", w->nd, 1, w->stride)) ||
        (st = attr3(b, node, "dilations", w->nd, 1, w->dilation)))
        return st;
    for (int i = 0; i < 3; i++) {
        int axis = i - (3 - w->nd);
        long reach, total;

        w->in[i] = axis < 0 ? 1 : x->dims[2 + axis];
        w->pad[i] = w->pad_end[i] = 0;
        if (w->stride[i] < 1 || w->dilation[i] < 1 || w->window[i] < 1 || w->window[i] > 1000000)
            return tw_b_fail(b, "needs windows, strides and dilations of at least 1");
        reach = ((long)w->window[i] - 1) * w->dilation[i] + 1;
        if (axis >= 0 && pads && pads->kind == TW_ATTR_INTS && pads->n == 2 * (size_t)w->nd) {
            w->pad[i] = (long)pads->ints[axis];
            w->pad_end[i] = (long)pads->ints[axis + w->nd];
        } else if (axis >= 0 && !strncmp(automatic, "SAME", 4)) {
            long out = ((long)w->in[i] + w->stride[i] - 1) / w->stride[i];

            total = (out - 1) * w->stride[i] + reach - (long)w->in[i];
            total = total < 0 ? 0 : total;
            w->pad[i] = !strcmp(automatic, "SAME_LOWER") ? total - total / 2 : total / 2;
            w->pad_end[i] = total - w->pad[i];
        }
        if (w->pad[i] < -1000000 || w->pad[i] > 1000000 || w->pad_end[i] < -1000000 ||
            w->pad_end[i] > 1000000)
            return tw_b_fail(b, "attribute pads is out of range");
        total = (long)w->in[i] + w->pad[i] + w->pad_end[i] - reach;
        if (total < 0)
            return tw_b_fail(b, "has a window of %ld on an input of %zu", reach, w->in[i]);
        w->out[i] = (size_t)((total + (ceil_mode ? w->stride[i] - 1 : 0)) / w->stride[i] + 1);
        /* A window that starts in the padding behind the input does not count. */
        if (ceil_mode && ((long)w->out[i] - 1) * w->stride[i] >= (long)w->in[i] + w->pad[i])
            w->out[i]--;
    }
    return TW_OK;
}

static size_t volume(const size_t n[3])
{
    return n[0] * n[1] * n[2];
}

/* The value's own shape: batch, channels, outputs. */
static int spatial_temp(struct tw_build *b, int v, size_t channels, const struct window *w)
{
    size_t dims[TW_MAX_RANK];

    dims[0] = tw_b_val(b, v)->dims[0];
    dims[1] = channels;
    for (int i = 0; i < w->nd; i++)
        dims[2 + i] = w->out[3 - w->nd + i];
    return tw_b_temp(b, tw_b_val(b, v)->dtype, 2 + w->nd, dims);
}

/* Offsets of (channel, window) in the padded input, and how much of that input is reached. */
static void fill_offsets(struct tw_conv_data *d, const struct window *w, size_t channels)
{
    size_t n = 0;

    for (int i = 0; i < 3; i++)
        d->room[i] = (size_t)((long)(w->out[i] - 1) * w->stride[i] +
                              ((long)w->window[i] - 1) * w->dilation[i] + 1);
    for (int i = 0; i < 3; i++) /* without padding the input is its own room */
        if (!w->pad[0] && !w->pad[1] && !w->pad[2] && d->room[0] <= w->in[0] &&
            d->room[1] <= w->in[1] && d->room[2] <= w->in[2])
            memcpy(d->room, w->in, sizeof d->room);
    for (size_t c = 0; c < channels; c++)
        for (size_t z = 0; z < w->window[0]; z++)
            for (size_t y = 0; y < w->window[1]; y++)
                for (size_t x = 0; x < w->window[2]; x++)
                    d->koff[n++] =
                        (long)(((c * d->room[0] + z * (size_t)w->dilation[0]) * d->room[1] +
                                y * (size_t)w->dilation[1]) *
                                   d->room[2] +
                               x * (size_t)w->dilation[2]);
}

static struct tw_conv_data *conv_data(const struct window *w, size_t groups, size_t cin,
                                      size_t cout)
{
    size_t channels = cin / groups, taps = channels * volume(w->window);
    struct tw_conv_data *d;

    if (taps > (size_t)1 << 28)
        return NULL;
    d = tw_alloc(1, sizeof *d + taps * sizeof d->koff[0]);
    if (!d)
        return NULL;
    d->groups = groups;
    d->cin = cin;
    d->cout = cout;
    memcpy(d->in, w->in, sizeof d->in);
    memcpy(d->out, w->out, sizeof d->out);
    memcpy(d->window, w->window, sizeof d->window);
    memcpy(d->stride, w->stride, sizeof d->stride);
    memcpy(d->pad, w->pad, sizeof d->pad);
    memcpy(d->dilation, w->dilation, sizeof d->dilation);
    fill_offsets(d, w, channels);
    return d;
}

static int sample(struct tw_build *b, int v, size_t i)
{
    struct tw_assemble_data *d = tw_alloc(1, sizeof *d + sizeof d->piece[0]);
    const struct tw_val *x = tw_b_val(b, v);
    size_t dims[TW_MAX_RANK], n = x->n / x->dims[0];

    if (!d)
        return -1;
    memcpy(dims, x->dims, sizeof dims);
    dims[0] = 1;
    d->covered = true;
    d->npiece = 1;
    d->piece[0] = (struct tw_piece){ .from = i * n,
                                     .loop = { .nd = 1, .n = { n }, .sa = { 1 }, .sy = { 1 } } };
    return tw_b_instr(b, &tw_op_assemble, 1, &v, tw_b_temp(b, x->dtype, x->rank, dims), d, 0.0);
}

int tw_b_stack(struct tw_build *b, int axis, size_t n, const int *v)
{
    struct tw_assemble_data *d = tw_alloc(1, sizeof *d + n * sizeof d->piece[0]);
    size_t dims[TW_MAX_RANK], inner = 1, outer = 1, at = 0, total = 0;
    int rank = tw_b_val(b, v[0])->rank;

    if (!d)
        return -1;
    memcpy(dims, tw_b_val(b, v[0])->dims, sizeof dims);
    for (int i = 0; i < rank; i++) {
        outer *= i < axis ? dims[i] : 1;
        inner *= i > axis ? dims[i] : 1;
    }
    for (size_t i = 0; i < n; i++)
        total += tw_b_val(b, v[i])->dims[axis];
    d->covered = true;
    d->npiece = n;
    for (size_t i = 0; i < n; i++) {
        size_t here = tw_b_val(b, v[i])->dims[axis];

        d->piece[i] = (struct tw_piece){ .input = (int)i,
                                         .to = at * inner,
                                         .loop = { .nd = 2,
                                                   .n = { outer, here * inner },
                                                   .sa = { (long)(here * inner), 1 },
                                                   .sy = { (long)(total * inner), 1 } } };
        tw_loop_collapse(&d->piece[i].loop);
        at += here;
    }
    dims[axis] = total;
    return tw_b_instr(b, &tw_op_assemble, n, v, tw_b_temp(b, tw_b_val(b, v[0])->dtype, rank, dims),
                      d, 0.0);
}

enum tw_status tw_lower_conv(struct tw_build *b, const struct tw_node *node)
{
    int in[3] = { tw_b_in(b, 0), tw_b_in(b, 1), tw_b_in(b, 2) }, parts[64];
    int64_t groups = tw_node_int(node, "group", 1);
    struct window w = { 0 };
    size_t cin, cout, batch;
    enum tw_status st;

    if (in[0] < 0 || in[1] < 0 || tw_b_val(b, in[0])->rank < 3 || tw_b_val(b, in[0])->rank > 5 ||
        tw_b_val(b, in[1])->rank != tw_b_val(b, in[0])->rank)
        return tw_b_fail(b, "needs an input and weights of one to three spatial axes");
    w.nd = tw_b_val(b, in[0])->rank - 2;
    for (int i = 0; i < 3; i++)
        w.window[i] = i < 3 - w.nd ? 1 : tw_b_val(b, in[1])->dims[2 + i - (3 - w.nd)];
    cin = tw_b_val(b, in[0])->dims[1];
    cout = tw_b_val(b, in[1])->dims[0];
    batch = tw_b_val(b, in[0])->dims[0];
    if (groups < 1 || cin % (size_t)groups || cout % (size_t)groups ||
        tw_b_val(b, in[1])->dims[1] != cin / (size_t)groups)
        return tw_b_fail(b, "has weights for %zu channels in %lld groups, but an input of %zu",
                         tw_b_val(b, in[1])->dims[1], (long long)groups, cin);
    if (in[2] >= 0 && tw_b_val(b, in[2])->n != cout)
        return tw_b_fail(b, "has a bias of %zu for %zu channels", tw_b_val(b, in[2])->n, cout);
    if (batch > 64 || batch == 0)
        return tw_b_fail(b, "was exported for a batch of %zu; export it with a free batch", batch);
    if ((st = geometry(b, node, in[0], &w)))
        return st;
    for (size_t i = 0; i < batch; i++) {
        int one[3] = { batch > 1 ? sample(b, in[0], i) : in[0], in[1], in[2] };
        struct tw_conv_data *d = conv_data(&w, (size_t)groups, cin, cout);

        if (one[0] < 0 || !d) {
            free(d);
            return tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
        }
        parts[i] = tw_b_instr(b, &tw_op_conv, in[2] >= 0 ? 3 : 2, one,
                              spatial_temp(b, one[0], cout, &w), d,
                              2.0 * (double)cout * (double)volume(w.out) *
                                  (double)(cin / (size_t)groups) * (double)volume(w.window));
        if (parts[i] < 0)
            return b->err->code;
    }
    tw_b_out(b, 0, batch > 1 ? tw_b_stack(b, 0, batch, parts) : parts[0]);
    return b->err->code;
}

/* ---- pooling ----------------------------------------------------------------------------------
 */

static struct tw_pool_data *pool_data(const struct window *w, size_t planes)
{
    struct tw_pool_data *d = tw_alloc(1, sizeof *d);

    if (!d)
        return NULL;
    d->pool.planes = planes;
    memcpy(d->pool.in, w->in, sizeof d->pool.in);
    memcpy(d->pool.out, w->out, sizeof d->pool.out);
    memcpy(d->pool.window, w->window, sizeof d->pool.window);
    memcpy(d->pool.stride, w->stride, sizeof d->pool.stride);
    memcpy(d->pool.pad, w->pad, sizeof d->pool.pad);
    memcpy(d->pool.dilation, w->dilation, sizeof d->pool.dilation);
    memcpy(d->pool.pad_end, w->pad_end, sizeof d->pool.pad_end);
    return d;
}

static enum tw_status pool_window(struct tw_build *b, const struct tw_node *node, int v,
                                  struct window *w)
{
    const struct tw_attr *shape = tw_node_attr(node, "kernel_shape");
    enum tw_status st;
    long window[3];

    if (v < 0 || tw_b_val(b, v)->rank < 3 || tw_b_val(b, v)->rank > 5)
        return tw_b_fail(b, "needs an input of one to three spatial axes");
    w->nd = tw_b_val(b, v)->rank - 2;
    if (!shape)
        return tw_b_fail(b, "has no kernel_shape");
    if ((st = attr3(b, node, "kernel_shape", w->nd, 1, window)))
        return st;
    for (int i = 0; i < 3; i++)
        w->window[i] = window[i] < 1 ? 0 : (size_t)window[i];
    return geometry(b, node, v, w);
}

static int add_maxpool(struct tw_build *b, int v, const struct window *w)
{
    struct tw_pool_data *d = pool_data(w, tw_b_val(b, v)->dims[0] * tw_b_val(b, v)->dims[1]);
    int y = spatial_temp(b, v, tw_b_val(b, v)->dims[1], w), index;

    if (!d || y < 0) {
        free(d);
        return -1;
    }
    y = tw_b_instr(b, &tw_op_maxpool, 1, &v, y, d, 0.0);
    index = y < 0 ? -1 : spatial_temp(b, v, tw_b_val(b, v)->dims[1], w);
    if (index < 0)
        return -1;
    b->g->val[index].dtype = TW_I64;
    b->g->val[index].varying = b->g->val[y].varying;
    b->g->instr[b->g->ninstr - 1].nout = 2;
    b->g->instr[b->g->ninstr - 1].out[1] = index;
    return y;
}

enum tw_status tw_lower_maxpool(struct tw_build *b, const struct tw_node *node)
{
    struct window w = { 0 };
    enum tw_status st = pool_window(b, node, tw_b_in(b, 0), &w);

    if (st)
        return st;
    if (node->nout > 1 && node->out[1] >= 0)
        return tw_b_fail(b, "gives the places of the maxima, which is not supported");
    tw_b_out(b, 0, add_maxpool(b, tw_b_in(b, 0), &w));
    return b->err->code;
}

static int add_avgpool(struct tw_build *b, int v, const struct window *w, bool count_pad)
{
    struct tw_pool_data *d = pool_data(w, tw_b_val(b, v)->dims[0] * tw_b_val(b, v)->dims[1]);

    if (!d)
        return -1;
    d->pool.count_pad = count_pad;
    return tw_b_instr(b, &tw_op_avgpool, 1, &v, spatial_temp(b, v, tw_b_val(b, v)->dims[1], w), d,
                      (double)tw_b_val(b, v)->n);
}

enum tw_status tw_lower_avgpool(struct tw_build *b, const struct tw_node *node)
{
    struct window w = { 0 };
    enum tw_status st = pool_window(b, node, tw_b_in(b, 0), &w);

    if (st)
        return st;
    tw_b_out(b, 0,
             add_avgpool(b, tw_b_in(b, 0), &w, tw_node_int(node, "count_include_pad", 0) != 0));
    return b->err->code;
}

enum tw_status tw_lower_global_pool(struct tw_build *b, const struct tw_node *node)
{
    int v = tw_b_in(b, 0);
    bool axes[TW_MAX_RANK] = { false };

    if (v < 0 || tw_b_val(b, v)->rank < 3)
        return tw_b_fail(b, "needs an input with spatial axes");
    for (int i = 2; i < tw_b_val(b, v)->rank; i++)
        axes[i] = true;
    tw_b_out(b, 0,
             strcmp(node->op, "GlobalMaxPool") ? tw_b_reduce(b, TW_B_ADD, true, v, axes, true)
                                               : tw_b_reduce(b, TW_B_MAX, false, v, axes, true));
    return b->err->code;
}
