/* SPDX-License-Identifier: GPL-3.0-or-later */
/* store/onnx.h - the parts of the ONNX reader (thalweg/store_net.h). */
#ifndef TW_STORE_ONNX_H
#define TW_STORE_ONNX_H

#include "file.h"
#include "onnx.pb-c.h"
#include "thalweg/store_net.h"

/* Walk a message before it is parsed: every length lies within its message, no field that can be
 * there once is there twice (joining them takes protobuf-c quadratic time), and what it unpacks
 * to is not out of proportion. Messages name the byte. */
enum tw_status onnx_scan(const ProtobufCMessageDescriptor *message, const struct tw_bytes *b,
                         struct tw_err *err) TW_CHECKED;

/* Files that hold the bytes of tensors, beside the model. */
struct onnx_beside {
    const char *path; /* of the model; NULL: there is no folder, such tensors are refused */
    char *location;   /* the file that is open */
    int fd;           /* -1: none */
    uint64_t size;
    uint64_t taken, most; /* bytes read in all; what the files justify */
};
void onnx_beside_close(struct onnx_beside *e);

/* `what` for messages: "initializer 'fc1.weight'". */
enum tw_status onnx_tensor(const Tw__Onnx__Tensor *t, const char *what, struct onnx_beside *e,
                           struct tw_array *a, struct tw_err *err) TW_CHECKED;
/* TW_NONE if we have no such type; its name goes to *name. */
enum tw_dtype onnx_dtype(int32_t data_type, const char **name);

/* The node list of a parsed model. */
enum tw_status onnx_net(const Tw__Onnx__Model *m, struct onnx_beside *e, struct tw_net *net,
                        struct tw_err *err) TW_CHECKED;
/* What is remarkable about how it was written, a line each. */
void onnx_remarks(const struct tw_net *net, struct tw_str *remarks);

/* err must not be NULL. From memory: `path` is the source's name, and no other file is read. */
enum tw_status onnx_read(const struct tw_bytes *b, const char *path, struct tw_net **net,
                         struct tw_str *remarks, struct tw_err *err) TW_CHECKED;
enum tw_status onnx_read_file(const char *path, struct tw_net **net, struct tw_str *remarks,
                              struct tw_err *err) TW_CHECKED;
enum tw_status onnx_array_read(const struct tw_bytes *b, struct tw_array *a,
                               struct tw_err *err) TW_CHECKED;

#endif
