/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg fit: fit a law to loss curves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "curve_schedule.h"
#include "familyfit.h"
#include "fitfig.h"
#include "fitfile_parts.h"
#include "fitreport.h"
#include "frontier.h"
#include "given.h"
#include "identify.h"
#include "law_arg.h"
#include "lawopts.h"
#include "provenance.h"

struct fit_opts {
    struct tw_curve_source source;
    struct tw_run_source runs;
    struct tw_law_arg own;
    struct tw_frontier_cli frontier;
    struct tw_family_opts family;
    const char *warmup, *restrict_to, *loss, *profile, *profile_plot;
    const char *resample;
    struct tw_opt_list fix, want, budget;
    double delta, level;
    size_t starts, bootstrap, block;
    bool no_model_error;
    struct tw_figure_cli figure;
    struct tw_fit_figure_opts look;
};

#define AT(field) TW_OPT_FIELD(struct fit_opts, field)
static const struct tw_opt opts[] = {
    { TW_OPT_HEAD, 0, "Reading", 0, NULL, NULL, 0, 0, NULL },
    TW_READ_OPTS(struct fit_opts, source.read),
    { TW_OPT_HEAD, 0, "Schedules", 0, NULL, NULL, 0, 0, NULL },
    TW_CURVE_SOURCE_ROWS(struct fit_opts, source),
    { TW_OPT_HEAD, 0, "Tables of runs", 0, NULL, NULL, 0, 0, NULL },
    TW_RUN_SOURCE_ROWS(struct fit_opts, runs),
    TW_LAW_ARG_ROWS(struct fit_opts, own),
    TW_FRONTIER_ROWS(struct fit_opts, frontier),
    { TW_OPT_STR, 0, "cluster", AT(runs.cluster), "COLUMN",
      "rows of equal value belong together (checkpoints of one run, seeds) and are drawn so", 0, 0,
      NULL },
    { TW_OPT_HEAD, 0, "Families of runs", 0, NULL, NULL, 0, 0, NULL },
    TW_FAMILY_ROWS(struct fit_opts, family),
    { TW_OPT_LIST, 0, "budget", AT(budget), "C",
      "FLOPs, C = 6 N D: a budget of --approach=2 [where most runs are], or one whose least losses "
      "--savings compares; may be given again",
      0, 0, NULL },
    { TW_OPT_HEAD, 0, "Fitting", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_CHOICE, 0, "warmup", AT(warmup), "HOW",
      "differences of the rate during warm-up: skip, keep, or auto, which takes what predicts "
      "curves that were left out better [auto]",
      0, 0, "auto|skip|keep" },
    { TW_OPT_CHOICE, 0, "loss", AT(loss), "LOSS",
      "loss on residuals: huber, squares or lad [the law's own, mostly huber]", 0, 0,
      "huber|squares|lad" },
    { TW_OPT_REAL, 0, "delta", AT(delta), "X", "Huber's delta [0.001]", 1e-12, 1e3, NULL },
    { TW_OPT_LIST, 0, "fix", AT(fix), "NAME=X", "hold a parameter at X; may be given again", 0, 0,
      NULL },
    { TW_OPT_STR, 0, "restrict", AT(restrict_to), "NAME",
      "hold what this restriction of the law holds ('thalweg laws LAW' lists them); none; or auto, "
      "which takes what predicts curves that were left out better [auto]",
      0, 0, NULL },
    { TW_OPT_SIZE, 0, "starts", AT(starts), "N", "starts, at most [16]", 1, 1000, NULL },
    { TW_OPT_HEAD, 0, "Uncertainty", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_SIZE, 'b', "bootstrap", AT(bootstrap), "N",
      "replicates of the bootstrap; 0: none [1000]", 0, 1e7, NULL },
    { TW_OPT_CHOICE, 0, "resample", AT(resample), "HOW",
      "how runs are drawn: case, wild (clusters, for few configurations), or auto [auto]", 0, 0,
      "auto|case|wild" },
    { TW_OPT_SIZE, 0, "block", AT(block), "N",
      "points a block; 0: from the residuals' autocorrelation [0]", 0, 1e9, NULL },
    { TW_OPT_LIST, 0, "want", AT(want), "NAME=WIDTH",
      "say how many more runs would make a parameter's interval so wide; may be given again", 0, 0,
      NULL },
    { TW_OPT_STR, 0, "profile", AT(profile), "NAMES",
      "parameters to profile, comma separated; all, none [the law's own choice]", 0, 0, NULL },
    { TW_OPT_REAL, 0, "level", AT(level), "P", "level of the intervals [0.95]", 0.01, 0.9999,
      NULL },
    { TW_OPT_FLAG, 0, "no-model-error", AT(no_model_error), NULL,
      "do not refit without each curve in turn; bands then hold no error of the law itself", 0, 0,
      NULL },
    TW_FIGURE_ROWS(struct fit_opts, figure),
    TW_FIT_LOOK_ROWS(struct fit_opts, look),
    { TW_OPT_FIGURE, 0, "profile-plot", AT(profile_plot), "FIGURE", "draw the profiles to FIGURE",
      0, 0, NULL },
    { .type = TW_OPT_END },
};

