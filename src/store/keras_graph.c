/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From the configuration of a model, Sequential or Functional, to calls of its layers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keras.h"

/* A model, perhaps within another. */
struct model {
    struct keras *k;
    const char *name;   /* "" or "encoder/" */
    const char *folder; /* "" or "layers/functional/" */
    int depth;
    size_t n;
    struct layer {
        const char *name, *class;
        struct json_object *config, *nodes;
        struct tw_str full, folder;
        size_t ncalls;
        struct call {
            bool done;
            size_t nout;
            struct keras_tensor *out;
        } * call;
    } * layer;
    struct layer **sorted; /* by name */
};

static void build_model(struct keras *k, struct json_object *config, const char *name,
                        const char *folder, int depth, size_t nin, struct keras_tensor **in,
                        size_t *nout, struct keras_tensor **out);

static void fail(struct keras *k, const char *fmt, ...) TW_PRINTF(2, 3);
static void fail(struct keras *k, const char *fmt, ...)
{
    char msg[400];
    va_list ap;

    if (k->b.failed)
        return;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    (void)tw_err_set(k->b.err, TW_EFORMAT, "%s", msg);
    k->b.failed = true;
}

static void no_memory(struct keras *k)
{
    (void)tw_err_set(k->b.err, TW_ENOMEM, "out of memory");
    k->b.failed = true;
}

/* Extents of outputs are sums and products of those of inputs: what is checked here keeps them far
 * from overflow. */
static bool good_size(const struct keras_tensor *t)
{
    int64_t n = 1;

    for (int i = 0; i < t->rank; i++) {
        if (t->dims[i] < 1 || t->dims[i] > ((int64_t)1 << 31) / n)
            return false;
        n *= t->dims[i];
    }
    return true;
}

/* ---- inputs ---------------------------------------------------------------------------------- */

/* [null, 28, 28, 1], with the batch. */
static struct json_object *batch_shape(struct json_object *config)
{
    static const char *const keys[] = { "batch_shape", "batch_input_shape" };
    struct json_object *o = NULL;

    for (size_t i = 0; i < 2 && !o; i++)
        o = keras_get(config, keys[i]);
    return json_object_is_type(o, json_type_array) ? o : NULL;
}

static void make_input(struct keras *k, const char *name, struct json_object *shape,
                       const char *type, struct keras_tensor *t)
{
    const bool whole = type && (!strncmp(type, "int", 3) || !strncmp(type, "uint", 4));

    t->rank = (int)keras_length(shape) - 1;
    if (t->rank < 1 || t->rank > KERAS_RANK - 1) {
        fail(k, "input '%.80s' has %d extents beside the batch; 1 to %d are read", name, t->rank,
             KERAS_RANK - 1);
        return;
    }
    for (int i = 0; i < t->rank; i++) {
        struct json_object *d = keras_at(shape, (size_t)i + 1);

        t->dims[i] = json_object_is_type(d, json_type_int) ? json_object_get_int64(d) : 0;
        if (t->dims[i] < 1 || t->dims[i] > 1 << 24) {
            fail(k,
                 "input '%.80s' has no fixed shape (%s); build the model with one "
                 "(keras.Input(shape=...)) and save it again",
                 name, json_object_to_json_string(shape));
            return;
        }
    }
    if (!good_size(t)) {
        fail(k, "input '%.80s' has more than 2^31 elements", name);
        return;
    }
    t->last = tw_build_input(&k->b, name, whole ? TW_I64 : TW_F32, t->rank, t->dims);
    t->first = t->rank == 1 ? t->last : -1;
    t->is_input = true;
}

/* The tensor that an input of a model stands for: the caller's, or one of the network's. */
static void bind_input(struct model *m, const char *name, struct json_object *config, size_t which,
                       size_t nin, struct keras_tensor **in, struct keras_tensor *t)
{
    struct json_object *shape = batch_shape(config), *type = keras_get(config, "dtype");

    if (which < nin)
        *t = *in[which];
    else if (m->depth > 0)
        fail(m->k, "model '%.80s' is called with %zu inputs, but has more", m->name, nin);
    else if (!shape)
        fail(m->k, "input '%.80s' does not say its shape; build the model before it is saved",
             name);
    else
        make_input(
            m->k, name, shape,
            json_object_is_type(type, json_type_string) ? json_object_get_string(type) : NULL, t);
}

