/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The table of optimizers. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "thalweg/train.h"

/* ---- proposals (formulas in the header) ------------------------------------------------------ */

static void sgd(const struct tw_optimizer *o, double t, const double *x, const double *g,
                double *const *moment, double *u, size_t first, size_t last)
{
    (void)t;
    (void)moment;
    for (size_t i = first; i < last; i++)
        u[i] = g[i] + o->wd * x[i];
}

static void momentum(const struct tw_optimizer *o, double t, const double *x, const double *g,
                     double *const *moment, double *u, size_t first, size_t last)
{
    double *const b = moment[0];
    const double keep = t > 1.0 ? o->mu : 0.0, add = t > 1.0 ? 1.0 - o->dampening : 1.0;

    for (size_t i = first; i < last; i++) {
        b[i] = keep * b[i] + add * (g[i] + o->wd * x[i]);
        u[i] = b[i];
    }
}

static void nesterov(const struct tw_optimizer *o, double t, const double *x, const double *g,
                     double *const *moment, double *u, size_t first, size_t last)
{
    double *const b = moment[0];
    const double keep = t > 1.0 ? o->mu : 0.0;

    for (size_t i = first; i < last; i++) {
        const double h = g[i] + o->wd * x[i];

        b[i] = keep * b[i] + h;
        u[i] = h + o->mu * b[i];
    }
}

/* What an adaptive proposal is made of. Elementwise, and compiled for vectors as wide as the
 * machine has: correctly rounded operations, not contracted, have the same bits at any width. */
struct adaptive {
    double beta1, beta2, eps, l2, decoupled, c1, c2;
};

static inline __attribute__((always_inline)) void adapt(const struct adaptive *p,
                                                        const double *restrict x,
                                                        const double *restrict g,
                                                        double *restrict m, double *restrict v,
                                                        double *restrict u, size_t n)
{
    const struct adaptive o = *p;

    for (size_t i = 0; i < n; i++) {
        const double h = g[i] + o.l2 * x[i];

        m[i] = o.beta1 * m[i] + (1.0 - o.beta1) * h;
        v[i] = o.beta2 * v[i] + (1.0 - o.beta2) * h * h;
        u[i] = m[i] / o.c1 / (sqrt(v[i]) / o.c2 + o.eps) + o.decoupled * x[i];
    }
}

typedef void adapt_fn(const struct adaptive *p, const double *restrict x, const double *restrict g,
                      double *restrict m, double *restrict v, double *restrict u, size_t n);

static void adapt_plain(const struct adaptive *p, const double *restrict x,
                        const double *restrict g, double *restrict m, double *restrict v,
                        double *restrict u, size_t n)
{
    adapt(p, x, g, m, v, u, n);
}

#ifdef __x86_64__
__attribute__((target("avx2"))) static void adapt_256(const struct adaptive *p,
                                                      const double *restrict x,
                                                      const double *restrict g, double *restrict m,
                                                      double *restrict v, double *restrict u,
                                                      size_t n)
{
    adapt(p, x, g, m, v, u, n);
}

__attribute__((target("avx512f"))) static void adapt_512(const struct adaptive *p,
                                                         const double *restrict x,
                                                         const double *restrict g,
                                                         double *restrict m, double *restrict v,
                                                         double *restrict u, size_t n)
{
    adapt(p, x, g, m, v, u, n);
}
#endif

static adapt_fn *widest(void)
{
#ifdef __x86_64__
    if (__builtin_cpu_supports("avx512f"))
        return adapt_512;
    if (__builtin_cpu_supports("avx2"))
        return adapt_256;
#endif
    return adapt_plain;
}

/* Weight decay goes into the gradient (l2) or beside it (decoupled). */
static void adaptive(const struct tw_optimizer *o, double t, const double *x, const double *g,
                     double *const *moment, double *u, size_t first, size_t last, double l2,
                     double decoupled)
{
    const struct adaptive p = { .beta1 = o->beta1,
                                .beta2 = o->beta2,
                                .eps = o->eps,
                                .l2 = l2,
                                .decoupled = decoupled,
                                .c1 = 1.0 - pow(o->beta1, t),
                                .c2 = sqrt(1.0 - pow(o->beta2, t)) };

    widest()(&p, x + first, g + first, moment[0] + first, moment[1] + first, u + first,
             last - first);
}

static void adam(const struct tw_optimizer *o, double t, const double *x, const double *g,
                 double *const *moment, double *u, size_t first, size_t last)
{
    adaptive(o, t, x, g, moment, u, first, last, o->wd, 0.0);
}

static void adamw(const struct tw_optimizer *o, double t, const double *x, const double *g,
                  double *const *moment, double *u, size_t first, size_t last)
{
    adaptive(o, t, x, g, moment, u, first, last, 0.0, o->wd);
}

/* ---- the table ------------------------------------------------------------------------------- */

#define ARG(field, standard, hi, below)                                                            \
    {                                                                                              \
#field, offsetof(struct tw_optimizer, field), standard, 0.0, hi, below                     \
    }
#define ADAPTIVE(decay)                                                                            \
    {                                                                                              \
        ARG(beta1, 0.9, 1.0, true), ARG(beta2, 0.999, 1.0, true), ARG(eps, 1e-8, 1e3, false),      \
            ARG(wd, decay, 1e6, false)                                                             \
    }

