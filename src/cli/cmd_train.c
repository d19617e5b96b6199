/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg train: train a network, with its losses and checkpoints in one file. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "curve_schedule.h"
#include "thalweg/store_log.h"
#include "train.h"

#define FIELD(name) TW_OPT_FIELD(struct train_opts, name)
static const struct tw_opt opts[] = {
    TW_NET_MODEL(struct train_opts, net),
    { TW_OPT_STR, 'w', "weights", FIELD(weights), "FILE",
      "begin with this checkpoint [the network's own values]", 0, 0, NULL },
    { TW_OPT_LIST, 0, "freeze", FIELD(freeze), "GLOB",
      "leave tensors of these names as they are; may be given again", 0, 0, NULL },
    { TW_OPT_LIST, 0, "train", FIELD(train), "GLOB",
      "train tensors that would not be; --freeze comes after", 0, 0, NULL },
    { TW_OPT_HEAD, 0, "Data", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 'd', "data", FIELD(net.data), "FILE",
      "samples and targets, tokens or text, as in thalweg-data(7)", 0, 0, NULL },
    { TW_OPT_STR, 0, "labels", FIELD(net.labels), "FILE",
      "a file of the targets alone [they are in --data]", 0, 0, NULL },
    { TW_OPT_REAL, 0, "scale", FIELD(net.scale), "X", "multiply samples by this first [1]", 0, 0,
      NULL },
    { TW_OPT_STR, 0, "mean", FIELD(net.mean), "X,...",
      "then subtract: one number, or one a channel [0]", 0, 0, NULL },
    { TW_OPT_STR, 0, "std", FIELD(net.std), "X,...",
      "then divide by: one number, or one a channel [1]", 0, 0, NULL },
    { TW_OPT_STR, 0, "validation", FIELD(validation), "WHICH",
      "samples that are not trained on: split (what the file says), a share as 0.2, of every "
      "class, "
      "first:0.2 or none [split if there is one, else 0.1]",
      0, 0, NULL },
    { TW_OPT_REAL, 0, "label-noise", FIELD(label_noise), "P",
      "make each training label, with this probability, one of the other classes [0]", 0, 1, NULL },
    { TW_OPT_HEAD, 0, "Training", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 0, "optimizer", FIELD(optimizer), "SPEC",
      "sgd, momentum, nesterov, adam or adamw, with arguments as in adamw(wd=0.1) [adamw]", 0, 0,
      NULL },
    { TW_OPT_STR, 0, "schedule", FIELD(schedule), "SPEC",
      "learning rate of every step, as in thalweg-schedule(7) [constant]", 0, 0, NULL },
    { TW_OPT_REAL, 0, "lr", FIELD(lr), "X", "the schedule's largest rate [its peak=]", 0, 1e6,
      NULL },
    { TW_OPT_SIZE, 0, "steps", FIELD(steps), "N", "updates [the schedule's total=]", 1, 1073741824,
      NULL },
    { TW_OPT_REAL, 0, "epochs", FIELD(epochs), "X", "the same in passes over the samples", 0, 1e9,
      NULL },
    { TW_OPT_STR, 0, "batch", FIELD(batch), "N", "samples of an update, or full [64]", 0, 0, NULL },
    { TW_OPT_FLAG, 0, "drop-last", FIELD(drop_last), NULL,
      "leave out what is left at the end of an epoch, where it is no full batch", 0, 0, NULL },
    { TW_OPT_REAL, 0, "clip", FIELD(clip), "X", "largest norm of the gradient [none]", 0, 1e300,
      NULL },
    { TW_OPT_STR, 0, "loss", FIELD(net.loss), "LOSS",
      "as in thalweg-eval(1): cross-entropy(label_smoothing=0.1), ... [by the targets]", 0, 0,
      NULL },
    { TW_OPT_REAL, 0, "temperature", FIELD(temperature), "T",
      "take the loss of the outputs divided by T [1]", 1e-6, 1e6, NULL },
    { TW_OPT_STR, 0, "spike", FIELD(spike), "STEP:FACTOR",
      "multiply the rate of the update after step STEP, or of all from there (STEP+:FACTOR)", 0, 0,
      NULL },
    { TW_OPT_REAL, 0, "ghost-cap", FIELD(ghost_cap), "R",
      "shorten steps to R times the radius rho_a, as in thalweg-ghost(1) [none]", 1e-9, 1e9, NULL },
    { TW_OPT_REAL, 0, "ghost-rate", FIELD(ghost_rate), "R",
      "make every step R times that radius, whatever the schedule [none]", 1e-9, 1e9, NULL },
    { TW_OPT_CHOICE, 0, "ghost-on", FIELD(ghost_on), "WHICH",
      "samples whose radius it is: batch, or all that are trained on [batch]", 0, 0, "batch|all" },
    { TW_OPT_CHOICE, 0, "on-nan", FIELD(on_nan), "WHAT",
      "when a loss or a parameter is not finite: stop the run, or record it and go on [stop]", 0, 0,
      "stop|record" },
    { TW_OPT_FLAG, 0, "double", FIELD(net.real64), NULL, "compute in double precision", 0, 0,
      NULL },
    { TW_OPT_REAL, 0, "memory-limit", FIELD(net.memory), "MB",
      "refuse to use more for one network, in megabytes [none]", 1, 1e9, NULL },
    { TW_OPT_HEAD, 0, "Seeds (each is --seed unless given)", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 0, "init-seed", FIELD(init_seed), "N", "initial values", 0, 0, NULL },
    { TW_OPT_STR, 0, "data-seed", FIELD(data_seed), "N", "order of the samples", 0, 0, NULL },
    { TW_OPT_STR, 0, "dropout-seed", FIELD(dropout_seed), "N", "what dropout drops", 0, 0, NULL },
    { TW_OPT_STR, 0, "split-seed", FIELD(split_seed), "N", "which samples --validation takes", 0, 0,
      NULL },
    { TW_OPT_STR, 0, "noise-seed", FIELD(noise_seed), "N", "which labels --label-noise changes", 0,
      0, NULL },
    { TW_OPT_HEAD, 0, "What is kept", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 0, "log", FIELD(log), "SERIES,...",
      "lr, loss, acc, val_loss, val_acc, grad_norm, update_norm, param_norm, rho_a, r "
      "[lr,loss,acc,val_loss,val_acc,grad_norm]",
      0, 0, NULL },
    { TW_OPT_SIZE, 0, "log-every", FIELD(log_every), "N",
      "updates from one row of the log to the next [at most 1000 rows]", 1, 1e15, NULL },
    { TW_OPT_SIZE, 0, "eval-every", FIELD(eval_every), "N",
      "updates from one validation to the next [at most 50]", 1, 1e15, NULL },
    { TW_OPT_STR, 0, "checkpoint", FIELD(checkpoint), "STEP,...",
      "checkpoints beside the first and the last: steps, every=N", 0, 0, NULL },
    { TW_OPT_HEAD, 0, "Several runs", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_LIST, 0, "sweep", FIELD(sweep), "OPTION=V,...",
      "a run with each value, as lr=1e-4,3e-4 or seed=0..4; given again, with each pair", 0, 0,
      NULL },
    { TW_OPT_SIZE, 0, "spawn", FIELD(spawn), "STEP",
      "runs that are one up to this step, and from there see the data in different orders", 0,
      1073741824, NULL },
    { TW_OPT_SIZE, 0, "branches", FIELD(branches), "N", "how many those are [2]", 2, 26, NULL },
    { TW_OPT_STR, 0, "resume", FIELD(resume), "FILE",
      "go on with a file that was not finished, with its own options", 0, 0, NULL },
    { .type = TW_OPT_END },
};

