/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <string.h>

#include "fuzz_log.h"

/* Only what begins as HDF5 does; the rest is for the other targets. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    tw_library_init();
    if (size >= 8 && !memcmp(data, "\x89HDF\r\n\x1a\n", 8))
        fuzz_log(data, size, NULL);
    return 0;
}
