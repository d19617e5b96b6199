/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/lower.h - from operators of ONNX to instructions, a function for each row of the table
 * in lower.c. Each gives the current node's outputs their values; NULL-like inputs (-1) go
 * through, so the error record is what says whether it worked. */
#ifndef TW_GRAPH_LOWER_H
#define TW_GRAPH_LOWER_H

#include "ir.h"

/* ONNX's number of a type ("to" of Cast); TW_NONE if unknown. */
enum tw_dtype tw_dtype_of_onnx(int64_t number);

/* Graph value of input i; -1 with the error set if it is absent. */
int tw_b_need(struct tw_build *b, size_t i);
/* An axis given from either end, or -1 with the error set. */
int tw_b_axis(struct tw_build *b, int64_t axis, int rank);
/* Axes as a mask; none given: all, or none if `none_is_none`. */
enum tw_status tw_b_axes(struct tw_build *b, size_t n, const int64_t *axes, int rank,
                         bool none_is_none, bool mask[TW_MAX_RANK]) TW_CHECKED;

/* A box of v: start and step (NULL: 0 and 1) and extent along each axis. */
int tw_b_box(struct tw_build *b, int v, const int64_t *start, const int64_t *step,
             const size_t *dims);
/* An instruction that makes `out` of what of x the index names. */
int tw_b_pick(struct tw_build *b, int x, int index, int out, const struct tw_pick_data *how);

/* Windows along up to three spatial axes, aligned to the right with extents of 1 in front. */
struct tw_window {
    int nd;
    size_t in[3], out[3], window[3];
    long stride[3], pad[3], pad_end[3], dilation[3];
};
/* An attribute with a number for each axis. */
enum tw_status tw_window_attr(struct tw_build *b, const struct tw_node *node, const char *name,
                              int nd, long absent, long x[3]) TW_CHECKED;
/* Strides, padding and output extents of a window whose nd and window are set, on v. */
enum tw_status tw_window_place(struct tw_build *b, const struct tw_node *node, int v,
                               struct tw_window *w) TW_CHECKED;
/* A value of v's batch, some channels, the window's outputs. */
int tw_window_temp(struct tw_build *b, int v, size_t channels, const struct tw_window *w);

#define TW_LOWER(name)                                                                             \
    enum tw_status tw_lower_##name(struct tw_build *b, const struct tw_node *node)
TW_LOWER(unary);
TW_LOWER(gelu);
TW_LOWER(composed);
TW_LOWER(shrink);
TW_LOWER(clip);
TW_LOWER(cast);
TW_LOWER(div);
TW_LOWER(binary);
TW_LOWER(mod);
TW_LOWER(pow);
TW_LOWER(prelu);
TW_LOWER(where);
TW_LOWER(identity);
TW_LOWER(dropout);
TW_LOWER(reshape);
TW_LOWER(flatten);
TW_LOWER(squeeze);
TW_LOWER(unsqueeze);
TW_LOWER(shape);
TW_LOWER(size);
TW_LOWER(transpose);
TW_LOWER(slice);
TW_LOWER(split);
TW_LOWER(concat);
TW_LOWER(pad);
TW_LOWER(expand);
TW_LOWER(tile);
TW_LOWER(gather);
TW_LOWER(gather_elements);
TW_LOWER(gather_nd);
TW_LOWER(one_hot);
TW_LOWER(resize);
TW_LOWER(cumsum);
TW_LOWER(eye_like);
TW_LOWER(trilu);
TW_LOWER(depth_to_space);
TW_LOWER(matmul);
TW_LOWER(einsum);
TW_LOWER(gemm);
TW_LOWER(conv);
TW_LOWER(conv_transpose);
TW_LOWER(maxpool);
TW_LOWER(avgpool);
TW_LOWER(global_pool);
TW_LOWER(softmax);
TW_LOWER(batch_norm);
TW_LOWER(layer_norm);
TW_LOWER(instance_norm);
TW_LOWER(group_norm);
TW_LOWER(lrn);
TW_LOWER(mvn);
TW_LOWER(hardmax);
TW_LOWER(reduce);
TW_LOWER(argmax);
TW_LOWER(cross_entropy);
TW_LOWER(bce);

#endif
