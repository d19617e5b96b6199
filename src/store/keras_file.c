/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Keras's files: JSON out of attributes or archives, weights by name. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "archive.h"
#include "h5_arrays.h"
#include "keras.h"
#include "npy.h"

enum { JSON_DEPTH = 128 };

void keras_release(struct keras_file *f)
{
    (void)json_object_put(f->model);
    (void)json_object_put(f->training);
    tw_named_release(&f->weights);
    *f = (struct keras_file){ 0 };
}

static enum tw_status no_memory(struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

/* An object of JSON, or nothing but a message. */
static enum tw_status parse(const char *what, const char *text, size_t n, struct json_object **to,
                            struct tw_err *err)
{
    struct json_tokener *t = json_tokener_new_ex(JSON_DEPTH);
    struct json_object *o;
    enum json_tokener_error e;

    if (!t)
        return no_memory(err);
    if (n > INT32_MAX) {
        json_tokener_free(t);
        return tw_err_set(err, TW_EFORMAT, "%s has more than 2 GiB", what);
    }
    o = json_tokener_parse_ex(t, text, (int)n);
    e = json_tokener_get_error(t);
    json_tokener_free(t);
    if (e == json_tokener_success && json_object_is_type(o, json_type_object)) {
        *to = o;
        return TW_OK;
    }
    (void)json_object_put(o);
    return tw_err_set(err, TW_EFORMAT, "%s is not an object of JSON%s%s", what,
                      e == json_tokener_success ? "" : ": ",
                      e == json_tokener_success ? "" : json_tokener_error_desc(e));
}

static int major(const char *version)
{
    return *version >= '1' && *version <= '9' ? *version - '0' : 0;
}

/* ---- HDF5 ------------------------------------------------------------------------------------ */

static const struct tw_h5_item *text_attribute(const struct tw_h5_items *items, const char *path)
{
    const struct tw_h5_item *it = tw_h5_items_find(items, path, true);

    return it && it->values == TW_H5_TEXTS && it->n >= 1 ? it : NULL;
}

static bool has_variables(const struct tw_h5_items *items, const char *folder)
{
    for (size_t i = tw_h5_items_from(items, folder); i < items->n; i++) {
        const char *path = items->sorted[i]->path, *vars;

        if (strncmp(path, folder, strlen(folder)) != 0)
            return false;
        vars = strstr(path, "/vars/0");
        if (vars && vars[7] == '\0')
            return true;
    }
    return false;
}

/* The folder of the layers in files of Keras 3, and of TensorFlow 2.12 and 2.13. */
static const char *layers_folder(const struct tw_h5_items *items)
{
    static const char *const folders[] = { "/layers/", "/_layer_checkpoint_dependencies/" };

    for (size_t i = 0; i < 2; i++)
        if (has_variables(items, folders[i]))
            return folders[i];
    return NULL;
}

bool keras_wrote(const struct tw_h5_items *items)
{
    return tw_h5_items_find(items, "/@model_config", true) ||
           tw_h5_items_find(items, "/@layer_names", true) ||
           tw_h5_items_find(items, "/@layer_names0", true) ||
           tw_h5_items_find(items, "/@keras_version", true) ||
           tw_h5_items_find(items, "/model_weights", false) || layers_folder(items);
}

struct texts {
    const char **v;
    size_t n, cap;
};

static enum tw_status add_texts(const struct tw_h5_item *it, struct texts *t, struct tw_err *err)
{
    const char *p = it->data;

    if (it->n > 0 && it->values != TW_H5_TEXTS)
        return tw_err_set(err, TW_EFORMAT, "%s: expected texts, found %s", it->path, it->type);
    for (uint64_t i = 0; i < it->n; i++, p += strlen(p) + 1) {
        if (!tw_grow(&t->v, t->n, &t->cap, sizeof *t->v))
            return no_memory(err);
        t->v[t->n++] = p;
    }
    return TW_OK;
}

/* The texts of an attribute, which may be split over NAME0, NAME1, ... */
static enum tw_status get_texts(const struct tw_h5_items *items, const char *object,
                                const char *name, struct texts *t, struct tw_err *err)
{
    const struct tw_h5_item *it = NULL;
    enum tw_status rc = TW_OK;
    struct tw_str path = { 0 };

    for (size_t part = 0; rc == TW_OK; part++) {
        tw_str_clear(&path);
        tw_str_addf(&path, "%s@%s", object, name);
        if (part > 0)
            tw_str_addf(&path, "%zu", part - 1);
        it = path.failed ? NULL : tw_h5_items_find(items, path.s, true);
        if (it)
            rc = add_texts(it, t, err);
        if (part == 0 ? it != NULL : it == NULL)
            break;
    }
    if (path.failed)
        rc = no_memory(err);
    tw_str_release(&path);
    return rc;
}

/* "dense/kernel" of the layer "dense" and "sequential/dense/kernel:0": what follows the layer's
 * name where it comes last, if it comes at all. */
static char *canonical(const char *layer, const char *weight)
{
    const size_t n = strlen(layer), m = strlen(weight);
    const char *rest = weight, *colon;
    struct tw_str s = { 0 };

    for (const char *p = weight; p + n < weight + m; p++)
        if ((p == weight || p[-1] == '/') && !strncmp(p, layer, n) && p[n] == '/' && p[n + 1])
            rest = p + n + 1;
    colon = strrchr(rest, ':');
    tw_str_addf(&s, "%s/", layer);
    tw_str_addn(&s, rest, colon && colon > rest ? (size_t)(colon - rest) : strlen(rest));
    if (s.failed)
        tw_str_release(&s);
    return s.s;
}

static enum tw_status take_weight(struct tw_h5_items *items, const char *group, const char *layer,
                                  const char *weight, struct keras_file *f, struct tw_err *err)
{
    const struct tw_h5_item *it;
    struct tw_array a = { 0 };
    struct tw_str path = { 0 };
    enum tw_status rc = TW_OK;
    char *name = canonical(layer, weight);

    tw_str_addf(&path, "%s/%s", group, weight);
    if (path.failed || !name)
        rc = no_memory(err);
    it = rc == TW_OK ? tw_h5_items_find(items, path.s, false) : NULL;
    if (rc == TW_OK && (!it || it->kind != TW_H5_SET))
        rc = tw_err_set(err, TW_EFORMAT,
                        "layer '%.80s' has a weight '%.100s', but there is no data set %.200s",
                        layer, weight, path.s);
    if (rc == TW_OK)
        rc = tw_h5_array(it, &a, err);
    if (rc == TW_OK)
        rc = tw_named_add(&f->weights, name, &a, err);
    tw_array_release(&a);
    tw_str_release(&path);
    free(name);
    return rc;
}

static enum tw_status take_layer(struct tw_h5_items *items, const char *root, const char *layer,
                                 struct keras_file *f, struct tw_err *err)
{
    struct tw_str group = { 0 };
    struct texts t = { 0 };
    enum tw_status rc;

    tw_str_addf(&group, "%s/%s", root, layer);
    rc = group.failed ? no_memory(err) : get_texts(items, group.s, "weight_names", &t, err);
    for (size_t i = 0; i < t.n && rc == TW_OK; i++)
        rc = take_weight(items, group.s, layer, t.v[i], f, err);
    free(t.v);
    tw_str_release(&group);
    return rc;
}

static enum tw_status take_legacy(struct tw_h5_items *items, struct keras_file *f,
                                  struct tw_err *err)
{
    const char *root = tw_h5_items_find(items, "/model_weights", false) ? "/model_weights" : "";
    struct texts t = { 0 };
    enum tw_status rc = get_texts(items, *root ? root : "/", "layer_names", &t, err);

    for (size_t i = 0; i < t.n && rc == TW_OK; i++)
        rc = take_layer(items, root, t.v[i], f, err);
    if (rc == TW_OK && f->weights.n == 0)
        rc = tw_err_set(err, TW_EFORMAT,
                        "Keras wrote it, but there are no weights in it (no attribute "
                        "layer_names, or layers without weights)");
    free(t.v);
    return rc;
}

/* Variables of layers; those of an optimizer and of random generators are no weights. */
static enum tw_status take_by_class(const struct tw_h5_items *items, const char *folder,
                                    struct keras_file *f, struct tw_err *err)
{
    const size_t n = strlen(folder);
    enum tw_status rc = TW_OK;

    f->by_class = true;
    for (size_t i = tw_h5_items_from(items, folder); i < items->n && rc == TW_OK; i++) {
        const struct tw_h5_item *it = items->sorted[i];
        struct tw_array a = { 0 };
        struct tw_str name = { 0 };

        if (strncmp(it->path, folder, n) != 0)
            break;
        if (it->kind != TW_H5_SET || strstr(it->path, "/seed_generator/"))
            continue;
        tw_str_add(&name, "layers/");
        /* "_query_dense" in early ones, "query_dense" later. */
        for (const char *p = it->path + n; *p; p++)
            if (*p != '_' || p[-1] != '/')
                tw_str_addn(&name, p, 1);
        rc = name.failed ? no_memory(err) : tw_h5_array(it, &a, err);
        if (rc == TW_OK)
            rc = tw_named_add(&f->weights, name.s, &a, err);
        tw_array_release(&a);
        tw_str_release(&name);
    }
    return rc;
}

enum tw_status keras_read_h5(struct tw_h5_items *items, struct keras_file *f, struct tw_err *err)
{
    const struct tw_h5_item *model = text_attribute(items, "/@model_config"),
                            *training = text_attribute(items, "/@training_config"),
                            *version = text_attribute(items, "/@keras_version");
    const char *folder = layers_folder(items);
    enum tw_status rc = TW_OK;

    if (!version)
        version = text_attribute(items, "/model_weights@keras_version");
    f->version = version ? major(version->data) : 0;
    if (model)
        rc = parse("model_config", model->data, strlen(model->data), &f->model, err);
    if (rc == TW_OK && training)
        rc = parse("training_config", training->data, strlen(training->data), &f->training, err);
    if (rc == TW_OK)
        rc = folder ? take_by_class(items, folder, f, err) : take_legacy(items, f, err);
    return rc;
}

/* ---- archives -------------------------------------------------------------------------------- */

static enum tw_status unpack(const char *path, const struct tw_bytes *b, const char *entry,
                             struct json_object **to, struct tw_err *err)
{
    struct tw_bytes text = { 0 };
    enum tw_status rc = npz_entry(path, b, entry, &text, err);

    if (rc == TW_OK && text.p)
        rc = parse(entry, (const char *)text.p, text.n, to, err);
    free(text.p);
    return rc;
}

enum tw_status keras_read_zip(const char *path, const struct tw_bytes *b, bool *is_keras,
                              struct keras_file *f, struct tw_err *err)
{
    struct json_object *metadata = NULL, *o;
    struct tw_bytes image = { 0 };
    struct tw_h5_items items = { 0 };
    enum tw_status rc = npz_entry(path, b, "model.weights.h5", &image, err);

    *is_keras = image.p != NULL;
    if (rc == TW_OK && image.p)
        rc = unpack(path, b, "config.json", &f->model, err);
    if (rc == TW_OK && image.p)
        rc = unpack(path, b, "metadata.json", &metadata, err);
    if (rc == TW_OK && image.p && !f->model)
        rc = tw_err_set(err, TW_EFORMAT, "a .keras archive without config.json");
    if (rc == TW_OK && image.p) {
        f->version = 3;
        if (metadata && (o = keras_get(metadata, "keras_version")) != NULL)
            f->version = major(json_object_get_string(o));
        f->training = json_object_get(keras_get(f->model, "compile_config"));
        rc = tw_h5_items_read(NULL, image.p, image.n, TW_H5_ARRAYS, &items, err);
        if (rc == TW_OK && !layers_folder(&items))
            rc = tw_err_set(err, TW_EFORMAT, "no variables of layers in it");
        if (rc == TW_OK)
            rc = take_by_class(&items, layers_folder(&items), f, err);
        if (rc != TW_OK)
            (void)tw_err_ctx(err, rc, "model.weights.h5");
        tw_h5_items_release(&items);
    }
    (void)json_object_put(metadata);
    free(image.p);
    return rc;
}

bool keras_is_archive(const char *path)
{
    uint64_t size;
    zip_t *z = archive_open(path, NULL, &size, NULL);
    const bool is = z && zip_name_locate(z, "model.weights.h5", 0) >= 0;

    if (z)
        zip_discard(z);
    return is;
}