const struct tw_optimizer_row tw_optimizers[] = {
    { "sgd", "steepest descent", { ARG(wd, 0.0, 1e6, false) }, 0, sgd },
    { "momentum",
      "with momentum",
      { ARG(mu, 0.9, 1e3, false), ARG(dampening, 0.0, 1.0, false), ARG(wd, 0.0, 1e6, false) },
      1,
      momentum },
    { "nesterov",
      "with Nesterov's momentum",
      { ARG(mu, 0.9, 1e3, false), ARG(wd, 0.0, 1e6, false) },
      1,
      nesterov },
    { "adam", "Adam, weight decay in the gradient", ADAPTIVE(0.0), 2, adam },
    { "adamw", "Adam, weight decay beside the gradient", ADAPTIVE(0.01), 2, adamw },
    { NULL, NULL, { { NULL, 0, 0.0, 0.0, 0.0, false } }, 0, NULL },
};

/* ---- specs ----------------------------------------------------------------------------------- */

static double *field(struct tw_optimizer *o, const struct tw_optimizer_arg *a)
{
    void *at = (char *)o + a->off;

    return at;
}

static enum tw_status unknown(const char *text, size_t n, struct tw_err *err)
{
    const char *names[16];
    char given[32];
    size_t count = 0, near;

    for (; tw_optimizers[count].name; count++)
        names[count] = tw_optimizers[count].name;
    (void)snprintf(given, sizeof given, "%.*s", (int)(n < 31 ? n : 31), text);
    near = tw_str_nearest(given, names, count);
    if (near < count)
        return tw_err_set(err, TW_EINVAL, "no optimizer '%s'; did you mean '%s'?", given,
                          names[near]);
    return tw_err_set(err, TW_EINVAL,
                      "no optimizer '%s'; there are sgd, momentum, nesterov, adam, adamw", given);
}

/* One "key=value" of n bytes. */
static enum tw_status read_argument(const char *s, size_t n, struct tw_optimizer *o,
                                    struct tw_err *err)
{
    const char *eq = memchr(s, '=', n);
    const size_t key = eq ? (size_t)(eq - s) : n;
    struct tw_str takes = { 0 };
    double x;

    if (!eq || !tw_strn_to_real(eq + 1, n - key - 1, &x))
        return tw_err_set(err, TW_EINVAL, "optimizer %s: '%.*s' is not of the form key=number",
                          o->row->name, (int)(n < 40 ? n : 40), s);
    for (const struct tw_optimizer_arg *a = o->row->arg; a->name; a++) {
        tw_str_addf(&takes, "%s%s", a == o->row->arg ? "" : ", ", a->name);
        if (strlen(a->name) != key || strncmp(a->name, s, key) != 0)
            continue;
        tw_str_release(&takes);
        if (!(x >= a->lo && x <= a->hi) || (a->below && x == a->hi))
            return tw_err_set(err, TW_EINVAL, "optimizer %s: %s=%g is outside %g to %g%s",
                              o->row->name, a->name, x, a->lo, a->hi,
                              a->below ? " (which it must be below)" : "");
        *field(o, a) = x;
        return TW_OK;
    }
    (void)tw_err_set(err, TW_EINVAL, "optimizer %s takes no argument '%.*s'; it takes %s",
                     o->row->name, (int)(key < 40 ? key : 40), s, takes.failed ? "?" : takes.s);
    tw_str_release(&takes);
    return TW_EINVAL;
}

enum tw_status tw_optimizer_parse(const char *text, struct tw_optimizer *o, struct tw_err *err)
{
    const size_t n = strlen(text), name = strcspn(text, "(");
    const struct tw_optimizer_row *row = tw_optimizers;
    enum tw_status rc = TW_OK;

    while (row->name && (strlen(row->name) != name || strncmp(row->name, text, name) != 0))
        row++;
    if (!row->name)
        return unknown(text, name, err);
    *o = (struct tw_optimizer){ .row = row };
    for (const struct tw_optimizer_arg *a = row->arg; a->name; a++)
        *field(o, a) = a->standard;
    if (name == n)
        return TW_OK;
    if (text[n - 1] != ')')
        return tw_err_set(err, TW_EINVAL, "optimizer '%.60s': ')' is missing at the end", text);
    for (const char *p = text + name + 1, *end = text + n - 1; p < end && rc == TW_OK;) {
        size_t m;

        p += strspn(p, " ");
        m = strcspn(p, ",");
        if (m > (size_t)(end - p))
            m = (size_t)(end - p);
        rc = read_argument(p, m, o, err);
        p += m + 1;
    }
    return rc;
}

void tw_optimizer_print(const struct tw_optimizer *o, struct tw_str *out)
{
    struct tw_optimizer copy = *o;

    tw_str_add(out, o->row->name);
    for (const struct tw_optimizer_arg *a = o->row->arg; a->name; a++)
        tw_str_addf(out, "%s%s=%.15g", a == o->row->arg ? "(" : ",", a->name, *field(&copy, a));
    tw_str_add(out, ")");
}
