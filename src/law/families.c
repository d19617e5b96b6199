/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/law_families.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "joint.h"
#include "resample.h"

enum { P = TW_FIT_MAX_PARAMS };

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
static double mean(const struct tw_joint *j, const double *own, size_t q)
{
    double u = 0.0, slope;

    for (size_t f = 0; f < j->n; f++)
        u += tw_fit_to_u(&j->law->params[q], own[f * P + q]) / (double)j->n;
    return tw_fit_from_u(&j->law->params[q], u, &slope);
}

/* Row 0 of `start` (n + 1 x P): at the mean shared values; row 1 + k: at those of family k. */
static enum tw_status find_starts(const struct tw_joint *j, const struct tw_law_curve *family,
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
            tw_joint_scatter(j, f, theta, start + s * P);
        }
    free(own);
    return rc;
}

/* ---- minimising ------------------------------------------------------------------------------ */

static enum tw_status solve(const struct tw_joint *j, const struct tw_law_curve *family,
                            unsigned shared, struct tw_families *out, double *best,
                            struct tw_err *err)
{
    struct tw_fit_result each[TW_FAMILIES_MAX + 1];
    double start[(TW_FAMILIES_MAX + 1) * P];
    struct tw_joint_worker w;
    size_t at = 0;
    enum tw_status rc = find_starts(j, family, shared, start, err);

