/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Points of an in-place file. Reserved data sets lie in one piece each, at an offset that
 * HDF5 tells once; a point is one pwrite to its place. HDF5 keeps nothing open or cached, so
 * a kill at any instant leaves a whole file with every point that was written, nothing can
 * fail at close, and others may read the file meanwhile (HDF5 itself would lock them out).
 */
/* For locks that belong to the open file and not to the process (POSIX.1-2024): an unrelated
 * close in this process must not drop them. */
#define _GNU_SOURCE 1 /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "result.h"

#ifndef F_OFD_SETLK
#define F_OFD_SETLK F_SETLK
#define F_OFD_GETLK F_GETLK
#endif

static const char end_time[] = "/provenance/end_time";

static enum tw_status full(struct tw_result *r, struct tw_err *err)
{
    return tw_err_set(err, TW_EIO, "%s: cannot be written: %s", r->path, strerror(errno));
}

void tw_result_now(char text[TW_RESULT_TIME + 1])
{
    const char *epoch = getenv("SOURCE_DATE_EPOCH");
    char *rest = NULL;
    long long fixed = epoch ? strtoll(epoch, &rest, 10) : 0;
    time_t now = time(NULL);
    struct tm tm;

    /* reproducible-builds.org/specs/source-date-epoch */
    if (epoch && *epoch && !*rest && fixed >= 0)
        now = (time_t)fixed;
    if (!gmtime_r(&now, &tm) || strftime(text, TW_RESULT_TIME + 1, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        (void)snprintf(text, TW_RESULT_TIME + 1, "1970-01-01T00:00:00Z");
}

/* ---- where the numbers lie ------------------------------------------------------------ */

enum tw_status tw_slots_add(struct tw_result *r, const char *path, uint64_t offset, uint64_t n,
                            uint64_t size, struct tw_err *err)
{
    char *copy;

    if (n == 0 || (strcmp(path, end_time) == 0 ? size != TW_RESULT_TIME
                                               : size != 1 && size != 4 && size != 8))
        return TW_OK; /* not for points */
    /* Only an existing file can be damaged; its points must lie within it. */
    if (r->file_size && (offset > r->file_size || n > (r->file_size - offset) / size))
        return tw_err_set(err, TW_EFORMAT, "%s: %s: its numbers lie beyond the end of the file",
                          r->path, path);
    copy = tw_strdup(path);
    if (!copy || !tw_grow(&r->slots, r->nslots, &r->cap, sizeof *r->slots)) {
        free(copy);
        return tw_err_set(err, TW_ENOMEM, "%s: %s: out of memory", r->path, path);
    }
    r->slots[r->nslots++] = (struct tw_slot){ copy, offset, (size_t)n, (size_t)size };
    return TW_OK;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const struct tw_slot *)a)->path, ((const struct tw_slot *)b)->path);
}

static int is_path(const void *path, const void *slot)
{
    return strcmp(path, ((const struct tw_slot *)slot)->path);
}

/* Sorted once the file is open for points: a file of runs has thousands. */
static const struct tw_slot *find(const struct tw_result *r, const char *path)
{
    return r->nslots ? bsearch(path, r->slots, r->nslots, sizeof *r->slots, is_path) : NULL;
}

/* ---- locks ---------------------------------------------------------------------------- */

bool tw_points_locked(int fd)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

enum tw_status tw_points_open(struct tw_result *r, struct tw_err *err)
{
    struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    r->fd = open(r->target, O_RDWR | O_CLOEXEC);
    if (r->fd < 0)
        return tw_err_set(err, TW_EIO, "%s: cannot be opened for writing: %s", r->path,
                          strerror(errno));
    /* A file system that knows no locks is no reason to refuse. */
    if (fcntl(r->fd, F_OFD_SETLK, &lock) != 0 && (errno == EAGAIN || errno == EACCES)) {
        (void)close(r->fd);
        r->fd = -1;
        return tw_err_set(err, TW_EIO, "%s: another process is writing this file", r->path);
    }
    if (r->nslots)
        qsort(r->slots, r->nslots, sizeof *r->slots, by_path);
    r->state = TW_RESULT_POINTS;
    return TW_OK;
}

/* ---- points --------------------------------------------------------------------------- */

