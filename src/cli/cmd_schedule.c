/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg schedule: the learning-rate schedule that a fitted law says is best. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bestplan.h"
#include "provenance.h"

struct schedule_opts {
    size_t steps, warmup, fall, points;
    double peak, floor;
    const char *ramp, *family, *csv;
    struct tw_figure_cli figure;
};

#define AT(field) TW_OPT_FIELD(struct schedule_opts, field)
static const struct tw_opt opts[] = {
    { TW_OPT_HEAD, 0, "What is given", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_SIZE, 0, "steps", AT(steps), "N", "steps of the run; must be given", 0, 1e8, NULL },
    { TW_OPT_REAL, 0, "peak", AT(peak), "X", "the largest rate; must be given", 0, 1e300, NULL },
    { TW_OPT_SIZE, 0, "warmup", AT(warmup), "N", "steps of the warm-up [0]", 0, 1e8, NULL },
    { TW_OPT_CHOICE, 0, "ramp", AT(ramp), "FORM", "form of the warm-up [s/(w-1)]", 0, 0,
      "s/(w-1)|(s+1)/w|s/w" },
    { TW_OPT_REAL, 0, "floor", AT(floor), "X",
      "the smallest rate after the warm-up [as low as a fitted curve went, relative to its peak; "
      "at least a thousandth]",
      0, 1e300, NULL },
    { TW_OPT_SIZE, 0, "fall", AT(fall), "N", "a fall from peak to floor takes at least N steps [1]",
      1, 1e8, NULL },
    { TW_OPT_STR, 0, "family", AT(family), "FAMILY",
      "the best of a family instead of any shape that does not rise: cosine, linear, wsd, wsdcon, "
      "rewarmup, or a schedule with ? for what is open, as in wsd:decay=?,end=3e-5,shape=1-sqrt",
      0, 0, NULL },
    { TW_OPT_HEAD, 0, "Output", 0, NULL, NULL, 0, 0, NULL },
    { TW_OPT_STR, 0, "csv", AT(csv), "FILE", "write step,lr for a trainer", 0, 0, NULL },
    { TW_OPT_SIZE, 0, "points", AT(points), "N", "points of the forecast lines [400]", 2, 1e6,
      NULL },
    TW_FIGURE_ROWS(struct schedule_opts, figure),
    { .type = TW_OPT_END },
};

/* ---- is it a question? ----------------------------------------------------------------------- */

static const char *ill_posed(const struct schedule_opts *o)
{
    if (o->steps == 0)
        return "--steps is needed: a longer run always predicts less loss, so the best length "
               "has no end";
    if (isnan(o->peak) || o->peak <= 0.0)
        return "--peak is needed: scaling a whole schedule up always predicts less loss, so the "
               "best peak has no bound";
    if (o->warmup + 1 >= o->steps)
        return "--warmup leaves no step to choose";
    return NULL;
}

/* As low as a fitted curve went. */
static double default_floor(const struct tw_fit_file *f, double peak)
{
    double share = 1.0;

    for (size_t c = 0; c < f->n; c++) {
        const struct tw_schedule *s = &f->schedule[c];
        double top = 0.0, low = INFINITY;

        for (size_t i = 0; i < s->n; i++)
            top = fmax(top, s->lr[i]);
        for (size_t i = s->warm_end + 1; i < s->n; i++)
            low = fmin(low, s->lr[i]);
        if (top > 0.0)
            share = fmin(share, low / top);
    }
    return fmax(share, 1e-3) * peak;
}

static enum tw_status choose_floor(struct tw_call *call, const struct tw_fit_file *f,
                                   struct tw_best_plan *plan)
{
    const struct schedule_opts *o = call->opts;
    const struct tw_law_fit *fit = &f->fit;

