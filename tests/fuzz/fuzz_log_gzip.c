/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "fuzz_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size >= 3 && !memcmp(data, "\x1f\x8b\x08", 3))
        fuzz_log(data, size, NULL);
    return 0;
}
