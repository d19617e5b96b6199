/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Lower and upper bounds of the distance of the nearest zero; thalweg/ghost.h has the formulas. */
#include <math.h>

#include "form.h"

#define PI 3.14159265358979323846

double ghost_log_odds_bound(const struct tw_ghost *g, const struct ghost_real *at0)
{
    const double b = g->b[at0->top], reach = fmax(b, 1.0 - b);

    return hypot(fmax(at0->odds, 0.0) / reach, PI);
}

double ghost_half_mass(const struct tw_ghost *g, const struct ghost_real *at0)
{
    if (at0->odds <= 0.0)
        return 0.0;
    return fmin(ghost_half(g, at0->top, 1), -ghost_half(g, at0->top, -1));
}

/* ---- B3 ------------------------------------------------------------------------------------ */

enum { CELLS = 200, SPLITS = 2000 };
struct cell {
    double lo, hi, bound; /* of sqrt(u^2 + pi^2 / (4 K''(u))) on it */
};

static double shadow(double u, double variance)
{
    return hypot(u, PI / (2.0 * sqrt(variance)));
}

/* A bound on a cell from its middle, for what lies in [0, 1]: K'' changes by at most the factor
 * e^h, as |K'''| <= K''; and, as the fourth cumulant is at most K'' and 1/8 in modulus (m4 <= m2,
 * m2 <= 1/4), by |K'''| h and at most that times h^2 / 2. Log-odds change by at most h. Lowers
 * *best where the middle itself counts. */
static double bound_of(const struct tw_ghost *g, double lo, double hi, double *best)
{
    const double u = 0.5 * (lo + hi), h = 0.5 * (hi - lo);
    const double nearest = lo > 0.0 ? lo : hi < 0.0 ? -hi : 0.0;
    const struct ghost_real r = ghost_real(g, u);
    const double e = r.variance * exp(h);
    double most = fmin(e, r.variance + fabs(r.third) * h + 0.5 * fmin(e, 0.125) * h * h);

    if (r.odds > h)
        return HUGE_VAL;
    if (r.odds <= 0.0)
        *best = fmin(*best, shadow(u, r.variance));
    most = fmin(most, 0.25); /* Popoviciu */
    return shadow(nearest, most);
}

/* Halve cell i; what holds nothing lower than a value that is known is dropped. */
static void split(const struct tw_ghost *g, struct cell *c, size_t *n, size_t i, double *best)
{
    const struct cell whole = c[i];
    const double mid = 0.5 * (whole.lo + whole.hi);
    const double left = fmax(whole.bound, bound_of(g, whole.lo, mid, best));
    const double right = fmax(whole.bound, bound_of(g, mid, whole.hi, best));

    c[i] = c[--*n];
    if (left < *best)
        c[(*n)++] = (struct cell){ whole.lo, mid, left };
    if (right < *best)
        c[(*n)++] = (struct cell){ mid, whole.hi, right };
}

double ghost_variance_bound(const struct tw_ghost *g)
{
    const struct ghost_real at0 = ghost_real(g, 0.0);
    struct cell c[CELLS + 2];
    double best = HUGE_VAL, least = HUGE_VAL;
    size_t n = 1;

    /* Logits so far apart that doubles do not resolve shares of 1/2: B2. */
    if (g->depth > GHOST_FARTHEST)
        return hypot(ghost_half_mass(g, &at0), PI) * (1.0 - 1e-9);
    if (at0.odds <= 0.0) {
        best = shadow(0.0, at0.variance);
    } else {
        for (int sign = -1; sign <= 1; sign += 2) {
            const double u = ghost_half(g, at0.top, sign);

            if (isfinite(u))
                best = fmin(best, shadow(u, ghost_real(g, u).variance));
        }
    }
    if (!isfinite(best))
        return PI;
    c[0] = (struct cell){ -best, best, PI };
    for (int it = 0; n && n < CELLS && it < SPLITS; it++) {
        size_t low = 0;

        for (size_t i = 1; i < n; i++)
            if (c[i].bound < c[low].bound)
                low = i;
        if (c[low].bound >= 0.99 * best)
            break;
        split(g, c, &n, low, &best);
    }
    for (size_t i = 0; i < n; i++)
        least = fmin(least, c[i].bound);
    return fmin(least, best);
}

/* ---- B4 ------------------------------------------------------------------------------------ */

