/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/read.h - the options with which log, fit and forecast read loss logs, and the way from
 * an operand to curves. */
#ifndef TW_CLI_READ_H
#define TW_CLI_READ_H

#include <math.h>

#include "cmd.h"
#include "thalweg/store_log.h"

struct tw_read_opts {
    const char *x, *y, *lr, *run, *regex;
    const char *size; /* series of the model's parameters; NULL: guess */
    double from, to, smooth;
    size_t every;
    bool group;
};
/* clang-format off */
#define TW_READ_DEFAULTS { .from = (double)NAN, .to = (double)NAN, .every = 1 }

/* Rows for a command's option table: what a file's columns mean, and which of their values to
 * use. `type` is the command's options struct, `field` its struct tw_read_opts. */
#define TW_READ_COLUMNS(type, field)                                                               \
    { TW_OPT_STR, 'x', "x", TW_OPT_FIELD(type, field.x), "COLUMN",                                 \
      "column of the abscissa; row: count rows [step, tokens, ...]", 0, 0, NULL },                 \
    { TW_OPT_STR, 'y', "y", TW_OPT_FIELD(type, field.y), "SERIES",                                 \
      "series of the loss, by name or pattern [validation, else training loss]", 0, 0, NULL },     \
    { TW_OPT_STR, 0, "lr", TW_OPT_FIELD(type, field.lr), "SERIES",                                 \
      "series of the learning rate, by name or pattern [lr, learning_rate, ...]", 0, 0, NULL },    \
    { TW_OPT_STR, 0, "run", TW_OPT_FIELD(type, field.run), "PATTERN",                              \
      "only runs of this name or pattern [all]", 0, 0, NULL },                                     \
    { TW_OPT_STR, 0, "regex", TW_OPT_FIELD(type, field.regex), "RULE",                             \
      "read any text, line by line: a Perl-style rule with named groups", 0, 0, NULL }
#define TW_READ_VALUES(type, field)                                                                \
    { TW_OPT_REAL, 0, "from", TW_OPT_FIELD(type, field.from), "X",                                 \
      "leave out what is before X [none]", 0, 0, NULL },                                           \
    { TW_OPT_REAL, 0, "to", TW_OPT_FIELD(type, field.to), "X",                                     \
      "leave out what is after X [none]", 0, 0, NULL },                                            \
    { TW_OPT_SIZE, 0, "every", TW_OPT_FIELD(type, field.every), "K",                               \
      "use every K-th value [1]", 1, 1e9, NULL },                                                  \
    { TW_OPT_REAL, 0, "smooth", TW_OPT_FIELD(type, field.smooth), "X",                             \
      "smooth by an exponential mean over the past of half-life X [none]", 0, 1e300, NULL },       \
    { TW_OPT_FLAG, 0, "group", TW_OPT_FIELD(type, field.group), NULL,                              \
      "average the runs of each file, and then curves of equal schedules: seeds of one configuration", 0, 0, NULL }
#define TW_READ_OPTS(type, field) TW_READ_COLUMNS(type, field), TW_READ_VALUES(type, field)
/* clang-format on */

struct tw_log_opts tw_read_log_opts(const struct tw_read_opts *o);
struct tw_curve_opts tw_read_curve_opts(const struct tw_read_opts *o);

/*
 * Read one file and append its curves to *out, saying on stderr what was chosen and what was
 * left out. With o->group its runs become one curve, their mean.
 */
enum tw_status tw_read_curves(struct tw_call *call, const char *operand,
                              const struct tw_read_opts *o, struct tw_curves *out,
                              struct tw_err *err) TW_CHECKED;

/* The same, but what would be said of the curves that are now in *out is appended to *told, one
 * NUL-terminated line each: for a caller that has more to say of them. */
enum tw_status tw_read_curves_told(struct tw_call *call, const char *operand,
                                   const struct tw_read_opts *o, struct tw_curves *out,
                                   struct tw_str *told, struct tw_err *err) TW_CHECKED;

/* Tell the user a log's notes: as warnings, one each. */
void tw_read_notes(struct tw_call *call, const struct tw_log *log);

#endif
