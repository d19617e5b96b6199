/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/fit.h - nonlinear least squares with a robust loss, bounds, and a certificate.
 *
 * Minimises F(theta) = sum_i w_i rho(r_i(theta)) for n residuals and p parameters, where rho is
 *
 *   squares   r^2 / 2
 *   Huber     r^2 / 2 if |r| <= delta, else delta (|r| - delta / 2)   (Huber 1964, eq. 1.4 scaled)
 *   LAD       |r|, as the limit of Huber's loss / delta for delta -> 0 (Madsen & Nielsen 1993)
 *
 * Parameters are natural ("alpha"); inside, each is mapped to an unbounded coordinate by its
 * bound's kind. From a start, GSL's trust-region Levenberg-Marquardt runs on the residuals
 * sign(r) sqrt(2 rho(r)), whose sum of squares is exactly 2 F; a damped Newton iteration on F
 * itself then finishes to rounding. Results do not depend on the number of threads: one
 * workspace serves one thread and one minimisation at a time. */
#ifndef TW_FIT_H
#define TW_FIT_H

#include "thalweg/base.h"

enum { TW_FIT_MAX_PARAMS = 16 };

enum tw_fit_loss { TW_FIT_HUBER, TW_FIT_SQUARES, TW_FIT_LAD };

/* Where a parameter may lie, and the map from its unbounded coordinate u. */
enum tw_fit_bound {
    TW_FIT_FREE,     /* theta = u */
    TW_FIT_POSITIVE, /* theta = exp u */
    TW_FIT_BETWEEN,  /* theta = lo + (hi - lo) / (1 + exp -u) */
    TW_FIT_BELOW_ONE /* theta = 1 - exp u, u < 0: a memory; 1 - theta is the natural scale */
};
struct tw_fit_param {
    const char *name;
    enum tw_fit_bound bound;
    double lo, hi; /* for TW_FIT_BETWEEN; for the others the range that counts as "at bounds" */
};

/* Residuals r (n) and, unless NULL, their Jacobian in natural parameters J (n x p, row major).
 * Must be a pure function of theta, finite wherever theta is within bounds. */
typedef void tw_fit_residual_fn(void *ctx, const double *theta, double *r, double *jac);

struct tw_fit_problem {
    size_t n, p;
    const struct tw_fit_param *params; /* (p) */
    bool fixed[TW_FIT_MAX_PARAMS];     /* held at the start's value */
    enum tw_fit_loss loss;
    double delta;         /* Huber's; ignored by the others */
    const double *weight; /* (n) >= 0, of each residual's rho; NULL: all 1 */
    double enough;        /* stop when a step promises to lower F by less than this share of it, and
                             skip the certificate; 0: go on to rounding */
    tw_fit_residual_fn *residual;
    void *ctx;
};

struct tw_fit_result {
    double objective;
    double gradient; /* largest |dF/du| / F0, F0 = F at the minimum: scale free */
    size_t iterations;
    bool converged;     /* no step does better in double precision, and Newton's promises to
                           lower F by less than 1e-9 F or to move no u by more than 1e-9 */
    double condition;   /* of the Hessian in u scaled to unit diagonal; INFINITY if singular */
    unsigned at_bounds; /* bit j: parameter j ran to an end of its range */
};

/* Scratch for one thread; holds no results. */
struct tw_fit_ws;
struct tw_fit_ws *tw_fit_ws_alloc(size_t n, size_t p); /* NULL when out of memory */
void tw_fit_ws_free(struct tw_fit_ws *ws);

/*
 * Minimise from theta (p, natural, in: start; out: minimum). TW_EDOMAIN if the residuals are
 * not finite at the start. A minimisation that stops before its tolerance is not an error:
 * res->converged says so. `thorough` runs GSL first; without it Newton alone (for starts
 * that are close already, as in a bootstrap).
 */
enum tw_status tw_fit_minimize(struct tw_fit_ws *ws, const struct tw_fit_problem *prob,
                               double *theta, bool thorough, struct tw_fit_result *res,
                               struct tw_err *err) TW_CHECKED;

/* Between a parameter and its unbounded coordinate; *slope = dtheta/du. */
double tw_fit_to_u(const struct tw_fit_param *q, double theta);
double tw_fit_from_u(const struct tw_fit_param *q, double u, double *slope);

/* sum_i rho(r_i). */
double tw_fit_objective(enum tw_fit_loss loss, double delta, const double *r, size_t n);

/* ---- autocorrelated residuals ------------------------------------------------------------ */

/* The sample autocorrelation of n values at lag k (mean removed). */
double tw_fit_autocorrelation(const double *r, size_t n, size_t k);

/* Long-run variance over variance: 1 + 2 sum of autocorrelations, by the flat-top window of
 * Politis & Romano 1995 with Politis & White's cut-off; at least 1. How much wider the mean of
 * these values spreads than that of independent ones. */
double tw_fit_long_run(const double *r, size_t n);

/* Block length for a moving-block bootstrap of the mean: Politis & White 2004 (Econometric
 * Reviews 23) with the correction of Patton, Politis & White 2009 (ibid. 28), circular
 * version; at least 1, at most n / 3. */
size_t tw_fit_block_length(const double *r, size_t n);

#endif
