/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_weights.h - checkpoints: named arrays from HDF5, npz, npy and ONNX files. */
#ifndef TW_STORE_WEIGHTS_H
#define TW_STORE_WEIGHTS_H

#include "thalweg/tensor.h"

/*
 * The arrays of a checkpoint, whatever its suffix says:
 *   HDF5  every data set of numbers; "/fc1.weight" and "/fc1/weight" are both "fc1.weight"
 *         (float16 and float32 come as float32, integers as int64, uint64 or uint8)
 *   npz   every array by its name
 *   npy   one array, named as the file without ".npy"
 *   ONNX  initializers of reals and bools; one that the graph only renames (Identity), as
 *         exporters do with equal tensors, is there under both names
 * state_key (NULL: all): only names that begin with "KEY.", without that. What is left out or
 * odd is added to remarks (NULL: not wanted), each a sentence and a newline.
 * TW_EIO, TW_ENOMEM; TW_EFORMAT with the file's name, also for kinds of files that are known but
 * not read (safetensors, pickles, Keras ...): then with what to do. out is empty on failure.
 */
enum tw_status tw_store_weights_read(const char *path, const char *state_key,
                                     struct tw_named_list *out, struct tw_str *remarks,
                                     struct tw_err *err) TW_CHECKED;

/* True if the file starts as npz and npy do. */
bool tw_is_numpy(const char *path);

#endif
