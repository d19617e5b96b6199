/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/runs.h - tables of runs (one row a run: N, D, loss, ...) for laws of runs. */
#ifndef TW_CLI_RUNS_H
#define TW_CLI_RUNS_H

#include "curves.h"
#include "thalweg/law_own.h"

struct tw_run_source {
    struct tw_opt_list column, where, scale; /* NAME=COLUMN, COLUMN=VALUE, NAME=X */
    size_t drop_highest;
    const char *y;       /* the loss's column; NULL: guess */
    const char *cluster; /* rows of equal value belong together; NULL: rows of equal inputs */
};

/*
 * Read one table as a group of runs and append it to the set: law[i].input has the law's
 * inputs. A column is found by --column, by the input's name, or by its other names; tokens
 * missing beside FLOPs are C / (6 N). Rows without a finite loss are left out and counted, and
 * so are the `drop_highest` largest losses. TW_EFORMAT names the file, the line and the column.
 */
enum tw_status tw_run_set_add(struct tw_call *call, struct tw_curve_set *set,
                              const struct tw_law *law, const char *path,
                              const struct tw_run_source *source, struct tw_err *err) TW_CHECKED;

/*
 * Which of an expression's names are columns of a table, as inputs (at most names->n) with the
 * meanings and other column names that laws of the table of laws give them. TW_EIO, TW_EFORMAT:
 * the table cannot be read. tw_law_own_new takes them.
 */
enum tw_status tw_run_find_inputs(const char *path, const struct tw_run_source *source,
                                  const struct tw_own_names *names, struct tw_law_input *inputs,
                                  size_t *n, struct tw_err *err) TW_CHECKED;
/* The meaning and other column names of an input called so. */
struct tw_law_input tw_run_known_input(const char *name);

/* "N=7e9,D=2e12" into values by input; every input must be given. TW_EINVAL otherwise. */
enum tw_status tw_run_parse(const struct tw_law *law, const char *spec, double *value,
                            struct tw_err *err) TW_CHECKED;

// clang-format off: a table reads better one row a line
#define TW_RUN_SOURCE_ROWS(type, field)                                                            \
    { TW_OPT_LIST,                                                                                 \
      0,                                                                                           \
      "column",                                                                                    \
      TW_OPT_FIELD(type, field.column),                                                            \
      "NAME=COLUMN",                                                                               \
      "column of a law's input, as in N=params; may be given again",                               \
      0,                                                                                           \
      0,                                                                                           \
      NULL },                                                                                      \
        { TW_OPT_LIST,                                                                             \
          0,                                                                                       \
          "where",                                                                                 \
          TW_OPT_FIELD(type, field.where),                                                         \
          "COLUMN=VALUE",                                                                          \
          "only rows whose cell is VALUE; may be given again",                                     \
          0,                                                                                       \
          0,                                                                                       \
          NULL },                                                                                  \
        { TW_OPT_LIST, 0,                                                                          \
          "scale",     TW_OPT_FIELD(type, field.scale),                                            \
          "NAME=X",    "multiply an input by X, as in N=1e9 for a table in billions",              \
          0,           0,                                                                          \
          NULL },                                                                                  \
    {                                                                                              \
        TW_OPT_SIZE, 0, "drop-highest", TW_OPT_FIELD(type, field.drop_highest), "K",               \
            "leave out the K runs of largest loss [0]", 0, 1e9, NULL                               \
    }
// clang-format on

#endif
