/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "thalweg/problem_check.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct check {
    struct tw_problem *p;
    const struct tw_check_options *o;
    tw_check_fn *fn;
    void *ctx;
    struct tw_err *err;
    enum tw_status rc;                 /* of the first failure: then everything is over */
    double *x, *y, *g, *h, *u, *v, *w; /* dim each */
    double *samples, *weights;
    double noise; /* standard deviation of the loss's rounding errors */
    double loss;
    bool gradient_wrong; /* then nothing can be held against it */
};

static bool over(const struct check *c)
{
    return c->rc != TW_OK;
}

static void tell(struct check *c, const char *name, const char *part, enum tw_check_verdict verdict,
                 double value, double allowed, const char *sentence)
{
    const struct tw_check t = { name,  part,    verdict,
                                value, allowed, verdict == TW_CHECK_GOOD ? NULL : sentence };

    if (!over(c) && !c->fn(c->ctx, &t))
        c->rc = tw_err_set(c->err, TW_ESTOP, "stopped");
}

/* Good up to `allowed`, NaN is not. */
static void judge(struct check *c, const char *name, const char *part, double value, double allowed,
                  const char *sentence)
{
    tell(c, name, part, value <= allowed ? TW_CHECK_GOOD : TW_CHECK_WRONG, value, allowed,
         sentence);
}

