/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/log_names.h - what a column's name says of its contents. Names are compared in lower
 * case with every run of other characters than letters and digits as one '_': "train/Loss",
 * "train_loss" and "Train loss" are the same. */
#ifndef TW_STORE_LOG_NAMES_H
#define TW_STORE_LOG_NAMES_H

#include "thalweg/store_log.h"

/* How well the name suits an abscissa: 1 best, 0 not at all. */
unsigned log_name_x_rank(const char *name, enum tw_x_unit *unit);
enum tw_quantity log_name_quantity(const char *name);
enum tw_split log_name_split(const char *name);
/* How plainly the name says "the loss" or "the learning rate" once words like "train" and
 * "val" are taken away: 1 best, 0 with further words ("eval_c4_loss"). */
unsigned log_name_plain(const char *name, enum tw_quantity q);
/* A column that says which run a row belongs to. */
bool log_name_is_run(const char *name, size_t n);
/* The same name but for case and punctuation. */
bool log_name_alike(const char *a, const char *b);

#endif
