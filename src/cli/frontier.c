/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "frontier.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int tw_frontier_kind(const struct tw_frontier_cli *o)
{
    return !o->approach || !strcmp(o->approach, "3") ? 0 : o->approach[0] - '0';
}

/* ---- what approach 3 says ---------------------------------------------------------------------
 */

enum { REPLICATES = 200 }; /* of approach 3, which is there for comparison */

/* Its exponent of N*, how its exponents differ, and the exponent that the approach at hand would
 * find on its surface; intervals at `level`. NAN: it has no fit. */
struct other {
    double a, a_lo, a_hi;
    double difference, lo, hi;
    double on_surface;
};

static double share(const double *theta, size_t alpha, size_t beta)
{
    return theta[beta] / (theta[alpha] + theta[beta]);
}

static void quantiles(const struct tw_law_fit *fit, size_t alpha, size_t beta, double level,
                      struct other *q)
{
    const size_t np = fit->law->nparams;
    double *a = tw_alloc(fit->replicates, 2 * sizeof *a), *d = a ? a + fit->replicates : NULL;
    size_t n = 0;

    for (size_t b = 0; a && b < fit->replicates; b++) {
        const double *theta = fit->theta_boot + b * np;

        if (isnan(theta[0]))
            continue;
        a[n] = share(theta, alpha, beta);
        d[n++] = theta[alpha] - theta[beta];
    }
    if (a && n > 1) {
        tw_sort_reals(a, n);
        tw_sort_reals(d, n);
        q->a_lo = tw_quantile_sorted(a, n, 0.5 - 0.5 * level);
        q->a_hi = tw_quantile_sorted(a, n, 0.5 + 0.5 * level);
        q->lo = tw_quantile_sorted(d, n, 0.5 - 0.5 * level);
        q->hi = tw_quantile_sorted(d, n, 0.5 + 0.5 * level);
    }
    free(a);
}

/* The same approach on the losses that approach 3 has at these very runs. */
static double on_surface(enum tw_frontier_kind kind, const struct tw_law_fit *fit,
                         const struct tw_law_curve *runs, size_t n,
                         const struct tw_frontier_opts *opts)
{
    struct tw_law_curve *smooth = tw_alloc(n, sizeof *smooth);
    struct tw_frontier_opts once = *opts;
    struct tw_frontier f = { 0 };
    double a = NAN;

    once.bootstrap = 0;
    for (size_t c = 0; smooth && c < n; c++) {
        smooth[c] = runs[c];
        smooth[c].y = fit->yhat + fit->first[c];
    }
    if (smooth && tw_frontier_run(kind, smooth, n, &once, &f, NULL) == TW_OK)
        a = f.a;
    tw_frontier_release(&f);
    free(smooth);
    return a;
}

static struct other compare(enum tw_frontier_kind kind, const struct tw_law_curve *runs, size_t n,
                            const struct tw_frontier_opts *opts)
{
    const struct tw_law *law = tw_law_find("chinchilla");
    struct tw_law_fit_opts lo = tw_law_fit_defaults();
    struct other q = { NAN, NAN, NAN, NAN, NAN, NAN, NAN };
    struct tw_law_fit fit = { 0 };
    size_t alpha = 0, beta = 0;

    for (size_t j = 0; j < law->nparams; j++) {
        alpha = strcmp(law->params[j].name, "alpha") ? alpha : j;
        beta = strcmp(law->params[j].name, "beta") ? beta : j;
    }
    lo.bootstrap = opts->bootstrap < REPLICATES ? opts->bootstrap : REPLICATES;
    lo.level = opts->level;
    lo.seed = opts->seed;
    if (tw_law_fit_run(law, runs, n, &lo, &fit, NULL) == TW_OK && !fit.min.at_bounds &&
        fit.min.converged) {
        q.a = share(fit.theta, alpha, beta);
        q.difference = fit.theta[alpha] - fit.theta[beta];
        if (fit.replicates)
            quantiles(&fit, alpha, beta, opts->level, &q);
        q.on_surface = on_surface(kind, &fit, runs, n, opts);
    }
    tw_law_fit_release(&fit);
    return q;
}

/* ---- doubts ------------------------------------------------------------------------------------
 */

static void warn_valleys(struct tw_call *call, const struct tw_frontier *f)
{
    size_t wide = 0, aside = 0, outside = 0;

    for (size_t i = 0; i < f->n; i++) {
        const struct tw_frontier_point *p = &f->point[i];

        wide += !p->why && p->half_width > TW_FRONTIER_WIDE;
        aside += !p->why && fabs(p->aside) > TW_FRONTIER_ASIDE;
        outside += p->why != NULL;
    }
    if (outside)
        tw_cmd_warn(call,
                    "%zu of %zu budgets have no minimum within their sizes: the line leaves them "
                    "out; add larger or smaller runs there",
                    outside, f->n);
    if (aside)
        tw_cmd_warn(call,
                    "%zu of %zu budgets have their minimum more than half way from the middle of "
                    "their sizes to an end: off-centre sizes bias a parabola's minimum",
                    aside, f->used);
    if (wide)
        tw_cmd_warn(call,
                    "the sizes of %zu of %zu budgets span more than a factor of 16: so far from "
                    "the minimum the loss is no parabola, which biases it",
                    wide, f->used);
}

