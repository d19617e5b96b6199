/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/identify.h - what a table of runs tells of a law's parameters, in words, and how many more
 * runs would tell more. */
#ifndef TW_CLI_IDENTIFY_H
#define TW_CLI_IDENTIFY_H

#include "cmd.h"
#include "thalweg/law.h"

/* Which bootstrap it was and why. */
void tw_bootstrap_report(const struct tw_law_fit *fit);
extern const char *const tw_bootstrap_names[]; /* by enum tw_bootstrap */

/* One sentence on the identified parameters, one on each that is not; for a law of runs. */
void tw_identify_report(struct tw_call *call, const struct tw_law_fit *fit);

/* "NAME=WIDTH" in the list: refused if there is no such parameter or no such width. */
enum tw_status tw_want_check(const struct tw_law *law, const struct tw_opt_list *want,
                             struct tw_err *err) TW_CHECKED;
/* How many more runs of the same kind make each interval so wide. */
void tw_want_report(struct tw_call *call, const struct tw_law_fit *fit,
                    const struct tw_opt_list *want);

/* n runs gave an interval of width `now`: how many more give one of `width`, if widths fall as
 * 1 / sqrt n. 0: it is that narrow already. */
double tw_runs_needed(size_t n, double now, double width);

#endif
