/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg fit: fit a law to loss curves. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curve_schedule.h"
#include "familyfit.h"
#include "fitfig.h"
#include "fitfile_parts.h"
#include "fitreport.h"
#include "identify.h"
#include "lawopts.h"
#include "provenance.h"
#include "runs.h"

struct fit_opts {
    struct tw_curve_source source;
    struct tw_run_source runs;
    struct tw_family_opts family;
    const char *warmup, *restrict_to, *loss, *profile, *profile_plot;
    const char *resample;
    struct tw_opt_list fix, want;
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
    { TW_OPT_STR, 0, "cluster", AT(runs.cluster), "COLUMN",
      "rows of equal value belong together (checkpoints of one run, seeds) and are drawn so", 0, 0,
      NULL },
    { TW_OPT_HEAD, 0, "Families of runs", 0, NULL, NULL, 0, 0, NULL },
    TW_FAMILY_ROWS(struct fit_opts, family),
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

static enum tw_status read_all(struct tw_call *call, const struct tw_law *law,
                               struct tw_curve_set *set, struct tw_cmd_provenance *prov)
{
    const struct fit_opts *o = call->opts;
    struct tw_run_source runs = o->runs;
    enum tw_status rc = TW_OK;

    runs.y = o->source.read.y;
    for (int i = 1; rc == TW_OK && i < call->argc; i++)
        rc = law->ninputs
                 ? tw_run_set_add(call, set, law, call->argv[i], &runs, &call->err)
                 : tw_curve_set_add(call, set, call->argv[i], &o->source, NULL, &call->err);
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
    enum tw_status rc = tw_fit_file_write(f, r, &call->err);

    if (rc != TW_OK) {
        tw_result_abandon(r);
        return rc;
    }
    rc = tw_result_close(r, &call->err);
    if (rc == TW_OK) {
        tw_cmd_note(call, "wrote %s", call->common.output);
        tw_json_text(&call->json, "output", call->common.output);
    }
    return rc;
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
        return TW_EINVAL;
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

static void warn_identified(struct tw_call *call, const struct tw_law *law,
                            const struct tw_curve_set *set, const struct tw_law_fit_opts *o)
{
    void *model = law->model_alloc(set->law, set->n, o->warmup, NULL);
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
                         "the best of %zu starts stopped before its minimum (relative gradient "
                         "%.1e): what is printed%s is where it stopped; try more --starts, or hold "
                         "a parameter (--fix)",
                         f->fit.starts, f->fit.min.gradient, result ? " and saved" : "");
        rc = tw_cmd_fail_late(call);
    }
    return rc;
}

static int run(struct tw_call *call)
{
    const struct fit_opts *o = call->opts;
    const struct tw_law *law;
    struct tw_cmd_provenance prov = { 0 };
    struct tw_curve_set set = { 0 };
    struct tw_fit_file f = { 0 };
    struct tw_result *result = NULL;
    struct tw_law_fit_opts lo;
    int rc;

    if (call->argc < 2)
        return tw_cmd_usage(call, call->argc ? "no file given" : "no law given");
    law = tw_law_find(call->argv[0]);
    if (!law)
        return tw_law_unknown(call, call->argv[0]);
    if (law_opts(call, law, &lo, &call->err) != TW_OK || check_figures(call, law, &lo) != TW_OK)
        return tw_cmd_fail(call);
    if (tw_family_wanted(&o->family))
        return tw_fit_families(call, law, &lo, &o->runs, o->source.read.y, &o->family);
    if (tw_cmd_provenance_start(&prov, call, &call->err) != TW_OK ||
        read_all(call, law, &set, &prov) != TW_OK)
        goto out;
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
