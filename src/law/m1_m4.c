/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The laws M1 to M4 of Alabdulmohsin, Neyshabur & Zhai 2022, arXiv:2209.06640, as in the authors'
 * code (repository google-research, folder revisiting_neural_scaling_laws), with c >= 0 here:
 *
 *     M1   L = beta x^-c
 *     M2   L = einf + beta x^-c
 *     M3   L = beta (1/x + gamma)^c
 *     M4   (L - einf) / (e0 - L)^alpha = b x^-c
 *
 * M4 gives L as the root of an equation. Their code looks for it on a grid; here it is exact.
 * The parameter is beta = b (e0 - einf)^alpha, so that M4 becomes M2 both without alpha and with
 * an e0 far away: b alone would have to follow e0 and alpha over many powers of ten.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "run_table.h"

enum { X, NINPUTS };
static const struct tw_law_input inputs[NINPUTS] = {
    [X] = { "x", "the scale", "N D C params parameters tokens flops FLOPs compute steps" },
};
static const char source[] =
    "Alabdulmohsin, Neyshabur & Zhai 2022, arXiv:2209.06640; the authors' code";

static void *model_alloc(const struct tw_law_curve *runs, size_t n, enum tw_warmup warmup,
                         struct tw_err *err)
{
    (void)warmup;
    return tw_run_table_alloc(inputs, NINPUTS, runs, n, err);
}

static const char *unidentified(const void *model)
{
    return tw_run_table_constant(model, X) ? "all runs have one x: nothing can be told from them"
                                           : NULL;
}

static const double exponents[] = { 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3,
                                    0.4,  0.5,  0.7,  1.0, 1.5,  2.0, 3.0 };
enum { EXPONENTS = sizeof exponents / sizeof exponents[0] };

/* What every row has alike; a law's own fields follow. */
#define ROW_OF_M1_TO_M4                                                                            \
    .source = source, .ninputs = NINPUTS, .inputs = inputs, .model_alloc = model_alloc,            \
    .model_free = tw_run_table_free, .memo_alloc = tw_run_memo_alloc,                              \
    .memo_free = tw_run_memo_free, .unidentified = unidentified

#define PARAM_EINF                                                                                 \
    {                                                                                              \
        "einf", TW_FIT_POSITIVE, 1e-6, 1e6                                                         \
    }
#define PARAM_BETA                                                                                 \
    {                                                                                              \
        "beta", TW_FIT_POSITIVE, 1e-60, 1e60                                                       \
    }
#define PARAM_C                                                                                    \
    {                                                                                              \
        "c", TW_FIT_POSITIVE, 1e-3, 1e1                                                            \
    }

/* ---- M1 ---------------------------------------------------------------------------------------
 */

enum { M1_BETA, M1_C, M1_PARAMS };
static const struct tw_fit_param m1_params[M1_PARAMS] = { PARAM_BETA, PARAM_C };
static const char *const m1_meanings[M1_PARAMS] = { "size (loss x x^c)", "exponent" };

static void m1_predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double power = exp(-theta[M1_C] * m->log[X][i]);

        y[i] = theta[M1_BETA] * power;
        if (jac) {
            jac[i * M1_PARAMS + M1_BETA] = power;
            jac[i * M1_PARAMS + M1_C] = -y[i] * m->log[X][i];
        }
    }
}

static void m1_columns(const struct tw_run_table *m, const double *theta, double *const *column)
{
    for (size_t i = 0; i < m->n; i++)
        column[0][i] = exp(-theta[M1_C] * m->log[X][i]);
}
static const struct tw_law_linear m1_linear = {
    .k = 1,
    .param = { M1_BETA },
    .nshape = 1,
    .shape = { M1_C },
    .relative = true,
    .columns = m1_columns,
};

static size_t m1_starts(const void *model, const double *y, double *theta, size_t max)
{
    static const struct tw_law_axis axis = { M1_C, EXPONENTS, exponents };

    return tw_law_linear_starts(&m1_linear, &axis, 1, M1_PARAMS, model, y, theta, max);
}

