/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "file.h"
#include "thalweg/store_data.h"

enum tw_status tw_store_text_read(const char *path, unsigned char **text, size_t *n,
                                  struct tw_err *err)
{
    struct tw_bytes b;
    const enum tw_status rc = tw_file_bytes(path, &b, err);

    *text = b.p;
    *n = b.n;
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}

char text_separator(const char *p, const char *end)
{
    static const char seps[] = { ',', ';', '\t' };
    size_t count[3] = { 0 }, best = 0;

    for (; p < end && *p != '\n'; p++)
        for (size_t i = 0; i < 3; i++)
            count[i] += *p == seps[i];
    for (size_t i = 1; i < 3; i++)
        if (count[i] > count[best])
            best = i;
    return seps[best];
}
