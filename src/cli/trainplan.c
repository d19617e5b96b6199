/* SPDX-License-Identifier: GPL-3.0-or-later */
/* From options to runs: cells, branches, schedules, which steps are logged and kept. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curve_schedule.h"
#include "train.h"

const struct tw_run_series train_series[TRAIN_NSERIES] = {
    [TRAIN_STEP] = { "step", "", "updates made" },
    [TRAIN_LR] = { "lr", "", "learning rate of the last update" },
    [TRAIN_LOSS] = { "loss", "nats", "mean over the updates since the row before, of the batches" },
    [TRAIN_ACC] = { "acc", "", "share of hits, of the same batches" },
    [TRAIN_VAL_LOSS] = { "val_loss", "nats", "on the validation samples, after the last update" },
    [TRAIN_VAL_ACC] = { "val_acc", "", "share of hits there" },
    [TRAIN_GRAD_NORM] = { "grad_norm", "", "norm of the last update's gradient, before clipping" },
    [TRAIN_UPDATE_NORM] = { "update_norm", "", "norm of the last update" },
    [TRAIN_PARAM_NORM] = { "param_norm", "", "norm of the parameters after it" },
    [TRAIN_RHO_A] = { "rho_a", "", "step bound along the last update: pi over the largest spread" },
    [TRAIN_R] = { "r", "", "norm of the last update over rho_a" }
};

static enum tw_status no_memory(struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

void train_plan_release(struct train_plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct train_run *r = &p->run[i];

        free(r->name);
        free(r->cell);
        free(r->model);
        free(r->row);
        free(r->checkpoint);
        tw_schedule_release(&r->schedule);
        tw_str_release(&r->text);
    }
    free(p->run);
    *p = (struct train_plan){ 0 };
}

/* ---- settings of one run ----------------------------------------------------------------------
 */

enum { MOST_ARGS = 24 };

/* What the cell sets, through the command's own table of options. */
static enum tw_status apply_cell(const struct train_plan *p, struct train_run *r,
                                 const struct tw_opt *opts)
{
    struct tw_common common = p->call->common;
    char *argv[MOST_ARGS] = { p->call->argv[-1] };
    const char *at = r->cell, *value;
    int argc = 1, operands;
    size_t n;
    enum tw_status rc;

    while (at && *at && (value = train_next_value(&at, &n))) {
        tw_str_addf(&r->text, "--%.*s", (int)n, value);
        tw_str_addn(&r->text, "", 1);
    }
    if (r->text.failed)
        return no_memory(&p->call->err);
    for (size_t k = 0; k < r->text.n; k += strlen(r->text.s + k) + 1) {
        if (argc == MOST_ARGS)
            return tw_err_set(&p->call->err, TW_EINVAL, "--sweep: an option twice");
        argv[argc++] = r->text.s + k;
    }
    rc = tw_opt_parse(argc, argv, TW_USES_SEED, opts, &common, &r->o, &operands, &p->call->err);
    r->seed = common.seed;
    return rc;
}

/* "KIND:key=value,..." with one key set or replaced. */
static void set_key(const char *spec, const char *key, double x, struct tw_str *out)
{
    const size_t kind = strcspn(spec, ":"), n = strlen(key);
    const char *p = spec[kind] ? spec + kind + 1 : "";
    char sep = ':';

    tw_str_addn(out, spec, kind);
    while (*p) {
        const size_t m = strcspn(p, ",");

        if (strncmp(p, key, n) != 0 || p[n] != '=') {
            tw_str_addf(out, "%c%.*s", sep, (int)m, p);
            sep = ',';
        }
        p += m + (p[m] == ',');
    }
    tw_str_addf(out, "%c%s=%.17g", sep, key, x);
}

static bool has_key(const char *spec, const char *key)
{
    const size_t n = strlen(key);

    for (const char *p = spec + strcspn(spec, ":"); *p; p += 1 + strcspn(p + 1, ","))
        if (p[1] && !strncmp(p + 1, key, n) && p[1 + n] == '=')
            return true;
    return false;
}