static bool m1_project(const void *model, const double *y, double *theta)
{
    return tw_law_linear_project(&m1_linear, model, y, M1_PARAMS, theta);
}

const struct tw_law tw_law_m1 = {
    ROW_OF_M1_TO_M4,
    .name = "m1",
    .title = "power law of one scale (M1)",
    .formula = "L(x) = beta x^-c",
    .about = "A straight line in the logarithms: nothing limits the loss. The first of four laws "
             "that their paper compares by how they extrapolate; 'thalweg compare-laws "
             "--laws=m1,m2,m3,m4' does so on your runs. Say with --column=x=COLUMN which scale it "
             "is.",
    .nparams = M1_PARAMS,
    .params = m1_params,
    .meanings = m1_meanings,
    .profile = 1u << M1_C,
    .predict = m1_predict,
    .starts = m1_starts,
    .project = m1_project,
};

/* ---- M2 ---------------------------------------------------------------------------------------
 */

enum { M2_EINF, M2_BETA, M2_C, M2_PARAMS };
static const struct tw_fit_param m2_params[M2_PARAMS] = { PARAM_EINF, PARAM_BETA, PARAM_C };
static const char *const m2_meanings[M2_PARAMS] = { "limit of the loss", "size (loss x x^c)",
                                                    "exponent" };

static void m2_predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double power = exp(-theta[M2_C] * m->log[X][i]);

        y[i] = theta[M2_EINF] + theta[M2_BETA] * power;
        if (jac) {
            jac[i * M2_PARAMS + M2_EINF] = 1.0;
            jac[i * M2_PARAMS + M2_BETA] = power;
            jac[i * M2_PARAMS + M2_C] = -theta[M2_BETA] * power * m->log[X][i];
        }
    }
}

static void m2_columns(const struct tw_run_table *m, const double *theta, double *const *column)
{
    for (size_t i = 0; i < m->n; i++) {
        column[0][i] = 1.0;
        column[1][i] = exp(-theta[M2_C] * m->log[X][i]);
    }
}
static const struct tw_law_linear m2_linear = {
    .k = 2,
    .param = { M2_EINF, M2_BETA },
    .nshape = 1,
    .shape = { M2_C },
    .relative = true,
    .columns = m2_columns,
};

static size_t m2_starts(const void *model, const double *y, double *theta, size_t max)
{
    static const struct tw_law_axis axis = { M2_C, EXPONENTS, exponents };

    return tw_law_linear_starts(&m2_linear, &axis, 1, M2_PARAMS, model, y, theta, max);
}

static bool m2_project(const void *model, const double *y, double *theta)
{
    return tw_law_linear_project(&m2_linear, model, y, M2_PARAMS, theta);
}

const struct tw_law tw_law_m2 = {
    ROW_OF_M1_TO_M4,
    .name = "m2",
    .title = "power law of one scale with a limit (M2)",
    .formula = "L(x) = einf + beta x^-c",
    .about = "The law 'power' with beta for x0^a: the same curve. einf is the loss that remains at "
             "unlimited x. With --fix=einf=0 it is m1.",
    .nparams = M2_PARAMS,
    .params = m2_params,
    .meanings = m2_meanings,
    .profile = 1u << M2_EINF | 1u << M2_C,
    .zero = 1u << M2_EINF,
    .floor = 1u << M2_EINF,
    .predict = m2_predict,
    .starts = m2_starts,
    .project = m2_project,
};

/* ---- M3 ---------------------------------------------------------------------------------------
 */

enum { M3_BETA, M3_GAMMA, M3_C, M3_PARAMS };
static const struct tw_fit_param m3_params[M3_PARAMS] = {
    PARAM_BETA,
    { "gamma", TW_FIT_POSITIVE, 1e-24, 1e6 },
    PARAM_C,
};
static const char *const m3_meanings[M3_PARAMS] = { "size (loss x x^c)",
                                                    "1 / the x beyond which little is gained",
                                                    "exponent" };

