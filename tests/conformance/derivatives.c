/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The derivatives of what the compiler makes of a network: every real input is multiplied by a
 * parameter of its shape that is 1, and tangents, gradients and Hessian-vector products are held
 * against differences. */
#include "conformance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What points into the network of the test is the test's. */
struct widened {
    struct tw_net net;
    const struct tw_array *data[MOST_PORTS];
    char (*name)[2][32];
    int (*edge)[3]; /* data, parameter, product */
    char mul[4];
};

static void narrow(struct widened *w)
{
    free(w->net.value);
    free(w->net.node);
    free(w->net.input);
    free(w->name);
    free(w->edge);
}

/* Value k is an input no more, but the product of a new input and a new parameter. */
static void multiply(struct widened *w, size_t k, const struct tw_array *x, int value)
{
    struct tw_net *n = &w->net;
    struct tw_value *v = n->value;
    struct tw_node *node = &n->node[n->nnode];
    int *edge = w->edge[k];

    edge[0] = (int)n->nvalue++;
    edge[1] = (int)n->nvalue++;
    edge[2] = value;
    for (int i = 0; i < 2; i++) {
        (void)snprintf(w->name[k][i], sizeof w->name[k][i], "%s %zu", i ? "factor" : "data", k);
        v[edge[i]] = v[value];
        v[edge[i]].name = w->name[k][i];
    }
    v[value].is_input = false;
    v[edge[1]].is_init = true;
    v[edge[1]].is_input = false;
    v[edge[1]].init = *x;
    *node = (struct tw_node){ .op = w->mul, .nin = 2, .nout = 1, .in = edge, .out = edge + 2 };
    v[value].made_by = (int)n->nnode++;
    n->input[k] = edge[0];
}

static enum tw_status widen(const struct tw_net *net, const struct tw_array *in, struct widened *w)
{
    struct tw_net *n = &w->net;
    enum tw_status rc = network_for(net, in, n, w->data);
    struct tw_value *value = tw_alloc(net->nvalue + 2 * net->ninput, sizeof *value);
    const size_t old = net->nnode;

    strcpy(w->mul, "Mul");
    n->node = tw_alloc(old + net->ninput, sizeof *n->node);
    w->name = tw_alloc(net->ninput, sizeof *w->name);
    w->edge = tw_alloc(net->ninput, sizeof *w->edge);
    if (rc != TW_OK || !value || !n->node || !w->name || !w->edge) {
        free(value);
        return TW_ENOMEM;
    }
    memcpy(value, n->value, net->nvalue * sizeof *value);
    free(n->value);
    n->value = value;
    n->nnode = 0;
    for (size_t k = 0; k < n->ninput; k++)
        if (tw_dtype_is_real(w->data[k]->dtype))
            multiply(w, k, w->data[k], n->input[k]);
    memcpy(n->node + n->nnode, net->node, old * sizeof *n->node);
    n->nnode += old;
    return TW_OK;
}

/* ---- differences ----------------------------------------------------------------------------- */

enum { MIDDLE, UP, DOWN, PLACES };

struct study {
    const struct tw_graph *g;
    struct tw_exec *e;
    struct tw_exec_run run;
    size_t n, total; /* parameters; reals of all outputs */
    double *at, *moved, *direction, *out[PLACES], *tangent, *gradient[PLACES], *hvp;
    double *outputs[MOST_PORTS], *tangents[MOST_PORTS];
};

static const double step = 1e-6;

static bool set_up(struct study *s)
{
    struct tw_rng r = tw_rng_stream(1, TW_RNG_TEST, 3);
    float *initial;

    s->n = tw_graph_layout(s->g)->n;
    for (size_t o = 0; o < tw_graph_noutput(s->g); o++)
        s->total += tw_graph_output(s->g, o).n;
    initial = tw_alloc(s->n, sizeof *initial);
    s->at = tw_alloc(s->n, sizeof *s->at);
    s->moved = tw_alloc(s->n, sizeof *s->moved);
    s->direction = tw_alloc(s->n, sizeof *s->direction);
    s->tangent = tw_alloc(s->total, sizeof *s->tangent);
    s->hvp = tw_alloc(s->n, sizeof *s->hvp);
    for (int k = 0; k < PLACES; k++) {
        s->out[k] = tw_alloc(s->total, sizeof *s->out[k]);
        s->gradient[k] = tw_alloc(s->n, sizeof *s->gradient[k]);
        if (!s->out[k] || !s->gradient[k])
            return false;
    }
    if (!initial || !s->at || !s->moved || !s->direction || !s->tangent || !s->hvp) {
        free(initial);
        return false;
    }
    tw_graph_initial(s->g, initial, NULL);
    for (size_t p = 0; p < tw_graph_layout(s->g)->nparam; p++) {
        const struct tw_param *t = &tw_graph_layout(s->g)->param[p];

        for (size_t i = t->offset; i < t->offset + t->n; i++)
            s->at[i] = strncmp(t->name, "factor ", 7) == 0 ? 1.0 : (double)initial[i];
    }
    for (size_t i = 0; i < s->n; i++)
        s->direction[i] = tw_rng_normal(&r);
    free(initial);
    return true;
}

static void tear_down(struct study *s)
{
    free(s->at);
    free(s->moved);
    free(s->direction);
    free(s->tangent);
    free(s->hvp);
    for (int k = 0; k < PLACES; k++) {
        free(s->out[k]);
        free(s->gradient[k]);
    }
    tw_exec_free(s->e);
}

