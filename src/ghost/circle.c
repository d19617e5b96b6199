/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The arguments of all denominators of a network along half a circle. */
#include "circle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PI 3.14159265358979323846

/* In a half of a step no logarithm changes by more than LARGEST, and in the two halves by the same
 * up to BENDS: with a zero within half a step of the circle it could not. */
#define LARGEST  1.0
#define BENDS    0.5
#define FIRST    (PI / 16.0)
#define LONGEST  (PI / 8.0)
#define SHORTEST 1e-8
/* By how much the logarithm of a modulus has fallen at a zero. */
#define FALLS 12.0

enum tw_status circle_make(struct circle *c, const struct tw_ghost_true_line *line,
                           struct tw_err *err)
{
    const size_t reals = tw_graph_output(line->graph, 0).n;
    bool failed = false;

    *c = (struct circle){ .classes = line->classes, .inner = line->inner };
    if (!line->classes || !line->inner || reals % line->classes)
        return tw_err_set(err, TW_EINVAL, "%zu logits are no softmaxes of %zu classes", reals,
                          line->classes);
    c->net = tw_complex_new(line->graph, err);
    if (!c->net)
        return err && err->code != TW_OK ? err->code : TW_ENOMEM;
    tw_complex_line(c->net, line->params, line->direction, line->buffers);
    c->inside = tw_complex_nwatch(c->net);
    c->n = c->inside + reals / c->classes;
    c->top = tw_alloc(reals / c->classes, sizeof *c->top);
    c->left = tw_alloc(c->n, sizeof *c->left);
    c->mid = tw_alloc(c->n, sizeof *c->mid);
    c->right = tw_alloc(c->n, sizeof *c->right);
    c->turned = tw_alloc(c->n, sizeof *c->turned);
    c->lost = tw_alloc(c->n, sizeof *c->lost);
    for (size_t i = 0; i < CIRCLE_DIPS; i++) {
        c->dip[i].at = tw_alloc(c->n, sizeof *c->dip[i].at);
        failed = failed || !c->dip[i].at;
    }
    if (failed || !c->top || !c->left || !c->mid || !c->right || !c->turned || !c->lost)
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    return TW_OK;
}

void circle_release(struct circle *c)
{
    for (size_t i = 0; i < CIRCLE_DIPS; i++)
        free(c->dip[i].at);
    free(c->top);
    free(c->left);
    free(c->mid);
    free(c->right);
    free(c->turned);
    free(c->lost);
    tw_complex_free(c->net);
}

/* ---- points -------------------------------------------------------------------------------- */

static const struct tw_cx *softmax_at(const struct circle *c, size_t i)
{
    return tw_complex_output(c->net) + i / c->inner * c->classes * c->inner + i % c->inner;
}

void circle_sample(struct circle *c, const struct tw_array *x, size_t row)
{
    tw_complex_sample(c->net, x, row);
    c->evaluations = 1;
    for (size_t i = 0; i < c->n - c->inside; i++) {
        const struct tw_cx *z = softmax_at(c, i);

        c->top[i] = 0;
        for (size_t k = 1; k < c->classes; k++)
            if (z[k * c->inner].re > z[c->top[i] * c->inner].re)
                c->top[i] = k;
    }
}

/* log sum_k exp(z_k - z_top): the factor exp(z_top) has no zero. */
static struct tw_cx partition(const struct circle *c, size_t i)
{
    const struct tw_cx *z = softmax_at(c, i), top = z[c->top[i] * c->inner];
    struct tw_cx sum = { 0.0, 0.0 }, log;
    double most = -HUGE_VAL;

    for (size_t k = 0; k < c->classes; k++)
        most = fmax(most, z[k * c->inner].re - top.re);
    for (size_t k = 0; k < c->classes; k++) {
        const struct tw_cx e = tw_cx_exp(
            (struct tw_cx){ z[k * c->inner].re - top.re - most, z[k * c->inner].im - top.im });

        sum.re += e.re;
        sum.im += e.im;
    }
    log = tw_cx_log(sum);
    log.re += most;
    return log;
}

void circle_at(struct circle *c, struct tw_cx t, const struct tw_cx *near, struct tw_cx *to)
{
    c->evaluations++;
    tw_complex_run(c->net, t, near, to);
    for (size_t i = c->inside; i < c->n; i++) {
        to[i] = partition(c, i - c->inside);
        to[i].im += 2.0 * PI * nearbyint(((near ? near[i].im : 0.0) - to[i].im) / (2.0 * PI));
    }
}

