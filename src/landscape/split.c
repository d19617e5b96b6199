/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The split of a barrier's height into layers, by integrating directional gradients. */
#include "thalweg/landscape_split.h"

#include <gsl/gsl_integration.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* LOSSES, PIECES: so many losses and integrals are asked for together, at most. */
enum { NODES = 4, GRADIENTS = 256, LOSSES = 3, PIECES = 2 };

/* ---- groups and ends ---------------------------------------------------------------------------
 */

enum tw_status tw_groups_make(const struct tw_layout *layout, struct tw_groups *out,
                              struct tw_err *err)
{
    const size_t n = layout->nparam + layout->nbuffer;

    *out = (struct tw_groups){ 0 };
    out->name = tw_alloc(n, sizeof *out->name);
    out->of = tw_alloc(n, sizeof *out->of);
    if (!out->name || !out->of)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; i < n; i++) {
        const char *layer = layout->param[i].layer;
        size_t k = 0;

        while (k < out->n && strcmp(out->name[k], layer) != 0)
            k++;
        if (k == out->n)
            out->name[out->n++] = layer;
        out->of[i] = k;
    }
    return TW_OK;
}

void tw_groups_release(struct tw_groups *g)
{
    free(g->name);
    free(g->of);
    *g = (struct tw_groups){ 0 };
}

bool tw_ends_buffers_move(const struct tw_ends *e, const struct tw_layout *layout)
{
    for (size_t i = 0; e->buffers[0] && i < layout->nb; i++)
        if (e->buffers[0][i] != e->buffers[1][i])
            return true;
    return false;
}

static enum tw_status anchor(struct tw_problem *p, const struct tw_ends *e, struct tw_err *err)
{
    return tw_problem_anchor(
        p, 2, (struct tw_vector[]){ { .f = e->params[0] }, { .f = e->params[1] } },
        e->buffers[0] ? (const float *const[]){ e->buffers[0], e->buffers[1] } : NULL, err);
}

/* ---- pieces ------------------------------------------------------------------------------------
 */

struct piece {
    double a, b, fa, fb;
    double factor; /* 1 - t left of t, -t right of it */
    double doubt;  /* of a part, before the factor */
    size_t row;    /* of its integrals */
};

struct work {
    struct tw_problem *p;
    const struct tw_ends *ends;
    const struct tw_groups *g;
    gsl_integration_glfixed_table *rule;
    double *gradient; /* dim */
    double *products; /* (PIECES NODES, nparam): <g, d> of each tensor, at nodes just asked for */
    double *parts;    /* (room, groups) */
    struct piece *piece;  /* (room) */
    size_t n, rows, room; /* pieces, rows in use, and for how many there is room */
    bool buffers_move;
    struct tw_parts *out;
};

/* What is asked for together: losses, then gradients at the nodes of pieces. */
struct asked {
    struct work *w;
    size_t n, nloss, first_failed;
    struct tw_request request[LOSSES + PIECES * NODES];
    double weights[LOSSES + PIECES * NODES][2];
    struct tw_values values[LOSSES];
    struct tw_err failure;
};

static void ask(struct asked *a, double t, double *gradient)
{
    const size_t k = a->n++;

    a->weights[k][0] = 1.0 - t;
    a->weights[k][1] = t;
    a->request[k] = (struct tw_request){ .weights = a->weights[k],
                                         .values = gradient ? NULL : &a->values[k],
                                         .gradient = gradient };
}

/* <g, d> of each tensor; then the gradient's place is free for another. */
static void multiply(const struct work *w, double *product)
{
    const struct tw_layout *l = w->p->layout;

    for (size_t i = 0; i < l->nparam; i++) {
        const size_t from = l->param[i].offset;
        double s = 0.0;

        for (size_t k = from; k < from + l->param[i].n; k++)
            s += w->gradient[k] * ((double)w->ends->params[1][k] - (double)w->ends->params[0][k]);
        product[i] = s;
    }
}

static bool answered(void *ctx, size_t i, const struct tw_err *failure)
{
    struct asked *a = ctx;

    if (failure && i < a->first_failed) {
        a->first_failed = i;
        a->failure = *failure;
    } else if (!failure && i >= a->nloss) {
        multiply(a->w, a->w->products + (i - a->nloss) * a->w->p->layout->nparam);
    }
    return a->first_failed == SIZE_MAX;
}

