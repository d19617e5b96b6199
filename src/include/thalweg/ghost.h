/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/ghost.h - complex singularities of the softmax along a direction, and the step bounds
 * that follow from them.
 *
 * Along theta + t v the logits of a sample are, to first order, z_k + a_k t with slopes a = J_z v.
 * Its loss is then -z_y - a_y t + log F(t), F(t) = sum_k exp((z_k + a_k t) / T), whose Taylor
 * series converges up to the zero of F that is nearest to t = 0 in the complex plane (Sao 2026,
 * "Ghosts of Softmax", arXiv:2603.13552, equations 8 and 9). With Delta = max a - min a:
 *
 *     rho_a  = pi T / Delta                            a lower bound (equation 11)
 *     B1     = sqrt((od T / D)^2 + rho_a^2)            od: log-odds of the top class if positive,
 *                                                      D: the largest |a_k - a_top|
 *     B2     = sqrt(u_h^2 + rho_a^2)                   u_h: where the top class falls to 1/2
 *     B3     = min sqrt(u^2 + pi^2 / (4 Var_u a))      over real u with no class above 1/2
 *     rho*   = the modulus of the nearest zero         max(B1, B2, B3) <= rho* <= B4
 *
 * B1 to B4 are this project's. B1, B2: a zero at u + iy needs max p_k(u) <= 1/2, for else one
 * term exceeds the sum of the others, and |y| >= pi / Delta; od falls at a rate of at most D.
 * B3: Re exp(-i mu y) E exp(i y X) >= cos(y sigma) for |y| sigma <= pi, so |y| >= pi / (2 sigma).
 * B4: Borel and Caratheodory's inequality for the second coefficient. The radius of a mean of
 * losses is the least of its samples': at a zero all residues are positive, so none cancel.
 *
 * None of these says that the loss stays low within the radius, nor that logits are linear there.
 * Lengths are in units of t: parameter length if the direction has unit norm. */
#ifndef TW_GHOST_H
#define TW_GHOST_H

#include "thalweg/base.h"

/* One sample and room for its computation. Opaque; one a thread. */
struct tw_ghost;
/* For up to `classes` classes; NULL when out of memory. */
struct tw_ghost *tw_ghost_alloc(size_t classes);
void tw_ghost_free(struct tw_ghost *g); /* NULL is fine */

/* Take a sample: `classes` logits and slopes. TW_EDOMAIN: one of them is not finite (their place
 * is named), or the slopes differ by more than a double holds; TW_EINVAL: no class, too many, a
 * temperature that is not positive. */
enum tw_status tw_ghost_set(struct tw_ghost *g, size_t classes, const double *logits,
                            const double *slopes, double temperature,
                            struct tw_err *err) TW_CHECKED;

/* ---- bounds of one sample ------------------------------------------------------------------ */

/* Infinite where nothing limits t (all slopes equal). */
struct tw_ghost_bounds {
    double spread; /* Delta of the slopes as given */
    double rho_a;
    double p_max; /* the largest class probability */
    double
        log_odds; /* of the top class, after classes of equal slope are merged; NaN: one is left */
    double variance; /* of the slopes over T under the class probabilities */
    double b1;
};
/* The rho_a and B1 of the sample that was set: a few hundred nanoseconds at 10 classes. */
struct tw_ghost_bounds tw_ghost_bounds(const struct tw_ghost *g);
/* u_h: 0 if no class is above 1/2, infinite without a limit. B2 = sqrt(u_h^2 + rho_a^2). */
double tw_ghost_half_mass(const struct tw_ghost *g);
/* B3, proved on intervals that are refined until the bound lies within 1 % of its own limit; about
 * 30 sums over the classes. */
double tw_ghost_b3(const struct tw_ghost *g);
/* B4: there is a zero within it. */
double tw_ghost_b4(struct tw_ghost *g);

/* ---- the nearest zero ---------------------------------------------------------------------- */

enum tw_ghost_proof {
    TW_GHOST_NONE,   /* there is no zero: all slopes are equal */
    TW_GHOST_PROVED, /* no zero is nearer than `low`, which is 1e-6 or closer to rho */
    TW_GHOST_OPEN    /* rounding forbade the count (always where logits lie 1e10 T apart, but for
                        masked classes): low is the best proved bound, rho the nearest
                        zero found (or B4) */
};
struct tw_ghost_zero {
    enum tw_ghost_proof proof;
    double rho, low;    /* infinite if NONE */
    double re, im;      /* im > 0; its conjugate is a zero too; NaN if only the modulus is known */
    size_t evaluations; /* of the partition function */
};
/*
 * The zero nearest to t = 0. Newton's iteration from the corners of the Newton polygon; then the
 * argument principle along the half circle just inside counts the zeros nearer than the one found,
 * in steps within which a Taylor polynomial with a bound on its remainder excludes a turn. If there
 * are some the radius is bisected with new starts from where |F| was least. "No zero" is thus
 * proved up to rounding, which is estimated and given a margin.
 */
struct tw_ghost_zero tw_ghost_nearest(struct tw_ghost *g);

/* Zeros with im > 0 and modulus below radius, with multiplicity, into *n; TW_ENOCONV if rounding
 * forbids an answer (a zero on the circle). */
enum tw_status tw_ghost_count(const struct tw_ghost *g, double radius, size_t *n,
                              struct tw_err *err) TW_CHECKED;

/* ---- two classes --------------------------------------------------------------------------- */

/* The label against its strongest rival: the paper's equation 13. With two classes it is rho*; with
 * more it is NO bound: it exceeded rho* in two of three random cases, by up to 858 times. */
struct tw_ghost_top2 {
    size_t rival;       /* the largest logit but the label's; the first of equals */
    double margin;      /* (z_label - z_rival) / T */
    double slope_gap;   /* (a_label - a_rival) / T */
    double re, im, rho; /* infinite where the slopes are equal */
};
/* classes >= 2, label < classes. */
struct tw_ghost_top2 tw_ghost_top2(size_t classes, const double *logits, const double *slopes,
                                   size_t label, double temperature);

/* ---- the loss and the class probabilities along the line ----------------------------------- */

struct tw_ghost_shift {
    double loss0, loss; /* of the label at 0 and at t, for linear logits */
    double kl_new_old;  /* KL(p(t) | p(0)) */
    double kl_old_new;  /* KL(p(0) | p(t)) */
    /* How far each may be from t^2 Var / 2: |t Delta / T|^3 over 18 sqrt 3 and 36 sqrt 3 (the
     * paper's appendix 4, with the two divergences the right way round). */
    double remainder_new_old, remainder_old_new;
    double flip; /* least t > 0 at which another class overtakes the largest logit; or infinity */
};
struct tw_ghost_shift tw_ghost_shift(size_t classes, const double *logits, const double *slopes,
                                     size_t label, double temperature, double t);

#endif
