/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "netload.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "checkpoint.h"
#include "thalweg/graph_match.h"
#include "thalweg/store_data.h"
#include "thalweg/store_net.h"
#include "thalweg/store_run.h"
#include "thalweg/store_weights.h"
#include "thalweg/tensor_build.h"

void tw_load_remarks(struct tw_call *call, const char *path, const struct tw_str *remarks,
                     bool warn)
{
    for (const char *p = remarks->s; p && *p;) {
        const size_t n = strcspn(p, "\n");

        if (warn)
            tw_cmd_warn(call, "%s: %.*s", path, (int)n, p);
        else
            tw_cmd_note(call, "%s: %.*s", path, (int)n, p);
        p += n + (p[n] == '\n');
    }
}

/* ---- networks ------------------------------------------------------------------------------- */

/* What a checkpoint's file says about itself under "model"; NULL: nothing, or an error. */
static char *model_note(struct tw_call *call, const char *path)
{
    struct tw_weights_file *f;
    char *model = NULL;

    if (!tw_is_hdf5(path) && !tw_is_weights(path))
        return NULL;
    f = tw_weights_open(path, NULL, NULL, &call->err);
    for (size_t i = 0; f && i < f->nnote && !model; i++)
        if (!strcmp(f->note[i].key, "model"))
            model = tw_strdup(f->note[i].value);
    tw_weights_close(f);
    return model;
}

char *tw_load_model(struct tw_call *call, const char *checkpoint)
{
    struct tw_checkpoint_list list = { 0 };
    char *model = NULL;

    if (tw_checkpoint_one(call, checkpoint, &list) == TW_OK) {
        model = tw_checkpoint_attr(call, &list.v[0], "model");
        if (!model && !list.v[0].has_step && call->err.code == TW_OK)
            model = model_note(call, checkpoint);
    }
    if (!model && call->err.code == TW_OK && tw_is_network(checkpoint))
        model = tw_strdup(checkpoint);
    tw_checkpoints_release(&list);
    return model;
}

static char *model_of(struct tw_call *call, const char *checkpoint)
{
    char *model = checkpoint ? tw_load_model(call, checkpoint) : NULL;

    /* Is it a checkpoint at all? */
    if (checkpoint && !model && call->err.code == TW_OK && !tw_names_checkpoint(checkpoint))
        tw_weights_close(tw_weights_open(checkpoint, NULL, NULL, &call->err));
    if (!checkpoint)
        (void)tw_err_set(&call->err, TW_EINVAL, "no network: give --model");
    else if (!model && call->err.code == TW_OK)
        (void)tw_err_set(&call->err, TW_EINVAL,
                         "%s does not say what network it is of (an attribute 'model' of its root "
                         "would, or 'model' in its metadata); give --model",
                         checkpoint);
    return model;
}

bool tw_is_family(const char *model)
{
    for (const struct tw_family *f = tw_families; f->name; f++)
        if (!strcmp(f->name, model))
            return true;
    return strchr(model, '(') != NULL;
}

enum tw_status tw_net_cool(struct tw_net *net, double temperature, struct tw_err *err)
{
    struct tw_net_build b = { net, err, false, NULL };
    int out;

    if (temperature == 1.0 || net->noutput < 1)
        return TW_OK;
    /* A constant, not an initializer: checkpoints have nothing for it. */
    out = tw_build_op2(&b, "Div", net->output[0], tw_build_const_real(&b, temperature));
    if (b.failed)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    net->value[net->output[0]].is_output = false;
    net->value[out].is_output = true;
    net->output[0] = out;
    return TW_OK;
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
    if (stat(model, &st) != 0 && tw_is_family(model)) {
        net = tw_family_net(model, &call->err);
        if (!net && !o->model && call->err.code == TW_EINVAL)
            call->err.code = TW_EFORMAT; /* nobody typed it: the file says so */
    } else if (tw_store_net_read(model, &net, &remarks, &call->err) == TW_OK) {
        tw_load_remarks(call, model, &remarks, true);
        if (prov && tw_cmd_provenance_input(prov, model, NULL, &call->err) != TW_OK) {
            tw_net_free(net);
            net = NULL;
        }
    }
    tw_str_release(&remarks);
    free(model);
    return net;
}

/* ---- data ------------------------------------------------------------------------------------ */

/* "0.1,0.2": up to `max` numbers, one at least. */
static enum tw_status read_list(struct tw_call *call, const char *option, const char *text,
                                double *x, size_t max, size_t *n)
{
    *n = 0;
    while (text) {
        const size_t m = strcspn(text, ",");

        if (*n == max)
            return tw_err_set(&call->err, TW_EINVAL, "--%s: more than %zu numbers", option, max);
        if (!tw_strn_to_real(text, m, &x[(*n)++]))
            return tw_err_set(&call->err, TW_EINVAL, "--%s: '%.*s' is not a number", option,
                              (int)(m < 40 ? m : 40), text);
        text = text[m] ? text + m + 1 : NULL;
    }
    return TW_OK;
}

/* The file, or those that were read of a folder. */
static enum tw_status record_data(struct tw_call *call, const char *path, char *files,
                                  struct tw_cmd_provenance *prov)
{
    enum tw_status rc = TW_OK;

