/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/data.h - the parts of the reader of data sets (thalweg/store_data.h). */
#ifndef TW_STORE_DATA_PRIVATE_H
#define TW_STORE_DATA_PRIVATE_H

#include "thalweg/store_data.h"

/* What a file without names of arrays holds. */
struct data_parts {
    struct tw_array x, y, split; /* y, split: empty if there are none */
    bool stream;                 /* x is one sequence of tokens */
    bool whole;                  /* asked for: no options that a sequence does not have */
    struct tw_str files;         /* of a folder: those that were read, a line each */
};
/* Is it an IDX file, unpacked? */
bool data_is_idx(const unsigned char *head, size_t n);
/* The file of labels beside one of pictures; NULL: there is none. The caller frees it. */
char *data_idx_labels(const char *path);
/* One, packed with gzip or not. */
enum tw_status data_read_idx(const char *path, struct tw_array *a, struct tw_err *err) TW_CHECKED;
/* A folder of CIFAR's files; split NULL: all of them. */
enum tw_status data_read_folder(const char *path, const char *split, struct data_parts *p,
                                struct tw_err *err) TW_CHECKED;
/* A sequence of tokens, and options that it does not have; returns TW_EINVAL. */
enum tw_status data_refuse_stream(struct tw_err *err);
/* Tokens, text or CIFAR's records. *known: whether it is one of these at all. */
enum data_as { DATA_ANY, DATA_TOKENS, DATA_TEXT };
bool data_is_llmc(const unsigned char *head, size_t n);
enum tw_status data_read_plain(const char *path, enum data_as as, bool *known, struct data_parts *p,
                               struct tw_err *err) TW_CHECKED;
struct data_table {
    const char *label; /* the column of the targets; NULL: by its name */
    bool labels_apart; /* there is none */
    bool labels;       /* a file of targets: a single column is that */
};
enum tw_status data_read_csv(const char *path, const struct data_table *o, struct data_parts *p,
                             struct tw_str *remarks, struct tw_err *err) TW_CHECKED;

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