/* ---- going on ---------------------------------------------------------------------------------
 */

static const struct train_opts defaults = { .net = TW_NET_DEFAULTS,
                                            .optimizer = "adamw",
                                            .lr = (double)NAN,
                                            .epochs = (double)NAN,
                                            .temperature = 1.0,
                                            .spawn = SIZE_MAX,
                                            .branches = 2,
                                            .on_nan = "stop",
                                            .ghost_cap = (double)NAN,
                                            .ghost_rate = (double)NAN,
                                            .ghost_on = "batch",
                                            .log = "lr,loss,acc,val_loss,val_acc,grad_norm" };

/* The options recorded in the file become the call's; `text` keeps them. Lines that say what is so
 * without them are left out. */
static enum tw_status take_options(struct tw_call *call, const char *record, struct tw_str *text)
{
    struct train_opts *o = call->opts;
    const char *file = o->resume;
    struct tw_common fresh = { 0 };
    struct tw_str standard = { 0 };
    char **argv = NULL;
    int argc = 1, operands;
    size_t lines = 2;
    enum tw_status rc = TW_OK;

    tw_opt_record(opts, call->cmd->uses, &fresh, &defaults, &standard);
    tw_str_add(text, record);
    for (const char *p = record; *p; p++)
        lines += *p == '\n';
    argv = tw_alloc(lines, sizeof *argv);
    if (!argv || standard.failed || text->failed)
        rc = tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    for (char *p = text->s, *end; rc == TW_OK && *p; p = end + 1) {
        const char *same;

        end = p + strcspn(p, "\n");
        if (*end != '\n')
            break;
        *end = '\0';
        same = strstr(standard.s, p);
        if (same && same[strlen(p)] == '\n')
            continue;
        if (end - p > 5 && !strcmp(end - 5, "=true"))
            end[-5] = '\0'; /* a flag */
        argv[argc++] = p;
    }
    if (rc == TW_OK) {
        argv[0] = call->argv[-1];
        tw_opt_release(opts, o);
        *o = defaults;
        rc = tw_opt_parse(argc, argv, call->cmd->uses, opts, &call->common, o, &operands,
                          &call->err);
        call->common.output = file; /* and o->resume is NULL: options as they were then */
    }
    free(argv);
    tw_str_release(&standard);
    return rc;
}

