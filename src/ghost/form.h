/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ghost/form.h - one sample in the form that all of this module computes with.
 *
 * Logits (z_k + a_k t) / T, classes of equal slope merged (their weights add), slopes shifted and
 * scaled to [0, 1], log weights shifted to a largest of 0:
 *
 *     F(s) = sum_k exp(l_k + b_k s),    s = scale t,    scale = Delta_a / T
 *
 * has the zeros of the partition function. F is real on the real axis, so zeros come in conjugate
 * pairs and the upper half plane is enough. p_k(u) are the class probabilities at the real point
 * u, K = log F. */
#ifndef TW_GHOST_FORM_H
#define TW_GHOST_FORM_H

#include "thalweg/ghost.h"

/* Log weights farther apart than this are beyond what doubles resolve to a part of one. */
#define GHOST_FARTHEST 1e10

struct ghost_pair {
    double a, z;
};

struct tw_ghost {
    size_t max;              /* classes there is room for */
    size_t n;                /* classes after merging, in ascending order of slope */
    double *l, *b;           /* (n) */
    double *tr, *ti;         /* (n) scratch: terms */
    size_t *hull;            /* (n) scratch: corners of the Newton polygon */
    struct ghost_pair *pair; /* (max) scratch */
    double scale;            /* 0: all slopes are equal */
    double depth;            /* the largest |l| */
    double spread, temperature, p_max;
};

struct ghost_complex {
    double re, im;
};

/* F and F' at s, over the largest |term|; `size` is the sum of the moduli of the terms. */
struct ghost_value {
    struct ghost_complex f, df;
    double size;
};
struct ghost_value ghost_value(const struct tw_ghost *g, struct ghost_complex s);

/* The Taylor series of F(s + h) exp(-mu h) at s: coefficients 0 .. ORDER - 1, and a bound
 * |remainder| <= rest h^ORDER exp(reach h) for all complex h of that modulus. */
enum { GHOST_ORDER = 8 };
struct ghost_taylor {
    double mu; /* the mean slope, by the moduli of the terms */
    struct ghost_complex c[GHOST_ORDER];
    double size_of[GHOST_ORDER]; /* |c[j]| */
    double rest, reach, size;    /* size: the sum of the moduli of the terms */
};
void ghost_taylor(const struct tw_ghost *g, struct ghost_complex s, struct ghost_taylor *t);
/* What rounding may have done to a value of that size at modulus |s|. */
double ghost_rounding(const struct tw_ghost *g, double size, double modulus);

/* The class with the largest p_k(u), its log-odds log(p / (1 - p)), their derivative by u, the
 * mean, the variance K''(u) and the third central moment K'''(u) of the slopes. Needs n >= 2. */
struct ghost_real {
    size_t top;
    double odds, rate, mean, variance, third;
};
struct ghost_real ghost_real(const struct tw_ghost *g, double u);
/* Log-odds of class m at u and their derivative. Concave in u. */
double ghost_odds(const struct tw_ghost *g, size_t m, double u, double *rate);
/* The end of the interval {u: p_m(u) > 1/2} on one side (sign: +1 or -1), approached from
 * outside; infinite if there is none. */
double ghost_half(const struct tw_ghost *g, size_t m, int sign);
/* Corners of the upper hull of the points (b_k, l_k) into g->hull; how many. */
size_t ghost_hull(struct tw_ghost *g);

/* bound.c, in the units of s. */
double ghost_log_odds_bound(const struct tw_ghost *g, const struct ghost_real *at0);
double ghost_half_mass(const struct tw_ghost *g, const struct ghost_real *at0);
double ghost_variance_bound(const struct tw_ghost *g);
double ghost_upper_bound(struct tw_ghost *g);

/* count.c */
/* In it F = c (s - centre) exp(mu (s - centre)) (1 + eta), |eta| < 1/2; radius 0: none. */
struct ghost_disc {
    struct ghost_complex centre;
    double radius, mu;
};
/* The disc around a zero that holds no other. */
struct ghost_disc ghost_isolate(const struct tw_ghost *g, struct ghost_complex zero);
enum { GHOST_SEEDS = 16 };
struct ghost_arc {
    size_t zeros; /* with Im > 0 and |s| < radius */
    size_t nseed; /* where |F| was least along the arc */
    struct ghost_complex seed[GHOST_SEEDS];
    double seed_value[GHOST_SEEDS];
    size_t evaluations;
};
/* The zeros within |s| < radius by the argument principle; `around` (NULL: none) is a zero that
 * may lie next to the circle. False if rounding or the number of steps forbids an answer. */
bool ghost_count(const struct tw_ghost *g, double radius, const struct ghost_disc *around,
                 struct ghost_arc *arc);

#endif
