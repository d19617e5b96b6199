/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "bestplan.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tw_best_plan_release(struct tw_best_plan *plan)
{
    tw_forecast_set_release(&plan->set);
    tw_law_best_release(&plan->free);
    free(plan->gain);
}

/* ---- how far from what was fitted ------------------------------------------------------------ */

struct traits {
    double s1, s2;   /* at the last step; s2 NAN for a law without a memory */
    double lowest;   /* rate after the warm-up, as a share of the peak */
    double steepest; /* fall in one step, the same */
    size_t at_lowest;
};

static struct traits traits_of(const struct tw_law_fit *fit, const struct tw_schedule *s)
{
    struct traits t = { .s2 = (double)NAN, .lowest = 1.0 };
    double peak = 0.0, *s2 = NULL, lambda = NAN;

    for (size_t j = 0; j < fit->law->nparams; j++)
        if (!strcmp(fit->law->params[j].name, "lambda"))
            lambda = fit->theta[j];
    t.s1 = tw_sum(s->lr, s->n);
    if (!isnan(lambda) && (s2 = tw_alloc(s->n, sizeof *s2))) {
        tw_law_annealing_features(s, fit->opts.warmup, lambda, NULL, s2);
        t.s2 = s2[s->n - 1];
    }
    free(s2);
    for (size_t i = 0; i < s->n; i++)
        peak = fmax(peak, s->lr[i]);
    for (size_t i = s->warm_end + 1; i < s->n && peak > 0.0; i++) {
        t.lowest = fmin(t.lowest, s->lr[i] / peak);
        t.steepest = fmax(t.steepest, (s->lr[i - 1] - s->lr[i]) / peak);
    }
    for (size_t i = s->warm_end + 1; i < s->n; i++)
        t.at_lowest += s->lr[i] <= t.lowest * peak * (1.0 + 1e-9);
    return t;
}

/* Of the fitted curves the largest sums, the lowest rate, the steepest fall. */
static struct traits traits_of_fit(const struct tw_fit_file *f)
{
    struct traits all = { .s2 = (double)NAN, .lowest = 1.0 };

    for (size_t c = 0; c < f->n; c++) {
        const struct traits t = traits_of(&f->fit, &f->schedule[c]);

        all.s1 = fmax(all.s1, t.s1);
        all.s2 = fmax(all.s2, t.s2);
        all.lowest = fmin(all.lowest, t.lowest);
        all.steepest = fmax(all.steepest, t.steepest);
    }
    return all;
}

void tw_best_plan_warn(struct tw_call *call, const struct tw_fit_file *f,
                       const struct tw_best_plan *plan)
{
    const struct traits own = traits_of(&f->fit, &plan->set.v[0].schedule);
    const struct traits fit = traits_of_fit(f);
    struct tw_str far = { 0 };

    if (own.s1 > 1.05 * fit.s1)
        tw_str_addf(&far, "; its rates sum to %.3g times the largest fitted sum", own.s1 / fit.s1);
    if (own.s2 > 1.05 * fit.s2 && fit.s2 > 0.0)
        tw_str_addf(&far, "; its annealing area is %.3g times the largest fitted one",
                    own.s2 / fit.s2);
    else if (own.s2 > 0.0 && fit.s2 <= 0.0)
        tw_str_add(&far, "; no fitted curve has an annealing area");
    if (own.steepest > 1.5 * fit.steepest)
        tw_str_addf(&far,
                    "; its steepest fall is %.3g %% of the peak in a step, the fitted curves' "
                    "%.3g %%",
                    100.0 * own.steepest, 100.0 * fit.steepest);
    if (own.lowest < 0.95 * fit.lowest)
        tw_str_addf(&far, "; it goes down to %.3g %% of the peak, the fitted curves to %.3g %%",
                    100.0 * own.lowest, 100.0 * fit.lowest);
    tw_cmd_warn(call,
                "the best schedule under a law is where the law is least tested%s: confirm it with "
                "a short run",
                far.s ? far.s
                      : "; by sum of rates, annealing area, steepest fall and lowest rate "
                        "this one lies within the fitted curves");
    if (plan->fall == 1 && !plan->family && own.steepest > 0.25)
        tw_cmd_warn(call, "this law rewards abrupt falls: --fall=N limits them to N steps from "
                          "peak to floor, --family keeps to a known shape");
    tw_str_release(&far);
}