static double apart(double a, double b)
{
    const double size = fmax(fabs(a), fabs(b));

    return a == b || (isnan(a) && isnan(b)) ? 0.0 : fabs(a - b) / size;
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void ask(struct check *c, struct tw_request *r, const double *at, struct tw_values *values)
{
    if (over(c))
        return;
    r->at = (struct tw_vector){ .d = at };
    r->buffers = c->o->buffers;
    r->values = values;
    c->rc = tw_problem_eval(c->p, r, c->err);
}

static double loss_at(struct check *c, const double *at)
{
    struct tw_values values = { .loss = { NAN, NAN, NAN } };
    struct tw_request r = { 0 };

    ask(c, &r, at, &values);
    return values.loss.value;
}

static double gradient_at(struct check *c, const double *at, double *g)
{
    struct tw_values values = { .loss = { NAN, NAN, NAN } };
    struct tw_request r = { .gradient = g };

    ask(c, &r, at, &values);
    return values.loss.value;
}

static void product(struct check *c, const double *v, double *hv)
{
    const struct tw_vector direction = { .d = v };
    struct tw_request r = { .ndirections = 1, .directions = &direction, .hvp = &hv };

    ask(c, &r, c->x, NULL);
}

/* ---- vectors --------------------------------------------------------------------------------- */

static double norm(const double *x, size_t n)
{
    return sqrt(tw_sum_dot(x, x, n));
}

static double rounded(const struct check *c, double x)
{
    return c->o->real64 ? x : (double)(float)x;
}

/* to = x + t u as the problem will see it. */
static void move(const struct check *c, double t, const double *u, double *to)
{
    for (size_t i = 0; i < c->p->dim; i++)
        to[i] = rounded(c, c->x[i] + t * u[i]);
}

/* Standard normal on tensors [first, last), zero elsewhere, each tensor as long as its parameters
 * (if scaled and these are not zero). */
static void draw(const struct check *c, uint64_t item, size_t first, size_t last, bool scaled,
                 double *u)
{
    const struct tw_layout *l = c->p->layout;

    memset(u, 0, c->p->dim * sizeof *u);
    for (size_t k = first; k < last; k++) {
        struct tw_rng rng = tw_rng_stream(c->o->seed, TW_RNG_TEST, item + k);
        double *to = u + (l ? l->param[k].offset : 0);
        const double *x = c->x + (l ? l->param[k].offset : 0);
        const size_t n = l ? l->param[k].n : c->p->dim;
        double size, scale;

        for (size_t i = 0; i < n; i++)
            to[i] = tw_rng_normal(&rng);
        size = norm(x, n);
        scale = (scaled && size > 0.0 ? size : 1.0) / norm(to, n);
        for (size_t i = 0; i < n; i++)
            to[i] *= scale;
    }
}

static size_t ntensors(const struct check *c)
{
    return c->p->layout ? c->p->layout->nparam : 1;
}

/* ---- the loss ---------------------------------------------------------------------------------
 */

static const char other_before[] =
    "the loss depends on the point that was asked before: parameters that are not all replaced, or "
    "batch normalisation that still updates its statistics (model.eval())";

/* False: nothing else can be judged. */
static bool check_loss(struct check *c)
{
    const double same = 1e-6; /* sums on an accelerator may come in any order */
    const double first = loss_at(c, c->x), again = loss_at(c, c->x);
    double other;

    c->loss = again;
    if (apart(first, again) > same && apart(again, loss_at(c, c->x)) <= same) {
        judge(c, "after another point", NULL, apart(first, again), same, other_before);
        return false;
    }
    judge(c, "repeated", NULL, apart(first, again), same,
          "the same point asked twice has two losses: dropout, random augmentation, or data that "
          "are shuffled or drawn anew");
    if (over(c) || apart(first, again) > same)
        return false;
    draw(c, 1000, 0, ntensors(c), true, c->u);
    move(c, 0.1, c->u, c->y);
    other = loss_at(c, c->y);
    judge(c, "after another point", NULL, apart(again, loss_at(c, c->x)), same, other_before);
    tell(c, "parameters matter", NULL, other == again ? TW_CHECK_WRONG : TW_CHECK_GOOD, 0.0, 0.0,
         "another point has the same loss to the bit: are the parameters of the request used?");
    return !over(c) && other != again;
}

static void check_beside_gradient(struct check *c)
{
    judge(c, "loss beside gradient", NULL, apart(c->loss, gradient_at(c, c->x, c->g)), 1e-5,
          "the loss that comes with a gradient is not that of the same point without");
    judge(
        c, "after a gradient", NULL, apart(c->loss, loss_at(c, c->x)), 1e-6,
        "asking for a gradient changes the losses that follow: does it leave training mode, or an "
        "optimiser's step, behind?");
}

static void check_samples(struct check *c)
{
    struct tw_values values = { .loss = { NAN, NAN, NAN } };
    struct tw_request r = { .loss = c->samples, .weight = c->weights };
    double sum = 0.0, weight = 0.0;

    ask(c, &r, c->x, &values);
    if (over(c))
        return;
    for (size_t i = 0; i < c->p->n; i++) {
        sum += c->samples[i];
        weight += c->weights[i];
    }
    judge(
        c, "samples", NULL, apart(sum / weight, values.loss.value), 1e-5,
        "the losses of the samples do not average to the loss: is a penalty (weight decay) in one "
        "and not in the other, or the last batch weighted differently?");
}

static void check_nan(struct check *c)
{
    struct tw_err failure = { 0 };
    struct tw_values values = { .loss = { NAN, NAN, NAN } };
    struct tw_request r = { .at = { .d = c->y }, .buffers = c->o->buffers, .values = &values };
    enum tw_status rc;

    if (over(c))
        return;
    for (size_t i = 0; i < c->p->dim; i++)
        c->y[i] = NAN;
    rc = tw_problem_eval(c->p, &r, &failure);
    if (rc != TW_OK && rc != TW_EDOMAIN) {
        c->rc = tw_err_set(c->err, rc, "%s", failure.msg);
        return;
    }
    tell(c, "NaN parameters", NULL,
         rc == TW_OK && isfinite(values.loss.value) ? TW_CHECK_WRONG : TW_CHECK_GOOD, 0.0, 0.0,
         "parameters that are NaN give a finite loss: are all of the request's parameters used?");
}

/* The median of three orders of the table of differences. */
static void find_noise(struct check *c)
{
    enum { M = 7, HALF = 3 };
    const double step = c->o->real64 ? 1e-7 : 3e-6;
    double f[M], gamma = 1.0, sigma[M] = { 0 };

    draw(c, 2000, 0, ntensors(c), true, c->u);
    for (int i = 0; i < M; i++) {
        move(c, step * (double)(i - HALF), c->u, c->y);
        f[i] = loss_at(c, c->y);
    }
    for (int k = 1; k < M - 1; k++) {
        double squares = 0.0;

        gamma *= (double)k / (double)(4 * k - 2); /* (k!)^2 / (2k)! */
        for (int i = 0; i < M - k; i++) {
            f[i] = f[i + 1] - f[i];
            squares += f[i] * f[i];
        }
        sigma[k] = sqrt(gamma * squares / (double)(M - k));
    }
    c->noise = fmax(fmax(fmin(sigma[3], sigma[4]), fmin(fmax(sigma[3], sigma[4]), sigma[5])),
                    2.3e-16 * fabs(c->loss));
}

/* ---- the gradient -----------------------------------------------------------------------------
 */

struct difference {
    double measured, predicted, error; /* slopes along u */
};

/* Over steps h and h/2, of the moves as they were rounded. */
static struct difference differ(struct check *c, const double *u, double h)
{
    struct difference d = { 0 };
    double slope[2], off[2];

    for (int k = 0; k < 2; k++, h *= 0.5) {
        double up, predicted = 0.0;

        move(c, h, u, c->y);
        predicted = tw_sum_dot(c->g, c->y, c->p->dim);
        up = loss_at(c, c->y);
        move(c, -h, u, c->y);
        predicted -= tw_sum_dot(c->g, c->y, c->p->dim);
        slope[k] = (up - loss_at(c, c->y)) / (2.0 * h);
        off[k] = slope[k] - predicted / (2.0 * h);
        d.predicted = predicted / (2.0 * h);
    }
    /* Rounding of the moves is in both slopes alike: what is extrapolated is their difference. */
    d.measured = d.predicted + (4.0 * off[1] - off[0]) / 3.0;
    d.error = fabs(off[1] - off[0]) / 3.0 + 2.0 * c->noise / h;
    return d;
}

/* A step at which noise is a thousandth of the slope, within reason for parameters of this size. */
static double step_for(const struct check *c, double slope, double size)
{
    const double wanted = 2000.0 * c->noise / fabs(slope), most = 0.03 * size, least = 1e-4 * size;

    return wanted > least ? (wanted < most ? wanted : most) : least;
}

static void judge_slope(struct check *c, const char *name, const char *part, struct difference d,
                        double scale)
{
    const double allowed = 0.003, value = fabs(d.measured - d.predicted) / scale;
    const double fog = 3.0 * d.error / scale;

    if (over(c))
        return;
    if (value <= fmax(allowed, fog) && fog > 10.0 * allowed)
        tell(c, name, part, TW_CHECK_UNCLEAR, value, fog,
             "the loss is too noisy, or too flat, for differences to say anything");
    else
        judge(c, name, part, value, fmax(allowed, fog),
              "the gradient is not the derivative of the loss (central differences)");
    c->gradient_wrong = c->gradient_wrong || !(value <= fmax(allowed, fog));
}

static void check_tensor(struct check *c, size_t k)
{
    const struct tw_param *t = &c->p->layout->param[k];
    const double length = norm(c->g + t->offset, t->n), size = norm(c->x + t->offset, t->n);

    if (length == 0.0) {
        draw(c, 3000, k, k + 1, true, c->u);
        move(c, 0.1, c->u, c->y);
        judge(c, "gradient", t->name, apart(loss_at(c, c->y), c->loss), 1e-4,
              "the gradient is zero, but the loss changes");
        return;
    }
    memset(c->u, 0, c->p->dim * sizeof *c->u);
    for (size_t i = t->offset; i < t->offset + t->n; i++)
        c->u[i] = c->g[i] / length;
    judge_slope(c, "gradient", t->name, differ(c, c->u, step_for(c, length, fmax(size, 1e-3))),
                length);
}

static void check_gradient(struct check *c)
{
    const struct tw_layout *l = c->p->layout;
    const double size = norm(c->x, c->p->dim);

    (void)gradient_at(c, c->x, c->g);
    for (uint64_t k = 0; k < 3 && !over(c); k++) {
        double slope, length;

        draw(c, 100000 * (k + 1), 0, ntensors(c), true, c->u);
        length = norm(c->u, c->p->dim);
        for (size_t i = 0; i < c->p->dim; i++)
            c->u[i] /= length;
        slope = tw_sum_dot(c->g, c->u, c->p->dim);
        /* Against the size that slopes along such directions have: this one may be small. */
        judge_slope(c, "gradient along a random direction", NULL,
                    differ(c, c->u, step_for(c, slope, fmax(size, 1e-3))),
                    fmax(fabs(slope), norm(c->g, c->p->dim) / sqrt((double)c->p->dim)));
    }
    for (size_t k = 0; l && c->o->tensors && k < l->nparam && !over(c); k++)
        check_tensor(c, k);
}

static void check_slopes(struct check *c)
{
    const struct tw_vector direction = { .d = c->u };
    double slope = NAN, size;
    struct tw_request r = { .ndirections = 1, .directions = &direction, .slopes = &slope };

    draw(c, 4000, 0, ntensors(c), true, c->u);
    size = norm(c->g, c->p->dim);
    for (size_t i = 0; i < c->p->dim && size > 0.0; i++) /* a random half, the gradient's half */
        c->u[i] += c->g[i] * norm(c->x, c->p->dim) / size;
    for (size_t i = 0; i < c->p->dim; i++)
        c->u[i] = rounded(c, c->u[i]);
    ask(c, &r, c->x, NULL);
    judge(c, "slope", NULL, apart(slope, tw_sum_dot(c->g, c->u, c->p->dim)), 1e-3,
          "the derivative along a direction (jvp) is not the gradient's product with it");
}

/* ---- Hessian-vector products -------------------------------------------------------------------
 */

static void check_products(struct check *c)
{
    const size_t n = c->p->dim;
    double h, off = 0.0, size;

    draw(c, 5000, 0, ntensors(c), true, c->u);
    draw(c, 600000, 0, ntensors(c), true, c->w);
    for (size_t i = 0; i < n; i++) {
        c->u[i] = rounded(c, c->u[i]);
        c->w[i] = rounded(c, c->w[i]);
    }
    product(c, c->u, c->h);
    product(c, c->w, c->v);
    if (over(c))
        return;
    judge(c, "Hessian symmetric", NULL,
          fabs(tw_sum_dot(c->w, c->h, n) - tw_sum_dot(c->u, c->v, n)) /
              fmax(1e-300, norm(c->w, n) * norm(c->h, n)),
          1e-5, "u'Hv and v'Hu differ: hvp is not the product with a Hessian");
    /* Against differences of gradients. */
    h = c->o->real64 ? 1e-5 : 1e-3;
    move(c, h, c->u, c->y);
    (void)gradient_at(c, c->y, c->v);
    move(c, -h, c->u, c->y);
    (void)gradient_at(c, c->y, c->w);
    for (size_t i = 0; i < n; i++) {
        const double d = (c->v[i] - c->w[i]) / (2.0 * h) - c->h[i];

        off += d * d;
    }
    size = norm(c->h, n);
    judge(c, "Hessian of the gradient", NULL, sqrt(off) / fmax(size, 1e-300), 0.2,
          "hvp differs from differences of the gradient by more than the kinks of a network do");
}

/* ---- logits ---------------------------------------------------------------------------------- */

/* Their slopes along a direction against central differences, in the Euclidean norm. */
static void check_logits(struct check *c)
{
    const size_t n = c->p->n * c->p->width, most = (size_t)1 << 25;
    const struct tw_vector direction = { .d = c->u };
    const double h = c->o->real64 ? 1e-5 : 1e-3;
    double *z[3] = { NULL }, off = 0.0;

    if (over(c) || n > most) /* 0.25 GB each */
        return;
    for (int i = 0; i < 3; i++) {
        z[i] = tw_alloc(n, sizeof *z[i]);
        if (!z[i])
            c->rc = tw_err_set(c->err, TW_ENOMEM, "out of memory");
    }
    draw(c, 7000, 0, ntensors(c), true, c->u);
    for (size_t i = 0; i < c->p->dim; i++)
        c->u[i] = rounded(c, c->u[i]);
    for (int i = 0; i < 3; i++) {
        struct tw_request r = { .ndirections = 1, .directions = &direction };

        *(i < 2 ? &r.logits : &r.logit_slopes) = z[i];
        move(c, i == 0 ? h : i == 1 ? -h : 0.0, c->u, c->y);
        ask(c, &r, c->y, NULL);
    }
    for (size_t i = 0; !over(c) && i < n; i++) {
        const double d = (z[0][i] - z[1][i]) / (2.0 * h) - z[2][i];

        off += d * d;
    }
    if (!over(c))
        judge(c, "slopes of logits", NULL, sqrt(off) / fmax(norm(z[2], n), 1e-300), 0.05,
              "the slopes of the logits (logit_jvp) are not the logits' derivatives (central "
              "differences)");
    for (int i = 0; i < 3; i++)
        free(z[i]);
}

/* ---- all ---------------------------------------------------------------------------------------
 */

static void check_all(struct check *c)
{
    const struct tw_check_options *o = c->o;

    /* Away from a minimum, where gradients are too small to be compared. */
    draw(c, 1, 0, ntensors(c), true, c->u);
    move(c, 0.05, c->u, c->y);
    memcpy(c->x, c->y, c->p->dim * sizeof *c->x);
    if (!check_loss(c))
        return;
    if (o->samples)
        check_samples(c);
    find_noise(c);
    if (o->gradient) {
        check_beside_gradient(c);
        check_gradient(c);
    }
    if (o->slopes && o->gradient && !c->gradient_wrong)
        check_slopes(c);
    if (o->hvp && o->gradient && !c->gradient_wrong)
        check_products(c);
    if (o->logits)
        check_logits(c);
    check_nan(c);
}

enum tw_status tw_problem_check(struct tw_problem *p, const struct tw_check_options *o,
                                tw_check_fn *fn, void *ctx, struct tw_err *err)
{
    struct check c = { .p = p, .o = o, .fn = fn, .ctx = ctx, .err = err };
    double **const all[] = { &c.x, &c.y, &c.g, &c.h, &c.u, &c.v, &c.w, &c.samples, &c.weights };

    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        *all[i] = tw_alloc(i < 7 ? p->dim : p->n, sizeof(double));
        if (!*all[i])
            c.rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    for (size_t i = 0; !over(&c) && i < p->dim; i++)
        c.x[i] = o->at.d ? o->at.d[i] : (double)o->at.f[i];
    if (!over(&c))
        check_all(&c);
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        free(*all[i]);
    return c.rc;
}
