/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The complex evaluator: places for values, what an output needs, a run. */
#include "complex.h"

#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

static const struct cx_op *find(const struct tw_op *op)
{
    static const struct cx_op *const tables[] = { cx_elementwise, cx_moves, cx_products, cx_rows };

    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct cx_op *row = tables[t]; row->op; row++)
            if (row->op == op)
                return row;
    return NULL;
}

/* A name for messages: of what it makes, or of the next value that has one. */
static const char *name_at(const struct tw_graph *g, size_t number)
{
    for (size_t i = number; i < g->ninstr; i++)
        if (g->val[g->instr[i].out[0]].name)
            return g->val[g->instr[i].out[0]].name;
    return "";
}

/* ---- making -------------------------------------------------------------------------------- */

/* Instructions that the output needs, last first. */
static enum tw_status choose(struct tw_complex *c, struct tw_err *err)
{
    const struct tw_graph *g = c->g;
    bool *needed = tw_alloc(g->nval, sizeof *needed);
    enum tw_status rc = needed ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");

    if (needed)
        needed[g->val[g->output[0]].root] = true;
    for (size_t i = g->ninstr; rc == TW_OK && i-- > 0;) {
        const struct tw_instr *in = &g->instr[i];
        struct cx_place *p = &c->place[i];
        bool wanted = false;

        for (size_t k = 0; k < in->nout; k++)
            wanted = wanted || (in->out[k] >= 0 && needed[g->val[in->out[k]].root]);
        if (!wanted)
            continue;
        p->op = find(in->op);
        if (p->op)
            p->room = p->op->room(g, in);
        if (!p->op || p->room.bad)
            rc = tw_err_set(err, TW_EFORMAT,
                            "'%s' has no form for complex parameters (an operator '%s')",
                            name_at(g, i), in->op->name);
        for (size_t k = 0; k < in->nin; k++)
            if (in->in[k] >= 0)
                needed[g->val[in->in[k]].root] = true;
    }
    free(needed);
    return rc;
}

/* What depends on t, places of watches, pieces, scratch. */
static enum tw_status lay_out(struct tw_complex *c, struct tw_err *err)
{
    const struct tw_graph *g = c->g;
    size_t pieces = 0, scratch = 0;

    for (size_t v = 0; v < g->nval; v++)
        c->moving[v] = g->val[v].origin == TW_V_PARAM;
    for (size_t i = 0; i < g->ninstr; i++) {
        const struct tw_instr *in = &g->instr[i];
        struct cx_place *p = &c->place[i];

        if (!p->op)
            continue;
        for (size_t k = 0; k < in->nin; k++)
            p->moving = p->moving || (in->in[k] >= 0 && c->moving[g->val[in->in[k]].root]);
        for (size_t k = 0; k < in->nout; k++)
            if (in->out[k] >= 0 && p->moving)
                c->moving[g->val[in->out[k]].root] = true;
        p->watch = c->nwatch;
        p->piece = pieces;
        c->nwatch += p->moving ? p->room.watches : 0;
        pieces += p->room.pieces;
        scratch = p->room.scratch > scratch ? p->room.scratch : scratch;
        if (p->room.watches && p->moving)
            c->site[c->nsite++] = i;
    }
    c->piece = tw_alloc(pieces, sizeof *c->piece);
    c->scratch = tw_alloc(scratch, sizeof *c->scratch);
    for (size_t v = 0; v < g->nval; v++)
        if ((size_t)g->val[v].root == v && !(c->val[v] = tw_alloc(g->val[v].n, sizeof **c->val)))
            return tw_err_set(err, TW_ENOMEM, "out of memory");
    return c->piece && c->scratch ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

struct tw_complex *tw_complex_new(const struct tw_graph *g, struct tw_err *err)
{
    struct tw_complex *c = tw_alloc(1, sizeof *c);
    enum tw_status rc = TW_OK;