/* ---- layers ---------------------------------------------------------------------------------- */

static int by_name(const void *pa, const void *pb)
{
    const struct layer *a = *(struct layer *const *)pa, *b = *(struct layer *const *)pb;

    return strcmp(a->name, b->name);
}

/* The name of the layer's folder in files that go by class: the first "dense", then "dense_1". */
static void folder_of(const struct model *m, size_t i)
{
    struct layer *l = &m->layer[i];
    size_t same = 0;

    for (size_t j = 0; j < i; j++)
        same += !strcmp(m->layer[j].class, l->class);
    tw_str_add(&l->folder, m->folder);
    tw_str_add(&l->folder, "layers/");
    keras_snake(l->class, &l->folder);
    if (same)
        tw_str_addf(&l->folder, "_%zu", same);
}

static void list_layers(struct model *m, struct json_object *layers)
{
    struct keras *k = m->k;

    m->n = keras_length(layers);
    if (m->n == 0 || m->n > KERAS_MAX_LAYERS) {
        fail(k, "%s%.80s has %zu layers; 1 to %d are read", *m->name ? "model " : "the model",
             m->name, m->n, KERAS_MAX_LAYERS);
        m->n = 0;
        return;
    }
    m->layer = tw_alloc(m->n, sizeof *m->layer);
    if (!m->layer) {
        m->n = 0;
        no_memory(k);
    }
    for (size_t i = 0; i < m->n && !k->b.failed; i++) {
        struct json_object *o = keras_at(layers, i);
        struct layer *l = &m->layer[i];

        l->class = keras_word(o, "class_name");
        l->config = keras_get(o, "config");
        l->nodes = keras_get(o, "inbound_nodes");
        l->name = keras_word(o, "name");
        if (!l->name)
            l->name = keras_word(l->config, "name");
        if (!l->class || !l->name || !json_object_is_type(l->config, json_type_object)) {
            fail(k, "layer %zu of %s%.80s has no class, name or configuration", i,
                 *m->name ? "model " : "the model", m->name);
            return;
        }
        tw_str_addf(&l->full, "%s%s", m->name, l->name);
        folder_of(m, i);
        if (l->full.failed || l->folder.failed)
            no_memory(k);
    }
}

