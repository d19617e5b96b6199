/* SPDX-License-Identifier: GPL-3.0-or-later */
/* TensorBoard's records: the bytes are events, each behind its length in one byte, and get the
 * checksums that a fuzzer does not find; or they are the file itself. */
#include "fuzz_log.h"

#include <stdlib.h>
#include <string.h>

/* CRC-32C, bit by bit, masked. */
static uint32_t masked(const uint8_t *p, size_t n)
{
    uint32_t crc = 0xffffffff;

    for (size_t i = 0; i < n; i++) {
        crc ^= p[i];
        for (int k = 0; k < 8; k++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
    }
    crc = ~crc;
    return (crc >> 15 | crc << 17) + 0xa282ead8;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *p = data + 1, *end = data + size;
    uint8_t *file, *to;

    if (size == 0)
        return 0;
    if (data[0] == 'f') {
        fuzz_log(p, size - 1, NULL);
        return 0;
    }
    to = file = malloc(size * 17 + 16);
    if (!file)
        return 0;
    while (p < end) {
        uint64_t n = *p++;
        uint32_t crc;

        n = n < (uint64_t)(end - p) ? n : (uint64_t)(end - p);
        memcpy(to, &n, 8);
        crc = masked(to, 8);
        memcpy(to + 8, &crc, 4);
        memcpy(to + 12, p, (size_t)n);
        crc = masked(p, (size_t)n);
        memcpy(to + 12 + n, &crc, 4);
        to += n + 16;
        p += n;
    }
    fuzz_log(file, (size_t)(to - file), NULL);
    free(file);
    return 0;
}
