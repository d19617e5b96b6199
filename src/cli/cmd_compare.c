/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg compare-laws: which law to trust on the same data. */
#include <stdlib.h>
#include <string.h>

#include "comparefile.h"
#include "comparereport.h"
#include "curve_schedule.h"
#include "fitfile_parts.h"
#include "fitreport.h"
#include "given.h"
#include "law_arg.h"
#include "provenance.h"
#include "runs.h"

struct compare_opts {
    const char *laws, *hold, *warmup, *loss;
    struct tw_curve_source source;
    struct tw_run_source runs;
    struct tw_law_arg own;
    double delta, level, tail;
    size_t starts, replicates;
};

#define AT(field) TW_OPT_FIELD(struct compare_opts, field)
static const struct tw_opt opts[] = {
    { TW_OPT_HEAD, 0, "Comparison", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 'l', "laws", AT(laws), "NAMES",
      "laws to compare, comma separated, all of curves or all of runs [all of curves, those with "
      "N only for --hold-out=largest]",
      0, 0, NULL },
    { TW_OPT_CHOICE, 0, "hold-out", AT(hold), "HOW",
      "what the laws must predict: the curves of each schedule in turn (curve), the end of every "
      "curve (tail), or the runs or curves of the largest size (largest) [curve; for runs largest]",
      0, 0, "curve|tail|largest" },
    { TW_OPT_REAL, 0, "tail", AT(tail), "P", "share of each curve's length that is its end [0.3]",
      0.01, 0.99, NULL },
    { TW_OPT_SIZE, 'b', "bootstrap", AT(replicates), "N",
      "resamplings of what is held out, for the interval; 0: none [10000]", 0, 1e7, NULL },
    { TW_OPT_REAL, 0, "level", AT(level), "P", "level of the interval [0.95]", 0.01, 0.9999, NULL },
    { TW_OPT_HEAD, 0, "Fitting", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_CHOICE, 0, "warmup", AT(warmup), "HOW",
      "differences of the rate during warm-up: skip, keep, or auto, which takes for each law what "
      "predicts curves that were left out better [auto]",
      0, 0, "auto|skip|keep" },
    { TW_OPT_CHOICE, 0, "loss", AT(loss), "LOSS",
      "loss on residuals: huber, squares or lad [each law's own, mostly huber]", 0, 0,
      "huber|squares|lad" },
    { TW_OPT_REAL, 0, "delta", AT(delta), "X", "Huber's delta [0.001]", 1e-12, 1e3, NULL },
    { TW_OPT_SIZE, 0, "starts", AT(starts), "N", "starts of each fit, at most [16]", 1, 1000,
      NULL },
    { TW_OPT_HEAD, 0, "Reading", 0, NULL, NULL, 0, 0, NULL },
    TW_READ_OPTS(struct compare_opts, source.read),
    { TW_OPT_HEAD, 0, "Schedules", 0, NULL, NULL, 0, 0, NULL },
    TW_CURVE_SOURCE_ROWS(struct compare_opts, source),
    { TW_OPT_HEAD, 0, "Tables of runs", 0, NULL, NULL, 0, 0, NULL },
    TW_RUN_SOURCE_ROWS(struct compare_opts, runs),
    TW_LAW_ARG_ROWS(struct compare_opts, own),
    { .type = TW_OPT_END },
};

/* ---- laws -------------------------------------------------------------------------------------
 */

enum { MAX_LAWS = 32 };
struct choice {
    size_t n;
    const struct tw_law *law[MAX_LAWS];
    struct tw_law *own[MAX_LAWS]; /* those of --law, which are among them */
    size_t nown;
};

static int add_law(struct tw_call *call, const struct tw_law *law, struct choice *laws)
{
    const char *name = law->name;

    for (size_t i = 0; i < laws->n; i++) {
        if (laws->law[i] == law)
            return tw_cmd_usage(call, "--laws: %s comes twice", name);
        if ((laws->law[i]->ninputs == 0) != (law->ninputs == 0))
            return tw_cmd_usage(call, "--laws: %s is a law of %s, %s one of %s", name,
                                law->ninputs ? "runs" : "curves", laws->law[i]->name,
                                law->ninputs ? "curves" : "runs");
    }
    if (laws->n == MAX_LAWS)
        return tw_cmd_usage(call, "--laws: more than %d", MAX_LAWS);
    laws->law[laws->n++] = law;
    return TW_EXIT_OK;
}

