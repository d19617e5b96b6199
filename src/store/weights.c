/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints: which reader takes a file, and all of it at once. */
#include <stdlib.h>
#include <string.h>

#include "keras.h"
#include "kind.h"
#include "onnx.h"
#include "weights_file.h"

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

static enum tw_status weights_onnx(struct tw_weights_file *f, struct tw_str *remarks,
                                   struct tw_err *err)
{
    struct tw_named_list list = { 0 };
    struct tw_net *net = NULL;
    enum tw_status rc = onnx_read_file(f->path, &net, remarks, err);

    f->format = "ONNX";
    if (rc == TW_OK)
        rc = take_initializers(net, &list, err);
    tw_net_free(net);
    for (size_t i = 0; i < list.n; i++) /* files beside the model count too */
        f->bytes += list.item[i].array.n * tw_dtype_size(list.item[i].array.dtype);
    if (rc == TW_OK)
        rc = weights_hold(f, &list, err);
    tw_named_release(&list);
    return rc;
}

static enum tw_status dispatch(struct tw_weights_file *f, struct tw_str *remarks,
                               struct tw_err *err)
{
    const size_t n = strlen(f->path);
    enum tw_kind kind;
    enum tw_status rc = tw_kind_read(f->path, &kind, err);

    if (rc != TW_OK)
        return rc;
    if (n > 7 && !strcmp(f->path + n - 7, ".distcp"))
        return tw_err_set(err, TW_EFORMAT,
                          "this is a part of a checkpoint in a folder, which several processes "
                          "saved; make one file of it, in Python: "
                          "torch.distributed.checkpoint.format_utils.dcp_to_torch_save(FOLDER, "
                          "'weights.pt')");
    switch (kind) {
    case TW_KIND_SAFETENSORS:
        return weights_safetensors(f, err);
    case TW_KIND_INDEX:
        return weights_parts(f, remarks, err);
    case TW_KIND_HDF5:
        return weights_hdf5(f, remarks, err);
    case TW_KIND_ZIP:
        return keras_is_archive(f->path) ? weights_keras(f, NULL, err)
                                         : weights_zip(f, remarks, err);
    case TW_KIND_NPY:
        return weights_npy(f, err);
    case TW_KIND_ONNX:
        return weights_onnx(f, remarks, err);
    case TW_KIND_TORCH:
        return weights_torch_stream(f, remarks, err);
    case TW_KIND_GGUF:
        return weights_gguf(f, err);
    case TW_KIND_MSGPACK:
        return weights_msgpack(f, err);
    case TW_KIND_OTHER:
        break;
    }
    return tw_kind_foreign(
        f->path, "safetensors, PyTorch, HDF5, npz, npy, GGUF, msgpack and ONNX files", err);
}

/* Weights that were saved without being gathered, in whatever format. */
static enum tw_status refuse_placeholders(const struct tw_weights_file *f, struct tw_err *err)
{
    size_t n = 0;

    for (size_t i = 0; i < f->n; i++)
        n += weights_is_placeholder(&f->v[i]);
    if (2 * n <= f->n)
        return TW_OK;
    return tw_err_set(
        err, TW_EFORMAT,
        "%zu of %zu arrays are empty placeholders, as ZeRO-3 of DeepSpeed leaves them "
        "in weights that are not gathered; make one file of its checkpoint: python "
        "zero_to_fp32.py FOLDER weights.bin",
        n, f->n);
}

struct tw_weights_file *tw_weights_open(const char *path, const char *state_key,
                                        struct tw_str *remarks, struct tw_err *err)
{
    struct tw_weights_file *f = tw_alloc(1, sizeof *f);
    struct tw_err own = { 0 };
    enum tw_status rc;

    err = err ? err : &own;
    if (!f || !(f->path = tw_strdup(path))) {
        free(f);
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    rc = dispatch(f, remarks, err);
    if (rc == TW_OK && f->n == 0)
        rc = tw_err_set(err, TW_EFORMAT, "no arrays of numbers in it");
    if (rc == TW_OK)
        rc = weights_check(f, err);
    if (rc == TW_OK)
        rc = refuse_placeholders(f, err);
    if (rc == TW_OK && remarks && remarks->failed)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc != TW_OK)
        (void)tw_err_ctx(err, rc, "%s", path);
    if (rc == TW_OK && state_key)
        rc = tw_weights_choose(f, state_key, err);
    if (rc != TW_OK) {
        tw_weights_close(f);
        return NULL;
    }
    return f;
}

enum tw_status tw_store_weights_read(const char *path, const char *state_key,
                                     struct tw_named_list *out, struct tw_str *remarks,
                                     struct tw_err *err)
{
    struct tw_err own = { 0 };
    struct tw_weights_file *f;
    enum tw_status rc = TW_OK;

    err = err ? err : &own;
    *out = (struct tw_named_list){ 0 };
    f = tw_weights_open(path, state_key, remarks, err);
    if (!f)
        return err->code;
    for (size_t i = 0; i < f->n && rc == TW_OK; i++) {
        const struct tw_weight *w = &f->v[i];
        struct tw_array a = { 0 };

        /* Of a nested checkpoint an optimizer's state would be twice the weights. */
        if (f->part && !strncmp(w->name, "opt", 3) &&
            strncmp(w->name, f->part, strlen(f->part)) != 0)
            continue;
        rc = tw_array_make(&a, w->dtype, w->rank, w->dims, err);
        if (rc == TW_OK)
            rc = tw_weights_read(f, i, 0, w->n, a.data, err);
        if (rc == TW_OK)
            rc = tw_named_add(out, w->name, &a, err);
        if (rc == TW_OK && w->alias) {
            out->item[out->n - 1].alias = tw_strdup(w->alias);
            if (!out->item[out->n - 1].alias)
                rc = tw_err_set(err, TW_ENOMEM, "out of memory");
        }
        tw_array_release(&a);
    }
    tw_weights_close(f);
    if (rc != TW_OK)
        tw_named_release(out);
    return rc;
}
