/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/evalreport.h - loss and error of checkpoints, as `thalweg eval` says them. */
#ifndef TW_CLI_EVALREPORT_H
#define TW_CLI_EVALREPORT_H

#include "cmd.h"
#include "thalweg/problem.h"

struct tw_eval_row {
    const char *name, *objective; /* NULL: not known */
    struct tw_values values;
    bool has_error, text; /* text: the loss is of tokens */
    size_t all;           /* samples that the evaluated were chosen from */
};

/* n of `wanted` rows: a line if one was wanted, else a table. */
void tw_eval_print(const struct tw_call *call, size_t n, size_t wanted,
                   const struct tw_eval_row *rows);
/* The members of an object. */
void tw_eval_json(struct tw_json *j, const struct tw_eval_row *row);
/* The exit code of n of `wanted` rows; expected NaN: nothing is. */
int tw_eval_verdict(struct tw_call *call, size_t n, size_t wanted, const struct tw_eval_row *rows,
                    double expected, double tolerance);

#endif
