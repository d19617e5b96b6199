/* SPDX-License-Identifier: GPL-3.0-or-later */
/* --evaluator: points, logits and their slopes from a program of the user's. */
#include <stdlib.h>
#include <string.h>

#include "ghost.h"

/* What it lacks, and what asks for a network. */
static enum tw_status can(struct ghost *g)
{
    const struct tw_evaluator_info info = tw_evaluator_info(g->problem);
    struct tw_err *err = &g->call->err;

    if (!info.classes)
        return tw_err_set(
            err, TW_EINVAL,
            "the evaluator does not offer logits, and the radii are those of a softmax "
            "(\"logits\" in its greeting)");
    if (!info.logit_jvp)
        return tw_err_set(err, TW_EINVAL,
                          "the evaluator does not offer directional derivatives of logits "
                          "(\"logit_jvp\" in its greeting)");
    for (size_t k = 0; k < g->nonset; k++)
        if (g->onsets[k].kind == '-' && !g->problem->has_error)
            return tw_err_set(err, TW_EINVAL, "--onset: the evaluator has no accuracy");
    g->classes = info.classes;
    return TW_OK;
}

static enum tw_status take_labels(struct ghost *g)
{
    const size_t n = g->problem->n * (g->problem->width / g->classes);
    enum tw_status rc;

    if (!tw_evaluator_info(g->problem).labels)
        return TW_OK;
    g->labels = tw_alloc(n, sizeof *g->labels);
    if (!g->labels)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    rc = tw_evaluator_labels(g->problem, g->labels, &g->call->err);
    for (size_t i = 0; rc == TW_OK && i < n; i++)
        if (!(g->labels[i] < (double)g->classes))
            rc = tw_err_set(&g->call->err, TW_EFORMAT,
                            "the evaluator's label %zu is %g, no class from 0 to %zu", i,
                            g->labels[i], g->classes - 1);
    return rc;
}

/* Its checkpoints in the place of those of the command line. */
static enum tw_status list(struct ghost *g, struct tw_checkpoint_list *to)
{
    to->v = tw_alloc(g->own.n, sizeof *to->v);
    if (!to->v)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (; to->n < g->own.n; to->n++) {
        to->v[to->n].name = tw_strdup(g->own.name[to->n]);
        if (!to->v[to->n].name)
            return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    }
    return TW_OK;
}

enum tw_status tw_ghost_own_open(struct ghost *g, struct tw_checkpoint_list *to)
{
    struct tw_call *call = g->call;
    enum tw_status rc;

    if (call->argc || g->o->net.data || g->o->net.model)
        return tw_err_set(&call->err, TW_EINVAL,
                          "--evaluator brings its own network, checkpoints and data: name none "
                          "beside it");
    if (g->o->inside || g->o->on || g->o->temperature != 1.0)
        return tw_err_set(&call->err, TW_EINVAL,
                          "--inside, --on and --temperature do not go with --evaluator");
    g->problem = tw_evaluator_open(call, &g->o->evaluator);
    if (!g->problem)
        return call->err.code;
    rc = can(g);
    if (rc == TW_OK)
        rc = take_labels(g);
    if (rc == TW_OK)
        rc = tw_evaluator_own(call, g->problem, &g->own);
    return rc == TW_OK ? list(g, to) : rc;
}

enum tw_status tw_ghost_own_point(struct ghost *g, const char *name, struct tw_vector *at,
                                  float *buffers)
{
    size_t found = 0, k = 0;

    for (size_t i = 0; i < g->own.n; i++)
        if (!strcmp(g->own.name[i], name)) {
            k = i;
            found++;
        }
    if (found != 1)
        return tw_err_set(&g->call->err, TW_EINVAL,
                          found ? "%s: the evaluator has several checkpoints of this name"
                                : "%s: the evaluator has no checkpoint of this name",
                          name);
    *at = g->own.at[k];
    memcpy(buffers, g->own.buffers[k], g->problem->layout->nb * sizeof *buffers);
    return TW_OK;
}

enum tw_status tw_ghost_pass(struct ghost *g, const struct tw_request *r, tw_ghost_block_fn *fn,
                             void *ctx)
{
    enum { BLOCK = 64 << 20 };
    struct tw_err *err = &g->call->err;

    return g->own.n ? tw_ghost_slopes_whole(g->problem, r, g->classes, g->labels, fn, ctx, err)
                    : tw_ghost_slopes(g->problem, r, BLOCK, fn, ctx, err);
}

size_t tw_ghost_softmaxes(const struct ghost *g, const struct tw_request *r)
{
    const size_t n = g->own.n ? g->problem->n * (g->problem->width / g->classes) : 0;
    size_t m = 0;

    for (size_t i = 0; i < n; i++)
        m += !g->labels || g->labels[i] >= 0.0;
    return g->own.n ? m : tw_ghost_positions(g->problem, r);
}
