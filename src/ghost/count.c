/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many zeros lie within a circle: the argument principle along its upper half.
 *
 * The argument of F is followed in steps whose turn is known. Where one class has more than half
 * of the mass, F exp(-b_m s) has a positive real part, so the turn is b_m dIm s up to less than
 * half a circle, over the whole interval of u where that is so. Elsewhere a Taylor polynomial with
 * a bound on its remainder gives a step within which F exp(-mu s) changes by less than its modulus.
 * Near a zero that is known the circle crosses a disc in which F is linear up to less than half. */
#include <math.h>

#include "form.h"

#define PI 3.14159265358979323846

enum { MAX_STEPS = 4000 };

struct walk {
    const struct tw_ghost *g;
    double radius, theta, turned; /* the argument of F at theta less that at 0 */
    double phase;                 /* of F at theta, in (-pi, pi] */
    struct ghost_complex at;
    struct ghost_arc *arc;
    double last, before; /* |F| at the last points, for minima */
    struct ghost_complex last_at;
};

static struct ghost_complex on_circle(double radius, double theta)
{
    const double x = cos(theta), y = sin(theta);

    return (struct ghost_complex){ radius * x, radius * y };
}

static double modulus(struct ghost_complex x)
{
    return sqrt(x.re * x.re + x.im * x.im);
}

/* ---- the disc about a zero ----------------------------------------------------------------- */

/* sum_{j >= from} |c_j| h^j + the remainder's bound. */
static double tail(const struct ghost_taylor *t, int from, double h)
{
    double sum = t->rest * exp(t->reach * h) * h;

    for (int j = GHOST_ORDER - 1; j >= from; j--)
        sum = (sum + t->size_of[j]) * h;
    for (int j = 1; j < from; j++)
        sum *= h;
    return sum;
}

struct ghost_disc ghost_isolate(const struct tw_ghost *g, struct ghost_complex zero)
{
    struct ghost_disc d = { zero, 0.0, 0.0 };
    struct ghost_taylor t;
    double h = 0.25 * zero.im;

    ghost_taylor(g, zero, &t);
    for (int it = 0; it < 12; it++, h /= 2.0) {
        /* What the polynomial's value at the zero should be, and is not by rounding, counts as
         * part of the rest. */
        const double off = t.size_of[0] + ghost_rounding(g, t.size, modulus(zero));

        if (tail(&t, 2, h) + off <= 0.4 * t.size_of[1] * h) {
            d.radius = h;
            d.mu = t.mu;
            break;
        }
    }
    return d;
}

/* ---- steps --------------------------------------------------------------------------------- */

/* The places where |F| was least, in ascending order: starts for Newton's iteration. */
static void note_seed(struct ghost_arc *arc, struct ghost_complex at, double value)
{
    size_t i = arc->nseed;

    if (i == GHOST_SEEDS && arc->seed_value[--i] <= value)
        return;
    arc->nseed = i + 1;
    while (i > 0 && arc->seed_value[i - 1] > value) {
        arc->seed[i] = arc->seed[i - 1];
        arc->seed_value[i] = arc->seed_value[i - 1];
        i--;
    }
    arc->seed[i] = at;
    arc->seed_value[i] = value;
}

static void watch(struct walk *w, double value)
{
    if (w->last <= w->before && w->last <= value)
        note_seed(w->arc, w->last_at, w->last);
    w->before = w->last;
    w->last = value;
    w->last_at = w->at;
}

/* Go to theta, where F has this phase; the turn is `foreseen` up to less than half a circle. */
static void go(struct walk *w, double theta, double phase, double foreseen)
{
    w->turned += foreseen + remainder(phase - w->phase - foreseen, 2.0 * PI);
    w->phase = phase;
    w->theta = theta;
    w->at = on_circle(w->radius, theta);
}

static double phase_at(struct walk *w, double theta)
{
    const struct ghost_value v = ghost_value(w->g, on_circle(w->radius, theta));

    w->arc->evaluations++;
    return atan2(v.f.im, v.f.re);
}

/* As far as class m keeps more than half; false if that is less than `least` of angle. */
static bool jump(struct walk *w, size_t m, double to, double least)
{
    const double edge = 0.02;
    double u, rate = 0.0, odds, theta;

    u = fmax(ghost_half(w->g, m, -1), -w->radius); /* just outside */
    for (int it = 0; it < 20; it++) {
        odds = ghost_odds(w->g, m, u, &rate);
        if (odds >= 0.5 * edge)
            break;
        if (!(rate > 0.0))
            return false;
        u += (edge - odds) / rate;
    }
    theta = u <= -w->radius ? PI : acos(fmin(1.0, u / w->radius));
    theta = fmin(theta, to);
    if (!(theta > w->theta + least))
        return false;
    go(w, theta, theta >= PI ? 0.0 : phase_at(w, theta),
       w->g->b[m] * (w->radius * sin(theta) - w->at.im));
    return true;
}

