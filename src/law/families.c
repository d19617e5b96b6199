/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/law_families.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "resample.h"
#include "solve.h"

enum { P = TW_FIT_MAX_PARAMS };

/* Families as one problem: which of its parameters each family's are. */
struct joint {
    const struct tw_law *law;
    const struct tw_law_fit_opts *opts;
    size_t n, p, npoints, longest;
    struct tw_law_problem *problem; /* (n) */
    size_t *first;                  /* (n + 1) stacked points of each */
    struct tw_fit_param params[P];
    bool fixed[P];
    size_t at[TW_FAMILIES_MAX][P];
};

/* What one thread needs to minimise it. */
struct joint_worker {
    const struct joint *joint;
    struct tw_law_worker *each; /* (n) */
    struct tw_fit_problem fit;
    struct tw_fit_ws *ws;
    double *jac; /* (longest x law's parameters) */
};

/* ---- the problem --------------------------------------------------------------------------- */

static void lay_out(struct joint *j, unsigned shared)
{
    const struct tw_law *law = j->law;

    j->p = 0;
    for (size_t q = 0; q < law->nparams; q++)
        for (size_t f = 0; f < j->n; f++) {
            if (f > 0 && shared >> q & 1u) {
                j->at[f][q] = j->at[0][q];
                continue;
            }
            j->params[j->p] = law->params[q];
            j->fixed[j->p] = j->opts->fixed[q];
            j->at[f][q] = j->p++;
        }
}

static void gather(const struct joint *j, size_t f, const double *all, double *theta)
{
    for (size_t q = 0; q < j->law->nparams; q++)
        theta[q] = all[j->at[f][q]];
}

static void scatter(const struct joint *j, size_t f, const double *theta, double *all)
{
    for (size_t q = 0; q < j->law->nparams; q++)
        all[j->at[f][q]] = theta[q];
}

static void residual(void *ctx, const double *all, double *r, double *jac)
{
    const struct joint_worker *w = ctx;
    const struct joint *j = w->joint;
    const size_t np = j->law->nparams;

    if (jac)
        memset(jac, 0, j->npoints * j->p * sizeof *jac);
    for (size_t f = 0; f < j->n; f++) {
        double theta[P];

        gather(j, f, all, theta);
        w->each[f].fit.residual(&w->each[f], theta, r + j->first[f], jac ? w->jac : NULL);
        for (size_t i = 0; jac && i < j->problem[f].n; i++)
            for (size_t q = 0; q < np; q++)
                jac[(j->first[f] + i) * j->p + j->at[f][q]] = w->jac[i * np + q];
    }
}

static void joint_release(struct joint *j)
{
    for (size_t f = 0; j->problem && f < j->n; f++)
        tw_law_problem_release(&j->problem[f]);
    free(j->problem);
    free(j->first);
    *j = (struct joint){ 0 };
}

static enum tw_status joint_init(struct joint *j, const struct tw_law *law,
                                 const struct tw_law_curve *family, size_t n, unsigned shared,
                                 const struct tw_law_fit_opts *opts, struct tw_err *err)
{
    *j = (struct joint){ .law = law, .opts = opts, .n = n };
    j->problem = tw_alloc(n, sizeof *j->problem);
    j->first = tw_alloc(n + 1, sizeof *j->first);
    if (!j->problem || !j->first)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t f = 0; f < n; f++) {
        enum tw_status rc = tw_law_problem_init(&j->problem[f], law, &family[f], 1, opts, err);

        if (rc != TW_OK)
            return tw_err_ctx(err, rc, "%s", family[f].name);
        j->first[f + 1] = j->first[f] + j->problem[f].n;
        j->longest = j->problem[f].n > j->longest ? j->problem[f].n : j->longest;
    }
    j->npoints = j->first[n];
    lay_out(j, shared);
    return TW_OK;
}

static void worker_release(struct joint_worker *w)
{
    for (size_t f = 0; w->each && f < w->joint->n; f++)
        tw_law_worker_release(&w->each[f]);
    free(w->each);
    tw_fit_ws_free(w->ws);
    free(w->jac);
}

