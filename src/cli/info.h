/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/info.h - parts of `thalweg info`. */
#ifndef TW_CLI_INFO_H
#define TW_CLI_INFO_H

#include "cmd.h"

/* Describe a file that is not HDF5; returns an exit code. */
int tw_info_log(struct tw_call *call, const char *path);

#endif
