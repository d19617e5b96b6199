/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What `thalweg barrier` works on: network, data and all checkpoints in memory. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "barrier.h"
#include "barrierspawn.h"

static enum tw_status no_memory(struct barrier *b)
{
    return tw_err_set(&b->call->err, TW_ENOMEM, "out of memory");
}

/* Everything that changes a number, and the inputs by their contents. */
static void note_settings(struct barrier *b)
{
    const struct barrier_opts *o = b->o;
    struct tw_str *s = &b->settings;

    for (size_t i = 0; i < b->prov.record.ninputs; i++)
        tw_str_addf(s, "%s\n", b->prov.digests[i]);
    if (o->evaluator.command)
        tw_str_addf(s, "%s\n", o->evaluator.command);
    for (size_t i = 0; i < b->list.n; i++)
        tw_str_addf(s, "%s\n", b->list.v[i].name);
    tw_str_addf(s,
                "%s\n%s|%s|%s|%s\n%.17g %zu %llu %d\n%.17g %.17g %.17g %zu %zu %zu %zu %.17g "
                "%llu\n%d%d%d%d%d%s\n%.17g %.17g\n",
                o->net.model ? o->net.model : "", o->net.split ? o->net.split : "",
                o->net.loss ? o->net.loss : "", o->net.mean ? o->net.mean : "",
                o->net.std ? o->net.std : "", o->net.scale, o->net.limit,
                (unsigned long long)o->net.subset_seed, o->net.real64, o->tol, o->error_tol,
                o->noise, o->start, o->max_points, o->points, o->replicates, o->level,
                (unsigned long long)b->call->common.seed, o->matrix || o->spawned, o->mli,
                o->no_split, o->swap, o->predict, o->bn ? o->bn : "", o->threshold_error,
                o->threshold_loss);
}

/* ---- which --------------------------------------------------------------------------------- */

static enum tw_status list_own(struct barrier *b)
{
    const struct barrier_opts *o = b->o;
    struct tw_checkpoint_list *l = &b->list;
    size_t n;

    if (b->call->argc || o->net.data || o->net.model)
        return tw_err_set(&b->call->err, TW_EINVAL,
                          "--evaluator brings its own network, checkpoints and data: name none "
                          "beside it");
    if (b->o->bn && !strcmp(b->o->bn, "recalibrate"))
        return tw_err_set(&b->call->err, TW_EINVAL,
                          "--bn=recalibrate does not go with --evaluator");
    b->problem = tw_evaluator_open(b->call, &o->evaluator);
    if (!b->problem)
        return b->call->err.code;
    n = tw_evaluator_info(b->problem).checkpoints;
    l->v = tw_alloc(n, sizeof *l->v);
    if (!l->v)
        return no_memory(b);
    for (l->cap = n; l->n < n; l->n++) {
        l->v[l->n].name = tw_strdup(tw_evaluator_checkpoint(b->problem, l->n));
        if (!l->v[l->n].name)
            return no_memory(b);
    }
    return TW_OK;
}

enum tw_status barrier_list(struct barrier *b)
{
    enum tw_status rc = b->o->evaluator.command ? list_own(b) : TW_OK;

    if (rc == TW_OK && b->o->spawned)
        return barrier_spawn_list(b);
    for (int i = 0; i < b->call->argc && rc == TW_OK; i++)
        rc = tw_checkpoints_add(b->call, b->call->argv[i], &b->list);
    if (rc == TW_OK && b->list.n < 2)
        rc = tw_err_set(&b->call->err, TW_EINVAL,
                        "a barrier is between two checkpoints; there %s %zu",
                        b->list.n == 1 ? "is" : "are", b->list.n);
    if (rc == TW_OK && b->o->mli && b->list.n != 2)
        rc = tw_err_set(&b->call->err, TW_EINVAL, "--mli is about two checkpoints, not %zu",
                        b->list.n);
    return rc;
}

/* ---- what ---------------------------------------------------------------------------------- */

