/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * The first two stages of the fit of arXiv:2403.06563: pairs (S, E) that reach one loss at several
 * batch sizes lie on the hyperbola
 *
 *     (S / Smin - 1) (E / Emin - 1) = 1,   which with E = B S is   S = Smin + Emin / B,
 *
 * so that Bcrit = Emin / Smin; and log Bcrit is a line in log L.
 */
#include <math.h>
#include <stdlib.h>

#include "critical_batch.h"
#include "least.h"

enum { LEVELS = 12 };

/* Runs of one N and B, by S. */
struct line {
    size_t first, n;
};

struct order {
    const struct tw_run_table *t;
    size_t *run; /* (t->n) indices, by N, B, S */
    struct line *line;
    size_t nlines;
};

static int by(double a, double b)
{
    return (a > b) - (a < b);
}

static int compare(const struct tw_run_table *t, size_t a, size_t b)
{
    static const size_t key[] = { TW_CB_N, TW_CB_B, TW_CB_S };
    int c = 0;

    for (size_t k = 0; k < 3 && c == 0; k++)
        c = by(t->value[key[k]][a], t->value[key[k]][b]);
    return c ? c : (a > b) - (a < b);
}

/* Heap sort: qsort has no place for the table. */
static void sort(const struct tw_run_table *t, size_t *v, size_t n)
{
    for (size_t start = n / 2, end = n; end > 1;) {
        size_t root, child, moving;

        if (start > 0) {
            start--;
            moving = v[start];
        } else {
            moving = v[--end];
            v[end] = v[0];
        }
        for (root = start; (child = 2 * root + 1) < end; root = child) {
            if (child + 1 < end && compare(t, v[child], v[child + 1]) < 0)
                child++;
            if (compare(t, v[child], moving) <= 0)
                break;
            v[root] = v[child];
        }
        v[root] = moving;
    }
}

static bool same(const struct tw_run_table *t, size_t k, size_t a, size_t b)
{
    return fabs(t->log[k][a] - t->log[k][b]) < 0.01;
}

static void find_lines(struct order *o)
{
    const struct tw_run_table *t = o->t;

    for (size_t i = 0; i < t->n; i++)
        o->run[i] = i;
    sort(t, o->run, t->n);
    for (size_t i = 0; i < t->n;) {
        struct line l = { i, 1 };

        while (i + l.n < t->n && same(t, TW_CB_N, o->run[i], o->run[i + l.n]) &&
               same(t, TW_CB_B, o->run[i], o->run[i + l.n]))
            l.n++;
        o->line[o->nlines++] = l;
        i += l.n;
    }
}

/* The first S at which the line's loss falls to the level, between two of its runs; false if it
 * does not do so there. */
static bool reach(const struct order *o, const struct line *l, const double *y, double level,
                  double *steps)
{
    for (size_t i = l->first + 1; i < l->first + l->n; i++) {
        const size_t a = o->run[i - 1], b = o->run[i];

        if (y[a] >= level && y[b] < level) {
            const double w = (log(y[a]) - log(level)) / (log(y[a]) - log(y[b]));

            *steps = exp((1.0 - w) * o->t->log[TW_CB_S][a] + w * o->t->log[TW_CB_S][b]);
            return true;
        }
    }
    return false;
}

/* Bcrit at a level from the lines of one N; 0 if they do not say. `room` holds 3 numbers a line. */
static double critical(const struct order *o, size_t first, size_t n, const double *y, double level,
                       double *room)
{
    double *const one = room, *const inverse = room + n, *const steps = room + 2 * n, coef[2];
    const double *const column[] = { one, inverse };
    size_t m = 0;

    for (size_t k = 0; k < n; k++) {
        const struct line *l = &o->line[first + k];

        if (!reach(o, l, y, level, &steps[m]))
            continue;
        one[m] = 1.0;
        inverse[m++] = 1.0 / o->t->value[TW_CB_B][o->run[l->first]];
    }
    if (m < 2 || !isfinite(tw_law_positive_fit(column, 2, steps, m, true, coef)))
        return 0.0;
    return coef[0] > 0.0 && coef[1] > 0.0 ? coef[1] / coef[0] : 0.0;
}

/* Levels between the least and the largest loss of the lines of each N, evenly in the logarithm. */
static size_t collect(const struct order *o, const double *y, double *x, double *log_b,
                      double *room)
{
    size_t points = 0;

    for (size_t first = 0, n; first < o->nlines; first += n) {
        double least = INFINITY, most = -INFINITY; /* logarithms */

        for (n = 0; first + n < o->nlines && same(o->t, TW_CB_N, o->run[o->line[first].first],
                                                  o->run[o->line[first + n].first]);
             n++)
            for (size_t i = 0; i < o->line[first + n].n; i++) {
                least = fmin(least, log(y[o->run[o->line[first + n].first + i]]));
                most = fmax(most, log(y[o->run[o->line[first + n].first + i]]));
            }
        for (size_t k = 0; k < LEVELS; k++) {
            const double w = ((double)k + 0.5) / LEVELS;
            const double level = exp((1.0 - w) * least + w * most);
            const double b = critical(o, first, n, y, level, room);

            if (b > 0.0) {
                x[points] = log(level);
                log_b[points++] = log(b);
            }
        }
    }
    return points;
}

/* log Bcrit = log B* - log(L) / aB. */
static bool fit_line(double *x, double *log_b, size_t n, double *room, double *bstar, double *ab)
{
    struct tw_least fit;

    for (size_t i = 0; i < n; i++) {
        room[i] = 1.0;
        room[n + i] = x[i];
    }
    if (n < 2 || !tw_least_fit(room, 2, log_b, n, &fit) || !(fit.coef[1] < 0.0))
        return false;
    *ab = fmin(fmax(-1.0 / fit.coef[1], 0.02), 50.0);
    *bstar = exp(fmin(fmax(fit.coef[0], -10.0), 60.0));
    return true;
}

int tw_critical_batch_line(const struct tw_run_table *t, const double *y, double *bstar, double *ab)
{
    struct order o = { .t = t };
    /* Each N has a line at least: so many levels there can be. */
    double *v = tw_alloc(t->n, 4 * LEVELS * sizeof *v), *room = tw_alloc(t->n, 3 * sizeof *room);
    int found = -1;

    o.run = tw_alloc(t->n, sizeof *o.run);
    o.line = tw_alloc(t->n, sizeof *o.line);
    if (v && room && o.run && o.line) {
        size_t n;

        find_lines(&o);
        n = collect(&o, y, v, v + LEVELS * t->n, room);
        found = fit_line(v, v + LEVELS * t->n, n, v + 2 * LEVELS * t->n, bstar, ab) ? 1 : 0;
    }
    free(v);
    free(room);
    free(o.run);
    free(o.line);
    return found;
}
