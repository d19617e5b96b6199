/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/ghost_inside.h - singularities inside a network along a direction: poles and kinks of
 * activations, zeros of the variance in normalisations, of the partition function in attention.
 *
 * With h(t) = h + t h' at the input of an operator (exact in the first layer, else to first order)
 * its output is singular where h(t) meets the set of the operator (Sao 2026, appendix 2):
 *
 *     sigmoid, SiLU, softplus   i pi (2k + 1)       |t| = sqrt(h^2 + pi^2) / |h'|
 *     tanh                      i pi (2k + 1) / 2   |t| = sqrt(h^2 + pi^2/4) / |h'|
 *     GELU by tanh              sqrt(2/pi) (x + 0.044715 x^3) = i pi / 2: x = +-0.634368
 * +- 2.754771 i GELU, erf                 nothing ReLU and its like         a kink at 0: t = -h /
 * h' where that is positive layer normalisation       Var(h) + eps = 0: |t| = sqrt((Var h + eps) /
 * Var h') softmax in attention      pi / (max h' - min h') over what is not masked, as for logits
 */
#ifndef TW_GHOST_INSIDE_H
#define TW_GHOST_INSIDE_H

#include "thalweg/graph.h"

enum tw_ghost_site_kind {
    TW_GHOST_SIGMOID,
    TW_GHOST_TANH,
    TW_GHOST_GELU_TANH,
    TW_GHOST_KINK,
    TW_GHOST_NORM,
    TW_GHOST_RMS,
    TW_GHOST_ATTENTION
};
/* Of one unit: the modulus of t, or of the kink the length t > 0; infinite if there is none. */
double tw_ghost_unit(enum tw_ghost_site_kind kind, double h, double slope);
/* Of a row of n: NORM, RMS and ATTENTION, whose entries of h at or below -1e30 are masked. */
double tw_ghost_row(enum tw_ghost_site_kind kind, size_t n, const double *h, const double *slopes,
                    double eps);

/* An operator of a network that can be singular. */
struct tw_ghost_site {
    char *name;     /* the value that it reads, or its output */
    const char *op; /* "Tanh", ... */
    enum tw_ghost_site_kind kind;
    size_t row; /* numbers that go together; 1: each alone */
    double eps;
    double nearest; /* of all units and samples */
    size_t at;      /* its row of the data */
    double low;     /* the 1 % quantile over units and samples, to 3 % */
};

struct tw_ghost_inside;
/* The net is changed: what those operators read becomes outputs. It is no longer needed afterwards.
 * Of normalisation in small operators (as exported before version 17) sqrt(mean(x^2) + eps) along
 * the last axis is recognised, with x any value. TW_EFORMAT, TW_ENOMEM; NULL on failure. */
struct tw_ghost_inside *tw_ghost_inside_new(struct tw_net *net, const struct tw_exec_options *o,
                                            struct tw_err *err);
void tw_ghost_inside_free(struct tw_ghost_inside *w);
size_t tw_ghost_inside_count(const struct tw_ghost_inside *w);
const struct tw_ghost_site *tw_ghost_inside_site(const struct tw_ghost_inside *w, size_t i);
/* Fill the sites' numbers along `direction` (dim reals) at params, buffers (as of tw_exec_set) over
 * n rows (NULL: the first n) of x, the network's only input. */
enum tw_status tw_ghost_inside_run(struct tw_ghost_inside *w, const float *params,
                                   const float *buffers, const double *direction,
                                   const struct tw_array *x, size_t n, const size_t *rows,
                                   struct tw_err *err) TW_CHECKED;

#endif
