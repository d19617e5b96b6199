/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/law_compare.h - which of several laws to trust on the same data: information
 * criteria, and errors on points that took no part in the fit.
 *
 * A fold is a set of points that is held out at once; the law is fitted to the others and
 * predicts it. A unit is a part of what is held out that is scored by itself and resampled as
 * a whole: curves of one schedule, the end of one curve, or one run. */
#ifndef TW_LAW_COMPARE_H
#define TW_LAW_COMPARE_H

#include "thalweg/law.h"

enum tw_compare_hold {
    TW_COMPARE_CURVE,  /* curves: the curves of each schedule in turn (seeds go together) */
    TW_COMPARE_TAIL,   /* curves: the last part of every curve at once */
    TW_COMPARE_LARGEST /* runs, or curves of models whose size is known: those of the largest */
};

/* Fewer units say nothing about the others that might have been: with 6 that all favour one
 * law a two-sided sign test just reaches 5 % (2 / 2^6); with 5 it cannot. */
enum { TW_COMPARE_MIN_UNITS = 6 };

struct tw_compare_opts {
    struct tw_law_fit_opts
        fit;       /* as for a fit; its bootstrap, profiles, model error are not used */
    bool own_loss; /* each law its own instead of fit.loss [true] */
    enum tw_compare_hold hold;
    double tail;       /* share of a curve's positions that is held out [0.3] */
    size_t replicates; /* resamplings of the units [10000] */
};
struct tw_compare_opts tw_compare_defaults(void);

/* A law and the data as it takes them: laws of runs read other inputs of the same runs. */
struct tw_compare_entry {
    const struct tw_law *law;
    const struct tw_law_curve *curves; /* (ncurves) */
};

/* One law on one unit. */
struct tw_compare_cell {
    const char *why; /* why the law could not predict it; NULL: it did */
    bool weak;       /* the other points did not determine the law's parameters well: one at a
                        bound or still on its way there, or a condition number above
                        the law's limit. Scored all the same: to leave such folds out would
                        flatter the law */
    size_t n;
    double mae, pred_e, bias; /* mean |e|, |e| / y, e = y - yhat */
    double final_e;           /* mean over the unit's curves of |e| / y at the last point */
};

struct tw_compare_row {
    const struct tw_law *law;
    /* All data. */
    char why[640];         /* why there is no fit; "": there is */
    const char *unclear;   /* why these data cannot determine the parameters; NULL: they can */
    struct tw_law_fit fit; /* {0} if there is none */
    double train_mae;
    double scale;     /* robust, of the residuals */
    double inflation; /* points per independent residual */
    double aicc, bic;
    /* Held out. */
    struct tw_compare_cell *cell; /* (nunits) */
    size_t scored, weak;          /* units */
    double mae, pred_e, final_e;  /* means over the common units */
    double difference, lo, hi;    /* of pred_e less that of the first row; lo, hi NAN with fewer
                                     common units than TW_COMPARE_MIN_UNITS */
};

/* Of curves whose largest size is held out: chinchilla, fitted to the last points of the others
 * (N, and D the tokens seen there), on the last points of what is held out. */
struct tw_compare_ends {
    const struct tw_law *law; /* NULL: sizes or tokens are not known, or there was no fit */
    double theta[TW_FIT_MAX_PARAMS];
    size_t fitted, held;
    double error, bias; /* mean |y - yhat| / y and (y - yhat) / y */
};

struct tw_compare {
    enum tw_compare_hold hold;
    size_t nrows, nunits, ncommon; /* common: predicted by every law that predicted any */
    struct tw_compare_row *row;    /* least mean pred_e first; those that predicted none last */
    char **unit;                   /* (nunits) names */
    bool *common;                  /* (nunits) */
    size_t points;
    double inflation, n_eff; /* of the criteria: see below */
    struct tw_compare_ends ends;
    bool same_objective; /* all laws minimise the same function of the same residuals */
};

/*
 * Compare n laws, all of curves or all of runs. *out is {0} on entry; release it even after a
 * failure. A law that cannot be fitted is a row that says why. TW_EINVAL: laws of both kinds, a
 * hold-out of the other kind, data that differ between entries. TW_EDOMAIN: no law could be
 * fitted (the first one's reason), or nothing remains beside what is held out. TW_ENOMEM.
 */
enum tw_status tw_compare_run(const struct tw_compare_entry *entries, size_t n, size_t ncurves,
                              const struct tw_compare_opts *opts, struct tw_compare *out,
                              struct tw_err *err) TW_CHECKED;
void tw_compare_release(struct tw_compare *cmp);

/* ---- criteria -------------------------------------------------------------------------------
 *
 * With s the scale of the residuals, k the free parameters and the scale itself, n points:
 *
 *   AICc = n log s^2 + 2 k + 2 k (k + 1) / (n - k - 1)   (Hurvich & Tsai 1989, Biometrika 76;
 *                                                Burnham & Anderson 2002, section 2.4)
 *   BIC  = n log s^2 + k log n                           (Schwarz 1978, Annals of Statistics 6)
 *
 * For residuals of log y, 2 mean(log y) is added to log s^2: the density is that of y, so laws
 * fitted on the loss and on its logarithm can be compared (Burnham & Anderson 2002, section
 * 2.11). The scale is robust as the fit is. Residuals along a curve are not independent: n is
 * then the number of points over their inflation (tw_fit_long_run of each curve), and one n
 * serves all laws, that of the law with the least scale, whose residuals are the nearest to
 * mere noise; what a bad law misses would count as memory too. */

/* The tau scale about zero, rho(x) = min(x^2, 9), from 1.4826 times the median |r| (Yohai &
 * Zamar 1988, JASA 83; Maronna & Zamar 2002, Technometrics 44), made consistent for normal
 * residuals. The root mean square if more than half of them are 0. NAN when out of memory. */
double tw_compare_scale(const double *r, size_t n);
/* NAN if n <= k + 1. log_variance is log s^2, with the addition above. */
double tw_compare_aicc(double log_variance, double n, size_t k);
double tw_compare_bic(double log_variance, double n, size_t k);

#endif
