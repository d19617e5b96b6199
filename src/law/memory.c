/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Residuals that remember and that curves share. Two estimates, of which the larger counts:
 *
 * A model: a first-order autoregression with the same coefficient in all curves, seen through
 * psi, and one correlation between curves. It has few numbers to estimate, from all residuals,
 * and so knows them well. A fit of k parameters to n points takes low frequencies out of the
 * residuals; an autocorrelation near phi then comes out low by ((1 + phi) k + 2 phi) / n, which
 * is Kendall's (1954, Biometrika 41) (1 + 3 phi) / n for k = 1, a mean.
 *
 * The long-run variance (Newey & West 1987, Econometrica 55; the window is that of
 * tw_fit_long_run) of z_i psi_i itself: it trusts no model, but it is noisy, and too small where
 * few points matter.
 */
#include "memory.h"

#include <math.h>
#include <stdlib.h>

static const double MOST_PHI = 0.98;

double tw_law_psi(const struct tw_law_fit_opts *o, double r)
{
    if (o->loss == TW_FIT_SQUARES || (o->loss == TW_FIT_HUBER && fabs(r) <= o->delta))
        return r;
    return copysign(o->loss == TW_FIT_LAD ? 1.0 : o->delta, r);
}

static size_t free_parameters(const struct tw_law_problem *p)
{
    size_t k = 0;

    for (size_t j = 0; j < p->law->nparams; j++)
        k += !p->opts->fixed[j];
    return k;
}

/* ---- points in the order of x ------------------------------------------------------------- */

struct place {
    double x;
    size_t i;
};

static int by_place(const void *a, const void *b)
{
    const struct place *p = a, *q = b;

    return p->x != q->x ? (p->x > q->x) - (p->x < q->x) : (p->i > q->i) - (p->i < q->i);
}

/* group[i]: the number of point i's x among all that there are; *n of them. */
static bool group_by_x(const struct tw_law_problem *p, size_t *group, size_t *n)
{
    struct place *v = tw_alloc(p->n, sizeof *v);

    *n = 0;
    if (!v)
        return false;
    for (size_t i = 0; i < p->n; i++)
        v[i] = (struct place){ p->x[i], i };
    qsort(v, p->n, sizeof *v, by_place);
    for (size_t i = 0; i < p->n; i++) {
        *n += i == 0 || v[i].x > v[i - 1].x;
        group[v[i].i] = *n - 1;
    }
    free(v);
    return true;
}

/* sum[g] = the sum of v over the points of group g. */
static void sum_groups(const size_t *group, const double *v, size_t n, double *sum, size_t groups)
{
    for (size_t g = 0; g < groups; g++)
        sum[g] = 0.0;
    for (size_t i = 0; i < n; i++)
        sum[group[i]] += v[i];
}

/* ---- the model ------------------------------------------------------------------------------ */

/* Each curve's values over their root mean square: curves count alike. */
static void standardise(const struct tw_law_problem *p, double *v)
{
    for (size_t c = 0; c < p->ncurves; c++) {
        const size_t a = p->first[c], n = p->first[c + 1] - a;
        double square = 0.0;

        for (size_t i = a; i < a + n; i++)
            square += v[i] * v[i];
        for (size_t i = a; square > 0.0 && i < a + n; i++)
            v[i] /= sqrt(square / (double)n);
    }
}

static double neighbours(const struct tw_law_problem *p, const double *v)
{
    double product = 0.0;

    for (size_t c = 0; c < p->ncurves; c++)
        for (size_t i = p->first[c] + 1; i < p->first[c + 1]; i++)
            product += v[i] * v[i - 1];
    return product / (double)p->n;
}

/* Mean product of values of different curves at the same x; 0 where there are none. sum and count
 * are scratch. */
static double between(const size_t *group, const double *v, size_t n, double *sum, double *count,
                      size_t groups)
{
    double product = 0.0, pairs = 0.0;

    sum_groups(group, v, n, sum, groups);
    for (size_t g = 0; g < groups; g++)
        count[g] = 0.0;
    for (size_t i = 0; i < n; i++)
        count[group[i]] += 1.0;
    for (size_t g = 0; g < groups; g++) {
        product += count[g] > 1.0 ? sum[g] * sum[g] : 0.0;
        pairs += count[g] * (count[g] - 1.0);
    }
    for (size_t i = 0; i < n; i++)
        product -= count[group[i]] > 1.0 ? v[i] * v[i] : 0.0;
    return pairs > 0.0 ? fmin(1.0, fmax(0.0, product / pairs)) : 0.0;
}

/* phi as `n` independent values would show it, k parameters taken out; an autocorrelation within
 * two standard errors is none. */
static double unbias(double phi, size_t k, double n)
{
    if (phi < 2.0 / sqrt(n))
        return 0.0;
    return fmin(MOST_PHI, phi + ((1.0 + phi) * (double)k + 2.0 * phi) / n);
}

/* An outlier is no memory: residuals are cut at three times their scale. */
static void cut(const double *r, size_t n, double *scratch, double *out)
{
    double most;

    for (size_t i = 0; i < n; i++)
        scratch[i] = fabs(r[i]);
    tw_sort_reals(scratch, n);
    most = 3.0 * 1.4826 * tw_quantile_sorted(scratch, n, 0.5);
    for (size_t i = 0; i < n; i++)
        out[i] = fmax(-most, fmin(most, r[i]));
}

