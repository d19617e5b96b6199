/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Problems in closed form: what algorithms on landscapes are checked with. One sample. */
#include <math.h>
#include <stdlib.h>

#include "thalweg/problem.h"

/* Value, gradient and product of the Hessian with v, each where wanted. */
struct closed {
    struct tw_problem base;
    double (*value)(const struct closed *c, const double *x);
    void (*gradient)(const struct closed *c, const double *x, double *g);
    void (*hessian)(const struct closed *c, const double *x, const double *v, double *h);
    double *a, *center; /* quadratic */
    double *x, *v, *g;  /* scratch */
};

static void load(size_t n, struct tw_vector from, double *to)
{
    for (size_t i = 0; i < n; i++)
        to[i] = from.f ? (double)from.f[i] : from.d[i];
}

static enum tw_status eval(struct tw_problem *p, const struct tw_request *r, struct tw_err *err)
{
    struct closed *c = (struct closed *)p;
    const size_t n = p->dim;
    double loss;

    if (r->correct || r->logits || r->logit_slopes)
        return tw_err_set(err, TW_EINVAL, "a closed form has neither hits nor logits");
    if (r->statistics)
        return tw_err_set(err, TW_EINVAL, "a closed form has no batches");
    if (r->rows)
        return tw_err_set(err, TW_EINVAL, "a closed form has no rows to choose");
    load(n, r->at, c->x);
    loss = c->value(c, c->x);
    if (r->values)
        *r->values = (struct tw_values){
            { loss, NAN, NAN }, { NAN, NAN, NAN }, 1, 1.0, isfinite(loss) ? 0u : 1u
        };
    if (r->loss)
        *r->loss = loss;
    if (r->weight)
        *r->weight = 1.0;
    c->gradient(c, c->x, c->g);
    for (size_t i = 0; r->gradient && i < n; i++)
        r->gradient[i] = c->g[i];
    for (size_t t = 0; t < r->ndirections; t++) {
        load(n, r->directions[t], c->v);
        if (r->slopes)
            r->slopes[t] = tw_sum_dot(c->g, c->v, n);
        if (r->hvp)
            c->hessian(c, c->x, c->v, r->hvp[t]);
    }
    return TW_OK;
}

static void release(struct tw_problem *p)
{
    struct closed *c = (struct closed *)p;

    free(c->a);
    free(c->center);
    free(c->x);
    free(c->v);
    free(c->g);
    free(c);
}

static const struct tw_problem_ops ops = { .eval = eval, .free = release };

static struct closed *make(size_t n, struct tw_err *err)
{
    struct closed *c = tw_alloc(1, sizeof *c);

    if (!c) {
        tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    c->base.ops = &ops;
    c->base.dim = n;
    c->base.n = c->base.all = 1;
    c->x = tw_alloc(n, sizeof *c->x);
    c->v = tw_alloc(n, sizeof *c->v);
    c->g = tw_alloc(n, sizeof *c->g);
    if (c->x && c->v && c->g)
        return c;
    release(&c->base);
    tw_err_set(err, TW_ENOMEM, "out of memory");
    return NULL;
}

/* ---- quadratic ------------------------------------------------------------------------------ */

static void times_a(const struct closed *c, const double *v, double *h)
{
    const size_t n = c->base.dim;

    for (size_t i = 0; i < n; i++)
        h[i] = tw_sum_dot(c->a + i * n, v, n);
}

static void quadratic_gradient(const struct closed *c, const double *x, double *g)
{
    for (size_t i = 0; i < c->base.dim; i++)
        c->v[i] = x[i] - c->center[i];
    times_a(c, c->v, g);
}

static double quadratic_value(const struct closed *c, const double *x)
{
    quadratic_gradient(c, x, c->g);
    return 0.5 * tw_sum_dot(c->g, c->v, c->base.dim);
}

static void quadratic_hessian(const struct closed *c, const double *x, const double *v, double *h)
{
    (void)x;
    times_a(c, v, h);
}

struct tw_problem *tw_problem_quadratic(size_t n, const double *a, const double *c,
                                        struct tw_err *err)
{
    struct closed *p = make(n, err);

    if (!p)
        return NULL;
    p->value = quadratic_value;
    p->gradient = quadratic_gradient;
    p->hessian = quadratic_hessian;
    p->a = n <= SIZE_MAX / (n ? n : 1) ? tw_alloc(n * n, sizeof *p->a) : NULL;
    p->center = tw_alloc(n, sizeof *p->center);
    if (!p->a || !p->center) {
        release(&p->base);
        tw_err_set(err, TW_ENOMEM, "out of memory");
        return NULL;
    }
    for (size_t i = 0; i < n * n; i++)
        p->a[i] = a[i];
    for (size_t i = 0; i < n; i++)
        p->center[i] = c[i];
    return &p->base;
}

/* ---- Rosenbrock -------------------------------------------------------------------------------
 */

static double rosenbrock_value(const struct closed *c, const double *x)
{
    double s = 0.0;

    for (size_t i = 0; i + 1 < c->base.dim; i++) {
        const double d = x[i + 1] - x[i] * x[i], e = 1.0 - x[i];

        s += 100.0 * d * d + e * e;
    }
    return s;
}

static void rosenbrock_gradient(const struct closed *c, const double *x, double *g)
{
    for (size_t i = 0; i < c->base.dim; i++)
        g[i] = 0.0;
    for (size_t i = 0; i + 1 < c->base.dim; i++) {
        const double d = x[i + 1] - x[i] * x[i];

        g[i] += -400.0 * d * x[i] - 2.0 * (1.0 - x[i]);
        g[i + 1] += 200.0 * d;
    }
}

static void rosenbrock_hessian(const struct closed *c, const double *x, const double *v, double *h)
{
    for (size_t i = 0; i < c->base.dim; i++)
        h[i] = 0.0;
    for (size_t i = 0; i + 1 < c->base.dim; i++) {
        h[i] += (1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0) * v[i] - 400.0 * x[i] * v[i + 1];
        h[i + 1] += -400.0 * x[i] * v[i] + 200.0 * v[i + 1];
    }
}

struct tw_problem *tw_problem_rosenbrock(size_t n, struct tw_err *err)
{
    struct closed *p;

    if (n < 2) {
        tw_err_set(err, TW_EINVAL, "Rosenbrock's function needs two variables at least");
        return NULL;
    }
    p = make(n, err);
    if (!p)
        return NULL;
    p->value = rosenbrock_value;
    p->gradient = rosenbrock_gradient;
    p->hessian = rosenbrock_hessian;
    return &p->base;
}
