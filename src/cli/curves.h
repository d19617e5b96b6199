/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/curves.h - from operands FILE[@SCHEDULE] to measured curves with the learning rate of
 * every step: what fit and forecast --against share. */
#ifndef TW_CLI_CURVES_H
#define TW_CLI_CURVES_H

#include <math.h>

#include "cmd.h"
#include "read.h"
#include "thalweg/law.h"

struct tw_curve_source {
    struct tw_read_opts read;
    const char *schedule;    /* for curves that have none of their own; NULL: the log's rates */
    const char *schedules;   /* a table, one row a curve; NULL: none */
    double batch;            /* units of x per step, for logged rates; NAN: not given */
    struct tw_opt_list size; /* N of every curve, CURVE=N, or the log's column of N */
};

#define TW_CURVE_SOURCE_DEFAULTS                                                                   \
    {                                                                                              \
        .read = TW_READ_DEFAULTS, .batch = (double)NAN                                             \
    }

/* The inputs of a group of runs: column[k] (n) points into values. NULL for a curve. */
struct tw_run_inputs {
    double **column, *values;
    size_t *cluster; /* NULL: not given */
};

/* A measured curve and its schedule, or a group of runs and their inputs; law.x, law.y point into
 * log, law.schedule to schedule. */
struct tw_curve_set {
    size_t n, cap;
    struct tw_curves log;         /* as read, the same order; log.n may exceed n on a failure */
    struct tw_schedule *schedule; /* (n) */
    struct tw_run_inputs *inputs; /* (n) */
    struct tw_law_curve *law;     /* (n) */
    bool sized; /* a law needs the curves' sizes: say them, and what looks wrong with them */
};

/* Room beside every curve of set->log; false when out of memory. */
bool tw_curve_set_reserve(struct tw_curve_set *set) TW_CHECKED;
/* The law's view of each curve; again whenever the arrays may have moved. */
void tw_curve_set_point(struct tw_curve_set *set);

/*
 * Read one operand and append its curves. The learning rate of every step is, in this order,
 * that of `@SCHEDULE` behind the operand, of the row of source->schedules whose curve is named
 * like the file (with that table a curve must have a row), of `otherwise` (NULL:
 * source->schedule), or of the log (whose first
 * step is 1 if its x begins there). Says on stderr which was used, in one line a curve, and
 * warns when it could matter. Points past the schedule's end are left out. TW_EFORMAT names the
 * file, also for a loss that is not positive.
 */
enum tw_status tw_curve_set_add(struct tw_call *call, struct tw_curve_set *set, const char *operand,
                                const struct tw_curve_source *source, const char *otherwise,
                                struct tw_err *err) TW_CHECKED;
/* Replace curves of equal schedules (seeds of one configuration) by their mean. */
enum tw_status tw_curve_set_group(struct tw_call *call, struct tw_curve_set *set,
                                  struct tw_err *err) TW_CHECKED;
void tw_curve_set_release(struct tw_curve_set *set);

/* A schedule from the command line; `file:` reads a log. */
enum tw_status tw_cli_schedule(const char *spec, struct tw_schedule *out,
                               struct tw_err *err) TW_CHECKED;

/* Warn of rates from a file that may be wrong between its rows, or before them. */
void tw_cli_schedule_warn(struct tw_call *call, const struct tw_schedule *s);

#define TW_CURVE_SOURCE_ROWS(type, field)                                                          \
    { TW_OPT_STR,                                                                                  \
      's',                                                                                         \
      "schedule",                                                                                  \
      TW_OPT_FIELD(type, field.schedule),                                                          \
      "SPEC",                                                                                      \
      "learning rates of curves that have no schedule of their own; see thalweg-schedule(7)",      \
      0,                                                                                           \
      0,                                                                                           \
      NULL },                                                                                      \
        { TW_OPT_STR,                                                                              \
          0,                                                                                       \
          "schedules",                                                                             \
          TW_OPT_FIELD(type, field.schedules),                                                     \
          "TABLE",                                                                                 \
          "table of schedules, one row a curve: columns curve and spec, or curve, kind, peak, "    \
          "...",                                                                                   \
          0,                                                                                       \
          0,                                                                                       \
          NULL },                                                                                  \
        { TW_OPT_REAL, 0,                                                                          \
          "batch",     TW_OPT_FIELD(type, field.batch),                                            \
          "X",         "units of x per step, when x counts tokens or samples [1, if it does not]", \
          1e-300,      1e300,                                                                      \
          NULL },                                                                                  \
    {                                                                                              \
        TW_OPT_LIST, 0, "size", TW_OPT_FIELD(type, field.size), "[CURVE=]N",                       \
            "parameters of the models, for laws with N: one number for all, one for a curve, or "  \
            "the log's column; may be given again [the columns N, params, ...]",                   \
            0, 0, NULL                                                                             \
    }

#endif
