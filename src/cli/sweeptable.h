/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/sweeptable.h - a table with one row a run of a sweep, as thalweg sensitivity reads it. */
#ifndef TW_CLI_SWEEPTABLE_H
#define TW_CLI_SWEEPTABLE_H

#include <math.h>

#include "cmd.h"
#include "thalweg/law_sweep.h"

struct tw_sweep_source {
    struct tw_opt_list column, where, scale; /* NAME=COLUMN, COLUMN=VALUE, NAME=X */
    const char *y;                           /* the loss's column; NULL: guess */
    double sequence;                         /* tokens a sequence; NAN: not given */
};

struct tw_sweep_table {
    size_t n;
    struct tw_sweep_run *run;  /* (n) */
    size_t logits, grads;      /* runs that have them */
    bool in_tokens, has_batch; /* batch sizes are in tokens; there are any */
};

/* The columns N, D, lr, batch (or steps), loss, logit and grad by --column, name, or other names;
 * a run without a loss counts as diverged. TW_EFORMAT names the file, the line and the column.
 * Release even after a failure. */
enum tw_status tw_sweep_table_read(struct tw_call *call, const char *path,
                                   const struct tw_sweep_source *source, struct tw_sweep_table *out,
                                   struct tw_err *err) TW_CHECKED;
void tw_sweep_table_release(struct tw_sweep_table *t);

#endif
