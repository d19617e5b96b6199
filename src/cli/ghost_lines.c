/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which directions from which points: a step to another checkpoint, a gradient, random ones, the
 * steps of a whole run. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ghost.h"
#include "scanfile.h"

/* Logits of an evaluator whose slopes along several directions are kept at once: 8 x 32 MB. */
#define MOST_OWN ((size_t)4 << 20)

enum tw_status tw_ghost_line_make(struct ghost_line *l, size_t n, struct tw_err *err)
{
    l->n = n;
    l->rho_a = tw_alloc(n, sizeof *l->rho_a);
    l->low = tw_alloc(n, sizeof *l->low);
    l->rho = tw_alloc(n, sizeof *l->rho);
    l->re = tw_alloc(n, sizeof *l->re);
    l->im = tw_alloc(n, sizeof *l->im);
    l->flip = tw_alloc(n, sizeof *l->flip);
    l->variance = tw_alloc(n, sizeof *l->variance);
    l->row = tw_alloc(n, sizeof *l->row);
    l->label = tw_alloc(n, sizeof *l->label);
    if (l->rho_a && l->low && l->rho && l->re && l->im && l->flip && l->variance && l->row &&
        l->label)
        return TW_OK;
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

void tw_ghost_release(struct ghost *g)
{
    for (size_t i = 0; g->line && i < g->nline; i++) {
        struct ghost_line *l = &g->line[i];

        free(l->name);
        free(l->rho_a);
        free(l->low);
        free(l->rho);
        free(l->re);
        free(l->im);
        free(l->flip);
        free(l->variance);
        free(l->row);
        free(l->label);
        free(l->layer);
        free(l->site);
        free(l->truth);
    }
    if (g->scan)
        tw_scan_release(g->scan);
    free(g->scan);
    free(g->horizon[0]);
    free(g->horizon[1]);
    for (size_t k = 0; k < g->nlayer_name; k++)
        free(g->layer_name[k]);
    free(g->layer_name);
    free(g->line);
    free(g->params);
    free(g->buffers);
    free(g->labels);
    tw_own_checkpoints_release(&g->own);
    tw_ghost_inside_free(g->inside);
    tw_graph_free(g->bare);
    tw_problem_free(g->problem);
    tw_dataset_release(&g->data);
    tw_net_free(g->net);
    tw_cmd_provenance_release(&g->prov);
}

/* ---- the problem --------------------------------------------------------------------------- */

static size_t layers_of(const struct tw_layout *layout)
{
    size_t n = 0;

    for (size_t p = 0; p < layout->nparam; p++)
        n += p == 0 || strcmp(layout->param[p].layer, layout->param[p - 1].layer) != 0;
    return n;
}

/* Few tangents at once: each costs memory, in every tile or (of an evaluator) for all samples. */
static size_t tangents_for(const struct tw_layout *layout)
{
    const size_t n = layers_of(layout);

    return n < 1 ? 1 : n > 8 ? 8 : n;
}

static enum tw_status choose_tangents(struct ghost *g)
{
    struct tw_graph *bare = tw_graph_new(g->net, NULL, &g->call->err);

    if (!bare)
        return g->call->err.code;
    g->tangents = tangents_for(tw_graph_layout(bare));
    tw_graph_free(bare);
    return TW_OK;
}

static enum tw_status set_up(struct ghost *g, const char *checkpoint)
{
    struct tw_problem_options po = { .logits = true };
    enum tw_status rc;