/* log E exp((b - mean) s) at a point where g->tr and g->ti hold the probabilities and their logs:
 * log(1 + E [exp(d) - 1 - d]) for E d = 0, without a difference of large numbers, until a term
 * outgrows the one that was the largest at s = 0. */
static double cumulant(const struct tw_ghost *g, double mean, double s)
{
    double most = -HUGE_VAL, sum = 0.0;

    for (size_t k = 0; k < g->n; k++)
        most = fmax(most, g->ti[k] + (g->b[k] - mean) * s);
    for (size_t k = 0; k < g->n; k++) {
        const double d = (g->b[k] - mean) * s, e = g->ti[k] + d;

        if (most > 1.0)
            sum += exp(e - most);
        else
            sum += d < 30.0 ? g->tr[k] * (expm1(d) - d) : exp(e) - g->tr[k] * (1.0 + d);
    }
    return most > 1.0 ? most + log(sum) : log1p(sum);
}

/* Without a zero within x of u0 the second coefficient of log F there would be at most 2 max Re
 * log E exp((b - mean) t) over |t| = x, which is at most its value at x or -x. */
static bool holds_zero(const struct tw_ghost *g, const struct ghost_real *r, double x)
{
    return 0.5 * r->variance * x * x >
           2.0 * fmax(cumulant(g, r->mean, x), cumulant(g, r->mean, -x)) * (1.0 + 1e-9);
}

/* The least radius found about u0 within which there is a zero. */
static double upper_at(const struct tw_ghost *g, double u0)
{
    const struct ghost_real r = ghost_real(g, u0);
    double lo = PI, hi = 4.0, sum = 0.0, top = -HUGE_VAL;

    /* Where nothing but one class can be seen the sums say nothing. */
    if (!(r.variance > 1e-200))
        return HUGE_VAL;
    for (size_t k = 0; k < g->n; k++) {
        sum += g->tr[k];
        top = fmax(top, g->l[k] + g->b[k] * u0);
    }
    for (size_t k = 0; k < g->n; k++) {
        g->tr[k] /= sum;
        g->ti[k] = g->l[k] + g->b[k] * u0 - top - log(sum);
    }
    while (!holds_zero(g, &r, hi) && hi < 1e300) {
        lo = hi;
        hi *= 2.0;
    }
    while (hi - lo > 1e-3 * hi) {
        const double mid = 0.5 * (lo + hi);

        if (holds_zero(g, &r, mid))
            hi = mid;
        else
            lo = mid;
    }
    return hi < 1e300 ? fabs(u0) + hi : HUGE_VAL;
}

double ghost_upper_bound(struct tw_ghost *g)
{
    const size_t n = ghost_hull(g);
    double best = upper_at(g, 0.0);

    for (size_t i = 0; i + 1 < n; i++) {
        const size_t j = g->hull[i], k = g->hull[i + 1];
        const double u = (g->l[j] - g->l[k]) / (g->b[k] - g->b[j]);

        if (fabs(u) < best)
            best = fmin(best, upper_at(g, u));
    }
    return best;
}

/* ---- in the units of the direction --------------------------------------------------------- */

struct tw_ghost_bounds tw_ghost_bounds(const struct tw_ghost *g)
{
    struct tw_ghost_bounds o = { .spread = g->spread,
                                 .rho_a = HUGE_VAL,
                                 .p_max = g->p_max,
                                 .log_odds = (double)NAN,
                                 .b1 = HUGE_VAL };
    struct ghost_real r;

    if (g->n < 2)
        return o;
    r = ghost_real(g, 0.0);
    o.rho_a = PI / g->scale;
    o.log_odds = r.odds;
    o.variance = r.variance * g->scale * g->scale;
    o.b1 = ghost_log_odds_bound(g, &r) / g->scale;
    return o;
}

double tw_ghost_half_mass(const struct tw_ghost *g)
{
    struct ghost_real r;

    if (g->n < 2)
        return HUGE_VAL;
    r = ghost_real(g, 0.0);
    return ghost_half_mass(g, &r) / g->scale;
}

double tw_ghost_b3(const struct tw_ghost *g)
{
    return g->n < 2 ? HUGE_VAL : ghost_variance_bound(g) / g->scale;
}

double tw_ghost_b4(struct tw_ghost *g)
{
    return g->n < 2 ? HUGE_VAL : ghost_upper_bound(g) / g->scale;
}
