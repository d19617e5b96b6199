/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The piecewise cubic through the points of a line or their logarithms, its error and its top. */
#include <math.h>

#include "line.h"

/* The error of a piece: see thalweg/landscape_line.h. */
enum { STENCIL = 5, AROUND = 1 };
static const double CAUTION = 6.0;

/* One of a line's curves. Its cubics are of the logarithm where all values are above zero. */
struct curve {
    const struct tw_line *l;
    enum tw_line_curve which;
    bool log;
};

double line_t(const struct tw_line *l, size_t k)
{
    return l->point[l->order[k]].t;
}

double line_value(const struct tw_line *l, enum tw_line_curve which, size_t k)
{
    const struct tw_values *v = &l->point[l->order[k]].values;

    return which == TW_LINE_ERROR ? v->error.value : v->loss.value;
}

static struct curve curve_of(const struct tw_line *l, enum tw_line_curve which)
{
    struct curve c = { l, which, true };

    for (size_t k = 0; k < l->n; k++)
        c.log = c.log && !(line_value(l, which, k) <= 0.0);
    return c;
}

/* What the cubics go through. */
static double knot(const struct curve *c, size_t k)
{
    const double y = line_value(c->l, c->which, k);

    return c->log ? log(y) : y;
}

/* The next point to the left or right of k with a finite value, passing over `skip`; l->n: none,
 * for gaps end the search. */
static size_t neighbour(const struct curve *c, size_t k, int side, size_t skip)
{
    const struct tw_line *l = c->l;

    do {
        if ((side < 0 && k == 0) || (side > 0 && k + 1 >= l->n))
            return l->n;
        k = side < 0 ? k - 1 : k + 1;
    } while (k == skip);
    return isfinite(line_value(l, c->which, k)) ? k : l->n;
}

/* Slope at point k: of the polynomial through it and two points on either side, or more on one
 * where a border or a gap leaves fewer on the other, point `skip` not being among them (l->n: all
 * may). Differentiation in barycentric form (Berrut & Trefethen 2004, SIAM Review 46,
 * equation 9.4). */