/* False when out of memory. `w` must stay where it is. */
static bool worker_init(struct joint_worker *w, const struct joint *j)
{
    bool ok;

    *w = (struct joint_worker){ .joint = j };
    w->each = tw_alloc(j->n, sizeof *w->each);
    w->ws = tw_fit_ws_alloc(j->npoints, j->p);
    w->jac = tw_alloc(j->longest, j->law->nparams * sizeof *w->jac);
    ok = w->each && w->ws && w->jac;
    for (size_t f = 0; ok && f < j->n; f++)
        ok = tw_law_worker_init(&w->each[f], &j->problem[f]);
    w->fit = (struct tw_fit_problem){
        .n = j->npoints,
        .p = j->p,
        .params = j->params,
        .loss = j->opts->loss,
        .delta = j->opts->delta,
        .residual = residual,
        .ctx = w,
    };
    memcpy(w->fit.fixed, j->fixed, sizeof w->fit.fixed);
    return ok;
}

/* ---- starts --------------------------------------------------------------------------------- */

/* One family fitted alone: from the law's starts, or from theta with what `held` holds of it. theta
 * becomes the minimum. */
static enum tw_status alone(const struct tw_law *law, const struct tw_law_curve *family,
                            const struct tw_law_fit_opts *opts, unsigned held, double *theta,
                            struct tw_err *err)
{
    struct tw_law_fit_opts o = *opts;
    struct tw_law_fit fit = { 0 };
    enum tw_status rc;

    o.bootstrap = 0;
    o.profile = 0;
    o.model_error = false;
    if (held) {
        o.given = theta;
        o.ngiven = 1;
    }
    for (size_t q = 0; q < law->nparams; q++)
        if (held >> q & 1u) {
            o.fixed[q] = true;
            o.fixed_value[q] = theta[q];
        }
    rc = tw_law_fit_run(law, family, 1, &o, &fit, err);
    if (rc == TW_OK)
        memcpy(theta, fit.theta, law->nparams * sizeof *theta);
    tw_law_fit_release(&fit);
    return rc == TW_OK ? rc : tw_err_ctx(err, rc, "%s", family->name);
}

/* The mean of a parameter over the families' own fits, in its unbounded coordinate. */
static double mean(const struct joint *j, const double *own, size_t q)
{
    double u = 0.0, slope;

    for (size_t f = 0; f < j->n; f++)
        u += tw_fit_to_u(&j->law->params[q], own[f * P + q]) / (double)j->n;
    return tw_fit_from_u(&j->law->params[q], u, &slope);
}

/* Row 0 of `start` (n + 1 x P): at the mean shared values; row 1 + k: at those of family k. */
static enum tw_status find_starts(const struct joint *j, const struct tw_law_curve *family,
                                  unsigned shared, double *start, struct tw_err *err)
{
    double *own = tw_alloc(j->n, P * sizeof *own);
    enum tw_status rc = own ? TW_OK : tw_err_set(err, TW_ENOMEM, "families' starts: out of memory");

    for (size_t f = 0; rc == TW_OK && f < j->n; f++)
        rc = alone(j->law, &family[f], j->opts, 0, own + f * P, err);
    for (size_t s = 0; rc == TW_OK && s < j->n + 1; s++)
        for (size_t f = 0; rc == TW_OK && f < j->n; f++) {
            double theta[P];

            memcpy(theta, own + f * P, sizeof theta);
            for (size_t q = 0; q < j->law->nparams; q++)
                if (shared >> q & 1u)
                    theta[q] = s ? own[(s - 1) * P + q] : mean(j, own, q);
            if (shared)
                rc = alone(j->law, &family[f], j->opts, shared, theta, err);
            scatter(j, f, theta, start + s * P);
        }
    free(own);
    return rc;
}

/* ---- minimising ------------------------------------------------------------------------------ */

static enum tw_status solve(const struct joint *j, const struct tw_law_curve *family,
                            unsigned shared, struct tw_families *out, double *best,
                            struct tw_err *err)
{
    struct tw_fit_result each[TW_FAMILIES_MAX + 1];
    double start[(TW_FAMILIES_MAX + 1) * P];
    struct joint_worker w;
    size_t at = 0;
    enum tw_status rc = find_starts(j, family, shared, start, err);

