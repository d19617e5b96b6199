/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ghost/circle.h - a sample of a network on circles about t = 0, and its zeros within them. */
#ifndef GHOST_CIRCLE_H
#define GHOST_CIRCLE_H

#include "thalweg/ghost_true.h"

/* Places where a denominator was least along a circle: starts for the search of its zeros. */
enum { CIRCLE_DIPS = 4 };
struct circle_dip {
    struct tw_cx t;
    size_t watch;
    double distance;  /* to the zero, by the derivative */
    struct tw_cx *at; /* logarithms there, (n) */
};

/* One thread's. Watches: those of the network, then the partition function of each softmax. */
struct circle {
    struct tw_complex *net;
    size_t n, inside; /* watches; those of them inside the network */
    size_t classes, inner;
    size_t *top;                      /* of each softmax, the largest logit at t = 0 */
    struct tw_cx *left, *mid, *right; /* (n) */
    double *turned;                   /* (n) by how much the argument turned */
    bool *lost;                       /* (n) not resolved */
    size_t ndip;
    struct circle_dip dip[CIRCLE_DIPS];
    size_t evaluations;
};
enum tw_status circle_make(struct circle *c, const struct tw_ghost_true_line *line,
                           struct tw_err *err) TW_CHECKED;
void circle_release(struct circle *c);
void circle_sample(struct circle *c, const struct tw_array *x, size_t row);
/* The n logarithms at t, in the branch next to `near`. */
void circle_at(struct circle *c, struct tw_cx t, const struct tw_cx *near, struct tw_cx *to);

/* Zeros within |t| < radius of the first denominator that has some, and which it is; 0: of none.
 * False if the circle was not resolved with so many points. Fills the dips. */
bool circle_count(struct circle *c, double radius, size_t points, size_t *zeros, size_t *watch);
/* The zero that a dip leads to; false if it leads to none. */
bool circle_zero(struct circle *c, const struct circle_dip *dip, struct tw_cx *zero);
/* The first kink at t > 0, up to `reach`; infinite if there is none. */
double circle_kink(struct circle *c, double reach);

#endif
