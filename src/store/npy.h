/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/npy.h - NumPy's files: one array (npy), or a ZIP archive of them (npz). Format:
 * numpy/lib/format.py, versions 1.0 to 3.0. Messages do not name the file. */
#ifndef TW_STORE_NPY_H
#define TW_STORE_NPY_H

#include "archive.h"
#include "thalweg/tensor.h"

/* Where the bytes of an array come from. */
struct npy_source {
    void *ctx;
    uint64_t size; /* of it all */
    /* The next n bytes or an error. */
    enum tw_status (*read)(void *ctx, void *to, size_t n, struct tw_err *err);
};
/* What an array is, from its header; its numbers begin `at` bytes behind the start. */
struct npy_header {
    enum tw_dtype type;
    bool swap, by_columns;
    int rank;
    size_t dims[TW_MAX_RANK];
    uint64_t at;
};
/* Reads the header and no further; the shape asks for what s->size says is there. */
enum tw_status npy_read_header(struct npy_source *s, struct npy_header *h,
                               struct tw_err *err) TW_CHECKED;
/* Integers, reals of 16 to 64 bits and bools, of either byte order, by rows or by columns. */
enum tw_status npy_read(struct npy_source *s, struct tw_array *a, struct tw_err *err) TW_CHECKED;
enum tw_status npy_read_file(const char *path, struct tw_array *a, struct tw_err *err) TW_CHECKED;
enum tw_status npy_read_mem(const struct tw_bytes *b, struct tw_array *a,
                            struct tw_err *err) TW_CHECKED;

/* What an archive without arrays is; returns TW_EFORMAT. */
enum tw_status npz_foreign(zip_t *z, struct tw_err *err);
/* "fc1.weight.npy" is array "fc1.weight". NULL: not an array, or out of memory. */
char *npz_array_name(const char *entry);
/*
 * The arrays of an archive whose names (without ".npy") are wanted; want NULL: all. From a path
 * or, if path is NULL, from memory. TW_EFORMAT also for an archive of another kind, which is
 * named, and for one that unpacks to more than 256 MiB and 64 times its size.
 */
typedef bool npz_want_fn(const void *ctx, const char *name);
enum tw_status npz_read(const char *path, const struct tw_bytes *b, npz_want_fn *want,
                        const void *ctx, struct tw_named_list *list, struct tw_err *err) TW_CHECKED;

/* The bytes of one entry of an archive, whatever it is; *to is {0} if there is no such entry. The
 * caller frees to->p. */
enum tw_status npz_entry(const char *path, const struct tw_bytes *b, const char *name,
                         struct tw_bytes *to, struct tw_err *err) TW_CHECKED;

#endif
