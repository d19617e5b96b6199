/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * store/keras.h - models that Keras wrote, as node lists (thalweg/store_net.h).
 *
 * Layouts as Keras 2 and 3 write them (keras/src/legacy/saving/legacy_h5_format.py,
 * keras/src/saving/saving_lib.py):
 *   .h5           attributes model_config and training_config (JSON); /model_weights/LAYER with
 *                 an attribute weight_names, paths of data sets below it
 *   .keras        a ZIP archive of config.json, metadata.json and model.weights.h5
 *   .weights.h5   /layers/CLASS[_k]/vars/I: the k-th layer of that class, its I-th variable
 */
#ifndef TW_STORE_KERAS_H
#define TW_STORE_KERAS_H

#include <json-c/json.h>

#include "file.h"
#include "h5_items.h"
#include "thalweg/tensor_build.h"

/* ---- files ----------------------------------------------------------------------------------- */

struct keras_file {
    struct json_object *model;    /* {"class_name", "config"}; NULL: weights alone */
    struct json_object *training; /* the object with the key "loss"; NULL: not compiled */
    struct tw_named_list weights;
    bool by_class; /* weights are named "layers/dense_1/vars/0", else "dense_5/kernel" */
    int version;   /* of Keras: 2, 3, ...; 0: not said */
};
/* Does the HDF5 file come from Keras? */
bool keras_wrote(const struct tw_h5_items *items);
/* From a file read with TW_H5_ARRAYS. Messages do not name the file. */
enum tw_status keras_read_h5(struct tw_h5_items *items, struct keras_file *f,
                             struct tw_err *err) TW_CHECKED;
/* From an archive by path or, if path is NULL, from memory. *is_keras: it is one at all. */
enum tw_status keras_read_zip(const char *path, const struct tw_bytes *b, bool *is_keras,
                              struct keras_file *f, struct tw_err *err) TW_CHECKED;
/* Does the ZIP archive hold a model of Keras? */
bool keras_is_archive(const char *path);
void keras_release(struct keras_file *f);

/* The node list, with the weights' values (which leave f), its loss and its remarks. */
enum tw_status keras_net(struct keras_file *f, const char *source, struct tw_net **net,
                         struct tw_str *remarks, struct tw_err *err) TW_CHECKED;
/* What a checkpoint holds: the weights by the names that keras_net gives them. */
enum tw_status keras_weights(struct keras_file *f, const char *source, struct tw_named_list *out,
                             struct tw_err *err) TW_CHECKED;

/* ---- layers ---------------------------------------------------------------------------------- */

enum { KERAS_RANK = 5, KERAS_MAX_LAYERS = 5000, KERAS_MAX_CALLS = 20000, KERAS_MAX_DEPTH = 16 };

/* A tensor of Keras, channels last, whose bytes may lie channels last or first: both forms are made
 * when they are wanted. dims: without the batch. */
struct keras_tensor {
    int last, first; /* values of the net; -1: not made */
    int rank;
    int64_t dims[KERAS_RANK];
    bool is_input;
};

struct keras {
    struct tw_net_build b;
    struct keras_file *file;
    struct tw_str *remarks;
    size_t calls, regularised; /* of layers; layers with a penalty */
};

/* One call of a layer. */
struct keras_call {
    struct keras *k;
    const struct keras_class *class;
    struct json_object *config, *kwargs; /* kwargs may be NULL */
    const char *name;                    /* "dense", "encoder/dense" in a model within the model */
    const char *folder;                  /* "layers/dense_1" */
    const char *sub;                     /* "query_dense": the folder's folder that `next` is of */
    size_t next;                         /* number of the next variable */
    size_t nin;
    struct keras_tensor **in;
    struct keras_tensor out;
};

/* A layer is a row in the table of keras_layers.c. */
struct keras_class {
    const char *name;
    size_t inputs; /* 0: one or more */
    void (*lower)(struct keras_call *c);
};
const struct keras_class *keras_class_find(const char *name);
/* The names that are known and nearest to it. */
const char *keras_class_nearest(const char *name);
extern const struct keras_class keras_classes[];

