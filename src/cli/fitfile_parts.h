/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/fitfile_parts.h - the words and fields that writing and reading a fit must agree on. */
#ifndef TW_CLI_FITFILE_PARTS_H
#define TW_CLI_FITFILE_PARTS_H

#include "fitfile.h"

extern const char *const tw_fit_loss_names[]; /* by enum tw_fit_loss */
extern const char *const tw_warmup_names[];   /* by enum tw_warmup */

struct tw_score_field {
    const char *name;
    size_t off; /* of a double in struct tw_law_score */
    const char *meaning;
};
extern const struct tw_score_field tw_score_fields[]; /* ends with name NULL */

#endif