/* ---- results ----------------------------------------------------------------------------------
 */

static double last_of(const struct tw_log *log, const char *run, const char *series)
{
    for (size_t i = 0; i < log->nruns; i++)
        for (size_t k = 0;
             (log->nruns == 1 || !strcmp(log->runs[i].name, run)) && k < log->runs[i].nseries; k++)
            if (!strcmp(log->runs[i].series[k].name, series))
                return log->runs[i].series[k].y[log->runs[i].series[k].n - 1];
    return (double)NAN;
}

static enum tw_status report(struct train_work *w)
{
    static const char *const head[] = { "run", "steps", "loss", "acc %", "val loss", "val acc %" };
    const char *path = w->call->common.output;
    const struct tw_log_opts lo = { 0 };
    struct tw_json *json = &w->call->json;
    struct tw_log log = { 0 };
    struct tw_table t = { 0 };
    struct tw_err none = { 0 };

    if (tw_log_read(path, &lo, &log, &none) != TW_OK)
        tw_log_release(&log); /* stopped before the first row */
    tw_table_head(&t, head, 6);
    tw_json_text(json, "file", path);
    tw_json_open(json, "runs", '[');
    for (size_t i = 0; i < w->plan.n; i++) {
        const char *name = w->plan.run[i].name;
        const size_t steps = tw_trainer_steps(w->job[i].trainer);

        tw_table_text(&t, name);
        tw_table_size(&t, steps);
        tw_json_open(json, NULL, '{');
        tw_json_text(json, "name", name);
        tw_json_size(json, "steps", steps);
        tw_json_size(json, "of", w->plan.run[i].schedule.n);
        for (int k = TRAIN_LOSS; k <= TRAIN_VAL_ACC; k++) {
            const double x = last_of(&log, name, train_series[k].name);
            const bool share = k == TRAIN_ACC || k == TRAIN_VAL_ACC;

            tw_table_real(&t, share ? "%.4g" : "%.5g", share ? 100.0 * x : x);
            tw_json_real(json, train_series[k].name, x);
        }
        tw_json_close(json, '}');
    }
    tw_json_close(json, ']');
    tw_table_print(&t);
    tw_log_release(&log);
    return TW_OK;
}

static int verdict(struct train_work *w)
{
    size_t diverged = 0, stopped = 0;

    for (size_t i = 0; i < w->plan.n; i++) {
        const struct train_job *j = &w->job[i];

        stopped += j->stopped;
        diverged += j->diverged;
        if (j->diverged)
            tw_cmd_warn(w->call, "%s: not finite after update %zu, and stopped there", j->run->name,
                        tw_trainer_steps(j->trainer));
    }
    if (stopped) {
        tw_cmd_note(w->call, "stopped; the same command, or thalweg train --resume %s, goes on",
                    w->call->common.output);
        return TW_EXIT_STOPPED;
    }
    return diverged ? TW_EXIT_NUMERIC : TW_EXIT_OK;
}

/* ---- all --------------------------------------------------------------------------------------
 */

/* Tokens that the network takes; 0: it takes none. */
static enum tw_status find_ctx(struct train_work *w, size_t *ctx)
{
    struct tw_net_opts o = w->o->net;
    struct tw_net *net;
    const struct tw_value *in;

    o.model = w->plan.run[0].model;
    net = tw_load_net(w->call, &o, NULL, &w->prov);
    if (!net)
        return w->call->err.code;
    in = net->ninput ? &net->value[net->input[0]] : NULL;
    *ctx = in && in->rank == 2 && !tw_dtype_is_real(in->dtype) && in->dims[1] > 0
               ? (size_t)in->dims[1]
               : 0;
    tw_net_free(net);
    return TW_OK;
}