/* ---- along the circle ---------------------------------------------------------------------- */

static struct tw_cx on_circle(double radius, double theta)
{
    const double x = cos(theta), y = sin(theta);

    if (theta >= PI)
        return (struct tw_cx){ -radius, 0.0 };
    return (struct tw_cx){ radius * x, radius * y };
}

static struct tw_cx change(const struct tw_cx *from, const struct tw_cx *to, size_t i)
{
    return (struct tw_cx){ to[i].re - from[i].re, to[i].im - from[i].im };
}

static double modulus(struct tw_cx x)
{
    return hypot(x.re, x.im);
}

/* Whether watch i is resolved by left, mid, right; *most: the larger of its changes over their
 * limits. */
static bool resolved(const struct circle *c, size_t i, double *most)
{
    const struct tw_cx a = change(c->left, c->mid, i), b = change(c->mid, c->right, i);
    const double bend = hypot(a.re - b.re, a.im - b.im) / BENDS;
    const double large = fmax(modulus(a), modulus(b)) / LARGEST;

    *most = fmax(*most, fmax(bend, large));
    return bend < 1.0 && large < 1.0; /* false for NaN */
}

/* Where a dip is to be kept: in the place of the same one, of none, of the farthest from a zero.
 * SIZE_MAX: the others are all nearer. */
static size_t place_of_dip(struct circle *c, struct tw_cx t, size_t watch, double distance)
{
    size_t worst = 0;

    for (size_t i = 0; i < c->ndip; i++) {
        const struct circle_dip *d = &c->dip[i];

        if (d->watch == watch && hypot(d->t.re - t.re, d->t.im - t.im) < 0.2 * modulus(t))
            return d->distance <= distance ? SIZE_MAX : i;
        if (d->distance > c->dip[worst].distance)
            worst = i;
    }
    if (c->ndip < CIRCLE_DIPS)
        return c->ndip++;
    return c->dip[worst].distance <= distance ? SIZE_MAX : worst;
}

static void note_dip(struct circle *c, struct tw_cx t, size_t watch, double distance,
                     const struct tw_cx *at)
{
    const size_t i = place_of_dip(c, t, watch, distance);

    if (i == SIZE_MAX)
        return;
    c->dip[i].t = t;
    c->dip[i].watch = watch;
    c->dip[i].distance = distance;
    memcpy(c->dip[i].at, at, c->n * sizeof *at);
}

struct step {
    double radius, theta, h;
};

/* A step that is accepted: turns and dips. */
static void take(struct circle *c, const struct step *s)
{
    for (size_t i = 0; i < c->n; i++) {
        const struct tw_cx a = change(c->left, c->mid, i), b = change(c->mid, c->right, i);
        const double half = 0.5 * s->radius * s->h;
        const double distance = half / fmax(modulus(a), modulus(b));

        if (c->lost[i])
            continue;
        c->turned[i] += a.im + b.im;
        if (a.re <= 0.0 && b.re > 0.0)
            note_dip(c, on_circle(s->radius, s->theta + 0.5 * s->h), i, distance, c->mid);
        else if (a.re > 0.0 && s->theta == 0.0)
            note_dip(c, on_circle(s->radius, 0.0), i, distance, c->left);
        else if (b.re <= 0.0)
            note_dip(c, on_circle(s->radius, s->theta + s->h), i, distance, c->right);
    }
}

static void swap(struct tw_cx **a, struct tw_cx **b)
{
    struct tw_cx *x = *a;

    *a = *b;
    *b = x;
}

/* From theta = 0 to pi. False: too many points. */
static bool walk(struct circle *c, double radius, size_t points)
{
    struct step s = { radius, 0.0, FIRST };
    const size_t first = c->evaluations;
    bool have_right = false;

    circle_at(c, on_circle(radius, 0.0), NULL, c->left);
    while (s.theta < PI) {
        double most = 0.0;
        bool good = true;

        if (c->evaluations - first > points)
            return false;
        circle_at(c, on_circle(radius, s.theta + 0.5 * s.h), c->left, c->mid);
        if (!have_right)
            circle_at(c, on_circle(radius, s.theta + s.h), c->mid, c->right);
        for (size_t i = 0; i < c->n; i++) {
            if (c->lost[i] || resolved(c, i, &most))
                continue;
            c->lost[i] = s.h < SHORTEST;
            good = good && c->lost[i];
        }
        if (!good) { /* half as far: the middle becomes the end */
            swap(&c->mid, &c->right);
            have_right = true;
            s.h *= 0.5;
            continue;
        }
        take(c, &s);
        swap(&c->left, &c->right);
        have_right = false;
        s.theta += s.h;
        if (most < 0.5)
            s.h = fmin(2.0 * s.h, LONGEST);
        if (s.theta + s.h > PI * (1.0 - 1e-12))
            s.h = PI - s.theta;
        if (s.h < 1e-14)
            break;
    }
    return true;
}

