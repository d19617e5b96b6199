/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Checkpoints from Keras's files. */
#include <stdlib.h>

#include "keras.h"

/* The weights of a whole model move from its node list, by both of their names. */
static enum tw_status of_model(struct keras_file *f, const char *source, struct tw_named_list *out,
                               struct tw_err *err)
{
    struct tw_net *net = NULL;
    enum tw_status rc = keras_net(f, source, &net, NULL, err);

    for (size_t i = 0; rc == TW_OK && i < net->nvalue; i++) {
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