/* Losses at nloss places, and the integrals of npieces pieces. */
static enum tw_status measure(struct work *w, size_t nloss, const double *t, double *loss,
                              size_t npieces, struct piece *const *pieces, struct tw_err *err)
{
    struct asked a = { .w = w, .nloss = nloss, .first_failed = SIZE_MAX };
    const size_t nparam = w->p->layout->nparam;
    double weight[PIECES * NODES], s;
    struct tw_err why = { 0 };
    enum tw_status rc;

    for (size_t k = 0; k < nloss; k++)
        ask(&a, t[k], NULL);
    for (size_t k = 0; k < npieces * NODES; k++) {
        const struct piece *p = pieces[k / NODES];

        gsl_integration_glfixed_point(p->a, p->b, k % NODES, &s, &weight[k], w->rule);
        ask(&a, s, w->gradient);
    }
    w->out->losses += nloss;
    w->out->gradients += npieces * NODES;
    rc = tw_problem_eval_many(w->p, a.n, a.request, answered, &a, &why);
    if (a.first_failed != SIZE_MAX)
        return tw_err_set(err, a.failure.code, "%s", a.failure.msg);
    if (rc != TW_OK)
        return tw_err_set(err, rc, "%s", why.msg);
    for (size_t k = 0; k < nloss; k++)
        loss[k] = a.values[k].loss.value;
    for (size_t k = 0; k < npieces * NODES; k++) {
        double *sum = w->parts + pieces[k / NODES]->row * w->g->n;

        for (size_t i = 0; i < nparam; i++)
            sum[w->g->of[i]] += weight[k] * w->products[k * nparam + i];
    }
    return TW_OK;
}

/* How far the piece's integrals may be off: their sum is known, unless buffers move. */
static double piece_error(const struct work *w, const struct piece *p)
{
    const double *part = w->parts + p->row * w->g->n;
    double sum = 0.0;

    for (size_t k = 0; k < w->g->n; k++)
        sum += part[k];
    return fabs(p->factor) * fmax(p->doubt, w->buffers_move ? 0.0 : fabs(p->fb - p->fa - sum));
}

/* Halve a piece; the halves share what the parts changed by. */
static enum tw_status halve(struct work *w, size_t k, struct tw_err *err)
{
    struct piece *left = &w->piece[k], *right = &w->piece[w->n];
    const double mid = 0.5 * (left->a + left->b);
    const double *old = w->parts + left->row * w->g->n;
    double change = 0.0, f = 0.0;
    enum tw_status rc;

    *right = (struct piece){ mid, left->b, f, left->fb, left->factor, 0.0, w->rows + 1 };
    *left = (struct piece){ left->a, mid, left->fa, f, left->factor, 0.0, w->rows };
    w->rows += 2;
    w->n++;
    rc = measure(w, 1, &mid, &f, 2, (struct piece *[]){ left, right }, err);
    left->fb = right->fa = f;
    for (size_t i = 0; i < w->g->n; i++)
        change = fmax(change, fabs(w->parts[left->row * w->g->n + i] +
                                   w->parts[right->row * w->g->n + i] - old[i]));
    left->doubt = right->doubt = 0.5 * change;
    return rc;
}

static enum tw_status refine(struct work *w, const struct tw_parts_options *o, struct tw_err *err)
{
    enum tw_status rc = TW_OK;

    while (rc == TW_OK) {
        double total = 0.0, worst = -1.0;
        size_t at = 0;

        for (size_t k = 0; k < w->n; k++) {
            const double e = piece_error(w, &w->piece[k]);

            total += e;
            if (e > worst || isnan(e)) {
                worst = isnan(e) ? HUGE_VAL : e;
                at = k;
            }
        }
        w->out->doubt = total;
        w->out->converged = total <= o->tol;
        if (w->out->converged || w->rows + 2 > w->room || isnan(total))
            return TW_OK;
        rc = halve(w, at, err);
    }
    return rc;
}

static void add_up(struct work *w)
{
    struct tw_parts *s = w->out;
    double sum = 0.0;

    for (size_t k = 0; k < w->n; k++)
        for (size_t i = 0; i < w->g->n; i++)
            s->part[i] += w->piece[k].factor * w->parts[w->piece[k].row * w->g->n + i];
    for (size_t i = 0; i < w->g->n; i++)
        sum += s->part[i];
    if (w->buffers_move)
        s->buffers = s->whole - sum;
    else
        s->residual = s->whole - sum;
}

static enum tw_status start(struct work *w, double t, struct tw_err *err)
{
    const double at[] = { 0.0, t, 1.0 };
    double f[3] = { 0 };
    struct piece *p = w->piece;
    enum tw_status rc;

    for (int side = 0; side < 2; side++)
        p[w->n++] = (struct piece){ .a = side ? t : 0.0,
                                    .b = side ? 1.0 : t,
                                    .factor = side ? -t : 1.0 - t,
                                    .doubt = HUGE_VAL, /* always cut once */
                                    .row = w->rows++ };
    rc = measure(w, 3, at, f, 2, (struct piece *[]){ &p[0], &p[1] }, err);
    for (int side = 0; side < 2; side++) {
        p[side].fa = f[side];
        p[side].fb = f[side + 1];
    }
    w->out->whole = f[1] - (1.0 - t) * f[0] - t * f[2];
    return rc;
}

