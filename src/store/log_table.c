/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "log_table.h"

#include <stdlib.h>
#include <string.h>

#include "log_names.h"

enum tw_status log_out_of_memory(struct tw_err *err)
{
    return tw_err_set(err, TW_ENOMEM, "out of memory");
}

/* ---- growing and releasing -------------------------------------------------------------- */

bool log_series_push(struct tw_log_series *s, double x, double y)
{
    if (s->n == s->cap) {
        size_t xcap = s->cap, ycap = s->cap;

        /* x may have grown alone before a failure: then it is only larger than it says. */
        if (!tw_grow(&s->x, s->n, &xcap, sizeof *s->x) ||
            !tw_grow(&s->y, s->n, &ycap, sizeof *s->y))
            return false;
        s->cap = ycap;
    }
    s->x[s->n] = x;
    s->y[s->n] = y;
    s->n++;
    return true;
}

struct tw_log_run *log_run_add(struct tw_log *log, const char *name, size_t n)
{
    struct tw_log_run *run;

    if (!tw_grow(&log->runs, log->nruns, &log->cap, sizeof *log->runs))
        return NULL;
    run = &log->runs[log->nruns];
    *run = (struct tw_log_run){ .name = tw_strndup(name, n) };
    if (!run->name)
        return NULL;
    log->nruns++;
    return run;
}

struct tw_log_series *log_series_add(struct tw_log_run *run, const char *name, size_t n)
{
    struct tw_log_series *s;

    if (!tw_grow(&run->series, run->nseries, &run->cap, sizeof *run->series))
        return NULL;
    s = &run->series[run->nseries];
    *s = (struct tw_log_series){ .name = tw_strndup(name, n) };
    if (!s->name)
        return NULL;
    run->nseries++;
    return s;
}

void log_series_release(struct tw_log_series *s)
{
    free(s->name);
    /* The analyzer does not see that drop_empty puts another series where this one was. */
    free(s->x); /* NOLINT(clang-analyzer-unix.Malloc) */
    free(s->y);
    *s = (struct tw_log_series){ 0 };
}

void log_run_release(struct tw_log_run *run)
{
    for (size_t i = 0; i < run->nseries; i++)
        log_series_release(&run->series[i]);
    free(run->series);
    free(run->name);
    free(run->x_name);
    *run = (struct tw_log_run){ 0 };
}

void tw_log_release(struct tw_log *log)
{
    for (size_t i = 0; i < log->nruns; i++)
        log_run_release(&log->runs[i]);
    free(log->runs);
    free(log->path);
    free(log->notes);
    *log = (struct tw_log){ 0 };
}

void log_run_list(const struct tw_log_run *run, size_t most, struct tw_str *out)
{
    for (size_t i = 0; i < run->nseries && i < most; i++)
        tw_str_addf(out, "%s%s", i ? ", " : "", run->series[i].name);
    if (run->nseries > most)
        tw_str_addf(out, " and %zu more", run->nseries - most);
}

/* ---- filling ----------------------------------------------------------------------------- */

/* A name ends at a NUL byte, of which a crashed disk may leave whole blocks in a log. */
static bool same(const char *s, const char *name, size_t n)
{
    return !strncmp(s, name, n) && s[n] == '\0';
}

enum tw_status log_table_run(struct log_table *t, const char *name, size_t n, struct tw_err *err)
{
    struct tw_log *log = t->log;

    n = strnlen(name, n);
    t->hint = 0;
    if (t->irun < log->nruns && same(log->runs[t->irun].name, name, n))
        return TW_OK;
    for (t->irun = 0; t->irun < log->nruns; t->irun++)
        if (same(log->runs[t->irun].name, name, n))
            return TW_OK;
    if (log->nruns >= LOG_MAX_RUNS)
        return tw_err_set(err, TW_EFORMAT,
                          "more than %d runs: is the column that names the run something else?",
                          LOG_MAX_RUNS);
    return log_run_add(log, name, n) ? TW_OK : log_out_of_memory(err);
}

enum tw_status log_table_add(struct log_table *t, const char *name, size_t n, struct tw_err *err)
{
    struct tw_log_run *run = &t->log->runs[t->irun];

    if (run->nseries >= LOG_MAX_SERIES)
        return tw_err_set(err, TW_EFORMAT, "more than %d columns", LOG_MAX_SERIES);
    return log_series_add(run, name, strnlen(name, n)) ? TW_OK : log_out_of_memory(err);
}

void log_table_row(struct log_table *t)
{
    t->row += 1.0;
    t->hint = 0;
}

