/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "runs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tablerows.h"

/* ---- NAME=... lists ---------------------------------------------------------------------------
 */

/* Every word of the list must be KEY=VALUE with a key that `known` accepts. */
static enum tw_status check_keys(const struct tw_opt_list *list, const char *option,
                                 const struct tw_law *law, struct tw_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        const size_t n = strcspn(list->v[i], "=");
        bool known = false;

        for (size_t k = 0; k < law->ninputs; k++)
            known = known || (strlen(law->inputs[k].name) == n &&
                              !strncmp(law->inputs[k].name, list->v[i], n));
        if (list->v[i][n] != '=' || !known)
            return tw_err_set(err, TW_EINVAL, "--%s=%s: expected INPUT=..., an input of the law %s",
                              option, list->v[i], law->name);
    }
    return TW_OK;
}

enum tw_status tw_run_parse(const struct tw_law *law, const char *spec, double *value,
                            struct tw_err *err)
{
    bool given[TW_LAW_MAX_INPUTS] = { false };

    for (const char *p = spec; *p;) {
        const size_t n = strcspn(p, ","), key = strcspn(p, "=,");
        size_t k = 0;

        while (k < law->ninputs &&
               (strlen(law->inputs[k].name) != key || strncmp(law->inputs[k].name, p, key) != 0))
            k++;
        if (k == law->ninputs || p[key] != '=' ||
            !tw_strn_to_real(p + key + 1, n - key - 1, &value[k]))
            return tw_err_set(err, TW_EINVAL, "run '%s': expected INPUT=NUMBER,... at '%.*s'", spec,
                              (int)n, p);
        given[k] = true;
        p += n;
        p += *p == ',';
    }
    for (size_t k = 0; k < law->ninputs; k++)
        if (!given[k])
            return tw_err_set(err, TW_EINVAL, "run '%s': %s= (%s) is missing", spec,
                              law->inputs[k].name, law->inputs[k].meaning);
    return TW_OK;
}

/* ---- columns ------------------------------------------------------------------------------------
 */

static const char compute_columns[] = "flops FLOPs total_flops compute";

/* x may be any column. */
struct tw_law_input tw_run_known_input(const char *name)
{
    for (size_t i = 0; tw_laws[i]; i++)
        for (size_t k = 0; k < tw_laws[i]->ninputs; k++)
            if (!strcmp(tw_laws[i]->inputs[k].name, name) && strcmp(name, "x") != 0)
                return (struct tw_law_input){ name, tw_laws[i]->inputs[k].meaning,
                                              tw_laws[i]->inputs[k].columns };
    if (!strcmp(name, "C"))
        return (struct tw_law_input){ name, "training compute in FLOPs", compute_columns };
    return (struct tw_law_input){ name, NULL, NULL };
}

enum tw_status tw_run_find_inputs(const char *path, const struct tw_run_source *source,
                                  const struct tw_own_names *names, struct tw_law_input *inputs,
                                  size_t *n, struct tw_err *err)
{
    struct tw_text_table t = { 0 };
    enum tw_status rc = tw_text_table_read(path, &t, err);
    bool sizes = false; /* N is among the names: tokens may come from FLOPs */

    *n = 0;
    for (size_t i = 0; i < names->n; i++)
        sizes = sizes || !strcmp(names->name[i], "N");
    for (size_t i = 0; rc == TW_OK && i < names->n; i++) {
        const struct tw_law_input in = tw_run_known_input(names->name[i]);

        if (tw_rows_assigned(&source->column, in.name) ||
            tw_rows_column(&t, in.name, in.columns ? in.columns : "") < t.ncol ||
            (!strcmp(in.name, "D") && sizes && tw_rows_column(&t, "C", compute_columns) < t.ncol))
            inputs[(*n)++] = in;
    }
    if (rc == TW_OK && *n == 0)
        rc = tw_rows_no_column(&t, path, "any name of the expression", "--column", err);
    tw_text_table_release(&t);
    return rc;
}

struct columns {
    size_t y, input[TW_LAW_MAX_INPUTS];
    size_t flops;   /* for tokens that are missing: C / (6 N); ncol: not needed */
    size_t cluster; /* if it was asked for */
    double scale[TW_LAW_MAX_INPUTS];
};

