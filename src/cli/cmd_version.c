/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "build.h"
#include "cmd.h"

struct version_opts {
    bool build;
};

static const struct tw_opt opts[] = {
    { TW_OPT_FLAG, 0, "build", TW_OPT_FIELD(struct version_opts, build), NULL,
      "also print compiler, flags and the versions of the libraries in use", 0, 0, NULL },
    { .type = TW_OPT_END },
};

#ifdef __clang__
static const char compiler[] = __VERSION__; /* names itself */
#else
static const char compiler[] = "gcc " __VERSION__;
#endif

/* A line, and a member of the JSON object under construction. */
static void fact(struct tw_call *call, const char *name, const char *value)
{
    tw_json_text(&call->json, name, value);
    if (!call->common.json)
        printf("%-9s %s\n", name, value);
}

static void print_build(struct tw_call *call)
{
    enum { MAX = 16 };
    struct tw_library_part parts[MAX];
    size_t n = tw_library_parts(parts, MAX);
    char openmp[32];

    fact(call, "compiler", compiler);
    fact(call, "flags", TW_BUILD_FLAGS);
    (void)snprintf(openmp, sizeof openmp, "%d", _OPENMP);
    fact(call, "openmp", openmp);
    tw_json_open(&call->json, "libraries", '{');
    for (size_t i = 0; i < n && i < MAX; i++)
        fact(call, parts[i].name, parts[i].version);
    tw_json_close(&call->json, '}');
}

static int run(struct tw_call *call)
{
    const struct version_opts *o = call->opts;

    if (call->argc > 0)
        return tw_cmd_usage(call, "takes no operands, found '%s'", call->argv[0]);
    tw_json_text(&call->json, "version", tw_version());
    if (!call->common.json)
        printf("thalweg %s\n", tw_version());
    if (o->build)
        print_build(call);
    return TW_EXIT_OK;
}

static const struct version_opts defaults = { 0 };
const struct tw_cmd tw_cmd_version = {
    .name = "version",
    .group = "About",
    .summary = "print the version",
    .operands = "",
    .uses = TW_USES_JSON,
    .opts = opts,
    .opts_size = sizeof defaults,
    .defaults = &defaults,
    .run = run,
};