static enum tw_status load_model(struct barrier *b, size_t i)
{
    if (b->o->evaluator.command)
        return tw_evaluator_get(b->problem, i, b->params[i], NULL, b->buffers[i], &b->call->err);
    return tw_load_weights(b->call, &b->o->net, b->list.v[i].name, tw_problem_graph(b->network),
                           b->net, b->params[i], b->buffers[i], &b->prov);
}

static enum tw_status load_models(struct barrier *b)
{
    const struct tw_layout *l = b->problem->layout;
    enum tw_status rc = TW_OK;

    b->params = tw_alloc(b->list.n, sizeof *b->params);
    b->buffers = tw_alloc(b->list.n, sizeof *b->buffers);
    if (!b->params || !b->buffers)
        return no_memory(b);
    for (size_t i = 0; i < b->list.n && rc == TW_OK; i++) {
        b->params[i] = tw_alloc(l->n, sizeof *b->params[i]);
        b->buffers[i] = tw_alloc(l->nb, sizeof *b->buffers[i]);
        if (!b->params[i] || !b->buffers[i])
            return no_memory(b);
        rc = load_model(b, i);
    }
    return rc;
}

/* The problem measures its statistics anew at each point. */
static enum tw_status recalibrate(struct barrier *b)
{
    struct tw_problem_options po = { .graph.batch_statistics = true };
    struct tw_net *again;
    struct tw_problem *training, *both;

    if (b->problem->layout->nb == 0)
        return tw_err_set(&b->call->err, TW_EINVAL,
                          "--bn=recalibrate: the network has no running statistics");
    again = tw_load_net(b->call, &b->o->net, b->list.v[0].name, NULL);
    if (!again)
        return b->call->err.code;
    training = tw_load_problem(b->call, &b->o->net, again, &b->data, &po);
    tw_net_free(again);
    if (!training)
        return b->call->err.code;
    both = tw_problem_recalibrated(b->problem, training, &b->call->err);
    if (!both)
        tw_problem_free(training);
    else
        b->problem = both;
    return both ? TW_OK : b->call->err.code;
}

static enum tw_status load_problem(struct barrier *b)
{
    struct tw_problem_options po = { 0 };
    enum tw_status rc;

    po.exec.gradient = !b->o->no_split || b->o->predict;
    po.exec.tangents = b->o->predict ? 1 : 0;
    b->net = tw_load_net(b->call, &b->o->net, b->list.v[0].name, &b->prov);
    if (!b->net)
        return b->call->err.code;
    rc = tw_load_data(b->call, &b->o->net, &b->data, &b->prov);
    if (rc != TW_OK)
        return rc;
    b->problem = tw_load_problem(b->call, &b->o->net, b->net, &b->data, &po);
    if (!b->problem)
        return b->call->err.code;
    b->network = b->problem;
    return b->o->bn && !strcmp(b->o->bn, "recalibrate") ? recalibrate(b) : TW_OK;
}

enum tw_status barrier_set_up(struct barrier *b)
{
    enum tw_status rc = b->o->evaluator.command ? TW_OK : load_problem(b);

    if (rc == TW_OK)
        rc = load_models(b);
    if (rc == TW_OK)
        rc = tw_groups_make(b->problem->layout, &b->groups, &b->call->err);
    note_settings(b);
    if (rc == TW_OK && b->settings.failed)
        rc = no_memory(b);
    return rc;
}

void barrier_release(struct barrier *b)
{
    tw_result_abandon(b->file);
    for (size_t i = 0; i < b->list.n; i++) {
        if (b->params)
            free(b->params[i]);
        if (b->buffers)
            free(b->buffers[i]);
    }
    free(b->params);
    free(b->buffers);
    barrier_drop_line(b);
    tw_groups_release(&b->groups);
    tw_problem_free(b->problem);
    tw_dataset_release(&b->data);
    tw_net_free(b->net);
    tw_checkpoints_release(&b->list);
    tw_cmd_provenance_release(&b->prov);
    tw_str_release(&b->settings);
}

struct tw_ends barrier_ends(const struct barrier *b, size_t i, size_t j)
{
    return (struct tw_ends){ { b->params[i], b->params[j] }, { b->buffers[i], b->buffers[j] } };
}
