/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "curves.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/store_table.h"

/* ---- schedules ---------------------------------------------------------------------------- */

/* `file:PATH`: a log with a learning rate, or a table whose one series is the rate. */
static enum tw_status load_rates(void *ctx, const char *path, size_t *n, double **x, double **lr,
                                 struct tw_err *err)
{
    struct tw_log_opts opts = { 0 };
    struct tw_log log = { 0 };
    const struct tw_log_series *found = NULL;
    enum tw_status rc = tw_log_read(path, &opts, &log, err);

    (void)ctx;
    for (size_t i = 0; rc == TW_OK && i < log.runs[0].nseries; i++)
        if (!found && log.runs[0].series[i].quantity == TW_Q_LR)
            found = &log.runs[0].series[i];
    if (rc == TW_OK && !found && log.runs[0].nseries == 1)
        found = &log.runs[0].series[0];
    if (rc == TW_OK && !found)
        rc = tw_err_set(err, TW_EFORMAT, "%s: no column of learning rates; name one lr", path);
    if (rc == TW_OK) {
        *n = found->n;
        *x = tw_alloc(found->n, sizeof **x);
        *lr = tw_alloc(found->n, sizeof **lr);
        if (!*x || !*lr) {
            rc = tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
        } else {
            memcpy(*x, found->x, found->n * sizeof **x);
            memcpy(*lr, found->y, found->n * sizeof **lr);
        }
    }
    tw_log_release(&log);
    return rc;
}

enum tw_status tw_cli_schedule(const char *spec, struct tw_schedule *out, struct tw_err *err)
{
    return tw_schedule_parse(spec, load_rates, NULL, out, err);
}

/* Where "@KIND:" begins in an operand, or NULL: file names may hold '@' too. */
static const char *find_spec(const char *operand)
{
    for (const char *at = strchr(operand, '@'); at; at = strchr(at + 1, '@'))
        for (size_t k = 0; tw_schedule_kinds[k].name; k++) {
            const size_t n = strlen(tw_schedule_kinds[k].name);

            if (!strncmp(at + 1, tw_schedule_kinds[k].name, n) && at[1 + n] == ':')
                return at + 1;
        }
    return NULL;
}

/* "dir/cosine_24000.csv.gz" -> "cosine_24000" */
static char *stem(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;

    return tw_strndup(base, strcspn(base, "."));
}

/* A row as a specification: its `spec`, or its kind and every cell whose column is a key that
 * the kind takes. */
static void row_spec(const struct tw_text_table *t, size_t row, struct tw_str *spec)
{
    char **cell = t->cells + row * t->ncol;
    const size_t whole = tw_text_table_column(t, "spec"), kind = tw_text_table_column(t, "kind");
    char sep = ':';

    if (whole < t->ncol && *cell[whole]) {
        tw_str_add(spec, cell[whole]);
        return;
    }
    if (kind == t->ncol)
        return;
    tw_str_add(spec, cell[kind]);
    for (size_t j = 0; j < t->ncol; j++)
        for (size_t k = 0; tw_schedule_keys[k].name; k++)
            if (!strcmp(t->names[j], tw_schedule_keys[k].name) && *cell[j] &&
                tw_schedule_takes(cell[kind], t->names[j])) {
                tw_str_addf(spec, "%c%s=%s", sep, t->names[j], cell[j]);
                sep = ',';
            }
}

static enum tw_status find_row(const char *table, const char *path, struct tw_str *spec,
                               struct tw_err *err)
{
    struct tw_text_table t = { 0 };
    char *name = stem(path);
    enum tw_status rc =
        name ? tw_text_table_read(table, &t, err) : tw_err_set(err, TW_ENOMEM, "out of memory");
    size_t col;

    if (rc == TW_OK) {
        col = tw_text_table_column(&t, "curve");
        if (col == t.ncol)
            col = tw_text_table_column(&t, "file");
        if (col == t.ncol)
            rc = tw_err_set(err, TW_EFORMAT, "%s: expected a column named curve or file", table);
        for (size_t i = 0; rc == TW_OK && i < t.nrow && !spec->n; i++) {
            char *row = stem(t.cells[i * t.ncol + col]);

            if (row && !strcmp(row, name))
                row_spec(&t, i, spec);
            free(row);
        }
    }
    if (rc == TW_OK && !spec->n)
        rc = tw_err_set(err, TW_EFORMAT, "%s: no row with a spec or a kind for the curve '%s'",
                        table, name);
    tw_text_table_release(&t);
    free(name);
    return rc;
}

