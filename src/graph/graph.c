/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is asked of a compiled network without running it. */
#include <stdlib.h>
#include <string.h>

#include "ir.h"

void tw_graph_free(struct tw_graph *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->layout.nparam + g->layout.nbuffer; i++) {
        free(g->layout.param[i].name);
        free(g->layout.param[i].layer);
    }
    for (size_t i = 0; i < g->layout.nparam && g->initial; i++)
        free(g->initial[i].stored);
    free(g->layout.param);
    free(g->initial);
    free(g->initial_buffers);
    for (size_t i = 0; i < g->nval; i++) {
        free(g->val[i].name);
        tw_array_release(&g->val[i].constant);
    }
    free(g->val);
    for (size_t i = 0; i < g->ninstr; i++) {
        free(g->instr[i].in);
        free(g->instr[i].data);
    }
    free(g->instr);
    free(g->stat);
    free(g->input);
    free(g->output);
    free(g);
}

const struct tw_layout *tw_graph_layout(const struct tw_graph *g)
{
    return &g->layout;
}

const struct tw_param *tw_layout_find(const struct tw_layout *l, const char *name)
{
    for (size_t i = 0; i < l->nparam + l->nbuffer; i++)
        if (!strcmp(l->param[i].name, name))
            return &l->param[i];
    return NULL;
}

void tw_graph_initial(const struct tw_graph *g, float *params, float *buffers)
{
    for (size_t i = 0; params && i < g->layout.nparam; i++) {
        const struct tw_param *p = &g->layout.param[i];
        const struct tw_initial *at = &g->initial[i];
        float *to = params + p->offset;

        if (at->stored)
            memcpy(to, at->stored, p->n * sizeof *to);
        else if (at->draw.law == TW_DRAW_NONE)
            memset(to, 0, p->n * sizeof *to);
        else
            tw_draw(&at->draw, p->n, to);
    }
    if (buffers)
        memcpy(buffers, g->initial_buffers, g->layout.nb * sizeof *buffers);
}

size_t tw_graph_ninput(const struct tw_graph *g)
{
    return g->ninput;
}

size_t tw_graph_noutput(const struct tw_graph *g)
{
    return g->noutput;
}

static struct tw_graph_port port_of(const struct tw_val *v)
{
    struct tw_graph_port p = { .name = v->name, .dtype = v->dtype, .rank = v->rank, .n = v->n };

    memcpy(p.dims, v->dims, sizeof p.dims);
    return p;
}

struct tw_graph_port tw_graph_input(const struct tw_graph *g, size_t i)
{
    return port_of(&g->val[g->input[i]]);
}

struct tw_graph_port tw_graph_output(const struct tw_graph *g, size_t i)
{
    return port_of(&g->val[g->output[i]]);
}

size_t tw_graph_group(const struct tw_graph *g)
{
    return g->group;
}

bool tw_graph_mixes(const struct tw_graph *g)
{
    return g->mixes;
}

enum tw_statistic tw_graph_statistic(const struct tw_graph *g, size_t i)
{
    for (size_t k = 0; k < g->nstat; k++)
        if (g->stat[k].buffer == i)
            return g->stat[k].kind;
    return TW_STATISTIC_NONE;
}

double tw_graph_flops(const struct tw_graph *g)
{
    double sum = 0.0;

    for (size_t i = 0; i < g->ninstr; i++)
        if (!g->instr[i].uniform)
            sum += g->instr[i].flops;
    return sum;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tw_op_count *)a)->op, ((const struct tw_op_count *)b)->op);
}

enum tw_status tw_net_operators(const struct tw_net *net, struct tw_op_count **ops, size_t *n,
                                struct tw_err *err)
{
    struct tw_op_count *list = tw_alloc(net->nnode, sizeof *list);

    *ops = NULL;
    *n = 0;
    if (!list)
        return tw_err_set(err, TW_ENOMEM, "out of memory for the operators of the network");
    for (size_t i = 0; i < net->nnode; i++) {
        size_t j = 0;

        while (j < *n && strncmp(list[j].op, net->node[i].op, sizeof list[j].op - 1) != 0)
            j++;
        if (j == *n) {
            strncpy(list[j].op, net->node[i].op, sizeof list[j].op - 1);
            list[j].supported =
                !strcmp(net->node[i].op, "Constant") || tw_lowering_find(net->node[i].op) != NULL;
            ++*n;
        }
        list[j].count++;
    }
    qsort(list, *n, sizeof *list, by_name);
    *ops = list;
    return TW_OK;
}
