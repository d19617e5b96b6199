/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/ghost_true.h - the true radius of a network's loss along a line: how far from t = 0 its
 * nearest singularity lies, for the logits as they are and not as they begin.
 *
 * The loss of a sample at theta + t v is -z_y(t) + log sum_k exp z_k(t). It is analytic until the
 * partition function has a zero, or until t meets a singularity inside the network (thalweg/
 * graph_complex.h). By the argument principle a function without poles in a disc has as many zeros
 * there as its argument turns along the circle; all of these are real on the real axis, so half of
 * the circle is enough. Denominators are counted in the order of the network: each is analytic
 * where those before it have no zero. The argument is followed in steps within which the logarithm
 * is nearly linear, at three points of each: it is resolved, not bounded, so that "no zero is
 * nearer" is as certain as a careful numerical count, and no proof.
 *
 * rho_a and the zeros of thalweg/ghost.h are those of linearised logits. Neither bounds the true
 * radius: it was seen from 0.07 to 7 times of them. Units with kinks (ReLU) stay on the piece they
 * are on at t = 0, and the first kink on the way is told. Lengths are in units of the direction. */
#ifndef TW_GHOST_TRUE_H
#define TW_GHOST_TRUE_H

#include "thalweg/graph_complex.h"

enum tw_ghost_true_state {
    TW_GHOST_TRUE_COUNTED, /* no singularity is nearer than `low`, within 1e-3 of the one found */
    TW_GHOST_TRUE_BEYOND,  /* none up to `low`, where the search ended */
    TW_GHOST_TRUE_OPEN /* a circle was not resolved: none up to `low`; radius: the nearest found,
                          or NaN */
};
struct tw_ghost_true {
    enum tw_ghost_true_state state;
    double radius, low; /* radius: infinite with BEYOND */
    double re, im;      /* of the singularity, im >= 0; NaN if only its modulus is known */
    size_t site;        /* where in the network; its number of sites: the output's softmax */
    double kink; /* the least t > 0 at which a unit leaves its piece; infinite if there is none
                    within the radius */
    size_t evaluations;
};

struct tw_ghost_true_line {
    const struct tw_graph *graph;     /* one input, logits as the first output */
    const double *params, *direction; /* layout->n */
    const float *buffers;             /* NULL: as stored */
    const struct tw_array *x;         /* the data */
    size_t classes, inner;            /* reals from one class of a softmax to the next */
    size_t threads;                   /* 0: all that OpenMP would use */
};
struct tw_ghost_true_search;
/* What the line points to must outlive it. TW_EFORMAT names an operator without a complex form;
 * NULL on failure. */
struct tw_ghost_true_search *tw_ghost_true_new(const struct tw_ghost_true_line *line,
                                               struct tw_err *err);
void tw_ghost_true_free(struct tw_ghost_true_search *s);
/* Of n rows of the data, the search of each beginning at start[i] > 0: into out[i]. All softmaxes
 * of a row count. The same bits at any number of threads. */
void tw_ghost_true_run(struct tw_ghost_true_search *s, size_t n, const size_t *rows,
                       const double *start, struct tw_ghost_true *out);
size_t tw_ghost_true_nsite(const struct tw_ghost_true_search *s);
/* i: below the number of sites. */
struct tw_complex_site tw_ghost_true_site(const struct tw_ghost_true_search *s, size_t i);

#endif
