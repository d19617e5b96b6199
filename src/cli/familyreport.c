/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "familyfit.h"
#include "fitfile_parts.h"
#include "identify.h"

/* A call, what it reports on and where to. */
struct report {
    struct tw_call *call;
    const struct tw_families *f;
    char *const *name;
    double target;
    struct tw_err *err;
};

/* `sign`: of a difference, which shows its plus. */
static void interval(struct tw_table *t, bool sign, double lo, double hi)
{
    char text[96], a[32], b[32];

    if (isnan(lo) || isnan(hi)) {
        tw_table_text(t, "-");
        return;
    }
    (void)snprintf(a, sizeof a, sign ? "%+.4g" : "%.4g", lo);
    (void)snprintf(b, sizeof b, sign ? "%+.4g" : "%.4g", hi);
    if (isinf(hi))
        (void)snprintf(text, sizeof text, "above %s", a);
    else
        (void)snprintf(text, sizeof text, "%s to %s", a, b);
    tw_table_text(t, text);
}

static void json_value(struct tw_json *j, const char *key, const struct tw_family_value *d)
{
    tw_json_open(j, key, '{');
    tw_json_real(j, "value", d->value);
    tw_json_real(j, "lo", d->lo);
    tw_json_real(j, "hi", d->hi);
    tw_json_close(j, '}');
}

/* ---- parameters -------------------------------------------------------------------------------
 */

static void shared_names(const struct tw_families *f, struct tw_str *out)
{
    for (size_t j = 0; j < f->law->nparams; j++)
        if (f->shared >> j & 1u)
            tw_str_addf(out, "%s%s", out->n ? ", " : "", f->law->params[j].name);
    if (!out->n)
        tw_str_add(out, "nothing");
}

/* One parameter of one family as a row; JSON goes into the open object of the family. */
static enum tw_status parameter(struct report *r, size_t j, size_t k, struct tw_table *t)
{
    const struct tw_law_fit *fit = &r->f->fit[k];
    const bool shared = r->f->shared >> j & 1u, differs = k > 0 && !shared;
    struct tw_family_value d = { NAN, NAN, NAN };

    if (differs && tw_families_difference(r->f, k, j, &d, r->err) != TW_OK)
        return r->err->code;
    tw_table_text(t, r->f->law->params[j].name);
    tw_table_text(t, shared ? "all" : r->name[k]);
    tw_table_real(t, "%.6g", fit->theta[j]);
    interval(t, false, fit->lo[j], fit->hi[j]);
    tw_table_real(t, "%+.4g", d.value);
    interval(t, true, d.lo, d.hi);
    tw_table_text(t, !differs || isnan(d.lo)      ? ""
                     : d.lo <= 0.0 && d.hi >= 0.0 ? "no difference shown"
                                                  : "differ");
    return TW_OK;
}

static enum tw_status parameter_table(struct report *r)
{
    const char *head[] = { "parameter", "family", "value", "bootstrap", NULL, "bootstrap", "" };
    struct tw_table t = { 0 };
    char less[96];

    (void)snprintf(less, sizeof less, "less %.80s", r->name[0]);
    head[4] = less;
    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    for (size_t j = 0; j < r->f->law->nparams; j++)
        for (size_t k = 0; k < (r->f->shared >> j & 1u ? 1 : r->f->n); k++)
            if (parameter(r, j, k, &t) != TW_OK) {
                tw_str_release(&t.cells);
                return r->err->code;
            }
    tw_table_print(&t);
    return TW_OK;
}

static enum tw_status json_families(struct report *r)
{
    struct tw_json *json = &r->call->json;
    const struct tw_families *f = r->f;

    tw_json_open(json, "families", '[');
    for (size_t k = 0; k < f->n; k++) {
        tw_json_open(json, NULL, '{');
        tw_json_text(json, "name", r->name[k]);
        tw_json_size(json, "runs", f->fit[k].n);
        tw_json_real(json, "mae", f->fit[k].score[0].mae);
        tw_json_open(json, "parameters", '{');
        for (size_t j = 0; j < f->law->nparams; j++) {
            struct tw_family_value d;

            if (tw_families_difference(f, k, j, &d, r->err) != TW_OK)
                return r->err->code;
            tw_json_open(json, f->law->params[j].name, '{');
            tw_json_real(json, "value", f->fit[k].theta[j]);
            tw_json_real(json, "lo", f->fit[k].lo[j]);
            tw_json_real(json, "hi", f->fit[k].hi[j]);
            tw_json_bool(json, "shared", f->shared >> j & 1u);
            json_value(json, "less_first", &d);
            tw_json_close(json, '}');
        }
        tw_json_close(json, '}');
        tw_json_close(json, '}');
    }
    tw_json_close(json, ']');
    return TW_OK;
}

/* ---- savings ----------------------------------------------------------------------------------
 */