static void warn_curves(struct tw_call *call, const struct tw_frontier *f)
{
    if (f->smallest + f->largest > 0.0)
        tw_cmd_warn(call,
                    "the smallest size was best at %.0f %% of the budgets and the largest at "
                    "%.0f %%: there the best may lie beyond; the line %s",
                    100.0 * f->smallest, 100.0 * f->largest,
                    f->ends ? "takes them all the same, for want of sizes between: a is biased "
                              "towards 0"
                            : "leaves them out");
}

static void warn_other(struct tw_call *call, const struct tw_frontier *f, const struct other *q)
{
    if (isnan(q->a)) {
        tw_cmd_warn(call,
                    "approach 3 has no minimum on these runs: whether alpha = beta, without "
                    "which approach %d is biased, cannot be said",
                    (int)f->kind);
        return;
    }
    if (f->kind == TW_FRONTIER_ISOFLOP && (q->lo > 0.0 || q->hi < 0.0))
        tw_cmd_warn(call,
                    "approach 3 finds alpha - beta = %.3f (%.3f to %.3f) on these runs, not 0: "
                    "where they differ, a parabola's minimum is %s the best size",
                    q->difference, q->lo, q->hi, q->difference > 0.0 ? "above" : "below");
    if (fabs(q->on_surface - q->a) > 0.01)
        tw_cmd_warn(call,
                    "on the surface that approach 3 fits to these runs, approach %d would find a = "
                    "%.3f at these sizes and budgets; that surface has %.3f: a bias of %+.3f",
                    (int)f->kind, q->on_surface, q->a, q->on_surface - q->a);
}

/* ---- report ------------------------------------------------------------------------------------
 */

static void range(char *out, size_t size, double lo, double hi)
{
    if (isnan(lo))
        (void)snprintf(out, size, "-");
    else
        (void)snprintf(out, size, "%.5g to %.5g", lo, hi);
}

static void row(struct tw_table *t, const char *name, double value, double lo, double hi,
                const char *meaning)
{
    char text[64];

    tw_table_text(t, name);
    tw_table_real(t, "%.5g", value);
    range(text, sizeof text, lo, hi);
    tw_table_text(t, text);
    tw_table_text(t, meaning);
}

static void print_valleys(const struct tw_frontier *f)
{
    static const char *const head[] = { "FLOPs", "runs",  "N from", "N to",  "N*",
                                        "D*",    "D*/N*", "loss",   "aside", "" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 10);
    for (size_t i = 0; i < f->n; i++) {
        const struct tw_frontier_point *p = &f->point[i];

        tw_table_real(&t, "%.4g", p->flops);
        tw_table_size(&t, p->n);
        tw_table_real(&t, "%.4g", p->lo);
        tw_table_real(&t, "%.4g", p->hi);
        tw_table_real(&t, "%.4g", p->size);
        tw_table_real(&t, "%.4g", p->tokens);
        tw_table_real(&t, "%.3g", p->tokens / p->size);
        tw_table_real(&t, "%.4f", p->loss);
        tw_table_real(&t, "%+.2f", p->aside);
        tw_table_text(&t, p->why ? p->why : "");
    }
    tw_table_print(&t);
    putchar('\n');
}

static void print(const struct tw_frontier *f, const struct other *q, double level)
{
    static const char *const head[] = { "line", "value", "bootstrap", "meaning" };
    char centre[96];
    struct tw_table t = { 0 };

    if (f->kind == TW_FRONTIER_ISOFLOP)
        printf(
            "IsoFLOP parabolas (approach 2): minima of the loss in log N at %zu budgets; %.3g %% "
            "intervals\n\n",
            f->n, 100.0 * level);
    else
        printf(
            "lowest training curves (approach 1): the best of %zu curves at %zu budgets; %.3g %% "
            "intervals\n\n",
            f->curves, f->n, 100.0 * level);
    if (f->kind == TW_FRONTIER_ISOFLOP)
        print_valleys(f);
    (void)snprintf(centre, sizeof centre, "best N at C = %.4g FLOPs", f->centre);
    tw_table_head(&t, head, 4);
    row(&t, "a", f->a, f->a_lo, f->a_hi, "exponent: N* is proportional to C^a");
    row(&t, "1 - a", 1.0 - f->a, 1.0 - f->a_hi, 1.0 - f->a_lo, "D* = C / (6 N*) to C^(1 - a)");
    row(&t, "k", f->k, f->k_lo, f->k_hi, centre);
    if (!isnan(q->a)) {
        row(&t, "approach 3", q->a, q->a_lo, q->a_hi, "a of the law on the same runs");
        row(&t, "on its surface", q->on_surface, NAN, NAN,
            f->kind == TW_FRONTIER_ISOFLOP ? "a that approach 2 would find on that law's losses"
                                           : "a that approach 1 would find on that law's losses");
    }
    tw_table_print(&t);
    if (f->replicates)
        printf("\n%zu bootstrap replicates of the %s, %zu failed\n", f->replicates,
               f->kind == TW_FRONTIER_ISOFLOP ? "runs of each budget" : "curves", f->failed);
}

