/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/familyfit.h - thalweg fit --shared: families of runs under one law, and what one saves
 * against another. */
#ifndef TW_CLI_FAMILYFIT_H
#define TW_CLI_FAMILYFIT_H

#include "runs.h"
#include "thalweg/law_families.h"

struct tw_family_opts {
    const char *shared, *column;
    bool savings;
    double target;
    struct tw_opt_list sizes;
};
/* Is this a fit of families? */
bool tw_family_wanted(const struct tw_family_opts *o);

/* How the tables are read, and the budgets that --savings compares. */
struct tw_family_from {
    const struct tw_run_source *runs;
    const char *y; /* column of the loss, or NULL */
    const struct tw_opt_list *budget;
    int first_file; /* among the operands */
};
/* The whole command from reading on: each operand, or each value of the column, is a family.
 * Returns an exit code. */
int tw_fit_families(struct tw_call *call, const struct tw_law *law,
                    const struct tw_law_fit_opts *lo, const struct tw_family_from *from,
                    const struct tw_family_opts *o);

/* What was found, on stdout or as JSON. `name` (f->n). */
enum tw_status tw_family_report(struct tw_call *call, const struct tw_families *f,
                                char *const *name, const double *sizes, size_t nsizes,
                                const double *flops, size_t nflops, double target,
                                struct tw_err *err) TW_CHECKED;

// clang-format off: a table reads better one row a line
#define TW_FAMILY_ROWS(type, field)                                                                \
    { TW_OPT_STR,                                                                                  \
      0,                                                                                           \
      "shared",                                                                                    \
      TW_OPT_FIELD(type, field.shared),                                                            \
      "NAMES",                                                                                     \
      "each file is a family; these parameters are one for all, comma separated, or none",         \
      0,                                                                                           \
      0,                                                                                           \
      NULL },                                                                                      \
        { TW_OPT_STR, 0,                                                                           \
          "family",   TW_OPT_FIELD(type, field.column),                                            \
          "COLUMN",   "each value of this column is a family",                                     \
          0,          0,                                                                           \
          NULL },                                                                                  \
        { TW_OPT_FLAG, 0,                                                                          \
          "savings",   TW_OPT_FIELD(type, field.savings),                                          \
          NULL,        "tokens and compute that families save against the first at equal loss",    \
          0,           0,                                                                          \
          NULL },                                                                                  \
        { TW_OPT_REAL,                                                                             \
          0,                                                                                       \
          "target-loss",                                                                           \
          TW_OPT_FIELD(type, field.target),                                                        \
          "X",                                                                                     \
          "the loss at which --savings compares [what the first family's law says of its largest " \
          "run]",                                                                                  \
          1e-300,                                                                                  \
          1e300,                                                                                   \
          NULL },                                                                                  \
    {                                                                                              \
        TW_OPT_LIST, 0, "at-size", TW_OPT_FIELD(type, field.sizes), "N",                           \
            "a size at which --savings compares tokens; may be given again [a tenth to ten times " \
            "the "                                                                                 \
            "largest fitted]",                                                                     \
            0, 0, NULL                                                                             \
    }
// clang-format on

#endif
