/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg forecast: the loss that a fit predicts under other schedules, with bands. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "curve_schedule.h"
#include "fitfig.h"
#include "fitreport.h"
#include "forecast.h"
#include "forecast_runs.h"
#include "given.h"
#include "provenance.h"

struct forecast_opts {
    struct tw_opt_list schedule, against, run;
    struct tw_run_source runs;     /* of the tables to score against */
    struct tw_curve_source source; /* of the curves to score against */
    double at, params, tokens, flops, want;
    size_t points;
    bool transfer;
    struct tw_figure_cli figure;
    struct tw_fit_figure_opts look;
};

#define AT(field) TW_OPT_FIELD(struct forecast_opts, field)
static const struct tw_opt opts[] = {
    { TW_OPT_HEAD, 0, "Forecast", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_LIST, 's', "schedule", AT(schedule), "SPEC",
      "a schedule to forecast; may be given again; see thalweg-schedule(7)", 0, 0, NULL },
    { TW_OPT_LIST, 'a', "against", AT(against), "FILE[@SPEC]",
      "a measured curve to score the forecast against; its schedule is SPEC, the --schedule of "
      "the same place, or the rates in the log; may be given again",
      0, 0, NULL },
    { TW_OPT_LIST, 0, "run", AT(run), "INPUT=X,...",
      "a run to forecast by a law of runs, as in N=7e9,D=2e12; may be given again", 0, 0, NULL },
    { TW_OPT_REAL, 0, "params", AT(params), "N", "parameters of a run, as N= in --run", 1e-300,
      1e300, NULL },
    { TW_OPT_REAL, 0, "tokens", AT(tokens), "D", "its training tokens, as D= in --run", 1e-300,
      1e300, NULL },
    { TW_OPT_REAL, 0, "flops", AT(flops), "C",
      "its compute, C = 6 N D, in place of one of them; alone: spent as the law says is best",
      1e-300, 1e300, NULL },
    { TW_OPT_REAL, 0, "want", AT(want), "WIDTH",
      "say how many more runs like the fitted ones would make the law's interval so wide", 1e-300,
      1e300, NULL },
    { TW_OPT_REAL, 0, "at", AT(at), "X", "position whose loss is printed [the last step]", 0, 1e300,
      NULL },
    { TW_OPT_SIZE, 0, "points", AT(points), "N", "points of the forecast line, about [400]", 2, 1e6,
      NULL },
    { TW_OPT_FLAG, 0, "transfer-residual", AT(transfer), NULL,
      "add the fitted curves' mean residual at each step: for runs that share their data order", 0,
      0, NULL },
    { TW_OPT_HEAD, 0, "Reading --against (from the first fitted step)", 0, NULL, NULL, 0, 0, NULL },
    TW_READ_OPTS(struct forecast_opts, source.read),
    { TW_OPT_STR, 0, "schedules", AT(source.schedules), "TABLE",
      "table of schedules, one row a curve: columns curve and spec, or curve, kind, peak, ...", 0,
      0, NULL },
    { TW_OPT_REAL, 0, "batch", AT(source.batch), "X",
      "units of x per step, when x counts tokens or samples [1, if it does not]", 1e-300, 1e300,
      NULL },
    { TW_OPT_LIST, 0, "size", AT(source.size), "[CURVE=]N",
      "parameters of the models, for laws with N: one number for all, one for a curve, or the "
      "log's column; of several numbers the i-th is that of the i-th --schedule",
      0, 0, NULL },
    TW_RUN_SOURCE_ROWS(struct forecast_opts, runs),
    TW_FIGURE_ROWS(struct forecast_opts, figure),
    TW_FIT_LOOK_ROWS(struct forecast_opts, look),
    { .type = TW_OPT_END },
};

/* ---- what to forecast ------------------------------------------------------------------------ */

/* The plain numbers of --size; SIZE_MAX if one is not positive. */
static size_t plain_sizes(const struct forecast_opts *o, size_t which, double *size)
{
    size_t n = 0;

    for (size_t i = 0; i < o->source.size.n; i++) {
        double x;

        if (!tw_str_to_real(o->source.size.v[i], &x))
            continue;
        if (!(x > 0.0) || !isfinite(x))
            return SIZE_MAX;
        if (n++ == which)
            *size = x;
    }
    return n;
}

/* Of the i-th schedule, those of measured curves counted: 0 if none was given. */
static double size_of(const struct forecast_opts *o, size_t i)
{
    double size = 0.0;

    if (plain_sizes(o, i - o->against.n, &size) == 1)
        (void)plain_sizes(o, 0, &size);
    return size;
}