    g->net = tw_load_net(g->call, &g->o->net, checkpoint, &g->prov);
    if (!g->net)
        return g->call->err.code;
    rc = tw_net_cool(g->net, g->o->temperature, &g->call->err);
    if (rc == TW_OK)
        rc = tw_load_data(g->call, &g->o->net, &g->data, &g->prov);
    if (rc == TW_OK)
        rc = choose_tangents(g);
    if (rc != TW_OK)
        return rc;
    po.exec.gradient = true;
    po.exec.tangents = g->tangents;
    g->problem = tw_load_problem(g->call, &g->o->net, g->net, &g->data, &po);
    if (!g->problem)
        return g->call->err.code;
    if (!tw_problem_ports(g->problem)->classes)
        return tw_err_set(&g->call->err, TW_EFORMAT,
                          "the radii are those of a softmax: they need class targets and the loss "
                          "cross-entropy");
    for (size_t k = 0; k < g->nonset; k++)
        if (g->onsets[k].kind == '-' && !g->problem->has_error)
            return tw_err_set(&g->call->err, TW_EINVAL, "--onset: this loss has no accuracy");
    g->params = tw_alloc(g->problem->dim, sizeof *g->params);
    return g->params ? TW_OK : tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
}

/* The same network once more, with what its operators read as outputs. */
static enum tw_status set_up_inside(struct ghost *g, const char *checkpoint)
{
    const struct tw_exec_options eo = { .threads = g->call->common.threads,
                                        .memory_limit = (size_t)(g->o->net.memory * 1e6),
                                        .real64 = g->o->net.real64 };
    struct tw_net *net = tw_load_net(g->call, &g->o->net, checkpoint, NULL);

    if (net)
        g->inside = tw_ghost_inside_new(net, &eo, &g->call->err);
    tw_net_free(net);
    return g->inside ? TW_OK : g->call->err.code;
}

/* A network's parameters are written to `params`, and *at is these. */
static enum tw_status load(struct ghost *g, const char *checkpoint, struct tw_vector *at,
                           float *params, float *buffers)
{
    if (g->own.n)
        return tw_ghost_own_point(g, checkpoint, at, buffers);
    *at = (struct tw_vector){ .f = params };
    return tw_load_weights(g->call, &g->o->net, checkpoint, tw_problem_graph(g->problem), g->net,
                           params, buffers, &g->prov);
}

/* ---- directions ---------------------------------------------------------------------------- */

/* To length 1; its length before. */
static double normalise(double *v, size_t n)
{
    const double norm = sqrt(tw_sum_dot(v, v, n));

    for (size_t i = 0; norm > 0.0 && i < n; i++)
        v[i] /= norm;
    return norm;
}

static enum tw_status step_to(struct ghost *g, const char *checkpoint, double *v, double *tau)
{
    const size_t dim = g->problem->dim;
    float *params = tw_alloc(g->own.n ? 0 : dim, sizeof *params);
    float *buffers = tw_alloc(g->problem->layout->nb, sizeof *buffers);
    struct tw_vector to = { 0 };
    enum tw_status rc = params && buffers ? load(g, checkpoint, &to, params, buffers)
                                          : tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");

    for (size_t i = 0; rc == TW_OK && i < dim; i++)
        v[i] = to.f ? (double)to.f[i] - (double)g->at.f[i] : to.d[i] - g->at.d[i];
    free(params);
    free(buffers);
    if (rc != TW_OK)
        return rc;
    *tau = normalise(v, dim);
    if (!(*tau > 0.0 && isfinite(*tau)))
        return tw_err_set(&g->call->err, *tau == 0.0 ? TW_EINVAL : TW_EDOMAIN,
                          *tau == 0.0 ? "%s: the same weights; there is no step"
                                      : "%s: weights that are not finite",
                          checkpoint);
    return TW_OK;
}

static enum tw_status downhill(struct ghost *g, double *v, double *tau)
{
    const struct tw_request r = { .at = g->at, .buffers = g->buffers, .gradient = v };
    enum tw_status rc = tw_problem_eval(g->problem, &r, &g->call->err);
    double norm;

