/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/store_weights.h"

#include <stdlib.h>
#include <string.h>

#include "h5_arrays.h"
#include "keras.h"
#include "kind.h"
#include "npy.h"
#include "onnx.h"

static enum tw_status read_hdf5(const char *path, struct tw_named_list *out, struct tw_str *remarks,
                                struct tw_err *err)
{
    struct tw_h5_items items = { 0 };
    enum tw_status rc = tw_h5_items_read(path, NULL, 0, TW_H5_ARRAYS, &items, err);

    if (rc == TW_OK && keras_wrote(&items)) {
        struct keras_file keras = { 0 };

        rc = keras_read_h5(&items, &keras, err);
        if (rc == TW_OK)
            rc = keras_weights(&keras, path, out, err);
        keras_release(&keras);
    } else if (rc == TW_OK) {
        rc = tw_h5_arrays(&items, out, remarks, err);
    }
    tw_h5_items_release(&items);
    return rc;
}

/* Arrays of NumPy, or a model of Keras. */
static enum tw_status read_zip(const char *path, struct tw_named_list *out, struct tw_err *err)
{
    struct keras_file keras = { 0 };
    bool is_keras;
    enum tw_status rc = keras_read_zip(path, NULL, &is_keras, &keras, err);

    if (rc == TW_OK && is_keras)
        rc = keras_weights(&keras, path, out, err);
    else if (rc == TW_OK)
        rc = npz_read(path, NULL, NULL, NULL, out, err);
    keras_release(&keras);
    return rc;
}

static enum tw_status read_npy(const char *path, struct tw_named_list *out, struct tw_err *err)
{
    const char *slash = strrchr(path, '/'), *name = slash ? slash + 1 : path;
    size_t n = strlen(name);
    struct tw_array a = { 0 };
    enum tw_status rc = npy_read_file(path, &a, err);
    char *stem = tw_strndup(name, n > 4 && !strcmp(name + n - 4, ".npy") ? n - 4 : n);

    if (rc == TW_OK && !stem)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = tw_named_add(out, stem, &a, err);
    free(stem);
    tw_array_release(&a);
    return rc;
}

/* Initializers move to the list; those that a node only renames are copied. */
static enum tw_status take_initializers(struct tw_net *net, struct tw_named_list *out,
                                        struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < net->nvalue && rc == TW_OK; i++) {
        struct tw_value *v = &net->value[i];

        if (v->is_init && (tw_dtype_is_real(v->init.dtype) || v->init.dtype == TW_BOOL))
            rc = tw_named_add(out, v->name, &v->init, err);
    }
    for (size_t i = 0; i < net->nnode && rc == TW_OK; i++) {
        const struct tw_node *node = &net->node[i];
        const struct tw_array *from;
        struct tw_array a = { 0 };

        if (strcmp(node->op, "Identity") != 0 || node->nin != 1 || node->nout != 1 ||
            node->in[0] < 0 || node->out[0] < 0)
            continue;
        from = tw_named_find(out, net->value[node->in[0]].name);
        if (from)
            rc = tw_array_copy(&a, from, err);
        if (rc == TW_OK && from)
            rc = tw_named_add(out, net->value[node->out[0]].name, &a, err);
        tw_array_release(&a);
    }
    return rc;
}

static enum tw_status read_onnx(const char *path, struct tw_named_list *out, struct tw_str *remarks,
                                struct tw_err *err)
{
    struct tw_net *net = NULL;
    enum tw_status rc = onnx_read_file(path, &net, remarks, err);

    if (rc == TW_OK)
        rc = take_initializers(net, out, err);
    tw_net_free(net);
    return rc;
}

/* ---- a part of it -------------------------------------------------------------------------- */

enum { SHOWN = 8 };

/* The first parts of the names, each once, a few of them. */
static enum tw_status no_such_key(const struct tw_named_list *all, const char *key,
                                  struct tw_err *err)
{
    const char *shown[SHOWN];
    struct tw_str s = { 0 };
    size_t k = 0;

    for (size_t i = 0; i < all->n && k < SHOWN; i++) {
        const char *name = all->item[i].name;
        size_t n = strcspn(name, "."), j;

        for (j = 0; j < k && (strncmp(shown[j], name, n) != 0 || strcspn(shown[j], ".") != n); j++)
            ;
        if (j == k) {
            shown[k++] = name;
            tw_str_addf(&s, "%s%.*s", j ? ", " : "", (int)(n < 40 ? n : 40), name);
        }
    }
    (void)tw_err_set(err, TW_EFORMAT, "no tensors under '%.60s'; the names in it begin with %s",
                     key, s.s ? s.s : "nothing");
    tw_str_release(&s);
    return TW_EFORMAT;
}

static enum tw_status choose(struct tw_named_list *list, const char *key, struct tw_err *err)
{
    struct tw_named_list part = { 0 };
    size_t n = strlen(key);
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < list->n && rc == TW_OK; i++) {
        const char *name = list->item[i].name;

        if (!strncmp(name, key, n) && name[n] == '.' && name[n + 1])
            rc = tw_named_add(&part, name + n + 1, &list->item[i].array, err);
    }
    if (rc == TW_OK && part.n == 0)
        rc = no_such_key(list, key, err);
    tw_named_release(list);
    *list = part;
    return rc;
}

/* ---- all ------------------------------------------------------------------------------------- */

enum tw_status tw_store_weights_read(const char *path, const char *state_key,
                                     struct tw_named_list *out, struct tw_str *remarks,
                                     struct tw_err *err)
{
    struct tw_err own = { 0 };
    enum tw_kind kind;
    enum tw_status rc;

    err = err ? err : &own;
    *out = (struct tw_named_list){ 0 };
    rc = tw_kind_read(path, &kind, err);
    if (rc == TW_OK) {
        switch (kind) {
        case TW_KIND_HDF5:
            rc = read_hdf5(path, out, remarks, err);
            break;
        case TW_KIND_ZIP:
            rc = read_zip(path, out, err);
            break;
        case TW_KIND_NPY:
            rc = read_npy(path, out, err);
            break;
        case TW_KIND_ONNX:
            rc = read_onnx(path, out, remarks, err);
            break;
        default:
            rc = tw_kind_foreign(path, err);
        }
    }
    if (rc == TW_OK && out->n == 0)
        rc = tw_err_set(err, TW_EFORMAT, "no arrays of numbers in it");
    if (rc == TW_OK && state_key)
        rc = choose(out, state_key, err);
    if (rc == TW_OK && remarks && remarks->failed)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc != TW_OK)
        tw_named_release(out);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", path);
}