static int choose_laws(struct tw_call *call, struct choice *laws)
{
    const struct compare_opts *o = call->opts;
    const bool largest = o->hold && !strcmp(o->hold, "largest");
    int rc = TW_EXIT_OK;

    for (size_t i = 0; !o->laws && !o->own.law.n && tw_laws[i] && laws->n < MAX_LAWS; i++)
        if (!tw_laws[i]->ninputs && (!tw_laws[i]->sized || largest))
            laws->law[laws->n++] = tw_laws[i];
    for (const char *s = o->laws; rc == TW_EXIT_OK && s && *s;) {
        const size_t n = strcspn(s, ",");
        char *name = tw_strndup(s, n);

        if (!name) {
            (void)tw_err_set(&call->err, TW_ENOMEM, "out of memory");
            return tw_cmd_fail(call);
        }
        if (tw_law_find(name))
            rc = add_law(call, tw_law_find(name), laws);
        else
            rc = tw_law_unknown(call, name);
        free(name);
        s += n;
        s += *s == ',';
    }
    return rc;
}

static int add_own_laws(struct tw_call *call, struct choice *laws)
{
    const struct compare_opts *o = call->opts;
    int rc = TW_EXIT_OK;

    for (size_t k = 0; rc == TW_EXIT_OK && k < o->own.law.n; k++) {
        if (call->argc < 1)
            return tw_cmd_usage(call, "no file given");
        if (laws->n == MAX_LAWS)
            return tw_cmd_usage(call, "more than %d laws", MAX_LAWS);
        if (tw_law_arg_new(call, &o->own, k, call->argv[0], &o->runs, &laws->own[k]) != TW_OK)
            return tw_cmd_fail(call);
        laws->nown++;
        rc = add_law(call, laws->own[k], laws);
    }
    if (rc == TW_EXIT_OK && tw_law_arg_check(&o->own, laws->own, laws->nown, &call->err) != TW_OK)
        return tw_cmd_fail(call);
    return rc;
}

static bool of_runs(const struct choice *laws)
{
    return laws->n && laws->law[0] && laws->law[0]->ninputs;
}

static int choose_hold(struct tw_call *call, const struct choice *laws, enum tw_compare_hold *hold)
{
    const struct compare_opts *o = call->opts;
    const struct tw_law *first = laws->law[0];
    const bool runs = of_runs(laws);

    if (!first)
        return tw_cmd_usage(call, "--laws names no law");
    *hold = runs ? TW_COMPARE_LARGEST : TW_COMPARE_CURVE;
    if (!o->hold)
        return TW_EXIT_OK;
    if (runs && strcmp(o->hold, "largest") != 0)
        return tw_cmd_usage(call, "--hold-out=%s is for curves, and %s is a law of runs", o->hold,
                            first->name);
    if (!strcmp(o->hold, "tail"))
        *hold = TW_COMPARE_TAIL;
    if (!strcmp(o->hold, "largest"))
        *hold = TW_COMPARE_LARGEST;
    return TW_EXIT_OK;
}

static void compare_opts(const struct tw_call *call, enum tw_compare_hold hold,
                         struct tw_compare_opts *c)
{
    const struct compare_opts *o = call->opts;

    *c = tw_compare_defaults();
    c->hold = hold;
    c->tail = o->tail;
    c->replicates = o->replicates;
    c->own_loss = o->loss == NULL;
    for (size_t k = 0; o->loss && k < 3; k++)
        if (!strcmp(o->loss, tw_fit_loss_names[k]))
            c->fit.loss = (enum tw_fit_loss)k;
    c->fit.choose_warmup = !strcmp(o->warmup, "auto");
    c->fit.warmup = !strcmp(o->warmup, "keep") ? TW_WARMUP_KEEP : TW_WARMUP_SKIP;
    c->fit.delta = o->delta;
    c->fit.level = o->level;
    c->fit.starts = o->starts;
    c->fit.seed = call->common.seed;
}

/* ---- data -------------------------------------------------------------------------------------
 */

/* Curves are read once and serve all laws; a table of runs is read for each law, which has its
 * own inputs. */
static enum tw_status read_all(struct tw_call *call, const struct choice *laws,
                               struct tw_curve_set *set, struct tw_compare_entry *entry)
{
    const struct compare_opts *o = call->opts;
    const bool runs = of_runs(laws);
    struct tw_run_source source = o->runs;
    enum tw_status rc = TW_OK;

    source.y = o->source.read.y;
    for (size_t k = 0; k < laws->n; k++)
        set[0].sized = set[0].sized || laws->law[k]->sized;
    for (size_t k = 0; k < (runs ? laws->n : 1); k++) {
        for (int i = 0; rc == TW_OK && i < call->argc; i++) {
            const size_t before = set[k].n;

            rc = runs
                     ? tw_run_set_add(call, &set[k], laws->law[k], call->argv[i], &source,
                                      &call->err)
                     : tw_curve_set_add(call, &set[k], call->argv[i], &o->source, NULL, &call->err);
            if (rc == TW_OK && k == 0)
                tw_warn_given_twice(call, &set[k], before);
        }
        if (rc == TW_OK && o->source.read.group && !runs)
            rc = tw_curve_set_group(call, &set[k], &call->err);
    }
    for (size_t k = 0; k < laws->n; k++)
        entry[k] = (struct tw_compare_entry){ laws->law[k], set[runs ? k : 0].law };
    return rc;
}

