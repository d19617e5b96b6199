/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg eval: the loss of a network on data, at the weights of each checkpoint. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "checkpoint.h"
#include "evalreport.h"
#include "evaluator.h"
#include "netload.h"

struct eval_opts {
    struct tw_net_opts net;
    struct tw_evaluator_opts evaluator;
    struct tw_opt_list weights;
    const char *per_sample;
    double expected, tolerance;
    bool per_class, force;
};

static const struct tw_opt opts[] = {
    TW_NET_MODEL(struct eval_opts, net),
    { TW_OPT_LIST, 'w', "weights", TW_OPT_FIELD(struct eval_opts, weights), "FILE",
      "a checkpoint; may be given again, and operands are others [the network's own values]", 0, 0,
      NULL },
    TW_NET_DATA(struct eval_opts, net),
    TW_EVALUATOR(struct eval_opts, evaluator),
    { TW_OPT_HEAD, 0, "Results", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_FLAG, 0, "per-class", TW_OPT_FIELD(struct eval_opts, per_class), NULL,
      "loss and error of each class too", 0, 0, NULL },
    { TW_OPT_STR, 0, "per-sample", TW_OPT_FIELD(struct eval_opts, per_sample), "FILE",
      "write the loss of each sample to a result file", 0, 0, NULL },
    { TW_OPT_FLAG, 0, "force", TW_OPT_FIELD(struct eval_opts, force), NULL, "overwrite that file",
      0, 0, NULL },
    { TW_OPT_REAL, 0, "expect-loss", TW_OPT_FIELD(struct eval_opts, expected), "X",
      "fail (exit code 1) if a loss differs from X by more than --tol", 0, 0, NULL },
    { TW_OPT_REAL, 0, "tol", TW_OPT_FIELD(struct eval_opts, tolerance), "T",
      "what --expect-loss tolerates [1e-6]", 0, 1e300, NULL },
    { .type = TW_OPT_END },
};

struct eval {
    struct tw_call *call;
    const struct eval_opts *o;
    struct tw_cmd_provenance prov;
    struct tw_net *net;
    struct tw_dataset data;
    struct tw_problem *problem;
    float *params, *buffers;
    size_t nfiles;
    struct tw_checkpoint_list list; /* none: the network's own values */
    struct tw_values *values;
    double *loss, *weight, *correct; /* of each file, n samples each */
};

/* ---- set-up --------------------------------------------------------------------------------- */

static enum tw_status list_files(struct eval *e)
{
    const size_t given = e->o->weights.n, operands = (size_t)e->call->argc;
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < given + operands && rc == TW_OK; i++)
        rc = tw_checkpoints_add(e->call, i < given ? e->o->weights.v[i] : e->call->argv[i - given],
                                &e->list);
    e->nfiles = e->list.n ? e->list.n : 1;
    e->values = tw_alloc(e->nfiles, sizeof *e->values);
    if (rc == TW_OK && !e->values)
        rc = tw_err_set(&e->call->err, TW_ENOMEM, "out of memory");
    return rc;
}

/* NULL: the network's own values. */
static const char *checkpoint(const struct eval *e, size_t file)
{
    return e->list.n ? e->list.v[file].name : NULL;
}

static enum tw_status set_up(struct eval *e)
{
    struct tw_problem_options po = { 0 };
    struct tw_str loss = { 0 };
    enum tw_status rc = list_files(e);
    size_t n;

    if (rc == TW_OK)
        rc = tw_cmd_provenance_start(&e->prov, e->call, &e->call->err);
    if (rc != TW_OK)
        return rc;
    e->net = tw_load_net(e->call, &e->o->net, checkpoint(e, 0), &e->prov);
    if (!e->net)
        return e->call->err.code;
    rc = tw_load_data(e->call, &e->o->net, &e->data, &e->prov);
    if (rc != TW_OK)
        return rc;
    e->problem = tw_load_problem(e->call, &e->o->net, e->net, &e->data, &po);
    if (!e->problem)
        return e->call->err.code;
    tw_loss_print(tw_problem_loss(e->problem), &loss);
    tw_cmd_debug(e->call, "%s, %zu parameters, loss %s%s, %zu of %zu samples, %.3g MB",
                 e->net->source ? e->net->source : "network", e->problem->dim,
                 loss.failed ? "?" : loss.s, e->o->net.loss ? "" : " (by the targets)",
                 e->problem->n, e->problem->all, (double)tw_problem_memory(e->problem) / 1e6);
    tw_str_release(&loss);
    n = e->problem->n <= SIZE_MAX / e->nfiles ? e->problem->n * e->nfiles : SIZE_MAX;
    e->params = tw_alloc(e->problem->dim, sizeof *e->params);
    e->buffers = tw_alloc(e->problem->layout->nb, sizeof *e->buffers);
    e->loss = tw_alloc(n, sizeof *e->loss);
    e->weight = tw_alloc(n, sizeof *e->weight);
    e->correct = tw_alloc(n, sizeof *e->correct);
    return e->params && e->buffers && e->loss && e->weight && e->correct
               ? TW_OK
               : tw_err_set(&e->call->err, TW_ENOMEM, "out of memory");
}