static void json_interval(struct tw_json *j, const char *name, double value, double lo, double hi)
{
    tw_json_open(j, name, '{');
    tw_json_real(j, "value", value);
    tw_json_real(j, "lo", lo);
    tw_json_real(j, "hi", hi);
    tw_json_close(j, '}');
}

static void write_json(struct tw_json *j, const struct tw_frontier *f, const struct other *q)
{
    tw_json_size(j, "approach", (size_t)f->kind);
    json_interval(j, "a", f->a, f->a_lo, f->a_hi);
    json_interval(j, "k", f->k, f->k_lo, f->k_hi);
    tw_json_real(j, "centre", f->centre);
    tw_json_size(j, "used", f->used);
    tw_json_open(j, "bootstrap", '{');
    tw_json_size(j, "replicates", f->replicates);
    tw_json_size(j, "failed", f->failed);
    tw_json_close(j, '}');
    tw_json_open(j, "approach_3", '{');
    json_interval(j, "a", q->a, q->a_lo, q->a_hi);
    json_interval(j, "alpha_less_beta", q->difference, q->lo, q->hi);
    tw_json_real(j, "a_on_surface", q->on_surface);
    tw_json_close(j, '}');
    if (f->kind == TW_FRONTIER_ENVELOPE) {
        tw_json_size(j, "curves", f->curves);
        tw_json_real(j, "smallest_best", f->smallest);
        tw_json_real(j, "largest_best", f->largest);
    }
    tw_json_open(j, "budgets", '[');
    for (size_t i = 0; i < f->n; i++) {
        const struct tw_frontier_point *p = &f->point[i];

        tw_json_open(j, NULL, '{');
        tw_json_real(j, "flops", p->flops);
        tw_json_real(j, "N", p->size);
        tw_json_real(j, "D", p->tokens);
        tw_json_real(j, "loss", p->loss);
        tw_json_text(j, "left_out", p->why);
        if (f->kind == TW_FRONTIER_ISOFLOP) {
            tw_json_size(j, "runs", p->n);
            tw_json_real(j, "lo", p->lo);
            tw_json_real(j, "hi", p->hi);
            tw_json_real(j, "aside", p->aside);
            tw_json_reals(j, "parabola", p->coef, 3);
        }
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
}

/* ---- all of it ---------------------------------------------------------------------------------
 */

static enum tw_status parse_budgets(const struct tw_opt_list *list, double *budget,
                                    struct tw_err *err)
{
    for (size_t i = 0; i < list->n; i++)
        if (!tw_str_to_real(list->v[i], &budget[i]) || !(budget[i] > 0.0) || !isfinite(budget[i]))
            return tw_err_set(err, TW_EINVAL, "--budget=%s: expected a positive number of FLOPs",
                              list->v[i]);
    return TW_OK;
}

enum tw_status tw_frontier_fit(struct tw_call *call, const struct tw_frontier_cli *o,
                               const struct tw_opt_list *budgets, const struct tw_law_curve *runs,
                               size_t n, size_t bootstrap, double level, struct tw_frontier *f,
                               struct tw_err *err)
{
    const enum tw_frontier_kind kind = (enum tw_frontier_kind)tw_frontier_kind(o);
    struct tw_frontier_opts opts = tw_frontier_defaults();
    double *budget = tw_alloc(budgets->n, sizeof *budget);
    enum tw_status rc = budget ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
    struct other other;

    if (rc == TW_OK)
        rc = parse_budgets(budgets, budget, err);
    opts.tolerance = o->tolerance;
    opts.budget = budget;
    opts.nbudgets = budgets->n;
    opts.bootstrap = bootstrap;
    opts.level = level;
    opts.seed = call->common.seed;
    if (rc == TW_OK)
        rc = tw_frontier_run(kind, runs, n, &opts, f, err);
    if (rc == TW_OK) {
        other = compare(kind, runs, n, &opts);
        if (call->common.json)
            write_json(&call->json, f, &other);
        else
            print(f, &other, level);
        if (kind == TW_FRONTIER_ISOFLOP)
            warn_valleys(call, f);
        else
            warn_curves(call, f);
        warn_other(call, f, &other);
    }
    free(budget);
    return rc;
}
