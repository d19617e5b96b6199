/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/law.h - scaling laws: fit them, say how sure the fit is, forecast.
 *
 * A law of curves maps a schedule and parameters to the loss at every step; a law of runs maps
 * a run's numbers (parameters N, tokens D, ...) to its loss. Each law is one file in src/law/
 * and one row of tw_laws. Everything here works on plain structs and touches no file.
 *
 * Residuals are r = log y - log yhat, or y - yhat for a law that is fitted on the loss itself.
 * "Stacked" arrays hold the points of all curves, or groups of runs, one after another. */
#ifndef TW_LAW_H
#define TW_LAW_H

#include "thalweg/base.h"
#include "thalweg/fit.h"
#include "thalweg/schedule.h"

/* ---- laws --------------------------------------------------------------------------------- */

/* One measured curve, or one to forecast (y NULL): x are log positions that are steps of the
 * schedule (tw_schedule_index), increasing. Or one group of runs: input[k] (n) is the law's
 * k-th input; x and schedule are not used. Nothing is copied: it must outlive what uses it. */
struct tw_law_curve {
    const char *name;
    size_t n;
    const double *x, *y; /* (n); y finite, and > 0 if residuals are of logarithms */
    const struct tw_schedule *schedule;
    const double *const *input; /* (law->ninputs) arrays of n */
    double size, tokens;        /* of a curve: the model's parameters, and the tokens seen at its
                                   last point; 0: not known */
    const size_t *cluster; /* (n) runs of equal number belong together (rows of one run, seeds of
                              one configuration); NULL: runs of equal inputs do */
};

enum { TW_LAW_MAX_INPUTS = 6 };
/* An input of a law of runs. */
struct tw_law_input {
    const char *name;    /* "N" */
    const char *meaning; /* "parameters" */
    const char *columns; /* other names of the column in tables, space separated */
};

/* What of the warm-up enters the annealing term: all differences of the rate, or none. */
enum tw_warmup { TW_WARMUP_SKIP, TW_WARMUP_KEEP };

/* Parameters held at stated values, for curves that do not determine them all. */
struct tw_law_restriction {
    const char *name, *about;
    unsigned held; /* bit j: parameter j */
    double value[TW_FIT_MAX_PARAMS];
};

/* A schedule in stretches of equal rate: n of them, rates lr, lengths len (NULL: one step
 * each). Changes of rate at the stretches 1 .. warm_end belong to the warm-up. */
struct tw_law_stairs {
    size_t n, warm_end;
    const double *lr; /* (n) */
    const size_t *len;
};
/* The loss at the last step, and unless NULL its derivative by every lr (n). In O(n). */
typedef double tw_law_final_fn(const double *theta, const struct tw_law_stairs *s,
                               enum tw_warmup warmup, double *grad);

struct tw_law {
    const char *name, *title, *formula, *source;
    const char *about; /* a paragraph for `thalweg laws NAME` */
    size_t ninputs;    /* 0: a law of curves */
    const struct tw_law_input *inputs;
    const char *y;         /* names of the fitted column in tables, space separated; NULL: a loss */
    bool plain;            /* residuals are y - yhat, not of logarithms */
    enum tw_fit_loss loss; /* what its source fits with; Huber's delta is 1e-3 */
    size_t nparams;
    const struct tw_fit_param *params;
    const char *const *meanings; /* (nparams) with units */
    bool whole_schedule; /* the law itself counts every step of the warm-up: TW_WARMUP_KEEP, and
                            there is nothing to choose */
    bool sized;          /* a law of curves that needs the size of each curve's model */
    unsigned profile;    /* bit j: parameter j is worth profiling by default */
    unsigned zero;       /* bit j: parameter j may be held at 0 */
    bool own;            /* made by thalweg/law_own.h: not in the table, inputs may be any number,
                            and model_alloc is NULL */
    unsigned floor;      /* bit j: parameter j is the loss that nothing lowers; 0: none is */

    const struct tw_law_restriction *restrictions; /* (nrestrictions), the safest first */
    size_t nrestrictions;

