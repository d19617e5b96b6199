/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Which points of a line to evaluate next, and evaluating them. */
#include "line.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

enum { START = 9, BORDER = 256 };

/* Two points are never nearer than this part of the interval. */
static const double APART = 1e-6;

/* ---- points -----------------------------------------------------------------------------------
 */

enum tw_status tw_line_init(struct tw_line *l, const struct tw_line_options *o, struct tw_err *err)
{
    *l = (struct tw_line){ .o = *o };
    if (l->o.start == 0)
        l->o.start = START < o->max_points ? START : o->max_points;
    if (!(o->lo < o->hi) || !isfinite(o->hi - o->lo))
        return tw_err_set(err, TW_EINVAL, "a line from %g to %g: the first must be the smaller",
                          o->lo, o->hi);
    if (l->o.start < 3 || o->max_points < l->o.start)
        return tw_err_set(err, TW_EINVAL,
                          "a line of at most %zu points that starts with %zu: it takes 3 at least, "
                          "and no more at the start than in all",
                          o->max_points, l->o.start);
    l->point = tw_alloc(o->max_points, sizeof *l->point);
    l->order = tw_alloc(o->max_points, sizeof *l->order);
    return l->point && l->order ? TW_OK : tw_err_set(err, TW_ENOMEM, "out of memory");
}

void tw_line_release(struct tw_line *l)
{
    free(l->point);
    free(l->order);
    *l = (struct tw_line){ 0 };
}

enum tw_status tw_line_add(struct tw_line *l, const struct tw_line_point *p, struct tw_err *err)
{
    size_t k = 0;

    if (l->n == l->o.max_points)
        return tw_err_set(err, TW_EINVAL, "a line of %zu points is full", l->n);
    while (k < l->n && line_t(l, k) < p->t)
        k++;
    if (!(p->t >= l->o.lo && p->t <= l->o.hi) || (k < l->n && line_t(l, k) == p->t))
        return tw_err_set(err, TW_EINVAL, "t = %.17g is off the line, or there already", p->t);
    for (size_t i = l->n; i > k; i--)
        l->order[i] = l->order[i - 1];
    l->order[k] = l->n;
    l->point[l->n++] = *p;
    return TW_OK;
}

/* ---- the next point ---------------------------------------------------------------------------
 */

/* Point k of an even grid of n; its ends to the bit. */
static double grid(const struct tw_line *l, size_t k, size_t n)
{
    const double s = (double)k / (double)(n - 1);

    return k == 0 ? l->o.lo : k + 1 == n ? l->o.hi : l->o.lo + s * (l->o.hi - l->o.lo);
}

static bool has(const struct tw_line *l, double t)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->point[i].t == t)
            return true;
    return false;
}

/* What is asked for: in all the curve, rounding at the least. */
static double tolerance(const struct tw_line *l, enum tw_line_curve which)
{
    double lo = (double)INFINITY, hi = -lo, tol = l->o.error_tol;

    for (size_t k = 0; k < l->n; k++) {
        const double y = line_value(l, which, k);

        if (isfinite(y))
            lo = fmin(lo, y);
        if (isfinite(y))
            hi = fmax(hi, y);
    }
    if (which == TW_LINE_LOSS)
        tol = l->o.tol > 0.0 ? l->o.tol : 1e-3 * (hi - lo);
    return fmax(tol, 64.0 * DBL_EPSILON * fmax(fabs(lo), fabs(hi)));
}

/* ... and at piece k. */
static double tolerance_at(const struct tw_line *l, enum tw_line_curve which, double tol, size_t k)
{
    const struct tw_values *a = &l->point[l->order[k]].values,
                           *b = &l->point[l->order[k + 1]].values;
    const double se =
        which == TW_LINE_ERROR ? fmin(a->error.se, b->error.se) : fmin(a->loss.se, b->loss.se);

    return isfinite(se) ? fmax(tol, l->o.noise * se) : tol;
}

static bool is_border(const struct tw_line *l, enum tw_line_curve which, size_t k)
{
    return !isfinite(line_value(l, which, k)) != !isfinite(line_value(l, which, k + 1));
}

/* The piece that is furthest from what is asked for, and its error in tolerances; l->n: all are
 * good. */
static size_t worst_piece(const struct tw_line *l, enum tw_line_curve which, double *error)
{
    const double tol = tolerance(l, which), whole = l->o.hi - l->o.lo;
    double worst = 1.0;
    size_t at = l->n;

    for (size_t k = 0; k + 1 < l->n; k++) {
        const double h = line_t(l, k + 1) - line_t(l, k);
        const double e = line_piece_error(l, which, k) / tolerance_at(l, which, tol, k);
        const bool border = is_border(l, which, k) && h > 1.5 * whole / BORDER;

        if (h < 2.0 * APART * whole || !((border && isfinite(worst)) || e > worst))
            continue;
        worst = border ? (double)INFINITY : e;
        at = k;
    }
    *error = worst;
    return at;
}