/* A call of layer l, with its outputs into c. */
static void run(struct model *m, const struct layer *l, struct call *c, struct json_object *kwargs,
                size_t nin, struct keras_tensor **in)
{
    struct keras_call call = { .k = m->k,
                               .config = l->config,
                               .kwargs = kwargs,
                               .name = l->full.s,
                               .folder = l->folder.s,
                               .nin = nin,
                               .in = in,
                               .out = { .last = -1, .first = -1 } };

    c->done = true;
    if (++m->k->calls > KERAS_MAX_CALLS) {
        fail(m->k, "layers are called more than %d times", (int)KERAS_MAX_CALLS);
        return;
    }
    if (keras_is_model(l->class)) {
        struct tw_str name = { 0 }, folder = { 0 };

        tw_str_addf(&name, "%s/", l->full.s);
        tw_str_addf(&folder, "%s/", l->folder.s);
        if (name.failed || folder.failed)
            no_memory(m->k);
        else
            build_model(m->k, l->config, name.s, folder.s, m->depth + 1, nin, in, &c->nout,
                        &c->out);
        tw_str_release(&name);
        tw_str_release(&folder);
        return;
    }
    c->out = tw_alloc(1, sizeof *c->out);
    if (!c->out) {
        no_memory(m->k);
        return;
    }
    c->nout = 1;
    call.class = keras_class_find(l->class);
    if (!call.class) {
        const char *near = keras_class_nearest(l->class);

        fail(m->k, "layer '%.80s' is of class %.60s, which is not known%s%s%s", l->full.s, l->class,
             near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
        return;
    }
    if (nin == 0 || (call.class->inputs && nin != call.class->inputs)) {
        keras_fail(&call, "it has %zu inputs", nin);
        return;
    }
    m->k->regularised += keras_get(l->config, "kernel_regularizer") != NULL;
    call.class->lower(&call);
    if (!m->k->b.failed && call.out.last < 0 && call.out.first < 0)
        keras_fail(&call, "it gives nothing");
    if (!m->k->b.failed && !good_size(&call.out))
        keras_fail(&call, "it gives more than 2^31 elements a sample");
    *c->out = call.out;
}

/* ---- the calls of a Functional model --------------------------------------------------------- */

static struct layer *find(const struct model *m, const char *name)
{
    const struct layer key = { .name = name };
    const struct layer *pkey = &key;
    struct layer **found = bsearch(&pkey, m->sorted, m->n, sizeof *m->sorted, by_name);

    return found ? *found : NULL;
}

/* The tensor, NULL if it is not made yet. */
static struct keras_tensor *tensor_of(const struct model *m, const struct keras_ref *ref)
{
    struct layer *l = find(m, ref->layer);
    struct call *c;

    if (!l || ref->call >= l->ncalls) {
        fail(m->k, "a layer takes the output of call %zu of '%.80s', which there is not", ref->call,
             ref->layer);
        return NULL;
    }
    c = &l->call[ref->call];
    if (c->done && ref->tensor >= c->nout)
        fail(m->k, "a layer takes output %zu of '%.80s', which has %zu", ref->tensor, ref->layer,
             c->nout);
    return c->done && ref->tensor < c->nout ? &c->out[ref->tensor] : NULL;
}

/* Run the call if all that it takes is there. */
static bool try_call(struct model *m, struct layer *l, size_t i)
{
    struct keras_refs r = { 0 };
    struct keras_tensor **in;
    size_t have = 0;

    keras_arguments(keras_at(l->nodes, i), &r);
    in = tw_alloc(r.n, sizeof *in);
    if (!in)
        no_memory(m->k);
    else if (r.failed)
        fail(m->k,
             "layer '%.80s' (%.60s): its arguments are not all tensors, which is not supported",
             l->full.s, l->class);
    while (have < r.n && !m->k->b.failed && (in[have] = tensor_of(m, &r.v[have])) != NULL)
        have++;
    if (have == r.n && !m->k->b.failed)
        run(m, l, &l->call[i], r.kwargs, r.n, in);
    free(in);
    free(r.v);
    return l->call && l->call[i].done;
}

static void bind_inputs(struct model *m, struct json_object *config, size_t nin,
                        struct keras_tensor **in)
{
    struct keras_refs r = { 0 };

    keras_ends(keras_get(config, "input_layers"), &r);
    if (r.failed)
        fail(m->k, "input_layers is not a list of layers");
    for (size_t i = 0; i < r.n && !m->k->b.failed; i++) {
        struct layer *l = find(m, r.v[i].layer);

        if (!l || l->ncalls == 0 || l->call[0].done) {
            fail(m->k, "input_layers: there is no input '%.80s'", r.v[i].layer);
            break;
        }
        l->call[0].out = tw_alloc(1, sizeof *l->call[0].out);
        l->call[0].nout = 1;
        l->call[0].done = true;
        if (l->call[0].out)
            bind_input(m, l->name, l->config, i, nin, in, l->call[0].out);
        else
            no_memory(m->k);
    }
    free(r.v);
}

static void take_outputs(struct model *m, struct json_object *config, size_t *nout,
                         struct keras_tensor **out)
{
    struct keras_refs r = { 0 };

    keras_ends(keras_get(config, "output_layers"), &r);
    if (r.failed)
        fail(m->k, "output_layers is not a list of layers");
    *out = tw_alloc(r.n, sizeof **out);
    *nout = *out ? r.n : 0;
    if (!*out)
        no_memory(m->k);
    for (size_t i = 0; i < r.n && !m->k->b.failed; i++) {
        const struct keras_tensor *t = tensor_of(m, &r.v[i]);

        if (t)
            (*out)[i] = *t;
        else
            fail(m->k, "output '%.80s' is never computed", r.v[i].layer);
    }
    free(r.v);
}

static void make_calls(struct model *m)
{
    m->sorted = tw_alloc(m->n, sizeof *m->sorted);
    if (!m->sorted)
        no_memory(m->k);
    for (size_t i = 0; i < m->n && !m->k->b.failed; i++) {
        struct layer *l = &m->layer[i];
        const size_t n = keras_length(l->nodes);

        m->sorted[i] = l;
        l->call = tw_alloc(n ? n : 1, sizeof *l->call);
        l->ncalls = l->call ? (n ? n : 1) : 0;
        if (!l->call)
            no_memory(m->k);
    }
    if (m->k->b.failed)
        return;
    qsort(m->sorted, m->n, sizeof *m->sorted, by_name);
    for (size_t i = 1; i < m->n; i++)
        if (!strcmp(m->sorted[i - 1]->name, m->sorted[i]->name))
            fail(m->k, "two layers are called '%.80s'", m->sorted[i]->name);
}

static void run_functional(struct model *m, struct json_object *config, size_t nin,
                           struct keras_tensor **in, size_t *nout, struct keras_tensor **out)
{
    bool progress = true;

    make_calls(m);
    if (!m->k->b.failed)
        bind_inputs(m, config, nin, in);
    /* Layers are mostly in the order of computation: the second pass finds nothing to do. */
    while (progress && !m->k->b.failed) {
        progress = false;
        for (size_t i = 0; i < m->n; i++)
            for (size_t j = 0; j < keras_length(m->layer[i].nodes) && !m->k->b.failed; j++)
                if (!m->layer[i].call[j].done)
                    progress = try_call(m, &m->layer[i], j) || progress;
    }
    if (!m->k->b.failed)
        take_outputs(m, config, nout, out);
}

/* ---- Sequential models ----------------------------------------------------------------------- */

static void run_sequential(struct model *m, struct json_object *config, size_t nin,
                           struct keras_tensor **in, size_t *nout, struct keras_tensor **out)
{
    struct json_object *shape = keras_get(config, "build_input_shape");
    struct json_object *first = m->n ? m->layer[0].config : NULL;
    struct keras_tensor t = { .last = -1, .first = -1 }, *pt = &t;
    const bool named = m->n && !strcmp(m->layer[0].class, "InputLayer");

    if (named || nin > 0 || batch_shape(first))
        bind_input(m, named ? m->layer[0].name : "input", first, 0, nin, in, &t);
    else if (keras_length(shape))
        make_input(m->k, "input", shape, NULL, &t);
    else
        fail(m->k, "the model does not say the shape of its input; build it before it is saved "
                   "(model.build(...), or an Input)");
    for (size_t i = named ? 1 : 0; i < m->n && !m->k->b.failed; i++) {
        struct call c = { 0 };

        run(m, &m->layer[i], &c, NULL, 1, &pt);
        if (!m->k->b.failed && c.nout == 1)
            t = c.out[0];
        else
            fail(m->k, "layer '%.80s' has %zu outputs in a Sequential model", m->layer[i].full.s,
                 c.nout);
        free(c.out);
    }
    *out = tw_alloc(1, sizeof **out);
    *nout = *out ? 1 : 0;
    if (*out)
        **out = t;
    else
        no_memory(m->k);
}

/* ---- both ------------------------------------------------------------------------------------ */

static void build_model(struct keras *k, struct json_object *config, const char *name,
                        const char *folder, int depth, size_t nin, struct keras_tensor **in,
                        size_t *nout, struct keras_tensor **out)
{
    struct model m = { .k = k, .name = name, .folder = folder, .depth = depth };
    /* The first versions of Keras 2 wrote a Sequential model as the list of its layers. */
    struct json_object *layers =
        json_object_is_type(config, json_type_array) ? config : keras_get(config, "layers");

    if (depth > KERAS_MAX_DEPTH) {
        fail(k, "models are nested more than %d deep", KERAS_MAX_DEPTH);
        return;
    }
    list_layers(&m, layers);
    if (!k->b.failed && keras_get(config, "output_layers"))
        run_functional(&m, config, nin, in, nout, out);
    else if (!k->b.failed)
        run_sequential(&m, config, nin, in, nout, out);
    for (size_t i = 0; i < m.n; i++) {
        for (size_t j = 0; j < m.layer[i].ncalls; j++)
            free(m.layer[i].call[j].out);
        free(m.layer[i].call);
        tw_str_release(&m.layer[i].full);
        tw_str_release(&m.layer[i].folder);
    }
    free(m.layer);
    free(m.sorted);
}

void keras_build(struct keras *k, struct json_object *config, size_t *nout,
                 struct keras_tensor **out)
{
    build_model(k, config, "", "", 0, 0, NULL, nout, out);
}
