/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Points of the space of parameters, seen in a plane. */
#include <math.h>

#include "thalweg/landscape.h"

/* A fixed number of chunks, so that sums have the same bits at any number of threads. */
enum { CHUNKS = 256 };
enum { UU, UV, VV, DU, DV, DD, SUMS };

struct frame {
    const struct tw_chart *c;
    size_t n;
    const float *const *anchors;
    const float *point;
};

/* Number i of the axes, and of the point less the origin. */
static inline void at(const struct frame *f, size_t i, double *u, double *v, double *d)
{
    double origin = 0.0;

    *u = *v = 0.0;
    for (size_t k = 0; k < f->c->nanchor; k++) {
        const double a = (double)f->anchors[k][i];

        origin += f->c->origin[k] * a;
        *u += f->c->axis[0][k] * a;
        *v += f->c->axis[1][k] * a;
    }
    *d = (double)f->point[i] - origin;
}

static void products(const struct frame *f, double sum[SUMS])
{
    double part[SUMS][CHUNKS] = { { 0 } };
    const size_t each = f->n / CHUNKS + 1;

#pragma omp parallel for schedule(static) if (f->n > 20000)
    for (size_t c = 0; c < CHUNKS; c++) {
        const size_t end = (c + 1) * each < f->n ? (c + 1) * each : f->n;
        double s[SUMS] = { 0 }, u, v, d;

        for (size_t i = c * each; i < end; i++) {
            at(f, i, &u, &v, &d);
            s[UU] += u * u;
            s[UV] += u * v;
            s[VV] += v * v;
            s[DU] += d * u;
            s[DV] += d * v;
            s[DD] += d * d;
        }
        for (int k = 0; k < SUMS; k++)
            part[k][c] = s[k];
    }
    for (int k = 0; k < SUMS; k++)
        sum[k] = tw_sum(part[k], CHUNKS);
}

/* What is left of the point: as a sum of its own, since ||d||^2 less what is in the plane would
 * leave nothing of a small rest. */
static double square_left(const struct frame *f, double x, double y)
{
    double part[CHUNKS] = { 0 };
    const size_t each = f->n / CHUNKS + 1;

#pragma omp parallel for schedule(static) if (f->n > 20000)
    for (size_t c = 0; c < CHUNKS; c++) {
        const size_t end = (c + 1) * each < f->n ? (c + 1) * each : f->n;
        double s = 0.0, u, v, d;

        for (size_t i = c * each; i < end; i++) {
            at(f, i, &u, &v, &d);
            d -= x * u + y * v;
            s += d * d;
        }
        part[c] = s;
    }
    return tw_sum(part, CHUNKS);
}

/* The normal equations of min || d - x u - y v ||. */
enum tw_status tw_chart_project(const struct tw_chart *c, size_t n, const float *const *anchors,
                                const float *point, struct tw_projection *out, struct tw_err *err)
{
    const struct frame f = { c, n, anchors, point };
    double s[SUMS], det;

    if (c->dim != 2)
        return tw_err_set(err, TW_EINVAL, "points are projected on planes, not on lines");
    products(&f, s);
    det = s[UU] * s[VV] - s[UV] * s[UV];
    if (!(det > 1e-12 * s[UU] * s[VV]))
        return tw_err_set(err, TW_EDOMAIN,
                          "the plane's two directions are one: nothing can be projected on it");
    out->x = (s[VV] * s[DU] - s[UV] * s[DV]) / det;
    out->y = (s[UU] * s[DV] - s[UV] * s[DU]) / det;
    out->distance = sqrt(s[DD]);
    out->off = sqrt(square_left(&f, out->x, out->y));
    return TW_OK;
}
