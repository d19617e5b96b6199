/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "fuzz_log.h"

/* The first byte says which program's line precedes the rest. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const head[] = {
        "iter 0: loss 4.5, time 1ms\n",
        "s:1 trl:4.5\n",
        " iteration 1/ 5 | lm loss: 1.1E+01 |\n",
        "[step=1/5,epoch=0]\n    train/loss=1,234.5\n",
    };
    const char *first = head[size ? data[0] % 4 : 0];
    size_t n = strlen(first);
    char *text = malloc(size + n);

    if (text) {
        memcpy(text, first, n);
        if (size)
            memcpy(text + n, data, size);
        fuzz_log(text, size + n, NULL);
    }
    free(text);
    return 0;
}