static double slope(const struct curve *c, size_t k, size_t skip)
{
    const struct tw_line *l = c->l;
    const double at = line_t(l, k), y = knot(c, k);
    const double measured = l->point[l->order[k]].slope;
    double x[STENCIL] = { at }, f[STENCIL] = { y }, w[STENCIL], sum = 0.0;
    size_t left = neighbour(c, k, -1, skip), right = neighbour(c, k, 1, skip), m = 1;
    int balance = 0; /* more points on the left than on the right */

    if (c->which == TW_LINE_LOSS && isfinite(measured))
        return c->log ? measured / line_value(l, c->which, k) : measured;
    while (m < STENCIL && (left < l->n || right < l->n)) {
        const bool go_left = right == l->n || (left < l->n && balance <= 0);
        const size_t next = go_left ? left : right;

        x[m] = line_t(l, next);
        f[m++] = knot(c, next);
        balance += go_left ? 1 : -1;
        if (go_left)
            left = neighbour(c, left, -1, skip);
        else
            right = neighbour(c, right, 1, skip);
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
static void cubic(const struct curve *c, size_t a, size_t b, size_t skip, double y[4])
{
    const double h = line_t(c->l, b) - line_t(c->l, a);
    const double fa = knot(c, a), fb = knot(c, b);
    const double da = h * slope(c, a, skip), db = h * slope(c, b, skip);

    y[0] = fa;
    y[1] = da;
    y[2] = 3.0 * (fb - fa) - 2.0 * da - db;
    y[3] = 2.0 * (fa - fb) + da + db;
}

static double evaluate(const double y[4], double s)
{
    return y[0] + s * (y[1] + s * (y[2] + s * y[3]));
}

static double curve_at(const struct curve *c, const double y[4], double s)
{
    const double v = evaluate(y, s);

    return c->log ? exp(v) : v;
}

static bool finite_piece(const struct tw_line *l, enum tw_line_curve which, size_t k)
{
    return isfinite(line_value(l, which, k)) && isfinite(line_value(l, which, k + 1));
}

double tw_line_at(const struct tw_line *l, enum tw_line_curve which, double t)
{
    const struct curve c = curve_of(l, which);
    double y[4];
    size_t k = 0;

    while (k < l->n && line_t(l, k) < t)
        k++;
    if (k < l->n && line_t(l, k) == t)
        return line_value(l, which, k);
    if (k == 0 || k == l->n || !finite_piece(l, which, k - 1))
        return (double)NAN;
    cubic(&c, k - 1, k, l->n, y);
    return curve_at(&c, y, (t - line_t(l, k - 1)) / (line_t(l, k) - line_t(l, k - 1)));
}

/* ---- error ------------------------------------------------------------------------------------
 */

/* The error that the piece would have that goes over point k, from a to b. NAN: none. */
static double left_out(const struct curve *c, size_t k)
{
    const struct tw_line *l = c->l;
    const double least = 0.05; /* nearer to an end the shape divides noise by next to nothing */
    double y[4], s, shape;

    if (k == 0 || k + 1 >= l->n || !finite_piece(l, c->which, k - 1) ||
        !finite_piece(l, c->which, k))
        return (double)NAN;
    cubic(c, k - 1, k + 1, k, y);
    s = (line_t(l, k) - line_t(l, k - 1)) / (line_t(l, k + 1) - line_t(l, k - 1));
    shape = 16.0 * s * s * (1.0 - s) * (1.0 - s);
    return fabs(evaluate(y, s) - knot(c, k)) / fmax(shape, least);
}

/* One place left out may lie right by chance, so the worst of the nearest ones stands for all. */
double line_piece_error(const struct tw_line *l, enum tw_line_curve which, size_t k)
{
    const struct curve c = curve_of(l, which);
    const double h = line_t(l, k + 1) - line_t(l, k);
    double worst = (double)NAN, scale = 1.0;

    if (!finite_piece(l, which, k))
        return (double)NAN;
    for (size_t i = k > AROUND ? k - AROUND : 0; i <= k + 1 + AROUND; i++) {
        const double e = left_out(&c, i);
        const double r = isnan(e) ? 0.0 : h / (line_t(l, i + 1) - line_t(l, i - 1));

        worst = fmax(worst, CAUTION * e * r * r * r); /* fmax passes NAN over */
    }
    if (c.log) /* of logarithms */
        scale = fmax(line_value(l, which, k), line_value(l, which, k + 1));
    return isnan(worst) ? (double)INFINITY : scale * worst;
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

/* d/ds of the curve on a piece. */
static double rise(const struct curve *c, const double y[4], double s)
{
    const double d = y[1] + s * (2.0 * y[2] + s * 3.0 * y[3]);

    return c->log ? d * exp(evaluate(y, s)) : d;
}

/* The maxima of one piece less the chord c0 + c1 t: where its slope goes from up to down. */
static void top_of_piece(const struct curve *c, size_t k, double c0, double c1, struct top *best)
{
    enum { PARTS = 8, HALVINGS = 50 };
    const double a = line_t(c->l, k), h = line_t(c->l, k + 1) - a;
    double y[4], before, after;

    cubic(c, k, k + 1, c->l->n, y);
    after = rise(c, y, 0.0) - c1 * h;
    for (int i = 0; i < PARTS; i++) {
        double lo = (double)i / PARTS, hi = (double)(i + 1) / PARTS;

        before = after;
        after = rise(c, y, hi) - c1 * h;
        if (!(before > 0.0 && after < 0.0))
            continue;
        for (int j = 0; j < HALVINGS; j++) {
            const double mid = 0.5 * (lo + hi);

            if (rise(c, y, mid) > c1 * h)
                lo = mid;
            else
                hi = mid;
        }
        offer(best, a + lo * h, curve_at(c, y, lo) - c0 - c1 * (a + lo * h));
    }
}

double tw_line_top(const struct tw_line *l, enum tw_line_curve which, bool excess, double *t)
{
    const struct curve c = curve_of(l, which);
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
                top_of_piece(&c, k, c0, c1, &best);
    }
    if (t)
        *t = best.t;
    return best.value;
}
