/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/law_arg.h - a law that the command line writes down (--law). */
#ifndef TW_CLI_LAW_ARG_H
#define TW_CLI_LAW_ARG_H

#include "runs.h"
#include "thalweg/law_own.h"

struct tw_law_arg {
    struct tw_opt_list law, start, bound; /* expressions, NAME=X, NAME=LO:HI */
    const char *residual;
};

/*
 * The k-th expression as a law: names that are columns of `table`, by --column or by the names
 * that tw_run_set_add knows, are its inputs. Says which those are. An expression that is wrong
 * is shown with a mark under the place. TW_EINVAL, TW_EFORMAT, TW_EIO, TW_ENOMEM.
 */
enum tw_status tw_law_arg_new(struct tw_call *call, const struct tw_law_arg *arg, size_t k,
                              const char *table, const struct tw_run_source *source,
                              struct tw_law **law) TW_CHECKED;
/* --start and --bound name parameters of the n laws; TW_EINVAL if one names none. */
enum tw_status tw_law_arg_check(const struct tw_law_arg *arg, struct tw_law *const *law, size_t n,
                                struct tw_err *err) TW_CHECKED;

// clang-format off: a table reads better one row a line
#define TW_LAW_ARG_ROWS(type, field)                                                               \
    { TW_OPT_LIST,                                                                                 \
      0,                                                                                           \
      "law",                                                                                       \
      TW_OPT_FIELD(type, field.law),                                                               \
      "EXPRESSION",                                                                                \
      "a law of your own, as in 'E + A/N^a + B/D^b'",                                              \
      0,                                                                                           \
      0,                                                                                           \
      NULL },                                                                                      \
        { TW_OPT_LIST,                                                                             \
          0,                                                                                       \
          "bound",                                                                                 \
          TW_OPT_FIELD(type, field.bound),                                                         \
          "NAME=LO:HI",                                                                            \
          "range of a parameter of --law; 0: is any positive number, : is any; may be given "      \
          "again",                                                                                 \
          0,                                                                                       \
          0,                                                                                       \
          NULL },                                                                                  \
        { TW_OPT_LIST, 0,                                                                          \
          "start",     TW_OPT_FIELD(type, field.start),                                            \
          "NAME=X",    "where the search for a parameter of --law begins; may be given again",     \
          0,           0,                                                                          \
          NULL },                                                                                  \
    {                                                                                              \
        TW_OPT_CHOICE, 0, "residual", TW_OPT_FIELD(type, field.residual), "SCALE",                 \
            "residuals of --law are of the loss's logarithm (log) or of the loss (linear) [log]",  \
            0, 0, "log|linear"                                                                     \
    }
// clang-format on

#endif
