/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A law of runs from an expression. */
#include "own.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the model ------------------------------------------------------------------------------ */

static void model_free(void *model)
{
    struct tw_own_model *m = model;

    if (m)
        free(m->value[0]);
    free(m);
}

void tw_own_names(const struct tw_own_model *m, size_t i, const double *theta, double *x)
{
    const struct tw_own_law *own = m->own;

    for (size_t k = 0; k < own->law.ninputs; k++)
        x[own->input_name[k]] = m->value[k][i];
    for (size_t j = 0; j < own->law.nparams; j++)
        x[own->param_name[j]] = theta[j];
}

/* The first run at which the expression is no number, or m->n. */
static size_t failing(const struct tw_own_model *m, const double *theta, double *work)
{
    double x[TW_OWN_MAX_NAMES];

    for (size_t i = 0; i < m->n; i++) {
        tw_own_names(m, i, theta, x);
        if (!isfinite(tw_expr_value(&m->own->expr, x, work)))
            return i;
    }
    return m->n;
}

/* Is there anything to begin from? Else what goes wrong at the first point tried. */
static enum tw_status check(const struct tw_own_model *m, const struct tw_law_curve *runs,
                            struct tw_err *err)
{
    enum { TRIES = 64 };
    double work[TW_EXPR_MAX_NODES] = { 0 }, theta[TW_FIT_MAX_PARAMS], x[TW_OWN_MAX_NAMES];
    char what[128] = "a number too large";
    struct tw_str at = { 0 };
    size_t i = 0, c = 0;

    for (size_t k = 0; k < TRIES; k++) {
        tw_own_draw(m, k, theta);
        if (failing(m, theta, work) == m->n)
            return TW_OK;
    }
    tw_own_draw(m, 0, theta);
    i = failing(m, theta, work); /* leaves that run's values in work */
    (void)tw_expr_fault(&m->own->expr, work, what, sizeof what);
    tw_own_names(m, i, theta, x);
    for (size_t k = 0; k < m->own->expr.nnames; k++)
        tw_str_addf(&at, "%s%s = %.6g", k ? ", " : "", m->own->expr.name[k], x[k]);
    while (i >= runs[c].n)
        i -= runs[c++].n;
    (void)tw_err_set(err, TW_EDOMAIN, "%s: run %zu: %s of '%s', with %s", runs[c].name, i + 1, what,
                     m->own->text, at.s ? at.s : "its inputs");
    tw_str_release(&at);
    return TW_EDOMAIN;
}

void *tw_law_own_model(const struct tw_law *law, const struct tw_law_curve *runs, size_t n,
                       struct tw_err *err)
{
    struct tw_own_model *m = tw_alloc(1, sizeof *m);
    size_t at = 0;

    for (size_t c = 0; m && c < n; c++)
        m->n += runs[c].n;
    if (m)
        m->value[0] = tw_alloc(m->n, law->ninputs * sizeof *m->value[0]);
    if (!m || !m->value[0]) {
        model_free(m);
        (void)tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    m->own = (const struct tw_own_law *)law;
    for (size_t k = 1; k < law->ninputs; k++)
        m->value[k] = m->value[0] + k * m->n;
    for (size_t c = 0; c < n; c++)
        for (size_t i = 0; i < runs[c].n; i++, at++)
            for (size_t k = 0; k < law->ninputs; k++)
                m->value[k][at] = runs[c].input[k][i];
    if (check(m, runs, err) != TW_OK) {
        model_free(m);
        return NULL;
    }
    return m;
}

static void *memo_alloc(const void *model)
{
    const struct tw_own_law *own = ((const struct tw_own_model *)model)->own;

    return tw_alloc(own->expr.n, (1 + own->law.nparams) * sizeof(double));
}

static void memo_free(void *memo)
{
    free(memo);
}

static void predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_own_model *m = model;
    const struct tw_own_law *own = m->own;
    const size_t np = own->law.nparams;
    double x[TW_OWN_MAX_NAMES];

    for (size_t i = 0; i < m->n; i++) {
        tw_own_names(m, i, theta, x);
        y[i] = jac ? tw_expr_gradient(&own->expr, x, own->param_of, np, memo, jac + i * np)
                   : tw_expr_value(&own->expr, x, memo);
    }
}

static const char *unidentified(const void *model)
{
    const struct tw_own_model *m = model;

    for (size_t k = 0; k < m->own->law.ninputs; k++)
        for (size_t i = 1; i < m->n; i++)
            if (m->value[k][i] != m->value[k][0])
                return NULL;
    return "all runs have the same inputs: nothing can be told from them";
}

/* ---- making one -------------------------------------------------------------------------------
 */

enum tw_status tw_law_own_names(const char *expression, struct tw_own_names *names, size_t *at,
                                struct tw_err *err)
{
    struct tw_expr *e = tw_alloc(1, sizeof *e);
    enum tw_status rc =
        e ? tw_expr_parse(expression, e, at, err) : tw_err_set(err, TW_ENOMEM, "out of memory");

    *names = (struct tw_own_names){ 0 };
    if (rc == TW_OK) {
        names->n = e->nnames;
        memcpy(names->name, e->name, sizeof names->name);
    }
    free(e);
    return rc;
}

static size_t find_name(const struct tw_expr *e, const char *name)
{
    size_t i = 0;

    while (i < e->nnames && strcmp(e->name[i], name) != 0)
        i++;
    return i;
}

