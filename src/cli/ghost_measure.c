/* SPDX-License-Identifier: GPL-3.0-or-later */
/* One direction: bounds and zeros of every softmax, curvature, bending, layers. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "ghost.h"

/* Numbers kept for second differences of logits: 0.5 GB. */
#define MOST_KEPT 1.6e7

/* ---- bounds and zeros ---------------------------------------------------------------------- */

struct gather {
    const struct ghost *g;
    struct ghost_line *l;
    double *z, *a; /* NULL, or all of them */
};

static enum tw_status take(void *ctx, const struct tw_ghost_block *b, struct tw_err *err)
{
    struct gather *w = ctx;
    struct ghost_line *l = w->l;
    const size_t first = b->first;
    const struct tw_ghost_samples s = { b->n, b->classes, b->logits, b->slopes[0],
                                        1.0 }; /* the network's logits are divided by it */
    const struct tw_ghost_each each = { l->rho_a + first,   l->low + first, l->rho + first,
                                        l->re + first,      l->im + first,  l->flip + first,
                                        l->variance + first };
    struct tw_ghost_batch part;
    enum tw_status rc;

    memcpy(l->row + first, b->row, b->n * sizeof *b->row);
    memcpy(l->label + first, b->label, b->n * sizeof *b->label);
    if (w->z) {
        memcpy(w->z + first * b->classes, b->logits, b->n * b->classes * sizeof *w->z);
        memcpy(w->a + first * b->classes, b->slopes[0], b->n * b->classes * sizeof *w->a);
    }
    rc = tw_ghost_batch(&s, w->g->exact, isfinite(l->tau) ? l->tau : 0.0,
                        w->g->call->common.threads, first, &each, &part, err);
    if (rc == TW_OK)
        tw_ghost_batch_add(&l->all, &part, first);
    return rc;
}

/* ---- bending: second differences of the logits --------------------------------------------- */

struct bend {
    const struct ghost_line *l;
    double *to;
    size_t classes;
};

static enum tw_status take_slopes(void *ctx, const struct tw_ghost_block *b, struct tw_err *err)
{
    const struct bend *w = ctx;

    (void)err;
    memcpy(w->to + b->first * b->classes, b->slopes[0], b->n * b->classes * sizeof *w->to);
    return TW_OK;
}

/* The slopes at params + h v into `to`. */
static enum tw_status slopes_at(struct ghost *g, const struct ghost_line *l, const double *v,
                                double h, double *to)
{
    const struct tw_vector direction = { NULL, v };
    struct bend w = { l, to, l->classes };
    double *at = tw_alloc(g->problem->dim, sizeof *at);
    struct tw_request r = { .buffers = g->buffers, .ndirections = 1, .directions = &direction };
    enum tw_status rc;

    if (!at)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < g->problem->dim; i++)
        at[i] = (g->at.f ? (double)g->at.f[i] : g->at.d[i]) + h * v[i];
    r.at.d = at;
    rc = tw_ghost_pass(g, &r, take_slopes, &w);
    free(at);
    return rc;
}

/* The least radius for logits z + a t + b t^2 with b = (a(h) - a(-h)) / 4h. */
static enum tw_status bending(struct ghost *g, struct ghost_line *l, const double *v,
                              const double *z, const double *a)
{
    const size_t n = l->n * l->classes;
    const double h = 0.05 * l->all.rho_a.value;
    double *up = tw_alloc(n, sizeof *up), *down = tw_alloc(n, sizeof *down), least = HUGE_VAL;
    enum tw_status rc = TW_OK;

    if (!up || !down)
        rc = tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = slopes_at(g, l, v, h, up);
    if (rc == TW_OK)
        rc = slopes_at(g, l, v, -h, down);
    for (size_t i = 0; rc == TW_OK && i < n; i++)
        up[i] = (up[i] - down[i]) / (4.0 * h);
    for (size_t i = 0; rc == TW_OK && i < l->n; i++)
        least = fmin(least, tw_ghost_quadratic(l->classes, z + i * l->classes, a + i * l->classes,
                                               up + i * l->classes, 1.0));
    l->quadratic = rc == TW_OK ? least : (double)NAN;
    free(up);
    free(down);
    return rc;
}