/* ---- options of the law --------------------------------------------------------------------- */

static enum tw_status law_opts(const struct tw_call *call, const struct tw_law *law,
                               struct tw_law_fit_opts *o, struct tw_err *err)
{
    const struct fit_opts *c = call->opts;
    enum tw_status rc;

    *o = tw_law_fit_defaults();
    if (law->whole_schedule && !strcmp(c->warmup, "skip"))
        return tw_err_set(err, TW_EINVAL, "--warmup=skip: the law %s counts the whole warm-up",
                          law->name);
    o->loss = law->loss;
    for (size_t k = 0; c->loss && k < 3; k++)
        if (!strcmp(c->loss, tw_fit_loss_names[k]))
            o->loss = (enum tw_fit_loss)k;
    o->choose_warmup = !strcmp(c->warmup, "auto");
    o->warmup = !strcmp(c->warmup, "keep") ? TW_WARMUP_KEEP : TW_WARMUP_SKIP;
    o->delta = c->delta;
    o->level = c->level;
    o->kind = !strcmp(c->resample, "case")   ? TW_BOOTSTRAP_CASE
              : !strcmp(c->resample, "wild") ? TW_BOOTSTRAP_WILD
                                             : TW_BOOTSTRAP_AUTO;
    o->starts = c->starts;
    o->bootstrap = c->bootstrap;
    o->block = c->block;
    o->model_error = !c->no_model_error;
    o->seed = call->common.seed;
    rc = tw_law_params_parse(law, c->profile, "profile", &o->profile, err);
    if (rc == TW_OK)
        rc = tw_law_fix_parse(law, &c->fix, o, err);
    if (rc == TW_OK)
        rc = tw_want_check(law, &c->want, err);
    return rc == TW_OK ? tw_law_restrict_parse(law, c->restrict_to, o, err) : rc;
}

/* ---- steps of the command ------------------------------------------------------------------ */

/* Where the files begin among the operands: with --law there is no LAW before them. */
static int first_file(const struct tw_call *call)
{
    const struct fit_opts *o = call->opts;

    return o->own.law.n ? 0 : 1;
}

static enum tw_status read_all(struct tw_call *call, const struct tw_law *law,
                               struct tw_curve_set *set, struct tw_cmd_provenance *prov)
{
    const struct fit_opts *o = call->opts;
    struct tw_run_source runs = o->runs;
    enum tw_status rc = TW_OK;

    set->sized = law->sized;