/* Whether another column could be meant as well as the one that was found by a guess. */
static const char *rival(const struct tw_text_table *t, const struct tw_law_input *in, size_t found)
{
    for (const char *p = in->columns; *p;) {
        const size_t n = strcspn(p, " ");

        for (size_t j = 0; j < t->ncol; j++)
            if (j != found && strlen(t->names[j]) == n && !strncmp(t->names[j], p, n))
                return t->names[j];
        p += n;
        p += *p == ' ';
    }
    return NULL;
}

/* A guess is no secret. */
static void say_guess(struct tw_call *call, const struct tw_law *law, const char *path,
                      const struct tw_text_table *t, const struct tw_run_source *o,
                      const struct columns *c)
{
    for (size_t k = 0; k < law->ninputs; k++) {
        const struct tw_law_input *in = &law->inputs[k];
        const char *other;

        if (tw_rows_assigned(&o->column, in->name))
            continue;
        if (c->input[k] == t->ncol) {
            tw_cmd_note(call, "%s: no column for %s: taken as %s / (6 %s)", path, in->meaning,
                        t->names[c->flops], law->inputs[0].name);
            continue;
        }
        if (!strcmp(t->names[c->input[k]], in->name))
            continue;
        other = rival(t, in, c->input[k]);
        if (other)
            tw_cmd_warn(call, "%s: %s is taken from column %s; %s could be meant too: say --column",
                        path, in->name, t->names[c->input[k]], other);
        else
            tw_cmd_note(call, "%s: %s is column %s", path, in->name, t->names[c->input[k]]);
    }
}

static enum tw_status find_columns(const struct tw_text_table *t, const struct tw_law *law,
                                   const char *path, const struct tw_run_source *o,
                                   struct columns *c, struct tw_err *err)
{
    c->flops = t->ncol;
    if (o->y)
        c->y = tw_rows_column(t, o->y, "");
    else if (law->y)
        c->y = tw_rows_column(t, "", law->y);
    else
        c->y = tw_rows_column(t, "loss", "val_loss eval_loss final_loss loss_smooth L train_loss");
    c->cluster = o->cluster ? tw_rows_column(t, o->cluster, "") : 0;
    if (c->cluster == t->ncol)
        return tw_rows_no_column(t, path, o->cluster, "--cluster", err);
    if (c->y == t->ncol)
        return tw_rows_no_column(t, path, o->y ? o->y : law->y ? law->y : "the loss", "--y", err);
    for (size_t k = 0; k < law->ninputs; k++) {
        const char *given = tw_rows_assigned(&o->column, law->inputs[k].name);
        const char *factor = tw_rows_assigned(&o->scale, law->inputs[k].name);

        c->scale[k] = 1.0;
        if (factor && (!tw_str_to_real(factor, &c->scale[k]) || !(c->scale[k] > 0.0)))
            return tw_err_set(err, TW_EINVAL, "--scale=%s=%s: expected a positive number",
                              law->inputs[k].name, factor);
        c->input[k] = given ? tw_rows_column(t, given, "")
                            : tw_rows_column(t, law->inputs[k].name, law->inputs[k].columns);
        if (c->input[k] < t->ncol)
            continue;
        if (!given && !strcmp(law->inputs[k].name, "D") && !strcmp(law->inputs[0].name, "N"))
            c->flops = tw_rows_column(t, "C", compute_columns);
        if (c->flops == t->ncol)
            return tw_rows_no_column(t, path, law->inputs[k].meaning, "--column", err);
    }
    for (size_t k = 0; k < law->ninputs; k++)
        if (c->input[k] == c->y)
            return tw_err_set(err, TW_EINVAL,
                              "%s: column %s is %s and what is fitted as well; say --y or --column",
                              path, t->names[c->y], law->inputs[k].name);
    return TW_OK;
}

/* ---- rows
 * ---------------------------------------------------------------------------------------- */

struct rows {
    size_t n, nonfinite, other;
    double *y, *input; /* (n), (n x ninputs) by run */
    size_t *row;       /* (n) of the table */
};

static enum tw_status take_row(const struct tw_text_table *t, const struct tw_law *law,
                               const char *path, const struct columns *c, size_t row,
                               struct rows *r, struct tw_err *err)
{
    double *input = r->input + r->n * law->ninputs, y;

