/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Several directions at once, quadratic logits, and learning rates from radii. */
#include <math.h>

#include "thalweg/ghost_batch.h"

#define PI 3.14159265358979323846

double tw_ghost_polydisc(size_t m, const double *length, const double *spread, double temperature)
{
    double sum = 0.0;

    for (size_t i = 0; i < m; i++)
        sum += length[i] * spread[i];
    return sum / (PI * temperature);
}

double tw_ghost_subspace(size_t classes, size_t m, const double *a, double temperature)
{
    double most = 0.0;

    for (size_t k = 0; k < classes; k++)
        for (size_t j = 0; j < k; j++) {
            double sum = 0.0;

            for (size_t i = 0; i < m; i++)
                sum += (a[k * m + i] - a[j * m + i]) * (a[k * m + i] - a[j * m + i]);
            most = fmax(most, sum);
        }
    return most > 0.0 ? PI * temperature / sqrt(most) : HUGE_VAL;
}

/* ---- quadratic logits ---------------------------------------------------------------------- */

struct bend {
    double phase_a, phase_b;     /* spreads */
    double lead, lead_a, lead_b; /* of the top class: log-odds, and how fast slopes and bends of
                                    the others differ from its own */
};

/* The positive root of b r^2 + a r = c. */
static double root(double a, double b, double c)
{
    const double d = a + sqrt(a * a + 4.0 * b * c);

    return d > 0.0 ? 2.0 * c / d : HUGE_VAL;
}

static struct bend bend_of(size_t n, const double *z, const double *a, const double *b,
                           double temperature)
{
    double lo[2] = { HUGE_VAL, HUGE_VAL }, hi[2] = { -HUGE_VAL, -HUGE_VAL }, others = 0.0;
    struct bend o = { 0 };
    size_t top = 0;

    for (size_t k = 0; k < n; k++) {
        top = z[k] > z[top] ? k : top;
        lo[0] = fmin(lo[0], a[k]);
        hi[0] = fmax(hi[0], a[k]);
        lo[1] = fmin(lo[1], b[k]);
        hi[1] = fmax(hi[1], b[k]);
    }
    for (size_t k = 0; k < n; k++)
        if (k != top) {
            others += exp((z[k] - z[top]) / temperature);
            o.lead_a = fmax(o.lead_a, fabs(a[k] - a[top]) / temperature);
            o.lead_b = fmax(o.lead_b, fabs(b[k] - b[top]) / temperature);
        }
    o.phase_a = (hi[0] - lo[0]) / temperature;
    o.phase_b = (hi[1] - lo[1]) / temperature;
    o.lead = others > 0.0 ? fmax(0.0, -log(others)) : HUGE_VAL;
    return o;
}

double tw_ghost_quadratic(size_t classes, const double *z, const double *a, const double *b,
                          double temperature)
{
    enum { CELLS = 256 };
    const struct bend o = bend_of(classes, z, a, b, temperature);
    double least = HUGE_VAL;

    if (classes < 2 || !(o.lead < HUGE_VAL))
        return o.phase_a > 0.0 || o.phase_b > 0.0 ? root(o.phase_a, o.phase_b, PI) : HUGE_VAL;
    /* Both radii depend on theta through |sin|, |cos| of theta and of 2 theta, so a quarter turn is
     * enough; in each cell the largest value of each. */
    for (int i = 0; i < CELLS; i++) {
        const double lo = 0.5 * PI * i / CELLS, hi = 0.5 * PI * (i + 1) / CELLS;
        const double sin2 =
            lo < 0.25 * PI && hi > 0.25 * PI ? 1.0 : fmax(sin(2.0 * lo), sin(2.0 * hi));
        const double cos2 = fmax(fabs(cos(2.0 * lo)), fabs(cos(2.0 * hi)));
        const double phase = root(o.phase_a * sin(hi), o.phase_b * sin2, PI);
        const double lead = o.lead > 0.0 ? root(o.lead_a * cos(lo), o.lead_b * cos2, o.lead) : 0.0;

        least = fmin(least, fmax(phase, lead));
    }
    return least;
}

/* ---- controllers --------------------------------------------------------------------------- */

double tw_ghost_rate(enum tw_ghost_rule rule, double rate, double r, double rho_a, double norm)
{
    const double by_radius = norm > 0.0 ? r * rho_a / norm : HUGE_VAL;

    if (!(by_radius < HUGE_VAL))
        return rate;
    return rule == TW_GHOST_CAP ? fmin(rate, by_radius) : by_radius;
}
