/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "newton.h"

#include <gsl/gsl_eigen.h>
#include <gsl/gsl_linalg.h>
#include <math.h>
#include <string.h>

enum { P = TW_FIT_MAX_PARAMS };

void tw_newton_evaluate(struct tw_newton *nt, bool want_jac)
{
    const size_t p = nt->prob->p;
    double slope[P] = { 0 };

    for (size_t k = 0; k < nt->nfree; k++)
        nt->theta[nt->free[k]] = tw_fit_from_u(&nt->prob->params[nt->free[k]], nt->u[k], &slope[k]);
    nt->prob->residual(nt->prob->ctx, nt->theta, nt->r, want_jac ? nt->jac : NULL);
    if (!want_jac)
        return;
    /* free[k] >= k: columns move left, so they can be moved in place. */
    for (size_t i = 0; i < nt->prob->n; i++)
        for (size_t k = 0; k < nt->nfree; k++)
            nt->jac[i * p + k] = nt->jac[i * p + nt->free[k]] * slope[k];
}

/* Value, gradient, Gauss-Newton part of the Hessian (curvature of rho times J J') and the
 * diagonal of the majorising Hessian with weights psi(r)/r. */
struct local {
    double value, grad[P], hess[P][P], diag[P];
};

/* The rest of the Hessian, sum psi(r) d2r/du2, learnt from how the gradient changes: the
 * structured secant update of Dennis, Gay & Welsch 1981 (ACM TOMS 7, eq. 2.4 to 2.6). Without
 * it convergence along a weakly determined memory is only linear. */
struct second {
    double s[P][P];
};

static double dot(const double *a, const double *b, size_t n)
{
    double x = 0.0;

    for (size_t k = 0; k < n; k++)
        x += a[k] * b[k];
    return x;
}

static void learn(struct second *second, const struct local *old, const struct local *new,
                  const double *step, size_t n)
{
    double y[P], z[P], ss[P], ys, size;

    for (size_t k = 0; k < n; k++) {
        y[k] = z[k] = new->grad[k] - old->grad[k];
        ss[k] = 0.0;
        for (size_t j = 0; j < n; j++) {
            z[k] -= (j <= k ? new->hess[k][j] : new->hess[j][k]) * step[j];
            ss[k] += second->s[k][j] * step[j];
        }
    }
    ys = dot(y, step, n);
    if (!(ys > 1e-12 * sqrt(dot(y, y, n) * dot(step, step, n))))
        return; /* no curvature to learn from */
    size = fabs(dot(step, ss, n));
    size = size > 0.0 ? fmin(1.0, fabs(dot(step, z, n)) / size) : 1.0;
    for (size_t k = 0; k < n; k++)
        z[k] -= size * ss[k];
    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < n; j++)
            second->s[k][j] = size * second->s[k][j] + (z[k] * y[j] + y[k] * z[j]) / ys -
                              dot(z, step, n) * y[k] * y[j] / (ys * ys);
}

static double objective(const struct tw_newton *nt)
{
    const double d = nt->delta, s = 1.0 / nt->scale;
    double sum = 0.0;

    for (size_t i = 0; i < nt->prob->n; i++) {
        const double a = fabs(nt->r[i]);
        const double rho = a <= d ? 0.5 * (a * s) * (a * s) : (d * s) * ((a - 0.5 * d) * s);

        sum += nt->prob->weight ? nt->prob->weight[i] * rho : rho;
    }
    return sum;
}

static void expand(const struct tw_newton *nt, struct local *m)
{
    const size_t p = nt->prob->p;
    const double d = nt->delta, s = 1.0 / nt->scale;

    *m = (struct local){ .value = objective(nt) };
    for (size_t i = 0; i < nt->prob->n; i++) {
        const double *row = nt->jac + i * p;
        const double r = nt->r[i], a = fabs(r);
        const bool inside = a <= d;
        const double unit = nt->prob->weight ? nt->prob->weight[i] * s * s : s * s;
        const double psi = (inside ? r : copysign(d, r)) * unit;
        const double weight = (inside ? 1.0 : d / a) * unit;

        for (size_t k = 0; k < nt->nfree; k++) {
            m->grad[k] += psi * row[k];
            m->diag[k] += weight * row[k] * row[k];
            if (inside)
                for (size_t j = 0; j <= k; j++)
                    m->hess[k][j] += unit * row[k] * row[j];
        }
    }
}

/* Solve (H + S + mu D) step = -grad by Cholesky; false if not positive definite. S may be
 * NULL. */
static bool solve(const struct local *m, const struct second *second, size_t n, double mu,
                  double *step)
{
    double c[P][P];

    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j <= k; j++) {
            double x = m->hess[k][j] + (second ? second->s[k][j] : 0.0) +
                       (j == k ? mu * m->diag[k] + 1e-300 : 0.0);

            for (size_t i = 0; i < j; i++)
                x -= c[k][i] * c[j][i];
            if (j == k && !(x > 1e-14 * (m->hess[k][k] + mu * m->diag[k])))
                return false;
            c[k][j] = j == k ? sqrt(x) : x / c[j][j];
        }
    for (size_t k = 0; k < n; k++) {
        double x = -m->grad[k];

        for (size_t i = 0; i < k; i++)
            x -= c[k][i] * step[i];
        step[k] = x / c[k][k];
    }
    for (size_t k = n; k-- > 0;) {
        for (size_t i = k + 1; i < n; i++)
            step[k] -= c[i][k] * step[i];
        step[k] /= c[k][k];
    }
    return true;
}

