/* SPDX-License-Identifier: GPL-3.0-or-later */
/* kern.h - every kernel for one vector width and one type, and the table of them. Included by
 * one small file for each instruction set and type, which sets KERN_BYTES (and KERN_REAL64) and
 * is compiled with the flags that the Makefile has for it. */
#ifndef TENSOR_KERN_H
#define TENSOR_KERN_H

#include "kern_team.h"

#define KERN_TABLE(ISA)                                                                            \
    {                                                                                              \
        .isa = (ISA), .type = KERN_TYPE, .size = sizeof(real), .unary = unary,                     \
        .unary_grad = unary_grad, .binary = binary, .select = choose, .fill = fill, .axpy = axpy,  \
        .reduce = reduce, .reduce_lanes = reduce_lanes, .packed_size = packed_size, .pack = pack,  \
        .gemm = gemm, .gradw = gradw, .winograd_pack = winograd_pack, .winograd_in = winograd_in,  \
        .winograd_out = winograd_out, .winograd_grad = winograd_grad,                              \
        .winograd_weights = winograd_weights, .bmm = bmm, .attention_scratch = attention_scratch,  \
        .attention = attention, .softmax = softmax, .normalize = normalize, .maxpool = maxpool,    \
        .pick = pick, .unpick = unpick, .avgpool = avgpool, .avgpool_grad = avgpool_grad,          \
        .lookup = lookup, .lookup_grad = lookup_grad, .load_f32 = load_f32,                        \
        .store_f64 = store_f64, .argmax = argmax, .team = &team,                                   \
    }

#endif
