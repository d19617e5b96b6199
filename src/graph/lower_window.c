/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the windows of convolutions and pools lie. */
#include <string.h>

#include "lower.h"

enum tw_status tw_window_attr(struct tw_build *b, const struct tw_node *node, const char *name,
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

enum tw_status tw_window_place(struct tw_build *b, const struct tw_node *node, int v,
                               struct tw_window *w)
{
    const struct tw_val *x = tw_b_val(b, v);
    const char *automatic = tw_node_text(node, "auto_pad", "NOTSET");
    const struct tw_attr *pads = tw_node_attr(node, "pads");
    bool ceil_mode = tw_node_int(node, "ceil_mode", 0) != 0;
    enum tw_status st;

    if ((st = tw_window_attr(b, node, "strides", w->nd, 1, w->stride)) ||
        (st = tw_window_attr(b, node, "dilations", w->nd, 1, w->dilation)))
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

int tw_window_temp(struct tw_build *b, int v, size_t channels, const struct tw_window *w)
{
    size_t dims[TW_MAX_RANK];

    dims[0] = tw_b_val(b, v)->dims[0];
    dims[1] = channels;
    for (int i = 0; i < w->nd; i++)
        dims[2 + i] = w->out[3 - w->nd + i];
    return tw_b_temp(b, tw_b_val(b, v)->dtype, 2 + w->nd, dims);
}
