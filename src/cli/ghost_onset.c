/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Measured damage along a line: the least length at which the loss has grown, or the accuracy
 * fallen, by so much. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ghost.h"

/* Lengths tried: this many to a factor of ten, from START to END times rho_a. */
enum { PER_DECADE = 12, HALVINGS = 14 };
#define START 1e-2
#define END   1e3

enum tw_status tw_ghost_onsets_parse(struct ghost *g, const char *text)
{
    for (const char *p = text; p && *p;) {
        const size_t n = strcspn(p, ",");
        struct ghost_onset o = { .kind = '\0' };
        const size_t head = n > 4 && (!strncmp(p, "loss*", 5) || !strncmp(p, "loss+", 5)) ? 5
                            : n > 4 && !strncmp(p, "acc-", 4)                             ? 4
                                                                                          : 0;

        if (g->nonset == GHOST_ONSETS)
            return tw_err_set(&g->call->err, TW_EINVAL, "--onset: more than %d kinds",
                              GHOST_ONSETS);
        if (!head || n >= sizeof o.text || !tw_strn_to_real(p + head, n - head, &o.by) ||
            !(o.by > (p[head - 1] == '*' ? 1.0 : 0.0)) || !isfinite(o.by))
            return tw_err_set(
                &g->call->err, TW_EINVAL,
                "--onset: '%.*s' is none of loss*X (X above 1), loss+X, acc-X (points "
                "of accuracy)",
                (int)(n < 40 ? n : 40), p);
        memcpy(o.text, p, n);
        o.kind = p[head - 1];
        g->onsets[g->nonset++] = o;
        p += n + (p[n] == ',');
    }
    return TW_OK;
}

/* A loss that is not finite is damage of every kind. */
static bool damaged(const struct ghost_onset *o, const struct ghost_line *l,
                    const struct tw_values *v)
{
    if (!isfinite(v->loss.value))
        return true;
    switch (o->kind) {
    case '*':
        return v->loss.value >= o->by * l->loss;
    case '+':
        return v->loss.value >= o->by + l->loss;
    default:
        return v->error.value >= l->error + 0.01 * o->by;
    }
}

static enum tw_status values_at(struct ghost *g, double t, struct tw_values *v)
{
    const double weights[2] = { 1.0, t };

    return tw_problem_eval(g->problem, &(struct tw_request){ .weights = weights, .values = v },
                           &g->call->err);
}

/* The onset lies in (lo, hi]. */
static enum tw_status narrow(struct ghost *g, const struct ghost_line *l, size_t k, double lo,
                             double hi, double *onset)
{
    for (int it = 0; it < HALVINGS; it++) {
        const double mid = sqrt(lo * hi);
        struct tw_values v;
        const enum tw_status rc = values_at(g, mid, &v);

        if (rc != TW_OK)
            return rc;
        if (damaged(&g->onsets[k], l, &v))
            hi = mid;
        else
            lo = mid;
    }
    *onset = hi;
    return TW_OK;
}

enum tw_status tw_ghost_onsets_find(struct ghost *g, struct ghost_line *l, const double *v)
{
    const struct tw_vector anchors[2] = { g->at, { NULL, v } };
    const size_t nb = g->problem->layout->nb;
    float *still = tw_alloc(nb, sizeof *still);
    const float *const buffers[2] = { g->buffers, still };
    const double unit = isfinite(l->all.rho_a.value) ? l->all.rho_a.value : 1.0;
    double last = START * unit;
    size_t found = 0;
    enum tw_status rc = still ? tw_problem_anchor(g->problem, 2, anchors, buffers, &g->call->err)
                              : tw_err_set(&g->call->err, TW_ENOMEM, "out of memory");

    for (size_t k = 0; k < g->nonset; k++)
        l->onset[k] = HUGE_VAL;
    for (int i = 0; rc == TW_OK && found < g->nonset; i++) {
        const double t = START * unit * pow(10.0, (double)i / PER_DECADE);
        struct tw_values at;

        if (t > END * unit * 1.001)
            break;
        rc = values_at(g, t, &at);
        for (size_t k = 0; rc == TW_OK && k < g->nonset; k++)
            if (isinf(l->onset[k]) && damaged(&g->onsets[k], l, &at)) {
                found++;
                rc = i ? narrow(g, l, k, last, t, &l->onset[k]) : TW_OK;
                l->onset[k] = i ? l->onset[k] : t;
            }
        last = t;
    }
    free(still);
    return rc;
}