static void m3_predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        const double u = 1.0 / m->value[X][i] + theta[M3_GAMMA], power = pow(u, theta[M3_C]);

        y[i] = theta[M3_BETA] * power;
        if (jac) {
            jac[i * M3_PARAMS + M3_BETA] = power;
            jac[i * M3_PARAMS + M3_GAMMA] = theta[M3_C] * y[i] / u;
            jac[i * M3_PARAMS + M3_C] = y[i] * log(u);
        }
    }
}

static void m3_columns(const struct tw_run_table *m, const double *theta, double *const *column)
{
    for (size_t i = 0; i < m->n; i++)
        column[0][i] = pow(1.0 / m->value[X][i] + theta[M3_GAMMA], theta[M3_C]);
}
/* gamma is far below the least value that a pattern search begins with: it stays as given. */
static const struct tw_law_linear m3_linear = {
    .k = 1,
    .param = { M3_BETA },
    .nshape = 1,
    .shape = { M3_C },
    .relative = true,
    .columns = m3_columns,
};

/* gamma between a thousandth of the least 1/x and the largest. */
static size_t m3_starts(const void *model, const double *y, double *theta, size_t max)
{
    enum { PLACES = 12 };
    const struct tw_run_table *m = model;
    double lo = m->log[X][0], hi = lo, gamma[PLACES];
    const struct tw_law_axis axis[] = { { M3_C, EXPONENTS, exponents },
                                        { M3_GAMMA, PLACES, gamma } };

    for (size_t i = 1; i < m->n; i++) {
        lo = fmin(lo, m->log[X][i]);
        hi = fmax(hi, m->log[X][i]);
    }
    hi += log(1e3);
    for (size_t k = 0; k < PLACES; k++)
        gamma[k] = exp(-hi + (hi - lo) * (double)k / (PLACES - 1));
    return tw_law_linear_starts(&m3_linear, axis, 2, M3_PARAMS, model, y, theta, max);
}

static bool m3_project(const void *model, const double *y, double *theta)
{
    return tw_law_linear_project(&m3_linear, model, y, M3_PARAMS, theta);
}

const struct tw_law tw_law_m3 = {
    ROW_OF_M1_TO_M4,
    .name = "m3",
    .title = "power law of one scale that bends to a limit (M3)",
    .formula = "L(x) = beta (1/x + gamma)^c",
    .about = "From x = 1/gamma on the loss bends to its limit beta gamma^c. With --fix=gamma=0 it "
             "is m1.",
    .nparams = M3_PARAMS,
    .params = m3_params,
    .meanings = m3_meanings,
    .profile = 1u << M3_GAMMA | 1u << M3_C,
    .zero = 1u << M3_GAMMA,
    .predict = m3_predict,
    .starts = m3_starts,
    .project = m3_project,
};

/* ---- M4 ---------------------------------------------------------------------------------------
 */

enum { EINF, E0, ALPHA, BETA, C, M4_PARAMS };
static const struct tw_fit_param m4_params[M4_PARAMS] = {
    [EINF] = PARAM_EINF,
    [E0] = { "e0", TW_FIT_POSITIVE, 1e-6, 1e6 },
    [ALPHA] = { "alpha", TW_FIT_POSITIVE, 1e-4, 1e2 },
    [BETA] = PARAM_BETA,
    [C] = PARAM_C,
};
static const char *const m4_meanings[M4_PARAMS] = {
    [EINF] = "limit of the loss",
    [E0] = "loss before anything is learnt",
    [ALPHA] = "how the loss leaves e0; 0: not bounded by it",
    [BETA] = "size of the part that falls (loss x x^c)",
    [C] = "exponent",
};

static double softplus(double z)
{
    return fmax(z, 0.0) + log1p(exp(-fabs(z)));
}

