/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/base.h"

#include <stdlib.h>
#include <string.h>

void *tw_alloc(size_t n, size_t size)
{
    if (n == 0 || size == 0)
        n = size = 1;
    return calloc(n, size); /* calloc checks the product */
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
