/* SPDX-License-Identifier: GPL-3.0-or-later */
/* torch_zip.h - a well-formed archive of torch.save around any pickle: "a/data.pkl", and storages
 * "a/data/0" of 64 bytes and "a/data/1" of 256. */
#ifndef TESTS_TORCH_ZIP_H
#define TESTS_TORCH_ZIP_H

#include <string.h>
#include <zlib.h>

#include "thalweg/base.h"

static inline void zip_put(struct tw_str *s, uint64_t x, int bytes)
{
    for (; bytes > 0; bytes--, x >>= 8)
        tw_str_addn(s, (const char[]){ (char)(x & 255) }, 1);
}

/* What local and central headers share, from the version needed to extract on. */
static inline void zip_header(struct tw_str *s, const char *name, const uint8_t *p, size_t n)
{
    zip_put(s, 20, 2);
    zip_put(s, 0, 8); /* flags, stored, time, date */
    zip_put(s, crc32(0, p, (uInt)n), 4);
    zip_put(s, n, 4);
    zip_put(s, n, 4);
    zip_put(s, strlen(name), 2);
    zip_put(s, 0, 2);
}

static inline void torch_zip(struct tw_str *s, const uint8_t *pickle, size_t n)
{
    static uint8_t numbers[2][256];
    const struct {
        const char *name;
        const uint8_t *p;
        size_t n;
    } entry[] = { { "a/data.pkl", pickle, n },
                  { "a/data/0", numbers[0], 64 },
                  { "a/data/1", numbers[1], sizeof numbers[1] } };
    size_t at[3], central;

    for (size_t i = 0; i < sizeof numbers; i++)
        numbers[i / 256][i % 256] = (uint8_t)(i * 37);
    for (size_t i = 0; i < 3; i++) {
        at[i] = s->n;
        tw_str_add(s, "PK\3\4");
        zip_header(s, entry[i].name, entry[i].p, entry[i].n);
        tw_str_add(s, entry[i].name);
        tw_str_addn(s, (const char *)entry[i].p, entry[i].n);
    }
    central = s->n;
    for (size_t i = 0; i < 3; i++) {
        tw_str_add(s, "PK\1\2");
        zip_put(s, 20, 2);
        zip_header(s, entry[i].name, entry[i].p, entry[i].n);
        zip_put(s, 0, 10); /* comment, disk, attributes */
        zip_put(s, at[i], 4);
        tw_str_add(s, entry[i].name);
    }
    n = s->n - central;
    tw_str_add(s, "PK\5\6");
    zip_put(s, 0, 4);
    zip_put(s, 3, 2);
    zip_put(s, 3, 2);
    zip_put(s, n, 4);
    zip_put(s, central, 4);
    zip_put(s, 0, 2);
}

#endif
