/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The rate of every step from logged rates, and how wrong that can be. */
#include <math.h>
#include <stdlib.h>

#include "parse.h"
#include "thalweg/schedule.h"

/* What the lines that meet at point j say about the rates there; all 0 at the ends. */
struct bend {
    double off;   /* distance of the point from the chord of its neighbours */
    double kink;  /* change of slope */
    double curve; /* the second derivative if the rates are smooth */
};

static struct bend bend(const double *k, const double *lr, size_t n, size_t j)
{
    struct bend b = { 0 };
    double before, after;

    if (j == 0 || j + 1 >= n)
        return b;
    before = k[j] - k[j - 1];
    after = k[j + 1] - k[j];
    b.kink = fabs((lr[j + 1] - lr[j]) / after - (lr[j] - lr[j - 1]) / before);
    b.off = b.kink * before * after / (before + after);
    b.curve = 2.0 * b.kink / (before + after);
    return b;
}

/* Are two points on one smooth curve? */
static bool alike(struct bend a, struct bend b, double tiny)
{
    return fmin(a.off, b.off) > tiny && fmin(a.curve, b.curve) > 0.5 * fmax(a.curve, b.curve);
}

/*
 * A bound on what straight lines miss of the area between points j and j+1, h apart. One kink
 * that falls on a point misses nothing: its neighbours then lie on their lines. Where four
 * points in a row curve alike the rates are smooth and the trapezoid misses h^3/12 |lr''|;
 * twice that is safe. Else a kink or a jump hides inside, and it misses at most h^2/2 times
 * the change of slope. In the first and the last interval one end says nothing, so that
 * nothing excludes a kink but a smooth curve beside it.
 */
static double missed(const double *k, const double *lr, size_t n, size_t j, double tiny)
{
    const bool first = j == 0, last = j + 2 == n;
    const struct bend before = bend(k, lr, n, first ? 0 : j - 1), a = bend(k, lr, n, j),
                      b = bend(k, lr, n, j + 1), after = bend(k, lr, n, j + 2);
    const double h = k[j + 1] - k[j], kink = 0.5 * h * h * fmax(a.kink, b.kink);
    const double curve = h * h * h / 6.0 * fmax(a.curve, b.curve);

    if (n == 2)
        return 0.5 * h * fabs(lr[1] - lr[0]);
    if (first || last) {
        if (fmax(a.off, b.off) <= tiny)
            return 0.0;
        return (first ? alike(b, after, tiny) : alike(before, a, tiny)) ? curve : kink;
    }
    if (fmin(a.off, b.off) <= tiny)
        return 0.0;
    return alike(before, a, tiny) && alike(a, b, tiny) && alike(b, after, tiny) ? curve : kink;
}

static enum tw_status check(const double *x, const double *lr, size_t n, struct tw_err *err)
{
    if (n == 0)
        return tw_err_set(err, TW_EINVAL, "no learning rate at all");
    for (size_t j = 0; j < n; j++) {
        if (!(lr[j] >= 0.0) || !(lr[j] <= TW_SCHEDULE_MAX_RATE))
            return tw_err_set(err, TW_EDOMAIN,
                              "learning rate %g at x = %g: a learning rate lies between 0 and 1e6",
                              lr[j], x[j]);
        if (!isfinite(x[j]) || (j && !(x[j] > x[j - 1])))
            return tw_err_set(err, TW_EDOMAIN, "x = %g does not follow %g", x[j],
                              j ? x[j - 1] : (double)NAN);
    }
    return TW_OK;
}

/* Before the first logged point: down the line of the first two if they rise; flat if the
 * gap is no longer than one logging interval; else up from 0, as a warm-up. */
static double before_first(const double *k, const double *lr, size_t n, double spacing, double i)
{
    double slope = n > 1 ? (lr[1] - lr[0]) / (k[1] - k[0]) : 0.0;

    if (slope > 0.0)
        return fmax(0.0, lr[0] - slope * (k[0] - i));
    if (k[0] <= spacing * 1.5)
        return lr[0];
    return lr[0] * i / k[0];
}

static void fill(const double *k, const double *lr, size_t n, double spacing,
                 struct tw_schedule *out)
{
    size_t j = 0;

