/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg sensitivity: what a sweep of learning rates and batch sizes says. */
#include <stdlib.h>
#include <string.h>

#include "sweepreport.h"

struct sensitivity_opts {
    struct tw_sweep_source source;
    struct tw_opt_list at;
    double within, initial_loss, level;
    size_t bootstrap;
    bool every_batch;
};

#define AT(field) TW_OPT_FIELD(struct sensitivity_opts, field)
static const struct tw_opt opts[] = {
    { TW_OPT_HEAD, 0, "Reading", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 'y', "y", AT(source.y), "COLUMN", "column of the loss [loss, val_loss, ...]", 0,
      0, NULL },
    { TW_OPT_LIST, 0, "column", AT(source.column), "NAME=COLUMN",
      "column of N, D, lr, batch, steps, loss, logit or grad; may be given again", 0, 0, NULL },
    { TW_OPT_LIST, 0, "where", AT(source.where), "COLUMN=VALUE",
      "only rows whose cell is VALUE; may be given again", 0, 0, NULL },
    { TW_OPT_LIST, 0, "scale", AT(source.scale), "NAME=X",
      "multiply a column by X, as in N=1e9 for a table in billions", 0, 0, NULL },
    { TW_OPT_REAL, 0, "sequence", AT(source.sequence), "X",
      "tokens a sequence: batch sizes times X are tokens [D over steps, if there are steps]", 1e-9,
      1e12, NULL },
    { TW_OPT_HEAD, 0, "Evaluation", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_REAL, 0, "initial-loss", AT(initial_loss), "X",
      "loss at initialisation, as which a diverged run counts, as in ln of the vocabulary", 0, 1e9,
      NULL },
    { TW_OPT_REAL, 0, "within", AT(within), "P",
      "runs within this share of the best loss make the quadratic [0.005]", 1e-6, 10.0, NULL },
    { TW_OPT_FLAG, 0, "every-batch", AT(every_batch), NULL,
      "print the sensitivity at every batch size", 0, 0, NULL },
    { TW_OPT_LIST, 0, "at", AT(at), "N=X,D=X",
      "a run to choose rate and batch for; of the first, N is where logits and gradients are "
      "extrapolated to; may be given again",
      0, 0, NULL },
    { TW_OPT_SIZE, 'b', "bootstrap", AT(bootstrap), "N", "replicates; 0: none [1000]", 0, 1e6,
      NULL },
    { TW_OPT_REAL, 0, "level", AT(level), "P", "level of the intervals [0.95]", 0.01, 0.9999,
      NULL },
    { .type = TW_OPT_END },
};

static enum tw_status parse_point(const char *text, struct tw_sweep_point *p, struct tw_err *err)
{
    *p = (struct tw_sweep_point){ text, NAN, NAN };
    for (const char *s = text; *s;) {
        const size_t n = strcspn(s, ",");
        double *x = n > 2 && !strncmp(s, "N=", 2)   ? &p->size
                    : n > 2 && !strncmp(s, "D=", 2) ? &p->tokens
                                                    : NULL;

        if (!x || !tw_strn_to_real(s + 2, n - 2, x) || !(*x > 0.0) || !isfinite(*x))
            return tw_err_set(err, TW_EINVAL,
                              "--at=%s: expected N=X,D=X with positive numbers at '%.*s'", text,
                              (int)n, s);
        s += n;
        s += *s == ',';
    }
    if (isnan(p->size) || isnan(p->tokens))
        return tw_err_set(err, TW_EINVAL, "--at=%s: %s= is missing", text,
                          isnan(p->size) ? "N" : "D");
    return TW_OK;
}

/* Ten times the largest size, if no other was asked for. */
static double trend_size(const struct tw_sweep_table *t, const struct tw_sweep_point *at, size_t n)
{
    double largest = 0.0;

    for (size_t i = 0; i < t->n; i++)
        largest = fmax(largest, t->run[i].size);
    return n ? at[0].size : 10.0 * largest;
}

static enum tw_status evaluate(struct tw_call *call, const struct tw_sweep_table *t,
                               const struct tw_sweep_point *at, size_t n)
{
    const struct sensitivity_opts *o = call->opts;
    struct tw_sweep_opts so = tw_sweep_defaults();
    struct tw_sweep s = { 0 };
    enum tw_status rc;

    so.within = o->within;
    so.initial_loss = o->initial_loss;
    so.bootstrap = o->bootstrap;
    so.level = o->level;
    so.seed = call->common.seed;
    rc = tw_sweep_compute(t->run, t->n, &so, &s, &call->err);
    if (rc != TW_OK)
        rc = tw_err_ctx(&call->err, rc, "%s", call->argv[0]);
    if (rc == TW_OK)
        rc = tw_sweep_report(call, &s, t, o->every_batch, at, n, &call->err);
    if (rc == TW_OK)
        rc = tw_trend_report(call, t, trend_size(t, at, n), o->level, &call->err);
    tw_sweep_release(&s);
    return rc;
}

static int run(struct tw_call *call)
{
    const struct sensitivity_opts *o = call->opts;
    struct tw_sweep_table table = { 0 };
    struct tw_sweep_point *at;

    if (call->argc != 1)
        return tw_cmd_usage(call, call->argc ? "one table at a time" : "no table given");
    at = tw_alloc(o->at.n, sizeof *at);
    if (!at) {
        (void)tw_err_set(&call->err, TW_ENOMEM, "out of memory");
        return tw_cmd_fail(call);
    }
    for (size_t i = 0; call->err.code == TW_OK && i < o->at.n; i++)
        (void)parse_point(o->at.v[i], &at[i], &call->err);
    if (call->err.code == TW_OK &&
        tw_sweep_table_read(call, call->argv[0], &o->source, &table, &call->err) == TW_OK)
        (void)evaluate(call, &table, at, o->at.n);
    tw_sweep_table_release(&table);
    free(at);
    return call->err.code == TW_OK ? TW_EXIT_OK : tw_cmd_fail(call);
}

static const struct sensitivity_opts defaults = {
    .source = { .sequence = (double)NAN },
    .within = 0.005,
    .initial_loss = (double)NAN,
    .bootstrap = 1000,
    .level = 0.95,
};
const struct tw_cmd tw_cmd_sensitivity = {
    "sensitivity",
    "Loss curves",
    "learn from a sweep of learning rates and batch sizes",
    "TABLE",
    TW_USES_SEED | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
