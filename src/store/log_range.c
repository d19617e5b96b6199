/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <math.h>
#include <stdlib.h>

#include "thalweg/store_log.h"

static int by_size(const void *a, const void *b)
{
    const double *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

/* The median of the forward distances, and how many are far larger. Out of memory: unknown. */
static void spacing(const struct tw_log_series *s, struct tw_log_range *r)
{
    double *d = tw_alloc(s->n, sizeof *d);
    size_t n = 0;
    bool sorted = true;

    if (!d)
        return;
    for (size_t i = 1; i < s->n; i++)
        if (s->x[i] > s->x[i - 1]) {
            d[n] = s->x[i] - s->x[i - 1];
            sorted = sorted && (n == 0 || d[n] >= d[n - 1]);
            n++;
        }
    if (!sorted)
        qsort(d, n, sizeof *d, by_size);
    r->spacing = tw_quantile_sorted(d, n, 0.5);
    for (size_t i = n; i > 0 && d[i - 1] > 3.0 * r->spacing; i--)
        r->gaps++;
    free(d);
}

struct tw_log_range tw_log_series_range(const struct tw_log_series *s)
{
    struct tw_log_range r = { .n = s->n,
                              .x_min = (double)NAN,
                              .x_max = (double)NAN,
                              .y_min = (double)NAN,
                              .y_max = (double)NAN,
                              .y_first = (double)NAN,
                              .y_last = (double)NAN,
                              .spacing = (double)NAN };

    if (s->n)
        r.y_first = s->y[0];
    for (size_t i = 0; i < s->n; i++) {
        double x = s->x[i], y = s->y[i];

        /* fmin and fmax pass over the NaN they start from. */
        r.x_min = fmin(r.x_min, x);
        r.x_max = fmax(r.x_max, x);
        if (i) {
            r.backward += x < s->x[i - 1];
            r.duplicates += !(x < s->x[i - 1]) && !(x > s->x[i - 1]);
        }
        if (isnan(y)) {
            r.nan++;
        } else if (isinf(y)) {
            r.inf++;
        } else {
            r.y_min = fmin(r.y_min, y);
            r.y_max = fmax(r.y_max, y);
            r.y_last = y;
        }
    }
    spacing(s, &r);
    return r;
}