    runs.y = o->source.read.y;
    for (int i = first_file(call); rc == TW_OK && i < call->argc; i++) {
        const size_t before = set->n;

        rc = law->ninputs
                 ? tw_run_set_add(call, set, law, call->argv[i], &runs, &call->err)
                 : tw_curve_set_add(call, set, call->argv[i], &o->source, NULL, &call->err);
        if (rc == TW_OK)
            tw_warn_given_twice(call, set, before);
    }
    for (size_t i = 0; rc == TW_OK && i < set->n; i++)
        rc = tw_cmd_provenance_input(prov, set->log.v[i].path, set->log.v[i].digest, &call->err);
    for (size_t i = 0; rc == TW_OK && !law->ninputs && i < set->n; i++)
        rc = tw_schedule_input(prov, &set->schedule[i], &call->err);
    if (rc == TW_OK && o->source.schedules)
        rc = tw_cmd_provenance_input(prov, o->source.schedules, NULL, &call->err);
    if (rc == TW_OK && o->source.read.group && !law->ninputs)
        rc = tw_curve_set_group(call, set, &call->err);
    return rc;
}

/* Takes the file. */
static enum tw_status save(struct tw_call *call, const struct tw_fit_file *f, struct tw_result *r)
{
    return tw_cmd_result_end(call, r, tw_fit_file_write(f, r, &call->err));
}

static const char *profile_name(const struct fit_opts *o)
{
    return o->profile_plot && !*o->profile_plot ? "profile.pdf" : o->profile_plot;
}

/* What would fail at the end is refused at the start. */
static enum tw_status check_figures(struct tw_call *call, const struct tw_law *law,
                                    const struct tw_law_fit_opts *lo)
{
    const struct fit_opts *o = call->opts;
    const char *plot = o->figure.plot && !*o->figure.plot ? "fit.pdf" : o->figure.plot;

    if (o->profile_plot && !lo->profile)
        return tw_err_set(&call->err, TW_EINVAL,
                          "--profile-plot draws profiles, and --profile=%s asks for none",
                          o->profile);
    if (o->look.figure && tw_fit_runs_figure_check(law, o->look.figure, &call->err) != TW_OK)
        return TW_EINVAL;
    if (tw_figure_cli_check(&o->figure, call, plot) != TW_OK)
        return call->err.code;
    return tw_figure_cli_check(&o->figure, call, profile_name(o));
}

static enum tw_status draw(struct tw_call *call, const struct tw_fit_file *f,
                           const struct tw_cmd_provenance *prov)
{
    const struct fit_opts *o = call->opts;
    struct tw_str lines = { 0 }, store = { 0 };
    struct tw_figure_opts fo;
    enum tw_status rc = TW_OK;
    const char *path;

    tw_cmd_provenance_lines(prov, &lines);
    tw_figure_cli_opts(&o->figure, call, lines.s, &fo);
    if (o->figure.plot) {
        path = tw_figure_cli_path(&o->figure, "fit.pdf", &store);
        rc = tw_fit_figure(f, path, &o->look, &fo, &call->err);
        if (rc == TW_OK)
            tw_figure_cli_done(&o->figure, call, "figure", path);
    }
    if (rc == TW_OK && o->profile_plot) {
        path = profile_name(o);
        rc = tw_fit_profile_figure(f, path, &fo, &call->err);
        if (rc == TW_OK)
            tw_figure_cli_done(&o->figure, call, "profile_figure", path);
    }
    tw_str_release(&lines);
    tw_str_release(&store);
    return rc;
}

/* ---- approaches 1 and 2 ------------------------------------------------------------------------
 */

static enum tw_status check_approach(const struct tw_call *call, const struct tw_law *law,
                                     struct tw_err *err)
{
    const struct fit_opts *o = call->opts;
    const char *const unused = call->common.output ? "-o"
                               : o->profile_plot   ? "--profile-plot"
                               : o->fix.n          ? "--fix"
                                                   : NULL;

    if (o->frontier.approach && strcmp(law->name, "chinchilla") != 0)
        return tw_err_set(err, TW_EINVAL, "--approach=%s is for the law chinchilla",
                          o->frontier.approach);
    if (tw_frontier_kind(&o->frontier) && unused)
        return tw_err_set(err, TW_EINVAL,
                          "%s: approach %s finds the best sizes and no law: there is nothing to "
                          "keep or hold; --json prints all of it",
                          unused, o->frontier.approach);
    if (tw_frontier_kind(&o->frontier) && tw_family_wanted(&o->family))
        return tw_err_set(err, TW_EINVAL,
                          "--approach=%s finds the best sizes of one table: families are compared "
                          "by the law alone",
                          o->frontier.approach);
    if (o->budget.n && tw_frontier_kind(&o->frontier) != TW_FRONTIER_ISOFLOP && !o->family.savings)
        return tw_err_set(err, TW_EINVAL, "--budget is for --approach=2 and for --savings");
    return TW_OK;
}