bool tw_law_memory_measure(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                           struct tw_law_memory *m)
{
    size_t *group = tw_alloc(p->n, sizeof *group), groups = 1;
    double *r = tw_alloc(p->n, sizeof *r), *s = tw_alloc(p->n, sizeof *s);
    double *sum = tw_alloc(p->n, sizeof *sum), *count = tw_alloc(p->n, sizeof *count);
    bool ok = group && r && s && sum && count;

    *m = (struct tw_law_memory){ 0 };
    if (ok && !p->law->ninputs && (ok = group_by_x(p, group, &groups))) {
        const size_t k = free_parameters(p);
        const double each = (double)p->n / (double)groups; /* curves at an x */
        double worth;

        cut(fit->r, p->n, sum, r);
        for (size_t i = 0; i < p->n; i++)
            s[i] = tw_law_psi(p->opts, fit->r[i]);
        standardise(p, r);
        standardise(p, s);
        m->shared = between(group, r, p->n, sum, count, groups);
        m->shared_psi = between(group, s, p->n, sum, count, groups);
        worth = (double)p->n / (1.0 + m->shared * (each - 1.0));
        m->phi = unbias(neighbours(p, r), k, worth);
        if (m->phi > 0.0)
            m->weight = fmin(1.0, unbias(neighbours(p, s), k, worth) / m->phi);
    }
    free(group);
    free(r);
    free(s);
    free(sum);
    free(count);
    return ok;
}

/* The variance of sum_i z_i e_i, e of variance 1 and correlation weight phi^|i - k|. */
static double quadratic(const double *z, size_t n, double phi, double weight)
{
    double past = 0.0, v = 0.0;

    for (size_t i = 0; i < n; i++) {
        v += z[i] * z[i] + 2.0 * weight * z[i] * past;
        past = phi * (past + z[i]);
    }
    return v;
}

/* ---- inflation ------------------------------------------------------------------------------- */

/* Both estimates; s: z_i psi_i, t: z_i times the size of psi in the curve. */
static double inflate(const struct tw_law_problem *p, const struct tw_law_memory *m,
                      const size_t *group, size_t groups, const double *s, const double *t,
                      double *sum)
{
    double plain = 0.0, within = 0.0, joint = 0.0, base = 0.0, model = 0.0;

    for (size_t c = 0; c < p->ncurves; c++) {
        const size_t a = p->first[c], n = p->first[c + 1] - a;
        double square = 0.0;

        for (size_t i = a; i < a + n; i++) {
            square += s[i] * s[i];
            base += t[i] * t[i];
        }
        plain += square;
        within += square * tw_fit_long_run(s + a, n);
        model += (1.0 - m->shared_psi) * quadratic(t + a, n, m->phi, m->weight);
    }
    sum_groups(group, s, p->n, sum, groups);
    for (size_t g = 0; g < groups; g++)
        joint += sum[g] * sum[g];
    joint *= tw_fit_long_run(sum, groups);
    sum_groups(group, t, p->n, sum, groups);
    model += m->shared_psi * quadratic(sum, groups, m->phi, m->weight);
    if (!(plain > 0.0) || !(base > 0.0))
        return 1.0;
    return fmax(fmax(1.0, model / base), fmax(within, joint) / plain);
}

bool tw_law_inflation(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                      const struct tw_law_memory *m, const double *z, double *inflation)
{
    size_t *group = tw_alloc(p->n, sizeof *group), groups;
    double *s = tw_alloc(p->n, sizeof *s), *t = tw_alloc(p->n, sizeof *t);
    double *sum = tw_alloc(p->n, sizeof *sum);
    bool ok = group && s && t && sum;

    *inflation = 1.0;
    if (ok && !p->law->ninputs && (ok = group_by_x(p, group, &groups))) {
        for (size_t c = 0; c < p->ncurves; c++) {
            const size_t a = p->first[c], n = p->first[c + 1] - a;
            double square = 0.0;

            for (size_t i = a; i < a + n; i++) {
                s[i] = tw_law_psi(p->opts, fit->r[i]);
                square += s[i] * s[i];
                s[i] *= z[i];
            }
            for (size_t i = a; i < a + n; i++)
                t[i] = z[i] * sqrt(square / (double)n);
        }
        *inflation = inflate(p, m, group, groups, s, t, sum);
    }
    free(group);
    free(s);
    free(t);
    free(sum);
    return ok;
}

/* ---- resampling --------------------------------------------------------------------------------
 */

double tw_law_memory_torn(const struct tw_law_memory *m, size_t block)
{
    return 2.0 * m->phi / (1.0 - m->phi * m->phi) / (double)block;
}

double tw_law_freedom(const struct tw_law_problem *p, double worth)
{
    return fmax(fmax(2.0, 0.25 * worth), worth - (double)free_parameters(p));
}

double tw_law_resample_scale(const struct tw_law_problem *p, const struct tw_law_memory *m,
                             size_t block)
{
    const double longest = (1.0 + m->phi) / (1.0 - m->phi);
    const double curves = 1.0 + m->shared * ((double)p->ncurves - 1.0);
    const double worth = (double)p->n / (longest * curves);

    return sqrt(fmax(1.0, worth / tw_law_freedom(p, worth)) /
                (1.0 - fmin(0.5, tw_law_memory_torn(m, block))));
}