/*
 * With w = e0 - einf and L = einf + w s, s between 0 and 1 is the root of
 *
 *     log s - alpha log(1 - s) = k,   k = log beta - c log x - log w
 *
 * In z = log(s / (1 - s)) the left side is h(z) = z - (1 - alpha) softplus(z), which increases.
 * For alpha < 1 it is concave and below both z and alpha z, so the larger of k and k / alpha lies
 * left of the root and Newton's iteration rises to it; for alpha > 1 all is the other way round.
 */
static double solve_z(double k, double alpha)
{
    double z = alpha < 1.0 ? fmax(k, k / alpha) : fmin(k, k / alpha);

    for (int it = 0; it < 100; it++) {
        const double s = 1.0 / (1.0 + exp(-z));
        const double step = (k - z + (1.0 - alpha) * softplus(z)) / (1.0 - (1.0 - alpha) * s);

        z += step;
        if (!(fabs(step) > 1e-15 * (1.0 + fabs(z))))
            break;
    }
    return z;
}

/* L and its derivatives by einf, e0, alpha, log beta and c: implicit differentiation. Where e0 is
 * not above einf, the limit for e0 falling to einf; without alpha, m2. */
static double m4_loss(const double *theta, double log_x, double *d)
{
    const double w = theta[E0] - theta[EINF], alpha = theta[ALPHA];
    const double f = log(theta[BETA]) - theta[C] * log_x;
    double z, s, one_less, q, slope;

    memset(d, 0, M4_PARAMS * sizeof *d);
    d[EINF] = 1.0;
    if (alpha == 0.0) {
        d[BETA] = exp(f);
        d[C] = -d[BETA] * log_x;
        return theta[EINF] + d[BETA];
    }
    if (!(w > 0.0))
        return theta[EINF];
    z = solve_z(f - log(w), alpha);
    s = 1.0 / (1.0 + exp(-z));
    one_less = 1.0 / (1.0 + exp(z));
    q = one_less + alpha * s;
    slope = w * s * one_less / q;
    d[EINF] = one_less * (1.0 + alpha * s) / q;
    d[E0] = alpha * s * s / q;
    d[ALPHA] = -slope * softplus(z);
    d[BETA] = slope;
    d[C] = -slope * log_x;
    return theta[EINF] + w * s;
}

static void m4_predict(const void *model, void *memo, const double *theta, double *y, double *jac)
{
    const struct tw_run_table *m = model;
    double d[M4_PARAMS];

    (void)memo;
    for (size_t i = 0; i < m->n; i++) {
        y[i] = m4_loss(theta, m->log[X][i], d);
        d[BETA] /= theta[BETA];
        if (jac)
            memcpy(jac + i * M4_PARAMS, d, sizeof d);
    }
}

struct m4_context {
    const struct tw_run_table *m;
    const double *y;
    double lo, hi; /* least and largest loss */
};

/* What the equation makes of a loss: beta x^-c, in the logarithm. */
static double m4_left(const double *theta, double y)
{
    return log(y - theta[EINF]) - theta[ALPHA] * log((theta[E0] - y) / (theta[E0] - theta[EINF]));
}

/* For given einf, e0 and alpha, log beta and c by a straight line through what the equation makes
 * of the losses, as in the authors' code. The sum of squared relative errors of the loss itself;
 * INFINITY where a loss is not between einf and e0. */
static double m4_closed_form(void *ctx, double *theta)
{
    const struct m4_context *p = ctx;
    double mx = 0.0, my = 0.0, xx = 0.0, xy = 0.0, sum = 0.0;
    const double n = (double)p->m->n;

    if (!(theta[EINF] < p->lo) || !(theta[E0] > p->hi))
        return INFINITY;
    for (size_t i = 0; i < p->m->n; i++) {
        mx += p->m->log[X][i] / n;
        my += m4_left(theta, p->y[i]) / n;
    }
    for (size_t i = 0; i < p->m->n; i++) {
        const double x = p->m->log[X][i] - mx;

        xx += x * x;
        xy += x * (m4_left(theta, p->y[i]) - my);
    }
    theta[C] = xx > 0.0 ? fmax(-xy / xx, 2e-3) : 0.1;
    theta[BETA] = exp(fmin(fmax(my + theta[C] * mx, -130.0), 130.0));
    for (size_t i = 0; i < p->m->n; i++) {
        double d[M4_PARAMS];
        const double e = m4_loss(theta, p->m->log[X][i], d) / p->y[i] - 1.0;

        sum += e * e;
    }
    return sum;
}

