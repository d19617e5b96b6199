/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "read.h"

#include <stdlib.h>
#include <string.h>

struct tw_log_opts tw_read_log_opts(const struct tw_read_opts *o)
{
    return (struct tw_log_opts){ .x = o->x, .regex = o->regex };
}

struct tw_curve_opts tw_read_curve_opts(const struct tw_read_opts *o)
{
    return (struct tw_curve_opts){ .run = o->run,
                                   .y = o->y,
                                   .lr = o->lr,
                                   .from = o->from,
                                   .to = o->to,
                                   .every = o->every,
                                   .smooth = o->smooth };
}

void tw_read_notes(struct tw_call *call, const struct tw_log *log)
{
    const char *p = log->notes;

    while (p && *p) {
        size_t n = strcspn(p, "\n");

        tw_cmd_warn(call, "%s: %.*s", log->path, (int)n, p);
        p += n + (p[n] == '\n');
    }
}

static void left_out(struct tw_str *text, size_t n, const char *why)
{
    if (n)
        tw_str_addf(text, "; %zu %s", n, why);
}

static void tell_curve(struct tw_call *call, const struct tw_log *log, const struct tw_curve *c)
{
    struct tw_str text = { 0 };

    left_out(&text, c->dropped_nonfinite, "NaN or infinite left out");
    left_out(&text, c->dropped_duplicate, "replaced by later rows of the same x");
    left_out(&text, c->dropped_range, "outside --from and --to");
    left_out(&text, c->restarts, "times resumed");
    tw_cmd_note(call, "%s: %s, '%s'%s%s%s over '%s': %zu points, x from %.10g to %.10g%s", c->name,
                log->format, c->y_name, c->nlr ? " and learning rate '" : "",
                c->nlr ? c->lr_name : "", c->nlr ? "'" : "", log->runs[0].x_name, c->n, c->x[0],
                c->x[c->n - 1], text.s && !text.failed ? text.s : "");
    tw_str_release(&text);
}

/* Replace the curves of out from `first` on by their mean. */
static enum tw_status average(struct tw_call *call, struct tw_curves *out, size_t first,
                              const char *name, struct tw_err *err)
{
    size_t n = out->n - first;
    const struct tw_curve **v = tw_alloc(n, sizeof *v);
    struct tw_curve mean = { 0 };
    enum tw_status rc;

    if (!v)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++)
        v[i] = &out->v[first + i];
    rc = tw_curve_mean(v, n, name, &mean, err);
    free(v);
    if (rc != TW_OK)
        return rc;
    while (out->n > first)
        tw_curve_release(&out->v[--out->n]);
    out->v[out->n++] = mean;
    tw_cmd_note(call, "%s: mean of %zu runs at %zu common points", mean.name, n, mean.n);
    return TW_OK;
}

enum tw_status tw_read_curves(struct tw_call *call, const char *operand,
                              const struct tw_read_opts *o, struct tw_curves *out,
                              struct tw_err *err)
{
    struct tw_log_opts log_opts = tw_read_log_opts(o);
    struct tw_curve_opts curve_opts = tw_read_curve_opts(o);
    struct tw_log log = { 0 };
    size_t first = out->n;
    enum tw_status rc = tw_log_read(operand, &log_opts, &log, err);

    if (rc == TW_OK) {
        tw_read_notes(call, &log);
        rc = tw_curves_add(out, &log, &curve_opts, err);
    }
    if (rc == TW_OK)
        for (size_t i = first; i < out->n; i++)
            tell_curve(call, &log, &out->v[i]);
    if (rc == TW_OK && o->group && out->n - first > 1)
        rc = average(call, out, first, operand, err);
    tw_log_release(&log);
    return rc;
}
