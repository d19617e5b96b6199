/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which column is the abscissa, and its values in the place of row numbers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "log_names.h"
#include "log_table.h"

/* The column that the user named: as written, or alike but for case and punctuation. */
static size_t find_named(const struct tw_log_run *run, const char *name)
{
    for (size_t i = 0; i < run->nseries; i++)
        if (!strcmp(run->series[i].name, name))
            return i;
    for (size_t i = 0; i < run->nseries; i++)
        if (log_name_alike(run->series[i].name, name))
            return i;
    return run->nseries;
}

/* In a table of runs, tokens and epochs are sizes in any order, and compute always is. A step
 * that runs backwards is still a step: of a resumed run, or of several in one file. */
static bool is_axis(const struct tw_log_series *s, enum tw_x_unit unit)
{
    size_t back = 0;

    for (size_t i = 1; i < s->n; i++)
        back += s->y[i] < s->y[i - 1];
    return unit == TW_X_STEP || (unit != TW_X_FLOP && back <= s->n / 8);
}

/* The best-ranked name among the columns that have at least half as many values as the
 * fullest of them: a step that only evaluation rows carry is no axis for the others. */
static size_t guess(const struct tw_log_run *run)
{
    enum tw_x_unit unit;
    unsigned least = 0;
    size_t most = 0, best = run->nseries;

    for (size_t i = 0; i < run->nseries; i++)
        if (log_name_x_rank(run->series[i].name, &unit) && run->series[i].n > most)
            most = run->series[i].n;
    for (size_t i = 0; i < run->nseries; i++) {
        const struct tw_log_series *s = &run->series[i];
        unsigned rank = log_name_x_rank(s->name, &unit);

        if (rank && s->n >= most - most / 2 && (!least || rank < least) && is_axis(s, unit)) {
            least = rank;
            best = i;
        }
    }
    return best;
}

/* Both x->x and s->x hold ascending row numbers. Returns how many pairs found no place. */
static size_t join(const struct tw_log_series *x, struct tw_log_series *s)
{
    size_t kept = 0, k = 0;

    for (size_t i = 0; i < s->n; i++) {
        while (k < x->n && x->x[k] < s->x[i])
            k++;
        if (k < x->n && !(x->x[k] > s->x[i]) && isfinite(x->y[k])) {
            s->x[kept] = x->y[k];
            s->y[kept++] = s->y[i];
        }
    }
    k = s->n - kept;
    s->n = kept;
    return k;
}

static enum tw_status count_rows(struct log_table *t, struct tw_log_run *run, struct tw_err *err)
{
    const char *name = t->x_count ? t->x_count : "row";

    (void)log_name_x_rank(name, &run->x_unit);
    run->x_name = tw_strdup(name);
    return run->x_name ? TW_OK : log_out_of_memory(err);
}

static enum tw_status use_column(struct tw_log_run *run, size_t ix, size_t *lost,
                                 struct tw_err *err)
{
    struct tw_log_series x = run->series[ix];

    run->nseries--;
    memmove(&run->series[ix], &run->series[ix + 1], (run->nseries - ix) * sizeof x);
    for (size_t i = 0; i < run->nseries; i++)
        *lost += join(&x, &run->series[i]);
    (void)log_name_x_rank(x.name, &run->x_unit);
    run->x_name = x.name;
    x.name = NULL;
    log_series_release(&x);
    if (run->nseries == 0)
        return tw_err_set(err, TW_EFORMAT,
                          "'%s' is the only column with numbers, and it is the x axis",
                          run->x_name);
    return TW_OK;
}

static enum tw_status no_such_column(const struct tw_log_run *run, const char *name,
                                     struct tw_err *err)
{
    struct tw_str list = { 0 };

    log_run_list(run, 20, &list);
    (void)tw_err_set(err, TW_EFORMAT, "there is no column '%s' for the x axis; there are: %s", name,
                     list.s ? list.s : "none");
    tw_str_release(&list);
    return TW_EFORMAT;
}

enum tw_status log_axis_choose(struct log_table *t, struct tw_err *err)
{
    const char *name = t->opts ? t->opts->x : NULL;
    size_t lost = 0, counted = 0;

    for (size_t r = 0; r < t->log->nruns; r++) {
        struct tw_log_run *run = &t->log->runs[r];
        size_t ix = name ? find_named(run, name) : t->x_first ? 0 : guess(run);
        enum tw_status rc;

        if (ix == run->nseries && name && strcmp(name, "row") != 0)
            return no_such_column(run, name, err);
        if (ix == run->nseries || (t->x_first && run->nseries == 1)) {
            counted += !name && !t->x_count;
            rc = count_rows(t, run, err);
        } else {
            rc = use_column(run, ix, &lost, err);
        }
        if (rc != TW_OK)
            return rc;
    }
    if (lost)
        log_table_note(t,
                       "%zu value%s left out: no place on the x axis ('%s' is blank or not finite "
                       "there)",
                       lost, tw_plural(lost), t->log->runs[0].x_name);
    if (counted)
        log_table_note(t, "no column looks like a step: rows are counted from 1 (name a column "
                          "with --x)");
    return TW_OK;
}
