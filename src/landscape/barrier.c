/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Heights of a line as contrasts of its points, and the interval of the highest. */
#include "thalweg/landscape_barrier.h"

#include <gsl/gsl_cdf.h>
#include <math.h>
#include <stdlib.h>

#include "line.h"

enum { TERMS = 3, REPLICATES = 2000 };
static const double LEVEL = 0.95, CONTACT = 3.0;

/* A sum of a few points' values, each by a factor. */
struct contrast {
    size_t at[TERMS];
    double by[TERMS];
    double value, se, t, from;
    bool near; /* may be the highest */
};

struct heights {
    size_t m; /* points with finite values, by rising t */
    double *t, *value;
    double *cov; /* (m, m) of the values; below the diagonal its Cholesky factor in the end */
    double *root;
    size_t n;
    struct contrast *c;
    size_t best;
    double rare; /* variance for what few samples cannot show */
};

/* ---- the covariance of the points ----------------------------------------------------------- */

/* Row k of residuals x - L w, by rising t. */
static void residuals(const struct tw_line *l, enum tw_line_curve which, const size_t *rows,
                      const struct heights *h, double *r)
{
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < h->m; k++) {
        const double *x = (which == TW_LINE_ERROR ? l->miss : l->loss) + rows[k] * l->samples;

        for (size_t i = 0; i < l->samples; i++)
            r[k * l->samples + i] = x[i] - h->value[k] * l->weight[i];
    }
}

static void covariance(const struct tw_line *l, const double *r, struct heights *h)
{
    const double weight = tw_sum(l->weight, l->samples), n = (double)l->samples;
    const double scale = n > 1.0 ? n / (n - 1.0) / (weight * weight) : (double)NAN;

    for (size_t a = 0; a < h->m; a++)
        for (size_t b = 0; b <= a; b++)
            h->cov[a * h->m + b] = h->cov[b * h->m + a] =
                scale * tw_sum_dot(r + a * l->samples, r + b * l->samples, l->samples);
}

/* Of n samples few or none may change sides, and then their spread says nothing: half a sample more
 * in each direction (Agresti, Min 2005, Statistics in Medicine 24, "Simple improved confidence
 * intervals for comparing matched proportions", section 3), of a mean square's weight. */
static double rare_misses(const struct tw_line *l)
{
    const double weight = tw_sum(l->weight, l->samples);

    return tw_sum_dot(l->weight, l->weight, l->samples) / (double)l->samples / (weight * weight);
}

/* cov = R R'; a direction without variance, but for rounding, gets none. */
static void factorise(const struct heights *h)
{
    const size_t m = h->m;

    for (size_t j = 0; j < m; j++) {
        double d = h->cov[j * m + j];

        for (size_t k = 0; k < j; k++)
            d -= h->root[j * m + k] * h->root[j * m + k];
        d = d > 1e-12 * h->cov[j * m + j] ? sqrt(d) : 0.0;
        h->root[j * m + j] = d;
        for (size_t i = j + 1; i < m; i++) {
            double s = h->cov[i * m + j];

            for (size_t k = 0; k < j; k++)
                s -= h->root[i * m + k] * h->root[j * m + k];
            h->root[i * m + j] = d > 0.0 ? s / d : 0.0;
        }
    }
}

/* ---- contrasts --------------------------------------------------------------------------------
 */

/* The variance of one contrast, or of the difference of two (b NULL: none); what rounding leaves of
 * zero is zero. */
static double variance(const struct heights *h, const struct contrast *a, const struct contrast *b)
{
    size_t at[2 * TERMS] = { 0 };
    double by[2 * TERMS] = { 0.0 }, sum = 0.0, size = 0.0;

    for (size_t i = 0; i < TERMS; i++) {
        at[i] = a->at[i];
        by[i] = a->by[i];
        if (b) {
            at[TERMS + i] = b->at[i];
            by[TERMS + i] = -b->by[i];
        }
    }
    for (size_t i = 0; i < 2 * TERMS; i++)
        for (size_t j = 0; j < 2 * TERMS; j++) {
            const double term = by[i] * by[j] * h->cov[at[i] * h->m + at[j]];

            sum += term;
            size = fmax(size, fabs(term));
        }
    return sum > 1e-13 * size || isnan(sum) ? sum : 0.0;
}