static struct m4_context m4_context_of(const void *model, const double *y)
{
    struct m4_context p = { model, y, y[0], y[0] };

    for (size_t i = 1; i < p.m->n; i++) {
        p.lo = fmin(p.lo, y[i]);
        p.hi = fmax(p.hi, y[i]);
    }
    return p;
}

static size_t m4_starts(const void *model, const double *y, double *theta, size_t max)
{
    static const double low[] = { 0.02, 0.2, 0.4, 0.6, 0.8, 0.9, 0.97, 0.995 };
    static const double high[] = { 1.005, 1.03, 1.1, 1.3, 1.8, 3.0, 10.0 };
    static const double alpha[] = { 0.02, 0.1, 0.3, 0.6, 1.0, 1.6, 2.5, 4.0 };
    enum { LOW = 8, HIGH = 7, ALPHAS = 8 };
    struct m4_context p = m4_context_of(model, y);
    struct tw_law_start *found = tw_alloc((size_t)LOW * HIGH * ALPHAS, sizeof *found);
    size_t n = 0;

    for (size_t g = 0; found && g < (size_t)LOW * HIGH * ALPHAS; g++) {
        struct tw_law_start *s = &found[n];

        *s = (struct tw_law_start){ { 0 }, 0.0 };
        s->theta[EINF] = p.lo * low[g % LOW];
        s->theta[E0] = p.hi * high[g / LOW % HIGH];
        s->theta[ALPHA] = alpha[g / LOW / HIGH];
        s->objective = m4_closed_form(&p, s->theta);
        n += isfinite(s->objective) ? 1 : 0;
    }
    n = found ? tw_law_best_starts(found, n, M4_PARAMS, theta, max) : SIZE_MAX;
    free(found);
    return n;
}

static bool m4_project(const void *model, const double *y, double *theta)
{
    static const size_t shape[] = { EINF, E0, ALPHA };
    struct m4_context p = m4_context_of(model, y);

    theta[EINF] = fmin(theta[EINF], 0.99 * p.lo);
    theta[E0] = fmax(theta[E0], 1.01 * p.hi);
    tw_law_pattern_search(m4_closed_form, &p, shape, 3, M4_PARAMS, theta);
    return true;
}

const struct tw_law tw_law_m4 = {
    ROW_OF_M1_TO_M4,
    .name = "m4",
    .title = "power law of one scale between two limits (M4)",
    .formula = "(L - einf) ((e0 - einf) / (e0 - L))^alpha = beta x^-c",
    .about =
        "L(x) solves the equation and lies between einf, the limit at unlimited x, and e0, the "
        "loss before anything is learnt: a curve that is flat at first, falls, and flattens "
        "again. The paper's beta is this one over (e0 - einf)^alpha. With alpha = 0 it is m2. Runs "
        "that show no plateau at small x do not determine "
        "e0 and alpha: hold e0 (--fix=e0=X: the loss of guessing, such as the logarithm of the "
        "vocabulary) or use m2. Fitted here on the loss; the authors fit the equation's two "
        "sides, which weighs runs near either limit more.",
    .nparams = M4_PARAMS,
    .params = m4_params,
    .meanings = m4_meanings,
    .profile = 1u << EINF | 1u << C,
    .zero = 1u << EINF | 1u << ALPHA,
    .floor = 1u << EINF,
    .predict = m4_predict,
    .starts = m4_starts,
    .project = m4_project,
};