/* Of a family's factors: how many have an interval, how many of these lie above 1 and below with
 * all of it, and how many losses are out of reach in a twentieth of the replicates or more. */
struct verdict {
    size_t n, saves, costs, beyond;
};

static void need(struct tw_table *t, double x)
{
    if (isinf(x))
        tw_table_text(t, "infeasible");
    else
        tw_table_real(t, "%.4g", x);
}

static void share(struct tw_table *t, size_t k, size_t n)
{
    tw_table_real(t, "%.0f %%", n ? 100.0 * (double)k / (double)n : (double)NAN);
}

static void count(struct verdict *v, const struct tw_family_savings *s)
{
    const size_t most =
        s->infeasible_first > s->infeasible_other ? s->infeasible_first : s->infeasible_other;

    v->n += isnan(s->factor.lo) || isnan(s->factor.hi) ? 0 : 1;
    v->saves += s->factor.lo > 1.0;
    v->costs += s->factor.hi < 1.0;
    v->beyond += s->replicates && most * 20 >= s->replicates;
}

static enum tw_status saving(struct report *r, size_t k, double size, struct tw_table *t,
                             struct verdict *v)
{
    struct tw_json *json = &r->call->json;
    struct tw_family_savings s;

    if (tw_families_savings(r->f, k, r->target, size, &s, r->err) != TW_OK)
        return r->err->code;
    count(v, &s);
    if (size > 0.0)
        tw_table_real(t, "%.3g", size);
    else
        tw_table_text(t, "compute");
    tw_table_text(t, r->name[k]);
    need(t, s.first);
    need(t, s.other);
    tw_table_real(t, "%.3f", s.factor.value);
    interval(t, false, s.factor.lo, s.factor.hi);
    share(t, s.infeasible_first, s.replicates);
    share(t, s.infeasible_other, s.replicates);
    tw_json_open(json, NULL, '{');
    tw_json_text(json, "family", r->name[k]);
    tw_json_real(json, "size", size > 0.0 ? size : (double)NAN);
    tw_json_text(json, "of", size > 0.0 ? "tokens" : "compute");
    tw_json_real(json, "first", s.first);
    tw_json_real(json, "other", s.other);
    json_value(json, "factor", &s.factor);
    tw_json_bool(json, "infeasible", isinf(s.first) || isinf(s.other));
    tw_json_size(json, "infeasible_first", s.infeasible_first);
    tw_json_size(json, "infeasible_other", s.infeasible_other);
    tw_json_size(json, "replicates", s.replicates);
    tw_json_close(json, '}');
    return TW_OK;
}

/* The verdict in words. */
static void say(const struct report *r, size_t k, const struct verdict *v, const char *what,
                const char *where)
{
    const bool size_based = *where != '\0';
    const char *a = r->name[0], *b = r->name[k];

    if (r->call->common.json || v->n + v->beyond == 0)
        return;
    printf("%s: ", what);
    if (v->n == 0)
        printf("no interval");
    else if (v->saves == 0 && v->costs == 0)
        printf("the interval includes 1%s: these runs do not show that %s saves any against %s, or "
               "costs more",
               where, b, a);
    else if (v->saves == v->n || v->costs == v->n)
        printf("the interval excludes 1%s: %s %s than %s", where, b,
               v->saves ? "needs less" : "needs more", a);
    else
        printf("of %zu intervals %zu lie above 1, where %s needs less than %s, and %zu below; the "
               "others show no difference",
               v->n, v->saves, b, a, v->costs);
    if (v->beyond)
        printf("; in 5 %% of the replicates or more the loss is out of reach%s",
               size_based ? "" : " whatever the compute");
    if (v->beyond && size_based)
        printf(" at %zu size%s, where a factor says little", v->beyond, v->beyond == 1 ? "" : "s");
    printf(".\n");
}

static enum tw_status savings(struct report *r, const double *sizes, size_t nsizes)
{
    const char *const head[] = { "N",      "family",    "first needs", "it needs",
                                 "factor", "bootstrap", "infeasible",  "infeasible" };
    struct tw_table t = { 0 };
    struct verdict tokens[TW_FAMILIES_MAX] = { { 0 } }, compute[TW_FAMILIES_MAX] = { { 0 } };
    enum tw_status rc = TW_OK;

    tw_json_real(&r->call->json, "target_loss", r->target);
    tw_json_open(&r->call->json, "savings", '[');
    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    for (size_t i = 0; rc == TW_OK && i <= nsizes; i++)
        for (size_t k = 1; rc == TW_OK && k < r->f->n; k++)
            rc = i < nsizes ? saving(r, k, sizes[i], &t, &tokens[k])
                            : saving(r, k, 0.0, &t, &compute[k]);
    tw_json_close(&r->call->json, ']');
    if (rc != TW_OK || r->call->common.json) {
        tw_str_release(&t.cells);
        return rc;
    }
    printf("\nTokens at size N, and least compute, for a loss of %.6g; factor: what %s needs over "
           "what the family needs.\nInfeasible: replicates in which %s, then the family, cannot "
           "reach it.\n\n",
           r->target, r->name[0], r->name[0]);
    tw_table_print(&t);
    putchar('\n');
    for (size_t k = 1; k < r->f->n; k++) {
        say(r, k, &tokens[k], "tokens", " at every size");
        say(r, k, &compute[k], "compute", "");
    }
    return TW_OK;
}