static enum tw_status put_at(struct tw_result *r, const char *path, uint64_t at, const char *p,
                             size_t n, struct tw_err *err)
{
    while (n > 0) {
        ssize_t k = pwrite(r->fd, p, n, (off_t)at);

        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return tw_err_set(err, TW_EIO, "%s: %s: cannot be written: %s", r->path, path,
                              strerror(k < 0 ? errno : ENOSPC));
        p += k;
        at += (uint64_t)k;
        n -= (size_t)k;
    }
    return TW_OK;
}

static enum tw_status slot_for(struct tw_result *r, const char *path, size_t size, size_t first,
                               size_t n, const struct tw_slot **slot, struct tw_err *err)
{
    if (r->state != TW_RESULT_POINTS)
        return tw_err_set(err, TW_EINVAL, "%s: %s: points come after tw_result_begin", r->path,
                          path);
    *slot = find(r, path);
    if (!*slot || (*slot)->size != size)
        return tw_err_set(err, TW_EINVAL, "%s: %s: no such data set was reserved", r->path, path);
    if (first > (*slot)->n || n > (*slot)->n - first)
        return tw_err_set(err, TW_EINVAL, "%s: %s: elements %zu to %zu do not fit in %zu", r->path,
                          path, first, first + n, (*slot)->n);
    /* From now on the file is not finished, even if an earlier run had finished it. */
    if (!r->begun) {
        const struct tw_slot *end = find(r, end_time);
        static const char none[TW_RESULT_TIME];

        r->begun = true;
        if (end)
            return put_at(r, end_time, end->offset, none, sizeof none, err);
    }
    return TW_OK;
}

/* n numbers of `size` bytes, 4 or 8. */
static enum tw_status write_numbers(struct tw_result *r, const char *path, size_t size,
                                    size_t first, const void *x, size_t n, struct tw_err *err)
{
    enum { BLOCK = 8192 };
    unsigned char bytes[8 * BLOCK];
    const char *from = x;
    const struct tw_slot *slot;
    enum tw_status rc = slot_for(r, path, size, first, n, &slot, err);

    for (size_t done = 0; rc == TW_OK && done < n;) {
        const size_t m = n - done < BLOCK ? n - done : BLOCK;

        for (size_t i = 0; i < m; i++) { /* little-endian on any machine */
            uint64_t u = 0;
            uint32_t v = 0;

            if (size == 8)
                memcpy(&u, from + 8 * (done + i), sizeof u);
            else
                memcpy(&v, from + 4 * (done + i), sizeof v);
            u |= v;
            for (size_t b = 0; b < size; b++)
                bytes[size * i + b] = (unsigned char)(u >> (8 * b));
        }
        rc = put_at(r, path, slot->offset + size * (first + done), (const char *)bytes, size * m,
                    err);
        done += m;
    }
    return rc;
}

enum tw_status tw_result_write_reals(struct tw_result *r, const char *path, size_t first,
                                     const double *x, size_t n, struct tw_err *err)
{
    return write_numbers(r, path, sizeof *x, first, x, n, err);
}

enum tw_status tw_result_write_floats(struct tw_result *r, const char *path, size_t first,
                                      const float *x, size_t n, struct tw_err *err)
{
    return write_numbers(r, path, sizeof *x, first, x, n, err);
}

enum tw_status tw_result_write_bytes(struct tw_result *r, const char *path, size_t first,
                                     const uint8_t *x, size_t n, struct tw_err *err)
{
    const struct tw_slot *slot;
    enum tw_status rc = slot_for(r, path, 1, first, n, &slot, err);

    if (rc != TW_OK || n == 0)
        return rc;
    return put_at(r, path, slot->offset + first, (const char *)x, n, err);
}

enum tw_status tw_points_finish(struct tw_result *r, struct tw_err *err)
{
    const struct tw_slot *end = find(r, end_time);
    char now[TW_RESULT_TIME + 1], was = '\0';
    enum tw_status rc = TW_OK;

    tw_result_now(now);
    /* A finished file to which nothing was added stays as it is, to the digest. */
    if (end && !r->begun && pread(r->fd, &was, 1, (off_t)end->offset) == 1 && was)
        end = NULL;
    /* The points first: an end time on the disk says that they are there too. */
    if (fsync(r->fd) != 0)
        rc = full(r, err);
    if (rc == TW_OK && end)
        rc = put_at(r, end_time, end->offset, now, TW_RESULT_TIME, err);
    if (rc == TW_OK && fsync(r->fd) != 0)
        rc = full(r, err);
    if (close(r->fd) != 0 && rc == TW_OK)
        rc = full(r, err);
    r->fd = -1;
    return rc;
}
