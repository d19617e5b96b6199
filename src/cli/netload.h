/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/netload.h - networks, data and checkpoints as commands take them: options, and the way from
 * names to memory. */
#ifndef TW_CLI_NETLOAD_H
#define TW_CLI_NETLOAD_H

#include "cmd.h"
#include "provenance.h"
#include "thalweg/problem.h"

struct tw_net_opts {
    const char *model, *data, *labels, *label_column, *split, *state_key, *loss, *mean, *std;
    double scale, memory;
    size_t limit;
    uint64_t subset_seed;
    bool real64;
};
/* clang-format off */
#define TW_NET_DEFAULTS { .scale = 1.0 }

/* Rows for a command's option table; `type` is its options struct, `field` its tw_net_opts. */
#define TW_NET_MODEL(type, field)                                                                  \
    { TW_OPT_STR, 'm', "model", TW_OPT_FIELD(type, field.model), "NET",                            \
      "the network: an ONNX file, or a built-in one, as in thalweg-networks(7) [what the "         \
      "checkpoint names]", 0, 0, NULL },                                                           \
    { TW_OPT_STR, 0, "state-key", TW_OPT_FIELD(type, field.state_key), "KEY",                      \
      "the part of the checkpoints that holds the weights [the one that fits]", 0, 0, NULL }
#define TW_NET_DATA(type, field)                                                                   \
    { TW_OPT_HEAD, 0, "Data", 0, NULL, NULL, 0, 0, NULL },                                         \
    { TW_OPT_STR, 'd', "data", TW_OPT_FIELD(type, field.data), "FILE",                             \
      "samples and targets: HDF5, npz, IDX, CIFAR's, tokens, text, CSV; see thalweg-data(7)",      \
      0, 0, NULL },                                                                                \
    { TW_OPT_STR, 0, "labels", TW_OPT_FIELD(type, field.labels), "FILE",                           \
      "a file of the targets alone [they are in --data]", 0, 0, NULL },                            \
    { TW_OPT_STR, 0, "label-column", TW_OPT_FIELD(type, field.label_column), "NAME",               \
      "the column of a table that holds the targets [label, class, target or y]", 0, 0, NULL },    \
    { TW_OPT_STR, 0, "split", TW_OPT_FIELD(type, field.split), "NAME",                             \
      "only this part of the data: train, test, or validation [all]", 0, 0,      \
      NULL },                                                                                      \
    { TW_OPT_REAL, 0, "scale", TW_OPT_FIELD(type, field.scale), "X",                               \
      "multiply samples by this first [1]", 0, 0, NULL },                                          \
    { TW_OPT_STR, 0, "mean", TW_OPT_FIELD(type, field.mean), "X,...",                              \
      "then subtract: one number, or one a channel [0]", 0, 0, NULL },                             \
    { TW_OPT_STR, 0, "std", TW_OPT_FIELD(type, field.std), "X,...",                                \
      "then divide by: one number, or one a channel [1]", 0, 0, NULL },                            \
    { TW_OPT_SIZE, 0, "limit", TW_OPT_FIELD(type, field.limit), "N",                               \
      "use N samples, drawn by --subset-seed [all]", 1, 1e15, NULL },                              \
    { TW_OPT_U64, 0, "subset-seed", TW_OPT_FIELD(type, field.subset_seed), "N",                    \
      "which samples --limit draws [0]", 0, 0, NULL },                                             \
    { TW_OPT_HEAD, 0, "Computation", 0, NULL, NULL, 0, 0, NULL },                                  \
    { TW_OPT_STR, 0, "loss", TW_OPT_FIELD(type, field.loss), "LOSS",                               \
      "cross-entropy, nll, mse, l1, huber, bce, own, with arguments as in huber(delta=0.5) "       \
      "[cross-entropy for whole-number targets, else mse]", 0, 0, NULL },                          \
    { TW_OPT_REAL, 0, "memory-limit", TW_OPT_FIELD(type, field.memory), "MB",                      \
      "refuse to use more for evaluation, in megabytes [none]", 1, 1e9, NULL },                    \
    { TW_OPT_FLAG, 0, "double", TW_OPT_FIELD(type, field.real64), NULL,                            \
      "compute in double precision", 0, 0, NULL }
/* clang-format on */

/* What a reader remarked, sentences and newlines: each a warning, or a note. */
void tw_load_remarks(struct tw_call *call, const char *path, const struct tw_str *remarks,
                     bool warn);
/* What network a checkpoint (checkpoint.h) says it is of; the caller frees it. NULL: it does not
 * say, or call->err is set. */
char *tw_load_model(struct tw_call *call, const char *checkpoint);
/* A built-in network by its name, or a spec with arguments. */
bool tw_is_family(const char *model);
/* The network of --model, or of the checkpoint (checkpoint.h) if NULL. What its writer did wrong is
 * a warning; a file is an input of `prov` (NULL: none). NULL on failure, with call->err set. */
struct tw_net *tw_load_net(struct tw_call *call, const struct tw_net_opts *o,
                           const char *checkpoint, struct tw_cmd_provenance *prov);
/* Divide the first output by a temperature (1: nothing is changed). */
enum tw_status tw_net_cool(struct tw_net *net, double temperature, struct tw_err *err) TW_CHECKED;
/* The data, scaled. */
enum tw_status tw_load_data(struct tw_call *call, const struct tw_net_opts *o,
                            struct tw_dataset *data, struct tw_cmd_provenance *prov) TW_CHECKED;
/* The problem of both, compiled; net is changed. `o` also gives what is not set in *p. NULL on
 * failure. */
struct tw_problem *tw_load_problem(struct tw_call *call, const struct tw_net_opts *o,
                                   struct tw_net *net, const struct tw_dataset *data,
                                   struct tw_problem_options *p);
/* A checkpoint by name (checkpoint.h), open; NULL on failure. */
struct tw_weights_file *tw_load_file(struct tw_call *call, const char *path, const char *state_key,
                                     struct tw_str *remarks);
/* The arrays of a checkpoint by name, as tw_store_weights_read gives them. */
enum tw_status tw_load_arrays(struct tw_call *call, const char *path, const char *state_key,
                              struct tw_named_list *list, struct tw_str *remarks,
                              struct tw_cmd_provenance *prov) TW_CHECKED;
/* A checkpoint by name (checkpoint.h) into params and buffers, which are overwritten whole. path
 * NULL: the network's own values. */
enum tw_status tw_load_weights(struct tw_call *call, const struct tw_net_opts *o, const char *path,
                               const struct tw_graph *g, const struct tw_net *net, float *params,
                               float *buffers, struct tw_cmd_provenance *prov) TW_CHECKED;

#endif