    /* Features of some curves or runs that do not depend on parameters. NULL with *err set when out
     * of memory or an x is no step of its schedule. */
    void *(*model_alloc)(const struct tw_law_curve *curves, size_t n, enum tw_warmup warmup,
                         struct tw_err *err);
    void (*model_free)(void *model); /* NULL is fine */
    /* What one thread remembers between predictions (features of the last parameters). NULL
     * when out of memory. A model itself is read only: any number of threads may share it. */
    void *(*memo_alloc)(const void *model);
    void (*memo_free)(void *memo); /* NULL is fine */
    /* The loss at every stacked point, and unless NULL its derivatives (points x nparams, row
     * major). */
    void (*predict)(const void *model, void *memo, const double *theta, double *y, double *jac);
    double max_condition; /* with a larger condition number a curve counts as one that cannot be
                             left out; 0: TW_LAW_MAX_CONDITION */
    bool slow;            /* a prediction takes a millisecond or more: searches save them */
    /* The part of the loss that annealing took off (>= 0), at every stacked point of a model made
     * with TW_WARMUP_SKIP; NULL for laws without one. What a law says least surely about another
     * schedule is this part's size. */
    void (*annealed)(const void *model, void *memo, const double *theta, double *part);
    /* The inputs that spend `flops` best; NULL for laws that cannot say. */
    void (*optimum)(const double *theta, double flops, double *input);
    /* Tokens that reach `loss` at N = size, and the least compute that reaches it at all; INFINITY:
     * nothing does. NULL for laws that cannot say. */
    double (*tokens)(const double *theta, double size, double loss);
    double (*compute)(const double *theta, double loss);
    /* Up to max starts (max x nparams), best first, from stacked losses y; returns how many,
     * SIZE_MAX when out of memory. */
    size_t (*starts)(const void *model, const double *y, double *theta, size_t max);
    /* From a start that was given, or in which parameters are held: the parameters in which the
     * law is linear become the best for the others, so that a search from afar does not end in a
     * corner. False when out of memory; NULL: starts are taken as they are. */
    bool (*project)(const void *model, const double *y, double *theta);
    /* One sentence if these curves cannot determine the parameters whatever their noise; NULL
     * if they can. */
    const char *(*unidentified)(const void *model);

    tw_law_final_fn *final; /* NULL: this law cannot rank schedules (thalweg/law_schedule.h) */
    bool final_convex;      /* in the rates, for every theta within bounds */
};
extern const struct tw_law *const tw_laws[]; /* ends with NULL */
const struct tw_law *tw_law_find(const char *name);

/* law->model_alloc, or what stands for it in a law that is not in the table. */
void *tw_law_model(const struct tw_law *law, const struct tw_law_curve *curves, size_t n,
                   enum tw_warmup warmup, struct tw_err *err);

/* The predictions of a model for theta, into y (stacked points); false when out of memory. */
bool tw_law_predict(const struct tw_law *law, const void *model, const double *theta,
                    double *y) TW_CHECKED;

/* The inputs that spend `flops` best (TW_LAW_MAX_INPUTS of them, those that the law lacks unset)
 * and the loss there, of a law with `optimum`; false when out of memory. */
bool tw_law_optimum(const struct tw_law *law, const double *theta, double flops, double *input,
                    double *loss) TW_CHECKED;

/* S1 (sum of rates) and S2 (annealing area with memory lambda) at every step of a schedule:
 * arrays of schedule->n; either may be NULL. For plots and checks. */
void tw_law_annealing_features(const struct tw_schedule *s, enum tw_warmup warmup, double lambda,
                               double *s1, double *s2);

/* The priors of the model error, worth so many curves: see tw_law_fit. Twice the misfit of
 * the fitted curves, and 15 % of what annealing takes off, are what held-out curves showed on
 * the three sets of curves that the tests use (last losses of sharp decays: 11 to 40 %). */
enum { TW_LAW_PRIOR_CURVES = 3, TW_LAW_PRIOR_FACTOR = 2, TW_LAW_PRIOR_ANNEALED_CURVES = 10 };
#define TW_LAW_PRIOR_ANNEALED 0.15
/* A fit of fewer curves says something about the law only if its parameters can be told apart:
 * a larger condition number and the curve counts as one that cannot be left out. */
#define TW_LAW_MAX_CONDITION 1e5
double tw_law_max_condition(const struct tw_law *law);

/* ---- fitting ------------------------------------------------------------------------------ */

