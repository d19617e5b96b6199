/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/graph_match.h - the tensors of a checkpoint put into a network's parameter vector, by
 * name and never by position. */
#ifndef TW_GRAPH_MATCH_H
#define TW_GRAPH_MATCH_H

#include "thalweg/graph.h"

/* What goes where. Wrappers prefix names ("module.", "_orig_mod.", "model.state_dict."): the
 * prefix that makes the most names match is taken off the names of one side. */
struct tw_match {
    char *file_prefix, *net_prefix; /* what was taken off; "" for nothing */
    char *other_prefix;             /* another that would do as well; NULL: none */
    size_t *item;                   /* of each tensor of the layout: its place in the list, or
                                       SIZE_MAX */
    bool *used;                     /* of each item of the list */
    size_t matched;                 /* tensors that match by name and shape */
    size_t missing_params, missing_buffers, misshaped, extra;
};
/* Shapes match if they agree but for extents of 1. *m is {0}; TW_ENOMEM. */
enum tw_status tw_match_make(const struct tw_layout *l, const struct tw_named_list *w,
                             struct tw_match *m, struct tw_err *err) TW_CHECKED;
void tw_match_release(struct tw_match *m);

/* TW_EFORMAT, with names, if parameters are missing or anything has another shape. */
enum tw_status tw_match_check(const struct tw_match *m, const struct tw_layout *l,
                              const struct tw_named_list *w, struct tw_err *err) TW_CHECKED;
/* Write the matched tensors into params (layout->n reals) and buffers (layout->nb); the rest
 * stays as it is. */
void tw_match_load(const struct tw_match *m, const struct tw_layout *l,
                   const struct tw_named_list *w, float *params, float *buffers);

#endif