/* Every file that was read. */
static enum tw_status add_inputs(struct tw_call *call, const struct tw_curve_set *set,
                                 struct tw_cmd_provenance *prov)
{
    const struct compare_opts *o = call->opts;
    enum tw_status rc = TW_OK;

    for (size_t i = 0; rc == TW_OK && i < set->n; i++) {
        rc = tw_cmd_provenance_input(prov, set->log.v[i].path, set->log.v[i].digest, &call->err);
        if (rc == TW_OK && set->schedule[i].spec)
            rc = tw_schedule_input(prov, &set->schedule[i], &call->err);
    }
    if (rc == TW_OK && o->source.schedules)
        rc = tw_cmd_provenance_input(prov, o->source.schedules, NULL, &call->err);
    return rc;
}

/* Takes the file. */
static enum tw_status save(struct tw_call *call, const struct tw_compare *cmp, struct tw_result *r)
{
    return tw_cmd_result_end(call, r, tw_compare_write(cmp, r, &call->err));
}

/* The file, if one is asked for, before the long computation: it may not be overwritten. */
static enum tw_status open_output(struct tw_call *call, const struct tw_curve_set *set,
                                  struct tw_cmd_provenance *prov, struct tw_result **r)
{
    enum tw_status rc = TW_OK;

    if (!call->common.output)
        return TW_OK;
    rc = tw_cmd_provenance_start(prov, call, &call->err);
    if (rc == TW_OK)
        rc = add_inputs(call, set, prov);
    if (rc != TW_OK)
        return rc;
    *r = tw_result_create(call->common.output, "compare", TW_RESULT_ATOMIC, call->common.force,
                          &prov->record, &call->err);
    return *r ? TW_OK : call->err.code;
}

static int run(struct tw_call *call)
{
    struct tw_curve_set set[MAX_LAWS] = { { 0 } };
    struct tw_compare_entry entry[MAX_LAWS];
    struct choice laws = { 0 };
    struct tw_compare cmp = { 0 };
    struct tw_cmd_provenance prov = { 0 };
    struct tw_result *result = NULL;
    enum tw_compare_hold hold = TW_COMPARE_CURVE;
    struct tw_compare_opts co;
    int rc = choose_laws(call, &laws);

    if (rc == TW_EXIT_OK)
        rc = add_own_laws(call, &laws);
    if (rc == TW_EXIT_OK)
        rc = choose_hold(call, &laws, &hold);
    if (rc == TW_EXIT_OK && call->argc < 1)
        rc = tw_cmd_usage(call, "no file given");
    if (rc != TW_EXIT_OK)
        goto release;
    compare_opts(call, hold, &co);
    if (read_all(call, &laws, set, entry) == TW_OK &&
        open_output(call, set, &prov, &result) == TW_OK &&
        tw_compare_run(entry, laws.n, set[0].n, &co, &cmp, &call->err) == TW_OK) {
        if (hold == TW_COMPARE_CURVE && cmp.nunits < set[0].n)
            tw_cmd_note(call,
                        "%zu curves of %zu schedules: those of one schedule are held out "
                        "together",
                        set[0].n, cmp.nunits);
        tw_compare_report(call, &cmp, &co);
        rc = result && save(call, &cmp, result) != TW_OK ? tw_cmd_fail_late(call) : TW_EXIT_OK;
    } else {
        tw_result_abandon(result);
        rc = tw_cmd_fail(call);
    }
release:
    tw_compare_release(&cmp);
    tw_cmd_provenance_release(&prov);
    for (size_t k = 0; k < MAX_LAWS; k++)
        tw_curve_set_release(&set[k]);
    for (size_t k = 0; k < laws.nown; k++)
        tw_law_own_free(laws.own[k]);
    return rc;
}

static const struct compare_opts defaults = {
    .warmup = "auto",
    .source = TW_CURVE_SOURCE_DEFAULTS,
    .delta = 1e-3,
    .level = 0.95,
    .tail = 0.3,
    .starts = 16,
    .replicates = 10000,
};
const struct tw_cmd tw_cmd_compare = {
    "compare-laws",
    "Loss curves",
    "say which law predicts held-out data best",
    "FILE[@SCHEDULE]...",
    TW_USES_OUTPUT | TW_USES_SEED | TW_USES_THREADS | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
