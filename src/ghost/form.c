/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A sample shifted, scaled and merged; sums over its classes at real and complex points. */
#include "form.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

struct tw_ghost *tw_ghost_alloc(size_t classes)
{
    struct tw_ghost *g = tw_alloc(1, sizeof *g);

    if (!g)
        return NULL;
    g->max = classes;
    g->l = tw_alloc(classes, sizeof *g->l);
    g->b = tw_alloc(classes, sizeof *g->b);
    g->tr = tw_alloc(classes, sizeof *g->tr);
    g->ti = tw_alloc(classes, sizeof *g->ti);
    g->hull = tw_alloc(classes, sizeof *g->hull);
    g->pair = tw_alloc(classes, sizeof *g->pair);
    if (g->l && g->b && g->tr && g->ti && g->hull && g->pair)
        return g;
    tw_ghost_free(g);
    return NULL;
}

void tw_ghost_free(struct tw_ghost *g)
{
    if (!g)
        return;
    free(g->l);
    free(g->b);
    free(g->tr);
    free(g->ti);
    free(g->hull);
    free(g->pair);
    free(g);
}

/* ---- taking a sample ----------------------------------------------------------------------- */

static int by_slope(const void *x, const void *y)
{
    const struct ghost_pair *p = x, *q = y;

    if (p->a != q->a)
        return p->a < q->a ? -1 : 1;
    return (p->z > q->z) - (p->z < q->z);
}

/* Insertion for the few classes that most networks have: no calls. */
static void sort(struct ghost_pair *p, size_t n)
{
    if (n > 48) {
        qsort(p, n, sizeof *p, by_slope);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        const struct ghost_pair x = p[i];
        size_t j = i;

        while (j > 0 && (p[j - 1].a > x.a || (p[j - 1].a == x.a && p[j - 1].z > x.z))) {
            p[j] = p[j - 1];
            j--;
        }
        p[j] = x;
    }
}

/* Classes whose logits are as low as those of masks (-1e30, -3e38) matter nowhere near, and would
 * drown the others in rounding. Two are left at least. */
static void drop_masked(struct tw_ghost *g)
{
    size_t n = 0;

    for (size_t k = 0; k < g->n; k++)
        n += g->l[k] >= -GHOST_FARTHEST;
    if (n < 2 || n == g->n)
        return;
    n = 0;
    for (size_t k = 0; k < g->n; k++)
        if (g->l[k] >= -GHOST_FARTHEST) {
            g->l[n] = g->l[k];
            g->b[n++] = g->b[k];
        }
    g->n = n;
}

/* Sorted pairs into l and b; the weights of equal slopes add up. */
static void merge(struct tw_ghost *g, size_t classes)
{
    const double lowest = g->pair[0].a;
    double largest = -HUGE_VAL;
    size_t n = 0;

    for (size_t i = 0; i < classes;) {
        const double a = g->pair[i].a;
        size_t end = i + 1;
        double top, sum = 0.0;

        while (end < classes && g->pair[end].a == a)
            end++;
        top = g->pair[end - 1].z; /* the largest of them */
        for (size_t k = i; end - i > 1 && k < end; k++)
            sum += exp((g->pair[k].z - top) / g->temperature);
        g->l[n] = top / g->temperature + (end - i > 1 ? log(sum) : 0.0);
        g->b[n] = g->spread > 0.0 ? (a - lowest) / g->spread : 0.0;
        largest = fmax(largest, g->l[n++]);
        i = end;
    }
    g->n = n;
    g->depth = 0.0;
    for (size_t k = 0; k < n; k++)
        g->l[k] -= largest;
    drop_masked(g);
    for (size_t k = 0; k < g->n; k++)
        g->depth = fmax(g->depth, -g->l[k]);
}

