/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "curve_schedule.h"

/* ---- rates from the log -------------------------------------------------------------------- */

static void warn_logged(struct tw_call *call, const struct tw_schedule *s, const char *name,
                        const char *instead)
{
    const struct tw_lr_report *r = &s->logged;

    if (r->s1_error > 1e-3)
        tw_cmd_warn(call,
                    "%s: learning rates between logged points may be off: their sum by up to "
                    "%.2g %%; give %s",
                    name, 100.0 * r->s1_error, instead);
    if ((double)r->unlogged_start > 1.5 * r->spacing)
        tw_cmd_warn(
            call,
            "%s: the log begins %zu step%s in; the rates before are taken to rise linearly from "
            "0 (a warm-up); give the schedule if they did not",
            name, r->unlogged_start, tw_plural(r->unlogged_start));
}

static const char *how_had(const struct tw_schedule *s)
{
    static const char *const how[] = {
        [TW_LR_SPEC] = "",
        [TW_LR_DENSE] = ", logged at every step",
        [TW_LR_LINEAR] = ", straight lines between logged points, exact here",
        [TW_LR_INTERPOLATED] = ", straight lines between logged points",
    };

    return how[s->logged.source];
}

void tw_cli_schedule_warn(struct tw_call *call, const struct tw_schedule *s)
{
    if (s->logged.source != TW_LR_SPEC)
        warn_logged(call, s, s->spec, "more of its rows, or a formula");
}

/* `told`: what reading said of the curve last added. What is to be said of a file of rates that
 * several curves share is said once. */
static void tell(struct tw_call *call, const struct tw_curve_set *set, bool from_log,
                 const char *told)
{
    const size_t last = set->n - 1;
    const struct tw_curve *c = &set->log.v[last];
    const struct tw_schedule *s = &set->schedule[last];
    struct tw_str instead = { 0 };
    bool said = false;

    tw_cmd_note(call, "%s; rates of %zu step%s from '%s'%s", told, s->n, tw_plural(s->n),
                from_log ? c->lr_name : s->spec, how_had(s));
    for (size_t i = 0; i < last; i++)
        said = said || !strcmp(set->schedule[i].spec, s->spec);
    if (from_log) {
        tw_str_addf(&instead, "the schedule (%s@KIND:...)", c->path);
        warn_logged(call, s, c->name, instead.s ? instead.s : "the schedule");
    } else if (!said) {
        tw_cli_schedule_warn(call, s);
    }
    tw_str_release(&instead);
}

/* The units of x per step. A count of tokens is never a count of steps; --batch is what tells. */
static enum tw_status units_per_step(const struct tw_curve *c, double given, double *batch,
                                     struct tw_err *err)
{
    const char *counts = c->x_unit == TW_X_TOKEN    ? "tokens"
                         : c->x_unit == TW_X_SAMPLE ? "samples"
                         : c->x_unit == TW_X_FLOP   ? "FLOPs"
                                                    : NULL;
    const char *unit = c->x_unit == TW_X_TOKEN    ? "TOKENS"
                       : c->x_unit == TW_X_SAMPLE ? "SAMPLES"
                                                  : "FLOPS";

    *batch = isnan(given) ? 1.0 : given;
    if (counts && isnan(given))
        return tw_err_set(err, TW_EFORMAT,
                          "%s: x counts %s: give --batch=%s_PER_STEP (or the schedule with batch=)",
                          c->path, counts, unit);
    return TW_OK;
}

/* A log whose x, of losses and of rates, begins at 1 counts its steps from 1. */
static unsigned first_number(const struct tw_curve *c, double batch)
{
    const double first = c->n ? fmin(c->x[0], c->lr_x[0]) : c->lr_x[0];

    return first == batch ? 1 : 0; /* exactly: whole numbers */
}

static enum tw_status logged_schedule(struct tw_call *call, const struct tw_curve *c,
                                      const struct tw_curve_source *source, struct tw_schedule *out,
                                      struct tw_err *err)
{
    struct tw_err why = { 0 };
    enum tw_status rc;
    double batch;

