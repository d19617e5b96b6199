/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "help.h"

#include <string.h>
#include <unistd.h>

#include "host.h"

enum { LEFT = 30 }; /* column of an option's help; a longer name gets a line of its own */

void tw_help_wrap(FILE *fp, const char *text, size_t at, size_t indent, size_t width)
{
    bool first = true;

    while (*text) {
        size_t n = strcspn(text, " ");

        if (!first && at + 1 + n > width) {
            fprintf(fp, "\n%*s", (int)indent, "");
            at = indent;
            first = true;
        }
        if (!first) {
            fputc(' ', fp);
            at++;
        }
        fwrite(text, 1, n, fp);
        at += n;
        first = false;
        text += n + strspn(text + n, " ");
    }
    fputc('\n', fp);
}

const struct tw_opt *tw_help_option(const struct tw_cmd *cmd, size_t i, bool *first_common)
{
    const struct tw_opt *o = cmd->opts;

    *first_common = false;
    for (; o->type != TW_OPT_END; o++)
        if (i-- == 0)
            return o;
    *first_common = i == 0;
    return tw_opt_common(cmd->uses, i);
}

const struct tw_cmd *tw_cmd_find(const char *name)
{
    for (size_t i = 0; i < tw_ncmds; i++)
        if (!strcmp(tw_cmds[i]->name, name))
            return tw_cmds[i];
    return NULL;
}

/* True if an earlier row of the table has this row's group. */
static bool group_seen(size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (!strcmp(tw_cmds[k]->group, tw_cmds[i]->group))
            return true;
    return false;
}

void tw_help_overview(FILE *fp)
{
    enum { NAME = 16 };
    size_t width = tw_host_columns(fileno(fp));

    fputs("usage: thalweg COMMAND [options] [operands]\n", fp);
    for (size_t g = 0; g < tw_ncmds; g++) {
        if (group_seen(g))
            continue;
        fprintf(fp, "\n%s\n", tw_cmds[g]->group);
        for (size_t i = g; i < tw_ncmds; i++)
            if (!strcmp(tw_cmds[i]->group, tw_cmds[g]->group)) {
                fprintf(fp, "  %-*s", NAME - 2, tw_cmds[i]->name);
                tw_help_wrap(fp, tw_cmds[i]->summary, NAME, NAME, width);
            }
    }
    fputs("\n'thalweg help COMMAND' lists its options; the manual is thalweg(1).\n", fp);
}

static void option_line(const struct tw_opt *o, size_t width)
{
    char left[128];
    int n;

    n = snprintf(left, sizeof left, "  %c%c%s --%s", o->key ? '-' : ' ', o->key ? o->key : ' ',
                 o->key ? "," : " ", o->name);
    if (o->arg && n > 0 && (size_t)n < sizeof left)
        (void)snprintf(left + n, sizeof left - (size_t)n,
                       o->type == TW_OPT_FIGURE ? "[=%s]" : "=%s", o->arg);
    if (strlen(left) + 2 > LEFT)
        printf("%s\n%*s", left, LEFT, "");
    else
        printf("%-*s", LEFT, left);
    tw_help_wrap(stdout, o->help, LEFT, LEFT, width);
}

void tw_help_command(const struct tw_cmd *cmd)
{
    const struct tw_opt *o;
    size_t width = tw_host_columns(STDOUT_FILENO);
    size_t at = strlen("usage: thalweg  [options]") + strlen(cmd->name);
    bool common;

    printf("usage: thalweg %s [options]%s", cmd->name, *cmd->operands ? " " : "");
    tw_help_wrap(stdout, cmd->operands, at + 1, at + 1, width);
    fputc('\n', stdout);
    tw_help_wrap(stdout, cmd->summary, 0, 0, width);
    if (cmd->opts->type != TW_OPT_END && cmd->opts->type != TW_OPT_HEAD)
        puts("\nOptions");
    for (size_t i = 0; (o = tw_help_option(cmd, i, &common)); i++) {
        if (common)
            puts("\nCommon options");
        if (o->type == TW_OPT_HEAD)
            printf("\n%s\n", o->name);
        else
            option_line(o, width);
    }
    printf("\nThe manual is thalweg-%s(1).\n", cmd->name);
}

int tw_help_hidden(const char *word, const char *arg)
{
    const struct tw_cmd *cmd;

    if (!strcmp(word, "--scdoc-commands")) {
        tw_manual_commands();
        return TW_EXIT_OK;
    }
    if (!strcmp(word, "--scdoc-exit")) {
        tw_manual_exit();
        return TW_EXIT_OK;
    }
    if (!strcmp(word, "--completion"))
        return arg && tw_completion(arg) ? TW_EXIT_OK : TW_EXIT_USAGE;
    if (strcmp(word, "--scdoc-options") != 0)
        return -1;
    cmd = arg ? tw_cmd_find(arg) : NULL;
    if (!cmd)
        return TW_EXIT_USAGE;
    tw_manual_options(cmd);
    return TW_EXIT_OK;
}
