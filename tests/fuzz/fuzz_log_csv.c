/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "fuzz_log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_log(data, size, NULL);
    return 0;
}
