/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One run of `thalweg train`: its network, problems, trainer, and what of it is stored. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "thalweg/tensor_build.h"
#include "train.h"

enum { SUMS = 3 }; /* beside the trainer's state: the sums since the last row */

static enum tw_status no_memory(struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

void train_job_release(struct train_job *j)
{
    tw_trainer_free(j->trainer);
    tw_problem_free(j->problem);
    tw_problem_free(j->validation);
    tw_net_free(j->net);
    tw_net_free(j->val_net);
    tw_dataset_release(&j->windows.batch);
    free(j->tensor);
    free(j->value);
    free(j->state);
    free(j->line);
    *j = (struct train_job){ 0 };
}

/* ---- networks -------------------------------------------------------------------------------- */

static struct tw_net *make_net(struct tw_call *call, const struct train_run *r,
                               struct tw_cmd_provenance *prov)
{
    struct tw_net_opts o = r->o.net;
    struct tw_net *net;

    o.model = r->model;
    net = tw_load_net(call, &o, NULL, prov);
    if (net && tw_net_cool(net, r->o.temperature, &call->err) != TW_OK) {
        tw_net_free(net);
        return NULL;
    }
    return net;
}

/* Threads that pay for n samples at once: one for each 1e8 operations, as threads have to wait for
 * one another many times. `passes`: 3 with a gradient. The bits are the same with any number. */
static size_t threads_for(const struct tw_net *net, size_t n, double passes, size_t most)
{
    struct tw_graph *g = tw_graph_new(net, &(struct tw_graph_options){ 0 }, NULL);
    const double work = g ? passes * tw_graph_flops(g) * (double)n / 1e8 : 0.0;

    tw_graph_free(g);
    return work >= (double)most ? most : (size_t)work + 1;
}

static struct tw_problem *make_problem(struct tw_call *call, const struct train_run *r,
                                       struct tw_net *net, const struct tw_dataset *data,
                                       bool training)
{
    const size_t all = call->common.threads;
    struct tw_problem_options po = { 0 };
    struct tw_problem *p;

    po.graph.ntrain = r->o.train.n;
    po.graph.train = r->o.train.v;
    po.graph.nfreeze = r->o.freeze.n;
    po.graph.freeze = r->o.freeze.v;
    po.graph.batch_statistics = training;
    po.graph.dropout = training;
    po.exec.gradient = training;
    po.logits = training && train_has_ghost(&r->o);
    po.exec.tangents = po.logits ? 1 : 0;
    call->common.threads = training ? threads_for(net, r->batch, 3.0, all)
                                    : threads_for(net, data->x.dims[0], 1.0, all);
    p = tw_load_problem(call, &r->o.net, net, data, &po);
    call->common.threads = all;
    return p;
}

static enum tw_status make_problems(struct tw_call *call, struct train_job *j,
                                    struct tw_cmd_provenance *prov)
{
    const struct train_data *d = j->data;
    struct train_run *r = j->run;

    const bool tokens = d->tokens.n > 0;

    if (tokens) {
        const enum tw_status rc =
            train_windows_make(&j->windows, d, r->batch, r->data_seed, &call->err);

        if (rc != TW_OK)
            return rc;
    }
    j->net = make_net(call, r, prov);
    if (j->net)
        j->problem = make_problem(call, r, j->net, tokens ? &j->windows.batch : &d->train, true);
    if (j->problem && tokens &&
        train_tokens_check(d, r->o.net.data, tw_problem_ports(j->problem)->classes, &call->err) !=
            TW_OK)
        return call->err.code;
    if (!j->problem || d->validation.x.dtype == TW_NONE)
        return call->err.code;
    j->val_net = make_net(call, r, prov);
    if (j->val_net)
        j->validation = make_problem(call, r, j->val_net, &d->validation, false);
    if (j->validation && (j->validation->dim != j->problem->dim ||
                          j->validation->layout->nb != j->problem->layout->nb))
        return tw_err_set(&call->err, TW_EFORMAT, "the network has other parameters in training");
    return call->err.code;
}

/* ---- the trainer ----------------------------------------------------------------------------- */

static enum tw_status make_trainer(struct tw_call *call, struct train_job *j, const float *params,
                                   const float *buffers)
{
    const struct train_run *r = j->run;
    const bool tokens = j->data->tokens.n > 0;
    struct tw_trainer_options o = { .optimizer = r->optimizer,
                                    .lr = r->schedule.lr,
                                    .steps = r->schedule.n,
                                    .clip = r->o.clip,
                                    .spike_step = r->spike_step,
                                    .spike_factor = r->spike_factor,
                                    .spike_held = r->spike_held,
                                    .real64 = r->o.net.real64,
                                    .dropout_seed = r->dropout_seed };

    if (train_has_ghost(&r->o)) {
        const bool cap = !isnan(r->o.ghost_cap);

        j->ghost = (struct tw_train_ghost){ cap || !isnan(r->o.ghost_rate),
                                            cap ? TW_GHOST_CAP : TW_GHOST_RATE,
                                            cap ? r->o.ghost_cap : r->o.ghost_rate,
                                            !strcmp(r->o.ghost_on, "all") };
        o.control = tw_train_ghost;
        o.control_ctx = &j->ghost;
        o.nextra = TW_TRAIN_GHOST_EXTRA;
    }
    o.order = (struct tw_order){ .n = tokens ? r->batch : j->problem->n,
                                 .batch = r->batch,
                                 .drop_last = r->o.drop_last,
                                 .seed = r->data_seed,
                                 .spawn = r->o.spawn,
                                 .branch = r->branch };
    if (tokens) {
        o.fill = train_windows_fill;
        o.fill_ctx = &j->windows;
    }
    j->trainer = tw_trainer_new(j->problem, &o, params, buffers, &call->err);
    return j->trainer ? TW_OK : call->err.code;
}

static enum tw_status list_tensors(struct train_job *j, struct tw_err *err)
{
    const struct tw_layout *l = j->problem->layout;
    const size_t n = l->nparam + l->nbuffer;

    j->tensor = tw_alloc(n, sizeof *j->tensor);
    j->value = tw_alloc(n, sizeof *j->value);
    if (!j->tensor || !j->value)
        return no_memory(err);
    for (size_t i = 0; i < n; i++) {
        const struct tw_param *p = &l->param[i];

        j->tensor[i] = (struct tw_run_tensor){ p->name, p->rank, p->dims, p->n };
        j->value[i] =
            (i < l->nparam ? tw_trainer_params(j->trainer) : tw_trainer_buffers(j->trainer)) +
            p->offset;
    }
    return TW_OK;
}

enum tw_status train_job_make(struct tw_call *call, struct train_run *run, size_t index,
                              const struct train_data *data, struct train_job *j,
                              struct tw_cmd_provenance *prov)
{
    float *params = NULL, *buffers = NULL;
    enum tw_status rc;

    j->run = run;
    j->data = data;
    j->index = index;
    j->nshare = 1;
    rc = make_problems(call, j, prov);
    if (rc != TW_OK)
        return rc;
    params = tw_alloc(j->problem->dim, sizeof *params);
    buffers = tw_alloc(j->problem->layout->nb, sizeof *buffers);
    rc = params && buffers ? TW_OK : no_memory(&call->err);
    j->unloaded = run->o.weights && train_goes_on(call) && tw_checkpoint_gone(run->o.weights);
    if (rc == TW_OK)
        rc = tw_load_weights(call, &run->o.net, j->unloaded ? NULL : run->o.weights,
                             tw_problem_graph(j->problem), j->net, params, buffers, prov);
    if (rc == TW_OK)
        rc = make_trainer(call, j, params, buffers);
    free(params);
    free(buffers);
    if (rc == TW_OK)
        rc = list_tensors(j, &call->err);
    if (rc != TW_OK)
        return rc;
    j->nstate = tw_trainer_state(j->trainer) + SUMS;
    j->state = tw_alloc(j->nstate, sizeof *j->state);
    j->line = tw_alloc(TRAIN_NSERIES, sizeof *j->line);
    return j->state && j->line ? TW_OK : no_memory(&call->err);
}

/* ---- its state ------------------------------------------------------------------------------- */

void train_job_save(struct train_job *j)
{
    double *sums = j->state + j->nstate - SUMS;

    tw_trainer_save(j->trainer, j->state);
    sums[0] = j->loss_sum;
    sums[1] = j->error_sum;
    sums[2] = j->updates;
}

void train_job_load(struct train_job *j, size_t steps, const double *state)
{
    const double *sums = state + j->nstate - SUMS;

    tw_trainer_load(j->trainer, steps, state);
    j->loss_sum = sums[0];
    j->error_sum = sums[1];
    j->updates = sums[2];
}