/* A place in piece k that cuts it into as many parts as its error asks for, fourth powers of their
 * lengths: the middle, a third, two fifths. The other cuts follow. */
static double cut(const struct tw_line *l, size_t k, double error)
{
    const double a = line_t(l, k), b = line_t(l, k + 1);
    const double parts = isfinite(error) ? fmin(fmax(ceil(pow(error, 0.25)), 2.0), 5.0) : 2.0;
    const double s = floor(0.5 * parts) / parts;

    return s == 0.5 ? 0.5 * (a + b) : a + s * (b - a);
}

/* A maximum between points that stands out by a tenth of the tolerance. */
static bool missed_top(const struct tw_line *l, enum tw_line_curve which, bool excess, double *t)
{
    const double tol = tolerance(l, which);
    const double top = tw_line_top(l, which, excess, t);
    double c = 0.0, best = -INFINITY;

    for (size_t k = 0; k < l->n; k++) {
        const double s = (line_t(l, k) - l->o.lo) / (l->o.hi - l->o.lo);

        if (excess)
            c = (1.0 - s) * line_value(l, which, 0) + s * line_value(l, which, l->n - 1);
        best = fmax(best, line_value(l, which, k) - c);
        if (fabs(line_t(l, k) - *t) < APART * (l->o.hi - l->o.lo))
            return false;
    }
    return top > best + 0.1 * tol;
}

static enum tw_line_curve last_curve(const struct tw_line *l)
{
    return l->o.error_tol > 0.0 ? TW_LINE_ERROR : TW_LINE_LOSS;
}

/* What is missing of the first grid. Both ends come first: whoever looks on sees what the line is
 * between. */
static size_t missing(const struct tw_line *l, size_t most, double *t)
{
    const size_t first = l->o.even ? l->o.max_points : l->o.start;
    size_t n = 0;

    for (size_t k = 0; k < first && n < most; k++) {
        t[n] = grid(l, k == 1 ? first - 1 : k > 1 ? k - 1 : k, first);
        n += has(l, t[n]) ? 0U : 1U;
    }
    return n;
}

size_t tw_line_next(const struct tw_line *l, size_t most, double *t)
{
    const size_t room = l->o.max_points - l->n;
    const size_t n = missing(l, most < room ? most : room, t);

    if (n || !room || l->o.even)
        return n;
    for (int c = TW_LINE_LOSS; c <= (int)last_curve(l); c++) {
        double error;
        const size_t k = worst_piece(l, (enum tw_line_curve)c, &error);

        if (k < l->n) {
            *t = cut(l, k, error);
            return 1;
        }
    }
    for (int c = TW_LINE_LOSS; c <= (int)last_curve(l); c++)
        if (missed_top(l, (enum tw_line_curve)c, true, t) ||
            missed_top(l, (enum tw_line_curve)c, false, t))
            return 1;
    return 0;
}

bool tw_line_converged(const struct tw_line *l)
{
    double error;

    for (int c = TW_LINE_LOSS; c <= (int)last_curve(l); c++)
        if (l->n < l->o.start || worst_piece(l, (enum tw_line_curve)c, &error) < l->n)
            return false;
    return true;
}

/* ---- evaluating ---------------------------------------------------------------------------------
 */

/* An anchor whose weight does not change keeps it to the bit. */
static void weights_at(const struct tw_line_path *path, double t, double *weights)
{
    for (size_t k = 0; k < path->nanchors; k++) {
        const double a = path->from[k], b = path->to[k];

        weights[k] = a == b ? a : (1.0 - t) * a + t * b;
    }
}

/* Points that are asked for together, at most `most`. */
struct sampling {
    struct tw_problem *p;
    tw_line_done_fn *done;
    void *ctx;
    size_t most;
    struct tw_line **line; /* (most) each: whose point it is */
    double *t, *weights;   /* ... (most, nanchors) */
    struct tw_line_point *point;
    struct tw_request *request;
    enum tw_status rc; /* of those that were told */
    struct tw_err *err;
};

