/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"

/* A full disk shows up here, not in the fprintf that filled the buffer. */
int main(int argc, char **argv)
{
    int rc = tw_main(argc, argv);

    if (ferror(stdout) || fclose(stdout) != 0) {
        fprintf(stderr, "thalweg: standard output: %s\n", strerror(errno));
        return rc == TW_EXIT_OK ? TW_EXIT_FILE : rc;
    }
    return rc;
}
