/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "familyfit.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "fitfile.h"
#include "given.h"
#include "lawopts.h"
#include "provenance.h"
#include "thalweg/store_table.h"

bool tw_family_wanted(const struct tw_family_opts *o)
{
    return o->shared || o->column || o->savings || !isnan(o->target) || o->sizes.n;
}

/* ---- options ----------------------------------------------------------------------------------
 */

enum { MAX_POINTS = 64 };
struct points {
    size_t n;
    double v[MAX_POINTS];
};

static enum tw_status parse_points(const struct tw_opt_list *list, const char *option,
                                   struct points *p, struct tw_err *err)
{
    p->n = list->n;
    if (list->n > MAX_POINTS)
        return tw_err_set(err, TW_EINVAL, "--%s was given %zu times, and %d are allowed", option,
                          list->n, (int)MAX_POINTS);
    for (size_t i = 0; i < list->n; i++)
        if (!tw_str_to_real(list->v[i], &p->v[i]) || !(p->v[i] > 0.0) || !isfinite(p->v[i]))
            return tw_err_set(err, TW_EINVAL, "--%s=%s: expected a positive number", option,
                              list->v[i]);
    return TW_OK;
}

static enum tw_status check(const struct tw_law *law, const struct tw_family_opts *o,
                            struct tw_err *err)
{
    if (!law->ninputs)
        return tw_err_set(err, TW_EINVAL, "families are tables of runs, and %s is a law of curves",
                          law->name);
    if (!o->shared && !o->column)
        return tw_err_set(err, TW_EINVAL,
                          "families are compared where --shared=NAMES (or none) says what they "
                          "share, or --family=COLUMN who they are");
    if (!o->savings && (!isnan(o->target) || o->sizes.n))
        return tw_err_set(err, TW_EINVAL,
                          "--target-loss and --at-size say where --savings compares: give it too");
    if (o->savings && !law->tokens)
        return tw_err_set(err, TW_EINVAL,
                          "--savings: the law %s cannot say what a loss needs; chinchilla can",
                          law->name);
    return TW_OK;
}

/* ---- reading ----------------------------------------------------------------------------------
 */

/* Is the cell the first of its value? */
static bool first_of_value(const struct tw_text_table *t, size_t row, size_t col)
{
    for (size_t i = 0; i < row; i++)
        if (!strcmp(t->cells[i * t->ncol + col], t->cells[row * t->ncol + col]))
            return false;
    return true;
}

/* One family for each value of the column, called by it. */
static enum tw_status add_by_column(struct tw_call *call, struct tw_curve_set *set,
                                    const struct tw_law *law, const char *path,
                                    const struct tw_run_source *runs, const char *column)
{
    struct tw_text_table t = { 0 };
    enum tw_status rc = tw_text_table_read(path, &t, &call->err);
    const size_t col = rc == TW_OK ? tw_text_table_column(&t, column) : 0;

    if (rc == TW_OK && col == t.ncol)
        rc = tw_err_set(&call->err, TW_EFORMAT, "%s: no column '%s' (--family)", path, column);
    for (size_t i = 0; rc == TW_OK && i < t.nrow; i++) {
        struct tw_run_source one = *runs;
        const char **where = tw_alloc(runs->where.n + 1, sizeof *where);
        struct tw_str key = { 0 };

        if (first_of_value(&t, i, col)) {
            tw_str_addf(&key, "%s=%s", column, t.cells[i * t.ncol + col]);
            for (size_t k = 0; where && k < runs->where.n; k++)
                where[k] = runs->where.v[k];
            if (where && !key.failed) {
                where[runs->where.n] = key.s;
                one.where = (struct tw_opt_list){ .v = where, .n = runs->where.n + 1 };
                rc = tw_run_set_add(call, set, law, path, &one, &call->err);
            } else {
                rc = tw_err_set(&call->err, TW_ENOMEM, "%s: out of memory", path);
            }
            if (rc == TW_OK) {
                char *name = tw_strdup(t.cells[i * t.ncol + col]);

                if (name) {
                    free(set->log.v[set->n - 1].name);
                    set->log.v[set->n - 1].name = name;
                } else {
                    rc = tw_err_set(&call->err, TW_ENOMEM, "%s: out of memory", path);
                }
            }
        }
        free(where);
        tw_str_release(&key);
    }
    tw_text_table_release(&t);
    return rc;
}