bool circle_count(struct circle *c, double radius, size_t points, size_t *zeros, size_t *watch)
{
    memset(c->turned, 0, c->n * sizeof *c->turned);
    memset(c->lost, 0, c->n * sizeof *c->lost);
    c->ndip = 0;
    *zeros = 0;
    *watch = c->n;
    if (!walk(c, radius, points))
        return false;
    for (size_t i = 0; i < c->n; i++) {
        const double halves = c->turned[i] / PI;

        if (c->lost[i] || fabs(halves - nearbyint(halves)) > 1e-3 || halves < -0.5)
            return false;
        if (halves > 0.5) {
            *zeros = (size_t)nearbyint(halves);
            *watch = i;
            return true;
        }
    }
    return true;
}

/* ---- zeros and kinks ----------------------------------------------------------------------- */

/* The secant method on one denominator; with two points' logarithms l0 and l1 the quotient of its
 * values is exp(l0 - l1), whatever the turns. It may also run to a pole: at a zero the modulus has
 * fallen by many powers. */
bool circle_zero(struct circle *c, const struct circle_dip *dip, struct tw_cx *zero)
{
    struct tw_cx t0 = dip->t, t1, *l0 = c->left, *l1 = c->right, *spare = c->mid;
    const double scale = modulus(t0), start = dip->at[dip->watch].re;
    size_t small = 0;

    memcpy(l0, dip->at, c->n * sizeof *l0);
    t1 = (struct tw_cx){ t0.re * (1.0 + 1e-4), t0.im * (1.0 + 1e-4) };
    circle_at(c, t1, l0, l1);
    for (int it = 0; it < 40 && small < 2; it++) {
        const struct tw_cx q = tw_cx_exp(change(l1, l0, dip->watch));
        const struct tw_cx d = { t1.re - t0.re, t1.im - t0.im }, r = { 1.0 - q.re, -q.im };
        const double m = r.re * r.re + r.im * r.im;
        struct tw_cx move = { (d.re * r.re + d.im * r.im) / m, (d.im * r.re - d.re * r.im) / m };
        const double length = modulus(move);

        if (!isfinite(length)) /* both values are the same: as near as it gets */
            break;
        if (length > 0.25 * scale) {
            move.re *= 0.25 * scale / length;
            move.im *= 0.25 * scale / length;
        }
        small = length <= 1e-11 * modulus(t1) ? small + 1 : 0;
        t0 = t1;
        t1 = (struct tw_cx){ t1.re - move.re, t1.im - move.im };
        if (modulus(t1) > 4.0 * scale)
            return false;
        circle_at(c, t1, l1, spare);
        swap(&l0, &l1);
        swap(&l1, &spare);
        if (isnan(l1[dip->watch].re))
            return false;
    }
    *zero = (struct tw_cx){ t1.re, fabs(t1.im) };
    return small > 0 && l1[dip->watch].re < start - FALLS;
}

/* Newton's iteration on the first unit to meet its edge, from 0: it stays before the edge, or what
 * it overshot is halved. */
double circle_kink(struct circle *c, double reach)
{
    const double tiny = 1e-9 * reach;
    double low = 0.0, high = HUGE_VAL, at = 0.0;

    for (int it = 0; it < 200; it++) {
        double ahead, margin;

        circle_at(c, (struct tw_cx){ at, tiny }, NULL, c->mid);
        margin = tw_complex_margin(c->net, &ahead);
        ahead *= tiny;
        if (margin < 0.0)
            high = at;
        else
            low = at;
        if (isfinite(high)) {
            if (high - low <= 1e-12 * high)
                return high;
            at = 0.5 * (low + high);
            continue;
        }
        if (ahead <= 1e-10 * (at + tiny))
            return at + ahead;
        if (at >= reach)
            return HUGE_VAL;
        at = fmin(at + fmin(ahead, reach / 16.0), reach);
    }
    return HUGE_VAL;
}