static enum tw_status check_sizes(struct tw_call *call)
{
    const struct forecast_opts *o = call->opts;
    const size_t n = plain_sizes(o, 0, &(double){ 0.0 });
    const size_t schedules = o->schedule.n > o->against.n ? o->schedule.n - o->against.n : 0;

    if (n == SIZE_MAX)
        return tw_err_set(&call->err, TW_EINVAL,
                          "--size: expected a positive number of parameters");
    if (n > 1 && (o->against.n || n != schedules))
        return tw_err_set(
            &call->err, TW_EINVAL,
            "--size is given %zu times for %zu schedules to forecast and %zu measured "
            "curves: once for all, once for each schedule, or as CURVE=N",
            n, schedules, o->against.n);
    return TW_OK;
}

static enum tw_status add_schedule(struct tw_call *call, const struct tw_schedule *s, double size,
                                   struct tw_forecast_set *set)
{
    struct tw_str name = { 0 };
    enum tw_status rc;

    if (size > 0.0)
        tw_str_addf(&name, "N=%g ", size);
    tw_str_add(&name, s->spec);
    rc = name.failed ? tw_err_set(&call->err, TW_ENOMEM, "out of memory")
                     : tw_forecast_set_add(set, name.s, s, size, NULL, &call->err);
    tw_str_release(&name);
    return rc;
}

static enum tw_status add_schedules(struct tw_call *call, struct tw_forecast_set *set)
{
    const struct forecast_opts *o = call->opts;
    enum tw_status rc = TW_OK;

    for (size_t i = o->against.n; rc == TW_OK && i < o->schedule.n; i++) {
        struct tw_schedule s = { 0 };

        rc = tw_cli_schedule(o->schedule.v[i], &s, &call->err);
        if (rc == TW_OK)
            tw_cli_schedule_warn(call, &s);
        if (rc == TW_OK)
            rc = add_schedule(call, &s, size_of(o, i), set);
        tw_schedule_release(&s);
    }
    return rc;
}

/* The steps before the fit's first are not the law's: unless --from says otherwise they are not
 * scored. */
static double first_fitted(const struct tw_fit_file *f)
{
    double first = INFINITY;

    for (size_t c = 0; c < f->n; c++)
        if (f->fit.first[c + 1] > f->fit.first[c])
            first = fmin(first, f->fit.x[f->fit.first[c]]);
    return first;
}

static enum tw_status add_measured(struct tw_call *call, const struct tw_fit_file *f,
                                   struct tw_forecast_set *set, struct tw_cmd_provenance *prov)
{
    const struct forecast_opts *o = call->opts;
    struct tw_curve_source source = o->source;
    struct tw_curve_set curves = { .sized = f->fit.law->sized };
    enum tw_status rc = TW_OK;

    if (isnan(source.read.from))
        source.read.from = first_fitted(f);
    for (size_t i = 0; rc == TW_OK && i < o->against.n; i++)
        rc = tw_curve_set_add(call, &curves, o->against.v[i], &source,
                              i < o->schedule.n ? o->schedule.v[i] : NULL, &call->err);
    for (size_t i = 0; rc == TW_OK && i < curves.n; i++)
        rc =
            tw_cmd_provenance_input(prov, curves.log.v[i].path, curves.log.v[i].digest, &call->err);
    if (rc == TW_OK && o->source.read.group)
        rc = tw_curve_set_group(call, &curves, &call->err);
    if (rc == TW_OK)
        tw_warn_fitted(call, f, &curves);
    for (size_t i = 0; rc == TW_OK && i < curves.n; i++)
        rc = tw_forecast_set_add(set, curves.log.v[i].name, &curves.schedule[i], curves.law[i].size,
                                 &curves.law[i], &call->err);
    tw_curve_set_release(&curves);
    return rc;
}

/* Tables of schedules, and files that schedules were read from. */
static enum tw_status add_inputs(struct tw_call *call, const struct tw_forecast_set *set,
                                 struct tw_cmd_provenance *prov)
{
    const struct forecast_opts *o = call->opts;
    enum tw_status rc = TW_OK;

    if (o->source.schedules && o->against.n)
        rc = tw_cmd_provenance_input(prov, o->source.schedules, NULL, &call->err);
    for (size_t i = 0; rc == TW_OK && i < set->n; i++)
        rc = tw_schedule_input(prov, &set->v[i].schedule, &call->err);
    return rc;
}