/* How replicates are drawn: curves by moving blocks of residuals. Runs by cases, or, where their
 * configurations (clusters) are fewer than TW_LAW_FEW for each free parameter, too few to draw
 * from, by the wild cluster bootstrap: residuals (from fits without the cluster) stay where they
 * are, and those of a cluster together change sign and size at random. AUTO chooses so. Where
 * clusters hold several runs cases are whole clusters. */
enum tw_bootstrap { TW_BOOTSTRAP_AUTO, TW_BOOTSTRAP_BLOCK, TW_BOOTSTRAP_CASE, TW_BOOTSTRAP_WILD };
enum { TW_LAW_FEW = 4 };

struct tw_law_fit_opts {
    enum tw_fit_loss loss;
    double delta; /* Huber's, on log loss [1e-3] */
    enum tw_warmup warmup;
    bool choose_warmup; /* ignore `warmup`; take the convention whose fits predict the training
                           curves better when each is left out in turn (mean over curves of the
                           mean |y - yhat|); if fewer than two can be left out, the one with the
                           lower objective */
    bool fixed[TW_FIT_MAX_PARAMS];
    double fixed_value[TW_FIT_MAX_PARAMS];
    size_t restriction;      /* 0: none [0]; k: the law's restriction k - 1 */
    bool choose_restriction; /* ignore `restriction`, and where `fixed` is empty take none or
                                that of the law's which predicts training curves best when each
                                is left out in turn: see tw_law_fit.trials [false] */
    size_t starts;           /* at most [16] */
    const double *given;     /* (ngiven x nparams) starts to use instead of the law's own, which it
                                may move: see tw_law.project. Not kept in the fit */
    size_t ngiven;
    size_t bootstrap;       /* replicates; 0: none */
    enum tw_bootstrap kind; /* [AUTO] */
    size_t block;           /* points a block; 0: from the residuals' autocorrelation */
    unsigned profile;       /* bit j: profile parameter j */
    bool model_error;       /* refit without each curve in turn (needs 2 or more curves) */
    double level;           /* of the intervals [0.95] */
    uint64_t seed;
};
struct tw_law_fit_opts tw_law_fit_defaults(void);

/* Scores of one curve: e = y - yhat. */
struct tw_law_score {
    size_t n;
    double r2, mae, rmse;
    double pred_e;          /* mean |e| / y */
    double worst_e;         /* max |e| / y */
    double bias;            /* mean e */
    double final_error;     /* e at the last point */
    double autocorrelation; /* of the log residuals at lag 1 */
};

struct tw_law_profile {
    size_t param, n;
    double *x, *rise; /* (n) parameter and objective minus its minimum, x increasing */
    double threshold; /* of the rise at the ends of the interval */
    double inflation; /* how much residuals that remember, and that curves share, widened it; 1:
                         not at all */
    double lo, hi;    /* NAN on a side where the rise never reaches the threshold */
};

/* A fit under one restriction, among which one was chosen. */
struct tw_law_trial {
    double objective, condition;
    unsigned at_bounds;
    size_t left_out;     /* curves that the others could predict */
    double left_out_mae; /* their mean |y - yhat|, each curve's mean weighing alike; NAN: none */
};

struct tw_law_fit {
    const struct tw_law *law;
    struct tw_law_fit_opts opts; /* as used: warmup chosen, block filled in */
    double theta[TW_FIT_MAX_PARAMS];
    double lo[TW_FIT_MAX_PARAMS], hi[TW_FIT_MAX_PARAMS]; /* bootstrap percentiles; NAN: none */
    struct tw_fit_result min;

    /* The certificate: of the starts tried, how many ended at the best objective (to 1e-6). */
    size_t starts, at_optimum;

    size_t ncurves, n;          /* curves, stacked points */
    size_t *first;              /* (ncurves + 1): points first[c] .. first[c+1] belong to curve c */
    double *x, *y;              /* (n) as fitted */
    double *yhat, *r;           /* (n) */
    struct tw_law_score *score; /* (ncurves) */
    double *correlation;        /* (p x p) of the bootstrap replicates, or NULL */

