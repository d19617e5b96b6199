/* SPDX-License-Identifier: GPL-3.0-or-later */
/* failing.h - stands in for base/alloc.c, which the linker then leaves out: while `armed`, the
 * allocation after `left` others fails. In a plain build malloc itself fails too, so that libraries
 * meet the failure; the sanitizers own malloc, so there it does not. */
#ifndef TESTS_FAILING_H
#define TESTS_FAILING_H

#include <stdlib.h>
#include <string.h>

#include "thalweg/base.h"

static bool armed, hit, spare_libraries;
static size_t left;

static bool fail_now(void)
{
    if (!armed || left-- > 0)
        return false;
    armed = false;
    hit = true;
    return true;
}

static inline bool library_fails(void)
{
    return !spare_libraries && fail_now();
}

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

void *tw_alloc(size_t n, size_t size)
{
    return (size && n > SIZE_MAX / size) || fail_now() ? NULL : calloc(n ? n : 1, size);
}

void *tw_alloc_aligned(size_t bytes)
{
    return bytes > PTRDIFF_MAX - 63 || fail_now() ? NULL
                                                  : aligned_alloc(64, (bytes + 63) / 64 * 64);
}

bool tw_grow(void *array, size_t n, size_t *cap, size_t size)
{
    void *p;

    if (n < *cap)
        return true;
    if (fail_now())
        return false;
    memcpy(&p, array, sizeof p);
    p = realloc(p, (n + n / 2 + 4) * size);
    if (!p)
        return false;
    memcpy(array, &p, sizeof p);
    *cap = n + n / 2 + 4;
    return true;
}

char *tw_strndup(const char *s, size_t n)
{
    char *t = fail_now() ? NULL : calloc(n + 1, 1);

    return t ? memcpy(t, s, n) : NULL;
}

char *tw_strdup(const char *s)
{
    return s ? tw_strndup(s, strlen(s)) : NULL;
}

#ifndef SANITIZED
void *__libc_malloc(size_t n);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t alignment, size_t n);

void *malloc(size_t n)
{
    return library_fails() ? NULL : __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
    return library_fails() ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
    return library_fails() ? NULL : __libc_realloc(p, n);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    return library_fails() ? NULL : __libc_memalign(alignment, n);
}
#endif

#endif
