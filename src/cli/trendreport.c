/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Attention logits and gradients at a larger size, and what there is to fear. */
#include <stdio.h>

#include "sweepreport.h"

static double logit_of(const struct tw_sweep_run *run)
{
    return run->logit;
}

static double grad_of(const struct tw_sweep_run *run)
{
    return run->grad;
}

static const struct quantity {
    const char *key, *name, *beyond, *means;
    double (*value)(const struct tw_sweep_run *run);
    double threshold;
    bool above;
} quantities[2] = {
    { "logit", "largest attention logit", "above", "where all runs of the source diverged",
      logit_of, TW_ALARM_LOGIT, true },
    { "grad", "root mean square of the gradient", "below",
      "where AdamW's epsilon of 1e-8 swallows the update: a smaller epsilon helps", grad_of,
      TW_ALARM_GRAD, false },
};
static const char *const alarm_names[] = { [TW_ALARM_NONE] = "none",
                                           [TW_ALARM_POSSIBLE] = "possible",
                                           [TW_ALARM_PREDICTED] = "predicted",
                                           [TW_ALARM_MEASURED] = "measured" };

static void json_trend(struct tw_json *j, const struct tw_trend *t)
{
    tw_json_open(j, NULL, '{');
    tw_json_real(j, "lr", t->lr);
    tw_json_size(j, "points", t->n);
    tw_json_size(j, "sizes", t->sizes);
    tw_json_real(j, "value", t->y);
    tw_json_real(j, "lo", t->lo);
    tw_json_real(j, "hi", t->hi);
    tw_json_real(j, "crossing", t->crossing);
    tw_json_text(j, "alarm", alarm_names[t->alarm]);
    tw_json_close(j, '}');
}

static void table_row(struct tw_table *table, const struct tw_trend *t)
{
    tw_table_real(table, "%.4g", t->lr);
    tw_table_size(table, t->n);
    tw_table_real(table, "%.3g", t->from);
    tw_table_real(table, "%.3g", t->to);
    tw_table_real(table, "%.3g", t->y);
    tw_table_real(table, "%.3g", t->lo);
    tw_table_real(table, "%.3g", t->hi);
    tw_table_real(table, "%.3g", t->crossing);
    tw_table_text(table, alarm_names[t->alarm]);
}

static void say(struct tw_call *call, const struct quantity *q, const struct tw_trend *t,
                double size)
{
    if (t->alarm == TW_ALARM_MEASURED)
        tw_cmd_warn(call, "at learning rate %.3g a run has a %s %s %g, %s", t->lr, q->name,
                    q->beyond, q->threshold, q->means);
    else if (t->alarm == TW_ALARM_PREDICTED)
        tw_cmd_warn(call,
                    "at learning rate %.3g and N = %.3g the %s is predicted at %.2g (%.2g to "
                    "%.2g), %s %g, %s",
                    t->lr, size, q->name, t->y, t->lo, t->hi, q->beyond, q->threshold, q->means);
    else if (t->alarm == TW_ALARM_POSSIBLE)
        tw_cmd_warn(call,
                    "at learning rate %.3g and N = %.3g the %s is predicted at %.2g, but its "
                    "interval (%.2g to %.2g) reaches %s %g, %s",
                    t->lr, size, q->name, t->y, t->lo, t->hi, q->beyond, q->threshold, q->means);
    if (t->n == 3)
        tw_cmd_warn(call,
                    "at learning rate %.3g the quadratic goes through its three points: the %s "
                    "has no interval; add a size",
                    t->lr, q->name);
}

static enum tw_status one(struct tw_call *call, const struct quantity *q,
                          const struct tw_sweep_table *t, double size, double level,
                          struct tw_err *err)
{
    static const char *const head[] = { "lr",   "runs", "N from",       "to",   "value",
                                        "from", "to",   "crosses at N", "alarm" };
    struct tw_table table = { 0 };
    const struct tw_trend_ask ask = { q->value, q->threshold, size, level, q->above };
    struct tw_trends trends = { 0 };
    enum tw_status rc = tw_trends_fit(t->run, t->n, &ask, &trends, err);

    if (rc != TW_OK) {
        tw_trends_release(&trends);
        return tw_err_ctx(err, rc, "%s", q->name);
    }
    tw_table_head(&table, head, sizeof head / sizeof head[0]);
    tw_json_open(&call->json, q->key, '[');
    for (size_t i = 0; i < trends.n; i++) {
        json_trend(&call->json, &trends.v[i]);
        table_row(&table, &trends.v[i]);
    }
    tw_json_close(&call->json, ']');
    if (!call->common.json) {
        printf("\n%s at N = %.4g; alarm %s %g; quadratic in log N, %.3g %% intervals of a run\n\n",
               q->name, size, q->beyond, q->threshold, 100.0 * level);
        tw_table_print(&table);
    }
    tw_str_release(&table.cells);
    for (size_t i = 0; i < trends.n; i++)
        say(call, q, &trends.v[i], size);
    if (trends.skipped)
        tw_cmd_warn(call, "%zu learning rates have a %s at fewer than three sizes and are left out",
                    trends.skipped, q->name);
    tw_trends_release(&trends);
    return TW_OK;
}

enum tw_status tw_trend_report(struct tw_call *call, const struct tw_sweep_table *t, double size,
                               double level, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    if (t->logits)
        rc = one(call, &quantities[0], t, size, level, err);
    if (rc == TW_OK && t->grads)
        rc = one(call, &quantities[1], t, size, level, err);
    return rc;
}
