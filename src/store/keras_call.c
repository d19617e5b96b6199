/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What the layers of keras.h are written with. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keras.h"

void keras_fail(struct keras_call *c, const char *fmt, ...)
{
    char msg[400];
    va_list ap;

    if (c->k->b.failed)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    (void)tw_err_set(c->k->b.err, TW_EFORMAT, "layer '%.80s' (%.60s): %s", c->name,
                     c->class ? c->class->name : "?", msg);
    c->k->b.failed = true;
}

static void no_memory(struct keras_call *c)
{
    if (!c->k->b.failed)
        (void)tw_err_set(c->k->b.err, TW_ENOMEM, "out of memory");
    c->k->b.failed = true;
}

void keras_snake(const char *s, struct tw_str *out)
{
    for (size_t i = 0; s[i]; i++) {
        const bool upper = isupper((unsigned char)s[i]),
                   lower_next = islower((unsigned char)s[i + 1]);

        if (!isalnum((unsigned char)s[i]) && s[i] != '_')
            continue;
        if (i > 0 && upper && (lower_next || islower((unsigned char)s[i - 1])))
            tw_str_add(out, "_");
        tw_str_addf(out, "%c", tolower((unsigned char)s[i]));
    }
}

/* ---- configuration --------------------------------------------------------------------------- */

struct json_object *keras_get(struct json_object *o, const char *key)
{
    struct json_object *value = NULL;

    if (json_object_is_type(o, json_type_object))
        (void)json_object_object_get_ex(o, key, &value);
    return value;
}

static void odd(struct keras_call *c, const char *key, struct json_object *o, const char *want)
{
    keras_fail(c, "'%s' is %.60s, expected %s", key, json_object_to_json_string(o), want);
}

double keras_real(struct keras_call *c, const char *key, double absent)
{
    struct json_object *o = keras_get(c->config, key);

    if (!o)
        return absent;
    if (!json_object_is_type(o, json_type_int) && !json_object_is_type(o, json_type_double))
        odd(c, key, o, "a number");
    return json_object_get_double(o);
}

int64_t keras_int(struct keras_call *c, const char *key, int64_t absent)
{
    struct json_object *o = keras_get(c->config, key);
    int64_t x;

    if (!o)
        return absent;
    x = json_object_get_int64(o);
    if (!json_object_is_type(o, json_type_int) || x > 1 << 24 || x < -(1 << 24)) {
        odd(c, key, o, "a whole number to 2^24");
        return absent;
    }
    return x;
}

bool keras_bool(struct keras_call *c, const char *key, bool absent)
{
    struct json_object *o = keras_get(c->config, key);

    if (o && !json_object_is_type(o, json_type_boolean))
        odd(c, key, o, "true or false");
    return o ? json_object_get_boolean(o) : absent;
}

const char *keras_text(struct keras_call *c, const char *key, const char *absent)
{
    struct json_object *o = keras_get(c->config, key);

    if (o && !json_object_is_type(o, json_type_string))
        odd(c, key, o, "a text");
    return o ? json_object_get_string(o) : absent;
}