static enum tw_status frontier(struct tw_call *call, const struct tw_curve_set *set,
                               const struct tw_cmd_provenance *prov)
{
    const struct fit_opts *o = call->opts;
    struct tw_str lines = { 0 }, store = { 0 };
    struct tw_frontier f = { 0 };
    struct tw_figure_opts fo;
    enum tw_status rc = tw_frontier_fit(call, &o->frontier, &o->budget, set->law, set->n,
                                        o->bootstrap, o->level, &f, &call->err);

    tw_cmd_provenance_lines(prov, &lines);
    tw_figure_cli_opts(&o->figure, call, lines.s, &fo);
    if (rc == TW_OK && o->figure.plot) {
        const char *path = tw_figure_cli_path(&o->figure, "fit.pdf", &store);

        rc = tw_frontier_figure(&f, set->law, set->n, path, &fo, &call->err);
        if (rc == TW_OK)
            tw_figure_cli_done(&o->figure, call, "figure", path);
    }
    tw_str_release(&lines);
    tw_str_release(&store);
    tw_frontier_release(&f);
    return rc;
}

/* ---- families of runs --------------------------------------------------------------------------
 */

static int families(struct tw_call *call, const struct tw_law *law,
                    const struct tw_law_fit_opts *lo)
{
    const struct fit_opts *o = call->opts;
    const struct tw_family_from from = { .runs = &o->runs,
                                         .y = o->source.read.y,
                                         .budget = &o->budget,
                                         .first_file = first_file(call) };

    return tw_fit_families(call, law, lo, &from, &o->family);
}

/* ---- the command -------------------------------------------------------------------------------
 */

static void warn_identified(struct tw_call *call, const struct tw_law *law,
                            const struct tw_curve_set *set, const struct tw_law_fit_opts *o)
{
    void *model = tw_law_model(law, set->law, set->n, o->warmup, NULL);
    const char *why = model ? law->unidentified(model) : NULL;

    if (why)
        tw_cmd_warn(call, "%s", why);
    law->model_free(model);
}

/* Save, draw, and judge a fit that was reported: its numbers stand whatever fails here. */
static int finish(struct tw_call *call, const struct tw_fit_file *f, struct tw_result *result,
                  const struct tw_cmd_provenance *prov)
{
    int rc = TW_EXIT_OK;

    if (result && save(call, f, result) != TW_OK)
        rc = tw_cmd_fail_late(call);
    if (draw(call, f, prov) != TW_OK)
        rc = tw_cmd_fail_late(call);
    /* Parameters that the data do not determine, or on their way to an end of their range, never
     * arrive; that was warned of. */
    if (rc == TW_EXIT_OK && !f->fit.min.converged && !f->fit.min.at_bounds &&
        isfinite(f->fit.min.condition)) {
        (void)tw_err_set(&call->err, TW_ENOCONV,
                         "the best of %zu start%s stopped before its minimum (relative gradient "
                         "%.1e): what is printed%s is where it stopped; try more --starts, or hold "
                         "a parameter (--fix)",
                         f->fit.starts, tw_plural(f->fit.starts), f->fit.min.gradient,
                         result ? " and saved" : "");
        rc = tw_cmd_fail_late(call);
    }
    return rc;
}

/* "thalweg fit cosine.csv": a file stands where the law belongs. */
static bool is_file(const char *operand)
{
    const char *spec = tw_operand_schedule(operand);
    char *path = tw_strndup(operand, spec ? (size_t)(spec - 1 - operand) : strlen(operand));
    const bool there = path && access(path, F_OK) == 0;

    free(path);
    return there;
}

