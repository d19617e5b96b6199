/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg log: what is in a loss log, and what a fit would take from it. */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "cmd.h"
#include "read.h"

struct log_opts {
    struct tw_read_opts read;
    bool formats;
};

static const struct tw_opt opts[] = {
    { TW_OPT_FLAG, 0, "formats", TW_OPT_FIELD(struct log_opts, formats), NULL,
      "list the formats that are recognised, and stop", 0, 0, NULL },
    TW_READ_COLUMNS(struct log_opts, read),
    { .type = TW_OPT_END },
};

static int list_formats(struct tw_call *call)
{
    static const char *const head[] = { "format", "what it is" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 2);
    tw_json_open(&call->json, "formats", '[');
    for (const struct tw_log_format *f = tw_log_formats; f->name; f++) {
        tw_table_text(&t, f->name);
        tw_table_text(&t, f->summary);
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "name", f->name);
        tw_json_text(&call->json, "summary", f->summary);
        tw_json_close(&call->json, '}');
    }
    tw_json_close(&call->json, ']');
    tw_table_print(&t);
    return TW_EXIT_OK;
}

/* ---- one series ------------------------------------------------------------------------------ */

static void series_row(struct tw_table *t, const struct tw_log_run *run,
                       const struct tw_log_series *s, const struct tw_log_range *r, const char *use)
{
    tw_table_text(t, run->name);
    tw_table_text(t, s->name);
    tw_table_text(t, tw_quantity_name(s->quantity));
    tw_table_text(t, s->split == TW_SPLIT_NONE ? "-" : tw_split_name(s->split));
    tw_table_size(t, r->n);
    tw_table_real(t, "%.10g", r->x_min);
    tw_table_real(t, "%.10g", r->x_max);
    tw_table_real(t, "%.6g", r->y_first);
    tw_table_real(t, "%.6g", r->y_min);
    tw_table_real(t, "%.6g", r->y_last);
    tw_table_size(t, r->nan);
    tw_table_size(t, r->inf);
    tw_table_size(t, r->gaps);
    tw_table_size(t, r->backward);
    tw_table_size(t, r->duplicates);
    tw_table_text(t, *use ? use : "-");
}

static void series_json(struct tw_json *j, const struct tw_log_series *s,
                        const struct tw_log_range *r, const char *use)
{
    tw_json_open(j, NULL, '{');
    tw_json_text(j, "name", s->name);
    tw_json_text(j, "quantity", tw_quantity_name(s->quantity));
    tw_json_text(j, "split", s->split == TW_SPLIT_NONE ? NULL : tw_split_name(s->split));
    tw_json_size(j, "n", r->n);
    tw_json_real(j, "x_min", r->x_min);
    tw_json_real(j, "x_max", r->x_max);
    tw_json_real(j, "y_first", r->y_first);
    tw_json_real(j, "y_min", r->y_min);
    tw_json_real(j, "y_max", r->y_max);
    tw_json_real(j, "y_last", r->y_last);
    tw_json_size(j, "nan", r->nan);
    tw_json_size(j, "inf", r->inf);
    tw_json_real(j, "spacing", r->spacing);
    tw_json_size(j, "gaps", r->gaps);
    tw_json_size(j, "backward", r->backward);
    tw_json_size(j, "duplicates", r->duplicates);
    tw_json_text(j, "use", *use ? use : NULL);
    tw_json_close(j, '}');
}

/* ---- one file -------------------------------------------------------------------------------- */

/* Would a fit take a curve from this run? */
static bool makes_curve(const struct tw_log *log, const struct tw_log_run *run,
                        const struct tw_curve_opts *choice, struct tw_err *why)
{
    struct tw_log_run alone = *run;
    const struct tw_log one = { .path = log->path, .nruns = 1, .runs = &alone };
    struct tw_curves curves = { 0 };
    bool yes = tw_curves_add(&curves, &one, choice, why) == TW_OK;

    tw_curves_release(&curves);
    return yes;
}

