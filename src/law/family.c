/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The best schedule of a family: a specification in which some values are left open. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "thalweg/law_schedule.h"

/* What may stand open, and how its range is laid out. */
enum kind { STEPS, RATE, SHAPE };
static const struct key {
    const char *name;
    enum kind kind;
} keys[] = {
    { "decay", STEPS },  { "stage", STEPS },  { "restart", STEPS },
    { "rewarm", STEPS }, { "period", STEPS }, { "end", RATE },
    { "end2", RATE },    { "peak2", RATE },   { "shape", SHAPE },
};
static const char *const shapes[] = { "linear", "exp", "cosine", "1-sqrt" };
enum { NKEYS = sizeof keys / sizeof keys[0], NSHAPES = 4, MAX_OPEN = 3 };

struct search {
    const struct tw_law_family *f;
    const struct tw_law *law;
    const double *theta;
    enum tw_warmup warmup;
    double peak, steps; /* ranges: [floor, peak], [1, steps] */
    size_t nopen;       /* numbers left open, in order */
    enum kind kind[MAX_OPEN];
    bool shape;         /* the shape is left open */
    struct tw_str spec; /* the last one tried */
    struct tw_str best;
    double loss;
    size_t tried, allowed;
};

static const struct key *key_before(const char *spec, const char *mark)
{
    for (size_t k = 0; k < NKEYS; k++) {
        const size_t n = strlen(keys[k].name);
        const char *at = mark - n - 1;

        if (mark - spec > (ptrdiff_t)n + 1 && *(mark - 1) == '=' && !strncmp(at, keys[k].name, n) &&
            (at[-1] == ',' || at[-1] == ':'))
            return &keys[k];
    }
    return NULL;
}

static enum tw_status find_open(struct search *s, struct tw_err *err)
{
    const char *spec = s->f->spec;

    for (const char *at = strchr(spec, '?'); at; at = strchr(at + 1, '?')) {
        const struct key *key = key_before(spec, at);

        if (!key)
            return tw_err_set(err, TW_EINVAL,
                              "'%s': a ? stands for the value of decay, stage, restart, rewarm, "
                              "period, end, end2, peak2 or shape",
                              spec);
        if (key->kind == SHAPE) {
            s->shape = true;
            continue;
        }
        if (s->nopen == MAX_OPEN)
            return tw_err_set(err, TW_EINVAL, "'%s': more than %d open numbers", spec, MAX_OPEN);
        s->kind[s->nopen++] = key->kind;
    }
    return TW_OK;
}

/* The specification at u in [0, 1]^nopen. */
static void write_spec(struct search *s, const double *u, size_t shape)
{
    const char *at = s->f->spec, *mark;
    size_t k = 0;

    tw_str_clear(&s->spec);
    while ((mark = strchr(at, '?'))) {
        tw_str_addn(&s->spec, at, (size_t)(mark - at));
        if (key_before(s->f->spec, mark)->kind == SHAPE)
            tw_str_add(&s->spec, shapes[shape]);
        else if (s->kind[k] == STEPS)
            tw_str_addf(&s->spec, "%.0f", 1.0 + (s->steps - 1.0) * u[k]);
        else
            tw_str_addf(&s->spec, "%.6g",
                        fmin(s->peak, s->f->floor * pow(s->peak / s->f->floor, u[k])));
        k += key_before(s->f->spec, mark)->kind != SHAPE;
        at = mark + 1;
    }
    tw_str_add(&s->spec, at);
}

static bool allowed(const struct search *s, const struct tw_schedule *q)
{
    const double fastest = (s->peak - s->f->floor) / (double)s->f->fall;

    for (size_t i = q->warm_end + 1; i < q->n; i++)
        if (q->lr[i] < s->f->floor * (1.0 - 1e-5) || q->lr[i] > s->peak * (1.0 + 1e-9) ||
            q->lr[i - 1] - q->lr[i] > fastest * (1.0 + 1e-6))
            return false;
    return true;
}

