/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int tw_file_open(const char *path, uint64_t *size, struct tw_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0 || fstat(fd, &st) != 0) {
        (void)tw_err_set(err, TW_EIO, "%s", strerror(errno));
    } else if (!S_ISREG(st.st_mode)) {
        (void)tw_err_set(err, TW_EIO, "%s",
                         S_ISDIR(st.st_mode) ? "this is a directory" : "this is not a plain file");
    } else {
        *size = (uint64_t)st.st_size;
        return fd;
    }
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

enum tw_status tw_file_read(int fd, uint64_t at, void *to, size_t n, struct tw_err *err)
{
    char *p = to;

    while (n > 0) {
        /* Linux reads no more than 2 GiB at once. */
        ssize_t got = pread(fd, p, n < (size_t)1 << 30 ? n : (size_t)1 << 30, (off_t)at);

        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return tw_err_set(err, TW_EIO, "%s", strerror(errno));
        if (got == 0)
            return tw_err_set(err, TW_EFORMAT, "the file ends at byte %llu; copy it again",
                              (unsigned long long)at);
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return TW_OK;
}

enum tw_status tw_file_bytes(const char *path, struct tw_bytes *b, struct tw_err *err)
{
    uint64_t size = 0;
    int fd = tw_file_open(path, &size, err);
    enum tw_status rc = TW_OK;

    *b = (struct tw_bytes){ 0 };
    if (fd < 0)
        return TW_EIO;
    b->p = size < SIZE_MAX ? tw_alloc((size_t)size + 1, 1) : NULL;
    b->n = (size_t)size;
    if (!b->p)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory: the file has %llu MiB",
                        (unsigned long long)(size >> 20));
    else
        rc = tw_file_read(fd, 0, b->p, b->n, err);
    (void)close(fd);
    if (rc != TW_OK) {
        free(b->p);
        *b = (struct tw_bytes){ 0 };
    }
    return rc;
}
