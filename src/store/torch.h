/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * store/torch.h - checkpoints of torch.save (torch/serialization.py, torch/_utils.py).
 *
 * Since 1.6 a ZIP archive: NAME/data.pkl, whose persistent values are ('storage', type, key,
 * device, elements), NAME/data/KEY with a storage's bytes, and NAME/byteorder. Before, a stream:
 * pickles of a magic number, a protocol, the machine, the object and the list of storage keys; then
 * for each key its number of elements (u64) and its bytes. A tensor is a view of a storage: an
 * offset, a shape and strides, in elements.
 */
#ifndef TW_STORE_TORCH_H
#define TW_STORE_TORCH_H

#include "pickle.h"
#include "spans.h"

struct torch_storage {
    const char *key; /* of the pickle, n bytes */
    size_t n;
    uint64_t at, bytes;
};

struct torch {
    struct pickle k;
    struct tw_weights_file *f;
    struct spans *s;
    struct tw_str *remarks;
    struct tw_err *err;
    /* Where storages are: in an archive, or at known places of the file. */
    zip_t *z;
    char *folder; /* "archive/data/" */
    bool swap;
    struct torch_storage *storage; /* by key */
    size_t nstorage;
    /* The walk. */
    struct tw_str name;
    size_t visits;
};

bool torch_is_archive(zip_t *z);
enum tw_status torch_archive(struct tw_weights_file *f, struct spans *s, zip_t *z,
                             struct tw_str *remarks, struct tw_err *err) TW_CHECKED;

/* A value without the calls around it that do not matter: what is called, with what. */
struct torch_call {
    pickle_id function, args; /* 0: it is no call */
};
struct torch_call torch_unwrap(const struct torch *t, pickle_id id);
bool torch_is_tensor(const struct torch *t, struct torch_call c);
/* Why a tensor of this kind is not read ("is quantised; ..."); NULL: it is no such kind. */
const char *torch_refused(const struct torch *t, struct torch_call c);
/* Bytes of an element by the class of its storage; 0: none that PyTorch has. */
uint64_t torch_element_size(const struct pickle *k, pickle_id class);
/* Add the tensor under t->name. */
enum tw_status torch_add(struct torch *t, struct torch_call c) TW_CHECKED;

/* Find all tensors from the root down, and the part that holds the weights. */
enum tw_status torch_walk(struct torch *t) TW_CHECKED;

#endif