/* ---- the report ------------------------------------------------------------------------------ */

static void certificate_json(struct tw_json *j, const struct tw_best_plan *plan)
{
    const struct tw_law_best *b = &plan->free;

    tw_json_open(j, "certificate", '{');
    tw_json_real(j, "loss", b->loss);
    tw_json_real(j, "gap", b->gap);
    tw_json_bool(j, "global", b->global);
    tw_json_size(j, "starts", b->starts);
    tw_json_size(j, "at_best", b->at_best);
    tw_json_reals(j, "start_loss", b->start_loss, b->starts);
    tw_json_size(j, "rounds", b->rounds);
    tw_json_size(j, "falls", b->falls);
    tw_json_real(j, "seconds", plan->free_seconds);
    if (plan->family)
        tw_json_size(j, "family_tried", plan->tried);
    tw_json_close(j, '}');
}

static void traits_json(struct tw_json *j, const char *key, const struct traits *t)
{
    tw_json_open(j, key, '{');
    tw_json_real(j, "s1", t->s1);
    tw_json_real(j, "s2", t->s2);
    tw_json_real(j, "lowest_share", t->lowest);
    tw_json_real(j, "steepest_share", t->steepest);
    tw_json_close(j, '}');
}

static void plan_json(struct tw_json *j, const struct tw_fit_file *f,
                      const struct tw_best_plan *plan)
{
    const struct traits own = traits_of(&f->fit, &plan->set.v[0].schedule);
    const struct traits fit = traits_of_fit(f);

    tw_json_text(j, "law", f->fit.law->name);
    tw_json_size(j, "steps", plan->set.v[0].schedule.n);
    tw_json_real(j, "peak", plan->peak);
    tw_json_real(j, "floor", plan->floor);
    tw_json_size(j, "fall", plan->fall);
    tw_json_open(j, "schedules", '[');
    for (size_t i = 0; i < plan->set.n; i++) {
        const struct tw_forecast *q = &plan->set.v[i];

        tw_json_open(j, NULL, '{');
        tw_json_text(j, "name", q->name);
        tw_json_text(j, "schedule", q->schedule.spec);
        tw_json_real(j, "loss", q->final[0]);
        tw_json_real(j, "lo95", q->final[3]);
        tw_json_real(j, "hi95", q->final[4]);
        tw_json_real(j, "gain", plan->gain[i].value);
        tw_json_real(j, "gain_lo", plan->gain[i].lo);
        tw_json_real(j, "gain_hi", plan->gain[i].hi);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    certificate_json(j, plan);
    traits_json(j, "best", &own);
    traits_json(j, "fitted", &fit);
}

/* Where the rate falls, when that can be said in a few words. */
static void print_falls(const struct tw_schedule *s)
{
    size_t falls = 0;

    for (size_t i = s->warm_end + 1; i < s->n; i++)
        falls += s->lr[i] < s->lr[i - 1];
    if (falls == 0 || falls > 8)
        return;
    printf("\nthe rate falls at step");
    for (size_t i = s->warm_end + 1, k = 0; i < s->n; i++)
        if (s->lr[i] < s->lr[i - 1])
            printf("%s %zu (to %.3g)", k++ ? "," : "", i, s->lr[i]);
    putchar('\n');
}

static void print_certificate(const struct tw_best_plan *plan)
{
    const struct tw_law_best *b = &plan->free;

    if (plan->family)
        printf("\nof the family %zu schedules were tried, the best is %s\n", plan->tried,
               plan->set.v[0].schedule.spec);
    printf("\n%s: predicted loss %.8f; ", plan->family ? "best of any shape" : "certificate",
           b->loss);
    if (b->global)
        printf("this law's loss is convex in the rates, so no allowed schedule is better by more "
               "than %.2g\n",
               fmax(b->gap, 1e-14)); /* rounding */
    else
        printf("%zu of %zu start%s within 1e-6 of it; no schedule near it is better to first order "
               "by more than %.2g; this law's loss is not convex in the rates, so this is no "
               "proof\n",
               b->at_best, b->starts, tw_plural(b->starts), b->gap);
}

void tw_best_plan_report(struct tw_call *call, const struct tw_fit_file *f,
                         const struct tw_best_plan *plan)
{
    static const char *const head[] = {
        "schedule", "loss", "95 % from", "to", "gain", "from", "to"
    };
    struct tw_table t = { 0 };

    plan_json(&call->json, f, plan);
    if (call->common.json)
        return;
    tw_table_head(&t, head, 7);
    for (size_t i = 0; i < plan->set.n; i++) {
        const struct tw_forecast *q = &plan->set.v[i];
        const struct tw_law_gain *g = &plan->gain[i];

        tw_table_text(&t, q->name);
        tw_table_real(&t, "%.5f", q->final[0]);
        tw_table_real(&t, "%.4f", q->final[3]);
        tw_table_real(&t, "%.4f", q->final[4]);
        tw_table_real(&t, "%.5f", i ? g->value : (double)NAN);
        tw_table_real(&t, "%.5f", i ? g->lo : (double)NAN);
        tw_table_real(&t, "%.5f", i ? g->hi : (double)NAN);
    }
    tw_table_print(&t);
    print_falls(&plan->set.v[0].schedule);
    print_certificate(plan);
}

/* ---- files ----------------------------------------------------------------------------------- */

enum tw_status tw_best_plan_write(const struct tw_best_plan *plan, struct tw_result *r,
                                  struct tw_err *err)
{
    const struct tw_law_best *b = &plan->free;
    const struct tw_schedule *s = &plan->set.v[0].schedule;
    const size_t dims[2] = { plan->set.n, 3 };
    double *gain = tw_alloc(3 * plan->set.n, sizeof *gain);
    enum tw_status rc;

    if (!gain)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < plan->set.n; i++) {
        gain[3 * i] = plan->gain[i].value;
        gain[3 * i + 1] = plan->gain[i].lo;
        gain[3 * i + 2] = plan->gain[i].hi;
    }
    rc = tw_result_put_reals(r, "/schedule/rates", 1, &s->n, s->lr, "",
                             "learning rate of every step of the best schedule", err);
    if (rc == TW_OK)
        rc = tw_result_put_text(r, "/schedule/spec", s->spec, "the best schedule", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/schedule/gain", 2, dims, gain, "",
                                 "how much less loss the best ends with than /forecast/i: value "
                                 "and 95 % interval",
                                 err);
    if (rc == TW_OK)
        rc = tw_result_put_real(r, "/schedule/peak", plan->peak, "", "largest rate", err);
    if (rc == TW_OK)
        rc =
            tw_result_put_real(r, "/schedule/floor", plan->floor, "", "smallest rate allowed", err);
    if (rc == TW_OK)
        rc = tw_result_put_size(r, "/schedule/fall", plan->fall, "steps",
                                "a fall from peak to floor takes at least", err);
    if (rc == TW_OK)
        rc = tw_result_put_real(r, "/certificate/best_loss", b->loss, "",
                                "predicted loss at the last step of the best of any shape", err);
    if (rc == TW_OK)
        rc = tw_result_put_real(r, "/certificate/gap", b->gap, "",
                                "largest decrease that the gradient promises", err);
    if (rc == TW_OK)
        rc = tw_result_put_size(r, "/certificate/global", b->global, "",
                                "1: no allowed schedule is better by more than the gap", err);
    if (rc == TW_OK)
        rc = tw_result_put_reals(r, "/certificate/start_loss", 1, &b->starts, b->start_loss, "",
                                 "loss that each start came to by itself", err);
    free(gain);
    return rc;
}

enum tw_status tw_best_plan_csv(const struct tw_schedule *s, const char *path, bool force,
                                struct tw_err *err)
{
    FILE *out = fopen(path, force ? "w" : "wx");
    bool ok;

    if (!out)
        return tw_err_set(err, TW_EIO, "%s: %s%s", path, strerror(errno),
                          errno == EEXIST ? "; --force replaces it" : "");
    ok = fprintf(out, "step,lr\n") > 0;
    for (size_t i = 0; ok && i < s->n; i++)
        ok = fprintf(out, "%zu,%.17g\n", i + s->base, s->lr[i]) > 0;
    if (fclose(out) != 0 || !ok) {
        (void)remove(path);
        return tw_err_set(err, TW_EIO, "%s: %s", path, strerror(errno));
    }
    return TW_OK;
}