/* False if no curve can be made of the run; *why then says so. */
static bool describe_run(struct tw_json *j, const struct tw_log *log, const struct tw_log_run *run,
                         const struct tw_curve_opts *choice, struct tw_table *t, struct tw_err *why)
{
    size_t y = SIZE_MAX, lr = SIZE_MAX;
    bool chosen = tw_log_choose(run, choice, &y, &lr, NULL) == TW_OK;
    bool curve = makes_curve(log, run, choice, why);

    tw_json_open(j, NULL, '{');
    tw_json_text(j, "name", run->name);
    tw_json_text(j, "x", run->x_name);
    tw_json_text(j, "x_unit", tw_x_unit_name(run->x_unit));
    tw_json_open(j, "series", '[');
    for (size_t i = 0; i < run->nseries; i++) {
        const struct tw_log_series *s = &run->series[i];
        struct tw_log_range r = tw_log_series_range(s);
        const char *use = !chosen ? "" : i == y ? "loss" : i == lr ? "lr" : "";

        series_row(t, run, s, &r, use);
        series_json(j, s, &r, use);
    }
    tw_json_close(j, ']');
    tw_json_text(j, "no_curve", curve ? NULL : why->msg);
    tw_json_close(j, '}');
    return curve;
}

static bool describe(struct tw_call *call, const struct tw_log *log, const struct tw_read_opts *o)
{
    static const char *const head[] = { "run",  "series", "quantity", "split", "n",   "x from",
                                        "x to", "first",  "min",      "last",  "NaN", "Inf",
                                        "gaps", "back",   "same x",   "use as" };
    struct tw_curve_opts choice = tw_read_curve_opts(o);
    struct tw_table t = { 0 };
    struct tw_str head_line = { 0 };
    struct tw_err first = { 0 };
    size_t shown = 0, useless = 0;

    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    tw_json_open(&call->json, NULL, '{');
    tw_json_text(&call->json, "path", log->path);
    tw_json_text(&call->json, "format", log->format);
    tw_json_text(&call->json, "sha256", log->digest);
    tw_json_size(&call->json, "lines_ignored", log->lines_ignored);
    tw_json_open(&call->json, "runs", '[');
    for (size_t r = 0; r < log->nruns; r++) {
        const struct tw_log_run *run = &log->runs[r];
        struct tw_err why = { 0 };

        if (o->run && strcmp(o->run, run->name) != 0 && fnmatch(o->run, run->name, 0) != 0)
            continue;
        if (!describe_run(&call->json, log, run, &choice, &t, &why) && useless++ == 0)
            first = why;
        shown++;
    }
    tw_json_close(&call->json, ']');
    tw_json_close(&call->json, '}');
    if (!call->common.json && shown) {
        tw_str_addf(&head_line, "%s: %s, %zu run%s, x is %s", log->path, log->format, log->nruns,
                    log->nruns == 1 ? "" : "s", log->runs[0].x_name);
        if (log->lines_ignored)
            tw_str_addf(&head_line, ", %zu line%s ignored", log->lines_ignored,
                        tw_plural(log->lines_ignored));
        printf("%s\n", head_line.failed ? "" : tw_cmd_clean(head_line.s));
        tw_table_print(&t);
    }
    if (useless > 1)
        tw_cmd_note(call, "%s (and %zu more run%s without a curve)", first.msg, useless - 1,
                    tw_plural(useless - 1));
    else if (useless)
        tw_cmd_note(call, "%s", first.msg);
    tw_str_release(&t.cells);
    tw_str_release(&head_line);
    return shown > 0;
}

static int run(struct tw_call *call)
{
    const struct log_opts *o = call->opts;
    struct tw_log_opts log_opts = tw_read_log_opts(&o->read);

    if (o->formats)
        return list_formats(call);
    if (call->argc == 0)
        return tw_cmd_usage(call, "no file given");
    tw_json_open(&call->json, "files", '[');
    for (int i = 0; i < call->argc; i++) {
        struct tw_log log = { 0 };
        enum tw_status rc = tw_log_read(call->argv[i], &log_opts, &log, &call->err);

        if (rc == TW_OK) {
            tw_read_notes(call, &log);
            if (i && !call->common.json)
                printf("\n");
            if (!describe(call, &log, &o->read))
                rc = tw_err_set(&call->err, TW_EFORMAT, "%s: no run fits --run '%s'", call->argv[i],
                                o->read.run);
        }
        tw_log_release(&log);
        if (rc != TW_OK)
            return tw_cmd_fail(call);
    }
    tw_json_close(&call->json, ']');
    return TW_EXIT_OK;
}

static const struct log_opts defaults = { .read = TW_READ_DEFAULTS };
const struct tw_cmd tw_cmd_log = {
    "log",           "Loss curves", "read and describe loss logs",
    "FILE...",       TW_USES_JSON,  opts,
    sizeof defaults, &defaults,     run,
};
