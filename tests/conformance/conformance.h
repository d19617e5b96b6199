/* SPDX-License-Identifier: GPL-3.0-or-later */
/* conformance.h - ONNX's own tests: a folder a test, with model.onnx and, for each set of data,
 * its inputs and the outputs that are expected. */
#ifndef TESTS_CONFORMANCE_H
#define TESTS_CONFORMANCE_H

#include "thalweg/graph.h"

enum { MOST_PORTS = 64 };

/* A way to compute a network: outputs are {0} on entry, the caller releases. A new one is a
 * function and a row in backends[]. */
struct backend {
    const char *name;
    const char *like; /* whose rules hold as well, or NULL */
    enum tw_status (*run)(const struct tw_net *net, const struct tw_array *in, struct tw_array *out,
                          struct tw_err *err);
};
extern const struct backend backends[]; /* ends with a NULL name */
enum { MOST_BACKENDS = 4 };

/* The network for these inputs: the shapes are theirs, and those that say what an operator is to do
 * are stored in it; data: the others. The caller frees value and input; all else is net's. */
enum tw_status network_for(const struct tw_net *net, const struct tw_array *in, struct tw_net *mine,
                           const struct tw_array **data);
/* As the compiler computes it, with its derivatives checked; a backend. */
enum tw_status run_derivatives(const struct tw_net *net, const struct tw_array *in,
                               struct tw_array *out, struct tw_err *err);

/* rules.txt: what is left out and why, and the groups of operators that are counted. */
struct rules;
struct rules *rules_read(const char *path, struct tw_err *err);
void rules_free(struct rules *r);
/* Why a test ("node/test_add") is left out of a backend's, or NULL. net may be NULL: not readable.
 */
const char *rules_excluded(const struct rules *r, const char *backend, const char *test,
                           const struct tw_net *net);
/* The narrowest group that all operators of the network belong to: 0, 1, ...; or -1. */
int rules_group(const struct rules *r, const struct tw_net *net);
size_t rules_ngroup(const struct rules *r);
const char *rules_group_name(const struct rules *r, size_t group);
/* The first rule that fitted no test, or NULL. */
const char *rules_unused(const struct rules *r);

/* Is it what was expected? If not, says why. Integers exactly; reals as ONNX's own runner does:
 * |got - want| <= 1e-7 + 1e-3 |want|, NaN and infinities in the same places. */
bool same_array(const struct tw_array *got, const struct tw_array *want, struct tw_str *why);

#endif
