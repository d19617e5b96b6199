/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/barrierrows.h - a table of numbers in a result file, row by row safe from a kill. */
#ifndef TW_CLI_BARRIERROWS_H
#define TW_CLI_BARRIERROWS_H

#include "barrier.h"

struct barrier_rows {
    size_t n, columns;
    double *x;       /* (n, columns) */
    uint8_t *status; /* (n) 0 todo, 1 done */
};
enum tw_status barrier_rows_new(struct barrier_rows *r, size_t n, size_t columns,
                                struct tw_err *err) TW_CHECKED;
void barrier_rows_release(struct barrier_rows *r);
/* With path (NULL: only in memory) begin a file, or go on with one of the same settings. b->file is
 * it. */
enum tw_status barrier_rows_open(struct barrier *b, struct barrier_rows *r, const char *kind,
                                 const char *meaning, const char *path) TW_CHECKED;
/* Row k is complete. */
enum tw_status barrier_rows_done(struct barrier *b, struct barrier_rows *r, size_t k) TW_CHECKED;
/* rc is what became of the rows so far: the file is closed, or left as it is. */
enum tw_status barrier_rows_close(struct barrier *b, enum tw_status rc) TW_CHECKED;
/* The table and the checkpoints' names (caller frees). */
enum tw_status barrier_rows_read(const char *path, const char *kind, size_t columns,
                                 struct barrier_rows *r, size_t *nname, char ***name,
                                 struct tw_err *err) TW_CHECKED;
/* Is there anything to draw? TW_EFORMAT if no row of that file is done. */
enum tw_status barrier_rows_some(const struct barrier_rows *r, const char *path,
                                 struct tw_err *err) TW_CHECKED;

#endif
