/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * Profiles: the objective minimised over all other parameters, as a function of one.
 *
 * The rise that bounds an interval: for squares of independent residuals with variance v it is
 * v chi2_1(level) / 2. For a robust loss v becomes E psi^2 / E psi' (the likelihood-ratio type
 * test of Heritier & Ronchetti 1994, JASA 89, for one parameter); residuals that remember, or that
 * curves share, multiply it by the inflation of the parameter's efficient score (memory.h).
 */
#include <gsl/gsl_cdf.h>
#include <gsl/gsl_multifit.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "memory.h"

enum { MAX_POINTS = 40 }; /* on one side */

static double slope_of(const struct tw_law_fit_opts *o, double r)
{
    if (o->loss == TW_FIT_LAD) /* twice the density at 0, seen through Huber's delta */
        return fabs(r) <= o->delta ? 1.0 / o->delta : 0.0;
    return o->loss == TW_FIT_SQUARES || fabs(r) <= o->delta ? 1.0 : 0.0;
}

/* Column j of the Jacobian of r less its projection on the free others, weighted by psi':
 * what of parameter j no other parameter can imitate. jac is (n x np) of yhat. */
static bool efficient(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                      const double *jac, size_t j, double *out)
{
    const size_t np = p->law->nparams;
    size_t k = 0;
    gsl_matrix *x;
    gsl_vector *w = gsl_vector_alloc(p->n), *y = gsl_vector_alloc(p->n), *c;
    gsl_matrix *cov;
    gsl_multifit_linear_workspace *ws;
    double chisq;
    bool ok;

    for (size_t i = 0; i < np; i++)
        k += i != j && !p->opts->fixed[i];
    x = k ? gsl_matrix_alloc(p->n, k) : NULL;
    c = k ? gsl_vector_alloc(k) : NULL;
    cov = k ? gsl_matrix_alloc(k, k) : NULL;
    ws = k ? gsl_multifit_linear_alloc(p->n, k) : NULL;
    ok = w && y && (!k || (x && c && cov && ws));
    for (size_t i = 0; ok && i < p->n; i++) {
        size_t q = 0;

        gsl_vector_set(w, i, slope_of(p->opts, fit->r[i]));
        out[i] = jac[i * np + j] / (p->law->plain ? 1.0 : fit->yhat[i]);
        gsl_vector_set(y, i, out[i]);
        for (size_t m = 0; m < np; m++)
            if (m != j && !p->opts->fixed[m])
                gsl_matrix_set(x, i, q++, jac[i * np + m] / (p->law->plain ? 1.0 : fit->yhat[i]));
    }
    if (ok && k && gsl_multifit_wlinear(x, w, y, c, cov, &chisq, ws) == GSL_SUCCESS)
        for (size_t i = 0; i < p->n; i++)
            for (size_t q = 0; q < k; q++)
                out[i] -= gsl_vector_get(c, q) * gsl_matrix_get(x, i, q);
    gsl_vector_free(w);
    gsl_vector_free(y);
    if (k) {
        gsl_matrix_free(x);
        gsl_vector_free(c);
        gsl_matrix_free(cov);
        gsl_multifit_linear_free(ws);
    }
    return ok;
}

static bool measure_inflation(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                              const struct tw_law_memory *m, const double *jac, size_t j,
                              double *inflation)
{
    double *z = tw_alloc(p->n, sizeof *z);
    const bool ok = z && efficient(p, fit, jac, j, z) && tw_law_inflation(p, fit, m, z, inflation);

    free(z);
    return ok;
}

/* E psi^2 / E psi', the variance of a residual that counts. */
static double residual_variance(const struct tw_law_problem *p, const struct tw_law_fit *fit)
{
    double square = 0.0, slope = 0.0;

    for (size_t i = 0; i < p->n; i++) {
        const double s = tw_law_psi(p->opts, fit->r[i]);

        square += s * s;
        slope += slope_of(p->opts, fit->r[i]);
    }
    return slope > 0.0 ? square / slope : (double)NAN;
}

