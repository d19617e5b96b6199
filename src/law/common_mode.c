/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Residuals that runs with the same data order have in common. */
#include <gsl/gsl_statistics_double.h>
#include <math.h>
#include <stdlib.h>

#include "thalweg/law.h"

/* Residual of curve c at x by straight lines; false beyond its ends. */
static bool at(const struct tw_law_fit *fit, size_t c, double x, double *r)
{
    size_t a = fit->first[c], b = fit->first[c + 1] - 1;
    double f;

    if (fit->first[c] == fit->first[c + 1] || x < fit->x[a] || x > fit->x[b])
        return false;
    while (b - a > 1) {
        const size_t mid = a + (b - a) / 2;

        if (fit->x[mid] <= x)
            a = mid;
        else
            b = mid;
    }
    f = b > a ? (x - fit->x[a]) / (fit->x[b] - fit->x[a]) : 0.0;
    *r = fit->r[a] + f * (fit->r[b] - fit->r[a]);
    return true;
}

/* Mean residual at x of all curves but `skip`; false where there is none. */
static bool mean_at(const struct tw_law_fit *fit, size_t skip, double x, double *mean)
{
    double sum = 0.0, r;
    size_t n = 0;

    for (size_t c = 0; c < fit->ncurves; c++)
        if (c != skip && at(fit, c, x, &r)) {
            sum += r;
            n++;
        }
    *mean = n ? sum / (double)n : 0.0;
    return n > 0;
}

/* Mean over curves of the correlation of a curve's residuals with the others' mean. */
static double correlate(const struct tw_law_fit *fit, double *a, double *b)
{
    double sum = 0.0;
    size_t curves = 0;

    for (size_t c = 0; c < fit->ncurves; c++) {
        size_t n = 0;

        for (size_t i = fit->first[c]; i < fit->first[c + 1]; i++)
            if (mean_at(fit, c, fit->x[i], &b[n]))
                a[n++] = fit->r[i];
        if (n > 2) {
            sum += gsl_stats_correlation(a, 1, b, 1, n);
            curves++;
        }
    }
    return curves ? sum / (double)curves : (double)NAN;
}

enum tw_status tw_law_common_mode(const struct tw_law_fit *fit, const double *x, size_t m,
                                  double *shift, double **noise, size_t *nnoise,
                                  double *correlation, struct tw_err *err)
{
    double *room = tw_alloc(fit->n, 2 * sizeof *room);
    size_t k = 0;

    *noise = tw_alloc(fit->n, sizeof **noise);
    *nnoise = 0;
    if (!room || !*noise) {
        free(room);
        free(*noise);
        *noise = NULL;
        return tw_err_set(err, TW_ENOMEM, "out of memory");
    }
    for (size_t i = 0; i < m; i++)
        (void)mean_at(fit, SIZE_MAX, x[i], &shift[i]);
    for (size_t c = 0; c < fit->ncurves; c++)
        for (size_t i = fit->first[c]; i < fit->first[c + 1]; i++) {
            double mean;

            if (mean_at(fit, c, fit->x[i], &mean))
                (*noise)[k++] = fit->r[i] - mean;
            else if (fit->ncurves == 1 && i > fit->first[c])
                (*noise)[k++] = (fit->r[i] - fit->r[i - 1]) / sqrt(2.0);
        }
    *nnoise = k;
    *correlation = correlate(fit, room, room + fit->n);
    free(room);
    return TW_OK;
}
