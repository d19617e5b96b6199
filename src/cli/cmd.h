/* SPDX-License-Identifier: GPL-3.0-or-later */
/* cli/cmd.h - what a command is, and the services that every command gets: results on
 * stdout as a table or as JSON, messages and progress on stderr, provenance.
 *
 * A new command is one file cmd_NAME.c that defines `const struct tw_cmd tw_cmd_NAME`, one
 * row in commands.c, and one page man/thalweg-NAME.1.scd. */
#ifndef TW_CLI_CMD_H
#define TW_CLI_CMD_H

#include <time.h>

#include "json.h"
#include "opt.h"
#include "thalweg/base.h"

enum tw_exit {
    TW_EXIT_OK = 0,
    TW_EXIT_NEGATIVE = 1, /* a check that the user asked for says no */
    TW_EXIT_USAGE = 2,
    TW_EXIT_FILE = 3,    /* a file cannot be read, written or is wrong; memory is short */
    TW_EXIT_NUMERIC = 4, /* no convergence, every point non-finite */
    TW_EXIT_STOPPED = 5  /* stopped early, partial results saved */
};

struct tw_call;

struct tw_cmd {
    const char *name;
    const char *group;    /* heading in `thalweg help` */
    const char *summary;  /* lower case, no full stop */
    const char *operands; /* "LAW FILE[@SPEC]...", "" if none */
    unsigned uses;        /* TW_USES_... */
    const struct tw_opt *opts;
    size_t opts_size;     /* sizeof the options struct */
    const void *defaults; /* its initial contents */
    int (*run)(struct tw_call *call);
};

/* One run of a command. */
struct tw_call {
    const struct tw_cmd *cmd;
    struct tw_common common;
    void *opts; /* the command's own options struct, parsed */
    int argc;   /* operands */
    char **argv;
    struct tw_str command_line; /* as typed, quoted for a shell: for provenance */
    struct timespec started;
    struct tw_json json;    /* the "result" object; written at the end if --json */
    struct tw_str warnings; /* JSON strings, comma separated */
    size_t nwarnings;
    struct tw_err err;
};

/* The table of commands, in the order of `thalweg help`. */
extern const struct tw_cmd *const tw_cmds[];
extern const size_t tw_ncmds;

/* Print call->err as "thalweg CMD: message" and return the exit code that goes with it. */
int tw_cmd_fail(struct tw_call *call);
/* The same after results were reported: they stand. The JSON is still printed, with the message
 * among its warnings. */
int tw_cmd_fail_late(struct tw_call *call);
/* A usage mistake: one sentence plus "see 'thalweg help CMD'"; TW_EXIT_USAGE. */
int tw_cmd_usage(struct tw_call *call, const char *fmt, ...) TW_PRINTF(2, 3);
/* A warning: on stderr at once (unless -q) and in the JSON's "warnings". */
void tw_cmd_warn(struct tw_call *call, const char *fmt, ...) TW_PRINTF(2, 3);
/* A remark on stderr unless -q ("read 3 curves ..."). */
void tw_cmd_note(struct tw_call *call, const char *fmt, ...) TW_PRINTF(2, 3);
/* The same, only with -v. */
void tw_cmd_debug(struct tw_call *call, const char *fmt, ...) TW_PRINTF(2, 3);
/* Replace what a terminal would obey, in place: names and values come from files that anyone
 * may have made. Messages and table cells are cleaned already. */
char *tw_cmd_clean(char *s);
/* Seconds since the command began. */
double tw_cmd_seconds(const struct tw_call *call);

/* Starts the services for one call; tw_main does. */
void tw_cmd_begin(const struct tw_call *call);
/* Take a progress line off the terminal before something else is written to stderr. */
void tw_progress_hide(void);

/* Run one command line (argv[0] is the program); the whole program but for main's stdout
 * check. */
int tw_main(int argc, char **argv);

/* ---- tables on stdout --------------------------------------------------------------- */

/* Collects cells, then prints them aligned: text left, numbers right. Prints nothing under
 * --json. */
struct tw_table {
    struct tw_str cells; /* NUL-separated */
    size_t ncol, ncell;
};
void tw_table_head(struct tw_table *t, const char *const *names, size_t ncol);
void tw_table_text(struct tw_table *t, const char *s);
void tw_table_real(struct tw_table *t, const char *fmt, double x); /* fmt like "%.4g"; NaN: "-" */
void tw_table_size(struct tw_table *t, size_t n);
void tw_table_print(struct tw_table *t); /* to stdout, then released */

/* ---- progress on stderr ------------------------------------------------------------- */

/* Shown only when stderr is a terminal, this process is in its foreground and more than a
 * second has passed; else one line a minute. Call tw_progress_step from one thread. */
struct tw_progress {
    const char *what;
    size_t total;
    size_t base; /* done by an earlier run: set it after tw_progress_start when resuming */
    struct timespec started;
    double every;               /* seconds between lines when stderr is no terminal: 60 */
    double last_shown, seconds; /* ... and the seconds per item, recent ones counting more */
    size_t last_done;
    bool terminal, shown, quiet;
};
void tw_progress_start(struct tw_progress *p, const struct tw_call *call, const char *what,
                       size_t total);
void tw_progress_step(struct tw_progress *p, size_t done, const char *extra); /* extra: NULL */
void tw_progress_end(struct tw_progress *p);

/* True once SIGINT or SIGTERM came: finish the point and save. A second signal leaves at once.
 * The first call starts the watch, so a command that never asks, or has not come so far that
 * there is something to save, dies of the first signal as any program does. */
bool tw_stop_requested(void);

#endif