    if (c->nlr == 0)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: no learning rate in the log, and the law needs that of every step: "
                          "name its column (--lr) or give the schedule, as in "
                          "'%s@cosine:peak=3e-4,warmup=2000,total=24000,end=3e-5'",
                          c->name, c->path);
    rc = units_per_step(c, source->batch, &batch, err);
    if (rc != TW_OK)
        return rc;
    rc = tw_schedule_from_log(c->lr_x, c->lr, c->nlr, first_number(c, batch), batch, out, &why);
    if (rc == TW_EDOMAIN) /* what is wrong is the file */
        rc = TW_EFORMAT;
    if (rc != TW_OK)
        return tw_err_set(err, rc, "%s: '%s': %s", c->path, c->lr_name, why.msg);
    if (isnan(source->batch) && c->x_unit == TW_X_UNKNOWN && out->logged.spacing > 1e5)
        tw_cmd_warn(call,
                    "%s: x rises by %.3g from one logged rate to the next and is taken as steps; "
                    "if it counts tokens or samples give their number per step (--batch)",
                    c->name, out->logged.spacing);
    return TW_OK;
}

/* ---- curves -------------------------------------------------------------------------------- */

/* Does the log seem to count from 1 what the schedule, which did not say, counts from 0? */
static bool counts_from_one(const struct tw_curve *c, const struct tw_schedule *s)
{
    return s->logged.source == TW_LR_SPEC && s->base == 0 && !strstr(s->spec, "base=") && c->n &&
           (c->x[0] == s->batch || c->x[c->n - 1] == (double)s->n * s->batch);
}

/* Keep the points that are steps of the schedule. */
static enum tw_status clip(struct tw_call *call, struct tw_curve *c, const struct tw_schedule *s,
                           struct tw_err *err)
{
    const double first = s->base * s->batch, last = first + (double)(s->n - 1) * s->batch;
    const bool from_one = counts_from_one(c, s);
    size_t keep = 0, past = 0, before = 0, i, n = c->n;

    for (size_t k = 0; k < n; k++) {
        past += c->x[k] > last;
        before += c->x[k] < first;
        if (tw_schedule_index(s, c->x[k], &i)) {
            c->x[keep] = c->x[k];
            c->y[keep++] = c->y[k];
        }
    }
    c->n = keep;
    if (keep < 2)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: only %zu of %zu point%s are at steps of the schedule '%s', which "
                          "runs from %g to %.10g: do they belong together? If x counts tokens or "
                          "samples, give the units per step (batch= in the "
                          "schedule)",
                          c->path, keep, n, tw_plural(n), s->spec, first, last);
    if (past)
        tw_cmd_warn(
            call,
            "%s: %zu of %zu point%s lie past %.10g, the last step of the schedule '%s', and "
            "are left out",
            c->name, past, n, tw_plural(n), last, s->spec);
    if (before)
        tw_cmd_warn(call,
                    "%s: %zu of %zu point%s lie before %g, the first step of '%s', and are "
                    "left out",
                    c->name, before, n, tw_plural(n), first, s->spec);
    if (keep + past + before < n)
        tw_cmd_warn(call, "%s: %zu of %zu point%s lie between the steps of '%s' and are left out",
                    c->name, n - keep - past - before, n, tw_plural(n), s->spec);
    if (from_one)
        tw_cmd_warn(call,
                    "%s: the log seems to count its steps from 1, the schedule from 0: if so, add "
                    "base=1 to '%s', else base=0",
                    c->name, s->spec);
    return TW_OK;
}

/* Up to a point where the rates still sum to 0 nothing was learned: a law has no value there. */
static void drop_unlearned(struct tw_call *call, struct tw_curve *c, const struct tw_schedule *s)
{
    size_t zero = 0, drop = 0, i;

    while (zero < s->n && s->lr[zero] <= 0.0)
        zero++;
    while (drop < c->n && tw_schedule_index(s, c->x[drop], &i) && i < zero)
        drop++;
    if (drop == 0 || c->n - drop < 2)
        return;
    tw_cmd_note(call, "%s: %zu of %zu points are left out: the learning rates up to there sum to 0",
                c->name, drop, c->n);
    c->n -= drop;
    memmove(c->x, c->x + drop, c->n * sizeof *c->x);
    memmove(c->y, c->y + drop, c->n * sizeof *c->y);
}

