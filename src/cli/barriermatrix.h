/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/barriermatrix.h - barriers of every pair: what the file holds, read by the figure too. */
#ifndef TW_CLI_BARRIERMATRIX_H
#define TW_CLI_BARRIERMATRIX_H

#include "barrierrows.h"

enum matrix_column {
    MATRIX_LOSS, /* Entezari's */
    MATRIX_LOSS_SE,
    MATRIX_T,
    MATRIX_LOSS_FRANKLE,
    MATRIX_LOSS_FRANKLE_SE,
    MATRIX_ERROR, /* Frankle's, a share */
    MATRIX_ERROR_SE,
    MATRIX_ERROR_LO,
    MATRIX_ERROR_HI,
    MATRIX_VERDICT,
    MATRIX_DISTANCE, /* between the parameter vectors */
    MATRIX_MIDDLE,   /* excess of the loss at t = 1/2, and the guesses of it */
    MATRIX_BY_SLOPES,
    MATRIX_BY_ENDS,
    MATRIX_BY_MIDDLE,
    MATRIX_BY_THREE,
    MATRIX_EVALUATIONS,
    MATRIX_COLUMNS
};

struct barrier_matrix {
    size_t n, pairs;
    char **name;
    struct barrier_rows rows; /* pairs (0, 1), (0, 2), ..., (1, 2), ... */
    size_t *cluster;          /* (n) numbered from 0 in the order of their first models */
    size_t clusters;
};
/* Row of the pair i < j. */
size_t matrix_row(const struct barrier_matrix *m, size_t i, size_t j);
enum tw_status matrix_read(const char *path, struct barrier_matrix *m, struct tw_err *err);
void matrix_release(struct barrier_matrix *m);
/* Connected components by verdicts of pairs that are done. */
void matrix_cluster(struct barrier_matrix *m);
enum tw_status matrix_figure(const struct barrier_matrix *m, bool predicted, const char *path,
                             const struct tw_figure_opts *fo, struct tw_err *err) TW_CHECKED;
/* The row of a pair whose line is b->line, and what curvature says of it. */
enum tw_status matrix_pair(struct barrier *b, struct barrier_matrix *m, size_t i, size_t j,
                           struct barrier_result *r) TW_CHECKED;
/* barrierpairs.c: all pairs that are to do, several at once. */
enum tw_status matrix_pairs(struct barrier *b, struct barrier_matrix *m,
                            struct tw_progress *progress) TW_CHECKED;

#endif
