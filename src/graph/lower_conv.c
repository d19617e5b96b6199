/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Convolution and its transpose. */
#include <stdlib.h>
#include <string.h>

#include "lower.h"

static size_t volume(const size_t n[3])
{
    return n[0] * n[1] * n[2];
}

/* Offsets of (channel, window) in the padded input, and how much of that input is reached. */
static void fill_offsets(struct tw_conv_data *d, const struct tw_window *w, size_t channels)
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

/* n times the three, at most 2^31; 0 if it is more. */
static size_t bounded(size_t n, const size_t m[3])
{
    for (int i = 0; i < 3; i++) {
        if (m[i] && n > ((size_t)1 << 31) / m[i])
            return 0;
        n *= m[i];
    }
    return n;
}

static struct tw_conv_data *conv_data(struct tw_build *b, const struct tw_window *w, size_t groups,
                                      size_t cin, size_t cout)
{
    size_t channels = cin / groups, taps = bounded(channels, w->window), room[3];
    struct tw_conv_data *d;

    for (int i = 0; i < 3; i++) /* as far as the windows reach */
        room[i] = (w->out[i] ? w->out[i] - 1 : 0) * (size_t)w->stride[i] +
                  (w->window[i] - 1) * (size_t)w->dilation[i] + 1;
    if (!taps || taps > (size_t)1 << 28 || !bounded(cin, room)) {
        tw_b_fail(b, "has windows over more than 2^31 elements, or over none");
        return NULL;
    }
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

/* Weights [cout, cin / groups, window]; a network exported for a fixed batch is done sample by
 * sample. */
static int convolve(struct tw_build *b, const int in[3], const struct tw_window *w, size_t groups,
                    size_t cout)
{
    size_t batch = tw_b_val(b, in[0])->dims[0], cin = tw_b_val(b, in[0])->dims[1];
    size_t inner = cin / groups * volume(w->window);
    double products = (double)(cout * volume(w->out)) * (double)inner;
    int parts[64];

    if (batch > 64 || batch == 0) {
        tw_b_fail(b, "was exported for a batch of %zu; export it with a free batch", batch);
        return -1;
    }
    for (size_t i = 0; i < batch; i++) {
        int one[3] = { batch > 1 ? sample(b, in[0], i) : in[0], in[1], in[2] };
        struct tw_conv_data *d = conv_data(b, w, groups, cin, cout);

        if (one[0] < 0 || !d) {
            free(d);
            tw_err_set(b->err, TW_ENOMEM, "out of memory for the network");
            return -1;
        }
        parts[i] = tw_b_instr(b, &tw_op_conv, in[2] >= 0 ? 3 : 2, one,
                              tw_window_temp(b, one[0], cout, w), d, 2.0 * products);
        if (parts[i] < 0)
            return -1;
    }
    return batch > 1 ? tw_b_stack(b, 0, batch, parts) : parts[0];
}

enum tw_status tw_lower_conv(struct tw_build *b, const struct tw_node *node)
{
    int in[3] = { tw_b_in(b, 0), tw_b_in(b, 1), tw_b_in(b, 2) };
    int64_t groups = tw_node_int(node, "group", 1);
    struct tw_window w = { 0 };
    size_t cin, cout;
    enum tw_status st;

    if (in[0] < 0 || in[1] < 0 || tw_b_val(b, in[0])->rank < 3 || tw_b_val(b, in[0])->rank > 5 ||
        tw_b_val(b, in[1])->rank != tw_b_val(b, in[0])->rank)
        return tw_b_fail(b, "needs an input and weights of one to three spatial axes");
    w.nd = tw_b_val(b, in[0])->rank - 2;
    for (int i = 0; i < 3; i++)
        w.window[i] = i < 3 - w.nd ? 1 : tw_b_val(b, in[1])->dims[2 + i - (3 - w.nd)];
    cin = tw_b_val(b, in[0])->dims[1];
    cout = tw_b_val(b, in[1])->dims[0];
    if (groups < 1 || cin % (size_t)groups || cout % (size_t)groups ||
        tw_b_val(b, in[1])->dims[1] != cin / (size_t)groups)
        return tw_b_fail(b, "has weights for %zu channels in %lld groups, but an input of %zu",
                         tw_b_val(b, in[1])->dims[1], (long long)groups, cin);
    if (in[2] >= 0 && tw_b_val(b, in[2])->n != cout)
        return tw_b_fail(b, "has a bias of %zu for %zu channels", tw_b_val(b, in[2])->n, cout);
    if ((st = tw_window_place(b, node, in[0], &w)))
        return st;
    tw_b_out(b, 0, convolve(b, in, &w, (size_t)groups, cout));
    return b->err->code;
}

/* ---- transposed: a convolution of x with zeros between its elements ------------------------- */

/* Weights [cin, cout / groups, window] as those of a convolution [cout, cin / groups, window],
 * each window back to front. */
static int turned_weights(struct tw_build *b, int weights, size_t groups)
{
    struct tw_assemble_data *d = tw_alloc(1, sizeof *d + sizeof d->piece[0]);
    const struct tw_val v = *tw_b_val(b, weights);
    size_t dims[TW_MAX_RANK], cin = v.dims[0] / groups, cout = v.dims[1];
    size_t window = v.n / (v.dims[0] * v.dims[1]);
    struct tw_loop *l;

    if (!d)
        return -1;
    memcpy(dims, v.dims, sizeof dims);
    dims[0] = cout * groups;
    dims[1] = cin;
    d->covered = true;
    d->npiece = 1;
    d->piece[0].from = window - 1;
    l = &d->piece[0].loop;
    *l = (struct tw_loop){
        .nd = 4,
        .n = { groups, cout, cin, window },
        .sa = { (long)(cin * cout * window), (long)window, (long)(cout * window), -1 },
        .sy = { (long)(cin * cout * window), (long)(cin * window), (long)window, 1 }
    };
    tw_loop_collapse(l);
    return tw_b_instr(b, &tw_op_assemble, 1, &weights, tw_b_temp(b, v.dtype, v.rank, dims), d, 0.0);
}

/* x with strides - 1 zeros between neighbours. */
static int spaced(struct tw_build *b, int x, const struct tw_window *w)
{
    struct tw_assemble_data *d = tw_alloc(1, sizeof *d + sizeof d->piece[0]);
    const struct tw_val v = *tw_b_val(b, x);
    size_t dims[TW_MAX_RANK];
    struct tw_loop *l;

    if (!d)
        return -1;
    memcpy(dims, v.dims, sizeof dims);
    d->npiece = 1;
    l = &d->piece[0].loop;
    l->nd = v.rank;
    for (int i = 0; i < w->nd; i++)
        dims[2 + i] = w->in[3 - w->nd + i];
    tw_strides(v.rank, v.dims, false, l->sa);
    tw_strides(v.rank, dims, false, l->sy);
    for (int i = 0; i < v.rank; i++) {
        l->n[i] = v.dims[i];
        l->sy[i] *= i < 2 ? 1 : w->stride[3 - w->nd + i - 2];
    }
    tw_loop_collapse(l);
    return tw_b_instr(b, &tw_op_assemble, 1, &x, tw_b_temp(b, v.dtype, v.rank, dims), d, 0.0);
}

/* Extents of the result, and the padding of the convolution that makes it (ONNX's definition of
 * ConvTranspose: output_shape or SAME spread what is too much over both ends). */
static enum tw_status transposed_place(struct tw_build *b, const struct tw_node *node, int x,
                                       struct tw_window *w)
{
    const char *automatic = tw_node_text(node, "auto_pad", "NOTSET");
    const struct tw_attr *pads = tw_node_attr(node, "pads");
    const struct tw_attr *shape = tw_node_attr(node, "output_shape");
    bool same = !strncmp(automatic, "SAME", 4);
    long extra[3], before, after;
    enum tw_status st;

    if (shape && (shape->kind != TW_ATTR_INTS || shape->n < (size_t)w->nd))
        shape = NULL;
    if ((st = tw_window_attr(b, node, "strides", w->nd, 1, w->stride)) ||
        (st = tw_window_attr(b, node, "dilations", w->nd, 1, w->dilation)) ||
        (st = tw_window_attr(b, node, "output_padding", w->nd, 0, extra)))
        return st;
    for (int i = 0; i < 3; i++) {
        int axis = i - (3 - w->nd);
        long n = axis < 0 ? 1 : (long)tw_b_val(b, x)->dims[2 + axis], reach, whole, out;

        if (w->stride[i] < 1 || w->dilation[i] < 1 || w->window[i] < 1 || w->window[i] > 1000000 ||
            n < 1 || extra[i] < 0)
            return tw_b_fail(b, "needs windows, strides and dilations of at least 1");
        reach = ((long)w->window[i] - 1) * w->dilation[i];
        w->in[i] = (size_t)((n - 1) * w->stride[i] + 1);
        whole = (long)w->in[i] + reach + extra[i];
        before = after = 0;
        if (axis >= 0 && pads && pads->kind == TW_ATTR_INTS && pads->n == 2 * (size_t)w->nd) {
            before = (long)pads->ints[axis];
            after = (long)pads->ints[axis + w->nd];
            if (before < -1000000 || before > 1000000 || after < -1000000 || after > 1000000)
                return tw_b_fail(b, "attribute pads is out of range");
        }
        out = whole - before - after;
        if (axis >= 0 && (shape || same)) {
            out = shape ? (long)shape->ints[shape->n - (size_t)w->nd + (size_t)axis]
                        : n * w->stride[i];
            if (out < 1 || out > 1000000)
                return tw_b_fail(b, "makes a result of extent %ld", out);
            after = whole > out ? whole - out : 0;
            before = !strcmp(automatic, "SAME_UPPER") ? after / 2 : after - after / 2;
        }
        if (out < 1 || out > 1000000 || whole > 1 << 24)
            return tw_b_fail(b, "makes a result of extent %ld", out);
        w->out[i] = (size_t)out;
        w->pad[i] = reach - before;
        w->pad_end[i] = out - 1 + reach - w->pad[i] + 1 - (long)w->in[i];
    }
    return TW_OK;
}

enum tw_status tw_lower_conv_transpose(struct tw_build *b, const struct tw_node *node)
{
    int in[3] = { tw_b_in(b, 0), tw_b_in(b, 1), tw_b_in(b, 2) };
    int64_t groups = tw_node_int(node, "group", 1);
    struct tw_window w = { 0 };
    size_t cout;
    enum tw_status st;

    if (in[0] < 0 || in[1] < 0 || tw_b_val(b, in[0])->rank < 3 || tw_b_val(b, in[0])->rank > 5 ||
        tw_b_val(b, in[1])->rank != tw_b_val(b, in[0])->rank)
        return tw_b_fail(b, "needs an input and weights of one to three spatial axes");
    if (groups < 1 || tw_b_val(b, in[1])->dims[0] % (size_t)groups || !tw_b_val(b, in[1])->n ||
        tw_b_val(b, in[1])->dims[0] != tw_b_val(b, in[0])->dims[1])
        return tw_b_fail(b, "has weights for %zu channels in %lld groups, but an input of %zu",
                         tw_b_val(b, in[1])->dims[0], (long long)groups,
                         tw_b_val(b, in[0])->dims[1]);
    cout = tw_b_val(b, in[1])->dims[1] * (size_t)groups;
    if (in[2] >= 0 && tw_b_val(b, in[2])->n != cout)
        return tw_b_fail(b, "has a bias of %zu for %zu channels", tw_b_val(b, in[2])->n, cout);
    w.nd = tw_b_val(b, in[0])->rank - 2;
    for (int i = 0; i < 3; i++)
        w.window[i] = i < 3 - w.nd ? 1 : tw_b_val(b, in[1])->dims[2 + i - (3 - w.nd)];
    if ((st = transposed_place(b, node, in[0], &w)))
        return st;
    in[0] = spaced(b, in[0], &w);
    for (int i = 0; i < 3; i++)
        w.stride[i] = 1;
    in[1] = turned_weights(b, in[1], (size_t)groups);
    if (in[0] >= 0 && in[1] >= 0)
        tw_b_out(b, 0, convolve(b, in, &w, (size_t)groups, cout));
    return b->err->code;
}