    if (!tw_rows_number(t, row, c->y, &y))
        return tw_err_set(err, TW_EFORMAT, "%s: line %zu: '%s' in column %s is not a number", path,
                          t->line[row], t->cells[row * t->ncol + c->y], t->names[c->y]);
    if (!isfinite(y)) {
        r->nonfinite++;
        return TW_OK;
    }
    for (size_t k = 0; k < law->ninputs; k++) {
        const size_t col = c->input[k] < t->ncol ? c->input[k] : c->flops;

        if (!tw_rows_number(t, row, col, &input[k]) || (!law->own && !(input[k] > 0.0)) ||
            !isfinite(input[k]))
            return tw_err_set(err, TW_EFORMAT, "%s: line %zu: '%s' in column %s: %s must be a %s",
                              path, t->line[row], t->cells[row * t->ncol + col], t->names[col],
                              law->inputs[k].meaning, law->own ? "number" : "positive number");
        if (c->input[k] == t->ncol)
            input[k] /= 6.0 * input[0];
        input[k] *= c->scale[k];
    }
    r->row[r->n] = row;
    r->y[r->n++] = y;
    return TW_OK;
}

/* Leave out the k largest losses, keeping the order of the rest. */
static void drop_highest(struct rows *r, size_t k, size_t ninputs)
{
    while (k-- > 0 && r->n > 0) {
        size_t worst = 0;

        for (size_t i = 1; i < r->n; i++)
            if (r->y[i] > r->y[worst])
                worst = i;
        memmove(r->y + worst, r->y + worst + 1, (r->n - worst - 1) * sizeof *r->y);
        memmove(r->row + worst, r->row + worst + 1, (r->n - worst - 1) * sizeof *r->row);
        memmove(r->input + worst * ninputs, r->input + (worst + 1) * ninputs,
                (r->n - worst - 1) * ninputs * sizeof *r->input);
        r->n--;
    }
}

static size_t duplicates(const struct rows *r, size_t ninputs)
{
    size_t n = 0;

    for (size_t i = 1; i < r->n; i++)
        for (size_t j = 0; j < i; j++)
            if (r->y[i] == r->y[j] && !memcmp(r->input + i * ninputs, r->input + j * ninputs,
                                              ninputs * sizeof *r->input)) {
                n++;
                break;
            }
    return n;
}

/* What looks wrong with the numbers, in words. */
static void doubt(struct tw_call *call, const struct tw_law *law, const char *path,
                  const struct rows *r)
{
    const size_t twice = r->n < 20000 ? duplicates(r, law->ninputs) : 0;

    if (twice)
        tw_cmd_warn(call, "%s: %zu row%s an earlier one: such runs count twice", path, twice,
                    twice == 1 ? " repeats" : "s repeat");
    for (size_t k = 0; k < law->ninputs; k++) {
        double most = 0.0;

        for (size_t i = 0; i < r->n; i++)
            most = fmax(most, r->input[i * law->ninputs + k]);
        if (most < 1e4 && (!strcmp(law->inputs[k].name, "N") || !strcmp(law->inputs[k].name, "D")))
            tw_cmd_warn(call,
                        "%s: %s is %g at most: is it in millions or billions? exponents do not "
                        "mind, sizes and forecasts do; give --scale=%s=1e9",
                        path, law->inputs[k].name, most, law->inputs[k].name);
    }
}

/* ---- into the set
 * ---------------------------------------------------------------------------------- */

static char *stem(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *base = slash ? slash + 1 : path;
    const char *dot = strrchr(base, '.');

    return tw_strndup(base, dot && dot > base ? (size_t)(dot - base) : strlen(base));
}

/* Runs whose cells are equal, by the first of them. */
static size_t *clusters_of(const struct tw_text_table *t, const struct rows *r, size_t col)
{
    size_t *cluster = tw_alloc(r->n, sizeof *cluster);

    for (size_t i = 0; cluster && i < r->n; i++) {
        size_t j = 0;

        while (j < i && (cluster[j] != j || strcmp(t->cells[r->row[j] * t->ncol + col],
                                                   t->cells[r->row[i] * t->ncol + col]) != 0))
            j++;
        cluster[i] = j;
    }
    return cluster;
}

