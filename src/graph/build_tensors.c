/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which of a node list's stored tensors are parameters, buffers or constants, where they lie, and
 * what they are at first. */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "ir.h"

static bool matches(const char *name, size_t n, const char *const *globs)
{
    for (size_t i = 0; i < n; i++)
        if (!fnmatch(globs[i], name, 0))
            return true;
    return false;
}

/* Names that frameworks give to tables which no optimiser touches. */
static bool is_buffer_name(const char *name)
{
    static const char *const ends[] = { "running_mean",
                                        "running_var",
                                        "num_batches_tracked",
                                        "inv_freq",
                                        "cos_cached",
                                        "sin_cached",
                                        "rotary.cos",
                                        "rotary.sin",
                                        ".cos",
                                        ".sin",
                                        "attn.masked_bias",
                                        "position_ids",
                                        NULL };

    for (size_t i = 0; ends[i]; i++)
        if (tw_str_ends(name, ends[i]))
            return true;
    return false;
}

static bool is_statistic(const struct tw_net *net, int value)
{
    for (size_t i = 0; i < net->nnode; i++) {
        const struct tw_node *n = &net->node[i];

        if (!strcmp(n->op, "BatchNormalization"))
            for (size_t j = 3; j < n->nin && j < 5; j++)
                if (n->in[j] == value)
                    return true;
    }
    return false;
}

/* A parameter or a buffer of its own storage, with the given stored value (may be empty). */
static int new_tensor(struct tw_build *b, const char *name, const struct tw_array *a, bool buffer)
{
    struct tw_layout *l = &b->g->layout;
    struct tw_param p = { .rank = a->rank, .n = a->n };
    struct tw_param *grown;
    size_t count = l->nparam + l->nbuffer;
    int v;

    for (int i = 0; i < a->rank; i++)
        p.dims[i] = a->dims[i];
    v = tw_b_value(b, buffer ? TW_V_BUFFER : TW_V_PARAM, TW_F32, a->rank, a->dims);
    if (v < 0)
        return -1;
    p.name = tw_strdup(name);
    grown = realloc(l->param, (count + 1) * sizeof *grown);
    if (grown)
        l->param = grown;
    b->g->val[v].name = tw_strdup(name);
    if (!p.name || !grown || !b->g->val[v].name) {
        free(p.name);
        tw_err_set(b->err, TW_ENOMEM, "out of memory for the parameters of the network");
        return -1;
    }
    p.role = buffer ? TW_ROLE_BUFFER : TW_ROLE_WEIGHT;
    p.filter_axis = -1;
    /* Parameters come first: a new one moves the buffers up. */
    if (buffer) {
        l->param[count] = p;
        b->g->val[v].index = l->nbuffer++;
    } else {
        memmove(&l->param[l->nparam + 1], &l->param[l->nparam], l->nbuffer * sizeof p);
        l->param[l->nparam] = p;
        b->g->val[v].index = l->nparam++;
    }
    b->g->val[v].active = !buffer;
    return v;
}

static int tensor_of(struct tw_build *b, int value, const char *name)
{
    const struct tw_value *x = &b->net->value[value];
    bool buffer = is_buffer_name(name) || is_statistic(b->net, value);

    if (b->o) {
        buffer = buffer && !matches(name, b->o->ntrain, b->o->train);
        buffer = buffer || matches(name, b->o->nfreeze, b->o->freeze);
    }
    return new_tensor(b, name, &x->init, buffer);
}

/* Reals that say what an operator is to do: no parameters, though a file may store them like
 * one. */
bool tw_b_is_setting(const struct tw_build *b, const struct tw_node *node, size_t slot)
{
    static const struct {
        const char *op;
        size_t first, last;
    } slots[] = { { "Clip", 1, 2 }, { "Dropout", 1, 2 }, { "OneHot", 1, 2 }, { "Pad", 1, 3 },
                  { "Pow", 1, 1 },  { "Range", 0, 2 },   { "Resize", 1, 3 }, { "Upsample", 1, 1 } };
    const struct tw_value *x = &b->net->value[node->in[slot]];

    if (b->o && x->name && matches(x->name, b->o->ntrain, b->o->train))
        return false;
    for (size_t i = 0; i < sizeof slots / sizeof slots[0]; i++)
        if (!strcmp(slots[i].op, node->op) && slot >= slots[i].first && slot <= slots[i].last)
            return x->is_init && x->init.data && (strcmp(node->op, "Pow") != 0 || x->init.n == 1);
    return false;
}