/* The law of the table or of --law, which is then *own too. Else why there is none was said. */
static int choose_law(struct tw_call *call, const struct tw_law **law, struct tw_law **own)
{
    const struct fit_opts *o = call->opts;

    if (o->own.law.n > 1)
        return tw_cmd_usage(call, "one --law at a time; compare-laws compares several");
    if (!o->own.law.n && call->argc && !tw_law_find(call->argv[0]) && is_file(call->argv[0]))
        return tw_cmd_usage(
            call,
            "'%s' is a file, and the law comes first: 'thalweg fit %s %s' ('thalweg "
            "laws' lists them)",
            call->argv[0], tw_laws[0]->name, call->argv[0]);
    if (call->argc <= first_file(call))
        return tw_cmd_usage(call, call->argc || o->own.law.n ? "no file given" : "no law given");
    if (o->own.law.n && tw_law_arg_new(call, &o->own, 0, call->argv[0], &o->runs, own) != TW_OK)
        return tw_cmd_fail(call);
    if (tw_law_arg_check(&o->own, own, o->own.law.n, &call->err) != TW_OK)
        return tw_cmd_fail(call);
    *law = o->own.law.n ? *own : tw_law_find(call->argv[0]);
    return *law ? TW_EXIT_OK : tw_law_unknown(call, call->argv[0]);
}

static int run(struct tw_call *call)
{
    const struct fit_opts *o = call->opts;
    const struct tw_law *law = NULL;
    struct tw_cmd_provenance prov = { 0 };
    struct tw_curve_set set = { 0 };
    struct tw_fit_file f = { 0 };
    struct tw_result *result = NULL;
    struct tw_law_fit_opts lo;
    int rc = choose_law(call, &law, &f.own);

    if (rc != TW_EXIT_OK || !law)
        goto release;
    if (check_approach(call, law, &call->err) != TW_OK ||
        law_opts(call, law, &lo, &call->err) != TW_OK || check_figures(call, law, &lo) != TW_OK)
        goto out;
    if (tw_family_wanted(&o->family)) {
        rc = families(call, law, &lo);
        goto release;
    }
    if (tw_cmd_provenance_start(&prov, call, &call->err) != TW_OK ||
        read_all(call, law, &set, &prov) != TW_OK)
        goto out;
    if (tw_frontier_kind(&o->frontier)) {
        if (frontier(call, &set, &prov) != TW_OK)
            goto out;
        goto release;
    }
    if (call->common.output) {
        result = tw_result_create(call->common.output, "fit", TW_RESULT_ATOMIC, call->common.force,
                                  &prov.record, &call->err);
        if (!result)
            goto out;
    }
    warn_identified(call, law, &set, &lo);
    if (tw_law_fit_run(law, set.law, set.n, &lo, &f.fit, &call->err) != TW_OK ||
        tw_fit_file_adopt(&f, &set, &call->err) != TW_OK) {
        tw_result_abandon(result);
        goto out;
    }
    tw_fit_report(call, &f);
    tw_want_report(call, &f.fit, &o->want);
    rc = finish(call, &f, result, &prov);
    goto release;
out:
    rc = tw_cmd_fail(call);
release:
    tw_fit_file_release(&f);
    tw_curve_set_release(&set);
    tw_cmd_provenance_release(&prov);
    return rc;
}

static const struct fit_opts defaults = {
    .frontier = TW_FRONTIER_CLI_DEFAULTS,
    .source = TW_CURVE_SOURCE_DEFAULTS,
    .warmup = "auto",
    .restrict_to = "auto",
    .profile = "default",
    .delta = 1e-3,
    .level = 0.95,
    .starts = 16,
    .bootstrap = 1000,
    .resample = "auto",
    .family = { .target = (double)NAN },
};
const struct tw_cmd tw_cmd_fit = {
    "fit",
    "Loss curves",
    "fit a law to loss curves or to a table of runs",
    "LAW FILE[@SCHEDULE]...",
    TW_USES_OUTPUT | TW_USES_SEED | TW_USES_THREADS | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
