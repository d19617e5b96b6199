/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "info.h"
#include "read.h"
#include "thalweg/store_log.h"

static void show_run(struct tw_call *call, struct tw_table *t, const struct tw_log_run *run)
{
    tw_json_open(&call->json, NULL, '{');
    tw_json_text(&call->json, "name", run->name);
    tw_json_text(&call->json, "x", run->x_name);
    tw_json_text(&call->json, "x_unit", tw_x_unit_name(run->x_unit));
    tw_json_open(&call->json, "series", '[');
    for (size_t i = 0; i < run->nseries; i++) {
        const struct tw_log_series *s = &run->series[i];
        struct tw_log_range range = tw_log_series_range(s);

        tw_table_text(t, run->name);
        tw_table_text(t, s->name);
        tw_table_text(t, tw_quantity_name(s->quantity));
        tw_table_text(t, s->split == TW_SPLIT_NONE ? "-" : tw_split_name(s->split));
        tw_table_size(t, s->n);
        tw_table_real(t, "%.6g", range.x_max);
        tw_table_real(t, "%.6g", range.y_last);
        tw_json_open(&call->json, NULL, '{');
        tw_json_text(&call->json, "name", s->name);
        tw_json_text(&call->json, "quantity", tw_quantity_name(s->quantity));
        tw_json_text(&call->json, "split",
                     s->split == TW_SPLIT_NONE ? NULL : tw_split_name(s->split));
        tw_json_size(&call->json, "n", s->n);
        tw_json_real(&call->json, "x_max", range.x_max);
        tw_json_real(&call->json, "y_last", range.y_last);
        tw_json_close(&call->json, '}');
    }
    tw_json_close(&call->json, ']');
    tw_json_close(&call->json, '}');
}

int tw_info_log(struct tw_call *call, const char *path)
{
    static const char *const head[] = {
        "run", "series", "quantity", "split", "n", "x max", "last"
    };
    const struct tw_log_opts opts = { NULL, NULL };
    struct tw_table t = { 0 };
    struct tw_log log = { 0 };
    int rc = TW_EXIT_OK;

    if (tw_log_read(path, &opts, &log, &call->err) != TW_OK) {
        rc = tw_cmd_fail(call);
        goto out;
    }
    tw_read_notes(call, &log);
    if (!call->common.json)
        printf("%-10s %s\n%-10s %s\n%-10s %s\n\n", "file", path, "format", log.format, "sha256",
               log.digest);
    tw_json_text(&call->json, "format", log.format);
    tw_json_text(&call->json, "sha256", log.digest);
    tw_json_open(&call->json, "runs", '[');
    tw_table_head(&t, head, sizeof head / sizeof *head);
    for (size_t i = 0; i < log.nruns; i++)
        show_run(call, &t, &log.runs[i]);
    tw_json_close(&call->json, ']');
    tw_table_print(&t);
out:
    tw_log_release(&log);
    return rc;
}