/* ---- layers -------------------------------------------------------------------------------- */

struct layers {
    struct ghost_line *l;
    size_t first, n; /* of these layers, the first and how many */
    double *sum;     /* of each softmax: length times spread */
};

static enum tw_status take_layers(void *ctx, const struct tw_ghost_block *b, struct tw_err *err)
{
    struct layers *w = ctx;

    (void)err;
    for (size_t t = 0; t < w->n; t++) {
        struct ghost_layer *layer = &w->l->layer[w->first + t];

        for (size_t i = 0; i < b->n; i++) {
            const double *a = b->slopes[t] + i * b->classes;
            double lo = a[0], hi = a[0], one = 1.0, spread;

            for (size_t k = 1; k < b->classes; k++) {
                lo = fmin(lo, a[k]);
                hi = fmax(hi, a[k]);
            }
            spread = hi - lo;
            w->sum[b->first + i] += tw_ghost_polydisc(1, &layer->tau, &spread, 1.0);
            /* Of one direction alone the sum is its normalised step. */
            layer->rho_a = fmin(layer->rho_a, 1.0 / tw_ghost_polydisc(1, &one, &spread, 1.0));
        }
    }
    return TW_OK;
}

static enum tw_status find_layers(struct ghost *g, struct ghost_line *l, const double *v)
{
    const struct tw_layout *layout = g->problem->layout;
    const double scale = isfinite(l->tau) ? l->tau : 1.0;

    l->layer = tw_alloc(layout->nparam, sizeof *l->layer);
    if (!l->layer)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (size_t p = 0; p < layout->nparam; p++) {
        const struct tw_param *q = &layout->param[p];
        size_t k = 0;

        while (k < l->nlayer && strcmp(l->layer[k].name, q->layer) != 0)
            k++;
        if (k == l->nlayer)
            l->layer[l->nlayer++] = (struct ghost_layer){ q->layer, 0.0, HUGE_VAL };
        l->layer[k].tau += tw_sum_dot(v + q->offset, v + q->offset, q->n);
    }
    for (size_t k = 0; k < l->nlayer; k++)
        l->layer[k].tau = scale * sqrt(l->layer[k].tau);
    return TW_OK;
}

/* The parts of v in `n` layers from `first`, each scaled to length 1, one after another. */
static void parts_of(const struct ghost *g, const struct ghost_line *l, const double *v,
                     size_t first, size_t n, double *parts)
{
    const struct tw_layout *layout = g->problem->layout;
    const double scale = isfinite(l->tau) ? l->tau : 1.0;

    memset(parts, 0, n * g->problem->dim * sizeof *parts);
    for (size_t p = 0; p < layout->nparam; p++) {
        const struct tw_param *q = &layout->param[p];

        for (size_t k = 0; k < n; k++)
            if (!strcmp(l->layer[first + k].name, q->layer) && l->layer[first + k].tau > 0.0)
                for (size_t i = q->offset; i < q->offset + q->n; i++)
                    parts[k * g->problem->dim + i] = v[i] * scale / l->layer[first + k].tau;
    }
}

static enum tw_status by_layer(struct ghost *g, struct ghost_line *l, const double *v)
{
    const size_t dim = g->problem->dim, most = g->tangents;
    struct tw_vector *directions = tw_alloc(most, sizeof *directions);
    double *parts = dim <= SIZE_MAX / most ? tw_alloc(dim * most, sizeof *parts) : NULL;
    struct layers w = { .l = l };
    enum tw_status rc = find_layers(g, l, v);

    w.sum = tw_alloc(l->n, sizeof *w.sum);
    if (rc == TW_OK && (!directions || !parts || !w.sum))
        rc = tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (; rc == TW_OK && w.first < l->nlayer; w.first += most) {
        struct tw_request r = { .at = g->at,
                                .buffers = g->buffers,
                                .ndirections =
                                    l->nlayer - w.first < most ? l->nlayer - w.first : most,
                                .directions = directions };

        w.n = r.ndirections;
        parts_of(g, l, v, w.first, w.n, parts);
        for (size_t k = 0; k < r.ndirections; k++)
            directions[k].d = parts + k * dim;
        rc = tw_ghost_pass(g, &r, take_layers, &w);
    }
    for (size_t i = 0; rc == TW_OK && i < l->n; i++)
        l->polydisc = fmax(l->polydisc, w.sum[i]);
    free(directions);
    free(parts);
    free(w.sum);
    return rc;
}