    if (rc != TW_OK)
        return rc;
    for (size_t i = 0; i < g->problem->dim; i++)
        v[i] = -v[i];
    norm = normalise(v, g->problem->dim);
    if (!(norm > 0.0 && isfinite(norm)))
        return tw_err_set(&g->call->err, TW_EDOMAIN, "the gradient's norm is %g", norm);
    *tau = g->o->rate * norm; /* NaN without a rate */
    return TW_OK;
}

static void at_random(const struct ghost *g, size_t item, double *v)
{
    struct tw_rng rng = tw_rng_stream(g->call->common.seed, TW_RNG_GHOST_DIRECTION, item);

    for (size_t i = 0; i < g->problem->dim; i++)
        v[i] = tw_rng_normal(&rng);
    (void)normalise(v, g->problem->dim);
}

/* ---- what was asked for -------------------------------------------------------------------- */

enum kind { STEP, GRADIENT, RANDOM, TRAJECTORY };
struct plan {
    enum kind kind;
    const char *to;
    struct tw_checkpoint_list list;
};

static enum tw_status make_lines(struct ghost *g, size_t n)
{
    g->line = tw_alloc(n, sizeof *g->line);
    if (!g->line)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    g->nline = n;
    return TW_OK;
}

/* From the checkpoint (none: the line's first) to the other end of a scan. */
static enum tw_status along_scan(struct ghost *g, struct plan *p)
{
    enum tw_status rc;

    if (p->list.n > 1)
        return tw_err_set(&g->call->err, TW_EINVAL,
                          "--on has the other end of the line; give one checkpoint");
    g->scan = tw_alloc(1, sizeof *g->scan);
    if (!g->scan)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    rc = tw_ghost_read_scan(g, p->list.n ? p->list.v[0].name : NULL, g->scan, &g->scan_end);
    if (rc == TW_OK && p->list.n == 0)
        rc = tw_checkpoints_add(g->call, g->scan->mark[0], &p->list);
    if (rc != TW_OK)
        return rc;
    p->to = g->scan->mark[1 - g->scan_end];
    return make_lines(g, 1);
}

static enum tw_status read_direction(struct ghost *g, struct plan *p)
{
    const char *text = g->o->direction;
    double n = 1.0;

    if (g->o->on)
        return along_scan(g, p);
    if (!text && p->list.n == 2) {
        p->to = p->list.v[1].name;
        return make_lines(g, 1);
    }
    if (p->list.n > 1 && !(text && g->own.n))
        return tw_err_set(&g->call->err, TW_EINVAL,
                          "%zu checkpoints; for the steps between them give --trajectory",
                          p->list.n);
    if (!text || !strcmp(text, "gradient")) {
        p->kind = GRADIENT;
    } else if (!strcmp(text, "random") || !strncmp(text, "random:", 7)) {
        p->kind = RANDOM;
        if (text[6] && (!tw_str_to_real(text + 7, &n) || n < 1.0 || n > 1e5 || n != floor(n)))
            return tw_err_set(&g->call->err, TW_EINVAL,
                              "--direction: '%s' is not random:N with N from 1 to 100000", text);
    } else {
        p->to = text;
    }
    return make_lines(g, (size_t)n);
}

static enum tw_status read_plan(struct ghost *g, struct plan *p)
{
    struct tw_call *call = g->call;
    enum tw_status rc = g->o->evaluator.command ? tw_ghost_own_open(g, &p->list) : TW_OK;

    p->kind = g->o->trajectory ? TRAJECTORY : STEP;
    for (int i = 0; rc == TW_OK && i < call->argc; i++) {
        struct tw_str text = { 0 };

        tw_str_add(&text, call->argv[i]);
        if (g->o->trajectory && call->argc == 1 && !tw_names_checkpoint(text.s))
            tw_str_add(&text, ":*");
        rc = text.failed ? tw_err_set(&call->err, TW_ENOMEM, "out of memory")
                         : tw_checkpoints_add(call, text.s, &p->list);
        tw_str_release(&text);
    }
    if (rc != TW_OK)
        return rc;
    if (p->kind != TRAJECTORY)
        return read_direction(g, p);
    if (g->o->direction)
        return tw_err_set(
            &call->err, TW_EINVAL,
            "--trajectory takes the steps between checkpoints; it has no --direction");
    if (p->list.n < 2)
        return tw_err_set(&call->err, TW_EINVAL, "--trajectory needs two checkpoints at least");
    return make_lines(g, p->list.n - 1);
}

static enum tw_status direct(struct ghost *g, const struct plan *p, size_t i, double *v)
{
    struct ghost_line *l = &g->line[i];
    struct tw_str name = { 0 };
    enum tw_status rc = TW_OK;