static enum tw_status read_all(struct tw_call *call, const struct tw_law *law,
                               const struct tw_run_source *runs, const char *column, int first,
                               struct tw_curve_set *set, struct tw_cmd_provenance *prov)
{
    enum tw_status rc = TW_OK;

    for (int i = first; rc == TW_OK && i < call->argc; i++) {
        const size_t before = set->n;

        rc = column ? add_by_column(call, set, law, call->argv[i], runs, column)
                    : tw_run_set_add(call, set, law, call->argv[i], runs, &call->err);
        if (rc == TW_OK)
            tw_warn_given_twice(call, set, before);
    }
    for (size_t i = 0; rc == TW_OK && i < set->n; i++)
        rc = tw_cmd_provenance_input(prov, set->log.v[i].path, set->log.v[i].digest, &call->err);
    if (rc != TW_OK)
        return rc;
    tw_curve_set_point(set);
    if (set->n < 2)
        return tw_err_set(&call->err, TW_EINVAL,
                          "one family alone: give a file for each, or name the column that tells "
                          "them apart (--family)");
    return TW_OK;
}

/* ---- where savings are compared
 * ------------------------------------------------------------------
 */

static double two_digits(double x)
{
    const double ten = pow(10.0, floor(log10(fmax(x, 1e-300))) - 1.0);

    return ten * round(x / ten);
}

/* From a tenth of the largest size to ten times it, evenly in log N. */
static void default_sizes(const struct tw_curve_set *set, struct points *p)
{
    double most = 0.0;

    for (size_t c = 0; c < set->n; c++)
        for (size_t i = 0; i < set->law[c].n; i++)
            most = fmax(most, set->law[c].input[0][i]);
    p->n = 5;
    for (size_t i = 0; i < p->n; i++)
        p->v[i] = two_digits(0.1 * most * pow(10.0, 0.5 * (double)i));
}

static double default_target(const struct tw_law_fit *fit)
{
    double least = INFINITY;

    for (size_t i = 0; i < fit->n; i++)
        least = fmin(least, fit->yhat[i]);
    return least;
}

/* ---- files ------------------------------------------------------------------------------------
 */

/* "out.h5" and "arch a" make "out-arch_a.h5". */
static void path_of(const char *output, const char *name, struct tw_str *path)
{
    const char *slash = strrchr(output, '/'), *dot = strrchr(output, '.');
    const size_t stem = dot && (!slash || dot > slash) ? (size_t)(dot - output) : strlen(output);

    tw_str_addn(path, output, stem);
    tw_str_add(path, "-");
    for (const char *s = name; *s; s++)
        tw_str_addn(path, isalnum((unsigned char)*s) || strchr("._+-", *s) ? s : "_", 1);
    tw_str_add(path, output + stem);
}

/* Each family's fit as a file of its own; its replicates are those of the fit of all. */
static enum tw_status save(struct tw_call *call, struct tw_curve_set *set,
                           const struct tw_families *f, const struct tw_cmd_provenance *prov)
{
    enum tw_status rc = TW_OK;

    tw_json_open(&call->json, "outputs", '[');
    for (size_t k = 0; rc == TW_OK && k < set->n; k++) {
        struct tw_curve_set one = { .n = 1,
                                    .log = { .n = 1, .v = &set->log.v[k] },
                                    .schedule = &set->schedule[k],
                                    .inputs = &set->inputs[k],
                                    .law = &set->law[k] };
        struct tw_fit_file file = { .fit = f->fit[k] };
        struct tw_result *result = NULL;
        struct tw_str path = { 0 };

        path_of(call->common.output, set->log.v[k].name, &path);
        rc = path.failed ? tw_err_set(&call->err, TW_ENOMEM, "out of memory")
                         : tw_fit_file_adopt(&file, &one, &call->err);
        if (rc == TW_OK) {
            result = tw_result_create(path.s, "fit", TW_RESULT_ATOMIC, call->common.force,
                                      &prov->record, &call->err);
            rc = result ? tw_fit_file_write(&file, result, &call->err) : call->err.code;
        }
        if (rc == TW_OK)
            rc = tw_result_close(result, &call->err);
        else
            tw_result_abandon(result);
        if (rc == TW_OK) {
            tw_cmd_note(call, "wrote %s", path.s);
            tw_json_text(&call->json, NULL, path.s);
        }
        file.fit = (struct tw_law_fit){ 0 }; /* the families' own */
        tw_fit_file_release(&file);
        tw_str_release(&path);
    }
    tw_json_close(&call->json, ']');
    return rc;
}