enum tw_status log_table_put_at(struct log_table *t, size_t i, double y, struct tw_err *err)
{
    struct tw_log_run *run = &t->log->runs[t->irun];

    return log_series_push(&run->series[i], t->row, y) ? TW_OK : log_out_of_memory(err);
}

enum tw_status log_table_put(struct log_table *t, const char *name, size_t n, double y,
                             struct tw_err *err)
{
    struct tw_log_run *run = &t->log->runs[t->irun];
    size_t i = t->hint;

    n = strnlen(name, n);
    if (i >= run->nseries || !same(run->series[i].name, name, n))
        for (i = 0; i < run->nseries; i++)
            if (same(run->series[i].name, name, n))
                break;
    if (i == run->nseries) {
        enum tw_status rc = log_table_add(t, name, n, err);

        if (rc != TW_OK)
            return rc;
    }
    t->hint = i + 1;
    return log_table_put_at(t, i, y, err);
}

void log_table_note(struct log_table *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    tw_str_vaddf(&t->notes, fmt, ap);
    va_end(ap);
    tw_str_add(&t->notes, "\n");
}

/* ---- finishing --------------------------------------------------------------------------- */

static void drop_empty(struct tw_log *log)
{
    size_t kept = 0;

    for (size_t r = 0; r < log->nruns; r++) {
        struct tw_log_run run = log->runs[r];
        size_t n = 0;

        log->runs[r] = (struct tw_log_run){ 0 };
        for (size_t i = 0; i < run.nseries; i++) {
            struct tw_log_series s = run.series[i];

            run.series[i] = (struct tw_log_series){ 0 };
            if (s.n)
                run.series[n++] = s;
            else
                log_series_release(&s);
        }
        run.nseries = n;
        if (n)
            log->runs[kept++] = run;
        else
            log_run_release(&run);
    }
    log->nruns = kept;
}

/* A table with one row a run (sizes and final losses) is one run of many rows: split, no
 * series would have a second point. */
static enum tw_status merge_single_rows(struct log_table *t, struct tw_err *err)
{
    struct tw_log *log = t->log;

    if (log->nruns < 2)
        return TW_OK;
    for (size_t r = 0; r < log->nruns; r++)
        for (size_t i = 0; i < log->runs[r].nseries; i++)
            if (log->runs[r].series[i].n > 1)
                return TW_OK;
    t->irun = 0;
    for (size_t r = 1; r < log->nruns; r++) {
        struct tw_log_run *run = &log->runs[r];

        t->hint = 0;
        for (size_t i = 0; i < run->nseries; i++) {
            const struct tw_log_series *s = &run->series[i];
            enum tw_status rc;

            t->row = s->x[0];
            rc = log_table_put(t, s->name, strlen(s->name), s->y[0], err);
            if (rc != TW_OK)
                return rc;
        }
    }
    while (log->nruns > 1)
        log_run_release(&log->runs[--log->nruns]);
    log_table_note(t, "every run has one row only: read as one table, a row a run");
    return TW_OK;
}

/* "loss" beside "val_loss" is the training loss. */
static void classify(struct tw_log_run *run)
{
    bool other = false;

    for (size_t i = 0; i < run->nseries; i++) {
        struct tw_log_series *s = &run->series[i];

        s->quantity = log_name_quantity(s->name);
        s->split = log_name_split(s->name);
        if (s->quantity == TW_Q_LOSS && (s->split == TW_SPLIT_VAL || s->split == TW_SPLIT_TEST))
            other = true;
    }
    for (size_t i = 0; i < run->nseries && other; i++) {
        struct tw_log_series *s = &run->series[i];

        if (s->split == TW_SPLIT_NONE && log_name_plain(s->name, TW_Q_LOSS))
            s->split = TW_SPLIT_TRAIN;
    }
}

enum tw_status log_table_finish(struct log_table *t, struct tw_err *err)
{
    struct tw_log *log = t->log;
    enum tw_status rc;

    drop_empty(log);
    if (log->nruns == 0)
        return tw_err_set(err, TW_EFORMAT, "there is no number in it");
    rc = merge_single_rows(t, err);
    if (rc == TW_OK)
        rc = log_axis_choose(t, err);
    if (rc == TW_OK && t->split_names)
        rc = log_wandb_split(log, err);
    if (rc != TW_OK)
        return rc;
    drop_empty(log);
    if (log->nruns == 0)
        return tw_err_set(err, TW_EFORMAT, "no row has both a place on the x axis and a value");
    for (size_t r = 0; r < log->nruns; r++)
        classify(&log->runs[r]);
    return TW_OK;
}
