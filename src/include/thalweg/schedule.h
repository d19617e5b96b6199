/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/schedule.h - learning-rate schedules: one grammar everywhere.
 *
 *   KIND:key=value,key=value,...
 *
 * A schedule is the learning rate of every step, lr[0 .. n). Step s of a log belongs to
 * lr[(s / batch) - base]. The kinds and keys are rows of tables (tw_schedule_kinds,
 * tw_schedule_keys) from which the manual page thalweg-schedule(7) is checked. */
#ifndef TW_SCHEDULE_H
#define TW_SCHEDULE_H

#include "thalweg/base.h"

/* How the rate of steps between logged ones was had. */
enum tw_lr_source {
    TW_LR_SPEC,        /* by the formula of a schedule */
    TW_LR_DENSE,       /* every step was logged */
    TW_LR_LINEAR,      /* straight lines between logged points, provably exact */
    TW_LR_INTERPOLATED /* straight lines, not exact: see s1_error */
};
struct tw_lr_report {
    enum tw_lr_source source;
    size_t unlogged_start; /* steps before the first logged one: taken as a linear rise from 0 */
    double s1_error;       /* bound on the relative error of the sum of rates over the log */
    double spacing;        /* median distance of logged points, in steps */
};

struct tw_schedule {
    char *spec;      /* as given, or what it was made from */
    size_t n;        /* steps */
    double *lr;      /* (n), >= 0 and finite */
    size_t warm_end; /* last step of the leading rise: lr[0] < ... <= lr[warm_end]; 0: none */
    unsigned base;   /* 0 or 1: the number of the first step in a log */
    double batch;    /* units of a log's x per step: 1 when x counts steps */
    struct tw_lr_report logged; /* of rates from a file or a log */
};

/* The rates of a file, for `file:PATH`: n pairs, x increasing; if x begins at 1 the schedule's
 * base is 1. The caller frees both. */
typedef enum tw_status tw_schedule_load_fn(void *ctx, const char *path, size_t *n, double **x,
                                           double **lr, struct tw_err *err);

/*
 * Parse `spec` into *out ({0} on entry; release it even after a failure). `load` answers
 * `file:` and may be NULL. TW_EINVAL with one sentence that names the key: unknown kind or
 * key (the nearest is suggested), a missing or impossible value, more than 2^30 steps.
 */
enum tw_status tw_schedule_parse(const char *spec, tw_schedule_load_fn *load, void *ctx,
                                 struct tw_schedule *out, struct tw_err *err) TW_CHECKED;

/*
 * The schedule behind logged rates: n pairs (x, lr), x increasing, joined by straight lines,
 * one rate a step up to the last x. Before the first logged point the rate continues the line
 * of the first two points down to 0 if they rise; else it is constant if the gap is at most
 * one and a half spacings, and a warm-up, a line up from 0 at step 0, if it is longer.
 *
 * Straight lines are right when every logged point lies on the line through its neighbours
 * (to 1e-9 of the largest rate) except at isolated kinks that fall on a logged point. The
 * bound on S1 adds, for each interval h with a bend at both ends, h^2/2 times the larger change
 * of slope (for a kink or a jump hidden inside) or, when the rates curve, twice the trapezoid
 * rule's h^3/12 |lr''|. It holds if no two kinks or jumps lie within three intervals.
 *
 * out->logged says how they were had. TW_EINVAL: n == 0. TW_EDOMAIN: a rate is not between 0 and
 * 1e6, or an x no step (named).
 */
enum tw_status tw_schedule_from_log(const double *x, const double *lr, size_t n, unsigned base,
                                    double batch, struct tw_schedule *out,
                                    struct tw_err *err) TW_CHECKED;

/* Rates are often logged less often than losses, so that losses follow the last of them: hold it
 * up to a log's x, but for no longer than one and a half spacings. A formula's rates end where
 * it says. TW_ENOMEM. */
enum tw_status tw_schedule_hold(struct tw_schedule *s, double x, struct tw_err *err) TW_CHECKED;

void tw_schedule_release(struct tw_schedule *s);

/* The index into lr of a log's x; false when x is not a step of the schedule. */
bool tw_schedule_index(const struct tw_schedule *s, double x, size_t *i);

/* The tables behind the grammar. Each ends with name NULL. */
struct tw_schedule_kind {
    const char *name, *summary, *formula;
    const char *needs, *takes; /* keys, space separated */
};
extern const struct tw_schedule_kind tw_schedule_kinds[];
struct tw_schedule_key {
    const char *name, *meaning;
};
extern const struct tw_schedule_key tw_schedule_keys[];

/* Does this kind take (or need) this key? False for an unknown kind. */
bool tw_schedule_takes(const char *kind, const char *key);

#endif
