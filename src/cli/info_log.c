/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "info.h"

int tw_info_log(struct tw_call *call, const char *path)
{
    struct stat st;

    if (stat(path, &st) != 0 || access(path, R_OK) != 0)
        (void)tw_err_set(&call->err, TW_EIO, "%s: %s", path, strerror(errno));
    else if (S_ISDIR(st.st_mode))
        (void)tw_err_set(&call->err, TW_EIO, "%s: this is a directory", path);
    else
        (void)tw_err_set(&call->err, TW_EFORMAT, "%s: this is not an HDF5 file", path);
    return tw_cmd_fail(call);
}
