/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Building a node list: values, inputs, initializers, nodes. */
#include "names.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

static int out_of_memory(struct tw_err *err)
{
    (void)tw_err_set(err, TW_ENOMEM, "out of memory for the node list");
    return -1;
}

struct tw_net *tw_net_new(const char *source, struct tw_err *err)
{
    struct tw_net *net = tw_alloc(1, sizeof *net);

    if (net) {
        net->opset = 17;
        net->source = tw_strdup(source ? source : "");
        net->names = tw_alloc(1, sizeof *net->names);
    }
    if (!net || !net->source || !net->names) {
        (void)out_of_memory(err);
        tw_net_free(net);
        return NULL;
    }
    return net;
}

static void node_release(struct tw_node *node)
{
    for (size_t i = 0; i < node->nattr; i++) {
        free(node->attr[i].name);
        free(node->attr[i].text);
        free(node->attr[i].ints);
        free(node->attr[i].reals);
        tw_array_release(&node->attr[i].array);
    }
    free(node->attr);
    free(node->op);
    free(node->name);
    free(node->in);
    free(node->out);
}

void tw_net_free(struct tw_net *net)
{
    if (!net)
        return;
    for (size_t i = 0; i < net->nvalue; i++) {
        free(net->value[i].name);
        free(net->value[i].alias);
        tw_array_release(&net->value[i].init);
    }
    for (size_t i = 0; i < net->nnode; i++)
        node_release(&net->node[i]);
    free(net->value);
    free(net->node);
    free(net->input);
    free(net->output);
    tw_names_free(net->names);
    free(net->producer);
    free(net->source);
    free(net->loss);
    free(net);
}

/* ---- values ---------------------------------------------------------------------------------- */

int tw_net_find(const struct tw_net *net, const char *name)
{
    size_t at;

    return tw_names_find(net->names, name, &at) ? (int)at : -1;
}

int tw_net_value(struct tw_net *net, const char *name, struct tw_err *err)
{
    char fresh[32];
    struct tw_str s = { 0 };
    struct tw_value *v;
    char *copy;
    size_t at;

    if (name && *name && tw_names_find(net->names, name, &at))
        return (int)at;
    if (net->nvalue >= INT_MAX)
        return out_of_memory(err);
    if (!name || !*name) {
        size_t k = net->nvalue;

        do {
            tw_str_clear(&s);
            tw_str_addf(&s, "value.%zu", k++);
        } while (s.s && tw_names_find(net->names, s.s, &at));
        if (s.failed || !s.s || s.n >= sizeof fresh) {
            tw_str_release(&s);
            return out_of_memory(err);
        }
        memcpy(fresh, s.s, s.n + 1);
        tw_str_release(&s);
        name = fresh;
    }
    if (!tw_grow(&net->value, net->nvalue, &net->cap_value, sizeof *net->value) ||
        !tw_names_reserve(net->names) || !(copy = tw_strdup(name)))
        return out_of_memory(err);
    if (!tw_names_add(net->names, copy, net->nvalue)) {
        free(copy);
        return out_of_memory(err);
    }
    v = &net->value[net->nvalue];
    memset(v, 0, sizeof *v);
    v->name = copy;
    v->rank = -1;
    v->made_by = -1;
    return (int)net->nvalue++;
}

static bool known(const struct tw_net *net, int value)
{
    return value >= 0 && (size_t)value < net->nvalue;
}

int tw_net_input(struct tw_net *net, const char *name, enum tw_dtype t, int rank,
                 const int64_t *dims, struct tw_err *err)
{
    struct tw_value *v;
    int i;

    if (rank < -1 || rank > TW_MAX_RANK) {
        (void)tw_err_set(err, TW_EFORMAT, "input '%s' has %d dimensions; at most %d are supported",
                         name ? name : "", rank, TW_MAX_RANK);
        return -1;
    }
    i = tw_net_value(net, name, err);
    if (i < 0)
        return -1;
    v = &net->value[i];
    if (v->is_input || v->made_by >= 0) {
        (void)tw_err_set(err, TW_EFORMAT,
                         v->is_input ? "input '%s' is declared twice"
                                     : "input '%s' is the output of a node as well",
                         v->name);
        return -1;
    }
    v->dtype = t;
    v->rank = rank;
    for (int d = 0; d < rank; d++)
        v->dims[d] = dims[d] < 0 ? TW_DIM_UNKNOWN : dims[d];
    if (v->is_init)
        return i;
    if (!tw_grow(&net->input, net->ninput, &net->cap_input, sizeof *net->input))
        return out_of_memory(err);
    net->input[net->ninput++] = i;
    v->is_input = true;
    return i;
}

