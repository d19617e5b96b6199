/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What all problems share: calls, and estimates from samples. */
#include "thalweg/problem.h"

#include <math.h>
#include <stdlib.h>

#include "anchors.h"

static enum tw_status check(const struct tw_problem *p, const struct tw_request *r,
                            struct tw_err *err)
{
    if ((r->slopes || r->logit_slopes || r->hvp) && r->ndirections == 0)
        return tw_err_set(err, TW_EINVAL, "derivatives along no direction");
    if (r->weights && !p->anchors)
        return tw_err_set(err, TW_EINVAL, "weights, but no anchors");
    return TW_OK;
}

enum tw_status tw_problem_eval(struct tw_problem *p, const struct tw_request *r, struct tw_err *err)
{
    struct tw_request placed;
    enum tw_status rc = check(p, r, err);

    if (rc != TW_OK)
        return rc;
    if (!r->weights || p->ops->eval_many)
        return p->ops->eval(p, r, err);
    placed = *r;
    tw_anchors_place(p, &placed);
    return p->ops->eval(p, &placed, err);
}

enum tw_status tw_problem_eval_many(struct tw_problem *p, size_t n, const struct tw_request *r,
                                    tw_problem_done_fn *done, void *ctx, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    for (size_t i = 0; i < n && rc == TW_OK; i++)
        rc = check(p, &r[i], err);
    if (rc != TW_OK)
        return rc;
    if (p->ops->eval_many)
        return p->ops->eval_many(p, n, r, done, ctx, err);
    for (size_t i = 0; i < n; i++) {
        struct tw_err failure = { 0 };

        rc = tw_problem_eval(p, &r[i], &failure);
        if (rc != TW_OK && (rc != TW_EDOMAIN || !done))
            return tw_err_set(err, rc, "%s", failure.msg);
        if (done && !done(ctx, i, rc == TW_OK ? NULL : &failure) && i + 1 < n)
            return tw_err_set(err, TW_ESTOP, "stopped");
    }
    return TW_OK;
}

/* ---- in order ---------------------------------------------------------------------------------
 */

struct turn {
    bool over, failed;
    struct tw_err why;
};
struct queue {
    tw_problem_done_fn *done;
    void *ctx;
    size_t n, next; /* whose turn it is */
    struct turn *turn;
    bool stopped;
};

static bool in_turn(void *ctx, size_t i, const struct tw_err *failure)
{
    struct queue *q = ctx;

    q->turn[i].over = true;
    q->turn[i].failed = failure != NULL;
    if (failure)
        q->turn[i].why = *failure;
    for (; q->next < q->n && q->turn[q->next].over; q->next++) {
        const struct turn *t = &q->turn[q->next];

        if (!q->done(q->ctx, q->next, t->failed ? &t->why : NULL))
            q->stopped = true;
    }
    return !q->stopped;
}

enum tw_status tw_problem_eval_in_order(struct tw_problem *p, size_t n, const struct tw_request *r,
                                        tw_problem_done_fn *done, void *ctx, struct tw_err *err)
{
    struct queue q = { .done = done, .ctx = ctx, .n = n };
    enum tw_status rc;

    if (!p->ops->eval_many || n < 2)
        return tw_problem_eval_many(p, n, r, done, ctx, err);
    q.turn = tw_alloc(n, sizeof *q.turn);
    if (!q.turn)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    rc = tw_problem_eval_many(p, n, r, in_turn, &q, err);
    free(q.turn);
    return rc;
}

size_t tw_problem_batch(const struct tw_problem *p)
{
    enum { EACH = 4 };

    return p->parallel > 1 ? EACH * p->parallel : 1;
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