enum tw_status tw_ghost_set(struct tw_ghost *g, size_t classes, const double *logits,
                            const double *slopes, double temperature, struct tw_err *err)
{
    double sum = 0.0, largest = -HUGE_VAL, lo = HUGE_VAL, hi = -HUGE_VAL;

    if (classes == 0 || classes > g->max)
        return tw_err_set(err, TW_EINVAL, "%zu classes where 1 to %zu were expected", classes,
                          g->max);
    if (!(temperature > 0.0 && temperature <= DBL_MAX))
        return tw_err_set(err, TW_EINVAL, "a temperature of %g is not positive", temperature);
    for (size_t k = 0; k < classes; k++) {
        if (!isfinite(logits[k]) || !isfinite(slopes[k]))
            return tw_err_set(err, TW_EDOMAIN, "the %s of class %zu is %g",
                              isfinite(logits[k]) ? "slope" : "logit", k,
                              isfinite(logits[k]) ? slopes[k] : logits[k]);
        g->pair[k] = (struct ghost_pair){ slopes[k], logits[k] };
        largest = fmax(largest, logits[k]);
        lo = fmin(lo, slopes[k]);
        hi = fmax(hi, slopes[k]);
    }
    if (!isfinite(hi - lo) || !isfinite((hi - lo) / temperature))
        return tw_err_set(err, TW_EDOMAIN, "slopes from %g to %g are too far apart", lo, hi);
    for (size_t k = 0; k < classes; k++)
        sum += exp((logits[k] - largest) / temperature);
    g->spread = hi - lo;
    g->temperature = temperature;
    g->scale = g->spread / temperature;
    g->p_max = 1.0 / sum;
    sort(g->pair, classes);
    merge(g, classes);
    return TW_OK;
}

/* ---- complex points ------------------------------------------------------------------------ */

static double largest_exponent(const struct tw_ghost *g, double u)
{
    double m = -HUGE_VAL;

    for (size_t k = 0; k < g->n; k++)
        m = fmax(m, g->l[k] + g->b[k] * u);
    return m;
}

struct ghost_value ghost_value(const struct tw_ghost *g, struct ghost_complex s)
{
    const double m = largest_exponent(g, s.re);
    struct ghost_value v = { { 0.0, 0.0 }, { 0.0, 0.0 }, 0.0 };

    for (size_t k = 0; k < g->n; k++) {
        const double b = g->b[k], size = exp(g->l[k] + b * s.re - m);
        const double re = size * cos(b * s.im), im = size * sin(b * s.im);

        v.size += size;
        v.f.re += re;
        v.f.im += im;
        v.df.re += b * re;
        v.df.im += b * im;
    }
    return v;
}

void ghost_taylor(const struct tw_ghost *g, struct ghost_complex s, struct ghost_taylor *t)
{
    const double m = largest_exponent(g, s.re);
    double mean = 0.0, factorial = 1.0;

    *t = (struct ghost_taylor){ 0 };
    for (size_t k = 0; k < g->n; k++) {
        const double b = g->b[k], size = exp(g->l[k] + b * s.re - m);

        g->tr[k] = size * cos(b * s.im);
        g->ti[k] = size * sin(b * s.im);
        t->size += size;
        mean += b * size;
        t->c[0].re += g->tr[k];
        t->c[0].im += g->ti[k];
    }
    t->mu = mean / t->size;
    t->reach = fmax(t->mu, 1.0 - t->mu);
    for (size_t k = 0; k < g->n; k++) {
        const double d = g->b[k] - t->mu;
        double re = g->tr[k], im = g->ti[k];

        for (int j = 1; j <= GHOST_ORDER; j++) {
            re *= d;
            im *= d;
            if (j < GHOST_ORDER) {
                t->c[j].re += re;
                t->c[j].im += im;
            } else {
                t->rest += sqrt(re * re + im * im);
            }
        }
    }
    for (int j = 1; j < GHOST_ORDER; j++) {
        factorial /= (double)j;
        t->c[j].re *= factorial;
        t->c[j].im *= factorial;
        t->size_of[j] = sqrt(t->c[j].re * t->c[j].re + t->c[j].im * t->c[j].im);
    }
    t->size_of[0] = sqrt(t->c[0].re * t->c[0].re + t->c[0].im * t->c[0].im);
    t->rest *= factorial / (double)GHOST_ORDER;
}

