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
    struct tw_array x, y; /* headers over the caller's data */
    size_t *rows;         /* NULL: all */
    double *tangent;      /* ndirections x n */
    size_t max_directions;
    uint64_t kept; /* number of the anchors whose products are kept */
};

enum tw_status tw_network_eval(struct tw_problem *p, const struct tw_request *r,
                               struct tw_err *err) TW_CHECKED;

#endif
