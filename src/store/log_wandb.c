/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Weights & Biases exports: one column per run and metric, "<run> - <metric>", with the
 * extremes of each plotted interval beside it as "... __MIN" and "... __MAX". */
#include <stdlib.h>
#include <string.h>

#include "log_table.h"
#include "log_wandb.h"

/* A metric's name has no " - " in it more often than a run's: split at the last one. */
static const char *dash(const char *name)
{
    const char *at = NULL;

    for (const char *p = strstr(name, " - "); p; p = strstr(p + 1, " - "))
        at = p;
    return at;
}

bool log_wandb_extreme(const char *name)
{
    size_t n = strlen(name);

    return n > 5 && (!strcmp(name + n - 5, "__MIN") || !strcmp(name + n - 5, "__MAX"));
}

bool log_wandb_header(char *const *names, size_t n)
{
    bool extreme = false;

    for (size_t i = 1; i < n; i++) {
        if (!dash(names[i]))
            return false;
        extreme |= log_wandb_extreme(names[i]);
    }
    return n > 1 && extreme;
}

static size_t find_run(const struct tw_log *log, const char *name, size_t n)
{
    size_t r = 0;

    while (r < log->nruns &&
           (strncmp(log->runs[r].name, name, n) != 0 || log->runs[r].name[n] != '\0'))
        r++;
    return r;
}

enum tw_status log_wandb_split(struct tw_log *log, struct tw_err *err)
{
    struct tw_log all = *log;
    struct tw_log_run *from = &all.runs[0];
    enum tw_status rc = TW_OK;

    log->runs = NULL;
    log->nruns = log->cap = 0;
    for (size_t i = 0; i < from->nseries && rc == TW_OK; i++) {
        struct tw_log_series *s = &from->series[i], *to;
        const char *metric = dash(s->name);
        size_t n = metric ? (size_t)(metric - s->name) : 0;
        size_t r = find_run(log, metric ? s->name : from->name, metric ? n : strlen(from->name));
        struct tw_log_run *run = &log->runs[r];

        if (r == log->nruns) {
            run = r < LOG_MAX_RUNS ? log_run_add(log, metric ? s->name : from->name,
                                                 metric ? n : strlen(from->name))
                                   : NULL;
            if (run) {
                run->x_unit = from->x_unit;
                run->x_name = tw_strdup(from->x_name);
            }
            if (!run || !run->x_name) {
                rc = log_out_of_memory(err);
                break;
            }
        }
        metric = metric ? metric + 3 : s->name;
        to = log_series_add(run, metric, strlen(metric));
        if (!to) {
            rc = log_out_of_memory(err);
            break;
        }
        to->x = s->x;
        to->y = s->y;
        to->n = s->n;
        to->cap = s->cap;
        s->x = s->y = NULL;
    }
    log_run_release(from);
    free(all.runs);
    return rc;
}
