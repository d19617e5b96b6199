/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The nearest singularity of a network's loss along a line, sample by sample. */
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "circle.h"

/* How much nearer than what was found the circle of the count lies; farther where that one is not
 * resolved. */
static const double gaps[] = { 1e-6, 1e-4, 1e-3 };
enum { GAPS = sizeof gaps / sizeof *gaps, TRIES = 80 };
/* Points on a circle: to look for zeros, where another circle will do as well; to close in on one.
 */
enum { LOOK = 400, CLOSE = 2000 };
/* The search ends where nothing is found within this many times where it began. */
#define REACH 64.0
/* A zero this little beyond a circle that has none was seen from it, and is none. */
#define NEXT 1e-5

struct tw_ghost_true_search {
    size_t threads;
    struct circle *circle; /* one a thread */
    struct tw_ghost_true_line line;
};

struct tw_ghost_true_search *tw_ghost_true_new(const struct tw_ghost_true_line *line,
                                               struct tw_err *err)
{
    struct tw_ghost_true_search *s = tw_alloc(1, sizeof *s);
    enum tw_status rc = TW_OK;

    if (s) {
        s->line = *line;
        s->threads = line->threads ? line->threads : (size_t)omp_get_max_threads();
        s->circle = tw_alloc(s->threads, sizeof *s->circle);
    }
    if (!s || !s->circle)
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    for (size_t i = 0; rc == TW_OK && i < s->threads; i++)
        rc = circle_make(&s->circle[i], line, err);
    if (rc == TW_OK)
        return s;
    tw_ghost_true_free(s);
    return NULL;
}

void tw_ghost_true_free(struct tw_ghost_true_search *s)
{
    for (size_t i = 0; s && s->circle && i < s->threads; i++)
        circle_release(&s->circle[i]);
    if (s)
        free(s->circle);
    free(s);
}

size_t tw_ghost_true_nsite(const struct tw_ghost_true_search *s)
{
    return tw_complex_nsite(s->circle[0].net);
}

struct tw_complex_site tw_ghost_true_site(const struct tw_ghost_true_search *s, size_t i)
{
    return tw_complex_site(s->circle[0].net, i);
}

/* ---- one sample ---------------------------------------------------------------------------- */

struct search {
    struct circle *c;
    double low, high;  /* none within low; one within high */
    size_t watch;      /* the one that has a zero within high; n: not known */
    double rho;        /* modulus of the nearest zero found */
    struct tw_cx zero; /* that one */
    size_t found;      /* whose it is */
};

/* Zeros from where the denominators were least on the last circle. */
static void follow_dips(struct search *s)
{
    for (size_t i = 0; i < s->c->ndip; i++) {
        struct tw_cx zero;
        double rho;

        if (!circle_zero(s->c, &s->c->dip[i], &zero))
            continue;
        rho = hypot(zero.re, zero.im);
        if (rho > s->low * (1.0 + NEXT) && rho < s->rho) {
            s->rho = rho;
            s->zero = zero;
            s->found = s->c->dip[i].watch;
        }
    }
}

static void note(struct search *s, double radius, size_t zeros, size_t watch)
{
    if (zeros) {
        s->high = radius;
        s->watch = watch;
    } else {
        s->low = radius;
    }
}

static bool count(struct search *s, double radius, size_t points)
{
    size_t zeros, watch;

    if (!circle_count(s->c, radius, points, &zeros, &watch))
        return false;
    note(s, radius, zeros, watch);
    if (s->rho <= s->low) /* the circle has none: it was of another branch */
        s->rho = HUGE_VAL;
    follow_dips(s);
    return true;
}

/* Whether the last circle, a gap inside the zero found, saw it: another branch of a root may have a
 * zero that this one has not. */