/* The largest h found with tail(h) <= room. */
static double step_of(const struct ghost_taylor *t, double room)
{
    double lo = 0.0, hi = 4.0;

    if (tail(t, 1, hi) <= room)
        return hi;
    for (int it = 0; it < 60; it++) {
        const double mid = lo > 0.0 ? 0.5 * (lo + hi) : 0.25 * hi;

        if (tail(t, 1, mid) <= room)
            lo = mid;
        else
            hi = mid;
        if (lo > 0.7 * hi)
            break;
    }
    return lo;
}

/* One step by the Taylor polynomial, not beyond `to`. */
static bool creep(struct walk *w, double to)
{
    struct ghost_taylor t;
    struct ghost_complex next;
    double h, theta, f, error;

    ghost_taylor(w->g, w->at, &t);
    w->arc->evaluations++;
    f = t.size_of[0];
    error = ghost_rounding(w->g, t.size, w->radius);
    watch(w, f / t.size);
    if (!(error < 0.05 * f))
        return false;
    h = step_of(&t, 0.95 * f - 2.0 * error);
    theta = w->theta + 2.0 * asin(fmin(1.0, h / (2.0 * w->radius)));
    if (!(theta > w->theta))
        return false;
    theta = fmin(theta, to);
    next = on_circle(w->radius, theta);
    go(w, theta, theta >= PI ? 0.0 : phase_at(w, theta), t.mu * (next.im - w->at.im));
    return true;
}

static bool walk_to(struct walk *w, double to)
{
    for (int it = 0; it < MAX_STEPS; it++) {
        struct ghost_real r;

        if (w->theta >= to)
            return true;
        r = ghost_real(w->g, w->at.re);
        if (r.odds > 0.4 && jump(w, r.top, to, 0.5 / w->radius))
            continue;
        if (!creep(w, to))
            return false;
    }
    return false;
}

/* Across the disc about a zero: there F = c (s - centre) exp(mu (s - centre)) (1 + eta). The circle
 * passes it on the inside (the centre's modulus is not less than the radius). */
static void cross(struct walk *w, const struct ghost_disc *d, double to)
{
    const double mid = atan2(d->centre.im, d->centre.re);
    const struct ghost_complex end = on_circle(w->radius, to), nearest = on_circle(w->radius, mid);
    const double x[3] = { atan2(w->at.im - d->centre.im, w->at.re - d->centre.re),
                          atan2(nearest.im - d->centre.im, nearest.re - d->centre.re),
                          atan2(end.im - d->centre.im, end.re - d->centre.re) };

    go(w, to, phase_at(w, to),
       remainder(x[1] - x[0], 2.0 * PI) + remainder(x[2] - x[1], 2.0 * PI) +
           d->mu * (end.im - w->at.im));
}

bool ghost_count(const struct tw_ghost *g, double radius, const struct ghost_disc *around,
                 struct ghost_arc *arc)
{
    struct walk w = { .g = g, .radius = radius, .arc = arc, .last = HUGE_VAL, .before = HUGE_VAL };
    double turns;

    w.at = on_circle(radius, 0.0);
    arc->nseed = 0;
    if (around && around->radius > 0.0) {
        const double c = modulus(around->centre), h = around->radius;
        const double half = acos(fmin(1.0, ((radius - c) * (radius - c) / (2.0 * radius * c)) +
                                               1.0 - h * h / (2.0 * radius * c)));
        const double mid = atan2(around->centre.im, around->centre.re);

        /* A little narrower than the disc, so that both ends lie in it. */
        if (radius > c || mid - half <= 0.0 || mid + half >= PI || !walk_to(&w, mid - 0.99 * half))
            return false;
        cross(&w, around, mid + 0.99 * half);
    }
    if (!walk_to(&w, PI))
        return false;
    turns = w.turned / (2.0 * PI);
    if (!(turns > -0.01) || fabs(turns - round(turns)) > 0.01)
        return false;
    arc->zeros = (size_t)round(turns);
    return true;
}

enum tw_status tw_ghost_count(const struct tw_ghost *g, double radius, size_t *n,
                              struct tw_err *err)
{
    struct ghost_arc arc = { 0 };

    *n = 0;
    if (g->n < 2)
        return TW_OK;
    if (!ghost_count(g, radius * g->scale, NULL, &arc))
        return tw_err_set(err, TW_ENOCONV,
                          "zeros within %g cannot be counted: one lies on the "
                          "circle, or rounding hides them",
                          radius);
    *n = arc.zeros;
    return TW_OK;
}