enum tw_status tw_net_output(struct tw_net *net, int value, struct tw_err *err)
{
    if (!known(net, value))
        return tw_err_set(err, TW_EINVAL, "output: there is no value %d", value);
    if (net->value[value].is_output)
        return tw_err_set(err, TW_EFORMAT, "output '%s' is declared twice", net->value[value].name);
    if (!tw_grow(&net->output, net->noutput, &net->cap_output, sizeof *net->output)) {
        (void)out_of_memory(err);
        return TW_ENOMEM;
    }
    net->output[net->noutput++] = value;
    net->value[value].is_output = true;
    return TW_OK;
}

int tw_net_init(struct tw_net *net, const char *name, struct tw_array *a, struct tw_err *err)
{
    int i = tw_net_value(net, name, err);
    struct tw_value *v;

    if (i < 0)
        return -1;
    v = &net->value[i];
    if (v->is_init || v->is_input || v->made_by >= 0) {
        (void)tw_err_set(err, TW_EFORMAT, "initializer '%s' is %s as well", v->name,
                         v->is_init    ? "another initializer"
                         : v->is_input ? "an input"
                                       : "the output of a node");
        return -1;
    }
    v->dtype = a->dtype;
    v->rank = a->rank;
    for (int d = 0; d < a->rank; d++)
        v->dims[d] = (int64_t)a->dims[d];
    v->init = *a;
    v->is_init = true;
    memset(a, 0, sizeof *a);
    return i;
}

int tw_net_ints(struct tw_net *net, const char *name, size_t n, const int64_t *x,
                struct tw_err *err)
{
    struct tw_array a;
    int i;

    if (tw_array_make(&a, TW_I64, 1, &n, err) != TW_OK)
        return -1;
    if (n)
        memcpy(a.data, x, n * sizeof *x);
    i = tw_net_init(net, name, &a, err);
    tw_array_release(&a);
    return i;
}

int tw_net_real(struct tw_net *net, const char *name, double x, struct tw_err *err)
{
    struct tw_array a;
    int i;

    if (tw_array_make(&a, TW_F32, 0, NULL, err) != TW_OK)
        return -1;
    tw_array_set_real(&a, 0, x);
    i = tw_net_init(net, name, &a, err);
    tw_array_release(&a);
    return i;
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static bool check_ends(const struct tw_net *net, const char *op, size_t nin, const int *in,
                       size_t nout, const int *out, struct tw_err *err)
{
    for (size_t i = 0; i < nin; i++)
        if (in[i] != -1 && !known(net, in[i])) {
            (void)tw_err_set(err, TW_EINVAL, "a node (%s) reads value %d, which there is not", op,
                             in[i]);
            return false;
        }
    for (size_t i = 0; i < nout; i++) {
        const struct tw_value *v;

        if (out[i] == -1)
            continue;
        if (!known(net, out[i])) {
            (void)tw_err_set(err, TW_EINVAL, "a node (%s) makes value %d, which there is not", op,
                             out[i]);
            return false;
        }
        v = &net->value[out[i]];
        if (v->is_input || v->is_init || v->made_by >= 0) {
            (void)tw_err_set(err, TW_EFORMAT, "'%s', the output of a node (%s), is %s as well",
                             v->name, op,
                             v->is_input  ? "an input"
                             : v->is_init ? "an initializer"
                                          : "the output of another node");
            return false;
        }
    }
    return true;
}

static bool copy_ends(int **to, size_t n, const int *from)
{
    *to = tw_alloc(n, sizeof **to);
    if (*to && n)
        memcpy(*to, from, n * sizeof **to);
    return *to != NULL;
}

int tw_net_node(struct tw_net *net, const char *op, const char *name, size_t nin, const int *in,
                size_t nout, const int *out, struct tw_err *err)
{
    struct tw_node node = { .nin = nin, .nout = nout };

    if (!check_ends(net, op, nin, in, nout, out, err))
        return -1;
    node.op = tw_strdup(op);
    node.name = tw_strdup(name);
    if (net->nnode >= INT_MAX || !node.op || (name && !node.name) ||
        !copy_ends(&node.in, nin, in) || !copy_ends(&node.out, nout, out) ||
        !tw_grow(&net->node, net->nnode, &net->cap_node, sizeof *net->node)) {
        node_release(&node);
        return out_of_memory(err);
    }
    for (size_t i = 0; i < nout; i++) {
        if (out[i] < 0)
            continue;
        if (net->value[out[i]].made_by >= 0) { /* named twice by this very node */
            (void)tw_err_set(err, TW_EFORMAT, "a node (%s) makes '%s' twice", op,
                             net->value[out[i]].name);
            while (i-- > 0)
                if (out[i] >= 0)
                    net->value[out[i]].made_by = -1;
            node_release(&node);
            return -1;
        }
        net->value[out[i]].made_by = (int)net->nnode;
    }
    net->node[net->nnode] = node;
    return (int)net->nnode++;
}

int tw_net_op(struct tw_net *net, const char *op, const char *out_name, size_t nin, const int *in,
              struct tw_err *err)
{
    const int out = tw_net_value(net, out_name, err);

    if (out < 0 || tw_net_node(net, op, NULL, nin, in, 1, &out, err) < 0)
        return -1;
    return out;
}
