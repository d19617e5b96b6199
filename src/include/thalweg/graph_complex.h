/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/graph_complex.h - a network at complex parameters theta + t v, one sample at a time, in
 * double precision.
 *
 * Along a line every output of a network is an analytic function of t up to singularities, which
 * are zeros of denominators: a softmax's partition function, Var + eps of a normalisation, 1 + e^h
 * of a sigmoid, cosh h of a tanh, what a logarithm, root or quotient is taken of. These are
 * watched: a run gives their logarithms, whose imaginary parts tell by how much a zero is gone
 * around. Where a function has pieces (ReLU, maxima) the piece is that of t = 0 at every t, and its
 * edge is a kink; functions that are constant on pieces keep their values of t = 0. */
#ifndef TW_GRAPH_COMPLEX_H
#define TW_GRAPH_COMPLEX_H

#include "thalweg/graph.h"

struct tw_cx {
    double re, im;
};
struct tw_cx tw_cx_exp(struct tw_cx x);
/* The principal value: the imaginary part in [-pi, pi]. */
struct tw_cx tw_cx_log(struct tw_cx x);
/* The error function. Abramowitz & Stegun, Handbook of Mathematical Functions, 7.1.29: a sum whose
 * error is 1e-16 of the value. Overflows where exp(im^2 - re^2) does. */
struct tw_cx tw_cx_erf(struct tw_cx x);

/* One operator that can be singular, or has kinks. */
struct tw_complex_site {
    const char *name;     /* the graph's, of its output or what comes next; "" if nothing has one */
    const char *what;     /* "layer normalisation", "tanh", ... */
    size_t watch, nwatch; /* its logarithms among those of a run */
};

struct tw_complex;
/* Of the first output of a graph that takes one input; the graph must outlive it. One thread at a
 * time. TW_EFORMAT names an operator without a complex form; NULL on failure. */
struct tw_complex *tw_complex_new(const struct tw_graph *g, struct tw_err *err);
void tw_complex_free(struct tw_complex *c);

size_t tw_complex_nsite(const struct tw_complex *c);
struct tw_complex_site tw_complex_site(const struct tw_complex *c, size_t i);
size_t tw_complex_nwatch(const struct tw_complex *c);

/* The line: layout->n reals each, kept by pointer; buffers as of tw_exec_set. */
void tw_complex_line(struct tw_complex *c, const double *params, const double *direction,
                     const float *buffers);
/* A row of x, the network's input: computes it at t = 0, where pieces are chosen. */
void tw_complex_sample(struct tw_complex *c, const struct tw_array *x, size_t row);
/* At t. watch: nwatch logarithms out, each with the imaginary part that is nearest to that of
 * `near` (NULL: to 0); roots and logarithms in the network are of that branch. Once a value
 * overflows, what follows from it is no number. */
void tw_complex_run(struct tw_complex *c, struct tw_cx t, const struct tw_cx *near,
                    struct tw_cx *watch);
/* The output of the last run. */
const struct tw_cx *tw_complex_output(const struct tw_complex *c);
/* Of the last run, how far the nearest unit was from the edge of its piece, in its own units: below
 * 0 beyond it, infinite without kinks. Of t = x + i y with small y > 0 (or both negative, the other
 * way): y times *ahead is, to first order, how much further the first unit meets its edge. */
double tw_complex_margin(const struct tw_complex *c, double *ahead);

#endif
