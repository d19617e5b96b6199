/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdlib.h>

#include "onnx.h"

static enum tw_status parse(const struct tw_bytes *b, Tw__Onnx__Model **m, struct tw_err *err)
{
    enum tw_status rc = onnx_scan(&tw__onnx__model__descriptor, b, err);

    if (rc != TW_OK)
        return rc;
    *m = tw__onnx__model__unpack(NULL, b->n, b->p);
    if (!*m)
        return tw_err_set(err, TW_EFORMAT,
                          "it cannot be parsed as an ONNX model: a field of another type than "
                          "ONNX says, or too little memory");
    return TW_OK;
}

static enum tw_status build(const Tw__Onnx__Model *m, const char *path, bool alone,
                            struct tw_net **net, struct tw_str *remarks, struct tw_err *err)
{
    struct onnx_beside e = { .path = alone ? NULL : path, .fd = -1 };
    enum tw_status rc;

    *net = tw_net_new(path, err);
    rc = *net ? onnx_net(m, &e, *net, err) : err->code;
    onnx_beside_close(&e);
    if (rc == TW_OK && remarks) {
        onnx_remarks(*net, remarks);
        if (remarks->failed)
            rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    if (rc != TW_OK) {
        tw_net_free(*net);
        *net = NULL;
    }
    return rc;
}

enum tw_status onnx_read(const struct tw_bytes *b, const char *path, struct tw_net **net,
                         struct tw_str *remarks, struct tw_err *err)
{
    Tw__Onnx__Model *m = NULL;
    enum tw_status rc = parse(b, &m, err);

    *net = NULL;
    if (rc == TW_OK)
        rc = build(m, path, true, net, remarks, err);
    if (m)
        tw__onnx__model__free_unpacked(m, NULL);
    return rc;
}

enum tw_status onnx_read_file(const char *path, struct tw_net **net, struct tw_str *remarks,
                              struct tw_err *err)
{
    Tw__Onnx__Model *m = NULL;
    struct tw_bytes b = { 0 };
    enum tw_status rc = tw_file_bytes(path, &b, err);

    *net = NULL;
    if (rc == TW_OK)
        rc = parse(&b, &m, err);
    free(b.p); /* the numbers are in memory twice, but not three times */
    if (rc == TW_OK)
        rc = build(m, path, false, net, remarks, err);
    if (m)
        tw__onnx__model__free_unpacked(m, NULL);
    return rc;
}

enum tw_status onnx_array_read(const struct tw_bytes *b, struct tw_array *a, struct tw_err *err)
{
    struct onnx_beside e = { .fd = -1 };
    enum tw_status rc = onnx_scan(&tw__onnx__tensor__descriptor, b, err);
    Tw__Onnx__Tensor *t;

    *a = (struct tw_array){ 0 };
    if (rc != TW_OK)
        return rc;
    t = tw__onnx__tensor__unpack(NULL, b->n, b->p);
    if (!t)
        return tw_err_set(err, TW_EFORMAT,
                          "it cannot be parsed as a tensor of ONNX, or memory is too little");
    rc = onnx_tensor(t, "the tensor", &e, a, err);
    tw__onnx__tensor__free_unpacked(t, NULL);
    return rc;
}

enum tw_status tw_store_array_read(const char *path, struct tw_array *a, struct tw_err *err)
{
    struct tw_bytes b = { 0 };
    enum tw_status rc = tw_file_bytes(path, &b, err);

    *a = (struct tw_array){ 0 };
    if (rc == TW_OK)
        rc = onnx_array_read(&b, a, err);
    free(b.p);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}