    for (size_t i = 0; i < out->n; i++) {
        const double s = (double)i;

        while (j + 1 < n && k[j + 1] <= s)
            j++;
        if (s < k[0])
            out->lr[i] = before_first(k, lr, n, spacing, s);
        else if (k[j] >= s || j + 1 >= n)
            out->lr[i] = lr[j];
        else
            out->lr[i] = lr[j] + (lr[j + 1] - lr[j]) * ((s - k[j]) / (k[j + 1] - k[j]));
    }
    while (out->warm_end + 1 < out->n && out->lr[out->warm_end + 1] > out->lr[out->warm_end])
        out->warm_end++;
}

static void judge(const double *k, const double *lr, size_t n, struct tw_lr_report *report)
{
    double area = 0.0, miss = 0.0, top = 0.0;

    for (size_t j = 0; j < n; j++)
        top = fmax(top, lr[j]);
    for (size_t j = 0; j + 1 < n; j++) {
        const double h = k[j + 1] - k[j];

        area += 0.5 * h * (lr[j] + lr[j + 1]);
        if (h > 1.0 + 1e-9)
            miss += missed(k, lr, n, j, 1e-9 * top);
    }
    report->s1_error = area > 0.0 ? miss / area : 0.0;
    if (report->spacing <= 1.0 + 1e-9 && miss <= 0.0)
        report->source = TW_LR_DENSE;
    else
        report->source = miss <= 0.0 ? TW_LR_LINEAR : TW_LR_INTERPOLATED;
}

enum tw_status tw_schedule_from_log(const double *x, const double *lr, size_t n, unsigned base,
                                    double batch, struct tw_schedule *out, struct tw_err *err)
{
    struct tw_lr_report *report = &out->logged;
    enum tw_status rc = check(x, lr, n, err);
    double *k = NULL, *gap = NULL;

    *report = (struct tw_lr_report){ 0 };
    if (rc != TW_OK)
        return rc;
    k = tw_alloc(n, sizeof *k);
    gap = tw_alloc(n, sizeof *gap);
    if (!k || !gap) {
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
        goto out;
    }
    for (size_t j = 0; j < n; j++)
        k[j] = x[j] / batch - base;
    for (size_t j = 0; j + 1 < n; j++)
        gap[j] = k[j + 1] - k[j];
    tw_sort_reals(gap, n - 1);
    report->spacing = n > 1 ? tw_quantile_sorted(gap, n - 1, 0.5) : 1.0;
    if (!(k[n - 1] < TW_SCHEDULE_MAX_STEPS) || k[0] < 0.0) {
        rc = tw_err_set(err, TW_EDOMAIN,
                        "x runs from %g to %g: expected steps from %u to 2^30; if x counts tokens "
                        "or samples give the units per step (--batch, or batch= in a schedule)",
                        x[0], x[n - 1], base);
        goto out;
    }
    report->unlogged_start = (size_t)ceil(k[0]);
    out->n = (size_t)floor(k[n - 1] + 1e-6) + 1;
    out->base = base;
    out->batch = batch;
    out->spec = tw_strdup("logged");
    out->lr = tw_alloc(out->n, sizeof *out->lr);
    if (!out->lr || !out->spec) {
        rc = tw_err_set(err, TW_ENOMEM, "%zu steps do not fit in memory", out->n);
        goto out;
    }
    fill(k, lr, n, report->spacing, out);
    judge(k, lr, n, report);
out:
    free(k);
    free(gap);
    return rc;
}

enum tw_status tw_schedule_hold(struct tw_schedule *s, double x, struct tw_err *err)
{
    const double last = floor(x / s->batch - s->base + 1e-6);
    const double most = (double)s->n + floor(1.5 * s->logged.spacing);
    size_t n;
    double *lr;

    if (s->logged.source == TW_LR_SPEC || !(last >= (double)s->n))
        return TW_OK;
    n = (size_t)fmin(last + 1.0, fmin(most, TW_SCHEDULE_MAX_STEPS));
    lr = realloc(s->lr, n * sizeof *lr);
    if (!lr)
        return tw_err_set(err, TW_ENOMEM, "%zu steps do not fit in memory", n);
    s->lr = lr;
    for (; s->n < n; s->n++)
        lr[s->n] = lr[s->n - 1];
    return TW_OK;
}
