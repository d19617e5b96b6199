/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/kind.h - what a file of arrays is, by its first bytes. */
#ifndef TW_STORE_KIND_H
#define TW_STORE_KIND_H

#include "file.h"

enum tw_kind {
    TW_KIND_HDF5,
    TW_KIND_ZIP,
    TW_KIND_NPY,
    TW_KIND_ONNX,
    TW_KIND_SAFETENSORS,
    TW_KIND_INDEX, /* JSON that lists the parts of a safetensors checkpoint */
    TW_KIND_TORCH, /* torch.save before 1.6: pickles, then numbers */
    TW_KIND_GGUF,
    TW_KIND_MSGPACK, /* as flax writes it: a map whose first key is a text */
    TW_KIND_OTHER    /* nothing that we read */
};

enum tw_kind tw_kind_of(const unsigned char *head, size_t n, uint64_t size);
enum tw_status tw_kind_read(const char *path, enum tw_kind *kind, struct tw_err *err) TW_CHECKED;
const char *tw_kind_name(enum tw_kind kind); /* "an HDF5 file" */

/* What a file that is none of ours is, and what to do with it; returns TW_EFORMAT. `read`: what is
 * read in its place. */
enum tw_status tw_kind_foreign(const char *path, const char *read, struct tw_err *err);

#endif
