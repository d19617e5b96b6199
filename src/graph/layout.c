/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What each parameter is for: from the instructions that read it, else from its shape and name. */
#include <string.h>

#include "ir.h"

const char *tw_role_name(enum tw_role role)
{
    static const char *const names[] = { "weight",     "bias",      "norm scale",
                                         "norm shift", "embedding", "buffer" };

    return (unsigned)role < TW_NROLES ? names[role] : "?";
}

static char *layer_of(const char *name)
{
    const char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');

    dot = !dot || (slash && slash > dot) ? slash : dot;
    return dot ? tw_strndup(name, (size_t)(dot - name)) : tw_strdup(name);
}

/* The nodes of the list say it best: they are what the exporter saw. A weight may be seen
 * through transposes, casts and changes of shape. */
struct reader {
    const struct tw_node *node;
    size_t slot;
    int axis; /* of the tensor: the one that counts filters for this node; -1: none */
};

/* Which axis of what it reads counts the filters of the node: outputs of a product. */
static int filter_axis(const struct tw_node *n, size_t slot, int rank)
{
    if (!strcmp(n->op, "Conv") && slot == 1)
        return 0;
    if (!strcmp(n->op, "ConvTranspose") && slot == 1)
        return 1;
    if (!strcmp(n->op, "Gemm") && slot == 1)
        return tw_node_int(n, "transB", 0) ? 0 : 1;
    if (!strcmp(n->op, "MatMul") && rank >= 2)
        return slot == 1 ? rank - 1 : rank - 2;
    return -1;
}

/* Whole numbers that the node list knows; n: how many. NULL: none. */
static const struct tw_array *known_ints(const struct tw_net *net, int value)
{
    const struct tw_value *v = value >= 0 ? &net->value[value] : NULL;
    const struct tw_node *made = v && v->made_by >= 0 ? &net->node[v->made_by] : NULL;
    const struct tw_attr *a =
        made && !strcmp(made->op, "Constant") ? tw_node_attr(made, "value") : NULL;
    const struct tw_array *x = a ? &a->array : v && v->is_init ? &v->init : NULL;

    return x && x->dtype == TW_I64 && x->rank == 1 && x->n <= TW_MAX_RANK ? x : NULL;
}

/* The axis of a node's input that `axis` of its output is; as many elements lie before both. */
static int axis_before(const struct tw_net *net, const struct tw_node *n, int axis, int rank,
                       const size_t *dims)
{
    const struct tw_attr *perm = tw_node_attr(n, "perm");
    const struct tw_array *shape = n->nin > 1 ? known_ints(net, n->in[1]) : NULL;
    int64_t before = 1, mine = 1;

    if (axis < 0 || (strcmp(n->op, "Transpose") != 0 && strcmp(n->op, "Reshape") != 0))
        return axis;
    if (!strcmp(n->op, "Transpose"))
        return !perm ? rank - 1 - axis : (size_t)axis < perm->n ? (int)perm->ints[axis] : -1;
    if (!shape || (size_t)axis >= shape->n)
        return -1;
    for (int i = 0; i < axis; i++) {
        if (tw_array_int(shape, (size_t)i) < 1)
            return -1;
        before *= tw_array_int(shape, (size_t)i);
    }
    for (int i = 0; i < rank; i++) {
        if (mine == before)
            return i;
        mine *= (int64_t)dims[i];
    }
    return -1;
}

/* The shape of what a Transpose or a Reshape makes of a tensor; false: not known. */
static bool shape_after(const struct tw_net *net, const struct tw_node *n, int *rank, size_t *dims)
{
    const struct tw_attr *perm = tw_node_attr(n, "perm");
    const struct tw_array *shape = n->nin > 1 ? known_ints(net, n->in[1]) : NULL;
    size_t old[TW_MAX_RANK];

    memcpy(old, dims, sizeof old);
    if (!strcmp(n->op, "Transpose")) {
        for (int i = 0; i < *rank; i++) {
            const int64_t from = perm && (size_t)i < perm->n ? perm->ints[i] : *rank - 1 - i;

            if (from < 0 || from >= *rank)
                return false;
            dims[i] = old[from];
        }
    } else if (!strcmp(n->op, "Reshape")) {
        for (size_t i = 0; shape && i < shape->n; i++)
            dims[i] = tw_array_int(shape, i) > 0 ? (size_t)tw_array_int(shape, i) : 0;
        *rank = shape ? (int)shape->n : -1;
    }
    return *rank >= 0;
}

