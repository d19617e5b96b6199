/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/sweepreport.h - what a sweep says, in tables or JSON. */
#ifndef TW_CLI_SWEEPREPORT_H
#define TW_CLI_SWEEPREPORT_H

#include "sweeptable.h"

struct tw_sweep_point {
    const char *text;
    double size, tokens;
};

/* Sensitivities, optima, the step law and its values at the points; warnings. */
enum tw_status tw_sweep_report(struct tw_call *call, const struct tw_sweep *s,
                               const struct tw_sweep_table *t, bool every_batch,
                               const struct tw_sweep_point *at, size_t nat,
                               struct tw_err *err) TW_CHECKED;
/* The trends of logits and gradients, where the table has them, at a size. */
enum tw_status tw_trend_report(struct tw_call *call, const struct tw_sweep_table *t, double size,
                               double level, struct tw_err *err) TW_CHECKED;

#endif
