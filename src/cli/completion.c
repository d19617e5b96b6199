/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Completion scripts. File names complete wherever nothing better is known. */
#include <stdio.h>
#include <string.h>

#include "help.h"

/* s for the inside of a shell's single quotes; zsh also wants some characters escaped. */
static void quoted(const char *s, const char *escape)
{
    for (; *s; s++) {
        if (*s == '\'')
            fputs("'\\''", stdout);
        else if (strchr(escape, *s))
            printf("\\%c", *s);
        else
            putchar(*s);
    }
}

/* "a|b|c" as words. */
static void choices(const char *s)
{
    for (; *s; s++)
        putchar(*s == '|' ? ' ' : *s);
}

static bool is_option(const struct tw_opt *o)
{
    return o->type != TW_OPT_HEAD;
}

/* ---- bash ------------------------------------------------------------------------------- */

static void bash_command(const struct tw_cmd *cmd)
{
    const struct tw_opt *o;
    bool common;

    for (size_t i = 0; (o = tw_help_option(cmd, i, &common)); i++)
        if (o->type == TW_OPT_CHOICE) {
            printf("    '%s --%s'", cmd->name, o->name);
            if (o->key)
                printf(" | '%s -%c'", cmd->name, o->key);
            fputs(") words='", stdout);
            choices(o->choices);
            fputs("' ;;\n", stdout);
        }
    printf("    '%s '*) [[ $cur == -* ]] && words='", cmd->name);
    for (size_t i = 0; (o = tw_help_option(cmd, i, &common)); i++)
        if (is_option(o))
            printf("--%s ", o->name);
    fputs("' ;;\n", stdout);
}

static void bash(void)
{
    fputs("# Completion of thalweg for bash.\n"
          "_thalweg() {\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} at=$((COMP_CWORD - 1)) words=\n"
          "    COMPREPLY=()\n"
          "    # bash breaks --name=value into three words\n"
          "    if [[ $cur == = ]]; then cur=\n"
          "    elif [[ ${COMP_WORDS[at]} == = ]]; then ((at--)); fi\n"
          "    case \"$((COMP_CWORD == 1)) ${COMP_WORDS[1]}\" in\n"
          "    1*) words='help",
          stdout);
    for (size_t i = 0; i < tw_ncmds; i++)
        printf(" %s", tw_cmds[i]->name);
    fputs("' ;;\n    '0 help') words='", stdout);
    for (size_t i = 0; i < tw_ncmds; i++)
        printf("%s%s", i ? " " : "", tw_cmds[i]->name);
    fputs("' ;;\n    *) case \"${COMP_WORDS[1]} ${COMP_WORDS[at]}\" in\n", stdout);
    for (size_t i = 0; i < tw_ncmds; i++)
        bash_command(tw_cmds[i]);
    fputs("    esac ;;\n"
          "    esac\n"
          "    [[ -n $words ]] && mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
          "    return 0\n"
          "}\n"
          "complete -o default -F _thalweg thalweg\n",
          stdout);
}

/* ---- zsh -------------------------------------------------------------------------------- */

static void zsh_option(const struct tw_opt *o, bool brief)
{
    static const char special[] = "[]:\\";

    fputs("        '", stdout);
    if (o->type == TW_OPT_LIST)
        putchar('*');
    else if (brief)
        printf("(--%s)", o->name);
    else if (o->key)
        printf("(-%c)", o->key);
    if (brief)
        printf("-%c%s", o->key, o->arg ? "+" : "");
    else
        printf("--%s%s", o->name, !o->arg ? "" : o->type == TW_OPT_FIGURE ? "=-" : "=");
    putchar('[');
    quoted(o->help, special);
    putchar(']');
    if (o->arg) {
        fputs(o->type == TW_OPT_FIGURE ? "::" : ":", stdout);
        quoted(o->arg, special);
        putchar(':');
        if (o->type == TW_OPT_CHOICE) {
            putchar('(');
            choices(o->choices);
            putchar(')');
        } else if (o->type == TW_OPT_STR || o->type == TW_OPT_LIST || o->type == TW_OPT_FIGURE) {
            fputs("_files", stdout);
        }
    }
    fputs("' \\\n", stdout);
}

static void zsh(void)
{
    fputs("#compdef thalweg\n"
          "# Completion of thalweg for zsh.\n"
          "_thalweg() {\n"
          "    local -a commands\n"
          "    commands=(\n"
          "        'help:show the help of a command'\n",
          stdout);
    for (size_t i = 0; i < tw_ncmds; i++) {
        printf("        '%s:", tw_cmds[i]->name);
        quoted(tw_cmds[i]->summary, ":\\");
        fputs("'\n", stdout);
    }
    fputs("    )\n"
          "    if ((CURRENT == 2)) || [[ $words[2] == help ]]; then\n"
          "        _describe -t commands command commands\n"
          "        return\n"
          "    fi\n"
          "    shift words\n"
          "    ((CURRENT--))\n"
          "    case $words[1] in\n",
          stdout);
    for (size_t i = 0; i < tw_ncmds; i++) {
        const struct tw_opt *o;
        bool common;

        printf("    %s)\n        _arguments -s -S \\\n", tw_cmds[i]->name);
        for (size_t k = 0; (o = tw_help_option(tw_cmds[i], k, &common)); k++)
            if (is_option(o)) {
                if (o->key)
                    zsh_option(o, true);
                zsh_option(o, false);
            }
        fputs("        '*:file:_files' ;;\n", stdout);
    }
    fputs("    esac\n"
          "}\n"
          "_thalweg \"$@\"\n",
          stdout);
}

/* ---- fish ------------------------------------------------------------------------------- */

static void fish_option(const struct tw_cmd *cmd, const struct tw_opt *o)
{
    printf("complete -c thalweg -n '__fish_seen_subcommand_from %s'", cmd->name);
    if (o->key)
        printf(" -s %c", o->key);
    printf(" -l %s", o->name);
    if (o->type == TW_OPT_CHOICE) {
        fputs(" -x -a '", stdout);
        choices(o->choices);
        putchar('\'');
    } else if (o->type == TW_OPT_SIZE || o->type == TW_OPT_U64 || o->type == TW_OPT_REAL) {
        fputs(" -x", stdout);
    } else if (o->arg && o->type != TW_OPT_FIGURE) {
        fputs(" -r", stdout);
    }
    fputs(" -d '", stdout);
    quoted(o->help, "\\");
    fputs("'\n", stdout);
}

static void fish(void)
{
    fputs("# Completion of thalweg for fish.\n"
          "complete -c thalweg -n __fish_use_subcommand -f\n"
          "complete -c thalweg -n __fish_use_subcommand -a help -d 'show the help of a command'\n",
          stdout);
    for (size_t i = 0; i < tw_ncmds; i++) {
        const struct tw_opt *o;
        bool common;

        printf("complete -c thalweg -n __fish_use_subcommand -a %s -d '", tw_cmds[i]->name);
        quoted(tw_cmds[i]->summary, "\\");
        fputs("'\n", stdout);
        printf("complete -c thalweg -n '__fish_seen_subcommand_from help' -f -a %s\n",
               tw_cmds[i]->name);
        for (size_t k = 0; (o = tw_help_option(tw_cmds[i], k, &common)); k++)
            if (is_option(o))
                fish_option(tw_cmds[i], o);
    }
}

bool tw_completion(const char *shell)
{
    if (!strcmp(shell, "bash"))
        bash();
    else if (!strcmp(shell, "zsh"))
        zsh();
    else if (!strcmp(shell, "fish"))
        fish();
    else
        return false;
    return true;
}
