/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "fuzz_log.h"

/* The bytes up to the first zero are the rule, the rest is the text. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *zero = size ? memchr(data, 0, size) : NULL;
    size_t n = zero ? (size_t)(zero - data) : 0;
    char *rule = malloc(n + 1);

    if (rule && zero) {
        memcpy(rule, data, n);
        rule[n] = '\0';
        fuzz_log(zero + 1, size - n - 1, rule);
    }
    free(rule);
    return 0;
}
