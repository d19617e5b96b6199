/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A law may have more parameters than curves determine: a lower objective is then not a lower
 * error on another curve. Its restrictions hold some of them; which is used is decided by
 * leaving training curves out. */
#include <math.h>
#include <stdlib.h>

#include "solve.h"

enum { TRIAL_STARTS = 4 }; /* of each of the many fits of the trials */

void tw_law_restrict(struct tw_law_fit *fit, size_t k)
{
    fit->opts.restriction = k <= fit->law->nrestrictions ? k : 0;
    if (fit->opts.restriction == 0)
        return;
    for (size_t j = 0; j < fit->law->nparams; j++)
        if (fit->law->restrictions[k - 1].held >> j & 1u) {
            fit->opts.fixed[j] = true;
            fit->opts.fixed_value[j] = fit->law->restrictions[k - 1].value[j];
        }
}

static enum tw_status try_one(const struct tw_law_curve *curves, size_t n,
                              const struct tw_law_fit *fit, size_t k, struct tw_law_trial *out,
                              struct tw_err *err)
{
    struct tw_law_fit try = { .law = fit->law, .opts = fit->opts };
    struct tw_law_problem p;
    enum tw_status rc;
    double sum = 0.0;
    bool determined;

    tw_law_restrict(&try, k);
    if (try.opts.starts > TRIAL_STARTS)
        try.opts.starts = TRIAL_STARTS;
    rc = tw_law_problem_init(&p, fit->law, curves, n, &try.opts, err);
    if (rc == TW_OK)
        rc = tw_law_fit_once(&p, &try, err);
    /* What all curves do not determine, fewer do not either: nothing to leave out. */
    determined = rc == TW_OK && !(try.min.condition > tw_law_max_condition(fit->law));
    if (determined)
        rc = tw_law_leave_out_run(curves, &try, err);
    tw_law_problem_release(&p);
    *out = (struct tw_law_trial){ .objective = try.min.objective,
                                  .condition = try.min.condition,
                                  .at_bounds = try.min.at_bounds,
                                  .left_out = try.left_out };
    for (size_t c = 0; rc == TW_OK && determined && c < n; c++)
        if (!isnan(try.left_out_mae[c]))
            sum += try.left_out_mae[c];
    out->left_out_mae = out->left_out ? sum / (double)out->left_out : (double)NAN;
    tw_law_fit_release(&try);
    return rc;
}

static bool better(const struct tw_law_trial *a, const struct tw_law_trial *b)
{
    if (a->left_out != b->left_out)
        return a->left_out > b->left_out;
    return a->left_out_mae < b->left_out_mae;
}

enum tw_status tw_law_restrict_choose(const struct tw_law_curve *curves, size_t n,
                                      struct tw_law_fit *fit, struct tw_err *err)
{
    const size_t m = fit->law->nrestrictions + 1;
    enum tw_status rc = TW_OK;
    size_t best = 0;

    fit->opts.restriction = 0;
    for (size_t j = 0; j < fit->law->nparams; j++)
        if (fit->opts.fixed[j])
            return TW_OK;
    if (m == 1)
        return TW_OK;
    fit->trials = tw_alloc(m, sizeof *fit->trials);
    if (!fit->trials)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t k = 0; rc == TW_OK && k < m; k++) {
        rc = try_one(curves, n, fit, k, &fit->trials[k], err);
        if (k && better(&fit->trials[k], &fit->trials[best]))
            best = k;
    }
    if (rc != TW_OK)
        return rc;
    fit->ntrials = m;
    tw_law_restrict(fit, fit->trials[best].left_out > 1 ? best : 1);
    return TW_OK;
}
