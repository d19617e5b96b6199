/* SPDX-License-Identifier: GPL-3.0-or-later */
/* law/sweep.h - what the parts of a sweep's evaluation share. */
#ifndef TW_LAW_SWEEP_PARTS_H
#define TW_LAW_SWEEP_PARTS_H

#include "thalweg/law_sweep.h"

/* To 1 %: tables round rates, and tokens a batch come from divisions. */
bool tw_sweep_alike(double a, double b);
/* Fill the group's optimum and replicates (its arrays are allocated); false: out of memory. */
bool tw_sweep_optimum(const struct tw_sweep *s, struct tw_sweep_group *g) TW_CHECKED;
/* Fit s->lr and s->batch to the groups' optima; false: out of memory. */
bool tw_sweep_step_laws(struct tw_sweep *s) TW_CHECKED;

#endif