    if (!tw_joint_worker_init(&w, j))
        rc = tw_err_set(err, TW_ENOMEM, "families: out of memory");
    for (size_t s = 0; rc == TW_OK && s < j->n + 1; s++) {
        rc = tw_fit_minimize(w.ws, &w.fit, start + s * P, true, &each[s], err);
        at = each[s].objective < each[at].objective ? s : at;
    }
    tw_joint_worker_release(&w);
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

/* From `start` to the minimum; false if it was not reached. */
static bool refit(struct tw_joint_worker *w, const double *start, double *all)
{
    struct tw_fit_result res = { 0 };

    for (int thorough = 0; thorough < 2 && !res.converged; thorough++) {
        memcpy(all, start, P * sizeof *all);
        if (tw_fit_minimize(w->ws, &w->fit, all, thorough, &res, NULL) != TW_OK)
            res.converged = false;
    }
    return res.converged;
}

/* Residuals of the families a .. a + j->n from fits without their cluster, where those can be
 * made; `residual` (stacked runs of all families) holds others already. */
static bool leave_out(const struct tw_joint *j, const struct tw_resample *runs, const double *best,
                      size_t a, double *residual)
{
    const size_t from = runs->first[a];
    bool ok = true;

#pragma omp parallel
    {
        double *weight = tw_alloc(j->npoints, sizeof *weight);
        double *r = tw_alloc(j->npoints, sizeof *r);
        struct tw_joint_worker w;
        const bool ready = tw_joint_worker_init(&w, j) && weight && r;

        if (!ready) {
#pragma omp atomic write
            ok = false;
        }
        w.fit.weight = weight;
#pragma omp for schedule(dynamic)
        for (size_t g = 0; g < runs->nclusters; g++) {
            double all[P];
            size_t here = 0;

            for (size_t i = 0; ready && i < j->npoints; i++) {
                weight[i] = runs->cluster[from + i] == g ? 0.0 : 1.0;
                here += runs->cluster[from + i] == g;
            }
            if (here == 0 || here + j->p >= j->npoints || !refit(&w, best, all))
                continue;
            w.fit.residual(&w, all, r, NULL);
            for (size_t i = 0; i < j->npoints; i++)
                if (weight[i] == 0.0)
                    residual[from + i] = r[i];
        }
        tw_joint_worker_release(&w);
        free(weight);
        free(r);
    }
    return ok;
}

/* Replicates of the families a .. a + j->n, which are fitted together, into their theta_boot; one
 * that fails sets failed[b]. */
static bool replicate(const struct tw_joint *j, const struct tw_resample *runs, const double *best,
                      size_t a, struct tw_families *f, bool *failed)
{
    bool ok = true;

#pragma omp parallel
    {
        double *drawn = tw_alloc(runs->first[runs->ngroups], sizeof *drawn);
        double *scratch = tw_alloc(runs->nclusters, sizeof *scratch);
        struct tw_joint_worker w;
        const bool ready = tw_joint_worker_init(&w, j) && drawn && scratch;

        if (!ready) {
#pragma omp atomic write
            ok = false;
        }
        if (runs->kind == TW_BOOTSTRAP_CASE)
            w.fit.weight = drawn ? drawn + runs->first[a] : NULL;
        for (size_t k = 0; runs->kind == TW_BOOTSTRAP_WILD && ready && k < j->n; k++)
            w.each[k].target = drawn + runs->first[a + k];
#pragma omp for schedule(dynamic, 8)
        for (size_t b = 0; b < f->replicates; b++) {
            double all[P];

            if (!ready)
                continue;
            tw_resample_draw(runs, b, scratch, drawn);
            failed[b] = !refit(&w, best, all) || failed[b];
            for (size_t k = 0; k < j->n; k++)
                tw_joint_gather(j, k, all, f->fit[a + k].theta_boot + b * j->law->nparams);
        }
        tw_joint_worker_release(&w);
        free(drawn);
        free(scratch);
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
static enum tw_status fit_block(const struct tw_joint *j, const struct tw_law_curve *family,
                                size_t a, struct tw_families *f, struct tw_err *err)
{
    struct tw_families one = { 0 };
    double best[P];
    enum tw_status rc = solve(j, family + a, f->shared, &one, best, err);

    for (size_t k = 0; rc == TW_OK && k < j->n; k++) {
        struct tw_law_fit *fit = &f->fit[a + k];

        tw_joint_gather(j, k, best, fit->theta);
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

/* Runs of all families stacked, with their fits and clusters. */
struct stack {
    size_t first[TW_FAMILIES_MAX + 1];
    size_t *cluster;
    double *fitted, *residual;
};

static void stack_release(struct stack *s)
{
    free(s->cluster);
    free(s->fitted);
    free(s->residual);
}

static bool stack_init(struct stack *s, const struct tw_law_curve *family,
                       const struct tw_families *f, size_t *nclusters)
{
    const size_t n0 = family[0].n;
    size_t n = 0;

    *s = (struct stack){ 0 };
    for (size_t k = 0; k < f->n; k++)
        n = s->first[k + 1] = s->first[k] + family[k].n;
    s->cluster = tw_alloc(n, sizeof *s->cluster);
    s->fitted = tw_alloc(n, sizeof *s->fitted);
    s->residual = tw_alloc(n, sizeof *s->residual);
    if (!s->cluster || !s->fitted || !s->residual ||
        !tw_resample_clusters(family, f->paired ? 1 : f->n, f->law->ninputs, s->cluster, nclusters))
        return false;
    for (size_t i = n0; f->paired && i < n; i++)
        s->cluster[i] = s->cluster[i - n0];
    for (size_t k = 0; k < f->n; k++)
        for (size_t i = 0; i < family[k].n; i++) {
            s->fitted[s->first[k] + i] = tw_law_to_scale(f->law, f->fit[k].yhat[i]);
            s->residual[s->first[k] + i] = f->fit[k].r[i];
        }
    return true;
}

/* Each block's families, from their fits. */
static bool bootstrap(const struct tw_joint *block, size_t nblocks,
                      const struct tw_law_curve *family, const struct tw_law_fit_opts *opts,
                      struct tw_families *f)
{
    bool *failed = tw_alloc(f->replicates, sizeof *failed), ok;
    size_t nclusters = 0, fewest = SIZE_MAX, runs = 0, held = 0;
    struct tw_resample draws = { .seed = opts->seed, .ngroups = f->n, .each = true };
    struct stack s;

    ok = stack_init(&s, family, f, &nclusters) && failed;
    for (size_t b = 0; b < nblocks; b++)
        for (size_t k = 0; k < block[b].n; k++) {
            const struct tw_law_problem *p = &block[b].problem[k];

            fewest = p->nclusters < fewest ? p->nclusters : fewest;
            runs = p->n > runs ? p->n : runs;
            draws.whole = draws.whole || p->nclusters < p->n;
        }
    for (size_t q = 0; q < f->law->nparams; q++)
        held += opts->fixed[q];
    draws.need = f->law->nparams - held;
    draws.kind = f->kind = tw_law_bootstrap_kind(opts, f->law->nparams, fewest);
    f->clusters = fewest;
    draws.first = s.first;
    draws.paired = f->paired;
    draws.cluster = s.cluster;
    draws.nclusters = nclusters;
    draws.fitted = s.fitted;
    draws.residual = s.residual;
    for (size_t i = 0; ok && i < s.first[f->n]; i++)
        s.residual[i] *= tw_resample_factor(runs, fewest, draws.need);
    for (int draw = 0; draw < 2; draw++)
        for (size_t b = 0, a = 0; ok && f->replicates && b < nblocks; a += block[b++].n) {
            double best[P] = { 0 };

            for (size_t k = 0; k < block[b].n; k++)
                tw_joint_scatter(&block[b], k, f->fit[a + k].theta, best);
            if (draw)
                ok = replicate(&block[b], &draws, best, a, f, failed);
            else if (draws.kind == TW_BOOTSTRAP_WILD)
                ok = leave_out(&block[b], &draws, best, a, s.residual);
        }
    ok = ok && (f->replicates == 0 || summarise(f, failed));
    stack_release(&s);
    free(failed);
    return ok;
}

enum tw_status tw_families_fit(const struct tw_law *law, const struct tw_law_curve *family,
                               size_t n, unsigned shared, const struct tw_law_fit_opts *opts,
                               struct tw_families *f, struct tw_err *err)
{
    const size_t together = shared ? n : 1;
    struct tw_joint block[TW_FAMILIES_MAX] = { { 0 } };
    size_t nblocks = 0;
    enum tw_status rc = check(law, n, shared, err);

    *f = (struct tw_families){ .law = law, .shared = shared, .n = n };
    f->min.converged = true;
    f->replicates = opts->bootstrap;
    if (rc == TW_OK)
        rc = prepare(opts, f, err);
    f->paired = rc == TW_OK && same_grid(law, family, n);
    for (size_t a = 0; rc == TW_OK && a < n; a += together) {
        struct tw_joint *j = &block[nblocks++];

        rc = tw_joint_init(j, law, family + a, together, shared, opts, err);
        if (rc == TW_OK)
            rc = fit_block(j, family, a, f, err);
    }
    if (rc == TW_OK && !bootstrap(block, nblocks, family, opts, f))
        rc = tw_err_set(err, TW_ENOMEM, "bootstrap of families: out of memory");
    for (size_t b = 0; b < nblocks; b++)
        tw_joint_release(&block[b]);
    return rc;
}

void tw_families_release(struct tw_families *f)
{
    for (size_t k = 0; f->fit && k < f->n; k++)
        tw_law_fit_release(&f->fit[k]);
    free(f->fit);
    *f = (struct tw_families){ 0 };
}
