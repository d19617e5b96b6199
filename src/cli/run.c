/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One command line from parsing to the exit code. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "help.h"
#include "host.h"

static void quote_for_shell(struct tw_str *out, const char *word)
{
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                               "@%+=:,./-_";

    if (*word && strspn(word, safe) == strlen(word)) {
        tw_str_add(out, word);
        return;
    }
    tw_str_add(out, "'");
    for (; *word; word++)
        if (*word == '\'')
            tw_str_add(out, "'\\''");
        else
            tw_str_addn(out, word, 1);
    tw_str_add(out, "'");
}

static int print_json(struct tw_call *call, int rc)
{
    struct tw_json head = { 0 };
    bool ok;

    tw_json_close(&call->json, call->cmd->uses & TW_JSON_LIST ? ']' : '}');
    tw_json_open(&head, NULL, '{');
    tw_json_text(&head, "command", call->cmd->name);
    tw_json_text(&head, "version", tw_version());
    tw_json_real(&head, "seconds", tw_cmd_seconds(call));
    ok = !head.text.failed && !call->json.text.failed && !call->warnings.failed;
    if (ok)
        printf("%s,\"warnings\":[%s],%s}\n", head.text.s, call->warnings.s ? call->warnings.s : "",
               call->json.text.s);
    else
        fprintf(stderr, "thalweg %s: out of memory: the result is not shown\n", call->cmd->name);
    tw_json_release(&head);
    return ok ? rc : TW_EXIT_FILE;
}

static int run(const struct tw_cmd *cmd, int argc, char **argv)
{
    struct tw_call call = { .cmd = cmd };
    int rc = TW_EXIT_FILE;

    (void)clock_gettime(CLOCK_MONOTONIC, &call.started);
    tw_str_add(&call.command_line, "thalweg");
    for (int i = 0; i < argc; i++) {
        tw_str_add(&call.command_line, " ");
        quote_for_shell(&call.command_line, argv[i]);
    }
    call.opts = tw_alloc(1, cmd->opts_size);
    if (!call.opts || call.command_line.failed) {
        fprintf(stderr, "thalweg: out of memory\n");
        goto out;
    }
    if (cmd->opts_size)
        memcpy(call.opts, cmd->defaults, cmd->opts_size);
    if (tw_opt_parse(argc, argv, cmd->uses, cmd->opts, &call.common, call.opts, &call.argc,
                     &call.err) != TW_OK) {
        rc = tw_cmd_usage(&call, "%s", call.err.msg);
        goto out;
    }
    if (call.common.help) {
        tw_help_command(cmd);
        rc = TW_EXIT_OK;
        goto out;
    }
    call.argv = argv + 1;
    if (call.common.threads == 0)
        call.common.threads = tw_host_threads();
    omp_set_num_threads((int)call.common.threads);
    tw_cmd_begin(&call);
    tw_json_open(&call.json, "result", cmd->uses & TW_JSON_LIST ? '[' : '{');
    rc = cmd->run(&call);
    if (call.common.json && rc != TW_EXIT_USAGE && call.err.code == TW_OK)
        rc = print_json(&call, rc);
out:
    if (call.opts)
        tw_opt_release(cmd->opts, call.opts);
    free(call.opts);
    tw_str_release(&call.command_line);
    tw_str_release(&call.warnings);
    tw_json_release(&call.json);
    return rc;
}

static int unknown_command(const char *name)
{
    enum { MAX = 64 };
    const char *names[MAX] = { 0 };
    size_t n = tw_ncmds < MAX ? tw_ncmds : MAX, near;

    for (size_t i = 0; i < n; i++)
        names[i] = tw_cmds[i]->name;
    near = tw_str_nearest(name, names, n);
    if (near < n)
        fprintf(stderr, "thalweg: '%s' is not a command; did you mean '%s'?\n", name, names[near]);
    else
        fprintf(stderr, "thalweg: '%s' is not a command; 'thalweg help' lists them\n", name);
    return TW_EXIT_USAGE;
}

static int help(int argc, char **argv)
{
    const struct tw_cmd *cmd;
    int rc;

    if (argc < 3) {
        tw_help_overview(stdout);
        return TW_EXIT_OK;
    }
    rc = tw_help_hidden(argv[2], argc > 3 ? argv[3] : NULL);
    if (rc >= 0)
        return rc;
    cmd = tw_cmd_find(argv[2]);
    if (!cmd)
        return unknown_command(argv[2]);
    tw_help_command(cmd);
    return TW_EXIT_OK;
}

int tw_main(int argc, char **argv)
{
    const struct tw_cmd *cmd;
    const char *name;

    tw_library_init();
    if (argc < 2) {
        tw_help_overview(stderr);
        return TW_EXIT_USAGE;
    }
    name = argv[1];
    if (!strcmp(name, "--help") || !strcmp(name, "-h") || !strcmp(name, "help"))
        return help(argc, argv);
    if (!strcmp(name, "--version"))
        name = "version";
    cmd = tw_cmd_find(name);
    if (!cmd)
        return unknown_command(name);
    return run(cmd, argc - 1, argv + 1);
}