static double apply(const struct contrast *c, const double *v)
{
    double sum = 0.0;

    for (int i = 0; i < TERMS; i++)
        sum += c->by[i] == 0.0 ? 0.0 : c->by[i] * v[c->at[i]];
    return sum;
}

static bool make_contrasts(struct heights *h, enum tw_barrier_kind kind)
{
    const size_t m = h->m, last = m - 1;
    const double span = h->t[last] - h->t[0];

    h->c = tw_alloc(kind == TW_BARRIER_RISE ? m * (m - 1) / 2 + 1 : m, sizeof *h->c);
    if (!h->c)
        return false;
    if (kind == TW_BARRIER_RISE) {
        h->c[h->n++] = (struct contrast){ .t = h->t[0], .from = h->t[0] }; /* none */
        for (size_t a = 0; a < m; a++)
            for (size_t b = a + 1; b < m; b++)
                h->c[h->n++] = (struct contrast){
                    .at = { b, a }, .by = { 1.0, -1.0 }, .t = h->t[b], .from = h->t[a]
                };
    }
    for (size_t k = 0; kind != TW_BARRIER_RISE && k < m; k++) {
        const double s = kind == TW_BARRIER_FRANKLE ? 0.5 : (h->t[k] - h->t[0]) / span;

        h->c[h->n++] = (struct contrast){
            .at = { k, 0, last }, .by = { 1.0, s - 1.0, -s }, .t = h->t[k], .from = (double)NAN
        };
    }
    for (size_t q = 0; q < h->n; q++) {
        h->c[q].value = apply(&h->c[q], h->value);
        if (h->c[q].value > h->c[h->best].value)
            h->best = q;
    }
    for (size_t q = 0; q < h->n; q++) {
        const double below = h->c[h->best].value - h->c[q].value;

        h->c[q].se = sqrt(variance(h, &h->c[q], NULL));
        h->c[q].near =
            q == h->best || below <= CONTACT * sqrt(variance(h, &h->c[q], &h->c[h->best]));
    }
    return true;
}

/* ---- replicates -------------------------------------------------------------------------------
 */

struct replicate {
    double sup, t;
    double over; /* the highest over the one that is highest in the data */
};

/* The top of the parabola through the highest contrast of a replicate and the nearest on either
 * side that are far enough away to have a bend of their own. */
static double top_place(const struct heights *h, const double *v, size_t k)
{
    const double apart = 0.03 * (h->t[h->m - 1] - h->t[0]);
    size_t a = k, b = k;
    double x1 = h->c[k].t, d0, d2, bend;

    while (a > 0 && x1 - h->c[a].t < apart)
        a--;
    while (b + 1 < h->n && h->c[b].t - x1 < apart)
        b++;
    if (a == k || b == k)
        return x1;
    d0 = (v[k] - v[a]) / (x1 - h->c[a].t);
    d2 = (v[b] - v[k]) / (h->c[b].t - x1);
    bend = (d2 - d0) / (h->c[b].t - h->c[a].t);
    return bend < 0.0 ? fmin(fmax(0.5 * (h->c[a].t + x1 - d0 / bend), h->c[a].t), h->c[b].t) : x1;
}

/* z and v: room for as many reals as there are points, and contrasts. */
static struct replicate draw(const struct heights *h, uint64_t seed, size_t b, double *z, double *v)
{
    struct tw_rng rng = tw_rng_stream(seed, TW_RNG_BARRIER, b);
    struct replicate r = { 0 };
    size_t best = 0;