/* ---- inside the network -------------------------------------------------------------------- */

static enum tw_status look_inside(struct ghost *g, struct ghost_line *l, const double *v)
{
    enum tw_status rc =
        tw_ghost_inside_run(g->inside, g->params, g->buffers, v, &g->data.x, g->problem->n,
                            tw_problem_rows(g->problem), &g->call->err);

    if (rc != TW_OK)
        return rc;
    l->nsite = tw_ghost_inside_count(g->inside);
    l->site = tw_alloc(l->nsite, sizeof *l->site);
    if (!l->site)
        return tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < l->nsite; i++)
        l->site[i] = *tw_ghost_inside_site(g->inside, i);
    return TW_OK;
}

/* ---- all of it ----------------------------------------------------------------------------- */

/* Loss, slope and curvature at the point; NaN where an evaluator offers none. */
static enum tw_status local(struct ghost *g, struct ghost_line *l, const double *v)
{
    const struct tw_vector direction = { NULL, v };
    const struct tw_evaluator_info own =
        g->own.n ? tw_evaluator_info(g->problem) : (struct tw_evaluator_info){ 0 };
    const bool slope = !g->own.n || own.jvp || own.grad, curvature = !g->own.n || own.hvp;
    double *h = tw_alloc(g->problem->dim, sizeof *h);
    struct tw_values values = { 0 };
    const struct tw_request r = { .at = g->at,
                                  .buffers = g->buffers,
                                  .ndirections = 1,
                                  .directions = &direction,
                                  .values = &values,
                                  .slopes = slope ? &l->slope : NULL,
                                  .hvp = curvature ? &h : NULL };
    enum tw_status rc = h ? tw_problem_eval(g->problem, &r, &g->call->err)
                          : tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");

    l->slope = slope ? l->slope : (double)NAN;
    if (rc == TW_OK) {
        l->loss = values.loss.value;
        l->error = values.error.value;
        l->curvature = curvature ? tw_sum_dot(h, v, g->problem->dim) : (double)NAN;
    }
    free(h);
    return rc;
}

enum tw_status tw_ghost_measure(struct ghost *g, struct ghost_line *l, const double *v)
{
    const struct tw_vector direction = { NULL, v };
    const struct tw_request r = {
        .at = g->at, .buffers = g->buffers, .ndirections = 1, .directions = &direction
    };
    const size_t n = tw_ghost_softmaxes(g, &r);
    const size_t classes = g->own.n ? g->classes : tw_problem_ports(g->problem)->classes;
    const bool bend = (double)n * (double)classes <= MOST_KEPT && !g->o->trajectory;
    struct gather w = { .g = g, .l = l };
    enum tw_status rc;

    l->classes = classes;
    l->quadratic = (double)NAN;
    rc = tw_ghost_line_make(l, n, &g->call->err);
    if (rc == TW_OK && bend) {
        w.z = tw_alloc(n * l->classes, sizeof *w.z);
        w.a = tw_alloc(n * l->classes, sizeof *w.a);
        if (!w.z || !w.a)
            rc = tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");
    }
    if (rc == TW_OK)
        rc = local(g, l, v);
    if (rc == TW_OK)
        rc = tw_ghost_pass(g, &r, take, &w);
    if (rc == TW_OK && bend && isfinite(l->all.rho_a.value))
        rc = bending(g, l, v, w.z, w.a);
    if (rc == TW_OK && g->nline == 1)
        rc = by_layer(g, l, v);
    if (rc == TW_OK && g->inside)
        rc = look_inside(g, l, v);
    if (rc == TW_OK && g->bare)
        rc = tw_ghost_truths_find(g, l, v);
    if (rc == TW_OK && g->nonset)
        rc = tw_ghost_onsets_find(g, l, v);
    free(w.z);
    free(w.a);
    return rc == TW_OK ? rc : tw_err_ctx(&g->call->err, rc, "%s", l->name);
}