/* Each term's exponent is off by a few units in the last place of its largest part, and each sum by
 * one for each term. */
double ghost_rounding(const struct tw_ghost *g, double size, double modulus)
{
    return size * DBL_EPSILON * (4.0 + sqrt((double)g->n) + g->depth + modulus);
}

/* ---- real points --------------------------------------------------------------------------- */

struct ghost_real ghost_real(const struct tw_ghost *g, double u)
{
    struct ghost_real r = { 0 };
    double m = -HUGE_VAL, sum = 0.0, first = 0.0, others = 0.0, others_b = 0.0, spread = 0.0;

    for (size_t k = 0; k < g->n; k++)
        if (g->l[k] + g->b[k] * u > m) {
            m = g->l[k] + g->b[k] * u;
            r.top = k;
        }
    for (size_t k = 0; k < g->n; k++) {
        const double p = exp(g->l[k] + g->b[k] * u - m);

        g->tr[k] = p;
        sum += p;
        first += g->b[k] * p;
        if (k != r.top) {
            others += p;
            others_b += g->b[k] * p;
        }
    }
    r.mean = first / sum;
    for (size_t k = 0; k < g->n; k++) {
        const double d = g->b[k] - r.mean, square = d * d * g->tr[k];

        spread += square;
        r.third += d * square;
    }
    r.variance = spread / sum;
    r.third /= sum;
    r.odds = others > 0.0 ? -log(others) : HUGE_VAL;
    r.rate = others > 0.0 ? g->b[r.top] - others_b / others : 0.0;
    if (others < DBL_MIN) /* they underflow: their exponents are known */
        r.odds = ghost_odds(g, r.top, u, &r.rate);
    return r;
}

double ghost_odds(const struct tw_ghost *g, size_t m, double u, double *rate)
{
    double top = -HUGE_VAL, sum = 0.0, first = 0.0;

    for (size_t k = 0; k < g->n; k++)
        if (k != m)
            top = fmax(top, g->l[k] + g->b[k] * u);
    for (size_t k = 0; k < g->n; k++)
        if (k != m) {
            const double p = exp(g->l[k] + g->b[k] * u - top);

            sum += p;
            first += g->b[k] * p;
        }
    *rate = g->b[m] - first / sum;
    return g->l[m] + g->b[m] * u - top - log(fmax(sum, 1.0)); /* one of them is exp(0) */
}

/* Newton's iteration on a concave function from where it is negative: it stays there and rises to
 * the root. Where a second class is as large as m, m has at most half. */
double ghost_half(const struct tw_ghost *g, size_t m, int sign)
{
    double u = HUGE_VAL;

    for (size_t k = 0; k < g->n; k++)
        if (sign > 0 ? k > m : k < m)
            u = fmin(u, (g->l[m] - g->l[k]) / fabs(g->b[k] - g->b[m]));
    if (!isfinite(u))
        return HUGE_VAL * (double)sign;
    u *= (double)sign;
    for (int it = 0; it < 60; it++) {
        double rate;
        const double odds = ghost_odds(g, m, u, &rate), step = odds / rate;

        if (!(rate * (double)sign < 0.0) || !(odds < 0.0))
            break;
        u -= step;
        if (fabs(step) <= 1e-15 * fabs(u))
            break;
    }
    return u;
}

size_t ghost_hull(struct tw_ghost *g)
{
    size_t n = 0;

    for (size_t k = 0; k < g->n; k++) {
        while (n >= 2) {
            const size_t i = g->hull[n - 2], j = g->hull[n - 1];

            if ((g->l[j] - g->l[i]) * (g->b[k] - g->b[i]) >
                (g->l[k] - g->l[i]) * (g->b[j] - g->b[i]))
                break;
            n--;
        }
        g->hull[n++] = k;
    }
    return n;
}
