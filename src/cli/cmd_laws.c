/* SPDX-License-Identifier: GPL-3.0-or-later */
/* thalweg laws: the laws that fit knows; with a name, one of them explained. */
#include <stdio.h>
#include <unistd.h>

#include "fitreport.h"
#include "help.h"
#include "host.h"
#include "thalweg/law.h"

struct laws_opts {
    char none; /* a struct has a member */
};

static const struct tw_opt opts[] = {
    { .type = TW_OPT_END },
};

static void law_json(struct tw_json *j, const struct tw_law *law)
{
    tw_json_open(j, NULL, '{');
    tw_json_text(j, "name", law->name);
    tw_json_text(j, "title", law->title);
    tw_json_text(j, "formula", law->formula);
    tw_json_text(j, "source", law->source);
    tw_json_text(j, "about", law->about);
    tw_json_open(j, "inputs", '[');
    for (size_t k = 0; k < law->ninputs; k++) {
        tw_json_open(j, NULL, '{');
        tw_json_text(j, "name", law->inputs[k].name);
        tw_json_text(j, "meaning", law->inputs[k].meaning);
        tw_json_text(j, "columns", law->inputs[k].columns);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    tw_json_open(j, "parameters", '[');
    for (size_t k = 0; k < law->nparams; k++) {
        tw_json_open(j, NULL, '{');
        tw_json_text(j, "name", law->params[k].name);
        tw_json_text(j, "meaning", law->meanings[k]);
        tw_json_real(j, "lo", law->params[k].lo);
        tw_json_real(j, "hi", law->params[k].hi);
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    tw_json_open(j, "restrictions", '[');
    for (size_t k = 0; k < law->nrestrictions; k++) {
        const struct tw_law_restriction *r = &law->restrictions[k];

        tw_json_open(j, NULL, '{');
        tw_json_text(j, "name", r->name);
        tw_json_text(j, "about", r->about);
        tw_json_open(j, "held", '{');
        for (size_t i = 0; i < law->nparams; i++)
            if (r->held >> i & 1u)
                tw_json_real(j, law->params[i].name, r->value[i]);
        tw_json_close(j, '}');
        tw_json_close(j, '}');
    }
    tw_json_close(j, ']');
    tw_json_close(j, '}');
}

static void explain_inputs(const struct tw_law *law)
{
    static const char *const head[] = { "input", "meaning", "or a column called" };
    struct tw_table t = { 0 };

    putchar('\n');
    tw_table_head(&t, head, 3);
    for (size_t k = 0; k < law->ninputs; k++) {
        tw_table_text(&t, law->inputs[k].name);
        tw_table_text(&t, law->inputs[k].meaning);
        tw_table_text(&t, law->inputs[k].columns);
    }
    tw_table_print(&t);
}

static void explain_restrictions(const struct tw_law *law)
{
    for (size_t k = 0; k < law->nrestrictions; k++) {
        const struct tw_law_restriction *r = &law->restrictions[k];

        printf("%s--restrict=%s: %s;", k ? "" : "\n", r->name, r->about);
        for (size_t j = 0; j < law->nparams; j++)
            if (r->held >> j & 1u)
                printf(" %s = %g", law->params[j].name, r->value[j]);
        putchar('\n');
    }
}

static void explain(const struct tw_law *law)
{
    static const char *const head[] = { "parameter", "from", "to", "meaning" };
    struct tw_table t = { 0 };

    printf("%s: %s\n\n  %s\n\n", law->name, law->title, law->formula);
    tw_help_wrap(stdout, law->about, 0, 0, tw_host_columns(STDOUT_FILENO));
    printf("\n%s\n\n", law->source);
    tw_table_head(&t, head, 4);
    for (size_t k = 0; k < law->nparams; k++) {
        tw_table_text(&t, law->params[k].name);
        tw_table_real(&t, "%.9g", law->params[k].lo);
        tw_table_real(&t, "%.9g", law->params[k].hi);
        tw_table_text(&t, law->meanings[k]);
    }
    tw_table_print(&t);
    explain_restrictions(law);
    if (law->ninputs)
        explain_inputs(law);
}

static void list(void)
{
    static const char *const head[] = { "law", "formula" };
    struct tw_table t = { 0 };

    tw_table_head(&t, head, 2);
    for (size_t i = 0; tw_laws[i]; i++) {
        tw_table_text(&t, tw_laws[i]->name);
        tw_table_text(&t, tw_laws[i]->formula);
    }
    tw_table_print(&t);
}

static int run(struct tw_call *call)
{
    const struct tw_law *law = NULL;

    if (call->argc > 1)
        return tw_cmd_usage(call, "one law at a time");
    if (call->argc == 1) {
        law = tw_law_find(call->argv[0]);
        if (!law)
            return tw_law_unknown(call, call->argv[0]);
    }
    tw_json_open(&call->json, "laws", '[');
    for (size_t i = 0; tw_laws[i]; i++)
        if (!law || law == tw_laws[i])
            law_json(&call->json, tw_laws[i]);
    tw_json_close(&call->json, ']');
    if (call->common.json)
        return TW_EXIT_OK;
    if (law)
        explain(law);
    else
        list();
    return TW_EXIT_OK;
}

static const struct laws_opts defaults = { 0 };
const struct tw_cmd tw_cmd_laws = {
    "laws",          "Loss curves", "list the laws, or explain one",
    "[LAW]",         TW_USES_JSON,  opts,
    sizeof defaults, &defaults,     run,
};
