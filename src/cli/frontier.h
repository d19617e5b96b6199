/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/frontier.h - `fit chinchilla --approach=1|2`: the best size at each budget, without a law
 * of the loss. */
#ifndef TW_CLI_FRONTIER_H
#define TW_CLI_FRONTIER_H

#include "fitfig.h"
#include "thalweg/law_frontier.h"

struct tw_frontier_cli {
    const char *approach; /* "1", "2" or "3"; NULL: 3 */
    double tolerance;
};
#define TW_FRONTIER_CLI_DEFAULTS                                                                   \
    {                                                                                              \
        .tolerance = 0.1                                                                           \
    }

/* 1 or 2 (enum tw_frontier_kind); 0: a law is fitted. */
int tw_frontier_kind(const struct tw_frontier_cli *o);

/* Find the frontier of the runs, compare it with that of approach 3, report both and what is to
 * be doubted. *f is {0} on entry; release it even after a failure. */
enum tw_status tw_frontier_fit(struct tw_call *call, const struct tw_frontier_cli *o,
                               const struct tw_opt_list *budget, const struct tw_law_curve *runs,
                               size_t n, size_t bootstrap, double level, struct tw_frontier *f,
                               struct tw_err *err) TW_CHECKED;

/* IsoFLOP valleys with their parabolas and minima, or the envelope's sizes with the line. */
enum tw_status tw_frontier_figure(const struct tw_frontier *f, const struct tw_law_curve *runs,
                                  size_t n, const char *path, const struct tw_figure_opts *fo,
                                  struct tw_err *err) TW_CHECKED;

// clang-format off: a table reads better one row a line
#define TW_FRONTIER_ROWS(type, field)                                                              \
    { TW_OPT_CHOICE,                                                                               \
      0,                                                                                           \
      "approach",                                                                                  \
      TW_OPT_FIELD(type, field.approach),                                                          \
      "K",                                                                                         \
      "for the law chinchilla: the lowest training curves (1), IsoFLOP parabolas (2) or the law "  \
      "(3) [3]",                                                                                   \
      0,                                                                                           \
      0,                                                                                           \
      "1|2|3" },                                                                                   \
    {                                                                                              \
        TW_OPT_REAL, 0, "tolerance", TW_OPT_FIELD(type, field.tolerance), "P",                     \
            "runs within this share of a budget belong to it [0.1]", 1e-6, 1, NULL                 \
    }
// clang-format on

#endif
