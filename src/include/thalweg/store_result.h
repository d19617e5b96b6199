/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_result.h - result files: HDF5, `thalweg` schema version 1.
 *
 * Root attributes: format = "thalweg", format_version = 1, kind ("fit", "forecast", "log",
 * ...). Group /provenance: command, options, version, libraries, inputs (path and SHA-256),
 * seed, threads, start and end time. Every data set has attributes `unit` and `meaning`.
 *
 * Two ways to write, both safe against kill -9 at any instant:
 *   TW_RESULT_ATOMIC   the whole file appears under its name at tw_result_close, or not at
 *                      all: written beside it and moved into place;
 *   TW_RESULT_INPLACE  all data sets are created up front at their final size; after
 *                      tw_result_begin each point is written in place and flushed.
 * Files of equal inputs, options and seed are equal to the byte except /provenance's times. */
#ifndef TW_STORE_RESULT_H
#define TW_STORE_RESULT_H

#include "thalweg/base.h"

struct tw_provenance {
    const char *command; /* the command line as typed */
    const char *options; /* "--name=value" lines */
    uint64_t seed;
    size_t threads;
    size_t ninputs;
    const char *const *input_paths;
    const char *const *input_digests; /* 64 hex digits each */
};

enum tw_result_mode { TW_RESULT_ATOMIC, TW_RESULT_INPLACE };
enum { TW_RESULT_MAX_RANK = 4 };

/* Opaque; one thread at a time. */
struct tw_result;

/* Start writing. An existing file is refused (TW_EIO) unless `force`; a missing folder, a
 * folder, or no permission is TW_EIO with the reason. NULL on failure. */
struct tw_result *tw_result_create(const char *path, const char *kind, enum tw_result_mode mode,
                                   bool force, const struct tw_provenance *prov,
                                   struct tw_err *err);

/* Data sets by path ("/curves/0/loss": groups are made as needed), row major, stored as
 * little-endian F64, I64, U8; rank 0 is a scalar. `unit` and `meaning` are written as
 * attributes ("" allowed for unit: a pure number). */
enum tw_status tw_result_put_reals(struct tw_result *r, const char *path, int rank,
                                   const size_t *dims, const double *x, const char *unit,
                                   const char *meaning, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_put_real(struct tw_result *r, const char *path, double x, const char *unit,
                                  const char *meaning, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_put_size(struct tw_result *r, const char *path, size_t x, const char *unit,
                                  const char *meaning, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_put_bytes(struct tw_result *r, const char *path, int rank,
                                   const size_t *dims, const uint8_t *x, const char *meaning,
                                   struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_put_text(struct tw_result *r, const char *path, const char *s,
                                  const char *meaning, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_put_texts(struct tw_result *r, const char *path, size_t n,
                                   const char *const *s, const char *meaning,
                                   struct tw_err *err) TW_CHECKED;

/* In-place files. reserve: an F64 data set full of NaN, or a byte data set of zeros (status:
 * 0 todo, 1 done, 2 failed), at its final size. begin: close, reopen, ready for points.
 * write: elements [first, first + n) in row-major order, flushed on return. */
enum tw_status tw_result_reserve_reals(struct tw_result *r, const char *path, int rank,
                                       const size_t *dims, const char *unit, const char *meaning,
                                       struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_reserve_bytes(struct tw_result *r, const char *path, int rank,
                                       const size_t *dims, const char *meaning,
                                       struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_begin(struct tw_result *r, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_write_reals(struct tw_result *r, const char *path, size_t first,
                                     const double *x, size_t n, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_write_bytes(struct tw_result *r, const char *path, size_t first,
                                     const uint8_t *x, size_t n, struct tw_err *err) TW_CHECKED;

/* Write the end time and finish (atomic: move into place). Frees r in any case. */
enum tw_status tw_result_close(struct tw_result *r, struct tw_err *err) TW_CHECKED;
/* Give up: an atomic file leaves nothing behind, an in-place one what was written. */
void tw_result_abandon(struct tw_result *r);

/* ---- reading -------------------------------------------------------------------------- */

/* Opens a file of schema version 1 (a newer major version is refused with a sentence);
 * `kind` NULL accepts any. External links, soft links, external storage, virtual data sets
 * and data sets larger than 1000 times the file are refused. NULL on failure. */
struct tw_result *tw_result_open(const char *path, const char *kind, struct tw_err *err);
const char *tw_result_kind(const struct tw_result *r);
bool tw_result_has(struct tw_result *r, const char *path);
/* The caller frees *x (and each string and the array for texts). rank must match; dims
 * receives the extents. TW_EFORMAT names the data set, what was expected and found. */
enum tw_status tw_result_get_reals(struct tw_result *r, const char *path, int rank, size_t *dims,
                                   double **x, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_get_real(struct tw_result *r, const char *path, double *x,
                                  struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_get_size(struct tw_result *r, const char *path, size_t *x,
                                  struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_get_bytes(struct tw_result *r, const char *path, int rank, size_t *dims,
                                   uint8_t **x, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_get_text(struct tw_result *r, const char *path, char **s,
                                  struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_get_texts(struct tw_result *r, const char *path, size_t *n, char ***s,
                                   struct tw_err *err) TW_CHECKED;
void tw_result_done(struct tw_result *r); /* closes a file opened for reading; NULL is fine */

/* ---- describing any file ---------------------------------------------------------------- */

/* One line per group, data set and attribute of any HDF5 file ("path", "type", "shape",
 * value if it is small), through `row`; used by `thalweg info`. */
typedef void tw_info_row_fn(void *ctx, const char *path, const char *type, const char *shape,
                            const char *value);
enum tw_status tw_info_hdf5(const char *path, tw_info_row_fn *row, void *ctx,
                            struct tw_err *err) TW_CHECKED;
/* True if the file starts as HDF5 does. */
bool tw_is_hdf5(const char *path);

#endif
