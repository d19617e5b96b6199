/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/weights_write.h - private: laying out a checkpoint that is written. */
#ifndef TW_STORE_WEIGHTS_WRITE_H
#define TW_STORE_WEIGHTS_WRITE_H

#include "result.h"
#include "thalweg/store_weights.h"

struct write_tensor {
    size_t i; /* of the file that is read */
    enum tw_dtype dtype;
    uint64_t at; /* its place in the file that is written */
};
struct write_plan {
    struct tw_weights_file *file;
    const struct tw_weights_write *options;
    struct write_tensor *tensor; /* n of them */
    struct write_tensor **v;     /* in the order of writing */
    size_t n;
};

/* Note i of the options' and then the file's; NULL: one of that key came before. */
const struct tw_weights_note *write_note(const struct write_plan *w, size_t i);

/* Everything but the numbers, and their places. */
enum tw_status write_safetensors(struct write_plan *w, const struct tw_publication *p,
                                 struct tw_err *err) TW_CHECKED;
enum tw_status write_hdf5(struct write_plan *w, const struct tw_publication *p,
                          struct tw_err *err) TW_CHECKED;

#endif
