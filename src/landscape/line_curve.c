/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The piecewise cubic through the points of a line, its error and its top. */
#include <math.h>

#include "line.h"

/* The error of a piece: see thalweg/landscape_line.h. */
enum { STENCIL = 5, AROUND = 1 };
static const double CAUTION = 4.0;

double line_t(const struct tw_line *l, size_t k)
{
    return l->point[l->order[k]].t;
}

double line_value(const struct tw_line *l, enum tw_line_curve which, size_t k)
{
    const struct tw_values *v = &l->point[l->order[k]].values;

    return which == TW_LINE_ERROR ? v->error.value : v->loss.value;
}

/* The next point to the left or right of k with a finite value, passing over `skip`; l->n: none,
 * for gaps end the search. */
static size_t neighbour(const struct tw_line *l, enum tw_line_curve which, size_t k, int side,
                        size_t skip)
{
    do {
        if ((side < 0 && k == 0) || (side > 0 && k + 1 >= l->n))
            return l->n;
        k = side < 0 ? k - 1 : k + 1;
    } while (k == skip);
    return isfinite(line_value(l, which, k)) ? k : l->n;
}

/* Slope at point k: of the polynomial through it and two points on either side, or more on one
 * where a border or a gap leaves fewer on the other, point `skip` not being among them (l->n: all
 * may). Differentiation in barycentric form (Berrut & Trefethen 2004, SIAM Review 46,
 * equation 9.4). */
static double slope(const struct tw_line *l, enum tw_line_curve which, size_t k, size_t skip)
{
    const double at = line_t(l, k), y = line_value(l, which, k);
    const double measured = l->point[l->order[k]].slope;
    double x[STENCIL] = { at }, f[STENCIL] = { y }, w[STENCIL], sum = 0.0;
    size_t left = neighbour(l, which, k, -1, skip), right = neighbour(l, which, k, 1, skip), m = 1;
    int balance = 0; /* more points on the left than on the right */

    if (which == TW_LINE_LOSS && isfinite(measured))
        return measured;
    while (m < STENCIL && (left < l->n || right < l->n)) {
        const bool go_left = right == l->n || (left < l->n && balance <= 0);
        const size_t next = go_left ? left : right;

        x[m] = line_t(l, next);
        f[m++] = line_value(l, which, next);
        balance += go_left ? 1 : -1;
        if (go_left)
            left = neighbour(l, which, left, -1, skip);
        else
            right = neighbour(l, which, right, 1, skip);
    }
    for (size_t j = 0; j < m; j++) {
        w[j] = 1.0;
        for (size_t i = 0; i < m; i++)
            w[j] *= i == j ? 1.0 : x[j] - x[i];
    }
    for (size_t j = 1; j < m; j++)
        sum += w[0] / w[j] / (at - x[j]) * (f[j] - y);
    return sum;
}

/* The cubic between points a < b, without `skip`: f = y[0] + s (y[1] + s (y[2] + s y[3])) with s
 * from 0 to 1. */
static void cubic(const struct tw_line *l, enum tw_line_curve which, size_t a, size_t b,
                  size_t skip, double y[4])
{
    const double h = line_t(l, b) - line_t(l, a);
    const double fa = line_value(l, which, a), fb = line_value(l, which, b);
    const double da = h * slope(l, which, a, skip), db = h * slope(l, which, b, skip);

    y[0] = fa;
    y[1] = da;
    y[2] = 3.0 * (fb - fa) - 2.0 * da - db;
    y[3] = 2.0 * (fa - fb) + da + db;
}

static double evaluate(const double y[4], double s)
{
    return y[0] + s * (y[1] + s * (y[2] + s * y[3]));
}

static bool finite_piece(const struct tw_line *l, enum tw_line_curve which, size_t k)
{
    return isfinite(line_value(l, which, k)) && isfinite(line_value(l, which, k + 1));
}

double tw_line_at(const struct tw_line *l, enum tw_line_curve which, double t)
{
    double y[4];
    size_t k = 0;

    while (k < l->n && line_t(l, k) < t)
        k++;
    if (k < l->n && line_t(l, k) == t)
        return line_value(l, which, k);
    if (k == 0 || k == l->n || !finite_piece(l, which, k - 1))
        return (double)NAN;
    cubic(l, which, k - 1, k, l->n, y);
    return evaluate(y, (t - line_t(l, k - 1)) / (line_t(l, k) - line_t(l, k - 1)));
}

