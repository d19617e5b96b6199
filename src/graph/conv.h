/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/conv.h - ways to compute convolutions: tap by tap (conv_taps.c), by Winograd's minimal
 * filtering (conv_winograd.c); op_conv.c has the packed kernel and chooses. */
#ifndef TW_GRAPH_CONV_H
#define TW_GRAPH_CONV_H

#include "ir.h"

static inline size_t tw_conv_volume(const size_t n[3])
{
    return n[0] * n[1] * n[2];
}

static inline size_t tw_conv_rows(const struct tw_conv_data *d)
{
    return d->cout / d->groups;
}

/* The nest l with other strides. */
struct tw_loop tw_conv_loop(const struct tw_loop *l, const long *a, const long *b, const long *y);
/* Adds to the output, or back: to the cotangents of input and weights. */
void tw_conv_taps(const struct tw_run *r, const struct tw_instr *in, bool back);

/* Whether a convolution has the right window and enough channels and tiles for it. */
bool tw_winograd_pays(const struct tw_conv_data *d);
/* Elements of scratch: forward (from `channels` = cin), or back to the input (from cout). */
size_t tw_winograd_scratch(const struct tw_conv_data *d, size_t planes, bool back);
/* y (store) w * x by terms (of tw_alg), or back: into the input's cotangent y from the output's, x.
 * a: weights by winograd_pack, by plane; bias: by plane, or NULL. Planes that no term reaches
 * are left alone; the others are marked in `written`. */
void tw_winograd_run(const struct tw_run *r, const struct tw_conv_data *d, bool back,
                     const void *const *a, const struct tw_planes *x, const void *const *bias,
                     enum tw_store store, int act, const struct tw_planes *y, bool *written);
/* The same for the gradient by the weights: whether it pays, elements of scratch, and adding it to
 * the sums of value `weights`; x: planes of the input, gy: cotangents of the output. */
bool tw_winograd_weights_pay(const struct tw_conv_data *d);
size_t tw_winograd_weights_scratch(const struct tw_conv_data *d, size_t planes);
void tw_winograd_weights(const struct tw_run *r, const struct tw_conv_data *d,
                         const struct tw_planes *x, const struct tw_planes *gy, int weights);

#endif