static enum tw_status prepare(struct sampling *s, const struct tw_line_job *job, size_t n,
                              struct tw_err *err)
{
    s->err = err;
    for (size_t k = 0; k < n; k++) {
        const struct tw_line *l = job[k].line;

        if ((l->loss || l->miss) && (l->samples != s->p->n || !l->weight))
            return tw_err_set(err, TW_EINVAL, "room for %zu samples, but the problem has %zu",
                              l->samples, s->p->n);
    }
    s->most = tw_problem_batch(s->p);
    s->line = tw_alloc(s->most, sizeof(struct tw_line *));
    s->t = tw_alloc(s->most, sizeof *s->t);
    s->weights = tw_alloc(s->most, job->path.nanchors * sizeof *s->weights);
    s->point = tw_alloc(s->most, sizeof *s->point);
    s->request = tw_alloc(s->most, sizeof *s->request);
    return s->line && s->t && s->weights && s->point && s->request
               ? TW_OK
               : tw_err_set(err, TW_ENOMEM, "out of memory");
}

static void release(struct sampling *s)
{
    free(s->line);
    free(s->t);
    free(s->weights);
    free(s->point);
    free(s->request);
}

/* Request k is the next but `ahead` of its line. */
static void ask(struct sampling *s, size_t k, const struct tw_line_job *job, size_t ahead)
{
    struct tw_line *l = job->line;
    const struct tw_line_path *path = &job->path;
    const size_t row = (l->n + ahead) * l->samples;
    struct tw_line_point *point = &s->point[k];
    double *weights = s->weights + k * path->nanchors;

    s->line[k] = l;
    weights_at(path, s->t[k], weights);
    *point = (struct tw_line_point){ .t = s->t[k], .slope = (double)NAN };
    s->request[k] = (struct tw_request){
        .weights = weights,
        .ndirections = path->direction ? 1 : 0,
        .directions = path->direction,
        .slopes = path->direction ? &point->slope : NULL,
        .values = &point->values,
        .loss = l->loss ? l->loss + row : NULL,
        .weight = l->weight, /* the same at every point */
        .correct = l->miss && s->p->has_error ? l->miss + row : NULL,
    };
}

/* In the order of each line's points, as its rows are. */
static bool take(void *ctx, size_t k, const struct tw_err *failure)
{
    struct sampling *s = ctx;
    struct tw_line *l = s->line[k];
    double *miss = s->request[k].correct;
    enum tw_status rc;

    if (s->rc != TW_OK && (s->rc != TW_ESTOP || failure))
        return false;
    for (size_t i = 0; !failure && miss && i < l->samples; i++)
        miss[i] = l->weight[i] - miss[i];
    rc = failure ? tw_err_set(s->err, failure->code, "%s", failure->msg)
                 : tw_line_add(l, &s->point[k], s->err);
    if (rc == TW_OK && s->done)
        rc = s->done(s->ctx, l, l->n - 1, s->err);
    if (rc != TW_OK)
        s->rc = rc;
    return s->rc == TW_OK;
}

static enum tw_status sample(struct sampling *s, size_t njob, const struct tw_line_job *job,
                             size_t *asked)
{
    struct tw_err why = { 0 };
    size_t n = 0;
    enum tw_status rc = TW_OK;

    for (size_t j = 0; j < njob && n < s->most; j++) {
        const size_t more = tw_line_next(job[j].line, s->most - n, s->t + n);

        for (size_t k = 0; k < more; k++)
            ask(s, n + k, &job[j], k);
        n += more;
    }
    if (asked)
        *asked = n;
    if (n > 0)
        rc = tw_problem_eval_in_order(s->p, n, s->request, take, s, &why);
    if (s->rc != TW_OK)
        return s->rc;
    return rc == TW_OK ? TW_OK : tw_err_set(s->err, rc, "%s", why.msg);
}

enum tw_status tw_lines_sample(size_t n, const struct tw_line_job *job, struct tw_problem *p,
                               tw_line_done_fn *done, void *ctx, struct tw_err *err)
{
    struct sampling s = { .p = p, .done = done, .ctx = ctx };
    enum tw_status rc = prepare(&s, job, n, err);
    size_t asked = 1;

    while (rc == TW_OK && asked > 0)
        rc = sample(&s, n, job, &asked);
    release(&s);
    return rc;
}

enum tw_status tw_line_sample(struct tw_line *l, struct tw_problem *p,
                              const struct tw_line_path *path, tw_line_done_fn *done, void *ctx,
                              struct tw_err *err)
{
    const struct tw_line_job job = { l, *path };

    return tw_lines_sample(1, &job, p, done, ctx, err);
}

enum tw_status tw_lines_round(size_t n, const struct tw_line_job *job, struct tw_problem *p,
                              tw_line_done_fn *done, void *ctx, size_t *asked, struct tw_err *err)
{
    struct sampling s = { .p = p, .done = done, .ctx = ctx };
    enum tw_status rc = prepare(&s, job, n, err);

    if (asked)
        *asked = 0;
    if (rc == TW_OK)
        rc = sample(&s, n, job, asked);
    release(&s);
    return rc;
}
