/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "figopts.h"

#include <stdio.h>
#include <string.h>

const char *tw_figure_cli_path(const struct tw_figure_cli *f, const char *otherwise,
                               struct tw_str *store)
{
    const char *dot = strrchr(otherwise, '.');

    tw_str_clear(store);
    if (f->plot && *f->plot)
        tw_str_add(store, f->plot);
    else if (f->format && dot)
        tw_str_addf(store, "%.*s.%s", (int)(dot - otherwise), otherwise, f->format);
    else
        tw_str_add(store, otherwise);
    return store->s ? store->s : otherwise;
}

static void tell_kept(void *ctx, const char *path, const char *as)
{
    tw_cmd_warn(ctx, "%s was edited by hand; your version is %s now", path, as);
}

void tw_figure_cli_opts(const struct tw_figure_cli *f, struct tw_call *call, const char *inputs,
                        struct tw_figure_opts *o)
{
    *o = (struct tw_figure_opts){
        .venue = f->venue,
        .width = f->width,
        .height = f->height,
        .font = f->font,
        .format = f->format,
        .command = call->command_line.s,
        .inputs = inputs,
        .kept = tell_kept,
        .kept_ctx = call,
    };
}

enum tw_status tw_figure_cli_check(const struct tw_figure_cli *f, struct tw_call *call,
                                   const char *path)
{
    struct tw_figure_opts o;

    if (!path)
        return TW_OK;
    tw_figure_cli_opts(f, call, NULL, &o);
    return tw_figure_check(path, &o, &call->err);
}

void tw_figure_cli_done(const struct tw_figure_cli *f, struct tw_call *call, const char *key,
                        const char *path)
{
    const char *slash = strrchr(path, '/'), *dot = strrchr(path, '.');
    struct tw_err err = { 0 };
    int stem = dot && (!slash || dot > slash) ? (int)(dot - path) : (int)strlen(path);

    tw_json_text(&call->json, key, path);
    tw_cmd_note(call, "drew %s (edit %.*s.gp and run gnuplot on it to restyle)", path, stem, path);
    if (!f->show || call->common.json)
        return;
    (void)fflush(stdout);
    if (tw_figure_show(path, &err) != TW_OK)
        tw_cmd_warn(call, "no preview: %s", err.msg);
}
