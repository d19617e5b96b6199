/* SPDX-License-Identifier: GPL-3.0-or-later */
/* problem/network.h - private: a network with data and its losses. */
#ifndef TW_PROBLEM_NETWORK_H
#define TW_PROBLEM_NETWORK_H

#include "thalweg/problem.h"

/* The objective or a further loss, and of each sample its sum, weight and hits. */
struct part {
    struct tw_loss_spec loss;
    struct tw_loss_ports ports;
    double *sample[3];
};

struct network {
    struct tw_problem base;
    size_t npart;
    struct part *part; /* the objective is the first */
    struct tw_graph *graph;
    struct tw_exec *exec;
    struct tw_array x, y;   /* headers over the caller's data */
    struct tw_array cut[2]; /* x and y of a sequence of tokens; or empty */
    struct tw_array labels; /* class numbers made of targets with a 1 for the class; or empty */
    size_t *rows;           /* NULL: all */
    double *tangent;        /* ndirections x n */
    size_t max_directions;
    uint64_t kept; /* number of the anchors whose products are kept */
};

enum tw_status tw_network_eval(struct tw_problem *p, const struct tw_request *r,
                               struct tw_err *err) TW_CHECKED;

/* The samples of data->stream, kept in s->cut; *to has them. */
enum tw_status tw_network_cut(struct network *s, const struct tw_net *net,
                              const struct tw_dataset *data, struct tw_dataset *to,
                              struct tw_err *err) TW_CHECKED;
/* Have the targets the shape of the output, classes last? */
bool tw_network_is_one_hot(const struct tw_loss_value *out, const struct tw_array *y);
/* Targets with a number for each class as class numbers, in s->labels. */
enum tw_status tw_network_one_hot(struct network *s, const struct tw_array *y, size_t classes,
                                  struct tw_err *err) TW_CHECKED;
/* Pictures whose channels lie elsewhere than the network's input has them: the network then takes
 * them as they are. */
enum tw_status tw_network_turn(struct tw_net *net, const struct tw_array *x,
                               struct tw_err *err) TW_CHECKED;

#endif
