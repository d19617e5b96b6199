/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/spans.h - tensors that lie in a file, or in entries of an archive, as bytes: the way to the
 * numbers of safetensors, PyTorch, NumPy, GGUF, msgpack and contiguous HDF5. */
#ifndef TW_STORE_SPANS_H
#define TW_STORE_SPANS_H

#include "archive.h"
#include "weights_file.h"

enum { SPAN_PLAIN = -1, SPAN_ELSEWHERE = -2 };

struct span {
    int64_t entry; /* of the archive that the file is; SPAN_PLAIN: bytes of the file;
                      SPAN_ELSEWHERE: not to be read here */
    uint64_t at;   /* of the first element, in bytes */
    bool swap;     /* big-endian */
    bool by_rows;  /* else element (i, j, ...) is `stride` elements further for each of i, j ... */
    uint64_t stride[TW_MAX_RANK];
};
struct spans;

/* The io of f, empty. NULL: out of memory. */
struct spans *spans_new(struct tw_weights_file *f, struct tw_err *err);
/* The size of the file; z (NULL: none) is the archive that it is, and is closed with the rest. */
void spans_file(struct spans *s, zip_t *z, uint64_t size);
/* Where the tensor lies that was added last. TW_EFORMAT unless the file or entry holds it whole. */
enum tw_status spans_add(struct spans *s, const struct span *p, struct tw_err *err) TW_CHECKED;

#endif
