/* SPDX-License-Identifier: GPL-3.0-or-later */
/* madvise needs it. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE 1 /* NOLINT(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
#endif
#include "thalweg/base.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks of megabytes in pages of two: hundreds of times fewer faults. Not those of very many:
 * where memory is in pieces, the system may take seconds to make room for them. Only advice: where
 * it is not taken all is the same, but slower. */
static void advise(void *p, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    enum { PAGE = 2 << 20, MOST = 32 * PAGE };
    const uintptr_t from = ((uintptr_t)p + PAGE - 1) / PAGE * PAGE;
    const uintptr_t to = ((uintptr_t)p + bytes) / PAGE * PAGE;

    if (p && to > from && bytes <= MOST)
        (void)madvise((char *)p + (from - (uintptr_t)p), to - from, MADV_HUGEPAGE);
#else
    (void)p;
    (void)bytes;
#endif
}

void *tw_alloc(size_t n, size_t size)
{
    void *p;

    if (n == 0 || size == 0)
        n = size = 1;
    p = calloc(n, size); /* calloc checks the product */
    if (p)
        advise(p, n * size);
    return p;
}

void *tw_alloc_aligned(size_t bytes)
{
    void *p = bytes <= PTRDIFF_MAX - 63 ? aligned_alloc(64, (bytes + 63) / 64 * 64) : NULL;

    advise(p, bytes);
    return p;
}

bool tw_grow(void *array, size_t n, size_t *cap, size_t size)
{
    void *old;
    void *p;
    size_t want;

    if (n < *cap)
        return true;
    want = *cap < 16 ? 16 : *cap + *cap / 2;
    if (want <= n || want > SIZE_MAX / size)
        return false;
    memcpy(&old, array, sizeof old); /* array is a T **; a void ** may not alias it */
    p = realloc(old, want * size);
    if (!p)
        return false;
    memcpy(array, &p, sizeof p);
    *cap = want;
    /* cppcheck-suppress memleak ; the caller's pointer holds it, through memcpy */
    return true;
}

char *tw_strndup(const char *s, size_t n)
{
    char *t = n < SIZE_MAX ? malloc(n + 1) : NULL;

    if (t) {
        memcpy(t, s, n);
        t[n] = '\0';
    }
    return t;
}

char *tw_strdup(const char *s)
{
    return s ? tw_strndup(s, strlen(s)) : NULL;
}
