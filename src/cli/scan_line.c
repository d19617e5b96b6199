/* SPDX-License-Identifier: GPL-3.0-or-later */
/* --tol on a line: points where they are needed (thalweg/landscape_line.h), and the mesh from the
 * curve through them. The points are in the file too, in the order in which they were computed. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "scan.h"
#include "thalweg/landscape_line.h"

/* A point of the file as a point of the line. */
static struct tw_line_point point_of(const struct tw_scan *out, size_t k)
{
    struct tw_line_point p = { .t = out->at[k], .slope = NAN };

    p.values.loss =
        (struct tw_estimate){ out->at_field[SCAN_LOSS][k], out->at_field[SCAN_LOSS_SE][k], NAN };
    p.values.error = (struct tw_estimate){ NAN, NAN, NAN };
    if (out->at_field[SCAN_ERROR])
        p.values.error = (struct tw_estimate){ out->at_field[SCAN_ERROR][k],
                                               out->at_field[SCAN_ERROR_SE][k], NAN };
    return p;
}

/* Largest less least loss so far; 0 before there are two. */
static double range_of(const struct tw_line *l)
{
    double lo = HUGE_VAL, hi = -HUGE_VAL;

    for (size_t k = 0; k < l->n; k++)
        if (isfinite(l->point[k].values.loss.value)) {
            lo = fmin(lo, l->point[k].values.loss.value);
            hi = fmax(hi, l->point[k].values.loss.value);
        }
    return hi > lo ? hi - lo : 0.0;
}

static enum tw_status keep(struct scan *s, size_t k, const struct tw_line_point *p)
{
    const double v[SCAN_FIELDS] = { p->values.loss.value, p->values.loss.se, p->values.error.value,
                                    p->values.error.se };

    s->out.at[k] = p->t;
    for (size_t i = 0; i < SCAN_FIELDS; i++)
        if (s->out.at_field[i])
            s->out.at_field[i][k] = v[i];
    s->out.at_done[k] = 1;
    return tw_scan_write_at(s->file, &s->out, k, &s->call->err);
}

struct taking {
    struct scan *s;
    struct tw_line *l;
};

static enum tw_status take(void *ctx, double x, const struct tw_values *values)
{
    const struct taking *g = ctx;
    struct scan *s = g->s;
    const struct tw_line_point p = { .t = x, .values = *values, .slope = NAN };
    enum tw_status rc = tw_line_add(g->l, &p, &s->call->err);

    if (rc == TW_OK)
        rc = keep(s, g->l->n - 1, &p);
    s->evaluations++;
    tw_progress_step(&s->progress, g->l->n, NULL);
    return rc;
}

/* Points until the curve is known. The tolerance follows the range that was seen, so that it is a
 * function of the points there are. */
static enum tw_status sample(struct scan *s, struct tw_line *l)
{
    const size_t batch = tw_problem_batch(s->problem);
    struct taking taking = { s, l };
    double x[SCAN_AT_ONCE];
    enum tw_status rc = TW_OK;

    for (size_t k = 0; rc == TW_OK && k < s->out.nat && s->out.at_done[k]; k++) {
        const struct tw_line_point p = point_of(&s->out, k);

        rc = tw_line_add(l, &p, &s->call->err);
    }
    while (rc == TW_OK) {
        size_t n;

        l->o.tol = s->o->tol * range_of(l);
        n = tw_line_next(l, batch < SCAN_AT_ONCE ? batch : SCAN_AT_ONCE, x);
        if (n == 0)
            break;
        if (s->evaluations && tw_stop_requested())
            return TW_ESTOP;
        rc = scan_along(s, n, x, take, &taking);
    }
    return rc;
}

/* Standard errors between points: on the straight line. */
static double between(const struct tw_line *l, const double *field, double x)
{
    for (size_t k = 0; k + 1 < l->n; k++) {
        const size_t i = l->order[k], j = l->order[k + 1];
        const double a = l->point[i].t, b = l->point[j].t;

        if (x >= a && x <= b)
            return field[i] + (x - a) / (b - a) * (field[j] - field[i]);
    }
    return NAN;
}

/* The mesh from the curve; what was computed is itself. */
static void fill(struct scan *s, const struct tw_line *l)
{
    struct tw_scan *out = &s->out;

    for (size_t i = 0; i < s->nx; i++) {
        const double x = out->x[i];
        size_t k = 0;

        while (k < l->n && l->point[k].t != x)
            k++;
        out->field[SCAN_LOSS][i] = tw_line_at(l, TW_LINE_LOSS, x);
        if (out->field[SCAN_ERROR])
            out->field[SCAN_ERROR][i] = tw_line_at(l, TW_LINE_ERROR, x);
        for (size_t f = SCAN_LOSS_SE; f < SCAN_FIELDS; f += 2)
            if (out->field[f])
                out->field[f][i] = between(l, out->at_field[f], x);
        for (size_t f = 0; k < l->n && f < SCAN_FIELDS; f++)
            if (out->field[f])
                out->field[f][i] = out->at_field[f][k];
        out->status[i] = (uint8_t)(!isfinite(out->field[SCAN_LOSS][i]) ? TW_POINT_FAILED
                                   : k < l->n                          ? TW_POINT_DONE
                                                                       : TW_POINT_INTERPOLATED);
    }
}

enum tw_status scan_line(struct scan *s)
{
    const struct tw_line_options o = { .lo = s->out.x[0],
                                       .hi = s->out.x[s->nx - 1],
                                       .max_points = s->out.nat };
    struct tw_line l;
    enum tw_status rc = tw_line_init(&l, &o, &s->call->err);

    if (rc == TW_OK)
        rc = sample(s, &l);
    if (rc == TW_OK) {
        const double range = range_of(&l);

        fill(s, &l);
        s->out.stated_error = range > 0.0 ? tw_line_stated_error(&l, TW_LINE_LOSS) / range : 0.0;
        if (!(s->out.stated_error <= 1.001 * s->o->tol))
            tw_cmd_warn(s->call, "%zu points do not do for --tol=%g: the stated error is %.2g", l.n,
                        s->o->tol, s->out.stated_error);
        rc = tw_scan_write(s->file, &s->out, 0, s->nx, &s->call->err);
    }
    if (rc == TW_OK)
        rc = tw_result_write_reals(s->file, "/stated_error", 0, &s->out.stated_error, 1,
                                   &s->call->err);
    tw_line_release(&l);
    return rc;
}
