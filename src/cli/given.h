/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/given.h - data that count more often than the user may think. */
#ifndef TW_CLI_GIVEN_H
#define TW_CLI_GIVEN_H

#include "fitfile.h"

/* Warn, after an operand was added, if its file, by whatever name, was given before: `before`
 * curves are those of earlier operands. */
void tw_warn_given_twice(struct tw_call *call, const struct tw_curve_set *set, size_t before);

/* Warn of measured curves, or runs, whose points took part in the fit. */
void tw_warn_fitted(struct tw_call *call, const struct tw_fit_file *f,
                    const struct tw_curve_set *set);

#endif
