/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "netload.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "thalweg/graph_match.h"
#include "thalweg/store_net.h"
#include "thalweg/store_weights.h"

void tw_load_remarks(struct tw_call *call, const char *path, const struct tw_str *remarks)
{
    for (const char *p = remarks->s; p && *p;) {
        const size_t n = strcspn(p, "\n");

        tw_cmd_warn(call, "%s: %.*s", path, (int)n, p);
        p += n + (p[n] == '\n');
    }
}

/* ---- networks ------------------------------------------------------------------------------- */

/* The attribute "model" of a checkpoint's root. */
static void find_model(void *ctx, const char *path, const char *type, const char *shape,
                       const char *value)
{
    char **model = ctx;

    (void)type;
    (void)shape;
    if (!strcmp(path, "/@model") && !*model)
        *model = tw_strdup(value);
}

static char *model_of(struct tw_call *call, const char *checkpoint)
{
    char *model = NULL;

    if (!checkpoint) {
        (void)tw_err_set(&call->err, TW_EINVAL, "no network: give --model");
        return NULL;
    }
    if (tw_is_hdf5(checkpoint) &&
        tw_info_hdf5(checkpoint, find_model, &model, &call->err) != TW_OK) {
        free(model);
        return NULL;
    }
    if (!model)
        (void)tw_err_set(&call->err, TW_EINVAL,
                         "%s does not say what network it is of (an attribute 'model' of its root "
                         "would); give --model",
                         checkpoint);
    return model;
}

static bool is_family(const char *model)
{
    for (const struct tw_family *f = tw_families; f->name; f++)
        if (!strcmp(f->name, model))
            return true;
    return strchr(model, '(') != NULL;
}

struct tw_net *tw_load_net(struct tw_call *call, const struct tw_net_opts *o,
                           const char *checkpoint, struct tw_cmd_provenance *prov)
{
    char *model = o->model ? tw_strdup(o->model) : model_of(call, checkpoint);
    struct tw_str remarks = { 0 };
    struct tw_net *net = NULL;
    struct stat st;

    if (!model) {
        (void)tw_err_set(&call->err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    if (stat(model, &st) != 0 && is_family(model)) {
        net = tw_family_net(model, &call->err);
    } else if (tw_store_net_read(model, &net, &remarks, &call->err) == TW_OK) {
        tw_load_remarks(call, model, &remarks);
        if (prov && tw_cmd_provenance_input(prov, model, NULL, &call->err) != TW_OK) {
            tw_net_free(net);
            net = NULL;
        }
    }
    tw_str_release(&remarks);
    free(model);
    return net;
}

/* ---- problems ----------------------------------------------------------------------------------
 */

struct tw_problem *tw_load_problem(struct tw_call *call, const struct tw_net_opts *o,
                                   struct tw_net *net, const struct tw_dataset *data,
                                   struct tw_problem_options *p)
{
    struct tw_loss_spec loss;
    struct tw_problem *problem;

    if (o->loss) {
        if (tw_loss_parse(o->loss, &loss, &call->err) != TW_OK)
            return NULL;
        p->loss = &loss;
    }
    p->exec.threads = call->common.threads;
    p->exec.memory_limit = (size_t)(o->memory * 1e6);
    p->exec.real64 = o->real64;
    p->limit = o->limit;
    p->subset_seed = o->subset_seed;
    problem = tw_problem_new(net, data, p, &call->err);
    p->loss = NULL;
    if (!problem)
        (void)tw_err_ctx(&call->err, call->err.code, "%s", net->source ? net->source : "network");
    return problem;
}

/* ---- checkpoints
 * --------------------------------------------------------------------------------- */

enum tw_status tw_load_weights(struct tw_call *call, const struct tw_net_opts *o, const char *path,
                               const struct tw_graph *g, const struct tw_net *net, float *params,
                               float *buffers, struct tw_cmd_provenance *prov)
{
    struct tw_named_list list = { 0 };
    struct tw_match match = { 0 };
    struct tw_str remarks = { 0 };
    enum tw_status rc;

    tw_graph_initial(g, params, buffers);
    if (!path)
        return TW_OK;
    rc = tw_store_weights_read(path, o->state_key, &list, &remarks, &call->err);
    if (rc == TW_OK && prov)
        rc = tw_cmd_provenance_input(prov, path, NULL, &call->err);
    if (rc == TW_OK) {
        rc = tw_match_weights(tw_graph_layout(g), net, &list, params, buffers, &match, &call->err);
        if (rc != TW_OK)
            rc = tw_err_ctx(&call->err, rc, "%s", path);
        else
            tw_match_remarks(&match, &remarks);
    }
    tw_load_remarks(call, path, &remarks);
    tw_str_release(&remarks);
    tw_match_release(&match);
    tw_named_release(&list);
    return rc;
}
