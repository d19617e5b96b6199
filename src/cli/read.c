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
                                   .size = o->size,
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
        tw_str_addf(text, ", %zu %s", n, why);
}

/* "cosine: csv, 'val_loss' over 'step' 19 to 2999, 150 points" and what was left out. */
static void describe(struct tw_str *text, const struct tw_log *log, const struct tw_curve *c)
{
    const double last = c->x[c->n - 1];

    tw_str_addf(text, "%s: %s, '%s' over '%s' %.10g to %.10g, %zu points", c->name, log->format,
                c->y_name, log->runs[0].x_name, c->x[0], last, c->n);
    left_out(text, c->dropped_nonfinite, "NaN or infinite left out");
    left_out(text, c->dropped_duplicate, "replaced by later rows of the same x");
    left_out(text, c->dropped_range, "outside --from and --to");
    left_out(text, c->restarts, c->restarts == 1 ? "time resumed" : "times resumed");
}

/* Replace the curves of out from `first` on by their mean. */
static enum tw_status average(struct tw_curves *out, size_t first, struct tw_str *told,
                              struct tw_err *err)
{
    size_t n = out->n - first;
    const struct tw_curve **v = tw_alloc(n, sizeof *v);
    const char *each = out->v[first].name; /* "file:run" */
    char *name = tw_strndup(each, strcspn(each, ":"));
    struct tw_curve mean = { 0 };
    enum tw_status rc;

    if (!v || !name) {
        free(v);
        free(name);
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < n; i++)
        v[i] = &out->v[first + i];
    rc = tw_curve_mean(v, n, name, &mean, err);
    free(v);
    free(name);
    if (rc != TW_OK)
        return rc;
    while (out->n > first)
        tw_curve_release(&out->v[--out->n]);
    out->v[out->n++] = mean;
    tw_str_addf(told, "%s: mean of %zu run%s at %zu common points", mean.name, n, tw_plural(n),
                mean.n);
    return TW_OK;
}

enum tw_status tw_read_curves_told(struct tw_call *call, const char *operand,
                                   const struct tw_read_opts *o, struct tw_curves *out,
                                   struct tw_str *told, struct tw_err *err)
{
    struct tw_log_opts log_opts = tw_read_log_opts(o);
    struct tw_curve_opts curve_opts = tw_read_curve_opts(o);
    struct tw_log log = { 0 };
    size_t first = out->n;
    enum tw_status rc = tw_log_read(operand, &log_opts, &log, err);
    bool group;

    if (rc == TW_OK) {
        tw_read_notes(call, &log);
        rc = tw_curves_add(out, &log, &curve_opts, err);
    }
    group = o->group && out->n - first > 1;
    for (size_t i = first; rc == TW_OK && i < out->n; i++) {
        describe(told, &log, &out->v[i]);
        if (group) {
            tw_cmd_note(call, "%s", told->s ? told->s : "");
            tw_str_clear(told);
        } else {
            tw_str_addn(told, "", 1);
        }
    }
    if (rc == TW_OK && group)
        rc = average(out, first, told, err);
    if (rc == TW_OK && told->failed)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    tw_log_release(&log);
    return rc;
}

enum tw_status tw_read_curves(struct tw_call *call, const char *operand,
                              const struct tw_read_opts *o, struct tw_curves *out,
                              struct tw_err *err)
{
    struct tw_str told = { 0 };
    const enum tw_status rc = tw_read_curves_told(call, operand, o, out, &told, err);

    for (size_t at = 0; rc == TW_OK && at < told.n; at += strlen(told.s + at) + 1)
        tw_cmd_note(call, "%s", told.s + at);
    tw_str_release(&told);
    return rc;
}
