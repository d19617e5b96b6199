/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_data.h - data sets from files of arrays, tables, pictures, tokens and text. */
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
    const char *label;    /* of a table: the column of the targets; NULL: label, class, target, y */
    bool classes;         /* y must be whole numbers, at least 0, or -100 (ignored): int64 */
};
struct tw_data_report {
    size_t samples;   /* in the file */
    size_t in_split;  /* of these, in the split */
    size_t nonfinite; /* NaN and infinities in the x that was taken */
    int64_t nclass;   /* with `classes`: one more than the largest */
    char *files; /* of a folder: the files read, a line each, which the caller frees; or NULL */
};

/*
 * x and y, one row a sample, from one file, or y from labels_path (NULL: none). What a file may
 * hold: the arrays `x`, `y` and, for each sample, `split` (0 train, 1 test, 2 validation, or
 * these words); or `x_train`, `y_train`, `x_test` ..., which a split chooses. A file of one array
 * may call it anything. Nothing is scaled unless asked; a file's text attribute `normalisation`
 * is a remark then. y is empty if the file has none. Remarks (NULL: not wanted) are each a
 * sentence and a newline. TW_EIO, TW_ENOMEM, TW_EINVAL (options that do not fit); TW_EFORMAT with
 * file and array, of wrong values the row. out is empty on failure.
 *
 * Other files, which name no arrays:
 *   IDX, perhaps packed with gzip (MNIST): the one array. Without labels_path the labels are those
 *          of the file beside it whose name has "labels-idx1" for "images-idx3".
 *   CIFAR  NAME.bin of CIFAR's records: x [n, 3, 32, 32], y the (fine) labels; a folder of them:
 *          data_batch_*.bin and train.bin are `train`, test_batch.bin and test.bin `test`
 *   tokens other NAME.bin, and tokens:NAME: 16-bit numbers; llm.c's files by their header
 *   text   NAME.txt, text:NAME: bytes; both become a stream (struct tw_dataset)
 *   tables NAME.csv, NAME.tsv: a line of names, then a row a sample; words of the column of targets
 *          are numbered in the order of their bytes
 */
enum tw_status tw_store_data_read(const char *path, const char *labels_path,
                                  const struct tw_data_options *options, struct tw_dataset *out,
                                  struct tw_data_report *report, struct tw_str *remarks,
                                  struct tw_err *err) TW_CHECKED;

/* The path in a name that may begin with "tokens:" or "text:". */
const char *tw_store_data_path(const char *name);

#endif
