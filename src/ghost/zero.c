/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The nearest zero of the partition function, with a proof that none is nearer. */
#include <float.h>
#include <math.h>

#include "form.h"

#define PI 3.14159265358979323846

enum { MAX_EDGES = 6 };
/* How much nearer than the zero found the circle of the proof lies: where a disc about the zero is
 * known to hold no other, and where not (a double zero, or nearly). */
#define NEAR_GAP 1e-9
#define WIDE_GAP 1e-6

struct search {
    struct tw_ghost *g;
    double low, high;          /* no zero below low; one at or below high */
    struct ghost_complex zero; /* the nearest found; modulus: rho */
    double rho;
    size_t evaluations;
};

static double modulus(struct ghost_complex x)
{
    return hypot(x.re, x.im);
}

/* ---- Newton's iteration -------------------------------------------------------------------- */

/* From s to a zero with im > 0; false if there is no convergence, or if it leads farther than
 * `limit`. */
static bool newton(struct search *w, struct ghost_complex *s, double limit)
{
    double last = HUGE_VAL;

    for (int it = 0; it < 50; it++) {
        const struct ghost_value v = ghost_value(w->g, *s);
        const double d2 = v.df.re * v.df.re + v.df.im * v.df.im;
        struct ghost_complex step = { (v.f.re * v.df.re + v.f.im * v.df.im) / d2,
                                      (v.f.im * v.df.re - v.f.re * v.df.im) / d2 };
        const double length = modulus(step), noise = ghost_rounding(w->g, v.size, modulus(*s));
        const double cap = 0.5 * PI;

        w->evaluations++;
        if (!isfinite(length))
            return false;
        if (length > cap) {
            step.re *= cap / length;
            step.im *= cap / length;
        }
        s->re -= step.re;
        s->im = fabs(s->im - step.im);
        if (length <= 4.0 * DBL_EPSILON * modulus(*s) ||
            (length >= 0.5 * last && hypot(v.f.re, v.f.im) <= 0.1 * noise))
            return s->im > 0.5 * PI;
        if (it > 8 && modulus(*s) > 2.0 * limit)
            return false;
        last = length;
    }
    /* A double zero: convergence is linear, and half of the digits are all there is. */
    return last <= 1e-6 * modulus(*s) && s->im > 0.5 * PI;
}

static void try_from(struct search *w, struct ghost_complex seed)
{
    struct ghost_complex s = seed;

    if (newton(w, &s, w->rho) && modulus(s) < w->rho) {
        w->zero = s;
        w->rho = modulus(s);
    }
}

/* ---- where to begin ------------------------------------------------------------------------ */

/* A zero of two neighbours of the upper hull alone: u + i pi / (b_k - b_j). */
static void try_hull(struct search *w)
{
    struct tw_ghost *g = w->g;
    struct ghost_complex seed[MAX_EDGES];
    const size_t corners = ghost_hull(g);
    size_t n = 0;

    for (size_t i = 0; i + 1 < corners; i++) {
        const size_t j = g->hull[i], k = g->hull[i + 1];
        const double gap = g->b[k] - g->b[j];
        const struct ghost_complex s = { (g->l[j] - g->l[k]) / gap, PI / gap };
        size_t at = n < MAX_EDGES ? n++ : MAX_EDGES;

        while (at > 0 && modulus(seed[at - 1]) > modulus(s)) {
            if (at < MAX_EDGES)
                seed[at] = seed[at - 1];
            at--;
        }
        if (at < MAX_EDGES)
            seed[at] = s;
    }
    for (size_t i = 0; i < n; i++)
        if (modulus(seed[i]) < 2.0 * w->rho)
            try_from(w, seed[i]);
}

/* Above the places where the variance is large: pi / (2 sigma) is the least height there is. */
static void try_variance(struct search *w, double u)
{
    static const double factor[] = { 1.0, 1.4, 2.0 };
    const double sigma = sqrt(ghost_real(w->g, u).variance);

    for (int i = 0; i < 3 && sigma > 0.0; i++) {
        const struct ghost_complex s = { u, factor[i] * PI / (2.0 * sigma) };

        if (modulus(s) < w->rho)
            try_from(w, s);
    }
}

/* ---- the proof ----------------------------------------------------------------------------- */