static void release(struct eval *e)
{
    tw_checkpoints_release(&e->list);
    free(e->values);
    free(e->params);
    free(e->buffers);
    free(e->loss);
    free(e->weight);
    free(e->correct);
    tw_problem_free(e->problem);
    tw_dataset_release(&e->data);
    tw_net_free(e->net);
    tw_cmd_provenance_release(&e->prov);
}

/* ---- output ------------------------------------------------------------------------------------
 */

static const char *name_of(const struct eval *e, size_t file)
{
    return checkpoint(e, file) ? checkpoint(e, file) : e->o->net.model;
}

/* Targets are tokens: several positions a sample, each a class. */
static bool is_text(const struct eval *e)
{
    const struct tw_loss_ports *p = tw_problem_ports(e->problem);

    return p->classes && p->target_rank == 2 && p->axis == 2;
}

static bool has_classes(const struct eval *e)
{
    const struct tw_loss_ports *p = tw_problem_ports(e->problem);

    return p->classes && p->target_rank == 1;
}

/* Loss and error of the samples of one class. */
struct class_values {
    size_t n;
    struct tw_estimate loss, error;
};
static struct class_values of_class(const struct eval *e, size_t file, size_t class, double *l,
                                    double *m)
{
    const struct tw_array *targets = tw_problem_targets(e->problem);
    const size_t *rows = tw_problem_rows(e->problem), n = e->problem->n;
    struct class_values v = { 0 };

    for (size_t i = 0; i < n; i++) {
        const size_t k = file * n + i;

        if (tw_array_int(targets, rows ? rows[i] : i) != (int64_t) class || !(e->weight[k] > 0.0))
            continue;
        l[v.n] = e->loss[k];
        m[v.n++] = e->weight[k] - e->correct[k];
    }
    v.loss = tw_estimate_ratio(v.n, l, NULL, 1.0, v.n);
    v.error = tw_estimate_ratio(v.n, m, NULL, 1.0, v.n);
    return v;
}

static enum tw_status show_classes(const struct eval *e, size_t file)
{
    static const char *const head[] = { "class", "loss", "se", "error %", "se", "n" };
    const size_t classes = tw_problem_ports(e->problem)->classes;
    double *l = tw_alloc(e->problem->n, sizeof *l), *m = tw_alloc(e->problem->n, sizeof *m);
    struct tw_json *j = &e->call->json;
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 6);
    tw_json_open(j, "classes", '[');
    for (size_t c = 0; l && m && c < classes; c++) {
        const struct class_values v = of_class(e, file, c, l, m);

        tw_table_size(&t, c);
        tw_table_real(&t, "%.6g", v.loss.value);
        tw_table_real(&t, "%.2g", v.loss.se);
        tw_table_real(&t, "%.4g", 100.0 * v.error.value);
        tw_table_real(&t, "%.2g", 100.0 * v.error.se);
        tw_table_size(&t, v.n);
        tw_json_open(j, NULL, '{');
        tw_json_size(j, "class", c);
        tw_json_real(j, "loss", v.loss.value);
        tw_json_real(j, "se", v.loss.se);
        tw_json_real(j, "error", v.error.value);
        tw_json_real(j, "error_se", v.error.se);
        tw_json_size(j, "n", v.n);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    free(l);
    free(m);
    if (!e->call->common.json)
        printf("\n%s\n", name_of(e, file));
    tw_table_print(&t);
    return l && m ? TW_OK : tw_err_set(&e->call->err, TW_ENOMEM, "out of memory");
}

static enum tw_status report_one(const struct eval *e, size_t file, const struct tw_eval_row *row)
{
    struct tw_json *j = &e->call->json;
    enum tw_status rc = TW_OK;

    tw_json_open(j, NULL, '{');
    tw_eval_json(j, row);
    if ((e->o->per_class || e->call->common.verbose) && has_classes(e))
        rc = show_classes(e, file);
    tw_json_close(j, '}');
    return rc;
}

static enum tw_status write_samples(const struct eval *e, size_t nfiles)
{
    const size_t n = e->problem->n, dims[2] = { nfiles, n };
    const size_t *rows = tw_problem_rows(e->problem);
    struct tw_err *err = &e->call->err;
    const char **names = tw_alloc(nfiles, sizeof *names);
    double *row = tw_alloc(n, sizeof *row);
    struct tw_result *r;
    enum tw_status rc = TW_ENOMEM;