/* The loss there; INFINITY where no schedule of the family is allowed. */
static double try(struct search *s, const double *u, size_t shape, struct tw_err *err)
{
    struct tw_schedule q = { 0 };
    double loss = (double)INFINITY;

    write_spec(s, u, shape);
    s->tried++;
    if (s->spec.failed)
        return INFINITY;
    if (tw_schedule_parse(s->spec.s, NULL, NULL, &q, err) == TW_OK && allowed(s, &q)) {
        s->allowed++;
        loss = tw_law_final(s->law, s->theta, s->warmup, q.lr, q.n, q.warm_end, NULL);
    }
    tw_schedule_release(&q);
    if (loss < s->loss) {
        s->loss = loss;
        tw_str_clear(&s->best);
        tw_str_add(&s->best, s->spec.s);
    }
    return isnan(loss) ? (double)INFINITY : loss;
}

/* A grid, then steps along each axis from its best point until they are below a step. */
static void search(struct search *s, size_t shape, struct tw_err *first)
{
    const size_t grid = s->nopen > 2 ? 8 : s->nopen > 1 ? 14 : 32;
    double u[MAX_OPEN] = { 0 }, best[MAX_OPEN] = { 0 }, least = INFINITY;
    size_t total = 1;

    for (size_t k = 0; k < s->nopen; k++)
        total *= grid;
    for (size_t i = 0; i < total; i++) {
        double loss;

        for (size_t k = 0, q = i; k < s->nopen; k++, q /= grid)
            u[k] = (double)(q % grid) / (double)(grid - 1);
        loss = try(s, u, shape, first);
        if (loss < least) {
            least = loss;
            memcpy(best, u, sizeof best);
        }
    }
    for (double h = 0.5 / (double)(grid - 1); h > 0.25 / s->steps && isfinite(least); h *= 0.5)
        for (size_t k = 0; k < 2 * s->nopen; k++) {
            double loss;

            memcpy(u, best, sizeof u);
            u[k / 2] = fmin(fmax(u[k / 2] + (k % 2 ? h : -h), 0.0), 1.0);
            loss = try(s, u, shape, NULL);
            if (loss < least) {
                least = loss;
                memcpy(best, u, sizeof best);
            }
        }
}

enum tw_status tw_law_best_family(const struct tw_law *law, const double *theta,
                                  enum tw_warmup warmup, const struct tw_law_family *f,
                                  struct tw_schedule *best, double *loss, size_t *tried,
                                  struct tw_err *err)
{
    struct search s = { .f = f,
                        .law = law,
                        .theta = theta,
                        .warmup = warmup,
                        .peak = f->peak,
                        .steps = (double)f->steps,
                        .loss = INFINITY };
    struct tw_err first = { 0 };
    enum tw_status rc =
        law->final ? find_open(&s, err)
                   : tw_err_set(err, TW_EINVAL, "the %s law cannot rank schedules", law->name);

    for (size_t shape = 0; rc == TW_OK && shape < (s.shape ? (size_t)NSHAPES : 1); shape++)
        search(&s, shape, &first);
    if (rc == TW_OK && (s.spec.failed || s.best.failed))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    else if (rc == TW_OK && !isfinite(s.loss))
        rc = s.allowed || !first.code
                 ? tw_err_set(err, TW_EINVAL,
                              "'%s': no schedule of this family lies between the floor %g and the "
                              "peak %g and falls as slowly as asked",
                              f->spec, f->floor, f->peak)
                 : tw_err_set(err, first.code, "%s", first.msg);
    if (rc == TW_OK)
        rc = tw_schedule_parse(s.best.s, NULL, NULL, best, err);
    *loss = s.loss;
    *tried = s.tried;
    tw_str_release(&s.spec);
    tw_str_release(&s.best);
    return rc;
}
