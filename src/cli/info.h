/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/info.h - parts of `thalweg info`. */
#ifndef TW_CLI_INFO_H
#define TW_CLI_INFO_H

#include "cmd.h"

struct info_opts {
    bool check, stats;
    const char *model;
};

/* Each describes one file and returns an exit code. */
int tw_info_log(struct tw_call *call, const char *path); /* a file that is nothing else */
int tw_info_net(struct tw_call *call, const char *model);
int tw_info_weights(struct tw_call *call, const char *path, const struct info_opts *o);

/* The training runs in a file of them. */
enum tw_status tw_info_runs(struct tw_call *call, const char *path) TW_CHECKED;

/* No file of that name, but a built-in network's. */
bool tw_info_is_family(const char *name);

#endif