    if (!worker_init(&w, j))
        rc = tw_err_set(err, TW_ENOMEM, "families: out of memory");
    for (size_t s = 0; rc == TW_OK && s < j->n + 1; s++) {
        rc = tw_fit_minimize(w.ws, &w.fit, start + s * P, true, &each[s], err);
        at = each[s].objective < each[at].objective ? s : at;
    }
    worker_release(&w);
    if (rc != TW_OK)
        return rc;
    out->starts = j->n + 1;
    for (size_t s = 0; s < j->n + 1; s++)
        out->at_optimum +=
            each[s].objective <= each[at].objective * (1.0 + 1e-6) + 0.5e-22 * (double)j->npoints;
    out->min = each[at];
    memcpy(best, start + at * P, P * sizeof *best);
    return TW_OK;
}

/* ---- the bootstrap --------------------------------------------------------------------------- */

/* Did all run the same grid? */
static bool same_grid(const struct tw_law *law, const struct tw_law_curve *family, size_t n)
{
    for (size_t f = 1; f < n; f++) {
        if (family[f].n != family[0].n)
            return false;
        for (size_t k = 0; k < law->ninputs; k++)
            for (size_t i = 0; i < family[0].n; i++)
                if (!(fabs(log(family[f].input[k][i] / family[0].input[k][i])) <= log(1.1)))
                    return false;
    }
    return true;
}

/* Replicates of the families a .. a + j->n, which are fitted together, into their theta_boot; one
 * that fails sets failed[b]. */
static bool replicate(const struct joint *j, const struct tw_resample *cases, const double *best,
                      size_t a, struct tw_families *f, bool *failed)
{
    bool ok = true;

#pragma omp parallel
    {
        double *weight = tw_alloc(cases->first[cases->ngroups], sizeof *weight);
        struct joint_worker w;
        const bool ready = worker_init(&w, j) && weight;

        if (!ready) {
#pragma omp atomic write
            ok = false;
        }
        w.fit.weight = weight ? weight + cases->first[a] : NULL;
#pragma omp for schedule(dynamic, 8)
        for (size_t b = 0; b < f->replicates; b++) {
            double all[P];
            struct tw_fit_result res = { 0 };

            if (!ready)
                continue;
            tw_resample_cases(cases, b, weight);
            for (int thorough = 0; thorough < 2 && !res.converged; thorough++) {
                memcpy(all, best, sizeof all);
                if (tw_fit_minimize(w.ws, &w.fit, all, thorough, &res, NULL) != TW_OK)
                    res.converged = false;
            }
            failed[b] = failed[b] || !res.converged;
            for (size_t k = 0; k < j->n; k++)
                gather(j, k, all, f->fit[a + k].theta_boot + b * j->law->nparams);
        }
        worker_release(&w);
        free(weight);
    }
    return ok;
}