/* --schedule, with --lr for its peak and --steps or --epochs for its length where it has none. */
static enum tw_status read_schedule(struct train_run *r, size_t epoch, struct tw_err *err)
{
    const struct train_opts *o = &r->o;
    const char *spec = o->schedule ? o->schedule : "constant";
    const bool file = !strncmp(spec, "file:", 5);
    double steps = (double)o->steps;
    struct tw_str s[2] = { { 0 }, { 0 } };
    enum tw_status rc = TW_OK;

    if (!isnan(o->epochs))
        steps = ceil(o->epochs * (double)epoch);
    if (!o->schedule && isnan(o->lr))
        return tw_err_set(err, TW_EINVAL,
                          "no learning rate: give --lr=X, or --schedule as in "
                          "thalweg-schedule(7), 'cosine:peak=3e-4,warmup=100,total=2000'");
    if (isnan(o->lr) || file)
        tw_str_add(&s[0], spec);
    else
        set_key(spec, "peak", o->lr, &s[0]);
    if (!s[0].failed && !file && !has_key(s[0].s, "total")) {
        if (steps > 0.0)
            set_key(s[0].s, "total", steps, &s[1]);
        else
            rc = tw_err_set(err, TW_EINVAL,
                            "how long? Give --steps=N, --epochs=N, or total=N in "
                            "the schedule");
    } else if (!s[0].failed) {
        tw_str_add(&s[1], s[0].s);
    }
    if (rc == TW_OK)
        rc = s[0].failed || s[1].failed ? no_memory(err)
                                        : tw_cli_schedule(s[1].s, &r->schedule, err);
    if (rc == TW_OK && steps > 0.0 && steps != (double)r->schedule.n)
        rc = tw_err_set(err, TW_EINVAL,
                        "%.0f steps were asked for, and the schedule '%s' has %zu: leave out one",
                        steps, s[1].s, r->schedule.n);
    tw_str_release(&s[0]);
    tw_str_release(&s[1]);
    return rc;
}

/* "STEP:FACTOR", "STEP+:FACTOR". */
static enum tw_status read_spike(struct train_run *r, struct tw_err *err)
{
    const char *s = r->o.spike;
    char *end = NULL;

    r->spike_step = SIZE_MAX;
    r->spike_factor = 1.0;
    if (!s)
        return TW_OK;
    if (*s >= '0' && *s <= '9') {
        r->spike_step = (size_t)strtoull(s, &end, 10);
        r->spike_held = *end == '+';
        end += r->spike_held;
    }
    if (!end || *end != ':' || !tw_str_to_real(end + 1, &r->spike_factor) ||
        !(fabs(r->spike_factor) <= 1e300))
        return tw_err_set(err, TW_EINVAL,
                          "--spike: '%s' is not STEP:FACTOR (once) or STEP+:FACTOR (held)", s);
    return TW_OK;
}

/* A built-in network with its seed, or a path. */
static enum tw_status read_model(struct train_run *r, struct tw_err *err)
{
    const char *model = r->o.net.model;
    struct tw_str s = { 0 };

    if (!tw_is_family(model)) {
        r->model = tw_strdup(model);
        return r->model ? TW_OK : no_memory(err);
    }
    r->model = tw_family_spec(model, err);
    if (!r->model)
        return err->code;
    if (r->init_seed && !strstr(r->model, "seed=")) {
        tw_str_addn(&s, r->model, strlen(r->model) - 1);
        tw_str_addf(&s, ",seed=%" PRIu64 ")", r->init_seed);
        if (s.failed)
            return no_memory(err);
        free(r->model);
        r->model = s.s;
    }
    return TW_OK;
}

static enum tw_status read_settings(struct train_run *r, struct tw_err *err)
{
    enum tw_status rc = train_seed(r->o.init_seed, r->seed, "init-seed", &r->init_seed, err);

    if (rc == TW_OK)
        rc = train_seed(r->o.data_seed, r->seed, "data-seed", &r->data_seed, err);
    if (rc == TW_OK)
        rc = train_seed(r->o.dropout_seed, r->seed, "dropout-seed", &r->dropout_seed, err);
    if (rc == TW_OK)
        rc = tw_optimizer_parse(r->o.optimizer, &r->optimizer, err);
    if (rc == TW_OK)
        rc = read_spike(r, err);
    return rc == TW_OK ? read_model(r, err) : rc;
}

/* ---- all runs -------------------------------------------------------------------------------- */

