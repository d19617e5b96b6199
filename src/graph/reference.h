/* SPDX-License-Identifier: GPL-3.0-or-later */
/* reference.h - what the families of the reference interpreter share. An operator is one row of
 * the table at the end of its family's file. Definitions: the operator documents of ONNX
 * (onnx/onnx, docs/Operators.md and docs/Changelog.md for the older versions). */
#ifndef GRAPH_REFERENCE_H
#define GRAPH_REFERENCE_H

#include "thalweg/graph.h"

struct tw_ref; /* one call */
typedef enum tw_status tw_ref_fn(struct tw_ref *r);

struct tw_ref_op {
    const char *op;
    size_t least, most; /* inputs; the first `least` may not be absent */
    tw_ref_fn *run;
    /* What a family needs to know of the operator. */
    double (*real1)(double x, const double *p);
    double (*real2)(double x, double y);
    int64_t (*int1)(int64_t x);
    int64_t (*int2)(int64_t x, int64_t y);
    uint64_t (*uint2)(uint64_t x, uint64_t y); /* where uint64 differs from int64 */
    const char *param[2];                      /* attributes of real1, and their defaults */
    double absent[2];
    int which;
};
enum { TW_REF_ANY = 1 << 20 }; /* most: no limit */

/* Each ends with a NULL name. */
extern const struct tw_ref_op tw_ref_unary[], tw_ref_binary[], tw_ref_choice[], tw_ref_matrix[],
    tw_ref_shape[], tw_ref_layout[], tw_ref_gather[], tw_ref_make_ops[], tw_ref_reduce[],
    tw_ref_softmax[], tw_ref_loss[], tw_ref_conv[], tw_ref_pool[], tw_ref_norm[], tw_ref_resize[];

struct tw_ref {
    const struct tw_ref_op *row;
    const struct tw_node *node;
    int opset;
    size_t nin, nout;
    const struct tw_array *const *in;
    struct tw_array *out;
    struct tw_err *err;
};

/* TW_EFORMAT: "node 'name' (Op): ...". */
enum tw_status tw_ref_fail(const struct tw_ref *r, const char *fmt, ...) TW_PRINTF(2, 3);

/* Input i, or NULL where absent. */
const struct tw_array *tw_ref_in(const struct tw_ref *r, size_t i);

/* Output k, zeroed; refused if it has more than 2^31 elements. */
enum tw_status tw_ref_out(struct tw_ref *r, size_t k, enum tw_dtype t, int rank,
                          const size_t *dims) TW_CHECKED;
/* The same with the type and shape of an array; and with its contents. */
enum tw_status tw_ref_out_like(struct tw_ref *r, size_t k, const struct tw_array *a) TW_CHECKED;
enum tw_status tw_ref_out_copy(struct tw_ref *r, size_t k, const struct tw_array *a, int rank,
                               const size_t *dims) TW_CHECKED;

enum tw_status tw_ref_need_real(const struct tw_ref *r, const struct tw_array *a) TW_CHECKED;
enum tw_status tw_ref_need_type(const struct tw_ref *r, const struct tw_array *a,
                                const struct tw_array *b) TW_CHECKED;

/* An axis that may count from the end. */
enum tw_status tw_ref_axis(const struct tw_ref *r, int64_t given, int rank, int *axis) TW_CHECKED;

/* A short list of integers: from input `input` (< 0: none) if it is there, else from the
 * attribute. Neither: given is false. */
struct tw_ref_list {
    bool given;
    size_t n;
    int64_t v[2 * TW_MAX_RANK];
};
enum tw_status tw_ref_list(const struct tw_ref *r, const char *attr, int input,
                           struct tw_ref_list *list) TW_CHECKED;
/* Such a list as axes: flags[axis]; an axis twice is refused. */
enum tw_status tw_ref_flags(const struct tw_ref *r, const struct tw_ref_list *list, int rank,
                            bool *flags) TW_CHECKED;

/* Row-major strides, in elements. */
void tw_ref_strides(int rank, const size_t *dims, size_t *stride);
/* Strides with which `a` is spread over `rank` dimensions, its last one being the last: 0 along
 * extents of 1. */
void tw_ref_spread(const struct tw_array *a, int rank, size_t *stride);
/* Where element i of an array with extents `dims` lies under other strides. */
size_t tw_ref_at(size_t i, int rank, const size_t *dims, const size_t *stride);
/* The last coordinate of what is left of an element's number, n > 0 the last extent; without it. */
size_t tw_ref_digit(size_t *rest, size_t n);
/* The common shape of n arrays (NULL: left out). */
enum tw_status tw_ref_broadcast(const struct tw_ref *r, size_t n, const struct tw_array *const *a,
                                int *rank, size_t *dims) TW_CHECKED;
/* Before opset 7, `axis` said where the shorter second operand lies: b with ones around it. */
enum tw_status tw_ref_legacy(const struct tw_ref *r, const struct tw_array *a,
                             const struct tw_array *b, struct tw_array *view) TW_CHECKED;

/* Element j of `from` to i of `to`, of the same type. */
void tw_ref_copy(struct tw_array *to, size_t i, const struct tw_array *from, size_t j);
/* Products of extents before, and from, an axis. */
size_t tw_ref_product(const size_t *dims, int from, int to);

/* An index that may count from the end of n; false if out of range. */
bool tw_ref_index(int64_t given, size_t n, size_t *index) TW_CHECKED;

/* The number type of a code of ONNX (TensorProto.DataType); TW_NONE: none of ours. */
enum tw_dtype tw_ref_dtype(int64_t code);

/* ---- windows of convolutions and pools ------------------------------------------------------- */

enum { TW_REF_SPACE = TW_MAX_RANK - 2 };

/* Along each spatial axis output o covers o * stride - before + t * dilation, t < k. */
struct tw_ref_window {
    int nd;
    size_t in[TW_REF_SPACE], out[TW_REF_SPACE], k[TW_REF_SPACE];
    int64_t stride[TW_REF_SPACE], dilation[TW_REF_SPACE];
    int64_t before[TW_REF_SPACE], after[TW_REF_SPACE];
    size_t nin, nout, ntap; /* products */
};
/* k is filled by the caller; x: [N, C, ...]. out is that of a convolution or pool. */
enum tw_status tw_ref_window(const struct tw_ref *r, const struct tw_array *x,
                             struct tw_ref_window *w) TW_CHECKED;
/* strides, dilations, pads alone, for the transposed convolution. */
enum tw_status tw_ref_window_attrs(const struct tw_ref *r, struct tw_ref_window *w) TW_CHECKED;
/* Attribute kernel_shape into w->k; false if there is none. */
enum tw_status tw_ref_window_kernel(const struct tw_ref *r, const struct tw_array *x,
                                    struct tw_ref_window *w) TW_CHECKED;
/* The element of the plane that tap t of output o reads, or SIZE_MAX for padding. */
size_t tw_ref_window_at(const struct tw_ref_window *w, size_t o, size_t t);

#endif