/* Zeros within the radius; starts again from where |F| was least if there are any. */
static bool count(struct search *w, double radius, const struct ghost_disc *around, size_t *zeros)
{
    struct ghost_arc arc = { 0 };
    const bool known = ghost_count(w->g, radius, around, &arc);

    w->evaluations += arc.evaluations;
    *zeros = arc.zeros;
    for (size_t i = 0; known && arc.zeros && i < arc.nseed && i < 4; i++)
        try_from(w, arc.seed[i]);
    return known;
}

/* Is the zero found the nearest? Narrows [low, high] by what the count says. */
static bool proves(struct search *w)
{
    const struct ghost_disc disc = ghost_isolate(w->g, w->zero);
    const bool alone = disc.radius > 1e3 * NEAR_GAP * w->rho;
    const double radius = w->rho * (1.0 - (alone ? NEAR_GAP : WIDE_GAP));
    size_t zeros;

    w->evaluations++;
    if (!count(w, radius, alone ? &disc : NULL, &zeros))
        return false;
    if (zeros)
        w->high = fmin(w->high, radius);
    else
        w->low = radius;
    return zeros == 0;
}

/* Halve [low, high] until the zero in it is found by new starts and proved, or the interval is
 * narrow. */
static bool bisect(struct search *w)
{
    double tried = HUGE_VAL;

    for (int it = 0; it < 80; it++) {
        size_t zeros;
        double mid;

        if (w->rho < tried && w->rho <= w->high) {
            tried = w->high = w->rho;
            if (proves(w))
                return true;
        }
        if (w->high - w->low <= WIDE_GAP * w->high)
            return true;
        mid = 0.5 * (w->low + w->high);
        if (!count(w, mid, NULL, &zeros)) { /* a zero on the very circle, perhaps: another one */
            mid = 0.45 * w->low + 0.55 * w->high;
            if (!count(w, mid, NULL, &zeros))
                return false;
        }
        if (zeros)
            w->high = fmin(w->high, mid);
        else
            w->low = mid;
    }
    return false;
}

static struct tw_ghost_zero report(const struct search *w, bool proved)
{
    const double scale = w->g->scale;
    const bool found = w->rho <= w->high * (1.0 + WIDE_GAP);

    return (struct tw_ghost_zero){ .proof = proved ? TW_GHOST_PROVED : TW_GHOST_OPEN,
                                   .rho = (found ? w->rho : w->high) / scale,
                                   .low = w->low / scale,
                                   .re = found ? w->zero.re / scale : (double)NAN,
                                   .im = found ? w->zero.im / scale : (double)NAN,
                                   .evaluations = w->evaluations };
}

struct tw_ghost_zero tw_ghost_nearest(struct tw_ghost *g)
{
    struct search w = { .g = g, .high = HUGE_VAL, .rho = HUGE_VAL };
    struct ghost_real at0;

    if (g->n < 2)
        return (struct tw_ghost_zero){ TW_GHOST_NONE, HUGE_VAL,    HUGE_VAL,
                                       (double)NAN,   (double)NAN, 0 };
    if (g->n == 2) { /* the paper's theorem 4.3 */
        const double gap = g->b[1] - g->b[0];

        w.zero = (struct ghost_complex){ (g->l[0] - g->l[1]) / gap, PI / gap };
        w.rho = w.low = w.high = modulus(w.zero);
        return report(&w, true);
    }
    if (g->depth > GHOST_FARTHEST) { /* nothing to be proved in doubles */
        at0 = ghost_real(g, 0.0);
        w.low = hypot(ghost_half_mass(g, &at0), PI) * (1.0 - 1e-6);
        w.high = ghost_upper_bound(g);
        return report(&w, false);
    }
    at0 = ghost_real(g, 0.0);
    w.low = hypot(ghost_half_mass(g, &at0), PI);
    try_hull(&w);
    if (at0.odds <= 0.0)
        try_variance(&w, 0.0);
    if (isfinite(w.rho) && proves(&w))
        return report(&w, true);
    w.high = fmin(w.high, isfinite(w.rho) ? w.rho : ghost_upper_bound(g));
    w.low = fmax(w.low, ghost_variance_bound(g));
    return report(&w, bisect(&w));
}
