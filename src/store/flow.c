/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "flow.h"

#include <string.h>

enum tw_status flow_wrong(const struct flow *f, const char *what)
{
    return tw_err_set(f->err, TW_EFORMAT, "%s at byte %llu; copy the file again", what,
                      (unsigned long long)f->at);
}

enum tw_status flow_skip(struct flow *f, uint64_t n)
{
    if (n > f->size - f->at)
        return flow_wrong(f, "the file is cut short");
    f->at += n;
    return TW_OK;
}

enum tw_status flow_get(struct flow *f, void *to, size_t n)
{
    unsigned char *p = to;

    if (n > f->size - f->at)
        return flow_wrong(f, "the file is cut short");
    while (n > 0) {
        size_t k;

        if (f->at < f->block_at || f->at >= f->block_at + f->block_n) {
            enum tw_status rc;

            f->block_at = f->at;
            f->block_n =
                f->size - f->at < sizeof f->block ? (size_t)(f->size - f->at) : sizeof f->block;
            rc = tw_file_read(f->fd, f->at, f->block, f->block_n, f->err);
            if (rc != TW_OK) {
                f->block_n = 0;
                return rc;
            }
        }
        k = (size_t)(f->block_at + f->block_n - f->at);
        k = k < n ? k : n;
        memcpy(p, f->block + (f->at - f->block_at), k);
        f->at += k;
        p += k;
        n -= k;
    }
    return TW_OK;
}

enum tw_status flow_text(struct flow *f, uint64_t n, struct tw_str *s)
{
    char piece[256];
    enum tw_status rc = TW_OK;

    tw_str_clear(s);
    tw_str_add(s, "");
    if (n > 1 << 20)
        return flow_wrong(f, "a text of more than 1 MiB");
    while (n > 0 && rc == TW_OK) {
        const size_t k = n < sizeof piece ? (size_t)n : sizeof piece;

        rc = flow_get(f, piece, k);
        if (rc == TW_OK)
            tw_str_addn(s, piece, k);
        n -= k;
    }
    return s->failed ? tw_err_set(f->err, TW_ENOMEM, "out of memory") : rc;
}
