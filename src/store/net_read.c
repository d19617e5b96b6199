/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A network from a file of any kind that says what it is. */
#include <stdlib.h>

#include "keras.h"
#include "kind.h"
#include "npy.h"
#include "onnx.h"

static enum tw_status read_keras(const char *path, enum tw_kind kind, struct tw_net **net,
                                 struct tw_str *remarks, struct tw_err *err)
{
    struct keras_file keras = { 0 };
    struct tw_h5_items items = { 0 };
    bool is_keras = false;
    enum tw_status rc;

    if (kind == TW_KIND_ZIP) {
        rc = keras_read_zip(path, NULL, &is_keras, &keras, err);
    } else {
        rc = tw_h5_items_read(path, NULL, 0, TW_H5_ARRAYS, &items, err);
        is_keras = rc == TW_OK && keras_wrote(&items);
        if (is_keras)
            rc = keras_read_h5(&items, &keras, err);
        tw_h5_items_release(&items);
    }
    if (rc == TW_OK && !is_keras)
        rc = tw_err_set(err, TW_EFORMAT,
                        "this is %s, not a network; weights go to a network, which is an ONNX file "
                        "or a model of Keras",
                        tw_kind_name(kind));
    if (rc == TW_OK)
        rc = keras_net(&keras, path, net, remarks, err);
    keras_release(&keras);
    return rc;
}

enum tw_status tw_store_net_read(const char *path, struct tw_net **net, struct tw_str *remarks,
                                 struct tw_err *err)
{
    struct tw_err own = { 0 };
    enum tw_kind kind;
    enum tw_status rc;

    err = err ? err : &own;
    *net = NULL;
    rc = tw_kind_read(path, &kind, err);
    if (rc == TW_OK && (kind == TW_KIND_HDF5 || kind == TW_KIND_ZIP))
        rc = read_keras(path, kind, net, remarks, err);
    else if (rc == TW_OK && kind != TW_KIND_ONNX && kind != TW_KIND_OTHER)
        rc = tw_err_set(err, TW_EFORMAT,
                        "this is %s, not a network; weights go to a network, which is an ONNX file "
                        "or a model of Keras",
                        tw_kind_name(kind));
    else if (rc == TW_OK)
        rc = onnx_read_file(path, net, remarks, err);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}

bool tw_is_network(const char *path)
{
    struct tw_bytes config = { 0 };
    struct tw_h5_items items = { 0 };
    enum tw_kind kind;
    bool is = false;

    if (tw_kind_read(path, &kind, NULL) != TW_OK)
        return false;
    if (kind == TW_KIND_HDF5) {
        is = tw_h5_items_read(path, NULL, 0, TW_H5_HEADERS, &items, NULL) == TW_OK &&
             tw_h5_items_find(&items, "/@model_config", true);
        tw_h5_items_release(&items);
    } else if (kind == TW_KIND_ZIP) {
        is = npz_entry(path, NULL, "config.json", &config, NULL) == TW_OK && config.p;
        free(config.p);
    }
    return is || kind == TW_KIND_ONNX;
}
