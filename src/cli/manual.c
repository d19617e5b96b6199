/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The parts of manual pages that the tables know, in scdoc's markup. */
#include <stdio.h>
#include <string.h>

#include "help.h"

/* Text with scdoc's special characters made plain. */
static void plain(const char *s)
{
    for (; *s; s++) {
        if (strchr("\\*_#<>`~|", *s))
            putchar('\\');
        putchar(*s);
    }
}

static void sentence(const char *s)
{
    fputs("\t", stdout);
    plain(s);
    fputs("\n\n", stdout);
}

void tw_manual_options(const struct tw_cmd *cmd)
{
    const struct tw_opt *o;
    bool common;

    for (size_t i = 0; (o = tw_help_option(cmd, i, &common)); i++) {
        if (common && i > 0)
            puts("## Common options\n");
        if (o->type == TW_OPT_HEAD) {
            printf("## %s\n\n", o->name);
            continue;
        }
        if (o->key)
            printf("*-%c*, ", o->key);
        printf("*--%s*", o->name);
        if (o->arg) {
            fputs(o->type == TW_OPT_FIGURE ? "[=_" : "=_", stdout);
            plain(o->arg);
            fputs(o->type == TW_OPT_FIGURE ? "_]" : "_", stdout);
        }
        fputc('\n', stdout);
        sentence(o->help);
    }
}

void tw_manual_commands(void)
{
    for (size_t i = 0; i < tw_ncmds; i++) {
        printf("*thalweg-%s*(1)\n", tw_cmds[i]->name);
        sentence(tw_cmds[i]->summary);
    }
}

void tw_manual_exit(void)
{
    static const char *const meaning[] = {
        [TW_EXIT_OK] = "Done.",
        [TW_EXIT_NEGATIVE] = "A check that was asked for says no.",
        [TW_EXIT_USAGE] = "The command line is wrong.",
        [TW_EXIT_FILE] = "A file cannot be read or written or is wrong, or memory is short.",
        [TW_EXIT_NUMERIC] = "The computation failed: no convergence, no finite value.",
        [TW_EXIT_STOPPED] = "Stopped early by a signal or a limit; what was done is saved.",
    };

    for (size_t i = 0; i < sizeof meaning / sizeof meaning[0]; i++) {
        printf("*%zu*\n", i);
        sentence(meaning[i]);
    }
}
