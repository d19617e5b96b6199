/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/weights_file.h - private: how readers of checkpoints fill a tw_weights_file. A reader gets
 * an empty one with its path, adds tensors in the order of the file, and leaves the way to their
 * numbers in `io`; messages do not name the file. */
#ifndef TW_STORE_WEIGHTS_FILE_H
#define TW_STORE_WEIGHTS_FILE_H

#include "file.h"
#include "thalweg/store_weights.h"

/* The way to the numbers; a format's own struct begins with it. */
struct tw_weights_io {
    /* n elements of the tensor that was added as number id, from element `from` on. */
    enum tw_status (*read)(struct tw_weights_io *io, size_t id, size_t from, size_t n, void *to,
                           struct tw_err *err);
    void (*close)(struct tw_weights_io *io);
};

/* The next tensor; its id counts from 0. TW_EFORMAT: a name that is none, a shape that no array
 * has. */
enum tw_status weights_add(struct tw_weights_file *f, const char *name, enum tw_dtype dtype,
                           int rank, const uint64_t *dims, struct tw_err *err) TW_CHECKED;
/* The first thousand are kept. */
enum tw_status weights_note(struct tw_weights_file *f, const char *key, const char *value,
                            struct tw_err *err) TW_CHECKED;
/* What ZeRO-3 of DeepSpeed leaves in the place of a parameter: shape (0). */
static inline bool weights_is_placeholder(const struct tw_weight *w)
{
    return w->rank == 1 && w->n == 0;
}

/* No name twice, and no more in all than the files account for. */
enum tw_status weights_check(const struct tw_weights_file *f, struct tw_err *err) TW_CHECKED;

/* Arrays that are in memory already become f's; *list is empty afterwards. */
enum tw_status weights_hold(struct tw_weights_file *f, struct tw_named_list *list,
                            struct tw_err *err) TW_CHECKED;

/* The readers. */
enum tw_status weights_safetensors(struct tw_weights_file *f, struct tw_err *err) TW_CHECKED;
/* The index of a checkpoint in parts (safetensors, or PyTorch's), which lie beside it. */
enum tw_status weights_parts(struct tw_weights_file *f, struct tw_str *remarks,
                             struct tw_err *err) TW_CHECKED;
enum tw_status weights_hdf5(struct tw_weights_file *f, struct tw_str *remarks,
                            struct tw_err *err) TW_CHECKED;
enum tw_status weights_zip(struct tw_weights_file *f, struct tw_str *remarks,
                           struct tw_err *err) TW_CHECKED;
/* hdf5: the file; NULL: an archive. */
enum tw_status weights_keras(struct tw_weights_file *f, const char *hdf5,
                             struct tw_err *err) TW_CHECKED;
enum tw_status weights_npy(struct tw_weights_file *f, struct tw_err *err) TW_CHECKED;
enum tw_status weights_torch_stream(struct tw_weights_file *f, struct tw_str *remarks,
                                    struct tw_err *err) TW_CHECKED;
enum tw_status weights_gguf(struct tw_weights_file *f, struct tw_err *err) TW_CHECKED;
enum tw_status weights_msgpack(struct tw_weights_file *f, struct tw_err *err) TW_CHECKED;

#endif