static bool find_reader(const struct tw_net *net, int value, int rank, const size_t *dims,
                        int depth, struct reader *r)
{
    for (size_t i = 0; value >= 0 && i < net->nnode; i++) {
        const struct tw_node *n = &net->node[i];

        for (size_t j = 0; j < n->nin; j++) {
            const bool moves = !strcmp(n->op, "Transpose") || (!strcmp(n->op, "Reshape") && !j);
            size_t next[TW_MAX_RANK];
            int next_rank = rank;

            if (n->in[j] != value)
                continue;
            /* Another tensor of equal contents, which the exporter stored once. */
            if (!strcmp(n->op, "Identity") && n->nout == 1 && net->value[n->out[0]].name &&
                strchr(net->value[n->out[0]].name, '.'))
                continue;
            memcpy(next, dims, sizeof next);
            if ((moves || !strcmp(n->op, "Cast") || !strcmp(n->op, "Identity")) && n->nout == 1 &&
                depth < 4 && shape_after(net, n, &next_rank, next) &&
                find_reader(net, n->out[0], next_rank, next, depth + 1, r)) {
                r->axis = axis_before(net, n, r->axis, rank, dims);
                return true;
            }
            *r = (struct reader){ n, j, filter_axis(n, j, rank) };
            return true;
        }
    }
    return false;
}

static void role_by_shape(struct tw_param *p)
{
    bool scale = tw_str_ends(p->name, "weight") || tw_str_ends(p->name, "gamma") ||
                 tw_str_ends(p->name, "scale");

    if (p->rank >= 2 && p->n > p->dims[0])
        return;
    if (scale)
        p->role = p->rank <= 1 ? TW_ROLE_NORM_SCALE : TW_ROLE_WEIGHT;
    else if (p->rank <= 1 || tw_str_ends(p->name, "bias") || tw_str_ends(p->name, "beta"))
        p->role = TW_ROLE_BIAS;
}

static void role_by_reader(struct tw_param *p, const struct reader *r)
{
    const char *op = r->node->op;

    if (!strcmp(op, "Conv") || !strcmp(op, "ConvTranspose") || !strcmp(op, "Gemm")) {
        p->role = r->slot == 2 ? TW_ROLE_BIAS : TW_ROLE_WEIGHT;
        p->filter_axis = r->axis;
    } else if (!strcmp(op, "MatMul") && p->rank >= 2) {
        p->role = TW_ROLE_WEIGHT;
        p->filter_axis = r->axis;
    } else if (!strcmp(op, "BatchNormalization") || !strcmp(op, "LayerNormalization") ||
               !strcmp(op, "InstanceNormalization") || !strcmp(op, "GroupNormalization") ||
               !strcmp(op, "RMSNormalization")) {
        p->role = r->slot == 1 ? TW_ROLE_NORM_SCALE : TW_ROLE_NORM_SHIFT;
    } else if (!strcmp(op, "Gather") && r->slot == 0) {
        p->role = TW_ROLE_EMBEDDING;
        p->filter_axis = 0;
    } else {
        role_by_shape(p);
        if (p->role == TW_ROLE_WEIGHT && p->rank >= 2)
            p->filter_axis = 0;
    }
}

enum tw_status tw_layout_describe(struct tw_build *b)
{
    struct tw_layout *l = &b->g->layout;

    for (size_t i = 0; i < l->nparam + l->nbuffer; i++) {
        struct tw_param *p = &l->param[i];
        struct reader r = { 0 };

        p->layer = layer_of(p->name);
        if (!p->layer)
            return tw_err_set(b->err, TW_ENOMEM, "out of memory for the parameters");
        if (p->role == TW_ROLE_BUFFER)
            continue;
        if (find_reader(b->net, tw_net_find(b->net, p->name), p->rank, p->dims, 0, &r))
            role_by_reader(p, &r);
        else
            role_by_shape(p);
    }
    /* A shift beside a scale is a norm's. */
    for (size_t i = 0; i < l->nparam; i++)
        for (size_t j = 0; j < l->nparam && l->param[i].role == TW_ROLE_BIAS; j++)
            if (l->param[j].role == TW_ROLE_NORM_SCALE &&
                !strcmp(l->param[i].layer, l->param[j].layer))
                l->param[i].role = TW_ROLE_NORM_SHIFT;
    return TW_OK;
}