/* What no series shows need not be computed. */
static void drop_validation(struct train_job *j)
{
    for (size_t k = 0; k < j->run->nseries; k++)
        if (j->run->series[k] == TRAIN_VAL_LOSS || j->run->series[k] == TRAIN_VAL_ACC)
            return;
    tw_problem_free(j->validation);
    j->validation = NULL;
}

static enum tw_status set_up(struct train_work *w)
{
    struct tw_call *call = w->call;
    const struct train_data *d = &w->data;
    size_t ctx = 0, n;
    bool validation;
    enum tw_status rc = tw_cmd_provenance_start(&w->prov, call, &call->err);

    if (rc == TW_OK)
        rc = train_plan_make(call, w->o, opts, &w->plan);
    if (rc == TW_OK)
        rc = find_ctx(w, &ctx);
    if (rc != TW_OK)
        return rc;
    rc = train_data_load(call, w->o, ctx, &w->data, &w->prov);
    if (rc != TW_OK)
        return train_blame_inputs(w, rc);
    w->job = tw_alloc(w->plan.n, sizeof *w->job);
    if (!w->job)
        return tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    n = d->tokens.n ? d->ntokens / d->ctx : d->train.x.dims[0];
    validation = d->validation.x.dtype != TW_NONE;
    rc = train_plan_size(&w->plan, n);
    for (size_t i = 0; i < w->plan.n && rc == TW_OK; i++) {
        rc = train_job_make(call, &w->plan.run[i], i, d, &w->job[i], &w->prov);
        if (rc == TW_OK)
            rc = train_plan_log(&w->plan, i, w->job[i].problem->has_error, validation);
        if (rc == TW_OK)
            rc = tw_schedule_input(&w->prov, &w->plan.run[i].schedule, &call->err);
        if (rc == TW_OK)
            drop_validation(&w->job[i]);
    }
    (void)tw_stop_requested(); /* from the moment that there is a file, a signal is heard */
    return rc == TW_OK ? train_file_open(w) : train_blame_inputs(w, rc);
}

static void release(struct train_work *w)
{
    tw_run_abandon(w->file);
    for (size_t i = 0; w->job && i < w->plan.n; i++)
        train_job_release(&w->job[i]);
    free(w->job);
    free(w->file_plan);
    free(w->series);
    train_data_release(&w->data);
    train_plan_release(&w->plan);
    tw_cmd_provenance_release(&w->prov);
}

static int run(struct tw_call *call)
{
    struct train_opts *o = call->opts;
    const bool resumed = o->resume != NULL;
    struct train_work w = { .call = call, .o = o, .resumed = resumed };
    struct tw_str kept = { 0 };
    char *record = NULL;
    int code;
    enum tw_status rc = TW_OK;

    if (resumed) {
        call->common.output = o->resume;
        rc = train_options_read(o->resume, &record, &call->err);
        if (rc == TW_OK)
            rc = take_options(call, record, &kept);
    } else if (call->argc > 1) {
        return tw_cmd_usage(call, "one network, please");
    } else if (call->argc == 1) {
        o->net.model = call->argv[0];
    }
    if (!resumed && !o->net.model)
        return tw_cmd_usage(call, "no network given, as in 'mlp(64,32,10)'");
    if (!resumed && !o->net.data)
        return tw_cmd_usage(call, "no data given: --data=FILE");
    if (!resumed && !call->common.output)
        return tw_cmd_usage(call, "no file given for the run: -o FILE");
    if (rc == TW_OK && (!o->net.model || !o->net.data))
        rc = tw_err_set(&call->err, TW_EFORMAT, "its options name no network or no data");
    if (rc == TW_OK)
        rc = set_up(&w);
    if (rc != TW_OK && resumed) {
        call->err.code = rc == TW_EINVAL ? TW_EFORMAT : rc; /* what is wrong is in the file */
        rc = call->err.code;
        if (strncmp(call->err.msg, call->common.output, strlen(call->common.output)) != 0)
            rc = tw_err_ctx(&call->err, rc, "%s", call->common.output);
    }
    if (rc == TW_OK)
        rc = train_work_run(&w);
    if (rc == TW_OK) {
        rc = tw_run_close(w.file, &call->err);
        w.file = NULL;
    }
    if (rc == TW_OK)
        rc = report(&w);
    code = rc == TW_OK ? verdict(&w) : tw_cmd_fail(call);
    release(&w);
    tw_str_release(&kept);
    free(record);
    return code;
}

const struct tw_cmd tw_cmd_train = {
    "train",
    "Networks",
    "train a network, with losses and checkpoints in one file",
    "NET",
    TW_USES_OUTPUT | TW_USES_SEED | TW_USES_THREADS | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
