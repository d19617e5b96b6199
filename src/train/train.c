/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One update after another: batch, gradient, proposal, step. Parameters and moments are kept in
 * double; the network is evaluated at the parameters rounded to float32, which are also what
 * checkpoints hold. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/train.h"

enum { CHUNK = 1 << 14, MOST_MOMENTS = 2 };
static const double clip_eps = 1e-6; /* as in clip_grad_norm_ */
static const double track = 0.1;     /* torch.nn.BatchNorm's momentum */

struct tw_trainer {
    struct tw_trainer_options o;
    struct tw_problem *problem;
    size_t dim, nb, steps;
    double *x, *gradient, *proposal, *moment[MOST_MOMENTS], *extra;
    double *statistics; /* NULL: no normalisation is by the batch */
    float *params, *buffers;
    size_t *shuffled;
    struct tw_order_place place; /* whose order `shuffled` is */
    bool have_order;
};

void tw_trainer_free(struct tw_trainer *t)
{
    if (!t)
        return;
    free(t->x);
    free(t->gradient);
    free(t->proposal);
    for (size_t i = 0; i < MOST_MOMENTS; i++)
        free(t->moment[i]);
    free(t->extra);
    free(t->statistics);
    free(t->params);
    free(t->buffers);
    free(t->shuffled);
    free(t);
}

static enum tw_status check(const struct tw_problem *p, const struct tw_trainer_options *o,
                            struct tw_err *err)
{
    if (o->order.n == 0 || o->order.batch == 0 || o->order.batch > o->order.n)
        return tw_err_set(err, TW_EINVAL, "batches of %zu out of %zu samples", o->order.batch,
                          o->order.n);
    if (!o->order.rows && !o->fill && o->order.n > p->n)
        return tw_err_set(err, TW_EINVAL, "%zu rows of a problem with %zu", o->order.n, p->n);
    if (!p->layout)
        return tw_err_set(err, TW_EINVAL, "training needs a network");
    return TW_OK;
}

struct tw_trainer *tw_trainer_new(struct tw_problem *problem, const struct tw_trainer_options *o,
                                  const float *params, const float *buffers, struct tw_err *err)
{
    const size_t dim = problem->dim, nmoment = o->optimizer.row->nmoment;
    struct tw_trainer *t;
    bool good;

    if (check(problem, o, err) != TW_OK)
        return NULL;
    t = tw_alloc(1, sizeof *t);
    if (!t)
        goto fail;
    t->o = *o;
    t->problem = problem;
    t->dim = dim;
    t->nb = problem->layout->nb;
    t->x = tw_alloc(dim, sizeof *t->x);
    t->gradient = tw_alloc(dim, sizeof *t->gradient);
    t->proposal = tw_alloc(dim, sizeof *t->proposal);
    t->extra = tw_alloc(o->nextra, sizeof *t->extra);
    t->params = tw_alloc(dim, sizeof *t->params);
    t->buffers = tw_alloc(t->nb, sizeof *t->buffers);
    t->shuffled = tw_alloc(o->order.n, sizeof *t->shuffled);
    good = t->x && t->gradient && t->proposal && t->extra && t->params && t->buffers && t->shuffled;
    if (good && tw_graph_mixes(tw_problem_graph(problem)))
        good = (t->statistics = tw_alloc(t->nb, sizeof *t->statistics)) != NULL;
    for (size_t i = 0; i < nmoment && good; i++)
        good = (t->moment[i] = tw_alloc(dim, sizeof(double))) != NULL;
    if (!good)
        goto fail;
    for (size_t i = 0; i < dim; i++)
        t->x[i] = (double)(t->params[i] = params[i]);
    if (t->nb)
        memcpy(t->buffers, buffers, t->nb * sizeof *t->buffers);
    return t;
fail:
    (void)tw_err_set(err, TW_ENOMEM, "out of memory");
    tw_trainer_free(t);
    return NULL;
}

/* ---- the batch ------------------------------------------------------------------------------- */

/* Rows of update t->steps: NULL for all of them in order. */
static enum tw_status choose_rows(struct tw_trainer *t, const size_t **rows, size_t *n,
                                  struct tw_err *err)
{
    const struct tw_order *o = &t->o.order;
    const struct tw_order_place at = tw_order_place(o, t->steps);
    size_t first;

    *n = o->batch;
    *rows = o->rows;
    if (t->o.fill) {
        *rows = NULL;
        return t->o.fill(t->o.fill_ctx, t->steps, at.branch, err);
    }
    if (o->batch == o->n)
        return TW_OK; /* the whole: a sum needs no order */
    if (!t->have_order || at.epoch != t->place.epoch || at.branch != t->place.branch) {
        tw_order_shuffle(o, at, t->shuffled);
        t->place = at;
        t->have_order = true;
    }
    first = at.batch * o->batch;
    *n = o->n - first < o->batch ? o->n - first : o->batch;
    *rows = t->shuffled + first;
    return TW_OK;
}

/* ---- the step -------------------------------------------------------------------------------- */

static double norm(const double *x, size_t n)
{
    return sqrt(tw_sum_dot(x, x, n));
}

static double clip(struct tw_trainer *t)
{
    const double size = norm(t->gradient, t->dim), scale = t->o.clip / (size + clip_eps);

    if (t->o.clip > 0.0 && scale < 1.0)
        for (size_t i = 0; i < t->dim; i++)
            t->gradient[i] *= scale;
    return size;
}

static double rate(const struct tw_trainer_options *o, size_t step)
{
    const bool spike = o->spike_held ? step >= o->spike_step : step == o->spike_step;

    return spike && o->spike_step != SIZE_MAX ? o->lr[step] * o->spike_factor : o->lr[step];
}

