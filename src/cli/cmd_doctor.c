/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What is there, what is missing, and what to do about it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "host.h"
#include "thalweg/figure.h"

static const struct tw_opt opts[] = { { .type = TW_OPT_END } };

static void fact(struct tw_call *call, const char *key, const char *shown, const char *value)
{
    tw_json_text(&call->json, key, value);
    if (!call->common.json) {
        printf("%-22s ", shown);
        puts(*value ? value : "-");
    }
}

static void count(struct tw_call *call, const char *key, const char *shown, size_t n)
{
    tw_json_size(&call->json, key, n);
    if (!call->common.json)
        printf("%-22s %zu\n", shown, n);
}

static void heading(const struct tw_call *call, const char *s)
{
    if (!call->common.json)
        printf("%s\n", s);
}

static void libraries(struct tw_call *call)
{
    enum { MAX = 16 };
    struct tw_library_part parts[MAX];
    size_t n = tw_library_parts(parts, MAX);

    heading(call, "Libraries");
    tw_json_open(&call->json, "libraries", '{');
    for (size_t i = 0; i < n && i < MAX; i++) {
        char shown[32];

        (void)snprintf(shown, sizeof shown, "  %s", parts[i].name);
        fact(call, parts[i].name, shown, parts[i].version);
    }
    tw_json_close(&call->json, '}');
}

static void machine(struct tw_call *call)
{
    struct tw_str cpu = { 0 };
    const char *said = getenv("OMP_NUM_THREADS");
    size_t quota = tw_host_quota();

    tw_host_cpu(&cpu);
    heading(call, "\nMachine");
    tw_json_open(&call->json, "machine", '{');
    fact(call, "vector_instructions", "  vector instructions", cpu.s ? cpu.s : "");
    count(call, "processors", "  processors allowed", tw_host_processors());
    if (quota)
        count(call, "quota", "  control group's quota", quota);
    if (said)
        fact(call, "omp_num_threads", "  OMP_NUM_THREADS", said);
    count(call, "threads", "  threads by default", tw_host_threads());
    tw_json_close(&call->json, '}');
    tw_str_release(&cpu);
}

static void terminal(struct tw_call *call)
{
    const char *term = getenv("TERM");
    bool tty = isatty(STDOUT_FILENO);

    heading(call, "\nTerminal");
    tw_json_open(&call->json, "terminal", '{');
    fact(call, "stdout", "  standard output", tty ? "terminal" : "file or pipe");
    fact(call, "term", "  TERM", term ? term : "");
    count(call, "columns", "  columns used", tw_host_columns(STDOUT_FILENO));
    fact(call, "encoding", "  encoding", tw_host_utf8() ? "UTF-8" : "not UTF-8");
    tw_json_close(&call->json, '}');
}

/* gnuplot's version and terminals; false if it cannot be run. */
static bool drawing(struct tw_call *call)
{
    struct tw_str version = { 0 }, terminals = { 0 };
    struct tw_err err = { 0 };
    enum tw_status rc = tw_figure_doctor(&version, &terminals, &err);

    if (rc == TW_OK) {
        fact(call, "gnuplot", "  gnuplot", version.s);
        fact(call, "terminals", "  gnuplot's terminals", terminals.s);
    } else {
        fact(call, "gnuplot", "  gnuplot", "");
        tw_cmd_warn(call, "%s; install gnuplot-nox to draw figures", err.msg);
    }
    tw_str_release(&version);
    tw_str_release(&terminals);
    return rc == TW_OK;
}

/* The family that fontconfig takes for the one asked for; "" if that cannot be told. */
static void best_match(const char *family, char *found, size_t size)
{
    char command[128];
    FILE *fp;

    found[0] = '\0';
    (void)snprintf(command, sizeof command, "fc-match -f '%%{family}\\n' '%s' 2>/dev/null", family);
    fp = popen(command, "r"); /* the families are our own */
    if (!fp)
        return;
    if (fgets(found, (int)size, fp))
        found[strcspn(found, "\n")] = '\0';
    (void)pclose(fp);
}

static void fonts(struct tw_call *call)
{
    static const char *const wanted[] = { "TeX Gyre Termes", "TeX Gyre Heros" };

    tw_json_open(&call->json, "fonts", '{');
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        char found[256], shown[64];

        (void)snprintf(shown, sizeof shown, "  %s", wanted[i]);
        best_match(wanted[i], found, sizeof found);
        fact(call, wanted[i], shown, found);
        if (!strstr(found, wanted[i]))
            tw_cmd_warn(call,
                        "the font %s is not installed (Debian: fonts-texgyre): figures use %s",
                        wanted[i], *found ? found : "what gnuplot finds");
    }
    tw_json_close(&call->json, '}');
}

static int run(struct tw_call *call)
{
    bool ok;

    if (call->argc > 0)
        return tw_cmd_usage(call, "takes no operands, found '%s'", call->argv[0]);
    if (!call->common.json)
        printf("thalweg %s\n\n", tw_version());
    libraries(call);
    machine(call);
    terminal(call);
    heading(call, "\nFigures");
    tw_json_open(&call->json, "figures", '{');
    ok = drawing(call);
    fonts(call);
    tw_json_close(&call->json, '}');
    tw_json_bool(&call->json, "ok", ok);
    return ok ? TW_EXIT_OK : TW_EXIT_NEGATIVE;
}

const struct tw_cmd tw_cmd_doctor = {
    .name = "doctor",
    .group = "About",
    .summary = "check what this installation needs: libraries, gnuplot, fonts, threads",
    .operands = "",
    .uses = TW_USES_JSON,
    .opts = opts,
    .run = run,
};