    if (!fit->law->final)
        return tw_err_set(&call->err, TW_EINVAL, "the %s law cannot rank schedules",
                          fit->law->name);
    plan->floor = isnan(o->floor) ? default_floor(f, o->peak) : o->floor;
    if (plan->floor <= 0.0 &&
        tw_law_rewards_idling(fit->law, fit->theta, fit->opts.warmup, o->peak, o->steps))
        return tw_err_set(&call->err, TW_EINVAL,
                          "--floor=0: this fit predicts less and less loss from steps at rate "
                          "zero, in which nothing is learnt, so the answer would be an artefact; "
                          "give a floor above 0, as low as the fitted curves went (%g)",
                          default_floor(f, o->peak));
    if (plan->floor <= 0.0)
        return tw_err_set(&call->err, TW_EINVAL,
                          "--floor=0: give a floor above 0, such as %g: laws have no derivative at "
                          "rate zero",
                          1e-6 * o->peak);
    if (plan->floor >= o->peak && isnan(o->floor))
        return tw_err_set(&call->err, TW_EINVAL,
                          "no fitted curve lowers its rate, so nothing says how low one may go: "
                          "give --floor");
    if (plan->floor >= o->peak)
        return tw_err_set(&call->err, TW_EINVAL, "--floor=%g is not below --peak=%g", plan->floor,
                          o->peak);
    if (isnan(o->floor))
        tw_cmd_note(call, "floor: %g, %.3g %% of the peak; --floor sets another", plan->floor,
                    100.0 * plan->floor / o->peak);
    return TW_OK;
}

/* ---- the schedules --------------------------------------------------------------------------- */

/* The shortest text that reads as x again. */
static void add_real(struct tw_str *out, double x)
{
    char text[32];
    double again;

    (void)snprintf(text, sizeof text, "%.15g", x);
    if (!tw_str_to_real(text, &again) || again < x || again > x)
        (void)snprintf(text, sizeof text, "%.17g", x);
    tw_str_add(out, text);
}

/* `head`, and what is given to every schedule. */
static enum tw_status add_spec(struct tw_call *call, const char *head, struct tw_str *out)
{
    const struct schedule_opts *o = call->opts;

    tw_str_addf(out, "%s%cpeak=", head, strchr(head, ':') ? ',' : ':');
    add_real(out, o->peak);
    tw_str_addf(out, ",total=%zu", o->steps);
    if (o->warmup)
        tw_str_addf(out, ",warmup=%zu,ramp=%s", o->warmup, o->ramp);
    return out->failed ? tw_err_set(&call->err, TW_ENOMEM, "out of memory") : TW_OK;
}

/* The best of a family with ? in it; `name` is its row. */
static enum tw_status add_family(struct tw_call *call, const struct tw_law_fit *fit,
                                 struct tw_best_plan *plan, const char *name, const char *family,
                                 size_t *tried)
{
    const struct schedule_opts *o = call->opts;
    struct tw_law_family how = {
        .floor = plan->floor, .peak = o->peak, .fall = o->fall, .steps = o->steps
    };
    struct tw_schedule s = { 0 };
    struct tw_str spec = { 0 };
    enum tw_status rc = add_spec(call, family, &spec);
    double loss;

    how.spec = spec.s;
    if (rc == TW_OK)
        rc = tw_law_best_family(fit->law, fit->theta, fit->opts.warmup, &how, &s, &loss, tried,
                                &call->err);
    if (rc == TW_OK)
        rc = tw_forecast_set_add(&plan->set, name, &s, 0.0, NULL, &call->err);
    tw_schedule_release(&s);
    tw_str_release(&spec);
    return rc;
}

static enum tw_status add_chosen_family(struct tw_call *call, const struct tw_law_fit *fit,
                                        struct tw_best_plan *plan)
{
    static const char *const names[][2] = {
        { "cosine", "cosine:end=?" },           { "linear", "linear:end=?" },
        { "wsd", "wsd:decay=?,end=?,shape=?" }, { "wsdld", "wsdld:decay=?,end=?" },
        { "wsdcon", "wsdcon:stage=?,end=?" },
    };
    const struct schedule_opts *o = call->opts;
    struct tw_str family = { 0 };
    enum tw_status rc;

    for (size_t k = 0; k < sizeof names / sizeof names[0]; k++)
        if (!strcmp(o->family, names[k][0]))
            tw_str_add(&family, names[k][1]);
    if (!strcmp(o->family, "rewarmup"))
        tw_str_addf(&family, "rewarmup:restart=?,rewarm=%zu,peak2=?,end=?,end2=%.9g",
                    o->steps / 100 + 1, plan->floor);
    if (!family.n)
        tw_str_add(&family, o->family);
    rc = add_family(call, fit, plan, "best of the family", family.s ? family.s : "", &plan->tried);
    tw_str_release(&family);
    return rc == TW_OK ? rc : tw_err_ctx(&call->err, rc, "--family=%s", o->family);
}

