/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Where the search for a user's own law begins. Nothing is known of its parameters but where
 * they stand, so many points are drawn; at each, the parameters in which the law is linear
 * become the best for the others (Golub & Pereyra 1973, SIAM Journal on Numerical Analysis 10),
 * and the best points are kept. */
#include <gsl/gsl_multifit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "law_parts.h"
#include "own.h"

/* ---- drawing --------------------------------------------------------------------------------- */

static double log_between(struct tw_rng *rng, double lo, double hi)
{
    return exp(log(lo) + (log(hi) - log(lo)) * tw_rng_real(rng));
}

/* A positive parameter that is no exponent: some number, or about as large as an input, or as
 * the inverse of one. */
static double draw_size(const struct tw_own_model *m, struct tw_rng *rng)
{
    const uint64_t kind = tw_rng_below(rng, 4);
    const size_t k = (size_t)tw_rng_below(rng, m->own->law.ninputs);
    double lo = INFINITY, hi = 0.0;

    for (size_t i = 0; i < m->n; i++) {
        const double a = fabs(m->value[k][i]);

        lo = a > 0.0 ? fmin(lo, a) : lo;
        hi = fmax(hi, a);
    }
    if (kind < 2 || !(hi > 0.0))
        return log_between(rng, 1e-2, 1e2);
    lo = log_between(rng, fmax(0.01 * lo, 1e-25), fmin(100.0 * hi, 1e50));
    return kind == 2 ? lo : 1.0 / lo;
}

static double draw_one(const struct tw_own_model *m, size_t j, struct tw_rng *rng)
{
    const struct tw_own_law *own = m->own;
    const struct tw_fit_param *q = &own->param[j];

    if (own->started[j])
        return own->start[j];
    if (q->bound == TW_FIT_BETWEEN)
        return q->lo + (q->hi - q->lo) * (own->linear[j] ? 0.5 : 0.02 + 0.96 * tw_rng_real(rng));
    if (own->linear[j])
        return 1.0;
    if (q->bound == TW_FIT_FREE)
        return (tw_rng_below(rng, 2) ? 5.0 : 20.0) * (2.0 * tw_rng_real(rng) - 1.0);
    return own->exponent[j] ? log_between(rng, 0.02, 3.0) : draw_size(m, rng);
}

void tw_own_draw(const struct tw_own_model *m, size_t k, double *theta)
{
    struct tw_rng rng = tw_rng_stream(0, TW_RNG_STARTS, k);

    for (size_t j = 0; j < m->own->law.nparams; j++)
        theta[j] = draw_one(m, j, &rng);
}

/* ---- the linear part ---------------------------------------------------------------------------
 */

struct linear {
    const struct tw_own_model *m;
    const double *y;
    size_t k, param[TW_FIT_MAX_PARAMS]; /* linear, and not given */
    double *work, *jac, *yhat;          /* (nodes x (1 + np)), (n x np), (n) */
    gsl_multifit_linear_workspace *ws;
    gsl_matrix *x, *cov;
    gsl_vector *target, *coef;
};

static void linear_release(struct linear *l)
{
    free(l->work);
    free(l->jac);
    free(l->yhat);
    if (l->ws)
        gsl_multifit_linear_free(l->ws);
    gsl_matrix_free(l->x);
    gsl_matrix_free(l->cov);
    gsl_vector_free(l->target);
    gsl_vector_free(l->coef);
}

/* Which parameters are `held` is by bit. False when out of memory. */
static bool linear_init(struct linear *l, const struct tw_own_model *m, const double *y)
{
    const size_t np = m->own->law.nparams;

    *l = (struct linear){ .m = m, .y = y };
    for (size_t j = 0; j < np; j++)
        if (m->own->linear[j] && !m->own->started[j])
            l->param[l->k++] = j;
    l->work = tw_alloc(m->own->expr.n, (1 + np) * sizeof *l->work);
    l->jac = tw_alloc(m->n, np * sizeof *l->jac);
    l->yhat = tw_alloc(m->n, sizeof *l->yhat);
    if (!l->work || !l->jac || !l->yhat)
        return false;
    if (l->k == 0 || l->k > m->n) {
        l->k = 0;
        return true;
    }
    l->ws = gsl_multifit_linear_alloc(m->n, l->k);
    l->x = gsl_matrix_alloc(m->n, l->k);
    l->cov = gsl_matrix_alloc(l->k, l->k);
    l->target = gsl_vector_alloc(m->n);
    l->coef = gsl_vector_alloc(l->k);
    return l->ws && l->x && l->cov && l->target && l->coef;
}

static bool evaluate(struct linear *l, const double *theta)
{
    const struct tw_own_law *own = l->m->own;
    const size_t np = own->law.nparams;
    double x[TW_OWN_MAX_NAMES];

    for (size_t i = 0; i < l->m->n; i++) {
        tw_own_names(l->m, i, theta, x);
        l->yhat[i] = tw_expr_gradient(&own->expr, x, own->param_of, np, l->work, l->jac + i * np);
        if (!isfinite(l->yhat[i]))
            return false;
        for (size_t q = 0; q < l->k; q++)
            if (!isfinite(l->jac[i * np + l->param[q]]))
                return false;
    }
    return true;
}

static double weight(const struct linear *l, size_t i)
{
    return l->m->own->law.plain ? 1.0 : 1.0 / l->y[i];
}

/* The sum of squared relative residuals, or plain ones. */
static double squares(const struct linear *l)
{
    double sum = 0.0;

    for (size_t i = 0; i < l->m->n; i++) {
        const double e = (l->y[i] - l->yhat[i]) * weight(l, i);

        sum += e * e;
    }
    return isfinite(sum) ? sum : (double)INFINITY;
}

