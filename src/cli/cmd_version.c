/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "cmd.h"

struct version_opts {
    bool build;
};

static const struct tw_opt opts[] = {
    { TW_OPT_FLAG, 0, "build", TW_OPT_FIELD(struct version_opts, build), NULL,
      "also print compiler, flags and library versions", 0, 0, NULL },
    { .type = TW_OPT_END },
};

static int run(struct tw_call *call)
{
    tw_json_text(&call->json, "version", tw_version());
    if (!call->common.json)
        printf("thalweg %s\n", tw_version());
    return TW_EXIT_OK;
}

static const struct version_opts defaults = { 0 };
const struct tw_cmd tw_cmd_version = {
    "version", "About",         "print the version", "",  TW_USES_JSON,
    opts,      sizeof defaults, &defaults,           run,
};