/* The free optimum. */
static enum tw_status add_free(struct tw_call *call, const struct tw_law_fit *fit,
                               struct tw_best_plan *plan)
{
    const struct schedule_opts *o = call->opts;
    struct tw_str spec = { 0 };
    struct tw_schedule s = { 0 };
    struct tw_law_best_problem p;
    const double t = tw_cmd_seconds(call);
    enum tw_status rc = add_spec(call, "constant", &spec);

    if (rc == TW_OK)
        rc = tw_cli_schedule(spec.s, &s, &call->err);
    if (rc == TW_OK) {
        p = (struct tw_law_best_problem){ .law = fit->law,
                                          .theta = fit->theta,
                                          .warmup = fit->opts.warmup,
                                          .n = s.n,
                                          .first = s.warm_end,
                                          .rise = s.lr,
                                          .floor = plan->floor,
                                          .fall = o->fall };
        rc = tw_law_best_schedule(&p, &plan->free, &call->err);
    }
    plan->free_seconds = tw_cmd_seconds(call) - t;
    if (rc == TW_OK) {
        memcpy(s.lr, plan->free.lr, s.n * sizeof *s.lr);
        free(s.spec);
        tw_str_clear(&spec);
        tw_str_addf(&spec, "best of %zu steps", s.n);
        s.spec = tw_strdup(spec.s);
        rc = s.spec
                 ? tw_forecast_set_add(&plan->set, "best of any shape", &s, 0.0, NULL, &call->err)
                 : tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    }
    tw_schedule_release(&s);
    tw_str_release(&spec);
    return rc;
}

static enum tw_status add_known(struct tw_call *call, const struct tw_law_fit *fit,
                                struct tw_best_plan *plan)
{
    const struct schedule_opts *o = call->opts;
    const char *const known[][3] = {
        { "cosine", "cosine:end=", "" },
        { "linear", "linear:end=", "" },
        { "best wsd", "wsd:decay=?,end=", ",shape=?" },
    };
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < sizeof known / sizeof known[0]; k++) {
        struct tw_str spec = { 0 };
        size_t tried;

        tw_str_add(&spec, known[k][1]);
        add_real(&spec, k ? plan->floor : fmax(plan->floor, 0.1 * o->peak));
        tw_str_add(&spec, known[k][2]);
        rc = spec.failed ? tw_err_set(&call->err, TW_ENOMEM, "out of memory")
                         : add_family(call, fit, plan, known[k][0], spec.s, &tried);
        tw_str_release(&spec);
    }
    /* Under a limited fall there may be none of them. */
    if (rc == TW_EINVAL && o->fall > 1) {
        tw_cmd_note(call, "not compared with all known schedules: %s", call->err.msg);
        call->err = (struct tw_err){ 0 };
        rc = TW_OK;
    }
    return rc;
}

static enum tw_status compute(struct tw_call *call, const struct tw_fit_file *f,
                              struct tw_best_plan *plan)
{
    const struct schedule_opts *o = call->opts;
    const struct tw_forecast_how how = { .points = o->points,
                                         .at = (double)NAN,
                                         .seed = call->common.seed };
    enum tw_status rc = choose_floor(call, f, plan);

    plan->family = o->family;
    plan->peak = o->peak;
    plan->fall = o->fall;
    if (rc == TW_OK && o->family)
        rc = add_chosen_family(call, &f->fit, plan);
    if (rc == TW_OK)
        rc = add_free(call, &f->fit, plan);
    if (rc == TW_OK)
        rc = add_known(call, &f->fit, plan);
    if (rc != TW_OK)
        return rc;
    plan->gain = tw_alloc(plan->set.n, sizeof *plan->gain);
    if (!plan->gain)
        return tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; rc == TW_OK && i < plan->set.n; i++) {
        rc = tw_forecast_run(&f->fit, &how, &plan->set.v[i], &call->err);
        if (rc == TW_OK)
            rc = tw_law_gain(&f->fit, &plan->set.v[0].schedule, &plan->set.v[i].schedule,
                             &plan->gain[i], &call->err);
    }
    return rc;
}

