/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "law_arg.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lawopts.h"

static bool is_param(const struct tw_law *law, size_t j, const char *name, size_t n)
{
    return strlen(law->params[j].name) == n && !strncmp(law->params[j].name, name, n);
}

/* ---- ranges and starts ------------------------------------------------------------------------
 */

/* "LO:HI", "0:" or ":". */
static enum tw_status parse_bound(const char *text, const char *range, enum tw_fit_bound *kind,
                                  double *lo, double *hi, struct tw_err *err)
{
    const size_t n = strcspn(range, ":");
    const bool low = n > 0, high = range[n] && range[n + 1];

    *lo = *hi = 0.0;
    if (range[n] != ':' || (low && !tw_strn_to_real(range, n, lo)) ||
        (high && !tw_str_to_real(range + n + 1, hi)) || low < high || !isfinite(*lo) ||
        !isfinite(*hi) || (low && !high && *lo != 0.0))
        return tw_err_set(err, TW_EINVAL,
                          "--bound=%s: expected NAME=LO:HI, NAME=0: or NAME=:", text);
    if (high && !(*hi > *lo))
        return tw_err_set(err, TW_EINVAL, "--bound=%s: %g is not below %g", text, *lo, *hi);
    *kind = high ? TW_FIT_BETWEEN : low ? TW_FIT_POSITIVE : TW_FIT_FREE;
    return TW_OK;
}

static bool may_start(const struct tw_fit_param *q, double x)
{
    if (!isfinite(x) || (q->bound == TW_FIT_POSITIVE && !(x > 0.0)))
        return false;
    return q->bound != TW_FIT_BETWEEN || (x > q->lo && x < q->hi);
}

/* Of a law that has the parameter; another one passes it over. */
static enum tw_status apply(const struct tw_law_arg *arg, struct tw_law *law, struct tw_err *err)
{
    enum tw_fit_bound kind = TW_FIT_FREE;
    double lo = 0.0, hi = 0.0, x;

    for (size_t i = 0; i < arg->bound.n; i++)
        for (size_t j = 0; j < law->nparams; j++) {
            const char *text = arg->bound.v[i];
            const size_t n = strcspn(text, "=");

            if (text[n] != '=' || !is_param(law, j, text, n))
                continue;
            if (parse_bound(text, text + n + 1, &kind, &lo, &hi, err) != TW_OK)
                return TW_EINVAL;
            tw_law_own_bound(law, j, kind, lo, hi);
        }
    for (size_t i = 0; i < arg->start.n; i++)
        for (size_t j = 0; j < law->nparams; j++) {
            const char *text = arg->start.v[i];
            const size_t n = strcspn(text, "=");

            if (text[n] != '=' || !is_param(law, j, text, n))
                continue;
            if (!tw_str_to_real(text + n + 1, &x) || !may_start(&law->params[j], x))
                return tw_err_set(err, TW_EINVAL, "--start=%s: expected a number inside %s's range",
                                  text, law->params[j].name);
            tw_law_own_start(law, j, x);
        }
    return TW_OK;
}

static enum tw_status check_list(const struct tw_opt_list *list, const char *option,
                                 struct tw_law *const *law, size_t n, struct tw_err *err)
{
    for (size_t i = 0; i < list->n; i++) {
        const size_t key = strcspn(list->v[i], "=");
        bool found = false;
        size_t j;

        if (n == 0)
            return tw_err_set(err, TW_EINVAL, "--%s=%s is for a law of your own: give --law",
                              option, list->v[i]);
        if (list->v[i][key] != '=')
            return tw_err_set(err, TW_EINVAL, "--%s=%s: expected NAME=...", option, list->v[i]);
        for (size_t k = 0; k < n; k++)
            found = found || tw_law_param(law[k], list->v[i], key, &j, NULL) == TW_OK;
        if (!found && tw_law_param(law[0], list->v[i], key, &j, err) != TW_OK)
            return tw_err_ctx(err, TW_EINVAL, "--%s=%s", option, list->v[i]);
    }
    return TW_OK;
}

enum tw_status tw_law_arg_check(const struct tw_law_arg *arg, struct tw_law *const *law, size_t n,
                                struct tw_err *err)
{
    if (check_list(&arg->bound, "bound", law, n, err) != TW_OK)
        return TW_EINVAL;
    if (n == 0 && arg->residual)
        return tw_err_set(err, TW_EINVAL, "--residual is for a law of your own: give --law");
    return check_list(&arg->start, "start", law, n, err);
}

/* ---- the law -----------------------------------------------------------------------------------
 */

/* The expression and a mark under a column of it, as two lines. */
static void point_at(struct tw_call *call, const char *expression, size_t at)
{
    if (at == 0)
        return;
    tw_cmd_note(call, "%s", expression);
    tw_cmd_note(call, "%*s", (int)at, "^");
}

static void say_roles(struct tw_call *call, const struct tw_law *law)
{
    struct tw_str in = { 0 }, par = { 0 };

    for (size_t k = 0; k < law->ninputs; k++)
        tw_str_addf(&in, "%s%s", k ? ", " : "", law->inputs[k].name);
    for (size_t j = 0; j < law->nparams; j++)
        tw_str_addf(&par, "%s%s", j ? ", " : "", law->params[j].name);
    tw_cmd_note(call, "%s: '%s': inputs %s; parameters %s", law->name, law->formula,
                in.s ? in.s : "", par.s ? par.s : "");
    tw_str_release(&in);
    tw_str_release(&par);
}

enum tw_status tw_law_arg_new(struct tw_call *call, const struct tw_law_arg *arg, size_t k,
                              const char *table, const struct tw_run_source *source,
                              struct tw_law **law)
{
    const char *text = arg->law.v[k];
    struct tw_law_input input[TW_OWN_MAX_NAMES];
    struct tw_own_names names;
    char name[32];
    size_t n = 0, at = 0;
    enum tw_status rc = tw_law_own_names(text, &names, &at, &call->err);

    *law = NULL;
    (void)snprintf(name, sizeof name, k ? "own%zu" : "own", k + 1);
    if (rc != TW_OK) {
        point_at(call, text, at);
        return tw_err_ctx(&call->err, rc, "--law=%.100s", text);
    }
    rc = tw_run_find_inputs(table, source, &names, input, &n, &call->err);
    if (rc == TW_OK) {
        rc = tw_law_own_new(name, text, input, n, arg->residual && !strcmp(arg->residual, "linear"),
                            law, &call->err);
        if (rc != TW_OK)
            return tw_err_ctx(&call->err, rc, "--law=%.100s", text);
    }
    if (rc == TW_OK)
        rc = apply(arg, *law, &call->err);
    if (rc != TW_OK) {
        tw_law_own_free(*law);
        *law = NULL;
        return rc;
    }
    say_roles(call, *law);
    return TW_OK;
}
