/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/graph_match.h - which array of a checkpoint is which parameter of a network.
 *
 * By name alone, never by place or shape: the whole name, else both names without the wrappers
 * `module.`, `_orig_mod.` and `model.` at their start, however many. Of a checkpoint that nests
 * (state_dict, ema ...) the part that fits most parameters is taken; between equals the order is
 * the whole file, state_dict, model_state_dict, model, net, network, module, params, ema. Parts
 * of optimizers are never taken. */
#ifndef TW_GRAPH_MATCH_H
#define TW_GRAPH_MATCH_H

#include "thalweg/graph.h"

enum tw_match_what {
    TW_MATCH_MISSING, /* parameters and running statistics that are not in the checkpoint */
    TW_MATCH_SHAPE,   /* "fc1.weight: float32[3,5] in the checkpoint, [5,3] in the network" */
    TW_MATCH_EXTRA,   /* arrays of the part that was taken which the network does not have at all */
    TW_MATCH_KEPT,    /* buffers that are not in the checkpoint: as the network stores them */
    TW_MATCH_TIED,    /* "wte.weight from lm_head.weight": the network uses one tensor for both */
    TW_MATCH_UNTIED,  /* "wte.weight and lm_head.weight": the same, but the checkpoint's differ */
    TW_MATCH_OTHER,   /* other parts of the checkpoint that fit as many parameters */
    TW_NMATCH
};
struct tw_match_list {
    size_t n, cap;
    char **text;
};
struct tw_match {
    size_t found;   /* parameters and buffers */
    size_t renamed; /* of these, those whose names differ by wrappers */
    char *part;     /* "state_dict"; "" for the whole file */
    struct tw_match_list list[TW_NMATCH];
};

/*
 * Fill params (layout->n) and buffers (layout->nb), of which the latter hold the network's own
 * values before (tw_graph_initial), from the checkpoint. net, if not NULL, tells tied tensors: a
 * parameter that the checkpoint lacks is taken from the name of another module that uses it.
 * BatchNorm's num_batches_tracked is ignored. The report is complete also on failure, and released
 * in any case by the caller. TW_EFORMAT: something is missing, has another shape, or could be two
 * arrays; the message names the first few and says how many there are.
 */
enum tw_status tw_match_weights(const struct tw_layout *layout, const struct tw_net *net,
                                const struct tw_named_list *checkpoint, float *params,
                                float *buffers, struct tw_match *report,
                                struct tw_err *err) TW_CHECKED;
/* What is worth saying about a match that was made: each a sentence and a newline. */
void tw_match_remarks(const struct tw_match *report, struct tw_str *remarks);
void tw_match_release(struct tw_match *report);

#endif
