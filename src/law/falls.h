/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/falls.h - sums over every change of a learning rate, at few terms a point.
 *
 * A law with a forgetting kernel needs, for each measured step t of a schedule,
 *
 *     sum_{1 <= k <= t} (eta_{k-1} - eta_k) G(eta_k, S_k(t)),   S_k(t) = sum_{tau=k..t} eta_tau,
 *
 * with G(., 0) = 0 and smooth for S > 0. Written out that is steps x points terms. But seen from
 * far off G hardly varies over neighbouring k: a block of changes is replaced by NODES of its
 * own steps with weights that integrate every polynomial of degree NODES - 1 in k as the block
 * does (an interpolatory rule at nearly Chebyshev steps; weights pass from a block's two
 * halves to the block, as moments do in the multipole method of Greengard & Rokhlin 1987,
 * J. Comput. Phys. 73). A block serves a point only if it is smooth - the logarithm of its
 * rates is that polynomial to a tolerance - and the point is at least its own width of S away;
 * else its halves are asked. Blocks of up to NODES changes are exact. So a point takes
 * O(NODES log steps) terms, and the parameters of G do not enter. */
#ifndef TW_LAW_FALLS_H
#define TW_LAW_FALLS_H

#include "thalweg/law.h"

enum { TW_FALL_NODES = 16 };

/* One curve. Node j of block b is at index b * TW_FALL_NODES + j; padding has weight 0. */
struct tw_falls {
    size_t nblocks;
    double *before;   /* S1 up to the step before: S_k(t) = s1[t] - before[k] */
    double *log_rate; /* log eta_k; for a rate of 0 that of the smallest positive double */
    double *weight;
    size_t n;        /* points */
    double *s1;      /* (n) sum of the rates up to the point */
    size_t *first;   /* (n + 1) */
    unsigned *block; /* of point i: block[first[i]] .. block[first[i + 1]]; where S is not
                        positive a node's change comes after the point and does not count */
    double moved;    /* sum of |eta_{k-1} - eta_k| after the warm-up */
};

/* The points of `curve`, with the changes of its warm-up or without; *f is {0} on entry; release it
 * even after a failure. TW_EINVAL: an x is no step of its schedule. TW_EDOMAIN: the rates up to the
 * first point sum to 0. */
enum tw_status tw_falls_init(struct tw_falls *f, const struct tw_law_curve *curve,
                             enum tw_warmup warmup, struct tw_err *err) TW_CHECKED;
void tw_falls_release(struct tw_falls *f);

#endif
