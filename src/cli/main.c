/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"

/* If a standard descriptor came closed, the next file opened would take its number, and
 * messages would be written into it. Fill the hole with one that fails on use. */
static void open_standard(void)
{
    for (;;) {
        int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

        if (fd < 0)
            return;
        if (fd > STDERR_FILENO) {
            (void)close(fd);
            return;
        }
    }
}

/* A full disk shows up here, not in the printf that filled the buffer. */
static int close_stdout(int rc)
{
    bool failed = ferror(stdout) != 0;

    errno = 0;
    if (failed) /* of text that filled the buffer: why was forgotten since, so ask again */
        (void)!write(STDOUT_FILENO, "\n", 1);
    if (fclose(stdout) != 0)
        failed = true;
    if (!failed)
        return rc;
    fprintf(stderr, "thalweg: standard output: %s\n", strerror(errno ? errno : EIO));
    return rc == TW_EXIT_OK || rc == TW_EXIT_NEGATIVE ? TW_EXIT_FILE : rc;
}

int main(int argc, char **argv)
{
    open_standard();
    (void)signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error to report, not a death */
    return close_stdout(tw_main(argc, argv));
}
