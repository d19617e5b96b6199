/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_result.h - result files: HDF5, `thalweg` schema version 1.
 *
 * Root attributes: format = "thalweg", format_version = 1, kind ("fit", "forecast", "log",
 * ...). Group /provenance: command, options, version, libraries, input_paths and
 * input_digests (SHA-256), seed, threads, start_time, end_time (ISO 8601, UTC; end_time is
 * empty while a run is not finished). Every data set has an attribute `meaning`, and `unit` if
 * it holds numbers. Reals are F64, counts I64, bytes U8, all little-endian; text in data sets
 * has a fixed length, is UTF-8 and padded with NUL. Arrays above 64 kB that are not reserved
 * are chunked, shuffled and deflated. The HDF5 is that of version 1.8: any h5py reads it.
 *
 * Two ways to write, both safe against kill -9 at any instant:
 *   TW_RESULT_ATOMIC   the whole file appears under its name at tw_result_close, or not at
 *                      all: built in memory, written beside its place and moved there;
 *   TW_RESULT_INPLACE  all data sets are created up front at their final size; the file
 *                      appears, whole, at tw_result_begin; from then each point is written in
 *                      place and stays. Others may open and read the file meanwhile (and see a
 *                      status of 0 for what is not there yet); a second writer is refused.
 * Both are built in memory, which takes the size of the file.
 *
 * Files of equal inputs, options and seed are equal to the byte except for /provenance's
 * start_time, end_time and threads: at any number of threads the rest is the same. The
 * environment variable SOURCE_DATE_EPOCH (seconds since 1970), if set, gives both times.
 *
 * No function here may be called inside a parallel region. */
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
    const char *libraries;            /* "HDF5 1.10.8, GSL 2.7.1"; NULL: HDF5's is found */
};

enum tw_result_mode { TW_RESULT_ATOMIC, TW_RESULT_INPLACE };
enum { TW_RESULT_MAX_RANK = 8 };

/* Opaque; one thread at a time. */
struct tw_result;

/* Start writing. An existing file is refused (TW_EIO) unless `force`; a missing folder, a
 * folder, a device, or no permission is TW_EIO with the reason, now and not at the end of the
 * run. A symbolic link stays, and the file it names is replaced. `prov` may be NULL. NULL on
 * failure. */
struct tw_result *tw_result_create(const char *path, const char *kind, enum tw_result_mode mode,
                                   bool force, const struct tw_provenance *prov,
                                   struct tw_err *err);

/* What tw_result_create would say of the place: to be asked before a long computation. */
enum tw_status tw_result_check(const char *path, bool force, struct tw_err *err) TW_CHECKED;

/* Data sets by path ("/curves/0/loss": groups are made as needed), row major, stored as
 * little-endian F64, I64, U8; rank 0 is a scalar. `unit` and `meaning` are written as
 * attributes ("" allowed for unit: a pure number). A path that is there already or a malformed
 * one is TW_EINVAL. After a failure the file can no longer be published: close reports it. */
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

/* A second name in the same group, or the root, for a data set that is there: nothing is stored
 * twice. */
enum tw_status tw_result_link(struct tw_result *r, const char *path, const char *as,
                              struct tw_err *err) TW_CHECKED;

/*
 * In-place files. reserve: an F64 data set full of NaN, or a byte data set of zeros (status:
 * 0 todo, 1 done, 2 failed), at its final size. begin: the file appears, ready for points.
 * write: elements [first, first + n) in row-major order. On return a kill of the process no
 * longer loses them (a power cut may, until close). A point is done when its status byte says
 * so: write its numbers first, then the byte.
 */
enum tw_status tw_result_reserve_reals(struct tw_result *r, const char *path, int rank,
                                       const size_t *dims, const char *unit, const char *meaning,
                                       struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_reserve_bytes(struct tw_result *r, const char *path, int rank,
                                       const size_t *dims, const char *meaning,
                                       struct tw_err *err) TW_CHECKED;
/* F32 full of NaN, without attributes: one of the many tensors that their group explains. */
enum tw_status tw_result_reserve_floats(struct tw_result *r, const char *path, int rank,
                                        const size_t *dims, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_begin(struct tw_result *r, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_write_reals(struct tw_result *r, const char *path, size_t first,
                                     const double *x, size_t n, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_write_bytes(struct tw_result *r, const char *path, size_t first,
                                     const uint8_t *x, size_t n, struct tw_err *err) TW_CHECKED;
enum tw_status tw_result_write_floats(struct tw_result *r, const char *path, size_t first,
                                      const float *x, size_t n, struct tw_err *err) TW_CHECKED;

/* Continue an in-place file: checks the file as tw_result_open does, then takes points for
 * every F64, F32 and byte data set that is stored in one piece. Whether the settings are the same
 * is the caller's to compare (tw_result_open, get, done) beforehand. TW_EIO if another process is
 * writing the file. NULL on failure. */
struct tw_result *tw_result_reopen(const char *path, const char *kind, struct tw_err *err);

/* Write the end time and finish (atomic: move into place). Frees r in any case. TW_EIO on a
 * full disk: nothing is left behind, an old file of that name is untouched. */
enum tw_status tw_result_close(struct tw_result *r, struct tw_err *err) TW_CHECKED;
/* Give up: an atomic file leaves nothing behind, an in-place one what was written. NULL is
 * fine. */
void tw_result_abandon(struct tw_result *r);

/* ---- reading -------------------------------------------------------------------------- */

/*
 * Opens a file of schema version 1 (a newer major version is refused with a sentence); `kind`
 * NULL accepts any. Soft and external links, external storage, virtual data sets and unknown
 * filters are refused, and data sets (or chunks) that declare more than 4 MiB and more than
 * 2000 times the file's size: deflate reaches 1032:1. TW_EIO, TW_EFORMAT; NULL on failure.
 */
struct tw_result *tw_result_open(const char *path, const char *kind, struct tw_err *err);
const char *tw_result_kind(const struct tw_result *r);
bool tw_result_has(struct tw_result *r, const char *path);
/* The caller frees *x (and each string and the array for texts); NULL on failure. rank must
 * match; dims receives the extents. Reals of any width are converted to double; a count may be
 * any whole number >= 0. TW_EFORMAT names the data set, what was expected and found. */
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

/*
 * One row per group, data set, link and attribute of any HDF5 file, in file order, through
 * `row`: path ("/a/b", an attribute "/a/b@unit", the root "/"), type ("group", "float64",
 * "text", "soft link", ...), shape ("3 x 4", "" for a scalar or a group), value (of up to 4
 * elements, "" else; for a link, where it leads: links are not followed). TW_EFORMAT for a
 * damaged file, or one with more than 100000 objects.
 */
typedef void tw_info_row_fn(void *ctx, const char *path, const char *type, const char *shape,
                            const char *value);
enum tw_status tw_info_hdf5(const char *path, tw_info_row_fn *row, void *ctx,
                            struct tw_err *err) TW_CHECKED;
/* True if the file starts as HDF5 does. */
bool tw_is_hdf5(const char *path);

#endif