/* Least squares over the linear parameters of `set`; columns are scaled to unit length, since
 * their sizes differ by many powers of ten. False if singular. */
static bool solve(struct linear *l, const double *theta, const size_t *set, size_t k, double *out)
{
    const size_t np = l->m->own->law.nparams;
    double norm[TW_FIT_MAX_PARAMS], chisq;
    size_t rank;
    gsl_matrix_view x = gsl_matrix_submatrix(l->x, 0, 0, l->m->n, k);
    gsl_matrix_view cov = gsl_matrix_submatrix(l->cov, 0, 0, k, k);
    gsl_vector_view coef = gsl_vector_subvector(l->coef, 0, k);

    for (size_t q = 0; q < k; q++) {
        norm[q] = 0.0;
        for (size_t i = 0; i < l->m->n; i++)
            norm[q] = hypot(norm[q], l->jac[i * np + set[q]] * weight(l, i));
        if (!(norm[q] > 0.0) || !isfinite(norm[q]))
            return false;
    }
    for (size_t i = 0; i < l->m->n; i++) {
        double rest = l->y[i] - l->yhat[i];

        for (size_t q = 0; q < k; q++) {
            const double d = l->jac[i * np + set[q]];

            gsl_matrix_set(&x.matrix, i, q, d * weight(l, i) / norm[q]);
            rest += d * theta[set[q]];
        }
        gsl_vector_set(l->target, i, rest * weight(l, i));
    }
    if (gsl_multifit_linear_tsvd(&x.matrix, l->target, 1e-13, &coef.vector, &cov.matrix, &chisq,
                                 &rank, l->ws) != GSL_SUCCESS)
        return false;
    for (size_t q = 0; q < k; q++)
        out[q] = gsl_vector_get(&coef.vector, q) / norm[q];
    return true;
}

/* Inside its range, with room to move. `mean` over `size` is a value that matters. */
static double inside(const struct tw_fit_param *q, double x, double least)
{
    if (q->bound == TW_FIT_BETWEEN)
        return fmin(fmax(x, q->lo + 0.02 * (q->hi - q->lo)), q->hi - 0.02 * (q->hi - q->lo));
    if (q->bound == TW_FIT_POSITIVE)
        return fmin(fmax(x, fmax(least, 2.0 * q->lo)), 0.5 * q->hi);
    return x;
}

/* The linear parameters of theta become the best for the others; those that would leave their
 * range are put near its end, one after another, and the others follow. Returns the squares. */
static double project(struct linear *l, double *theta)
{
    const struct tw_own_law *own = l->m->own;
    const size_t np = own->law.nparams;
    size_t set[TW_FIT_MAX_PARAMS], k = l->k;
    double coef[TW_FIT_MAX_PARAMS];

    memcpy(set, l->param, k * sizeof *set);
    while (k) {
        size_t worst = k;
        double mean = 0.0, size = 0.0, off = 0.0;

        if (!evaluate(l, theta) || !solve(l, theta, set, k, coef))
            return INFINITY;
        for (size_t i = 0; i < l->m->n; i++)
            mean += fabs(l->y[i]) / (double)l->m->n;
        for (size_t q = 0; q < k; q++) {
            double reach = 0.0, moved;

            for (size_t i = 0; i < l->m->n; i++)
                reach = fmax(reach, fabs(l->jac[i * np + set[q]]));
            moved = fabs(inside(&own->param[set[q]], coef[q], 1e-3 * mean / reach) - coef[q]);
            if (moved * reach > off) {
                off = moved * reach;
                worst = q;
                size = reach;
            }
        }
        if (worst == k) { /* all within */
            for (size_t q = 0; q < k; q++)
                theta[set[q]] = coef[q];
            break;
        }
        theta[set[worst]] = inside(&own->param[set[worst]], coef[worst], 1e-3 * mean / size);
        set[worst] = set[--k];
    }
    return evaluate(l, theta) ? squares(l) : (double)INFINITY;
}

/* ---- for the law ----------------------------------------------------------------------------- */

bool tw_own_project(const void *model, const double *y, double *theta)
{
    double try[TW_FIT_MAX_PARAMS];
    struct linear l;
    bool ok = linear_init(&l, model, y);

    if (ok) {
        memcpy(try, theta, l.m->own->law.nparams * sizeof *try);
        if (isfinite(project(&l, try)))
            memcpy(theta, try, l.m->own->law.nparams * sizeof *try);
    }
    linear_release(&l);
    return ok;
}

size_t tw_own_starts(const void *model, const double *y, double *theta, size_t max)
{
    const struct tw_own_law *own = ((const struct tw_own_model *)model)->own;
    size_t points = 1, n = 0;
    struct tw_law_start *found;
    struct linear l;
    bool ok;

    for (size_t j = 0; j < own->law.nparams; j++) /* an axis more, more points */
        points += own->linear[j] || own->started[j] ? 0 : 256;
    found = tw_alloc(points, sizeof *found);
    ok = linear_init(&l, model, y) && found;
    for (size_t k = 0; ok && k < points; k++) {
        struct tw_law_start *s = &found[n];

        *s = (struct tw_law_start){ { 0 }, 0.0 };
        tw_own_draw(model, k, s->theta);
        s->objective = project(&l, s->theta);
        n += isfinite(s->objective) ? 1 : 0;
    }
    n = ok ? tw_law_best_starts(found, n, own->law.nparams, theta, max) : SIZE_MAX;
    linear_release(&l);
    free(found);
    return n;
}
