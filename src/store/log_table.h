/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/log_table.h - where every log reader puts what it finds.
 *
 * A reader calls log_table_row for each row of its file and log_table_put for each number in
 * it. Only when all rows are known is a column chosen as the abscissa, so until
 * log_table_finish a series' x holds row numbers, ascending; the finish swaps them for the
 * chosen column's values in place. */
#ifndef TW_STORE_LOG_TABLE_H
#define TW_STORE_LOG_TABLE_H

#include "thalweg/store_log.h"

enum { LOG_MAX_RUNS = 10000, LOG_MAX_SERIES = 16384 };

struct log_table {
    struct tw_log *log;
    const struct tw_log_opts *opts;
    size_t irun;         /* the run that log_table_put adds to */
    size_t hint;         /* series expected next: rows repeat the order of their columns */
    double row;          /* number of the current row, from 1 */
    bool x_first;        /* series 0 is the abscissa unless opts say otherwise */
    bool split_names;    /* series are "<run> - <metric>" */
    const char *x_count; /* the abscissa's name if rows are counted; NULL: "row" */
    struct tw_str notes;
};

/* Add a run, or select the one of this name. */
enum tw_status log_table_run(struct log_table *t, const char *name, size_t n,
                             struct tw_err *err) TW_CHECKED;
/* Append a series to the current run without looking whether the name exists. */
enum tw_status log_table_add(struct log_table *t, const char *name, size_t n,
                             struct tw_err *err) TW_CHECKED;
/* Begin the next row. */
void log_table_row(struct log_table *t);
/* One number of the current row, by the name of its series or by the series' index. */
enum tw_status log_table_put(struct log_table *t, const char *name, size_t n, double y,
                             struct tw_err *err) TW_CHECKED;
enum tw_status log_table_put_at(struct log_table *t, size_t i, double y,
                                struct tw_err *err) TW_CHECKED;
/* A sentence for the user, kept in the log's notes. */
void log_table_note(struct log_table *t, const char *fmt, ...) TW_PRINTF(2, 3);

/* Choose the abscissa, name and classify the series, drop what is empty. */
enum tw_status log_table_finish(struct log_table *t, struct tw_err *err) TW_CHECKED;

/* ---- shared by the parts of the table -------------------------------------------------- */

enum tw_status log_out_of_memory(struct tw_err *err);
void log_series_release(struct tw_log_series *s);
void log_run_release(struct tw_log_run *run);

/* Append the pair; false when out of memory. */
bool log_series_push(struct tw_log_series *s, double x, double y) TW_CHECKED;
/* Append a zeroed run or series called name; NULL when out of memory. */
struct tw_log_run *log_run_add(struct tw_log *log, const char *name, size_t n);
struct tw_log_series *log_series_add(struct tw_log_run *run, const char *name, size_t n);
/* The run's series as "a, b, c ..." for a message, at most `most` of them. */
void log_run_list(const struct tw_log_run *run, size_t most, struct tw_str *out);
/* log_axis.c: swap row numbers for the values of the chosen column in every run. */
enum tw_status log_axis_choose(struct log_table *t, struct tw_err *err) TW_CHECKED;
/* log_wandb.c: deal the only run's series "<run> - <metric>" out to runs of their own. */
enum tw_status log_wandb_split(struct tw_log *log, struct tw_err *err) TW_CHECKED;

#endif
