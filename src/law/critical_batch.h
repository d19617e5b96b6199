/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/critical_batch.h - the law L(N, S, B), and the fit in three stages that it starts from. */
#ifndef TW_LAW_CRITICAL_BATCH_H
#define TW_LAW_CRITICAL_BATCH_H

#include "run_table.h"

enum { TW_CB_NC, TW_CB_AN, TW_CB_SC, TW_CB_AS, TW_CB_BSTAR, TW_CB_AB, TW_CB_NPARAMS };
enum { TW_CB_N, TW_CB_S, TW_CB_B, TW_CB_NINPUTS };

/* The first two stages: B* and aB of Bcrit(L) = B* / L^(1/aB). 1: found; 0: no loss is reached at
 * two batch sizes, or the pairs lie on no hyperbola; -1: out of memory. */
int tw_critical_batch_line(const struct tw_run_table *t, const double *y, double *bstar,
                           double *ab);

#endif