static enum tw_status budgets(struct report *r, const double *flops, size_t n)
{
    const char *const head[] = {
        "FLOPs", "family", "first's loss", "its loss", "less", "bootstrap"
    };
    struct tw_json *json = &r->call->json;
    struct tw_table t = { 0 };

    tw_json_open(json, "budgets", '[');
    tw_table_head(&t, head, sizeof head / sizeof head[0]);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 1; k < r->f->n; k++) {
            struct tw_family_value d;
            double loss[2];

            if (tw_families_budget(r->f, k, flops[i], loss, &d, r->err) != TW_OK) {
                tw_str_release(&t.cells);
                return r->err->code;
            }
            tw_table_real(&t, "%.4g", flops[i]);
            tw_table_text(&t, r->name[k]);
            tw_table_real(&t, "%.4f", loss[0]);
            tw_table_real(&t, "%.4f", loss[1]);
            tw_table_real(&t, "%+.4f", d.value);
            interval(&t, true, d.lo, d.hi);
            tw_json_open(json, NULL, '{');
            tw_json_text(json, "family", r->name[k]);
            tw_json_real(json, "flops", flops[i]);
            tw_json_reals(json, "loss", loss, 2);
            json_value(json, "difference", &d);
            tw_json_close(json, '}');
        }
    tw_json_close(json, ']');
    if (n && !r->call->common.json) {
        putchar('\n');
        tw_table_print(&t);
    } else {
        tw_str_release(&t.cells);
    }
    return TW_OK;
}

/* ---- all --------------------------------------------------------------------------------------
 */

static void head(const struct report *r, const char *shared)
{
    const struct tw_families *f = r->f;
    const struct tw_law_fit_opts *o = &f->fit[0].opts;

    printf("%s: %s\n", f->law->title, f->law->formula);
    printf("%s on %s", tw_fit_loss_names[o->loss], f->law->plain ? "loss" : "log loss");
    if (o->loss == TW_FIT_HUBER)
        printf(", delta %g", o->delta);
    printf("; %.3g %% intervals; %zu families share %s\n\n", 100.0 * o->level, f->n, shared);
}

static void tail(const struct report *r)
{
    const struct tw_families *f = r->f;

    printf("\nobjective %.8g; %zu of %zu starts agree; gradient %.1e; condition %.3g\n",
           f->min.objective, f->at_optimum, f->starts, f->min.gradient, f->min.condition);
    if (f->replicates)
        printf("%zu replicates of the %s bootstrap, %s; %zu failed\n", f->replicates,
               tw_bootstrap_names[f->kind],
               f->paired ? "paired, for the families ran the same grid"
                         : "each family's drawn on their own, for their grids differ",
               f->failed);
}

enum tw_status tw_family_report(struct tw_call *call, const struct tw_families *f,
                                char *const *name, const double *sizes, size_t nsizes,
                                const double *flops, size_t nflops, double target,
                                struct tw_err *err)
{
    struct report r = { call, f, name, target, err };
    struct tw_json *json = &call->json;
    struct tw_str shared = { 0 };
    enum tw_status rc;

    shared_names(f, &shared);
    tw_json_text(json, "law", f->law->name);
    tw_json_text(json, "shared", shared.s ? shared.s : "");
    tw_json_real(json, "objective", f->min.objective);
    tw_json_open(json, "certificate", '{');
    tw_json_size(json, "starts", f->starts);
    tw_json_size(json, "at_optimum", f->at_optimum);
    tw_json_real(json, "condition", f->min.condition);
    tw_json_real(json, "gradient", f->min.gradient);
    tw_json_bool(json, "converged", f->min.converged);
    tw_json_close(json, '}');
    tw_json_open(json, "bootstrap", '{');
    tw_json_size(json, "replicates", f->replicates);
    tw_json_size(json, "failed", f->failed);
    tw_json_bool(json, "paired", f->paired);
    tw_json_text(json, "kind", tw_bootstrap_names[f->kind]);
    tw_json_close(json, '}');
    if (call->common.json) {
        rc = json_families(&r);
    } else {
        head(&r, shared.s ? shared.s : "");
        rc = parameter_table(&r);
        if (rc == TW_OK)
            tail(&r);
    }
    if (rc == TW_OK && !isnan(target))
        rc = savings(&r, sizes, nsizes);
    if (rc == TW_OK && !isnan(target))
        rc = budgets(&r, flops, nflops);
    tw_str_release(&shared);
    return rc;
}
