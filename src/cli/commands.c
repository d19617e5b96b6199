/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of commands: one row each. */
#include "cmd.h"

extern const struct tw_cmd tw_cmd_info;
extern const struct tw_cmd tw_cmd_version;

const struct tw_cmd *const tw_cmds[] = {
    &tw_cmd_info,
    &tw_cmd_version,
};
const size_t tw_ncmds = sizeof tw_cmds / sizeof tw_cmds[0];
