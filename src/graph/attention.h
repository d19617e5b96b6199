/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/attention.h - what the attention instruction knows. */
#ifndef TW_GRAPH_ATTENTION_H
#define TW_GRAPH_ATTENTION_H

#include "ir.h"

/* in: what queries come from, what keys come from, what values come from, the mask or -1. */
struct tw_attention_data {
    struct tw_matmul_data score, mix; /* strides of one head; heads by their batch loops */
    double scale;
    bool causal;        /* the mask allows what is not later, and nothing else */
    int scores, shares; /* values without places of their own */
};

static inline size_t tw_attention_heads(const struct tw_attention_data *a)
{
    return tw_loop_count(&a->mix.batch);
}

#endif
