/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The picture of a surface: bicubic interpolation, of logarithms where the colours are. */
#include <gsl/gsl_interp2d.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "surface.h"

static double scaled(const struct surface_plan *p, double z)
{
    return !p->log ? z : z > 0.0 ? log10(z) : nan("");
}

/* Points that are not finite take the mean of their neighbours, and so on from the rim inwards: the
 * spline must not ring; what it says there is not shown. */
static bool patch(double *z, size_t nx, size_t ny)
{
    double *next = tw_alloc(nx * ny, sizeof *next);
    bool left = next != NULL;

    for (size_t round = 0; left && round < nx + ny; round++) {
        left = false;
        for (size_t i = 0; i < nx * ny; i++) {
            const size_t x = i % nx, y = i / nx;
            double sum = 0.0, n = 0.0;

            next[i] = z[i];
            if (isfinite(z[i]))
                continue;
            for (size_t b = y ? y - 1 : 0; b <= y + 1 && b < ny; b++)
                for (size_t a = x ? x - 1 : 0; a <= x + 1 && a < nx; a++)
                    if (isfinite(z[b * nx + a])) {
                        sum += z[b * nx + a];
                        n += 1.0;
                    }
            next[i] = n > 0.0 ? sum / n : z[i];
            left = true;
        }
        memcpy(z, next, nx * ny * sizeof *z);
    }
    free(next);
    return next != NULL;
}

/* The point nearest to a pixel. */
static size_t nearest(size_t pixel, size_t pixels, size_t n)
{
    return (2 * pixel * (n - 1) + (pixels - 1)) / (2 * (pixels - 1));
}

static void draw(struct surface_plan *p, const gsl_interp2d *spline, const double *z)
{
    const struct tw_figure_surface *f = p->f;
    const double w = f->x[f->nx - 1] - f->x[0], h = f->y[f->ny - 1] - f->y[0];
    const double lo = scaled(p, p->lo), hi = scaled(p, p->hi);

    for (size_t j = 0; j < p->py; j++)
        for (size_t i = 0; i < p->px; i++) {
            const size_t near = nearest(j, p->py, f->ny) * f->nx + nearest(i, p->px, f->nx);
            const double x = f->x[0] + w * (double)i / (double)(p->px - 1);
            const double y = f->y[0] + h * (double)j / (double)(p->py - 1);
            double v = NAN;

            if (isfinite(scaled(p, f->z[near])))
                (void)gsl_interp2d_eval_e(spline, f->x, f->y, z, fmin(x, f->x[f->nx - 1]),
                                          fmin(y, f->y[f->ny - 1]), NULL, NULL, &v);
            /* A spline may shoot over; no colour may say that there was more than measured. */
            p->picture[j * p->px + i] = (float)(isnan(v) ? v : fmin(fmax(v, lo), hi));
        }
}

enum tw_status surface_paint(struct surface_plan *p, struct tw_err *err)
{
    const struct tw_figure_surface *f = p->f;
    const size_t n = f->nx * f->ny, want = p->f->relief ? 80 : 400;
    const bool few = f->nx < 4 || f->ny < 4; /* too few for cubics */
    gsl_interp2d *spline =
        gsl_interp2d_alloc(few ? gsl_interp2d_bilinear : gsl_interp2d_bicubic, f->nx, f->ny);
    double *z = tw_alloc(n, sizeof *z);
    enum tw_status rc = TW_OK;
    size_t by;

    by = want / (f->nx > f->ny ? f->nx : f->ny);
    by = by ? by : 1;
    p->px = (f->nx - 1) * by + 1;
    p->py = (f->ny - 1) * by + 1;
    p->picture = tw_alloc(p->px * p->py, sizeof *p->picture);
    for (size_t i = 0; z && i < n; i++)
        z[i] = scaled(p, f->z[i]);
    if (!spline || !z || !p->picture || !patch(z, f->nx, f->ny))
        rc = tw_err_set(err, TW_ENOMEM, "out of memory");
    else if (gsl_interp2d_init(spline, f->x, f->y, z, f->nx, f->ny) != 0)
        rc = tw_err_set(err, TW_EINVAL, "the coordinates of a surface must rise");
    else
        draw(p, spline, z);
    gsl_interp2d_free(spline);
    free(z);
    return rc;
}
