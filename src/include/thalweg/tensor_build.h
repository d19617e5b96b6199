/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/tensor_build.h - node lists written as expressions: after the first failure every call
 * does nothing and gives -1, so one look at `failed` at the end is enough. */
#ifndef TW_TENSOR_BUILD_H
#define TW_TENSOR_BUILD_H

#include "thalweg/tensor.h"

struct tw_net_build {
    struct tw_net *net;
    struct tw_err *err; /* holds the reason once `failed` is set */
    bool failed;
    void *owner; /* the caller's */
};

/* Fail with TW_EINVAL. */
void tw_build_fail(struct tw_net_build *b, const char *fmt, ...) TW_PRINTF(2, 3);

/* An input of the network: the batch, then `rank` extents. */
int tw_build_input(struct tw_net_build *b, const char *name, enum tw_dtype t, int rank,
                   const int64_t *dims);
void tw_build_output(struct tw_net_build *b, int value);

/* An operator with one output; `name` (may be NULL) names it. Its attributes follow. */
int tw_build_op(struct tw_net_build *b, const char *op, const char *name, size_t nin,
                const int *in);
int tw_build_op1(struct tw_net_build *b, const char *op, int x);
int tw_build_op2(struct tw_net_build *b, const char *op, int x, int y);
void tw_build_int(struct tw_net_build *b, const char *name, int64_t i);
void tw_build_real(struct tw_net_build *b, const char *name, double x);
void tw_build_ints(struct tw_net_build *b, const char *name, size_t n, const int64_t *x);
void tw_build_text(struct tw_net_build *b, const char *name, const char *s);

/* Constants: nodes Constant, so that nothing takes them for parameters. */
int tw_build_const_ints(struct tw_net_build *b, size_t n, const int64_t *x);
int tw_build_const_int(struct tw_net_build *b, int64_t x); /* a scalar */
int tw_build_const_real(struct tw_net_build *b, double x);
int tw_build_const_array(struct tw_net_build *b, struct tw_array *a); /* takes over *a */

#endif