/* A law is fitted to the logarithm of the loss. */
static enum tw_status check_loss(const struct tw_curve *c, struct tw_err *err)
{
    for (size_t i = 0; i < c->n; i++)
        if (!(c->y[i] > 0.0))
            return tw_err_set(err, TW_EFORMAT,
                              "%s: '%s' is %g at x = %.10g: a loss must be positive, as its "
                              "logarithm is fitted; choose another series (--y) or leave that "
                              "place out (--from, --to)",
                              c->path, c->y_name, c->y[i], c->x[i]);
    return TW_OK;
}

static void doubt_size(struct tw_call *call, const struct tw_curve *c)
{
    if (c->size > 0.0)
        tw_cmd_note(call, "%s: a model of %.10g parameters", c->name, c->size);
    if (c->size > 0.0 && c->size < 1e4)
        tw_cmd_warn(call,
                    "%s: N is %g: is it in millions or billions? the exponents do not mind, B, C "
                    "and forecasts do; give the number of parameters (--size)",
                    c->name, c->size);
}

static enum tw_status add_one(struct tw_call *call, struct tw_curve_set *set,
                              const struct tw_curve_source *source, const char *spec,
                              const char *told, struct tw_err *err)
{
    struct tw_curve *c = &set->log.v[set->n];
    struct tw_schedule *s = &set->schedule[set->n];
    struct tw_str row = { 0 };
    enum tw_status rc = TW_OK;

    *s = (struct tw_schedule){ 0 };
    set->inputs[set->n] = (struct tw_run_inputs){ 0 };
    if (!spec && source->schedules) {
        rc = tw_schedule_row(source->schedules, c, &row, err);
        spec = row.s;
    }
    if (!spec && rc == TW_OK)
        rc = logged_schedule(call, c, source, s, err);
    else if (rc == TW_OK)
        rc = tw_cli_schedule(spec, s, err);
    if (rc == TW_OK && c->n)
        rc = tw_schedule_hold(s, c->x[c->n - 1], err);
    set->n++; /* its schedule is to be released from here on */
    if (rc == TW_OK)
        tell(call, set, !spec, told);
    if (rc == TW_OK)
        rc = tw_curve_size(source, c, &c->size, err);
    if (rc == TW_OK && set->sized)
        doubt_size(call, c);
    if (rc == TW_OK)
        rc = clip(call, c, s, err);
    if (rc == TW_OK)
        drop_unlearned(call, c, s);
    if (rc == TW_OK)
        rc = check_loss(c, err);
    tw_str_release(&row);
    return rc;
}

bool tw_curve_set_reserve(struct tw_curve_set *set)
{
    struct tw_schedule *s = realloc(set->schedule, set->log.n * sizeof *s);
    struct tw_run_inputs *inputs;
    struct tw_law_curve *law;

    if (!s)
        return false;
    set->schedule = s;
    inputs = realloc(set->inputs, set->log.n * sizeof *inputs);
    if (!inputs)
        return false;
    set->inputs = inputs;
    law = realloc(set->law, set->log.n * sizeof *law);
    if (!law)
        return false;
    set->law = law;
    return true;
}

void tw_curve_set_point(struct tw_curve_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        set->law[i] = (struct tw_law_curve){
            .name = set->log.v[i].name,
            .n = set->log.v[i].n,
            .x = set->log.v[i].x,
            .y = set->log.v[i].y,
            .schedule = &set->schedule[i],
            .input = (const double *const *)set->inputs[i].column,
            .size = set->log.v[i].size,
            .tokens = set->log.v[i].tokens,
            .cluster = set->inputs[i].cluster,
        };
}

enum tw_status tw_curve_set_add(struct tw_call *call, struct tw_curve_set *set, const char *operand,
                                const struct tw_curve_source *source, const char *otherwise,
                                struct tw_err *err)
{
    const char *spec = tw_operand_schedule(operand);
    struct tw_read_opts read = source->read;
    struct tw_str told = { 0 };
    char *path = tw_strndup(operand, spec ? (size_t)(spec - 1 - operand) : strlen(operand));
    enum tw_status rc = path ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");