/* Outputs and the gradient of one of them, a step along the direction or not. */
static enum tw_status look(struct study *s, int place, size_t seed_output, struct tw_err *err)
{
    const double t = place == UP ? step : place == DOWN ? -step : 0.0;
    double *hvp[1] = { s->hvp };
    size_t at = 0;

    for (size_t o = 0; o < tw_graph_noutput(s->g); at += tw_graph_output(s->g, o++).n) {
        s->outputs[o] = s->out[place] + at;
        s->tangents[o] = s->tangent + at;
    }
    for (size_t i = 0; i < s->n; i++)
        s->moved[i] = s->at[i] + t * s->direction[i];
    tw_exec_set_real(s->e, s->moved, NULL);
    tw_exec_direct_real(s->e, 1, (const double *[]){ s->direction });
    s->run.outputs = s->outputs;
    s->run.tangents = place == MIDDLE ? s->tangents : NULL;
    s->run.seed_output = seed_output;
    s->run.gradient = s->gradient[place];
    s->run.hvp = place == MIDDLE ? hvp : NULL;
    return tw_exec_run(s->e, &s->run, err);
}

/* Is d the derivative? Where the slopes on both sides differ there is a kink, and nothing is said;
 * nor where anything is not finite. */
static bool agrees(double low, double middle, double high, double d)
{
    const double left = (middle - low) / step, right = (high - middle) / step;
    const double mean = 0.5 * (left + right), size = 1.0 + fabs(mean) + fabs(d);
    const double noise = 1e-15 * (fabs(low) + fabs(high)) / step;

    if (!isfinite(left) || !isfinite(right) || !isfinite(d) ||
        fabs(left - right) > 1e-2 * size + noise)
        return true;
    return fabs(mean - d) <= 1e-4 * size + 10.0 * noise;
}

static enum tw_status check_output(struct study *s, size_t o, struct tw_err *err)
{
    const struct tw_graph_port port = tw_graph_output(s->g, o);
    double along = 0.0, sum = 0.0, size = 1.0;
    size_t at = 0;

    for (int place = 0; place < PLACES; place++)
        if (look(s, place, o, err) != TW_OK)
            return err->code;
    at = (size_t)(s->tangents[o] - s->tangent);
    for (size_t i = at; i < at + port.n; i++) {
        if (!agrees(s->out[DOWN][i], s->out[MIDDLE][i], s->out[UP][i], s->tangent[i]))
            return tw_err_set(err, TW_EDOMAIN, "output %zu, element %zu: tangent %.9g, slope %.9g",
                              o, i - at, s->tangent[i],
                              (s->out[UP][i] - s->out[DOWN][i]) / (2.0 * step));
        sum += s->tangent[i];
        size += fabs(s->tangent[i]);
    }
    for (size_t i = 0; i < s->n; i++) {
        along += s->gradient[MIDDLE][i] * s->direction[i];
        size += fabs(s->gradient[MIDDLE][i] * s->direction[i]);
        if (!agrees(s->gradient[DOWN][i], s->gradient[MIDDLE][i], s->gradient[UP][i], s->hvp[i]))
            return tw_err_set(
                err, TW_EDOMAIN, "output %zu, parameter %zu: Hessian product %.9g, slope %.9g", o,
                i, s->hvp[i], (s->gradient[UP][i] - s->gradient[DOWN][i]) / (2.0 * step));
    }
    if (isfinite(size) && fabs(along - sum) > 1e-10 * size)
        return tw_err_set(err, TW_EDOMAIN, "output %zu: %.12g by the gradient, %.12g by tangents",
                          o, along, sum);
    return TW_OK;
}

enum tw_status run_derivatives(const struct tw_net *net, const struct tw_array *in,
                               struct tw_array *out, struct tw_err *err)
{
    const struct tw_exec_options eo = {
        .threads = 1, .real64 = true, .tangents = 1, .gradient = true
    };
    struct widened w = { .data = { NULL } };
    struct study s = { .n = 0 };
    enum tw_status rc = widen(net, in, &w);
    struct tw_graph *g = rc == TW_OK ? tw_graph_new(&w.net, NULL, err) : NULL;

    s.g = g;
    s.e = g ? tw_exec_new(g, &eo, err) : NULL;
    s.run = (struct tw_exec_run){ .n = 1, .inputs = w.data };
    if (rc == TW_OK)
        rc = !s.e ? err->code : set_up(&s) ? TW_OK : TW_ENOMEM;
    if (rc == TW_OK)
        rc = look(&s, MIDDLE, 0, err);
    for (size_t o = 0; rc == TW_OK && o < tw_graph_noutput(g); o++)
        if (tw_dtype_is_real(tw_graph_output(g, o).dtype))
            rc = check_output(&s, o, err);
    for (size_t o = 0, at = 0; rc == TW_OK && o < tw_graph_noutput(g); o++) {
        const struct tw_graph_port p = tw_graph_output(g, o);

        rc = tw_array_make(&out[o], p.dtype, p.rank, p.dims, err);
        for (size_t i = 0; rc == TW_OK && i < out[o].n; i++)
            tw_array_set_real(&out[o], i, s.out[MIDDLE][at + i]);
        at += p.n;
    }
    tear_down(&s);
    tw_graph_free(g);
    narrow(&w);
    return rc;
}
