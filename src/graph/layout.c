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

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);

    return n >= m && !strcmp(s + n - m, end);
}

static char *layer_of(const char *name)
{
    const char *dot = strrchr(name, '.'), *slash = strrchr(name, '/');

    dot = !dot || (slash && slash > dot) ? slash : dot;
    return dot ? tw_strndup(name, (size_t)(dot - name)) : tw_strdup(name);
}

/* The nodes of the list say it best: they are what the exporter saw. A weight may be seen
 * through transposes and casts. */
struct reader {
    const struct tw_node *node;
    size_t slot;
    bool transposed;
};

static bool find_reader(const struct tw_net *net, int value, int depth, struct reader *r)
{
    for (size_t i = 0; value >= 0 && i < net->nnode; i++) {
        const struct tw_node *n = &net->node[i];

        for (size_t j = 0; j < n->nin; j++) {
            bool through = !strcmp(n->op, "Transpose");

            if (n->in[j] != value)
                continue;
            /* Another tensor of equal contents, which the exporter stored once. */
            if (!strcmp(n->op, "Identity") && n->nout == 1 && net->value[n->out[0]].name &&
                strchr(net->value[n->out[0]].name, '.'))
                continue;
            if ((through || !strcmp(n->op, "Cast") || !strcmp(n->op, "Identity")) && n->nout == 1 &&
                depth < 4 && find_reader(net, n->out[0], depth + 1, r)) {
                r->transposed = r->transposed != through;
                return true;
            }
            *r = (struct reader){ n, j, false };
            return true;
        }
    }
    return false;
}

static void role_by_shape(struct tw_param *p)
{
    bool scale =
        ends_with(p->name, "weight") || ends_with(p->name, "gamma") || ends_with(p->name, "scale");

    if (p->rank >= 2 && p->n > p->dims[0])
        return;
    if (scale)
        p->role = p->rank <= 1 ? TW_ROLE_NORM_SCALE : TW_ROLE_WEIGHT;
    else if (p->rank <= 1 || ends_with(p->name, "bias") || ends_with(p->name, "beta"))
        p->role = TW_ROLE_BIAS;
}

static void role_by_reader(struct tw_param *p, const struct reader *r)
{
    const char *op = r->node->op;

    if (!strcmp(op, "Conv") || !strcmp(op, "Gemm")) {
        p->role = r->slot == 2 ? TW_ROLE_BIAS : TW_ROLE_WEIGHT;
        if (r->slot == 1)
            p->filter_axis = !strcmp(op, "Conv") || tw_node_int(r->node, "transB", 0) ? 0 : 1;
        if (r->slot == 1 && r->transposed)
            p->filter_axis = !p->filter_axis;
    } else if (!strcmp(op, "MatMul") && p->rank >= 2) {
        p->role = TW_ROLE_WEIGHT;
        p->filter_axis = (r->slot == 1) != r->transposed ? p->rank - 1 : p->rank - 2;
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
        if (find_reader(b->net, tw_net_find(b->net, p->name), 0, &r))
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