/* How many standard errors, estimated with `freedom` degrees of freedom, an interval of this
 * level takes: Student's t. By halving, as GSL's own inverse does not always converge. */
static double quantile(double level, double freedom)
{
    double lo = 0.0, hi = 1e4;

    for (int i = 0; i < 80; i++) {
        const double mid = 0.5 * (lo + hi);

        if (gsl_cdf_tdist_P(mid, freedom) < 0.5 + 0.5 * level)
            lo = mid;
        else
            hi = mid;
    }
    return hi;
}

/* The rise that bounds an interval. n residuals that remember are worth m = n / inflation that do
 * not. Fitting k parameters takes k / m of their variance, and what is left estimates it with
 * m - k degrees of freedom: the square of Student's t in the place of chi2_1 (for m = n, Bates &
 * Watts 1988, Nonlinear Regression Analysis, section 6.1.2). */
static double threshold(const struct tw_law_problem *p, double variance, double inflation)
{
    const double m = (double)p->n / inflation, left = tw_law_freedom(p, m);
    const double t = quantile(p->opts->level, left);

    return 0.5 * t * t * variance * inflation * fmax(1.0, m / left);
}

struct side {
    double x[MAX_POINTS], rise[MAX_POINTS];
    size_t n;
    double end; /* where the rise reaches the threshold; NAN: nowhere */
};

/* One point of the profile from the last one's theta; false when it fails. */
static bool point(struct tw_law_worker *w, const struct tw_law_fit *fit, size_t j, double u,
                  double *theta, struct side *s)
{
    struct tw_fit_result res;
    double slope;

    theta[j] = tw_fit_from_u(&fit->law->params[j], u, &slope);
    if (tw_fit_minimize(w->ws, &w->fit, theta, false, &res, NULL) != TW_OK)
        return false;
    s->x[s->n] = theta[j];
    s->rise[s->n] = fmax(0.0, res.objective - fit->min.objective);
    s->n++;
    return true;
}

/* Where the square root of the rise, nearly straight, crosses that of the threshold; in u. */
static double crossing(const double *u, const double *rise, double limit)
{
    const double a = sqrt(rise[0]), b = sqrt(rise[1]), t = sqrt(limit);

    return u[0] + (u[1] - u[0]) * (b > a ? (t - a) / (b - a) : 1.0);
}

/* Walk away from the optimum in growing steps until the rise passes the limit. */
static void walk(struct tw_law_worker *w, const struct tw_law_fit *fit, size_t j, int direction,
                 double limit, struct side *s)
{
    const struct tw_fit_param *q = &fit->law->params[j];
    double theta[TW_FIT_MAX_PARAMS], step = 0.002, slope;
    double u[2], rise[2] = { 0.0, 0.0 };

    memcpy(theta, fit->theta, sizeof theta);
    s->n = 0;
    s->end = NAN;
    w->fit.fixed[j] = true;
    u[0] = u[1] = tw_fit_to_u(q, fit->theta[j]);
    while (s->n < MAX_POINTS - 1) {
        u[0] = u[1];
        rise[0] = rise[1];
        u[1] = u[0] + direction * step;
        if (!point(w, fit, j, u[1], theta, s))
            break;
        rise[1] = s->rise[s->n - 1];
        if (rise[1] > 1.5 * limit)
            break;
        if (theta[j] < q->lo || theta[j] > q->hi)
            break;
        /* About eight points up to the limit, whatever the scale. */
        if (sqrt(rise[1]) - sqrt(rise[0]) < 0.08 * sqrt(limit))
            step *= 1.8;
    }
    for (size_t i = 0; i < s->n && isnan(s->end); i++) {
        if (s->rise[i] < limit)
            continue;
        u[0] = tw_fit_to_u(q, i ? s->x[i - 1] : fit->theta[j]);
        u[1] = tw_fit_to_u(q, s->x[i]);
        rise[0] = i ? s->rise[i - 1] : 0.0;
        rise[1] = s->rise[i];
        s->end = tw_fit_from_u(q, crossing(u, rise, limit), &slope);
    }
    w->fit.fixed[j] = false;
}