/* Initializers become values when something reads them, so that unused ones are left out. */
enum tw_status tw_b_tensor(struct tw_build *b, int value, bool constant)
{
    const struct tw_value *x = &b->net->value[value];
    struct tw_array a = { 0 };

    if (b->of[value] >= 0 || !x->is_init)
        return TW_OK;
    if (tw_dtype_is_real(x->init.dtype) && x->name && !constant) {
        b->of[value] = tensor_of(b, value, x->name);
        return b->of[value] < 0 ? b->err->code : TW_OK;
    }
    if (tw_array_copy(&a, &x->init, b->err))
        return b->err->code;
    b->of[value] = tw_b_const(b, &a);
    return b->of[value] < 0 ? b->err->code : TW_OK;
}

/* An alias that an exporter made of tensors with equal contents is a tensor of its own (torch
 * stores equal initializers once and names the others by Identity). */
bool tw_b_is_twin(const struct tw_build *b, const struct tw_node *node)
{
    const struct tw_value *x, *y;

    if (strcmp(node->op, "Identity") != 0 || node->nin != 1 || node->in[0] < 0 || node->out[0] < 0)
        return false;
    x = &b->net->value[node->in[0]];
    y = &b->net->value[node->out[0]];
    return x->is_init && tw_dtype_is_real(x->init.dtype) && !y->is_output && y->name &&
           strchr(y->name, '.');
}

enum tw_status tw_b_twin(struct tw_build *b, const struct tw_node *node)
{
    b->of[node->out[0]] = tensor_of(b, node->in[0], b->net->value[node->out[0]].name);
    return b->of[node->out[0]] < 0 ? b->err->code : TW_OK;
}

/* The value in the node list that holds a parameter or buffer; NULL: none. */
static const struct tw_value *holder(const struct tw_net *net, const char *name)
{
    int v = tw_net_find(net, name);

    if (v >= 0 && !net->value[v].is_init) /* a twin: its value is that of what it names */
        for (size_t j = 0; j < net->nnode; j++)
            if (net->node[j].nout && net->node[j].out[0] == v)
                v = net->node[j].in[0];
    return v < 0 ? NULL : &net->value[v];
}

static void copy_floats(const struct tw_array *a, float *to)
{
    for (size_t j = 0; j < a->n; j++)
        to[j] = (float)tw_array_real(a, j);
}

static enum tw_status copy_initial(struct tw_build *b)
{
    struct tw_graph *g = b->g;
    const size_t np = g->layout.nparam;

    for (size_t i = 0; i < np + g->layout.nbuffer; i++) {
        const struct tw_param *p = &g->layout.param[i];
        const struct tw_value *v = holder(b->net, p->name);
        float *to = g->initial_buffers + (i < np ? 0 : p->offset);

        if (!v || v->init.n != p->n)
            continue;
        if (i < np) {
            g->initial[i].draw = v->draw;
            if (!v->init.data)
                continue;
            to = g->initial[i].stored = tw_alloc(p->n, sizeof *to);
            if (!to)
                return tw_err_set(b->err, TW_ENOMEM, "out of memory for %s", p->name);
        }
        if (v->init.data)
            copy_floats(&v->init, to);
        else
            tw_draw(&v->draw, p->n, to);
    }
    return TW_OK;
}

/* Offsets, once all tensors are known, and the stored values. */
enum tw_status tw_b_store_initial(struct tw_build *b)
{
    struct tw_graph *g = b->g;
    struct tw_layout *l = &g->layout;

    for (size_t i = 0; i < l->nparam + l->nbuffer; i++) {
        size_t *total = i < l->nparam ? &l->n : &l->nb;

        l->param[i].offset = *total;
        *total += l->param[i].n;
    }
    g->initial = tw_alloc(l->nparam, sizeof *g->initial);
    g->initial_buffers = tw_alloc(l->nb, sizeof *g->initial_buffers);
    if (!g->initial || !g->initial_buffers)
        return tw_err_set(b->err, TW_ENOMEM, "out of memory for %zu buffers", l->nb);
    return copy_initial(b);
}