    if (!c) {
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    c->g = g;
    c->val = tw_alloc(g->nval, sizeof *c->val);
    c->moving = tw_alloc(g->nval, sizeof *c->moving);
    c->place = tw_alloc(g->ninstr, sizeof *c->place);
    c->site = tw_alloc(g->ninstr, sizeof *c->site);
    if (!c->val || !c->moving || !c->place || !c->site)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    else if (g->ninput != 1 || g->noutput < 1 || g->group != 1 || g->mixes)
        rc = tw_err_set(err, TW_EFORMAT,
                        "complex parameters are for networks of one input whose samples do not "
                        "depend on one another");
    if (rc == TW_OK)
        rc = choose(c, err);
    if (rc == TW_OK)
        rc = lay_out(c, err);
    if (rc == TW_OK)
        return c;
    tw_complex_free(c);
    return NULL;
}

void tw_complex_free(struct tw_complex *c)
{
    if (!c)
        return;
    for (size_t v = 0; c->val && v < c->g->nval; v++)
        free(c->val[v]);
    free(c->val);
    free(c->moving);
    free(c->place);
    free(c->site);
    free(c->piece);
    free(c->scratch);
    free(c);
}

size_t tw_complex_nsite(const struct tw_complex *c)
{
    return c->nsite;
}

struct tw_complex_site tw_complex_site(const struct tw_complex *c, size_t i)
{
    const struct cx_place *p = &c->place[c->site[i]];

    return (struct tw_complex_site){ name_at(c->g, c->site[i]), p->room.what, p->watch,
                                     p->room.watches };
}

size_t tw_complex_nwatch(const struct tw_complex *c)
{
    return c->nwatch;
}

/* ---- running ------------------------------------------------------------------------------- */

struct tw_cx cx_watch(struct tw_complex *c, size_t number, size_t i, struct tw_cx log)
{
    const size_t at = c->place[number].watch + i;
    const double near = c->near ? c->near[at].im : 0.0;

    log.im += 2.0 * PI * nearbyint((near - log.im) / (2.0 * PI));
    if (c->watch)
        c->watch[at] = log;
    return log;
}

static void parameters(struct tw_complex *c, struct tw_cx t)
{
    const struct tw_graph *g = c->g;

    for (size_t v = 0; v < g->nval; v++) {
        const struct tw_val *x = &g->val[v];
        size_t at;

        if (x->origin != TW_V_PARAM || (size_t)x->root != v)
            continue;
        at = g->layout.param[x->index].offset;
        for (size_t i = 0; i < x->n; i++)
            c->val[v][i] =
                cx(c->params[at + i] + t.re * c->direction[at + i], t.im * c->direction[at + i]);
    }
}

static void constants(struct tw_complex *c, const float *buffers)
{
    const struct tw_graph *g = c->g;

    if (!buffers)
        buffers = g->initial_buffers;
    for (size_t v = 0; v < g->nval; v++) {
        const struct tw_val *x = &g->val[v];

        if ((size_t)x->root != v)
            continue;
        for (size_t i = 0; x->origin == TW_V_CONST && i < x->n; i++)
            c->val[v][i] = cx(tw_array_real(&x->constant, i), 0.0);
        for (size_t i = 0; x->origin == TW_V_BUFFER && i < x->n; i++)
            c->val[v][i] =
                cx((double)buffers[g->layout.param[g->layout.nparam + x->index].offset + i], 0.0);
    }
}

void tw_complex_line(struct tw_complex *c, const double *params, const double *direction,
                     const float *buffers)
{
    c->params = params;
    c->direction = direction;
    constants(c, buffers);
}

static void run(struct tw_complex *c, struct tw_cx t)
{
    parameters(c, t);
    c->margin = c->ahead = HUGE_VAL;
    for (size_t i = 0; i < c->g->ninstr; i++)
        if (c->place[i].op && (c->place[i].moving || c->choosing))
            c->place[i].op->run(c, &c->g->instr[i], i);
}

void tw_complex_sample(struct tw_complex *c, const struct tw_array *x, size_t row)
{
    const int input = c->g->input[0];
    const size_t n = c->g->val[input].n;

    for (size_t i = 0; i < n; i++)
        cx_val(c, input)[i] = cx(tw_array_real(x, row * n + i), 0.0);
    c->choosing = true;
    c->near = NULL;
    c->watch = NULL;
    run(c, cx(0.0, 0.0));
    c->choosing = false;
}

void tw_complex_run(struct tw_complex *c, struct tw_cx t, const struct tw_cx *near,
                    struct tw_cx *watch)
{
    c->near = near;
    c->watch = watch;
    run(c, t);
}

const struct tw_cx *tw_complex_output(const struct tw_complex *c)
{
    return cx_val(c, c->g->output[0]);
}

double tw_complex_margin(const struct tw_complex *c, double *ahead)
{
    *ahead = c->ahead;
    return c->margin;
}
