/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The loss that a model was compiled with (keras/src/losses), as thalweg/loss.h writes losses. */
#include <math.h>
#include <string.h>

#include "keras.h"

enum kind { CLASSES, ONE_HOT, BINARY, ELEMENTS, HUBER };
static const struct {
    const char *name, *ours;
    enum kind kind;
} rows[] = {
    { "sparse_categorical_crossentropy", "cross-entropy", CLASSES },
    { "categorical_crossentropy", "cross-entropy", ONE_HOT },
    { "binary_crossentropy", "bce", BINARY },
    { "mean_squared_error", "mse", ELEMENTS },
    { "mse", "mse", ELEMENTS },
    { "mean_absolute_error", "l1", ELEMENTS },
    { "mae", "l1", ELEMENTS },
    { "huber", "huber", HUBER },
    { "huber_loss", "huber", HUBER },
};

/* The first loss of a list, or of an object with one for each output. */
static struct json_object *only(struct json_object *loss)
{
    if (json_object_is_type(loss, json_type_array))
        return json_object_array_length(loss) ? json_object_array_get_idx(loss, 0) : NULL;
    if (json_object_is_type(loss, json_type_object) && !keras_get(loss, "class_name")) {
        json_object_object_foreach(loss, key, value)
        {
            (void)key;
            return value;
        }
    }
    return loss;
}

/* The name of a function or a class, and the class's arguments (NULL: none). */
static const char *name_of(struct json_object *loss, struct json_object **arguments)
{
    struct json_object *class = keras_get(loss, "class_name"), *config = keras_get(loss, "config");

    *arguments = NULL;
    if (json_object_is_type(loss, json_type_string))
        return json_object_get_string(loss);
    if (!json_object_is_type(class, json_type_string))
        return NULL;
    if (json_object_is_type(config, json_type_string)) /* {"class_name": "function", ...} */
        return json_object_get_string(config);
    *arguments = config;
    return json_object_get_string(class);
}

/* -1 if the name is not one of ours. */
static int find(const char *name)
{
    struct tw_str snake = { 0 };
    int found = -1;

    keras_snake(name, &snake);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0] && snake.s; i++)
        if (!strcmp(rows[i].name, snake.s))
            found = (int)i;
    tw_str_release(&snake);
    return found;
}

static double number(struct json_object *arguments, const char *key, double absent)
{
    struct json_object *o = keras_get(arguments, key);

    return o ? json_object_get_double(o) : absent;
}

static void write_loss(int row, struct json_object *arguments, struct tw_str *s)
{
    const double smoothing = number(arguments, "label_smoothing", 0.0);
    struct json_object *ignored = keras_get(arguments, "ignore_class");

    tw_str_add(s, rows[row].ours);
    if (rows[row].kind == ONE_HOT && smoothing != 0.0)
        tw_str_addf(s, "(label_smoothing=%.17g)", smoothing);
    if (rows[row].kind == CLASSES && json_object_is_type(ignored, json_type_int))
        tw_str_addf(s, "(ignore_index=%lld)", (long long)json_object_get_int64(ignored));
    if (rows[row].kind == HUBER)
        tw_str_addf(s, "(delta=%.17g)", number(arguments, "delta", 1.0));
}

enum tw_status keras_loss(const struct keras_file *f, struct tw_net *net, struct tw_str *remarks,
                          struct tw_err *err)
{
    struct json_object *all = keras_get(f->training, "loss"), *loss = only(all), *arguments = NULL;
    const char *name = name_of(loss, &arguments);
    const int row = name ? find(name) : -1;
    struct tw_str s = { 0 };

    /* Without a loss, what ends in a softmax is meant for cross-entropy. */
    net->probabilities = row < 0 || (rows[row].kind <= BINARY &&
                                     !json_object_get_boolean(keras_get(arguments, "from_logits")));
    if (row < 0 && remarks && all)
        tw_str_addf(remarks,
                    "it was trained with the loss '%.60s', which is not known: --loss "
                    "chooses one.\n",
                    name ? name : "?");
    if (row >= 0 && rows[row].kind == BINARY && number(arguments, "label_smoothing", 0.0) != 0.0 &&
        remarks)
        tw_str_addf(remarks, "the label_smoothing of its binary_crossentropy is left out.\n");
    if (row < 0)
        return TW_OK;
    write_loss(row, arguments, &s);
    if (s.failed) {
        tw_str_release(&s);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    net->loss = s.s;
    return TW_OK;
}
