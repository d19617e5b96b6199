/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attributes of nodes. */
#include "thalweg/tensor.h"

#include <stdlib.h>
#include <string.h>

/* Operators have some ten attributes; a file with more of them is damaged, and the search for a
 * name stays short. */
enum { MOST = 64 };

static enum tw_status out_of_memory(const char *name, struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory for attribute '%s'", name);
}

/* A new attribute of the node made last. */
static enum tw_status append(struct tw_net *net, const char *name, enum tw_attr_kind kind,
                             struct tw_attr **made, struct tw_err *err)
{
    struct tw_node *node;
    struct tw_attr *grown;
    char *copy;

    if (net->nnode == 0)
        return tw_err_set(err, TW_EINVAL, "attribute '%s' without a node", name);
    node = &net->node[net->nnode - 1];
    if (tw_node_attr(node, name))
        return tw_err_set(err, TW_EFORMAT, "node '%s' (%s) has attribute '%s' twice",
                          node->name ? node->name : "", node->op, name);
    if (node->nattr >= MOST)
        return tw_err_set(err, TW_EFORMAT, "node '%s' (%s) has more than %d attributes",
                          node->name ? node->name : "", node->op, MOST);
    grown = realloc(node->attr, (node->nattr + 1) * sizeof *grown);
    if (!grown)
        return out_of_memory(name, err);
    node->attr = grown;
    copy = tw_strdup(name);
    if (!copy)
        return out_of_memory(name, err);
    *made = &grown[node->nattr++];
    memset(*made, 0, sizeof **made);
    (*made)->kind = kind;
    (*made)->name = copy;
    return TW_OK;
}

enum tw_status tw_net_attr_int(struct tw_net *net, const char *name, int64_t i, struct tw_err *err)
{
    struct tw_attr *a;
    const enum tw_status rc = append(net, name, TW_ATTR_INT, &a, err);

    if (rc == TW_OK)
        a->i = i;
    return rc;
}

enum tw_status tw_net_attr_real(struct tw_net *net, const char *name, double r, struct tw_err *err)
{
    struct tw_attr *a;
    const enum tw_status rc = append(net, name, TW_ATTR_REAL, &a, err);

    if (rc == TW_OK)
        a->r = r;
    return rc;
}

enum tw_status tw_net_attr_text(struct tw_net *net, const char *name, const char *s,
                                struct tw_err *err)
{
    struct tw_attr *a;
    const enum tw_status rc = append(net, name, TW_ATTR_TEXT, &a, err);

    if (rc != TW_OK)
        return rc;
    a->text = tw_strdup(s);
    return a->text ? TW_OK : out_of_memory(name, err);
}

enum tw_status tw_net_attr_ints(struct tw_net *net, const char *name, size_t n, const int64_t *x,
                                struct tw_err *err)
{
    struct tw_attr *a;
    const enum tw_status rc = append(net, name, TW_ATTR_INTS, &a, err);

    if (rc != TW_OK)
        return rc;
    a->ints = tw_alloc(n, sizeof *x);
    if (!a->ints)
        return out_of_memory(name, err);
    if (n)
        memcpy(a->ints, x, n * sizeof *x);
    a->n = n;
    return TW_OK;
}

enum tw_status tw_net_attr_reals(struct tw_net *net, const char *name, size_t n, const double *x,
                                 struct tw_err *err)
{
    struct tw_attr *a;
    const enum tw_status rc = append(net, name, TW_ATTR_REALS, &a, err);

    if (rc != TW_OK)
        return rc;
    a->reals = tw_alloc(n, sizeof *x);
    if (!a->reals)
        return out_of_memory(name, err);
    if (n)
        memcpy(a->reals, x, n * sizeof *x);
    a->n = n;
    return TW_OK;
}

enum tw_status tw_net_attr_array(struct tw_net *net, const char *name, struct tw_array *x,
                                 struct tw_err *err)
{
    struct tw_attr *a;
    const enum tw_status rc = append(net, name, TW_ATTR_ARRAY, &a, err);

    if (rc == TW_OK) {
        a->array = *x;
        memset(x, 0, sizeof *x);
    }
    return rc;
}

/* ---- reading --------------------------------------------------------------------------------- */

const struct tw_attr *tw_node_attr(const struct tw_node *node, const char *name)
{
    for (size_t i = 0; i < node->nattr; i++)
        if (strcmp(node->attr[i].name, name) == 0)
            return &node->attr[i];
    return NULL;
}

int64_t tw_node_int(const struct tw_node *node, const char *name, int64_t absent)
{
    const struct tw_attr *a = tw_node_attr(node, name);

    return a && a->kind == TW_ATTR_INT ? a->i : absent;
}

double tw_node_real(const struct tw_node *node, const char *name, double absent)
{
    const struct tw_attr *a = tw_node_attr(node, name);

    if (a && a->kind == TW_ATTR_INT)
        return (double)a->i;
    return a && a->kind == TW_ATTR_REAL ? a->r : absent;
}

const char *tw_node_text(const struct tw_node *node, const char *name, const char *absent)
{
    const struct tw_attr *a = tw_node_attr(node, name);

    return a && a->kind == TW_ATTR_TEXT ? a->text : absent;
}