/* ---- output ---------------------------------------------------------------------------------- */

static enum tw_status save(struct tw_call *call, const struct tw_fit_file *f,
                           const struct tw_best_plan *plan, const struct tw_cmd_provenance *prov)
{
    const struct schedule_opts *o = call->opts;
    struct tw_result *r;
    enum tw_status rc = TW_OK;

    if (o->csv) {
        rc = tw_best_plan_csv(&plan->set.v[0].schedule, o->csv, call->common.force, &call->err);
        if (rc != TW_OK)
            return rc;
        tw_cmd_note(call, "wrote %s; file:%s names it as a schedule", o->csv, o->csv);
        tw_json_text(&call->json, "csv", o->csv);
    }
    if (!call->common.output)
        return TW_OK;
    r = tw_result_create(call->common.output, "schedule", TW_RESULT_ATOMIC, call->common.force,
                         &prov->record, &call->err);
    if (!r)
        return call->err.code;
    rc = tw_forecast_write(&plan->set, r, &call->err);
    if (rc == TW_OK)
        rc = tw_fit_file_write(f, r, &call->err);
    if (rc == TW_OK)
        rc = tw_best_plan_write(plan, r, &call->err);
    return tw_cmd_result_end(call, r, rc);
}

static enum tw_status draw(struct tw_call *call, const struct tw_fit_file *f,
                           const struct tw_best_plan *plan, const struct tw_cmd_provenance *prov)
{
    const struct schedule_opts *o = call->opts;
    const struct tw_fit_figure_opts look = { 0 };
    struct tw_str lines = { 0 }, store = { 0 };
    struct tw_figure_opts fo;
    enum tw_status rc;
    const char *path;

    if (!o->figure.plot)
        return TW_OK;
    tw_cmd_provenance_lines(prov, &lines);
    tw_figure_cli_opts(&o->figure, call, lines.s, &fo);
    path = tw_figure_cli_path(&o->figure, "schedule.pdf", &store);
    rc = tw_schedule_figure(f, &plan->set, path, &look, &fo, &call->err);
    if (rc == TW_OK)
        tw_figure_cli_done(&o->figure, call, "figure", path);
    tw_str_release(&lines);
    tw_str_release(&store);
    return rc;
}

static int run(struct tw_call *call)
{
    const struct schedule_opts *o = call->opts;
    struct tw_cmd_provenance prov = { 0 };
    struct tw_best_plan plan = { 0 };
    struct tw_fit_file f = { 0 };
    int rc;

    if (call->argc != 1)
        return tw_cmd_usage(call, call->argc ? "one fit at a time" : "no fit given");
    if (ill_posed(o))
        return tw_cmd_usage(call, "%s", ill_posed(o));
    if (tw_cmd_provenance_start(&prov, call, &call->err) == TW_OK &&
        tw_fit_file_read(call->argv[0], &f, &call->err) == TW_OK &&
        tw_cmd_provenance_input(&prov, call->argv[0], NULL, &call->err) == TW_OK &&
        compute(call, &f, &plan) == TW_OK) {
        tw_best_plan_report(call, &f, &plan);
        tw_best_plan_warn(call, &f, &plan);
        if (save(call, &f, &plan, &prov) == TW_OK)
            (void)draw(call, &f, &plan, &prov);
    }
    rc = call->err.code == TW_OK ? TW_EXIT_OK : tw_cmd_fail(call);
    tw_best_plan_release(&plan);
    tw_fit_file_release(&f);
    tw_cmd_provenance_release(&prov);
    return rc;
}

static const struct schedule_opts defaults = {
    .fall = 1,
    .points = 400,
    .peak = (double)NAN,
    .floor = (double)NAN,
    .ramp = "s/(w-1)",
};
const struct tw_cmd tw_cmd_schedule = {
    "schedule",
    "Loss curves",
    "find the learning-rate schedule that a fit says is best",
    "FIT.h5",
    TW_USES_OUTPUT | TW_USES_SEED | TW_USES_THREADS | TW_USES_JSON,
    opts,
    sizeof defaults,
    &defaults,
    run,
};
