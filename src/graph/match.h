/* SPDX-License-Identifier: GPL-3.0-or-later */
/* graph/match.h - the parts of graph_match.h. */
#ifndef TW_GRAPH_MATCH_PRIVATE_H
#define TW_GRAPH_MATCH_PRIVATE_H

#include "thalweg/graph_match.h"

/* A name and whose it is; sorted by name. */
struct match_key {
    const char *name;
    size_t index;
};
void match_sort(struct match_key *key, size_t n);
/* The first one of this name, n if there is none; *count: how many there are. */
size_t match_find(const struct match_key *key, size_t n, const char *name, size_t *count);
/* Behind the wrappers at its start. */
const char *match_bare(const char *name);
bool match_ignored(const char *name); /* num_batches_tracked */

/* Is one of the parts of the name (its first `length` bytes) an optimizer's? Moments have the
 * names of the parameters they belong to. */
bool match_optimizer(const char *name, size_t length);

/* Which part of the checkpoint to take: the length of the start of names, with its dot, and a
 * name that has it. `bare`: the layout's names without wrappers, sorted. */
enum tw_status match_part(const struct match_key *bare, size_t n,
                          const struct tw_named_list *checkpoint, const char **start,
                          size_t *length, struct tw_match *report, struct tw_err *err) TW_CHECKED;

bool match_add(struct tw_match_list *l, const char *fmt, ...) TW_PRINTF(2, 3) TW_CHECKED;
/* TW_EFORMAT if anything of the n tensors is missing or has another shape. */
enum tw_status match_verdict(const struct tw_match *report, size_t n,
                             struct tw_err *err) TW_CHECKED;

#endif