static char *name_of(const char *cell, bool several, unsigned branch)
{
    struct tw_str s = { 0 };

    tw_str_add(&s, cell);
    if (several)
        tw_str_addf(&s, "%s%c", *cell ? "," : "", 'a' + (int)branch);
    else if (!*cell)
        tw_str_add(&s, "run");
    return s.failed ? NULL : s.s;
}

static enum tw_status add_run(struct train_plan *p, const char *cell, unsigned branch,
                              const struct tw_opt *opts)
{
    struct tw_err *err = &p->call->err;
    struct train_run *r;
    enum tw_status rc;

    if (!tw_grow(&p->run, p->n, &p->cap, sizeof *p->run))
        return no_memory(err);
    r = &p->run[p->n++];
    *r = (struct train_run){ .o = *p->o, .branch = branch };
    r->cell = tw_strdup(cell);
    r->name = name_of(cell, p->o->spawn != SIZE_MAX, branch);
    if (!r->cell || !r->name)
        return no_memory(err);
    rc = apply_cell(p, r, opts);
    if (rc == TW_OK)
        rc = read_settings(r, err);
    return rc == TW_OK || !*cell ? rc : tw_err_ctx(err, rc, "%s", cell);
}

enum tw_status train_plan_make(struct tw_call *call, const struct train_opts *o,
                               const struct tw_opt *opts, struct train_plan *p)
{
    const unsigned branches = o->spawn != SIZE_MAX ? (unsigned)o->branches : 1;
    struct train_cells cells = { 0 };
    enum tw_status rc;

    *p = (struct train_plan){ .call = call, .o = o };
    rc = train_cells_make(&o->sweep, &cells, &call->err);
    for (size_t i = 0; i < cells.n && rc == TW_OK; i++)
        for (unsigned b = 0; b < branches && rc == TW_OK; b++)
            rc = add_run(p, cells.v[i], b, opts);
    train_cells_release(&cells);
    return rc;
}

bool train_has_ghost(const struct train_opts *o)
{
    const char *p = o->log, *word;
    size_t n;

    while ((word = train_next_value(&p, &n)))
        if ((n == 5 && !strncmp(word, "rho_a", n)) || (n == 1 && *word == 'r'))
            return true;
    return !isnan(o->ghost_cap) || !isnan(o->ghost_rate);
}

/* ---- what depends on the data ---------------------------------------------------------------- */

static enum tw_status choose_series(struct train_run *r, bool accuracy, bool validation,
                                    struct tw_err *err)
{
    const char *p = r->o.log, *word;
    bool want[TRAIN_NSERIES] = { [TRAIN_STEP] = true };
    size_t n;

    while ((word = train_next_value(&p, &n))) {
        int k = 1;

        while (k < TRAIN_NSERIES &&
               (strlen(train_series[k].name) != n || strncmp(train_series[k].name, word, n) != 0))
            k++;
        if (k == TRAIN_NSERIES)
            return tw_err_set(
                err, TW_EINVAL,
                "--log: no series '%.*s'; there are lr, loss, acc, val_loss, val_acc, "
                "grad_norm, update_norm, param_norm, rho_a, r",
                (int)(n < 40 ? n : 40), word);
        want[k] = true;
    }
    want[TRAIN_RHO_A] = want[TRAIN_RHO_A] || train_has_ghost(&r->o);
    want[TRAIN_R] = want[TRAIN_R] || train_has_ghost(&r->o);
    want[TRAIN_ACC] = want[TRAIN_ACC] && accuracy;
    want[TRAIN_VAL_LOSS] = want[TRAIN_VAL_LOSS] && validation;
    want[TRAIN_VAL_ACC] = want[TRAIN_VAL_ACC] && validation && accuracy;
    for (int k = 0; k < TRAIN_NSERIES; k++)
        if (want[k])
            r->series[r->nseries++] = (enum train_series)k;
    return TW_OK;
}

static size_t at_most(size_t steps, size_t rows)
{
    return steps ? (steps - 1) / rows + 1 : 1;
}

/* Rows after update 1, every log_every-th and every eval_every-th, and the last. */
static enum tw_status choose_rows(struct train_run *r, struct tw_err *err)
{
    const size_t steps = r->schedule.n;
    size_t log, eval;

