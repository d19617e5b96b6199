/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_data.h - data sets from HDF5, npz and npy files. */
#ifndef TW_STORE_DATA_H
#define TW_STORE_DATA_H

#include "thalweg/tensor.h"

/* {0}: everything, as it is. */
struct tw_data_options {
    /* x becomes float32 (x * scale - mean) / std if any of these is given; mean and std have one
     * value, or one a channel (the second dimension of x). scale 0 is 1. */
    double scale;
    size_t nmean, nstd;
    const double *mean, *std;
    const char *split;    /* "train", "test", "validation"; NULL: all samples */
    size_t limit;         /* this many samples; 0: all */
    bool random;          /* a random subset by subset_seed, in the order of the file; else the */
    uint64_t subset_seed; /* first ones */
    const char *x, *y;    /* names of the arrays; NULL: x or X, y or Y */
    bool classes;         /* y must be whole numbers, at least 0, or -100 (ignored): int64 */
};
struct tw_data_report {
    size_t samples;   /* in the file */
    size_t in_split;  /* of these, in the split */
    size_t nonfinite; /* NaN and infinities in the x that was taken */
    int64_t nclass;   /* with `classes`: one more than the largest */
};

/*
 * x and y, one row a sample, from one file, or y from labels_path (NULL: none). What a file may
 * hold: the arrays `x`, `y` and, for each sample, `split` (0 train, 1 test, 2 validation, or
 * these words); or `x_train`, `y_train`, `x_test` ..., which a split chooses. A file of one array
 * may call it anything. Nothing is scaled unless asked; a file's text attribute `normalisation`
 * is a remark then. y is empty if the file has none. Remarks (NULL: not wanted) are each a
 * sentence and a newline. TW_EIO, TW_ENOMEM, TW_EINVAL (options that do not fit); TW_EFORMAT with
 * file and array, of wrong values the row. out is empty on failure.
 */
enum tw_status tw_store_data_read(const char *path, const char *labels_path,
                                  const struct tw_data_options *options, struct tw_dataset *out,
                                  struct tw_data_report *report, struct tw_str *remarks,
                                  struct tw_err *err) TW_CHECKED;

/* The bytes of a file; the caller frees *text. TW_EIO, TW_ENOMEM. */
enum tw_status tw_store_text_read(const char *path, unsigned char **text, size_t *n,
                                  struct tw_err *err) TW_CHECKED;

#endif
