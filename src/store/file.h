/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/file.h - plain files as bytes. Messages do not name the file. */
#ifndef TW_STORE_FILE_H
#define TW_STORE_FILE_H

#include "thalweg/base.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error Arrays in files are little-endian and are copied as they are: so must the machine be.
#endif

struct tw_bytes {
    unsigned char *p;
    size_t n;
};

/* The separator of columns that the first line holds most of: ',', ';' or a tab. */
char text_separator(const char *p, const char *end);

/* A descriptor for reading; -1 on failure. Regular files alone: nothing hangs on a pipe that has
 * no writer. */
int tw_file_open(const char *path, uint64_t *size, struct tw_err *err);
/* Exactly n bytes from `at`. TW_EFORMAT if the file ends before. */
enum tw_status tw_file_read(int fd, uint64_t at, void *to, size_t n, struct tw_err *err) TW_CHECKED;
/* The whole file; the caller frees b->p. */
enum tw_status tw_file_bytes(const char *path, struct tw_bytes *b, struct tw_err *err) TW_CHECKED;

#endif
