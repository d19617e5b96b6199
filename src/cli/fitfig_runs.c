/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The figure of a law of runs: measured against predicted loss, and the line where they agree. */
#include <math.h>
#include <stdlib.h>

#include "fitfig.h"

static int by_first(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

enum tw_status tw_fit_runs_figure(const struct tw_fit_file *f, const char *path,
                                  const struct tw_figure_opts *fo, struct tw_err *err)
{
    const struct tw_law_fit *fit = &f->fit;
    double *pair = tw_alloc(fit->n, 2 * sizeof *pair), *v = tw_alloc(fit->n, 2 * sizeof *v);
    struct tw_figure_curve *curve = tw_alloc(f->n, sizeof *curve);
    struct tw_figure_curves fig = {
        .x_label = "predicted loss", .y_label = "measured loss", .n = f->n, .curves = curve
    };
    enum tw_status rc = TW_ENOMEM;

    if (!pair || !v || !curve) {
        (void)tw_err_set(err, rc, "out of memory");
        goto out;
    }
    for (size_t c = 0; c < f->n; c++) {
        const size_t a = fit->first[c], n = fit->first[c + 1] - a;
        double *x = v + 2 * a, *y = x + n;
        size_t m = 0;

        for (size_t i = 0; i < n; i++) {
            pair[2 * i] = fit->yhat[a + i];
            pair[2 * i + 1] = fit->y[a + i];
        }
        qsort(pair, n, 2 * sizeof *pair, by_first);
        for (size_t i = 0; i < n; i++) { /* equal predictions would be points on one another */
            if (m && !(pair[2 * i] > x[m - 1]))
                pair[2 * i] = nextafter(x[m - 1], INFINITY);
            x[m] = pair[2 * i];
            y[m++] = pair[2 * i + 1];
        }
        curve[c] = (struct tw_figure_curve){ .name = f->name[c],
                                             .role = "fitted",
                                             .n = n,
                                             .x = x,
                                             .y = y,
                                             .m = n,
                                             .line_x = x,
                                             .line = x,
                                             .fitted_to = (double)NAN };
    }
    rc = tw_figure_curves(path, &fig, fo, err);
out:
    free(pair);
    free(v);
    free(curve);
    return rc;
}
