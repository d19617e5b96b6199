/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Network, data and problem of a scan. */
#include <stdlib.h>
#include <string.h>

#include "scan.h"

static enum tw_status no_memory(struct scan *s)
{
    return tw_err_set(&s->call->err, TW_ENOMEM, "out of memory");
}

/* Running statistics are the buffers that BatchNormalization reads. */
static enum tw_status find_batch_norm(struct scan *s)
{
    struct tw_op_count *ops = NULL;
    size_t n = 0;
    enum tw_status rc = tw_net_operators(s->net, &ops, &n, &s->call->err);

    for (size_t i = 0; rc == TW_OK && i < n; i++)
        s->batch_norm = s->batch_norm || !strcmp(ops[i].op, "BatchNormalization");
    free(ops);
    return rc;
}

/* The same network once more, whose normalisation is from the batch. */
static enum tw_status load_training(struct scan *s, const struct tw_net_opts *net)
{
    struct tw_problem_options po = { .graph.batch_statistics = true };
    struct tw_net *again = tw_load_net(s->call, net, scan_checkpoint(s, 0), NULL);

    if (!again)
        return s->call->err.code;
    s->training = tw_load_problem(s->call, net, again, &s->data, &po);
    tw_net_free(again);
    if (!s->training)
        return s->call->err.code;
    s->point = tw_alloc(s->problem->dim, sizeof *s->point);
    s->point_buffers = tw_alloc(s->problem->layout->nb, sizeof *s->point_buffers);
    s->statistics = tw_alloc(s->problem->layout->nb, sizeof *s->statistics);
    if (!s->point || !s->point_buffers || !s->statistics)
        return no_memory(s);
    return s->training->dim == s->problem->dim && s->training->layout->nb == s->problem->layout->nb
               ? TW_OK
               : tw_err_set(&s->call->err, TW_EFORMAT,
                            "--bn=recalibrate: the network has other parameters in training");
}

/* --also */
static enum tw_status read_extra(struct scan *s)
{
    const struct tw_opt_list *also = &s->o->also;
    enum tw_status rc = TW_OK;

    s->extra = tw_alloc(also->n, sizeof *s->extra);
    if (!s->extra)
        return no_memory(s);
    for (size_t k = 0; rc == TW_OK && k < also->n; k++)
        rc = tw_loss_parse(also->v[k], &s->extra[k], &s->call->err);
    return rc;
}

/* A pass of well under a millisecond is made by one thread: on a busy machine waiting for the
 * others takes many times as long. No number depends on it. */
static enum tw_status load_problem(struct scan *s, const struct tw_net_opts *net,
                                   struct tw_problem_options *po)
{
    const double few = 5e6; /* floating-point operations */

    s->problem = tw_load_problem(s->call, net, s->net, &s->data, po);
    if (s->problem && s->call->common.threads > 1 &&
        tw_graph_flops(tw_problem_graph(s->problem)) * (double)s->problem->n < few) {
        s->call->common.threads = 1;
        tw_problem_free(s->problem);
        s->problem = NULL;
        tw_net_free(s->net); /* its loss was appended */
        s->net = tw_load_net(s->call, net, scan_checkpoint(s, 0), NULL);
        if (s->net)
            s->problem = tw_load_problem(s->call, net, s->net, &s->data, po);
    }
    return s->problem ? TW_OK : s->call->err.code;
}

enum tw_status scan_load(struct scan *s)
{
    struct tw_problem_options po = { 0 };
    struct tw_net_opts net = s->o->net;
    struct tw_str loss = { 0 };
    enum tw_status rc;

    if (s->o->evaluator.command) {
        s->batch_norm = s->problem->layout->nb > 0;
        return TW_OK;
    }
    s->net = tw_load_net(s->call, &net, scan_checkpoint(s, 0), &s->prov);
    if (!s->net)
        return s->call->err.code;
    rc = find_batch_norm(s);
    if (rc == TW_OK)
        rc = tw_load_data(s->call, &net, &s->data, &s->prov);
    if (rc == TW_OK && s->o->target_error > 0.0)
        rc = scan_pilot(s, &net.limit);
    if (rc == TW_OK)
        rc = read_extra(s);
    if (rc != TW_OK)
        return rc;
    po.nextra = s->o->also.n;
    po.extra = s->extra;
    rc = load_problem(s, &net, &po);
    if (rc != TW_OK || !s->problem)
        return rc;
    if (s->batch_norm && s->o->bn && !strcmp(s->o->bn, "recalibrate"))
        rc = load_training(s, &net);
    if (rc != TW_OK)
        return rc;
    tw_loss_print(tw_problem_loss(s->problem), &loss);
    tw_cmd_debug(s->call,
                 "%s, %zu parameters, loss %s, %zu of %zu samples, %zu x %zu points; evaluation "
                 "holds %.3g MB, anchors %.3g MB",
                 s->net->source ? s->net->source : "network", s->problem->dim,
                 loss.failed ? "?" : loss.s, s->problem->n, s->problem->all, s->nx, s->ny,
                 (double)tw_problem_memory(s->problem) / 1e6,
                 4e-6 * (double)s->problem->dim * (s->kind == SCAN_LINE ? 3.0 : 4.0));
    tw_str_release(&loss);
    return TW_OK;
}
