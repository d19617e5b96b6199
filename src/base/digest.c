/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/base.h"

#include <errno.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void finish(struct sha256_ctx *ctx, char hex[TW_DIGEST_HEX])
{
    static const char digit[] = "0123456789abcdef";
    uint8_t d[SHA256_DIGEST_SIZE];

    sha256_digest(ctx, sizeof d, d);
    for (size_t i = 0; i < sizeof d; i++) {
        hex[2 * i] = digit[d[i] >> 4];
        hex[2 * i + 1] = digit[d[i] & 15];
    }
    hex[2 * sizeof d] = '\0';
}

void tw_digest_mem(const void *p, size_t n, char hex[TW_DIGEST_HEX])
{
    struct sha256_ctx ctx;

    sha256_init(&ctx);
    sha256_update(&ctx, n, p);
    finish(&ctx, hex);
}

enum tw_status tw_digest_file(const char *path, char hex[TW_DIGEST_HEX], struct tw_err *err)
{
    return tw_digest_until(path, NULL, NULL, hex, err);
}

enum tw_status tw_digest_until(const char *path, bool (*stop)(void *ctx), void *ctx,
                               char hex[TW_DIGEST_HEX], struct tw_err *err)
{
    enum { BLOCK = 1 << 16 };
    struct sha256_ctx sha;
    enum tw_status rc = TW_OK;
    FILE *fp = fopen(path, "rb");
    uint8_t *buf;
    size_t n;

    if (!fp)
        return tw_err_set(err, TW_EIO, "%s: %s", path, strerror(errno));
    buf = tw_alloc(BLOCK, 1);
    if (!buf) {
        (void)fclose(fp);
        return tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
    }
    sha256_init(&sha);
    while (!(stop && stop(ctx)) && (n = fread(buf, 1, BLOCK, fp)) > 0)
        sha256_update(&sha, n, buf);
    if (ferror(fp))
        rc = tw_err_set(err, TW_EIO, "%s: %s", path, strerror(errno));
    finish(&sha, hex);
    free(buf);
    (void)fclose(fp);
    return rc;
}