    if (!files)
        return tw_cmd_provenance_input(prov, tw_store_data_path(path), NULL, &call->err);
    for (char *p = files, *end; rc == TW_OK && *p; p = end + 1) {
        end = p + strcspn(p, "\n");
        *end = '\0';
        rc = tw_cmd_provenance_input(prov, p, NULL, &call->err);
    }
    return rc;
}

enum tw_status tw_load_data(struct tw_call *call, const struct tw_net_opts *o,
                            struct tw_dataset *data, struct tw_cmd_provenance *prov)
{
    enum { CHANNELS = 64 };
    double mean[CHANNELS], std[CHANNELS];
    struct tw_data_options d = {
        .mean = mean, .std = std, .split = o->split, .label = o->label_column
    };
    struct tw_data_report report = { 0 };
    struct tw_str remarks = { 0 };
    enum tw_status rc;

    d.scale = o->scale != 1.0 ? o->scale : 0.0;
    rc = read_list(call, "mean", o->mean, mean, CHANNELS, &d.nmean);
    if (rc == TW_OK)
        rc = read_list(call, "std", o->std, std, CHANNELS, &d.nstd);
    if (rc == TW_OK && prov)
        tw_cmd_provenance_ahead(prov, tw_store_data_path(o->data));
    if (rc == TW_OK)
        rc = tw_store_data_read(o->data, o->labels, &d, data, &report, &remarks, &call->err);
    if (rc == TW_OK)
        tw_load_remarks(call, o->data, &remarks, false);
    if (rc == TW_OK && report.nonfinite)
        tw_cmd_warn(call, "%s: %zu numbers of the samples are NaN or infinite", o->data,
                    report.nonfinite);
    if (rc == TW_OK && prov)
        rc = record_data(call, o->data, report.files, prov);
    free(report.files);
    if (rc == TW_OK && prov && o->labels)
        rc = tw_cmd_provenance_input(prov, o->labels, NULL, &call->err);
    tw_str_release(&remarks);
    return rc;
}

/* ---- problems ----------------------------------------------------------------------------------
 */

struct tw_problem *tw_load_problem(struct tw_call *call, const struct tw_net_opts *o,
                                   struct tw_net *net, const struct tw_dataset *data,
                                   struct tw_problem_options *p)
{
    const char *text = o->loss ? o->loss : net->loss;
    struct tw_loss_spec loss;
    struct tw_problem *problem;

    if (text) {
        if (tw_loss_parse(text, &loss, &call->err) != TW_OK)
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

/* ---- checkpoints -------------------------------------------------------------------------- */

struct tw_weights_file *tw_load_file(struct tw_call *call, const char *path, const char *state_key,
                                     struct tw_str *remarks)
{
    struct tw_checkpoint_list one = { 0 };
    struct tw_weights_file *f = NULL;
    struct tw_str key = { 0 };

    if (tw_checkpoint_one(call, path, &one) == TW_OK) {
        const struct tw_checkpoint *c = &one.v[0];

        if (c->has_step)
            tw_str_addf(&key, "runs.%s.checkpoints.%.0f", c->run, c->step);
        if (key.failed)
            (void)tw_err_set(&call->err, TW_ENOMEM, "out of memory");
        else
            f = tw_weights_open(c->file, c->has_step ? key.s : state_key, remarks, &call->err);
    }
    tw_str_release(&key);
    tw_checkpoints_release(&one);
    return f;
}

enum tw_status tw_load_arrays(struct tw_call *call, const char *path, const char *state_key,
                              struct tw_named_list *list, struct tw_str *remarks,
                              struct tw_cmd_provenance *prov)
{
    struct tw_checkpoint_list one = { 0 };
    const struct tw_checkpoint *c;
    enum tw_status rc = tw_checkpoint_one(call, path, &one);

    if (rc == TW_OK) {
        c = &one.v[0];
        if (prov)
            tw_cmd_provenance_ahead(prov, c->file);
        rc = c->has_step ? tw_run_weights_read(c->file, c->run, (size_t)c->step, list, &call->err)
                         : tw_store_weights_read(c->file, state_key, list, remarks, &call->err);
        if (rc == TW_OK && prov)
            rc = tw_cmd_provenance_input(prov, c->file, NULL, &call->err);
    }
    tw_checkpoints_release(&one);
    return rc;
}

enum tw_status tw_load_weights(struct tw_call *call, const struct tw_net_opts *o, const char *path,
                               const struct tw_graph *g, const struct tw_net *net, float *params,
                               float *buffers, struct tw_cmd_provenance *prov)
{
    struct tw_named_list list = { 0 };
    struct tw_match match = { 0 };
    struct tw_str remarks = { 0 };
    enum tw_status rc;

    /* A checkpoint has all parameters, or is refused. */
    tw_graph_initial(g, path ? NULL : params, buffers);
    if (!path)
        return TW_OK;
    rc = tw_load_arrays(call, path, o->state_key, &list, &remarks, prov);
    if (rc == TW_OK) {
        rc = tw_match_weights(tw_graph_layout(g), net, &list, params, buffers, &match, &call->err);
        if (rc != TW_OK)
            rc = tw_err_ctx(&call->err, rc, "%s", path);
        else
            tw_match_remarks(&match, &remarks);
    }
    tw_load_remarks(call, path, &remarks, false);
    tw_str_release(&remarks);
    tw_match_release(&match);
    tw_named_release(&list);
    return rc;
}
