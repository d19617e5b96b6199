/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/data.h - the parts of the reader of data sets (thalweg/store_data.h). */
#ifndef TW_STORE_DATA_PRIVATE_H
#define TW_STORE_DATA_PRIVATE_H

#include "thalweg/store_data.h"

/* Row numbers that are taken, increasing. all: every one. */
struct data_rows {
    size_t n, *row;
    bool all;
};

/* Those of this split, then `limit` of them. split: one number a sample, or {0}. */
enum tw_status data_choose(const struct tw_data_options *o, size_t samples,
                           const struct tw_array *split, struct data_rows *rows,
                           struct tw_data_report *report, struct tw_str *remarks,
                           struct tw_err *err) TW_CHECKED;
/* Keep these rows of a. */
enum tw_status data_keep(struct tw_array *a, const struct data_rows *rows,
                         struct tw_err *err) TW_CHECKED;
/* Scale, subtract, divide, as the options say. */
enum tw_status data_scale(struct tw_array *x, const struct tw_data_options *o,
                          struct tw_err *err) TW_CHECKED;
size_t data_nonfinite(const struct tw_array *x);
/* y as class numbers. */
enum tw_status data_classes(struct tw_array *y, const struct data_rows *rows, int64_t *nclass,
                            struct tw_err *err) TW_CHECKED;
/* 0, 1, 2 for "train", "test", "validation"; -1 for another word. */
int data_split_number(const char *word);

#endif
