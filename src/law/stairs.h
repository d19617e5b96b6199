/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/stairs.h - schedules of few falls, and gradient descent over falls: the parts of
 * optimise.c. */
#ifndef TW_LAW_STAIRS_H
#define TW_LAW_STAIRS_H

#include "thalweg/law_schedule.h"

/* Falls of the rate at steps `at` (rising, in (first, n)) by `drop` >= 0, in all at most peak -
 * floor. Where the problem limits a fall's speed, the rate follows the stairs as fast as it
 * may. */
enum { TW_STAIRS_MAX = 96 };
struct tw_stairs {
    size_t n;
    size_t at[TW_STAIRS_MAX];
    double drop[TW_STAIRS_MAX];
    double loss;
};

/* What one thread needs to evaluate stairs. */
struct tw_stairs_ws {
    const struct tw_law_best_problem *p;
    size_t nrise;  /* stretches of the warm-up before the peak */
    size_t stride; /* steps in which a fall of limited speed goes down */
    struct tw_law_stairs s;
    double *lr, *grad;
    size_t *len;
};
/* `exact`: every step as it is; else the warm-up, and falls of limited speed, in a few
 * stretches.
 * False when out of memory; release even then. */
bool tw_stairs_init(struct tw_stairs_ws *ws, const struct tw_law_best_problem *p,
                    bool exact) TW_CHECKED;
void tw_stairs_release(struct tw_stairs_ws *ws);
/* The loss, and unless NULL its derivative by every drop (only if p->fall == 1). */
double tw_stairs_loss(struct tw_stairs_ws *ws, const struct tw_stairs *st, double *grad);
/* The rates of every step (p->n). */
void tw_stairs_rates(struct tw_stairs_ws *ws, const struct tw_stairs *st, double *lr);
/* Improve: the drops where they are, then places and drops by trial, to the last step. */
void tw_stairs_improve(struct tw_stairs_ws *ws, struct tw_stairs *st);

/*
 * Minimise f over 0 <= x <= cap, sum x <= total by the spectral projected gradient method
 * (Birgin, Martinez & Raydan 2000, SIAM J. Optimization 10). x (n): in a start, out the best
 * seen. Returns its value. `room` holds 4 n. Stops when a step promises less than `tol` or
 * 40 steps gained less than 10 `tol`.
 */
typedef double tw_descend_fn(void *ctx, const double *x, double *grad);
struct tw_descend {
    size_t n, iterations;
    double cap, total, tol;
    tw_descend_fn *f;
    void *ctx;
    double *room;
};
double tw_descend(const struct tw_descend *d, double *x);
/* The nearest point of that set. */
void tw_descend_project(double *x, size_t n, double cap, double total);

#endif
