/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Networks and checkpoints from Keras's files. */
#include <stdlib.h>

#include "keras.h"
#include "weights_file.h"

/* Of several outputs the first is the network's. */
static void finish(struct keras *k, size_t nout, struct keras_tensor *out)
{
    struct keras_call c = { .k = k, .name = "output" };

    if (k->b.failed)
        return;
    tw_build_output(&k->b, keras_last(&c, &out[0]));
    if (!k->remarks)
        return;
    if (nout > 1)
        tw_str_addf(k->remarks, "the model has %zu outputs; the first is taken.\n", nout);
    if (k->regularised)
        tw_str_addf(k->remarks,
                    "%zu layer%s a penalty on the weights (kernel_regularizer), which Keras adds "
                    "to the loss it prints and which is not part of the loss here.\n",
                    k->regularised, k->regularised == 1 ? " has" : "s have");
}

enum tw_status keras_net(struct keras_file *f, const char *source, struct tw_net **net,
                         struct tw_str *remarks, struct tw_err *err)
{
    struct keras k = { .b = { .err = err }, .file = f, .remarks = remarks };
    const char *class = keras_word(f->model, "class_name");
    struct json_object *config = keras_get(f->model, "config");
    struct keras_tensor *out = NULL;
    struct tw_str producer = { 0 };
    enum tw_status rc = TW_OK;
    size_t nout = 0;

    *net = k.b.net = tw_net_new(source, err);
    if (!k.b.net)
        return err->code;
    if (!f->model || !config)
        (void)tw_err_set(err, TW_EFORMAT,
                         "these are weights alone; the architecture is in the .keras file, or in "
                         "an .h5 file of the whole model (model.save): give that as --model");
    else if (!class || !keras_is_model(class))
        (void)tw_err_set(err, TW_EFORMAT,
                         "a model of the class %.60s, whose file does not say what its layers do; "
                         "only Sequential and Functional models are read: export it as ONNX",
                         class ? class : "?");
    else
        keras_build(&k, config, &nout, &out);
    k.b.failed = err->code != TW_OK;
    finish(&k, nout, out);
    free(out);
    tw_str_addf(&producer, "Keras %d", f->version);
    (*net)->producer = f->version ? producer.s : NULL;
    if (!f->version)
        tw_str_release(&producer);
    if (!k.b.failed)
        rc = keras_loss(f, *net, remarks, err);
    if (!k.b.failed && rc == TW_OK)
        rc = tw_net_sort(*net, err);
    if (!k.b.failed && rc == TW_OK && remarks && remarks->failed)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (!k.b.failed && rc == TW_OK)
        return TW_OK;
    tw_net_free(*net);
    *net = NULL;
    return err->code;
}

/* The weights of a whole model move from its node list, by both of their names. */
static enum tw_status of_model(struct keras_file *f, const char *source, struct tw_named_list *out,
                               struct tw_err *err)
{
    struct tw_net *net = NULL;
    enum tw_status rc = keras_net(f, source, &net, NULL, err);

    for (size_t i = 0; rc == TW_OK && net && i < net->nvalue; i++) {
        struct tw_value *v = &net->value[i];

        if (!v->is_init || !v->alias)
            continue;
        rc = tw_named_add(out, v->name, &v->init, err);
        if (rc == TW_OK) {
            out->item[out->n - 1].alias = v->alias;
            v->alias = NULL;
        }
    }
    tw_net_free(net);
    return rc;
}

enum tw_status keras_weights(struct keras_file *f, const char *source, struct tw_named_list *out,
                             struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    if (f->model)
        return of_model(f, source, out, err);
    for (size_t i = 0; i < f->weights.n && rc == TW_OK; i++) {
        char *alias = f->by_class ? tw_strdup(f->weights.item[i].name) : NULL;

        if (f->by_class && !alias)
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        rc = tw_named_add(out, f->weights.item[i].name, &f->weights.item[i].array, err);
        if (rc == TW_OK)
            out->item[out->n - 1].alias = alias;
        else
            free(alias);
    }
    return rc;
}

enum tw_status weights_keras(struct tw_weights_file *f, const char *hdf5, struct tw_err *err)
{
    struct tw_h5_items items = { 0 };
    struct tw_named_list list = { 0 };
    struct keras_file file = { 0 };
    bool is_keras;
    enum tw_status rc;

    f->format = "Keras";
    if (hdf5) {
        rc = tw_h5_items_read(hdf5, NULL, 0, TW_H5_ARRAYS, &items, err);
        if (rc == TW_OK)
            rc = keras_read_h5(&items, &file, err);
        tw_h5_items_release(&items);
    } else {
        rc = keras_read_zip(f->path, NULL, &is_keras, &file, err);
    }
    if (rc == TW_OK)
        rc = keras_weights(&file, f->path, &list, err);
    for (size_t i = 0; i < list.n; i++) /* an archive may be packed */
        f->bytes += list.item[i].array.n * tw_dtype_size(list.item[i].array.dtype);
    if (rc == TW_OK)
        rc = weights_hold(f, &list, err);
    tw_named_release(&list);
    keras_release(&file);
    return rc;
}