static enum tw_status compute(struct tw_call *call, const struct tw_fit_file *f,
                              struct tw_forecast_set *set)
{
    const struct forecast_opts *o = call->opts;
    struct tw_forecast_how how = {
        .points = o->points, .at = o->at, .transfer = o->transfer, .seed = call->common.seed
    };
    enum tw_status rc = TW_OK;

    for (size_t i = 0; rc == TW_OK && i < set->n; i++)
        rc = tw_forecast_run(&f->fit, &how, &set->v[i], &call->err);
    if (rc == TW_OK && o->transfer && set->n)
        tw_forecast_tell_transfer(call, &f->fit, &set->v[0]);
    return rc;
}

/* The law was fitted from some step on; points before it say nothing of the forecast. */
static void warn_early(struct tw_call *call, const struct tw_fit_file *f,
                       const struct tw_forecast_set *set)
{
    double first = INFINITY;
    size_t early = 0;

    for (size_t c = 0; c < f->n; c++)
        first = fmin(first, f->fit.x[f->fit.first[c]]);
    for (size_t i = 0; i < set->n; i++)
        for (size_t k = 0; k < set->v[i].n; k++)
            early += set->v[i].x[k] < first;
    if (early)
        tw_cmd_warn(call,
                    "%zu measured point%s before x = %.10g, where the fit begins, count%s in "
                    "the scores: leave such points out (--from=%.10g)",
                    early, tw_plural(early), first, early == 1 ? "s" : "", first);
}

/* A forecast far past the fitted sum of rates is an extrapolation: say how far. */
static void warn_far(struct tw_call *call, const struct tw_fit_file *f,
                     const struct tw_forecast_set *set)
{
    double most = 0.0, largest = 0.0;

    for (size_t c = 0; c < f->n; c++)
        most = fmax(most, tw_sum(f->schedule[c].lr, f->schedule[c].n));
    for (size_t i = 0; i < set->n; i++) {
        const struct tw_schedule *s = &set->v[i].schedule;
        const double sum = tw_sum(s->lr, s->n);

        if (sum > 2.0 * most)
            tw_cmd_warn(call,
                        "%s: its learning rates sum to %.3g times the largest fitted sum: the "
                        "bands hold only if the law does so far out",
                        set->v[i].name, sum / most);
    }
    for (size_t c = 0; c < f->n; c++)
        largest = fmax(largest, f->size[c]);
    for (size_t i = 0; f->fit.law->sized && i < set->n; i++)
        if (set->v[i].size > 1.01 * largest)
            tw_cmd_warn(call,
                        "%s: its model is %.3g times the largest fitted one: the bands know the "
                        "error of curves of the fitted sizes; 'thalweg compare-laws "
                        "--hold-out=largest' says how the law does on a larger one",
                        set->v[i].name, set->v[i].size / largest);
    if (f->fit.replicates == 0)
        tw_cmd_warn(call, "the fit has no bootstrap: the bands hold no parameter error");
}

static enum tw_status draw(struct tw_call *call, const struct tw_fit_file *f,
                           const struct tw_forecast_set *set, const struct tw_cmd_provenance *prov)
{
    const struct forecast_opts *o = call->opts;
    struct tw_str lines = { 0 }, store = { 0 };
    struct tw_figure_opts fo;
    enum tw_status rc;
    const char *path;

    if (!o->figure.plot)
        return TW_OK;
    tw_cmd_provenance_lines(prov, &lines);
    tw_figure_cli_opts(&o->figure, call, lines.s, &fo);
    path = tw_figure_cli_path(&o->figure, "forecast.pdf", &store);
    rc = tw_forecast_figure(f, set, path, &o->look, &fo, &call->err);
    if (rc == TW_OK)
        tw_figure_cli_done(&o->figure, call, "figure", path);
    tw_str_release(&lines);
    tw_str_release(&store);
    return rc;
}

/* Takes the file. */
static enum tw_status save(struct tw_call *call, const struct tw_fit_file *f,
                           const struct tw_forecast_set *set, struct tw_result *r)
{
    enum tw_status rc = tw_forecast_write(set, r, &call->err);

    if (rc == TW_OK)
        rc = tw_fit_file_write(f, r, &call->err);
    return tw_cmd_result_end(call, r, rc);
}

static bool names_run(const struct forecast_opts *o)
{
    return o->run.n || !isnan(o->params) || !isnan(o->tokens) || !isnan(o->flops);
}