    if (!names || !row) {
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t i = 0; i < nfiles; i++)
        names[i] = name_of(e, i);
    for (size_t i = 0; i < n; i++)
        row[i] = (double)(rows ? rows[i] : i);
    r = tw_result_create(e->o->per_sample, "eval", TW_RESULT_ATOMIC, e->o->force, &e->prov.record,
                         err);
    rc = r ? tw_result_put_texts(r, "/files", nfiles, names, "checkpoints", err) : err->code;
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/row", 1, dims + 1, row, "",
                                 "row of the data set (of its split), from 0", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/loss", 2, dims, e->loss, "nats",
                                 "sum of losses over a sample's positions", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/weight", 2, dims, e->weight, "",
                                 "positions that count in a sample", err);
    if (rc == TW_OK && e->problem->has_error)
        rc = tw_result_put_reals(r, "/correct", 2, dims, e->correct, "",
                                 "positions whose class is right", err);
    if (rc == TW_OK)
        rc = tw_result_close(r, err);
    else
        tw_result_abandon(r);
out:
    free(names);
    free(row);
    return rc;
}

/* ---- running ------------------------------------------------------------------------------------
 */

static enum tw_status eval_file(struct eval *e, size_t file)
{
    const size_t n = e->problem->n;
    const struct tw_request r = {
        .at = { .f = e->params },
        .buffers = e->buffers,
        .values = &e->values[file],
        .loss = e->loss + file * n,
        .weight = e->weight + file * n,
        .correct = e->problem->has_error ? e->correct + file * n : NULL,
    };
    enum tw_status rc =
        tw_load_weights(e->call, &e->o->net, checkpoint(e, file), tw_problem_graph(e->problem),
                        e->net, e->params, e->buffers, &e->prov);

    if (rc == TW_OK)
        rc = tw_problem_eval(e->problem, &r, &e->call->err);
    if (rc == TW_OK && e->values[file].nonfinite)
        tw_cmd_warn(e->call, "%s: %zu of %zu samples have a loss that is not finite",
                    name_of(e, file), e->values[file].nonfinite, n);
    return rc;
}

static enum tw_status report(const struct eval *e, size_t n, struct tw_eval_row *rows)
{
    struct tw_str loss = { 0 };
    enum tw_status rc = TW_OK;

    tw_loss_print(tw_problem_loss(e->problem), &loss);
    for (size_t i = 0; i < n; i++)
        rows[i] = (struct tw_eval_row){ .name = name_of(e, i),
                                        .objective = loss.failed ? NULL : loss.s,
                                        .values = e->values[i],
                                        .has_error = e->problem->has_error,
                                        .text = is_text(e),
                                        .all = e->problem->all };
    tw_eval_print(e->call, n, e->nfiles, rows);
    for (size_t i = 0; rc == TW_OK && i < n; i++)
        rc = report_one(e, i, &rows[i]);
    tw_str_release(&loss);
    return rc;
}

static int with_evaluator(struct tw_call *call, const struct eval_opts *o)
{
    if (o->net.model || o->net.data || call->argc || o->weights.n)
        return tw_cmd_usage(call, "--evaluator brings its own network, checkpoints and data: name "
                                  "them in its command");
    if (o->per_sample || o->per_class)
        return tw_cmd_usage(call, "--per-sample and --per-class do not go with --evaluator");
    return tw_eval_evaluator(call, &o->evaluator, o->expected, o->tolerance);
}

static int run(struct tw_call *call)
{
    struct eval e = { .call = call, .o = call->opts };
    struct tw_eval_row *rows = NULL;
    struct tw_progress progress;
    enum tw_status rc;
    size_t done = 0;
    int code;

    if (e.o->evaluator.command)
        return with_evaluator(call, e.o);
    if (!e.o->net.data)
        return tw_cmd_usage(call, "no data given (--data)");
    rc = set_up(&e);
    tw_progress_start(&progress, call, "checkpoints", e.nfiles);
    while (rc == TW_OK && done < e.nfiles && !(done && tw_stop_requested())) {
        rc = eval_file(&e, done);
        if (rc == TW_OK)
            tw_progress_step(&progress, ++done, NULL);
    }
    tw_progress_end(&progress);
    rows = tw_alloc(e.nfiles, sizeof *rows);
    if (rc == TW_OK && !rows)
        rc = tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = report(&e, done, rows);
    if (rc == TW_OK && e.o->per_sample)
        rc = write_samples(&e, done);
    code = rc == TW_OK ? tw_eval_verdict(call, done, e.nfiles, rows, e.o->expected, e.o->tolerance)
                       : tw_cmd_fail(call);
    free(rows);
    release(&e);
    return code;
}

static const struct eval_opts defaults = { .net = TW_NET_DEFAULTS,
                                           .evaluator = TW_EVALUATOR_DEFAULTS,
                                           .expected = (double)NAN,
                                           .tolerance = 1e-6 };
const struct tw_cmd tw_cmd_eval = {
    "eval",
    "Networks",
    "loss and error of a network on data, for one checkpoint or many",
    "[CHECKPOINT...]",
    TW_USES_THREADS | TW_USES_JSON | TW_JSON_LIST,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
