/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_weights.h - checkpoints of many formats: what is in them, their arrays whole or in
 * pieces, and writing them as safetensors or HDF5. Nothing in a file is trusted or executed: sizes
 * are checked before memory is taken. */
#ifndef TW_STORE_WEIGHTS_H
#define TW_STORE_WEIGHTS_H

#include "thalweg/tensor.h"

/* ---- an open checkpoint ------------------------------------------------------------------- */

/* One tensor, from the headers. */
struct tw_weight {
    char *name;
    char *alias; /* another name that it goes by, as struct tw_value's; may be NULL */
    enum tw_dtype dtype;
    int rank;
    size_t dims[TW_MAX_RANK], n;
    size_t id; /* private */
};
/* What the file says about itself: `__metadata__`, attributes of the root, GGUF's keys. */
struct tw_weights_note {
    char *key, *value;
};
struct tw_weights_io;

struct tw_weights_file {
    char *path;         /* for messages */
    const char *format; /* "safetensors", "HDF5", ... */
    size_t n, cap;
    struct tw_weight *v; /* in the order of the file */
    size_t nnote, cap_note;
    struct tw_weights_note *note;
    char *part; /* "state_dict": where a nested checkpoint keeps its weights; NULL: nowhere else */
    uint64_t bytes;           /* of the file or files */
    struct tw_weights_io *io; /* private */
};

/*
 * Open a checkpoint, whatever its suffix says; the numbers are not read yet (of ONNX they are).
 *   safetensors  one file
 *   PyTorch      torch.save's archives (since 1.6), its older streams, whole modules, TorchScript;
 *                nested mappings become "state_dict.fc1.weight"
 *   HDF5         every data set of numbers; "/fc1.weight" and "/fc1/weight" are both "fc1.weight",
 *                and an attribute `tensor_name` is the name as it stands
 *   npz, npy     every array by its name; the one of an npy is named as the file without ".npy"
 *   Keras        whole models and weights, see thalweg/store_net.h
 *   GGUF         tensors of reals and integers (not the packed types)
 *   msgpack      as flax writes it
 *   parts        model.safetensors.index.json, pytorch_model.bin.index.json and files beside it
 *   ONNX         initializers of reals and bools; one that the graph only renames (Identity), as
 *                exporters do with equal tensors, is there under both names
 * state_key (NULL: all): only names that begin with "KEY.", without that. What is left out or
 * odd is added to remarks (NULL: not wanted), each a sentence and a newline.
 * NULL on failure: TW_EIO, TW_ENOMEM; TW_EFORMAT with the file's name, of known kinds of files that
 * are not read with what to do.
 */
struct tw_weights_file *tw_weights_open(const char *path, const char *state_key,
                                        struct tw_str *remarks, struct tw_err *err);
void tw_weights_close(struct tw_weights_file *f); /* NULL is fine */
/* Keep the names that begin with "KEY.", without that. TW_EFORMAT if there are none. */
enum tw_status tw_weights_choose(struct tw_weights_file *f, const char *key,
                                 struct tw_err *err) TW_CHECKED;
/* n elements of tensor i from element `from` on, by rows, of its own type. Going forward through a
 * tensor is fast in every format. Memory does not grow with n, but a view that is not stored by
 * rows (a transposed one), and a packed data set of HDF5, is held whole until another tensor is
 * read. */
enum tw_status tw_weights_read(struct tw_weights_file *f, size_t i, size_t from, size_t n, void *to,
                               struct tw_err *err) TW_CHECKED;

/* ---- all of it ------------------------------------------------------------------------------- */

/* Open, read everything (of a checkpoint that has a `part` all but optimizers), close. out is empty
 * on failure. */
enum tw_status tw_store_weights_read(const char *path, const char *state_key,
                                     struct tw_named_list *out, struct tw_str *remarks,
                                     struct tw_err *err) TW_CHECKED;

/* True if the file starts as a checkpoint that is neither HDF5 nor ONNX. */
bool tw_is_weights(const char *path);

/* ---- writing --------------------------------------------------------------------------------- */

enum tw_weights_format { TW_WEIGHTS_SAFETENSORS, TW_WEIGHTS_HDF5 };
struct tw_weights_write {
    enum tw_weights_format format;
    enum tw_dtype reals; /* what reals become (TW_F32, TW_F16, TW_BF16); TW_NONE: as they are */
    bool force;          /* replace a file of that name */
    size_t nnote;        /* written beside the checkpoint's own notes, before them */
    const struct tw_weights_note *note;
    size_t *overflowed; /* finite numbers that became infinite; NULL: not wanted */
    /* Called now and then with the bytes read; false stops (TW_ESTOP). NULL: not wanted. */
    bool (*progress)(void *ctx, uint64_t done, uint64_t all);
    void *ctx;
};
/*
 * Write f's tensors under `path`, whole or not at all, with memory that does not depend on their
 * size. Names, types and shapes are kept. safetensors: largest elements first, so that each lies at
 * a multiple of its size; notes are `__metadata__`. HDF5: contiguous data sets; a name with slashes
 * is a path of groups if it can be, else the data set has an attribute `tensor_name`; notes are
 * attributes of the root; bfloat16 is a 16-bit float type, bool h5py's enumeration.
 * TW_EIO, TW_ENOMEM, TW_ESTOP; TW_EFORMAT: a name that the format cannot hold, or f is damaged.
 */
enum tw_status tw_weights_write(struct tw_weights_file *f, const char *path,
                                const struct tw_weights_write *options,
                                struct tw_err *err) TW_CHECKED;

#endif
