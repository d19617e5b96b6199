/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/tablerows.h - columns, rows and cells of a text table as options name them. */
#ifndef TW_CLI_TABLEROWS_H
#define TW_CLI_TABLEROWS_H

#include "opt.h"
#include "thalweg/store_table.h"

/* What a list of NAME=... says of `name`, or NULL. */
const char *tw_rows_assigned(const struct tw_opt_list *list, const char *name);

/* The column called `name` or, space separated, one of `others`; ncol: none. */
size_t tw_rows_column(const struct tw_text_table *t, const char *name, const char *others);
/* "no column for ...; name it with ...; there are: ..." */
enum tw_status tw_rows_no_column(const struct tw_text_table *t, const char *path, const char *what,
                                 const char *option, struct tw_err *err);

/* Every word of --where is COLUMN=VALUE with a column of the table; the rows that have it. */
enum tw_status tw_rows_check_where(const struct tw_text_table *t, const char *path,
                                   const struct tw_opt_list *where, struct tw_err *err) TW_CHECKED;
bool tw_rows_wanted(const struct tw_text_table *t, size_t row, const struct tw_opt_list *where);

/* A cell as a number; blank or a word for "missing" is NAN. False if it is neither. */
bool tw_rows_number(const struct tw_text_table *t, size_t row, size_t col, double *x);

#endif
