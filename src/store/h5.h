/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/h5.h - private helpers over HDF5. Files are read through h5_items.h. No call here may run
 * inside a parallel region: the library is used without locks. */
#ifndef TW_STORE_H5_H
#define TW_STORE_H5_H

#include <hdf5.h>

#include "thalweg/tensor.h"

/* Close any handle; negative ones are ignored. */
void tw_h5_close(hid_t id);

/* "context: HDF5's innermost reason" in one sentence, from the error stack, which is cleared.
 * A failed allocation inside HDF5 turns the code into TW_ENOMEM. */
enum tw_status tw_h5_fail(struct tw_err *err, enum tw_status code, const char *fmt, ...)
    TW_PRINTF(3, 4);

/* UTF-8 text of n bytes, padded with NUL; n == 0: of variable length. Negative on failure. */
hid_t tw_h5_text_type(size_t n);

/* The type that stores elements in files and, since it is little-endian, in memory: of bfloat16 a
 * 16-bit float with 8 bits of exponent, of bool h5py's enumeration of FALSE and TRUE. Close it;
 * negative on failure. */
hid_t tw_h5_element_type(enum tw_dtype t);
bool tw_h5_is_bool(hid_t type); /* such an enumeration? */

/*
 * Access properties. For writing: the formats of HDF5 1.8 and no newer, so that h5py 2 and
 * HDF5 1.8 read our files. (The superblock of 1.10 also carries an "open for writing" mark
 * that a killed writer would leave behind, and the file would not open again.) For reading:
 * whatever the library knows.
 */
hid_t tw_h5_access(bool writing);

/* Is this an HDF5 file, perhaps behind a user block? */
bool tw_h5_signature(int fd);

/* Are the heaps of the file's first 64 MiB sound? False also when memory is short. */
bool tw_h5_heaps_good(int fd, uint64_t file_size);

/*
 * May this data set be read? Not if it is virtual, stored in other files, packed by a filter
 * we do not know, or if it, or one of its chunks, declares more than 4 MiB and more than 2000
 * times the file's bytes. (Deflate reaches 1032:1, so that no honest file is refused.)
 * NULL when it may, else the reason, in buf.
 */
enum { TW_H5_WHY = 160 };
const char *tw_h5_refused(hid_t dataset, uint64_t file_size, char buf[TW_H5_WHY]);

/* "real number (float64)", "text", ... in buf. */
enum { TW_H5_TYPE = 48 };
const char *tw_h5_type_name(hid_t type, char buf[TW_H5_TYPE]);

#endif