    for (size_t k = 0; k < h->m; k++)
        z[k] = tw_rng_normal(&rng);
    for (size_t k = h->m; k-- > 0;) {
        double s = 0.0;

        for (size_t j = 0; j <= k; j++)
            s += h->root[k * h->m + j] * z[j];
        z[k] = s;
    }
    for (size_t q = 0; q < h->n; q++) {
        const struct contrast *c = &h->c[q];
        const double deviation = c->se > 0.0 ? apply(c, z) : 0.0;

        v[q] = c->value + deviation;
        if (c->near && c->se > 0.0)
            r.sup = fmax(r.sup, fabs(deviation) / c->se);
        best = v[q] > v[best] ? q : best;
    }
    r.over = v[best] - v[h->best];
    r.t = isnan(h->c[best].from) ? top_place(h, v, best) : h->c[best].t;
    return r;
}

static bool draw_all(const struct heights *h, const struct tw_barrier_options *o, size_t replicates,
                     struct replicate *out)
{
    bool ok = true;

#pragma omp parallel
    {
        double *z = tw_alloc(h->m, sizeof *z), *v = tw_alloc(h->n, sizeof *v);

        if (!z || !v) {
#pragma omp atomic write
            ok = false;
        }
#pragma omp for schedule(static)
        for (size_t b = 0; b < replicates; b++)
            if (z && v)
                out[b] = draw(h, o->seed, b, z, v);
        free(z);
        free(v);
    }
    return ok;
}

/* Zero by its making: the ends of Entezari's, no rise. */
static bool is_nothing(const struct contrast *c)
{
    double by[TERMS] = { 0.0 };

    for (int i = 0; i < TERMS; i++)
        for (int j = 0; j <= i; j++)
            if (c->at[j] == c->at[i]) {
                by[j] += c->by[i];
                break;
            }
    return by[0] == 0.0 && by[1] == 0.0 && by[2] == 0.0;
}

static void interval(const struct heights *h, double part, double c, double *lo, double *hi)
{
    *lo = *hi = -HUGE_VAL;
    for (size_t q = 0; q < h->n; q++)
        if (h->c[q].near) {
            const double rare = is_nothing(&h->c[q]) ? 0.0 : h->rare;
            const double se = part * sqrt(h->c[q].se * h->c[q].se + rare);

            *lo = fmax(*lo, h->c[q].value - c * se);
            *hi = fmax(*hi, h->c[q].value + c * se);
        }
}

static enum tw_status summarise(const struct heights *h, enum tw_barrier_kind kind, double part,
                                const struct tw_barrier_options *o, struct tw_barrier *out)
{
    const size_t b = o->replicates ? o->replicates : REPLICATES;
    const double level = o->level > 0.0 ? o->level : LEVEL, tail = 0.5 - 0.5 * level;
    struct replicate *r = tw_alloc(b, sizeof *r);
    double *x = tw_alloc(b, sizeof *x);
    const bool ok = r && x && draw_all(h, o, b, r);

    if (ok) {
        for (size_t i = 0; i < b; i++)
            x[i] = r[i].over;
        out->bias = tw_sum(x, b) / (double)b;
        for (size_t i = 0; i < b; i++)
            x[i] = r[i].sup;
        tw_sort_reals(x, b);
        out->c = fmax(tw_quantile_sorted(x, b, level), gsl_cdf_ugaussian_Qinv(tail));
        interval(h, 1.0, out->c, &out->lo, &out->hi);
        interval(h, part, out->c, &out->lo_data, &out->hi_data);
        for (size_t i = 0; i < b; i++)
            x[i] = r[i].t;
        tw_sort_reals(x, b);
        if (kind != TW_BARRIER_RISE) {
            out->t_lo = fmin(out->t, tw_quantile_sorted(x, b, tail));
            out->t_hi = fmax(out->t, tw_quantile_sorted(x, b, 1.0 - tail));
        }
    }
    free(r);
    free(x);
    return ok ? TW_OK : TW_ENOMEM;
}