static bool summarise(struct tw_families *f, const bool *failed)
{
    const size_t np = f->law->nparams;
    bool ok = true;

    for (size_t b = 0; b < f->replicates; b++)
        f->failed += failed[b];
    for (size_t k = 0; ok && k < f->n; k++) {
        f->fit[k].failed = f->failed;
        for (size_t b = 0; b < f->replicates; b++)
            for (size_t q = 0; failed[b] && q < np; q++)
                f->fit[k].theta_boot[b * np + q] = NAN;
        ok = tw_law_bootstrap_summary(&f->fit[k]);
    }
    return ok;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

/* Families a .. a + j->n together; what is found goes to their fits. */
static enum tw_status fit_block(const struct joint *j, const struct tw_law_curve *family,
                                const struct tw_resample *cases, size_t a, struct tw_families *f,
                                bool *failed, struct tw_err *err)
{
    struct tw_families one = { 0 };
    double best[P];
    enum tw_status rc = solve(j, family + a, f->shared, &one, best, err);

    for (size_t k = 0; rc == TW_OK && k < j->n; k++) {
        struct tw_law_fit *fit = &f->fit[a + k];

        gather(j, k, best, fit->theta);
        fit->min = one.min;
        fit->min.at_bounds = 0;
        for (size_t q = 0; q < f->law->nparams; q++)
            fit->min.at_bounds |= (one.min.at_bounds >> j->at[k][q] & 1u) << q;
        fit->starts = one.starts;
        fit->at_optimum = one.at_optimum;
        rc = tw_law_fit_describe(&j->problem[k], fit, err);
    }
    if (rc != TW_OK)
        return rc;
    f->min.objective += one.min.objective;
    f->min.gradient = fmax(f->min.gradient, one.min.gradient);
    f->min.condition = fmax(f->min.condition, one.min.condition);
    f->min.iterations += one.min.iterations;
    f->min.converged = f->min.converged && one.min.converged;
    f->starts += one.starts;
    f->at_optimum += one.at_optimum;
    if (f->replicates && !replicate(j, cases, best, a, f, failed))
        return tw_err_set(err, TW_ENOMEM, "bootstrap of families: out of memory");
    return TW_OK;
}

static enum tw_status prepare(const struct tw_law_fit_opts *opts, struct tw_families *f,
                              struct tw_err *err)
{
    f->fit = tw_alloc(f->n, sizeof *f->fit);
    if (!f->fit)
        return tw_err_set(err, TW_ENOMEM, "families: out of memory");
    for (size_t k = 0; k < f->n; k++) {
        f->fit[k] = (struct tw_law_fit){ .law = f->law, .opts = *opts };
        f->fit[k].opts.given = NULL;
        f->fit[k].opts.ngiven = 0;
        f->fit[k].model_error = f->fit[k].annealed_error = NAN;
        f->fit[k].warmup_score[0] = f->fit[k].warmup_score[1] = NAN;
        for (size_t q = 0; q < P; q++)
            f->fit[k].lo[q] = f->fit[k].hi[q] = NAN;
        f->fit[k].replicates = f->replicates;
        f->fit[k].theta_boot = tw_alloc(f->replicates, f->law->nparams * sizeof(double));
        if (!f->fit[k].theta_boot)
            return tw_err_set(err, TW_ENOMEM, "bootstrap of families: out of memory");
    }
    return TW_OK;
}

static enum tw_status check(const struct tw_law *law, size_t n, unsigned shared, struct tw_err *err)
{
    size_t p = 0;

    if (n < 1 || n > TW_FAMILIES_MAX || !law->ninputs)
        return tw_err_set(err, TW_EINVAL, "%zu families of the law %s: up to %d, of a law of runs",
                          n, law->name, (int)TW_FAMILIES_MAX);
    for (size_t q = 0; q < law->nparams; q++)
        p += shared >> q & 1u ? 1 : n;
    if (shared && p > P)
        return tw_err_set(err, TW_EDOMAIN,
                          "%zu families with what they share have %zu parameters, and %d can be "
                          "fitted together: share more, or nothing (none), or give fewer families",
                          n, p, (int)P);
    return TW_OK;
}

enum tw_status tw_families_fit(const struct tw_law *law, const struct tw_law_curve *family,
                               size_t n, unsigned shared, const struct tw_law_fit_opts *opts,
                               struct tw_families *f, struct tw_err *err)
{
    const size_t together = shared ? n : 1;
    size_t first[TW_FAMILIES_MAX + 1] = { 0 };
    struct tw_resample cases = { .seed = opts->seed, .ngroups = n, .first = first, .each = true };
    bool *failed = tw_alloc(opts->bootstrap, sizeof *failed);
    enum tw_status rc = check(law, n, shared, err);

    *f = (struct tw_families){ .law = law, .shared = shared, .n = n };
    f->min.converged = true;
    f->replicates = opts->bootstrap;
    if (!failed && rc == TW_OK)
        rc = tw_err_set(err, TW_ENOMEM, "bootstrap of families: out of memory");
    if (rc == TW_OK)
        rc = prepare(opts, f, err);
    for (size_t k = 0; rc == TW_OK && k < n; k++)
        first[k + 1] = first[k] + family[k].n;
    for (size_t q = 0; q < law->nparams; q++)
        cases.need += !opts->fixed[q];
    cases.paired = f->paired = rc == TW_OK && same_grid(law, family, n);
    for (size_t a = 0; rc == TW_OK && a < n; a += together) {
        struct joint j;

        rc = joint_init(&j, law, family + a, together, shared, opts, err);
        if (rc == TW_OK)
            rc = fit_block(&j, family, &cases, a, f, failed, err);
        joint_release(&j);
    }
    if (rc == TW_OK && f->replicates && !summarise(f, failed))
        rc = tw_err_set(err, TW_ENOMEM, "bootstrap of families: out of memory");
    free(failed);
    return rc;
}

void tw_families_release(struct tw_families *f)
{
    for (size_t k = 0; f->fit && k < f->n; k++)
        tw_law_fit_release(&f->fit[k]);
    free(f->fit);
    *f = (struct tw_families){ 0 };
}
