/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/flow.h - a file from its start on, piece by piece. Messages do not name the file. */
#ifndef TW_STORE_FLOW_H
#define TW_STORE_FLOW_H

#include "file.h"

struct flow {
    int fd;
    uint64_t size, at; /* of the file; of the next byte */
    uint64_t block_at; /* what the block holds */
    size_t block_n;
    struct tw_err *err;
    unsigned char block[1 << 16];
};

/* TW_EFORMAT, with the byte, if the file ends before. */
enum tw_status flow_get(struct flow *f, void *to, size_t n) TW_CHECKED;
/* The same for a text of n bytes, 1 MiB at most, made anew in *s. */
enum tw_status flow_text(struct flow *f, uint64_t n, struct tw_str *s) TW_CHECKED;
enum tw_status flow_skip(struct flow *f, uint64_t n) TW_CHECKED;
/* A damaged place: "WHAT at byte AT; copy the file again". */
enum tw_status flow_wrong(const struct flow *f, const char *what);

#endif
