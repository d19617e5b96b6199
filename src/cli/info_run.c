/* SPDX-License-Identifier: GPL-3.0-or-later */
/* `thalweg info run.h5`: the training runs in a file. */
#include <stdio.h>

#include "info.h"
#include "thalweg/store_run.h"

static void show_one(struct tw_call *call, const struct tw_run_info *run, struct tw_table *t)
{
    static const char *const shown[] = { "model", "optimizer", "schedule", "seed" };
    const size_t n = run->ncheckpoint;
    struct tw_json *j = &call->json;

    tw_table_text(t, run->name);
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++) {
        const char *text = tw_run_attr(run, shown[i]);

        tw_table_text(t, text ? text : "");
    }
    tw_table_size(t, n);
    tw_table_real(t, "%.0f", n ? (double)run->checkpoint[n - 1] : 0.0);
    tw_json_open(j, NULL, '{');
    tw_json_text(j, "name", run->name);
    tw_json_open(j, "attributes", '{');
    for (size_t i = 0; i < run->nattr; i++)
        tw_json_text(j, run->attr[i].name, run->attr[i].text);
    tw_json_close(j, '}');
    tw_json_open(j, "checkpoints", '[');
    for (size_t i = 0; i < n; i++)
        tw_json_size(j, NULL, run->checkpoint[i]);
    tw_json_close(j, ']');
    tw_json_close(j, '}');
    if (!call->common.verbose || call->common.json)
        return;
    for (size_t i = 0; i < run->nattr; i++)
        printf("%s: %s %s\n", run->name, run->attr[i].name, run->attr[i].text);
}

enum tw_status tw_info_runs(struct tw_call *call, const char *path)
{
    static const char *const head[] = { "run",  "model",       "optimizer", "schedule",
                                        "seed", "checkpoints", "last" };
    struct tw_run_list list = { 0 };
    struct tw_table t = { 0 };
    const enum tw_status rc = tw_run_list_read(path, &list, &call->err);

    if (rc == TW_OK) {
        if (!call->common.json)
            putchar('\n');
        tw_table_head(&t, head, sizeof head / sizeof *head);
        tw_json_open(&call->json, "runs", '[');
        for (size_t i = 0; i < list.n; i++)
            show_one(call, &list.run[i], &t);
        tw_json_close(&call->json, ']');
        tw_table_print(&t);
    }
    tw_str_release(&t.cells);
    tw_run_list_release(&list);
    return rc;
}