static void propose(struct tw_trainer *t)
{
    const struct tw_optimizer *o = &t->o.optimizer;

    /* Elements by themselves: any split gives the same bits. */
#pragma omp parallel for schedule(static) if (t->dim > 16 * CHUNK)
    for (size_t first = 0; first < t->dim; first += CHUNK)
        o->row->propose(o, (double)t->steps + 1.0, t->x, t->gradient, t->moment, t->proposal, first,
                        first + CHUNK < t->dim ? first + CHUNK : t->dim);
}

/* What is drawn in update t->steps. */
static uint64_t draw_seed(const struct tw_trainer *t)
{
    const uint64_t branch = tw_order_place(&t->o.order, t->steps).branch;
    struct tw_rng rng = tw_rng_stream(t->o.dropout_seed, TW_RNG_UPDATE, branch << 40 | t->steps);

    return tw_rng_u64(&rng);
}

/* Running statistics. */
static void follow(struct tw_trainer *t)
{
    const struct tw_layout *l = t->problem->layout;
    const struct tw_graph *g = tw_problem_graph(t->problem);

    for (size_t i = 0; t->statistics && i < l->nbuffer; i++) {
        const struct tw_param *p = &l->param[l->nparam + i];

        if (tw_graph_statistic(g, i) != TW_STATISTIC_NONE)
            for (size_t k = p->offset; k < p->offset + p->n; k++)
                t->buffers[k] =
                    (float)((1.0 - track) * (double)t->buffers[k] + track * t->statistics[k]);
    }
}

/* False if a parameter is not finite afterwards. */
static bool move(struct tw_trainer *t, double lr)
{
    bool finite = true;

#pragma omp parallel for schedule(static) reduction(&& : finite) if (t->dim > 16 * CHUNK)
    for (size_t i = 0; i < t->dim; i++) {
        t->x[i] -= lr * t->proposal[i];
        t->params[i] = (float)t->x[i];
        finite = finite && isfinite(t->params[i]);
    }
    return finite;
}

enum tw_status tw_trainer_step(struct tw_trainer *t, struct tw_train_report *report,
                               struct tw_err *err)
{
    struct tw_values values;
    struct tw_request r = { .values = &values, .gradient = t->gradient, .buffers = t->buffers };
    struct tw_train_step s = { .step = t->steps,
                               .problem = t->problem,
                               .buffers = t->buffers,
                               .gradient = t->gradient,
                               .proposal = t->proposal,
                               .extra = t->extra };
    enum tw_status rc;

    if (t->steps >= t->o.steps)
        return tw_err_set(err, TW_EINVAL, "all %zu updates are made", t->o.steps);
    rc = choose_rows(t, &s.rows, &s.nrows, err);
    if (rc != TW_OK)
        return rc;
    s.lr = rate(&t->o, t->steps);
    if (t->o.real64)
        r.at.d = t->x;
    else
        r.at.f = t->params;
    s.at = r.at;
    r.rows = s.rows;
    r.nrows = s.nrows;
    r.dropout_seed = s.dropout_seed = draw_seed(t);
    r.statistics = t->statistics;
    rc = tw_problem_eval(t->problem, &r, err);
    if (rc != TW_OK)
        return rc;
    follow(t);
    s.gradient_norm = clip(t);
    propose(t);
    s.proposal_norm = norm(t->proposal, t->dim);
    if (t->o.control) {
        rc = t->o.control(t->o.control_ctx, &s, err);
        if (rc != TW_OK)
            return rc;
    }
    *report = (struct tw_train_report){ .loss = values.loss.value,
                                        .error = values.error.value,
                                        .lr = s.lr,
                                        .grad_norm = s.gradient_norm,
                                        .update_norm = fabs(s.lr) * s.proposal_norm };
    report->finite = move(t, s.lr) && isfinite(values.loss.value);
    report->param_norm = norm(t->x, t->dim);
    report->step = ++t->steps;
    return TW_OK;
}

/* ---- looking and keeping -----------------------------------------------------------------------
 */

size_t tw_trainer_steps(const struct tw_trainer *t)
{
    return t->steps;
}

const float *tw_trainer_params(const struct tw_trainer *t)
{
    return t->params;
}

const double *tw_trainer_params_real(const struct tw_trainer *t)
{
    return t->x;
}

const float *tw_trainer_buffers(const struct tw_trainer *t)
{
    return t->buffers;
}

const double *tw_trainer_extra(const struct tw_trainer *t)
{
    return t->extra;
}

/* Parameters, moments, buffers. */
size_t tw_trainer_state(const struct tw_trainer *t)
{
    return t->dim * (1 + t->o.optimizer.row->nmoment) + t->nb;
}

void tw_trainer_save(const struct tw_trainer *t, double *state)
{
    memcpy(state, t->x, t->dim * sizeof *state);
    state += t->dim;
    for (size_t i = 0; i < t->o.optimizer.row->nmoment; i++, state += t->dim)
        memcpy(state, t->moment[i], t->dim * sizeof *state);
    for (size_t i = 0; i < t->nb; i++)
        state[i] = (double)t->buffers[i];
}

void tw_trainer_load(struct tw_trainer *t, size_t steps, const double *state)
{
    memcpy(t->x, state, t->dim * sizeof *state);
    for (size_t i = 0; i < t->dim; i++)
        t->params[i] = (float)t->x[i];
    state += t->dim;
    for (size_t i = 0; i < t->o.optimizer.row->nmoment; i++, state += t->dim)
        memcpy(t->moment[i], state, t->dim * sizeof *state);
    for (size_t i = 0; i < t->nb; i++)
        t->buffers[i] = (float)state[i];
    t->steps = steps;
    t->have_order = false;
}
