/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/help.h - help, pieces of the manual and completion scripts, all made from the tables
 * of commands and options. */
#ifndef TW_CLI_HELP_H
#define TW_CLI_HELP_H

#include <stdio.h>

#include "cmd.h"

void tw_help_overview(FILE *fp);
void tw_help_command(const struct tw_cmd *cmd); /* to stdout */

/* `thalweg help ...` past the name of a command: --completion SHELL, --scdoc-options CMD,
 * --scdoc-commands, --scdoc-exit. They are for the build and in no list of options. The exit
 * code, or -1 if word is none of them. */
int tw_help_hidden(const char *word, const char *arg);

/* Pieces of manual pages in scdoc's markup, to stdout. */
void tw_manual_options(const struct tw_cmd *cmd);
void tw_manual_commands(void);
void tw_manual_exit(void);

/* A completion script to stdout; false if shell is not "bash", "zsh" or "fish". */
bool tw_completion(const char *shell);

/* The i-th row of a command's options, headings too: its own, then the common ones, the first
 * of which sets *first_common. NULL past the last. */
const struct tw_opt *tw_help_option(const struct tw_cmd *cmd, size_t i, bool *first_common);

/* NULL if there is no such command. */
const struct tw_cmd *tw_cmd_find(const char *name);

/* Print text, wrapped at `width` columns, its later lines indented by `indent`; `at` columns
 * of the first line are taken already. Ends with a newline. */
void tw_help_wrap(FILE *fp, const char *text, size_t at, size_t indent, size_t width);

#endif
