/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/curve_schedule.h - which schedule a curve has: behind its operand or in a table. */
#ifndef TW_CLI_CURVE_SCHEDULE_H
#define TW_CLI_CURVE_SCHEDULE_H

#include "curves.h"
#include "provenance.h"

/* Where "KIND:..." begins behind an '@' of the operand, or NULL: file names may hold '@' too.
 * A kind that does not exist is taken for one if no file is called like the whole operand and
 * one is called like what stands before the '@'. */
const char *tw_operand_schedule(const char *operand);

/*
 * Append to *spec the specification of the row that belongs to a curve: the one whose cell in
 * the column `curve` (or `file`) is the curve's name ("file:run"), the file's, or the file's
 * without suffix. Two rows for one curve must say the same. TW_EFORMAT names the table and the
 * line.
 */
enum tw_status tw_schedule_row(const char *table, const struct tw_curve *c, struct tw_str *spec,
                               struct tw_err *err) TW_CHECKED;
/*
 * The parameters of a curve's model, the first of these that there is: --size CURVE=N, --size N,
 * the column N of the table of schedules, the log's. *size is 0 without any. TW_EINVAL: --size is
 * neither, or not positive; TW_EFORMAT names the table and the line.
 */
enum tw_status tw_curve_size(const struct tw_curve_source *source, const struct tw_curve *c,
                             double *size, struct tw_err *err) TW_CHECKED;
/* The word of --size that names a column of the log; NULL: there is none. */
const char *tw_size_column(const struct tw_opt_list *size);
/* A schedule that was read from a file is an input of the result. */
enum tw_status tw_schedule_input(struct tw_cmd_provenance *p, const struct tw_schedule *s,
                                 struct tw_err *err) TW_CHECKED;
/* Warn of columns that are no key of a schedule but look like a slip of one. */
enum tw_status tw_schedule_columns(struct tw_call *call, const char *table,
                                   struct tw_err *err) TW_CHECKED;

#endif
