/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What Keras's JSON says of the arguments of layers: lists of tensors, in two generations of
 * notations. */
#include <string.h>

#include "keras.h"

const char *keras_word(struct json_object *o, const char *key)
{
    struct json_object *t = keras_get(o, key);

    return json_object_is_type(t, json_type_string) ? json_object_get_string(t) : NULL;
}

size_t keras_length(struct json_object *o)
{
    return json_object_is_type(o, json_type_array) ? json_object_array_length(o) : 0;
}

struct json_object *keras_at(struct json_object *o, size_t i)
{
    return i < keras_length(o) ? json_object_array_get_idx(o, i) : NULL;
}

bool keras_is_model(const char *class)
{
    return !strcmp(class, "Sequential") || !strcmp(class, "Functional") || !strcmp(class, "Model");
}

/* ["layer", call, tensor, ...] */
static bool is_ref(struct json_object *o)
{
    return keras_length(o) >= 3 && json_object_is_type(keras_at(o, 0), json_type_string) &&
           json_object_is_type(keras_at(o, 1), json_type_int) &&
           json_object_is_type(keras_at(o, 2), json_type_int);
}

static void add_ref(struct keras_refs *r, struct json_object *o)
{
    const int64_t call = json_object_get_int64(keras_at(o, 1)),
                  tensor = json_object_get_int64(keras_at(o, 2));

    if (call < 0 || tensor < 0 || !tw_grow(&r->v, r->n, &r->cap, sizeof *r->v)) {
        r->failed = true;
        return;
    }
    r->v[r->n++] =
        (struct keras_ref){ json_object_get_string(keras_at(o, 0)), (size_t)call, (size_t)tensor };
}

/* Arguments of Keras 3, however they are nested. */
static void add_refs(struct keras_refs *r, struct json_object *o, int depth)
{
    const char *class = keras_word(o, "class_name");
    const bool tensor = class && !strcmp(class, "__keras_tensor__");
    struct json_object *history =
        tensor ? keras_get(keras_get(o, "config"), "keras_history") : NULL;

    /* Neither numbers among the operands, nor endless lists. */
    if (depth > 8 || (tensor && !is_ref(history)) || json_object_is_type(o, json_type_int) ||
        json_object_is_type(o, json_type_double))
        r->failed = true;
    else if (tensor)
        add_ref(r, history);
    for (size_t i = 0; !r->failed && i < keras_length(o); i++)
        add_refs(r, keras_at(o, i), depth + 1);
}

/* Tensors that are given by name: those of attention, in this order. */
static void add_named(struct keras_refs *r)
{
    static const char *const names[] = { "query", "value", "key" };

    for (size_t i = 0; i < 3; i++) {
        struct json_object *o = keras_get(r->kwargs, names[i]);

        if (is_ref(o))
            add_ref(r, o);
        else if (o)
            add_refs(r, o, 0);
    }
}

void keras_arguments(struct json_object *node, struct keras_refs *r)
{
    struct json_object *args = keras_get(node, "args");

    if (json_object_is_type(node, json_type_object)) { /* Keras 3 */
        r->kwargs = keras_get(node, "kwargs");
        add_refs(r, args, 0);
    } else { /* a list of tensors, the first with the other arguments; or one alone */
        struct json_object *first = is_ref(node) ? node : keras_at(node, 0);

        if (is_ref(node))
            add_ref(r, node);
        for (size_t i = 0; !is_ref(node) && i < keras_length(node); i++)
            if (is_ref(keras_at(node, i)))
                add_ref(r, keras_at(node, i));
            else
                r->failed = true;
        r->kwargs = keras_at(first, 3);
    }
    add_named(r);
}

/* "input_layers": a list of references, or one alone. */
void keras_ends(struct json_object *o, struct keras_refs *r)
{
    if (is_ref(o))
        add_ref(r, o);
    for (size_t i = 0; !is_ref(o) && i < keras_length(o); i++)
        if (is_ref(keras_at(o, i)))
            add_ref(r, keras_at(o, i));
        else
            r->failed = true;
    r->failed = r->failed || r->n == 0;
}
