/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "help.h"

#include <string.h>

enum { LEFT = 30 };

void tw_help_overview(FILE *fp)
{
    const char *group = "";

    fputs("usage: thalweg <command> [options] [operands]\n", fp);
    for (size_t i = 0; i < tw_ncmds; i++) {
        if (strcmp(group, tw_cmds[i]->group) != 0)
            fprintf(fp, "\n%s\n", group = tw_cmds[i]->group);
        fprintf(fp, "  %-12s %s\n", tw_cmds[i]->name, tw_cmds[i]->summary);
    }
    fputs("\n'thalweg help <command>' shows its options.\n", fp);
}

static void option_line(const struct tw_opt *o)
{
    char left[96];
    int n;

    if (o->type == TW_OPT_HEAD) {
        printf("\n%s\n", o->name);
        return;
    }
    n = snprintf(left, sizeof left, "  %c%c%s --%s", o->key ? '-' : ' ', o->key ? o->key : ' ',
                 o->key ? "," : " ", o->name);
    if (o->arg && n > 0 && (size_t)n < sizeof left)
        (void)snprintf(left + n, sizeof left - (size_t)n,
                       o->type == TW_OPT_FIGURE ? "[=%s]" : "=%s", o->arg);
    if (strlen(left) >= LEFT)
        printf("%s\n%*s%s\n", left, LEFT, "", o->help);
    else
        printf("%-*s%s\n", LEFT, left, o->help);
}

void tw_help_command(const struct tw_cmd *cmd)
{
    const struct tw_opt *o;

    printf("usage: thalweg %s [options]%s%s\n\n%s\n", cmd->name, *cmd->operands ? " " : "",
           cmd->operands, cmd->summary);
    if (cmd->opts->type != TW_OPT_END && cmd->opts->type != TW_OPT_HEAD)
        puts("\nOptions");
    for (o = cmd->opts; o->type != TW_OPT_END; o++)
        option_line(o);
    puts("\nCommon options");
    for (size_t i = 0; (o = tw_opt_common(cmd->uses, i)); i++)
        option_line(o);
}
