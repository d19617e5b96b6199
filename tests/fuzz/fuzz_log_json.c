/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "fuzz_log.h"

/* Begins as an object of rows, so that the bytes reach the JSON reader. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char head[] = "{\"";
    char *text = malloc(size + 2);

    if (text) {
        memcpy(text, head, 2);
        if (size)
            memcpy(text + 2, data, size);
        fuzz_log(text, size + 2, NULL);
    }
    free(text);
    return 0;
}
