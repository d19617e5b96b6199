/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/help.h - help texts, made from the command and option tables. */
#ifndef TW_CLI_HELP_H
#define TW_CLI_HELP_H

#include <stdio.h>

#include "cmd.h"

void tw_help_overview(FILE *fp);
void tw_help_command(const struct tw_cmd *cmd); /* to stdout */

#endif
