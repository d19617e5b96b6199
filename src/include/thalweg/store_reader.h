/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_reader.h - parts of a result file one after another, with one look at the end.
 *
 * Once a part is missing or of another shape, `rc` and `err` keep what was wrong first, and every
 * later call returns nothing (NULL, 0, NaN) at once. The sentences name file and data set. */
#ifndef TW_STORE_READER_H
#define TW_STORE_READER_H

#include "thalweg/store_result.h"

struct tw_reader {
    struct tw_result *r;
    const char *path; /* the file; the caller's */
    struct tw_err *err;
    enum tw_status rc;
};

/* As tw_result_open; rc says whether it could be opened. Close it in any case. */
struct tw_reader tw_reader_open(const char *path, const char *kind, struct tw_err *err);
enum tw_status tw_reader_close(struct tw_reader *in);

/* Has it this part? Never, once something was wrong. */
bool tw_reader_has(const struct tw_reader *in, const char *name);

/* An array of `rank` extents, each as in `want`; SIZE_MAX there takes any, and receives it. The
 * caller frees it. */
double *tw_reader_reals(struct tw_reader *in, const char *name, int rank, size_t *want);
uint8_t *tw_reader_bytes(struct tw_reader *in, const char *name, int rank, size_t *want);
/* A list of n. */
double *tw_reader_list(struct tw_reader *in, const char *name, size_t n);
void tw_reader_copy(struct tw_reader *in, const char *name, size_t n, double *to);
double tw_reader_real(struct tw_reader *in, const char *name);
size_t tw_reader_size(struct tw_reader *in, const char *name);
char *tw_reader_text(struct tw_reader *in, const char *name);
/* Texts: *n of them, or any number if it is SIZE_MAX, which it then receives. The caller frees each
 * and the array (tw_reader_free_texts). */
char **tw_reader_texts(struct tw_reader *in, const char *name, size_t *n);
void tw_reader_free_texts(char **texts, size_t n);

/* What the caller found wrong (TW_EFORMAT), or that memory is short; kept if it is the first. */
void tw_reader_refuse(struct tw_reader *in, const char *fmt, ...) TW_PRINTF(2, 3);
void tw_reader_no_memory(struct tw_reader *in);

#endif