/* Left side reversed, the optimum, right side: x increasing. */
static bool join(const struct side *down, const struct side *up, double best,
                 struct tw_law_profile *out)
{
    size_t k = 0;

    out->n = down->n + 1 + up->n;
    out->x = tw_alloc(out->n, sizeof *out->x);
    out->rise = tw_alloc(out->n, sizeof *out->rise);
    if (!out->x || !out->rise)
        return false;
    for (size_t i = down->n; i-- > 0; k++) {
        out->x[k] = down->x[i];
        out->rise[k] = down->rise[i];
    }
    out->x[k++] = best;
    for (size_t i = 0; i < up->n; i++, k++) {
        out->x[k] = up->x[i];
        out->rise[k] = up->rise[i];
    }
    out->lo = down->end;
    out->hi = up->end;
    return true;
}

/* Walk both sides of each parameter of `which`, spread over the threads. */
static bool walk_all(const struct tw_law_problem *p, const struct tw_law_fit *fit,
                     const size_t *which, const double *limit, size_t n, struct side *sides)
{
    bool ok = true;

#pragma omp parallel
    {
        struct tw_law_worker w;
        const bool ready = tw_law_worker_init(&w, p);

        if (!ready) {
#pragma omp atomic write
            ok = false;
        }
#pragma omp for schedule(dynamic)
        for (size_t i = 0; i < 2 * n; i++) {
            const size_t j = which[i / 2];
            /* 1 - exp u falls as u grows: "up" in theta is down in u. */
            const int up = p->law->params[j].bound == TW_FIT_BELOW_ONE ? -1 : 1;

            if (ready)
                walk(&w, fit, j, i % 2 ? up : -up, limit[i / 2], &sides[i]);
        }
        tw_law_worker_release(&w);
    }
    return ok;
}

static bool profile_all(const struct tw_law_problem *p, struct tw_law_fit *fit, const size_t *which,
                        size_t n)
{
    const double variance = residual_variance(p, fit);
    double *jac = tw_alloc(p->n, p->law->nparams * sizeof *jac);
    double *y = tw_alloc(p->n, sizeof *y);
    struct side *sides = tw_alloc(2 * n, sizeof *sides);
    void *memo = p->law->memo_alloc(p->model);
    double limit[TW_FIT_MAX_PARAMS];
    struct tw_law_memory m;
    bool ok = jac && y && sides && memo && tw_law_memory_measure(p, fit, &m);

    if (ok)
        p->law->predict(p->model, memo, fit->theta, y, jac);
    for (size_t i = 0; ok && i < n; i++) {
        struct tw_law_profile *q = &fit->profiles[i];

        q->param = which[i];
        ok = measure_inflation(p, fit, &m, jac, which[i], &q->inflation);
        q->threshold = limit[i] = threshold(p, variance, q->inflation);
    }
    ok = ok && walk_all(p, fit, which, limit, n, sides);
    for (size_t i = 0; ok && i < n; i++, fit->nprofiles++)
        ok = join(&sides[2 * i], &sides[2 * i + 1], fit->theta[which[i]], &fit->profiles[i]);
    p->law->memo_free(memo);
    free(sides);
    free(jac);
    free(y);
    return ok;
}

enum tw_status tw_law_profile_run(const struct tw_law_problem *p, struct tw_law_fit *fit,
                                  struct tw_err *err)
{
    size_t which[TW_FIT_MAX_PARAMS], n = 0;

    for (size_t j = 0; j < p->law->nparams; j++)
        if ((p->opts->profile >> j & 1u) && !p->opts->fixed[j])
            which[n++] = j;
    if (n == 0 || !isfinite(residual_variance(p, fit)))
        return TW_OK;
    fit->profiles = tw_alloc(n, sizeof *fit->profiles);
    if (!fit->profiles || !profile_all(p, fit, which, n))
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    return TW_OK;
}
