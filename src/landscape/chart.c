/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Charts: coordinates to weights of anchors. */
#include <math.h>

#include "sums.h"
#include "thalweg/landscape.h"

void tw_chart_weights(const struct tw_chart *c, double x, double y,
                      double weights[TW_CHART_ANCHORS])
{
    for (size_t k = 0; k < c->nanchor; k++) {
        weights[k] = c->origin[k] + x * c->axis[0][k];
        if (c->dim > 1)
            weights[k] += y * c->axis[1][k];
    }
}

struct tw_chart tw_chart_line(void)
{
    return (struct tw_chart){ 2, 1, { 1.0, 0.0 }, { { -1.0, 1.0 }, { 0.0 } } };
}

struct tw_chart tw_chart_centre(int dim)
{
    return (struct tw_chart){ (size_t)dim + 1, dim, { 1.0 }, { { 0.0, 1.0 }, { 0.0, 0.0, 1.0 } } };
}

/* With e = b - a, f = c - a, s = <e, f> / <e, e>: the point (x, y) is
 * a + x e / ||e|| + y (f - s e) / ||f - s e||. */
enum tw_status tw_chart_triangle(size_t n, const float *const points[3], struct tw_chart *c,
                                 double x[3], double y[3], struct tw_err *err)
{
    const float *const a = points[0], *const b = points[1], *const d = points[2];
    const double ee = tw_dot_from(n, b, b, a), ef = tw_dot_from(n, b, d, a), s = ef / ee;
    const double ff = tw_dot_from(n, d, d, a), length = sqrt(ee), height = sqrt(ff - s * ef);

    if (!(ee > 0.0) || !(ff - s * ef > 1e-9 * ff))
        return tw_err_set(err, TW_EDOMAIN,
                          ee >= 0.0 && ff >= 0.0
                              ? "the three checkpoints lie on one line: no plane goes through them "
                                "alone"
                              : "a checkpoint has parameters that are not finite");
    *c = (struct tw_chart){ 3,
                            2,
                            { 1.0, 0.0, 0.0 },
                            { { -1.0 / length, 1.0 / length, 0.0 },
                              { -(1.0 - s) / height, -s / height, 1.0 / height } } };
    x[0] = y[0] = y[1] = 0.0;
    x[1] = length;
    x[2] = s * length;
    y[2] = height;
    return TW_OK;
}