/* How much F falls according to the expansion, relative to F. */
static double promised(const struct local *m, size_t n)
{
    double step[P], fall = 0.0;

    if (!solve(m, NULL, n, 1e-3, step))
        return (double)INFINITY;
    for (size_t k = 0; k < n; k++)
        fall -= 0.5 * m->grad[k] * step[k];
    return m->value > 0.0 ? fall / m->value : 0.0;
}

/* Would Newton's step be lost in the rounding of the residuals? Where they all but vanish no
 * share of F tells. */
static bool at_rest(const struct local *m, const double *u, size_t n)
{
    double step[P];

    if (!solve(m, NULL, n, 1e-3, step))
        return false;
    for (size_t k = 0; k < n; k++)
        if (!(fabs(step[k]) <= 1e-9 * (1.0 + fabs(u[k]))))
            return false;
    return true;
}

/* One damped step from the expansion m at `from`; false when no damping helps. */
static bool improve(struct tw_newton *nt, const struct local *m, const struct second *second,
                    const double *from, double *mu)
{
    for (; *mu <= 1e10; *mu = fmax(30.0 * *mu, 1e-3)) {
        double step[P];

        if (!solve(m, second, nt->nfree, *mu, step))
            continue;
        for (size_t k = 0; k < nt->nfree; k++)
            nt->u[k] = from[k] + fmin(fmax(step[k], -3.0), 3.0);
        tw_newton_evaluate(nt, true);
        if (objective(nt) < m->value)
            return true;
    }
    return false;
}

static double relative_gradient(const struct tw_newton *nt, const struct local *m)
{
    double g = 0.0;

    for (size_t k = 0; k < nt->nfree; k++)
        g = fmax(g, fabs(m->grad[k]));
    return m->value > 0.0 ? g / m->value : 0.0;
}

/* Residuals as small as rounding makes them: nothing is left to gain, and no step may promise
 * a share of nothing. */
static bool perfect(const struct tw_newton *nt, const struct local *m)
{
    return m->value * nt->scale * nt->scale <= 0.5e-22 * (double)nt->prob->n;
}

void tw_newton_run(struct tw_newton *nt, size_t max_iterations, struct tw_fit_result *res)
{
    double from[P], step[P], mu = 0.0;
    struct second second = { 0 };
    struct local m, next;

    res->converged = false;
    tw_newton_evaluate(nt, true);
    expand(nt, &m);
    for (size_t it = 0; it < max_iterations; it++, res->iterations++) {
        if (nt->nfree == 0 || promised(&m, nt->nfree) < fmax(1e-14, nt->prob->enough)) {
            res->converged = true;
            return;
        }
        memcpy(from, nt->u, sizeof from);
        if (!improve(nt, &m, &second, from, &mu)) {
            /* No step is better in double precision: that is a minimum. */
            memcpy(nt->u, from, sizeof from);
            tw_newton_evaluate(nt, true);
            res->converged =
                promised(&m, nt->nfree) < 1e-9 || at_rest(&m, from, nt->nfree) || perfect(nt, &m);
            return;
        }
        expand(nt, &next);
        for (size_t k = 0; k < nt->nfree; k++)
            step[k] = nt->u[k] - from[k];
        learn(&second, &m, &next, step, nt->nfree);
        m = next;
        mu = mu > 1e-8 ? mu / 30.0 : 0.0;
    }
    res->converged = perfect(nt, &m);
}

/* Of the Hessian with weights psi(r)/r scaled to unit diagonal: how far the parameters can
 * be told apart, whatever their units. */
static double condition(const struct tw_newton *nt)
{
    const size_t n = nt->nfree, p = nt->prob->p;
    double h[P * P] = { 0 }, eigen[P];
    gsl_eigen_symm_workspace *w;
    gsl_matrix_view hv;
    gsl_vector_view ev;

    for (size_t i = 0; i < nt->prob->n; i++) {
        const double *row = nt->jac + i * p;
        const double weight =
            fmin(1.0, nt->delta / fabs(nt->r[i])) * (nt->prob->weight ? nt->prob->weight[i] : 1.0);

        for (size_t k = 0; k < n; k++)
            for (size_t j = 0; j < n; j++)
                h[k * n + j] += weight * row[k] * row[j];
    }
    for (size_t k = 0; k < n; k++)
        if (!(h[k * n + k] > 0.0))
            return INFINITY;
    for (size_t k = 0; k < n; k++)
        eigen[k] = 1.0 / sqrt(h[k * n + k]);
    for (size_t k = 0; k < n; k++)
        for (size_t j = 0; j < n; j++)
            h[k * n + j] *= eigen[k] * eigen[j];
    w = gsl_eigen_symm_alloc(n);
    if (!w)
        return NAN;
    hv = gsl_matrix_view_array(h, n, n);
    ev = gsl_vector_view_array(eigen, n);
    (void)gsl_eigen_symm(&hv.matrix, &ev.vector, w);
    gsl_eigen_symm_free(w);
    return gsl_vector_min(&ev.vector) > 1e-16 * gsl_vector_max(&ev.vector)
               ? gsl_vector_max(&ev.vector) / gsl_vector_min(&ev.vector)
               : (double)INFINITY;
}

void tw_newton_finish(struct tw_newton *nt, struct tw_fit_result *res)
{
    struct local m;

    tw_newton_evaluate(nt, true);
    expand(nt, &m);
    res->gradient = perfect(nt, &m) ? 0.0 : relative_gradient(nt, &m);
    res->condition = nt->nfree ? condition(nt) : 1.0;
}
