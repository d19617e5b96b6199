/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Nodes in an order in which they can be computed. */
#include "thalweg/tensor.h"

#include <stdlib.h>
#include <string.h>

enum state { NEW, OPEN, DONE };

struct walk {
    struct tw_net *net;
    enum state *state;
    size_t *stack, *next; /* nodes being looked at, and the input of each that comes next */
    size_t *order;
    size_t ndone;
};

static const char *name_of(const struct tw_node *node)
{
    return node->name ? node->name : "";
}

/* The node that makes input i and has to come before, or -1: nothing to wait for. */
static enum tw_status before(const struct tw_net *net, const struct tw_node *node, size_t i,
                             int *maker, struct tw_err *err)
{
    const struct tw_value *v;

    *maker = -1;
    if (node->in[i] < 0)
        return TW_OK;
    v = &net->value[node->in[i]];
    if (v->made_by < 0 && !v->is_input && !v->is_init)
        return tw_err_set(err, TW_EFORMAT, "nothing makes '%s', which node '%s' (%s) reads",
                          v->name, name_of(node), node->op);
    *maker = v->made_by;
    return TW_OK;
}

/* Depth first, with a stack of our own: what a node reads comes just before it, and nodes that
 * are in order already stay where they are. */
static enum tw_status visit(struct walk *w, size_t root, struct tw_err *err)
{
    size_t depth = 0;

    if (w->state[root] == DONE)
        return TW_OK;
    w->stack[0] = root;
    w->next[0] = 0;
    w->state[root] = OPEN;
    for (;;) {
        const size_t at = w->stack[depth];
        const struct tw_node *node = &w->net->node[at];
        enum tw_status rc;
        int maker;

        if (w->next[depth] == node->nin) {
            w->state[at] = DONE;
            w->order[w->ndone++] = at;
            if (depth == 0)
                return TW_OK;
            depth--;
            continue;
        }
        rc = before(w->net, node, w->next[depth]++, &maker, err);
        if (rc != TW_OK)
            return rc;
        if (maker < 0 || w->state[maker] == DONE)
            continue;
        if (w->state[maker] == OPEN)
            return tw_err_set(err, TW_EFORMAT,
                              "a cycle: node '%s' (%s) reads '%s', which depends on its own output",
                              name_of(node), node->op,
                              w->net->value[node->in[w->next[depth] - 1]].name);
        depth++;
        w->stack[depth] = (size_t)maker;
        w->next[depth] = 0;
        w->state[maker] = OPEN;
    }
}

static enum tw_status reorder(struct walk *w, struct tw_err *err)
{
    struct tw_net *net = w->net;
    struct tw_node *sorted = tw_alloc(net->cap_node, sizeof *sorted);

    if (!sorted)
        return tw_err_set(err, TW_ENOMEM, "out of memory for %zu nodes", net->nnode);
    for (size_t i = 0; i < net->nnode; i++) {
        sorted[i] = net->node[w->order[i]];
        for (size_t k = 0; k < sorted[i].nout; k++)
            if (sorted[i].out[k] >= 0)
                net->value[sorted[i].out[k]].made_by = (int)i;
    }
    free(net->node);
    net->node = sorted;
    return TW_OK;
}

enum tw_status tw_net_sort(struct tw_net *net, struct tw_err *err)
{
    struct walk w = { .net = net };
    enum tw_status rc = TW_OK;

    w.state = tw_alloc(net->nnode, sizeof *w.state);
    w.stack = tw_alloc(net->nnode, sizeof *w.stack);
    w.next = tw_alloc(net->nnode, sizeof *w.next);
    w.order = tw_alloc(net->nnode, sizeof *w.order);
    if (!w.state || !w.stack || !w.next || !w.order)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory for %zu nodes", net->nnode);
    for (size_t i = 0; rc == TW_OK && i < net->nnode; i++)
        rc = visit(&w, i, err);
    for (size_t i = 0; rc == TW_OK && i < net->noutput; i++) {
        const struct tw_value *v = &net->value[net->output[i]];

        if (v->made_by < 0 && !v->is_input && !v->is_init)
            rc = tw_err_set(err, TW_EFORMAT, "nothing makes the output '%s'", v->name);
    }
    if (rc == TW_OK)
        rc = reorder(&w, err);
    free(w.state);
    free(w.stack);
    free(w.next);
    free(w.order);
    return rc;
}