void keras_conv(struct keras_call *c);
void keras_depthwise(struct keras_call *c);
void keras_separable(struct keras_call *c);
void keras_conv_transpose(struct keras_call *c);
void keras_pool(struct keras_call *c);
void keras_global_pool(struct keras_call *c);
void keras_pad(struct keras_call *c);
void keras_crop(struct keras_call *c);
void keras_upsample(struct keras_call *c);
void keras_batch_norm(struct keras_call *c);
void keras_layer_norm(struct keras_call *c);
void keras_normalization(struct keras_call *c);
void keras_attention(struct keras_call *c);
void keras_activation_layer(struct keras_call *c);

/* What the config's key `activation` names, applied to c->out. */
void keras_activate(struct keras_call *c);

/* Refuse, naming layer and class. */
void keras_fail(struct keras_call *c, const char *fmt, ...) TW_PRINTF(2, 3);

/* Of the config; a key of another type is refused, an absent one is `absent`. */
int64_t keras_int(struct keras_call *c, const char *key, int64_t absent);
double keras_real(struct keras_call *c, const char *key, double absent);
bool keras_bool(struct keras_call *c, const char *key, bool absent);
const char *keras_text(struct keras_call *c, const char *key, const char *absent);
/* A list of n, or one number for all, each from lo to 2^24. False: absent (NULL or null). */
bool keras_ints(struct keras_call *c, const char *key, int n, int64_t lo, int64_t *x);
struct json_object *keras_get(struct json_object *o, const char *key); /* NULL: absent or null */

/* The layer's next variable, an initializer with the file's value. `name` is Keras's: "kernel",
 * "query/kernel"; other: what other versions call it, or NULL. */
int keras_param(struct keras_call *c, const char *name, const char *other, int rank,
                const int64_t *dims);

/* One operator, named after the layer. */
int keras_op(struct keras_call *c, const char *op, size_t nin, const int *in);
int keras_op1(struct keras_call *c, const char *op, int x);
int keras_op2(struct keras_call *c, const char *op, int x, int y);
int keras_transpose(struct keras_call *c, int x, int rank, const int64_t *perm);
int keras_reshape(struct keras_call *c, int x, int rank, const int64_t *dims);
int keras_same(struct keras_call *c, size_t n, double x); /* a constant vector */

/* One of the forms; the other stays too. */
int keras_last(struct keras_call *c, struct keras_tensor *t);
int keras_first(struct keras_call *c, struct keras_tensor *t);
/* c->out with the shape of t, in the form that t has; *x: t's value. */
int *keras_like(struct keras_call *c, struct keras_tensor *t, int *x);
/* From 1 (the first after the batch) to the rank; 0 and a refusal: none. */
int keras_axis(struct keras_call *c, const struct keras_tensor *t, int64_t axis);

/* "BatchNormalization" to "batch_normalization", as keras/src/utils/naming.py does. */
void keras_snake(const char *s, struct tw_str *out);

/* ---- the configuration of a model ------------------------------------------------------------ */

const char *keras_word(struct json_object *o, const char *key); /* a text, or NULL */
size_t keras_length(struct json_object *o);                     /* of a list, else 0 */
struct json_object *keras_at(struct json_object *o, size_t i);  /* of a list, or NULL */
bool keras_is_model(const char *class);

/* What a call refers to: tensors, in the order of the arguments. */
struct keras_refs {
    size_t n, cap;
    struct keras_ref {
        const char *layer;
        size_t call, tensor;
    } * v;
    struct json_object *kwargs;
    bool failed;
};

/* Of one call, as `inbound_nodes` has it. The caller frees r->v. */
void keras_arguments(struct json_object *node, struct keras_refs *r);
/* Of `input_layers` and `output_layers`. */
void keras_ends(struct json_object *o, struct keras_refs *r);

/* All of a model, with its outputs, which the caller frees. */
void keras_build(struct keras *k, struct json_object *config, size_t *nout,
                 struct keras_tensor **out);

/* The loss of the training config as thalweg/loss.h writes losses, into net->loss; a sentence to
 * remarks if there is none that we have. */
enum tw_status keras_loss(const struct keras_file *f, struct tw_net *net, struct tw_str *remarks,
                          struct tw_err *err) TW_CHECKED;

#endif