static enum tw_status take_inputs(struct tw_own_law *own, const struct tw_law_input *inputs,
                                  size_t n, struct tw_err *err)
{
    if (n > TW_LAW_MAX_INPUTS)
        return tw_err_set(err, TW_EINVAL, "%zu of its names are columns of the table: at most %d",
                          n, TW_LAW_MAX_INPUTS);
    for (int rest = 0; rest < 2; rest++)
        for (size_t k = 0; k < n; k++) {
            const size_t name = find_name(&own->expr, inputs[k].name);

            if ((strcmp(inputs[k].name, "N") != 0) != rest)
                continue;
            if (name == own->expr.nnames || own->param_of[name] == SIZE_MAX)
                return tw_err_set(err, TW_EINVAL, "%s is no name in the expression, or one twice",
                                  inputs[k].name);
            own->param_of[name] = SIZE_MAX;
            own->input_name[own->law.ninputs] = name;
            own->input[own->law.ninputs++] =
                (struct tw_law_input){ own->expr.name[name],
                                       inputs[k].meaning ? inputs[k].meaning : own->expr.name[name],
                                       inputs[k].columns ? inputs[k].columns : "" };
        }
    return TW_OK;
}

static enum tw_status take_params(struct tw_own_law *own, struct tw_err *err)
{
    const struct tw_expr *e = &own->expr;
    unsigned set = 0;

    for (size_t i = 0; i < e->nnames; i++) {
        const unsigned place = tw_expr_place(e, i);
        size_t j;

        if (own->param_of[i] == SIZE_MAX)
            continue;
        j = own->law.nparams++;
        if (j == TW_FIT_MAX_PARAMS)
            return tw_err_set(err, TW_EINVAL, "more than %d parameters", TW_FIT_MAX_PARAMS);
        own->param_of[i] = j;
        own->param_name[j] = i;
        own->exponent[j] = (place & TW_EXPR_EXPONENT) != 0;
        own->param[j].name = e->name[i];
        if (place & TW_EXPR_INSIDE)
            tw_law_own_bound(&own->law, j, TW_FIT_FREE, 0.0, 0.0);
        else
            tw_law_own_bound(&own->law, j, TW_FIT_POSITIVE, 0.0, 0.0);
        if (tw_expr_linear(e, set | 1u << i)) {
            set |= 1u << i;
            own->linear[j] = true;
        }
    }
    if (own->law.ninputs == 0 || own->law.nparams == 0)
        return tw_err_set(err, TW_EINVAL,
                          own->law.nparams
                              ? "no name in it is a column of the table"
                              : "every name in it is a column: nothing is to be found");
    return TW_OK;
}

enum tw_status tw_law_own_new(const char *name, const char *expression,
                              const struct tw_law_input *inputs, size_t ninputs, bool plain,
                              struct tw_law **law, struct tw_err *err)
{
    struct tw_own_law *own = tw_alloc(1, sizeof *own);
    enum tw_status rc = TW_OK;
    size_t at;

    *law = NULL;
    if (own) {
        own->text = tw_strdup(expression);
        own->name = tw_strdup(name);
    }
    if (!own || !own->text || !own->name)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = tw_expr_parse(expression, &own->expr, &at, err);
    if (rc == TW_OK) {
        own->law = (struct tw_law){
            .name = own->name,
            .title = "own law",
            .formula = own->text,
            .source = "given",
            .about = "",
            .own = true,
            .inputs = own->input,
            .plain = plain,
            .loss = plain ? TW_FIT_SQUARES : TW_FIT_HUBER,
            .params = own->param,
            .meanings = own->meaning,
            .model_free = model_free,
            .memo_alloc = memo_alloc,
            .memo_free = memo_free,
            .predict = predict,
            .starts = tw_own_starts,
            .project = tw_own_project,
            .unidentified = unidentified,
        };
        rc = take_inputs(own, inputs, ninputs, err);
    }
    if (rc == TW_OK)
        rc = take_params(own, err);
    if (rc != TW_OK) {
        tw_law_own_free((struct tw_law *)own);
        return rc;
    }
    own->law.profile = (1u << own->law.nparams) - 1u;
    *law = &own->law;
    return TW_OK;
}

void tw_law_own_free(struct tw_law *law)
{
    struct tw_own_law *own = (struct tw_own_law *)law;

    if (own) {
        free(own->text);
        free(own->name);
    }
    free(own);
}

const char *tw_law_own_expression(const struct tw_law *law)
{
    return ((const struct tw_own_law *)law)->text;
}

/* The ends of the positive range are where a search has run away. */
void tw_law_own_bound(struct tw_law *law, size_t j, enum tw_fit_bound bound, double lo, double hi)
{
    struct tw_own_law *own = (struct tw_own_law *)law;
    struct tw_fit_param *q = &own->param[j];

    q->bound = bound;
    q->lo = lo;
    q->hi = hi;
    own->meaning[j] = bound == TW_FIT_POSITIVE ? "positive" : "any number";
    if (bound == TW_FIT_BETWEEN)
        own->meaning[j] = "within its bounds";
    if (bound == TW_FIT_POSITIVE) {
        q->lo = own->exponent[j] ? 1e-4 : 1e-30;
        q->hi = own->exponent[j] ? 1e2 : 1e60;
    } else if (bound == TW_FIT_FREE) {
        q->lo = -1e300;
        q->hi = 1e300;
    }
}

void tw_law_own_start(struct tw_law *law, size_t j, double value)
{
    struct tw_own_law *own = (struct tw_own_law *)law;

    own->started[j] = true;
    own->start[j] = value;
}