bool keras_ints(struct keras_call *c, const char *key, int n, int64_t lo, int64_t *x)
{
    struct json_object *o = keras_get(c->config, key);
    const bool list = json_object_is_type(o, json_type_array);

    for (int i = 0; i < n; i++)
        x[i] = lo;
    if (!o)
        return false;
    if (list && json_object_array_length(o) != (size_t)n)
        odd(c, key, o, n == 1 ? "one number" : "one number for each axis");
    for (int i = 0; i < n && !c->k->b.failed; i++) {
        struct json_object *e = list ? json_object_array_get_idx(o, (size_t)i) : o;
        const int64_t v = json_object_get_int64(e);

        if (!json_object_is_type(e, json_type_int) || v < lo || v > 1 << 24)
            odd(c, key, o, lo > 0 ? "positive whole numbers" : "whole numbers");
        else
            x[i] = v;
    }
    return true;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

int keras_op(struct keras_call *c, const char *op, size_t nin, const int *in)
{
    struct tw_net_build *b = &c->k->b;
    const int y = tw_build_op(b, op, NULL, nin, in);
    struct tw_node *node;

    if (b->failed)
        return -1;
    node = &b->net->node[b->net->nnode - 1];
    node->name = tw_strdup(c->name);
    if (!node->name)
        no_memory(c);
    return y;
}

int keras_op1(struct keras_call *c, const char *op, int x)
{
    return keras_op(c, op, 1, &x);
}

int keras_op2(struct keras_call *c, const char *op, int x, int y)
{
    return keras_op(c, op, 2, (const int[]){ x, y });
}

int keras_transpose(struct keras_call *c, int x, int rank, const int64_t *perm)
{
    const int y = keras_op1(c, "Transpose", x);

    tw_build_ints(&c->k->b, "perm", (size_t)rank, perm);
    return y;
}

int keras_reshape(struct keras_call *c, int x, int rank, const int64_t *dims)
{
    return keras_op2(c, "Reshape", x, tw_build_const_ints(&c->k->b, (size_t)rank, dims));
}

int keras_same(struct keras_call *c, size_t n, double x)
{
    struct tw_array a = { 0 };

    if (c->k->b.failed || tw_array_make(&a, TW_F32, 1, &n, c->k->b.err) != TW_OK) {
        c->k->b.failed = true;
        return -1;
    }
    for (size_t i = 0; i < n; i++)
        tw_array_set_real(&a, i, x);
    return tw_build_const_array(&c->k->b, &a);
}

/* ---- weights --------------------------------------------------------------------------------- */

/* The array of the file, under its own name or by class; NULL: none. */
static struct tw_array *stored(struct keras_call *c, const char *name, const char *folder)
{
    return tw_named_find(&c->k->file->weights, c->k->file->by_class ? folder : name);
}

static bool same_shape(const struct tw_array *a, int rank, const int64_t *dims)
{
    bool same = a->rank == rank;

    for (int i = 0; same && i < rank; i++)
        same = (int64_t)a->dims[i] == dims[i];
    return same;
}

static void wrong_shape(struct keras_call *c, const char *name, const struct tw_array *a, int rank,
                        const int64_t *dims)
{
    struct tw_str has = { 0 }, wants = { 0 };

    tw_array_describe(a->dtype, a->rank, a->dims, &has);
    for (int i = 0; i < rank; i++)
        tw_str_addf(&wants, "%s%lld", i ? "," : "", (long long)dims[i]);
    keras_fail(c, "its %s is %s, expected [%s]", name, has.s ? has.s : "?", wants.s ? wants.s : "");
    tw_str_release(&has);
    tw_str_release(&wants);
}

/* The name of the variable I of this layer in files by class. */
static void place(struct keras_call *c, const char *name, struct tw_str *folder)
{
    static const char *const subs[][2] = { { "query/", "query_dense" },
                                           { "key/", "key_dense" },
                                           { "value/", "value_dense" },
                                           { "attention_output/", "output_dense" } };
    const char *sub = NULL;

    for (size_t i = 0; i < 4; i++)
        if (!strncmp(name, subs[i][0], strlen(subs[i][0])))
            sub = subs[i][1];
    if (sub != c->sub)
        c->next = 0;
    c->sub = sub;
    tw_str_addf(folder, "%s/%s%svars/%zu", c->folder, sub ? sub : "", sub ? "/" : "", c->next++);
}

/* The array as an initializer, if it is one that can be. */
static int take(struct keras_call *c, const char *name, struct tw_array *a, const char *full,
                const char *folder, int rank, const int64_t *dims)
{
    struct tw_net_build *b = &c->k->b;
    int value = -1;

    if (!a)
        keras_fail(c, "the file has no weight '%.100s'", c->k->file->by_class ? folder : full);
    else if (!tw_dtype_is_real(a->dtype))
        keras_fail(c, "its %s is %s; bfloat16 and whole numbers are not read", name,
                   tw_dtype_name(a->dtype));
    else if (!same_shape(a, rank, dims))
        wrong_shape(c, name, a, rank, dims);
    else
        value = tw_net_init(b->net, full, a, b->err);
    b->failed = b->failed || value < 0;
    if (!b->failed && !(b->net->value[value].alias = tw_strdup(folder)))
        no_memory(c);
    return value;
}

int keras_param(struct keras_call *c, const char *name, const char *other, int rank,
                const int64_t *dims)
{
    struct tw_str full = { 0 }, folder = { 0 };
    struct tw_net_build *b = &c->k->b;
    struct tw_array *a = NULL;
    int value = -1;

    if (b->failed)
        return -1;
    tw_str_addf(&full, "%s/%s", c->name, name);
    place(c, name, &folder);
    if (!full.failed && !folder.failed)
        a = stored(c, full.s, folder.s);
    if (!full.failed && !a && other && !c->k->file->by_class) {
        tw_str_clear(&full);
        tw_str_addf(&full, "%s/%s", c->name, other);
        a = full.failed ? NULL : stored(c, full.s, folder.s);
    }
    if (full.failed || folder.failed)
        no_memory(c);
    else
        value = tw_net_find(b->net, full.s); /* there if the layer is called again */
    if (!b->failed && value < 0)
        value = take(c, name, a, full.s, folder.s, rank, dims);
    tw_str_release(&full);
    tw_str_release(&folder);
    return b->failed ? -1 : value;
}

/* ---- the two forms --------------------------------------------------------------------------- */

int keras_last(struct keras_call *c, struct keras_tensor *t)
{
    int64_t perm[KERAS_RANK + 1] = { 0 };

    if (t->last >= 0 || c->k->b.failed)
        return t->last;
    for (int i = 1; i < t->rank; i++)
        perm[i] = i + 1;
    perm[t->rank] = 1;
    t->last = keras_transpose(c, t->first, t->rank + 1, perm);
    return t->last;
}

int keras_first(struct keras_call *c, struct keras_tensor *t)
{
    int64_t perm[KERAS_RANK + 1] = { 0 };

    if (t->rank == 1)
        return t->last;
    if (t->first >= 0 || c->k->b.failed)
        return t->first;
    perm[1] = t->rank;
    for (int i = 2; i <= t->rank; i++)
        perm[i] = i - 1;
    t->first = keras_transpose(c, t->last, t->rank + 1, perm);
    return t->first;
}

int *keras_like(struct keras_call *c, struct keras_tensor *t, int *x)
{
    const bool first = t->first >= 0 && t->rank > 1;

    c->out.rank = t->rank;
    memcpy(c->out.dims, t->dims, sizeof t->dims);
    c->out.first = c->out.last = -1;
    *x = first ? t->first : t->last;
    return first ? &c->out.first : &c->out.last;
}

int keras_axis(struct keras_call *c, const struct keras_tensor *t, int64_t axis)
{
    const int64_t a = axis < 0 ? axis + t->rank + 1 : axis;

    if (a >= 1 && a <= t->rank)
        return (int)a;
    keras_fail(c, "axis %lld of a tensor with %d axes and the batch", (long long)axis, t->rank);
    return 0;
}