    l->tau = l->step = (double)NAN;
    switch (p->kind) {
    case STEP:
        rc = step_to(g, p->to, v, &l->tau);
        g->scan_length = l->tau;
        tw_str_addf(&name, "to %s", p->to);
        break;
    case GRADIENT:
        rc = downhill(g, v, &l->tau);
        tw_str_add(&name, "down the gradient");
        break;
    case RANDOM:
        at_random(g, i, v);
        tw_str_addf(&name, "random %zu", i);
        break;
    case TRAJECTORY:
        rc = load(g, p->list.v[i].name, &g->at, g->params, g->buffers);
        if (rc == TW_OK)
            rc = step_to(g, p->list.v[i + 1].name, v, &l->tau);
        tw_str_add(&name, p->list.v[i].name);
        l->step = p->list.v[i].has_step ? p->list.v[i].step : (double)NAN;
        break;
    }
    if (rc == TW_OK && !isnan(g->o->tau))
        l->tau = g->o->tau;
    l->name = name.failed ? NULL : name.s;
    if (rc == TW_OK && !l->name)
        rc = tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    return rc;
}

/* A run that diverged: its steps have no radii from there on. */
static enum tw_status pass_over(struct ghost *g, struct ghost_line *l)
{
    const struct tw_ghost_nearest_of none = { (double)NAN, 0 };

    tw_cmd_warn(g->call, "%s", g->call->err.msg);
    g->call->err = (struct tw_err){ 0 };
    l->all = (struct tw_ghost_batch){
        .rho_a = none, .low = none, .b1 = none, .b2 = none, .b3 = none, .rho = none
    };
    for (size_t k = 0; k < GHOST_ONSETS; k++)
        l->onset[k] = (double)NAN;
    l->n = 0;
    return TW_OK;
}

enum tw_status tw_ghost_run_network(struct ghost *g)
{
    struct plan p = { 0 };
    struct tw_progress progress;
    double *v = NULL;
    enum tw_status rc = read_plan(g, &p);
    const char *first = p.list.n ? p.list.v[0].name : NULL;
    size_t done = 0;

    if (rc == TW_OK && g->own.n)
        g->tangents =
            g->problem->n * g->problem->width > MOST_OWN ? 1 : tangents_for(g->problem->layout);
    else if (rc == TW_OK)
        rc = set_up(g, first);
    if (rc == TW_OK && g->o->inside)
        rc = set_up_inside(g, first);
    if (rc == TW_OK && g->o->truths)
        rc = tw_ghost_truths_open(g, first);
    if (rc == TW_OK) {
        g->buffers = tw_alloc(g->problem->layout->nb, sizeof *g->buffers);
        rc = g->buffers ? load(g, first, &g->at, g->params, g->buffers)
                        : tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    }
    if (rc == TW_OK) {
        v = tw_alloc(g->problem->dim, sizeof *v);
        if (!v)
            rc = tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    }
    tw_progress_start(&progress, g->call, "directions", g->nline);
    while (rc == TW_OK && done < g->nline && !(done && tw_stop_requested())) {
        rc = direct(g, &p, done, v);
        if (rc == TW_OK)
            rc = tw_ghost_measure(g, &g->line[done], v);
        if (rc == TW_EDOMAIN && p.kind == TRAJECTORY)
            rc = pass_over(g, &g->line[done]);
        if (rc == TW_OK)
            tw_progress_step(&progress, ++done, NULL);
    }
    tw_progress_end(&progress);
    if (rc == TW_OK && done < g->nline) {
        g->nline = done;
        rc = TW_ESTOP;
    }
    if (rc != TW_OK && rc != TW_ESTOP && g->o->evaluator.command && g->problem)
        tw_evaluator_show_tail(g->call, g->problem);
    tw_checkpoints_release(&p.list);
    free(v);
    return rc;
}