/* ---- the command ------------------------------------------------------------------------------
 */

static void warn(struct tw_call *call, const struct tw_families *f, char *const *name)
{
    for (size_t k = 0; k < f->n; k++)
        for (size_t j = 0; j < f->law->nparams; j++)
            if (f->fit[k].min.at_bounds >> j & 1u)
                tw_cmd_warn(call,
                            "%s: %s ran to an end of its range: these runs do not determine it",
                            name[k], f->law->params[j].name);
    if (f->min.condition > 10.0 * TW_LAW_MAX_CONDITION)
        tw_cmd_warn(call,
                    "the parameters cannot be told apart (condition number %.2g): share some "
                    "(--shared) before families are compared",
                    f->min.condition);
    if (f->at_optimum * 2 < f->starts)
        tw_cmd_warn(call, "only %zu of %zu starts reached the best objective", f->at_optimum,
                    f->starts);
    if (f->replicates && f->failed * 20 > f->replicates)
        tw_cmd_warn(call,
                    "%zu of %zu bootstrap replicates did not converge: the intervals are of the "
                    "others",
                    f->failed, f->replicates);
}

static enum tw_status compute(struct tw_call *call, const struct tw_law *law,
                              const struct tw_law_fit_opts *lo, const struct tw_family_opts *o,
                              const struct tw_opt_list *budget, const struct tw_curve_set *set,
                              struct tw_families *f)
{
    struct points sizes = { 0 }, flops = { 0 };
    char **name = tw_alloc(set->n, sizeof *name);
    unsigned shared = 0;
    enum tw_status rc =
        tw_law_params_parse(law, o->shared ? o->shared : "none", "shared", &shared, &call->err);

    if (!name && rc == TW_OK)
        rc = tw_err_set(&call->err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; name && k < set->n; k++)
        name[k] = set->log.v[k].name;
    if (rc == TW_OK)
        rc = parse_points(&o->sizes, "at-size", &sizes, &call->err);
    if (rc == TW_OK)
        rc = parse_points(budget, "budget", &flops, &call->err);
    if (rc == TW_OK)
        rc = tw_families_fit(law, set->law, set->n, shared, lo, f, &call->err);
    if (rc == TW_OK && o->savings && sizes.n == 0)
        default_sizes(set, &sizes);
    if (rc == TW_OK)
        rc = tw_family_report(call, f, name, sizes.v, sizes.n, flops.v, flops.n,
                              !o->savings        ? (double)NAN
                              : isnan(o->target) ? default_target(&f->fit[0])
                                                 : o->target,
                              &call->err);
    if (rc == TW_OK)
        warn(call, f, name);
    free(name);
    return rc;
}

int tw_fit_families(struct tw_call *call, const struct tw_law *law,
                    const struct tw_law_fit_opts *lo, const struct tw_family_from *from,
                    const struct tw_family_opts *o)
{
    struct tw_cmd_provenance prov = { 0 };
    struct tw_curve_set set = { 0 };
    struct tw_families f = { 0 };
    struct tw_run_source source = *from->runs;
    int rc = TW_EXIT_OK;

    source.y = from->y;
    if (check(law, o, &call->err) != TW_OK ||
        tw_cmd_provenance_start(&prov, call, &call->err) != TW_OK ||
        read_all(call, law, &source, o->column, from->first_file, &set, &prov) != TW_OK ||
        compute(call, law, lo, o, from->budget, &set, &f) != TW_OK)
        rc = tw_cmd_fail(call);
    else if (call->common.output && save(call, &set, &f, &prov) != TW_OK)
        rc = tw_cmd_fail_late(call);
    tw_families_release(&f);
    tw_curve_set_release(&set);
    tw_cmd_provenance_release(&prov);
    return rc;
}
