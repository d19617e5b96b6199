/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * store/h5_items.h - what an HDF5 file holds, as plain memory.
 *
 * Every HDF5 file is read through here, and never by this process: a child opens it, walks it
 * and sends what it found through a pipe. HDF5 1.10 crashes, loops and writes where it should
 * not on damaged files of the old format, which has no checksums and is what h5py writes
 * unless told otherwise; none of that can be seen from outside in time. The child may die of
 * it. It has little time, little memory, no core dump, and once it has opened this file it can
 * open, write and remove no other, nor start or send anything; what it sends is checked like any
 * other input.
 */
#ifndef TW_STORE_H5_ITEMS_H
#define TW_STORE_H5_ITEMS_H

#include "thalweg/tensor.h"

enum tw_h5_kind { TW_H5_GROUP, TW_H5_SET, TW_H5_NAMED_TYPE, TW_H5_ATTR, TW_H5_LINK, TW_H5_END };

/* How values are given, whatever they are in the file. */
enum tw_h5_values {
    TW_H5_NONE, /* of another class, or not asked for, or refused: then `note` says why */
    TW_H5_REALS,
    TW_H5_INTS,
    TW_H5_UINTS,
    TW_H5_BYTES, /* unsigned whole numbers of one byte */
    TW_H5_TEXTS, /* each ends with NUL, one after another */
    TW_H5_RAW,   /* `element`s, little-endian, as TW_H5_ONE gives them */
    TW_H5_FLOATS /* reals in 4 bytes: TW_H5_ARRAYS gives those so that have no more in the file */
};

enum { TW_H5_MAX_DEPTH = 64, TW_H5_FEW = 4, TW_H5_FEW_BYTES = 1 << 16, TW_H5_MAX_RANK = 32 };

struct tw_h5_item {
    enum tw_h5_kind kind;
    enum tw_h5_values class;  /* of a data set or an attribute, even if there are no values */
    enum tw_h5_values values; /* the same, or TW_H5_NONE */
    bool empty;               /* a null data space: not even a scalar */
    bool in_one_piece;     /* its bytes lie at `offset`, as F64, F32, U8 or text of fixed length */
    enum tw_dtype element; /* of a data set of numbers: what holds them without loss */
    bool plain;            /* its bytes lie at `offset` as little-endian elements, by rows */
    int rank;
    uint64_t dims[TW_H5_MAX_RANK];
    uint64_t n, size, offset; /* elements; bytes of one in the file */
    char *path;               /* "/a/b", of an attribute "/a/b@name" */
    char *type;               /* "float64", "group", "soft link", ... */
    char *note;               /* why nothing was read; where a link leads; else "" */
    void *data;               /* n values; NUL after the last text */
    size_t bytes;
};

struct tw_h5_items {
    struct tw_h5_item *v; /* in the order of the file, attributes after their object */
    size_t n, cap;
    const struct tw_h5_item **sorted; /* attributes last; then by path */
    uint64_t file_size;
};

enum tw_h5_scope {
    TW_H5_HEADERS, /* everything, with up to TW_H5_FEW values */
    TW_H5_RESULT,  /* the same and, if it is a file of ours, all values of its data sets */
    TW_H5_LOG,     /* what is under /log and /runs/NAME/log; no attributes */
    /* everything with all values, of attributes those of texts; enumerations (bools of h5py) are
     * TW_H5_INTS */
    TW_H5_ARRAYS,
    TW_H5_RUN, /* of a file of training runs what is right under /runs/NAME, and one part */
    TW_H5_ONE  /* one data set, TW_H5_RAW */
};

/*
 * Read a file by path or, if path is NULL, an image in memory. TW_EIO, TW_ENOMEM; TW_EFORMAT
 * for what is damaged, or holds more than 100000 objects (a million in a log), or more than
 * 256 MiB and more than 64 times the file's size. Messages do not name the file. Release the
 * items in any case.
 */
enum tw_status tw_h5_items_read(const char *path, const void *image, size_t image_size,
                                enum tw_h5_scope scope, struct tw_h5_items *items,
                                struct tw_err *err) TW_CHECKED;
/* The data set of that path alone (TW_H5_ONE). */
enum tw_status tw_h5_items_read_one(const char *path, const char *set, struct tw_h5_items *items,
                                    struct tw_err *err) TW_CHECKED;
/* The same with TW_H5_RUN: also what is under `part` ("/runs/a/checkpoints/100"; NULL: none). */
enum tw_status tw_h5_items_read_run(const char *path, const char *part, struct tw_h5_items *items,
                                    struct tw_err *err) TW_CHECKED;
void tw_h5_items_release(struct tw_h5_items *items);

/* NULL if there is none. */
const struct tw_h5_item *tw_h5_items_find(const struct tw_h5_items *items, const char *path,
                                          bool attribute);
/* The place in `sorted` of the first object (no attribute) whose path is not before `path`. */
size_t tw_h5_items_from(const struct tw_h5_items *items, const char *path);

/* Seconds that a file may take, by the clock on the wall, beside one for each MiB [60]. Tests alone
 * change it. */
extern double tw_h5_patience;

/* For tests alone: read in this process, where sanitizers and fuzzers look. */
extern bool tw_h5_in_process;

/* Fill `sorted`; false when out of memory. */
bool tw_h5_items_sort(struct tw_h5_items *items) TW_CHECKED;

/* ---- between the two processes --------------------------------------------------------------- */

/* Followed by rank dims, then path, type, note and data, as long as said. The last one is of
 * kind TW_H5_END: n is a status, note its message. */
struct tw_h5_head {
    uint32_t kind, class, values, empty, in_one_piece, element, plain, rank;
    uint64_t n, size, offset, npath, ntype, nnote, ndata;
};

struct tw_h5_request {
    const char *path;
    const void *image;
    size_t image_size;
    uint64_t file_size;
    enum tw_h5_scope scope;
    const char *part; /* of TW_H5_RUN; of TW_H5_ONE the data set */
};

/* The child's part: walk the file, write records to out. `opened` is called when no file need
 * be opened any more. */
void tw_h5_walk(const struct tw_h5_request *q, int out, void (*opened)(void));

/* The other part: the items that come through a pipe. TW_EFORMAT without a message if they stop
 * short or contradict themselves. */
enum tw_status tw_h5_items_receive(int fd, uint64_t file_size, struct tw_h5_items *items,
                                   struct tw_err *err) TW_CHECKED;

#endif
