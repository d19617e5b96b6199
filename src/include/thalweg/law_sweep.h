/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/law_sweep.h - tables of runs that sweep learning rate and batch size: the best of both
 * and how they scale (the step law), the sensitivity to the learning rate, and what grows or
 * shrinks with the model at each rate. */
#ifndef TW_LAW_SWEEP_H
#define TW_LAW_SWEEP_H

#include "thalweg/base.h"

struct tw_sweep_run {
    double size, tokens; /* N, D */
    double lr, batch;    /* peak rate; tokens a batch */
    double loss;         /* NAN or infinite: diverged */
    double logit, grad;  /* largest attention logit, root mean square of the gradient; NAN: none */
};

struct tw_sweep_opts {
    double within;       /* runs within this share of the best loss make the quadratic [0.005] */
    double initial_loss; /* what a diverged run counts as; NAN: not known */
    size_t bootstrap;    /* replicates [1000] */
    double level;        /* [0.95] */
    uint64_t seed;
};
struct tw_sweep_opts tw_sweep_defaults(void);

/* How an optimum was had. */
enum tw_sweep_how {
    TW_SWEEP_QUADRATIC, /* the minimum of a quadratic in log lr and log batch */
    TW_SWEEP_FEW,       /* the best run: too few runs for a quadratic */
    TW_SWEEP_NO_MINIMUM /* the best run: the quadratic has no minimum among the runs */
};

/* All runs of one N and D. */
struct tw_sweep_group {
    double size, tokens;
    size_t first, n; /* its runs */
    size_t diverged;
    size_t best; /* its run of least loss */
    bool edge;   /* that run has the least or largest rate or batch of the group */
    enum tw_sweep_how how;
    size_t used;            /* runs in the quadratic */
    double rms;             /* of its residuals */
    double lr, batch, loss; /* the optimum */
    double lr_lo, lr_hi, batch_lo, batch_hi;
    double *log_lr, *log_batch; /* (opts.bootstrap) of the replicates */
};

/* Runs of one N, D and batch: Wortsman et al. 2023, arXiv:2309.14322, section 2.2. */
struct tw_sweep_line {
    size_t group;
    double batch;
    size_t n, diverged; /* learning rates */
    double best;        /* least loss */
    double sensitivity; /* mean over the rates of min(loss, initial loss), less the best */
    double from, to;    /* rates */
    double unevenness;  /* largest ratio of neighbouring rates over the smallest, in logs */
};

/* log y = log_c + a log N + b log D. */
struct tw_step_law {
    bool fitted, has_size, has_tokens;
    double coef[3], lo[3], hi[3]; /* log c, a, b; an exponent that is not fitted is 0 */
    double scatter;               /* standard deviation of log y about the law */
    size_t failed;                /* replicates that could not be fitted */
    double *replicate;            /* (opts.bootstrap x 3); NAN: failed */
};

struct tw_sweep {
    struct tw_sweep_opts opts;
    size_t n, repeats;        /* runs; rows that repeated another and went into its mean */
    struct tw_sweep_run *run; /* (n) by size, tokens, batch, lr */
    size_t ngroups, nlines;
    struct tw_sweep_group *group; /* (ngroups) */
    struct tw_sweep_line *line;   /* (nlines), the best batch of each group among them */
    struct tw_step_law lr;        /* lr = c N^a D^b */
    struct tw_step_law batch;     /* batch = c D^b */
};

/*
 * The step law of Li et al. 2025, arXiv:2503.04715: for each N and D the best rate and batch, from
 * a quadratic in their logarithms through the runs near the best (its residuals are resampled for
 * the intervals) or, where that has no minimum among the runs, the best run; then least squares of
 * their logarithms over all N and D, which are resampled too. *out is {0} on entry; release it even
 * after a failure. TW_EDOMAIN: a run that is not positive (its number is named), a diverged run
 * without initial loss, no finite loss in a group. TW_ENOMEM.
 */
enum tw_status tw_sweep_compute(const struct tw_sweep_run *runs, size_t n,
                                const struct tw_sweep_opts *opts, struct tw_sweep *out,
                                struct tw_err *err) TW_CHECKED;
void tw_sweep_release(struct tw_sweep *s);

/* The law at N and D, and unless NULL its interval from the replicates (NAN: none). False when out
 * of memory. */
bool tw_step_law_at(const struct tw_step_law *law, const struct tw_sweep_opts *opts, double size,
                    double tokens, double *y, double *lo, double *hi) TW_CHECKED;

/* ---- what changes with the model at one rate ------------------------------------------------ */

/* Section 3.3 of arXiv:2309.14322: runs whose largest attention logit passed 1e4 diverged; section
 * 3.4: gradients as small as AdamW's epsilon, 1e-8 by default, no longer move the weights. */
#define TW_ALARM_LOGIT 1e4
#define TW_ALARM_GRAD  1e-8
enum tw_alarm {
    TW_ALARM_NONE,
    TW_ALARM_POSSIBLE,  /* only the interval reaches the threshold */
    TW_ALARM_PREDICTED, /* the prediction passes it */
    TW_ALARM_MEASURED   /* a run did */
};

struct tw_trend {
    double lr;
    size_t n, sizes;         /* points, different N */
    double coef[3];          /* log y = coef[0] + coef[1] x + coef[2] x^2, x = log(N / centre) */
    double centre, from, to; /* sizes */
    double y, lo, hi;        /* at the size asked for; lo, hi NAN without a degree of freedom */
    double crossing; /* least N above `to` at which the prediction passes the threshold, up to
                        1000 times `to`; NAN: none */
    enum tw_alarm alarm;
};

/* What to extrapolate, to which size, and what to fear there. */
struct tw_trend_ask {
    double (*value)(const struct tw_sweep_run *run); /* NAN: the run has none */
    double threshold, at, level;                     /* at: a size N */
    bool above;                                      /* the threshold is passed upwards */
};
struct tw_trends {
    size_t n, skipped;  /* rates with three sizes, and with fewer */
    struct tw_trend *v; /* (n) */
};

/*
 * For each rate of the runs (to 1 %) with three sizes or more, a quadratic in log N and log y.
 * Release even after a failure. TW_EDOMAIN: no rate has three sizes, or a value is not positive.
 */
enum tw_status tw_trends_fit(const struct tw_sweep_run *runs, size_t n,
                             const struct tw_trend_ask *ask, struct tw_trends *out,
                             struct tw_err *err) TW_CHECKED;
void tw_trends_release(struct tw_trends *t);

#endif