/* ---- rates from the log -------------------------------------------------------------------- */

static void tell_logged(struct tw_call *call, const struct tw_curve *c, const struct tw_schedule *s,
                        const struct tw_lr_report *r)
{
    static const char *const how[] = {
        [TW_LR_DENSE] = "logged at every step",
        [TW_LR_LINEAR] = "straight lines between logged points, which is exact here",
        [TW_LR_INTERPOLATED] = "straight lines between logged points",
        [TW_LR_SPEC] = "",
    };

    tw_cmd_note(call, "%s: learning rates of %zu steps from '%s': %s", c->name, s->n, c->lr_name,
                how[r->source]);
    if (r->s1_error > 1e-3)
        tw_cmd_warn(call,
                    "%s: rates between logged points may be off: their sum by up to %.2g %%; give "
                    "the schedule (%s@KIND:...)",
                    c->name, 100.0 * r->s1_error, c->path);
    if ((double)r->unlogged_start > 1.5 * r->spacing)
        tw_cmd_warn(call,
                    "%s: the first %zu steps are not in the log; their rates are taken to rise "
                    "linearly from 0 (a warm-up); give the schedule if they did not",
                    c->name, r->unlogged_start);
}

static enum tw_status logged_schedule(struct tw_call *call, const struct tw_curve *c,
                                      const struct tw_curve_source *source, struct tw_schedule *out,
                                      struct tw_err *err)
{
    struct tw_lr_report report;
    enum tw_status rc;

    if (c->nlr == 0)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: no learning rate in the log, and the law needs that of every step: "
                          "name its column (--lr) or give the schedule, as in "
                          "'%s@cosine:peak=3e-4,warmup=2000,total=24000,end=3e-5'",
                          c->name, c->path);
    rc = tw_schedule_from_log(c->lr_x, c->lr, c->nlr, 0, source->batch, out, &report, err);
    if (rc != TW_OK)
        return tw_err_ctx(err, rc == TW_EDOMAIN ? TW_EFORMAT : rc, "%s: '%s'", c->name, c->lr_name);
    tell_logged(call, c, out, &report);
    return TW_OK;
}

/* ---- curves -------------------------------------------------------------------------------- */

/* Keep the points that are steps of the schedule. */
static enum tw_status clip(struct tw_call *call, struct tw_curve *c, const struct tw_schedule *s,
                           struct tw_err *err)
{
    size_t keep = 0, i, n = c->n;

    for (size_t k = 0; k < n; k++)
        if (tw_schedule_index(s, c->x[k], &i)) {
            c->x[keep] = c->x[k];
            c->y[keep++] = c->y[k];
        }
    c->n = keep;
    if (keep < 2)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: %zu of %zu points are steps of the schedule '%s' (%zu steps from "
                          "%u%s): do they belong together?",
                          c->name, keep, n, s->spec, s->n, s->base,
                          s->batch == 1.0 ? "" : ", batch given");
    if (keep < n)
        tw_cmd_warn(call, "%s: %zu points are no steps of the schedule '%s' and are left out",
                    c->name, n - keep, s->spec);
    return TW_OK;
}

static enum tw_status add_one(struct tw_call *call, struct tw_curve_set *set,
                              const struct tw_curve_source *source, const char *spec,
                              struct tw_err *err)
{
    struct tw_curve *c = &set->log.v[set->n];
    struct tw_schedule *s = &set->schedule[set->n];
    enum tw_status rc;

    *s = (struct tw_schedule){ 0 };
    if (spec)
        rc = tw_cli_schedule(spec, s, err);
    else
        rc = logged_schedule(call, c, source, s, err);
    set->n++; /* its schedule is to be released from here on */
    if (rc == TW_OK && spec)
        tw_cmd_note(call, "%s: learning rates of %zu steps from '%s'", c->name, s->n, s->spec);
    if (rc == TW_OK)
        rc = clip(call, c, s, err);
    return rc;
}

static bool reserve(struct tw_curve_set *set)
{
    struct tw_schedule *s = realloc(set->schedule, set->log.n * sizeof *s);
    struct tw_law_curve *law;

    if (!s)
        return false;
    set->schedule = s;
    law = realloc(set->law, set->log.n * sizeof *law);
    if (!law)
        return false;
    set->law = law;
    return true;
}

