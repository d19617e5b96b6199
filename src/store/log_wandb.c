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

/* The run called name[0..n), made with `like`'s abscissa if it is new; NULL: out of memory. */
static struct tw_log_run *run_called(struct tw_log *log, const char *name, size_t n,
                                     const struct tw_log_run *like)
{
    struct tw_log_run *run;

    for (size_t r = 0; r < log->nruns; r++)
        if (!strncmp(log->runs[r].name, name, n) && log->runs[r].name[n] == '\0')
            return &log->runs[r];
    run = log_run_add(log, name, n);
    if (!run)
        return NULL;
    run->x_unit = like->x_unit;
    run->x_name = tw_strdup(like->x_name);
    return run->x_name ? run : NULL;
}

/* Move the values of s, called "<run> - <metric>", to where they belong. */
static bool deal(struct tw_log *log, const struct tw_log_run *from, struct tw_log_series *s)
{
    const char *at = dash(s->name);
    const char *name = at ? s->name : from->name, *metric = at ? at + 3 : s->name;
    size_t n = at ? (size_t)(at - s->name) : strlen(from->name);
    struct tw_log_run *run = run_called(log, name, n, from);
    struct tw_log_series *to = run ? log_series_add(run, metric, strlen(metric)) : NULL;

    if (!to)
        return false;
    to->x = s->x;
    to->y = s->y;
    to->n = s->n;
    to->cap = s->cap;
    s->x = s->y = NULL;
    return true;
}

enum tw_status log_wandb_split(struct tw_log *log, struct tw_err *err)
{
    struct tw_log all = *log;
    bool dealt = true;

    log->runs = NULL;
    log->nruns = log->cap = 0;
    for (size_t i = 0; i < all.runs[0].nseries && dealt; i++)
        dealt = deal(log, &all.runs[0], &all.runs[0].series[i]);
    log_run_release(&all.runs[0]);
    free(all.runs);
    return dealt ? TW_OK : log_out_of_memory(err);
}