/* The rows as curve number set->n: x is the run's number, inputs by column. */
static enum tw_status adopt(struct tw_curve_set *set, const struct tw_law *law, const char *path,
                            const char *y_name, const struct rows *r, struct tw_err *err)
{
    struct tw_curve c = { .n = r->n };
    struct tw_run_inputs in = { 0 };
    bool ok;

    c.name = stem(path);
    c.path = tw_strdup(path);
    c.y_name = tw_strdup(y_name);
    c.x = tw_alloc(r->n, sizeof *c.x);
    c.y = tw_alloc(r->n, sizeof *c.y);
    in.column = tw_alloc(law->ninputs, sizeof *in.column);
    in.values = tw_alloc(r->n * law->ninputs, sizeof *in.values);
    ok = c.name && c.path && c.y_name && c.x && c.y && in.column && in.values &&
         tw_grow(&set->log.v, set->log.n, &set->log.cap, sizeof *set->log.v);
    if (ok)
        set->log.v[set->log.n++] = c;
    else
        tw_curve_release(&c);
    ok = ok && tw_curve_set_reserve(set);
    if (!ok) {
        free(in.column);
        free(in.values);
        return tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
    }
    for (size_t k = 0; k < law->ninputs; k++)
        in.column[k] = in.values + k * r->n;
    for (size_t i = 0; i < r->n; i++) {
        c.x[i] = (double)i;
        c.y[i] = r->y[i];
        for (size_t k = 0; k < law->ninputs; k++)
            in.values[k * r->n + i] = r->input[i * law->ninputs + k];
    }
    set->schedule[set->n] = (struct tw_schedule){ 0 };
    set->inputs[set->n] = in;
    set->n++;
    return tw_digest_file(path, set->log.v[set->n - 1].digest, err);
}

enum tw_status tw_run_set_add(struct tw_call *call, struct tw_curve_set *set,
                              const struct tw_law *law, const char *path,
                              const struct tw_run_source *source, struct tw_err *err)
{
    struct tw_text_table t = { 0 };
    struct rows r = { 0 };
    struct columns c = { 0 };
    enum tw_status rc = check_keys(&source->column, "column", law, err);
    size_t high = source->drop_highest;

    if (rc == TW_OK)
        rc = check_keys(&source->scale, "scale", law, err);
    if (rc == TW_OK)
        rc = tw_text_table_read(path, &t, err);
    if (rc == TW_OK)
        rc = find_columns(&t, law, path, source, &c, err);
    if (rc == TW_OK)
        rc = tw_rows_check_where(&t, path, &source->where, err);
    r.row = tw_alloc(t.nrow, sizeof *r.row);
    r.y = tw_alloc(t.nrow, sizeof *r.y);
    r.input = tw_alloc(t.nrow * law->ninputs, sizeof *r.input);
    if (rc == TW_OK && (!r.y || !r.input || !r.row))
        rc = tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
    for (size_t i = 0; rc == TW_OK && i < t.nrow; i++) {
        if (tw_rows_wanted(&t, i, &source->where))
            rc = take_row(&t, law, path, &c, i, &r, err);
        else
            r.other++;
    }
    if (rc == TW_OK) {
        high = high < r.n ? high : r.n;
        drop_highest(&r, high, law->ninputs);
        if (r.n == 0)
            rc = tw_err_set(err, TW_EFORMAT, "%s: no run is left of %zu row%s", path, t.nrow,
                            tw_plural(t.nrow));
    }
    if (rc == TW_OK) {
        tw_cmd_note(
            call,
            "%s: %zu run%s, loss '%s'; left out: %zu without a finite loss, %zu by --where, "
            "%zu of largest loss",
            path, r.n, tw_plural(r.n), t.names[c.y], r.nonfinite, r.other, high);
        say_guess(call, law, path, &t, source, &c);
        doubt(call, law, path, &r);
        rc = adopt(set, law, path, t.names[c.y], &r, err);
    }
    if (rc == TW_OK && source->cluster) {
        set->inputs[set->n - 1].cluster = clusters_of(&t, &r, c.cluster);
        if (!set->inputs[set->n - 1].cluster)
            rc = tw_err_set(err, TW_ENOMEM, "%s: out of memory", path);
    }
    if (rc == TW_OK)
        tw_curve_set_point(set);
    free(r.row);
    free(r.y);
    free(r.input);
    tw_text_table_release(&t);
    return rc;
}