/* The other kind of law: no schedules, no figure. */
static enum tw_status forecast_runs(struct tw_call *call, const struct tw_fit_file *f)
{
    const struct forecast_opts *o = call->opts;
    struct tw_run_forecast how = { .runs = &o->run,
                                   .params = o->params,
                                   .tokens = o->tokens,
                                   .flops = o->flops,
                                   .want = o->want,
                                   .against = &o->against,
                                   .source = o->runs };

    how.source.y = o->source.read.y;
    if (o->schedule.n || o->transfer || o->figure.plot || call->common.output)
        return tw_err_set(&call->err, TW_EINVAL,
                          "%s is a law of runs: --schedule, --transfer-residual, --plot and "
                          "--output are of laws of curves",
                          f->fit.law->name);
    if (o->run.n == 0 && o->against.n == 0 && !tw_run_forecast_named(&how))
        return tw_err_set(&call->err, TW_EINVAL,
                          "nothing to forecast: give --run=%s=...,... or --against=TABLE",
                          f->fit.law->inputs[0].name);
    return tw_forecast_runs(call, f, &how, &call->err);
}

/* Save and draw what was reported: the numbers stand whatever fails here. */
static int finish(struct tw_call *call, const struct tw_fit_file *f,
                  const struct tw_forecast_set *set, struct tw_result *result,
                  const struct tw_cmd_provenance *prov)
{
    int rc = TW_EXIT_OK;

    if (result && save(call, f, set, result) != TW_OK)
        rc = tw_cmd_fail_late(call);
    if (draw(call, f, set, prov) != TW_OK)
        rc = tw_cmd_fail_late(call);
    return rc;
}

static int run(struct tw_call *call)
{
    const struct forecast_opts *o = call->opts;
    const char *plot = o->figure.plot && !*o->figure.plot ? "forecast.pdf" : o->figure.plot;
    struct tw_cmd_provenance prov = { 0 };
    struct tw_forecast_set set = { 0 };
    struct tw_fit_file f = { 0 };
    struct tw_result *result = NULL;
    int rc;

    if (call->argc != 1)
        return tw_cmd_usage(call, call->argc ? "one fit at a time" : "no fit given");
    if (o->schedule.n == 0 && o->against.n == 0 && !names_run(o))
        return tw_cmd_usage(call, "nothing to forecast: give --schedule, --run or --against");
    if (tw_fit_file_read(call->argv[0], &f, &call->err) != TW_OK)
        goto out;
    tw_fit_warn(call, &f.fit);
    if (f.fit.law->ninputs) {
        rc = forecast_runs(call, &f) == TW_OK ? TW_EXIT_OK : tw_cmd_fail(call);
        goto release;
    }
    if (names_run(o) || !isnan(o->want)) {
        (void)tw_err_set(&call->err, TW_EINVAL,
                         "%s is a law of curves: --run, --params, --tokens, --flops and --want are "
                         "of laws of runs; give --schedule",
                         f.fit.law->name);
        goto out;
    }
    if (tw_figure_cli_check(&o->figure, call, plot) != TW_OK || check_sizes(call) != TW_OK ||
        tw_cmd_provenance_start(&prov, call, &call->err) != TW_OK ||
        tw_cmd_provenance_input(&prov, call->argv[0], NULL, &call->err) != TW_OK ||
        add_measured(call, &f, &set, &prov) != TW_OK || add_schedules(call, &set) != TW_OK ||
        add_inputs(call, &set, &prov) != TW_OK)
        goto out;
    if (call->common.output) {
        result = tw_result_create(call->common.output, "forecast", TW_RESULT_ATOMIC,
                                  call->common.force, &prov.record, &call->err);
        if (!result)
            goto out;
    }
    if (compute(call, &f, &set) != TW_OK) {
        tw_result_abandon(result);
        goto out;
    }
    tw_forecast_report(call, &f.fit, &set);
    warn_early(call, &f, &set);
    warn_far(call, &f, &set);
    rc = finish(call, &f, &set, result, &prov);
    goto release;
out:
    rc = tw_cmd_fail(call);
release:
    tw_forecast_set_release(&set);
    tw_fit_file_release(&f);
    tw_cmd_provenance_release(&prov);
    return rc;
}

static const struct forecast_opts defaults = {
    .source = TW_CURVE_SOURCE_DEFAULTS,
    .at = (double)NAN,
    .params = (double)NAN,
    .tokens = (double)NAN,
    .flops = (double)NAN,
    .want = (double)NAN,
    .points = 400,
};
const struct tw_cmd tw_cmd_forecast = {
    "forecast",
    "Loss curves",
    "forecast the loss under other schedules",
    "FIT.h5",
    TW_USES_OUTPUT | TW_USES_SEED | TW_USES_THREADS | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