    size_t replicates, failed; /* of the bootstrap: asked for, not converged */
    size_t clusters;           /* configurations of runs; 0 for curves */
    double *theta_boot;        /* (replicates x p); a failed one is a row of NAN */
    size_t nprofiles;
    struct tw_law_profile *profiles;

    /* What a curve that took no part in the fit adds: an offset in log loss, Student's t with
     * TW_LAW_PRIOR_CURVES + left_out degrees of freedom times this scale. Its square is the
     * mean over the squared mean residuals of the curves left out in turn and, as a prior,
     * TW_LAW_PRIOR_CURVES times the square of TW_LAW_PRIOR_FACTOR times the misfit that tenths
     * of the fitted curves show: an inverse chi-square prior and its posterior predictive
     * (Gelman et al., Bayesian Data Analysis, section 2.6). NAN if not asked for. */
    double model_error;
    /* The relative error of the annealed part on another schedule: Student's t with
     * TW_LAW_PRIOR_ANNEALED_CURVES + annealed_left_out degrees of freedom times this scale, from
     * the last tenths of curves left out and a prior of TW_LAW_PRIOR_ANNEALED; 0 without such a
     * part. */
    double annealed_error;
    size_t annealed_left_out;
    size_t left_out;      /* curves that could be left out */
    double *left_out_mae; /* (ncurves) mean |y - yhat| of each when left out; NAN: could not */
    double *left_out_r;   /* (n) log residuals of each curve when left out; NAN: could not */

    /* How the restriction was chosen: none, then the law's in order; 0 of them if none was to be
     * chosen. The one under which most curves could be left out, of those the one with the
     * smallest left_out_mae. Fewer than two curves left out say nothing: then the law's first. */
    size_t ntrials;
    struct tw_law_trial *trials;

    /* How the warm-up was chosen: the rule's score for skip and keep; NAN if not asked. */
    double warmup_score[2];
    bool warmup_by_curves; /* the score is that of curves left out, else the objective */
};

/*
 * Fit `law` to n curves. *fit is {0} on entry; release it even after a failure.
 * TW_EDOMAIN: fewer points than parameters, or a loss that is not positive (named).
 * TW_ENOCONV: no start converged. TW_ENOMEM.
 */
enum tw_status tw_law_fit_run(const struct tw_law *law, const struct tw_law_curve *curves, size_t n,
                              const struct tw_law_fit_opts *opts, struct tw_law_fit *fit,
                              struct tw_err *err) TW_CHECKED;
void tw_law_fit_release(struct tw_law_fit *fit);

struct tw_law_score tw_law_score_of(const double *y, const double *yhat, size_t n);

/* ---- forecasting -------------------------------------------------------------------------- */

/* A forecast at m points; all arrays (m), the caller's. Bands hold a new run's measured loss:
 * parameters (bootstrap replicates), noise (the fit's residuals), and the model error of a
 * curve that took no part. Pointwise. NULL arrays are not filled. */
struct tw_law_band {
    double *y;
    double *lo68, *hi68, *lo95, *hi95;
};
/* `shift` (m) or NULL: added to the log of the prediction, and then `noise` (nnoise) stands
 * for the residuals: both from tw_law_common_mode. */
struct tw_law_forecast_opts {
    uint64_t seed;
    const double *shift;
    size_t nnoise;
    const double *noise;
};
enum tw_status tw_law_forecast(const struct tw_law_fit *fit, const struct tw_law_curve *curve,
                               const struct tw_law_forecast_opts *opts,
                               const struct tw_law_band *band, struct tw_err *err) TW_CHECKED;

/*
 * Runs that share their data order share their noise. shift[i]: the mean log residual of the
 * fitted curves at x[i] (straight lines between their points; 0 beyond them); *noise: what
 * remains when each fitted curve is shifted by the mean of the others (the caller frees it),
 * or with one curve its residuals' differences of neighbours over sqrt 2. *correlation: mean
 * correlation of the curves' residuals at common x; NAN with one curve.
 */
enum tw_status tw_law_common_mode(const struct tw_law_fit *fit, const double *x, size_t m,
                                  double *shift, double **noise, size_t *nnoise,
                                  double *correlation, struct tw_err *err) TW_CHECKED;

/* Share of the n measured y that lie within [lo, hi]. */
double tw_law_coverage(const double *y, const double *lo, const double *hi, size_t n);

#endif
