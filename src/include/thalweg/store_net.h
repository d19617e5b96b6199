/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg/store_net.h - networks from files: ONNX models as node lists.
 *
 * Nothing in a file is trusted: sizes are checked before memory is taken, and no more is taken
 * than the bytes of the file account for. Messages name the file and the node or tensor. */
#ifndef TW_STORE_NET_H
#define TW_STORE_NET_H

#include "thalweg/tensor.h"

/*
 * The node list of an ONNX model. Initializers come with their values, those beside the model
 * (external data) too: their place must be a relative path without "..", in or below the model's
 * folder. Inputs that are initializers as well are initializers alone. Constants stay nodes.
 * Operators of other domains, and calls of local functions, are nodes named "domain.op";
 * attributes that hold subgraphs are texts "(subgraph)", several strings are one with commas.
 * The nodes are sorted. What the writer did that harms (parameters folded or renamed) is added to
 * remarks (NULL: not wanted), each remark a sentence and a newline.
 * TW_EIO, TW_ENOMEM, TW_EFORMAT.
 */
enum tw_status tw_store_net_read(const char *path, struct tw_net **net, struct tw_str *remarks,
                                 struct tw_err *err) TW_CHECKED;

/* True if the file says what its network is: an ONNX model, or a whole model of Keras. */
bool tw_is_network(const char *path);

/* True if the file starts as ONNX models do. */
bool tw_is_onnx(const char *path);

/* One tensor in a file of its own (a TensorProto), as ONNX's test data are. */
enum tw_status tw_store_array_read(const char *path, struct tw_array *a,
                                   struct tw_err *err) TW_CHECKED;

#endif
