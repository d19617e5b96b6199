/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/comparereport.h - what compare-laws prints. */
#ifndef TW_CLI_COMPAREREPORT_H
#define TW_CLI_COMPAREREPORT_H

#include "cmd.h"
#include "thalweg/law_compare.h"

/* Tables and a verdict on stdout, or the same as JSON; warnings. */
void tw_compare_report(struct tw_call *call, const struct tw_compare *cmp,
                       const struct tw_compare_opts *opts);

#endif
