/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/barrierspawn.h - barriers between runs that were one up to a step. */
#ifndef TW_CLI_BARRIERSPAWN_H
#define TW_CLI_BARRIERSPAWN_H

#include "barrierrows.h"

enum spawn_column {
    SPAWN_TRUNK, /* the last step together */
    SPAWN_STEP,
    SPAWN_LOSS, /* Entezari's */
    SPAWN_LOSS_SE,
    SPAWN_ERROR, /* Frankle's, a share */
    SPAWN_ERROR_SE,
    SPAWN_VERDICT,
    SPAWN_ANGLE, /* at the trunk, degrees */
    SPAWN_FROM_A,
    SPAWN_FROM_B,
    SPAWN_APART,
    SPAWN_MIDDLE, /* loss half-way less the trunk's */
    SPAWN_RUN_A,  /* of the file, from 1 */
    SPAWN_RUN_B,
    SPAWN_COLUMNS
};
extern const char spawn_kind[]; /* of the result file */

/* Operands are files of runs: all their checkpoints into the list. */
enum tw_status barrier_spawn_list(struct barrier *b) TW_CHECKED;
int barrier_spawned(struct barrier *b, const char *figure);
enum tw_status spawn_figure(const struct barrier_rows *r, const char *path,
                            const struct tw_figure_opts *fo, struct tw_err *err) TW_CHECKED;
enum tw_status spawn_plot(const char *file, const char *path, const struct tw_figure_opts *fo,
                          struct tw_err *err) TW_CHECKED;

#endif
