/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "joint.h"

#include <stdlib.h>
#include <string.h>

enum { P = TW_FIT_MAX_PARAMS };

static void lay_out(struct tw_joint *j, unsigned shared)
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

void tw_joint_gather(const struct tw_joint *j, size_t f, const double *all, double *theta)
{
    for (size_t q = 0; q < j->law->nparams; q++)
        theta[q] = all[j->at[f][q]];
}

void tw_joint_scatter(const struct tw_joint *j, size_t f, const double *theta, double *all)
{
    for (size_t q = 0; q < j->law->nparams; q++)
        all[j->at[f][q]] = theta[q];
}

static void residual(void *ctx, const double *all, double *r, double *jac)
{
    const struct tw_joint_worker *w = ctx;
    const struct tw_joint *j = w->joint;
    const size_t np = j->law->nparams;

    if (jac)
        memset(jac, 0, j->npoints * j->p * sizeof *jac);
    for (size_t f = 0; f < j->n; f++) {
        double theta[P];

        tw_joint_gather(j, f, all, theta);
        w->each[f].fit.residual(&w->each[f], theta, r + j->first[f], jac ? w->jac : NULL);
        for (size_t i = 0; jac && i < j->problem[f].n; i++)
            for (size_t q = 0; q < np; q++)
                jac[(j->first[f] + i) * j->p + j->at[f][q]] = w->jac[i * np + q];
    }
}

void tw_joint_release(struct tw_joint *j)
{
    for (size_t f = 0; j->problem && f < j->n; f++)
        tw_law_problem_release(&j->problem[f]);
    free(j->problem);
    free(j->first);
    *j = (struct tw_joint){ 0 };
}

enum tw_status tw_joint_init(struct tw_joint *j, const struct tw_law *law,
                             const struct tw_law_curve *family, size_t n, unsigned shared,
                             const struct tw_law_fit_opts *opts, struct tw_err *err)
{
    *j = (struct tw_joint){ .law = law, .opts = opts, .n = n };
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

void tw_joint_worker_release(struct tw_joint_worker *w)
{
    for (size_t f = 0; w->each && f < w->joint->n; f++)
        tw_law_worker_release(&w->each[f]);
    free(w->each);
    tw_fit_ws_free(w->ws);
    free(w->jac);
}

bool tw_joint_worker_init(struct tw_joint_worker *w, const struct tw_joint *j)
{
    bool ok;

    *w = (struct tw_joint_worker){ .joint = j };
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
