/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/fitreport.h - a fit in words and numbers: tables on stdout or the JSON result, and
 * warnings about what the fit cannot know. */
#ifndef TW_CLI_FITREPORT_H
#define TW_CLI_FITREPORT_H

#include "fitfig.h"
#include "fitfile.h"

void tw_fit_report(struct tw_call *call, const struct tw_fit_file *f);
/* What a forecast from this fit has to warn of again. */
void tw_fit_warn(struct tw_call *call, const struct tw_law_fit *fit);

/* The score fields of one curve, into an open JSON object. */
void tw_score_json(struct tw_json *j, const struct tw_law_score *s);
/* The cells of a score table's row behind the name: n, MAE, RMSE, R2, PredE, WorstE, bias,
 * final error. */
enum { TW_SCORE_COLUMNS = 8 };
extern const char *const tw_score_heads[TW_SCORE_COLUMNS];
void tw_score_cells(struct tw_table *t, const struct tw_law_score *s);

/* "unknown law; did you mean": TW_EXIT_USAGE. */
int tw_law_unknown(struct tw_call *call, const char *name);

#define TW_FIT_FIGURES "iso-loss|isoflop|reducible|agreement"
#define TW_FIT_LOOK_ROWS(type, field)                                                              \
    TW_FIT_LOOK_ROWS_OF(type, field,                                                               \
                        "what to draw of a law of runs [its first of iso-loss, reducible, "        \
                        "agreement]",                                                              \
                        TW_FIT_FIGURES)
#define TW_FIT_LOOK_ROWS_OF(type, field, help, figures)                                            \
    { TW_OPT_CHOICE, 0, "figure", TW_OPT_FIELD(type, field.figure), "NAME", help, 0, 0, figures }, \
        { TW_OPT_FLAG, 0,                                                                          \
          "residuals", TW_OPT_FIELD(type, field.residuals),                                        \
          NULL,        "add a panel with the residuals in per cent",                               \
          0,           0,                                                                          \
          NULL },                                                                                  \
        { TW_OPT_FLAG, 0, "log-x", TW_OPT_FIELD(type, field.log_x), NULL, "logarithmic steps",     \
          0,           0, NULL },                                                                  \
    {                                                                                              \
        TW_OPT_FLAG, 0, "log-y", TW_OPT_FIELD(type, field.log_y), NULL, "logarithmic loss", 0, 0,  \
            NULL                                                                                   \
    }

#endif
