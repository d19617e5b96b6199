/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Put a whole file under its name, or nothing: written beside it, made durable, moved. */
/* For realpath. */
#define _XOPEN_SOURCE 700 /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "result.h"

static enum tw_status fail(struct tw_err *err, const char *path, const char *doing)
{
    return tw_err_set(err, TW_EIO, "%s: %s%s%s", path, doing, *doing ? ": " : "", strerror(errno));
}

/* The folder of a path, "." if it names none. */
static char *folder_of(const char *target)
{
    const char *slash = strrchr(target, '/');

    if (!slash)
        return tw_strdup(".");
    return slash == target ? tw_strdup("/") : tw_strndup(target, (size_t)(slash - target));
}

/* ".NAME.PID.K.tmp" in the folder of target: hidden, and the process can be told. */
static int open_temporary(const char *target, char **name)
{
    const char *slash = strrchr(target, '/');
    const char *base = slash ? slash + 1 : target;
    int fd = -1;

    for (unsigned k = 0; k < 100; k++) {
        struct tw_str t = { 0 };

        tw_str_addn(&t, target, (size_t)(base - target));
        tw_str_addf(&t, ".%.200s.%ld.%u.tmp", base, (long)getpid(), k);
        if (t.failed) {
            tw_str_release(&t);
            errno = ENOMEM;
            return -1;
        }
        /* A stale one of a killed process with this number is left alone. */
        fd = open(t.s, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) {
            *name = t.s;
            return fd;
        }
        tw_str_release(&t);
        if (errno != EEXIST)
            break;
    }
    return -1;
}

/* A full run must not end at a folder that was never there: make and remove a file now. */
static enum tw_status try_folder(const char *path, const char *target, struct tw_err *err)
{
    char *name = NULL, *folder;
    int fd = open_temporary(target, &name);
    enum tw_status rc = TW_OK;

    if (fd < 0) {
        int why = errno;

        folder = folder_of(target);
        rc =
            tw_err_set(err, why == ENOMEM ? TW_ENOMEM : TW_EIO, "%s: no file can be made in %s: %s",
                       path, folder ? folder : "its folder", strerror(why));
        free(folder);
        return rc;
    }
    (void)close(fd);
    (void)unlink(name);
    free(name);
    return rc;
}

static enum tw_status check_existing(const char *path, const char *target, const struct stat *st,
                                     bool force, struct tw_err *err)
{
    bool busy;
    int fd;

    if (S_ISDIR(st->st_mode))
        return tw_err_set(err, TW_EIO, "%s: this is a directory; give a file name", path);
    if (!S_ISREG(st->st_mode))
        return tw_err_set(err, TW_EIO,
                          "%s: this is a device or a pipe, and a result needs a plain file", path);
    if (!force)
        return tw_err_set(err, TW_EIO, "%s exists; use --force to replace it", path);
    fd = open(target, O_RDWR | O_CLOEXEC);
    busy = fd >= 0 && tw_points_locked(fd);
    if (fd >= 0)
        (void)close(fd);
    if (busy)
        return tw_err_set(err, TW_EIO, "%s: another process is writing this file", path);
    return TW_OK;
}

enum tw_status tw_publish_check(const char *path, bool force, char **target, struct tw_err *err)
{
    struct stat st;
    enum tw_status rc = TW_OK;

    *target = NULL;
    if (!*path)
        return tw_err_set(err, TW_EIO, "the name of the result file is empty");
    if (!strcmp(path, "-"))
        return tw_err_set(err, TW_EIO, "a result cannot go to standard output; give a file name");
    /* A link stays one, and the file that it names is replaced. */
    if (lstat(path, &st) == 0 && S_ISLNK(st.st_mode)) {
        *target = realpath(path, NULL);
        if (!*target)
            return fail(err, path, "the symbolic link leads nowhere");
    } else {
        *target = tw_strdup(path);
        if (!*target)
            return tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
    }
    if (path[strlen(path) - 1] == '/')
        rc = tw_err_set(err, TW_EIO, "%s: this names a directory; give a file name", path);
    else if (stat(*target, &st) == 0)
        rc = check_existing(path, *target, &st, force, err);
    if (rc == TW_OK)
        rc = try_folder(path, *target, err);
    if (rc != TW_OK) {
        free(*target);
        *target = NULL;
    }
    return rc;
}

enum tw_status tw_publish_write(const struct tw_publication *p, uint64_t at, const void *bytes,
                                size_t n, struct tw_err *err)
{
    const char *from = bytes;

    while (n > 0) {
        ssize_t k = pwrite(p->fd, from, n < (size_t)1 << 30 ? n : (size_t)1 << 30, (off_t)at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            if (k == 0)
                errno = ENOSPC;
            return fail(err, p->path, "cannot be written");
        }
        from += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return TW_OK;
}

/* Without force a file that appeared meanwhile stays: link fails where rename would replace.
 * File systems without links get the check and the rename. */
static int move_into_place(const char *name, const char *target, bool force)
{
    struct stat st;

    if (!force) {
        if (link(name, target) == 0)
            return unlink(name);
        if (errno == EEXIST)
            return -1;
        if (lstat(target, &st) == 0) {
            errno = EEXIST;
            return -1;
        }
    }
    return rename(name, target);
}

/* The name itself must survive a power cut; some file systems cannot say so, which is no
 * failure of ours. */
static void sync_folder(const char *target)
{
    char *folder = folder_of(target);
    int fd = folder ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

    if (fd >= 0) {
        (void)fsync(fd);
        (void)close(fd);
    }
    free(folder);
}

enum tw_status tw_publish_open(struct tw_publication *p, const char *path, const char *target,
                               bool force, struct tw_err *err)
{
    struct stat old;

    *p = (struct tw_publication){ .path = path, .target = target, .force = force };
    p->fd = open_temporary(target, &p->name);
    if (p->fd < 0)
        return fail(err, path, "cannot be created");
    if (force && stat(target, &old) == 0)
        (void)fchmod(p->fd, old.st_mode & 0777); /* who may read it does not change */
    return TW_OK;
}

enum tw_status tw_publish_end(struct tw_publication *p, enum tw_status rc, struct tw_err *err)
{
    if (rc == TW_OK && fsync(p->fd) != 0)
        rc = fail(err, p->path, "cannot be written");
    if (close(p->fd) != 0 && rc == TW_OK)
        rc = fail(err, p->path, "cannot be written");
    if (rc == TW_OK && move_into_place(p->name, p->target, p->force) != 0) {
        if (errno == EEXIST)
            rc = tw_err_set(err, TW_EIO, "%s exists; use --force to replace it", p->path);
        else
            rc = fail(err, p->path, "cannot be moved into place");
    }
    if (rc == TW_OK)
        sync_folder(p->target);
    else
        (void)unlink(p->name);
    free(p->name);
    p->name = NULL;
    return rc;
}

enum tw_status tw_publish(const char *path, const char *target, bool force, const void *bytes,
                          size_t n, struct tw_err *err)
{
    struct tw_publication p;
    enum tw_status rc = tw_publish_open(&p, path, target, force, err);

    if (rc != TW_OK)
        return rc;
    rc = tw_publish_write(&p, 0, bytes, n, err);
    return tw_publish_end(&p, rc, err);
}