enum tw_status tw_parts_measure(struct tw_problem *p, const struct tw_ends *ends,
                                const struct tw_groups *g, const struct tw_parts_options *o,
                                struct tw_parts *out, struct tw_err *err)
{
    const size_t gradients = o->max_gradients ? o->max_gradients : GRADIENTS;
    struct work w = { .p = p, .ends = ends, .g = g, .out = out };
    enum tw_status rc = TW_OK;

    *out = (struct tw_parts){ .n = g->n, .residual = (double)NAN, .buffers = (double)NAN };
    if (!(o->t > 0.0 && o->t < 1.0))
        return tw_err_set(err, TW_EINVAL, "a split at t = %g: it is for t between 0 and 1", o->t);
    w.room = gradients / NODES < 6 ? 6 : gradients / NODES;
    w.rule = gsl_integration_glfixed_table_alloc(NODES);
    w.gradient = tw_alloc(p->dim, sizeof *w.gradient);
    w.products = tw_alloc(p->layout->nparam, PIECES * NODES * sizeof *w.products);
    w.parts = tw_alloc(w.room, g->n * sizeof *w.parts);
    w.piece = tw_alloc(w.room, sizeof *w.piece);
    w.buffers_move = tw_ends_buffers_move(ends, p->layout);
    out->part = tw_alloc(g->n, sizeof *out->part);
    if (!w.rule || !w.gradient || !w.products || !w.parts || !w.piece || !out->part)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    if (rc == TW_OK)
        rc = anchor(p, ends, err);
    if (rc == TW_OK)
        rc = start(&w, o->t, err);
    if (rc == TW_OK)
        rc = refine(&w, o, err);
    if (rc == TW_OK)
        add_up(&w);
    if (w.rule)
        gsl_integration_glfixed_table_free(w.rule);
    free(w.gradient);
    free(w.products);
    free(w.parts);
    free(w.piece);
    return rc;
}

void tw_parts_release(struct tw_parts *s)
{
    free(s->part);
    *s = (struct tw_parts){ 0 };
}

/* ---- curvature ---------------------------------------------------------------------------------
 */

struct bends {
    size_t dim;
    const double *delta;
    double *product[3]; /* of the ends and the middle; one place where one is worked on */
    double *bend;
    enum tw_status rc;
    struct tw_err *err;
};

static bool bent(void *ctx, size_t k, const struct tw_err *failure)
{
    struct bends *b = ctx;

    if (b->rc == TW_OK && failure)
        b->rc = tw_err_set(b->err, failure->code, "%s", failure->msg);
    else if (!failure)
        b->bend[k] = tw_sum_dot(b->product[k], b->delta, b->dim);
    return b->rc == TW_OK;
}

static enum tw_status measure_bends(struct tw_problem *p, struct bends *b, double *slope)
{
    static const double weights[3][2] = { { 1.0, 0.0 }, { 0.5, 0.5 }, { 0.0, 1.0 } };
    const struct tw_vector direction = { .d = b->delta };
    struct tw_request r[3];
    struct tw_err why = { 0 };
    enum tw_status rc;

    for (int k = 0; k < 3; k++)
        r[k] = (struct tw_request){ .weights = weights[k],
                                    .ndirections = 1,
                                    .directions = &direction,
                                    .slopes = &slope[k],
                                    .hvp = &b->product[k] };
    rc = tw_problem_eval_in_order(p, 3, r, bent, b, &why);
    if (b->rc != TW_OK)
        return b->rc;
    return rc == TW_OK ? TW_OK : tw_err_set(b->err, rc, "%s", why.msg);
}

enum tw_status tw_curvature_guess(struct tw_problem *p, const struct tw_ends *ends,
                                  struct tw_curvature_guess *out, struct tw_err *err)
{
    const size_t places = p->parallel > 1 ? 3 : 1;
    double *delta = tw_alloc(p->dim, sizeof *delta);
    double *product = tw_alloc(p->dim, places * sizeof *product);
    struct bends b = { .dim = p->dim, .delta = delta, .bend = out->bend, .err = err };
    enum tw_status rc =
        delta && product ? anchor(p, ends, err) : tw_err_set(err, TW_ENOMEM, "out of memory");
    double slope[3] = { 0 };

    for (size_t k = 0; rc == TW_OK && k < 3; k++)
        b.product[k] = product + k % places * p->dim;
    for (size_t i = 0; rc == TW_OK && i < p->dim; i++)
        delta[i] = (double)ends->params[1][i] - (double)ends->params[0][i];
    if (rc == TW_OK)
        rc = measure_bends(p, &b, slope);
    out->slope[0] = slope[0];
    out->slope[1] = slope[2];
    out->by_slopes = (slope[0] - slope[2]) / 8.0;
    out->by_ends = -(out->bend[0] + out->bend[2]) / 16.0;
    out->by_middle = -out->bend[1] / 8.0;
    out->by_three = -(out->bend[0] + 10.0 * out->bend[1] + out->bend[2]) / 96.0;
    free(delta);
    free(product);
    return rc;
}
