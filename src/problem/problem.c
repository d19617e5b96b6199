/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all problems share: calls, and estimates from samples. */
#include "thalweg/problem.h"

#include <math.h>
#include <stdlib.h>

#include "anchors.h"

enum tw_status tw_problem_eval(struct tw_problem *p, const struct tw_request *r, struct tw_err *err)
{
    struct tw_request placed;

    if ((r->slopes || r->logit_slopes || r->hvp) && r->ndirections == 0)
        return tw_err_set(err, TW_EINVAL, "derivatives along no direction");
    if (!r->weights)
        return p->ops->eval(p, r, err);
    if (!p->anchors)
        return tw_err_set(err, TW_EINVAL, "weights, but no anchors");
    placed = *r;
    tw_anchors_place(p, &placed);
    return p->ops->eval(p, &placed, err);
}

void tw_problem_free(struct tw_problem *p)
{
    if (!p)
        return;
    tw_anchors_free(p->anchors);
    p->ops->free(p);
}

/* Sums run in the order of the samples. */
struct tw_estimate tw_estimate_ratio(size_t n, const double *l, const double *w, double w_each,
                                     size_t all)
{
    struct tw_estimate e = { NAN, NAN, NAN };
    double sum = 0.0, weight = 0.0, squares = 0.0;

    for (size_t i = 0; i < n; i++) {
        sum += l[i];
        weight += w ? w[i] : w_each;
    }
    if (!(weight > 0.0))
        return e;
    e.value = sum / weight;
    if (n < 2)
        return e;
    for (size_t i = 0; i < n; i++) {
        const double d = l[i] - e.value * (w ? w[i] : w_each);

        squares += d * d;
    }
    e.se = sqrt((double)n / (double)(n - 1) * squares) / weight;
    e.se_data = all > n ? e.se * sqrt(1.0 - (double)n / (double)all) : 0.0 * e.se;
    return e;
}
