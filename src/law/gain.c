/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What one schedule gains over another at the last step, and how sure that is. */
#include <math.h>
#include <stdlib.h>

#include "thalweg/law_schedule.h"

static double difference(const struct tw_law_fit *fit, const double *theta,
                         const struct tw_schedule *better, const struct tw_schedule *other)
{
    return tw_law_final(fit->law, theta, fit->opts.warmup, other->lr, other->n, other->warm_end,
                        NULL) -
           tw_law_final(fit->law, theta, fit->opts.warmup, better->lr, better->n, better->warm_end,
                        NULL);
}

enum tw_status tw_law_gain(const struct tw_law_fit *fit, const struct tw_schedule *better,
                           const struct tw_schedule *other, struct tw_law_gain *gain,
                           struct tw_err *err)
{
    const size_t np = fit->law->nparams;
    double *v = tw_alloc(fit->replicates, sizeof *v);
    size_t n = 0;

    if (!v)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    gain->value = difference(fit, fit->theta, better, other);
#pragma omp parallel for schedule(dynamic, 4)
    for (size_t b = 0; b < fit->replicates; b++) {
        const double *theta = fit->theta_boot + b * np;

        v[b] = isnan(theta[0]) ? (double)NAN : difference(fit, theta, better, other);
    }
    for (size_t b = 0; b < fit->replicates; b++)
        if (isfinite(v[b]))
            v[n++] = v[b];
    tw_sort_reals(v, n);
    gain->lo = n > 1 ? tw_quantile_sorted(v, n, 0.025) : (double)NAN;
    gain->hi = n > 1 ? tw_quantile_sorted(v, n, 0.975) : (double)NAN;
    free(v);
    return TW_OK;
}