static bool sees(const struct search *s, double gap)
{
    for (size_t i = 0; i < s->c->ndip; i++) {
        const struct circle_dip *d = &s->c->dip[i];

        if (d->watch == s->found &&
            hypot(d->t.re - s->zero.re, d->t.im - s->zero.im) <= 10.0 * gap * s->rho)
            return true;
    }
    return false;
}

/* Just inside the zero found: true if nothing is nearer. A zero that is none is forgotten. */
static bool closes(struct search *s)
{
    for (size_t k = 0; k < GAPS; k++) {
        const double rho = s->rho, radius = rho * (1.0 - gaps[k]);
        size_t zeros, watch;

        if (!circle_count(s->c, radius, s->low > 0.8 * radius ? CLOSE : LOOK, &zeros, &watch))
            continue;
        note(s, radius, zeros, watch);
        if (zeros == 0 && sees(s, gaps[k]))
            return true;
        if (zeros == 0)
            s->rho = HUGE_VAL;
        follow_dips(s);
        return false;
    }
    return false;
}

static size_t site_of(const struct circle *c, size_t watch)
{
    size_t i = 0;

    while (i < tw_complex_nsite(c->net)) {
        const struct tw_complex_site site = tw_complex_site(c->net, i);

        if (watch >= site.watch && watch < site.watch + site.nwatch)
            break;
        i++;
    }
    return i;
}

static struct tw_ghost_true report(const struct search *s, enum tw_ghost_true_state state)
{
    const bool found = s->rho >= s->low && s->rho <= s->high * (1.0 + 1e-9) && isfinite(s->rho);
    struct tw_ghost_true t = {
        .state = state, .low = s->low, .re = (double)NAN, .im = (double)NAN
    };

    t.radius = found                            ? s->rho
               : state == TW_GHOST_TRUE_BEYOND  ? HUGE_VAL
               : state == TW_GHOST_TRUE_COUNTED ? s->high
                                                : (double)NAN;
    t.site = site_of(s->c, found ? s->found : s->watch);
    if (found) {
        t.re = s->zero.re;
        t.im = s->zero.im;
    }
    return t;
}

static struct tw_ghost_true search(struct circle *c, double start)
{
    struct search s = { .c = c, .high = HUGE_VAL, .rho = HUGE_VAL, .watch = c->n };
    double radius = start, tried = HUGE_VAL;
    size_t failed = 0;

    for (int it = 0; it < TRIES; it++) {
        if (!count(&s, radius, failed > 6 ? CLOSE : LOOK)) {
            if (++failed > 12)
                break;
            radius = s.low + 0.61 * (radius - s.low);
            continue;
        }
        if (s.rho > tried) /* what was tried is forgotten */
            tried = HUGE_VAL;
        if (s.rho <= s.high && s.rho < tried) {
            tried = s.rho;
            if (closes(&s))
                return report(&s, TW_GHOST_TRUE_COUNTED);
        }
        if (isfinite(s.high) && s.high - s.low <= 1e-6 * s.high)
            return report(&s, TW_GHOST_TRUE_COUNTED);
        if (!isfinite(s.high) && s.low >= REACH * start)
            return report(&s, TW_GHOST_TRUE_BEYOND);
        radius = isfinite(s.high) ? 0.5 * (s.low + s.high) : 1.5 * s.low;
    }
    return report(&s, TW_GHOST_TRUE_OPEN);
}

void tw_ghost_true_run(struct tw_ghost_true_search *s, size_t n, const size_t *rows,
                       const double *start, struct tw_ghost_true *out)
{
#pragma omp parallel for schedule(dynamic, 1) num_threads((int)s->threads)
    for (size_t i = 0; i < n; i++) {
        struct circle *c = &s->circle[omp_get_thread_num()];
        double reach;

        circle_sample(c, s->line.x, rows[i]);
        out[i] = search(c, start[i]);
        reach = isfinite(out[i].radius) ? out[i].radius : fmax(out[i].low, start[i]);
        out[i].kink = circle_kink(c, reach);
        out[i].evaluations = c->evaluations;
    }
}
