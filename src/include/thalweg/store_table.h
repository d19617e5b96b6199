/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_table.h - a small text table: a header line of names, then rows of cells. */
#ifndef TW_STORE_TABLE_H
#define TW_STORE_TABLE_H

#include "thalweg/base.h"

struct tw_text_table {
    size_t ncol, nrow;
    char **names; /* (ncol) */
    char **cells; /* (nrow x ncol), "" where a row is short */
    size_t *line; /* (nrow) line number of each row in the file */
};

/*
 * Read comma-, semicolon- or tab-separated text (RFC 4180 quotes, '#' comments, BOM and CRLF
 * accepted) of at most 16 MiB. *t is {0} on entry; release it even after a failure. TW_EIO,
 * TW_EFORMAT (no header, a row longer than the header, a quote that is not closed) name the
 * file and the line.
 */
enum tw_status tw_text_table_read(const char *path, struct tw_text_table *t,
                                  struct tw_err *err) TW_CHECKED;
enum tw_status tw_text_table_parse(const char *text, size_t n, const char *name,
                                   struct tw_text_table *t, struct tw_err *err) TW_CHECKED;
void tw_text_table_release(struct tw_text_table *t);

/* Column of that name, or ncol. */
size_t tw_text_table_column(const struct tw_text_table *t, const char *name);

#endif
