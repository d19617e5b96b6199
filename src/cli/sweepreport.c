/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "sweepreport.h"

#include <stdio.h>
#include <stdlib.h>

/* Which line of a group is that of its best run. */
static bool is_best(const struct tw_sweep *s, const struct tw_sweep_line *line)
{
    const struct tw_sweep_run *best = &s->run[s->group[line->group].best];

    return fabs(line->batch / best->batch - 1.0) <= 0.01;
}

static void sensitivity_table(const struct tw_sweep *s, bool every)
{
    static const char *const head[] = { "N",  "D",         "batch",       "rates",   "from",
                                        "to", "best loss", "sensitivity", "diverged" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    for (size_t i = 0; i < s->nlines; i++) {
        const struct tw_sweep_line *line = &s->line[i];
        const struct tw_sweep_group *g = &s->group[line->group];

        if (!every && !is_best(s, line))
            continue;
        tw_table_real(&t, "%.4g", g->size);
        tw_table_real(&t, "%.4g", g->tokens);
        tw_table_real(&t, "%.4g", line->batch);
        tw_table_size(&t, line->n);
        tw_table_real(&t, "%.3g", line->from);
        tw_table_real(&t, "%.3g", line->to);
        tw_table_real(&t, "%.4f", line->best);
        tw_table_real(&t, "%.4f", line->sensitivity);
        tw_table_size(&t, line->diverged);
    }
    tw_table_print(&t);
    printf("\nsensitivity: mean over the rates of min(loss, initial loss) less the best loss%s\n\n",
           every ? "" : "; at each best run's batch size");
}

static const char *const how_names[] = {
    [TW_SWEEP_QUADRATIC] = "quadratic",
    [TW_SWEEP_FEW] = "best run (few)",
    [TW_SWEEP_NO_MINIMUM] = "best run (no minimum)",
};

static void optimum_table(const struct tw_sweep *s)
{
    static const char *const head[] = { "N",    "D",  "best lr", "from", "to",  "best batch",
                                        "from", "to", "loss",    "runs", "rms", "by" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    for (size_t i = 0; i < s->ngroups; i++) {
        const struct tw_sweep_group *g = &s->group[i];

        tw_table_real(&t, "%.4g", g->size);
        tw_table_real(&t, "%.4g", g->tokens);
        tw_table_real(&t, "%.3g", g->lr);
        tw_table_real(&t, "%.3g", g->lr_lo);
        tw_table_real(&t, "%.3g", g->lr_hi);
        tw_table_real(&t, "%.4g", g->batch);
        tw_table_real(&t, "%.4g", g->batch_lo);
        tw_table_real(&t, "%.4g", g->batch_hi);
        tw_table_real(&t, "%.4f", g->loss);
        tw_table_size(&t, g->used);
        tw_table_real(&t, "%.4f", g->rms);
        tw_table_text(&t, how_names[g->how]);
    }
    tw_table_print(&t);
}

static void law_row(struct tw_table *t, const char *name, const struct tw_step_law *law, size_t k)
{
    tw_table_text(t, name);
    tw_table_real(t, "%.4g", k ? law->coef[k] : exp(law->coef[0]));
    tw_table_real(t, "%.4g", k ? law->lo[k] : exp(law->lo[0]));
    tw_table_real(t, "%.4g", k ? law->hi[k] : exp(law->hi[0]));
}

static void law_table(const struct tw_sweep *s)
{
    static const char *const head[] = { "step law", "value", "from", "to" };
    struct tw_table t = { 0 };

    if (!s->lr.fitted && !s->batch.fitted)
        return;
    tw_table_head(&t, head, 4);
    if (s->lr.fitted) {
        law_row(&t, "lr: factor", &s->lr, 0);
        if (s->lr.has_size)
            law_row(&t, "lr: exponent of N", &s->lr, 1);
        if (s->lr.has_tokens)
            law_row(&t, "lr: exponent of D", &s->lr, 2);
    }
    if (s->batch.fitted) {
        law_row(&t, "batch: factor", &s->batch, 0);
        law_row(&t, "batch: exponent of D", &s->batch, 2);
    }
    putchar('\n');
    tw_table_print(&t);
    printf("\n%.3g %% intervals; the optima scatter about the law by a factor of %.3g (lr)",
           100.0 * s->opts.level, exp(s->lr.scatter));
    if (s->batch.fitted)
        printf(" and %.3g (batch)", exp(s->batch.scatter));
    putchar('\n');
}

/* ---- the law elsewhere ---------------------------------------------------------------------- */

static enum tw_status one_point(struct tw_call *call, const struct tw_sweep *s,
                                const struct tw_sweep_point *p, struct tw_table *t,
                                struct tw_err *err)
{
    static const char *const name[] = { "lr", "batch" };
    const struct tw_step_law *const law[] = { &s->lr, &s->batch };
    struct tw_json *j = &call->json;

    tw_json_open(j, NULL, '{');
    tw_json_real(j, "N", p->size);
    tw_json_real(j, "D", p->tokens);
    tw_table_text(t, p->text);
    for (size_t k = 0; k < 2; k++) {
        double y = NAN, lo = NAN, hi = NAN;

        if (law[k]->fitted && !tw_step_law_at(law[k], &s->opts, p->size, p->tokens, &y, &lo, &hi))
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        tw_json_open(j, name[k], '{');
        tw_json_real(j, "value", y);
        tw_json_real(j, "lo", lo);
        tw_json_real(j, "hi", hi);
        tw_json_close(j, '}');
        tw_table_real(t, "%.4g", y);
        tw_table_real(t, "%.4g", lo);
        tw_table_real(t, "%.4g", hi);
    }
    tw_json_close(j, '}');
    return TW_OK;
}

static enum tw_status points(struct tw_call *call, const struct tw_sweep *s,
                             const struct tw_sweep_point *at, size_t n, struct tw_err *err)
{
    static const char *const head[] = { "at", "lr", "from", "to", "batch", "from", "to" };
    struct tw_table t = { 0 };
    enum tw_status rc = TW_OK;

    tw_json_open(&call->json, "at", '[');
    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    for (size_t i = 0; rc == TW_OK && i < n; i++)
        rc = one_point(call, s, &at[i], &t, err);
    tw_json_close(&call->json, ']');
    if (rc == TW_OK && n && !call->common.json) {
        putchar('\n');
        tw_table_print(&t);
    }
    tw_str_release(&t.cells);
    return rc;
}

/* ---- JSON ----------------------------------------------------------------------------------- */

static void json_range(struct tw_json *j, const char *key, double value, double lo, double hi)
{
    tw_json_open(j, key, '{');
    tw_json_real(j, "value", value);
    tw_json_real(j, "lo", lo);
    tw_json_real(j, "hi", hi);
    tw_json_close(j, '}');
}

static void json_law(struct tw_json *j, const char *key, const struct tw_step_law *law)
{
    tw_json_open(j, key, '{');
    tw_json_bool(j, "fitted", law->fitted);
    json_range(j, "log_factor", law->fitted ? law->coef[0] : (double)NAN, law->lo[0], law->hi[0]);
    json_range(j, "N", law->has_size ? law->coef[1] : (double)NAN, law->lo[1], law->hi[1]);
    json_range(j, "D", law->has_tokens ? law->coef[2] : (double)NAN, law->lo[2], law->hi[2]);
    tw_json_real(j, "scatter", law->scatter);
    tw_json_size(j, "failed", law->failed);
    tw_json_close(j, '}');
}

static void write_json(struct tw_json *j, const struct tw_sweep *s, const struct tw_sweep_table *t)
{
    tw_json_size(j, "runs", s->n);
    tw_json_size(j, "repeats", s->repeats);
    tw_json_bool(j, "batch_in_tokens", t->in_tokens);
    tw_json_open(j, "sensitivity", '[');
    for (size_t i = 0; i < s->nlines; i++) {
        const struct tw_sweep_line *line = &s->line[i];

        tw_json_open(j, NULL, '{');
        tw_json_real(j, "N", s->group[line->group].size);
        tw_json_real(j, "D", s->group[line->group].tokens);
        tw_json_real(j, "batch", line->batch);
        tw_json_bool(j, "of_best_run", is_best(s, line));
        tw_json_size(j, "rates", line->n);
        tw_json_size(j, "diverged", line->diverged);
        tw_json_real(j, "from", line->from);
        tw_json_real(j, "to", line->to);
        tw_json_real(j, "best_loss", line->best);
        tw_json_real(j, "value", line->sensitivity);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    tw_json_open(j, "optima", '[');
    for (size_t i = 0; i < s->ngroups; i++) {
        const struct tw_sweep_group *g = &s->group[i];

        tw_json_open(j, NULL, '{');
        tw_json_real(j, "N", g->size);
        tw_json_real(j, "D", g->tokens);
        json_range(j, "lr", g->lr, g->lr_lo, g->lr_hi);
        json_range(j, "batch", g->batch, g->batch_lo, g->batch_hi);
        tw_json_real(j, "loss", g->loss);
        tw_json_text(j, "by", how_names[g->how]);
        tw_json_size(j, "runs", g->n);
        tw_json_size(j, "used", g->used);
        tw_json_real(j, "rms", g->rms);
        tw_json_bool(j, "edge", g->edge);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    tw_json_open(j, "step_law", '{');
    json_law(j, "lr", &s->lr);
    json_law(j, "batch", &s->batch);
    tw_json_close(j, '}');
}

/* ---- warnings ------------------------------------------------------------------------------- */

static void warn(struct tw_call *call, const struct tw_sweep *s)
{
    size_t uneven = 0, sweeps = 0, replaced = 0;

    for (size_t i = 0; i < s->nlines; i++) {
        sweeps += s->line[i].n > 1;
        uneven += s->line[i].unevenness > 1.5;
    }
    if (s->repeats)
        tw_cmd_warn(call, "%zu rows repeat the N, D, batch and rate of another: their mean is used",
                    s->repeats);
    if (sweeps == 0)
        tw_cmd_warn(call, "no N, D and batch size has two learning rates: there is no sensitivity");
    if (uneven)
        tw_cmd_warn(call,
                    "%zu of %zu sweeps have rates spaced unevenly (in the logarithm): every rate "
                    "weighs the same in a sensitivity, so crowded ones count for more",
                    uneven, sweeps);
    for (size_t i = 0; i < s->ngroups; i++) {
        const struct tw_sweep_group *g = &s->group[i];

        if (g->edge)
            tw_cmd_warn(call,
                        "N = %.4g, D = %.4g: the best run is at the edge of its rates or batch "
                        "sizes: the optimum may lie outside",
                        g->size, g->tokens);
        replaced += g->how != TW_SWEEP_QUADRATIC;
    }
    if (replaced)
        tw_cmd_warn(call,
                    "%zu of %zu optima are best runs, no finer than their grid: see the column "
                    "'by'",
                    replaced, s->ngroups);
    if (s->ngroups < 2 || !s->lr.fitted)
        tw_cmd_warn(call, "there is one N and D (or too few of them): no step law can be fitted");
    else if (!s->lr.has_size)
        tw_cmd_warn(call, "all runs have one size N: the exponent of N cannot be told; add sizes");
    else if (!s->lr.has_tokens)
        tw_cmd_warn(call, "all runs have one D: the exponents of D cannot be told; add lengths");
    if (s->lr.failed)
        tw_cmd_warn(call,
                    "%zu of %zu replicates of the step law drew sweeps that do not determine it "
                    "and are left out of its intervals",
                    s->lr.failed, s->opts.bootstrap);
}

enum tw_status tw_sweep_report(struct tw_call *call, const struct tw_sweep *s,
                               const struct tw_sweep_table *t, bool every_batch,
                               const struct tw_sweep_point *at, size_t nat, struct tw_err *err)
{
    if (!call->common.json) {
        sensitivity_table(s, every_batch);
        optimum_table(s);
        law_table(s);
    }
    write_json(&call->json, s, t);
    warn(call, s);
    return points(call, s, at, nat, err);
}
