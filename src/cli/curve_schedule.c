/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "curve_schedule.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "thalweg/store_table.h"

/* ---- one schedule ------------------------------------------------------------------------- */

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
    if (rc == TW_OK && found) {
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

static bool is_kind(const char *s, size_t n)
{
    for (size_t k = 0; tw_schedule_kinds[k].name; k++)
        if (strlen(tw_schedule_kinds[k].name) == n && !strncmp(s, tw_schedule_kinds[k].name, n))
            return true;
    return false;
}

const char *tw_operand_schedule(const char *operand)
{
    const char *at, *last = strrchr(operand, '@');
    char *path;
    bool there;

    for (at = strchr(operand, '@'); at; at = strchr(at + 1, '@')) {
        const size_t n = strcspn(at + 1, ":");

        if (at[1 + n] == ':' && is_kind(at + 1, n))
            return at + 1;
    }
    if (!last || last == operand || access(operand, F_OK) == 0)
        return NULL;
    path = tw_strndup(operand, (size_t)(last - operand));
    there = path && access(path, F_OK) == 0;
    free(path);
    return there ? last + 1 : NULL;
}

enum tw_status tw_schedule_input(struct tw_cmd_provenance *p, const struct tw_schedule *s,
                                 struct tw_err *err)
{
    if (strncmp(s->spec, "file:", 5) != 0 || !strcmp(s->spec, "file:-"))
        return TW_OK;
    return tw_cmd_provenance_input(p, s->spec + 5, NULL, err);
}

/* ---- a table of schedules ----------------------------------------------------------------- */

static const char *base_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* "cosine_0.1.csv.gz" -> the length of "cosine_0.1": a suffix begins with a letter. */
static size_t base_length(const char *s)
{
    size_t n = strlen(s);

    for (int k = 0; k < 2; k++) {
        size_t dot = n;

        while (dot > 0 && isalnum((unsigned char)s[dot - 1]))
            dot--;
        if (dot < 2 || s[dot - 1] != '.' || !isalpha((unsigned char)s[dot]) || n - dot > 6)
            break;
        n = dot - 1;
    }
    return n;
}

/* How well a cell names a curve: 0 not at all, 3 exactly. */
static int names_curve(const char *cell, const struct tw_curve *c)
{
    const char *file = base_of(c->path);
    const size_t n = base_length(file);

    if (!*cell)
        return 0;
    if (strchr(c->name, ':') && !strcmp(cell, c->name))
        return 3;
    cell = base_of(cell);
    if (!strcmp(cell, file) || (!strcmp(file, "-") && !strcmp(cell, "stdin")))
        return 2;
    return base_length(cell) == n && !strncmp(cell, file, n);
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

/* The best row for a curve; another one as good must say the same. */
static enum tw_status choose_row(const char *table, const struct tw_text_table *t, size_t col,
                                 const struct tw_curve *c, struct tw_str *spec, struct tw_err *err)
{
    struct tw_str other = { 0 };
    enum tw_status rc = TW_OK;
    size_t line = 0;
    int best = 0;

    for (size_t i = 0; rc == TW_OK && i < t->nrow; i++) {
        const int fits = names_curve(t->cells[i * t->ncol + col], c);

        if (fits == 0 || fits < best)
            continue;
        tw_str_clear(&other);
        row_spec(t, i, &other);
        if (other.n == 0)
            rc = tw_err_set(err, TW_EFORMAT, "%s: line %zu has neither a spec nor a kind", table,
                            t->line[i]);
        else if (fits == best && strcmp(other.s, spec->s) != 0)
            rc = tw_err_set(err, TW_EFORMAT,
                            "%s: lines %zu and %zu give the curve '%s' different schedules", table,
                            line, t->line[i], c->name);
        tw_str_clear(spec);
        tw_str_addn(spec, other.n ? other.s : "", other.n);
        best = fits;
        line = t->line[i];
    }
    if (rc == TW_OK && best == 0)
        rc = tw_err_set(err, TW_EFORMAT,
                        "%s: none of its %zu row%s has the curve '%s' (of %s) in the column '%s'",
                        table, t->nrow, tw_plural(t->nrow), c->name, c->path, t->names[col]);
    if (rc == TW_OK && (other.failed || spec->failed))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    tw_str_release(&other);
    return rc;
}

static enum tw_status read_table(const char *table, struct tw_text_table *t, size_t *col,
                                 struct tw_err *err)
{
    enum tw_status rc = tw_text_table_read(table, t, err);

    if (rc != TW_OK)
        return rc;
    *col = tw_text_table_column(t, "curve");
    if (*col == t->ncol)
        *col = tw_text_table_column(t, "file");
    if (*col == t->ncol)
        return tw_err_set(err, TW_EFORMAT, "%s: expected a column named curve or file", table);
    if (tw_text_table_column(t, "spec") == t->ncol && tw_text_table_column(t, "kind") == t->ncol)
        return tw_err_set(err, TW_EFORMAT,
                          "%s: expected a column named spec, or one named kind with the columns "
                          "peak, total, ...",
                          table);
    return TW_OK;
}

enum tw_status tw_schedule_row(const char *table, const struct tw_curve *c, struct tw_str *spec,
                               struct tw_err *err)
{
    struct tw_text_table t = { 0 };
    size_t col;
    enum tw_status rc = read_table(table, &t, &col, err);

    if (rc == TW_OK)
        rc = choose_row(table, &t, col, c, spec, err);
    tw_text_table_release(&t);
    return rc;
}

/* ---- model sizes ---------------------------------------------------------------------------- */

const char *tw_size_column(const struct tw_opt_list *size)
{
    const char *column = NULL;
    double x;

    for (size_t i = 0; i < size->n; i++)
        if (!strchr(size->v[i], '=') && !tw_str_to_real(size->v[i], &x))
            column = size->v[i];
    return column;
}

/* From --size: what names the curve best, else the last plain number. */
static enum tw_status given_size(const struct tw_opt_list *list, const struct tw_curve *c,
                                 double *size, struct tw_err *err)
{
    int best = 0;

    for (size_t i = 0; i < list->n; i++) {
        const char *value = strrchr(list->v[i], '=');
        char *name = value ? tw_strndup(list->v[i], (size_t)(value - list->v[i])) : NULL;
        const int fits = !value ? 0 : name ? names_curve(name, c) : -1;
        double x = NAN;
        const bool number = tw_str_to_real(value ? value + 1 : list->v[i], &x);

        free(name);
        if (fits < 0)
            return tw_err_set(err, TW_ENOMEM, "out of memory");
        if ((value || number) && (!number || !(x > 0.0) || !isfinite(x)))
            return tw_err_set(err, TW_EINVAL, "--size=%s: expected a positive number of parameters",
                              list->v[i]);
        if (number && (value ? fits > 0 && fits >= best : best == 0)) {
            *size = x;
            best = fits;
        }
    }
    return TW_OK;
}

/* The cell N of the row that names the curve best. */
static enum tw_status table_size(const char *table, const struct tw_curve *c, double *size,
                                 struct tw_err *err)
{
    struct tw_text_table t = { 0 };
    size_t col, n;
    enum tw_status rc = read_table(table, &t, &col, err);
    int best = 0;

    n = rc == TW_OK ? tw_text_table_column(&t, "N") : 0;
    for (size_t i = 0; rc == TW_OK && n < t.ncol && i < t.nrow; i++) {
        const char *cell = t.cells[i * t.ncol + n];
        const int fits = names_curve(t.cells[i * t.ncol + col], c);

        if (fits <= best || !*cell)
            continue;
        best = fits;
        if (!tw_str_to_real(cell, size) || !(*size > 0.0) || !isfinite(*size))
            rc = tw_err_set(err, TW_EFORMAT,
                            "%s: line %zu: '%s' in column N is no positive number of parameters",
                            table, t.line[i], cell);
    }
    tw_text_table_release(&t);
    return rc;
}

enum tw_status tw_curve_size(const struct tw_curve_source *source, const struct tw_curve *c,
                             double *size, struct tw_err *err)
{
    double found = 0.0;
    enum tw_status rc = given_size(&source->size, c, &found, err);

    if (rc == TW_OK && !(found > 0.0) && source->schedules)
        rc = table_size(source->schedules, c, &found, err);
    *size = found > 0.0 ? found : c->size;
    if (rc == TW_OK && !(*size > 0.0) && tw_size_column(&source->size))
        rc = tw_err_set(err, TW_EFORMAT,
                        "%s: no series '%s' that is one positive number throughout, as --size says",
                        c->name, tw_size_column(&source->size));
    return rc;
}

enum tw_status tw_schedule_columns(struct tw_call *call, const char *table, struct tw_err *err)
{
    struct tw_text_table t = { 0 };
    size_t col;
    enum tw_status rc = read_table(table, &t, &col, err);

    for (size_t j = 0; rc == TW_OK && j < t.ncol; j++) {
        const char *near = NULL;
        bool key = false;

        for (size_t k = 0; tw_schedule_keys[k].name; k++) {
            key = key || !strcmp(t.names[j], tw_schedule_keys[k].name);
            if (tw_str_distance(t.names[j], tw_schedule_keys[k].name) == 1)
                near = tw_schedule_keys[k].name;
        }
        if (!key && near)
            tw_cmd_warn(call, "%s: the column '%s' is not used; did you mean '%s'?", table,
                        t.names[j], near);
    }
    tw_text_table_release(&t);
    return rc;
}
