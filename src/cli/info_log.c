/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "info.h"

int tw_info_log(struct tw_call *call, const char *path)
{
    if (access(path, R_OK) != 0)
        (void)tw_err_set(&call->err, TW_EIO, "%s: %s", path, strerror(errno));
    else
        (void)tw_err_set(&call->err, TW_EFORMAT, "%s: this is not an HDF5 file", path);
    return tw_cmd_fail(call);
}