/* ---- error ------------------------------------------------------------------------------------
 */

/* The error that the piece would have that goes over point k, from a to b. NAN: none. */
static double left_out(const struct tw_line *l, enum tw_line_curve which, size_t k)
{
    const double least = 0.05; /* nearer to an end the shape divides noise by next to nothing */
    double y[4], s, shape;

    if (k == 0 || k + 1 >= l->n || !isfinite(line_value(l, which, k - 1)) ||
        !isfinite(line_value(l, which, k)) || !isfinite(line_value(l, which, k + 1)))
        return (double)NAN;
    cubic(l, which, k - 1, k + 1, k, y);
    s = (line_t(l, k) - line_t(l, k - 1)) / (line_t(l, k + 1) - line_t(l, k - 1));
    shape = 16.0 * s * s * (1.0 - s) * (1.0 - s);
    return fabs(evaluate(y, s) - line_value(l, which, k)) / fmax(shape, least);
}

/* One place left out may lie right by chance, so the worst of the nearest ones stands for all. */
double line_piece_error(const struct tw_line *l, enum tw_line_curve which, size_t k)
{
    const double h = line_t(l, k + 1) - line_t(l, k);
    double worst = (double)NAN;

    if (!finite_piece(l, which, k))
        return (double)NAN;
    for (size_t i = k > AROUND ? k - AROUND : 0; i <= k + 1 + AROUND; i++) {
        const double e = left_out(l, which, i);
        const double r = isnan(e) ? 0.0 : h / (line_t(l, i + 1) - line_t(l, i - 1));

        worst = fmax(worst, CAUTION * e * r * r * r); /* fmax passes NAN over */
    }
    return isnan(worst) ? (double)INFINITY : worst;
}

double tw_line_stated_error(const struct tw_line *l, enum tw_line_curve which)
{
    double worst = (double)NAN;

    for (size_t k = 0; k + 1 < l->n; k++)
        worst = fmax(worst, line_piece_error(l, which, k));
    return worst;
}

/* ---- tops -------------------------------------------------------------------------------------
 */

struct top {
    double t, value;
};

static void offer(struct top *best, double t, double value)
{
    if (isfinite(value) && !(value <= best->value))
        *best = (struct top){ t, value };
}

/* The maxima of one piece less the chord c0 + c1 t: where the derivative's quadratic is zero. */
static void top_of_piece(const struct tw_line *l, enum tw_line_curve which, size_t k, double c0,
                         double c1, struct top *best)
{
    const double a = line_t(l, k), h = line_t(l, k + 1) - a;
    double y[4], disc, q, root[2];

    cubic(l, which, k, k + 1, l->n, y);
    y[0] -= c0 + c1 * a;
    y[1] -= c1 * h;
    /* y1 + 2 y2 s + 3 y3 s^2 = 0 without cancellation */
    disc = y[2] * y[2] - 3.0 * y[1] * y[3];
    if (!(disc >= 0.0))
        return;
    q = -(y[2] + copysign(sqrt(disc), y[2]));
    root[0] = y[1] / q;
    root[1] = q / (3.0 * y[3]);
    for (int i = 0; i < 2; i++)
        if (root[i] > 0.0 && root[i] < 1.0)
            offer(best, a + root[i] * h, evaluate(y, root[i]));
}

double tw_line_top(const struct tw_line *l, enum tw_line_curve which, bool excess, double *t)
{
    struct top best = { (double)NAN, (double)NAN };
    double c0 = 0.0, c1 = 0.0;

    if (excess && l->n > 1) {
        const double a = line_t(l, 0), b = line_t(l, l->n - 1);
        const double fa = line_value(l, which, 0), fb = line_value(l, which, l->n - 1);

        c1 = (fb - fa) / (b - a);
        c0 = fa - c1 * a;
    }
    for (size_t k = 0; k < l->n; k++) {
        const bool end = k == 0 || k + 1 == l->n;
        const double y = line_value(l, which, k);

        offer(&best, line_t(l, k), excess && end ? y - y : y - c0 - c1 * line_t(l, k));
        if (!end || k == 0)
            if (k + 1 < l->n && finite_piece(l, which, k))
                top_of_piece(l, which, k, c0, c1, &best);
    }
    if (t)
        *t = best.t;
    return best.value;
}