/* The law's view of each curve; again whenever the arrays may have moved. */
static void point(struct tw_curve_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        set->law[i] = (struct tw_law_curve){ set->log.v[i].name, set->log.v[i].n, set->log.v[i].x,
                                             set->log.v[i].y, &set->schedule[i] };
}

enum tw_status tw_curve_set_add(struct tw_call *call, struct tw_curve_set *set, const char *operand,
                                const struct tw_curve_source *source, const char *otherwise,
                                struct tw_err *err)
{
    const char *spec = find_spec(operand);
    struct tw_str from_table = { 0 };
    char *path = tw_strndup(operand, spec ? (size_t)(spec - 1 - operand) : strlen(operand));
    enum tw_status rc = path ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");

    if (rc == TW_OK && !spec && source->schedules) {
        rc = find_row(source->schedules, path, &from_table, err);
        spec = from_table.s;
    }
    if (!spec)
        spec = otherwise ? otherwise : source->schedule;
    if (rc == TW_OK)
        rc = tw_read_curves(call, path, &source->read, &set->log, err);
    if (rc == TW_OK && !reserve(set))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    while (rc == TW_OK && set->n < set->log.n)
        rc = add_one(call, set, source, spec, err);
    if (rc == TW_OK)
        point(set);
    tw_str_release(&from_table);
    free(path);
    return rc;
}

/* ---- seeds --------------------------------------------------------------------------------- */

static bool equal_schedules(const struct tw_schedule *a, const struct tw_schedule *b)
{
    return a->n == b->n && a->base == b->base && a->batch == b->batch &&
           !memcmp(a->lr, b->lr, a->n * sizeof *a->lr);
}

/* What the names have in common at their start, without the trailing "-seed" or the like. */
static char *common_name(const struct tw_curve *const *v, size_t n)
{
    size_t len = strlen(v[0]->name);

    for (size_t i = 1; i < n; i++) {
        size_t k = 0;

        while (k < len && v[i]->name[k] == v[0]->name[k])
            k++;
        len = k;
    }
    while (len && strchr("-_.: ", v[0]->name[len - 1]))
        len--;
    if (len > 4 && !strncmp(v[0]->name + len - 4, "seed", 4))
        len -= 4;
    while (len && strchr("-_.: ", v[0]->name[len - 1]))
        len--;
    return len ? tw_strndup(v[0]->name, len) : tw_strdup(v[0]->name);
}

/* Curves first, and those after it with its schedule, become one in its place. */
static enum tw_status merge(struct tw_call *call, struct tw_curve_set *set, size_t first,
                            struct tw_err *err)
{
    const struct tw_curve **v = tw_alloc(set->n, sizeof *v);
    struct tw_curve mean = { 0 };
    enum tw_status rc = TW_OK;
    size_t n = 0, keep = first + 1;
    char *name = NULL;

    for (size_t i = first; v && i < set->n; i++)
        if (equal_schedules(&set->schedule[first], &set->schedule[i]))
            v[n++] = &set->log.v[i];
    if (n > 1)
        name = common_name(v, n);
    if (!v || (n > 1 && !name))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    else if (n > 1)
        rc = tw_curve_mean(v, n, name, &mean, err);
    if (rc == TW_OK && n > 1) {
        tw_cmd_note(call, "%s: mean of %zu curves of one schedule at %zu common points", mean.name,
                    n, mean.n);
        for (size_t i = first + 1; i < set->n; i++) {
            if (equal_schedules(&set->schedule[first], &set->schedule[i])) {
                tw_curve_release(&set->log.v[i]);
                tw_schedule_release(&set->schedule[i]);
                continue;
            }
            set->log.v[keep] = set->log.v[i];
            set->schedule[keep++] = set->schedule[i];
        }
        tw_curve_release(&set->log.v[first]);
        set->log.v[first] = mean;
        set->log.n = set->n = keep;
    }
    free(v);
    free(name);
    return rc;
}

enum tw_status tw_curve_set_group(struct tw_call *call, struct tw_curve_set *set,
                                  struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; rc == TW_OK && i < set->n; i++)
        rc = merge(call, set, i, err);
    point(set);
    return rc;
}

void tw_curve_set_release(struct tw_curve_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        tw_schedule_release(&set->schedule[i]);
    free(set->schedule);
    free(set->law);
    tw_curves_release(&set->log);
    *set = (struct tw_curve_set){ 0 };
}