    if (!r->o.log_every)
        r->o.log_every = at_most(steps, 1000);
    if (!r->o.eval_every)
        r->o.eval_every = at_most(steps, 50);
    log = r->o.log_every;
    eval = r->o.eval_every;
    for (int pass = 0; pass < 2; pass++) {
        r->nrow = 0;
        for (size_t s = 1; s <= steps; s++) {
            if (s != 1 && s != steps && s % log && s % eval)
                continue;
            if (r->row)
                r->row[r->nrow] = s;
            r->nrow++;
        }
        if (!r->row && !(r->row = tw_alloc(r->nrow, sizeof *r->row)))
            return no_memory(err);
    }
    return TW_OK;
}

static int by_number(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;

    return (x > y) - (x < y);
}

static bool add_step(struct train_run *r, size_t *cap, size_t step)
{
    if (!tw_grow(&r->checkpoint, r->ncheckpoint, cap, sizeof *r->checkpoint))
        return false;
    r->checkpoint[r->ncheckpoint++] = step;
    return true;
}

/* "every=50", "10,20,every=100": the first and the last always, and where branches part. */
static enum tw_status choose_checkpoints(struct train_run *r, struct tw_err *err)
{
    const size_t steps = r->schedule.n, spawn = r->o.spawn < steps ? r->o.spawn : 0;
    const char *p = r->o.checkpoint, *word;
    size_t n, cap = 0, kept = 0;
    bool good = add_step(r, &cap, 0) && add_step(r, &cap, spawn) && add_step(r, &cap, steps);

    while (good && (word = train_next_value(&p, &n))) {
        const bool every = n > 6 && !strncmp(word, "every=", 6);
        double x;

        if (!tw_strn_to_real(word + (every ? 6 : 0), n - (every ? 6 : 0), &x) || !(x >= every) ||
            x != floor(x) || x > (double)steps)
            return tw_err_set(err, TW_EINVAL,
                              "--checkpoint: '%.*s' is neither a step up to %zu nor every=N",
                              (int)(n < 40 ? n : 40), word, steps);
        for (size_t s = (size_t)x; good && s <= steps; s += every ? (size_t)x : steps + 1)
            good = add_step(r, &cap, s);
    }
    if (!good)
        return no_memory(err);
    qsort(r->checkpoint, r->ncheckpoint, sizeof *r->checkpoint, by_number);
    for (size_t i = 0; i < r->ncheckpoint; i++)
        if (i == 0 || r->checkpoint[i] != r->checkpoint[kept - 1])
            r->checkpoint[kept++] = r->checkpoint[i];
    r->ncheckpoint = kept;
    return TW_OK;
}

static enum tw_status choose_batch(struct train_run *r, size_t n, struct tw_err *err)
{
    const char *s = r->o.batch;
    double x = 64.0;

    if (s && !strcmp(s, "full"))
        x = (double)n;
    else if (s && (!tw_str_to_real(s, &x) || !(x >= 1.0) || x != floor(x)))
        return tw_err_set(err, TW_EINVAL, "--batch: '%s' is neither a whole number nor full", s);
    r->batch = x < (double)n ? (size_t)x : n;
    return TW_OK;
}

static enum tw_status in_cell(struct train_plan *p, const struct train_run *r, enum tw_status rc)
{
    return rc == TW_OK || !*r->cell ? rc : tw_err_ctx(&p->call->err, rc, "%s", r->cell);
}

enum tw_status train_plan_size(struct train_plan *p, size_t n)
{
    struct tw_err *err = &p->call->err;
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < p->n && rc == TW_OK; i++) {
        struct train_run *r = &p->run[i];

        rc = choose_batch(r, n, err);
        if (rc == TW_OK) {
            const struct tw_order order = { .n = n,
                                            .batch = r->batch,
                                            .drop_last = r->o.drop_last };

            rc = read_schedule(r, tw_order_epoch(&order), err);
        }
        if (rc == TW_OK)
            rc = choose_checkpoints(r, err);
        rc = in_cell(p, r, rc);
    }
    return rc;
}

enum tw_status train_plan_log(struct train_plan *p, size_t i, bool accuracy, bool validation)
{
    struct train_run *r = &p->run[i];
    enum tw_status rc = choose_series(r, accuracy, validation, &p->call->err);

    if (rc == TW_OK)
        rc = choose_rows(r, &p->call->err);
    return in_cell(p, r, rc);
}
