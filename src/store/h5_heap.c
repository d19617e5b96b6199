/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Text of variable length lies in "global heaps", the one part of a file that HDF5 reads
 * without a checksum: version 1.10.8 loops for ever over an entry of size zero. So the heaps
 * are looked over before HDF5 sees them (HDF5 File Format Specification 3.0, III.E).
 */
/* For memmem. */
#define _GNU_SOURCE 1 /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "h5.h"

static const char heap_head[8] = { 'G', 'C', 'O', 'L', 1, 0, 0, 0 };

static uint64_t number(const unsigned char *p, size_t n)
{
    uint64_t x = 0;

    while (n-- > 0)
        x = x << 8 | p[n];
    return x;
}

/* Entries follow one another: index, uses, 4 bytes, size; then the bytes, up to a multiple of
 * eight. Index 0 is what is left over, and its size counts the entry's head too. */
static bool entries_good(int fd, uint64_t at, uint64_t end, size_t *steps)
{
    enum { HEAD = 16, MOST = 1000000 };
    unsigned char e[HEAD];

    while (end - at >= HEAD) {
        uint64_t size, need;

        if (pread(fd, e, sizeof e, (off_t)at) != HEAD || ++*steps > MOST)
            return false;
        size = number(e + 8, 8);
        if (size > end - at)
            return false;
        need = number(e, 2) == 0 ? size : HEAD + (size + 7) / 8 * 8;
        if (need < HEAD || need > end - at)
            return false;
        at += need;
    }
    return true;
}

static bool heap_good(int fd, uint64_t at, uint64_t file_size, size_t *steps)
{
    unsigned char head[16];
    uint64_t size;

    if (pread(fd, head, sizeof head, (off_t)at) != sizeof head)
        return false;
    size = number(head + 8, 8);
    return size >= sizeof head && size <= file_size - at &&
           entries_good(fd, at + sizeof head, at + size, steps);
}

bool tw_h5_heaps_good(int fd, uint64_t file_size)
{
    enum { BLOCK = 1 << 20, HEAD = sizeof heap_head };
    const uint64_t far = UINT64_C(64) << 20; /* heaps are made before the numbers are */
    uint64_t last = file_size < far ? file_size : far;
    unsigned char *buf = tw_alloc(BLOCK, 1);
    size_t steps = 0;
    bool good = buf != NULL;

    for (uint64_t at = 0; good && at < last; at += BLOCK - HEAD) {
        ssize_t n = pread(fd, buf, BLOCK, (off_t)at);
        const unsigned char *p = buf, *end = n > 0 ? buf + n : buf;

        while (good && (p = memmem(p, (size_t)(end - p), heap_head, HEAD)) != NULL) {
            good = heap_good(fd, at + (uint64_t)(p - buf), file_size, &steps);
            p += HEAD;
        }
    }
    free(buf);
    return good;
}