/* ---- all of it --------------------------------------------------------------------------------
 */

/* Points with finite values; rows: their places in the order of evaluation. */
static void collect(const struct tw_line *l, enum tw_line_curve which, struct heights *h,
                    size_t *rows)
{
    for (size_t k = 0; k < l->n; k++)
        if (isfinite(line_value(l, which, k))) {
            h->t[h->m] = line_t(l, k);
            h->value[h->m] = line_value(l, which, k);
            rows[h->m++] = l->order[k];
        }
}

static bool ends_are_finite(const struct tw_line *l, const struct heights *h)
{
    return h->m > 1 && h->t[0] == line_t(l, 0) && h->t[h->m - 1] == line_t(l, l->n - 1);
}

enum tw_status tw_barrier_measure(const struct tw_line *l, enum tw_line_curve which,
                                  enum tw_barrier_kind kind, size_t all,
                                  const struct tw_barrier_options *o, struct tw_barrier *out,
                                  struct tw_err *err)
{
    const double nan = (double)NAN, n = (double)l->samples;
    const double part = all > l->samples ? sqrt(1.0 - n / (double)all) : 0.0;
    struct heights h = { 0 };
    size_t *rows = tw_alloc(l->n, sizeof *rows);
    double *r = NULL;
    enum tw_status rc = TW_OK;

    *out = (struct tw_barrier){ nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan, nan };
    h.t = tw_alloc(l->n, sizeof *h.t);
    h.value = tw_alloc(l->n, sizeof *h.value);
    h.cov = tw_alloc(l->n, l->n * sizeof *h.cov);
    h.root = tw_alloc(l->n, l->n * sizeof *h.root);
    if (l->n < 3 || !l->weight || !(which == TW_LINE_ERROR ? l->miss : l->loss))
        rc = tw_err_set(err, TW_EINVAL, "a barrier takes three points with their samples");
    else if (!rows || !h.t || !h.value || !h.cov || !h.root)
        rc = TW_ENOMEM;
    if (rc == TW_OK)
        collect(l, which, &h, rows);
    if (rc == TW_OK && ends_are_finite(l, &h)) {
        r = h.m <= SIZE_MAX / l->samples ? tw_alloc(h.m * l->samples, sizeof *r) : NULL;
        if (r) {
            residuals(l, which, rows, &h, r);
            covariance(l, r, &h);
            factorise(&h);
            if (which == TW_LINE_ERROR)
                h.rare = rare_misses(l);
        }
        if (!r || !make_contrasts(&h, kind)) {
            rc = TW_ENOMEM;
        } else {
            out->value = h.c[h.best].value;
            out->t = h.c[h.best].t;
            out->from = h.c[h.best].from;
            out->se = h.c[h.best].se;
            out->se_data = part > 0.0 ? part * out->se : 0.0 * out->se;
            rc = l->samples > 1 ? summarise(&h, kind, part, o, out) : TW_OK;
        }
    }
    free(rows);
    free(r);
    free(h.t);
    free(h.value);
    free(h.cov);
    free(h.root);
    free(h.c);
    return rc == TW_ENOMEM ? tw_err_set(err, rc, "out of memory") : rc;
}

/* ---- verdicts ---------------------------------------------------------------------------------
 */

const char *tw_verdict_name(enum tw_verdict v)
{
    static const char *const name[] = { "undecided", "connected", "separated" };

    return name[v];
}

enum tw_verdict tw_barrier_verdict(const struct tw_barrier *b, double threshold)
{
    return b->hi < threshold ? TW_CONNECTED : b->lo > threshold ? TW_SEPARATED : TW_UNDECIDED;
}

double tw_barrier_samples(const struct tw_barrier *b, double threshold, size_t n)
{
    const double apart = fabs(b->value - threshold);
    const double half = b->value > threshold ? b->value - b->lo : b->hi - b->value;

    return apart > 0.0 ? ceil((double)n * (half / apart) * (half / apart)) : (double)NAN;
}
