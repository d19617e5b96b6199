/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/landscape_split.h - which layers a barrier comes from: the exact split of its height,
 * paths on which one layer moves alone, and what curvature at a few points would have said of it.
 *
 * The split. With d the difference of the ends, g the gradient on the line, l a group of
 * parameters, e(t)   = L(t) - (1 - t) L(0) - t L(1) = sum over l of e_l(t) e_l(t) = (1 - t) int_0^t
 * <g_l(s), d_l> ds - t int_t^1 <g_l(s), d_l> ds since L(t) - L(0) is the integral of <g, d>: exact
 * for every loss that is absolutely continuous along the line, ReLU's kinks included (curvature
 * instead would miss them). Parts are in the loss's unit and may be negative: such a layer lowers
 * the barrier. */
#ifndef TW_LANDSCAPE_SPLIT_H
#define TW_LANDSCAPE_SPLIT_H

#include "thalweg/landscape_line.h"

/* ---- groups of parameters ---------------------------------------------------------------------
 */

/* The layers of a layout, in its order. */
struct tw_groups {
    size_t n;
    const char **name; /* the layout's strings */
    size_t *of;        /* (nparam + nbuffer) the group of each tensor */
};
enum tw_status tw_groups_make(const struct tw_layout *layout, struct tw_groups *out,
                              struct tw_err *err) TW_CHECKED;
void tw_groups_release(struct tw_groups *g);

/* Both ends of a line: the vectors and, where buffers move along the line, those. */
struct tw_ends {
    const float *params[2];  /* dim reals each */
    const float *buffers[2]; /* layout->nb reals each */
};
/* Do any buffers differ? */
bool tw_ends_buffers_move(const struct tw_ends *e, const struct tw_layout *layout);

/* ---- the exact split --------------------------------------------------------------------------
 */

struct tw_parts_options {
    double t;             /* where */
    double tol;           /* of the residual, and of each part */
    size_t max_gradients; /* 0: 256 */
};
struct tw_parts {
    size_t n;
    double *part;     /* (n) of each group */
    double doubt;     /* about how far the least certain part may be off */
    double whole;     /* e(t), from losses */
    double residual;  /* whole less the sum of parts, if no buffers move; else NAN */
    double buffers;   /* moving buffers' part, as the difference: whole less the others; else NAN */
    size_t gradients; /* that it took */
    size_t losses;    /* ... and other evaluations */
    bool converged;
};
/*
 * Gauss's rule of four nodes on pieces of [0, t] and [t, 1]. Each piece's sum over groups is known
 * from the losses at its ends; the piece that is furthest from that, or whose parts changed most
 * when it was last cut, is halved until all is below the tolerance. The problem must have been made
 * for gradients; its anchors are set to the ends. TW_EINVAL, TW_ENOMEM, what evaluation says.
 */
enum tw_status tw_parts_measure(struct tw_problem *p, const struct tw_ends *ends,
                                const struct tw_groups *g, const struct tw_parts_options *o,
                                struct tw_parts *out, struct tw_err *err) TW_CHECKED;
void tw_parts_release(struct tw_parts *s);

/* ---- layers alone -----------------------------------------------------------------------------
 */

struct tw_swap {
    double barrier, t; /* Entezari's, over that path's own chord */
    double middle;     /* L at its middle less the mean of its own ends */
    /* L at its middle less the mean of the *whole* networks' ends, which this path does not touch:
     * the number of Adilova, Andriushchenko, Kamp, Fischer, Jaggi 2023 (arXiv:2307.06966), as their
     * code has it. */
    double published;
    size_t evaluations;
};
/* The path on which the groups of `moving` go from their values at end 0 to those at end 1, and all
 * others stay as at end `base`. */
struct tw_swap_job {
    const bool *moving; /* (groups) */
    int base;
    struct tw_swap *out;
};
/* n such paths side by side, all of whose ends are in memory. whole_ends: L at both ends of the
 * whole line. Each has 5 to max_points points. Sets anchors. */
enum tw_status tw_swaps_measure(struct tw_problem *p, const struct tw_ends *ends,
                                const struct tw_groups *g, size_t n, const struct tw_swap_job *job,
                                double tol, size_t max_points, const double whole_ends[2],
                                struct tw_err *err) TW_CHECKED;

/* ---- curvature's guess ------------------------------------------------------------------------
 */

/* Slopes d'g and curvatures d'Hd at the ends and the middle, and the excess at the middle, e(1/2),
 * that they would make of a smooth loss:
 *   by_slopes  (s0 - s1) / 8               exact for cubics; from the ends alone
 *   by_ends    -(q0 + q1) / 16             the mean curvature of the ends
 *   by_middle  -q(1/2) / 8                 exact for quadratics
 *   by_three   -(q0 + 10 q(1/2) + q1) / 96 exact for quintics
 * from e(1/2) = -int min(s, 1 - s) L''(s) / 2 ds with L'' interpolated. A ReLU network's curvature
 * where it has one misses the kinks, so this is a guess and no bound. Buffers are held at the
 * point's. */
struct tw_curvature_guess {
    double slope[2], bend[3]; /* at 0 and 1; at 0, 1/2, 1 */
    double by_slopes, by_ends, by_middle, by_three;
};
/* The problem must have been made for gradients and one tangent. Sets anchors. */
enum tw_status tw_curvature_guess(struct tw_problem *p, const struct tw_ends *ends,
                                  struct tw_curvature_guess *out, struct tw_err *err) TW_CHECKED;

#endif