    read.size = tw_size_column(&source->size);
    if (!spec && !source->schedules)
        spec = otherwise ? otherwise : source->schedule;
    if (rc == TW_OK && source->schedules && set->n == 0)
        rc = tw_schedule_columns(call, source->schedules, err);
    if (rc == TW_OK)
        rc = tw_read_curves_told(call, path, &read, &set->log, &told, err);
    if (rc == TW_OK && !tw_curve_set_reserve(set))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t at = 0; rc == TW_OK && set->n < set->log.n; at += strlen(told.s + at) + 1)
        rc = add_one(call, set, source, spec, told.s + at, err);
    if (rc == TW_OK)
        tw_curve_set_point(set);
    tw_str_release(&told);
    free(path);
    return rc;
}

/* ---- seeds --------------------------------------------------------------------------------- */

static bool equal_schedules(const struct tw_schedule *a, const struct tw_schedule *b)
{
    return a->n == b->n && a->base == b->base && a->batch == b->batch &&
           !memcmp(a->lr, b->lr, a->n * sizeof *a->lr);
}

/* Of one schedule, and of one model as far as the sizes are known. */
static bool equal_curves(const struct tw_curve_set *set, size_t a, size_t b)
{
    const double size = set->log.v[a].size;

    return equal_schedules(&set->schedule[a], &set->schedule[b]) &&
           fabs(size - set->log.v[b].size) <= 1e-9 * size;
}

/* What the names have in common at their start, without the trailing "-seed" or the like. */
static char *common_name(const struct tw_curve *const *v, size_t n)
{
    size_t len = strlen(v[0]->name);

    for (size_t i = 1; i < n; i++) {
        size_t k = 0;

        while (k < len && v[i]->name[k] == v[0]->name[k])
            k++;
        len = k;
    }
    while (len && strchr("-_.: ", v[0]->name[len - 1]))
        len--;
    if (len > 4 && !strncmp(v[0]->name + len - 4, "seed", 4))
        len -= 4;
    while (len && strchr("-_.: ", v[0]->name[len - 1]))
        len--;
    return len ? tw_strndup(v[0]->name, len) : tw_strdup(v[0]->name);
}

/* Curves first, and those after it with its schedule, become one in its place. */
static enum tw_status merge(struct tw_call *call, struct tw_curve_set *set, size_t first,
                            struct tw_err *err)
{
    const struct tw_curve **v = tw_alloc(set->n, sizeof *v);
    struct tw_curve mean = { 0 };
    enum tw_status rc = TW_OK;
    size_t n = 0, keep = first + 1;
    char *name = NULL;

    for (size_t i = first; v && i < set->n; i++)
        if (equal_curves(set, first, i))
            v[n++] = &set->log.v[i];
    if (n > 1)
        name = common_name(v, n);
    if (!v || (n > 1 && !name))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    else if (n > 1)
        rc = tw_curve_mean(v, n, name, &mean, err);
    if (rc == TW_OK && n > 1) {
        tw_cmd_note(call, "%s: mean of %zu curves of one schedule at %zu common points", mean.name,
                    n, mean.n);
        for (size_t i = first + 1; i < set->n; i++) {
            if (equal_curves(set, first, i)) {
                tw_curve_release(&set->log.v[i]);
                tw_schedule_release(&set->schedule[i]);
                continue;
            }
            set->log.v[keep] = set->log.v[i];
            set->inputs[keep] = set->inputs[i];
            set->schedule[keep++] = set->schedule[i];
        }
        tw_curve_release(&set->log.v[first]);
        set->log.v[first] = mean;
        set->log.n = set->n = keep;
    }
    free(v);
    free(name);
    return rc;
}

enum tw_status tw_curve_set_group(struct tw_call *call, struct tw_curve_set *set,
                                  struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; rc == TW_OK && i < set->n; i++)
        rc = merge(call, set, i, err);
    tw_curve_set_point(set);
    return rc;
}

void tw_curve_set_release(struct tw_curve_set *set)
{
    for (size_t i = 0; i < set->n; i++) {
        tw_schedule_release(&set->schedule[i]);
        if (set->inputs) {
            free(set->inputs[i].column);
            free(set->inputs[i].values);
            free(set->inputs[i].cluster);
        }
    }
    free(set->schedule);
    free(set->inputs);
    free(set->law);
    tw_curves_release(&set->log);
    *set = (struct tw_curve_set){ 0 };
}
